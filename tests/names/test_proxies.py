# SPDX-License-Identifier: Apache-2.0
"""What stands between a unit and LXD, with the real programs: HTTP proxies, and proxies before LXD."""

import contextlib
import subprocess
import time

import pytest

from expectations import active
from juju import lxd_cloud
from lxd import Lxd, free_port
from peers import Peer
from pki import identity

WELL = "nodes:       one, standalone"


@contextlib.contextmanager
def running(folder, *command, port):
    """A program in the foreground, until it listens on the port; its log is what it says."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while f":{port:04X} 00000000:0000 0A" not in listeners():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError((folder / "log").read_text())
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait()


def listeners():
    return open("/proc/net/tcp").read() + open("/proc/net/tcp6").read()


@pytest.fixture
def squid(tmp_path):
    """Squid as Debian configures it, with another port and no caches on disk."""
    port = free_port()
    folder = tmp_path / "squid"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    for parent in folder.parents:
        if str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    text = open("/etc/squid/squid.conf").read().replace("http_port 3128", f"http_port 127.0.0.1:{port}")
    text += f"pid_filename {folder}/pid\ncache_log {folder}/cache.log\naccess_log none\ncoredump_dir {folder}\n"
    text += "netdb_filename none\npinger_enable off\nshutdown_lifetime 0 seconds\n"
    (folder / "squid.conf").write_text(text)
    with running(folder, "/usr/sbin/squid", "-N", "-f", folder / "squid.conf", port=port):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def tinyproxy(folder, options=""):
    port = free_port()
    configuration = folder / "tinyproxy.conf"
    configuration.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nMaxClients 20\n{options}")
    with running(folder, "/usr/bin/tinyproxy", "-d", "-c", configuration, port=port):
        yield f"127.0.0.1:{port}"


def sentence(lxd, rest):
    return f"LXD at {lxd.url} unreachable{rest}"


# --- HTTP proxies ---


def test_squid_refuses_other_ports(files, squid, probe, lxd):
    assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=f"http://{squid}") == sentence(
        lxd, f" through the proxy {squid} (403): add 127.0.0.1 to juju-no-proxy"
    )
    assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=squid, JUJU_CHARM_NO_PROXY="127.0.0.1") == WELL


def test_squid_lets_443_through(files, squid, binary, charm, tmp_path):
    daemon = Lxd()
    daemon.port = 443
    with daemon as lxd:
        admin = identity("juju")
        lxd.trust(admin, "juju")
        certificate, key = admin.write(tmp_path, "client")
        (tmp_path / "server.crt").write_text(lxd.certificate)
        done = subprocess.run(
            [binary, "probe", "--endpoint", lxd.url, "--cert", certificate, "--key", key,
             "--server-cert", tmp_path / "server.crt"],
            env={"JUJU_CHARM_HTTPS_PROXY": squid},
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
        assert done.stdout.splitlines()[-1] == WELL


def test_tinyproxy(files, tmp_path, probe, lxd):
    with tinyproxy(tmp_path) as proxy:
        assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=f"http://{proxy}/") == WELL
        other = identity("another")
        said = probe(lxd.url, other.certificate, JUJU_CHARM_HTTPS_PROXY=proxy)
        assert said.startswith(f"LXD at {lxd.url} presents certificate {lxd.fingerprint[:12]}")


def test_option_of_probe(files, tmp_path, binary, lxd):
    """It comes before what the environment says, exceptions included; a token is read through it too."""
    environment = {"JUJU_CHARM_HTTPS_PROXY": "http://127.0.0.1:1", "JUJU_CHARM_NO_PROXY": "*"}
    token = lxd.lxc("config", "trust", "add", "--name", "probed")

    def run(proxy):
        return subprocess.run(
            [binary, "probe", "--token", "-", "--proxy", proxy],
            env=environment,
            input=token,
            capture_output=True,
            text=True,
            timeout=60,
        )

    with tinyproxy(tmp_path) as proxy:
        done = run(proxy)
    assert (done.returncode, done.stderr) == (0, "") and lxd.fingerprint in done.stdout
    assert f"CONNECT {lxd.address}" in (tmp_path / "log").read_text()
    done = run("socks5://127.0.0.1:1")
    assert done.returncode == 1 and "socks5" in done.stdout + done.stderr


def test_password(files, tmp_path, probe, lxd):
    with tinyproxy(tmp_path, "BasicAuth user pass.word\n") as proxy:
        assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=f"http://user:p%61ss.word@{proxy}") == WELL
        for wrong in ("", "user:other@"):
            assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=f"http://{wrong}{proxy}") == sentence(
                lxd,
                f" through the proxy {proxy} (407): set user and password in juju-https-proxy"
                if not wrong
                else f" through the proxy {proxy} (401): add 127.0.0.1 to juju-no-proxy",
            )


def test_proxy_resolves_the_name(files, tmp_path, probe, lxd):
    """What only the proxy's machine knows; the proxy's own name is ours to look up."""
    files("", "127.0.0.1 proxy.lan\n")
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 inside.lan\n")
    port = free_port()
    configuration = tmp_path / "tinyproxy.conf"
    configuration.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n")
    command = f"mount --bind {hosts} /etc/hosts && exec /usr/bin/tinyproxy -d -c {configuration}"
    with running(tmp_path, "unshare", "-m", "sh", "-c", command, port=port):
        proxy = f"proxy.lan:{port}"
        assert probe(f"inside.lan:{lxd.port}", JUJU_CHARM_HTTPS_PROXY=proxy) == WELL
        assert probe(f"outside.lan:{lxd.port}", JUJU_CHARM_HTTPS_PROXY=proxy).startswith(
            f"LXD at https://outside.lan:{lxd.port} unreachable through the proxy {proxy} (5"
        )


def test_no_proxy_there(files, probe, lxd):
    proxy = f"127.0.0.1:{free_port()}"
    assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=proxy) == sentence(
        lxd, f" through the proxy {proxy}: connection refused"
    )


class Silent(Peer):
    def serve(self, client, received):
        while data := client.recv(65536):
            received += data


class Saying(Peer):
    def __init__(self, text):
        super().__init__()
        self.text = text

    def serve(self, client, received):
        received += client.recv(65536)
        client.sendall(self.text)
        client.recv(65536)


def test_silent_proxy(files, probe, lxd):
    with Silent() as peer:
        start = time.monotonic()
        proxy = peer.url.removeprefix("https://")
        assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=proxy) == sentence(
            lxd, f" through the proxy {proxy}: it does not answer"
        )
        assert time.monotonic() - start < 6
    assert b"CONNECT " + lxd.address.encode() + b" HTTP/1.1\r\n" in peer.received[0]


@pytest.mark.parametrize(
    "text",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\n\r\nmore",
        b"HTTP/1.1 200 OK\r\nX: " + 5000 * b"y",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20\r\n\r\n",
    ],
)
def test_no_proxy_at_all(files, probe, lxd, text):
    with Saying(text) as peer:
        proxy = peer.url.removeprefix("https://")
        assert probe(lxd.url, JUJU_CHARM_HTTPS_PROXY=proxy) == sentence(
            lxd, f" through the proxy {proxy}: it does not answer like an HTTP proxy"
        )


@pytest.mark.parametrize("scheme", ["https", "socks5"])
def test_other_kinds_of_proxies(files, juju, lxd, admin, scheme):
    """Refused by name, never silently direct, and the password shows nowhere."""
    juju.https_proxy, juju.no_proxy = f"{scheme}://user:hush@127.0.0.1:1", ""
    app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, admin, lxd.certificate))
    assert app.units[0].status[0] == "blocked"
    assert f"juju-https-proxy: a proxy of kind {scheme}:// is not supported, only http://" in (
        app.units[0].status[1]
    )
    for hook in app.units[0].hooks:
        assert not any("hush" in line.text for line in hook.log)
    juju.no_proxy = "127.0.0.0/8"
    app.update_status()
    assert app.units[0].status == active(lxd, 0)


def test_hook_through_a_proxy(files, tmp_path, juju, lxd, admin):
    with tinyproxy(tmp_path) as proxy:
        juju.https_proxy, juju.no_proxy = f"http://{proxy}", ""
        app = juju.deploy(trust=True, cloud=lxd_cloud(lxd.url, admin, lxd.certificate))
        assert app.units[0].status == active(lxd, 0)
    app.update_status()
    assert app.units[0].status[0] == "waiting" and proxy in app.units[0].status[1]


# --- before LXD ---


@contextlib.contextmanager
def haproxy(folder, backend):
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
        f"frontend front\n  bind 127.0.0.1:{port}\n{backend}"
    )
    with running(folder, "/usr/sbin/haproxy", "-db", "-f", configuration, port=port):
        yield port


def to(lxd, options=""):
    return f"  default_backend lxd\nbackend lxd\n  server lxd {lxd.address} {options}\n"


def test_haproxy(files, tmp_path, probe, lxd):
    with haproxy(tmp_path, to(lxd)) as port:
        assert probe(f"127.0.0.1:{port}") == WELL


def test_haproxy_with_the_proxy_protocol(files, tmp_path, probe, lxd):
    """LXD has to know of it (core.https_trusted_proxy), or takes it for a broken ClientHello."""
    with haproxy(tmp_path, to(lxd, "send-proxy")) as port:
        said = probe(f"127.0.0.1:{port}")
        assert said.startswith(f"LXD at https://127.0.0.1:{port} ")
        assert "handshake" in said or "HTTP, not TLS" in said
        lxd.set_config("core.https_trusted_proxy", "127.0.0.1")
        try:
            assert probe(f"127.0.0.1:{port}") == WELL
        finally:
            lxd.set_config("core.https_trusted_proxy", "")


def test_routing_by_name(files, tmp_path, probe, lxd):
    """SNI has the endpoint's name without its final dot; of an address there is none."""
    files("", "127.0.0.1 lxd.lan\n")
    rules = (
        "  tcp-request inspect-delay 5s\n  tcp-request content accept if { req.ssl_hello_type 1 }\n"
        "  use_backend lxd if { req.ssl_sni -m str lxd.lan }\n"
        f"backend lxd\n  server lxd {lxd.address}\n"
    )
    with haproxy(tmp_path, rules) as port:
        assert probe(f"lxd.lan:{port}") == WELL
        assert probe(f"lxd.lan.:{port}") == WELL
        assert "the connection during the" in probe(f"127.0.0.1:{port}")


def test_nginx_with_a_ca_of_its_own(files, tmp_path, probe, lxd):
    """It ends the handshake well, and answers 400 afterwards: no outage that passes."""
    server, port = identity("proxy"), free_port()
    certificate, key = server.write(tmp_path, "proxy")
    (tmp_path / "ca.crt").write_text(identity("ca").certificate)
    temporary = "".join(
        f"{name}_temp_path {tmp_path}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"""daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error; user root;
events {{}}
http {{
  access_log off; {temporary}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_protocols TLSv1.3;
    ssl_certificate {certificate}; ssl_certificate_key {key};
    ssl_verify_client on; ssl_client_certificate {tmp_path}/ca.crt;
    location / {{ proxy_pass http://unix:{lxd.directory}/unix.socket; }}
  }}
}}
"""
    )
    command = ("/usr/sbin/nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path)
    with running(tmp_path, *command, port=port):
        said = probe(f"127.0.0.1:{port}", server.certificate)
        assert said.startswith(f"LXD at https://127.0.0.1:{port} answers HTTP 400")
