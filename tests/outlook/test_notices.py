"""Notifications: those who wait are told of a delivery, of what others change; tables, search folders."""

from __future__ import annotations

import statistics
import time

import pytest

from tests.outlook.conftest import ALICE, Open
from tests.support.messages import make
from tests.support.outlook import notices as n
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.notices import Notice
from tests.support.outlook.profile import INBOX, IPM, SEARCH, Profile
from tests.support.outlook.transport import Waiter
from tests.support.server import Server, until

pytestmark = pytest.mark.slow


def awaited(profile: Profile, act: object, seconds: float = 5.0) -> list[Notice]:
    """What comes because of something that is done while NotificationWait is outstanding."""
    waiter = Waiter(profile.link)
    act()  # type: ignore[operator]
    waiter.result(seconds)
    return profile.session.fetch()


def new_mail(profile: Profile) -> Notice:
    """The one notification of a new mail among those that come."""
    found: list[Notice] = []
    until(lambda: found.extend(profile.session.fetch()) or any(one.kind == n.NEW_MAIL for one in found), seconds=5)
    [new] = [one for one in found if one.kind == n.NEW_MAIL]
    return new


def test_new_mail_within_100_ms(server: Server, alice: Profile, capsys: pytest.CaptureFixture[str]) -> None:
    store = alice.store()
    kinds = n.NEW_MAIL | n.CREATED | n.DELETED | n.MODIFIED | n.MOVED | n.COPIED
    advise = alice.session.make(r.RegisterNotification(store.handle, kinds))
    took: list[float] = []
    for number in range(20):
        waiter = Waiter(alice.link)
        time.sleep(0.05)  # the request is to be outstanding when the mail comes
        begun = time.perf_counter()
        server.deliver(make(f"notice-{number}", 500))
        took.append(waiter.result() - begun)  # with the time of the delivery
        new = new_mail(alice)
        assert (new.handle, new.message, new.fid) == (advise.value, True, store.folders[INBOX])
        assert new.message_class == "IPM.Note" and new.mid
        assert not new.flags & 1  # unread
    with capsys.disabled():
        print(
            f"\nfrom LMTP's greeting to the notification: median {statistics.median(took) * 1000:.1f} ms, "
            f"max {max(took) * 1000:.1f} ms"
        )
    assert statistics.median(took) < 0.1 and max(took) < 1.0
    with store.folder(INBOX).open(new.mid) as message:
        assert message.get(t.Subject) == {t.Subject: "message notice-19"}


def test_changes_of_others(server: Server, alice: Profile, profiles: Open) -> None:
    store = alice.store()
    folder = store.folder(IPM).create("Watched")
    kinds = n.CREATED | n.DELETED | n.MODIFIED | n.MOVED | n.COPIED
    alice.session.make(r.RegisterNotification(store.handle, kinds, folder.fid))
    other = profiles(ALICE).store()
    mine, target = other.folder(folder.fid), other.folder(IPM).create("Watched target")
    created = awaited(alice, lambda: mine.save_new({t.MessageClass: "IPM.Note", t.Subject: "watched"}))
    [one] = [one for one in created if one.kind == n.CREATED]
    mid = mine.mid_of("watched")
    assert (one.fid, one.mid, one.message) == (folder.fid, mid, True)

    def change() -> None:
        with mine.open(mid, 1) as message:
            message.set({t.Subject: "watched more"})
            message.save()

    changed = awaited(alice, change)
    assert (n.MODIFIED, mid) in {(one.kind, one.mid) for one in changed if one.message}
    moved = awaited(alice, lambda: mine.move(target, mid))
    assert any(one.kind in (n.MOVED, n.DELETED) and mid in (one.mid, one.old_mid) for one in moved), moved
    mine.save_new({t.MessageClass: "IPM.Note", t.Subject: "second"})
    until(alice.session.fetch, seconds=5)
    mid = mine.mid_of("second")
    deleted = awaited(alice, lambda: mine.delete(mid))
    assert (n.DELETED, folder.fid, mid) in {(one.kind, one.fid, one.mid) for one in deleted}


def test_rows_of_tables(server: Server, alice: Profile) -> None:
    store = alice.store()
    folder = store.folder(IPM).create("Table rows")
    columns = (t.Mid, t.Subject, t.MessageFlags)
    table = alice.session.make(r.GetContentsTable(folder.handle))
    alice.session.run(
        r.SetColumns(table, columns), r.SortTable(table, v.sort_orders((t.Subject, v.ASC))),
        r.QueryRows(table, columns, 10),
    )  # fmt: skip
    alice.session.watch_columns(table, columns)
    with server.imap(ALICE) as client:
        added = awaited(alice, lambda: client.append('"Table rows"', None, None, make("tr-b")))  # type: ignore[arg-type]
        [one] = [one for one in added if one.handle == table.value]
        assert one.table_event in (n.T_ADDED, n.T_CHANGED)
        if one.table_event == n.T_ADDED:
            assert one.row is not None and one.row[t.Subject] == "message tr-b"
            assert one.after == (0, 0, 0)
        rows = alice.session.run(r.SeekRow(table, 0, 0), r.QueryRows(table, columns, 10))[1][1]
        assert [row[t.Subject] for row in rows] == ["message tr-b"]
        client.select('"Table rows"')
        changed = awaited(alice, lambda: client.store("1", "+FLAGS", "(\\Seen)"))
        [one] = [one for one in changed if one.handle == table.value]
        if one.table_event == n.T_MODIFIED:
            assert one.row is not None and one.row[t.MessageFlags] & 1


def test_search_folder(server: Server, alice: Profile) -> None:
    store = alice.store()
    inbox = store.folder(INBOX)
    server.deliver(make("needle-1"))
    server.deliver(make("hay-1"))
    folder = store.folder(SEARCH).create("Needles", kind=2)
    condition = v.r_and(v.r_content(t.Subject, "NEEDLE"), v.r_exist(t.MessageClass))
    # RESTART_SEARCH and RECURSIVE_SEARCH ([MS-OXCFOLD] 2.2.1.4.1)
    alice.session.run(r.SetSearchCriteria(folder.handle, condition, [inbox.fid], 0x02 | 0x04))
    until(lambda: folder.subjects() == ["message needle-1"], seconds=10)
    back, fids, flags = alice.session.one(r.GetSearchCriteria(folder.handle))
    assert back == condition and fids == [inbox.fid]
    assert flags & 0x1005 == 0x1004  # SEARCH_COMPLETE, SEARCH_RECURSIVE, no more SEARCH_RUNNING
    rows = folder.rows(t.Subject, t.Mid, t.FolderId)
    assert rows[0][t.Mid] == inbox.mid_of("message needle-1")
    assert rows[0][t.FolderId] == inbox.fid
    server.deliver(make("needle-2"))
    until(lambda: sorted(folder.subjects()) == ["message needle-1", "message needle-2"], seconds=10)
    with inbox.open(inbox.mid_of("message needle-2"), 1) as message:
        message.set({t.Subject: "no more"})
        message.save()
    until(lambda: folder.subjects() == ["message needle-1"], seconds=10)
    inbox.delete(inbox.mid_of("message needle-1"))
    until(lambda: folder.subjects() == [], seconds=10)
    assert folder.get(t.FolderType) == {t.FolderType: 2}
    assert "Needles" in [row[t.DisplayName] for row in store.folder(SEARCH).folders(t.DisplayName)]
