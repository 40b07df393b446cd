# SPDX-License-Identifier: Apache-2.0
"""Name servers on loopback, in a network namespace of their own: unbound and dnsmasq with the same
names, and before each a spoiler that passes everything on, but for what it is to spoil."""

import collections
import contextlib
import socket
import struct
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

A, CNAME, AAAA = 1, 5, 28
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
CODES = {
    "formerr": FORMERR,
    "servfail": SERVFAIL,
    "nxdomain": NXDOMAIN,
    "notimp": NOTIMP,
    "refused": REFUSED,
}
TRUNCATED, RECURSION, AUTHORITATIVE = 0x0200, 0x0080, 0x0400


def read_question(message):
    """The name in lower case with its final dot, the type, and where the question ends."""
    at, labels = 12, []
    while message[at]:
        labels.append(message[at + 1 : at + 1 + message[at]].decode("latin-1").lower())
        at += 1 + message[at]
    return "".join(label + "." for label in labels) or ".", struct.unpack_from(
        "!H", message, at + 1
    )[0], at + 5


class Spoiler:
    """Passes questions on to a real server and its answers back, unless `spoil` names what to do
    instead: (name, type) -> one of CODES, "silent", "lame", "truncated" (and good over TCP),
    "truncated, no TCP", "stranger first" (an answer with another ID, then the good one), "late"."""

    def __init__(self, address, server, spoil):
        self.address, self.server, self.spoil = address, server, spoil
        self.asked = collections.Counter()
        self._workers = ThreadPoolExecutor(64)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind((address, 53))
        self._tcp = socket.create_server((address, 53), backlog=64)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _ask(self, query):
        with socket.create_connection((self.server, 53), timeout=5) as connection:
            connection.sendall(struct.pack("!H", len(query)) + query)
            return self._receive(connection.makefile("rb"))

    @staticmethod
    def _receive(file):
        (length,) = struct.unpack("!H", file.read(2))
        return file.read(length)

    def _answers(self, query, tcp):
        """What to send back, one message after the other."""
        name, kind, end = read_question(query)
        how = self.spoil.get((name, kind), "")
        self.asked[name, kind, tcp] += 1

        def header_only(flags):
            return query[:2] + struct.pack("!5H", 0x8100 | flags, 1, 0, 0, 0) + query[12:end]

        if how in CODES:
            return [header_only(RECURSION | CODES[how])]
        if how == "silent":
            return []
        if how == "lame":
            return [header_only(0)]
        if how.startswith("truncated") and not tcp:
            return [header_only(RECURSION | TRUNCATED)]
        if how == "truncated, no TCP":
            return []
        if how == "late":
            time.sleep(0.3)
        good = self._ask(query)
        if how == "stranger first":
            other = bytes([query[0] ^ 1]) + query[1:2]
            return [other + header_only(RECURSION | NXDOMAIN)[2:], good]
        return [good]

    def _serve_udp(self):
        while True:
            query, sender = self._udp.recvfrom(65535)
            self._workers.submit(self._answer_udp, query, sender)

    def _answer_udp(self, query, sender):
        for message in self._answers(query, tcp=False):
            if len(message) > 512:
                _, _, end = read_question(message)
                flags = struct.unpack_from("!H", message, 2)[0] | TRUNCATED
                message = message[:2] + struct.pack("!5H", flags, 1, 0, 0, 0) + message[12:end]
            self._udp.sendto(message, sender)

    def _serve_tcp(self):
        while True:
            connection, _ = self._tcp.accept()
            self._workers.submit(self._answer_tcp, connection)

    def _answer_tcp(self, connection):
        """glibc asks both questions over one connection, the resolver under test over two."""
        with connection, contextlib.suppress(OSError, struct.error):
            file = connection.makefile("rb")
            while messages := self._answers(self._receive(file), tcp=True):
                for message in messages:
                    connection.sendall(struct.pack("!H", len(message)) + message)


def wait_for(address, name, seconds=20):
    """Until the server there answers."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".") if label)
    query = b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(0.2)
        while time.monotonic() < end:
            with contextlib.suppress(OSError):
                probe.sendto(query, (address, 53))
                probe.recv(512)
                return
            time.sleep(0.05)
    raise RuntimeError(f"the name server at {address} does not answer")


def start(arguments, folder, name):
    log = (folder / f"{name}.log").open("w")
    return subprocess.Popen(arguments, stdout=log, stderr=log, stdin=subprocess.DEVNULL)


@contextlib.contextmanager
def running(process):
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def unbound(address, records, folder):
    """records: name -> list of (type, text). Names end with a dot."""
    zone = folder / f"zone-{address}"
    types = {A: "A", AAAA: "AAAA", CNAME: "CNAME"}
    lines = ["$TTL 60", ". SOA ns. host. 1 3600 600 86400 60", ". NS ns.", "ns. A 127.0.0.1"]
    for name, entries in records.items():
        lines += [f"{name} {types[kind]} {text}" for kind, text in entries]
        if not entries:
            lines.append(f"{name} TXT x")
    zone.write_text("\n".join(lines) + "\n")
    configuration = folder / f"unbound-{address}.conf"
    configuration.write_text(
        f"""server:
  interface: {address}
  access-control: 127.0.0.0/8 allow
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound-{address}.pid"
  use-syslog: no
  module-config: "iterator"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
auth-zone:
  name: "."
  zonefile: "{zone}"
  for-downstream: yes
  for-upstream: no
"""
    )
    return start(["/usr/sbin/unbound", "-d", "-c", configuration], folder, f"unbound-{address}")


def dnsmasq(address, records, folder):
    configuration = folder / f"dnsmasq-{address}.conf"
    lines = [f"listen-address={address}", "bind-interfaces", "no-hosts", "no-resolv", "local=/#/"]
    lines += ["local-ttl=60", "user=root", "pid-file=", "keep-in-foreground", "no-negcache"]
    for name, entries in records.items():
        plain = name.rstrip(".")
        for kind, text in entries:
            if kind == CNAME:
                lines.append(f"cname={plain},{text.rstrip('.')}")
            else:
                lines.append(f"host-record={plain},{text}")
        if not entries:
            lines.append(f"txt-record={plain},x")
    configuration.write_text("\n".join(lines) + "\n")
    return start(["/usr/sbin/dnsmasq", "-C", configuration], folder, f"dnsmasq-{address}")
