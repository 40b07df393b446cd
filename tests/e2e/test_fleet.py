# SPDX-License-Identifier: Apache-2.0
"""Many servers at the same time: what is dead or hangs takes no time from the others, nor from each
other. Who waits for whom is told by what has happened when the first of them is given up."""

import contextlib
import json
import re
import threading

import pytest

from expectations import published
from lxd import Lxd, free_port, started
from peers import BlackHole, Hole, TlsPeer
from pki import bundle, identity

SERVERS = 17
PASS_SECONDS = 60
LENGTH = re.compile(rb"Content-Length: (\d+)")
LISTS = {"/1.0", "/1.0/certificates?recursion=1"}


@pytest.fixture
def transport():
    """One way to Juju will do: LXD is what these tests wait for."""
    return "agent"


@pytest.fixture(scope="module")
def daemons():
    with started(Lxd(f"127.0.1.{1 + number}") for number in range(SERVERS)) as all_of_them:
        yield all_of_them


@pytest.fixture
def administrator():
    return identity("juju")


@pytest.fixture
def fleet(daemons, administrator):
    for daemon in daemons:
        daemon.reset()
        daemon.trust(administrator, "juju")
    return daemons


@pytest.fixture
def app(juju, administrator, fleet):
    return juju.deploy(config=configuration(administrator, fleet))


def configuration(administrator, servers):
    return {
        "lxd_endpoint": ",".join(server.url for server in servers),
        "lxd_client_cert": administrator.certificate,
        "lxd_client_key": administrator.key,
        "lxd_server_cert": "".join(server.certificate for server in servers),
    }


def ask_for(relation, *clients):
    """What the next hook is to bring."""
    relation.settings["builder/0"]["client_certificates"] = bundle(*clients)


class Refusal:
    """Nobody listens."""

    certificate = ""

    def __init__(self):
        self.url = f"https://127.0.0.1:{free_port()}"


class Witness:
    """Looks around when somebody was given up for the first time."""

    def __init__(self, look):
        self._look = look
        self._first = threading.Lock()  # never released
        self.seen = None

    def __call__(self):
        if self._first.acquire(blocking=False):
            self.seen = self._look()


class StandIn(TlsPeer):
    """Stands in for an LXD that is trusted and has these clients in its trust store, and that is
    silent unless `answers` says otherwise of what it was asked so far: a list of (method, path)."""

    def __init__(self, directory, answers, given_up=lambda: None, clients=()):
        server = identity("server")
        super().__init__(*server.write(directory, f"server-{id(self)}"))
        self.certificate = server.certificate
        self.asked = []
        self.flights = []  # what came at a time
        self._answers, self._given_up = answers, given_up
        self._entries = [
            {"fingerprint": client.fingerprint, "name": "x", "type": "client"} for client in clients
        ]

    def serve(self, client, received):
        with self._context.wrap_socket(client, server_side=True) as stream:
            with contextlib.suppress(OSError):
                self._talk(stream)
        self._given_up()

    def _talk(self, stream):
        data, pending = b"", []
        while flight := stream.recv(65536):
            self.flights.append(flight)
            data += flight
            while b"\r\n\r\n" in data:
                head, _, rest = data.partition(b"\r\n\r\n")
                found = LENGTH.search(head)
                length = int(found[1]) if found else 0
                if len(rest) < length:
                    break
                data = rest[length:]
                pending.append(tuple(head.decode().split(" ")[:2]))
                self.asked.append(pending[-1])
            while pending and self._answers(self.asked):
                stream.sendall(self._respond(*pending.pop(0)))

    def _respond(self, _, path):
        environment = {"server_name": "x", "server_version": "5.0.2", "server_clustered": False}
        told = {
            "/1.0": {"auth": "trusted", "api_extensions": [], "environment": environment},
            "/1.0/certificates?recursion=1": self._entries,
            "/1.0/certificates": None,
        }
        status = "200 OK" if path in told else "404 Not Found"
        body = json.dumps({"metadata": told.get(path)})
        return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def lists_asked(fleet, starts):
    """Which of the two lists each was asked for, since its log had this size."""
    return [
        {request.url for request in server.requests_since(start)} & LISTS
        for server, start in zip(fleet, starts)
    ]


