# SPDX-License-Identifier: Apache-2.0
"""A trust store under test: whose entries are in it, what its LXD servers are up to."""

import collections
import contextlib
import time

from lifecycle import Lifecycle
from lxd import Lxd, LxdCluster, patiently

PROJECTS = ("blue", "green", "red")  # beside LXD's own "default"


class TrustStore:
    """That of a standalone LXD, or the one that the members of a cluster share.

    `foreign` are the entries that are not the charm's. Administrators' changes go through here, so
    that it is known at each moment, and LXD's own record of changes can be held against it.
    """

    def __init__(self, *members):
        self.members = members
        self.foreign = {}
        self.projects = {"default"}
        self._names = {member: member.server_name for member in members}
        self._listeners = {}
        self._changes = []
        self._guarded = None  # by fingerprint: [since, until] for each time that it was foreign
        self.reset()

    def close(self):
        while self._listeners:
            self._listeners.popitem()[1].close()

    def reset(self):
        """Back to an empty trust store; the members of a cluster trust each other, though."""
        self.close()
        self.mend()
        for fingerprint, entry in self.entries.items():
            if entry["type"] != "server":
                self.members[0].distrust(fingerprint)
        self.foreign, self._guarded = {}, collections.defaultdict(list)
        self.violations()
        for fingerprint in self.entries:
            self._adopt(fingerprint)
        there = self.members[0].request("GET", "/1.0/projects?recursion=1")
        self.projects = {project["name"] for project in there}
        for name in PROJECTS:
            self.set_project(name, True)

    # --- its servers ---

    @property
    def nodes(self):
        return [(member.url, self._names[member]) for member in self.members]

    @property
    def running(self):
        return [member for member in self.members if member.running]

    @property
    def whole(self):
        return len(self.running) == len(self.members)

    @property
    def lacks_member(self):
        """A cluster, and not all of it."""
        return 0 < len(self.running) < len(self.members)

    @property
    def entries(self):
        """All entries by fingerprint, None where nobody can be asked."""
        running = self.running
        return patiently(lambda: running[0].trust_store) if running else None

    def stop(self, member):
        """The server ends at once; perhaps it has already."""
        member.stop()
        self._changes += self._listeners[member].rest()
        self._listeners.pop(member).close()

    def mend(self):
        """All servers run, and answer."""
        for member in self.members:
            if not member.running:
                member.start()
            if member not in self._listeners:
                self._listeners[member] = patiently(lambda: Lifecycle(member))
            patiently(lambda: member.trust_store)

    # --- what administrators do; a server runs ---

    def add(self, identity, name, **fields):
        """An entry that is foreign from now on, whose ever it was."""
        if identity.fingerprint in self.entries:
            self.remove(identity.fingerprint)
        self.running[0].trust(identity, name, **fields)
        self._adopt(identity.fingerprint)

    def plant(self, identity, name):
        """An entry that counts as the charm's by its name."""
        self.running[-1].trust(identity, name)

    def set_project(self, name, there):
        """The project comes, or goes: LXD takes it out of its entries' lists by itself."""
        if there and name not in self.projects:
            self.running[0].request("POST", "/1.0/projects", {"name": name})
            self.projects.add(name)
        elif not there and name in self.projects:
            self.running[0].request("DELETE", f"/1.0/projects/{name}")
            self.projects.remove(name)
            for entry in self.foreign.values():
                entry["projects"] = [each for each in entry["projects"] or () if each != name]

    def rename(self, fingerprint, name):
        """The entry is foreign from now on."""
        path = f"/1.0/certificates/{fingerprint}"
        self.running[-1].request("PATCH", path, {"name": name})
        self._adopt(fingerprint)

    def remove(self, fingerprint):
        if self.foreign.pop(fingerprint, None):
            self._guarded[fingerprint][-1][1] = time.time()
        self.running[-1].distrust(fingerprint)

    def _adopt(self, fingerprint):
        self.foreign[fingerprint] = self.entries[fingerprint]
        self._guarded[fingerprint].append([time.time(), float("inf")])

    # --- what LXD says happened ---

    def violations(self):
        """What the charm did to foreign entries, by LXD's account since the last call."""
        for listener in self._listeners.values():
            self._changes += patiently(listener.changes)
        changes, self._changes = self._changes, []
        return [change for change in changes if change.protocol == "tls" and self._guards(change)]

    def _guards(self, change):
        moments = self._guarded.get(change.fingerprint, [])
        return any(since < change.time < until for since, until in moments)


@contextlib.contextmanager
def one_server():
    with Lxd(debug=False) as lxd:
        yield from serve([TrustStore(lxd)])


@contextlib.contextmanager
def two_servers():
    with Lxd(debug=False) as first, Lxd(debug=False) as second:
        yield from serve([TrustStore(first), TrustStore(second)])


@contextlib.contextmanager
def cluster():
    with LxdCluster() as running:
        # Who led the cluster and comes back is "Offline" to all, itself too, until it has sent a
        # heartbeat. So nobody ever is.
        running.members[0].set_config("cluster.offline_threshold", "3600")
        yield from serve([TrustStore(*running.members)])


def serve(stores):
    try:
        yield stores
    finally:
        for store in stores:
            store.close()


TOPOLOGIES = {"server": one_server, "servers": two_servers, "cluster": cluster}
