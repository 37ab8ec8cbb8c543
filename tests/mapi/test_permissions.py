"""Rights on folders ([MS-OXCPERM] 2.2.7) and changes of them."""

from __future__ import annotations

from itertools import combinations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.permissions import (
    ALL_ACCESS,
    ALL_RIGHTS,
    CUSTOM,
    FOLDER_RIGHTS,
    IMPLIED,
    MEMBER_ANONYMOUS,
    MESSAGE_ACCESS,
    NO_RIGHTS,
    ROLES,
    Access,
    PermissionChange,
    PermissionData,
    PermissionDataFlags,
    Rights,
    access_level,
    changed_rights,
    closure,
    folder_access,
    message_access,
    missing,
    role_name,
    shown_rights,
)
from gromoxd.mapi.values import TaggedPropertyValue
from tests.mapi.structures.restrictions import ADD_PERMISSION, MODIFY_PERMISSION, REMOVE_PERMISSION

R = Rights


def test_roles() -> None:
    assert {name: int(rights) for name, rights in ROLES.items()} == {
        "Owner": 0x5FB,
        "PublishingEditor": 0x4FB,
        "Editor": 0x47B,
        "PublishingAuthor": 0x49B,
        "Author": 0x41B,
        "NoneditingAuthor": 0x413,
        "Reviewer": 0x401,
        "Contributor": 0x402,
        "None": 0,
    }
    for name, rights in ROLES.items():
        assert role_name(rights) == name
        assert role_name(rights | R.FolderContact | R.FreeBusySimple | R.FreeBusyDetailed) == name
        assert missing(rights) == ()
        assert closure(rights) == rights
    assert role_name(R.FolderVisible) == "None"
    assert role_name(R.ReadAny) == CUSTOM
    assert role_name(0x5E3) == CUSTOM


def test_what_rights_imply() -> None:
    assert missing(R.EditAny | R.ReadAny | R.FolderVisible) == ((R.EditAny, R.EditOwned),)
    assert missing(0x1FF & ~R.EditOwned & ~R.SendAs) == (
        (R.EditAny, R.EditOwned),
        (R.ReadAny, R.FolderVisible),
        (R.FolderOwner, R.FolderVisible),
    )
    assert closure(R.ReadAny) == R.ReadAny | R.FolderVisible
    assert closure(R.EditAny) == R.EditAny | R.EditOwned
    assert closure(R.DeleteAny) == R.DeleteAny | R.DeleteOwned
    assert closure(R.FreeBusyDetailed) == R.FreeBusyDetailed | R.FreeBusySimple
    assert closure(R.FolderOwner) == ALL_RIGHTS
    assert closure(R.SendAs | R.StoreOwner | 0x10000) == NO_RIGHTS


def test_closures_are_closed() -> None:
    bits = [bit for bit in R if bit & FOLDER_RIGHTS]
    for some in combinations(bits, 4):
        rights = R(0)
        for bit in some:
            rights |= bit
        closed = closure(rights)
        assert closed & rights == rights
        assert missing(closed) == ()
        assert closure(closed) == closed
    assert len(IMPLIED) == 5


def test_free_busy_bits_change_only_when_asked() -> None:
    old, new = R.ReadAny | R.FreeBusySimple, R.Create | R.FreeBusyDetailed
    assert changed_rights(old, new, include_free_busy=True) == new
    assert changed_rights(old, new, include_free_busy=False) == R.Create | R.FreeBusySimple
    assert changed_rights(0, -1 & 0xFFFFFFFF, include_free_busy=True) == FOLDER_RIGHTS
    assert shown_rights(0xC01, include_free_busy=True) == 0xC01
    assert shown_rights(0xC01, include_free_busy=False) == 0x401


@pytest.mark.parametrize(
    ("rights", "wanted"),
    [
        (ALL_RIGHTS, ALL_ACCESS),
        (R.FolderOwner, ALL_ACCESS),
        (ROLES["PublishingEditor"], 0x02 | 0x08 | 0x10 | 0x20),
        (ROLES["Author"], 0x02 | 0x10 | 0x20),
        (ROLES["Reviewer"], 0x02),
        (ROLES["Contributor"], 0x02 | 0x10 | 0x20),
        (R.FolderVisible, 0x02),
        (R.FreeBusyDetailed, 0),
        (NO_RIGHTS, 0),
    ],
)
def test_access_to_folders(rights: int, wanted: int) -> None:
    assert folder_access(rights) == wanted


@pytest.mark.parametrize(
    ("role", "foreign", "own"),
    [
        ("Owner", "MRD", "MRD"),
        ("PublishingEditor", "MRD", "MRD"),
        ("Editor", "MRD", "MRD"),
        ("PublishingAuthor", "R", "MRD"),
        ("Author", "R", "MRD"),
        ("NoneditingAuthor", "R", "RD"),
        ("Reviewer", "R", "R"),
        ("Contributor", "", "R"),
        ("None", "", "R"),
    ],
)
def test_access_to_messages(role: str, foreign: str, own: str) -> None:
    letters = {Access.Modify: "M", Access.Read: "R", Access.Delete: "D"}

    def shown(access: Access) -> str:
        return "".join(letter for bit, letter in letters.items() if bit in access)

    assert shown(message_access(ROLES[role], own=False)) == foreign
    assert shown(message_access(ROLES[role], own=True)) == own


def test_access_level() -> None:
    assert access_level(MESSAGE_ACCESS) == 1
    assert access_level(Access.Read | Access.Delete) == 0
    assert message_access(R.FolderOwner, own=False) == MESSAGE_ACCESS


def test_changes() -> None:
    add, modify, remove = map(PermissionData.decode, (ADD_PERMISSION, MODIFY_PERMISSION, REMOVE_PERMISSION))
    F = PermissionDataFlags
    assert add.property_values == ((p.PidTagEntryId, b"\1\2\3"), (p.PidTagMemberRights, 0x4FB))
    assert add.change == PermissionChange(F.AddRow, b"\1\2\3", None, ROLES["PublishingEditor"])
    assert modify.change == PermissionChange(F.ModifyRow, None, MEMBER_ANONYMOUS, ROLES["Reviewer"])
    assert remove.change == PermissionChange(F.RemoveRow, None, 5, NO_RIGHTS)
    for value, octets in ((add, ADD_PERMISSION), (modify, MODIFY_PERMISSION), (remove, REMOVE_PERMISSION)):
        assert value.encode() == octets
        for length in range(len(octets)):
            with pytest.raises(WireError):
                PermissionData.decode(octets[:length])


WHO = TaggedPropertyValue(p.PidTagEntryId, b"\1")
MEMBER = TaggedPropertyValue(p.PidTagMemberId, 5)
SOME = TaggedPropertyValue(p.PidTagMemberRights, 1)


@pytest.mark.parametrize(
    ("flags", "values"),
    [(0, (WHO, SOME)), (3, (WHO, SOME)), (1, (SOME,)), (1, (WHO,)), (2, (WHO, SOME)), (2, (MEMBER,)), (4, (WHO,))],
)
def test_changes_without_what_they_need(flags: int, values: tuple[TaggedPropertyValue, ...]) -> None:
    data = PermissionData(flags, values)
    assert PermissionData.decode(data.encode()) == data
    with pytest.raises(WireError):
        _ = data.change


def test_added_members_have_no_id_yet() -> None:
    assert PermissionData(1, (WHO, MEMBER, SOME)).change.member_id is None
