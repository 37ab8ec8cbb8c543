"""ROPs of tables ([MS-OXCROPS] 2.2.4.13, 2.2.4.14, 2.2.5, 2.2.6.17).

Rows have no length: only the columns that the client set tell where one ends. Responses carry them as octets, which
`gromoxd.mapi.rows.row_codec` makes and reads.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.sorting import SortOrderSet
from gromoxd.rop.codec import (
    I32,
    U8,
    U16,
    U32,
    U64,
    Data16,
    Flag,
    Request,
    Response,
    Rest,
    Tags,
    request,
    response,
    structure,
)

Sorts = Annotated[SortOrderSet, structure(SortOrderSet)]
ROWS_HEAD: Final = 9
"""Octets of a RopQueryRows response without its rows."""


@request(0x04)
class GetHierarchyTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.4.13. `flags`: mapi.tables.HierarchyTableFlags."""

    output: U8
    flags: U8


@response(0x04)
class GetHierarchyTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.13.2."""

    row_count: U32


@request(0x05)
class GetContentsTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.4.14. `flags`: mapi.tables.ContentsTableFlags."""

    output: U8
    flags: U8


@response(0x05)
class GetContentsTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.4.14.2."""

    row_count: U32


@request(0x21)
class GetAttachmentTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.6.17. `flags`: mapi.tables.AttachmentTableFlags."""

    output: U8
    flags: U8


@response(0x21)
class GetAttachmentTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.6.17.2."""


@request(0x12)
class SetColumns(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.1. `flags`: mapi.tables.AsynchronousFlags, here and in the next two."""

    flags: U8
    tags: Tags


@response(0x12)
class SetColumnsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.1.2. `status`: mapi.tables.TableStatus."""

    status: U8


@request(0x13)
class SortTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.2."""

    flags: U8
    sort: Sorts


@response(0x13)
class SortTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.2.2."""

    status: U8


@request(0x14)
class Restrict(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.3. `restriction` is encoded ([MS-OXCDATA] 2.12), b'' for none."""

    flags: U8
    restriction: Data16


@response(0x14)
class RestrictResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.3.2."""

    status: U8


@request(0x15)
class QueryRows(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.4. `flags`: mapi.tables.QueryRowsFlags."""

    flags: U8
    forward: Flag
    row_count: U16


@response(0x15)
class QueryRowsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.4.2. `origin`: mapi.tables.Bookmark."""

    origin: U8
    row_count: U16
    rows: Rest


@request(0x38)
class Abort(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.5."""


@response(0x38)
class AbortResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.5.2."""

    status: U8


@request(0x16)
class GetStatus(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.6."""


@response(0x16)
class GetStatusResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.6.2."""

    status: U8


@request(0x17)
class QueryPosition(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.7."""


@response(0x17)
class QueryPositionResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.7.2."""

    numerator: U32
    denominator: U32


@request(0x18)
class SeekRow(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.8. `origin`: mapi.tables.SeekType."""

    origin: U8
    row_count: I32
    want_count: Flag


@response(0x18)
class SeekRowResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.8.2."""

    sought_less: Flag
    rows_sought: I32


@request(0x19)
class SeekRowBookmark(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.9."""

    bookmark: Data16
    row_count: I32
    want_count: Flag


@response(0x19)
class SeekRowBookmarkResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.9.2. The document has RowsSought unsigned, and that it says the direction."""

    row_gone: Flag
    sought_less: Flag
    rows_sought: I32


@request(0x1A)
class SeekRowFractional(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.10."""

    numerator: U32
    denominator: U32


@response(0x1A)
class SeekRowFractionalResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.10.2."""


@request(0x1B)
class CreateBookmark(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.11."""


@response(0x1B)
class CreateBookmarkResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.11.2."""

    bookmark: Data16


@request(0x37)
class QueryColumnsAll(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.12."""


@response(0x37)
class QueryColumnsAllResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.12.2."""

    tags: Tags


@request(0x4F)
class FindRow(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.13. `flags`: mapi.tables.FindRowFlags; `origin`: mapi.tables.Bookmark."""

    flags: U8
    restriction: Data16
    origin: U8
    bookmark: Data16


@response(0x4F)
class FindRowResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.13.2. `row` is b'' when it was not sent."""

    row_gone: Flag
    row: bytes

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        row_gone, has_row = cursor.u8() != 0, cursor.u8() != 0
        return {"row_gone": row_gone, "row": cursor.rest() if has_row else b""}

    def body(self) -> bytes:
        return bytes((self.row_gone, bool(self.row))) + self.row


@request(0x89)
class FreeBookmark(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.14."""

    bookmark: Data16


@response(0x89)
class FreeBookmarkResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.14.2."""


@request(0x81)
class ResetTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.15."""


@response(0x81)
class ResetTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.15.2."""


@request(0x59)
class ExpandRow(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.16. `category`: the PidTagInstID of a heading."""

    max_rows: U16
    category: U64


@response(0x59)
class ExpandRowResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.16.2."""

    expanded: U32
    row_count: U16
    rows: Rest


@request(0x5A)
class CollapseRow(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.17."""

    category: U64


@response(0x5A)
class CollapseRowResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.17.2."""

    collapsed: U32


@request(0x6B)
class GetCollapseState(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.18. PidTagInstID and PidTagInstanceNum of a row that is to be found again."""

    row_id: U64
    row_instance: U32


@response(0x6B)
class GetCollapseStateResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.18.2."""

    state: Data16


@request(0x6C)
class SetCollapseState(Request, frozen=True):
    """[MS-OXCROPS] 2.2.5.19."""

    state: Data16


@response(0x6C)
class SetCollapseStateResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.5.19.2."""

    bookmark: Data16


def pack_rows(index: int, origin: int, rows: list[bytes]) -> QueryRowsResponse:
    """A response with these rows."""
    return QueryRowsResponse(index, 0, origin, len(rows), b"".join(rows))
