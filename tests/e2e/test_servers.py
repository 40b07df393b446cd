# SPDX-License-Identifier: Apache-2.0
"""Several standalone servers: each gets the certificates, each is a node, and one that is away keeps
nobody waiting."""

import pytest

from expectations import cut, published, rejections, served
from lxd import SOFTWARE, Lxd, free_port
from peers import Hole
from pki import bundle, identity


@pytest.fixture(params=["agent"])
def transport(request):
    """One way to Juju will do: what these tests are about is between the charm and LXD."""
    return request.param


@pytest.fixture(scope="module")
def second_daemon():
    with Lxd("127.0.0.2") as daemon:
        yield daemon


@pytest.fixture
def second(second_daemon, admin):
    """Another LXD, which trusts the same administrator."""
    second_daemon.reset()
    second_daemon.trust(admin, "juju")
    return second_daemon


def configuration(administrator, *servers):
    return {
        "lxd_endpoint": ", ".join(server.url for server in servers),
        "lxd_client_cert": administrator.certificate,
        "lxd_client_key": administrator.key,
        "lxd_server_cert": "".join(server.certificate for server in reversed(servers)),
    }


@pytest.fixture
def app(juju, admin, lxd, second):
    """The charm, configured with both."""
    return juju.deploy(config=configuration(admin, lxd, second))


def served_by(*databags):
    """What several servers say together, of the databag that each of them alone would be given."""
    nodes = sorted((bag["nodes"][0] for bag in databags), key=lambda node: node["endpoint"])
    return {**databags[0], "nodes": nodes}


def unreachable(server, elsewhere, reason="connection refused"):
    return (
        "waiting",
        cut(f"LXD at {server.url} unreachable: {reason}; retrying; elsewhere {elsewhere}, 1 node"),
    )


def test_every_server_gets_every_certificate(lxd, second, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert client.fingerprint in lxd.trust_store and client.fingerprint in second.trust_store
    assert published(relation) == served_by(served(lxd, client), served(second, client))
    status = f"1 certificate trusted, {SOFTWARE} {lxd.version}, 2 nodes"
    assert unit.status == ("active", status)
    relation.publish("builder/0", client_certificates="[]")
    assert published(relation) == served_by(served(lxd), served(second))
    assert client.fingerprint not in lxd.trust_store | second.trust_store


def test_one_that_is_away_keeps_nobody_waiting(lxd, second, app, unit, relation):
    old, new = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(old))
    second.stop()
    (hook,) = relation.publish("builder/0", client_certificates=bundle(new))
    version = lxd.version
    assert unit.status == unreachable(second, f"1 certificate trusted, {SOFTWARE} {version}")
    assert any(second.url in line for line in hook.logged("WARNING"))
    second.start()
    # Of the one that is away nothing new is claimed, and nothing is taken back.
    assert published(relation) == {**served_by(served(lxd, new), served(second, old))}
    assert old.fingerprint not in lxd.trust_store and old.fingerprint in second.trust_store
    app.update_status()
    assert published(relation) == served_by(served(lxd, new), served(second, new))
    assert old.fingerprint not in second.trust_store
    assert unit.status == ("active", f"1 certificate trusted, {SOFTWARE} {version}, 2 nodes")


def test_nothing_is_written_because_one_comes_and_goes(second, app, relation):
    relation.join("builder/0", client_certificates=bundle(identity()))
    second.stop()
    (away,) = app.update_status()
    second.start()
    (back,) = app.update_status()
    written = [call.arguments[2] for hook in (away, back) for call in hook.called("relation-set")]
    assert relation.id not in written


def test_one_that_was_never_there_is_no_node(lxd, juju, admin, second):
    second.stop()
    app = juju.deploy(config=configuration(admin, second, lxd))
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)
    assert app.units[0].status[0] == "waiting"


