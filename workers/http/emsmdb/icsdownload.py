"""Synchronisation downloads ([MS-OXCFXICS] 2.2.3.2.1, 3.2.5.9.1): what changed in a folder or a hierarchy."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Any, Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.storecalls import GetReplids
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.values import whole
from gromoxd.mapi import proptags as p
from gromoxd.mapi.evaluate import compile_restriction
from gromoxd.mapi.fasttransfer import (
    Marker,
    MetaTagIdsetDeleted,
    MetaTagIdsetNoLongerInScope,
    MetaTagIdsetRead,
    MetaTagIdsetUnread,
    StreamWriter,
)
from gromoxd.mapi.ids import gid
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.restrictions import decode_restriction
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.rop import sync as rop
from workers.http.emsmdb import streamout
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.download import Download
from workers.http.emsmdb.objects import OWN_REPLID, Folder
from workers.http.emsmdb.streamout import IDENTITY, VERSION, Keep, Names, Scope, code_page_of, prop_list
from workers.http.emsmdb.syncstate import StateHolder, write_state

CONTENTS, HIERARCHY = 1, 2
"""SynchronizationType."""
NO_DELETIONS, IGNORE_NO_LONGER_IN_SCOPE, READ_STATE, FAI, NORMAL = 0x0002, 0x0004, 0x0008, 0x0010, 0x0020
ONLY_SPECIFIED, NO_FOREIGN_IDENTIFIERS, IGNORE_SPECIFIED_ON_FAI, PROGRESS = 0x0080, 0x0100, 0x4000, 0x8000
RESERVED: Final = 0x1000
"""SynchronizationFlags ([MS-OXCFXICS] 2.2.3.2.1.1.1)."""
EID, MESSAGE_SIZE, CN, ORDER_BY_DELIVERY_TIME = 1, 2, 4, 8
"""SynchronizationExtraFlags."""
BATCH: Final = 100
FEW: Final = 8
"""Messages of the first request, which a client waits for."""
PROGRESS_TAG, SIZE_TAG, FAI_TAG = 0x00000102, 0x00000003, 0x0000000B
"""Properties without ids, told apart by their types ([MS-OXCFXICS] 2.2.4.3.19, 2.2.4.3.18)."""
_SUBOBJECTS: Final = (p.PidTagMessageRecipients, p.PidTagMessageAttachments)
_STRING8: Final = int(PropType.PtypString8)
_PROGRESS: Final = Struct("<HHIQIIQ")
_FLAGS: Final = ((NORMAL, s.NORMAL), (FAI, s.ASSOCIATED), (READ_STATE, s.READ_STATE))
_IN_HEADER: Final = VERSION | {p.PidTagLastModificationTime, p.PidTagAssociated, p.PidTagMessageSize}
FOLDER_HEADER: Final = VERSION | {
    p.PidTagParentSourceKey, p.PidTagLastModificationTime, p.PidTagDisplayName, p.PidTagFolderId,
    p.PidTagParentFolderId,
}  # fmt: skip
FOLDER_COUNTS: Final = frozenset((p.PidTagContentCount, p.PidTagContentUnreadCount, p.PidTagAssociatedContentCount,
    p.PidTagDeletedCountTotal, p.PidTagMessageSize, p.PidTagLocalCommitTimeMax, p.PidTagSubfolders, p.PidTagRights,
    p.PidTagHierarchyChangeNumber, p.PidTagHasRules, p.PidTagHierRev, 0x66380003, 0x66400003, 0x66430003, 0x66410003,
    0x669B0014, 0x66B30014, 0x66B40014, 0x67510003))  # fmt: skip
"""What changes without a change of the folder, and is the server's to count."""


