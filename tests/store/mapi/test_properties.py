"""Properties that are made when a message is read: from its place, its marks, its header, its recipients."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb import pages
from gromoxd.mapi import conversation, ids
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import FolderEntryId, MessageEntryId, OneOffEntryId, StoreEntryId
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.times import filetime
from store.mapi import properties, rows
from store.mapi.identity import eid
from store.mapi.loading import Env
from tests.store.conftest import ALL, DRAFTS, INBOX, OWNER, Harness
from tests.store.mapi.objects import change, person, save

RECEIVED = 1_700_000_000
MAIL = (
    b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: Anna <anna@example.org>\r\nTo: Bob <bob@example.org>\r\n"
    b"Cc: carl@example.org\r\nSubject: RE: Figures\r\nMessage-ID: <1@example.org>\r\n"
    b"Disposition-Notification-To: anna@example.org\r\n\r\nSee below.\r\n"
)


def deliver(box: Harness, raw: bytes = MAIL, flags: int = 0, keywords: list[str] | None = None) -> c.Stored:
    new = c.NewMessage(digest_message(raw, received=RECEIVED), raw, RECEIVED, flags, keywords or [])
    stored: c.Stored = box.call(c.Append(INBOX, new, box.request_id()))
    return stored


def shown(box: Harness, mid: int, tags: list[int] | None = None, actor: str = OWNER) -> o.Bag:
    message: o.Message = box.call(o.OpenMessage(mid, [], o.PROPS, tags), actor=actor)
    return message.props


def one(box: Harness, mid: int, tag: int, actor: str = OWNER) -> Any:
    """A property asked for alone; it is the same among all."""
    value = shown(box, mid, [tag], actor).get(tag)
    assert shown(box, mid, None, actor).get(tag) == value
    return value


# ------------------------------------------------------------------------------------------ place


def test_ids_and_keys(box: Harness) -> None:
    """[MS-OXCFXICS] 2.2.1.2, [MS-OXCDATA] 2.2."""
    stored = deliver(box)
    mid, cn, guid = stored.mid, stored.cn, box.box.identity.guid
    assert one(box, mid, p.PidTagMid) == ids.eid_value(1, mid) == one(box, mid, p.PidTagInstID)
    assert one(box, mid, p.PidTagFolderId) == ids.eid_value(1, INBOX)
    assert one(box, mid, p.PidTagChangeNumber) == ids.eid_value(1, cn)
    assert one(box, mid, p.PidTagInstanceNum) == 0
    assert one(box, mid, p.PidTagInternetArticleNumber) == stored.uid
    assert one(box, mid, p.PidTagSourceKey) == ids.gid(guid, mid)
    assert one(box, mid, p.PidTagParentSourceKey) == ids.gid(guid, INBOX)
    assert one(box, mid, p.PidTagChangeKey) == ids.gid(guid, cn)
    assert ids.pcl_decode(one(box, mid, p.PidTagPredecessorChangeList)) == {guid: ids.globcnt(cn)}
    entry = MessageEntryId.decode(one(box, mid, p.PidTagEntryId))
    assert (entry.folder.counter, entry.message.counter, entry.provider) == (INBOX, mid, guid)
    assert FolderEntryId.decode(one(box, mid, p.PidTagParentEntryId)).folder.counter == INBOX
    assert one(box, mid, p.PidTagRecordKey) == one(box, mid, p.PidTagEntryId)
    assert StoreEntryId.decode(one(box, mid, p.PidTagStoreEntryId)).mailbox_dn == OWNER.encode()
    assert one(box, mid, p.PidTagStoreRecordKey) == guid
    assert one(box, mid, p.PidTagMappingSignature) == box.box.identity.mapping_guid
    assert one(box, mid, p.PidTagObjectType) == 5


def test_a_message_from_elsewhere_keeps_its_keys(box: Harness) -> None:
    theirs = bytes(range(16))
    imported = o.Imported(theirs + ids.globcnt(7), theirs + ids.globcnt(9), ids.pcl_encode({theirs: ids.globcnt(9)}), 1)
    saved = save(box, {p.PidTagSubject: "x"}, imported=imported)
    assert one(box, saved.mid, p.PidTagSourceKey) == theirs + ids.globcnt(7)
    assert one(box, saved.mid, p.PidTagChangeKey) == theirs + ids.globcnt(9)
    changed = change(box, saved, {p.PidTagSubject: "y"})
    own = box.box.identity.guid
    assert one(box, saved.mid, p.PidTagChangeKey) == own + ids.globcnt(changed.cn)
    assert ids.pcl_decode(one(box, saved.mid, p.PidTagPredecessorChangeList)) == {
        theirs: ids.globcnt(9), own: ids.globcnt(changed.cn)
    }  # fmt: skip


def test_copies_share_the_search_key(box: Harness) -> None:
    stored = deliver(box)
    moved = box.call(o.TransferMessages(INBOX, [stored.mid], DRAFTS, False, box.request_id()))
    ((_, copy),) = moved.pairs
    key = one(box, stored.mid, p.PidTagSearchKey)
    assert len(key) == 16 and one(box, copy, p.PidTagSearchKey) == key
    assert one(box, deliver(box).mid, p.PidTagSearchKey) != key
    assert one(box, copy, p.PidTagFolderId) == eid(DRAFTS)


# ------------------------------------------------------------------------------------------ marks


@pytest.mark.parametrize(
    ("flags", "keywords", "tag", "value"),
    [
        (0, [], p.PidTagMessageFlags, 0x2302),
        (pages.SEEN, [], p.PidTagMessageFlags, 0x2403),
        (pages.SEEN | pages.DRAFT, [], p.PidTagMessageFlags, 0x240B),
        (pages.SEEN, [], p.PidTagRead, True),
        (0, [], p.PidTagRead, False),
        (pages.DELETED, [], p.PidTagMessageStatus, 8),
        (0, [], p.PidTagMessageStatus, 0),
        (pages.FLAGGED, [], p.PidTagFlagStatus, 2),
        (0, [], p.PidTagFlagStatus, None),
        (pages.ANSWERED, [], p.PidTagLastVerbExecuted, 102),
        (pages.ANSWERED, [], p.PidTagIconIndex, 0x105),
        (0, ["$Forwarded"], p.PidTagLastVerbExecuted, 104),
        (0, ["$forwarded"], p.PidTagIconIndex, 0x106),
        (0, [], p.PidTagLastVerbExecuted, None),
        (0, [], p.PidTagIconIndex, None),
        (0, ["Work", "$Junk", "Home"], PidNameKeywords, ["Home", "Work"]),
        (0, ["$Junk"], PidNameKeywords, None),
    ],
)
def test_marks_that_imap_sets(box: Harness, flags: int, keywords: list[str], tag: int, value: Any) -> None:
    """[MS-OXCMSG] 2.2.1.6, 2.2.1.8; [MS-OXOFLAG] 2.2.1.1; [MS-OXOMSG] 2.2.1.10, 2.2.1.34."""
    assert one(box, deliver(box, flags=flags, keywords=keywords).mid, tag) == value


def test_imap_wins_over_what_mapi_said(box: Harness) -> None:
    said = {p.PidTagLastVerbExecuted: 103, p.PidTagFlagStatus: 2, PidNameKeywords: ["Red"], p.PidTagIconIndex: 0x105}
    saved = save(box, {p.PidTagSubject: "x"} | said)
    assert one(box, saved.mid, p.PidTagLastVerbExecuted) == 103
    assert one(box, saved.mid, PidNameKeywords) == ["Red"]
    box.call(c.SetFlags(INBOX, ALL, c.REPLACE, pages.ANSWERED, ["Blue", "$Forwarded"]))
    assert one(box, saved.mid, p.PidTagLastVerbExecuted) == 103
    assert one(box, saved.mid, p.PidTagFlagStatus) is None
    assert one(box, saved.mid, PidNameKeywords) == ["Blue"]
    box.call(c.SetFlags(INBOX, ALL, c.REPLACE, 0, ["$Forwarded"]))
    assert one(box, saved.mid, p.PidTagLastVerbExecuted) == 104
    box.call(c.SetFlags(INBOX, ALL, c.REPLACE, 0, []))
    assert one(box, saved.mid, p.PidTagLastVerbExecuted) is None
    assert one(box, saved.mid, p.PidTagIconIndex) is None
    assert one(box, saved.mid, PidNameKeywords) is None


def test_a_finished_flag_stays_until_it_is_set_anew(box: Harness) -> None:
    saved = save(box, {p.PidTagSubject: "x", p.PidTagFlagStatus: 1})
    assert one(box, saved.mid, p.PidTagFlagStatus) == 1
    box.call(c.SetFlags(INBOX, ALL, c.ADD, pages.FLAGGED))
    assert one(box, saved.mid, p.PidTagFlagStatus) == 2


def test_an_associated_message(box: Harness) -> None:
    saved = save(box, {p.PidTagSubject: "x"}, associated=True)
    assert one(box, saved.mid, p.PidTagAssociated) is True
    assert one(box, saved.mid, p.PidTagMessageFlags) & 0x40
    assert one(box, saved.mid, p.PidTagInternetArticleNumber) is None


def test_a_deleted_message_says_when(box: Harness) -> None:
    stored = deliver(box)
    assert one(box, stored.mid, p.PidTagDeletedOn) is None
    box.call(o.DeleteMessages(INBOX, [stored.mid]))
    assert one(box, stored.mid, p.PidTagDeletedOn) == filetime(int(box.clock))


# ------------------------------------------------------------------------------------------ texts and times


def test_the_header_of_a_delivered_message(box: Harness) -> None:
    mid = deliver(box).mid
    assert one(box, mid, p.PidTagSubject) == "RE: Figures"
    assert (one(box, mid, p.PidTagSubjectPrefix), one(box, mid, p.PidTagNormalizedSubject)) == ("RE: ", "Figures")
    assert one(box, mid, p.PidTagTransportMessageHeaders) == MAIL.partition(b"See")[0].decode()
    assert (one(box, mid, p.PidTagDisplayTo), one(box, mid, p.PidTagDisplayCc)) == ("Bob", "carl@example.org")
    assert one(box, mid, p.PidTagMessageDeliveryTime) == filetime(RECEIVED) == one(box, mid, p.PidTagCreationTime)
    assert one(box, mid, p.PidTagLastModificationTime) == filetime(RECEIVED)
    assert one(box, mid, p.PidTagMessageSize) == len(MAIL) == one(box, mid, p.PidTagMessageSizeExtended)
    sender = OneOffEntryId.decode(one(box, mid, p.PidTagSenderEntryId))
    assert (sender.display_name, sender.address_type, sender.email_address) == ("Anna", "SMTP", "anna@example.org")
    assert one(box, mid, p.PidTagSentRepresentingSearchKey) == b"SMTP:ANNA@EXAMPLE.ORG\0"


def test_a_conversation_without_index_is_its_topic(box: Harness) -> None:
    """[MS-OXOMSG] 2.2.1.1-2.2.1.3."""
    mid, other = deliver(box).mid, deliver(box, MAIL.replace(b"RE: F", b"F")).mid
    assert one(box, mid, p.PidTagConversationTopic) == "Figures"
    assert one(box, mid, p.PidTagConversationId) == conversation.topic_id("FIGURES")
    assert one(box, other, p.PidTagConversationId) == one(box, mid, p.PidTagConversationId)
    index = one(box, mid, p.PidTagConversationIndex)
    assert conversation.is_index(index) and index[6:22] == conversation.topic_id("Figures")


def test_recipients_are_completed(box: Harness) -> None:
    message = box.call(o.OpenMessage(deliver(box).mid, [], o.RECIPIENTS), actor=OWNER)
    assert message.props == {}
    first, second = message.recipients
    assert (first[p.PidTagRowid], first[p.PidTagRecipientType], first[p.PidTagDisplayName]) == (0, 1, "Bob")
    assert first[p.PidTagSmtpAddress] == "bob@example.org" and first[p.PidTagObjectType] == 6
    assert second[p.PidTagSearchKey] == b"SMTP:CARL@EXAMPLE.ORG\0" and second[p.PidTagRowid] == 1
    assert OneOffEntryId.decode(first[p.PidTagEntryId]).email_address == "bob@example.org"


def test_what_a_client_made_without_saying_much(box: Harness) -> None:
    saved = save(box, {p.PidTagNormalizedSubject: "rest", p.PidTagSubjectPrefix: "FW: "}, fid=DRAFTS,
                 recipients=[person("dora@example.org")])  # fmt: skip
    assert one(box, saved.mid, p.PidTagSubject) == "FW: rest"
    assert one(box, saved.mid, p.PidTagDisplayTo) == "dora"
    assert one(box, saved.mid, p.PidTagTransportMessageHeaders) is None
    assert one(box, saved.mid, p.PidTagHasAttachments) is False
    assert p.PROP_CREATOR not in shown(box, saved.mid) and p.PROP_COMPOSED not in shown(box, saved.mid)


def test_internal_properties_are_nobodys(box: Harness) -> None:
    saved = save(box, {p.PidTagSubject: "x"}, actor=OWNER)
    assert shown(box, saved.mid, list(p.INTERNAL)) == {}
    assert shown(box, saved.mid, [tag & 0xFFFF0000 for tag in p.INTERNAL]) == {}


# ------------------------------------------------------------------------------------------ types


def test_text_comes_in_the_form_that_is_asked_for(box: Harness) -> None:
    """[MS-OXCPRPT] 2.2.2.1."""
    mid = save(box, {p.PidTagSubject: "Grüße €", PidNameKeywords: ["Rot", "Grün"]}).mid
    found = rows.find(box.db, mid)
    env = Env.of(box.box._runner.tx)
    tags = [0x0037001E, 0x00370000, p.PidTagSubject, 0x00370003, 0x12345678, PidNameKeywords - 1]
    bag, big = properties.message_bag(env, found, tags, 1252)
    assert bag == {
        0x0037001E: b"Gr\xfc\xdfe \x80", p.PidTagSubject: "Grüße €", PidNameKeywords - 1: [b"Gr\xfcn", b"Rot"]
    }  # fmt: skip
    assert big == {}
    assert properties.message_bag(env, found, [0x0037001E], 932)[0] == {0x0037001E: b"Gr??e ?"}


def test_long_values_are_told_by_their_size(box: Harness) -> None:
    mid = save(box, {p.PidTagSubject: "s" * 20_000, p.PidTagBody: "b" * 20_000, p.PidTagSearchKey: b"k" * 40_000}).mid
    message = box.call(o.OpenMessage(mid), actor=OWNER)
    assert message.big[p.PidTagSubject] == 40_000 == message.big[p.PidTagBody]
    assert not message.props.keys() & message.big.keys()
    some = box.call(o.OpenMessage(mid, [], o.PROPS, [p.PidTagSubject, 0x1000001E, p.PidTagSearchKey]), actor=OWNER)
    assert some.props == {}
    assert some.big == {p.PidTagSubject: 40_000, 0x1000001E: 40_000, p.PidTagSearchKey: 40_000}


def test_the_list_of_properties_has_what_can_be_read(box: Harness) -> None:
    """[MS-OXCPRPT] 2.2.6."""
    for mid in (deliver(box).mid, save(box, {p.PidTagSubject: "x", p.PidTagBody: "y"}).mid):
        found = rows.find(box.db, mid)
        env = Env.of(box.box._runner.tx)
        listed = properties.property_list(env, found)
        assert listed == sorted(set(listed)) and not p.INTERNAL & set(listed)
        assert {p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed, p.PidTagMid} <= set(listed)
        assert properties.message_bag(env, found, listed)[0].keys() == set(listed)
        assert set(shown(box, mid)) <= set(listed)


def test_the_writer_sees_what_it_wrote(box: Harness) -> None:
    stored = deliver(box)
    tx = box.box._runner.tx
    found = rows.find(tx.db, stored.mid)
    by_writer, _ = properties.message_bag(tx, found, None)
    assert by_writer == shown(box, stored.mid, None) | {
        p.PidTagAccess: by_writer[p.PidTagAccess], p.PidTagAccessLevel: by_writer[p.PidTagAccessLevel]
    }  # fmt: skip
