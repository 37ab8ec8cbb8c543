"""Samples of ids, entry ids, IDSETs, recipient rows, conversation indexes and FastTransfer streams."""

from __future__ import annotations

from collections.abc import Callable

from gromoxd.mapi.conversation import ConversationIndex
from gromoxd.mapi.entryids import EntryList, FlatEntryList, parse_entryid
from gromoxd.mapi.fasttransfer import decode_stream
from gromoxd.mapi.ids import LongTermId, ServerId, Xid, eid_parse, pcl_decode
from gromoxd.mapi.idset import IdSet, RangeSet
from gromoxd.mapi.recipients import RecipientRow
from gromoxd.mapi.state import SyncState
from tests.mapi.test_entryids import GOLDEN as ENTRYIDS
from tests.mapi.test_fasttransfer import SAMPLE, STREAM
from tests.mapi.test_idset import GOLDEN as GLOBSETS
from tests.mapi.test_idset import WIRE
from tests.mapi.test_recipients import COLUMNS, OUTLOOK, PREFIX, TWO
from tests.mapi.test_recipients import GOLDEN as ROWS
from tests.mapi.test_state import OCTETS as STATE

GUID = bytes(range(16))
GLOBSET_SAMPLES = [bytes.fromhex(octets) for _, octets in GLOBSETS]


def _wire(guids: bool) -> list[bytes]:
    return [bytes.fromhex(octets) for by_guid, octets, _ in WIRE if by_guid == guids]


DECODERS: dict[str, tuple[Callable[[bytes], object], list[bytes]]] = {
    "eid": (eid_parse, [bytes.fromhex("010000000e915212")]),
    "LongTermID": (LongTermId.decode, [GUID + bytes.fromhex("00000000207c0000")]),
    "ServerId": (ServerId.decode, [ServerId(1, 2, 3).encode()]),
    "XID": (Xid.decode, [GUID + b"\1", GUID + b"12345678"]),
    "PredecessorChangeList": (pcl_decode, [b"", b"\x16" + GUID + b"123456" + b"\x11" + GUID[::-1] + b"1"]),
    "EntryID": (parse_entryid, [bytes.fromhex(octets) for _, octets in ENTRYIDS]),
    "FlatEntryList": (FlatEntryList.decode, [FlatEntryList((b"12345", b"", b"x")).encode()]),
    "EntryList": (EntryList.decode, [EntryList((b"12345", b"", b"x")).encode()]),
    "GLOBSET": (RangeSet.decode, GLOBSET_SAMPLES),
    "IDSET REPLID": (IdSet.decode_replid, [b"\1\0" + GLOBSET_SAMPLES[0] + b"\5\0" + GLOBSET_SAMPLES[6], *_wire(False)]),
    "IDSET REPLGUID": (
        IdSet.decode_replguid,
        [GUID + GLOBSET_SAMPLES[0] + GUID[::-1] + GLOBSET_SAMPLES[6], *_wire(True)],
    ),
    "ICS state": (SyncState.decode, [STATE]),
    "RecipientRow of Outlook": (
        lambda data: RecipientRow.decode(data, COLUMNS).to_bag(COLUMNS, 1, PREFIX),
        [OUTLOOK],
    ),
    "RecipientRow": (
        lambda data: RecipientRow.decode(data, TWO).to_bag(TWO, 1, PREFIX, 932),
        [bytes.fromhex(octets) for _, octets in ROWS],
    ),
    "ConversationIndex": (
        ConversationIndex.decode,
        [b"\1\1\xd6\x124V" + GUID, b"\1\xd6\x124Vx" + GUID + b"\0\0\0\5\xab" + b"\x84\0\0\0\xcd"],
    ),
    "FastTransfer": (decode_stream, [SAMPLE, STREAM]),
}
