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
    rb"{\rtf1\ansi\mac\deff0\deftab720{\fonttbl;}{\f0\fnil \froman \fswiss \fmodern \fscript \fdecor MS Sans SerifSymbol"
    rb"ArialTimes New RomanCourier{\colortbl\red0\green0\blue0" + b"\r\n" + rb"\par \pard\plain\f0\fs20\b\i\u\tab\tx"
)
"""What the dictionary holds at first ([MS-OXRTFCP] 2.2.2.1)."""

RING = 4096
SHORTEST, LONGEST = 2, 17
MOST_OF_ONE = 8
"""No octet of compressed text makes more than eight: 8 references of 17 octets take 17."""

_HEAD = Struct("<2I4sI")
_START = len(PREFIX)


class RtfHeader(NamedTuple):
    """[MS-OXRTFCP] 2.2.3.1, the header; `compressed_size` counts what follows that field."""

    compressed_size: int
    raw_size: int
    compression_type: bytes
    crc: int

    @classmethod
    def read(cls, cursor: Cursor) -> Self:
        size, raw, kind, crc = cursor.struct(_HEAD)
        return cls(size, raw, bytes(kind), crc)  # type: ignore[call-overload]

    def encode(self) -> bytes:
        return _HEAD.pack(*self)


def checksum(octets: bytes) -> int:
    """The CRC of [MS-OXRTFCP] 2.2.3.2: that of zlib, neither started nor ended with ones."""
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
    out = bytearray()
    tokens: list[bytes] = []
    control = 0
    at, end = _START, len(text)
    while at <= end:
        if at < end:
            start, length = _match(text, at)
            if length:
                control |= 1 << len(tokens)
                tokens.append(((start % RING) << 4 | length - SHORTEST).to_bytes(2, "big"))
                at += length
            else:
                tokens.append(text[at : at + 1])
                at += 1
        else:
            control |= 1 << len(tokens)
            tokens.append(((at % RING) << 4).to_bytes(2, "big"))
            at += 1
        if len(tokens) == 8 or at > end:
            out.append(control)
            out += b"".join(tokens)
            tokens.clear()
            control = 0
    body = bytes(out)
    return RtfHeader(len(body) + _HEAD.size - 4, len(rtf), COMPRESSED, checksum(body)).encode() + body


def _match(text: bytes, at: int) -> tuple[int, int]:
    """Where the longest match for what is at `at` starts, and how long it is: 0 if there is none."""
    low = at - RING + 1
    if low < 0:
        low = 0
    find = text.find
    most = min(LONGEST, len(text) - at)
    start, length = 0, 0
    want = SHORTEST
    while want <= most:
        low = find(text[at : at + want], low, at + want - 1)
        if low < 0:
            break
        start, length = low, want
        while length < most and text[low + length] == text[at + length]:
            length += 1
        want = length + 1
    return start, length


def store(rtf: bytes) -> bytes:
    """A PidTagRtfCompressed with the RTF as it is."""
    return RtfHeader(len(rtf) + _HEAD.size - 4, len(rtf), UNCOMPRESSED, 0).encode() + rtf
