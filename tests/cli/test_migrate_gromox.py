"""gromoxctl migrate gromox: an original mailbox, made by the tests, becomes one of ours."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gromoxd.exmdb import access as a
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import oofcalls as oof
from gromoxd.exmdb import rulecalls as r
from gromoxd.exmdb import tables as t
from gromoxd.exmdb.pages import ANSWERED, DRAFT, FLAGGED, KEYWORD_SHIFT, SEEN, SYSTEM_MASK, Page
from gromoxd.exmdb.storecalls import GetStoreProps, OpenStore
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import FolderEntryId
from gromoxd.mapi.ids import LongTermId, ServerId, eid_int, eid_split
from gromoxd.mapi.restrictions import Exist, encode_restriction
from gromoxd.mapi.rules import ActionBlock, ActionType, ExtendedRuleActions, MoveCopy, decode_actions, encode_actions
from gromoxd.mapi.times import filetime
from tests.cli.conftest import Ctl
from tests.cli.gromoxstore.making import GUID, Made
from tests.cli.served import ALICE, Served

INBOX, PROJECTS = 0x0D, 0x20000
TIME = 1_600_000_000
KEYWORDS = "GUID=00020329-0000-0000-c000-000000000046,NAME=Keywords"
COLOUR = "GUID=11111111-2222-3333-4444-555555555555,NAME=colour"
MAIL = b"From: Bob <bob@example.test>\r\nTo: a@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nHello %d\r\n"
OLD = UUID(GUID).bytes_le


class Box:
    """An original mailbox that may be changed between migrations."""

    def __init__(self, folder: Path) -> None:
        self.made = Made(folder)
        self.made.folder_row(PROJECTS, INBOX, "Projects")
        self.made.folder_row(0x30000, PROJECTS, "Old/New")
        self.keywords, self.colour = self.made.name(KEYWORDS), self.made.name(COLOUR)

    def mail(self, number: int, fid: int = INBOX, *, read: bool = True, **more: Any) -> int:
        props = {
            p.PidTagSubject: "Grüße", p.PidTagMessageClass: "IPM.Note", p.PidTagMessageFlags: 0x1 if read else 0,
            p.PidTagMessageDeliveryTime: filetime(TIME + number), p.PidTagBody: f"Hello {number}\r\n",
        }  # fmt: skip
        props |= more.pop("props", {})
        raw = MAIL % number + b"x" * more.pop("eml_size", 0)
        return self.made.message(fid, props, read=read, eml=raw, **more)

    def touch(self, mid: int, props: dict[int, Any], *, read: bool | None = None) -> None:
        """What a user does to a message."""
        _, cn = self.made._next()
        db = self.made.db
        db.execute("UPDATE messages SET change_number=? WHERE message_id=?", (cn, mid))
        for tag, value in props.items():
            db.execute("DELETE FROM message_properties WHERE message_id=? AND proptag=?", (mid, tag))
            self.made._bag("message_properties", mid, {tag: value})
        if read is not None:
            _, cn = self.made._next()
            db.execute("UPDATE messages SET read_state=?, read_cn=? WHERE message_id=?", (int(read), cn, mid))

    def path(self) -> str:
        self.made.db.commit()
        return str(self.made.folder)


@pytest.fixture
def box(tmp_path: Path) -> Any:
    made = Box(tmp_path / "original")
    yield made
    made.made.db.close()


def migrated(ctl: Ctl, box: Box, *more: str, status: int = 0) -> Any:
    outcome = ctl("migrate", "gromox", ALICE, box.path(), "--json", *more)
    assert outcome.status == status, outcome.err
    return json.loads(outcome.out)


def page(served: Served, fid: int = INBOX) -> Page:
    found = [octets for octets in served.call(c.GetPages(fid, [0])) if octets]
    return Page.decode(found[0]) if found else Page()


def index(served: Served, fid: int = INBOX) -> list[tuple[int, tuple[str, ...], int]]:
    """(flags, keywords, received) of each message."""
    sets = served.call(c.GetKeywordSets(0)).sets
    rows = zip(page(served, fid).flags, page(served, fid).received, strict=True)
    return [(word & SYSTEM_MASK, tuple(sets[word >> KEYWORD_SHIFT]), received) for word, received in rows]


def octets(served: Served, fid: int = INBOX) -> list[bytes]:
    return [one.raw for one in served.call(c.GetContents(fid, [(1, 1000)]))]


def messages(served: Served, fid: int = INBOX) -> list[o.Message]:
    found: list[o.Message] = served.call(o.ReadMessages(list(page(served, fid).mids)))
    return found


def folder(served: Served, path: str) -> c.Folder:
    (found,) = [one for one in served.call(c.ListFolders()).folders if one.path == path]
    assert isinstance(found, c.Folder)
    return found


def test_mail_comes_with_its_octets_and_marks(served: Served, filled: Ctl, box: Box) -> None:
    box.mail(1, props={p.PidTagFlagStatus: 2, p.PidTagLastVerbExecuted: 102, p.PidTagImportance: 2})
    box.mail(2, read=False)
    box.mail(3, props={p.PidTagMessageFlags: 0x9, p.PidTagLastVerbExecuted: 104,
                       box.colour << 16 | 0x1F: "red"})  # fmt: skip
    found = migrated(filled, box)
    assert (found["added"], found["failed"], found["folders"]) == (3, 0, {"Inbox": 3})
    assert octets(served) == [MAIL % 1, MAIL % 2, MAIL % 3]
    assert index(served) == [
        (SEEN | FLAGGED | ANSWERED, (), TIME + 1), (0, (), TIME + 2), (SEEN | DRAFT, ("$Forwarded",), TIME + 3)
    ]  # fmt: skip
    first, _, third = messages(served)
    assert (first.props[p.PidTagImportance], first.props[p.PidTagSubject]) == (2, "Grüße")
    assert "red" in third.props.values()
    again = migrated(filled, box)
    assert (again["added"], again["changed"], again["there"]) == (0, 0, 3)
    assert len(octets(served)) == 3


def test_folders_items_and_associated_messages(served: Served, filled: Ctl, box: Box) -> None:
    entry = FolderEntryId(OLD, LongTermId(b"\1" * 16, PROJECTS)).encode()
    box.made.message(0x0F, {p.PidTagMessageClass: "IPM.Appointment", p.PidTagSubject: "Tea", p.PidTagBody: "now"})
    box.made.message(PROJECTS, {p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: "No octets", p.PidTagBody: "x"})
    box.made.message(INBOX, {p.PidTagMessageClass: "IPM.Configuration.Test", 0x6841_0102: entry}, associated=True)
    box.made.message(INBOX, {p.PidTagMessageClass: "IPM.RuleOrganizer"}, associated=True)
    box.made.message(INBOX, {p.PidTagSubject: "gone"}, deleted=True)
    box.made.db.execute("INSERT INTO folder_properties VALUES (?,?,?)", (PROJECTS, p.PidTagAttributeHidden, 1))
    box.made.db.execute("INSERT INTO folder_properties VALUES (?,?,?)", (0x30000, 0x3010_001F, "kept"))
    found = migrated(filled, box)
    assert (found["added"], found["failed"]) == (3, 0)
    projects = folder(served, "INBOX/Projects")
    assert projects.hidden
    assert folder(served, "INBOX/Projects/Old∕New").parent_fid == projects.fid
    (tea,) = messages(served, 0x0F)
    assert (tea.props[p.PidTagSubject], tea.props[p.PidTagMessageClass]) == ("Tea", "IPM.Appointment")
    assert [one.props[p.PidTagSubject] for one in messages(served, projects.fid)] == ["No octets"]
    table = t.Table(t.CONTENTS, INBOX, t.ASSOCIATED)
    rows = served.call(t.QueryRows(table, [p.PidTagMid, p.PidTagMessageClass, 0x6841_0102], 0, 10)).rows
    ours = served.call(OpenStore()).guid
    assert [row[1:] for row in rows] == [
        ["IPM.Configuration.Test", FolderEntryId(ours, LongTermId(b"\1" * 16, 0)).encode()[:22]
         + LongTermId(ours, projects.fid).encode()]
    ]  # fmt: skip
    again = migrated(filled, box)
    assert (again["added"], again["changed"], again["there"]) == (0, 0, 3)
    assert served.call(t.QueryRows(table, [p.PidTagMid], 0, 10)).total == 1


def test_a_second_run_brings_changes(served: Served, filled: Ctl, box: Box) -> None:
    mail = box.mail(1, read=False)
    item = box.made.message(PROJECTS, {p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: "first", p.PidTagBody: "x"})
    gone = box.mail(2)
    migrated(filled, box)
    uids = list(page(served).uids)
    box.touch(mail, {p.PidTagFlagStatus: 2, box.keywords << 16 | 0x101F: b"\1\0\0\0blue\0"}, read=True)
    box.touch(item, {p.PidTagSubject: "second"})
    box.made.db.execute("UPDATE messages SET is_deleted=1 WHERE message_id=?", (gone,))
    box.mail(3)
    found = migrated(filled, box)
    assert (found["added"], found["changed"], found["removed"]) == (1, 2, 0)
    assert index(served)[0] == (SEEN | FLAGGED, ("blue",), TIME + 1)
    assert list(page(served).uids)[:2] == uids
    assert [one.props[p.PidTagSubject] for one in messages(served, folder(served, "INBOX/Projects").fid)] == ["second"]
    found = migrated(filled, box, "--delete")
    assert (found["added"], found["changed"], found["removed"], found["there"]) == (0, 0, 1, 3)
    assert octets(served) == [MAIL % 1, MAIL % 3]


def test_copies_that_users_made_stay(served: Served, filled: Ctl, box: Box) -> None:
    mail = box.mail(1, read=False)
    item = box.made.message(INBOX, {p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: "first", p.PidTagBody: "x"})
    migrated(filled, box)
    served.call(c.CopyMessages(INBOX, [(1, 100)], 0x0B, False, served.request_id()))
    assert migrated(filled, box)["there"] == 2
    box.touch(mail, {}, read=True)
    box.touch(item, {p.PidTagSubject: "second"})
    found = migrated(filled, box, "--delete")
    assert (found["added"], found["changed"], found["removed"]) == (0, 2, 0)
    assert migrated(filled, box, "--delete")["there"] == 2
    assert len(messages(served)) + len(messages(served, 0x0B)) == 4


def test_permissions_rules_and_the_rest(served: Served, filled: Ctl, box: Box) -> None:
    assert filled("user", "add", "bob@example.test", "--password-stdin", stdin="x y z w\n").status == 0
    db = box.made.db
    for fid, who, rights in ((INBOX, "bob@example.test", 0x401), (PROJECTS, "default", 0x400), (INBOX, "no@x.y", 1)):
        db.execute("INSERT INTO permissions (folder_id, username, permission) VALUES (?,?,?)", (fid, who, rights))
    move = MoveCopy(True, b"", ServerId(eid_int(1, PROJECTS)).encode())
    lost = MoveCopy(True, b"", ServerId(eid_int(1, 0x99999)).encode())
    condition = encode_restriction(Exist(box.colour << 16 | 0x1F))
    for number, action in enumerate((move, lost)):
        db.execute(
            "INSERT INTO rules (name, provider, sequence, state, level, user_flags, provider_data, condition, actions,"
            " folder_id) VALUES (?,?,?,1,0,0,x'',?,?,?)",
            (f"rule {number}", "RuleOrganizer", number, condition,
             encode_actions([ActionBlock(ActionType.OP_MOVE, action)]), INBOX),
        )  # fmt: skip
    db.execute("INSERT INTO store_properties VALUES (?,?)", (0x6772_001F, '{"settings":1}'))
    db.execute("INSERT INTO store_properties VALUES (?,?)", (p.PidTagProhibitReceiveQuota, 4096))
    config = box.made.folder / "config"
    (config / "delegates.txt").write_text("Bob@example.test\nnobody@x.y\n")
    (config / "autoreply.cfg").write_text("oof_state = 1\nallow_external_oof = 1\nexternal_audience = 0\n")
    (config / "internal-reply").write_text("Content-Type: text/plain; charset=utf-8\r\n\r\nAway")
    (config / "external-reply").write_text("Content-Type: text/html; charset=utf-8\r\n\r\n<p>Away</p>")
    found = migrated(filled, box, status=1)
    assert found["failed"] == 1
    assert found["settings"] == ["permissions: 2", "rules: 1", "properties: 1", "quotas: 1", "delegates: 1",
                                 "out of office: 1"]  # fmt: skip
    assert "permission of no@x.y, who is not in the directory" in found["left_out"]
    members = {one.name: one.rights for one in served.call(a.GetPermissions(INBOX))}
    assert members["bob@example.test"] == 0x401
    (rule,) = served.call(r.GetRules(INBOX))
    (action,) = decode_actions(rule[p.PidTagRuleActions])
    assert isinstance(action.action_data, MoveCopy)
    assert eid_split(action.action_data.server_id.fid)[1] == folder(served, "INBOX/Projects").fid
    assert rule[p.PidTagRuleCondition] != condition or box.colour == 0x8001
    assert served.call(a.GetDelegates(a.DELEGATES)) == ["bob@example.test"]
    settings = served.call(oof.GetOof())
    assert (settings.state, settings.text.strip(), settings.html) == (oof.ON, "Away", False)
    assert (settings.external_html, settings.audience) == (True, oof.EVERYBODY)
    assert "<p>Away</p>" in settings.external_text
    props = served.call(GetStoreProps())
    assert (props[0x6772_001F], props[p.PidTagProhibitReceiveQuota]) == ('{"settings":1}', 4096)
    assert migrated(filled, box, status=1)["settings"] == ["permissions: 2"]
    assert len(served.call(r.GetRules(INBOX))) == 1


def test_extended_rules_name_our_folders(served: Served, filled: Ctl, box: Box) -> None:
    entry = FolderEntryId(OLD, LongTermId(b"\1" * 16, PROJECTS)).encode()
    actions = ExtendedRuleActions((ActionBlock(ActionType.OP_MOVE, MoveCopy(True, b"store", entry)),))
    props = {
        p.PidTagMessageClass: "IPM.ExtendedRule.Message", p.PidTagRuleMessageName: "filing",
        p.PidTagExtendedRuleMessageActions: actions.encode(),
    }  # fmt: skip
    box.made.message(INBOX, props, associated=True)
    assert migrated(filled, box)["added"] == 1
    (rule,) = served.call(r.GetExtendedRules(INBOX))
    (action,) = ExtendedRuleActions.decode(rule[p.PidTagExtendedRuleMessageActions]).actions
    assert isinstance(action.action_data, MoveCopy)
    found = FolderEntryId.decode(action.action_data.folder_eid)
    assert (found.provider, found.folder.counter) == (
        served.call(OpenStore()).guid, folder(served, "INBOX/Projects").fid
    )  # fmt: skip
    assert action.action_data.store_eid == served.call(GetStoreProps([p.PidTagEntryId]))[p.PidTagEntryId]


def test_public_folders_with_read_marks(served: Served, filled: Ctl, tmp_path: Path) -> None:
    made = Made(tmp_path / "public", public=True)
    made.folder_row(0x100, 0x02, "News")
    mids = [made.message(0x100, {p.PidTagSubject: str(n), p.PidTagBody: "x"}) for n in range(2)]
    made.db.execute("INSERT INTO permissions (folder_id, username, permission) VALUES (256, 'default', 1051)")
    made.close(public=True)
    db = sqlite3.connect(tmp_path / "public" / "exmdb" / "exchange.sqlite3")
    db.execute("INSERT INTO read_states VALUES (?, ?)", (mids[0], ALICE))
    db.commit()
    db.close()
    words = ("migrate", "gromox", "@example.test", str(tmp_path / "public"), "--json")
    for added in (2, 0):
        outcome = filled(*words)
        assert outcome.status == 0, outcome.err
        assert json.loads(outcome.out)["added"] == added
    (news,) = [one for one in served.call(c.ListFolders(), "example.test").folders if one.name == "News"]
    table = t.Table(t.CONTENTS, news.fid)
    rows = served.call(t.QueryRows(table, [p.PidTagSubject, p.PidTagRead], 0, 10), "example.test", ALICE).rows
    assert sorted(rows) == [["0", True], ["1", False]]
    outcome = filled("migrate", "gromox", ALICE, str(tmp_path / "public"))
    assert (outcome.status, "one mailbox is a user's" in outcome.err) == (1, True)


def test_a_broken_message_is_told_and_the_rest_is_done(served: Served, filled: Ctl, box: Box) -> None:
    box.mail(1)
    bad = box.made.message(INBOX, {p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: "bad"})
    box.made.db.execute("INSERT INTO message_properties VALUES (?,?,?)", (bad, p.PidTagBody, "S-00/none"))
    box.mail(2)
    outcome = filled("migrate", "gromox", ALICE, box.path())
    assert outcome.status == 1
    assert outcome.err.splitlines()[0].startswith(f"Inbox, message {bad:#x}: property 0x1000")
    assert outcome.out.splitlines()[-1] == "3 added, 0 changed, 0 removed, 0 there already, 1 failed"
    assert len(messages(served)) == 3


def test_a_run_that_was_stopped_goes_on(served: Served, filled: Ctl, box: Box) -> None:
    for number in range(60):
        box.mail(number, eml_size=2000)
    served.call(c.SetQuota(40_000, 40_000))
    outcome = filled("migrate", "gromox", ALICE, box.path())
    assert (outcome.status, outcome.err.splitlines()[-1].startswith("gromoxctl: stopped: ")) == (1, True)
    came = len(page(served).uids)
    assert 0 < came < 60
    served.call(c.SetQuota(0, 0))
    found = migrated(filled, box)
    assert (found["added"], found["there"], found["failed"]) == (60 - came, came, 0)
    assert sorted(octets(served)) == sorted(MAIL % number + b"x" * 2000 for number in range(60))


def test_a_dry_run_changes_nothing(served: Served, filled: Ctl, box: Box) -> None:
    box.mail(1)
    box.mail(2, PROJECTS)
    assert migrated(filled, box, "--dry-run")["added"] == 2
    assert not page(served).uids
    assert all("Projects" not in one.path for one in served.call(c.ListFolders()).folders)


def test_what_is_no_mailbox(filled: Ctl, tmp_path: Path) -> None:
    outcome = filled("migrate", "gromox", ALICE, str(tmp_path))
    assert (outcome.status, "no mailbox" in outcome.err) == (1, True)
