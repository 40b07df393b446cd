# SPDX-License-Identifier: Apache-2.0
"""Nothing is left behind in a trust store without a word: how many entries, their names, at which server, and
the command that removes them."""

import re

import pytest

from between import Between
from expectations import active, published, served
from juju import lxd_cloud
from lxd import INCUS, SOFTWARE, Lxd
from peers import Proxy
from pki import bundle, identity
from test_servers import configuration, second, second_daemon, served_by  # noqa: F401

SENTENCE = re.compile(
    r'(?:(\d+) )?entr(?:y|ies) named (\S+)\* may stay in (LXD|Incus) at ([^\s,]+)'
    r'(?:, where another one is now)?: there, run "(.*)"'
    r"( \(incus for lxc where it is Incus\))?$"
)


@pytest.fixture
def clients(relation):
    """Certificates that are trusted."""
    requirers = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(*requirers))
    return {requirer.fingerprint for requirer in requirers}


def warning(app, hooks, lxd, count=2):
    """The one WARNING that these hooks gave: checked, and the command in it. count is None where
    nobody knows how many."""
    lines = [line for hook in hooks for line in hook.logged("WARNING")]
    ((number, prefix, name, url, command, hint),) = {
        found.groups() for found in map(SENTENCE.match, lines) if found
    }
    assert (number and int(number), url) == (count, lxd.url)
    assert name == SOFTWARE or hint
    assert prefix == f"juju.{app.juju.model_uuid[:8]}.{app.name}."
    return command.replace("lxc ", "incus ") if INCUS else command


def run(lxd, command):
    done = lxd._run("sh", "-c", command)
    assert done.returncode == 0, done.stderr


@pytest.mark.core
def test_application_that_goes_while_lxd_is_down(lxd, admin, app, clients):
    lxd.stop()
    hooks = app.remove()
    lxd.start()
    assert clients < set(lxd.trust_store)
    run(lxd, warning(app, hooks, lxd))
    assert set(lxd.trust_store) == {admin.fingerprint}


def test_application_that_goes_with_a_credential_that_was_restricted(lxd, admin, app, clients):
    restricted = {"restricted": True, "projects": ["default"]}
    lxd.request("PATCH", f"/1.0/certificates/{admin.fingerprint}", restricted)
    hooks = app.remove()
    assert clients < set(lxd.trust_store)
    warning(app, hooks, lxd)


def test_trust_that_is_taken_before_the_application_goes(lxd, app, unit, clients):
    hooks = app.trust(False)
    command = warning(app, hooks, lxd)
    assert unit.status[0] == "blocked" and "may stay in " in unit.status[1]
    app.remove()
    run(lxd, command)
    assert not clients & set(lxd.trust_store)


def test_another_lxd_takes_the_place_of_the_first(lxd, admin, second, app, unit, relation, clients):
    """The first one's certificate is expected no more: it cannot be visited."""
    app.cloud = lxd_cloud(second.url, admin, second.certificate)
    hooks = app.update_status()
    assert clients < set(lxd.trust_store) and clients < set(second.trust_store)
    assert [node["endpoint"] for node in published(relation)["nodes"]] == [second.url]
    assert "may stay in " in unit.status[1]
    run(lxd, warning(app, hooks, lxd))
    assert set(lxd.trust_store) == {admin.fingerprint}
    app.update_status()
    assert unit.status == active(second, 2)


@pytest.fixture
def both(juju, admin, lxd, second):
    """The charm, configured with two servers."""
    return juju.deploy(config=configuration(admin, lxd, second))


def test_server_that_is_taken_out_is_cleaned(lxd, second, admin, both):
    relation = both.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert client.fingerprint in second.trust_store
    (hook,) = both.configure(lxd_endpoint=lxd.url)  # its certificate is expected still
    assert published(relation) == served(lxd, client)
    assert set(second.trust_store) == {admin.fingerprint}
    assert [line for line in hook.logged("WARNING") if "may stay" in line] == []


def test_server_that_no_databag_names_is_cleaned_too(lxd, second, admin, both):
    """The endpoint https has room for the first server only."""
    client = identity()
    both.relate("viewer", "https").join("viewer/0", version="1.0", certificate=client.certificate)
    both.add_unit()
    assert client.fingerprint in second.trust_store
    second.stop()
    both.update_status()
    second.start()
    both.configure(lxd_endpoint=lxd.url)
    assert set(second.trust_store) == {admin.fingerprint}
    assert client.fingerprint in lxd.trust_store


