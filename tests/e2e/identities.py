# SPDX-License-Identifier: Apache-2.0
"""An LXD that knows fine-grained identities, as LXD 6.9 does: identities/main.go before an LXD."""

import subprocess
import urllib.parse
import urllib.request

from go_program import go_program
from lxd import free_port

# What README has the group of an integrator have.
ENTITLEMENTS = (
    "can_create_identities",
    "can_edit_identities",
    "can_delete_identities",
    "can_view_identities",
    "can_view_projects",
)


class Identities:
    """Stands before an LXD (lxd.Lxd), with its certificate. Use as a context manager. Its group begins
    with all of ENTITLEMENTS."""

    def __init__(self, lxd):
        self._lxd = lxd
        self.address = f"127.0.0.1:{free_port()}"

    def __enter__(self):
        self._process = subprocess.Popen(
            [go_program("identities"), self._lxd.directory, self.address],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._control = self._process.stdout.readline().strip()
        if not self._control:
            raise OSError("the model of LXD's identities does not start")
        self.allow(*ENTITLEMENTS)
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    @property
    def url(self):
        return f"https://{self.address}"

    def _tell(self, path, data=None):
        with urllib.request.urlopen(f"http://{self._control}{path}", data) as answer:
            return answer.read().decode()

    def token(self, name):
        """What "lxc auth identity create tls/NAME --group integrators" prints."""
        token = self._tell(f"/token?name={urllib.parse.quote(name)}", b"")
        return f'TLS identity "{name}" (01980000-0000-7000-8000-000000000001) pending identity token:\n{token}\n'

    def allow(self, *entitlements):
        """The group has these on the server from now on, and no others."""
        self._tell("/entitlements?" + "".join(f"{each}&" for each in entitlements), b"")

    def forget(self):
        """lxc auth identity delete, of all that have enrolled."""
        self._tell("/forget", b"")

    @property
    def asked(self):
        """(method, path, status) of each request so far."""
        return [tuple(line.split()) for line in self._tell("/asked").splitlines()]
