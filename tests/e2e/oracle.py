# SPDX-License-Identifier: Apache-2.0
"""What has to be in the trust stores and in the databags once all is quiet: the specification of
the interface, worked out from what requirers published and administrators did.

It shares nothing with the charm and parses nothing: a publication is made from parts whose meaning
is known beforehand.
"""

import json
from dataclasses import dataclass

PEM_OF_NOTHING = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

# Values of client_certificates that are no list, and members of one that are no certificate.
NO_LISTS = ["no JSON", "{}", '"text"', "17", "null", "[", "[]]"]
NO_PEM = ["text", PEM_OF_NOTHING, PEM_OF_NOTHING.replace("A", "!")]
NO_CERTIFICATES = [17, None, [], {}, "", *NO_PEM]


@dataclass(frozen=True, order=True)
class Wish:
    """A certificate as it is asked for."""

    fingerprint: str
    text: str


@dataclass(frozen=True)
class Publication:
    """What a remote unit or application has in its databag, and what that means."""

    settings: dict
    wishes: tuple = ()
    complaints: tuple = ()  # how the reasons of rejections begin that are about no certificate


NOTHING = Publication({})


def ask(member, parts, version=None):
    """A publication of wishes and things that are no certificate."""
    values = [part.text if isinstance(part, Wish) else part for part in parts]
    settings = {"client_certificates": json.dumps(values)}
    if version is not None:
        settings["version"] = version
    if version is not None and not version.startswith("1."):
        return Publication(settings, complaints=(f"{member}: version ",))
    return Publication(
        settings,
        wishes=tuple(part for part in parts if isinstance(part, Wish)),
        complaints=tuple(
            f"{member}: certificate {number}: "
            for number, part in enumerate(parts, 1)
            if not isinstance(part, Wish)
        ),
    )


def ask_for_nonsense(member, value):
    """A publication that is no list."""
    return Publication({"client_certificates": value}, complaints=(f"{member}: client_cert",))


def ask_https(member, part, version="1.0"):
    """A publication on a relation of the endpoint https: a wish, something that is no certificate,
    or None."""
    settings = {} if version is None else {"version": version}
    if part is not None:
        settings["certificate"] = getattr(part, "text", part)
    if version == "2.0":
        return Publication(settings, complaints=(f"{member}: version ",))
    if isinstance(part, Wish):
        return Publication(settings, wishes=(part,))
    complaints = () if part is None else (f"{member}: certificate: ",)
    return Publication(settings, complaints=complaints)


def wished(publications):
    return sorted({wish for publication in publications for wish in publication.wishes})


def serves(entry):
    """May a client with this entry administer LXD?"""
    return entry is not None and entry["type"] == "client" and not entry["restricted"]


def fingerprints(wishes, foreign, refused):
    """The whole of a trust store: what is wished for and what others put there. LXD does not take
    what is refused."""
    return ({wish.fingerprint for wish in wishes} - refused) | set(foreign)


def trusted(wishes, entries):
    """Whom of the wishes a trust store lets in."""
    return sorted({wish.fingerprint for wish in wishes if serves(entries.get(wish.fingerprint))})


def databag(publications, sites):
    """Our databag on a relation. A site is a trust store's entries and its nodes, each a pair of
    endpoint and name. Reasons are cut to what must be in them."""
    wishes = wished(publications)
    nodes, accepted = [], {wish.fingerprint for wish in wishes}
    for entries, servers in sites:
        there = trusted(wishes, entries)
        accepted &= set(there)
        nodes += [{"endpoint": e, "name": n, "trusted_certs_fp": there} for e, n in servers]
    bag = {
        "version": "1.0",
        "nodes": sorted(nodes, key=lambda node: node["endpoint"]),
        "registered_certificates": [w.text for w in wishes if w.fingerprint in accepted],
    }
    complaints = [text for publication in publications for text in publication.complaints]
    refused = {wish.fingerprint for wish in wishes} - accepted
    if complaints or refused:
        bag["rejected_certificates"] = sorted(complaints) + sorted(refused)
    return bag


def https_databag(publications, entries, server, addresses):
    """What is said on a relation of the endpoint https, of the first trust store."""
    if not trusted(wished(publications), entries):
        return {}
    return {
        "version": "1.0",
        "certificate": server.certificate,
        "certificate_fingerprint": server.fingerprint,
        "addresses": ",".join(addresses),
    }


def cut_reasons(bag, publications):
    """A databag that the charm wrote, in the form of databag()."""
    if "rejected_certificates" not in bag:
        return bag
    beginnings = [text for publication in publications for text in publication.complaints]
    rejected = bag["rejected_certificates"]
    refused = [entry["fingerprint"] for entry in rejected if "fingerprint" in entry]
    reasons = [entry["reason"] for entry in rejected if "fingerprint" not in entry]
    cut = [next(filter(reason.startswith, beginnings), reason) for reason in reasons]
    return {**bag, "rejected_certificates": sorted(cut) + sorted(refused)}
