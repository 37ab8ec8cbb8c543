"""Text for searching: the case folding of search keys, and the decoded text of a message's text parts. For threads."""

from __future__ import annotations

import binascii
import html
import re
import unicodedata
from collections.abc import Iterator
from mmap import mmap

from gromoxd.convert.charsets import decode
from gromoxd.convert.mime import Part, decode_parts

MAX_PART_OCTETS = 2 << 20
_PIECE = 256 << 10
_ENDLESS = re.compile(r"&#[0-9]{100,};?")
_TAGS = re.compile(r"&(?:#[0-9]|#[xX][0-9a-fA-F]|[A-Za-z])")


def fold(text: str) -> str:
    """The form in which texts are compared: NFKC, full case folding, NFKC. Stored keys and search terms both use it.

    Compatibility forms (full width, ligatures) and letter case are the same, accents are not. Idempotent.
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def body_text(raw: bytes | mmap, parts: bytes) -> Iterator[str]:
    """The decoded text of every text part, those of embedded messages included, at most MAX_PART_OCTETS of each.

    HTML comes as its source with character references decoded. Not folded: `fold` it.
    """
    yield from _texts(raw, decode_parts(parts))


def _texts(raw: bytes | mmap, part: Part) -> Iterator[str]:
    if part.type == "text":
        yield part_text(raw, part)
    for child in part.children:
        yield from _texts(raw, child)


def part_text(raw: bytes | mmap, part: Part, limit: int = MAX_PART_OCTETS) -> str:
    """The text of one text part, from its first `limit` octets as sent."""
    stop = part.body_offset + min(part.body_length, limit)
    text = decode(part_octets(raw, part, stop), part.charset)
    return unescape_html(text) if part.subtype == "html" and _TAGS.search(text) else text


def unescape_html(text: str) -> str:
    """The text with its character references decoded. Python refuses to read numbers of thousands of digits."""
    return html.unescape(_ENDLESS.sub("\ufffd", text))


def part_octets(raw: bytes | mmap, part: Part, stop: int) -> bytes:
    """The body from its begin to the offset `stop`, transfer encoding undone (RFC 2045 6), leniently."""
    data = raw[part.body_offset : stop]
    if part.encoding == "base64":
        return _base64(data)
    if part.encoding == "quoted-printable":
        return binascii.a2b_qp(data)
    if part.encoding in ("x-uuencode", "x-uue", "uuencode"):
        from gromoxd.convert.uuencode import decoded

        return decoded(data)
    return data


_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def _base64(data: bytes) -> bytes:
    """Alphabet octets only, in pieces (other threads get their turn); an odd last digit is dropped."""
    digits = data.translate(None, _NOT_BASE64)
    digits = digits[: len(digits) - (len(digits) % 4 == 1)]
    pieces = [digits[at : at + _PIECE] for at in range(0, len(digits), _PIECE)]
    if pieces:
        pieces[-1] += b"=" * (-len(digits) % 4)
    return b"".join([binascii.a2b_base64(piece) for piece in pieces])
