"""The cursor over one command (RFC 3501 section 9): each method takes one element or raises WireError. Pure.

A command is text, literal, text, literal, text …; a literal stands where the text before it ends.
"""

from __future__ import annotations

import re

from gromoxd.errors import WireError
from workers.imap.wire import dates, sequence, utf7
from workers.imap.wire.framing import Part

_TAG = re.compile(rb"[!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,128}")
_NAME = re.compile(rb"[A-Za-z0-9.\-]{1,32}")
_ATOM = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_ASTRING = re.compile(rb"[!#$&'+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_LIST_CHARS = re.compile(rb"[!#$%&'*+,\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]+")
_QUOTED = re.compile(rb'"([^"\\\r\n\x00]*(?:\\["\\][^"\\\r\n\x00]*)*)"')
_ESCAPED = re.compile(rb"\\(.)")
_NUMBER = re.compile(rb"\d{1,20}")
_SET = re.compile(rb"[\d:,*]+")
_FLAG = re.compile(rb"\\?[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]+")
_FLAGS = re.compile(rb"\(([^()\x00-\x1f\x7f-\xff\"%*{]*)\)")
MAX_FLAGS = 256
MODSEQ_MAX = (1 << 63) - 1


class Cursor:
    """Reads a command from left to right."""

    __slots__ = ("_at", "_parts", "buf", "pos")

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._at = 0
        first = parts[0]
        self.buf: bytes = first if isinstance(first, bytes) else b""
        self.pos = 0

    def fail(self, message: str) -> WireError:
        """The error to raise here."""
        return WireError(message, self.pos)

    # ------------------------------------------------------------------------------------------ structure

    @property
    def at_literal(self) -> bool:
        """Whether a literal stands here."""
        return self.pos == len(self.buf) and self._at + 1 < len(self._parts)

    @property
    def at_last_literal(self) -> bool:
        """Whether the literal that stands here is the command's last."""
        return self.at_literal and self._at + 3 == len(self._parts)

    @property
    def at_end(self) -> bool:
        """Whether nothing follows."""
        return self.pos == len(self.buf) and self._at + 1 >= len(self._parts)

    def end(self) -> None:
        """Nothing may follow; a trailing space is forgiven."""
        if self.buf[self.pos :] == b" ":
            self.pos += 1
        if not self.at_end:
            raise self.fail("Unexpected text at the end of the command")

    def sp(self) -> None:
        """One space."""
        if self.buf[self.pos : self.pos + 1] != b" ":
            raise self.fail("Missing argument")
        self.pos += 1

    def peek(self) -> bytes:
        """The next octet of text, b'' at a literal or the end."""
        return self.buf[self.pos : self.pos + 1]

    def accept(self, token: bytes) -> bool:
        """Take `token` (upper case) if it stands here, in any case."""
        end = self.pos + len(token)
        if self.buf[self.pos : end].upper() != token:
            return False
        self.pos = end
        return True

    def expect(self, token: bytes) -> None:
        """`token` must stand here."""
        if not self.accept(token):
            raise self.fail(f"Expected {token.decode()}")

    def _match(self, pattern: re.Pattern[bytes], what: str) -> bytes:
        found = pattern.match(self.buf, self.pos)
        if not found:
            raise self.fail(f"Invalid {what}")
        self.pos = found.end()
        return found[0]

    def take_literal(self) -> Part:
        """The literal that stands here, whatever holds it."""
        if not self.at_literal:
            raise self.fail("Expected a literal")
        value, text = self._parts[self._at + 1], self._parts[self._at + 2]
        self._at += 2
        self.buf, self.pos = text if isinstance(text, bytes) else b"", 0
        return value

    def _literal(self) -> bytes:
        value = self.take_literal()
        if not isinstance(value, bytes):
            raise self.fail("A literal stands in the wrong place")
        if b"\0" in value:
            raise self.fail("NUL in a literal")
        return value

    # ------------------------------------------------------------------------------------------ elements

    def tag(self) -> bytes:
        return self._match(_TAG, "tag")

    def name(self) -> bytes:
        """A command's name or another keyword, in upper case."""
        return self._match(_NAME, "command name").upper()

    def atom(self) -> bytes:
        return self._match(_ATOM, "atom")

    def string(self) -> bytes:
        """A quoted string or literal."""
        if self.at_literal:
            return self._literal()
        found = _QUOTED.match(self.buf, self.pos)
        if not found:
            raise self.fail("Expected a string")
        self.pos = found.end()
        text = found[1]
        return _ESCAPED.sub(rb"\1", text) if b"\\" in text else text

    def astring(self) -> bytes:
        """An astring; octets above 127 are let through in quoted strings and literals."""
        if self.at_literal or self.peek() == b'"':
            return self.string()
        return self._match(_ASTRING, "argument")

    def nstring(self) -> bytes | None:
        """A string or NIL."""
        if not self.at_literal and self.peek() != b'"' and self.accept(b"NIL"):
            return None
        return self.string()

    def mailbox(self) -> str:
        """A mailbox name, decoded; INBOX in its one spelling."""
        name = utf7.decode(self.astring())
        if name[:5].upper() == "INBOX" and (len(name) == 5 or name[5] == "/"):
            return "INBOX" + name[5:]
        return name

    def list_mailbox(self) -> str:
        """A mailbox name with wildcards (`list-mailbox`), decoded."""
        if self.at_literal or self.peek() == b'"':
            return utf7.decode(self.string())
        return utf7.decode(self._match(_LIST_CHARS, "mailbox pattern"))

    def number(self) -> int:
        """A number below 2**32."""
        value = int(self._match(_NUMBER, "number"))
        if value > sequence.MAX_NUMBER:
            raise self.fail("Number too large")
        return value

    def modseq(self) -> int:
        """`mod-sequence-valzer` (RFC 7162 section 7)."""
        value = int(self._match(_NUMBER, "mod-sequence"))
        if value > MODSEQ_MAX:
            raise self.fail("Mod-sequence too large")
        return value

    def sequence_set(self) -> sequence.Ranges:
        """A sequence-set; '*' is sequence.STAR."""
        return sequence.parse(self._match(_SET, "message set"))

    def flags(self) -> list[bytes]:
        """`flag-list`, or (STORE) flags without parentheses."""
        if self.peek() == b"(":
            words = self._match(_FLAGS, "flag list")[1:-1].split()
        else:
            words = self.buf[self.pos :].split()
            self.pos = len(self.buf)
            if not words:  # only a list in parentheses may be empty
                raise self.fail("Missing flags")
        if len(words) > MAX_FLAGS:
            raise self.fail("Too many flags")
        for word in words:
            if not _FLAG.fullmatch(word):
                raise self.fail("Invalid flag")
        return words

    def date(self) -> int:
        """A date, quoted or not, in days since 1970."""
        if self.at_literal or self.peek() == b'"':
            return dates.parse_date(self.string())
        return dates.parse_date(self.atom())

    def date_time(self) -> int:
        """A quoted date-time in Unix seconds."""
        return dates.parse_date_time(self.string())

    def section_path(self) -> tuple[int, ...]:
        """`1.2.` or `1.2` in front of a section's text; the trailing dot is taken too."""
        start, numbers = self.pos, []
        while self.buf[self.pos : self.pos + 1].isdigit():
            value = self.number()
            if not value:
                raise self.fail("Invalid part number")
            numbers.append(value)
            if not self.accept(b"."):
                break
        if self.pos > start and len(numbers) > 100:
            raise self.fail("Part number too deep")
        return tuple(numbers)
