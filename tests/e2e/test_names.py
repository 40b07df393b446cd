# SPDX-License-Identifier: Apache-2.0
"""The LXDs of these tests themselves: names in the trust store are unique, and the proxy says of a
name that is taken what LXD 5.21.5 and 6.6 say."""

import base64
import http.client
import json
import ssl

import pytest

from lxd import Lxd, LxdCluster, LxdError
from names_proxy import NamesProxy
from pki import identity


pytestmark = pytest.mark.usefixtures("old")


@pytest.fixture
def old(lxd):
    if lxd.has_identities:
        pytest.skip("this LXD has unique names of its own")


@pytest.fixture
def proxy(lxd, admin):
    with NamesProxy(lxd, admin) as running:
        yield running


@pytest.fixture
def ask(tmp_path):
    """What a server answers to a client: status, and error or metadata."""

    def request(server, client, method, path, body=None):
        context = ssl.create_default_context(cadata=server.certificate)
        context.check_hostname = False
        context.load_cert_chain(*client.write(tmp_path, client.fingerprint))
        connection = http.client.HTTPSConnection(server.address, context=context)
        connection.request(method, path, None if body is None else json.dumps(body))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        return response.status, answer["error"] or answer["metadata"]

    return request


def entry(client, name):
    certificate = base64.b64encode(client.der).decode()
    return {"type": "client", "name": name, "certificate": certificate}


def test_taken_name(lxd, admin, proxy, ask):
    first, second = identity(), identity()
    path = "/1.0/certificates"
    assert ask(proxy, admin, "POST", path, entry(first, "one"))[0] == 201
    status, error = ask(lxd, admin, "POST", path, entry(second, "one"))
    assert status == 500 and "UNIQUE constraint failed: certificates.name" in error
    taken = 409, "Certificate already exists"
    assert ask(proxy, admin, "POST", path, entry(second, "one")) == taken
    assert second.fingerprint not in lxd.trust_store
    status, error = ask(proxy, admin, "POST", path, entry(first, "two"))
    assert status == 409 and error != "Certificate already exists"
    assert ask(proxy, admin, "POST", path, entry(second, "two"))[0] == 201
    for method in "PATCH", "PUT":
        changed = {**lxd.trust_store[second.fingerprint], "name": "one"}
        path = f"/1.0/certificates/{second.fingerprint}"
        taken = 409, "Identity already exists"
        assert ask(proxy, admin, method, path, changed) == taken
        assert lxd.trust_store[second.fingerprint]["name"] == "two"
    assert ask(proxy, admin, "PATCH", path, {"name": "three"})[0] == 200
    assert lxd.trust_store[second.fingerprint]["name"] == "three"


def test_proxy_lets_in_whom_lxd_lets_in(lxd, admin, proxy, ask):
    stranger, restricted = identity(), identity()
    lxd.trust(restricted, "restricted", restricted=True, projects=["default"])
    proxy.know(restricted)
    seen = [ask(proxy, who, "GET", "/1.0")[1]["auth"] for who in (admin, restricted, stranger)]
    assert seen == ["trusted", "trusted", "untrusted"]
    body = entry(identity(), "one")
    for who in restricted, stranger:
        assert ask(proxy, who, "POST", "/1.0/certificates", body)[0] == 403
    lxd.trust(stranger, "stranger")
    assert ask(proxy, stranger, "GET", "/1.0")[0] == 502
    lxd.distrust(admin.fingerprint)
    assert ask(proxy, admin, "GET", "/1.0")[1]["auth"] == "untrusted"


def test_token_whose_name_is_taken(lxd, proxy, ask):
    token = lxd.new_token("juju")
    client, before = identity(), lxd.trust_store
    body = {"type": "client", "password": token}
    assert ask(proxy, client, "POST", "/1.0/certificates", body) == (
        409,
        "Certificate already exists",
    )
    assert lxd.trust_store == before
    (fingerprint,) = before
    lxd.distrust(fingerprint)
    assert ask(lxd, client, "POST", "/1.0/certificates", body)[0] == 403
    assert lxd.trust_store == {}


def test_names_repeat_in_an_older_lxd():
    with Lxd(unique_names=False) as lxd:
        lxd.trust(identity(), "one")
        lxd.trust(identity(), "one")
        assert [entry["name"] for entry in lxd.trust_store.values()] == ["one", "one"]


def test_names_are_unique_in_a_cluster():
    with LxdCluster(2) as cluster:
        first, second = cluster.members
        first.trust(identity(), "one")
        with pytest.raises(LxdError, match="UNIQUE"):
            second.trust(identity(), "one")
