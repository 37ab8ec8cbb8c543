"""Message rows by id: those that IMAP sees (`messages`) and those it does not (`unlisted`)."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import NamedTuple

import apsw

from gromoxd.errors import Ec, MapiError
from store.sql import rows

LISTED, ASSOCIATED, DELETED, DELETED_ASSOCIATED = 0, 1, 2, 3
"""`Row.kind`. Listed messages are in `messages`, the others in `unlisted`."""


class Row(NamedTuple):
    """The narrow part of a message. `uid` is 0 for unlisted ones; `deleted_at` (Unix seconds) for listed ones."""

    mid: int
    fid: int
    uid: int
    kind: int
    flags: int
    modseq: int
    cn: int
    size: int
    received: int
    sent: int
    did: int
    deleted_at: int

    @property
    def associated(self) -> bool:
        return self.kind in (ASSOCIATED, DELETED_ASSOCIATED)

    @property
    def deleted(self) -> bool:
        return self.kind >= DELETED


LISTED_COLUMNS = "mid, fid, uid, 0, flags, modseq, cn, size, received, sent, did, 0"
INTO_UNLISTED = "INSERT INTO unlisted (mid, fid, kind, flags, modseq, cn, size, received, sent, did, time)"
INSERT_UNLISTED = INTO_UNLISTED + " VALUES (?,?,?,?,?,?,?,?,?,?,?)"
UNLISTED_COLUMNS = "mid, fid, 0, kind, flags, modseq, cn, size, received, sent, did, time"
_LISTED = f"SELECT {LISTED_COLUMNS} FROM messages WHERE mid=?"
_UNLISTED = f"SELECT {UNLISTED_COLUMNS} FROM unlisted WHERE mid=?"


def look_up(db: apsw.Connection, mid: int) -> Row | None:
    """A message's row, if there is such a message."""
    for sql in (_LISTED, _UNLISTED):
        found = db.execute(sql, (mid,)).fetchone()
        if found is not None:
            return Row(*found)
    return None


def find(db: apsw.Connection, mid: int) -> Row:
    """A message's row. ecNotFound."""
    found = look_up(db, mid)
    if found is None:
        raise MapiError(Ec.ecNotFound, f"message {mid:#x}")
    return found


def several(db: apsw.Connection, fid: int, mids: Iterable[int]) -> list[Row]:
    """Those of these messages that are in a folder, in the order of `mids`, each once."""
    wanted = array("q", dict.fromkeys(mids))
    if not wanted:
        return []
    found: dict[int, Row] = {}
    for columns, table in ((LISTED_COLUMNS, "messages"), (UNLISTED_COLUMNS, "unlisted")):
        sql = f"SELECT {columns} FROM {table} WHERE mid IN carray(?) AND fid=?"
        found |= {line[0]: Row(*line) for line in rows(db, sql, (apsw.carray(wanted), fid))}
    return [found[mid] for mid in wanted if mid in found]


def all_of(db: apsw.Connection, fid: int, kind: int) -> list[Row]:
    """All messages of a kind in a folder."""
    if kind == LISTED:
        return [Row(*line) for line in rows(db, f"SELECT {LISTED_COLUMNS} FROM messages WHERE fid=?", (fid,))]
    sql = f"SELECT {UNLISTED_COLUMNS} FROM unlisted WHERE fid=? AND kind=?"
    return [Row(*line) for line in rows(db, sql, (fid, kind))]
