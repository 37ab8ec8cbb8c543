"""ROPs of incremental change synchronisation ([MS-OXCROPS] 2.2.13)."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from gromoxd.mapi.cursor import U16 as _U16
from gromoxd.mapi.cursor import U32 as _U32
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import LongTermId
from gromoxd.mapi.values import encode_tagged, read_tagged
from gromoxd.rop.codec import (
    U8,
    U16,
    U32,
    U64,
    Data16,
    Data32,
    Field,
    Flag,
    Guid,
    Request,
    Response,
    Tags,
    request,
    response,
)

Values = Annotated[
    dict[int, Any],
    Field(lambda cursor: read_tagged(cursor, cursor.u16()), lambda bag: _U16.pack(len(bag)) + encode_tagged(bag)),
]
"""TaggedPropertyValue structures after their number ([MS-OXCDATA] 2.11.4)."""


@request(0x70)
class SynchronizationConfigure(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.1.1."""

    output: U8
    synchronization_type: U8
    send_options: U8
    synchronization_flags: U16
    restriction_data: Data16
    synchronization_extra_flags: U32
    property_tags: Tags


@response(0x70)
class SynchronizationConfigureResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.1.2."""


@request(0x72)
class SynchronizationImportMessageChange(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.2.1."""

    output: U8
    import_flag: U8
    property_values: Values


@response(0x72)
class SynchronizationImportMessageChangeResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.2.2: MessageId is 0."""

    message_id: U64


@request(0x99)
class SynchronizationImportMessageChangePartial(Request, frozen=True):
    """As RopSynchronizationImportMessageChange, but what the message has and the client does not set stays.

    [MS-OXCROPS] 2.2.2 calls the number reserved; clients that use it send the fields of 2.2.13.2.1.
    """

    output: U8
    import_flag: U8
    property_values: Values


@response(0x99)
class SynchronizationImportMessageChangePartialResponse(Response, frozen=True):
    """As [MS-OXCROPS] 2.2.13.2.2."""

    message_id: U64


class ReadState(NamedTuple):
    """MessageReadState, [MS-OXCROPS] 2.2.13.3.1.1: a source key and whether it is read."""

    message_id: bytes
    mark_as_read: bool


def _read_states(cursor: Cursor) -> list[ReadState]:
    region = cursor.region(cursor.u16())
    states = []
    while region.left:
        states.append(ReadState(region.take(region.u16()), region.u8() != 0))
    return states


def _write_states(states: list[ReadState]) -> bytes:
    octets = b"".join(_U16.pack(len(key)) + key + bytes((read,)) for key, read in states)
    return _U16.pack(len(octets)) + octets


@request(0x80)
class SynchronizationImportReadStateChanges(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.3.1."""

    message_read_states: Annotated[list[ReadState], Field(_read_states, _write_states)]


@response(0x80)
class SynchronizationImportReadStateChangesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.3.2."""


@request(0x73)
class SynchronizationImportHierarchyChange(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.4.1."""

    hierarchy_values: Values
    property_values: Values


@response(0x73)
class SynchronizationImportHierarchyChangeResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.4.2: FolderId is 0."""

    folder_id: U64


@request(0x74)
class SynchronizationImportDeletes(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.5.1."""

    import_delete_flags: U8
    property_values: Values


@response(0x74)
class SynchronizationImportDeletesResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.5.2."""


@request(0x78)
class SynchronizationImportMessageMove(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.6.1."""

    source_folder_id: Data32
    source_message_id: Data32
    predecessor_change_list: Data32
    destination_message_id: Data32
    change_number: Data32


@response(0x78)
class SynchronizationImportMessageMoveResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.6.2: MessageId is 0."""

    message_id: U64


@request(0x7E)
class SynchronizationOpenCollector(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.7.1."""

    output: U8
    is_contents_collector: Flag


@response(0x7E)
class SynchronizationOpenCollectorResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.7.2."""


@request(0x82)
class SynchronizationGetTransferState(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.8.1."""

    output: U8


@response(0x82)
class SynchronizationGetTransferStateResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.8.2."""


@request(0x75)
class SynchronizationUploadStateStreamBegin(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.9.1."""

    state_property: U32
    transfer_buffer_size: U32


@response(0x75)
class SynchronizationUploadStateStreamBeginResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.9.2."""


@request(0x76)
class SynchronizationUploadStateStreamContinue(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.10.1."""

    stream_data: Data32


@response(0x76)
class SynchronizationUploadStateStreamContinueResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.10.2."""


@request(0x77)
class SynchronizationUploadStateStreamEnd(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.11.1."""


@response(0x77)
class SynchronizationUploadStateStreamEndResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.11.2."""


class IdRange(NamedTuple):
    """LongTermIdRange, [MS-OXCROPS] 2.2.13.12.1.1: both ends belong to it."""

    low: LongTermId
    high: LongTermId


def _read_ranges(cursor: Cursor) -> list[IdRange]:
    region = cursor.region(cursor.u16())
    count = region.count(region.u32(), 48)
    ranges = [IdRange(LongTermId.read(region), LongTermId.read(region)) for _ in range(count)]
    region.finish()
    return ranges


def _write_ranges(ranges: list[IdRange]) -> bytes:
    octets = _U32.pack(len(ranges)) + b"".join(low.encode() + high.encode() for low, high in ranges)
    return _U16.pack(len(octets)) + octets


@request(0x93)
class SetLocalReplicaMidsetDeleted(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.12.1. DataSize covers the number of ranges and the ranges."""

    long_term_id_ranges: Annotated[list[IdRange], Field(_read_ranges, _write_ranges)]


@response(0x93)
class SetLocalReplicaMidsetDeletedResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.12.2."""


@request(0x7F)
class GetLocalReplicaIds(Request, frozen=True):
    """[MS-OXCROPS] 2.2.13.13.1."""

    id_count: U32


@response(0x7F)
class GetLocalReplicaIdsResponse(Response, frozen=True):
    """[MS-OXCROPS] 2.2.13.13.2. `global_count`: the first counter, 6 octets with the highest first."""

    repl_guid: Guid
    global_count: Annotated[bytes, Field(lambda cursor: cursor.take(6), bytes)]
