"""ROPs of tables ([MS-OXCTABL] 3.2.5, [MS-OXCFOLD] 3.2.5.13 and 3.2.5.14, [MS-OXCMSG] 3.2.5.16).

Nothing is done later than it is asked for: the asynchronous flags are answered as if they were not there.
"""

from __future__ import annotations

from typing import Any, Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import tables as t
from gromoxd.mapi import smalltable
from gromoxd.mapi.restrictions import decode_restriction
from gromoxd.mapi.tables import (
    Bookmark,
    FindRowFlags,
    QueryRowsFlags,
    SeekType,
    TableStatus,
)
from gromoxd.rop import tables as r
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Message
from workers.http.emsmdb.tablecolumns import ATTACHMENTS
from workers.http.emsmdb.tableobject import TableObject

_COMPLETE: Final = int(TableStatus.TBLSTAT_COMPLETE)
_HIERARCHY_FLAGS: Final = t.DEPTH | t.NO_NOTIFICATIONS | t.SOFT_DELETED
_CONTENTS_FLAGS: Final = t.ASSOCIATED | t.NO_NOTIFICATIONS | t.SOFT_DELETED | t.CONVERSATION_MEMBERS
_EXPANDED_HEAD: Final = 12
_OF_CONTENTS: Final = (t.CONTENTS,)
_OF_FOLDERS: Final = (t.CONTENTS, t.HIERARCHY)
_SEARCHED: Final = (t.CONTENTS, t.HIERARCHY, t.RULES)
"""Which tables a ROP is for, where that is not all; others are told ecNotSupported ([MS-OXCTABL] 3.2.5.3-3.2.5.20)."""


def _table(call: Call, kinds: tuple[int, ...] = ()) -> TableObject:
    """The table of the request, which is of one of these kinds. ecNullObject, ecNotSupported."""
    table = call.object(TableObject)
    if kinds and table.table.kind not in kinds:
        raise MapiError(Ec.ecNotSupported, f"table of kind {table.table.kind}")
    table.feed.session = call.session
    return table


# ---------------------------------------------------------------------------------------------- opening


@handles(r.GetHierarchyTable)
def get_hierarchy_table(call: Call, request: r.GetHierarchyTable) -> r.GetHierarchyTableResponse:
    """[MS-OXCFOLD] 3.2.5.13."""
    folder = call.object(Folder)
    definition = t.Table(t.HIERARCHY, folder.fid, request.flags & _HIERARCHY_FLAGS)
    total = _open(call, request.output, TableObject(folder.logon, definition))
    return r.GetHierarchyTableResponse(request.output, 0, total)


@handles(r.GetContentsTable)
def get_contents_table(call: Call, request: r.GetContentsTable) -> r.GetContentsTableResponse:
    """[MS-OXCFOLD] 3.2.5.14."""
    folder = call.object(Folder)
    definition = t.Table(t.CONTENTS, folder.fid, request.flags & _CONTENTS_FLAGS)
    total = _open(call, request.output, TableObject(folder.logon, definition))
    return r.GetContentsTableResponse(request.output, 0, total)


def _open(call: Call, output: int, table: TableObject) -> int:
    """Give a table its handle; how many rows it has. What is wrong with it is said at once, deferred or not."""
    total = table.total()
    call.put(output, table)
    return total


@handles(r.GetAttachmentTable)
def get_attachment_table(call: Call, request: r.GetAttachmentTable) -> r.GetAttachmentTableResponse:
    """[MS-OXCMSG] 3.2.5.16. The table shows the attachments as they are whenever it is read."""
    message = call.object(Message)
    source = AttachmentRows(message)
    table = TableObject(message.logon, t.Table(ATTACHMENTS, 0), ask=source.ask)
    call.put(request.output, table)
    table.owned_by(message)
    return r.GetAttachmentTableResponse(request.output, 0)


