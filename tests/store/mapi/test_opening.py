"""OpenMessage, ReadMessages, ReadValue: who may, attachments, embedded messages, pieces of long values."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gromoxd.convert.compose import compose
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import Ec
from gromoxd.exmdb import access as a
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.api import SYSTEM
from gromoxd.mapi import proptags as p
from store.access import CREATE, EDIT_OWNED, READ_ANY, VISIBLE
from store.access import OWNER as FOLDER_OWNER
from store.mapi import opening
from store.mapi.loading import DECODED, Decoded
from tests.store.conftest import DRAFTS, INBOX, OWNER, Harness, mail
from tests.store.mapi.objects import person, save
from tests.store.mapi.test_properties import MAIL, deliver

BOB = "bob@example.test"
DATA = bytes(range(256)) * 40


def compose_with(*attachments: ItemAttachment) -> bytes:
    props: o.Bag = {p.PidTagSubject: "outer", p.PidTagBody: "text"}
    return compose(Item(props, [person("c@example.org")], list(attachments)), host="example.test")


def file(name: str, data: bytes) -> ItemAttachment:
    return ItemAttachment({p.PidTagAttachLongFilename: name, p.PidTagAttachMimeTag: "application/pdf"}, data)


NESTED = Item(
    {p.PidTagSubject: "middle", p.PidTagBody: "middle text"}, [person("d@example.org")],
    [file("m.pdf", b"middle data"), ItemAttachment({}, b"", Item(
        {p.PidTagSubject: "inner", p.PidTagHtml: b"<p>inner"}, [], [file("i.pdf", b"inner data")]))],
)  # fmt: skip


def grant(box: Harness, rights: int, fid: int = INBOX) -> None:
    box.call(a.ModifyPermissions(fid, [a.PermissionChange(a.ADD, name=BOB, rights=rights)]), actor=OWNER)


def opened(box: Harness, mid: int, path: list[int] | None = None, actor: str = OWNER) -> o.Message:
    message: o.Message = box.call(o.OpenMessage(mid, path or []), actor=actor)
    return message


def read(box: Harness, mid: int, tag: int, offset: int = 0, length: int = 1 << 20, **more: object) -> bytes:
    value: bytes = box.call(o.ReadValue(mid, tag, offset, length, **more), actor=OWNER)  # type: ignore[arg-type]
    return value


# ------------------------------------------------------------------------------------------ what is answered


def test_the_parts_of_an_answer(box: Harness) -> None:
    stored = deliver(box, compose_with(file("a.pdf", b"x")))
    whole = opened(box, stored.mid)
    assert (whole.fid, whole.mid, whole.uid, whole.cn) == (INBOX, stored.mid, stored.uid, stored.cn)
    assert (whole.associated, whole.deleted) == (False, False)
    for what in range(8):
        message = box.call(o.OpenMessage(stored.mid, [], what), actor=OWNER)
        assert bool(message.props) == bool(what & o.PROPS)
        assert bool(message.recipients) == bool(what & o.RECIPIENTS)
        assert bool(message.attachments) == bool(what & o.ATTACHMENTS)
    assert box.refused(o.OpenMessage(12345), actor=OWNER) == Ec.ecNotFound


def test_kinds_of_messages(box: Harness) -> None:
    fai = save(box, {p.PidTagSubject: "fai"}, associated=True)
    message = opened(box, fai.mid)
    assert (message.uid, message.associated, message.deleted) == (0, True, False)
    stored = deliver(box)
    box.call(o.DeleteMessages(INBOX, [stored.mid]))
    message = opened(box, stored.mid)
    assert (message.uid, message.associated, message.deleted) == (0, False, True)


# ------------------------------------------------------------------------------------------ access


@pytest.mark.parametrize(
    ("rights", "own", "others"),
    [
        (0, False, False),
        (VISIBLE, True, False),
        (CREATE | VISIBLE, True, False),
        (EDIT_OWNED, True, False),
        (READ_ANY, True, True),
    ],
)
def test_who_may_read(box: Harness, rights: int, own: bool, others: bool) -> None:
    """[MS-OXCPERM] 2.2.7."""
    theirs = deliver(box).mid
    grant(box, CREATE | VISIBLE)
    mine = save(box, {p.PidTagSubject: "mine", p.PidTagMessageClass: "IPM.Post"}, actor=BOB).mid
    grant(box, rights)
    for mid, may in ((mine, own), (theirs, others)):
        calls = (o.OpenMessage(mid), o.ReadValue(mid, p.PidTagSubject, 0, 10))
        for call in calls:
            if may:
                box.call(call, actor=BOB)
            else:
                assert box.refused(call, actor=BOB) == Ec.ecAccessDenied
        assert len(box.call(o.ReadMessages([mid]), actor=BOB)) == may
    assert box.refused(o.OpenMessage(theirs), actor="eve@example.test") == Ec.ecAccessDenied
    assert box.refused(o.OpenMessage(theirs), actor="") == Ec.ecAccessDenied


def test_what_was_deleted_is_for_owners(box: Harness) -> None:
    mid = deliver(box).mid
    box.call(o.DeleteMessages(INBOX, [mid]))
    grant(box, READ_ANY | VISIBLE)
    assert box.refused(o.OpenMessage(mid), actor=BOB) == Ec.ecAccessDenied
    grant(box, READ_ANY | FOLDER_OWNER)
    assert opened(box, mid, actor=BOB).deleted
    assert opened(box, mid).deleted


@pytest.mark.parametrize(
    ("rights", "own", "others"),
    [(READ_ANY, 2, 2), (READ_ANY | EDIT_OWNED, 3, 2), (0x7B, 7, 7), (READ_ANY | 0x10, 6, 2)],
)
def test_what_one_may_do_with_it(box: Harness, rights: int, own: int, others: int) -> None:
    """[MS-OXCPRPT] 2.2.1.1, 2.2.1.2."""
    theirs = deliver(box).mid
    grant(box, CREATE | VISIBLE)
    mine = save(box, {p.PidTagSubject: "mine", p.PidTagMessageClass: "IPM.Post"}, actor=BOB).mid
    grant(box, rights)
    for mid, access in ((mine, own), (theirs, others)):
        props = opened(box, mid, actor=BOB).props
        assert props[p.PidTagAccess] == access and props[p.PidTagAccessLevel] == access & 1
    assert opened(box, theirs).props[p.PidTagAccess] == 7


# ------------------------------------------------------------------------------------------ attachments


def test_attachments_of_mail(box: Harness) -> None:
    mid = deliver(box, compose_with(file("a.pdf", b"small"), file("b.pdf", DATA * 10))).mid
    small, large = opened(box, mid).attachments
    assert small.props[p.PidTagAttachDataBinary] == b"small" and small.big == {}
    assert small.props[p.PidTagAttachLongFilename] == "a.pdf" and small.props[p.PidTagAttachMethod] == 1
    assert small.props[p.PidTagAttachNumber] == 0 and large.props[p.PidTagAttachNumber] == 1
    assert small.props[p.PidTagRecordKey] != large.props[p.PidTagRecordKey]
    assert (small.props[p.PidTagObjectType], small.props[p.PidTagAccessLevel]) == (7, 1)
    assert small.props[p.PidTagRenderingPosition] == -1 and not p.INTERNAL & small.props.keys()
    assert abs(large.big[p.PidTagAttachDataBinary] - len(DATA) * 10) < 100
    assert read(box, mid, p.PidTagAttachDataBinary, num=1) == DATA * 10
    assert read(box, mid, p.PidTagAttachDataBinary, 5000, 3, num=1) == (DATA * 10)[5000:5003]
    assert read(box, mid, p.PidTagAttachDataBinary, 1 << 30, 3, num=1) == b""
    assert read(box, mid, p.PidTagAttachLongFilename, num=1).decode("utf-16-le") == "b.pdf"


def test_attachments_that_clients_made(box: Harness) -> None:
    changes = [
        o.AttachmentChange(0, set={p.PidTagAttachDataBinary: b"x", p.PidTagAttachLongFilename: "x"}),
        o.AttachmentChange(7, set={p.PidTagAttachDataBinary: DATA * 10, p.PidTagAttachmentHidden: True}),
    ]
    mid = save(box, {p.PidTagSubject: "s"}, attachments=changes).mid
    first, second = opened(box, mid).attachments
    assert (first.num, second.num) == (0, 7)
    assert first.props[p.PidTagAttachDataBinary] == b"x"
    assert second.big == {p.PidTagAttachDataBinary: len(DATA) * 10}
    assert read(box, mid, p.PidTagAttachDataBinary, 300, 256, num=7) == (DATA * 10)[300:556]


def test_a_large_attachment_is_read_piece_by_piece(box: Harness) -> None:
    data = DATA * 200
    mid = deliver(box, compose_with(file("big.pdf", data))).mid
    assert box.box.is_long(o.ReadValue(mid, p.PidTagAttachDataBinary, 0, 1000, [], 0), OWNER)
    pieces, at = [], 0
    while piece := read(box, mid, p.PidTagAttachDataBinary, at, 300_000, num=0):
        pieces.append(piece)
        at += len(piece)
    assert b"".join(pieces) == data
    cid = box.sql("SELECT cid FROM message_data")[0][0]
    read(box, mid, p.PidTagAttachDataBinary, 0, 10, num=0)
    assert (box.box.identity.guid, cid, "2") in DECODED
    read(box, mid, p.PidTagAttachDataBinary, len(data), 10, num=0)
    assert (box.box.identity.guid, cid, "2") not in DECODED


def test_decoded_parts_are_kept_up_to_a_limit() -> None:
    now = [0.0]
    kept = Decoded(lambda: now[0])
    size = Decoded.LIMIT // 3
    made: list[int] = []

    def part(number: int) -> bytes:
        def make() -> bytes:
            made.append(number)
            return bytes(size)

        return kept.get((b"", number, ""), make)

    for number in (1, 1, 2, 1, 3, 4, 1, 2):
        part(number)
    assert made == [1, 2, 3, 4, 2]
    assert kept.size == 3 * size
    kept.drop((b"", 1, ""))
    assert kept.size == 2 * size
    now[0] = Decoded.SECONDS + 1.0
    part(5)
    assert kept.size == size and (b"", 5, "") in kept
    kept.get((b"", 6, ""), lambda: bytes(1000))
    assert (b"", 6, "") not in kept


# ------------------------------------------------------------------------------------------ embedded messages


def test_messages_in_mail(box: Harness) -> None:
    mid = deliver(box, compose_with(file("o.pdf", b"o"), ItemAttachment({}, b"", NESTED))).mid
    outer = opened(box, mid)
    assert [one.embedded for one in outer.attachments] == [False, True]
    assert outer.attachments[1].props[p.PidTagAttachMethod] == 5
    middle = opened(box, mid, [1])
    assert (middle.mid, middle.uid) == (mid, 0)
    assert middle.props[p.PidTagSubject] == "middle" and middle.props[p.PidTagBody] == "middle text"
    assert middle.recipients[0][p.PidTagEmailAddress] == "d@example.org"
    assert not {p.PidTagMid, p.PidTagEntryId, p.PidTagSourceKey, p.PidTagChangeKey} & middle.props.keys()
    assert [one.embedded for one in middle.attachments] == [False, True]
    inner = opened(box, mid, [1, 1])
    assert inner.props[p.PidTagSubject] == "inner" and inner.props[p.PidTagHtml].startswith(b"<p>inner")
    assert read(box, mid, p.PidTagAttachDataBinary, path=[1, 1], num=0) == b"inner data"
    assert read(box, mid, p.PidTagBody, path=[1]).decode("utf-16-le") == "middle text"
    for path in ([0], [2], [1, 0], [1, 1, 0]):
        assert box.refused(o.OpenMessage(mid, path), actor=OWNER) == Ec.ecNotFound
    assert box.refused(o.OpenMessage(mid, [1] * 30), actor=OWNER) == Ec.ecInvalidParam


def test_messages_in_messages_of_clients(box: Harness) -> None:
    inner = o.Changes({p.PidTagSubject: "inner", p.PidTagBody: "b" * 40_000}, [], [person("e@example.org")],
                      [o.AttachmentChange(0, set={p.PidTagAttachDataBinary: b"deep"})])  # fmt: skip
    mid = save(box, {p.PidTagSubject: "outer"}, attachments=[o.AttachmentChange(3, embedded=inner)]).mid
    (attachment,) = opened(box, mid).attachments
    assert attachment.embedded and attachment.num == 3
    message = opened(box, mid, [3])
    assert message.props[p.PidTagSubject] == "inner" and message.big == {p.PidTagBody: 80_000}
    assert message.recipients[0][p.PidTagEmailAddress] == "e@example.org"
    assert read(box, mid, p.PidTagBody, 0, 4, path=[3]).decode("utf-16-le") == "bb"
    assert read(box, mid, p.PidTagAttachDataBinary, path=[3], num=0) == b"deep"


# ------------------------------------------------------------------------------------------ many


def test_many_messages(box: Harness) -> None:
    mids = [deliver(box, MAIL + b"%d" % number).mid for number in range(20)]
    box.call(o.DeleteMessages(INBOX, [mids[3]], True))
    wanted = [*reversed(mids), 99]
    found = box.call(o.ReadMessages(wanted, o.PROPS, [p.PidTagSubject]), actor=OWNER)
    assert [one.mid for one in found] == [mid for mid in wanted if mid not in (mids[3], 99)]
    assert all(one.props == {p.PidTagSubject: "RE: Figures"} and not one.recipients for one in found)
    assert box.refused(o.ReadMessages(list(range(1001))), actor=OWNER) == Ec.ecInvalidParam
    assert box.call(o.ReadMessages([]), actor=OWNER) == []


def test_many_messages_end_early(box: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "MOST_OCTETS", 50_000)
    mids = [deliver(box, mail(1) + b"x" * 15_000).mid for _ in range(5)]
    assert [one.mid for one in box.call(o.ReadMessages(mids), actor=OWNER)] == mids[:2]
    monkeypatch.setattr(opening, "MOST_OCTETS", 1)
    assert [one.mid for one in box.call(o.ReadMessages(mids), actor=OWNER)] == mids[:1]


def test_which_reads_are_long(box: Harness) -> None:
    small, large = deliver(box).mid, deliver(box, MAIL + b"x" * 200_000).mid
    middle = deliver(box, MAIL + b"x" * 20_000).mid
    body, some = [p.PidTagBody], [p.PidTagSubject]
    for call, long in (
        (o.OpenMessage(small), False), (o.OpenMessage(large), True), (o.OpenMessage(large, [], 1, some), False),
        (o.OpenMessage(large, [], 1, body), True), (o.OpenMessage(99), False), (o.ReadMessages([small] * 8), False),
        (o.ReadMessages([small] * 9), True), (o.ReadMessages([small, large]), True),
        (o.ReadMessages([small, large], 1, some), False), (o.ReadValue(large, p.PidTagBody, 0, 1), True),
        (o.OpenMessage(middle), False), (o.OpenMessage(middle, [], 1, [0x1013001E]), True),
    ):  # fmt: skip
        assert box.box.is_long(call, OWNER) is long


# ------------------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(("offset", "length"), [(-1, 1), (0, -1), (0, (1 << 20) + 1)])
def test_bounds_of_reading(box: Harness, offset: int, length: int) -> None:
    call = o.ReadValue(deliver(box).mid, p.PidTagBody, offset, length)
    assert box.refused(call, actor=OWNER) == Ec.ecInvalidParam


@pytest.mark.parametrize(
    ("tag", "num"),
    [
        (p.PidTagMessageFlags, -1), (p.PROP_CREATOR, -1), (p.PidTagComment, -1), (0x1234001F, -1), (p.PidTagBody, 5),
        (p.PidTagAttachDataBinary, -1), (p.PROP_PART_PATH, 0), (p.PidTagAttachNumber, 0), (p.PidTagBody, 0),
    ],
)  # fmt: skip
def test_what_is_no_value_to_read(box: Harness, tag: int, num: int) -> None:
    mid = deliver(box, compose_with(file("a.pdf", b"x"))).mid
    assert box.refused(o.ReadValue(mid, tag, 0, 1, [], num), actor=OWNER) == Ec.ecNotFound


def test_a_message_whose_file_is_lost(make: Callable[..., Harness]) -> None:
    box = make(content_inline_limit=100)
    mid = deliver(box, MAIL + b"x" * 1000).mid
    for path in box.files():
        path.unlink()
    assert box.refused(o.OpenMessage(mid), actor=OWNER) == Ec.ecNotFound
    assert box.refused(o.ReadValue(mid, p.PidTagBody, 0, 1), actor=OWNER) == Ec.ecNotFound
    assert box.call(o.ReadMessages([mid]), actor=OWNER) == []
    assert box.call(o.OpenMessage(mid, [], 1, [p.PidTagSubject]), actor=SYSTEM).props == {
        p.PidTagSubject: "RE: Figures"
    }


def test_files_are_read_in_part(make: Callable[..., Harness]) -> None:
    box = make(content_inline_limit=100)
    stored = deliver(box, compose_with(file("a.pdf", DATA), ItemAttachment({}, b"", NESTED)))
    message = opened(box, stored.mid)
    assert message.props[p.PidTagBody] == "text"
    assert p.PidTagAttachDataBinary in message.attachments[0].big
    assert read(box, stored.mid, p.PidTagAttachDataBinary, num=0) == DATA
    assert opened(box, stored.mid, [1]).props[p.PidTagSubject] == "middle"
    assert save(box, {p.PidTagSubject: "new"}, INBOX, stored.mid, stored.cn).mid == stored.mid
    assert opened(box, stored.mid).attachments[0].props[p.PidTagAttachLongFilename] == "a.pdf"


def test_drafts_are_opened_by_their_owner_alone(box: Harness) -> None:
    mid = save(box, {p.PidTagSubject: "x"}, fid=DRAFTS).mid
    assert box.refused(o.OpenMessage(mid), actor=BOB) == Ec.ecAccessDenied
    assert opened(box, mid).fid == DRAFTS
