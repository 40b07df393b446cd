# SPDX-License-Identifier: Apache-2.0
"""A cluster is one trust store with several nodes."""

import pytest

from expectations import published
from juju import lxd_cloud
from lxd import LxdCluster
from pki import bundle, identity


@pytest.fixture(scope="module")
def cluster():
    with LxdCluster() as running:
        yield running


def test_every_member_is_a_node_and_admits_the_client(juju, cluster):
    administrator, client = identity(), identity()
    asked = cluster.members[1]
    asked.trust(administrator, "juju")
    cloud = lxd_cloud(asked.url, administrator, asked.certificate)
    app = juju.deploy(trust=True, cloud=cloud)
    relation = app.relate("builder")
    relation.join("builder/0", client_certificates=bundle(client))
    assert published(relation)["nodes"] == [
        {
            "endpoint": member.url,
            "name": cluster.name(number),
            "trusted_certs_fp": [client.fingerprint],
        }
        for number, member in enumerate(cluster.members)
    ]
    status = f"1 certificate trusted, LXD {asked.version}, 3 nodes"
    assert app.units[0].status == ("active", status)
    assert {member.auth(client) for member in cluster.members} == {"trusted"}
    relation.remove()
    assert {member.auth(client) for member in cluster.members} == {"untrusted"}
    assert len(asked.trust_store) == 1 + len(cluster.members)
