"""Ranges of uids or message numbers (`calls.Ranges`) made from single numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gromoxd.exmdb.calls import Ranges


def to_ranges(numbers: Iterable[int]) -> Ranges:
    """Ascending numbers, none negative, as inclusive ranges."""
    ranges: Ranges = []
    first = last = -1
    for number in numbers:
        if number == last + 1 and last >= 0:
            last = number
            continue
        if last >= 0:
            ranges.append((first, last))
        first = last = number
    if last >= 0:
        ranges.append((first, last))
    return ranges
