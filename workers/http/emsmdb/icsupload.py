"""Synchronisation uploads ([MS-OXCFXICS] 2.2.3.2.4, 3.2.5.9.4): what clients changed while nobody was looking.

A collector keeps the state that its client has after each change, as far as changes of its own go.
"""

from __future__ import annotations

import os
from itertools import chain, islice
from typing import Any, Final

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.storecalls import IdRange, ReserveIds
from gromoxd.exmdb.working import Account, WorkingMessage
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import OpenModeFlags, SaveFlags
from gromoxd.mapi.ids import Version, compare, gid, gid_parse, globcnt, pcl_add, pcl_decode
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.rop import sync as rop
from workers.http.emsmdb.dispatch import Call, handles
from workers.http.emsmdb.objects import Folder, Logon, Message, ServerObject
from workers.http.emsmdb.syncstate import StateHolder

ASSOCIATED, FAIL_ON_CONFLICT = 0x10, 0x40
"""ImportFlag ([MS-OXCFXICS] 2.2.3.2.4.2.1)."""
HIERARCHY, HARD_DELETE = 0x01, 0x02
"""ImportDeleteFlags ([MS-OXCFXICS] 2.2.3.2.4.5.1)."""
NEWER_CLIENT_CHANGE: Final = 0x00040821
"""[MS-OXCFXICS] 2.2.3.2.4.4.2."""
KEYS_TAG: Final = 0x00001102
MOST_IDS: Final = 0x20000
"""Ids that RopSetLocalReplicaMidsetDeleted takes at once: twice what RopGetLocalReplicaIds gives."""
AT_ONCE: Final = 10_000
_STRING8, _STRING = int(PropType.PtypString8), int(PropType.PtypString)


class Collector(ServerObject, StateHolder):
    """A synchronisation upload context."""

    transfers = True

    def __init__(self, folder: Folder, contents: bool) -> None:
        ServerObject.__init__(self, folder.logon)
        StateHolder.__init__(self, contents)
        self.fid = folder.fid
        self._learnt = {name: IdSet() for name in ("seen", "seen_fai", "read")}

    @property
    def account(self) -> Account:
        """Whose."""
        return self.logon.account

    def require(self, contents: bool) -> None:
        """ecNotSupported for what is not this collector's kind of change."""
        if self.contents is not contents:
            raise MapiError(Ec.ecNotSupported, "a change of the other kind")

    def learn(self, name: str, cn: int) -> None:
        """The client has seen a change: it made it."""
        if cn:
            self._learnt[name].add(self.logon.info.guid, cn)

    def saved(self, saved: o.Saved | s.ImportedFolder, associated: bool = False) -> None:
        """A change was taken. The client has to see what is here after a conflict."""
        if not saved.conflict and not saved.ignored:
            self.learn("seen_fai" if associated else "seen", saved.cn)

    def transfer_state(self) -> s.State:
        """See StateHolder."""
        values = {name: getattr(self.state, name) for name in self._learnt}
        for name, learnt in self._learnt.items():
            if learnt:
                values[name] = (IdSet.decode_replguid(values[name]) | learnt).encode()
        return s.State(self.state.given, **values)

    def find(self, source_key: bytes) -> int:
        """The id of a source key, 0 when it is not here."""
        found: list[int] = self.account.call(s.FindSourceKeys([source_key]))
        return found[0]


class ImportedMessage(WorkingMessage):
    """A message that a client uploads; saving it imports it."""

    collector: Collector

    def save(self, flags: int = SaveFlags.KeepOpenReadWrite, request_id: bytes = b"") -> o.Saved:
        """See WorkingMessage. SyncObjectDeleted, SyncConflict, SyncIgnore ([MS-OXCFXICS] 3.2.5.9.4.2)."""
        imported = self._imported
        try:
            saved = super().save(flags, request_id)
        except MapiError as error:
            if imported is not None and error.code == Ec.ecObjectDeleted:
                raise MapiError(Ec.SyncObjectDeleted, error.text) from error
            raise
        if imported is not None:
            self.collector.saved(saved, self.associated)
            if saved.ignored and (imported.fail_on_conflict or not saved.conflict):
                raise MapiError(Ec.SyncConflict if saved.conflict else Ec.SyncIgnore, f"message {self.mid:#x}")
        return saved


