# SPDX-License-Identifier: Apache-2.0
"""Certificates that end soon: the log and the status tell, in time."""

import datetime

import pytest

from expectations import active, entry_name, published, rejections, served
from juju import lxd_cloud
from lxd import SOFTWARE, Lxd
from pki import bundle, certify, generate, identity, key_pem, Identity


@pytest.fixture(params=["agent"])
def transport(request):
    """One way to Juju will do: what these tests are about is between the charm and LXD."""
    return request.param


def date_in(days):
    return (datetime.datetime.utcnow() + datetime.timedelta(days=days)).strftime("%Y-%m-%d")


def warnings(hook, fingerprint):
    return [line for line in hook.logged("WARNING") if fingerprint[:12] in line]


def test_registered_certificate(lxd, app, unit, relation):
    short, long = identity("short", end=20), identity("long", end=40)
    relation.join("builder/0", client_certificates=bundle(short, long))
    assert unit.status == active(lxd, 2, f"; 1 certificate to renew, by {date_in(20)}")
    (hook,) = app.update_status()
    (line,) = warnings(hook, short.fingerprint)
    assert line.startswith(f"builder ({relation.id}): certificate of builder/0 ") and date_in(20) in line
    assert warnings(hook, long.fingerprint) == []


def test_several_certificates_once_each(lxd, app, unit, relation):
    first, second = identity("first", end=5), identity("second", end=6)
    relation.join("builder/0", client_certificates=bundle(first, second))
    other = app.relate("other")
    other.join("other/0", client_certificates=bundle(first))
    assert unit.status == active(
        lxd, 2, f"; 2 certificates to renew, the first by {date_in(5)}"
    )


@pytest.mark.core
def test_expired_certificate_is_not_trusted(lxd, juju, app, unit, relation):
    """Whatever the trust store lists; but the clock removes nothing."""
    expired, good = identity(start=-10, end=-1), identity()
    name = entry_name(f"juju.{juju.model_uuid[:8]}.{app.name}", relation, expired)
    lxd.plant((expired, name))
    relation.join("builder/0", client_certificates=bundle(expired, good))
    assert lxd.auth(expired) == "untrusted"
    told = published(relation)
    assert told["nodes"] == served(lxd, good)["nodes"]
    assert told["registered_certificates"] == [good.certificate]
    assert date_in(-1) in rejections(relation)[expired.fingerprint]
    assert unit.status == active(lxd, 1, f"; 1 certificate rejected: builder ({relation.id})")
    app.update_status()
    assert lxd.trust_store[expired.fingerprint]["name"] == name
    relation.publish("builder/0", client_certificates=bundle(good))
    assert expired.fingerprint not in lxd.trust_store


@pytest.mark.parametrize("days, warned", [(10, False), (25, True), (0, False)])
def test_days_are_an_option(lxd, app, unit, relation, days, warned):
    relation.join("builder/0", client_certificates=bundle(identity(end=20)))
    app.configure(lxd_expiry_warning_days=days)
    assert ("to renew" in unit.status[1]) == warned


def test_our_own_certificate(lxd, juju):
    administrator = identity("juju", end=7)
    lxd.trust(administrator, "juju")
    cloud = lxd_cloud(lxd.url, administrator, lxd.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    assert app.units[0].status == active(lxd, 0, f"; 1 certificate to renew, by {date_in(7)}")
    (hook,) = app.update_status()
    (line,) = warnings(hook, administrator.fingerprint)
    assert line.startswith("our client certificate ")


def test_the_server_s_certificate(juju):
    key = generate("P-384")
    server = Identity(certify(key, "server", end=3), key_pem(key, "traditional"))
    with Lxd(server=server) as lxd:
        administrator = identity("juju")
        lxd.trust(administrator, "juju")
        cloud = lxd_cloud(lxd.url, administrator, lxd.certificate)
        app = juju.deploy(trust=True, cloud=cloud)
        assert app.units[0].status == active(lxd, 0, f"; 1 certificate to renew, by {date_in(3)}")
        (hook,) = app.update_status()
        (line,) = warnings(hook, lxd.fingerprint)
        assert line.startswith(f"the server certificate of {SOFTWARE} at {lxd.url} ")
