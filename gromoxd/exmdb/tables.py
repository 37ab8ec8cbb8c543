"""The exmdb calls on tables ([MS-OXCTABL]): hierarchy, contents, permissions, rules, receive folders.

A table is a definition that travels with each call. The store keeps nothing of a client's table: position, bookmarks
and the state of categories are the client's. `LocateRow` finds a bookmark's row again, seeking is arithmetic.

Rows are lists of values in the order of the columns, None where a row has no such property. A value of more than 255
characters or 510 octets is cut there (2.2.1, [MS-OXCDATA] 2.8.2). A row is named by its instance: `instance` is a
message's or folder's id, or a category's, which is always above 48 bits; `num` tells the rows of one message apart
where a multi-value column shows its values singly (PidTagInstID, PidTagInstanceNum).
"""

from __future__ import annotations

from typing import Any

from gromoxd.exmdb.calls import Call, Done, Result

HIERARCHY, CONTENTS, PERMISSIONS, RULES, RECEIVE_FOLDERS = 1, 2, 3, 4, 5
"""`Table.kind`."""
ASSOCIATED, DEPTH, NO_NOTIFICATIONS, SOFT_DELETED, CONVERSATION_MEMBERS = 0x02, 0x04, 0x10, 0x20, 0x80
"""`Table.flags` ([MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1); others are the protocol's and of no meaning here."""
FREE_BUSY = 0x02
"""`Table.flags` of permissions: free/busy rights are shown ([MS-OXCPERM] 2.2.1)."""
LONGEST_TEXT = 255
MOST_TOGGLED, MOST_ROWS, MOST_COLUMNS = 65_536, 4096, 1024


class Table(Result, frozen=True):
    """What a table shows. `restriction` is encoded ([MS-OXCDATA] 2.12), b'' for none.

    `sort` is (property tag, order) as `gromoxd.mapi.sorting` has them, the first `categories` of which make groups; the
    first `expanded` levels of these start open, and groups whose ids are in `toggled` are the other way round. An
    aggregated column orders the groups, in the direction of the category before it.
    """

    kind: int
    fid: int
    flags: int = 0
    restriction: bytes = b""
    sort: list[tuple[int, int]] = []
    categories: int = 0
    expanded: int = 0
    toggled: list[int] = []


class Rows(Result, frozen=True):
    """`rows` start at `position`; `total` is how many the table has now. The list may be shorter than was asked for."""

    total: int
    position: int
    rows: list[list[Any]]


class QueryRows(Call[Rows], frozen=True):
    """Rows from a position on, at most MOST_ROWS and 4 MiB; `count` 0 just counts (2.2.2.5, RopGetContentsTable).

    ecNotFound (folder), ecAccessDenied, ecInvalidParam (sort order, restriction), ecTooComplex.
    """

    table: Table
    columns: list[int]
    position: int
    count: int


class Found(Result, frozen=True):
    """A row and its position; `row` is None when there is none."""

    position: int
    total: int
    row: list[Any] | None


class FindRow(Call[Found], frozen=True):
    """The first row from `position` on that matches, `backward`: the first before it (2.2.2.14); no category's."""

    table: Table
    restriction: bytes
    position: int
    columns: list[int]
    backward: bool = False


class Located(Result, frozen=True):
    """`found`: the row is there and shown at `position`. `hidden`: it is in a collapsed group, whose row `position` is.

    Else it is gone, and `position` is the `near` that was given, or the table's end.
    """

    position: int
    found: bool
    hidden: bool
    total: int


class LocateRow(Call[Located], frozen=True):
    """Where a row is now: bookmarks and collapse states (2.2.2.11, 2.2.2.20)."""

    table: Table
    instance: int
    num: int = 0
    near: int = 0


class QueryColumnsAll(Call[list[int]], frozen=True):
    """Property tags that rows of the table have (2.2.2.13), those of the first messages among them."""

    table: Table


class Expanded(Result, frozen=True):
    """`added` rows come after the group's row at `position`; `rows` are the first of them."""

    position: int
    added: int
    rows: list[list[Any]]


class ExpandRow(Call[Expanded], frozen=True):
    """What opening a group shows (2.2.2.18); the client then toggles it. ecNotFound, ecNotCollapsed."""

    table: Table
    category: int
    columns: list[int]
    count: int = 0


class Collapsed(Result, frozen=True):
    """`removed` rows go after the group's row at `position`."""

    position: int
    removed: int


class CollapseRow(Call[Collapsed], frozen=True):
    """What closing a group hides (2.2.2.19); the client then toggles it. ecNotFound, ecNotExpanded."""

    table: Table
    category: int


class WatchTable(Call[Done], frozen=True):
    """Row events of a table are pushed on this connection (`calls.Event.rows`) with `watch` = `id` until `on` is False.

    The id is the client's choice, one for a connection and mailbox; a table given under an id in use replaces that.
    Events carry the values of `columns`. Watch first, then read: what is read is never older than the first event. A
    connection that breaks takes its watches along: after an event for fid -1 the client watches anew and looks again.
    ecTooBig: more than 1,000 ids.
    """

    id: int
    on: bool
    table: Table | None = None
    columns: list[int] = []


class WatchObjects(Call[Done], frozen=True):
    """Object events of a folder (fid 0: of the mailbox) are pushed on this connection with `watch` = `id`.

    `kinds` is a set of calls.NEW_MAIL … ([MS-OXCNOTIF] 2.2.1.1); `mid`: of this message only. The ids are those of
    WatchTable. Only what the actor may read is told.
    """

    id: int
    on: bool
    fid: int = 0
    kinds: int = 0xFF
    mid: int = 0


CALLS = (
    QueryRows, FindRow, LocateRow, QueryColumnsAll, ExpandRow, CollapseRow, WatchTable, WatchObjects,
)  # fmt: skip
