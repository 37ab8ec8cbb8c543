"""Folders as MAPI makes, changes, removes, moves and copies them, and IMAP's view of the same."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb.objects import Partial
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import FolderEntryId
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.times import filetime
from store import access as a
from store.mapi import foldertags as t
from tests.store.conftest import ALL, INBOX, OWNER, SENT, Harness, mail, new

ROOT, IPM, CALENDAR, CONTACTS = 0x01, 0x09, 0x0F, 0x13
BOB = "bob@example.test"


def make(box: Harness, name: str, parent: int = IPM, actor: str = OWNER, **more: Any) -> int:
    made: h.MadeFolder = box.call(
        h.MakeFolder(parent, name, more.pop("props", {}), box.request_id(), **more), actor=actor
    )
    assert not made.existed
    return made.fid


def paths(box: Harness) -> dict[str, int]:
    return {f.path: f.fid for f in box.call(c.ListFolders()).folders if f.path}


def props(box: Harness, fid: int, *tags: int, actor: str = OWNER) -> dict[int, Any]:
    found: dict[int, Any] = box.call(h.GetFolderProps(fid, list(tags) or None), actor=actor)
    return found


def change(
    box: Harness, fid: int, values: dict[int, Any], gone: list[int] | None = None, actor: str = OWNER
) -> h.Problems:
    done: h.Problems = box.call(h.SetFolderProps(fid, values, gone or []), actor=actor)
    return done


def remove(box: Harness, fid: int, messages: bool = True, folders: bool = True, hard: bool = False) -> Partial:
    done: Partial = box.call(h.RemoveFolder(fid, messages, folders, box.request_id(), hard), actor=OWNER)
    return done


def transfer(
    box: Harness, fid: int, parent: int, name: str = "", *, copy: bool = False, **more: Any
) -> h.TransferredFolder:
    call = h.TransferFolder(fid, parent, name, copy, box.request_id(), more.get("recursive", True))
    done: h.TransferredFolder = box.call(call, actor=more.get("actor", OWNER))
    return done


def grant(box: Harness, fid: int, rights: int, name: str = BOB) -> None:
    box.call(x.ModifyPermissions(fid, [x.PermissionChange(x.ADD, name=name, rights=rights)]))


# ---------------------------------------------------------------------------------------------- making


def test_made_folders_are_imap_s_too(box: Harness) -> None:
    values = {p.PidTagComment: "mine", p.PidTagContainerClass: "IPF.Contact", p.PidTagAttributeHidden: True}
    fid = make(box, "A/B", props=values | {p.PidTagCreationTime: 1, p.PidTagDisplayName: "other"})
    inner = make(box, "C", fid)
    assert paths(box)["A\u2215B"] == fid and paths(box)["A\u2215B/C"] == inner
    row = next(f for f in box.call(c.ListFolders()).folders if f.fid == fid)
    assert (row.name, row.container_class, row.hidden) == ("A/B", "IPF.Contact", True)
    got = props(box, fid, p.PidTagDisplayName, p.PidTagComment, p.PidTagAttributeHidden, p.PidTagContainerClass)
    assert got == {p.PidTagDisplayName: "A/B", p.PidTagComment: "mine"} | {
        p.PidTagAttributeHidden: True, p.PidTagContainerClass: "IPF.Contact",
    }  # fmt: skip
    assert box.told[-1] == 0
    box.append(mail(1), inner)
    assert box.state(inner).exists == 1


def test_names_of_siblings(box: Harness) -> None:
    """Case does not tell names apart, and neither does what IMAP cannot show."""
    first = make(box, "Stra\u00dfe/x")
    for name in ("stra\u00dfe/X", "STRASSE/x", "Stra\u00dfe\u2215x", "inbox", "INBOX", "Calendar"):
        assert box.refused(h.MakeFolder(IPM, name, {}, b"")) == Ec.ecDuplicateName, name
    assert make(box, "inbox", first) > 0
    existing = box.call(h.MakeFolder(IPM, "STRASSE/X", {p.PidTagComment: "no"}, b"", open_existing=True))
    assert existing == h.MadeFolder(first, True, existing.cn)
    assert props(box, first, p.PidTagComment) == {p.PidTagComment: ""}


@pytest.mark.parametrize("name", ["", "x" * 256, "a\nb", "a\0b", "\x7f"])
def test_names_that_are_none(box: Harness, name: str) -> None:
    assert box.refused(h.MakeFolder(IPM, name, {}, b"")) == Ec.ecInvalidParam
    fid = make(box, "Good")
    assert change(box, fid, {p.PidTagDisplayName: name}).problems == [(p.PidTagDisplayName, Ec.ecInvalidParam)]


def test_a_repeated_request_is_done_once(box: Harness) -> None:
    call = h.MakeFolder(IPM, "Once", {}, b"request-1")
    assert box.call(call) == box.call(call)
    gone = h.RemoveFolder(paths(box)["Once"], True, True, b"request-2")
    assert box.call(gone, actor=OWNER) == box.call(gone, actor=OWNER)


def test_no_folder_below_nothing_or_a_search(box: Harness) -> None:
    assert box.refused(h.MakeFolder(0x99, "A", {}, b"")) == Ec.ecNotFound
    search = make(box, "Found", 0x05, search=True)
    assert props(box, search, p.PidTagFolderType, p.PidTagContentCount) == {
        p.PidTagFolderType: 2, p.PidTagContentCount: 0,
    }  # fmt: skip
    assert box.refused(h.MakeFolder(search, "A", {}, b"")) == Ec.ecNotSupported


def test_no_deeper_than_imap_can_show(box: Harness) -> None:
    at = IPM
    for depth in range(62):
        at = make(box, f"d{depth}", at)
    assert box.refused(h.MakeFolder(at, "deeper", {}, b"")) == Ec.ecInvalidParam


def test_subscriptions_stay_as_they_are(box: Harness) -> None:
    before = box.call(c.ListFolders()).subscriptions
    remove(box, make(box, "New"))
    assert box.call(c.ListFolders()).subscriptions == before


# ---------------------------------------------------------------------------------------------- properties


def test_counts_and_sizes(box: Harness) -> None:
    for n in range(1, 4):
        box.append(mail(n))
    box.call(c.SetFlags(INBOX, [(1, 1)], c.ADD, SEEN))
    box.call(c.Expunge(INBOX, [(3, 3)], False))
    make(box, "Sub", INBOX)
    tags = (
        p.PidTagContentCount, p.PidTagContentUnreadCount, p.PidTagAssociatedContentCount, p.PidTagDeletedCountTotal,
        p.PidTagMessageSize, p.PidTagMessageSizeExtended, t.PidTagFolderChildCount, p.PidTagSubfolders,
    )  # fmt: skip
    size = len(mail(1)) + len(mail(2))
    assert list(props(box, INBOX, *tags).values()) == [2, 1, 0, 1, size, size, 1, True]
    assert list(props(box, SENT, *tags).values()) == [0, 0, 0, 0, 0, 0, 0, False]


def test_who_a_folder_is(box: Harness) -> None:
    fid = make(box, "A", INBOX)
    got = props(box, fid)
    guid = box.box.identity.guid
    entry = FolderEntryId.decode(got[p.PidTagEntryId])
    assert (entry.provider, entry.folder.guid, entry.folder.counter) == (guid, guid, fid)
    assert got[p.PidTagParentEntryId] == props(box, INBOX, p.PidTagEntryId)[p.PidTagEntryId]
    assert got[p.PidTagSourceKey] == guid + fid.to_bytes(6, "big")
    assert got[p.PidTagParentSourceKey] == guid + INBOX.to_bytes(6, "big")
    assert (eid_split(got[p.PidTagFolderId]), eid_split(got[p.PidTagParentFolderId])) == ((1, fid), (1, INBOX))
    cn = eid_split(got[p.PidTagChangeNumber])[1]
    assert got[p.PidTagChangeKey] == guid + cn.to_bytes(6, "big")
    assert got[p.PidTagPredecessorChangeList] == b"\x16" + guid + cn.to_bytes(6, "big")
    assert (got[p.PidTagFolderType], got[p.PidTagObjectType]) == (1, 3)
    assert props(box, ROOT, p.PidTagFolderType) == {p.PidTagFolderType: 0}
    assert got[t.PidTagFolderPathname] == "\\Top of Information Store\\Inbox\\A"
    assert got[p.PidTagCreationTime] == filetime(1_800_000_000)
    assert (got[p.PidTagAccess], got[p.PidTagAccessLevel], got[p.PidTagRights]) == (0x3F, 1, 0x5FB)
    assert not p.INTERNAL & got.keys()


def test_special_folders_are_named_on_root_and_inbox(box: Harness) -> None:
    def of(fid: int) -> bytes:
        return bytes(props(box, fid, p.PidTagEntryId)[p.PidTagEntryId])

    for fid in (ROOT, INBOX):
        got = props(box, fid)
        assert got[p.PidTagIpmAppointmentEntryId] == of(CALENDAR)
        assert got[p.PidTagIpmContactEntryId] == of(CONTACTS)
        assert got[p.PidTagIpmDraftsEntryId] == of(0x0E)
        assert got[p.PidTagAdditionalRenEntryIds] == [of(0x1A), of(0x19), of(0x1B), of(0x1C), of(0x17)]
        assert got[p.PidTagFreeBusyEntryIds] == [b"", b"", b"", of(0x18)]
        data = got[p.PidTagAdditionalRenEntryIdsEx]
        entry = of(0x1D)
        size = len(entry).to_bytes(2, "little")
        assert data.startswith(b"\x06\x80" + (len(entry) + 4).to_bytes(2, "little") + b"\x01\x00" + size + entry)
        assert data.endswith(bytes(4))
    assert p.PidTagIpmAppointmentEntryId not in props(box, SENT)
    change(box, INBOX, {p.PidTagAdditionalRenEntryIdsEx: b"theirs"})
    assert props(box, INBOX, p.PidTagAdditionalRenEntryIdsEx) == {p.PidTagAdditionalRenEntryIdsEx: b"theirs"}
    change(box, INBOX, {}, [p.PidTagAdditionalRenEntryIdsEx])
    assert props(box, INBOX)[p.PidTagAdditionalRenEntryIdsEx].startswith(b"\x06\x80")


def test_changes_take_a_change_number(box: Harness) -> None:
    fid = make(box, "A")
    before = props(box, fid)
    box.clock += 60
    done = change(box, fid, {p.PidTagComment: "new", 0x8123001F: "named", p.PidTagContainerClass: "IPF.Task"})
    assert done.problems == []
    got = props(box, fid)
    assert eid_split(got[p.PidTagChangeNumber])[1] == done.cn > eid_split(before[p.PidTagChangeNumber])[1]
    assert (got[p.PidTagComment], got[0x8123001F], got[p.PidTagContainerClass]) == ("new", "named", "IPF.Task")
    assert got[p.PidTagLastModificationTime] == filetime(1_800_000_060)
    assert got[p.PidTagCreationTime] == before[p.PidTagCreationTime]
    assert box.call(c.ListFolders()).cn == done.cn
    assert change(box, fid, {}, [0x8123001F, p.PidTagContainerClass]).problems == []
    assert 0x8123001F not in props(box, fid) and p.PidTagContainerClass not in props(box, fid)
    box.reopen()
    assert props(box, fid, p.PidTagComment) == {p.PidTagComment: "new"}


def test_what_cannot_be_set_is_told(box: Harness) -> None:
    fid = make(box, "A")
    cn = box.call(c.ListFolders()).cn
    bad = {p.PidTagContentCount: 5, p.PidTagComment: 5, p.PROP_CHANGE_CN: 1, -1: 1, p.PidTagDisplayName: "Calendar"}
    problems = change(box, fid, bad, [p.PidTagEntryId, p.PidTagDisplayName])
    assert problems == h.Problems(
        [
            (p.PidTagContentCount, Ec.ecComputed), (p.PidTagComment, Ec.ecInvalidParam),
            (p.PROP_CHANGE_CN, Ec.ecInvalidParam), (-1, Ec.ecInvalidParam), (p.PidTagEntryId, Ec.ecAccessDenied),
            (p.PidTagDisplayName, Ec.ecAccessDenied), (p.PidTagDisplayName, Ec.ecDuplicateName),
        ]
    )  # fmt: skip
    assert box.call(c.ListFolders()).cn == cn
    assert change(box, CALENDAR, {p.PidTagDisplayName: "Kalender"}).problems[0][1] == Ec.ecAccessDenied
    assert change(box, CALENDAR, {p.PidTagDisplayName: "Kalender"}, actor="\0system").problems == []
    assert paths(box)["Kalender"] == CALENDAR
    big = {0x66FF0102: bytes(2 << 20)}
    assert box.refused(h.SetFolderProps(fid, big), actor=OWNER) == Ec.ecTooBig


def test_renaming_by_property(box: Harness) -> None:
    fid = make(box, "A")
    make(box, "B", fid)
    assert change(box, fid, {p.PidTagDisplayName: "a"}).problems == []
    assert paths(box)["a"] == fid and "a/B" in paths(box) and "A" not in paths(box)


# ---------------------------------------------------------------------------------------------- removing


def fill(box: Harness, fid: int, count: int = 3) -> list[bytes]:
    for n in range(1, count + 1):
        box.append(mail(n), fid)
    return [mail(n) for n in range(1, count + 1)]


def test_not_empty_and_well_known(box: Harness) -> None:
    fid = make(box, "A")
    fill(box, fid, 1)
    inner = make(box, "B", fid)
    assert remove(box, fid, messages=False).partial
    assert remove(box, fid, folders=False).partial
    assert {"A", "A/B"} <= paths(box).keys() and box.state(fid).exists == 1
    assert not remove(box, inner, messages=False, folders=False).partial
    for well_known in (ROOT, IPM, INBOX, CALENDAR):
        assert box.refused(h.RemoveFolder(well_known, True, True, b""), actor=OWNER) == Ec.ecRootFolder
    assert box.refused(h.RemoveFolder(0x99, True, True, b""), actor=OWNER) == Ec.ecNotFound


def test_removed_and_recovered(box: Harness) -> None:
    fid = make(box, "A", props={p.PidTagComment: "kept"})
    inner = make(box, "B", fid)
    raws = fill(box, fid)
    fill(box, inner, 1)
    box.call(c.SetFlags(fid, [(2, 2)], c.ADD, SEEN))
    grant(box, fid, a.READ_ANY | a.VISIBLE)
    before = box.state(fid)
    done = remove(box, fid)
    assert (done.partial, done.cn) == (False, box.call(c.ListFolders()).cn)
    assert not {"A", "A/B"} & paths(box).keys()
    assert box.refused(c.GetFolderState(fid)) == Ec.ecNotFound
    assert box.call(x.GetRights(0, BOB)).rights == 0xC00
    listed = box.call(h.ListDeletedFolders())
    assert {(d.fid, d.parent_fid, d.name, d.messages) for d in listed} == {(fid, IPM, "A", 3), (inner, fid, "B", 1)}
    assert box.call(h.ListDeletedFolders(fid)) == [d for d in listed if d.fid == inner]
    got = props(box, fid)
    assert (got[p.PidTagDisplayName], got[t.PidTagDeletedMessageCount]) == ("A", 3)
    assert got[p.PidTagDeletedOn] == filetime(int(box.clock))
    assert props(box, IPM, t.PidTagDeletedFolderCount) == {t.PidTagDeletedFolderCount: 1}
    box.reopen()
    assert transfer(box, fid, INBOX, "Back").fid == fid
    assert paths(box)["INBOX/Back"] == fid and paths(box)["INBOX/Back/B"] == inner
    assert list(box.contents(fid).values()) == raws
    after = box.state(fid)
    assert (after.exists, after.unseen, after.size, after.uidnext) == (3, 2, before.size, 4)
    assert after.uidvalidity > before.uidvalidity and after.cn > before.cn
    assert box.flags(fid) == {1: 0, 2: SEEN, 3: 0}
    assert props(box, fid, p.PidTagComment) == {p.PidTagComment: "kept"}
    assert [x_.uid for x_ in box.call(c.GetContents(fid, ALL), actor=BOB)] == [1, 2, 3]
    assert box.call(h.ListDeletedFolders()) == []
    box.append(mail(9), fid)
    assert box.state(fid).uidnext == 5
    box.reopen()
    assert box.state(fid).exists == 4


def test_removed_for_good(box: Harness) -> None:
    tables = ("messages", "unlisted", "message_data", "content", "folder_props", "permissions", "deleted_folders")

    def count() -> list[int]:
        return [box.sql(f"SELECT count(*) FROM {table}")[0][0] for table in tables]

    empty = count()
    soft, hard = make(box, "Soft", props={p.PidTagComment: "x"}), make(box, "Hard", props={p.PidTagComment: "x"})
    make(box, "Inner", soft)
    fill(box, soft)
    fill(box, hard)
    grant(box, hard, a.VISIBLE)
    remove(box, hard, hard=True)
    remove(box, soft)
    assert count() != empty
    assert box.refused(h.TransferFolder(hard, IPM, "", False, b""), actor=OWNER) == Ec.ecNotFound
    assert remove(box, soft) == Partial(False)
    assert count() == empty
    assert box.refused(h.RemoveFolder(soft, True, True, b""), actor=OWNER) == Ec.ecNotFound


def test_recovering_into_a_name_in_use(box: Harness) -> None:
    fid = make(box, "A")
    remove(box, fid)
    make(box, "a")
    assert box.refused(h.TransferFolder(fid, IPM, "", False, b""), actor=OWNER) == Ec.ecDuplicateName
    assert transfer(box, fid, IPM, "A again").fid == fid


def test_deleted_before_stays_deleted(box: Harness) -> None:
    fid = make(box, "A")
    inner = make(box, "B", fid)
    remove(box, inner)
    box.clock += 10
    remove(box, fid)
    transfer(box, fid, IPM)
    assert "A/B" not in paths(box)
    transfer(box, inner, fid)
    assert paths(box)["A/B"] == inner


# ---------------------------------------------------------------------------------------------- moving, copying


def test_moving(box: Harness) -> None:
    fid = make(box, "A")
    inner = make(box, "B", fid)
    fill(box, inner, 1)
    uidvalidity = box.state(inner).uidvalidity
    moved = transfer(box, fid, INBOX, "C")
    assert (moved.partial, moved.fid) == (False, fid)
    assert paths(box)["INBOX/C/B"] == inner
    assert box.state(inner).uidvalidity == uidvalidity
    assert eid_split(props(box, fid)[p.PidTagChangeNumber])[1] == moved.cn
    for parent in (fid, inner):
        assert box.refused(h.TransferFolder(fid, parent, "", False, b""), actor=OWNER) == Ec.ecFolderCycle
    assert box.refused(h.TransferFolder(CALENDAR, INBOX, "", False, b""), actor=OWNER) == Ec.ecRootFolder
    assert box.refused(h.TransferFolder(fid, IPM, "calendar", False, b""), actor=OWNER) == Ec.ecDuplicateName
    assert box.refused(h.TransferFolder(fid, 0x99, "", False, b""), actor=OWNER) == Ec.ecNotFound
    transfer(box, fid, INBOX, "c")
    assert "INBOX/c/B" in paths(box)


def test_copying(box: Harness) -> None:
    fid = make(box, "A", props={p.PidTagComment: "copied"})
    inner = make(box, "B", fid)
    raws = fill(box, fid)
    fill(box, inner, 1)
    grant(box, fid, a.VISIBLE)
    copied = transfer(box, fid, INBOX, "Copy", copy=True)
    assert not copied.partial and copied.fid not in (fid, inner)
    assert list(box.contents(copied.fid).values()) == raws
    assert box.state(paths(box)["INBOX/Copy/B"]).exists == 1
    assert props(box, copied.fid, p.PidTagComment) == {p.PidTagComment: "copied"}
    assert len(box.call(x.GetPermissions(copied.fid))) == 2
    flat = transfer(box, fid, IPM, "Flat", copy=True, recursive=False)
    assert "Flat/B" not in paths(box) and box.state(flat.fid).exists == 3
    remove(box, fid, hard=True)
    assert list(box.contents(copied.fid).values()) == raws
    remove(box, copied.fid, hard=True)
    remove(box, flat.fid, hard=True)
    assert box.sql("SELECT count(*) FROM message_data") == box.sql("SELECT count(*) FROM data_refs") == [(0,)]


# ---------------------------------------------------------------------------------------------- others than the owner


def test_what_guests_may_do(box: Harness) -> None:
    fid = make(box, "A")
    inner = make(box, "B", fid)
    fill(box, fid, 1)
    grant(box, fid, a.VISIBLE | a.READ_ANY)
    got = props(box, fid, actor=BOB)
    assert (got[p.PidTagAccess], got[p.PidTagAccessLevel], got[p.PidTagRights]) == (0x02, 0, 0x401)
    assert (got[p.PidTagSubfolders], got[t.PidTagFolderChildCount]) == (False, 0)
    for call in (
        h.GetFolderProps(inner), h.SetFolderProps(fid, {p.PidTagComment: "x"}), h.ListDeletedFolders(),
        h.RemoveFolder(fid, True, True, b""), h.MakeFolder(fid, "C", {}, b""),
        h.TransferFolder(fid, IPM, "", False, b""), h.TransferFolder(fid, fid, "", True, b""),
    ):  # fmt: skip
        assert box.refused(call, actor=BOB) == Ec.ecAccessDenied, call
    grant(box, fid, a.VISIBLE | a.READ_ANY | a.CREATE_SUBFOLDER)
    own = make(box, "Own", fid, BOB)
    assert box.call(x.GetRights(own), actor=BOB).rights == 0x5E3
    assert change(box, own, {p.PidTagComment: "x"}, actor=BOB).problems == []
    box.call(c.Append(own, new(mail(1)), b"x"), actor=BOB)
    assert not box.call(h.RemoveFolder(own, True, True, b"r"), actor=BOB).partial
    grant(box, fid, a.OWNER)
    refused = box.call(h.RemoveFolder(fid, True, True, b"s"), actor=BOB)
    assert refused == Partial(True) and {"A", "A/B"} <= paths(box).keys()


def test_a_copy_leaves_out_what_may_not_be_read(box: Harness) -> None:
    source, target = make(box, "A"), make(box, "T")
    make(box, "B", source)
    grant(box, source, a.VISIBLE | a.READ_ANY)
    grant(box, target, a.VISIBLE | a.CREATE_SUBFOLDER)
    copied = transfer(box, source, target, copy=True, actor=BOB)
    assert copied.partial and "T/A" in paths(box) and "T/A/B" not in paths(box)
    assert box.call(x.GetRights(copied.fid), actor=BOB).rights == 0x5E3
