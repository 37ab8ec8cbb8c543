"""Permissions of folders: the table, what rights come of it, delegates, and what guests may do with mail calls."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.access import ADD, MODIFY, REMOVE, Member, ModifyPermissions, PermissionChange
from gromoxd.exmdb.pages import DELETED, SEEN
from store import access as a
from tests.store.conftest import ALL, INBOX, OWNER, SENT, Harness, mail, new

CALENDAR, FREE_BUSY = 0x0F, 0x18
BOB, CAROL, TEAM = "bob@example.test", "carol@example.test", "team@example.test"
EDITOR, REVIEWER = 0x47B, 0x401


def grant(box: Harness, fid: int, name: str, rights: int, **more: object) -> None:
    box.call(ModifyPermissions(fid, [PermissionChange(ADD, name=name, rights=rights)], **more))  # type: ignore[arg-type]


def members(box: Harness, fid: int, actor: str = OWNER) -> list[Member]:
    found: list[Member] = box.call(x.GetPermissions(fid), actor=actor)
    return found


def rights(box: Harness, fid: int, user: str) -> int:
    return int(box.call(x.GetRights(fid, user)).rights)


def test_the_two_that_are_always_there(box: Harness) -> None:
    assert members(box, INBOX) == [Member(0, "default", 0), Member(-1, "", 0)]
    assert members(box, CALENDAR) == [Member(0, "default", 0xC00), Member(-1, "", 0)]
    assert members(box, FREE_BUSY)[0] == Member(0, "default", 0x800)


def test_add_modify_remove(box: Harness) -> None:
    grant(box, INBOX, "Bob@Example.Test", REVIEWER)
    grant(box, INBOX, CAROL, EDITOR)
    _, _, bob, carol = members(box, INBOX)
    assert (bob.name, bob.rights, carol.name, carol.rights) == (BOB, REVIEWER, CAROL, EDITOR)
    assert bob.member_id > 0 and carol.member_id > 0 and bob.member_id != carol.member_id
    changes = [PermissionChange(MODIFY, bob.member_id, rights=EDITOR), PermissionChange(REMOVE, carol.member_id)]
    box.call(ModifyPermissions(INBOX, changes))
    assert members(box, INBOX)[2:] == [Member(bob.member_id, BOB, EDITOR)]
    grant(box, INBOX, CAROL, REVIEWER)
    assert members(box, INBOX)[3].member_id not in (carol.member_id, bob.member_id)
    box.reopen()
    assert rights(box, INBOX, BOB) == EDITOR


def test_adding_one_that_is_there_changes_it(box: Harness) -> None:
    grant(box, INBOX, BOB, REVIEWER)
    before = members(box, INBOX)[2]
    grant(box, INBOX, BOB.upper(), EDITOR)
    assert members(box, INBOX)[2:] == [Member(before.member_id, BOB, EDITOR)]


def test_default_and_anonymous_by_their_ids(box: Harness) -> None:
    changes = [PermissionChange(MODIFY, 0, rights=REVIEWER), PermissionChange(MODIFY, -1, rights=0x402)]
    box.call(ModifyPermissions(INBOX, changes))
    assert members(box, INBOX) == [Member(0, "default", REVIEWER), Member(-1, "", 0x402)]
    assert (rights(box, INBOX, "stranger@example.test"), rights(box, INBOX, "")) == (REVIEWER, 0x402)
    box.call(ModifyPermissions(INBOX, [PermissionChange(REMOVE, 0), PermissionChange(REMOVE, -1)]))
    assert members(box, INBOX) == [Member(0, "default", 0), Member(-1, "", 0)]


def test_replace_leaves_the_default_entry(box: Harness) -> None:
    grant(box, CALENDAR, BOB, REVIEWER)
    grant(box, CALENDAR, "", 0x400)
    grant(box, CALENDAR, CAROL, EDITOR, replace=True, free_busy=True)
    assert [(m.name, m.rights) for m in members(box, CALENDAR)] == [("default", 0xC00), ("", 0), (CAROL, EDITOR)]
    one = [PermissionChange(MODIFY, 0, rights=0)]
    assert box.refused(ModifyPermissions(CALENDAR, one, replace=True)) == Ec.ecInvalidParam


@pytest.mark.parametrize(
    ("given", "kept"),
    [(0x20, 0x28), (0x40, 0x50), (0x1000, 0x1800), (0x60, 0x78), (0x1FFB, 0x1FFB), (0x401, 0x401), (0, 0)],
)
def test_rights_that_imply_others(box: Harness, given: int, kept: int) -> None:
    grant(box, INBOX, BOB, given, free_busy=True)
    assert members(box, INBOX)[2].rights == kept


@pytest.mark.parametrize("bits", [0x4, 0x2000, 0x4000, 0x80000000, -1])
def test_rights_that_are_none(box: Harness, bits: int) -> None:
    one = [PermissionChange(ADD, name=BOB, rights=bits)]
    assert box.refused(ModifyPermissions(INBOX, one, free_busy=True)) == Ec.ecInvalidParam
    assert len(members(box, INBOX)) == 2


def test_free_busy_rights_without_the_flag(box: Harness) -> None:
    """[MS-OXCPERM] 2.2.2.1: a client that does not speak of free/busy does not change it."""
    grant(box, CALENDAR, BOB, 0x1800, free_busy=True)
    grant(box, CALENDAR, BOB, REVIEWER)
    grant(box, CALENDAR, CAROL, REVIEWER)
    grant(box, CALENDAR, "dave@example.test", 0x402 | 0x1000)
    found = {m.name: m.rights for m in members(box, CALENDAR)}
    assert found[BOB] == REVIEWER | 0x1800
    assert found[CAROL] == REVIEWER | 0x1800
    assert found["dave@example.test"] == 0x402 | 0x800
    grant(box, INBOX, BOB, REVIEWER | 0x1000)
    assert members(box, INBOX)[2].rights == REVIEWER


@pytest.mark.parametrize(
    "change",
    [
        PermissionChange(3, 0), PermissionChange(0, 0), PermissionChange(ADD, name="x\0y", rights=1),
        PermissionChange(ADD, name="x" * 321, rights=1),
    ],
)  # fmt: skip
def test_bad_changes_change_nothing(box: Harness, change: PermissionChange) -> None:
    good = PermissionChange(ADD, name=BOB, rights=REVIEWER)
    assert box.refused(ModifyPermissions(INBOX, [good, change])) == Ec.ecInvalidParam
    assert len(members(box, INBOX)) == 2
    assert rights(box, INBOX, BOB) == 0


@pytest.mark.parametrize("change", [PermissionChange(MODIFY, 77, rights=1), PermissionChange(REMOVE, -2)])
def test_changes_of_who_is_not_there_are_passed_over(box: Harness, change: PermissionChange) -> None:
    """[MS-OXCPERM] 3.2.5.2."""
    box.call(ModifyPermissions(INBOX, [change, PermissionChange(ADD, name=BOB, rights=REVIEWER)]))
    assert [(one.name, one.rights) for one in members(box, INBOX)[2:]] == [(BOB, REVIEWER)]


def test_folders_that_are_none(box: Harness) -> None:
    assert box.refused(x.GetPermissions(0x99)) == Ec.ecNotFound
    assert box.refused(ModifyPermissions(0x99, [])) == Ec.ecNotFound
    assert box.refused(x.GetRights(0x99)) == Ec.ecNotFound


def test_a_failing_batch_leaves_rights_as_they_were(box: Harness) -> None:
    """Rights are taken from the writer's memory; a call that is undone must not stay in it."""
    one = PermissionChange(ADD, name=BOB, rights=REVIEWER)
    bad = PermissionChange(ADD, name=CAROL, rights=-1)
    first, second, third = box.batch(
        ModifyPermissions(INBOX, [one]), ModifyPermissions(SENT, [one, bad]), ModifyPermissions(SENT, [])
    )
    assert (first, second.code, third) == (c.Done(), Ec.ecInvalidParam, c.Done())
    assert (rights(box, INBOX, BOB), rights(box, SENT, BOB)) == (REVIEWER, 0)


