"""The operations of [MS-OXNSPI] 3.1.4.1."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest

from gromoxd.addressbook.entry import Collection, container_mid, mid_of
from gromoxd.addressbook.properties import permanent_id
from gromoxd.addressbook.reader import Book
from gromoxd.errors import Ec, MapiError
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.entryids import MUID_EMSAB, AddressBookEntryId, EphemeralEntryId
from gromoxd.mapi.restrictions import And, BitMask, Content, Exist, Not, Or, Property, Restriction, Size, SubObject
from gromoxd.mapi.rows import NOT_FOUND
from gromoxd.mapi.values import PropError, TaggedPropertyValue, TypedPropertyValue
from gromoxd.nspi.cells import DEFAULT_COLUMNS
from gromoxd.nspi.session import Session, server_guid
from gromoxd.nspi.stat import SortType, Stat
from tests.addressbook import people
from tests.addressbook.people import ALICE, BOB, CHARLY, EVERYBODY, GHOST, INFO, ROOM, TEAM, ZOE
from tests.nspi.fixtures import Mailboxes

NAME, NAME8 = tags.PidTagDisplayName, tags.PidTagDisplayName - 1
ORDER = [ALICE, ROOM, BOB, CHARLY, EVERYBODY, INFO, TEAM]
"""The global address list."""


def mids(*user_ids: int) -> tuple[int, ...]:
    return tuple(map(mid_of, user_ids))


def fails(code: Ec) -> AbstractContextManager[Any]:
    return pytest.raises(MapiError, match=f"^{code.name}")


def test_binding(session: Session) -> None:
    assert session.bind(Stat()) == server_guid("Example") != server_guid("Other")
    with fails(Ec.ecUnknownCodePage):
        session.bind(Stat(code_page=0x4B0))
    with fails(Ec.ecUnknownCodePage):
        session.bind(Stat(code_page=12345))
    for code_page in (0, 0x4F25, 65001):
        assert session.bind(Stat(code_page=code_page)) == session.guid


@pytest.mark.parametrize(
    ("stat", "row", "delta"),
    [
        (Stat(), 0, 0),
        (Stat(delta=2), 2, 2),
        (Stat(delta=100), 7, 7),
        (Stat(current_rec=2), 7, 0),
        (Stat(current_rec=2, delta=-1), 6, -1),
        (Stat(current_rec=2, delta=-100), 0, -7),
        (Stat(current_rec=mid_of(BOB)), 2, 0),
        (Stat(current_rec=mid_of(BOB), delta=-1), 1, -1),
        (Stat(current_rec=1, num_pos=1, total_recs=2), 3, 0),
        (Stat(current_rec=1, num_pos=9, total_recs=2), 7, 0),
        (Stat(current_rec=1, num_pos=1, total_recs=2, delta=1), 4, 1),
        (Stat(current_rec=1, num_pos=0, total_recs=0), 0, 0),
    ],
)
def test_positions(session: Session, stat: Stat, row: int, delta: int) -> None:
    found, moved = session.update_stat(stat)
    current = mid_of(ORDER[row]) if row < len(ORDER) else 2
    assert (found.num_pos, found.current_rec, found.total_recs, found.delta, moved) == (row, current, 7, 0, delta)


@pytest.mark.parametrize(
    ("stat", "code"),
    [
        (Stat(container_id=0x999), Ec.ecInvalidBookmark),
        (Stat(current_rec=mid_of(GHOST)), Ec.ecNotFound),
        (Stat(current_rec=mid_of(ZOE)), Ec.ecNotFound),
        (Stat(code_page=0x4B0), Ec.ecUnknownCodePage),
        (Stat(sort_type=9), Ec.ecError),
        (Stat(container_id=container_mid(Collection.ROOMS), current_rec=mid_of(BOB)), Ec.ecNotFound),
    ],
)
def test_positions_that_are_none(session: Session, stat: Stat, code: Ec) -> None:
    with fails(code):
        session.update_stat(stat)


def test_rows_come_page_by_page(session: Session) -> None:
    stat, seen = Stat(), []
    for _ in range(4):
        stat, rows = session.query_rows(0, stat, (), 3, (NAME, tags.PidTagTitle))
        seen.append([row[0] for row in rows.rows])
    assert seen == [
        ["Alice Example", "Big Room", "Bob Müller"], ["Charly Contact", "Everybody", "Information"], ["Team"], [],
    ]  # fmt: skip
    assert (stat.current_rec, stat.num_pos, stat.total_recs) == (2, 7, 7)


def test_a_missing_property_is_an_error_in_its_cell(session: Session) -> None:
    _, rows = session.query_rows(0, Stat(), (), 2, (tags.PidTagTitle,))
    assert rows.rows == [["Director"], [NOT_FOUND]]


def test_strings_come_in_the_client_s_code_page(session: Session) -> None:
    columns = (NAME8, tags.PidTagAddressBookProxyAddresses - 1, NAME & 0xFFFF0000)
    _, rows = session.query_rows(0, Stat(current_rec=mid_of(BOB), code_page=1252), (), 1, columns)
    assert rows.rows == [
        [b"Bob M\xfcller", [b"SMTP:bob@example.test", b"smtp:bobby@example.test"],
         TypedPropertyValue(0x1E, b"Bob M\xfcller")]
    ]  # fmt: skip
    _, rows = session.query_rows(0, Stat(current_rec=mid_of(BOB), code_page=65001), (), 1, columns)
    assert rows.rows[0][0] == "Bob Müller".encode()


def test_columns_by_default(session: Session) -> None:
    _, rows = session.query_rows(0, Stat(), (), 1, None)
    assert rows.columns == (0xFFFD0003, 0x0FFE0003, 0x39000003, 0x3001001E, 0x3A1A001E, 0x3A18001E, 0x3A19001E)
    assert rows.rows == [[0, 6, 0, b"Alice Example", b"+49 30 1234-56", NOT_FOUND, b"Room 12"]]


def test_an_explicit_table_has_its_own_order_and_objects_in_no_list(session: Session) -> None:
    stat = Stat(num_pos=5)
    asked = (*mids(TEAM, GHOST, ALICE, ZOE), 0x7777)
    found, rows = session.query_rows(0, stat, asked, 10, (NAME,))
    assert rows.rows == [["Team"], ["Ghost"], ["Alice Example"], [NOT_FOUND], [NOT_FOUND]]
    assert found == stat
    assert len(session.query_rows(0, stat, asked, 2, (NAME,))[1].rows) == 2


def test_answers_are_bounded_and_positions_tell_it(session: Session) -> None:
    columns = (0x3003001F,) * 500
    asked = mids(ALICE, BOB) * 100
    _, rows = session.query_rows(0, Stat(), asked, 500, columns)
    assert 5 < len(rows.rows) < 30
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("gromoxd.nspi.session.MOST_OCTETS", 100)
        stat, rows = session.query_rows(0, Stat(), (), 5, (NAME, 0x3003001F))
    assert (len(rows.rows), stat.num_pos, stat.current_rec) == (1, 1, mid_of(ROOM))
    with fails(Ec.ecTableTooBig):
        session.resolve_names(Stat(), ["a"] * 900, columns)


def test_entry_ids_are_permanent_or_ephemeral(session: Session, book: Book) -> None:
    alice = book.of_user(ALICE)
    assert alice is not None
    for flags, expected in ((0, permanent_id(alice)), (2, EphemeralEntryId(session.guid, alice.mid, 0).encode())):
        assert session.query_rows(flags, Stat(), (), 1, (tags.PidTagEntryId,))[1].rows == [[expected]]


def test_no_rows_are_asked_for(session: Session) -> None:
    with fails(Ec.ecInvalidParam):
        session.query_rows(0, Stat(), (), 0, None)
    with fails(Ec.ecTableTooBig):
        session.query_rows(0, Stat(), (), 1, (NAME,) * 501)
    assert session.query_rows(0, Stat(), mids(BOB, TEAM), 0, (NAME,))[1].rows == [["Bob Müller"]]


@pytest.mark.parametrize(
    ("name", "user_id"), [("", ALICE), ("big", ROOM), ("BOB MU", BOB), ("bob müller", BOB), ("c", CHARLY), ("f", INFO)]
)
def test_seeking(session: Session, name: str, user_id: int) -> None:
    stat, rows = session.seek_entries(Stat(), TaggedPropertyValue(NAME, name), None, None)
    assert (stat.current_rec, stat.num_pos, rows) == (mid_of(user_id), ORDER.index(user_id), None)
    target = TaggedPropertyValue(NAME8, name.encode("cp1252"))
    stat, rows = session.seek_entries(Stat(), target, None, (NAME,))
    assert stat.current_rec == mid_of(user_id)
    assert rows is not None and len(rows.rows) == 7 - ORDER.index(user_id)


def test_seeking_in_an_explicit_table(session: Session) -> None:
    target = TaggedPropertyValue(NAME, "bo")
    stat, rows = session.seek_entries(Stat(), target, (*mids(ALICE), 0x77, *mids(BOB, TEAM)), (NAME,))
    assert (stat.current_rec, stat.num_pos, stat.total_recs) == (mid_of(BOB), 2, 4)
    assert rows is not None and rows.rows == [["Bob Müller"], ["Team"]]


def test_seeking_too_far_or_something_else(session: Session) -> None:
    with fails(Ec.ecNotFound):
        session.seek_entries(Stat(), TaggedPropertyValue(NAME, "zzz"), None, None)
    with fails(Ec.ecNotFound):
        session.seek_entries(Stat(), TaggedPropertyValue(NAME, "zzz"), mids(BOB), None)
    with fails(Ec.ecError):
        session.seek_entries(Stat(), TaggedPropertyValue(tags.PidTagTitle, "a"), None, None)
    phonetic = TaggedPropertyValue(tags.PidTagAddressBookPhoneticDisplayName, "a")
    with fails(Ec.ecError):
        session.seek_entries(Stat(SortType.PHONETIC), phonetic, None, None)


ANR = tags.PidTagAnr


@pytest.mark.parametrize(
    ("restriction", "expected"),
    [
        (Property(4, ANR, "bob"), [BOB]),
        (Content(2, 1, ANR - 1, b"M\xfcller"), [BOB]),
        (And((Property(4, ANR, "b"), Property(4, tags.PidTagDisplayTypeEx, 7))), [ROOM]),
        (Or((Property(4, ANR, "alice"), Property(4, ANR, "team"))), [ALICE, TEAM]),
        (And((Property(4, ANR, "b"), Not(Property(4, ANR, "bob")))), [ROOM]),
        (Property(4, ANR, "ghost"), []),
        (Property(4, tags.PidTagObjectType, 8), [EVERYBODY, TEAM]),
        (Content(2, 1, NAME, "bob m"), [BOB]),
        (Content(1, 1, NAME, "EXAM"), [ALICE]),
        (Property(4, tags.PidTagSmtpAddress, "charly@outside.test"), [CHARLY]),
        (Property(4, tags.PidTagEmailAddress, people.PREFIX + "0100000002000000-bob"), [BOB]),
        (Exist(tags.PidTagTitle), [ALICE]),
        (BitMask(1, tags.PidTagDisplayTypeEx, 0x40000000), [ALICE, BOB, EVERYBODY, TEAM]),
        (Size(4, tags.PidTagInstanceKey, 4), ORDER),
        (And(()), ORDER),
        (Or(()), []),
    ],
)
def test_restrictions(session: Session, restriction: Restriction, expected: list[int]) -> None:
    stat = Stat(SortType.PHONETIC, num_pos=3, total_recs=5)
    found = session.get_matches(stat, restriction, None, 100, (NAME,))
    assert found.mids == mids(*expected)
    assert found.rows is not None and len(found.rows.rows) == len(expected)
    assert found.stat == stat


def test_matches_in_a_list_only(session: Session) -> None:
    stat = Stat(container_id=container_mid(Collection.ROOMS))
    assert session.get_matches(stat, Property(4, ANR, "b"), None, 100, None).mids == mids(ROOM)
    assert session.get_matches(stat, And(()), None, 100, None).mids == mids(ROOM)


@pytest.mark.parametrize(
    ("restriction", "count", "code"),
    [
        (And(()), 6, Ec.ecTableTooBig),
        (And(()), 0, Ec.ecTableTooBig),
        (None, 9, Ec.ecError),
        (SubObject(tags.PidTagMessageRecipients, Exist(NAME)), 9, Ec.ecTooComplex),
        (And((Exist(NAME),) * 300), 9, Ec.ecTooComplex),
    ],
)
def test_matches_that_are_refused(session: Session, restriction: Restriction | None, count: int, code: Ec) -> None:
    with fails(code):
        session.get_matches(Stat(), restriction, None, count, None)


def test_members_and_groups_are_tables_of_objects(session: Session) -> None:
    stat = Stat(current_rec=mid_of(TEAM))
    found = session.get_matches(stat, None, tags.PidTagAddressBookMember >> 16, 100, (NAME,))
    assert found.mids == mids(ALICE, BOB)
    assert found.rows is not None and found.rows.rows == [["Alice Example"], ["Bob Müller"]]
    assert found.stat.container_id == mid_of(TEAM)
    stat = Stat(SortType.DISPLAY_NAME_RO, 0x8008000D, mid_of(ALICE))
    assert session.get_matches(stat, None, None, 100, None).mids == mids(EVERYBODY, TEAM)
    stat = Stat(SortType.DISPLAY_NAME_W, tags.PidTagAddressBookPublicDelegates, mid_of(ALICE))
    assert session.wants_mailbox(stat, None, None)
    assert not session.wants_mailbox(stat, And(()), None)
    assert session.get_matches(stat, None, None, 100, None).mids == mids(BOB)
    stat = Stat(container_id=tags.PidTagContainerContents, current_rec=mid_of(TEAM))
    assert session.get_matches(stat, None, None, 100, None).mids == mids(ALICE, BOB)


def test_tables_to_be_changed_are_the_own_delegates(session: Session) -> None:
    for tag, user_id in ((0x8009000D, TEAM), (tags.PidTagAddressBookPublicDelegates, BOB)):
        with fails(Ec.ecNotSupported):
            session.get_matches(Stat(SortType.DISPLAY_NAME_W, tag, mid_of(user_id)), None, None, 100, None)


def test_links_of_nobody_and_of_no_kind(session: Session) -> None:
    with fails(Ec.ecError):
        session.get_matches(Stat(current_rec=mid_of(ZOE)), None, 0x8009, 9, None)
    with fails(Ec.ecNotSupported):
        session.get_matches(Stat(current_rec=mid_of(BOB)), None, 0x3001, 9, None)
    with fails(Ec.ecTableTooBig):
        session.get_matches(Stat(current_rec=mid_of(TEAM)), None, 0x8009, 1, None)


def test_names_are_resolved(session: Session) -> None:
    names = ["alice", "b", "nobody", "BOBBY@example.test", "zoe@other.test", ""]
    found, rows = session.resolve_names(Stat(), names, (NAME,))
    assert found == (2, 1, 0, 2, 0, 0)
    assert rows.rows == [["Alice Example"], ["Bob Müller"]]
    assert session.resolve_names(Stat(), [], None)[1].columns == DEFAULT_COLUMNS
    rooms = Stat(container_id=container_mid(Collection.ROOMS))
    assert session.resolve_names(rooms, ["b", "alice"], (NAME,))[0] == (2, 0)


def test_dns_become_numbers(session: Session, book: Book) -> None:
    dns = [
        people.PREFIX.upper() + "0100000001000000-ALICE", people.PREFIX + "0200000008000000-zoe", "/o=x", "/",
        people.PREFIX + "0100000007000000-ghost",
    ]  # fmt: skip
    assert session.dn_to_mid(dns) == (mid_of(ALICE), 0, 0, 0, mid_of(GHOST))
    rows = session.get_special_table(4, Stat(), 0)[1]
    ids = [dict(row.values)[tags.PidTagEntryId] for row in rows]
    for entryid, listed in zip(ids, rows, strict=True):
        assert isinstance(entryid, bytes)
        dn = AddressBookEntryId.decode(entryid).dn
        assert session.dn_to_mid([dn]) == (dict(listed.values)[tags.PidTagAddressBookContainerId],)


def test_comparing_resorting(session: Session) -> None:
    assert session.compare_mids(Stat(), *mids(ALICE, BOB)) == -1
    assert session.compare_mids(Stat(), *mids(TEAM, BOB)) == 1
    assert session.compare_mids(Stat(), *mids(BOB, BOB)) == 0
    with fails(Ec.ecError):
        session.compare_mids(Stat(), *mids(GHOST, BOB))
    stat, order = session.resort(Stat(current_rec=mid_of(BOB)), (*mids(TEAM, BOB, ALICE, ZOE), 5))
    assert order == mids(ALICE, BOB, TEAM)
    assert (stat.current_rec, stat.num_pos, stat.total_recs) == (mid_of(BOB), 1, 3)
    stat, _ = session.resort(Stat(container_id=mid_of(TEAM), current_rec=0x55), mids(TEAM))
    assert (stat.container_id, stat.current_rec, stat.num_pos) == (mid_of(TEAM), 0, 0)
    with fails(Ec.ecError):
        session.resort(Stat(SortType.PHONETIC), mids(TEAM))


def test_properties_of_one_object(session: Session) -> None:
    columns = (NAME, tags.PidTagTitle, tags.PidTagThumbnailPhoto, tags.PidTagDepartmentName - 1)
    code, row = session.get_props(0, Stat(current_rec=mid_of(BOB)), columns)
    assert code == Ec.ecErrorsReturned
    assert row.values == (
        (NAME, "Bob Müller"), (0x3A17000A, Ec.ecNotFound), (tags.PidTagThumbnailPhoto, b"\xff\xd8jpeg"),
        (0x3A18001E, b"Sales"),
    )  # fmt: skip
    code, row = session.get_props(0, Stat(current_rec=mid_of(ALICE)), (NAME,))
    assert (code, row.values) == (Ec.ecNone, ((NAME, "Alice Example"),))


def test_all_properties_of_one_object(session: Session) -> None:
    listed = session.get_prop_list(0, mid_of(TEAM), 1252)
    assert {NAME8, tags.PidTagAddressBookMember, 0x8009101E, tags.PidTagSmtpAddress - 1} <= set(listed)
    assert listed == session.get_prop_list(0, mid_of(TEAM), 0x4B0)
    assert tags.PidTagAddressBookMember not in session.get_prop_list(1, mid_of(TEAM), 0x4B0)
    code, row = session.get_props(0, Stat(current_rec=mid_of(TEAM)), None)
    assert code == Ec.ecNone
    assert [value.tag for value in row.values] == listed
    code, row = session.get_props(0, Stat(current_rec=mid_of(TEAM), code_page=0x4B0), None)
    assert (code, len(row.values)) == (Ec.ecNone, len(listed))
    assert NAME in [value.tag for value in row.values]


REQUIRED = (
    tags.PidTagObjectType, tags.PidTagInitialDetailsPane, tags.PidTagAddressBookDisplayNamePrintable,
    tags.PidTagAddressBookContainerId, tags.PidTagEntryId, tags.PidTagInstanceKey, tags.PidTagSearchKey,
    tags.PidTagRecordKey, tags.PidTagAddressType, tags.PidTagEmailAddress, tags.PidTagDisplayType,
    tags.PidTagTemplateid, tags.PidTagTransmittableDisplayName, tags.PidTagDisplayName, tags.PidTagMappingSignature,
    tags.PidTagAddressBookObjectDistinguishedName,
)  # fmt: skip
"""[MS-OXNSPI] 3.1.4.2."""
OF_LISTS = (tags.PidTagContainerContents, tags.PidTagContainerFlags)


@pytest.mark.parametrize("user_id", ORDER)
def test_every_object_has_what_is_required(session: Session, user_id: int) -> None:
    code, _ = session.get_props(0, Stat(current_rec=mid_of(user_id)), REQUIRED)
    assert code == Ec.ecNone
    code, row = session.get_props(0, Stat(current_rec=mid_of(user_id)), OF_LISTS)
    if user_id in (EVERYBODY, TEAM):
        assert (code, row.values[1].value) == (Ec.ecNone, 9)
    else:
        assert code == Ec.ecErrorsReturned


def test_properties_of_nobody(session: Session) -> None:
    with fails(Ec.ecInvalidObject):
        session.get_prop_list(0, mid_of(ZOE), 1252)
    with fails(Ec.ecInvalidObject):
        session.get_props(0, Stat(current_rec=mid_of(ZOE)), None)
    with fails(Ec.ecUnknownCodePage):
        session.get_props(0, Stat(current_rec=mid_of(BOB), code_page=0x4B0), (NAME8,))
    code, row = session.get_props(0, Stat(current_rec=mid_of(ZOE)), (NAME,))
    assert (code, row.values) == (Ec.ecErrorsReturned, ((0x3001000A, Ec.ecNotFound),))


def test_columns_that_there_are(session: Session) -> None:
    assert NAME in session.query_columns(0x80000000)
    assert NAME8 in session.query_columns(0)
    assert NAME not in session.query_columns(0)


def test_the_hierarchy(session: Session) -> None:
    version, rows = session.get_special_table(4, Stat(template_locale=0x407), 0)
    shown = [
        tuple(dict(row.values).get(tag) for tag in (NAME, tags.PidTagDepth, tags.PidTagContainerFlags)) for row in rows
    ]
    assert shown == [
        ("Globale Adressliste", 0, 9), ("Alle Adresslisten", 0, 10), ("Alle Benutzer", 1, 9), ("Alle Kontakte", 1, 9),
        ("Alle Räume", 1, 9), ("Alle Verteilerlisten", 1, 9), ("example.test", 1, 9),
    ]  # fmt: skip
    first = dict(rows[0].values)
    assert first[tags.PidTagEntryId] == bytes(4) + MUID_EMSAB + b"\1\0\0\0\0\1\0\0/\0"
    parents = [dict(row.values).get(tags.PidTagAddressBookParentEntryId) for row in rows]
    root = dict(rows[1].values)[tags.PidTagEntryId]
    assert parents == [None, None, root, root, root, root, root]
    assert session.get_special_table(4, Stat(), version) == (version, [])
    rows8 = session.get_special_table(0, Stat(template_locale=0x409), 0)[1]
    assert dict(rows8[0].values)[NAME8] == b"Global Address List"


def test_each_list_of_the_hierarchy_can_be_read(session: Session) -> None:
    rows = session.get_special_table(4, Stat(), 0)[1]
    sizes = []
    for row in rows:
        mid = dict(row.values)[tags.PidTagAddressBookContainerId]
        assert isinstance(mid, int)
        sizes.append(len(session.query_rows(0, Stat(container_id=mid), (), 50, (NAME,))[1].rows))
    assert sizes == [7, 0, 1, 2, 1, 3, 7]


def test_internet_addresses_can_be_made(session: Session) -> None:
    rows = session.get_special_table(2 | 4, Stat(), 0)[1]
    assert rows == session.get_special_table(2, Stat(), 0)[1]
    row = dict(rows[0].values)
    assert (row[tags.PidTagAddressType - 1], row[NAME8]) == (b"SMTP", b"Internet Address")
    entryid = row[tags.PidTagEntryId]
    assert isinstance(entryid, bytes)
    dn = AddressBookEntryId.decode(entryid).dn
    english = session.get_template_info(1, 0, dn, 1252, 0x409)
    assert english.values[0].tag == tags.PidTagTemplateData
    assert session.get_template_info(1, 6, dn, 1252, 0x407) == english
    german = session.get_template_info(1, 0, dn.replace("/cn=409/", "/cn=407/"), 1252, 0x409)
    assert german != english
    with fails(Ec.ecUnknownLcid):
        session.get_template_info(1, 0, dn.replace("/cn=409/", "/cn=x/"), 1252, 0x409)


def test_own_delegates_are_changed(session: Session, mailboxes: Mailboxes, book: Book) -> None:
    info, bob = book.of_user(INFO), book.of_user(BOB)
    assert info is not None and bob is not None
    tag, me = tags.PidTagAddressBookPublicDelegates, mid_of(ALICE)
    session.mod_link_att(0, tag, me, [EphemeralEntryId(session.guid, info.mid).encode()])
    session.mod_link_att(0, tag, me, [permanent_id(bob)])
    session.mod_link_att(1, tag, me, [permanent_id(bob)])
    assert mailboxes.set == [["bob@example.test", "info@example.test"], []]


def test_nothing_else_is_changed(session: Session, mailboxes: Mailboxes, book: Book) -> None:
    bob = book.of_user(BOB)
    assert bob is not None
    entryids, delegates = [permanent_id(bob)], tags.PidTagAddressBookPublicDelegates
    with fails(Ec.ecAccessDenied):
        session.mod_link_att(0, delegates, bob.mid, entryids)
    with fails(Ec.ecAccessDenied):
        session.mod_link_att(0, tags.PidTagAddressBookMember, mid_of(TEAM), entryids)
    with fails(Ec.ecNotFound):
        session.mod_link_att(0, NAME, mid_of(ZOE), entryids)
    with fails(Ec.ecInvalidParam):
        session.mod_link_att(0, delegates, mid_of(ZOE), entryids)
    with fails(Ec.ecAccessDenied):
        session.mod_link_att(0, delegates, mid_of(ALICE), [b"\x87", *entryids])
    with fails(Ec.ecAccessDenied):
        session.mod_props(Stat(current_rec=mid_of(ALICE)), (), ())
    with fails(Ec.ecInvalidParam):
        session.mod_props(Stat(current_rec=mid_of(ALICE)), None, ())
    with fails(Ec.ecInvalidParam):
        session.mod_props(Stat(current_rec=mid_of(ZOE)), (), ())
    assert mailboxes.set == []


def test_a_user_who_is_new_sees_the_book_and_changes_nothing(book: Book, mailboxes: Mailboxes) -> None:
    session = Session(book, None, mailboxes)
    assert session.update_stat(Stat())[0].total_recs == 7
    with fails(Ec.ecAccessDenied):
        session.mod_link_att(0, tags.PidTagAddressBookPublicDelegates, mid_of(ALICE), [])
    assert PropError(Ec.ecNotFound) == NOT_FOUND
