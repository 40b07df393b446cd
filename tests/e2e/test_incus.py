# SPDX-License-Identifier: Apache-2.0
"""What is Incus' alone. The commands that statuses give are run."""

import re
import time

import pytest

from expectations import active, published, rejections, served
from juju import lxd_cloud
from lxd import LxdCluster
from pki import bundle, identity
from test_cluster import hanging, settle
from test_left_behind import run

pytestmark = pytest.mark.core


@pytest.fixture
def transport():
    return "agent"


def command_in(sentence):
    return re.search('(?:run|what) "(.*)"', sentence)[1]


def test_certificate_is_added_by_the_command_in_the_status(lxd, juju):
    stranger = identity("juju")
    (unit,) = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, stranger, lxd.certificate)).units
    assert unit.status[0] == "blocked" and unit.status[1].startswith(f"Incus at {lxd.url} does not")
    stranger.write(lxd.directory, "FILE")
    (lxd.directory / "FILE.crt").rename(lxd.directory / "FILE")
    (line,) = unit.hooks[-1].logged("ERROR")
    run(lxd, f"cd {lxd.directory} && {command_in(line)}")
    assert set(lxd.trust_store) == {stranger.fingerprint}
    unit.application.update_status()
    assert unit.status == active(lxd, 0)


def test_token_is_made_by_the_command_in_the_status(lxd, juju):
    token = lxd.new_token("first")
    first = juju.deploy("first", config={"lxd_trust_token": token})
    assert first.units[0].status == active(lxd, 0)
    app = juju.deploy(config={"lxd_trust_token": token})
    (unit,) = app.units
    assert unit.status[0] == "blocked" and "the token is used up" in unit.status[1]
    (line,) = unit.hooks[-1].logged("ERROR")
    printed = lxd._run("sh", "-c", command_in(line)).stdout
    app.configure(lxd_trust_token=printed)
    assert unit.status == active(lxd, 0)
    names = {entry["name"] for entry in lxd.trust_store.values()}
    assert names == {"first", f"juju-{juju.model_uuid[:8]}-{app.name}"}


# --- a list that is filtered ---

HIDING = """
def authorize(details, object, entitlement):
    return entitlement != "can_view" or not object.startswith("certificate:") or object in {shown}
"""


@pytest.fixture
def show(lxd):
    """From now on clients see these entries of the trust store alone."""

    def show(*identities):
        shown = [f"certificate:{each.fingerprint}" for each in identities]
        lxd.set_config("authorization.scriptlet", HIDING.format(shown=shown))

    yield show
    lxd.set_config("authorization.scriptlet", "")


def test_list_that_hides_all(lxd, app, unit, relation, admin, show):
    """What is not seen is not told, in either way, and nothing is changed."""
    client, foreign, late = identity(), identity(), identity()
    lxd.trust(foreign, "alice")
    relation.join("builder/0", client_certificates=bundle(client))
    before = lxd.trust_store
    show()
    app.update_status()
    assert unit.status[0] == "blocked"
    assert unit.status[1].startswith(f"Incus at {lxd.url} hides entries of its trust store from ")
    relation.publish("builder/0", client_certificates=bundle(late))
    assert lxd.trust_store == before
    assert published(relation) == served(lxd, client)
    lxd.set_config("authorization.scriptlet", "")
    app.update_status()
    assert unit.status == active(lxd, 1)
    assert set(lxd.trust_store) == {admin.fingerprint, foreign.fingerprint, late.fingerprint}
    assert published(relation) == served(lxd, late)


def test_list_that_hides_all_and_nobody_asks(lxd, app, unit, show):
    show()
    app.update_status()
    assert unit.status == active(lxd, 0, "; Incus may hide entries from us")


def test_list_that_hides_somebody_s_entry(lxd, app, unit, relation, admin, show):
    """The certificate that is asked for is there, for less than was asked, and cannot be seen."""
    client, good = identity(), identity()
    lxd.trust(client, "alice", restricted=True, projects=[])
    show(admin, good)
    relation.join("builder/0", client_certificates=bundle(client, good))
    assert lxd.trust_store[client.fingerprint]["name"] == "alice"
    bag = published(relation)
    assert bag.get("registered_certificates", []) in ([], [good.certificate])
    assert all(client.fingerprint not in node["trusted_certs_fp"] for node in bag["nodes"])
    assert unit.status[1].startswith(f"Incus at {lxd.url} hides entries of its trust store from ")
    lxd.set_config("authorization.scriptlet", "")
    app.update_status()
    assert rejections(relation) == {
        client.fingerprint: 'Incus has it as "alice", which opens no project'
    }


# --- a cluster with a member that hangs ---


@pytest.fixture(scope="module")
def cluster():
    with LxdCluster() as running:
        yield running


def wait_for(members, client, auth):
    """Wait until all of them say this of the client."""
    deadline = time.monotonic() + 60
    for member in members:
        while member.auth(client) != auth:
            assert time.monotonic() < deadline
            time.sleep(0.5)


@pytest.mark.parametrize("missed", [False, True])
def test_member_that_hangs_holds_up_answers(juju, cluster, missed):
    """The database has each change at once, and Incus answers once the member hangs no more. Of
    the first change the other members hear all the same: it is the removal, which comes before all
    else. Of the next one they may hear only then."""
    administrator, old, new = identity(), identity(), identity()
    first, second, third = cluster.members
    settle(cluster, "Online", "Online", "Online")
    first.trust(administrator, "juju")
    cloud = lxd_cloud(second.url, administrator, second.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(old))
    with hanging(third):
        if missed:
            settle(cluster, "Online", "Online", "Offline")
        (hook,) = relation.publish("builder/0", client_certificates=bundle(new))
        assert hook.exit_code == 0 and 20 < hook.wall_seconds < 60
        assert new.fingerprint in first.trust_store and old.fingerprint not in first.trust_store
        assert published(relation)["registered_certificates"] == [new.certificate]
        wait_for((first, second), old, "untrusted")
    wait_for(cluster.members, old, "untrusted")
    wait_for(cluster.members, new, "trusted")
    first.distrust(administrator.fingerprint)
