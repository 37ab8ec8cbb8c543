"""The RFC 5322 form of a message that a MAPI client made: the MIME writer of [MS-OXCMAIL] 2.1.

Pure and stable: the same message gives the same octets, boundaries and a missing Message-ID being hashes of what they
stand for. `digest_message` reads the result back to the same subject, recipients and attachments. The header's fields
are made in `composeheader`, attachments in `composeattachments`, reports in `composereports`, the calendar part of a
meeting in `composemeeting`, what all of them are put together with in `composeparts`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import NamedTuple

from gromoxd.convert import bodies
from gromoxd.convert.composeattachments import attachment_part, header_part, is_exception, is_shown
from gromoxd.convert.composeheader import header_fields, keywords, named_fields
from gromoxd.convert.composemeeting import calendar_part
from gromoxd.convert.composeparts import multipart, octets_entity, text_entity
from gromoxd.convert.composereports import report_entity, report_kind, report_recipients
from gromoxd.convert.headerlines import field, id_words, parametrised
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.keptentity import kept_entity
from gromoxd.convert.keptheader import with_kept
from gromoxd.mapi.named_tags import PidLidUseTnef
from gromoxd.mapi.proptags import (
    PidTagAttachMimeTag,
    PidTagInternetMessageId,
    PidTagMessageClass,
    PidTagTnefCorrelationKey,
)

MAX_DEPTH = 20
"""Of messages within messages; what is deeper is left out."""


class _Way(NamedTuple):
    """How a message is made. `bcc` and `tnef` are for the outermost only."""

    host: str
    bcc: bool
    tnef: bool | None
    depth: int = 0

    def embedded(self, item: Item) -> bytes | None:
        """The octets of a message within, None when it is too deep."""
        if self.depth >= MAX_DEPTH:
            return None
        return _message(item, _Way(self.host, True, False, self.depth + 1))


def compose(item: Item, *, host: str, bcc: bool = True, tnef: bool | None = None) -> bytes:
    """The octets of a message. `host`: the domain of what needs one and has none (Message-ID, non-SMTP addresses).

    `bcc` False leaves the Bcc field out, as a message that is sent must not have it (RFC 5322 3.6.3), what is kept
    of an earlier journey, and the owner's categories. `tnef`: whether all that MIME does not say goes along as
    application/ms-tnef; None does what PidLidUseTnef asks for ([MS-OXOMSG] 2.2.1.66).
    """
    return _message(item, _Way(host, bcc, tnef))


def _message(item: Item, way: _Way) -> bytes:
    fields = header_fields(item.props, item.recipients, way.host, way.bcc, report_recipients(item, way.host))
    fields += named_fields(item, fields)
    if way.bcc:
        fields += keywords(item.props)
        fields = with_kept(item, fields)
    head = b"".join(fields)
    wanted = item.props.get(PidLidUseTnef) is True if way.tnef is None else way.tnef
    entity = _smime(item) or kept_entity(item)
    if entity is None and wanted:
        fields, entity = _tnef(item, head)
        head += b"".join(fields)
    entity = entity or _report(item, way) or _content(item, way)
    if not id_words(str(item.props.get(PidTagInternetMessageId) or "")):
        identity = hashlib.blake2b(head + entity, digest_size=15).hexdigest()
        head += f"Message-ID: <{identity}@{way.host}>\r\n".encode()
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
    return octets_entity(head, data)


def _tnef(item: Item, head: bytes) -> tuple[list[bytes], bytes]:
    """Further fields and the entity of a message as TNEF: its text, and winmail.dat with all the rest.

    [MS-OXCMAIL] 2.1.3.2.15, 2.1.3.3; the key that ties both together is in [MS-OXTNEF] 2.1.3.
    """
    from gromoxd.convert.tnef import to_tnef  # rare, and large

    key = item.props.get(PidTagInternetMessageId)
    if not isinstance(key, str) or not key.isascii() or not key:
        key = hashlib.blake2b(head, digest_size=15).hexdigest()
    packed = to_tnef(replace(item, props=item.props | {PidTagTnefCorrelationKey: key.encode() + b"\0"}))
    plain, _, _ = bodies.mail_bodies(item.props)
    kind = parametrised("Content-Type", "application/ms-tnef", [("name", "winmail.dat")])
    kind += parametrised("Content-Disposition", "attachment", [("filename", "winmail.dat")])
    fields = [field("X-MS-TNEF-Correlator", key)]
    if item.attachments:
        fields.append(field("X-MS-Has-Attach", "yes"))
    return fields, multipart("mixed", [_plain(item, plain or ""), octets_entity(kind, packed)])


# ------------------------------------------------------------------------------------------ content


class _Parts(NamedTuple):
    """The pieces of a message's content: texts, what they show, the rest."""

    texts: list[bytes]
    html: bool
    shown: list[bytes]
    others: list[bytes]


def _parts(item: Item, way: _Way) -> _Parts:
    plain, html, charset = bodies.mail_bodies(item.props)
    shown: list[bytes] = []
    others: list[bytes] = []
    for attachment in item.attachments:
        inline = html is not None and is_shown(attachment, html)
        part = None if is_exception(attachment) else attachment_part(attachment, inline, way.embedded)
        if part is not None:
            (shown if inline else others).append(part)
    texts = []
    if plain is not None or html is None:
        texts.append(_plain(item, plain or ""))
    if html is not None:
        texts.append(text_entity("html", html, charset))
    return _Parts(texts, html is not None, shown, others)


def _plain(item: Item, text: str) -> bytes:
    octets, charset = bodies.plain_octets(text, item.props)
    return text_entity("plain", octets, charset)


def _content(item: Item, way: _Way) -> bytes:
    """The entity: body, what the body shows (RFC 2387), and the rest ([MS-OXCMAIL] 2.1.3.4)."""
    parts = _parts(item, way)
    calendar = calendar_part(item)
    body = _meeting(parts, calendar) if calendar is not None else _body(parts)
    return multipart("mixed", [body, *parts.others]) if parts.others else body


def _body(parts: _Parts) -> bytes:
    texts = list(parts.texts)
    if parts.shown:
        texts[-1] = multipart("related", [texts[-1], *parts.shown], [("type", "text/html")])
    return texts[0] if len(texts) == 1 else multipart("alternative", texts)


def _meeting(parts: _Parts, calendar: bytes) -> bytes:
    """[MS-OXCMAIL] 2.1.3.3.8.2, 2.1.3.3.8.3: the calendar is the last of the alternatives, images are beside them."""
    body = multipart("alternative", [*parts.texts, calendar])
    return multipart("related", [body, *parts.shown], [("type", "multipart/alternative")]) if parts.shown else body


def _report(item: Item, way: _Way) -> bytes | None:
    """A report: its text, what machines read, and the message that it tells of ([MS-OXCMAIL] 2.1.3.6)."""
    if report_kind(item.props.get(PidTagMessageClass)) is None:
        return None
    text = replace(item, attachments=[one for one in item.attachments if one.embedded is None])
    parts = _parts(text, way)
    originals = [one for one in item.attachments if one.embedded is not None]
    original = next((part for one in originals if (part := _original(one, way)) is not None), None)
    body = multipart("mixed", [_body(parts), *parts.others]) if parts.others else _body(parts)
    return report_entity(item, body, original, way.host)


def _original(attachment: ItemAttachment, way: _Way) -> bytes | None:
    """Of an original that came from elsewhere than a mail there is often only the header."""
    header = header_part(attachment, PidTagAttachMimeTag not in attachment.props)
    return header or attachment_part(attachment, False, way.embedded)
