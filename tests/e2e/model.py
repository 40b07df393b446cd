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
import time

import agent
import oracle
from hook_commands import Reply
from oracle import Wish
from pki import constant_identity, identity
from trust_store import PROJECTS, TOPOLOGIES
from world import ADMINISTRATOR, DISPENSABLE, INDISPENSABLE, KILLED, REFUSED, World

SETTLE_EVERY = 10  # events, on average
UNITS, RELATIONS, REMOTE_UNITS = 3, 4, 3  # at most
SYSTEM_CALLS = 550  # of a hook that has much to do

APPLICATIONS = ["builder", "deployer", "runner-2"]
CLIENTS = [constant_identity(f"client {number}") for number in range(6)]
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
    client = rng.choice([*CLIENTS, *CLIENTS, ADMINISTRATOR, REFUSED])
    text = client.certificate
    texts = [text, text, text.replace("\n", "\r\n"), f"for \u00e4 builder\n{text}\n"]
    return Wish(client.fingerprint, rng.choice(texts))


def draw_publication(rng, relation, member):
    if relation.endpoint == "https":
        wish = rng.choice([None, draw_wish(rng), draw_wish(rng)])
        return oracle.ask_https(member, wish, rng.choice([None, "1.0", "1.7"]))
    wishes = [draw_wish(rng) for _ in range(rng.randint(0, 3))]
    publication = oracle.ask(member, wishes, rng.choice([None, "1.0", "1.7"]))
    if rng.random() < 0.5:
        publication = oracle.restrict(publication, draw_projects(rng))
    return publication


def draw_projects(rng):
    """Some of LXD's, and one that it has never had."""
    return rng.sample([*PROJECTS, "default", "gren"], rng.randint(1, 3))


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
    projects = publication.settings.get("projects", "all")
    return f"{' '.join(wishes) or 'nothing'} ({projects}), {publication.complaints} times nonsense"


@move(7)
def relate(world, rng):
    """Also anew, after a removal by force. An application relates to an endpoint once."""
    endpoint = rng.choice(["api", "api", "https"])
    taken = {relation.consumer for relation in world.relations if relation.endpoint == endpoint}
    free = [name for name in APPLICATIONS if name not in taken]
    if len(world.relations) == RELATIONS or not free:
        return None
    kind = rng.choice([{}, {}, {}, {"cross_model": True}, {"subordinate_to": "ubuntu"}])
    relation = world.app.relate(rng.choice(free), endpoint, **kind)
    world.said[relation] = {}
    return f"{relation.id} to {relation.application} {kind or ''}"


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
    publication = oracle.NOTHING
    if kept and relation.endpoint == "https":
        publication = oracle.ask_https(member, kept[0])
    elif kept:
        wishes = [oracle.Wish(wish.fingerprint, wish.text, end=wish.end) for wish in kept]
        publication = oracle.ask(member, wishes)
    world.publish(relation, member, publication)
    return f"{member} on {relation.id}: {short(publication)}"


@move(9)
def publish_other_projects(world, rng):
    """The same certificates as before, for other projects or for all of LXD."""
    relation, member = draw_member(world, rng)
    said = world.said[relation].get(member) if relation else None
    if not said or not said.wishes or relation.endpoint == "https":
        return None
    wishes = [oracle.Wish(wish.fingerprint, wish.text, end=wish.end) for wish in said.wishes]
    publication = oracle.ask(member, wishes)
    if rng.random() < 0.7:
        publication = oracle.restrict(publication, draw_projects(rng))
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


@move(2)
def suspend(world, rng):
    relation = draw_relation(world, rng)
    if relation is None or not relation.cross_model or relation.suspended:
        return None
    relation.suspend()
    return relation.id


@move(3)
def resume(world, rng):
    suspended = [relation for relation in world.relations if relation.suspended]
    if not suspended:
        return None
    relation = rng.choice(suspended)
    relation.resume()
    return relation.id


@move(3)
def force_remove_relation(world, rng):
    relation = draw_relation(world, rng)
    if relation is None:
        return None
    world.said.pop(relation)
    relation.force_remove()
    return relation.id


@move(1)
def force_remove_application(world, rng):
    relation = draw_relation(world, rng)
    if relation is None:
        return None
    world.said.pop(relation)
    relation.force_remove_application()
    return relation.id


@move(3)
def force_remove_unit(world, rng):
    relation = draw_relation(world, rng)
    if relation is None or not relation.units:
        return None
    unit = rng.choice(relation.units)
    world.said[relation].pop(unit)
    relation.force_remove_unit(unit)
    return f"{unit} from {relation.id}"


@move(1)
def publish_what_expires(world, rng):
    relation, member = draw_member(world, rng)
    if relation is None or relation.endpoint != "api":
        return None
    end = int(time.time()) + rng.randint(2, 5)
    client = identity("expiring", end=(end - time.time()) / 86400)
    wish = oracle.Wish(client.fingerprint, client.certificate, end=end)
    publication = oracle.ask(member, [wish, draw_wish(rng)])
    world.publish(relation, member, publication)
    return f"{member} on {relation.id}: {short(publication)}"


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
def lose_unit(world, rng):
    if len(world.units) < 2:
        return None
    unit = rng.choice(world.units)
    world.app.lose_unit(unit)
    return unit.name


