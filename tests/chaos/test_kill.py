"""kill -9 under load: what was acknowledged is there exactly once, byte for byte, and the service is back at once.

Beside the mail clients there are MAPI writers, which use the stores as a worker does.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.load import LOST, Load
from tests.support.mapiload import MapiWriter
from tests.support.server import Server, running

pytestmark = pytest.mark.slow

KILLS = 50
STORE_KILLS = 30
RESTARTS = 5
BACK_SECONDS = 2.0
SEED = 20250602


def probe(server: Server, users: list[str]) -> None:
    """One look at every service: raises one of LOST when something does not answer well."""
    for user in users:
        client = server.imap(user, timeout=5)
        with contextlib.closing(client.sock):
            if client.select("INBOX")[0] != "OK" or client.noop()[0] != "OK":
                raise OSError("select or noop failed")
    with contextlib.closing(server.lmtp(timeout=5)) as lmtp:
        if lmtp.noop()[0] != 250:
            raise OSError("LMTP does not answer")
    with contextlib.closing(server.pop3(users[0], timeout=5)) as pop3:
        pop3.quit()


def seconds_until_back(server: Server, users: list[str]) -> float:
    """How long from now until a whole probe goes well."""
    begun = time.monotonic()
    while True:
        try:
            probe(server, users)
            return time.monotonic() - begun
        except LOST:
            if time.monotonic() - begun > 30:
                raise
            time.sleep(0.01)


@pytest.fixture
def users() -> list[str]:
    """Those who get the load."""
    return [f"load{i}@example.test" for i in range(3)]


def prepare(server: Server, users: list[str]) -> list[str]:
    """Make the users of the load, and those of the probe: two, whose mailboxes are in different store workers."""
    for user in users:
        server.add_user(user)
    for user in ("alice@example.test", "bob@example.test"):
        server.deliver(messages.make(f"probe-{user}", to=user), user)
    return ["alice@example.test", "bob@example.test"]


def with_writers(load: Load, users: list[str]) -> list[MapiWriter]:
    """MAPI writers, two of them in one mailbox."""
    writers = [MapiWriter(load, f"m{n}", user) for n, user in enumerate((users[0], users[0], users[1]), 1)]
    load.clients += writers
    return writers


def check_writers(writers: list[MapiWriter], capsys: pytest.CaptureFixture[str]) -> None:
    """What they were told is so; their mailboxes are sound."""
    steps = sum((writer.steps for writer in writers), Counter())
    slowest = max(writers, key=lambda writer: writer.longest)
    with capsys.disabled():
        print(
            f"MAPI: {steps.total()} writes acknowledged ({', '.join(f'{n} {kind}' for kind, n in steps.items())}), "
            f"{sum(len(writer.expected) for writer in writers)} messages to be there, "
            f"{sum(len(writer.soft) for writer in writers)} to be recoverable; "
            f"longest write {slowest.longest:.2f} s ({slowest.longest_step})"
        )
    assert steps.total() > 50
    assert set(steps) == {"save", "change", "read", "delete", "move", "import", "again"}
    for writer in writers:
        writer.check()
    for writer in writers[1:]:
        writer.check_mailbox()


def test_fifty_kills(tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Fifty times a random process of the tree (never the master) is killed while eight connections work."""
    rng = random.Random(SEED)
    with running(tmp_path / "site") as server:
        probes = prepare(server, users)
        load = Load(server, users)
        writers = with_writers(load, users)
        load.start()
        times: list[tuple[float, str]] = []
        try:
            for _ in range(KILLS):
                victim = rng.choice(server.children())
                title = " ".join(victim.cmdline()).strip()
                server.kill(victim.pid)
                times.append((seconds_until_back(server, probes), title))
                time.sleep(rng.uniform(0.1, 0.6))
        finally:
            load.stop()
        seconds = [taken for taken, _ in times]
        with capsys.disabled():
            print(
                f"\n{KILLS} kills, {load.total()} messages acknowledged; back after: median "
                f"{statistics.median(seconds):.3f} s, longest {max(seconds):.3f} s ({max(times)[1]}); "
                f"connections lost: {sum(load.remembered.values())}"
            )
        assert load.total() > 200
        load.check()
        check_writers(writers, capsys)
        assert max(seconds) <= BACK_SECONDS, sorted(times)[-5:]


def test_kills_of_the_store(tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Thirty times a store worker is killed, in the middle of what MAPI writers do, without waiting for quiet."""
    rng = random.Random(SEED)
    with running(tmp_path / "site") as server:
        probes = prepare(server, users)
        load = Load(server, users)
        writers = with_writers(load, users)
        load.start()
        times: list[float] = []
        try:
            for _ in range(STORE_KILLS):
                time.sleep(rng.uniform(0.05, 0.4))
                stores = [child for child in server.children() if "store" in " ".join(child.cmdline())]
                server.kill(rng.choice(stores).pid)
                times.append(seconds_until_back(server, probes))
        finally:
            load.stop()
        with capsys.disabled():
            print(
                f"\n{STORE_KILLS} kills of stores, {load.total()} messages acknowledged; back after: median "
                f"{statistics.median(times):.3f} s, longest {max(times):.3f} s"
            )
        load.check()
        check_writers(writers, capsys)
        assert max(times) <= BACK_SECONDS


def test_kill_everything_and_restart(tmp_path: Path, users: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Five times the whole tree is killed at once and started again on the same site, while the load goes on."""
    server = Server(tmp_path / "site")
    try:
        server.start()
        prepare(server, users)
        load = Load(server, users)
        writers = with_writers(load, users)
        load.start()
        times = []
        try:
            for _ in range(RESTARTS):
                time.sleep(1.5)
                server.kill_tree()
                begun = time.monotonic()
                server.start()
                seconds_until_back(server, ["alice@example.test", "bob@example.test"])
                times.append(time.monotonic() - begun)
            time.sleep(1.0)
        finally:
            load.stop()
        with capsys.disabled():
            print(
                f"\n{RESTARTS} restarts, {load.total()} messages acknowledged; serving again after: median "
                f"{statistics.median(times):.2f} s, longest {max(times):.2f} s"
            )
        assert load.total() > 50
        load.check()
        check_writers(writers, capsys)
    except BaseException:
        server.stop(check=False)
        raise
    server.stop()
