"""Properties of messages that are made when they are read: each a small function of the `View`, by its tag.

A function answers None where the message has no such property. What depends on the narrow row (flags, numbers) is made
of it, whatever the bag says; the flags word is the truth for marks (`store.mapi.marks`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from gromoxd.convert.keptheader import transport_headers
from gromoxd.convert.properties import MAX_DISPLAY, split_subject
from gromoxd.exmdb.pages import ANSWERED, DELETED, DRAFT, FLAGGED
from gromoxd.mapi import conversation
from gromoxd.mapi import proptags as p
from gromoxd.mapi.entryids import one_off
from gromoxd.mapi.flags import MDN_SENT
from gromoxd.mapi.ids import pcl_encode
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.recipients import search_key
from gromoxd.mapi.times import filetime
from store.access import DELETE_ANY, DELETE_OWNED, EDIT_ANY, EDIT_OWNED
from store.mapi import marks, versions
from store.mapi.identity import eid

if TYPE_CHECKING:
    from store.mapi.properties import View

Compute = Callable[["View"], Any]

MF_NOTIFY_READ, MF_NOTIFY_UNREAD, MF_INTERNET = 0x100, 0x200, 0x2000
MODIFY, READ, DELETE = 0x1, 0x2, 0x4
"""PidTagAccess ([MS-OXCPRPT] 2.2.1.1)."""
OBJECT_MESSAGE, OBJECT_ATTACHMENT = 5, 7
"""PidTagObjectType ([MS-OXCPRPT] 2.2.1.7)."""
ICON_REPLIED, ICON_FORWARDED = 0x105, 0x106
"""PidTagIconIndex ([MS-OXOMSG] 2.2.1.10)."""
_MARK_ICONS: Final = (ICON_REPLIED, ICON_FORWARDED)
MESSAGE_SIZE_LIMIT: Final = 0x7FFFFFFF


# ---------------------------------------------------------------------------------------------- identity


def _mid(v: View) -> int:
    return eid(v.row.mid)


def _folder_id(v: View) -> int:
    return eid(v.row.fid)


def _zero(v: View) -> int:
    return 0


def _change_number(v: View) -> int:
    return eid(v.row.cn)


def _entryid(v: View) -> bytes:
    return v.env.identity.message_entryid(v.row.fid, v.row.mid)


def _parent_entryid(v: View) -> bytes:
    return v.env.identity.folder_entryid(v.row.fid)


def _source_key(v: View) -> bytes:
    return v.foreign_keys[0] or v.env.identity.source_key(v.row.mid)


def _parent_source_key(v: View) -> bytes:
    return v.foreign_keys[1] or v.env.identity.source_key(v.row.fid)


def _change_key(v: View) -> bytes:
    if p.PidTagChangeKey in v.stored:
        return versions.of(v.env.identity, v.stored, v.row.cn).change_key
    return v.env.identity.change_key(v.row.cn)


def _predecessors(v: View) -> bytes:
    if p.PidTagPredecessorChangeList in v.stored:
        return pcl_encode(versions.of(v.env.identity, v.stored, v.row.cn).pcl)
    return v.env.identity.predecessors(v.row.cn)


def _search_key(v: View) -> bytes:
    """Kept by copies, which share the data row ([MS-OXCPRPT] 2.2.1.9)."""
    kept = v.stored.get(p.PidTagSearchKey)
    if isinstance(kept, bytes):
        return kept
    return hashlib.blake2b(v.env.identity.guid + v.data.did.to_bytes(8, "big"), digest_size=16).digest()


def _store_entryid(v: View) -> bytes:
    return v.env.identity.store_entryid()


def _store_record_key(v: View) -> bytes:
    return v.env.identity.guid


def _mapping_signature(v: View) -> bytes:
    return v.env.identity.mapping_guid


def _object_type(v: View) -> int:
    return OBJECT_MESSAGE


def _article_number(v: View) -> int | None:
    return v.row.uid or None


def _associated(v: View) -> bool:
    return v.row.associated


# ---------------------------------------------------------------------------------------------- marks


def _read(v: View) -> bool:
    return v.is_read


def _message_flags(v: View) -> int:
    """[MS-OXCMSG] 2.2.1.6."""
    stored, row = v.stored, v.row
    kept = stored.get(p.PidTagMessageFlags)
    if isinstance(kept, int):
        flags = kept & marks.MF_KEPT & ~(MF_NOTIFY_READ | MF_NOTIFY_UNREAD)
    else:
        flags = marks.MF_DELIVERED | MF_INTERNET if v.data.referring else 0
    if row.flags & DRAFT:
        flags |= marks.MF_UNSENT
    if v.is_read:
        flags |= marks.MF_READ | marks.MF_EVER_READ
    else:
        if stored.get(p.PidTagReadReceiptRequested) is True and MDN_SENT not in v.words:
            flags |= MF_NOTIFY_READ
        if stored.get(p.PidTagNonReceiptNotificationRequested) is True:
            flags |= MF_NOTIFY_UNREAD
    if row.associated:
        flags |= marks.MF_FAI
    return flags | marks.MF_HAS_ATTACH if _has_attachments(v) else flags


def _message_status(v: View) -> int:
    """[MS-OXCMSG] 2.2.1.8."""
    kept = v.stored.get(p.PidTagMessageStatus)
    status = kept if isinstance(kept, int) else 0
    return status | marks.STATUS_DELETED if v.row.flags & DELETED else status & ~marks.STATUS_DELETED


def _flag_status(v: View) -> int | None:
    """[MS-OXOFLAG] 2.2.1.1."""
    if v.row.flags & FLAGGED:
        return marks.FOLLOWUP_FLAGGED
    return marks.FOLLOWUP_COMPLETE if v.stored.get(p.PidTagFlagStatus) == marks.FOLLOWUP_COMPLETE else None


def _last_verb(v: View) -> int | None:
    """The verb that a MAPI client said, while the mark is there for which it stands; else what the marks say."""
    kept = v.stored.get(p.PidTagLastVerbExecuted)
    answered, forwarded = v.row.flags & ANSWERED, v.is_forwarded
    if kept in (marks.REPLIED, marks.REPLIED_ALL):
        return kept if answered else marks.FORWARDED_VERB if forwarded else None  # type: ignore[return-value]
    if kept == marks.FORWARDED_VERB:
        return marks.FORWARDED_VERB if forwarded else marks.REPLIED if answered else None
    if isinstance(kept, int):
        return kept
    return marks.REPLIED if answered else marks.FORWARDED_VERB if forwarded else None


def _icon(v: View) -> int | None:
    verb = _last_verb(v)
    if verb in (marks.REPLIED, marks.REPLIED_ALL):
        return ICON_REPLIED
    if verb == marks.FORWARDED_VERB:
        return ICON_FORWARDED
    kept = v.stored.get(p.PidTagIconIndex)
    return kept if isinstance(kept, int) and kept not in _MARK_ICONS else None


def _keywords(v: View) -> list[str] | None:
    return [word for word in v.words if not marks.is_system(word)] or None


# ---------------------------------------------------------------------------------------------- size, times, access


def _size(v: View) -> int:
    return min(v.row.size, MESSAGE_SIZE_LIMIT)


def _size_extended(v: View) -> int:
    return v.row.size


def _has_attachments(v: View) -> bool:
    """Whether there are any that are not hidden ([MS-OXCMSG] 2.2.1.2)."""
    kept = v.stored.get(p.PidTagHasAttachments)
    if isinstance(kept, bool):
        return kept
    return any(not one.bag.get(p.PidTagAttachmentHidden) for one in v.data.attached)


def _access(v: View) -> int:
    access, fid = v.env.access, v.row.fid
    if access.everything:
        return MODIFY | READ | DELETE
    rights = access.rights(fid)
    own = bool(access.actor) and v.creator == access.actor
    answer = READ
    if rights & EDIT_ANY or (own and rights & EDIT_OWNED):
        answer |= MODIFY
    if rights & DELETE_ANY or (own and rights & DELETE_OWNED):
        answer |= DELETE
    return answer


def _access_level(v: View) -> int:
    return _access(v) & MODIFY


def _received(v: View, tag: int) -> int:
    kept = v.stored.get(tag)
    return kept if isinstance(kept, int) else filetime(v.row.received)


def _delivery_time(v: View) -> int:
    return _received(v, p.PidTagMessageDeliveryTime)


def _creation_time(v: View) -> int:
    return _received(v, p.PidTagCreationTime)


def _modification_time(v: View) -> int:
    return _received(v, p.PidTagLastModificationTime)


def _deleted_on(v: View) -> int | None:
    return filetime(v.row.deleted_at) if v.row.deleted else None


# ---------------------------------------------------------------------------------------------- texts


def _text(v: View, tag: int) -> str | None:
    value = v.stored.get(tag)
    return value if isinstance(value, str) else None


def _subject(v: View) -> str | None:
    """[MS-OXCMSG] 2.2.1.46: prefix and normalised subject."""
    subject = _text(v, p.PidTagSubject)
    if subject is not None:
        return subject
    prefix, rest = _text(v, p.PidTagSubjectPrefix), _text(v, p.PidTagNormalizedSubject)
    return None if prefix is None and rest is None else (prefix or "") + (rest or "")


def _prefix(v: View) -> str | None:
    """[MS-OXCMSG] 2.2.1.9."""
    prefix = _text(v, p.PidTagSubjectPrefix)
    if prefix is not None:
        return prefix
    subject, rest = _text(v, p.PidTagSubject), _text(v, p.PidTagNormalizedSubject)
    if subject is None:
        return None
    if rest is not None and subject.endswith(rest):
        return subject[: len(subject) - len(rest)]
    return split_subject(subject)[0]


def _normalized(v: View) -> str | None:
    """[MS-OXCMSG] 2.2.1.10."""
    rest = _text(v, p.PidTagNormalizedSubject)
    if rest is not None:
        return rest
    subject, prefix = _text(v, p.PidTagSubject), _text(v, p.PidTagSubjectPrefix)
    if subject is None:
        return None
    return subject.removeprefix(prefix) if prefix is not None else split_subject(subject)[1]


def _topic(v: View) -> str | None:
    topic = _text(v, p.PidTagConversationTopic)
    return topic if topic is not None else _normalized(v)


def _conversation_index(v: View) -> bytes | None:
    """That of the message; for mail without one the index of a new conversation of its topic ([MS-OXOMSG] 2.2.1.3)."""
    kept = v.stored.get(p.PidTagConversationIndex)
    if isinstance(kept, bytes):
        return kept
    topic = _topic(v)
    return conversation.new_index(_delivery_time(v), conversation.topic_id(topic)) if topic is not None else None


def _conversation_id(v: View) -> bytes | None:
    """[MS-OXOMSG] 2.2.1.2."""
    index, tracking = v.stored.get(p.PidTagConversationIndex), v.stored.get(p.PidTagConversationIndexTracking)
    known = index if isinstance(index, bytes) else None
    return conversation.conversation_id(known, _topic(v), tracking is True)


def _display_to(v: View) -> str:
    return _shown(v, p.PidTagDisplayTo, 1)


def _display_cc(v: View) -> str:
    return _shown(v, p.PidTagDisplayCc, 2)


def _display_bcc(v: View) -> str:
    return _shown(v, p.PidTagDisplayBcc, 3)


def _shown(v: View, tag: int, kind: int) -> str:
    """[MS-OXOMSG] 2.2.1.7-2.2.1.9."""
    kept = _text(v, tag)
    if kept is not None:
        return kept
    names = [one.get(p.PidTagDisplayName) for one in v.data.recipients if one.get(p.PidTagRecipientType) == kind]
    return "; ".join([name for name in names if isinstance(name, str)])[:MAX_DISPLAY]


def _headers(v: View) -> str | None:
    """The header of a delivered message ([MS-OXOMSG] 2.2.1.61)."""
    kept = _text(v, p.PidTagTransportMessageHeaders)
    if kept is not None or not v.data.referring:
        return kept
    return transport_headers(v.data.header)


# ---------------------------------------------------------------------------------------------- originators


def _entryid_of(tag: int, name: int, kind: int, address: int) -> Compute:
    """An originator's entry id: a one-off one where the message has none ([MS-OXOMSG] 2.2.1.49)."""

    def compute(v: View) -> bytes | None:
        kept = v.stored.get(tag)
        if isinstance(kept, bytes):
            return kept
        where = _text(v, address)
        if where is None or (_text(v, kind) or "").upper() != "SMTP":
            return None
        return one_off(_text(v, name) or where, where)

    return compute