def test_server_that_is_taken_out_while_it_is_down(lxd, second, admin, both):
    relation = both.relate("builder")
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    second.stop()
    hooks = both.configure(lxd_endpoint=lxd.url)
    second.start()
    assert published(relation) == served(lxd, client)
    run(second, warning(both, hooks, second, 1))
    assert set(second.trust_store) == {admin.fingerprint}


def test_server_that_is_taken_out_while_another_is_down(lxd, second, admin, juju):
    with Lxd("127.0.0.3") as third:
        third.trust(admin, "juju")
        app = juju.deploy(config=configuration(admin, lxd, second, third))
        relation = app.relate("builder")
        client = identity()
        relation.join("builder/0", client_certificates=bundle(client))
        second.stop()
        app.configure(lxd_endpoint=f"{lxd.url},{second.url}")
        second.start()
        assert published(relation) == served_by(served(lxd, client), served(second, client))
        assert set(third.trust_store) == {admin.fingerprint}


def test_server_that_gives_way_to_one_that_is_down(lxd, second, admin, juju):
    """Until that is reached it may be the same one."""
    with Lxd("127.0.0.3") as third:
        third.trust(admin, "juju")
        app = juju.deploy(config=configuration(admin, lxd, second, third))
        app.configure(lxd_endpoint=f"{lxd.url},{second.url}")
        client = identity()
        app.relate("builder").join("builder/0", client_certificates=bundle(client))
        third.stop()
        app.configure(lxd_endpoint=f"{lxd.url},{third.url}")
        app.update_status()
        assert client.fingerprint in second.trust_store
        third.start()
        app.update_status()
        assert set(second.trust_store) == {admin.fingerprint}
        assert client.fingerprint in third.trust_store


def test_new_leader_cleans_what_the_old_one_did_not(lxd, second, admin, both):
    """It has seen the change before it led."""
    leader, follower = both.units[0], both.add_unit()
    client = identity()
    both.relate("builder").join("builder/0", client_certificates=bundle(client))
    leader.stop_agent()
    both.configure(lxd_endpoint=lxd.url)
    assert client.fingerprint in second.trust_store
    both.lose_unit(leader)
    assert follower.is_leader
    assert set(second.trust_store) == {admin.fingerprint}
    assert client.fingerprint in lxd.trust_store


def test_new_leader_believes_the_old_one(lxd, second, both):
    """What that has cleaned nobody misses."""
    leader, follower = both.units[0], both.add_unit()
    both.relate("builder").join("builder/0", client_certificates=bundle(identity()))
    both.configure(lxd_endpoint=lxd.url)
    both.update_status()
    second.stop()
    hooks = both.lose_unit(leader)
    second.start()
    assert follower.is_leader
    assert [line for hook in hooks for line in hook.logged("WARNING") if "may stay" in line] == []


@pytest.mark.parametrize("turn", [1, -1])
def test_server_that_gets_another_name(lxd, admin, juju, turn):
    """It is no other one, and all that is trusted there stays."""
    before, after = [f"https://localhost:{lxd.port}", lxd.url][::turn]
    app = juju.deploy(config={**configuration(admin, lxd), "lxd_endpoint": before})
    relation, client = app.relate("builder"), identity()
    relation.join("builder/0", client_certificates=bundle(client))
    trusted = lxd.trust_store
    (hook,) = app.configure(lxd_endpoint=after)
    assert lxd.trust_store == trusted and client.fingerprint in trusted
    assert [node["endpoint"] for node in published(relation)["nodes"]] == [after]
    assert [line for line in hook.logged("WARNING") if "may stay" in line] == []


def test_server_that_is_reached_around_a_proxy(lxd, admin, juju):
    """It lists the address that it has now."""
    with Proxy(lxd.host, lxd.port) as proxy:
        app = juju.deploy(config={**configuration(admin, lxd), "lxd_endpoint": proxy.url})
        relation, client = app.relate("builder"), identity()
        relation.join("builder/0", client_certificates=bundle(client))
        (hook,) = app.configure(lxd_endpoint=lxd.url)
        assert client.fingerprint in lxd.trust_store
        assert published(relation) == served(lxd, client)
        assert [line for line in hook.logged("WARNING") if "may stay" in line] == []


