# SPDX-License-Identifier: Apache-2.0
"""Databags written by ops' own Relation.save(), which encodes each field as JSON, and what its
Relation.load() makes of ours."""

import dataclasses
import json

import pytest

from pki import identity

ops = pytest.importorskip("ops", reason="ops cannot be had from PyPI")
scenario = pytest.importorskip("ops.testing")

META = {"name": "requirer", "requires": {"lxd": {"interface": "lxd"}}}


def saved(**fields):
    """What ops leaves in the unit's databag of an object that has these fields."""
    given = scenario.Relation("lxd")
    context = scenario.Context(ops.CharmBase, meta=META)
    with context(context.on.update_status(), scenario.State(relations=[given])) as manager:
        relation = manager.charm.model.relations["lxd"][0]
        named = dataclasses.make_dataclass("Named", fields)
        relation.save(named(**fields), manager.charm.unit)
        after = manager.run()
    bag = after.get_relation(given.id).local_unit_data
    return {key: bag[key] for key in fields}


def loaded(bag, kind, **options):
    """What ops makes of the integrator's databag."""
    given = scenario.Relation("lxd", remote_units_data={0: bag})
    context = scenario.Context(ops.CharmBase, meta=META)
    with context(context.on.update_status(), scenario.State(relations=[given])) as manager:
        relation = manager.charm.model.relations["lxd"][0]
        (unit,) = relation.units
        found = relation.load(kind, unit, **options)
        manager.run()
    return found


def opened(lxd, client):
    """The projects that an entry opens, ALL of LXD, or None for no entry."""
    entry = lxd.trust_store.get(client.fingerprint)
    return entry and (sorted(entry["projects"]) if entry["restricted"] else "ALL")


@pytest.mark.parametrize("version", ["1.0", 1.0, 1, None])
def test_version(lxd, relation, version):
    client = identity()
    bag = saved(client_certificates=[client.certificate], version=version)
    relation.join("builder/0", **bag)
    assert opened(lxd, client) == "ALL"


@pytest.mark.parametrize("version", ["2.0", 2.0, 2])
def test_another_version(lxd, relation, version):
    client = identity()
    relation.join("builder/0", **saved(client_certificates=[client.certificate], version=version))
    assert opened(lxd, client) is None
    (said,) = json.loads(relation.published()["rejected_certificates"])
    assert "version" in said["reason"] and said["unit"] == "builder/0"


@pytest.mark.parametrize("value", ["blue,green", "blue, green", ["blue", "green"], ["blue,green"]])
def test_projects(lxd, relation, projects, value):
    client = identity()
    bag = saved(client_certificates=[client.certificate], projects=value)
    relation.join("builder/0", **bag)
    refused = value == ["blue,green"]  # one name with a comma in it, which LXD does not allow
    assert opened(lxd, client) == (None if refused else ["blue", "green"])


NO_PROJECTS = [(None, "null"), ([], "names no project"), ("", "names no project"), ([None], "list")]


@pytest.mark.parametrize(("value", "word"), NO_PROJECTS)
def test_projects_that_name_none(lxd, relation, value, word):
    """They are refused, not taken for all of LXD."""
    client = identity()
    relation.join("builder/0", **saved(client_certificates=[client.certificate], projects=value))
    assert opened(lxd, client) is None
    (said,) = json.loads(relation.published()["rejected_certificates"])
    assert word in said["reason"]


def test_quoted_list_of_certificates(lxd, relation):
    """Encoded by the author, and by save() again."""
    client = identity()
    text = json.dumps([client.certificate])
    relation.join("builder/0", **saved(client_certificates=text))
    assert opened(lxd, client) == "ALL"


def test_certificate_on_https(lxd, app):
    client, https = identity(), app.relate("viewer", "https")
    bag = saved(certificate=client.certificate, version="1.0")
    assert bag["certificate"].startswith('"-----BEGIN')
    https.join("viewer/0", **bag)
    assert opened(lxd, client) == "ALL"


def test_what_load_makes_of_ours(lxd, app, relation):
    @dataclasses.dataclass
    class Api:
        version: object
        nodes: list
        registered_certificates: list

    @dataclasses.dataclass
    class Https:
        version: object
        certificate: str
        certificate_fingerprint: str
        addresses: str
        trusted_certs_fp: str

    client = identity()
    relation.join("builder/0", client_certificates=json.dumps([client.certificate]))
    api = loaded(relation.published(), Api)
    assert api.version == 1.0 and isinstance(api.version, float)
    assert api.nodes[0]["trusted_certs_fp"] == [client.fingerprint]
    assert api.registered_certificates == [client.certificate]
    https = app.relate("viewer", "https")
    https.join("viewer/0", certificate=client.certificate)
    bag = https.published()
    with pytest.raises(json.JSONDecodeError):
        loaded(bag, Https)
    told = loaded(bag, Https, decoder=str)
    assert (told.version, told.certificate) == ("1.0", lxd.certificate)
    assert json.loads(told.trusted_certs_fp) == [client.fingerprint]
