"""The load test puts load on all protocols, without faults, and its report has a row for each step of its users."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
from collections import defaultdict
from pathlib import Path

import pytest

from loadtest.run import figures, internal_errors, run_locust
from tests.conftest import loud_skip
from tests.support.server import Server

pytestmark = pytest.mark.slow
ROWS = {
    "MAPI": {"AutoDiscover", "Connect", "Execute: logon", "Execute: open message", "Execute: send"},
    "NSPI": {"Bind", "ResolveNames (ANR)", "GetProps"},
    "IMAP": {"login", "noop"},
    "LMTP": {"connect", "deliver"},
    "POP3": {"session"},
}


def test_every_kind_of_user_works(server: Server, tmp_path: Path) -> None:
    if importlib.util.find_spec("locust") is None:
        loud_skip("Locust is not installed (tools/setup load)")
    for number in range(4):
        server.add_user(f"load{number}@example.test")
    server.reload()
    site = tmp_path / "site.json"
    site.write_text(json.dumps(server.info))
    report = tmp_path / "report.html"
    options = argparse.Namespace(users=26, seconds=10, report=report)
    assert run_locust(site, options, tmp_path / "load") == 0
    requests, failures = figures(tmp_path / "load")
    faults = (tmp_path / "load_failures.csv").read_text()
    assert failures == 0, faults
    assert requests > 100
    assert internal_errors(site) == 0
    found = defaultdict(set)
    with (tmp_path / "load_stats.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["Type"]].add(row["Name"])
    assert {kind: wanted - found[kind] for kind, wanted in ROWS.items() if wanted - found[kind]} == {}
    text = report.read_text()
    assert "Execute: open message" in text and "ResolveNames (ANR)" in text
