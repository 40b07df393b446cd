# SPDX-License-Identifier: Apache-2.0
"""Random events, and histories made of them.

Each event is drawn by a generator of its own, made from the history's seed and the event's number,
out of what the events before it left. So a seed tells a whole history, and a seed with some of the
numbers tells a part of it. What LXD and the clock do meanwhile is not told.
"""

import contextlib
import itertools
import random
import threading

import agent
import oracle
from hook_commands import Reply
from oracle import Wish
from pki import constant_identity
from trust_store import TOPOLOGIES
from world import ADMINISTRATOR, DISPENSABLE, INDISPENSABLE, KILLED, REFUSED, World

SETTLE_EVERY = 10  # events, on average
UNITS, RELATIONS, REMOTE_UNITS = 3, 4, 3  # at most
SYSTEM_CALLS = 550  # of a hook that has much to do

APPLICATIONS = ["builder", "deployer", "runner-2"]
CLIENTS = [constant_identity(f"client {number}") for number in range(12)]
LOST = Reply(1, stderr=b"ERROR lost the controller\n")

MOVES = {}  # how often they are drawn


def move(weight):
    """A function that plays an event in a world and says what it did; None where it cannot be."""

    def register(function):
        MOVES[function] = weight
        return function

    return register


# --- requirers ---


def draw_relation(world, rng):
    return rng.choice(world.relations) if world.relations else None


def draw_member(world, rng):
    """A relation, and one of its remote units or the remote application."""
    relation = draw_relation(world, rng)
    return relation, relation and rng.choice([*relation.units, relation.application])


def draw_wish(rng):
    """A certificate, in one of the texts that mean it."""
    identity = rng.choice([*CLIENTS, *CLIENTS, ADMINISTRATOR, REFUSED])
    text = identity.certificate
    texts = [text, text, text.replace("\n", "\r\n"), f"for \u00e4 builder\n{text}\n"]
    return Wish(identity.fingerprint, rng.choice(texts))


def draw_publication(rng, relation, member):
    if relation.endpoint == "https":
        wish = rng.choice([None, draw_wish(rng), draw_wish(rng)])
        return oracle.ask_https(member, wish, rng.choice([None, "1.0", "1.7"]))
    wishes = [draw_wish(rng) for _ in range(rng.randint(0, 3))]
    return oracle.ask(member, wishes, rng.choice([None, "1.0", "1.7"]))


def draw_nonsense(rng, relation, member):
    kind = rng.randrange(3)
    if relation.endpoint == "https":
        if kind == 0:
            return oracle.ask_https(member, draw_wish(rng), "2.0")
        return oracle.ask_https(member, rng.choice(oracle.NO_PEM))
    if kind == 0:
        return oracle.ask_for_nonsense(member, rng.choice(oracle.NO_LISTS))
    if kind == 1:
        return oracle.ask(member, [draw_wish(rng)], "2.0")
    parts = [draw_wish(rng), *rng.sample(oracle.NO_CERTIFICATES, 2)]
    return oracle.ask(member, rng.sample(parts, len(parts)))


def short(publication):
    wishes = [wish.fingerprint[:6] for wish in publication.wishes]
    return f"{' '.join(wishes) or 'nothing'}, {len(publication.complaints)} times nonsense"


@move(7)
def relate(world, rng):
    if len(world.relations) == RELATIONS:
        return None
    relation = world.app.relate(rng.choice(APPLICATIONS), rng.choice(["api", "api", "https"]))
    world.said[relation] = {}
    return f"{relation.id} to {relation.application}"


@move(11)
def join(world, rng):
    relation = draw_relation(world, rng)
    if relation is None or len(relation.units) == REMOTE_UNITS:
        return None
    unit = f"{relation.application}/{next(world.numbers)}"
    publication = rng.choice([oracle.NOTHING, draw_publication(rng, relation, unit)])
    world.note(relation, unit, publication)
    relation.join(unit, **publication.settings)
    return f"{unit} on {relation.id}: {short(publication)}"


@move(18)
def publish(world, rng):
    relation, member = draw_member(world, rng)
    if relation is None:
        return None
    publication = draw_publication(rng, relation, member)
    world.publish(relation, member, publication)
    return f"{member} on {relation.id}: {short(publication)}"


@move(6)
def withdraw(world, rng):
    relation, member = draw_member(world, rng)
    said = world.said[relation].get(member) if relation else None
    if not said or not said.wishes:
        return None
    kept = rng.sample(said.wishes, rng.randrange(len(said.wishes)))
    publication = oracle.ask(member, kept) if kept else oracle.NOTHING
    world.publish(relation, member, publication)
    return f"{member} on {relation.id}: {short(publication)}"


