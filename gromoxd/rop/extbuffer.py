"""Extended buffers: what goes before ROP buffers and auxiliary blocks on the wire ([MS-OXCRPC] 2.2.2.1, 3.1.4.2.1)."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop import lzxpress

HEADER: Final = Struct("<HHHH")
"""RPC_HEADER_EXT: Version, Flags, Size, SizeActual."""
LARGEST: Final = 0x8000
"""Octets of a payload that we send."""
MOST: Final = 96
"""Buffers of one answer ([MS-OXCRPC] 3.1.4.2.1.2)."""
_MAGIC: Final = bytes(value ^ 0xA5 for value in range(256))


class HeaderFlags(IntFlag):
    """[MS-OXCRPC] 2.2.2.1."""

    Compressed = 0x0001
    XorMagic = 0x0002
    Last = 0x0004


class CallFlags(IntFlag):
    """What a client says of the answer it wants ([MS-OXCRPC] 3.1.4.2, pulFlags)."""

    NoCompression = 0x00000001
    NoXorMagic = 0x00000002
    Chain = 0x00000004


def read(data: bytes, most: int = MOST) -> list[bytes]:
    """The payloads in the clear. WireError unless the last one, and that alone, is marked as the last.

    Of more than `most` buffers none beyond these is decompressed.
    """
    cursor, found = Cursor(data), list[bytes]()
    while True:
        version, flags, size, actual = cursor.struct(HEADER)
        if version:
            raise WireError(f"version {version} of an extended buffer", cursor.at - 8)
        payload = cursor.take(size)
        if len(found) + 1 == most and not flags & HeaderFlags.Last:
            raise WireError("too many extended buffers", cursor.at)
        if flags & HeaderFlags.XorMagic:
            payload = payload.translate(_MAGIC)
        if flags & HeaderFlags.Compressed:
            payload = lzxpress.decompress(payload, actual)
        elif size != actual:
            raise WireError("two sizes of one payload", cursor.at)
        found.append(payload)
        if flags & HeaderFlags.Last:
            cursor.finish()
            return found


def read_one(data: bytes) -> bytes:
    """The payload of the one buffer of a request. WireError for more, as the server asks for none such."""
    return read(data, 1)[0]


def write(payloads: list[bytes], threshold: int = -1, *, xor: bool = False) -> bytes:
    """Payloads behind each other. Those of `threshold` octets and more are compressed if that helps; -1: none."""
    parts = list[bytes]()
    for number, payload in enumerate(payloads, 1):
        flags, actual = HeaderFlags.Last * (number == len(payloads)), len(payload)
        if 0 <= threshold <= actual:
            compressed = lzxpress.compress(payload)
            if len(compressed) < actual:
                payload, flags = compressed, flags | HeaderFlags.Compressed
        if xor:
            payload, flags = payload.translate(_MAGIC), flags | HeaderFlags.XorMagic
        parts += (HEADER.pack(0, flags, len(payload), actual), payload)
    return b"".join(parts)
