"""A mail that is also the item which one of its parts says (TNEF, iCalendar, uuencoded text): one message of the two.

Small values go into the message's bag; bodies and long values stay where they are, `PROP_PART_VALUES` tells which there
are. Attachments of such an item are named "path!number". [MS-OXCMAIL] 2.2.3, [MS-OXCICAL] 2.1.3.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from struct import Struct, error
from typing import Final

from gromoxd.convert.derived import ATTACHMENT_READ_ONLY, BODIES, READ_ONLY, SUBJECTS
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.mime import Part
from gromoxd.convert.structure import CALENDAR, TNEF, UUENCODE, PartItems, Special
from gromoxd.exmdb.objects import BIG
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named import FIRST_OWN, PropertyName
from gromoxd.mapi.types import PropValue

MARK = "!"
MAX_NAMES = 100
MAX_ATTACHMENTS = 500
_PAIR = Struct("<II")
_DATA = frozenset((p.PidTagAttachDataBinary, p.PidTagAttachDataObject))
_ENVELOPE: Final = frozenset((
    p.PidTagMessageDeliveryTime, p.PidTagMessageFlags, p.PidTagMessageStatus, p.PidTagRead, p.PidTagSearchKey,
    p.PidTagTransportMessageHeaders, p.PidTagFlagStatus, p.PidTagCreationTime, p.PidTagLastModificationTime,
    p.PidTagRtfSyncBodyCrc, p.PidTagBodyHtml, p.PidTagContentFilterSpamConfidenceLevel, p.PidTagProcessed,
))  # fmt: skip
"""What the mailbox says of a message that arrives, whatever is in it."""
_DEFAULTS: Final[tuple[tuple[frozenset[bytes], frozenset[int]], ...]] = (
    (frozenset((b"importance", b"priority", b"x-priority", b"x-msmail-priority")),
     frozenset((p.PidTagImportance, p.PidTagPriority))),
    (frozenset((b"sensitivity",)), frozenset((p.PidTagSensitivity,))),
    (frozenset((b"subject",)), SUBJECTS),
    (frozenset((b"subject", b"thread-topic")), frozenset((p.PidTagConversationTopic,))),
    (frozenset((b"date",)), frozenset((p.PidTagClientSubmitTime,))),
)  # fmt: skip
"""Fields -> the properties that a header without them has by default only."""
_IDS_OF_SENDERS: Final = (
    p.PidTagSentRepresentingEntryId, p.PidTagSentRepresentingSearchKey, p.PidTagSenderEntryId, p.PidTagSenderSearchKey,
)  # fmt: skip
"""What clients look people up by: those that the header names, not others whom the part claims."""


@dataclass(slots=True)
class Merged:
    """What the item adds. `names`: of the properties from FIRST_OWN on."""

    message_class: str
    props: Bag
    recipients: list[Bag]
    attachments: list[Bag]
    names: dict[int, PropertyName] = field(default_factory=dict)


def merged(
    items: PartItems, root: Part, special: Special, bag: Bag, fields: Mapping[bytes, bytes], has_body: bool
) -> Merged | None:
    """The item of the special part put under what the header says; None when it does not belong to this message."""
    item = items.get(root, special.path)
    if item is None or not _belongs(item, special, fields):
        return None
    kept = {number: name for number, name in list(item.names.items())[:MAX_NAMES] if number >= FIRST_OWN}
    props, values = _divided(item.props, kept)
    if special.kind == CALENDAR and has_body:
        values = {tag: size for tag, size in values.items() if tag not in BODIES}
    _under(props, bag, fields)
    kind = str(item.props.get(p.PidTagMessageClass) or "IPM.Note")
    props[p.PROP_PART_ITEM] = special.path
    props[p.PROP_PART_VALUES] = b"".join([_PAIR.pack(tag, size) for tag, size in values.items()])
    attachments = [attachment_bag(one, special.path, num) for num, one in enumerate(item.attachments[:MAX_ATTACHMENTS])]
    return Merged(kind, props, item.recipients, attachments, kept)


def _belongs(item: Item, special: Special, fields: Mapping[bytes, bytes]) -> bool:
    """[MS-OXCMAIL] 2.1.3.2.26: a winmail.dat that somebody merely forwards has another message's key."""
    if special.kind == TNEF:
        key, correlator = item.props.get(p.PidTagTnefCorrelationKey), fields.get(b"x-ms-tnef-correlator")
        return not (isinstance(key, bytes) and correlator) or key.rstrip(b"\0") == correlator
    if special.kind == CALENDAR:
        return str(item.props.get(p.PidTagMessageClass, "")).startswith("IPM.Schedule.Meeting.")
    return special.kind == UUENCODE


