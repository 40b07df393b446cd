# SPDX-License-Identifier: Apache-2.0
"""What operators ask for by juju run."""

import datetime

import pytest
from cryptography import x509

from expectations import active, cut, entry_name, published, served
from juju import lxd_cloud
from lxd import SOFTWARE
from pki import bundle, identity
from test_servers import configuration, second, second_daemon  # noqa: F401


@pytest.fixture
def client(relation):
    """A requirer's identity that is trusted."""
    requirer = identity("builder-client")
    relation.join("builder/0", client_certificates=bundle(requirer))
    return requirer


def end_of(certificate):
    """The day on which it expires, by python3-cryptography."""
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    return loaded.not_valid_after.strftime("%Y-%m-%d")


def clients_of(results, relation):
    group = results[f"relation-{relation.number}"]
    return [value for key, value in group.items() if key.startswith("client-")]


def days_from_now(days):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


def test_show_of_all(lxd, app, unit, admin, relation, client):
    lxd.trust(identity("stranger"), "stranger")
    outcome = unit.run_action("show")
    assert outcome.status == "completed"
    wish = {
        "asked-by": "builder/0",
        "fingerprint": client.fingerprint,
        "common-name": "builder-client",
        "expires": days_from_now(3650),
        "asks-for": "all of LXD",
        "state": "trusted",
    }
    assert outcome.results == {
        "return-code": 0,
        "leader": "lxd-integrator/0",
        "status": "active",
        "message": active(lxd, 1)[1],
        "credentials": {
            "source": "credential-get",
            "fingerprint": admin.fingerprint,
            "expires": days_from_now(3650),
        },
        "projects": "all of LXD",
        "default-projects": "all of LXD",
        "trusted": "1",
        "rejected": "0",
        f"relation-{relation.number}": {
            "endpoint": "api",
            "requirer": "builder",
            "state": "served",
            "trusted": "1",
            "pending": "0",
            "rejected": "0",
            "client-1": wish,
        },
        "server-1": {
            "endpoint": lxd.url,
            "trusted": "yes",
            "fingerprint": lxd.fingerprint,
            "expires": end_of(lxd.certificate),
            "version": lxd.version,
            "node-1": lxd.url,
        },
    }


@pytest.mark.parametrize("name", ["get-connection-info", "list-trusted-clients"])
def test_older_names_of_show(unit, client, name):
    assert unit.run_action(name).results == unit.run_action("show").results


def test_show_changes_nothing(lxd, unit, relation, client):
    lxd.distrust(client.fingerprint)
    with lxd.recording() as requests:
        outcome = unit.run_action("show")
    assert {request.method for request in requests} == {"GET"}
    group = outcome.results[f"relation-{relation.number}"]
    assert (group["pending"], group["client-1"]["state"]) == ("1", "pending")
    for command in ("relation-set", "status-set", "state-set"):
        assert outcome.hook.called(command) == []


def test_show_says_who_leads(juju, app, unit, client):
    follower = app.add_unit()
    assert follower.run_action("show").results["leader"] == unit.name
    app.elect(follower)
    assert follower.run_action("show").results["leader"] == follower.name
    assert unit.run_action("show").results["leader"] == follower.name


def test_show_without_peers_does_not_know_the_leader(juju, cloud):
    app = juju.deploy(units=2, trust=True, cloud=cloud, peers=False)
    assert app.units[1].run_action("show").results["leader"] == "unknown"


def test_show_of_a_relation_that_is_not_served(app, unit, relation, client):
    relation.unreadable = True
    outcome = unit.run_action("show")
    assert outcome.results[f"relation-{relation.number}"]["state"] == "unreadable"
    assert "unreadable: builder" in outcome.results["message"]


def test_nothing_is_printed_and_steps_are_in_the_log(unit):
    outcome = unit.run_action("show")
    assert outcome.hook.printed == []
    assert [line for line in outcome.hook.logged("DEBUG") if line.startswith("LXD asked: ")]


def test_action_without_credentials_fails_with_the_status(juju):
    unit = juju.deploy().units[0]
    outcome = unit.run_action("show")
    assert (outcome.status, cut(outcome.message)) == ("failed", unit.status[1])
    assert (outcome.results["status"], outcome.results["message"]) == unit.status
    assert outcome.results["leader"] == unit.name


def test_action_with_lxd_away_fails_with_what_is_known(lxd, unit, admin):
    lxd.stop()
    try:
        outcome = unit.run_action("show")
    finally:
        lxd.start()
    assert outcome.status == "failed" and "connection refused" in outcome.message
    assert outcome.results["credentials"]["fingerprint"] == admin.fingerprint
    server = outcome.results["server-1"]
    assert server["endpoint"] == lxd.url and server.get("trusted") != "no"  # nobody could be asked


