"""The attributes that [MS-OXTNEF] 3.1 prints, with their checksums, and layouts octet by octet. Both directions."""

from __future__ import annotations

import pytest

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.tnef import attributes as a
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.entryids import OneOffEntryId
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.times import filetime

SENT = filetime(1077017135)
"""2004-02-17 11:25:35 UTC, a Tuesday."""
MODIFIED = filetime(1077020769)
"""12:26:09 of that day."""

DOCUMENT = [
    (0x00089006, "00000100", 0x0001),
    (0x00069007, "e404000000000000", 0x00E8),
    (0x00078008, b"IPM.Microsoft Mail.Note\0".hex(), 0x0831),
    (0x0004800D, "0200", 0x0002),
    (0x00018004, b"Simple subject\0".hex(), 0x057A),
    (0x00038005, "d40702001100" + "0b0019002300" + "0200", 0x0137),
    (0x00038020, "d40702001100" + "0c001a000900" + "0200", 0x011F),
    (0x00018009, b"757BB19CDE936A4087D90BB784C58E3B\0".hex(), 0x0751),
]
"""Attribute, octets, checksum as the document has them."""
EXAMPLE = bytes.fromhex("789f3e220100") + b"".join(
    b"\1" + ident.to_bytes(4, "little") + (len(octets) // 2).to_bytes(4, "little") + bytes.fromhex(octets)
    + checksum.to_bytes(2, "little")
    for ident, octets, checksum in DOCUMENT
)  # fmt: skip
PROPS: Bag = {
    p.PidTagMessageClass: "IPM.Note",
    p.PidTagImportance: 1,
    p.PidTagSubject: "Simple subject",
    p.PidTagClientSubmitTime: SENT,
    p.PidTagLastModificationTime: MODIFIED,
    p.PidTagSearchKey: bytes.fromhex("757BB19CDE936A4087D90BB784C58E3B"),
}


@pytest.mark.parametrize(("ident", "octets", "checksum"), DOCUMENT)
def test_checksums_are_the_documents(ident: int, octets: str, checksum: int) -> None:
    assert a.checksum(bytes.fromhex(octets)) == checksum, hex(ident)


def test_checksum_of_much() -> None:
    data = bytes(range(256)) * 1000 + b"\xff" * 300
    assert a.checksum(data) == sum(data) & 0xFFFF


def test_the_documents_attributes_are_read() -> None:
    assert from_tnef(EXAMPLE) == Item(PROPS)


def test_the_documents_attributes_are_written() -> None:
    written = to_tnef(Item(PROPS))
    assert written[:6] == EXAMPLE[:6]
    for ident, octets, checksum in DOCUMENT:
        size = len(octets) // 2
        whole = b"\1" + ident.to_bytes(4, "little") + size.to_bytes(4, "little") + bytes.fromhex(octets)
        assert whole + checksum.to_bytes(2, "little") in written, hex(ident)


def attribute(ident: int, octets: bytes, level: int = 1, checksum: int = 0) -> bytes:
    """An attribute with a checksum that is wrong if none is given."""
    return (
        bytes((level,)) + ident.to_bytes(4, "little") + len(octets).to_bytes(4, "little") + octets
        + checksum.to_bytes(2, "little")
    )  # fmt: skip


START = bytes.fromhex("789f3e220100")
LISTED = bytes.fromhex(
    "06000000"  # properties
    "0b00 1700"  # PidTagImportance as a boolean, which is another property than the usual
    "0100 0000"
    "1e00 3700 01000000 03000000 e4f600 00"  # PidTagSubject, 8-bit, with its padding
    "0210 0166 02000000 0100 0000 ffff 0000"  # two 16-bit integers, each filled up
    "0300 0080 0820060000000000c000000000000046 00000000 03850000 07000000"  # PSETID_Common 0x8503, a number
    "1f10 0180 2903020000000000c000000000000046 01000000 0a000000 4400 6900 6e00 6700 0000 0000"  # Ding
    "02000000 04000000 4100 0000 06000000 42004300 0000 0000"
    "0201 0266 01000000 05000000 0102030405 000000"
)


def test_a_property_list_is_read_octet_by_octet() -> None:
    stream = START + attribute(0x00069007, b"\xe4\x04\0\0\0\0\0\0") + attribute(0x00069003, LISTED)
    item = from_tnef(stream)
    assert item.props == {
        0x0017000B: True,
        p.PidTagSubject: "äö",
        0x66011002: [1, -1],
        n.PidLidReminderSet & 0xFFFF0000 | 3: 7,
        0x9000101F: ["A", "BC"],
        0x66020102: b"\1\2\3\4\5",
    }
    assert item.names == {0x9000: PropertyName(PS_PUBLIC_STRINGS, "Ding")}


def test_unicode_wins_over_8_bit_of_the_same_property() -> None:
    wide = bytes.fromhex("1f003700 01000000 04000000 61000000")
    narrow = bytes.fromhex("1e003700 01000000 02000000 62000000")
    for octets in (wide + narrow, narrow + wide):
        item = from_tnef(START + attribute(0x00069003, b"\2\0\0\0" + octets))
        assert item.props == {p.PidTagSubject: "a"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("IPM.Microsoft Mail.Note", "IPM.Note"),
        ("IPM.Microsoft Mail.Read Receipt", "Report.IPM.Note.IPNRN"),
        ("IPM.Microsoft Mail.Non-Delivery", "Report.IPM.Note.NDR"),
        ("IPM.Microsoft Schedule.MtgRespP", "IPM.Schedule.Meeting.Resp.Pos"),
        ("IPM.Microsoft Schedule.MtgRespN", "IPM.Schedule.Meeting.Resp.Neg"),
        ("IPM.Microsoft Schedule.MtgRespA", "IPM.Schedule.Meeting.Resp.Tent"),
        ("IPM.Microsoft Schedule.MtgReq", "IPM.Schedule.Meeting.Request"),
        ("IPM.Microsoft Schedule.MtgCncl", "IPM.Schedule.Meeting.Canceled"),
        ("IPM.Task", "IPM.Task"),
    ],
)
def test_message_classes(old: str, new: str) -> None:
    for text in (old, "Microsoft Mail v3.0 " + old if old != new else old):
        read = from_tnef(START + attribute(0x00078008, text.encode() + b"\0"))
        assert read.props == {p.PidTagMessageClass: new}
    assert attribute(0x00078008, old.encode() + b"\0")[:-2] in to_tnef(Item({p.PidTagMessageClass: new}))


