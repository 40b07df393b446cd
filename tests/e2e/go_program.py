# SPDX-License-Identifier: Apache-2.0
"""Programs in Go, of the module here."""

import fcntl
import functools
import os
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILD = HERE.parents[1] / "build/go"


@functools.cache
def go_program(name):
    """The program in the folder of this name. Of several test processes the first compiles it."""
    BUILD.mkdir(parents=True, exist_ok=True)
    program = BUILD / name
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        subprocess.run(
            ["go", "build", "-buildvcs=false", "-o", program, f"./{name}"],
            cwd=HERE,
            check=True,
            env={**os.environ, "GO111MODULE": "on", "CGO_ENABLED": "0"},
        )
    return program
