# SPDX-License-Identifier: Apache-2.0
"""Chains, each with the verdict that is due and the reason: the table that tests/x509/run judges.

They are made anew at every run, out of DER written here, since most of them are what no library
would make. Every case varies one thing of a chain that is fine: a root, an intermediate, a leaf."""

import base64
import datetime
import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding

FILES = Path(__file__).resolve().parents[1] / "vectors/x509"
NOW = 1780000000  # 2026-05-28
HOST = "www.a.example"

# ---------------------------------------------------------------- DER


def tlv(tag, *content):
    content = b"".join(content)
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def seq(*content):
    return tlv(0x30, *content)


def integer(number):
    return tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))


def oid(text):
    first, second, *rest = [int(part) for part in text.split(".")]
    octets = bytes([first * 40 + second])
    for arc in rest:
        digits = [arc & 0x7F]
        while arc := arc >> 7:
            digits.append(arc & 0x7F | 0x80)
        octets += bytes(reversed(digits))
    return tlv(6, octets)


def attribute(value, tag=0x0C, kind="2.5.4.3"):
    return seq(oid(kind), tlv(tag, value if isinstance(value, bytes) else value.encode()))


def name(common_name, *more):
    """A Name: an organization, then this CN, unless it is made of the attributes in `more`."""
    parts = more or (attribute("Example", kind="2.5.4.10"), attribute(common_name))
    return seq(*[tlv(0x31, part) for part in parts])


def moment(seconds):
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    if when.year < 2050:
        return tlv(0x17, when.strftime("%y%m%d%H%M%SZ").encode())
    return tlv(0x18, when.strftime("%Y%m%d%H%M%SZ").encode())


# ---------------------------------------------------------------- extensions

SERVER, CLIENT, ANY_USAGE = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.5.29.37.0"
UNKNOWN = "1.3.6.1.4.1.55555.1"


def ext(kind, value, critical=False):
    return seq(oid(kind), tlv(1, b"\xff") if critical else b"", tlv(4, value))


def bc(ca=True, pathlen=None, critical=True):
    inner = (tlv(1, b"\xff") if ca else b"") + (b"" if pathlen is None else integer(pathlen))
    return ext("2.5.29.19", seq(inner), critical)


def ku(bits, critical=True):
    return ext("2.5.29.15", tlv(3, b"\0", bytes([bits])), critical)


DIGITAL_SIGNATURE, KEY_ENCIPHERMENT, CERT_SIGN, CRL_SIGN = 0x80, 0x20, 0x04, 0x02


def eku(*usages, critical=False):
    return ext("2.5.29.37", seq(*map(oid, usages)), critical)


def dns(text):
    return tlv(0x82, text if isinstance(text, bytes) else text.encode())


def ip(text):
    if "/" in text:
        net = ipaddress.ip_network(text)
        return tlv(0x87, net.network_address.packed, net.netmask.packed)
    return tlv(0x87, ipaddress.ip_address(text).packed)


def email(text):
    return tlv(0x81, text.encode())


def uri(text):
    return tlv(0x86, text.encode())


def directory(der):
    return tlv(0xA4, der)


def other_name():
    return tlv(0xA0, oid(UNKNOWN), tlv(0xA0, tlv(0x0C, b"x")))


def san(*names, critical=False):
    names = [dns(each) if isinstance(each, str) else each for each in names]
    return ext("2.5.29.17", seq(*names), critical)


def nc(permitted=(), excluded=(), critical=True, more=b""):
    def subtrees(tag, names):
        return tlv(tag, *[seq(each, more) for each in names]) if names else b""

    return ext("2.5.29.30", seq(subtrees(0xA0, permitted), subtrees(0xA1, excluded)), critical)


# ---------------------------------------------------------------- keys and signatures


def new_key(curve=ec.SECP256R1):
    return ec.generate_private_key(curve())


def rsa_key(bits):
    return serialization.load_pem_private_key((FILES / f"rsa-{bits}.key").read_bytes(), None)


def key_info(key):
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


NULL = tlv(5)
HASHES = {
    "sha1": (hashes.SHA1, "1.3.14.3.2.26", "1.2.840.113549.1.1.5", "1.2.840.10045.4.1"),
    "sha224": (
        hashes.SHA224,
        "2.16.840.1.101.3.4.2.4",
        "1.2.840.113549.1.1.14",
        "1.2.840.10045.4.3.1",
    ),
    "sha256": (
        hashes.SHA256,
        "2.16.840.1.101.3.4.2.1",
        "1.2.840.113549.1.1.11",
        "1.2.840.10045.4.3.2",
    ),
    "sha384": (
        hashes.SHA384,
        "2.16.840.1.101.3.4.2.2",
        "1.2.840.113549.1.1.12",
        "1.2.840.10045.4.3.3",
    ),
    "sha512": (
        hashes.SHA512,
        "2.16.840.1.101.3.4.2.3",
        "1.2.840.113549.1.1.13",
        "1.2.840.10045.4.3.4",
    ),
}


def pss_parameters(digest, salt, mask_digest=None, trailer=None):
    hash_identifier = seq(oid(HASHES[digest][1]), NULL)
    mask = seq(oid(HASHES[mask_digest or digest][1]), NULL)
    fields = [
        tlv(0xA0, hash_identifier),
        tlv(0xA1, seq(oid("1.2.840.113549.1.1.8"), mask)),
        tlv(0xA2, integer(salt)),
    ]
    return seq(*fields, b"" if trailer is None else tlv(0xA3, integer(trailer)))


RSASSA_PSS = "1.2.840.113549.1.1.10"


@dataclass
class Signer:
    """How an issuer signs: an AlgorithmIdentifier, and a function of what is to be signed."""

    algorithm: bytes
    sign: object


