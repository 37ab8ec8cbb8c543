"""Table objects ([MS-OXCTABL] 3.2.1): a definition that travels with each call, and what the client does in it.

The store keeps nothing of a table but who wants to hear of it. Position, bookmarks and the state of categories are
here. The cursor stands before a row, not at a number: when the mailbox changed since it was put there, its row is found
again by its neighbours. Rows that were read and did not fit into an answer are kept for the next one while nothing
changes.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

import msgspec

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.calls import Call
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.tables import Bookmark
from gromoxd.rop.tables import ROWS_HEAD
from workers.http.emsmdb.dispatch import RoomTooSmall
from workers.http.emsmdb.notify import TableFeed
from workers.http.emsmdb.objects import Logon, ServerObject
from workers.http.emsmdb.tablecolumns import MASK64, NOWHERE, Columns, Instance, instance_of, may_be_shown

Decorate = Callable[[list[int], list[list[Any]]], None]
"""Completes rows in place, given the columns that they have."""
MOST_BOOKMARKS: Final = 1024
MOST_HOMES: Final = 8192
TRIES: Final = 8
"""Neighbours of a row that is gone which are looked for."""
SLACK: Final = 2
_MOST_REPEATS = 3
_STATE = Struct("<4sIHH")
_ROW = Struct("<QI")
_BOOKMARK = Struct("<I")
_MAGIC: Final = b"cs01"


class Mark(NamedTuple):
    """A bookmark: the row, those that followed it, and its position when it was made. No rows: the table's end."""

    rows: tuple[Instance, ...]
    near: int


