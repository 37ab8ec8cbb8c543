"""ROPs of mail that is sent ([MS-OXCROPS] 2.2.7; [MS-OXOMSG] 2.2.3, 2.2.5)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Any, Final

from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop.codec import (
    U8,
    U32,
    U64,
    Data16,
    Field,
    Flag,
    Octets,
    Request,
    Response,
    listed,
    request,
    response,
    structure,
)


class LockState(IntEnum):
    """[MS-OXOMSG] 2.2.5.3.1."""

    lstLocked = 0
    lstUnlock = 1
    lstFinished = 2


@request(0x32)
class SubmitMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.1.1."""

    submit_flags: U8


@response(0x32)
class SubmitMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.1.2."""


@request(0x34)
class AbortSubmit(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.2.1."""

    folder_id: U64
    message_id: U64


@response(0x34)
class AbortSubmitResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.2.2."""


@request(0x49)
class GetAddressTypes(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.3.1."""


_STRING8: Final = Field(Cursor.string8, lambda value: value + b"\0")


def _read_types(cursor: Cursor) -> list[bytes]:
    count = cursor.u16()
    region = cursor.region(cursor.u16())
    found = [region.string8() for _ in range(region.count(count, 1))]
    region.finish()
    return found


def _write_types(types: list[bytes]) -> bytes:
    octets = b"".join(map(_STRING8.write, types))
    return len(types).to_bytes(2, "little") + len(octets).to_bytes(2, "little") + octets


@response(0x49)
class GetAddressTypesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.3.2."""

    address_types: Annotated[list[bytes], Field(_read_types, _write_types)]


@request(0x47)
class SetSpooler(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.4.1."""


@response(0x47)
class SetSpoolerResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.4.2."""


@request(0x48)
class SpoolerLockMessage(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.5.1."""

    message_id: U64
    lock_state: U8


@response(0x48)
class SpoolerLockMessageResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.5.2."""


@request(0x4A)
class TransportSend(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.6.1."""


_VALUES: Final = listed("H", structure(TaggedPropertyValue), 4)


@response(0x4A)
class TransportSendResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.6.2. None: no properties are returned."""

    property_values: list[TaggedPropertyValue] | None

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        return {"property_values": None if cursor.u8() else _VALUES.read(cursor)}

    def body(self) -> bytes:
        return b"\1" if self.property_values is None else b"\0" + _VALUES.write(self.property_values)


@request(0x51)
class TransportNewMail(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.7.1."""

    message_id: U64
    folder_id: U64
    message_class: Octets
    message_flags: U32


@response(0x51)
class TransportNewMailResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.7.2."""


@request(0x6D)
class GetTransportFolder(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.8.1."""


@response(0x6D)
class GetTransportFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.8.2."""

    folder_id: U64


@request(0x6F)
class OptionsData(Request, frozen=True):
    """[MS-OXCROPS] 2.2.7.9.1."""

    address_type: Octets
    want_win32: Flag


@response(0x6F)
class OptionsDataResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.7.9.2. `help_file_name` is there when `help_file` is not empty."""

    reserved: U8
    options_info: Data16
    help_file: Data16
    help_file_name: bytes = b""

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found = super().read_body(cursor)
        return found | ({"help_file_name": cursor.string8()} if found["help_file"] else {})

    def body(self) -> bytes:
        return super().body() + (_STRING8.write(self.help_file_name) if self.help_file else b"")