# ---------------------------------------------------------------------------------------------- effective rights


def test_own_entry_lists_default(box: Harness) -> None:
    """The nearest entry counts, not the sum; of several lists all count."""
    box.box.groups = {BOB: frozenset({TEAM, "all@example.test"}), CAROL: frozenset({TEAM})}
    box.call(ModifyPermissions(INBOX, [PermissionChange(MODIFY, 0, rights=0x402)]))
    assert rights(box, INBOX, BOB) == 0x402
    grant(box, INBOX, TEAM, 0x401)
    grant(box, INBOX, "all@example.test", 0x480)
    assert rights(box, INBOX, BOB) == 0x481
    assert rights(box, INBOX, CAROL) == 0x401
    grant(box, INBOX, BOB, 0)
    assert rights(box, INBOX, BOB) == 0
    assert rights(box, INBOX, "") == 0


def test_mailbox_rights(box: Harness) -> None:
    assert box.call(x.GetRights(0), actor=OWNER) == x.Rights(0x3FFF, False, False)
    assert rights(box, 0, BOB) == 0xC00
    assert rights(box, 0, "") == 0
    grant(box, INBOX, BOB, 0x401)
    grant(box, SENT, BOB, 0x402)
    assert rights(box, 0, BOB) == 0xC03
    grant(box, 0x09, BOB, a.OWNER | a.VISIBLE)
    assert rights(box, 0, BOB) == 0xC03 | a.OWNER | a.STORE_OWNER


