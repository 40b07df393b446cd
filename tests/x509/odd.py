# SPDX-License-Identifier: Apache-2.0
"""Certificates that are odd: legal ones which hardly anybody makes, and ones just beyond. Each is a
plain self-signed client's certificate in which one thing is another."""


from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, ed448, x25519

import chains
from chains import NULL, attribute, bc, ecdsa, eku, ext, integer, ku, name, new_key, oid, pkcs1, san, seq, tlv

KEY = new_key()
RSA = chains.rsa_key(2048)
START, END = b"200101000000Z", b"20990101000000Z"


def utc(text):
    return tlv(0x17, text.encode())


def generalized(text):
    return tlv(0x18, text.encode())


def certificate(label, **parts):
    """The parts of the TBSCertificate are DER each, by their names in RFC 5280."""
    key = parts.get("key", KEY)
    signer = parts.get("signer") or (ecdsa(key) if isinstance(key, ec.EllipticCurvePrivateKey) else pkcs1(key))
    # In every one another subject, so that each is another certificate.
    subject = parts.get("subject", name(f"odd {label}"))
    tbs = seq(
        parts.get("version", tlv(0xA0, integer(2))),
        parts.get("serial", integer(0x1234)),
        parts.get("inner", signer.algorithm),
        parts.get("issuer", subject),
        seq(parts.get("start", tlv(0x17, START)), parts.get("end", tlv(0x18, END))),
        subject,
        parts.get("info") or chains.key_info(key),
        parts.get("unique", b""),
        parts.get("extensions", tlv(0xA3, seq(bc(False), ku(0x80), eku(chains.CLIENT)))),
        parts.get("behind", b""),
    )
    signature = parts.get("signature") or tlv(3, b"\0", signer.sign(tbs))
    whole = seq(tbs, parts.get("outer", signer.algorithm), signature, parts.get("end_of_all", b""))
    return label, parts.get("whole", lambda der: der)(whole)


def dates():
    for label, text in {
        "utc:no-seconds": "2001010000Z",
        "utc:offset": "200101000000+0100",
        "utc:offset-west": "200101000000-0530",
        "utc:offset-no-seconds": "2001010000+0100",
        "utc:offset-zero": "200101000000+0000",
        "utc:offset-minus-zero": "200101000000-0000",
        "utc:offset-23": "200101000000+2359",
        "utc:offset-24": "200101000000+2400",
        "utc:offset-25": "200101000000+2500",
        "utc:offset-99": "200101000000+9900",
        "utc:offset-minutes": "200101000000+0060",
        "utc:offset-short": "200101000000+01",
        "utc:offset-colon": "200101000000+01:00",
        "utc:no-zone": "200101000000",
        "utc:small-z": "200101000000z",
        "utc:fraction": "200101000000.0Z",
        "utc:second-60": "200101000060Z",
        "utc:hour-24": "200101240000Z",
        "utc:leap-day": "200229000000Z",
        "utc:no-leap-day": "190229000000Z",
        "utc:no-leap-day-1900": "000229000000Z",
        "utc:month-0": "200001000000Z",
        "utc:day-0": "200100000000Z",
        "utc:day-31": "200431000000Z",
        "utc:1950": "500101000000Z",
        "utc:1999": "991231235959Z",
        "utc:blank": " 00101000000Z",
        "utc:plus": "+00101000000Z",
        "utc:empty": "",
        "utc:four-digits": "20200101000000Z",
    }.items():
        yield certificate(f"date:{label}", start=utc(text))
    for label, text in {
        "early": "20200101000000Z",
        "offset": "20200101000000+0100",
        "offset-zero": "20200101000000+0000",
        "offset-25": "20200101000000-2500",
        "no-seconds": "202001010000Z",
        "no-seconds-offset": "202001010000+0100",
        "no-minutes": "2020010100Z",
        "fraction": "20200101000000.5Z",
        "fraction-zero": "20200101000000.0Z",
        "comma": "20200101000000,0Z",
        "local": "20200101000000",
        "year-0": "00000101000000Z",
        "year-1": "00010101000000Z",
        "two-digits": "200101000000Z",
    }.items():
        yield certificate(f"date:generalized:{label}", start=generalized(text))
    yield certificate("date:end-9999", end=generalized("99991231235959Z"))
    yield certificate("date:end-10000", end=generalized("99991231235959-0100"))
    yield certificate("date:end-utc", end=utc("491231235959Z"))
    yield certificate("date:end-utc-offset", end=utc("491231235959-0100"))
    yield certificate("date:visible-string", start=tlv(0x1A, START))


