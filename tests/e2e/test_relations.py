# SPDX-License-Identifier: Apache-2.0
"""The main job: what relations want is in the trust store, and they are told so."""

import pytest

from agent import Event
from clients import CLIENTS, Refused
from expectations import active, entry_name, published, served
from hook_commands import Reply
from pki import bundle, identity


@pytest.fixture
def entries(lxd, admin):
    """The trust store beside the charm's own credential: names by fingerprint."""

    def read():
        store = {fingerprint: entry["name"] for fingerprint, entry in lxd.trust_store.items()}
        assert store.pop(admin.fingerprint) == "juju"
        return store

    return read


@pytest.fixture
def prefix(juju, app):
    """How the names of the charm's own entries begin."""
    return f"juju.{juju.model_uuid[:8]}.{app.name}"


@pytest.fixture
def log_in(lxd, tmp_path):
    """Use LXD as a requirer does; it fails where LXD does not trust the client."""
    return lambda client: CLIENTS[0](lxd, client, tmp_path).certificates()


def test_relation_without_units_is_told_the_nodes(lxd, unit, relation):
    assert published(relation) == served(lxd)
    assert unit.status == active(lxd, 0)


@pytest.mark.core
def test_certificate_is_registered_and_logs_in(lxd, unit, relation, entries, prefix, log_in):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client), version="1.0")
    assert entries() == {client.fingerprint: entry_name(prefix, relation, client)}
    assert published(relation) == served(lxd, client)
    assert unit.status == active(lxd, 1)
    assert client.fingerprint in log_in(client)


def test_databag_is_written_through_stdin(app, relation):
    app.add_unit()
    hooks = relation.join("builder/0", client_certificates=bundle(identity()))
    written = [call.arguments for hook in hooks for call in hook.called("relation-set")]
    to_peers = [call for call in written if call[2].startswith("peers:")]
    assert [call[3:] for call in to_peers] == [("--file", "-", "--app")]
    others = {call for call in written if call not in to_peers}
    assert others == {("relation-set", "-r", relation.id, "--file", "-")}


def test_entry_is_an_unrestricted_client(lxd, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    entry = lxd.trust_store[client.fingerprint]
    assert (entry["type"], entry["restricted"], entry["projects"]) == ("client", False, [])


def test_one_info_line_for_each_change_in_lxd(relation):
    client = identity()
    joined, changed = relation.join("builder/0", client_certificates=bundle(client))
    (withdrawn,) = relation.publish("builder/0", client_certificates="[]")
    told = [
        [client.fingerprint[:12] in line for line in hook.logged("INFO")].count(True)
        for hook in (joined, changed, withdrawn)
    ]
    assert told == [1, 0, 1]


def test_unit_that_joins_before_it_publishes(lxd, relation, entries):
    relation.join("builder/0")
    assert entries() == {} and published(relation) == served(lxd)
    client = identity()
    relation.publish("builder/0", client_certificates=bundle(client))
    assert list(entries()) == [client.fingerprint]
    assert published(relation) == served(lxd, client)


def test_two_certificates_of_one_unit(lxd, unit, relation, entries, log_in):
    clients = identity("first"), identity("second")
    relation.join("builder/0", client_certificates=bundle(*clients))
    assert set(entries()) == {client.fingerprint for client in clients}
    assert published(relation) == served(lxd, *clients)
    assert unit.status == active(lxd, 2)
    for client in clients:
        log_in(client)


@pytest.mark.core
@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_withdrawn_certificate_cannot_log_in_any_more(lxd, relation, entries, tmp_path, client):
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first, second))
    client(lxd, first, tmp_path).certificates()
    relation.publish("builder/0", client_certificates=bundle(second))
    assert list(entries()) == [second.fingerprint]
    assert published(relation) == served(lxd, second)
    client(lxd, second, tmp_path).certificates()
    with pytest.raises(Refused, match="(?i)not authorized|forbidden"):
        client(lxd, first, tmp_path).certificates()


