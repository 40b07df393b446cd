# SPDX-License-Identifier: Apache-2.0
"""A cluster is one trust store with several nodes, of which any may be away."""

import contextlib

import pytest

from agent import Event
from demo import Cluster
from expectations import compact, log_in, published, reachable
from juju import lxd_cloud
from lxd import INCUS, SOFTWARE, LxdCluster, settle
from pki import bundle, identity



@pytest.fixture
def transport():
    """One way to Juju will do: LXD is what these tests wait for."""
    return "agent"


@pytest.fixture(scope="module")
def running():
    with LxdCluster() as cluster:
        yield cluster


@pytest.fixture
def cluster(running):
    """A whole cluster that trusts nobody but its own members."""
    start_all(running)
    first = running.members[0]
    for fingerprint, entry in first.trust_store.items():
        if entry["type"] == "client":
            first.distrust(fingerprint)
    return running


@pytest.fixture
def administrator(cluster):
    trusted = identity("juju")
    cluster.members[0].trust(trusted, "juju")
    return trusted


@pytest.fixture
def app(juju, cluster, administrator):
    """The charm, by way of the second member."""
    member = cluster.members[1]
    return juju.deploy(trust=True, cloud=lxd_cloud(member.url, administrator, member.certificate))


def start_all(cluster):
    """Without a majority none of them gets ready."""
    stopped = [member for member in cluster.members if not member.running]
    for member in stopped:
        member.launch()
    for member in stopped:
        member.wait_ready()
    settle(cluster, "Online", "Online", "Online")


@contextlib.contextmanager
def hanging(member):
    member.pause()
    try:
        yield
    finally:
        member.resume()


def clients_of(member, administrator):
    """The fingerprints of clients in the trust store, without the charm's own credential."""
    entries = member.trust_store.values()
    clients = {entry["fingerprint"] for entry in entries if entry["type"] == "client"}
    return clients - {administrator.fingerprint}


def nodes(cluster, numbers, *clients):
    return [
        {
            "certificate": cluster.members[0].certificate,
            "endpoint": cluster.members[number].url,
            "name": cluster.name(number),
            "trusted_certs_fp": sorted(client.fingerprint for client in clients),
        }
        for number in numbers
    ]


def new_token(member):
    return member.new_token("token")


@pytest.fixture(scope="module")
def active(running):
    """The status of a unit that serves a cluster."""
    version = running.members[0].version

    def status(certificates, count):
        noun = "certificate" if certificates == 1 else "certificates"
        return ("active", f"{certificates} {noun} trusted, {SOFTWARE} {version}, {count} nodes")

    return status


@pytest.mark.core
def test_every_member_is_a_node_and_admits_the_client(juju, cluster, active):
    administrator, client = identity(), identity()
    asked = cluster.members[1]
    asked.trust(administrator, "juju")
    cloud = lxd_cloud(asked.url, administrator, asked.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation)["nodes"] == nodes(cluster, range(3), client)
    assert app.units[0].status == active(1, 3)
    assert {member.auth(client) for member in cluster.members} == {"trusted"}
    relation.remove()
    assert {member.auth(client) for member in cluster.members} == {"untrusted"}
    assert len(asked.trust_store) == 1 + len(cluster.members)


@pytest.mark.core
def test_configured_member_is_down(cluster, administrator, app, relation, active):
    old, new = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(old))
    first, configured, _ = cluster.members
    configured.stop()
    (hook,) = relation.publish("builder/0", client_certificates=bundle(new))
    # It is still a node until the others have noticed.
    serving = published(relation)["nodes"]
    assert serving in (nodes(cluster, range(3), new), nodes(cluster, [0, 2], new))
    assert app.units[0].status == active(1, len(serving))
    assert clients_of(first, administrator) == {new.fingerprint}
    assert hook.logged("WARNING") == [
        f"LXD at {configured.url} unreachable: connection refused: going on through {first.url}"
    ]
    settle(cluster, "Online", "Offline", "Online")
    app.update_status()
    assert app.units[0].status == active(1, 2)
    assert published(relation)["nodes"] == nodes(cluster, [0, 2], new)
    configured.start()
    settle(cluster, "Online", "Online", "Online")
    (hook,) = app.update_status()
    assert published(relation)["nodes"] == nodes(cluster, range(3), new)
    assert app.units[0].status == active(1, 3) and hook.logged("WARNING") == []


def test_trust_that_is_taken_is_told_once(cluster, administrator, app, relation):
    """The members have one trust store."""
    relation.join("builder/0", client_certificates=bundle(identity()))
    hooks = app.trust(False)
    lines = [line for hook in hooks for line in hook.logged("WARNING") if "may stay" in line]
    assert len(lines) == 1 and "1 entry named juju." in lines[0] and cluster.members[1].url in lines[0]


