"""Search folders: their criteria, filling them, and keeping them current by the change log ([MS-OXCFOLD] 3.2.5.4).

The loop sees that something changed and has the mailbox's search job done, on a thread: it reads what happened since a
folder's watermark, or some more of the folders that are not covered yet, and answers an `ApplySearch`, which the writer
carries out. The job is done again until nothing is left to do; it and its write are one at a time. `watermark` is a
change number up to which the results are right, `scope` the folders asked for and those that have been searched: a
crash only delays what had not been written.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple

import apsw
import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import searchcalls as s
from gromoxd.exmdb.calls import Call, Done
from gromoxd.mapi.searchcriteria import (
    SearchStatus,
    check_search_flags,
    finished_status,
    kept_current,
    requested_status,
)
from store.changes import Found
from store.mapi.reading import Reading
from store.mapi.tabledef import condition_of
from store.sql import row, rows
from store.transaction import Transaction

MOST_AT_ONCE = 2000
"""Results that one write changes."""
COLUMNS = "fid, status, watermark, restriction, scope, generation"


class SearchFolder(NamedTuple):
    """A row of `search_folders`. `covered`: the folders whose messages have been looked at. `generation`: the change
    number at which the search was begun; results that are older are of an earlier one."""

    fid: int
    status: SearchStatus
    watermark: int
    restriction: bytes
    scope: list[int]
    covered: list[int]
    generation: int

    @classmethod
    def of(cls, found: Any) -> SearchFolder:
        """From the columns COLUMNS."""
        fid, status, watermark, restriction, scope, generation = found
        asked, covered = msgspec.msgpack.decode(scope) if scope else ([], [])
        return cls(fid, SearchStatus(status), watermark, restriction, asked, covered, generation)

    @property
    def recursive(self) -> bool:
        return bool(self.status & SearchStatus.SEARCH_RECURSIVE)

    @property
    def live(self) -> bool:
        """Whether anything is to be done when messages come, change or go: results of a static search go, too."""
        return bool(self.status & (SearchStatus.SEARCH_RUNNING | SearchStatus.SEARCH_COMPLETE))

    @property
    def current(self) -> bool:
        """Whether messages that begin to match come in."""
        return kept_current(self.status)


class Part(NamedTuple):
    """What is written of one search folder, if it still is of this generation. `gone`: of the covered folders."""

    fid: int
    generation: int
    watermark: int
    added: Sequence[int]
    removed: Sequence[int]
    touched: Sequence[int]
    covered: Sequence[int] = ()
    gone: Sequence[int] = ()
    complete: bool = False


class ApplySearch(Call[Done], frozen=True):
    """Not for clients: what the search job found."""

    writes = True
    parts: list[Part]


# ---------------------------------------------------------------------------------------------- criteria


def _search_folder(db: apsw.Connection, fid: int) -> SearchFolder:
    found = row(db, f"SELECT {COLUMNS} FROM search_folders WHERE fid=?", (fid,))
    if found is None:
        raise MapiError(Ec.ecNotSearchFolder, f"folder {fid:#x}")
    return SearchFolder.of(found)


def get_criteria(reading: Reading, call: s.GetSearchCriteria) -> s.SearchCriteria:
    """searchcalls.GetSearchCriteria."""
    reading.access.require_owner()
    reading.box.check_folder(call.fid)
    folder = _search_folder(reading.reader.db, call.fid)
    if not folder.scope:
        raise MapiError(Ec.ecNotInitialized, f"folder {call.fid:#x}")
    return s.SearchCriteria(folder.restriction, folder.scope, int(folder.status))


def set_criteria(tx: Transaction, call: s.SetSearchCriteria) -> Done:
    """searchcalls.SetSearchCriteria."""
    tx.access.require_owner()
    tx.state.folder(call.fid)
    if tx.public:
        raise MapiError(Ec.ecNotSupported, "search folder of a public store")
    before = _search_folder(tx.db, call.fid)
    flags = check_search_flags(call.flags)
    restriction, scope = call.restriction or before.restriction, list(dict.fromkeys(call.scope)) or before.scope
    if not restriction or not scope:
        raise MapiError(Ec.ecNotInitialized, "criteria")
    if call.fid in call.scope:
        raise MapiError(Ec.ecSearchFolderScopeViolation, "a search folder within its own scope")
    _check_scope(tx, scope)
    condition_of(restriction, False)
    status = requested_status(flags, before.status)
    cn = tx.new_cns()
    anew = (restriction, scope, status & _HOW) != (before.restriction, before.scope, before.status & _HOW)
    if status & SearchStatus.SEARCH_REBUILD or (anew and status & _BEGUN):
        status = status & ~_BEGUN | SearchStatus.SEARCH_RUNNING
        covered: list[int] = []
        generation = cn
    else:
        covered, generation = before.covered, cn if status != before.status else before.generation
    tx.db.execute(
        "UPDATE search_folders SET flags=?, status=?, watermark=max(watermark, ?), restriction=?, scope=?, generation=?"
        " WHERE fid=?",
        (int(flags), int(status), 0 if covered else cn, restriction, _encode(scope, covered), generation, call.fid),
    )
    _begun(tx, call.fid, cn, drop=not covered)
    return Done(cn)


_HOW = SearchStatus.SEARCH_RECURSIVE | SearchStatus.SEARCH_STATIC
_BEGUN = (
    SearchStatus.SEARCH_RUNNING
    | SearchStatus.SEARCH_REBUILD
    | SearchStatus.SEARCH_COMPLETE
    | SearchStatus.SEARCH_PARTIAL
)


def _encode(scope: list[int], covered: list[int]) -> bytes:
    return msgspec.msgpack.encode((scope, covered))


def _check_scope(tx: Transaction, scope: list[int]) -> None:
    if len(scope) > s.MOST_SCOPE:
        raise MapiError(Ec.ecInvalidParam, "scope")
    for fid in scope:
        tx.state.folder(fid)
        if row(tx.db, "SELECT 1 FROM search_folders WHERE fid=?", (fid,)) is not None:
            raise MapiError(Ec.ecNotSupported, "search among search results")


def _begun(tx: Transaction, fid: int, cn: int, *, drop: bool) -> None:
    """A search was begun anew, or changed; the results of before go, at once if they are few."""
    removed: list[int] = []
    if drop:
        removed = _remove(tx, fid, [mid for (mid,) in rows(tx.db, f"{_OLD} LIMIT {MOST_AT_ONCE}", (fid, cn))], cn)
    folder = tx.state.folder(fid)
    folder.cn = cn
    tx.touch(folder)
    tx.effects.found.append(Found(fid, [], removed, False))
    tx.effects.searches = True


_OLD = "SELECT mid FROM search_results WHERE fid=? AND cn<?"


# ---------------------------------------------------------------------------------------------- results


def apply_search(tx: Transaction, call: ApplySearch) -> Done:
    """ApplySearch."""
    tx.access.require_owner()
    for part in call.parts:
        found = row(tx.db, f"SELECT {COLUMNS} FROM search_folders WHERE fid=?", (part.fid,))
        if found is not None and part.fid in tx.state.folders:
            folder = SearchFolder.of(found)
            if folder.generation == part.generation:
                _apply(tx, folder, part)
    return Done(tx.state.cn)


def _apply(tx: Transaction, folder: SearchFolder, part: Part) -> None:
    cn = tx.new_cns()
    sql = "INSERT OR IGNORE INTO search_results SELECT ?, mid, ? FROM messages WHERE mid IN carray(?) RETURNING mid"
    added = [mid for (mid,) in rows(tx.db, sql, (part.fid, cn, _listed(part.added)))] if part.added else []
    if part.touched:
        sql = "UPDATE search_results SET cn=? WHERE fid=? AND mid IN carray(?)"
        tx.db.execute(sql, (cn, part.fid, _listed(part.touched)))
    removed = _remove(tx, part.fid, part.removed, cn)
    covered = [fid for fid in dict.fromkeys([*folder.covered, *part.covered]) if fid not in part.gone]
    status = finished_status(folder.status) if part.complete else folder.status
    tx.db.execute(
        "UPDATE search_folders SET status=?, watermark=max(watermark, ?), scope=? WHERE fid=?",
        (int(status), part.watermark, _encode(folder.scope, covered), part.fid),
    )
    if part.gone:
        tx.db.execute("UPDATE folders SET pruned_cn=? WHERE fid=?", (cn, part.fid))
    row_of = tx.state.folder(part.fid)
    row_of.cn = cn
    tx.touch(row_of)
    tx.effects.found.append(Found(part.fid, added, removed, part.complete))
    tx.effects.searches |= part.complete


def _listed(mids: Sequence[int]) -> Any:
    return apsw.carray(array("q", mids))


def _remove(tx: Transaction, fid: int, mids: Sequence[int], cn: int) -> list[int]:
    """Take messages out of a search folder; a tombstone tells its tables."""
    if not mids:
        return []
    sql = "DELETE FROM search_results WHERE fid=? AND mid IN carray(?) RETURNING mid"
    removed = [mid for (mid,) in rows(tx.db, sql, (fid, _listed(mids)))]
    if removed:
        octets = array("Q", removed).tobytes()
        tx.db.execute("INSERT INTO tombstones VALUES (?,?,?,?,?)", (fid, cn, tx.now, b"", octets))
    return removed


READS = {s.GetSearchCriteria: get_criteria}
WRITES = {s.SetSearchCriteria: set_criteria, ApplySearch: apply_search}
