"""A mailbox in cached mode: what Outlook keeps of it, filled by downloads, and its own changes that are uploaded."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.outlook import fasttransfer as f
from tests.support.outlook import syncrops as s
from tests.support.outlook import tags as t
from tests.support.outlook.fasttransfer import Bag, Item, Parser, Synced
from tests.support.outlook.idset import IdSet, Ranges
from tests.support.outlook.profile import Folder, Message, Store
from tests.support.outlook.rops import (
    GetLocalReplicaIds,
    Handle,
    ModifyRecipients,
    Rop,
    SaveChangesMessage,
    SetProperties,
)
from tests.support.outlook.session import Session
from tests.support.outlook.values import Recipient
from tests.support.outlook.wire import Bad

STATES = (f.IDSET_GIVEN, f.CNSET_SEEN, f.CNSET_SEEN_FAI, f.CNSET_READ)
STATE_PART = 0x6000
CONTENTS_FLAGS = s.UNICODE | s.READ_STATE | s.FAI | s.NORMAL | s.NO_FOREIGN | s.BEST_BODY | s.PROGRESS
HIERARCHY_FLAGS = s.UNICODE | s.NO_FOREIGN


WHOLE = (
    t.MessageClass, t.Subject, t.Body, t.BodyHtml, t.InternetCodepage, t.Importance, t.FlagStatus, t.IconIndex,
    t.MessageDeliveryTime, t.ClientSubmitTime, t.InternetMessageId, t.SenderName, t.SenderEmail, t.SenderAddressType,
    t.SenderSmtp, t.SentRepresentingName, t.SentRepresentingEmail, t.SentRepresentingAddressType,
)  # fmt: skip


def recipient(bag: Bag) -> Recipient:
    """One of a stream for RopModifyRecipients."""
    name, address = str(bag.get(t.DisplayName, "")), str(bag.get(t.SmtpAddress) or bag.get(t.EmailAddress, ""))
    return Recipient(bag[t.RecipientType], name or address, address)


def drain(session: Session, context: Handle, *, parts: list[int] | None = None) -> bytes:
    """A whole FastTransfer stream; four requests in one buffer would not fit, so one after the other."""
    found = bytearray()
    while True:
        part: s.Part = session.one(s.FastTransferSourceGetBuffer(context))
        found += part.data
        if parts is not None:
            parts.append(len(part.data))
        if part.status == 3:
            return bytes(found)
        if part.status not in (1, 2):
            raise Bad(f"TransferStatus {part.status}")


def fill(session: Session, context: Handle, data: bytes, chunk: int = 0x7000) -> None:
    """Put a stream into a destination."""
    at = 0
    while at < len(data):
        part = data[at : at + chunk]
        used = session.one(s.FastTransferDestinationPutBuffer(context, part))
        assert used == len(part), (used, len(part))
        at += used


def upload_state(session: Session, context: Handle, state: Mapping[int, bytes]) -> None:
    """The state, before a download or an upload (2.2.3.2.2); what there is none of is an empty one (3.3.4.3.1)."""
    for tag, data in state.items():
        steps: list[Rop] = [s.SynchronizationUploadStateStreamBegin(context, tag, len(data))]
        for at in range(0, len(data), STATE_PART):
            part = data[at : at + STATE_PART]
            steps.append(s.SynchronizationUploadStateStreamContinue(context, part))
        for step in [*steps, s.SynchronizationUploadStateStreamEnd(context)]:
            session.run(step)


def checked_state(state: Bag, kinds: int) -> dict[int, bytes]:
    """A state: all its properties are sets; nothing else is there."""
    if len(state) != kinds or any(tag not in STATES for tag in state):
        raise Bad(f"state of {[hex(tag) for tag in state]}")
    for data in state.values():
        IdSet.read(data, by_guid=True)
    return dict(state)


@dataclass
class Local:
    """A message here."""

    key: bytes
    item: Item
    read: bool
    change: bytes
    pcl: bytes
    cn: int = 0

    @property
    def subject(self) -> str:
        return str(self.item.props.get(t.Subject) or self.item.props.get(t.NormalizedSubject) or "")


@dataclass
class Box:
    """A folder here."""

    key: bytes
    fid: int
    parent: bytes
    name: str
    messages: dict[bytes, Local] = field(default_factory=dict)
    state: dict[int, bytes] = field(default_factory=lambda: dict.fromkeys(STATES, b""))
    props: Bag = field(default_factory=Bag)

    def subjects(self) -> list[str]:
        return sorted(one.subject for one in self.messages.values())

    def by_subject(self, subject: str) -> Local:
        [found] = [one for one in self.messages.values() if one.subject == subject]
        return found


@dataclass
class Progress:
    """What a synchronisation brought."""

    folders: int = 0
    changed: int = 0
    deleted: int = 0
    marked: int = 0
    octets: int = 0

    def __iadd__(self, other: Progress) -> Progress:
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self

    @property
    def nothing(self) -> bool:
        return not (self.folders or self.changed or self.deleted or self.marked)


class Replica:
    """Of one store. `guid`: this client's own namespace for change keys."""

    def __init__(self, store: Store) -> None:
        self.guid = os.urandom(16)
        self._versions = itertools.count(1)
        self.boxes: dict[bytes, Box] = {}
        self.state: dict[int, bytes] = dict.fromkeys(STATES[:2], b"")
        self._ids: list[bytes] = []
        self.attach(store)

    def attach(self, store: Store) -> None:
        """Work on with another session; everything that is kept stays valid."""
        self.store, self.session = store, store.session
        self._top = store.long_term(store.folders[3])

    def box(self, *path: str) -> Box:
        """A folder by its path below the one that mail programs show."""
        parent, found = self._top, None
        for name in path:
            [found] = [one for one in self.boxes.values() if one.name == name and one.parent in (parent, b"")
                       and (parent == self._top or one.parent)]  # fmt: skip
            parent = found.key
        assert found is not None
        return found

    def fid(self, key: bytes) -> int:
        return self.boxes[key].fid

    # ------------------------------------------------------------------------------------------ down

    def sync(self) -> Progress:
        """Hierarchy, then the contents of every folder."""
        total = self.sync_hierarchy()
        for box in list(self.boxes.values()):
            total += self.sync_contents(box)
        return total

    def _download(self, folder: Folder, kind: int, flags: int, state: Mapping[int, bytes], **more: Any) -> bytes:
        context = self.session.make(s.SynchronizationConfigure(folder.handle, kind, flags, **more))
        upload_state(self.session, context, state)
        data = drain(self.session, context)
        self.session.release(context)
        return data

    def sync_hierarchy(self) -> Progress:
        """Folders ([MS-OXCFXICS] 3.3.5.9)."""
        with self.store.folder(3) as top:
            data = self._download(top, s.HIERARCHY, HIERARCHY_FLAGS, self.state)
        found = Parser(data).hierarchy()
        done = Progress(folders=len(found.folders), octets=len(data))
        for bag in found.folders:
            key = bag[t.SourceKey]
            box = self.boxes.setdefault(key, Box(key, 0, b"", ""))
            box.fid, box.parent, box.name, box.props = (
                bag[t.FolderId], bag[t.ParentSourceKey], bag[t.DisplayName], bag,
            )  # fmt: skip
            if box.parent and box.parent != self._top and box.parent not in self.boxes:
                raise Bad(f"{box.name} comes before its parent")
        for box in self._boxes_of(found):
            del self.boxes[box.key]
            done.deleted += 1
        self.state = checked_state(found.state, 2)
        return done

    def _boxes_of(self, found: Synced) -> list[Box]:
        gone = [IdSet.read(found.deleted[tag], by_guid=False) for tag in (f.IDSET_DELETED, f.IDSET_SOFT)
                if tag in found.deleted]  # fmt: skip
        by_id = {self._replid_of(box.key): box for box in self.boxes.values()}
        return [box for (replid, number), box in by_id.items() if any((replid, number) in one for one in gone)]

    def _replid_of(self, key: bytes) -> tuple[bytes, int]:
        """A source key as short ids of this store have it; (b'', 0) for keys of other replicas."""
        own = self._top[:16]
        return (b"\1\0", int.from_bytes(key[16:22], "big")) if key[:16] == own and len(key) == 22 else (key[:16], 0)

    def sync_contents(self, box: Box) -> Progress:
        """Messages of a folder ([MS-OXCFXICS] 3.3.5.8)."""
        with self.store.folder(box.fid) as folder:
            data = self._download(
                folder, s.CONTENTS, CONTENTS_FLAGS, box.state, extra=s.EID | s.CN | s.MESSAGE_SIZE,
            )  # fmt: skip
        found = Parser(data).contents()
        done = Progress(changed=len(found.changes), octets=len(data))
        for item in found.changes:
            self._take(box, item)
        done.deleted = self._drop(box, found)
        done.marked = self._mark(box, found)
        box.state = checked_state(found.state, 4)
        self._check_state(box)
        return done

    @staticmethod
    def _take(box: Box, item: Item) -> None:
        header = item.header
        key = header[t.SourceKey]
        read = bool(item.props.get(t.Read, item.props.get(t.MessageFlags, 0) & 1))
        box.messages[key] = Local(
            key, item, read, header[t.ChangeKey], header[t.PredecessorChangeList], header.get(t.ChangeNumber, 0)
        )

    def _drop(self, box: Box, found: Synced) -> int:
        gone = 0
        for tag in (f.IDSET_DELETED, f.IDSET_SOFT, f.IDSET_EXPIRED):
            ids = IdSet.read(found.deleted.get(tag, b""), by_guid=False)
            for key in [key for key in box.messages if self._replid_of(key) in ids]:
                del box.messages[key]
                gone += 1
        return gone

    def _mark(self, box: Box, found: Synced) -> int:
        marked = 0
        for tag, read in ((f.IDSET_READ, True), (f.IDSET_UNREAD, False)):
            ids = IdSet.read(found.read.get(tag, b""), by_guid=False)
            for key, one in box.messages.items():
                if self._replid_of(key) in ids:
                    marked += one.read != read
                    one.read = read
        return marked

    def _check_state(self, box: Box) -> None:
        """IdsetGiven is what is here, no more and no less."""
        told, have = IdSet.read(box.state[f.IDSET_GIVEN], by_guid=True), given(box.messages)
        assert told.write() == have.write(), (box.name, told, have)

    # ------------------------------------------------------------------------------------------ up

    def change_key(self) -> bytes:
        """A new change key of this client's."""
        return self.guid + struct.pack(">I", next(self._versions))

    def new_key(self) -> bytes:
        """A source key from the ids that the server set aside for this client (RopGetLocalReplicaIds)."""
        if not self._ids:
            guid, first = self.session.one(GetLocalReplicaIds(self.store.handle, 64))
            self._ids = [guid + (first + number).to_bytes(6, "big") for number in range(64)]
        return self._ids.pop(0)

    def put_folder(
        self, name: str, *, parent: tuple[str, ...], key: bytes = b"", container: str = ""
    ) -> bytes:  # fmt: skip
        """A new folder, or another name of one; its source key."""
        key = key or self.new_key()
        had = self.boxes.get(key)
        change = self.change_key()
        pcl = pcl_of(had.props.get(t.PredecessorChangeList, b"") if had else b"", change)
        above = self.box(*parent).key if parent else b""
        header = {
            t.ParentSourceKey: above or self._top, t.SourceKey: key, t.LastModificationTime: 0x01DC_0000_0000_0000,
            t.ChangeKey: change, t.PredecessorChangeList: pcl, t.DisplayName: name,
        }  # fmt: skip
        with self._hierarchy() as collector:
            props = {t.ContainerClass: container} if container else {}
            fid = self.session.one(s.SynchronizationImportHierarchyChange(collector, header, props))
            self.boxes[key] = Box(key, fid or (had.fid if had else 0), above, name, props=Bag(header))
        return key

    def delete_folder(self, key: bytes) -> None:
        with self._hierarchy() as collector:
            self.session.run(s.SynchronizationImportDeletes(collector, [key], 1))
            del self.boxes[key]

    @contextmanager
    def _hierarchy(self) -> Iterator[Handle]:
        with self.store.folder(3) as top:
            collector = self.session.make(s.SynchronizationOpenCollector(top.handle, contents=False))
            upload_state(self.session, collector, {f.CNSET_SEEN: self.state[f.CNSET_SEEN]})
            yield collector
            context = self.session.make(s.SynchronizationGetTransferState(collector))
            self.state |= checked_state(Parser(drain(self.session, context)).state(), 1)
            self.session.release(context, collector)
        self.state[f.IDSET_GIVEN] = given(self.boxes).write()

    def collector(self, box: Box) -> Collector:
        """To upload changes of a folder."""
        return Collector(self, box)


