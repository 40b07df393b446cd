# SPDX-License-Identifier: Apache-2.0
"""The charm beside itself, in turn: as it was before, without X25519MLKEM768, with a name where it has
an address, and with lists of any length."""

import contextlib
import ctypes
import multiprocessing
import subprocess
import tempfile
import time
from pathlib import Path

from hooks import (
    CERTIFICATES,
    TrustStore,
    around,
    count_instructions,
    count_requests,
    race,
    ratio,
    record,
    record_crowd,
)
from measure import BINARY, CHARM, PROGRAMS, TRANSPORTS, Program, RecordedHook, print_table

from juju import Juju, lxd_cloud
from lxd import Lxd
from pki import bundle, identity
from test_long_answers import TRUSTED, Server, certificates, chunked, whole


def show(title, figures, bases):
    """A row for each; beside those that have a base, what share of its cost they have: the median
    of what each round has."""
    result, rows = {}, {}
    for name, one in figures.items():
        medians, base = one.medians(), figures.get(bases.get(name))
        rows[name] = {
            "wall ms": f"{medians['wall_ms']:.1f}",
            "CPU ms": f"{medians['cpu_ms']:.2f}",
            "peak KiB": f"{one.peak_kib}",
            "requests": f"{one.requests}" if one.requests else "",
            "calls": f"{one.calls}" if one.calls else "",
            "of its wall": f"{ratio(one.wall_ms, base.wall_ms):.2f}" if base else "",
            "of its CPU": f"{ratio(one.cpu_ms, base.cpu_ms):.2f}" if base else "",
        }
        result[name] = {**medians, "base": bases.get(name)}
    rounds = len(next(iter(figures.values())).wall_ms)
    print(f"\n{title}: medians of {rounds} rounds in turn\n")
    print_table(rows)
    return result


# ---- as it was before ----


def recordings(stack, lxd, credential, charm, label):
    """Hooks of one charm, ready to run; the trust store is for both."""
    store = TrustStore(lxd)
    juju = stack.enter_context(Juju(charm, transport="agent"))
    hooks = record(lxd, juju, credential, store)
    for (event, what), hook in hooks.items():
        if event != "relation-changed":
            continue
        for transport in TRANSPORTS:
            yield f"{what}, {transport}, {label}", hook, transport, around(store, what)


def measure_before(options, credential):
    """--before names the other charm."""
    if options.before is None:
        print("\nbefore: no --before CHARM is given")
        return {}
    charms = {"before": Path(options.before).resolve(), "now": CHARM}
    figures = {}
    for part in ("hooks", "crowd"):
        # Charms of the first edition give several entries one name.
        daemon = Lxd(debug=False, unique_names=False)
        with daemon as lxd, contextlib.ExitStack() as stack:
            lxd.trust(credential, "juju")
            programs = {}
            for label, charm in charms.items():
                if part == "hooks":
                    found = list(recordings(stack, lxd, credential, charm, label))
                else:
                    juju = stack.enter_context(Juju(charm, transport="agent"))
                    hook = record_crowd(lxd, juju, credential)
                    found = [(f"crowd, {each}, {label}", hook, each, {}) for each in TRANSPORTS]
                for name, hook, transport, moves in found:
                    programs[name] = RecordedHook(hook, transport, **moves)
                    stack.callback(programs[name].close)
            names = sorted(programs)  # before and now side by side
            programs = {name: programs[name] for name in names}
            mine = race(programs, options.repetitions, options.seconds)
            lxd.restart(debug=True)
            count_requests(programs, lxd, mine)
            figures.update(mine)
    bases = {name: name.replace(", now", ", before") for name in figures if name.endswith("now")}
    return show("before and now", figures, bases)


# ---- a hook with nothing to do ----


def play_idle(juju, name, url, lxd, credential):
    """relation-changed with nothing to do of an application whose LXD has this URL."""
    app = juju.deploy(name, trust=True, cloud=lxd_cloud(url, credential, lxd.certificate))
    relation = app.relate("builder")
    clients = bundle(*(identity("builder") for _ in range(CERTIFICATES)))
    relation.join("builder/0", client_certificates=clients)
    relation.publish("builder/0", client_certificates=clients + " ")
    (hook,) = relation.publish("builder/0", client_certificates=clients)
    return hook


# ---- X25519MLKEM768 ----

WITH, WITHOUT = "with X25519MLKEM768", "without"


