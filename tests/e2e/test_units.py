# SPDX-License-Identifier: Apache-2.0
"""Several units of the charm: the leader alone changes LXD, the others tell what is there, and one
that goes leaves alone what the others still need."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from agent import Event
from expectations import published, served
from hook_commands import Reply
from juju import Juju
from pki import bundle, constant_identity, identity


@pytest.fixture
def follower(app, unit):
    """A second unit, which is not the leader."""
    return app.add_unit()


@pytest.fixture
def registered(lxd, admin):
    """The fingerprints in the trust store beside the charm's own credential."""
    return lambda: set(lxd.trust_store) - {admin.fingerprint}


def publish_unseen(relation, value):
    """A remote unit publishes; no hook has run for it yet."""
    relation.settings["builder/0"]["client_certificates"] = value
    return Event("relation-changed", relation, "builder/0")


def test_every_unit_answers_in_its_own_databag(lxd, unit, follower, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation, unit) == published(relation, follower) == served(lxd, client)


def test_follower_adds_nothing(lxd, unit, follower, relation, registered):
    relation.join("builder/0")
    client = identity()
    changed = publish_unseen(relation, bundle(client))
    follower.run(changed)
    assert registered() == set()
    assert published(relation, follower)["registered_certificates"] == []
    unit.run(changed)
    assert registered() == {client.fingerprint}
    assert published(relation, unit) == served(lxd, client)
    follower.run(Event("update-status"))
    assert published(relation, follower) == served(lxd, client)


def test_every_unit_says_what_lxd_refuses(lxd, app, unit, follower, relation):
    """LXD has told only the leader. Another unit says so once the leader has passed it on."""
    exotic, client = constant_identity("exotic", ec.SECP256K1), identity()
    relation.join("builder/0", client_certificates=bundle(exotic, client))
    (rejected,) = published(relation, unit)["rejected_certificates"]
    assert rejected["fingerprint"] == exotic.fingerprint
    assert "curve" in rejected["reason"]
    assert published(relation, follower) == published(relation, unit)
    assert follower.status == unit.status
    relation.publish("builder/0", client_certificates=bundle(client))
    assert published(relation, follower) == served(lxd, client)


def test_old_hook_of_a_follower_brings_nothing_back(juju, app, follower, relation, registered):
    """Its update-status had begun before the member departed."""
    relation.join("builder/0", client_certificates=bundle(identity()))
    juju.asleep = True
    relation.depart("builder/0")
    juju.asleep = False
    app.leader.run_pending()
    assert registered() == set()
    follower.deliver(Event("update-status"))
    assert registered() == set()


def test_only_the_leader_says_that_it_added(unit, follower, relation):
    client = identity()
    hooks = relation.join("builder/0", client_certificates=bundle(client))
    lines = [line for hook in hooks for line in hook.logged("INFO")]
    assert sum("is in the trust store" in line for line in lines) == 1


def test_removal_waits_for_the_leader(unit, follower, relation, registered):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    changed = publish_unseen(relation, "[]")
    follower.run(changed)
    assert registered() == {client.fingerprint}
    unit.run(changed)
    assert registered() == set()


def test_leadership_moves_before_the_leader_saw_the_change(app, follower, relation, registered):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    follower.run(publish_unseen(relation, "[]"))
    assert registered() == {client.fingerprint}
    app.elect(follower)
    assert registered() == set()


def test_former_leader_removes_nothing(app, unit, follower, relation, registered):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.elect(follower)
    unit.run(publish_unseen(relation, "[]"))
    assert registered() == {client.fingerprint}


def test_relation_breaks_for_follower_and_leader(unit, follower, relation, registered):
    relation.join("builder/0", client_certificates=bundle(identity()))
    hooks = relation.remove()
    assert registered() == set()
    assert {hook.exit_code for hook in hooks} == {0}


@pytest.mark.parametrize("who", ["leader", "follower"])
def test_unit_that_goes_takes_nothing_along(lxd, app, unit, follower, relation, registered, who):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    going, staying = (unit, follower) if who == "leader" else (follower, unit)
    app.remove_unit(going)
    assert registered() == {client.fingerprint}
    assert published(relation, staying) == served(lxd, client)
    app.update_status()
    assert registered() == {client.fingerprint}


