# SPDX-License-Identifier: Apache-2.0
"""The world that random events change: the charm on a model of Juju, its requirers, real LXDs and
their administrators. It runs hooks one by one, and checks what has to hold after any of them, and
what has to hold once all is quiet."""

import collections
import contextlib
import itertools
import json
import pprint
import random
import signal
import time
import uuid
from difflib import unified_diff

from cryptography.hazmat.primitives.asymmetric import ec

import oracle
from agent import Event
from expectations import parsed, published
from juju import Juju, lxd_cloud
from lxd import PATIENCE
from pki import constant_identity

STATUS_LENGTH = 120
HOOK_SECONDS = 70  # a pass has 60 for LXD
AFTERMATH = 0.3  # seconds, in which LXD does what it was asked by a hook that is no more
KILLED = -signal.SIGKILL

# Hook commands without which a hook fails, and those without which it does what it can.
INDISPENSABLE = ["config-get", "relation-ids", "relation-set", "status-set"]
DISPENSABLE = ["credential-get", "goal-state", "is-leader", "relation-get", "relation-list"]
DISPENSABLE += ["state-set"]

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
        self.peers = not self.juju.is_new or rng.choice([True, False])
        self.juju.model_uuid = str(uuid.UUID(int=rng.getrandbits(128)))
        self.juju.asleep = True
        self.stores = stores
        self.lines = []  # what happened, to be read
        self.said = {}  # by relation, then by remote unit or application: what it published
        self.tally = collections.Counter()
        self.numbers = itertools.count()  # of remote units
        self.has_credential = True
        self.limit = oracle.ALL  # what the operator's option `projects` has
        self.served = list(stores)  # those that lxd_endpoint names
        self._shown = collections.defaultdict(set)  # members that goal-state named, by unit
        self._asked = collections.defaultdict(set)  # by relation's number: fingerprints
        self._last = collections.defaultdict(dict)  # as said, of those too who are gone

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
    def present(self):
        """The units whose agents run."""
        return [unit for unit in self.units if not unit.away]

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
        if "credential-get" in self.app.faults:
            return None
        if not self.has_credential:
            return "blocked"
        if any(store.lacks_member for store in self.served):
            return None
        if any(unit.dying for unit in self.units):
            return None  # who waits for a leader that leaves says so
        answering = [store for store in self.served if store.whole]
        if not all(map(self.lets_charm_in, answering)):
            return "blocked"
        return "active" if all(store.whole for store in self.served) else "waiting"

    @property
    def nobody_can_be_asked(self):
        answering = [store for store in self.served if store.running]
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
            self.app = self.juju.deploy(units=0, trust=True, cloud=cloud, peers=self.peers)
        else:
            config = {
                "lxd_endpoint": ",".join(endpoints),
                "lxd_client_cert": ADMINISTRATOR.certificate,
                "lxd_client_key": ADMINISTRATOR.key,
                "lxd_server_cert": certificates,
            }
            self.app = self.juju.deploy(units=0, config=config, peers=self.peers)
        self.has_credential = True
        self.limit, self.served = oracle.ALL, list(self.stores)
        self.said.clear()
        self.app.add_unit()

    def give_credential(self, given):
        self.has_credential = given
        if len(self.stores) == 1:
            self.app.trust(given)
        else:
            self.app.configure(lxd_client_key=ADMINISTRATOR.key if given else None)

    def set_limit(self, limit):
        """juju config projects=..."""
        self.limit = limit
        self.app.configure(projects=None if limit is oracle.ALL else ",".join(sorted(limit)))

    def serve(self, stores):
        """juju config lxd_endpoint=..., of several servers."""
        self.served = list(stores)
        self.app.configure(lxd_endpoint=",".join(store.members[-1].url for store in stores))

    # --- requirers ---

    def note(self, relation, member, publication):
        """What a remote unit or application publishes from now on."""
        self.said[relation][member] = self._last[relation][member] = publication
        self._asked[relation.number].update(wish.fingerprint for wish in publication.wishes)

    def publish(self, relation, member, publication):
        self.note(relation, member, publication)
        absent = dict.fromkeys(["client_certificates", "certificate", "version", "projects"])
        relation.publish(member, **{**absent, **publication.settings})

    def wishes(self, relations=None):
        """What is wished for, by all that Juju has at this moment."""
        return [
            wish
            for relation, said in self.said.items()
            if not relation.suspended and (relations is None or relation in relations)
            for wish in oracle.wishes_of(said, relation.application)
        ]

    # --- hooks ---

    def run_next(self, unit, wrapper=(), disturbance=None):
        """Run the unit's next hook, and check what has to hold after any. A wrapper may kill it. A
        disturbance is a context in which something happens to LXD."""
        return self._run(unit, unit.run_next, unit.pending[0], wrapper, disturbance)

    def run_old(self, unit):
        """An update-status of this unit, which had begun before what is queued now came about."""
        event = Event("update-status")
        return self._run(unit, lambda: unit.run(event), event)

    def _run(self, unit, run, event, wrapper=(), disturbance=None):
        leads = unit.is_leader
        leaving = unit.dying and not all(other.dying for other in self.units)
        silent = disturbance or leaving or event.kind in FAREWELLS
        obstacle = None if silent else self.obstacle
        must_keep = self.nobody_can_be_asked and not disturbance
        relations = [each for each in unit.relations if each is not self.app.peers]
        bags = self._bags(unit, relations)
        entries = [store.entries for store in self.stores]

        with disturbance or contextlib.nullcontext(), wrapped(unit, wrapper):
            hook = run()
        self.tally["hooks"] += 1
        self.lines.append(
            f"{unit.name:>24} {hook.name}: {hook.exit_code}, {unit.status[0]},"
            f" {hook.wall_seconds:.2f} s"
        )

        if hook.exit_code == KILLED or disturbance:
            time.sleep(AFTERMATH)

        self._check_exit(unit, hook, killable=bool(wrapper))
        self._note_goal_state(unit, hook)
        for store, before in zip(self.stores, entries):
            if before is not None and store.running:
                last = unit.dying and not leaving  # all are: whoever runs removes what is ours
                unaware = leaving and "goal-state" in self.app.faults  # that it is to go
                may_change = (leads or last) and (not leaving or unaware)
                over = self._over(event, bags)
                rights = may_change, not unaware
                self._check_changes(unit, hook, store, before, over, rights, bool(disturbance))
        now = self._bags(unit, bags)
        if must_keep or leaving:
            demand_equal(f"{hook.name} had nothing to say, and published", bags, now)
        elif hook.exit_code == 0 and not disturbance and event.kind not in FAREWELLS:
            self._check_claims(hook, unit, bags, now)
        if obstacle and hook.exit_code == 0:
            demand(unit.status[0] == obstacle, f"{hook.name}: {unit.status}, not {obstacle}")
        return hook

    def _note_goal_state(self, unit, hook):
        """Whom goal-state has shown to a unit that has him on its list, and knows from then on who
        is gone."""
        listed = {member for relation in unit.relations for member in relation.seen_by(unit)}
        for call in hook.called("goal-state") if hook.exit_code == 0 else ():
            if call.reply.code == 0 and "state-set" not in self.app.faults:
                state = json.loads(call.reply.stdout)["relations"]
                named = {name for each in state.values() for name in each}
                self._shown[unit.name].update(listed & named)

    @staticmethod
    def _bags(unit, relations):
        """What the unit and its application have published."""
        return {
            relation: (relation.published(unit), relation.application_published())
            for relation in relations
        }

    def _check_exit(self, unit, hook, killable):
        lost = {name for name in self.app.faults if hook.called(name)}
        expected = 1 if lost & set(INDISPENSABLE) else 0
        what = f"{unit.name}: {hook.name} ended with {hook.exit_code}, without {lost or 'a fault'}"
        log = "".join(f"\n  {line.level} {line.text}" for line in hook.log)
        demand(hook.exit_code == expected or killable and hook.exit_code == KILLED, what + log)
        demand(hook.wall_seconds < HOOK_SECONDS, f"{what}, took {hook.wall_seconds} s{log}")

    def _seen_wishes(self, unit):
        """What a unit with old lists can take for wished."""
        return [
            wish
            for relation, said in self._last.items()
            if relation in unit.relations and not relation.gone
            for wish in oracle.wishes_of(
                {
                    member: publication
                    for member, publication in said.items()
                    if member in [*relation.seen_by(unit), relation.application]
                },
                relation.application,
            )
        ]

    def _over(self, event, bags):
        """By relation, the certificates of which a unit has seen who asked for them, and sees who
        asks no more: those that its databags told as trusted, and those of who departs."""
        over = {
            relation: oracle.told_as_trusted(own) | oracle.told_as_trusted(application)
            for relation, (own, application) in bags.items()
        }
        if event.departing_unit and event.relation in over:
            wishes = self._last[event.relation].get(event.departing_unit, oracle.NOTHING).wishes
            over[event.relation] |= {wish.fingerprint for wish in wishes}
        return over

    def _check_changes(self, unit, hook, store, before, over, rights, disturbed):
        """What one hook did to a trust store: only who leads and stays changes anything, only what
        is the charm's, and no entry gets wider than somebody wishes, or narrower than all who are
        there do. Rights are to change anything, and to take anything away."""
        may_change, may_take = rights
        after = store.entries
        changed = {
            fingerprint
            for fingerprint in before.keys() | after.keys()
            if before.get(fingerprint) != after.get(fingerprint)
        }
        demand(may_change or not changed, f"{hook.name} may not change LXD, and changed {changed}")
        in_view = [*self.wishes(), *self._seen_wishes(unit)]
        openable = oracle.entitled(in_view, self.limit, store.projects)
        for fingerprint in changed:
            old, new = before.get(fingerprint), after.get(fingerprint)
            what = f"{hook.name}: {fingerprint}: {told(old)} became {told(new)}"
            for entry in filter(None, (old, new)):
                demand(entry["name"].startswith(self.prefix), f"{what}, which is not ours")
            demand(may_take or oracle.covers(oracle.opens(new), oracle.opens(old)), what)
            if new is not None:
                # Where something is unknown an entry may stay as wide as it was.
                allowed = openable.get(fingerprint, oracle.NOTHING_OPEN)
                allowed = oracle.union([allowed, oracle.opens(old)])
                demand(oracle.covers(allowed, oracle.opens(new)), f"{what}: wishes: {allowed}")
                number = new["name"][len(self.prefix) :].split(".")[1]
                asked = number.isdigit() and fingerprint in self._asked[int(number)]
                demand(old is not None or asked, f"{what}: its name is of a relation that never asked")
            deserved = self._deserved(unit, fingerprint, old, store, over)
            if not disturbed and oracle.covers(oracle.opens(old), deserved):
                demand(oracle.covers(oracle.opens(new), deserved), f"{what}: wishes: {deserved}")

    def _deserved(self, unit, fingerprint, entry, store, over):
        """What an entry has to open still, if it does: nothing at a server that was taken out. Of a
        relation that cannot be read, and of members that the unit does not see yet, it is known
        only that the entry was made for them, by its name; unless those ask no more for whom it was
        made."""
        if store not in self.served:
            return oracle.NOTHING_OPEN
        lost = {"relation-get", "relation-list"} & self.app.faults.keys()
        number = (entry or {"name": ""})["name"][len(self.prefix) :].split(".")[1:2]
        wishes = []
        for relation, said in self.said.items():
            named = [str(relation.number)] == number
            readable = not lost and not relation.unreadable and relation in unit.relations
            if readable and (not named or fingerprint in over.get(relation, ())):
                seen = {*relation.seen_by(unit), relation.application}
                said = {member: each for member, each in said.items() if member in seen}
            elif not named:
                continue
            if not relation.suspended:
                wishes += oracle.wishes_of(said, relation.application)
        opened = oracle.entitled(wishes, self.limit, store.projects)
        return opened.get(fingerprint, oracle.NOTHING_OPEN)

    def _check_claims(self, hook, unit, bags, now):
        """What a hook has written of who is trusted is so."""
        let_in = {
            url: {fp for fp, entry in entries.items() if oracle.opens(entry) != oracle.NOTHING_OPEN}
            for store in self.stores
            if (entries := store.entries) is not None and self.lets_charm_in(store)
            for url, _ in store.nodes
        }
        past = oracle.expired(self.wishes(), time.time() - hook.wall_seconds - 1)
        for relation in bags:
            if bags[relation] == now[relation] or relation.endpoint != "api":
                continue
            said = self._last[relation]
            asked = {w.fingerprint for publication in said.values() for w in publication.wishes}
            before = oracle.claims(parsed(bags[relation][0]))
            for url, claimed in oracle.claims(published(relation, unit)).items():
                wrong = claimed - let_in.get(url, claimed) | claimed & past | claimed - asked
                if url not in let_in:  # what is said of a server that cannot be asked may stay
                    wrong -= before.get(url, set())
                demand(not wrong, f"{hook.name}: {relation.id} is told of {wrong} at {url}")

    def work(self, rng):
        """The agents run some of what is queued."""
        for unit in rng.sample(self.present, len(self.present)):
            everything = len(unit.pending)
            for _ in range(rng.choice([0, 1, everything, everything])):
                if unit.pending and self.run_next(unit).exit_code != 0:
                    break

    def drain(self, rng):
        """The agents run all that is queued. Returns the hooks."""
        hooks = []
        while busy := [unit for unit in self.present if unit.pending]:
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
        self._wait_for_ends()
        self.drain(rng)
        self._restart_agents()
        for _ in range(2):  # the first is for the leader, the second for who reads what it did
            self.app.update_status()
            self.drain(rng)
        self.check()
        self.app.update_status()
        for hook in self.drain(rng):
            written = [call.stdin for call in hook.called("relation-set")]
            demand(not written, f"{hook.name} has something to write still: {written}")
        self.check()

    def _wait_for_ends(self):
        """Certificates that were made to expire soon have done so."""
        ends = [wish.end for wish in self.wishes() if wish.end != float("inf")]
        time.sleep(max(0.0, max(ends, default=0.0) + 1 - time.time()))

    def _restart_agents(self):
        """A member that was removed by force, and whom goal-state has never shown to a unit, leaves
        that unit's list with a restart of its agent only."""
        for unit in self.units:
            unseen = {
                member
                for relation in unit.relations
                if relation is not self.app.peers and not relation.gone
                for member in set(relation.seen_by(unit)) - set(relation.units)
            } - self._shown[unit.name]
            if unseen:
                self.tally["agents restarted"] += 1
                unit.restart_agent()

    def _settle_without_member(self, rng):
        """A cluster without one member, once it has noticed, does for who knows the others."""
        self.drain(rng)
        self._restart_agents()
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
        for store in self.served:
            self._check_store(store, store.entries)

    def _knows_nodes(self, unit):
        return any(
            "nodes" in relation.published(unit)
            or (unit.is_leader and "addresses" in relation.application_published())
            for relation in unit.relations
            if not relation.gone
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
        self.heal_juju()

    def heal_juju(self):
        self.app.faults.clear()
        for unit in self.units:
            if unit.away:
                unit.start_agent()
            for relation in {*self.relations, *unit.relations}:  # those removed by force, too
                relation.unreadable = False

    def check(self):
        now = time.time()
        stores = {store: store.entries for store in self.stores}
        for store, entries in stores.items():
            self._check_store(store, entries)
            violations = store.violations()
            demand(not violations, f"changes to foreign entries, says LXD: {violations}")
        sites = [(store, stores[store]) for store in self.served]
        for relation, unit in itertools.product(self.relations, self.units):
            if relation.suspended:
                continue
            said = self.said[relation]
            if relation.endpoint == "https":
                self._check_https(relation, unit, stores, now)
                continue
            bag = published(relation, unit)
            faults = oracle.faults_in_databag(
                bag, said, relation.application, self.limit, sites, now, self._untold(unit)
            )
            demand(not faults, "\n".join([f"{unit.name} on {relation.id}:", *faults]))
        let_in = [
            oracle.judged(self.wishes(self.relations), self.limit, store, entries, now)[0]
            for store, entries in sites
        ]
        accepted = set.intersection(*let_in)
        noun = "certificate" if len(accepted) == 1 else "certificates"
        for unit in self.units:
            demand_equal(f"{unit.name}: status", "active", unit.status[0])
            demand(len(unit.status[1]) <= STATUS_LENGTH, f"{unit.name}: {unit.status[1]}: too long")
            beginning = f"{len(accepted)} {noun} trusted, LXD "
            demand_equal(f"{unit.name}: status", beginning, unit.status[1][: len(beginning)])

    def _check_https(self, relation, unit, stores, now):
        """What is configured comes first, then the members in the order of their addresses."""
        store = self.served[0]
        configured, members = store.members[-1], store.members[:-1]
        addresses = [configured.address, *sorted({member.address for member in members})]
        bags = relation.published(unit), relation.application_published()
        bag, other = reversed(bags) if members else bags
        faults = oracle.faults_in_https_databag(
            bag,
            self.said[relation],
            relation.application,
            self.limit,
            (store, stores[store]),
            configured,
            addresses,
            now,
            self._untold(unit),
        )
        demand(not faults, "\n".join([f"{unit.name} on {relation.id}:", *faults]))
        demand_equal(f"{unit.name} on {relation.id}: the other databag", {}, other)

    def _untold(self, unit):
        """What LXD refuses it tells the leader, who tells the others where there are peers."""
        return set() if self.peers or unit.is_leader else {REFUSED.fingerprint}

    def _check_store(self, store, entries):
        """Exactly what is wished for, as wide as its wishes, and what others put there. What has
        expired may stay as long as it is wished for; LXD does not take it any more."""
        wishes = self.wishes() if store in self.served else []
        refused = {REFUSED.fingerprint}
        expected = oracle.expected_entries(wishes, self.limit, store, refused)
        ours = {
            fingerprint: oracle.opens(entry)
            for fingerprint, entry in entries.items()
            if fingerprint not in store.foreign
        }
        for fingerprint in oracle.expired(wishes, time.time()) - ours.keys():
            expected.pop(fingerprint, None)
        demand_equal("what our entries open", listing(expected), listing(ours))
        for fingerprint, entry in entries.items():
            if fingerprint in store.foreign:
                demand_equal("foreign entry", store.foreign[fingerprint], entry)
            else:
                is_ours = entry["type"] == "client" and entry["name"].startswith(self.prefix)
                demand(is_ours, f"an entry of the charm's: {entry}")


def told(entry):
    if entry is None:
        return "nothing"
    projects = oracle.opens(entry)
    return f"{entry['name']} ({'all' if projects is oracle.ALL else sorted(projects)})"


def listing(opened):
    """What entries open, in a form that is compared and printed."""
    return {
        fingerprint: "all" if projects is oracle.ALL else sorted(projects)
        for fingerprint, projects in sorted(opened.items())
    }
