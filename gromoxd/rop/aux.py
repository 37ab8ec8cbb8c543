"""Auxiliary blocks ([MS-OXCRPC] 2.2.2.2): what client and server tell each other of themselves beside the ROPs."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

HEADER: Final = Struct("<HBB")
"""AUX_HEADER: Size (with itself), Version, Type."""
MOST_BLOCKS: Final = 256
CLIENT_CONTROL: Final = 0x0A
PERF_PROCESSINFO: Final = 0x0B
EXORGINFO: Final = 0x17
ENDPOINT_CAPABILITIES: Final = 0x48
_U32 = Struct("<I")
_TWO = Struct("<II")


class Enable(IntFlag):
    """EnableFlags ([MS-OXCRPC] 2.2.2.2.15)."""

    PERF_SENDTOSERVER = 0x00000001
    COMPRESSION = 0x00000004
    HTTP_TUNNELING = 0x00000008
    PERF_SENDGCDATA = 0x00000010


class Block(NamedTuple):
    """A block behind its header."""

    type: int
    version: int
    data: bytes

    def encode(self) -> bytes:
        """With its header."""
        return HEADER.pack(HEADER.size + len(self.data), self.version, self.type) + self.data


def read(payload: bytes) -> list[Block]:
    """The blocks, of whatever type. WireError for what are none."""
    cursor, found = Cursor(payload), list[Block]()
    while cursor.left:
        size, version, kind = cursor.struct(HEADER)
        if size < HEADER.size or len(found) == MOST_BLOCKS:
            raise WireError("auxiliary block", cursor.at - HEADER.size)
        found.append(Block(kind, version, cursor.take(size - HEADER.size)))
    return found


def write(blocks: list[Block]) -> bytes:
    """The opposite."""
    return b"".join([block.encode() for block in blocks])


_PROCESS = Struct("<HH16sHH")


def process_name(block: Block) -> str:
    """The client's program as AUX_PERF_PROCESSINFO has it ([MS-OXCRPC] 2.2.2.2.6), '' for other blocks. WireError."""
    if block.type != PERF_PROCESSINFO:
        return ""
    offset = Cursor(block.data).struct(_PROCESS)[3]  # counts from the block's header
    return Cursor(block.data, min(max(0, offset - HEADER.size), len(block.data))).string() if offset else ""


def client_control(flags: Enable, expiry_ms: int) -> Block:
    """[MS-OXCRPC] 2.2.2.2.15."""
    return Block(CLIENT_CONTROL, 1, _TWO.pack(flags, expiry_ms))


def exorginfo(*, public_folders: bool) -> Block:
    """[MS-OXCRPC] 2.2.2.2.17: PUBLIC_FOLDERS_ENABLED."""
    return Block(EXORGINFO, 1, _U32.pack(1 if public_folders else 0))


def endpoint_capabilities(*, single: bool) -> Block:
    """[MS-OXCRPC] 2.2.2.2.20: whether one endpoint has EMSMDB, NSPI and RFR."""
    return Block(ENDPOINT_CAPABILITIES, 1, _U32.pack(1 if single else 0))
