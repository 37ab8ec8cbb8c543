"""`migrate gromox`: folders and messages of a mailbox of Gromox.

A message's source is the mailbox's GUID, its id, and the change numbers of its content and its read mark. The second
run compares these: what is new is added; where only marks or the properties of a delivered mail changed, they are set;
what else changed takes the place of the message that was brought before.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Any, Final, NamedTuple

from gromoxd.cli.importing import Progress
from gromoxd.cli.migration.destination import Destination, Known
from gromoxd.cli.migration.gromoxstore import GromoxFolder, GromoxMessage, GromoxStore, Version
from gromoxd.cli.migration.outcome import Stopped
from gromoxd.cli.migration.rewriting import Rewriter
from gromoxd.convert.derived import BODIES, READ_ONLY, SUBJECTS
from gromoxd.convert.item import Item
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.hierarchy import GetFolderProps, MakeFolder, SetFolderProps
from gromoxd.exmdb.objects import SetReadState
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED, SEEN
from gromoxd.exmdb.storecalls import GetStoreProps, OpenStore
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.times import unix_seconds

ROOT: Final = 0x01
LAST_SAME: Final = {True: 0x1D, False: 0x04}
"""Up to here the folders of private and of public mailboxes have the same numbers in both."""
SUBTREE: Final = {True: 0x09, False: 0x02}
PASSED_OVER: Final = {0x02: "deferred actions", 0x03: "the spooler's queue"}
"""Folders of private mailboxes with what belongs to the work of a server."""
REBUILT: Final = ("IPM.RULE.", "IPM.RULEORGANIZER", "IPC.MICROSOFT EXCHANGE")
"""Classes of associated messages that clients and servers make anew: a client's picture of the rules, and the like."""
_SOURCE = Struct("<16sQQQ")
_MF_READ, _MF_SUBMITTED, _MF_UNSENT = 0x1, 0x4, 0x8
_STATUS_DELETED = 0x8
_FLAGGED, _REPLIED, _FORWARDED = 2, (102, 103), 104
_MARKS: Final = frozenset(
    (p.PidTagMessageFlags, p.PidTagRead, p.PidTagFlagStatus, p.PidTagLastVerbExecuted, p.PidTagMessageStatus,
     PidNameKeywords)
)  # fmt: skip
_OF_THE_OCTETS: Final = BODIES | SUBJECTS | READ_ONLY | {
    p.PidTagTransportMessageHeaders, p.PidTagBodyHtml, p.PidTagInternetMessageId, p.PidTagRtfInSync,
    p.PidTagInternetCodepage, p.PidTagMessageCodepage, p.PidTagMessageDeliveryTime, p.PidTagConversationTopic,
}  # fmt: skip
"""Properties of a delivered mail that follow from its octets."""
_PEOPLE: Final = frozenset((
    0x0039, 0x003B, 0x003F, 0x0040, 0x0041, 0x0042, 0x0043, 0x0044, 0x0051, 0x0052, 0x0064, 0x0065, 0x0075, 0x0076,
    0x0077, 0x0078, 0x0C19, 0x0C1A, 0x0C1D, 0x0C1E, 0x0C1F, 0x5D01, 0x5D02, 0x5D0A, 0x5D0B,
))  # fmt: skip
"""Ids of properties that say who sent a mail, for whom, who got it, and when it was sent: the octets say that."""
_FOLDER_OWN: Final = frozenset((p.PidTagDisplayName, p.PidTagContainerClass, p.PidTagAttributeHidden, p.PidTagComment))


class Source(NamedTuple):
    """What SOURCE says of a message that came from a mailbox of Gromox."""

    guid: bytes
    mid: int
    cn: int
    read_cn: int

    def encode(self) -> bytes:
        """The value of the property."""
        return _SOURCE.pack(*self)

    @classmethod
    def decode(cls, data: object) -> Source | None:
        """None for what is not of this form."""
        return cls(*_SOURCE.unpack(data)) if isinstance(data, bytes) and len(data) == _SOURCE.size else None


