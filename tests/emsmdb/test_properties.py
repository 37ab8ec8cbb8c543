"""Properties of logons, folders, messages and attachments by ROPs ([MS-OXCPRPT] 2.2.2-2.2.11)."""

from __future__ import annotations

from typing import Any

from gromoxd.errors import Ec
from gromoxd.exmdb.names import MakePropertyIds, Name
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import AddressBookEntryId
from gromoxd.mapi.ids import eid_int, eid_value
from gromoxd.mapi.rows import NO_MEMORY, NOT_FOUND
from gromoxd.mapi.values import PropertyProblem, TypedPropertyValue
from gromoxd.mapi.values import TaggedPropertyValue as Value
from gromoxd.rop import messages as rm
from gromoxd.rop import properties as w
from gromoxd.rop import streams as rs
from tests.emsmdb.test_messages import (
    FOLDER,
    LOGON,
    MESSAGE,
    OTHER,
    create,
    get,
    modify,
    open_,
    person,
    put,
    save,
)
from tests.emsmdb.world import BOB, CALENDAR, DRAFTS, INBOX, Client, EmsmdbWorld

FREE = 0x8FF0_0000
"""An id that no name has."""


def narrow(tag: int) -> int:
    return tag & 0xFFFF0000 | 0x1E


# ---------------------------------------------------------------------------------------------- messages


