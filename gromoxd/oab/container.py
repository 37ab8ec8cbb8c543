"""The containers of compressed files: LZX_HDR and LZX_BLK, PATCH_HDR and PATCH_BLK ([MS-OXOAB] 2.10, 2.11). Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.oab.lzx import compress
from gromoxd.oab.unlzx import expand

BLOCK: Final = 256 << 10
"""Octets of a block: what a client must hold at once, and how far back matches reach."""
LARGEST_BLOCK: Final = 16 << 20
LARGEST_FILE: Final = 1 << 29
OAB_HDR: Final = 12
"""Octets of a details file that its checksums leave out."""
_LZX_HDR, _LZX_BLK = Struct("<IIII"), Struct("<IIII")
_PATCH_HDR, _PATCH_BLK = Struct("<IIIIIII"), Struct("<IIII")


def crc(data: bytes, seed: int = 0xFFFFFFFF) -> int:
    """The checksum of all these files: IEEE 802.3 without the inversion at its end ([MS-OXOAB] 2)."""
    return zlib.crc32(data, seed ^ 0xFFFFFFFF) ^ 0xFFFFFFFF


class LzxBlock(NamedTuple):
    """LZX_BLK, [MS-OXOAB] 2.11.2: `flags` 1 is compressed."""

    flags: int
    size: int
    crc: int
    data: bytes


class PatchBlock(NamedTuple):
    """PATCH_BLK, [MS-OXOAB] 2.10.2: turns the next `source_size` octets of the old file into `target_size` new ones."""

    target_size: int
    source_size: int
    crc: int
    data: bytes


class Lzx(NamedTuple):
    """LZX_HDR, [MS-OXOAB] 2.11.1, and its blocks."""

    block_max: int
    target_size: int
    blocks: list[LzxBlock]


class Patch(NamedTuple):
    """PATCH_HDR, [MS-OXOAB] 2.10.1, and its blocks."""

    block_max: int
    source_size: int
    target_size: int
    source_crc: int
    target_crc: int
    blocks: list[PatchBlock]


# ---------------------------------------------------------------------------------------------- full files


def write_lzx(data: bytes, block: int = BLOCK, squeeze: Callable[[bytes], bytes] = compress) -> Iterator[bytes]:
    """A compressed file, piece by piece."""
    yield _LZX_HDR.pack(3, 1, block, len(data))
    for at in range(0, len(data), block):
        piece = data[at : at + block]
        packed = squeeze(piece)
        flags = 1
        if len(packed) >= len(piece):
            packed, flags = piece, 0
        yield _LZX_BLK.pack(flags, len(packed), len(piece), crc(piece)) + packed


def read_lzx(data: bytes) -> Lzx:
    """The opposite, blocks as they are. WireError."""
    cursor = Cursor(data)
    high, low, block_max, size = cursor.struct(_LZX_HDR)
    if (high, low) != (3, 1) or size > LARGEST_FILE:
        raise WireError("no LZX_HDR", 0)
    blocks, left = [], size
    while left:
        flags, packed, expanded, check = cursor.struct(_LZX_BLK)
        if not 0 < expanded <= min(left, block_max, LARGEST_BLOCK) or flags > 1 or (not flags and packed != expanded):
            raise cursor.fail("LZX_BLK out of bounds")
        blocks.append(LzxBlock(flags, expanded, check, cursor.take(packed)))
        left -= expanded
    cursor.finish()
    return Lzx(block_max, size, blocks)


def expand_block(block: LzxBlock) -> bytes:
    """What is in a block. WireError."""
    data = expand(block.data, block.size) if block.flags else block.data
    if crc(data) != block.crc:
        raise WireError("checksum of an LZX_BLK")
    return data


def expand_lzx(data: bytes) -> bytes:
    """What is in a compressed file. WireError."""
    return b"".join(map(expand_block, read_lzx(data).blocks))


# ---------------------------------------------------------------------------------------------- patches


def write_patch(source: bytes, target: bytes, pieces: Iterable[tuple[int, int]], block_max: int) -> Iterator[bytes]:
    """A patch; `pieces`: how far each block goes in the source and in the target."""
    yield _PATCH_HDR.pack(3, 2, block_max, len(source), len(target), crc(source[OAB_HDR:]), crc(target[OAB_HDR:]))
    old = new = 0
    for old_end, new_end in pieces:
        piece = target[new:new_end]
        packed = compress(piece, source[old:old_end])
        yield _PATCH_BLK.pack(len(packed), len(piece), old_end - old, crc(piece)) + packed
        old, new = old_end, new_end


def read_patch(data: bytes) -> Patch:
    """The opposite, blocks as they are. WireError."""
    cursor = Cursor(data)
    high, low, block_max, source_size, target_size, source_crc, target_crc = cursor.struct(_PATCH_HDR)
    if (high, low) != (3, 2) or target_size > LARGEST_FILE:
        raise WireError("no PATCH_HDR", 0)
    blocks, left, source = [], target_size, source_size
    most = min(block_max, LARGEST_BLOCK)
    while left:
        packed, expanded, used, check = cursor.struct(_PATCH_BLK)
        if not 0 < expanded <= min(left, most) or used > min(source, most):
            raise cursor.fail("PATCH_BLK out of bounds")
        blocks.append(PatchBlock(expanded, used, check, cursor.take(packed)))
        left, source = left - expanded, source - used
    cursor.finish()
    return Patch(block_max, source_size, target_size, source_crc, target_crc, blocks)


def apply_patch(data: bytes, source: bytes) -> bytes:
    """The new file. WireError, also when the patch is for another file."""
    patch = read_patch(data)
    if len(source) != patch.source_size or crc(source[OAB_HDR:]) != patch.source_crc:
        raise WireError("a patch for another file")
    out, at = [], 0
    for block in patch.blocks:
        piece = expand(block.data, block.target_size, source[at : at + block.source_size])
        if crc(piece) != block.crc:
            raise WireError("checksum of a PATCH_BLK")
        out.append(piece)
        at += block.source_size
    target = b"".join(out)
    if crc(target[OAB_HDR:]) != patch.target_crc:
        raise WireError("checksum of a patched file")
    return target
