# SPDX-License-Identifier: Apache-2.0
"""Fixtures: those of the end-to-end tests, and tools from elsewhere. A tool that cannot be had here
is a test skipped, with the reason; a tool that finds fault is a test failed."""

import importlib.util
import json
import subprocess
import sys

import pytest
import yaml

from tools import ROOT, go_judge, virtual_environment

E2E = ROOT / "tests/e2e"
sys.path[:0] = [str(E2E), str(ROOT / "charm/python/src")]
_specification = importlib.util.spec_from_file_location("e2e_fixtures", E2E / "conftest.py")
_e2e = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_e2e)

pytest_terminal_summary = _e2e.pytest_terminal_summary
charm, lxd_daemon, lxd, admin = _e2e.charm, _e2e.lxd_daemon, _e2e.lxd, _e2e.admin
projects, cloud, relation = _e2e.projects, _e2e.cloud, _e2e.relation


@pytest.fixture
def juju(charm):
    """ops runs hook commands, and knows no other way."""
    with _e2e.Juju(charm, transport="exec") as controller:
        yield controller


@pytest.fixture
def app(juju, cloud):
    return juju.deploy(trust=True, cloud=cloud)


@pytest.fixture(scope="session")
def project():
    return yaml.safe_load((ROOT / "charmcraft.yaml").read_text())


# --- tools ---


@pytest.fixture(params=["3", "4"])
def judge(request):
    """What the parser of a Juju says of charms."""
    program = go_judge(request.param)
    if isinstance(program, str):
        pytest.skip(program)

    def ask(*charms):
        done = subprocess.run([program, *charms], capture_output=True, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    return ask


def python_of(name):
    python = virtual_environment(name)
    if python is None:
        pytest.skip(f"the packages in tests/ecosystem/{name}.txt cannot be had from PyPI")
    return python


@pytest.fixture
def charmcraft():
    """The folder of charmcraft's programs."""
    return python_of("charmcraft").parent


@pytest.fixture
def ops_python():
    """A Python that has ops and what belongs to it."""
    return python_of("ops")
