"""Messages a second of `gromoxctl import pst` into a mailbox of a running site, start of the program to its end.

    python loadtest/bench/import_pst.py [--count 5000] [--runs 2]

The file is made here: mails of 4 KB with forty properties and two recipients; a tenth as many with 100 KB attached in a
second file. A second import of each, which finds everything there already, is measured too. One line of Markdown.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from against_dovecot import PATTERN, ROOT, USERS, Gromoxd
from pst_import import NOW_NT, small, with_file

from gromoxd.convert.pst.writer import PstWriter

FILES = {"small": small, "files": with_file}


def make(folder: Path, kind: str, count: int) -> Path:
    """A file with `count` messages in its Inbox, none like another."""
    path = folder / f"{kind}.pst"
    with path.open("wb") as out, PstWriter(out, record_key=bytes(16), now_nt=NOW_NT) as pst:
        inbox = pst.folder(pst.top, "Inbox")
        for number in range(count):
            inbox.add(FILES[kind](number))
    return path


def imported(server: Gromoxd, user: str, path: Path) -> tuple[float, dict[str, Any]]:
    """Seconds and what the command tells."""
    command = [sys.executable, "-m", "gromoxd.cli.main", "-s", str(server.site), "import", "pst", user, str(path),
               "--json"]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return time.perf_counter() - start, json.loads(done.stdout)


def rates(server: Gromoxd, path: Path, count: int, user: str) -> tuple[float, float]:
    """Messages a second of a first import, and of one of the same once more."""
    first, told = imported(server, user, path)
    assert (told["imported"], told["duplicates"], told["failed"]) == (count, 0, 0), told
    second, told = imported(server, user, path)
    assert (told["imported"], told["duplicates"], told["failed"]) == (0, count, 0), told
    return count / first, count / second


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=2)
    options = parser.parse_args()
    counts = {"small": options.count, "files": max(options.count // 10, 1)}
    cells = []
    with Gromoxd() as server:
        for kind, count in counts.items():
            path = make(server.site, kind, count)
            users = [PATTERN % (number % USERS + 1) for number in range(options.runs)]
            into = [rates(server, path, count, user) for user in users]
            cells += [f"{max(pair[0] for pair in into):,.0f}/s", f"{max(pair[1] for pair in into):,.0f}/s"]
    print("| import pst | 4 KB | again | with 100 KB | again |\n| --- | --- | --- | --- | --- |")
    print(f"| {counts['small']} and {counts['files']} messages | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
