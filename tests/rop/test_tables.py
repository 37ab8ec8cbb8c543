"""ROPs of tables, octet by octet."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.rows import NOT_FOUND, row_codec
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import registry
from gromoxd.rop import tables as r
from gromoxd.rop.codec import Request, Response, read_request, read_response
from tests.golden.ropexamples import EXAMPLES, RULE_COLUMNS

assert registry.FAMILIES
_SORT = SortOrderSet((SortOrder(0x8008301F, 0), SortOrder(0x0E060040, 1)), 1, 1)
_RULE = row_codec(RULE_COLUMNS).encode(
    [0x56F83F0100000001, bytes.fromhex("010000000100000055555555d144e340"), "Project X"]
)

DOCUMENTED: dict[str, Request | Response] = {
    "oxctabl-4.1.1": r.GetContentsTable(0, 0, 1, 0),
    "oxctabl-4.2.1": r.SetColumns(0, 1, 0, [
        0x67480014, 0x674A0014, 0x674D0014, 0x674E0003, 0x0037001F, 0x0E060040,
    ]),
    "oxctabl-4.5-sort": r.SortTable(0, 0, 0, _SORT),
    "oxctabl-4.3.2": r.SortTableResponse(1, 0, 0),
    "oxctabl-4.5.3.1": r.QueryRows(0, 0, 0, True, 50),
    "oxorule-4.2.1b": r.SetColumns(0, 1, 0, [p.PidTagRuleId, p.PidTagRuleProviderData, p.PidTagRuleName]),
    "oxorule-4.2.1c": r.QueryRows(0, 1, 0, True, 50),
    "oxorule-4.2.2b": r.SetColumnsResponse(1, 0, 0),
    "oxorule-4.2.2c": r.QueryRowsResponse(1, 0, 2, 1, _RULE),
}  # fmt: skip
"""Examples of [MS-OXCTABL] 4 and [MS-OXORULE] 4.2 as the product's codec has them."""

