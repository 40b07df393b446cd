# SPDX-License-Identifier: Apache-2.0
"""The packed charm, read as Juju 2.9 to 4.0 read it."""

import hashlib
import json
import re
import stat
import subprocess
import zipfile
from pathlib import Path, PurePosixPath

import pytest
import yaml

from expectations import active

BASES = {"ubuntu", "centos", "windows", "osx", "opensuse", "genericlinux"}
ARCHITECTURES = {"amd64", "arm64", "armhf", "ppc64el", "riscv64", "s390x"}
CHARM_NAME = r"[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*"
ENDPOINT_NAME = r"[a-z][a-z0-9]*([_-][a-z0-9]+)*"
PYTHON_TYPES = {"string": str, "int": int, "float": float, "boolean": bool}

ROOT = Path(__file__).parents[2]


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
    """Juju takes a meaning from actions.yaml, revision and others if they are there, and would run
    hooks/ if there were no dispatch; charmcraft.yaml is for packing."""
    assert set(archive.namelist()) == {
        "LICENSE",
        "LICENSE.bearssl",
        "LICENSE.cjson",
        "LICENSE.musl",
        "README.md",
        "actions.yaml",
        "config.yaml",
        "dispatch",
        "icon.svg",
        "manifest.yaml",
        "metadata.yaml",
        "sbom.spdx.json",
        "version",
    }
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
    assert parse("manifest.yaml")["bases"]  # makes it format 2
    assert not {"series", "min-juju-version", "deployment"} & set(metadata)
    assert metadata["name"] == "lxd-integrator"
    assert metadata["summary"] and metadata["description"]
    assert metadata["provides"]["api"] == {"interface": "lxd", "optional": True}


def test_legal_names(parse):
    metadata = parse("metadata.yaml")
    assert re.fullmatch(CHARM_NAME, metadata["name"])
    for role in ("provides", "requires", "peers"):
        for name, endpoint in metadata.get(role, {}).items():
            assert re.fullmatch(ENDPOINT_NAME, name)
            assert name != "juju" and not name.startswith("juju-")
            assert re.fullmatch(ENDPOINT_NAME, endpoint["interface"])


# --- which Jujus take it ---

# By source and by trial: for each base the Jujus that know it, from a version up to another.
KNOWN = {
    "20.04": ["2.9.23 5"],
    "22.04": ["2.9.23 5"],
    "24.04": ["2.9.50 3.0", "3.1.9 3.2", "3.3 5"],
    "26.04": ["3.6.17 4.0", "4.0.5 5"],
}
JUJUS = """2.9.22 2.9.23 2.9.49 2.9.50 2.9.52 3.0.0 3.0.3 3.1.0 3.1.8 3.1.9 3.1.10 3.2.0 3.2.4
    3.3.0 3.3.7 3.4.6 3.5.7 3.6.0 3.6.16 3.6.17 3.6.28 4.0.0 4.0.4 4.0.5 4.0.15 4.1.0""".split()


def number(version):
    return [int(part) for part in version.split(".")]


def knows(juju, base):
    ranges = (each.split() for each in KNOWN[base])
    return any(number(first) <= number(juju) < number(end) for first, end in ranges)


def deploys(juju, bases):
    """Up to 3.2 every base of the manifest must be known; later Jujus need one that is."""
    if number(juju) < number("2.9.23"):  # has no assumes
        return False
    if number(juju) < number("3.3"):
        return all(knows(juju, base) for base in bases)
    return any(knows(juju, base) for base in bases)


def admits(assumption, juju):
    """As juju/charm/assumes reads it: a comparison, a list of which all hold, any-of, all-of."""
    if isinstance(assumption, list):
        return all(admits(each, juju) for each in assumption)
    if isinstance(assumption, dict):
        ((kind, parts),) = assumption.items()
        return {"any-of": any, "all-of": all}[kind](admits(each, juju) for each in parts)
    operator, version = re.fullmatch(r"juju (>=|<) (\d+(?:\.\d+)*)", assumption).groups()
    return (number(juju) >= number(version)) == (operator == ">=")


def test_assumes_the_jujus_that_accept_its_bases(parse):
    bases = [base["channel"] for base in parse("manifest.yaml")["bases"]]
    assumes = parse("metadata.yaml")["assumes"]
    assert {juju: admits(assumes, juju) for juju in JUJUS} == {
        juju: deploys(juju, bases) for juju in JUJUS
    }


@pytest.mark.parametrize("bases", ["20.04 22.04", "22.04", "24.04", "22.04 24.04 26.04", "26.04"])
def test_assumes_with_other_bases(bases):
    functions = re.findall(
        r"^(?:sections|write_assumes)\(\) \{.*?^\}$", (ROOT / "build.sh").read_text(), re.M | re.S
    )
    script = "\n".join([f"bases='{bases}'", *functions, "write_assumes"])
    written = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        stdout=subprocess.PIPE, check=True,
    )
    assumes = yaml.safe_load(written.stdout)["assumes"]
    assert {juju: admits(assumes, juju) for juju in JUJUS} == {
        juju: deploys(juju, bases.split()) for juju in JUJUS
    }


def test_bases_that_the_jujus_of_readme_know(parse, charm):
    bases = parse("manifest.yaml")["bases"]
    assert [base["channel"] for base in bases] == ["20.04", "22.04", "24.04"]
    for base in bases:
        assert set(base) == {"name", "channel", "architectures"}
        assert base["name"] in BASES and isinstance(base["channel"], str)
        (architecture,) = base["architectures"]
        assert architecture in ARCHITECTURES
        assert charm.name == f"lxd-integrator_{architecture}.charm"