def test_delegates(box: Harness) -> None:
    box.box.groups = {CAROL: frozenset({TEAM})}
    assert box.call(x.GetDelegates(x.DELEGATES), actor=OWNER) == []
    box.call(x.SetDelegates(x.DELEGATES, ["Bob@example.test", TEAM, BOB]), actor=OWNER)
    box.call(x.SetDelegates(x.SENDERS, [CAROL]), actor=OWNER)
    assert box.call(x.GetDelegates(x.DELEGATES), actor=OWNER) == [BOB, TEAM]
    assert box.call(x.GetRights(0, BOB)) == x.Rights(0xC04, True, False)
    assert box.call(x.GetRights(0, CAROL)) == x.Rights(0xC04, True, True)
    assert box.call(x.GetRights(INBOX, CAROL)) == x.Rights(0, True, True)
    box.call(x.SetDelegates(x.DELEGATES, []), actor=OWNER)
    assert box.call(x.GetRights(0, BOB)) == x.Rights(0xC00, False, False)
    assert box.refused(x.GetDelegates(3)) == Ec.ecInvalidParam
    assert box.refused(x.SetDelegates(x.SENDERS, ["no address"])) == Ec.ecInvalidParam
    assert box.call(x.GetDelegates(x.SENDERS)) == [CAROL]


def test_who_may_ask(box: Harness) -> None:
    grant(box, INBOX, BOB, REVIEWER)
    assert box.call(x.GetRights(INBOX), actor=BOB).rights == REVIEWER
    assert box.call(x.GetRights(INBOX, BOB), actor=BOB).rights == REVIEWER
    for call in (
        x.GetRights(INBOX, CAROL), x.GetRights(SENT), x.GetPermissions(INBOX), x.GetDelegates(1),
        x.SetDelegates(1, [BOB]), ModifyPermissions(INBOX, [PermissionChange(ADD, name=BOB, rights=EDITOR)]),
    ):  # fmt: skip
        assert box.refused(call, actor=BOB) == Ec.ecAccessDenied
    grant(box, INBOX, BOB, a.OWNER)
    assert members(box, INBOX, BOB)[2].name == BOB
    box.call(ModifyPermissions(INBOX, [PermissionChange(ADD, name=CAROL, rights=REVIEWER)]), actor=BOB)
    assert box.call(x.GetRights(INBOX), actor=CAROL).rights == REVIEWER


