# SPDX-License-Identifier: Apache-2.0
"""Clients of LXD that others have written: pylxd where the distribution has it (Debian 12 does), else LXD's own lxc."""

import json
import os
import subprocess
from pathlib import Path

try:
    import pylxd
    from pylxd.exceptions import LXDAPIException
except ImportError:  # Debian 13
    pylxd = None


class Refused(Exception):
    """LXD does not let this client do that."""


class Pylxd:
    """Logged in with an identity (pki.Identity), whose files are written to a directory."""

    def __init__(self, lxd, identity, directory):
        server = Path(directory) / "server.crt"
        server.write_text(lxd.certificate)
        cert = tuple(map(str, identity.write(directory, identity.fingerprint)))
        for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # they would beat `verify`
            os.environ.pop(variable, None)
        self._client = pylxd.Client(endpoint=lxd.url, cert=cert, verify=str(server))

    def certificates(self):
        """The fingerprints in the trust store."""
        try:
            return [entry.fingerprint for entry in self._client.certificates.all()]
        except LXDAPIException as refusal:
            raise Refused(str(refusal)) from refusal

    def remove(self, fingerprint):
        self._client.certificates.get(fingerprint).delete()


class Lxc:
    """The same, with a process for each request."""

    def __init__(self, lxd, identity, directory):
        self._folder = Path(directory) / f"lxc-{identity.fingerprint}"
        pinned = self._folder / "servercerts"
        pinned.mkdir(parents=True, exist_ok=True)
        (pinned / "there.crt").write_text(lxd.certificate)
        identity.write(self._folder, "client")
        remote = {"addr": lxd.url, "auth_type": "tls", "protocol": "lxd", "public": False}
        config = {"default-remote": "there", "remotes": {"there": remote}}
        (self._folder / "config.yml").write_text(json.dumps(config))

    def certificates(self):
        entries = json.loads(self._run("config", "trust", "list", "there:", "--format", "json"))
        return [entry["fingerprint"] for entry in entries]

    def remove(self, fingerprint):
        self._run("config", "trust", "remove", f"there:{fingerprint}")

    def _run(self, *arguments):
        environment = {"LXD_CONF": str(self._folder), "HOME": str(self._folder), "PATH": os.environ["PATH"]}
        done = subprocess.run(["lxc", *arguments], env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Refused(done.stderr.strip())
        return done.stdout


# Those that this machine has; lxc is wherever LXD is.
CLIENTS = [Lxc] if pylxd is None else [Pylxd, Lxc]