def ecdsa(key, digest="sha256", parameters=b""):
    kind, _, _, signature_oid = HASHES[digest]
    return Signer(seq(oid(signature_oid), parameters), lambda tbs: key.sign(tbs, ec.ECDSA(kind())))


def pkcs1(key, digest="sha256", parameters=NULL):
    kind, _, signature_oid, _ = HASHES[digest]
    return Signer(
        seq(oid(signature_oid), parameters), lambda tbs: key.sign(tbs, padding.PKCS1v15(), kind())
    )


def pss(key, digest="sha256", salt=None, mask_digest=None, trailer=None, parameters=None):
    kind = HASHES[digest][0]
    salt = kind().digest_size if salt is None else salt
    mask = padding.MGF1(HASHES[mask_digest or digest][0]())
    if parameters is None:
        parameters = pss_parameters(digest, salt, mask_digest, trailer)
    return Signer(
        seq(oid(RSASSA_PSS), parameters), lambda tbs: key.sign(tbs, padding.PSS(mask, salt), kind())
    )


def signer_of(key):
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return ecdsa(key)
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return Signer(seq(oid("1.3.101.112")), key.sign)
    return pkcs1(key)


# ---------------------------------------------------------------- certificates

DAY = 86400
EPOCH = datetime.datetime(1970, 1, 1)


@dataclass
class Certificate:
    der: bytes
    key: object
    subject: bytes
    info: bytes = b""


def key_identifiers(info, issuer_info):
    """subjectKeyIdentifier, authorityKeyIdentifier: OpenSSL wants them where it is strict."""
    own, by = (hashlib.sha256(each).digest()[:20] for each in (info, issuer_info))
    return [ext("2.5.29.14", tlv(4, own)), ext("2.5.29.35", seq(tlv(0x80, by)))]


def make(
    subject,
    extensions,
    issuer=None,
    key=None,
    signer=None,
    version=3,
    start=NOW - 100 * DAY,
    end=NOW + 100 * DAY,
    info=None,
    serial=b"\x12\x34",
    issuer_name=None,
    outer=None,
    change=lambda signature: signature,
):
    """Self-signed without an issuer. subject is text, or a Name."""
    subject = name(subject) if isinstance(subject, str) else subject
    key = key or new_key()
    signer = signer or signer_of(issuer.key if issuer else key)
    info = info or key_info(key)
    if version == 3:
        issuer_info = issuer.info or key_info(issuer.key) if issuer else info
        extensions = [*extensions, *key_identifiers(info, issuer_info)]
    tbs = seq(
        tlv(0xA0, integer(version - 1)) if version > 1 else b"",
        tlv(2, serial),
        signer.algorithm,
        issuer_name or (issuer.subject if issuer else subject),
        seq(moment(start), moment(end)),
        subject,
        info,
        tlv(0xA3, seq(*extensions)) if extensions else b"",
    )
    signature = change(signer.sign(tbs))
    return Certificate(
        seq(tbs, outer or signer.algorithm, tlv(3, b"\0", signature)), key, subject, info
    )


CA_EXTENSIONS = (bc(), ku(CERT_SIGN | CRL_SIGN))


def ca(subject="Root", issuer=None, extensions=CA_EXTENSIONS, more=(), **options):
    return make(subject, [*extensions, *more], issuer, **options)


def leaf(issuer, *extensions, names=(HOST,), subject="node", **options):
    """With serverAuth and digitalSignature, unless there are other extensions than names."""
    extensions = extensions or (ku(DIGITAL_SIGNATURE), eku(SERVER))
    alternative = [san(*names)] if names else []
    return make(subject, [*extensions, *alternative], issuer, **options)


# ---------------------------------------------------------------- the table


@dataclass
class Case:
    name: str
    verdict: str
    reason: str
    pins: list
    chain: list
    host: str = HOST
    now: int = NOW
    # Where OpenSSL and Go agree on the other verdict: why ours is another one nevertheless.
    against_both: str = ""

    def line(self):
        def encode(certificates):
            return ",".join(
                base64.b64encode(getattr(each, "der", each)).decode() for each in certificates
            )

        return f"{self.name} {self.host} {self.now} {encode(self.pins)} {encode(self.chain)}\n"


class Table:
    def __init__(self):
        self.cases = []
        self.root = ca()
        self.intermediate = ca("Intermediate", self.root)
        self.leaf = leaf(self.root)

    def add(self, label, verdict, reason, chain, pins=None, **options):
        pins = [self.root] if pins is None else pins
        self.cases.append(Case(label, verdict, reason, pins, chain, **options))

    def accept(self, label, reason, chain, pins=None, **options):
        self.add(label, "accept", reason, chain, pins, **options)

    def refuse(self, label, reason, chain, pins=None, **options):
        self.add(label, "refuse", reason, chain, pins, **options)

    def of_ca(self, label, verdict, reason, extensions, **options):
        """The same fault once in the pinned CA, once in an intermediate."""
        root = ca("Root of its own", extensions=extensions, **options)
        self.add(f"{label}:pinned", verdict, reason, [leaf(root)], [root])
        between = ca("Intermediate", self.root, extensions=extensions, **options)
        self.add(f"{label}:intermediate", verdict, reason, [leaf(between), between])