OWN: list[tuple[Request | Response, str]] = [
    (r.GetHierarchyTable(0, 1, 2, 4), "04 00 01 02 04"),
    (r.GetHierarchyTableResponse(2, 0, 5), "04 02 00000000 05000000"),
    (r.GetContentsTableResponse(2, 0, 5), "05 02 00000000 05000000"),
    (r.GetAttachmentTable(0, 1, 2, 0x40), "21 00 01 02 40"),
    (r.GetAttachmentTableResponse(2, 0), "21 02 00000000"),
    (r.Restrict(0, 1, 0, b"ab"), "14 00 01 00 0200 6162"),
    (r.RestrictResponse(1, 0, 0), "14 01 00000000 00"),
    (r.Abort(0, 1), "38 00 01"),
    (r.AbortResponse(1, 0, 0), "38 01 00000000 00"),
    (r.GetStatus(0, 1), "16 00 01"),
    (r.GetStatusResponse(1, 0, 9), "16 01 00000000 09"),
    (r.QueryPosition(0, 1), "17 00 01"),
    (r.QueryPositionResponse(1, 0, 3, 7), "17 01 00000000 03000000 07000000"),
    (r.SeekRow(0, 1, 1, -2, True), "18 00 01 01 feffffff 01"),
    (r.SeekRowResponse(1, 0, True, -1), "18 01 00000000 01 ffffffff"),
    (r.SeekRowBookmark(0, 1, b"\1\2", 5, False), "19 00 01 0200 0102 05000000 00"),
    (r.SeekRowBookmarkResponse(1, 0, False, True, 4), "19 01 00000000 00 01 04000000"),
    (r.SeekRowFractional(0, 1, 1, 2), "1a 00 01 01000000 02000000"),
    (r.SeekRowFractionalResponse(1, 0), "1a 01 00000000"),
    (r.CreateBookmark(0, 1), "1b 00 01"),
    (r.CreateBookmarkResponse(1, 0, b"\7"), "1b 01 00000000 0100 07"),
    (r.QueryColumnsAll(0, 1), "37 00 01"),
    (r.QueryColumnsAllResponse(1, 0, [0x0037001F]), "37 01 00000000 0100 1f003700"),
    (r.FindRow(0, 1, 1, b"r", 3, b"bk"), "4f 00 01 01 0100 72 03 0200 626b"),
    (r.FindRowResponse(1, 0, True, b""), "4f 01 00000000 01 00"),
    (r.FindRowResponse(1, 0, False, b"row"), "4f 01 00000000 00 01 726f77"),
    (r.FreeBookmark(0, 1, b"bk"), "89 00 01 0200 626b"),
    (r.FreeBookmarkResponse(1, 0), "89 01 00000000"),
    (r.ResetTable(0, 1), "81 00 01"),
    (r.ResetTableResponse(1, 0), "81 01 00000000"),
    (r.ExpandRow(0, 1, 9, 0x0807060504030201), "59 00 01 0900 0102030405060708"),
    (r.ExpandRowResponse(1, 0, 5, 1, b"x"), "59 01 00000000 05000000 0100 78"),
    (r.CollapseRow(0, 1, 1), "5a 00 01 0100000000000000"),
    (r.CollapseRowResponse(1, 0, 5), "5a 01 00000000 05000000"),
    (r.GetCollapseState(0, 1, 1, 2), "6b 00 01 0100000000000000 02000000"),
    (r.GetCollapseStateResponse(1, 0, b"s"), "6b 01 00000000 0100 73"),
    (r.SetCollapseState(0, 1, b"s"), "6c 00 01 0100 73"),
    (r.SetCollapseStateResponse(1, 0, b"bk"), "6c 01 00000000 0200 626b"),
]
"""Each of the others once."""
EVERY = [(packet, bytes.fromhex(EXAMPLES[name].octets)) for name, packet in DOCUMENTED.items()]
EVERY += [(packet, bytes.fromhex(octets)) for packet, octets in OWN]
REST = (r.QueryRowsResponse, r.FindRowResponse, r.ExpandRowResponse)
every = pytest.mark.parametrize(("packet", "octets"), EVERY, ids=lambda one: getattr(type(one), "__name__", ""))


@every
def test_both_ways(packet: Request | Response, octets: bytes) -> None:
    assert packet.encode() == octets
    cursor = Cursor(octets)
    found = read_request(cursor) if isinstance(packet, Request) else read_response(cursor)
    cursor.finish()
    assert found == packet


@every
def test_truncated(packet: Request | Response, octets: bytes) -> None:
    for length in range(len(octets)):
        cursor = Cursor(octets[:length])
        if isinstance(packet, REST) and length >= 8:
            continue  # rows: nobody knows here where they end
        with pytest.raises(WireError):
            read_request(cursor) if isinstance(packet, Request) else read_response(cursor)


def test_failures() -> None:
    found = read_response(Cursor(bytes.fromhex("15 01 0f010480")))
    assert (found.index, found.code) == (1, 0x8004010F)
    assert r.QueryRowsResponse(1, 0x8004010F, 0, 0, b"").encode() == bytes.fromhex("15 01 0f010480")


def test_rows_that_the_document_prints_in_part() -> None:
    """[MS-OXCTABL] 4.5.3.2: the head of the response, and how its first row begins."""
    octets = bytes.fromhex("15000000000002090001000100000000f11f320a0f010480")
    found = read_response(Cursor(octets))
    assert isinstance(found, r.QueryRowsResponse)
    assert (found.index, found.origin, found.row_count) == (0, 2, 9)
    row = row_codec((p.PidTagFolderId, p.PidTagMid)).encode([0x321FF10000000001, None])
    assert found.rows == row
    assert row_codec((p.PidTagFolderId, p.PidTagMid)).read(Cursor(row)) == [0x321FF10000000001, NOT_FOUND]
