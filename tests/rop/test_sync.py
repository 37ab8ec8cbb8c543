"""ROPs of synchronisation and fast transfer as octets: fields of [MS-OXCROPS] 2.2.12 and 2.2.13, both directions."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import LongTermId
from gromoxd.rop import fasttransfer as ft
from gromoxd.rop import sync as rop
from gromoxd.rop.codec import Failure, Request, Response, read_request, read_response

GUID = bytes(range(16))
KEY = GUID + b"\0\0\0\0\1\2"

REQUESTS: list[tuple[Request, str]] = [
    (
        rop.SynchronizationConfigure(0, 1, 2, 1, 0x09, 0xA039, b"\x08", 7, [0x0037001F]),
        "70 00 01 02 01 09 39a0 0100 08 07000000 0100 1f003700",
    ),
    (
        rop.SynchronizationImportMessageChange(0, 1, 2, 0x40, {p.PidTagSourceKey: KEY}),
        f"72 00 01 02 40 0100 0201e065 1600 {KEY.hex()}",
    ),
    (
        rop.SynchronizationImportMessageChangePartial(0, 1, 2, 0, {p.PidTagLastModificationTime: 1}),
        "99 00 01 02 00 0100 40000830 0100000000000000",
    ),
    (
        rop.SynchronizationImportReadStateChanges(0, 1, [rop.ReadState(KEY, True), rop.ReadState(b"", False)]),
        f"80 00 01 1c00 1600 {KEY.hex()} 01 0000 00",
    ),
    (
        rop.SynchronizationImportHierarchyChange(0, 1, {p.PidTagDisplayName: "A"}, {p.PidTagComment: ""}),
        "73 00 01 0100 1f000130 4100 0000 0100 1f000430 0000",
    ),
    (
        rop.SynchronizationImportDeletes(0, 1, 2, {0x00001102: [KEY]}),
        f"74 00 01 02 0100 02110000 01000000 1600 {KEY.hex()}",
    ),
    (
        rop.SynchronizationImportMessageMove(0, 1, b"a", b"bc", b"", b"d", b"e"),
        "78 00 01 01000000 61 02000000 6263 00000000 01000000 64 01000000 65",
    ),
    (rop.SynchronizationOpenCollector(0, 1, 2, True), "7e 00 01 02 01"),
    (rop.SynchronizationGetTransferState(0, 1, 2), "82 00 01 02"),
    (rop.SynchronizationUploadStateStreamBegin(0, 1, 0x40170003, 5), "75 00 01 03001740 05000000"),
    (rop.SynchronizationUploadStateStreamContinue(0, 1, b"xy"), "76 00 01 02000000 7879"),
    (rop.SynchronizationUploadStateStreamEnd(0, 1), "77 00 01"),
    (
        rop.SetLocalReplicaMidsetDeleted(0, 1, [rop.IdRange(LongTermId(GUID, 1), LongTermId(GUID, 2))]),
        f"93 00 01 3400 01000000 {GUID.hex()} 000000000001 0000 {GUID.hex()} 000000000002 0000",
    ),
    (rop.GetLocalReplicaIds(0, 1, 0x200), "7f 00 01 00020000"),
    (ft.FastTransferDestinationConfigure(0, 1, 2, 3, 1), "53 00 01 02 03 01"),
    (ft.FastTransferDestinationPutBuffer(0, 1, b"abc"), "54 00 01 0300 616263"),
    (ft.FastTransferDestinationPutBufferExtended(0, 1, b"abc"), "9d 00 01 0300 616263"),
    (ft.FastTransferSourceGetBuffer(0, 1, 0xBABE, 0x7BC0), "4e 00 01 beba c07b"),
    (ft.FastTransferSourceGetBuffer(0, 1, 0x3C78), "4e 00 01 783c"),
    (ft.FastTransferSourceCopyFolder(0, 1, 2, 0x10, 0x01), "4c 00 01 02 10 01"),
    (ft.FastTransferSourceCopyMessages(0, 1, 2, [0x0201], 0, 1), "4b 00 01 02 0100 0102000000000000 00 01"),
    (ft.FastTransferSourceCopyTo(0, 1, 2, 0, 0x2000, 1, [0x1000001F]), "4d 00 01 02 00 00200000 01 0100 1f000010"),
    (ft.FastTransferSourceCopyProperties(0, 1, 2, 1, 0, 1, []), "69 00 01 02 01 00 01 0000"),
    (ft.TellVersion(0, 1, 15, 0, 847), "86 00 01 0f00 0000 4f03"),
]
RESPONSES: list[tuple[Response, str]] = [
    (rop.SynchronizationConfigureResponse(2, 0), "70 02 00000000"),
    (rop.SynchronizationImportMessageChangeResponse(2, 0, 0), "72 02 00000000 0000000000000000"),
    (rop.SynchronizationImportHierarchyChangeResponse(1, 0, 0), "73 01 00000000 0000000000000000"),
    (rop.SynchronizationImportMessageMoveResponse(1, 0, 0), "78 01 00000000 0000000000000000"),
    (rop.GetLocalReplicaIdsResponse(1, 0, GUID, b"\0\0\0\0\1\0"), f"7f 01 00000000 {GUID.hex()} 000000000100"),
    (
        ft.FastTransferSourceGetBufferResponse(1, 0, 3, 5, 9, 0, b"xyz"),
        "4e 01 00000000 0300 0500 0900 00 0300 78797a",
    ),
    (
        ft.FastTransferSourceGetBufferResponse(1, 0x480, 0, 0, 0, 0, b"", 1000),
        "4e 01 80040000 0000 0000 0000 00 0000 e8030000",
    ),
    (
        ft.FastTransferDestinationPutBufferResponse(1, 0, 0, 0, 1, 0, 3),
        "54 01 00000000 0000 0000 0100 00 0300",
    ),
    (
        ft.FastTransferDestinationPutBufferExtendedResponse(1, 0, 0, 0, 1, 0, 3),
        "9d 01 00000000 0000 00000000 01000000 00 0300",
    ),
]


@pytest.mark.parametrize(("request_", "octets"), REQUESTS, ids=lambda one: type(one).__name__)
def test_requests(request_: Request, octets: str) -> None:
    data = bytes.fromhex(octets)
    assert request_.encode() == data
    cursor = Cursor(data)
    assert read_request(cursor) == request_
    cursor.finish()
    for cut in range(3, len(data)):
        with pytest.raises(WireError):
            read_request(Cursor(data[:cut]))


@pytest.mark.parametrize(("response", "octets"), RESPONSES, ids=lambda one: type(one).__name__)
def test_responses(response: Response, octets: str) -> None:
    data = bytes.fromhex(octets)
    assert response.encode() == data
    cursor = Cursor(data)
    assert read_response(cursor) == response
    cursor.finish()


def test_a_move_of_what_the_client_changed_has_no_message_id() -> None:
    response = rop.SynchronizationImportMessageMoveResponse(1, 0x00040821, 0)
    assert response.encode().hex() == "780121080400"
    assert read_response(Cursor(response.encode())) == Failure(1, 0x00040821)


def test_transfers_that_fail_have_their_whole_form() -> None:
    get = ft.FastTransferSourceGetBuffer(0, 1, 0xBABE, 1).failure(0x8004010F)
    assert get.hex(" ", 1) == "4e 01 0f 01 04 80 00 00 00 00 00 00 00 00 00"
    put = ft.FastTransferDestinationPutBuffer(0, 1, b"abc").failure(0x000004B6)
    assert put.hex(" ", 1) == "54 01 b6 04 00 00 00 00 00 00 00 00 00 00 00"
    more = ft.FastTransferDestinationPutBufferExtended(0, 1, b"abc").failure(0x000004B6)
    assert len(more) == len(put) + 4


@pytest.mark.parametrize(
    "octets",
    [
        "80 00 01 0100 16",  # a key that is cut off
        "93 00 01 0400 01000000",  # a range that is not there
        "93 00 01 0500 00000000 00",  # more than the ranges
        "74 00 01 00 0100 02110000 ffffffff",  # keys without end
    ],
)
def test_what_does_not_fit_is_refused(octets: str) -> None:
    with pytest.raises(WireError):
        read_request(Cursor(bytes.fromhex(octets)))