def test_what_is_set_is_there_and_what_is_deleted_is_not(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one", p.PidTagImportance: 2, p.PidTagStartDate: 116_444_736_000_000_000})
    assert get(alice, p.PidTagImportance, p.PidTagStartDate) == [2, 116_444_736_000_000_000]
    answer = alice.one(w.DeleteProperties(0, MESSAGE, [p.PidTagStartDate, p.PidTagEndDate]), w.DeletePropertiesResponse)
    assert answer.problems == []
    assert get(alice, p.PidTagSubject, p.PidTagStartDate) == ["one", NOT_FOUND]


def test_problems_say_which_and_why(alice: Client) -> None:
    create(alice)
    values = [Value(p.PidTagSubject, "one"), Value(p.PidTagEntryId, b"x"), Value(0x0037_0001, None)]
    answer = alice.one(w.SetProperties(0, MESSAGE, values), w.SetPropertiesResponse)
    assert sorted(answer.problems) == [
        PropertyProblem(1, p.PidTagEntryId, Ec.ecComputed), PropertyProblem(2, 0x0037_0001, Ec.ecInvalidParam),
    ]  # fmt: skip
    assert get(alice, p.PidTagSubject) == ["one"]
    tags = [p.PidTagSubject, p.PidTagEntryId]
    gone = alice.one(w.DeletePropertiesNoReplicate(0, MESSAGE, tags), w.DeletePropertiesNoReplicateResponse)
    assert gone.problems == [PropertyProblem(1, p.PidTagEntryId, Ec.ecComputed)]


def test_values_that_are_none_do_not_spoil_the_buffer(alice: Client) -> None:
    create(alice)
    broken = w.SetProperties(0, MESSAGE, [], b"\x01\x00\x1f\x00\x37\x00A")
    listing = w.GetPropertiesList(0, MESSAGE)
    first, second = alice.run(broken, listing)
    assert (first.code, second.code) == (Ec.ecInvalidParam, 0)


def test_text_comes_as_it_is_asked_for(alice: Client) -> None:
    alice.session.code_page = 1251
    create(alice)
    values = [Value(narrow(p.PidTagSubject), "\u041f\u043b\u0430\u043d".encode("cp1251"))]
    assert alice.one(w.SetPropertiesNoReplicate(0, MESSAGE, values), w.SetPropertiesNoReplicateResponse).problems == []
    subject, octets = "\u041f\u043b\u0430\u043d", "\u041f\u043b\u0430\u043d".encode("cp1251")
    assert get(alice, p.PidTagSubject, narrow(p.PidTagSubject)) == [subject, octets]
    mid = save(alice)
    open_(alice, mid, page=1252)
    assert get(alice, narrow(p.PidTagSubject), index=OTHER) == [b"????"]
    open_(alice, mid)
    assert get(alice, narrow(p.PidTagSubject), index=OTHER) == [octets]


def test_types_that_are_not_said_are_told(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one", p.PidTagImportance: 2})
    tags = [p.PidTagSubject & 0xFFFF0000, p.PidTagImportance & 0xFFFF0000, FREE]
    for unicode, text in ((1, TypedPropertyValue(0x1F, "one")), (0, TypedPropertyValue(0x1E, b"one"))):
        answer = alice.one(w.GetPropertiesSpecific(0, MESSAGE, 0, unicode, tags), w.GetPropertiesSpecificResponse)
        assert answer.values(tags) == [text, TypedPropertyValue(3, 2), NOT_FOUND]


def test_named_properties_pass_through(world: EmsmdbWorld, alice: Client) -> None:
    (number,) = world.account().call(MakePropertyIds([Name(b"set of my own 16", -1, "colour")]))
    tag = number << 16 | 0x1F
    create(alice)
    put(alice, {tag: "red"})
    assert get(alice, tag, FREE | 0x1F) == ["red", NOT_FOUND]
    assert open_(alice, save(alice)).has_named_properties
    assert get(alice, tag, index=OTHER) == ["red"]


def test_long_values_are_left_to_streams(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one", p.PidTagBody: "x" * 10_000})
    tags = [p.PidTagSubject, p.PidTagBody]
    answer = alice.one(w.GetPropertiesSpecific(0, MESSAGE, 4096, 1, tags), w.GetPropertiesSpecificResponse)
    assert answer.values(tags) == ["one", NO_MEMORY]
    assert get(alice, *tags) == ["one", "x" * 10_000]
    put(alice, {p.PidTagTransportMessageHeaders: "h" * 8_000, p.PidTagComment: "c" * 3_000})
    tags += [p.PidTagTransportMessageHeaders, p.PidTagComment]
    assert get(alice, *tags) == ["one", NO_MEMORY, "h" * 8_000, "c" * 3_000]


def test_a_row_that_has_no_room_loses_its_longest_values(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagComment: "c" * 900, p.PidTagSubject: "s" * 200, p.PidTagBody: "b" * 1_000})
    tags = [p.PidTagSubject, p.PidTagBody, p.PidTagComment]
    (answer,) = alice.run(w.GetPropertiesSpecific(0, MESSAGE, 0, 1, tags), room=2_600)
    assert isinstance(answer, w.GetPropertiesSpecificResponse)
    assert answer.values(tags) == ["s" * 200, NO_MEMORY, "c" * 900]


def test_all_properties_are_told_with_their_types(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "one", p.PidTagBody: "text", p.PidTagHtml: b"<p>x"})
    answer = alice.one(w.GetPropertiesAll(0, MESSAGE, 0, 0), w.GetPropertiesAllResponse)
    found = dict(answer.values)
    assert found[narrow(p.PidTagSubject)] == b"one"
    assert found[p.PidTagHtml] == b"<p>x"
    assert found[p.PidTagRtfCompressed & 0xFFFF0000 | 0x0A] == NO_MEMORY.code
    assert p.PidTagBody not in found
    listed = alice.one(w.GetPropertiesList(0, MESSAGE), w.GetPropertiesListResponse).tags
    assert {p.PidTagSubject, p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed} <= set(listed)


# ---------------------------------------------------------------------------------------------- folders and logons


def test_folders_keep_what_outlook_writes_octet_by_octet(alice: Client) -> None:
    alice.folder(INBOX)
    entry_ids = [bytes([n]) * 46 for n in range(7)]
    blob = bytes(range(256)) * 4
    props: dict[int, Any] = {
        p.PidTagIpmAppointmentEntryId: entry_ids[0], p.PidTagIpmContactEntryId: entry_ids[1],
        p.PidTagIpmJournalEntryId: entry_ids[2], p.PidTagIpmNoteEntryId: entry_ids[3],
        p.PidTagIpmTaskEntryId: entry_ids[4], p.PidTagRemindersOnlineEntryId: entry_ids[5],
        p.PidTagIpmDraftsEntryId: entry_ids[6], p.PidTagAdditionalRenEntryIds: [b"", *entry_ids[:4]],
        p.PidTagAdditionalRenEntryIdsEx: blob, p.PidTagFreeBusyEntryIds: [b"", entry_ids[1], entry_ids[2], b""],
    }  # fmt: skip
    put(alice, props, index=FOLDER)
    alice.folder(INBOX, index=4)
    assert get(alice, *props, index=4) == list(props.values())


def test_a_folder_handle_sees_what_others_did(alice: Client) -> None:
    alice.folder(DRAFTS)
    assert get(alice, p.PidTagContentCount, p.PidTagFolderId, index=FOLDER) == [0, eid_value(1, DRAFTS)]
    create(alice)
    put(alice, {p.PidTagSubject: "one"})
    save(alice)
    assert get(alice, p.PidTagContentCount, narrow(p.PidTagDisplayName), index=FOLDER) == [1, b"Drafts"]
    assert get(alice, p.PidTagDisplayName & 0xFFFF0000, index=FOLDER) == [TypedPropertyValue(0x1F, "Drafts")]


def test_well_known_folders_keep_their_names(alice: Client) -> None:
    alice.folder(INBOX)
    answer = alice.one(w.SetProperties(0, FOLDER, [Value(p.PidTagDisplayName, "Mine")]), w.SetPropertiesResponse)
    assert answer.problems == [PropertyProblem(0, p.PidTagDisplayName, Ec.ecAccessDenied)]


def test_the_calendar_does_not_list_its_parent(alice: Client) -> None:
    alice.folder(CALENDAR)
    listed = alice.one(w.GetPropertiesList(0, FOLDER), w.GetPropertiesListResponse).tags
    assert p.PidTagParentSourceKey not in listed
    assert p.PidTagSourceKey in listed
    assert isinstance(get(alice, p.PidTagParentSourceKey, index=FOLDER)[0], bytes)
    alice.folder(INBOX)
    listed = alice.one(w.GetPropertiesList(0, FOLDER), w.GetPropertiesListResponse).tags
    assert p.PidTagParentSourceKey in listed


def test_a_logon_names_people_of_the_address_book(world: EmsmdbWorld, bob: Client) -> None:
    user, owner = get(bob, p.PidTagUserEntryId, p.PidTagMailboxOwnerEntryId, index=LOGON)
    assert isinstance(user, bytes) and user == owner
    assert AddressBookEntryId.decode(user).dn == world.site.people.dn_of(world.bob)
    world.grant(INBOX, BOB, 0x7FB)
    bob.logon(index=10, number=1, of=world.alice)
    user, owner = get(bob, p.PidTagUserEntryId, p.PidTagMailboxOwnerEntryId, index=10, number=1)
    assert isinstance(user, bytes) and isinstance(owner, bytes)
    assert AddressBookEntryId.decode(user).dn == world.site.people.dn_of(world.bob)
    assert AddressBookEntryId.decode(owner).dn == world.site.people.dn_of(world.alice)


def test_the_owner_sets_properties_of_the_store(alice: Client) -> None:
    put(alice, {p.PidTagComment: "mine"}, index=LOGON)
    assert get(alice, p.PidTagComment, narrow(p.PidTagComment), index=LOGON) == ["mine", b"mine"]
    alice.one(w.DeleteProperties(0, LOGON, [narrow(p.PidTagComment)]), w.DeletePropertiesResponse)
    assert get(alice, p.PidTagComment, index=LOGON) in ([""], [NOT_FOUND])
    listed = alice.one(w.GetPropertiesList(0, LOGON), w.GetPropertiesListResponse).tags
    assert {p.PidTagUserEntryId, p.PidTagRecordKey} <= set(listed)
    answer = alice.one(w.SetProperties(0, LOGON, [Value(p.PidTagRecordKey, b"x")]), w.SetPropertiesResponse)
    assert [one.position for one in answer.problems] == [0]


# ---------------------------------------------------------------------------------------------- settings and views


def test_settings_and_views_come_back_octet_by_octet(alice: Client) -> None:
    roaming = (
        b'<?xml version="1.0"?><UserConfiguration><Info version="Outlook.16"/><Data><e k="18-OLPrefsVersion" '
        b'v="9-1"/></Data></UserConfiguration>'
    )
    view = bytes(range(256)) * 200
    settings: dict[str, dict[int, Any]] = {
        "IPM.Configuration.Calendar": {p.PidTagRoamingDatatypes: 4, p.PidTagRoamingDictionary: roaming},
        "IPM.Configuration.CategoryList": {p.PidTagRoamingDatatypes: 2, p.PidTagRoamingXmlStream: roaming * 3},
        "IPM.Microsoft.FolderDesign.NamedView": {
            p.PidTagViewDescriptorBinary: view, p.PidTagViewDescriptorStrings: "Subject\r\nFrom",
            p.PidTagViewDescriptorName: "Mine", p.PidTagViewDescriptorVersion: 8,
        },
    }  # fmt: skip
    for kind, props in settings.items():
        create(alice, INBOX, associated=True)
        put(alice, {p.PidTagMessageClass: kind, p.PidTagSubject: kind})
        for tag, value in props.items():
            if isinstance(value, bytes):
                write(alice, tag, value)
            else:
                put(alice, {tag: value})
        opened = open_(alice, save(alice), fid=INBOX)
        assert opened.normalized_subject.text == kind
        assert get(alice, p.PidTagMessageClass, p.PidTagAssociated, index=OTHER) == [kind, True]
        for tag, value in props.items():
            found = read(alice, tag) if isinstance(value, bytes) else get(alice, tag, index=OTHER)[0]
            assert found == value, kind


def write(client: Client, tag: int, data: bytes, index: int = MESSAGE) -> None:
    client.one(rs.OpenStream(0, index, 8, tag, 2), rs.OpenStreamResponse)
    for first in range(0, len(data), 30_000):
        client.one(rs.WriteStream(0, 8, data[first : first + 30_000]), rs.WriteStreamResponse)
    client.one(rs.CommitStream(0, 8), rs.CommitStreamResponse)
    client.release(8)


def read(client: Client, tag: int, index: int = OTHER) -> bytes:
    size = client.one(rs.OpenStream(0, index, 8, tag, 0), rs.OpenStreamResponse).stream_size
    pieces = [b"x"]
    while pieces[-1]:
        pieces.append(client.one(rs.ReadStream(0, 8, 0xF000), rs.ReadStreamResponse).data)
    client.release(8)
    data = b"".join(pieces[1:])
    assert len(data) == size
    return data


# ---------------------------------------------------------------------------------------------- copying


def copy(client: Client, source: int, destination: int, *excluded: int, subs: bool = True, flags: int = 0) -> list[Any]:
    request = w.CopyTo(0, source, destination, False, subs, flags, list(excluded))
    return client.one(request, w.CopyToResponse).problems


def filled(client: Client, index: int = MESSAGE) -> None:
    create(client, index=index)
    put(client, {p.PidTagSubject: "one", p.PidTagBody: "text", p.PidTagImportance: 2}, index=index)
    modify(client, rm.ModifyRecipientRow(0, 1, person("carl@example.org", "Carl")), index=index)
    client.one(rm.CreateAttachment(0, index, 7), rm.CreateAttachmentResponse)
    put(client, {p.PidTagAttachDataBinary: b"data", p.PidTagAttachMethod: 1}, index=7)
    client.one(rm.SaveChangesAttachment(0, index, 7, 0), rm.SaveChangesAttachmentResponse)


def test_a_copy_has_everything_but_what_is_excluded(alice: Client) -> None:
    filled(alice)
    create(alice, index=OTHER)
    assert copy(alice, MESSAGE, OTHER, p.PidTagImportance) == []
    tags = (p.PidTagSubject, p.PidTagBody, p.PidTagImportance, p.PidTagDisplayTo)
    assert get(alice, *tags, index=OTHER) == ["one", "text", 1, "Carl"]
    valid = alice.one(rm.GetValidAttachments(0, OTHER), rm.GetValidAttachmentsResponse)
    assert len(valid.attachment_ids) == 1
    create(alice, index=4)
    copy(alice, MESSAGE, 4, subs=False)
    assert get(alice, p.PidTagSubject, p.PidTagDisplayTo, index=4) == ["one", ""]


def test_copies_may_leave_what_is_there_and_move(alice: Client) -> None:
    filled(alice)
    create(alice, index=OTHER)
    put(alice, {p.PidTagSubject: "other"}, index=OTHER)
    tags = [p.PidTagSubject, p.PidTagBody, p.PidTagComment, p.PidTagEntryId]
    request = w.CopyProperties(0, MESSAGE, OTHER, False, 2, tags)
    problems = alice.one(request, w.CopyPropertiesResponse).problems
    assert sorted(problems) == [
        PropertyProblem(2, p.PidTagComment, Ec.ecNotFound), PropertyProblem(3, p.PidTagEntryId, Ec.ecComputed),
    ]  # fmt: skip
    assert get(alice, p.PidTagSubject, p.PidTagBody, index=OTHER) == ["other", "text"]
    alice.one(w.CopyProperties(0, MESSAGE, OTHER, True, 1, [p.PidTagImportance]), w.CopyPropertiesResponse)
    assert get(alice, p.PidTagImportance, index=OTHER) == [2]
    assert get(alice, p.PidTagImportance) == [NOT_FOUND]
    assert alice.fails(w.CopyTo(0, MESSAGE, OTHER, False, True, 8, [])) == Ec.ecInvalidParam


def test_copies_go_to_other_mailboxes(world: EmsmdbWorld, bob: Client) -> None:
    (number,) = world.account(BOB).call(MakePropertyIds([Name(b"set of my own 16", -1, "colour")]))
    world.account().call(MakePropertyIds([Name(b"set of my own 16", -1, "another")]))
    for fid in (INBOX, DRAFTS):
        world.grant(fid, BOB, 0x5FB)
    bob.logon(index=10, number=1, of=world.alice)
    filled(bob)
    put(bob, {number << 16 | 0x1F: "red"})
    bob.one(rm.CreateMessage(1, 10, 11, 0, eid_int(1, DRAFTS), False), rm.CreateMessageResponse)
    assert copy(bob, MESSAGE, 11) == []
    mid = save(bob, index=11, number=1)
    (theirs,) = world.account().call(MakePropertyIds([Name(b"set of my own 16", -1, "colour")]))
    assert theirs != number
    alice = world.client()
    alice.logon()
    opened = open_(alice, mid)
    assert opened.recipient_count == 1
    assert get(alice, p.PidTagSubject, theirs << 16 | 0x1F, index=OTHER) == ["one", "red"]


def test_a_destination_that_is_none_is_named(alice: Client) -> None:
    filled(alice)
    (answer,) = alice.run(w.CopyTo(0, MESSAGE, 40, False, True, 0, []))
    assert answer == w.CopyToNullDestination(MESSAGE, Ec.ecDstNullObject, 40)
    (answer,) = alice.run(w.CopyProperties(0, MESSAGE, 200, False, 0, [p.PidTagSubject]))
    assert answer == w.CopyPropertiesNullDestination(MESSAGE, Ec.ecDstNullObject, 200)
    alice.folder(INBOX)
    assert alice.fails(w.CopyTo(0, MESSAGE, FOLDER, False, True, 0, [])) == Ec.ecNotSupported
    assert alice.fails(w.CopyTo(0, LOGON, MESSAGE, False, True, 0, [])) == Ec.ecNotSupported


def test_a_message_is_not_copied_into_itself(alice: Client) -> None:
    create(alice)
    alice.one(rm.CreateAttachment(0, MESSAGE, 7), rm.CreateAttachmentResponse)
    alice.one(rm.OpenEmbeddedMessage(0, 7, 8, 0, 2), rm.OpenEmbeddedMessageResponse)
    alice.one(rm.CreateAttachment(0, 8, 9), rm.CreateAttachmentResponse)
    alice.one(rm.OpenEmbeddedMessage(0, 9, 10, 0, 2), rm.OpenEmbeddedMessageResponse)
    for within in (8, 10):
        assert alice.fails(w.CopyTo(0, MESSAGE, within, False, True, 0, [])) == Ec.ecMessageCycle
    assert copy(alice, 10, MESSAGE) == []


# ---------------------------------------------------------------------------------------------- attachments


def test_attachments_are_the_messages_when_they_are_saved(alice: Client) -> None:
    create(alice)
    made = alice.one(rm.CreateAttachment(0, MESSAGE, 7), rm.CreateAttachmentResponse)
    put(alice, {p.PidTagAttachLongFilename: "plan.txt", p.PidTagAttachDataBinary: b"data"}, index=7)
    valid = rm.GetValidAttachments(0, MESSAGE)
    assert alice.one(valid, rm.GetValidAttachmentsResponse).attachment_ids == []
    assert alice.fails(rm.SaveChangesAttachment(0, MESSAGE, 7, 3)) == Ec.ecNotSupported
    alice.one(rm.SaveChangesAttachment(0, MESSAGE, 7, 1), rm.SaveChangesAttachmentResponse)
    assert alice.one(valid, rm.GetValidAttachmentsResponse).attachment_ids == [made.attachment_id]
    assert alice.fails(rm.SaveChangesAttachment(0, MESSAGE, 7, 0)) == Ec.ecAccessDenied
    mid = save(alice)
    open_(alice, mid)
    alice.one(rm.OpenAttachment(0, OTHER, 9, 0, made.attachment_id), rm.OpenAttachmentResponse)
    tags = (p.PidTagAttachLongFilename, p.PidTagAttachDataBinary, p.PidTagAttachMethod)
    assert get(alice, *tags, index=9) == ["plan.txt", b"data", 1]
    assert alice.fails(rm.OpenAttachment(0, OTHER, 9, 0, 99)) == Ec.ecNotFound
    alice.one(rm.DeleteAttachment(0, OTHER, made.attachment_id), rm.DeleteAttachmentResponse)
    assert alice.fails(rm.DeleteAttachment(0, OTHER, made.attachment_id)) == Ec.ecNotFound
    save(alice, OTHER)
    open_(alice, mid, index=10)
    assert alice.one(rm.GetValidAttachments(0, 10), rm.GetValidAttachmentsResponse).attachment_ids == []


def test_messages_within_messages(alice: Client) -> None:
    create(alice)
    put(alice, {p.PidTagSubject: "outer"})
    alice.one(rm.CreateAttachment(0, MESSAGE, 7), rm.CreateAttachmentResponse)
    assert alice.fails(rm.OpenEmbeddedMessage(0, 7, 8, 0, 0)) == Ec.ecNotFound
    assert alice.fails(rm.OpenEmbeddedMessage(0, 7, 8, 0x000F, 2)) == Ec.UnknownCodePage
    alice.one(rm.OpenEmbeddedMessage(0, 7, 8, 0x0FFF, 2), rm.OpenEmbeddedMessageResponse)
    put(alice, {p.PidTagSubject: "RE: inner"}, index=8)
    modify(alice, rm.ModifyRecipientRow(0, 1, person("carl@example.org", "Carl")), index=8)
    save(alice, 8)
    alice.one(rm.SaveChangesAttachment(0, MESSAGE, 7, 0), rm.SaveChangesAttachmentResponse)
    mid = save(alice)
    open_(alice, mid, mode=0)
    alice.one(rm.OpenAttachment(0, OTHER, 9, 3, 0), rm.OpenAttachmentResponse)
    opened = alice.one(rm.OpenEmbeddedMessage(0, 9, 10, 0, 0), rm.OpenEmbeddedMessageResponse)
    assert (opened.subject_prefix.text, opened.normalized_subject.text) == ("RE: ", "inner")
    assert opened.rows[0].recipient(opened.columns).display_name == "Carl"
    assert alice.fails(rm.OpenEmbeddedMessage(0, 9, 11, 0, 1)) == Ec.ecAccessDenied
    alice.one(rm.SetMessageReadFlag(0, 10, 10, 1), rm.SetMessageReadFlagResponse)
    assert alice.fails(w.SetProperties(0, 10, [Value(p.PidTagSubject, "x")])) == Ec.ecAccessDenied
