"""Contents tables: which view shows one, and its rows ([MS-OXCTABL] 3.2.5).

In the loop a view that is at hand is brought up to date and read. A thread makes views; for a sort order that columns
give it answers the first rows at once and leaves the making of the view for afterwards.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import tables as t
from gromoxd.mapi.tables import RowType
from store.access import OWNER, READ_ANY
from store.mapi.groups import Header, Layout
from store.mapi.jobs import Job
from store.mapi.ordering import Ordering
from store.mapi.reading import Reading
from store.mapi.tabledef import EVERYWHERE, SEARCH, Definition, define
from store.mapi.tablerows import MessageRows
from store.mapi.views import RowEvent, Shown, View, layout_of, make_view, position_of, shown
from store.sql import row, rows

INLINE_ROWS = 200
"""Rows that one answer from the loop has at most."""
INLINE_HOT, INLINE_COLD = 1000, 50
"""Messages that the loop sorts itself, by columns or by properties."""
FIRST_ROWS = 500
"""A table is begun without its whole order up to this row."""


class Opened(NamedTuple):
    """A table with its view, the rows shown, and how to read them."""

    definition: Definition
    view: View
    layout: Layout | None
    total: int
    messages: MessageRows


def definition_of(reading: Reading, table: t.Table) -> Definition:
    """What a contents table asks for. What was deleted is for the folder's owners. ecAccessDenied, ecNotFound …"""
    if table.flags & t.CONVERSATION_MEMBERS:
        reading.access.require_owner()
    else:
        reading.access.require(table.fid, READ_ANY | OWNER if table.flags & t.SOFT_DELETED else READ_ANY)
        if row(reading.reader.db, "SELECT 1 FROM folders WHERE fid=?", (table.fid,)) is None:
            raise MapiError(Ec.ecNotFound, f"folder {table.fid:#x}")
    search = row(reading.reader.db, "SELECT 1 FROM search_folders WHERE fid=?", (table.fid,)) is not None
    if search:
        reading.access.require_owner()  # it links messages of any folder
    return define(table, search, reading.access.actor if reading.box.public else "")


def in_loop(reading: Reading) -> bool:
    """Whether the call runs in the loop, where the mailbox's views are."""
    return reading.reader is reading.box.loop_reader


def ready(reading: Reading, definition: Definition) -> View | None:
    """The view at hand, up to date; None when there is none. In the loop."""
    views = reading.box.views
    view = views.get(definition)
    if view is None:
        return None
    watching, before = reading.box.watching, view.stamp
    events: list[RowEvent] | None = [] if watching.wants(definition) else None
    if not view.catch_up(ordering_of(reading, definition), events):
        views.drop(view)
        return None
    if events is not None and view.stamp != before:
        watching.followed(view, before, events)
    return view


def prepared(reading: Reading, table: t.Table, definition: Definition) -> View | None:
    """The view for somebody who is about to look at it; when making it takes long, it is made later. In the loop."""
    if is_long(reading, table):
        reading.box.jobs.add(Job(("view", definition.key), lambda later: _make(later, definition), reading.actor))
        return None
    return open_view(reading, definition)


def ordering_of(reading: Reading, definition: Definition) -> Ordering:
    """The reader of keys for a definition."""
    return Ordering(definition, reading.reader.db, MessageRows(reading))


def open_view(reading: Reading, definition: Definition) -> View:
    """The view, made when there is none; what a thread makes the loop adopts."""
    if in_loop(reading):
        view = ready(reading, definition)
        if view is not None:
            return view
    elif (handed := reading.box.views.handed.pop(definition.key, None)) is not None:
        return handed
    made = make_view(definition, ordering_of(reading, definition))
    if in_loop(reading):
        reading.box.views.keep(made)
    else:
        reading.box.views.built.append(made)
    return made


def opened(reading: Reading, table: t.Table) -> Opened:
    """A table ready to be looked at."""
    definition = definition_of(reading, table)
    view = open_view(reading, definition)
    layout = layout_of(view, table.expanded, frozenset(table.toggled))
    total = len(view) if layout is None else layout.total
    return Opened(definition, view, layout, total, MessageRows(reading))


def is_long(reading: Reading, table: t.Table) -> bool:
    """Whether a table's view must be made, and is too large to be made in the loop."""
    try:
        definition = definition_of(reading, table)
    except MapiError:
        return False
    if ready(reading, definition) is not None:
        return False
    limit = INLINE_HOT if definition.hot else INLINE_COLD
    return _candidates(reading, definition, limit) > limit


def _candidates(reading: Reading, definition: Definition, limit: int) -> int:
    """How many messages a view's making has to look at, roughly."""
    if definition.source == EVERYWHERE:
        return limit + 1
    db = reading.reader.db
    if definition.kind:
        sql = "SELECT count(*) FROM (SELECT 1 FROM unlisted WHERE fid=? AND kind=? LIMIT ?)"
        return int(row(db, sql, (definition.fid, definition.kind, limit + 1))[0])
    if definition.source == SEARCH:
        return int(row(db, "SELECT count(*) FROM search_results WHERE fid=?", (definition.fid,))[0])
    return int(row(db, "SELECT messages FROM folders WHERE fid=?", (definition.fid,))[0])


