# SPDX-License-Identifier: Apache-2.0
"""Throw-away LXD daemons, or Incus' where LXD_INTEGRATOR_INCUS names the folder that its packages
are unpacked in.

Each runs in a directory of its own, in a mount namespace of its own (what it mounts goes when it
goes) and dies with the process that started it: nothing is left behind, however a run ends.
"""

import base64
import contextlib
import functools
import http.client
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pki import Identity

START_TIMEOUT = 60
REQUEST_TIMEOUT = 60
PATIENCE = 60  # seconds, for a cluster to be itself again, or to miss a member, which takes 20

# LXD's debug log has one of these lines for each request, trusted or not.
REQUEST_LINE = re.compile(
    r'msg="(?:Handling API request|Allowing untrusted \w+|Rejecting request from untrusted client)"'
    r' ip="(?P<peer>[^"]+)"(?: method=(?P<method>\w+) protocol=\w+)?(?: url="?(?P<url>[^"\s]+))?'
)

INCUS = os.environ.get("LXD_INTEGRATOR_INCUS")
SOFTWARE = "Incus" if INCUS else "LXD"  # as statuses name it

# LXD 5.21.5 and later have triggers instead; "lxd sql" takes no statement with a semicolon inside.
UNIQUE_NAMES = ["CREATE UNIQUE INDEX certificates_name_ui ON certificates (name)"]
REPEATED_NAMES = [f"DROP TRIGGER IF EXISTS on_identity_{event}" for event in ("insert", "update")]


class LxdError(Exception):
    """LXD refused a request of a test."""


@dataclass(frozen=True)
class Request:
    """A request as LXD logged it. A peer is an address and port: it stands for a connection."""

    peer: str
    method: str | None
    url: str | None


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("lxd", timeout=REQUEST_TIMEOUT)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def free_port(host="127.0.0.1"):
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