def numbers():
    for label, content in {
        "zero": b"\0",
        "negative": b"\xff",
        "negative-long": b"\x80" + bytes(15),
        "20": b"\x7f" + bytes(19),
        "21": b"\0\x80" + bytes(19),
        "40": b"\x01" * 40,
        "padded": b"\0\x01",
        "padded-negative": b"\xff\xff",
        "empty": b"",
    }.items():
        yield certificate(f"serial:{label}", serial=tlv(2, content))
    for label, version in {
        "1-stated": tlv(0xA0, integer(0)),
        "1-with-extensions": b"",
        "2": tlv(0xA0, integer(1)),
        "4": tlv(0xA0, integer(3)),
        "negative": tlv(0xA0, integer(-1)),
        "padded": tlv(0xA0, tlv(2, b"\0\x02")),
        "empty": tlv(0xA0),
        "two": tlv(0xA0, integer(2), integer(2)),
        "not-explicit": tlv(0x80, b"\x02"),
    }.items():
        yield certificate(f"version:{label}", version=version)
        yield certificate(f"version:{label}:bare", version=version, extensions=b"")


def names():
    def rdn(value, tag=0x0C, kind="2.5.4.3"):
        return seq(tlv(0x31, attribute(value, tag, kind)))

    for label, subject in {
        "empty": seq(),
        "empty-rdn": seq(tlv(0x31)),
        "no-set": seq(attribute("a")),
        "two-in-set": seq(tlv(0x31, attribute("a"), attribute("b", kind="2.5.4.11"))),
        "unsorted-set": seq(tlv(0x31, attribute("b", kind="2.5.4.11"), attribute("a"))),
        "printable": rdn("a", 0x13),
        "printable-star": rdn("*.a_b@c", 0x13),
        "printable-umlaut": rdn(b"Zo\xeb", 0x13),
        "ia5": rdn("a@b", 0x16),
        "ia5-umlaut": rdn(b"Zo\xeb", 0x16),
        "t61": rdn(b"Zo\xeb", 0x14),
        "numeric": rdn("12 34", 0x12),
        "numeric-letters": rdn("ab", 0x12),
        "visible": rdn("a", 0x1A),
        "general": rdn("a", 0x1B),
        "teletex-escape": rdn(b"\x1b(B", 0x14),
        "universal": rdn("\u4e16".encode("utf-32-be"), 0x1C),
        "bmp": rdn("\u4e16".encode("utf-16-be"), 0x1E),
        "bmp-odd": rdn(b"\x4e", 0x1E),
        "bmp-surrogate": rdn(b"\xd8\x00\xdc\x00", 0x1E),
        "utf8-invalid": rdn(b"\xff\xfe"),
        "utf8-overlong": rdn(b"\xc0\x80"),
        "nul": rdn("a\0b"),
        "newline": rdn("a\nb"),
        "blank": rdn(""),
        "long": rdn("x" * 300),
        "integer": rdn(b"\x05", 2),
        "boolean": rdn(b"\xff", 1),
        "null": rdn(b"", 5),
        "octets": rdn(b"ab", 4),
        "bits": rdn(b"\0ab", 3),
        "oid-value": rdn(oid("1.2.3")[2:], 6),
        "sequence": rdn(integer(1), 0x30),
        "utc": rdn("200101000000Z", 0x17),
        "high-tag": seq(tlv(0x31, seq(oid("2.5.4.3"), b"\x1f\x81\x00\x01a"))),
        "no-value": seq(tlv(0x31, seq(oid("2.5.4.3")))),
        "two-values": seq(tlv(0x31, seq(oid("2.5.4.3"), tlv(12, b"a"), tlv(12, b"b")))),
        "empty-oid": seq(tlv(0x31, seq(tlv(6), tlv(12, b"a")))),
        "oid-unfinished": seq(tlv(0x31, seq(tlv(6, b"\x55\x84"), tlv(12, b"a")))),
        "oid-padded": seq(tlv(0x31, seq(tlv(6, b"\x55\x80\x04\x03"), tlv(12, b"a")))),
        "oid-large": seq(tlv(0x31, seq(oid("2.5.4.99999999999999999999"), tlv(12, b"a")))),
        "many": seq(*[tlv(0x31, attribute(str(number))) for number in range(40)]),
    }.items():
        yield certificate(f"name:{label}", subject=subject, serial=integer(hash_of(label)))
        yield certificate(f"issuer:{label}", issuer=subject, serial=integer(hash_of(label)))


