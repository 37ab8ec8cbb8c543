"""A cold server meets a crowd: everybody logs in and delivers at once, and nobody is left waiting."""

from __future__ import annotations

import poplib
import random
import threading
import time
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.server import Server

pytestmark = pytest.mark.slow

ROUNDS = 6
USERS = 20
PATIENCE = 10.0


def visit(server: Server, kind: str, user: str, failures: list[BaseException]) -> None:
    """One short session."""
    try:
        if kind == "imap":
            with server.imap(user, timeout=PATIENCE) as client:
                assert client.select("INBOX")[0] == "OK"
        elif kind == "pop3":
            try:
                server.pop3(user, timeout=PATIENCE).quit()
            except poplib.error_proto as error:
                assert "IN-USE" in str(error), error
        else:
            with server.lmtp(timeout=PATIENCE) as client:
                assert client.sendmail("a@example.net", [user], messages.make(f"c-{random.random()}")) == {}
    except BaseException as error:  # noqa: BLE001  # handed to the test, which fails with it
        failures.append(error)


def test_crowd_on_a_cold_server(tmp_path: Path) -> None:
    """Again and again: start, 80 sessions of 20 users at the same moment, stop. (Two threads waited for ever once.)"""
    server = Server(tmp_path / "site")
    try:
        server.start()
        users = [server.add_user(f"crowd{i}@example.test") for i in range(USERS)]
        server.stop()
        for _ in range(ROUNDS):
            server.start()
            failures: list[BaseException] = []
            threads = [
                threading.Thread(target=visit, args=(server, kind, user, failures))
                for user in users for kind in ("imap", "imap", "pop3", "lmtp")
            ]  # fmt: skip
            random.shuffle(threads)
            begun = time.monotonic()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert not failures, failures[:3]
            assert time.monotonic() - begun < PATIENCE
            server.stop()
    except BaseException:
        server.stop(check=False)
        raise
