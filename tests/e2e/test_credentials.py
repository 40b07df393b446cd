# SPDX-License-Identifier: Apache-2.0
"""Where the charm's credentials come from, and what it says of those that are no good."""

import datetime
import time

import pytest

from expectations import active, published, served
from hook_commands import Reply
from juju import lxd_cloud
from pki import (
    Identity,
    bundle,
    identity,
    rewrite_key,
    shared_identity,
    with_ec_parameters,
)

OPTIONS = ("lxd_endpoint", "lxd_client_cert", "lxd_client_key", "lxd_server_cert")


def options(lxd, credential, endpoint=None):
    """The four configuration options."""
    values = (endpoint or lxd.url, credential.certificate, credential.key, lxd.certificate)
    return dict(zip(OPTIONS, values))


def crlf(text):
    return text.replace("\n", "\r\n")


def test_application_that_is_not_trusted_is_blocked(juju, cloud):
    unit = juju.deploy("gate", cloud=cloud).units[0]
    assert unit.status == (
        "blocked",
        'missing credentials: run "juju trust gate", or set '
        "lxd_endpoint, lxd_client_cert, lxd_client_key, lxd_server_cert",
    )
    assert all(hook.exit_code == 0 for hook in unit.hooks)
    # The normal beginning of a deployment.
    assert [line for hook in unit.hooks for line in hook.logged("ERROR")] == []


def test_cloud_that_juju_does_not_tell_is_waited_for(lxd, juju, cloud, admin):
    """It may be an LXD's: nothing else is tried."""
    app = juju.deploy(trust=True, cloud=cloud)
    app.faults["credential-get"] = Reply(1, stderr=b"ERROR connection is shut down\n")
    app.configure(**options(lxd, admin))
    unit = app.units[0]
    status, message = unit.status
    assert status == "waiting"
    assert message.startswith("credential-get: connection is shut down")
    app.faults.clear()
    app.update_status()
    assert unit.status == active(lxd, 0)


def test_own_certificate_that_has_expired_is_named_as_such(lxd, juju):
    """What mends an entry that lacks would not help."""
    seconds = 15
    ends = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    credential = identity("brief", end=seconds / 86400)
    lxd.trust(credential, "brief")
    app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, credential, lxd.certificate))
    left = ends - datetime.datetime.now(datetime.timezone.utc)
    time.sleep(max(0, left.total_seconds()) + 2)
    (hook,) = app.update_status()
    status, message = app.units[0].status
    assert status == "blocked" and f"expired on {ends:%Y-%m-%d}" in message
    (line,) = hook.logged("ERROR")
    assert "credential-get" in line and "trust add" not in line


def test_trust_given_and_taken(lxd, juju, cloud):
    app = juju.deploy(cloud=cloud)
    app.trust()
    assert app.units[0].status == active(lxd, 0)
    app.trust(False)
    assert app.units[0].status[0] == "blocked"