def basic_constraints(t):
    t.accept("plain", "a leaf of the root", [t.leaf])
    t.accept("plain:root-sent", "the root comes with it", [t.leaf, t.root])
    t.accept("plain:intermediate", "three", [leaf(t.intermediate), t.intermediate])
    t.of_ca("ca:no-basic-constraints", "refuse", "RFC 5280 6.1.4 (k)", [ku(CERT_SIGN)])
    t.of_ca("ca:false", "refuse", "it says that it is no CA", [bc(False), ku(CERT_SIGN)])
    t.of_ca("ca:not-critical", "accept", "critical or not is the issuer's affair", [bc(critical=False)])
    t.of_ca("ca:no-key-usage", "accept", "none allows all", [bc()])
    t.of_ca("ca:key-usage-without-cert-sign", "refuse", "6.1.4 (n)", [bc(), ku(DIGITAL_SIGNATURE)])
    t.of_ca("ca:malformed-basic-constraints", "refuse", "no SEQUENCE", [ext("2.5.29.19", b"\x04\0")])
    root = make("Version 1", [], version=1)
    t.accept("v1:pinned", "version 1 has no way to say that it is a CA; pinned, it is believed", [leaf(root)], [root])
    old = make("Version 1", [], t.root, version=1)
    t.refuse("v1:intermediate", "nobody vouched for it as a CA", [leaf(old), old])
    t.refuse("v1:pinned-not-self-issued", "a version 1 certificate that a CA issued is a leaf", [leaf(old)], [old])
    t.refuse("v1:leaf", "it has no alternative names", [make("node", [], t.root, version=1)])


def path_lengths(t):
    def through(count, root, **options):
        chain = []
        for number in range(count):
            root = ca(f"Intermediate {number}", root, **options)
            chain.insert(0, root)
        return [leaf(root), *chain]

    for pathlen, count in ((0, 0), (0, 1), (1, 1), (1, 2), (5, 5), (5, 6)):
        root = ca(extensions=[bc(pathlen=pathlen), ku(CERT_SIGN)])
        t.add(f"pathlen:{pathlen}:{count}", "accept" if count <= pathlen else "refuse",
              f"{count} CAs below one that permits {pathlen}", through(count, root), [root])
    between = ca("Intermediate", t.root, extensions=[bc(pathlen=0), ku(CERT_SIGN)])
    t.refuse("pathlen:intermediate", "6.1.4 (m)", [*through(1, between), between])
    t.accept("pathlen:large", "more than anybody sends", [leaf(root := ca(extensions=[bc(pathlen=70000)]))], [root])
    t.refuse("pathlen:negative", "no number of certificates", [leaf(root := ca(extensions=[bc(pathlen=-1)]))], [root])
    root = ca(extensions=[bc(pathlen=0), ku(CERT_SIGN)])
    again = ca(issuer=root)
    t.accept("pathlen:self-issued", "self-issued CAs do not count (RFC 5280 4.2.1.9)", [leaf(again), again], [root])


def extended_key_usages(t):
    t.of_ca("eku:client", "refuse", "a CA for clients issues no server", [*CA_EXTENSIONS, eku(CLIENT)])
    t.of_ca("eku:server", "accept", "for servers", [*CA_EXTENSIONS, eku(SERVER)])
    t.of_ca("eku:both", "accept", "for servers as well", [*CA_EXTENSIONS, eku(CLIENT, SERVER)])
    t.of_ca("eku:any", "accept", "any is for servers as well", [*CA_EXTENSIONS, eku(ANY_USAGE)])
    t.of_ca("eku:critical", "accept", "critical: it is understood", [*CA_EXTENSIONS, eku(SERVER, critical=True)])
    t.of_ca("eku:critical-client", "refuse", "understood, and not for servers", [*CA_EXTENSIONS, eku(CLIENT, critical=True)])
    t.refuse("leaf:eku:client", "a client's", [leaf(t.root, eku(CLIENT))])
    t.accept("leaf:eku:critical", "understood", [leaf(t.root, eku(SERVER, critical=True))])
    t.refuse("leaf:eku:critical-client", "understood, a client's", [leaf(t.root, eku(CLIENT, critical=True))])
    t.accept("leaf:eku:any", "any is for servers as well", [leaf(t.root, eku(ANY_USAGE))])
    t.accept("leaf:eku:none", "none allows all", [leaf(t.root, ku(DIGITAL_SIGNATURE))])
    t.refuse("leaf:eku:unknown", "for something else", [leaf(t.root, eku(UNKNOWN))])
    t.accept("leaf:ku:none", "none allows all", [leaf(t.root, eku(SERVER))])
    t.refuse("leaf:ku:encipherment", "TLS 1.3 servers sign", [leaf(t.root, ku(KEY_ENCIPHERMENT), eku(SERVER))],
             against_both="the judges know nothing of the protocol; in TLS 1.3 such a key is good for nothing")
    t.refuse("leaf:ku:malformed", "an empty BIT STRING", [leaf(t.root, ext("2.5.29.15", tlv(3)))])
    t.accept("leaf:is-a-ca", "a CA may be a server", [leaf(t.root, bc(), ku(DIGITAL_SIGNATURE | CERT_SIGN))])
    t.accept("leaf:not-a-ca", "as most of them say", [leaf(t.root, bc(False), eku(SERVER))])


