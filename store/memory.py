"""The memory store: the exmdb calls over plain dicts, for tests of everything above the store.

It is the readable model of what the owner of a mailbox does; the contract tests (tests/contract) hold it, the SQLite
store and client→server→store to the same behaviour. Nothing here is durable and nothing is fast.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Iterable
from os.path import basename
from typing import Any, BinaryIO, TypeVar, cast

import msgspec

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import keys, pages
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from store.memory_model import (
    MAX_DEPTH,
    MAX_NAME,
    Delivery,
    FolderRow,
    Mailbox,
    StoredMessage,
    is_below,
    make_folders,
    own_folder,
    show,
    walk,
)
from store.memory_search import matches
from store.wellknown import FOLDERS, INBOX, SUBSCRIBED

R = TypeVar("R")

MAX_PIECES, MAX_READ, MAX_KEYWORD, MAX_KEYWORDS = 1000, 1 << 20, 1024, 1000
SYSTEM_ONLY = (c.SetQuota, c.Deliver, c.Confirm)


def to_ranges(numbers: Iterable[int]) -> c.Ranges:
    """Ascending numbers as inclusive ranges."""
    out: c.Ranges = []
    for n in numbers:
        if out and out[-1][1] == n - 1:
            out[-1] = (out[-1][0], n)
        else:
            out.append((n, n))
    return out


class MemoryStore:
    """`gromoxd.exmdb.api.Exmdb` in memory. `owners`: maildir -> address; otherwise the base name of the maildir.

    `connection` names the worker connection on whose behalf calls are made; remove it from `alive` to play the death of
    that worker (redelivery rule of `calls.Deliver`).
    """

    def __init__(self, owners: dict[str, str] | None = None) -> None:
        self.owners = dict(owners or {})
        self.connection = "1"
        self.alive: set[str] = {"1"}
        self._mailboxes: dict[str, Mailbox] = {}
        self._arena: dict[bytes, bytes] = {}
        self._lock = threading.RLock()

    def call(
        self, mailbox: MailboxRef, call: c.Call[R], *, actor: str, spool: BinaryIO | None = None, deadline: float = 60.0
    ) -> R:
        """See `Exmdb.call`."""
        with self._lock:
            box = self._mailbox(mailbox.maildir)
            _authorise(box, call, actor)
            result = self._answer(box, call, spool)
            told = [c.Event(box.maildir, fid) for fid in sorted(box.changed)]
            for event in told:
                self._publish(box, event.fid)
            box.changed.clear()
            watchers = list(box.watchers)
        for event in told:
            for notify in watchers:
                notify(event)
        return cast(R, result)

    def published(self, mailbox: MailboxRef, key: bytes) -> bytes | None:
        """See `Exmdb.published`."""
        return self._arena.get(key)

    def watch(self, mailbox: MailboxRef, actor: str, notify: Callable[[c.Event], None]) -> Callable[[], None]:
        """See `Exmdb.watch`."""
        box = self._mailbox(mailbox.maildir)
        _authorise(box, c.Watch(True), actor)
        box.watchers.append(notify)

        def stop() -> None:
            if notify in box.watchers:
                box.watchers.remove(notify)

        return stop

    def forget_published(self) -> None:
        """Empty the arena, as the ring's eviction may do at any time."""
        self._arena.clear()

    # ------------------------------------------------------------------------------------------ machinery

    def _mailbox(self, maildir: str) -> Mailbox:
        box = self._mailboxes.get(maildir)
        if box is None:
            box = Mailbox(maildir, self.owners.get(maildir, basename(maildir.rstrip("/"))))
            for fid, parent, name, container_class, hidden in FOLDERS:
                cn = box.new_cn()
                box.folders[fid] = FolderRow(fid, parent, name, container_class, hidden, cn, cn)
            box.subscriptions = [show(box, box.folders[fid]).path for fid in SUBSCRIBED]
            box.hierarchy_cn = box.cn
            self._mailboxes[maildir] = box
        return box

    def _answer(self, box: Mailbox, call: c.Call[Any], spool: BinaryIO | None) -> Any:
        """One call; a remembered request id is answered without doing it again."""
        request_id = getattr(call, "request_id", b"")
        if request_id and request_id in box.requests:
            return box.requests[request_id]
        if isinstance(call, (c.Append, c.Deliver)):
            result: Any = self._store(box, call, spool)
        else:
            result = _HANDLERS[type(call)](self, box, call)
        if request_id:
            box.requests[request_id] = result
        return result

    def _publish(self, box: Mailbox, fid: int) -> None:
        if fid == 0:
            self._publish_hierarchy(box)
        elif fid in box.folders:
            folder = box.folders[fid]
            for number in folder.page_cns:
                self._publish_page(box, folder, number)
            self._publish_state(box, folder)
        self._put(keys.keyword_sets(box.maildir), c.KeywordSets(0, box.keyword_sets))

    def _put(self, key: bytes, value: Any) -> bytes:
        encoded = value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
        self._arena[key] = encoded
        return encoded

    # ------------------------------------------------------------------------------------------ folders

    def _publish_hierarchy(self, box: Mailbox) -> c.FolderList:
        folders = [show(box, f) for f in box.folders.values()]
        listed = c.FolderList(box.hierarchy_cn, folders, list(box.subscriptions))
        self._put(keys.folder_list(box.maildir), listed)
        return listed

    def _list_folders(self, box: Mailbox, call: c.ListFolders) -> c.FolderList:
        return self._publish_hierarchy(box)

    def _create_folder(self, box: Mailbox, call: c.CreateFolder) -> c.Folder:
        parent, missing = walk(box, call.path)
        if not missing:
            raise MapiError(Ec.ecDuplicateName, call.path)
        folder = make_folders(box, parent, missing, call.container_class)
        return show(box, folder)

    def _delete_folder(self, box: Mailbox, call: c.DeleteFolder) -> c.Done:
        folder = own_folder(box, call.fid)
        if any(f.parent == folder.fid for f in box.folders.values()):
            raise MapiError(Ec.ecFolderHasChildren)
        del box.folders[folder.fid]
        box.hierarchy_cn = box.new_cn()
        box.changed |= {0, folder.fid}
        self._arena.pop(keys.folder_state(box.maildir, folder.fid), None)
        return c.Done(box.cn)

    def _rename_folder(self, box: Mailbox, call: c.RenameFolder) -> c.Done:
        folder = own_folder(box, call.fid)
        parent, missing = walk(box, call.path)
        if not missing:
            raise MapiError(Ec.ecDuplicateName, call.path)
        if is_below(box, parent, folder.fid):
            raise MapiError(Ec.ecInvalidParam, "a folder below itself")
        if missing[:-1]:
            parent = make_folders(box, parent, missing[:-1], folder.container_class).fid
        folder.parent, folder.name = parent, missing[-1].replace("\u2215", "/")
        folder.cn = box.hierarchy_cn = box.new_cn()
        box.changed.add(0)
        return c.Done(box.cn)

    def _subscribe(self, box: Mailbox, call: c.Subscribe) -> c.Done:
        if not 0 < len(call.path) <= MAX_DEPTH * (MAX_NAME + 1):
            raise MapiError(Ec.ecInvalidParam, "subscription path")
        if call.on == (call.path in box.subscriptions):
            return c.Done()
        if call.on:
            box.subscriptions.append(call.path)
        else:
            box.subscriptions.remove(call.path)
        box.hierarchy_cn = box.new_cn()
        box.changed.add(0)
        return c.Done(box.cn)

    # ------------------------------------------------------------------------------------------ index

    def _get_keyword_sets(self, box: Mailbox, call: c.GetKeywordSets) -> c.KeywordSets:
        self._put(keys.keyword_sets(box.maildir), c.KeywordSets(0, box.keyword_sets))
        return c.KeywordSets(call.first, [list(s) for s in box.keyword_sets[call.first :]])

    def _publish_state(self, box: Mailbox, f: FolderRow) -> bytes:
        counts: dict[int, int] = {}
        for uid in f.messages:
            number = uid // pages.PAGE_SPAN
            counts[number] = counts.get(number, 0) + 1
        table = b"".join(struct.pack("<IIQ", n, counts[n], f.page_cns[n]) for n in sorted(counts))
        state = pages.FolderState(
            fid=f.fid,
            uidvalidity=f.fid,
            uidnext=f.uidnext,
            exists=len(f.messages),
            unseen=sum(not m.flags & pages.SEEN for m in f.messages.values()),
            recent_uid=f.recent_uid,
            cn=f.modseq,
            size=sum(m.digest.size for m in f.messages.values()),
            pages=table,
        )
        return self._put(keys.folder_state(box.maildir, f.fid), state)

    def _get_folder_state(self, box: Mailbox, call: c.GetFolderState) -> bytes:
        return self._publish_state(box, box.folder(call.fid))

    def _publish_page(self, box: Mailbox, folder: FolderRow, number: int) -> bytes:
        page = pages.Page()
        for m in folder.messages.values():
            if m.uid // pages.PAGE_SPAN == number:
                page.uids.append(m.uid)
                page.flags.append(m.flags)
                page.sizes.append(m.digest.size)
                page.received.append(m.received)
                page.sent.append(m.digest.sent)
                page.modseqs.append(m.cn)
                page.mids.append(m.mid)
        if not page.uids:
            return b""
        encoded = page.encode()
        cn = folder.page_cns[number].to_bytes(8, "little")
        self._put(keys.page(box.maildir, folder.fid, number), cn + encoded)
        return encoded

    def _get_pages(self, box: Mailbox, call: c.GetPages) -> list[bytes]:
        folder = box.folder(call.fid)
        return [self._publish_page(box, folder, number) for number in call.numbers]

    def _claim_recent(self, box: Mailbox, call: c.ClaimRecent) -> int:
        folder = box.folder(call.fid)
        first, folder.recent_uid = folder.recent_uid, folder.uidnext
        if first != folder.recent_uid:
            self._publish_state(box, folder)
        return first

    # ------------------------------------------------------------------------------------------ writes

    def _store(self, box: Mailbox, call: c.Append | c.Deliver, spool: BinaryIO | None) -> c.Stored:
        """Append and Deliver."""
        if isinstance(call, c.Deliver):
            first = self._redelivery(box, call)
            if first is not None:
                return first
        folder = box.folder(call.fid if isinstance(call, c.Append) else INBOX)
        new = call.message
        _check_keywords(new.keywords)
        raw = new.raw
        if not raw and spool is not None:
            spool.seek(0)
            raw = spool.read()
        if len(raw) != new.digest.size:
            raise MapiError(Ec.ecInvalidParam, "the digest's size is not the content's")
        _check_quota(box, len(raw), box.quota_receive if isinstance(call, c.Deliver) else 0)
        cn = box.new_cn()
        flags = new.flags & pages.SYSTEM_MASK | box.keyword_set(new.keywords) << pages.KEYWORD_SHIFT
        message = _add(folder, StoredMessage(0, box.new_id(), cn, flags, new.received, new.digest, raw))
        box.changed.add(folder.fid)
        stored = c.Stored(folder.fid, folder.fid, message.uid, message.mid, cn)
        if isinstance(call, c.Deliver):
            box.deliveries[call.request_id] = Delivery(call.fingerprint, self.connection, stored)
        return stored

    def _redelivery(self, box: Mailbox, call: c.Deliver) -> c.Stored | None:
        """The unconfirmed delivery of a dead worker that this one repeats; it passes to the repeating worker."""
        for request_id, known in box.deliveries.items():
            if known.fingerprint == call.fingerprint and known.connection not in self.alive:
                del box.deliveries[request_id]
                box.deliveries[call.request_id] = Delivery(known.fingerprint, self.connection, known.stored)
                return known.stored
        return None

    def _confirm(self, box: Mailbox, call: c.Confirm) -> c.Done:
        for request_id in call.request_ids:
            box.deliveries.pop(request_id, None)
        return c.Done()

    def _set_flags(self, box: Mailbox, call: c.SetFlags) -> c.FlagsChanged:
        if call.mode not in (c.ADD, c.REMOVE, c.REPLACE):
            raise MapiError(Ec.ecInvalidParam, "mode")
        folder = box.folder(call.fid)
        _check_keywords(call.keywords)
        modified, changed = [], []
        for m in folder.select(call.uids):
            if 0 <= call.unchanged_since < m.cn:
                modified.append(m.uid)
                continue
            flags = _new_flags(box, m.flags, call)
            if flags != m.flags:
                m.flags = flags
                changed.append(m)
        cn = box.new_cn() if changed else 0
        for m in changed:
            m.cn = cn
            folder.touch(m.uid, cn)
            box.changed.add(folder.fid)
        return c.FlagsChanged(cn, to_ranges(modified))

    def _copy_messages(self, box: Mailbox, call: c.CopyMessages) -> c.Copied:
        source, destination = box.folder(call.fid), box.folder(call.destination)
        chosen = source.select(call.uids)
        if not chosen:
            return c.Copied(destination.fid, [], [], 0)
        if not call.move:
            _check_quota(box, sum(m.digest.size for m in chosen), 0)
        cn = box.new_cn()
        new = [
            _add(destination, StoredMessage(0, box.new_id(), cn, m.flags, m.received, m.digest, m.raw)).uid
            for m in chosen
        ]
        box.changed.add(destination.fid)
        if call.move:
            _remove(box, source, chosen, cn)
        return c.Copied(destination.fid, to_ranges(m.uid for m in chosen), to_ranges(new), cn)

    def _expunge(self, box: Mailbox, call: c.Expunge) -> c.Expunged:
        folder = box.folder(call.fid)
        doomed = [m for m in folder.select(call.uids) if not call.deleted_only or m.flags & pages.DELETED]
        cn = box.new_cn() if doomed else 0
        _remove(box, folder, doomed, cn)
        return c.Expunged(to_ranges(m.uid for m in doomed), cn)

    def _get_vanished(self, box: Mailbox, call: c.GetVanished) -> c.Vanished:
        gone = sorted(uid for uid, cn in box.folder(call.fid).tombstones if cn > call.since)
        return c.Vanished(to_ranges(gone), True)

    # ------------------------------------------------------------------------------------------ reading

    def _get_pieces(self, box: Mailbox, call: c.GetPieces) -> list[c.Piece]:
        chosen = box.folder(call.fid).select(call.uids)
        if len(chosen) > MAX_PIECES:
            raise MapiError(Ec.ecInvalidParam, "more than 1,000 messages")
        out = []
        for m in chosen:
            d = m.digest
            if call.what & (c.ENVELOPE | c.BODYSTRUCTURE):
                lengths = struct.pack("<II", len(d.envelope), len(d.bodystructure))
                self._put(keys.pieces(box.maildir, m.mid, m.uid), lengths + d.envelope + d.bodystructure)
            out.append(
                c.Piece(
                    m.uid,
                    d.envelope if call.what & c.ENVELOPE else b"",
                    d.bodystructure if call.what & c.BODYSTRUCTURE else b"",
                    m.raw[: d.header_size] if call.what & c.HEADER else b"",
                    d.parts if call.what & c.PARTS else b"",
                )
            )
        return out

    def _get_contents(self, box: Mailbox, call: c.GetContents) -> list[c.Content]:
        out, gathered = [], 0
        for m in box.folder(call.fid).select(call.uids):
            if gathered >= call.limit:
                break
            if len(m.raw) > call.limit:
                out.append(c.Content(m.uid, len(m.raw), b""))
                continue
            if out and gathered + len(m.raw) > call.limit:
                break
            gathered += len(m.raw)
            out.append(c.Content(m.uid, len(m.raw), m.raw))
        return out

    def _read_content(self, box: Mailbox, call: c.ReadContent) -> bytes:
        folder = box.folder(call.fid)
        if call.offset < 0 or not 0 <= call.length <= MAX_READ:
            raise MapiError(Ec.ecInvalidParam, "offset or length")
        if call.uid not in folder.messages:
            raise MapiError(Ec.ecNotFound, f"uid {call.uid}")
        return folder.messages[call.uid].raw[call.offset : call.offset + call.length]

    def _search_text(self, box: Mailbox, call: c.SearchText) -> list[c.Ranges]:
        chosen = box.folder(call.fid).select(call.uids)
        return [to_ranges(m.uid for m in chosen if matches(term, m.digest, m.raw)) for term in call.terms]

    # ------------------------------------------------------------------------------------------ mailbox

    def _get_mailbox_info(self, box: Mailbox, call: c.GetMailboxInfo) -> c.MailboxInfo:
        messages = sum(len(f.messages) for f in box.folders.values())
        return c.MailboxInfo(box.owner, messages, box.size, box.quota_receive, box.quota_storage, 1, box.cn)

    def _set_quota(self, box: Mailbox, call: c.SetQuota) -> c.Done:
        if call.receive < 0 or call.storage < 0:
            raise MapiError(Ec.ecInvalidParam, "negative quota")
        box.quota_receive, box.quota_storage = call.receive, call.storage
        return c.Done()

    def _lock_pop3(self, box: Mailbox, call: c.LockPop3) -> bool:
        if call.on and box.pop3_holder in self.alive:
            return False
        box.pop3_holder = self.connection if call.on else ""
        return True

    def _watch(self, box: Mailbox, call: c.Watch) -> c.Done:
        return c.Done()


