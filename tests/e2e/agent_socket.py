# SPDX-License-Identifier: Apache-2.0
"""The unit agent's socket: agent_server/main.go before a unit's command server (agent.py)."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def server_program():
    """The server, compiled once a run."""
    directory = Path(tempfile.mkdtemp(prefix="agent-server-"))
    atexit.register(shutil.rmtree, directory)
    program = directory / "agent-server"
    source = Path(__file__).parent / "agent_server" / "main.go"
    settings = {"GOCACHE": str(directory / "cache"), "GO111MODULE": "off", "CGO_ENABLED": "0"}
    command = ["go", "build", "-o", program, source]
    subprocess.run(command, check=True, env={**os.environ, **settings})
    return program


class AgentSocket:
    """Offers the hook commands of a command server at an address, as Juju does."""

    def __init__(self, address, commands):
        self._server = subprocess.Popen(
            [server_program(), address, commands.server_address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        if self._server.stdout.readline() != b"listening\n":
            raise OSError(f"no agent at {address}")

    def close(self):
        """The agent ends, with all its connections."""
        self._server.kill()
        self._server.communicate()
