"""The blocks of time in a free/busy message: PidTagScheduleInfoFreeBusyBusy and its like ([MS-OXOPFFB] 2.2.1.2).

Each status has two properties: PidTagScheduleInfoMonths… with the months (year × 16 + month), and beside it
PidTagScheduleInfoFreeBusy… with one blob for each month. Times are minutes since 1601-01-01 00:00 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct, unpack
from typing import NamedTuple, Self

from gromoxd.errors import WireError
from gromoxd.mapi.occurrences import DAY, month_of, month_start

Interval = tuple[int, int]
"""Start and end of a time, in minutes; the end is not part of it."""

_BLOCK = Struct("<2H")


class FreeBusyMonth(NamedTuple):
    """One value of PidTagScheduleInfoFreeBusyTentative ([MS-OXOPFFB] 2.2.1.2.2): minutes since the month began."""

    blocks: tuple[Interval, ...]

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if len(data) % 4:
            raise WireError(f"free/busy month of {len(data)} octets", len(data) // 4 * 4)
        minutes = unpack(f"<{len(data) // 2}H", data)
        blocks = tuple(zip(minutes[::2], minutes[1::2], strict=True))
        for index, (start, end) in enumerate(blocks):
            if end < start:
                raise WireError(f"free/busy block from {start} to {end}", 4 * index)
        return cls(blocks)

    def encode(self) -> bytes:
        return b"".join([_BLOCK.pack(*block) for block in self.blocks])


def merged(intervals: Iterable[Interval]) -> list[Interval]:
    """Intervals in ascending order, those that touch or overlap made one, empty ones left out."""
    found: list[Interval] = []
    for start, end in sorted(intervals):
        if end <= start:
            continue
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(end, found[-1][1])
        else:
            found.append((start, end))
    return found


def encode_blocks(intervals: Iterable[Interval], start: int, end: int) -> tuple[list[int], list[bytes]]:
    """Months and blobs of the parts of some intervals that lie in the publishing range [start, end)."""
    months: dict[int, list[Interval]] = {}
    for begins, ends in merged((max(a, start), min(b, end)) for a, b in intervals):
        for month in range(_month(begins), _month(ends - 1) + 1):
            first, length = month_start(month)
            block = max(begins - first * DAY, 0), min(ends - first * DAY, length * DAY)
            months.setdefault(month, []).append(block)
    codes = [(1601 + month // 12) * 16 + month % 12 + 1 for month in months]
    return codes, [FreeBusyMonth(tuple(blocks)).encode() for blocks in months.values()]


def _month(minute: int) -> int:
    if not 0 <= minute <= 0xFFFFFFFF:
        raise WireError(f"free/busy at minute {minute}")
    return month_of(minute // DAY)


def decode_blocks(months: Sequence[int], blobs: Sequence[bytes]) -> list[Interval]:
    """The inverse; blocks that go on in the next month are one. WireError for what is no such pair of values."""
    if len(months) != len(blobs):
        raise WireError(f"{len(months)} free/busy months with {len(blobs)} blobs")
    found: list[Interval] = []
    for code, blob in zip(months, blobs, strict=True):
        year, month = code >> 4, code & 15
        if not (1601 <= year <= 9999 and 1 <= month <= 12):
            raise WireError(f"free/busy month {code:#x}")
        first = month_start((year - 1601) * 12 + month - 1)[0] * DAY
        found += [(first + start, first + end) for start, end in FreeBusyMonth.decode(blob).blocks]
    return merged(found)