_HANDLERS: dict[type[Any], Callable[..., Any]] = {
    c.ListFolders: MemoryStore._list_folders, c.CreateFolder: MemoryStore._create_folder,
    c.DeleteFolder: MemoryStore._delete_folder, c.RenameFolder: MemoryStore._rename_folder,
    c.Subscribe: MemoryStore._subscribe, c.GetKeywordSets: MemoryStore._get_keyword_sets,
    c.GetFolderState: MemoryStore._get_folder_state, c.GetPages: MemoryStore._get_pages,
    c.ClaimRecent: MemoryStore._claim_recent, c.Confirm: MemoryStore._confirm, c.SetFlags: MemoryStore._set_flags,
    c.CopyMessages: MemoryStore._copy_messages, c.Expunge: MemoryStore._expunge,
    c.GetVanished: MemoryStore._get_vanished, c.GetPieces: MemoryStore._get_pieces,
    c.GetContents: MemoryStore._get_contents, c.ReadContent: MemoryStore._read_content,
    c.SearchText: MemoryStore._search_text, c.GetMailboxInfo: MemoryStore._get_mailbox_info,
    c.SetQuota: MemoryStore._set_quota, c.LockPop3: MemoryStore._lock_pop3, c.Watch: MemoryStore._watch,
}  # fmt: skip


