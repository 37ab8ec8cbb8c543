"""Permissions through their table and RopModifyPermissions."""

from __future__ import annotations

import pytest

from gromoxd.directory.errors import AmbiguousName
from gromoxd.directory.model import MailingList, User
from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import AddressBookEntryId, DisplayType, OneOffEntryId, one_off, parse_entryid
from gromoxd.mapi.permissions import PermissionData
from gromoxd.mapi.values import TaggedPropertyValue
from gromoxd.rop import rights as rr
from gromoxd.rop import tables as rt
from tests.emsmdb.world import ALICE, BOB, CALENDAR, INBOX, Client, EmsmdbWorld
from workers.http.emsmdb.tableobject import TableObject

COLUMNS = [p.PidTagMemberName, p.PidTagMemberRights, p.PidTagEntryId, p.PidTagMemberId]


def rows(client: Client, fid: int, flags: int = 0) -> list[list[object]]:
    """The permissions table as the client sees it."""
    client.folder(fid, 1)
    client.one(rr.GetPermissionsTable(0, 1, 2, flags), rr.GetPermissionsTableResponse)
    table = client.session.objects[client.handles[2]]
    assert isinstance(table, TableObject)
    table.set_columns(COLUMNS, 1252)
    columns = table.shown()
    return [row[:4] for row in table._read(columns, 0, 100)]


def change(flags: int, **values: object) -> PermissionData:
    tags = {"entry_id": p.PidTagEntryId, "member_id": p.PidTagMemberId, "rights": p.PidTagMemberRights}
    return PermissionData(flags, tuple([TaggedPropertyValue(tags[name], value) for name, value in values.items()]))  # type: ignore[arg-type]


def modify(client: Client, *changes: PermissionData, flags: int = 0) -> int:
    (found,) = client.run(rr.ModifyPermissions(0, 1, flags, list(changes)))
    return found.code


def ab(world: EmsmdbWorld, name: str) -> bytes:
    return AddressBookEntryId(world.site.people.dn_of(world.directory.all_users[name])).encode()


def test_who_is_always_there(alice: Client) -> None:
    assert rows(alice, INBOX) == [["", 0, b"", 0], ["Anonymous", 0, b"", -1]]


def test_members_come_by_entry_ids_and_are_shown_so(world: EmsmdbWorld, alice: Client) -> None:
    world.directory.names[BOB] = "Bob Builder"
    alice.folder(INBOX, 1)
    elsewhere = one_off("Eve", "eve@example.org")
    assert modify(alice, change(1, entry_id=ab(world, BOB), rights=0x401)) == 0
    assert modify(alice, change(1, entry_id=elsewhere, rights=0x41B)) == 0
    shown = rows(alice, INBOX)[2:]
    assert [row[:2] for row in shown] == [["Bob Builder", 0x401], ["eve@example.org", 0x41B]]
    assert shown[0][2] == ab(world, BOB)
    assert isinstance(shown[1][2], bytes)
    assert "eve@example.org" in str(parse_entryid(shown[1][2]))
    member = shown[0][3]
    assert modify(alice, change(2, member_id=member, rights=0x5FB)) == 0
    assert rows(alice, INBOX)[2][1] == 0x5FB
    assert modify(alice, change(4, member_id=member)) == 0
    assert [row[0] for row in rows(alice, INBOX)[2:]] == ["eve@example.org"]


