# SPDX-License-Identifier: Apache-2.0
"""Tools from elsewhere: Python packages from PyPI, Go modules from the module proxy. Nothing but
these tests needs them. What cannot be had here is said aloud."""

import functools
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
BUILD = ROOT / "build/ecosystem"


@functools.cache
def virtual_environment(name):
    """The Python of an environment with the packages in NAME.txt, made once, or None."""
    requirements, folder = HERE / f"{name}.txt", BUILD / name
    made, python = folder / "made", folder / "bin/python"
    if not made.exists() or made.read_text() != requirements.read_text():
        subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", folder], check=True)
        options = "--disable-pip-version-check --quiet --no-deps --retries 1 --timeout 20"
        command = [python, *f"-m pip install {options} --requirement".split(), requirements]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
            return None
        made.write_text(requirements.read_text())
    return python


@functools.cache
def go_judge(version):
    """The parser of that Juju as a program; a sentence why not where there is none."""
    folder, program = HERE / f"parsers/juju{version}", BUILD / f"juju{version}"
    needed = next(
        line.split()[1]
        for line in (folder / "go.mod").read_text().splitlines()
        if line[:3] == "go "
    )
    found = subprocess.run([ROOT / "tests/find_go", needed], stdout=subprocess.PIPE, text=True)
    if found.returncode != 0:
        return f"the parser of Juju {version} needs Go {needed}, which cannot be had"
    go = found.stdout.strip()
    environment = {**os.environ, "GOFLAGS": "-mod=readonly"}
    download = [go, "mod", "download", "-json"]
    if subprocess.run(download, cwd=folder, env=environment, stdout=subprocess.DEVNULL).returncode:
        return f"the modules of Juju {version}'s parser cannot be had"
    BUILD.mkdir(parents=True, exist_ok=True)
    subprocess.run([go, "build", "-o", program, "."], cwd=folder, env=environment, check=True)
    return program


if __name__ == "__main__":
    # The Python for these tests.
    print(virtual_environment("ops") or "/usr/bin/python3")