class Original:
    """One run. `fids`: folders there -> folders here, 0 in a dry run for one that would be made."""

    def __init__(self, source: GromoxStore, target: Destination, bar: Progress, *, delete: bool = False) -> None:
        self.source, self.target, self.bar, self.delete = source, target, bar, delete
        self.outcome = target.outcome
        info = target.call(OpenStore())
        if info.public == source.private:
            raise WireError("one mailbox is a user's, the other one a domain's public folders")
        store = target.call(GetStoreProps([p.PidTagEntryId])).get(p.PidTagEntryId)
        self.rewriter = Rewriter(source.guid, info.guid, info.public, store if isinstance(store, bytes) else b"")
        self.fids = self.rewriter.fids
        self.mids = self.rewriter.mids
        self.paths: dict[int, str] = {}
        self._known: dict[int, tuple[Source, Known]] = {}
        self._done = 0

    def run(self) -> None:
        """Folders and messages. Stopped when nothing more can be done."""
        self._look()
        folders = [folder for folder in self.source.folders() if self._wanted(folder)]
        self.bar.begin("folders", len(folders))
        for number, folder in enumerate(folders):
            self.bar.at(number)
            self._folder(folder)
        self.bar.begin("messages", sum(folder.messages for folder in folders))
        for late in (False, True):  # associated messages name others
            for folder in folders:
                self._messages(folder, late)
        self.target.wait()
        if self.delete:
            self._remove(folders)
        self._readers()
        self.target.wait()

    def _do(self, where: str, work: Callable[[], None], octets: int = 0) -> None:
        if not self.target.dry:
            self.target.start(where, work, octets)

    # ------------------------------------------------------------------------------------------ folders

    def _wanted(self, folder: GromoxFolder) -> bool:
        if folder.search:
            if folder.fid > LAST_SAME[True]:
                self.outcome.note(f"search folder {folder.name}")
            return False
        return not (self.source.private and folder.fid in PASSED_OVER)

    def _folder(self, folder: GromoxFolder) -> None:
        parent = self.paths.get(folder.parent, "")
        top = folder.fid in (ROOT, SUBTREE[self.source.private])
        self.paths[folder.fid] = "" if top else f"{parent}/{folder.name}" if parent else folder.name
        try:
            fid = self._place(folder)
            self.fids[folder.fid] = fid
            if fid and not self.target.dry:
                self._folder_properties(folder, fid)
        except MapiError as error:
            self.outcome.fail(f"folder {self.paths[folder.fid]}", error.text or str(error))
        except WireError as error:
            self.outcome.fail(f"folder {self.paths[folder.fid]}", str(error))

    def _place(self, folder: GromoxFolder) -> int:
        """The folder here, made at need."""
        if folder.fid <= LAST_SAME[self.source.private]:
            return folder.fid
        parent = self.fids.get(folder.parent, 0)
        name = folder.name.strip() or f"{folder.fid:#x}"
        if self.target.dry:
            below = self.target.folders.below(parent) if parent else []
            return next((one.fid for one in below if one.name.casefold() == name.casefold()), 0)
        if not parent:
            raise WireError("its parent was not migrated")
        props: Bag = {p.PidTagContainerClass: folder.container_class} if folder.container_class else {}
        made = self.target.call(MakeFolder(parent, name, props, os.urandom(16), open_existing=True))
        return made.fid

    def _folder_properties(self, folder: GromoxFolder, fid: int) -> None:
        """Those that the folder here does not have, and for the user's own folders what says how it is shown."""
        item = self.source.folder_properties(folder.fid)
        self.rewriter.values(item.props)
        there = self.target.call(GetFolderProps(fid))
        own = folder.fid > LAST_SAME[self.source.private]
        wanted = {
            tag: value for tag, value in self.ours(item).items()
            if (tag not in there and tag >> 16 not in _COUNTERS) or (own and tag in _FOLDER_OWN)
        }  # fmt: skip
        wanted = {tag: value for tag, value in wanted.items() if there.get(tag) != value}
        if wanted:
            self.target.call(SetFolderProps(fid, wanted))

    def ours(self, item: Item) -> Bag:
        """An item's properties under the ids of this mailbox."""
        names = self.target.names
        names.learn(item.names.values())
        found: Bag = {}
        for tag, value in item.props.items():
            name = item.names.get(tag >> 16)
            number = names.id_of(name) if name is not None else tag >> 16
            if number:
                found[number << 16 | tag & 0xFFFF] = value
        return found

    def _look(self) -> None:
        """What earlier runs brought, wherever it is now."""
        places = list(self.target.folders.by_fid) if self.target.source_tag else []
        self.bar.begin("what is there", len(places))
        for number, fid in enumerate(places):
            self.bar.at(number)
            try:
                self._known_of(fid)
            except MapiError as error:
                if error.code not in (Ec.ecNotFound, Ec.ecNotSupported):  # search folders have nothing of their own
                    raise Stopped(error.text or str(error)) from error

    def _known_of(self, fid: int) -> None:
        """What earlier runs brought into a folder. Of several of one source (users copy messages) the newest counts."""
        for contents in (self.target.contents(fid), self.target.associated(fid)):
            for seen in contents:
                source = Source.decode(seen.props.get(self.target.source_tag))
                if source is None or source.guid != self.source.guid:
                    continue
                before = self._known.get(source.mid)
                if before is None or before[0] < source:
                    self._known[source.mid] = source, seen.known
                self.mids[source.mid] = self._known[source.mid][1].mid

    # ------------------------------------------------------------------------------------------ messages

    def _messages(self, folder: GromoxFolder, late: bool) -> None:
        if folder.fid not in self.fids:
            return
        try:
            kinds, versions = self.source.associated(folder.fid), self.source.versions(folder.fid)
        except WireError as error:
            self.outcome.fail(f"folder {self.paths[folder.fid]}", str(error))
            return
        for version in versions:
            if (version.mid in kinds) != late:
                continue
            self._done += not late
            self.bar.at(self._done)
            known = self._known.get(version.mid)
            if known is not None and known[0][2:] == version[1:]:
                self.outcome.there += 1
                continue
            self._message(folder, version, known)
        self.target.wait()

    def _message(self, folder: GromoxFolder, version: Version, known: tuple[Source, Known] | None) -> None:
        where = f"{self.paths[folder.fid]}, message {version.mid:#x}"
        try:
            message = self.source.message(version.mid, whole=False)
        except WireError as error:
            self.outcome.fail(where, str(error))
            return
        for problem in message.problems:
            self.outcome.fail(where, f"property {problem}")
        kind = message.item.props.get(p.PidTagMessageClass)
        if message.associated and isinstance(kind, str) and kind.upper().startswith(REBUILT):
            return
        self.rewriter.item(message.item)
        source = Source(self.source.guid, *version).encode()
        if known is not None and (message.eml or known[0].cn == version.cn):
            self._do(where, lambda: self._update(message, source, known[1]))
            self.outcome.changed += 1
            return
        path = self.paths[folder.fid]
        fid = self.fids[folder.fid]

        def work() -> None:
            if known is not None:  # first: what is killed in between brings it the next time
                self.target.delete(known[1])
            self.mids[version.mid] = self._add(fid, message, source)
            if known is None:
                self.outcome.came(path)
            else:
                self.outcome.changed += 1

        if self.target.dry and known is None:
            self.outcome.came(path)
        elif self.target.dry:
            self.outcome.changed += 1
        else:
            octets = len(message.eml) + sum(len(one.data) for one in message.item.attachments)
            self.target.start(where, work, octets)

    def _add(self, fid: int, message: GromoxMessage, source: bytes) -> int:
        """Store a message; its id here."""
        item = message.item
        _settled(item, message.read)
        if not message.eml or message.associated:
            return self.target.save(fid, item, source, read=message.read, associated=message.associated).mid
        flags, keywords = _flags(item.props, message.read)
        received = item.props.get(p.PidTagMessageDeliveryTime) or item.props.get(p.PidTagCreationTime)
        extra = Item(_besides_the_octets(item), names=item.names)
        stored = self.target.append(
            fid, message.eml, source, received=unix_seconds(received) if isinstance(received, int) else 0,
            flags=flags, keywords=keywords, extra=extra,
        )  # fmt: skip
        return stored.mid

    def _update(self, message: GromoxMessage, source: bytes, known: Known) -> None:
        """What a user changed of a mail since it was brought: marks, categories, follow-up and the like."""
        item = message.item
        _settled(item, message.read)
        marks = {tag: item.props[tag] for tag in _MARKS & item.props.keys()}
        rest = _besides_the_octets(item) if message.eml else {}
        values = self.ours(Item({**rest, **marks}, names=item.names))
        gone = [tag for tag in _MARKS - values.keys() if tag not in (p.PidTagMessageFlags, p.PidTagRead)]
        self.target.change(known, {**values, self.target.source_tag: source}, gone)

    # ------------------------------------------------------------------------------------------ afterwards

    def _remove(self, folders: list[GromoxFolder]) -> None:
        """What was brought before and is no more in the original mailbox goes here too; it can be recovered."""
        there = {version.mid for folder in folders for version in self.source.versions(folder.fid)}
        for mid, (_, known) in self._known.items():
            if mid not in there:
                self.outcome.removed += 1
                self._do(f"message {known.mid:#x}", partial(self.target.delete, known))
        self.target.wait()

    def _readers(self) -> None:
        """In public folders each user has read marks of his own."""
        read: dict[tuple[str, int], list[int]] = {}
        for user, fid, mid in self.source.readers():
            if fid in self.fids and mid in self.mids:
                read.setdefault((user, self.fids[fid]), []).append(self.mids[mid])
        for (user, fid), mids in read.items():
            self._do(f"read marks of {user}", partial(self._read_by, user, fid, mids))

    def _read_by(self, user: str, fid: int, mids: list[int]) -> None:
        account = self.target.account
        for first in range(0, len(mids), 1000):
            account.exmdb.call(account.mailbox, SetReadState(fid, mids[first : first + 1000], True), actor=user)