@move(5)
def publish_nonsense(world, rng):
    relation, member = draw_member(world, rng)
    if relation is None:
        return None
    publication = draw_nonsense(rng, relation, member)
    world.publish(relation, member, publication)
    return f"{member} on {relation.id}: {short(publication)}"


@move(5)
def depart(world, rng):
    relation = draw_relation(world, rng)
    if relation is None or not relation.units:
        return None
    unit = rng.choice(relation.units)
    world.said[relation].pop(unit)
    relation.depart(unit)
    return f"{unit} from {relation.id}"


@move(2)
def break_relation(world, rng):
    relation = draw_relation(world, rng)
    if relation is None:
        return None
    world.said.pop(relation)
    relation.remove()
    return relation.id


# --- the charm's operator, and its agents ---


@move(5)
def scale_up(world, _rng):
    if len(world.units) == UNITS:
        return None
    return world.app.add_unit().name


@move(4)
def scale_down(world, rng):
    staying = [unit for unit in world.units if not unit.dying]
    if len(staying) < 2:
        return None
    unit = rng.choice(staying)
    world.app.remove_unit(unit)
    return unit.name


@move(1)
def replace_application(world, rng):
    """The application goes, and one of the same name comes."""
    world.app.faults.clear()
    world.app.remove_unit(*(unit for unit in world.units if not unit.dying))
    for relation in world.relations:
        relation.unreadable = False
    world.said.clear()
    world.drain(rng)
    if world.obstacle == "active":
        world.check()  # there is no relation any more
    world.deploy()
    return "gone and back"


@move(3)
def elect(world, rng):
    unit = rng.choice(world.units)
    world.app.elect(unit)
    return unit.name


@move(1)
def refresh(world, _rng):
    world.app.upgrade()
    return "all units"


@move(2)
def update_status(world, _rng):
    world.app.update_status()
    return "all units"


@move(1)
def take_credential(world, _rng):
    if not world.has_credential:
        return None
    world.give_credential(False)
    return "from the application"


@move(2)
def lose_commands(world, rng):
    command = rng.choice(INDISPENSABLE + DISPENSABLE)
    world.app.faults[command] = LOST
    return command


@move(2)
def find_commands(world, _rng):
    if not world.app.faults:
        return None
    world.app.faults.clear()
    return "all"


@move(1)
def make_unreadable(world, rng):
    relation = draw_relation(world, rng)
    if relation is None:
        return None
    relation.unreadable = True
    return relation.id


def draw_busy_unit(world, rng):
    unit = rng.choice(world.units)
    if not unit.pending:
        world.app.update_status()
    return unit


def killer(rng, pid):
    """Runs the charm, and kills it (or another process) at one of its system calls."""
    program = agent.helper_program("kill_at_syscall")
    return [program, "all", str(rng.randint(1, SYSTEM_CALLS)), str(pid)]


@move(8)
def kill_hook(world, rng):
    unit = draw_busy_unit(world, rng)
    wrapper = killer(rng, 0)
    hook = world.run_next(unit, wrapper)
    world.tally["hooks killed"] += hook.exit_code == KILLED
    return f"{unit.name}: {hook.name} at system call {wrapper[2]}: {hook.exit_code}"


# --- LXD ---


def draw_server(world, rng):
    """A server that runs, of a trust store all of whose servers do."""
    stores = [store for store in world.stores if store.whole]
    store = rng.choice(stores) if stores else None
    return store, store and rng.choice(store.members)


@move(2)
def stop_server(world, rng):
    store, server = draw_server(world, rng)
    if store is None:
        return None
    store.stop(server)
    return server.address


@move(2)
def start_servers(world, _rng):
    if world.whole:
        return None
    for store in world.stores:
        store.mend()
    return "all"


@move(2)
def kill_server_during_hook(world, rng):
    store, server = draw_server(world, rng)
    if store is None:
        return None
    unit = draw_busy_unit(world, rng)
    wrapper = killer(rng, server.pid)
    disturbance = contextlib.ExitStack()
    disturbance.callback(store.stop, server)
    hook = world.run_next(unit, wrapper, disturbance)
    return f"{server.address} at system call {wrapper[2]} of {unit.name}: {hook.name}"


@contextlib.contextmanager
def hanging(server, seconds):
    alarm = threading.Timer(seconds, server.resume)
    server.pause()
    alarm.start()
    yield
    alarm.join()


