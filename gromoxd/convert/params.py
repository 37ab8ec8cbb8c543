"""Content-Type and Content-Disposition with their parameters: RFC 2045 5.1, RFC 2183 2, RFC 2231. Bounded."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from gromoxd.convert.charsets import decode, decode_unlabelled

MAX_PARAMS = 64
MAX_VALUE = 16 << 10
MAX_TEXT = 2000
MAX_BOUNDARY = 998
_PARAM_CHARGE, _EXTENDED_CHARGE = 40, 150

Params = tuple[tuple[str, str], ...]


class MediaType(NamedTuple):
    """`boundary` are the octets of a multipart's delimiter, b"" when there is none; `size` the cost of its texts."""

    type: str
    subtype: str
    params: Params = ()
    boundary: bytes = b""
    size: int = 0


_TYPE = re.compile(rb"[ \t]*([!#-'*+\-.0-9A-Z^-~]+)[ \t]*/[ \t]*([!#-'*+\-.0-9A-Z^-~]+)[ \t]*(?=;|\(|\Z|[ \t\"])")
_PARAM = re.compile(
    rb""";[ \t]*([^\s=;"()]+)[ \t]*=[ \t]*(?:"([^"\\]*(?:\\.[^"\\]*)*)(?:"|\\?\Z)|([^;]*))""", re.DOTALL
)
_PAIR = re.compile(rb'\\(["\\])')
_SECTION = re.compile(rb"([^*]+)(?:\*(\d{1,2}))?(\*?)")
_TOKEN = re.compile(rb"[ \t]*([!#-'*+\-.0-9A-Z^-~]+)")

DEFAULTS = {"text": MediaType("text", "plain"), "message": MediaType("message", "rfc822")}


def media_type(value: bytes | None, default: str) -> MediaType:
    """The media type of a Content-Type value; RFC 2045 5.2's default for none or a broken one."""
    if value is None:
        return DEFAULTS[default]
    if len(value) <= 64:
        return _cached(value) or DEFAULTS["text"]
    return _parse(value) or DEFAULTS["text"]


def _parse(value: bytes) -> MediaType | None:
    value = value[:MAX_VALUE]
    match = _TYPE.match(value)
    if match is None:
        return None
    kind, subtype = match.group(1).decode("ascii").lower(), match.group(2).decode("ascii").lower()
    raw = raw_params(value, match.end())
    params = decode_params(raw)
    boundary = _boundary(raw, params) if kind == "multipart" else b""
    size = len(kind) + len(subtype) + _cost(raw, params)
    return MediaType(kind[:100], subtype[:100], params, boundary, size)


_cached = lru_cache(maxsize=1024)(_parse)


def _boundary(raw: list[tuple[bytes, bytes]], params: Params) -> bytes:
    for name, octets in raw:
        if name == b"boundary":
            return octets.rstrip()[:MAX_BOUNDARY]
    text = next((text for name, text in params if name == "boundary"), "")
    return text.encode("utf-8", "surrogateescape").rstrip()[:MAX_BOUNDARY]


def parameters(value: bytes) -> tuple[str | None, Params, int]:
    """Token, parameters and cost of the texts of a Content-Disposition; the token is None when there is none."""
    value = value[:MAX_VALUE]
    match = _TOKEN.match(value)
    raw = raw_params(value, match.end() if match is not None else 0)
    params = decode_params(raw)
    if match is None:
        return ("attachment", params, _cost(raw, params)) if params else (None, (), 0)
    token = match.group(1)[:100].decode("ascii").lower()
    return token, params, len(token) + _cost(raw, params)


def _cost(raw: list[tuple[bytes, bytes]], params: Params) -> int:
    """What the scanner's budget for text is charged: the texts, and the work of parsing them."""
    if not raw:
        return 0
    charge = _EXTENDED_CHARGE if any(b"*" in name for name, _ in raw) else _PARAM_CHARGE
    return charge * len(raw) + sum([len(key) + len(text) for key, text in params])


def raw_params(value: bytes, at: int) -> list[tuple[bytes, bytes]]:
    """(lower-case name, octets) of the parameters behind `at`, at most MAX_PARAMS; quoting undone, RFC 2231 not."""
    found = []
    for match in _PARAM.finditer(value, at):
        name, quoted, token = match.groups()
        if quoted is not None:
            octets = _PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted
        else:
            octets = token.partition(b" (")[0].strip()
        found.append((name.lower(), octets))
        if len(found) >= MAX_PARAMS:
            break
    return found


def decode_params(raw: list[tuple[bytes, bytes]]) -> Params:
    """RFC 2231: continuations joined, percent-encoding and charset decoded; an extended value replaces a plain one."""
    if not any(b"*" in name for name, _ in raw):
        return tuple([(_name(name), _plain(octets)) for name, octets in raw])
    order: dict[bytes, str | None] = {}
    sections: dict[bytes, dict[int, tuple[bool, bytes]]] = {}
    for name, octets in raw:
        match = _SECTION.fullmatch(name)
        if match is None or (match.group(2) is None and not match.group(3)):
            order.setdefault(name, _plain(octets))
            continue
        base = match.group(1)
        order.setdefault(base, None)
        sections.setdefault(base, {}).setdefault(int(match.group(2) or 0), (bool(match.group(3)), octets))
    for base, pieces in sections.items():
        text = _joined(pieces)
        if text is not None:
            order[base] = text
    return tuple([(_name(name), text) for name, text in order.items() if text is not None])


def _joined(pieces: dict[int, tuple[bool, bytes]]) -> str | None:
    """The sections from 0 on without a gap (RFC 2231 3, 4.1), None when section 0 is missing."""
    if 0 not in pieces:
        return None
    extended, first = pieces[0]
    charset = b""
    if extended and first.count(b"'") >= 2:
        charset, _, first = first.split(b"'", 2)
    octets = [unquote_to_bytes(first) if extended else first]
    for number in range(1, len(pieces)):
        if number not in pieces:
            break
        percent, octet = pieces[number]
        octets.append(unquote_to_bytes(octet) if percent else octet)
    text = decode(b"".join(octets), charset.decode("latin-1")) if charset else decode_unlabelled(b"".join(octets))
    return text.replace("\x00", "")[:MAX_TEXT]


def _name(name: bytes) -> str:
    return name[:100].decode("ascii", "replace").replace("\ufffd", "?")


def _plain(octets: bytes) -> str:
    text = octets.decode() if octets.isascii() else decode_unlabelled(octets)
    return text.replace("\x00", "")[:MAX_TEXT]


def header_text(value: bytes | None) -> str | None:
    """A field's value as text, RFC 2047 words left as they are; None for none."""
    if value is None:
        return None
    return (value.decode() if value.isascii() else decode_unlabelled(value))[:MAX_TEXT]
