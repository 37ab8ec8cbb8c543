"""Properties of folders, computed from their rows and their bags ([MS-OXCFOLD] 2.2.2, [MS-OXOSFLD] 2.2.3-2.2.6).

`FolderReader` serves one call: for one folder or for the rows of a hierarchy table. What costs a statement of its own
is asked for only when a property needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.ids import GLOBCNT_MAX, Xid, pcl_add, pcl_decode, pcl_encode
from gromoxd.mapi.permissions import access_level, folder_access
from gromoxd.mapi.persistdata import (
    PERSIST_SENTINEL,
    RSF_ELID_ENTRYID,
    PersistData,
    PersistElement,
    encode_persist_data,
)
from gromoxd.mapi.times import filetime
from store import access as a
from store import wellknown as wk
from store.mapi import foldertags as t
from store.mapi import rows as r
from store.mapi.identity import Identity, eid
from store.mapi.reading import Reading
from store.sql import row, rows
from store.state import LOOP

FOLDER_ROOT, FOLDER_GENERIC, FOLDER_SEARCH = 0, 1, 2
"""PidTagFolderType ([MS-OXCFOLD] 2.2.2.2.2.7)."""
OBJECT_FOLDER = 3
"""PidTagObjectType ([MS-OXCPRPT] 2.2.1.7)."""
RIGHTS_OF_OWNER = 0x5FB
"""PidTagRights of the mailbox's owner."""
LARGEST_INT = 0x7FFFFFFF
INLINE_ROWS = 2000
"""Rows that may be counted in the loop."""
_LISTED = (
    "SELECT fid, parent_fid, name, container_class, hidden, messages, unseen, size, uidnext, changed_cn, created, 0"
    " FROM folders WHERE fid=?"
)
_DELETED = (
    "SELECT d.fid, parent_fid, name, container_class, hidden, 0, 0, 0, 1, ifnull(t.cn, 0), created, d.time"
    " FROM deleted_folders d LEFT JOIN folder_tombstones t ON t.fid = d.fid WHERE d.fid=?"
)
_UNLISTED = "SELECT kind, count(*), sum(size) FROM unlisted WHERE fid=? GROUP BY kind"
_UNSEEN_FOUND = (
    "SELECT count(*) FROM search_results s JOIN messages m ON m.mid = s.mid WHERE s.fid=? AND NOT m.flags & 1"
)
_READ = "SELECT count(*) FROM read_states s JOIN messages m ON m.mid = s.mid WHERE s.member=? AND m.fid=? AND s.read"
"""Soft-deleted messages keep their read states."""


class FolderView:
    """One folder, as far as it has been read."""

    def __init__(self, reader: FolderReader, found: tuple[Any, ...]) -> None:
        self.reader = reader
        (
            self.fid, self.parent_fid, self.name, self.container_class, self.hidden, self.messages, self.unseen,
            self.size, self.uidnext, self.cn, self.created, self.deleted_at,
        ) = found  # fmt: skip
        stored = row(reader.db, "SELECT props FROM folder_props WHERE fid=?", (self.fid,))
        self.bag: Bag = {} if stored is None else decode_bag(stored[0])
        self._unlisted: dict[int, tuple[int, int]] | None = None
        self._search: bool | None = None

    @property
    def rights(self) -> int:
        return self.reader.access.rights(self.fid)

    @property
    def is_search(self) -> bool:
        if self._search is None:
            found = row(self.reader.db, "SELECT 1 FROM search_folders WHERE fid=?", (self.fid,))
            self._search = found is not None
        return self._search

    @property
    def modified_nt(self) -> int:
        """The time of the last change of the folder's own properties."""
        value = self.bag.get(p.PidTagLastModificationTime)
        return value if isinstance(value, int) else filetime(self.created)

    def unlisted(self, *kinds: int) -> tuple[int, int]:
        """(messages, octets) of some kinds of messages that IMAP does not see."""
        if self._unlisted is None:
            found = rows(self.reader.db, _UNLISTED, (self.fid,))
            self._unlisted = {kind: (count, size) for kind, count, size in found}
        parts = [self._unlisted.get(kind, (0, 0)) for kind in kinds]
        return sum(count for count, _ in parts), sum(size for _, size in parts)

    def source_key(self, fid: int) -> bytes:
        """PidTagSourceKey of this folder or its parent, b'' of no folder."""
        if not fid:
            return b""
        found = row(self.reader.db, "SELECT source_key FROM source_keys WHERE id=?", (fid,))
        return self.reader.identity.source_key(fid) if found is None else bytes(found[0])


