"""ROPs on a store as a whole ([MS-OXCROPS] 2.2.3, [MS-OXCSTOR] 2.2.1); per-user information is in `peruser`."""

from __future__ import annotations

from enum import IntFlag
from struct import Struct
from typing import Annotated, Final, NamedTuple

from gromoxd.errors import Ec
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import (
    U8,
    U16,
    U32,
    U64,
    Failure,
    Field,
    Guid,
    LongTermId,
    Octets,
    Request,
    Response,
    listed,
    request,
    response,
    sized,
)


class LogonFlags(IntFlag):
    """[MS-OXCSTOR] 2.2.1.1.1."""

    Private = 0x01
    Undercover = 0x02
    Ghosted = 0x04
    SpoolerProcess = 0x08


ECHOED: Final = LogonFlags.Private | LogonFlags.Undercover | LogonFlags.Ghosted
"""The flags that a response repeats."""


class OpenFlags(IntFlag):
    """[MS-OXCSTOR] 2.2.1.1.1."""

    USE_ADMIN_PRIVILEGE = 0x00000001
    PUBLIC = 0x00000002
    HOME_LOGON = 0x00000004
    TAKE_OWNERSHIP = 0x00000008
    ALTERNATE_SERVER = 0x00000100
    IGNORE_HOME_MDB = 0x00000200
    NO_MAIL = 0x00000400
    USE_PER_MDB_REPLID_MAPPING = 0x01000000
    SUPPORT_PROGRESS = 0x20000000


class ResponseFlags(IntFlag):
    """[MS-OXCSTOR] 2.2.1.1.3."""

    Reserved = 0x01
    OwnerRight = 0x02
    SendAsRight = 0x04
    OOF = 0x10


_TIME = Struct("<6BH")


class LogonTime(NamedTuple):
    """[MS-OXCROPS] 2.2.3.1.2.1, in UTC. `day_of_week`: 0 is Sunday."""

    seconds: int
    minutes: int
    hour: int
    day_of_week: int
    day: int
    month: int
    year: int

    @classmethod
    def read(cls, cursor: Cursor) -> LogonTime:
        return cls(*cursor.struct(_TIME))

    def encode(self) -> bytes:
        return _TIME.pack(*self)


def _dn(octets: bytes) -> bytes:
    """A DN without its end; also where a client forgot that."""
    return octets.partition(b"\0")[0]


_DATA16, _DATA8 = sized("H"), sized("B")
_STRING8: Final = Field(Cursor.string8, lambda value: value.partition(b"\0")[0] + b"\0")
Dn = Annotated[
    bytes, Field(lambda cursor: _dn(_DATA16.read(cursor)), lambda value: _DATA16.write(value and value + b"\0"))
]
ServerName = Annotated[
    bytes, Field(lambda cursor: _dn(_DATA8.read(cursor)), lambda value: _DATA8.write(_dn(value) + b"\0"))
]
_THIRTEEN: Final = Struct("<13Q")
FolderIds = Annotated[
    list[int], Field(lambda cursor: list(cursor.struct(_THIRTEEN)), lambda value: _THIRTEEN.pack(*value))
]
Time = Annotated[LogonTime, Field(LogonTime.read, LogonTime.encode)]


@request(0xFE)
class Logon(Request, frozen=True):
    """RopLogon ([MS-OXCROPS] 2.2.3.1.1). Its only handle index is that of the output."""

    logon_flags: U8
    open_flags: U32
    store_state: U32
    essdn: Dn


@response(0xFE)
class LogonResponse(Response, frozen=True):
    """Of a private mailbox ([MS-OXCROPS] 2.2.3.1.2). `read` finds out which of the three forms it is."""

    logon_flags: U8
    folder_ids: FolderIds
    response_flags: U8
    mailbox_guid: Guid
    repl_id: U16
    repl_guid: Guid
    logon_time: Time
    gwart_time: U64
    store_state: U32

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        index, code = cursor.u8(), cursor.u32()
        if code == Ec.ecWrongServer and cursor.left:
            return LogonRedirect(index=index, code=code, **LogonRedirect.read_body(cursor))
        if code:
            return Failure(index, code)
        private = cursor.left and cursor.data[cursor.at] & LogonFlags.Private
        form: type[Response] = LogonResponse if private else LogonPublicResponse
        return form(index=index, code=code, **form.read_body(cursor))


