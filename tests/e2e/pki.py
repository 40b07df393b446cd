# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates for the tests."""

import datetime
import functools
import hashlib
import ipaddress
import json
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CURVES = {"P-256": ec.SECP256R1, "P-384": ec.SECP384R1, "P-521": ec.SECP521R1}

# What "openssl ecparam -genkey" writes in front of the key: the curve's object identifier.
EC_PARAMETERS = {
    "P-256": "BggqhkjOPQMBBw==",
    "P-384": "BgUrgQQAIg==",
    "P-521": "BgUrgQQAIw==",
}


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str

    @property
    def der(self):
        return x509.load_pem_x509_certificate(self.certificate.encode()).public_bytes(
            serialization.Encoding.DER
        )

    @property
    def fingerprint(self):
        """As LXD writes it: SHA-256 of the DER, 64 lower-case hexadecimal digits."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def key_lines(self):
        """The lines of the private key that nobody but LXD's client may ever see."""
        return [line for line in self.key.splitlines() if len(line) > 20 and "-----" not in line]

    def write(self, directory, name):
        """Write <name>.crt and <name>.key; returns both paths."""
        paths = directory / f"{name}.crt", directory / f"{name}.key"
        paths[0].write_text(self.certificate)
        paths[1].write_text(self.key)
        return paths


def generate(kind):
    """A new private key: a curve's name, "RSA-<bits>" or "Ed25519"."""
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind.startswith("RSA-"):
        return rsa.generate_private_key(65537, int(kind[4:]))
    return ec.generate_private_key(CURVES[kind]())


def key_pem(key, form="PKCS#8"):
    """The key as PEM: "PKCS#8", or "traditional" (SEC1 for EC, PKCS#1 for RSA)."""
    formats = {
        "PKCS#8": serialization.PrivateFormat.PKCS8,
        "traditional": serialization.PrivateFormat.TraditionalOpenSSL,
    }
    return key.private_bytes(
        serialization.Encoding.PEM, formats[form], serialization.NoEncryption()
    ).decode()


def certify(
    key, name="client", start=-1, end=3650, issuer=None, ca=False, serial_number=None, now=None
):
    """A certificate for the key, good from `start` to `end` (days from now). It is self-signed
    unless an issuer (certificate PEM, key object) is given."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer_name, issuer_key = subject, key
    if issuer is not None:
        issuer_name = x509.load_pem_x509_certificate(issuer[0].encode()).subject
        issuer_key = issuer[1]
    now = now or datetime.datetime.utcnow()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(serial_number or x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=start))
        .not_valid_after(now + datetime.timedelta(days=end))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if not ca:
        names = [x509.IPAddress(ipaddress.ip_address(f"127.0.0.{host}")) for host in range(1, 21)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    digest = None if isinstance(issuer_key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    certificate = builder.sign(issuer_key, digest)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def identity(name="client", kind="P-256", **validity):
    """A fresh self-signed client identity."""
    key = generate(kind)
    return Identity(certify(key, name, **validity), key_pem(key))


def constant_identity(name, curve=ec.SECP256R1):
    """The same identity, byte by byte, at every run; Ed25519 signs without chance."""
    secret = hashlib.sha256(name.encode()).digest()
    signer = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    key = ec.derive_private_key(int.from_bytes(secret[:31], "big"), curve())
    constant = {"serial_number": 1, "now": datetime.datetime(2024, 1, 1), "end": 36500}
    issuer = (certify(signer, "issuer", **constant), signer)
    return Identity(certify(key, name, issuer=issuer, **constant), key_pem(key))


@functools.lru_cache(maxsize=None)
def shared_identity(kind):
    """One identity of this kind for the whole run: RSA keys take long to find."""
    return identity(f"shared {kind}", kind)


def rewrite_key(identity_, form):
    """The same identity with its private key in another PEM form."""
    key = serialization.load_pem_private_key(identity_.key.encode(), password=None)
    return Identity(identity_.certificate, key_pem(key, form))


def with_ec_parameters(identity_, curve):
    """The same identity with the block that "openssl ecparam -genkey" puts before a SEC1 key."""
    sec1 = rewrite_key(identity_, "traditional")
    block = f"-----BEGIN EC PARAMETERS-----\n{EC_PARAMETERS[curve]}\n-----END EC PARAMETERS-----\n"
    return Identity(sec1.certificate, block + sec1.key)


def bundle(*identities):
    """The value of `client_certificates` that asks for these (identities or PEM texts)."""
    return json.dumps([getattr(item, "certificate", item) for item in identities])