def test_lists_and_names_of_several(world: EmsmdbWorld, alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    team = User(20, "team@example.test", 7, "", display_type=1)
    world.directory.all_users[team.username] = team
    world.directory.lists[team.username] = MailingList(1, team.username, 0, 0, [BOB], [])
    for name in (team.username, BOB):
        world.grant(INBOX, name, 0x401)
    ask = world.directory.find_or_none

    def ambiguous(name: str) -> User | None:
        if name == BOB:
            raise AmbiguousName(name)
        return ask(name)

    monkeypatch.setattr(world.directory, "find_or_none", ambiguous)
    shown = {row[0]: row[2] for row in rows(alice, INBOX)[2:]}
    listed, bob = shown[team.username], shown[BOB]
    assert isinstance(listed, bytes)
    assert isinstance(bob, bytes)
    found = parse_entryid(listed)
    assert isinstance(found, AddressBookEntryId)
    assert (found.kind, found.dn) == (DisplayType.DISTRIBUTION_LIST, world.site.people.dn_of(team))
    assert isinstance(parse_entryid(bob), OneOffEntryId)
    monkeypatch.undo()
    alice.folder(INBOX, 1)
    assert modify(alice, change(1, entry_id=listed, rights=0x41B)) == 0
    assert {row[0]: row[1] for row in rows(alice, INBOX)[2:]}[team.username] == 0x41B


def test_all_are_replaced(world: EmsmdbWorld, alice: Client) -> None:
    world.grant(INBOX, "eve@example.org", 0x401)
    alice.folder(INBOX, 1)
    new = [change(1, entry_id=b"", member_id=0, rights=0x400), change(1, entry_id=b"", member_id=-1, rights=0x402)]
    assert modify(alice, *new, change(1, entry_id=ab(world, BOB), rights=0x401), flags=1) == 0
    assert [row[:2] for row in rows(alice, INBOX)] == [["", 0x400], ["Anonymous", 0x402], [BOB, 0x401]]


def test_free_busy_rights(world: EmsmdbWorld, alice: Client) -> None:
    assert rows(alice, CALENDAR)[0][1] == 0x400
    assert rows(alice, CALENDAR, 2)[0][1] == 0xC00


def test_changes_of_who_is_not_there_are_passed_over(world: EmsmdbWorld, alice: Client) -> None:
    """[MS-OXCPERM] 3.2.5.2: two clients edit the list at once, and both get what they can."""
    alice.folder(INBOX, 1)
    added = change(1, entry_id=ab(world, BOB), rights=0x401)
    assert modify(alice, change(2, member_id=99, rights=1), change(4, member_id=98), added) == 0
    assert world.account().call(x.GetRights(INBOX, BOB)).rights == 0x401


def test_what_is_refused(world: EmsmdbWorld, alice: Client, bob: Client) -> None:
    alice.folder(INBOX, 1)
    nobody = AddressBookEntryId("/o=x/cn=Recipients/cn=nobody").encode()
    assert modify(alice, change(1, entry_id=nobody, rights=1)) == Ec.ecUnknownUser
    assert modify(alice, change(1, entry_id=b"123", rights=1)) == Ec.ecInvalidParam
    assert modify(alice, change(3, entry_id=ab(world, BOB), rights=1)) == Ec.ecInvalidParam
    world.grant(INBOX, BOB, 0x401)
    bob.logon(1, 1, world.alice)
    bob.folder(INBOX, 2, 1, 1)
    assert bob.fails(rr.GetPermissionsTable(1, 2, 3, 0)) == Ec.ecAccessDenied
    assert bob.run(rr.ModifyPermissions(1, 2, 0, [change(1, entry_id=ab(world, BOB), rights=0x5FB)]))[0].code == (
        Ec.ecAccessDenied
    )
    assert world.account().call(x.GetRights(INBOX, BOB)).rights == 0x401
    assert world.account(ALICE).call(x.GetPermissions(INBOX))[0].rights == 0


def test_what_a_permissions_table_is_not_for(alice: Client) -> None:
    alice.folder(INBOX, 1)
    alice.one(rr.GetPermissionsTable(0, 1, 2, 0), rr.GetPermissionsTableResponse)
    for refused in (rt.CreateBookmark(0, 2), rt.Restrict(0, 2, 0, b""), rt.FindRow(0, 2, 0, b"", 0, b"")):
        assert alice.fails(refused) == Ec.ecNotSupported, refused
