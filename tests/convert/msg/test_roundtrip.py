"""Items through .msg and back, and what olefile and extract-msg find in what is written."""

from __future__ import annotations

import io
import warnings
from typing import Any

import olefile
import pytest
from hypothesis import given, settings

from gromoxd.convert import compoundfile
from gromoxd.convert.compoundfile import Storage
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.msg import from_msg, to_msg
from gromoxd.convert.msg import layout as m
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from tests.convert.items import GUID, by_name, check_item, embedded, items, named, recipient, whole


def test_the_whole_item_comes_back() -> None:
    assert by_name(from_msg(to_msg(whole()))) == by_name(whole())


@settings(max_examples=200, deadline=None)
@given(items())
def test_any_item_comes_back(item: Item) -> None:
    back = from_msg(to_msg(item))
    check_item(back)
    assert by_name(back) == by_name(item)


def test_what_has_no_form_is_left_out() -> None:
    good: Bag = {p.PidTagSubject: "x"}
    bad: Bag = {0x66000001: None, 0x660100FB: b"id", 0x660200FD: b"", 0x66030003: "no number", 0x90000003: 1}
    bad |= {p.PROP_CREATOR: "me", 0x66041002: [1 << 20]}
    assert from_msg(to_msg(Item(good | bad))) == Item(good)


def test_empty_values_stay() -> None:
    item = Item({p.PidTagSubject: "", 0x66000102: b"", 0x6601101F: ["", "a"], 0x66021003: [], 0x66031102: []})
    assert from_msg(to_msg(item)) == item


def test_octets_that_are_no_storage_stay() -> None:
    item = Item({p.PidTagSubject: "x"}, [], [ItemAttachment(named("old", 6), b"no compound file")])
    assert from_msg(to_msg(item)) == item


def opened(item: Item) -> olefile.OleFileIO:
    return olefile.OleFileIO(io.BytesIO(to_msg(item)), raise_defects=olefile.DEFECT_POTENTIAL)


def test_streams_as_olefile_reads_them() -> None:
    with opened(whole()) as ole:
        assert ole.root.clsid == "00020D0B-0000-0000-C000-000000000046"
        head = ole.openstream(m.PROPERTIES).read()
        assert head[:32] == bytes.fromhex("0000000000000000 02000000 04000000 02000000 04000000 0000000000000000")
        assert (len(head) - 32) % 16 == 0
        entries = {head[at : at + 4]: head[at + 4 : at + 16] for at in range(32, len(head), 16)}
        assert entries[bytes.fromhex("1f003700")] == bytes.fromhex("06000000 1a000000 00000000")
        assert entries[bytes.fromhex("03001700")] == bytes.fromhex("06000000 02000000 00000000")
        assert entries[bytes.fromhex("03000d34")] == bytes.fromhex("06000000 00000400 00000000")
        assert ole.openstream("__substg1.0_0037001F").read() == "Grüße aus 東京".encode("utf-16-le")
        assert ole.openstream("__substg1.0_66091002").read() == bytes.fromhex("0100feff0300")
        assert ole.openstream("__substg1.0_66121102").read() == bytes.fromhex(
            "0000000000000000 0300000000000000 6400000000000000"
        )
        assert ole.openstream("__substg1.0_66121102-00000001").read() == b"abc"
        inner = ole.openstream(["__attach_version1.0_#00000002", "__substg1.0_3701000D", m.PROPERTIES]).read()
        assert inner[:24] == bytes.fromhex("0000000000000000 01000000 01000000 01000000 01000000")
        attachment = ole.openstream(["__attach_version1.0_#00000002", m.PROPERTIES]).read()
        assert attachment[-16:] == bytes.fromhex("0d000137 06000000 ffffffff 01000000")
        attachment = ole.openstream(["__attach_version1.0_#00000003", m.PROPERTIES]).read()
        assert attachment[-16:] == bytes.fromhex("0d000137 06000000 ffffffff 04000000")
        assert ole.openstream(["__attach_version1.0_#00000003", "__substg1.0_3701000D", "\1Ole"]).read() == b"ole"
        assert not ole.parsing_issues


def test_the_streams_of_names() -> None:
    """Entries by [MS-OXMSG] 2.2.3.1.2: PS_PUBLIC_STRINGS is set 2, the first of the others 3."""
    item = Item({0x9000001F: "a", 0x90010003: 4}, names={0x9000: whole().names[0x9000], 0x9001: whole().names[0x9001]})
    with opened(item) as ole:
        names = m.NAMES
        assert ole.openstream([names, "__substg1.0_00020102"]).read() == GUID
        assert ole.openstream([names, "__substg1.0_00030102"]).read() == bytes.fromhex(
            "00000000 0500 000034120000 0600 0100"
        )
        assert ole.openstream([names, "__substg1.0_00040102"]).read() == (
            bytes.fromhex("0a000000") + "Größe".encode("utf-16-le") + b"\0\0"
        )
        number = 0x1000 + (0x1234 ^ 6) % 31
        assert ole.openstream([names, f"__substg1.0_{number:04X}0102"]).read() == bytes.fromhex("34120000 0600 0100")
    assert from_msg(to_msg(item)) == item


