# SPDX-License-Identifier: Apache-2.0
"""Each way in which a server cannot be talked to has a sentence of its own."""

import contextlib
import os
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest

from lxd import free_port
from peers import Peer, PlainPeer, TlsPeer
from pki import Identity, certify, generate, identity, key_pem

# The ServerHello of a server that has never heard of TLS 1.3.
TLS_1_2_HELLO = bytes.fromhex("160303002a" "02000026" "0303" + 32 * "42" + "00" "c02b" "00")

NOTHING_IN_COMMON = (
    "unreachable: refused with alert handshake_failure (40): "
    "it has no cipher suite, group or kind of key in common with us"
)
NO_LINGERING = struct.pack("ii", 1, 0)  # close() resets


class ResettingPeer(Peer):
    """Resets the connection when it has read the ClientHello."""

    def serve(self, client, received):
        received += client.recv(65536)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGERING)


class SilentPeer(Peer):
    """Takes what comes, and says nothing."""

    def serve(self, client, received):
        while data := client.recv(65536):
            received += data


class AbruptPeer(TlsPeer):
    """Ends the connection without close_notify, in the middle of an answer."""

    def serve(self, client, received):
        stream = self._context.wrap_socket(client, server_side=True)
        received += stream.recv(65536)
        stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")
        os.close(stream.detach())


class DistrustfulPeer(TlsPeer):
    """Takes only certificates by authorities that it knows, and it knows none of ours."""

    def __init__(self, certificate, key):
        super().__init__(certificate, key)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._context.load_verify_locations(cadata=identity("another").certificate)


@contextlib.contextmanager
def openssl(certificate, key, *options):
    """openssl s_server, which can be told to do without what others always have. Its URL."""
    with subprocess.Popen(
        [
            "openssl",
            "s_server",
            "-accept",
            "127.0.0.1:0",
            "-www",
            "-cert",
            certificate,
            "-key",
            key,
            *options,
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            found = next(filter(None, (re.match(r"ACCEPT (\S+)", line) for line in server.stdout)))
            yield f"https://{found[1]}"
        finally:
            server.kill()


@pytest.fixture
def files(tmp_path):
    """Write an identity; returns its files as strings."""

    def write(owner, name):
        return [str(path) for path in owner.write(tmp_path, name)]

    return write


@pytest.fixture
def complaint(command_line, files):
    """What probe says about a server, and it must fail: without "LXD at <URL> "."""

    def probe(url, expected):
        certificate, key = files(identity("client"), "client")
        server, _ = files(Identity(expected, ""), "expected")
        done = command_line(
            *(
                "probe",
                "--endpoint",
                url,
                "--cert",
                certificate,
                "--key",
                key,
                "--server-cert",
                server,
            )
        )
        assert done.returncode == 1
        head, subject, rest = done.stderr.rstrip("\n").partition(f"LXD at {url} ")
        assert head == "lxd-integrator: " and subject
        return rest

    return probe


SERVER = identity("server")


@pytest.mark.parametrize(
    "peer, sentence",
    [
        (lambda *_: PlainPeer(TLS_1_2_HELLO), "speaks only TLS 1.2 or older"),
        (
            lambda *_: PlainPeer(b"HTTP/1.0 400 Bad Request\r\n\r\n"),
            "answers in plain HTTP, not TLS",
        ),
        (lambda *_: PlainPeer(b"SSH-2.0-OpenSSH_9.2\r\n"), "does not speak TLS"),
        (lambda *_: PlainPeer(b""), "unreachable: closed the connection during the handshake"),
        (
            lambda *_: ResettingPeer(),
            "unreachable: broke the connection during the TLS handshake: Connection reset by peer",
        ),
        (
            lambda *_: SilentPeer(),
            "unreachable: timed out during the TLS handshake (is the ClientHello dropped?)",
        ),
        (DistrustfulPeer, "refuses our certificate (TLS alert unknown_ca)"),
        (
            AbruptPeer,
            "unreachable: closed the connection without close_notify: data may be missing",
        ),
        (
            lambda *files: TlsPeer(*files, answer=b"what?\r\n\r\n"),
            "answers with no valid HTTP status line",
        ),
    ],
    ids=[
        "chooses TLS 1.2",
        "plain HTTP",
        "SSH",
        "closes",
        "resets",
        "silent",
        "refuses our certificate",
        "truncates",
        "no HTTP",
    ],
)
def test_peer(complaint, files, peer, sentence):
    with peer(*files(SERVER, "server")) as listener:
        assert complaint(listener.url, SERVER.certificate) == sentence


@pytest.mark.parametrize(
    "options, sentence",
    [
        (
            ["-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256"],
            NOTHING_IN_COMMON,
        ),
        (["-groups", "P-521"], NOTHING_IN_COMMON),
        (["-tls1_2"], "refused with alert protocol_version (70): it speaks only TLS 1.2 or older"),
    ],
    ids=["no common cipher suite", "no common group", "refuses TLS 1.3"],
)
def test_nothing_in_common(complaint, files, options, sentence):
    with openssl(*files(SERVER, "server"), *options) as url:
        assert complaint(url, SERVER.certificate) == sentence


def test_server_with_a_key_that_is_not_supported(complaint, files):
    server = identity("server", "Ed25519")
    with openssl(*files(server, "server")) as url:
        assert complaint(url, server.certificate) == NOTHING_IN_COMMON


def test_another_server(complaint, files):
    expected = identity("expected")
    with TlsPeer(*files(SERVER, "server")) as peer:
        said = complaint(peer.url, expected.certificate)
    assert said == (
        f"presents certificate {SERVER.fingerprint[:12]}..., expected {expected.fingerprint[:12]}..."
    )


@pytest.mark.parametrize(
    "start, end, edge, reason", [(-10, -1, -1, "expired on"), (1, 10, 1, "not valid before")]
)
def test_certificate_of_a_ca_out_of_its_dates(complaint, files, start, end, edge, reason):
    ca_key, key = generate("P-256"), generate("P-256")
    ca = certify(ca_key, "our CA", ca=True)
    server = Identity(certify(key, "server", start, end, issuer=(ca, ca_key)), key_pem(key))
    with TlsPeer(*files(server, "server")) as peer:
        said = complaint(peer.url, ca)
    date = time.strftime("%Y-%m-%d", time.gmtime(time.time() + edge * 86400))
    assert said == (
        f"presents certificate {server.fingerprint[:12]}..., {reason} {date}, "
        f"expected {Identity(ca, '').fingerprint[:12]}... or one that it issued"
    )


def test_nobody_there(complaint):
    url = f"https://127.0.0.1:{free_port()}"
    assert complaint(url, SERVER.certificate) == "unreachable: connection refused"
    said = complaint("https://nowhere.invalid:8443", SERVER.certificate)
    assert re.match('unreachable: (name "nowhere.invalid" not found|(no )?nameserver)', said)


def test_no_trust(complaint, lxd):
    said = complaint(lxd.url, lxd.certificate)
    assert re.fullmatch(
        r'does not trust the client certificate [0-9a-f]{12}\.\.\.: run "lxc config trust add FILE"',
        said,
    )
