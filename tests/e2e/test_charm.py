# SPDX-License-Identifier: Apache-2.0
"""The packed charm, read as Juju 2.9 to 4.0 read it."""

import re
import stat
import zipfile
from pathlib import PurePosixPath

import pytest
import yaml

from expectations import active

BASES = {"ubuntu", "centos", "windows", "osx", "opensuse", "genericlinux"}


@pytest.fixture(scope="module")
def archive(charm):
    with zipfile.ZipFile(charm) as opened:
        yield opened


@pytest.fixture(scope="module")
def parse(archive):
    return lambda name: yaml.safe_load(archive.read(name))


def mode(archive, name):
    return archive.getinfo(name).external_attr >> 16


def test_files(archive):
    names = set(archive.namelist())
    assert names >= {"metadata.yaml", "config.yaml", "manifest.yaml", "dispatch"}
    assert names >= {"LICENSE", "icon.svg", "README.md"}
    assert not [name for name in names if name.startswith("hooks/")]
    assert archive.testzip() is None


def test_dispatch_is_the_binary_and_executable(archive, binary):
    assert stat.S_ISREG(mode(archive, "dispatch"))
    assert stat.S_IMODE(mode(archive, "dispatch")) == 0o755
    assert archive.read("dispatch") == binary.read_bytes()


def test_links_stay_inside(archive):
    """Juju refuses a charm with a link that is absolute or leads out of it."""
    for entry in archive.infolist():
        path = PurePosixPath(entry.filename)
        assert not path.is_absolute() and ".." not in path.parts
        if stat.S_ISLNK(entry.external_attr >> 16):
            target = PurePosixPath(archive.read(entry).decode())
            assert not target.is_absolute() and ".." not in target.parts


def test_archive_is_the_same_whenever_it_is_packed(archive):
    assert len({entry.date_time for entry in archive.infolist()}) == 1
    assert archive.namelist() == sorted(archive.namelist())


def test_metadata_of_format_2(parse):
    metadata = parse("metadata.yaml")
    assert metadata["name"] == "lxd-integrator"
    assert metadata["summary"] and metadata["description"]
    assert metadata["provides"]["api"]["interface"] == "lxd"
    assert not {"series", "min-juju-version", "deployment"} & set(metadata)


def test_assumes_what_juju_can_parse(parse):
    for assumption in parse("metadata.yaml").get("assumes", []):
        assert re.fullmatch(r"juju (>=|<) \d+(\.\d+)*", assumption)


def test_bases_that_every_juju_knows(parse):
    bases = parse("manifest.yaml")["bases"]
    assert [base["channel"] for base in bases] == ["20.04", "22.04", "24.04"]
    for base in bases:
        assert base["name"] in BASES and base["architectures"]
        assert all(isinstance(architecture, str) for architecture in base["architectures"])


def test_options_of_the_python_charm_in_types_of_juju_2_9(parse):
    options = parse("config.yaml")["options"]
    assert {"lxd_endpoint", "lxd_client_cert", "lxd_client_key", "lxd_server_cert"} <= set(options)
    for option in options.values():
        assert option["type"] in ("string", "int", "float", "boolean")
        assert option["description"]


def test_icon_is_svg(archive):
    assert b"<svg" in archive.read("icon.svg")


def test_every_hook_of_a_unit_s_life_exits_with_0(lxd, app, unit):
    for kind in ("leader-settings-changed", "update-status", "secret-changed", "upgrade-series"):
        app.fire(kind)
    assert unit.status == active(lxd, 0)
    app.remove_unit(unit)
    names = [hook.name for hook in unit.hooks]
    assert names[:4] == ["install", "leader-elected", "config-changed", "start"]
    assert names[-2:] == ["stop", "remove"]
    assert {hook.exit_code for hook in unit.hooks} == {0}