_COUNTERS: Final = frozenset((p.PidTagChangeKey >> 16, p.PidTagPredecessorChangeList >> 16, p.PidTagSourceKey >> 16))


def _settled(item: Item, read: bool) -> None:
    """Flags as they are to be: what was on its way to be sent there is a draft."""
    flags = item.props.get(p.PidTagMessageFlags)
    word = flags if isinstance(flags, int) else 0
    item.props[p.PidTagMessageFlags] = word & ~(_MF_SUBMITTED | _MF_READ) | (_MF_READ if read else 0)
    item.props.pop(p.PidTagRead, None)


def _besides_the_octets(item: Item) -> Bag:
    """What a mail has beside its octets: what users and clients put to it, the class and the importance among them."""
    without = _OF_THE_OCTETS | _MARKS
    return {tag: v for tag, v in item.props.items() if tag not in without and tag >> 16 not in _PEOPLE}


def _flags(props: dict[int, Any], read: bool) -> tuple[int, tuple[str, ...]]:
    """Flags and keywords of a mail, of the properties that stand for them."""
    flags = props.get(p.PidTagMessageFlags, 0)
    verb, status = props.get(p.PidTagLastVerbExecuted), props.get(p.PidTagMessageStatus, 0)
    word = SEEN if read else 0
    word |= DRAFT if flags & _MF_UNSENT else 0
    word |= FLAGGED if props.get(p.PidTagFlagStatus) == _FLAGGED else 0
    word |= ANSWERED if verb in _REPLIED else 0
    word |= DELETED if isinstance(status, int) and status & _STATUS_DELETED else 0
    found = props.get(PidNameKeywords)
    words = [one for one in found if isinstance(one, str) and one] if isinstance(found, list) else []
    return word, tuple([*words, "$Forwarded"] if verb == _FORWARDED else words)


def subscribe(original: Original) -> None:
    """IMAP subscriptions to the folders that users made."""
    paths = original.target.store.folders().by_fid
    for old in original.source.subscribed():
        folder = paths.get(original.fids.get(old, 0))
        if folder is not None and folder.path and not original.target.dry:
            original.target.call(c.Subscribe(folder.path, True))
