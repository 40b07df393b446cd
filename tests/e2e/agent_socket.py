# SPDX-License-Identifier: Apache-2.0
"""The unit agent's socket: agent_server/main.go before a unit's command server (agent.py)."""

import subprocess

from go_program import go_program


class AgentSocket:
    """Offers the hook commands of a command server at an address, as Juju does."""

    def __init__(self, address, commands):
        self._server = subprocess.Popen(
            [go_program("agent_server"), address, commands.server_address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._server.stdout.readline() != b"listening\n":
            raise OSError(f"no agent at {address}")

    def close(self):
        """The agent ends, with all its connections; from whatever thread, and once more."""
        self._server.kill()
        self._server.wait()
        self._server.stdin.close()
        self._server.stdout.close()