def extensions(t):
    unknown = ext(UNKNOWN, NULL, critical=True)
    t.of_ca("critical:unknown", "refuse", "nobody knows what it asks for", [*CA_EXTENSIONS, unknown])
    t.of_ca("not-critical:unknown", "accept", "may be ignored", [*CA_EXTENSIONS, ext(UNKNOWN, NULL)])
    t.of_ca("twice", "refuse", "RFC 5280 4.2", [*CA_EXTENSIONS, bc()])
    t.of_ca("twice:unknown", "refuse", "RFC 5280 4.2", [*CA_EXTENSIONS, ext(UNKNOWN, NULL), ext(UNKNOWN, NULL)])
    t.refuse("leaf:critical:unknown", "nobody knows what it asks for", [leaf(t.root, unknown)])
    t.accept("leaf:not-critical:unknown", "may be ignored", [leaf(t.root, ext(UNKNOWN, NULL))])
    t.refuse("leaf:twice", "RFC 5280 4.2", [leaf(t.root, san("b.example"))])
    policies = ext("2.5.29.32", seq(seq(oid("2.5.29.32.0"))), critical=True)
    t.of_ca("critical:policies", "accept", "we ask for no policy", [*CA_EXTENSIONS, policies])
    t.accept("leaf:critical:policies", "we ask for no policy", [leaf(t.root, policies)])
    points = ext("2.5.29.31", seq(seq(tlv(0xA0, tlv(0xA0, uri("http://a.example/crl"))))), critical=True)
    t.accept("leaf:critical:distribution-points", "both know it", [leaf(t.root, points)])
    t.of_ca("critical:inhibit-any-policy", "accept", "must be critical; we ask for no policy", [*CA_EXTENSIONS, ext("2.5.29.54", integer(0), critical=True)])
    t.of_ca("critical:policy-constraints", "accept", "we ask for no policy", [*CA_EXTENSIONS, ext("2.5.29.36", seq(tlv(0x80, b"\x05")), critical=True)])
    t.refuse("leaf:critical:netscape", "an old one, which only OpenSSL knows", [leaf(t.root, ext("2.16.840.1.113730.1.1", tlv(3, b"\x06\x40"), critical=True))])
    t.refuse("leaf:san:malformed", "an octet is missing", [leaf(t.root, ext("2.5.29.17", b"\x30\x05\x82\x05a.ex"), names=())])
    t.accept("leaf:san:critical", "must be, where the subject is empty", [leaf(t.root, san(HOST, critical=True), names=(), subject=seq())])
    t.refuse("leaf:many", "more extensions than anybody has", [leaf(t.root, *[ext(f"{UNKNOWN}.{number}", NULL) for number in range(65)])],
             against_both="a bound of ours")


def hosts(t):
    def host(label, verdict, reason, asked, *names, **options):
        t.add(f"host:{label}", verdict, reason, [leaf(t.root, names=names, **options)], host=asked)

    host("one-of-many", "accept", "the last of three", HOST, "b.example", "c.example", HOST)
    host("another", "refuse", "another name", HOST, "ww.a.example")
    host("case", "accept", "the case does not count", "WWW.a.EXAMPLE", "www.A.example")
    host("final-dot", "accept", "a final dot names the same host", HOST + ".", HOST)
    host("suffix", "refuse", "a domain is not its hosts", HOST, "a.example")
    host("prefix", "refuse", "it goes on", HOST, HOST + ".evil.example")
    host("nul", "refuse", "a NUL does not end it", HOST, HOST.encode() + b"\0.evil.example")
    host("common-name", "refuse", "never the common name", HOST, subject=HOST)
    host("common-name-beside", "refuse", "never the common name", HOST, "b.example", subject=HOST)
    host("none", "refuse", "no names at all", HOST)
    host("email", "refuse", "a mailbox is no host", HOST, email("root@" + HOST))
    host("uri", "refuse", "a URI is no host", HOST, uri("https://" + HOST))
    host("wildcard", "accept", "one label", HOST, "*.a.example")
    host("wildcard:case", "accept", "one label", "www.A.example", "*.a.EXAMPLE")
    host("wildcard:two-labels", "refuse", "one label, not two", "x.www.a.example", "*.a.example")
    host("wildcard:no-label", "refuse", "one label, not none", "a.example", "*.a.example")
    host("wildcard:top", "refuse", "too wide", "a.example", "*.example")
    host("wildcard:all", "refuse", "too wide", "localhost", "*")
    host("wildcard:part", "refuse", "the whole label only (RFC 9525 6.3)", HOST, "w*.a.example")
    host("wildcard:part-before", "refuse", "the whole label only", HOST, "*w.a.example")
    host("wildcard:middle", "refuse", "the left-most label only", HOST, "www.*.example")
    host("wildcard:two", "refuse", "one only", HOST, "*.*.example")
    host("wildcard:punycode", "accept", "a label as any other", "xn--bcher-kva.a.example", "*.a.example")
    host("wildcard:address", "refuse", "an address has no labels", "10.0.0.1", "*.0.0.1")
    host("short", "accept", "a name without dots", "node-1", "node-1")
    host("underscore", "accept", "as people name hosts", "my_node.a.example", "my_node.a.example")
    host("address", "accept", "byte by byte", "10.0.0.1", ip("10.0.0.1"))
    host("address:another", "refuse", "another one", "10.0.0.1", ip("10.0.0.2"))
    host("address:as-name", "refuse", "an address matches iPAddress alone", "10.0.0.1", "10.0.0.1")
    host("address:common-name", "refuse", "never the common name", "10.0.0.1", subject="10.0.0.1")
    host("address:6", "accept", "byte by byte", "fd00::1", ip("fd00::1"))
    host("address:6:long-form", "accept", "the form does not count", "fd00:0:0:0:0:0:0:1", ip("fd00::1"))
    host("address:6:another", "refuse", "another one", "fd00::1", ip("fd00::2"))
    host("address:6:of-4", "refuse", "another family", "10.0.0.1", tlv(0x87, bytes(10), b"\xff\xff", bytes([10, 0, 0, 1])))
    host("name:of-address", "refuse", "a name is no address", HOST, ip("10.0.0.1"))


