# SPDX-License-Identifier: Apache-2.0
"""A model of Juju as far as one application sees it, with an operator's moves as methods.

A move changes the model and then runs the hooks that Juju would run for it, on every unit. It
returns those hooks. A hook that fails raises HookFailed; it stays first in its unit's queue, as in
Juju, and Unit.run_pending() tries it again. Where the agents sleep (Juju.asleep), a move only
queues hooks; Unit.run_next() runs them one by one, in whatever order of units.
"""

import collections
import itertools
import re
import shutil
import tempfile
import uuid
import zipfile
from pathlib import Path

import yaml

import agent
from agent import Event
from agent_socket import AgentSocket

CONFIG_TYPES = {"string": str, "int": int, "float": float, "boolean": bool}
SINCE = "2024-01-01 00:00:00Z"
ROUNDS = 100  # of hooks that wake other units


class HookFailed(Exception):
    """A hook ended with another exit status than 0."""

    def __init__(self, unit, hook):
        lines = "\n".join(f"  {line.level} {line.text}" for line in hook.log)
        super().__init__(f"{unit.name}: {hook.name} ended with {hook.exit_code}\n{lines}")
        self.hook = hook


class Juju:
    """One controller with one model. Use as a context manager."""

    def __init__(self, charm, version="3.6", transport="exec", kubernetes=False):
        self.charm = Path(charm)
        self.kubernetes = kubernetes  # the model's units are pods
        self.version = version
        self.transport = transport  # of hook commands: "exec", or "agent": its socket alone
        self.https_proxy, self.no_proxy = "", "127.0.0.1,localhost,::1"  # of the model-config
        self.model_name = "default"
        self.model_uuid = str(uuid.uuid4())
        self.applications = []
        self.secrets = {}  # by id
        self.asleep = False
        self._files = tempfile.TemporaryDirectory(prefix="juju-")
        self._numbers = itertools.count(1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for application in self.applications:
            for unit in application.units:
                unit.close()
        self._files.cleanup()

    @property
    def directory(self):
        return Path(self._files.name)

    def next_number(self):
        return next(self._numbers)

    @property
    def is_new(self):
        """Juju 4: other wordings, and databags that are found by applications and endpoints."""
        return self.version.startswith("4.")

    def new_context_id(self, unit, event):
        number = str(self.next_number()) if self.version.startswith("2.") else uuid.uuid4().hex
        return f"{unit.name}-{event.hook_name or event.name}-{number}"

    def deploy(
        self,
        name="lxd-integrator",
        units=1,
        trust=False,
        cloud=None,
        config=None,
        charm=None,
        peers=True,
    ):
        """juju deploy [--trust] [--config ...] -n <units>; of another charm where one is given.
        Without peers it is as after a refresh from a charm that had no peer relation: Juju 4 makes
        none then, older ones do at the next upgrade()."""
        application = Application(self, name, trust, cloud, config or {}, charm or self.charm)
        if peers:
            application.make_peers()
        self.applications.append(application)
        for _ in range(units):
            application.add_unit()
        return application


    def add_secret(self, **content):
        """juju add-secret; keys are written with underscores here. Returns the secret."""
        secret = self.new_secret(content)
        self.secrets[secret.id] = secret
        return secret

    def new_secret(self, content, owner=None, label=""):
        return Secret(self, content, owner, label)


class Secret:
    """A secret of a user, owned by the model (Juju 3.3 and later), or of an application."""

    def __init__(self, juju, content, owner, label):
        self.id = uuid.uuid4().hex[:20]
        self.revisions = {1: self._checked(content)}
        self.grants = set()
        self.owner = owner
        self.label = label
        self._juju = juju

    @staticmethod
    def _checked(content):
        content = {key.replace("_", "-"): value for key, value in content.items()}
        assert all(re.fullmatch("[a-z](-?[a-z0-9]){2,}", key) for key in content)
        return content

    @property
    def uri(self):
        return f"secret:{self.id}"

    @property
    def latest(self):
        return max(self.revisions)

    def is_readable(self, context):
        owner = self.owner.name if self.owner else None
        return context.application_name in self.grants | {owner}

    def grant(self, application):
        """juju grant-secret: no hook runs for it."""
        self.grants.add(application.name)

    def update(self, **content):
        """juju update-secret"""
        self.change(content)
        return [hook for each in self._juju.applications for hook in each._run_all()]

    def change(self, content):
        """A new revision: units that track an older one are told."""
        self.revisions[self.latest + 1] = self._checked(content)
        for application in self._juju.applications:
            for unit in application.units:
                if self.id in unit.tracked and not (self.owner and unit.is_leader):
                    unit.queue(Event("secret-changed", secret=self))


def lxd_cloud(endpoint, identity, server_certificate, cloud_type="lxd"):
    """What credential-get tells about a cloud (rpc/params/cloud.go, in the struct's order)."""
    attributes = {
        "client-cert": identity.certificate,
        "client-key": identity.key,
        "server-cert": server_certificate,
    }
    return {
        "type": cloud_type,
        "name": "localhost",
        "region": "localhost",
        "endpoint": endpoint,
        "credential": {"auth-type": "certificate", "attrs": attributes},
        "is-controller-cloud": True,
    }


def kubernetes_cloud():
    """The same of a Kubernetes cloud (Juju 3.6 and later), with the token of a service account."""
    return {
        "type": "kubernetes",
        "name": "microk8s",
        "region": "localhost",
        "endpoint": "https://10.152.183.1:443",
        "credential": {"auth-type": "oauth2", "attrs": {"Token": "eyJhbGciOiJSUzI1NiJ9"}},
        "cacertificates": ["-----BEGIN CERTIFICATE-----\n"],
        "is-controller-cloud": True,
    }


class Application:
    """The application under test."""

    def __init__(self, juju, name, trusted, cloud, config, charm):
        self.juju = juju
        self.charm = charm
        self.name = name
        self.trusted = trusted
        self.cloud = cloud
        self.units = []
        self.relations = []  # as the controller knows them, without the peers
        self.peers = None  # the peer relation, where there is one
        self.leader = None
        self.status = None
        self.version = None
        self.faults = {}  # replies to hook commands, by name, that are to go wrong
        self.meanwhile = {}  # functions by hook command: what happens, once, right before it
        self._unit_numbers = itertools.count()
        with zipfile.ZipFile(charm) as archive:
            self._metadata = yaml.safe_load(archive.read("metadata.yaml"))
            self._options = yaml.safe_load(archive.read("config.yaml"))["options"]
            has_actions = "actions.yaml" in archive.namelist()
            self.actions = yaml.safe_load(archive.read("actions.yaml")) if has_actions else {}
        self._settings = {}
        self._set_options(config)

    @property
    def config(self):
        """All options: as set, else their default (None where there is none)."""
        defaults = {name: option.get("default") for name, option in self._options.items()}
        return {**defaults, **self._settings}

    def goal_state(self):
        """The answer of goal-state, to any unit. Not in it: cross-model requirers, the units of a
        subordinate whose principal is another application, the peers, what is gone."""
        units = {}
        for unit in self.units:
            status = "dying" if unit.dying else unit.status[0]
            units[unit.name] = {"status": status, "since": SINCE}
        relations = collections.defaultdict(dict)
        for relation in self.relations:
            if relation.cross_model or relation.suspended:
                continue
            there = relations[relation.endpoint]
            there[relation.application] = {"status": "joined", "since": SINCE}
            for name in () if relation.principal else relation.units:
                there[name] = {"status": "active", "since": SINCE}
        return {"units": go_map(units), "relations": go_map(map_values(go_map, relations))}

    def make_peers(self):
        """The peer relation that the charm's metadata has, if any."""
        for endpoint in self._metadata.get("peers", {}):
            self.peers = PeerRelation(self, self.juju.next_number(), endpoint)
            for unit in self.units:
                self.peers.admit(unit)
            for unit in self.units:
                for other in self.units:
                    if other is not unit:
                        unit.see_joined(self.peers, other.name)

    # --- moves ---

    def add_unit(self):
        """juju add-unit; returns the unit."""
        unit = Unit(self, next(self._unit_numbers))
        self.units.append(unit)
        unit.install()
        unit.queue(Event("install"))
        for relation in self.relations:
            if not relation.suspended:
                unit.enter(relation)
        if self.peers:
            self.peers.admit(unit)
        if self.leader is None:
            self.leader = unit
        leadership = "leader-elected" if unit.is_leader else "leader-settings-changed"
        unit.queue(Event(leadership), Event("config-changed"), Event("start"))
        for relation in self.relations:
            if not relation.suspended:
                for remote_unit in relation.units:
                    unit.see_joined(relation, remote_unit)
        if self.peers:
            self.peers.introduce(unit)
        unit.run_pending()
        self._run_all()
        return unit

    def remove_unit(self, *units, subordinates=False):
        """juju remove-unit, with all units: scaled to none. Where a unit has subordinates, it is
        dying, and runs no hooks, until unit.subordinates_gone()."""
        for unit in units:
            unit.dying = True
        for unit in units:
            unit.wait_for_subordinates() if subordinates else unit.retire()
        hooks = []
        for unit in units:
            hooks += unit.run_pending()
            for other in [other for other in self.units if other not in units]:
                hooks += other.run_pending()
        return hooks + self._run_all()

    def remove(self):
        """juju remove-application: all units are dying from the first hook on."""
        hooks = self.remove_unit(*(unit for unit in self.units if not unit.dying))
        if not self.units:
            self.relations.clear()
            self.juju.applications.remove(self)
        return hooks

    def lose_unit(self, unit):
        """juju remove-unit --force, or remove-machine --force of a lost machine: the unit is no
        more. None of its hooks runs, and no departed on its peers."""
        if self.peers and unit.name in self.peers.units:  # its stop may have run
            self.peers.units.remove(unit.name)
        self.forget(unit)
        return self._run_all()

    def forget(self, unit):
        """The unit is gone. Where it was the leader the first of the others is the next."""
        self.units.remove(unit)
        unit.close()
        if self.leader is unit:
            self.leader = None
            for successor in sorted(self.units, key=lambda other: other.dying)[:1]:
                self.leader = successor
                successor.queue(Event("leader-elected"))

    def elect(self, unit):
        """Leadership moves to this unit."""
        self.leader = unit
        unit.queue(Event("leader-elected"))
        return unit.run_pending()

    def configure(self, **options):
        """juju config; None resets an option."""
        self._set_options(options)
        return self.fire("config-changed")

    def trust(self, granted=True):
        """juju trust [--remove]"""
        self.trusted = granted
        return self.fire("config-changed")

    def upgrade(self):
        """juju refresh"""
        for unit in self.units:
            unit.install()
            unit.queue(Event("upgrade-charm"), Event("config-changed"))
        if self.peers is None and not self.juju.is_new:
            self.make_peers()
        return self._run_all()

    def fire(self, kind):
        """Run one hook that is about no relation."""
        for unit in self.units:
            unit.queue(Event(kind))
        return self._run_all()

    def update_status(self):
        """What the agent does every five minutes."""
        return self.fire("update-status")

    def relate(
        self, application, endpoint="api", number=None, cross_model=False, subordinate_to=None
    ):
        """juju relate; returns the relation. A cross-model requirer has a name of Juju's making; a
        subordinate one may have another application than us for its principal."""
        number, consumer = number or self.juju.next_number(), application
        if cross_model:
            seed = consumer + (str(number) if self.juju.is_new else "")
            application = f"remote-{uuid.uuid5(uuid.UUID(self.juju.model_uuid), seed).hex}"
        relation = Relation(self, number, endpoint, application)
        relation.consumer = consumer  # the name in its own model
        relation.cross_model, relation.principal = cross_model, subordinate_to
        self.relations.append(relation)
        for unit in self.units:
            unit.enter(relation)
        self._run_all()
        return relation

    def _set_options(self, options):
        for name, value in options.items():
            if name not in self._options:
                raise KeyError(f'unknown option "{name}"')
            if value is None:
                self._settings.pop(name, None)
            elif isinstance(value, CONFIG_TYPES[self._options[name]["type"]]):
                self._settings[name] = value
            else:
                raise TypeError(f'option "{name}" expected {self._options[name]["type"]}')

    def _run_all(self):
        """Hooks of one unit may wake others."""
        hooks = []
        for _ in range(ROUNDS):
            ran = [hook for unit in list(self.units) for hook in unit.run_pending()]
            if not ran:
                return hooks
            hooks += ran
        raise RuntimeError(f"{self.name}: the units do not come to rest")


def go_map(mapping):
    """Go writes the keys of a map in order."""
    return dict(sorted(mapping.items()))


def map_values(function, mapping):
    return {key: function(value) for key, value in mapping.items()}


class Relation:
    """One relation of the application, and what the other side does with it."""

    def __init__(self, application, number, endpoint, remote_application):
        self.number = number
        self.endpoint = endpoint
        self.application = remote_application
        self.units = []  # of the remote application, as the controller knows them
        self.settings = {}  # by unit or application, of both sides
        self.unreadable = False  # True: every relation-get of it fails, and may not later
        self.cross_model = False
        self.principal = None  # of a subordinate requirer, where that is another application
        self.suspended = False
        self.gone = False  # removed by force: our agents may list it still
        self.local = application
        self._seen = collections.defaultdict(set)  # our unit: remote units that it knows of

    @property
    def id(self):
        return f"{self.endpoint}:{self.number}"

    @property
    def remote_names(self):
        """Whose settings our units may read. Those of a unit that left stay readable."""
        prefix = f"{self.application}/"
        return {self.application} | {name for name in self.settings if name.startswith(prefix)}

    @property
    def databag(self):
        """The relation whose databags are meant where this one is named: itself, None where there
        are none any more, and on Juju 4, which looks them up by applications and endpoints, the one
        that was made anew after a removal by force."""
        if not self.gone:
            return self
        if self.local.juju.is_new:
            for other in self.local.relations:
                if (other.endpoint, other.application) == (self.endpoint, self.application):
                    return other
        return None

    def seen_by(self, unit):
        return sorted(self._seen[unit.name])

    def show(self, unit, remote_unit):
        self._seen[unit.name].add(remote_unit)

    def hide(self, unit, remote_unit):
        self._seen[unit.name].discard(remote_unit)

    def start_settings(self, name):
        """A unit enters the relation: Juju before 4.0 writes its addresses."""
        old = not self.local.juju.version.startswith("4.")
        self.settings[name] = network_settings(name) if old else {}

    def published(self, unit=None):
        """The databag of one of our units (the first), without what Juju itself puts there."""
        settings = self.settings.get((unit or self.local.units[0]).name, {})
        return {key: value for key, value in settings.items() if key not in network_settings("")}

    def application_published(self):
        """The databag of our application, which its leader writes."""
        return self.settings.get(self.local.name, {})

    # --- moves ---

    def join(self, remote_unit, **settings):
        """A remote unit comes, with its settings already there."""
        self.units.append(remote_unit)
        self.start_settings(remote_unit)
        self.settings[remote_unit].update(settings)
        for unit in self.local.units:
            unit.see_joined(self, remote_unit)
        return self.local._run_all()

    def publish(self, remote_name, **settings):
        """A remote unit or the remote application changes settings; None removes one."""
        bag = {**self.settings.get(remote_name, {}), **settings}
        self.settings[remote_name] = {key: value for key, value in bag.items() if value is not None}
        remote_unit = remote_name if "/" in remote_name else ""
        return self._fire(Event("relation-changed", self, remote_unit))

    def depart(self, remote_unit):
        """A remote unit leaves: juju remove-unit."""
        self.units.remove(remote_unit)
        for unit in self.local.units:
            unit.see_departed(self, remote_unit, departing_unit=remote_unit)
        return self.local._run_all()

    def remove(self):
        """juju remove-relation. It ends for a unit that is dying when that takes its leave."""
        for unit in self.local.units:
            if not unit.dying:
                unit.leave(self, departing_unit=None)
        hooks = self.local._run_all()
        self.local.relations.remove(self)
        return hooks

    def force_remove(self):
        """juju remove-relation --force (and, cross-model, remove-offer or remove-saas --force):
        nothing fires. Our agents go on listing it, with the members that they have seen."""
        self.gone = True
        self.settings.clear()
        self.local.relations.remove(self)
        for unit in self.local.units:
            unit.drop_pending(lambda event: event.relation is self)
        return self.local._run_all()

    def force_remove_application(self):
        """juju remove-application --force, of the other side: departed fires, and nothing after."""
        for remote_unit in list(self.units):
            self.units.remove(remote_unit)
            for unit in self.local.units:
                unit.see_departed(self, remote_unit, departing_unit=remote_unit)
        hooks = self.local._run_all()
        return hooks + self.force_remove()

    def force_remove_unit(self, remote_unit):
        """juju remove-unit --force, or remove-machine --force: nothing fires. The unit stays in
        relation-list, and its databag readable; goal-state does not name it any more."""
        self.units.remove(remote_unit)
        return self.local._run_all()

    def suspend(self):
        """juju suspend-relation: for us the relation ends; it is not listed meanwhile."""
        self.suspended = True
        for unit in self.local.units:
            if not unit.dying:
                unit.leave(self, departing_unit=None)
        return self.local._run_all()

    def resume(self):
        """juju resume-relation"""
        self.suspended = False
        for unit in self.local.units:
            unit.resume(self)
        return self.local._run_all()

    def changed(self, unit, owner):
        """One of our units has written a databag. The other side's hooks are not ours to run."""

    def _fire(self, event):
        for unit in self.local.units:
            unit.queue(event)
        return self.local._run_all()


class PeerRelation(Relation):
    """The relation of our units among themselves."""

    def __init__(self, application, number, endpoint):
        super().__init__(application, number, endpoint, application.name)

    def admit(self, unit):
        """The unit enters."""
        unit.enter(self)
        self.units.append(unit.name)

    def introduce(self, unit):
        """The unit and the others see each other."""
        for other in self.local.units:
            if other is not unit:
                unit.see_joined(self, other.name)
                other.see_joined(self, unit.name)

    def dismiss(self, unit):
        """The unit has left."""
        self.units.remove(unit.name)
        for other in self.local.units:
            if other is not unit:
                self.settle_departure(other, unit)

    def settle_departure(self, other, unit):
        other.drop_pending(lambda event: event.relation is self and event.remote_unit == unit.name)
        if unit.name in self.seen_by(other):
            other.see_departed(self, unit.name, departing_unit=unit.name)

    def changed(self, unit, owner):
        """The others are woken, once for any number of changes."""
        remote_unit = owner if "/" in owner else ""
        event = Event("relation-changed", self, remote_unit)
        for other in self.local.units:
            if other is not unit and not other.expects(event):
                other.queue(event)


class Link:
    """A relation of two applications of the model: what is one's own for one is remote for the
    other."""

    def __init__(self, first, second):
        """Ends are pairs of an application and its endpoint."""
        number = first[0].juju.next_number()
        self.first = first[0].relate(second[0].name, first[1], number)
        self.second = second[0].relate(first[0].name, second[1], number)
        for end, application in ((self.first, second[0]), (self.second, first[0])):
            for unit in application.units:
                end.join(unit.name)
        self.settle()

    def settle(self):
        """Carry settings over until nobody has anything new to say."""
        while self._carry(self.first, self.second) or self._carry(self.second, self.first):
            pass

    @staticmethod
    def _carry(source, target):
        carried = False
        for unit in source.local.units:
            said, known = source.settings[unit.name], target.settings[unit.name]
            if said != known:
                target.publish(unit.name, **{**dict.fromkeys(known), **said})
                carried = True
        return carried

    def remove(self):
        """juju remove-relation"""
        return self.first.remove() + self.second.remove()


def network_settings(name):
    """What Juju before 4.0 keeps in every unit's databag."""
    address = f"10.0.1.{sum(name.encode()) % 250 + 1}"
    return {
        "egress-subnets": f"{address}/32",
        "ingress-address": address,
        "private-address": address,
    }


class Unit:
    """One unit of the application."""

    def __init__(self, application, number):
        self.application = application
        self.number = number
        self.name = f"{application.name}/{number}"
        self.status = ("maintenance", "installing charm software")
        self.state = {}
        self.tracked = {}  # revisions of secrets, by id
        self.relations = []  # that its agent lists: each from its relation-created hook on
        self.dying = False
        self.away = False  # its agent does not run
        self.busy = False  # a hook runs, and no other meanwhile
        self.pending = collections.deque()
        self._begun = None  # the first of them, where it has failed or was killed
        self.hooks = []  # all that ran, in order
        self.wrapper = agent.emulator()  # runs the charm instead: what is to run comes last
        self._left = set()  # relations that are ending for this unit, or have ended
        self._entered = []  # relations that it is in, or is about to learn of
        tag = f"unit-{application.name}-{number}"
        self.agent_directory = application.juju.directory / "agents" / tag
        self.tools_directory = application.juju.directory / "tools" / tag
        self.socket = None
        self.tools_directory.mkdir(parents=True)
        self.commands = agent.CommandServer(self.tools_directory)
        if application.juju.transport == "exec":
            agent.install_hook_commands(self.tools_directory)
        else:
            self.agent_directory.mkdir(parents=True)
            self.socket = AgentSocket(self.agent_directory / "agent.socket", self.commands)

    @property
    def charm_directory(self):
        return self.agent_directory / "charm"

    @property
    def is_leader(self):
        return self.application.leader is self

    def install(self):
        """Unpack the charm, over what is there."""
        agent.unpack(self.application.charm, self.charm_directory)

    def run(self, event):
        """Run one hook. Its exit code is the caller's to look at."""
        if event.kind == "relation-created" and event.relation not in self.relations:
            self.relations.append(event.relation)
        if event.kind == "relation-joined":
            event.relation.show(self, event.remote_unit)
        if event.kind == "relation-departed":
            event.relation.hide(self, event.remote_unit)
        self.busy = True
        hook = agent.run_hook(self, event)
        self.busy = False
        self.hooks.append(hook)
        if event.kind == "relation-broken" and hook.exit_code == 0:
            self.relations.remove(event.relation)
        return hook

    def run_action(self, name, **parameters):
        """juju run; parameters are as actions.yaml has them, or Juju refuses."""
        schema = self.application.actions[name]
        assert schema["additionalProperties"] is False
        unknown = parameters.keys() - schema.get("params", {}).keys()
        missing = set(schema.get("required", ())) - parameters.keys()
        if unknown or missing:
            raise ValueError(f"{name}: unknown {unknown}, missing {missing}")
        return agent.run_action(self, agent.ActionEvent(name, parameters))

    def run_next(self):
        """Run the first hook in the queue; it stays there if it fails. update-status comes last."""
        if self._begun is None:
            while self.pending[0].kind == "update-status" and any(
                event.kind != "update-status" for event in self.pending
            ):
                self.pending.rotate(-1)
        event = self.pending[0]
        self._begun = event
        hook = self.run(event)
        if hook.exit_code == 0:
            self._begun = None
            self.pending.remove(event)
            if event.kind == "stop" and self.application.peers:
                self.application.peers.dismiss(self)
            if event.kind == "remove":
                self.application.forget(self)
        return hook

    def deliver(self, event):
        """Run a hook now, before all that is queued: it had begun when the rest came about."""
        hook = self.run(event)
        if hook.exit_code != 0:
            raise HookFailed(self, hook)
        return hook

    def run_pending(self):
        """Run what Juju has queued for this unit, until one fails. Nothing while agents sleep."""
        hooks = []
        resting = self.application.juju.asleep or self.away or self.busy
        while self.pending and not resting:
            hook = self.run_next()
            if hook.exit_code != 0:
                raise HookFailed(self, hook)
            hooks.append(hook)
        return hooks

    def queue(self, *events):
        """Juju has these hooks for the unit; none about what it is taking leave of."""
        if not self.dying:
            self._queue(*events)

    def _queue(self, *events):
        self.pending += [event for event in events if event.relation not in self._left]

    def expects(self, event):
        """The hook is to come, and has not begun."""
        return any(each == event and each is not self._begun for each in self.pending)

    def drop_pending(self, condition):
        """Juju has no such hooks any more, but for one that has begun."""
        kept = [each for each in self.pending if each is self._begun or not condition(each)]
        self.pending = collections.deque(kept)

    def enter(self, relation):
        """The relation begins for this unit."""
        if not self.dying:
            self._entered.append(relation)
            relation.start_settings(self.name)
            self.queue(Event("relation-created", relation))

    def leave(self, relation, departing_unit):
        """The relation ends for this unit; departing_unit is itself if it is what goes. Of what was
        queued about it only a hook that has begun stays."""
        if relation not in self._entered:
            return
        self.drop_pending(lambda event: event.relation is relation)
        for remote_unit in relation.seen_by(self):
            self._depart(relation, remote_unit, departing_unit or remote_unit)
        broken = Event("relation-broken", relation)
        listed = relation is not self.application.peers and relation in self.relations
        if listed and self._begun != broken:
            self._queue(broken)
        self._left.add(relation)
        self._entered.remove(relation)

    def resume(self, relation):
        """A relation that was suspended begins again; where its end was not seen yet, it goes on."""
        self._left.discard(relation)
        begun = self._begun if self._begun and self._begun.relation is relation else None
        if self.expects(Event("relation-broken", relation)) and not self.dying:
            self.drop_pending(lambda event: event.relation is relation)
            self._entered.append(relation)
        else:
            self.enter(relation)
        for remote_unit in relation.units:
            leaves = begun and begun.kind == "relation-departed" and begun.remote_unit == remote_unit
            if remote_unit in relation.seen_by(self) and not leaves:
                self.queue(Event("relation-changed", relation, remote_unit))
            else:
                self.see_joined(relation, remote_unit)

    def retire(self):
        """The unit is being removed: it takes its leave of everything, and does nothing else."""
        self.dying = True
        self.drop_pending(lambda event: True)
        peers = self.application.peers
        for relation in sorted(self._entered, key=lambda relation: relation is peers):
            if not relation.gone:
                self.leave(relation, departing_unit=self.name)
        self._queue(Event("stop"), Event("remove"))

    def wait_for_subordinates(self):
        """The unit is dying, keeps its leadership if it has it, and runs no hook."""
        self.dying = True
        self.drop_pending(lambda event: True)

    def subordinates_gone(self):
        """Now a unit that is dying takes its leave."""
        self.retire()
        return self.run_pending() + self.application._run_all()

    # --- its agent ---

    def stop_agent(self):
        """The agent does not run: hooks are to come, and its lists stay as they are."""
        self.away = True

    def start_agent(self):
        """The agent is back, or restarted. It no longer lists relations that are gone, for which no
        hook runs; members that are gone depart. It hears of the rest as if it were new, one hook at
        a time: what is about no relation first, and nothing of who came and went meanwhile."""
        self.away = False
        if self._begun and self._begun.relation and self._begun.relation.gone:
            self._begun = None
        self.relations = [relation for relation in self.relations if not relation.gone]
        self._entered = [relation for relation in self._entered if not relation.gone]
        self.drop_pending(lambda event: event.relation and event.relation.gone)
        for relation in self.relations:
            for remote_unit in relation.seen_by(self):
                if remote_unit not in relation.units and not self.dying:
                    departed = Event("relation-departed", relation, remote_unit, remote_unit)
                    if not self.expects(departed):
                        self.drop_pending(
                            lambda event: event.relation is relation
                            and event.remote_unit == remote_unit
                        )
                        self.queue(departed)
        for event in [each for each in self.pending if each.kind == "relation-departed"]:
            if event.remote_unit not in event.relation.seen_by(self):
                self.drop_pending(
                    lambda each: each.relation is event.relation
                    and each.remote_unit == event.remote_unit
                )
        self._sort_pending()
        return self.run_pending() + self.application._run_all()

    restart_agent = start_agent

    def move_pod(self):
        """Kubernetes stops the pod and starts another one: the same unit with the same state, in a
        file system that is new."""
        hooks = [self.deliver(Event("stop"))]
        shutil.rmtree(self.charm_directory)
        self.install()
        self.queue(Event("upgrade-charm"), Event("config-changed"), Event("start"))
        return hooks + self.restart_agent()

    def _sort_pending(self):
        order = {"install": 0, "relation-created": 1}
        if not self.dying:
            first = [self._begun] if self._begun else []
            rest = [event for event in self.pending if event is not self._begun]
            rest.sort(key=lambda each: order.get(each.kind, 2 if each.relation is None else 3))
            self.pending = collections.deque(first + rest)

    def close(self):
        """Nothing of the unit is left on its machine."""
        if self.socket is not None:
            self.socket.close()
        self.commands.close()
        for directory in (self.agent_directory, self.tools_directory):
            shutil.rmtree(directory)

    def see_joined(self, relation, remote_unit):
        self.queue(
            Event("relation-joined", relation, remote_unit),
            Event("relation-changed", relation, remote_unit),
        )

    def see_departed(self, relation, remote_unit, departing_unit):
        if not self.dying:
            self._depart(relation, remote_unit, departing_unit)

    def _depart(self, relation, remote_unit, departing_unit):
        self._queue(Event("relation-departed", relation, remote_unit, departing_unit))
