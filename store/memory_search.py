"""Text search of the memory store: a plain scan with the standard library's parser, the oracle for the real search."""

from __future__ import annotations

from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message

from gromoxd.exmdb.calls import Digest, Term


def matches(term: Term, digest: Digest, raw: bytes) -> bool:
    """Whether a message matches one condition of `calls.SearchText` (RFC 9051 6.4.4)."""
    wanted = term.value.casefold()
    keys = {
        "from": digest.from_key,
        "to": digest.to_key,
        "cc": digest.cc_key,
        "bcc": digest.bcc_key,
        "subject": digest.subject_key,
    }
    if term.where in keys:
        return wanted in keys[term.where]
    message = message_from_bytes(raw)
    if term.where == "header":
        values = message.get_all(term.name, [])
        return any(wanted in decoded(v) for v in values)
    if wanted in _body(message):
        return True
    return term.where == "text" and any(wanted in decoded(f"{k}: {v}") for k, v in message.items())


def decoded(value: object) -> str:
    """A header's text without encoded words, case-folded."""
    text = str(value)
    try:
        return str(make_header(decode_header(text))).casefold()
    except (LookupError, ValueError):
        return text.casefold()


def _body(message: Message) -> str:
    texts = []
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            charset = part.get_content_charset("utf-8")
            try:
                texts.append(payload.decode(charset, "replace"))
            except LookupError:
                texts.append(payload.decode("latin-1"))
    return "\n".join(texts).casefold()
