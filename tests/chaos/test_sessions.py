"""Several sessions on one mailbox, in several processes, with deliveries and POP3 deletions beside them, agree.

Each session follows the untagged answers as a mail program does and checks every rule of RFC 3501 7.4.1 on the way: a
message number never means another uid, EXPUNGE comes in no answer to FETCH, STORE or SEARCH, EXISTS never shrinks. In
the end all of them, and a fresh session, have the same uids and flags.
"""

from __future__ import annotations

import random
import re
import threading
import time

import pytest

from tests.support import messages
from tests.support.raw import imap
from tests.support.server import Server
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

SECONDS = 12.0
FLAGS = [rb"\Seen", rb"\Answered", rb"\Flagged", rb"\Deleted", b"$Label1", b"$Junk"]
SILENT_ABOUT_EXPUNGE = (b"FETCH", b"STORE", b"SEARCH")
LOSES = (b"EXPUNGE", b"UID EXPUNGE", b"UID MOVE")


class Follower:
    """A session's idea of its folder: uids by message number (None: not known yet), and their flags."""

    def __init__(self, server: Server, user: str, seed: int) -> None:
        self.wire: Wire = imap(server, user, timeout=20)
        self.rng = random.Random(seed)
        self.uids: list[int | None] = []
        self.flags: dict[int, frozenset[bytes]] = {}
        self.commands = 0
        self.failure: BaseException | None = None
        self.do(b"SELECT INBOX")
        self.refresh()

    def refresh(self) -> None:
        """Ask for everything."""
        if self.uids:
            self.do(b"FETCH 1:* (UID FLAGS)")

    def do(self, text: bytes, literal: bytes = b"") -> list[bytes]:
        """One command; its untagged answers are followed."""
        *answers, last = self.wire.command(text + literal)
        for answer in answers:
            self.follow(text, answer)
        self.commands += 1
        assert last.split()[1] in (b"OK", b"NO"), (text, last)
        return answers

    def follow(self, command: bytes, answer: bytes) -> None:
        """Take one untagged answer over."""
        if found := re.match(rb"\* (\d+) EXPUNGE\r\n", answer):
            assert not command.startswith(SILENT_ABOUT_EXPUNGE), (command, answer)
            number = int(found[1])
            assert 1 <= number <= len(self.uids), answer
            uid = self.uids.pop(number - 1)
            if uid is not None:
                self.flags.pop(uid, None)
        elif found := re.match(rb"\* (\d+) EXISTS\r\n", answer):
            more = int(found[1]) - len(self.uids)
            assert more >= 0, (command, answer, len(self.uids))
            self.uids += [None] * more
        elif found := re.match(rb"\* (\d+) FETCH \((.*)\)\r\n\Z", answer, re.S):
            self.fetched(command, int(found[1]), found[2])

    def fetched(self, command: bytes, number: int, text: bytes) -> None:
        """A FETCH answer: its number means what it meant before."""
        assert 1 <= number <= len(self.uids), (command, number, len(self.uids))
        if found := re.search(rb"\bUID (\d+)", text):
            assert self.uids[number - 1] in (None, int(found[1])), (command, number, self.uids[number - 1], text[:80])
            self.uids[number - 1] = int(found[1])
        flags = re.search(rb"FLAGS \(([^)]*)\)", text)
        uid = self.uids[number - 1]
        if flags and uid is not None:
            self.flags[uid] = frozenset(flags[1].split()) - {rb"\Recent"}

    # ------------------------------------------------------------------------------------------ what it does

    def work(self, end: float) -> None:
        """Random commands until `end`."""
        try:
            while time.monotonic() < end:
                self.rng.choice(self.ACTIONS)(self)
        except BaseException as error:  # noqa: BLE001  # handed to the test, which fails with it
            self.failure = error

    def some(self) -> bytes:
        """A message number or a range."""
        if not self.uids:
            return b"1"
        first = self.rng.randint(1, len(self.uids))
        last = min(len(self.uids), first + self.rng.randrange(4))
        return b"%d:%d" % (first, last)

    def known(self) -> bytes:
        """A uid that this session has seen, gone or not."""
        known = [uid for uid in self.uids if uid is not None]
        return b"%d" % self.rng.choice(known) if known else b"1"

    def append(self) -> None:
        """One more message, with flags."""
        data = messages.make(f"s{self.rng.random()}", size=300)
        flags = b" ".join(self.rng.sample(FLAGS, 2))
        self.do(b"APPEND INBOX (%s) {%d+}\r\n" % (flags, len(data)), data)

    def store(self) -> None:
        """Flags on, off or replaced."""
        sign = self.rng.choice((b"+", b"-", b""))
        silent = self.rng.choice((b"", b".SILENT"))
        flags = b" ".join(self.rng.sample(FLAGS, self.rng.randint(1, 3)))
        if self.uids:
            self.do(b"STORE %s %sFLAGS%s (%s)" % (self.some(), sign, silent, flags))
        if silent:
            self.refresh()

    def fetch(self) -> None:
        """Flags of some."""
        if self.uids:
            self.do(b"FETCH %s (UID FLAGS RFC822.SIZE)" % self.some())

    def fetch_by_uid(self) -> None:
        """One by uid."""
        self.do(b"UID FETCH %s (FLAGS)" % self.known())

    def expunge(self) -> None:
        """What is deleted goes."""
        self.do(b"EXPUNGE")

    def expunge_by_uid(self) -> None:
        """One goes, if it is deleted."""
        self.do(b"UID EXPUNGE " + self.known())

    def noop(self) -> None:
        """Hear the news."""
        self.do(b"NOOP")

    def search(self) -> None:
        """The numbers found are in range."""
        for answer in self.do(b"SEARCH UNDELETED"):
            if answer.startswith(b"* SEARCH"):
                assert all(1 <= int(word) <= len(self.uids) for word in answer.split()[2:]), answer

    def move(self) -> None:
        """One into another folder and, as a new message, back by a copy."""
        self.do(b"UID MOVE %s Drafts" % self.known())

    def copy(self) -> None:
        """Some once more."""
        if self.uids and len(self.uids) < 300:
            self.do(b"COPY %s INBOX" % self.some())

    def idle(self) -> None:
        """A moment of IDLE."""
        self.commands += 1
        tag = b"i%d" % self.commands
        self.wire.send(tag + b" IDLE\r\n")
        while not (line := self.wire.response()).startswith(b"+"):
            self.follow(b"IDLE", line)
        self.wire.send(b"DONE\r\n")
        for answer in self.wire.until_tag(tag)[:-1]:
            self.follow(b"IDLE", answer)

    ACTIONS = (append, append, append, store, store, fetch, fetch, fetch_by_uid, noop, expunge, expunge_by_uid, search,
               move, copy, idle)  # fmt: skip

    def settled(self) -> dict[int, frozenset[bytes]]:
        """After NOOP: uid -> flags of everything it believes to be there."""
        self.do(b"NOOP")
        unknown = [str(i).encode() for i, uid in enumerate(self.uids, 1) if uid is None]
        if unknown:
            self.do(b"FETCH %s (UID FLAGS)" % b",".join(unknown))
        assert None not in self.uids
        assert self.uids == sorted(set(self.uids))  # type: ignore[type-var]
        return {uid: self.flags.get(uid, frozenset()) for uid in self.uids if uid is not None}


