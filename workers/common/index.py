"""Reading a folder's index: from shared memory where the owner has published it, from the owner otherwise.

Not here: what a session makes of it (sequence numbers, flags as text). See `gromoxd.exmdb.pages` for the encodings.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

import msgspec

from gromoxd.exmdb import keys
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.calls import GetFolderState, GetPages
from gromoxd.exmdb.pages import FolderState, Page

TRIES = 8
PAGES_A_CALL = 256
_ROW = Struct("<IIQ")  # number, count, change number: FolderState.pages
_state_decoder = msgspec.msgpack.Decoder(FolderState)


class Snapshot(NamedTuple):
    """A folder at one moment. `raw` are the state's bytes: equal bytes, equal state. `pages`: number -> page."""

    raw: bytes
    state: FolderState
    pages: dict[int, Page]
    versions: dict[int, int]
    """Page number -> change number of the page."""

    def uids(self) -> list[int]:
        """All uids, ascending: sequence number n is the item n-1."""
        return [uid for page in self.pages.values() for uid in page.uids]


class _Outdated(Exception):
    """The folder has changed while its pages were being read."""


def decode_state(raw: bytes) -> FolderState:
    """A state's bytes as the owner encodes them."""
    return _state_decoder.decode(raw)


def page_table(state: FolderState) -> dict[int, int]:
    """Page number -> change number, in ascending order of the numbers."""
    return {number: cn for number, _, cn in _ROW.iter_unpack(state.pages)}


def read_state(exmdb: Exmdb, mailbox: MailboxRef, fid: int, actor: str) -> bytes:
    """The folder's present state, encoded. MapiError."""
    raw = exmdb.published(mailbox, keys.folder_state(mailbox.maildir, fid))
    return raw if raw is not None else exmdb.call(mailbox, GetFolderState(fid), actor=actor)


def snapshot(exmdb: Exmdb, mailbox: MailboxRef, fid: int, actor: str, known: Snapshot | None = None) -> Snapshot:
    """State and all pages of a folder, belonging together; pages that `known` has already are taken from it. MapiError.

    In a folder that changes without pause the last of several tries is given out though its pages may be newer than
    its state.
    """
    if known is not None:
        raw = read_state(exmdb, mailbox, fid, actor)
        if raw == known.raw:
            return known
    for attempt in range(1, TRIES + 1):
        raw = read_state(exmdb, mailbox, fid, actor)
        try:
            return _assemble(exmdb, mailbox, actor, raw, known, last=attempt == TRIES)
        except _Outdated:
            continue
    raise AssertionError("the last try does not give up")


def _assemble(
    exmdb: Exmdb, mailbox: MailboxRef, actor: str, raw: bytes, known: Snapshot | None, last: bool
) -> Snapshot:
    state = decode_state(raw)
    versions = page_table(state)
    found: dict[int, Page] = {}
    missing = []
    for number, cn in versions.items():
        if known is not None and known.versions.get(number) == cn:
            found[number] = known.pages[number]
        elif (page := _published_page(exmdb, mailbox, state.fid, number, cn, last)) is not None:
            found[number] = page
        else:
            missing.append(number)
    if missing:
        _ask_owner(exmdb, mailbox, actor, state.fid, missing, found)
        if not last and read_state(exmdb, mailbox, state.fid, actor) != raw:
            raise _Outdated
    return Snapshot(raw, state, {number: found[number] for number in versions if number in found}, versions)


def _published_page(exmdb: Exmdb, mailbox: MailboxRef, fid: int, number: int, cn: int, last: bool) -> Page | None:
    value = exmdb.published(mailbox, keys.page(mailbox.maildir, fid, number))
    if value is None:
        return None
    version = int.from_bytes(value[:8], "little")
    if version > cn and not last:
        raise _Outdated
    return Page.decode(value[8:]) if version == cn else None


def _ask_owner(
    exmdb: Exmdb, mailbox: MailboxRef, actor: str, fid: int, numbers: list[int], found: dict[int, Page]
) -> None:
    for at in range(0, len(numbers), PAGES_A_CALL):
        wanted = numbers[at : at + PAGES_A_CALL]
        answers = exmdb.call(mailbox, GetPages(fid, wanted), actor=actor)
        found.update((number, Page.decode(data)) for number, data in zip(wanted, answers, strict=True) if data)
