"""Objects as elements of FastTransfer streams ([MS-OXCFXICS] 2.2.4.3): property lists, messages and what is in them.

Everything is a generator that writes to a `StreamWriter` and yields where its reader may stop for now: after each
message, and between the pieces of a value that is read from the store while the client takes it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.working import Account, WorkingAttachment, WorkingMessage
from gromoxd.exmdb.working.items import NameIds
from gromoxd.exmdb.working.spool import Octets
from gromoxd.exmdb.working.values import Remote, Where, whole
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import Marker, MetaTagFXDelProp, StreamWriter
from gromoxd.mapi.named import FIRST_OWN, PropertyName, built_in_name
from gromoxd.mapi.types import MULTIPLE, PropType

PIECE: Final = 256 << 10
"""So much of a long value is read ahead of the client."""
MAX_DEPTH: Final = 20
"""Of messages in messages."""
UNICODE, USE_CPID, RECOVER, FORCE_UNICODE, PARTIAL_ITEM = 0x01, 0x02, 0x04, 0x08, 0x10
"""SendOptions ([MS-OXCFXICS] 2.2.3.1.1.1.1). UNICODE and USE_CPID together are ForUpload."""
KNOWN_OPTIONS: Final = 0x7F
GONE: Final = (Ec.ecNotFound, Ec.ecObjectModified, Ec.ecObjectDeleted)
_STRING: Final = int(PropType.PtypString)

IDENTITY: Final = frozenset((p.PidTagMid, p.PidTagFolderId, p.PidTagInstID, p.PidTagInstanceNum, p.PidTagEntryId,
    p.PidTagParentEntryId, p.PidTagRecordKey, p.PidTagStoreEntryId, p.PidTagStoreRecordKey, p.PidTagMappingSignature,
    p.PidTagParentFolderId, p.PidTagParentSourceKey, p.PidTagChangeNumber, p.PidTagInternetArticleNumber,
    p.PidTagInstanceKey, p.PidTagAccess, p.PidTagAccessLevel, p.PidTagObjectType, p.PidTagMessageSizeExtended,
    p.PidTagRead, p.PidTagHasNamedProperties, p.PidTagStoreSupportMask, p.PidTagMessageRecipients,
    p.PidTagMessageAttachments, p.PidTagLocalCommitTime, p.PidTagDeletedOn))  # fmt: skip
"""What an object is only where it is: streams do not carry it ([MS-OXCFXICS] 3.2.5.8.1.1), or in their own places."""
VERSION: Final = frozenset((p.PidTagSourceKey, p.PidTagChangeKey, p.PidTagPredecessorChangeList))
"""Identification of messages and changes: in the headers of synchronisation, and where a client asks for it."""
IN_ATTACHMENT: Final = frozenset((p.PidTagAttachNumber, p.PidTagRecordKey, p.PidTagObjectType, p.PidTagAccessLevel,
    p.PidTagAccess, p.PidTagMid, p.PidTagStoreEntryId, p.PidTagStoreRecordKey, p.PidTagMappingSignature,
    p.PidTagStoreSupportMask, p.PidTagEntryId))  # fmt: skip


_NO_STREAM: Final = frozenset((PropType.PtypUnspecified, PropType.PtypNull, PropType.PtypErrorCode,
                               PropType.PtypRestriction, PropType.PtypRuleAction))  # fmt: skip
"""Types that streams do not have."""


class Keep(dict[int, bool]):
    """Which tags go into a stream: not those of `never`, nor those whose ids are in `without`, or not in `only`."""

    def __init__(
        self, never: frozenset[int] = frozenset(), without: Collection[int] = (), only: Collection[int] | None = None
    ) -> None:
        super().__init__()
        self._never = never
        self._without = frozenset(tag >> 16 for tag in without)
        self._only = None if only is None else frozenset(tag >> 16 for tag in only)

    def __missing__(self, tag: int) -> bool:
        kept = tag not in self._never and tag >> 16 not in self._without and tag & 0xFFFF & ~MULTIPLE not in _NO_STREAM
        if kept and self._only is not None:
            kept = tag >> 16 in self._only
        self[tag] = kept
        return kept


class Names:
    """Finds the names of named properties: those of one batch of objects in one call."""

    def __init__(self, account: Account) -> None:
        self._known: dict[int, PropertyName | None] = {}
        self._ids = NameIds(account)
        self.coming: Callable[[], Iterable[int]] = tuple
        """The tags of what is to be written soon."""

    def __call__(self, tag: int) -> PropertyName | None:
        """The name of a tag; None when it has none."""
        number = tag >> 16
        if number < FIRST_OWN:
            return built_in_name(number)
        if number not in self._known:
            wanted = {one >> 16 for one in self.coming() if one >> 16 >= FIRST_OWN} | {number}
            wanted -= self._known.keys()
            found = self._ids.names_of(wanted)
            for one in wanted:
                self._known[one] = found.get(one)
        return self._known[number]


class Scope:
    """What of messages a stream carries. `keep` is for messages themselves; those within are always whole."""

    def __init__(self, account: Account, writer: StreamWriter, keep: Keep, *, recipients: bool = True,
                 attachments: bool = True) -> None:  # fmt: skip
        self.account, self.writer, self.keep = account, writer, keep
        self.recipients, self.attachments = recipients, attachments
        self.inner = Keep(IDENTITY | VERSION)
        self.attached = Keep(IN_ATTACHMENT)
        self.row = Keep(frozenset((p.PidTagInstID, p.PidTagStoreEntryId)))


def code_page_of(options: int, code_page: int) -> int | None:
    """The code page of strings by SendOptions, None for Unicode ([MS-OXCFXICS] 3.2.5.8.1.1)."""
    return None if options & (UNICODE | FORCE_UNICODE) or code_page in (0, 1200) else code_page


# ---------------------------------------------------------------------------------------------- property lists


def prop_list(writer: StreamWriter, values: Mapping[int, Any], keep: Keep) -> Iterator[None]:
    """The element propList; yields only within long values."""
    put = writer.property
    long = []
    for tag, value in values.items():
        if keep[tag]:
            if value.__class__ is Remote or value.__class__ is Octets:
                long.append((tag, value))
            else:
                put(tag, value)
    for tag, value in long:
        yield from long_value(writer, tag, value)


def long_value(writer: StreamWriter, tag: int, value: Remote | Octets) -> Iterator[None]:
    """A value that is read piece by piece; text for clients without Unicode as a whole. What is gone is left out."""
    text = tag & 0xFFFF == _STRING
    if text and not writer.unicode:
        writer.property(tag, whole(tag, value))
        yield
        return
    try:
        size = value.size
        piece = value.read(0, min(PIECE, size))
    except MapiError as error:
        if error.code not in GONE:
            raise
        return
    if not writer.begin(tag, size + 2 * text):
        return
    offset = 0
    while True:
        writer.write(piece)
        offset += len(piece)
        yield
        if offset >= size:
            break
        piece = value.read(offset, min(PIECE, size - offset))
        if not piece:
            raise MapiError(Ec.ecObjectModified, f"property {tag:#010x}")
    if text:
        writer.write(b"\0\0")


# ---------------------------------------------------------------------------------------------- messages


def message_content(scope: Scope, message: o.Message, path: tuple[int, ...] = ()) -> Iterator[None]:
    """The element messageContent of a message as the store tells it."""
    where = Where(scope.account, message.mid, path)
    keep = scope.inner if path else scope.keep
    yield from prop_list(scope.writer, with_big(message.props, message.big, where), keep)
    yield from message_children(scope, message, path)


def with_big(props: o.Bag, big: dict[int, int], where: Where) -> dict[int, Any]:
    """A bag with its long values."""
    return {**props, **{tag: Remote(where, tag, size) for tag, size in big.items()}} if big else props


def message_children(scope: Scope, message: o.Message, path: tuple[int, ...] = ()) -> Iterator[None]:
    """The element messageChildren ([MS-OXCFXICS] 2.2.4.3.16)."""
    writer = scope.writer
    if scope.recipients or path:
        recipients(scope, message.recipients)
    if scope.attachments or path:
        writer.property(MetaTagFXDelProp, p.PidTagMessageAttachments)
        for one in message.attachments:
            where = Where(scope.account, message.mid, path, one.num)
            values = with_big(one.props, one.big, where)
            yield from _attachment(scope, one.num, values)
            if one.embedded and len(path) < MAX_DEPTH:
                yield from _embedded(scope, message.mid, (*path, one.num))
            writer.marker(Marker.EndAttach)


def recipients(scope: Scope, rows: Iterable[Mapping[int, Any]]) -> None:
    """The recipients of a message, after what tells the client to remove those that it has."""
    writer = scope.writer
    writer.property(MetaTagFXDelProp, p.PidTagMessageRecipients)
    for row, bag in enumerate(rows):
        writer.marker(Marker.StartRecip)
        if p.PidTagRowid not in bag:
            writer.property(p.PidTagRowid, row)
        for tag, value in bag.items():
            if scope.row[tag]:
                writer.property(tag, value)
        writer.marker(Marker.EndToRecip)


def _attachment(scope: Scope, num: int, values: Mapping[int, Any]) -> Iterator[None]:
    """An attachment up to the message that it may be."""
    scope.writer.marker(Marker.NewAttach)
    scope.writer.property(p.PidTagAttachNumber, num)
    yield from prop_list(scope.writer, values, scope.attached)


def _embedded(scope: Scope, mid: int, path: tuple[int, ...]) -> Iterator[None]:
    """A message in an attachment, if it can be read."""
    try:
        inner: o.Message = scope.account.call(o.OpenMessage(mid, list(path)))
    except MapiError as error:
        if error.code != Ec.ecNotFound:
            raise
        return
    scope.writer.marker(Marker.StartEmbed)
    yield from message_content(scope, inner, path)
    scope.writer.marker(Marker.EndEmbed)


# ---------------------------------------------------------------------------------------------- open objects


def open_message(scope: Scope, message: WorkingMessage, *, inner: bool = False) -> Iterator[None]:
    """The element messageContent of a message as its client has it, saved or not."""
    rows = message.recipients
    state = message.loaded().clone()
    yield from prop_list(scope.writer, state.values, scope.inner if inner else scope.keep)
    if scope.recipients or inner:
        recipients(scope, rows)
    if scope.attachments or inner:
        scope.writer.property(MetaTagFXDelProp, p.PidTagMessageAttachments)
        for num, one in sorted(state.attachments.items()):
            attachment = WorkingAttachment(message, one.clone(), False)
            yield from _attachment(scope, num, attachment.properties.values)
            yield from embedded_of(scope, attachment)
            scope.writer.marker(Marker.EndAttach)


def embedded_of(scope: Scope, attachment: WorkingAttachment) -> Iterator[None]:
    """The message that an open attachment is, if it is one."""
    if attachment.properties.embedded and len(attachment.message.path) < MAX_DEPTH:
        scope.writer.marker(Marker.StartEmbed)
        yield from open_message(scope, attachment.open_embedded(writable=False), inner=True)
        scope.writer.marker(Marker.EndEmbed)
