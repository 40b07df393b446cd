# SPDX-License-Identifier: Apache-2.0
"""Names, as machines have them: what the charm makes of their files and name servers, on a real LXD."""

import contextlib
import os
import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from expectations import active
from juju import lxd_cloud
from pki import identity
from servers import A, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, TRUNCATED, read_question

HOSTS_OF_SEVERAL = "203.0.113.1 lxd.lan\n192.0.2.1 lxd.lan\n127.0.0.1 lxd.lan\nfd00::1 lxd.lan\n"
WELL = "nodes:       one, standalone"


class Server:
    """A name server that answers as `answer` has it: (name, type, tcp) -> (code, addresses), or None
    for silence. Use as a context manager."""

    def __init__(self, answer, address="127.0.0.1"):
        self.answer, self.asked = answer, []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        where = socket.getaddrinfo(address, 53, family, socket.SOCK_DGRAM)[0][4]
        self._udp = socket.socket(family, socket.SOCK_DGRAM)
        self._udp.bind(where)
        self._tcp = socket.socket(family)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._tcp.bind(where)
        self._tcp.listen()

    def __enter__(self):
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        for listener in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _compose(self, query, tcp):
        name, kind, end = read_question(query)
        self.asked.append((name, kind, tcp))
        said = self.answer(name, kind, tcp)
        if said is None:
            return None
        code, addresses = said
        records = b""
        for address in addresses:
            data = socket.inet_pton(socket.AF_INET if kind == A else socket.AF_INET6, address)
            records += struct.pack("!HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
        head = struct.pack("!5H", 0x8180 | code, 1, len(addresses), 0, 0)
        return query[:2] + head + query[12:end] + records

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                query, sender = self._udp.recvfrom(4096)
                if not query:  # closed
                    return
                if message := self._compose(query, tcp=False):
                    self._udp.sendto(message, sender)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection:
                    query = connection.recv(4096)[2:]
                    if message := self._compose(query, tcp=True):
                        connection.sendall(struct.pack("!H", len(message)) + message)


def here(name, kind, tcp):
    """Every name is this machine, by IPv4."""
    return NOERROR, ["127.0.0.1"] if kind == A else []


def with_aaaa(said):
    return lambda name, kind, tcp: here(name, kind, tcp) if kind == A else said


def took(function):
    start = time.monotonic()
    result = function()
    return result, time.monotonic() - start


# --- files ---


@pytest.mark.parametrize(
    "resolv_conf, hosts",
    [
        ("nameserver 127.0.0.1\nnameserver fe80::1%eth0\n", ""),
        ("nameserver fe80::53%eth0\n", ""),
        ("nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n", ""),
        ("", ""),
        ("nameserver 127.0.0.1", "127.0.0.1 localhost\nfe80::1%lo0 LXD.lan\n127.0.0.1 lxd.LAN\n"),
        ("nameserver 127.0.0.1\n", "::ffff:127.0.0.1 lxd.lan\n"),
    ],
    ids=["zone behind", "zone", "Ubuntu", "empty", "macOS' hosts", "mapped"],
)
def test_files(files, probe, lxd, resolv_conf, hosts):
    files(resolv_conf, hosts or "127.0.0.1 localhost\n")
    with Server(here), Server(here, "127.0.0.53"), Server(here, "fe80::53%eth0"):
        assert probe(f"lxd.lan:{lxd.port}") == WELL


def test_as_ubuntu_has_it(files, probe, lxd):
    """A link to a file that systemd-resolved writes."""
    files()
    target = Path("/etc/stub-resolv.conf")
    target.write_text("# This file is managed\n\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch .\n")
    os.unlink("/etc/resolv.conf")
    os.symlink("../etc/stub-resolv.conf", "/etc/resolv.conf")
    with Server(here, "127.0.0.53"):
        assert probe(f"lxd.lan:{lxd.port}") == WELL
    target.unlink()  # the link leads nowhere: loopback is asked
    with Server(here):
        assert probe(f"lxd.lan:{lxd.port}") == WELL


def test_hook_with_zone(files, juju, lxd, admin):
    """Over the agent's socket the sandbox has none of what libc looks zones up with."""
    files("nameserver fe80::53%eth0\n")
    with Server(here, "fe80::53%eth0"):
        cloud = lxd_cloud(f"https://lxd.lan:{lxd.port}", admin, lxd.certificate)
        app = juju.deploy(trust=True, cloud=cloud)
        assert app.units[0].status == active(lxd, 0)


def test_large_hosts(files, juju, lxd, admin):
    files(hosts="127.0.0.1 lxd.lan\n" + "# 4567\n" * 200_000)
    cloud = lxd_cloud(f"https://lxd.lan:{lxd.port}", admin, lxd.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    assert app.units[0].status == active(lxd, 0)
    (hook,) = app.update_status()
    assert [line.text for line in hook.log if line.level == "WARNING"] == [
        "/etc/hosts is larger than 1024 KiB: what is behind that is not read"
    ]


# --- answers ---


@pytest.mark.parametrize("said", [(SERVFAIL, []), (REFUSED, []), (NXDOMAIN, []), (4, []), (1, []), None])
def test_trouble_with_aaaa(files, probe, lxd, said):
    files()
    with Server(with_aaaa(said)):
        result, seconds = took(lambda: probe(f"lxd.lan:{lxd.port}"))
    assert result == WELL and seconds < 1


def test_truncated(files, probe, lxd):
    files()
    with Server(lambda name, kind, tcp: here(name, kind, tcp) if tcp else (TRUNCATED, [])) as server:
        assert probe(f"lxd.lan:{lxd.port}") == WELL
    assert ("lxd.lan.", A, True) in server.asked


def test_final_dot(files, probe, lxd):
    files("nameserver 127.0.0.1\nsearch corp.test\noptions ndots:3\n")
    with Server(here) as server:
        assert probe(f"https://lxd.lan.:{lxd.port}") == WELL
    assert {name for name, _, _ in server.asked} == {"lxd.lan."}


def test_silent_nameserver(files, probe, lxd):
    files("nameserver 127.0.0.2\nnameserver 127.0.0.1\n")
    with Server(lambda *_: None, "127.0.0.2"), Server(here):
        result, seconds = took(lambda: probe(f"lxd.lan:{lxd.port}"))
    assert result == WELL and 1 <= seconds < 2


# --- addresses ---


def test_silent_address_first(files, probe, lxd):
    """Nobody is at 192.0.2.1; there is no route to 203.0.113.1."""
    files(hosts=HOSTS_OF_SEVERAL)
    result, seconds = took(lambda: probe(f"lxd.lan:{lxd.port}"))
    assert result == WELL and 0.2 < seconds < 1


# --- time ---


@pytest.mark.parametrize("transport", ["agent"])
def test_silent_names_take_nothing_from_the_others(files, juju, lxd, admin):
    """13 endpoints: by name, one of which resolves."""
    files()
    names = [f"lxd{number}.lab.test" for number in range(13)]
    with Server(lambda name, *more: here(name, *more) if name.startswith("lxd0.") else None):
        endpoints = ",".join(f"{name}:{lxd.port}" for name in names)
        cloud = lxd_cloud(endpoints, admin, lxd.certificate + identity("another").certificate)
        app = juju.deploy(trust=True, cloud=cloud)
        _, seconds = took(app.update_status)
    assert seconds < 7
    status, message = app.units[0].status
    assert status == "waiting"
    assert message.startswith(
        f"LXD at https://lxd1.lab.test:{lxd.port} unreachable: nameserver 127.0.0.1 does not answer"
    )
    assert app.version == lxd.version  # which only the healthy one tells


# --- what the operator reads ---


@pytest.mark.parametrize(
    "resolv_conf, answer, sentence",
    [
        ("nameserver 127.0.0.1\nsearch corp.test\n", lambda *_: (NXDOMAIN, []),
         'name "lxd.lan" not found (127.0.0.1: NXDOMAIN; also as lxd.lan.corp.test)'),
        ("nameserver 127.0.0.1\nsearch .\n", lambda *_: (NOERROR, []),
         'name "lxd.lan" not found (127.0.0.1: no address)'),
        ("nameserver 127.0.0.1\nsearch .\n", lambda *_: (SERVFAIL, []),
         'name "lxd.lan" not found (nameserver 127.0.0.1 answers SERVFAIL)'),
        ("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", lambda *_: None,
         "nameserver 127.0.0.1 does not answer"),
        ("nameserver 127.0.0.9\n", lambda *_: None,
         "nameserver 127.0.0.9 does not answer (connection refused)"),
        ("nameserver 127.0.0.1\nnameserver 127.0.0.9\noptions timeout:1 attempts:1\n", lambda *_: None,
         "no nameserver answers"),
    ],
)  # fmt: skip
def test_sentences(files, probe, resolv_conf, answer, sentence):
    files(resolv_conf)
    with Server(answer):
        result, seconds = took(lambda: probe("lxd.lan"))
    assert result == f"LXD at https://lxd.lan:8443 unreachable: {sentence}" and seconds < 5.5


def test_log_names_each_question(files, juju, lxd, admin):
    files("nameserver 127.0.0.1\nsearch corp.test\n")
    with Server(lambda name, kind, tcp: (NXDOMAIN, [])):
        app = juju.deploy(trust=True, cloud=lxd_cloud("https://lxd.lan:8443", admin, lxd.certificate))
        (hook,) = app.update_status()
    assert app.units[0].status[0] == "waiting"
    asked = [line.text for line in hook.log if line.text.startswith("nameserver")]
    assert sorted(asked) == [
        f"nameserver 127.0.0.1, asked for {name} {kind}: NXDOMAIN"
        for name in ("lxd.lan", "lxd.lan.corp.test")
        for kind in ("A", "AAAA")
    ]
