"""Bodies of the address book endpoint's requests and answers ([MS-OXCMAPIHTTP] 2.2.5), both directions.

A class's fields are those of the document in its order, without the ones that say whether another is there: such a
field is None when it is not. Auxiliary buffers stay octets. Answers begin with StatusCode and ErrorCode; when
StatusCode is not 0 nothing but an auxiliary buffer follows.
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError
from typing import Annotated, Any, ClassVar, Final, NamedTuple, TypeVar, get_args, get_type_hints

import msgspec

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.restrictions import Restriction
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.nspi.filters import read_filter, write_filter
from gromoxd.nspi.stat import Stat
from gromoxd.nspi.values import PropertyValueList, Rows, read_tagged, read_tags, write_tagged, write_tags
from gromoxd.rop.codec import I32, U8, U32, Data32, Field, Guid, Octets, Text, listed, sized, structure

T = TypeVar("T", bound="Body")
MOST_NAMES: Final = 10_000


def _of(hint: Any) -> Field:
    found: Field = next(one for one in get_args(hint) if isinstance(one, Field))
    return found


def optional(field: Field) -> Field:
    """A value after the octet that says that it is there."""

    def read(cursor: Cursor) -> Any:
        return field.read(cursor) if cursor.u8() else None

    return Field(read, lambda value: b"\0" if value is None else b"\xff" + field.write(value))


def bounded(field: Field, most: int) -> Field:
    """A list of at most so many values, counted with 32 bits."""
    whole = listed("I", field)

    def read(cursor: Cursor) -> Any:
        if int.from_bytes(cursor.data[cursor.at : cursor.at + 4], "little") > most:
            raise cursor.fail(f"more than {most} values")
        return whole.read(cursor)

    return Field(read, whole.write)


class PropertyName(NamedTuple):
    """PropertyNameGuid and PropertyNameId of GetMatches."""

    guid: bytes
    id: int

    @classmethod
    def read(cls, cursor: Cursor) -> PropertyName:
        return cls(cursor.guid(), cursor.u32())

    def encode(self) -> bytes:
        return self.guid + self.id.to_bytes(4, "little")


_TAGS: Final = Field(read_tags, write_tags)
_ROWS: Final = structure(Rows)
_STAT: Final = structure(Stat)
OptStat = Annotated[Stat | None, optional(_STAT)]
OptTags = Annotated[tuple[int, ...] | None, optional(_TAGS)]
"""Property tags or Minimal Entry IDs: both are numbers of 32 bits after their count."""
Tags = Annotated[tuple[int, ...], _TAGS]
OptRows = Annotated[Rows | None, optional(_ROWS)]
OptValues = Annotated[PropertyValueList | None, optional(structure(PropertyValueList))]
OptTagged = Annotated[TaggedPropertyValue | None, optional(Field(read_tagged, write_tagged))]
OptFilter = Annotated[Restriction | None, optional(Field(read_filter, write_filter))]
OptName = Annotated[PropertyName | None, optional(structure(PropertyName))]
OptNames = Annotated[list[str] | None, optional(bounded(_of(Text), MOST_NAMES))]
OptDns = Annotated[list[bytes] | None, optional(bounded(_of(Octets), MOST_NAMES))]
OptDn = Annotated[bytes | None, optional(_of(Octets))]
OptIds = Annotated[list[bytes] | None, optional(bounded(sized("I"), MOST_NAMES))]
OptU32 = Annotated[int | None, optional(_of(U32))]
OptI32 = Annotated[int | None, optional(_of(I32))]
OptTable = Annotated[list[PropertyValueList] | None, optional(bounded(structure(PropertyValueList), MOST_NAMES))]

REQUESTS: Final[dict[str, type[Request]]] = {}
RESPONSES: Final[dict[str, type[Response]]] = {}
"""By X-RequestType in lower case."""
_U32 = Struct("<I")


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """A body. `aux`: AuxiliaryBuffer."""

    _plan: ClassVar[list[tuple[str, Field]]] = []

    @classmethod
    def _values(cls, cursor: Cursor) -> dict[str, Any]:
        return {name: field.read(cursor) for name, field in cls._plan}

    def _octets(self) -> bytes:
        try:
            return b"".join([field.write(getattr(self, name)) for name, field in self._plan])
        except (StructError, TypeError, OverflowError) as error:
            raise WireError(f"{type(self).__name__}: {error}") from None


class Request(Body, frozen=True, kw_only=True):
    """A request body."""

    aux: Data32 = b""

    @classmethod
    def decode(cls: type[T], data: bytes) -> T:
        """The request that `data` is, all of it. WireError."""
        cursor = Cursor(data)
        values = cls._values(cursor)
        aux = cursor.take(cursor.u32()) if cursor.left else b""
        cursor.finish()
        return cls(**values, aux=aux)

    def encode(self) -> bytes:
        return self._octets() + _U32.pack(len(self.aux)) + self.aux


class Response(Body, frozen=True, kw_only=True):
    """A response body. `status`: StatusCode, `code`: ErrorCode."""

    status: U32 = 0
    code: U32 = 0
    aux: Data32 = b""

    @classmethod
    def decode(cls: type[T], data: bytes) -> T:
        """The response that `data` is, all of it; with a StatusCode its own fields are None or as declared."""
        cursor = Cursor(data)
        status = cursor.u32()
        found: dict[str, Any] = {"status": status}
        if not status:
            found["code"] = cursor.u32()
            found |= cls._values(cursor)
        found["aux"] = cursor.take(cursor.u32())
        cursor.finish()
        return cls(**found)

    def encode(self) -> bytes:
        tail = _U32.pack(len(self.aux)) + self.aux
        if self.status:
            return _U32.pack(self.status) + tail
        return _U32.pack(0) + _U32.pack(self.code) + self._octets() + tail


def _declare(cls: type[Body], common: tuple[str, ...]) -> None:
    hints = get_type_hints(cls, include_extras=True)
    cls._plan = [(name, _of(hints[name])) for name in cls.__struct_fields__ if name not in common]


def _request(name: str) -> Any:
    def declare(cls: type[Request]) -> type[Request]:
        _declare(cls, ("aux",))
        REQUESTS[name] = cls
        return cls

    return declare


def _response(name: str) -> Any:
    def declare(cls: type[Response]) -> type[Response]:
        _declare(cls, ("status", "code", "aux"))
        RESPONSES[name] = cls
        return cls

    return declare


def decode_request(name: str, data: bytes) -> Request:
    """A request body by its request type; KeyError for one that is unknown."""
    return REQUESTS[name.lower()].decode(data)


def decode_response(name: str, data: bytes) -> Response:
    """A response body by its request type; KeyError for one that is unknown."""
    return RESPONSES[name.lower()].decode(data)


@_request("bind")
class BindRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.1.1."""

    flags: U32 = 0
    state: OptStat = None