def constraints(t):
    def of(label, verdict, reason, constraint, *names, host=HOST, **options):
        """Constraints of the pinned CA, and the names of a leaf."""
        root = ca("Root of its own", more=[constraint])
        t.add(f"nc:{label}", verdict, reason, [leaf(root, names=names or (HOST,), **options)], [root], host=host)

    def both(label, verdict, reason, *names, **constraint):
        of(label, verdict, reason, nc(**constraint), *names)
        of(f"{label}:not-critical", verdict, reason, nc(**constraint, critical=False), *names)

    both("dns:inside", "accept", "below it", permitted=[dns("a.example")])
    both("dns:itself", "accept", "it itself", permitted=[dns(HOST)])
    both("dns:outside", "refuse", "elsewhere", permitted=[dns("b.example")])
    both("dns:one-outside", "refuse", "every name counts", HOST, "b.example", permitted=[dns("a.example")])
    both("dns:excluded", "refuse", "excluded", permitted=[dns("example")], excluded=[dns("a.example")])
    both("dns:not-excluded", "accept", "excluded is another one", excluded=[dns("b.example")])
    of("dns:case", "accept", "the case does not count", nc([dns("A.Example")]))
    of("dns:label", "refuse", "whole labels only", nc([dns("w.a.example")]))
    of("dns:dot", "accept", "what is below the dot", nc([dns(".a.example")]))
    of("dns:dot-itself", "refuse", "not the domain itself", nc([dns(".a.example")]), "a.example", host="a.example")
    of("dns:empty", "accept", "all names are below the empty one", nc([dns("")]))
    of("dns:excluded-empty", "refuse", "all names are below the empty one", nc((), [dns("")]))
    of("dns:several", "accept", "one of the permitted is enough", nc([dns("b.example"), dns("a.example")]))
    of("dns:wildcard-inside", "accept", "all it stands for is inside", nc([dns("a.example")]), "*.a.example")
    of("dns:wildcard-outside", "refuse", "some it stands for is not", nc([dns(HOST)]), "*.a.example")
    of("dns:wildcard-excluded", "refuse", "it stands for the excluded one", nc((), [dns("ftp.a.example")]), "*.a.example")
    t.cases[-1].against_both = "Go before 1.24.11 and 1.25.5 accepts it as well: CVE-2025-61727"
    of("dns:other-kind", "accept", "only addresses are constrained", nc([ip("10.0.0.0/8")]))
    of("ip:inside", "accept", "in the network", nc([ip("10.0.0.0/8")]), ip("10.1.2.3"), host="10.1.2.3")
    of("ip:outside", "refuse", "another network", nc([ip("10.0.0.0/8")]), ip("11.1.2.3"), host="11.1.2.3")
    of("ip:excluded", "refuse", "excluded", nc((), [ip("10.0.0.0/8")]), ip("10.1.2.3"), host="10.1.2.3")
    of("ip:other-family", "refuse", "IPv4 alone is permitted", nc([ip("10.0.0.0/8")]), ip("fd00::1"), host="fd00::1")
    of("ip:6-inside", "accept", "in the network", nc([ip("fd00::/8")]), ip("fd00::1"), host="fd00::1")
    of("ip:6-excluded", "refuse", "excluded", nc((), [ip("fd00::/8")]), ip("fd00::1"), host="fd00::1")
    of("ip:malformed", "refuse", "seven bytes", nc([tlv(0x87, bytes(7))]))
    organization = tlv(0x31, attribute("Example", kind="2.5.4.10"))
    inside, outside = directory(seq(organization)), directory(name("", attribute("Other", kind="2.5.4.10")))
    of("directory:inside", "accept", "the subject is below it", nc([inside]))
    of("directory:outside", "refuse", "the subject is elsewhere; Go knows no such constraint", nc([outside]))
    of("directory:excluded", "refuse", "the subject is excluded", nc((), [inside]))
    of("directory:not-excluded", "accept", "another is excluded; Go refuses what it does not know", nc((), [outside]))
    of("directory:empty-subject", "accept", "there is no subject to judge", nc([outside], critical=True), subject=seq())
    of("directory:alternative", "refuse", "a name in subjectAltName counts", nc((), [outside]), HOST, directory(name("", attribute("Other", kind="2.5.4.10"))))
    of("email:none", "accept", "there is no mailbox to judge", nc([email("a.example")]))
    of("email:inside", "accept", "its host", nc([email("a.example")]), HOST, email("root@a.example"))
    of("email:outside", "refuse", "another host", nc([email("a.example")]), HOST, email("root@b.example"))
    of("email:mailbox", "accept", "this mailbox", nc([email("root@a.example")]), HOST, email("root@A.example"))
    of("email:excluded", "refuse", "this mailbox", nc((), [email("root@a.example")]), HOST, email("root@a.example"))
    of("email:below", "accept", "a host below it", nc([email(".a.example")]), HOST, email("root@x.a.example"))
    of("uri:inside", "accept", "its host", nc([uri("a.example")]), HOST, uri("https://a.example:8443/x"))
    of("uri:outside", "refuse", "another host", nc([uri("a.example")]), HOST, uri("https://b.example/a.example"))
    of("uri:user", "refuse", "what comes before @ is no host", nc([uri("a.example")]), HOST, uri("https://a.example@b.example/"))
    of("uri:below", "accept", "a host below it", nc([uri(".a.example")]), HOST, uri("https://x.a.example"))
    of("uri:address", "refuse", "an address has no domain", nc([uri("a.example")]), HOST, uri("https://[fd00::1]/"))
    of("other:critical", "refuse", "a kind that is not known", nc([other_name()]))
    of("other:not-critical", "accept", "there is no such name", nc([other_name()], critical=False))
    of("other:named", "refuse", "such a name cannot be judged", nc((), [other_name()], critical=False), HOST, other_name())
    of("registered-id", "refuse", "a kind that is not known", nc([tlv(0x88, b"\x2a\x03")]))
    of("empty", "refuse", "RFC 5280 4.2.1.10: not empty", ext("2.5.29.30", seq(), critical=True))
    of("malformed", "refuse", "no SEQUENCE", ext("2.5.29.30", b"\x04\0", critical=True))
    of("minimum", "refuse", "has no use (4.2.1.10)", nc([dns("a.example")], more=tlv(0x80, b"\x01")))
    of("common-name", "accept", "a common name is no host, and none is judged by it", nc([dns("a.example")]), subject="evil.example")

    narrow = ca("Intermediate", t.root, more=[nc([dns("b.example")])])
    t.refuse("nc:intermediate", "an intermediate's count as well", [leaf(narrow), narrow])
    root = ca("Root of its own", more=[nc([dns("b.example")])])
    between = ca("Intermediate", root)
    t.refuse("nc:two-below", "they go for all that is below", [leaf(between), between], [root])
    root = ca("Root of its own", more=[nc([inside])])
    between = ca(seq(tlv(0x31, attribute("Outside"))), root)
    t.refuse("nc:names-of-ca", "an intermediate's subject counts; Go knows no such constraint", [leaf(between), between], [root])
    root = ca("Root of its own", more=[nc((), [directory(name("Root of its own"))])])
    again = ca("Root of its own", root)
    t.accept("nc:self-issued", "a self-issued CA's do not (6.1.3 b)", [leaf(again), again], [root])
    odd = leaf(t.root, nc([dns("b.example")]), eku(SERVER))
    t.accept("nc:of-the-leaf", "a leaf constrains nobody", [odd])
    names = [f"n{number}.a.example" for number in range(150)]
    many = nc([dns("a.example")] + [dns(f"x{number}.example") for number in range(99)])
    of("too-many", "refuse", "15,000 comparisons", many, HOST, *names, )
    t.cases[-1].against_both = "a bound of ours"
    of("many", "accept", "5,000 comparisons", many, HOST, *names[:49])