@pytest.mark.core
def test_union_over_units_and_application_bag(lxd, relation, entries):
    clients = [identity() for _ in range(3)]
    relation.join("builder/0", client_certificates=bundle(clients[0]))
    relation.join("builder/1", client_certificates=bundle(clients[1], clients[0]))
    relation.publish("builder", client_certificates=bundle(clients[2]))
    assert set(entries()) == {client.fingerprint for client in clients}
    assert published(relation) == served(lxd, *clients)


def test_unit_that_leaves_takes_its_certificate(lxd, relation, entries):
    leaving, staying, shared = identity(), identity(), identity()
    relation.join("builder/0", client_certificates=bundle(leaving, shared))
    relation.join("builder/1", client_certificates=bundle(staying, shared))
    relation.depart("builder/0")
    assert set(entries()) == {staying.fingerprint, shared.fingerprint}
    assert published(relation) == served(lxd, staying, shared)


@pytest.mark.parametrize("version", ["2.9", "3.6", "4.0"])
def test_broken_relation_leaves_nothing(lxd, juju, app, entries, version):
    juju.version = version
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(identity()))
    relation.publish("builder", client_certificates=bundle(identity()))
    assert len(entries()) == 2
    relation.remove()
    assert entries() == {}
    assert app.units[0].status == active(lxd, 0)


def test_broken_relation_that_cannot_be_read(relation, entries):
    relation.join("builder/0", client_certificates=bundle(identity()))
    assert len(entries()) == 1
    relation.unreadable = True
    relation.remove()
    assert entries() == {}


def test_relations_are_told_of_their_own_certificates_only(lxd, app, relation, entries, prefix):
    other = app.relate("deployer")
    first, second, shared = identity(), identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first, shared))
    other.join("deployer/0", client_certificates=bundle(shared, second))
    assert entries() == {
        first.fingerprint: entry_name(prefix, relation, first),
        shared.fingerprint: entry_name(prefix, relation, shared),
        second.fingerprint: entry_name(prefix, other, second),
    }
    assert published(relation) == served(lxd, first, shared)
    assert published(other) == served(lxd, second, shared)
    relation.remove()
    assert set(entries()) == {second.fingerprint, shared.fingerprint}
    assert published(other) == served(lxd, second, shared)


@pytest.mark.core
def test_certificate_that_an_administrator_added_serves_and_stays(lxd, relation, entries, log_in):
    client = identity()
    lxd.trust(client, "alice")
    relation.join("builder/0", client_certificates=bundle(client))
    assert entries() == {client.fingerprint: "alice"}
    assert published(relation) == served(lxd, client)
    log_in(client)
    relation.publish("builder/0", client_certificates="[]")
    assert published(relation) == served(lxd)
    relation.remove()
    assert entries() == {client.fingerprint: "alice"}


@pytest.mark.core
def test_only_orphans_of_this_application_are_removed(lxd, app, entries, prefix):
    strangers = {
        identity(): (f"{prefix}.gone.8", "metrics"),
        identity(): (f"{prefix}.gone.9", "server"),
        identity(): (f"{prefix}-two.gone.7", "client"),
        identity(): (f"juju.00000000.{app.name}.gone.7", "client"),
        identity(): (prefix, "client"),
    }
    for stranger, (name, kind) in strangers.items():
        lxd.trust(stranger, name, type=kind)
    lxd.trust(identity(), f"{prefix}.gone.7")
    app.update_status()
    assert entries() == {item.fingerprint: name for item, (name, _) in strangers.items()}


@pytest.mark.core
def test_own_certificate_is_never_removed(lxd, app, admin, prefix):
    path = f"/1.0/certificates/{admin.fingerprint}"
    lxd.request("PATCH", path, {"name": f"{prefix}.gone.7"})
    lxd.trust(identity(), f"{prefix}.gone.8")
    app.update_status()
    assert list(lxd.trust_store) == [admin.fingerprint]


def test_entry_that_an_administrator_removed_comes_back(lxd, app, relation, entries):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    lxd.distrust(client.fingerprint)
    app.update_status()
    assert list(entries()) == [client.fingerprint]


