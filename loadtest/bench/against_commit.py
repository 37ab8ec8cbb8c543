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


def set_aside(results: list[dict[str, Any]], name: str) -> None:
    """Print a row of which there is no ratio, as of memory that shrank while it was measured, and leave it out."""
    values = [result["metrics"].pop(name, {}).get("value") for result in results]
    print(f"no ratio of {name}: {values[0]} before, {values[1]} now")


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
    best = [better(rounds) for rounds in found.values()]
    for name in [name for name, row in best[0]["metrics"].items() if row["value"] and row["value"] < 0]:
        set_aside(best, name)
    for name in [name for name, row in best[1]["metrics"].items() if row["value"] and row["value"] < 0]:
        set_aside(best, name)
    for path, result in zip(paths, best, strict=True):
        path.write_text(json.dumps(result))
    subprocess.run([sys.executable, str(options.bench / "compare.py"), *map(str, paths)], check=False)


if __name__ == "__main__":
    main()
