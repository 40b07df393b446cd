# SPDX-License-Identifier: Apache-2.0
"""What the charm has to say, in the words and shapes of its interface."""

import json


def active(lxd, certificates, more=""):
    """The status of a unit that serves."""
    noun = "certificate" if certificates == 1 else "certificates"
    return ("active", f"{certificates} {noun} trusted, LXD {lxd.version}, 1 node{more}")


def published(relation, unit=None):
    """What our unit says on a relation, with structured values parsed."""
    bag = relation.published(unit)
    return {key: value if key == "version" else json.loads(value) for key, value in bag.items()}


def served(lxd, *identities, url=None):
    """The databag of a relation that has these certificates registered, and no others."""
    accepted = sorted(identities, key=lambda item: item.fingerprint)
    node = {
        "endpoint": url or lxd.url,
        "name": lxd.server_name,
        "trusted_certs_fp": [item.fingerprint for item in accepted],
    }
    return {
        "version": "1.0",
        "nodes": [node],
        "registered_certificates": [item.certificate for item in accepted],
    }


def rejections(relation):
    """The reasons that a relation was given, by fingerprint ("" where it is no certificate)."""
    rejected = published(relation).get("rejected_certificates", [])
    return {entry.get("fingerprint", ""): entry["reason"] for entry in rejected}
