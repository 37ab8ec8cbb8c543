"""The fixture of most end-to-end tests: one server for a test module."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.support import messages
from tests.support.server import Server, running, until

BYSTANDER = "bob@example.test"
GROWTH_KB = 120 * 1024
"""What the tree may gain in a test; far more is sent in those that try to fill it."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with alice and bob; when the module is through, it must stop cleanly and have counted no bug."""
    with running(tmp_path_factory.mktemp("site") / "site") as started:
        yield started


@pytest.fixture
def others_are_unaffected(server: Server) -> Iterator[None]:
    """A session that was there before is there afterwards, mail still comes in, memory has not grown for good."""
    with server.imap(BYSTANDER) as bystander:
        assert bystander.select("INBOX")[0] == "OK"
        before = server.pss_kb()
        pids = {child.pid for child in server.children()}
        yield
        assert bystander.noop()[0] == "OK"
        server.deliver(messages.make(f"after-{time.monotonic_ns()}", to=BYSTANDER), BYSTANDER)
        assert bystander.noop()[0] == "OK"
        assert {child.pid for child in server.children()} == pids, "a worker was replaced"
        until(lambda: server.pss_kb() < before + GROWTH_KB, seconds=20, describe="memory back to where it was")
        assert not server.problems()
