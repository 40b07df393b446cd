#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a relation-changed hook costs against a real LXD, beside curl with the same requests. It talks
to the unit agent through hook commands or over the agent's socket, in a model of its own each."""

import argparse
import base64
import collections
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

import agent  # noqa: E402
from juju import Juju, lxd_cloud  # noqa: E402
from lxd import Lxd  # noqa: E402
from pki import bundle, identity, shared_identity  # noqa: E402

TRANSPORTS = ("exec", "agent")
CROWD = (50, 3)  # relations, units of each
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


@dataclass
class Figures:
    """All repetitions of one contender."""

    wall_ms: list = field(default_factory=list)
    cpu_ms: list = field(default_factory=list)  # of the program itself
    hook_commands_cpu_ms: list = field(default_factory=list)
    peak_rss_kib: list = field(default_factory=list)
    calls: int = 0  # of hook commands
    processes: int = 0  # beside the program itself
    requests: int = 0
    connections: int = 0

    def medians(self):
        return {
            name: statistics.median(value or [0]) if isinstance(value, list) else value
            for name, value in asdict(self).items()
        }


class Command:
    """A program that is started as it is."""

    def __init__(self, *arguments):
        self._arguments = [str(argument) for argument in arguments]

    def prepare(self):
        """Before each run, not measured."""

    def run(self, figures):
        start = time.monotonic()
        process = subprocess.Popen(self._arguments, **QUIET)
        own_cpu = agent.wait(process)
        figures.wall_ms.append(1000 * (time.monotonic() - start))
        figures.cpu_ms.append(1000 * own_cpu)
        if process.wait() != 0:
            sys.exit(f"bench: {' '.join(self._arguments)} failed")

    def weigh(self, figures):
        """One more run for its memory: the high-water mark is read until the process ends."""
        process = subprocess.Popen(self._arguments, **QUIET)
        peak = 0
        while reading := agent.peak_rss_kib(process.pid):
            peak = reading
        process.wait()
        figures.peak_rss_kib.append(peak)


class Hook:
    """A relation-changed hook; `requested` says what the requirer asks for in the next run."""

    def __init__(self, relation, remote_unit, transport, requested):
        self._relation = relation
        self._remote_unit = remote_unit
        self._transport = transport
        self._requested = requested

    def prepare(self):
        self._relation.publish(self._remote_unit, client_certificates=bundle())

    def run(self, figures):
        requested = bundle(*self._requested())
        (hook,) = self._relation.publish(self._remote_unit, client_certificates=requested)
        figures.wall_ms.append(1000 * hook.wall_seconds)
        figures.cpu_ms.append(1000 * hook.own_cpu_seconds)
        figures.hook_commands_cpu_ms.append(1000 * hook.children_cpu_seconds)
        figures.peak_rss_kib.append(hook.peak_rss_kib)
        figures.calls = len(hook.calls)
        figures.processes = len(hook.calls) if self._transport == "exec" else 0

    def weigh(self, figures):
        """Its memory is measured in every run."""


class CurlThatAdds(Command):
    """curl that also registers a certificate; a fresh one in each run."""

    def __init__(self, lxd, body, *arguments):
        super().__init__(*arguments)
        self._lxd = lxd
        self._body = body
        self._added = None

    def prepare(self):
        if self._added in self._lxd.trust_store:
            self._lxd.distrust(self._added)
        client = identity("builder")
        self._added = client.fingerprint
        certificate = base64.b64encode(client.der).decode()
        body = {"type": "client", "name": "curl", "certificate": certificate}
        self._body.write_text(json.dumps(body))

    def weigh(self, figures):
        self.prepare()
        super().weigh(figures)


def deploy(lxd, juju, credential):
    return juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, credential, lxd.certificate))


def one_more():
    return [identity("builder")]


def duel(lxd, models, directory, credential):
    """The charm with one relation and curl, by name."""
    certificate, key = credential.write(directory, "client")
    server, body = directory / "server.crt", directory / "body"
    server.write_text(lxd.certificate)
    login = ["--cert", certificate, "--key", key]
    curl = ["--silent", "--fail", "--tlsv1.3", "--cacert", server, *login]
    reads = [*curl, f"{lxd.url}/1.0", f"{lxd.url}/1.0/certificates?recursion=1"]
    adds = [*curl, "--json", f"@{body}", f"{lxd.url}/1.0/certificates"]
    probe = ["probe", "--endpoint", lxd.url, *login, "--server-cert", server]
    all_contenders = {
        "curl, 2 requests": Command("curl", *reads),
        "curl, 3 requests": CurlThatAdds(lxd, body, "curl", *reads, "--next", *adds),
        "probe, the same 2 requests": Command(os.environ["LXD_INTEGRATOR_BINARY"], *probe),
    }
    for juju in models:
        relation = deploy(lxd, juju, credential).relate("builder")
        relation.join("builder/0")
        for what, requested in (("nothing to do", list), ("one to add", one_more)):
            name = f"relation-changed, {what}, {juju.transport}"
            all_contenders[name] = Hook(relation, "builder/0", juju.transport, requested)
    return all_contenders


