"""LZX DELTA, compressing ([MS-PATCH]): one verbatim block a stream; matches with the latest place that has the next
eight octets, or four. That costs about a microsecond an octet or match, and makes of address books what zlib does.
"""

from __future__ import annotations

import sys
from array import array
from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from gromoxd.oab.huffman import code_lengths, codes
from gromoxd.oab.lzxtables import (
    FOOTER_BASE,
    FOOTER_BITS,
    FRAME,
    LENGTH_SYMBOLS,
    LITERALS,
    LONGEST_PLAIN,
    PRETREE_LONGEST,
    PRETREE_SYMBOLS,
    PRIMARY,
    SHORTEST,
    VERBATIM,
    slot_of,
    slots,
)

LARGEST: Final = (1 << 24) - 1
_KEY, _LONG_KEY = 4, 8
_AHEAD: Final = 28
"""Octets compared at once."""
_DENSE: Final = 24
"""Octets of a match that later matches may begin in."""


class Match(NamedTuple):
    """A match. `length`: the symbol of the length tree or -1; `extra`: octets beyond 257, or -1."""

    at: int
    end: int
    main: int
    length: int
    footer: int
    bits: int
    extra: int


def compress(data: bytes, reference: bytes = b"") -> bytes:
    """An LZXD stream that expands to `data`, for who has `reference`. Not more than 16 MiB."""
    if len(data) > LARGEST:
        raise ValueError("too large for one block")
    buffer, start = reference + data, len(reference)
    frames = _Finder(buffer, start).frames()
    main, length = _frequencies(buffer, start, frames, slots(len(reference), len(data)))
    trees = code_lengths(main), code_lengths(length)
    writer = _Writer(buffer, codes(trees[0]), codes(trees[1]))
    head = f"0{VERBATIM:03b}{len(data):024b}{_trees(*trees)}"
    out = []
    for number, matches in enumerate(frames):
        at = start + number * FRAME
        out.append(_chunk(head + writer.bits(at, min(at + FRAME, len(buffer)), matches)))
        head = ""
    return b"".join(out)


# ---------------------------------------------------------------------------------------------- matches


class _Finder:
    """Finds matches, greedily."""

    def __init__(self, buffer: bytes, start: int) -> None:
        self._buffer, self._start = buffer, start
        self._latest: dict[bytes, int] = {}
        self._recent = [1, 1, 1]
        self._hashed = start == 0

    def frames(self) -> list[list[Match]]:
        """The matches of each chunk."""
        buffer = self._buffer
        first = self._start  # what was at the beginning of the reference data
        found = []
        for at in range(self._start, len(buffer), FRAME):
            found.append(self._frame(at, min(at + FRAME, len(buffer)), first))
            first = self._recent[0]
        return found

    def _frame(self, at: int, end: int, likely: int) -> list[Match]:
        matches: list[Match] = []
        add = matches.append
        if likely and at >= likely:
            size = self._common(at, at - likely, 0, end)
            if size > _AHEAD:
                add(self._match(at, likely, size))
                at += size
        if at < end and not self._hashed:
            self._hash_reference()
        buffer, latest = self._buffer, self._latest
        get, common, make = latest.get, self._common, self._match
        last = end - _KEY
        while at <= last:
            key, long_key = buffer[at : at + _KEY], buffer[at : at + _LONG_KEY]
            place, known = get(long_key), _LONG_KEY
            if place is None:
                place, known = get(key), _KEY
            latest[key] = latest[long_key] = at
            if place is None:
                at += 1
                continue
            size = common(at, place, known, end)
            add(make(at, at - place, size))
            for inner in range(at + 1, min(at + min(size, _DENSE), last)):
                latest[buffer[inner : inner + _KEY]] = latest[buffer[inner : inner + _LONG_KEY]] = inner
            at += size
        return matches

    def _hash_reference(self) -> None:
        buffer, latest = self._buffer, self._latest
        for at in range(self._start - _KEY + 1):
            latest[buffer[at : at + _KEY]] = latest[buffer[at : at + _LONG_KEY]] = at
        self._hashed = True

    def _common(self, at: int, place: int, known: int, end: int) -> int:
        """How many octets are the same at both places."""
        buffer, most = self._buffer, end - at
        first, second = at + known, place + known
        differ = int.from_bytes(buffer[first : first + _AHEAD], "little") ^ int.from_bytes(
            buffer[second : second + _AHEAD], "little"
        )
        if differ:
            return min(known + ((differ & -differ).bit_length() - 1 >> 3), most)
        size, step = known + _AHEAD, 64
        while size < most and step:
            if buffer[at + size : at + size + step] == buffer[place + size : place + size + step]:
                size, step = size + step, step * 2
            elif step == 1:
                break
            else:
                step //= 2
        return min(size, most)

    def _match(self, at: int, offset: int, size: int) -> Match:
        recent = self._recent
        if offset == recent[0]:
            slot = footer = bits = 0
        elif offset == recent[1]:
            slot, footer, bits = 1, 0, 0
            recent[0], recent[1] = offset, recent[0]
        elif offset == recent[2]:
            slot, footer, bits = 2, 0, 0
            recent[0], recent[2] = offset, recent[0]
        else:
            slot = slot_of(offset + 2)
            footer, bits = offset + 2 - FOOTER_BASE[slot], FOOTER_BITS[slot]
            self._recent = [offset, recent[0], recent[1]]
        header = min(size - SHORTEST, PRIMARY)
        length = min(size, LONGEST_PLAIN) - SHORTEST - PRIMARY if header == PRIMARY else -1
        extra = size - LONGEST_PLAIN if size >= LONGEST_PLAIN else -1
        return Match(at, at + size, LITERALS + slot * 8 + header, length, footer, bits, extra)


