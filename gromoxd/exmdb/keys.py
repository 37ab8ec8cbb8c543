"""Keys of mailbox objects in a store worker's arena. Kind, mailbox hash (mmh3, 128 bit), object id."""

from __future__ import annotations

from functools import lru_cache

import mmh3


@lru_cache(maxsize=8192)
def mailbox_hash(mailbox: str) -> bytes:
    """16 bytes that stand for a maildir path."""
    return mmh3.hash_bytes(mailbox.encode())


def shard_of(mailbox: str, shards: int) -> int:
    """The number of the store worker that owns a mailbox on its node."""
    return mmh3.hash(mailbox.encode(), signed=False) % shards


def folder_list(mailbox: str) -> bytes:
    """Encoded calls.FolderList."""
    return b"L" + mailbox_hash(mailbox) + bytes(8)


def keyword_sets(mailbox: str) -> bytes:
    """Encoded calls.KeywordSets, whole (first = 0)."""
    return b"K" + mailbox_hash(mailbox) + bytes(8)


def folder_state(mailbox: str, fid: int) -> bytes:
    """Encoded pages.FolderState."""
    return b"S" + mailbox_hash(mailbox) + fid.to_bytes(8, "little")


def page(mailbox: str, fid: int, number: int) -> bytes:
    """The page's change number ('<Q', as in FolderState.pages) followed by the encoded pages.Page.

    A reader whose state names another change number re-reads the state (newer) or asks the owner (older).
    """
    return b"P" + mailbox_hash(mailbox) + mmh3.hash_bytes(b"%d.%d" % (fid, number))[:8]


def pieces(mailbox: str, mid: int, uid: int) -> bytes:
    """'<II' lengths, ENVELOPE text, BODYSTRUCTURE text. Never out of date: a message gets a new uid with new bytes."""
    return b"E" + mailbox_hash(mailbox) + (mid << 32 | uid).to_bytes(10, "little")
