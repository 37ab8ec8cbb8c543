"""Plain LZ77 ([MS-XCA] 2.3, 2.4): how ROP buffers and auxiliary buffers are compressed, "DIRECT2" in [MS-OXCRPC]."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Final

from gromoxd.errors import WireError

LONGEST: Final = 0xFFFF
"""Octets that a buffer may become: what SizeActual of RPC_HEADER_EXT can say."""
_U16, _U32 = Struct("<H"), Struct("<I")
_WINDOW: Final = 8192
_SHORTEST: Final = 3


def decompress(data: bytes, size: int) -> bytes:
    """The `size` octets that `data` stands for ([MS-XCA] 2.4.4). WireError when it does not, or `size` > LONGEST."""
    if size > LONGEST:
        raise WireError(f"{size} octets announced")
    out = bytearray()
    at, end, half = 0, len(data), 0
    while len(out) < size:
        if end - at < 4:
            raise WireError("compressed data ends early", at)
        flags, left = _U32.unpack_from(data, at)[0], 32
        at += 4
        while left and len(out) < size:
            run = left - (flags & (1 << left) - 1).bit_length()
            if run:  # literals up to the next flag that is set
                if run > size - len(out):
                    run = size - len(out)
                if end - at < run:
                    raise WireError("compressed data ends early", at)
                out += data[at : at + run]
                at, left = at + run, left - run
                continue
            left -= 1
            at, half, length, offset = _match(data, at, half)
            _copy(out, length, offset, size, at)
    return bytes(out)


def _match(data: bytes, at: int, half: int) -> tuple[int, int, int, int]:
    """Where the next one starts, the place of a half used octet, length, offset."""
    try:
        word = _U16.unpack_from(data, at)[0]
        at += 2
        length, offset = word & 7, (word >> 3) + 1
        if length == 7:
            if half:
                length, half = data[half] >> 4, 0
            else:
                length, half, at = data[at] & 15, at, at + 1
            if length == 15:
                at, length = _long(data, at)
            length += 7
    except (IndexError, StructError):
        raise WireError("compressed data ends early", at) from None
    return at, half, length + _SHORTEST, offset


def _long(data: bytes, at: int) -> tuple[int, int]:
    length, at = data[at], at + 1
    if length < 255:
        return at, length + 15
    length, at = _U16.unpack_from(data, at)[0], at + 2
    if not length:
        length, at = _U32.unpack_from(data, at)[0], at + 4
    if length < 22:
        raise WireError("a length that has a shorter form", at)
    return at, length - 7


def _copy(out: bytearray, length: int, offset: int, size: int, at: int) -> None:
    start = len(out) - offset
    if start < 0:
        raise WireError("a match before the beginning", at)
    if length > size - len(out):
        raise WireError("more octets than announced", at)
    if offset >= length:
        out += out[start : start + length]
    else:
        piece = bytes(out[start:])
        out += (piece * (length // offset + 1))[:length]


def compress(data: bytes) -> bytes:
    """Plain LZ77 of at most LONGEST octets ([MS-XCA] 2.3.4), by quick looks only: about 5 ms for 32 KiB."""
    if len(data) > LONGEST:
        raise ValueError("too much to compress")
    return _Compressor(data).run()


class _Compressor:
    """One run. `seen`: where three octets were last; where few repeat, ever fewer places are looked at."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._out = bytearray(4)
        self._flags_at, self._flags, self._bits = 0, 0, 0
        self._half = 0

    def run(self) -> bytes:
        """All of it."""
        data, seen, at, literals, end = self._data, dict[bytes, int](), 0, 0, len(self._data)
        last = end - _SHORTEST
        misses = 0
        while at <= last:
            key = data[at : at + 3]
            before = seen.get(key, -1)
            seen[key] = at
            if before < 0 or at - before > _WINDOW:
                misses += 1
                at += 1 + (misses >> 5)
                continue
            misses = 0
            length = self._length(before, at, end)
            self._literals(literals, at)
            self._match(at - before, length)
            at += length
            literals = at
        self._literals(literals, end)
        self._flags = self._flags << 32 - self._bits | (1 << 32 - self._bits) - 1
        _U32.pack_into(self._out, self._flags_at, self._flags)
        return bytes(self._out)

    def _length(self, before: int, at: int, end: int) -> int:
        data, length, step = self._data, _SHORTEST, 16
        while at + length < end:
            piece = data[at + length : at + length + step]
            if data[before + length : before + length + len(piece)] == piece:
                length, step = length + len(piece), min(step * 2, 4096)
            elif step == 1:
                break
            else:
                step = step // 4 or 1
        return length

    def _flag(self, bit: int) -> None:
        self._flags = self._flags << 1 | bit
        self._bits += 1
        if self._bits == 32:
            _U32.pack_into(self._out, self._flags_at, self._flags)
            self._flags_at, self._flags, self._bits = len(self._out), 0, 0
            self._out += b"\0\0\0\0"

    def _literals(self, start: int, end: int) -> None:
        while start < end:
            count = min(32 - self._bits, end - start)
            self._out += self._data[start : start + count]
            start += count
            self._flags <<= count
            self._bits += count
            if self._bits == 32:
                self._bits, self._flags = 31, self._flags >> 1
                self._flag(0)

    def _match(self, offset: int, length: int) -> None:
        rest, out = length - _SHORTEST, self._out
        out += _U16.pack(offset - 1 << 3 | min(rest, 7))
        if rest >= 7:
            self._nibble(min(rest - 7, 15))
            if rest >= 22:
                out += bytes((min(rest - 22, 255),))
                if rest - 22 >= 255:
                    out += _U16.pack(rest)
        self._flag(1)

    def _nibble(self, value: int) -> None:
        if self._half:
            self._out[self._half] |= value << 4
            self._half = 0
        else:
            self._half = len(self._out)
            self._out += bytes((value,))