@pytest.mark.parametrize("kind", ["Ed25519", "P-384", "P-521", "RSA-2048"])
def test_requirer_may_have_any_kind_of_key(lxd, relation, log_in, kind):
    client = identity(kind, kind)
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)
    assert client.fingerprint in log_in(client)


def test_certificate_is_returned_as_it_was_received(relation):
    certificate = identity().certificate.replace("\n", "\r\n")
    text = f"made for the builder \u2028\r\n{certificate}  \r\n"
    relation.join("builder/0", client_certificates=bundle(text))
    assert published(relation)["registered_certificates"] == [text]


def test_one_certificate_in_two_texts_is_one_entry(relation, entries):
    client = identity()
    texts = [client.certificate, client.certificate.replace("\n", "\r\n")]
    relation.join("builder/0", client_certificates=bundle(*texts))
    assert list(entries()) == [client.fingerprint]
    assert sorted(published(relation)["registered_certificates"]) == sorted(texts)
    assert published(relation)["nodes"][0]["trusted_certs_fp"] == [client.fingerprint]


def test_only_the_leader_removes(app, relation, entries):
    leader, follower = app.units[0], app.add_unit()
    relation.join("builder/0", client_certificates=bundle(identity()))
    relation.settings["builder/0"]["client_certificates"] = "[]"
    changed = Event("relation-changed", relation, "builder/0")
    assert follower.run(changed).exit_code == 0
    assert len(entries()) == 1
    assert leader.run(changed).exit_code == 0
    assert entries() == {}


def test_only_the_last_unit_to_go_removes(app, relation, entries):
    second = app.add_unit()
    relation.join("builder/0", client_certificates=bundle(identity()))
    app.remove_unit(app.units[0])
    assert len(entries()) == 1
    app.remove_unit(second)
    assert entries() == {}


@pytest.mark.core
def test_application_that_goes_leaves_nothing(app, relation, entries):
    app.add_unit()
    relation.join("builder/0", client_certificates=bundle(identity()))
    assert len(entries()) == 1
    app.remove_unit(*app.units)
    assert entries() == {}


def test_relation_that_is_unknown_for_now_keeps_its_entries(app, relation, entries):
    """What is known goes on meanwhile."""
    other = app.relate("deployer")
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    other.join("deployer/0", client_certificates=bundle(second))
    before = published(relation)
    relation.unreadable = True
    other.publish("deployer/0", client_certificates="[]")
    assert set(entries()) == {first.fingerprint}
    assert published(relation) == before
    relation.unreadable = False
    relation.publish("builder/0", client_certificates="[]")
    assert entries() == {}


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_relation_that_is_removed_by_force(juju, app, entries, version):
    """No hook tells of it: the next one of any kind does."""
    juju.version = version
    relation, other = app.relate("builder"), app.relate("deployer")
    kept = identity()
    relation.join("builder/0", client_certificates=bundle(identity()))
    other.join("deployer/0", client_certificates=bundle(kept))
    relation.force_remove()
    assert len(entries()) == 2
    app.update_status()
    assert set(entries()) == {kept.fingerprint}
    other.publish("deployer/0", client_certificates="[]")
    assert entries() == {}


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_relation_that_is_made_anew(juju, app, entries, version):
    juju.version = version
    first, second = identity(), identity()
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(first))
    relation.force_remove()
    again = app.relate("builder")
    again.join("builder/0", client_certificates=bundle(second))
    app.update_status()
    assert set(entries()) == {second.fingerprint}
    assert published(again)["registered_certificates"] == [second.certificate]
    app.units[0].restart_agent()
    app.update_status()
    assert set(entries()) == {second.fingerprint}


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_unit_that_is_removed_by_force(juju, app, entries, version):
    """goal-state has shown it, and shows it no more."""
    juju.version = version
    relation = app.relate("builder")
    staying = identity()
    relation.join("builder/0", client_certificates=bundle(identity()))
    relation.join("builder/1", client_certificates=bundle(staying))
    app.update_status()
    relation.force_remove_unit("builder/0")
    app.update_status()
    assert set(entries()) == {staying.fingerprint}


