# SPDX-License-Identifier: Apache-2.0
"""LXD refuses a change, or does not show all that it has: nothing stays wider than it is wished, nobody's
entry is touched, and nobody is told what is not so."""

import pytest

from between import Between
from expectations import active, entry_name, published, rejections
from juju import lxd_cloud
from lxd import INCUS
from names_proxy import NamesProxy
from pki import bundle, identity

LIST = "/1.0/certificates?recursion=1"

unique = pytest.mark.skipif(bool(INCUS), reason="names may repeat in Incus")


@pytest.fixture(params=["agent"])
def transport(request):
    """One way to Juju will do: what these tests are about is between the charm and LXD."""
    return request.param


@pytest.fixture
def between(lxd, admin):
    with Between(lxd, admin) as proxy:
        yield proxy


@pytest.fixture
def app(juju, admin, between):
    """The charm, with a proxy between it and LXD."""
    return juju.deploy(trust=True, cloud=lxd_cloud(between.url, admin, between.certificate))


def changes(between):
    return [method for method, path in between.asked if method != "GET"]


# --- names that are taken ---


def test_hundred_certificates_of_one_application(lxd, relation):
    """One name each."""
    clients = [identity() for _ in range(100)]
    for number in range(4):
        mine = clients[25 * number : 25 * number + 25]
        relation.join(f"builder/{number}", client_certificates=bundle(*mine))
    names = {entry["name"] for entry in lxd.trust_store.values()}
    assert {client.fingerprint for client in clients} <= set(lxd.trust_store)
    assert len(names) == len(lxd.trust_store)
    assert len(published(relation)["registered_certificates"]) == 100


@unique
def test_name_that_is_taken(lxd, admin, juju):
    """By an entry that is no client's, and so nobody's to touch."""
    with NamesProxy(lxd, admin) as proxy:
        app = juju.deploy(trust=True, cloud=lxd_cloud(proxy.url, admin, proxy.certificate))
        (unit,) = app.units
        relation = app.relate("builder")
        client, good, other = identity(), identity(), identity()
        name = entry_name(f"juju.{juju.model_uuid[:8]}.{app.name}", relation, client)
        lxd.trust(other, name, type="metrics")
        hook, _ = relation.join("builder/0", client_certificates=bundle(client, good))
        assert client.fingerprint not in lxd.trust_store
        assert lxd.trust_store[other.fingerprint]["name"] == name
        assert name in rejections(relation)[client.fingerprint]
        assert published(relation)["registered_certificates"] == [good.certificate]
        assert unit.status[1].startswith(active(lxd, 1, "; 1 certificate rejected: builder")[1])
        assert [line for line in hook.logged("WARNING") if "with a name of ours" in line]
        lxd.distrust(other.fingerprint)
        app.update_status()
        assert unit.status == active(lxd, 2)


def test_certificate_that_lxd_has_as_an_identity(between, unit, relation):
    """It is refused as a duplicate, and the trust store has no such entry."""
    duplicate = (409, "Certificate already in trust store")
    between.instead = lambda method, path: duplicate if method == "POST" else None
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert "identity" in rejections(relation)[client.fingerprint]
    assert published(relation)["registered_certificates"] == []
    assert unit.status[0] == "active"


@unique
def test_adopting_where_the_name_is_taken(lxd, admin, juju):
    with NamesProxy(lxd, admin) as proxy:
        app = juju.deploy(trust=True, cloud=lxd_cloud(proxy.url, admin, proxy.certificate))
        (unit,) = app.units
        relation = app.relate("builder")
        client = identity("wanted")
        name = entry_name(f"juju.{juju.model_uuid[:8]}.{app.name}", relation, client)
        lxd.trust(client, "wanted")
        lxd.trust(identity(), name, type="metrics")
        relation.join("builder/0", client_certificates=bundle(client))
        outcome = unit.run_action("adopt-trusted-clients")
        assert outcome.status == "failed" and client.fingerprint[:12] in outcome.message
        assert lxd.trust_store[client.fingerprint]["name"] == "wanted"


# --- closed in doubt ---


@pytest.mark.usefixtures("projects")
@pytest.mark.parametrize("status", [400, 500])
def test_entry_that_cannot_be_narrowed_is_removed(lxd, between, app, relation, status):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    refusal = (status, "not today")
    between.instead = lambda method, path: refusal if method in ("PATCH", "PUT") else None
    relation.publish("builder/0", projects="blue")
    assert client.fingerprint not in lxd.trust_store
    assert published(relation)["registered_certificates"] == []
    app.update_status()
    entry = lxd.trust_store[client.fingerprint]
    assert entry["restricted"] and entry["projects"] == ["blue"]
    assert published(relation)["registered_certificates"] == [client.certificate]


