"""Which MIME parts are attachments, their property bags, and the message class that the structure means.

[MS-OXCMAIL] 2.2.3.4, 2.2.3.5, [MS-OXOSMIME] 2.1. Content is not copied: a bag names the part (PROP_PART_PATH).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gromoxd.convert.dates import parse_date
from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.mime import MAX_PART_HEADER, Octets, Part
from gromoxd.convert.reports import is_header_part, is_machine_part
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
from gromoxd.mapi.named_tags import PidNameAttachmentMacContentType
from gromoxd.mapi.proptags import (
    PROP_PART_PATH,
    PidTagAttachContentId,
    PidTagAttachContentLocation,
    PidTagAttachExtension,
    PidTagAttachFlags,
    PidTagAttachLongFilename,
    PidTagAttachmentHidden,
    PidTagAttachMethod,
    PidTagAttachMimeTag,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagCreationTime,
    PidTagDisplayName,
    PidTagLastModificationTime,
    PidTagRenderingPosition,
    PidTagTextAttachmentCharset,
)
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT

BY_VALUE, EMBEDDED_MESSAGE = int(AttachMethod.afByValue), int(AttachMethod.afEmbeddedMessage)
"""PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9): afByValue, afEmbeddedMessage."""
RENDERED_IN_BODY = 0x00000004
"""PidTagAttachFlags ([MS-OXCMSG] 2.2.2.18): attRenderedInBody."""
NOT_RENDERED = -1
MAX_NAME = 255
UUENCODED = ("x-uuencode", "x-uue", "uuencode")
"""Content-Transfer-Encodings that are none of RFC 2045's ([MS-OXCMAIL] 2.2.3.4.1.1)."""

_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def attachment_bags(raw: Octets, root: Part, consumed: str | None = None) -> list[Bag]:
    """A bag for each attachment, in the order of the message; none for a message of body text only.

    `consumed`: the section number of a part that is no attachment because the message is what it says; '' where that
    is a report, whose part for programs is none.
    """
    if root.type == "multipart":
        if signed_by_smime(root):
            return [_whole(root, "multipart/signed")]
    elif is_smime(root):
        return [_whole(root, f"{root.type}/{root.subtype}")]
    elif _is_body(root, root):
        return []
    found = list(_found(root))
    if consumed is not None:
        found = [one for one in found if one[1] != consumed and not (not consumed and is_machine_part(one[0]))]
    shows = any(one[2].subtype == "related" for one in found) and _has_html(root)
    return [_bag(raw, part, path, parent, number, shows) for number, (part, path, parent) in enumerate(found)]


def _found(root: Part) -> Iterator[tuple[Part, str, Part]]:
    """(part, section number, parent) of the attachments. What is within an attached message belongs to that."""
    if root.type != "multipart":
        yield root, "1", root
        return
    stack = [(root, "", root)]
    while stack:
        part, path, parent = stack.pop()
        if part.type == "multipart":
            children = _numbered(part)
            if part.subtype == "appledouble" and len(children) > 1:
                children = [one for one in children if one[1].subtype != "applefile"] or children
            prefix = f"{path}." if path else ""
            stack += [(child, f"{prefix}{number}", part) for number, child in children]
        elif not _is_body(part, parent):
            yield part, path, parent


def _numbered(part: Part) -> list[tuple[int, Part]]:
    """Last first, as a stack wants them."""
    return list(enumerate(part.children, 1))[::-1]


def _has_html(part: Part) -> bool:
    return (part.type == "text" and part.subtype == "html") or (
        part.type == "multipart" and any(_has_html(child) for child in part.children)
    )


def _is_body(part: Part, parent: Part) -> bool:
    """Text without a name that is not marked as attachment ([MS-OXCMAIL] 2.2.3.3); any text of an alternative."""
    if part.type != "text" or part.disposition == "attachment" or part.subtype == "calendar":
        return False
    if parent.subtype == "alternative" and parent.type == "multipart":
        return True
    return part.subtype in ("plain", "html", "enriched") and not part.filename


def _bag(raw: Octets, part: Part, path: str, parent: Part, number: int, shows: bool) -> Bag:
    embedded = part.is_message or is_header_part(part)
    name = _name(raw, part, parent)
    bag: Bag = {
        PROP_PART_PATH: path,
        PidTagAttachNumber: number,
        PidTagAttachMimeTag: f"{part.type}/{part.subtype}",
        PidTagAttachMethod: EMBEDDED_MESSAGE if embedded else BY_VALUE,
        PidTagAttachSize: decoded_size(part),
        PidTagRenderingPosition: NOT_RENDERED,
        PidTagDisplayName: name,
    }
    if not embedded or part.filename:
        bag[PidTagAttachLongFilename] = name
        bag[PidTagAttachExtension] = _extension(name)
    if part.id:
        bag[PidTagAttachContentId] = part.id.strip().removeprefix("<").removesuffix(">")
    if part.location:
        bag[PidTagAttachContentLocation] = part.location
    if shows and (part.id or part.location) and parent.subtype == "related" and _is_image(part):
        bag[PidTagAttachFlags] = RENDERED_IN_BODY
        bag[PidTagAttachmentHidden] = True
    if part.type == "text" and part.param("charset"):
        bag[PidTagTextAttachmentCharset] = part.charset
    if len(part.disposition_params) > 1:
        _times(bag, part)
    if parent.subtype == "appledouble":
        bag[PidNameAttachmentMacContentType] = f"{part.type}/{part.subtype}"
    return bag


