"""How long a large mailbox takes to open: `python -m loadtest.bench.open_mailbox [--folder DIR] [--messages N]`."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

from gromoxd.exmdb import calls as c
from loadtest.bench.big_mailbox import COUNT, fill, open_box
from loadtest.bench.store_engine import INBOX, OWNER


def measure(folder: str) -> tuple[float, float]:
    """Milliseconds until the mailbox is open, and until it has answered the state of its Inbox, too."""
    start = time.perf_counter()
    box = open_box(folder)
    opened = time.perf_counter()
    box.read(c.GetFolderState(INBOX), OWNER)
    done = time.perf_counter()
    box.close()
    return (opened - start) * 1e3, (done - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="keep the mailbox here")
    parser.add_argument("--messages", type=int, default=COUNT)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or f"{temporary}/box"
        fill(folder, options.messages)
        found = [measure(folder) for _ in range(20)]
    for name, times in zip(("open", "open, state of the Inbox"), zip(*found, strict=True), strict=True):
        print(f"{name:30} {statistics.median(times):7.2f} ms   (first {times[0]:.2f}, worst {max(times):.2f})")


if __name__ == "__main__":
    main()
