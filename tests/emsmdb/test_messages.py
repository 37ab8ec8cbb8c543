"""Messages opened, made and saved by ROPs ([MS-OXCMSG] 2.2.3)."""

from __future__ import annotations

import email
import email.policy

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import outgoing as g
from gromoxd.exmdb.api import SYSTEM
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.flags import MessageFlags, OpenModeFlags, SaveFlags
from gromoxd.mapi.ids import eid_int
from gromoxd.mapi.permissions import Rights
from gromoxd.mapi.recipients import RecipientRow, from_bag
from gromoxd.mapi.restrictions import Exist, encode_restriction
from gromoxd.mapi.values import TaggedPropertyValue as Value
from gromoxd.rop import folders as rf
from gromoxd.rop import messages as w
from gromoxd.rop import progress as pr
from gromoxd.rop import properties as rp
from tests.emsmdb.world import ALICE, BOB, DRAFTS, FINDER, INBOX, IPM, TRASH, Client, EmsmdbWorld
from workers.http.emsmdb import transferring

LOGON, FOLDER, MESSAGE, OTHER = 0, 1, 2, 3
READ_WRITE, BEST = int(OpenModeFlags.ReadWrite), int(OpenModeFlags.BestAccess)
MAIL = (
    b"From: Ann <ann@example.org>\r\nTo: Alice <alice@example.test>, Carl <carl@example.org>\r\n"
    b"Cc: Dora <dora@example.org>\r\nSubject: Re: Plans\r\n\r\nSee you there\r\n"
)
COLUMNS = [p.PidTagObjectType, p.PidTagDisplayType, p.PidTagSmtpAddress, p.PidTagRecipientFlags]


def create(client: Client, fid: int = DRAFTS, index: int = MESSAGE, associated: bool = False) -> None:
    client.one(w.CreateMessage(0, LOGON, index, 0x0FFF, eid_int(1, fid), associated), w.CreateMessageResponse)


def save(client: Client, index: int = MESSAGE, flags: int = 0, number: int = 0) -> int:
    """The id of the message."""
    answer = client.one(w.SaveChangesMessage(number, index, index, flags), w.SaveChangesMessageResponse)
    assert answer.input == index
    return answer.message_id


def put(client: Client, props: dict[int, object], index: int = MESSAGE, number: int = 0) -> None:
    values = [Value(tag, value) for tag, value in props.items()]  # type: ignore[arg-type]
    answer = client.one(rp.SetProperties(number, index, values), rp.SetPropertiesResponse)
    assert answer.problems == []


def get(client: Client, *tags: int, index: int = MESSAGE, number: int = 0) -> list[object]:
    request = rp.GetPropertiesSpecific(number, index, 0, 1, list(tags))
    return list(client.one(request, rp.GetPropertiesSpecificResponse).values(tags))


def open_(
    client: Client, mid: int, index: int = OTHER, mode: int = BEST, fid: int = DRAFTS, page: int = 0x0FFF
) -> w.OpenMessageResponse:
    request = w.OpenMessage(0, LOGON, index, page, eid_int(1, fid), mode, mid)
    return client.one(request, w.OpenMessageResponse)


def person(address: str, name: str) -> bytes:
    """A recipient's row in COLUMNS."""
    bag: Bag = {
        p.PidTagAddressType: "SMTP", p.PidTagEmailAddress: address, p.PidTagDisplayName: name, p.PidTagObjectType: 6,
        p.PidTagDisplayType: 0, p.PidTagSmtpAddress: address, p.PidTagRecipientFlags: 1,
    }  # fmt: skip
    return from_bag(bag, COLUMNS).encode(COLUMNS)


def modify(client: Client, *rows: w.ModifyRecipientRow, index: int = MESSAGE) -> None:
    client.one(w.ModifyRecipients(0, index, COLUMNS, list(rows)), w.ModifyRecipientsResponse)


# ---------------------------------------------------------------------------------------------- opening and saving


