"""Contract: the folder hierarchy and subscriptions (RFC 3501 5.1, 6.3.3-6.3.9; [MS-OXCSTOR] 2.2.1)."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from tests.contract.mail import mail
from tests.contract.worlds import DRAFTS, INBOX, JUNK, OWNER, SENT, TRASH, Mailbox


def test_new_mailbox_has_the_well_known_folders(box: Mailbox) -> None:
    folders = {f.fid: f for f in box.call(c.ListFolders()).folders}
    assert {(f.fid, f.special) for f in folders.values() if f.special} == {
        (SENT, "Sent"), (TRASH, "Trash"), (DRAFTS, "Drafts"), (JUNK, "Junk"),
    }  # fmt: skip
    assert folders[INBOX].path == "INBOX"
    assert folders[INBOX].container_class == "IPF.Note"
    assert folders[9].path == "" and folders[1].path == ""
    assert folders[SENT].parent_fid == 9
    assert {f.path for f in folders.values()} >= {"INBOX", "Sent Items", "Deleted Items", "Drafts", "Junk Email"}
    assert folders[0x0F].container_class == "IPF.Appointment"
    assert folders[0x14].hidden and not folders[INBOX].hidden


def test_create_makes_missing_parents(box: Mailbox) -> None:
    made = box.create("Projects/2026/Alpha")
    paths = box.paths()
    assert paths["Projects/2026/Alpha"] == made
    assert (made.name, made.container_class, made.special) == ("Alpha", "IPF.Note", "")
    assert paths["Projects/2026"].fid == made.parent_fid
    assert paths["Projects"].parent_fid == 9
    assert made.fid >= 0x100
    assert made.cn <= box.call(c.ListFolders()).cn


def test_create_below_inbox(box: Mailbox) -> None:
    made = box.create("INBOX/Lists")
    assert (made.path, made.parent_fid) == ("INBOX/Lists", INBOX)
    assert box.create("inbox/More").path == "INBOX/More"


@pytest.mark.parametrize("path", ["INBOX", "inbox", "Drafts", "A"])
def test_create_what_exists(box: Mailbox, path: str) -> None:
    box.create("A/B")
    assert box.refused(c.CreateFolder(path)) == Ec.ecDuplicateName


@pytest.mark.parametrize("path", ["", "/", "A//B", "A/", "/A", "x" * 5000])
def test_create_nonsense(box: Mailbox, path: str) -> None:
    before = box.paths()
    assert box.refused(c.CreateFolder(path)) == Ec.ecInvalidParam
    assert box.paths() == before


def test_delete(box: Mailbox) -> None:
    folder = box.create("Old")
    box.append(mail(1), folder.fid)
    done = box.call(c.DeleteFolder(folder.fid))
    assert done.cn > folder.cn
    assert "Old" not in box.paths()
    assert box.refused(c.GetFolderState(folder.fid)) == Ec.ecNotFound
    assert box.call(c.GetMailboxInfo()).messages == 0
    again = box.create("Old")
    assert again.fid != folder.fid
    assert again.uidvalidity != folder.uidvalidity
    assert box.state(again.fid).exists == 0


def test_delete_refusals(box: Mailbox) -> None:
    parent = box.create("P/C")
    assert box.refused(c.DeleteFolder(parent.parent_fid)) == Ec.ecFolderHasChildren
    assert box.refused(c.DeleteFolder(INBOX)) == Ec.ecRootFolder
    assert box.refused(c.DeleteFolder(0x7777)) == Ec.ecNotFound


def test_rename_takes_children_along_and_keeps_identity(box: Mailbox) -> None:
    child = box.create("A/B/C")
    stored = box.append(mail(1), child.fid)
    a = box.paths()["A"]
    done = box.call(c.RenameFolder(a.fid, "X/Y"))
    paths = box.paths()
    assert paths["X/Y"].fid == a.fid and paths["X/Y/B/C"].fid == child.fid
    assert "A" not in paths and "X" in paths
    assert paths["X/Y"].uidvalidity == a.uidvalidity
    assert paths["X/Y"].cn <= done.cn == box.call(c.ListFolders()).cn
    assert list(box.index(child.fid)) == [stored.uid]


def test_rename_refusals(box: Mailbox) -> None:
    a, b = box.create("A"), box.create("B")
    before = box.paths()
    assert box.refused(c.RenameFolder(a.fid, "B")) == Ec.ecDuplicateName
    assert box.refused(c.RenameFolder(INBOX, "Elsewhere")) == Ec.ecRootFolder
    assert box.refused(c.RenameFolder(0x7777, "Elsewhere")) == Ec.ecNotFound
    assert box.refused(c.RenameFolder(b.fid, "B/Below/Itself")) == Ec.ecInvalidParam
    assert box.refused(c.RenameFolder(b.fid, "")) == Ec.ecInvalidParam
    assert box.paths() == before


def test_non_ascii_and_odd_names(box: Mailbox) -> None:
    for path in ("Entwürfe/日本語", 'quoted "name" \\ back', "100%*", "."):
        assert box.create(path).path == path
        assert path in box.paths()


def test_subscriptions_outlive_their_folder(box: Mailbox) -> None:
    before = set(box.call(c.ListFolders()).subscriptions)
    folder = box.create("Sub")
    assert box.call(c.Subscribe("Sub", True)).cn > folder.cn
    box.call(c.Subscribe("Never/Existed", True))
    box.call(c.Subscribe("Sub", True))
    box.call(c.DeleteFolder(folder.fid))
    listed = box.call(c.ListFolders()).subscriptions
    assert set(listed) - before == {"Sub", "Never/Existed"}
    assert listed.count("Sub") == 1
    box.call(c.Subscribe("Sub", False))
    box.call(c.Subscribe("Sub", False))
    assert set(box.call(c.ListFolders()).subscriptions) - before == {"Never/Existed"}


def test_mailbox_info(box: Mailbox) -> None:
    raw = mail(1)
    stored = box.append(raw)
    info = box.call(c.GetMailboxInfo())
    assert (info.owner, info.messages, info.size) == (OWNER, 1, len(raw))
    assert (info.quota_receive, info.quota_storage) == (0, 0)
    assert info.cn == stored.cn
    assert info.schema > 0
