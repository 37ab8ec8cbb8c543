"""From received bytes to complete commands: lines and literals with their limits (RFC 3501 2.2, RFC 7888). Sans-IO.

`next()` gives an event, or None for "more bytes". A literal is an event of its own, because only the session knows
whether it wants it: it answers with `accept` or `refuse` before it calls `next` again. What was refused is never read
as a command: a non-synchronizing literal is skipped together with the rest of its command.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import BinaryIO, Protocol

LITERAL = re.compile(rb"\{(\d{1,20})(\+?)\}\Z")
_TAG = re.compile(rb"\s*([!#$&',\-./0-9:;<=>?@A-Z\[\]^_`a-z|}~]{1,64}) ")
MAX_LITERALS = 2000

Part = bytes | BinaryIO


class Sink(Protocol):
    """Takes the octets of one literal."""

    def write(self, data: bytes) -> object: ...
    def finish(self) -> Part: ...
    def abandon(self) -> None: ...


class Memory:
    """A sink in memory."""

    __slots__ = ("_chunks",)

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._chunks.append(data)

    def finish(self) -> bytes:
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def abandon(self) -> None:
        self._chunks.clear()


@dataclass(slots=True)
class Command:
    """A complete command: text, literal, text, … The text before a literal has lost its `{n}`."""

    parts: list[Part]
    refused: bool = False
    """A literal of it was refused and skipped: nothing of it may be carried out."""


@dataclass(slots=True)
class LiteralAsked:
    """A literal of `size` octets is announced after `parts`; `sync`: the client waits for the answer."""

    parts: list[Part]
    size: int
    sync: bool


@dataclass(slots=True)
class TooLong:
    """A line went over the limit; the rest of it will be skipped. `start` is its beginning."""

    start: bytes


Event = Command | LiteralAsked | TooLong


def tag_of(start: bytes) -> bytes:
    """The tag at the beginning of a command, or b'*' when there is none."""
    found = _TAG.match(start[:80] + b" ")
    return found[1] if found else b"*"


class Framer:
    """One connection's reader. `limit` bounds the text of a command, literals in memory included."""

    __slots__ = (
        "_asked", "_buf", "_left", "_parts", "_pos", "_refusing", "_scan", "_sink", "_skip_line", "_total", "limit",
    )  # fmt: skip

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._buf = b""
        self._pos = self._scan = 0
        self._parts: list[Part] = []
        self._total = 0
        self._sink: Sink | None = None
        self._left = 0
        self._asked: LiteralAsked | None = None
        self._skip_line = self._refusing = False

    def feed(self, data: bytes) -> None:
        """More received bytes."""
        if self._pos == len(self._buf):
            self._buf, self._scan = data, 0
        else:
            self._buf = self._buf[self._pos :] + data
            self._scan -= self._pos
        self._pos = 0

    @property
    def waiting(self) -> bool:
        """Whether received bytes have not been consumed yet."""
        return self._pos < len(self._buf)

    @property
    def idle(self) -> bool:
        """Whether no command has begun."""
        return not self._parts and not self._left and not self.waiting

    def line(self) -> bytes | None:
        """One line without its end, read outside the grammar of commands (SASL answers, DONE). None: more bytes.

        A line over the limit comes cut off, one octet longer than the limit.
        """
        end = self._buf.find(b"\n", max(self._scan, self._pos))
        if end < 0:
            self._scan = len(self._buf)
            if len(self._buf) - self._pos > self.limit:
                text = self._buf[self._pos : self._pos + self.limit + 1]
                self._consume(len(self._buf))
                self._skip_line = True
                return text
            return None
        text = self._buf[self._pos : end]
        self._consume(end + 1)
        return text[:-1] if text.endswith(b"\r") else text

    def _consume(self, to: int) -> None:
        """Received bytes before `to` are done with; the buffer is not kept when it is empty."""
        if to >= len(self._buf):
            self._buf, self._pos, self._scan = b"", 0, 0
        else:
            self._pos = self._scan = to

    def next(self) -> Event | None:
        """The next event, None when more bytes are needed."""
        while True:
            if self._left and not self._fill():
                return None
            if self._skip_line:
                if not self._skip():
                    return None
                continue
            text = self._text()
            if text is None or isinstance(text, TooLong):
                return text
            event = self._advance(text)
            if event is not None:
                return event

    def _fill(self) -> bool:
        """Move buffered octets into the literal; True when it is complete."""
        chunk = self._buf[self._pos : self._pos + self._left]
        if chunk:
            self._consume(self._pos + len(chunk))
            self._left -= len(chunk)
            if self._sink is not None:
                self._sink.write(chunk)
        if self._left:
            return False
        self._close_literal()
        return True

    def _close_literal(self) -> None:
        if self._sink is not None:
            self._parts.append(self._sink.finish())
            self._sink = None

    def _skip(self) -> bool:
        """Skip to the end of an over-long line; False when it is not there yet."""
        end = self._buf.find(b"\n", self._pos)
        self._consume(len(self._buf) if end < 0 else end + 1)
        if end < 0:
            return False
        self._skip_line = False
        return True

    def _text(self) -> bytes | TooLong | None:
        """The text up to the next line end."""
        end = self._buf.find(b"\n", max(self._scan, self._pos))
        have = (len(self._buf) if end < 0 else end) - self._pos
        if have + self._total > self.limit + 2:
            return self._overflow(end)
        if end < 0:
            self._scan = len(self._buf)
            return None
        text = self._buf[self._pos : end]
        self._consume(end + 1)
        return text[:-1] if text.endswith(b"\r") else text

    def _overflow(self, end: int) -> TooLong:
        first = self._parts[0] if self._parts else self._buf[self._pos : self._pos + 80]
        start = first if isinstance(first, bytes) else b""
        self._consume(len(self._buf) if end < 0 else end + 1)
        self._skip_line = end < 0
        self._reset()
        return TooLong(start[:80])

    def _reset(self) -> None:
        self._parts, self._total, self._refusing = [], 0, False

    def _advance(self, text: bytes) -> Event | None:
        """One more piece of text: the end of the command, or a literal follows."""
        found = LITERAL.search(text) if text.endswith(b"}") else None
        if found is None:
            self._parts.append(text)
            parts, refused = self._parts, self._refusing
            self._reset()
            return Command(parts, refused)
        size, plus = int(found[1]), bool(found[2])
        self._total += len(text)
        if self._refusing:
            return self._skip_more(size, plus)
        self._parts.append(text[: found.start()])
        self._asked = LiteralAsked(self._parts, size, not plus)
        return self._asked

    def _skip_more(self, size: int, plus: bool) -> Event | None:
        """A further literal of a refused command: skipped like the first; one that waits ends the command."""
        if plus:
            self._left = size
            return None
        parts = self._parts
        self._reset()
        return Command(parts, True)

    def accept(self, sink: Sink | None = None) -> None:
        """Read the announced literal into `sink` (memory counts towards the limit)."""
        asked = self._take()
        if sink is None:
            self._total += asked.size
        self._sink, self._left = sink or Memory(), asked.size
        if not asked.size:
            self._close_literal()

    def _take(self) -> LiteralAsked:
        asked = self._asked
        if asked is None:
            raise RuntimeError("no literal was asked for")
        self._asked = None
        return asked

    def abandon(self) -> None:
        """The connection has ended: drop the literal that was being read."""
        if self._sink is not None:
            self._sink.abandon()
            self._sink = None

    @property
    def fits(self) -> bool:
        """Whether the announced literal fits into the limit of a command."""
        asked = self._asked
        return asked is not None and self._total + asked.size <= self.limit and len(self._parts) < MAX_LITERALS

    def refuse(self) -> None:
        """Do not take the announced literal. One that waits ends the command; else it is skipped with its command."""
        asked = self._take()
        if asked.sync:
            self._reset()
            return
        self._left, self._refusing = asked.size, True