# --- the rest of its files ---


def test_options_of_the_python_charm_in_types_of_juju_2_9(parse):
    config = parse("config.yaml")
    assert set(config) == {"options"}
    assert set(config["options"]) >= {
        "lxd_endpoint",
        "lxd_client_cert",
        "lxd_client_key",
        "lxd_server_cert",
    }
    for option in config["options"].values():
        assert set(option) <= {"type", "description", "default"}
        assert option["description"]
        python_type = PYTHON_TYPES[option["type"]]
        assert isinstance(option.get("default", python_type()), python_type)


def test_icon_is_svg(archive):
    assert b"<svg" in archive.read("icon.svg")


def test_packed_by_charmcraft_it_is_the_same_charm(parse):
    """charmcraft writes metadata.yaml, config.yaml and actions.yaml out of charmcraft.yaml; what
    itself makes of it is judged in tests/ecosystem."""
    project = yaml.safe_load((ROOT / "charmcraft.yaml").read_text())
    metadata = parse("metadata.yaml")
    assert project["links"]["documentation"] == metadata.pop("docs")
    assert project["links"]["website"] == metadata.pop("website")
    assert project["type"] == "charm"
    assert project["title"] == metadata.pop("display-name")
    assert {key: project[key] for key in metadata} == metadata
    assert project["config"] == parse("config.yaml")
    assert project["actions"] == parse("actions.yaml")
    packed = set(project["platforms"])
    bases = [base["channel"] for base in parse("manifest.yaml")["bases"]]
    assert packed == {f"ubuntu@{base}:{arch}" for base in bases for arch in ARCHITECTURES}


# --- what is inside ---


@pytest.fixture(scope="module")
def sbom(archive):
    return json.loads(archive.read("sbom.spdx.json"))


def checksum(element, algorithm="SHA256"):
    (value,) = (
        entry["checksumValue"] for entry in element["checksums"] if entry["algorithm"] == algorithm
    )
    return value


def test_sbom_is_about_this_binary(archive, sbom):
    assert (sbom["spdxVersion"], sbom["dataLicense"]) == ("SPDX-2.3", "CC0-1.0")
    (dispatch,) = (entry for entry in sbom["files"] if entry["fileName"] == "./dispatch")
    binary = archive.read("dispatch")
    assert checksum(dispatch, "SHA1") == hashlib.sha1(binary).hexdigest()
    assert checksum(dispatch) == hashlib.sha256(binary).hexdigest()
    assert checksum(dispatch) in sbom["documentNamespace"]


def test_sbom_holds_together(sbom):
    elements = [sbom, *sbom["packages"], *sbom["files"]]
    names = [element["SPDXID"] for element in elements]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"SPDXRef-[A-Za-z0-9.-]+", name) for name in names)
    related = set()
    for relation in sbom["relationships"]:
        related |= {relation["spdxElementId"], relation["relatedSpdxElement"]}
    assert related == set(names)


def test_sbom_names_the_pinned_parts_and_our_patches(sbom):
    pins = [line.split() for line in (ROOT / "vendor/pins").read_text().splitlines()]
    pinned = {fields[3]: fields[1] for fields in pins if len(fields) == 5 and fields[0] != "#"}
    parts = {part["name"]: part for part in sbom["packages"]}
    patches = set()
    for name in ("musl", "BearSSL", "cJSON"):
        version = parts[name]["versionInfo"]
        assert parts[name]["licenseDeclared"] == "MIT"
        assert version == pinned[checksum(parts[name])]
        assert "Copyright" in parts[name]["copyrightText"]
        folder = ROOT / "vendor" / name.lower()
        patches |= {*folder.glob("*.patch"), *folder.glob(f"{version}/*.patch")}
    names = {f"./{path.relative_to(ROOT)}" for path in patches}
    assert {entry["fileName"] for entry in sbom["files"]} == {"./dispatch", *names}


def test_binary_tells_what_is_inside(sbom, command_line, archive):
    version, *lines = command_line("--version", "--verbose").stdout.splitlines()
    assert version == f"lxd-integrator {archive.read('version').decode().strip()}"
    assert lines[-1].startswith("compiled by ") and "gcc" in lines[-1]
    for part in sbom["packages"]:
        if part["name"] in ("musl", "BearSSL", "cJSON"):
            (line,) = (line for line in lines if line.startswith(f"{part['name']} "))
            assert {part["versionInfo"], "MIT", checksum(part)} <= set(re.split(r",? ", line))


def test_licences_of_the_parts(archive):
    for part in ("bearssl", "cjson", "musl"):
        assert b"Permission is hereby granted" in archive.read(f"LICENSE.{part}")


# --- at work ---


def test_every_hook_of_a_unit_s_life_exits_with_0(lxd, app, unit):
    for kind in ("leader-settings-changed", "update-status", "secret-changed", "upgrade-series"):
        app.fire(kind)
    assert unit.status == active(lxd, 0)
    app.remove_unit(unit)
    names = [hook.name for hook in unit.hooks]
    assert names[:5] == [
        "install",
        "peers-relation-created",
        "leader-elected",
        "config-changed",
        "start",
    ]
    assert names[-2:] == ["stop", "remove"]
    assert {hook.exit_code for hook in unit.hooks} == {0}
