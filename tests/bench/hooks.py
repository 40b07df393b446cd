# SPDX-License-Identifier: Apache-2.0
"""What a hook costs beside curl with the same requests, in turn with it; and how many instructions
of what kind it takes."""

import base64
import collections
import contextlib
import json
import re
import statistics
import tempfile
import time
from pathlib import Path

from measure import (
    BINARY,
    CHARM,
    PROGRAMS,
    TRANSPORTS,
    Figures,
    MeteredHook,
    Program,
    RecordedHook,
    print_table,
)

from juju import Juju, lxd_cloud
from lxd import Lxd
from pki import bundle, identity

CROWD = (50, 3)  # relations, units of each
CERTIFICATES = 10  # of the relation, in LXD's trust store before each run
EVENTS = ("relation-changed", "config-changed")

FLOOR = "an empty static program"
METERED = "a program that tells where its time goes"

# What a hook does, and the curl that makes the same requests.
PEERS = {
    "nothing to do": "curl, 2 requests",
    "one to add": "curl, 3 requests, one adds",
    "one to remove": "curl, 3 requests, one removes",
}


class TrustStore:
    """Moves of an administrator, so that each run begins with the same entries."""

    def __init__(self, lxd):
        self._lxd = lxd
        self._extra = identity("extra")
        self._name = "extra"

    @property
    def extra(self):
        return self._extra

    def learn_name(self):
        """The charm has added it: what does it call it?"""
        self._name = self._lxd.trust_store[self._extra.fingerprint]["name"]

    def add(self):
        self._lxd.trust(self._extra, self._name)

    def remove(self):
        self._lxd.distrust(self._extra.fingerprint)


