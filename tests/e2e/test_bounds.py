# SPDX-License-Identifier: Apache-2.0
"""However much one member writes: the others are served, our own databag stays small, and the log short."""

import json

import pytest

from between import Between
from expectations import published, rejections, served
from juju import lxd_cloud
from pki import bundle, certify, generate, identity

ENTRIES = 1000  # of a relation
TEXT = 1024 * 1024  # bytes of them
LINES = 10  # of a kind in the log of one hook, and one that says how many more
REASON = 200  # bytes
DATABAG = 1024 * 1024  # far from the 16 MiB at which Juju refuses the hook


@pytest.fixture(params=["agent"])
def transport(request):
    """One way to Juju will do: what these tests are about is between the charm and LXD."""
    return request.param


def size(relation):
    return sum(len(value.encode()) for value in relation.published().values())


def reasons_of(relation, unit):
    """What the unit is told about all that it asked for beyond its places."""
    rejected = published(relation)["rejected_certificates"]
    return [entry["reason"] for entry in rejected if entry["unit"] == unit and "index" not in entry]


@pytest.mark.parametrize(
    "junk", ["junk", "\x00\x1f\u2028", "x" * 1024, "\U0001f600" * 250], ids=len
)
def test_junk_of_one_member(lxd, unit, relation, junk):
    good = identity()
    joined, changed = relation.join("builder/0", client_certificates=bundle(*[junk] * 1100))
    relation.join("builder/1", client_certificates=bundle(good))
    told = published(relation)
    rejected = told.pop("rejected_certificates")
    assert told == served(lxd, good)
    assert len(rejected) <= ENTRIES and size(relation) < DATABAG
    assert max(len(entry["reason"].encode()) for entry in rejected) <= REASON
    for hook in joined, changed:
        assert len(hook.logged("WARNING")) <= LINES + 1
    assert changed.logged("WARNING") == []  # all of it has been said
    assert len(unit.status[1]) <= 120 and unit.status[1].startswith("1 certificate trusted")


def test_first_entries_of_all_members_have_a_place(lxd, relation):
    greedy, modest = [identity() for _ in range(2)], [identity() for _ in range(3)]
    relation.join("builder/0", client_certificates=bundle(*greedy, *["junk"] * (ENTRIES + 100)))
    for number, client in enumerate(modest, 1):
        relation.join(f"builder/{number}", client_certificates=bundle(client))
    assert {client.fingerprint for client in greedy + modest} <= set(lxd.trust_store)
    (reason,) = reasons_of(relation, "builder/0")
    assert str(ENTRIES + 102 - (ENTRIES - 3)) in reason  # so many have no place


def test_text_of_one_member(lxd, relation):
    key, good = generate("P-256"), identity()
    large = certify(key) + "x" * 60_000
    relation.join("builder/0", client_certificates=bundle(*[large + str(n) for n in range(30)]))
    relation.join("builder/1", client_certificates=bundle(good))
    assert good.fingerprint in lxd.trust_store
    registered = published(relation)["registered_certificates"]
    assert good.certificate in registered and len(registered) == 1 + TEXT // len(large)
    assert len(reasons_of(relation, "builder/0")) == 1
    assert size(relation) < 2 * TEXT


def test_who_has_a_place_keeps_it(lxd, relation):
    """Members that come later find none, though their numbers are lower."""
    settled = [identity() for _ in range(3)]
    relation.join("builder/7", client_certificates=bundle(*settled, *["junk"] * (ENTRIES - 3)))
    relation.join("builder/1", client_certificates=bundle(*["junk"] * ENTRIES))
    assert {client.fingerprint for client in settled} <= set(lxd.trust_store)


def test_thousand_trusted_certificates_leave_room_for_the_next_member(lxd, relation):
    """Places are given in rounds, also among those who have some."""
    clients, good = [identity() for _ in range(ENTRIES)], identity()
    for part in range(0, len(clients), 100):
        lxd.plant(*((client, client.fingerprint) for client in clients[part : part + 100]))
    relation.join("builder/0", client_certificates=bundle(*clients))
    assert len(published(relation)["registered_certificates"]) == ENTRIES
    relation.join("builder/1", client_certificates=bundle(good))
    registered = published(relation)["registered_certificates"]
    assert good.certificate in registered and len(registered) == ENTRIES
    assert len(reasons_of(relation, "builder/0")) == 1


@pytest.mark.parametrize(
    "projects", [",".join(map(str, range(257))), "x" * 65_537], ids=["names", "text"]
)
def test_too_many_projects(lxd, relation, projects):
    client, good = identity(), identity()
    relation.join("builder/0", client_certificates=bundle(client), projects=projects)
    relation.join("builder/1", client_certificates=bundle(good))
    assert client.fingerprint not in lxd.trust_store and good.fingerprint in lxd.trust_store
    (reason,) = reasons_of(relation, "builder/0")
    assert "projects" in reason


def test_three_applications_cannot_blind_us(lxd, app):
    """LXD's list is longer than any answer that is read at once; the next one is served still."""
    key = generate("P-256")
    filler = "".join(f"{number:064}\n" for number in range(900))
    for number in range(3):
        texts = [filler + certify(key, f"client {number} {entry}") for entry in range(17)]
        relation = app.relate(f"builder-{number}")
        relation.join(f"builder-{number}/0", client_certificates=bundle(*texts))
    good = identity()
    last = app.relate("deployer")
    last.join("deployer/0", client_certificates=bundle(good))
    assert published(last) == served(lxd, good)
    relation.remove()
    assert len(lxd.trust_store) == 1 + 2 * 17 + 1


def test_our_own_databag_can_be_read_back(lxd, admin, juju):
    """Whatever LXD says of itself; and what is withdrawn then goes."""
    members = [
        {"server_name": "<&>", "url": f"https://10.0.{i // 256}.{i % 256}:1", "status": "Online"}
        for i in range(13000)
    ]
    with Between(lxd, admin) as between:
        app = juju.deploy(trust=True, cloud=lxd_cloud(between.url, admin, between.certificate))
        relation, client = app.relate("builder"), identity()
        relation.join("builder/0", client_certificates=bundle(client))

        def clustered(_method, path, metadata):
            if path == "/1.0":
                metadata["environment"]["server_clustered"] = True
            return metadata

        between.change = clustered
        between.instead = lambda _method, path: (200, members) if "/cluster/members" in path else None
        hooks = app.update_status()
        assert app.units[0].status[1].endswith(" 13000 nodes")
        assert [line for line in hooks[0].logged("WARNING") if "nodes are not published" in line]
        assert 1000 < len(published(relation)["nodes"]) < 13000
        relation.publish("builder/0", client_certificates="[]")
        assert client.fingerprint not in lxd.trust_store


def test_statuses_fit(app, unit):
    """Relations are named by the remote application; of many, three."""
    name = "a-requirer-with-a-name-of-some-length"
    relations = [app.relate(f"{name}-{number}") for number in range(5)]
    for relation in relations:
        relation.join(f"{relation.application}/0", client_certificates=bundle("junk"))
    status, message = unit.status
    assert status == "active" and "5 certificates rejected" in message
    assert f"{relations[0].application} ({relations[0].id})" in message
    assert len(message) <= 120
