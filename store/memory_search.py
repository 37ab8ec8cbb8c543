"""Text search of the memory store: a plain scan of the decoded message."""

from __future__ import annotations

from collections.abc import Iterator

from gromoxd.convert.headers import decode_header, unfold_fields
from gromoxd.convert.searchtext import body_text, fold
from gromoxd.exmdb.calls import Digest, Term

KEYS = {"from": "from_key", "to": "to_key", "cc": "cc_key", "bcc": "bcc_key", "subject": "subject_key"}


def matches(term: Term, digest: Digest, raw: bytes) -> bool:
    """Whether a message matches one condition of `calls.SearchText` (RFC 9051 6.4.4)."""
    wanted = fold(term.value)
    if term.where in KEYS:
        return wanted in getattr(digest, KEYS[term.where])
    return any(wanted in fold(text) for text in _texts(term, digest, raw))


def _texts(term: Term, digest: Digest, raw: bytes) -> Iterator[str]:
    """The texts in which a term is looked for."""
    if term.where in ("header", "text"):
        for name, value in unfold_fields(raw[: digest.header_size]):
            field, content = name.decode("latin-1"), decode_header(value)
            if term.where == "text":
                yield f"{field}: {content}"
            elif field.lower() == term.name.lower():
                yield content
    if term.where in ("body", "text"):
        yield from body_text(raw, digest.parts)