@pytest.mark.usefixtures("projects")
def test_show_says_what_came_of_every_wish(lxd, app, unit, relation, client):
    """Who asks is told by the wishes, not by the entry's name, and why not is told as well."""
    expired = identity("expired", start=-10, end=-1)
    other = app.relate("deployer")
    other.join("deployer/0", client_certificates=bundle(client, expired, "junk"), projects="blue,red")
    relation.publish("builder/0", client_certificates="[]")  # the entry bears its number
    other.join("deployer/1", client_certificates="[]", version="2.0")
    results = unit.run_action("show").results
    assert (results["trusted"], results["rejected"]) == ("1", "3")
    assert clients_of(results, relation) == []
    wishes = clients_of(results, other)
    assert results[f"relation-{other.number}"]["rejected"] == "3"
    told = {(wish["asked-by"], wish.get("fingerprint"), wish["state"]) for wish in wishes}
    assert told == {
        ("deployer/0", client.fingerprint, "trusted"),
        ("deployer/0", expired.fingerprint, "rejected"),
        ("deployer/0", None, "rejected"),
        ("deployer/1", None, "rejected"),
    }
    reasons = {wish.get("fingerprint", wish["asked-by"]): wish["reason"] for wish in wishes}
    assert '"red"' in reasons[client.fingerprint] and "expired" in reasons[expired.fingerprint]
    assert "2.0" in reasons["deployer/1"] and "PEM" in reasons["deployer/0"]


def test_show_has_what_nobody_asks_for(lxd, juju, app, unit, client):
    left = identity("left")
    name = f"juju.{juju.model_uuid[:8]}.{app.name}.gone.7.{left.fingerprint[:12]}"
    lxd.trust(left, name)
    results = unit.run_action("show").results
    assert results["unclaimed-1"] == {
        "name": name,
        "fingerprint": left.fingerprint,
        "endpoint": lxd.url,
    }


def test_show_of_many(unit, relation):
    clients = [identity(f"client-{number}") for number in range(120)]
    relation.join("builder/0", client_certificates=bundle(*clients))
    outcome = unit.run_action("show")
    assert outcome.results["trusted"] == "120"
    shown = clients_of(outcome.results, relation)
    assert {entry["fingerprint"] for entry in shown} == {c.fingerprint for c in clients}
    assert len(outcome.hook.called("action-set")) == 2


def test_reconcile_says_what_changed(lxd, unit, relation, client):
    lxd.distrust(client.fingerprint)
    outcome = unit.run_action("reconcile")
    assert client.fingerprint in lxd.trust_store
    assert outcome.status == "completed"
    assert client.fingerprint[:12] in outcome.results["change-1"]
    assert (outcome.results["status"], outcome.results["message"]) == active(lxd, 1)
    assert unit.run_action("reconcile").results["changes"] == "none"
    assert published(relation) == served(lxd, client)


def test_reconcile_writes_relations(lxd, app, unit, relation, client):
    lxd.stop()
    try:
        relation.publish("builder/0", client_certificates="[]")
        assert unit.status[0] == "waiting"
    finally:
        lxd.start()
    outcome = unit.run_action("reconcile")
    assert "is removed" in outcome.results["change-1"]
    assert outcome.results["change-2"] == (
        f"builder ({relation.id}): published nodes, registered_certificates"
    )
    assert unit.status == active(lxd, 0)
    assert published(relation) == served(lxd)


def test_removed_client_is_brought_back_by_its_relation(lxd, app, unit, relation, client):
    outcome = unit.run_action("remove-trusted-client", fingerprint=client.fingerprint)
    assert outcome.status == "completed"
    assert client.fingerprint not in lxd.trust_store
    assert "is removed" in outcome.results["change-1"]
    assert outcome.results["warning"] == (
        f"builder ({relation.id}) still asks for it: the next hook brings it back"
    )
    app.update_status()
    assert client.fingerprint in lxd.trust_store


@pytest.mark.parametrize("spelling", [str.upper, lambda text: text[:12], lambda t: f"{t[:2]}:{t[2:]}"])
def test_spellings_of_a_fingerprint(lxd, unit, client, spelling):
    outcome = unit.run_action("remove-trusted-client", fingerprint=spelling(client.fingerprint))
    assert outcome.status == "completed"
    assert client.fingerprint not in lxd.trust_store


@pytest.mark.parametrize("fingerprint", ["", "0123", "x" * 64, "0" * 65, "%" * 64])
def test_fingerprint_that_is_none(unit, client, fingerprint):
    outcome = unit.run_action("remove-trusted-client", fingerprint=fingerprint)
    assert outcome.status == "failed" and outcome.hook.exit_code == 0


