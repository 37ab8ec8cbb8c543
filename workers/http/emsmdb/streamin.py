"""FastTransfer streams that clients upload: their elements put into messages, attachments and folders.

The grammar of [MS-OXCFXICS] 2.2.4.2. A sink takes the elements of one object; a marker gives the sink of what is in it,
or ends it. Properties are put into the object when the list of them ends, all at once: forms of a body would replace
each other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gromoxd.convert.derived import BODIES
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.hierarchy import GetFolderProps, MadeFolder, MakeFolder, RemoveFolder, SetFolderProps
from gromoxd.exmdb.working import Account, Spool, WorkingAttachment, WorkingMessage
from gromoxd.exmdb.working.items import NameIds
from gromoxd.exmdb.working.spool import Octets
from gromoxd.exmdb.working.values import size_of, to_octets, usable
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.fasttransfer import LongValue, Marker, MetaTagFXDelProp, Property
from gromoxd.mapi.ids import eid_value
from gromoxd.mapi.types import MULTIPLE, PropType
from workers.http.emsmdb.objects import OWN_REPLID

LONG: Final = 64 << 10
"""A value of more octets goes to the message's spool at once."""
MOST_GATHERED: Final = 32 << 20
"""Octets of recipients and of properties that are not in their object yet."""
DEPTH: Final = 60
"""Of folders in folders and messages in messages."""
META_IDS: Final = frozenset((0x4008, 0x400F, 0x4011, 0x4016))
"""Meta-properties ([MS-OXCFXICS] 2.2.4.1.5)."""
AT_ONCE: Final = 1000
_MESSAGES: Final = {p.PidTagContainerContents: s.NORMAL, p.PidTagFolderAssociatedContents: s.ASSOCIATED}
_STRING8, _STRING, _CODE_PAGE = int(PropType.PtypString8), int(PropType.PtypString), 0x8000


class Upload:
    """What all sinks of one stream share. `complete` adds the SMTP addresses of people that Exchange names."""

    def __init__(
        self, account: Account, code_page: int, clock: Callable[[], float],
        complete: Callable[[Bag | WorkingMessage], None],
    ) -> None:  # fmt: skip
        self.account, self.code_page, self.clock, self.complete = account, code_page, clock, complete
        self.names = NameIds(account)


