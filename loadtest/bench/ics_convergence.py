"""Do replicas converge? `python -m loadtest.bench.ics_convergence [--sequences N] [--first N] [--folder DIR]`.

Runs sequences of random changes on a mailbox and a client in cached mode, and on two mailboxes, with synchronisations
in between (tests/support/convergence.py), and fails at the first that ends with two different contents. A sequence's
number is its seed.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from tests.support import convergence

EVERY = 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sequences", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"))
    options = parser.parse_args()
    start = time.perf_counter()

    def done(number: int) -> None:
        if (number + 1 - options.first) % EVERY == 0:
            print(f"{number + 1 - options.first} sequences, {time.perf_counter() - start:.0f} s", flush=True)

    convergence.run(options.folder, options.sequences, options.first, done=done)
    print(f"{options.sequences} sequences of each kind converged in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
