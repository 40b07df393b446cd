# SPDX-License-Identifier: Apache-2.0
"""The charm needs nothing of its machine."""

import shutil

import pytest

from agent_socket import AgentSocket
from expectations import active, published, served
from pki import bundle, identity


@pytest.fixture
def root(unit, tmp_path):
    """A root directory that holds the charm, where it lies in this one too, and how to find names."""
    charm = tmp_path / unit.charm_directory.relative_to("/")
    shutil.copytree(unit.charm_directory, charm)
    (tmp_path / "etc").mkdir()
    shutil.copy("/etc/resolv.conf", tmp_path / "etc")
    return tmp_path


@pytest.mark.parametrize("transport", ["agent"])
def test_works_in_a_root_directory_with_only_the_charm(lxd, unit, relation, root):
    address = "@" + str(unit.agent_directory / "agent.socket")
    agent = AgentSocket(address, unit.commands)
    unit.wrapper = ["env", f"JUJU_AGENT_SOCKET_ADDRESS={address}", "chroot", str(root)]
    client = identity()
    before = sorted(root.rglob("*"))
    relation.join("builder/0", client_certificates=bundle(client))
    agent.close()
    assert unit.status == active(lxd, 1)
    assert published(relation) == served(lxd, client)
    assert sorted(root.rglob("*")) == before
    assert lxd.auth(client) == "trusted"
