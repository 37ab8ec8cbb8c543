"""The folder index in the owner's memory, and its publication in the arena. Used in the loop only.

What somebody has asked for is kept: a `View` per folder, decoded pages in one LRU per process. A batch of writes is
applied to what is kept; what is not kept is left alone, for a page in the arena that is behind carries an older change
number than the folder's state and is asked for again. Everything remembers the folder's change number at which it was
read (`as_of`): a page may be read after a batch was committed and before it is applied here, and then has it already.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable
from struct import Struct
from typing import Any

import msgspec

from gromoxd.context import Arena
from gromoxd.exmdb import keys
from gromoxd.exmdb.calls import Ranges
from gromoxd.exmdb.pages import PAGE_SPAN, FolderState, Page
from store.changes import Arrived, Change, Effects, Figures, Flagged, Gone, Pieces
from store.reading import LoadedFolder, LoadedPage, Reader

_ENTRY = Struct("<IIQ")
_PAIR = Struct("<II")
_CN = Struct("<Q")
FULL_PAGE = 8 + 8 + 36 * PAGE_SPAN
MOST_PATCHED = 128
"""Pages patched per batch; more are dropped, to be read again when asked for: a batch must not hold the loop."""
STATE_ROOM = 512
encode: Callable[[Any], bytes] = msgspec.msgpack.Encoder().encode


class CachedPage:
    """A page in memory; `cn` as in the folder's table."""

    __slots__ = ("as_of", "cn", "number", "page", "view")

    def __init__(self, view: View, number: int, page: Page, cn: int, as_of: int) -> None:
        self.view, self.number = view, number
        self.page, self.cn, self.as_of = page, cn, as_of


class PageCache:
    """All decoded pages of a process, least recently used first."""

    def __init__(self) -> None:
        self.limit = 0
        self._pages: OrderedDict[CachedPage, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._pages)

    def used(self, cached: CachedPage) -> None:
        """Add a page or make it the latest used."""
        pages = self._pages
        if cached in pages:
            pages.move_to_end(cached)
            return
        pages[cached] = None
        if len(pages) > self.limit:
            oldest, _ = pages.popitem(last=False)
            oldest.view.pages.pop(oldest.number, None)

    def drop(self, cached: CachedPage) -> None:
        """Forget a page."""
        self._pages.pop(cached, None)
        cached.view.pages.pop(cached.number, None)


CACHE = PageCache()


class View:
    """A folder as published: figures, table of pages, and the pages that are in memory."""

    __slots__ = ("_at", "as_of", "encoded", "fid", "figures", "pages", "table", "wanted")

    def __init__(self, fid: int, loaded: LoadedFolder) -> None:
        self.fid = fid
        self.pages: dict[int, CachedPage] = {}
        self.wanted = False
        """Somebody has asked for it: from then on it is published."""
        self.load(loaded)

    def load(self, loaded: LoadedFolder) -> None:
        """Take what the database says."""
        self.figures = loaded.figures
        self.table = bytearray(loaded.table)
        self.as_of = loaded.as_of
        self._number()
        self.encoded = b""

    def _number(self) -> None:
        self._at = {entry[0]: i * _ENTRY.size for i, entry in enumerate(_ENTRY.iter_unpack(self.table))}

    def update(self, figures: Figures, pages: dict[int, tuple[int, int]]) -> None:
        """Take a batch's figures and entries; a change of one page costs the same in any folder."""
        self.figures = figures
        table, at = self.table, self._at
        rebuild: dict[int, tuple[int, int]] = {}
        last = _ENTRY.unpack_from(table, len(table) - _ENTRY.size)[0] if table else -1
        for number, (count, cn) in pages.items():
            place = at.get(number)
            if count and place is not None:
                _ENTRY.pack_into(table, place, number, count, cn)
            elif count and number > last:
                at[number] = len(table)
                table += _ENTRY.pack(number, count, cn)
                last = number
            elif count or place is not None:
                rebuild[number] = (count, cn)
        if rebuild:
            entries = {number: (count, cn) for number, count, cn in _ENTRY.iter_unpack(table)} | rebuild
            kept = [_ENTRY.pack(number, *entry) for number, entry in sorted(entries.items()) if entry[0]]
            self.table = bytearray(b"".join(kept))
            self._number()
        self.encoded = b""

    def cn_of(self, number: int) -> int:
        """The change number of a page, 0 when it has no messages."""
        place = self._at.get(number)
        return 0 if place is None else int(_ENTRY.unpack_from(self.table, place)[2])

    def numbers(self) -> list[int]:
        """The pages with messages."""
        return list(self._at)

    def state(self) -> bytes:
        """The encoded pages.FolderState."""
        if not self.encoded:
            f = self.figures
            self.encoded = encode(
                FolderState(
                    self.fid,
                    f.uidvalidity,
                    f.uidnext,
                    f.messages,
                    f.unseen,
                    f.recent_uid,
                    f.cn,
                    f.size,
                    bytes(self.table),
                )
            )
        return self.encoded