def hash_of(label):
    return int.from_bytes(label.encode()[:15], "big")


def keys():
    def raw(key):
        return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    def rsa_info(modulus, exponent, parameters=NULL):
        return seq(seq(oid("1.2.840.113549.1.1.1"), parameters), tlv(3, b"\0", seq(modulus, exponent)))

    n = RSA.public_key().public_numbers().n
    point = KEY.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    ec_oid, p256 = oid(chains.EC_PUBLIC_KEY), oid(chains.PRIME256V1)
    infos = {
        "p384": raw(new_key(ec.SECP384R1)),
        "p521": raw(new_key(ec.SECP521R1)),
        "p224": raw(new_key(ec.SECP224R1)),
        "secp256k1": raw(new_key(ec.SECP256K1)),
        "brainpool": raw(new_key(ec.BrainpoolP256R1)),
        "ed25519": raw(ed25519.Ed25519PrivateKey.generate()),
        "ed448": raw(ed448.Ed448PrivateKey.generate()),
        "x25519": raw(x25519.X25519PrivateKey.generate()),
        "dsa": raw(dsa.generate_private_key(1024)),
        "rsa": raw(RSA),
        "rsa-no-null": rsa_info(integer(n), integer(65537), b""),
        "rsa-3": rsa_info(integer(n), integer(3)),
        "rsa-even": rsa_info(integer(n), integer(4)),
        "rsa-1": rsa_info(integer(n), integer(1)),
        "rsa-0": rsa_info(integer(n), integer(0)),
        "rsa-negative-exponent": rsa_info(integer(n), integer(-3)),
        "rsa-negative": rsa_info(integer(-n), integer(65537)),
        "rsa-large-exponent": rsa_info(integer(n), integer((1 << 40) + 1)),
        "rsa-padded": rsa_info(tlv(2, b"\0\0", n.to_bytes(256, "big")), integer(65537)),
        "rsa-trailing": seq(seq(oid("1.2.840.113549.1.1.1"), NULL), tlv(3, b"\0", seq(integer(n), integer(3)), b"\0")),
        "rsa-pss": seq(seq(oid(chains.RSASSA_PSS)), tlv(3, b"\0", chains.rsa_numbers(RSA))),
        "rsa-8192": rsa_info(integer((1 << 8191) + 1), integer(65537)),
        "compressed": seq(seq(ec_oid, p256), tlv(3, b"\0", chains.compressed_point())),
        "hybrid": seq(seq(ec_oid, p256), tlv(3, b"\0", bytes([6 + point[-1] % 2]), point[1:])),
        "off-curve": seq(seq(ec_oid, p256), tlv(3, b"\0", point[:-1], bytes([point[-1] ^ 1]))),
        "infinity": seq(seq(ec_oid, p256), tlv(3, b"\0\0")),
        "no-curve": seq(seq(ec_oid), tlv(3, b"\0", point)),
        "unused-bits": seq(seq(ec_oid, p256), tlv(3, b"\x01", point)),
        "unknown": seq(seq(oid(chains.UNKNOWN)), tlv(3, b"\0key")),
        "unknown-parameters": seq(seq(oid(chains.UNKNOWN), seq(integer(1))), tlv(3, b"\0key")),
        "empty": seq(seq(oid(chains.UNKNOWN)), tlv(3, b"\0")),
        "no-bits": seq(seq(oid(chains.UNKNOWN)), tlv(3)),
    }
    for label, info in infos.items():
        if info is not None:
            yield certificate(f"key:{label}", info=info)


