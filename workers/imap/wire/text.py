"""How values are written in answers: quoted strings, literals, astrings, atoms (RFC 3501 section 9). Pure."""

from __future__ import annotations

import re

from workers.imap.wire import utf7

_QUOTABLE = re.compile(rb"[\x01-\x09\x0b\x0c\x0e-\x7f]*")
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_LINE_BREAKS = re.compile(rb"[\x00-\x1f\x7f-\xff]+")
MAX_QUOTED = 1024


def literal(data: bytes) -> bytes:
    """`{n}` CRLF and the octets. NUL may not stand in a literal; callers send stored octets as they are."""
    return b"{%d}\r\n%b" % (len(data), data)


def nliteral(data: bytes | None) -> bytes:
    """NIL or a literal."""
    return b"NIL" if data is None else literal(data)


def string(data: bytes) -> bytes:
    """Quoted where that is allowed, else a literal."""
    if len(data) <= MAX_QUOTED and _QUOTABLE.fullmatch(data):
        return b'"' + data.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
    return literal(data)


def nstring(data: bytes | None) -> bytes:
    """NIL or a string."""
    return b"NIL" if data is None else string(data)


def astring(data: bytes) -> bytes:
    """As it is where that can be read back, else a string."""
    if _ASTRING.fullmatch(data) and data.upper() != b"NIL":
        return data
    return string(data)


def mailbox(path: str) -> bytes:
    """A mailbox name in modified UTF-7, quoted: old clients read quoted names best."""
    return string(utf7.encode(path))


def is_atom(data: bytes) -> bool:
    """Whether `data` is an atom (a keyword, a tag …)."""
    return _ATOM.fullmatch(data) is not None


def resp_text(data: bytes) -> bytes:
    """Text that may stand in a status line: controls and 8-bit octets become '?'."""
    return _LINE_BREAKS.sub(b"?", data)
