"""Responses that no request asked for ([MS-OXCROPS] 2.2.14.3, 2.2.15.1, 2.2.15.2), without handle and ReturnValue."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import U16, Response, response

_SIZE: Final = Struct("<BH")
_BACKOFF: Final = Struct("<BIB")
_ROP: Final = Struct("<BI")


@response(0x6E)
class Pending(Response, frozen=True):
    """RopPending: there are notifications that did not fit."""

    session_index: U16 = 0

    def encode(self) -> bytes:
        return _SIZE.pack(self.rop, self.session_index)

    @classmethod
    def read(cls, cursor: Cursor) -> Pending:
        return cls(0, 0, cursor.u16())


@response(0xF9)
class Backoff(Response, frozen=True):
    """RopBackoff: nothing of this logon for `duration_ms`, or none of `rops` (RopId, milliseconds)."""

    logon: int = 0
    duration_ms: int = 0
    rops: tuple[tuple[int, int], ...] = ()
    data: bytes = b""

    def encode(self) -> bytes:
        if len(self.rops) > 0xFF or len(self.data) > 0xFFFF:
            raise WireError("RopBackoff of that size")
        head = bytes((self.rop,)) + _BACKOFF.pack(self.logon, self.duration_ms, len(self.rops))
        rops = b"".join([_ROP.pack(*one) for one in self.rops])
        return b"".join((head, rops, len(self.data).to_bytes(2, "little"), self.data))

    @classmethod
    def read(cls, cursor: Cursor) -> Backoff:
        logon, duration, count = cursor.struct(_BACKOFF)
        found = [cursor.struct(_ROP) for _ in range(cursor.count(count, _ROP.size))]
        return cls(0, 0, logon, duration, tuple((rop, ms) for rop, ms in found), cursor.take(cursor.u16()))


@response(0xFF)
class BufferTooSmall(Response, frozen=True):
    """RopBufferTooSmall: an answer of `size_needed` would do; `requests` are those that got none, to be sent again."""

    size_needed: U16 = 0
    requests: bytes = b""

    def encode(self) -> bytes:
        return _SIZE.pack(self.rop, min(self.size_needed, 0xFFFF)) + self.requests

    @classmethod
    def read(cls, cursor: Cursor) -> BufferTooSmall:
        return cls(0, 0, cursor.u16(), cursor.rest())


TOO_SMALL_SIZE: Final = _SIZE.size
"""Octets of RopBufferTooSmall and of RopPending without their requests."""
