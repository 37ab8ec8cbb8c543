"""The store as an object: logon, properties, ids and replicas, receive folders ([MS-OXCSTOR] 3.2.5).

The name under which a store is shown is the directory's to know: who makes the mailbox sets it; until then it is the
owner's address.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import storecalls as s
from gromoxd.exmdb.hierarchy import Problems
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.entryids import MDB_DELEGATE, MDB_PRIMARY, MDB_PUBLIC, OneOffEntryId
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import fits
from store import wellknown as wk
from store.mapi import foldertags as t
from store.mapi import outofoffice
from store.mapi.folderprops import INLINE_ROWS, LARGEST_INT
from store.mapi.permissions import rights_of
from store.mapi.reading import Reading
from store.mapi.rulebook import oof_of
from store.sql import row, rows
from store.transaction import Transaction

PidTagStorageQuotaLimit: Final = 0x3FF50003
"""Of the older MAPI headers (PR_STORAGE_QUOTA_LIMIT): KiB above which nothing can be saved."""
PRIVATE_FOLDERS = (
    0x01, 0x02, 0x03, wk.IPM_SUBTREE, wk.INBOX, wk.OUTBOX, wk.SENT_ITEMS, wk.DELETED_ITEMS, 0x07, 0x08, 0x05, 0x06,
    0x04,
)  # fmt: skip
PUBLIC_FOLDERS = (wk.ROOT, wk.PUBLIC_SUBTREE, wk.NON_IPM_SUBTREE, wk.EFORMS_REGISTRY, *[0] * 9)
"""The folders of a logon's answer, in its order ([MS-OXCSTOR] 2.2.1.1.3, 2.2.1.1.4)."""
PRIVATE_MASK = 0x1 | 0x3FFC | 0x8000 | 0x10000 | 0x40000 | 0x200000 | 0x800000 | 0x1000000
PUBLIC_MASK = 0x1 | 0x7F7C | 0x8000 | 0x10000 | 0x40000
"""PidTagStoreSupportMask: unique entry ids, search, modify, create, attachments, OLE, submit, notifications,
multi-value properties, categories, RTF, restrictions, sorting, (public folders,) uncompressed RTF, HTML, Unicode, and,
privately, rules on the server, push notification and searches ([MS-OXCSTOR] 2.2.2.1)."""
OBJECT_STORE, FOLDERS_VALID, RESOURCE_DEFAULT = 1, 0xFF, 0x02
LARGEST_BAG, MOST_TAGS = 1 << 20, 4096
ENGLISH, WESTERN = 0x0409, 1252