class Sink:
    """Where the elements of one object go. `sub` are markers that begin something in it, `end` the one that ends it."""

    end: Marker | None = None

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.gathered: list[Property] = []
        self.long: dict[int, Octets] = {}
        """Values of those gathered that are not in memory, by their places."""
        self.weight = 0

    @property
    def spool(self) -> Spool | None:
        """Where long values go."""
        return None

    def take(self, one: Property) -> None:
        """A property. ecTooBig."""
        self.weight += size_of(one.value) + 64
        if self.weight > MOST_GATHERED:
            raise MapiError(Ec.ecTooBig, "properties of an object")
        self.gathered.append(one)

    def long_value(self, one: LongValue) -> Octets:
        """Where the octets of a long value go. ecTooBig where no such value is expected."""
        spool = self.spool
        if spool is None:
            raise MapiError(Ec.ecTooBig, f"property {one.tag:#010x} of {one.size} octets")
        octets = Octets(spool)
        self.gathered.append(Property(one.tag, None, one.name))
        self.long[len(self.gathered) - 1] = octets
        return octets

    def bag(self, spool: Spool | None = None) -> dict[int, Any]:
        """The properties gathered so far, under this mailbox's ids, those of no use left out; they are forgotten."""
        upload, found = self.upload, dict[int, Any]()
        named = [one.name for one in self.gathered if one.name is not None]
        if named:
            upload.names.learn(named)
        for place, one in enumerate(self.gathered):
            tag, value = self._converted(one)
            value = self.long.get(place, value)
            if not tag:
                continue
            if spool is not None and isinstance(value, str | bytes) and size_of(value) > LONG:
                value = Octets(spool, to_octets(value))
            if usable(tag, value):
                found[tag] = value
        self.gathered, self.long, self.weight = [], {}, 0
        return found

    def _converted(self, one: Property) -> tuple[int, Any]:
        tag, value, kind = one.tag, one.value, one.tag & 0xFFFF
        if one.name is not None:
            number = self.upload.names.id_of(one.name)
            if not number:
                return 0, None
            tag = number << 16 | kind
        if kind & ~MULTIPLE == _STRING8:
            return tag - _STRING8 + _STRING, self._text(value, self.upload.code_page)
        if kind & _CODE_PAGE:
            return (tag & ~0xFFFF) | _STRING, self._text(value, kind & ~_CODE_PAGE)
        return tag, value

    def _text(self, value: Any, code_page: int) -> Any:
        if isinstance(value, list):
            return [self._text(one, code_page) for one in value]
        return codepages.without_surrogates(codepages.decode(value, code_page))

    def remove(self, tag: int) -> None:
        """MetaTagFXDelProp: what is there of a kind of subobjects goes (2.2.4.1.5.1)."""

    def marker(self, marker: Marker) -> Sink | None:
        """The sink of what a marker begins. ecRpcFormat for one that has no place here."""
        raise MapiError(Ec.ecRpcFormat, f"{marker.name} in {type(self).__name__}")

    def flush(self) -> None:
        """The list of properties has ended, or what is there of it is to be seen."""

    def finish(self) -> None:
        """The end marker."""

    def abandon(self) -> None:
        """The stream ends in the middle."""


# ---------------------------------------------------------------------------------------------- messages


class _Row(Sink):
    """A recipient."""

    end = Marker.EndToRecip

    def __init__(self, message: MessageSink) -> None:
        super().__init__(message.upload)
        self._message = message

    def finish(self) -> None:
        self._message.add_row(self)


class MessageSink(Sink):
    """The element messageContent, into a message that somebody else saves."""

    def __init__(self, upload: Upload, message: WorkingMessage) -> None:
        super().__init__(upload)
        self.message = message
        self._bodies: dict[int, Any] = {}
        self._rows: dict[int, Bag | None] = {}
        self._rows_weight = 0

    @property
    def spool(self) -> Spool | None:
        return self.message.spool

    def flush(self) -> None:
        bag = self.bag(self.message.spool)
        if bag:
            bodies = {tag: value for tag, value in bag.items() if tag in BODIES}
            if bodies:
                bag = {**self._bodies, **bag}
                self._bodies |= bodies
            self.message.set(bag)
            self.upload.complete(self.message)
        if self._rows:
            rows, self._rows, self._rows_weight = self._rows, {}, 0
            self.message.modify_recipients(rows)

    def add_row(self, row: Sink) -> None:
        """A recipient is complete. ecTooBig."""
        self._rows_weight += row.weight
        if self._rows_weight > MOST_GATHERED:
            raise MapiError(Ec.ecTooBig, "recipients")
        bag = row.bag()
        number = bag.pop(p.PidTagRowid, None)
        if not isinstance(number, int) or not 0 <= number <= 0xFFFFFFFF or number in self._rows:
            number = max((*self._rows, *self.message.loaded().recipients), default=-1) + 1
        self.upload.complete(bag)
        self._rows[number] = bag

    def remove(self, tag: int) -> None:
        if tag == p.PidTagMessageRecipients:
            self._rows.clear()
            self.message.remove_recipients()
        elif tag == p.PidTagMessageAttachments:
            for num in list(self.message.loaded().attachments):
                self.message.delete_attachment(num)

    def marker(self, marker: Marker) -> Sink | None:
        if marker == Marker.StartRecip:
            return _Row(self)
        if marker == Marker.NewAttach:
            return _NewAttachment(self.upload, self.message.create_attachment(self.upload.clock()))
        return super().marker(marker)

    def abandon(self) -> None:
        self._rows, self._bodies, self.gathered, self.long = {}, {}, [], {}