def paths(t):
    between, far = t.intermediate, ca("Far", t.intermediate)
    stranger, expired = ca("Stranger"), ca("Intermediate", t.root, key=between.key, end=NOW - DAY)
    own, deep = leaf(between), leaf(far)
    t.accept("path:reversed", "any order", [deep, between, far])
    t.accept("path:root-between", "any order", [deep, t.root, far, between])
    t.accept("path:leaf-twice", "any order", [own, own, between])
    t.accept("path:strangers", "what does not belong is passed over", [own, stranger, t.leaf, leaf(stranger), between])
    t.accept("path:expired-first", "a path that fails gives way", [own, expired, between])
    t.accept("path:expired-last", "a path that fails gives way", [own, between, expired])
    t.refuse("path:expired-only", "no other is there", [own, expired])
    t.refuse("path:missing", "an intermediate is missing", [deep, between])
    t.accept("path:pinned-intermediate", "what is pinned is an anchor", [deep, far], [between])
    t.accept("path:pinned-both", "either is an anchor", [deep, far, between], [between, t.root])
    t.accept("path:pinned-many", "among others", [own, between], [stranger, ca("Other"), t.root])
    t.refuse("path:no-pin", "another root", [own, between], [stranger])
    t.refuse("path:namesake", "the same name, another key", [t.leaf], [ca()])
    t.refuse("path:namesake-sent", "the same name, another key", [leaf(root := ca()), root])
    t.accept("path:namesakes", "one of them signed it", [leaf(between), ca("Intermediate", t.root), between, ca("Intermediate", t.root)])
    old = ca("Old root")
    crossed = ca("Root", old, key=t.root.key)
    t.accept("path:cross-signed", "by the old root", [t.leaf, crossed], [old])
    t.accept("path:cross-signed-both", "the one path is not pinned, the other is", [own, crossed, between], [t.root])
    t.accept("path:cross-signed-pinned-old", "through the root's other certificate", [own, between, t.root, crossed], [old])
    forbidden = ca("Intermediate", t.root, key=between.key, more=[nc([dns("b.example")])])
    t.accept("path:constrained-first", "a path that fails gives way", [own, forbidden, between])
    no_ca = ca("Intermediate", t.root, extensions=[bc(False)], key=between.key)
    t.accept("path:no-ca-first", "a path that fails gives way", [own, no_ca, between])
    key_a, key_b = new_key(), new_key()
    a_by_b = make("A", [*CA_EXTENSIONS], Certificate(b"", key_b, name("B")), key=key_a)
    b_by_a = make("B", [*CA_EXTENSIONS], Certificate(b"", key_a, name("A")), key=key_b)
    t.refuse("path:loop", "two that issued each other lead nowhere", [leaf(a_by_b), a_by_b, b_by_a])
    a_by_root = ca("A", t.root, key=key_a)
    t.accept("path:loop-with-exit", "a loop and a way out", [leaf(b_by_a), b_by_a, a_by_b, a_by_root])
    chain, issuer = [], t.root
    for number in range(12):
        issuer = ca(f"Intermediate {number}", issuer)
        chain.append(issuer)
    t.accept("path:twelve", "long", [leaf(issuer), *chain])
    t.accept("path:malformed-stranger", "what is no certificate is passed over; a TLS client may give up", [own, b"\x30\0", between],
             against_both="the judges decode all before they verify; it does no harm")
    web = [make("Web", [*CA_EXTENSIONS], key=(key := new_key()))]
    web += [make("Web", [*CA_EXTENSIONS], web[0], key=key, serial=bytes([number + 1])) for number in range(14)]
    t.refuse("path:web", "of the same name and key all: 100 signatures, then no more", [leaf(web[0]), *web], [ca()])
    t.refuse("path:leaf-signs", "a leaf is no CA", [leaf(own), own, between])
    t.refuse("path:self-signed", "its own issuer", [leaf(None)], [t.root])


def dates(t):
    t.refuse("date:leaf-expired", "over", [leaf(t.root, end=NOW - 1)])
    t.accept("date:leaf-last-second", "the last second counts", [leaf(t.root, end=NOW)], )
    t.accept("date:leaf-first-second", "the first second counts", [leaf(t.root, start=NOW)])
    t.refuse("date:leaf-future", "not yet", [leaf(t.root, start=NOW + 1)])
    between = ca("Intermediate", t.root, start=NOW + 1)
    t.refuse("date:intermediate-future", "not yet", [leaf(between), between])
    pinned = "SPEC 7: what is pinned is accepted with a WARNING, leaf or CA"
    root = ca(end=NOW - 1)
    t.accept("date:pinned-expired", "expired, with a warning", [leaf(root)], [root], against_both=pinned)
    root = ca(start=NOW + 1)
    t.accept("date:pinned-future", "not yet, with a warning", [leaf(root)], [root], against_both=pinned)
    t.accept("date:2100", "GeneralizedTime", [leaf(t.root, end=4102444800)])


