# SPDX-License-Identifier: Apache-2.0
"""The packed charm, judged by the parsers of Juju 3 and Juju 4 themselves."""

import zipfile

import pytest


def test_juju_accepts_the_charm(judge, charm, project):
    (said,) = judge(charm)
    assert "refused" not in said
    assert said["name"] == project["name"]
    assert set(said["provides"]) == set(project["provides"])
    assert all(endpoint["Optional"] for endpoint in said["provides"].values())
    assert set(said["peers"]) == set(project["peers"])
    assert set(said["options"]) == set(project["config"]["options"])
    assert set(said["actions"]) >= set(project["actions"])
    assert said["bases"] == 3


BROKEN = {
    "no name": ("metadata.yaml", "name: lxd-integrator", "title: lxd-integrator"),
    "interface": ("metadata.yaml", "interface: lxd\n", "interface: 17\n"),
    "assumes": ("metadata.yaml", "juju >= 2.9.50", "juju is nice"),
    "no YAML": ("metadata.yaml", "provides:", "provides: ["),
    "option": ("config.yaml", "type: int", "type: colour"),
    "default": ("config.yaml", "default: 30", "default: thirty"),
    "parameter": ("actions.yaml", "type: boolean", "type: colour"),
    "base": ("manifest.yaml", "name: ubuntu", "nome: ubuntu"),
}


def broken(charm, path, file, old, new):
    """The charm with one thing changed; a file that is left out where there is nothing new."""
    with zipfile.ZipFile(charm) as whole, zipfile.ZipFile(path, "w") as changed:
        for entry in whole.infolist():
            text = whole.read(entry)
            if entry.filename == file:
                if new is None:
                    continue
                assert old.encode() in text
                text = text.replace(old.encode(), new.encode(), 1)
            changed.writestr(entry, text)
    return path


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN)
def test_juju_refuses_what_is_broken(judge, charm, tmp_path, change):
    (said,) = judge(broken(charm, tmp_path / "x.charm", *change))
    assert said.get("refused")


def test_juju_refuses_what_lacks_its_metadata(judge, charm, tmp_path):
    (said,) = judge(broken(charm, tmp_path / "x.charm", "metadata.yaml", "", None))
    assert said.get("refused")


def test_juju_accepts_a_copy(judge, charm, tmp_path):
    """It is the change that the parser refuses."""
    (said,) = judge(broken(charm, tmp_path / "y.charm", "README.md", "", ""))
    assert "refused" not in said
