"""POP3 on the wire: dot-stuffing, the head of a message for TOP, SASL PLAIN. Pure. RFC 1939, 4616, 5034."""

from __future__ import annotations

import binascii
import re

from workers.common.crlf import only_crlf

LINE_LIMIT = 12288
"""RFC 5034 3: what a line with a SASL response may measure."""

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"(?<!\r)\n")


def stuff(message: bytes) -> bytes:
    """A whole message as a multi-line response's text with its terminating '.' line (RFC 1939 3).

    Lines that do not end in CRLF, which stored messages may have, are given it: the protocol knows no other end.
    """
    message = _crlf(message)
    message = message.replace(b"\r\n.", b"\r\n..")
    if message.startswith(b"."):
        message = b"." + message
    if message and not message.endswith(b"\r\n"):
        return message + b"\r\n.\r\n"
    return message + b".\r\n"


def _crlf(data: bytes) -> bytes:
    return data if only_crlf(data) else _BARE_CR.sub(b"\r\n", _BARE_LF.sub(b"\r\n", data))


class Stuffer:
    """`stuff` for a message that comes in pieces."""

    def __init__(self) -> None:
        self._held = b""
        self._line_start = True

    def feed(self, piece: bytes) -> bytes:
        """What to send for this piece; a CR at its end waits for what follows."""
        data = self._held + piece
        self._held = b""
        if data.endswith(b"\r"):
            self._held, data = b"\r", data[:-1]
        return self._stuffed(data)

    def finish(self) -> bytes:
        """The end of the message and of the response."""
        rest, self._held = self._stuffed(self._held), b""
        return rest + (b".\r\n" if self._line_start else b"\r\n.\r\n")

    def _stuffed(self, data: bytes) -> bytes:
        if not data:
            return b""
        data = _crlf(data).replace(b"\r\n.", b"\r\n..")
        if self._line_start and data.startswith(b"."):
            data = b"." + data
        self._line_start = data.endswith(b"\r\n")
        return data


class Top:
    """Cuts a message, in pieces or whole, behind its header and `lines` lines of its body (RFC 1939 7)."""

    def __init__(self, lines: int) -> None:
        self._left = lines
        self._in_header = True
        self._tail = b"\n"  # an empty line may be the first
        self.done = False

    def feed(self, piece: bytes) -> bytes:
        """The part of this piece that belongs to the response; `done` once nothing more does."""
        if self.done:
            return b""
        start = self._header(piece) if self._in_header else 0
        if self._in_header:
            return piece
        return piece[:start] + self._body(piece[start:])

    def _header(self, piece: bytes) -> int:
        """Where the body begins in the piece; meaningful when `_in_header` is False afterwards."""
        data = self._tail + piece
        found = _EMPTY_LINE.search(data)
        if found is None:
            self._tail = data[-2:]
            return 0
        self._in_header = False
        return found.end() - len(self._tail)

    def _body(self, body: bytes) -> bytes:
        lines = body.split(b"\n", self._left)
        if len(lines) <= self._left:
            self._left -= len(lines) - 1
            return body
        self.done = True
        return body[: len(body) - len(lines[-1])]


_EMPTY_LINE = re.compile(rb"\n\r?\n")


def sasl_plain(response: bytes) -> tuple[str, str, str] | None:
    """(authorization identity, user, password) of a PLAIN response in base64 (RFC 4616); None if it is none."""
    if not _BASE64.fullmatch(response):
        return None
    try:
        fields = binascii.a2b_base64(response).split(b"\0")
        authorization, user, password = (field.decode("utf-8") for field in fields)
    except ValueError:
        return None
    return authorization, user, password


def number(text: bytes) -> int:
    """A message number or count of lines; -1 if it is none."""
    return int(text) if text.isdigit() and len(text) <= 10 else -1
