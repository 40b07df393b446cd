# SPDX-License-Identifier: Apache-2.0
"""A pass over many standalone servers, three of which are dead, each in its own way."""

import contextlib

from measure import CHARM, TRANSPORTS, print_table

from juju import Juju
from lxd import Lxd, free_port, started
from peers import BlackHole, Hole
from pki import bundle, identity

SERVERS = 20  # the dead among them
DEAD_AT = (2, 9, 16)  # their places in the list


@contextlib.contextmanager
def fleet(credential):
    """The servers that live, and the URLs of all."""
    daemons = (Lxd(f"127.0.0.{31 + number}", debug=False) for number in range(SERVERS - 3))
    with started(daemons) as servers, BlackHole() as black_hole, Hole() as silent:
        for server in servers:
            server.trust(credential, "juju")
        urls = [server.url for server in servers]
        dead = [f"https://127.0.0.1:{free_port()}", black_hole.url, silent.url]
        for place, url in zip(DEAD_AT, dead):
            urls.insert(place, url)
        yield servers, urls


def measure_fleet(_options, credential):
    rows = {}
    with fleet(credential) as (servers, urls), contextlib.ExitStack() as stack:
        config = {
            "lxd_client_cert": credential.certificate,
            "lxd_client_key": credential.key,
            "lxd_server_cert": "".join(server.certificate for server in servers),
        }
        alive = ",".join(server.url for server in servers)
        for transport in TRANSPORTS:
            juju = stack.enter_context(Juju(CHARM, transport=transport))
            app = juju.deploy(config={**config, "lxd_endpoint": alive})
            relation = app.relate("builder")
            relation.join("builder/0")
            lists = {f"{len(servers)} alive": alive, "3 more, dead": ",".join(urls)}
            for which, endpoints in lists.items():
                app.configure(lxd_endpoint=endpoints)
                client = identity("builder")
                (cold,) = relation.publish("builder/0", client_certificates=bundle(client))
                (warm,) = app.update_status()
                served = sum(client.fingerprint in server.trust_store for server in servers)
                for what, hook in (("one to add", cold), ("nothing to do", warm)):
                    rows[f"{which}, {what}, {transport}"] = {
                        "wall ms": 1000 * hook.wall_seconds,
                        "CPU ms": 1000 * hook.own_cpu_seconds,
                        "peak KiB": hook.peak_rss_kib,
                        "served": served,
                    }
    print(f"\nfleet: {SERVERS} servers, one pass each\n")
    print_table({
        name: {title: f"{value:.0f}" for title, value in row.items()} for name, row in rows.items()
    })
    return rows
