"""GLOBSETs on the wire: a small program whose commands push octets that counters share, and name the rest.

[MS-OXCFXICS] 2.2.2.6, 3.1.5.4.3. Ranges here are two arrays, the lows and the highs.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from typing import Final

from gromoxd.mapi.cursor import Cursor

_END: Final = 0x00
_PUSH_LAST: Final = 0x06
_BITMASK: Final = 0x42
_POP: Final = 0x50
_RANGE: Final = 0x52
_WIDTH: Final = 6

_MASK_RANGES: Final[list[list[tuple[int, int]]]] = []
"""Of each Bitmask field: the ranges that it and StartingValue make, relative to StartingValue."""


def _mask_ranges(mask: int) -> list[tuple[int, int]]:
    found = [(0, 0)]
    for bit in range(8):
        if mask >> bit & 1:
            low, high = found[-1]
            if high == bit:
                found[-1] = (low, bit + 1)
            else:
                found.append((bit + 1, bit + 1))
    return found


_MASK_RANGES.extend(map(_mask_ranges, range(256)))


def read_globset(cursor: Cursor, max_ranges: int) -> tuple[array[int], array[int]]:
    """Lows and highs in the order in which they come, up to and with the End command.

    WireError for commands that the common octets on the stack do not allow, and when there are more than `max_ranges`.
    """
    lows, highs = array("Q"), array("Q")
    common, depth = 0, 0
    stack: list[tuple[int, int]] = []
    while (command := cursor.u8()) != _END:
        if command <= _PUSH_LAST:
            if depth + command > _WIDTH:
                raise cursor.fail("more than six octets pushed")
            value = common << 8 * command | int.from_bytes(cursor.take(command), "big")
            if depth + command == _WIDTH:
                lows.append(value)
                highs.append(value)
            else:
                stack.append((common, depth))
                common, depth = value, depth + command
        elif command == _RANGE:
            width = _WIDTH - depth
            base = common << 8 * width
            low = base | int.from_bytes(cursor.take(width), "big")
            high = base | int.from_bytes(cursor.take(width), "big")
            if low > high:
                raise cursor.fail("a range from high to low")
            lows.append(low)
            highs.append(high)
        elif command == _BITMASK:
            _read_bitmask(cursor, common, depth, lows, highs)
        elif command == _POP:
            if not stack:
                raise cursor.fail("nothing to pop")
            common, depth = stack.pop()
        else:
            raise cursor.fail(f"no GLOBSET command: {command:#04x}")
        if len(lows) > max_ranges:
            raise cursor.fail(f"more than {max_ranges} ranges")
    if stack:
        raise cursor.fail("End with octets pushed")
    return lows, highs


def _read_bitmask(cursor: Cursor, common: int, depth: int, lows: array[int], highs: array[int]) -> None:
    """[MS-OXCFXICS] 2.2.2.6.3, 3.1.5.4.3.2.3: bit n stands for StartingValue + n + 1."""
    if depth != _WIDTH - 1:
        raise cursor.fail("Bitmask without five octets pushed")
    start = cursor.u8()
    ranges = _MASK_RANGES[cursor.u8()]
    if start + ranges[-1][1] > 0xFF:
        raise cursor.fail("Bitmask beyond the lowest octet")
    base = common << 8 | start
    for low, high in ranges:
        lows.append(base + low)
        highs.append(base + high)


def write_globset(lows: array[int], highs: array[int]) -> bytes:
    """The commands of ascending, disjoint ranges, End included."""
    out = bytearray()
    if lows:
        _write(out, lows, highs, 0, len(lows), 0)
    out.append(_END)
    return bytes(out)


def _common(low: int, high: int) -> int:
    """How many of their highest octets two counters share."""
    return _WIDTH - ((low ^ high).bit_length() + 7) // 8


def _write(out: bytearray, lows: array[int], highs: array[int], start: int, stop: int, depth: int) -> None:
    """Commands of the ranges in [start, stop), which have the `depth` octets on the stack in common."""
    if stop - start == 1:
        _write_one(out, lows[start], highs[start], depth)
        return
    shared = _common(lows[start], highs[stop - 1])
    if shared > depth:
        _push(out, lows[start], depth, shared)
    if shared == _WIDTH - 1:
        _write_low_octets(out, lows, highs, start, stop)
    else:
        _write_groups(out, lows, highs, start, stop, shared)
    if shared > depth:
        out.append(_POP)


def _write_groups(out: bytearray, lows: array[int], highs: array[int], start: int, stop: int, depth: int) -> None:
    """Ranges that share no more octets than the stack's: by their next octet; one across several of these alone."""
    shift = 8 * (_WIDTH - 1 - depth)
    while start < stop:
        key = lows[start] >> shift
        if highs[start] >> shift != key:
            end = start + 1
        else:
            end = bisect_left(lows, key + 1 << shift, start, stop)
            if highs[end - 1] >> shift != key:
                end -= 1
        at = len(out)
        _write(out, lows, highs, start, end, depth)
        if 1 < end - start <= 3:
            direct = bytearray()
            for index in range(start, end):
                _write_one(direct, lows[index], highs[index], depth)
            if len(direct) < len(out) - at:
                out[at:] = direct
        start = end


def _push(out: bytearray, counter: int, depth: int, shared: int) -> None:
    count = shared - depth
    out.append(count)
    out += (counter >> 8 * (_WIDTH - shared) & (1 << 8 * count) - 1).to_bytes(count, "big")


def _write_one(out: bytearray, low: int, high: int, depth: int) -> None:
    """One range: a counter alone is pushed whole, which pops itself; a range of which much is common pushes that."""
    if low == high:
        _push(out, low, depth, _WIDTH)
        return
    shared = _common(low, high)
    pushed = shared - depth > 2
    if pushed:
        _push(out, low, depth, shared)
        depth = shared
    width = _WIDTH - depth
    mask = (1 << 8 * width) - 1
    out.append(_RANGE)
    out += (low & mask).to_bytes(width, "big")
    out += (high & mask).to_bytes(width, "big")
    if pushed:
        out.append(_POP)


def _write_low_octets(out: bytearray, lows: array[int], highs: array[int], start: int, stop: int) -> None:
    """Ranges that differ in the lowest octet only: as many as fit into nine counters make one Bitmask."""
    while start < stop:
        low, high = lows[start], highs[start]
        end = bisect_right(highs, low + 8, start, min(stop, start + 5))
        if end - start > 1:
            mask = 0
            for index in range(start, end):
                # Bits low - first - 1 to high - first - 1; the first counter itself has none.
                mask |= (1 << highs[index] - low) - (1 << max(lows[index] - low - 1, 0))
            out += bytes((_BITMASK, low & 0xFF, mask))
            start = end
            continue
        if low == high:
            out += bytes((1, low & 0xFF))
        else:
            out += bytes((_RANGE, low & 0xFF, high & 0xFF))
        start += 1
