# SPDX-License-Identifier: Apache-2.0
"""A miniature unit agent: it runs hooks of the packed charm as Juju's agent does.

The charm is unpacked, `dispatch` is executed directly in Juju's environment (and nothing else of
ours), hook commands are on PATH, and what a hook writes is kept only if it exits with 0.
"""

import atexit
import contextlib
import dataclasses
import functools
import os
import select
import shutil
import socket
import socketserver
import stat
import struct
import subprocess
import tempfile
import threading
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import hook_commands
from hook_commands import CommandError, Reply, Request

DATABAG_LIMIT = 16 * 1024 * 1024  # bytes of keys and values (core/quota: MaxRelationSettingsSize)
HOOK_TIMEOUT = 150  # seconds; no hook may take longer than 60 by its own rules
AGENT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"

# What a hook in a pod has of the pod's environment.
KUBERNETES = {
    "KUBERNETES_SERVICE_HOST": "10.152.183.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    "KUBERNETES_PORT": "tcp://10.152.183.1:443",
    "KUBERNETES_PORT_443_TCP": "tcp://10.152.183.1:443",
    "KUBERNETES_PORT_443_TCP_PROTO": "tcp",
    "KUBERNETES_PORT_443_TCP_PORT": "443",
    "KUBERNETES_PORT_443_TCP_ADDR": "10.152.183.1",
}

# One byte of the protocol of hook_command.c.
DONE, STDIN_WANTED = b"\0", b"\1"


@dataclass(frozen=True)
class Event:
    """What a hook is about. `kind` is "config-changed", "relation-joined", ..."""

    kind: str
    relation: object = None
    remote_unit: str = ""
    departing_unit: str = ""
    secret: object = None

    @property
    def hook_name(self):
        return f"{self.relation.endpoint}-{self.kind}" if self.relation else self.kind


@dataclass(frozen=True)
class ActionEvent:
    """juju run: no hook, but run like one."""

    name: str
    parameters: dict
    kind: str = "action"
    relation: object = None
    remote_unit: str = ""
    departing_unit: str = ""
    hook_name: str = ""


@dataclass
class Outcome:
    """What came of an action: what juju run shows."""

    status: str = "completed"
    message: str = ""
    results: dict = field(default_factory=dict)
    hook: object = field(default=None, repr=False)


@dataclass(frozen=True)
class Call:
    """One hook command that the charm ran, and what it was told."""

    arguments: tuple
    stdin: bytes | None
    reply: Reply
    environment: bytes  # the command's, as /proc shows it

    @property
    def name(self):
        return self.arguments[0]


@dataclass(frozen=True)
class LogLine:
    level: str
    text: str


@dataclass
class Hook:
    """How one run of the charm went."""

    name: str
    environment: dict = field(repr=False)
    exit_code: int | None = None  # 1 also where Juju refused what a successful hook wrote
    refusal: str = ""  # Juju's words in that case, which go to the log of the agent alone
    calls: list = field(default_factory=list, repr=False)
    log: list = field(default_factory=list)
    printed: list = field(default_factory=list, repr=False)  # what of the log came by stdout, stderr
    wall_seconds: float = 0.0
    own_cpu_seconds: float = 0.0
    children_cpu_seconds: float = 0.0
    peak_rss_kib: int = 0  # as of the last hook command; 0 where there was none

    def called(self, name):
        return [call for call in self.calls if call.name == name]

    def logged(self, level):
        return [line.text for line in self.log if line.level == level]


