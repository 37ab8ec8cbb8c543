"""Who a mailbox is, and the keys and entry ids of what is in it ([MS-OXCDATA] 2.2.1, 2.2.4; [MS-OXCFXICS] 2.2.1.2)."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import apsw

from gromoxd.mapi import ids
from gromoxd.mapi.entryids import (
    PUBLIC_FOLDERS,
    STORE_PRIVATE,
    STORE_PUBLIC,
    FolderEntryId,
    MessageEntryId,
    ObjectType,
    StoreEntryId,
    WrappedType,
)
from gromoxd.mapi.ids import LongTermId
from store.sql import rows_once

OWN_REPLID = 1
"""The replica id that stands for this mailbox's GUID in ids of 64 bits ([MS-OXCDATA] 2.2.1)."""


class Identity(NamedTuple):
    """`guid` is the replica GUID of all that is made here; `owner` an address, or a domain for a public store."""

    guid: bytes
    mapping_guid: bytes
    created: int
    owner: str
    public: bool = False

    def source_key(self, counter: int) -> bytes:
        """PidTagSourceKey of an object that was made here."""
        return self.guid + counter.to_bytes(6, "big")

    def is_own(self, source_key: bytes) -> bool:
        """Whether a source key is of this mailbox's ids."""
        return len(source_key) == ids.GID_SIZE and source_key[:16] == self.guid

    def change_key(self, cn: int) -> bytes:
        """PidTagChangeKey of a change that was made here."""
        return self.guid + cn.to_bytes(6, "big")

    def predecessors(self, cn: int) -> bytes:
        """PidTagPredecessorChangeList of an object that was never changed elsewhere ([MS-OXCFXICS] 2.2.2.3)."""
        return b"\x16" + self.guid + cn.to_bytes(6, "big")

    def folder_entryid(self, fid: int) -> bytes:
        """[MS-OXCDATA] 2.2.4.1."""
        return _folder_entryid(self.guid, self.public, fid)

    def message_entryid(self, fid: int, mid: int) -> bytes:
        """[MS-OXCDATA] 2.2.4.2."""
        return _message_entryid(self.guid, self.public, fid) + mid.to_bytes(6, "big") + b"\0\0"

    def store_entryid(self) -> bytes:
        """[MS-OXCDATA] 2.2.4.3; the server of a mailbox is the domain of its owner."""
        return _store_entryid(self.owner, self.public)


@lru_cache(maxsize=512)
def _folder_entryid(guid: bytes, public: bool, fid: int) -> bytes:
    if public:
        return FolderEntryId(PUBLIC_FOLDERS, LongTermId(guid, fid), ObjectType.PUBLIC_FOLDER).encode()
    return FolderEntryId(guid, LongTermId(guid, fid)).encode()


@lru_cache(maxsize=512)
def _message_entryid(guid: bytes, public: bool, fid: int) -> bytes:
    """What the entry ids of a folder's messages begin with: all but the counter and the padding."""
    folder, message = LongTermId(guid, fid), LongTermId(guid, 0)
    if public:
        return MessageEntryId(PUBLIC_FOLDERS, folder, message, ObjectType.PUBLIC_MESSAGE).encode()[:-8]
    return MessageEntryId(guid, folder, message).encode()[:-8]


@lru_cache(maxsize=512)
def _store_entryid(owner: str, public: bool) -> bytes:
    domain = owner.rpartition("@")[2].encode("utf-8", "replace")
    if public:
        return StoreEntryId(domain, None, STORE_PUBLIC, WrappedType.PUBLIC).encode()
    return StoreEntryId(domain, owner.encode("utf-8", "replace"), STORE_PRIVATE, WrappedType.PRIVATE).encode()


def eid(counter: int) -> int:
    """PtypInteger64 of an id of this mailbox: PidTagMid, PidTagFolderId, PidTagChangeNumber."""
    return ids.eid_value(OWN_REPLID, counter)


def load(db: apsw.Connection, owner: str = "", public: bool = False) -> Identity:
    """From the database of a mailbox."""
    guid, mapping_guid, created = rows_once(db, "SELECT guid, mapping_guid, created FROM mailbox")[0]
    return Identity(guid, mapping_guid, created, owner, public)
