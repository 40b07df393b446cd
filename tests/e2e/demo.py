#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Shows the charm at work against a throw-away LXD: the main job, or with --cluster a cluster that
loses a member, or with --projects a client that tries to leave its project."""

import base64
import os
import re
import sys

from expectations import published, served
from juju import Juju, lxd_cloud
from lxd import Lxd, LxdCluster, settle
from pki import Identity, bundle, identity


class Play:
    """Moves of a charm on a Juju and an LXD, shown as they are made; each outcome is checked."""

    def __init__(self, juju, lxd):
        self.juju = juju
        self.lxd = lxd
        self.checks = 0

    def deploy(self, lxd=None):
        """The charm, trusted with the credential of an LXD cloud."""
        lxd = lxd or self.lxd
        administrator = identity("juju")
        lxd.trust(administrator, "juju")
        app = self.juju.deploy(cloud=lxd_cloud(lxd.url, administrator, lxd.certificate))
        headline("juju deploy lxd-integrator", app.units[0].hooks)
        self.show(app)
        self.check(app.units[0].status[0] == "blocked")
        headline("juju trust lxd-integrator", app.trust())
        self.show(app)
        self.check(app.units[0].status[0] == "active")
        return app

    def logs_in(self, client, lxd=None):
        lxd = lxd or self.lxd
        auth = lxd.auth(client)
        print(f"  builder/0 logs in  LXD at {lxd.url} says it is {auth}")
        return auth == "trusted"

    def show(self, app):
        status, message = app.units[0].status
        print(f"  juju status        lxd-integrator/0 is {status}: {message}")

    def show_trust_store(self, lxd=None):
        table = (lxd or self.lxd).lxc("config", "trust", "list", "--format", "compact")
        show_block("lxc config trust list", table)

    def check(self, good):
        self.checks += 1
        if not good:
            sys.exit("demo: this is not as it should be")


class MainJob(Play):
    """A relation, and a client that gets in and out again."""

    following = ("demo --cluster", "demo --projects")

    def run(self):
        app = self.deploy()
        self.show_trust_store()
        relation = app.relate("builder")
        client = identity("builder")
        self._joined(app, relation, client)
        self._withdrawn(app, relation, client)
        self._published_again(app, relation)
        self._broken(app, relation)

    def _joined(self, app, relation, client):
        hooks = relation.join("builder/0", client_certificates=bundle(client), version="1.0")
        headline("juju relate lxd-integrator:api builder:lxd", hooks)
        show_databag("builder/0", relation.settings["builder/0"])
        show_databag("lxd-integrator/0", relation.published())
        self.show(app)
        self.show_trust_store()
        self.check(published(relation) == served(self.lxd, client))
        self.check(self.logs_in(client))

    def _withdrawn(self, app, relation, client):
        hooks = relation.publish("builder/0", client_certificates="[]")
        headline("builder/0 withdraws its certificate", hooks)
        self.show(app)
        self.check(not self.logs_in(client))
        self.check(published(relation) == served(self.lxd))

    def _published_again(self, app, relation):
        client = identity("builder")
        hooks = relation.publish("builder/0", client_certificates=bundle(client))
        headline("builder/0 asks with a new one", hooks)
        self.show(app)
        self.check(self.logs_in(client))

    def _broken(self, app, relation):
        headline("juju remove-relation lxd-integrator builder", relation.remove())
        self.show(app)
        self.show_trust_store()
        names = [entry["name"] for entry in self.lxd.trust_store.values()]
        self.check(names == ["juju"])


class Cluster(Play):
    """Three members, of which one is lost: the one that the credential names."""

    following = ("demo", "demo --projects")

    def run(self):
        named, *others = self.lxd.members
        app = self.deploy(named)
        relation = app.relate("builder")
        client = identity("builder")
        hooks = relation.join("builder/0", client_certificates=bundle(client), version="1.0")
        headline("juju relate lxd-integrator:api builder:lxd", hooks)
        show_nodes(relation)
        self.show(app)
        self.check(all(self.logs_in(client, member) for member in self.lxd.members))
        named.stop()
        self._lost(app, relation, client, named, others)
        self._withdrawn(app, relation, client, others)
        self._back(app, relation, named)

    def _lost(self, app, relation, client, named, others):
        print(f"\nThe member at {named.url}, which the credential names, is lost.")
        hooks = app.update_status()
        headline("update-status, while the cluster still takes it for Online", hooks)
        self.show(app)
        settle(self.lxd, "Offline", "Online", "Online")
        headline("update-status, once the cluster calls it Offline", app.update_status())
        show_nodes(relation)
        self.show(app)
        told = [node["endpoint"] for node in published(relation)["nodes"]]
        self.check(told == [member.url for member in others])
        self.check(all(self.logs_in(client, member) for member in others))

    def _withdrawn(self, app, relation, client, others):
        hooks = relation.publish("builder/0", client_certificates="[]")
        headline("builder/0 withdraws its certificate meanwhile", hooks)
        self.show(app)
        self.check(not any(self.logs_in(client, member) for member in others))

    def _back(self, app, relation, named):
        named.start()
        settle(self.lxd, "Online", "Online", "Online")
        print(f"\nThe member at {named.url} is back.")
        headline("update-status", app.update_status())
        show_nodes(relation)
        self.show(app)
        self.check(len(published(relation)["nodes"]) == 3)


class Projects(Play):
    """A client that is restricted to a project, and tries to leave it."""

    following = ("demo", "demo --cluster")

    def run(self):
        for name in ("blue", "green"):
            self.lxd.request("POST", "/1.0/projects", {"name": name})
        print("It has the projects blue and green.")
        app = self.deploy()
        relation = app.relate("builder")
        client = identity("builder")
        hooks = relation.join(
            "builder/0", client_certificates=bundle(client), projects="blue", version="1.0"
        )
        headline("juju relate lxd-integrator:api builder:lxd", hooks)
        show_databag("builder/0", relation.settings["builder/0"])
        self.show(app)
        self.check(self.logs_in(client))
        self._tries(client)
        self._limited(app, relation, client)
        self._default(app, relation)

    def _tries(self, client):
        print("\nbuilder/0 tries to leave its project")
        own = f"/1.0/certificates/{client.fingerprint}"
        certificate = base64.b64encode(identity("other").der).decode()
        everything = {"type": "client", "name": "other", "certificate": certificate}
        self._try(client, "GET", "/1.0/instances?project=blue", 200)
        self._try(client, "GET", "/1.0/instances?project=green", 403)
        self._try(client, "GET", "/1.0/instances", 403)
        self._try(client, "GET", "/1.0/projects/green", 403)
        self._try(client, "PATCH", own, 403, {"restricted": False})
        self._try(client, "POST", "/1.0/certificates", 403, everything)
        self._try(client, "PUT", "/1.0", 403, {"config": {"core.https_address": "[::]:8443"}})

    def _try(self, client, method, path, expected, body=None):
        status = self.lxd.ask(client, method, path, body)
        shown = path.replace(client.fingerprint, f"{client.fingerprint[:12]}...")
        print(f"  {method:5} {shown:44} LXD says {status}")
        self.check(status == expected)

    def _limited(self, app, relation, client):
        headline("juju config lxd-integrator projects=green", app.configure(projects="green"))
        self.show(app)
        (rejection,) = published(relation)["rejected_certificates"]
        print(f"  builder/0 reads    {rejection['reason']}")
        self.check(not self.logs_in(client))

    def _default(self, app, relation):
        app.configure(projects=None)
        client = identity("builder")
        relation.publish("builder/0", client_certificates=bundle(client), projects=None)
        hooks = app.configure(**{"default-projects": "green"})
        headline("builder/0 names no project; juju config lxd-integrator default-projects=green", hooks)
        self.show(app)
        self._try(client, "GET", "/1.0/instances?project=green", 200)
        self._try(client, "GET", "/1.0/instances?project=blue", 403)


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
    """With each certificate as its first letters."""
    pem = "(-----BEGIN CERTIFICATE-----).*?-----END CERTIFICATE-----"
    return re.sub(pem, lambda found: f"{found[1]}...", value)


def show_block(title, text):
    print(f"  {title}")
    for line in text.splitlines():
        print(f"    {line}".rstrip())


def show_nodes(relation):
    told = "\n".join(f"{node['name']} {node['endpoint']}" for node in published(relation)["nodes"])
    show_block("nodes, in the databag of lxd-integrator/0", told)


PLAYS = {None: MainJob, "--cluster": Cluster, "--projects": Projects}

NEXT = """
What next?

    ./build.sh {}
    ./build.sh {}

