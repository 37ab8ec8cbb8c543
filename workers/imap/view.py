"""A folder as a session sees it: shared, immutable index pages and what is computed from them. Pure.

A `View` is made once per folder state and shared by all sessions of the worker; a session holds one reference. Message
numbers come from the cumulative counts of the pages (bisection), never from a list of all uids. While EXPUNGE may not
be told (RFC 3501 7.4.1), `hold` gives the session a view of its own in which the messages that went are still there.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate, compress
from operator import ne

import msgspec

from gromoxd.exmdb.pages import PAGE_SPAN, SEEN, FolderState, Page
from workers.imap.wire.sequence import Ranges

Span = tuple[int, int, int]
"""(page index, first row, row behind the last)."""

Spans = list[Span]
DECODER = msgspec.msgpack.Decoder(FolderState)
_UNSEEN = bytes(0 if n & SEEN else 1 for n in range(256))
NO_STATE = FolderState(0, 0, 1, 0, 0, 1, 0, 0, b"")


class IndexPage:
    """One page of the index with what has been computed from it. `gone`: uids that only this view still shows."""

    __slots__ = ("_highest", "_unseen", "cn", "gone", "number", "page")

    def __init__(self, number: int, cn: int, page: Page, gone: frozenset[int] = frozenset()) -> None:
        self.number = number
        self.cn = cn
        self.page = page
        self.gone = gone
        self._unseen = -2
        self._highest = -1

    def __len__(self) -> int:
        return len(self.page.uids)

    def system_flags(self) -> bytes:
        """The system flags of each row, one octet a row."""
        return self.page.flags.tobytes()[::4]

    @property
    def highest(self) -> int:
        """The highest mod-sequence."""
        if self._highest < 0:
            self._highest = max(self.page.modseqs)
        return self._highest

    @property
    def first_unseen(self) -> int:
        """The first row without \\Seen, -1 when all are seen."""
        if self._unseen == -2:
            self._unseen = self.system_flags().translate(_UNSEEN).find(1)
        return self._unseen


class View:
    """The messages of a folder in order. `starts[i]` messages stand before page `i`; `starts[-1]` is their number.

    `raw` are the bytes of the newest folder state that this view reflects; `held` is set when it still shows messages
    that are gone.
    """

    __slots__ = ("_first_unseen", "held", "numbers", "raw", "refs", "starts", "state")

    def __init__(
        self,
        raw: bytes,
        state: FolderState,
        refs: tuple[IndexPage, ...],
        held: bool = False,
        known: View | None = None,
    ) -> None:
        """`known` is an earlier view: what both have in common is taken over, so that a change costs its own size."""
        self.raw = raw
        self.state = state
        self.refs = refs
        self.held = held
        if known is None:
            self.starts = [0, *accumulate(map(len, refs))]
            self.numbers = [ref.number for ref in refs]
        else:
            self._take_over(known)
        self._first_unseen = -1

    def _take_over(self, known: View) -> None:
        head, tail = common_ends(known.refs, self.refs)
        fresh = self.refs[head : len(self.refs) - tail]
        end = len(known.refs) - tail
        self.numbers = [*known.numbers[:head], *(ref.number for ref in fresh), *known.numbers[end:]]
        starts = list(accumulate(map(len, fresh), initial=known.starts[head]))
        moved, rest = starts[-1] - known.starts[end], known.starts[end + 1 :]
        self.starts = known.starts[:head] + starts + ([start + moved for start in rest] if moved else rest)

    @property
    def exists(self) -> int:
        """The number of messages."""
        return self.starts[-1]

    @property
    def last_uid(self) -> int:
        """The largest uid, 0 in an empty folder."""
        return self.refs[-1].page.uids[-1] if self.refs else 0

    @property
    def first_unseen(self) -> int:
        """The number of the first message without \\Seen, 0 without any. Computed once per view."""
        if self._first_unseen < 0:
            self._first_unseen = self._find_unseen() if self.held or self.state.unseen else 0
        return self._first_unseen

    def _find_unseen(self) -> int:
        for index, ref in enumerate(self.refs):
            row = ref.first_unseen
            if row >= 0:
                return self.starts[index] + row + 1
        return 0

    # ------------------------------------------------------------------------------------------ resolving

    def whole(self) -> Spans:
        """Every message."""
        return [(index, 0, len(ref)) for index, ref in enumerate(self.refs)]

    def by_number(self, ranges: Ranges) -> Spans:
        """Message numbers (resolved, ascending, none above `exists`) as spans."""
        spans: Spans = []
        starts = self.starts
        for first, last in ranges:
            index = bisect_right(starts, first - 1) - 1
            at = first - 1
            while at < last:
                stop = min(last, starts[index + 1])
                spans.append((index, at - starts[index], stop - starts[index]))
                at = stop
                index += 1
        return spans

    def by_uid(self, ranges: Ranges) -> Spans:
        """The messages whose uids are in `ranges` (resolved, ascending)."""
        spans: Spans = []
        for first, last in ranges:
            index = bisect_left(self.numbers, first // PAGE_SPAN)
            while index < len(self.refs):
                uids = self.refs[index].page.uids
                if uids[0] > last:
                    break
                a = 0 if uids[0] >= first else bisect_left(uids, first)
                b = len(uids) if uids[-1] <= last else bisect_right(uids, last)
                if a < b:
                    spans.append((index, a, b))
                index += 1
        return spans

    def uid_ranges(self, spans: Spans) -> Ranges:
        """The uids of spans as few ranges: messages that follow each other here have nothing between them."""
        out: Ranges = []
        previous = (-1, 0)
        for index, a, b in spans:
            uids = self.refs[index].page.uids
            if previous == (index, a) or (a == 0 and previous == (index - 1, len(self.refs[index - 1]))):
                out[-1] = (out[-1][0], uids[b - 1])
            else:
                out.append((uids[a], uids[b - 1]))
            previous = (index, b)
        return out

    def count_uids(self, first: int, last: int) -> int:
        """How many messages have uids from `first` to `last`."""
        return sum(b - a for _, a, b in self.by_uid([(first, last)])) if first <= last else 0

    def total_size(self, spans: Spans) -> int:
        """The octets of the messages in spans."""
        return sum(sum(self.refs[index].page.sizes[a:b]) for index, a, b in spans)


EMPTY = View(b"", NO_STATE, ())


def count(spans: Spans) -> int:
    """How many messages."""
    return sum(b - a for _, a, b in spans)


def spans_of_rows(rows: dict[int, list[int]]) -> Spans:
    """Page index -> ascending rows, as spans."""
    spans: Spans = []
    for index, chosen in rows.items():
        if chosen and chosen[-1] - chosen[0] == len(chosen) - 1:
            spans.append((index, chosen[0], chosen[-1] + 1))
            continue
        first = last = -2
        for row in chosen:
            if row != last + 1:
                if first >= 0:
                    spans.append((index, first, last + 1))
                first = row
            last = row
        if first >= 0:
            spans.append((index, first, last + 1))
    return spans


# ---------------------------------------------------------------------------------------------- comparing


def common_ends(a: Sequence[object], b: Sequence[object], width: int = 1) -> tuple[int, int]:
    """How many items at the beginning, and of the others at the end, are the same. Bisection: slices compare fast.

    An item is `width` elements long (page tables are bytes).
    """
    most = min(len(a), len(b)) // width
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        same = a[: middle * width] == b[: middle * width]
        low, high = (middle, high) if same else (low, middle - 1)
    head = low
    low, high = 0, most - head
    while low < high:
        middle = (low + high + 1) // 2
        same = a[len(a) - middle * width :] == b[len(b) - middle * width :]
        low, high = (middle, high) if same else (low, middle - 1)
    return head, low


def expunged(old: View, new: View) -> list[int]:
    """The numbers (in `old`) of messages that `new` does not have, descending."""
    gone: list[int] = []
    for index, ref, other, _ in _changed_pages(old, new):
        start = old.starts[index] + 1
        if other is None:
            gone.extend(range(start, start + len(ref)))
        elif ref.page.uids != other.page.uids[: len(ref)]:
            there = set(other.page.uids)
            gone.extend(start + row for row, uid in enumerate(ref.page.uids) if uid not in there)
    gone.reverse()
    return gone


def _changed_pages(old: View, new: View) -> Iterator[tuple[int, IndexPage, IndexPage | None, int]]:
    """Pages of `old` that are others (or missing) in `new`: index in `old`, the page, the other one, its index."""
    theirs = new.refs
    head, tail = common_ends(old.refs, theirs)
    at = head
    for index in range(head, len(old.refs) - tail):
        ref = old.refs[index]
        if at < len(theirs) and theirs[at] is ref:
            at += 1
            continue
        while at < len(theirs) and theirs[at].number < ref.number:
            at += 1
        other = theirs[at] if at < len(theirs) and theirs[at].number == ref.number else None
        if other is not None:
            at += 1
        yield index, ref, other, at - 1


def hold(old: View, new: View) -> View:
    """`new` with those messages of `old` that it has lost, so that the numbers of `old` stay valid."""
    replaced: dict[int, IndexPage] = {}
    for _, ref, other, _ in _changed_pages(old, new):
        if other is None:
            replaced[ref.number] = IndexPage(ref.number, 0, ref.page, frozenset(ref.page.uids))
        elif ref.page.uids != other.page.uids[: len(ref)]:
            merged = _merge_page(ref, other)
            if merged.gone:
                replaced[ref.number] = merged
    if not replaced:
        return new
    refs = {ref.number: ref for ref in new.refs} | replaced
    return View(new.raw, new.state, tuple(refs[number] for number in sorted(refs)), held=True)


def _merge_page(old: IndexPage, new: IndexPage) -> IndexPage:
    rows = {uid: (new.page, row) for row, uid in enumerate(new.page.uids)}
    gone = frozenset(uid for uid in old.page.uids if uid not in rows)
    rows |= {uid: (old.page, row) for row, uid in enumerate(old.page.uids) if uid in gone}
    page = Page()
    for uid in sorted(rows):
        source, row = rows[uid]
        for name in Page.__slots__:
            getattr(page, name).append(getattr(source, name)[row])
    return IndexPage(new.number, 0, page, gone)


def changed_rows(old: IndexPage, new: IndexPage, with_modseq: bool) -> list[int]:
    """Rows of `old` whose flags (or mod-sequence) are others in `new`; `new` has all rows of `old` in front."""
    n = len(old)
    a = old.page.modseqs if with_modseq else old.page.flags
    b = new.page.modseqs if with_modseq else new.page.flags
    if a == b[:n]:
        return []
    return list(compress(range(n), map(ne, a, b)))


def changed(old: View, new: View, with_modseq: bool, skip: frozenset[int] = frozenset()) -> Spans:
    """Messages of `old` whose flags (or mod-sequence) are others in `new`, as spans of `new`.

    New messages and those that `new` does not have are not among them, nor those of the pages (of `old`) in `skip`.
    """
    spans: Spans = []
    for at, ref, other, index in _changed_pages(old, new):
        if other is None or at in skip:
            continue
        if ref.page.uids == other.page.uids[: len(ref)]:
            rows = changed_rows(ref, other, with_modseq)
        else:
            rows = _changed_moved(ref, other, with_modseq)
        if rows:
            spans.extend(spans_of_rows({index: rows}))
    return spans


def _changed_moved(old: IndexPage, new: IndexPage, with_modseq: bool) -> list[int]:
    """The same when rows have moved: rows of `new`."""
    a, b = (old.page.modseqs, new.page.modseqs) if with_modseq else (old.page.flags, new.page.flags)
    before = dict(zip(old.page.uids, a, strict=True))
    return [row for row, (uid, word) in enumerate(zip(new.page.uids, b, strict=True)) if before.get(uid, word) != word]


def without(spans: Spans, excluded: Spans) -> Spans:
    """The messages of `spans` that are not in `excluded`."""
    if not excluded or not spans:
        return spans
    taken: dict[int, set[int]] = {}
    for index, a, b in excluded:
        taken.setdefault(index, set()).update(range(a, b))
    rows: dict[int, list[int]] = {}
    for index, a, b in spans:
        out = taken.get(index, ())
        rows.setdefault(index, []).extend(row for row in range(a, b) if row not in out)
    return spans_of_rows(rows)


def alive(seen: View, spans: Spans) -> Spans:
    """The messages of `spans` that have not gone (see `hold`)."""
    if not seen.held:
        return spans
    rows: dict[int, list[int]] = {}
    for index, a, b in spans:
        ref = seen.refs[index]
        uids = ref.page.uids
        rows.setdefault(index, []).extend(row for row in range(a, b) if uids[row] not in ref.gone)
    return spans_of_rows(rows)


def intersection(spans: Spans, others: Spans) -> Spans:
    """The messages that are in both."""
    return without(spans, without(spans, others))
