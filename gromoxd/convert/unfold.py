"""A delivered message as properties that stand alone: its bodies and attachments taken out of its RFC 5322 form.

The reader's side of [MS-OXCMAIL] 2.2.3.3 and 2.2.3.4. The store keeps delivered messages as they came and only refers
into them; this is for messages that a MAPI client changes in substance, and for opening those embedded in them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gromoxd.convert.attachments import EMBEDDED_MESSAGE
from gromoxd.convert.charsets import codepage, decode
from gromoxd.convert.digest import digest_message
from gromoxd.convert.mime import Octets, Part, decode_parts
from gromoxd.convert.searchtext import part_octets
from gromoxd.convert.sections import find_part, header_fields
from gromoxd.mapi.bag import Bag, decode_bag, decode_bags
from gromoxd.mapi.proptags import PROP_PART_PATH, PidTagAttachMethod, PidTagBody, PidTagHtml, PidTagInternetCodepage

MAX_DEPTH = 20
UTF8 = 65001
_ENTITY = frozenset((b"CONTENT-TYPE", b"CONTENT-TRANSFER-ENCODING"))


@dataclass(slots=True)
class Unfolded:
    """A message with all it has. `attachments`: (properties, octets, embedded message)."""

    props: Bag
    recipients: list[Bag]
    attachments: list[tuple[Bag, bytes, Unfolded | None]] = field(default_factory=list)


def unfold(raw: bytes, received: int, depth: int = 0) -> Unfolded:
    """A whole message from its octets."""
    digest = digest_message(raw, received=received)
    root = decode_parts(digest.parts)
    message = Unfolded(decode_bag(digest.props) | bodies(raw, root), decode_bags(digest.recipients))
    message.attachments = [take_out(raw, root, decode_bag(bag), received, depth) for bag in digest.attachments]
    return message


def take_out(raw: Octets, root: Part, bag: Bag, received: int, depth: int = 0) -> tuple[Bag, bytes, Unfolded | None]:
    """An attachment without its reference: (properties, octets, embedded message)."""
    path = bag.get(PROP_PART_PATH)
    own = {tag: value for tag, value in bag.items() if tag != PROP_PART_PATH}
    if not isinstance(path, str):
        return own, b"", None
    data = attachment_octets(raw, root, path)
    if bag.get(PidTagAttachMethod) != EMBEDDED_MESSAGE:
        return own, data, None
    if depth >= MAX_DEPTH:
        return own | {PidTagAttachMethod: 1}, data, None
    return own, b"", unfold(data, received, depth + 1)


def attachment_octets(raw: Octets, root: Part, path: str) -> bytes:
    """The octets of the part that an attachment refers to, transfer encoding undone; b'' when there is none.

    Path '' is the whole content of an S/MIME message, its entity header included when it is clear-signed
    ([MS-OXOSMIME] 2.1.2).
    """
    if path:
        part = find_part(root, tuple(int(number) for number in path.split(".")))
        return b"" if part is None else part_octets(raw, part, part.body_offset + part.body_length)
    body = part_octets(raw, root, root.body_offset + root.body_length)
    if not root.is_multipart:
        return body
    return header_fields(raw[root.header_offset : root.header_offset + root.header_length], _ENTITY, False) + body


# ---------------------------------------------------------------------------------------------- bodies


def bodies(raw: Octets, root: Part) -> Bag:
    """PidTagBody, PidTagHtml and PidTagInternetCodepage, as far as the message has such bodies."""
    plain, html = body_parts(root)
    bag: Bag = {}
    if plain:
        bag[PidTagBody] = plain_body(raw, plain)
    if html:
        bag[PidTagHtml], bag[PidTagInternetCodepage] = html_body(raw, html), html_code_page(html)
    return bag


def plain_body(raw: Octets, parts: list[Part]) -> str:
    """PidTagBody of parts of plain text."""
    return "\r\n".join([_text(raw, part) for part in parts])


def html_body(raw: Octets, parts: list[Part]) -> bytes:
    """PidTagHtml of parts of HTML: one as it is, several as UTF-8."""
    if len(parts) == 1 and codepage(parts[0].charset):
        return _octets(raw, parts[0])
    return "\r\n".join([_text(raw, part) for part in parts]).encode("utf-8", "replace")


def html_code_page(parts: list[Part]) -> int:
    """The code page of `html_body`."""
    return (codepage(parts[0].charset) if len(parts) == 1 else 0) or UTF8


def body_parts(root: Part) -> tuple[list[Part], list[Part]]:
    """The parts that are plain and HTML body text ([MS-OXCMAIL] 2.2.3.3); no plain text after HTML without it."""
    plain: list[Part] = []
    html: list[Part] = []
    for part, alternative in _texts(root, root, False):
        if part.subtype == "html":
            html.append(part)
        elif plain or alternative or not html:
            plain.append(part)
    return plain, html


def _texts(part: Part, parent: Part, alternative: bool) -> Iterator[tuple[Part, bool]]:
    """(part, whether it is in a multipart/alternative) of body texts in order."""
    if part.type == "multipart":
        inside = alternative or part.subtype == "alternative"
        if part.subtype == "signed" and part.children:
            yield from _texts(part.children[0], part, inside)
            return
        for child in part.children:
            yield from _texts(child, part, inside)
    elif part.type == "text" and part.disposition != "attachment":
        chosen = parent.subtype == "alternative" and parent.type == "multipart"
        if part.subtype in ("plain", "html", "enriched") and (chosen or not part.filename):
            yield part, alternative


def _octets(raw: Octets, part: Part) -> bytes:
    return part_octets(raw, part, part.body_offset + part.body_length)


def _text(raw: Octets, part: Part) -> str:
    return decode(_octets(raw, part), part.charset)
