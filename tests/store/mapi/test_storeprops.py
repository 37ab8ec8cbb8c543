"""The store as an object: logon, properties, quotas, ids, replicas, receive folders."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import storecalls as s
from gromoxd.exmdb.api import SYSTEM
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import OneOffEntryId
from gromoxd.mapi.ids import guid_text
from gromoxd.mapi.times import filetime
from store import access as a
from store.mapi import foldertags as t
from store.mapi.storeprops import PidTagStorageQuotaLimit
from tests.store.conftest import INBOX, OWNER, SENT, Harness, mail

BOB = "bob@example.test"


def grant(box: Harness, fid: int, rights: int) -> None:
    box.call(x.ModifyPermissions(fid, [x.PermissionChange(x.ADD, name=BOB, rights=rights)]))


def props(box: Harness, *tags: int, actor: str = OWNER) -> dict[int, Any]:
    found: dict[int, Any] = box.call(s.GetStoreProps(list(tags) or None), actor=actor)
    return found


def change(box: Harness, values: dict[int, Any], gone: list[int] | None = None, actor: str = OWNER) -> Any:
    return box.call(s.SetStoreProps(values, gone or []), actor=actor).problems


def test_logon(box: Harness) -> None:
    info = box.call(s.OpenStore(), actor=OWNER)
    assert (info.guid, info.mapping_guid) == (box.box.identity.guid, box.box.identity.mapping_guid)
    assert info.guid != info.mapping_guid
    assert (info.owner, info.public, info.rights) == (OWNER, False, 0x3FFF)
    assert info.folders == [1, 2, 3, 9, 0x0D, 0x0C, 0x0A, 0x0B, 7, 8, 5, 6, 4]
    assert (info.created, info.cn) == (1_800_000_000, box.call(c.ListFolders()).cn)
    grant(box, INBOX, a.READ_ANY)
    box.call(x.SetDelegates(x.DELEGATES, [BOB]), actor=OWNER)
    guest = box.call(s.OpenStore(), actor=BOB)
    assert (guest.rights, guest.delegate, guest.send_as) == (0xC05, True, False)
    assert box.refused(s.OpenStore(), actor="") == Ec.ecAccessDenied


def test_what_a_store_is(box: Harness) -> None:
    box.append(mail(1))
    got = props(box)
    assert got[p.PidTagDisplayName] == got[p.PidTagMailboxOwnerName] == OWNER
    assert OneOffEntryId.decode(got[p.PidTagMailboxOwnerEntryId]).email_address == OWNER
    assert got[p.PidTagIpmSubtreeEntryId] == box.box.identity.folder_entryid(9)
    assert got[p.PidTagIpmSentMailEntryId] == box.box.identity.folder_entryid(SENT)
    assert got[p.PidTagMessageSizeExtended] == got[t.PidTagNormalMessageSizeExtended] == len(mail(1))
    assert (got[p.PidTagContentCount], got[p.PidTagObjectType], got[p.PidTagAccessLevel]) == (1, 1, 1)
    assert got[p.PidTagStoreSupportMask] & 0x7 == 0x5 and not got[p.PidTagStoreSupportMask] & 0x4000
    assert (got[p.PidTagDefaultStore], got[p.PidTagOutOfOfficeState]) == (True, False)
    assert got[p.PidTagCreationTime] == filetime(1_800_000_000)
    assert p.PidTagProhibitSendQuota not in got
    assert props(box, p.PidTagObjectType, 0x12345678) == {p.PidTagObjectType: 1}


def test_setting_properties(box: Harness) -> None:
    values = {p.PidTagOutOfOfficeState: True, 0x66AA001F: "client's", p.PidTagComment: "mine"}
    assert change(box, values) == []
    box.reopen()
    assert props(box, *values) == values
    bad = {p.PidTagEntryId: b"x", p.PidTagComment: 5, p.PidTagDisplayName: "me", p.PidTagProhibitSendQuota: 5}
    assert change(box, bad) == [
        (p.PidTagEntryId, Ec.ecComputed), (p.PidTagComment, Ec.ecInvalidParam),
        (p.PidTagDisplayName, Ec.ecAccessDenied), (p.PidTagProhibitSendQuota, Ec.ecAccessDenied),
    ]  # fmt: skip
    assert change(box, {p.PidTagDisplayName: "Alice"}, actor=SYSTEM) == []
    assert props(box, p.PidTagMailboxOwnerName, p.PidTagDisplayName) == {
        p.PidTagMailboxOwnerName: "Alice", p.PidTagDisplayName: "Alice",
    }  # fmt: skip
    assert change(box, {}, [0x66AA001F, p.PidTagOutOfOfficeState]) == []
    assert props(box, 0x66AA001F, p.PidTagOutOfOfficeState) == {p.PidTagOutOfOfficeState: False}
    assert box.refused(s.SetStoreProps({0x66AB0102: bytes(2 << 20)}), actor=OWNER) == Ec.ecTooBig


def test_quotas_are_the_mailbox_s(box: Harness) -> None:
    quotas = {p.PidTagProhibitReceiveQuota: 2, PidTagStorageQuotaLimit: 1}
    assert change(box, quotas, actor=SYSTEM) == []
    info = box.call(c.GetMailboxInfo())
    assert (info.quota_receive, info.quota_storage) == (2048, 1024)
    assert props(box, *quotas, p.PidTagProhibitSendQuota) == quotas | {p.PidTagProhibitSendQuota: 1}
    assert box.refused(c.Append(INBOX, _message(2000), b"")) == Ec.ecQuotaExceeded
    assert change(box, {p.PidTagProhibitSendQuota: -1}, actor=SYSTEM)[0][1] == Ec.ecInvalidParam
    assert change(box, {}, [p.PidTagProhibitSendQuota], actor=SYSTEM) == []
    box.call(c.Append(INBOX, _message(2000), b""))


def _message(size: int) -> c.NewMessage:
    from tests.store.conftest import new

    return new(mail(1, "x" * size))


def test_a_guest_is_told_what_it_is_and_no_more(box: Harness) -> None:
    grant(box, INBOX, a.READ_ANY | a.OWNER | a.VISIBLE)
    change(box, {p.PidTagOutOfOfficeState: True, 0x66AA001F: "secret"})
    got = props(box, actor=BOB)
    assert got[p.PidTagMailboxOwnerName] == OWNER and got[p.PidTagDefaultStore] is False
    assert not {p.PidTagOutOfOfficeState, 0x66AA001F, p.PidTagMessageSize} & got.keys()
    assert props(box, 0x66AA001F, p.PidTagMessageSize, actor=BOB) == {}
    assert box.refused(s.SetStoreProps({p.PidTagComment: "x"}), actor=BOB) == Ec.ecAccessDenied


# ---------------------------------------------------------------------------------------------- ids


def test_reserved_ids_are_nobody_else_s(box: Harness) -> None:
    first = box.call(s.ReserveIds(0x10000), actor=OWNER)
    assert (first.guid, first.count) == (box.box.identity.guid, 0x10000)
    second = box.call(s.ReserveIds(5), actor=OWNER)
    assert second.first == first.first + 0x10000
    assert box.append(mail(1)).mid >= second.first + 5
    box.reopen()
    third = box.call(s.ReserveIds(1), actor=OWNER)
    assert third.first > second.first + 5
    for count in (0, -1, 0x10001):
        assert box.refused(s.ReserveIds(count), actor=OWNER) == Ec.ecInvalidParam
    assert box.refused(s.ReserveIds(1), actor=BOB) == Ec.ecAccessDenied
    grant(box, SENT, a.CREATE)
    assert box.call(s.ReserveIds(1), actor=BOB).first > third.first


def test_reserved_ids_survive_a_crash(box: Harness) -> None:
    reserved = box.call(s.ReserveIds(3000), actor=OWNER)
    next_id = box.sql("SELECT next_id FROM mailbox")[0][0]
    assert next_id >= reserved.first + 3000


def test_replicas(box: Harness) -> None:
    own, mapping = box.box.identity.guid, box.box.identity.mapping_guid
    known = box.call(s.GetReplguids([1, 2, 3, 4, 5, 0, 6, -1, 1 << 60]))
    assert (known[0], known[4], known[5:]) == (own, mapping, [b"", b"", b"", b""])
    assert [guid_text(guid)[:8] for guid in known[1:4]] == ["ed33cbe5", "68349a54", "bb0754de"]
    assert box.call(s.GetReplids(known[:5])) == [1, 2, 3, 4, 5]
    assert box.call(s.GetReplids([b"A" * 16, b"B" * 16, b"A" * 16]), actor=OWNER) == [6, 7, 6]
    box.reopen()
    assert box.call(s.GetReplids([b"C" * 16, b"B" * 16]), actor=OWNER) == [8, 7]
    assert box.call(s.GetReplguids([8, 7])) == [b"C" * 16, b"B" * 16]
    grant(box, INBOX, a.READ_ANY | a.VISIBLE)
    assert box.call(s.GetReplids([b"D" * 16, b"B" * 16]), actor=BOB) == [0, 7]
    assert box.refused(s.GetReplids([b"short"]), actor=OWNER) == Ec.ecInvalidParam


# ---------------------------------------------------------------------------------------------- receive folders


def receive(box: Harness, name: str) -> tuple[int, str]:
    found = box.call(s.GetReceiveFolder(name), actor=OWNER)
    return found.fid, found.message_class


def test_the_longest_class_that_is_set(box: Harness) -> None:
    assert receive(box, "") == (INBOX, "")
    assert receive(box, "IPM.Note.Foo") == (INBOX, "IPM")
    assert receive(box, "report.ipm.note.ndr") == (INBOX, "REPORT.IPM")
    assert receive(box, "IPC.Paper") == (0x01, "IPC")
    assert receive(box, "IPMX") == (INBOX, "")
    box.call(s.SetReceiveFolder("IPM.Note", SENT), actor=OWNER)
    assert receive(box, "ipm.NOTE.Foo") == (SENT, "IPM.Note")
    assert receive(box, "IPM.Notes") == (INBOX, "IPM")
    box.call(s.SetReceiveFolder("ipm.note", 0x0E), actor=OWNER)
    assert receive(box, "IPM.Note") == (0x0E, "ipm.note")
    listed = box.call(s.ListReceiveFolders(), actor=OWNER)
    assert [one.message_class for one in listed] == ["", "IPC", "IPM", "ipm.note", "REPORT.IPM"]
    box.call(s.SetReceiveFolder("IPM.NOTE", 0), actor=OWNER)
    assert receive(box, "IPM.Note") == (INBOX, "IPM")
    box.call(s.SetReceiveFolder("", SENT), actor=OWNER)
    assert receive(box, "X") == (SENT, "")


@pytest.mark.parametrize("name", [".", "IPM.", ".IPM", "IPM..Note", "IPM\u00fc", "IPM\n", "x" * 255])
def test_classes_that_are_none(box: Harness, name: str) -> None:
    assert box.refused(s.GetReceiveFolder(name), actor=OWNER) == Ec.ecInvalidParam
    assert box.refused(s.SetReceiveFolder(name, SENT), actor=OWNER) == Ec.ecInvalidParam


def test_classes_that_stay(box: Harness) -> None:
    for name in ("IPM", "ipm", "Report.Ipm"):
        for fid in (SENT, 0):
            assert box.refused(s.SetReceiveFolder(name, fid), actor=OWNER) == Ec.ecAccessDenied
    assert box.refused(s.SetReceiveFolder("", 0), actor=OWNER) == Ec.ecError
    assert box.refused(s.SetReceiveFolder("IPM.X", 0x99), actor=OWNER) == Ec.ecNotFound


def test_a_receive_folder_that_is_removed(box: Harness) -> None:
    made = box.call(c.CreateFolder("A"))
    box.call(s.SetReceiveFolder("IPM.X", made.fid), actor=OWNER)
    box.call(c.DeleteFolder(made.fid))
    assert receive(box, "IPM.X") == (INBOX, "IPM")
