# SPDX-License-Identifier: Apache-2.0
"""The charm is killed before each of its system calls in turn, and run again, as Juju does with a
hook that was killed: nothing of it is published, and the next run makes good.

Of all system calls those are enough that change something outside: "noticed" in kill_at_syscall.c.
`./build.sh test kill` goes through all the others as well.
"""

import itertools
import signal
import time

import pytest

import agent
from expectations import active, published, served
from juju import Juju
from pki import bundle, identity
from world import AFTERMATH, wrapped

FEWEST_CALLS = 12  # so many times at least a hook asks, answers or changes something


@pytest.fixture
def kill_at(pytestconfig):
    """Run the unit's next hook and kill it before its n-th system call, if it makes so many."""
    calls = "all" if pytestconfig.getoption("all_system_calls") else "noticed"
    program = agent.helper_program("kill_at_syscall")

    def run(unit, number):
        with wrapped(unit, [program, calls, str(number), "0"]):
            return unit.run_next()

    return run


def run_all(unit):
    while unit.pending:
        assert unit.run_next().exit_code == 0


@pytest.mark.parametrize("name", [None, "alice"], ids=["ours", "foreign"])
def test_killed_anywhere(lxd, admin, juju, unit, relation, kill_at, name):
    """A certificate comes and goes; a foreign one is only published and no longer published."""
    client = identity()
    if name is not None:
        lxd.trust(client, name)
    relation.join("builder/0")
    juju.asleep = True

    for number in itertools.count(1):
        codes = []
        for wanted in ([client], []):
            before = published(relation)
            relation.publish("builder/0", client_certificates=bundle(*wanted))
            hook = kill_at(unit, number)
            codes.append(hook.exit_code)
            assert hook.exit_code == 0 or published(relation) == before
            run_all(unit)
            assert published(relation) == served(lxd, *wanted)
            foreign = [client] if name is not None else []
            expected = {identity_.fingerprint for identity_ in [admin, *foreign, *wanted]}
            assert set(lxd.trust_store) == expected
            assert unit.status == active(lxd, len(wanted))
        if codes == [0, 0]:
            break
        assert set(codes) <= {0, -signal.SIGKILL}
    assert number > FEWEST_CALLS


@pytest.mark.parametrize(("transport", "version"), [("exec", "2.9"), ("agent", "3.6")])
def test_killed_while_enrolling(lxd, charm, transport, version, kill_at):
    """The next hook makes good, with the one token, which LXD takes once."""
    with Juju(charm, version, transport) as juju:
        app = juju.deploy()
        (unit,) = app.units
        juju.asleep = True
        for number in itertools.count(1):
            before = set(lxd.trust_store)
            printed = lxd.print_token(f"token-{number}")
            app.configure(lxd_trust_token=printed.split()[-1])
            code = kill_at(unit, number).exit_code
            time.sleep(AFTERMATH)
            run_all(unit)
            assert unit.status == active(lxd, 0)
            assert len(set(lxd.trust_store) - before) == 1
            if code == 0:
                break
            assert code == -signal.SIGKILL
    assert number > FEWEST_CALLS