class _NewMessage(MessageSink):
    """A message that is saved into its folder when it is complete."""

    end = Marker.EndMessage

    def finish(self) -> None:
        try:
            self.message.save()
        finally:
            self.message.discard()

    def abandon(self) -> None:
        super().abandon()
        self.message.discard()


class _Embedded(MessageSink):
    """A message in an attachment."""

    end = Marker.EndEmbed

    def finish(self) -> None:
        self.message.save()


class AttachmentSink(Sink):
    """The element attachmentContent, into an attachment that somebody else saves."""

    def __init__(self, upload: Upload, attachment: WorkingAttachment) -> None:
        super().__init__(upload)
        self.attachment = attachment

    @property
    def spool(self) -> Spool | None:
        return self.attachment.spool

    def flush(self) -> None:
        bag = self.bag(self.attachment.spool)
        bag.pop(p.PidTagAttachNumber, None)
        if bag:
            self.attachment.set(bag)

    def marker(self, marker: Marker) -> Sink | None:
        if marker == Marker.StartEmbed:
            return _Embedded(self.upload, self.attachment.open_embedded(create=True))
        return super().marker(marker)


class _NewAttachment(AttachmentSink):
    """An attachment that is added to its message when it is complete."""

    end = Marker.EndAttach

    def finish(self) -> None:
        self.attachment.save()


# ---------------------------------------------------------------------------------------------- folders


class MessagesSink(Sink):
    """The element messageList, into a folder."""

    def __init__(self, upload: Upload, fid: int) -> None:
        super().__init__(upload)
        self.fid = fid

    def take(self, one: Property) -> None:
        """What is said of errors and warnings is of no use (2.2.4.3.4)."""

    def marker(self, marker: Marker) -> Sink | None:
        if marker in (Marker.StartMessage, Marker.StartFAIMsg):
            return _new_message(self.upload, self.fid, marker)
        return None if marker == Marker.FXErrorInfo else super().marker(marker)


def _new_message(upload: Upload, fid: int, marker: Marker) -> Sink:
    associated = marker == Marker.StartFAIMsg
    return _NewMessage(
        upload, WorkingMessage.create(upload.account, fid, associated=associated, now=upload.clock())
    )  # fmt: skip


class FolderSink(Sink):
    """The element folderContent, into a folder that is there."""

    def __init__(self, upload: Upload, fid: int) -> None:
        super().__init__(upload)
        self.fid = fid

    def flush(self) -> None:
        bag = self.bag()
        bag.pop(p.PidTagDisplayName, None)  # a folder keeps its name among its siblings
        bag.pop(p.PidTagFolderType, None)
        if bag:
            self.upload.account.call(SetFolderProps(self.fid, bag))

    def remove(self, tag: int) -> None:
        kind = _MESSAGES.get(tag)
        if kind is not None:
            self._remove_messages(kind)
        elif tag == p.PidTagContainerHierarchy:
            self._remove_folders()

    def _remove_messages(self, kind: int) -> None:
        call = self.upload.account.call
        changes: s.ContentChanges = call(s.GetContentChanges(self.fid, s.State(), kind))
        mids = changes.mids()
        for first in range(0, len(mids), AT_ONCE):
            call(o.DeleteMessages(self.fid, mids[first : first + AT_ONCE]))

    def _remove_folders(self) -> None:
        call = self.upload.account.call
        changes: s.HierarchyChanges = call(s.GetHierarchyChanges(self.fid, s.State()))
        own = eid_value(OWN_REPLID, self.fid)
        for fid, _ in changes.changed:
            if call(GetFolderProps(fid, [p.PidTagParentFolderId])).get(p.PidTagParentFolderId) == own:
                call(RemoveFolder(fid, True, True, b""))

    def marker(self, marker: Marker) -> Sink | None:
        if marker in (Marker.StartMessage, Marker.StartFAIMsg):
            return _new_message(self.upload, self.fid, marker)
        if marker == Marker.StartSubFld:
            return NewFolderSink(self.upload, self.fid)
        return None if marker == Marker.FXErrorInfo else super().marker(marker)


