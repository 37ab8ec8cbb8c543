"""Sets of ids and of change numbers, in memory as ranges and on the wire as IDSETs.

[MS-OXCFXICS] 2.2.2.4 (IDSET), 2.2.2.6 (GLOBSET), 3.1.5.4. `RangeSet` holds counters of one replica, `IdSet` those of
several. Sets grow with the number of ranges, not of ids: a mailbox that was synchronised as a whole is one range.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import compress, islice
from operator import le, lt, ne
from typing import Final

from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.globset import read_globset, write_globset
from gromoxd.mapi.ids import GLOBCNT_MAX

MAX_RANGES: Final = 1_000_000
"""How many ranges one IDSET from outside may have: 16 MB."""

Replica = int | bytes
"""A REPLID, or the 16 octets of a REPLGUID."""


class RangeSet:
    """Counters from 0 to GLOBCNT_MAX as sorted ranges, both ends included, that neither overlap nor touch."""

    __slots__ = ("_high", "_low")

    def __init__(self, counters: Iterable[int] = ()) -> None:
        self._low = array("Q")
        self._high = array("Q")
        if counters:
            self.update(counters)

    @classmethod
    def of_ranges(cls, ranges: Iterable[tuple[int, int]]) -> RangeSet:
        """A set of (low, high) in any order, overlapping or not."""
        made = cls()
        pairs = list(ranges)
        for low, high in pairs:
            if not 0 <= low <= high <= GLOBCNT_MAX:
                raise ValueError(f"no range of counters: {low}-{high}")
        if pairs:
            made._low, made._high = _joined([low for low, _ in pairs], [high for _, high in pairs])
        return made

    @classmethod
    def _of(cls, low: array[int], high: array[int]) -> RangeSet:
        made = cls()
        made._low, made._high = low, high
        return made

    def copy(self) -> RangeSet:
        return self._of(self._low[:], self._high[:])

    def __bool__(self) -> bool:
        return bool(self._low)

    def __len__(self) -> int:
        """How many counters; `range_count` is cheaper."""
        return sum(self._high) - sum(self._low) + len(self._low)

    @property
    def range_count(self) -> int:
        """How many ranges."""
        return len(self._low)

    def ranges(self) -> Iterator[tuple[int, int]]:
        """(low, high), ascending."""
        return zip(self._low, self._high, strict=True)

    def __iter__(self) -> Iterator[int]:
        for low, high in zip(self._low, self._high, strict=True):
            yield from range(low, high + 1)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and self._low == other._low and self._high == other._high

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{low}-{high}" for low, high in islice(self.ranges(), 8))
        return f"RangeSet({shown}{', ...' if len(self._low) > 8 else ''})"

    def __contains__(self, counter: int) -> bool:
        at = bisect_right(self._low, counter)
        return at > 0 and self._high[at - 1] >= counter

    @property
    def first(self) -> int:
        """The lowest counter. IndexError when empty."""
        return self._low[0]

    @property
    def last(self) -> int:
        """The highest counter. IndexError when empty."""
        return self._high[-1]

    def add(self, counter: int) -> None:
        """Add one counter."""
        high = self._high
        if high and counter == high[-1] + 1 <= GLOBCNT_MAX:
            high[-1] = counter
        else:
            self.add_range(counter, counter)

    def add_range(self, low: int, high: int) -> None:
        """Add low to high. ValueError unless 0 <= low <= high <= GLOBCNT_MAX."""
        if not 0 <= low <= high <= GLOBCNT_MAX:
            raise ValueError(f"no range of counters: {low}-{high}")
        lows, highs = self._low, self._high
        if not lows or low > highs[-1] + 1:
            lows.append(low)
            highs.append(high)
            return
        # What overlaps or touches lies in [start, stop) and becomes one range.
        start = bisect_left(highs, low - 1) if low else 0
        stop = bisect_right(lows, high + 1)
        if start < stop:
            low = min(low, lows[start])
            high = max(high, highs[stop - 1])
        if stop - start == 1:
            lows[start], highs[start] = low, high
        else:
            lows[start:stop] = array("Q", (low,))
            highs[start:stop] = array("Q", (high,))

    def update(self, counters: Iterable[int]) -> None:
        """Add many: O(n) when they ascend strictly, else they are sorted first."""
        numbers = counters if isinstance(counters, list) else list(counters)
        runs = _runs(numbers) or _runs(sorted(set(numbers)))
        if runs is None:
            return
        lows, highs = runs
        if not 0 <= lows[0] <= highs[-1] <= GLOBCNT_MAX:
            raise ValueError("counter out of range")
        self.merge(RangeSet._of(array("Q", lows), array("Q", highs)))

    def merge(self, other: RangeSet) -> None:
        """Add all of another set."""
        if len(other._low) * 8 < len(self._low):
            for low, high in other.ranges():
                self.add_range(low, high)
        elif not self._low:
            self._low, self._high = other._low[:], other._high[:]
        else:
            self._low, self._high = _joined([*self._low, *other._low], [*self._high, *other._high])

    def remove(self, counter: int) -> None:
        """Take one counter away, if it is there."""
        self.remove_range(counter, counter)

    def remove_range(self, low: int, high: int) -> None:
        """Take low to high away, as far as they are there."""
        lows, highs = self._low, self._high
        start = bisect_left(highs, max(low, 0))
        stop = bisect_right(lows, max(high, 0))
        if start >= stop or low > high:
            return
        new_low, new_high = array("Q"), array("Q")
        if lows[start] < low:
            new_low.append(lows[start])
            new_high.append(low - 1)
        if highs[stop - 1] > high:
            new_low.append(high + 1)
            new_high.append(highs[stop - 1])
        lows[start:stop] = new_low
        highs[start:stop] = new_high

    def __or__(self, other: RangeSet) -> RangeSet:
        """All counters of either."""
        made = self.copy()
        made.merge(other)
        return made

    def __and__(self, other: RangeSet) -> RangeSet:
        """The counters of both."""
        return self._of(*_intersection(self._low, self._high, other._low, other._high))

    def __sub__(self, other: RangeSet) -> RangeSet:
        """The counters of this set that the other one lacks."""
        if not self._low or not other._low:
            return self.copy()
        gap_low = array("Q", map((1).__add__, other._high))
        gap_high = array("Q", map((-1).__add__, islice(other._low, 1, None)))
        gap_high.append(max(GLOBCNT_MAX, gap_low[-1]))
        if other._low[0]:
            gap_low.insert(0, 0)
            gap_high.insert(0, other._low[0] - 1)
        return self._of(*_intersection(self._low, self._high, gap_low, gap_high))

    def issubset(self, other: RangeSet) -> bool:
        """Whether the other set has all counters of this one."""
        lows, highs = other._low, other._high
        for low, high in self.ranges():
            at = bisect_right(lows, low)
            if not at or highs[at - 1] < high:
                return False
        return True

    def encode(self) -> bytes:
        """A GLOBSET ([MS-OXCFXICS] 2.2.2.6)."""
        return write_globset(self._low, self._high)

    @classmethod
    def read(cls, cursor: Cursor, max_ranges: int = MAX_RANGES) -> RangeSet:
        """The GLOBSET that starts at the cursor. WireError when it has more than `max_ranges` ranges."""
        lows, highs = read_globset(cursor, max_ranges)
        if False in map(lt, map((1).__add__, highs), islice(lows, 1, None)):
            return cls._of(*_joined(lows.tolist(), highs.tolist()))
        return cls._of(lows, highs)

    @classmethod
    def decode(cls, data: bytes) -> RangeSet:
        cursor = Cursor(data)
        made = cls.read(cursor)
        cursor.finish()
        return made


def _runs(numbers: list[int]) -> tuple[list[int], list[int]] | None:
    """Lows and highs of the runs of consecutive numbers; None when there are none or they do not ascend strictly."""
    if not numbers:
        return None
    starts = compress(range(1, len(numbers)), map(ne, islice(numbers, 1, None), map((1).__add__, numbers)))
    lows, highs = [numbers[0]], []
    for at in starts:
        if numbers[at] <= numbers[at - 1]:
            return None
        lows.append(numbers[at])
        highs.append(numbers[at - 1])
    highs.append(numbers[-1])
    return lows, highs


def _joined(lows: list[int], highs: list[int]) -> tuple[array[int], array[int]]:
    """Any ranges, at least one, as sorted ones that do not touch. Sorted arguments, or two joined, cost O(n).

    With lows and highs sorted each for itself, a new range starts at low i exactly where the i highs before it have
    all ended.
    """
    lows.sort()
    highs.sort()
    following = lows[1:]
    starts = list(map(lt, map((1).__add__, highs), following))
    low, high = array("Q", (lows[0],)), array("Q", compress(highs, starts))
    low.extend(compress(following, starts))
    high.append(highs[-1])
    return low, high


def _intersection(
    a_low: array[int], a_high: array[int], b_low: array[int], b_high: array[int]
) -> tuple[array[int], array[int]]:
    """What two sets share: sorted as above, low i + 1 to high i is shared, if that low comes first."""
    lows, highs = [*a_low, *b_low], [*a_high, *b_high]
    lows.sort()
    highs.sort()
    following = lows[1:]
    shared = list(map(le, following, highs))
    return array("Q", compress(following, shared)), array("Q", compress(highs, shared))


class IdSet:
    """Counters by replica. All replicas of a set are REPLIDs (int), or all are REPLGUIDs (bytes)."""

    __slots__ = ("_sets",)

    def __init__(self, sets: Mapping[Replica, RangeSet] | None = None) -> None:
        """With sets, which are not copied; empty ones are left out."""
        self._sets: dict[Replica, RangeSet] = {}
        if sets is not None:
            self._sets.update((replica, counters) for replica, counters in sets.items() if counters)

    def copy(self) -> IdSet:
        return IdSet({replica: counters.copy() for replica, counters in self._sets.items()})

    @property
    def replicas(self) -> list[Replica]:
        """The replicas that have counters, in the order of the wire."""
        return sorted(self._sets)

    def of(self, replica: Replica) -> RangeSet:
        """The counters of a replica; not to be changed."""
        found = self._sets.get(replica)
        return RangeSet() if found is None else found

    def _open(self, replica: Replica) -> RangeSet:
        found = self._sets.get(replica)
        if found is None:
            found = self._sets[replica] = RangeSet()
        return found

    def add(self, replica: Replica, counter: int) -> None:
        """Add one id."""
        self._open(replica).add(counter)

    def add_range(self, replica: Replica, low: int, high: int) -> None:
        """Add low to high. ValueError unless 0 <= low <= high <= GLOBCNT_MAX."""
        if not 0 <= low <= high <= GLOBCNT_MAX:
            raise ValueError(f"no range of counters: {low}-{high}")
        self._open(replica).add_range(low, high)

    def update(self, replica: Replica, counters: Iterable[int]) -> None:
        """Add many: O(n) when they ascend strictly, else they are sorted first."""
        added = RangeSet(counters)
        if added:
            self._open(replica).merge(added)

    def merge(self, other: IdSet) -> None:
        """Add all of another set."""
        for replica, counters in other._sets.items():
            self._open(replica).merge(counters)

    def remove(self, replica: Replica, counter: int) -> None:
        """Take one id away, if it is there."""
        self.remove_range(replica, counter, counter)

    def remove_range(self, replica: Replica, low: int, high: int) -> None:
        """Take low to high away, as far as they are there."""
        found = self._sets.get(replica)
        if found is not None:
            found.remove_range(low, high)
            if not found:
                del self._sets[replica]

    def has(self, replica: Replica, counter: int) -> bool:
        """Whether an id belongs to the set; `(replica, counter) in ids` is the same."""
        found = self._sets.get(replica)
        return found is not None and counter in found

    def __contains__(self, item: tuple[Replica, int]) -> bool:
        return self.has(*item)

    def __bool__(self) -> bool:
        return bool(self._sets)

    def __len__(self) -> int:
        """How many ids."""
        return sum(map(len, self._sets.values()))

    @property
    def range_count(self) -> int:
        """How many ranges: the measure of memory and of the size on the wire."""
        return sum(counters.range_count for counters in self._sets.values())

    def ranges(self) -> Iterator[tuple[Replica, int, int]]:
        """(replica, low, high) in the order of the wire."""
        for replica in self.replicas:
            for low, high in self._sets[replica].ranges():
                yield replica, low, high

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IdSet) and self._sets == other._sets

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"IdSet({self._sets!r})"

    def __or__(self, other: IdSet) -> IdSet:
        """All ids of either."""
        made = self.copy()
        made.merge(other)
        return made

    def __and__(self, other: IdSet) -> IdSet:
        """The ids of both."""
        return IdSet({key: self._sets[key] & other._sets[key] for key in self._sets.keys() & other._sets.keys()})

    def __sub__(self, other: IdSet) -> IdSet:
        """The ids of this set that the other one lacks."""
        return IdSet({key: counters - other.of(key) for key, counters in self._sets.items()})

    def issubset(self, other: IdSet) -> bool:
        """Whether the other set has all ids of this one."""
        return all(counters.issubset(other.of(key)) for key, counters in self._sets.items())

    def mapped(self, replicas: Mapping[Replica, Replica]) -> IdSet:
        """The set with other names of its replicas, REPLIDs for REPLGUIDs or back. KeyError for one without."""
        made = IdSet()
        for replica, counters in self._sets.items():
            made._open(replicas[replica]).merge(counters)
        return made

    def encode(self) -> bytes:
        """[MS-OXCFXICS] 2.2.2.4.1 for REPLIDs, 2.2.2.4.2 for REPLGUIDs."""
        parts = []
        for replica in self.replicas:
            parts.append(replica if isinstance(replica, bytes) else replica.to_bytes(2, "little"))
            parts.append(self._sets[replica].encode())
        return b"".join(parts)

    @classmethod
    def _decode(cls, data: bytes, guids: bool, max_ranges: int) -> IdSet:
        cursor = Cursor(data)
        made = cls()
        room = max_ranges
        while cursor.left:
            replica: Replica = cursor.guid() if guids else cursor.u16()
            counters = RangeSet.read(cursor, room)
            room -= counters.range_count
            if counters:
                made._open(replica).merge(counters)
        return made

    @classmethod
    def decode_replid(cls, data: bytes, max_ranges: int = MAX_RANGES) -> IdSet:
        """[MS-OXCFXICS] 2.2.2.4.1: the form with REPLIDs, which servers send."""
        return cls._decode(data, False, max_ranges)

    @classmethod
    def decode_replguid(cls, data: bytes, max_ranges: int = MAX_RANGES) -> IdSet:
        """[MS-OXCFXICS] 2.2.2.4.2: the form with REPLGUIDs, of the ICS state properties."""
        return cls._decode(data, True, max_ranges)
