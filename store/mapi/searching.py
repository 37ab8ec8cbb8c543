"""The search job of a mailbox: what `store.mapi.search` says is to be done, piece by piece, on a thread.

The loop's part is `Searches`, which knows whether there is anything to keep current, so that a mailbox without search
folders pays nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple

import apsw

from gromoxd.exmdb.calls import Call, FolderList
from gromoxd.exmdb.pages import PAGE_SPAN
from gromoxd.mapi.searchcriteria import SearchStatus
from store.changes import Effects
from store.mapi.jobs import Job
from store.mapi.ordering import Ordering
from store.mapi.reading import Reading
from store.mapi.search import COLUMNS, MOST_AT_ONCE, ApplySearch, Part, SearchFolder
from store.mapi.tabledef import LISTED, Definition, condition_of
from store.mapi.tablerows import MessageRows
from store.pace import Pace
from store.sql import row, rows

if TYPE_CHECKING:
    from store.mailbox import Mailbox

PIECE_SECONDS = 0.25
"""How long one job looks for messages before it has written what it found."""
SCANNED = 256
_CHANGED = f"""
    SELECT m.mid FROM pages p CROSS JOIN messages m
      ON m.fid = p.fid AND m.uid BETWEEN p.number * {PAGE_SPAN} AND p.number * {PAGE_SPAN} + {PAGE_SPAN - 1}
    WHERE p.fid = ? AND p.cn > ? AND m.modseq > ?"""
_GONE = "SELECT s.mid FROM search_results s LEFT JOIN messages m ON m.mid = s.mid WHERE s.fid = ? AND m.mid IS NULL"
_STRAY = _GONE + " OR s.fid = ? AND m.fid NOT IN carray(?)"


class Pending:
    """What was found for one search folder and is not written yet, and what is to be said with the last of it."""

    def __init__(self, folder: SearchFolder) -> None:
        self.fid, self.generation = folder.fid, folder.generation
        self.added: list[int] = []
        self.removed: list[int] = []
        self.touched: list[int] = []
        self.watermark = 0
        self.covered: list[int] = []
        self.gone: list[int] = []
        self.complete = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.touched or self.covered or self.gone or self.complete)

    def take(self) -> Part:
        """The next write."""
        added, self.added = self.added[:MOST_AT_ONCE], self.added[MOST_AT_ONCE:]
        removed, self.removed = self.removed[:MOST_AT_ONCE], self.removed[MOST_AT_ONCE:]
        touched, self.touched = self.touched[:MOST_AT_ONCE], self.touched[MOST_AT_ONCE:]
        if self.added or self.removed or self.touched:
            return Part(self.fid, self.generation, 0, added, removed, touched)
        part = Part(
            self.fid, self.generation, self.watermark, added, removed, touched, self.covered, self.gone, self.complete
        )
        self.covered, self.gone, self.complete = [], [], False
        return part


class Progress(NamedTuple):
    """How far the messages of a folder have been looked at."""

    folder: int
    uid: int


class Searches:
    """The search folders of one mailbox, as the loop and the job know them."""

    def __init__(self, box: Mailbox) -> None:
        self._box = box
        self._live = False
        self._marks: dict[int, tuple[int, int]] = {}
        """fid -> (generation, change number up to which nothing was to be done)."""
        self._progress: dict[tuple[int, int], Progress] = {}
        """(fid, generation) -> where the filling is."""
        self._pending: dict[int, Pending] = {}
        self._job = Job("search", self._work)

    # ------------------------------------------------------------------------------------------ in the loop

    def load(self, db: apsw.Connection) -> None:
        """Look whether there is anything to do, as when the mailbox is opened."""
        self._live = any(folder.live for folder in _all(db))
        if self._live:
            self._box.jobs.add(self._job)

    def published(self, effects: Effects) -> None:
        """Something was written."""
        if effects.searches or effects.hierarchy:
            self.load(self._box.loop_reader.db)
        elif self._live and effects.changes:
            self._box.jobs.add(self._job)

    # ------------------------------------------------------------------------------------------ on a thread

    def _work(self, reading: Reading) -> Call[Any] | None:
        parts = []
        stop = monotonic() + PIECE_SECONDS
        folders = [folder for folder in _all(reading.reader.db) if folder.live]
        for folder in folders:
            pending = self._pending.get(folder.fid)
            if pending is None or pending.generation != folder.generation or not pending:
                pending = _Look(self, reading, folder, stop).pending
                self._pending[folder.fid] = pending
            if pending:
                parts.append(pending.take())
        self._forget({folder.fid for folder in folders})
        if not parts:
            return None
        self._box.jobs.add(self._job)  # there may be more to do
        return ApplySearch(parts)

    def _forget(self, but: set[int]) -> None:
        for known in (self._marks, self._pending):
            for fid in [fid for fid in known if fid not in but]:
                del known[fid]
        for key in [key for key in self._progress if key[0] not in but]:
            del self._progress[key]

    def mark(self, folder: SearchFolder) -> int:
        """Up to which change number a folder's results are right."""
        generation, cn = self._marks.get(folder.fid, (0, 0))
        return max(folder.watermark, cn) if generation == folder.generation else folder.watermark

    def set_mark(self, folder: SearchFolder, cn: int) -> None:
        self._marks[folder.fid] = (folder.generation, cn)

    def progress(self, folder: SearchFolder) -> Progress | None:
        return self._progress.get((folder.fid, folder.generation))

    def set_progress(self, folder: SearchFolder, progress: Progress | None) -> None:
        for key in [key for key in self._progress if key[0] == folder.fid]:
            del self._progress[key]
        if progress is not None:
            self._progress[folder.fid, folder.generation] = progress


