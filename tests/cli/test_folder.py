"""gromoxctl folder and permission on stores that are running."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.cli.permission import parse_rights, rights_text
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import objects as o
from gromoxd.mapi import proptags as p
from gromoxd.mapi.permissions import ROLES
from tests.cli.conftest import Ctl
from tests.cli.served import ALICE, Served
from tests.cli.test_mailbox import data, lines
from tests.contract.mail import mail

PUBLIC, BOB = "@example.test", "bob@example.test"


def done(ctl: Ctl, *words: str) -> str:
    """A command that goes well; what it prints."""
    outcome = ctl(*words)
    assert (outcome.status, outcome.err) == (0, "")
    return outcome.out


def failed(ctl: Ctl, *words: str) -> str:
    outcome = ctl(*words)
    assert outcome.status == 1
    return outcome.err.removeprefix("gromoxctl: ").rstrip("\n")


def paths(ctl: Ctl, *words: str) -> list[str]:
    return [row["folder"] for row in data(ctl, "folder", "list", ALICE, *words)]


# ---------------------------------------------------------------------------------------------- folder


def test_list(served: Served, filled: Ctl) -> None:
    served.append(mail(1))
    served.append(mail(2), flags=1)
    rows = {row["folder"]: row for row in data(filled, "folder", "list", ALICE)}
    size = len(mail(1)) + len(mail(2))
    assert rows["INBOX"] == {
        "fid": "0xd", "folder": "INBOX", "messages": 2, "unread": 1, "size": size, "class": "IPF.Note",
    }  # fmt: skip
    assert "Contacts" in rows and "Contacts/Quick Contacts" not in rows and "/Common Views" not in rows
    everything = paths(filled, "--all")
    assert {"/", "/Common Views", "/Top of Information Store", "Contacts/Quick Contacts"} < set(everything)
    assert len(everything) == 29
    assert lines(filled, "folder", "list", ALICE)[0] == "fid\tfolder\tmessages\tunread\tsize\tclass"


def test_folders_come_and_go(served: Served, filled: Ctl) -> None:
    text = done(filled, "folder", "create", ALICE, "Projects/2026", "--class", "IPF.Task")
    fid = next(f.fid for f in served.call(c.ListFolders()).folders if f.path == "Projects/2026")
    assert text == f"folder Projects/2026 has id {fid:#x}\n"
    kinds = {row["folder"]: row["class"] for row in data(filled, "folder", "list", ALICE)}
    assert kinds["Projects/2026"] == "IPF.Task"
    assert failed(filled, "folder", "create", ALICE, "Projects/2026") == "folder exists"
    assert "among those that users see" in failed(filled, "folder", "create", ALICE, "/Views/X")
    done(filled, "folder", "rename", ALICE, "projects/2026", "Old/2026")
    assert {"Projects", "Old", "Old/2026"} < set(paths(filled))
    served.append(mail(1), fid)
    assert "--recursive" in failed(filled, "folder", "delete", ALICE, "Old")
    done(filled, "folder", "delete", ALICE, "Old", "--recursive")
    assert "Old" not in paths(filled)
    gone = {row["name"]: row for row in data(filled, "folder", "list", ALICE, "--deleted")}
    assert gone["2026"]["messages"] == 1 and gone["2026"]["deleted"].endswith("Z")
    done(filled, "folder", "delete", ALICE, f"{served.call(c.ListFolders()).folders[-1].fid:#x}", "--hard")
    assert "Projects" not in paths(filled) and len(data(filled, "folder", "list", ALICE, "--deleted")) == 2
    assert failed(filled, "folder", "delete", ALICE, "Inbox") == "Inbox"


def test_a_deleted_folder_is_recovered(served: Served, filled: Ctl) -> None:
    done(filled, "folder", "create", ALICE, "Year/Month")
    fid = next(f.fid for f in served.call(c.ListFolders()).folders if f.path == "Year/Month")
    served.append(mail(1), fid)
    done(filled, "folder", "delete", ALICE, "Year", "--recursive")
    gone = {row["name"]: row["fid"] for row in data(filled, "folder", "list", ALICE, "--deleted")}
    assert failed(filled, "folder", "recover", ALICE, "0x7777") == "there is no deleted folder 0x7777"
    assert "--below" in failed(filled, "folder", "recover", ALICE, gone["Month"])
    done(filled, "folder", "create", ALICE, "Year")
    assert failed(filled, "folder", "recover", ALICE, gone["Year"]) == "Year"
    assert done(filled, "folder", "recover", ALICE, gone["Year"], "--name", "Again") == "recovered as Again\n"
    rows = {row["folder"]: row["messages"] for row in data(filled, "folder", "list", ALICE)}
    assert (rows["Again"], rows["Again/Month"]) == (0, 1)


def test_names_of_folders(served: Served, filled: Ctl) -> None:
    """By path, case aside; where only case tells two apart it counts."""
    for name in ("A", "a", "Caf\u00e9"):
        done(filled, "folder", "create", ALICE, name)
    for name, found in (("A", "A"), ("a", "a"), ("CAF\u00c9", "Caf\u00e9")):
        assert data(filled, "folder", "show", ALICE, name)["3001001F PidTagDisplayName"] == found
    for name in ("B", "0x7777", "0xzz", "/Views/No"):
        assert "folder" in failed(filled, "folder", "show", ALICE, name)


def test_show(served: Served, filled: Ctl) -> None:
    """Properties by name, structures decoded."""
    served.append(mail(1))
    served.call(h.SetFolderProps(0x0D, {p.PidTagComment: "mine\x1b[2J", 0x6700000B: True}))
    shown = lines(filled, "folder", "show", ALICE, "Inbox")
    assert '3001001F PidTagDisplayName: "Inbox"' in shown and "36020003 PidTagContentCount: 1" in shown
    assert '3004001F PidTagComment: "mine\\x1b[2J"' in shown and "0FFF0102 PidTagEntryId: FolderEntryId" in shown
    found = data(filled, "folder", "show", ALICE, "0xd")
    assert found["36020003 PidTagContentCount"] == 1
    assert any(label.startswith("6700000B") and value is True for label, value in found.items())


def test_empty(served: Served, filled: Ctl) -> None:
    for number in (1, 2):
        served.append(mail(number))
    made = o.Changes({p.PidTagSubject: "view"})
    served.call(o.SaveMessage(0x0D, 0, 0, made, served.request_id(), associated=True))
    done(filled, "folder", "empty", ALICE, "Inbox")
    figures = data(filled, "mailbox", "show", ALICE)
    assert (figures["messages"], figures["deleted"], figures["associated"]) == (0, 2, 1)
    served.append(mail(3))
    done(filled, "folder", "empty", ALICE, "Inbox", "--associated", "--hard")
    figures = data(filled, "mailbox", "show", ALICE)
    assert (figures["messages"], figures["deleted"], figures["associated"]) == (0, 2, 0)


def test_a_public_store(served: Served, filled: Ctl) -> None:
    done(filled, "folder", "create", PUBLIC, "News/Local")
    assert [row["folder"] for row in data(filled, "folder", "list", PUBLIC)] == ["News", "News/Local"]
    done(filled, "permission", "set", PUBLIC, "News", "anonymous", "Reviewer")
    rows = data(filled, "permission", "list", PUBLIC, "News")
    assert [(row["member"], row["rights"]) for row in rows] == [("default", "Author"), ("anonymous", "Reviewer")]


# ---------------------------------------------------------------------------------------------- permission


@pytest.mark.parametrize(
    ("text", "rights", "free_busy"),
    [
        ("Reviewer", 0x401, False),
        ("owner", 0x5FB, False),
        ("None", 0, False),
        ("Reviewer+FreeBusyDetailed", 0x1401, True),
        ("ReadAny,Create", 0x3, False),
        ("0x7ff", 0x7FF, False),
        ("0xc00", 0xC00, True),
        ("2048", 0x800, True),
    ],
)
def test_rights(text: str, rights: int, free_busy: bool) -> None:
    assert parse_rights(text) == (rights, free_busy)


def test_names_of_rights() -> None:
    for role, rights in ROLES.items():
        assert rights_text(rights) == role and parse_rights(role)[0] == rights
        assert parse_rights(rights_text(rights | 0x1800))[0] == rights | 0x1800
    assert rights_text(0x403) == "ReadAny+Create+FolderVisible"
    assert rights_text(0x601) == "Reviewer+FolderContact"


def test_permissions(served: Served, filled: Ctl) -> None:
    filled("user", "add", BOB, "--no-password")
    filled("alias", "add", "robert@example.test", BOB)
    filled("list", "add", "team@example.test")

    def shown(folder: str = "Calendar") -> dict[str, str]:
        rows = data(filled, "permission", "list", ALICE, folder)
        return {row["member"]: row["rights"] for row in rows}

    assert shown() == {"default": "None+FreeBusySimple", "anonymous": "None"}
    done(filled, "permission", "set", ALICE, "Calendar", "Robert@example.test", "editor")
    done(filled, "permission", "set", ALICE, "Calendar", "team@example.test", "Reviewer+FreeBusyDetailed")
    done(filled, "permission", "set", ALICE, "Calendar", "default", "0xc00")
    assert shown() == {
        "default": "None+FreeBusySimple", "anonymous": "None",
        BOB: "Editor+FreeBusySimple+FreeBusyDetailed",
        "team@example.test": "Reviewer+FreeBusySimple+FreeBusyDetailed",
    }  # fmt: skip
    rights = served.call(x.GetRights(0x0F), actor=BOB)
    assert rights.rights == 0x1C7B
    everything = data(filled, "permission", "list", ALICE)
    assert {(row["folder"], row["member"]) for row in everything} == {
        ("Calendar", BOB), ("Calendar", "team@example.test"), ("Calendar", "default"), ("/Freebusy Data", "default"),
    }  # fmt: skip
    done(filled, "permission", "remove", ALICE, "Calendar", BOB)
    assert BOB not in shown()
    assert failed(filled, "permission", "remove", ALICE, "Calendar", BOB) == f"{BOB} has no permissions there"
    assert "no user or list" in failed(filled, "permission", "set", ALICE, "Inbox", "eve@example.test", "Editor")
    assert "there is no right 'Emperor'; roles: Owner" in failed(
        filled, "permission", "set", ALICE, "Inbox", BOB, "Emperor"
    )


def test_permissions_of_a_tree(served: Served, filled: Ctl) -> None:
    filled("user", "add", BOB, "--no-password")
    done(filled, "folder", "create", ALICE, "A/B/C")

    def members() -> list[tuple[Any, Any]]:
        rows = data(filled, "permission", "list", ALICE)
        return [(row["folder"], row["rights"]) for row in rows if row["member"] == BOB]

    done(filled, "permission", "set", ALICE, "A", BOB, "Author", "--recursive")
    assert members() == [("A", "Author"), ("A/B", "Author"), ("A/B/C", "Author")]
    done(filled, "permission", "remove", ALICE, "A/B", BOB, "--recursive")
    assert members() == [("A", "Author")]


def test_a_member_who_is_gone(served: Served, filled: Ctl) -> None:
    """Entries of users that were deleted can still be removed."""
    filled("user", "add", BOB, "--no-password")
    done(filled, "permission", "set", ALICE, "Inbox", BOB, "Reviewer")
    done(filled, "permission", "delegates", "add", ALICE, BOB)
    filled("user", "del", BOB)
    done(filled, "permission", "remove", ALICE, "Inbox", BOB)
    done(filled, "permission", "delegates", "remove", ALICE, BOB)
    assert data(filled, "permission", "delegates", "list", ALICE) == []


def test_delegates(served: Served, filled: Ctl) -> None:
    filled("user", "add", BOB, "--no-password")
    filled("list", "add", "team@example.test")
    done(filled, "permission", "delegates", "add", ALICE, BOB, "team@example.test")
    done(filled, "permission", "delegates", "add", ALICE, BOB, "--send-as")
    listed = data(filled, "permission", "delegates", "list", ALICE)
    assert listed == [{"delegate": BOB}, {"delegate": "team@example.test"}]
    assert data(filled, "permission", "delegates", "list", ALICE, "--send-as") == [{"delegate": BOB}]
    done(filled, "permission", "delegates", "remove", ALICE, "team@example.test")
    assert lines(filled, "permission", "delegates", "list", ALICE) == ["delegate", BOB]
    assert "no delegate: team@example.test" in failed(
        filled, "permission", "delegates", "remove", ALICE, "team@example.test"
    )
    assert "no user or list" in failed(filled, "permission", "delegates", "add", ALICE, "eve@example.test")
