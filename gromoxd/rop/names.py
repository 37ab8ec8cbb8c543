"""ROPs on names of properties ([MS-OXCROPS] 2.2.8.1, 2.2.8.2, 2.2.8.10; [MS-OXCPRPT] 2.2.9, 2.2.12, 2.2.13)."""

from __future__ import annotations

from enum import IntFlag
from typing import Annotated, Any, Final

from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.named import PropertyName, encode_name, read_name
from gromoxd.rop.codec import U8, Failure, Field, Request, Response, listed, request, response

NAME: Final = Field(read_name, encode_name)
_NAMES: Final = listed("H", NAME, 17)
_IDS: Final = listed("H", Field(Cursor.u16, lambda value: value.to_bytes(2, "little")), 2)
Names = Annotated[list[PropertyName | None], _NAMES]
PropertyIds = Annotated[list[int], _IDS]
CREATE: Final = 0x02
"""Flags of RopGetPropertyIdsFromNames ([MS-OXCPRPT] 2.2.12.1)."""
ERRORS_RETURNED: Final = 0x00040380
"""ecWarnWithErrors: some names have no id; the ids follow all the same."""


class QueryFlags(IntFlag):
    """[MS-OXCPRPT] 2.2.9.1."""

    NoStrings = 0x01
    NoIds = 0x02


@request(0x55)
class GetNamesFromPropertyIds(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.2.1."""

    property_ids: PropertyIds


@response(0x55)
class GetNamesFromPropertyIdsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.2.2. None: there is no name."""

    property_names: Names


@request(0x56)
class GetPropertyIdsFromNames(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.1.1. Of no names: all are asked for."""

    flags: U8
    property_names: Names


@response(0x56, always=True)
class GetPropertyIdsFromNamesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.1.2. `code` 0 or ERRORS_RETURNED."""

    property_ids: PropertyIds

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        index, code = cursor.u8(), cursor.u32()
        if code not in (0, ERRORS_RETURNED):
            return Failure(index, code)
        return cls(index=index, code=code, **cls.read_body(cursor))


@request(0x5F)
class QueryNamedProperties(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.10.1. `property_guid`: of this set only."""

    query_flags: U8
    property_guid: bytes | None = None

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        return {"query_flags": cursor.u8(), "property_guid": cursor.guid() if cursor.u8() else None}

    def body(self) -> bytes:
        return bytes((self.query_flags,)) + (b"\0" if self.property_guid is None else b"\1" + self.property_guid)


@response(0x5F)
class QueryNamedPropertiesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.10.2. As many names as ids."""

    property_ids: PropertyIds
    property_names: list[PropertyName | None]

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        ids = _IDS.read(cursor)
        return {"property_ids": ids, "property_names": [read_name(cursor) for _ in ids]}

    def body(self) -> bytes:
        return _IDS.write(self.property_ids) + b"".join(map(encode_name, self.property_names))