def test_clone_that_is_taken_out(lxd, admin, juju):
    """Nothing tells that it is the same one, nor that it is another: that is said, and nothing removed."""
    with Lxd("127.0.0.4", lxd.identity) as clone:
        clone.trust(admin, "juju")
        app = juju.deploy(config=configuration(admin, lxd, clone))
        relation, client = app.relate("builder"), identity()
        relation.join("builder/0", client_certificates=bundle(client))
        hooks = app.configure(lxd_endpoint=lxd.url)
        assert client.fingerprint in lxd.trust_store and client.fingerprint in clone.trust_store
        run(clone, warning(app, hooks, clone, 1))
        assert set(clone.trust_store) == {admin.fingerprint}


def test_relation_and_application_that_go_while_lxd_is_down(lxd, admin, app, relation, clients):
    lxd.stop()
    relation.remove()
    hooks = app.remove()
    lxd.start()
    run(lxd, warning(app, hooks, lxd, None))
    assert set(lxd.trust_store) == {admin.fingerprint}


def test_server_that_was_taken_out_when_the_application_goes(lxd, second, admin, juju):
    app = juju.deploy(config=configuration(admin, lxd, second))
    app.configure(lxd_endpoint=lxd.url)
    client = identity()
    app.relate("builder").join("builder/0", client_certificates=bundle(client))
    second.stop()
    app.configure(lxd_endpoint=second.url)
    hooks = app.remove()
    second.start()
    said = {found[4]: found[1] for hook in hooks for found in map(SENTENCE.match, hook.logged("WARNING")) if found}
    assert client.fingerprint in lxd.trust_store and said[lxd.url] is None


def test_server_that_is_taken_out_and_refuses(lxd, second, admin, juju):
    with Between(second, admin) as between:
        app = juju.deploy(config=configuration(admin, lxd, between))
        client = identity()
        app.relate("builder").join("builder/0", client_certificates=bundle(client))
        between.instead = lambda method, path: (400, "not today") if method == "DELETE" else None
        hooks = app.configure(lxd_endpoint=lxd.url)
        assert client.fingerprint in second.trust_store
        warning(app, hooks, between, 1)


def test_application_that_goes_and_lxd_refuses(lxd, admin, juju):
    with Between(lxd, admin) as between:
        app = juju.deploy(trust=True, cloud=lxd_cloud(between.url, admin, between.certificate))
        client = identity()
        app.relate("builder").join("builder/0", client_certificates=bundle(client))
        between.instead = lambda method, path: (400, "not today") if method == "DELETE" else None
        hooks = app.remove()
        assert client.fingerprint in lxd.trust_store
        warning(app, hooks, between, 1)


def test_endpoint_that_leads_to_another_lxd(lxd, second, admin, juju):
    with Proxy(lxd.host, lxd.port) as proxy:
        app = juju.deploy(config={**configuration(admin, lxd, second), "lxd_endpoint": proxy.url})
        client = identity()
        app.relate("builder").join("builder/0", client_certificates=bundle(client))
        proxy.lead_to(second.host, second.port)
        hooks = app.update_status()
        assert client.fingerprint in second.trust_store
        run(lxd, warning(app, hooks, proxy, None))
        assert client.fingerprint not in lxd.trust_store
        assert [line for hook in app.update_status() for line in hook.logged("WARNING")] == []


def test_certificates_of_https_are_counted(lxd, app):
    client = identity()
    app.relate("viewer", "https").join("viewer/0", version="1.0", certificate=client.certificate)
    lxd.stop()
    hooks = app.remove()
    lxd.start()
    run(lxd, warning(app, hooks, lxd, 1))
    assert client.fingerprint not in lxd.trust_store


def test_own_entry_of_an_enrolment(lxd, juju):
    token = lxd.new_token("token")
    app = juju.deploy(config={"lxd_trust_token": token})
    (own,) = lxd.trust_store
    client = identity()
    app.relate("builder").join("builder/0", client_certificates=bundle(client))
    hooks = app.remove()
    assert list(lxd.trust_store) == [own]
    lines = {line for hook in hooks for line in hook.logged("WARNING") if own[:12] in line}
    (command,) = {re.search('run "(.*)"$', line)[1] for line in lines}
    run(lxd, command)
    assert lxd.trust_store == {}


def test_nothing_left_is_no_word(lxd, app, clients):
    hooks = app.remove()
    assert not clients & set(lxd.trust_store)
    assert [line for hook in hooks for line in hook.logged("WARNING")] == []