def test_the_sender_of_a_triple() -> None:
    octets = bytes.fromhex("0400 2400 0600 1000") + b"Ulla\0\0" + b"SMTP:ulla@a.de\0\0" + bytes(8)
    item = from_tnef(START + attribute(0x00008000, octets))
    entry = item.props.pop(p.PidTagSenderEntryId)
    assert item.props == {
        p.PidTagSenderName: "Ulla",
        p.PidTagSenderAddressType: "SMTP",
        p.PidTagSenderEmailAddress: "ulla@a.de",
    }
    assert isinstance(entry, bytes)
    assert OneOffEntryId.decode(entry).email_address == "ulla@a.de"


def test_a_triple_is_written_and_read() -> None:
    person = a.Person(b"Ulla", b"SMTP", b"ulla@a.de")
    octets = a.encode_triple(person)
    assert octets[:8] == bytes.fromhex("0400 2500 0600 0f00")
    assert a.read_triple(Cursor(octets)) == person
    assert a.read_counted(Cursor(a.encode_counted(person))) == person


@pytest.mark.parametrize(
    ("message_class", "tag"),
    [
        (b"IPM.Microsoft Schedule.MtgReq", p.PidTagSentRepresentingName),
        (b"IPM.Microsoft Schedule.MtgRespP", p.PidTagReceivedRepresentingName),
    ],
)
def test_the_owner_of_a_meeting(message_class: bytes, tag: int) -> None:
    stream = START + attribute(0x00078008, message_class + b"\0")
    stream += attribute(0x00060000, a.encode_counted(a.Person(b"Boss", b"SMTP", b"boss@a.de")))
    stream += attribute(0x00030006, bytes.fromhex("d407020011000b00190023000200"))
    stream += attribute(0x00050008, b"\7\0\0\0") + attribute(0x00040009, b"\1\0")
    props = from_tnef(stream).props
    assert props[tag] == "Boss"
    assert (props[p.PidTagStartDate], props[p.PidTagOwnerAppointmentId]) == (SENT, 7)
    assert props[p.PidTagResponseRequested] is True


@pytest.mark.parametrize(("status", "flags"), [(0x20, 0x03), (0x00, 0x02), (0x03, 0x08), (0x85, 0x14), (0xA4, 0x17)])
def test_message_status(status: int, flags: int) -> None:
    assert a.flags_of_status(status) == flags
    assert a.status_of_flags(flags) == status
    assert from_tnef(START + attribute(0x00068007, bytes((status,)))).props == {p.PidTagMessageFlags: flags}


def test_attachments_of_an_old_writer() -> None:
    rend = bytes.fromhex("0100 ffffffff 2000 2000 00000000")
    stream = START + attribute(0x00069002, rend, 2) + attribute(0x00018010, b"a.txt\0", 2)
    stream += attribute(0x0006800F, b"one", 2) + attribute(0x00038013, bytes.fromhex("d407020011000b00190023000200"), 2)
    stream += attribute(0x00069002, rend, 2) + attribute(0x0006800F, b"two", 2)
    item = from_tnef(stream)
    common: Bag = {p.PidTagAttachMethod: 1, p.PidTagRenderingPosition: -1}
    named: Bag = {p.PidTagAttachLongFilename: "a.txt", p.PidTagLastModificationTime: SENT}
    assert item.attachments == [ItemAttachment(common | named, b"one"), ItemAttachment(common, b"two")]


def test_html_as_a_string_becomes_octets() -> None:
    octets = bytes.fromhex("01000000 1e001310 01000000 05000000 3c623eff 00000000")
    item = from_tnef(START + attribute(0x00069007, b"\xe4\x04\0\0") + attribute(0x00069003, octets))
    assert item.props == {p.PidTagHtml: "<b>ÿ".encode(), p.PidTagInternetCodepage: 65001}


@pytest.mark.parametrize("data", [b"", b"\x78\x9f\x3e", b"\x78\x9f\x3e\x23\1\0", b"From: a@b.de\r\n"])
def test_what_is_no_tnef(data: bytes) -> None:
    with pytest.raises(WireError):
        from_tnef(data)
    assert from_tnef(START) == Item()
