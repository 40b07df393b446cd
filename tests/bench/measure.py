# SPDX-License-Identifier: Apache-2.0
"""Programs that are measured: started as they are, or as a hook whose agent answers at once."""

import base64
import json
import os
import re
import select
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
from go_program import go_program  # noqa: E402

QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
BINARY = Path(os.environ["LXD_INTEGRATOR_BINARY"])
CHARM = Path(os.environ["LXD_INTEGRATOR_CHARM"])
PROGRAMS = ROOT / "build" / "bench"  # what build.sh builds for this
TRANSPORTS = ("agent", "exec")


@dataclass
class Figures:
    """All repetitions of one contender, in the order of the rounds."""

    wall_ms: list = field(default_factory=list)
    cpu_ms: list = field(default_factory=list)  # of the program itself
    commands_cpu_ms: list = field(default_factory=list)
    tls_ms: list = field(default_factory=list)  # of cpu_ms, where that is metered
    network_ms: list = field(default_factory=list)  # the same: calls on connections to LXD
    peak_kib: int = 0
    calls: int = 0  # of hook commands
    processes: int = 0  # beside the program itself
    requests: int = 0
    connections: int = 0

    def medians(self):
        return {
            name: statistics.median(value or [0]) if isinstance(value, list) else value
            for name, value in asdict(self).items()
        }


class Program:
    """A program with its arguments. `before` and `after` bring LXD to where each run begins."""

    hook_stderr = subprocess.DEVNULL

    def __init__(self, *arguments, environment=None, before=None, after=None):
        self.arguments = [str(argument) for argument in arguments]
        self.environment = environment
        self.calls = self.processes = 0
        self._before = before
        self._after = after

    def start(self, prefix=()):
        return subprocess.Popen(
            [*prefix, *self.arguments],
            env=self.environment,
            cwd=self.environment and self.environment["CHARM_DIR"],
            stderr=self.environment and self.hook_stderr,
            **QUIET,
        )

    def run(self, figures=None, peak_every=None, prefix=()):
        """Run it once. With peak_every, its memory is looked at so often (seconds)."""
        if self._before:
            self._before()
        figures = figures or Figures()
        start = time.monotonic()
        process = self.start(prefix)
        if peak_every is not None:
            figures.peak_kib = max(figures.peak_kib, watch(process, peak_every))
        own_cpu = agent.wait(process)
        figures.wall_ms.append(1000 * (time.monotonic() - start))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        figures.cpu_ms.append(1000 * own_cpu)
        figures.commands_cpu_ms.append(1000 * max(0, usage.ru_utime + usage.ru_stime - own_cpu))
        figures.calls, figures.processes = self.calls, self.processes
        self.look(process, figures)
        if process.returncode != 0:
            sys.exit(f"bench: {' '.join(self.arguments)} ended with {process.returncode}")
        if self._after:
            self._after()

    def look(self, process, figures):
        """What more a process that has ended tells."""

    def close(self):
        """It will not be run again."""


def watch(process, every):
    """The high-water mark of the program's memory: read until it ends, at most so often."""
    ending = os.pidfd_open(process.pid)
    peak = 0
    while reading := agent.peak_rss_kib(process.pid):
        peak = reading
        if select.select([ending], [], [], every)[0]:
            break
    os.close(ending)
    return peak


def answers(hook):
    """What the agent said in a hook, as recorded_agent reads it."""
    return [
        {
            "Arguments": call.arguments,
            "Stdin": call.stdin is not None,
            "Code": call.reply.code,
            "Stdout": base64.b64encode(call.reply.stdout).decode(),
            "Stderr": base64.b64encode(call.reply.stderr).decode(),
        }
        for call in hook.calls
        if call.name != "juju-log"
    ]


class RecordedHook(Program):
    """A hook (agent.Hook) that ran, again and again, with the same answers of the agent."""

    def __init__(self, hook, transport, program=None, **around):
        self._directory = Path(tempfile.mkdtemp(prefix="hook-"))
        sockets = [self._directory / "agent", self._directory / "socket"]
        recording = self._directory / "recording"
        recording.write_text(json.dumps(answers(hook)))
        agent.install_hook_commands(self._directory)
        self._agent = subprocess.Popen(
            [go_program("recorded_agent"), *sockets, recording], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        if self._agent.stdout.readline() != b"listening\n":
            sys.exit("bench: the recorded agent does not start")
        address = sockets[0] if transport == "agent" else self._directory / "none"
        environment = {
            **hook.environment,
            "JUJU_AGENT_SOCKET_ADDRESS": str(address),
            "PATH": f"{self._directory}:{agent.AGENT_PATH}",
        }
        dispatch = program or Path(hook.environment["CHARM_DIR"]) / "dispatch"
        super().__init__(dispatch, environment=environment, **around)
        self.calls = len(hook.calls)
        self.processes = self.calls if transport == "exec" else 0

    def close(self):
        self._agent.kill()
        self._agent.communicate()
        shutil.rmtree(self._directory)


class MeteredHook(RecordedHook):
    """A hook run by the program that meter.c is linked into."""

    hook_stderr = subprocess.PIPE

    def look(self, process, figures):
        with process.stderr as lines:
            line = lines.read().decode().splitlines()[-1]
        tls, network = re.fullmatch(r"meter: tls (\d+) network (\d+)", line).groups()
        figures.tls_ms.append(int(tls) / 1e6)
        figures.network_ms.append(int(network) / 1e6)


def print_table(rows):
    """Rows are {name: {title of a column: text}}, all with the same titles."""
    width = max(map(len, rows))
    titles = next(iter(rows.values()))
    print(f"{'':{width}}" + "".join(f"{title:>14}" for title in titles))
    for name, cells in rows.items():
        print(f"{name:{width}}" + "".join(f"{cell:>14}" for cell in cells.values()))
