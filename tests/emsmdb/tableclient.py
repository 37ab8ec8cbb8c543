"""A table as a client uses it."""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec
from gromoxd.exmdb import objects as o
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.rows import read_row
from gromoxd.mapi.sorting import SortOrder, SortOrderSet
from gromoxd.rop import notify as n
from gromoxd.rop import tables as r
from gromoxd.rop.codec import Request, Response, read_response
from tests.emsmdb.world import INBOX, ROOM, Client

TABLE = 8
"""Handle index at which tables are put."""


class TableClient:
    """The table at a handle index, over a folder whose handle is at `folder`."""

    def __init__(self, client: Client, index: int = TABLE, *, number: int = 0) -> None:
        self.client, self.index, self.number = client, index, number
        self.columns: tuple[int, ...] = ()
        self.row_count = 0
        self.heard: list[n.Notify] = []
        """What came along with other answers."""

    @classmethod
    def contents(cls, client: Client, fid: int = INBOX, flags: int = 0, index: int = TABLE) -> TableClient:
        """The contents table of a folder."""
        made = cls(client, index)
        client.folder(fid, 1)
        made.row_count = client.one(r.GetContentsTable(0, 1, index, flags), r.GetContentsTableResponse).row_count
        return made

    @classmethod
    def hierarchy(cls, client: Client, fid: int, flags: int = 0, index: int = TABLE) -> TableClient:
        """The hierarchy table of a folder."""
        made = cls(client, index)
        client.folder(fid, 1)
        made.row_count = client.one(r.GetHierarchyTable(0, 1, index, flags), r.GetHierarchyTableResponse).row_count
        return made

    @property
    def handle(self) -> int:
        return self.client.handles[self.index]

    def _one(self, kind: Any, answer: Any, *values: Any, room: int = ROOM) -> Any:
        found = self._answer(kind(self.number, self.index, *values), room)
        assert found.code == 0, Ec(found.code).name
        assert isinstance(found, answer)
        return found

    def fails(self, kind: Any, *values: Any) -> int:
        """The code with which a ROP is refused."""
        found = self._answer(kind(self.number, self.index, *values), ROOM)
        assert found.code, found
        return found.code

    def _answer(self, request: Request, room: int) -> Response:
        found, *more = self.client.run(request, room=room)
        self.heard += [one for one in more if isinstance(one, n.Notify)]
        assert all(isinstance(one, n.Notify) for one in more)
        return found

    def request(self, kind: Any, *values: Any) -> Request:
        made: Request = kind(self.number, self.index, *values)
        return made

    # ------------------------------------------------------------------------------------------ what is shown

    def show(self, *columns: int) -> TableClient:
        assert self._one(r.SetColumns, r.SetColumnsResponse, 0, list(columns)).status == 0
        self.columns = columns
        return self

    def sort(self, *orders: tuple[int, int], categories: int = 0, expanded: int = 0) -> TableClient:
        sort = SortOrderSet(tuple(SortOrder(*order) for order in orders), categories, expanded)
        assert self._one(r.SortTable, r.SortTableResponse, 0, sort).status == 0
        return self

    def restrict(self, restriction: bytes = b"") -> TableClient:
        assert self._one(r.Restrict, r.RestrictResponse, 0, restriction).status == 0
        return self

    # ------------------------------------------------------------------------------------------ rows

    def decode(self, rows: bytes, count: int = 1) -> list[list[Any]]:
        """Rows of a response. Nobody else can tell where they end: notifications may follow."""
        cursor = Cursor(rows)
        found = [read_row(cursor, self.columns) for _ in range(count)]
        while cursor.left:
            more = read_response(cursor)
            assert isinstance(more, n.Notify)
            self.heard.append(more)
        return found

    def query(
        self, count: int = 1000, *, forward: bool = True, flags: int = 0, room: int = ROOM
    ) -> tuple[int, list[list[Any]]]:  # fmt: skip
        found = self._one(r.QueryRows, r.QueryRowsResponse, flags, forward, count, room=room)
        return found.origin, self.decode(found.rows, found.row_count)

    def rows(self, count: int = 1000, **more: Any) -> list[list[Any]]:
        return self.query(count, **more)[1]

    def firsts(self, count: int = 1000, **more: Any) -> list[Any]:
        """The values of the first column."""
        return [row[0] for row in self.rows(count, **more)]

    def everything(self, room: int = ROOM) -> list[list[Any]]:
        """All rows from the first on."""
        self.seek(0, 0)
        found: list[list[Any]] = []
        while True:
            origin, rows = self.query(0x7FFF, room=room)
            found += rows
            if origin == 2:
                return found

    def find(self, restriction: bytes, *, origin: int = 0, backward: bool = False, bookmark: bytes = b"") -> Any:
        return self._one(r.FindRow, r.FindRowResponse, int(backward), restriction, origin, bookmark)

    # ------------------------------------------------------------------------------------------ cursor

    def seek(self, origin: int, count: int) -> tuple[bool, int]:
        found = self._one(r.SeekRow, r.SeekRowResponse, origin, count, True)
        return found.sought_less, found.rows_sought

    def position(self) -> tuple[int, int]:
        found = self._one(r.QueryPosition, r.QueryPositionResponse)
        return found.numerator, found.denominator

    def bookmark(self) -> bytes:
        made: bytes = self._one(r.CreateBookmark, r.CreateBookmarkResponse).bookmark
        return made

    def go(self, bookmark: bytes, count: int = 0) -> Any:
        return self._one(r.SeekRowBookmark, r.SeekRowBookmarkResponse, bookmark, count, True)

    def do(self, kind: Any, answer: Any, *values: Any) -> Any:
        return self._one(kind, answer, *values)

    # ------------------------------------------------------------------------------------------ notifications

    def notified(self) -> list[n.NotificationData]:
        """What was told of this table since this was last asked."""
        found, self.heard = self.heard + notified(self.client), []
        return [one.data for one in found if one.handle == self.handle]


def notified(client: Client) -> list[n.Notify]:
    """What waits for the client, taken with an empty buffer."""
    found = client.run()
    assert all(isinstance(one, n.Notify) for one in found)
    return found  # type: ignore[return-value]


def save(client: Client, props: dict[int, Any], mid: int = 0, fid: int = INBOX, **more: Any) -> int:
    """A message made or changed by another client; its counter."""
    call = o.SaveMessage(fid, mid, 0, o.Changes(props), client.world.request_id(), bool(mid), **more)
    return client.world.account(client.user.username).call(call).mid


def delete(client: Client, *mids: int, fid: int = INBOX) -> None:
    """Messages deleted by another client."""
    client.world.account(client.user.username).call(o.DeleteMessages(fid, list(mids), True))