def test_last_relation_breaks_while_the_configured_member_is_down(
    cluster, administrator, app, relation
):
    """Its own databag on the relation that ends is all that the charm has to go by."""
    relation.join("builder/0", client_certificates=bundle(identity()))
    cluster.members[1].stop()
    relation.remove()
    assert clients_of(cluster.members[0], administrator) == set()
    assert app.units[0].status[0] == "active"


def test_configured_member_hangs(cluster, administrator, app, relation):
    relation.join("builder/0", client_certificates=bundle(identity()))
    client = identity()
    with hanging(cluster.members[1]):
        settle(cluster, "Online", "Offline", "Online")
        (hook,) = relation.publish("builder/0", client_certificates=bundle(client))
        assert clients_of(cluster.members[0], administrator) == {client.fingerprint}
    assert hook.wall_seconds < (60 if INCUS else 15)  # Incus waits for it: see test_incus.py
    assert published(relation)["nodes"] == nodes(cluster, [0, 2], client)


def test_another_member_hangs(cluster, administrator, app, relation, active):
    """LXD commits a change and then waits for the one that hangs: GET decides."""
    old, new = [identity() for _ in range(3)], [identity() for _ in range(4)]
    relation.join("builder/0", client_certificates=bundle(*old))
    with hanging(cluster.members[2]):
        (hook,) = relation.publish("builder/0", client_certificates=bundle(*new))
    assert hook.exit_code == 0 and hook.wall_seconds < 60
    assert app.units[0].status == active(4, 3)
    wanted = {client.fingerprint for client in new}
    assert clients_of(cluster.members[0], administrator) == wanted
    assert published(relation)["nodes"] == nodes(cluster, range(3), *new)
    settle(cluster, "Online", "Online", "Online")
    assert clients_of(cluster.members[2], administrator) == wanted


def test_list_of_members_is_one_cluster(juju, cluster, administrator, active):
    """One that answers serves: another one may be asked, and is changed by nobody."""
    client = identity()
    first, second, third = cluster.members
    config = {
        "lxd_endpoint": ",".join(member.url for member in cluster.members),
        "lxd_client_cert": administrator.certificate,
        "lxd_client_key": administrator.key,
        "lxd_server_cert": first.certificate,
    }
    first.stop()
    with second.recording() as asked, third.recording() as passed_over:
        app = juju.deploy(config=config)
        relation = app.relate("builder")
        relation.join("builder/0", client_certificates=bundle(client))
    assert "/1.0/certificates?recursion=1" in {request.url for request in asked}
    assert "POST" in {request.method for request in asked}
    assert "POST" not in {request.method for request in passed_over}
    assert app.units[0].status == active(1, 3)
    assert client.fingerprint in second.trust_store
    assert any(second.url in line for line in app.units[0].hooks[-1].logged("WARNING"))
    outcome = app.units[0].run_action("check")
    assert outcome.status == "completed"  # as the status has it
    assert "connection refused" in outcome.results["server-1"]["1-address"]
    assert "trusts our certificate" in outcome.results["server-2"]["3-trust"]


@pytest.mark.core
def test_member_that_is_evacuated_serves_on(cluster, app, relation):
    first = cluster.members[0]
    path = f"/1.0/cluster/members/{cluster.name(2)}/state"
    wait(first, first.request("POST", path, {"action": "evacuate"}))
    settle(cluster, "Online", "Online", "Evacuated")
    app.update_status()
    assert published(relation)["nodes"] == nodes(cluster, range(3))
    wait(first, first.request("POST", path, {"action": "restore"}))


# --- the endpoint https ---


@pytest.fixture
def https(app):
    return app.relate("viewer", "https")


def ask(client):
    return {"version": "1.0", "certificate": client.certificate}


def addresses(cluster, *numbers):
    return [cluster.members[number].address for number in numbers]


def written(hooks, relation):
    """What the hooks wrote to this relation."""
    calls = [call.arguments for hook in hooks for call in hook.called("relation-set")]
    return [arguments for arguments in calls if arguments[2] == relation.id]


def test_https_is_told_by_the_leader(cluster, administrator, app, https):
    leader, follower = app.units[0], app.add_unit()
    client = identity()
    hooks = https.join("viewer/0", **ask(client))
    bag = https.application_published()
    # The configured member comes first.
    assert bag == reachable(
        cluster.members[1], client, addresses=addresses(cluster, 1, 0, 2)
    )
    assert https.published(leader) == https.published(follower) == {}
    assert [log_in(bag, client, number)["auth"] for number in range(3)] == ["trusted"] * 3
    assert written(hooks, https) == [("relation-set", "-r", https.id, "--file", "-", "--app")]
    https.remove()
    assert clients_of(cluster.members[0], administrator) == set()
    assert log_in(bag, client)["auth"] == "untrusted"


