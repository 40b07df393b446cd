# SPDX-License-Identifier: Apache-2.0
"""What has to be in the trust stores and in the databags once all is quiet, and what may never be
there: the specification of the interface, worked out from what requirers published and
administrators did.

It shares nothing with the charm and parses nothing: a publication is made from parts whose meaning
is known beforehand. What an entry opens is a frozenset of LXD's projects, or ALL of LXD.
"""

import collections
import json
from dataclasses import dataclass, replace

PEM_OF_NOTHING = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

# Values of client_certificates that are no list, and members of one that are no certificate.
NO_LISTS = ["no JSON", "{}", '"text"', "17", "null", "[", "[]]"]
NO_PEM = ["text", PEM_OF_NOTHING, PEM_OF_NOTHING.replace("A", "!")]
NO_CERTIFICATES = [17, None, [], {}, "", *NO_PEM]

ALL = None  # of LXD, without a restriction
NOTHING_OPEN = frozenset()


# --- what requirers ask for ---


@dataclass(frozen=True)
class Wish:
    """A certificate as it is asked for, and what it is to open."""

    fingerprint: str
    text: str
    projects: frozenset | None = ALL
    own_list: bool = False  # the member names projects itself
    end: float = float("inf")  # when the certificate expires


@dataclass(frozen=True)
class Publication:
    """What a remote unit or application has in its databag, and what that means."""

    settings: dict
    wishes: tuple = ()
    complaints: int = 0  # rejections that are about no certificate


NOTHING = Publication({})


def restrict(publication, projects):
    """The publication with a list of projects beside it."""
    wishes = (replace(w, projects=frozenset(projects), own_list=True) for w in publication.wishes)
    settings = {**publication.settings, "projects": ", ".join(projects)}
    return replace(publication, settings=settings, wishes=tuple(wishes))


def ask(_member, parts, version=None):
    """A publication of wishes and things that are no certificate."""
    values = [part.text if isinstance(part, Wish) else part for part in parts]
    settings = {"client_certificates": json.dumps(values)}
    if version is not None:
        settings["version"] = version
    if version is not None and not version.startswith("1."):
        return Publication(settings, complaints=1)
    wishes = tuple(part for part in parts if isinstance(part, Wish))
    return Publication(settings, wishes, complaints=len(parts) - len(wishes))


def ask_for_nonsense(_member, value):
    """A publication that is no list."""
    return Publication({"client_certificates": value}, complaints=1)


def ask_https(_member, part, version="1.0"):
    """A publication on a relation of the endpoint https: a wish, something that is no certificate,
    or None."""
    settings = {} if version is None else {"version": version}
    if part is not None:
        settings["certificate"] = getattr(part, "text", part)
    if version == "2.0":
        return Publication(settings, complaints=1)
    if isinstance(part, Wish):
        return Publication(settings, wishes=(part,))
    return Publication(settings, complaints=0 if part is None else 1)


def wishes_of(said, application):
    """All wishes of a relation, by what its members said. The application's list of projects serves
    for units that have none."""
    shared = said.get(application, NOTHING).settings.get("projects")
    wishes = []
    for publication in said.values():
        for wish in publication.wishes:
            if shared is not None and not wish.own_list:
                wish = replace(wish, projects=frozenset(shared.split(", ")))
            wishes.append(wish)
    return wishes


# --- what that entitles to ---


def within(projects, limit):
    """What is in both."""
    if projects is ALL:
        return limit
    return projects if limit is ALL else projects & limit


def union(several):
    """What they open together."""
    several = list(several)
    return ALL if ALL in several else frozenset().union(*several)


def covers(wide, narrow):
    return wide is ALL or (narrow is not ALL and narrow <= wide)


def entitled(wishes, limit, existing):
    """What each wished certificate is to open, by fingerprint, where that is anything: its wishes
    together, each within the operator's limit, of the projects that there are."""
    by_fingerprint = collections.defaultdict(list)
    for wish in wishes:
        allowed = within(wish.projects, limit)
        by_fingerprint[wish.fingerprint].append(
            allowed if allowed is ALL else allowed & frozenset(existing)
        )
    opened = {fingerprint: union(parts) for fingerprint, parts in by_fingerprint.items()}
    return {fingerprint: opens for fingerprint, opens in opened.items() if opens != NOTHING_OPEN}


# --- what a trust store has ---


def opens(entry):
    """What a client with this entry may use."""
    if entry is None or entry["type"] != "client":
        return NOTHING_OPEN
    return frozenset(entry["projects"] or ()) if entry["restricted"] else ALL


def expected_entries(wishes, limit, store, refused):
    """What the charm's entries in a trust store have to open, by fingerprint. LXD does not take
    what is refused; an entry of somebody else's takes the place of one."""
    wanted = entitled(wishes, limit, store.projects)
    return {
        fingerprint: projects
        for fingerprint, projects in wanted.items()
        if fingerprint not in store.foreign and fingerprint not in refused
    }