def assert_served(hook, relation, fleet, *clients):
    """All that answer have what is wanted, and the others are named."""
    assert hook.exit_code == 0 and hook.wall_seconds < PASS_SECONDS
    wanted = {client.fingerprint for client in clients}
    assert [server.url for server in fleet if not wanted <= set(server.trust_store)] == []
    nodes = {node["endpoint"]: node["trusted_certs_fp"] for node in published(relation)["nodes"]}
    assert nodes == {server.url: sorted(wanted) for server in fleet}


def assert_waiting(hook, app, *servers):
    status, message = app.units[0].status
    assert status == "waiting" and message.startswith(f"LXD at {servers[0].url} ")
    assert f"; {len(servers) - 1} more server" in message
    warnings = hook.logged("WARNING")
    assert len(warnings) == len(servers)
    for warning, server in zip(warnings, servers):
        assert warning.startswith(f"LXD at {server.url} "), warning


def test_seventeen_of_twenty(fleet, app, administrator, relation):
    """One refuses, one is a black hole, one accepts and says nothing; and another one does so."""
    client = identity()
    relation.join("builder/0")
    ask_for(relation, client)
    starts = [server.log_size for server in fleet]

    def look():
        """Who was asked when the first one was given up, and how many holes stood open."""
        return lists_asked(fleet, starts), [hole.connections for hole in holes]

    witness = Witness(look)
    with BlackHole() as drop, Hole(witness) as one, Hole(witness) as two:
        holes = [one, two]
        dead = [drop, Refusal(), one]
        (hook,) = app.configure(**configuration(administrator, [*dead, *fleet, two]))
    assert witness.seen == ([LISTS] * SERVERS, [1, 1])
    assert_served(hook, relation, fleet, client)
    assert_waiting(hook, app, *dead, two)


def test_silence_after_the_handshake(fleet, app, administrator, relation, tmp_path):
    """Two hang once they are asked something: nobody waits for them longer than for one."""
    client = identity()
    relation.join("builder/0")
    ask_for(relation, client)
    starts = [server.log_size for server in fleet]

    def look():
        return lists_asked(fleet, starts), [{path for _, path in each.asked} for each in hanging]

    witness = Witness(look)

    def nothing(_):
        return False

    trusted = [administrator]
    with StandIn(tmp_path, nothing, witness, trusted) as one, StandIn(
        tmp_path, nothing, witness, trusted
    ) as two:
        hanging = [one, two]
        (hook,) = app.configure(**configuration(administrator, [one, *fleet, two]))
    assert witness.seen == ([LISTS] * SERVERS, [LISTS, LISTS])
    assert_served(hook, relation, fleet, client)
    assert_waiting(hook, app, one, two)


def test_change_that_is_not_answered(fleet, app, administrator, relation, tmp_path):
    """Two hang in an addition: by the time the first is given up the others have all of theirs."""
    clients = [identity() for _ in range(3)]
    relation.join("builder/0")
    ask_for(relation, *clients)

    def look():
        complete = [
            server.url
            for server in fleet
            if {client.fingerprint for client in clients} <= set(server.trust_store)
        ]
        return len(complete), [("POST", "/1.0/certificates") in each.asked for each in hanging]

    witness = Witness(look)

    def but_for_additions(asked):
        return asked[-1][0] != "POST"

    known = [administrator, *clients[1:]]
    with StandIn(tmp_path, but_for_additions, witness, known) as one, StandIn(
        tmp_path, but_for_additions, witness, known
    ) as two:
        hanging = [one, two]
        (hook,) = app.configure(**configuration(administrator, [one, *fleet, two]))
    assert witness.seen == (SERVERS, [True, True])
    assert hook.exit_code == 0 and hook.wall_seconds < PASS_SECONDS
    trusted = {node["endpoint"]: node["trusted_certs_fp"] for node in published(relation)["nodes"]}
    for server in fleet:
        assert trusted[server.url] == sorted(client.fingerprint for client in clients)
    for server in hanging:
        assert trusted[server.url] == sorted(client.fingerprint for client in clients[1:])
    assert_waiting(hook, app, one, two)


def test_both_lists_are_asked_for_with_the_handshake(app, administrator, tmp_path):
    """A server that says nothing before it was asked for both, in one record."""

    def once_both_are_here(asked):
        return LISTS <= {path for _, path in asked}

    with StandIn(tmp_path, once_both_are_here, clients=[administrator]) as server:
        app.configure(**configuration(administrator, [server]))
    assert app.units[0].status == ("active", "0 certificates trusted, LXD 5.0.2, 1 node")
    assert len(server.flights) == 1 and len(server.asked) == 2
