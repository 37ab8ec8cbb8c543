"""Address lists of RFC 5322 3.4, with the obsolete forms of 4.4 and what real mail makes of them.

Values are unfolded octets; RFC 2047 words in names are left as they are. One pass, linear in the length of the value.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_ADDRESSES = 2000
MAX_VALUE = 128 << 10
MAX_TOKENS = 2500
"""Of the slow parser, a value. Ordinary addresses do not need it."""
MAX_MARKS = 200
"""Parentheses and backslashes in one comment."""


class Address(NamedTuple):
    """One entry as RFC 3501 7.4.2 shows it: host None marks a group, whose name is the mailbox; both None its end.

    A missing mailbox or host is b"", so that it is not taken for a group marker.
    """

    name: bytes | None
    adl: bytes | None
    mailbox: bytes | None
    host: bytes | None


_PLAIN = rb"""([^"<>(),:;@\\\[\]\s]++)"""
_SIMPLE = re.compile(
    rb"""[ \t,]*+(?:(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"[ \t]*|([^"<>(),:;@\\\[\]]*+))<%b@%b>|%b@%b)[ \t]*(?:,|\Z)"""
    % (_PLAIN, _PLAIN, _PLAIN, _PLAIN),
    re.DOTALL,
)
_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def parse_addresses(value: bytes) -> list[Address]:
    """The addresses of an unfolded address-list value, with group markers; at most MAX_ADDRESSES. Never raises."""
    value = value[:MAX_VALUE]
    found: list[Address] = []
    parser: _Parser | None = None
    at, end = 0, len(value)
    while at < end and len(found) < MAX_ADDRESSES:
        match = _SIMPLE.match(value, at)
        if match is None:
            parser = parser or _Parser(value, found)
            at = parser.run(at)
            continue
        quoted, words, local, host, bare, bare_host = match.groups()
        if bare is not None:
            found.append(Address(None, None, bare, bare_host))
        elif quoted is not None:
            found.append(Address(_unpair(quoted) or None, None, local, host))
        else:
            found.append(Address(words.strip(b" \t") or None, None, local, host))
        at = match.end()
    if parser is not None and parser.in_group:
        found.append(Address(None, None, None, None))
    return found


def _unpair(text: bytes) -> bytes:
    return _PAIR.sub(rb"\1", text) if b"\\" in text else text


_TOKEN = re.compile(
    rb"""([ \t\r\n]+)|(=\?[^?\s]+\?[bBqQ]\?[^?\r\n]*\?=)|([^"<>(),:;@\\\[\]\s]+)|(\[[^\[\]\r\n]*\])|(.)""", re.DOTALL
)
_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_PAREN = re.compile(rb"[()\\]")
SPACE, ATOM, QUOTED, AT = "space", "atom", "quoted", "at"


class _Parser:
    """The full grammar, token by token; anything that does not fit becomes text of a name. After MAX_TOKENS it ends."""

    def __init__(self, value: bytes, found: list[Address]) -> None:
        self.value = value
        self.found = found
        self.in_group = False
        self.tokens = MAX_TOKENS
        self.quotes = self.comments = True
        self.reset()

    def reset(self) -> None:
        self.words: list[tuple[str, bytes]] = []
        self.angle: list[tuple[str, bytes]] | None = None
        self.in_angle = False
        self.adl: bytes | None = None
        self.comment: bytes | None = None

    def run(self, at: int) -> int:
        """Parse from `at` until an address or a group marker is complete; answers where the next one may begin."""
        before, end = len(self.found), len(self.value)
        while at < end and len(self.found) == before:
            self.tokens -= 1
            if self.tokens < 0:
                at = end
                break
            at = self.step(at)
        if at >= end:
            self.finish()
        return at

    def step(self, at: int) -> int:
        """Take the token at `at`; answers where the next one begins."""
        first = self.value[at : at + 1]
        if first == b'"' and self.quotes:
            match = _QUOTED.match(self.value, at)
            if match is not None:
                self.put(QUOTED, _unpair(match.group(1)))
                return match.end()
            self.quotes = False
        if first == b"(" and self.comments:
            closed = self.take_comment(at)
            if closed is not None:
                return closed
            self.comments = False
        token = _TOKEN.match(self.value, at)
        if token is None:
            return len(self.value)
        kind, text = token.lastindex, token.group()
        if kind == 5:
            self.special(text)
        else:
            self.put(SPACE if kind == 1 else ATOM, text)
        return token.end()

    def put(self, kind: str, text: bytes) -> None:
        (self.angle if self.in_angle and self.angle is not None else self.words).append((kind, text))

    def take_comment(self, at: int) -> int | None:
        depth, pos = 0, at
        for _ in range(MAX_MARKS):
            match = _PAREN.search(self.value, pos)
            if match is None:
                return None
            pos = match.end()
            mark = match.group()
            if mark == b"\\":
                pos += 1
            elif mark == b"(":
                depth += 1
            else:
                depth -= 1
                if depth == 0:
                    self.comment = _unpair(self.value[at + 1 : pos - 1]).strip()
                    self.put(SPACE, b" ")
                    return pos
        return None

    def special(self, text: bytes) -> None:
        if text == b"<" and not self.in_angle:
            self.in_angle, self.angle = True, []
        elif text == b">" and self.in_angle:
            self.in_angle = False
        elif text == b"," and not (self.in_angle and self.is_route()):
            self.finish()
        elif text == b":" and self.in_angle:
            self.adl = b"".join(part for kind, part in self.angle or () if kind != SPACE) or None
            self.angle = []
        elif text == b":" and not self.in_group and self.angle is None and self.words:
            name = self.phrase(self.words)
            self.reset()
            self.in_group = True
            self.found.append(Address(None, None, name, None))
        elif text == b";":
            self.finish()
            if self.in_group:
                self.in_group = False
                self.found.append(Address(None, None, None, None))
        elif text == b"@":
            self.put(AT, text)
        elif text not in b'\\"<>':
            self.put(ATOM, text)

    def is_route(self) -> bool:
        """Within `<@a,@b:` (RFC 5322 4.4 obs-route) a comma does not end the address."""
        first = next((kind for kind, _ in self.angle or () if kind != SPACE), None)
        return first == AT or first is None

    @staticmethod
    def phrase(words: list[tuple[str, bytes]]) -> bytes:
        return b" ".join(b"".join(text for _, text in words).split())

    def finish(self) -> None:
        if self.angle is not None:
            spec = [(kind, text) for kind, text in self.angle if kind != SPACE]
            mailbox, host = self.split_spec(spec)
            self.emit(self.phrase(self.words), mailbox, host)
        elif self.words:
            self.finish_bare()
        self.reset()

    def finish_bare(self) -> None:
        """No angle brackets: `a@b`, `Name a@b`, one word (a local mailbox), or several (a name only)."""
        words = self.words
        last_at = max((i for i, (kind, _) in enumerate(words) if kind == AT), default=-1)
        if last_at >= 0:
            start = last_at
            while start > 0 and words[start - 1][0] != SPACE:
                start -= 1
            stop = last_at + 1
            while stop < len(words) and words[stop][0] != SPACE:
                stop += 1
            if start == last_at or stop == last_at + 1:
                start, stop = 0, len(words)
            mailbox, host = self.split_spec([w for w in words[start:stop] if w[0] != SPACE])
            self.emit(self.phrase(words[:start] + words[stop:]), mailbox, host)
            return
        solid = [text for kind, text in words if kind != SPACE]
        if len(solid) == 1:
            self.emit(b"", solid[0], b"")
        elif solid:
            self.emit(self.phrase(words), b"", b"")

    @staticmethod
    def split_spec(spec: list[tuple[str, bytes]]) -> tuple[bytes, bytes]:
        last_at = max((i for i, (kind, _) in enumerate(spec) if kind == AT), default=-1)
        if last_at < 0:
            return b"".join(text for _, text in spec), b""
        return b"".join(text for _, text in spec[:last_at]), b"".join(text for _, text in spec[last_at + 1 :])

    def emit(self, name: bytes, mailbox: bytes, host: bytes) -> None:
        self.found.append(Address(name or self.comment or None, self.adl, mailbox, host))