def test_only_ours_is_removed(lxd, unit, admin, client):
    stranger = identity("stranger")
    lxd.trust(stranger, "stranger")
    for other in (stranger, admin):
        outcome = unit.run_action("remove-trusted-client", fingerprint=other.fingerprint)
        assert outcome.status == "failed"
        assert "was added by this application" in outcome.message
        assert other.fingerprint in lxd.trust_store


def test_entry_of_others_on_another_server_stays(lxd, juju, admin, second):
    client = identity()
    second.trust(client, "somebody's")
    app = juju.deploy(config=configuration(admin, lxd, second))
    app.relate("builder").join("builder/0", client_certificates=bundle(client))
    before = second.trust_store
    outcome = app.units[0].run_action("remove-trusted-client", fingerprint=client.fingerprint)
    assert outcome.status == "completed"
    assert client.fingerprint not in lxd.trust_store and second.trust_store == before


@pytest.mark.core
def test_adopted_entries_are_ours(lxd, juju, app, unit, admin):
    wanted, unwanted, renamed = identity("wanted"), identity("unwanted"), identity("renamed")
    lxd.trust(wanted, "wanted")
    lxd.trust(unwanted, "unwanted")
    lxd.trust(renamed, "somebody's")
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(wanted, renamed))
    before = lxd.trust_store
    outcome = unit.run_action("adopt-trusted-clients", **{"dry-run": True})
    assert outcome.status == "completed" and lxd.trust_store == before
    assert wanted.fingerprint[:12] in outcome.results["would-adopt-1"]
    assert '"wanted"' in outcome.results["would-adopt-1"]  # whose it is
    assert "would-adopt-2" not in outcome.results
    outcome = unit.run_action("adopt-trusted-clients")
    assert outcome.status == "completed"
    assert wanted.fingerprint[:12] in outcome.results["change-1"]
    assert "change-2" not in outcome.results
    name = entry_name(f"juju.{juju.model_uuid[:8]}.{app.name}", relation, wanted)
    assert {key: entry["name"] for key, entry in lxd.trust_store.items()} == {
        admin.fingerprint: "juju",
        wanted.fingerprint: name,
        unwanted.fingerprint: "unwanted",
        renamed.fingerprint: "somebody's",
    }
    assert unit.run_action("adopt-trusted-clients").results["changes"] == "none"
    relation.remove()
    assert wanted.fingerprint not in lxd.trust_store
    assert renamed.fingerprint in lxd.trust_store


def test_check_of_what_is_well(lxd, unit, admin):
    outcome = unit.run_action("check")
    assert outcome.status == "completed"
    steps = outcome.results["server-1"]
    assert lxd.host in steps["1-address"]
    assert lxd.fingerprint in steps["2-certificate"]
    assert f"{SOFTWARE} {lxd.version}" in steps["3-trust"] and "trusts our certificate" in steps["3-trust"]
    assert steps["4-permission"].startswith("may manage the trust store")
    assert '"juju"' in steps["4-permission"]  # its own entry
    assert "standalone" in steps["5-nodes"]


def check_of(juju, cloud):
    outcome = juju.deploy(trust=True, cloud=cloud).units[0].run_action("check")
    assert outcome.status == "failed" and outcome.hook.exit_code == 0
    return outcome


def test_check_stops_at_the_name(juju, lxd, admin):
    cloud = lxd_cloud("https://nowhere.invalid:8443", admin, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert "not found" in steps["1-address"] or "nameserver" in steps["1-address"]
    assert "2-certificate" not in steps


def test_check_stops_at_the_connection(juju, lxd, admin):
    cloud = lxd_cloud("https://127.0.0.1:1", admin, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert "connection refused" in steps["1-address"] and "2-certificate" not in steps


def test_check_stops_at_the_server_s_identity(juju, lxd, admin):
    cloud = lxd_cloud(lxd.url, admin, identity("other").certificate)
    outcome = check_of(juju, cloud)
    steps = outcome.results["server-1"]
    assert "expected" in steps["2-certificate"] and "3-trust" not in steps
    assert "expected" in outcome.message


def test_check_stops_at_trust(juju, lxd):
    steps = check_of(juju, lxd_cloud(lxd.url, identity(), lxd.certificate)).results["server-1"]
    assert "does not trust" in steps["3-trust"] and "4-permission" not in steps


def test_check_stops_at_permission(juju, lxd):
    restricted = identity("restricted")
    lxd.trust(restricted, "restricted", restricted=True, projects=["default"])
    cloud = lxd_cloud(lxd.url, restricted, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert "may not manage the trust store" in steps["4-permission"]
