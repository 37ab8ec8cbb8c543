"""kill -9 while people send and rules redirect: what was acknowledged arrives, here exactly once; nothing is left."""

from __future__ import annotations

import contextlib
import random
import smtplib
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from gromoxd.errors import MapiError
from gromoxd.mapi.rules import ForwardFlavor
from tests.store.mapi.rulebox import EVERYTHING, forwarding, standard
from tests.support.sending import ALICE, BOB, Mailbox, Sink, at_rest, sinking, subjects
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow
KILLS = 14
SEED = 20260601
CAROL, OUTSIDE = "carol@example.test", "x@elsewhere.test"
REDIRECT = ForwardFlavor.PR | ForwardFlavor.NC
LOST = (MapiError, OSError, smtplib.SMTPException)


class Senders:
    """Threads that send, each one mail after the other, and repeat what was not acknowledged until it is."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.failures = 0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, send: Callable[[str], object]) -> None:
        thread = threading.Thread(target=self._work, args=(name, send))
        self._threads.append(thread)
        thread.start()

    def _work(self, name: str, send: Callable[[str], object]) -> None:
        count = 0
        while not self._stop.is_set():
            count += 1
            subject = f"{name} {count:05}"
            while True:
                try:
                    send(subject)
                except LOST:
                    self.failures += 1
                    if self._stop.wait(0.05):
                        return
                else:
                    self.acknowledged.append(subject)
                    break
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def deliver(server: Server, subject: str) -> None:
    """By LMTP, to bob."""
    raw = f"From: <s@elsewhere.test>\r\nTo: <{BOB}>\r\nMessage-ID: <{subject.replace(' ', '.')}@elsewhere.test>\r\n"
    server.deliver(f"{raw}Subject: {subject}\r\n\r\ntext\r\n".encode(), BOB, sender="s@elsewhere.test")


def kill_at_random(server: Server, rng: random.Random) -> Counter[str]:
    """What was killed."""
    kinds = ("store", "relay", "lmtp", "")
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        time.sleep(rng.uniform(0.2, 0.7))
        kind = kinds[number % len(kinds)]
        victim = rng.choice(until(lambda: server.children(kind), describe=kind))  # noqa: B023
        with contextlib.suppress(ProcessLookupError):
            server.kill(victim.pid)
        killed[kind or "any"] += 1
    return killed


def test_sending_and_redirecting(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Alice and bob write to each other and to somebody elsewhere, bob gets mail; both redirect all to carol."""
    options = {"relay_retry_min": "200ms", "relay_retry_max": "1s"}
    with sinking() as sink, running(tmp_path / "site", options={**options, "outgoing_smtp_url": sink.url}) as server:
        boxes = [Mailbox(server, user) for user in (ALICE, BOB, server.add_user(CAROL))]
        for box in boxes[:2]:
            box.rules(standard(EVERYTHING, forwarding(CAROL, flavor=REDIRECT), name="to carol"))
        alice, bob = Mailbox(server, ALICE), Mailbox(server, BOB)  # each is used by one thread
        senders = Senders()
        senders.start("alice", lambda subject: alice.submit(subject, BOB, OUTSIDE))
        senders.start("bob", lambda subject: bob.submit(subject, ALICE))
        senders.start("other", lambda subject: deliver(server, subject))
        try:
            killed = kill_at_random(server, random.Random(SEED))
            time.sleep(0.5)
        finally:
            senders.stop()
        wanted = set(senders.acknowledged)
        until(lambda: wanted <= set(subjects(server, CAROL)), seconds=40, step=0.5, describe="all that was redirected")
        at_rest(*boxes, seconds=40)
        found = {user: Counter(subjects(server, user)) for user in (ALICE, BOB, CAROL)}
        check(wanted, found, sink)
        twice = sum(times > 1 for times in Counter(sink.subjects()).values())
        with capsys.disabled():
            print(
                f"\n{killed.total()} kills, {len(wanted)} mails acknowledged, {senders.failures} attempts failed; "
                f"redirected {found[CAROL].total()}; elsewhere {len(sink.mails)}, {twice} of them twice"
            )
        assert len(wanted) > 100
        left = [path.name for name in ("content", "tmp") for path in (server.site / "spool" / name).iterdir()]
        assert left == []
        for user in (ALICE, BOB, CAROL):
            assert server.ctl("mailbox", "check", user) == "no faults\n"
            assert set(subjects(server, user, "Outbox")) <= (set() if user == CAROL else unfinished(wanted))
        for box in boxes:
            box.close()


def check(wanted: set[str], found: dict[str, Counter[str]], sink: Sink) -> None:
    """Each mail is in each mailbox that it goes to exactly once; elsewhere at least once."""
    for name, user in (("alice", BOB), ("other", BOB), ("bob", ALICE)):
        mine = {subject for subject in wanted if subject.startswith(name)}
        assert mine <= set(found[user])
    assert {subject for subject in wanted if subject.startswith("alice")} <= set(sink.subjects())
    for user, subjects_ in found.items():
        assert max(subjects_.values()) == 1, f"{user}: {subjects_.most_common(3)}"


def unfinished(wanted: set[str]) -> set[str]:
    """Those that were being sent when the senders stopped: perhaps drafts."""
    return {
        f"{name} {max(int(s.split()[1]) for s in wanted if s.startswith(name)) + 1:05}" for name in ("alice", "bob")
    }
