"""The writer's side of a mailbox: a batch of write calls becomes one transaction with a savepoint per call.

Runs on a native thread, one batch at a time. After each call the rows that mirror `state.State` are written, so that
undoing a call means rolling back to its savepoint and reading the state anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.outgoing import OutgoingTaken
from store import wellknown as wk
from store.access import Access, Acl
from store.changes import Batch, Change, Effects, Figures, Write
from store.content import ContentStore
from store.mapi.frequency import Frequency
from store.mapi.identity import Identity
from store.outbox import NoOutbox, Outbox
from store.settings import StoreSettings
from store.sql import rows
from store.state import FolderRow, State

log = logging.getLogger(__name__)
FLUSH_FOLDER = "UPDATE folders SET uidnext=?, messages=?, unseen=?, size=?, cn=?, recent_uid=? WHERE fid=?"
FLUSH_MAILBOX = "UPDATE mailbox SET next_id=?, cn=?, hierarchy_cn=?, last_uidvalidity=?"
RESERVE = 1024
"""Ids that are reserved at a time; a crash loses what is left of them."""
TOUCH_PAGE = (
    "INSERT INTO pages (fid, number, count, cn) VALUES (?,?,?,?)"
    " ON CONFLICT (fid, number) DO UPDATE SET count = count + excluded.count, cn = excluded.cn RETURNING count"
)
LAST_ID = (1 << 48) - 1
KEEP_RULES: frozenset[type[Any]] = frozenset(
    (
        c.Deliver, c.Append, c.SetFlags, c.CopyMessages, c.Expunge, c.Confirm, c.ClaimRecent, c.Subscribe, c.SetQuota,
        OutgoingTaken,
    )
)  # fmt: skip
"""Calls that change no rule: what is known of them in memory stays."""

Handler = Callable[["Transaction", Any], Any]


class LostTransaction(Exception):
    """SQLite gave the whole transaction up while a call ran; `__cause__` says why."""


class Transaction:
    """What the handlers of write calls work with."""

    def __init__(
        self,
        db: apsw.Connection,
        content: ContentStore,
        settings: StoreSettings,
        is_alive: Callable[[bytes], bool],
        now: Callable[[], float],
        public: bool = False,
    ) -> None:
        self.db = db
        self.public = public
        self.state = State(db, wk.ipm_subtree(public))
        self.content = content
        self.settings = settings
        self.is_alive = is_alive
        self.clock = now
        self.now = 0
        self.write = Write(c.ListFolders(), "")
        self.effects = Effects()
        self.identity = Identity(b"", b"", 0, "", public)
        """Set by the mailbox when it opens."""
        self.outbox: Outbox = NoOutbox()
        self.handed: set[int] = set()
        """Ids of outgoing mail that the relay may have on its disk already: it cannot be called back."""
        self.frequency = Frequency()
        """Of what rules send."""
        self.access = Access("", "", {}, {})
        """The rights of the running call's actor."""
        self._dirty: set[int] = set()
        self._counters = False

    # ------------------------------------------------------------------------------------------ for the handlers

    def new_cns(self, count: int = 1) -> int:
        """Take change numbers; answers the first."""
        first = self.state.cn + 1
        self.state.cn += count
        if self.state.cn > LAST_ID:
            raise MapiError(Ec.ecStorageFull, "change numbers are used up")
        return first

    def new_ids(self, count: int = 1) -> int:
        """Take folder or message ids; answers the first."""
        first = self.state.next_id
        self.state.next_id += count
        if self.state.next_id > self.state.reserved_id:
            self.state.reserved_id = self.state.next_id + RESERVE
            self._counters = True
        if self.state.next_id > LAST_ID:
            raise MapiError(Ec.ecStorageFull, "ids are used up")
        return first

    def new_uidvalidity(self) -> int:
        """Never the same twice in a mailbox (RFC 3501 2.3.1.1)."""
        self._counters = True
        self.state.last_uidvalidity = max(self.state.last_uidvalidity + 1, self.now & 0x7FFFFFFF)
        return self.state.last_uidvalidity

    def touch(self, row: FolderRow) -> None:
        """The folder's figures changed: they are written and published, and its watchers are told."""
        self._dirty.add(row.fid)
        self.effects.told.add(row.fid)

    def touch_page(self, fid: int, number: int, delta: int, cn: int) -> None:
        """`delta` messages more in a page, or (0) something changed in it."""
        for (count,) in rows(self.db, TOUCH_PAGE, (fid, number, delta, cn)):
            if not count:
                self.db.execute("DELETE FROM pages WHERE fid=? AND number=?", (fid, number))
            self.effects.pages.setdefault(fid, {})[number] = (count, cn)

    def changed(self, change: Change) -> None:
        """Record a change for the pages in memory."""
        self.effects.changes.append(change)

    def counters_changed(self) -> None:
        """Something that the state has of the mailbox's row changed."""
        self._counters = True

    def hierarchy_changed(self, cn: int) -> None:
        """Folders or subscriptions changed."""
        self.state.hierarchy_changed(cn)
        self._counters = True
        self.effects.hierarchy = True
        self.effects.told.add(0)

    # ------------------------------------------------------------------------------------------ calls

    def flush(self) -> None:
        """Write what the call changed in the state; its figures go into its effects."""
        state = self.state
        for fid in self._dirty:
            row = state.folders.get(fid)
            if row is None:
                continue
            figures = (row.uidnext, row.messages, row.unseen, row.size, row.cn, row.recent_uid, fid)
            self.db.execute(FLUSH_FOLDER, figures)
            self.effects.figures[fid] = figures_of(row)
        if self._counters:
            self.db.execute(FLUSH_MAILBOX, (state.reserved_id, state.cn, state.hierarchy_cn, state.last_uidvalidity))
        self._dirty.clear()
        self._counters = False

    def begin_call(self, write: Write) -> None:
        """Forget the effects of the last call."""
        self.write = write
        self.effects = Effects()
        if type(write.call) not in KEEP_RULES:
            self.state.rulebook = None

    @property
    def touched(self) -> bool:
        """Whether the running call changed anything in the state."""
        effects = self.effects
        seen = effects.changes or effects.keywords or effects.hierarchy or effects.acl
        return bool(self._dirty or self._counters or seen)

    def reload(self) -> None:
        """Back to what the database says."""
        self._dirty.clear()
        self._counters = False
        self.state.load()


