# SPDX-License-Identifier: Apache-2.0
"""charmcraft's own judgement: of the packed charm, and of what it would make of charmcraft.yaml."""

import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from tools import ROOT

# What charmcraft writes into a charm, and what it leaves out of the source, by its own code.
WRITE = """
import json, sys, yaml
from charmcraft import models
from charmcraft.application.main import APP_METADATA
from charmcraft.models.metadata import CharmMetadata

project = models.PlatformCharm.unmarshal(yaml.safe_load(open(sys.argv[1])))
written = project.marshal()
print(json.dumps({
    "metadata.yaml": CharmMetadata.from_charm(project).marshal(),
    "config.yaml": written["config"],
    "actions.yaml": written["actions"],
    "platforms": written["platforms"],
    "part": written["parts"]["charm"],
    "ignored": APP_METADATA.source_ignore_patterns,
}))
"""


@pytest.fixture
def project_of_charmcraft(charmcraft):
    command = [charmcraft / "python", "-c", WRITE, ROOT / "charmcraft.yaml"]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def analyse(charmcraft, charm):
    command = [charmcraft / "charmcraft", "analyse", "--ignore", "naming-conventions", charm]
    environment = {**os.environ, "HOME": str(charm.parent)}
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, cwd=charm.parent
    )


def test_analyse(charmcraft, charm, tmp_path):
    done = analyse(charmcraft, Path(shutil.copy(charm, tmp_path)))
    assert done.returncode == 0, done.stdout + done.stderr


def test_analyse_finds_what_is_wrong(charmcraft, charm, tmp_path):
    path = tmp_path / "x.charm"
    with zipfile.ZipFile(charm) as whole, zipfile.ZipFile(path, "w") as changed:
        for entry in whole.infolist():
            text = whole.read(entry)
            if entry.filename == "metadata.yaml":
                text = text.replace(b"summary:", b"sum:")
            changed.writestr(entry, text)
    assert analyse(charmcraft, path).returncode != 0


def test_charmcraft_writes_what_build_sh_packs(project_of_charmcraft, charm):
    with zipfile.ZipFile(charm) as archive:
        for name in ("metadata.yaml", "config.yaml", "actions.yaml"):
            ours = yaml.safe_load(archive.read(name))
            assert ours == project_of_charmcraft[name], name
        manifest = yaml.safe_load(archive.read("manifest.yaml"))
        assert b"#" not in archive.read("metadata.yaml")
    assert set(manifest) == {"bases", "charmcraft-version", "charmcraft-started-at", "analysis"}
    platforms = project_of_charmcraft["platforms"]
    (architecture,) = manifest["bases"][0]["architectures"]
    here = {f"ubuntu@{base['channel']}:{architecture}" for base in manifest["bases"]}
    assert here <= set(platforms) and len(platforms) == 18
    for name, platform in platforms.items():
        assert platform == {"build-on": [name], "build-for": [name]}


def test_charmcraft_s_part_is_what_build_sh_packs(project_of_charmcraft, charm, tmp_path):
    """What the part installs, run as charmcraft would: in a copy of the tree without the files that
    it leaves out. What is compiled already is not again."""
    part = project_of_charmcraft["part"]
    assert part["plugin"] == "nil"
    left_out = shutil.ignore_patterns(*project_of_charmcraft["ignored"], "build")
    tree, installed = tmp_path / "tree", tmp_path / "installed"

    def ignore(folder, names):
        return left_out(folder, names) if Path(folder) == ROOT else ()

    shutil.copytree(ROOT, tree, symlinks=True, ignore=ignore)
    assert not (tree / "charmcraft.yaml").exists()
    (tree / "build").symlink_to(ROOT / "build")
    installed.mkdir()
    architecture = charm.stem.rpartition("_")[2]
    environment = {
        **os.environ,
        "CRAFT_ARCH_BUILD_FOR": architecture,
        "CRAFT_PART_INSTALL": str(installed),
        "CRAFT_PROJECT_DIR": str(ROOT),
    }
    command = ["bash", "-euc", part["override-build"]]
    subprocess.run(command, cwd=tree, env=environment, check=True)
    with zipfile.ZipFile(charm) as archive:
        theirs = {"metadata.yaml", "config.yaml", "actions.yaml", "manifest.yaml"}
        ours = set(archive.namelist()) - theirs
        assert {path.name for path in installed.iterdir()} == ours
        for name in ours:
            assert (installed / name).read_bytes() == archive.read(name), name
    assert os.access(installed / "dispatch", os.X_OK)
