# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the charm, a Juju, an LXD."""

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from agent import emulator
from juju import Juju, lxd_cloud
from lxd import INCUS, Lxd
from pki import identity


def pytest_addoption(parser):
    parser.addoption("--all-system-calls", action="store_true", help="for test_kill.py")


ROOT = Path(__file__).resolve().parents[2]
collect_ignore = [] if INCUS else ["test_incus.py"]
CLONE_NEWNET = 0x40000000


def pytest_configure(config):
    """A run that is told to end tears everything down, as with Ctrl-C. All workers (pytest-xdist) have the same seed, and
    each a network of its own, so that no port which one has given up for a moment is another's."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("LXD_INTEGRATOR_SEED", str(int(time.time()) // 10))
    if hasattr(config, "workerinput"):
        if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "no network namespace for this worker")
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def pytest_make_parametrize_id(val):
    """Workers must name tests alike, so no name has more of a key or certificate, which is made anew
    in each, than its heading."""
    return ascii(val[:24]) if isinstance(val, str) and len(val) > 60 else None


def pytest_report_header():
    return f"random events (test_model.py): LXD_INTEGRATOR_SEED={os.environ['LXD_INTEGRATOR_SEED']}"


def pytest_terminal_summary(terminalreporter):
    skipped = {}
    for report in terminalreporter.stats.get("skipped", []):
        skipped.setdefault(report.longrepr[2].removeprefix("Skipped: "), []).append(report.nodeid)
    for reason, tests in skipped.items():
        what = tests[0] if len(tests) == 1 else f"{tests[0]} and {len(tests) - 1} more"
        subprocess.run([ROOT / "tests/skip", what, reason], check=True)


def built(variable):
    path = os.environ.get(variable)
    if not path:
        pytest.exit(f"{variable} is not set: run ./build.sh test e2e", returncode=2)
    return Path(path)


@pytest.fixture(scope="session")
def charm():
    """The packed charm."""
    return built("LXD_INTEGRATOR_CHARM")


@pytest.fixture(scope="session")
def requirer_charm():
    """The example of a requirer (tests/requirer), packed."""
    return built("LXD_REQUIRER_CHARM")


@pytest.fixture(scope="session")
def binary():
    """The binary as a command for people."""
    return built("LXD_INTEGRATOR_BINARY")


@pytest.fixture
def command_line(binary):
    """Run the binary outside of a hook."""

    def run(*arguments, stdin=None):
        return subprocess.run(
            [*emulator(), binary, *arguments],
            env={"PATH": os.environ["PATH"]},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture(scope="session")
def lxd_daemon():
    with Lxd() as daemon:
        yield daemon


@pytest.fixture
def lxd(lxd_daemon):
    """A running LXD with an empty trust store, and no project but its own."""
    lxd_daemon.reset()
    return lxd_daemon


@pytest.fixture
def admin(lxd):
    """An identity that may manage the trust store, as Juju has one."""
    administrator = identity("juju")
    lxd.trust(administrator, "juju")
    return administrator


@pytest.fixture(params=["exec", "agent"])
def transport(request):
    """How hooks reach the unit agent: by hook commands, or over its socket, with none on PATH."""
    return request.param


@pytest.fixture
def juju(charm, transport):
    with Juju(charm, transport=transport) as controller:
        yield controller


@pytest.fixture
def cloud(lxd, admin):
    """The cloud's credential for this LXD."""
    return lxd_cloud(lxd.url, admin, lxd.certificate)


@pytest.fixture
def app(juju, cloud):
    """The charm, trusted with the credential of an LXD cloud."""
    return juju.deploy(trust=True, cloud=cloud)


@pytest.fixture
def unit(app):
    return app.units[0]


@pytest.fixture
def relation(app):
    """A relation to another application, still without units."""
    return app.relate("builder")


@pytest.fixture
def projects(lxd):
    """Projects of LXD beside "default"."""
    names = ("blue", "green")
    for name in names:
        lxd.request("POST", "/1.0/projects", {"name": name})
    return names
