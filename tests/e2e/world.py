# SPDX-License-Identifier: Apache-2.0
"""The world that random events change: the charm on a model of Juju, its requirers, real LXDs and
their administrators. It runs hooks one by one, and checks what has to hold after any of them, and
what has to hold once all is quiet."""

import collections
import contextlib
import itertools
import pprint
import random
import signal
import time
import uuid
from difflib import unified_diff

from cryptography.hazmat.primitives.asymmetric import ec

import oracle
from expectations import published
from juju import Juju, lxd_cloud
from pki import constant_identity
from trust_store import PATIENCE

HOOK_SECONDS = 70  # a pass has 60 for LXD
AFTERMATH = 0.3  # seconds, in which LXD does what it was asked by a hook that is no more
KILLED = -signal.SIGKILL

# Hook commands without which a hook fails, and those without which it does what it can.
INDISPENSABLE = ["config-get", "credential-get", "relation-ids", "relation-set", "status-set"]
DISPENSABLE = ["goal-state", "is-leader", "relation-get", "relation-list"]

# A unit that is being removed sees these although the relations live on.
FAREWELLS = ["relation-departed", "relation-broken", "stop", "remove"]

ADMINISTRATOR = constant_identity("juju")
REFUSED = constant_identity("exotic", ec.SECP256K1)  # LXD does not know the curve


class Failure(Exception):
    """Something does not hold."""


def demand(condition, text):
    if not condition:
        raise Failure(text)


def demand_equal(title, expected, actual):
    if expected != actual:
        texts = (pprint.pformat(value, width=120).splitlines() for value in (expected, actual))
        raise Failure("\n".join([title, *unified_diff(*texts, "expected", "actual", lineterm="")]))


@contextlib.contextmanager
def wrapped(unit, wrapper):
    """The unit's hooks are run by this command."""
    usual = unit.wrapper
    unit.wrapper = [*wrapper, *usual]
    yield
    unit.wrapper = usual