def test_leader_that_goes_leaves_removals_to_the_next(app, unit, follower, relation, registered):
    stale, wanted = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(stale, wanted))
    publish_unseen(relation, bundle(wanted))
    hooks = app.remove_unit(unit)
    assert hooks[-1].name == "leader-elected"
    assert registered() == {wanted.fingerprint}
    for each, removes in ((unit, False), (follower, True)):
        lines = [line for hook in each.hooks for line in hook.logged("INFO")]
        assert any("is removed" in line for line in lines) == removes


def test_remote_unit_departs_while_ours_stays(unit, follower, relation, registered):
    leaving, staying = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(leaving))
    relation.join("builder/1", client_certificates=bundle(staying))
    relation.depart("builder/0")
    assert registered() == {staying.fingerprint}


def test_last_unit_cleans_up(app, unit, follower, relation, registered):
    relation.join("builder/0", client_certificates=bundle(identity()))
    app.remove_unit(follower)
    assert len(registered()) == 1
    app.remove_unit(unit)
    assert registered() == set()


@pytest.mark.parametrize("first", [0, 1])
def test_all_units_go_at_once(app, unit, follower, relation, registered, first):
    third = app.add_unit()
    other = app.relate("deployer")
    relation.join("builder/0", client_certificates=bundle(identity()))
    other.join("deployer/0", client_certificates=bundle(identity()))
    assert len(registered()) == 2
    going = [unit, follower, third]
    app.remove_unit(*going[first:], *going[:first])
    assert registered() == set()


def test_unit_that_comes_back_serves_again(lxd, app, unit, relation):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.remove_unit(unit)
    assert client.fingerprint not in lxd.trust_store
    next_unit = app.add_unit()
    assert client.fingerprint in lxd.trust_store
    assert published(relation, next_unit) == served(lxd, client)


def test_doubt_removes_nothing(lxd, app, unit, relation, registered):
    """Without goal-state a unit does not know whether it stays; relation-departed tells, as
    update-status does."""
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    relation.join("builder/1", client_certificates=bundle(second))
    before = published(relation)
    app.faults["goal-state"] = Reply(1, stderr=b"ERROR lost the controller\n")
    (hook,) = relation.publish("builder/0", client_certificates="[]")
    assert registered() == {first.fingerprint, second.fingerprint}
    assert published(relation) == before
    assert any("goal-state" in line for line in hook.logged("WARNING"))
    relation.depart("builder/1")
    assert registered() == set() and published(relation) == served(lxd)


def test_leadership_in_doubt_changes_nothing(app, unit, relation, registered):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.faults["is-leader"] = Reply(1, stderr=b"ERROR lost the controller\n")
    relation.remove()
    assert registered() == {client.fingerprint}
    assert "1 change left to the leader" in unit.status[1]
    app.faults.clear()
    app.update_status()
    assert registered() == set()


def test_application_of_the_same_name_inherits(
    lxd, charm, juju, cloud, app, unit, relation, registered
):
    """An application that went while LXD was away left entries behind; the next one of its name
    adopts what is wanted again, and removes the rest."""
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first, second))
    lxd.stop()
    app.remove_unit(unit)
    lxd.start()
    assert registered() == {first.fingerprint, second.fingerprint}
    with Juju(charm) as later:
        later.model_uuid = juju.model_uuid
        successor = later.deploy(trust=True, cloud=cloud, units=0)
        successor.relate("builder").join("builder/0", client_certificates=bundle(second))
        successor.add_unit()
        assert registered() == {second.fingerprint}


def test_applications_do_not_touch_each_other_s_entries(juju, cloud, app, relation, registered):
    neighbour = juju.deploy("lxd-integrator-two", trust=True, cloud=cloud)
    ours, theirs = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(ours))
    neighbour.relate("builder").join("builder/0", client_certificates=bundle(theirs))
    app.update_status()
    neighbour.update_status()
    assert registered() == {ours.fingerprint, theirs.fingerprint}
    relation.remove()
    assert registered() == {theirs.fingerprint}