class HookContext:
    """What hook commands see and do during one hook: a transaction on the model."""

    def __init__(self, unit, event, hook):
        self.event = event
        self.state = dict(unit.state)
        self.tracked = dict(unit.tracked)
        self.config = unit.application.config
        self.process = None
        self.outcome = Outcome(hook=hook) if event.kind == "action" else None
        self._unit = unit
        self._hook = hook
        self._bags = {}  # by relation (that whose databag it is) and owner
        self._touched = set()  # relations, as they were named, whose databag of ours was in use
        self._added, self._updated = [], []  # secrets

    def run(self, request, environment):
        """Answer one hook command, keep record of it."""
        if request.context_id != self._hook.environment["JUJU_CONTEXT_ID"]:
            return Reply(1, stderr=b"ERROR bad request: wrong context ID\n")
        happens = self._unit.application.meanwhile.pop(request.name, None)
        if happens:
            happens()
        fault = self._unit.application.faults.get(request.name)
        reply = fault or hook_commands.run(self, request)
        arguments = (request.name, *request.arguments)
        self._hook.calls.append(Call(arguments, request.stdin, reply, environment))
        self._hook.peak_rss_kib = peak_rss_kib(self.process.pid)
        return reply

    def flush(self):
        """The hook was successful: make its writes true, unless Juju refuses them."""
        refusal = self._refusal()
        if refusal:
            self._hook.exit_code, self._hook.refusal = 1, refusal
            return
        for (relation, owner), settings in self._bags.items():
            changed = relation.settings.get(owner, {}) != settings
            relation.settings[owner] = settings
            if changed:
                relation.changed(self._unit, owner)
        self._unit.state = self.state
        self._unit.tracked = self.tracked
        juju = self._unit.application.juju
        juju.secrets.update((secret.id, secret) for secret in self._added)
        for secret, content in self._updated:
            secret.change(content)

    def _refusal(self):
        """Juju sends all databags of ours that were in use, also those that were read alone."""
        targets = [relation.databag for relation in self._touched]
        if None in targets:
            return (
                "cannot apply changes: transforming slice at index 1: getting regular relation by"
                " key: relation not found"
            )
        if len(set(targets)) < len(targets):
            found = f"expected {len(targets)} relations but found {len(set(targets))}"
            return f"cannot apply changes: relations: {found}"
        for settings in self._bags.values():
            size = sum(len(key.encode()) + len(value.encode()) for key, value in settings.items())
            if size > DATABAG_LIMIT:
                return f"cannot apply changes: more than {DATABAG_LIMIT} bytes of settings"
        return ""

    # --- what is read ---

    @property
    def juju_version(self):
        return self._unit.application.juju.version

    @property
    def relations(self):
        return self._unit.relations

    @property
    def is_leader(self):
        return self._unit.is_leader

    @property
    def trusted(self):
        return self._unit.application.trusted

    @property
    def in_kubernetes(self):
        return self._unit.application.juju.kubernetes

    @property
    def cloud(self):
        return self._unit.application.cloud

    def members(self, relation):
        breaking = self.event.kind == "relation-broken" and self.event.relation is relation
        return [] if breaking else relation.seen_by(self._unit)

    @property
    def unit_name(self):
        return self._unit.name

    @property
    def application_name(self):
        return self._unit.application.name

    def find_secret(self, identifier):
        return self._unit.application.juju.secrets.get(identifier)

    def own_secrets(self):
        secrets = [*self._unit.application.juju.secrets.values(), *self._added]
        return [secret for secret in secrets if secret.owner is self._unit.application]

    def goal_state(self):
        return self._unit.application.goal_state()

    def read(self, relation, owner):
        """Settings of a unit or an application."""
        new, target = self._unit.application.juju.is_new, relation.databag
        if relation.unreadable:
            raise CommandError("lost the controller")
        if owner == self._unit.name:
            if target is None:
                raise CommandError("permission denied")
            self._touched.add(relation)
            return self._bag(target, owner)
        if owner == self.application_name:
            peer = relation is self._unit.application.peers
            if target is None or not (self.is_leader or peer):
                raise CommandError("permission denied")
            return self._bag(target, owner)
        if target is None and new:
            raise CommandError("getting regular relation by key: relation not found")
        if target is None or (owner not in target.remote_names and not new):
            raise CommandError("permission denied")
        if owner not in target.remote_names:
            if "/" in owner:
                raise CommandError("relation unit not found")
            raise CommandError(
                "getting relation endpoint UUID: application not found in relation"
            )
        return self._bag(target, owner)

    def _bag(self, target, owner):
        return self._bags.get((target, owner), target.settings.get(owner, {}))

    # --- what is written ---

    def write(self, relation, application, settings):
        target = relation.databag
        if target is None:
            kind = "application settings" if application else "settings"
            raise CommandError(f"cannot read relation {kind}: permission denied")
        owner = self.application_name if application else self._unit.name
        self._touched.add(relation)
        bag = {**self._bag(target, owner), **settings}
        self._bags[target, owner] = {key: value for key, value in bag.items() if value}

    def add_secret(self, label, content):
        application = self._unit.application
        self._added.append(application.juju.new_secret(content, application, label))

    def update_secret(self, secret, content):
        self._updated.append((secret, content))

    def set_status(self, application, status, message):
        target = self._unit.application if application else self._unit
        target.status = (status, message)

    def set_version(self, version):
        self._unit.application.version = version

    def log(self, level, text):
        self._hook.log.append(LogLine(level, text))


# --- running a hook ---


