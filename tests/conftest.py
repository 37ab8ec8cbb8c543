"""What all tests share: free ports, sites, and skips that nobody can overlook.

A test that cannot run for want of a program or of ../shared calls `require_binary` / `require_shared`; every such skip
is listed at the end of the session under "NOT TESTED", with the number of tests it cost.
"""

from __future__ import annotations

import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
LOUD = "NOT TESTED: "
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def require_binary(name: str) -> str:
    """The path of a program, also of one in an sbin folder; a loud skip when the machine does not have it."""
    found = shutil.which(name) or next((f"{d}/{name}" for d in SBIN if shutil.which(f"{d}/{name}")), None)
    if found is None:
        loud_skip(f"{name} is not installed")
    return found


def require_shared(path: str) -> Path:
    """A file or folder of ../shared; a loud skip when it is not there."""
    found = SHARED / path
    if not found.exists():
        loud_skip(f"../shared/{path} is absent")
    return found


def loud_skip(reason: str) -> None:
    """Skip the running test (or, at import, the module), and say so at the end of the session."""
    pytest.skip(LOUD + reason, allow_module_level=True)


def unused_port(host: str = "127.0.0.1") -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Call it for a free port of 127.0.0.1; within a test no port comes twice."""
    given: set[int] = set()

    def next_port() -> int:
        port = unused_port()
        while port in given:
            port = unused_port()
        given.add(port)
        return port

    return next_port


@pytest.fixture
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An empty folder for a site, with a name short enough for the Unix sockets below it; removed afterwards."""
    folder = tmp_path_factory.mktemp("s")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the loud skips."""
    reasons: Counter[str] = Counter()
    for report in terminalreporter.stats.get("skipped", []):
        text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if LOUD in text:
            reasons[text.split(LOUD, 1)[1].strip()] += 1
    if reasons:
        terminalreporter.section("NOT TESTED on this machine", sep="!", red=True)
        for reason, count in sorted(reasons.items()):
            terminalreporter.line(f"{count:4} × {reason}")
