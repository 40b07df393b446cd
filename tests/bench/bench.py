#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What the charm costs against real LXDs, in parts; see README.md."""

import argparse
import json

from fleet import measure_fleet
from hooks import measure_crowd, measure_hooks, measure_instructions
from measure import ROOT
from p384 import measure_p384
from pairs import measure_before, measure_lists, measure_mlkem, measure_names
from scale import measure_scale

from pki import shared_identity

PARTS = {
    "hooks": measure_hooks,
    "crowd": measure_crowd,
    "instructions": measure_instructions,
    "scale": measure_scale,
    "fleet": measure_fleet,
    "p384": measure_p384,
    "mlkem": measure_mlkem,
    "names": measure_names,
    "lists": measure_lists,
    "before": measure_before,
}
OUTPUT = ROOT / "build" / "bench.json"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="*", help=f"of {', '.join(PARTS)}; all where none is named")
    parser.add_argument("--repetitions", type=int, default=50, help="rounds, at most")
    parser.add_argument("--seconds", type=int, default=120, help="for each part, about")
    parser.add_argument("--key", default="P-384", help="the credential's key: P-256, RSA-4096, ...")
    parser.add_argument("--before", help="the packed charm that before compares this one with")
    options = parser.parse_args()
    for part in options.part:
        if part not in PARTS:
            parser.error(f"there is no part '{part}'")
    report = {"repetitions": options.repetitions, "key": options.key}
    for part in options.part or PARTS:
        report[part] = PARTS[part](options, shared_identity(options.key))
        OUTPUT.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
