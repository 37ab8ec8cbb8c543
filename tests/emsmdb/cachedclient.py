"""A client in cached mode that speaks ROPs; `Rops` answers the calls of a `Replica` with them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import (
    Element,
    Marker,
    MetaTagCnsetRead,
    MetaTagCnsetSeen,
    MetaTagCnsetSeenFAI,
    MetaTagIdsetDeleted,
    MetaTagIdsetGiven,
    MetaTagIdsetNoLongerInScope,
    MetaTagIdsetRead,
    MetaTagIdsetUnread,
    Property,
    StreamReader,
)
from gromoxd.mapi.ids import eid_int, eid_split
from gromoxd.mapi.idset import IdSet
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import folders as rf
from gromoxd.rop import messages as rm
from gromoxd.rop import sync as rop
from gromoxd.rop.codec import Request
from tests.emsmdb.world import Client
from workers.http.emsmdb.objects import Message

FOLDER, CONTEXT, OTHER = 40, 41, 42
"""Handle indexes that are used and released again."""
UNICODE, NORMAL_FLAGS = 0x09, 0x0039
"""SendOptions Unicode and ForceUnicode; SynchronizationFlags Unicode, ReadState, FAI, Normal."""
ALL_EXTRA = 0x07
STATE_TAGS = {
    MetaTagIdsetGiven: "given", MetaTagCnsetSeen: "seen", MetaTagCnsetSeenFAI: "seen_fai", MetaTagCnsetRead: "read"
}  # fmt: skip
CODES = {
    Ec.SyncObjectDeleted: Ec.ecObjectDeleted, Ec.SyncNoParent: Ec.ecNotFound, Ec.SyncIncest: Ec.ecFolderCycle,
}  # fmt: skip


@dataclass
class Node:
    """What stands between two markers: its properties in order, and what is in it."""

    marker: Marker | None
    props: dict[int, Any] = field(default_factory=dict)
    order: list[int] = field(default_factory=list)
    names: dict[int, object] = field(default_factory=dict)
    nodes: list[Node] = field(default_factory=list)

    def put(self, one: Property) -> None:
        self.props[one.tag] = one.value
        self.order.append(one.tag)
        if one.name is not None:
            self.names[one.tag] = one.name

    def of(self, marker: Marker) -> list[Node]:
        return [node for node in self.nodes if node.marker is marker]


_ENDS = {
    Marker.StartRecip: Marker.EndToRecip, Marker.NewAttach: Marker.EndAttach, Marker.StartEmbed: Marker.EndEmbed,
    Marker.StartMessage: Marker.EndMessage, Marker.StartFAIMsg: Marker.EndMessage, Marker.StartTopFld: Marker.EndFolder,
    Marker.StartSubFld: Marker.EndFolder, Marker.IncrSyncStateBegin: Marker.IncrSyncStateEnd,
}  # fmt: skip
_FLAT = (Marker.IncrSyncChg, Marker.IncrSyncDel, Marker.IncrSyncRead, Marker.IncrSyncProgressMode,
         Marker.IncrSyncProgressPerMsg, Marker.IncrSyncEnd)  # fmt: skip


def tree(elements: list[Element]) -> Node:
    """Elements as a tree. AssertionError for markers that do not pair."""
    root = Node(None)
    stack = [root]
    for one in elements:
        if isinstance(one, Property):
            stack[-1].put(one)
            continue
        if stack[-1].marker is Marker.FXErrorInfo:
            stack.pop()
        if one in _FLAT or one is Marker.IncrSyncStateBegin:
            assert all(node.marker in (*_FLAT, Marker.IncrSyncMessage) for node in stack[1:])
            del stack[1:]
        if one in _ENDS or one in _FLAT or one in (Marker.IncrSyncMessage, Marker.FXErrorInfo):
            node = Node(one)
            stack[-1].nodes.append(node)
            stack.append(node)
        else:
            ended = stack.pop()
            assert ended.marker is not None and _ENDS[ended.marker] is one, f"{one.name} ends {ended.marker}"
    return root


class SyncClient:
    """Downloads and uploads on the logon at handle index 0."""

    def __init__(self, client: Client, buffer: int = 0) -> None:
        self.client, self.buffer = client, buffer
        self.account = client.session.logon(0).account
        self.guid = client.session.logon(0).info.guid

    def ask(self, request: Request) -> Any:
        """The response. MapiError with its code when the ROP fails."""
        (found,) = self.client.run(request)
        if found.code not in (0, 0x00040821):
            raise MapiError(Ec(found.code), type(request).__name__)
        return found

    def open(self, fid: int) -> None:
        """A folder at FOLDER."""
        self.ask(rf.OpenFolder(0, 0, FOLDER, eid_int(1, fid), 0))

    def stream(self, context: int = CONTEXT, buffer: int = 0) -> bytes:
        """All of a download context's stream; every buffer is small enough and the last one says so."""
        size = buffer or self.buffer
        pieces = []
        request = ft.FastTransferSourceGetBuffer(0, context, size or ft.OWN_SIZE, 0 if size else 0x7FFF)
        for _ in itertools.count():
            found = self.ask(request)
            assert found.in_progress_count <= found.total_step_count
            assert not size or len(found.transfer_buffer) <= size
            pieces.append(found.transfer_buffer)
            if found.transfer_status == 3:
                return b"".join(pieces)
            assert found.transfer_status == 1 and found.transfer_buffer
        raise AssertionError

    def elements(self, context: int = CONTEXT, buffer: int = 0) -> list[Element]:
        reader = StreamReader()
        found = reader.feed(self.stream(context, buffer))
        reader.finish()
        return found

    def upload_state(self, state: s.State, context: int = CONTEXT, piece: int = 100) -> None:
        for tag, name in STATE_TAGS.items():
            octets = getattr(state, name)
            if octets:
                self.ask(rop.SynchronizationUploadStateStreamBegin(0, context, tag, len(octets)))
                for at in range(0, len(octets), piece):
                    self.ask(rop.SynchronizationUploadStateStreamContinue(0, context, octets[at : at + piece]))
                self.ask(rop.SynchronizationUploadStateStreamEnd(0, context))

    def configure(self, fid: int, kind: int = 1, flags: int = NORMAL_FLAGS, extra: int = ALL_EXTRA, *,
                  restriction: bytes = b"", tags: list[int] | None = None, options: int = UNICODE,
                  state: s.State | None = None) -> None:  # fmt: skip
        """A synchronisation download context at CONTEXT."""
        self.open(fid)
        self.ask(
            rop.SynchronizationConfigure(
                0, FOLDER, CONTEXT, kind, options, flags, restriction, extra, tags or []
            )
        )  # fmt: skip
        if state is not None:
            self.upload_state(state)

    def synchronised(self, fid: int, kind: int = 1, *args: Any, **more: Any) -> Node:
        """A whole download."""
        self.configure(fid, kind, *args, **more)
        try:
            found = tree(self.elements())
        finally:
            self.client.release(CONTEXT, FOLDER)
        assert found.nodes[-1].marker is Marker.IncrSyncEnd
        return found

    def collector(self, fid: int, contents: bool, state: s.State | None = None) -> None:
        """An upload context at CONTEXT."""
        self.open(fid)
        self.ask(rop.SynchronizationOpenCollector(0, FOLDER, CONTEXT, contents))
        if state is not None:
            self.upload_state(state)

    def transfer_state(self) -> s.State:
        """The state that the context at CONTEXT has now."""
        self.ask(rop.SynchronizationGetTransferState(0, CONTEXT, OTHER))
        try:
            return state_of(tree(self.elements(OTHER)))
        finally:
            self.client.release(OTHER)


