"""Files of a Macintosh as mail carries them: a MacBinary stream taken apart into AppleDouble (RFC 1740).

PidTagAttachDataBinary of such an attachment is MacBinary ([MS-OXCMAIL] 2.1.3.4.3): a header of 128 octets, the data
fork and the resource fork, each filled up to 128 octets. Numbers are big-endian.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

ENCODING = bytes.fromhex("2A864886F714030B01")
"""PidTagAttachEncoding of an attachment in MacBinary ([MS-OXCMSG] 2.2.2.20)."""

_BLOCK = 128
_SIZES = Struct(">83x2L")
_EXTRA = Struct(">120xH")
_HEAD, _ENTRY = Struct(">2L16xH"), Struct(">3L")
_MAGIC, _VERSION = 0x00051607, 0x00020000
_REAL_NAME, _RESOURCE, _FINDER = 3, 2, 9
MAX_NAME = 63


class AppleDouble(NamedTuple):
    """The two parts of multipart/appledouble: application/applefile, and the file itself."""

    header: bytes
    data: bytes


def apple_double(macbinary: bytes) -> AppleDouble | None:
    """Both parts of a MacBinary stream, None for octets that are none."""
    if len(macbinary) < _BLOCK or macbinary[0] or macbinary[74] or not 0 < macbinary[1] <= MAX_NAME:
        return None
    data_size, resource_size = _SIZES.unpack_from(macbinary)
    start = _BLOCK + _filled(_EXTRA.unpack_from(macbinary)[0])
    resource = start + _filled(data_size)
    if resource + resource_size > len(macbinary) if resource_size else start + data_size > len(macbinary):
        return None
    finder = macbinary[65:73] + bytes((macbinary[73], macbinary[101])) + macbinary[75:81] + bytes(16)
    entries = [
        (_REAL_NAME, macbinary[2 : 2 + macbinary[1]]), (_FINDER, finder),
        (_RESOURCE, macbinary[resource : resource + resource_size]),
    ]  # fmt: skip
    return AppleDouble(_file(entries), macbinary[start : start + data_size])


def _filled(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _file(entries: list[tuple[int, bytes]]) -> bytes:
    """The structure of an AppleDouble header file (RFC 1740 appendix A)."""
    head = _HEAD.pack(_MAGIC, _VERSION, len(entries))
    at = len(head) + _ENTRY.size * len(entries)
    for number, content in entries:
        head += _ENTRY.pack(number, at, len(content))
        at += len(content)
    return head + b"".join(content for _, content in entries)
