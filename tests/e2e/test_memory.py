# SPDX-License-Identifier: Apache-2.0
"""Secrets are wiped: none is in the process's memory when it ends."""

import base64
import hashlib
import hmac
import json
import socket
import ssl
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

import memory
from memory import Traced, traces
from peers import Peer
from pki import identity

# LXD's configuration is in its answer, with the secrets in it.
CONFIGURED = "".join(chr(33 + 7 * number % 57) for number in range(200)).replace("\\", "x")
METADATA = {"auth": "untrusted", "config": {"loki.auth.password": CONFIGURED, "x": [CONFIGURED]}}
BODY = json.dumps({"type": "sync", "metadata": METADATA}).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Server(Peer):
    """A TLS server that asks for a certificate and notes the traffic secrets. It answers in two
    halves; between them it waits until it is released."""

    def __init__(self, server, client, directory):
        super().__init__()
        self.asked, self.released = threading.Event(), threading.Event()
        self._log = directory / "secrets"
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*server.write(directory, "server"))
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.load_verify_locations(cadata=client.certificate)
        self._context.keylog_filename = str(self._log)

    def serve(self, client, received):
        with self._context.wrap_socket(client, server_side=True) as stream:
            received += stream.recv(65536)
            assert stream.getpeercert()
            stream.sendall(ANSWER[:20])
            self.asked.set()
            self.released.wait(timeout=10)
            stream.sendall(ANSWER[20:])
            stream.recv(1)

    @property
    def traffic_secrets(self):
        """Traffic secrets (RFC 8446 7.1) by name, and what is computed from them."""
        secrets = {}
        for line in self._log.read_text().splitlines():
            name, _, secret = line.partition(" ")[0], *line.rpartition(" ")[1:]
            if "TRAFFIC_SECRET" in name:
                secret = bytes.fromhex(secret)
                secrets[name] = secret
                secrets[f"key of {name}"] = expand_label(
                    secret, "key", 16 if len(secret) == 32 else 32
                )
                secrets[f"finished key of {name}"] = expand_label(secret, "finished", len(secret))
                # HMAC's way of using a key (RFC 2104 2)
                secrets[f"inner pad of {name}"] = bytes(byte ^ 0x36 for byte in secret)
                secrets[f"outer pad of {name}"] = bytes(byte ^ 0x5C for byte in secret)
        return secrets


def expand_label(secret, label, length):
    """HKDF-Expand-Label with an empty context; one block is enough."""
    label = b"tls13 " + label.encode()
    info = struct.pack("!HB", length, len(label)) + label + b"\0\x01"
    return hmac.new(secret, info, hashlib.sha256 if len(secret) == 32 else hashlib.sha384).digest()[
        :length
    ]


def forms(number):
    """How a number may lie in memory: as bytes, and as BearSSL computes with it, 31 bits a word."""
    words = [number >> shift & 0x7FFFFFFF for shift in range(0, number.bit_length(), 31)]
    return {
        "": number.to_bytes((number.bit_length() + 7) // 8, "big"),
        " in words": struct.pack(f"<{len(words)}I", *words),
    }


def key_secrets(owner):
    """All that is secret about a private key."""
    numbers = serialization.load_pem_private_key(owner.key.encode(), None).private_numbers()
    if hasattr(numbers, "private_value"):
        numbers = {"scalar": numbers.private_value}
    else:
        numbers = {name: getattr(numbers, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    secrets = {
        name + form: data for name, value in numbers.items() for form, data in forms(value).items()
    }
    # The first 48 characters say what kind of key it is, as the certificate does; an elliptic
    # curve's point, at the end, is in the certificate too.
    text = "".join(owner.key_lines)
    secrets["PEM"] = text[48 : public_from(owner, text)].encode()
    return secrets


def public_from(owner, text):
    """Where the public key begins in the base64 of a key, which may as well be the certificate's."""
    public = serialization.load_pem_private_key(owner.key.encode(), None).public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return len(text)
    form = serialization.PublicFormat.UncompressedPoint
    point = public.public_bytes(serialization.Encoding.X962, form)
    place = base64.b64decode(text).find(point)
    return place * 4 // 3 if place >= 0 else len(text)


@pytest.fixture(params=["P-256", "P-384", "P-521", "RSA-2048"])
def client(request):
    return identity("client", request.param)


@pytest.fixture
def probe(binary, client, tmp_path):
    """The probe of a server, under the eyes of the test."""

    def start(url, server):
        files = client.write(tmp_path, "client")
        expected, _ = server.write(tmp_path, "expected")
        options = {
            "--endpoint": url,
            "--cert": files[0],
            "--key": files[1],
            "--server-cert": expected,
        }
        arguments = [str(part) for option in options.items() for part in option]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return Traced([str(binary), "probe", *arguments], **streams)

    return start


def test_no_secret_is_left_at_the_end(probe, client, tmp_path):
    server = identity("server")
    with Server(server, client, tmp_path) as peer, probe(peer.url, server) as program:
        assert peer.asked.wait(timeout=10)
        program.pause()
        during = program.read_memory()
        program.resume()
        peer.released.set()
        program.run_to_its_end()
        at_end = program.read_memory()
        status, output = program.finish()
    assert status == 1 and "does not trust the client certificate" in output

    secrets = {**key_secrets(client), **peer.traffic_secrets, "answer": CONFIGURED.encode()}
    # While it talks it cannot but hold these; so what is not found at the end is not there.
    held = traces(during, secrets)
    assert held & {"scalar", "p"} and "SERVER_TRAFFIC_SECRET_0" in held
    assert traces(at_end, secrets) == set()


def test_no_secret_is_left_after_a_failure(probe, client):
    """The server is silent, then gone, before anything was agreed upon."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = "https://127.0.0.1:%d" % listener.getsockname()[1]
        with probe(url, identity("server")) as program:
            connection, _ = listener.accept()
            connection.recv(65536)
            program.pause()
            during = program.read_memory()
            program.resume()
            connection.close()
            program.run_to_its_end()
            at_end = program.read_memory()
            status, _ = program.finish()
    assert status == 1
    secrets = key_secrets(client)
    assert traces(during, secrets) & {"scalar", "p"}
    assert traces(at_end, secrets) == set()


@pytest.mark.parametrize("source", ["credential", "configuration"])
def test_no_secret_is_left_by_a_hook(juju, lxd, admin, cloud, source, tmp_path):
    config = {
        "lxd_endpoint": lxd.url,
        "lxd_client_cert": admin.certificate,
        "lxd_client_key": admin.key,
        "lxd_server_cert": lxd.certificate,
    }
    if source == "credential":
        app = juju.deploy(trust=True, cloud=cloud)
    else:
        app = juju.deploy(config=config)
    unit = app.units[0]
    report = tmp_path / "report"
    unit.wrapper = [sys.executable, str(Path(memory.__file__)), str(report)]
    # What is no secret, and shows that the search finds.
    sought = {**key_secrets(admin), "environment": b"JUJU_CONTEXT_ID="}
    report.write_text(json.dumps({name: data.hex() for name, data in sought.items()}))
    app.update_status()
    assert unit.status[0] == "active"
    assert json.loads(report.read_text()) == ["environment"]
