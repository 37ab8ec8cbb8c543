"""Other people's mailboxes and public folders: what is granted is seen, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from tests.outlook.conftest import ALICE, BOB, Open
from tests.support.outlook import rops as r
from tests.support.outlook import syncrops as s
from tests.support.outlook import tags as t
from tests.support.outlook import values as v
from tests.support.outlook.fasttransfer import Parser
from tests.support.outlook.profile import (
    COMMON_VIEWS,
    INBOX,
    IPM,
    P_IPM,
    ROOT,
    SENT,
    Folder,
    Profile,
    Store,
    code_of,
)
from tests.support.outlook.replica import drain, upload_state
from tests.support.outlook.rops import RopError
from tests.support.outlook.values import Name
from tests.support.server import Server

pytestmark = pytest.mark.slow
DENIED, NOT_FOUND, LOGON_FAILED = 0x80070005, 0x8004010F, 0x80040111
# Rights ([MS-OXCPERM] 2.2.7)
READ_ANY, CREATE, EDIT_OWNED, DELETE_OWNED, OWNER, FOLDER_VISIBLE = 0x1, 0x2, 0x8, 0x10, 0x100, 0x400
REVIEWER = READ_ANY | FOLDER_VISIBLE
AUTHOR = READ_ANY | CREATE | EDIT_OWNED | DELETE_OWNED | FOLDER_VISIBLE
PSETID_APPOINTMENT = bytes.fromhex("0220060000000000c000000000000046")


def calendar_of(store: Store) -> int:
    """Its FID, by the Inbox's property that names it."""
    entry_id = store.folder(INBOX).get(t.IpmAppointmentEntryId)[t.IpmAppointmentEntryId]
    return int(store.session.one(r.IdFromLongTermId(store.handle, entry_id[22:46])))


def entry_id_of(profile: Profile) -> bytes:
    """Permanent entry id of a user ([MS-OXCDATA] 2.2.5.2)."""
    return bytes(4) + bytes.fromhex("dca740c8c042101ab4b908002b2fe182") + bytes.fromhex("0100000000000000") + (
        profile.account.dn.encode() + b"\0"
    )  # fmt: skip


def grant(folder: Folder, whom: Profile, rights: int) -> None:
    """Give somebody rights, or take them (0)."""
    mine = [row for row in folder.permissions() if row[t.MemberEntryId] == entry_id_of(whom)]
    if not mine:
        row = 1, {t.MemberEntryId: entry_id_of(whom), t.MemberRights: rights}
    elif rights:
        row = 2, {t.MemberId: mine[0][t.MemberId], t.MemberRights: rights}
    else:
        row = 4, {t.MemberId: mine[0][t.MemberId]}
    folder.session.run(r.ModifyPermissions(folder.handle, 0, [row]))


def appointment(store: Store, subject: str) -> dict[int, object]:
    ids = store.session.one(
        r.GetPropertyIdsFromNames(store.handle, [Name(PSETID_APPOINTMENT, lid) for lid in (0x820D, 0x820E, 0x8205)])
    )
    start, end, busy = ids
    return {
        t.MessageClass: "IPM.Appointment", t.Subject: subject,
        start << 16 | v.TIME: v.filetime(datetime(2026, 12, 1, 9, tzinfo=UTC)),
        end << 16 | v.TIME: v.filetime(datetime(2026, 12, 1, 10, tzinfo=UTC)), busy << 16 | v.I4: 2,
    }  # fmt: skip


@pytest.fixture
def others(alice: Profile, bob: Profile) -> Iterator[tuple[Profile, Profile]]:
    """alice and bob; what was granted is taken back afterwards."""
    yield alice, bob
    store = alice.store()
    for fid in (calendar_of(store), store.folders[INBOX], store.folders[IPM]):
        grant(store.folder(fid), bob, 0)


def test_without_rights_there_is_nothing(others: tuple[Profile, Profile]) -> None:
    alice, bob = others
    failed = code_of(bob.store, alice.account.dn)
    if failed:
        assert failed in (LOGON_FAILED, DENIED)
        return
    guest = bob.store(alice.account.dn)
    assert code_of(guest.folder, INBOX) in (DENIED, NOT_FOUND)