# ---------------------------------------------------------------------------------------------- messages


@handles(rop.SynchronizationOpenCollector)
def open_collector(call: Call, request: rop.SynchronizationOpenCollector) -> rop.SynchronizationOpenCollectorResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.1."""
    call.put(request.output, Collector(call.object(Folder), request.is_contents_collector))
    return rop.SynchronizationOpenCollectorResponse(request.output, 0)


@handles(rop.SynchronizationImportMessageChange)
def import_message_change(
    call: Call, request: rop.SynchronizationImportMessageChange
) -> rop.SynchronizationImportMessageChangeResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.2."""
    _import_message(call, request.output, request.import_flag, request.property_values, False)
    return rop.SynchronizationImportMessageChangeResponse(request.output, 0, 0)


@handles(rop.SynchronizationImportMessageChangePartial)
def import_message_change_partial(
    call: Call, request: rop.SynchronizationImportMessageChangePartial
) -> rop.SynchronizationImportMessageChangePartialResponse:
    """The same, on what the message has."""
    _import_message(call, request.output, request.import_flag, request.property_values, True)
    return rop.SynchronizationImportMessageChangePartialResponse(request.output, 0, 0)


def _import_message(call: Call, output: int, flags: int, values: Bag, partial: bool) -> None:
    collector = call.object(Collector)
    collector.require(True)
    if flags & ~(ASSOCIATED | FAIL_ON_CONFLICT):
        raise MapiError(Ec.ecInvalidParam, f"ImportFlag {flags:#x}")
    key, fail = _octets(values, p.PidTagSourceKey), bool(flags & FAIL_ON_CONFLICT)
    change_key, pcl = _octets(values, p.PidTagChangeKey), _octets(values, p.PidTagPredecessorChangeList)
    modified = values.get(p.PidTagLastModificationTime)
    if not isinstance(modified, int):
        raise MapiError(Ec.ecInvalidParam, "PidTagLastModificationTime")
    try:
        mid = _judge(collector, key, change_key, pcl, fail)
    except WireError as error:
        raise MapiError(Ec.ecInvalidParam, str(error)) from error
    imported = o.Imported(key, change_key, pcl, modified, fail, partial and mid != 0)
    if imported.partial:
        message = ImportedMessage.open(collector.account, mid, OpenModeFlags.ReadWrite)
        message._imported = imported
    else:
        message = ImportedMessage.create(
            collector.account, collector.fid, associated=bool(flags & ASSOCIATED), now=call.session.clock(),
            imported=imported,
        )  # fmt: skip
    assert isinstance(message, ImportedMessage)
    message.collector = collector
    call.put(output, Message(collector.logon, message, call.session.code_page))


def _judge(collector: Collector, key: bytes, change_key: bytes, pcl: bytes, fail: bool) -> int:
    """The message that is here, 0 for none. SyncIgnore, SyncConflict, SyncObjectDeleted; ecNotFound: elsewhere.

    What is decided here is decided again when the message is saved: it may change meanwhile.
    """
    mid = gid_parse(key)[1] if key[:16] == collector.logon.info.guid else collector.find(key)
    if not mid:
        return 0
    tags = [p.PidTagChangeKey, p.PidTagPredecessorChangeList]
    try:
        found: o.Message = collector.account.call(o.OpenMessage(mid, what=o.PROPS, tags=tags))
    except MapiError as error:
        if error.code == Ec.ecNotFound:
            return 0
        raise
    if found.deleted:
        raise MapiError(Ec.SyncObjectDeleted, f"message {mid:#x}")
    if found.fid != collector.fid:
        raise MapiError(Ec.ecNotFound, f"message {mid:#x} in folder {collector.fid:#x}")
    here = pcl_decode(_octets(found.props, p.PidTagPredecessorChangeList))
    version = compare(here, pcl_add(pcl_decode(pcl), change_key))
    if version in (Version.EQUAL, Version.OLDER):
        raise MapiError(Ec.SyncIgnore, f"message {mid:#x}")
    if version is Version.CONFLICT and fail:
        raise MapiError(Ec.SyncConflict, f"message {mid:#x}")
    return mid


