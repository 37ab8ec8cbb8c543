"""The folder index as both sides see it: folder state, index pages and the flags word. Pure.

The owner publishes these encodings in its arena (keys of `gromoxd.exmdb.keys`) before it answers a write, so a worker
that compares state bytes never misses a change that was acknowledged to anybody. A page holds the messages with
`uid // PAGE_SPAN == number`; a change rewrites only the pages it touches.

Flags word: bits 0-7 are system flags, the bits above are the *keyword-set id*: an interned, append-only set of keywords
of the mailbox (`GetKeywordSets`), so that the number of keywords is not limited and rendering is one dict look-up.
"""

from __future__ import annotations

import re
from array import array

import msgspec

PAGE_SPAN = 256
SEEN, ANSWERED, FLAGGED, DELETED, DRAFT = 1, 2, 4, 8, 16
SYSTEM_MASK = 0xFF
KEYWORD_SHIFT = 8
_ATOM = re.compile(r'[^\x00-\x20"%()*\\\]{\x7f-\U0010ffff]+')


def is_imap_keyword(word: str) -> bool:
    """Whether IMAP can show a keyword: an atom (RFC 9051 9). MAPI's categories may be any text."""
    return _ATOM.fullmatch(word) is not None


class FolderState(msgspec.Struct, array_like=True, frozen=True):
    """A folder at one moment. `pages` is an array of '<IIQ' (number, count, cn) of the non-empty pages, ascending.

    `recent_uid` is the first uid that no session has claimed as \\Recent. `cn` is the folder's highest mod-sequence.
    Two states with equal bytes are the same state.
    """

    fid: int
    uidvalidity: int
    uidnext: int
    exists: int
    unseen: int
    recent_uid: int
    cn: int
    size: int
    pages: bytes


class Page:
    """One decoded index page: parallel arrays in uid order. Treat as immutable.

    uids 'I', flags 'I', sizes 'I' (RFC822.SIZE), received 'I' (Unix seconds), sent 'i' (Unix seconds of the Date
    header's wall clock, i.e. the date as written, zone disregarded; -2**31 when absent), modseqs 'Q', mids 'Q'.
    """

    __slots__ = ("flags", "mids", "modseqs", "received", "sent", "sizes", "uids")

    def __init__(self) -> None:
        self.uids = array("I")
        self.flags = array("I")
        self.sizes = array("I")
        self.received = array("I")
        self.sent = array("i")
        self.modseqs = array("Q")
        self.mids = array("Q")

    def encode(self) -> bytes:
        """Count as '<Q', then the 8-byte columns, then the 4-byte ones."""
        return b"".join(
            (
                len(self.uids).to_bytes(8, "little"),
                self.modseqs.tobytes(),
                self.mids.tobytes(),
                self.uids.tobytes(),
                self.flags.tobytes(),
                self.sizes.tobytes(),
                self.received.tobytes(),
                self.sent.tobytes(),
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> Page:
        """The inverse; ValueError when the length does not fit."""
        page = cls()
        view = memoryview(data)
        n = int.from_bytes(view[:8], "little")
        if len(data) != 8 + n * 36:
            raise ValueError("index page of wrong length")
        at = 8
        for column in (page.modseqs, page.mids):
            column.frombytes(view[at : at + 8 * n])
            at += 8 * n
        for column in (page.uids, page.flags, page.sizes, page.received, page.sent):
            column.frombytes(view[at : at + 4 * n])
            at += 4 * n
        return page