def measure_mlkem(options, credential):
    with Lxd(debug=False) as lxd, Juju(CHARM, transport="agent") as juju:
        lxd.trust(credential, "juju")
        hook = play_idle(juju, "lxd-integrator", lxd.url, lxd, credential)
        with contextlib.ExitStack() as stack:
            programs = {
                WITHOUT: RecordedHook(hook, "agent", PROGRAMS / "small_hello"),
                WITH: RecordedHook(hook, "agent"),
            }
            for program in programs.values():
                stack.callback(program.close)
            figures = race(programs, options.repetitions, options.seconds)
            result = show("ML-KEM", figures, {WITH: WITHOUT})
            counts = {}
            for name, unconfined in ((WITHOUT, "small_hello_valgrind"), (WITH, "lxd-integrator")):
                programs[name].arguments[0] = str(PROGRAMS / unconfined)
                counts[name] = sum(count_instructions(programs[name]).values())
    share = counts[WITH] / counts[WITHOUT]
    print(f"\ninstructions: {counts[WITH]} with, {counts[WITHOUT]} without: {share:.3f}")
    return {"medians": result, "instructions": counts}


# ---- names ----

CLONE_NEWNS, CLONE_NEWNET = 0x20000, 0x40000000
NAMESERVER = "127.0.0.53"
BY_ADDRESS, BY_FILE, BY_DNS = "an address", "a name in /etc/hosts", "a name of the name server's"
NAMES = {BY_FILE: "file.test", BY_DNS: "lxd.test"}


def sh(command):
    subprocess.run(["sh", "-ec", command], check=True)


def alone(function, *arguments):
    """What it returns, run in a network and with files in /etc of its own."""

    def child(pipe):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        with tempfile.TemporaryDirectory(prefix="etc-") as folder:
            sh(
                f"""mount --make-rprivate /
                ip link set lo up
                mount -t tmpfs tmpfs {folder}
                mkdir {folder}/upper {folder}/work
                mount -t overlay -o lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work etc /etc
                rm -f /etc/resolv.conf
                echo nameserver {NAMESERVER} >/etc/resolv.conf
                echo "127.0.0.1 localhost {NAMES[BY_FILE]}" >/etc/hosts"""
            )
            try:
                pipe.send(function(*arguments))
            finally:
                sh(f"umount /etc; umount {folder}")

    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs,))
    process.start()
    theirs.close()
    try:
        return ours.recv()
    finally:
        process.join()


@contextlib.contextmanager
def name_server():
    """dnsmasq, as a machine's own: it knows the one name, and that it has no IPv6 address."""
    command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--user=root", "--no-hosts",
               "--no-resolv", "--bind-interfaces", f"--listen-address={NAMESERVER}", "--pid-file=",
               f"--host-record={NAMES[BY_DNS]},127.0.0.1"]  # fmt: skip
    process = subprocess.Popen(command)
    try:
        time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


def race_names(options, credential):
    with name_server(), Lxd(debug=False) as lxd, Juju(CHARM, transport="agent") as juju:
        lxd.trust(credential, "juju")
        urls = {BY_ADDRESS: lxd.url}
        for how, name in NAMES.items():
            urls[how] = lxd.url.replace("127.0.0.1", name)
        with contextlib.ExitStack() as stack:
            programs = {}
            for number, (how, url) in enumerate(urls.items()):
                hook = play_idle(juju, f"lxd-integrator-{number}", url, lxd, credential)
                programs[how] = RecordedHook(hook, "agent")
                stack.callback(programs[how].close)
            return race(programs, options.repetitions, options.seconds)


def measure_names(options, credential):
    figures = alone(race_names, options, credential)
    bases = dict.fromkeys(NAMES, BY_ADDRESS)
    return show("names: a hook with nothing to do, where the endpoint is", figures, bases)


# ---- long lists ----

LISTS = (10, 1000, 10_000, 100_000)


class Lister(Server):
    """Says of every client that it is trusted, and has a list of so many entries."""

    def __init__(self, server, directory, count):
        super().__init__(server, directory, [])
        self._count = count

    def serve(self, client, received):
        answers = [whole(TRUSTED), chunked(certificates(self._count))]
        with self._context.wrap_socket(client, server_side=True) as stream:
            for number, answer in enumerate(answers, 1):
                while received.count(b"\r\n\r\n") < number:
                    received += stream.recv(65536)
                for piece in answer:
                    stream.sendall(piece)
            stream.recv(1)


def measure_lists(options, credential):
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        server = identity("server")
        expected, _ = server.write(directory, "expected")
        certificate, key = credential.write(directory, "client")
        login = ["--cert", certificate, "--key", key]
        figures, bases = {}, {}
        for count in LISTS:
            peer = stack.enter_context(Lister(server, directory, count))
            probe = [BINARY, "probe", "--endpoint", peer.url, *login, "--server-cert", expected]
            curl = ["curl", "--silent", "--fail", "--cacert", expected, *login]
            reads = [f"{peer.url}/1.0", f"{peer.url}/1.0/certificates?recursion=1"]
            ours, theirs = f"{count} entries", f"{count} entries, curl"
            programs = {theirs: Program(*curl, *reads), ours: Program(*probe)}
            figures.update(race(programs, min(options.repetitions, 3), options.seconds / 4))
            bases[ours] = theirs
    return show("lists: the probe's two requests", figures, bases)
