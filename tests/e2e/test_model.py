# SPDX-License-Identifier: Apache-2.0
"""Histories of random events: whatever comes, the trust store and the databags end up right.

./build.sh test model [SEED [EVENTS]] plays as many as you like. Here it is another seed each time,
which is printed; LXD_INTEGRATOR_SEED=N has that one again.
"""

import os
import time

import pytest

from clients import CLIENTS
from model import History, shrink
from pki import identity
from trust_store import TOPOLOGIES, TrustStore

EVENTS = 100
SEED = int(os.environ.get("LXD_INTEGRATOR_SEED", time.time() // 10)) // 3 * 3


@pytest.mark.parametrize("number", range(3), ids=["server", "servers", "cluster"])
def test_history(charm, number):
    seed = SEED + number
    history = History(seed, EVENTS)
    print(f"seed {seed}")
    with TOPOLOGIES[history.topology]() as stores:
        try:
            history.play(charm, stores)
        except Exception:
            print(*history.lines, f"seed {seed}", sep="\n")
            raise
    assert len(history.played) == EVENTS
    assert history.tally["settlings"] > 1


def test_history_is_shortened_to_what_fails():
    def fails(history):
        return {3, 17, 18} <= set(history.numbers)

    assert shrink(1, list(range(50)), fails) == [3, 17, 18]


def test_change_to_a_foreign_entry_is_noticed(lxd, tmp_path):
    """Also where the entry is there again, as it was."""
    administrator, alice = identity(), identity()
    store = TrustStore(lxd)
    store.add(administrator, "juju")
    store.add(alice, "alice")
    assert store.violations() == []
    CLIENTS[0](lxd, administrator, tmp_path).remove(alice.fingerprint)
    lxd.trust(alice, "alice")
    (change,) = store.violations()
    assert (change.action, change.fingerprint) == ("deleted", alice.fingerprint)
    assert store.violations() == []
    store.close()
