# SPDX-License-Identifier: Apache-2.0
"""Programs in Go, of one file without modules, compiled once a run."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def go_program(name):
    """The program whose main.go is in the folder of this name."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, directory)
    program = directory / name
    source = Path(__file__).parent / name / "main.go"
    cache = os.environ.get("GOCACHE", directory / "cache")
    settings = {"GOCACHE": str(cache), "GO111MODULE": "off", "CGO_ENABLED": "0"}
    command = ["go", "build", "-o", program, source]
    subprocess.run(command, check=True, env={**os.environ, **settings})
    return program
