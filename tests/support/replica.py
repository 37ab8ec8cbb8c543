"""A client in cached mode: folders and messages of its own, kept in step with a mailbox by ICS ([MS-OXCFXICS] 3.3).

It works offline on what it has; `download` and `upload` are a synchronisation's halves. What both sides changed is
resolved as 3.1.5.6 says; what either side deleted is gone. Every download of a version that the client has not changed
must be a successor of it: `Divergence` otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import storecalls as st
from gromoxd.exmdb import sync as s
from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import (
    Pcl,
    Version,
    compare,
    gid,
    gid_parse,
    pcl_add,
    pcl_decode,
    pcl_encode,
    pcl_merge,
    remote_wins,
)
from gromoxd.mapi.idset import IdSet
from gromoxd.mapi.named_tags import PidNameKeywords

Ask = Callable[[c.Call[Any]], Any]
"""Makes a call of a mailbox; raises MapiError."""
IDS = 64
WHAT = s.NORMAL | s.ASSOCIATED | s.READ_STATE
GONE = (Ec.ecNotFound, Ec.ecObjectDeleted)
MF_READ, MF_UNSENT = 0x1, 0x8
FLAGGED, REPLIED = 2, 102
FOLDER_TAGS = [
    p.PidTagDisplayName, p.PidTagSourceKey, p.PidTagParentSourceKey, p.PidTagChangeKey, p.PidTagPredecessorChangeList,
    p.PidTagLastModificationTime,
]  # fmt: skip
MESSAGE_TAGS = [
    p.PidTagSubject, p.PidTagBody, p.PidTagImportance, p.PidTagFlagStatus, p.PidTagLastVerbExecuted, PidNameKeywords,
    p.PidTagMessageFlags, p.PidTagSourceKey, p.PidTagChangeKey, p.PidTagPredecessorChangeList,
    p.PidTagLastModificationTime,
]  # fmt: skip


class Divergence(AssertionError):
    """What must not be between replicas that speak this protocol."""


# ---------------------------------------------------------------------------------------------- content


class Content(NamedTuple):
    """What a message is to its user."""

    subject: str = ""
    body: str = ""
    importance: int = 1
    flagged: bool = False
    answered: bool = False
    draft: bool = False
    read: bool = True
    words: tuple[str, ...] = ()
    people: tuple[str, ...] = ()
    files: tuple[tuple[str, bytes], ...] = ()
    associated: bool = False

    def changes(self, new: bool = True) -> o.Changes:
        """The whole message, for SaveMessage. Of one that is not new the read mark is a matter of its own."""
        put: o.Bag = {
            p.PidTagSubject: self.subject, p.PidTagBody: self.body, p.PidTagImportance: self.importance,
            p.PidTagMessageClass: "IPM.Note",
        }  # fmt: skip
        if new:
            put[p.PidTagMessageFlags] = MF_READ * self.read | MF_UNSENT * self.draft
        if self.flagged:
            put[p.PidTagFlagStatus] = FLAGGED
        if self.answered:
            put[p.PidTagLastVerbExecuted] = REPLIED
        if self.words:
            put[PidNameKeywords] = list(self.words)
        people: list[o.Bag] = [
            {
                p.PidTagRecipientType: 1, p.PidTagDisplayName: address, p.PidTagEmailAddress: address,
                p.PidTagAddressType: "SMTP",
            }
            for address in self.people
        ]  # fmt: skip
        files = [
            o.AttachmentChange(
                num, set={p.PidTagAttachLongFilename: name, p.PidTagAttachDataBinary: data, p.PidTagAttachMethod: 1}
            )
            for num, (name, data) in enumerate(self.files)
        ]
        return o.Changes(put, [], people, files)


def content_of(ask: Ask, message: o.Message) -> Content:
    """What a message of a mailbox is to its user."""
    props = message.props
    flags: Any = props.get(p.PidTagMessageFlags, 0)
    body = props.get(p.PidTagBody, "")
    if p.PidTagBody in message.big:
        body = value(ask, message, p.PidTagBody, message.big[p.PidTagBody]).decode("utf-16-le")
    return Content(
        props.get(p.PidTagSubject, ""), body, props.get(p.PidTagImportance, 1),
        props.get(p.PidTagFlagStatus) == FLAGGED, props.get(p.PidTagLastVerbExecuted) == REPLIED,
        bool(flags & MF_UNSENT), message.associated or bool(flags & MF_READ),
        tuple(sorted(props.get(PidNameKeywords, ()))),
        tuple(str(one[p.PidTagEmailAddress]) for one in message.recipients),
        tuple(_file(ask, message, one) for one in message.attachments), message.associated,
    )  # fmt: skip


def _file(ask: Ask, message: o.Message, one: o.Attachment) -> tuple[str, bytes]:
    data = one.props.get(p.PidTagAttachDataBinary)
    if data is None:
        data = value(ask, message, p.PidTagAttachDataBinary, 1 << 20, one.num)
    return str(one.props.get(p.PidTagAttachLongFilename, "")), data


def value(ask: Ask, message: o.Message, tag: int, length: int, num: int = -1) -> bytes:
    """A value that is not in the message."""
    octets: bytes = ask(o.ReadValue(message.mid, tag, 0, length, num=num))
    return octets


def read_all(ask: Ask, mids: list[int]) -> dict[int, o.Message]:
    """Messages by id; those that are gone are not among them."""
    found: dict[int, o.Message] = {}
    while mids:
        got = ask(o.ReadMessages(mids[:200], tags=MESSAGE_TAGS))
        found |= {message.mid: message for message in got}
        mids = mids[mids.index(got[-1].mid) + 1 if got else 200 :]
    return found


# ---------------------------------------------------------------------------------------------- state


def gids(octets: bytes) -> Iterator[bytes]:
    """The GIDs of an IDSET."""
    for replica, low, high in IdSet.decode_replguid(octets).ranges():
        assert isinstance(replica, bytes)
        for counter in range(low, high + 1):
            yield gid(replica, counter)


def with_gid(octets: bytes, *added: bytes) -> bytes:
    """An IDSET with more in it."""
    found = IdSet.decode_replguid(octets)
    for one in added:
        found.add(*gid_parse(one))
    return found.encode()


def without(octets: bytes, gone: Iterable[bytes]) -> bytes:
    """An IDSET with less in it."""
    found = IdSet.decode_replguid(octets)
    for one in gone:
        found.remove(*gid_parse(one))
    return found.encode()


def changed_state(state: s.State, **more: bytes) -> s.State:
    """A state with other sets."""
    return s.State(**({name: getattr(state, name) for name in ("given", "seen", "seen_fai", "read")} | more))


@dataclass
class Versioned:
    """What folders and messages have in common. `known`: the mailbox has it, or had; `dirty`: it is to be uploaded."""

    key: bytes
    change_key: bytes
    pcl: Pcl
    modified: int
    known: bool = False
    dirty: bool = True


@dataclass
class Item(Versioned):
    """A message. `marked`: its read mark is to be uploaded."""

    content: Content = Content()
    marked: bool = False


@dataclass
class Move:
    """A message that was moved, and where the mailbox has it."""

    source: Folder
    old_key: bytes
    item: Item


@dataclass
class Folder(Versioned):
    """A folder. `deleted`: source keys of messages whose deletion is to be uploaded; `moved`: those that are away."""

    parent: bytes = b""
    name: str = ""
    fid: int = 0
    state: s.State = field(default_factory=s.State)
    items: dict[bytes, Item] = field(default_factory=dict)
    deleted: list[bytes] = field(default_factory=list)
    moved: set[bytes] = field(default_factory=set)


Tree = dict[bytes, tuple[bytes, str, dict[bytes, Content]]]
"""Source key of a folder -> (that of its parent, name, its messages)."""


class Replica:
    """See the module. `top` is the folder below which it has everything; `now` gives a FILETIME."""

    def __init__(self, ask: Ask, top: int, now: Callable[[], int]) -> None:
        self.ask = ask
        self.now = now
        self.namespace = os.urandom(16)
        self._changes = 0
        self._ids: list[bytes] = []
        self._requests = 0
        self.state = s.State()
        props = ask(h.GetFolderProps(top, FOLDER_TAGS))
        self.top = Folder(props[p.PidTagSourceKey], b"", {}, 0, True, False, fid=top)
        self.folders: dict[bytes, Folder] = {self.top.key: self.top}
        self.deleted: list[bytes] = []
        """Folders whose deletion is to be uploaded."""
        self.moves: list[Move] = []

    def tree(self) -> Tree:
        """Everything that it has."""
        return {
            key: (folder.parent, folder.name, {item.key: item.content for item in folder.items.values()})
            for key, folder in self.folders.items()
        }

    # ------------------------------------------------------------------------------------------ helpers

    def _new_id(self) -> bytes:
        if not self._ids:
            reserved: st.IdRange = self.ask(st.ReserveIds(IDS))
            self._ids = [gid(reserved.guid, reserved.first + i) for i in range(reserved.count)]
        return self._ids.pop(0)

    def _change_key(self) -> bytes:
        self._changes += 1
        return gid(self.namespace, self._changes)

    def _touch(self, one: Versioned) -> None:
        """A new version of the client's."""
        one.change_key = self._change_key()
        one.pcl = pcl_add(one.pcl, one.change_key)
        one.modified = self.now()
        one.dirty = True

    def request_id(self) -> bytes:
        self._requests += 1
        return self.namespace + self._requests.to_bytes(4, "big")

    def below(self, key: bytes) -> list[Folder]:
        """A folder and those below it, parents first."""
        found = [self.folders[key]]
        for one in found:
            found += [folder for folder in self.folders.values() if folder.parent == one.key]
        return found

    # ------------------------------------------------------------------------------------------ offline work

    def create(self, folder: Folder, content: Content) -> None:
        """A new message."""
        item = Item(self._new_id(), b"", {}, 0, content=content)
        self._touch(item)
        folder.items[item.key] = item

    def change(self, item: Item, content: Content) -> None:
        """Another content."""
        kept = item.content
        item.content = content._replace(associated=kept.associated, draft=kept.draft, read=kept.read)
        self._touch(item)

    def mark(self, item: Item, read: bool) -> None:
        """Read or unread."""
        if not item.content.associated:
            item.content = item.content._replace(read=read)
            item.marked = item.known

    def delete(self, folder: Folder, item: Item) -> None:
        """Delete a message."""
        del folder.items[item.key]
        for move in self.moves:
            if move.item is item:
                self.moves.remove(move)
                self._delete_there(move)
                return
        if item.known:
            folder.deleted.append(item.key)

    def _delete_there(self, move: Move) -> None:
        """A message that was moved is to be deleted where the mailbox has it."""
        move.source.deleted.append(move.old_key)

    def move(self, folder: Folder, item: Item, destination: Folder) -> None:
        """Move a message; it gets another source key ([MS-OXCFXICS] 3.3.5.8.9)."""
        del folder.items[item.key]
        old, item.key = item.key, self._new_id()
        destination.items[item.key] = item
        if not item.known:
            return
        item.change_key = self._change_key()
        item.pcl = pcl_add(item.pcl, item.change_key)
        if not any(move.item is item for move in self.moves):
            self.moves.append(Move(folder, old, item))
            folder.moved.add(old)

    def make_folder(self, parent: Folder, name: str) -> None:
        """A new folder."""
        folder = Folder(self._new_id(), b"", {}, 0, parent=parent.key, name=name)
        self._touch(folder)
        self.folders[folder.key] = folder

    def place_folder(self, folder: Folder, parent: Folder, name: str) -> None:
        """Move and rename a folder."""
        if parent in self.below(folder.key):
            return
        folder.parent, folder.name = parent.key, name
        self._touch(folder)

    def delete_folder(self, folder: Folder) -> None:
        """Delete a folder with all below it."""
        for one in self.below(folder.key):
            self._drop(one)
            if one.known:
                self.deleted.append(one.key)

    def _drop(self, folder: Folder) -> None:
        """Forget a folder; messages that were moved into it are deleted."""
        del self.folders[folder.key]
        items = {id(item) for item in folder.items.values()}
        for move in [move for move in self.moves if id(move.item) in items]:
            self.moves.remove(move)
            self._delete_there(move)

    # ------------------------------------------------------------------------------------------ download

    def download(self, stop: Callable[[], bool] | None = None) -> None:
        """Take what changed in the mailbox. `stop` is asked after each message: True breaks the connection."""
        changes: s.HierarchyChanges = self.ask(s.GetHierarchyChanges(self.top.fid, self.state))
        for fid, _ in changes.changed:
            self._take_folder(fid, self.ask(h.GetFolderProps(fid, FOLDER_TAGS)))
        for key in gids(changes.deleted):
            if key in self.folders:
                self.delete_folder(self.folders[key])
        self.state = changes.state
        for folder in list(self.folders.values()):
            if folder.known:
                try:
                    self._download_contents(folder, stop)
                except MapiError as error:
                    if error.code not in GONE:
                        raise

    def _take_folder(self, fid: int, props: o.Bag) -> None:
        key, parent = props[p.PidTagSourceKey], props[p.PidTagParentSourceKey]
        if key in self.deleted or parent not in self.folders:
            return
        there = Folder(
            key, props[p.PidTagChangeKey], pcl_decode(props[p.PidTagPredecessorChangeList]),
            props.get(p.PidTagLastModificationTime, 0), True, False, parent=parent, name=props[p.PidTagDisplayName],
            fid=fid,
        )  # fmt: skip
        here = self.folders.get(key)
        if here is None:
            self.folders[key] = there
            return
        here.known, here.fid = True, fid
        if not self._resolve(here, there, folder=True):
            return
        here.parent, here.name = there.parent, there.name
        seen = {here.key}
        at = here
        while at.parent in self.folders:
            at = self.folders[at.parent]
            if at.key in seen:
                looped = next(one for one in (here, *self.folders.values()) if one.key in seen and one.dirty)
                looped.parent = self.top.key
                break
            seen.add(at.key)

    def _resolve(self, here: Versioned, there: Versioned, folder: bool = False) -> bool:
        """Whether the mailbox's version replaces the one that is here, which then has its versions."""
        version = compare(here.pcl, there.pcl)
        if not here.dirty and version not in (Version.EQUAL, Version.NEWER):
            raise Divergence(f"{version.name} version of something unchanged: {here} {there}")
        if version in (Version.EQUAL, Version.OLDER):
            return False
        if version is Version.CONFLICT and remote_wins(
            there.modified, there.change_key, here.modified, here.change_key, folder
        ):
            here.pcl = pcl_merge(here.pcl, there.pcl)
            return False
        here.change_key, here.pcl, here.modified, here.dirty = there.change_key, there.pcl, there.modified, False
        return True

    def _download_contents(self, folder: Folder, stop: Callable[[], bool] | None) -> None:
        changes: s.ContentChanges = self.ask(s.GetContentChanges(folder.fid, folder.state, WHAT))
        messages = read_all(self.ask, [mid for mid, *_ in changes.changed])
        guid = self.top.key[:16]
        for mid, cn, _, associated in changes.changed:
            if mid not in messages:
                continue
            key = self._take_message(folder, messages[mid])
            if stop is not None:
                seen = "seen_fai" if associated else "seen"
                more = {seen: with_gid(getattr(folder.state, seen), gid(guid, cn))}
                folder.state = changed_state(folder.state, given=with_gid(folder.state.given, key), **more)
                if stop():
                    return
        for key in (*gids(changes.deleted), *gids(changes.out_of_scope)):
            folder.items.pop(key, None)
        for read, octets in ((True, changes.read), (False, changes.unread)):
            for key in gids(octets):
                item = folder.items.get(key)
                if item is not None and not item.marked:
                    item.content = item.content._replace(read=read)
        folder.state = changes.state

    def _take_message(self, folder: Folder, message: o.Message) -> bytes:
        props = message.props
        key: bytes = props[p.PidTagSourceKey]
        if key in folder.deleted or key in folder.moved:
            return key
        there = Item(
            key, props[p.PidTagChangeKey], pcl_decode(props[p.PidTagPredecessorChangeList]),
            props[p.PidTagLastModificationTime], True, False, content_of(self.ask, message),
        )  # fmt: skip
        here = folder.items.get(key)
        if here is None:
            folder.items[key] = there
            return key
        here.known = True
        read = here.content.read
        if self._resolve(here, there):
            here.content = there.content
        else:
            here.content = here.content._replace(read=there.content.read, draft=there.content.draft)
        if here.marked:
            here.content = here.content._replace(read=read)
        return key

    # ------------------------------------------------------------------------------------------ upload

    def upload(self, again: Callable[[], bool] = lambda: False) -> None:
        """Give what changed here. `again` is asked after each message: True sends it once more, its answer lost."""
        for folder in self.below(self.top.key):
            if folder.dirty and folder.key in self.folders:
                self._upload_folder(folder)
        while self.moves:
            self._upload_move(self.moves[0])
        for folder in list(self.folders.values()):
            self._upload_contents(folder, again)
        for key in self.deleted:
            self.ask(s.ImportDeletes(self.top.fid, [key], True))
        self.state = changed_state(self.state, given=without(self.state.given, self.deleted))
        self.deleted.clear()

    def _upload_folder(self, folder: Folder) -> None:
        parent = self.folders.get(folder.parent)
        try:
            if parent is None:
                raise MapiError(Ec.ecNotFound, "parent")
            done: s.ImportedFolder = self.ask(
                s.ImportFolder(
                    parent.fid, folder.key, folder.change_key, pcl_encode(folder.pcl), folder.modified, folder.name, {}
                )
            )
        except MapiError as error:
            self._refused_folder(folder, error)
            return
        folder.fid, folder.known, folder.dirty = done.fid, True, False
        given = with_gid(self.state.given, folder.key)
        if done.conflict or done.ignored:
            self.state = changed_state(self.state, given=given)
        else:
            seen = with_gid(self.state.seen, gid(self.top.key[:16], done.cn))
            self.state = changed_state(self.state, given=given, seen=seen)

    def _refused_folder(self, folder: Folder, error: MapiError) -> None:
        if error.code is Ec.ecDuplicateName:
            folder.name += "'"
        elif error.code is Ec.ecFolderCycle:
            folder.parent = self.top.key
        elif error.code in GONE:
            self.delete_folder(folder)
            return
        else:
            raise error
        self._upload_folder(folder)

    def _upload_move(self, move: Move) -> None:
        """Where either folder or the message is gone, what is left of it goes, too."""
        self.moves.remove(move)
        item, source = move.item, move.source
        destination = next(one for one in self.folders.values() if item.key in one.items)
        try:
            done: o.Saved = self.ask(
                s.ImportMove(
                    source.fid, move.old_key, destination.fid, item.key, item.change_key, pcl_encode(item.pcl),
                    self.request_id(),
                )
            )  # fmt: skip
        except MapiError as error:
            if error.code not in GONE:
                raise
            del destination.items[item.key]
            self._delete_there(move)
            return
        source.moved.discard(move.old_key)
        source.state = changed_state(source.state, given=without(source.state.given, [move.old_key]))
        self._learn(destination, item, done)
        if item.dirty:
            item.change_key = self._change_key()
            item.pcl = pcl_add(item.pcl, item.change_key)

    def _learn(self, folder: Folder, item: Item, done: o.Saved) -> None:
        """The mailbox has a message now."""
        item.known = True
        more = {"given": with_gid(folder.state.given, item.key)}
        if not done.conflict and not done.ignored:
            seen = "seen_fai" if item.content.associated else "seen"
            more[seen] = with_gid(getattr(folder.state, seen), gid(self.top.key[:16], done.cn))
        folder.state = changed_state(folder.state, **more)

    def _upload_contents(self, folder: Folder, again: Callable[[], bool]) -> None:
        for item in list(folder.items.values()):
            while item.dirty and item.key in folder.items:
                self._upload_message(folder, item, again)
        marks = [(item.key, item.content.read) for item in folder.items.values() if item.marked]
        try:
            if folder.deleted:
                self.ask(s.ImportDeletes(folder.fid, folder.deleted))
            if marks:
                done: c.Done = self.ask(s.ImportReadState(folder.fid, marks))
                if done.cn:
                    read = with_gid(folder.state.read, gid(self.top.key[:16], done.cn))
                    folder.state = changed_state(folder.state, read=read)
        except MapiError as error:
            if error.code not in GONE:
                raise
        folder.state = changed_state(folder.state, given=without(folder.state.given, folder.deleted))
        folder.moved.difference_update(folder.deleted)
        folder.deleted.clear()
        for item in folder.items.values():
            item.marked = False

    def _upload_message(self, folder: Folder, item: Item, again: Callable[[], bool]) -> None:
        imported = o.Imported(item.key, item.change_key, pcl_encode(item.pcl), item.modified)
        call = o.SaveMessage(
            folder.fid, 0, 0, item.content.changes(not item.known), self.request_id(),
            associated=item.content.associated, imported=imported,
        )  # fmt: skip
        try:
            done: o.Saved = self.ask(call)
        except MapiError as error:
            if error.code not in GONE:
                raise
            del folder.items[item.key]
            return
        if again():
            return
        item.dirty = False
        self._learn(folder, item, done)
