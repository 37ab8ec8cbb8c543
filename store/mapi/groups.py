"""The groups of a categorized table, and which rows are shown when some of them are open ([MS-OXCTABL] 2.2.2.3).

The groups of the innermost level stand in a list, in order; those of outer levels are runs of it with the same values.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import Any, NamedTuple

import mmh3
import msgspec

from store.mapi.ordering import CHUNK, Member
from store.mapi.tabledef import Category, rank
from store.pace import Pace

Path = tuple[Any, ...]
_MARK = 1 << 62 | 0x8000
"""Set in every category's id: above all ids of messages, and, as PidTagInstID, with a ReplId that is never given."""
_LAYOUTS = 4


def category_id(path: Path) -> int:
    """The id of a group: a hash of the values that lead to it, always the same."""
    return mmh3.hash64(msgspec.msgpack.encode(path), signed=False)[0] & 0x3FFF_FFFF_FFFF_FFFF | _MARK


class Group:
    """One group of the innermost level. `ids` are those of the groups around it and its own."""

    __slots__ = ("count", "extremum", "ids", "path", "unread")

    def __init__(
        self, path: Path, count: int = 0, unread: int = 0, extremum: Any = None, ids: tuple[int, ...] = ()
    ) -> None:
        self.path = path
        self.count = count
        self.unread = unread
        self.extremum = extremum
        self.ids = ids or tuple([category_id(path[: i + 1]) for i in range(len(path))])


class Header(NamedTuple):
    """A category's row: it stands for `groups[first:last]`; `row` is its position."""

    row: int
    level: int
    id: int
    first: int
    last: int
    open: bool


class Layout(NamedTuple):
    """The rows shown: headers in order; behind an open one of the innermost level stand its leaves."""

    headers: list[Header]
    starts: list[int]
    total: int

    def header_at(self, row: int) -> int:
        """The index of the header that is this row or before it."""
        return bisect_right(self.starts, row) - 1


class Groups:
    """The groups of one view."""

    def __init__(self, categories: tuple[Category, ...], found: list[Any]) -> None:
        self.categories = categories
        self.list: list[Group] = []
        pace = Pace()
        for at in range(0, len(found), CHUNK):
            self.list += [Group(*row) for row in found[at : at + CHUNK]]
            pace.step()
        self._starts: list[int] | None = None
        self._layouts: dict[tuple[int, frozenset[int]], Layout] = {}

    def take(self, other: Groups) -> None:
        """Become a copy of other groups."""
        self.list = [Group(group.path, group.count, group.unread, group.extremum, group.ids) for group in other.list]
        self.changed()

    def __len__(self) -> int:
        return len(self.list)

    @property
    def starts(self) -> list[int]:
        """The index of each group's first leaf, and of the end."""
        if self._starts is None:
            self._starts = list(accumulate([group.count for group in self.list], initial=0))
        return self._starts

    def changed(self) -> None:
        """Counts or order are others than before."""
        self._starts = None
        self._layouts.clear()

    def of_leaf(self, leaf: int) -> int:
        """The index of the group that a leaf is in."""
        return bisect_right(self.starts, leaf) - 1

    # ------------------------------------------------------------------------------------------ order

    def place(self, path: Path, extremum: Any) -> tuple[int, bool]:
        """Where the group stands or would stand, and whether it is there."""
        groups, low, high = self.list, 0, len(self.list)
        while low < high:
            middle = (low + high) // 2
            if self._before(groups[middle].path, groups[middle].extremum, path, extremum):
                low = middle + 1
            else:
                high = middle
        return low, low < len(groups) and groups[low].path == path

    def _before(self, path: Path, extremum: Any, other: Path, others: Any) -> bool:
        for i, category in enumerate(self.categories):
            one, two = rank(path[i]), rank(other[i])
            if category.extremum is not None and one != two:
                a, b = rank(extremum), rank(others)
                if a != b:
                    return (b < a) if category.term.descending else (a < b)
            if one != two:
                return (two < one) if category.term.descending else (one < two)
        return False

    def find(self, path: Path) -> int:
        """The index of a group by its values, -1 when it is not there: its place may depend on what is in it."""
        if all(category.extremum is None for category in self.categories):
            at, there = self.place(path, None)
            return at if there else -1
        for at, group in enumerate(self.list):
            if group.path == path:
                return at
        return -1

    def higher(self, extremum: Any, value: Any) -> Any:
        """The extremum with one value more."""
        category = self.categories[-1]
        if category.extremum is None or value is None:
            return extremum
        if extremum is None:
            return value
        return max(extremum, value) if category.highest else min(extremum, value)

    def extremum_of(self, member: Member) -> Any:
        """The value of a row that its group may be ordered by."""
        return member.values[len(self.categories)] if self.categories[-1].extremum is not None else None

    # ------------------------------------------------------------------------------------------ what is shown

    def layout(self, expanded: int, toggled: frozenset[int]) -> Layout:
        """The rows shown when the first `expanded` levels are open, those of `toggled` the other way round."""
        key = (expanded, toggled)
        found = self._layouts.get(key)
        if found is None:
            if len(self._layouts) >= _LAYOUTS:
                self._layouts.clear()
            found = self._layouts[key] = self._lay(expanded, toggled)
        return found

    def _lay(self, expanded: int, toggled: frozenset[int]) -> Layout:
        innermost = len(self.categories) - 1
        headers: list[Header] = []
        row = first = 0
        groups = self.list
        while first < len(groups):
            row, first = self._lay_level(headers, row, 0, first, len(groups), innermost, expanded, toggled)
        return Layout(headers, [header.row for header in headers], row)

    def _lay_level(
        self, headers: list[Header], row: int, level: int, first: int, end: int, innermost: int, expanded: int,
        toggled: frozenset[int],
    ) -> tuple[int, int]:  # fmt: skip
        """Lay one group of a level with what it shows; (the next row, the next group)."""
        groups = self.list
        category = groups[first].ids[level]
        last = first + 1
        if level < innermost:
            while last < end and groups[last].ids[level] == category:
                last += 1
        is_open = (level < expanded) is not (category in toggled)
        headers.append(Header(row, level, category, first, last, is_open))
        row += 1
        if is_open and level == innermost:
            row += groups[first].count
        elif is_open:
            at = first
            while at < last:
                row, at = self._lay_level(headers, row, level + 1, at, last, innermost, expanded, toggled)
        return row, last

    def header_of(self, layout: Layout, group: int) -> tuple[Header | None, bool]:
        """The innermost header shown that holds a group, and whether the group's leaves are shown."""
        ids = self.list[group].ids
        low, high = 0, len(layout.headers)
        while low < high:  # headers ascend by their first group, those of outer levels come first
            middle = (low + high) // 2
            if layout.headers[middle].first <= group:
                low = middle + 1
            else:
                high = middle
        for at in range(low - 1, -1, -1):
            header = layout.headers[at]
            if header.id == ids[header.level]:
                return header, header.open and header.level == len(self.categories) - 1
        return None, False
