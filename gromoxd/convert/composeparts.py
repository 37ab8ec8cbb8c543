"""MIME entities as they are written: text, base64, multiparts (RFC 2045, RFC 2046). Not here: what goes into them.

Entities are octets with their header first and no line end of their own at the end: what follows them brings one.
"""

from __future__ import annotations

import binascii
import hashlib
from collections.abc import Sequence

from gromoxd.convert.headerlines import parametrised

MAX_LINE = 998
_BASE64_LINE = 76
_PIECE = 57 * 4096
"""Octets that are encoded at a time, whole lines of them."""
_ASCII = bytes(range(128))

Params = Sequence[tuple[str, str]]


def multipart(subtype: str, parts: Sequence[bytes], params: Params = ()) -> bytes:
    """Parts between boundaries that none of them contains (RFC 2046 5.1); the boundary is a hash of the parts."""
    boundary = _boundary(parts)
    head = parametrised("Content-Type", f"multipart/{subtype}", [*params, ("boundary", boundary.decode())])
    out = [head, b"\r\n"]
    for part in parts:
        out += (b"--", boundary, b"\r\n", part, b"\r\n")
    out += (b"--", boundary, b"--\r\n")
    return b"".join(out)


def _boundary(parts: Sequence[bytes]) -> bytes:
    hashed = hashlib.blake2b(digest_size=12)
    for part in parts:
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    boundary = b"=_" + hashed.hexdigest().encode()
    while any(boundary in part for part in parts):
        hashed.update(boundary)
        boundary = b"=_" + hashed.hexdigest().encode()
    return boundary


def text_entity(subtype: str, data: bytes, charset: str, params: Params = (), head: bytes = b"") -> bytes:
    """A text part in the cheapest encoding that carries it (RFC 2045 6.7, 6.8); `head`: further fields."""
    encoding, body = encoded_text(data)
    if charset == "utf-8" and data.isascii():
        charset = "us-ascii"
    kind = parametrised("Content-Type", f"text/{subtype}", [("charset", charset), *params])
    return kind + head + f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode() + body


def octets_entity(head: bytes, data: bytes) -> bytes:
    """Any octets as base64; `head`: the fields that say what they are."""
    return head + b"Content-Transfer-Encoding: base64\r\n\r\n" + base64_lines(data)


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


def _short_lines(data: bytes) -> bool:
    return len(data) < MAX_LINE or max(map(len, data.split(b"\n"))) <= MAX_LINE


def base64_lines(data: bytes) -> bytes:
    """RFC 2045 6.8 in lines of 76; in pieces, so that other threads get their turn."""
    lines: list[bytes] = []
    for start in range(0, len(data), _PIECE):
        text = binascii.b2a_base64(data[start : start + _PIECE], newline=False)
        lines += [text[at : at + _BASE64_LINE] for at in range(0, len(text), _BASE64_LINE)]
    return b"\r\n".join(lines)