class StoreView:
    """The store, as far as one call has read it."""

    def __init__(self, reading: Reading) -> None:
        self.box = reading.box
        self.access = reading.access
        self.db = reading.reader.db
        self.identity = reading.box.identity
        stored = row(self.db, "SELECT props FROM store_props")
        self.bag: Bag = {} if stored is None else decode_bag(stored[0])
        self._sizes: tuple[int, int, int, int] | None = None
        self._quotas: tuple[int, int] | None = None

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Octets and number of messages, octets of associated and of deleted ones."""
        if self._sizes is None:
            size, messages = row(self.db, "SELECT sum(size), sum(messages) FROM folders")
            associated, deleted = row(
                self.db,
                "SELECT ifnull(sum(CASE kind WHEN 1 THEN size END), 0), ifnull(sum(CASE kind WHEN 1 THEN 0 ELSE size"
                " END), 0) FROM unlisted",
            )
            self._sizes = size, messages, associated, deleted
        return self._sizes

    @property
    def quotas(self) -> tuple[int, int]:
        """Octets above which nothing is received, and nothing saved; 0: no such limit."""
        if self._quotas is None:
            receive, storage = row(self.db, "SELECT quota_receive, quota_storage FROM mailbox")
            defaults = self.box.default_quotas
            self._quotas = defaults[0] if receive is None else receive, defaults[1] if storage is None else storage
        return self._quotas

    def entryid(self, fid: int) -> bytes | None:
        """The entry id of a folder, if the store has it."""
        return self.identity.folder_entryid(fid) if fid and self.box.has_folder(fid) else None


def _kib(octets: int) -> int | None:
    return min(octets >> 10, LARGEST_INT) if octets else None


def _private(fid: int) -> Callable[[StoreView], bytes | None]:
    return lambda v: None if v.box.public else v.entryid(fid)


def _public(fid: int) -> Callable[[StoreView], bytes | None]:
    return lambda v: v.entryid(fid) if v.box.public else None


def _provider(v: StoreView) -> bytes:
    if v.box.public:
        return MDB_PUBLIC
    return MDB_PRIMARY if v.access.everything else MDB_DELEGATE


def _owner_entryid(v: StoreView) -> bytes | None:
    """Of an owner that nobody has told the address book entry of: his mail address is one, too."""
    return None if v.box.public else OneOffEntryId(v.identity.owner, "SMTP", v.identity.owner).encode()


VALUES: dict[int, Callable[[StoreView], Any]] = {
    p.PidTagDisplayName: lambda v: "Public Folders" if v.box.public else v.identity.owner,
    p.PidTagComment: lambda v: "",
    p.PidTagObjectType: lambda v: OBJECT_STORE,
    p.PidTagEntryId: lambda v: v.identity.store_entryid(),
    p.PidTagStoreEntryId: lambda v: v.identity.store_entryid(),
    p.PidTagRecordKey: lambda v: v.identity.guid,
    p.PidTagStoreRecordKey: lambda v: v.identity.guid,
    p.PidTagMappingSignature: lambda v: v.identity.mapping_guid,
    p.PidTagStoreProvider: _provider,
    p.PidTagStoreSupportMask: lambda v: PUBLIC_MASK if v.box.public else PRIVATE_MASK,
    p.PidTagStoreState: lambda v: 0,
    p.PidTagAccessLevel: lambda v: 1 if v.access.everything else 0,
    p.PidTagDefaultStore: lambda v: v.access.everything and not v.access.is_system,
    p.PidTagMailboxOwnerName: lambda v: None if v.box.public else v.bag.get(p.PidTagDisplayName, v.identity.owner),
    p.PidTagMailboxOwnerEntryId: _owner_entryid,
    p.PidTagIpmSubtreeEntryId: lambda v: v.entryid(v.box.ipm_subtree),
    p.PidTagIpmOutboxEntryId: _private(wk.OUTBOX),
    p.PidTagIpmWastebasketEntryId: _private(wk.DELETED_ITEMS),
    p.PidTagIpmSentMailEntryId: _private(wk.SENT_ITEMS),
    p.PidTagViewsEntryId: _private(0x06),
    p.PidTagCommonViewsEntryId: _private(0x07),
    p.PidTagFinderEntryId: _private(0x05),
    p.PidTagNonIpmSubtreeEntryId: _public(wk.NON_IPM_SUBTREE),
    p.PidTagValidFolderMask: lambda v: 0x1 if v.box.public else FOLDERS_VALID,
    p.PidTagCreationTime: lambda v: filetime(v.identity.created),
    p.PidTagLocaleId: lambda v: ENGLISH,
    p.PidTagSortLocaleId: lambda v: ENGLISH,
    p.PidTagCodePageId: lambda v: WESTERN,
    p.PidTagMaximumSubmitMessageSize: lambda v: _kib(v.box.largest_message),
}
"""What everybody who may log on is told. Those not in FIXED are defaults: a value that was set counts."""
OWNER_VALUES: dict[int, Callable[[StoreView], Any]] = {
    p.PidTagOutOfOfficeState: lambda v: None if v.box.public else oof_of(v.bag).active(v.box.clock()),
    p.PidTagMessageSize: lambda v: min(v.sizes[0] + v.sizes[2], LARGEST_INT),
    p.PidTagMessageSizeExtended: lambda v: v.sizes[0] + v.sizes[2],
    t.PidTagNormalMessageSizeExtended: lambda v: v.sizes[0],
    t.PidTagAssociatedMessageSizeExtended: lambda v: v.sizes[2],
    t.PidTagDeletedMessageSizeExtended: lambda v: v.sizes[3],
    p.PidTagContentCount: lambda v: v.sizes[1],
    p.PidTagProhibitReceiveQuota: lambda v: _kib(v.quotas[0]),
    p.PidTagProhibitSendQuota: lambda v: _kib(v.quotas[1]),
    PidTagStorageQuotaLimit: lambda v: _kib(v.quotas[1]),
}
"""What the owner is told besides, and whatever clients have set."""
SETTABLE = frozenset(
    (p.PidTagComment, p.PidTagOutOfOfficeState, p.PidTagLocaleId, p.PidTagSortLocaleId, p.PidTagCodePageId)
)
"""Of these properties those that the owner may set."""
SYSTEM_SETS = frozenset((p.PidTagDisplayName, p.PidTagMailboxOwnerName, p.PidTagMailboxOwnerEntryId))
"""Those that only the directory knows."""
QUOTAS: dict[int, str] = {
    p.PidTagProhibitReceiveQuota: "quota_receive", p.PidTagProhibitSendQuota: "quota_storage",
    PidTagStorageQuotaLimit: "quota_storage",
}  # fmt: skip
FIXED = frozenset((*VALUES, *OWNER_VALUES)) - SETTABLE - SYSTEM_SETS - QUOTAS.keys()


def open_store(reading: Reading, call: s.OpenStore) -> s.StoreInfo:
    """exmdb.storecalls.OpenStore."""
    found = rights_of(reading, reading.access, 0)
    if not reading.access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "log on")
    box, identity = reading.box, reading.box.identity
    folders = [fid if box.has_folder(fid) else 0 for fid in (PUBLIC_FOLDERS if box.public else PRIVATE_FOLDERS)]
    return s.StoreInfo(
        identity.guid, identity.mapping_guid, identity.owner, box.public, identity.created, found.rights,
        found.delegate, found.send_as, folders, box.cn,
    )  # fmt: skip


def get_store_props(reading: Reading, call: s.GetStoreProps) -> Bag:
    """exmdb.storecalls.GetStoreProps."""
    access = reading.access
    if not access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "store")
    if call.tags is not None and len(call.tags) > MOST_TAGS:
        raise MapiError(Ec.ecInvalidParam, "too many properties")
    view = StoreView(reading)
    told = VALUES | OWNER_VALUES if access.everything else VALUES
    kept = {tag: value for tag, value in view.bag.items() if access.everything or tag in told}
    found: Bag = {}
    for tag in dict.fromkeys([*told, *kept] if call.tags is None else call.tags):
        value = kept.get(tag)
        if value is None and tag in told:
            value = told[tag](view)
        if value is not None and tag not in p.INTERNAL:
            found[tag] = value
    return found


def set_store_props(tx: Transaction, call: s.SetStoreProps) -> Problems:
    """exmdb.storecalls.SetStoreProps."""
    tx.access.require_owner()
    if len(call.set) + len(call.delete) > MOST_TAGS:
        raise MapiError(Ec.ecInvalidParam, "too many properties")
    stored = row(tx.db, "SELECT props FROM store_props")
    bag: Bag = {} if stored is None else decode_bag(stored[0])
    problems: list[tuple[int, int]] = []
    for tag, value in [*call.set.items(), *((tag, None) for tag in call.delete)]:
        code = _problem(tx, tag, value)
        if code is not None:
            problems.append((tag, int(code)))
        elif tag in QUOTAS:
            _set_quota(tx, QUOTAS[tag], value)
        elif tag == p.PidTagOutOfOfficeState:
            outofoffice.switch(tx, bag, value is True)
        elif value is None:
            bag.pop(tag, None)
        else:
            bag[tag] = value
    encoded = encode_bag(bag)
    if len(encoded) > LARGEST_BAG:
        raise MapiError(Ec.ecTooBig, "properties of the store")
    tx.db.execute("INSERT OR REPLACE INTO store_props VALUES (1,?)", (encoded,))
    return Problems(problems)


def _problem(tx: Transaction, tag: int, value: Any) -> Ec | None:
    """Why a property cannot be set, or deleted (None)."""
    if not 0 <= tag <= 0xFFFFFFFF or tag in p.INTERNAL or (value is not None and not fits(tag, value)):
        return Ec.ecInvalidParam
    if tag in FIXED:
        return Ec.ecComputed
    if tag in QUOTAS and value is not None and not 0 <= value <= LARGEST_INT:
        return Ec.ecInvalidParam
    if (tag in QUOTAS or tag in SYSTEM_SETS) and not tx.access.is_system:
        return Ec.ecAccessDenied
    return None


def _set_quota(tx: Transaction, column: str, kib: int | None) -> None:
    """None: the server's default."""
    octets = None if kib is None else kib << 10
    tx.db.execute(f"UPDATE mailbox SET {column}=?", (octets,))
    setattr(tx.state, column, octets)
    tx.counters_changed()


