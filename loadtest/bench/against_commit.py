"""Run a benchmark program against another checkout and against this one in one run, and print the ratios.

    git clone . /tmp/before && git -C /tmp/before checkout COMMIT
    python loadtest/bench/against_commit.py --bench DIR --base /tmp/before [--rounds 2] [-- options of bench.py]

Rounds alternate between the two, so that the machine's moods meet both alike; of a row the better of a side's rounds
counts. DIR holds bench.py and compare.py. Loopback only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from against_dovecot import Gromoxd, bench


def better(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """One result of several: row by row the best."""
    best = rounds[0]
    for other in rounds[1:]:
        for name, row in other["metrics"].items():
            mine = best["metrics"].get(name)
            if mine is None:
                best["metrics"][name] = row
                continue
            higher = row["better"] == "higher"
            if row["value"] and (row["value"] > mine["value"]) == higher:
                best["metrics"][name] = row
        best["errors"] |= other["errors"]
    return best


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="folder with bench.py and compare.py")
    parser.add_argument("--base", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("rest", nargs="*", help="options for bench.py, after --")
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {"before": [], "now": []}
    here = Path(__file__).resolve().parents[2]
    for number in range(options.rounds):
        for name, root in (("before", options.base), ("now", here)):
            out = options.out / f"{name}.{number}.json"
            with Gromoxd(root) as server:
                bench(options.bench / "bench.py", name, server, out, options.rest)
            found[name].append(json.loads(out.read_text()))
    paths = [options.out / "before.json", options.out / "now.json"]
    for path, rounds in zip(paths, found.values(), strict=True):
        path.write_text(json.dumps(better(rounds)))
    subprocess.run([sys.executable, str(options.bench / "compare.py"), *map(str, paths)], check=False)


if __name__ == "__main__":
    main()
