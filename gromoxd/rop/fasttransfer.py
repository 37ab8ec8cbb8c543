"""ROPs of fast transfer ([MS-OXCROPS] 2.2.12)."""

from __future__ import annotations

from typing import Any, Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import U8, U16, U32, Data16, Ids, Request, Response, Tags, request, response

OWN_SIZE: Final = 0xBABE
"""BufferSize of a RopFastTransferSourceGetBuffer whose answer may be as large as there is room."""
BACKOFF: Final = 0x0480
"""ReturnValue of a RopFastTransferSourceGetBuffer that is to be sent again later (ServerBusy)."""
HEAD: Final = 15
"""Octets of its response before TransferBuffer."""


@request(0x53)
class FastTransferDestinationConfigure(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.1.1."""

    output: U8
    source_operation: U8
    copy_flags: U8


@response(0x53)
class FastTransferDestinationConfigureResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.1.2."""


@request(0x54)
class FastTransferDestinationPutBuffer(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.2.1."""

    transfer_data: Data16

    def failure(self, code: int) -> bytes:
        """The response has one form ([MS-OXCROPS] 2.2.12.2.2)."""
        return FastTransferDestinationPutBufferResponse(self.index, code, 0, 0, 0, 0, 0).encode()


@response(0x54, always=True)
class FastTransferDestinationPutBufferResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.2.2."""

    transfer_status: U16
    in_progress_count: U16
    total_step_count: U16
    reserved: U8
    buffer_used_size: U16


@request(0x9D)
class FastTransferDestinationPutBufferExtended(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.3.1."""

    transfer_data: Data16

    def failure(self, code: int) -> bytes:
        """The response has one form ([MS-OXCROPS] 2.2.12.3.2)."""
        return FastTransferDestinationPutBufferExtendedResponse(self.index, code, 0, 0, 0, 0, 0).encode()


@response(0x9D, always=True)
class FastTransferDestinationPutBufferExtendedResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.3.2."""

    transfer_status: U16
    in_progress_count: U32
    total_step_count: U32
    reserved: U8
    buffer_used_size: U16


@request(0x4E)
class FastTransferSourceGetBuffer(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.4.1. `maximum_buffer_size` is there when BufferSize is OWN_SIZE."""

    buffer_size: int
    maximum_buffer_size: int = 0

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        size = cursor.u16()
        return {"buffer_size": size, "maximum_buffer_size": cursor.u16() if size == OWN_SIZE else 0}

    def body(self) -> bytes:
        sizes = [self.buffer_size] + ([self.maximum_buffer_size] if self.buffer_size == OWN_SIZE else [])
        try:
            return b"".join(size.to_bytes(2, "little") for size in sizes)
        except OverflowError as error:
            raise WireError(f"buffer size: {error}") from None

    def failure(self, code: int) -> bytes:
        """The response has one form ([MS-OXCROPS] 2.2.12.4.2)."""
        return FastTransferSourceGetBufferResponse(self.index, code, 0, 0, 0, 0, b"").encode()


@response(0x4E, always=True)
class FastTransferSourceGetBufferResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.4.2. `backoff_ms` is there when ReturnValue is BACKOFF."""

    transfer_status: U16
    in_progress_count: U16
    total_step_count: U16
    reserved: U8
    transfer_buffer: Data16
    backoff_ms: int = 0

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        index, code = cursor.u8(), cursor.u32()
        found = cls.read_body(cursor)
        return cls(index=index, code=code, backoff_ms=cursor.u32() if code == BACKOFF else 0, **found)

    def encode(self) -> bytes:
        octets = super().encode()
        return octets + self.backoff_ms.to_bytes(4, "little") if self.code == BACKOFF else octets


@request(0x4C)
class FastTransferSourceCopyFolder(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.5.1."""

    output: U8
    copy_flags: U8
    send_options: U8


@response(0x4C)
class FastTransferSourceCopyFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.5.2."""


@request(0x4B)
class FastTransferSourceCopyMessages(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.6.1."""

    output: U8
    message_ids: Ids
    copy_flags: U8
    send_options: U8


@response(0x4B)
class FastTransferSourceCopyMessagesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.6.2."""


@request(0x4D)
class FastTransferSourceCopyTo(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.7.1. `property_tags` are left out."""

    output: U8
    level: U8
    copy_flags: U32
    send_options: U8
    property_tags: Tags


@response(0x4D)
class FastTransferSourceCopyToResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.7.2."""


@request(0x69)
class FastTransferSourceCopyProperties(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.8.1. `property_tags` are what is copied."""

    output: U8
    level: U8
    copy_flags: U8
    send_options: U8
    property_tags: Tags


@response(0x69)
class FastTransferSourceCopyPropertiesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.8.2."""


@request(0x86)
class TellVersion(Request, frozen=True):
    """[MS-OXCROPS] 2.2.12.9.1: the version of the server at the other end, three numbers."""

    major: U16
    minor: U16
    build: U16


@response(0x86)
class TellVersionResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.12.9.2."""
