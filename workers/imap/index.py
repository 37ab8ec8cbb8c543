"""The folder indexes of one worker: views built from the owner's published state and pages, shared by its sessions.

An unchanged folder costs one read of shared memory and a comparison of bytes. A changed one costs the pages that
changed. When shared memory lacks something (evicted, or the mailbox lives on another node), the owner is asked.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple, cast

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls, keys
from gromoxd.exmdb.api import Exmdb, MailboxRef
from gromoxd.exmdb.pages import FolderState, Page
from workers.imap.view import DECODER, IndexPage, View, common_ends

TRIES = 40
PAGES_A_CALL = 200
PAGES_A_TURN = 300
ENTRY = 16


class Entry(NamedTuple):
    """One entry of a page table."""

    number: int
    messages: int
    cn: int


class FolderIndex:
    """One folder's current view. `pause` lets other greenlets run during the reading of a large folder."""

    __slots__ = ("_actor", "_exmdb", "_key", "_pause", "_ref", "claiming", "fid", "view")

    def __init__(self, exmdb: Exmdb, ref: MailboxRef, fid: int, actor: str, pause: Callable[[], None]) -> None:
        self._exmdb = exmdb
        self._ref = ref
        self._actor = actor
        self._pause = pause
        self._key = keys.folder_state(ref.maildir, fid)
        self.fid = fid
        self.claiming = False
        self.view: View | None = None

    def raw(self) -> bytes:
        """The folder's encoded state of this moment. MapiError(ecNotFound) when the folder is gone."""
        data = self._exmdb.published(self._ref, self._key)
        if data is None:
            data = self._exmdb.call(self._ref, calls.GetFolderState(self.fid), actor=self._actor)
        return data

    def state(self) -> FolderState:
        """The state alone (STATUS): no page is read."""
        data = self.raw()
        view = self.view
        return view.state if view is not None and view.raw == data else DECODER.decode(data)

    def current(self) -> View:
        """The folder as it is now."""
        data = self.raw()
        view = self.view
        if view is None or view.raw != data:
            view = self.view = self._build(data, view)
        return view

    def _build(self, data: bytes, known: View | None) -> View:
        """State and pages that belong together; pages of `known` are taken over."""
        loaded: dict[tuple[int, int], IndexPage] = {}
        for attempt in range(TRIES):
            state = DECODER.decode(data)
            refs, missing = self._refs(state.pages, known, loaded)
            if missing:
                missing = self._load(missing, loaded)
            if not missing:
                if None in refs:
                    refs, _ = self._refs(state.pages, known, loaded)
                return View(data, state, tuple(cast("list[IndexPage]", refs)), known=known)
            newer = self.raw() if attempt < 2 else data
            data = newer if newer != data else self._ask(missing, loaded)
        raise MapiError(Ec.ecBusy, "the folder changes too quickly to be read")

    def _refs(
        self, table: bytes, known: View | None, loaded: dict[tuple[int, int], IndexPage]
    ) -> tuple[list[IndexPage | None], list[Entry]]:
        """What is there already for each entry of a page table, and the entries for which nothing is."""
        words = memoryview(table).cast("Q")
        refs: list[IndexPage | None] = []
        missing: list[Entry] = []
        head = tail = 0
        old: dict[int, IndexPage] = {}
        if known is not None:
            head, tail = common_ends(known.state.pages, table, ENTRY)
            refs.extend(known.refs[:head])
            old = {ref.number: ref for ref in known.refs[head : len(known.refs) - tail]}
        for at in range(head, len(words) // 2 - tail):
            number, cn = words[2 * at] & 0xFFFFFFFF, words[2 * at + 1]
            ref = old.get(number)
            if ref is None or ref.cn != cn:
                ref = loaded.get((number, cn))
            if ref is None:
                missing.append(Entry(number, words[2 * at] >> 32, cn))
            refs.append(ref)
        if known is not None:
            refs.extend(known.refs[len(known.refs) - tail :])
        return refs, missing

    def _load(self, missing: list[Entry], loaded: dict[tuple[int, int], IndexPage]) -> list[Entry]:
        """Read pages from shared memory; returns what is not there in the wanted version."""
        rest = []
        for turn, entry in enumerate(missing):
            value = self._exmdb.published(self._ref, keys.page(self._ref.maildir, self.fid, entry.number))
            if value is None or value[:8] != entry.cn.to_bytes(8, "little") or not _keep(entry, value[8:], loaded):
                rest.append(entry)
            if turn % PAGES_A_TURN == PAGES_A_TURN - 1:
                self._pause()
        return rest

    def _ask(self, missing: list[Entry], loaded: dict[tuple[int, int], IndexPage]) -> bytes:
        """Ask the owner for pages. Those that did not change meanwhile are kept; returns the state after it."""
        before = self._table()
        for at in range(0, len(missing), PAGES_A_CALL):
            part = missing[at : at + PAGES_A_CALL]
            numbers = [entry.number for entry in part]
            answers = self._exmdb.call(self._ref, calls.GetPages(self.fid, numbers), actor=self._actor)
            data = self._exmdb.call(self._ref, calls.GetFolderState(self.fid), actor=self._actor)
            after = _table(DECODER.decode(data).pages)
            for number, answer in zip(numbers, answers, strict=True):
                entry = before.get(number)
                if entry is not None and entry == after.get(number):
                    _keep(entry, answer, loaded)
        return data

    def _table(self) -> dict[int, Entry]:
        data = self._exmdb.call(self._ref, calls.GetFolderState(self.fid), actor=self._actor)
        return _table(DECODER.decode(data).pages)


def _table(data: bytes) -> dict[int, Entry]:
    words = array("Q", data)
    return {w & 0xFFFFFFFF: Entry(w & 0xFFFFFFFF, w >> 32, cn) for w, cn in zip(words[::2], words[1::2], strict=True)}


def _keep(entry: Entry, data: bytes, loaded: dict[tuple[int, int], IndexPage]) -> bool:
    try:
        page = Page.decode(data)
    except ValueError:
        return False
    if len(page.uids) != entry.messages or not entry.messages:
        return False
    loaded[entry.number, entry.cn] = IndexPage(entry.number, entry.cn, page)
    return True
