"""One open mailbox: its lock, its connections, and the dispatch of calls. See docs/architecture.md, The store.

Three kinds of access, which the service keeps apart: `read` in the loop on the read connection, `read_long` on any
thread with connections of their own, and `run_batch` on a thread, one at a time, followed by `publish` in the loop.
The pages in memory change in the loop only, and what is published of them; only pieces, which never change, are
published from threads too.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import apsw

from gromoxd.context import Arena
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys
from gromoxd.exmdb.api import SYSTEM
from store import flags, folders, messages, requests, rights, schema, upkeep
from store import wellknown as wk
from store.access import PUBLIC_DEFAULT, Access, Acl
from store.changes import Batch, Write
from store.content import ContentStore
from store.index import CACHE, Index, encode
from store.mapi import delivering, dispatch, identity, outgoing
from store.mapi.jobs import Job, Jobs
from store.mapi.reading import Reading
from store.mapi.searching import Searches
from store.mapi.views import CACHE as TABLES
from store.mapi.views import Views
from store.mapi.watching import Watching
from store.outbox import NoOutbox, Outbox
from store.ranges import span
from store.reading import LoadedPage, Reader
from store.search import search_text
from store.settings import StoreSettings
from store.transaction import BatchRunner, Handler, Transaction, as_mapi_error

__all__ = ["Batch", "Mailbox", "Write"]
log = logging.getLogger(__name__)

WRITES: dict[type[Any], Handler] = {
    c.CreateFolder: folders.create_folder, c.DeleteFolder: folders.delete_folder,
    c.RenameFolder: folders.rename_folder, c.Subscribe: folders.subscribe, c.SetQuota: folders.set_quota,
    c.Append: messages.append, c.Deliver: delivering.deliver, c.CopyMessages: messages.copy_messages,
    c.Expunge: messages.expunge, c.SetFlags: flags.set_flags, **dispatch.WRITES,
}  # fmt: skip
LAZY_WRITES: dict[type[Any], Handler] = {
    c.Confirm: requests.confirm, c.ClaimRecent: folders.claim_recent, **dispatch.ALONE,
}  # fmt: skip

INLINE_MESSAGES, INLINE_CONTENTS, INLINE_PAGES = 100, 16, 16
INLINE_BYTES, INLINE_READ, INLINE_CHANGES = 512 << 10, 64 << 10, 2000
"""What a read may need and still run in the loop, where 1,000 messages' pieces would take about 5 ms."""
SPARE_READERS = 2
LARGEST_KEYWORD_LIST = 256 << 10