def _octets(values: Bag, tag: int) -> bytes:
    found = values.get(tag)
    if not isinstance(found, bytes):
        raise MapiError(Ec.ecInvalidParam, f"property {tag:#010x} is missing")
    return found


@handles(rop.SynchronizationImportReadStateChanges)
def import_read_state_changes(
    call: Call, request: rop.SynchronizationImportReadStateChanges
) -> rop.SynchronizationImportReadStateChangesResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.6. What is read and what is not are two changes, and the client has made both."""
    collector = call.object(Collector)
    collector.require(True)
    for read in (True, False):
        states = [(one.message_id, read) for one in request.message_read_states if one.mark_as_read is read]
        if states:
            done: c.Done = collector.account.call(s.ImportReadState(collector.fid, states))
            collector.learn("read", done.cn)
    return rop.SynchronizationImportReadStateChangesResponse(request.index, 0)


@handles(rop.SynchronizationImportMessageMove)
def import_message_move(
    call: Call, request: rop.SynchronizationImportMessageMove
) -> rop.SynchronizationImportMessageMoveResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.4."""
    collector = call.object(Collector)
    collector.require(True)
    source = collector.find(request.source_folder_id)
    if not source:
        raise MapiError(Ec.ecNotFound, "source folder")
    saved: o.Saved = collector.account.call(
        s.ImportMove(
            source, request.source_message_id, collector.fid, request.destination_message_id, request.change_number,
            request.predecessor_change_list, os.urandom(16),
        )
    )  # fmt: skip
    collector.saved(saved, saved.uid == 0)
    code = NEWER_CLIENT_CHANGE if saved.ignored else 0
    return rop.SynchronizationImportMessageMoveResponse(request.index, code, 0)


@handles(rop.SynchronizationImportDeletes)
def import_deletes(call: Call, request: rop.SynchronizationImportDeletes) -> rop.SynchronizationImportDeletesResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.5."""
    collector, flags = call.object(Collector), request.import_delete_flags
    if flags & ~(HIERARCHY | HARD_DELETE):
        raise MapiError(Ec.ecInvalidParam, f"ImportDeleteFlags {flags:#x}")
    collector.require(not flags & HIERARCHY)
    keys: Any = next(
        (value for tag, value in request.property_values.items() if tag & 0xFFFF == KEYS_TAG & 0xFFFF), None
    )
    if keys is None:
        raise MapiError(Ec.ecInvalidParam, "no source keys")
    if keys:
        collector.account.call(s.ImportDeletes(collector.fid, keys, bool(flags & HIERARCHY), bool(flags & HARD_DELETE)))
    return rop.SynchronizationImportDeletesResponse(request.index, 0)


# ---------------------------------------------------------------------------------------------- folders


@handles(rop.SynchronizationImportHierarchyChange)
def import_hierarchy_change(
    call: Call, request: rop.SynchronizationImportHierarchyChange
) -> rop.SynchronizationImportHierarchyChangeResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.3. SyncNoParent, SyncIgnore, SyncObjectDeleted, SyncIncest."""
    collector = call.object(Collector)
    collector.require(False)
    where = unicode_bag(request.hierarchy_values, call.session.code_page)
    parent_key = _octets(where, p.PidTagParentSourceKey)
    modified, name = where.get(p.PidTagLastModificationTime), where.get(p.PidTagDisplayName)
    if not isinstance(modified, int) or not isinstance(name, str) or not name:
        raise MapiError(Ec.ecInvalidParam, "hierarchy values")
    parent = collector.find(parent_key) if parent_key else collector.fid
    if not parent:
        raise MapiError(Ec.SyncNoParent, "parent")
    change = s.ImportFolder(
        parent, _octets(where, p.PidTagSourceKey), _octets(where, p.PidTagChangeKey),
        _octets(where, p.PidTagPredecessorChangeList), modified, name,
        unicode_bag(request.property_values, call.session.code_page),
    )  # fmt: skip
    try:
        done: s.ImportedFolder = collector.account.call(change)
    except MapiError as error:
        if error.code not in _OF_FOLDERS:
            raise
        raise MapiError(_OF_FOLDERS[error.code], error.text) from error
    collector.saved(done)
    if done.ignored and not done.conflict:
        raise MapiError(Ec.SyncIgnore, f"folder {done.fid:#x}")
    return rop.SynchronizationImportHierarchyChangeResponse(request.index, 0, 0)


