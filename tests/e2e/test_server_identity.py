# SPDX-License-Identifier: Apache-2.0
"""The charm talks to the LXD that it was told to expect, and to nobody else."""

import ssl

import pytest

from expectations import active, published, served
from juju import lxd_cloud
from lxd import Lxd
from peers import ALERT, APPLICATION_DATA, HANDSHAKE, PlainPeer, Proxy, TlsPeer, tls_records
from pki import Identity, bundle, certify, generate, identity, key_pem

ENCRYPTED_ALERT = 2 + 1 + 16  # alert, content type, authentication tag (RFC 8446 5.2)
CHANGE_CIPHER_SPEC = 20


def deploy(juju, url, server_certificate):
    """A unit with credentials for whatever listens at the URL; it relates at once."""
    cloud = lxd_cloud(url, identity(), server_certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(identity()))
    assert published(relation) == {}
    return app.units[0]


def test_wrong_server_certificate_is_told_and_nothing_is_sent(lxd, juju, admin):
    expected = identity("another server")
    presented = Identity(lxd.certificate, "").fingerprint
    with Proxy(lxd.host, lxd.port) as proxy, lxd.recording() as requests:
        cloud = lxd_cloud(proxy.url, admin, expected.certificate)
        unit = juju.deploy(trust=True, cloud=cloud).units[0]
    assert unit.status == (
        "blocked",
        f"LXD at {proxy.url} presents certificate {presented[:12]}..., expected "
        f"{expected.fingerprint[:12]}...: update Juju's credential",
    )
    assert requests == []
    assert proxy.connections >= len(unit.hooks)
    for received in proxy.received:
        (hello, _), *rest = tls_records(received)
        assert hello == HANDSHAKE
        # Neither a certificate nor a request: nothing but the alert, which is encrypted.
        assert [record for record in rest if record[0] != CHANGE_CIPHER_SPEC] == [
            (APPLICATION_DATA, ENCRYPTED_ALERT)
        ]


def test_databag_stays_where_the_server_is_another_one(lxd, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.cloud["credential"]["attrs"]["server-cert"] = identity().certificate
    relation.publish("builder/0", client_certificates="[]")
    assert published(relation) == served(lxd, client)
    assert client.fingerprint in lxd.trust_store


@pytest.mark.parametrize("kind", ["P-256", "P-521", "RSA-2048", "RSA-4096"])
def test_servers_with_other_keys_than_lxd_makes(juju, kind):
    server, administrator = identity("server", kind), identity()
    with Lxd(server=server) as lxd:
        lxd.trust(administrator, "juju")
        cloud = lxd_cloud(lxd.url, administrator, server.certificate)
        assert juju.deploy(trust=True, cloud=cloud).units[0].status == active(lxd, 0)


def test_expired_but_pinned_server_certificate_is_accepted_with_a_warning(juju):
    server, administrator = identity("server", start=-10, end=-1), identity()
    with Lxd(server=server) as lxd:
        lxd.trust(administrator, "juju")
        cloud = lxd_cloud(lxd.url, administrator, server.certificate)
        unit = juju.deploy(trust=True, cloud=cloud).units[0]
        assert unit.status == active(lxd, 0)
        assert any("dates" in line for line in unit.hooks[-1].logged("WARNING"))


def test_server_certificate_by_the_expected_ca(juju):
    ca_key, server_key, administrator = generate("P-256"), generate("P-256"), identity()
    ca = certify(ca_key, "our CA", ca=True)
    other_ca = certify(generate("P-256"), "our CA", ca=True)
    server = Identity(certify(server_key, "server", issuer=(ca, ca_key)), key_pem(server_key))
    with Lxd(server=server) as lxd:
        lxd.trust(administrator, "juju")
        app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, administrator, ca))
        assert app.units[0].status == active(lxd, 0)
        app.cloud = lxd_cloud(lxd.url, administrator, other_ca)
        app.update_status()
        assert app.units[0].status[0] == "blocked"


def test_server_that_knows_only_tls_1_2(juju, tmp_path):
    server = identity("server")
    files = server.write(tmp_path, "server")
    with TlsPeer(*files, maximum_version=ssl.TLSVersion.TLSv1_2) as peer:
        unit = deploy(juju, peer.url, server.certificate)
    status, message = unit.status
    assert status in ("blocked", "waiting") and message.startswith(f"LXD at {peer.url} ")
    assert "TLS 1.2" in message
    assert not any(peer.received)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        bytes(range(256)) * 100,
        bytes([ALERT, 3, 3, 0, 2, 2, 40]),  # handshake_failure
    ],
    ids=["HTTP", "SSH", "nothing", "noise", "alert"],
)
def test_peer_that_does_not_speak_tls(juju, answer):
    with PlainPeer(answer) as peer:
        unit = deploy(juju, peer.url, identity().certificate)
    status, message = unit.status
    assert message.startswith(f"LXD at {peer.url} ")
    # What says nothing at all may be an LXD that starts, and anybody in between may send an alert.
    waits = not answer or answer[0] == ALERT
    assert status == ("waiting" if waits else "blocked")
    assert message.endswith(("; retrying", "...")) == waits  # it may be cut
    assert all(tls_records(received)[0][0] == HANDSHAKE for received in peer.received)