def test_leadership_that_is_lost_in_the_middle(app, unit, follower, relation, registered):
    """It is asked for again right before LXD is changed."""
    relation.join("builder/0")
    changed = publish_unseen(relation, bundle(identity()))

    def lose():
        app.leader = follower

    app.meanwhile["relation-get"] = lose
    unit.run(changed)
    assert registered() == set()
    follower.run(Event("leader-elected"))
    assert len(registered()) == 1


def test_leader_that_waits_for_its_subordinates(app, unit, follower, relation, registered):
    """It is dying, leads on, and runs no hooks: the other unit says who keeps it waiting."""
    relation.join("builder/0")
    app.remove_unit(unit, subordinates=True)
    relation.publish("builder/0", client_certificates=bundle(identity()))
    assert registered() == set()
    status, message = follower.status
    assert status == "waiting" and message.startswith(f"{unit.name} is leaving")
    unit.subordinates_gone()
    assert len(registered()) == 1 and follower.status[0] == "active"


def test_reconcile_on_a_follower_says_what_is_left(app, unit, follower, relation, registered):
    relation.join("builder/0")
    publish_unseen(relation, bundle(identity()))
    outcome = follower.run_action("reconcile")
    assert outcome.status == "failed" and f"{app.name}/leader" in outcome.message
    assert registered() == set()
    assert unit.run_action("reconcile").status == "completed" and len(registered()) == 1
    assert follower.run_action("reconcile").status == "completed"


def test_follower_enrols_nothing_and_says_nothing_of_its_own(lxd, app, unit, follower, relation):
    """What LXD has, and no more."""
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    follower.run(publish_unseen(relation, bundle(first, second)))
    assert published(relation, follower) == served(lxd, first)
    assert "1 change left to the leader" in follower.status[1]


def test_without_peers_followers_catch_up_in_update_status(lxd, juju, cloud, registered):
    """Juju 4 makes no peer relation on a refresh."""
    app = juju.deploy(trust=True, cloud=cloud, units=2, peers=False)
    leader, follower = app.units
    relation = app.relate("builder")
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    changed = publish_unseen(relation, bundle(second))
    follower.run(changed)  # before the leader
    leader.run(changed)
    assert registered() == {second.fingerprint}
    assert published(relation, leader) == served(lxd, second)
    follower.run(Event("update-status"))
    assert published(relation, follower) == served(lxd, second)
    app.remove_unit(leader)
    assert registered() == {second.fingerprint}
    app.remove_unit(follower)
    assert registered() == set()


def test_peers_are_woken_by_the_leader(lxd, juju, app, unit, follower, relation, registered):
    """What a follower saw too early it publishes as soon as the leader is through."""
    relation.join("builder/0")
    client = identity()
    changed = publish_unseen(relation, bundle(client))
    follower.run(changed)
    assert published(relation, follower)["registered_certificates"] == []
    unit.run(changed)
    hooks = follower.run_pending()
    assert [hook.name for hook in hooks] == ["peers-relation-changed"]
    assert published(relation, follower) == served(lxd, client)


def test_application_that_is_scaled_to_none_and_back(lxd, app, unit, follower, relation, registered):
    client = identity()
    relation.join("builder/0", client_certificates=bundle(client))
    app.remove_unit(unit, follower)
    assert registered() == set()
    successor = app.add_unit()
    assert registered() == {client.fingerprint}
    assert published(relation, successor) == served(lxd, client)


def test_leader_that_is_lost(lxd, app, unit, follower, relation, registered):
    """Its machine was removed by force: the next one takes over."""
    first, second = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(first))
    app.lose_unit(unit)
    relation.publish("builder/0", client_certificates=bundle(second))
    assert registered() == {second.fingerprint}
    assert published(relation, follower) == served(lxd, second)


def test_rejection_is_told_once(app, unit, relation):
    expired = identity(start=-10, end=-1)
    joined, changed = relation.join("builder/0", client_certificates=bundle(expired))
    assert any(expired.fingerprint[:12] in line for line in joined.logged("WARNING"))
    (again,) = app.update_status()
    assert changed.logged("WARNING") == again.logged("WARNING") == []
    assert unit.status[1].endswith(f"; 1 certificate rejected: builder ({relation.id})")
