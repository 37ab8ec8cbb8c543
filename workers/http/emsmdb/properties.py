"""What ROPs on properties do ([MS-OXCPRPT] 3.2.5.1-3.2.5.8): get, list, set, delete, copy. Streams are elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gromoxd.convert.derived import BODIES
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb.working import copy_properties, copy_to
from gromoxd.exmdb.working.values import STREAMED, STRING8, TEXT, Problem, size_of, whole
from gromoxd.mapi import codepages
from gromoxd.mapi.rows import NO_MEMORY, Cell, encode_row, row_codec
from gromoxd.mapi.types import MULTIPLE, PropType, prop_type
from gromoxd.mapi.values import (
    LONGEST_NARROW,
    PropError,
    PropertyProblem,
    TaggedPropertyValue,
    TypedPropertyValue,
    writer_of,
)
from gromoxd.rop import properties as w
from gromoxd.rop.codec import Response
from workers.http.emsmdb import foldercontents
from workers.http.emsmdb.dispatch import NO_HANDLE, Call, handles
from workers.http.emsmdb.holders import (
    code_page_of,
    delete_props,
    everything,
    holder_of,
    look,
    set_props,
    tags_of,
)
from workers.http.emsmdb.objects import Folder, Message, ServerObject
from workers.http.emsmdb.progress import Steps, run

HEAD: Final = 8
"""Octets of a response before its values."""
SHORT: Final = 64
"""Values of so few octets are not left out of rows that have no room."""
_ERROR: Final = int(PropType.PtypErrorCode)
_ERROR_SIZE: Final = 5


class _Cells:
    """How values of one object become cells of a row: no value of more than `limit` octets."""

    def __init__(self, code_page: int, limit: int, unicode: bool) -> None:
        self.code_page, self.limit, self.unicode = code_page, limit, unicode

    def cell(self, tag: int, kept: int, value: Any) -> Cell:
        """A property that is kept under `kept` in a column of `tag`."""
        kind = tag & 0xFFFF
        if value is None:
            return None
        if kind == PropType.PtypUnspecified:
            kind = self._kind(kept & 0xFFFF)
            content = self._value(kind, kept, value)
            if isinstance(content, PropError):
                return TypedPropertyValue(_ERROR, content.code)
            return TypedPropertyValue(kind, content)
        found: Cell = self._value(kind, kept, value)
        return found

    def tagged(self, kept: int, value: Any) -> TaggedPropertyValue:
        """The same with its tag, for RopGetPropertiesAll."""
        kind = self._kind(kept & 0xFFFF)
        content = self._value(kind, kept, value)
        if isinstance(content, PropError) or writer_of(kind) is None:
            code = content.code if isinstance(content, PropError) else int(Ec.ecNotSupported)
            return TaggedPropertyValue(kept & 0xFFFF0000 | _ERROR, code)
        found = TaggedPropertyValue(kept & 0xFFFF0000 | kind, content)
        try:
            found.encode()
        except WireError:
            return TaggedPropertyValue(kept & 0xFFFF0000 | _ERROR, int(Ec.ecError))
        return found

    def _kind(self, kind: int) -> int:
        """Strings whose type is not said."""
        return kind - 1 if not self.unicode and kind & ~MULTIPLE == TEXT else kind

    def _value(self, kind: int, kept: int, value: Any) -> Any:
        single = kind & ~MULTIPLE
        if single == PropType.PtypObject:
            return NO_MEMORY
        if single in STREAMED:
            most = min(self.limit, LONGEST_NARROW) if single == PropType.PtypBinary else self.limit
            size = size_of(value)
            if size > (2 * most if single == STRING8 else most):
                return NO_MEMORY
            value = whole(kept, value)
            if single == STRING8:
                value = _encoded(value, self.code_page)
                if size_of(value) > most:
                    return NO_MEMORY
        return value


def _encoded(value: Any, code_page: int) -> Any:
    if isinstance(value, str):
        return codepages.encode(value, code_page)
    return [_encoded(one, code_page) for one in value] if isinstance(value, list) else value


def _decoded(value: Any, code_page: int) -> Any:
    if isinstance(value, bytes):
        return codepages.decode(value, code_page)
    return [_decoded(one, code_page) for one in value] if isinstance(value, list) else value


def _limit(call: Call, asked: int) -> int:
    room = max(call.room - HEAD, 0)
    return min(asked, room) if asked else room


# ---------------------------------------------------------------------------------------------- reading


@handles(w.GetPropertiesSpecific)
def get_properties_specific(call: Call, request: w.GetPropertiesSpecific) -> w.GetPropertiesSpecificResponse:
    """[MS-OXCPRPT] 3.2.5.1. Values for which there is no room are ecNotEnoughMemory: they are opened as streams."""
    opened = call.object(ServerObject)
    tags = request.tags
    value, kept_as = look(call, opened, tags)
    limit = _limit(call, request.property_size_limit)
    cells = _Cells(code_page_of(call, opened), limit, bool(request.want_unicode))
    values = [cells.cell(tag, kept_as(tag), value(tag)) for tag in tags]
    return w.GetPropertiesSpecificResponse(request.index, 0, _row(tuple(tags), values, call.room - HEAD))


def _row(tags: tuple[int, ...], values: list[Cell], room: int) -> bytes:
    codec = row_codec(tags)
    try:
        octets = codec.encode(values)
    except WireError:
        values = [_writable(tag, value) for tag, value in zip(tags, values, strict=True)]
        octets = codec.encode(values)
    if len(octets) <= room:
        return octets
    longest = sorted(range(len(tags)), key=lambda at: -_long(values[at]))
    excess = len(octets) + len(tags) - room  # each cell has a flag now
    for at in longest:
        size = _long(values[at])
        if excess <= 0 or size <= SHORT:
            break
        values[at] = TypedPropertyValue(_ERROR, NO_MEMORY.code) if not tags[at] & 0xFFFF else NO_MEMORY
        excess -= size - _ERROR_SIZE
    return codec.encode(values)


def _writable(tag: int, cell: Cell) -> Cell:
    """A value that cannot travel, being out of its type's range, is an error of its own."""
    try:
        encode_row((tag,), (cell,))
    except WireError:
        return TypedPropertyValue(_ERROR, Ec.ecError) if not tag & 0xFFFF else PropError(Ec.ecError)
    return cell