# ---------------------------------------------------------------------------------------------- calls


def query_rows(reading: Reading, call: t.QueryRows) -> t.Rows:
    """tables.QueryRows of contents."""
    definition = definition_of(reading, call.table)
    if not in_loop(reading) and _can_begin(definition, call):
        return _begin(reading, definition, call)
    if not call.count and definition.plain:
        return t.Rows(_candidates(reading, definition, 0), call.position, [])
    table = opened(reading, call.table)
    start = min(max(call.position, 0), table.total)
    stop = min(start + min(call.count, t.MOST_ROWS if not in_loop(reading) else INLINE_ROWS), table.total)
    return t.Rows(table.total, start, lines(table, start, stop, call.columns))


def _can_begin(definition: Definition, call: t.QueryRows) -> bool:
    few = call.position + call.count <= FIRST_ROWS
    return definition.plain and definition.hot and few and bool(definition.terms)


def _begin(reading: Reading, definition: Definition, call: t.QueryRows) -> t.Rows:
    """The first rows of a table whose view is made afterwards."""
    total = _candidates(reading, definition, 0)
    first = ordering_of(reading, definition).first(call.position + call.count)
    reading.box.jobs.add(Job(("view", definition.key), lambda later: _make(later, definition), reading.actor))
    wanted = [Shown(RowType.TBL_LEAF_ROW, pair, 0, 0) for pair in first[call.position :]]
    return t.Rows(max(total, len(first)), call.position, MessageRows(reading).lines(definition, wanted, call.columns))


def _make(reading: Reading, definition: Definition) -> None:
    """Make a view for those who come after."""
    reading.box.views.built.append(make_view(definition, ordering_of(reading, definition)))


def lines(table: Opened, start: int, stop: int, columns: list[int]) -> list[list[Any]]:
    """The values of the rows at some positions."""
    wanted = shown(table.view, table.layout, start, stop)
    return table.messages.lines(table.definition, wanted, columns, table.view, table.layout)


def is_long_search(reading: Reading, table: t.Table) -> bool:
    """Finding reads one message after the other, of a copy of the view that is made here for the thread."""
    if is_long(reading, table):
        return True
    definition = definition_of(reading, table)
    if _candidates(reading, definition, INLINE_COLD) <= INLINE_COLD:
        return False
    view = ready(reading, definition)
    if view is not None:
        reading.box.views.handed[definition.key] = view.copy()
    return True


def locate_row(reading: Reading, call: t.LocateRow) -> t.Located:
    """tables.LocateRow of contents."""
    table = opened(reading, call.table)
    if call.instance >= 1 << 48:
        header = _header(table.layout, call.instance)
        if header is not None:
            return t.Located(header.row, True, False, table.total)
    elif call.instance > 0:
        leaf = table.view.find_instance(call.instance, call.num)
        if leaf >= 0:
            position, visible = position_of(table.view, table.layout, leaf)
            return t.Located(position, visible, not visible, table.total)
    return t.Located(min(max(call.near, 0), table.total), False, False, table.total)


def _header(layout: Layout | None, category: int) -> Header | None:
    for header in layout.headers if layout is not None else ():
        if header.id == category:
            return header
    return None


def expand_row(reading: Reading, call: t.ExpandRow) -> t.Expanded:
    """tables.ExpandRow."""
    table = opened(reading, call.table)
    header = _header(table.layout, call.category)
    if header is None or table.view.groups is None:
        raise MapiError(Ec.ecNotFound, "category")
    if header.open:
        raise MapiError(Ec.ecNotCollapsed, "category")
    layout = table.view.groups.layout(call.table.expanded, frozenset(call.table.toggled) ^ {call.category})
    added = layout.total - table.total
    stop = header.row + 1 + min(added, max(call.count, 0), INLINE_ROWS)
    after = table._replace(layout=layout, total=layout.total)
    return t.Expanded(header.row, added, lines(after, header.row + 1, stop, call.columns))


def collapse_row(reading: Reading, call: t.CollapseRow) -> t.Collapsed:
    """tables.CollapseRow."""
    table = opened(reading, call.table)
    header = _header(table.layout, call.category)
    if header is None or table.view.groups is None:
        raise MapiError(Ec.ecNotFound, "category")
    if not header.open:
        raise MapiError(Ec.ecNotExpanded, "category")
    layout = table.view.groups.layout(call.table.expanded, frozenset(call.table.toggled) ^ {call.category})
    return t.Collapsed(header.row, table.total - layout.total)


def columns_all(reading: Reading, call: t.QueryColumnsAll) -> list[int]:
    """tables.QueryColumnsAll of contents."""
    definition = definition_of(reading, call.table)
    source = "unlisted WHERE fid=? AND kind=?" if definition.kind else "messages WHERE fid=?"
    args = (definition.fid, definition.kind) if definition.kind else (definition.fid,)
    mids = [mid for (mid,) in rows(reading.reader.db, f"SELECT mid FROM {source} LIMIT 64", args)]
    return MessageRows(reading).tags(mids)
