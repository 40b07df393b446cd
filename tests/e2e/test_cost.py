# SPDX-License-Identifier: Apache-2.0
"""What a hook costs: bytes, memory, connections, requests, writes."""

import json
import platform
import re
import subprocess

import pytest

from expectations import active, published, served
from juju import lxd_cloud
from peers import Proxy
from pki import bundle, identity, shared_identity

KIBIBYTE = 1024


def readelf(binary, option):
    command = ["readelf", "--wide", option, binary]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the bound is that of amd64")
def test_sizes(binary, charm):
    assert binary.stat().st_size <= 320 * KIBIBYTE
    assert charm.stat().st_size <= 256 * KIBIBYTE


def test_static_position_independent_executable(binary):
    dynamic = readelf(binary, "--dynamic")
    assert "NEEDED" not in dynamic and "INTERP" not in readelf(binary, "--program-headers")
    assert re.search(r"FLAGS_1.*\bPIE\b", dynamic)
    assert re.search(r"Type:\s+DYN", readelf(binary, "--file-header"))


def test_hardening(binary):
    headers = readelf(binary, "--program-headers")
    assert re.search(r"GNU_STACK.* RW ", headers)
    assert "GNU_RELRO" in headers
    assert not re.search(r"LOAD.* RWE ", headers)
    assert re.search(r"FLAGS.*\bNOW\b", readelf(binary, "--dynamic"))


def test_stripped(binary):
    assert ".symtab" not in readelf(binary, "--sections")


def test_second_pass_writes_nothing_and_asks_little(lxd, juju, admin):
    client = identity()
    with Proxy(lxd.host, lxd.port) as proxy:
        cloud = lxd_cloud(proxy.url, admin, lxd.certificate)
        app = juju.deploy(trust=True, cloud=cloud)
        relation = app.relate("builder")
        relation.join("builder/0", client_certificates=bundle(client, "junk"))
        before = dict(relation.published())
        connections = proxy.connections
        with lxd.recording() as requests:
            (hook,) = relation.publish("builder/0")
        assert proxy.connections == connections + 1
    assert 1 <= len(requests) <= 3
    assert len({request.peer for request in requests}) == 1
    assert {request.method for request in requests} == {"GET"}
    assert hook.name == "api-relation-changed"
    assert hook.called("relation-set") == []
    assert relation.published() == before
    assert hook.logged("INFO") == []


def test_adding_one_certificate_takes_one_connection_and_one_request_more(lxd, relation):
    relation.join("builder/0")
    with lxd.recording() as requests:
        relation.publish("builder/0", client_certificates=bundle(identity()))
    assert len({request.peer for request in requests}) == 1
    assert sorted(request.method for request in requests) == ["GET", "GET", "POST"]


def test_many_changes_take_one_connection(lxd, relation):
    clients = [identity() for _ in range(25)]
    relation.join("builder/0")
    for asked, method, count in ((clients, "POST", 25), (clients[:3], "DELETE", 22)):
        with lxd.recording() as requests:
            relation.publish("builder/0", client_certificates=bundle(*asked))
        changes = [request.peer for request in requests if request.method == method]
        assert len(changes) == count and len(set(changes)) == 1
        trusted = {client.fingerprint for client in clients} & set(lxd.trust_store)
        assert trusted == {client.fingerprint for client in asked}


def test_unchanged_relation_is_not_written(lxd, app, relation):
    other = app.relate("deployer")
    relation.join("builder/0", client_certificates=bundle(identity()))
    client = identity()
    hooks = other.join("deployer/0", client_certificates=bundle(client))
    written = [call.arguments for hook in hooks for call in hook.called("relation-set")]
    to_relations = [call for call in written if not call[2].startswith("peers:")]
    assert len(to_relations) == 1 and other.id in to_relations[0]
    assert published(other) == served(lxd, client)


@pytest.mark.parametrize("kind", ["P-256", "P-384", "P-521", "RSA-4096"])
def test_peak_memory(lxd, juju, kind):
    credential = shared_identity(kind)
    lxd.trust(credential, "credential")
    app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, credential, lxd.certificate))
    relations = [app.relate(f"builder-{number}") for number in range(5)]
    for relation in relations:
        relation.join(f"{relation.application}/0", client_certificates=bundle(identity()))
    relations[0].remove()
    assert app.units[0].status == active(lxd, 4)
    peaks = {hook.name: hook.peak_rss_kib for hook in app.units[0].hooks}
    assert 0 < min(peaks.values()) and max(peaks.values()) <= 1.5 * KIBIBYTE, peaks


def test_peak_memory_with_a_thousand_certificates(lxd, relation):
    clients = [identity() for _ in range(1000)]
    for part in range(0, len(clients), 100):  # it is the charm that is to be tested
        lxd.plant(*((client, client.fingerprint) for client in clients[part : part + 100]))
    relation.join("builder/0")
    (hook,) = relation.publish("builder/0", client_certificates=bundle(*clients))
    assert len(json.loads(relation.published()["registered_certificates"])) == 1000
    assert 0 < hook.peak_rss_kib <= 16 * KIBIBYTE
