"""Contract: MAPI objects saved through every way to a mailbox, and what mail clients see of them at once."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from gromoxd.exmdb import objects as o
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachLongFilename,
    PidTagBody,
    PidTagFlagStatus,
    PidTagSubject,
)
from tests.contract.mail import mail
from tests.contract.worlds import ALL, INBOX, SENT, WORLDS, Mailbox

RAW = {PidTagAttachDataBinary: b"\x00\xff" * 10, PidTagAttachLongFilename: "\u00e4.bin"}
INNER = o.Changes({PidTagSubject: "inner"}, [], None, [o.AttachmentChange(0, set=RAW)])


@pytest.fixture(params=sorted(set(WORLDS) - {"memory"}))
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mailbox]:
    made = WORLDS[request.param](tmp_path)
    yield Mailbox(made)
    made.close()


def save(box: Mailbox, changes: o.Changes, mid: int = 0, base_cn: int = 0) -> o.Saved:
    saved: o.Saved = box.call(o.SaveMessage(INBOX, mid, base_cn, changes, box.request_id()))
    return saved


def content(box: Mailbox, fid: int = INBOX) -> dict[int, bytes]:
    return {one.uid: one.raw for one in box.call(c.GetContents(fid, ALL))}


def test_saved_and_seen(box: Mailbox) -> None:
    box.append(mail(1))
    before = box.state()
    saved = save(box, o.Changes({PidTagSubject: "a", PidTagBody: "b", PidNameKeywords: ["Red"]}, [], None, [
        o.AttachmentChange(0, set=RAW), o.AttachmentChange(1, embedded=INNER),
    ]))  # fmt: skip
    state = box.state()
    assert (saved.uid, state.exists, state.uidnext, state.unseen) == (2, 2, 3, before.unseen)
    assert state.cn == saved.cn > before.cn
    raw = content(box)[2]
    assert b"Subject: a\r\n" in raw
    assert b"Subject: inner\r\n" in raw
    value = box.world.store.published(box.world.box, keys.pieces(box.world.box.maildir, saved.mid, saved.uid))
    assert value is None or b'"a"' in value
    page = pages.Page.decode(box.call(c.GetPages(INBOX, [0]))[0])
    assert (page.uids[1], page.mids[1], page.flags[1] & pages.SYSTEM_MASK) == (2, saved.mid, pages.SEEN | pages.DRAFT)
    assert box.keywords_of(page.flags[1]) == ["Red"]
    opened = box.call(o.OpenMessage(saved.mid, [1]))
    assert opened.attachments[0].props[PidTagAttachDataBinary] == b"\x00\xff" * 10


def test_from_a_spool(box: Mailbox) -> None:
    octets = bytes(range(256)) * 3000
    with tempfile.TemporaryFile() as spool:
        spool.write(b"before" + octets)
        changes = o.Changes(
            {PidTagSubject: "a"}, [], None, [o.AttachmentChange(4, set={PidTagAttachLongFilename: "x"})]
        )
        spooled = [o.Spooled(PidTagAttachDataBinary, 6, len(octets), [], 4)]
        call = o.SaveMessage(INBOX, 0, 0, changes, box.request_id(), spooled=spooled)
        saved = box.call(call, spool=spool)
    assert box.call(o.OpenMessage(saved.mid)).attachments[0].big == {PidTagAttachDataBinary: len(octets)}
    assert box.call(o.ReadValue(saved.mid, PidTagAttachDataBinary, 1000, 1 << 20, [], 4)) == octets[1000:]
    assert len(content(box)[1]) > len(octets)


def test_a_new_form_is_a_new_mail_to_everybody(box: Mailbox) -> None:
    first = save(box, o.Changes({PidTagSubject: "a"}))
    box.call(c.GetPieces(INBOX, ALL, c.ENVELOPE | c.BODYSTRUCTURE))
    second = save(box, o.Changes({PidTagSubject: "b"}), first.mid, first.cn)
    assert (second.mid, second.uid) == (first.mid, 2)
    (piece,) = box.call(c.GetPieces(INBOX, ALL, c.ENVELOPE | c.BODYSTRUCTURE))
    assert (piece.uid, b'"b"' in piece.envelope) == (2, True)
    assert box.call(c.GetVanished(INBOX, first.cn)).uids == [(1, 1)]
    assert box.refused(c.ReadContent(INBOX, 1, 0, 10)) == Ec.ecNotFound
    stale = o.SaveMessage(INBOX, first.mid, first.cn, o.Changes({PidTagFlagStatus: 2}), box.request_id())
    assert box.refused(stale) == Ec.ecObjectModified


def test_moves_and_deletions_are_seen(box: Mailbox) -> None:
    mails = [box.append(mail(n)) for n in range(3)]
    gone = box.call(o.DeleteMessages(INBOX, [mails[0].mid]))
    assert box.call(c.GetVanished(INBOX, mails[-1].cn)) == c.Vanished([(1, 1)], True)
    assert gone.cn == box.state().cn
    moved = box.call(o.TransferMessages(INBOX, [mails[1].mid], SENT, True, box.request_id()))
    assert list(content(box)) == [3]
    assert content(box, SENT) == {1: mail(1)}
    assert box.call(o.SetReadState(INBOX, [mails[2].mid], True)).cn == box.state().cn
    assert box.state().unseen == 0
    back = box.call(o.TransferMessages(INBOX, [mails[0].mid], SENT, True, box.request_id()))
    assert content(box, SENT) == {1: mail(1), 2: mail(0)}
    assert moved.pairs[0][0] == mails[1].mid
    assert back.pairs[0][0] == mails[0].mid
