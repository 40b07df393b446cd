# SPDX-License-Identifier: Apache-2.0
"""The endpoint https: a certificate is registered, and who asked is told where to log in with it."""

import json

import pytest

from expectations import active, entry_name, log_in, published, reachable, served
from hook_commands import Reply
from lxd import Lxd
from pki import Identity, bundle, certify, generate, identity, key_pem

DENIED = Reply(1, stderr=b"ERROR permission denied\n")


@pytest.fixture
def https(app):
    """A relation of the endpoint https, still without units."""
    return app.relate("viewer", "https")


@pytest.fixture
def registered(lxd, admin):
    """The names of entries beside the charm's own credential, by fingerprint."""

    def read():
        store = {fingerprint: entry["name"] for fingerprint, entry in lxd.trust_store.items()}
        del store[admin.fingerprint]
        return store

    return read


def ask(client, **more):
    """What a requirer publishes."""
    return {"version": "1.0", "certificate": client.certificate, **more}


def rejected(relation):
    """What our unit says is rejected on a relation, and the rest of its databag."""
    bag = dict(relation.published())
    return json.loads(bag.pop("rejected_certificates")), bag


def name(juju, app, relation, client):
    return entry_name(f"juju.{juju.model_uuid[:8]}.{app.name}", relation, client)


@pytest.mark.core
def test_unit_that_asks_logs_in(lxd, juju, app, unit, https, registered):
    client = identity()
    https.join("viewer/0", **ask(client))
    assert registered() == {client.fingerprint: name(juju, app, https, client)}
    assert https.published() == reachable(lxd, client)
    assert https.application_published() == {}
    assert log_in(https.published(), client)["environment"]["server_version"] == lxd.version
    assert unit.status == active(lxd, 1)


def test_nothing_is_said_before_a_certificate_is_trusted(lxd, unit, https):
    assert https.published() == {}
    https.join("viewer/0")
    assert https.published() == {} and unit.status == active(lxd, 0)


def test_certificate_of_the_application(lxd, https, registered):
    first, second = identity(), identity()
    https.join("viewer/0", **ask(first))
    https.publish("viewer", **ask(second))
    assert set(registered()) == {first.fingerprint, second.fingerprint}
    assert log_in(https.published(), second)["auth"] == "trusted"


@pytest.mark.core
def test_withdrawn_certificate(lxd, https, registered):
    client = identity()
    https.join("viewer/0", **ask(client))
    bag = https.published()
    https.publish("viewer/0", certificate=None)
    assert registered() == {} and https.published() == {}
    assert log_in(bag, client)["auth"] == "untrusted"


def test_changed_certificate(lxd, https, registered):
    old, new = identity(), identity()
    https.join("viewer/0", **ask(old))
    https.publish("viewer/0", **ask(new))
    assert list(registered()) == [new.fingerprint]
    assert https.published() == reachable(lxd, new)


def test_unit_that_leaves_takes_its_certificate(https, registered):
    leaving, staying = identity(), identity()
    https.join("viewer/0", **ask(leaving))
    https.join("viewer/1", **ask(staying))
    https.depart("viewer/0")
    assert list(registered()) == [staying.fingerprint]


@pytest.mark.parametrize("version", ["2.9", "3.6", "4.0"])
def test_broken_relation_leaves_nothing(lxd, juju, app, unit, registered, version):
    juju.version = version
    https = app.relate("viewer", "https")
    https.join("viewer/0", **ask(identity()))
    https.publish("viewer", **ask(identity()))
    assert len(registered()) == 2
    https.remove()
    assert registered() == {} and unit.status == active(lxd, 0)


@pytest.mark.parametrize("ending", ["api", "https"])
def test_certificate_of_both_endpoints(lxd, juju, app, unit, relation, https, registered, ending):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    https.join("viewer/0", **ask(client))
    assert registered() == {client.fingerprint: name(juju, app, relation, client)}
    assert published(relation) == served(lxd, client)
    assert https.published() == reachable(lxd, client)
    assert unit.status == active(lxd, 1)
    first, second = (relation, https) if ending == "api" else (https, relation)
    first.remove()
    assert list(registered()) == [client.fingerprint]
    second.remove()
    assert registered() == {}


def test_entry_of_others_serves_and_stays(lxd, https, registered):
    client = identity()
    lxd.trust(client, "alice")
    https.join("viewer/0", **ask(client))
    assert https.published() == reachable(lxd, client)
    https.remove()
    assert registered() == {client.fingerprint: "alice"}