def test_a_message_is_made_saved_and_opened(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubjectPrefix: "", p.PidTagNormalizedSubject: "Hello World", p.PidTagBody: "text"})
    mid = save(alice, flags=SaveFlags.KeepOpenReadWrite)
    assert mid & 0xFFFF == 1
    opened = open_(alice, mid)
    assert (opened.subject_prefix.text, opened.normalized_subject.text) == ("", "Hello World")
    assert (opened.has_named_properties, opened.recipient_count, opened.rows) == (False, 0, [])
    assert get(alice, p.PidTagSubject, p.PidTagBody, index=OTHER) == ["Hello World", "text"]
    assert get(alice, p.PidTagMid, p.PidTagFolderId, index=OTHER) == [
        mid - (1 << 64) if mid >> 63 else mid, _signed(eid_int(1, DRAFTS)),
    ]  # fmt: skip


def _signed(eid: int) -> int:
    return eid - (1 << 64) if eid >> 63 else eid


def test_nothing_is_stored_before_it_is_saved(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one"})
    mid = save(alice)
    put(alice, {p.PidTagSubject: "two"})
    open_(alice, mid)
    assert get(alice, p.PidTagSubject) == ["two"]
    assert get(alice, p.PidTagSubject, index=OTHER) == ["one"]
    alice.release(MESSAGE)
    open_(alice, mid, index=4)
    assert get(alice, p.PidTagSubject, index=4) == ["one"]


def test_another_handle_finds_a_conflict(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one"})
    mid = save(alice)
    open_(alice, mid)
    put(alice, {p.PidTagSubject: "mine"}, index=OTHER)
    put(alice, {p.PidTagSubject: "other"})
    assert save(alice) == mid
    assert alice.fails(w.SaveChangesMessage(0, OTHER, OTHER, 0)) == Ec.ecObjectModified
    assert save(alice, OTHER, SaveFlags.ForceSave) == mid
    open_(alice, mid, index=4)
    assert get(alice, p.PidTagSubject, index=4) == ["mine"]


def test_what_is_open_for_reading_is_not_changed(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one"})
    mid = save(alice, flags=SaveFlags.KeepOpenReadOnly)
    assert alice.fails(rp.SetProperties(0, MESSAGE, [Value(p.PidTagSubject, "x")])) == Ec.ecAccessDenied
    assert alice.fails(w.SaveChangesMessage(0, MESSAGE, MESSAGE, 0)) == Ec.ecError
    open_(alice, mid, mode=0)
    assert alice.fails(rp.SetProperties(0, OTHER, [Value(p.PidTagSubject, "x")])) == Ec.ecAccessDenied
    assert alice.fails(w.RemoveAllRecipients(0, OTHER)) == Ec.ecAccessDenied
    assert alice.fails(w.SaveChangesMessage(0, OTHER, OTHER, 0)) == Ec.ecError


def test_saving_twice_asks_the_store_once(world: EmsmdbWorld, alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one"})
    mid = save(alice)
    calls = counted(world)
    assert save(alice, flags=SaveFlags.KeepOpenReadOnly) == mid
    assert calls == []
    assert alice.fails(rp.SetProperties(0, MESSAGE, [Value(p.PidTagSubject, "x")])) == Ec.ecAccessDenied


def counted(world: EmsmdbWorld) -> list[str]:
    """The names of the calls that follow."""
    calls: list[str] = []
    plain = world.store.call

    def call(mailbox: object, one: object, **more: object) -> object:
        calls.append(type(one).__name__)
        return plain(mailbox, one, **more)  # type: ignore[arg-type]

    world.store.call = call  # type: ignore[method-assign, assignment]
    return calls


def test_the_calls_that_usual_work_costs(world: EmsmdbWorld, alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one", p.PidTagBody: "text"})
    modify(alice, w.ModifyRecipientRow(0, 1, person("carl@example.org", "Carl")))
    calls = counted(world)
    mid = save(alice)
    assert calls == ["SaveMessage"]
    calls.clear()
    open_(alice, mid)
    get(alice, p.PidTagSubject, p.PidTagBody, p.PidTagMessageFlags, index=OTHER)
    assert calls == ["OpenMessage"]


@pytest.mark.parametrize("eid", [eid_int(1, 0x999999), eid_int(5, 0x10), 0])
def test_what_is_not_there_is_not_found(alice: Client, eid: int) -> None:
    assert alice.fails(w.OpenMessage(0, LOGON, OTHER, 0, eid_int(1, INBOX), BEST, eid)) == Ec.ecNotFound
    assert alice.fails(w.CreateMessage(0, LOGON, OTHER, 0, eid, False)) == Ec.ecNotFound


def test_a_deleted_message_opens_only_when_it_is_asked_for(world: EmsmdbWorld, alice: Client) -> None:
    stored = world.append(MAIL)
    world.account().call(o.DeleteMessages(INBOX, [stored.mid], request_id=world.request_id()))
    mid = eid_int(1, stored.mid)
    request = w.OpenMessage(0, LOGON, OTHER, 0, eid_int(1, INBOX), BEST, mid)
    assert alice.fails(request) == Ec.ecNotFound
    opened = open_(alice, mid, mode=OpenModeFlags.OpenSoftDeleted)
    assert opened.normalized_subject.text == "Plans"


def test_rights_are_those_of_the_folder(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(INBOX, BOB, Rights.ReadAny | Rights.FolderVisible)
    stored = world.append(MAIL)
    bob.logon(index=10, number=1, of=world.alice)
    mid = eid_int(1, stored.mid)
    denied = w.OpenMessage(1, 10, OTHER, 0, eid_int(1, INBOX), READ_WRITE, mid)
    assert bob.fails(denied) == Ec.ecAccessDenied
    bob.one(w.OpenMessage(1, 10, OTHER, 0, eid_int(1, INBOX), BEST, mid), w.OpenMessageResponse)
    assert bob.fails(rp.SetProperties(1, OTHER, [Value(p.PidTagSubject, "x")])) == Ec.ecAccessDenied
    assert bob.fails(w.CreateMessage(1, 10, MESSAGE, 0, eid_int(1, INBOX), False)) == Ec.ecAccessDenied
    assert bob.fails(w.CreateMessage(1, 10, MESSAGE, 0, eid_int(1, TRASH), False)) == Ec.ecAccessDenied
    world.grant(INBOX, BOB, Rights.ReadAny | Rights.FolderVisible | Rights.Create)
    bob.one(w.CreateMessage(1, 10, MESSAGE, 0, eid_int(1, INBOX), False), w.CreateMessageResponse)
    put(bob, {p.PidTagSubject: "from bob"}, number=1)
    assert save(bob, number=1)


def test_released_messages_take_their_parts_along(alice: Client) -> None:
    create(alice)
    alice.one(w.CreateAttachment(0, MESSAGE, 5), w.CreateAttachmentResponse)
    alice.one(w.OpenEmbeddedMessage(0, 5, 6, 0, 2), w.OpenEmbeddedMessageResponse)
    alice.release(MESSAGE)
    assert alice.fails(w.OpenEmbeddedMessage(0, 5, 7, 0, 2)) == Ec.ecNullObject
    assert alice.fails(rp.GetPropertiesList(0, 6)) == Ec.ecNullObject
    assert len(alice.session.objects) == 1


# ---------------------------------------------------------------------------------------------- recipients


def test_recipients_are_told_when_a_mail_is_opened(world: EmsmdbWorld, alice: Client) -> None:
    opened = open_(alice, eid_int(1, world.append(MAIL).mid), fid=INBOX)
    assert (opened.subject_prefix.text, opened.normalized_subject.text) == ("Re: ", "Plans")
    assert opened.recipient_count == 3
    rows = [row.recipient(opened.columns) for row in opened.rows]
    assert [(one.type, row.display_name, row.email_address) for one, row in zip(opened.rows, rows, strict=True)] == [
        (1, "Alice", ALICE), (1, "Carl", "carl@example.org"), (2, "Dora", "dora@example.org"),
    ]  # fmt: skip


def test_rows_replace_add_and_remove(alice: Client) -> None:
    create(alice)
    modify(
        alice,
        w.ModifyRecipientRow(0, 1, person("a@example.org", "A")),
        w.ModifyRecipientRow(1, 1, person("b@example.org", "B")),
        w.ModifyRecipientRow(5, 2, person("c@example.org", "C")),
    )
    modify(alice, w.ModifyRecipientRow(1, 1, b""), w.ModifyRecipientRow(5, 3, person("d@example.org", "D")))
    assert get(alice, p.PidTagDisplayTo, p.PidTagDisplayCc, p.PidTagDisplayBcc) == ["A", "", "D"]
    answer = alice.one(w.ReadRecipients(0, MESSAGE, 1), w.ReadRecipientsResponse)
    assert [(row.row_id, row.type) for row in answer.rows] == [(5, 3)]
    assert alice.fails(w.ReadRecipients(0, MESSAGE, 6)) == Ec.ecNotFound
    told = alice.one(w.ReloadCachedInformation(0, MESSAGE), w.ReloadCachedInformationResponse)
    assert told.columns == sorted([*COLUMNS])
    row = told.rows[1].recipient(told.columns)
    assert dict(zip(told.columns, row.values, strict=True))[p.PidTagSmtpAddress] == "d@example.org"
    alice.one(w.RemoveAllRecipients(0, MESSAGE), w.RemoveAllRecipientsResponse)
    assert alice.fails(w.ReadRecipients(0, MESSAGE, 0)) == Ec.ecNotFound


def test_many_recipients_come_in_pieces(alice: Client) -> None:
    create(alice)
    rows = [w.ModifyRecipientRow(n, 1, person(f"user{n}@example.org", f"User {n}")) for n in range(600)]
    for first in range(0, 600, 200):
        modify(alice, *rows[first : first + 200])
    mid = save(alice)
    opened = open_(alice, mid)
    assert opened.recipient_count == 600
    names = [row.recipient(opened.columns).display_name for row in opened.rows]
    while len(names) < 600:
        answer = alice.one(w.ReadRecipients(0, OTHER, len(names)), w.ReadRecipientsResponse)
        assert answer.rows[0].row_id == len(names)
        names += [RecipientRow.decode(row.row, opened.columns).display_name for row in answer.rows]
    assert names == [f"User {n}" for n in range(600)]


def test_recipients_of_the_address_book_get_their_mail_addresses(world: EmsmdbWorld, alice: Client) -> None:
    dn = world.site.people.dn_of(world.bob)
    prefix = dn.index("/cn=Recipients")
    row = RecipientRow(
        0x0651, (6,), address_prefix_used=prefix, x500dn=dn[prefix:].encode(), display_name="Bob",
        simple_display_name="Bob",
    )  # fmt: skip
    create(alice)
    columns = [p.PidTagObjectType]
    request = w.ModifyRecipients(0, MESSAGE, columns, [w.ModifyRecipientRow(0, 1, row.encode(columns))])
    alice.one(request, w.ModifyRecipientsResponse)
    put(alice, {
        p.PidTagSentRepresentingAddressType: "EX",
        p.PidTagSentRepresentingEmailAddress: world.site.people.dn_of(world.alice),
        p.PidTagSenderEntryId: b"no entry id",
    })  # fmt: skip
    mid = save(alice)
    opened = open_(alice, mid)
    told = opened.rows[0].recipient(opened.columns)
    assert (told.flags & 7, told.x500dn.decode()) == (1, dn)
    assert dict(zip(opened.columns, told.values, strict=True))[p.PidTagSmtpAddress] == BOB
    assert get(alice, p.PidTagSentRepresentingSmtpAddress, index=OTHER) == [ALICE]
    put(alice, {p.PidTagSentRepresentingEmailAddress: dn}, index=OTHER)
    save(alice, OTHER)
    assert get(alice, p.PidTagSentRepresentingSmtpAddress, index=OTHER) == [BOB]
    put(alice, {p.PidTagSentRepresentingEmailAddress: "/o=Elsewhere/cn=x"}, index=OTHER)
    save(alice, OTHER)
    assert get(alice, p.PidTagSentRepresentingSmtpAddress, index=OTHER) != [BOB]


def test_rows_that_are_none_are_refused_whole(alice: Client) -> None:
    create(alice)
    good, bad = w.ModifyRecipientRow(0, 1, person("a@example.org", "A")), w.ModifyRecipientRow(1, 1, b"\x03\x02")
    assert alice.fails(w.ModifyRecipients(0, MESSAGE, COLUMNS, [good, bad])) == Ec.ecInvalidParam
    assert alice.fails(w.ReadRecipients(0, MESSAGE, 0)) == Ec.ecNotFound


# ---------------------------------------------------------------------------------------------- status and marks


def test_status_flags_change_under_their_mask(world: EmsmdbWorld, alice: Client) -> None:
    mid = eid_int(1, world.append(MAIL).mid)
    alice.folder(INBOX)
    assert alice.one(w.GetMessageStatus(0, FOLDER, mid), w.SetMessageStatusResponse).message_status_flags == 0
    first = w.SetMessageStatus(0, FOLDER, mid, 0x1008, 0x3008)
    assert alice.one(first, w.SetMessageStatusResponse).message_status_flags == 0
    second = w.SetMessageStatus(0, FOLDER, mid, 0x0800, 0x1800)
    assert alice.one(second, w.SetMessageStatusResponse).message_status_flags == 0x1008
    assert alice.one(w.GetMessageStatus(0, FOLDER, mid), w.SetMessageStatusResponse).message_status_flags == 0x0808
    assert alice.fails(w.GetMessageStatus(0, FOLDER, eid_int(1, 0x99999))) == Ec.ecNotFound


def flags_of(client: Client, mid: int) -> int:
    open_(client, mid, index=9, fid=INBOX)
    (value,) = get(client, p.PidTagMessageFlags, index=9)
    assert isinstance(value, int)
    return value & MessageFlags.mfRead


def test_marking_many_tells_of_those_that_are_gone(world: EmsmdbWorld, alice: Client) -> None:
    mids = [eid_int(1, world.append(MAIL).mid) for _ in range(3)]
    alice.folder(INBOX)
    answer = alice.one(w.SetReadFlags(0, FOLDER, False, 1, mids), w.SetReadFlagsResponse)
    assert not answer.partial_completion
    assert [flags_of(alice, mid) for mid in mids] == [1, 1, 1]
    some = [*mids[:2], eid_int(1, 0x99999)]
    answer = alice.one(w.SetReadFlags(0, FOLDER, True, 5, some), w.SetReadFlagsResponse)
    assert answer.partial_completion
    assert [flags_of(alice, mid) for mid in mids] == [0, 0, 1]
    alice.one(w.SetReadFlags(0, FOLDER, False, 0x60, mids), w.SetReadFlagsResponse)
    assert [flags_of(alice, mid) for mid in mids] == [0, 0, 1]


def test_without_ids_all_messages_of_a_folder_are_marked(world: EmsmdbWorld, alice: Client) -> None:
    mids = [eid_int(1, world.append(MAIL).mid) for _ in range(3)]
    elsewhere = eid_int(1, world.append(MAIL, DRAFTS).mid)
    alice.folder(INBOX)
    alice.one(w.SetReadFlags(0, FOLDER, False, 1, mids[:1]), w.SetReadFlagsResponse)
    answer = alice.one(w.SetReadFlags(0, FOLDER, False, 1, []), w.SetReadFlagsResponse)
    assert not answer.partial_completion
    assert [flags_of(alice, mid) for mid in [*mids, elsewhere]] == [1, 1, 1, 0]
    alice.one(w.SetReadFlags(0, FOLDER, True, 5, []), w.SetReadFlagsResponse)
    assert [flags_of(alice, mid) for mid in mids] == [0, 0, 0]


def test_all_messages_are_marked_in_slices(world: EmsmdbWorld, alice: Client) -> None:
    account = world.account()
    world.append(MAIL)
    mids = list(transferring.list_messages(account, INBOX))
    for _ in range(11):  # doubles them: 2,048
        account.call(o.TransferMessages(INBOX, mids, INBOX, False, world.request_id()))
        mids = list(transferring.list_messages(account, INBOX))
    alice.folder(INBOX)
    ticks = iter(range(10_000))
    alice.session.clock = lambda: next(ticks) * 1.0
    told = alice.run(w.SetReadFlags(0, FOLDER, True, 1, []))[0]
    seen = []
    while isinstance(told, pr.ProgressResponse):
        seen.append((told.completed_task_count, told.total_task_count))
        (told,) = alice.run(pr.Progress(0, FOLDER, False))
    assert told == w.SetReadFlagsResponse(FOLDER, 0, False)
    assert seen == [(0, 1000), (0, 2000), (1000, 2048), (2000, 2048), (2048, 2048)]
    flags = [value for _, value in transferring.list_rows(account, INBOX, p.PidTagMessageFlags)]
    assert sum(value & MessageFlags.mfRead for value in flags) == len(mids) == 2048


def test_messages_are_marked_through_a_search_folder(world: EmsmdbWorld, alice: Client) -> None:
    shown = [eid_int(1, world.append(MAIL, fid).mid) for fid in (INBOX, DRAFTS)]
    restriction = encode_restriction(Exist(p.PidTagSubject))
    alice.folder(FINDER)
    made = rf.CreateFolder(0, FOLDER, OTHER, rf.SEARCH, True, False, 0, "all mail", "")
    alice.one(made, rf.CreateFolderResponse)
    criteria = rf.SetSearchCriteria(0, OTHER, restriction, [eid_int(1, IPM)], 0x6)  # restart, recursive
    alice.one(criteria, rf.SetSearchCriteriaResponse)
    alice.one(w.SetReadFlags(0, OTHER, False, 1, shown[:1]), w.SetReadFlagsResponse)
    assert [flags_of(alice, mid) for mid in shown] == [1, 0]
    answer = alice.one(w.SetReadFlags(0, OTHER, False, 1, []), w.SetReadFlagsResponse)
    assert not answer.partial_completion
    assert [flags_of(alice, mid) for mid in shown] == [1, 1]


def test_a_message_open_for_reading_is_marked(world: EmsmdbWorld, alice: Client) -> None:
    mid = eid_int(1, world.append(MAIL).mid)
    open_(alice, mid, mode=0, fid=INBOX)
    answer = alice.one(w.SetMessageReadFlag(0, FOLDER, OTHER, 1), w.SetMessageReadFlagResponse)
    assert answer == w.SetMessageReadFlagResponse(FOLDER, 0, False)
    assert flags_of(alice, mid) == 1
    alice.one(w.SetMessageReadFlag(0, FOLDER, OTHER, 5), w.SetMessageReadFlagResponse)
    assert flags_of(alice, mid) == 0


def test_public_readers_are_told_that_their_mark_changed(world: EmsmdbWorld, alice: Client) -> None:
    public = alice.public_logon(index=20, number=3)
    fid = public.folder_ids[1]
    world.account("example.test").call(x.ModifyPermissions(2, [x.PermissionChange(x.ADD, name=ALICE, rights=0x7FB)]))
    alice.one(w.CreateMessage(3, 20, MESSAGE, 0, fid, False), w.CreateMessageResponse)
    put(alice, {p.PidTagSubject: "note"}, number=3)
    mid = save(alice, number=3)
    alice.one(w.OpenMessage(3, 20, OTHER, 0, fid, 0, mid), w.OpenMessageResponse)
    data = bytes(range(24))
    found = []
    for flags in (5, 1, 1):
        (answer,) = alice.run(w.SetPublicMessageReadFlag(3, 20, OTHER, flags, data))
        assert isinstance(answer, w.SetMessageReadFlagResponse)
        found.append((answer.read_status_changed, answer.logon, answer.client_data))
    changed, same = (True, 3, data), (False, 0, b"")
    assert found == [changed, changed, same]


# ---------------------------------------------------------------------------------------------- read receipts

ASKING = (
    b"From: Ann <ann@example.org>\r\nTo: Alice <alice@example.test>\r\nSubject: Plans\r\n"
    b"Message-ID: <one@example.org>\r\nDisposition-Notification-To: Secretary <office@example.org>\r\n\r\nSee you\r\n"
)


def outgoing(world: EmsmdbWorld) -> list[g.Outgoing]:
    found = world.account(ALICE, SYSTEM).call(g.GetOutgoing()).mails
    world.account(ALICE, SYSTEM).call(g.OutgoingTaken([one.id for one in found]))
    return list(found)


def test_a_receipt_is_sent_once(world: EmsmdbWorld, alice: Client) -> None:
    mid = eid_int(1, world.append(ASKING).mid)
    alice.folder(INBOX)
    alice.one(w.SetReadFlags(0, FOLDER, False, 0, [mid]), w.SetReadFlagsResponse)
    (mail,) = outgoing(world)
    assert (mail.sender, mail.recipients, mail.options.notify) == ("", ["office@example.org"], g.NOTIFY_NEVER)
    report = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert (report["Subject"], report.get_content_type()) == ("Read: Plans", "multipart/report")
    assert report["In-Reply-To"] == "<one@example.org>"
    (machine,) = [one for one in report.walk() if one.get_content_type() == "message/disposition-notification"]
    fields = machine.as_string()
    assert "Disposition: manual-action/MDN-sent-manually; displayed" in fields
    assert "Original-Message-ID: <one@example.org>" in fields
    for flags in (5, 0, 0x10):
        alice.one(w.SetReadFlags(0, FOLDER, False, flags, [mid]), w.SetReadFlagsResponse)
    assert outgoing(world) == []
    assert flags_of(alice, mid) == 1


def test_a_receipt_that_is_refused_is_never_sent(world: EmsmdbWorld, alice: Client) -> None:
    mid = eid_int(1, world.append(ASKING).mid)
    open_(alice, mid, fid=INBOX)
    (flags,) = get(alice, p.PidTagMessageFlags, index=OTHER)
    assert isinstance(flags, int) and flags & MessageFlags.mfNotifyRead
    alice.one(w.SetMessageReadFlag(0, FOLDER, OTHER, 0x20), w.SetMessageReadFlagResponse)
    assert flags_of(alice, mid) == 0
    open_(alice, mid, fid=INBOX)
    (flags,) = get(alice, p.PidTagMessageFlags, index=OTHER)
    assert isinstance(flags, int) and not flags & MessageFlags.mfNotifyRead
    alice.one(w.SetMessageReadFlag(0, FOLDER, OTHER, 0), w.SetMessageReadFlagResponse)
    assert outgoing(world) == []
    assert flags_of(alice, mid) == 1


def test_a_receipt_may_come_before_the_mark(world: EmsmdbWorld, alice: Client) -> None:
    mid = eid_int(1, world.append(ASKING).mid)
    open_(alice, mid, fid=INBOX)
    alice.one(w.SetMessageReadFlag(0, FOLDER, OTHER, 0x10), w.SetMessageReadFlagResponse)
    assert [one.recipients for one in outgoing(world)] == [["office@example.org"]]
    assert flags_of(alice, mid) == 0
    put(alice, {p.PidTagImportance: 2}, index=OTHER)
    assert save(alice, OTHER) == mid


@pytest.mark.parametrize("hard", [False, True])
def test_who_asked_is_told_that_his_message_was_deleted_unread(world: EmsmdbWorld, alice: Client, hard: bool) -> None:
    mids = [eid_int(1, world.append(ASKING).mid) for _ in range(4)] + [eid_int(1, world.append(MAIL).mid)]
    alice.folder(INBOX)
    alice.one(w.SetReadFlags(0, FOLDER, False, 1, mids[:1]), w.SetReadFlagsResponse)
    rop = rf.HardDeleteMessages if hard else rf.DeleteMessages
    assert alice.run(rop(0, FOLDER, False, False, mids[1:2]))[0].code == 0
    assert outgoing(world) == []
    assert alice.run(rop(0, FOLDER, False, True, [mids[0], *mids[2:]]))[0].code == 0
    found = outgoing(world)
    assert [(one.sender, one.recipients) for one in found] == [("", ["office@example.org"])] * 2
    report = email.message_from_bytes(found[0].raw, policy=email.policy.default)
    assert report["Subject"] == "Not read: Plans"
    (machine,) = [one for one in report.walk() if one.get_content_type() == "message/disposition-notification"]
    assert "MDN-sent-manually; deleted" in machine.as_string()
    assert list(transferring.list_messages(world.account(), INBOX)) == []


def test_guests_delete_without_a_report(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(INBOX, BOB, 0x5FB)
    mid = eid_int(1, world.append(ASKING).mid)
    bob.logon(index=10, number=1, of=world.alice)
    bob.folder(INBOX, logon=10, number=1)
    assert bob.run(rf.DeleteMessages(1, FOLDER, False, True, [mid]))[0].code == 0
    assert outgoing(world) == []
    assert list(transferring.list_messages(world.account(), INBOX)) == []


def test_guests_answer_for_nobody(world: EmsmdbWorld, bob: Client) -> None:
    world.grant(INBOX, BOB, 0x5FB)
    mid = eid_int(1, world.append(ASKING).mid)
    bob.logon(index=10, number=1, of=world.alice)
    bob.folder(INBOX, logon=10, number=1)
    bob.one(w.SetReadFlags(1, FOLDER, False, 0, [mid]), w.SetReadFlagsResponse)
    assert outgoing(world) == []