def signatures():
    unknown = seq(oid(chains.UNKNOWN))
    for label, parts in {
        "null": {"signer": ecdsa(KEY, parameters=NULL)},
        "rsa-no-null": {"key": RSA, "signer": pkcs1(RSA, parameters=b"")},
        "rsa": {"key": RSA},
        "pss": {"key": RSA, "signer": chains.pss(RSA)},
        "pss-salt": {"key": RSA, "signer": chains.pss(RSA, salt=20)},
        "pss-no-parameters": {"key": RSA, "signer": chains.pss(RSA, parameters=b"")},
        "sha1": {"signer": ecdsa(KEY, "sha1")},
        "unknown": {"inner": unknown, "outer": unknown},
        "unlike": {"inner": unknown},
        "unlike-parameters": {"outer": seq(oid("1.2.840.10045.4.3.2"), NULL)},
        "two-parameters": {"inner": seq(oid(chains.UNKNOWN), NULL, NULL), "outer": seq(oid(chains.UNKNOWN), NULL, NULL)},
        "empty": {"signature": tlv(3, b"\0")},
        "no-bits": {"signature": tlv(3)},
        "unused-bits": {"signature": tlv(3, b"\x04\xf0")},
        "unused-bits-set": {"signature": tlv(3, b"\x04\xff")},
        "unused-bits-9": {"signature": tlv(3, b"\x09\xf0")},
        "junk": {"signature": tlv(3, b"\0junk")},
        "octets": {"signature": tlv(4, b"\0junk")},
    }.items():
        yield certificate(f"signature:{label}", **parts)


