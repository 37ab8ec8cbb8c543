"""Lists, links, names and properties of a book."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert

from gromoxd.addressbook import build, source
from gromoxd.addressbook.entry import Collection, mid_of
from gromoxd.addressbook.layout import Damaged
from gromoxd.addressbook.properties import MEMBERS, permanent_id
from gromoxd.addressbook.reader import Book, Item, Snapshot
from gromoxd.directory import schema
from gromoxd.directory.admin import Admin
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.entryids import AddressBookEntryId
from gromoxd.mapi.types import PropValue
from tests.addressbook import people
from tests.addressbook.people import ALICE, BOB, CHARLY, EVERYBODY, GHOST, ROOM, SUSPENDED, TEAM, ZOE


def names(book: Book, indexes: list[int]) -> list[PropValue]:
    return [book.item(index).get(tags.PidTagDisplayName) for index in indexes]


def item(book: Book, user_id: int) -> Item:
    found = book.of_user(user_id)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("collection", "expected"),
    [
        (
            Collection.GAL,
            ["Alice Example", "Big Room", "Bob Müller", "Charly Contact", "Everybody", "Information", "Team"],
        ),
        (Collection.ROOT, []),
        (Collection.USERS, ["Alice Example", "Bob Müller", "Information"]),
        (Collection.GROUPS, ["Everybody", "Team"]),
        (Collection.CONTACTS, ["Charly Contact"]),
        (Collection.ROOMS, ["Big Room"]),
        (
            Collection.DOMAIN,
            ["Alice Example", "Big Room", "Bob Müller", "Charly Contact", "Everybody", "Information", "Team"],
        ),
    ],
)
def test_a_list_has_its_objects_in_the_order_of_names(book: Book, collection: int, expected: list[str]) -> None:
    listed = book.collection(collection)
    assert names(book, list(listed.order)) == expected
    assert [listed.position(index) for index in listed.order] == list(range(len(expected)))


def test_a_hidden_object_is_in_no_list_but_has_its_number(book: Book) -> None:
    ghost = item(book, GHOST)
    assert book.gal.position(ghost.index) is None
    assert ghost.get(tags.PidTagDisplayName) == "Ghost"
    assert book.resolve("ghost") == [ghost.index]


def test_a_suspended_user_is_found_by_dn_only(book: Book) -> None:
    suspended = item(book, SUSPENDED)
    assert book.resolve("sue") == []
    assert book.of_dn(suspended.dn) is not None
    assert book.gal.position(suspended.index) is None


def test_organisations_do_not_see_each_other(book: Book) -> None:
    assert book.of_user(ZOE) is None
    assert book.of_address("zoe@other.test") is None
    assert book.resolve("zoe") == []
    other = book.snapshot.book(2, people.ORGANISATION)
    assert other is not None
    assert names(other, list(other.gal.order)) == ["Zoe Other"]
    assert other.of_mid(mid_of(ALICE)) is None


def test_domains_of_one_organisation_share_a_book(engine: Engine, admin: Admin, make: Callable[[], Snapshot]) -> None:
    people.fill(engine, admin)
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE domains SET org_id=7")
    snapshot = make()
    first, second = snapshot.book(1, "Example"), snapshot.book(2, "Example")
    assert first is not None and second is not None
    assert first.meta == second.meta
    assert "Zoe Other" in names(first, list(first.gal.order))
    assert names(first, list(first.containers[0x60000002].order)) == ["Zoe Other"]
    assert names(first, first.members(item(first, TEAM))) == ["Alice Example", "Bob Müller", "Zoe Other"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ali", [ALICE]),
        ("ALICE EXAMPLE", [ALICE]),
        ("example, alice", [ALICE]),
        ("muller", [BOB]),
        ("müller bob", [BOB]),
        ("bobby", [BOB]),
        ("bobby@example.test", [BOB]),
        ("SMTP:bob@example.test", [BOB]),
        ("charly@outside.test", [CHARLY]),
        ("b", [ROOM, BOB]),
        ("=team", [TEAM]),
        ("=tea", []),
        ("493012", [ALICE]),
        ("room 12", [ALICE]),
        ("alice bob", []),
        ("", []),
        ("nobody@example.test", []),
        (people.PREFIX + "0100000002000000-bob", [BOB]),
        (people.PREFIX + "0100000002000000-alice", []),
    ],
)
def test_names_are_resolved(book: Book, text: str, expected: list[int]) -> None:
    assert [book.snapshot.entry(index).user_id for index in book.resolve(text)] == expected


def test_a_whole_name_wins_over_longer_ones(engine: Engine, admin: Admin, make: Callable[[], Snapshot]) -> None:
    people.fill(engine, admin)
    people.add(engine, 20, "alicia@example.test", "Alice Examples")
    book = make().book(1, "Example")
    assert book is not None
    assert [book.snapshot.entry(i).user_id for i in book.resolve("alice")] == [ALICE]
    assert len(book.resolve("ali")) == 2
    assert [book.snapshot.entry(i).user_id for i in book.resolve("alice", book.collection(Collection.ROOMS))] == []


def test_members_groups_managers_and_reports(book: Book) -> None:
    team, alice, bob = item(book, TEAM), item(book, ALICE), item(book, BOB)
    assert names(book, book.members(team)) == ["Alice Example", "Bob Müller"]
    assert names(book, book.groups(alice)) == ["Everybody", "Team"]
    assert names(book, book.members(item(book, EVERYBODY))) == ["Alice Example", "Bob Müller"]
    assert names(book, book.linked("reports", alice)) == ["Bob Müller"]
    assert bob.get(tags.PidTagAddressBookManagerDistinguishedName) == alice.dn
    assert team.get(MEMBERS) == [alice.dn, bob.dn]
    assert team.get(tags.PidTagAddressBookDistributionListMemberCount) == 2
    assert team.get(tags.PidTagAddressBookDistributionListExternalMemberCount) == 2


def test_properties_of_a_user(book: Book) -> None:
    alice = item(book, ALICE)
    assert alice.dn == people.PREFIX + "0100000001000000-alice"
    got = {tag: alice.get(tag) for tag in (
        tags.PidTagAddressType, tags.PidTagEmailAddress, tags.PidTagSmtpAddress, tags.PidTagAccount,
        tags.PidTagDisplayType, tags.PidTagDisplayTypeEx, tags.PidTagObjectType, tags.PidTagTitle,
        tags.PidTagPrimaryTelephoneNumber, tags.PidTagAddressBookProxyAddresses, tags.PidTagInstanceKey,
    )}  # fmt: skip
    assert list(got.values()) == [
        "EX", alice.dn, "alice@example.test", "alice", 0, 0x40000000, 6, "Director", "+49 30 1234-56",
        ["SMTP:alice@example.test"], b"\x11\0\0\0",
    ]  # fmt: skip
    assert alice.get(tags.PidTagSearchKey) == b"EX:" + alice.dn.upper().encode() + b"\0"
    assert AddressBookEntryId.decode(permanent_id(alice)) == AddressBookEntryId(alice.dn, 0)
    home = alice.get(0x8006001F)
    assert isinstance(home, str) and home.endswith("@example.test/cn=Microsoft Private MDB")


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [(ROOM, (0, 7, 6)), (TEAM, (1, 0x40000009, 8)), (CHARLY, (6, 6, 6)), (people.INFO, (0, 0, 6))],
)
def test_display_types(book: Book, user_id: int, expected: tuple[int, int, int]) -> None:
    found = item(book, user_id)
    wanted = tags.PidTagDisplayType, tags.PidTagDisplayTypeEx, tags.PidTagObjectType
    assert tuple(found.get(tag) for tag in wanted) == expected


def test_a_contact_has_its_address_outside_and_no_mailbox(book: Book) -> None:
    charly = item(book, CHARLY)
    assert charly.get(tags.PidTagSmtpAddress) == "charly@outside.test"
    assert charly.get(tags.PidTagAddressBookTargetAddress) == "SMTP:charly@outside.test"
    assert charly.get(0x8006001F) is None


def test_numbers_stay_when_the_directory_changes(engine: Engine, admin: Admin, make: Callable[[], Snapshot]) -> None:
    people.fill(engine, admin)
    before = make().book(1, "Example")
    people.add(engine, 21, "aaron@example.test", "Aaron First")
    after = make().book(1, "Example")
    assert before is not None and after is not None
    assert item(before, ALICE).mid == item(after, ALICE).mid == 0x11
    assert item(before, ALICE).index + 1 == item(after, ALICE).index


def test_it_is_built_when_the_directory_has_changed(engine: Engine, admin: Admin, tmp_path: Path) -> None:
    people.fill(engine, admin)
    path = str(tmp_path / "addressbook")
    with engine.connect() as connection:
        assert build.refresh(connection, path, 1)
        assert not build.refresh(connection, path, 2)
    people.add(engine, 22, "new@example.test", "New")
    with engine.connect() as connection:
        assert build.refresh(connection, path, 3)
        assert build.stamp_of(path) == source.stamp(connection)


def test_an_empty_directory_has_an_empty_snapshot(make: Callable[[], Snapshot]) -> None:
    snapshot = make()
    assert len(snapshot) == 0
    assert snapshot.book(1, "Example") is None
    assert snapshot.of_address("a@example.test") == []


def test_a_damaged_file_is_none(book: Book, tmp_path: Path) -> None:
    path = tmp_path / "addressbook"
    whole = path.read_bytes()
    for at in (0, 9, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 0x55,)) + whole[at + 1 :])
        with pytest.raises(Damaged):
            Snapshot(str(path))
    for size in (0, 1, 24, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(Damaged):
            Snapshot(str(path))


def test_nothing_stays_behind_when_the_file_cannot_be_put_in_place(
    engine: Engine, admin: Admin, tmp_path: Path
) -> None:
    people.fill(engine, admin)
    target = tmp_path / "folder"
    target.mkdir()
    (target / "in the way").touch()
    with engine.connect() as connection, pytest.raises(OSError):
        build.build(connection, str(target), 1)
    assert [name for name in os.listdir(tmp_path) if name.endswith(".new")] == []


def test_odd_property_values_are_left_out(engine: Engine, admin: Admin, make: Callable[[], Snapshot]) -> None:
    people.fill(engine, admin)
    rows = [
        (0x3A40000B, "yes"), (0x8CA00003, "99999999999"), (0x3A420040, "-5"), (0x12340005, "x"), (0x3A05001F, "ok"),
        (0x3A06001E, "old form"),
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.execute(
            insert(schema.user_properties),
            [{"user_id": BOB, "proptag": tag, "order_id": 1, "propval_str": text} for tag, text in rows],
        )
    book = make().book(1, "Example")
    assert book is not None
    props = item(book, BOB).entry.props
    assert {tag: props.get(tag) for tag, _ in rows if tag != 0x3A06001E} == {
        0x3A40000B: None, 0x8CA00003: None, 0x3A420040: None, 0x12340005: None, 0x3A05001F: "ok",
    }  # fmt: skip
    assert props[0x3A06001F] == "old form"


def test_a_whole_name_is_found_among_many_that_begin_like_it(
    engine: Engine, admin: Admin, make: Callable[[], Snapshot]
) -> None:
    people.fill(engine, admin)
    for number in range(100, 160):
        people.add(engine, number, f"m{number}@example.test", f"A Many {number}")
    people.add(engine, 99, "m1@example.test", "Zora")
    book = make().book(1, "Example")
    assert book is not None
    assert names(book, book.resolve("m1")) == ["Zora"]
    assert names(book, book.resolve("=m1")) == ["Zora"]
    assert len(book.resolve("m")) > 1
    assert len(book.search("m", 1000)) == 62
    assert len(book.search("m", 5)) == 6