class SyncDownload(Download, StateHolder):
    """A synchronisation download context: its client uploads a state first, then takes the stream.

    What changed of a message is always told by messageChangeFull, as [MS-OXCFXICS] 2.2.4.3.11 leaves it to servers: the
    store knows when a message was changed, not which groups of its properties were.
    """

    tells_given = True

    def __init__(self, folder: Folder, request: rop.SynchronizationConfigure, code_page: int) -> None:
        self.names = Names(folder.logon.account)
        page = code_page_of(request.send_options, code_page)
        Download.__init__(self, folder.logon, StreamWriter(self.names, page))
        StateHolder.__init__(self, request.synchronization_type == CONTENTS)
        self.fid = folder.fid
        self.flags, self.extra = request.synchronization_flags, request.synchronization_extra_flags
        self.restriction = request.restriction_data
        self.tags = request.property_tags
        self.final: s.State | None = None

    @property
    def account(self) -> Account:
        """Whose."""
        return self.logon.account

    def require_open(self) -> None:
        """See StateHolder: the state counts until the first buffer is taken."""
        if self.stream is not None:
            raise MapiError(Ec.ecNotSupported, "the download has begun")

    def transfer_state(self) -> s.State:
        """The initial state until everything is taken ([MS-OXCFXICS] 3.2.5.9.3.1)."""
        return self.final if self.final is not None and self.complete else self.state

    def filter(self, never: frozenset[int], associated: bool = False) -> Keep:
        """Which properties go ([MS-OXCFXICS] 3.2.5.9.1.1: PropertyTags)."""
        if associated and self.flags & IGNORE_SPECIFIED_ON_FAI:
            return Keep(never)
        if self.flags & ONLY_SPECIFIED:
            return Keep(never, only=self.tags)
        return Keep(never, without=self.tags)

    def start(self) -> Iterator[None]:
        """See Download."""
        return self._contents() if self.contents else self._hierarchy()

    def source_key(self, props: o.Bag, counter: int) -> bytes:
        """PidTagSourceKey of an object; NoForeignIdentifiers: the one that this store would give."""
        kept = props.get(p.PidTagSourceKey)
        if self.flags & NO_FOREIGN_IDENTIFIERS or not isinstance(kept, bytes):
            return gid(self.logon.info.guid, counter)
        return kept

    # ------------------------------------------------------------------------------------------ contents

    def _contents(self) -> Iterator[None]:
        """The element contentsSync ([MS-OXCFXICS] 2.2.4.3.2)."""
        changes: s.ContentChanges = self.account.call(
            s.GetContentChanges(self.fid, self.state, self._wanted(), self.restriction)
        )
        self.total = changes.total
        if self.flags & PROGRESS:
            self._progress_total(changes)
        missing: list[int] = []
        yield from self._messages(changes, missing)
        self._deletions(changes.deleted, changes.out_of_scope)
        if changes.read or changes.unread:
            self.writer.marker(Marker.IncrSyncRead)
            self._ids(MetaTagIdsetRead, changes.read)
            self._ids(MetaTagIdsetUnread, changes.unread)
        self._end(self._without(changes.state, missing))

    def _wanted(self) -> int:
        flags = sum(theirs for ours, theirs in _FLAGS if self.flags & ours)
        if self.flags & NO_DELETIONS:
            flags |= s.NO_DELETIONS | s.IGNORE_OUT_OF_SCOPE
        if self.flags & IGNORE_NO_LONGER_IN_SCOPE:
            flags |= s.IGNORE_OUT_OF_SCOPE
        return flags | (s.BY_DELIVERY_TIME if self.extra & ORDER_BY_DELIVERY_TIME else 0)

    def _progress_total(self, changes: s.ContentChanges) -> None:
        """The element progressTotal: ProgressInformation ([MS-OXCFXICS] 2.2.2.7)."""
        fai, fai_octets, normal, octets = changes.sizes()
        self.writer.marker(Marker.IncrSyncProgressMode)
        self.writer.property(PROGRESS_TAG, _PROGRESS.pack(0, 0, fai, fai_octets, normal, 0, octets))

    def _messages(self, changes: s.ContentChanges, missing: list[int]) -> Iterator[None]:
        never = IDENTITY | _IN_HEADER
        keep, keep_fai = self.filter(never), self.filter(never, True)
        subobjects = self.filter(frozenset())
        scope = Scope(
            self.account, self.writer, keep, recipients=subobjects[p.PidTagMessageRecipients],
            attachments=subobjects[p.PidTagMessageAttachments],
        )  # fmt: skip
        what = o.PROPS | o.RECIPIENTS * scope.recipients | o.ATTACHMENTS * scope.attachments
        tags = self._asked()
        at, count = 0, FEW
        while some := changes.some(at, count):
            found: list[o.Message] = self.account.call(o.ReadMessages([one[0] for one in some], what, tags))
            self.names.coming = lambda found=found: tags_of(found)  # type: ignore[misc]
            there = {message.mid: message for message in found}
            for mid, _, size, associated in some:
                message = there.pop(mid, None)
                if message is None or message.deleted:
                    missing.append(mid)
                else:
                    scope.keep = keep_fai if message.associated else keep
                    yield from self._message(scope, message, size, associated)
                self.done += 1
                at += 1
                if found and mid == found[-1].mid:
                    break  # the answer was full: the others are asked for again
            count = BATCH

    def _asked(self) -> list[int] | None:
        """The properties to be read, None for all: few are asked for by clients that want headers only."""
        if not self.flags & ONLY_SPECIFIED or self.flags & IGNORE_SPECIFIED_ON_FAI:
            return None
        asked = [
            tag | 1 if tag & 0xFFFF & ~MULTIPLE == _STRING8 else tag for tag in self.tags if tag not in _SUBOBJECTS
        ]
        return None if any(not tag & 0xFFFF for tag in asked) else [*asked, *_IN_HEADER]

    def _message(self, scope: Scope, message: o.Message, size: int, associated: bool) -> Iterator[None]:
        """The elements progressPerMessage and messageChangeFull ([MS-OXCFXICS] 2.2.4.3.13)."""
        writer = self.writer
        if self.flags & PROGRESS:
            writer.marker(Marker.IncrSyncProgressPerMsg)
            writer.property(SIZE_TAG, min(size, 0x7FFFFFFF))
            writer.property(FAI_TAG, associated)
        writer.marker(Marker.IncrSyncChg)
        self._header(message)
        writer.marker(Marker.IncrSyncMessage)
        yield from streamout.message_content(scope, message)
        yield

    def _header(self, message: o.Message) -> None:
        """The element messageChangeHeader, whose properties have fixed places ([MS-OXCFXICS] 2.2.4.3.14)."""
        put, props = self.writer.property, message.props
        put(p.PidTagSourceKey, self.source_key(props, message.mid))
        put(p.PidTagLastModificationTime, props.get(p.PidTagLastModificationTime, 0))
        put(p.PidTagChangeKey, props[p.PidTagChangeKey])
        put(p.PidTagPredecessorChangeList, props[p.PidTagPredecessorChangeList])
        put(p.PidTagAssociated, message.associated)
        if self.extra & EID:
            put(p.PidTagMid, self.logon.eid(message.mid))
        if self.extra & MESSAGE_SIZE:
            put(p.PidTagMessageSize, props.get(p.PidTagMessageSize, 0))
        if self.extra & CN:
            put(p.PidTagChangeNumber, self.logon.eid(message.cn))

    # ------------------------------------------------------------------------------------------ hierarchy

    def _hierarchy(self) -> Iterator[None]:
        """The element hierarchySync ([MS-OXCFXICS] 2.2.4.3.10)."""
        changes: s.HierarchyChanges = self.account.call(s.GetHierarchyChanges(self.fid, self.state))
        self.total = len(changes.changed)
        keep = self.filter(IDENTITY | FOLDER_HEADER | FOLDER_COUNTS)
        for fid, _ in changes.changed:
            try:
                props: o.Bag = self.account.call(h.GetFolderProps(fid))
            except MapiError as error:
                if error.code not in (Ec.ecNotFound, Ec.ecAccessDenied):
                    raise
            else:
                yield from self._folder(fid, props, keep)
            self.done += 1
            yield
        if not self.flags & NO_DELETIONS:
            self._deletions(changes.deleted, b"")
        self._end(changes.state)

    def _folder(self, fid: int, props: o.Bag, keep: Keep) -> Iterator[None]:
        """The element folderChange ([MS-OXCFXICS] 2.2.4.3.5)."""
        self.names.coming = lambda: list(props)
        put, root = self.writer.property, self.logon.eid(self.fid)
        parent: Any = props.get(p.PidTagParentFolderId, 0)
        self.writer.marker(Marker.IncrSyncChg)
        parent_key = b"" if parent & _MASK == root else self._parent_key(props, parent)
        put(p.PidTagParentSourceKey, parent_key)
        put(p.PidTagSourceKey, self.source_key(props, fid))
        put(p.PidTagLastModificationTime, props.get(p.PidTagLastModificationTime, 0))
        put(p.PidTagChangeKey, props[p.PidTagChangeKey])
        put(p.PidTagPredecessorChangeList, props[p.PidTagPredecessorChangeList])
        put(p.PidTagDisplayName, props.get(p.PidTagDisplayName, ""))
        if self.extra & EID:
            put(p.PidTagFolderId, self.logon.eid(fid))
        if self.extra & EID or self.flags & NO_FOREIGN_IDENTIFIERS:
            put(p.PidTagParentFolderId, parent)
        yield from prop_list(self.writer, {tag: whole(tag, value) for tag, value in props.items()}, keep)

    def _parent_key(self, props: o.Bag, parent: int) -> bytes:
        kept = props.get(p.PidTagParentSourceKey)
        if self.flags & NO_FOREIGN_IDENTIFIERS or not isinstance(kept, bytes):
            return gid(self.logon.info.guid, self.logon.counter(parent & _MASK))
        return kept

    # ------------------------------------------------------------------------------------------ the end

    def _deletions(self, deleted: bytes, out_of_scope: bytes) -> None:
        """The element deletions ([MS-OXCFXICS] 2.2.4.3.3)."""
        if deleted or out_of_scope:
            self.writer.marker(Marker.IncrSyncDel)
            self._ids(MetaTagIdsetDeleted, deleted)
            self._ids(MetaTagIdsetNoLongerInScope, out_of_scope)

    def _ids(self, tag: int, octets: bytes) -> None:
        """An IDSET with REPLIDs, as servers send them ([MS-OXCFXICS] 2.2.2.4.1)."""
        found = IdSet.decode_replguid(octets)
        if found:
            replids = self._replids([guid for guid in found.replicas if isinstance(guid, bytes)])
            named = IdSet({guid: found.of(guid) for guid in found.replicas if guid in replids})
            self.writer.property(tag, named.mapped(replids).encode())

    def _replids(self, guids: list[bytes]) -> dict[int | bytes, int | bytes]:
        """The short ids of replicas, those that have one."""
        known: dict[int | bytes, int | bytes] = {self.logon.info.guid: OWN_REPLID}
        others = [guid for guid in guids if guid not in known]
        if others:
            found: list[int] = self.account.call(GetReplids(others))
            known |= {guid: id_ for guid, id_ in zip(others, found, strict=True) if id_}
        return known

    def _end(self, state: s.State) -> None:
        self.final = state
        write_state(self.writer, state, self.contents)
        self.writer.marker(Marker.IncrSyncEnd)

    def _without(self, state: s.State, missing: list[int]) -> s.State:
        """The state when some of what changed was gone before it could be sent."""
        if not missing:
            return state
        keys = self.account.call(s.GetSourceKeys(missing))
        given = IdSet.decode_replguid(state.given)
        for key in keys:
            if len(key) == 22:
                given.remove(key[:16], int.from_bytes(key[16:], "big"))
        return s.State(given.encode(), state.seen, state.seen_fai, state.read)