class World:
    """Use as a context manager."""

    def __init__(self, charm, stores, seed, transport):
        rng = random.Random(seed)
        self.juju = Juju(charm, rng.choice(["2.9", "3.6", "4.0"]), transport)
        self.juju.model_uuid = str(uuid.UUID(int=rng.getrandbits(128)))
        self.juju.asleep = True
        self.stores = stores
        self.lines = []  # what happened, to be read
        self.said = {}  # by relation, then by remote unit or application: what it published
        self.tally = collections.Counter()
        self.numbers = itertools.count()  # of remote units
        self.has_credential = True
        self._asked = collections.defaultdict(set)  # by name of an entry: fingerprints

    def __enter__(self):
        for store in self.stores:
            store.reset()
            store.add(ADMINISTRATOR, "juju")
        self.deploy()
        return self

    def __exit__(self, *_):
        for store in self.stores:
            store.mend()
        self.juju.__exit__()

    # --- what is there ---

    @property
    def units(self):
        return self.app.units

    @property
    def relations(self):
        return self.app.relations

    @property
    def prefix(self):
        """How the names of the charm's entries begin."""
        return f"juju.{self.juju.model_uuid[:8]}.{self.app.name}."

    @property
    def whole(self):
        """All LXD servers run."""
        return all(store.whole for store in self.stores)

    @property
    def obstacle(self):
        """The status that a hook has to end with; None where that depends."""
        if not self.has_credential:
            return "blocked"
        if any(store.lacks_member for store in self.stores):
            return None
        answering = [store for store in self.stores if store.whole]
        if not all(map(self.lets_charm_in, answering)):
            return "blocked"
        return "active" if self.whole else "waiting"

    @property
    def nobody_can_be_asked(self):
        answering = [store for store in self.stores if store.running]
        return not self.has_credential or not any(map(self.lets_charm_in, answering))

    @staticmethod
    def lets_charm_in(store):
        return ADMINISTRATOR.fingerprint in store.foreign

    # --- the charm's operator ---

    def deploy(self):
        """One LXD is Juju's cloud; several are options of the application."""
        endpoints = [store.members[-1].url for store in self.stores]
        certificates = "".join(store.members[0].certificate for store in self.stores)
        if len(self.stores) == 1:
            cloud = lxd_cloud(endpoints[0], ADMINISTRATOR, certificates)
            self.app = self.juju.deploy(units=0, trust=True, cloud=cloud)
        else:
            config = {
                "lxd_endpoint": ",".join(endpoints),
                "lxd_client_cert": ADMINISTRATOR.certificate,
                "lxd_client_key": ADMINISTRATOR.key,
                "lxd_server_cert": certificates,
            }
            self.app = self.juju.deploy(units=0, config=config)
        self.has_credential = True
        self.said.clear()
        self.app.add_unit()

    def give_credential(self, given):
        self.has_credential = given
        if len(self.stores) == 1:
            self.app.trust(given)
        else:
            self.app.configure(lxd_client_key=ADMINISTRATOR.key if given else None)

    # --- requirers ---

    def note(self, relation, member, publication):
        """What a remote unit or application publishes from now on."""
        self.said[relation][member] = publication
        name = f"{self.prefix}{relation.application}.{relation.number}"
        self._asked[name].update(wish.fingerprint for wish in publication.wishes)

    def publish(self, relation, member, publication):
        self.note(relation, member, publication)
        absent = dict.fromkeys(["client_certificates", "certificate", "version"])
        relation.publish(member, **{**absent, **publication.settings})

    # --- hooks ---

    def run_next(self, unit, wrapper=(), disturbance=None):
        """Run the unit's next hook, and check what has to hold after any. A wrapper may kill it. A
        disturbance is a context in which something happens to LXD."""
        event = unit.pending[0]
        may_remove = self._may_remove(unit, event)
        obstacle = None if disturbance or event.kind in FAREWELLS else self.obstacle
        must_keep = self.nobody_can_be_asked and not disturbance
        bags = self._bags(unit, unit.relations)
        entries = [store.entries for store in self.stores]

        with disturbance or contextlib.nullcontext(), wrapped(unit, wrapper):
            hook = unit.run_next()
        self.tally["hooks"] += 1
        self.lines.append(
            f"{unit.name:>24} {hook.name}: {hook.exit_code}, {unit.status[0]},"
            f" {hook.wall_seconds:.2f} s"
        )

        if hook.exit_code == KILLED or disturbance:
            time.sleep(AFTERMATH)

        self._check_exit(unit, hook, killable=bool(wrapper))
        for store, before in zip(self.stores, entries):
            if before is not None and store.running:
                wished = self._wished_in_view(unit, event)
                self._check_changes(hook, before, store.entries, may_remove, wished)
        if must_keep:
            now = self._bags(unit, bags)
            demand_equal(f"{hook.name} could not ask, and published", bags, now)
        if obstacle and hook.exit_code == 0:
            demand(unit.status[0] == obstacle, f"{hook.name}: {unit.status}, not {obstacle}")
        return hook

    @staticmethod
    def _bags(unit, relations):
        """What the unit and its application have published."""
        return {
            relation: (relation.published(unit), relation.application_published())
            for relation in relations
        }

    def _may_remove(self, unit, event):
        if unit.dying and event.kind in FAREWELLS:
            return all(other.dying for other in self.units)
        return unit.is_leader

    def _check_exit(self, unit, hook, killable):
        lost = {name for name in self.app.faults if hook.called(name)}
        expected = 1 if lost & set(INDISPENSABLE) else 0
        what = f"{unit.name}: {hook.name} ended with {hook.exit_code}, without {lost or 'a fault'}"
        log = "".join(f"\n  {line.level} {line.text}" for line in hook.log)
        demand(hook.exit_code == expected or killable and hook.exit_code == KILLED, what + log)
        demand(hook.wall_seconds < HOOK_SECONDS, f"{what}, took {hook.wall_seconds} s{log}")

    def _wished_in_view(self, unit, event):
        """What is wished for as far as the unit can know."""
        ending = event.relation if event.kind == "relation-broken" else None
        return {
            wish.fingerprint
            for relation in unit.relations
            if relation is not ending
            for member, publication in self.said.get(relation, {}).items()
            if member in [*relation.seen_by(unit), relation.application]
            for wish in publication.wishes
        }

    def _check_changes(self, hook, before, after, may_remove, wished):
        """What one hook did to a trust store."""
        gone, new = before.keys() - after.keys(), after.keys() - before.keys()
        demand(may_remove or not gone, f"{hook.name} may not remove, and removed {gone}")
        demand(not gone & wished, f"{hook.name} removed {gone & wished}, which is wished for")
        for fingerprint in gone:
            name = before[fingerprint]["name"]
            demand(name.startswith(self.prefix), f"{hook.name} removed {fingerprint} ({name})")
        for fingerprint in new:
            name = after[fingerprint]["name"]
            asked = fingerprint in self._asked[name]
            demand(asked, f"{hook.name} added {fingerprint} ({name}), which was not asked for")
        for fingerprint in before.keys() & after.keys():
            demand_equal(f"{hook.name} altered", before[fingerprint], after[fingerprint])

    def work(self, rng):
        """The agents run some of what is queued."""
        for unit in rng.sample(self.units, len(self.units)):
            everything = len(unit.pending)
            for _ in range(rng.choice([0, 1, everything, everything])):
                if unit.pending and self.run_next(unit).exit_code != 0:
                    break

    def drain(self, rng):
        """The agents run all that is queued. Returns the hooks."""
        hooks = []
        while busy := [unit for unit in self.units if unit.pending]:
            hooks.append(self.run_next(rng.choice(busy)))
        return hooks

    # --- once all is quiet ---

    def settle(self, rng):
        """All faults end, and update-status comes round. Now everything has to be as it should, and
        the next time nothing is left to do."""
        self.tally["settlings"] += 1
        self.lines.append("      settling")
        self.heal()
        if not self.whole:
            self._settle_without_member(rng)
        for store in self.stores:
            store.mend()
        self.drain(rng)
        self.app.update_status()
        self.drain(rng)
        self.check()
        self.app.update_status()
        for hook in self.drain(rng):
            written = [call.stdin for call in hook.called("relation-set")]
            demand(not written, f"{hook.name} has something to write still: {written}")
        self.check()

    def _settle_without_member(self, rng):
        """A cluster without one member, once it has noticed, does for who knows the others."""
        self.drain(rng)
        if not all(map(self._knows_nodes, self.units)):
            return
        self.tally["settlings without a member"] += 1
        deadline = time.monotonic() + PATIENCE
        while True:
            self.app.update_status()
            self.drain(rng)
            statuses = [unit.status for unit in self.units]
            if {status for status, _ in statuses} == {"active"}:
                break
            demand(time.monotonic() < deadline, f"without a member: {statuses}")
        wishes = oracle.wished(self._everything_said())
        for store in self.stores:
            self._check_store(store, store.entries, wishes)

    def _knows_nodes(self, unit):
        return any(
            "nodes" in relation.published(unit)
            or (unit.is_leader and "addresses" in relation.application_published())
            for relation in unit.relations
        )

    def heal(self):
        """All faults but one: a cluster that lacks a member still does."""
        for store in self.stores:
            if not store.lacks_member:
                store.mend()
            if not self.lets_charm_in(store):
                store.add(ADMINISTRATOR, "juju")
        if not self.has_credential:
            self.give_credential(True)
        self.app.faults.clear()
        for relation in self.relations:
            relation.unreadable = False

    def _everything_said(self):
        return [publication for said in self.said.values() for publication in said.values()]

    def check(self):
        wishes = oracle.wished(self._everything_said())
        stores = [store.entries for store in self.stores]
        for store, entries in zip(self.stores, stores):
            self._check_store(store, entries, wishes)
            violations = store.violations()
            demand(not violations, f"changes to foreign entries, says LXD: {violations}")
        for relation, unit in itertools.product(self.relations, self.units):
            if relation.endpoint == "https":
                self._check_https(relation, unit, stores[0])
                continue
            said = self.said[relation].values()
            sites = [(entries, store.nodes) for entries, store in zip(stores, self.stores)]
            expected = oracle.databag(said, sites)
            actual = oracle.cut_reasons(published(relation, unit), said)
            demand_equal(f"{unit.name} on {relation.id}", expected, actual)
        accepted = set.intersection(*(set(oracle.trusted(wishes, entries)) for entries in stores))
        noun = "certificate" if len(accepted) == 1 else "certificates"
        for unit in self.units:
            demand_equal(f"{unit.name}: status", "active", unit.status[0])
            beginning = f"{len(accepted)} {noun} trusted, LXD "
            demand_equal(f"{unit.name}: status", beginning, unit.status[1][: len(beginning)])

    def _check_https(self, relation, unit, entries):
        """What is configured comes first, then the members in the order of their addresses."""
        members = self.stores[0].members
        configured = members[-1]
        addresses = [configured.address, *sorted({m.address for m in members[:-1]})]
        said = self.said[relation].values()
        bag = oracle.https_databag(said, entries, configured, addresses)
        bags = ({}, bag) if len(members) > 1 else (bag, {})
        actual = relation.published(unit), relation.application_published()
        demand_equal(f"{unit.name} on {relation.id}", bags, actual)

    def _check_store(self, store, entries, wishes):
        expected = oracle.fingerprints(wishes, store.foreign, {REFUSED.fingerprint})
        demand_equal("trust store", sorted(expected), sorted(entries))
        for fingerprint, entry in entries.items():
            if fingerprint in store.foreign:
                demand_equal("foreign entry", store.foreign[fingerprint], entry)
            else:
                ours = oracle.serves(entry) and entry["name"].startswith(self.prefix)
                demand(ours, f"an entry of the charm's: {entry}")
