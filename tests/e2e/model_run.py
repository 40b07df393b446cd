# SPDX-License-Identifier: Apache-2.0
"""./build.sh test model [SEED [EVENTS]]: histories of random events, from this seed on until so
many events are played. A history that fails is printed, and then shortened."""

import collections
import contextlib
import os
import signal
import sys
import time
import traceback

from model import History, shrink
from trust_store import TOPOLOGIES

EVENTS_OF_HISTORY = 100
LINES = 60  # that are printed of a history
SHRINKING_SECONDS = 600


class Runner:
    """Plays histories, on LXDs that it starts once they are needed."""

    def __init__(self, charm, stack):
        self._charm = charm
        self._stack = stack
        self._stores = {}  # by topology

    def play(self, history):
        """Returns why it failed, or None."""
        topology = history.topology
        if topology not in self._stores:
            self._stores[topology] = self._stack.enter_context(TOPOLOGIES[topology]())
        try:
            history.play(self._charm, self._stores[topology])
        except Exception:
            return traceback.format_exc(limit=-3)
        return None

    def explain(self, history, reason):
        """Print what is known of a history that failed."""
        print(*history.lines[-LINES:], reason, f"seed {history.seed}", sep="\n", flush=True)
        deadline = time.monotonic() + SHRINKING_SECONDS
        last = [history, reason]

        def fails(shorter):
            if time.monotonic() > deadline:
                return False
            reason = self.play(shorter)
            if reason is not None:
                last[:] = shorter, reason
            return reason is not None

        numbers = shrink(history.seed, history.played, fails)
        history, reason = last
        print("Shortened:", *history.lines, reason, sep="\n")
        print(f"seed {history.seed}, numbers {numbers}", flush=True)


def main(seed=1, events=1000):
    tally = collections.Counter()
    with contextlib.ExitStack() as stack:
        runner = Runner(os.environ["LXD_INTEGRATOR_CHARM"], stack)
        while events > 0:
            start = time.monotonic()
            history = History(seed, min(events, EVENTS_OF_HISTORY))
            reason = runner.play(history)
            print(
                f"seed {seed}: {len(history.played)} events, {history.tally.get('hooks', 0)} hooks,"
                f" {history.topology}, {history.transport}, {time.monotonic() - start:.0f} s",
                flush=True,
            )
            if reason is not None:
                runner.explain(history, reason)
                return 1
            tally.update(history.tally)
            events -= len(history.played)
            seed += 1
    print(*(f"{count:8} {what}" for what, count in sorted(tally.items())), sep="\n")
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the LXDs end with it
    sys.exit(main(*map(int, sys.argv[1:])))