def _is_image(part: Part) -> bool:
    return part.type == "image" or (
        part.subtype == "octet-stream" and (part.filename or "").lower().endswith((".png", ".jpg", ".jpeg", ".gif"))
    )


def _times(bag: Bag, part: Part) -> None:
    """RFC 2183 2.4 and 2.5 ([MS-OXCMAIL] 2.2.3.4.1)."""
    for name, tag in (("creation-date", PidTagCreationTime), ("modification-date", PidTagLastModificationTime)):
        for key, value in part.disposition_params:
            when = parse_date(value.encode("utf-8", "replace")) if key == name else None
            if when is not None:
                bag[tag] = when[0] * TICKS + UNIX_EPOCH_NT


def _whole(root: Part, mime_tag: str) -> Bag:
    """The one attachment of an S/MIME message: its MIME entity as it is ([MS-OXOSMIME] 2.1)."""
    return {
        PROP_PART_PATH: "", PidTagAttachNumber: 0, PidTagAttachMimeTag: mime_tag, PidTagAttachMethod: BY_VALUE,
        PidTagAttachSize: root.body_length, PidTagRenderingPosition: NOT_RENDERED, PidTagDisplayName: "smime.p7m",
        PidTagAttachLongFilename: "smime.p7m", PidTagAttachExtension: ".p7m",
    }  # fmt: skip


def _name(raw: Octets, part: Part, parent: Part) -> str:
    """File name without path or control characters; an embedded message's subject; 'attachment' failing all."""
    name = part.filename or part.description
    if part.type == "message" and part.subtype == "external-body" and is_shortcut(part):
        name = (name or "attachment").rpartition("/")[2].rpartition(".")[0] + ".url"
    if not name and part.is_message:
        child = part.children[0]
        stop = child.header_offset + min(child.header_length, MAX_PART_HEADER)
        name = decode_header(field_map(raw[child.header_offset : stop]).get(b"subject", b"")[: MAX_NAME * 4])
        return name[:MAX_NAME] or "message"
    if not name and parent.subtype == "appledouble":
        name = next((one.filename for one in (parent, *parent.children[:2]) if one.filename), None)
    if not name:
        return "calendar.ics" if part.subtype == "calendar" else "attachment"
    if "=?" in name:
        name = decode_header(name.encode("utf-8", "replace"))
    return _UNSAFE.sub("_", name.strip())[-MAX_NAME:] or "attachment"


def is_shortcut(part: Part) -> bool:
    """A message/external-body that is shown as a link ([MS-OXCMAIL] 2.2.3.5)."""
    return (part.param("access-type") or "").lower() == "anon-ftp"


def _extension(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 and len(name) - dot <= 20 else ""


def decoded_size(part: Part) -> int:
    """Octets after decoding, for base64 reckoned from the length in lines of 76 (RFC 2045 6.8), unread."""
    if part.encoding != "base64":
        return part.body_length * 3 // 4 if part.encoding in UUENCODED else part.body_length
    return part.body_length * 76 // 78 * 3 // 4


_PKCS7_MIME = ("pkcs7-mime", "x-pkcs7-mime")
_PKCS7_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")


def signed_by_smime(root: Part) -> bool:
    """multipart/signed of S/MIME (RFC 8551 3.5.3.2)."""
    return root.subtype == "signed" and (root.param("protocol") or "").lower() in _PKCS7_SIGNATURE


def is_smime(root: Part) -> bool:
    """An opaque-signed or encrypted message ([MS-OXOSMIME] 2.1). Certificates alone (RFC 8551 3.8) are neither."""
    if root.type != "application":
        return False
    if root.subtype in _PKCS7_MIME:
        return (root.param("smime-type") or "").lower() != "certs-only"
    return root.subtype == "octet-stream" and (root.filename or "").lower().endswith(".p7m")


def message_class(root: Part) -> str:
    """PidTagMessageClass from the structure ([MS-OXCMAIL] 2.1.3.2.1 read the other way, [MS-OXOSMIME] 2.1)."""
    if root.type == "multipart":
        if signed_by_smime(root):
            return "IPM.Note.SMIME.MultipartSigned"
    elif is_smime(root):
        return "IPM.Note.SMIME"
    return "IPM.Note"
