"""The full details file of version 4."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from gromoxd.addressbook.reader import Book
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as tags
from gromoxd.oab.details import (
    encode_details,
    encode_integer,
    encode_meta,
    encode_record,
    encode_value,
    read_details,
    read_record,
    split,
)
from gromoxd.oab.names import book_guid
from gromoxd.oab.records import Recorder, book_domains, details_of, digest, records_of
from gromoxd.oab.schema import EMAIL, GROUPS, HEADER, MEMBERS, OBJECTS, Prop, Use
from tests.addressbook.people import ALICE, EVERYBODY, PREFIX, TEAM

TRUNCATED = tags.PidTagOfflineAddressBookTruncatedProperties


@pytest.mark.parametrize(
    ("value", "octets"),
    [
        (0, "00"), (0x7F, "7f"), (0x80, "8180"), (0xFF, "81ff"), (0x100, "820001"), (0x12345, "83452301"),
        (0x40000000, "8400000040"), (-1, "84ffffffff"),
    ],
)  # fmt: skip
def test_integers(value: int, octets: str) -> None:
    assert encode_integer(value).hex() == octets


@pytest.mark.parametrize(
    ("tag", "value", "octets"),
    [
        (0x3A40000B, True, "01"),
        (0x3003001E, "/o=A", "2f6f3d4100"),
        (0x3001001F, "Müller", "4dc3bc6c6c657200"),
        (0x8C6D0102, b"\1\2\3", "03010203"),
        (0x68051003, [0x3001001F, 5], "02841f00013005"),
        (0x800F101F, ["a", "", "b", "a"], "0261006200"),
        (0x3A701102, [b"\1", b"\2\3"], "020101020203"),
        (0x3A1B101F, "one", "016f6e6500"),
        (0x3001001F, ["first", "second"], "666972737400"),
    ],
)
def test_values(tag: int, value: Any, octets: str) -> None:
    assert encode_value(tag, value) == (bytes.fromhex(octets), True)


def test_a_record_octet_by_octet() -> None:
    schema = [Prop(0x3003001E, Use.PRIMARY_KEY), Prop(0x3001001F, Use.ANR), Prop(0x39000003)]
    record = encode_record(schema, {0x3003001E: "/o=A", 0x39000003: 6})
    assert record.hex(" ") == "0b 00 00 00 a0 2f 6f 3d 41 00 06"
    meta = encode_meta(schema[:1], schema[1:])
    assert meta.hex() == "24000000010000001e00033002000000020000001f000130010000000300003900000000"


def test_limits_leave_their_traces() -> None:
    """[MS-OXOAB] 2.9.2.2.1."""
    many = [f"{n:05}" + "x" * 90 for n in range(1000)]
    values = {
        EMAIL: "/o=A", tags.PidTagComment: "ä" * 3000, tags.PidTagUserCertificate: bytes(40000), MEMBERS: many,
        tags.PidTagTitle: "y" * 3399, tags.PidTagAssistant: "",
    }  # fmt: skip
    data = encode_details({}, [encode_record(OBJECTS, values, [tags.PidTagThumbnailPhoto])])
    (record,) = read_details(data).records
    assert record[tags.PidTagComment] == "ä" * 1699
    assert record[MEMBERS] == many[: 65536 // 96]
    assert record[tags.PidTagTitle] == "y" * 3399
    assert tags.PidTagUserCertificate not in record
    assert tags.PidTagAssistant not in record
    assert set(record[TRUNCATED]) == {
        tags.PidTagThumbnailPhoto, tags.PidTagComment, tags.PidTagUserCertificate, MEMBERS,
    }  # fmt: skip


def test_schema() -> None:
    assert [prop.tag for prop in OBJECTS[:2]] == [0x3003001E, 0x39FE001F]
    assert all(prop.flags & Use.PRIMARY_KEY for prop in OBJECTS[:2])
    assert [f"{prop.tag:08X}" for prop in HEADER] == ["6800001F", "6804001E", "68010003", "6802001E", "8C98001E"]
    assert OBJECTS[-1].tag == TRUNCATED
    assert len({prop.tag for prop in OBJECTS}) == len(OBJECTS)


# ---------------------------------------------------------------------------------------------- of an address book


@pytest.fixture
def told(book: Book) -> dict[str, dict[int, Any]]:
    """Records by display name, as a client reads them."""
    found = read_details(details_of(book, records_of(book), 7))
    assert found.header == {
        0x6800001F: "\\Global Address List", 0x6804001E: "/", 0x68010003: 7, 0x6802001E: book_guid(1),
    }  # fmt: skip
    names = [record[tags.PidTagDisplayName] for record in found.records]
    assert len(set(names)) == len(names)
    return {record[tags.PidTagDisplayName]: record for record in found.records}


def test_who_is_in_it(told: dict[str, dict[int, Any]]) -> None:
    assert list(told) == [
        "Alice Example", "Big Room", "Bob Müller", "Charly Contact", "Everybody", "Information", "Team",
    ]  # fmt: skip


def test_a_user(told: dict[str, dict[int, Any]]) -> None:
    alice = told["Alice Example"]
    dn = f"{PREFIX}01000000{ALICE.to_bytes(4, 'little').hex()}-alice"
    assert alice[EMAIL] == dn
    assert alice[tags.PidTagSmtpAddress] == "alice@example.test"
    assert alice[tags.PidTagAddressBookProxyAddresses] == ["SMTP:alice@example.test"]
    assert (alice[tags.PidTagDisplayType], alice[tags.PidTagObjectType]) == (0, 6)
    assert alice[tags.PidTagDisplayTypeEx] == 0x40000000
    assert alice[tags.PidTagSendRichInfo] is True
    assert alice[tags.PidTagAddressBookHomeMessageDatabase].endswith("@example.test/cn=Microsoft Private MDB")
    assert len(alice[tags.PidTagAddressBookObjectGuid]) == 16
    assert alice[tags.PidTagTitle] == "Director"
    assert alice[tags.PidTagBusinessTelephoneNumber] == "+49 30 1234-56"
    assert [name.rpartition("-")[2] for name in alice[GROUPS]] == ["all", "team"]
    assert alice[TRUNCATED] == [tags.PidTagThumbnailPhoto]
    assert told["Bob Müller"][tags.PidTagAddressBookProxyAddresses] == [
        "SMTP:bob@example.test", "smtp:bobby@example.test",
    ]  # fmt: skip


def test_lists_contacts_rooms(told: dict[str, dict[int, Any]]) -> None:
    team, charly, room = told["Team"], told["Charly Contact"], told["Big Room"]
    assert (team[tags.PidTagDisplayType], team[tags.PidTagObjectType]) == (1, 8)
    assert team[EMAIL].endswith(f"01000000{TEAM.to_bytes(4, 'little').hex()}-team")
    assert [name.rpartition("-")[2] for name in team[MEMBERS]] == ["alice", "bob"]
    assert team[tags.PidTagAddressBookDistributionListMemberCount] == 2
    assert TRUNCATED not in team
    assert charly[tags.PidTagAddressBookTargetAddress] == "SMTP:charly@outside.test"
    assert (charly[tags.PidTagDisplayType], charly[tags.PidTagSendRichInfo]) == (6, False)
    assert (room[tags.PidTagDisplayTypeEx], room[tags.PidTagAddressBookRoomCapacity]) == (7, 12)


def test_long_lists_are_cut(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    item = book.of_user(EVERYBODY)
    assert item is not None
    alice = book.of_user(ALICE)
    assert alice is not None
    recorder = Recorder(book)
    monkeypatch.setattr(recorder, "_dn", lambda index: f"/o=A/cn={index:0100}")
    assert recorder._names(list(range(5000))) == [f"/o=A/cn={n:0100}" for n in range(701)]
    cut = encode_record(OBJECTS, {EMAIL: "/o=A", MEMBERS: recorder._names(list(range(5000)))})
    (record,) = read_details(encode_details({}, [cut])).records
    assert len(record[MEMBERS]) == 65536 // 109
    assert record[TRUNCATED] == [MEMBERS]


def test_names_of_books(book: Book) -> None:
    assert book_domains(book) == ["00000000-0000-0001-8100-67726d786f64"]
    assert digest([b"a", b"b"]) != digest([b"a"])


# ---------------------------------------------------------------------------------------------- hostile


def test_split(people: Callable[..., bytes]) -> None:
    data = people(range(5))
    places = list(split(data))
    assert len(places) == 6
    assert places[0][0] == 0
    assert [end for _, end in places[:-1]] == [at for at, _ in places[1:]]
    assert places[-1][1] == len(data)


def test_every_truncation_is_an_error(people: Callable[..., bytes]) -> None:
    data = people(range(2))
    for cut in range(len(data)):
        with pytest.raises(WireError):
            read_details(data[:cut])


def test_damage_is_noticed(people: Callable[..., bytes]) -> None:
    data, chance = people(range(3)), random.Random(7)
    for _ in range(2000):
        damaged = bytearray(data)
        at = chance.randrange(4, len(damaged))
        damaged[at] ^= chance.randrange(1, 256)
        with pytest.raises(WireError):
            read_details(bytes(damaged))


def test_counts_are_bounded() -> None:
    from gromoxd.mapi.cursor import Cursor

    schema = [Prop(0x800F101F), Prop(0x8C6D0102), Prop(0x8009000D)]
    for body in ("8084ffffffff", "8083a0860100", "4084ffffff7f", "20", "808500", "8080"):
        octets = bytes.fromhex(body)
        with pytest.raises(WireError):
            read_record(Cursor((4 + len(octets)).to_bytes(4, "little") + octets), schema)
