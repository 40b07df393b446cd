# SPDX-License-Identifier: Apache-2.0
"""What a hook costs by the number of certificates and relations: with all to add (cold) and with
nothing to do (warm), on a standalone LXD and on a cluster."""

import contextlib
import dataclasses
import statistics
import time
from dataclasses import dataclass, field

from hooks import count_instructions
from measure import CHARM, PROGRAMS, ROOT, Figures, RecordedHook, print_table
from plot import Chart, write_charts

from juju import Juju, lxd_cloud
from lxd import Lxd, LxdCluster
from pki import bundle, identity

# (certificates, relations), in this order as far as time goes.
SIZES = {
    "standalone": [
        *((1, 1), (10, 1), (10, 10), (100, 1), (100, 10), (100, 100)),
        *((1000, 1), (1000, 100), (1000, 10)),
    ],
    "cluster": [(1, 1), (10, 1), (100, 1), (100, 100), (1000, 1)],
}
LONG = 1000  # so many additions take LXD up to a minute: they are made once, in the model
WARM_RUNS = 7
LOOK_EVERY = 0.001  # seconds, at the program's memory
COLD_PASSES = 5  # a pass gives LXD a minute; what it has no time for is the next one's
SVG = ROOT / "tests" / "bench" / "scale.svg"


@dataclass
class Cost:
    """Of one pass."""

    state: str
    certificates: int
    relations: int
    calls: int
    requests: int
    trusted: int = 0  # certificates, after it
    wall_ms: float = 0
    cpu_ms: float = 0
    peak_kib: int = 0
    instructions: dict = field(default_factory=dict)


class Daemons:
    """A standalone LXD or a cluster."""

    def __init__(self, members):
        self._members = members

    @property
    def first(self):
        return self._members[0]

    def restart(self, debug):
        """All at once: without a majority none of a cluster gets ready."""
        for member in self._members:
            member.stop()
        for member in self._members:
            member.launch(debug)
        for member in self._members:
            member.wait_ready()

    def certificates(self):
        """Those that the charm has added."""
        store = self.first.trust_store.values()
        return [entry["fingerprint"] for entry in store if entry["name"].startswith("juju.")]

    def forget_certificates(self):
        """Out of the database at once: through the API it takes as long as adding them."""
        self.first.sql("DELETE FROM certificates WHERE name LIKE 'juju.%'")

    def count(self):
        """Begin to count requests over the network; the result tells how many since."""
        stack = contextlib.ExitStack()
        lists = [stack.enter_context(member.recording()) for member in self._members]

        def end():
            stack.close()
            return sum(request.peer != "@" for requests in lists for request in requests)

        return end


@contextlib.contextmanager
def daemons(kind):
    if kind == "standalone":
        with Lxd() as lxd:
            yield Daemons([lxd])
    else:
        with LxdCluster() as cluster:
            yield Daemons(cluster.members)


def relate(app, clients, relations):
    """Spread the certificates evenly; no hook runs yet."""
    app.juju.asleep = True
    for number in range(relations):
        relation = app.relate(f"builder-{number}")
        app.units[0].relations.append(relation)
        name = f"{relation.application}/0"
        relation.join(name, client_certificates=bundle(*clients[number::relations]))
        relation.show(app.units[0], name)
    app.units[0].pending.clear()
    app.juju.asleep = False