def keys(t):
    small, medium, large = rsa_key(1024), rsa_key(2048), rsa_key(4096)
    t.of_ca("key:rsa-1024", "refuse", "less than 2048 bits", CA_EXTENSIONS, key=small)
    t.of_ca("key:rsa-2048", "accept", "enough", CA_EXTENSIONS, key=medium)
    t.of_ca("key:rsa-4096", "accept", "the most", CA_EXTENSIONS, key=large)
    t.refuse("leaf:rsa-1024", "less than 2048 bits; Go leaves that to crypto/tls", [leaf(t.root, key=small)])
    t.accept("leaf:rsa-2048", "enough", [leaf(t.root, key=medium)])
    t.of_ca("key:p384", "accept", "P-384", CA_EXTENSIONS, key=new_key(ec.SECP384R1))
    t.of_ca("key:p521", "accept", "P-521", CA_EXTENSIONS, key=new_key(ec.SECP521R1))
    unsupported = "no key of this kind is offered in the hello, so no server has one"
    compressed = seq(seq(oid(EC_PUBLIC_KEY), oid(PRIME256V1)), tlv(3, b"\0", compressed_point()))
    for label, info in {
        "rsa-5120": file_key_info("rsa-5120"),
        "ec-secp256k1": file_key_info("ec-secp256k1"),
        "ed25519": file_key_info("ed25519"),
        "ec-compressed": compressed,
    }.items():
        why = "BearSSL's RSA ends at 4096 bits" if label == "rsa-5120" else unsupported
        t.refuse(f"leaf:{label}", "not supported, and said by its name", [leaf(t.root, info=info)], against_both=why)
    signer = ed25519.Ed25519PrivateKey.generate()
    root = ca(key=signer)
    t.refuse("key:ed25519", "BearSSL has none, and the hello offers none", [leaf(root)], [root], against_both=unsupported)


EC_PUBLIC_KEY, PRIME256V1 = "1.2.840.10045.2.1", "1.2.840.10045.3.1.7"


def file_key_info(label):
    pem = (FILES / f"{label}.crt").read_bytes()
    return key_info(x509.load_pem_x509_certificate(pem))


def compressed_point():
    return new_key().public_key().public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
    )


def signatures(t):
    medium, point, wide = rsa_key(2048), new_key(), new_key(ec.SECP384R1)
    rsa_root, root, wide_root = ca(key=medium), ca(key=point), ca(key=wide)

    def by(label, verdict, reason, issuer, signer, **options):
        more = {name: options.pop(name) for name in ("against_both",) if name in options}
        t.add(f"signature:{label}", verdict, reason, [leaf(issuer, signer=signer, **options)], [issuer], **more)

    for digest in ("sha256", "sha384", "sha512"):
        by(f"ecdsa-{digest}", "accept", "any curve with any of the three", root, ecdsa(point, digest))
        by(f"ecdsa-p384-{digest}", "accept", "any curve with any of the three", wide_root, ecdsa(wide, digest))
        by(f"pkcs1-{digest}", "accept", "as CAs sign", rsa_root, pkcs1(medium, digest))
        by(f"pss-{digest}", "accept", "RFC 9846 9.1", rsa_root, pss(medium, digest))
    for digest in ("sha1", "sha224"):
        by(f"ecdsa-{digest}", "refuse", "too old; OpenSSL takes SHA-224", root, ecdsa(point, digest))
        by(f"pkcs1-{digest}", "refuse", "too old; OpenSSL takes SHA-224", rsa_root, pkcs1(medium, digest))
        by(f"pss-{digest}", "refuse", "too old; OpenSSL takes SHA-224", rsa_root, pss(medium, digest))
    by("pss-short-salt", "accept", "any salt; Go wants the hash's length", rsa_root, pss(medium, salt=20))
    by("pss-no-salt", "accept", "any salt; Go wants the hash's length", rsa_root, pss(medium, salt=0))
    by("pss-wrong-salt", "refuse", "another salt than stated", rsa_root, pss(medium, salt=20, parameters=pss_parameters("sha256", 32)))
    by("pss-trailer", "accept", "the default, stated", rsa_root, pss(medium, trailer=1))
    by("pss-trailer-2", "refuse", "no such trailer", rsa_root, pss(medium, trailer=2))
    by("pss-two-hashes", "refuse", "MGF1 with another hash; OpenSSL takes it", rsa_root, pss(medium, mask_digest="sha384"))
    by("pss-no-parameters", "refuse", "SHA-1 by default", rsa_root, pss(medium, parameters=b""))
    by("pss-as-pkcs1", "refuse", "says the other", rsa_root, Signer(pkcs1(medium).algorithm, pss(medium).sign))
    by("other-outside", "refuse", "not the same inside and outside", root, ecdsa(point), outer=ecdsa(point, "sha384").algorithm)
    by("wrong", "refuse", "a bit is wrong", root, ecdsa(point), change=lambda s: s[:-1] + bytes([s[-1] ^ 1]))
    by("wrong-rsa", "refuse", "a bit is wrong", rsa_root, pkcs1(medium), change=lambda s: s[:-1] + bytes([s[-1] ^ 1]))
    by("trailing", "refuse", "a byte too many", root, ecdsa(point), change=lambda s: s + b"\0")
    by("empty", "refuse", "nothing", root, ecdsa(point), change=lambda s: b"")
    by("zeros", "refuse", "r and s are not zero", root, ecdsa(point), change=lambda s: seq(integer(0), integer(0)))
    by("padded", "refuse", "not DER: s with a zero too many", root, ecdsa(point), change=pad_integer)
    by("by-another", "refuse", "another key", root, ecdsa(new_key()))
    by("another-kind", "refuse", "an RSA signature, an EC key", root, pkcs1(medium))

    typed = seq(seq(oid(RSASSA_PSS)), tlv(3, b"\0", rsa_numbers(medium)))
    pss_root = ca(key=medium, info=typed, signer=pss(medium))
    by("pss-key", "accept", "a CA's key for PSS alone; Go knows none", pss_root, pss(medium))
    by("pss-key-pkcs1", "refuse", "not for PKCS#1", pss_root, pkcs1(medium))
    t.refuse("leaf:pss-key", "the hello does not offer rsa_pss_pss", [leaf(t.root, info=typed)], against_both="the hello does not offer rsa_pss_pss, so no server has one")


