# SPDX-License-Identifier: Apache-2.0
"""What the charm has to say, in the words and shapes of its interface."""

import contextlib
import http.client
import json
import ssl
import tempfile
from pathlib import Path

from lxd import SOFTWARE

MAX_STATUS = 120  # characters; the log has the rest


def cut(sentence):
    """A sentence as a status has it."""
    return sentence if len(sentence) <= MAX_STATUS else f"{sentence[:MAX_STATUS - 3]}..."


def active(lxd, certificates, more=""):
    """The status of a unit that serves."""
    noun = "certificate" if certificates == 1 else "certificates"
    return ("active", cut(f"{certificates} {noun} trusted, {SOFTWARE} {lxd.version}, 1 node{more}"))


def entry_name(prefix, relation, client):
    """What the entry of a relation's certificate is called in the trust store."""
    return f"{prefix}.{relation.application}.{relation.number}.{client.fingerprint[:12]}"


def published(relation, unit=None):
    """What our unit says on a relation, with structured values parsed."""
    return parsed(relation.published(unit))


def parsed(bag):
    return {key: value if key == "version" else json.loads(value) for key, value in bag.items()}


def served(lxd, *identities, url=None):
    """The databag of a relation that has these certificates registered, and no others."""
    accepted = sorted(identities, key=lambda item: item.fingerprint)
    node = {
        "certificate": lxd.certificate,
        "endpoint": url or lxd.url,
        "name": lxd.server_name,
        "trusted_certs_fp": [item.fingerprint for item in accepted],
    }
    return {
        "version": "1.0",
        "nodes": [node],
        "registered_certificates": [item.certificate for item in accepted],
    }


def reachable(server, *trusted, addresses=None):
    """The databag of an https relation that has these certificates registered there, at least one,
    and none rejected."""
    return {
        "version": "1.0",
        "certificate": server.certificate,
        "certificate_fingerprint": server.fingerprint,
        "addresses": ",".join(addresses or [server.address]),
        "trusted_certs_fp": compact(sorted(client.fingerprint for client in trusted)),
    }


def compact(value):
    """JSON as the charm writes it."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def rejections(relation):
    """The reasons that a relation was given, by fingerprint ("" where it is no certificate)."""
    rejected = published(relation).get("rejected_certificates", [])
    return {entry.get("fingerprint", ""): entry["reason"] for entry in rejected}


def log_in(bag, client, number=0):
    """What LXD says of itself to a client that knows nothing but an https relation's databag: the
    metadata of GET /1.0."""
    context = ssl.create_default_context(cadata=bag["certificate"])
    context.check_hostname = False  # LXD's certificates have the host's name and loopback only
    with tempfile.TemporaryDirectory() as directory:
        context.load_cert_chain(*client.write(Path(directory), "client"))
    address = bag["addresses"].split(",")[number]
    connection = http.client.HTTPSConnection(address, context=context)
    with contextlib.closing(connection):
        connection.request("GET", "/1.0")
        return json.loads(connection.getresponse().read())["metadata"]