With a Juju and an LXD of your own (README.md, "Deploy"):

    juju deploy {} lxd-integrator
    juju trust lxd-integrator          # not on an LXD cloud: see lxd_trust_token
    juju run lxd-integrator/leader check
    juju relate lxd-integrator:api my-charm:lxd
    juju run lxd-integrator/leader show

Without a Juju, with a client that your LXD trusts:

    {} probe --endpoint URL --cert client.crt --key client.key --server-cert server.crt"""


def main():
    charm = os.environ.get("LXD_INTEGRATOR_CHARM") or sys.exit("run ./build.sh demo")
    choice = sys.argv[1] if len(sys.argv) > 1 else None
    if choice not in PLAYS or len(sys.argv) > 2:
        sys.exit("demo takes --cluster or --projects, or nothing")
    clustered = choice == "--cluster"
    with LxdCluster() if clustered else Lxd() as lxd, Juju(charm) as juju:
        first = lxd.members[0] if clustered else lxd
        fingerprint = Identity(first.certificate, "").fingerprint
        what = "cluster of three LXDs" if clustered else "LXD"
        print(f"A throw-away {what} {first.version} at {first.url}, certificate {fingerprint[:12]}...")
        play = PLAYS[choice](juju, lxd)
        play.run()
    print(f"\ndemo: the job is done as it should be ({play.checks} checks)")
    binary = os.path.relpath(os.environ["LXD_INTEGRATOR_BINARY"])
    print(NEXT.format(*play.following, f"./{os.path.relpath(charm)}", f"./{binary}"))


if __name__ == "__main__":
    main()