class NewFolderSink(FolderSink):
    """The same, into a folder that is made when its name is known, unless there is one of the name."""

    end = Marker.EndFolder

    def __init__(self, upload: Upload, parent: int) -> None:
        super().__init__(upload, 0)
        self._parent = parent

    def flush(self) -> None:
        if self.fid:
            super().flush()
            return
        bag = self.bag()
        name = bag.pop(p.PidTagDisplayName, None)
        if not isinstance(name, str):
            raise MapiError(Ec.ecRpcFormat, "a folder without a name")
        bag.pop(p.PidTagFolderType, None)
        call = MakeFolder(self._parent, name, bag, b"", open_existing=True)
        made: MadeFolder = self.upload.account.call(call)
        self.fid = made.fid


class TopFolderSink(Sink):
    """The element topFolder, below a folder."""

    def __init__(self, upload: Upload, parent: int) -> None:
        super().__init__(upload)
        self._parent = parent

    def marker(self, marker: Marker) -> Sink | None:
        if marker == Marker.StartTopFld:
            return NewFolderSink(self.upload, self._parent)
        return super().marker(marker)


# ---------------------------------------------------------------------------------------------- the stream


class Assembler:
    """Gives the elements of a stream to its sinks."""

    def __init__(self, root: Sink) -> None:
        self._stack = [root]
        self._octets: Octets | None = None
        self._left = 0
        self._text = False

    def begin(self, one: LongValue) -> None:
        """A long property. ecTooBig."""
        if one.tag >> 16 in META_IDS or not one.tag >> 16:
            raise MapiError(Ec.ecTooBig, f"property {one.tag:#010x}")
        self._octets, self._left = self._stack[-1].long_value(one), one.size
        self._text = one.tag & 0xFFFF == _STRING

    def piece(self, data: bytes) -> None:
        """More octets of it. ecTooBig, ecStorageFull."""
        octets = self._octets
        if octets is None:
            raise MapiError(Ec.ecRpcFormat, "a piece of no value")
        octets.write(octets.size, data)
        self._left -= len(data)
        if not self._left:
            self._octets = None
            if self._text and octets.read(octets.size - 2, 2) == b"\0\0":
                octets.resize(octets.size - 2)

    def element(self, one: Marker | Property) -> None:
        """The next element. ecRpcFormat for one that the grammar does not have here; what the sinks raise."""
        sink = self._stack[-1]
        if isinstance(one, Property):
            self._property(sink, one)
            return
        if one != sink.end:
            sink.flush()
            inner = sink.marker(one)
            if inner is not None:
                if len(self._stack) >= DEPTH:
                    inner.abandon()
                    raise MapiError(Ec.ecTooBig, "depth of a stream")
                self._stack.append(inner)
            return
        sink.flush()
        sink.finish()
        self._stack.pop()

    @staticmethod
    def _property(sink: Sink, one: Property) -> None:
        if one.tag == MetaTagFXDelProp:
            sink.flush()
            sink.remove(int(one.value) & 0xFFFFFFFF if isinstance(one.value, int) else 0)
        elif one.tag >> 16 not in META_IDS and one.tag >> 16:
            sink.take(one)

    def pause(self) -> None:
        """The root's object shows what came so far: nobody says when the stream ends."""
        if len(self._stack) == 1 and self._octets is None:
            self._stack[0].flush()

    def abandon(self) -> None:
        """Forget what is not complete."""
        for sink in reversed(self._stack):
            sink.abandon()
        del self._stack[1:]
        self._octets = None
