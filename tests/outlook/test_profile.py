"""A profile is made: AutoDiscover, Connect, logon, the first questions; MAPI/HTTP's own rules of sessions."""

from __future__ import annotations

import time

import pytest

from tests.outlook.conftest import ALICE, BOB, Open
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook.autodiscover import discover
from tests.support.outlook.profile import INBOX, IPM, ROOT, SENT, Profile, code_of
from tests.support.outlook.transport import CallFault, HttpFault, MapiHttp
from tests.support.outlook.values import BINARY, Ec, Name, when
from tests.support.outlook.wire import globcnt
from tests.support.server import Server

pytestmark = pytest.mark.slow
PS_COMMON = bytes.fromhex("0820060000000000c000000000000046")
PS_PUBLIC_STRINGS = bytes.fromhex("2903020000000000c000000000000046")


def test_autodiscover_tells_what_connect_needs(server: Server, alice: Profile) -> None:
    account = alice.account
    assert (account.name, account.address) == ("Alice", ALICE)
    assert account.dn.startswith("/o=") and "/cn=Recipients/cn=" in account.dn
    assert "mapiHttp" in account.protocols
    assert account.mailbox_url.startswith("http") and "/mapi/emsmdb/?MailboxId=" in account.mailbox_url
    assert "/mapi/nspi/?MailboxId=" in account.addressbook_url
    assert alice.link.display_name == "Alice"
    assert account.dn.startswith(alice.link.dn_prefix)
    assert alice.link.polls_max >= 1000


def test_autodiscover_of_a_wrong_password(server: Server) -> None:
    with pytest.raises(AssertionError, match="401"):
        discover(*server.address("http"), ALICE, "wrong")


def test_logon_and_what_a_profile_asks_first(server: Server, alice: Profile) -> None:
    store = alice.store()
    assert store.info["response_flags"] == 0x07  # Reserved, OwnerRight, SendAsRight
    assert store.info["replid"] > 0 and store.info["repl_guid"] != bytes(16)
    second, minute, hour, weekday, day, month, year = store.info["time"]
    now = time.gmtime()
    assert (year, month, day, weekday) == (now.tm_year, now.tm_mon, now.tm_mday, (now.tm_wday + 1) % 7)
    assert hour < 24 and minute < 60 and second < 60
    assert len(set(store.folders)) == 13
    names = [store.folder(which).get(t.DisplayName)[t.DisplayName] for which in (INBOX, SENT, IPM)]
    assert names == ["Inbox", "Sent Items", "Top of Information Store"]
    found = store.get(t.MailboxOwnerName, t.OutOfOfficeState, t.UserEntryId, 0x66610003)
    assert found[t.MailboxOwnerName] == "Alice"
    assert found[t.OutOfOfficeState] is False
    # Permanent entry id: flags, provider of address books, version, type, DN ([MS-OXCDATA] 2.2.5.2)
    entry_id = found[t.UserEntryId]
    assert entry_id[4:20].hex() == "dca740c8c042101ab4b908002b2fe182"
    assert entry_id[28:].rstrip(b"\0").decode().lower() == alice.account.dn.lower()


def test_receive_folders(alice: Profile) -> None:
    store = alice.store()
    inbox, root = store.folders[INBOX], store.folders[ROOT]
    assert store.session.one(r.GetReceiveFolder(store.handle, "IPM.Note"))[0] == inbox
    assert store.session.one(r.GetReceiveFolder(store.handle, "REPORT.IPM.Note.NDR")) == (inbox, "REPORT.IPM")
    assert store.session.one(r.GetReceiveFolder(store.handle, "IPC.Whatever")) == (root, "IPC")
    rows = store.session.one(r.GetReceiveFolderTable(store.handle))
    assert {row[0x001A001E]: row[t.FolderId] for row in rows} == {
        b"": inbox, b"IPC": root, b"IPM": inbox, b"REPORT.IPM": inbox,
    }  # fmt: skip
    assert {when(row[t.LastModificationTime]).year for row in rows} == {time.gmtime().tm_year}


def test_hierarchy(alice: Profile) -> None:
    store = alice.store()
    columns = (t.DisplayName, t.FolderId, t.ContainerClass, t.Depth, t.ParentFolderId, t.Subfolders)
    rows = {row[t.DisplayName]: row for row in store.folder(IPM).folders(*columns, flags=4)}
    classes = {name: rows[name][t.ContainerClass] for name in ("Inbox", "Calendar", "Contacts", "Tasks", "Notes")}
    assert classes == {
        "Inbox": "IPF.Note", "Calendar": "IPF.Appointment", "Contacts": "IPF.Contact", "Tasks": "IPF.Task",
        "Notes": "IPF.StickyNote",
    }  # fmt: skip
    assert rows["Inbox"][t.FolderId] == store.folders[INBOX]
    assert {row[t.Depth] for row in rows.values() if row[t.ParentFolderId] == store.folders[IPM]} == {1}


def test_special_folders_are_named_by_their_entry_ids(alice: Profile) -> None:
    """[MS-OXOSFLD] 2.2.2: Outlook finds the calendar by a property of the Inbox, and of the root."""
    store = alice.store()
    found = store.folder(INBOX).get(t.IpmAppointmentEntryId, t.IpmContactEntryId, t.AdditionalRenEntryIds)
    entry_id = found[t.IpmAppointmentEntryId]
    assert len(entry_id) == 46 and entry_id[4:20] == store.guid and entry_id[20:22] == b"\1\0"
    ltid = entry_id[22:46]
    fid = store.session.one(r.IdFromLongTermId(store.handle, ltid))
    assert store.folder(fid).get(t.ContainerClass)[t.ContainerClass] == "IPF.Appointment"
    assert len(found[t.AdditionalRenEntryIds]) >= 5
    assert store.folder(ROOT).get(t.IpmAppointmentEntryId) == {t.IpmAppointmentEntryId: entry_id}