# ---------------------------------------------------------------------------------------------- receive folders

LONGEST_CLASS, MOST_CLASSES = 254, 2000
KEPT = ("ipm", "report.ipm")


def checked_class(name: str) -> str:
    """A message class ([MS-OXCSTOR] 2.2.1.3.1). ecInvalidParam."""
    if len(name) > LONGEST_CLASS or any(not " " <= ch <= "~" for ch in name):
        raise MapiError(Ec.ecInvalidParam, "message class")
    if name.startswith(".") or name.endswith(".") or ".." in name:
        raise MapiError(Ec.ecInvalidParam, "message class")
    return name


def _require_private(public: bool) -> None:
    if public:
        raise MapiError(Ec.ecNotSupported, "receive folders of a public store")


def receive_folder(db: Any, message_class: str) -> s.ReceiveFolder:
    """The folder for a class: the class itself is looked for, then with one part after the other cut off."""
    while True:
        found = row(db, "SELECT fid, class FROM receive_folders WHERE class=?", (message_class,))
        if found is not None:
            return s.ReceiveFolder(*found)
        if not message_class:
            return s.ReceiveFolder(wk.INBOX, "")
        message_class = message_class.rpartition(".")[0]


def get_receive_folder(reading: Reading, call: s.GetReceiveFolder) -> s.ReceiveFolder:
    """exmdb.storecalls.GetReceiveFolder."""
    if not reading.access.anywhere():
        raise MapiError(Ec.ecAccessDenied, "receive folder")
    _require_private(reading.box.public)
    return receive_folder(reading.reader.db, checked_class(call.message_class))


