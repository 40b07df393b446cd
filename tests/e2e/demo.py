#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the charm at work: a throw-away LXD, a relation, a client that gets in and out again."""

import json
import os
import sys

from expectations import active, published, served
from juju import Juju, lxd_cloud
from lxd import Lxd
from pki import Identity, bundle, identity


class Demo:
    """Plays the moves and checks each outcome."""

    def __init__(self, juju, lxd):
        self._juju = juju
        self._lxd = lxd
        self._checks = 0

    def run(self):
        """Returns how many checks were made."""
        administrator = identity("juju")
        self._lxd.trust(administrator, "juju")
        cloud = lxd_cloud(self._lxd.url, administrator, self._lxd.certificate)
        app = self._juju.deploy(cloud=cloud)
        self._deployed(app)
        self._trusted(app)
        relation = app.relate("builder")
        client = identity("builder")
        self._joined(app, relation, client)
        self._withdrawn(app, relation, client)
        self._published_again(app, relation)
        self._broken(app, relation)
        return self._checks

    def _deployed(self, app):
        headline("juju deploy lxd-integrator", app.units[0].hooks)
        self._show(app)
        self._check(app.units[0].status[0] == "blocked")

    def _trusted(self, app):
        headline("juju trust lxd-integrator", app.trust())
        self._show(app)
        self._show_trust_store()
        self._check(app.units[0].status == active(self._lxd, 0))

    def _joined(self, app, relation, client):
        hooks = relation.join("builder/0", client_certificates=bundle(client), version="1.0")
        headline("juju relate lxd-integrator:api builder:lxd", hooks)
        show_databag("builder/0", relation.settings["builder/0"])
        show_databag("lxd-integrator/0", relation.published())
        self._show(app)
        self._show_trust_store()
        self._check(published(relation) == served(self._lxd, client))
        self._check(self._logs_in(client))

    def _withdrawn(self, app, relation, client):
        hooks = relation.publish("builder/0", client_certificates="[]")
        headline("builder/0 withdraws its certificate", hooks)
        self._show(app)
        self._check(not self._logs_in(client))
        self._check(published(relation) == served(self._lxd))

    def _published_again(self, app, relation):
        client = identity("builder")
        hooks = relation.publish("builder/0", client_certificates=bundle(client))
        headline("builder/0 asks with a new one", hooks)
        self._show(app)
        self._check(self._logs_in(client))

    def _broken(self, app, relation):
        headline("juju remove-relation lxd-integrator builder", relation.remove())
        self._show(app)
        self._show_trust_store()
        names = [entry["name"] for entry in self._lxd.trust_store.values()]
        self._check(names == ["juju"])

    def _logs_in(self, client):
        auth = self._lxd.auth(client)
        print(f"  builder/0 logs in  LXD says it is {auth}")
        return auth == "trusted"

    def _show(self, app):
        status, message = app.units[0].status
        print(f"  juju status        lxd-integrator/0 is {status}: {message}")

    def _show_trust_store(self):
        table = self._lxd.lxc("config", "trust", "list", "--format", "compact")
        show_block("lxc config trust list", table)

    def _check(self, good):
        self._checks += 1
        if not good:
            sys.exit("demo: this is not as it should be")


def headline(move, hooks):
    print(f"\n$ {move}")
    for hook in hooks:
        print(f"  hook               {hook.name}: exit status {hook.exit_code}")
        for line in hook.logged("INFO"):
            print(f"                     {line}")


def show_databag(owner, settings):
    shown = {key: abridged(value) for key, value in settings.items() if "-" not in key}
    lines = "\n".join(f"{key}: {value}" for key, value in sorted(shown.items()))
    show_block(f"databag of {owner}", lines)


def abridged(value):
    """JSON with its certificates as their first letters."""
    if "-----BEGIN" not in value:
        return value
    return json.dumps([f"{text[:27]}...{len(text)} bytes" for text in json.loads(value)])


def show_block(title, text):
    print(f"  {title}")
    for line in text.splitlines():
        print(f"    {line}".rstrip())


def main():
    charm = os.environ.get("LXD_INTEGRATOR_CHARM") or sys.exit("run ./build.sh demo")
    with Lxd() as lxd, Juju(charm) as juju:
        fingerprint = Identity(lxd.certificate, "").fingerprint
        print(f"A throw-away LXD {lxd.version} at {lxd.url}, certificate {fingerprint[:12]}...")
        checks = Demo(juju, lxd).run()
    print(f"\ndemo: the job is done as it should be ({checks} checks)")


if __name__ == "__main__":
    main()
