# SPDX-License-Identifier: Apache-2.0
"""Cases of looking up a name: the machine's files, what name servers know and how they misbehave,
and what comes of it, by charm/network.md's table and not by the code under test."""

import random
from dataclasses import dataclass, field

from servers import A, AAAA, CNAME, CODES

SERVERS = ("127.0.1.1", "127.0.1.2", "127.0.1.3")
CLOSED = "127.0.3.9"  # nobody listens there
DOMAINS = ("a.test", "b.test", "deep.er.test")
FINAL = {"nxdomain", "formerr"}
NEXT = {"servfail", "refused", "notimp", "lame", "silent", "truncated, no TCP", "closed"}
HARMLESS = ("", "", "", "", "truncated", "stranger first", "late")


@dataclass
class Case:
    number: int
    name: str = ""
    resolv_conf: str = ""
    hosts: str = ""
    host_name: str = "unit"
    servers: list = field(default_factory=list)
    candidates: list = field(default_factory=list)  # in order, with final dots
    records: dict = field(default_factory=dict)  # what the servers know
    spoil: dict = field(default_factory=dict)  # (server, name, type) -> how
    known: set = field(default_factory=set)  # in hosts
    no_aaaa: bool = False
    use_vc: bool = False
    attempts: int = 1

    def resolve(self):
        """The addresses that are to be found, the seconds it may take, and whether glibc does the
        same: it does not ask the next server for one family where the other has an answer, and
        ends the search for REFUSED, FORMERR, NOTIMP and silence, and at an alias that leads to no
        address; over TCP a stranger's answer before the good one can end the look-up."""
        seconds, same = 0, not (self.use_vc and "stranger first" in self.spoil.values())
        if self.known:
            return self.known, 0, True
        for number, name in enumerate(self.candidates):
            found, outcomes = set(), []
            slowest = 0
            for kind in (A,) if self.no_aaaa else (A, AAAA):
                addresses, outcome, wait = self._ask(name, kind)
                found |= addresses
                outcomes.append(outcome)
                slowest = max(slowest, wait)
            seconds += slowest
            if any(outcome != "plain" for outcome in outcomes):
                same &= len(set(outcomes)) == 1 and number == len(self.candidates) - 1
            if found:
                return found, seconds, same
            if any(kind == CNAME for kind, _ in self.records.get(name, [])):
                same &= number == len(self.candidates) - 1
        return set(), seconds, same

    def _ask(self, name, kind):
        """Addresses, in how far it went wrong ("plain": not at all), seconds."""
        went, seconds = [], 0
        for server in self.servers * self.attempts:
            how = "closed" if server == CLOSED else self.spoil.get((server, name, kind), "")
            if how in NEXT:
                went.append(how)
                seconds += how in ("silent", "truncated, no TCP")
                continue
            if how in FINAL:
                return set(), "formerr" if how == "formerr" else str(went) if went else "plain", seconds
            return self._look(name, kind), str(went) if went else "plain", seconds
        return set(), str(went), seconds

    def _look(self, name, kind):
        entries = self.records.get(name, [])
        for entry_kind, text in entries:
            if entry_kind == CNAME:
                return self._look(text, kind)
        return {text for entry_kind, text in entries if entry_kind == kind}


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def cases(self, count):
        for number in range(count):
            case = self._case(number)
            while case.resolve()[1] > 3:  # seconds: it would not end in time
                case = self._case(number)
            yield case

    def _chance(self, percent):
        return self.random.randrange(100) < percent

    def _case(self, number):
        case = Case(number)
        domains = self._resolv_conf(case)
        self._name(case, domains)
        self._records(case)
        self._spoil(case)
        self._hosts(case)
        return case

    # --- resolv.conf ---

    def _resolv_conf(self, case):
        pick, lines = self.random.choice, []
        case.servers = self.random.sample(SERVERS, pick((1, 1, 2, 3)))
        if self._chance(15):
            case.servers.insert(self.random.randrange(len(case.servers) + 1), CLOSED)
        for server in case.servers:
            lines.append(pick(("nameserver {}", "nameserver\t{}", "nameserver {} # comment", "nameserver {}  ")).format(server))
        lines += self.random.sample(
            ["; comment", "#nameserver 127.0.3.3", " nameserver 127.0.3.3", "nameserver 300.1.1.1", "nameserver",
             "Nameserver 127.0.3.3", "nameserver 127.0.3.3x", "sortlist 130.155.160.0/255.255.240.0", "", "what is this"],
            pick((0, 0, 1, 2)),
        )
        self.random.shuffle(lines)
        # The order of the servers is that of their lines; the first three count.
        case.servers = [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1
                        and line.split()[1] in (*SERVERS, CLOSED)][:3]
        domains = self._domains(case, lines)
        options = [f"timeout:1 attempts:{case.attempts}"]
        case.ndots = pick((1, 1, 1, 0, 2, 5))
        if case.ndots != 1:
            options.append(f"ndots:{case.ndots}")
        options += self.random.sample(["edns0", "trust-ad", "unknown:7", "single-request", "inet6"], pick((0, 1, 2)))
        if self._chance(8):
            options.append("no-aaaa")
            case.no_aaaa = True
        if self._chance(5):
            options.append("use-vc")
            case.use_vc = True
        self.random.shuffle(options)
        lines.insert(self.random.randrange(len(lines) + 1), "options " + " ".join(options))
        case.resolv_conf = "\n".join(lines) + pick(("\n", "\n", ""))
        return domains

    def _domains(self, case, lines):
        pick = self.random.choice
        kind = pick(("none", "host", "search", "search", "search", "domain", "both"))
        domains = []
        if kind == "host":
            case.host_name = f"unit.{DOMAINS[0]}"
            domains = [DOMAINS[0]]
        if kind in ("domain", "both"):
            domains = [pick(DOMAINS)]
            lines.append(f"domain {domains[0]}" + pick(("", "  ", " other.test")))
        if kind in ("search", "both"):
            domains = self.random.sample(DOMAINS, pick((1, 2, 3)))
            lines.append("search " + pick((" ", "\t", "   ")).join(domain + pick(("", ".")) for domain in domains))
        return domains

    # --- the name, and what it becomes ---

    def _name(self, case, domains):
        pick = self.random.choice
        label = f"n{case.number}"
        stem = pick((label, label, f"{label}.zone.test", f"{label}.zone.test", f"_{label}.local", f"{label}.x", f"{label}.a_b.test"))
        complete = self._chance(15)
        case.name = "".join(c.upper() if self._chance(10) else c for c in stem) + ("." if complete else "")
        searched = [f"{stem}.{domain}." for domain in domains]
        if complete:
            case.candidates = [f"{stem}."]
        elif stem.count(".") >= case.ndots:
            case.candidates = [f"{stem}.", *searched]
        else:
            case.candidates = [*searched, f"{stem}."]

    def _address(self, kind):
        if kind == A:
            return "10.%d.%d.%d" % tuple(self.random.randrange(1, 255) for _ in range(3))
        return "fd00::%x:%x" % (self.random.randrange(1, 65536), self.random.randrange(1, 65536))

    def _addresses(self):
        shape = self.random.choice(((1, 1), (1, 0), (1, 0), (0, 1), (3, 2), (6, 6)))
        return [(kind, self._address(kind)) for kind, count in zip((A, AAAA), shape) for _ in range(count)]

    def _records(self, case):
        for name in case.candidates:
            what = self.random.choice(("addresses", "addresses", "addresses", "alias", "nothing", "missing", "missing"))
            if what == "addresses":
                case.records[name] = self._addresses()
            elif what == "nothing":
                case.records[name] = []
            elif what == "alias":
                chain = [f"alias-{i}-{'long' * self.random.choice((0, 5, 12))}.of-{name}" for i in range(self.random.choice((1, 2, 7)))]
                for owner, target in zip([name, *chain], chain):
                    case.records[owner] = [(CNAME, target)]
                case.records[chain[-1]] = self._addresses()

    def _spoil(self, case):
        trouble = self.random.choice(("none", "harmless", "harmless", "codes", "codes", "silence"))
        hows = {
            "none": [""],
            "harmless": HARMLESS,
            "codes": [*CODES, "lame", *HARMLESS],
            "silence": ["silent", "truncated, no TCP", "servfail", *HARMLESS],
        }[trouble]
        for name in case.candidates:
            for server in SERVERS:
                both = self.random.choice(hows)
                for kind in (A, AAAA):
                    how = both if self._chance(60) else self.random.choice(hows)
                    if how:
                        case.spoil[server, name, kind] = how

    # --- hosts ---

    def _hosts(self, case):
        pick, lines = self.random.choice, ["127.0.0.1 localhost"]
        plain = case.name.rstrip(".")
        others = ["# comment", "", "10.9.9.9", "fe80::1%lo0 " + plain, "10.1 " + plain, f"10.9.9.9 x{plain}", f"10.9.9.9 {plain}.x",
                  f"10.9.9.9 other # {plain}", "nonsense"]
        lines += self.random.sample(others, pick((0, 1, 3)))
        if not case.name.endswith(".") and self._chance(20):
            for kind in self.random.choice(((A,), (AAAA,), (A, AAAA), (A, A), (A, A, AAAA))):
                address = self._address(kind)
                case.known.add(address)
                spelt = pick((plain, plain.upper(), plain.lower()))
                lines.append(pick(("{a} {n}", "{a}\t{n} other", "{a} other {n}", "  {a} {n} # comment", "{a} {n}#x")).format(a=address, n=spelt))
        if case.no_aaaa and any(":" in address for address in case.known):
            case.known = set(case.known)  # no-aaaa is about DNS
        self.random.shuffle(lines)
        case.hosts = "\n".join(lines) + pick(("\n", "\n", ""))
