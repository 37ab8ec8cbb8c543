"""Text as IMAP's `nstring` (RFC 9051 9), always a quoted string that every parser takes: no CR, LF, NUL or 8-bit.

8-bit text becomes RFC 2047 words, which is what clients decode there anyway; line breaks become a space, NULs go.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from gromoxd.convert.charsets import decode_unlabelled
from gromoxd.convert.headers import decode_header

_ODD = re.compile(rb'[\x00\r\n"\\\x80-\xff]').search
_CHUNK = 45
MAX_TEXT = 8 << 10


def nstring(text: bytes | None) -> bytes:
    """NIL for None, else the quoted string of unfolded header octets."""
    return b"NIL" if text is None else quoted(text)


def quoted(text: bytes) -> bytes:
    """The quoted string of unfolded header octets, RFC 2047 words left as they are."""
    if _ODD(text) is None:
        return b'"%b"' % text
    if not text.isascii():
        text = encode_words(text)
    if b"\r" in text or b"\n" in text:
        text = text.replace(b"\r\n", b" ").replace(b"\r", b" ").replace(b"\n", b" ")
    text = text.replace(b"\x00", b"").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    return b'"%b"' % text


def encode_words(text: bytes) -> bytes:
    """RFC 2047 form of octets that are not all ASCII: from the first such word to the last, UTF-8 in base64."""
    decoded = decode_header(text[:MAX_TEXT]) if b"=?" in text else decode_unlabelled(text[:MAX_TEXT])
    decoded = decoded.replace("\x00", "").replace("\r", " ").replace("\n", " ")
    odd = [at for at, char in enumerate(decoded) if char > "\x7e"]
    if not odd:
        return decoded.encode("ascii", "replace")
    first = decoded.rfind(" ", 0, odd[0]) + 1
    last = decoded.find(" ", odd[-1])
    last = len(decoded) if last < 0 else last
    chunks = _chunks(decoded[first:last])
    words = [b"=?utf-8?B?%b?=" % binascii.b2a_base64(chunk, newline=False) for chunk in chunks]
    return decoded[:first].encode("ascii") + b" ".join(words) + decoded[last:].encode("ascii")


def _chunks(text: str) -> Iterator[bytes]:
    """UTF-8 of `text` in pieces of at most 45 octets (a word is 75 at most, RFC 2047 2) that split no character."""
    data = text.encode("utf-8", "replace")
    at = 0
    while at < len(data):
        stop = min(at + _CHUNK, len(data))
        while stop < len(data) and data[stop] & 0xC0 == 0x80:
            stop -= 1
        yield data[at:stop]
        at = stop


def text_string(text: str | None) -> bytes:
    """`nstring` of decoded text, such as a Content-Description."""
    if text is None:
        return b"NIL"
    return quoted(text.encode("utf-8", "replace"))