@response(0xFE, second=True)
class LogonPublicResponse(Response, frozen=True):
    """Of a public store ([MS-OXCROPS] 2.2.3.1.3)."""

    logon_flags: U8
    folder_ids: FolderIds
    repl_id: U16
    repl_guid: Guid
    per_user_guid: Guid


@response(0xFE, always=True, second=True)
class LogonRedirect(Response, frozen=True):
    """ecWrongServer: another server is to be asked ([MS-OXCROPS] 2.2.3.1.4)."""

    logon_flags: U8
    server_name: ServerName


@request(0x27)
class GetReceiveFolder(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.2.1."""

    message_class: Octets


@response(0x27)
class GetReceiveFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.2.2."""

    folder_id: U64
    explicit_message_class: Octets


@request(0x26)
class SetReceiveFolder(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.3.1."""

    folder_id: U64
    message_class: Octets


@response(0x26)
class SetReceiveFolderResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.3.2."""


_ROW: Final = Struct("<BQ")
_MODIFIED: Final = Struct("<Q")


class ReceiveRow(NamedTuple):
    """A StandardPropertyRow of PidTagFolderId, PidTagMessageClass and PidTagLastModificationTime."""

    folder_id: int
    message_class: bytes
    modified_nt: int

    @classmethod
    def read(cls, cursor: Cursor) -> ReceiveRow:
        flag, folder_id = cursor.struct(_ROW)
        if flag:
            raise cursor.fail("a receive folder's row with errors")
        return cls(folder_id, cursor.string8(), cursor.u64())

    def encode(self) -> bytes:
        return _ROW.pack(0, self.folder_id) + self.message_class + b"\0" + _MODIFIED.pack(self.modified_nt)


@request(0x68)
class GetReceiveFolderTable(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.4.1."""


@response(0x68)
class GetReceiveFolderTableResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.4.2."""

    rows: Annotated[list[ReceiveRow], listed("I", Field(ReceiveRow.read, ReceiveRow.encode), 18)]


@request(0x7B)
class GetStoreState(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.5.1."""


@response(0x7B)
class GetStoreStateResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.5.2. `store_state` 0x01000000: the store has search folders."""

    store_state: U32


class Servers(NamedTuple):
    """The servers of a public folder, the first `cheap` of which cost nothing to reach."""

    cheap: int
    names: list[bytes]

    @classmethod
    def read(cls, cursor: Cursor) -> Servers:
        number, cheap = cursor.u16(), cursor.u16()
        return cls(cheap, [cursor.string8() for _ in range(cursor.count(number, 1))])

    def encode(self) -> bytes:
        return _PAIR.pack(len(self.names), self.cheap) + b"".join(map(_STRING8.write, self.names))


_PAIR: Final = Struct("<HH")
ServerList = Annotated[Servers, Field(Servers.read, Servers.encode)]


def read_ghost(cursor: Cursor) -> Servers | None:
    """IsGhosted, and what follows when it is."""
    return Servers.read(cursor) if cursor.u8() else None


def write_ghost(value: Servers | None) -> bytes:
    return b"\0" if value is None else b"\1" + value.encode()


Ghost = Annotated[Servers | None, Field(read_ghost, write_ghost)]
"""None: not ghosted, the folder is here."""


@request(0x42)
class GetOwningServers(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.6.1."""

    folder_id: U64


@response(0x42)
class GetOwningServersResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.6.2."""

    servers: ServerList


@request(0x45)
class PublicFolderIsGhosted(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.7.1."""

    folder_id: U64


@response(0x45)
class PublicFolderIsGhostedResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.7.2."""

    ghost: Ghost


@request(0x43)
class LongTermIdFromId(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.8.1."""

    object_id: U64


@response(0x43)
class LongTermIdFromIdResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.8.2."""

    long_term_id: LongTermId


@request(0x44)
class IdFromLongTermId(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.9.1."""

    long_term_id: LongTermId


@response(0x44)
class IdFromLongTermIdResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.9.2."""

    object_id: U64
