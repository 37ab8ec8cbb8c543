"""Items through TNEF and back, and what tnefparse finds in what is written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tnefparse import TNEF  # type: ignore[import-untyped]

from gromoxd.convert.compoundfile import SIGNATURE
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.convert.tnef.attributes import MAX_DEPTH
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from tests.convert.items import by_name, check_item, embedded, items, named, recipient, whole


def test_the_whole_item_comes_back() -> None:
    assert by_name(from_tnef(to_tnef(whole()))) == by_name(whole())


@settings(max_examples=300, deadline=None)
@given(items())
def test_any_item_comes_back(item: Item) -> None:
    back = from_tnef(to_tnef(item))
    check_item(back)
    assert by_name(back) == by_name(item)


def test_names_keep_their_ids() -> None:
    item = Item({0x9000001F: "a", 0x90010003: 4}, names={0x9000: whole().names[0x9000], 0x9001: whole().names[0x9001]})
    assert from_tnef(to_tnef(item)) == item


def test_what_has_no_form_is_left_out() -> None:
    good: Bag = {p.PidTagSubject: "x"}
    bad: Bag = {0x66000001: None, 0x660100FB: b"id", 0x660200FD: b"", 0x66030003: "no number", 0x90000003: 1}
    bad |= {p.PROP_CREATOR: "me", 0x66041002: [1 << 20]}
    assert from_tnef(to_tnef(Item(good | bad))) == Item(good)


def test_tnefparse_reads_the_same() -> None:
    item = whole()
    del item.props[0x66091002]  # read by the library without the padding of each value that [MS-OXTNEF] has
    written = to_tnef(item)
    parsed = TNEF(written, do_checksum=True)
    assert all(one.good_checksum for one in parsed.objects)
    assert [(one.level, one.name) for one in parsed.objects[:3]] == [(1, 0x9006), (1, 0x9007), (1, 0x8008)]
    dump = parsed.dump()
    assert dump["attributes"]["Subject"] == "Grüße aus 東京"
    assert dump["attributes"]["Message Class"] == "IPM.Microsoft Mail.Note"
    assert dump["attributes"]["From"] == ("Ulla Müller".encode(), b"SMTP", b"ulla@example.org")
    assert [len(one.data) for one in parsed.attachments] == [7684, 0, len(parsed.attachments[2].data), len(OLE_PART)]
    assert [one.long_filename().strip("\0") for one in parsed.attachments] == [
        "bericht.pdf", "leer.txt", "Nachricht", "Objekt",
    ]  # fmt: skip
    assert parsed.attachments[0].data == item.attachments[0].data
    assert parsed.attachments[2].embed.attachments[0].data == b"\0\1\2"
    assert parsed.body.rstrip("\0") == "Zeile 1\r\nZeile 2\r\n"
    assert parsed.htmlbody == "<p>Grüße</p>"
    table = next(one for one in parsed.objects if one.name == 0x9004)
    assert len(table.data) == 2
    found = {(one.guid_name.strip("\0") if one.guid_name else one.guid_prop) for one in parsed.mapiprops if one.guid}
    assert {"Größe", 0x1234, "X-Strange-Header", 0x8503} <= found


OLE_PART = b"\x0b" + bytes(15) + whole().attachments[3].data.rstrip(b"\0")


def test_an_ole_object_is_a_storage() -> None:
    back = from_tnef(to_tnef(whole())).attachments[3]
    assert back.props[p.PidTagAttachMethod] == 6
    assert back.data[:8] == SIGNATURE


@pytest.mark.parametrize(
    ("message_class", "role"),
    [("IPM.Schedule.Meeting.Request", "SentRepresenting"), ("IPM.Schedule.Meeting.Resp.Pos", "ReceivedRepresenting")],
)
def test_meetings_have_an_owner(message_class: str, role: str) -> None:
    tags = [getattr(p, f"PidTag{role}{part}") for part in ("Name", "AddressType", "EmailAddress")]
    item = Item(
        {
            p.PidTagMessageClass: message_class,
            **dict(zip(tags, ("Boss", "SMTP", "boss@example.org"), strict=True)),
            p.PidTagStartDate: 130000000000000000,
            p.PidTagEndDate: 130000018000000000,
            p.PidTagOwnerAppointmentId: -5,
            p.PidTagResponseRequested: True,
            n.PidLidAppointmentSequence: 3,
        }
    )
    written = to_tnef(item)
    assert b"\5\0Boss\0\x16\0SMTP:boss@example.org\0" in written
    assert from_tnef(written) == item
    parsed = TNEF(written)
    assert {0x0000, 0x0006, 0x0007, 0x0008, 0x0009} <= {one.name for one in parsed.objects}


def nested(depth: int) -> Item:
    item = embedded()
    for _ in range(depth):
        item = Item({p.PidTagSubject: "x"}, [], [ItemAttachment(named("m", 5), b"", item)])
    return item


def test_depth_is_bounded() -> None:
    deepest = nested(MAX_DEPTH)
    assert check_item(from_tnef(to_tnef(deepest))) == MAX_DEPTH
    with pytest.raises(WireError):
        to_tnef(nested(MAX_DEPTH + 1))


def test_many_recipients_and_attachments() -> None:
    item = Item({}, [recipient(f"R{i}", f"r{i}@example.org") for i in range(500)])
    item.attachments = [ItemAttachment(named(f"{i}.txt"), bytes((i % 256,)) * i) for i in range(500)]
    assert from_tnef(to_tnef(item)) == item