def extensions():
    def of(label, *items, **parts):
        return certificate(f"extension:{label}", extensions=tlv(0xA3, seq(*items)), **parts)

    unknown = chains.UNKNOWN
    yield of("none")
    yield certificate("extension:empty-explicit", extensions=tlv(0xA3))
    yield certificate("extension:no-sequence", extensions=tlv(0xA3, tlv(0x31)))
    yield certificate("extension:trailing", extensions=tlv(0xA3, seq(bc(False)), NULL))
    yield of("unknown", ext(unknown, b"x"))
    yield of("unknown-critical", ext(unknown, b"x", True))
    yield of("unknown-empty", ext(unknown, b""))
    yield of("twice", bc(False), bc(False))
    yield of("twice-unknown", ext(unknown, b"x"), ext(unknown, b"x"))
    yield of("flag-false", seq(oid(unknown), tlv(1, b"\0"), tlv(4, b"x")))
    yield of("flag-1", seq(oid(unknown), tlv(1, b"\x01"), tlv(4, b"x")))
    yield of("flag-empty", seq(oid(unknown), tlv(1), tlv(4, b"x")))
    yield of("flag-long", seq(oid(unknown), tlv(1, b"\xff\xff"), tlv(4, b"x")))
    yield of("more", seq(oid(unknown), tlv(4, b"x"), NULL))
    yield of("no-value", seq(oid(unknown)))
    yield of("bits-value", seq(oid(unknown), tlv(3, b"\0x")))
    for label, kind in {
        "key-usage": "2.5.29.15", "alternative": "2.5.29.17", "issuer-alternative": "2.5.29.18", "basic": "2.5.29.19",
        "constraints": "2.5.29.30", "crl": "2.5.29.31", "policies": "2.5.29.32", "mappings": "2.5.29.33",
        "authority": "2.5.29.35", "policy-constraints": "2.5.29.36", "usages": "2.5.29.37", "any-policy": "2.5.29.54",
        "subject-key": "2.5.29.14", "information": "1.3.6.1.5.5.7.1.1", "netscape": "2.16.840.1.113730.1.1",
    }.items():
        for what, value in {
            "nothing": b"", "sequence": seq(), "null": NULL, "octets": tlv(4, b"ab"), "octets-critical": tlv(4, b"ab"),
            "trailing": seq() + b"\0", "integer": integer(3), "cut": b"\x30\x05a", "oids": seq(oid(unknown)),
            "bits": tlv(3, b"\x01\x06"), "nested": seq(seq(oid(unknown))), "tagged": seq(tlv(0x80, b"ab")),
            "flag": seq(tlv(1, b"\xff")), "flag-1": seq(tlv(1, b"\x01")), "flag-false": seq(tlv(1, b"\0")),
            "flag-number": seq(tlv(1, b"\xff"), integer(3)), "flag-negative": seq(tlv(1, b"\xff"), integer(-2)), "number": seq(integer(3)),
            "flag-large": seq(tlv(1, b"\xff"), integer(1 << 70)), "flag-more": seq(tlv(1, b"\xff"), integer(3), NULL), "empty-oid": seq(tlv(6)),
        }.items():
            yield of(f"{label}:{what}", ext(kind, value, what.endswith("critical")))
    for label, entry in {
        "address-5": tlv(0x87, bytes(5)), "address-16": tlv(0x87, bytes(16)), "dns-empty": tlv(0x82), "dns-umlaut": tlv(0x82, b"Zo\xeb"),
        "dns-blank": tlv(0x82, b" a"), "uri-odd": tlv(0x86, b":"), "uri-blank": tlv(0x86, b"http://a b/"), "uri-host": tlv(0x86, b"http://[::1/"),
        "email-odd": tlv(0x81, b"@@"), "email-umlaut": tlv(0x81, b"\xeb@a"), "other": chains.other_name(), "directory": tlv(0xA4, name("a")),
        "directory-odd": tlv(0xA4, b"xx"), "universal-tag": tlv(0x0C, b"a"), "constructed": tlv(0xA2, b"a"), "registered": tlv(0x88, b"\x2a"), "tag-30": tlv(0x9E, b"a"),
    }.items():
        yield of(f"alternative:{label}", san(entry))


def encodings():
    def length_in_two(der):
        return der[:1] + b"\x83\0" + der[2:] if der[1] == 0x82 else der

    def indefinite(der):
        return der[:1] + b"\x80" + der[4:] + b"\0\0"

    yield certificate("encoding:trailing", whole=lambda der: der + b"\0")
    yield certificate("encoding:long-length", whole=length_in_two)
    yield certificate("encoding:indefinite", whole=indefinite)
    yield certificate("encoding:cut", whole=lambda der: der[:-1])
    yield certificate("encoding:set", whole=lambda der: b"\x31" + der[1:])
    yield certificate("encoding:more", end_of_all=NULL)
    yield certificate("encoding:long-serial-length", serial=b"\x02\x81\x01\x05")
    yield certificate("encoding:behind", behind=NULL)
    yield certificate("encoding:tag-4", behind=tlv(0xA4, NULL))
    for version in (1, 2, 3):
        stated = tlv(0xA0, integer(version - 1))
        for label, unique in {
            "issuer": tlv(0x81, b"\0ab"),
            "subject": tlv(0x82, b"\0ab"),
            "both": tlv(0x81, b"\0ab") + tlv(0x82, b"\0ab"),
            "reversed": tlv(0x82, b"\0ab") + tlv(0x81, b"\0ab"),
            "constructed": tlv(0xA1, tlv(3, b"\0ab")),
            "empty": tlv(0x81),
        }.items():
            yield certificate(f"unique:{version}:{label}", version=stated, unique=unique)
            yield certificate(f"unique:{version}:{label}:bare", version=stated, unique=unique, extensions=b"")


def certificates():
    for part in (dates, numbers, names, keys, signatures, extensions, encodings):
        yield from part()
