# SPDX-License-Identifier: Apache-2.0
"""What operators ask for by juju run."""

import datetime

import pytest

from expectations import active, published, served
from juju import lxd_cloud
from pki import bundle, identity


@pytest.fixture
def client(relation):
    """A requirer's identity that is trusted."""
    requirer = identity("builder-client")
    relation.join("builder/0", client_certificates=bundle(requirer))
    return requirer


def days_from_now(days):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


def test_connection_info(lxd, unit, admin):
    outcome = unit.run_action("get-connection-info")
    assert outcome.status == "completed"
    assert outcome.results == {
        "return-code": 0,
        "credentials": "credential-get",
        "client-fingerprint": admin.fingerprint,
        "server-1": {
            "endpoint": lxd.url,
            "trusted": "yes",
            "fingerprint": lxd.fingerprint,
            "version": lxd.version,
            "node-1": lxd.url,
        },
    }


def test_nothing_is_printed_and_steps_are_in_the_log(unit):
    outcome = unit.run_action("get-connection-info")
    assert outcome.hook.printed == []
    assert [line for line in outcome.hook.logged("DEBUG") if line.startswith("LXD asked: ")]


def test_action_without_credentials_fails_with_the_status(juju):
    unit = juju.deploy().units[0]
    outcome = unit.run_action("get-connection-info")
    assert (outcome.status, outcome.message) == ("failed", unit.status[1])


def test_action_with_lxd_away_fails_with_what_is_known(lxd, unit, admin):
    lxd.stop()
    try:
        outcome = unit.run_action("get-connection-info")
    finally:
        lxd.start()
    assert outcome.status == "failed" and "connection refused" in outcome.message
    assert outcome.results["client-fingerprint"] == admin.fingerprint
    assert outcome.results["server-1"] == {"endpoint": lxd.url, "trusted": "no"}


def test_list_has_ours_alone(lxd, juju, app, unit, relation, client):
    lxd.trust(identity("stranger"), "stranger")
    outcome = unit.run_action("list-trusted-clients")
    entry = {
        "name": f"juju.{juju.model_uuid[:8]}.{app.name}.builder.{relation.number}",
        "requirer": "builder",
        "fingerprint": client.fingerprint,
        "common-name": "builder-client",
        "expires": days_from_now(3650),
    }
    expected = {"endpoint": lxd.url, f"relation-{relation.number}": {"client-1": entry}}
    assert outcome.results == {"return-code": 0, "count": "1", "server-1": expected}


def test_list_of_many(unit, relation):
    clients = [identity(f"client-{number}") for number in range(120)]
    relation.join("builder/0", client_certificates=bundle(*clients))
    outcome = unit.run_action("list-trusted-clients")
    assert outcome.results["count"] == "120"
    group = outcome.results["server-1"][f"relation-{relation.number}"]
    assert {entry["fingerprint"] for entry in group.values()} == {c.fingerprint for c in clients}
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
        f"relation {relation.id}: published nodes, registered_certificates"
    )
    assert unit.status == active(lxd, 0)
    assert published(relation) == served(lxd)


def test_removed_client_is_brought_back_by_its_relation(lxd, app, unit, relation, client):
    outcome = unit.run_action("remove-trusted-client", fingerprint=client.fingerprint)
    assert outcome.status == "completed"
    assert client.fingerprint not in lxd.trust_store
    assert "is removed" in outcome.results["change-1"]
    assert outcome.results["warning"] == (
        f"relation {relation.id} still asks for it: the next hook brings it back"
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


def test_adopted_entries_are_ours(lxd, juju, app, unit, admin):
    wanted, unwanted, renamed = identity("wanted"), identity("unwanted"), identity("renamed")
    lxd.trust(wanted, "wanted")
    lxd.trust(unwanted, "unwanted")
    lxd.trust(renamed, "somebody's")
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(wanted, renamed))
    outcome = unit.run_action("adopt-trusted-clients")
    assert outcome.status == "completed"
    assert wanted.fingerprint[:12] in outcome.results["change-1"]
    assert "change-2" not in outcome.results
    name = f"juju.{juju.model_uuid[:8]}.{app.name}.builder.{relation.number}"
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
    assert steps["1-name"] == f"{lxd.host} is {lxd.host}"
    assert steps["2-connection"] == "stands"
    assert lxd.fingerprint in steps["3-tls"]
    assert steps["4-trust"] == f"LXD {lxd.version} trusts our certificate"
    assert steps["5-permission"].startswith("the trust store, of 1 ")


def check_of(juju, cloud):
    outcome = juju.deploy(trust=True, cloud=cloud).units[0].run_action("check")
    assert outcome.status == "failed" and outcome.hook.exit_code == 0
    return outcome


def test_check_stops_at_the_name(juju, lxd, admin):
    cloud = lxd_cloud("https://nowhere.invalid:8443", admin, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert "not found" in steps["1-name"] or "nameserver" in steps["1-name"]
    assert "2-connection" not in steps


def test_check_stops_at_the_connection(juju, lxd, admin):
    cloud = lxd_cloud("https://127.0.0.1:1", admin, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert steps["2-connection"] == "connection refused" and "3-tls" not in steps


def test_check_stops_at_the_server_s_identity(juju, lxd, admin):
    cloud = lxd_cloud(lxd.url, admin, identity("other").certificate)
    outcome = check_of(juju, cloud)
    assert "expected" in outcome.results["server-1"]["3-tls"]
    assert "4-trust" not in outcome.results["server-1"]
    assert "expected" in outcome.message


def test_check_stops_at_trust(juju, lxd):
    steps = check_of(juju, lxd_cloud(lxd.url, identity(), lxd.certificate)).results["server-1"]
    assert "does not trust" in steps["4-trust"] and "5-permission" not in steps


def test_check_stops_at_permission(juju, lxd):
    restricted = identity("restricted")
    lxd.trust(restricted, "restricted", restricted=True, projects=["default"])
    cloud = lxd_cloud(lxd.url, restricted, lxd.certificate)
    steps = check_of(juju, cloud).results["server-1"]
    assert "may not manage the trust store" in steps["5-permission"]
