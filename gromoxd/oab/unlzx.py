"""LZX DELTA, expanding ([MS-PATCH]): all kinds of blocks, bounded by the size that the container tells. Pure."""

from __future__ import annotations

from typing import Final

from gromoxd.errors import WireError
from gromoxd.oab.huffman import Table
from gromoxd.oab.lzxtables import (
    ALIGNED,
    FOOTER_BASE,
    FOOTER_BITS,
    FRAME,
    LENGTH_SYMBOLS,
    LITERALS,
    LONGEST_PLAIN,
    PRETREE_SYMBOLS,
    PRIMARY,
    SHORTEST,
    UNCOMPRESSED,
    VERBATIM,
    slots,
)

_PADDING: Final = 8
"""Zero octets behind the data that a decoder may look at."""
_RAW: Final = Table([0])


class _Bits:
    """16-bit words, the first bit the highest."""

    __slots__ = ("at", "count", "data", "held", "size")

    def __init__(self, data: bytes) -> None:
        self.data, self.size = data + bytes(_PADDING), len(data)
        self.at = self.held = self.count = 0

    def fill(self, wanted: int) -> None:
        while self.count < wanted:
            if self.at > self.size:
                raise WireError("LZX data ends too early", self.size)
            self.held = (self.held << 16 | self.data[self.at] | self.data[self.at + 1] << 8) & 0xFFFFFFFFFF
            self.at += 2
            self.count += 16

    def take(self, bits: int) -> int:
        """The next bits as a number."""
        self.fill(bits)
        self.count -= bits
        return self.held >> self.count & ((1 << bits) - 1)

    def symbol(self, table: Table) -> int:
        """The next symbol of a code."""
        bits = table.bits
        if not bits:
            raise WireError("LZX symbol of an empty code", self.at)
        self.fill(bits)
        entry = table.entries[self.held >> (self.count - bits) & ((1 << bits) - 1)]
        self.count -= entry & 31
        return entry >> 5

    def align(self) -> None:
        """Up to the next word."""
        self.count -= self.count % 16

    def octets(self, count: int) -> bytes:
        """Octets, when aligned."""
        self.at -= self.count // 8
        self.count = self.held = 0
        if count > self.size - self.at:
            raise WireError("LZX data ends too early", self.size)
        self.at += count
        return self.data[self.at - count : self.at]


class _Stream:
    """One stream: window, repeated offsets and trees that later blocks build upon."""

    def __init__(self, data: bytes, size: int, reference: bytes) -> None:
        self.bits = _Bits(data)
        self.out = bytearray(reference)
        self.start, self.end = len(reference), len(reference) + size
        self.recent = [1, 1, 1]
        self.main = [0] * (LITERALS + 8 * slots(len(reference), size))
        self.length = [0] * LENGTH_SYMBOLS
        self.kind = self.left = 0
        self.odd = False
        self.tables = _RAW, _RAW, _RAW

    def run(self) -> bytes:
        """All of it."""
        bits = self.bits
        for at in range(self.start, self.end, FRAME):
            bits.take(16)  # the size of the chunk
            if at == self.start and bits.take(1):
                raise WireError("LZX with translated calls", bits.at)
            stop = min(at + FRAME, self.end)
            while len(self.out) < stop:
                if not self.left:
                    self._block()
                self._decode(min(stop, len(self.out) + self.left))
            bits.align()
        return bytes(self.out[self.start :])

    # ------------------------------------------------------------------------------------------ blocks

    def _block(self) -> None:
        """The head of a block."""
        bits = self.bits
        if self.odd:
            bits.octets(1)
            self.odd = False
        self.kind = bits.take(3)
        self.left = bits.take(16) << 8 | bits.take(8)
        if not self.left:
            raise WireError("empty LZX block", bits.at)
        if self.kind == UNCOMPRESSED:
            bits.fill(1)
            bits.align()
            raw = bits.octets(12)
            self.recent = [int.from_bytes(raw[at : at + 4], "little") for at in (0, 4, 8)]
            self.odd = bool(self.left & 1)
            return
        if self.kind not in (VERBATIM, ALIGNED):
            raise WireError(f"LZX block of kind {self.kind}", bits.at)
        aligned = Table([bits.take(3) for _ in range(8)]) if self.kind == ALIGNED else _RAW
        self._lengths(self.main, 0, LITERALS)
        self._lengths(self.main, LITERALS, len(self.main))
        self._lengths(self.length, 0, LENGTH_SYMBOLS)
        self.tables = Table(self.main), Table(self.length), aligned

    def _lengths(self, lengths: list[int], at: int, end: int) -> None:
        """Code lengths as differences from those before."""
        bits = self.bits
        pretree = Table([bits.take(4) for _ in range(PRETREE_SYMBOLS)])
        while at < end:
            symbol = bits.symbol(pretree)
            run, value = 1, 0
            if symbol == 17:
                run = bits.take(4) + 4
            elif symbol == 18:
                run = bits.take(5) + 20
            else:
                if symbol == 19:
                    run = bits.take(1) + 4
                    symbol = bits.symbol(pretree)
                if symbol > 16:
                    raise WireError("LZX code length out of range", bits.at)
                value = (lengths[at] - symbol) % 17
            if run > end - at:
                raise WireError("too many LZX code lengths", bits.at)
            lengths[at : at + run] = [value] * run
            at += run

    # ------------------------------------------------------------------------------------------ contents

    def _decode(self, stop: int) -> None:
        """Expand up to `stop`, which is in the block."""
        out = self.out
        begun = len(out)
        if self.kind == UNCOMPRESSED:
            out += self.bits.octets(stop - begun)
        else:
            symbol, main = self.bits.symbol, self.tables[0]
            while len(out) < stop:
                found = symbol(main)
                if found < LITERALS:
                    out.append(found)
                else:
                    self._copy(found - LITERALS, stop)
        self.left -= stop - begun

    def _copy(self, found: int, stop: int) -> None:
        bits, out = self.bits, self.out
        size = found & 7
        if size == PRIMARY:
            size += bits.symbol(self.tables[1])
        size += SHORTEST
        offset = self._offset(found >> 3)
        if size == LONGEST_PLAIN:
            size += self._extra()
        at = len(out)
        if size > stop - at:
            raise WireError("LZX match beyond its chunk or block", bits.at)
        if not 0 < offset <= at:
            raise WireError("LZX match before the data", bits.at)
        if offset >= size:
            out += out[at - offset : at - offset + size]
        else:
            piece = bytes(out[at - offset :])
            out += (piece * (size // offset + 1))[:size]

    def _offset(self, slot: int) -> int:
        """The offset of a match; the last three are known by slots."""
        recent, bits = self.recent, self.bits
        if slot < 3:
            recent[0], recent[slot] = recent[slot], recent[0]
            return recent[0]
        extra = FOOTER_BITS[slot]
        if self.kind == ALIGNED and extra >= 3:
            footer = bits.take(extra - 3) << 3
            footer += bits.symbol(self.tables[2])
        else:
            footer = bits.take(extra)
        offset = FOOTER_BASE[slot] + footer - 2
        self.recent = [offset, recent[0], recent[1]]
        return offset

    def _extra(self) -> int:
        """How much longer than 257 octets a match is."""
        take = self.bits.take
        if not take(1):
            return take(8)
        if not take(1):
            return take(10) + 0x100
        return take(15) if take(1) else take(12) + 0x500


def expand(data: bytes, size: int, reference: bytes = b"") -> bytes:
    """`size` octets of an LZXD stream that was made with this reference data. WireError."""
    return _Stream(data, size, reference).run()
