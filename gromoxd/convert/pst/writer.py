"""Writing a file of personal folders ([MS-PST] 2.4): folders, messages, recipients, attachments, named properties.

What the document calls mandatory is there (2.7): message store, map of names, root folder with the top of what people
see, deleted items and search root, templates of all tables, empty search queues. Messages go to the file at once, the
tables of a folder when it is closed; in memory are the rows of open folders and what `ndbwriter` keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import TracebackType
from typing import BinaryIO, Final, Self

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst.encoding import CryptMethod
from gromoxd.convert.pst.layout import UNICODE, Layout
from gromoxd.convert.pst.ltpwriter import TableWriter, write_properties
from gromoxd.convert.pst.namewriter import NameWriter
from gromoxd.convert.pst.ndbwriter import NdbWriter, SubEntry
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED, PS_PUBLIC_STRINGS, PropertyName, PSETID_Common, built_in_name
from gromoxd.mapi.types import PropValue
from gromoxd.mapi.values import value_size

NID_STORE, NID_NAMES, NID_ROOT = 0x21, 0x61, 0x122
_ALWAYS_NAMED: Final = (
    PropertyName(PSETID_Common, 0x8503),
    PropertyName(PSETID_Common, 0x8530),
    PropertyName(PS_PUBLIC_STRINGS, "Keywords"),
)
"""Names that every file has: readers take a map without any for a damaged one (libpff 20260926)."""
_NID_TOP, _NID_SEARCH, _NID_DELETED = 0x8022, 0x8042, 0x8062
_NID_SEARCH_QUEUE, _NID_SEARCH_ACTIVITY, _NID_RECEIVE_FOLDERS = 0x1E1, 0x201, 0x62B
_NID_ATTACHMENTS, _NID_RECIPIENTS = 0x671, 0x692
_FOLDER, _MESSAGE, _ATTACHMENT, _ASSOCIATED = 2, 4, 5, 8
_DEEPEST: Final = 16
_EMBEDDED: Final = 5
_LONGEST_CELL: Final = 255

_HIERARCHY: Final = (
    0x0E300102, 0x0E330014, 0x0E340102, 0x0E380003, pt.PidTagDisplayName, pt.PidTagContentCount,
    pt.PidTagContentUnreadCount, pt.PidTagSubfolders, pt.PidTagContainerClass, 0x66350003, 0x66360003,
)  # fmt: skip
_CONTENTS: Final = (
    pt.PidTagImportance, pt.PidTagMessageClass, pt.PidTagSensitivity, pt.PidTagSubject, pt.PidTagClientSubmitTime,
    pt.PidTagSentRepresentingName, pt.PidTagMessageToMe, pt.PidTagMessageCcMe, pt.PidTagConversationTopic,
    pt.PidTagConversationIndex, pt.PidTagDisplayCc, pt.PidTagDisplayTo, pt.PidTagMessageDeliveryTime,
    pt.PidTagMessageFlags, pt.PidTagMessageSize, pt.PidTagMessageStatus, 0x0E300102, 0x0E330014, 0x0E340102,
    0x0E380003, 0x0E3C0102, 0x0E3D0102, 0x10970003, pt.PidTagLastModificationTime, 0x30130102, 0x65C60003,
)  # fmt: skip
_ASSOCIATED_CONTENTS: Final = (
    pt.PidTagMessageClass, pt.PidTagMessageFlags, pt.PidTagMessageStatus, pt.PidTagDisplayName, 0x6800001F,
    0x6803000B, 0x68051003, 0x682F001F, 0x70030003, 0x70040102, 0x70050102, 0x7006001F, 0x70070003,
)  # fmt: skip
_SEARCH_CONTENTS: Final = (
    pt.PidTagImportance, pt.PidTagMessageClass, pt.PidTagSensitivity, pt.PidTagSubject,
    pt.PidTagSentRepresentingName, pt.PidTagMessageToMe, pt.PidTagMessageCcMe, pt.PidTagDisplayCc,
    pt.PidTagDisplayTo, 0x0E05001F, pt.PidTagMessageDeliveryTime, pt.PidTagMessageFlags, pt.PidTagMessageSize,
    pt.PidTagMessageStatus, 0x0E2A000B, pt.PidTagLastModificationTime, 0x67F10003,
)  # fmt: skip
_ATTACHMENTS: Final = (pt.PidTagAttachSize, pt.PidTagAttachFilename, pt.PidTagAttachMethod, pt.PidTagRenderingPosition)
_RECIPIENTS: Final = (
    pt.PidTagRecipientType, pt.PidTagResponsibility, pt.PidTagRecordKey, pt.PidTagObjectType, pt.PidTagEntryId,
    pt.PidTagDisplayName, pt.PidTagAddressType, pt.PidTagEmailAddress, pt.PidTagSearchKey, pt.PidTagDisplayType,
    0x39FF001F, pt.PidTagSendRichInfo,
)  # fmt: skip
_RECEIVE_FOLDERS: Final = (pt.PidTagMessageClass, 0x66050003)
_TEMPLATES: Final = {
    0x60D: _HIERARCHY, 0x60E: _CONTENTS, 0x60F: _ASSOCIATED_CONTENTS, 0x610: _SEARCH_CONTENTS,
    _NID_ATTACHMENTS: _ATTACHMENTS, _NID_RECIPIENTS: _RECIPIENTS,
}  # fmt: skip
"""Empty tables whose columns say what new ones have, [MS-PST] 2.4.4.4 to 2.4.6.1."""


@dataclass(slots=True)
class FolderWriter:
    """A folder that is being written; get one from `PstWriter.folder`, and close it when its messages are in."""

    pst: PstWriter
    nid: int
    parent: int
    name: str
    container_class: str
    props: Bag
    unread: int = 0
    count: int = 0
    children: list[FolderWriter] = field(default_factory=list)
    contents: TableWriter | None = None
    associated: TableWriter | None = None
    closed: bool = False

    def add(self, item: Item, *, associated: bool = False) -> int:
        """Write a message; its nid. ValueError when the folder is closed or the message too deeply nested."""
        if self.closed:
            raise ValueError(f"folder {self.name} is closed")
        pst = self.pst
        nid = pst.ndb.new_nid(_ASSOCIATED if associated else _MESSAGE)
        bid_data, bid_sub, row, _ = pst.message(item)
        pst.ndb.node(nid, bid_data, bid_sub, self.nid)
        if associated:
            self.associated = self.associated or TableWriter(pst.ndb, _ASSOCIATED_CONTENTS)
            self.associated.add(nid, row)
            return nid
        self.contents = self.contents or TableWriter(pst.ndb, _CONTENTS)
        self.contents.add(nid, row)
        self.count += 1
        flags = row.get(pt.PidTagMessageFlags)
        self.unread += not (isinstance(flags, int) and flags & 1)
        return nid

    def close(self) -> None:
        """Write the tables of the folder's messages."""
        if self.closed:
            return
        self.closed = True
        index = self.nid & ~0x1F
        for kind, tags, table in ((0x0E, _CONTENTS, self.contents), (0x0F, _ASSOCIATED_CONTENTS, self.associated)):
            self.pst.ndb.node(index | kind, *(table or TableWriter(self.pst.ndb, tags)).finish())
        self.contents = self.associated = None

    def row(self) -> Bag:
        """The folder in the hierarchy table of its parent, and its own properties."""
        bag: Bag = {
            pt.PidTagDisplayName: self.name,
            pt.PidTagContentCount: self.count,
            pt.PidTagContentUnreadCount: self.unread,
            pt.PidTagSubfolders: bool(self.children),
        }
        return bag | ({pt.PidTagContainerClass: self.container_class} if self.container_class else {})


