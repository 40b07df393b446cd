# SPDX-License-Identifier: Apache-2.0
"""The definitions of both interfaces, in the form of the public collection, held to databags that
the charm and its requirers have written."""

import importlib.util
import json

import pytest
import yaml

from pki import identity
from tools import ROOT

pydantic = pytest.importorskip("pydantic", reason="pydantic cannot be had from PyPI")
pytest.importorskip("interface_tester", reason="pytest-interface-tester cannot be had from PyPI")

DEFINITIONS = ROOT / "charm/interfaces"
ENDPOINTS = {"lxd": "api", "lxd-https": "https"}


def definition(interface):
    return DEFINITIONS / interface / "interface/v1"


def schema(interface):
    specification = importlib.util.spec_from_file_location(
        f"schema_{interface.replace('-', '_')}", definition(interface) / "schema.py"
    )
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize("interface", ENDPOINTS)
def test_form(interface, project):
    folder = definition(interface)
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        "README.md",
        "interface.yaml",
        "schema.py",
    }
    said = yaml.safe_load((folder / "interface.yaml").read_text())
    assert (said["name"], said["version"], said["status"]) == (interface, 1, "draft")
    assert said["summary"] and said["description"] and said["maintainer"]
    for side in ("providers", "requirers"):
        assert all({"name", "url"} <= set(charm) for charm in said[side])
    assert project["provides"][ENDPOINTS[interface]]["interface"] == interface
    assert (folder / "README.md").read_text().startswith(f"# `{interface}/v1`")


def ask(interface, client, **more):
    if interface == "lxd":
        return {"client_certificates": json.dumps([client.certificate, "nonsense", 17]), **more}
    return {"certificate": client.certificate, **more}


def described(model):
    return set(model.model_fields)


@pytest.mark.parametrize("interface", ENDPOINTS)
@pytest.mark.parametrize("wanted", [{}, {"projects": "blue, gren"}, {"projects": "gren"}])
def test_what_is_written_fits(lxd, app, projects, interface, wanted):
    side, client = schema(interface), identity()
    relation = app.relate("builder", ENDPOINTS[interface])
    settings = {"version": "1.0", **ask(interface, client, **wanted)}
    relation.join("builder/0", **settings)
    side.RequirerSchema(unit=settings)
    bag = relation.published()
    told = side.ProviderSchema(unit=bag)
    assert set(bag) <= described(side.ProviderData), "a key that the schema does not know"
    assert ("rejected_certificates" in bag) == (interface == "lxd" or bool(wanted))
    assert "gren" in str(told.unit.rejected_certificates) or not wanted


@pytest.mark.parametrize("interface", ENDPOINTS)
def test_what_is_empty_fits(interface):
    schema(interface).ProviderSchema(unit={})
    schema(interface).RequirerSchema(unit={}, app={})


WRONG = [
    ("lxd", "ProviderSchema", "version", "2.0"),
    ("lxd", "ProviderSchema", "nodes", "text"),
    ("lxd", "ProviderSchema", "nodes", '[{"endpoint": "10.0.0.1:8443"}]'),
    ("lxd", "ProviderSchema", "rejected_certificates", "[{}]"),
    ("lxd", "RequirerSchema", "client_certificates", "-----BEGIN CERTIFICATE-----"),
    ("lxd", "RequirerSchema", "projects", ""),
    ("lxd-https", "ProviderSchema", "addresses", "10.0.0.1"),
    ("lxd-https", "ProviderSchema", "certificate_fingerprint", "5D1C"),
    ("lxd-https", "ProviderSchema", "trusted_certs_fp", '["5d1c"]'),
    ("lxd-https", "RequirerSchema", "version", "0.9"),
]


@pytest.mark.parametrize(("interface", "side", "key", "value"), WRONG)
def test_what_is_wrong_does_not_fit(interface, side, key, value):
    with pytest.raises(pydantic.ValidationError):
        getattr(schema(interface), side)(unit={key: value})