# ---------------------------------------------------------------------------------------------- mail calls of guests


def test_list_shows_what_is_visible(box: Harness) -> None:
    grant(box, SENT, BOB, 0x401)
    shown = box.call(c.ListFolders(), actor=BOB)
    assert [f.path for f in shown.folders] == ["Sent Items", "Calendar"]
    assert shown.subscriptions == []
    assert box.refused(c.ListFolders(), actor="") == Ec.ecAccessDenied
    assert len(box.call(c.ListFolders(), actor=OWNER).folders) == 29


def test_a_reviewer_reads_and_does_no_more(box: Harness) -> None:
    box.append(mail(1))
    grant(box, INBOX, BOB, REVIEWER)
    assert [x.uid for x in box.call(c.GetContents(INBOX, ALL), actor=BOB)] == [1]
    box.call(c.GetPages(INBOX, [0]), actor=BOB)
    for call in (
        c.Append(INBOX, new(mail(2)), b"r1"), c.SetFlags(INBOX, ALL, c.ADD, SEEN), c.Expunge(INBOX, ALL, False),
        c.CopyMessages(INBOX, ALL, SENT, False, b"r2"), c.DeleteFolder(INBOX), c.ClaimRecent(INBOX),
        c.CreateFolder("INBOX/New"), c.GetContents(SENT, ALL), c.GetMailboxInfo(), c.LockPop3(True),
    ):  # fmt: skip
        assert box.refused(call, actor=BOB) == Ec.ecAccessDenied, call
    assert box.contents() == {1: mail(1)}


def test_an_editor_copies_moves_and_deletes(box: Harness) -> None:
    box.append(mail(1))
    grant(box, INBOX, BOB, EDITOR)
    grant(box, SENT, BOB, 0x402)
    box.call(c.SetFlags(INBOX, ALL, c.ADD, DELETED), actor=BOB)
    box.call(c.CopyMessages(INBOX, ALL, SENT, False, b"m1"), actor=BOB)
    assert box.refused(c.CopyMessages(SENT, ALL, INBOX, False, b"m2"), actor=BOB) == Ec.ecAccessDenied
    box.call(c.CopyMessages(INBOX, ALL, SENT, True, b"m3"), actor=BOB)
    assert (box.state(INBOX).exists, box.state(SENT).exists) == (0, 2)
    box.call(c.Append(INBOX, new(mail(2)), b"m4"), actor=BOB)
    box.call(c.Expunge(INBOX, ALL, False), actor=BOB)
    assert box.state(INBOX).exists == 0


def test_a_guest_owns_the_folder_that_he_makes(box: Harness) -> None:
    """Others get nothing there, whatever they have on the parent."""
    grant(box, INBOX, BOB, a.CREATE_SUBFOLDER | a.VISIBLE)
    made = box.call(c.CreateFolder("INBOX/A/B", request_id=b"g1"), actor=BOB)
    assert rights(box, made.fid, BOB) == 0x5FB & ~0x18 == 0x5E3
    assert rights(box, made.parent_fid, BOB) == 0x5E3
    assert rights(box, made.fid, CAROL) == 0
    assert box.refused(c.RenameFolder(made.fid, "Elsewhere"), actor=BOB) == Ec.ecAccessDenied
    box.call(c.RenameFolder(made.fid, "INBOX/C"), actor=BOB)
    box.call(c.DeleteFolder(made.fid), actor=BOB)
    assert made.fid not in box.box._acl
    own = box.call(c.CreateFolder("Mine", request_id=b"g2"), actor=OWNER)
    assert members(box, own.fid) == [Member(0, "default", 0), Member(-1, "", 0)]