def list_receive_folders(reading: Reading, call: s.ListReceiveFolders) -> list[s.ReceiveFolder]:
    """exmdb.storecalls.ListReceiveFolders."""
    reading.access.require_owner()
    _require_private(reading.box.public)
    found = rows(reading.reader.db, "SELECT fid, class FROM receive_folders ORDER BY class")
    return [s.ReceiveFolder(*one) for one in found]


def set_receive_folder(tx: Transaction, call: s.SetReceiveFolder) -> c.Done:
    """exmdb.storecalls.SetReceiveFolder."""
    tx.access.require_owner()
    _require_private(tx.public)
    name = checked_class(call.message_class)
    if name.lower() in KEPT:
        raise MapiError(Ec.ecAccessDenied, name)
    if not call.fid:
        if not name:
            raise MapiError(Ec.ecError, "the default receive folder")
        tx.db.execute("DELETE FROM receive_folders WHERE class=?", (name,))
        return c.Done()
    tx.state.folder(call.fid)
    tx.db.execute("INSERT OR REPLACE INTO receive_folders VALUES (?,?)", (name, call.fid))
    if row(tx.db, "SELECT count(*) FROM receive_folders")[0] > MOST_CLASSES:
        raise MapiError(Ec.ecStorageFull, "too many receive folders")
    return c.Done()


def _many(reading: Reading, call: s.GetStoreProps) -> bool:
    sql = "SELECT count(*) FROM (SELECT 1 FROM unlisted LIMIT ?)"
    return bool(row(reading.reader.db, sql, (INLINE_ROWS + 1,))[0] > INLINE_ROWS)


READS = {
    s.OpenStore: open_store, s.GetStoreProps: get_store_props, s.GetReceiveFolder: get_receive_folder,
    s.ListReceiveFolders: list_receive_folders,
}  # fmt: skip
WRITES = {s.SetStoreProps: set_store_props, s.SetReceiveFolder: set_receive_folder}
LONG = {s.GetStoreProps: _many}