@_response("bind")
class BindResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.1.2."""

    server_guid: Guid = bytes(16)


@_request("unbind")
class UnbindRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.2.1."""

    reserved: U32 = 0


@_response("unbind")
class UnbindResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.2.2."""


@_request("comparemids")
class CompareMinIdsRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.3.1."""

    reserved: U32 = 0
    state: OptStat = None
    minimal_id1: U32 = 0
    minimal_id2: U32 = 0


@_response("comparemids")
class CompareMinIdsResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.3.2."""

    result: I32 = 0


@_request("dntomid")
class DnToMinIdRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.4.1."""

    reserved: U32 = 0
    names: OptDns = None


@_response("dntomid")
class DnToMinIdResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.4.2."""

    minimal_ids: OptTags = None


@_request("getmatches")
class GetMatchesRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.5.1."""

    reserved: U32 = 0
    state: OptStat = None
    minimal_ids: OptTags = None
    interface_option_flags: U32 = 0
    filter: OptFilter = None
    property_name: OptName = None
    row_count: U32 = 0
    columns: OptTags = None


@_response("getmatches")
class GetMatchesResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.5.2."""

    state: OptStat = None
    minimal_ids: OptTags = None
    rows: OptRows = None


@_request("getproplist")
class GetPropListRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.6.1."""

    flags: U32 = 0
    minimal_id: U32 = 0
    code_page: U32 = 0