def test_a_calendar_to_read(others: tuple[Profile, Profile]) -> None:
    alice, bob = others
    own = alice.store()
    fid = calendar_of(own)
    own.folder(fid).save_new(appointment(own, "with the doctor"))
    secret = own.folder(INBOX).save_new({t.MessageClass: "IPM.Note", t.Subject: "not for bob"})
    grant(own.folder(fid), bob, REVIEWER)
    guest = bob.store(alice.account.dn)
    assert not guest.info["response_flags"] & 0x02  # not the owner
    calendar = guest.folder(fid)
    assert "with the doctor" in calendar.subjects()
    assert calendar.get(t.Rights)[t.Rights] & AUTHOR == REVIEWER
    with calendar.open(calendar.mid_of("with the doctor")) as message:
        assert message.get(t.Subject) == {t.Subject: "with the doctor"}
    assert code_of(calendar.save_new, appointment(own, "by bob")) == DENIED
    assert code_of(calendar.open, calendar.mid_of("with the doctor"), 1) == DENIED
    with suppress(RopError, AssertionError):
        calendar.delete(calendar.mid_of("with the doctor"))
    assert "with the doctor" in own.folder(fid).subjects()
    for which in (INBOX, SENT):
        assert code_of(guest.folder, which) in (DENIED, NOT_FOUND), which
    assert code_of(lambda: guest.session.run(r.OpenMessage(guest.handle, own.folders[INBOX], secret))) in (
        DENIED, NOT_FOUND,
    )  # fmt: skip
    assert code_of(lambda: guest.session.run(r.OpenMessage(calendar.handle, fid, secret))) in (DENIED, NOT_FOUND)
    assert code_of(calendar.permissions) == DENIED or calendar.permissions() == []
    assert code_of(lambda: calendar.session.run(r.ModifyPermissions(calendar.handle, 0, []))) in (0, DENIED)
    assert code_of(grant, calendar, bob, OWNER) == DENIED
    names = [row[t.DisplayName] for row in tree(guest)]
    assert "Inbox" not in names


def tree(store: Store) -> list[dict[int, object]]:
    """What the hierarchy table shows of all folders; nothing when the top may not be opened."""
    for which in (IPM, ROOT):
        try:
            return store.folder(which).folders(t.DisplayName, t.FolderId, flags=4)
        except RopError as error:
            assert error.code in (DENIED, NOT_FOUND)
    return []


def test_a_delegate_who_may_write(server: Server, others: tuple[Profile, Profile]) -> None:
    alice, bob = others
    own = alice.store()
    fid = calendar_of(own)
    grant(own.folder(fid), bob, AUTHOR)
    own.folder(fid).save_new(appointment(own, "hers"))
    guest = bob.store(alice.account.dn)
    calendar = guest.folder(fid)
    mid = calendar.save_new(appointment(own, "his for her"))
    with calendar.open(mid, 1) as message:
        message.set({t.Subject: "his for her, changed"})
        message.save()
    with own.folder(fid).open(mid) as message:
        assert message.get(t.Subject) == {t.Subject: "his for her, changed"}
    hers = calendar.mid_of("hers")
    assert code_of(calendar.open, hers, 1) == DENIED
    calendar.delete(mid)
    assert "his for her, changed" not in own.folder(fid).subjects()


def test_what_a_guest_synchronises(others: tuple[Profile, Profile]) -> None:
    """A shared calendar in cached mode: its contents come, those of others do not."""
    alice, bob = others
    own = alice.store()
    fid = calendar_of(own)
    grant(own.folder(fid), bob, REVIEWER)
    own.folder(fid).save_new(appointment(own, "to be synchronised"))
    guest = bob.store(alice.account.dn)
    flags = s.UNICODE | s.NORMAL | s.FAI | s.READ_STATE
    context = guest.session.make(s.SynchronizationConfigure(guest.folder(fid).handle, s.CONTENTS, flags))
    upload_state(guest.session, context, {})
    found = Parser(drain(guest.session, context)).contents()
    subjects = [item.props.get(t.Subject) or item.props.get(t.NormalizedSubject) for item in found.changes]
    assert "to be synchronised" in subjects
    grant(own.folder(fid), bob, 0)
    with pytest.raises(RopError) as failed:
        guest.folder(fid).subjects()
    assert failed.value.code in (DENIED, NOT_FOUND)


def test_rights_as_their_table_shows_them(others: tuple[Profile, Profile]) -> None:
    alice, bob = others
    inbox = alice.store().folder(INBOX)
    grant(inbox, bob, AUTHOR)
    rows = {row[t.MemberName]: row for row in inbox.permissions(2)}
    assert rows["Bob"][t.MemberRights] & AUTHOR == AUTHOR
    assert rows["Bob"][t.MemberEntryId] == entry_id_of(bob)
    assert {row[t.MemberId] for row in rows.values()} >= {0, 0xFFFFFFFFFFFFFFFF}  # Default, Anonymous
    assert code_of(grant, bob.store(alice.account.dn).folder(INBOX), bob, OWNER) == DENIED


def test_local_freebusy_message(alice: Profile) -> None:
    """[MS-OXODLGT] 2.2.5, [MS-OXOPFFB] 2.2.1: what Outlook writes of busy times and delegates it finds again."""
    store = alice.store()
    root = store.folder(ROOT)
    [row] = [row for row in root.folders(t.DisplayName, t.FolderId) if row[t.DisplayName] == "Freebusy Data"]
    data = store.folder(row[t.FolderId])
    props = {
        t.MessageClass: "IPM.Microsoft.ScheduleData.FreeBusy", t.Subject: "LocalFreebusy",
        t.FreeBusyPublishStart: 0x0D0B6F80 // 60, t.FreeBusyPublishEnd: 0x0D0B6F80 // 60 + 43200,
        t.BusyMonths: [2026 * 16 + 12], t.BusyFreeBusy: [bytes.fromhex("1c0258025802")],
    }  # fmt: skip
    mid = data.save_new(props)
    with data.open(mid) as message:
        assert message.get(*props) == props
    ltid = store.session.one(r.LongTermIdFromId(store.handle, mid))
    folder = store.session.one(r.LongTermIdFromId(store.handle, data.fid))
    entry_id = bytes(4) + store.guid + b"\7\0" + folder + ltid
    ids = [b"", entry_id, b"", b""]
    store.folder(INBOX).set({t.FreeBusyEntryIds: ids})
    root.set({t.FreeBusyEntryIds: ids})
    assert store.folder(ROOT).get(t.FreeBusyEntryIds) == {t.FreeBusyEntryIds: ids}


