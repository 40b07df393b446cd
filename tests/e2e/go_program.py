# SPDX-License-Identifier: Apache-2.0
"""Programs in Go, of the module here, compiled once a run."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def go_program(name):
    """The program in the folder of this name."""
    directory = Path(tempfile.mkdtemp(prefix=f"{name}-"))
    atexit.register(shutil.rmtree, directory)
    program = directory / name
    cache = os.environ.get("GOCACHE", directory / "cache")
    settings = {"GOCACHE": str(cache), "GO111MODULE": "on", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    subprocess.run(
        ["go", "build", "-buildvcs=false", "-o", program, f"./{name}"],
        cwd=Path(__file__).parent,
        check=True,
        env={**os.environ, **settings},
    )
    return program
