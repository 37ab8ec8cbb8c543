#!/usr/bin/env python3
"""Starts a server on a temporary site, adds users, and lets Locust put load on it; `make loadtest` calls it.

The end is bounded by --seconds and --users. The report is written to --report (HTML). The exit status is not 0 when
more than one request in a hundred failed, or a worker of the server counted an internal error.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from csv import DictReader
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.server import Server  # noqa: E402

MAX_SECONDS = 600
MAX_USERS = 500
FAILURES_ALLOWED = 0.01


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=40, help=f"Locust users at a time (at most {MAX_USERS})")
    parser.add_argument("--accounts", type=int, default=20, help="accounts of the site")
    parser.add_argument("--seconds", type=int, default=30, help=f"length of the load (at most {MAX_SECONDS})")
    parser.add_argument("--report", type=Path, default=ROOT / "loadtest" / "report.html", help="HTML report")
    parser.add_argument("--site", type=Path, help="site.json of a server that runs already on this machine")
    found = parser.parse_args()
    found.users = max(1, min(found.users, MAX_USERS))
    found.seconds = max(1, min(found.seconds, MAX_SECONDS))
    return found


def run_locust(site_json: Path, options: argparse.Namespace, csv: Path) -> int:
    """Locust, headless; its exit status."""
    options.report.parent.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable, "-m", "locust", "-f", str(ROOT / "loadtest" / "locustfile.py"), "--headless", "--only-summary",
        "--users", str(options.users), "--spawn-rate", str(max(1, options.users // 4)), "--run-time",
        f"{options.seconds}s", "--stop-timeout", "10", "--html", str(options.report), "--csv",
        str(csv), "--exit-code-on-error", "0",
    ]  # fmt: skip
    environment = {**os.environ, "GROMOXD_SITE": str(site_json)}
    return subprocess.run(command, env=environment, timeout=options.seconds + 120, check=False).returncode


def figures(csv: Path) -> tuple[int, int]:
    """(requests, failures) of the run, from the last row of Locust's CSV."""
    with csv.with_name(f"{csv.name}_stats.csv").open(newline="") as file:
        (total,) = [row for row in DictReader(file) if row["Name"] == "Aggregated"]
    return int(total["Request Count"]), int(total["Failure Count"])


def internal_errors(site_json: Path) -> int:
    """What the server's workers counted."""
    http = json.loads(site_json.read_text())["http"]
    with urllib.request.urlopen(f"http://{http['host']}:{http['port']}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return int(sum(float(v) for v in re.findall(r"^\w*internal_errors(?:_total)?(?:{[^}]*})? ([\d.]+)$", text, re.M)))


def put_load_on(site_json: Path, options: argparse.Namespace) -> int:
    """Run Locust and say how it went; the exit status of the whole."""
    with tempfile.TemporaryDirectory(prefix="gromoxd-figures-") as folder:
        csv = Path(folder) / "load"
        status = run_locust(site_json, options, csv)
        requests, failures = figures(csv)
    errors = internal_errors(site_json)
    print(f"{requests} requests, {failures} failures, {errors} internal errors; report: {options.report}")
    return 1 if status or not requests or failures > requests * FAILURES_ALLOWED or errors else 0


def main() -> int:
    """Server, users, load, judgement."""
    options = arguments()
    if options.site:
        return put_load_on(options.site, options)
    with tempfile.TemporaryDirectory(prefix="gromoxd-load-") as folder:
        server = Server(Path(folder) / "site")
        try:
            server.start()
            for number in range(options.accounts):
                server.add_user(f"load{number}@example.test")
            server.reload()  # so that they are in the address book
            site_json = Path(folder) / "load.json"
            site_json.write_text(json.dumps(server.info))
            status = put_load_on(site_json, options)
            server.stop()
            return status
        finally:
            server.stop(check=False)


if __name__ == "__main__":
    sys.exit(main())
