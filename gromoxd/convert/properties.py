"""MAPI properties of a received message's header: the MIME reader's side of [MS-OXCMAIL] 2.2.3.1 and 2.2.3.2.

Here: subject, addresses, times, identifiers, importance, sensitivity, conversation, receipts, recipients. Not here: the
message class and attachments (`gromoxd.convert.attachments`), bodies and TransportMessageHeaders (they are references
into the stored message).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Mapping

from gromoxd.convert.addresses import Address, parse_addresses
from gromoxd.convert.charsets import codepage
from gromoxd.convert.headers import decode_header
from gromoxd.convert.mime import Part
from gromoxd.convert.rarefields import RARE, classify
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import flat_entries, one_off
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagClientSubmitTime,
    PidTagConversationIndex,
    PidTagConversationTopic,
    PidTagDisplayBcc,
    PidTagDisplayCc,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagEmailAddress,
    PidTagImportance,
    PidTagInReplyToId,
    PidTagInternetCodepage,
    PidTagInternetMessageId,
    PidTagInternetReferences,
    PidTagListHelp,
    PidTagListSubscribe,
    PidTagListUnsubscribe,
    PidTagMessageDeliveryTime,
    PidTagNonReceiptNotificationRequested,
    PidTagNormalizedSubject,
    PidTagOriginatorDeliveryReportRequested,
    PidTagPriority,
    PidTagReadReceiptAddressType,
    PidTagReadReceiptEmailAddress,
    PidTagReadReceiptName,
    PidTagReadReceiptRequested,
    PidTagRecipientType,
    PidTagReplyRecipientEntries,
    PidTagReplyRecipientNames,
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
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT

MAX_STRING = 1000
"""Characters of a header's text kept as a property. The whole header is in the stored message."""
MAX_DISPLAY = 4000
MAX_REFERENCES = 16000
MAX_REPLIES = 100

Addresses = Mapping[bytes, list[Address]]

_PREFIX = re.compile(r"([^\d:\s]{1,3}): *(?=\S|$)")
_TRAILING_LEVEL = re.compile(rb"[ \t]*(\d)")


def header_bag(
    fields: Mapping[bytes, bytes], addresses: Addresses, sent: int | None, received: int, subject: str
) -> Bag:
    """The properties that a message's header gives. `sent`, `received`: Unix time; `subject` is decoded."""
    prefix, normalized = split_subject(subject)
    importance = _importance(fields)
    received_nt = received * TICKS + UNIX_EPOCH_NT
    bag: Bag = {
        PidTagSubject: subject,
        PidTagSubjectPrefix: prefix,
        PidTagNormalizedSubject: normalized,
        PidTagConversationTopic: normalized,
        PidTagMessageDeliveryTime: received_nt,
        PidTagClientSubmitTime: received_nt if sent is None else sent * TICKS + UNIX_EPOCH_NT,
        PidTagImportance: importance,
        PidTagPriority: importance - 1,
        PidTagSensitivity: _SENSITIVITY.get(fields[b"sensitivity"].lower(), 0) if b"sensitivity" in fields else 0,
    }
    _originators(bag, addresses)
    for name in fields.keys() & _RARE.keys():
        _RARE[name](bag, fields[name])
    if b"x-microsoft-classified" in fields:
        classify(bag, fields)
    if addresses.get(b"reply-to"):
        _replies(bag, addresses[b"reply-to"])
    return bag


def split_subject(subject: str) -> tuple[str, str]:
    """PidTagSubjectPrefix and PidTagNormalizedSubject by the rule of [MS-OXCMAIL] 2.2.3.2.6.1."""
    if ":" not in subject[:4]:
        return "", subject
    match = _PREFIX.match(subject)
    return (match.group(1) + ": ", subject[match.end() :]) if match is not None else ("", subject)


_IMPORTANCE = {b"low": 0, b"normal": 1, b"high": 2, b"non-urgent": 0, b"urgent": 2}
_SENSITIVITY = {b"personal": 1, b"private": 2, b"company-confidential": 3, b"confidential": 3}


def _importance(fields: Mapping[bytes, bytes]) -> int:
    """[MS-OXCMAIL] 2.2.3.2.5: Importance, or Priority, X-Priority, X-MSMail-Priority in its stead."""
    for name in (b"importance", b"priority", b"x-msmail-priority"):
        if name in fields:
            level = _IMPORTANCE.get(fields[name].lower())
            if level is not None:
                return level
    match = _TRAILING_LEVEL.match(fields.get(b"x-priority", b""))
    if match is None:
        return 1
    return {b"1": 2, b"2": 2, b"4": 0, b"5": 0}.get(match.group(1), 1)


def _originators(bag: Bag, addresses: Addresses) -> None:
    """From is PidTagSentRepresenting…, Sender (or else From) PidTagSender… ([MS-OXCMAIL] 2.2.3.1)."""
    author = _first(addresses.get(b"from"))
    sender = _first(addresses.get(b"sender")) or author
    author = author or sender
    if author is not None and sender is not None:
        name, address = author
        bag[PidTagSentRepresentingName] = name
        bag[PidTagSentRepresentingAddressType] = "SMTP"
        bag[PidTagSentRepresentingEmailAddress] = address
        bag[PidTagSentRepresentingSmtpAddress] = address
        name, address = sender
        bag[PidTagSenderName] = name
        bag[PidTagSenderAddressType] = "SMTP"
        bag[PidTagSenderEmailAddress] = address
        bag[PidTagSenderSmtpAddress] = address


def _replies(bag: Bag, addresses: list[Address]) -> None:
    """Reply-To ([MS-OXCMAIL] 2.2.3.1.5)."""
    bag[PidTagReplyRecipientNames] = display(addresses)
    people = [person(address) for address in addresses[:MAX_REPLIES] if address.host is not None]
    bag[PidTagReplyRecipientEntries] = flat_entries([one_off(name, smtp) for name, smtp in people])


