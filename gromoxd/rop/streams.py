"""ROPs on streams ([MS-OXCROPS] 2.2.9, [MS-OXCPRPT] 2.2.14-2.2.27)."""

from __future__ import annotations

from struct import Struct
from typing import Any, Final

from gromoxd.errors import Ec, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import I64, U8, U16, U32, U64, Data16, Request, Response, request, response

MAXIMUM: Final = 0xBABE
"""ByteCount of a RopReadStream whose MaximumByteCount counts."""
_NULL_DESTINATION: Final = Struct("<IQQ")
_U16: Final = Struct("<H")
_U32: Final = Struct("<I")


@request(0x2B)
class OpenStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.1.1."""

    output: U8
    property_tag: U32
    open_mode_flags: U8


@response(0x2B)
class OpenStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.1.2."""

    stream_size: U32


@request(0x2C)
class ReadStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.2.1. `maximum_byte_count` is there when `byte_count` is 0xBABE."""

    byte_count: int
    maximum_byte_count: int = 0

    @property
    def wanted(self) -> int:
        """Octets wanted at most."""
        return self.maximum_byte_count if self.byte_count == MAXIMUM else self.byte_count

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        count = cursor.u16()
        return {"byte_count": count, "maximum_byte_count": cursor.u32() if count == MAXIMUM else 0}

    def body(self) -> bytes:
        if not 0 <= self.byte_count <= 0xFFFF or not 0 <= self.maximum_byte_count <= 0xFFFFFFFF:
            raise WireError("ByteCount")
        head = _U16.pack(self.byte_count)
        return head + _U32.pack(self.maximum_byte_count) if self.byte_count == MAXIMUM else head

    def failure(self, code: int) -> bytes:
        return super().failure(code) + _U16.pack(0)


@response(0x2C, always=True)
class ReadStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.2.2."""

    data: Data16


class _Write(Request, frozen=True):
    data: Data16

    def failure(self, code: int) -> bytes:
        return super().failure(code) + _U16.pack(0)


@request(0x2D)
class WriteStream(_Write, frozen=True):
    """[MS-OXCROPS] 2.2.9.3.1."""


@response(0x2D, always=True)
class WriteStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.3.2."""

    written_size: U16


@request(0xA3)
class WriteStreamExtended(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.4.1."""

    data: Data16

    def failure(self, code: int) -> bytes:
        return super().failure(code) + _U32.pack(0)


@response(0xA3, always=True)
class WriteStreamExtendedResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.4.2."""

    written_size: U32


@request(0x5D)
class CommitStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.5.1."""


@response(0x5D)
class CommitStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.5.2."""


@request(0x5E)
class GetStreamSize(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.6.1."""


@response(0x5E)
class GetStreamSizeResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.6.2."""

    stream_size: U32


@request(0x2F)
class SetStreamSize(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.7.1."""

    stream_size: U64


@response(0x2F)
class SetStreamSizeResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.7.2."""


@request(0x2E)
class SeekStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.8.1."""

    origin: U8
    offset: I64


@response(0x2E)
class SeekStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.8.2."""

    new_position: U64


@request(0x3A)
class CopyToStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.9.1; `index` is SourceHandleIndex."""

    destination: U8
    byte_count: U64

    def failure(self, code: int) -> bytes:
        head = super().failure(code)
        return head + _NULL_DESTINATION.pack(self.destination, 0, 0) if code == Ec.ecDstNullObject else head


@response(0x3A)
class CopyToStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.9.2."""

    read_byte_count: U64
    written_byte_count: U64

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        start = cursor.at
        index, code = cursor.u8(), cursor.u32()
        if code == Ec.ecDstNullObject:
            return CopyToStreamNullDestination(index=index, code=code, **CopyToStreamNullDestination.read_body(cursor))
        cursor.at = start
        return super().read(cursor)


@response(0x3A, always=True, second=True)
class CopyToStreamNullDestination(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.9.3: ecDstNullObject."""

    destination: U32
    read_byte_count: U64
    written_byte_count: U64


class _Lock(Request, frozen=True):
    region_offset: U64
    region_size: U64
    lock_flags: U32


@request(0x5B)
class LockRegionStream(_Lock, frozen=True):
    """[MS-OXCROPS] 2.2.9.10.1."""


@response(0x5B)
class LockRegionStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.10.2."""


@request(0x5C)
class UnlockRegionStream(_Lock, frozen=True):
    """[MS-OXCROPS] 2.2.9.11.1."""


@response(0x5C)
class UnlockRegionStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.11.2."""


@request(0x90)
class WriteAndCommitStream(_Write, frozen=True):
    """[MS-OXCROPS] 2.2.9.12.1."""


@response(0x90, always=True)
class WriteAndCommitStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.12.2."""

    written_size: U16


@request(0x3B)
class CloneStream(Request, frozen=True):
    """[MS-OXCROPS] 2.2.9.13.1."""

    output: U8


@response(0x3B)
class CloneStreamResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.9.13.2."""
