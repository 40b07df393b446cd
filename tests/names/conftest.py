# SPDX-License-Identifier: Apache-2.0
"""Fixtures: those of the end-to-end tests, and a network of one's own. All of it runs in namespaces
(network, mounts, host name) that ./build.sh test names makes; files in /etc are the tests' own."""

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))
_specification = importlib.util.spec_from_file_location("e2e_fixtures", E2E / "conftest.py")
_e2e = importlib.util.module_from_spec(_specification)
_specification.loader.exec_module(_e2e)

charm, binary, lxd_daemon, lxd = _e2e.charm, _e2e.binary, _e2e.lxd_daemon, _e2e.lxd
admin, transport, juju = _e2e.admin, _e2e.transport, _e2e.juju

HOSTS = "127.0.0.1 localhost\n::1 localhost\n"


def sh(command):
    subprocess.run(["sh", "-ec", command], check=True)


@pytest.fixture(scope="session", autouse=True)
def network(tmp_path_factory):
    """Loopback and a link that leads nowhere; /etc can be written."""
    if [name for _, name in socket.if_nameindex()] != ["lo"]:
        pytest.exit("this is not a network of its own: run ./build.sh test names", returncode=2)
    folder = tmp_path_factory.mktemp("etc")
    sh(
        f"""ip link set lo up
        ip link add eth0 type veth peer name far
        ip address add 192.0.2.254/24 dev eth0
        ip -6 address add fe80::53/64 dev eth0 nodad
        ip link set far up
        ip link set eth0 up
        mount -t tmpfs tmpfs {folder}
        mkdir {folder}/upper {folder}/work
        mount -t overlay overlay -o lowerdir=/etc,upperdir={folder}/upper,workdir={folder}/work /etc
        hostname unit.corp.test"""
    )


@pytest.fixture
def files():
    """Set /etc/resolv.conf and /etc/hosts, and what stands there by default."""

    def write(resolv_conf="nameserver 127.0.0.1\n", hosts=HOSTS):
        for name, text in (("resolv.conf", resolv_conf), ("hosts", hosts)):
            path = Path("/etc") / name
            path.unlink(missing_ok=True)
            path.write_text(text)

    write()
    yield write
    write()


@pytest.fixture
def probe(binary, lxd, admin, tmp_path):
    """What the command line says about an endpoint: its last line, without what all begin with."""
    certificate, key = admin.write(tmp_path, "client")
    (tmp_path / "server.crt").write_text(lxd.certificate)

    def run(endpoint, pin=None, **environment):
        if pin:
            (tmp_path / "server.crt").write_text(pin)
        done = subprocess.run(
            [binary, "probe", "--endpoint", endpoint, "--cert", certificate, "--key", key,
             "--server-cert", tmp_path / "server.crt"],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
        )  # fmt: skip
        said = done.stderr or done.stdout
        return said.splitlines()[-1].removeprefix("lxd-integrator: ")

    return run