def _divided(props: Bag, names: Mapping[int, PropertyName]) -> tuple[Bag, dict[int, int]]:
    """(small values, octets of bodies and of long values)."""
    small: Bag = {}
    values: dict[int, int] = {}
    for tag, value in props.items():
        if tag in READ_ONLY or tag in _ENVELOPE or (tag >> 16 >= FIRST_OWN and tag >> 16 not in names):
            continue
        size = octets_of(value)
        if tag in BODIES or size > BIG:
            if size and tag >> 16 < FIRST_OWN:
                values[tag] = size
        else:
            small[tag] = value
    return small, values


def octets_of(value: PropValue) -> int:
    """How long a value is: text as UTF-16, others without variable length 0."""
    if isinstance(value, str):
        return len(value) * 2 if value.isascii() else len(value.encode("utf-16-le", "surrogatepass"))
    if isinstance(value, list):
        return sum([octets_of(one) for one in value])
    return len(value) if isinstance(value, bytes) else 0


def _under(props: Bag, bag: Bag, fields: Mapping[bytes, bytes]) -> None:
    """Put the header's values over the item's, but for those that the header has by default."""
    default: set[int] = set()
    for names, tags in _DEFAULTS:
        if names.isdisjoint(fields):
            default |= tags
    for tag, value in bag.items():
        if tag not in default or tag not in props:
            props[tag] = value
    if p.PidTagSentRepresentingEmailAddress in bag:
        for tag in _IDS_OF_SENDERS:
            props.pop(tag, None)


def attachment_bag(one: ItemAttachment, path: str, number: int) -> Bag:
    """The bag of an attachment of the item that a part is."""
    bag: Bag = {
        tag: value for tag, value in one.props.items()
        if tag not in _DATA and tag not in ATTACHMENT_READ_ONLY and tag >> 16 < FIRST_OWN and octets_of(value) <= BIG
    }  # fmt: skip
    bag[p.PROP_PART_PATH] = f"{path}{MARK}{number}"
    bag[p.PidTagAttachSize] = len(one.data)
    if one.embedded is not None:
        bag[p.PidTagAttachMethod] = int(AttachMethod.afEmbeddedMessage)
    elif bag.get(p.PidTagAttachMethod) not in (1, 6):
        bag[p.PidTagAttachMethod] = int(AttachMethod.afByValue)
    bag.setdefault(p.PidTagRenderingPosition, -1)
    name = bag.get(p.PidTagAttachLongFilename) or bag.get(p.PidTagAttachFilename) or bag.get(p.PidTagDisplayName)
    bag.setdefault(p.PidTagDisplayName, name or "attachment")
    return bag


def part_values(bag: Bag) -> dict[int, int]:
    """tag -> octets of what a message's part says beside its bag (PROP_PART_VALUES)."""
    packed = bag.get(p.PROP_PART_VALUES)
    if not isinstance(packed, bytes):
        return {}
    try:
        return dict(_PAIR.iter_unpack(packed))
    except error:
        return {}


def split_path(path: str) -> tuple[str, int | None]:
    """(section number, number of the attachment in the item of that part or None)."""
    section, mark, number = path.partition(MARK)
    return section, int(number) if mark and number.isdigit() else None
