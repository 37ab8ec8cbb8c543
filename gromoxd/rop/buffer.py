"""ROP input and output buffers ([MS-OXCROPS] 2.2.1): RopSize, RopsList, the Server object handle table."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.errors import WireError

_U16: Final = Struct("<H")
MOST_HANDLES: Final = 256
"""A handle index is one octet."""


def read(payload: bytes) -> tuple[bytes, list[int]]:
    """RopsList and handles."""
    if len(payload) < 2:
        raise WireError("no RopSize")
    size = _U16.unpack_from(payload)[0]
    if not 2 <= size <= len(payload):
        raise WireError(f"RopSize {size} of {len(payload)} octets")
    count, odd = divmod(len(payload) - size, 4)
    if odd or count > MOST_HANDLES:
        raise WireError("handle table", size)
    return payload[2:size], list(Struct(f"<{count}I").unpack_from(payload, size))


def write(rops: bytes, handles: list[int]) -> bytes:
    """The opposite. WireError when RopSize cannot say it."""
    if len(rops) + 2 > 0xFFFF:
        raise WireError(f"{len(rops)} octets of ROPs")
    return b"".join((_U16.pack(len(rops) + 2), rops, Struct(f"<{len(handles)}I").pack(*handles)))


def overhead(handles: list[int]) -> int:
    """Octets beside the ROPs."""
    return 2 + 4 * len(handles)
