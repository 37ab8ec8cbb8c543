"""Messages for the contract tests, and the digest a worker would make of them."""

from __future__ import annotations

from email import message_from_bytes
from email.utils import parsedate_to_datetime
from importlib.util import find_spec

from gromoxd.exmdb.calls import Digest
from store.memory_search import decoded


def mail(number: int = 1, *, subject: str = "", body: str = "", more: str = "") -> bytes:
    """A small message that differs from every other number's."""
    return (
        f"From: Sender {number} <sender{number}@example.org>\r\nTo: alice@example.test\r\n"
        f"Subject: {subject or f'Message {number}'}\r\nDate: Tue, 3 Mar 2026 10:20:30 +0100\r\n"
        f"Message-ID: <{number}@example.org>\r\n{more}\r\n{body or f'This is body {number}.'}\r\n"
    ).encode()


def digest_of(raw: bytes) -> Digest:
    """What `gromoxd.convert.digest` makes of a message."""
    if find_spec("gromoxd.convert.digest"):
        from gromoxd.convert.digest import digest_message

        return digest_message(raw)
    return _plain_digest(raw)


def _plain_digest(raw: bytes) -> Digest:
    """A stand-in for texts without MIME structure, made with the standard library."""
    message = message_from_bytes(raw)
    sent = -(2**31)
    if message["Date"]:
        sent = int(parsedate_to_datetime(message["Date"]).replace(tzinfo=None).timestamp())
    end = raw.find(b"\r\n\r\n")
    return Digest(
        size=len(raw),
        header_size=end + 4 if end >= 0 else len(raw),
        sent=sent,
        envelope=b'("%s")' % str(message["Subject"]).encode(),
        bodystructure=b'("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1)',
        parts=b"\x90",
        message_id=str(message["Message-ID"] or ""),
        from_key=decoded(message["From"] or ""),
        to_key=decoded(message["To"] or ""),
        cc_key=decoded(message["Cc"] or ""),
        bcc_key=decoded(message["Bcc"] or ""),
        subject_key=decoded(message["Subject"] or ""),
        message_class="IPM.Note",
        props=b"",
        recipients=b"",
        attachments=[],
    )
