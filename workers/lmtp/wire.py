"""SMTP and LMTP on the wire: commands, paths and parameters, message data. Pure. RFC 5321, 2033, 3030, 6531."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from workers.common.crlf import only_crlf

LINE_LIMIT = 2048
PATH_LIMIT = 320
"""Octets of an address: what the directory's columns hold (RFC 5321 4.5.3.1.3 asks for 256)."""

_ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
_LOCAL = rb"(?:" + _ATOM + rb"(?:\." + _ATOM + rb")*|\"(?:[\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\x20-\x7e])*\")"
_LABEL = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?"
_DOMAIN = rb"(?:" + _LABEL + rb"(?:\." + _LABEL + rb")*|\[[\x21-\x5a\x5e-\x7e]+\])"
_ROUTE = rb"(?:@" + _DOMAIN + rb"(?:,@" + _DOMAIN + rb")*:)?"
_PATH = re.compile(rb"<(?:" + _ROUTE + rb"(" + _LOCAL + rb"(?:@" + _DOMAIN + rb")?))?>(?: +(.*))?$", re.S)
_PLAIN = re.compile(rb"^\"(" + _ATOM + rb"(?:\." + _ATOM + rb")*)\"(@|$)")
"""A quoted local part that needs no quotes is the same without (RFC 5321 4.1.2)."""
_HELO = re.compile(rb"[\x21-\x7e]{1,255}$")
_PARAMETER = re.compile(rb"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([\x21-\x3c\x3e-\x7e]+))?$")
_BARE_CR = re.compile(rb"\r(?!\n)")
_BARE_LF = re.compile(rb"(?<!\r)\n")


class Refusal(Exception):
    """A command that is answered with this reply."""

    def __init__(self, reply: bytes) -> None:
        super().__init__(reply.decode("ascii"))
        self.reply = reply


def reply(code: int, enhanced: str, text: str) -> bytes:
    """One reply line (RFC 5321 4.2) with its enhanced status code (RFC 2034), if any."""
    return f"{code} {enhanced} {text}\r\n".encode() if enhanced else f"{code} {text}\r\n".encode()


BAD_PATH_SENDER = reply(501, "5.1.7", "Bad sender address syntax")
BAD_PATH_RECIPIENT = reply(501, "5.1.3", "Bad recipient address syntax")
NEEDS_SMTPUTF8 = reply(553, "5.6.7", "Address needs SMTPUTF8")
BAD_PARAMETERS = reply(501, "5.5.4", "Bad parameters")
UNKNOWN_PARAMETER = reply(555, "5.5.4", "Parameter not supported")


class Command(NamedTuple):
    """A command line: its verb in capitals and the rest as sent."""

    verb: bytes
    rest: bytes


def parse_command(line: bytes) -> Command:
    """Split a line (without its LF). Refusal when it does not end in CR or has NUL, CR or other controls in it."""
    if not line.endswith(b"\r") or line.find(b"\r") != len(line) - 1:
        raise Refusal(reply(500, "5.5.2", "Lines end in CRLF"))
    if b"\0" in line:
        raise Refusal(reply(500, "5.5.2", "NUL in a command"))
    verb, _, rest = line[:-1].partition(b" ")
    return Command(verb.upper(), rest)


def parse_helo(rest: bytes) -> str:
    """The client's name: one word of printable ASCII (RFC 5321 4.1.1.1, leniently)."""
    name = rest.strip(b" ")
    if not _HELO.match(name):
        raise Refusal(reply(501, "5.5.4", "A host name is needed"))
    return name.decode("ascii")


class MailCommand(NamedTuple):
    """MAIL FROM. `size` is what the client declares, 0 if it does not."""

    sender: bytes
    size: int
    smtputf8: bool
    eight_bit: bool


def parse_mail(rest: bytes) -> MailCommand:
    """'FROM:<path> parameters' (RFC 5321 4.1.1.2). The null sender is b''."""
    if rest[:5].upper() != b"FROM:":
        raise Refusal(BAD_PARAMETERS)
    path, given = _split_path(rest[5:], BAD_PATH_SENDER)
    size, utf8, eight_bit = 0, False, False
    for name, value in _parameters(given):
        if name == b"SIZE" and value.isdigit() and len(value) <= 20:
            size = int(value)
        elif name == b"BODY" and value.upper() in (b"7BIT", b"8BITMIME"):
            eight_bit = value.upper() == b"8BITMIME"
        elif name == b"SMTPUTF8" and not value:
            utf8 = True
        elif name in (b"SIZE", b"BODY", b"SMTPUTF8"):
            raise Refusal(BAD_PARAMETERS)
        else:
            raise Refusal(UNKNOWN_PARAMETER)
    _check_text(path, utf8)
    return MailCommand(path, size, utf8, eight_bit)