class Lxd:
    """One LXD daemon, listening on loopback. Use as a context manager. It makes itself a server
    certificate unless it is given one (pki.Identity).

    Names in its trust store are unique, as in LXD 5.21.5, 6.6 and later; where unique_names is False
    they may repeat, as in older ones and in Incus. A name that is taken is a failed request here (500): what the
    newer ones answer names_proxy.py has."""

    def __init__(self, host="127.0.0.1", server=None, debug=True, unique_names=True):
        self.host = host
        self.port = free_port(host)
        self.directory = Path(tempfile.mkdtemp(prefix="lxd-"))
        if server is not None:
            server.write(self.directory, "server")
        self._log = self.directory / "log"
        self._debug = ["--debug"] if debug else []
        self._unique_names = unique_names and not INCUS
        self._process = None

    def __enter__(self):
        try:
            self.start()
            self.prepare()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def address(self):
        return f"{self.host}:{self.port}"

    @property
    def url(self):
        return f"https://{self.address}"

    @property
    def certificate(self):
        """PEM of the certificate that the server presents."""
        clustered = self.directory / "cluster.crt"
        return (clustered if clustered.exists() else self.directory / "server.crt").read_text()

    @property
    def identity(self):
        """What it proves itself with, for a clone of it."""
        return Identity(self.certificate, (self.directory / "server.key").read_text())

    @property
    def fingerprint(self):
        return Identity(self.certificate, "").fingerprint

    @property
    def environment(self):
        environment = {"HOME": str(self.directory), "PATH": os.environ["PATH"]}
        if not INCUS:
            libraries = os.environ.get("LD_LIBRARY_PATH", "")  # where LXD is a snap's
            return {**environment, "LXD_DIR": str(self.directory), "LD_LIBRARY_PATH": libraries}
        programs = f"{INCUS}/usr/bin:{INCUS}/usr/libexec/incus:{environment['PATH']}"
        (libraries,) = Path(INCUS).glob("usr/lib/*-linux-gnu*")
        return {
            **environment,
            "INCUS_DIR": str(self.directory),
            "PATH": programs,
            "LD_LIBRARY_PATH": str(libraries),
        }

    # --- the daemon ---

    @property
    def running(self):
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self):
        return self._process.pid

    def start(self):
        """Start the daemon and wait until it serves."""
        self.launch()
        self.wait_ready()

    def launch(self, debug=None):
        """Start the daemon; from now on with its debug log or without, where that is told."""
        if debug is not None:
            self._debug = ["--debug"] if debug else []
        if os.geteuid() != 0:
            raise LxdError("LXD runs as root only, and so do these tests")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount"]
                + ["incusd" if INCUS else "lxd", "--group", "root", *self._debug],
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_ready(self):
        ready = self._run(*self._administrator, "waitready", f"--timeout={START_TIMEOUT}")
        if ready.returncode != 0 or not self.running:
            raise LxdError(f"{SOFTWARE} does not start:\n{self._log.read_text()[-4000:]}")

    def prepare(self):
        """What is done once, when it runs for the first time."""
        self.set_config("core.https_address", self.address)
        if self._unique_names != self.has_identities:
            for statement in UNIQUE_NAMES if self._unique_names else REPEATED_NAMES:
                self.sql(statement)

    @functools.cached_property
    def has_identities(self):
        """LXD 5.21.3 and later: its trust store is another table, and it knows no passwords."""
        return "access_management_tls" in self.request("GET", "/1.0")["api_extensions"]

    def stop(self):
        """End the daemon at once; its database survives that."""
        if self.running:
            self._process.kill()
            self._process.wait()

    def restart(self, debug):
        """The same daemon again, with its debug log or without."""
        self.stop()
        self.launch(debug)
        self.wait_ready()

    def pause(self):
        """Let the daemon hang: it accepts connections, and says nothing."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)

    def resume(self):
        self._process.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        shutil.rmtree(self.directory)

    def _run(self, *command):
        return subprocess.run(
            command, env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
        )

    _administrator = ("incus", "admin") if INCUS else ("lxd",)

    def lxc(self, *arguments):
        """What the lxc command prints, or the incus command."""
        return self._print("incus" if INCUS else "lxc", *arguments)

    def lxd(self, *arguments):
        """What the lxd command prints, or "incus admin"."""
        return self._print(*self._administrator, *arguments)

    def sql(self, statement):
        """Have a statement change its database, or its cluster's."""
        self.lxd("sql", "global", statement)

    def print_token(self, name, *restrictions):
        """Have it make a trust token; returns all that its command prints, the token last."""
        naming = (name,) if INCUS else ("--name", name)
        return self.lxc("config", "trust", "add", *naming, *restrictions)

    def new_token(self, name, *restrictions):
        return self.print_token(name, *restrictions).split()[-1]

    def _print(self, *command):
        done = self._run(*command)
        if done.returncode != 0:
            raise LxdError(f"{' '.join(command)}: {done.stderr}")
        return done.stdout

    # --- its API, as the administrator on the host ---

    def request(self, method, path, body=None):
        """The metadata that LXD answers."""
        with contextlib.closing(_UnixConnection(self.directory / "unix.socket")) as connection:
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = json.loads(connection.getresponse().read())
        if answer["type"] == "error":
            raise LxdError(f"{method} {path}: {answer['error']}")
        return answer["metadata"]

    def set_config(self, key, value):
        self.request("PATCH", "/1.0", {"config": {key: value}})

    @property
    def version(self):
        return self.request("GET", "/1.0")["environment"]["server_version"]

    @property
    def server_name(self):
        return self.request("GET", "/1.0")["environment"]["server_name"]

    @property
    def trust_store(self):
        """All entries by fingerprint."""
        entries = self.request("GET", "/1.0/certificates?recursion=1")
        return {entry["fingerprint"]: entry for entry in entries}

    def trust(self, identity, name, **fields):
        """Add an entry as an administrator would."""
        certificate = base64.b64encode(identity.der).decode()
        entry = {"type": "client", "name": name, "certificate": certificate}
        self.request("POST", "/1.0/certificates", {**entry, **fields})

    def distrust(self, fingerprint):
        self.request("DELETE", f"/1.0/certificates/{fingerprint}")

    def plant(self, *entries):
        """Unrestricted entries, each an identity and a name, past the API, which takes its time or does
        not take them."""
        names = {certificate.fingerprint: name for certificate, name in entries}
        texts = {certificate.fingerprint: certificate.certificate for certificate, _ in entries}
        if not self.has_identities:
            rows = (f"('{each}', 1, '{names[each]}', '{texts[each]}')" for each in names)
            self._insert("certificates (fingerprint, type, name, certificate)", rows)
            return
        rows = (f"('{each}', '{text}')" for each, text in texts.items())
        self._insert("certificates (fingerprint, certificate)", rows)
        rows = (f"(1, 2, '{each}', '{name}', '')" for each, name in names.items())
        self._insert("identities (auth_method, type, identifier, name, metadata)", rows)
        self.sql(
            "INSERT INTO identities_certificates (identity_id, certificate_id)"
            " SELECT identities.id, certificates.id FROM identities"
            " JOIN certificates ON identities.identifier = certificates.fingerprint"
            " WHERE certificates.id NOT IN (SELECT certificate_id FROM identities_certificates)",
        )
        self.request("POST", "/internal/identity-cache-refresh")

    def _insert(self, table, rows):
        self.sql(f"INSERT INTO {table} VALUES {', '.join(rows)}")

    def reset(self):
        """Back to an empty trust store, no project but its own, and running."""
        if not self.running:
            self.start()
        self._distrust_all()
        for project in self.request("GET", "/1.0/projects"):
            if not project.endswith("/default"):
                self.request("DELETE", project)

    def _distrust_all(self):
        if self.has_identities:
            self.sql("DELETE FROM identities WHERE auth_method = 1")  # all that have a certificate
            self.request("POST", "/internal/identity-cache-refresh")
            return
        entries = self.trust_store
        if len(entries) > 20:  # one by one, a thousand take more than a minute
            self.sql(f"DELETE FROM certificates WHERE fingerprint <> '{next(iter(entries))}'")
        for fingerprint in self.trust_store:
            self.distrust(fingerprint)

    # --- what others asked of it ---

    def auth(self, identity):
        """What LXD says over the network to a client with this identity: "trusted", or not."""
        return self._ask(identity, "GET", "/1.0")[1]["metadata"]["auth"]

    def ask(self, identity, method, path, body=None):
        """The HTTP status that it answers a client with this identity over the network."""
        return self._ask(identity, method, path, body)[0]

    def _ask(self, identity, method, path, body=None):
        with tempfile.TemporaryDirectory() as directory:
            context = ssl.create_default_context(cadata=self.certificate)
            context.check_hostname = False
            context.load_cert_chain(*identity.write(Path(directory), "client"))
        connection = http.client.HTTPSConnection(self.address, context=context)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            return response.status, json.loads(response.read())

    @contextlib.contextmanager
    def recording(self):
        """The requests that came over the network while the context was open, as a list that is
        filled at its end. LXD writes its log before it answers."""
        requests = []
        start = self.log_size
        yield requests
        requests += self.requests_since(start)

    @property
    def log_size(self):
        return self._log.stat().st_size

    def requests_since(self, start):
        """The requests that came over the network after the log had this size."""
        with self._log.open("rb") as log:
            log.seek(start)
            found = (REQUEST_LINE.search(line.decode(errors="replace")) for line in log)
            return [Request(one["peer"], one["method"], one["url"]) for one in found if one]