def record(lxd, juju, credential, store):
    """Hooks of a model of Juju, by event and by what there was to do."""
    cloud = lxd_cloud(lxd.url, credential, lxd.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    relation = app.relate("builder")
    clients = [identity("builder") for _ in range(CERTIFICATES)]
    relation.join("builder/0", client_certificates=bundle(*clients))
    hooks = {}
    for event in EVENTS:
        for what, asked in (
            ("nothing to do", clients),
            ("one to add", [*clients, store.extra]),
            ("one to remove", clients),
        ):
            settings = {"client_certificates": bundle(*asked)}
            if event == "config-changed":
                relation.settings["builder/0"].update(settings)
                (hook,) = app.fire(event)
            else:
                (hook,) = relation.publish("builder/0", **settings)
            hooks[event, what] = hook
            if what == "one to add":
                store.learn_name()
    return hooks


def around(store, what):
    """What has to be done before and after each run."""
    return {
        "nothing to do": {},
        "one to add": {"after": store.remove},
        "one to remove": {"before": store.add},
    }[what]


def curls(lxd, directory, credential, store):
    certificate, key = credential.write(directory, "client")
    server, body = directory / "server.crt", directory / "body"
    server.write_text(lxd.certificate)
    der = base64.b64encode(store.extra.der).decode()
    body.write_text(json.dumps({"type": "client", "name": "curl", "certificate": der}))
    entries = f"{lxd.url}/1.0/certificates"
    own_entry = f"{entries}/{store.extra.fingerprint}"
    login = ["--cert", certificate, "--key", key]
    options = ["--silent", "--fail", "--tlsv1.3", "--cacert", server, *login]
    reads = ["curl", *options, f"{lxd.url}/1.0", f"{entries}?recursion=1"]
    changes = {
        "nothing to do": [],
        "one to add": ["--next", *options, "--json", f"@{body}", entries],
        "one to remove": ["--next", *options, "-X", "DELETE", own_entry],
    }
    result = {
        PEERS[what]: Program(*reads, *change, **around(store, what))
        for what, change in changes.items()
    }
    probe = ["probe", "--endpoint", lxd.url, *login, "--server-cert", server]
    result["probe, the same 2 requests"] = Program(BINARY, *probe)
    named = [text.replace("127.0.0.1", "localhost") if text == lxd.url else text for text in probe]
    result["probe, by a name"] = Program(BINARY, *named)
    return result


@contextlib.contextmanager
def contenders(lxd, credential):
    """All that are compared, by name."""
    store = TrustStore(lxd)
    with contextlib.ExitStack() as stack:
        juju = stack.enter_context(Juju(CHARM, transport="agent"))
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        lxd.trust(credential, "juju")
        hooks = record(lxd, juju, credential, store)
        result = {
            FLOOR: Program(PROGRAMS / "empty"),
            **curls(lxd, directory, credential, store),
        }
        for (event, what), hook in hooks.items():
            for transport in TRANSPORTS:
                name = f"{event}, {what}, {transport}"
                result[name] = RecordedHook(hook, transport, **around(store, what))
                stack.callback(result[name].close)
        nothing_to_do = hooks["relation-changed", "nothing to do"]
        result[METERED] = MeteredHook(nothing_to_do, "agent", PROGRAMS / "metered")
        stack.callback(result[METERED].close)
        yield result


# ---- time and memory ----


def race(programs, repetitions, seconds):
    """Run them in turn, so that the machine's moods hit all alike."""
    figures = collections.defaultdict(Figures)
    end = time.monotonic() + seconds
    for program in programs.values():
        program.run()  # it warms up
    for _ in range(repetitions):
        for name, program in programs.items():
            program.run(figures[name])
        if time.monotonic() > end:
            break
    for name, program in programs.items():
        watched = Figures()
        program.run(watched, peak_every=0)
        figures[name].peak_kib = watched.peak_kib
    return figures


def count_requests(programs, lxd, figures):
    """LXD's own count, in a run of its own: its debug log costs time."""
    for name, program in programs.items():
        with lxd.recording() as requests:
            program.run()
        # What begins and ends each run goes over LXD's unix socket.
        figures[name].requests = len([request for request in requests if request.peer != "@"])
        figures[name].connections = len({request.peer for request in requests} - {"@"})


COLUMNS = {
    "wall ms": "{wall_ms:.1f}",
    "CPU ms": "{cpu_ms:.2f}",
    "peak KiB": "{peak_kib}",
    "requests": "{requests}",
    "connections": "{connections}",
    "calls": "{calls}",
    "processes": "{processes}",
    "their CPU ms": "{commands_cpu_ms:.2f}",
}


def peer_of(name):
    """The curl beside which this is to be seen, or None."""
    if name.startswith("probe"):
        return PEERS["nothing to do"]
    return next((curl for what, curl in PEERS.items() if f", {what}," in name), None)


def ratio(ours, theirs):
    """The median of what each round has."""
    return statistics.median(our / their for our, their in zip(ours, theirs))


def ratios(figures):
    """Shares of curl's cost; below 1 the charm is cheaper."""
    result = {}
    for name, ours in figures.items():
        if peer_of(name):
            theirs = figures[peer_of(name)]
            result[name] = {
                "wall": ratio(ours.wall_ms, theirs.wall_ms),
                "CPU": ratio(ours.cpu_ms, theirs.cpu_ms),
                "memory": ours.peak_kib / theirs.peak_kib,
            }
    return result


def parts_of_cpu(metered, floor):
    """Where a hook's CPU time goes, in ms, each round's: to TLS, the kernel's work on the connection
    to LXD (on loopback, some of it is LXD's), the start and end of a process, and all the rest."""
    parts = {
        "all": metered.cpu_ms,
        "TLS": metered.tls_ms,
        "connection to LXD": metered.network_ms,
        "an empty static program": floor.cpu_ms,
    }
    return {**parts, "the rest": [whole - sum(each) for whole, *each in zip(*parts.values())]}


def show(figures):
    """A table of the medians, which are returned."""
    medians = {name: one.medians() for name, one in figures.items()}
    print_table({name: {title: form.format(**values) for title, form in COLUMNS.items()}
                 for name, values in medians.items()})
    return medians


def measure_hooks(options, credential):
    with Lxd(debug=False) as lxd, contenders(lxd, credential) as programs:
        figures = race(programs, options.repetitions, options.seconds)
        lxd.restart(debug=True)
        count_requests(programs, lxd, figures)
    rounds = len(figures[FLOOR].wall_ms)
    parts = parts_of_cpu(figures.pop(METERED), figures[FLOOR])
    print(f"\nhooks: medians of {rounds} rounds, {CERTIFICATES} certificates, {options.key} keys\n")
    medians = show(figures)
    print("\nshares of curl's cost, round by round\n")
    shares = ratios(figures)
    print_table({
        name: {what: f"{value:.2f}" for what, value in share.items()}
        for name, share in shares.items()
    })
    print("\nCPU ms of relation-changed with nothing to do, agent\n")
    print_table({
        part: {"median": f"{statistics.median(values):.2f}", "least": f"{min(values):.2f}"}
        for part, values in parts.items()
    })
    return {"medians": medians, "ratios": shares, "cpu_ms": parts}


# ---- many relations ----


def record_crowd(lxd, juju, credential):
    """relation-changed, with nothing to do, of one of many relations."""
    relations, units = CROWD
    app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, credential, lxd.certificate))
    juju.asleep = True
    for number in range(relations):
        relation = app.relate(f"builder-{number}")
        app.units[0].relations.append(relation)
        for unit in range(units):
            name = f"{relation.application}/{unit}"
            relation.join(name, client_certificates=bundle(identity("builder")))
            relation.show(app.units[0], name)
    app.units[0].pending.clear()
    juju.asleep = False
    app.update_status()
    (hook,) = relation.publish(name, version="1.0")
    return hook


