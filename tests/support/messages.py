"""Messages for tests: each carries its own name and the hash of its bytes, so that it can prove itself anywhere."""

from __future__ import annotations

import hashlib
import random
import re

TRACE = re.compile(rb"(?:(?:Return-Path|Delivered-To|Received|X-[\w-]+):[^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)+", re.I)
_ID = re.compile(rb"^Message-ID:[ \t]*<([^>\r\n]+)>", re.I | re.M)
_WORDS = b"amber basin copper delta ember fjord garnet harbor inlet juniper kelp lagoon marble nickel ochre".split()


def digest(data: bytes) -> str:
    """A message's fingerprint."""
    return hashlib.sha256(data).hexdigest()


def make(name: str, size: int = 1500, to: str = "alice@example.test") -> bytes:
    """A message with Message-ID <name@load.example>, always the same bytes for the same arguments."""
    rng = random.Random(name)
    lines = []
    length = 0
    while length < size:
        line = b" ".join(rng.choices(_WORDS, k=9))
        lines.append(line)
        length += len(line) + 2
    body = b"\r\n".join(lines) + b"\r\n"
    head = (
        f"Date: Mon, 02 Jun 2025 10:{rng.randrange(60):02}:{rng.randrange(60):02} +0200\r\n"
        f"From: Sender <sender@example.net>\r\nTo: {to}\r\nSubject: message {name}\r\n"
        f"Message-ID: <{name}@load.example>\r\nX-Body-Hash: {digest(body)}\r\n\r\n"
    )
    return head.encode() + body


def message_id(data: bytes) -> str:
    """The Message-ID without brackets, '' without one."""
    found = _ID.search(data)
    return found[1].decode() if found else ""


def name_of(data: bytes) -> str:
    """The name that `make` was given, '' for a message not made by it."""
    ident = message_id(data)
    return ident.removesuffix("@load.example") if ident.endswith("@load.example") else ""


def proves_itself(data: bytes) -> bool:
    """Whether the body of a message of `make` is the one that its header names."""
    header, _, body = data.partition(b"\r\n\r\n")
    found = re.search(rb"^X-Body-Hash: (\w+)", header, re.M)
    return bool(found) and found[1].decode() == digest(body) if found else False


def without_trace(stored: bytes, original: bytes) -> bytes:
    """What was stored for `original`, less the trace fields that delivery put on top (RFC 5321 4.4)."""
    if not stored.endswith(original):
        return stored
    added = stored[: len(stored) - len(original)]
    return original if not added or TRACE.fullmatch(added) else stored


def to_crlf(data: bytes) -> bytes:
    """Every line ending as CRLF, as an MTA does before it hands a message on."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", data)