def _all(db: apsw.Connection) -> list[SearchFolder]:
    return [SearchFolder.of(found) for found in rows(db, f"SELECT {COLUMNS} FROM search_folders")]


def scope_of(folder: SearchFolder, folders: FolderList, searches: set[int]) -> list[int]:
    """The folders that are searched: no search folders, and not what is gone."""
    below: dict[int, list[int]] = {}
    for one in folders.folders:
        below.setdefault(one.parent_fid, []).append(one.fid)
    there = {one.fid for one in folders.folders}
    found: dict[int, None] = {}
    waiting = list(reversed(folder.scope))
    while waiting:
        fid = waiting.pop()
        if fid in found or fid not in there or fid in searches:
            continue
        found[fid] = None
        if folder.recursive:
            waiting += reversed(below.get(fid, []))
    return list(found)


class _Look:
    """One look at what is to be done for a search folder; `pending` is what it found."""

    def __init__(self, searches: Searches, reading: Reading, folder: SearchFolder, stop: float) -> None:
        self._searches = searches
        self._reading = reading
        self._db = reading.reader.db
        self._folder = folder
        self._stop = stop
        self._pace = Pace()
        self.pending = Pending(folder)
        kinds = {fid for (fid,) in rows(self._db, "SELECT fid FROM search_folders")}
        self._scope = scope_of(folder, reading.box.folder_list, kinds)
        self._condition = condition_of(folder.restriction, False)
        self._rows = MessageRows(reading)
        self._old()
        if not self.pending:
            self._refresh()
        if not self.pending.removed:
            self._lost()
        if not self.pending and (folder.current or folder.status & SearchStatus.SEARCH_RUNNING):
            self._fill()

    def _old(self) -> None:
        """What an earlier search left."""
        sql = f"SELECT mid FROM search_results WHERE fid=? AND cn<? LIMIT {MOST_AT_ONCE}"
        if not self._folder.covered:
            self.pending.removed += [mid for (mid,) in rows(self._db, sql, (self._folder.fid, self._folder.generation))]

    def _definition(self, fid: int) -> Definition:
        sql, params, rest = self._condition
        return Definition(b"", fid, LISTED, 0, sql, tuple(params), rest, (), (), 0, "d." in sql)

    def _known(self, mids: list[int]) -> set[int]:
        """Which of some messages are in the folder."""
        found: set[int] = set()
        sql = "SELECT mid FROM search_results WHERE fid=? AND mid IN carray(?)"
        for start in range(0, len(mids), 10_000):
            listed = apsw.carray(array("q", mids[start : start + 10_000]))
            found.update(mid for (mid,) in rows(self._db, sql, (self._folder.fid, listed)))
        return found

    # ------------------------------------------------------------------------------------------ what changed

    def _refresh(self) -> None:
        """What came, changed or went since the watermark."""
        folder, pending = self._folder, self.pending
        since = self._searches.mark(folder)
        self._db.execute("BEGIN")
        try:
            now = row(self._db, "SELECT max(max(cn), max(changed_cn)) FROM folders")[0]
            for fid in dict.fromkeys([*self._scope, *folder.covered]):
                told = row(self._db, "SELECT cn FROM folders WHERE fid=?", (fid,))
                if told is not None and told[0] > since:
                    self._refresh_folder(fid, since)
        finally:
            self._db.execute("COMMIT")
        pending.watermark = now
        self._searches.set_mark(folder, now)

    def _refresh_folder(self, fid: int, since: int) -> None:
        pending = self.pending
        gone: list[int] = []
        for (mids,) in rows(self._db, "SELECT mids FROM tombstones WHERE fid=? AND cn>?", (fid, since)):
            gone += memoryview(mids).cast("Q")
        pruned = row(self._db, "SELECT pruned_cn FROM folders WHERE fid=?", (fid,))[0]
        if pruned > since:
            gone += self._stray()
        changed = [mid for (mid,) in rows(self._db, _CHANGED, (fid, since, since))]
        present = self._known([*gone, *changed])
        there = set(changed)
        matching = self._matching(fid, changed) if self._folder.current else present & there
        pending.removed += [mid for mid in gone if mid in present and mid not in there]
        pending.removed += [mid for mid in changed if mid in present and mid not in matching]
        pending.added += [mid for mid in changed if mid in matching and mid not in present]
        pending.touched += [mid for mid in changed if mid in matching and mid in present]

    def _matching(self, fid: int, mids: list[int]) -> set[int]:
        ordering = Ordering(self._definition(fid), self._db, self._rows)
        found: set[int] = set()
        for start in range(0, len(mids), SCANNED):
            found.update(member.mid for member in ordering.members(mids[start : start + SCANNED]))
            self._pace.step()
        return found

    # ------------------------------------------------------------------------------------------ which folders

    def _stray(self) -> list[int]:
        """Results that are not there any more, or not where is searched; what a static search found stays."""
        fid = self._folder.fid
        if self._folder.current:
            scope = apsw.carray(array("q", [*self._scope, 0]))
            return [mid for (mid,) in rows(self._db, _STRAY, (fid, fid, scope))]
        return [mid for (mid,) in rows(self._db, _GONE, (fid,))]

    def _lost(self) -> None:
        """Folders that are no longer searched: their messages go, and of a static search those of deleted folders."""
        kept = self._scope if self._folder.current else [one.fid for one in self._reading.box.folder_list.folders]
        gone = [fid for fid in self._folder.covered if fid not in kept]
        if gone:
            self.pending.removed += self._stray()
            self.pending.gone = gone

    def _fill(self) -> None:
        """Folders that are not covered yet: some more of their messages."""
        covered = set(self._folder.covered)
        for fid in self._scope:
            if fid in covered:
                continue
            if not self._scan(fid):
                return
            self.pending.covered.append(fid)
            self._searches.set_progress(self._folder, None)
        self.pending.complete = bool(self._folder.status & SearchStatus.SEARCH_RUNNING)

    def _scan(self, fid: int) -> bool:
        """Look at a folder's messages from where the last look stopped; True when all have been seen."""
        progress = self._searches.progress(self._folder)
        start = progress.uid if progress is not None and progress.folder == fid else 0
        for uid, mids in self._candidates(fid, start):
            self.pending.added += self._hits(mids)
            if len(self.pending.added) >= MOST_AT_ONCE or monotonic() > self._stop:
                self._searches.set_progress(self._folder, Progress(fid, uid))
                return False
        return True

    def _candidates(self, fid: int, uid: int) -> Iterator[tuple[int, list[int]]]:
        """(last uid, ids) of messages that columns do not exclude, in order."""
        sql, params, _ = self._condition
        join = " CROSS JOIN message_data d ON d.did = m.did" if "d." in sql else ""
        query = f"SELECT m.uid, m.mid FROM messages m{join} WHERE m.fid=? AND m.uid>? AND {sql} ORDER BY m.uid LIMIT ?"
        while True:
            found = rows(self._db, query, (fid, uid, *params, SCANNED))
            if found:
                uid = found[-1][0]
                yield uid, [mid for _, mid in found]
            if len(found) < SCANNED:
                return

    def _hits(self, mids: list[int]) -> list[int]:
        rest = self._condition[2]
        if rest is None:
            return mids
        found = []
        for mid, message in self._rows.rows(mids):
            if rest(message):
                found.append(mid)
            self._pace.step()
        return found
