# SPDX-License-Identifier: Apache-2.0
"""LXD is away, hangs or talks nonsense, or a hook command fails: nothing is lost, nothing is
claimed that is not so, and the next pass makes good."""

import json

import pytest

from expectations import active, published, served
from hook_commands import Reply
from juju import HookFailed, lxd_cloud
from peers import TlsPeer
from pki import bundle, identity


@pytest.fixture(params=["agent"])
def transport(request):
    """One way to Juju will do: what these tests are about is between the charm and LXD."""
    return request.param


def test_lxd_is_down_and_comes_back(lxd, app, unit, relation):
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    lxd.stop()
    (hook,) = relation.publish("builder/0", client_certificates=bundle(second))
    assert hook.exit_code == 0
    assert unit.status == ("waiting", f"LXD at {lxd.url} unreachable: connection refused; retrying")
    lxd.start()
    assert published(relation) == served(lxd, first)
    app.update_status()
    assert unit.status == active(lxd, 1)
    assert published(relation) == served(lxd, second)
    assert first.fingerprint not in lxd.trust_store


def test_relation_breaks_while_lxd_is_down(lxd, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    lxd.stop()
    relation.remove()
    assert unit.status[0] == "waiting"
    lxd.start()
    assert client.fingerprint in lxd.trust_store
    app.update_status()
    assert client.fingerprint not in lxd.trust_store


def test_lxd_hangs(lxd, app, unit):
    lxd.pause()
    try:
        (hook,) = app.update_status()
    finally:
        lxd.resume()
    status, message = unit.status
    assert status == "waiting" and message.endswith("; retrying")
    assert message.startswith(f"LXD at {lxd.url} unreachable: timed out during ")
    assert hook.wall_seconds < 10  # connect and handshake have five seconds


def http(body, status="200 OK", head=""):
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{head}\r\n{body}".encode()


@pytest.mark.parametrize(
    "answer",
    [
        http(json.dumps({"error": "not by this door"}), "403 Forbidden"),
        http("no certificate", "400 Bad Request"),
        http("{}", "301 Moved Permanently", "Location: https://127.0.0.1:1/\r\n"),
        http("<html>"),
        http("{}"),
        http("[]"),
        http(json.dumps({"metadata": {"auth": 1}})),
        b"hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
    ],
    ids="403 400 redirect HTML empty list number text head chunk length".split(),
)
def test_answer_that_is_none(lxd, app, unit, relation, tmp_path, answer):
    """Whatever answers there, time does not mend it."""
    ask(lxd, app, relation, tmp_path, answer)
    assert unit.status[0] == "blocked" and "retrying" not in unit.status[1]


@pytest.mark.parametrize(
    "answer",
    [
        http(json.dumps({"error": "LXD is shutting down"}), "503 Service Unavailable"),
        http("{}")[:-1],
        b"",
    ],
    ids="503 truncated nothing".split(),
)
def test_answer_that_is_late(lxd, app, unit, relation, tmp_path, answer):
    ask(lxd, app, relation, tmp_path, answer)
    assert unit.status[0] == "waiting" and unit.status[1].endswith("; retrying")


def ask(lxd, app, relation, tmp_path, answer):
    """A server that answers so takes LXD's place."""
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    server = identity("server")
    with TlsPeer(*server.write(tmp_path, "server"), answer=answer) as peer:
        app.cloud = lxd_cloud(peer.url, identity(), server.certificate)
        (hook,) = app.update_status()
    _, message = app.units[0].status
    assert hook.exit_code == 0 and message.startswith(f"LXD at {peer.url} ")
    assert published(relation) == served(lxd, client)
    assert peer.received[0].startswith(b"GET /1.0 HTTP/1.1\r\n")


@pytest.mark.parametrize("command", ["relation-ids", "config-get", "status-set"])
def test_hook_fails_where_juju_fails(app, unit, command):
    before = unit.status
    app.faults[command] = Reply(1, stderr=b"ERROR lost the controller\n")
    with pytest.raises(HookFailed) as failed:
        app.update_status()
    assert any("lost the controller" in line for line in failed.value.hook.logged("ERROR"))
    assert failed.value.hook.exit_code == 1 and unit.status == before
    app.faults.clear()
    unit.run_pending()
    assert unit.status == before


def test_databag_that_cannot_be_written_fails_the_hook_and_is_written_later(
    lxd, app, unit, relation
):
    client = identity()
    app.faults["relation-set"] = Reply(1, stderr=b"ERROR lost the controller\n")
    with pytest.raises(HookFailed):
        relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd)
    app.faults.clear()
    unit.run_pending()
    assert published(relation) == served(lxd, client)
    assert unit.status == active(lxd, 1)


@pytest.mark.parametrize("command", ["relation-get", "relation-list"])
def test_relation_that_cannot_be_read_is_left_as_it_is(lxd, app, relation, command):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.faults[command] = Reply(1, stderr=b"ERROR lost the controller\n")
    relation.publish("builder/0", client_certificates="[]")
    assert client.fingerprint in lxd.trust_store
    assert published(relation) == served(lxd, client)
    app.faults.clear()
    app.update_status()
    assert published(relation) == served(lxd)
    assert client.fingerprint not in lxd.trust_store