def test_https_is_told_by_the_next_leader(cluster, administrator, app, https, active):
    leader, follower = app.units[0], app.add_unit()
    https.join("viewer/0")
    client, other = identity(), identity()
    https.settings["viewer/0"].update(ask(client))
    hook = follower.run(Event("relation-changed", https, "viewer/0"))
    assert clients_of(cluster.members[0], administrator) == set()
    assert hook.called("relation-set") == [] and https.application_published() == {}
    app.elect(follower)
    assert clients_of(cluster.members[0], administrator) == {client.fingerprint}
    bag = https.application_published()
    assert log_in(bag, client)["auth"] == "trusted"
    # Who leads no longer may not even read it, and has nothing to say.
    hooks = https.publish("viewer/0", **ask(other))
    assert {hook.exit_code for hook in hooks} == {0}
    assert leader.status == follower.status == active(1, 3)
    assert clients_of(cluster.members[0], administrator) == {other.fingerprint}
    assert https.application_published() == {
        **bag,
        "trusted_certs_fp": compact([other.fingerprint]),
    }
    assert written(hooks, https) == [("relation-set", "-r", https.id, "--file", "-", "--app")]


def test_https_configured_member_is_down(cluster, administrator, app, https, active):
    """All that the charm knows of the other members is what it has said on this relation."""
    client, other = identity(), identity()
    https.join("viewer/0", **ask(client))
    first, configured, _ = cluster.members
    configured.stop()
    https.publish("viewer/0", **ask(other))
    assert app.units[0].status in (active(1, 3), active(1, 2))  # as above
    bag = https.application_published()
    assert bag["addresses"].split(",")[0] == first.address
    assert log_in(bag, other)["auth"] == "trusted"
    settle(cluster, "Online", "Offline", "Online")
    app.update_status()
    bag = https.application_published()
    assert bag == reachable(configured, other, addresses=addresses(cluster, 0, 2))
    https.remove()
    assert clients_of(first, administrator) == set()


def test_https_moves_between_a_server_and_a_cluster(lxd, juju, cluster, administrator):
    lxd.trust(administrator, "juju")
    servers = lxd, cluster.members[0]
    alone, clustered = (
        {"lxd_endpoint": server.url, "lxd_server_cert": server.certificate} for server in servers
    )
    keys = {
        "lxd_client_cert": administrator.certificate,
        "lxd_client_key": administrator.key,
    }
    app = juju.deploy(config={**keys, **alone}, units=2)
    https = app.relate("viewer", "https")
    client = identity()
    https.join("viewer/0", **ask(client))
    assert [https.published(unit) for unit in app.units] == [reachable(lxd, client)] * 2
    app.configure(**clustered)
    assert [https.published(unit) for unit in app.units] == [{}, {}]
    expected = reachable(
        cluster.members[0], client, addresses=addresses(cluster, 0, 1, 2)
    )
    assert https.application_published() == expected
    app.configure(**alone)
    assert [https.published(unit) for unit in app.units] == [reachable(lxd, client)] * 2
    assert https.application_published() == {}


def wait(member, operation):
    done = member.request("GET", f"/1.0/operations/{operation['id']}/wait")
    assert not done["err"], done["err"]


@pytest.mark.core
def test_token_of_one_member_serves_for_all(juju, cluster, active):
    """The server certificate that the token names is the cluster's."""
    app = juju.deploy(config={"lxd_trust_token": new_token(cluster.members[1])})
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert app.units[0].status == active(1, 3)
    assert published(relation)["nodes"] == nodes(cluster, [0, 1, 2], client)
    cluster.members[1].stop()
    app.update_status()
    assert app.units[0].status[0] == "active"


def test_no_quorum(cluster, administrator, app, relation, active):
    """Two of three members are away: the last one can read its database at most."""
    stale, wanted = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(stale))
    cluster.members[0].stop()
    cluster.members[2].stop()
    (hook,) = relation.publish("builder/0", client_certificates=bundle(wanted))
    assert hook.exit_code == 0 and hook.wall_seconds < 62
    assert app.units[0].status[0] == "waiting"
    assert published(relation)["registered_certificates"] != [wanted.certificate]
    start_all(cluster)
    app.update_status()
    assert clients_of(cluster.members[0], administrator) == {wanted.fingerprint}
    assert app.units[0].status == active(1, 3)
    assert published(relation)["nodes"] == nodes(cluster, range(3), wanted)


def test_demo(juju, cluster):
    Cluster(juju, cluster).run()


def test_member_that_leaves_the_cluster(cluster, app, relation, active):
    """The last test here: the cluster is smaller afterwards."""
    cluster.members[0].request("DELETE", f"/1.0/cluster/members/{cluster.name(2)}?force=1")
    app.update_status()
    assert published(relation)["nodes"] == nodes(cluster, range(2))
    assert app.units[0].status == active(0, 2)
