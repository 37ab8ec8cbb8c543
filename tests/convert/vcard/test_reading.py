"""vCards to contacts: concrete values."""

from __future__ import annotations

import pytest

from gromoxd.convert.item import Item
from gromoxd.convert.vcard import fields, items_of
from gromoxd.convert.vcard.members import Member, members_of
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import check_bag
from gromoxd.mapi.entryids import OneOffEntryId
from gromoxd.mapi.times import filetime
from tests.convert.vcard.samples import GROUP, MODERN, OUTLOOK


def one(data: bytes | str) -> Item:
    (item,) = items_of(data)
    check_bag(item.props)
    for attachment in item.attachments:
        check_bag(attachment.props)
    return item


def test_a_modern_card() -> None:
    item = one(MODERN)
    expected = {
        p.PidTagMessageClass: "IPM.Contact",
        p.PidTagDisplayName: "Dr. J\u00fcrgen M\u00fcller",
        p.PidTagSubject: "Dr. J\u00fcrgen M\u00fcller",
        p.PidTagSurname: "M\u00fcller",
        p.PidTagGivenName: "J\u00fcrgen",
        p.PidTagMiddleName: "K.",
        p.PidTagDisplayNamePrefix: "Dr.",
        p.PidTagGeneration: "Jr.",
        n.PidLidFileUnder: "M\u00fcller, J\u00fcrgen K.",
        n.PidLidFileUnderId: 0x8017,
        p.PidTagNickname: "J\u00fc",
        p.PidTagCompanyName: "ABC, Inc.",
        p.PidTagDepartmentName: "North American Division; Marketing",
        p.PidTagTitle: "Head",
        p.PidTagProfession: "Engineer",
        n.PidLidEmail1EmailAddress: "a@example.com",
        n.PidLidEmail1AddressType: "SMTP",
        n.PidLidEmail1DisplayName: "Dr. J\u00fcrgen M\u00fcller (a@example.com)",
        n.PidLidEmail1OriginalDisplayName: "a@example.com",
        n.PidLidEmail2EmailAddress: "b@example.com",
        n.PidLidEmail3EmailAddress: "c@example.com",
        n.PidLidAddressBookProviderEmailList: [0, 1, 2],
        n.PidLidAddressBookProviderArrayType: 7,
        p.PidTagHomeTelephoneNumber: "+1-555",
        p.PidTagMobileTelephoneNumber: "0170",
        p.PidTagHomeAddressStreet: "Street 1",
        p.PidTagHomeAddressCity: "Town",
        p.PidTagHomeAddressStateOrProvince: "ST",
        p.PidTagHomeAddressPostalCode: "12345",
        p.PidTagHomeAddressCountry: "Germany",
        n.PidLidHomeAddress: "At home\r\nTown",
        n.PidLidWorkAddressPostOfficeBox: "POB 3",
        n.PidLidWorkAddressStreet: "Work St",
        n.PidLidWorkAddress: "Work St\r\nPOB 3\r\nCity 9\r\nFrance",
        p.PidTagOfficeLocation: "Office 7",
        p.PidTagOtherAddressStreet: "Elsewhere",
        n.PidLidPostalAddressId: 2,
        p.PidTagStreetAddress: "Work St",
        p.PidTagCountry: "France",
        p.PidTagPostalAddress: "Work St\r\nPOB 3\r\nCity 9\r\nFrance",
        p.PidTagBirthday: filetime(-11541052800),
        n.PidLidBirthdayLocal: filetime(-11541052800),
        p.PidTagWeddingAnniversary: filetime(1262304000),
        p.PidTagBody: "line\r\nline2, x",
        n.PidNameKeywords: ["a", "b,c"],
        n.PidLidHasPicture: True,
        n.PidLidInstantMessagingAddress: "xmpp:a@b",
        p.PidTagPersonalHomePage: "http://x/y",
        p.PidTagBusinessHomePage: "http://w/z",
        n.PidLidHtml: "http://w/z",
        p.PidTagGender: 2,
        p.PidTagSensitivity: 2,
        n.PidLidPrivate: True,
        p.PidTagLastModificationTime: filetime(1577836800),
    }
    assert {tag: item.props.get(tag) for tag in expected} == expected
    assert fields.foreign_value(item, fields.UID) == "urn:uuid:4fbe8971-0bc3-424c-9c26-36c3e1eff6b1"
    assert fields.foreign_texts(item, fields.KEPT) == [
        "item1.X-ABLABEL:_$!<HomePage>!$_",
        "GEO:geo:1.5,2.5",
        "TZ:Europe/Berlin",
        "LANG:de",
        "X-UNKNOWN;X-P=1:some thing\\, kept",
        "EMAIL:d@example.com",
    ]
    entry = item.props[n.PidLidEmail2OriginalEntryId]
    assert isinstance(entry, bytes)
    assert OneOffEntryId.decode(entry).email_address == "b@example.com"
    (photo,) = item.attachments
    assert photo.data == b"\x89PNG\r\n\x1a\n"
    assert photo.props[p.PidTagAttachmentContactPhoto] is True
    assert photo.props[p.PidTagAttachLongFilename] == "ContactPicture.png"


