"""Compressed RTF, the value of PidTagRtfCompressed ([MS-OXRTFCP]), both ways.

The dictionary of the document is a ring of 4096 octets. Here it is the end of the text so far, with the same
positions: what is written at n in the text is at (207 + n) mod 4096 in the ring. So references are slices.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple, Self
from zlib import crc32

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

COMPRESSED, UNCOMPRESSED = b"LZFu", b"MELA"

PREFIX = (
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans Serif"
    rb"SymbolArialTimes New RomanCourier{\colortbl\red0\green0\blue0"
    + b"\r\n"
    + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the dictionary holds at first ([MS-OXRTFCP] 2.1)."""

RING = 4096
SHORTEST, LONGEST = 2, 17
SMALL = 12 << 10
"""Octets that `packed` compresses: about one millisecond for each kilobyte."""
MOST_OF_ONE = 8
"""No octet of compressed text makes more than eight: 8 references of 17 octets take 17."""

_HEAD = Struct("<2I4sI")
_START = len(PREFIX)


class RtfHeader(NamedTuple):
    """Header of [MS-OXRTFCP] 2.1.3.1.1; `compressed_size` counts what follows that field."""

    compressed_size: int
    raw_size: int
    compression_type: bytes
    crc: int

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        size, raw = cursor.u32(), cursor.u32()
        return cls(size, raw, cursor.take(4), cursor.u32())

    def encode(self) -> bytes:
        return _HEAD.pack(*self)


def checksum(octets: bytes | bytearray) -> int:
    """The CRC of [MS-OXRTFCP] 2.1.3: that of zlib, neither started nor ended with ones."""
    return crc32(octets, 0xFFFFFFFF) ^ 0xFFFFFFFF


def decompress(data: bytes, limit: int | None = None) -> bytes:
    """The RTF in a PidTagRtfCompressed; octets after its end are let be. WireError if it is damaged or over `limit`."""
    cursor = Cursor(data)
    header = RtfHeader.read(cursor)
    if limit is not None and header.raw_size > limit:
        raise WireError(f"RTF of {header.raw_size} octets, {limit} are allowed", 4)
    if header.compression_type == UNCOMPRESSED:
        return cursor.take(header.raw_size)
    if header.compression_type != COMPRESSED:
        raise WireError(f"RTF compressed as {header.compression_type!r}", 8)
    body = cursor.take(header.compressed_size - (_HEAD.size - 4))
    if header.raw_size > MOST_OF_ONE * len(body):
        raise WireError(f"RTF of {header.raw_size} octets in {len(body)}", 4)
    if checksum(body) != header.crc:
        raise WireError("RTF with a wrong checksum", 12)
    text = _expand(body, header.raw_size)
    if len(text) < header.raw_size:
        raise WireError(f"RTF of {len(text)} octets, {header.raw_size} announced", 4)
    return text


def _expand(body: bytes, size: int) -> bytes:
    """The text of some runs, each a control octet and its eight literals or references, up to `size` octets."""
    text = bytearray(PREFIX)
    at, end, most = 0, len(body), _START + size
    while at < end and len(text) < most:
        control = body[at]
        at += 1
        if not control:
            text += body[at : at + 8]
            at += 8
            continue
        for _ in range(8):
            if control & 1:
                if end - at < 2:
                    return bytes(text[_START:most])
                high, low = body[at], body[at + 1]
                distance = (len(text) - (high << 4 | low >> 4)) % RING
                if not distance:
                    return bytes(text[_START:most])
                _repeat(text, distance, (low & 15) + SHORTEST, at)
                at += 2
            elif at < end:
                text.append(body[at])
                at += 1
            control >>= 1
    return bytes(text[_START:most])