class AttachmentRows:
    """Carries out calls on tables for the attachments of a message that is open."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def ask(self, call: Any) -> Any:
        """The result of a call. ecNotSupported: of what is for other tables."""
        if isinstance(call, t.QueryColumnsAll):
            return sorted({tag for bag in self._message.message.attachments.values() for tag in bag})
        rows = self._rows()
        if isinstance(call, t.QueryRows):
            start = min(call.position, len(rows))
            shown = rows[start : start + call.count]
            return t.Rows(len(rows), start, [smalltable.line(row, call.columns) for row in shown])
        if isinstance(call, t.LocateRow):
            at = next((n for n, row in enumerate(rows) if row.instance == call.instance), -1)
            return t.Located(at if at >= 0 else min(call.near, len(rows)), at >= 0, False, len(rows))
        raise MapiError(Ec.ecNotSupported, type(call).__name__)

    def _rows(self) -> list[smalltable.SmallRow]:
        return [smalltable.SmallRow(num + 1, 0, bag) for num, bag in self._message.message.attachments.items()]


# ---------------------------------------------------------------------------------------------- what is shown


@handles(r.SetColumns)
def set_columns(call: Call, request: r.SetColumns) -> r.SetColumnsResponse:
    """[MS-OXCTABL] 3.2.5.2."""
    _table(call).set_columns(request.tags, call.session.code_page)
    return r.SetColumnsResponse(request.index, 0, _COMPLETE)


@handles(r.SortTable)
def sort_table(call: Call, request: r.SortTable) -> r.SortTableResponse:
    """[MS-OXCTABL] 3.2.5.3. ecInvalidParam, ecTooComplex."""
    table = _table(call, _OF_CONTENTS)
    order = request.sort
    order.check()
    sort = [(int(one.tag), int(one.order)) for one in order.sort_orders]
    table.define(sort=sort, categories=order.categorized_count, expanded=order.expanded_count, toggled=[])
    return r.SortTableResponse(request.index, 0, _COMPLETE)


@handles(r.Restrict)
def restrict(call: Call, request: r.Restrict) -> r.RestrictResponse:
    """[MS-OXCTABL] 3.2.5.4. ecInvalidParam."""
    table = _table(call, _SEARCHED)
    table.define(restriction=_checked(request.restriction))
    return r.RestrictResponse(request.index, 0, _COMPLETE)


def _checked(restriction: bytes) -> bytes:
    if restriction:
        try:
            decode_restriction(restriction)
        except WireError as error:
            raise MapiError(Ec.ecInvalidParam, f"restriction: {error}") from error
    return restriction


@handles(r.ResetTable)
def reset_table(call: Call, request: r.ResetTable) -> r.ResetTableResponse:
    """[MS-OXCTABL] 3.2.5.15."""
    _table(call, _OF_CONTENTS).reset()
    return r.ResetTableResponse(request.index, 0)


@handles(r.Abort)
def abort(call: Call, request: r.Abort) -> r.AbortResponse:
    """[MS-OXCTABL] 3.2.5.6: nothing is ever under way."""
    _table(call, _OF_FOLDERS)
    raise MapiError(Ec.ecUnableToAbort, "nothing is under way")


@handles(r.GetStatus)
def get_status(call: Call, request: r.GetStatus) -> r.GetStatusResponse:
    """[MS-OXCTABL] 3.2.5.7."""
    _table(call)
    return r.GetStatusResponse(request.index, 0, _COMPLETE)


@handles(r.QueryColumnsAll)
def query_columns_all(call: Call, request: r.QueryColumnsAll) -> r.QueryColumnsAllResponse:
    """[MS-OXCTABL] 3.2.5.13."""
    return r.QueryColumnsAllResponse(request.index, 0, _table(call).all_tags()[: t.MOST_COLUMNS])


# ---------------------------------------------------------------------------------------------- rows


@handles(r.QueryRows)
def query_rows(call: Call, request: r.QueryRows) -> r.QueryRowsResponse:
    """[MS-OXCTABL] 3.2.5.5. Asked again it goes on where it ended, unless the cursor was to stay (NoAdvance)."""
    table = _table(call)
    read = table.forward if request.forward else table.backward
    advance = not request.flags & QueryRowsFlags.NoAdvance
    origin, rows = read(request.row_count, call.room - r.ROWS_HEAD, advance=advance)
    return r.pack_rows(request.index, int(origin), rows)


@handles(r.FindRow)
def find_row(call: Call, request: r.FindRow) -> r.FindRowResponse:
    """[MS-OXCTABL] 3.2.5.14. ecNotFound, ecInvalidBookmark."""
    table = _table(call, _SEARCHED)
    gone = False
    if request.origin == Bookmark.BOOKMARK_CUSTOM:
        position, gone = table.place_of(request.bookmark)
    else:
        table.shown()
        table.settle()
        position = table.origin(request.origin)
    backward = bool(request.flags & FindRowFlags.Backwards)
    row = table.find(_checked(request.restriction), position, backward=backward)
    return r.FindRowResponse(request.index, 0, gone, row if len(row) + 8 <= call.room else b"")


# ---------------------------------------------------------------------------------------------- cursor


@handles(r.QueryPosition)
def query_position(call: Call, request: r.QueryPosition) -> r.QueryPositionResponse:
    """[MS-OXCTABL] 3.2.5.8."""
    table = _table(call)
    table.settle()
    total = table.total()
    return r.QueryPositionResponse(request.index, 0, min(table.position, total), total)


@handles(r.SeekRow)
def seek_row(call: Call, request: r.SeekRow) -> r.SeekRowResponse:
    """[MS-OXCTABL] 3.2.5.9."""
    table = _table(call)
    if request.origin not in tuple(SeekType):
        raise MapiError(Ec.ecInvalidParam, f"origin {request.origin}")
    table.settle()
    sought = table.seek(table.origin(request.origin), request.row_count)
    return r.SeekRowResponse(request.index, 0, sought != request.row_count, sought)


@handles(r.SeekRowBookmark)
def seek_row_bookmark(call: Call, request: r.SeekRowBookmark) -> r.SeekRowBookmarkResponse:
    """[MS-OXCTABL] 3.2.5.10. ecInvalidBookmark; ecNullObject: no columns yet."""
    table = _table(call, _OF_FOLDERS)
    position, gone = table.place_of(request.bookmark)
    sought = table.seek(position, request.row_count)
    return r.SeekRowBookmarkResponse(request.index, 0, gone, sought != request.row_count, sought)


@handles(r.SeekRowFractional)
def seek_row_fractional(call: Call, request: r.SeekRowFractional) -> r.SeekRowFractionalResponse:
    """[MS-OXCTABL] 3.2.5.11."""
    table = _table(call)
    table.settle()
    total, part, whole = table.total(), request.numerator, request.denominator
    place = 0 if not part else total if part >= whole else total * part // whole
    table.seek(place, 0)
    return r.SeekRowFractionalResponse(request.index, 0)


@handles(r.CreateBookmark)
def create_bookmark(call: Call, request: r.CreateBookmark) -> r.CreateBookmarkResponse:
    """[MS-OXCTABL] 3.2.5.12."""
    return r.CreateBookmarkResponse(request.index, 0, _table(call, _OF_FOLDERS).bookmark())


@handles(r.FreeBookmark)
def free_bookmark(call: Call, request: r.FreeBookmark) -> r.FreeBookmarkResponse:
    """[MS-OXCTABL] 3.2.5.16. ecInvalidBookmark; ecNullObject: no columns."""
    _table(call, _OF_FOLDERS).free(request.bookmark)
    return r.FreeBookmarkResponse(request.index, 0)


# ---------------------------------------------------------------------------------------------- categories


@handles(r.ExpandRow)
def expand_row(call: Call, request: r.ExpandRow) -> r.ExpandRowResponse:
    """[MS-OXCTABL] 3.2.5.17. ecNotFound, ecNotCollapsed."""
    expanded, rows = _table(call, _OF_CONTENTS).expand(request.category, request.max_rows, call.room - _EXPANDED_HEAD)
    return r.ExpandRowResponse(request.index, 0, expanded, len(rows), b"".join(rows))


@handles(r.CollapseRow)
def collapse_row(call: Call, request: r.CollapseRow) -> r.CollapseRowResponse:
    """[MS-OXCTABL] 3.2.5.18. ecNotFound, ecNotExpanded."""
    return r.CollapseRowResponse(request.index, 0, _table(call, _OF_CONTENTS).collapse(request.category))


@handles(r.GetCollapseState)
def get_collapse_state(call: Call, request: r.GetCollapseState) -> r.GetCollapseStateResponse:
    """[MS-OXCTABL] 3.2.5.19. ecBufferTooSmall."""
    state = _table(call, _OF_CONTENTS).collapse_state(request.row_id, request.row_instance)
    if len(state) + 8 > call.room:
        raise MapiError(Ec.ecBufferTooSmall, "collapse state")
    return r.GetCollapseStateResponse(request.index, 0, state)


@handles(r.SetCollapseState)
def set_collapse_state(call: Call, request: r.SetCollapseState) -> r.SetCollapseStateResponse:
    """[MS-OXCTABL] 3.2.5.20. ecInvalidParam."""
    return r.SetCollapseStateResponse(request.index, 0, _table(call, _OF_CONTENTS).set_collapse_state(request.state))