class FolderReader:
    """Reads folders for one call."""

    def __init__(self, reading: Reading) -> None:
        self.box = reading.box
        self.db = reading.reader.db
        self.access = reading.access
        self.identity: Identity = reading.box.identity

    def view(self, fid: int) -> FolderView:
        """A folder of the hierarchy, or, for the owner, a soft-deleted one. ecNotFound, ecAccessDenied."""
        self.access.require_sight(fid)
        check_id(fid)
        found = row(self.db, _LISTED, (fid,))
        if found is None and self.access.everything:
            found = row(self.db, _DELETED, (fid,))
        if found is None:
            raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")
        return FolderView(self, found)

    def bag(self, fid: int, tags: Iterable[int] | None = None) -> Bag:
        """Properties of a folder, all or those of `tags` that it has."""
        view = self.view(fid)
        if tags is None:
            found = {tag: value for tag, value in view.bag.items() if tag not in p.INTERNAL}
            tags = VALUES
        else:
            tags = [tag for tag in tags if tag not in p.INTERNAL]
            found = {tag: view.bag[tag] for tag in tags if tag in view.bag}
        for tag in tags:
            value = VALUES.get(tag)
            if value is not None and (tag not in found or tag in t.COMPUTED):
                told = value(view)
                if told is None:
                    found.pop(tag, None)
                else:
                    found[tag] = told
        return found

    def children(self, fid: int) -> list[int]:
        """The folders directly below one that the actor sees."""
        below = self.box.children.get(fid, [])
        return below if self.access.everything else [child for child in below if self.access.sees(child)]


def check_id(fid: int) -> None:
    """ecNotFound for what cannot be an id."""
    if not 0 < fid <= GLOBCNT_MAX:
        raise MapiError(Ec.ecNotFound, f"folder {fid:#x}")


Value = Callable[[FolderView], Any]


def _count(f: FolderView) -> int:
    if not f.is_search:
        return int(f.messages)
    return int(row(f.reader.db, "SELECT count(*) FROM search_results WHERE fid=?", (f.fid,))[0])


def _unread(f: FolderView) -> int:
    if f.is_search:
        return int(row(f.reader.db, _UNSEEN_FOUND, (f.fid,))[0])
    if not f.reader.box.public:
        return int(f.unseen)
    return int(f.messages) - int(row(f.reader.db, _READ, (f.reader.access.actor, f.fid))[0])


def _type(f: FolderView) -> int:
    if f.fid == wk.ROOT:
        return FOLDER_ROOT
    return FOLDER_SEARCH if f.is_search else FOLDER_GENERIC


def _rights(f: FolderView) -> int:
    if f.reader.access.everything:
        return RIGHTS_OF_OWNER
    return f.rights & ~(a.FREE_BUSY_SIMPLE | a.FREE_BUSY_DETAILED)


def change_key(f: FolderView) -> bytes:
    """The change key that came with the last change, if that was an import, else the mailbox's own."""
    kept = f.bag.get(p.PidTagChangeKey)
    if isinstance(kept, bytes) and f.bag.get(p.PROP_CHANGE_CN) == f.cn:
        return kept
    return f.reader.identity.change_key(f.cn)