def _first(addresses: list[Address] | None) -> tuple[str, str] | None:
    for address in addresses or ():
        if address.host is not None:
            return person(address)
    return None


def person(address: Address) -> tuple[str, str]:
    """(display name, SMTP address); the address stands for a missing name ([MS-OXCMAIL] 2.2.3.1)."""
    name, _, mailbox, host = address
    smtp = decode_header(b"%b@%b" % (mailbox or b"", host)) if host else decode_header(mailbox or b"")
    smtp = smtp[:MAX_STRING]
    return (decode_header(name)[:MAX_STRING] or smtp) if name else smtp, smtp


def display(addresses: list[Address]) -> str:
    """Names joined as PidTagDisplayTo has them."""
    return "; ".join([person(address)[0] for address in addresses if address.host is not None])[:MAX_DISPLAY]


_RECIPIENTS = ((b"to", 1, PidTagDisplayTo), (b"cc", 2, PidTagDisplayCc), (b"bcc", 3, PidTagDisplayBcc))


def recipient_bags(bag: Bag, addresses: Addresses) -> list[Bag]:
    """One bag a recipient ([MS-OXCMAIL] 2.2.3.1, [MS-OXOMSG] 2.2.3.1); sets PidTagDisplayTo, -Cc and -Bcc in `bag`."""
    bags: list[Bag] = []
    for field, kind, shown in _RECIPIENTS:
        names = []
        for address in addresses.get(field, ()):
            if address.host is None:
                continue
            name, smtp = person(address)
            names.append(name)
            bags.append({
                PidTagRecipientType: kind, PidTagDisplayName: name, PidTagEmailAddress: smtp, PidTagAddressType: "SMTP"
            })  # fmt: skip
        bag[shown] = "; ".join(names)[:MAX_DISPLAY]
    return bags


def internet_codepage(part: Part) -> int:
    """PidTagInternetCodepage: of the first text part's charset ([MS-OXCMAIL] 2.2.3.3), 0 for an unknown one."""
    while part.children and part.type == "multipart":
        part = part.children[0]
    return codepage(part.charset) if part.type == "text" else 0


def _message_id(bag: Bag, value: bytes) -> None:
    bag[PidTagInternetMessageId] = identifier(value)


def identifier(value: bytes) -> str:
    """A Message-ID as it is compared: the first <…> or the whole value."""
    start, stop = value.find(b"<"), value.find(b">")
    if 0 <= start < stop:
        value = value[start : stop + 1]
    return decode_header(value[:MAX_STRING])


def _in_reply_to(bag: Bag, value: bytes) -> None:
    """The first id; behind words (RFC 822 4.6.2), among which there may be addresses, the last one."""
    start = 0 if value.startswith(b"<") else max(value.rfind(b"<"), 0)
    bag[PidTagInReplyToId] = identifier(value[start:])


def _references(bag: Bag, value: bytes) -> None:
    """A list too long to keep loses its oldest middle: the root and the latest ids make the thread (RFC 5322 3.6.4)."""
    if len(value) > MAX_REFERENCES:
        value = value[:MAX_STRING].partition(b">")[0] + b"> " + value[-MAX_REFERENCES // 2 :].partition(b">")[2].strip()
    bag[PidTagInternetReferences] = decode_header(value)


def _thread_topic(bag: Bag, value: bytes) -> None:
    bag[PidTagConversationTopic] = decode_header(value[: MAX_STRING * 4])[:MAX_STRING]


def _thread_index(bag: Bag, value: bytes) -> None:
    """[MS-OXOMSG] 2.2.1.3: a header of 22 octets and 5 for each reply."""
    try:
        octets = binascii.a2b_base64(value[:MAX_STRING])
    except binascii.Error:
        return
    if len(octets) >= 22 and octets[0] == 1:
        bag[PidTagConversationIndex] = octets


def _read_receipt(bag: Bag, value: bytes) -> None:
    """RFC 8098 2.1; [MS-OXCMAIL] 2.2.3.1."""
    asked = _first(parse_addresses(value))
    if asked is not None:
        bag[PidTagReadReceiptRequested] = bag[PidTagNonReceiptNotificationRequested] = True
        bag[PidTagReadReceiptName], bag[PidTagReadReceiptEmailAddress] = asked
        bag[PidTagReadReceiptAddressType] = "SMTP"


def _delivery_receipt(bag: Bag, value: bytes) -> None:
    bag[PidTagOriginatorDeliveryReportRequested] = True


def _list_help(bag: Bag, value: bytes) -> None:
    bag[PidTagListHelp] = decode_header(value[:MAX_STRING])


def _list_subscribe(bag: Bag, value: bytes) -> None:
    bag[PidTagListSubscribe] = decode_header(value[:MAX_STRING])


def _list_unsubscribe(bag: Bag, value: bytes) -> None:
    bag[PidTagListUnsubscribe] = decode_header(value[:MAX_STRING])


_RARE = {
    b"message-id": _message_id,
    b"in-reply-to": _in_reply_to,
    b"references": _references,
    b"thread-topic": _thread_topic,
    b"thread-index": _thread_index,
    b"disposition-notification-to": _read_receipt,
    b"return-receipt-to": _delivery_receipt,
    b"list-help": _list_help,
    b"list-subscribe": _list_subscribe,
    b"list-unsubscribe": _list_unsubscribe,
    **RARE,
}
"""Fields that many messages do not have, and what each puts into the bag."""
MAPPED = frozenset(_RARE)


def codepage_into(bag: Bag, part: Part) -> None:
    number = internet_codepage(part)
    if number:
        bag[PidTagInternetCodepage] = number