def given(keys: Iterable[bytes]) -> IdSet:
    """The set of source keys."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    for key in keys:
        number = int.from_bytes(key[16:22], "big")
        found.setdefault(key[:16], []).append((number, number))
    return IdSet({replica: Ranges(numbers) for replica, numbers in found.items()})


def pcl_of(pcl: bytes, change: bytes) -> bytes:
    """A predecessor change list with one more change key, which replaces the older one of its namespace (2.2.2.3)."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(pcl):
        size = pcl[at]
        xid = pcl[at + 1 : at + 1 + size]
        found[xid[:16]] = xid
        at += 1 + size
    found[change[:16]] = change
    return b"".join(bytes((len(xid),)) + xid for _, xid in sorted(found.items()))


class Collector:
    """An upload of one folder; `close` takes the new state over."""

    def __init__(self, replica: Replica, box: Box) -> None:
        self.replica, self.box, self.session = replica, box, replica.session
        self._folder = replica.store.folder(box.fid)
        self.handle = self.session.make(s.SynchronizationOpenCollector(self._folder.handle, contents=True))
        upload_state(self.session, self.handle, {tag: box.state[tag] for tag in STATES[1:]})

    def __enter__(self) -> Collector:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            self.close()

    def close(self) -> None:
        """The state of an upload has no IdsetGiven: that is for the client to keep (2.2.1.1)."""
        context = self.session.make(s.SynchronizationGetTransferState(self.handle))
        self.box.state |= checked_state(Parser(drain(self.session, context)).state(), 3)
        self.box.state[f.IDSET_GIVEN] = given(self.box.messages).write()
        self.session.release(context, self.handle, self._folder.handle)

    def put(
        self, props: Mapping[int, Any], key: bytes = b"", *, fail_on_conflict: bool = False, modified: int = 0,
        associated: bool = False, keys: tuple[bytes, bytes] | None = None,
    ) -> bytes:  # fmt: skip
        """A new message, or a new version of one; its source key. RopError 0x80040802: there is a conflict.

        `keys`: change key and predecessors of an upload that is tried again.
        """
        had = self.box.messages.get(key)
        key = key or self.replica.new_key()
        change = self.replica.change_key()
        pcl = pcl_of(had.pcl if had else b"", change)
        change, pcl = keys or (change, pcl)
        header = {
            t.SourceKey: key, t.LastModificationTime: modified or 0x01DC_0000_0000_0000, t.ChangeKey: change,
            t.PredecessorChangeList: pcl,
        }  # fmt: skip
        flags = (0x10 if associated else 0) | (0x40 if fail_on_conflict else 0)
        rop = s.SynchronizationImportMessageChange(self.handle, flags, header)
        mid = self.session.one(rop)
        assert rop.out is not None and mid == 0, mid
        content = {tag: had.item.props[tag] for tag in WHOLE if tag in had.item.props} if had else {}
        content |= props  # the whole message, whatever of it has changed (3.3.4.3.3)
        problems = self.session.one(SetProperties(rop.out, content))
        assert not problems, problems
        if had and had.item.recipients:
            self.session.run(ModifyRecipients(rop.out, [recipient(bag) for bag in had.item.recipients], ()))
        self.session.run(SaveChangesMessage(rop.out))
        self.session.release(rop.out)
        bag = Bag({**(had.item.props if had else {}), **content})
        item = Item(props=bag, recipients=had.item.recipients if had else [], header=Bag(header))
        read = bool(props.get(t.MessageFlags, 0) & 1) if had is None else had.read
        self.box.messages[key] = Local(key, item, read, change, pcl)
        return key

    def put_whole(
        self, props: Mapping[int, Any], recipients: Sequence[Recipient], files: Mapping[str, bytes]
    ) -> bytes:  # fmt: skip
        """A new message with recipients and attachments; its source key."""
        key, change = self.replica.new_key(), self.replica.change_key()
        pcl = pcl_of(b"", change)
        rop = s.SynchronizationImportMessageChange(self.handle, 0, {
            t.SourceKey: key, t.LastModificationTime: 0x01DC_0000_0000_0000, t.ChangeKey: change,
            t.PredecessorChangeList: pcl,
        })  # fmt: skip
        self.session.run(rop)
        assert rop.out is not None
        message = Message(self.replica.store, rop.out, None, 0)
        message.set(props)
        message.recipients(*recipients)
        for name, data in files.items():
            message.attach(name, data)
        message.save()
        message.release()
        self.box.messages[key] = Local(key, Item(Bag(props)), bool(props.get(t.MessageFlags, 0) & 1), change, pcl)
        return key

    def read(self, states: Mapping[bytes, bool]) -> None:
        self.session.run(s.SynchronizationImportReadStateChanges(self.handle, states))
        for key, read in states.items():
            self.box.messages[key].read = read

    def delete(self, *keys: bytes, hard: bool = False) -> None:
        self.session.run(s.SynchronizationImportDeletes(self.handle, keys, 2 if hard else 0))
        for key in keys:
            del self.box.messages[key]

    def move_here(self, source: Box, key: bytes) -> bytes:
        """A message of another folder; its new source key."""
        had, new, change = source.messages[key], self.replica.new_key(), self.replica.change_key()
        pcl = pcl_of(had.pcl, change)
        self.session.run(s.SynchronizationImportMessageMove(self.handle, source.key, key, pcl, new, change))
        del source.messages[key]
        self.box.messages[new] = Local(new, had.item, had.read, change, pcl)
        return new
