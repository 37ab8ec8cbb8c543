"""Uid ranges: checking, merging, and turning them into SQL conditions."""

from __future__ import annotations

from array import array
from typing import Any

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.calls import Ranges

LAST_UID = 0xFFFFFFFF
MOST_RANGES = 200_000
FEW = 8
WIDE = 4096
MOST_LISTED = 1_000_000


def checked(ranges: Ranges) -> Ranges:
    """The same uids as ascending, disjoint ranges. ecInvalidParam."""
    if len(ranges) > MOST_RANGES or any(first < 1 or last < first for first, last in ranges):
        raise MapiError(Ec.ecInvalidParam, "uid ranges")
    if len(ranges) < 2 or all(ranges[i][1] < ranges[i + 1][0] for i in range(len(ranges) - 1)):
        return ranges
    merged: Ranges = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def span(ranges: Ranges) -> int:
    """How many uids the ranges cover."""
    return sum(last - first + 1 for first, last in ranges)


class Target:
    """Some uids as an SQL condition; `args` are its parameters. One of many uids at once is much cheaper than many."""

    __slots__ = ("first", "last", "listed", "where")

    def __init__(self, first: int, last: int, listed: array[int] | None = None) -> None:
        self.first, self.last = first, last
        self.listed = listed
        self.where = "uid BETWEEN ? AND ?" if listed is None else "uid IN carray(?)"

    @property
    def args(self) -> tuple[Any, ...]:
        return (self.first, self.last) if self.listed is None else (apsw.carray(self.listed),)


def targets(ranges: Ranges, uidnext: int) -> list[Target]:
    """Conditions that together stand for the ranges, each uid in one of them; not necessarily in ascending order."""
    clipped = [(first, min(last, uidnext - 1)) for first, last in ranges if first < uidnext]
    if len(clipped) <= FEW:
        return [Target(first, last) for first, last in clipped]
    found: list[Target] = []
    listed = array("q")
    for first, last in clipped:
        if last - first >= WIDE or len(listed) > MOST_LISTED:
            found.append(Target(first, last))
        else:
            listed.extend(range(first, last + 1))
    if listed:
        found.append(Target(listed[0], listed[-1], listed))
    return found