def state_of(root: Node) -> s.State:
    (node,) = root.of(Marker.IncrSyncStateBegin)
    return s.State(**{STATE_TAGS[tag]: value for tag, value in node.props.items()})


class Rops:
    """Calls of a mailbox as a `Replica` makes them, carried out by ROPs; what ROPs do not tell is asked directly."""

    def __init__(self, sync: SyncClient) -> None:
        self.sync = sync
        self._messages: dict[int, o.Message] = {}
        self._folders: dict[int, o.Bag] = {}
        self._made = {
            s.GetHierarchyChanges: self._hierarchy, s.GetContentChanges: self._contents, h.GetFolderProps: self._props,
            o.ReadMessages: self._read, o.SaveMessage: self._save, s.ImportFolder: self._folder,
            s.ImportDeletes: self._deletes, s.ImportMove: self._move, s.ImportReadState: self._marks,
            st.ReserveIds: self._reserve,
        }  # fmt: skip

    def __call__(self, call: c.Call[Any]) -> Any:
        made: Any = self._made.get(type(call))
        try:
            return made(call) if made is not None else self.sync.account.call(call)
        except MapiError as error:
            raise MapiError(CODES.get(error.code, error.code), error.text) from error
        finally:
            self.sync.client.release(CONTEXT, FOLDER)

    # ------------------------------------------------------------------------------------------ download

    def _guids(self, octets: bytes) -> bytes:
        """An IDSET of the stream with the GUIDs of its replicas."""
        found = IdSet.decode_replid(octets)
        replids = [one for one in found.replicas if isinstance(one, int)]
        guids = self.sync.account.call(st.GetReplguids(replids)) if replids else []
        return found.mapped(dict(zip(replids, guids, strict=True))).encode()

    def _sets(self, root: Node, marker: Marker, tag: int) -> bytes:
        return b"".join(self._guids(node.props[tag]) for node in root.of(marker) if tag in node.props)

    def _hierarchy(self, call: s.GetHierarchyChanges) -> s.HierarchyChanges:
        root = self.sync.synchronised(call.fid, 2, 1, 1, state=call.state)
        changed = []
        for node in root.of(Marker.IncrSyncChg):
            fid = eid_split(node.props[p.PidTagFolderId])[1]
            if not node.props[p.PidTagParentSourceKey]:
                node.props[p.PidTagParentSourceKey] = self.sync.account.call(s.GetSourceKeys([call.fid]))[0]
            self._folders[fid] = node.props
            changed.append((fid, 0))
        deleted = self._sets(root, Marker.IncrSyncDel, MetaTagIdsetDeleted)
        return s.HierarchyChanges(changed, deleted, state_of(root))

    def _props(self, call: h.GetFolderProps) -> o.Bag:
        found = self._folders.pop(call.fid, None)
        return found if found is not None else self.sync.account.call(call)

    def _contents(self, call: s.GetContentChanges) -> s.ContentChanges:
        root = self.sync.synchronised(call.fid, state=call.state, restriction=call.restriction)
        changed = []
        for node in root.of(Marker.IncrSyncChg):
            mid = eid_split(node.props[p.PidTagMid])[1]
            cn = eid_split(node.props[p.PidTagChangeNumber])[1]
            self._messages[mid] = message_of(node, call.fid, mid, cn)
            changed.append((mid, cn, node.props[p.PidTagMessageSize], node.props[p.PidTagAssociated]))
        return s.ContentChanges(
            changed, self._sets(root, Marker.IncrSyncDel, MetaTagIdsetDeleted),
            self._sets(root, Marker.IncrSyncDel, MetaTagIdsetNoLongerInScope),
            self._sets(root, Marker.IncrSyncRead, MetaTagIdsetRead),
            self._sets(root, Marker.IncrSyncRead, MetaTagIdsetUnread), state_of(root),
        )  # fmt: skip

    def _read(self, call: o.ReadMessages) -> list[o.Message]:
        return [self._messages.pop(mid) for mid in call.mids]

    # ------------------------------------------------------------------------------------------ upload

    def _seen(self, name: str) -> int:
        """The change number that the collector's state has since it was opened without one, 0 for none."""
        found = IdSet.decode_replguid(getattr(self.sync.transfer_state(), name)).of(self.sync.guid)
        return found.last if found else 0

    def _save(self, call: o.SaveMessage) -> o.Saved:
        imported, sync = call.imported, self.sync
        assert imported is not None
        sync.collector(call.fid, True)
        values = {
            p.PidTagSourceKey: imported.source_key, p.PidTagLastModificationTime: imported.modified_nt,
            p.PidTagChangeKey: imported.change_key, p.PidTagPredecessorChangeList: imported.pcl,
        }  # fmt: skip
        flags = 0x10 * call.associated | 0x40 * imported.fail_on_conflict
        try:
            sync.ask(rop.SynchronizationImportMessageChange(0, CONTEXT, OTHER, flags, values))
            fill(sync.client, OTHER, call.changes)
            sync.ask(rm.SaveChangesMessage(0, OTHER, OTHER, 0x02))
        except MapiError as error:
            if error.code != Ec.SyncIgnore:
                raise
            return o.Saved(call.fid, 0, 0, 0, False, True)
        finally:
            sync.client.release(OTHER)
        cn = self._seen("seen_fai" if call.associated else "seen")
        return o.Saved(call.fid, 0, 0, cn, not cn)

    def _folder(self, call: s.ImportFolder) -> s.ImportedFolder:
        self.sync.collector(call.parent_fid, False)
        where = {
            p.PidTagParentSourceKey: b"", p.PidTagSourceKey: call.source_key,
            p.PidTagLastModificationTime: call.modified_nt, p.PidTagChangeKey: call.change_key,
            p.PidTagPredecessorChangeList: call.pcl, p.PidTagDisplayName: call.name,
        }  # fmt: skip
        ignored = False
        try:
            self.sync.ask(rop.SynchronizationImportHierarchyChange(0, CONTEXT, where, call.props))
        except MapiError as error:
            if error.code != Ec.SyncIgnore:
                raise
            ignored = True
        fid = self.sync.account.call(s.FindSourceKeys([call.source_key]))[0]
        cn = self._seen("seen")
        return s.ImportedFolder(fid, cn, ignored, not cn)

    def _deletes(self, call: s.ImportDeletes) -> o.Partial:
        self.sync.collector(call.fid, not call.hierarchy)
        flags = 1 * call.hierarchy | 2 * call.hard
        self.sync.ask(rop.SynchronizationImportDeletes(0, CONTEXT, flags, {0x00001102: call.source_keys}))
        return o.Partial(False)

    def _move(self, call: s.ImportMove) -> o.Saved:
        self.sync.collector(call.destination, True)
        (source,) = self.sync.account.call(s.GetSourceKeys([call.source_fid]))
        found = self.sync.ask(
            rop.SynchronizationImportMessageMove(
                0, CONTEXT, source, call.source_key, call.pcl, call.new_source_key, call.change_key
            )
        )  # fmt: skip
        state = self.sync.transfer_state()
        sets = [IdSet.decode_replguid(one).of(self.sync.guid) for one in (state.seen, state.seen_fai)]
        cn = max((one.last for one in sets if one), default=0)
        return o.Saved(call.destination, 0, 0, cn, not cn, found.code == 0x00040821)

    def _marks(self, call: s.ImportReadState) -> c.Done:
        self.sync.collector(call.fid, True)
        states = [rop.ReadState(*one) for one in call.states]
        self.sync.ask(rop.SynchronizationImportReadStateChanges(0, CONTEXT, states))
        return c.Done(self._seen("read"))

    def _reserve(self, call: st.ReserveIds) -> st.IdRange:
        found = self.sync.ask(rop.GetLocalReplicaIds(0, 0, call.count))
        return st.IdRange(found.repl_guid, int.from_bytes(found.global_count, "big"), call.count)


def fill(client: Client, index: int, changes: o.Changes) -> None:
    """What a client puts into a message that it uploads."""
    opened = client.session.objects[client.handles[index]]
    assert isinstance(opened, Message)
    message = opened.message
    message.set(changes.set)
    message.modify_recipients(dict(enumerate(changes.recipients or [])))
    for one in changes.attachments:
        attachment = message.create_attachment()
        attachment.set(one.set)
        attachment.save()


def message_of(node: Node, fid: int, mid: int, cn: int) -> o.Message:
    """A message of a stream as the store would tell it."""
    (content,) = node.of(Marker.IncrSyncMessage)
    attachments = [
        o.Attachment(one.props[p.PidTagAttachNumber], one.props, {}, bool(one.nodes))
        for one in content.of(Marker.NewAttach)
    ]
    return o.Message(
        fid, mid, 0, cn, node.props[p.PidTagAssociated], False, {**content.props, **node.props}, {},
        [one.props for one in content.of(Marker.StartRecip)], attachments,
    )  # fmt: skip
