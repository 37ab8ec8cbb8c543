"""Differential files: how two generations of a details file are cut so that blocks of one become blocks of the other.

[MS-OXOAB] 2.10. A client reads the old file block by block, in order, so both are cut where equal records follow.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from gromoxd.oab.container import BLOCK, write_patch
from gromoxd.oab.details import split

BLOCK_MAX: Final = 1 << 20
"""Octets of the old file that one block may be made of."""
Cut = tuple[int, int]


def patch(source: bytes, target: bytes) -> bytes | None:
    """The file that makes a generation of the one before; None when too much of that one has to be skipped at once.

    WireError when one of them is no details file.
    """
    pieces = cuts(source, target)
    return b"".join(write_patch(source, target, pieces, BLOCK_MAX)) if pieces is not None else None


def cuts(source: bytes, target: bytes) -> list[Cut] | None:
    """How far blocks go in both files; together they are all of both."""
    found: list[Cut] = []
    old = new = 0
    last: Cut | None = None
    for cut in _candidates(source, target):
        if cut[1] - new > BLOCK or cut[0] - old > BLOCK_MAX:
            if last is None:
                return None
            found.append(last)
            old, new = last
            if cut[1] - new > BLOCK or cut[0] - old > BLOCK_MAX:
                return None
        last = cut
    if last is not None:
        found.append(last)
    return found


def _candidates(source: bytes, target: bytes) -> list[Cut]:
    """Where both may be cut: before each new record, as far in the old file as the next record that both have."""
    places = {source[at:end]: at for at, end in split(source)}
    bounds = list(split(target))
    known = _ascending([places.get(target[at:end], -1) for at, end in bounds])
    found: list[Cut] = []
    following = len(source)
    for (_, end), place in zip(reversed(bounds), reversed(known), strict=True):
        found.append((following, end))
        if place >= 0:
            following = place
    return found[::-1]


def _ascending(places: list[int]) -> list[int]:
    """The longest ascending row among places; -1 for those that are not in it."""
    tails: list[int] = []
    ends: list[int] = []
    before = [-1] * len(places)
    for index, place in enumerate(places):
        if place < 0:
            continue
        at = bisect_left(tails, place)
        before[index] = ends[at - 1] if at else -1
        if at == len(tails):
            tails.append(place)
            ends.append(index)
        else:
            tails[at], ends[at] = place, index
    kept = [-1] * len(places)
    index = ends[-1] if ends else -1
    while index >= 0:
        kept[index] = places[index]
        index = before[index]
    return kept