def test_unit_that_was_shown_while_its_relation_could_not_be_read(app, entries):
    """It came, and was gone, before our own databag could be read again; the list still names it."""
    relation = app.relate("builder")
    relation.unreadable = True
    relation.join("builder/0", client_certificates=bundle(identity()))
    relation.force_remove_unit("builder/0")
    relation.unreadable = False
    app.update_status()
    assert entries() == {}


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_relation_that_is_refused_in_doubt(juju, app, entries, version):
    """That our own databag is refused means gone where goal-state names our unit, or another own
    databag is readable in update-status; and nothing where neither tells."""
    juju.version = version
    relation, other = app.relate("builder"), app.relate("deployer")
    client, kept = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(client))
    other.join("deployer/0", client_certificates=bundle(kept))
    relation.force_remove()
    app.faults["goal-state"] = Reply(1, stderr=b"ERROR lost the controller\n")
    app.fire("config-changed")
    assert set(entries()) == {client.fingerprint, kept.fingerprint}
    other.join("deployer/1")
    other.depart("deployer/1")  # our unit stays: that is known here
    assert set(entries()) == {client.fingerprint, kept.fingerprint}
    app.update_status()
    assert set(entries()) == {kept.fingerprint}
    app.faults.clear()
    other.remove()
    assert entries() == {}


@pytest.mark.parametrize("version", ["3.6", "4.0"])
def test_application_that_is_removed_by_force(juju, app, entries, version):
    """departed, and nothing after."""
    juju.version = version
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(identity()))
    relation.publish("builder", client_certificates=bundle(identity()))
    relation.force_remove_application()
    app.update_status()
    assert entries() == {}


def test_subordinate_of_another_principal_keeps_its_entry(app, entries):
    """goal-state never names it, which says nothing."""
    relation = app.relate("agent", subordinate_to="ubuntu")
    client = identity()
    relation.join("agent/0", client_certificates=bundle(client))
    for _ in range(2):
        app.update_status()
    assert set(entries()) == {client.fingerprint}


def test_agent_that_was_away_takes_away_only_what_is_over(lxd, app, unit, relation, entries):
    """It hears of what came meanwhile one hook at a time."""
    clients = [identity() for _ in range(3)]
    for number, client in enumerate(clients):
        relation.join(f"builder/{number}", client_certificates=bundle(client))
    other = app.relate("deployer")
    unit.stop_agent()
    late = identity()
    other.join("deployer/0", client_certificates=bundle(clients[1], late))
    relation.depart("builder/0")
    relation.publish("builder/1", client_certificates="[]")
    app.juju.asleep = True
    unit.start_agent()
    while unit.pending:
        assert unit.run_next().exit_code == 0
        assert clients[2].fingerprint in entries()
    app.juju.asleep = False
    app.update_status()
    assert set(entries()) == {client.fingerprint for client in (clients[1], clients[2], late)}
    assert published(other) == served(lxd, clients[1], late)


def test_new_single_unit_removes_nothing(app, unit, relation, entries):
    """It is shown members one hook at a time."""
    clients = [identity(), identity()]
    for number, client in enumerate(clients):
        relation.join(f"builder/{number}", client_certificates=bundle(client))
    everyone = {client.fingerprint for client in clients}
    app.lose_unit(unit)
    app.juju.asleep = True
    successor = app.add_unit()
    while successor.pending:
        assert successor.run_next().exit_code == 0
        assert set(entries()) == everyone


def test_unit_that_speaks_another_major_version_is_left_alone(relation, entries):
    ours, theirs = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(ours), version="1.7")
    joined, _ = relation.join("builder/1", client_certificates=bundle(theirs), version="2.0")
    assert list(entries()) == [ours.fingerprint]
    assert any("2.0" in line for line in joined.logged("WARNING"))


def test_unknown_hook_makes_a_pass(lxd, app, relation, entries):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    lxd.distrust(client.fingerprint)
    (hook,) = app.fire("no-such-hook")
    assert hook.exit_code == 0 and list(entries()) == [client.fingerprint]