def run_action(unit, event):
    """Run an action. What it prints is part of its results."""
    hook = Hook(event.name, hook_environment(unit, event))
    context = HookContext(unit, event, hook)
    with unit.commands.answering(context):
        execute(unit.commands, [*unit.wrapper, unit.charm_directory / "dispatch"], hook)
    outcome = context.outcome
    outcome.results["return-code"] = hook.exit_code
    for name, level in (("stdout", "DEBUG"), ("stderr", "WARNING")):
        printed = [line.text for line in hook.printed if line.level == level]
        if printed:
            outcome.results[name] = "\n".join(printed)
    if hook.exit_code == 0:
        context.flush()
    else:
        outcome.status = "failed"
    return outcome


def emulator():
    """The command that runs the charm's program where that was built for another machine."""
    return os.environ.get("LXD_INTEGRATOR_EMULATOR", "").split()


def run_hook(unit, event):
    """Run one hook of a unit, and say how it went. Never raises for what the charm does."""
    hook = Hook(event.hook_name, hook_environment(unit, event))
    dispatch = unit.charm_directory / "dispatch"
    if not (unit.charm_directory / "metadata.yaml").exists():
        raise FileNotFoundError("charm missing from disk")
    if not dispatch.exists():
        hook.exit_code = 0
        hook.log.append(LogLine("INFO", f'skipped "{hook.name}" hook (missing)'))
        return hook
    context = HookContext(unit, event, hook)
    with unit.commands.answering(context):
        execute(unit.commands, [*unit.wrapper, dispatch], hook)
    if hook.exit_code == 0:
        context.flush()
    return hook


