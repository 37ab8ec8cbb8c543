"""Contacts to vCards: texts, round trips, and what an independent reader makes of them."""

from __future__ import annotations

import random
import time

import pytest
import vobject

from gromoxd.convert.contentline import components
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.vcard import items_of, to_vcard, uid_of
from gromoxd.convert.vcard.dates import read_day, read_stamp, write_day, write_stamp
from gromoxd.convert.vcard.members import Member, members_of, set_members
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.times import filetime
from tests.convert.items import mutated, survive
from tests.convert.vcard.samples import GROUP, MODERN, OUTLOOK

SAMPLES = {"modern": MODERN, "outlook": OUTLOOK, "group": GROUP}


def written(item: Item, version: str = "4.0") -> list[str]:
    text = to_vcard(item, version=version).replace(b"\r\n ", b"").decode()
    return text.split("\r\n")


def test_what_came_goes_out_again() -> None:
    (item,) = items_of(MODERN)
    made = {"", "PRODID:-//gromoxd//vCard//EN", "X-MS-OL-DEFAULT-POSTAL-ADDRESS:2"}
    came = MODERN.replace("X-ABLabel", "X-ABLABEL").replace('TYPE="voice,home"', "TYPE=voice,home")
    assert sorted(written(item)) == sorted(made | set(came.split("\n")))


def test_a_number_that_changed_loses_its_old_dress() -> None:
    (item,) = items_of(MODERN)
    item.props[p.PidTagHomeTelephoneNumber] = "+49"
    lines = written(item)
    assert "TEL;TYPE=home,voice:+49" in lines
    assert not any("+1-555" in line for line in lines)


def test_the_example_of_the_specification() -> None:
    """[MS-OXVCARD] 3.2 Exporting a Contact object."""
    item = Item(
        {
            p.PidTagMessageClass: "IPM.Contact",
            n.PidLidEmail1EmailAddress: "dan.fennell@contoso.com",
            n.PidLidEmail2EmailAddress: "dfennell@fabrikam.com",
            p.PidTagAssistant: "Jeff Price",
            p.PidTagAssistantTelephoneNumber: "+1-206-555-0188",
            p.PidTagBusinessTelephoneNumber: "+1-206-555-0102",
            p.PidTagCompanyMainTelephoneNumber: "+1-206-555-0100",
            p.PidTagCompanyName: "Contoso, Ltd.",
            p.PidTagCountry: "USA",
            p.PidTagGivenName: "Dan",
            p.PidTagHomeAddressCountry: "USA",
            p.PidTagHomeAddressCity: "Boulder",
            p.PidTagHomeAddressPostalCode: "33041",
            p.PidTagHomeAddressStateOrProvince: "CO",
            p.PidTagHomeAddressStreet: "345 Aspen Street",
            p.PidTagLocality: "Boulder",
            p.PidTagMobileTelephoneNumber: "+1-425-555-0199",
            p.PidTagPostalCode: "33041",
            p.PidTagStateOrProvince: "CO",
            p.PidTagStreetAddress: "7890 Elm Street",
            p.PidTagSurname: "Fennell",
        }
    )
    uid = next(line for line in written(item, "3.0") if line.startswith("UID:"))
    assert written(item, "3.0") == [
        "BEGIN:VCARD",
        "VERSION:3.0",
        "PRODID:-//gromoxd//vCard//EN",
        "FN:Dan Fennell",
        "N:Fennell;Dan;;;",
        "ORG:Contoso\\, Ltd.",
        "X-MS-ASSISTANT;TYPE=N:Jeff Price",
        "EMAIL;TYPE=internet,pref:dan.fennell@contoso.com",
        "EMAIL;TYPE=internet:dfennell@fabrikam.com",
        "TEL;TYPE=work,voice:+1-206-555-0102",
        "TEL;TYPE=cell,voice:+1-425-555-0199",
        "X-MS-TEL;TYPE=assistant:+1-206-555-0188",
        "X-MS-TEL;TYPE=company:+1-206-555-0100",
        "ADR;TYPE=work:;;7890 Elm Street;Boulder;CO;33041;USA",
        "ADR;TYPE=home:;;345 Aspen Street;Boulder;CO;33041;USA",
        uid,
        "END:VCARD",
        "",
    ]


@pytest.mark.parametrize("version", ["2.1", "3.0", "4.0"])
@pytest.mark.parametrize("name", SAMPLES)
def test_round_trips_keep_the_item(name: str, version: str) -> None:
    (item,) = items_of(SAMPLES[name])
    (again,) = items_of(to_vcard(item, version=version))
    lost = {
        tag: (value, again.props.get(tag))
        for tag, value in item.props.items()
        if tag < 0x90000000 and _same(value) != _same(again.props.get(tag))
    }
    assert lost == {}
    assert [one.data for one in again.attachments] == [one.data for one in item.attachments]
    assert uid_of(again) == uid_of(item)
    assert members_of(again) == members_of(item)


def _same(value: object) -> object:
    return value.replace("\r\n", "\n") if isinstance(value, str) else value