def test_databag_stays_where_trust_is_taken(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.trust(False)
    assert published(relation) == served(lxd, client)
    assert client.fingerprint in lxd.trust_store


def test_lxd_s_version_is_the_application_s(lxd, app):
    assert app.version == lxd.version


def test_credentials_from_configuration(lxd, juju, admin):
    app = juju.deploy()
    app.configure(**options(lxd, admin))
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert app.units[0].status == active(lxd, 1)
    assert published(relation) == served(lxd, client)


@pytest.mark.parametrize("form", ["https://{}", "{}", "http://{}", "https://{}/", " {}\n"])
def test_endpoint_is_published_complete(lxd, juju, admin, form):
    app = juju.deploy(config=options(lxd, admin, form.format(lxd.address)))
    relation = app.relate("builder")
    assert published(relation) == served(lxd)


@pytest.mark.parametrize("endpoint", ["unix:///var/lib/lxd", "ftp://10.0.0.1", "10.0.0.1:99999"])
def test_endpoint_of_no_use_is_named(lxd, juju, admin, endpoint):
    app = juju.deploy(config=options(lxd, admin, endpoint))
    status, message = app.units[0].status
    assert status == "blocked" and message.startswith("lxd_endpoint") and endpoint in message


@pytest.mark.parametrize("given", [OPTIONS[:1], OPTIONS[:3], OPTIONS[1:], OPTIONS[2:3]])
def test_partial_configuration_is_told_what_is_missing(lxd, juju, admin, given):
    complete = options(lxd, admin)
    app = juju.deploy(config={name: complete[name] for name in given})
    status, message = app.units[0].status
    assert status == "blocked" and message.startswith("missing credentials: ")
    assert {name for name in OPTIONS if name in message} == set(OPTIONS) - set(given)


def test_configuration_wins_over_a_cloud_that_is_no_lxd(lxd, juju, admin):
    cloud = lxd_cloud("https://10.0.0.1", identity(), lxd.certificate, cloud_type="openstack")
    app = juju.deploy(trust=True, cloud=cloud)
    status, message = app.units[0].status
    assert status == "blocked" and message.startswith("missing credentials: ")
    assert "openstack" in message
    app.configure(**options(lxd, admin))
    assert app.units[0].status == active(lxd, 0)


def test_credential_is_read_afresh(lxd, app, unit, admin):
    successor = identity("successor")
    lxd.trust(successor, "successor")
    lxd.distrust(admin.fingerprint)
    app.update_status()
    assert unit.status[0] == "blocked"
    app.cloud = lxd_cloud(lxd.url, successor, lxd.certificate)
    app.update_status()
    assert unit.status == active(lxd, 0)


KEY_FORMS = {
    "PKCS#8": lambda credential: rewrite_key(credential, "PKCS#8"),
    "traditional": lambda credential: rewrite_key(credential, "traditional"),
    "CRLF": lambda credential: Identity(crlf(credential.certificate), crlf(credential.key)),
    "text before": lambda credential: Identity(
        f"subject=CN = me\n{credential.certificate}", f"Key Attributes: none\n{credential.key}"
    ),
    "no final newline": lambda credential: Identity(
        credential.certificate.rstrip(), credential.key.rstrip()
    ),
    "trailing blanks": lambda credential: Identity(
        credential.certificate.replace("\n", " \n") + "\n\t ",
        credential.key.replace("\n", " \n") + "\n\t ",
    ),
}


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-2048", "RSA-4096"])
def test_every_kind_and_form_of_key_logs_in(lxd, juju, kind):
    credential = shared_identity(kind)
    lxd.trust(credential, "credential")
    forms = {name: convert(credential) for name, convert in KEY_FORMS.items()}
    if kind.startswith("P-"):
        forms["EC PARAMETERS"] = with_ec_parameters(credential, kind)
    app = juju.deploy()
    seen = {}
    for name, form in forms.items():
        app.configure(**options(lxd, form))
        seen[name] = app.units[0].status
    assert seen == dict.fromkeys(forms, active(lxd, 0))


def encrypted(credential):
    return credential.key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")


@pytest.mark.parametrize(
    ("option", "spoil", "why"),
    [
        ("lxd_client_cert", lambda c: Identity("junk", c.key), "PEM"),
        ("lxd_client_cert", lambda c: Identity(c.key, c.key), "private key"),
        ("lxd_client_key", lambda c: Identity(c.certificate, "junk"), "private key"),
        ("lxd_client_key", lambda c: Identity(c.certificate, c.certificate), "private key"),
        ("lxd_client_key", lambda c: Identity(c.certificate, encrypted(c)), "encrypted"),
        ("lxd_client_key", lambda c: Identity(c.certificate, identity().key), "does not belong"),
        ("lxd_client_key", lambda _: identity("ed25519", "Ed25519"), "Ed25519"),
    ],
)
def test_unusable_credential_is_told_before_anything_is_sent(
    lxd, juju, admin, option, spoil, why
):
    with lxd.recording() as requests:
        app = juju.deploy(config=options(lxd, spoil(admin)))
    status, message = app.units[0].status
    assert status == "blocked" and message.startswith(option) and why in message
    assert requests == []


def test_unusable_server_certificate(lxd, juju, admin):
    app = juju.deploy(config={**options(lxd, admin), "lxd_server_cert": "junk"})
    status, message = app.units[0].status
    assert status == "blocked" and message.startswith("lxd_server_cert")


def test_unusable_credential_of_the_cloud(lxd, juju, admin):
    cloud = lxd_cloud(lxd.url, Identity(admin.certificate, identity().key), lxd.certificate)
    unit = juju.deploy(trust=True, cloud=cloud).units[0]
    assert unit.status[0] == "blocked" and "client-key" in unit.status[1]


def test_credential_that_lxd_does_not_trust(lxd, juju):
    stranger = identity("stranger")
    cloud = lxd_cloud(lxd.url, stranger, lxd.certificate)
    unit = juju.deploy(trust=True, cloud=cloud).units[0]
    assert unit.status == (
        "blocked",
        f"LXD at {lxd.url} does not trust the client certificate {stranger.fingerprint[:12]}...: "
        'run "lxc config trust add FILE"',
    )


def test_restricted_credential(lxd, juju):
    restricted = identity("restricted")
    lxd.trust(restricted, "restricted", restricted=True, projects=["default"])
    cloud = lxd_cloud(lxd.url, restricted, lxd.certificate)
    unit = juju.deploy(trust=True, cloud=cloud).units[0]
    status, message = unit.status
    assert status == "blocked" and "restricts the client certificate" in message
    assert restricted.fingerprint[:12] in message and lxd.url in message


def test_leftovers_of_the_python_charm_are_deleted(lxd, app, unit):
    leftovers = [".unit-state.db", "client.key", "client.crt", "server.crt"]
    for name in leftovers:
        (unit.charm_directory / name).write_text("secret")
    kept = {path.name for path in unit.charm_directory.iterdir()} - set(leftovers)
    upgraded, configured = app.upgrade()
    assert {path.name for path in unit.charm_directory.iterdir()} == kept
    (line,) = upgraded.logged("INFO")
    assert all(name in line for name in leftovers)
    assert configured.logged("INFO") == []
    assert unit.status == active(lxd, 0)
