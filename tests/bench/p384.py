# SPDX-License-Identifier: Apache-2.0
"""What P-384 costs, beside BearSSL's general code and OpenSSL's."""

import collections
import statistics
import subprocess

from measure import ROOT, print_table


def measure_p384(options, _credential):
    lines = subprocess.run(
        [ROOT / "build/plain/tests/p384/speed", str(options.repetitions)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    times = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in lines:
        code, operation, microseconds = line.split()
        times[code][operation].append(float(microseconds))
    rows = {}
    for code, operations in times.items():
        rows[code] = {}
        for operation, figures in operations.items():
            of_bearssl = statistics.median(
                mine / theirs for mine, theirs in zip(figures, times["BearSSL"][operation])
            )
            rows[code][f"{operation} ms"] = f"{statistics.median(figures) / 1000:.3f}"
            rows[code][f"{operation} share"] = f"{of_bearssl:.2f}"
    print("\nP-384")
    print_table(rows)
    return {code: dict(operations) for code, operations in times.items()}
