"""Run a benchmark program against Debian's Dovecot and against gromoxd in one run, and print the ratios.

    python loadtest/bench/against_dovecot.py --bench DIR [--runs 3] [--only PHASES] [--out DIR]

DIR holds bench.py and compare.py. Needs root and Dovecot's packages. Both servers are started on free ports in
temporary folders with the same 50 users, one after the other, and stopped. Loopback only.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from dovecot import PASSWORD, Dovecot

USERS = 50
PATTERN = "user%d@example.test"
ROOT = Path(__file__).resolve().parents[2]


class Gromoxd:
    """A running embedded site with the benchmark's users, of the checkout `root`."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._folder = tempfile.TemporaryDirectory(prefix="gromoxd-bench-", dir=os.environ.get("BENCH_TMP"))
        self.site = Path(self._folder.name)
        self._process: subprocess.Popen[bytes] | None = None
        self.imap = self.pop3 = self.lmtp = self.http = self.pid = 0

    def __enter__(self) -> Gromoxd:
        command = [sys.executable, "-m", "gromoxd", "--embedded", "--site", str(self.site)]
        log = (self.site / "log").open("wb")
        self._process = subprocess.Popen(command, cwd=self._root, stdout=log, stderr=log)
        end = time.monotonic() + 60
        while not (described := self._described()):
            if self._process.poll() is not None or time.monotonic() > end:
                raise SystemExit((self.site / "log").read_text())
            time.sleep(0.1)
        self.imap, self.pop3 = described["imap"]["port"], described["pop3"]["port"]
        self.lmtp, self.http = described["lmtp"]["port"], described["http"]["port"]
        self.pid = described["pid"]
        for i in range(USERS):
            subprocess.run(
                [sys.executable, "-m", "gromoxd.cli.main", "-s", str(self.site), "user", "add", PATTERN % (i + 1),
                 "--password-stdin"],
                cwd=self._root, input=PASSWORD.encode(), check=True, stdout=subprocess.DEVNULL,
            )  # fmt: skip
        return self

    def _described(self) -> dict[str, Any]:
        try:
            described: dict[str, Any] = json.loads((self.site / "site.json").read_text())
        except (OSError, ValueError):
            return {}
        return described if described.get("pid") else {}

    def metrics(self) -> str:
        """The stall counters of all workers, after the run."""
        from urllib.request import urlopen

        with urlopen(f"http://127.0.0.1:{self.http}/metrics") as answer:
            text: str = answer.read().decode()
        return "\n".join(line for line in text.splitlines() if line.startswith(("gromoxd_loop_", "gromoxd_internal")))

    def __exit__(self, *about: object) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(40)
        self._folder.cleanup()


def bench(program: Path, name: str, server: Dovecot | Gromoxd, out: Path, options: list[str]) -> None:
    """One run of the benchmark program."""
    subprocess.run(
        [sys.executable, str(program), "--imap-port", str(server.imap), "--pop3-port", str(server.pop3), "--lmtp-port",
         str(server.lmtp), "--user", PATTERN % 1, "--password", PASSWORD, "--pattern", PATTERN, "--users", str(USERS),
         "--pid", str(server.pid), "--name", name, "--json", str(out), *options],
        check=False,
    )  # fmt: skip


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, required=True, help="folder with bench.py and compare.py")
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--skip-peer", action="store_true", help="use the peer's figures that are in --out already")
    parser.add_argument("rest", nargs="*", help="options for bench.py, after --")
    options = parser.parse_args()
    peer, ours = options.out / "dovecot.json", options.out / "gromoxd.json"
    if not options.skip_peer:
        with Dovecot(USERS, PATTERN) as server:
            bench(options.bench / "bench.py", "dovecot", server, peer, options.rest)
    with Gromoxd() as product:
        bench(options.bench / "bench.py", "gromoxd", product, ours, options.rest)
        print(product.metrics())
    subprocess.run([sys.executable, str(options.bench / "compare.py"), str(peer), str(ours)], check=False)


if __name__ == "__main__":
    main()
