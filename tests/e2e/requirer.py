# SPDX-License-Identifier: Apache-2.0
"""The charm of tests/requirer: packed from the integrator's, whose program it shares."""

import zipfile
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "requirer"
SHARED = ("dispatch", "manifest.yaml", "version", "LICENSE")


def pack(integrator, target):
    """Write the requirer's charm, out of the integrator's."""
    with zipfile.ZipFile(integrator) as source, zipfile.ZipFile(target, "w") as archive:
        for name in SHARED:
            archive.writestr(source.getinfo(name), source.read(name))
        for path in sorted(FOLDER.glob("*.yaml")):
            archive.write(path, path.name)