class TableObject(ServerObject):
    """A table. `ask` carries out calls of `gromoxd.exmdb.tables`, as a rule the mailbox's.

    `decorate` completes rows with what the store does not know; it may do calls. It gets the client's columns and those
    in `needs`.
    """

    def __init__(
        self, logon: Logon, table: t.Table, decorate: Decorate | None = None, *, needs: Sequence[int] = (),
        ask: Callable[[Call[Any]], Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(logon)
        self.table = table
        self.columns: Columns | None = None
        self._had_columns = False
        self.position = 0
        self.feed = TableFeed(self)
        self._ask: Callable[[Call[Any]], Any] = ask or logon.account.call
        self.local = ask is not None
        self._decorate, self._needs = decorate, tuple(needs)
        self._original = table
        self._total = -1
        self._ahead: list[list[Any]] = []
        self._behind: list[Instance] = []
        self._seen = 0
        self._row_size = 64
        self.homes: dict[int, int] = {}
        """The folders of messages that are not the table's, of those that were read of late."""
        self._marks: dict[int, Mark] = {}
        self._last_mark = 0

    @property
    def decorated(self) -> bool:
        """Whether rows are more than the store tells."""
        return self._decorate is not None

    def close(self) -> None:
        self.feed.close()

    # ------------------------------------------------------------------------------------------ what it shows

    def set_columns(self, tags: Sequence[int], code_page: int) -> None:
        """RopSetColumns. ecInvalidParam, ecTooBig: no columns are set then ([MS-OXCTABL] 3.2.5.2)."""
        before, self.columns = self.columns, None
        if not tags or not all(map(may_be_shown, tags)):
            raise MapiError(Ec.ecInvalidParam, "columns")
        if len(tags) > t.MOST_COLUMNS // 2:
            raise MapiError(Ec.ecTooBig, f"{len(tags)} columns")
        columns = Columns(self.table.kind, tags, code_page, needs=self._needs)
        if len(columns.asked) > t.MOST_COLUMNS:
            raise MapiError(Ec.ecTooBig, f"{len(columns.asked)} columns")
        if before is None or columns.asked != before.asked:
            self._ahead.clear()
        self.columns, self._had_columns = columns, True
        self._row_size = 8 + 16 * len(tags)
        self.feed.stale()

    def shown(self, columns: Columns | None = None) -> Columns:
        """The columns set. ecNullObject when there are none ([MS-OXCTABL] 3.2.5.5)."""
        found = columns or self.columns
        if found is None:
            raise MapiError(Ec.ecNullObject, "no columns set")
        return found

    def define(self, **changes: Any) -> None:
        """Another sort order or restriction: cursor to the beginning, bookmarks invalid (3.2.5.2, 3.2.5.3)."""
        self.table = msgspec.structs.replace(self.table, **changes)
        self._marks.clear()
        self._put(0, -1)
        self.feed.stale()

    def reset(self) -> None:
        """RopResetTable (3.2.5.15)."""
        old = self._original
        self.define(restriction=old.restriction, sort=old.sort, categories=0, expanded=0, toggled=[])
        self.columns = None

    # ------------------------------------------------------------------------------------------ cursor

    def _put(self, position: int, total: int) -> None:
        """The cursor's new place; nothing is known of the rows around it."""
        self.position, self._total = position, total
        self._ahead.clear()
        self._behind = []

    def settle(self) -> None:
        """What is known of the table holds after this: if it may have changed, the cursor's row is found again."""
        version = self.feed.follow()
        if version == self._seen:
            return
        self._seen = version
        columns = self.columns
        ahead = [columns.instance(row) for row in self._ahead[:TRIES]] if columns is not None else []
        self._ahead.clear()
        self._total = -1
        if self.position:
            self._find_place(ahead)

    def _find_place(self, ahead: list[Instance]) -> None:
        for n in range(max(len(ahead), len(self._behind))):
            for rows, step in ((self._behind[::-1], 1), (ahead, 0)):
                if n < len(rows) and rows[n] != NOWHERE:
                    located = self._ask(t.LocateRow(self.table, *rows[n], self.position))
                    self._total = located.total
                    if located.found or located.hidden:
                        self.position = located.position + (1 if located.hidden else step)
                        return
        self.position = min(self.position, self.total())

    def total(self) -> int:
        """Rows of the table now."""
        if self._total < 0:
            self._total = self._ask(t.QueryRows(self.table, [], self.position, 0)).total
        return self._total

    def seek(self, base: int, count: int) -> int:
        """Go `count` rows from a place, as far as there are any; answers how many these were (3.2.5.8)."""
        total = self.total()
        base = min(base, total)
        target = min(max(base + count, 0), total)
        if target != self.position:
            self._put(target, total)
        return target - base

    def origin(self, origin: int) -> int:
        """The position of a predefined bookmark. ecInvalidParam."""
        if origin == Bookmark.BOOKMARK_BEGINNING:
            return 0
        if origin == Bookmark.BOOKMARK_CURRENT:
            return self.position
        if origin == Bookmark.BOOKMARK_END:
            return self.total()
        raise MapiError(Ec.ecInvalidParam, f"origin {origin}")

    # ------------------------------------------------------------------------------------------ rows

    def _read(self, columns: Columns, position: int, count: int) -> list[list[Any]]:
        """Rows at a place; sets what is known of the total. May be fewer than there are."""
        found = self._ask(t.QueryRows(self.table, columns.asked, position, min(count, t.MOST_ROWS)))
        self._total = found.total
        if found.position != position:
            return []
        return self._complete(columns, found.rows)

    def _complete(self, columns: Columns, rows: list[list[Any]]) -> list[list[Any]]:
        if rows and self.table.kind == t.CONTENTS:
            self._remember_homes(columns, rows)
        if self._decorate is not None and rows:
            self._decorate(columns.asked, rows)
        return rows

    def _remember_homes(self, columns: Columns, rows: list[list[Any]]) -> None:
        """Of a table that shows messages of other folders; events name their folders (`TableFeed`)."""
        if self.homes or columns.home(rows[0]) not in (0, self.table.fid):
            if len(self.homes) + len(rows) > MOST_HOMES:
                self.homes.clear()
            self.homes.update((columns.instance(row)[0], columns.home(row)) for row in rows)

    def _fetch(self, have: int, wanted: int, room: int) -> bool:
        """More rows behind the first `have` of those that are known; False when there are none, or all is changed."""
        columns = self.shown()
        for _ in range(_MOST_REPEATS):
            count = min(wanted, room // self._row_size + SLACK) + 1
            rows = self._read(columns, self.position + have, count)
            if self.feed.version == self._seen:
                self._ahead += rows
                return bool(rows)
            if have:
                self._total = -1
                return False
            self.settle()
        self._seen = self.feed.version
        self._ahead = self._read(columns, self.position, count)
        return bool(self._ahead)

    def forward(self, count: int, room: int, *, advance: bool) -> tuple[int, list[bytes]]:
        """RopQueryRows ahead: (Origin, rows), as many as fit. RoomTooSmall when not even one does."""
        columns = self.shown()
        self.settle()
        out: list[bytes] = []
        left = room
        while len(out) < count:
            n = len(out)
            if n >= len(self._ahead) and (self._at_end(n) or not self._fetch(n, count - n, left)):
                break
            octets = columns.encode(self._ahead[n])
            if len(octets) > left:
                break
            left -= len(octets)
            out.append(octets)
        if not out and self._ahead and count:
            raise RoomTooSmall(len(octets) + ROWS_HEAD)
        if out:
            self._row_size = max((room - left) // len(out), 1)
        if out and len(out) == len(self._ahead) and not self._at_end(len(out)):
            self._fetch(len(out), 1, 0)  # should all of these go, the cursor's place is still known
        at_end = self._at_end(len(out))
        if advance:
            self._advance(columns, len(out))
        return Bookmark.BOOKMARK_END if at_end else Bookmark.BOOKMARK_CURRENT, out

    def _at_end(self, ahead: int) -> bool:
        return 0 <= self._total <= self.position + ahead

    def _advance(self, columns: Columns, count: int) -> None:
        passed = [columns.instance(row) for row in self._ahead[max(count - TRIES, 0) : count]]
        self._behind = [*self._behind, *passed][-TRIES:]
        del self._ahead[:count]
        self.position += count

    def backward(self, count: int, room: int, *, advance: bool) -> tuple[int, list[bytes]]:
        """RopQueryRows back: the rows before the cursor, in the table's order. RoomTooSmall."""
        columns = self.shown()
        self.settle()
        self.position = min(self.position, self.total())
        rows: list[list[Any]] = []
        out: list[bytes] = []
        left = room
        while len(out) < min(count, self.position):
            if len(out) == len(rows):
                end = self.position - len(rows)
                more = self._before(columns, end, min(end, count - len(out), left // self._row_size + SLACK))
                if not more:
                    break
                rows += more[::-1]
            octets = columns.encode(rows[len(out)])
            if len(octets) > left:
                break
            left -= len(octets)
            out.append(octets)
        if not out and rows:
            raise RoomTooSmall(len(octets) + ROWS_HEAD)
        at_start = len(out) == self.position
        if advance and out:
            self._ahead = rows[: len(out)][::-1] + self._ahead
            self._behind = [columns.instance(row) for row in rows[len(out) : len(out) + TRIES]][::-1]
            self.position -= len(out)
        return Bookmark.BOOKMARK_BEGINNING if at_start else Bookmark.BOOKMARK_CURRENT, out[::-1]

    def _before(self, columns: Columns, end: int, count: int) -> list[list[Any]]:
        """Rows up to a place. The store may give fewer than asked, from the first on: then the last ones are asked."""
        rows: list[list[Any]] = []
        while count > 0:
            rows = self._read(columns, end - count, count)
            if len(rows) == count:
                return rows
            count = min(len(rows), count - 1)
        return []

    def find(self, restriction: bytes, position: int, *, backward: bool) -> bytes:
        """RopFindRow: the cursor goes to the first row that matches; its octets. ecNotFound."""
        columns = self.shown()
        found = self._ask(t.FindRow(self.table, restriction, position, columns.asked, backward))
        self._total = found.total
        if found.row is None:
            raise MapiError(Ec.ecNotFound, "no such row")
        self._put(found.position, found.total)
        self._ahead = self._complete(columns, [found.row])
        return columns.encode(self._ahead[0])

    def all_tags(self) -> list[int]:
        """RopQueryColumnsAll."""
        self.settle()
        tags: list[int] = self._ask(t.QueryColumnsAll(self.table))
        return tags

    # ------------------------------------------------------------------------------------------ bookmarks

    def bookmark(self) -> bytes:
        """RopCreateBookmark: the cursor's place. ecMaxObjsExceeded."""
        self.settle()
        narrow = Columns(self.table.kind, (), 0, needs=self._needs)
        columns, rows = self.columns or narrow, self._ahead[:TRIES]
        if not rows:
            rows, columns = self._read(narrow, self.position, TRIES), narrow
        return self.keep(Mark(tuple([columns.instance(row) for row in rows]), self.position))

    def keep(self, mark: Mark) -> bytes:
        """A new bookmark. ecMaxObjsExceeded."""
        if len(self._marks) >= MOST_BOOKMARKS:
            raise MapiError(Ec.ecMaxObjsExceeded, "bookmarks")
        self._last_mark = (self._last_mark + 1) & 0xFFFFFFFF
        self._marks[self._last_mark] = mark
        return _BOOKMARK.pack(self._last_mark)

    def free(self, bookmark: bytes) -> None:
        """RopFreeBookmark. ecNullObject, ecInvalidBookmark."""
        self.shown()
        self._mark(bookmark)
        del self._marks[_BOOKMARK.unpack(bookmark)[0]]

    def _mark(self, bookmark: bytes) -> Mark:
        number = _BOOKMARK.unpack(bookmark)[0] if len(bookmark) == _BOOKMARK.size else 0
        found = self._marks.get(number)
        if found is None:
            raise MapiError(Ec.ecInvalidBookmark, bookmark[:16].hex())
        return found

    def place_of(self, bookmark: bytes) -> tuple[int, bool]:
        """(position, whether its row is no longer shown: the position is the next one's). ecInvalidBookmark.

        ecNullObject when no columns were set before ([MS-OXCTABL] 3.2.5.10); when they were reset, so were bookmarks.
        """
        if not self._had_columns:
            self.shown()
        mark = self._mark(bookmark)
        self.settle()
        if not mark.rows:
            return self.total(), False
        for n, row in enumerate(mark.rows):
            if row == NOWHERE:
                break
            located = self._ask(t.LocateRow(self.table, *row, mark.near))
            self._total = located.total
            if located.found or located.hidden:
                return located.position + located.hidden, n > 0 or located.hidden
        return min(mark.near, self.total()), mark.rows[0] != NOWHERE

    # ------------------------------------------------------------------------------------------ categories

    def expand(self, category: int, count: int, room: int) -> tuple[int, list[bytes]]:
        """RopExpandRow: (rows that are shown now, the first of them). ecNotFound, ecNotCollapsed."""
        columns = self.shown()
        self.settle()
        number = instance_of(category)
        count = min(count, room // self._row_size + SLACK)
        found = self._ask(t.ExpandRow(self.table, number, columns.asked, count))
        self._toggle(number)
        position = self.position + (found.added if self.position > found.position else 0)
        self._put(position, -1)
        out: list[bytes] = []
        for row in self._complete(columns, found.rows):
            octets = columns.encode(row)
            if len(octets) > room:
                break
            room -= len(octets)
            out.append(octets)
        return found.added, out

    def collapse(self, category: int) -> int:
        """RopCollapseRow: rows that are not shown any more. ecNotFound, ecNotExpanded."""
        self.shown()
        self.settle()
        number = instance_of(category)
        found = self._ask(t.CollapseRow(self.table, number))
        self._toggle(number)
        if self.position > found.position:
            self._put(max(self.position - found.removed, found.position + 1), -1)
        else:
            self._put(self.position, -1)
        return int(found.removed)

    def _toggle(self, number: int) -> None:
        toggled = set(self.table.toggled) ^ {number}
        self.table = msgspec.structs.replace(self.table, toggled=sorted(toggled))

    def _kind_of_state(self) -> int:
        """Collapse states are for tables of the same order and restriction (2.2.2.20)."""
        table = self.table
        return zlib.crc32(msgspec.msgpack.encode((table.sort, table.categories, table.restriction)))

    def collapse_state(self, row_id: int, row_instance: int) -> bytes:
        """RopGetCollapseState. ecTooBig."""
        self.shown()
        toggled = self.table.toggled
        if len(toggled) > 8000:
            raise MapiError(Ec.ecTooBig, "collapse state")
        head = _STATE.pack(_MAGIC, self._kind_of_state(), self.table.expanded, len(toggled))
        return head + _ROW.pack(row_id, row_instance) + Struct(f"<{len(toggled)}Q").pack(*toggled)

    def set_collapse_state(self, state: bytes) -> bytes:
        """RopSetCollapseState: the bookmark of its row. ecInvalidParam for a state that is of another table."""
        self.shown()
        cursor = Cursor(state)
        try:
            magic, kind, expanded, count = cursor.struct(_STATE)
            row_id, row_instance = cursor.struct(_ROW)
            toggled = list(cursor.struct(Struct(f"<{cursor.count(count, 8)}Q")))
            cursor.finish()
        except WireError as error:
            raise MapiError(Ec.ecInvalidParam, f"collapse state: {error}") from error
        if magic != _MAGIC or kind != self._kind_of_state():  # type: ignore[comparison-overlap]
            raise MapiError(Ec.ecInvalidParam, "collapse state of another table")
        self.table = msgspec.structs.replace(self.table, expanded=expanded, toggled=toggled)
        self._put(self.position, -1)
        self.settle()
        self.seek(self.position, 0)
        row = instance_of(row_id & MASK64)
        return self.keep(Mark(((row, row_instance),), self.position))