@pytest.mark.parametrize(
    "junk, reason",
    [
        ("junk", "holds no PEM block"),
        (identity().key, "holds a private key"),
        (bundle(identity()), ""),
        ("x" * 65537, "65537 bytes"),
    ],
)
def test_what_is_no_certificate(lxd, unit, https, registered, junk, reason):
    good = identity()
    joined, _ = https.join("viewer/0", version="1.0", certificate=junk)
    assert [line for line in joined.logged("WARNING") if f"of viewer/0 rejected: {reason}" in line]
    ((said,), others) = rejected(https)
    assert others == {} and said.keys() == {"index", "reason", "unit"}
    assert (said["index"], said["unit"]) == (0, "viewer/0") and said["reason"].startswith(reason)
    assert unit.status == active(lxd, 0, f"; 1 certificate rejected: viewer ({https.id})")
    https.join("viewer/1", **ask(good))
    assert list(registered()) == [good.fingerprint]
    assert rejected(https) == ([said], reachable(lxd, good))
    https.publish("viewer/0", certificate=None)
    assert https.published() == reachable(lxd, good)


def test_certificate_that_lxd_refuses(lxd, unit, https):
    expired = identity(start=-10, end=-1)
    joined, _ = https.join("viewer/0", **ask(expired))
    assert [line for line in joined.logged("WARNING") if expired.fingerprint[:12] in line]
    ((said,), others) = rejected(https)
    assert others == {} and "expired" in said.pop("reason")
    assert said == {"fingerprint": expired.fingerprint, "index": 0, "unit": "viewer/0"}
    assert unit.status[1].endswith(f"; 1 certificate rejected: viewer ({https.id})")


def test_another_version_is_left_alone(https, registered):
    joined, _ = https.join("viewer/0", **ask(identity(), version="2.0"))
    ((said,), others) = rejected(https)
    assert registered() == {} and others == {}
    assert said.keys() == {"reason", "unit"} and 'version "2.0"' in said["reason"]
    assert any('version "2.0"' in line for line in joined.logged("WARNING"))


def test_old_key_means_nothing(lxd, https, registered):
    client = identity()
    https.join("viewer/0", **ask(client, autoremove="True"))
    https.remove()
    assert registered() == {}


def test_projects(lxd, relation, https, projects):
    client = identity()
    https.join("viewer/0", **ask(client, projects="blue, green"))
    entry = lxd.trust_store[client.fingerprint]
    assert entry["restricted"] and set(entry["projects"]) == {"blue", "green"}
    assert https.published() == reachable(lxd, client)
    # A wish can only give, whichever endpoint it comes from.
    relation.join("builder/0", client_certificates=bundle(client), projects="green")
    assert set(lxd.trust_store[client.fingerprint]["projects"]) == {"blue", "green"}
    https.publish("viewer/0", projects="blue")
    assert set(lxd.trust_store[client.fingerprint]["projects"]) == {"blue", "green"}
    relation.remove()
    assert lxd.trust_store[client.fingerprint]["projects"] == ["blue"]
    assert https.published() == reachable(lxd, client)


def test_each_unit_can_tell_whether_its_own_certificate_is_trusted(lxd, https, projects):
    first, second = identity(), identity()
    https.join("viewer/0", **ask(first))
    https.join("viewer/1", **ask(second, projects="gren"))
    (said,), others = rejected(https)
    assert others == reachable(lxd, first)
    assert said.pop("reason") == "no such project in LXD: gren"
    assert said == {"fingerprint": second.fingerprint, "index": 0, "unit": "viewer/1"}
    https.publish("viewer/1", projects="green, gren")  # let in, but to less than asked
    (said,), others = rejected(https)
    assert others == reachable(lxd, first, second)
    assert said["reason"] == "no such project in LXD: gren"
    https.publish("viewer/1", projects="green")
    assert https.published() == reachable(lxd, first, second)


def test_configured_address_comes_first(lxd, juju, admin):
    config = {
        "lxd_endpoint": f"localhost:{lxd.port}",
        "lxd_client_cert": admin.certificate,
        "lxd_client_key": admin.key,
        "lxd_server_cert": lxd.certificate,
    }
    https = juju.deploy(config=config).relate("viewer", "https")
    client = identity()
    https.join("viewer/0", **ask(client))
    assert https.published() == reachable(
        lxd, client, addresses=[f"localhost:{lxd.port}", lxd.address]
    )
    assert log_in(https.published(), client)["auth"] == "trusted"


def test_certificate_of_a_ca_stands_for_the_server_s_own(juju):
    """What is published is what the server presents."""
    ca_key, key = generate("P-256"), generate("P-256")
    ca = certify(ca_key, "ca", ca=True)
    server = Identity(certify(key, "server", issuer=(ca, ca_key)), key_pem(key))
    administrator, client = identity("juju"), identity()
    with Lxd("127.0.0.3", server) as other:
        other.trust(administrator, "juju")
        config = {
            "lxd_endpoint": other.url,
            "lxd_client_cert": administrator.certificate,
            "lxd_client_key": administrator.key,
            "lxd_server_cert": ca,
        }
        https = juju.deploy(config=config).relate("viewer", "https")
        https.join("viewer/0", **ask(client))
        assert https.published() == reachable(other, client)


