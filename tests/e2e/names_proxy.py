# SPDX-License-Identifier: Apache-2.0
"""An LXD that says of a name which is taken what LXD 5.21.5 and 6.6 say: names_proxy/main.go before
it."""

import subprocess
import tempfile
from pathlib import Path

from go_program import go_program


class NamesProxy:
    """Stands before an LXD (lxd.Lxd), with its certificate. Use as a context manager.

    It has to have the keys of those who log in through it: know(). Where somebody enrols with a
    token through it, the token's name has to be taken.
    """

    def __init__(self, lxd, *identities):
        self._lxd = lxd
        self._identities = identities

    def __enter__(self):
        self._keys = tempfile.TemporaryDirectory(prefix="keys-")
        for identity in self._identities:
            self.know(identity)
        self._process = subprocess.Popen(
            [go_program("names_proxy"), self._lxd.directory, self._lxd.address, self._keys.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.address = self._process.stdout.readline().strip()
        if not self.address:
            raise OSError("the proxy does not start")
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()
        self._keys.cleanup()

    @property
    def url(self):
        return f"https://{self.address}"

    @property
    def certificate(self):
        return self._lxd.certificate

    def know(self, identity):
        """This client may log in from now on, as far as LXD lets it."""
        identity.write(Path(self._keys.name), identity.fingerprint)