class PstWriter:
    """A file that is being written. Close it, or use it as a context manager; left by an error, it is no valid file."""

    def __init__(
        self,
        out: BinaryIO,
        name: str = "Personal Folders",
        *,
        record_key: bytes,
        now_nt: int,
        layout: Layout = UNICODE,
        crypt: int = CryptMethod.NDB_CRYPT_PERMUTE,
    ) -> None:
        """`out`: an empty seekable file. `record_key`: 16 random octets, the file's own in entry ids. `now_nt`: when
        messages that do not say it were made."""
        self.ndb = NdbWriter(out, layout, crypt)
        self.name, self.record_key, self.now_nt = name, record_key, now_nt
        self._names = NameWriter(self.ndb)
        for always in _ALWAYS_NAMED:
            self._names.prop_id(always)
        self._folders: list[FolderWriter] = []
        self.ndb._indexes[_FOLDER] = (_NID_DELETED >> 5) + 1
        root = self._folder(NID_ROOT, NID_ROOT, "")
        self.top = self._child(root, _NID_TOP, "Top of Personal Folders")
        self._child(root, _NID_SEARCH, "Search Root")
        self.deleted = self._child(self.top, _NID_DELETED, "Deleted Items")

    def folder(
        self, parent: FolderWriter, name: str, container_class: str = "IPF.Note", props: Bag | None = None
    ) -> FolderWriter:
        """A new folder in `parent`, which may be `top`. `props`: further properties of it, no named ones."""
        nid = self.ndb.new_nid(_FOLDER)
        return self._child(parent, nid, name, container_class, props)

    def close(self) -> None:
        """Write what is left: tables, folders, store, names, the trees of the file and its header."""
        for folder in self._folders:
            folder.close()
            self._write_folder(folder)
        self._write_store()
        self._names.write()
        for nid, tags in _TEMPLATES.items():
            self.ndb.node(nid, *TableWriter(self.ndb, tags).finish())
        receive = TableWriter(self.ndb, _RECEIVE_FOLDERS)
        receive.add(1, {pt.PidTagMessageClass: "", 0x66050003: NID_ROOT})
        self.ndb.node(_NID_RECEIVE_FOLDERS, *receive.finish())
        self.ndb.node(_NID_SEARCH_QUEUE, 0)
        self.ndb.node(_NID_SEARCH_ACTIVITY, 0)
        self.ndb.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()

    # Messages

    def message(self, item: Item, depth: int = 0) -> tuple[int, int, Bag, int]:
        """Write a message: bids of its data and subnodes, its properties for tables, and its size."""
        if depth > _DEEPEST:
            raise ValueError("messages within messages, too deep")
        bag = self._named(item.props, item.names)
        subnodes: list[SubEntry] = []
        size = sum(value_size(tag & 0xFFFF, value) for tag, value in bag.items())
        self._recipients(item, subnodes)
        size += self._attachments(item, subnodes, depth)
        bag = self._completed(bag, item, size)
        stored = bag | {pt.PidTagSubject: _marked_subject(bag)} if pt.PidTagSubject in bag else bag
        bid, own = write_properties(self.ndb, stored)
        row: Bag = {tag: _shortened(bag[tag]) for tag in (*_CONTENTS, pt.PidTagDisplayName) if tag in bag}
        return bid, self.ndb.subnodes(subnodes + own), row, size

    def _completed(self, bag: Bag, item: Item, size: int) -> Bag:
        """What every message has, [MS-PST] 2.4.5.1."""
        flags = bag.get(pt.PidTagMessageFlags)
        number = flags if isinstance(flags, int) else 1
        bag[pt.PidTagMessageFlags] = number | 0x10 if item.attachments else number & ~0x10
        bag[pt.PidTagMessageSize] = min(size, 0x7FFFFFFF)
        bag[pt.PidTagHasAttachments] = bool(item.attachments)
        bag.setdefault(pt.PidTagMessageClass, "IPM.Note")
        bag.setdefault(pt.PidTagMessageStatus, 0)
        bag.setdefault(pt.PidTagCreationTime, self.now_nt)
        bag.setdefault(pt.PidTagLastModificationTime, self.now_nt)
        bag.setdefault(pt.PidTagSearchKey, self.record_key[:12] + (self.ndb._next_bid & 0xFFFFFFFF).to_bytes(4, "big"))
        return bag

    def _recipients(self, item: Item, subnodes: list[SubEntry]) -> None:
        rows = [self._named(row, item.names) for row in item.recipients]
        tags = dict.fromkeys((*_RECIPIENTS, *(tag for row in rows for tag in row)))
        table = TableWriter(self.ndb, list(tags)[:250])
        for number, row in enumerate(rows):
            table.add(number, {pt.PidTagObjectType: 6, pt.PidTagDisplayType: 0, pt.PidTagRecipientType: 1} | row)
        subnodes.append((_NID_RECIPIENTS, *table.finish()))

    def _attachments(self, item: Item, subnodes: list[SubEntry], depth: int) -> int:
        """Returns the octets of all attachments."""
        if not item.attachments:
            return 0
        table = TableWriter(self.ndb, _ATTACHMENTS)
        total = 0
        for number, attachment in enumerate(item.attachments):
            nid = 0x401 + number << 5 | _ATTACHMENT
            bid_data, bid_sub, row = self._attachment(attachment, item.names, number, depth)
            subnodes.append((nid, bid_data, bid_sub))
            table.add(nid, row)
            size = row[pt.PidTagAttachSize]
            total += size if isinstance(size, int) else 0
        subnodes.append((_NID_ATTACHMENTS, *table.finish()))
        return total

    def _attachment(
        self, attachment: ItemAttachment, names: dict[int, PropertyName], number: int, depth: int
    ) -> tuple[int, int, Bag]:
        bag = self._named(attachment.props, names)
        bag[pt.PidTagAttachNumber] = number
        bag.setdefault(pt.PidTagRenderingPosition, -1)
        size = sum(value_size(tag & 0xFFFF, value) for tag, value in bag.items())
        subnodes: list[SubEntry] = []
        objects: dict[int, tuple[int, int]] = {}
        if attachment.embedded is not None:
            nid = 0x401 << 5 | _MESSAGE
            bid_data, bid_sub, _, inner = self.message(attachment.embedded, depth + 1)
            subnodes.append((nid, bid_data, bid_sub))
            size += inner
            bag[pt.PidTagAttachMethod] = _EMBEDDED
            objects[pt.PidTagAttachDataBinary >> 16] = (nid, size)
        else:
            bag.setdefault(pt.PidTagAttachMethod, 1)
            bag[pt.PidTagAttachDataBinary] = attachment.data
            size += len(attachment.data)
        bag[pt.PidTagAttachSize] = min(size, 0x7FFFFFFF)
        bid, own = write_properties(self.ndb, bag, objects)
        row: Bag = {tag: _shortened(bag[tag]) for tag in _ATTACHMENTS if tag in bag}
        return bid, self.ndb.subnodes(subnodes + own), row

    def _named(self, bag: Bag, names: dict[int, PropertyName]) -> Bag:
        """The bag with the file's ids of named properties; those without a name are left out."""
        changed: Bag = {}
        for tag, value in bag.items():
            number = tag >> 16
            if number >= FIRST_NAMED:
                name = names.get(number) or built_in_name(number)
                if name is None:
                    continue
                tag = self._names.prop_id(name) << 16 | tag & 0xFFFF
            changed[tag] = value
        return changed

    # Folders and store

    def _folder(
        self, nid: int, parent: int, name: str, container_class: str = "", props: Bag | None = None
    ) -> FolderWriter:
        folder = FolderWriter(self, nid, parent, name, container_class, dict(props or {}))
        self._folders.append(folder)
        return folder

    def _child(
        self, parent: FolderWriter, nid: int, name: str, container_class: str = "", props: Bag | None = None
    ) -> FolderWriter:
        folder = self._folder(nid, parent.nid, name, container_class, props)
        parent.children.append(folder)
        return folder

    def _write_folder(self, folder: FolderWriter) -> None:
        bid, own = write_properties(self.ndb, folder.props | folder.row())
        self.ndb.node(folder.nid, bid, self.ndb.subnodes(own), folder.parent)
        table = TableWriter(self.ndb, _HIERARCHY)
        for child in folder.children:
            table.add(child.nid, child.row())
        self.ndb.node(folder.nid & ~0x1F | 0x0D, *table.finish())

    def _write_store(self) -> None:
        """[MS-PST] 2.4.3.1."""
        bag: Bag = {
            pt.PidTagRecordKey: self.record_key,
            pt.PidTagDisplayName: self.name,
            0x35DF0003: 0x89,
            0x35E00102: self._entry_id(_NID_TOP),
            0x35E30102: self._entry_id(_NID_DELETED),
            0x35E70102: self._entry_id(_NID_SEARCH),
            0x67FF0003: 0,
        }
        bid, own = write_properties(self.ndb, bag)
        self.ndb.node(NID_STORE, bid, self.ndb.subnodes(own))

    def _entry_id(self, nid: int) -> bytes:
        """[MS-PST] 2.4.3.2."""
        return bytes(4) + self.record_key + nid.to_bytes(4, "little")


def _marked_subject(bag: Bag) -> str:
    """The subject with the two characters that say how long its prefix is ([MS-PST] 2.5.3.1.1.1)."""
    subject, prefix = str(bag[pt.PidTagSubject]), bag.get(pt.PidTagSubjectPrefix)
    size = len(prefix) if isinstance(prefix, str) and subject.startswith(prefix) else 0
    return f"\1{chr(size + 1)}{subject}"


def _shortened(value: PropValue) -> PropValue:
    return value[:_LONGEST_CELL] if isinstance(value, str) else value
