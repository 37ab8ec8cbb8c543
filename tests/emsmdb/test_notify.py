"""What clients are told: of tables that they look at, and of what they registered for ([MS-OXCNOTIF])."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import searchcalls as s
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.calls import Event
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.rows import read_row
from gromoxd.mapi.sorting import Order
from gromoxd.rop import notify as n
from gromoxd.rop import tables as r
from gromoxd.rop.release import Release
from tests.contract.mail import digest_of
from tests.emsmdb.tableclient import TABLE, TableClient, delete, notified, save
from tests.emsmdb.world import ALICE, DOMAIN, DRAFTS, INBOX, IPM, PUBLIC_IPM, SENT, Client, EmsmdbWorld
from workers.http.emsmdb import notify as server

SUBSCRIPTION = 20
ALL_KINDS = 0xFE
NO_NOTIFICATIONS = 0x10


def register(client: Client, kinds: int = ALL_KINDS, fid: int = 0, mid: int = 0, index: int = SUBSCRIPTION) -> int:
    """Subscribe; the handle."""
    ids = (False, eid_int(1, fid), eid_int(1, mid) if mid else 0) if fid else (True,)
    client.one(n.RegisterNotification(0, 0, index, kinds, 0, *ids), n.RegisterNotificationResponse)
    return client.handles[index]


def deliver(world: EmsmdbWorld, subject: str = "news") -> c.Stored:
    raw = f"From: s@example.org\r\nTo: {ALICE}\r\nSubject: {subject}\r\n\r\nText.\r\n".encode()
    message = c.NewMessage(digest_of(raw), raw, 1_700_000_000)
    key = world.request_id()
    stored: c.Stored = world.account(ALICE, SYSTEM).call(c.Deliver(message, "s@example.org", key, key))
    return stored


def by_subject(client: Client, *subjects: str, flags: int = 0) -> tuple[TableClient, list[int]]:
    mids = [save(client, {p.PidTagSubject: subject}) for subject in subjects]
    table = TableClient.contents(client, flags=flags).show(p.PidTagSubject)
    return table.sort((p.PidTagSubject, Order.ASCENDING)), mids


def row_of(table: TableClient, data: n.NotificationData) -> list[Any]:
    return read_row(Cursor(data.row), table.columns) if data.row else []


# ---------------------------------------------------------------------------------------------- tables


def test_rows_that_come_change_and_go(alice: Client) -> None:
    table, (one, two) = by_subject(alice, "b", "d")
    table.rows()
    inbox, woken = eid_int(1, INBOX), alice.woken
    three = save(alice, {p.PidTagSubject: "c"})
    assert alice.woken > woken
    (added,) = table.notified()
    assert (added.flags, added.table_event) == (n.TABLE_MODIFIED | n.OF_MESSAGE, n.ROW_ADDED)
    assert (added.row_folder, added.row_message, added.row_instance) == (inbox, eid_int(1, three), 0)
    assert (added.after_folder, added.after_message) == (inbox, eid_int(1, one))
    assert row_of(table, added) == ["c"]
    save(alice, {p.PidTagSubject: "a"}, mid=two)
    (changed,) = table.notified()
    assert (changed.table_event, changed.row_message) == (n.ROW_MODIFIED, eid_int(1, two))
    assert (changed.after_folder, changed.after_message, row_of(table, changed)) == (0, 0, ["a"])
    delete(alice, one)
    (gone,) = table.notified()
    assert (gone.table_event, gone.row_folder, gone.row_message) == (n.ROW_DELETED, inbox, eid_int(1, one))
    assert table.notified() == []


def test_nothing_before_the_first_look_and_after_the_last(alice: Client) -> None:
    table, _ = by_subject(alice, "a")
    save(alice, {p.PidTagSubject: "b"})
    assert table.notified() == []
    table.position()
    save(alice, {p.PidTagSubject: "c"})
    assert [one.table_event for one in table.notified()] == [n.ROW_ADDED]
    alice.release(TABLE)
    save(alice, {p.PidTagSubject: "d"})
    assert notified(alice) == []
    assert not alice.world.store.mailbox(alice.user.maildir).watching


def test_tables_that_are_not_to_be_told_of(alice: Client) -> None:
    table, _ = by_subject(alice, "a", "c", flags=NO_NOTIFICATIONS)
    assert table.firsts(1) == ["a"]
    save(alice, {p.PidTagSubject: "b"})
    assert table.firsts(2) == ["b", "c"]
    assert table.notified() == []


def test_what_a_table_shows_now_is_told(alice: Client) -> None:
    table, _ = by_subject(alice, "a")
    table.rows()
    table.show(p.PidTagImportance, p.PidTagSubject)
    table.restrict(encode_restriction(Content(1, 1, p.PidTagSubject, "x")))
    save(alice, {p.PidTagSubject: "x0"})
    assert table.notified() == []
    table.rows()
    save(alice, {p.PidTagSubject: "b"})
    save(alice, {p.PidTagSubject: "x1"})
    (added,) = table.notified()
    assert row_of(table, added) == [1, "x1"]


def test_runs_of_deletions_are_one_change(alice: Client) -> None:
    table, mids = by_subject(alice, *"abcd")
    table.rows()
    delete(alice, *mids[:3])
    assert [one.table_event for one in table.notified()] == [n.TABLE_CHANGED]


def test_who_is_to_look_again_hears_no_more_until_he_does(alice: Client) -> None:
    table, mids = by_subject(alice, *"abcd")
    table.rows()
    delete(alice, *mids[:3])
    save(alice, {p.PidTagSubject: "e"})
    assert [one.table_event for one in table.notified()] == [n.TABLE_CHANGED]
    save(alice, {p.PidTagSubject: "f"})
    assert [one.table_event for one in table.notified()] == [n.ROW_ADDED]


def test_storms(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    table, _ = by_subject(alice, "a")
    table.rows()
    for number in range(40):
        save(alice, {p.PidTagSubject: f"b{number}"})
    assert [one.table_event for one in table.notified()] == [n.ROW_ADDED] * 40
    monkeypatch.setattr(server, "collapses_storms", lambda session: True)
    for number in range(40):
        save(alice, {p.PidTagSubject: f"c{number}"})
    assert [one.table_event for one in table.notified()] == [n.TABLE_CHANGED]


def test_what_waits_is_bounded(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_PENDING", 16)
    table, _ = by_subject(alice, "a")
    table.rows()
    handle = register(alice, c.CREATED)
    mids = [save(alice, {p.PidTagSubject: f"b{number}"}) for number in range(40)]
    assert len(alice.session.pending) <= 16
    found = notified(alice)
    assert n.TABLE_CHANGED in [one.data.table_event for one in found if one.handle == table.handle]
    assert [one.data.message for one in found if one.handle == handle][-1] == eid_int(1, mids[-1])


def test_folders(alice: Client) -> None:
    table = TableClient.hierarchy(alice, IPM).show(p.PidTagDisplayName, p.PidTagContentCount)
    table.rows()
    save(alice, {p.PidTagSubject: "x"})
    (changed,) = table.notified()
    assert (changed.flags, changed.table_event) == (n.TABLE_MODIFIED, n.ROW_MODIFIED)
    assert (changed.row_folder, row_of(table, changed)) == (eid_int(1, INBOX), ["Inbox", 1])
    made = alice.world.account().call(h.MakeFolder(IPM, "New", {}, b"make"))
    added = [one for one in table.notified() if one.table_event == n.ROW_ADDED]
    assert [(one.row_folder, row_of(table, one)) for one in added] == [(eid_int(1, made.fid), ["New", 0])]


def test_search_folders_name_the_messages_folder(alice: Client) -> None:
    account = alice.world.account()
    made = account.call(h.MakeFolder(0x05, "Found", {}, b"make", search=True))
    account.call(s.SetSearchCriteria(made.fid, encode_restriction(Content(1, 1, p.PidTagSubject, "x")), [INBOX], 2))
    mids = [save(alice, {p.PidTagSubject: subject}) for subject in ("x2", "x4")]
    table = TableClient.contents(alice, made.fid).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))
    assert table.firsts() == ["x2", "x4"]
    inbox, mid = eid_int(1, INBOX), save(alice, {p.PidTagSubject: "x3"})
    delete(alice, mids[1])
    told = [(one.table_event, one.row_folder, one.row_message, one.after_folder) for one in table.notified()]
    assert told == [
        (n.ROW_ADDED, inbox, eid_int(1, mid), inbox), (n.ROW_DELETED, inbox, eid_int(1, mids[1]), 0)
    ]  # fmt: skip


def test_categories_tell_that_they_changed(alice: Client) -> None:
    table, _ = by_subject(alice, "a")
    table.sort((p.PidTagImportance, Order.ASCENDING), categories=1, expanded=1)
    table.rows()
    save(alice, {p.PidTagSubject: "b"})
    assert [one.table_event for one in table.notified()] == [n.TABLE_CHANGED]


def test_a_store_that_has_too_much_to_tell(alice: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("store.mapi.watching.MOST_WATCHES", 1)
    table, _ = by_subject(alice, "a")
    table.rows()
    handle = register(alice, c.MODIFIED | c.CREATED, INBOX)
    other = TableClient.contents(alice, index=9).show(p.PidTagSubject)
    other.rows()
    save(alice, {p.PidTagSubject: "b"})
    told = [(one.handle, one.data.table_event, one.data.type) for one in notified(alice)]
    assert (table.handle, n.ROW_ADDED, n.TABLE_MODIFIED) in told
    assert (other.handle, n.TABLE_CHANGED, n.TABLE_MODIFIED) in told
    assert (handle, 0, n.MODIFIED) in told


def test_after_a_lost_connection(alice: Client) -> None:
    table, _ = by_subject(alice, "a")
    table.rows()
    handle = register(alice, ALL_KINDS, INBOX)
    feed = server.Feed.join(alice.world.account())
    feed._event(Event(alice.user.maildir, -1))
    feed.leave()
    told = {one.handle: one.data for one in notified(alice)}
    assert told[table.handle].table_event == n.TABLE_CHANGED
    assert (told[handle].type, told[handle].folder) == (n.MODIFIED, eid_int(1, INBOX))
    save(alice, {p.PidTagSubject: "b"})
    assert [one.table_event for one in table.notified()] == [n.ROW_ADDED]


def test_a_whole_store_is_worth_a_look_after_a_lost_connection(alice: Client) -> None:
    handle = register(alice, ALL_KINDS)
    register(alice, c.NEW_MAIL, index=8)  # asked for nothing that could be told
    feed = server.Feed.join(alice.world.account())
    feed._event(Event(alice.user.maildir, -1))
    feed.leave()
    told = [(one.handle, one.data.type, one.data.folder) for one in notified(alice)]
    assert told == [(handle, n.MODIFIED, eid_int(1, fid)) for fid in (IPM, INBOX)]


def test_a_public_store_is_worth_a_look_after_a_lost_connection(alice: Client, world: EmsmdbWorld) -> None:
    alice.public_logon(20, 2)
    request = n.RegisterNotification(2, 20, 21, c.MODIFIED, 0, True)
    alice.one(request, n.RegisterNotificationResponse)
    feed = server.Feed.join(world.account(DOMAIN, ALICE))
    feed._event(Event("", -1))
    feed.leave()
    assert [one.data.folder for one in notified(alice)] == [eid_int(1, PUBLIC_IPM)]


# ---------------------------------------------------------------------------------------------- objects


def test_new_mail(alice: Client, world: EmsmdbWorld) -> None:
    handle = register(alice, c.NEW_MAIL)
    stored = deliver(world)
    (told,) = notified(alice)
    assert (told.handle, told.logon) == (handle, 0)
    assert told.data == n.NotificationData(
        flags=n.NEW_MAIL | n.OF_MESSAGE, folder=eid_int(1, INBOX), message=eid_int(1, stored.mid), message_flags=0,
        message_class="IPM.Note",
    )  # fmt: skip


def test_messages(alice: Client, world: EmsmdbWorld) -> None:
    register(alice)
    inbox, account = eid_int(1, INBOX), world.account()
    mid = save(alice, {p.PidTagSubject: "x"})
    created, folder = [one.data for one in notified(alice)]
    assert (created.flags, created.folder, created.message) == (n.CREATED | n.OF_MESSAGE, inbox, eid_int(1, mid))
    assert (folder.flags, folder.folder) == (n.MODIFIED | n.TOTAL | n.UNREAD, inbox)
    assert (folder.total, folder.tags) == (1, [p.PidTagContentCount, p.PidTagContentUnreadCount])
    save(alice, {p.PidTagSubject: "y"}, mid=mid)
    assert (n.MODIFIED | n.OF_MESSAGE, eid_int(1, mid)) in [
        (one.data.flags, one.data.message) for one in notified(alice)
    ]
    account.call(c.CopyMessages(INBOX, [(1, 0xFFFFFFFF)], SENT, False, b"copy"))
    copied = next(one.data for one in notified(alice) if one.data.type == n.COPIED)
    assert (copied.folder, copied.old_folder, copied.old_message) == (eid_int(1, SENT), inbox, eid_int(1, mid))
    account.call(c.CopyMessages(INBOX, [(1, 0xFFFFFFFF)], DRAFTS, True, b"move"))
    moved = next(one.data for one in notified(alice) if one.data.type == n.MOVED)
    assert (moved.folder, moved.old_folder, moved.old_message) == (eid_int(1, DRAFTS), inbox, eid_int(1, mid))
    account.call(c.Expunge(DRAFTS, [(1, 0xFFFFFFFF)], False))
    deleted = next(one.data for one in notified(alice) if one.data.type == n.DELETED)
    assert (deleted.flags, deleted.folder) == (n.DELETED | n.OF_MESSAGE, eid_int(1, DRAFTS))


def test_hierarchy(alice: Client, world: EmsmdbWorld) -> None:
    register(alice, c.CREATED | c.MOVED | c.DELETED)
    account, ipm = world.account(), eid_int(1, IPM)
    made = account.call(h.MakeFolder(IPM, "New", {}, b"make"))
    (created,) = notified(alice)
    assert (created.data.flags, created.data.folder, created.data.parent) == (n.CREATED, eid_int(1, made.fid), ipm)
    account.call(c.RenameFolder(made.fid, "INBOX/New"))
    moved = next(one.data for one in notified(alice) if one.data.type == n.MOVED)
    assert (moved.folder, moved.parent) == (eid_int(1, made.fid), eid_int(1, INBOX))
    assert (moved.old_folder, moved.old_parent) == (eid_int(1, made.fid), ipm)
    account.call(c.DeleteFolder(made.fid))
    deleted = next(one.data for one in notified(alice) if one.data.type == n.DELETED and not one.data.message)
    assert (deleted.folder, deleted.parent) == (eid_int(1, made.fid), eid_int(1, INBOX))


def test_search_folders(alice: Client, world: EmsmdbWorld) -> None:
    account = world.account()
    made = account.call(h.MakeFolder(0x05, "Found", {}, b"make", search=True))
    found = eid_int(1, made.fid)
    register(alice, c.SEARCH_COMPLETE | c.CREATED, made.fid)
    account.call(s.SetSearchCriteria(made.fid, encode_restriction(Content(1, 1, p.PidTagSubject, "x")), [INBOX], 2))
    assert (n.SEARCH_COMPLETE, found) in [(one.data.flags, one.data.folder) for one in notified(alice)]
    mid = save(alice, {p.PidTagSubject: "x"})
    came = [one.data for one in notified(alice) if one.data.type == n.CREATED]
    assert [(one.flags, one.folder, one.message, one.parent) for one in came] == [
        (n.CREATED | n.OF_MESSAGE | n.IN_SEARCH, eid_int(1, INBOX), eid_int(1, mid), found)
    ]


def test_one_folder_and_one_message(alice: Client) -> None:
    mid = save(alice, {p.PidTagSubject: "x"})
    register(alice, c.CREATED, SENT)
    register(alice, c.MODIFIED, INBOX, mid, index=21)
    save(alice, {p.PidTagSubject: "y"})
    assert notified(alice) == []
    sent = save(alice, {p.PidTagSubject: "y"}, fid=SENT)
    save(alice, {p.PidTagSubject: "z"}, mid=mid)
    told = [(one.handle, one.data.message) for one in notified(alice)]
    assert told == [(alice.handles[20], eid_int(1, sent)), (alice.handles[21], eid_int(1, mid))]


def test_a_subscription_ends(alice: Client, world: EmsmdbWorld) -> None:
    register(alice)
    assert alice.run(Release(0, SUBSCRIPTION)) == []
    deliver(world)
    assert notified(alice) == []
    register(alice)
    alice.session.close()
    assert not world.store.mailbox(alice.user.maildir).watching
    deliver(world)
    assert not alice.session.pending


def test_refused(alice: Client, bob: Client, world: EmsmdbWorld) -> None:
    before = len(alice.session.objects)
    assert alice.fails(n.RegisterNotification(0, 0, 20, 2, 0, False, eid_int(9, INBOX), 0)) == Ec.ecNotFound
    assert alice.fails(n.RegisterNotification(0, 5, 20, 2, 0, True)) == Ec.ecNullObject
    assert len(alice.session.objects) == before
    world.grant(SENT, bob.user.username, 0x401)
    bob.logon(2, 1, world.alice)
    before = len(bob.session.objects)
    assert bob.fails(n.RegisterNotification(1, 2, 20, 2, 0, False, eid_int(1, INBOX), 0)) == Ec.ecAccessDenied
    assert len(bob.session.objects) == before
    assert not world.store.mailbox(world.alice.maildir).watching


def test_a_guest_hears_of_what_he_may_see(bob: Client, world: EmsmdbWorld) -> None:
    world.grant(INBOX, bob.user.username, 0x401)
    bob.logon(2, 1, world.alice)
    bob.one(n.RegisterNotification(1, 2, 20, ALL_KINDS, 0, True), n.RegisterNotificationResponse)
    alice = world.client()
    mid = save(alice, {p.PidTagSubject: "seen"})
    save(alice, {p.PidTagSubject: "secret"}, fid=SENT)
    told = notified(bob)
    assert {one.data.folder for one in told} == {eid_int(1, INBOX)}
    assert eid_int(1, mid) in {one.data.message for one in told}
    assert {one.logon for one in told} == {1}
    bob.folder(INBOX, 3, 2, 1)
    table = TableClient(bob, TABLE, number=1)
    bob.one(r.GetContentsTable(1, 3, TABLE, 0), r.GetContentsTableResponse)
    table.show(p.PidTagSubject)
    assert table.firsts() == ["seen"]
    world.grant(INBOX, bob.user.username, 0x400)
    save(alice, {p.PidTagSubject: "secret too"})
    assert b"s\0e\0c\0r\0e\0t" not in b"".join(bob.session.pending)


# ---------------------------------------------------------------------------------------------- a copy


def test_what_is_told_suffices_to_keep_a_copy(alice: Client) -> None:
    table, mids = by_subject(alice, *"dbfh")
    columns = (p.PidTagSubject, p.PidTagMid)
    table.show(*columns)
    copy = table.rows()

    def follow() -> None:
        for one in table.notified():
            if one.table_event == n.TABLE_CHANGED:
                copy[:] = table.everything()
                continue
            copy[:] = [row for row in copy if row[1] & 0xFFFFFFFFFFFFFFFF != one.row_message]
            if one.table_event != n.ROW_DELETED:
                after = [row[1] & 0xFFFFFFFFFFFFFFFF for row in copy]
                at = after.index(one.after_message) + 1 if one.after_message else 0
                copy.insert(at, read_row(Cursor(one.row), columns))

    for step, subject in enumerate("cagiez"):
        mids.append(save(alice, {p.PidTagSubject: subject}))
        save(alice, {p.PidTagSubject: f"{'kx'[step % 2]}{step}"}, mid=mids[step])
        if step % 2:
            delete(alice, mids[step])
        if step != 3:
            follow()
    follow()
    assert copy == table.everything()
    assert len(copy) == 7