_MASK: Final = (1 << 64) - 1


def tags_of(messages: list[o.Message]) -> set[int]:
    """All tags that messages and what is in them use."""
    bags: list[Any] = []
    for message in messages:
        bags += [message.props, message.big, *message.recipients]
        for one in message.attachments:
            bags += [one.props, one.big]
    return {tag for bag in bags for tag in bag}


@handles(rop.SynchronizationConfigure)
def configure(call: Call, request: rop.SynchronizationConfigure) -> rop.SynchronizationConfigureResponse:
    """[MS-OXCFXICS] 3.2.5.9.1.1."""
    folder = call.object(Folder)
    if request.synchronization_type not in (CONTENTS, HIERARCHY):
        raise MapiError(Ec.ecInvalidParam, f"synchronisation of type {request.synchronization_type}")
    if request.synchronization_flags & RESERVED:
        raise MapiError(Ec.ecRpcFormat, "the reserved SynchronizationFlag")
    if request.send_options & ~streamout.KNOWN_OPTIONS:
        raise MapiError(Ec.ecInvalidParam, f"SendOptions {request.send_options:#x}")
    if request.synchronization_type == HIERARCHY and request.restriction_data:
        raise MapiError(Ec.ecInvalidParam, "restriction of a hierarchy")
    if request.restriction_data:
        _check(request.restriction_data)
    call.put(request.output, SyncDownload(folder, request, call.session.code_page))
    return rop.SynchronizationConfigureResponse(request.output, 0)


def _check(restriction: bytes) -> None:
    """ecInvalidParam for what is no restriction; the store evaluates it when the first buffer is taken."""
    try:
        compile_restriction(decode_restriction(restriction))
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, f"restriction: {error}") from error