def measure_crowd(options, credential):
    with Lxd(debug=False) as lxd, Juju(CHARM, transport="agent") as juju:
        lxd.trust(credential, "juju")
        hook = record_crowd(lxd, juju, credential)
        programs = {transport: RecordedHook(hook, transport) for transport in TRANSPORTS}
        figures = race(programs, options.repetitions, options.seconds)
        lxd.restart(debug=True)
        count_requests(programs, lxd, figures)
        for program in programs.values():
            program.close()
    relations, units = CROWD
    print(f"\ncrowd: nothing to do among {relations} relations of {units} units\n")
    medians = show(figures)
    shares = {
        "wall": ratio(figures["agent"].wall_ms, figures["exec"].wall_ms),
        "CPU": ratio(figures["agent"].cpu_ms, figures["exec"].cpu_ms),
    }
    print(f"\nagent beside exec: wall {shares['wall']:.2f}, CPU {shares['CPU']:.2f}")
    return {"medians": medians, "ratios": shares}


# ---- instructions ----

# What a source file is about, by a part of its path; the first that fits.
SUBJECTS = {
    "TLS, X.509": ("bearssl-", "src/tls/", "src/x509/"),
    "HTTP, JSON": ("src/lxd/", "src/base/", "cjson-"),
    "hook commands": ("src/juju/",),
    "charm": ("src/",),
    "libc, start": ("",),
}

# "cfi=" and "cfl=" are about what is called; any may be the first to tell a number's name.
FILE_LINE = re.compile(r"(c?)f[lie]=\((\d+)\)(?: (.*))?")
COST_LINE = re.compile(r"[+\-*\d]\S* (\d+)$")


def subject_of(path):
    return next(name for name, parts in SUBJECTS.items() if any(part in path for part in parts))


def count_by_subject(profile):
    """What a file of callgrind holds, inlined code counted for the file it is written in."""
    counts, paths, path, skip = collections.Counter(), {}, "", False
    for line in profile.splitlines():
        if found := FILE_LINE.match(line):
            called, number, name = found.groups()
            named = paths.setdefault(number, name)
            path = path if called else named
        elif line.startswith("calls="):
            skip = True  # the next line has the cost of what is called, which is counted there
        elif found := COST_LINE.match(line):
            if not skip:
                counts[subject_of(path)] += int(found[1])
            skip = False
    return counts


def count_instructions(program):
    """Of one run, by subject. valgrind counts all that runs in user mode."""
    with tempfile.NamedTemporaryFile(prefix="callgrind-") as profile:
        valgrind = ["valgrind", "--quiet", "--tool=callgrind"]
        program.run(prefix=[*valgrind, f"--callgrind-out-file={profile.name}"])
        return count_by_subject(Path(profile.name).read_text())


def measure_instructions(_options, credential):
    counts = {}
    with Lxd(debug=False) as lxd, contenders(lxd, credential) as programs:
        for name, program in programs.items():
            if name == METERED:
                continue
            if isinstance(program, RecordedHook) or name.startswith("probe"):
                program.arguments[0] = str(PROGRAMS / "lxd-integrator")
            counts[name] = count_instructions(program)
    print("\ninstructions, in thousands\n")
    rows = {}
    for name, count in counts.items():
        ours = not name.startswith("curl")
        cells = {subject: f"{count[subject] / 1000:.0f}" if ours else "" for subject in SUBJECTS}
        rows[name] = {**cells, "all": f"{sum(count.values()) / 1000:.0f}"}
    print_table(rows)
    return counts