def expired(wishes, now):
    return {wish.fingerprint for wish in wishes if wish.end <= now}


def judged(wishes, limit, store, entries, now):
    """Which of a relation's certificates a trust store lets in, and of which something was asked
    for that the operator does not give or LXD does not open: two sets of fingerprints."""
    let_in, less = set(), set()
    for wish in wishes:
        allowed = within(wish.projects, limit)
        if allowed is not ALL:
            allowed &= frozenset(store.projects)
        entry = opens(entries.get(wish.fingerprint))
        usable = within(allowed, entry)
        ours = wish.fingerprint not in store.foreign
        useful = usable != NOTHING_OPEN and (ours or covers(entry, allowed))
        if wish.end > now and (useful or covers(entry, wish.projects)):
            let_in.add(wish.fingerprint)
        if not covers(within(limit, entry), wish.projects):
            less.add(wish.fingerprint)
    return let_in, less


# --- databags ---


def node_lists(bag):
    return {node["endpoint"]: (node["name"], node["trusted_certs_fp"]) for node in bag["nodes"]}


def faults_in_databag(bag, said, application, limit, sites, now, untold=NOTHING_OPEN):
    """What is wrong with our databag on a relation, in sentences. A site is a trust store and its
    entries. Untold are fingerprints of certificates that LXD refuses, and our unit may not know."""
    wishes = wishes_of(said, application)
    asked = {wish.fingerprint for wish in wishes}
    accepted, less, nodes = set(asked), set(), {}
    for store, entries in sites:
        let_in, partly = judged(wishes, limit, store, entries, now)
        accepted &= let_in
        less |= partly
        nodes.update({url: (name, sorted(let_in)) for url, name in store.nodes})
    registered = sorted(
        {(wish.fingerprint, wish.text) for wish in wishes if wish.fingerprint in accepted}
    )
    rejected = bag.get("rejected_certificates", [])
    about = {entry["fingerprint"] for entry in rejected if "fingerprint" in entry}
    nonsense = len([entry for entry in rejected if "fingerprint" not in entry])
    faults = []

    def compare(what, expected, actual):
        if expected != actual:
            faults.append(f"{what}: {actual}, not {expected}")

    compare("version", "1.0", bag.get("version"))
    compare("nodes", nodes, node_lists(bag) if "nodes" in bag else None)
    compare(
        "registered_certificates",
        [text for _, text in registered],
        bag.get("registered_certificates"),
    )
    refused = asked - accepted
    compare("rejected, though let in to all that was asked for", set(), about - less - refused)
    compare("rejected and not listed", set(), refused - about - untold)
    compare(
        "rejections about no certificate",
        sum(publication.complaints for publication in said.values()),
        nonsense,
    )
    if faults:
        faults.append(f"rejected: {rejected}")
        faults += [f"{member}: {said[member]}"[:3000] for member in said]
    return faults


def told_as_trusted(bag):
    """The certificates that a databag of ours tells as trusted, on either endpoint."""
    lists = [node["trusted_certs_fp"] for node in json.loads(bag.get("nodes", "[]"))]
    return set().union(*lists, json.loads(bag.get("trusted_certs_fp", "[]")))


def claims(bag):
    """What a databag says is trusted, at each endpoint."""
    return {node["endpoint"]: set(node["trusted_certs_fp"]) for node in bag.get("nodes", [])}


def faults_in_https_databag(bag, said, application, limit, site, server, addresses, now, untold):
    """What is wrong with the databag that tells of a server, in sentences. Rejections are as on
    the other endpoint."""
    store, entries = site
    wishes = wishes_of(said, application)
    let_in, less = judged(wishes, limit, store, entries, now)
    expected = {
        "version": "1.0",
        "certificate": server.certificate,
        "certificate_fingerprint": server.fingerprint,
        "addresses": ",".join(addresses),
        "trusted_certs_fp": json.dumps(sorted(let_in), separators=(",", ":")),
    }
    bag = dict(bag)
    rejected = json.loads(bag.pop("rejected_certificates", "[]"))
    about = {entry["fingerprint"] for entry in rejected if "fingerprint" in entry}
    nonsense = len([entry for entry in rejected if "fingerprint" not in entry])
    complaints = sum(publication.complaints for publication in said.values())
    refused = {wish.fingerprint for wish in wishes} - let_in
    faults = []
    if bag != (expected if let_in else {}):
        faults.append(f"{bag}, not {expected if let_in else {}}")
    if refused - about - untold or nonsense != complaints:
        faults.append(f"rejected: {rejected}, not {refused} and {complaints} others")
    return faults