class Case:
    """One size. It is played in a model first, while LXD counts its requests; then the recorded
    hooks are measured, with a quick agent and an LXD that does not write a debug log."""

    def __init__(self, juju, lxds, credential, clients, relations):
        self._lxds = lxds
        cloud = lxd_cloud(lxds.first.url, credential, lxds.first.certificate)
        name = f"lxd-integrator-c{len(clients)}r{relations}"
        self._app = juju.deploy(name, trust=True, cloud=cloud)
        relate(self._app, clients, relations)
        self._size = (len(clients), relations)
        self._hooks, self.costs = {}, {}

    def play(self):
        self._play("cold")
        for _ in range(COLD_PASSES):
            if self._app.units[0].status[0] == "active":
                break
            self._app.fire("config-changed")
        self._play("warm")

    def _play(self, state):
        end = self._lxds.count()
        (hook,) = self._app.fire("config-changed")
        self._hooks[state] = hook
        self.costs[state] = Cost(
            state,
            *self._size,
            calls=len(hook.calls),
            requests=end(),
            trusted=len(self._lxds.certificates()),
            wall_ms=1000 * hook.wall_seconds,
            cpu_ms=1000 * hook.own_cpu_seconds,
            peak_kib=hook.peak_rss_kib,
        )

    def measure(self):
        if self._size[0] < LONG:
            self._lxds.forget_certificates()
            self._measure("cold", 1)
        self._measure("warm", WARM_RUNS)
        with contextlib.closing(self._recorded("warm", PROGRAMS / "lxd-integrator")) as hook:
            self.costs["warm"].instructions = dict(count_instructions(hook))
        self._lxds.forget_certificates()

    def _recorded(self, state, program=None):
        return RecordedHook(self._hooks[state], "agent", program)

    def _measure(self, state, runs):
        figures, cost = Figures(), self.costs[state]
        with contextlib.closing(self._recorded(state)) as hook:
            for _ in range(runs):
                hook.run(figures, peak_every=LOOK_EVERY)
        cost.wall_ms, cost.cpu_ms = map(statistics.median, (figures.wall_ms, figures.cpu_ms))
        cost.peak_kib = figures.peak_kib


def play_and_measure(kind, clients, credential, seconds):
    """The costs of each size that there is time for."""
    end = time.monotonic() + seconds
    with daemons(kind) as lxds, Juju(CHARM, transport="agent") as juju:
        lxds.first.trust(credential, "credential")
        for certificates, relations in SIZES[kind]:
            if time.monotonic() > end:
                print(f"scale: {kind}: no time for {certificates} over {relations}")
                continue
            lxds.restart(debug=True)
            case = Case(juju, lxds, credential, clients[:certificates], relations)
            case.play()
            lxds.restart(debug=False)
            case.measure()
            yield from case.costs.values()


TITLES = {
    "certificates": "{certificates}",
    "relations": "{relations}",
    "wall ms": "{wall_ms:.1f}",
    "CPU ms": "{cpu_ms:.2f}",
    "peak KiB": "{peak_kib}",
    "calls": "{calls}",
    "requests": "{requests}",
    "trusted": "{trusted}",
}


def show(kind, costs):
    print(f"\nscale: {kind}\n")
    rows = {}
    for cost in costs:
        cells = {title: form.format(**vars(cost)) for title, form in TITLES.items()}
        instructions = sum(cost.instructions.values())
        cells["instr. 10^6"] = f"{instructions / 1e6:.1f}" if instructions else ""
        rows[f"{cost.state}, {cost.certificates} over {cost.relations}"] = cells
    print_table(rows)


def measure_scale(options, credential):
    clients = [identity("builder") for _ in range(max(max(SIZES["standalone"])))]
    costs = {}
    for kind in SIZES:
        costs[kind] = list(play_and_measure(kind, clients, credential, options.seconds))
        show(kind, costs[kind])
    write_charts(SVG, charts(costs))
    return {kind: [dataclasses.asdict(cost) for cost in of_kind] for kind, of_kind in costs.items()}


def charts(costs):
    """What is drawn: wall time and memory by certificates, a line for each kind and state."""
    result = []
    for title, unit, value in (
        ("wall time", "ms", "wall_ms"),
        ("CPU time", "ms", "cpu_ms"),
        ("peak memory", "KiB", "peak_kib"),
    ):
        lines = {}
        for kind, of_kind in costs.items():
            for state in ("cold", "warm"):
                lines[f"{kind}, {state}"] = [
                    (cost.certificates, getattr(cost, value))
                    for cost in of_kind
                    if cost.state == state and cost.relations == 1
                ]
        result.append(Chart(f"{title}, {unit}", "certificates of one relation", lines))
    return result