def test_vobject_reads_them_alike() -> None:
    (item,) = items_of(MODERN)
    card = vobject.readOne(to_vcard(item, version="3.0").decode())
    assert card.fn.value == "Dr. J\u00fcrgen M\u00fcller"
    assert (card.n.value.family, card.n.value.given, card.n.value.suffix) == ("M\u00fcller", "J\u00fcrgen", "Jr.")
    assert card.org.value == ["ABC, Inc.", "North American Division", "Marketing"]
    assert [line.value for line in card.email_list] == [f"{letter}@example.com" for letter in "abcd"]
    work, home, other = [line.value for line in card.adr_list]
    assert (work.box, work.extended, work.street, work.city, work.code, work.country) == (
        "POB 3",
        "Office 7",
        "Work St",
        "City",
        "9",
        "France",
    )
    assert (home.street, home.region, other.street) == ("Street 1", "ST", "Elsewhere")
    assert card.label.value == "At home\nTown"
    assert card.photo.value == b"\x89PNG\r\n\x1a\n"
    assert card.note.value == "line\nline2, x"
    assert card.categories.value == ["a", "b,c"]
    assert card.bday.value == "1604-04-12"


def test_a_list_is_a_group() -> None:
    (item,) = items_of(GROUP)
    assert "KIND:group" in written(item)
    assert "MEMBER;X-CN=Ann B.:mailto:ann@example.com" in written(item)
    assert "MEMBER:mailto:bob+x@example.com" in written(item)
    card = vobject.readOne(to_vcard(item, version="3.0").decode())
    assert [line.value for line in card.contents["x-addressbookserver-member"]] == [
        "mailto:ann@example.com",
        "mailto:bob+x@example.com",
        "urn:uuid:03a0e51f-d1aa-4385-8a53-e29025acd8af",
    ]


def test_a_long_list_is_a_stream() -> None:
    members = [Member(f"Member {i}", f"m{i}@example.com") for i in range(500)]
    item = Item()
    set_members(item, members)
    assert n.PidLidDistributionListMembers not in item.props
    assert members_of(item) == members
    stream = item.props[n.PidLidDistributionListStream]
    assert isinstance(stream, bytes)
    for size in range(0, len(stream), 997):
        item.props[n.PidLidDistributionListStream] = stream[:size]
        assert len(members_of(item)) <= 500


def test_uids_stay_the_same() -> None:
    item = Item({p.PidTagDisplayName: "x"})
    assert uid_of(item) == uid_of(Item({p.PidTagDisplayName: "x"})) != uid_of(Item({p.PidTagDisplayName: "y"}))
    item.props[p.PidTagSearchKey] = bytes(range(16))
    assert uid_of(item) == "urn:uuid:00010203-0405-0607-0809-0a0b0c0d0e0f"


def test_days_and_stamps() -> None:
    berlin = filetime(482104800 - 0)  # midnight of 1985-04-12 at +02:00
    assert write_day(berlin, extended=True) == "1985-04-12"
    assert write_day(filetime(482130000), extended=False) == "19850412"  # midnight at -05:00
    assert read_day("1985-04-12T00:00:00Z") == filetime(482112000)
    assert read_day("1985-13-12") is None
    assert read_stamp("2020-01-01T01:00:00+01:00") == filetime(1577836800)
    assert read_stamp("20200101") is None
    assert write_stamp(filetime(1577836800)) == "20200101T000000Z"
    for extreme in (0, (1 << 63) - 1):
        assert write_stamp(extreme)
    assert write_day(0, extended=True) == "1601-01-01"


def test_any_bag_becomes_a_card() -> None:
    tags = [value for name, value in [*vars(p).items(), *vars(n).items()] if name.startswith("Pid")]
    for value in (b"\0x", "t\n;,\\", -1, 1 << 62, True, [b"x", "y", 3], [], None):
        item = Item(dict.fromkeys(tags, value), [], [ItemAttachment(dict.fromkeys(tags, value), b"x")])  # type: ignore[misc]
        for version in ("2.1", "3.0", "4.0"):
            items_of(to_vcard(item, version=version))


@pytest.mark.parametrize("name", SAMPLES)
def test_each_octet_flipped(name: str) -> None:
    data = SAMPLES[name]
    sample = data if isinstance(data, bytes) else data.encode()
    rng = random.Random(11)
    slowest = 0.0
    for at in range(len(sample)):
        changed = sample[:at] + bytes((sample[at] ^ (1 << rng.randrange(8)),)) + sample[at + 1 :]
        start = time.process_time()
        _try(changed)
        slowest = max(slowest, time.process_time() - start)
        if at % 7 == 0:
            _try(sample[:at])
    assert slowest < 0.5


@pytest.mark.slow
def test_ten_thousand_mutations() -> None:
    """Of all samples in one file: some cards survive in nearly every one."""
    chance = random.Random(12)
    large = b"\r\n".join(data if isinstance(data, bytes) else data.encode() for data in SAMPLES.values())
    read = sum(survive(lambda data: items_of(data)[0], mutated(large, chance)) for _ in range(10_000))
    assert read > 9_000


def _try(data: bytes) -> None:
    try:
        items = items_of(data)
    except WireError:
        return
    for item in items:
        assert components(to_vcard(item, version="2.1"), "VCARD")