@pytest.mark.usefixtures("projects")
def test_entry_that_somebody_makes_theirs_meanwhile(lxd, between, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))

    def instead(method, path):
        if method == "PATCH":
            lxd.request("PATCH", f"/1.0/certificates/{client.fingerprint}", {"name": "alice"})
            return 500, "later"

    between.instead = instead
    relation.publish("builder/0", projects="blue")
    assert lxd.trust_store[client.fingerprint]["name"] == "alice"
    assert "DELETE" not in changes(between)


@pytest.mark.usefixtures("projects")
def test_entry_that_stays_wider_is_told_first(lxd, between, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    refused = ("PATCH", "PUT", "DELETE")
    between.instead = lambda method, path: (400, "not today") if method in refused else None
    (hook,) = relation.publish("builder/0", projects="blue")
    status, message = unit.status
    assert status == "blocked" and message.startswith(f"certificate {client.fingerprint[:12]}")
    assert "cannot be taken out" in message
    assert [line for line in hook.logged("ERROR") if client.fingerprint[:12] in line]
    between.instead = lambda method, path: None
    app.update_status()
    assert lxd.trust_store[client.fingerprint]["projects"] == ["blue"]
    assert unit.status == active(lxd, 1)


def test_entry_that_cannot_be_removed(lxd, between, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    between.instead = lambda method, path: (400, "not today") if method == "DELETE" else None
    relation.publish("builder/0", client_certificates="[]")
    assert unit.status[0] == "blocked" and "cannot be taken out" in unit.status[1]
    between.instead = lambda method, path: None
    app.update_status()
    assert client.fingerprint not in lxd.trust_store and unit.status == active(lxd, 0)


@pytest.mark.usefixtures("projects")
def test_project_that_goes_between_reading_and_changing(lxd, between, relation):
    """The change is refused, projects are read once more, and the change is planned anew."""
    client = identity()

    def with_red(method, path, metadata):
        is_first = path.startswith("/1.0/projects") and not changes(between)
        return [*metadata, "/1.0/projects/red"] if is_first else metadata

    relation.join("builder/0")
    between.change = with_red
    (_,) = relation.publish("builder/0", client_certificates=bundle(client), projects="blue,red")
    assert lxd.trust_store[client.fingerprint]["projects"] == ["blue"]
    assert published(relation)["registered_certificates"] == [client.certificate]
    assert '"red"' in rejections(relation)[client.fingerprint]


# --- a list that is filtered ---


def hide(between, *fingerprints):
    def shown(method, path, metadata):
        if path != LIST:
            return metadata
        return [entry for entry in metadata if entry["fingerprint"] not in fingerprints]

    between.change = shown


def test_hidden_entries_are_not_missing(lxd, between, admin, app, unit, relation):
    client, new = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(client))
    before = published(relation)
    hide(between, admin.fingerprint, client.fingerprint)
    between.asked.clear()
    (hook,) = app.update_status()
    assert changes(between) == [] and published(relation) == before
    assert "may hide" in unit.status[1]
    assert [line for line in hook.logged("WARNING") if "may hide" in line]
    relation.publish("builder/0", client_certificates=bundle(client, new))
    assert changes(between) == ["POST"] and new.fingerprint in lxd.trust_store
    between.change = lambda method, path, metadata: metadata
    app.update_status()
    assert unit.status == active(lxd, 2)


def test_what_a_filtered_list_shows_is_believed(lxd, between, admin, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    hide(between, admin.fingerprint)
    relation.publish("builder/0", client_certificates="[]")
    assert client.fingerprint not in lxd.trust_store


# --- entries of others, and ours in others' hands ---


@pytest.mark.core
@pytest.mark.usefixtures("projects")
def test_entry_of_others_that_opens_more_than_the_option(lxd, app, unit, relation):
    client = identity()
    lxd.trust(client, "alice")
    app.configure(projects="blue")
    hook, _ = relation.join("builder/0", client_certificates=bundle(client))
    assert lxd.trust_store[client.fingerprint]["restricted"] is False
    assert [line for line in hook.logged("WARNING") if '"alice"' in line]
    assert "of others" in unit.status[1] and "option projects" in unit.status[1]
    (again,) = app.update_status()
    assert "of others" in unit.status[1] and again.logged("WARNING") == []


@pytest.mark.usefixtures("projects")
def test_entry_of_ours_that_an_administrator_narrows(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    narrowed = {"restricted": True, "projects": ["blue"]}
    lxd.request("PATCH", f"/1.0/certificates/{client.fingerprint}", narrowed)
    (hook,) = app.update_status()
    assert lxd.trust_store[client.fingerprint]["restricted"] is False
    assert [line for line in hook.logged("WARNING") if client.fingerprint[:12] in line]
