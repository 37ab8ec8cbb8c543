"""Contents tables: rows, order, position, counts, values, groups."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.access import ADD, ModifyPermissions, PermissionChange
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.hierarchy import MakeFolder
from gromoxd.mapi.proptags import (
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagDepth,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagMid,
    PidTagNormalizedSubject,
    PidTagRowType,
    PidTagSenderName,
    PidTagSubject,
)
from gromoxd.mapi.restrictions import And, BitmapRelOp, BitMask, Content, Property, RelOp, encode_restriction
from gromoxd.mapi.sorting import Order
from gromoxd.mapi.tables import RowType
from gromoxd.mapi.times import filetime
from store.direct import DirectStore
from store.mapi.identity import eid
from tests.store.conftest import INBOX, OWNER, SENT, Harness

UP, DOWN = Order.ASCENDING, Order.DESCENDING


def arrive(box: Harness, subject: str, *, sender: str = "Ann", received: int = 1_700_000_000, flags: int = 0) -> int:
    """A message with a digest as a worker makes it; answers its id."""
    raw = f"From: {sender} <x@example.org>\r\nTo: alice@example.test\r\nSubject: {subject}\r\n\r\nText.\r\n".encode()
    message = c.NewMessage(digest_message(raw, received=received), raw, received, flags)
    stored: c.Stored = box.call(c.Append(INBOX, message, box.request_id()))
    return stored.mid


def contents(*sort: tuple[int, int], **more: Any) -> t.Table:
    return t.Table(t.CONTENTS, more.pop("fid", INBOX), sort=list(sort), **more)


def column(box: Harness, table: t.Table, tag: int = PidTagSubject, **more: Any) -> list[Any]:
    rows: t.Rows = box.call(t.QueryRows(table, [tag], 0, 100), **more)
    assert len(rows.rows) == rows.total
    return [row[0] for row in rows.rows]


def test_rows_in_order(box: Harness) -> None:
    for subject, received in (("beta", 30), ("Alpha", 10), ("gamma", 20)):
        arrive(box, subject, received=1_700_000_000 + received)
    assert column(box, contents()) == ["beta", "Alpha", "gamma"]
    assert column(box, contents((PidTagSubject, UP))) == ["Alpha", "beta", "gamma"]
    assert column(box, contents((PidTagSubject, DOWN))) == ["gamma", "beta", "Alpha"]
    assert column(box, contents((PidTagMessageDeliveryTime, DOWN))) == ["beta", "gamma", "Alpha"]
    assert column(box, contents((PidTagNormalizedSubject, UP))) == ["Alpha", "beta", "gamma"]


def test_several_keys(box: Harness) -> None:
    for subject, sender in (("x", "Bob"), ("y", "Ann"), ("z", "Bob"), ("w", "ann")):
        arrive(box, subject, sender=sender)
    assert column(box, contents((PidTagSenderName, UP), (PidTagSubject, DOWN))) == ["y", "w", "z", "x"]
    assert column(box, contents((PidTagSenderName, DOWN), (PidTagSubject, UP))) == ["x", "z", "w", "y"]


def test_accents_sort_with_their_letters(box: Harness) -> None:
    for subject in ("Zebra", "=?utf-8?q?=C3=84pfel?=", "Apfel", "Birne"):
        arrive(box, subject)
    wanted = ["Apfel", "Äpfel", "Birne", "Zebra"]
    assert column(box, contents((PidTagSubject, UP))) == wanted
    assert column(box, contents((PidTagNormalizedSubject, UP))) == wanted


def test_position_and_count(box: Harness) -> None:
    for number in range(10):
        arrive(box, f"m{number}")
    table = contents((PidTagSubject, UP))
    rows = box.call(t.QueryRows(table, [PidTagSubject], 3, 4))
    assert (rows.total, rows.position, rows.rows) == (10, 3, [["m3"], ["m4"], ["m5"], ["m6"]])
    assert box.call(t.QueryRows(table, [PidTagSubject], 8, 4)).rows == [["m8"], ["m9"]]
    assert box.call(t.QueryRows(table, [PidTagSubject], 50, 4)) == t.Rows(10, 10, [])
    assert box.call(t.QueryRows(table, [], 0, 0)).total == 10


def test_own_columns(box: Harness) -> None:
    mid = arrive(box, "one")
    tags = [PidTagMid, PidTagInstID, PidTagInstanceNum, PidTagRowType, PidTagDepth, 0x6FFF001F]
    rows = box.call(t.QueryRows(contents(), tags, 0, 1))
    assert rows.rows == [[eid(mid), eid(mid), 0, RowType.TBL_LEAF_ROW, 0, None]]


def test_long_values_are_cut(box: Harness) -> None:
    arrive(box, "x" * 900)
    assert column(box, contents()) == ["x" * 255]


def test_restriction(box: Harness) -> None:
    for subject in ("red apple", "green apple", "red car"):
        arrive(box, subject)
    apple = encode_restriction(Content(1, 1, PidTagSubject, "APPLE"))
    assert column(box, contents((PidTagSubject, UP), restriction=apple)) == ["green apple", "red apple"]
    both = And((Content(1, 1, PidTagSubject, "apple"), Content(2, 1, PidTagSubject, "red")))
    assert column(box, contents(restriction=encode_restriction(both))) == ["red apple"]
    kind = encode_restriction(Property(RelOp.EQ, PidTagMessageClass, "ipm.note"))
    assert len(column(box, contents(restriction=kind))) == 3


def test_views_follow_changes(box: Harness) -> None:
    first, second = arrive(box, "b"), arrive(box, "d")
    table = contents((PidTagSubject, UP))
    assert column(box, table) == ["b", "d"]
    arrive(box, "c")
    arrive(box, "a")
    arrive(box, "e")
    assert column(box, table) == ["a", "b", "c", "d", "e"]
    uid = {page.mids[i]: page.uids[i] for _, page in box.pages().values() for i in range(len(page.mids))}
    box.call(c.Expunge(INBOX, [(uid[first], uid[first])], False))
    box.call(c.CopyMessages(INBOX, [(uid[second], uid[second])], SENT, True, box.request_id()))
    assert column(box, table) == ["a", "c", "e"]
    assert column(box, contents(fid=SENT)) == ["d"]


def groups(box: Harness, table: t.Table) -> list[tuple[Any, ...]]:
    tags = [PidTagRowType, PidTagDepth, PidTagSenderName, PidTagSubject, PidTagContentCount, PidTagContentUnreadCount]
    return [tuple(row) for row in box.call(t.QueryRows(table, tags, 0, 100)).rows]


LEAF, OPEN, CLOSED = RowType.TBL_LEAF_ROW, RowType.TBL_EXPANDED_CATEGORY, RowType.TBL_COLLAPSED_CATEGORY


def test_categories(box: Harness) -> None:
    for subject, sender, flags in (("x", "Bob", 0), ("y", "Ann", 1), ("z", "Bob", 1), ("w", "ann", 0)):
        arrive(box, subject, sender=sender, flags=flags)
    table = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1)
    assert [row[0] for row in groups(box, table)] == [CLOSED, CLOSED]
    assert [row[1:] for row in groups(box, table)] == [(0, "ann", None, 2, 1), (0, "Bob", None, 2, 1)]
    table = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1, expanded=1)
    assert groups(box, table) == [
        (OPEN, 0, "ann", None, 2, 1), (LEAF, 1, "ann", "w", None, None), (LEAF, 1, "Ann", "y", None, None),
        (OPEN, 0, "Bob", None, 2, 1), (LEAF, 1, "Bob", "x", None, None), (LEAF, 1, "Bob", "z", None, None),
    ]  # fmt: skip


def test_expand_and_collapse(box: Harness) -> None:
    for subject, sender in (("x", "Bob"), ("y", "Ann"), ("z", "Bob")):
        arrive(box, subject, sender=sender)
    table = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1)
    ids = column(box, table, PidTagInstID)
    assert all(number >= 1 << 48 for number in ids)
    expanded = box.call(t.ExpandRow(table, ids[1], [PidTagSubject], 1))
    assert expanded == t.Expanded(1, 2, [["x"]])
    assert box.refused(t.CollapseRow(table, ids[1])) == Ec.ecNotExpanded
    opened = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1, toggled=[ids[1]])
    assert [row[0] for row in groups(box, opened)] == [CLOSED, OPEN, LEAF, LEAF]
    assert box.refused(t.ExpandRow(opened, ids[1], [])) == Ec.ecNotCollapsed
    assert box.call(t.CollapseRow(opened, ids[1])) == t.Collapsed(1, 2)
    assert box.refused(t.ExpandRow(opened, 1 << 60, [])) == Ec.ecNotFound


def test_locate(box: Harness) -> None:
    mids = [arrive(box, subject, sender=sender) for subject, sender in (("x", "Bob"), ("y", "Ann"), ("z", "Bob"))]
    flat = contents((PidTagSubject, DOWN))
    assert [box.call(t.LocateRow(flat, mid)) for mid in mids] == [t.Located(p, True, False, 3) for p in (2, 1, 0)]
    assert box.call(t.LocateRow(flat, 12345, near=2)) == t.Located(2, False, False, 3)
    grouped = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1)
    ids = column(box, grouped, PidTagInstID)
    assert box.call(t.LocateRow(grouped, mids[0])) == t.Located(1, False, True, 2)
    assert box.call(t.LocateRow(grouped, ids[0])) == t.Located(0, True, False, 2)
    opened = contents((PidTagSenderName, UP), (PidTagSubject, UP), categories=1, toggled=[ids[1]])
    assert box.call(t.LocateRow(opened, mids[2])) == t.Located(3, True, False, 4)


def test_find(box: Harness) -> None:
    for subject in ("ant", "bee", "cat", "bear"):
        arrive(box, subject)
    table = contents((PidTagSubject, UP))
    b = encode_restriction(Content(2, 1, PidTagSubject, "B"))
    assert box.call(t.FindRow(table, b, 0, [PidTagSubject])) == t.Found(1, 4, ["bear"])
    assert box.call(t.FindRow(table, b, 2, [PidTagSubject])) == t.Found(2, 4, ["bee"])
    assert box.call(t.FindRow(table, b, 3, [PidTagSubject])) == t.Found(4, 4, None)
    assert box.call(t.FindRow(table, b, 4, [PidTagSubject], True)) == t.Found(2, 4, ["bee"])
    assert box.call(t.FindRow(table, b, 1, [PidTagSubject], True)) == t.Found(0, 4, None)


@pytest.mark.parametrize(
    "table",
    [
        contents((0x00370102 | 0x1000, UP)), contents((PidTagSubject, 7)), contents((PidTagSubject, UP), categories=2),
        contents((PidTagSubject, Order.MAXIMUM_CATEGORY)), contents(restriction=b"\xff"), contents(restriction=b"\0"),
        contents((PidTagSubject, UP), (PidTagSubject, UP)), t.Table(99, INBOX), contents(toggled=[1] * 70_000),
    ],
)  # fmt: skip
def test_bad_tables(box: Harness, table: t.Table) -> None:
    assert box.refused(t.QueryRows(table, [PidTagSubject], 0, 10)) == Ec.ecInvalidParam


def test_access(box: Harness) -> None:
    arrive(box, "secret")
    assert box.refused(t.QueryRows(contents(), [PidTagSubject], 0, 1), actor="eve@example.org") == Ec.ecAccessDenied
    assert box.refused(t.QueryRows(contents(fid=0x999), [PidTagSubject], 0, 1), actor=OWNER) == Ec.ecNotFound


def test_times_that_clients_set(box: Harness) -> None:
    """What a client says of the delivery is what tables sort by, and INTERNALDATE."""
    early, late = filetime(1_500_000_000), filetime(1_900_000_000)
    one = arrive(box, "delivered", received=1_700_000_000)
    two = box.call(o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "old", PidTagMessageDeliveryTime: early}), b""))
    table = contents((PidTagMessageDeliveryTime, UP))
    assert column(box, table) == ["old", "delivered"]
    box.call(o.SaveMessage(INBOX, one, 0, o.Changes({PidTagMessageDeliveryTime: early - 10}), b"", True))
    assert column(box, table) == ["delivered", "old"]
    box.call(o.SaveMessage(INBOX, two.mid, 0, o.Changes({PidTagMessageDeliveryTime: late}), b"", True))
    assert column(box, table, PidTagMessageDeliveryTime) == [early - 10, late]
    times = [received for _, page in box.pages().values() for received in page.received]
    assert times == [1_499_999_999, 1_900_000_000]


def test_associated_and_deleted(box: Harness) -> None:
    kept, gone = arrive(box, "kept"), arrive(box, "gone")
    view = box.call(o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "view"}), b"", associated=True)).mid
    form = box.call(o.SaveMessage(INBOX, 0, 0, o.Changes({PidTagSubject: "form"}), b"", associated=True)).mid
    fai, deleted = contents((PidTagSubject, UP), flags=t.ASSOCIATED), contents(flags=t.SOFT_DELETED)
    both = contents(flags=t.SOFT_DELETED | t.ASSOCIATED)
    assert (column(box, fai), column(box, deleted), column(box, both)) == (["form", "view"], [], [])
    box.call(o.DeleteMessages(INBOX, [gone, form]))
    assert (column(box, fai), column(box, deleted), column(box, both)) == (["view"], ["gone"], ["form"])
    assert column(box, contents()) == ["kept"]
    box.call(o.SaveMessage(INBOX, view, 0, o.Changes({PidTagSubject: "other"}), b"", True, associated=True))
    assert column(box, fai) == ["other"]
    assert box.call(t.LocateRow(contents(), kept)).found
    box.call(ModifyPermissions(INBOX, [PermissionChange(ADD, name="bob@example.test", rights=0x401)]))
    assert column(box, fai, actor="bob@example.test") == ["other"]
    assert box.refused(t.QueryRows(deleted, [], 0, 1), actor="bob@example.test") == Ec.ecAccessDenied


def test_members_of_a_conversation(box: Harness) -> None:
    arrive(box, "Lunch")
    topic = encode_restriction(Property(RelOp.EQ, PidTagNormalizedSubject, "lunch"))
    reply = b"Subject: Re: Lunch\r\n\r\nText.\r\n"
    box.call(c.Append(SENT, c.NewMessage(digest_message(reply, received=1), reply, 1), b""))
    table = t.Table(t.CONTENTS, 1, t.CONVERSATION_MEMBERS, topic)
    assert column(box, table) == ["Lunch", "Re: Lunch"]
    arrive(box, "Dinner")
    arrive(box, "RE: LUNCH")
    assert column(box, table) == ["Lunch", "Re: Lunch", "RE: LUNCH"]
    assert box.refused(t.QueryRows(table, [], 0, 1), actor="bob@example.test") == Ec.ecAccessDenied


def test_everybody_has_his_own_marks_in_a_public_store(tmp_path: Path) -> None:
    """Groups count what the reader has not read, and restrictions know it."""
    store, ref = DirectStore(str(tmp_path), {"box": "example.test"}), MailboxRef("box")
    ann, bob = "ann@example.test", "bob@example.test"
    folder = store.call(ref, MakeFolder(2, "News", {}, b"folder"), actor="\0system").fid
    raw = b"Subject: one\r\n\r\nText.\r\n"
    new = c.NewMessage(digest_message(raw, received=1), raw, 1)
    mids = [store.call(ref, c.Append(folder, new, b"%d" % n), actor="\0system").mid for n in range(3)]
    unread = encode_restriction(BitMask(BitmapRelOp.EQZ, PidTagMessageFlags, 1))
    grouped = t.Table(t.CONTENTS, folder, sort=[(PidTagSubject, 0)], categories=1)

    def seen(actor: str) -> tuple[int, Any]:
        restricted = store.call(ref, t.QueryRows(t.Table(t.CONTENTS, folder, 0, unread), [], 0, 0), actor=actor)
        rows = store.call(ref, t.QueryRows(grouped, [PidTagContentUnreadCount], 0, 9), actor=actor).rows
        return restricted.total, rows

    assert seen(ann) == seen(bob) == (3, [[3]])
    store.call(ref, o.SetReadState(folder, mids[:2], True), actor=ann)
    assert (seen(ann), seen(bob)) == ((1, [[1]]), (3, [[3]]))
    store.call(ref, o.SetReadState(folder, mids[:1], False), actor=ann)
    assert (seen(ann), seen(bob)) == ((2, [[2]]), (3, [[3]]))
    store.close()
