#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Looks up generated names with the resolver under test and with glibc's, and compares both with what
charm/network.md's table says. In namespaces of its own; see README.md."""

import argparse
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from cases import SERVERS, Generator
from servers import Spoiler, dnsmasq, running, unbound, wait_for

REAL = ("127.0.2.1", "127.0.2.2", "127.0.2.3")
FILES = {"nsswitch.conf": "hosts: files dns\n", "host.conf": "multi on\n", "gai.conf": ""}
WORKERS = 4
ATTEMPTS = 3  # of a case that time may have decided: time-outs of a second are little on a busy machine
SHORTEST_WAIT = 0.05  # seconds: what a resolver waits for before it goes on without it (RFC 8305)

# In a mount namespace: the case's files in the place of the machine's.
SCRIPT = """
for file in "$1"/etc/*; do
    [ -e "/etc/${file##*/}" ] || : >"/etc/${file##*/}"
    mount --bind "$file" "/etc/${file##*/}" || exit 9
done
hostname "$2"
"$4" "$3"
echo "$(($(date +%s%N) / 1000000))" >&2
timeout 20 getent --no-addrconfig --no-idn ahosts "$3"
echo "$(($(date +%s%N) / 1000000))" >&2
exit 0
"""


def run(case, folder, program):
    """What ours and glibc's found, what ours said, and whether either took long enough for time to have
    decided."""
    etc = folder / str(case.number) / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    for name, text in {**FILES, "resolv.conf": case.resolv_conf, "hosts": case.hosts}.items():
        (etc / name).write_text(text)
    result = subprocess.run(
        ["unshare", "-m", "-u", "sh", "-c", SCRIPT, "sh", etc.parent, case.host_name, case.name, program],
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    if result.returncode != 0 or len(result.stderr.split()) != 3:
        raise RuntimeError(f"case {case.number}: {result.stderr}")
    took, start, end = (int(number) / 1000 for number in result.stderr.split())
    ours, *glibc = result.stdout.splitlines()
    said = ours if ours.startswith("-") else ""
    found = set() if said else set(ours.split())
    return found, {line.split()[0] for line in glibc}, said, max(took, end - start) >= SHORTEST_WAIT


def judge(case, ours, glibc):
    """What is wrong, or "", and whether glibc does the same."""
    expected, _, same = case.resolve()
    if ours != expected:
        return f"found {sorted(ours)}, expected {sorted(expected)}", same
    if same and glibc != expected:
        return f"glibc found {sorted(glibc)}, and the same was expected of it: {sorted(expected)}", same
    return "", same


def tell(case, trouble, said):
    print(f"case {case.number}: {case.name}: {trouble}; {said}")
    for title, text in (("resolv.conf", case.resolv_conf), ("hosts", case.hosts)):
        print("".join(f"    {title}: {line}\n" for line in text.splitlines()), end="")
    print(f"    host name: {case.host_name}\n    asked for: {case.candidates}")
    print(f"    records: {case.records}\n    spoilt: {case.spoil}", flush=True)


def compare(cases, folder, program):
    records, failed, same, found, repeated = {}, 0, 0, 0, 0
    for case in cases:
        records.update(case.records)
    with ExitStack() as stack:
        for address, server in zip(REAL, (unbound, dnsmasq, unbound)):
            stack.enter_context(running(server(address, records, folder)))
        for address in REAL:
            wait_for(address, "ns.")
        for address, real in zip(SERVERS, REAL):
            spoil = {
                (name, kind): how
                for case in cases
                for (server, name, kind), how in case.spoil.items()
                if server == address
            }
            Spoiler(address, real, spoil)
        with ThreadPoolExecutor(WORKERS) as workers:
            outcomes = workers.map(lambda case: run(case, folder, program), cases)
            for case, (ours, glibc, said, slow) in list(zip(cases, outcomes)):
                trouble, is_same = judge(case, ours, glibc)
                for attempt in range(1, ATTEMPTS):
                    if trouble and slow:
                        repeated += attempt == 1
                        ours, glibc, said, slow = run(case, folder, program)
                        trouble, is_same = judge(case, ours, glibc)
                same += is_same
                found += bool(ours)
                if trouble:
                    failed += 1
                    tell(case, trouble, said)
    print(f"names: {len(cases)} cases, {found} with addresses, {same} as glibc, {repeated} repeated, {failed} failed")
    return failed == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", help="lookup.c, built")
    parser.add_argument("count", type=int, nargs="?", default=200)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("--only", type=int, help="number of the one case to look at")
    options = parser.parse_args()
    cases = list(Generator(options.seed).cases(options.count))
    if options.only is not None:
        cases = [cases[options.only]]
    with tempfile.TemporaryDirectory(prefix="names-") as folder:
        os.chmod(folder, 0o755)
        return 0 if compare(cases, Path(folder), options.program) else 1


if __name__ == "__main__":
    sys.exit(main())
