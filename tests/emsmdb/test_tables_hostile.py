"""Table ROPs with any values: a refusal or an answer, never a fault, never more than there is room for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from gromoxd.errors import MapiError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import notify as n
from gromoxd.rop import tables as r
from gromoxd.rop.codec import Request
from tests.emsmdb.tableclient import TABLE, save
from tests.emsmdb.world import INBOX, IPM, Client

TAGS = [
    p.PidTagSubject, p.PidTagSubject & ~0xFFFF, p.PidTagSubject & ~1, p.PidTagMid, p.PidTagInstID, p.PidTagImportance,
    0x8008301F, 0x8008101F, p.PidTagSubject | 0x3000, 0x0037000D, 0x003700FD, 0x00370FFF, 0xFFFFFFFF, 0, 0x1000001F,
    p.PidTagMessageDeliveryTime, p.PidTagImportance & ~0xFFFF | 0x1F, p.PidTagDisplayName, p.PidTagFolderId,
]  # fmt: skip
NUMBERS = [0, 1, 2, 3, 50, 0x7FFF, 0xFFFF]
LONG = [0, 1, 0x8000, 0x4000_0000_0000_8000, (1 << 64) - 1, 1 << 63]
RESTRICTIONS = [b"", b"\0", b"\x03", encode_restriction(Content(1, 1, p.PidTagSubject, "x")), bytes(9), b"\xff" * 9]
BOOKMARKS = [b"", b"\1\0\0\0", b"\2\0\0\0", b"\xff" * 4, b"12345"]


class Dice(random.Random):
    def request(self) -> Request:
        some: Any = self.choice
        orders = tuple(SortOrder(some(TAGS), some([0, 1, 4, 8, 9])) for _ in range(self.randrange(4)))
        made: list[Request] = [
            r.SetColumns(0, TABLE, self.randrange(3), [some(TAGS) for _ in range(self.randrange(6))]),
            r.SortTable(0, TABLE, 0, SortOrderSet(orders, self.randrange(3), self.randrange(3))),
            r.Restrict(0, TABLE, 0, some(RESTRICTIONS)),
            r.QueryRows(0, TABLE, self.randrange(4), some([True, False]), some(NUMBERS)),
            r.QueryRows(0, TABLE, 0, True, some(NUMBERS)),
            r.Abort(0, TABLE), r.GetStatus(0, TABLE), r.QueryPosition(0, TABLE), r.CreateBookmark(0, TABLE),
            r.SeekRow(0, TABLE, self.randrange(5), some([0, 1, -1, 5, 0x7FFFFFFF, -0x80000000]), True),
            r.SeekRowBookmark(0, TABLE, some(BOOKMARKS), some([0, -1, 0x7FFFFFFF]), True),
            r.SeekRowFractional(0, TABLE, some([0, 1, 0xFFFFFFFF]), some([0, 1, 3, 0xFFFFFFFF])),
            r.QueryColumnsAll(0, TABLE), r.ResetTable(0, TABLE) if self.random() < 0.2 else r.GetStatus(0, TABLE),
            r.FindRow(0, TABLE, self.randrange(3), some(RESTRICTIONS), self.randrange(5), some(BOOKMARKS)),
            r.FreeBookmark(0, TABLE, some(BOOKMARKS)), r.ExpandRow(0, TABLE, some(NUMBERS), some(LONG)),
            r.CollapseRow(0, TABLE, some(LONG)), r.GetCollapseState(0, TABLE, some(LONG), some(NUMBERS)),
            r.SetCollapseState(0, TABLE, some([b"", b"cs01", bytes(28), b"cs01" + bytes(20)])),
            n.RegisterNotification(0, 0, 20 + self.randrange(3), self.randrange(256), 0, False, some(LONG), some(LONG)),
            r.GetAttachmentTable(0, 1, 9, 0), r.GetContentsTable(0, TABLE, 9, 0xFF), r.GetHierarchyTable(0, 0, 9, 0xFF),
        ]  # fmt: skip
        return some(made)  # type: ignore[no-any-return]


@pytest.mark.parametrize("seed", range(6))
def test_any_sequence(alice: Client, seed: int) -> None:
    dice = Dice(seed)
    for number in range(6):
        save(alice, {p.PidTagSubject: f"x{number}", 0x8008101F: ["a", "b"][: number % 3]})
    alice.folder(IPM if seed % 3 == 2 else INBOX, 1)
    opening = r.GetHierarchyTable(0, 1, TABLE, 4) if seed % 3 == 2 else r.GetContentsTable(0, 1, TABLE, 0)
    assert alice.run(opening)[0].code == 0
    for step in range(250):
        requests = [dice.request() for _ in range(dice.randrange(1, 5))]
        room = dice.choice([0x7FF0, 0x7FF0, 2000, 400])
        octets = b"".join(one.encode() for one in requests)
        try:
            assert len(alice.session.execute(octets, alice.handles, room)) <= room
        except MapiError:
            assert room < 0x7FF0  # not even RopBufferTooSmall fits
        if step % 20 == 0:
            save(alice, {p.PidTagSubject: f"y{step}"})