@move(0.3)
def hang_server_during_hook(world, rng):
    store, server = draw_server(world, rng)
    if store is None:
        return None
    unit = draw_busy_unit(world, rng)
    seconds = rng.choice([0.2, 0.2, 0.2, 1, 1, 7, 30])
    hook = world.run_next(unit, disturbance=hanging(server, seconds))
    return f"{server.address} for {seconds} s in {unit.name}: {hook.name}"


# --- LXD's administrator, who waits until all servers run ---


def draw_store(world, rng):
    return rng.choice(world.stores) if world.whole else None


@move(5)
def add_foreign_entry(world, rng):
    store = draw_store(world, rng)
    if store is None:
        return None
    identity = rng.choice(CLIENTS)
    near = [f"juju.00000000.{world.app.name}.builder.1", f"{world.prefix[:-1]}-2.builder.1"]
    name = rng.choice(["alice", "bob", "juju", *near])
    fields = rng.choice([{}, {}, {}, {"restricted": True}, {"type": "metrics"}])
    store.add(identity, name, **fields)
    return f"{identity.fingerprint[:6]} as {name} {fields or ''}"


@move(4)
def remove_foreign_entry(world, rng):
    store = draw_store(world, rng)
    clients = {identity.fingerprint for identity in CLIENTS}
    removable = sorted(clients & store.foreign.keys()) if store else []
    if not removable:
        return None
    fingerprint = rng.choice(removable)
    store.remove(fingerprint)
    return fingerprint[:6]


def draw_own_entry(world, rng):
    store = draw_store(world, rng)
    own = sorted(store.entries.keys() - store.foreign.keys()) if store else []
    return store, rng.choice(own) if own else None


@move(4)
def remove_own_entry(world, rng):
    store, fingerprint = draw_own_entry(world, rng)
    if fingerprint is None:
        return None
    store.remove(fingerprint)
    return fingerprint[:6]


@move(2)
def rename_own_entry(world, rng):
    store, fingerprint = draw_own_entry(world, rng)
    if fingerprint is None:
        return None
    store.rename(fingerprint, "carol")
    return f"{fingerprint[:6]} to carol"


@move(2)
def plant_orphan(world, rng):
    store = draw_store(world, rng)
    absent = [item for item in CLIENTS if store and item.fingerprint not in store.entries]
    if not absent:
        return None
    identity = rng.choice(absent)
    store.plant(identity, f"{world.prefix}gone.99")
    return identity.fingerprint[:6]


@move(1)
def rename_credential(world, rng):
    store = draw_store(world, rng)
    if store is None or not world.lets_charm_in(store):
        return None
    name = rng.choice([f"{world.prefix}builder.1", "juju"])
    store.rename(ADMINISTRATOR.fingerprint, name)
    return f"to {name}"


@move(1)
def distrust_credential(world, rng):
    store = draw_store(world, rng)
    if store is None or not world.lets_charm_in(store):
        return None
    store.remove(ADMINISTRATOR.fingerprint)
    return "done"


# --- histories ---


class History:
    """The events of one seed: so many that can be played, or those with the numbers given."""

    def __init__(self, seed, events=None, numbers=None):
        self.seed = seed
        self.topology = list(TOPOLOGIES)[seed % 3]
        self.transport = ["exec", "agent"][seed // 3 % 2]
        self.events = events
        self.numbers = numbers
        self.played = []  # numbers of events
        self.lines = []  # what happened, to be read
        self.tally = {}

    def play(self, charm, stores):
        """Play it from an empty world, in trust stores of its topology. Raises Failure where
        something does not hold."""
        with World(charm, stores, self.seed, self.transport) as world:
            self.lines, self.tally = world.lines, world.tally
            for number in itertools.count(1) if self.numbers is None else self.numbers:
                if len(self.played) == self.events:
                    break
                self._play_event(world, number)
            world.settle(random.Random(self.seed))

    def _play_event(self, world, number):
        rng = random.Random(f"{self.seed}/{number}")
        (function,) = rng.choices(list(MOVES), MOVES.values())
        line = len(self.lines)
        self.lines.append(f"{number:5} {function.__name__}")
        self.played.append(number)
        told = function(world, rng)
        if told is None:
            self.lines.pop()
            self.played.pop()
            return
        self.lines[line] += f": {told}"
        world.tally[function.__name__] += 1
        world.work(rng)
        if rng.randrange(SETTLE_EVERY) == 0:
            world.settle(rng)


def shrink(seed, numbers, fails):
    """A part of these events of a history that fails as well: leave out ever smaller stretches.
    `fails` plays a history."""
    size = len(numbers) // 2
    while size:
        for start in reversed(range(0, len(numbers), size)):
            fewer = numbers[:start] + numbers[start + size :]
            if fails(History(seed, numbers=fewer)):
                numbers = fewer
        size //= 2
    return numbers
