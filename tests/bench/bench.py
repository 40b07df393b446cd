#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a relation-changed hook costs against a real LXD, beside curl with the same requests."""

import argparse
import base64
import collections
import json
import os
import shutil
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

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


@dataclass
class Figures:
    """All repetitions of one contender."""

    wall_ms: list = field(default_factory=list)
    cpu_ms: list = field(default_factory=list)  # of the program itself
    hook_commands_cpu_ms: list = field(default_factory=list)
    peak_rss_kib: list = field(default_factory=list)
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

    def __init__(self, relation, requested):
        self._relation = relation
        self._requested = requested

    def prepare(self):
        self._relation.publish("builder/0", client_certificates=bundle())

    def run(self, figures):
        requested = self._requested()
        (hook,) = self._relation.publish("builder/0", client_certificates=bundle(*requested))
        figures.wall_ms.append(1000 * hook.wall_seconds)
        figures.cpu_ms.append(1000 * hook.own_cpu_seconds)
        figures.hook_commands_cpu_ms.append(1000 * hook.children_cpu_seconds)
        figures.peak_rss_kib.append(hook.peak_rss_kib)
        figures.processes = len(hook.calls)

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


def contenders(lxd, juju, directory, credential):
    """Who competes, by name."""
    certificate, key = credential.write(directory, "client")
    server, body = directory / "server.crt", directory / "body"
    server.write_text(lxd.certificate)
    login = ["--cert", certificate, "--key", key]
    curl = ["--silent", "--fail", "--tlsv1.3", "--cacert", server, *login]
    reads = [*curl, f"{lxd.url}/1.0", f"{lxd.url}/1.0/certificates?recursion=1"]
    adds = [*curl, "--json", f"@{body}", f"{lxd.url}/1.0/certificates"]
    probe = ["probe", "--endpoint", lxd.url, *login, "--server-cert", server]
    app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, credential, lxd.certificate))
    relation = app.relate("builder")
    relation.join("builder/0")
    return {
        "curl, 2 requests": Command("curl", *reads),
        "probe, the same 2 requests": Command(os.environ["LXD_INTEGRATOR_BINARY"], *probe),
        "relation-changed, nothing to do": Hook(relation, list),
        "curl, 3 requests": CurlThatAdds(lxd, body, "curl", *reads, "--next", *adds),
        "relation-changed, one to add": Hook(relation, lambda: [identity("builder")]),
    }


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


def measure(repetitions, kind):
    charm = os.environ.get("LXD_INTEGRATOR_CHARM") or sys.exit("run ./build.sh bench")
    credential = shared_identity(kind)
    figures = {}
    for debug in (False, True):
        with Lxd(debug=debug) as lxd, Juju(charm) as juju:
            directory = Path(tempfile.mkdtemp(prefix="bench-"))
            try:
                lxd.trust(credential, "juju")
                all_contenders = contenders(lxd, juju, directory, credential)
                if debug:
                    count_requests(all_contenders, lxd, figures)
                else:
                    figures = race(all_contenders, repetitions)
            finally:
                shutil.rmtree(directory)
    return {name: one.medians() for name, one in figures.items()}


COLUMNS = {
    "wall ms": "{wall_ms:.1f}",
    "CPU ms": "{cpu_ms:.2f}",
    "peak KiB": "{peak_rss_kib:.0f}",
    "requests": "{requests}",
    "connections": "{connections}",
    "processes": "{processes}",
    "their CPU ms": "{hook_commands_cpu_ms:.2f}",
}


def show(medians):
    print(f"{'':34}" + "".join(f"{title:>14}" for title in COLUMNS))
    for name, values in medians.items():
        cells = (cell.format(**values) for cell in COLUMNS.values())
        print(f"{name:34}" + "".join(f"{cell:>14}" for cell in cells))


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
    medians = measure(arguments.repetitions, arguments.key)
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
