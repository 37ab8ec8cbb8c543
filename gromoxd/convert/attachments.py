"""Which MIME parts are attachments, their property bags, and the message class that the structure means.

[MS-OXCMAIL] 2.2.3.4, [MS-OXOSMIME] 2.1. Content is not copied: a bag names the part (PROP_PART_PATH).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.mime import MAX_PART_HEADER, Octets, Part
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import AttachMethod
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
    PidTagDisplayName,
    PidTagRenderingPosition,
)

BY_VALUE, EMBEDDED_MESSAGE = int(AttachMethod.afByValue), int(AttachMethod.afEmbeddedMessage)
"""PidTagAttachMethod ([MS-OXCMSG] 2.2.2.9): afByValue, afEmbeddedMessage."""
RENDERED_IN_BODY = 0x00000004
"""PidTagAttachFlags ([MS-OXCMSG] 2.2.2.18): attRenderedInBody."""
NOT_RENDERED = -1
MAX_NAME = 255

_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')


def attachment_bags(raw: Octets, root: Part) -> list[Bag]:
    """A bag for each attachment, in the order of the message; none for a message of body text only."""
    if root.type == "multipart":
        if signed_by_smime(root):
            return [_whole(root, "multipart/signed")]
    elif is_smime(root):
        return [_whole(root, f"{root.type}/{root.subtype}")]
    elif _is_body(root, root):
        return []
    return [_bag(raw, part, path, parent, number) for number, (part, path, parent) in enumerate(_found(root))]


def _found(root: Part) -> Iterator[tuple[Part, str, Part]]:
    """(part, section number, parent) of the attachments. What is within an attached message belongs to that."""
    if root.type != "multipart":
        yield root, "1", root
        return
    stack = [(part, str(number), root) for number, part in _numbered(root)]
    while stack:
        part, path, parent = stack.pop()
        if part.type == "multipart":
            stack += [(child, f"{path}.{number}", part) for number, child in _numbered(part)]
        elif not _is_body(part, parent):
            yield part, path, parent


def _numbered(part: Part) -> list[tuple[int, Part]]:
    """Last first, as a stack wants them."""
    return list(enumerate(part.children, 1))[::-1]


def _is_body(part: Part, parent: Part) -> bool:
    """Text without a name that is not marked as attachment ([MS-OXCMAIL] 2.2.3.3); any text of an alternative."""
    if part.type != "text" or part.disposition == "attachment":
        return False
    if parent.subtype == "alternative" and parent.type == "multipart":
        return True
    return part.subtype in ("plain", "html", "enriched") and not part.filename


def _bag(raw: Octets, part: Part, path: str, parent: Part, number: int) -> Bag:
    name = _name(raw, part)
    bag: Bag = {
        PROP_PART_PATH: path,
        PidTagAttachNumber: number,
        PidTagAttachMimeTag: f"{part.type}/{part.subtype}",
        PidTagAttachMethod: EMBEDDED_MESSAGE if part.is_message else BY_VALUE,
        PidTagAttachSize: decoded_size(part),
        PidTagRenderingPosition: NOT_RENDERED,
        PidTagDisplayName: name,
    }
    if not part.is_message:
        bag[PidTagAttachLongFilename] = name
        bag[PidTagAttachExtension] = _extension(name)
    if part.id:
        bag[PidTagAttachContentId] = part.id.strip().removeprefix("<").removesuffix(">")
    if part.location:
        bag[PidTagAttachContentLocation] = part.location
    if (part.id or part.location) and parent.subtype == "related" and part.type == "image":
        bag[PidTagAttachFlags] = RENDERED_IN_BODY
        bag[PidTagAttachmentHidden] = True
    return bag


def _whole(root: Part, mime_tag: str) -> Bag:
    """The one attachment of an S/MIME message: its MIME entity as it is ([MS-OXOSMIME] 2.1)."""
    return {
        PROP_PART_PATH: "", PidTagAttachNumber: 0, PidTagAttachMimeTag: mime_tag, PidTagAttachMethod: BY_VALUE,
        PidTagAttachSize: root.body_length, PidTagRenderingPosition: NOT_RENDERED, PidTagDisplayName: "smime.p7m",
        PidTagAttachLongFilename: "smime.p7m", PidTagAttachExtension: ".p7m",
    }  # fmt: skip


def _name(raw: Octets, part: Part) -> str:
    """File name without path or control characters; an embedded message's subject; 'attachment' failing all."""
    name = part.filename or part.description
    if not name and part.is_message:
        child = part.children[0]
        stop = child.header_offset + min(child.header_length, MAX_PART_HEADER)
        name = decode_header(field_map(raw[child.header_offset : stop]).get(b"subject", b"")[: MAX_NAME * 4])
        return name[:MAX_NAME] or "message"
    if not name:
        return "attachment"
    if "=?" in name:
        name = decode_header(name.encode("utf-8", "replace"))
    return _UNSAFE.sub("_", name.strip())[-MAX_NAME:] or "attachment"


