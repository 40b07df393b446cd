# SPDX-License-Identifier: Apache-2.0
"""A requirer written with ops (tests/requirer-ops), the charm and a real LXD; and the databags that
charm/python shows to the tests of others."""

import importlib
import json
import zipfile

import pytest
import yaml

from conftest import python_of
from juju import Link
from pki import identity
from tools import ROOT

SOURCE = ROOT / "tests/requirer-ops"
RECORDED = ROOT / "charm/python/src/charmlibs/interfaces/lxd/databags.json"


@pytest.fixture(scope="session")
def requirer_charm(tmp_path_factory):
    """Packed as charmcraft would, with links to the library and to the suite's environment."""
    path = tmp_path_factory.mktemp("requirer-ops") / "requirer-ops.charm"
    project = yaml.safe_load((SOURCE / "charmcraft.yaml").read_text())
    metadata = {key: project[key] for key in ("name", "summary", "description", "requires")}
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.yaml", yaml.safe_dump(metadata))
        archive.writestr("config.yaml", yaml.safe_dump(project["config"]))
        archive.writestr("manifest.yaml", "bases: [{name: ubuntu, channel: '24.04'}]\n")
        archive.write(SOURCE / "dispatch", "dispatch")
        archive.write(SOURCE / "src/charm.py", "src/charm.py")
        for name, target in (
            ("lib", ROOT / "charm/python/src"),
            ("venv", python_of("ops").parents[1]),
        ):
            link = zipfile.ZipInfo(name)
            link.external_attr = 0o120777 << 16
            archive.writestr(link, str(target))
    return path


@pytest.fixture
def requirer(juju, requirer_charm):
    return juju.deploy("requirer", charm=requirer_charm)


@pytest.mark.parametrize("ends", [("api", "lxd"), ("https", "https")])
def test_it_logs_in(lxd, app, requirer, ends, projects):
    integrator_end, requirer_end = ends
    (unit,) = requirer.units
    assert unit.status[0] == "blocked"
    link = Link((app, integrator_end), (requirer, requirer_end))
    assert unit.status == ("active", f"logged in to LXD {lxd.version} at {lxd.url}")
    requirer.configure(projects="blue,gren")
    link.settle()
    assert unit.status[0] == "active" and unit.status[1].endswith('no such project in LXD: "gren"')
    requirer.configure(projects="gren")
    link.settle()
    assert unit.status == ("blocked", 'certificate rejected: no such project in LXD: "gren"')
    requirer.configure(projects="")
    link.settle()
    assert unit.status[1].startswith("logged in")
    link.remove()
    assert unit.status[0] == "blocked"
    assert "requirer" not in {entry["name"].split(".")[-1] for entry in lxd.trust_store.values()}


def test_two_units_on_both_endpoints(lxd, app, requirer):
    requirer.add_unit()
    Link((app, "api"), (requirer, "lxd"))
    Link((app, "https"), (requirer, "https"))
    assert {unit.status[0] for unit in requirer.units} == {"active"}
    assert len(lxd.trust_store) == 3


def test_relation_that_is_gone_fails_no_hook(app, requirer):
    """It was removed by force, and stays listed until the agent restarts."""
    link = Link((app, "api"), (requirer, "lxd"))
    link.second.gone = True
    (hook,) = requirer.update_status()
    assert hook.exit_code == 0
    assert any("is gone" in line.text for line in hook.log)


# --- the databags that were recorded ---

ANSWERS = {"waiting": None, "trusted": "", "less": "blue,gren", "rejected": "gren"}


@pytest.mark.parametrize("interface", ["lxd", "lxd-https"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_recorded_databags_are_what_the_charm_writes(lxd, app, projects, interface, answer):
    pytest.importorskip("ops", reason="ops cannot be had from PyPI")
    testing = importlib.import_module("charmlibs.interfaces.lxd.testing")
    client, endpoint = identity(), "api" if interface == "lxd" else "https"
    relation = app.relate("requirer", endpoint)
    settings = {"version": "1.0"}
    if ANSWERS[answer] is not None and interface == "lxd":
        settings["client_certificates"] = json.dumps([client.certificate])
    elif ANSWERS[answer] is not None:
        settings["certificate"] = client.certificate
    if ANSWERS[answer]:
        settings["projects"] = ANSWERS[answer]
    relation.join("requirer/0", **settings)
    words = {
        "SERVER_CERTIFICATE": lxd.certificate,
        "SERVER_FINGERPRINT": lxd.fingerprint,
        "CLIENT_CERTIFICATE": client.certificate,
        "CLIENT_FINGERPRINT": client.fingerprint,
        "ADDRESS": lxd.address,
        "SERVER_NAME": lxd.server_name,
        "UNIT_NAME": "requirer/0",
    }
    recorded = json.loads(RECORDED.read_text())[interface][answer]
    assert testing.fill(recorded, words) == relation.published()
