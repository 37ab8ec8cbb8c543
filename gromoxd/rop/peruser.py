"""ROPs on what users have read in public folders ([MS-OXCROPS] 2.2.3.10-2.2.3.13, [MS-OXCSTOR] 2.2.1.10-2.2.1.13)."""

from __future__ import annotations

from typing import Annotated, Any

from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import (
    U8,
    U16,
    U32,
    Data16,
    Field,
    Flag,
    Guid,
    LongTermId,
    Request,
    Response,
    listed,
    request,
    response,
)

_LONG_TERM_IDS = listed("H", Field(lambda cursor: cursor.take(24), bytes), 24)


@request(0x60)
class GetPerUserLongTermIds(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.10.1."""

    database_guid: Guid


@response(0x60)
class GetPerUserLongTermIdsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.10.2."""

    long_term_ids: Annotated[list[bytes], _LONG_TERM_IDS]


@request(0x61)
class GetPerUserGuid(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.11.1."""

    long_term_id: LongTermId


@response(0x61)
class GetPerUserGuidResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.11.2."""

    database_guid: Guid


@request(0x63)
class ReadPerUserInformation(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.12.1."""

    folder_id: LongTermId
    reserved: U8
    data_offset: U32
    max_data_size: U16


@response(0x63)
class ReadPerUserInformationResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.12.2."""

    has_finished: Flag
    data: Data16


@request(0x64, public=True)
class WritePerUserInformationPublic(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.13.1, on the logon of a public store."""

    folder_id: LongTermId
    has_finished: Flag
    data_offset: U32
    data: Data16


@request(0x64)
class WritePerUserInformation(Request, frozen=True):
    """[MS-OXCROPS] 2.2.3.13.1, on the logon of a mailbox. `repl_guid` comes with the first piece alone."""

    folder_id: LongTermId
    has_finished: Flag
    data_offset: U32
    data: Data16
    repl_guid: bytes = b""

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        found = super().read_body(cursor)
        return found | {"repl_guid": b"" if found["data_offset"] else cursor.guid()}

    def body(self) -> bytes:
        return super().body() + (b"" if self.data_offset else self.repl_guid.ljust(16, b"\0")[:16])


@response(0x64)
class WritePerUserInformationResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.3.13.2."""
