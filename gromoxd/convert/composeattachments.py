"""Attachments as MIME parts: files, embedded messages, cards, files of a Macintosh, references ([MS-OXCMAIL] 2.1.3.4).

An embedded message is made by the caller (`gromoxd.convert.compose`), which gives its octets.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from gromoxd.convert.appledouble import ENCODING, apple_double
from gromoxd.convert.composeparts import encoded_text, multipart, octets_entity, text_entity
from gromoxd.convert.headerlines import clean, parametrised
from gromoxd.convert.headerlines import field as text_field
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named_tags import PidNameAttachmentMacContentType, PidNameAttachmentMacInfo
from gromoxd.mapi.proptags import (
    PidTagAttachContentId,
    PidTagAttachContentLocation,
    PidTagAttachEncoding,
    PidTagAttachFilename,
    PidTagAttachLongFilename,
    PidTagAttachLongPathname,
    PidTagAttachMethod,
    PidTagAttachMimeTag,
    PidTagAttachPathname,
    PidTagBody,
    PidTagDisplayName,
    PidTagHtml,
    PidTagMessageClass,
    PidTagRtfCompressed,
    PidTagSubject,
    PidTagTextAttachmentCharset,
    PidTagTransportMessageHeaders,
)

Compose = Callable[[Item], bytes | None]
_REFERENCES = (AttachMethod.afByReference, AttachMethod.afByReferenceOnly, AttachMethod.afByWebReference)
_HEADERS = ("text/rfc822-headers", "text/global-headers")
_STATUS = ("message/delivery-status", "message/disposition-notification")
"""What must not be encoded (RFC 3464 2.1.2, RFC 8098 3)."""
_BODIES = (PidTagBody, PidTagHtml, PidTagRtfCompressed)
_EXCEPTION = "IPM.OLE.CLASS.{00061055-0000-0000-C000-000000000046}"
"""Message class of an exception embedded in a recurring appointment ([MS-OXOCAL] 2.2.10.2.1)."""
_URL = frozenset("!#$%&'()*+,-./:;=?@_~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")


def is_shown(attachment: ItemAttachment, html: bytes) -> bool:
    """Whether the HTML refers to the attachment ([MS-OXCMAIL] 2.1.3.4.1)."""
    identity = attachment.props.get(PidTagAttachContentId)
    if isinstance(identity, str) and (identity := identity.strip("<> ")):
        for written in {identity, quote(identity, safe="@$.!-_'()*+,;=:")}:
            if b"cid:" + written.encode("utf-8", "replace") in html:
                return True
    place = attachment.props.get(PidTagAttachContentLocation)
    return isinstance(place, str) and bool(place) and place.encode("utf-8", "replace") in html


def is_exception(attachment: ItemAttachment) -> bool:
    """Whether it is an exception of a recurring appointment, which the calendar part tells of."""
    embedded = attachment.embedded
    return embedded is not None and str(embedded.props.get(PidTagMessageClass, "")).upper() == _EXCEPTION


def attachment_part(attachment: ItemAttachment, inline: bool, embedded: Compose) -> bytes | None:
    """The part of an attachment, None for one that cannot be said. `embedded` makes the octets of a message."""
    if attachment.embedded is not None:
        return (
            _card(attachment)
            or header_part(attachment, _mime_tag(attachment.props) in _HEADERS)
            or _message(attachment, embedded(attachment.embedded))
        )
    props = attachment.props
    if not attachment.data and props.get(PidTagAttachMethod) in _REFERENCES:
        reference = _reference(attachment)
        if reference is not None:
            return reference
    return _apple(attachment, inline) or _file(_mime_tag(props), attachment, attachment.data, inline)


def _file(kind: str, attachment: ItemAttachment, data: bytes, inline: bool) -> bytes:
    """[MS-OXCMAIL] 2.1.3.4.2.2."""
    name = attachment_name(attachment.props)
    told = str(attachment.props.get(PidTagAttachMimeTag, "")).lower()
    status = told in _STATUS and encoded_text(data)[0] == "7bit"
    params = [("charset", charset)] if kind.startswith("text/") and (charset := _charset(attachment.props)) else []
    params += [("name", name)] if name.isascii() else []
    head = parametrised("Content-Type", told if status else kind, params)
    head += parametrised("Content-Disposition", "inline" if inline else "attachment", [("filename", name)])
    head += _identity(attachment.props)
    return head + b"\r\n" + encoded_text(data)[1] if status else octets_entity(head, data)


def _charset(props: Bag) -> str:
    """PidTagTextAttachmentCharset ([MS-OXCMSG] 2.2.2.25)."""
    charset = props.get(PidTagTextAttachmentCharset)
    return charset if isinstance(charset, str) and len(charset) < 60 and _TOKEN.issuperset(charset) else ""


def _identity(props: Bag) -> bytes:
    """Content-ID (RFC 2392) and Content-Location (RFC 2557)."""
    out = b""
    identity, place = props.get(PidTagAttachContentId), props.get(PidTagAttachContentLocation)
    if isinstance(identity, str) and (identity := identity.strip("<> ")):
        out += text_field("Content-ID", f"<{identity}>")
    if isinstance(place, str) and place:
        out += text_field("Content-Location", place)
    return out


def _message(attachment: ItemAttachment, octets: bytes | None) -> bytes | None:
    """An embedded message ([MS-OXCMAIL] 2.1.3.5)."""
    if octets is None:
        return None
    encoding = b"7bit" if octets.isascii() else b"8bit"
    head = b"Content-Type: message/rfc822\r\n"
    head += parametrised("Content-Disposition", "attachment", _named(attachment.props))
    head += _identity(attachment.props)
    return head + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + octets


def header_part(attachment: ItemAttachment, wanted: bool = True) -> bytes | None:
    """The part of a message of which there is only a header (RFC 6522 4), None for a whole one, or not `wanted`."""
    original = attachment.embedded
    if original is None or not wanted or original.attachments:
        return None
    props, header = original.props, original.props.get(PidTagTransportMessageHeaders)
    if not isinstance(header, str) or any(props.get(tag) and props[tag] != header for tag in _BODIES):
        return None
    head = parametrised("Content-Disposition", "attachment", _named(attachment.props)) + _identity(attachment.props)
    return text_entity("rfc822-headers", header.encode("utf-8", "replace"), "utf-8", (), head)


def _named(props: Bag) -> list[tuple[str, str]]:
    """The file name of a message, where it has one."""
    name = attachment_name(props)
    given = props.get(PidTagAttachLongFilename) or name.lower().endswith(".eml")
    return [("filename", name)] if given else []


def _card(attachment: ItemAttachment) -> bytes | None:
    """A contact as a vCard ([MS-OXCMAIL] 2.1.3.4.6)."""
    contact = attachment.embedded
    if contact is None or not str(contact.props.get(PidTagMessageClass, "")).upper().startswith("IPM.CONTACT"):
        return None
    from gromoxd.convert.vcard import to_vcard  # rare, and large

    try:
        card = to_vcard(contact, version="3.0")
    except WireError:
        return None
    name = str(contact.props.get(PidTagDisplayName) or contact.props.get(PidTagSubject) or "contact")[:200] + ".vcf"
    head = parametrised("Content-Disposition", "attachment", [("filename", name)]) + _identity(attachment.props)
    named = [("name", name)] if name.isascii() else []
    return text_entity("directory", card, "utf-8", [("profile", "vCard"), *named], head)


def _apple(attachment: ItemAttachment, inline: bool) -> bytes | None:
    """multipart/appledouble of a file of a Macintosh ([MS-OXCMAIL] 2.1.3.4.3)."""
    props, known = attachment.props, attachment.props.get(PidNameAttachmentMacInfo)
    kind = props.get(PidNameAttachmentMacContentType)
    tag = _media_type(kind) if isinstance(kind, str) else _mime_tag(props)
    if tag.startswith("application/applefile"):
        tag = "application/octet-stream"
    if isinstance(known, bytes) and known:
        header, data = known, attachment.data
    elif props.get(PidTagAttachEncoding) == ENCODING and (parts := apple_double(attachment.data)) is not None:
        header, data = parts
    else:
        return None
    name = attachment_name(props)
    head = parametrised("Content-Type", "application/applefile", [("name", name)] if name.isascii() else [])
    return multipart("appledouble", [octets_entity(head, header), _file(tag, attachment, data, inline)])


def _reference(attachment: ItemAttachment) -> bytes | None:
    """What is elsewhere: message/external-body with its URL (RFC 2017)."""
    props = attachment.props
    place = props.get(PidTagAttachLongPathname) or props.get(PidTagAttachPathname)
    if not isinstance(place, str) or not place:
        return None
    place = clean(place)[:2000]
    url = place if "://" in place[:20] else "file:" + place.replace("\\", "/")
    url = "".join([char if char in _URL else quote(char, safe="") for char in url])
    params = [("access-type", "URL"), ("URL", url), ("name", attachment_name(props))]
    kind = parametrised("Content-Type", _mime_tag(props), [])
    return parametrised("Content-Type", "message/external-body", params) + b"\r\n" + kind + b"\r\n"


def attachment_name(props: Bag) -> str:
    """[MS-OXCMAIL] 2.1.3.4.2.2: the long name, the short one, or the display name."""
    for tag in (PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName):
        name = props.get(tag)
        if isinstance(name, str) and name:
            return name
    return "attachment.ole" if props.get(PidTagAttachMethod) == AttachMethod.afStorage else "attachment"


_TOKEN = frozenset("!#$&-^_.+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def _mime_tag(props: Bag) -> str:
    """PidTagAttachMimeTag if it is a media type of octets, application/octet-stream else."""
    tag = props.get(PidTagAttachMimeTag)
    return _media_type(tag) if isinstance(tag, str) else "application/octet-stream"


def _media_type(tag: str) -> str:
    if len(tag) < 100:
        kind, _, subtype = tag.partition("/")
        token = bool(kind and subtype) and _TOKEN.issuperset(kind) and _TOKEN.issuperset(subtype)
        if token and kind.lower() not in ("multipart", "message"):
            return tag.lower()
    return "application/octet-stream"