@_response("getproplist")
class GetPropListResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.6.2."""

    property_tags: OptTags = None


@_request("getprops")
class GetPropsRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.7.1."""

    flags: U32 = 0
    state: OptStat = None
    property_tags: OptTags = None


@_response("getprops")
class GetPropsResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.7.2."""

    code_page: U32 = 0
    property_values: OptValues = None


@_request("getspecialtable")
class GetSpecialTableRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.8.1."""

    flags: U32 = 0
    state: OptStat = None
    version: OptU32 = None


@_response("getspecialtable")
class GetSpecialTableResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.8.2."""

    code_page: U32 = 0
    version: OptU32 = None
    rows: OptTable = None


@_request("gettemplateinfo")
class GetTemplateInfoRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.9.1."""

    flags: U32 = 0
    display_type: U32 = 0
    template_dn: OptDn = None
    code_page: U32 = 0
    locale_id: U32 = 0


@_response("gettemplateinfo")
class GetTemplateInfoResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.9.2."""

    code_page: U32 = 0
    row: OptValues = None


@_request("modlinkatt")
class ModLinkAttRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.10.1."""

    flags: U32 = 0
    property_tag: U32 = 0
    minimal_id: U32 = 0
    entry_ids: OptIds = None


@_response("modlinkatt")
class ModLinkAttResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.10.2."""


@_request("modprops")
class ModPropsRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.11.1."""

    reserved: U32 = 0
    state: OptStat = None
    property_tags_to_remove: OptTags = None
    property_values: OptValues = None


@_response("modprops")
class ModPropsResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.11.2."""


@_request("queryrows")
class QueryRowsRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.12.1."""

    flags: U32 = 0
    state: OptStat = None
    explicit_table: Tags = ()
    row_count: U32 = 0
    columns: OptTags = None


@_response("queryrows")
class QueryRowsResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.12.2."""

    state: OptStat = None
    rows: OptRows = None


@_request("querycolumns")
class QueryColumnsRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.13.1."""

    reserved: U32 = 0
    map_flags: U32 = 0


@_response("querycolumns")
class QueryColumnsResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.13.2."""

    columns: OptTags = None


@_request("resolvenames")
class ResolveNamesRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.14.1."""

    reserved: U32 = 0
    state: OptStat = None
    property_tags: OptTags = None
    names: OptNames = None


@_response("resolvenames")
class ResolveNamesResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.14.2."""

    code_page: U32 = 0
    minimal_ids: OptTags = None
    rows: OptRows = None


@_request("resortrestriction")
class ResortRestrictionRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.15.1."""

    reserved: U32 = 0
    state: OptStat = None
    minimal_ids: OptTags = None


@_response("resortrestriction")
class ResortRestrictionResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.15.2."""

    state: OptStat = None
    minimal_ids: OptTags = None


@_request("seekentries")
class SeekEntriesRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.16.1."""

    reserved: U32 = 0
    state: OptStat = None
    target: OptTagged = None
    explicit_table: OptTags = None
    columns: OptTags = None


@_response("seekentries")
class SeekEntriesResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.16.2."""

    state: OptStat = None
    rows: OptRows = None


@_request("updatestat")
class UpdateStatRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.17.1."""

    reserved: U32 = 0
    state: OptStat = None
    delta_requested: U8 = 0


@_response("updatestat")
class UpdateStatResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.17.2."""

    state: OptStat = None
    delta: OptI32 = None


@_request("getmailboxurl")
class GetMailboxUrlRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.18.1."""

    flags: U32 = 0
    server_dn: Text = ""


@_response("getmailboxurl")
class GetMailboxUrlResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.18.2."""

    server_url: Text = ""


@_request("getaddressbookurl")
class GetAddressBookUrlRequest(Request, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.19.1."""

    flags: U32 = 0
    user_dn: Text = ""


@_response("getaddressbookurl")
class GetAddressBookUrlResponse(Response, frozen=True, kw_only=True):
    """[MS-OXCMAPIHTTP] 2.2.5.19.2."""

    server_url: Text = ""


for _other, _name in (("comparemids", "compareminids"), ("dntomid", "dntominid"), ("querycolumns", "querycolumn")):
    REQUESTS[_name], RESPONSES[_name] = REQUESTS[_other], RESPONSES[_other]
