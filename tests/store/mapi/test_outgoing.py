"""What goes out of a mailbox: rows, references, the marker file and the datagram, submissions and what follows them."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb import upkeepcalls as k
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.pages import DRAFT, SEEN
from gromoxd.mapi import proptags as p
from gromoxd.mapi.times import filetime
from store.mailbox import WRITES, Mailbox
from store.mapi import outgoing
from store.outbox import SiteOutbox, marker_path
from store.transaction import Transaction
from tests.store.conftest import OWNER, SENT, Harness, mail

OUTBOX = 0x0C
GUEST = "dora@example.test"


class Site(Harness):
    """A harness whose mailbox tells a relay, which is this test."""

    def __init__(self, folder: Path) -> None:
        self.site = folder
        (folder / "run").mkdir(parents=True)
        self.relay = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.relay.bind(str(folder / "run" / "relay.sock"))
        self.relay.setblocking(False)
        super().__init__(folder / "box")

    def open(self) -> None:
        maildir = str(self.folder)
        self.box = Mailbox(
            maildir, owner=OWNER, node="node1", settings=self.settings, arena=self.arena, notify=self.told.append,
            is_alive=lambda instance: instance in self.alive, now=lambda: self.clock,
            outbox=SiteOutbox(str(self.site), maildir),
        )  # fmt: skip

    @property
    def marked(self) -> bool:
        return Path(marker_path(str(self.site), str(self.folder))).exists()

    def heard(self) -> list[str]:
        told = []
        while True:
            try:
                told.append(self.relay.recv(4096).decode())
            except BlockingIOError:
                return told

    @property
    def tx(self) -> Transaction:
        return self.box._runner.tx

    def faults(self) -> list[str]:
        kinds = ("contents", "content-refs", "lost", "counters", "data-refs", "orphans", "sizes", "figures")
        return [one.text for kind in kinds for one in self.call(k.CheckMailbox(kind)).faults]

    def get(self, **more: Any) -> g.OutgoingMail:
        answer: g.OutgoingMail = self.call(g.GetOutgoing(**more))
        return answer

    def draft(self, fid: int = OUTBOX, actor: str = OWNER, kinds: tuple[int, ...] = (1,), **props: Any) -> int:
        recipients = [
            {p.PidTagRecipientType: kind, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: f"r{n}@example.org"}
            for n, kind in enumerate(kinds)
        ]
        bag = {p.PidTagSubject: "To be sent", p.PidTagBody: "text"}
        bag |= {getattr(p, f"PidTag{name}"): value for name, value in props.items()}
        save = o.SaveMessage(fid, 0, 0, o.Changes(bag, recipients=recipients), self.request_id())
        mid: int = self.call(save, actor=actor).mid
        return mid

    def submit(self, mid: int, actor: str = OWNER, **more: Any) -> g.Submitted:
        done: g.Submitted = self.call(g.SubmitMessage(mid, self.request_id(), **more), actor=actor)
        return done

    def only(self, fid: int = SENT) -> int:
        """The one message in a folder."""
        (page,) = self.pages(fid).values()
        (mid,) = page[1].mids
        return int(mid)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    yield made
    made.close()
    made.relay.close()


def sends(site: Site, **more: Any) -> None:
    """What `send` does, in a transaction of its own."""
    real = WRITES[c.Subscribe]
    site.box._runner._handlers[c.Subscribe] = lambda tx, call: (outgoing.send(tx, **more), c.Done())[1]
    try:
        site.call(c.Subscribe("x", True))
    finally:
        site.box._runner._handlers[c.Subscribe] = real


def test_raw_is_kept_until_it_is_taken(site: Site) -> None:
    sends(site, sender="a@example.test", recipients=["b@example.org", "c@example.org", "b@example.org"], raw=mail(1))
    assert (site.marked, site.heard()) == (True, [str(site.folder)])
    answer = site.get()
    (one,) = answer.mails
    assert (one.sender, one.recipients, one.raw, one.size) == (
        "a@example.test", ["b@example.org", "c@example.org"], mail(1), len(mail(1)),
    )  # fmt: skip
    assert (answer.owner, answer.left, answer.next_due, len(one.options.token)) == (OWNER, False, 0, 16)
    assert site.faults() == []
    site.call(g.OutgoingTaken([one.id]))
    assert (site.get().mails, site.marked) == ([], True)
    site.call(g.OutgoingTaken([one.id]))
    site.call(g.OutgoingTaken([]))
    assert not site.marked
    assert site.tx.db.execute("SELECT count(*) FROM content").fetchone() == (0,)


@pytest.mark.parametrize("size", [100, 2 << 20])
def test_a_delivered_mail_is_sent_on_without_a_copy(site: Site, size: int) -> None:
    raw = mail(1, "x" * size)
    stored = site.append(raw)
    sends(site, sender="", recipients=["b@example.org"], head=b"Resent: yes\r\n", cid=stored.mid, offset=6)
    assert site.tx.db.execute("SELECT count(*) FROM content").fetchone() == (1,)
    assert site.faults() == []
    site.call(c.Expunge(stored.fid, [(1, 9)], False))
    assert site.faults() == []
    (one,) = site.get(octets=8 << 20).mails
    wanted = b"Resent: yes\r\n" + raw[6:]
    assert (one.raw, one.size) == (wanted, len(wanted))
    pieces = b"".join(site.call(g.ReadOutgoing(one.id, at, 1000)) for at in range(0, min(size, 5000), 1000))
    assert pieces == wanted[: len(pieces)]
    assert site.call(g.ReadOutgoing(one.id, len(wanted) - 7, 100)) == wanted[-7:]
    site.call(g.OutgoingTaken([one.id]))
    assert site.tx.db.execute("SELECT count(*) FROM content").fetchone() == (0,)


def test_what_is_long_is_read_in_pieces(site: Site) -> None:
    for number in range(4):
        sends(site, sender="", recipients=["b@example.org"], raw=mail(number, "x" * 3000 * number))
    answer = site.get(octets=5000)
    assert [(len(one.raw) == one.size, one.size > 9000) for one in answer.mails] == [(True, False), (True, False)]
    assert answer.left
    site.call(g.OutgoingTaken([one.id for one in answer.mails]))
    first = site.get(octets=5000).mails[0]
    assert (first.raw, site.call(g.ReadOutgoing(first.id, 0, first.size))) == (b"", mail(2, "x" * 6000))
    assert site.refused(g.ReadOutgoing(12345, 0, 1)) == Ec.ecNotFound


def test_ids_and_tokens_are_never_used_again(site: Site) -> None:
    seen: set[tuple[int, bytes]] = set()
    for _ in range(3):
        sends(site, sender="", recipients=["b@example.org"], raw=mail(1))
        (one,) = site.get().mails
        seen.add((one.id, one.options.token))
        site.call(g.OutgoingTaken([one.id]))
        site.reopen()
    assert (len({id_ for id_, _ in seen}), len({token for _, token in seen})) == (3, 3)


def test_a_failed_transaction_sends_nothing(site: Site) -> None:
    with pytest.raises(MapiError):
        sends(site, sender="", recipients=["not an address"], raw=mail(1))
    with pytest.raises(MapiError):
        sends(site, sender="", recipients=[f"r{n}@example.org" for n in range(1001)], raw=mail(1))
    assert (site.heard(), site.get().mails) == ([], [])


def test_a_mailbox_tells_again_when_it_is_opened(site: Site) -> None:
    sends(site, sender="", recipients=["b@example.org"], raw=mail(1))
    site.close()
    Path(marker_path(str(site.site), str(site.folder))).unlink()
    site.heard()
    site.open()
    assert (site.marked, site.heard()) == (True, [str(site.folder)])


def test_octets_that_are_lost_are_told(site: Site) -> None:
    sends(site, sender="", recipients=["b@example.org"], raw=mail(1))
    site.tx.db.execute("DELETE FROM content")
    (one,) = site.get().mails
    assert (one.size, one.raw) == (-1, b"")
    assert len(site.faults()) == 1


# ---------------------------------------------------------------------------------------------- submissions


def test_a_submission(site: Site) -> None:
    mid = site.draft(kinds=(1, 2, 3))
    done = site.submit(mid)
    assert (done.due, site.submit(mid)) == (0, done)
    (one,) = site.get().mails
    assert (one.sender, one.recipients, one.mid) == (
        OWNER, ["r0@example.org", "r1@example.org", "r2@example.org"], mid,
    )  # fmt: skip
    assert b"From: <alice@example.test>" in one.raw or b"From: alice@example.test" in one.raw
    assert b"r1@example.org" in one.raw
    assert b"r2@example.org" not in one.raw
    assert b"Date: Fri, 15 Jan 2027" in one.raw
    shown = site.call(o.OpenMessage(mid)).props
    assert shown[p.PidTagMessageFlags] & 0x0C == 0x0C
    assert shown[p.PidTagClientSubmitTime] == filetime(1_800_000_000)
    assert site.faults() == []
    site.call(g.OutgoingTaken([one.id]))
    assert site.state(OUTBOX).exists == 0
    sent = site.call(o.OpenMessage(site.only()))
    assert sent.props[p.PidTagMessageFlags] & 0x0C == 0
    assert [word & (DRAFT | SEEN) for word in site.flags(SENT).values()] == [SEEN]
    assert b"r2@example.org" in next(iter(site.contents(SENT).values()))
    assert site.faults() == []


@pytest.mark.parametrize(
    ("props", "where"),
    [
        ({"DeleteAfterSubmit": True}, 0), ({}, SENT),
        ({"SentMailSvrEID": b"\1\1\0" + b"\0" * 5 + b"\x17" + bytes(12)}, 0x17),
    ],
)  # fmt: skip
def test_where_a_message_goes(site: Site, props: dict[str, Any], where: int) -> None:
    site.submit(site.draft(**props))
    site.call(g.OutgoingTaken([site.get().mails[0].id]))
    assert [fid for fid in (OUTBOX, SENT, 0x17) if site.state(fid).exists] == ([where] if where else [])


def test_it_stays_where_the_client_moves_it_himself(site: Site) -> None:
    site.submit(site.draft(), stays=True)
    site.call(g.OutgoingTaken([site.get().mails[0].id]))
    assert (site.state(OUTBOX).exists, site.state(SENT).exists) == (1, 0)


def test_a_refused_one_is_unsent_again(site: Site) -> None:
    mid = site.draft()
    site.submit(mid)
    site.call(g.OutgoingTaken([], [site.get().mails[0].id]))
    assert site.call(o.OpenMessage(mid)).props[p.PidTagMessageFlags] & 0x0C == 0x08
    assert site.get().mails == []


def test_deferred_and_aborted(site: Site) -> None:
    later = 1_800_000_100
    mid = site.draft(DeferredSendTime=filetime(later))
    assert site.submit(mid).due == later
    assert (site.get().mails, site.get().next_due) == ([], later)
    site.reopen()
    assert site.refused(g.AbortSubmit(site.draft()), actor=OWNER) == Ec.ecNotInQueue
    site.call(g.AbortSubmit(mid), actor=OWNER)
    assert site.get().next_due == 0
    assert site.call(o.OpenMessage(mid)).props[p.PidTagMessageFlags] & 0x0C == 0x08
    assert site.submit(mid).due == later
    site.clock = later
    assert len(site.get().mails) == 1
    assert site.refused(g.AbortSubmit(mid), actor=OWNER) == Ec.ecUnableToAbort
    site.call(g.OutgoingTaken([site.get().mails[0].id]))
    assert site.refused(g.AbortSubmit(mid), actor=OWNER) == Ec.ecUnableToAbort


def test_deferred_by_number_and_unit(site: Site) -> None:
    assert site.submit(site.draft(DeferredSendNumber=2, DeferredSendUnits=1)).due == 1_800_007_200


def test_only_failed_recipients_of_a_resent_message(site: Site) -> None:
    mid = site.draft(kinds=(1, 0x10000001, 0x11000000 | 1), MessageFlags=0x88)
    site.submit(mid)
    assert site.get().mails[0].recipients == ["r1@example.org", "r2@example.org"]


def test_what_cannot_be_submitted(site: Site) -> None:
    assert site.refused(g.SubmitMessage(site.draft(kinds=()), b""), actor=OWNER) == Ec.ecInvalidParam
    assert site.refused(g.SubmitMessage(0x99999, b""), actor=OWNER) == Ec.ecNotFound
    assert site.refused(g.SubmitMessage(site.draft(), b""), actor=GUEST) == Ec.ecAccessDenied
    assert site.get().mails == []


# ---------------------------------------------------------------------------------------------- whose name


def test_the_relay_is_told_whom_it_represents(site: Site) -> None:
    mid = site.draft(SentRepresentingAddressType="SMTP", SentRepresentingEmailAddress="Boss@example.test")
    site.submit(mid)
    (one,) = site.get().mails
    assert (one.options.represents, one.options.send_as, one.sender) == ("boss@example.test", False, OWNER)
    assert b"From: boss@example.test" in one.raw
    assert b"Sender: alice@example.test" in one.raw
    site.call(g.OutgoingTaken([one.id]))
    mid = site.draft(SentRepresentingAddressType="SMTP", SentRepresentingEmailAddress="boss@example.test")
    site.submit(mid, send_as=True)
    (one,) = site.get().mails
    assert (one.options.represents, one.options.send_as) == ("boss@example.test", True)
    assert b"Sender:" not in one.raw


@pytest.mark.parametrize("kind", [x.DELEGATES, x.SENDERS])
def test_a_delegate_in_the_owner_s_mailbox(site: Site, kind: int) -> None:
    site.call(x.ModifyPermissions(OUTBOX, [x.PermissionChange(x.ADD, name=GUEST, rights=0x7FB)]))
    mid = site.draft(actor=GUEST)
    assert site.refused(g.SubmitMessage(mid, b""), actor=GUEST) == Ec.ecAccessDenied
    site.call(x.SetDelegates(kind, [GUEST]))
    site.submit(mid, actor=GUEST)
    (one,) = site.get().mails
    assert (one.sender, one.options.represents) == (GUEST, "")
    assert b"From: alice@example.test" in one.raw
    assert (b"Sender: dora@example.test" in one.raw) is (kind == x.DELEGATES)


def test_headers_that_a_client_brings_are_not_sent(site: Site) -> None:
    forged = (
        "Received: from bank.example by mx.example.test\r\nDKIM-Signature: v=1\r\nFrom: alice@example.test\r\n"
        "From: boss@example.test\r\nSender: boss@example.test\r\nResent-From: boss@example.test\r\n"
        "Authentication-Results: mx.example.test; dkim=pass\r\nReturn-Path: <boss@example.test>\r\n"
    )
    mine: dict[str, Any] = {"SentRepresentingAddressType": "SMTP", "SentRepresentingEmailAddress": OWNER}
    site.submit(site.draft(TransportMessageHeaders=forged, **mine))
    (one,) = site.get().mails
    header = one.raw.partition(b"\r\n\r\n")[0]
    assert header.count(b"\nFrom:") == 1 and b"\nFrom: alice@example.test\r\n" in header
    for word in (b"boss", b"Received", b"DKIM", b"Authentication"):
        assert word not in header
    site.call(g.OutgoingTaken([one.id]))


def test_a_mail_that_came_is_sent_without_its_trace(site: Site) -> None:
    stored = site.append(b"Received: from a by b\r\nX-Was: here\r\n" + mail(1))
    recipients = [{p.PidTagRecipientType: 1, p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: "r@example.org"}]
    change = o.Changes({p.PidTagSentRepresentingEmailAddress: OWNER}, recipients=recipients)
    site.call(o.SaveMessage(stored.fid, stored.mid, 0, change, site.request_id(), force=True), actor=OWNER)
    site.submit(stored.mid)
    (one,) = site.get().mails
    header = one.raw.partition(b"\r\n\r\n")[0]
    assert b"Received" not in header and b"X-Was" not in header and header.count(b"\nFrom:") == 1
    assert site.faults() == []


# ---------------------------------------------------------------------------------------------- octets


def octets(sender: str, more: str = "") -> bytes:
    return f"From: <{sender}>\r\nTo: b@example.org\r\n{more}Subject: s\r\n\r\ntext\r\n".encode()


def test_octets_are_sent_without_bcc_and_kept_with_it(site: Site) -> None:
    raw = octets(OWNER, "Bcc: x@example.org,\r\n y@example.org\r\n")
    call = g.SubmitMime(raw, ["b@example.org", "x@example.org"], OWNER, site.request_id(), save_fid=SENT)
    done = site.call(call, actor=OWNER)
    assert site.call(call, actor=OWNER) == done
    (one,) = site.get().mails
    assert one.raw == octets(OWNER)
    assert list(site.contents(SENT).values()) == [raw]
    assert site.faults() == []
    site.call(g.OutgoingTaken([one.id]))
    assert site.faults() == []
    assert site.state(SENT).exists == 1


def test_octets_in_another_s_name(site: Site) -> None:
    site.call(g.SubmitMime(octets("boss@example.test"), ["b@example.org"], OWNER, b""), actor=OWNER)
    assert site.get().mails[0].options.represents == "boss@example.test"
    forged = g.SubmitMime(octets("boss@example.test"), ["b@example.org"], "boss@example.test", b"")
    assert site.refused(forged, actor=OWNER) == Ec.ecAccessDenied
    two = g.SubmitMime(octets("boss@example.test>, <z@example.test"), ["b@example.org"], OWNER, b"")
    assert site.refused(two, actor=OWNER) == Ec.ecAccessDenied
    site.call(g.SubmitMime(octets("anybody@example.org"), ["b@example.org"], "", b""), actor=SYSTEM)


MDN = 'Content-Type: multipart/report; boundary=x;\r\n report-type="disposition-notification"\r\n'


@pytest.mark.parametrize(
    ("author", "more", "recipients", "allowed"),
    [
        ("OWNER", MDN, ["b@example.org"], True),
        ("OWNER", MDN.replace('"', ""), ["b@example.org"], True),
        ("OWNER", "", ["b@example.org"], False),
        ("OWNER", MDN.replace("multipart", "text/plain; x=multipart"), ["b@example.org"], False),
        ("OWNER", MDN + "Content-Type: text/plain\r\n", ["b@example.org"], False),
        ("OWNER", MDN.replace("disposition-notification", "delivery-status"), ["b@example.org"], False),
        ("OWNER", MDN, ["b@example.org", "c@example.org"], False),
        ("GUEST", MDN, ["b@example.org"], False),
        ("boss@example.org>, <x@example.org", MDN, ["b@example.org"], False),
    ],
)
def test_the_null_sender_is_for_notifications(
    site: Site, author: str, more: str, recipients: list[str], allowed: bool
) -> None:
    site.call(x.SetDelegates(x.DELEGATES, [GUEST]))
    who = {"OWNER": OWNER, "GUEST": GUEST}.get(author, author)
    call = g.SubmitMime(octets(who, more), recipients, "", b"")
    actor = GUEST if author == "GUEST" else OWNER
    if allowed:
        site.call(call, actor=actor)
        assert [one.sender for one in site.get().mails] == [""]
    else:
        assert site.refused(call, actor=actor) == Ec.ecAccessDenied


def test_octets_without_a_sender_field_are_sent_as_somebody(site: Site) -> None:
    for field, as_him in (("", True), ("Sender: Alice <ALICE@example.test>\r\n", False)):
        call = g.SubmitMime(octets("boss@example.test", field), ["b@example.org"], OWNER, b"")
        site.call(call, actor=OWNER)
        (one,) = site.get().mails
        assert (one.options.represents, one.options.send_as) == ("boss@example.test", as_him)
        site.call(g.OutgoingTaken([one.id]))


@pytest.mark.parametrize(
    "more",
    [
        "From: boss@example.test\r\n", "from : boss@example.test\r\n", "Sender: boss@example.test\r\n",
        "Resent-From: boss@example.test\r\n", "Resent-Sender: a@example.test, boss@example.test\r\n",
        "Sender: alice@example.test\r\nSender: boss@example.test\r\n", "Sender: boss\r\n",
        "Sender: boss@example.test: alice@example.test;\r\n", f"Sender: {'(x)' * 2000}alice@example.test\r\n",
    ],
)  # fmt: skip
def test_octets_that_readers_may_take_for_another_s(site: Site, more: str) -> None:
    call = g.SubmitMime(octets(OWNER, more), ["b@example.org"], OWNER, b"")
    assert site.refused(call, actor=OWNER) == Ec.ecAccessDenied


def test_octets_from_nobody(site: Site) -> None:
    for raw in (b"To: b@example.org\r\n\r\nt\r\n", b"From: <>\r\n\r\nt\r\n", b"From: boss\r\n\r\nt\r\n"):
        assert site.refused(g.SubmitMime(raw, ["b@example.org"], OWNER, b""), actor=OWNER) == Ec.ecAccessDenied
    raw = octets(OWNER, "X: y\r\n" * 200_000)
    assert site.refused(g.SubmitMime(raw, ["b@example.org"], OWNER, b""), actor=OWNER) == Ec.ecInvalidParam


def test_options_that_are_not_a_client_s(site: Site) -> None:
    options = g.Options(
        2, True, "a\r\nb", store="bob@example.test", folder=13, delegated_by="boss@example.test", token=b"x" * 16
    )  # fmt: skip
    site.call(g.SubmitMime(octets(OWNER), ["b@example.org"], OWNER, b"", options), actor=OWNER)
    (one,) = site.get().mails
    made = one.options
    assert (made.notify, made.whole, made.envelope_id, made.store, made.folder) == (2, True, "", "", 0)
    assert made.delegated_by == "" and made.token != options.token


def test_a_delegate_does_not_send_as_the_owner(site: Site) -> None:
    site.call(x.ModifyPermissions(OUTBOX, [x.PermissionChange(x.ADD, name=GUEST, rights=0x7FB)]))
    site.call(x.SetDelegates(x.DELEGATES, [GUEST]))
    site.submit(site.draft(actor=GUEST), actor=GUEST, send_as=True)
    (one,) = site.get().mails
    assert b"From: alice@example.test" in one.raw and b"Sender: dora@example.test" in one.raw
    site.call(g.OutgoingTaken([one.id]))
    call = g.SubmitMime(octets(OWNER), ["b@example.org"], GUEST, b"", g.Options(send_as=True))
    assert site.refused(call, actor=GUEST) == Ec.ecAccessDenied
    call = g.SubmitMime(octets(OWNER, f"Sender: {GUEST}\r\n"), ["b@example.org"], GUEST, b"")
    site.call(call, actor=GUEST)
    assert site.get().mails[0].options.send_as is False
    site.call(g.SubmitMime(octets(GUEST), ["b@example.org"], GUEST, b""), actor=GUEST)


def test_a_delegate_does_not_abort_what_he_may_not_change(site: Site) -> None:
    site.call(x.SetDelegates(x.DELEGATES, [GUEST]))
    mid = site.draft(DeferredSendTime=filetime(int(site.clock) + 3600))
    site.submit(mid)
    assert site.refused(g.AbortSubmit(mid), actor=GUEST) == Ec.ecAccessDenied
    site.call(x.ModifyPermissions(OUTBOX, [x.PermissionChange(x.ADD, name=GUEST, rights=0x7FB)]))
    site.call(g.AbortSubmit(mid), actor=GUEST)


def test_octets_beside_the_call(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.write_bytes(octets(OWNER))
    with open(path, "rb") as file:
        site.call(g.SubmitMime(b"", ["b@example.org"], OWNER, b""), actor=OWNER, spool=file.fileno())
    assert site.get().mails[0].raw == octets(OWNER)
    assert site.refused(g.SubmitMime(b"", ["b@example.org"], OWNER, b""), actor=OWNER) == Ec.ecInvalidParam