def _search_key_of(tag: int, kind: int, address: int) -> Compute:
    def compute(v: View) -> bytes | None:
        kept = v.stored.get(tag)
        if isinstance(kept, bytes):
            return kept
        how, where = _text(v, kind), _text(v, address)
        return None if how is None or where is None else search_key(how, where)

    return compute


# ---------------------------------------------------------------------------------------------- bodies


def _body(v: View) -> Any:
    return v.bodies.get(p.PidTagBody)


def _html(v: View) -> Any:
    return v.bodies.get(p.PidTagHtml)


def _body_html(v: View) -> str | None:
    """[MS-OXCMSG] 2.2.1.58.9: PidTagHtml as text."""
    return v.bodies.text_of_html() if v.bodies.get(p.PidTagHtml) is not None else None


def _rtf(v: View) -> Any:
    return v.bodies.get(p.PidTagRtfCompressed)


def _in_sync(v: View) -> bool:
    return v.bodies.in_sync


def _native(v: View) -> int:
    return v.bodies.native


def _code_page(v: View) -> int | None:
    return v.bodies.code_page


# ---------------------------------------------------------------------------------------------- by tag

PLACE: Final[dict[int, Compute]] = {
    p.PidTagMid: _mid, p.PidTagFolderId: _folder_id, p.PidTagInstID: _mid, p.PidTagInstanceNum: _zero,
    p.PidTagEntryId: _entryid, p.PidTagParentEntryId: _parent_entryid, p.PidTagRecordKey: _entryid,
    p.PidTagSourceKey: _source_key, p.PidTagParentSourceKey: _parent_source_key, p.PidTagChangeKey: _change_key,
    p.PidTagPredecessorChangeList: _predecessors, p.PidTagChangeNumber: _change_number, p.PidTagDeletedOn: _deleted_on,
    p.PidTagInternetArticleNumber: _article_number, p.PidTagSearchKey: _search_key,
    p.PidTagStoreEntryId: _store_entryid, p.PidTagStoreRecordKey: _store_record_key,
    p.PidTagMappingSignature: _mapping_signature,
}  # fmt: skip
"""What a message has by its place in the mailbox; embedded ones have none of it."""
CHEAP: Final[dict[int, Compute]] = {
    p.PidTagMessageFlags: _message_flags, p.PidTagMessageStatus: _message_status, p.PidTagRead: _read,
    p.PidTagAssociated: _associated, p.PidTagFlagStatus: _flag_status, p.PidTagLastVerbExecuted: _last_verb,
    p.PidTagIconIndex: _icon, PidNameKeywords: _keywords, p.PidTagMessageSize: _size,
    p.PidTagMessageSizeExtended: _size_extended, p.PidTagHasAttachments: _has_attachments, p.PidTagAccess: _access,
    p.PidTagAccessLevel: _access_level, p.PidTagObjectType: _object_type, p.PidTagMessageDeliveryTime: _delivery_time,
    p.PidTagCreationTime: _creation_time, p.PidTagLastModificationTime: _modification_time, p.PidTagSubject: _subject,
    p.PidTagSubjectPrefix: _prefix, p.PidTagNormalizedSubject: _normalized, p.PidTagConversationTopic: _topic,
    p.PidTagConversationIndex: _conversation_index, p.PidTagConversationId: _conversation_id,
    p.PidTagDisplayTo: _display_to, p.PidTagDisplayCc: _display_cc, p.PidTagDisplayBcc: _display_bcc,
    p.PidTagSenderEntryId: _entryid_of(
        p.PidTagSenderEntryId, p.PidTagSenderName, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress),
    p.PidTagSenderSearchKey: _search_key_of(
        p.PidTagSenderSearchKey, p.PidTagSenderAddressType, p.PidTagSenderEmailAddress),
    p.PidTagSentRepresentingEntryId: _entryid_of(
        p.PidTagSentRepresentingEntryId, p.PidTagSentRepresentingName, p.PidTagSentRepresentingAddressType,
        p.PidTagSentRepresentingEmailAddress),
    p.PidTagSentRepresentingSearchKey: _search_key_of(
        p.PidTagSentRepresentingSearchKey, p.PidTagSentRepresentingAddressType, p.PidTagSentRepresentingEmailAddress),
}  # fmt: skip
"""What is made without the contents."""
SOURCED: Final[dict[int, Compute]] = {
    p.PidTagTransportMessageHeaders: _headers, p.PidTagNativeBody: _native, p.PidTagRtfInSync: _in_sync,
    p.PidTagInternetCodepage: _code_page,
}  # fmt: skip
"""What needs the RFC 5322 form."""
BODIES: Final[dict[int, Compute]] = {
    p.PidTagBody: _body, p.PidTagHtml: _html, p.PidTagRtfCompressed: _rtf, p.PidTagBodyHtml: _body_html
}  # fmt: skip
ALL: Final[dict[int, Compute]] = {**PLACE, **CHEAP, **SOURCED, **BODIES}
EVERY: Final = (*PLACE.items(), *CHEAP.items(), *SOURCED.items())
EMBEDDED: Final = (*CHEAP.items(), *SOURCED.items())
"""What is told of a message when nobody said what he wants; the native body is added."""
CONTENT_TAGS: Final = frozenset((*SOURCED, *BODIES))

TAG_OF_ID: Final[dict[int, int]] = {tag >> 16: tag for tag in (*ALL, p.PidTagMessageSize, p.PidTagHtml)}
"""Property id -> tag, for a property asked for without its type; of two types the first that [MS-OXPROPS] has."""
