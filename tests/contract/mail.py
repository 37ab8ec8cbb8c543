"""Messages for the contract tests, and the digest a worker would make of them."""

from __future__ import annotations

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb.calls import Digest


def mail(number: int = 1, *, subject: str = "", body: str = "", more: str = "") -> bytes:
    """A small message that differs from every other number's."""
    return (
        f"From: Sender {number} <sender{number}@example.org>\r\nTo: alice@example.test\r\n"
        f"Subject: {subject or f'Message {number}'}\r\nDate: Tue, 3 Mar 2026 10:20:30 +0100\r\n"
        f"Message-ID: <{number}@example.org>\r\n{more}\r\n{body or f'This is body {number}.'}\r\n"
    ).encode()


def digest_of(raw: bytes) -> Digest:
    """What an LMTP or IMAP worker makes of a message."""
    return digest_message(raw, received=1_000_000)
