"""The RFC 5322 form of a message that is made of its properties: when it must be made anew, and making it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from gromoxd.convert.compose import ComposeAttachment, ComposeMessage, compose
from gromoxd.convert.digest import digest_message
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_OWN, PS_INTERNET_HEADERS, built_in_name
from gromoxd.mapi.proptags import (
    PROP_COMPOSED,
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagBody,
    PidTagClientSubmitTime,
    PidTagConversationIndex,
    PidTagConversationTopic,
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
from store.sql import rows
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
    PidTagSentRepresentingAddressType,
}  # fmt: skip
"""The same for a message that was not delivered. A delivered one keeps the form in which it came when a client sets
such a property, which is often one that the store worked out for it."""


_EXTENSION = re.compile(r"[Xx]-[!-9;-~]{1,200}")
"""Names of header fields that may be said freely: those of the standards are made of their own properties."""


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
    return bool(tags & SHAPING_OWN) or bool(_header_names(tx, tags))


def _smime(message_class: str) -> bool:
    return message_class.upper().startswith("IPM.NOTE.SMIME")


def make(tx: Transaction, data: Data, received: int) -> Sourced:
    """Make the form anew and store it; `data` is not written yet. ecTooBig."""
    message = whole(tx, data)
    host = tx.identity.owner.rpartition("@")[2] or "localhost"
    raw = compose(message.props, message.recipients, message.attachments, host=host, headers=message.headers)
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


def whole(tx: Transaction, data: Data, depth: int = 0) -> ComposeMessage:
    """A message with all it has, in memory."""
    attachments = []
    for num, bag in datarows.attachments(tx, data.did):
        bag |= values.load(tx, data.did, values.part_of(num))
        child = datarows.child_of(tx, data.did, num)
        embedded = whole(tx, datarows.load(tx, child), depth + 1) if child and depth <= MAX_DEPTH else None
        attachments.append(ComposeAttachment(bag, _octets(bag), embedded))
    names = _header_names(tx, data.props.keys())
    headers = [(name, text) for tag, name in names.items() if isinstance(text := data.props[tag], str)]
    return ComposeMessage(data.props | values.load(tx, data.did, 0), data.recipients, attachments, headers)


def _header_names(tx: Transaction, tags: Iterable[int]) -> dict[int, str]:
    """Those properties that are header fields of their own, and their names ([MS-OXCMAIL] 2.1.3.7, 2.1.3.8)."""
    named = {prop_id(tag): tag for tag in tags if tag >> 31 and prop_type(tag) == PropType.PtypString}
    found = {}
    if any(id_ >= FIRST_OWN for id_ in named):
        sql = "SELECT propid, name FROM named_properties WHERE guid=? AND name IS NOT NULL"
        found = {named[id_]: name for id_, name in rows(tx.db, sql, (PS_INTERNET_HEADERS,)) if id_ in named}
    for id_, tag in named.items():
        name = built_in_name(id_)
        if name is not None and name.guid == PS_INTERNET_HEADERS and isinstance(name.key, str):
            found[tag] = name.key
    return {tag: name for tag, name in found.items() if _EXTENSION.fullmatch(name)}


def _octets(bag: Bag) -> bytes:
    for tag in (PidTagAttachDataBinary, PidTagAttachDataObject):
        value = bag.get(tag)
        if isinstance(value, bytes):
            return value
    return b""
