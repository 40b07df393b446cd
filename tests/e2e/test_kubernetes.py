# SPDX-License-Identifier: Apache-2.0
"""The charm in a model on Kubernetes, where its units are pods."""

import pytest

import agent
from agent import Event
from expectations import active, cut, published, served
from hook_commands import Reply
from juju import Juju, kubernetes_cloud
from pki import bundle, identity
from test_credentials import options

MISSING = "set lxd_endpoint, lxd_client_cert, lxd_client_key, lxd_server_cert"


@pytest.fixture(params=["2.9", "3.6", "4.0"])
def juju(request, charm, transport):
    with Juju(charm, request.param, transport, kubernetes=True) as controller:
        yield controller


@pytest.fixture
def app(juju, lxd, admin):
    """The charm, with a secret where Juju has those of users, or else with the four options."""
    if juju.version == "2.9":
        return juju.deploy(config=options(lxd, admin))
    secret = juju.add_secret(
        endpoint=lxd.url,
        client_cert=admin.certificate,
        client_key=admin.key,
        server_cert=lxd.certificate,
    )
    app = juju.deploy(config={"lxd_credentials": secret.uri})
    secret.grant(app)
    app.update_status()
    return app


def test_environment_is_a_pod_s(unit):
    environment = agent.hook_environment(unit, Event("start"))
    assert environment["JUJU_MACHINE_ID"] == "" and "HOME" not in environment
    assert environment["KUBERNETES_SERVICE_HOST"]


@pytest.mark.parametrize("trust", [False, True])
def test_trust_gives_nothing(juju, trust):
    """Before 3.6 Juju refuses; then it hands out a credential for Kubernetes."""
    app = juju.deploy(trust=trust, cloud=kubernetes_cloud())
    (unit,) = app.units
    known = trust and juju.version != "2.9"
    told = 'the cloud is of type "kubernetes", not "lxd": ' if known else ""
    assert unit.status == ("blocked", cut(f"missing credentials: {told}{MISSING}"))
    assert all(hook.exit_code == 0 for hook in unit.hooks)
    assert [line for hook in unit.hooks for line in hook.logged("ERROR")] == []


def test_trust_for_kubernetes_is_in_nobody_s_way(lxd, juju, admin):
    app = juju.deploy(trust=True, cloud=kubernetes_cloud(), config=options(lxd, admin))
    assert app.units[0].status == active(lxd, 0)


def test_main_job(lxd, app, unit):
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert unit.status == active(lxd, 1)
    assert published(relation) == served(lxd, client)
    assert lxd.auth(client) == "trusted"
    relation.publish("builder/0", client_certificates="[]")
    assert lxd.auth(client) != "trusted"
    assert published(relation) == served(lxd)


def test_application_that_goes_leaves_nothing(lxd, app, admin):
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(identity()))
    app.remove()
    assert set(lxd.trust_store) == {admin.fingerprint}


@pytest.mark.parametrize("units", [1, 2])
@pytest.mark.parametrize("goal_state", ["answers", "fails"])
def test_pod_that_is_moved_keeps_all(lxd, app, unit, units, goal_state):
    """stop fires for it too."""
    for _ in range(units - 1):
        app.add_unit()
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    if goal_state == "fails":
        app.faults["goal-state"] = Reply(1, stderr=b"ERROR lost the controller\n")
    with lxd.recording() as requests:
        hooks = unit.move_pod()
    assert [hook.name for hook in hooks][:4] == ["stop", "upgrade-charm", "config-changed", "start"]
    assert {request.method for request in requests} == {"GET"}
    assert unit.status == active(lxd, 1)
    assert lxd.auth(client) == "trusted"
    assert published(relation, unit) == served(lxd, client)
    app.faults.clear()
    relation.remove()
    assert client.fingerprint not in lxd.trust_store


def test_enrolled_key_and_a_pod_that_is_moved(lxd, juju):
    """The key is in Juju's secret; Juju 2.9 has none, and the file went with the pod."""
    app = juju.deploy(config={"lxd_trust_token": lxd.new_token("token")})
    (unit,) = app.units
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    unit.move_pod()
    if juju.version == "2.9":
        assert unit.status[0] == "blocked" and "the token is used up" in unit.status[1]
        app.configure(lxd_trust_token=lxd.new_token("another"))
    assert unit.status == active(lxd, 1)
    assert published(relation) == served(lxd, client)
    assert lxd.auth(client) == "trusted"
