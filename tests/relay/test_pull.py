"""From mailboxes into the spool: datagrams and files, who may send in whose name, what is refused."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from store.outbox import marker_path, poke
from tests.relay.test_engine import inbox
from tests.relay.world import HOST, Relay
from workers.relay.pull import Puller, complete
from workers.relay.spool import NewMail, Spool

ALICE, BOB, BOSS = (MailboxRef(f"{name}@example.test") for name in ("alice", "bob", "boss"))


class Site(Relay):
    """A relay that asks mailboxes."""

    def start(self) -> None:
        super().start()
        (self.folder / "run").mkdir(exist_ok=True)
        self.puller = Puller(
            str(self.folder), self.people, self.store, self.disk, self.engine, self.local, lambda: self.settings, HOST,
            lambda: self.now,
        )  # fmt: skip
        self.puller.start()

    def stop(self) -> None:
        self.puller.stop()
        super().stop()

    def submit(
        self, sender: str = "", author: str = "", size: int = 10, to: str = "x@elsewhere.test", **more: bool
    ) -> None:
        sender = sender or ALICE.maildir
        signed = f"Sender: <{sender}>\r\n" if author and not more.get("send_as") else ""
        raw = f"From: <{author or sender}>\r\n{signed}Subject: s\r\n\r\n".encode() + b"x" * 62 + b"\r\n"
        raw += (b"y" * 62 + b"\r\n") * (size // 64)
        call = g.SubmitMime(raw, [to], sender, b"", g.Options(send_as=more.get("send_as", False)))
        self.store.call(MailboxRef(sender), call, actor=sender)

    def waiting(self, box: MailboxRef = ALICE) -> int:
        return len(self.store.mailbox(box.maildir)._runner.tx.db.execute("SELECT id FROM outgoing").fetchall())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()


def test_a_datagram_brings_it(site: Site) -> None:
    site.submit()
    poke(str(site.folder), ALICE.maildir)
    [(sender, recipients, octets, _)] = site.until(lambda: site.server.mails)
    assert (sender, recipients) == (ALICE.maildir, ["x@elsewhere.test"])
    assert octets.count(b"\r\nMessage-ID: <") == octets.count(b"\r\nDate: ") == 1
    site.until(lambda: not site.waiting())


def test_a_file_brings_it(site: Site) -> None:
    site.stop()
    site.submit()
    marker = Path(marker_path(str(site.folder), ALICE.maildir))
    marker.parent.mkdir()
    marker.write_text(ALICE.maildir)
    site.start()
    site.until(lambda: site.server.mails)


def test_long_mails_come_in_pieces(site: Site) -> None:
    for _ in range(3):
        site.submit(size=3 << 20)
    site.server.extensions[:] = []
    site.puller.ask(ALICE.maildir)
    site.until(lambda: len(site.server.mails) == 3)
    assert {len(mail[2]) > 3 << 20 for mail in site.server.mails} == {True}
    assert len({mail[2].partition(b"Subject")[2] for mail in site.server.mails}) == 1


def test_a_mail_that_was_taken_is_not_taken_again(site: Site) -> None:
    """The store died before it knew that the relay has it."""
    site.submit()
    tx = site.store.mailbox(ALICE.maildir)._runner.tx
    [before] = tx.db.execute("SELECT * FROM outgoing").fetchall()
    site.puller.ask(ALICE.maildir)
    site.until(lambda: not site.waiting() and site.server.mails)
    with tx.db:
        tx.db.execute("INSERT INTO outgoing VALUES (?,?,?,?,?,?,0,0,?)", (*before[:6], b"Subject: again\r\n\r\n"))
    site.puller.ask(ALICE.maildir)
    site.until(lambda: not site.waiting())
    site.submit(to="y@elsewhere.test")
    site.puller.ask(ALICE.maildir)
    site.until(lambda: len(site.server.mails) == 2)
    assert [mail[1] for mail in site.server.mails] == [["x@elsewhere.test"], ["y@elsewhere.test"]]


@pytest.mark.parametrize(
    ("kind", "send_as", "sent"),
    [(0, False, False), (x.DELEGATES, False, True), (x.DELEGATES, True, False), (x.SENDERS, False, True),
     (x.SENDERS, True, True)],
)  # fmt: skip
def test_in_the_name_of_another(site: Site, kind: int, send_as: bool, sent: bool) -> None:
    if kind:
        site.store.call(BOSS, x.SetDelegates(kind, [ALICE.maildir]), actor=BOSS.maildir)
    site.submit(author=BOSS.maildir, send_as=send_as)
    site.puller.ask(ALICE.maildir)
    site.until(lambda: not site.waiting())
    if sent:
        site.until(lambda: site.server.mails)
        assert inbox(site, ALICE.maildir) == []
        return
    [raw] = site.until(lambda: inbox(site, ALICE.maildir))
    report = email.message_from_bytes(raw, policy=email.policy.default)
    status = report.get_payload(1).get_payload(1)  # type: ignore[union-attr]
    assert (status["Status"], site.server.mails) == ("5.7.60", [])  # type: ignore[index]


@pytest.mark.parametrize(
    ("before", "after", "sent"),
    [(x.DELEGATES, 0, False), (x.SENDERS, 0, False), (x.SENDERS, x.DELEGATES, False), (x.DELEGATES, x.SENDERS, True),
     (x.DELEGATES, x.DELEGATES, True)],
)  # fmt: skip
def test_a_delegate_who_is_none_any_more_when_it_is_due(site: Site, before: int, after: int, sent: bool) -> None:
    site.store.call(BOSS, x.SetDelegates(before, [ALICE.maildir]), actor=BOSS.maildir)
    signed = "" if before == x.SENDERS else f"Sender: <{ALICE.maildir}>\r\n"
    raw = f"From: <{BOSS.maildir}>\r\n{signed}Subject: later\r\n\r\nt\r\n".encode()
    due = int(site.store.mailbox(BOSS.maildir)._runner.tx.clock()) + 3600
    call = g.SubmitMime(raw, ["x@elsewhere.test"], ALICE.maildir, b"", due=due)
    site.store.call(BOSS, call, actor=ALICE.maildir)
    site.store.call(BOSS, x.SetDelegates(before, []), actor=BOSS.maildir)
    if after:
        site.store.call(BOSS, x.SetDelegates(after, [ALICE.maildir]), actor=BOSS.maildir)
    tx = site.store.mailbox(BOSS.maildir)._runner.tx
    with tx.db:
        tx.db.execute("UPDATE outgoing SET due = 0")
    site.puller.ask(BOSS.maildir)
    site.until(lambda: not site.waiting(BOSS))
    if sent:
        site.until(lambda: site.server.mails)
        return
    [raw] = site.until(lambda: inbox(site, ALICE.maildir))
    assert b"550 5.7.60 alice@example.test may no longer send in the name of boss@example.test" in raw
    assert not site.server.mails


def test_one_bad_mail_does_not_hold_up_the_others(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*args: object) -> None:
        raise MapiError(Ec.ecUnknownUser, "no such mailbox")

    monkeypatch.setattr("workers.relay.pull.represented", gone)
    pieces = site.puller._pieces
    lost = [True]

    def broken(where: MailboxRef, mail: g.Outgoing) -> Any:
        if lost.pop():
            raise MapiError(Ec.ecNotFound, "content")
        return pieces(where, mail)

    monkeypatch.setattr(site.puller, "_pieces", broken)
    site.submit(author=BOSS.maildir)
    site.submit(size=9 << 20, to="lost@elsewhere.test")
    site.submit()
    site.puller.ask(ALICE.maildir)
    site.until(lambda: not site.waiting())
    site.until(lambda: site.server.mails)
    assert [mail[1] for mail in site.server.mails] == [["x@elsewhere.test"]]
    reports = site.until(lambda: len(found := inbox(site, ALICE.maildir)) == 2 and found)
    assert sorted(b"5.7.60" in one for one in reports) == [False, True]
    assert any(b"its content is lost" in one and b"lost@elsewhere.test" in one for one in reports)


def test_a_fault_that_nobody_knows_is_the_one_mail_s(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    add = Spool.add

    def faulty(spool: Spool, new: NewMail, now: float) -> int:
        if "bad@elsewhere.test" in new.recipients:
            raise ZeroDivisionError("a bug")
        return add(spool, new, now)

    monkeypatch.setattr(Spool, "add", faulty)
    for to in ("x@elsewhere.test", "bad@elsewhere.test", "y@elsewhere.test"):
        site.submit(to=to)
    site.puller.ask(ALICE.maildir)
    site.until(lambda: len(site.server.mails) == 2 and not site.waiting())
    assert sorted(mail[1][0] for mail in site.server.mails) == ["x@elsewhere.test", "y@elsewhere.test"]
    [report] = site.until(lambda: inbox(site, ALICE.maildir))
    assert b"cannot be put into the queue" in report
    [kept] = (site.folder / "spool" / "apart").iterdir()
    assert kept.read_bytes().endswith(b"Subject: s\r\n\r\n" + b"x" * 62 + b"\r\n")


def test_an_alias_is_one_s_own_name_and_nobody_s_is_none(site: Site) -> None:
    site.submit(author="alias@example.test")
    site.submit(author="nobody@example.test")
    site.puller.ask(ALICE.maildir)
    site.until(lambda: inbox(site, ALICE.maildir) and site.server.mails)
    assert len(site.server.mails) == 1
    assert b"From: <alias@example.test>" in site.server.mails[0][2]


def test_a_store_that_is_away_is_asked_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.submit()
    real, failing = site.store.call, [True, True]

    def call(mailbox: MailboxRef, call: object, **more: object) -> object:
        if failing and isinstance(call, g.GetOutgoing):
            failing.pop()
            raise MapiError(Ec.ecNetwork, "away")
        return real(mailbox, call, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(site.store, "call", call)
    monkeypatch.setattr("workers.relay.pull.RETRY_MIN", 0.02)
    site.puller.ask(ALICE.maildir)
    site.until(lambda: site.server.mails)


def test_what_is_due_later_comes_later(site: Site) -> None:
    raw = b"From: <alice@example.test>\r\n\r\nx\r\n"
    call = g.SubmitMime(raw, ["x@elsewhere.test"], ALICE.maildir, b"", due=2_000_000_000)
    site.store.call(ALICE, call, actor=ALICE.maildir)
    site.puller.ask(ALICE.maildir)
    site.until(lambda: site.puller._timers)
    assert (site.puller._timers[ALICE.maildir][0], site.waiting(), site.server.mails) == (2_000_000_000.0, 1, [])


def test_a_mailbox_with_nothing_is_no_longer_marked(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = site.store.call

    def call(mailbox: MailboxRef, call: object, **more: object) -> object:
        asked.append(type(call).__name__)
        return real(mailbox, call, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(site.store, "call", call)
    site.puller.ask(ALICE.maildir)
    site.until(lambda: asked)
    gevent.sleep(0)
    site.puller.ask(ALICE.maildir, last=True)
    site.until(lambda: "OutgoingTaken" in asked)
    assert asked[-1] == "OutgoingTaken"
    assert site.store.call(ALICE, g.GetOutgoing(), actor=SYSTEM).mails == []


def test_octets_are_made_whole() -> None:
    token = b"\xab" * 16
    made = complete(b"subject: s\r\n\r\ndate: x\r\n", token, "h", 0)
    assert made.endswith(
        b" 1970 00:00:00 +0000\r\nMessage-ID: <" + token.hex().encode() + b"@h>\r\nsubject: s\r\n\r\ndate: x\r\n"
    )
    whole = b"message-id: <x@y>\r\nDATE: now\r\n\r\n"
    assert complete(whole, token, "h", 0) == whole
