# SPDX-License-Identifier: Apache-2.0
"""Fixtures: the charm, a Juju, an LXD."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from agent import emulator
from juju import Juju, lxd_cloud
from lxd import Lxd
from pki import identity


def pytest_addoption(parser):
    parser.addoption("--all-system-calls", action="store_true", help="for test_kill.py")


def pytest_configure():
    """A run that is told to end tears everything down, as with Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


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
    """A running LXD with an empty trust store."""
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
    there = {project["name"] for project in lxd.request("GET", "/1.0/projects?recursion=1")}
    for name in there - {"default"}:  # what another test has left
        lxd.request("DELETE", f"/1.0/projects/{name}")
    for name in names:
        lxd.request("POST", "/1.0/projects", {"name": name})
    yield names
    for name in names:
        lxd.request("DELETE", f"/1.0/projects/{name}")
