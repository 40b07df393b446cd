# SPDX-License-Identifier: Apache-2.0
"""The Terraform module, parsed: its variables and outputs against its README, its words against the
charm's options and endpoints. Terraform itself and its provider are not to be had here."""

import re

import pytest

from tools import ROOT

hcl2 = pytest.importorskip("hcl2", reason="python-hcl2 cannot be had from PyPI")

MODULE = ROOT / "charm/terraform"
NULL = {None, "null", "${null}"}


def plain(value):
    """Values as Terraform has them: the parser's quotation marks and positions are left out."""
    if isinstance(value, dict):
        kept = {key: item for key, item in value.items() if not key.startswith("__")}
        return {plain(key): plain(item) for key, item in kept.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return re.sub(r"^\$\{(.*)\}$", r"\1", value.strip('"'))
    return value


@pytest.fixture(scope="module")
def module():
    """Its blocks by kind and name."""
    blocks = {}
    for path in sorted(MODULE.glob("*.tf")):
        with path.open() as file:
            parsed = plain(hcl2.load(file))
        for kind, several in parsed.items():
            for block in several:
                blocks.setdefault(kind, {}).update(block)
    return blocks


@pytest.fixture(scope="module")
def tables():
    """The rows of README's tables by their headings, with the first column as the key."""
    found, heading = {}, ""
    for line in (MODULE / "README.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line[3:]
        elif line.startswith("| `"):
            name, *rest = (cell.strip().strip("`") for cell in line.strip("| ").split(" | "))
            found.setdefault(heading, {})[name] = rest
    return found


def test_readme_names_its_variables(module, tables):
    variables = module["variable"]
    assert set(variables) == set(tables["Variables"])
    for name, variable in variables.items():
        kind, default = tables["Variables"][name][:2]
        assert variable["type"].split("(")[0] == kind.split("(")[0]
        assert variable["description"]
        if default == "required":
            assert "default" not in variable and name == "model_uuid"
        elif default == "null":
            assert variable["default"] in NULL
        else:
            assert str(variable["default"]).lower() == default


def test_variables_are_the_usual_ones(module):
    usual = "model_uuid app_name base channel config constraints revision units trust"
    assert set(usual.split()) <= set(module["variable"])
    assert module["variable"]["credentials"]["sensitive"] is True


def test_readme_names_its_outputs(module, tables):
    assert set(module["output"]) == set(tables["Outputs"])
    assert set(module["output"]) == {"application", "provides", "requires"}


def test_endpoints_are_the_charm_s(module, project):
    outputs = module["output"]
    assert outputs["provides"]["value"] == {name: name for name in project["provides"]}
    assert outputs["requires"]["value"] == dict.fromkeys(project.get("requires", {}))


def test_resources(module, project):
    resources = module["resource"]
    application = resources["juju_application"]["lxd_integrator"]
    (charm,) = application["charm"]
    assert charm["name"] == project["name"]
    assert set(resources) == {"juju_application", "juju_secret", "juju_access_secret"}
    assert all("model_uuid" in block for kind in resources.values() for block in kind.values())


def test_secret_has_the_keys_that_the_charm_reads(module):
    keys = re.findall(r"([a-z-]+) *[=:]", module["variable"]["credentials"]["type"])
    source = (ROOT / "src/charm/credentials.c").read_text()
    assert len(keys) == 4 and all(f'"{key}"' in source for key in keys)
    assert "lxd_credentials" in (MODULE / "main.tf").read_text()


def test_every_variable_is_used(module):
    text = (MODULE / "main.tf").read_text()
    used = set(re.findall(r"\bvar\.([a-z_]+)", text))
    assert used == set(module["variable"])


def test_provider(module):
    terraform = module["terraform"]
    (providers,) = terraform["required_providers"]
    assert providers["juju"]["source"] == "juju/juju" and ">= 1" in providers["juju"]["version"]