def test_an_outlook_card() -> None:
    item = one(OUTLOOK)
    expected = {
        p.PidTagDisplayName: "D\u00e4n Fennell",
        p.PidTagCompanyName: "Contoso, Ltd.",
        p.PidTagBusinessTelephoneNumber: "+1-206-555-0102",
        p.PidTagBusiness2TelephoneNumber: "+1-206-555-0103",
        p.PidTagMobileTelephoneNumber: "+1-425-555-0199",
        p.PidTagBusinessFaxNumber: "+1-206-555-0105",
        p.PidTagCompanyMainTelephoneNumber: "+1-206-555-0100",
        p.PidTagAssistantTelephoneNumber: "+1-206-555-0188",
        p.PidTagAssistant: "Jeff Price",
        p.PidTagManagerName: "Ann Beebe",
        p.PidTagSpouseName: "Kim",
        p.PidTagChildrensNames: ["One", "Two"],
        n.PidLidContactUserField1: "first",
        n.PidLidPostalAddressId: 1,
        p.PidTagStreetAddress: "345 Aspen Street",
        n.PidLidInstantMessagingAddress: "im@contoso.com",
        n.PidLidWorkAddressStreet: "7890 Elm Street\r\nFloor 2",
        n.PidLidWorkAddress: "Printed\r\nLabel",
        p.PidTagHomeAddressCity: "Boulder",
        p.PidTagBirthday: filetime(2851200),
        p.PidTagGender: 1,
        p.PidTagUserX509Certificate: [bytes.fromhex("0300 0900 3003020101")],
        n.PidLidEmail1EmailAddress: "dan.fennell@contoso.com",
        p.PidTagTelexNumber: "4711",
        p.PidTagBody: "\r\nlast",
        n.PidLidFreeBusyLocation: "http://fb/x",
        p.PidTagLastModificationTime: filetime(1704164645),
    }
    assert {tag: item.props.get(tag) for tag in expected} == expected
    assert item.attachments[0].data == bytes.fromhex("ffd8ffe000104a464946")
    assert fields.foreign_texts(item, fields.KEPT) == ["TEL;TYPE=WORK,VOICE:+1-206-555-0104"]


def test_a_group_becomes_a_list() -> None:
    item = one(GROUP)
    assert item.props[p.PidTagMessageClass] == "IPM.DistList"
    assert item.props[n.PidLidDistributionListName] == "The Team"
    assert members_of(item) == [
        Member("Ann B.", "ann@example.com"),
        Member("bob+x@example.com", "bob+x@example.com"),
    ]
    assert len(item.props[n.PidLidDistributionListOneOffMembers]) == 2  # type: ignore[arg-type]
    assert fields.foreign_texts(item, fields.KEPT) == [
        "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af"
    ]


@pytest.mark.parametrize(
    ("lines", "name", "filed", "number"),
    [
        ("N:Doe;Jane;;;", "Jane Doe", "Doe, Jane", 0x8017),
        ("FN:Only", "Only", "Only", 0x3001),
        ("ORG:Firm", "Firm", "Firm", 0x3A16),
        ("EMAIL:a@b", "a@b", "a@b", 0x3001),
        ("FN:A\nX-EVOLUTION-FILE-AS:Z", "A", "Z", -1),
        ("X-NOTHING:1", "", "", 0x3001),
    ],
)
def test_names_that_are_not_said(lines: str, name: str, filed: str, number: int) -> None:
    props = one(f"BEGIN:VCARD\nVERSION:3.0\n{lines}\nEND:VCARD\n").props
    got = (props[p.PidTagDisplayName], props[n.PidLidFileUnder], props[n.PidLidFileUnderId])
    assert got == (name, filed, number)


@pytest.mark.parametrize(
    ("types", "tag"),
    [
        ("TYPE=home,fax", p.PidTagHomeFaxNumber),
        ("TYPE=fax", p.PidTagPrimaryFaxNumber),
        ("TYPE=pager", p.PidTagPagerTelephoneNumber),
        ("TYPE=car", p.PidTagCarTelephoneNumber),
        ("TYPE=isdn", p.PidTagIsdnNumber),
        ("TYPE=iPhone,CELL,VOICE", p.PidTagMobileTelephoneNumber),
        ("TYPE=pref", p.PidTagPrimaryTelephoneNumber),
        ("TYPE=main", p.PidTagCompanyMainTelephoneNumber),
        ("TYPE=textphone", p.PidTagTelecommunicationsDeviceForDeafTelephoneNumber),
        ("X=1", p.PidTagOtherTelephoneNumber),
    ],
)
def test_phones_by_type(types: str, tag: int) -> None:
    assert one(f"BEGIN:VCARD\nFN:x\nTEL;{types}:1\nEND:VCARD").props[tag] == "1"


def test_pictures_elsewhere_and_keys_of_other_kinds_stay_lines() -> None:
    item = one("BEGIN:VCARD\nFN:x\nPHOTO;VALUE=uri:http://p/x.jpg\nKEY;TYPE=PGP:http://k\nBDAY:spring\nEND:VCARD")
    assert item.attachments == []
    assert fields.foreign_texts(item, fields.KEPT) == [
        "PHOTO;VALUE=uri:http://p/x.jpg",
        "KEY;TYPE=PGP:http://k",
        "BDAY:spring",
    ]


def test_cards_without_an_end_and_agents() -> None:
    broken = "BEGIN:VCARD\nFN:one\nBEGIN:VCARD\nFN:two\nEND:VCARD\nBEGIN:VCARD\nFN:three\nEND:VCARD"
    assert [item.props[p.PidTagDisplayName] for item in items_of(broken)] == ["one", "two", "three"]
    agent = one("BEGIN:VCARD\nVERSION:2.1\nFN:boss\nAGENT: \nBEGIN:VCARD\nFN:help\nEND:VCARD\nEND:VCARD")
    assert agent.props[p.PidTagDisplayName] == "boss"


def test_what_is_no_card_is_refused() -> None:
    for data in (b"", b"BEGIN:VCALENDAR\nEND:VCALENDAR", b"\xff" * 100):
        with pytest.raises(WireError):
            items_of(data)
