"""FETCH answers in bulk: each attribute is a column of octets for a run of messages, one join makes the lines. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain, repeat

from workers.imap.mailbox import FlagWords
from workers.imap.view import IndexPage
from workers.imap.wire.dates import render_date_time
from workers.imap.wire.sequence import Ranges

Column = Iterable[bytes]
CACHED = 16384
END = b")\r\n"
SPACE = b" "
_PREFIXES: list[bytes] = [b""]


def prefixes(first: int, n: int) -> Column:
    """`* first FETCH (` and the following, `n` of them. The first numbers are kept ready-made."""
    last = first + n
    if last > CACHED:
        return map(b"* %d FETCH (".__mod__, range(first, last))
    if last > len(_PREFIXES):
        _PREFIXES.extend(map(b"* %d FETCH (".__mod__, range(len(_PREFIXES), last)))
    return _PREFIXES[first:last]


def lines(first: int, n: int, columns: list[Column]) -> bytes:
    """The FETCH answers of `n` messages from number `first` on."""
    parts: list[Column] = [prefixes(first, n)]
    for at, column in enumerate(columns):
        if at:
            parts.append(repeat(SPACE))
        parts.append(column)
    parts.append(repeat(END))
    return b"".join(chain.from_iterable(zip(*parts, strict=False)))


def uids(ref: IndexPage, a: int, b: int) -> Column:
    return map(b"UID %d".__mod__, ref.page.uids[a:b])


def sizes(ref: IndexPage, a: int, b: int) -> Column:
    return map(b"RFC822.SIZE %d".__mod__, ref.page.sizes[a:b])


def modseqs(ref: IndexPage, a: int, b: int) -> Column:
    return map(b"MODSEQ (%d)".__mod__, ref.page.modseqs[a:b])


def internal_dates(ref: IndexPage, a: int, b: int) -> Column:
    return map(b"INTERNALDATE %b".__mod__, map(render_date_time, ref.page.received[a:b]))


def flags(ref: IndexPage, a: int, b: int, words: FlagWords, recent_words: FlagWords, recent: Ranges) -> Column:
    """`FLAGS (…)`; messages with uids in `recent` show \\Recent."""
    uids = ref.page.uids
    if not recent or uids[b - 1] < recent[0][0]:
        return map(words.__getitem__, ref.page.flags[a:b])
    return [
        (recent_words if any(x <= uid <= y for x, y in recent) else words)[word]
        for uid, word in zip(uids[a:b], ref.page.flags[a:b], strict=True)
    ]
