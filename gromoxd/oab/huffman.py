"""Canonical prefix codes as LZX has them: lengths for frequencies, codes for lengths, tables to decode with. Pure.

[MS-PATCH] 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from gromoxd.errors import WireError

LONGEST: Final = 16


def code_lengths(frequencies: Sequence[int], limit: int = LONGEST) -> list[int]:
    """Code lengths of not more than `limit` bits; 0 for symbols that do not occur.

    A code for a single symbol has a second one that is never used, for decoders want codes to be complete.
    """
    lengths = [0] * len(frequencies)
    used = [symbol for symbol, count in enumerate(frequencies) if count]
    if not used:
        return lengths
    if len(used) == 1:
        lengths[used[0]] = lengths[0 if used[0] else 1] = 1
        return lengths
    counts = {symbol: frequencies[symbol] for symbol in used}
    while True:
        deepest = _huffman(counts, lengths)
        if deepest <= limit:
            return lengths
        counts = {symbol: count // 2 + 1 for symbol, count in counts.items()}


def _huffman(counts: dict[int, int], lengths: list[int]) -> int:
    """Fill in the lengths of an optimal code; the longest of them."""
    heap: list[tuple[int, int]] = [(count, symbol) for symbol, count in counts.items()]
    heapify(heap)
    parents: dict[int, int] = {}
    node = len(lengths)
    while len(heap) > 1:
        first, second = heappop(heap), heappop(heap)
        parents[first[1]] = parents[second[1]] = node
        heappush(heap, (first[0] + second[0], node))
        node += 1
    depths = {node - 1: 0}
    for inner in range(node - 2, len(lengths) - 1, -1):
        depths[inner] = depths[parents[inner]] + 1
    for symbol in counts:
        lengths[symbol] = depths[parents[symbol]] + 1
    return max(lengths)


def codes(lengths: Sequence[int]) -> list[str]:
    """The codes as strings of binary digits, '' for symbols without one."""
    found = [""] * len(lengths)
    code = previous = 0
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length):
        code <<= length - previous
        found[symbol] = f"{code:0{length}b}"
        code, previous = code + 1, length
    return found


class Table:
    """Decodes: `entries[the next `bits` bits]` is a symbol << 5 and the length of its code."""

    __slots__ = ("bits", "entries")

    def __init__(self, lengths: Sequence[int]) -> None:
        """WireError unless the code is complete; one without any symbol has no entries."""
        self.bits = max(lengths, default=0)
        self.entries: list[int] = []
        for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths) if length):
            self.entries += [symbol << 5 | length] * (1 << (self.bits - length))
            if len(self.entries) > 1 << self.bits:
                break
        if self.bits and len(self.entries) != 1 << self.bits:
            raise WireError("LZX code is not complete")
