"""Properties that follow from others: the subject's parts, who a message is shown to go to; and which no client sets.

The store keeps what follows, so that tables and searches find it; a working copy shows it before it is saved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gromoxd.convert.properties import MAX_DISPLAY, split_subject
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagAccess,
    PidTagAccessLevel,
    PidTagAssociated,
    PidTagAttachNumber,
    PidTagAttachSize,
    PidTagBody,
    PidTagBodyHtml,
    PidTagChangeKey,
    PidTagChangeNumber,
    PidTagConversationTopic,
    PidTagDeletedOn,
    PidTagDisplayBcc,
    PidTagDisplayCc,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagEmailAddress,
    PidTagEntryId,
    PidTagFolderId,
    PidTagHasAttachments,
    PidTagHasNamedProperties,
    PidTagHtml,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagInternetCodepage,
    PidTagLocalCommitTime,
    PidTagMappingSignature,
    PidTagMessageAttachments,
    PidTagMessageRecipients,
    PidTagMessageSize,
    PidTagMessageSizeExtended,
    PidTagMid,
    PidTagNativeBody,
    PidTagNormalizedSubject,
    PidTagObjectType,
    PidTagParentEntryId,
    PidTagParentFolderId,
    PidTagParentSourceKey,
    PidTagPredecessorChangeList,
    PidTagRecipientType,
    PidTagRecordKey,
    PidTagRtfCompressed,
    PidTagSourceKey,
    PidTagStoreEntryId,
    PidTagStoreRecordKey,
    PidTagStoreSupportMask,
    PidTagSubject,
    PidTagSubjectPrefix,
)

READ_ONLY: frozenset[int] = INTERNAL | {
    PidTagAccess, PidTagAccessLevel, PidTagAssociated, PidTagChangeKey, PidTagChangeNumber, PidTagDeletedOn,
    PidTagDisplayBcc, PidTagDisplayCc, PidTagDisplayTo, PidTagEntryId, PidTagFolderId, PidTagHasAttachments,
    PidTagHasNamedProperties, PidTagInstID, PidTagInstanceNum, PidTagLocalCommitTime, PidTagMappingSignature,
    PidTagMessageAttachments, PidTagMessageRecipients, PidTagMessageSize, PidTagMessageSizeExtended, PidTagMid,
    PidTagNativeBody, PidTagObjectType, PidTagParentEntryId, PidTagParentFolderId, PidTagParentSourceKey,
    PidTagPredecessorChangeList, PidTagRecordKey, PidTagSourceKey, PidTagStoreEntryId, PidTagStoreRecordKey,
    PidTagStoreSupportMask,
}  # fmt: skip
"""Of a message: what the store says, not the client ([MS-OXCPRPT] 3.2.5.4). A client's values are passed over."""
ATTACHMENT_READ_ONLY: frozenset[int] = INTERNAL | {
    PidTagAccess, PidTagAccessLevel, PidTagAttachNumber, PidTagAttachSize, PidTagEntryId, PidTagHasNamedProperties,
    PidTagMappingSignature, PidTagMid, PidTagObjectType, PidTagRecordKey, PidTagStoreEntryId, PidTagStoreRecordKey,
    PidTagStoreSupportMask,
}  # fmt: skip

BODIES = frozenset((PidTagBody, PidTagHtml, PidTagRtfCompressed))
SUBJECTS = frozenset((PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject))
_SHOWN = ((1, PidTagDisplayTo), (2, PidTagDisplayCc), (3, PidTagDisplayBcc))
_P1 = 0x10000000
UTF8 = 65001


def one_html(changed: dict[int, Any]) -> None:
    """PidTagBodyHtml is PidTagHtml as text ([MS-OXCMSG] 2.2.1.56.9): only the latter is kept."""
    html = changed.pop(PidTagBodyHtml, None)
    if isinstance(html, str):
        changed.setdefault(PidTagHtml, html.encode("utf-8", "replace"))
        changed[PidTagInternetCodepage] = UTF8


def subjects(bag: Bag, changed: Mapping[int, Any], gone: Iterable[int]) -> None:
    """The three subject properties after some of them were set or removed ([MS-OXCMSG] 2.2.1.9, 2.2.1.10, 2.2.1.46)."""
    if PidTagSubject in changed:
        subject = str(changed[PidTagSubject])
        given = changed.get(PidTagSubjectPrefix)
        if isinstance(given, str) and subject.startswith(given):
            prefix, rest = given, subject[len(given) :]
        else:
            prefix, rest = split_subject(subject)
        bag |= {PidTagSubject: subject, PidTagSubjectPrefix: prefix, PidTagNormalizedSubject: rest}
    elif changed.keys() & SUBJECTS:
        bag[PidTagSubject] = _text(bag, PidTagSubjectPrefix) + _text(bag, PidTagNormalizedSubject)
    elif PidTagSubject in gone:
        for tag in SUBJECTS:
            bag.pop(tag, None)
    elif not SUBJECTS.isdisjoint(gone):
        bag[PidTagSubject] = _text(bag, PidTagSubjectPrefix) + _text(bag, PidTagNormalizedSubject)
    if PidTagNormalizedSubject in bag:
        bag.setdefault(PidTagConversationTopic, bag[PidTagNormalizedSubject])


def _text(bag: Bag, tag: int) -> str:
    value = bag.get(tag)
    return value if isinstance(value, str) else ""


def shown(bag: Bag, recipients: list[Bag]) -> None:
    """PidTagDisplayTo, -Cc, -Bcc ([MS-OXOMSG] 2.2.1.7-2.2.1.9)."""
    for kind, tag in _SHOWN:
        names = [_name(one) for one in recipients if _kind(one) == kind]
        bag[tag] = "; ".join(names)[:MAX_DISPLAY]


def _kind(recipient: Bag) -> int:
    kind = recipient.get(PidTagRecipientType)
    return 0 if not isinstance(kind, int) or kind & _P1 else kind & 0xF


def _name(recipient: Bag) -> str:
    return _text(recipient, PidTagDisplayName) or _text(recipient, PidTagEmailAddress)