def _extension(name: str) -> str:
    dot = name.rfind(".")
    return name[dot:] if dot >= 0 and len(name) - dot <= 20 else ""


def decoded_size(part: Part) -> int:
    """Octets after decoding, for base64 reckoned from the length in lines of 76 (RFC 2045 6.8), unread."""
    if part.encoding != "base64":
        return part.body_length
    return part.body_length * 76 // 78 * 3 // 4


_PKCS7_MIME = ("pkcs7-mime", "x-pkcs7-mime")
_PKCS7_SIGNATURE = ("application/pkcs7-signature", "application/x-pkcs7-signature")


def signed_by_smime(root: Part) -> bool:
    """multipart/signed of S/MIME (RFC 8551 3.5.3.2)."""
    return root.subtype == "signed" and (root.param("protocol") or "").lower() in _PKCS7_SIGNATURE


def is_smime(root: Part) -> bool:
    """An opaque-signed or encrypted message ([MS-OXOSMIME] 2.1)."""
    if root.type != "application":
        return False
    if root.subtype in _PKCS7_MIME:
        return True
    return root.subtype == "octet-stream" and (root.filename or "").lower().endswith(".p7m")


_ACTION = re.compile(rb"(?im)^Action[ \t]*:[ \t]*([a-z]+)")
_DISPOSITION = re.compile(rb"(?im)^Disposition[ \t]*:[^;\n]*;[ \t]*([a-z]+)")
_DELIVERED = (b"delivered", b"relayed", b"expanded")
_REPORT_LOOK = 16 << 10


def message_class(raw: Octets, root: Part) -> str:
    """PidTagMessageClass from the structure ([MS-OXCMAIL] 2.1.3 read the other way, [MS-OXOSMIME] 2.1)."""
    if root.type == "multipart":
        if root.subtype == "report":
            return _report_class(raw, root)
        if signed_by_smime(root):
            return "IPM.Note.SMIME.MultipartSigned"
    elif is_smime(root):
        return "IPM.Note.SMIME"
    return "IPM.Note"


def _report_class(raw: Octets, root: Part) -> str:
    """Delivery reports (RFC 3464) and receipts (RFC 8098) by what their second part says."""
    for part in root.children:
        if part.type != "message":
            continue
        text = raw[part.body_offset : part.body_offset + min(part.body_length, _REPORT_LOOK)]
        if part.subtype in ("delivery-status", "global-delivery-status"):
            actions = {action.lower() for action in _ACTION.findall(text)}
            delivered = bool(actions) and all(action in _DELIVERED for action in actions)
            return "REPORT.IPM.Note.DR" if delivered else "REPORT.IPM.Note.NDR"
        if part.subtype in ("disposition-notification", "global-disposition-notification"):
            match = _DISPOSITION.search(text)
            read = match is None or match.group(1).lower() not in (b"deleted", b"denied", b"failed")
            return "REPORT.IPM.Note.IPNRN" if read else "REPORT.IPM.Note.IPNNRN"
    return "IPM.Note"
