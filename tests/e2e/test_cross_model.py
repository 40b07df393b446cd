# SPDX-License-Identifier: Apache-2.0
"""Requirers of other models: offers, consumers, and what ends a relation across models.

The consumer's application is remote-<32 hex> here: on Juju 2.9 and 3.x one for all relations of a
consumer, on 4.x a new one for each. goal-state never names it."""

import re

import pytest

from expectations import active, entry_name, published, rejections, served
from pki import bundle, identity

CONSUMER = re.compile("remote-[0-9a-f]{32}")


@pytest.fixture(params=["2.9", "3.6", "4.0"])
def version(request):
    return request.param


@pytest.fixture
def app(juju, cloud, version):
    juju.version = version
    return juju.deploy(trust=True, cloud=cloud)


@pytest.fixture
def consume(app):
    """juju consume and integrate: the relation, with one unit that asks for these certificates."""

    def consume(*identities, name="builder", endpoint="api", **settings):
        relation = app.relate(name, endpoint, cross_model=True)
        if endpoint == "api":
            settings["client_certificates"] = bundle(*identities)
        else:
            settings["certificate"] = identities[0].certificate
        relation.join(f"{relation.application}/0", **settings)
        return relation

    return consume


@pytest.fixture
def clients(lxd, admin):
    """Whom LXD admits beside the charm."""

    def clients():
        return set(lxd.trust_store) - {admin.fingerprint}

    return clients


def test_consumer_is_served(lxd, app, unit, consume, clients):
    client = identity()
    relation = consume(client)
    assert CONSUMER.fullmatch(relation.application)
    prefix = f"juju.{app.juju.model_uuid[:8]}.{app.name}"
    assert lxd.trust_store[client.fingerprint]["name"] == entry_name(prefix, relation, client)
    assert published(relation) == served(lxd, client)
    for _ in range(2):
        app.update_status()
    assert lxd.auth(client) == "trusted"
    relation.publish(f"{relation.application}/0", client_certificates="[]")
    assert clients() == set() and lxd.auth(client) != "trusted"
    relation.remove()
    assert unit.status == active(lxd, 0)


def test_status_names_the_consumer_and_the_relation(app, unit, consume):
    """By its number "juju offers" tells who it is."""
    relation = consume("nonsense")
    assert unit.status[1].endswith(f"1 certificate rejected: {relation.application} ({relation.id})")
    assert list(rejections(relation)) == [""]


def test_both_endpoints_of_one_consumer(lxd, juju, consume, clients):
    """One certificate by two relations, under two names of the consumer on Juju 4."""
    client = identity()
    api, https = consume(client), consume(client, endpoint="https")
    assert (api.application == https.application) is not juju.is_new
    assert clients() == {client.fingerprint}
    api.remove()
    assert lxd.auth(client) == "trusted"
    https.remove()
    assert clients() == set()


def test_suspended_and_resumed(lxd, app, consume, clients):
    """juju suspend-relation is the operator's way to shut somebody out for a while."""
    client, other = identity(), identity()
    relation, staying = consume(client), consume(other, name="deployer")
    relation.suspend()
    assert lxd.auth(client) != "trusted"
    app.update_status()
    assert clients() == {other.fingerprint}
    assert published(staying) == served(lxd, other)
    late = identity()
    relation.settings[f"{relation.application}/0"]["client_certificates"] = bundle(client, late)
    relation.resume()
    assert clients() == {client.fingerprint, late.fingerprint, other.fingerprint}
    assert published(relation) == served(lxd, client, late)


@pytest.mark.usefixtures("projects")
def test_suspended_wish_is_narrowed_away(lxd, app, consume):
    """By update-status: until then a requirer whom goal-state never names may have more to say."""
    client = identity()
    relation, staying = consume(client), consume(client, name="deployer", projects="blue")
    assert lxd.trust_store[client.fingerprint]["restricted"] is False
    relation.suspend()
    app.update_status()
    entry = lxd.trust_store[client.fingerprint]
    assert (entry["restricted"], entry["projects"]) == (True, ["blue"])
    assert published(staying) == served(lxd, client)


def test_suspended_while_lxd_is_down(lxd, app, unit, consume, clients):
    client = identity()
    relation = consume(client)
    lxd.stop()
    relation.suspend()
    lxd.start()
    assert clients() == {client.fingerprint}
    app.update_status()
    assert clients() == set() and unit.status == active(lxd, 0)


def test_offer_is_removed_by_force(app, consume, clients):
    """Nothing fires, and goal-state says nothing of it; the next hook of any kind revokes."""
    relation, kept = consume(identity()), identity()
    staying = consume(kept, name="deployer")
    relation.force_remove()
    app.fire("config-changed")
    assert clients() == {kept.fingerprint}
    staying.publish(f"{staying.application}/0", client_certificates="[]")
    assert clients() == set()


def test_consumed_anew_after_a_removal_by_force(lxd, juju, app, unit, consume, clients):
    first, second = identity(), identity()
    gone = consume(first)
    gone.force_remove()
    again = consume(second)
    assert (gone.application == again.application) is not juju.is_new
    app.update_status()
    assert clients() == {second.fingerprint}
    assert published(again) == served(lxd, second)
    unit.restart_agent()
    app.update_status()
    assert clients() == {second.fingerprint}


def test_removed_while_our_agent_is_away(lxd, app, unit, consume, clients):
    """On Juju 4 also an ordinary removal ends so: nobody waits for our hooks."""
    client, kept = identity(), identity()
    relation = consume(client)
    consume(kept, name="deployer")
    unit.stop_agent()
    relation.force_remove()
    unit.start_agent()
    app.update_status()
    assert clients() == {kept.fingerprint}
    assert lxd.auth(client) != "trusted"


def test_unit_that_is_removed_by_force(app, unit, consume, clients):
    """goal-state never shows it: the remedy is a restart of our unit's agent."""
    gone = identity()
    relation = consume(gone)
    relation.force_remove_unit(f"{relation.application}/0")
    app.update_status()
    assert clients() == {gone.fingerprint}
    unit.restart_agent()
    assert clients() == set()
