"""A strict reader of ENVELOPE, BODY and BODYSTRUCTURE: the ABNF of RFC 9051 9 (and RFC 3501), nothing more lenient.

It takes quoted strings only (the server never sends these texts as literals) and answers what it read, so that a test
can compare it with what went in.
"""

from __future__ import annotations

from typing import Any


class GrammarError(AssertionError):
    """The text is not what the ABNF allows."""


class Reader:
    """One cursor over the text."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0

    def fail(self, why: str) -> GrammarError:
        return GrammarError(f"{why} at {self.at}: {self.text[max(0, self.at - 40) : self.at + 40]!r}")

    def peek(self, text: bytes) -> bool:
        return self.text.startswith(text, self.at)

    def take(self, text: bytes) -> None:
        if not self.peek(text):
            raise self.fail(f"expected {text!r}")
        self.at += len(text)

    def string(self) -> bytes:
        """quoted = DQUOTE *QUOTED-CHAR DQUOTE; TEXT-CHAR is 1-127 without CR and LF."""
        self.take(b'"')
        out = bytearray()
        while True:
            if self.at >= len(self.text):
                raise self.fail("unterminated string")
            octet = self.text[self.at]
            self.at += 1
            if octet == 0x22:
                return bytes(out)
            if octet == 0x5C:
                octet = self.text[self.at]
                self.at += 1
                if octet not in b'"\\':
                    raise self.fail("escape of an ordinary character")
            elif octet in (0, 10, 13) or octet > 127:
                raise self.fail("octet that a quoted string cannot hold")
            out.append(octet)

    def nil(self) -> bool:
        if self.peek(b"NIL"):
            self.at += 3
            return True
        return False

    def nstring(self) -> bytes | None:
        return None if self.nil() else self.string()

    def number(self) -> int:
        start = self.at
        while self.at < len(self.text) and 0x30 <= self.text[self.at] <= 0x39:
            self.at += 1
        if start == self.at:
            raise self.fail("expected a number")
        return int(self.text[start : self.at])

    def space(self) -> None:
        self.take(b" ")

    def end(self) -> None:
        if self.at != len(self.text):
            raise self.fail("text behind the end")

    # -------------------------------------------------------------------------------------- envelope

    def envelope(self) -> dict[str, Any]:
        self.take(b"(")
        out: dict[str, Any] = {}
        for name in ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id"):
            if out:
                self.space()
            plain = name in ("date", "subject", "in-reply-to", "message-id")
            out[name] = self.nstring() if plain else self.addresses()
        self.take(b")")
        return out

    def addresses(self) -> list[tuple[bytes | None, ...]] | None:
        """ "(" 1*address ")" / nil: no white space between addresses, never an empty list."""
        if self.nil():
            return None
        self.take(b"(")
        found = [self.address()]
        while not self.peek(b")"):
            found.append(self.address())
        self.take(b")")
        self.check_groups(found)
        return found

    def address(self) -> tuple[bytes | None, ...]:
        self.take(b"(")
        parts: list[bytes | None] = [self.nstring()]
        for _ in range(3):
            self.space()
            parts.append(self.nstring())
        self.take(b")")
        return tuple(parts)

    def check_groups(self, found: list[tuple[bytes | None, ...]]) -> None:
        """RFC 9051 7.5.2: host NIL marks a group; its name is the mailbox, NIL at its end; groups do not nest."""
        inside = False
        for name, adl, mailbox, host in found:
            if host is None:
                if name is not None or adl is not None or (mailbox is None) != inside:
                    raise self.fail("group markers that do not pair")
                inside = not inside
            elif mailbox is None:
                raise self.fail("an address with a host but without mailbox")
        if inside:
            raise self.fail("group without end")

    # -------------------------------------------------------------------------------------- body

    def body(self, extended: bool) -> dict[str, Any]:
        self.take(b"(")
        out = self.multipart(extended) if self.peek(b"(") else self.single(extended)
        self.take(b")")
        return out

    def multipart(self, extended: bool) -> dict[str, Any]:
        """body-type-mpart = 1*body SP media-subtype [SP body-ext-mpart]."""
        children = []
        while self.peek(b"("):
            children.append(self.body(extended))
        self.space()
        out: dict[str, Any] = {"type": b"multipart", "subtype": self.string(), "children": children}
        if extended:
            self.space()
            out["params"] = self.params()
            self.extension(out)
        return out

    def single(self, extended: bool) -> dict[str, Any]:
        out: dict[str, Any] = {"type": self.string(), "children": []}
        self.space()
        out["subtype"] = self.string()
        self.space()
        out["params"] = self.params()
        for name in ("id", "description"):
            self.space()
            out[name] = self.nstring()
        self.space()
        out["encoding"] = self.string()
        self.space()
        out["octets"] = self.number()
        if out["type"].lower() == b"text":
            self.space()
            out["lines"] = self.number()
        elif out["type"].lower() == b"message" and out["subtype"].lower() in (b"rfc822", b"global"):
            self.space()
            out["envelope"] = self.envelope()
            self.space()
            out["children"] = [self.body(extended)]
            self.space()
            out["lines"] = self.number()
        if extended:
            self.space()
            out["md5"] = self.nstring()
            self.extension(out)
        return out

    def params(self) -> list[tuple[bytes, bytes]] | None:
        """body-fld-param = "(" string SP string *(SP string SP string) ")" / nil."""
        if self.nil():
            return None
        self.take(b"(")
        found = []
        while True:
            name = self.string()
            self.space()
            found.append((name, self.string()))
            if self.peek(b")"):
                self.at += 1
                return found
            self.space()

    def extension(self, out: dict[str, Any]) -> None:
        """SP body-fld-dsp SP body-fld-lang SP body-fld-loc."""
        self.space()
        out["disposition"] = None
        if not self.nil():
            self.take(b"(")
            token = self.string()
            self.space()
            out["disposition"] = (token, self.params())
            self.take(b")")
        self.space()
        out["language"] = self.language()
        self.space()
        out["location"] = self.nstring()

    def language(self) -> list[bytes]:
        if not self.peek(b"("):
            tag = self.nstring()
            return [] if tag is None else [tag]
        self.take(b"(")
        tags = [self.string()]
        while not self.peek(b")"):
            self.space()
            tags.append(self.string())
        self.take(b")")
        return tags


def read_envelope(text: bytes) -> dict[str, Any]:
    """The fields of an ENVELOPE; GrammarError when it is none."""
    reader = Reader(text)
    out = reader.envelope()
    reader.end()
    return out


def read_body(text: bytes, extended: bool = True) -> dict[str, Any]:
    """The tree of a BODYSTRUCTURE (or, not extended, a BODY); GrammarError when it is none."""
    reader = Reader(text)
    out = reader.body(extended)
    reader.end()
    return out
