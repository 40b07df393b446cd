# SPDX-License-Identifier: Apache-2.0
"""What ./build.sh demo shows is as it should be; test_cluster.py has demo --cluster."""

import pytest

from demo import MainJob, Projects


@pytest.fixture
def transport():
    """As the demo has it."""
    return "exec"


def test_main_job(juju, lxd, capsys):
    MainJob(juju, lxd).run()
    told = capsys.readouterr().out
    assert "juju remove-relation" in told and "-----END" not in told


def test_client_does_not_leave_its_project(juju, lxd, capsys):
    Projects(juju, lxd).run()
    assert capsys.readouterr().out.count("LXD says 403") == 7