def predecessors(f: FolderView) -> bytes:
    """[MS-OXCFXICS] 2.2.1.2.8."""
    kept = f.bag.get(p.PidTagPredecessorChangeList)
    if not isinstance(kept, bytes):
        return f.reader.identity.predecessors(f.cn)
    if f.bag.get(p.PROP_CHANGE_CN) == f.cn:
        return kept
    own = Xid.decode(f.reader.identity.change_key(f.cn)).encode()
    return pcl_encode(pcl_add(pcl_decode(kept), own))


def _commit_max(f: FolderView) -> int:
    """When something in the folder was last stored or deleted, as far as rows tell."""
    db = f.reader.db
    latest = row(db, "SELECT received FROM messages WHERE fid=? ORDER BY uid DESC LIMIT 1", (f.fid,))
    deleted = row(db, "SELECT time FROM tombstones WHERE fid=? ORDER BY cn DESC LIMIT 1", (f.fid,))
    return max(f.modified_nt, *(filetime(found[0]) for found in (latest, deleted) if found is not None), 0)


def _size(f: FolderView) -> int:
    return int(f.size) + f.unlisted(r.ASSOCIATED)[1]


def _pathname(f: FolderView) -> str:
    names = [f.name]
    folders = {folder.fid: folder for folder in f.reader.box.folder_list.folders}
    above = folders.get(f.parent_fid)
    while above is not None and above.fid != wk.ROOT and len(names) <= LOOP:
        names.append(above.name)
        above = folders.get(above.parent_fid)
    return "" if f.fid == wk.ROOT else "\\" + "\\".join(reversed(names))


def _deleted_folders(f: FolderView) -> int:
    return int(row(f.reader.db, "SELECT count(*) FROM deleted_folders WHERE parent_fid=?", (f.fid,))[0])


def _has_rules(f: FolderView) -> bool:
    return row(f.reader.db, "SELECT 1 FROM rules WHERE fid=? LIMIT 1", (f.fid,)) is not None


def _special(fid: int) -> Value:
    """The entry id of a well-known folder, on the root folder and the Inbox of a private mailbox."""
    return lambda f: f.reader.identity.folder_entryid(fid) if _tells(f) else None


def _tells(f: FolderView) -> bool:
    return f.fid in (wk.ROOT, wk.INBOX) and not f.reader.box.public


def _ren_entryids(f: FolderView) -> list[bytes] | None:
    return [f.reader.identity.folder_entryid(fid) for fid in t.REN_FOLDERS] if _tells(f) else None


def _ren_entryids_ex(f: FolderView) -> bytes | None:
    """PersistData structures and the end mark ([MS-OXOSFLD] 2.2.5)."""
    if not _tells(f):
        return None
    blocks = [
        PersistData(number, (PersistElement(RSF_ELID_ENTRYID, f.reader.identity.folder_entryid(fid)),))
        for number, fid in t.RSF_BLOCKS.items()
    ]
    return encode_persist_data([*blocks, PersistData(PERSIST_SENTINEL)])


def _free_busy_entryids(f: FolderView) -> list[bytes] | None:
    """[MS-OXOSFLD] 2.2.6; the messages in it are made and set by clients."""
    return [b"", b"", b"", f.reader.identity.folder_entryid(wk.FREE_BUSY)] if _tells(f) else None


