"""Sequence sets (RFC 3501 section 9, `sequence-set`) and sets of uids in answers (RFC 4315 `uid-set`). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gromoxd.errors import WireError

Ranges = list[tuple[int, int]]
STAR = 0
MAX_NUMBER = 0xFFFFFFFF
_SET = re.compile(rb"(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?(?:,(?:[1-9]\d{0,9}|\*)(?::(?:[1-9]\d{0,9}|\*))?)*")


def parse(data: bytes) -> Ranges:
    """The ranges as written; '*' is STAR. WireError for anything that is no sequence-set."""
    if not _SET.fullmatch(data):
        raise WireError("Invalid message set")
    out: Ranges = []
    for item in data.split(b","):
        first, colon, last = item.partition(b":")
        a = STAR if first == b"*" else int(first)
        b = a if not colon else STAR if last == b"*" else int(last)
        if a > MAX_NUMBER or b > MAX_NUMBER:
            raise WireError("Number in a message set is too large")
        out.append((a, b))
    return out


def resolve(ranges: Ranges, largest: int) -> Ranges:
    """Ascending, disjoint, merged ranges with STAR standing for `largest` (0: '*' names nothing, it vanishes)."""
    if len(ranges) == 1 and ranges[0] == (1, STAR):
        return [(1, largest)] if largest else []
    fixed = []
    for a, b in ranges:
        first, last = a or largest, b or largest
        if first > last:
            first, last = last, first
        if first:
            fixed.append((first, last))
        elif last and a != b:
            fixed.append((last, last))
    return merge(sorted(fixed))


def merge(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Ranges sorted by their first number, with neighbours and overlaps joined."""
    out: Ranges = []
    for first, last in ranges:
        if out and first <= out[-1][1] + 1:
            if last > out[-1][1]:
                out[-1] = (out[-1][0], last)
        else:
            out.append((first, last))
    return out


def render(ranges: Ranges) -> bytes:
    """`1:3,5` of [(1, 3), (5, 5)]."""
    return b",".join(b"%d" % a if a == b else b"%d:%d" % (a, b) for a, b in ranges)


def count(ranges: Ranges) -> int:
    """How many numbers the ranges hold."""
    return sum(b - a + 1 for a, b in ranges)
