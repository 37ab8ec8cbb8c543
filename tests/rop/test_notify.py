"""RopRegisterNotification and RopNotify, octet by octet ([MS-OXCNOTIF] 2.2.1)."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop import notify as n
from gromoxd.rop import registry
from gromoxd.rop.codec import read_request, read_response
from gromoxd.rop.notify import NotificationData

assert registry.FAMILIES
HEAD = "2a 78563412 03 "
A, B, C, D = (f"0100 0000000000{n:02x}" for n in (0xA, 0xB, 0xC, 0xD))


def eid(counter: int) -> int:
    return int.from_bytes(bytes.fromhex(f"01000000000000{counter:02x}"), "little")


CASES: dict[str, tuple[NotificationData, str]] = {
    "new mail": (
        NotificationData(flags=0x8002, folder=eid(0xA), message=eid(0xB), message_flags=4, message_class="IPM"),
        f"0280 {A} {B} 04000000 01 4900 5000 4d00 0000",
    ),
    "new mail, narrow": (
        NotificationData(flags=0x8002, folder=eid(0xA), message=eid(0xB), message_class=b"IPM"),
        f"0280 {A} {B} 00000000 00 49504d00",
    ),
    "message created": (
        NotificationData(flags=0x8004, folder=eid(0xA), message=eid(0xB), tags=[]),
        f"0480 {A} {B} 0000",
    ),
    "message created in a search folder": (
        NotificationData(flags=0xC004, folder=eid(0xA), message=eid(0xB), parent=eid(0xC), tags=None),
        f"04c0 {A} {B} {C} ffff",
    ),
    "folder created": (
        NotificationData(flags=0x0004, folder=eid(0xA), parent=eid(0xC), tags=[0x0037001F]),
        f"0400 {A} {C} 0100 1f003700",
    ),
    "message deleted": (NotificationData(flags=0x8008, folder=eid(0xA), message=eid(0xB)), f"0880 {A} {B}"),
    "folder deleted": (NotificationData(flags=0x0008, folder=eid(0xA), parent=eid(0xC)), f"0800 {A} {C}"),
    "message modified": (
        NotificationData(flags=0x8010, folder=eid(0xA), message=eid(0xB), tags=[]),
        f"1080 {A} {B} 0000",
    ),
    "folder modified": (
        NotificationData(flags=0x3010, folder=eid(0xA), tags=[], total=7, unread=2),
        f"1030 {A} 0000 07000000 02000000",
    ),
    "message moved": (
        NotificationData(flags=0x8020, folder=eid(0xA), message=eid(0xB), old_folder=eid(0xC), old_message=eid(0xD)),
        f"2080 {A} {B} {C} {D}",
    ),
    "folder moved": (
        NotificationData(flags=0x0020, folder=eid(0xA), parent=eid(0xB), old_folder=eid(0xC), old_parent=eid(0xD)),
        f"2000 {A} {B} {C} {D}",
    ),
    "message copied": (
        NotificationData(flags=0x8040, folder=eid(0xA), message=eid(0xB), old_folder=eid(0xC), old_message=eid(0xD)),
        f"4080 {A} {B} {C} {D}",
    ),
    "search complete": (NotificationData(flags=0x0080, folder=eid(0xA)), f"8000 {A}"),
    "table changed": (NotificationData(flags=0x0100, table_event=1), "0001 0100"),
    "restriction changed": (NotificationData(flags=0x0100, table_event=7), "0001 0700"),
    "row added": (
        NotificationData(
            flags=0x8100, table_event=3, row_folder=eid(0xA), row_message=eid(0xB), row_instance=1,
            after_folder=eid(0xC), after_message=eid(0xD), after_instance=2, row=b"row",
        ),
        f"0081 0300 {A} {B} 01000000 {C} {D} 02000000 0300 726f77",
    ),
    "row of a folder modified": (
        NotificationData(flags=0x0100, table_event=5, row_folder=eid(0xA), after_folder=eid(0xC), row=b"row"),
        f"0001 0500 {A} {C} 0300 726f77",
    ),
    "row deleted": (
        NotificationData(flags=0x8100, table_event=4, row_folder=eid(0xA), row_message=eid(0xB), row_instance=1),
        f"0081 0400 {A} {B} 01000000",
    ),
    "row of a folder deleted": (NotificationData(flags=0x0100, table_event=4, row_folder=eid(0xA)), f"0001 0400 {A}"),
    "reserved": (NotificationData(flags=0x0400), "0004"),
}  # fmt: skip
cases = pytest.mark.parametrize(("data", "octets"), CASES.values(), ids=list(CASES))


@cases
def test_both_ways(data: NotificationData, octets: str) -> None:
    whole = bytes.fromhex(HEAD + octets)
    assert n.notify(0x12345678, 3, data) == whole
    cursor = Cursor(whole)
    found = read_response(cursor)
    cursor.finish()
    assert found == n.Notify(0, 0, 0x12345678, 3, data)
    assert found.encode() == whole
    assert n.table_of(whole) == (0x12345678, data.table_event)


@cases
def test_truncated(data: NotificationData, octets: str) -> None:
    whole = bytes.fromhex(HEAD + octets)
    for length in range(len(whole)):
        with pytest.raises(WireError):
            read_response(Cursor(whole[:length]))


@pytest.mark.parametrize(
    ("request_", "octets"),
    [
        (n.RegisterNotification(0, 1, 2, 0x7E, 0, True), "29 00 01 02 7e 00 01"),
        (n.RegisterNotification(0, 1, 2, 2, 0, False, eid(0xA), eid(0xB)), f"29 00 01 02 02 00 00 {A} {B}"),
    ],
)
def test_registration(request_: n.RegisterNotification, octets: str) -> None:
    whole = bytes.fromhex(octets)
    assert request_.encode() == whole
    assert read_request(Cursor(whole)) == request_
    for length in range(len(whole)):
        with pytest.raises(WireError):
            read_request(Cursor(whole[:length]))
    answer = bytes.fromhex("29 02 00000000")
    assert n.RegisterNotificationResponse(2, 0).encode() == answer
    assert read_response(Cursor(answer)) == n.RegisterNotificationResponse(2, 0)
