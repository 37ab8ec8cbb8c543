"""The RFC 5322 form of a message that a MAPI client made: the MIME writer of [MS-OXCMAIL] 2.1.

Pure and stable: the same message gives the same octets, boundaries and a missing Message-ID being hashes of what they
stand for. `digest_message` reads the result back to the same subject, recipients and attachments. The header's fields
are made in `gromoxd.convert.composeheader`.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence

from gromoxd.convert import bodies
from gromoxd.convert.composeheader import header_fields, named_fields
from gromoxd.convert.headerlines import field as text_field
from gromoxd.convert.headerlines import parametrised
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.keptheader import kept_fields
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    PidTagAttachContentId,
    PidTagAttachContentLocation,
    PidTagAttachFilename,
    PidTagAttachLongFilename,
    PidTagAttachMimeTag,
    PidTagDisplayName,
    PidTagInternetMessageId,
    PidTagMessageClass,
    PidTagTransportMessageHeaders,
)

MAX_DEPTH = 20
"""Of messages within messages; what is deeper is left out."""
MAX_LINE = 998
_BASE64_LINE = 76
_PIECE = 57 * 4096
"""Octets that are encoded at a time, whole lines of them."""


def compose(item: Item, *, host: str, bcc: bool = True) -> bytes:
    """The octets of a message. `host`: the domain of what needs one and has none (Message-ID, non-SMTP addresses).

    `bcc` False leaves the Bcc field out, as a message that is sent must not have it (RFC 5322 3.6.3), and what is kept
    of an earlier journey.
    """
    return _message(item, host, bcc, 0)


def _message(item: Item, host: str, bcc: bool, depth: int) -> bytes:
    fields = header_fields(item.props, item.recipients, host, bcc) + named_fields(item)
    if bcc:
        fields = kept_fields(item.props.get(PidTagTransportMessageHeaders)) + fields
    entity = _smime(item) or _content(item, host, depth)
    head = b"".join(fields)
    if not item.props.get(PidTagInternetMessageId):
        identity = hashlib.blake2b(head + entity, digest_size=15).hexdigest()
        head += f"Message-ID: <{identity}@{host}>\r\n".encode()
    return head + b"MIME-Version: 1.0\r\n" + entity


def _smime(item: Item) -> bytes | None:
    """A signed message whose one attachment is its MIME entity ([MS-OXOSMIME] 2.1.2)."""
    kind = str(item.props.get(PidTagMessageClass, "")).upper()
    if not kind.startswith("IPM.NOTE.SMIME") or len(item.attachments) != 1:
        return None
    data = item.attachments[0].data
    if kind.startswith("IPM.NOTE.SMIME.MULTIPARTSIGNED"):
        return data if data[:13].lower() == b"content-type:" and data.isascii() else None
    head = parametrised("Content-Type", "application/pkcs7-mime", [("name", "smime.p7m")])
    head += parametrised("Content-Disposition", "attachment", [("filename", "smime.p7m")])
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64_lines(data)


# ------------------------------------------------------------------------------------------ content


def _content(item: Item, host: str, depth: int) -> bytes:
    """The entity: body, what the body shows (RFC 2387), and the rest ([MS-OXCMAIL] 2.1.3.4)."""
    plain, html, charset = bodies.mail_bodies(item.props)
    shown: list[bytes] = []
    others: list[bytes] = []
    for attachment in item.attachments:
        inline = html is not None and _is_shown(attachment, html)
        part = _attachment(attachment, inline, host, depth)
        if part is not None:
            (shown if inline else others).append(part)
    parts = []
    if plain is not None or html is None:
        parts.append(_text("plain", (plain or "").encode("utf-8", "replace"), "utf-8"))
    if html is not None:
        rich = _text("html", html, charset)
        parts.append(_multipart("related", [rich, *shown], [("type", "text/html")]) if shown else rich)
    body = parts[0] if len(parts) == 1 else _multipart("alternative", parts)
    return _multipart("mixed", [body, *others]) if others else body


def _is_shown(attachment: ItemAttachment, html: bytes) -> bool:
    """Whether the HTML refers to the attachment ([MS-OXCMAIL] 2.1.3.4.1)."""
    identity = attachment.props.get(PidTagAttachContentId)
    if isinstance(identity, str) and identity and b"cid:" + identity.encode("utf-8", "replace") in html:
        return True
    place = attachment.props.get(PidTagAttachContentLocation)
    return isinstance(place, str) and bool(place) and place.encode("utf-8", "replace") in html


def _multipart(subtype: str, parts: list[bytes], params: Sequence[tuple[str, str]] = ()) -> bytes:
    """Parts between boundaries that none of them contains (RFC 2046 5.1)."""
    boundary = _boundary(parts)
    head = parametrised("Content-Type", f"multipart/{subtype}", [*params, ("boundary", boundary.decode())])
    out = [head, b"\r\n"]
    for part in parts:
        out += (b"--", boundary, b"\r\n", part, b"\r\n")
    out += (b"--", boundary, b"--\r\n")
    return b"".join(out)


def _boundary(parts: list[bytes]) -> bytes:
    hashed = hashlib.blake2b(digest_size=12)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    boundary = b"=_" + hashed.hexdigest().encode()
    while any(boundary in part for part in parts):
        hashed.update(boundary)
        boundary = b"=_" + hashed.hexdigest().encode()
    return boundary


def _text(subtype: str, data: bytes, charset: str) -> bytes:
    """A text part in the cheapest encoding that carries it (RFC 2045 6.7, 6.8)."""
    encoding, body = encoded_text(data)
    if charset == "utf-8" and data.isascii():
        charset = "us-ascii"
    return (
        f'Content-Type: text/{subtype}; charset="{charset}"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'.encode()
        + body
    )


def encoded_text(data: bytes) -> tuple[str, bytes]:
    """(Content-Transfer-Encoding, octets) of text, its line breaks made CRLF."""
    data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\0", b"")
    if data.isascii() and _short_lines(data):
        return "7bit", data.replace(b"\n", b"\r\n")
    strange = len(data.translate(None, _ASCII))
    data = data.replace(b"\n", b"\r\n")
    if strange * 6 > len(data):
        return "base64", base64_lines(data)
    quoted = binascii.b2a_qp(data + b"\r\n", istext=True)
    return "quoted-printable", quoted[:-2]


_ASCII = bytes(range(128))


def _short_lines(data: bytes) -> bool:
    return len(data) < MAX_LINE or max(map(len, data.split(b"\n"))) <= MAX_LINE


def base64_lines(data: bytes) -> bytes:
    """RFC 2045 6.8 in lines of 76; in pieces, so that other threads get their turn."""
    lines: list[bytes] = []
    for start in range(0, len(data), _PIECE):
        text = binascii.b2a_base64(data[start : start + _PIECE], newline=False)
        lines += [text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE)]
    return b"\r\n".join(lines)


# ------------------------------------------------------------------------------------------ attachments


def _attachment(attachment: ItemAttachment, inline: bool, host: str, depth: int) -> bytes | None:
    """The part of an attachment, None for a message nested too deep."""
    props = attachment.props
    extra = []
    identity, place = props.get(PidTagAttachContentId), props.get(PidTagAttachContentLocation)
    if isinstance(identity, str) and identity:
        extra.append(text_field("Content-ID", f"<{identity.strip('<> ')}>"))
    if isinstance(place, str) and place:
        extra.append(text_field("Content-Location", place))
    if attachment.embedded is not None:
        if depth >= MAX_DEPTH:
            return None
        octets = _message(attachment.embedded, host, True, depth + 1)
        encoding = b"7bit" if octets.isascii() else b"8bit"
        head = b"Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n"
        return head + b"".join(extra) + b"Content-Transfer-Encoding: " + encoding + b"\r\n\r\n" + octets
    name = attachment_name(props)
    head = parametrised("Content-Type", _mime_tag(props), [("name", name)] if name.isascii() else [])
    head += parametrised("Content-Disposition", "inline" if inline else "attachment", [("filename", name)])
    head += b"".join(extra) + b"Content-Transfer-Encoding: base64\r\n\r\n"
    return head + base64_lines(attachment.data)


def attachment_name(props: Bag) -> str:
    """[MS-OXCMAIL] 2.1.3.4.1.1: the long name, the short one, or the display name."""
    for tag in (PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName):
        name = props.get(tag)
        if isinstance(name, str) and name:
            return name
    return "attachment"


_TOKEN = frozenset("!#$&-^_.+abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")


def _mime_tag(props: Bag) -> str:
    """PidTagAttachMimeTag if it is a media type of octets, application/octet-stream else."""
    tag = props.get(PidTagAttachMimeTag)
    if isinstance(tag, str) and len(tag) < 100:
        kind, _, subtype = tag.partition("/")
        token = bool(kind and subtype) and _TOKEN.issuperset(kind) and _TOKEN.issuperset(subtype)
        if token and kind.lower() not in ("multipart", "message"):
            return tag.lower()
    return "application/octet-stream"