VALUES: dict[int, Value] = {
    p.PidTagDisplayName: lambda f: f.name,
    p.PidTagContainerClass: lambda f: f.container_class or None,
    p.PidTagAttributeHidden: lambda f: bool(f.hidden),
    p.PidTagComment: lambda f: "",
    p.PidTagContentCount: _count,
    p.PidTagContentUnreadCount: _unread,
    p.PidTagAssociatedContentCount: lambda f: f.unlisted(r.ASSOCIATED)[0],
    t.PidTagFolderChildCount: lambda f: len(f.reader.children(f.fid)),
    t.PidTagDeletedMessageCount: lambda f: f.unlisted(r.DELETED)[0],
    t.PidTagDeletedAssociatedMessageCount: lambda f: f.unlisted(r.DELETED_ASSOCIATED)[0],
    t.PidTagDeletedFolderCount: _deleted_folders,
    t.PidTagDeletedMessageSizeExtended: lambda f: f.unlisted(r.DELETED, r.DELETED_ASSOCIATED)[1],
    p.PidTagDeletedCountTotal: lambda f: max(0, f.uidnext - 1 - f.messages),
    p.PidTagMessageSize: lambda f: min(_size(f), LARGEST_INT),
    p.PidTagMessageSizeExtended: _size,
    t.PidTagNormalMessageSizeExtended: lambda f: f.size,
    t.PidTagAssociatedMessageSizeExtended: lambda f: f.unlisted(r.ASSOCIATED)[1],
    p.PidTagFolderType: _type,
    p.PidTagAccess: lambda f: int(folder_access(f.rights)),
    p.PidTagAccessLevel: lambda f: access_level(folder_access(f.rights)),
    p.PidTagRights: _rights,
    p.PidTagObjectType: lambda f: OBJECT_FOLDER,
    p.PidTagEntryId: lambda f: f.reader.identity.folder_entryid(f.fid),
    p.PidTagParentEntryId: lambda f: f.reader.identity.folder_entryid(f.parent_fid or f.fid),
    p.PidTagRecordKey: lambda f: f.reader.identity.folder_entryid(f.fid),
    p.PidTagInstanceKey: lambda f: f.fid.to_bytes(8, "little"),
    p.PidTagStoreEntryId: lambda f: f.reader.identity.store_entryid(),
    p.PidTagStoreRecordKey: lambda f: f.reader.identity.guid,
    p.PidTagMappingSignature: lambda f: f.reader.identity.mapping_guid,
    p.PidTagFolderId: lambda f: eid(f.fid),
    p.PidTagParentFolderId: lambda f: eid(f.parent_fid or f.fid),
    p.PidTagSourceKey: lambda f: f.source_key(f.fid),
    p.PidTagParentSourceKey: lambda f: f.source_key(f.parent_fid),
    p.PidTagChangeKey: change_key,
    p.PidTagPredecessorChangeList: predecessors,
    p.PidTagChangeNumber: lambda f: eid(f.cn),
    p.PidTagCreationTime: lambda f: filetime(f.created),
    p.PidTagLastModificationTime: lambda f: f.modified_nt,
    p.PidTagLocalCommitTime: lambda f: f.modified_nt,
    p.PidTagLocalCommitTimeMax: _commit_max,
    p.PidTagHierRev: lambda f: f.modified_nt,
    p.PidTagHierarchyChangeNumber: lambda f: f.reader.box.folder_list.cn & LARGEST_INT,
    p.PidTagSubfolders: lambda f: bool(f.reader.children(f.fid)),
    t.PidTagFolderPathname: _pathname,
    t.PidTagArticleNumberNext: lambda f: min(f.uidnext, LARGEST_INT),
    p.PidTagHasRules: _has_rules,
    p.PidTagDeletedOn: lambda f: filetime(f.deleted_at) if f.deleted_at else None,
    p.PidTagAdditionalRenEntryIds: _ren_entryids,
    p.PidTagAdditionalRenEntryIdsEx: _ren_entryids_ex,
    p.PidTagFreeBusyEntryIds: _free_busy_entryids,
    **{tag: _special(fid) for tag, fid in t.SPECIAL_FOLDERS.items()},
}
"""Tag -> what is told of it; None: the folder has no such property. Those that are not COMPUTED clients may set."""


def is_long(reading: Reading, fid: int) -> bool:
    """Whether counting in this folder takes more than a moment."""
    db = reading.reader.db
    if not 0 < fid <= GLOBCNT_MAX:
        return False
    checks: list[tuple[str, int | str]] = [("unlisted WHERE fid=?", fid), ("search_results WHERE fid=?", fid)]
    if reading.box.public:
        checks.append(("read_states WHERE member=?", reading.access.actor))
    return any(
        row(db, f"SELECT count(*) FROM (SELECT 1 FROM {where} LIMIT {INLINE_ROWS + 1})", (value,))[0] > INLINE_ROWS
        for where, value in checks
    )