@move(2)
def run_old_hook(world, rng):
    """A follower whose update-status had begun before what is queued came about."""
    followers = [unit for unit in world.present if not unit.is_leader and not unit.dying]
    followers = [unit for unit in followers if unit.pending]
    if not followers:
        return None
    unit = rng.choice(followers)
    world.run_old(unit)
    return unit.name


@move(2)
def stop_agent(world, rng):
    if len(world.present) < 2:
        return None
    unit = rng.choice(world.present)
    unit.stop_agent()
    return unit.name


@move(3)
def start_agent(world, rng):
    """One that was away, or any again."""
    unit = rng.choice(world.units)
    unit.start_agent()
    return unit.name


@move(3)
def limit_projects(world, rng):
    limit = rng.choice([oracle.ALL, frozenset(draw_projects(rng))])
    world.set_limit(limit)
    return "all" if limit is oracle.ALL else " ".join(sorted(limit))


@move(1)
def switch_endpoint(world, rng):
    """One of two servers is taken out, or comes back, while all is well."""
    if len(world.stores) == 1 or not world.whole or world.obstacle != "active":
        return None
    world.app.faults.clear()
    served = world.stores if len(world.served) == 1 else [rng.choice(world.stores)]
    for unit in world.units:
        if unit.away:
            unit.start_agent()
    world.drain(rng)
    world.serve(served)
    world.drain(rng)
    return f"{len(served)} servers"


@move(1)
def replace_application(world, rng):
    """The application goes, and one of the same name comes."""
    world.app.remove_unit(*(unit for unit in world.units if not unit.dying))
    world.said.clear()
    world.heal_juju()
    world.drain(rng)
    world.app.relations.clear()
    if world.obstacle == "active" and world.whole:
        world.check()  # there is no relation any more
    world.deploy()
    return "gone and back"


@move(3)
def elect(world, rng):
    unit = rng.choice([unit for unit in world.units if not unit.dying] or world.units)
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
    present = [unit for unit in world.present if unit.pending or not unit.dying]
    unit = rng.choice(present) if present else None
    if unit and not unit.pending:
        world.app.update_status()
    return unit


def killer(rng, pid):
    """Runs the charm, and kills it (or another process) at one of its system calls."""
    program = agent.helper_program("kill_at_syscall")
    return [program, "all", str(rng.randint(1, SYSTEM_CALLS)), str(pid)]


@move(8)
def kill_hook(world, rng):
    unit = draw_busy_unit(world, rng)
    if unit is None:
        return None
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
    if unit is None:
        return None
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
    if unit is None:
        return None
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
    client = rng.choice(CLIENTS)
    number = next(world.numbers)
    near = [f"juju.00000000.{world.app.name}.builder", f"{world.prefix[:-1]}-2.builder"]
    name = f"{rng.choice(['alice', 'bob', 'juju', *near])}.{number}"
    projects = [name for name in draw_projects(rng) if name in store.projects]
    restricted = {"restricted": True, "projects": projects}
    fields = rng.choice([{}, {}, {}, {"restricted": True}, restricted, {"type": "metrics"}])
    store.add(client, name, **fields)
    return f"{client.fingerprint[:6]} as {name} {fields or ''}"


@move(4)
def remove_foreign_entry(world, rng):
    store = draw_store(world, rng)
    clients = {client.fingerprint for client in CLIENTS}
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
    name = f"carol-{next(world.numbers)}"
    store.rename(fingerprint, name)
    return f"{fingerprint[:6]} to {name}"


@move(2)
def plant_orphan(world, rng):
    store = draw_store(world, rng)
    if store not in world.served:  # the charm is through with it
        return None
    absent = [item for item in CLIENTS if item.fingerprint not in store.entries]
    if not absent:
        return None
    client = rng.choice(absent)
    store.plant(client, f"{world.prefix}gone.{1000 + next(world.numbers)}")
    return client.fingerprint[:6]


@move(1)
def rename_credential(world, rng):
    store = draw_store(world, rng)
    if store is None or not world.lets_charm_in(store):
        return None
    name = rng.choice([f"{world.prefix}builder.0", "juju"])
    store.rename(ADMINISTRATOR.fingerprint, name)
    return f"to {name}"


@move(3)
def delete_project(world, rng):
    store = draw_store(world, rng)
    name = rng.choice(PROJECTS)
    if store is None or name not in store.projects:
        return None
    store.set_project(name, False)
    return name


@move(3)
def create_project(world, rng):
    store = draw_store(world, rng)
    name = rng.choice(PROJECTS)
    if store is None or name in store.projects:
        return None
    store.set_project(name, True)
    return name


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
