"""What goes on when something else dies, stops or is reloaded: sessions, IDLE, the load, the site."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support import messages
from tests.support.load import Load, read_folder
from tests.support.raw import imap, pop3
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow

ALICE = "alice@example.test"
BOB = "bob@example.test"


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own."""
    with running(tmp_path / "site", options={"worker_timeout": "3s"}) as started:
        yield started


def kill_stores(server: Server) -> None:
    """SIGKILL all store workers and wait for their successors."""
    old = {child.pid for child in server.children("store")}
    for pid in old:
        server.kill(pid)
    until(
        lambda: len(now := {c.pid for c in server.children("store")}) == len(old) and not now & old,
        seconds=10, step=0.2, describe="new store workers",
    )  # fmt: skip


def test_sessions_outlive_the_store(own: Server) -> None:
    """IMAP and POP3 sessions go on where they were when the store is replaced; IDLE hears of mail after it."""
    own.deliver(messages.make("first"))
    own.deliver(messages.make("b-1", to=BOB), BOB)
    with imap(own, ALICE) as selected, imap(own, ALICE) as idle, pop3(own, BOB) as popper:
        selected.ok(b"SELECT INBOX")
        idle.ok(b"SELECT INBOX")
        idle.send(b"i1 IDLE\r\n")
        assert idle.response().startswith(b"+")
        kill_stores(own)
        assert own.metric("restarts") >= 2
        own.deliver(messages.make("second"))
        assert idle.response() == b"* 2 EXISTS\r\n"
        assert any(b"* 2 EXISTS" in line for line in selected.ok(b"NOOP"))
        selected.ok(rb"STORE 1:2 +FLAGS (\Flagged)")
        popper.send(b"RETR 1\r\n")
        assert popper.line().startswith(b"+OK")
        assert messages.proves_itself(b"".join(popper.pop_lines()))
        assert popper.pop(b"DELE 1").startswith(b"+OK")
        assert popper.pop(b"QUIT").startswith(b"+OK")
    assert read_folder(own, BOB, "INBOX") == {}


def test_a_killed_master_leaves_nothing_behind(own: Server) -> None:
    """Without their master the workers go; the same site starts again and has everything."""
    own.deliver(messages.make("kept"))
    workers = own.children()
    own.kill(own.pid)
    assert own.process is not None
    own.process.wait(10)
    assert psutil.wait_procs(workers, timeout=10)[1] == [], "workers without a master"
    own.start()
    assert list(read_folder(own, ALICE, "INBOX")) == ["kept"]


def test_a_stuck_worker_is_replaced(own: Server) -> None:
    """A stopped (SIGSTOP) IMAP worker is replaced after worker_timeout; others serve meanwhile."""
    stuck, other = own.children("imap")[:2]
    stuck.send_signal(signal.SIGSTOP)
    begun = time.monotonic()
    until(lambda: not stuck.is_running() or stuck.status() == psutil.STATUS_ZOMBIE, seconds=20, describe="it is gone")
    assert 2 < time.monotonic() - begun < 15
    until(lambda: len(own.children("imap")) == 2, seconds=10, step=0.2, describe="its successor")
    assert other.is_running()
    for _ in range(4):
        with own.imap() as client:
            assert client.select("INBOX")[0] == "OK"


def loaded(server: Server) -> Load:
    """A load on three new users."""
    users = [server.add_user(f"load{i}@example.test") for i in range(3)]
    return Load(server, users).start()


def test_reloads_disturb_nobody(own: Server) -> None:
    """Twenty times SIGHUP under load: not one connection is lost, every message is there once."""
    load = loaded(own)
    try:
        for _ in range(20):
            own.reload()
            time.sleep(0.15)
    finally:
        load.stop()
    assert load.remembered == {}
    assert load.total() > 100
    load.check()


def test_graceful_stop_under_load(own: Server) -> None:
    """SIGTERM under load, three times: stopped in seconds with exit code 0, nothing acknowledged is lost or doubled."""
    load = loaded(own)
    try:
        for _ in range(3):
            time.sleep(0.8)
            begun = time.monotonic()
            own.stop()
            assert time.monotonic() - begun < 15
            own.start()
    finally:
        load.stop()
    assert load.total() > 50
    load.check()


def test_pools_grow_and_shrink_by_signal(own: Server) -> None:
    """SIGTTIN adds a worker to the scaled pools, SIGTTOU takes one away; the load notices nothing but reconnects."""
    load = loaded(own)
    try:
        before = len(own.children("imap"))
        os.kill(own.pid, signal.SIGTTIN)
        until(lambda: len(own.children("imap")) == before + 1, seconds=10, step=0.2, describe="one more")
        os.kill(own.pid, signal.SIGTTOU)
        until(lambda: len(own.children("imap")) == before, seconds=30, step=0.2, describe="one fewer")
    finally:
        load.stop()
    load.check()