def _frequencies(buffer: bytes, start: int, frames: list[list[Match]], slot_count: int) -> tuple[list[int], list[int]]:
    """How often each symbol of the main and the length tree occurs."""
    main, length = [0] * (LITERALS + 8 * slot_count), [0] * LENGTH_SYMBOLS
    runs, at = [], start
    for matches in frames:
        for match in matches:
            runs.append(buffer[at : match.at])
            at = match.end
            main[match.main] += 1
            if match.length >= 0:
                length[match.length] += 1
    runs.append(buffer[at:])
    for octet, count in Counter(b"".join(runs)).items():
        main[octet] = count
    return main, length


# ---------------------------------------------------------------------------------------------- bits


class _Writer:
    """Chunks as strings of binary digits."""

    def __init__(self, buffer: bytes, main: list[str], length: list[str]) -> None:
        self._buffer, self._main, self._length = buffer, main, length

    def bits(self, at: int, end: int, matches: list[Match]) -> str:
        """One chunk."""
        buffer, main, length = self._buffer, self._main, self._length
        code = main.__getitem__
        parts: list[str] = []
        add, extend = parts.append, parts.extend
        for start, stop, symbol, tail, footer, bits, extra in matches:
            extend(map(code, buffer[at:start]))
            at = stop
            add(main[symbol])
            if tail >= 0:
                add(length[tail])
            if bits:
                add(f"{footer:0{bits}b}")
            if extra >= 0:
                add(_extra(extra))
        extend(map(code, buffer[at:end]))
        return "".join(parts)


def _extra(extra: int) -> str:
    """How long a match is beyond 257 octets."""
    if extra < 0x100:
        return f"0{extra:08b}"
    if extra < 0x500:
        return f"10{extra - 0x100:010b}"
    if extra < 0x1500:
        return f"110{extra - 0x500:012b}"
    return f"111{extra:015b}"


def _chunk(bits: str) -> bytes:
    """A chunk with its size: 16-bit words, the first bit the highest."""
    bits += "0" * (-len(bits) % 16)
    words = array("H", int(bits, 2).to_bytes(len(bits) // 8, "big"))
    if sys.byteorder == "little":
        words.byteswap()
    octets = words.tobytes() if sys.byteorder == "little" else _swapped(words)
    return len(octets).to_bytes(2, "little") + octets


def _swapped(words: array[int]) -> bytes:
    words.byteswap()
    return words.tobytes()


def _trees(main: Sequence[int], length: Sequence[int]) -> str:
    """The code lengths of both trees: literals and matches of the main one apart."""
    return _tree(main[:LITERALS]) + _tree(main[LITERALS:]) + _tree(length)


def _tree(lengths: Sequence[int]) -> str:
    """Code lengths, coded by a tree of their own; they follow on lengths of 0."""
    steps = _steps(lengths)
    frequencies = [0] * PRETREE_SYMBOLS
    for symbol, _, _ in steps:
        frequencies[symbol] += 1
    pretree = code_lengths(frequencies, PRETREE_LONGEST)
    code = codes(pretree)
    body = [code[symbol] + (f"{value:0{bits}b}" if bits else "") for symbol, value, bits in steps]
    return "".join([f"{one:04b}" for one in pretree] + body)


def _steps(lengths: Sequence[int]) -> list[tuple[int, int, int]]:
    """(symbol of the pretree, value of the bits behind it, how many): 17 and 18 are runs of zeros."""
    steps: list[tuple[int, int, int]] = []
    at = 0
    while at < len(lengths):
        run = at
        while run < len(lengths) and lengths[run] == 0 and run - at < 51:
            run += 1
        zeros = run - at
        if zeros >= 20:
            steps.append((18, zeros - 20, 5))
        elif zeros >= 4:
            steps.append((17, zeros - 4, 4))
        else:
            steps.append((-lengths[at] % 17, 0, 0))
            zeros = 1
        at += zeros
    return steps