_OF_FOLDERS: Final = {
    Ec.ecNotFound: Ec.SyncNoParent, Ec.ecObjectDeleted: Ec.SyncObjectDeleted, Ec.ecFolderCycle: Ec.SyncIncest
}  # fmt: skip


def unicode_bag(values: Bag, code_page: int) -> Bag:
    """A client's properties with strings of 8 bits as text."""
    found: Bag = {}
    for tag, value in values.items():
        if tag & 0xFFFF & ~MULTIPLE == _STRING8:
            found[tag - _STRING8 + _STRING] = _text(value, code_page)
        else:
            found[tag] = value
    return found


def _text(value: Any, code_page: int) -> Any:
    if isinstance(value, list):
        return [_text(one, code_page) for one in value]
    return codepages.decode(value, code_page) if isinstance(value, bytes) else value


# ---------------------------------------------------------------------------------------------- ids


@handles(rop.GetLocalReplicaIds)
def get_local_replica_ids(call: Call, request: rop.GetLocalReplicaIds) -> rop.GetLocalReplicaIdsResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.7."""
    logon = call.object(Logon)
    reserved: IdRange = logon.account.call(ReserveIds(request.id_count))
    return rop.GetLocalReplicaIdsResponse(request.index, 0, reserved.guid, globcnt(reserved.first))


@handles(rop.SetLocalReplicaMidsetDeleted)
def set_local_replica_midset_deleted(
    call: Call, request: rop.SetLocalReplicaMidsetDeleted
) -> rop.SetLocalReplicaMidsetDeletedResponse:
    """[MS-OXCFXICS] 3.2.5.9.4.8: the folder remembers the ids as deleted ones, so that nothing comes under them.

    Ids of what is there are not the client's to name; they are passed over, where the document has replicas disagree.
    """
    found = call.object(ServerObject)
    if not isinstance(found, Folder | Collector):
        raise MapiError(Ec.ecNotSupported, type(found).__name__)
    account, guid, wanted = found.logon.account, found.logon.info.guid, 0
    for low, high in request.long_term_id_ranges:
        if low.guid != guid or high.guid != guid or low.counter > high.counter:
            raise MapiError(Ec.ecInvalidParam, "range of ids")
        wanted += high.counter - low.counter + 1
    if wanted > MOST_IDS:
        raise MapiError(Ec.ecTooBig, "ranges of ids")
    counters = chain.from_iterable(range(low.counter, high.counter + 1) for low, high in request.long_term_id_ranges)
    while some := [gid(guid, counter) for counter in islice(counters, AT_ONCE)]:
        there: list[int] = account.call(s.FindSourceKeys(some))
        gone = [key for key, id_ in zip(some, there, strict=True) if not id_]
        if gone:
            account.call(s.ImportDeletes(found.fid, gone))
    return rop.SetLocalReplicaMidsetDeletedResponse(request.index, 0)
