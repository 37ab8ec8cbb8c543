"""The RFC 5322 form of a message that is made of its properties: when it must be made anew, and making it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from typing import NamedTuple

from gromoxd.convert.compose import compose
from gromoxd.convert.composeheader import header_names
from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED, FIRST_OWN, PropertyName
from gromoxd.mapi.named_tags import (
    PidLidClassification,
    PidLidClassificationDescription,
    PidLidClassified,
    PidLidFlagRequest,
)
from gromoxd.mapi.proptags import (
    PROP_COMPOSED,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAutoForwarded,
    PidTagAutoResponseSuppress,
    PidTagBody,
    PidTagClientSubmitTime,
    PidTagConversationIndex,
    PidTagConversationTopic,
    PidTagExpiryTime,
    PidTagHtml,
    PidTagImportance,
    PidTagInReplyToId,
    PidTagInternetCodepage,
    PidTagInternetMessageId,
    PidTagInternetReferences,
    PidTagListHelp,
    PidTagListSubscribe,
    PidTagListUnsubscribe,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagNormalizedSubject,
    PidTagOriginatorDeliveryReportRequested,
    PidTagReadReceiptEmailAddress,
    PidTagReadReceiptName,
    PidTagReadReceiptRequested,
    PidTagReadReceiptSmtpAddress,
    PidTagReplyRecipientEntries,
    PidTagReplyTime,
    PidTagRtfCompressed,
    PidTagSenderAddressType,
    PidTagSenderEmailAddress,
    PidTagSenderName,
    PidTagSenderSmtpAddress,
    PidTagSensitivity,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingName,
    PidTagSentRepresentingSmtpAddress,
    PidTagSubject,
    PidTagSubjectPrefix,
)
from gromoxd.mapi.types import PropType, prop_id, prop_type
from store.mapi import datarows, values
from store.mapi.applying import MAX_DEPTH, Edit
from store.mapi.datarows import Data
from store.references import release_contents
from store.sql import row
from store.transaction import Transaction

SHAPING = frozenset((
    PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject, PidTagBody, PidTagHtml, PidTagRtfCompressed,
    PidTagImportance, PidTagSensitivity, PidTagInternetMessageId, PidTagInReplyToId, PidTagInternetReferences,
    PidTagSenderName, PidTagSenderEmailAddress, PidTagSenderSmtpAddress, PidTagSentRepresentingName,
    PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSmtpAddress,
))  # fmt: skip
"""Properties whose change gives any message a new RFC 5322 form."""
SHAPING_OWN = SHAPING | {
    PidTagClientSubmitTime, PidTagMessageDeliveryTime, PidTagInternetCodepage, PidTagConversationIndex,
    PidTagConversationTopic, PidTagReadReceiptRequested, PidTagOriginatorDeliveryReportRequested, PidTagListHelp,
    PidTagListSubscribe, PidTagListUnsubscribe, PidTagReadReceiptName, PidTagReadReceiptEmailAddress,
    PidTagReadReceiptSmtpAddress, PidTagReplyRecipientEntries, PidTagSenderAddressType,
    PidTagSentRepresentingAddressType, PidTagExpiryTime, PidTagReplyTime, PidTagAutoResponseSuppress,
    PidTagAutoForwarded, PidLidFlagRequest, PidLidClassified, PidLidClassification, PidLidClassificationDescription,
}  # fmt: skip
"""The same for a message that was not delivered. A delivered one keeps the form in which it came when a client sets
such a property, which is often one that the store worked out for it."""


class Sourced(NamedTuple):
    """What was made. `new`: it differs from what was there."""

    digest: c.Digest
    new: bool


def shapes(tx: Transaction, data: Data, edit: Edit) -> bool:
    """Whether changes alter the RFC 5322 form."""
    if edit.recipients is not None or edit.attachments:
        return True
    tags = edit.tags
    if PidTagMessageClass in tags and (_smime(data.message_class) or _smime(str(edit.put.get(PidTagMessageClass)))):
        return True
    if data.referring:
        return bool(tags & SHAPING)
    if _is_calendar(data.message_class) and any(FIRST_NAMED <= prop_id(tag) < FIRST_OWN for tag in tags):
        return True
    return bool(tags & SHAPING_OWN) or bool(_header_names(tx, tags))


def _is_calendar(message_class: str) -> bool:
    """Whether the form has a calendar part, which is made of properties that all have names."""
    return message_class.upper().startswith(("IPM.APPOINTMENT", "IPM.SCHEDULE.MEETING"))


def _smime(message_class: str) -> bool:
    return message_class.upper().startswith("IPM.NOTE.SMIME")


def make(tx: Transaction, data: Data, received: int) -> Sourced:
    """Make the form anew and store it; `data` is not written yet. ecTooBig."""
    host = tx.identity.owner.rpartition("@")[2] or "localhost"
    raw = compose(whole(tx, data), host=host, tnef=False)
    if len(raw) > tx.settings.largest_message * 4 // 3:
        raise MapiError(Ec.ecTooBig, "message")
    digest = digest_message(raw, received=received)
    if data.cid and tx.content.get(data.cid) == raw:
        return Sourced(digest, False)
    old, data.cid = data.cid, tx.new_ids()
    tx.content.add(data.cid, c.NewMessage(digest, raw, received), -1)
    if old:
        release_contents(tx, [old])
    data.props[PROP_COMPOSED] = True
    return Sourced(digest, True)


def whole(tx: Transaction, data: Data, depth: int = 0) -> Item:
    """A message with all it has, in memory."""
    item = Item(data.props | values.load(tx, data.did, 0), list(data.recipients))
    for num, bag in datarows.attachments(tx, data.did):
        bag |= values.load(tx, data.did, values.part_of(num))
        child = datarows.child_of(tx, data.did, num)
        embedded = whole(tx, datarows.load(tx, child), depth + 1) if child and depth <= MAX_DEPTH else None
        item.attachments.append(ItemAttachment(bag, _octets(bag), embedded))
    bags = (item.props, *item.recipients, *(attachment.props for attachment in item.attachments))
    item.names = _own_names(tx, chain.from_iterable(bags))
    return item


def _own_names(tx: Transaction, tags: Iterable[int]) -> dict[int, PropertyName]:
    """The names of those properties that the mailbox itself gave their ids."""
    sql = "SELECT guid, lid, name FROM named_properties WHERE propid=?"
    names = {}
    for number in sorted({prop_id(tag) for tag in tags if tag >> 31}):
        if number >= FIRST_OWN and (found := row(tx.db, sql, (number,))) is not None:
            names[number] = PropertyName(found[0], found[2] if found[1] is None else found[1])
    return names


def _header_names(tx: Transaction, tags: Iterable[int]) -> dict[int, str]:
    named = [tag for tag in tags if tag >> 31 and prop_type(tag) == PropType.PtypString]
    return header_names(named, _own_names(tx, named))


def _octets(bag: Bag) -> bytes:
    for tag in (PidTagAttachDataBinary, PidTagAttachDataObject):
        value = bag.get(tag)
        if isinstance(value, bytes):
            return value
    return b""