def test_what_was_published_stays_while_lxd_is_away(lxd, app, unit, https, registered):
    first, second = identity(), identity()
    https.join("viewer/0", **ask(first))
    lxd.stop()
    try:
        https.publish("viewer/0", **ask(second))
        assert unit.status[0] == "waiting"
        assert https.published() == reachable(lxd, first)
    finally:
        lxd.start()
    app.update_status()
    assert list(registered()) == [second.fingerprint]
    assert https.published() == reachable(lxd, second)


def test_relation_that_cannot_be_read(lxd, app, unit, https, registered):
    first = identity()
    https.join("viewer/0", **ask(first))
    https.unreadable = True
    app.update_status()
    assert list(registered()) == [first.fingerprint]
    assert unit.status[1].endswith(f"; unreadable: viewer ({https.id})")


def test_leadership_in_doubt_changes_nothing(lxd, app, unit, https, registered):
    client = identity()
    https.join("viewer/0", **ask(client))
    app.faults["is-leader"] = DENIED
    https.publish("viewer/0", certificate=None)
    assert list(registered()) == [client.fingerprint]
    app.faults.clear()
    app.update_status()
    assert registered() == {} and https.published() == {}


def test_every_unit_tells_of_a_server_of_its_own(lxd, app, unit, https):
    follower, client = app.add_unit(), identity()
    https.join("viewer/0", **ask(client))
    assert https.published(unit) == https.published(follower) == reachable(lxd, client)
    assert https.application_published() == {}


def test_what_it_costs(app, unit, relation, https):
    """One call where there is no such relation."""
    https.join("viewer/0", **ask(identity()))
    (with_https,) = app.update_status()
    https.remove()
    (without,) = app.update_status()
    assert [call.arguments[-1] for call in without.called("relation-ids")] == ["api", "https"]
    assert without.called("is-leader") == []
    assert len(with_https.called("relation-get")) == len(without.called("relation-get")) + 4
    assert len(with_https.called("is-leader")) == 1
    assert with_https.called("relation-set") == []


def test_actions(lxd, juju, app, unit, https):
    client = identity("viewer-client")
    https.join("viewer/0", **ask(client))
    outcome = unit.run_action("show")
    group = outcome.results[f"relation-{https.number}"]
    wish = group["client-1"]
    assert (group["endpoint"], group["requirer"]) == ("https", "viewer")
    assert wish["asked-by"] == "viewer/0"
    assert (wish["fingerprint"], wish["state"]) == (client.fingerprint, "trusted")
    outcome = unit.run_action("remove-trusted-client", fingerprint=client.fingerprint)
    assert outcome.results["warning"].startswith(f"viewer ({https.id}) still asks for it")
    outcome = unit.run_action("reconcile")
    assert client.fingerprint in lxd.trust_store and "change-2" not in outcome.results


def test_reconcile_names_the_databag(lxd, unit, https):
    client = identity()
    lxd.stop()
    try:
        https.join("viewer/0", **ask(client))
    finally:
        lxd.start()
    outcome = unit.run_action("reconcile")
    assert outcome.results["change-2"] == (
        f"viewer ({https.id}): published version, certificate, certificate_fingerprint, addresses,"
        " trusted_certs_fp"
    )
    assert https.published() == reachable(lxd, client)


def test_certificate_that_ends_soon(unit, https):
    joined, _ = https.join("viewer/0", **ask(identity(end=10)))
    assert any(f"viewer ({https.id}): " in line for line in joined.logged("WARNING"))
    assert "; 1 certificate to renew, by " in unit.status[1]


# --- several servers ---


@pytest.fixture
def second(admin):
    with Lxd("127.0.0.2") as daemon:
        daemon.trust(admin, "juju")
        yield daemon


def test_of_several_servers_the_first_is_told(lxd, second, juju, admin):
    config = {
        "lxd_endpoint": f"{lxd.url},{second.url}",
        "lxd_client_cert": admin.certificate,
        "lxd_client_key": admin.key,
        "lxd_server_cert": lxd.certificate + second.certificate,
    }
    app = juju.deploy(config=config)
    https = app.relate("viewer", "https")
    client = identity()
    https.join("viewer/0", **ask(client))
    assert client.fingerprint in lxd.trust_store and client.fingerprint in second.trust_store
    assert https.published() == reachable(lxd, client)
    lxd.stop()
    try:
        app.update_status()
        assert https.published() == reachable(lxd, client)
        app.configure(lxd_endpoint=f"{second.url},{lxd.url}")
        assert https.published() == reachable(second, client)
    finally:
        lxd.start()