def test_nothing_is_published_where_all_are_away(lxd, second, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    before = published(relation)
    lxd.stop()
    second.stop()
    relation.publish("builder/0", client_certificates="[]")
    assert published(relation) == before
    assert unit.status == (
        "waiting",
        f"LXD at {lxd.url} unreachable: connection refused; retrying; 1 more server in trouble",
    )


def test_relation_that_breaks_while_one_is_away(lxd, second, app, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    second.stop()
    relation.remove()
    assert client.fingerprint not in lxd.trust_store
    second.start()
    assert client.fingerprint in second.trust_store
    app.update_status()
    assert client.fingerprint not in second.trust_store


def test_one_that_does_not_trust_us(lxd, second, app, unit, admin, relation):
    second.distrust(admin.fingerprint)
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert client.fingerprint in lxd.trust_store
    status, message = unit.status
    assert status == "blocked"
    assert message.startswith(f"{SOFTWARE} at {second.url} does not trust the client certificate ")
    assert "trust add" in message
    assert published(relation) == served_by(served(lxd, client), served(second))


def test_one_that_nobody_expects(lxd, second, app, unit, admin, relation):
    app.configure(lxd_server_cert=lxd.certificate + identity().certificate)
    client = identity()
    with second.recording() as requests:
        relation.join("builder/0", client_certificates=bundle(client))
    assert requests == []
    assert client.fingerprint in lxd.trust_store
    status, message = unit.status
    assert status == "blocked" and message.startswith(f"LXD at {second.url} presents certificate ")


def test_certificate_that_one_of_them_refuses(lxd, second, unit, relation):
    client, other = identity(), identity()
    second.trust(client, "alice", restricted=True, projects=[])
    relation.join("builder/0", client_certificates=bundle(client, other))
    told = published(relation)
    assert told["nodes"] == served_by(served(lxd, client, other), served(second, other))["nodes"]
    assert told["registered_certificates"] == [other.certificate]
    assert rejections(relation) == {
        client.fingerprint: f'{SOFTWARE} at {second.url}: {SOFTWARE} has it as "alice", which opens no project'
    }
    assert unit.status == (
        "active",
        f"1 certificate trusted, {SOFTWARE} {lxd.version}, 2 nodes; "
        f"1 certificate rejected: builder ({relation.id})",
    )


def test_hole_does_not_eat_the_time(lxd, juju, admin):
    app = juju.deploy(config=configuration(admin, lxd))
    relation = app.relate("builder")
    relation.join("builder/0")
    client = identity()
    relation.settings["builder/0"]["client_certificates"] = bundle(client)
    with Hole() as hole:
        (hook,) = app.configure(**configuration(admin, hole, lxd))
    assert published(relation) == served(lxd, client)
    assert hook.wall_seconds < 10
    status, message = app.units[0].status
    assert status == "waiting"
    assert message.startswith(f"LXD at {hole.url} unreachable: timed out")


def test_server_that_is_taken_out_is_no_node_any_more(lxd, second, app, admin, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.configure(**configuration(admin, lxd))
    assert published(relation) == served(lxd, client)


def test_endpoint_listed_twice_is_one_node(lxd, juju, admin):
    app = juju.deploy(config=configuration(admin, lxd, lxd))
    relation = app.relate("builder")
    assert published(relation) == served(lxd)
    assert app.units[0].status == ("active", f"0 certificates trusted, {SOFTWARE} {lxd.version}, 1 node")


def test_two_spellings_are_one_node(lxd, juju, admin):
    config = configuration(admin, lxd, lxd)
    config["lxd_endpoint"] = f"{lxd.url},localhost:{lxd.port},LOCALHOST:{lxd.port}"
    app = juju.deploy(config=config)
    relation = app.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation) == served(lxd, client)
    assert app.units[0].status == ("active", f"1 certificate trusted, {SOFTWARE} {lxd.version}, 1 node")


def test_clone_is_a_server_of_its_own(lxd, juju, admin):
    """It has the first one's certificate, and another trust store."""
    with Lxd("127.0.0.4", lxd.identity) as clone:
        clone.trust(admin, "juju")
        app = juju.deploy(config=configuration(admin, lxd, clone))
        relation = app.relate("builder")
        client = identity()
        relation.join("builder/0", client_certificates=bundle(client))
        assert client.fingerprint in lxd.trust_store and client.fingerprint in clone.trust_store
        assert published(relation) == served_by(served(lxd, client), served(clone, client))


@pytest.mark.parametrize("endpoints", ["{0},", "{0},,{0}", "{0},unix:///x", "{0} {0}"])
def test_list_of_no_use_is_told(lxd, juju, admin, endpoints):
    config = {**configuration(admin, lxd), "lxd_endpoint": endpoints.format(lxd.url)}
    status, message = juju.deploy(config=config).units[0].status
    assert status == "blocked" and message.startswith("lxd_endpoint: ")


def test_probe_looks_at_each(lxd, admin, command_line, tmp_path):
    certificate, key = admin.write(tmp_path, "admin")
    server = tmp_path / "server.crt"
    server.write_text(lxd.certificate)
    nobody = f"127.0.0.1:{free_port()}"
    done = command_line(
        *("probe", "--endpoint", f"{nobody},{lxd.url}", "--server-cert", server),
        *("--cert", certificate, "--key", key),
    )
    assert done.returncode == 1 and nobody in done.stderr
    *_, seen = done.stdout.split("endpoint: ")
    assert seen.split("\n")[0].strip() == lxd.url and "trusts our certificate" in seen