def parse_rcpt(rest: bytes, smtputf8: bool) -> bytes:
    """'TO:<path>' (RFC 5321 4.1.1.3): the address, a route before it dropped. No parameter is offered."""
    if rest[:3].upper() != b"TO:":
        raise Refusal(BAD_PARAMETERS)
    path, given = _split_path(rest[3:], BAD_PATH_RECIPIENT)
    if not path:
        raise Refusal(BAD_PATH_RECIPIENT)
    for _ in _parameters(given):
        raise Refusal(UNKNOWN_PARAMETER)
    _check_text(path, smtputf8)
    return _PLAIN.sub(rb"\1\2", path)


def _split_path(text: bytes, bad: bytes) -> tuple[bytes, bytes]:
    found = _PATH.match(text)
    if found is None:
        raise Refusal(bad)
    path = found[1] or b""
    if len(path) > PATH_LIMIT:
        raise Refusal(bad)
    return path, found[2] or b""


def _parameters(text: bytes) -> list[tuple[bytes, bytes]]:
    found: dict[bytes, bytes] = {}
    for word in text.split():
        match = _PARAMETER.match(word)
        if match is None or match[1].upper() in found:
            raise Refusal(BAD_PARAMETERS)
        found[match[1].upper()] = match[2] or b""
    return list(found.items())


def _check_text(path: bytes, smtputf8: bool) -> None:
    if path.isascii():
        return
    if not smtputf8:
        raise Refusal(NEEDS_SMTPUTF8)
    try:
        path.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(BAD_PATH_SENDER) from error


def parse_bdat(rest: bytes) -> tuple[int, bool]:
    """'size [LAST]' (RFC 3030 2): (octets that follow, is it the last chunk)."""
    words = rest.split()
    if not 1 <= len(words) <= 2 or not words[0].isdigit() or len(words[0]) > 20:
        raise Refusal(BAD_PARAMETERS)
    if len(words) == 2 and words[1].upper() != b"LAST":
        raise Refusal(BAD_PARAMETERS)
    return int(words[0]), len(words) == 2


class Lines:
    """Passes message data on in pieces that never part CR from LF, and sees to it that lines end in CRLF only.

    `bare` is set once a CR or LF stood alone; with `normalise` a lone LF becomes CRLF and a lone CR a space.
    """

    def __init__(self, write: Callable[[bytes], None], normalise: bool) -> None:
        self._write = write
        self._normalise = normalise
        self.bare = False

    def pass_on(self, piece: bytes) -> None:
        """A piece that neither begins with the second half of a CRLF nor ends with the first."""
        if not only_crlf(piece):
            self.bare = True
            if self._normalise:
                piece = _BARE_LF.sub(b"\r\n", _BARE_CR.sub(b" ", piece))
        if piece:
            self._write(piece)


class DataReader:
    """The message behind DATA: undoes dot-stuffing and finds the end, which is CRLF.CRLF and nothing else.

    Works on what is there at once with searches in C; what might be the beginning of an end is held back, so that
    splitting the input anywhere changes nothing (RFC 5321 4.5.2).
    """

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._held = b"\r\n"  # the data begin at the start of a line
        self._skip = 2
        self.received = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take data; None while the message goes on, what came behind its end (perhaps b'') when it is complete."""
        self.received += len(data)
        data = self._held + data
        dot = data.rfind(b"\r\n.")  # of most pieces all that need be known: twice as fast as the search for an end
        if dot >= 0:
            earlier = data.rfind(b"\r\n.", 0, dot + 2) >= 0
            end = data.find(b"\r\n.\r\n", 0 if earlier else dot)
            if end >= 0:
                self._pass(data[: end + 2], earlier)
                return data[end + 5 :]
        keep = _beginning_of_end(data)
        if keep:
            self._held = data[-keep:]
            data = data[:-keep]
        else:
            self._held = b""
        if data:
            self._pass(data, dot >= 0)
        return None

    def _pass(self, data: bytes, dotted: bool) -> None:
        if dotted:
            data = data.replace(b"\r\n.", b"\r\n")
        if self._skip:
            data, self._skip = data[self._skip :], 0
        self._lines.pass_on(data)


def _beginning_of_end(data: bytes) -> int:
    for start in (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r"):
        if data.endswith(start):
            return len(start)
    return 0


class ChunkReader:
    """The chunks of BDAT, counted and not stuffed (RFC 3030 2)."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._held = b""
        self.left = 0
        """Octets that the present chunk still lacks."""

    def feed(self, data: bytes) -> None:
        """Take data, no more than `left`."""
        self.left -= len(data)
        data = self._held + data
        self._held = b""
        if data.endswith(b"\r"):
            self._held, data = b"\r", data[:-1]
        self._lines.pass_on(data)

    def finish(self) -> None:
        """The last chunk is complete."""
        if self._held:
            self._lines.pass_on(self._held)
            self._held = b""
