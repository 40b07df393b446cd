# SPDX-License-Identifier: Apache-2.0
"""Answers of any length, as the program takes them: what they cost, and what is said about those
that cost too much. The server is Python's, so that it may say what no LXD says."""

import json
import ssl
import subprocess

import pytest

from memory import Traced
from peers import Peer
from pki import identity

MIB = 1 << 20
TRUSTED = {
    "auth": "trusted",
    "environment": {"server_name": "node-1", "server_version": "5.0.2", "server_clustered": False},
}


def whole(metadata):
    body = json.dumps({"type": "sync", "status": "Success", "metadata": metadata}).encode()
    return [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]


def chunked(pieces):
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def zeros(before, size, behind):
    """The JSON text that costs most for its length, in chunks."""
    yield before
    for _ in range(size // (1 << 15)):
        yield b"0," * (1 << 14)
    yield b"0" + behind


class Server(Peer):
    """Gives one answer after the other, each a sequence of pieces."""

    def __init__(self, server, directory, answers):
        super().__init__()
        self._answers = answers
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*server.write(directory, "server"))

    def serve(self, client, received):
        with self._context.wrap_socket(client, server_side=True) as stream:
            for number, answer in enumerate(self._answers, 1):
                while received.count(b"\r\n\r\n") < number:  # requests may come together
                    received += stream.recv(65536)
                for piece in answer:
                    stream.sendall(piece)
            stream.recv(1)


@pytest.fixture
def probe(binary, tmp_path):
    """Run the probe of a server that answers so: its exit status, its output and its peak (KiB)."""

    def run(*answers):
        server, client = identity("server"), identity("client")
        with Server(server, tmp_path, answers) as peer:
            files = client.write(tmp_path, "client")
            expected, _ = server.write(tmp_path, "expected")
            options = ["--endpoint", peer.url, "--cert", files[0], "--key", files[1]]
            arguments = [str(part) for part in [*options, "--server-cert", expected]]
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            with Traced([str(binary), "probe", *arguments], **streams) as program:
                program.run_to_its_end()
                peak = program.peak_rss_kib()
                return *program.finish(), peak

    return run


def certificates(count):
    """A list as LXD has it, of so many entries, in pieces of about 64 KiB."""
    pem = identity("client").certificate
    entries = []
    yield b'{"type":"sync","status":"Success","status_code":200,"operation":"","metadata":['
    for number in range(count):
        entry = {
            "certificate": pem,
            "fingerprint": "%064x" % number,
            "name": f"juju.9f1c1ab0.lxd-integrator.builder.{number}",
            "projects": ["blue", "green"],
            "restricted": True,
            "type": "client",
        }
        entries.append(("," if number else "") + json.dumps(entry))
        if len(entries) == 64:
            yield "".join(entries).encode()
            entries.clear()
    yield "".join(entries).encode() + b'],"error_code":0,"error":""}\n'


def test_a_list_of_any_length_takes_the_same_memory(probe):
    peaks = {}
    for count in (10, 1000, 100_000):
        status, output, peaks[count] = probe(whole(TRUSTED), chunked(certificates(count)))
        assert status == 0 and f"{count} certificates" in output, output
    print("peak KiB by certificates:", peaks)
    assert peaks[100_000] <= peaks[10] + 256
    assert peaks[100_000] < 1536


@pytest.mark.parametrize(
    "before, size, behind, says, limit",
    [
        pytest.param(b'{"metadata":{"x":[', 16, b"]}}", "more than 1 MiB", 4, id="16 MiB"),
        pytest.param(b'{"metadata":{"x":[', 1, b"]}}", "more than 1 MiB", 4, id="1 MiB"),
        pytest.param(b'{"metadata":{"x":[', 0.9, b"]}}", "too many JSON values", 4, id="dense"),
    ],
)
def test_no_answer_costs_many_times_its_size(probe, before, size, behind, says, limit):
    status, output, peak = probe(chunked(zeros(before, int(size * MIB), behind)))
    print("peak KiB:", peak)
    assert status == 1 and says in output, output
    assert peak < limit * 1024


@pytest.mark.parametrize(
    "before, behind, says",
    [
        (b'{"metadata":[{"x":[', b"]}]}", "has an element of more than 1 MiB"),
        (b'{"x":[', b'],"metadata":[]}', "has more than 1 MiB around it"),
        (b'{"metadata":[', b"]}", "unexpected shape"),
    ],
)
def test_no_list_costs_many_times_its_size(probe, before, behind, says):
    status, output, peak = probe(whole(TRUSTED), chunked(zeros(before, 16 * MIB, behind)))
    print("peak KiB:", peak)
    assert status == 1 and says in output, output
    assert peak < 5 * 1024


def test_the_dearest_answer_that_is_read(probe):
    """As many values as are let through, of the dearest kind: an object's members that are short
    strings."""
    members = ",".join(f'"{number:x}":""' for number in range(4000 + MIB // 16))
    body = f'{{"metadata":{{"auth":"untrusted","x":{{{members}}}}}}}'.ljust(MIB).encode()
    answer = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body]
    status, output, peak = probe(answer)
    print("peak KiB:", peak)
    assert status == 1 and "does not trust the client certificate" in output, output
    assert peak < 14 * 1024
