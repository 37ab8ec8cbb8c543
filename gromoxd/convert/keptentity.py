"""PidTagMimeSkeleton ([MS-OXCMSG] 2.2.1.28): the MIME entity of a message whose form says more than MAPI can.

What is signed or encrypted by OpenPGP (RFC 3156) has its meaning by its very octets and types, and so have a piece of
a message, or a reference to one that lies elsewhere (RFC 2046 5.2.2, 5.2.3). Such an entity is kept whole, parts that
are bodies and attachments, too ([MS-OXCMAIL] 2.4.3.1 would leave these out and could not give back their octets).
S/MIME has another way: the entity is the attachment ([MS-OXOSMIME] 2.1.2).
"""

from __future__ import annotations

from collections.abc import Iterator

from gromoxd.convert.attachments import message_class
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.mime import Octets, Part
from gromoxd.convert.sections import header_fields
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagMimeSkeleton, PidTagSubject

MAX_ENTITY, MAX_LINE = 16 << 20, 998
ENTITY_FIELDS = frozenset((b"CONTENT-TYPE", b"CONTENT-TRANSFER-ENCODING"))
_ENDS = (b"\r\n", b"\n", b"\r")
_MULTIPARTS = frozenset(("signed", "encrypted"))
_MESSAGES = frozenset(("rfc822", "global", "delivery-status", "global-delivery-status", "disposition-notification",
                       "global-disposition-notification"))  # fmt: skip
"""Types of messages that MAPI has objects and properties for."""


def entity_of(raw: Octets, root: Part) -> bytes | None:
    """The entity of a message that should keep it, with the fields that tell of it; None for any other, and for one
    that could not be sent as it is.
    """
    if root.body_length > MAX_ENTITY or not any(_says_more(part) for part in _parts(root)):
        return None
    if message_class(root) != "IPM.Note":
        return None
    head = header_fields(raw[root.header_offset : root.header_offset + root.header_length], ENTITY_FIELDS, False)
    entity = head + raw[root.body_offset : root.body_offset + root.body_length]
    return entity if entity[:13].lower() == b"content-type:" and _can_be_sent(entity) else None


def kept_entity(item: Item) -> bytes | None:
    """The entity that is kept, as long as the message has the bodies and attachments that it says."""
    entity = item.props.get(PidTagMimeSkeleton)
    if not isinstance(entity, bytes) or entity[:13].lower() != b"content-type:" or not _can_be_sent(entity):
        return None
    from gromoxd.convert.itemof import item_of_mime

    said = item_of_mime(entity, received=0)
    return entity if _equal(item, said, (PidTagBody, PidTagHtml)) else None


def _parts(part: Part) -> Iterator[Part]:
    """A part and those within it, but for those of messages within."""
    yield part
    if part.type == "multipart":
        for child in part.children:
            yield from _parts(child)


def _says_more(part: Part) -> bool:
    if part.type == "multipart":
        return part.subtype in _MULTIPARTS
    return part.type == "message" and part.subtype not in _MESSAGES


def _can_be_sent(entity: bytes) -> bool:
    """RFC 5322 2.1.1, RFC 2045 2.7: ASCII in lines of bounded length."""
    if not entity.isascii() or b"\0" in entity or len({entity.count(end) for end in _ENDS}) > 1:
        return False
    return max(map(len, entity.split(b"\r\n"))) <= MAX_LINE


def _equal(one: Item, other: Item, tags: tuple[int, ...]) -> bool:
    if len(one.attachments) != len(other.attachments):
        return False
    if any(_even(one.props.get(tag)) != _even(other.props.get(tag)) for tag in tags):
        return False
    return all(_same(mine, its) for mine, its in zip(one.attachments, other.attachments, strict=True))


def _same(one: ItemAttachment, other: ItemAttachment) -> bool:
    if one.embedded is None or other.embedded is None:
        return one.embedded is other.embedded and one.data == other.data
    return _equal(one.embedded, other.embedded, (PidTagSubject, PidTagBody, PidTagHtml))


def _even(value: object) -> object:
    """Line ends are no difference, nor is a body that is empty from one that is not there."""
    if isinstance(value, str):
        value = value.replace("\r", "")
    elif isinstance(value, bytes):
        value = value.replace(b"\r", b"")
    return value or None