class Mailbox:
    """See the module. Opens, and on the first use creates, the mailbox. ecLocked when another process has it."""

    def __init__(
        self,
        maildir: str,
        *,
        owner: str,
        node: str,
        settings: StoreSettings,
        arena: Arena | None,
        notify: Callable[[int], None],
        is_alive: Callable[[bytes], bool],
        now: Callable[[], float] = time.time,
        outbox: Outbox | None = None,
    ) -> None:
        self.maildir = maildir
        self.clock: Callable[[], float] = now
        self._outbox = outbox or NoOutbox()
        self._owner = owner
        self.public: bool = wk.is_public(owner)
        self.ipm_subtree: int = wk.ipm_subtree(self.public)
        self.default_rights: int = PUBLIC_DEFAULT if self.public else 0
        """What everybody may do in folders that say nothing else."""
        self._settings = settings
        self._arena = arena
        self._notify = notify
        self._path = os.path.join(maildir, "mailbox.sqlite3")
        self._cid = os.path.join(maildir, "cid")
        self.groups: dict[str, frozenset[str]] = {}
        """Actor in lower case -> the lists he is in, as far as somebody asked the directory."""
        self.views = Views()
        self.watching = Watching(self)
        self.views.replaced = self.watching.replaced
        self.jobs = Jobs()
        self.searches = Searches(self)
        self._spare: deque[Reader] = deque()
        self._loaded: deque[tuple[int, int, LoadedPage]] = deque()
        """Pages that threads read: (fid, number, page), for the loop to keep."""
        os.makedirs(maildir, 0o770, exist_ok=True)
        self._lock, crashed = _take_lock(os.path.join(maildir, "lock"), node)
        try:
            self._open(is_alive, now, crashed)
        except apsw.Error as error:
            os.close(self._lock)
            log.exception("mailbox did not open")
            raise as_mapi_error(error) from error
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, is_alive: Callable[[bytes], bool], now: Callable[[], float], crashed: bool) -> None:
        db = schema.connect(self._path, self._settings, writing=True)
        schema.upgrade(db, int(now()), self.public)
        schema.check_kind(db, self.public)
        upkeep.check(db)
        content = ContentStore(self._cid, db, self._settings)
        if crashed:
            removed = content.collect_leftovers()
            log.info("mailbox opened after a crash", extra={"files_removed": removed})
        tx = Transaction(db, content, self._settings, is_alive, now, self.public)
        self.identity: identity.Identity = identity.load(db, self._owner, self.public)
        tx.identity = self.identity
        tx.outbox = self._outbox
        outgoing.opened(tx)
        self._runner = BatchRunner(tx, WRITES, LAZY_WRITES, self.authorise, upkeep.Pruner(tx), self.access)
        self._reader = self._new_reader()
        CACHE.limit = self._settings.index_cache_pages
        TABLES.limit = self._settings.table_cache_size
        self._index = Index(self.maildir, self._arena)
        self._folders = tx.state.folder_list()
        self._children: dict[int, list[int]] | None = None
        self._fids = {f.fid for f in self._folders.folders}
        self._keyword_sets = list(tx.state.keywords.sets)
        self._cn = tx.state.cn
        self._acl: Acl = {fid: dict(members) for fid, members in tx.state.acl.items()}
        self.searches.load(db)
        self._forget_published()

    def _new_reader(self) -> Reader:
        return Reader(schema.connect(self._path, self._settings, writing=False), self._cid)

    def access(self, actor: str, acl: Acl | None = None) -> Access:
        """The rights of an actor, by the permissions last published or by these."""
        owner = "" if self.public else self._owner
        return Access(actor, owner, self._acl if acl is None else acl, self.groups, self.default_rights)

    def authorise(self, call: c.Call[Any], access: Access) -> None:
        """ecAccessDenied when the actor may not make this call.

        MAPI calls are judged by their handlers; here it is only seen to that who has no business in the mailbox at all
        makes none.
        """
        kind = type(call)
        if kind not in dispatch.HANDLED:
            rights.authorise(call, access)
        elif not access.everything and not access.anywhere():
            raise MapiError(Ec.ecAccessDenied, kind.__name__)

    # ------------------------------------------------------------------------------------------ reads

    def is_long(self, call: c.Call[Any], actor: str = SYSTEM) -> bool:
        """Whether a read must run on a thread (`read_long`)."""
        estimate = _LONG.get(type(call))
        mapi = dispatch.LONG.get(type(call))
        try:
            if estimate is not None:
                return estimate(self, call)
            return mapi is not None and mapi(Reading(self, self._reader, actor, self.access(actor)), call)
        except OverflowError:
            return False  # a number that nothing has: `read` says so

    def read(self, call: c.Call[Any], actor: str) -> Any:
        """A quick read, in the loop."""
        access = self.access(actor)
        self.authorise(call, access)
        self._keep_loaded()
        handler = dispatch.READS.get(type(call))
        try:
            if handler is not None:
                return handler(Reading(self, self._reader, actor, access), call)
            if type(call) is c.ListFolders and not access.everything:
                return self._visible(access)
            return self._handler(call)(self, call, self._reader)
        except OverflowError as error:
            raise as_mapi_error(error) from error

    def read_long(self, call: c.Call[Any], actor: str) -> Any:
        """A read on any thread."""
        access = self.access(actor)
        self.authorise(call, access)
        mapi = dispatch.READS.get(type(call))
        handler = _LONG_READS.get(type(call)) or (self._handler(call) if mapi is None else None)
        reader = self._take_reader()
        try:
            if handler is not None:
                return handler(self, call, reader)
            assert mapi is not None
            return mapi(Reading(self, reader, actor, access), call)
        except OverflowError as error:
            raise as_mapi_error(error) from error
        finally:
            self._give_back(reader)

    def run_job(self, job: Job) -> c.Call[Any] | None:
        """Do a job on any thread; answers the write to make of it."""
        reader = self._take_reader()
        try:
            return job.work(Reading(self, reader, job.actor, self.access(job.actor)))
        finally:
            self._give_back(reader)

    def _take_reader(self) -> Reader:
        try:
            return self._spare.pop()
        except IndexError:
            return self._new_reader()

    def _give_back(self, reader: Reader) -> None:
        if len(self._spare) < SPARE_READERS:
            self._spare.append(reader)
        else:
            reader.close()

    @property
    def content_folder(self) -> str:
        """The folder of content files."""
        return self._cid

    @property
    def loop_reader(self) -> Reader:
        """The connection of the loop."""
        return self._reader

    def _handler(self, call: c.Call[Any]) -> Callable[[Mailbox, Any, Reader], Any]:
        handler = _READS.get(type(call))
        if handler is None:
            raise MapiError(Ec.ecNotSupported, type(call).__name__)
        return handler

    def check_folder(self, fid: int) -> None:
        """ecNotFound when there is no such folder."""
        if fid not in self._fids:
            raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")

    def has_folder(self, fid: int) -> bool:
        """Whether there is such a folder."""
        return fid in self._fids

    @property
    def keyword_sets(self) -> list[list[str]]:
        """The keyword sets as last published. Do not change."""
        return self._keyword_sets

    @property
    def cn(self) -> int:
        """The mailbox's change number as last published."""
        return self._cn

    @property
    def default_quotas(self) -> tuple[int, int]:
        """Octets that may be received and saved in mailboxes that say nothing else; 0: any number."""
        return self._settings.quota_receive_default, self._settings.quota_storage_default

    @property
    def largest_message(self) -> int:
        """Octets of a message that may be saved."""
        return self._settings.largest_message

    @property
    def folder_list(self) -> c.FolderList:
        """The hierarchy as last published. Do not change."""
        return self._folders

    @property
    def children(self) -> dict[int, list[int]]:
        """Folder -> the folders directly below it. Do not change."""
        if self._children is None:
            children: dict[int, list[int]] = {}
            for folder in self._folders.folders:
                children.setdefault(folder.parent_fid, []).append(folder.fid)
            self._children = children
        return self._children

    def _visible(self, access: Access) -> c.FolderList:
        """The folders that are shown to somebody else than the owner; their paths name the folders above them."""
        shown = [folder for folder in self._folders.folders if access.sees(folder.fid)]
        return c.FolderList(self._folders.cn, shown, [])

    def _list_folders(self, call: c.ListFolders, reader: Reader) -> c.FolderList:
        self._publish_folders()
        return self._folders

    def _get_keyword_sets(self, call: c.GetKeywordSets, reader: Reader) -> c.KeywordSets:
        if call.first < 0:
            raise MapiError(Ec.ecInvalidParam, "first")
        self._publish_keywords()
        return c.KeywordSets(call.first, self._keyword_sets[call.first :])

    def _get_folder_state(self, call: c.GetFolderState, reader: Reader) -> bytes:
        self.check_folder(call.fid)
        return self._index.state(call.fid, reader)

    def _get_pages(self, call: c.GetPages, reader: Reader) -> list[bytes]:
        self.check_folder(call.fid)
        return self._index.pages(call.fid, call.numbers, reader)

    def _get_pages_long(self, call: c.GetPages, reader: Reader) -> list[bytes]:
        self.check_folder(call.fid)
        found = []
        for number in call.numbers:
            loaded = reader.page(call.fid, number) if 0 <= number < 1 << 24 else None
            if loaded is not None:
                found.append(loaded.page.encode())
                self._loaded.append((call.fid, number, loaded))
            else:
                found.append(b"")
        return found

    def _get_vanished(self, call: c.GetVanished, reader: Reader) -> c.Vanished:
        return reader.vanished(call)

    def _get_pieces(self, call: c.GetPieces, reader: Reader) -> list[c.Piece]:
        self.check_folder(call.fid)
        pieces, publish = reader.pieces(call)
        self._index.publish_pieces(publish)
        return pieces

    def _get_contents(self, call: c.GetContents, reader: Reader) -> list[c.Content]:
        self.check_folder(call.fid)
        return reader.contents(call)

    def _read_content(self, call: c.ReadContent, reader: Reader) -> bytes:
        self.check_folder(call.fid)
        return reader.read_content(call)

    def _search_text(self, call: c.SearchText, reader: Reader) -> list[c.Ranges]:
        self.check_folder(call.fid)
        return search_text(reader, call)

    def _get_mailbox_info(self, call: c.GetMailboxInfo, reader: Reader) -> c.MailboxInfo:
        return reader.info(self._owner, len(schema.STEPS), self.default_quotas, self._cn)

    def _keep_loaded(self) -> None:
        """Take over what threads read: only the loop touches the pages in memory."""
        while self._loaded:
            fid, number, loaded = self._loaded.popleft()
            if fid in self._fids:
                self._index.offer(fid, number, loaded, self._reader)

    # ------------------------------------------------------------------------------------------ writes

    def run_batch(self, batch: list[Write]) -> Batch:
        """Carry out writes in one transaction; on a thread, one batch at a time."""
        return self._runner.run(batch)

    def publish(self, batch: Batch) -> list[Any]:
        """Make a batch visible; in the loop, after `run_batch`. Answers each call's result or exception."""
        self._keep_loaded()
        effects, before = batch.effects, self._folders
        self._cn = batch.cn
        if batch.folder_list is not None:
            self._folders, self._children = batch.folder_list, None
            self._fids = {f.fid for f in self._folders.folders}
            self._publish_folders()
        if batch.acl is not None:
            self._acl = batch.acl
        if batch.keyword_sets is not None:
            self._keyword_sets = batch.keyword_sets
            self._publish_keywords()
        for fid in effects.reload:
            self._index.forget(fid)
        self._index.apply(effects)
        for fid in effects.deleted | effects.reload:
            self.views.forget_folder(fid)
        for fid in sorted(effects.told):
            self._notify(fid)
        self.searches.published(effects)
        if self.watching:
            self.watching.published(effects, before)
        return batch.results

    def _publish_folders(self) -> None:
        if self._arena is not None:
            self._arena.put(keys.folder_list(self.maildir), encode(self._folders))

    def _publish_keywords(self) -> None:
        if self._arena is None:
            return
        encoded = encode(c.KeywordSets(0, self._keyword_sets))
        if len(encoded) <= LARGEST_KEYWORD_LIST:
            self._arena.put(keys.keyword_sets(self.maildir), encoded)
        else:
            self._arena.delete(keys.keyword_sets(self.maildir))

    def _forget_published(self) -> None:
        """Nothing of this mailbox that may change stays in the arena."""
        if self._arena is not None:
            self._arena.delete(keys.folder_list(self.maildir))
            self._arena.delete(keys.keyword_sets(self.maildir))
            for fid in self._fids:
                self._arena.delete(keys.folder_state(self.maildir, fid))

    def relax(self) -> None:
        """Give back the memory of the connections: page caches, and what they have mapped of the file.

        In the loop, with no call under way; a tenth of a millisecond. The file is mapped again by the next read.
        """
        while self._spare:
            self._spare.pop().close()
        for db in (self._runner.tx.db, self._reader.db):
            db.pragma("mmap_size", 0)
            db.pragma("mmap_size", self._settings.sqlite_mmap_size)
            db.release_memory()

    def close(self) -> None:
        """Write what waits, checkpoint, close, and release the lock. No call may be under way."""
        try:
            self._index.close()
            self.views.clear()
            self._forget_published()
            try:
                self._runner.finish()
            except apsw.Error:
                log.exception("mailbox closed without its last marks")
            while self._spare:
                self._spare.pop().close()
            self._reader.close()
            db = self._runner.tx.db
            db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            db.close()
            os.ftruncate(self._lock, 0)
        finally:
            os.close(self._lock)


