"""Several clients on one mailbox do random things; each follows the untagged answers, and in the end all agree.

What a client knows is checked against every answer: a number never means another uid, EXPUNGE comes only where it may,
flags that were told stay true, and after NOOP everybody has what the folder has.
"""

from __future__ import annotations

import random
import re

import pytest

from gromoxd.exmdb.api import MailboxRef
from tests.imap.harness import Client, World, message

FLAGS = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft", "$a", "$b"]
NO_EXPUNGE = ("FETCH", "STORE", "SEARCH")


class Follower:
    """A client's idea of its mailbox: per message the uid and the flags, None when not known."""

    def __init__(self, client: Client, condstore: bool) -> None:
        self.client = client
        self.uids: list[int | None] = []
        self.flags: list[set[bytes] | None] = []
        self.modseqs: list[int] = []
        self.condstore = condstore
        self.do("SELECT INBOX" + (" (CONDSTORE)" if condstore else ""))
        self.do("FETCH 1:* (UID FLAGS)")

    def do(self, line: str, literal: bytes | None = None) -> None:
        lines = self.client.command(line, literal)
        for answer in lines[:-1]:
            self.follow(line, answer)
        assert lines[-1].startswith((b"OK", b"NO [EXPUNGEISSUED]", b"NO [TRYCREATE]")), (line, lines[-1])

    def follow(self, command: str, answer: bytes) -> None:
        if found := re.fullmatch(rb"\* (\d+) EXPUNGE", answer):
            assert not command.startswith(NO_EXPUNGE), command
            number = int(found[1])
            for column in (self.uids, self.flags, self.modseqs):
                del column[number - 1]
        elif found := re.fullmatch(rb"\* (\d+) EXISTS", answer):
            more = int(found[1]) - len(self.uids)
            assert more >= 0
            self.uids += [None] * more
            self.flags += [None] * more
            self.modseqs += [0] * more
        elif found := re.match(rb"\* (\d+) FETCH \((.*)\)\Z", answer, re.DOTALL):
            self.fetched(int(found[1]) - 1, found[2])

    def fetched(self, at: int, text: bytes) -> None:
        assert 0 <= at < len(self.uids)
        if found := re.search(rb"\bUID (\d+)", text):
            assert self.uids[at] in (None, int(found[1]))
            self.uids[at] = int(found[1])
        if found := re.search(rb"FLAGS \(([^)]*)\)", text):
            self.flags[at] = set(found[1].split()) - {b"\\Recent"}
        if found := re.search(rb"MODSEQ \((\d+)\)", text):
            assert int(found[1]) >= self.modseqs[at]
            self.modseqs[at] = int(found[1])

    def settle(self) -> None:
        self.do("NOOP")
        self.do("UID FETCH 1:* (UID)")
        for at, flags in enumerate(self.flags):
            if flags is None:
                self.do(f"FETCH {at + 1} FLAGS")

    def act(self, rng: random.Random) -> None:
        n = len(self.uids)
        if not n or rng.random() < 0.2:
            flags = " ".join(rng.sample(FLAGS, rng.randrange(3)))
            return self.do(f"APPEND INBOX ({flags})", message(rng.randrange(99)))
        a, b = sorted((rng.randint(1, n), rng.randint(1, n)))
        what = rng.randrange(12)
        flags = " ".join(rng.sample(FLAGS, rng.randrange(1, 3)))
        sign, silent, uid = rng.choice(["", "+", "-"]), rng.choice(["", ".SILENT"]), rng.choice(["", "UID "])
        if uid and self.uids[a - 1] is None:
            uid = ""
        where = f"{self.uids[a - 1]}:*" if uid else f"{a}:{b}"
        line = {
            0: f"{uid}FETCH {where} (FLAGS)",
            1: f"{uid}FETCH {where} (BODY[TEXT])",
            2: f"{uid}FETCH {where} (UID ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
            3: "NOOP",
            4: "EXPUNGE",
            5: f"{uid}SEARCH {rng.choice(['UNSEEN', 'TEXT hello', 'NOT DELETED', 'KEYWORD $a'])}",
            6: f"{uid}MOVE {where} Drafts",
            7: f"{uid}COPY {where} INBOX",
        }.get(what, f"{uid}STORE {where} {sign}FLAGS{silent} ({flags})")
        if silent and line.startswith((f"{uid}STORE",)):
            return self.store_silently(line, uid, a, b, sign, flags)
        return self.do(line)

    def store_silently(self, line: str, uid: str, a: int, b: int, sign: str, flags: str) -> None:
        """The client applies to its own idea what it has asked for, then follows."""
        words = set(flags.encode().split())
        last = len(self.uids) if uid else b
        before = list(self.flags)
        for at in range(a - 1, last):
            known = self.flags[at]
            if known is not None:
                self.flags[at] = known | words if sign == "+" else known - words if sign == "-" else set(words)
            elif sign == "":
                self.flags[at] = set(words)
        gone = len(before)
        self.do(line)
        assert len(self.flags) <= gone + 100


@pytest.mark.parametrize("seed", range(25))
def test_all_agree(seed: int) -> None:
    rng = random.Random(seed)
    world = World()
    first = world.login()
    for n in range(rng.randrange(8)):
        first.append(message(n), flags=" ".join(rng.sample(FLAGS, rng.randrange(3))))
    if seed % 5 == 4:
        world.store.published = lambda mailbox, key: None
    followers = [Follower(world.login(), rng.random() < 0.5) for _ in range(3)]
    for _ in range(rng.randrange(20, 60)):
        rng.choice(followers).act(rng)
        if rng.random() < 0.1:
            world.store.forget_published()
    for follower in followers:
        follower.settle()
    ideas = [list(zip(f.uids, f.flags, strict=True)) for f in followers]
    assert ideas[0] == ideas[1] == ideas[2]
    fresh = Follower(world.login(), False)
    assert list(zip(fresh.uids, fresh.flags, strict=True)) == ideas[0]
    box = world.store._mailboxes[MailboxRef("/var/alice@example.test").maildir]
    assert [uid for uid, _ in ideas[0]] == list(box.folders[13].messages)
    assert world.board.get("internal_errors") == 0
