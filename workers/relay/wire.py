"""What an SMTP client reads and writes (RFC 5321 4.2, 4.5.2; RFC 3461 4). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from gromoxd.errors import WireError
from gromoxd.exmdb.outgoing import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS

LONGEST_LINE, MOST_LINES = 4096, 200
_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_STATUS = re.compile(r"([245])\.\d{1,3}\.\d{1,3}(?=\s|$)")
_NOTIFY = ((NOTIFY_SUCCESS, "SUCCESS"), (NOTIFY_FAILURE, "FAILURE"), (NOTIFY_DELAY, "DELAY"))


class Reply(NamedTuple):
    """A reply of the server: its code and lines of text."""

    code: int
    lines: tuple[str, ...]

    @property
    def kind(self) -> int:
        """2 done, 3 go on, 4 not now, 5 never."""
        return self.code // 100

    @property
    def status(self) -> str:
        """The enhanced status code (RFC 2034), or one as general as the reply code."""
        found = _STATUS.match(self.lines[0]) if self.lines else None
        if found is not None and int(found[1]) == self.kind:
            return found[0]
        return f"{self.kind}.0.0"

    @property
    def text(self) -> str:
        return f"{self.code} {' '.join(self.lines)}"[:1000]


class Replies:
    """Cuts what comes in into replies."""

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []

    def feed(self, data: bytes) -> None:
        """Octets from the server."""
        self._buffer += data

    def next(self) -> Reply | None:
        """The next complete reply. WireError for what is none."""
        while True:
            line, end, rest = self._buffer.partition(b"\n")
            if not end:
                if len(line) > LONGEST_LINE:
                    raise WireError("reply line too long")
                return None
            self._buffer = rest
            found = _LINE.fullmatch(line.rstrip(b"\r"))
            if found is None or len(line) > LONGEST_LINE or len(self._lines) >= MOST_LINES:
                raise WireError("not an SMTP reply")
            self._lines.append(_clean(found[3] or b""))
            if found[2] != b"-":
                lines, self._lines = tuple(self._lines), []
                return Reply(int(found[1]), lines)

    @property
    def is_empty(self) -> bool:
        """Nothing has come that was not asked for."""
        return not self._buffer and not self._lines


def _clean(text: bytes) -> str:
    shown = text.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "?" for char in shown)


def extensions(reply: Reply) -> dict[str, str]:
    """Keywords of an EHLO reply with their parameters (RFC 5321 4.1.1.1)."""
    found = {}
    for line in reply.lines[1:]:
        word, _, rest = line.partition(" ")
        found[word.upper()] = rest.strip()
    return found


def xtext(text: str) -> str:
    """RFC 3461 4."""
    return "".join(
        chr(octet) if 33 <= octet <= 126 and octet not in b"+=" else f"+{octet:02X}" for octet in text.encode()
    )


def mail_parameters(
    offered: dict[str, str], *, size: int, eight_bit: bool, utf8: bool, whole: bool, envelope_id: str
) -> str:
    """What follows the address of MAIL, with a space before it."""
    made = ""
    if "SIZE" in offered:
        made += f" SIZE={size}"
    if eight_bit and "8BITMIME" in offered:
        made += " BODY=8BITMIME"
    if utf8:
        made += " SMTPUTF8"
    if "DSN" in offered:
        made += f" RET={'FULL' if whole else 'HDRS'}"
        if envelope_id:
            made += f" ENVID={xtext(envelope_id)}"
    return made


def recipient_parameters(offered: dict[str, str], notify: int, address: str) -> str:
    """What follows the address of RCPT."""
    if "DSN" not in offered or not notify:
        return ""
    if notify & NOTIFY_NEVER:
        return " NOTIFY=NEVER"
    words = ",".join(word for bit, word in _NOTIFY if notify & bit)
    original = f" ORCPT=rfc822;{xtext(address)}" if address.isascii() else ""
    return f" NOTIFY={words}{original}"


def stuffed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """A message's octets as DATA sends them, with the end (RFC 5321 4.5.2); lines end in CRLF already."""
    before = b"\r\n"
    for block in blocks:
        if not block:
            continue
        piece = block.replace(b"\r\n.", b"\r\n..")
        if before == b"\r\n" and block[:1] == b".":
            piece = b"." + piece
        elif before[-1:] == b"\r" and block[:2] == b"\n.":
            piece = b"\n.." + piece[2:]
        yield piece
        before = (before + block[-2:])[-2:]
    yield b".\r\n" if before == b"\r\n" else b"\r\n.\r\n"