def read_by_extract_msg(data: bytes) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import extract_msg

        return extract_msg.openMsg(data)


def test_extract_msg_reads_the_same() -> None:
    item = whole()
    del item.attachments[3]  # of a class that the library has no handler for
    parsed = read_by_extract_msg(to_msg(item))
    try:
        assert parsed.subject == "Grüße aus 東京"
        assert parsed.body == "Zeile 1\r\nZeile 2\r\n"
        assert parsed.htmlBody == "<p>Grüße</p>".encode()
        assert [(one.name, one.email, int(one.type)) for one in parsed.recipients] == [
            ("Max Groß", "max@example.org", 1), ("Eva", "eva@example.org", 2),
        ]  # fmt: skip
        assert [one.longFilename for one in parsed.attachments] == ["bericht.pdf", "leer.txt", "Nachricht"]
        assert parsed.attachments[0].data == item.attachments[0].data
        assert parsed.attachments[2].data.subject == "Within"
        assert parsed.attachments[2].data.attachments[0].data == b"\0\1\2"
        assert parsed.named.get(("Größe", "{00020329-0000-0000-C000-000000000046}")) is not None
        assert parsed.getNamedProp("1234", "{03020100-0504-0706-0809-0A0B0C0D0E0F}") == 4
        assert parsed.getNamedProp("8503", "{00062008-0000-0000-C000-000000000046}") is True
        for name in parsed.named.values():
            tag = 0x1000_0102 | (name.streamID - 0x1000) << 16
            assert parsed.exists(f"__nameid_version1.0/__substg1.0_{tag:08X}"), name
    finally:
        parsed.close()


# ANSI


def ansi(page: int | None, tag: int = p.PidTagMessageCodepage) -> bytes:
    """A message with 8-bit strings, as Outlook 97 wrote it."""
    entries = m.ENTRY.pack(0x0037001E, 6, m.SIZE.pack(7, 0)) + m.ENTRY.pack(0x6600101E, 6, m.SIZE.pack(8, 0))
    if page is not None:
        entries += m.ENTRY.pack(tag, 6, page.to_bytes(8, "little"))
    root = Storage(
        {
            m.PROPERTIES: bytes(32) + entries,
            "__substg1.0_0037001E": bytes.fromhex("cff0e8e2e5f2"),
            "__substg1.0_6600101E": bytes.fromhex("0200000003000000"),
            "__substg1.0_6600101E-00000000": b"\xc0\0",
            "__substg1.0_6600101E-00000001": b"\xc0\xc1\0",
            "__recip_version1.0_#00000000": Storage(
                {
                    m.PROPERTIES: bytes(8) + m.ENTRY.pack(0x3001001E, 6, m.SIZE.pack(2, 0)),
                    "__substg1.0_3001001E": b"\xdf",
                }
            ),
        }
    )
    return compoundfile.encode(root)


@pytest.mark.parametrize(
    ("data", "subject", "name"),
    [
        (ansi(1251), "Привет", "Я"),
        (ansi(1251, p.PidTagInternetCodepage), "Привет", "Я"),
        (ansi(0x419, p.PidTagMessageLocaleId), "Привет", "Я"),
        (ansi(None), "Ïðèâåò", "ß"),
        (ansi(99999), "Ïðèâåò", "ß"),
    ],
)
def test_8_bit_strings(data: bytes, subject: str, name: str) -> None:
    item = from_msg(data)
    assert item.props[p.PidTagSubject] == subject
    assert item.recipients == [{p.PidTagDisplayName: name}]
    assert [len(one) for one in item.props[0x6600101F]] == [1, 2]  # type: ignore[union-attr, arg-type]


def test_a_message_without_a_property_stream() -> None:
    root = Storage(
        {"__substg1.0_0037001f": "Ä".encode("utf-16-le"), "__substg1.0_10000102": b"x", "__substg1.0_zz": b""}
    )
    assert from_msg(compoundfile.encode(root)).props == {p.PidTagSubject: "Ä", 0x10000102: b"x"}


@pytest.mark.parametrize("data", [b"", b"x" * 600, compoundfile.SIGNATURE + bytes(600), compoundfile.encode(Storage())])
def test_what_is_no_message(data: bytes) -> None:
    with pytest.raises(WireError):
        from_msg(data)


def test_depth_and_counts_are_bounded() -> None:
    item = embedded()
    for _ in range(m.MAX_DEPTH):
        item = Item({p.PidTagSubject: "x"}, [], [ItemAttachment(named("m", 5), b"", item)])
    assert check_item(from_msg(to_msg(item))) == m.MAX_DEPTH
    with pytest.raises(WireError):
        to_msg(Item({}, [], [ItemAttachment(named("m", 5), b"", item)]))
    with pytest.raises(WireError):
        to_msg(Item({}, [], [ItemAttachment()] * 4097))


def test_many_recipients_and_attachments() -> None:
    item = Item({p.PidTagSubject: "x"}, [recipient(f"R{i}", f"r{i}@example.org") for i in range(300)])
    item.attachments = [ItemAttachment(named(f"{i}.txt"), bytes((i % 256,)) * i) for i in range(300)]
    assert from_msg(to_msg(item)) == item