def execute(commands, program, hook):
    """Run the charm's program to its end and fill in the hook."""
    with open_memory("stdout") as stdout, open_memory("stderr") as stderr:
        with commands.mutex:  # no command is answered before the context knows the process
            start = time.monotonic()
            process = subprocess.Popen(
                program,
                cwd=hook.environment["CHARM_DIR"],
                env=hook.environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            commands.context.process = process
        own_cpu = wait(process)
        hook.wall_seconds = time.monotonic() - start
        with commands.mutex:  # a killed hook gets no answer to what it asked last
            commands.context = None
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = hook.exit_code = os.waitstatus_to_exitcode(status)
        hook.own_cpu_seconds = own_cpu
        hook.children_cpu_seconds = max(0.0, usage.ru_utime + usage.ru_stime - own_cpu)
        for level, stream in (("DEBUG", stdout), ("WARNING", stderr)):
            stream.seek(0)
            lines = stream.read().decode(errors="replace").splitlines()
            hook.printed.extend(LogLine(level, line) for line in lines)
        hook.log.extend(hook.printed)


def wait(process):
    """Wait for the process' end, without reaping it. Returns the CPU seconds of itself alone:
    what wait4 will tell includes its children."""
    ending = os.pidfd_open(process.pid)
    if not select.select([ending], [], [], HOOK_TIMEOUT)[0]:
        process.kill()
    os.close(ending)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return int(Path(f"/proc/{process.pid}/schedstat").read_text().split()[0]) / 1e9


def open_memory(name):
    return os.fdopen(os.memfd_create(name), "w+b")


def peak_rss_kib(pid):
    """The kernel's high-water mark of this program alone. (What wait4 tells is no good: it counts
    children, and the pages that the process had before it became this program.)"""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    return 0


def hook_environment(unit, event):
    """All of a hook's environment."""
    juju = unit.application.juju
    environment = {
        "CHARM_DIR": str(unit.charm_directory),
        "JUJU_CHARM_DIR": str(unit.charm_directory),
        "JUJU_CONTEXT_ID": juju.new_context_id(unit, event),
        "JUJU_HOOK_NAME": event.hook_name,
        "JUJU_DISPATCH_PATH": f"hooks/{event.hook_name}",
        "JUJU_AGENT_SOCKET_ADDRESS": str(unit.agent_directory / "agent.socket"),
        "JUJU_AGENT_SOCKET_NETWORK": "unix",
        "JUJU_UNIT_NAME": unit.name,
        "JUJU_MODEL_UUID": juju.model_uuid,
        "JUJU_MODEL_NAME": juju.model_name,
        "JUJU_API_ADDRESSES": "10.0.0.1:17070",
        "JUJU_MACHINE_ID": str(unit.number),
        "JUJU_PRINCIPAL_UNIT": "",
        "JUJU_AVAILABILITY_ZONE": "",
        "JUJU_VERSION": f"{juju.version}.1",
        "CLOUD_API_VERSION": "",
        "JUJU_CHARM_HTTP_PROXY": "",
        "JUJU_CHARM_HTTPS_PROXY": juju.https_proxy,
        "JUJU_CHARM_FTP_PROXY": "",
        "JUJU_CHARM_NO_PROXY": juju.no_proxy,
        "APT_LISTCHANGES_FRONTEND": "none",
        "DEBIAN_FRONTEND": "noninteractive",
        "LANG": "C.UTF-8",
        "TERM": "tmux-256color",
        "PATH": f"{unit.tools_directory}:{AGENT_PATH}",
    }
    if juju.kubernetes:
        environment.update(KUBERNETES, JUJU_MACHINE_ID="")
    if not juju.version.startswith("4."):
        environment["JUJU_SLA"] = "unsupported"
    if event.kind == "action":
        number = str(juju.next_number())
        environment["JUJU_DISPATCH_PATH"] = f"actions/{event.name}"
        environment["JUJU_ACTION_NAME"] = event.name
        environment["JUJU_ACTION_UUID"] = number
        environment["JUJU_ACTION_TAG"] = f"action-{number}"
    if event.relation is not None:
        environment["JUJU_RELATION"] = event.relation.endpoint
        environment["JUJU_RELATION_ID"] = event.relation.id
        environment["JUJU_REMOTE_UNIT"] = event.remote_unit
        environment["JUJU_REMOTE_APP"] = event.relation.application
    if event.kind == "relation-departed":
        environment["JUJU_DEPARTING_UNIT"] = event.departing_unit
    if event.kind == "secret-changed" and event.secret is not None:
        environment["JUJU_SECRET_ID"] = event.secret.uri
        environment["JUJU_SECRET_LABEL"] = ""
    return environment


# --- the charm and the hook commands on disk ---


def unpack(charm, directory):
    """Unpack a charm as Juju does: modes and symbolic links as they are in the archive."""
    with zipfile.ZipFile(charm) as archive:
        for entry in archive.infolist():
            target = directory / entry.filename
            mode = entry.external_attr >> 16
            if entry.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            if stat.S_ISLNK(mode):
                target.symlink_to(archive.read(entry).decode())
            else:
                target.write_bytes(archive.read(entry))
                target.chmod(mode & 0o777)


@functools.cache
def helper_program(name):
    """A C program of this directory, compiled once a run."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, directory)
    source = Path(__file__).with_name(f"{name}.c")
    program = directory / name
    subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-o", program, source], check=True)
    return program


def install_hook_commands(directory):
    """Put all hook commands into the directory."""
    program = shutil.copy(helper_program("hook_command"), directory)
    for name in hook_commands.COMMANDS:
        (directory / name).symlink_to(os.path.basename(program))


def environment_of_peer(connection):
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return Path(f"/proc/{struct.unpack('3i', credentials)[0]}/environ").read_bytes()


class CommandServer(socketserver.ThreadingUnixStreamServer):
    """Answers a unit's hook commands, one at a time."""

    daemon_threads = True

    def __init__(self, directory):
        self.mutex = threading.Lock()
        self.context = None
        super().__init__(str(directory / "socket"), CommandHandler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @contextlib.contextmanager
    def answering(self, context):
        """Commands belong to this hook while the context is open."""
        self.context = context
        try:
            yield
        finally:
            with self.mutex:
                self.context = None

    def close(self):
        self.shutdown()
        self.server_close()

    def answer(self, request, environment):
        with self.mutex:
            if self.context is None:
                return Reply(1, stderr=b"ERROR bad request: no hook is running\n")
            return self.context.run(request, environment)


class CommandHandler(socketserver.StreamRequestHandler):
    """The agent's side of hook_command.c."""

    def handle(self):
        with contextlib.suppress(ConnectionError):  # who was killed hears no answer
            self._answer()

    def _answer(self):
        fields = self._read_message().decode().split("\0")[:-1]
        context_id, directory, name, *arguments = fields
        request = Request(context_id, directory, name, tuple(arguments))
        environment = environment_of_peer(self.connection)
        try:
            reply = self.server.answer(request, environment)
        except hook_commands.StdinWanted:
            self.wfile.write(STDIN_WANTED)
            request = dataclasses.replace(request, stdin=self._read_message())
            reply = self.server.answer(request, environment)
        self.wfile.write(DONE + bytes([reply.code]))
        self._write_message(reply.stdout)
        self._write_message(reply.stderr)

    def _read_message(self):
        size = self.rfile.read(4)
        if len(size) < 4:
            raise ConnectionError("the command has no more to say")
        return self.rfile.read(int.from_bytes(size, "big"))

    def _write_message(self, data):
        self.wfile.write(len(data).to_bytes(4, "big") + data)
