# SPDX-License-Identifier: Apache-2.0
"""The least that LXD lets us have: a fine-grained identity, whose group has five entitlements."""

import pytest

from expectations import active, published, rejections
from identities import ENTITLEMENTS, Identities
from pki import bundle, identity

ENROL = "/1.0/auth/identities/tls"


@pytest.fixture
def transport():
    """One way to Juju will do: LXD is what these tests are about."""
    return "agent"


@pytest.fixture
def model(lxd):
    with Identities(lxd) as running:
        yield running


@pytest.fixture
def app(juju, model):
    return juju.deploy(config={"lxd_trust_token": model.token("juju-integrator")})


def lacking(*entitlements):
    return [each for each in ENTITLEMENTS if each not in entitlements]


def changes(model):
    return [request[:2] for request in model.asked if request[0] != "GET"]


def test_token_enrols_and_serves(lxd, model, app, unit, relation):
    assert unit.status == active(lxd, 0)
    assert changes(model) == [("POST", ENROL)]
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert list(lxd.trust_store) == [client.fingerprint]  # ours stands in no list
    assert unit.status == active(lxd, 1)
    assert published(relation)["registered_certificates"] == [client.certificate]
    relation.publish("builder/0", client_certificates="[]")
    assert lxd.trust_store == {}
    assert {status for *_, status in model.asked} == {"200", "201"}


@pytest.mark.usefixtures("projects")
def test_certificates_are_narrowed_and_missing_projects_told(lxd, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    relation.publish("builder/0", projects="blue,gren")
    entry = lxd.trust_store[client.fingerprint]
    assert (entry["restricted"], entry["projects"]) == (True, ["blue"])
    assert 'project "gren" does not exist' in unit.status[1]


@pytest.mark.parametrize("missing", ["create", "edit", "delete"])
def test_missing_entitlement_is_named(lxd, model, app, unit, relation, missing):
    name = f"can_{missing}_identities"
    model.allow(*lacking(name))
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert unit.status[0] == "blocked" and f"lacks {name}: run" in unit.status[1]
    assert lxd.trust_store == {}
    check = unit.run_action("check")
    assert check.status == "failed"
    sentence = check.results["server-1"]["4-permission"]
    assert f"lacks {name}: run" in sentence and "lxc auth group permission add" in sentence
    model.allow(*ENTITLEMENTS)
    app.update_status()
    assert list(lxd.trust_store) == [client.fingerprint]
    assert unit.status == active(lxd, 1)


def test_all_that_is_missing_is_named(model, app, unit):
    model.allow()
    sentence = unit.run_action("check").results["server-1"]["4-permission"]
    assert all(name in sentence for name in ENTITLEMENTS[:4])


def test_who_edits_or_deletes_sees(lxd, model, app, unit, relation):
    model.allow(*lacking("can_view_identities"))
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert unit.status == active(lxd, 1)
    model.allow(*lacking("can_view_identities", "can_edit_identities"))
    app.update_status()
    assert "lacks can_edit_identities: run" in unit.status[1]


@pytest.mark.usefixtures("projects")
def test_without_seeing_projects_lxd_s_refusal_decides(lxd, model, app, unit, relation):
    model.allow(*lacking("can_view_projects"))
    good, bad = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(good), projects="blue")
    relation.join("builder/1", client_certificates=bundle(bad), projects="gren")
    assert list(lxd.trust_store) == [good.fingerprint]
    assert "Project not found" in rejections(relation)[bad.fingerprint]
    check = unit.run_action("check")
    assert check.status == "completed"
    assert "lacks can_view_projects" in check.results["server-1"]["4-permission"]


def test_token_is_good_for_one_application(juju, model):
    token = model.token("juju-integrator")
    first, second = (juju.deploy(name, config={"lxd_trust_token": token}) for name in ("a", "b"))
    assert first.units[0].status[0] == "active"
    status = second.units[0].status
    assert status[0] == "blocked"
    assert "lxd_trust_token: the token is used up" in status[1]
    assert "lxc auth identity create tls/juju-" in status[1]


def test_identity_that_is_deleted(juju, model, app, unit):
    model.forget()
    app.update_status()
    assert unit.status[0] == "blocked"
    sentence = unit.run_action("check").results["server-1"]["3-trust"]
    command = f"lxc auth identity create tls/juju-{juju.model_uuid[:8]}-{app.name} --group GROUP"
    assert sentence.endswith(f': set lxd_trust_token to what "{command}" prints')


def test_token_in_a_secret(lxd, juju, model):
    secret = juju.add_secret(trust_token=model.token("juju-integrator"))
    app = juju.deploy()
    secret.grant(app)
    app.configure(lxd_credentials=secret.uri)
    assert app.units[0].status == active(lxd, 0)
    assert app.units[0].run_action("show").results["credentials"]["source"] == "lxd_credentials"


def test_probe_of_a_token_does_not_use_it(lxd, model, command_line):
    token = model.token("juju-integrator")
    done = command_line("probe", "--token", "-", stdin=token)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"juju-integrator", of "lxc auth identity create"' in done.stdout
    assert model.url in done.stdout and lxd.fingerprint in done.stdout
    assert model.asked == [("GET", "/1.0", "200")]