def figures_of(row: FolderRow) -> Figures:
    """What is published of a folder."""
    return Figures(row.uidvalidity, row.uidnext, row.messages, row.unseen, row.recent_uid, row.cn, row.size)


class BatchRunner:
    """Runs batches over a `Transaction`. `handlers` are the write calls; `lazy` those that need no commit."""

    def __init__(
        self,
        tx: Transaction,
        handlers: dict[type[Any], Handler],
        lazy: dict[type[Any], Handler],
        authorise: Callable[[c.Call[Any], Access], None],
        upkeep: Callable[[Transaction], None],
        access: Callable[[str, Acl], Access],
    ) -> None:
        self.tx = tx
        self._access = access
        self._handlers = handlers
        self._lazy = lazy
        self._authorise = authorise
        self._upkeep = upkeep
        self._stale = False
        """The state could not be read after a failure: nothing is written before it is."""

    def run(self, writes: list[Write]) -> Batch:
        """One transaction, one commit."""
        tx = self.tx
        tx.now = int(tx.clock())
        if self._stale:
            self._reload()
        batch = Batch([None] * len(writes))
        real = []
        for i, write in enumerate(writes):
            if type(write.call) in self._lazy:
                batch.results[i] = self._attempt(self._lazy, write, batch.effects)
            else:
                real.append(i)
        if real:
            self._transact(writes, real, batch)
        batch.cn = tx.state.cn
        if batch.effects.hierarchy:
            batch.folder_list = tx.state.folder_list()
        if batch.effects.acl:
            batch.acl = {fid: dict(members) for fid, members in tx.state.acl.items()}
        if batch.effects.keywords:
            batch.keyword_sets = list(tx.state.keywords.sets)
        return batch

    def _transact(self, writes: list[Write], real: list[int], batch: Batch) -> None:
        tx, db = self.tx, self.tx.db
        done = Effects()
        before = db.total_changes()
        try:
            db.execute("BEGIN IMMEDIATE")
            for i in real:
                batch.results[i] = self._call(writes[i], done, single=len(real) == 1)
            if db.in_transaction and db.total_changes() == before:
                db.execute("ROLLBACK")
            elif db.in_transaction:
                self._before_commit()
                db.execute("COMMIT")
                tx.state.confirmed.clear()
                tx.state.recent.clear()
        except (apsw.Error, LostTransaction) as error:
            self._lost(error, real, batch)
            return
        tx.content.settle()
        if done.outgoing:
            tx.outbox.poke()
        elif done.nothing_outgoing:
            tx.outbox.unmark()
        batch.effects.add(done)

    def finish(self) -> None:
        """Before closing: write what waited for the next commit."""
        tx = self.tx
        tx.now = int(tx.clock())
        with tx.db:
            self._before_commit()
            tx.db.execute("UPDATE mailbox SET next_id=? WHERE next_id<>?", (tx.state.next_id, tx.state.next_id))
        tx.state.confirmed.clear()
        tx.state.recent.clear()

    def _before_commit(self) -> None:
        """What rides along with a commit: confirmed requests and claimed recent marks, and upkeep."""
        tx = self.tx
        if tx.state.confirmed:
            gone = ((request_id,) for request_id in tx.state.confirmed)
            tx.db.executemany("DELETE FROM requests WHERE request_id=?", gone)
        if tx.state.recent:
            marks = ((uid, fid) for fid, uid in tx.state.recent.items())
            tx.db.executemany("UPDATE folders SET recent_uid=? WHERE fid=?", marks)
        self._upkeep(tx)

    def _lost(self, error: Exception, real: list[int], batch: Batch) -> None:
        """The commit (or the transaction) failed: nothing of it happened, every call says so."""
        db = self.tx.db
        if db.in_transaction:
            db.execute("ROLLBACK")
        log.error("commit failed", exc_info=error)
        for i in real:
            batch.results[i] = as_mapi_error(error.__cause__ or error)
        self._reload()
        self.tx.content.settle()

    def _reload(self) -> None:
        self._stale = True
        self.tx.reload()
        self._stale = False

    def _call(self, write: Write, done: Effects, *, single: bool) -> Any:
        db = self.tx.db
        if not single:
            db.execute("SAVEPOINT one")
        result = self._attempt(self._handlers, write, done)
        if isinstance(result, Exception):
            if not db.in_transaction:
                raise LostTransaction from result
            db.execute("ROLLBACK" if single else "ROLLBACK TO one")
            if self.tx.touched or not isinstance(result, MapiError):
                self.tx.reload()
        if not single:
            db.execute("RELEASE one")
        return result

    def _attempt(self, handlers: dict[type[Any], Handler], write: Write, done: Effects) -> Any:
        """The handler's result, or its exception."""
        tx = self.tx
        tx.begin_call(write)
        try:
            tx.access = self._access(write.actor, tx.state.acl)
            self._authorise(write.call, tx.access)
            handler = handlers.get(type(write.call))
            if handler is None:
                raise MapiError(Ec.ecNotSupported, type(write.call).__name__)
            result = handler(tx, write.call)
            tx.flush()
        except MapiError as error:
            return error
        except (apsw.Error, OSError, UnicodeError, OverflowError) as error:
            log.warning("write failed", extra={"call": type(write.call).__name__, "error": str(error)})
            return as_mapi_error(error)
        except Exception as error:
            log.exception("write failed", extra={"call": type(write.call).__name__})
            return error
        done.add(tx.effects)
        return result


def as_mapi_error(error: BaseException) -> MapiError:
    """The code for an exception of SQLite or the file system, or for numbers too large for them."""
    if isinstance(error, MapiError):
        return error
    if isinstance(error, OverflowError):
        return MapiError(Ec.ecInvalidParam, "number out of range")
    full = isinstance(error, apsw.FullError) or (isinstance(error, OSError) and error.errno in (28, 122))
    result = MapiError(Ec.ecStorageFull if full else Ec.ecError, str(error))
    result.__cause__ = error
    return result
