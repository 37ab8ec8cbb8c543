"""Spoiled mail all the way: delivered to a mailbox with rules, opened, read, changed, seen by IMAP, deleted.

A long run by hand: `python -m tests.hostile.campaign --rounds 20000 --seed 7`.
"""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from gromoxd.convert.digest import digest_at_once, digest_message
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.oofcalls import OofSettings, SetOof
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import And, Content, Exist, Or, Property, Size, SubObject
from gromoxd.mapi.rules import ActionBlock, ActionType, Tag
from gromoxd.mapi.values import TaggedPropertyValue
from tests.hostile.mails import spoiled
from tests.store.conftest import INBOX, OWNER, Harness
from tests.store.mapi import rulebox as r

T = TypeVar("T")
SENDERS = ("sam@example.org", "", "anna@example.org", "a@b.example", OWNER)
BODIES = [p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed, p.PidTagBodyHtml]
CALENDAR = 0x0F
DEEPEST = 4
ACCEPTED = frozenset((Ec.ecNotFound, Ec.ecTooBig))
"""What a call on a message may answer: a value that a broken part does not have after all, a form too large."""


class Campaign(logging.Handler):
    """A mailbox with everything on. `slowest`: what took longest of what runs in a loop: (seconds, call, mail)."""

    def __init__(self, folder: Path) -> None:
        super().__init__(logging.ERROR)
        self.box = Harness(folder)
        self.box.clock = 1_798_000_000.0
        self.errors: list[str] = []
        self.slowest: dict[str, tuple[float, int, str]] = {}
        self.where = ""
        self.size = 0
        self.copies = r.folder(self.box, "Copies")
        self.moved = r.folder(self.box, "Moved")
        self.places = (INBOX, self.moved, self.copies)
        self._set_up()
        for name in ("store", "gromoxd"):
            logging.getLogger(name).addHandler(self)

    def close(self) -> None:
        for name in ("store", "gromoxd"):
            logging.getLogger(name).removeHandler(self)
        self.box.close()
        super().close()

    def emit(self, record: logging.LogRecord) -> None:
        """An error in the log is a bug."""
        text = logging.Formatter("%(message)s").format(record)
        self.errors.append(f"{self.where}: {text} {getattr(record, 'error', '')}")

    def _set_up(self) -> None:
        tag = Tag(TaggedPropertyValue(p.PidTagImportance, 2))
        contains = r.containing
        person = SubObject(p.PidTagMessageRecipients, contains("c@d.example", p.PidTagEmailAddress))
        file = SubObject(p.PidTagMessageAttachments, contains(".bin", p.PidTagAttachLongFilename))
        r.add(
            self.box,
            r.standard(contains("zebra", p.PidTagBody), r.moving(self.moved), name="body"),
            r.standard(And((person, contains("x", p.PidTagBody))), ActionBlock(ActionType.OP_TAG, tag), name="person"),
            r.standard(file, r.copying(self.copies), name="file", sequence=11),
            r.standard(contains("X-O: ", p.PidTagTransportMessageHeaders), r.copying(self.moved), name="header"),
            r.standard(Property(4, p.PidTagSenderEmailAddress, "a@b.example"), r.MARK_READ, name="sender"),
            r.standard(Or((Exist(p.PidTagHtml), Size(2, p.PidTagRtfCompressed, 10))),
                       r.forwarding("boss@example.net"), name="rich", sequence=12),
            r.standard(Content(2, 1, p.PidTagMessageClass, "REPORT"), r.moving(self.moved), name="reports"),
        )  # fmt: skip
        r.extended(self.box, contains("level 5", p.PidTagSubject), r.forwarding("list@example.net", flavor=4))
        self.box.call(SetOof(OofSettings(1, text="Away.", external_text="Away.", audience=2)), actor=OWNER)

    # -------------------------------------------------------------------------------------------- one mail

    def timed(self, what: str, work: Callable[[], T]) -> T:
        """A step that runs in a loop; the CPU that it took is remembered if it is the most."""
        begun = time.thread_time()
        try:
            return work()
        finally:
            seconds = time.thread_time() - begun
            if seconds > self.slowest.get(what, (0.0,))[0]:
                self.slowest[what] = (seconds, self.size, self.where)

    def read(self, call: c.Call[Any]) -> Any:
        """A read as the service does it, in the loop or on a thread. None for what is not there after all."""
        try:
            if self.box.box.is_long(call):
                return self.timed(f"long {type(call).__name__}", lambda: self.box.call(call))
            return self.timed(type(call).__name__, lambda: self.box.call(call))
        except MapiError as error:
            assert error.code in ACCEPTED, f"{self.where}: {call!r:.200}: {error}"
            return None

    def round(self, seed: int) -> None:
        """Deliver, look at, change and delete one spoiled mail."""
        chance = random.Random(seed)
        name, raw = spoiled(chance)
        self.whole(f"seed {seed} ({name})", raw, chance)

    def whole(self, where: str, raw: bytes, chance: random.Random | None = None) -> None:
        """One mail from delivery to deletion."""
        chance = chance or random.Random(where)
        self.where, self.size = where, len(raw)
        stored = self.deliver(raw, chance)
        assert stored.fid in self.places, self.where
        if stored.mid == 0:
            raise AssertionError(f"{self.where}: lost")
        (content,) = self.read(c.GetContents(stored.fid, [(stored.uid, stored.uid)]))
        assert content.raw == raw, f"{self.where}: other octets"
        self.look(stored.mid, [])
        self.imap(stored.fid, stored.uid)
        self.change(stored, chance)
        self.sweep(chance)
        assert self.errors == [], self.errors

    def deliver(self, raw: bytes, chance: random.Random) -> c.Stored:
        """And see that it is in the mailbox once, copies aside."""
        before = self.count()
        received = 1_798_000_000
        digest = self.timed("digest in the loop", lambda: digest_at_once(raw, received=received))
        if digest is None:
            digest = self.timed("long digest", lambda: digest_message(raw, received=received))
        call = c.Deliver(
            c.NewMessage(digest, raw, received), chance.choice(SENDERS), self.box.request_id(), b"", OWNER,
            chance.random() < 0.5, "", c.Booking(accepts=chance.random() < 0.3),
        )  # fmt: skip
        stored: c.Stored = self.write(call)
        made = self.count() - before
        assert 1 <= made <= 3, f"{self.where}: {made} messages"
        return stored

    def count(self) -> int:
        sql = "SELECT count(*) FROM messages WHERE fid IN (?, ?, ?)"
        return int(self.box.sql(sql, *self.places)[0][0])

    def write(self, call: c.Call[Any]) -> Any:
        begun = time.perf_counter()
        result = self.box.call(call)
        seconds, what = time.perf_counter() - begun, f"write {type(call).__name__}"
        if seconds > self.slowest.get(what, (0.0,))[0]:
            self.slowest[what] = (seconds, self.size, self.where)
        return result

    def look(self, mid: int, path: list[int]) -> None:
        """Everything of a message, and of those within."""
        message = self.read(o.OpenMessage(mid, path))
        if message is None:
            return
        self.read(o.OpenMessage(mid, path, o.PROPS, BODIES))
        for tag in message.big:
            self.read(o.ReadValue(mid, tag, 0, 1 << 20, path))
        for one in message.attachments[:5]:
            if one.embedded and len(path) < DEEPEST:
                self.look(mid, [*path, one.num])
            self.read(o.ReadValue(mid, p.PidTagAttachDataBinary, 0, 1 << 20, path, one.num))
            for tag in one.big:
                self.read(o.ReadValue(mid, tag, 100, 1000, path, one.num))

    def imap(self, fid: int, uid: int) -> None:
        """What IMAP asks for."""
        ranges = [(uid, uid)]
        (piece,) = self.read(c.GetPieces(fid, ranges, c.ENVELOPE | c.BODYSTRUCTURE | c.HEADER | c.PARTS))
        assert piece.envelope.startswith(b"(") and piece.bodystructure.startswith(b"(") and piece.parts
        terms = [c.Term("text", "zebra"), c.Term("body", "e"), c.Term("header", "", "X-O"), c.Term("from", "anna")]
        self.read(c.SearchText(fid, ranges, terms))

    def change(self, stored: c.Stored, chance: random.Random) -> None:
        """Another subject, so that the form is made of the properties; now and then another body too."""
        changes: dict[int, Any] = {p.PidTagSubject: chance.choice(("changed", "Re: \u00e4", "", "x" * 300))}
        if chance.random() < 0.3:
            changes[p.PidTagBody] = "another text"
        call = o.SaveMessage(stored.fid, stored.mid, 0, o.Changes(changes), self.box.request_id(), True)
        try:
            saved = self.write(call)
        except MapiError as error:
            assert error.code in ACCEPTED, f"{self.where}: save: {error}"
            return
        (content,) = self.read(c.GetContents(saved.fid, [(saved.uid, saved.uid)]))
        made = content.raw or self.read(c.ReadContent(saved.fid, saved.uid, 0, 1 << 20))
        assert b"Subject:" in made or not changes[p.PidTagSubject] or b"pkcs7" in made, self.where
        self.look(saved.mid, [])
        self.imap(saved.fid, saved.uid)

    def sweep(self, chance: random.Random) -> None:
        """Delete what is there, by MAPI or IMAP, now and then."""
        if chance.random() < 0.8:
            return
        for fid in self.places:
            if chance.random() < 0.5:
                self.write(c.Expunge(fid, [(1, 0xFFFFFFFF)], False))
            else:
                mids = [mid for (mid,) in self.box.sql("SELECT mid FROM messages WHERE fid=?", fid)]
                self.write(o.DeleteMessages(fid, mids, False))


def slow(campaign: Campaign) -> Iterator[str]:
    """A line for each kind of call."""
    for what, (seconds, size, where) in sorted(campaign.slowest.items()):
        yield f"{what:24} {seconds * 1000:8.1f} ms  {size:7} octets  {where}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder) / "box")
        for number in range(options.seed, options.seed + options.rounds):
            try:
                campaign.round(number)
            except Exception as error:  # noqa: BLE001  each is to be looked at
                print(f"{campaign.where}: {type(error).__name__}: {str(error)[:600]}")
                campaign.errors.clear()
        print("\n".join(slow(campaign)))
        campaign.close()


if __name__ == "__main__":
    main()
