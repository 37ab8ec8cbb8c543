"""Offline address books of versions 2 and 3, read for `gromoxctl dump`: this server makes none of them. Pure."""

from __future__ import annotations

import zlib
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.oab.container import LARGEST_FILE

VERSION_2, VERSION_3 = 0x0A, 0x0E
LARGEST_BLOCK: Final = 32 << 10
_HDR, _MDI_HDR, _MDI_BLK = Struct("<III"), Struct("<IIII"), Struct("<III")
_B2_REC, _ANR_REC = Struct("<IIHBBIIIII"), Struct("<IIIII")


class BrowseRecord(NamedTuple):
    """B2_REC, [MS-OXOAB] 2.3.2: places in the other files. The highest bit of the object type is `a`: rich text."""

    rdn: int
    details: int
    details_size: int
    display_type: int
    object_type: int
    rich_text: bool
    smtp: int
    display_name: int
    alias: int
    location: int
    surname: int


class Browse(NamedTuple):
    """A Browse file, [MS-OXOAB] 2.3."""

    version: int
    serial: int
    records: list[BrowseRecord]


class AnrRecord(NamedTuple):
    """ANR_REC, [MS-OXOAB] 2.5.2, with its key and what is behind it."""

    left: int
    right: int
    browse: int
    previous: int
    next: int
    key: bytes


def read_browse(data: bytes) -> Browse:
    """A Browse file of version 2 or 3. WireError."""
    cursor = Cursor(data)
    version, serial, count = cursor.struct(_HDR)
    if version not in (VERSION_2, VERSION_3):
        raise WireError(f"Browse file of version {version:#x}", 0)
    records = []
    for _ in range(cursor.count(count, _B2_REC.size)):
        rdn, details, size, shown, kind, *names = cursor.struct(_B2_REC)
        records.append(BrowseRecord(rdn, details, size, shown, kind & 0x7F, bool(kind & 0x80), *names))
    cursor.finish()
    return Browse(version, serial, records)


def write_browse(browse: Browse) -> bytes:
    """The opposite."""
    parts = [_HDR.pack(browse.version, browse.serial, len(browse.records))]
    for one in browse.records:
        kind = one.object_type | (0x80 if one.rich_text else 0)
        parts.append(_B2_REC.pack(*one[:4], kind, *one[6:]))
    return b"".join(parts)


def read_anr(data: bytes) -> tuple[int, list[AnrRecord]]:
    """The serial number of an ANR Index file of version 2 and its records ([MS-OXOAB] 2.5). WireError."""
    cursor = Cursor(data)
    version, serial, count = cursor.struct(_HDR)
    if version not in (VERSION_2, VERSION_3):
        raise WireError(f"ANR Index file of version {version:#x}", 0)
    records: list[AnrRecord] = []
    while cursor.left and len(records) < count:
        left, right, browse, previous, following = cursor.struct(_ANR_REC)
        records.append(AnrRecord(left, right, browse, previous, following, cursor.string8()))
    return serial, records


def expand_mdi(data: bytes) -> bytes:
    """What is in a compressed file of version 2 or 3: MDI_HDR and MDI_BLKs of MSZIP ([MS-OXOAB] 2.8). WireError."""
    cursor = Cursor(data)
    high, low, block_max, size = cursor.struct(_MDI_HDR)
    if (high, low) != (2, 1) or size > LARGEST_FILE:
        raise WireError("no MDI_HDR", 0)
    out, left = [], size
    while left:
        flags, packed, expanded = cursor.struct(_MDI_BLK)
        if not 0 < expanded <= min(left, block_max, LARGEST_BLOCK) or flags > 1:
            raise cursor.fail("MDI_BLK out of bounds")
        piece = _inflate(cursor.take(packed), expanded) if flags else cursor.take(packed)
        if len(piece) != expanded:
            raise cursor.fail("MDI_BLK of another size")
        out.append(piece)
        left -= expanded
    cursor.finish()
    return b"".join(out)


def _inflate(data: bytes, size: int) -> bytes:
    """[MS-MCI] 2.1: CK and a stream of RFC 1951."""
    if data[:2] != b"CK":
        raise WireError("no MSZIP block")
    try:
        return zlib.decompressobj(-15).decompress(data[2:], size + 1)
    except zlib.error as error:
        raise WireError(f"MSZIP: {error}") from None