def _repeat(text: bytearray, distance: int, length: int, at: int) -> None:
    """Add what is `distance` octets back, again and again if that is shorter than `length`."""
    start = len(text) - distance
    if start < 0:
        raise WireError("RTF refers to what is not written yet", _HEAD.size + at)
    if distance >= length:
        text += text[start : start + length]
    else:
        text += (bytes(text[start:]) * (length // distance + 1))[:length]


def compress(rtf: bytes) -> bytes:
    """A PidTagRtfCompressed of some RTF; each reference is the longest there is, and of those the farthest."""
    text = PREFIX + rtf
    match = _Matches(text).at
    out = bytearray()
    at, end = _START, len(text)
    while at <= end:
        control, tokens = 0, bytearray()
        for bit in range(8):
            start, length = match(at)
            if length:
                control |= 1 << bit
                tokens += ((start % RING) << 4 | length - SHORTEST).to_bytes(2, "big")
                at += length
            elif at < end:
                tokens.append(text[at])
                at += 1
            else:  # a reference to where the next octet would be written is the end
                control |= 1 << bit
                tokens += ((at % RING) << 4).to_bytes(2, "big")
                at += 1
                break
        out.append(control)
        out += tokens
    return RtfHeader(len(out) + _HEAD.size - 4, len(rtf), COMPRESSED, checksum(out)).encode() + out


class _Matches:
    """Finds what is in the dictionary. Positions are kept by the three octets there: few are tried one by one, for
    many the text is searched, which is fast when there are many."""

    FEW, MANY = 16, 64
    SWEEP = 32768
    """After so many octets what has left the dictionary is forgotten."""

    __slots__ = ("learned", "pairs", "swept", "text", "triples")

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.triples: dict[bytes, int | list[int]] = {}
        self.pairs: dict[bytes, int] = {}
        self.learned = 0
        self.swept = 0

    def at(self, at: int) -> tuple[int, int]:
        """Where the longest match for what is at `at` starts, and how long it is: 0 if there is none. `at` grows."""
        if at > self.learned:
            self._learn(at)
        text, low = self.text, max(at - RING + 1, 0)
        key = text[at : at + 3]
        found = self.triples.get(key)
        if isinstance(found, int):
            found = [found]
        if found is None or found[-1] < low or len(key) < 3:
            if len(key) > 1 and self.pairs.get(key[:2], -1) >= low:
                return text.find(key[:2], low, at + 1), 2
            return 0, 0
        if found[0] < low:
            found = self.triples[key] = [start for start in found if start >= low]
        most = min(LONGEST, len(text) - at)
        return self._few(at, found, most) if len(found) <= self.FEW else self._many(at, low, most)

    def _few(self, at: int, found: list[int], most: int) -> tuple[int, int]:
        text = self.text
        best, length, want = 0, 0, text[at : at + 3]
        for start in found:
            if text.startswith(want, start):
                best, length = start, len(want)
                while length < most and text[start + length] == text[at + length]:
                    length += 1
                if length == most:
                    break
                want = text[at : at + length + 1]
        return best, length

    def _many(self, at: int, low: int, most: int) -> tuple[int, int]:
        text = self.text
        best, length, want = 0, 0, 3
        while want <= most:
            low = text.find(text[at : at + want], low, at + want - 1)
            if low < 0:
                break
            best, length = low, want
            while length < most and text[low + length] == text[at + length]:
                length += 1
            want = length + 1
        return best, length

    def _learn(self, upto: int) -> None:
        text, triples, pairs = self.text, self.triples, self.pairs
        for at in range(self.learned, upto):
            key = text[at : at + 3]
            if key not in triples:
                triples[key] = at
            else:
                found = triples[key]
                if isinstance(found, int):
                    triples[key] = [found, at]
                else:
                    found.append(at)
                    if len(found) > self.MANY:
                        del found[: self.MANY // 2]
            pairs[key[:2]] = at
        self.learned = upto
        if upto - self.swept > self.SWEEP:
            self.swept = upto
            low = upto - RING
            self.triples = {
                key: found for key, found in triples.items() if (found if isinstance(found, int) else found[-1]) > low
            }


def packed(rtf: bytes) -> bytes:
    """A PidTagRtfCompressed that is made in no more than some milliseconds: what is long stays as it is."""
    return compress(rtf) if len(rtf) <= SMALL else store(rtf)


def store(rtf: bytes) -> bytes:
    """A PidTagRtfCompressed with the RTF as it is."""
    return RtfHeader(len(rtf) + _HEAD.size - 4, len(rtf), UNCOMPRESSED, 0).encode() + rtf
