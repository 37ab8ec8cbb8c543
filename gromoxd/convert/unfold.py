"""What is in a message's parts: its bodies, its attachments' octets, taken out of the RFC 5322 form when needed.

The reader's side of [MS-OXCMAIL] 2.2.3.3 to 2.2.3.5. The store keeps delivered messages as they came and only refers
into them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from gromoxd.convert.attachments import is_shortcut
from gromoxd.convert.charsets import SAMPLE, codec_of, codepage, decode_body, html_charset
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.mime import Octets, Part
from gromoxd.convert.partitem import split_path
from gromoxd.convert.searchtext import part_octets
from gromoxd.convert.sections import header_fields
from gromoxd.convert.structure import item_of_part, part_at
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagInternetCodepage

MAX_DEPTH = 20
UTF8 = 65001
_WIDE = (1200, 1201, 12000, 12001, 65000)
_ENTITY = frozenset((b"CONTENT-TYPE", b"CONTENT-TRANSFER-ENCODING"))
_SHORTCUT_MODES = {"ascii": ";type=a", "image": ";type=i"}


# ---------------------------------------------------------------------------------------------- attachments


def attachment_octets(raw: Octets, root: Part, path: str) -> bytes:
    """The octets of the part that an attachment refers to, transfer encoding undone; b'' when there is none.

    Path '' is the whole content of an S/MIME message, its entity header included when it is clear-signed
    ([MS-OXOSMIME] 2.1.2); "2!0" the first attachment of the item that part 2 is.
    """
    section, number = split_path(path)
    if number is not None:
        one = attachment_of_item(item_of_part(raw, root, section), number)
        return one.data if one is not None else b""
    if path:
        part = part_at(root, path)
        if part is None:
            return b""
        if part.type == "message" and part.subtype == "external-body":
            return _external(raw, part)
        return part_octets(raw, part, part.body_offset + part.body_length)
    body = part_octets(raw, root, root.body_offset + root.body_length)
    if not root.is_multipart:
        return body
    return header_fields(raw[root.header_offset : root.header_offset + root.header_length], _ENTITY, False) + body


def mac_info(raw: Octets, root: Part, path: str) -> bytes:
    """PidNameAttachmentMacInfo of a file in a multipart/appledouble (RFC 1740): its other part, b'' without one."""
    parent = part_at(root, path.rpartition(".")[0])
    if parent is None or parent.subtype != "appledouble":
        return b""
    part = next((one for one in parent.children if one.subtype == "applefile"), None)
    return part_octets(raw, part, part.body_offset + part.body_length) if part is not None else b""


def attachment_of_item(item: Item | None, number: int) -> ItemAttachment | None:
    """An attachment of an item by number, None when there is none."""
    return item.attachments[number] if item is not None and number < len(item.attachments) else None


def _external(raw: Octets, part: Part) -> bytes:
    """[MS-OXCMAIL] 2.2.3.5: a link to what lies on an FTP server; of anything else the part with its header."""
    if not is_shortcut(part):
        return raw[part.header_offset : part.body_offset + part.body_length]
    site, directory, name = (part.param(key) or "" for key in ("site", "directory", "name"))
    mode = _SHORTCUT_MODES.get((part.param("mode") or "").lower(), "")
    url = f"ftp://{site}/{directory.strip('/')}/{name}{mode}".replace("\r", "").replace("\n", "")
    return f"[InternetShortcut]\r\nURL={url}\r\n".encode("ascii", "replace")


# ---------------------------------------------------------------------------------------------- bodies


def bodies(raw: Octets, root: Part) -> Bag:
    """PidTagBody, PidTagHtml and PidTagInternetCodepage, as far as the message has such bodies."""
    plain, html = body_parts(root)
    bag: Bag = {}
    if plain:
        bag[PidTagBody] = plain_body(raw, plain)
    if html:
        bag[PidTagHtml], bag[PidTagInternetCodepage] = html_body(raw, html), html_code_page(raw, html)
    return bag


def plain_body(raw: Octets, parts: list[Part]) -> str:
    """PidTagBody of parts of plain text."""
    return "\r\n".join([_text(raw, part) for part in parts])


def html_body(raw: Octets, parts: list[Part]) -> bytes:
    """PidTagHtml of parts of text: one of HTML as it is, several and other formats as UTF-8."""
    if _is_plain_html(parts):
        octets = _octets(raw, parts[0])
        charset = _charset(raw, parts[0])
        return octets if _page(charset) else decode_body(octets, charset).encode("utf-8", "replace")
    return "\r\n".join([_as_html(raw, part) for part in parts]).encode("utf-8", "replace")


def html_code_page(raw: Octets, parts: list[Part]) -> int:
    """The code page of `html_body`. Of labelled HTML no more than a sample is read."""
    return _page(_charset(raw, parts[0])) or UTF8 if _is_plain_html(parts) else UTF8


def _charset(raw: Octets, part: Part) -> str:
    """The charset of HTML: as labelled if that can be, as it says itself, or as it looks."""
    label = part.param("charset")
    if label is not None and codec_of(label) not in (None, "ascii"):
        sample = part_octets(raw, part, part.body_offset + min(part.body_length, SAMPLE * 3))
        return html_charset(sample, label)
    return html_charset(_octets(raw, part), label)


def _page(charset: str) -> int:
    """The code page that HTML can have in a property: one of single octets, 0 for others."""
    page = codepage(charset)
    return 0 if page in _WIDE else page


def _is_plain_html(parts: list[Part]) -> bool:
    return len(parts) == 1 and parts[0].subtype == "html"


def _as_html(raw: Octets, part: Part) -> str:
    """A part as HTML among others: plain text keeps its lines and spaces."""
    if part.subtype == "html":
        return decode_body(_octets(raw, part), _charset(raw, part))
    text = _text(raw, part)
    if part.subtype == "enriched":
        from gromoxd.convert.enriched import enriched_to_html

        return enriched_to_html(text)
    return f'<div style="white-space: pre-wrap">{escape(text, quote=False)}</div>'


def body_parts(root: Part) -> tuple[list[Part], list[Part]]:
    """The parts that are plain and HTML body text ([MS-OXCMAIL] 2.2.3.3).

    Texts one after the other are all of the body. Where some of them are HTML only, the HTML body has all of them, and
    what is plain is made of that.
    """
    found = list(_texts(root, root, None))
    plain = [part for part, _ in found if part.subtype == "plain"]
    if len(plain) == len(found):
        return plain, []
    rich = {choice for part, choice in found if part.subtype == "html"} - {None}
    rich |= {choice for part, choice in found if part.subtype == "enriched"} - {None}
    html = [part for part, choice in found if part.subtype != "plain" or choice not in rich]
    read = {choice for part, choice in found if part.subtype == "plain"} - {None}
    if any(part.subtype != "plain" and choice not in read for part, choice in found):
        plain = []
    return plain, html


def _texts(part: Part, parent: Part, choice: Part | None) -> Iterator[tuple[Part, int | None]]:
    """(part, which multipart/alternative it is in if any) of body texts in order."""
    if part.type == "multipart":
        inside = part if choice is None and part.subtype == "alternative" else choice
        if part.subtype == "signed" and part.children:
            yield from _texts(part.children[0], part, inside)
            return
        for child in part.children:
            yield from _texts(child, part, inside)
    elif part.type == "text" and part.disposition != "attachment":
        chosen = parent.subtype == "alternative" and parent.type == "multipart"
        if part.subtype in ("plain", "html", "enriched") and (chosen or not part.filename):
            yield part, None if choice is None else choice.header_offset


def _octets(raw: Octets, part: Part) -> bytes:
    return part_octets(raw, part, part.body_offset + part.body_length)


def _text(raw: Octets, part: Part) -> str:
    return decode_body(_octets(raw, part), part.charset)
