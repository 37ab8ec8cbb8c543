"""Recipient rows: a row of Outlook, every kind of address, flags, and bags."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi import recipients as r
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import AddressBookEntryId, OneOffEntryId
from gromoxd.mapi.recipients import RecipientRow, complete, from_bag, search_key
from gromoxd.mapi.values import PropError, TypedPropertyValue

PREFIX = "/o=First Organization/ou=First Administrative Group/cn=Recipients/cn="
COLUMNS = (
    0x0FFE0003, 0x39000003, 0x39FF001F, 0x39FE001F, 0x3A710003, 0x3A00001F, 0x5FFF0003, 0x5FDE0003, 0x5FFD0003,
    0x5FF6001F, 0x5FF70102, 0x5FDF0003,
)  # fmt: skip
OUTLOOK = bytes.fromhex(
    "51064500" "4a6b6572696875656c00" "4a0075006c00690065006e0020004b006500720069006800750065006c000000"
    "6a006b006500720069006800750065006c000000" "0c00" "00" "06000000" "00000000"
    "6a006b006500720069006800750065006c000000"
    "6a006b006500720069006800750065006c0040006f00700065006e006300680061006e00670065003200300030003300"
    "2e006c006f00630061006c000000" "00000000" "6a006b006500720069006800750065006c000000" "00000000" "00000000"
    "01000000" "4a0075006c00690065006e0020004b006500720069006800750065006c000000"
    "6b00" "00000000dca740c8c042101ab4b908002b2fe1820100000000000000"
    "2f6f3d4669727374204f7267616e697a6174696f6e2f6f753d46697273742041646d696e6973747261746976652047726f7570"
    "2f636e3d526563697069656e74732f636e3d6a6b6572696875656c00" "00000000"
)  # fmt: skip
"""The row in what Outlook 2007 sent as RopModifyRecipients (OpenChange's captures)."""

ENTRYID = AddressBookEntryId(PREFIX + "jkerihuel").encode()


def test_outlook() -> None:
    row = RecipientRow.decode(OUTLOOK, COLUMNS)
    assert row == RecipientRow(
        flags=0x0651,
        values=(
            6, 0, "jkerihuel", "jkerihuel@openchange2003.local", 0, "jkerihuel", 0, 0, 1, "Julien Kerihuel", ENTRYID, 0,
        ),
        address_prefix_used=0x45,
        x500dn=b"Jkerihuel",
        display_name="Julien Kerihuel",
        simple_display_name="jkerihuel",
    )  # fmt: skip
    assert row.encode(COLUMNS) == OUTLOOK


def test_outlook_bag() -> None:
    bag = RecipientRow.decode(OUTLOOK, COLUMNS).to_bag(COLUMNS, 1, PREFIX)
    assert bag == {
        p.PidTagObjectType: 6,
        p.PidTagDisplayType: 0,
        p.PidTagAddressBookDisplayNamePrintable: "jkerihuel",
        p.PidTagSmtpAddress: "jkerihuel@openchange2003.local",
        0x3A710003: 0,
        p.PidTagAccount: "jkerihuel",
        0x5FFF0003: 0,
        0x5FDE0003: 0,
        p.PidTagRecipientFlags: 1,
        p.PidTagRecipientDisplayName: "Julien Kerihuel",
        p.PidTagRecipientEntryId: ENTRYID,
        p.PidTagRecipientOrder: 0,
        p.PidTagRecipientType: 1,
        p.PidTagAddressType: "EX",
        p.PidTagEmailAddress: PREFIX + "Jkerihuel",
        p.PidTagDisplayName: "Julien Kerihuel",
        p.PidTagTransmittableDisplayName: "Julien Kerihuel",
        p.PidTagSendRichInfo: True,
        p.PidTagResponsibility: False,
        p.PidTagSearchKey: b"EX:" + PREFIX.upper().encode() + b"JKERIHUEL\0",
        p.PidTagEntryId: AddressBookEntryId(PREFIX + "Jkerihuel").encode(),
    }
    assert from_bag(bag, COLUMNS, PREFIX).encode(COLUMNS) == OUTLOOK


def test_truncated() -> None:
    for end in range(len(OUTLOOK)):
        with pytest.raises(WireError):
            RecipientRow.decode(OUTLOOK[:end], COLUMNS)
    with pytest.raises(WireError):
        RecipientRow.decode(OUTLOOK + b"\0", COLUMNS)
    with pytest.raises(WireError, match="12 columns of 11"):
        RecipientRow.decode(OUTLOOK, COLUMNS[:11])


GOLDEN: list[tuple[RecipientRow, str]] = [
    (RecipientRow(r.UNICODE | r.EMAIL | r.DISPLAY | 3, email_address="a@b", display_name="A"),
     "1b02" "6100400062000000" "41000000" "0000" "00"),
    (RecipientRow(r.EMAIL | r.DISPLAY | r.TRANSMITTABLE | 3, email_address=b"a@b", display_name=b"\xc4",
                  transmittable_display_name=b"x"),
     "3b00" "61406200" "c400" "7800" "0000" "00"),
    (RecipientRow(r.UNICODE | r.ADDRESS_TYPE | r.EMAIL, address_type=b"FOO", email_address="x"),
     "0882" "464f4f00" "78000000" "0000" "00"),
    (RecipientRow(r.UNICODE | r.RESPONSIBLE | r.NO_RICH | 1, x500dn=b"/x", display_type=1, address_prefix_used=7),
     "8103" "0701" "2f7800" "0000" "00"),
    (RecipientRow(r.UNICODE | 6, entry_id=b"\1\2", search_key=b"\3"), "0602" "02000102" "010003" "0000" "00"),
    (RecipientRow(7, entry_id=b"", search_key=b""), "0700" "0000" "0000" "0000" "00"),
    (RecipientRow(r.ADDRESS_TYPE | 3), "0380" "0000" "00"),
    (RecipientRow(r.UNICODE, (5, "x")), "0002" "0200" "00" "05000000" "78000000"),
    (RecipientRow(r.UNICODE, (5, PropError(Ec.ecNotFound))), "0002" "0200" "01" "0005000000" "0a0f010480"),
]  # fmt: skip
TWO = (0x39000003, 0x39FE001F)


@pytest.mark.parametrize(("row", "octets"), GOLDEN)
def test_golden(row: RecipientRow, octets: str) -> None:
    data = bytes.fromhex(octets)
    assert row.encode(TWO) == data
    found = RecipientRow.decode(data, TWO)
    assert found.encode(TWO) == data
    assert (found.flags, found.values, found.x500dn, found.entry_id, found.search_key, found.address_type) == (
        row.flags, row.values, row.x500dn, row.entry_id, row.search_key, row.address_type,
    )  # fmt: skip
    for end in range(len(data)):
        with pytest.raises(WireError):
            RecipientRow.decode(data[:end], TWO)


def test_wrong_values() -> None:
    for row in (
        RecipientRow(r.UNICODE | r.EMAIL, email_address=b"x"), RecipientRow(r.EMAIL, email_address="x"),
        RecipientRow(6, entry_id=bytes(0x10000)), RecipientRow(0, ("x",)), RecipientRow(0, (1, "x", 3)),
    ):  # fmt: skip
        with pytest.raises(WireError):
            row.encode(TWO)


SMTP: Bag = {
    p.PidTagRecipientType: 2,
    p.PidTagAddressType: "SMTP",
    p.PidTagEmailAddress: "ä@example.org",
    p.PidTagDisplayName: "Jürgen",
}


def test_smtp() -> None:
    bag = dict(SMTP)
    complete(bag)
    assert bag == SMTP | {
        p.PidTagSmtpAddress: "ä@example.org",
        p.PidTagSearchKey: "SMTP:Ä@EXAMPLE.ORG\0".encode(),
        p.PidTagEntryId: OneOffEntryId("Jürgen", "SMTP", "ä@example.org").encode(),
    }
    row = from_bag(SMTP, (p.PidTagSmtpAddress, 0x39FE001E, 0x3001001E, 0x39000000, 0x30010000))
    assert row.flags == r.UNICODE | r.EMAIL | r.DISPLAY | r.AddressKind.SMTP
    assert row.values == (None, None, b"J\xfcrgen", None, TypedPropertyValue(0x1F, "Jürgen"))
    found = row.to_bag((p.PidTagSmtpAddress, 0x39FE001E, 0x3001001E, 0x39000000, 0x30010000), 2)
    assert found == bag | {p.PidTagSendRichInfo: True, p.PidTagResponsibility: False}


def test_smtp_in_a_code_page() -> None:
    columns = (0x3A00101E, 0x3A000000)
    row = from_bag(SMTP | {0x3A00101F: ["ж"]}, columns, unicode=False, code_page=1251)
    assert row.flags == r.EMAIL | r.DISPLAY | r.AddressKind.SMTP
    assert (row.email_address, row.display_name, row.values[0]) == (b"?@example.org", b"J?rgen", [b"\xe6"])
    read = RecipientRow.decode(row.encode(columns), columns)
    bag = read.to_bag(columns, 2, code_page=1251)
    assert (bag[p.PidTagDisplayName], bag[0x3A00101F]) == ("J?rgen", ["ж"])
    assert 0x3A00101E not in bag


def test_other_types() -> None:
    row = from_bag({p.PidTagAddressType: "X400", p.PidTagEmailAddress: "c=DE"}, ())
    assert (row.flags, row.address_type) == (r.UNICODE | r.ADDRESS_TYPE | r.EMAIL, b"X400")
    bag = row.to_bag((), 1)
    assert (bag[p.PidTagAddressType], bag[p.PidTagEmailAddress]) == ("X400", "c=DE")
    assert bag[p.PidTagEntryId] == OneOffEntryId("", "X400", "c=DE").encode()
    members: Bag = {p.PidTagAddressType: "MAPIPDL", p.PidTagEntryId: b"\1", p.PidTagSearchKey: b"\2"}
    row = from_bag(members, ())
    assert (row.flags, row.entry_id, row.search_key) == (r.UNICODE | 6, b"\1", b"\2")
    assert row.to_bag((), 1).items() >= members.items()
    row = from_bag({p.PidTagAddressType: "MAPIPDL"}, ())
    assert (row.flags, row.address_type) == (r.UNICODE | r.ADDRESS_TYPE, b"MAPIPDL")
    assert from_bag({}, TWO) == RecipientRow(r.UNICODE, (None, None))
    assert from_bag({}, ()).to_bag((), 1) == {
        p.PidTagRecipientType: 1, p.PidTagSendRichInfo: True, p.PidTagResponsibility: False,
    }  # fmt: skip


def test_transmittable() -> None:
    row = from_bag(SMTP | {p.PidTagTransmittableDisplayName: "J", p.PidTagSendRichInfo: False}, ())
    assert row.flags & (r.TRANSMITTABLE | r.SAME | r.NO_RICH | r.RESPONSIBLE) == r.TRANSMITTABLE | r.NO_RICH
    row = from_bag(SMTP | {p.PidTagTransmittableDisplayName: "Jürgen", p.PidTagResponsibility: True}, ())
    assert row.flags & (r.TRANSMITTABLE | r.SAME | r.NO_RICH | r.RESPONSIBLE) == r.SAME | r.RESPONSIBLE
    assert row.to_bag((), 1)[p.PidTagTransmittableDisplayName] == "Jürgen"


@pytest.mark.parametrize(
    ("dn", "used", "rest"),
    [
        (PREFIX + "x", 69, b"x"), (PREFIX.upper() + "X", 69, b"X"), ("/o=Other", 3, b"Other"), ("x", 0, b"x"),
        ("", 0, b""), (PREFIX[:-3], 66, b""),
    ],
)  # fmt: skip
def test_prefix(dn: str, used: int, rest: bytes) -> None:
    row = from_bag({p.PidTagAddressType: "ex", p.PidTagEmailAddress: dn}, (), PREFIX)
    assert (row.flags & r.TYPE, row.address_prefix_used, row.x500dn) == (1, used, rest)
    found = row.to_bag((), 1, PREFIX)[p.PidTagEmailAddress]
    assert isinstance(found, str) and found.lower() == dn.lower()


def test_long_prefix() -> None:
    long = "/" + "x" * 400
    row = from_bag({p.PidTagAddressType: "EX", p.PidTagEmailAddress: long}, (), long)
    assert (row.address_prefix_used, len(row.x500dn)) == (255, 146)
    assert row.to_bag((), 1, long)[p.PidTagEmailAddress] == long


def test_search_key() -> None:
    assert search_key("smtp", "a@b") == b"SMTP:A@B\0"


TEXT = st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)


@given(
    TEXT, TEXT, TEXT, TEXT, st.sampled_from(["SMTP", "EX", "FAX", "MS", "PROFS", "FOO", None]), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_round_trip(
    address: str | None,
    name: str | None,
    simple: str | None,
    other: str | None,
    kind: str | None,
    rich: bool,
    done: bool,
) -> None:
    given_bag = {
        p.PidTagAddressType: kind,
        p.PidTagEmailAddress: (address or "") if kind == "EX" else address,
        p.PidTagDisplayName: name,
        p.PidTagAddressBookDisplayNamePrintable: simple,
        p.PidTagTransmittableDisplayName: other,
        p.PidTagSendRichInfo: rich,
        p.PidTagResponsibility: done,
        p.PidTagRecipientType: 3,
    }
    bag: Bag = {tag: value for tag, value in given_bag.items() if value is not None}
    if kind == "EX":
        bag[p.PidTagDisplayType] = 0
    complete(bag)
    columns = (p.PidTagEntryId, p.PidTagSearchKey, p.PidTagSmtpAddress)
    data = from_bag(bag, columns, code_page=65001).encode(columns)
    assert RecipientRow.decode(data, columns).to_bag(columns, 3, code_page=65001) == bag
