# SPDX-License-Identifier: Apache-2.0
"""A program's memory, as it is while the program stands still: also at its very end.

As a program, "memory.py REPORT PROGRAM...": run PROGRAM, then write to the file REPORT which secrets
were in its memory at the end. Before, the file says what to look for: JSON, {name: hexadecimal bytes}.
"""

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

PTRACE_TRACEME, PTRACE_CONT, PTRACE_SETOPTIONS = 0, 7, 0x4200
PTRACE_O_TRACEEXIT = 0x40
PTRACE_EVENT_EXIT = 6

WINDOW = 16  # bytes of a secret in a row that count as a trace of it

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
_libc.ptrace.restype = ctypes.c_long


def _ptrace(request, pid=0, data=0):
    if _libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


class Traced:
    """A running program; options are Popen's. Use as a context manager, and in one thread."""

    def __init__(self, arguments, **options):
        self._process = subprocess.Popen(
            arguments, preexec_fn=lambda: _ptrace(PTRACE_TRACEME), **options
        )
        self._pid = self._process.pid
        self._wait()
        _ptrace(PTRACE_SETOPTIONS, self._pid, PTRACE_O_TRACEEXIT)
        _ptrace(PTRACE_CONT, self._pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with self._process:
            self._process.kill()

    def _wait(self):
        """The status of the next stop."""
        _, status = os.waitpid(self._pid, 0)
        assert os.WIFSTOPPED(status), status
        return status

    def pause(self):
        """Stop it where it is."""
        os.kill(self._pid, signal.SIGSTOP)
        assert os.WSTOPSIG(self._wait()) == signal.SIGSTOP

    def resume(self):
        _ptrace(PTRACE_CONT, self._pid)

    def run_to_its_end(self):
        """Let it run until it has called exit: it runs no more, and all is still there."""
        while (status := self._wait()) >> 8 != signal.SIGTRAP | PTRACE_EVENT_EXIT << 8:
            _ptrace(PTRACE_CONT, self._pid, os.WSTOPSIG(status))

    def finish(self):
        """Its exit status, and what it printed."""
        self.resume()
        output, _ = self._process.communicate()
        return self._process.returncode, output

    def peak_rss_kib(self):
        """The kernel's high-water mark of it so far."""
        for line in Path(f"/proc/{self._pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
        return 0

    def read_memory(self):
        """All that can be read of it."""
        parts = []
        with open(f"/proc/{self._pid}/maps") as maps, open(
            f"/proc/{self._pid}/mem", "rb", 0
        ) as mem:
            for line in maps:
                addresses, permissions, *_ = line.split()
                if permissions[0] != "r" or "[v" in line:  # the kernel's own
                    continue
                start, end = (int(address, 16) for address in addresses.split("-"))
                mem.seek(start)
                parts.append(mem.read(end - start))
        return b"\0".join(parts)


def traces(memory, secrets):
    """The names of the secrets {name: bytes} of which there is a part in the memory."""
    found = set()
    for name, secret in secrets.items():
        for start in range(0, max(len(secret) - WINDOW, 0) + 1, WINDOW // 2):
            if memory.find(secret[start : start + WINDOW]) >= 0:
                found.add(name)
    return found


def main(report, *program):
    report = Path(report)
    secrets = {
        name: bytes.fromhex(secret) for name, secret in json.loads(report.read_text()).items()
    }
    with Traced(program) as process:
        process.run_to_its_end()
        found = traces(process.read_memory(), secrets)
        status, _ = process.finish()
    report.write_text(json.dumps(sorted(found)))
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