def _authorise(box: Mailbox, call: c.Call[Any], actor: str) -> None:
    """The owner reads and writes; delivery and administration are SYSTEM's alone."""
    if actor == SYSTEM or (actor == box.owner and not isinstance(call, SYSTEM_ONLY)):
        return
    raise MapiError(Ec.ecAccessDenied, type(call).__name__)


def _check_quota(box: Mailbox, size: int, receive: int) -> None:
    for limit in (receive, box.quota_storage):
        if limit and box.size + size > limit:
            raise MapiError(Ec.ecQuotaExceeded)


def _check_keywords(words: list[str]) -> None:
    if len(words) > MAX_KEYWORDS or not all(0 < len(word) <= MAX_KEYWORD for word in words):
        raise MapiError(Ec.ecInvalidParam, "keywords")


def _add(folder: FolderRow, message: StoredMessage) -> StoredMessage:
    message.uid = folder.uidnext
    folder.uidnext += 1
    folder.messages[message.uid] = message
    folder.touch(message.uid, message.cn)
    return message


def _remove(box: Mailbox, folder: FolderRow, doomed: list[StoredMessage], cn: int) -> None:
    for m in doomed:
        del folder.messages[m.uid]
        folder.tombstones.append((m.uid, cn))
        folder.touch(m.uid, cn)
        box.changed.add(folder.fid)


def _new_flags(box: Mailbox, old: int, call: c.SetFlags) -> int:
    words = box.keyword_sets[old >> pages.KEYWORD_SHIFT]
    named = {w.lower() for w in call.keywords}
    bits = call.flags & pages.SYSTEM_MASK
    if call.mode == c.ADD:
        system, kept = old & pages.SYSTEM_MASK | bits, [*words, *call.keywords]
    elif call.mode == c.REMOVE:
        system, kept = old & pages.SYSTEM_MASK & ~bits, [w for w in words if w.lower() not in named]
    else:
        system, kept = bits, list(call.keywords)
    return system | box.keyword_set(kept) << pages.KEYWORD_SHIFT