def crowd(lxd, models, _directory, credential):
    """The charm with many relations, one of which changes."""
    relations, units = CROWD
    all_contenders = {}
    for juju in models:
        app = deploy(lxd, juju, credential)
        juju.asleep = True
        for number in range(relations):
            relation = app.relate(f"builder-{number}")
            for unit in range(units):
                name = f"{relation.application}/{unit}"
                relation.join(name, client_certificates=bundle(identity("builder")))
                relation.show(app.units[0], name)
        app.units[0].pending.clear()
        juju.asleep = False
        app.update_status()
        title = f"among {relations} relations of {units} units, {juju.transport}"
        all_contenders[title] = Hook(relation, name, juju.transport, one_more)
    return all_contenders


def race(all_contenders, repetitions):
    """Run them in turn, so that the machine's moods hit all alike."""
    figures = collections.defaultdict(Figures)
    for repetition in range(repetitions + 1):
        for name, contender in all_contenders.items():
            contender.prepare()
            contender.run(figures[name] if repetition else Figures())  # the first warms up
    for name, contender in all_contenders.items():
        contender.weigh(figures[name])
    return figures


def count_requests(all_contenders, lxd, figures):
    """LXD's own count, in a run of its own: its debug log costs time."""
    for name, contender in all_contenders.items():
        contender.prepare()
        with lxd.recording() as requests:
            contender.run(Figures())
        figures[name].requests = len(requests)
        figures[name].connections = len({request.peer for request in requests})


def measure(contest, repetitions, credential):
    charm, figures = os.environ["LXD_INTEGRATOR_CHARM"], {}
    for debug in (False, True):
        with contextlib.ExitStack() as stack:
            lxd = stack.enter_context(Lxd(debug=debug))
            models = [stack.enter_context(Juju(charm, transport=name)) for name in TRANSPORTS]
            directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-"))
            lxd.trust(credential, "juju")
            all_contenders = contest(lxd, models, Path(directory), credential)
            if debug:
                count_requests(all_contenders, lxd, figures)
            else:
                figures = race(all_contenders, repetitions)
    return {name: one.medians() for name, one in figures.items()}


COLUMNS = {
    "wall ms": "{wall_ms:.1f}",
    "CPU ms": "{cpu_ms:.2f}",
    "peak KiB": "{peak_rss_kib:.0f}",
    "requests": "{requests}",
    "connections": "{connections}",
    "calls": "{calls}",
    "processes": "{processes}",
    "their CPU ms": "{hook_commands_cpu_ms:.2f}",
}


def show(medians):
    width = max(map(len, medians))
    print(f"{'':{width}}" + "".join(f"{title:>14}" for title in COLUMNS))
    for name, values in medians.items():
        cells = (cell.format(**values) for cell in COLUMNS.values())
        print(f"{name:{width}}" + "".join(f"{cell:>14}" for cell in cells))


def ratios(medians):
    """The charm's share of curl's cost; below 1 the charm is cheaper."""
    pairs = {
        "probe": "curl, 2 requests",
        "relation-changed, nothing to do": "curl, 2 requests",
        "relation-changed, one to add": "curl, 3 requests",
    }
    result = {}
    for name, values in medians.items():
        for beginning, curl in pairs.items():
            if name.startswith(beginning):
                measures = ("wall_ms", "cpu_ms", "peak_rss_kib")
                result[name] = {what: values[what] / medians[curl][what] for what in measures}
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--key", default="P-384", help="the credential's key: P-256, RSA-4096, ...")
    arguments = parser.parse_args()
    credential = shared_identity(arguments.key)
    medians = measure(duel, arguments.repetitions, credential)
    medians |= measure(crowd, max(arguments.repetitions // 5, 1), credential)
    print(f"medians of {arguments.repetitions} runs, credential with a {arguments.key} key\n")
    show(medians)
    print()
    for name, ratio in ratios(medians).items():
        print(
            f"{name}: {ratio['wall_ms']:.2f} of curl's time, {ratio['cpu_ms']:.2f} of its CPU time,"
            f" {ratio['peak_rss_kib']:.2f} of its memory"
        )
    output = ROOT / "build" / "bench.json"
    report = {**vars(arguments), "medians": medians, "ratios": ratios(medians)}
    output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
