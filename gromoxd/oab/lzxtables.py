"""The figures of LZX DELTA that both directions need ([MS-PATCH]). Pure."""

from __future__ import annotations

from typing import Final

FRAME: Final = 1 << 15
"""Octets of a chunk but the last: no match goes beyond its end."""
LITERALS: Final = 256
LENGTH_SYMBOLS: Final = 249
PRETREE_SYMBOLS: Final = 20
PRETREE_LONGEST: Final = 15
SHORTEST: Final = 2
PRIMARY: Final = 7
"""Lengths in the main tree."""
LONGEST_PLAIN: Final = 257
VERBATIM, ALIGNED, UNCOMPRESSED = 1, 2, 3
"""Kinds of blocks ([MS-PATCH] 2.3.2)."""
SMALLEST_WINDOW, LARGEST_WINDOW = 17, 25
_SLOTS: Final = {17: 34, 18: 36, 19: 38, 20: 42, 21: 50, 22: 66, 23: 98, 24: 162, 25: 290}


def _footers() -> tuple[list[int], list[int]]:
    bits, base = [], []
    at = 0
    for slot in range(max(_SLOTS.values())):
        extra = 0 if slot < 4 else min(slot // 2 - 1, 17)
        bits.append(extra)
        base.append(at)
        at += 1 << extra
    return bits, base


FOOTER_BITS, FOOTER_BASE = _footers()
"""By position slot."""


def window_bits(reference: int, size: int) -> int:
    """The size of the window of a stream: its reference data, in whole chunks, and what it expands to."""
    wanted = (reference + FRAME - 1 & ~(FRAME - 1)) + size
    bits = SMALLEST_WINDOW
    while bits < LARGEST_WINDOW and 1 << bits < wanted:
        bits += 1
    return bits


def slots(reference: int, size: int) -> int:
    """How many position slots a stream has."""
    return _SLOTS[window_bits(reference, size)]


def slot_of(formatted: int) -> int:
    """The position slot of a formatted offset (offset + 2), of 2 or more."""
    if formatted < 4:
        return formatted
    if formatted >= 1 << 18:
        return 36 + (formatted - (1 << 18) >> 17)
    high = formatted.bit_length() - 1
    return 2 * high + (formatted >> (high - 1) & 1)
