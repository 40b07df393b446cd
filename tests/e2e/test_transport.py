# SPDX-License-Identifier: Apache-2.0
"""How hooks reach the unit agent, and what the sandbox leaves them."""

import re

import pytest

from agent_socket import AgentSocket
from expectations import active, published, served
from juju import HookFailed, Juju, lxd_cloud
from pki import bundle, identity

only_agent = pytest.mark.parametrize("transport", ["agent"])
only_exec = pytest.mark.parametrize("transport", ["exec"])

STARTING = re.compile(r"^\d+ +(?:fork|vfork|clone3?|execve(?:at)?)\(", re.MULTILINE)


@pytest.fixture
def traced(unit, tmp_path):
    """Run a move under strace; returns the system calls of the hooks that it ran."""

    def run(move):
        output = tmp_path / "strace"
        unit.wrapper = ["strace", "-f", "-qq", "-o", output]
        move()
        unit.wrapper = []
        return output.read_text()

    return run


def instead_of_agent(hook):
    return [line for line in hook.logged("DEBUG") if "through hook commands" in line]


@only_agent
def test_hook_is_one_process(lxd, app, relation, traced):
    relation.join("builder/0")
    client = identity()
    calls = traced(lambda: relation.publish("builder/0", client_certificates=bundle(client)))
    assert published(relation) == served(lxd, client)
    assert len(STARTING.findall(calls)) == 1  # strace's own, of the charm
    assert calls.count("socket(AF_UNIX") == 1


def test_sandbox_is_entered_before_anything_is_parsed(relation, traced):
    """The first call asks for the credential; in a sandbox are what relations say, and LXD."""
    calls = traced(lambda: relation.join("builder/0"))
    before, entered, after = calls.partition("SECCOMP_MODE_FILTER")
    assert entered and "landlock_restrict_self" in before and "PR_SET_NO_NEW_PRIVS" in before
    assert "relation-list" not in before
    assert "AF_INET" not in before and "AF_INET" in after


def test_way_is_told(relation, transport):
    hook, _ = relation.join("builder/0")
    assert len(instead_of_agent(hook)) == (transport == "exec")
    assert not any("sandbox" in line.text for line in hook.log)


@pytest.mark.parametrize("version", ["2.9", "3.6", "4.0"])
@only_agent
def test_all_versions_of_juju(charm, lxd, cloud, version, transport):
    with Juju(charm, version, transport) as juju:
        app = juju.deploy(trust=True, cloud=cloud)
        relation = app.relate("builder")
        client = identity()
        relation.join("builder/0", client_certificates=bundle(client))
        assert published(relation) == served(lxd, client)
        relation.remove()
        assert app.units[0].status == active(lxd, 0)


@only_agent
def test_names_are_looked_up_in_the_sandbox(lxd, juju, admin):
    url = lxd.url.replace("127.0.0.1", "localhost")
    app = juju.deploy(trust=True, cloud=lxd_cloud(url, admin, lxd.certificate))
    assert app.units[0].status == active(lxd, 0)
    app.cloud = lxd_cloud("https://nowhere.invalid:8443", admin, lxd.certificate)
    app.update_status()
    name, message = app.units[0].status
    assert name == "waiting" and ('name "nowhere.invalid" not found' in message or "nameserver" in message)


# --- falling back, and not ---


@pytest.fixture
def both(app, unit):
    """A unit with hook commands that has the agent's socket as well."""
    unit.socket = AgentSocket(unit.agent_directory / "agent.socket", unit.commands)


@only_exec
def test_socket_comes_first(app, both):
    (hook,) = app.update_status()
    assert instead_of_agent(hook) == []
    assert hook.children_cpu_seconds == 0


@only_exec
def test_agent_that_refuses_the_first_call(lxd, juju, app, unit):
    """The socket is another unit's."""
    other = juju.deploy("other", units=1).units[0]
    unit.socket = AgentSocket(unit.agent_directory / "agent.socket", other.commands)
    (hook,) = app.update_status()
    assert "refused it: bad request: " in instead_of_agent(hook)[0]
    assert unit.status == active(lxd, 0)


@only_exec
def test_network_that_is_not_unix(lxd, app, unit, both):
    unit.wrapper = ["env", "JUJU_AGENT_SOCKET_NETWORK=tcp"]
    (hook,) = app.update_status()
    assert 'JUJU_AGENT_SOCKET_NETWORK is "tcp"' in instead_of_agent(hook)[0]
    assert unit.status == active(lxd, 0)


@only_exec
def test_forced_commands(app, unit, both):
    unit.wrapper = ["env", "LXD_INTEGRATOR_IO=exec"]
    (hook,) = app.update_status()
    assert instead_of_agent(hook) == []
    assert hook.children_cpu_seconds > 0


@only_exec
def test_forced_agent_that_is_not_there(app, unit):
    unit.wrapper = ["env", "LXD_INTEGRATOR_IO=agent"]
    with pytest.raises(HookFailed) as failure:
        app.update_status()
    assert failure.value.hook.calls == []
    assert any("agent.socket: No such file" in line for line in failure.value.hook.logged("WARNING"))


@only_exec
def test_agent_that_is_lost_midway_fails_the_hook(app, unit, relation, both):
    """No command is run in its place: what a hook writes is one transaction."""
    answer = unit.commands.answer

    def answer_and_die(request, environment):
        reply = answer(request, environment)  # and record of it is kept before the hook can end
        if request.name == "relation-get":
            unit.socket.close()
        return reply

    unit.commands.answer = answer_and_die
    with pytest.raises(HookFailed) as failure:
        relation.join("builder/0", client_certificates=bundle(identity()))
    names = [call.name for call in failure.value.hook.calls]
    assert names.count("relation-get") == 1 and names[-1] == "relation-get"
    assert published(relation).get("registered_certificates", []) == []