def _long(cell: Cell) -> int:
    """Octets of a value that may be left out."""
    value = cell.value if isinstance(cell, TypedPropertyValue) else cell
    return size_of(value) if isinstance(value, str | bytes | list) else 0


@handles(w.GetPropertiesAll)
def get_properties_all(call: Call, request: w.GetPropertiesAll) -> w.GetPropertiesAllResponse:
    """[MS-OXCPRPT] 3.2.5.2. Forms of the body that would have to be made are left to be opened as streams."""
    opened = call.object(ServerObject)
    values = everything(call, opened)
    limit = _limit(call, request.property_size_limit)
    cells = _Cells(code_page_of(call, opened), limit, bool(request.want_unicode))
    found = [cells.tagged(tag, value) for tag, value in values.items()]
    if isinstance(opened, Message) and not BODIES.isdisjoint(values):
        found += [_left_out(tag) for tag in sorted(BODIES - values.keys())]
    return w.GetPropertiesAllResponse(request.index, 0, _fitting(found, call.room - HEAD))


def _left_out(tag: int) -> TaggedPropertyValue:
    return TaggedPropertyValue(tag & 0xFFFF0000 | _ERROR, NO_MEMORY.code)


def _fitting(found: list[TaggedPropertyValue], room: int) -> list[TaggedPropertyValue]:
    excess = sum(len(one.encode()) for one in found) - room
    for at in sorted(range(len(found)), key=lambda at: -_long(found[at].value)):
        size = _long(found[at].value)
        if excess <= 0 or size <= SHORT:
            break
        found[at] = _left_out(found[at].tag)
        excess -= size - _ERROR_SIZE
    return found


@handles(w.GetPropertiesList)
def get_properties_list(call: Call, request: w.GetPropertiesList) -> w.GetPropertiesListResponse:
    """[MS-OXCPRPT] 3.2.5.3."""
    return w.GetPropertiesListResponse(request.index, 0, tags_of(call, call.object(ServerObject)))


# ---------------------------------------------------------------------------------------------- changing


@handles(w.SetProperties)
def set_properties(call: Call, request: w.SetProperties) -> w.SetPropertiesResponse:
    """[MS-OXCPRPT] 3.2.5.4."""
    return w.SetPropertiesResponse(request.index, 0, _set(call, request))


@handles(w.SetPropertiesNoReplicate)
def set_properties_no_replicate(call: Call, request: w.SetPropertiesNoReplicate) -> w.SetPropertiesNoReplicateResponse:
    """[MS-OXCPRPT] 3.2.5.5: there are no replicas to which a folder's properties would go."""
    return w.SetPropertiesNoReplicateResponse(request.index, 0, _set(call, request))


