# SPDX-License-Identifier: Apache-2.0
"""Credentials from a user's secret."""

import pytest

from expectations import active, cut, published, served
from hook_commands import Reply
from juju import Juju
from pki import bundle, identity
from test_credentials import options


def content(lxd, credential, **changes):
    """What the secret has to hold."""
    return {
        "endpoint": lxd.url,
        "client_cert": credential.certificate,
        "client_key": credential.key,
        "server_cert": lxd.certificate,
        **changes,
    }


@pytest.fixture
def secret(lxd, juju, admin):
    return juju.add_secret(**content(lxd, admin))


@pytest.fixture
def app(juju, secret):
    """The charm, deployed with a secret that it may read."""
    application = juju.deploy()
    secret.grant(application)
    application.configure(lxd_credentials=secret.uri)
    return application


def test_secret_serves(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert app.units[0].status == active(lxd, 1)
    assert published(relation) == served(lxd, client)
    assert app.units[0].run_action("show").results["credentials"]["source"] == "lxd_credentials"


REFUSALS = [
    "permission denied",  # Juju 3
    '"gate/0" is not allowed to read this secret',  # Juju 4
    "words that no Juju has yet",
]


@pytest.mark.parametrize("words", REFUSALS)
def test_secret_that_is_not_granted_names_the_command(lxd, juju, secret, words):
    app = juju.deploy("gate")
    app.faults["secret-get"] = Reply(1, stderr=f"ERROR {words}\n".encode())
    app.configure(lxd_credentials=secret.uri)
    unit = app.units[0]
    assert unit.status[0] == "blocked"
    command = f"juju grant-secret {secret.id} gate"
    sentence = f'lxd_credentials: {words}: to grant it run "{command}"'
    assert unit.status[1] == cut(sentence)  # the log has all of it
    assert sentence in [line for hook in unit.hooks for line in hook.logged("ERROR")]
    assert all(hook.exit_code == 0 for hook in unit.hooks)
    app.faults.clear()
    secret.grant(app)
    app.update_status()
    assert unit.status == active(lxd, 0)


def test_malformed_uri(juju):
    """Juju has its own idea of what is well-formed."""
    app = juju.deploy()
    app.faults["secret-get"] = Reply(1, stderr=b'ERROR secret URI "secret:a" not valid\n')
    app.configure(lxd_credentials="secret:a")
    unit = app.units[0]
    assert unit.status[0] == "blocked"
    assert unit.status[1].startswith('lxd_credentials: secret URI "secret:a" not valid')
    assert all(hook.exit_code == 0 for hook in unit.hooks)


def test_refused_secret_leaves_no_room_for_other_credentials(lxd, juju, cloud, secret):
    app = juju.deploy(trust=True, cloud=cloud, config={"lxd_credentials": secret.uri})
    assert app.units[0].status[0] == "blocked"
    assert app.units[0].status[1].startswith("lxd_credentials: ")


def test_blanks_around_the_uri(lxd, juju, secret):
    app = juju.deploy()
    secret.grant(app)
    app.configure(lxd_credentials=f" {secret.uri}\n")
    assert app.units[0].status == active(lxd, 0)


def test_values_split_between_secret_and_options(lxd, juju, admin):
    """What is no secret may stand in the options."""
    secret = juju.add_secret(client_cert=admin.certificate, client_key=admin.key)
    app = juju.deploy()
    secret.grant(app)
    app.configure(
        lxd_credentials=secret.uri, lxd_endpoint=lxd.url, lxd_server_cert=lxd.fingerprint
    )
    assert app.units[0].status == active(lxd, 0)
    app.configure(lxd_endpoint=None)
    assert app.units[0].status == ("blocked", "lxd_credentials: endpoint: missing")


def test_trust_token_in_the_secret(lxd, juju):
    token = lxd.print_token("token")
    secret = juju.add_secret(trust_token=token)
    app = juju.deploy()
    secret.grant(app)
    app.configure(lxd_credentials=secret.uri)
    unit = app.units[0]
    assert unit.status == active(lxd, 0)
    info = unit.run_action("show").results
    assert info["credentials"]["source"] == "lxd_credentials"
    assert set(lxd.trust_store) == {info["credentials"]["fingerprint"]}


def test_changed_secret_is_followed(lxd, app, unit, admin, secret):
    successor = identity("successor")
    lxd.trust(successor, "successor")
    lxd.distrust(admin.fingerprint)
    (hook,) = secret.update(**content(lxd, successor))
    assert hook.name == "secret-changed"
    assert unit.status == active(lxd, 0)


def test_newest_revision_is_read_in_every_hook(lxd, app, unit, admin, secret, juju):
    successor = identity("successor")
    lxd.trust(successor, "successor")
    juju.asleep = True
    secret.update(**content(lxd, successor))
    juju.asleep = False
    unit.pending.clear()
    app.update_status()
    info = unit.run_action("show")
    assert info.results["credentials"]["fingerprint"] == successor.fingerprint


def test_secret_comes_before_other_credentials(lxd, juju, cloud, secret):
    other = identity("other")
    lxd.trust(other, "other")
    app = juju.deploy(trust=True, cloud=cloud, config=options(lxd, other))
    secret.grant(app)
    app.configure(lxd_credentials=secret.uri)
    assert app.units[0].run_action("show").results["credentials"]["source"] == "lxd_credentials"


@pytest.mark.parametrize("key", ["endpoint", "client-cert", "client-key", "server-cert"])
def test_missing_key_is_named(lxd, juju, admin, key):
    values = content(lxd, admin)
    del values[key.replace("-", "_")]
    secret = juju.add_secret(**values)
    app = juju.deploy()
    secret.grant(app)
    app.configure(lxd_credentials=secret.uri)
    assert app.units[0].status == ("blocked", f"lxd_credentials: {key}: missing")


def test_secret_that_is_not_there(juju):
    unit = juju.deploy(config={"lxd_credentials": "secret:" + "0" * 20}).units[0]
    status, message = unit.status
    assert status == "blocked" and message.startswith("lxd_credentials: ")
    assert "not found" in message


def test_key_in_the_place_of_the_secret_is_not_shown(juju, admin):
    unit = juju.deploy(config={"lxd_credentials": admin.key}).units[0]
    assert unit.status == ("blocked", "lxd_credentials: not a secret's URI (secret:...)")


def test_juju_without_secrets(charm):
    with Juju(charm, version="2.9") as juju:
        unit = juju.deploy(config={"lxd_credentials": "secret:" + "0" * 20}).units[0]
        status, message = unit.status
        assert status == "blocked" and "Juju 3.3" in message
