# SPDX-License-Identifier: Apache-2.0
"""What LXD registers, we register: odd certificates (tests/x509/odd.py), and odd files with plain
ones, given to a real LXD and to us."""

import base64
import sys
from pathlib import Path

import pytest

from lxd import Lxd, LxdError
from pki import Identity, certify, generate, identity, key_pem

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "x509"))
import odd  # noqa: E402


def pem(der, label="CERTIFICATE"):
    lines = base64.encodebytes(der).decode()
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"


def posted(lxd, label, der):
    """Why LXD does not take it, or None."""
    entry = {"type": "client", "name": label, "certificate": base64.b64encode(der).decode()}
    try:
        lxd.request("POST", "/1.0/certificates", entry)
    except LxdError as error:
        return str(error)
    return None


def test_what_lxd_registers_we_take(lxd, command_line, tmp_path):
    refused, more = {}, {}
    count = 0
    for label, der in odd.certificates():
        count += 1
        theirs = posted(lxd, label, der)
        (tmp_path / "odd.pem").write_text(pem(der))
        ours = command_line("fingerprint", tmp_path / "odd.pem")
        if ours.returncode != 0 and theirs is None:
            refused[label] = ours.stderr
        if ours.returncode == 0 and theirs is not None:
            more[label] = theirs
        if ours.returncode == 0 and theirs is None:
            assert ours.stdout.strip() in lxd.trust_store
    assert count > 500
    assert refused == {}
    # LXD's own words tell why it does not take one of these.
    print(f"{count} certificates; taken by us, and not by LXD: {len(more)}")
    for label, why in more.items():
        print(f"  {label}: {why}")


def headed(text, header):
    return text.replace("-----BEGIN CERTIFICATE-----\n", f"-----BEGIN CERTIFICATE-----\n{header}", 1)


FILES = {
    "plain": lambda leaf, issuer, key: leaf,
    "chain": lambda leaf, issuer, key: leaf + issuer,
    "with-key": lambda leaf, issuer, key: leaf + key,
    "text-before": lambda leaf, issuer, key: "subject=CN = a\nissuer=CN = b\n" + leaf,
    "text-behind": lambda leaf, issuer, key: leaf + "text",
    "crlf": lambda leaf, issuer, key: leaf.replace("\n", "\r\n"),
    "trailing-blanks": lambda leaf, issuer, key: leaf.replace("\n", "  \n"),
    "empty-lines": lambda leaf, issuer, key: leaf.replace("\n", "\n\n"),
    "no-final-newline": lambda leaf, issuer, key: leaf.strip(),
    "headers": lambda leaf, issuer, key: headed(leaf, "Subject: a\nIssuer: b\n\n"),
    "headers-no-empty-line": lambda leaf, issuer, key: headed(leaf, "Subject: a\n"),
    "one-line": lambda leaf, issuer, key: "-----BEGIN CERTIFICATE-----\n"
    + "".join(leaf.splitlines()[1:-1])
    + "\n-----END CERTIFICATE-----\n",
    "broken-behind": lambda leaf, issuer, key: leaf + "-----BEGIN CERTIFICATE-----\nMII",
    "other-label": lambda leaf, issuer, key: leaf.replace("CERTIFICATE", "X509 CERTIFICATE"),
    "tab": lambda leaf, issuer, key: leaf.replace("\nMII", "\n\tMII"),
    "utf-8-mark": lambda leaf, issuer, key: "\ufeff\n" + leaf,
}


@pytest.mark.parametrize("form", FILES)
def test_files_that_lxc_takes(lxd, command_line, tmp_path, form):
    signer = generate("P-256")
    issuer = certify(signer, "issuer", ca=True)
    key = generate("P-256")
    leaf = certify(key, f"file {form}", issuer=(issuer, signer))
    path = tmp_path / "client.pem"
    path.write_text(FILES[form](leaf, issuer, key_pem(key)))
    lxd.lxc("config", "trust", "add", path, "--name", form)
    ours = command_line("fingerprint", path)
    assert (ours.returncode, ours.stderr) == (0, "")
    assert ours.stdout.strip() in lxd.trust_store


def test_a_plain_one_of_these(lxd):
    """The difference is in what is odd."""
    assert posted(lxd, "plain", identity("plain").der) is None
    assert posted(lxd, "odd plain", odd.certificate("plain")[1]) is None


SERVED = ["date:utc:no-seconds", "date:utc:offset", "serial:40", "name:bmp", "encoding:behind"]


@pytest.mark.parametrize("label", SERVED)
def test_what_lxd_serves_we_take(command_line, tmp_path, label):
    der = next(der for name, der in odd.certificates() if name == label)
    server, administrator = Identity(pem(der), key_pem(odd.KEY, "traditional")), identity("juju")
    administrator.write(tmp_path, "client")
    (tmp_path / "server.crt").write_text(pem(der))
    with Lxd(server=server) as lxd:
        lxd.trust(administrator, "juju")
        options = {"cert": "client.crt", "key": "client.key", "server-cert": "server.crt"}
        arguments = [part for name, file in options.items() for part in (f"--{name}", tmp_path / file)]
        ours = command_line("probe", "--endpoint", lxd.url, *arguments)
        assert (ours.returncode, ours.stderr) == (0, "")