def _set(call: Call, request: w.SetProperties | w.SetPropertiesNoReplicate) -> list[PropertyProblem]:
    if request.unread:
        raise MapiError(Ec.ecInvalidParam, "property values")
    opened = call.object(ServerObject)
    code_page = code_page_of(call, opened)
    props: dict[int, Any] = {}
    asked: dict[int, int] = {}
    for one in request.values:
        tag, value = one
        if prop_type(tag) & ~MULTIPLE == STRING8:
            tag, value = tag | 1, _decoded(value, code_page)
        props[tag], asked[tag] = value, one.tag
    problems = set_props(call, opened, props)
    positions = {one.tag: at for at, one in enumerate(request.values)}
    return _problems([(asked.get(tag, tag), code) for tag, code in problems], positions)


def _problems(problems: Sequence[Problem], positions: dict[int, int]) -> list[PropertyProblem]:
    return [PropertyProblem(positions.get(tag, 0), tag, int(code)) for tag, code in problems]


@handles(w.DeleteProperties)
def delete_properties(call: Call, request: w.DeleteProperties) -> w.DeletePropertiesResponse:
    """[MS-OXCPRPT] 3.2.5.6."""
    return w.DeletePropertiesResponse(request.index, 0, _delete(call, request.tags))


@handles(w.DeletePropertiesNoReplicate)
def delete_properties_no_replicate(
    call: Call, request: w.DeletePropertiesNoReplicate
) -> w.DeletePropertiesNoReplicateResponse:
    """[MS-OXCPRPT] 3.2.5.7."""
    return w.DeletePropertiesNoReplicateResponse(request.index, 0, _delete(call, request.tags))


def _delete(call: Call, tags: Sequence[int]) -> list[PropertyProblem]:
    problems = delete_props(call, call.object(ServerObject), list(dict.fromkeys(tags)))
    ids = {tag >> 16: (at, tag) for at, tag in reversed(list(enumerate(tags)))}
    return [PropertyProblem(*ids.get(tag >> 16, (0, tag)), int(code)) for tag, code in problems]


# ---------------------------------------------------------------------------------------------- copying


@handles(w.CopyTo)
def copy_to_object(call: Call, request: w.CopyTo) -> Response:
    """[MS-OXCPRPT] 3.2.5.8. Properties are copied at once, however asked for; what is in a folder, in slices."""
    source, there = call.object(ServerObject), other_object(call, request.destination)
    _check_cycle(source, there)
    told: list[PropertyProblem] = []
    steps: Steps | None = None
    if isinstance(source, Folder) and isinstance(there, Folder):
        steps = foldercontents.copy(call.session, source, there, request.excluded, told)
    problems = _copy(
        call,
        request.destination,
        lambda source, destination: copy_to(
            source, destination, exclude=request.excluded, sub_objects=request.want_sub_objects,
            flags=request.copy_flags,
        ),
    )  # fmt: skip
    told += _problems(problems, {})
    if steps is None or not request.want_sub_objects:
        return w.CopyToResponse(request.index, 0, told)
    return run(
        call, source, lambda index, code, partial_completion: w.CopyToResponse(index, code, told), steps,
        asynchronous=request.want_asynchronous,
    )  # fmt: skip


def _check_cycle(source: ServerObject, destination: ServerObject) -> None:
    """ecMessageCycle: into a message that is in the one to be copied, at whatever depth ([MS-OXCPRPT] 3.2.5.8)."""
    around = destination.owner
    while around is not None:
        if around is source:
            raise MapiError(Ec.ecMessageCycle, "a message into what is in it")
        around = around.owner


@handles(w.CopyProperties)
def copy_properties_to_object(call: Call, request: w.CopyProperties) -> Response:
    """[MS-OXCPRPT] 3.2.5.7."""
    problems = _copy(
        call,
        request.destination,
        lambda source, destination: copy_properties(source, destination, request.tags, flags=request.copy_flags),
    )
    ids = {tag >> 16: (at, tag) for at, tag in reversed(list(enumerate(request.tags)))}
    found = [PropertyProblem(*ids.get(tag >> 16, (0, tag)), int(code)) for tag, code in problems]
    return w.CopyPropertiesResponse(request.index, 0, found)


def _copy(call: Call, to: int, copy: Callable[[Any, Any], list[Problem]]) -> list[Problem]:
    source = holder_of(call.object(ServerObject))
    destination = other_object(call, to)
    return copy(source, holder_of(destination))


def other_object(call: Call, index: int) -> ServerObject:
    """The destination of a copy, which may be of another logon. ecDstNullObject."""
    handle = call.handles[index] if index < len(call.handles) else NO_HANDLE
    found = call.session.objects.get(handle)
    if found is None:
        raise MapiError(Ec.ecDstNullObject, f"handle {handle:#x}")
    return found