def test_views_and_settings_as_outlook_writes_them(alice: Profile) -> None:
    """FAI messages of all kinds stay what they were."""
    store = alice.store()
    views = store.folder(COMMON_VIEWS)
    props = {
        t.MessageClass: "IPM.Microsoft.WunderBar.Link", t.Subject: "Inbox", 0x68490003: 0, 0x684A0003: 0,
        0x684C0102: bytes(46), 0x68500102: bytes(16),
    }  # fmt: skip
    mid = views.save_new(props, associated=True)
    with views.open(mid) as message:
        assert message.get(*props) == props
    assert "Inbox" in views.subjects(associated=True)
    inbox = store.folder(INBOX)
    xml = b"<?xml version='1.0'?><UserConfiguration/>"
    config = {t.MessageClass: "IPM.Configuration.CategoryList", 0x7C060003: 4, 0x7C080102: xml}
    mid = inbox.save_new(config, associated=True)
    with inbox.open(mid) as message:
        assert message.get(*config) == config


# ---------------------------------------------------------------------------------------------- public folders


def public_top(profile: Profile) -> Folder:
    store = profile.public()
    return store.folder(P_IPM)


def test_public_store(server: Server, alice: Profile, bob: Profile) -> None:
    top = public_top(alice)
    assert top.get(t.DisplayName)[t.DisplayName]
    assert len(top.store.folders) == 13 and top.store.info["repl_guid"] != bytes(16)
    assert top.store.info["folders"][0] != 0
    with pytest.raises(RopError) as failed:  # a private store's business
        alice.session.run(r.GetReceiveFolder(top.store.handle, "IPM"))
    assert failed.value.code == 0x80040102  # ecNotSupported


def test_public_folder_posts_and_read_states(server: Server, profiles: Open) -> None:
    alice, bob = profiles(ALICE), profiles(BOB)
    folder = made_public(server, alice, "Board")
    mid = folder.save_new({t.MessageClass: "IPM.Post", t.Subject: "a notice", t.Body: "for all"})
    store = bob.public()
    his = store.folder(P_IPM).child("Board")
    assert his.subjects() == ["a notice"]
    assert [row[t.MessageFlags] & 1 for row in his.rows(t.MessageFlags)] == [0]
    assert his.get(t.ContentUnreadCount) == {t.ContentUnreadCount: 1}
    bob.session.run(r.SetReadFlags(his.handle, [mid]))
    assert [row[t.MessageFlags] & 1 for row in his.rows(t.MessageFlags)] == [1]
    assert his.get(t.ContentUnreadCount) == {t.ContentUnreadCount: 0}
    carol = profiles(server.add_user("carol@example.test"))
    hers = carol.public().folder(P_IPM).child("Board")
    assert [row[t.MessageFlags] & 1 for row in hers.rows(t.MessageFlags)] == [0]
    ltid = bob.session.one(r.LongTermIdFromId(store.handle, his.fid))
    finished, data = bob.session.one(r.ReadPerUserInformation(store.handle, ltid, 0, 4096))
    assert finished == 1 and len(data) > 16
    again = profiles(BOB).public().folder(P_IPM).child("Board")
    assert [row[t.MessageFlags] & 1 for row in again.rows(t.MessageFlags)] == [1]


def made_public(server: Server, profile: Profile, name: str) -> Folder:
    """A folder of the public store: made by somebody whom the administrator lets."""
    server.ctl("permission", "set", "@example.test", "/IPM_SUBTREE", ALICE, "Owner")
    return public_top(profile).create(name, container="IPF.Note", open_existing=True)


def test_public_folder_rights(server: Server, profiles: Open) -> None:
    alice, bob = profiles(ALICE), profiles(BOB)
    folder = made_public(server, alice, "Restricted")
    folder.save_new({t.MessageClass: "IPM.Post", t.Subject: "restricted"})
    default = [row for row in folder.permissions() if row[t.MemberId] == 0]
    alice.session.run(r.ModifyPermissions(folder.handle, 0, [(2, {t.MemberId: 0, t.MemberRights: 0})]))
    assert default
    store = bob.public()
    assert code_of(store.folder, folder.fid) in (DENIED, NOT_FOUND) or code_of(
        store.folder(folder.fid).subjects
    ) in (DENIED, NOT_FOUND)  # fmt: skip
    grant(folder, bob, REVIEWER)
    his = bob.public().folder(folder.fid)
    assert his.subjects() == ["restricted"]
    assert code_of(his.save_new, {t.MessageClass: "IPM.Post", t.Subject: "x"}) == DENIED
