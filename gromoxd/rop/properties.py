"""ROPs on properties ([MS-OXCROPS] 2.2.8, [MS-OXCPRPT] 2.2.2-2.2.11); those on named properties are elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Annotated, Any, ClassVar, Final

from gromoxd.errors import Ec, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.rows import Cell, decode_row
from gromoxd.mapi.values import PropertyProblem, TaggedPropertyValue
from gromoxd.rop.codec import (
    U8,
    U16,
    U32,
    Flag,
    Request,
    Response,
    Rest,
    Tags,
    listed,
    request,
    response,
    sized,
    structure,
)

_OCTETS: Final = sized("H")
_U32: Final = Struct("<I")
_VALUES: Final = listed("H", structure(TaggedPropertyValue), 4)
Problems = Annotated[list[PropertyProblem], listed("H", structure(PropertyProblem), 10)]


class _Set(Request, frozen=True):
    """`unread`: what PropertyValueSize counts, when it is no list of values; nothing else of the buffer suffers."""

    values: list[TaggedPropertyValue]
    unread: bytes = b""

    @classmethod
    def read_body(cls, cursor: Cursor) -> dict[str, Any]:
        octets = _OCTETS.read(cursor)
        inner = Cursor(octets)
        try:
            found = _VALUES.read(inner)
            inner.finish()
        except WireError:
            return {"values": [], "unread": octets}
        return {"values": found}

    def body(self) -> bytes:
        return _OCTETS.write(self.unread or _VALUES.write(self.values))


class _Problems(Response, frozen=True):
    problems: Problems


class _Copy(Request, frozen=True):
    """`index`: SourceHandleIndex."""

    destination: U8

    def failure(self, code: int) -> bytes:
        head = super().failure(code)
        return head + _U32.pack(self.destination) if code == Ec.ecDstNullObject else head


class _Copied(_Problems, frozen=True):
    null: ClassVar[type[Response]]
    """The form of the response with ecDstNullObject."""

    @classmethod
    def read(cls, cursor: Cursor) -> Response:
        start = cursor.at
        index, code = cursor.u8(), cursor.u32()
        if code == Ec.ecDstNullObject:
            return cls.null(index=index, code=code, **cls.null.read_body(cursor))
        cursor.at = start
        return super().read(cursor)


@request(0x07)
class GetPropertiesSpecific(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.3.1."""

    property_size_limit: U16
    want_unicode: U16
    tags: Tags


@response(0x07)
class GetPropertiesSpecificResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.3.2. `row`: a PropertyRow of the request's tags."""

    row: Rest

    def values(self, tags: Sequence[int]) -> list[Cell]:
        """What it says of these tags, when nothing else was in the buffer. WireError."""
        return decode_row(self.row, tags)


@request(0x08)
class GetPropertiesAll(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.4.1."""

    property_size_limit: U16
    want_unicode: U16


@response(0x08)
class GetPropertiesAllResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.4.2."""

    values: Annotated[list[TaggedPropertyValue], _VALUES]


@request(0x09)
class GetPropertiesList(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.5.1."""


@response(0x09)
class GetPropertiesListResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.5.2."""

    tags: Tags


@request(0x0A)
class SetProperties(_Set, frozen=True):
    """[MS-OXCROPS] 2.2.8.6.1."""


@response(0x0A)
class SetPropertiesResponse(_Problems, frozen=True):
    """[MS-OXCROPS] 2.2.8.6.2."""


@request(0x79)
class SetPropertiesNoReplicate(_Set, frozen=True):
    """[MS-OXCROPS] 2.2.8.7.1."""


@response(0x79)
class SetPropertiesNoReplicateResponse(_Problems, frozen=True):
    """[MS-OXCROPS] 2.2.8.7.2."""


@request(0x0B)
class DeleteProperties(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.8.1."""

    tags: Tags


@response(0x0B)
class DeletePropertiesResponse(_Problems, frozen=True):
    """[MS-OXCROPS] 2.2.8.8.2."""


@request(0x7A)
class DeletePropertiesNoReplicate(Request, frozen=True):
    """[MS-OXCROPS] 2.2.8.9.1."""

    tags: Tags


@response(0x7A)
class DeletePropertiesNoReplicateResponse(_Problems, frozen=True):
    """[MS-OXCROPS] 2.2.8.9.2."""


@request(0x67)
class CopyProperties(_Copy, frozen=True):
    """[MS-OXCROPS] 2.2.8.11.1."""

    want_asynchronous: Flag
    copy_flags: U8
    tags: Tags


@response(0x67)
class CopyPropertiesResponse(_Copied, frozen=True):
    """[MS-OXCROPS] 2.2.8.11.2."""


@response(0x67, always=True, second=True)
class CopyPropertiesNullDestination(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.11.3: ecDstNullObject."""

    destination: U32


CopyPropertiesResponse.null = CopyPropertiesNullDestination


@request(0x39)
class CopyTo(_Copy, frozen=True):
    """[MS-OXCROPS] 2.2.8.12.1."""

    want_asynchronous: Flag
    want_sub_objects: Flag
    copy_flags: U8
    excluded: Tags


@response(0x39)
class CopyToResponse(_Copied, frozen=True):
    """[MS-OXCROPS] 2.2.8.12.2."""


@response(0x39, always=True, second=True)
class CopyToNullDestination(Response, frozen=True):
    """[MS-OXCROPS] 2.2.8.12.3: ecDstNullObject."""

    destination: U32


CopyToResponse.null = CopyToNullDestination