def _take_lock(path: str, node: str) -> tuple[int, bool]:
    """(descriptor that holds the lock, whether the last owner did not close the mailbox). ecLocked."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.pread(lock, 200, 0).decode("utf-8", "replace").strip()
        os.close(lock)
        raise MapiError(Ec.ecLocked, f"mailbox is open elsewhere: {holder}") from error
    crashed = bool(os.pread(lock, 1, 0))
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{node} {os.getpid()}\n".encode(), 0)
    return lock, crashed


Read = Callable[[Mailbox, Any, Reader], Any]
_READS: dict[type[Any], Read] = {
    c.ListFolders: Mailbox._list_folders, c.GetKeywordSets: Mailbox._get_keyword_sets,
    c.GetFolderState: Mailbox._get_folder_state, c.GetPages: Mailbox._get_pages,
    c.GetVanished: Mailbox._get_vanished, c.GetPieces: Mailbox._get_pieces, c.GetContents: Mailbox._get_contents,
    c.ReadContent: Mailbox._read_content, c.SearchText: Mailbox._search_text,
    c.GetMailboxInfo: Mailbox._get_mailbox_info,
}  # fmt: skip
_LONG_READS: dict[type[Any], Read] = {c.GetPages: Mailbox._get_pages_long}


def _many(box: Mailbox, call: c.GetPieces | c.GetContents, limit: int) -> bool:
    """Whether a call may concern more than `limit` messages."""
    return span(call.uids) > limit and box._reader.count_of(call.fid) > limit


def _long_pages(box: Mailbox, call: c.GetPages) -> bool:
    box._keep_loaded()
    return box._index.missing(call.fid, call.numbers) > INLINE_PAGES


def _long_contents(box: Mailbox, call: c.GetContents) -> bool:
    if _many(box, call, INLINE_CONTENTS):
        return True
    return min(box._reader.size_of(call.fid, call.uids), call.limit) > INLINE_BYTES


_LONG: dict[type[Any], Callable[[Mailbox, Any], bool]] = {
    c.SearchText: lambda box, call: True,
    c.GetPages: _long_pages,
    c.GetPieces: lambda box, call: _many(box, call, INLINE_MESSAGES),
    c.GetContents: _long_contents,
    c.ReadContent: lambda box, call: call.length > INLINE_READ,
    c.GetVanished: lambda box, call: box._cn - call.since > INLINE_CHANGES,
}