def test_ids_and_long_term_ids(alice: Profile) -> None:
    store = alice.store()
    fid = store.folders[INBOX]
    ltid = store.session.one(r.LongTermIdFromId(store.handle, fid))
    assert ltid[:16] == store.guid or ltid[:16] != bytes(16)
    assert int.from_bytes(ltid[16:22], "big") == globcnt(fid) and ltid[22:] == b"\0\0"
    assert store.session.one(r.IdFromLongTermId(store.handle, ltid)) == fid
    assert store.folder(INBOX).get(t.SourceKey)[t.SourceKey] == ltid[:22]


def test_named_properties_keep_their_ids(alice: Profile, profiles: Open) -> None:
    store = alice.store()
    names = [Name(PS_COMMON, 0x8503), Name(PS_PUBLIC_STRINGS, "Keywords"), Name(PS_PUBLIC_STRINGS, "x-ours-new")]
    ids = store.session.one(r.GetPropertyIdsFromNames(store.handle, names))
    assert len(set(ids)) == 3 and all(0x8000 <= one < 0xFFFF for one in ids)
    assert store.session.one(r.GetNamesFromPropertyIds(store.handle, ids)) == names
    other = profiles(ALICE).store()
    assert other.session.one(r.GetPropertyIdsFromNames(other.handle, names)) == ids
    unknown = Name(PS_PUBLIC_STRINGS, "x-nobody-has-it")
    rop = r.GetPropertyIdsFromNames(store.handle, [names[0], unknown], create=False)
    assert store.session.one(rop) == [ids[0], 0]
    assert rop.warning == 0x00040380  # ecWarnWithErrors


def test_properties_that_are_not_there(alice: Profile) -> None:
    found = alice.store().folder(INBOX).get(t.DisplayName, t.Subject, 0x70000000 | BINARY)
    assert found == {t.DisplayName: "Inbox", t.Subject: Ec(0x8004010F), 0x70000102: Ec(0x8004010F)}


def test_another_users_dn_is_refused_at_connect(server: Server, alice: Profile, bob: Profile) -> None:
    link = MapiHttp(alice.local(alice.account.mailbox_url), ALICE, server.password(ALICE))
    with pytest.raises(CallFault) as failed:
        link.connect(bob.account.dn)
    assert failed.value.code == 0x80070005  # ecAccessDenied ([MS-OXCRPC] 3.1.4.1)
    link.close()


def test_unknown_dn(alice: Profile) -> None:
    with pytest.raises(r.RopError) as failed:
        alice.store("/o=nobody/cn=Recipients/cn=nobody")
    assert failed.value.code == 0x000003EB  # ecUnknownUser


def test_sessions_end_and_belong_to_somebody(server: Server, profiles: Open) -> None:
    one = Profile(server, ALICE)
    cookies = dict(one.link.cookies)
    other = profiles(BOB)
    kept = dict(other.link.cookies)
    other.link.cookies.clear()
    other.link.cookies.update(cookies)
    with pytest.raises(HttpFault) as failed:
        other.session.fetch()
    assert failed.value.code == 10  # context not found ([MS-OXCMAPIHTTP] 3.2.5.1)
    other.link.cookies.clear()
    other.link.cookies.update(kept)
    one.link.ping()
    assert one.store().folders
    stale = dict(one.link.cookies)
    one.close()
    one.link.cookies.update(stale)
    with pytest.raises(HttpFault) as gone:
        one.session.fetch()
    assert gone.value.code == 10  # context not found
    one.link.close()


def test_a_request_out_of_sequence(server: Server, alice: Profile) -> None:
    before = dict(alice.link.cookies)
    alice.session.fetch()
    assert alice.link.cookies["sid"] == before["sid"] and alice.link.cookies["sequence"] != before["sequence"]
    after = dict(alice.link.cookies)
    alice.link.cookies.update(before)
    with pytest.raises(HttpFault) as failed:
        alice.session.fetch()
    assert failed.value.code == 15  # invalid sequence
    alice.link.cookies.update(after)
    alice.session.fetch()


def test_errors_leave_the_rest_of_a_buffer_alone(alice: Profile) -> None:
    store = alice.store()
    bad, good = r.OpenFolder(store.handle, 0x7FFF_0000_0000_0001), r.OpenFolder(store.handle, store.folders[INBOX])
    results = alice.session.attempt(
        bad, r.GetPropertiesSpecific(bad.out, [t.DisplayName]), good, r.GetPropertiesSpecific(good.out, [t.DisplayName])
    )  # type: ignore[arg-type]
    assert [getattr(one, "code", 0) for one in results] == [0x8004010F, 0x4B9, 0, 0]
    assert results[3] == {t.DisplayName: "Inbox"}


def test_the_answers_may_be_packed(server: Server, alice: Profile) -> None:
    """Compressed and obscured answers say the same ([MS-OXCRPC] 3.1.4.2.1.2)."""
    store = alice.store()
    plain = store.folder(INBOX).all()
    for flags in (0, 1, 2):
        alice.link.flags = flags
        assert store.folder(INBOX).all().keys() == plain.keys()


def test_a_small_answer_buffer(alice: Profile) -> None:
    from tests.support.outlook.session import TooSmall

    store = alice.store()
    folder = store.folder(INBOX)
    with pytest.raises((TooSmall, CallFault)):
        alice.session.attempt(r.GetPropertiesAll(folder.handle), largest=200)
    assert code_of(lambda: alice.session.run(r.GetPropertiesAll(folder.handle))) == 0
