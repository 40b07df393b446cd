# SPDX-License-Identifier: Apache-2.0
"""The Python package for requirers: its types, its style, its own tests, and its wheel."""

import os
import subprocess

from tools import BUILD, ROOT

PACKAGE = ROOT / "charm/python"
OURS = [ROOT / "tests/requirer-ops", ROOT / "tests/ecosystem"]


def run(*command, **more):
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **more}
    subprocess.run(command, cwd=PACKAGE, env=environment, check=True)


def test_types(ops_python):
    run(ops_python, "-m", "mypy", "--cache-dir", BUILD / "mypy", "src", "tests")


def test_style(ops_python):
    run(ops_python, "-m", "ruff", "check", "--no-cache", ".")
    run(ops_python, "-m", "ruff", "format", "--no-cache", "--check", ".")
    run(ops_python, "-m", "ruff", "check", "--no-cache", *OURS)


def test_its_own_tests(ops_python):
    run(ops_python, "-m", "pytest", "-q")


def test_wheel(ops_python, tmp_path):
    """What is installed is what is here, types and databags included."""
    build = ["--no-build-isolation", "--no-deps", "--no-index", "--quiet"]
    run(ops_python, "-m", "pip", "wheel", *build, "--wheel-dir", tmp_path, ".")
    (wheel,) = tmp_path.glob("charmlibs_interfaces_lxd-1.0.0-py3-none-any.whl")
    run(
        ops_python,
        "-m",
        "pip",
        "install",
        "--target",
        tmp_path / "x",
        "--no-deps",
        "--quiet",
        wheel,
    )
    there = {path.name for path in (tmp_path / "x/charmlibs/interfaces/lxd").iterdir()}
    source = PACKAGE / "src/charmlibs/interfaces/lxd"
    assert {path.name for path in source.iterdir() if path.is_file()} <= there