class Index:
    """The views of one mailbox."""

    def __init__(self, mailbox: str, arena: Arena | None, cache: PageCache = CACHE) -> None:
        self._mailbox = mailbox
        self._arena = arena
        self._cache = cache
        self._views: dict[int, View] = {}
        self._recent: dict[int, int] = {}
        """Claimed recent marks, which the database may learn later than we."""

    # ------------------------------------------------------------------------------------------ answering

    def missing(self, fid: int, numbers: list[int]) -> int:
        """How many of the pages would have to be read."""
        view = self._views.get(fid)
        if view is None:
            return len(numbers)
        return sum(self._cached(view, number) is None and bool(view.cn_of(number)) for number in numbers)

    def state(self, fid: int, reader: Reader) -> bytes:
        """The state of a folder, published again. ecNotFound."""
        view = self._view(fid, reader)
        self._publish_state(view)
        return view.state()

    def pages(self, fid: int, numbers: list[int], reader: Reader) -> list[bytes]:
        """Encoded pages, published again; b'' for those without messages."""
        view = self._view(fid, reader)
        found = []
        for number in numbers:
            cached = self._cached(view, number)
            if cached is None:
                loaded = reader.page(fid, number) if 0 <= number <= 0xFFFFFFFF // PAGE_SPAN else None
                if loaded is None:
                    found.append(b"")
                    continue
                cached = self._keep(view, number, loaded, reader)
            else:
                self._cache.used(cached)
            found.append(self._publish_page(cached))
        return found

    def offer(self, fid: int, number: int, loaded: LoadedPage, reader: Reader) -> None:
        """Keep and publish a page that a thread read a while ago, unless it changed meanwhile."""
        view = self._view(fid, reader)
        ahead = loaded.as_of > view.as_of
        if self._cached(view, number) is None and (ahead or loaded.cn == view.cn_of(number)):
            self._publish_page(self._keep(view, number, loaded, reader))

    def _cached(self, view: View, number: int) -> CachedPage | None:
        """A page in memory, unless the folder's state is ahead of it because it was read after the last batch."""
        cached = view.pages.get(number)
        if cached is not None and cached.cn != view.cn_of(number):
            self._cache.drop(cached)
            return None
        return cached

    def _keep(self, view: View, number: int, loaded: LoadedPage, reader: Reader) -> CachedPage:
        fid = view.fid
        if loaded.as_of > view.as_of and loaded.cn != view.cn_of(number):
            self._load(view, reader.folder(fid))
            self._publish_state(view)
        cached = view.pages[number] = CachedPage(view, number, loaded.page, loaded.cn, loaded.as_of)
        self._cache.used(cached)
        return cached

    def _view(self, fid: int, reader: Reader) -> View:
        view = self._views.get(fid)
        if view is None:
            loaded = reader.folder(fid)
            view = self._views[fid] = View(fid, loaded)
            self._load(view, loaded)
        view.wanted = True
        return view

    def _begin(self, change: Change, effects: Effects) -> View | None:
        """A view of a folder that gets its first message ever: nothing need be read, and its first reader finds it."""
        if type(change) is not Arrived or change.rows[0].uid != 1 or change.fid in effects.deleted:
            return None
        view = self._views[change.fid] = View(change.fid, LoadedFolder(effects.figures[change.fid], b"", 0))
        return view

    def _load(self, view: View, loaded: LoadedFolder) -> None:
        claimed = self._recent.get(view.fid, 0)
        if claimed > loaded.figures.recent_uid:
            loaded = loaded._replace(figures=loaded.figures._replace(recent_uid=claimed))
        view.load(loaded)

    # ------------------------------------------------------------------------------------------ after a batch

    def apply(self, effects: Effects) -> None:
        """Bring views and pages up to date and publish: pages first, then the states that name them."""
        for fid in effects.deleted:
            self.forget(fid)
        dirty: dict[CachedPage, None] = {}
        for change in effects.changes:
            view = self._views.get(change.fid) or self._begin(change, effects)
            if view is not None:
                _APPLY[type(change)](self, view, change, dirty)
        for cached in dirty:
            if cached.number in cached.view.pages:
                self._settle(cached, effects.pages[cached.view.fid])
        for fid, figures in effects.figures.items():
            self._recent[fid] = figures.recent_uid
            view = self._views.get(fid)
            if view is not None and fid not in effects.deleted:
                view.update(figures, effects.pages.get(fid, {}))
                view.as_of = max(view.as_of, figures.cn)
                if view.wanted:
                    self._publish_state(view)
        if self._arena is not None:
            self.publish_pieces([p for p in effects.pieces if p.fid in self._views and self._views[p.fid].wanted])

    def _settle(self, cached: CachedPage, entries: dict[int, tuple[int, int]]) -> None:
        """A page that changed: publish it, or forget it when it is empty."""
        count, cn = entries.get(cached.number, (len(cached.page.uids), cached.cn))
        if not count or len(cached.page.uids) != count:
            self._cache.drop(cached)
            if self._arena is not None:
                self._arena.delete(keys.page(self._mailbox, cached.view.fid, cached.number))
            return
        cached.cn = cn
        if cached.view.wanted:
            self._publish_page(cached)

    def _arrive(self, view: View, change: Arrived, dirty: dict[CachedPage, None]) -> None:
        for row in change.rows:
            number = row.uid // PAGE_SPAN
            cached = view.pages.get(number)
            if cached is None:
                if view.cn_of(number) or view.as_of >= change.cn:
                    continue
                cached = view.pages[number] = CachedPage(view, number, Page(), 0, change.cn - 1)
                self._cache.used(cached)
            page = cached.page
            if change.cn <= cached.as_of or (page.uids and page.uids[-1] >= row.uid):
                continue
            page.uids.append(row.uid)
            page.flags.append(row.flags)
            page.sizes.append(row.size)
            page.received.append(row.received)
            page.sent.append(row.sent)
            page.modseqs.append(row.modseq)
            page.mids.append(row.mid)
            dirty[cached] = None

    def _reflag(self, view: View, change: Flagged, dirty: dict[CachedPage, None]) -> None:
        for number in change.numbers:
            cached = view.pages.get(number)
            if cached is None or change.cn <= cached.as_of:
                continue
            if len(dirty) >= MOST_PATCHED and cached not in dirty:
                self._cache.drop(cached)
                continue
            page = cached.page
            for start, end in _slices(page, change.ranges):
                _reflag_slice(page, start, end, change)
            dirty[cached] = None

    def _remove(self, view: View, change: Gone, dirty: dict[CachedPage, None]) -> None:
        for number in _numbers(view, change.ranges):
            cached = view.pages[number]
            if change.cn <= cached.as_of:
                continue
            page = cached.page
            columns = (page.uids, page.flags, page.sizes, page.received, page.sent, page.modseqs, page.mids)
            for start, end in reversed(_slices(page, change.ranges)):
                for column in columns:
                    del column[start:end]
            dirty[cached] = None

    # ------------------------------------------------------------------------------------------ publishing

    def _publish_page(self, cached: CachedPage) -> bytes:
        encoded = cached.page.encode()
        if self._arena is not None:
            key = keys.page(self._mailbox, cached.view.fid, cached.number)
            self._arena.put(key, _CN.pack(cached.cn) + encoded, FULL_PAGE)
        return encoded

    def _publish_state(self, view: View) -> None:
        if self._arena is not None:
            state = view.state()
            room = (len(state) // STATE_ROOM + 1) * STATE_ROOM
            self._arena.put(keys.folder_state(self._mailbox, view.fid), state, room)

    def publish_pieces(self, pieces: list[Pieces]) -> None:
        """Publish ENVELOPE and BODYSTRUCTURE of messages."""
        if self._arena is None:
            return
        put, key, mailbox = self._arena.put, keys.pieces, self._mailbox
        for _, mid, uid, envelope, structure in pieces:
            put(key(mailbox, mid, uid), _PAIR.pack(len(envelope), len(structure)) + envelope + structure)

    def forget(self, fid: int) -> None:
        """A folder is gone, or the mailbox closes: nothing of it stays in memory or in the arena."""
        view = self._views.pop(fid, None)
        self._recent.pop(fid, None)
        if view is not None:
            for cached in list(view.pages.values()):
                self._cache.drop(cached)
        if self._arena is not None:
            self._arena.delete(keys.folder_state(self._mailbox, fid))
            for number in view.numbers() if view is not None else ():
                self._arena.delete(keys.page(self._mailbox, fid, number))

    def close(self) -> None:
        """Forget everything."""
        for fid in list(self._views):
            self.forget(fid)


Apply = Callable[[Index, View, Any, dict[CachedPage, None]], None]
_APPLY: dict[type[Change], Apply] = {Arrived: Index._arrive, Flagged: Index._reflag, Gone: Index._remove}


def _slices(page: Page, ranges: Ranges) -> list[tuple[int, int]]:
    """The index slices of a page that some ranges cover, ascending."""
    uids = page.uids
    if not uids:
        return []
    found = []
    i = bisect_left(ranges, uids[0], key=lambda pair: pair[1])
    while i < len(ranges) and ranges[i][0] <= uids[-1]:
        start, end = bisect_left(uids, ranges[i][0]), bisect_right(uids, ranges[i][1])
        if start < end:
            found.append((start, end))
        i += 1
    return found


def _numbers(view: View, ranges: Ranges) -> list[int]:
    """The pages in memory that some ranges touch."""
    if len(ranges) == 1 and ranges[0][0] == ranges[0][1]:
        number = ranges[0][0] // PAGE_SPAN
        return [number] if number in view.pages else []
    return [number for number, cached in view.pages.items() if _slices(cached.page, ranges)]


def _reflag_slice(page: Page, start: int, end: int, change: Flagged) -> None:
    flags, modseqs, words = page.flags, page.modseqs, change.words
    for i in range(start, end):
        new = words.get(flags[i])
        if new is not None and (change.limit < 0 or modseqs[i] <= change.limit):
            flags[i] = new
            modseqs[i] = change.cn