@contextlib.contextmanager
def started(daemons):
    """LXDs of their own, that start all at once."""
    with contextlib.ExitStack() as stack:
        daemons = list(daemons)
        for daemon in daemons:
            stack.callback(daemon.close)
            daemon.launch()
        for daemon in daemons:
            daemon.wait_ready()
            daemon.prepare()
        yield daemons


class LxdCluster:
    """A cluster of LXD daemons on 127.0.0.11 and up. Use as a context manager."""

    def __init__(self, members=3):
        self._stack = contextlib.ExitStack()
        self._hosts = [f"127.0.0.{11 + number}" for number in range(members)]
        self.members = []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.members = [stack.enter_context(Lxd(host)) for host in self._hosts]
            self._bootstrap()
            for number in range(1, len(self.members)):
                self._join(number)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self._stack.close()

    @staticmethod
    def name(number):
        return f"node-{number}"

    def _bootstrap(self):
        first = self.members[0]
        self._configure(first, {"server_name": self.name(0)})

    def _join(self, number):
        first, joining = self.members[0], self.members[number]
        token = first.lxc("cluster", "add", self.name(number)).split()[-1]
        request = {
            "server_name": self.name(number),
            "server_address": joining.address,
            "cluster_address": first.address,
            "cluster_certificate": first.certificate,
            "cluster_token" if INCUS or joining.has_identities else "cluster_password": token,
        }
        self._configure(joining, request)

    @staticmethod
    def _configure(member, request):
        operation = member.request("PUT", "/1.0/cluster", {**request, "enabled": True})
        done = member.request("GET", f"/1.0/operations/{operation['id']}/wait")
        if done["err"]:
            raise LxdError(f"{request['server_name']}: {done['err']}")


def patiently(function):
    """The function's answer, once LXD gives one: a cluster that lost a member first elects."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return function()
        except (LxdError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def settle(cluster, *statuses):
    """Wait until all members that are Online see the cluster so, and let it stay so for a while: who
    has just come back, or has a leader that has just come, may be Offline as soon as its last
    heartbeat is 20 seconds old, until the next one."""
    deadline = time.monotonic() + PATIENCE
    online = [number for number, status in enumerate(statuses) if status == "Online"]
    asked = [cluster.members[number] for number in online]
    path = "/1.0/cluster/members?recursion=1"
    while time.monotonic() < deadline:
        answers = patiently(lambda: [member.request("GET", path) for member in asked])
        seen = [{each["url"]: each["status"] for each in answer} for answer in answers]
        if all([view.get(each.url) for each in cluster.members] == list(statuses) for view in seen):
            names = ", ".join(f"'{cluster.name(number)}'" for number in online)
            update = f"UPDATE nodes SET heartbeat = datetime('now') WHERE name IN ({names})"
            patiently(lambda: asked[0].sql(update))
            return
        time.sleep(0.2)
    raise TimeoutError(f"the members are {seen}")