def deliver_and_collect(server: Server, user: str, end: float, failures: list[BaseException]) -> None:
    """Mail comes in; now and then POP3 takes one away."""
    rng = random.Random(user)
    try:
        while time.monotonic() < end:
            server.deliver(messages.make(f"in-{time.monotonic_ns()}", size=400, to=user), user)
            if rng.random() < 0.2:
                client = server.pop3(user)
                if client.stat()[0]:
                    client.dele(1)
                client.quit()
    except BaseException as error:  # noqa: BLE001  # handed to the test, which fails with it
        failures.append(error)


@pytest.mark.parametrize("seed", [1, 2])
def test_everybody_agrees(server: Server, seed: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Six sessions, a deliverer and a POP3 client for some seconds."""
    user = server.add_user(f"crowd{seed}@example.test")
    sessions = [Follower(server, user, seed * 100 + i) for i in range(6)]
    end = time.monotonic() + SECONDS
    failures: list[BaseException] = []
    threads = [threading.Thread(target=session.work, args=(end,)) for session in sessions]
    threads.append(threading.Thread(target=deliver_and_collect, args=(server, user, end, failures)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 30)
    try:
        for failure in [*failures, *(session.failure for session in sessions)]:
            if failure is not None:
                raise failure
        with capsys.disabled():
            print(f"\n{sum(session.commands for session in sessions)} commands of {len(sessions)} sessions")
        truth = Follower(server, user, 0)
        expected = truth.settled()
        for session in sessions:
            found = session.settled()
            assert found.keys() == expected.keys()
            assert found == expected, {u: (found[u], expected[u]) for u in found if found[u] != expected[u]}
        truth.wire.close()
    finally:
        for session in sessions:
            session.wire.close()
