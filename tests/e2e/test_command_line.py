# SPDX-License-Identifier: Apache-2.0
"""The same binary, started by a person."""

import subprocess

import pytest

from pki import Identity, identity


@pytest.fixture
def files(lxd, admin, tmp_path):
    """The options of probe, with files that hold the charm's own credential."""
    certificate, key = admin.write(tmp_path, "admin")
    server = tmp_path / "lxd.crt"
    server.write_text(lxd.certificate)
    return {"--endpoint": lxd.url, "--cert": certificate, "--key": key, "--server-cert": server}


def options(values):
    return [argument for option in values.items() for argument in option]


def test_version(command_line):
    done = command_line("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1 and "lxd-integrator" in done.stdout


def test_help_names_every_verb(command_line):
    done = command_line("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(verb in done.stdout for verb in ("--version", "fingerprint", "probe"))
    lines = done.stdout.splitlines()
    assert len(lines) < 24 and max(map(len, lines)) <= 80  # one screen


@pytest.mark.parametrize("kind", ["P-384", "RSA-2048", "Ed25519"])
def test_fingerprint_of_a_file_and_of_standard_input(command_line, tmp_path, kind):
    certificate = identity(kind, kind)
    path, _ = certificate.write(tmp_path, "client")
    for done in (
        command_line("fingerprint", path),
        command_line("fingerprint", stdin=certificate.certificate),
        command_line("fingerprint", "-", stdin="made by me\r\n" + certificate.certificate),
    ):
        assert (done.returncode, done.stdout) == (0, certificate.fingerprint + "\n")


def test_fingerprint_is_lxd_s_own(command_line, lxd):
    done = command_line("fingerprint", stdin=lxd.certificate)
    environment = lxd.request("GET", "/1.0")["environment"]
    assert done.stdout.strip() == environment["certificate_fingerprint"]


@pytest.mark.parametrize("text", ["", "junk", identity().key, "\0"])
def test_fingerprint_of_no_certificate(command_line, text):
    done = command_line("fingerprint", stdin=text)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "standard input" in done.stderr


def test_fingerprint_of_a_missing_file(command_line, tmp_path):
    done = command_line("fingerprint", tmp_path / "missing")
    assert done.returncode == 1 and "missing: No such file" in done.stderr


def test_probe_of_a_trusted_client(command_line, lxd, files):
    done = command_line("probe", *options(files))
    assert (done.returncode, done.stderr) == (0, "")
    assert lxd.url in done.stdout and lxd.version in done.stdout and lxd.server_name in done.stdout
    assert "trusts our certificate" in done.stdout and "untrusted" not in done.stdout


def test_probe_changes_nothing(command_line, lxd, files):
    before = lxd.trust_store
    with lxd.recording() as requests:
        command_line("probe", *options(files))
    assert {request.method for request in requests} == {"GET"}
    assert lxd.trust_store == before


def test_probe_of_a_client_that_lxd_does_not_trust(command_line, lxd, admin, files):
    lxd.distrust(admin.fingerprint)
    done = command_line("probe", *options(files))
    assert done.returncode == 1
    assert "does not trust" in done.stdout + done.stderr
    assert admin.fingerprint[:12] in done.stdout + done.stderr


def test_probe_of_another_server(command_line, lxd, files):
    other = identity("other")
    files["--server-cert"].write_text(other.certificate)
    with lxd.recording() as requests:
        done = command_line("probe", *options(files))
    assert done.returncode == 1 and requests == []
    presented = Identity(lxd.certificate, "").fingerprint
    assert presented[:12] in done.stderr and other.fingerprint[:12] in done.stderr


def test_fingerprint_in_what_tools_print(command_line, lxd, tmp_path):
    (tmp_path / "lxd.crt").write_text(lxd.certificate)

    def openssl(*arguments):
        command = ["openssl", *arguments]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout

    for printed in (
        lxd.lxc("info"),
        lxd.lxc("query", "/1.0"),
        lxd.lxc("config", "trust", "add", "--name", "token"),
        openssl("x509", "-in", tmp_path / "lxd.crt", "-text"),
        openssl("x509", "-in", tmp_path / "lxd.crt", "-noout", "-fingerprint", "-sha256"),
        openssl("s_client", "-connect", lxd.address, "-showcerts"),
    ):
        done = command_line("fingerprint", stdin=printed)
        assert (done.returncode, done.stdout.strip()) == (0, lxd.fingerprint), printed


def test_probe_of_a_token(command_line, lxd):
    printed = lxd.lxc("config", "trust", "add", "--name", "juju-token")
    with lxd.recording() as requests:
        done = command_line("probe", "--token", "-", stdin=printed)
    assert (done.returncode, done.stderr) == (0, "")
    assert '"juju-token"' in done.stdout and lxd.url in done.stdout
    assert lxd.fingerprint in done.stdout and printed.split()[-1] not in done.stdout
    assert {(request.method, request.url) for request in requests} <= {("GET", "/1.0"), (None, "/1.0")}
    assert lxd.trust_store == {}
    assert "juju-token" in lxd.lxc("config", "trust", "list-tokens")


def test_probe_through_a_proxy_is_never_direct(command_line, lxd, files):
    with lxd.recording() as requests:
        done = command_line("probe", "--proxy", "http://u:s3cret@127.0.0.1:1", *options(files))
    assert done.returncode == 1 and requests == []
    assert "unreachable through the proxy 127.0.0.1:1: connection refused" in done.stderr
    assert "s3cret" not in done.stdout + done.stderr


def test_probe_where_nobody_listens(command_line, files):
    done = command_line("probe", *options({**files, "--endpoint": "127.0.0.1:1"}))
    assert done.returncode == 1
    assert "LXD at https://127.0.0.1:1 unreachable: connection refused" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--no-such-option"],
        ["no-such-verb"],
        ["--version", "more"],
        ["fingerprint", "--upper"],
        ["fingerprint", "one", "two"],
        ["probe"],
        ["probe", "--endpoint"],
        ["probe", "--endpoint", "x", "--cert", "x", "--key", "x"],
        ["probe", "--colour", "red"],
        ["probe", "more"],
        ["probe", "--token"],
        ["probe", "--token", "x", "--endpoint", "x"],
        ["probe", "--proxy", "x"],
    ],
    ids=" ".join,
)
def test_wrong_use_is_told_in_one_sentence(command_line, arguments):
    done = command_line(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("lxd-integrator: ") and done.stderr.count("\n") == 1