def pad_integer(signature):
    """Put a zero in front of the last INTEGER."""
    first = 4 + signature[3]
    number = signature[first + 2 :]
    return seq(signature[2:first], tlv(2, b"\0", b"\0" if number[0] & 0x80 else b"", number))


def rsa_numbers(key):
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)


def distinguished_names(t):
    def named(label, verdict, reason, ours, theirs):
        root = ca(ours)
        t.add(f"name:{label}", verdict, reason, [leaf(root, issuer_name=theirs)], [root])

    canonical = "RFC 5280 7.1, and OpenSSL; Go compares bytes"
    named("kind", "accept", canonical, name("", attribute("Corp CA")), name("", attribute("Corp CA", 0x13)))
    named("case", "accept", canonical, name("", attribute("Corp CA")), name("", attribute("CORP ca")))
    named("blanks", "accept", canonical, name("", attribute("Corp CA")), name("", attribute("  Corp   CA ")))
    named("bmp", "accept", canonical, name("", attribute("Corp CA")), name("", attribute("Corp CA".encode("utf-16-be"), 0x1E)))
    named("latin-1", "accept", canonical, name("", attribute("Zo\u00eb")), name("", attribute(b"Zo\xeb", 0x14)))
    named("universal", "accept", canonical, name("", attribute("\u4e16")), name("", attribute("\u4e16".encode("utf-32-be"), 0x1C)))
    named("no-blank", "refuse", "one word is not two", name("", attribute("Corp CA")), name("", attribute("CorpCA")))
    named("accent", "refuse", "only ASCII letters have cases", name("", attribute("Zo\u00eb")), name("", attribute("Zo\u00cb")))
    named("longer", "refuse", "it goes on", name("", attribute("Corp CA")), name("", attribute("Corp CA 2")))
    named("more", "refuse", "another part", name("", attribute("Corp CA")), name("", attribute("Corp CA"), attribute("x", kind="2.5.4.11")))
    named("less", "refuse", "a part is missing", name("Corp CA"), name("", attribute("Corp CA")))
    named("order", "refuse", "the order counts", name("", attribute("a"), attribute("b", kind="2.5.4.11")), name("", attribute("b", kind="2.5.4.11"), attribute("a")))
    named("type", "refuse", "another attribute", name("", attribute("a")), name("", attribute("a", kind="2.5.4.11")))
    named("not-text", "refuse", "a number is no text", name("", attribute("a")), name("", attribute(b"a", 0x02)))


def pins(t):
    other = leaf(t.root)
    t.accept("pin:leaf", "byte by byte, whatever else it is", [t.leaf], [t.leaf], host="b.example", against_both="SPEC 7: the names of a pinned leaf are not asked")
    expired = leaf(None, end=NOW - 1)
    t.accept("pin:leaf-expired", "with a warning", [expired], [expired], against_both="SPEC 7: expired but pinned")
    t.refuse("pin:other-leaf", "another one", [other], [t.leaf])
    bundled = "SPEC 7: the leaf in the bundle is the pin"
    t.accept("pin:bundle", "the leaf of fullchain.pem", [t.leaf, t.root], [t.leaf, t.root])
    t.refuse("pin:bundle-other", "another leaf of its CA", [other, t.root], [t.leaf, t.root], against_both=bundled)
    t.refuse("pin:bundle-reversed", "another leaf of its CA", [other, t.root], [t.root, t.leaf], against_both=bundled)
    own = leaf(t.intermediate)
    t.refuse("pin:bundle-of-three", "the root vouches for what vouched for the leaf", [other], [own, t.intermediate, t.root], against_both=bundled)
    t.accept("pin:bundle-and-ca", "a CA of nobody in it", [leaf(root := ca("Other")), t.root], [t.leaf, t.root, root])
    t.accept("pin:bundle-namesake", "the CA did not issue the leaf", [leaf(root := ca())], [t.leaf, root])


def oddities(t):
    t.accept("odd:serial-0", "a number", [leaf(t.root, serial=b"\0")])
    t.accept("odd:serial-long", "40 bytes; not RFC 5280's 20", [leaf(t.root, serial=b"\x01" * 40)])
    t.accept("odd:version-2", "Go reads no extensions of it", [leaf(t.root, version=2)])
    t.accept("odd:ecdsa-null", "NULL parameters, which should not be there", [leaf(t.root, signer=ecdsa(t.root.key, parameters=NULL))])
    rsa_root = ca(key=rsa_key(2048))
    t.accept("odd:rsa-no-null", "no parameters, where NULL should be", [leaf(rsa_root, signer=pkcs1(rsa_root.key, parameters=b""))], [rsa_root])


def table():
    t = Table()
    for part in (basic_constraints, path_lengths, extended_key_usages, extensions, hosts, constraints,
                 paths, dates, keys, signatures, distinguished_names, pins, oddities):
        part(t)
    return t.cases
