"""The header fields of a message that a MAPI client made, from its properties ([MS-OXCMAIL] 2.1.3.1, 2.1.3.2)."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Mapping, Sequence

from gromoxd.convert import headerlines as h
from gromoxd.convert.item import Item
from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.entryids import AddressBookEntryId, FlatEntryList, OneOffEntryId, parse_entryid
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PropertyName, built_in_name
from gromoxd.mapi.named_tags import (
    PidLidClassification,
    PidLidClassificationDescription,
    PidLidClassificationGuid,
    PidLidClassificationKeep,
    PidLidClassified,
    PidLidFlagRequest,
    PidNameKeywords,
)
from gromoxd.mapi.proptags import (
    PidTagAddressType,
    PidTagAutoForwarded,
    PidTagAutoResponseSuppress,
    PidTagClientSubmitTime,
    PidTagConversationIndex,
    PidTagConversationTopic,
    PidTagCreationTime,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagExpiryTime,
    PidTagImportance,
    PidTagInReplyToId,
    PidTagInternetMessageId,
    PidTagInternetReferences,
    PidTagLastModificationTime,
    PidTagListHelp,
    PidTagListSubscribe,
    PidTagListUnsubscribe,
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagNormalizedSubject,
    PidTagOriginatorDeliveryReportRequested,
    PidTagReadReceiptAddressType,
    PidTagReadReceiptEmailAddress,
    PidTagReadReceiptName,
    PidTagReadReceiptRequested,
    PidTagReadReceiptSmtpAddress,
    PidTagRecipientType,
    PidTagReplyRecipientEntries,
    PidTagReplyTime,
    PidTagSenderAddressType,
    PidTagSenderEmailAddress,
    PidTagSenderName,
    PidTagSenderSmtpAddress,
    PidTagSensitivity,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingName,
    PidTagSentRepresentingSmtpAddress,
    PidTagSmtpAddress,
    PidTagSubject,
    PidTagSubjectPrefix,
)
from gromoxd.mapi.times import UNIX_EPOCH_NT, unix_seconds
from gromoxd.mapi.types import PropType, prop_id, prop_type

MAX_RECIPIENTS, MAX_REPLIES, MAX_KEYWORDS = 20_000, 100, 100
_P1 = 0x10000000
"""Set in PidTagRecipientType of who already got the message ([MS-OXOMSG] 2.2.3.1)."""
_IMPORTANCE = {0: ("Low", "5"), 2: ("High", "1")}
_SENSITIVITY = {1: "Personal", 2: "Private", 3: "Company-Confidential"}
_TIMES = (PidTagClientSubmitTime, PidTagMessageDeliveryTime, PidTagLastModificationTime, PidTagCreationTime)
Person = tuple[str, str]
"""Display name and SMTP address, either may be ''."""


def header_fields(
    props: Bag, recipients: Sequence[Bag], host: str, bcc: bool, addressed: list[bytes] | None = None
) -> list[bytes]:
    """The fields in their order, without those that tell of the content; no Message-ID when there is none.

    `addressed`: the fields that say who the message is to, where the recipients do not.
    """
    author, sender = originators(props, host)
    fields = [h.field("Date", h.date(_sent(props)))]
    if author is not None:
        fields.append(h.address_list("From", [h.mailbox(*author)]))
    if sender is not None:
        fields.append(h.address_list("Sender", [h.mailbox(*sender)]))
    fields += _recipients(recipients, host, bcc) if addressed is None else addressed
    replies = _reply_to(props, host)
    if replies:
        fields.append(h.address_list("Reply-To", [h.mailbox(*who) for who in replies]))
    for make in (_subject, _identifiers, _conversation, _marks, _flag, _automatic, _classification, _lists):
        make(props, fields)
    _receipts(props, fields, sender or author, host)
    return fields


def _recipients(recipients: Sequence[Bag], host: str, bcc: bool) -> list[bytes]:
    fields = []
    for kind, name in ((1, "To"), (2, "Cc"), (3, "Bcc"))[: 3 if bcc else 2]:
        boxes = [h.mailbox(*person(bag, host)) for bag in recipients[:MAX_RECIPIENTS] if _kind(bag) == kind]
        if boxes:
            fields.append(h.address_list(name, boxes))
    return fields


def _text(props: Bag, tag: int) -> str:
    value = props.get(tag)
    return value if isinstance(value, str) else ""


def _number(props: Bag, tag: int) -> int:
    value = props.get(tag)
    return value if isinstance(value, int) else 0


def _kind(bag: Bag) -> int:
    value = _number(bag, PidTagRecipientType)
    return 0 if value & _P1 else value & 0xF


def _sent(props: Bag) -> int:
    times = (_number(props, tag) for tag in _TIMES)
    return unix_seconds(next((time for time in times if time > 0), UNIX_EPOCH_NT))


# ------------------------------------------------------------------------------------------ people


def smtp(kind: str, address: str, known: str, host: str) -> str:
    """The SMTP address: the one that is `known`, the address itself, or its encapsulation ([MS-OXCMAIL] 2.1.3.1.8)."""
    if known:
        return known
    if not address or kind.upper() in ("", "SMTP") or "@" in address:
        return address
    return f"IMCEA{_escaped(kind[:8])}-{_escaped(address)}@{host}"


def _escaped(text: str) -> str:
    return "".join([
        char if (char.isascii() and char.isalnum()) or char in "-=" else "_" if char == "/" else
        "".join([f"+{octet:02X}" for octet in char.encode("utf-8", "replace")]) for char in text[:500]
    ])  # fmt: skip


def person(bag: Bag, host: str) -> Person:
    """A recipient ([MS-OXCMAIL] 2.1.3.1)."""
    address = smtp(_text(bag, PidTagAddressType), _text(bag, PidTagEmailAddress), _text(bag, PidTagSmtpAddress), host)
    return _text(bag, PidTagDisplayName), address


_AUTHOR = (
    PidTagSentRepresentingName,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingSmtpAddress,
)
_SENDER = (PidTagSenderName, PidTagSenderAddressType, PidTagSenderEmailAddress, PidTagSenderSmtpAddress)
_READ_RECEIPT = (
    PidTagReadReceiptName,
    PidTagReadReceiptAddressType,
    PidTagReadReceiptEmailAddress,
    PidTagReadReceiptSmtpAddress,
)


def _named(props: Bag, tags: tuple[int, int, int, int], host: str) -> Person | None:
    name, kind, address, known = (_text(props, tag) for tag in tags)
    address = smtp(kind, address, known, host)
    return (name, address) if name or address else None


def originators(props: Bag, host: str) -> tuple[Person | None, Person | None]:
    """From and, when it is somebody else, Sender ([MS-OXCMAIL] 2.1.3.1.2, 2.1.3.1.3)."""
    author, sender = _named(props, _AUTHOR, host), _named(props, _SENDER, host)
    if author is None or sender is None:
        return author or sender, None
    same = author[1].lower() == sender[1].lower() if author[1] or sender[1] else author == sender
    return author, None if same else sender


def _reply_to(props: Bag, host: str) -> list[Person]:
    """The people of PidTagReplyRecipientEntries ([MS-OXCMAIL] 2.1.3.1.5), as far as their entry ids say an address."""
    entries = props.get(PidTagReplyRecipientEntries)
    if not isinstance(entries, bytes):
        return []
    found: list[Person] = []
    try:
        for entry in FlatEntryList.decode(entries).entries[:MAX_REPLIES]:
            who = parse_entryid(entry)
            if isinstance(who, OneOffEntryId):
                found.append((who.display_name, smtp(who.address_type, who.email_address, "", host)))
            elif isinstance(who, AddressBookEntryId):
                found.append(("", smtp("EX", who.dn, "", host)))
    except WireError:
        return found
    return [(name, address) for name, address in found if address]


# ------------------------------------------------------------------------------------------ what the fields are


def _subject(props: Bag, fields: list[bytes]) -> None:
    if PidTagSubject in props:
        fields.append(h.field("Subject", _text(props, PidTagSubject)))
    elif PidTagNormalizedSubject in props or PidTagSubjectPrefix in props:
        subject = _text(props, PidTagSubjectPrefix) + _text(props, PidTagNormalizedSubject)
        fields.append(h.field("Subject", subject))


def _identifiers(props: Bag, fields: list[bytes]) -> None:
    """RFC 5322 3.6.4."""
    for name, tag in (
        ("Message-ID", PidTagInternetMessageId), ("In-Reply-To", PidTagInReplyToId),
        ("References", PidTagInternetReferences),
    ):  # fmt: skip
        words = h.id_words(_text(props, tag))
        if words:
            fields.append(h.fold(name, words))


def _conversation(props: Bag, fields: list[bytes]) -> None:
    """[MS-OXCMAIL] 2.1.3.2.7, 2.1.3.2.8."""
    topic, index = _text(props, PidTagConversationTopic), props.get(PidTagConversationIndex)
    if topic:
        fields.append(h.field("Thread-Topic", topic))
    if isinstance(index, bytes) and index:
        text = binascii.b2a_base64(index[:600], newline=False).decode()
        fields.append(h.fold("Thread-Index", [text]))


def _marks(props: Bag, fields: list[bytes]) -> None:
    """[MS-OXCMAIL] 2.1.3.2.1, 2.1.3.2.2."""
    importance = props.get(PidTagImportance)
    if isinstance(importance, int) and importance in _IMPORTANCE:
        word, priority = _IMPORTANCE[importance]
        fields += (h.field("Importance", word), h.field("X-Priority", priority))
    sensitivity = _SENSITIVITY.get(_number(props, PidTagSensitivity))
    if sensitivity:
        fields.append(h.field("Sensitivity", sensitivity))


def _flag(props: Bag, fields: list[bytes]) -> None:
    """[MS-OXCMAIL] 2.1.3.2.25, 2.1.3.2.28; Expires as RFC 2156 has it."""
    expires = _number(props, PidTagExpiryTime)
    if expires > 0:
        fields.append(h.field("Expires", h.date(unix_seconds(expires))))
    request = h.clean(_text(props, PidLidFlagRequest)).strip()
    if request:
        fields.append(h.field("X-Message-Flag", request))
        due = _number(props, PidTagReplyTime)
        if due > 0:
            fields.append(h.field("Reply-By", h.date(unix_seconds(due))))


_SUPPRESSED = ("DR", "NDR", "RN", "NRN", "OOF", "AutoReply")
_ANSWERS = ("IPM.NOTE.RULES.OOFTEMPLATE", "IPM.NOTE.RULES.REPLYTEMPLATE", "REPORT.")
"""Message classes of what is sent without a person's doing, as an answer (RFC 3834 5)."""


def _automatic(props: Bag, fields: list[bytes]) -> None:
    """X-Auto-Response-Suppress ([MS-OXCMAIL] 2.1.3.2.20); Auto-Submitted (RFC 3834 5)."""
    suppress = props.get(PidTagAutoResponseSuppress)
    if isinstance(suppress, int):
        words = [word for bit, word in enumerate(_SUPPRESSED) if suppress & 1 << bit]
        text = "All" if suppress == -1 else ", ".join(words)
        if text:
            fields.append(h.field("X-Auto-Response-Suppress", text))
    if _text(props, PidTagMessageClass).upper().startswith(_ANSWERS):
        fields.append(h.field("Auto-Submitted", "auto-replied"))
    elif props.get(PidTagAutoForwarded) is True:
        fields.append(h.field("Auto-Submitted", "auto-generated"))


_CLASSIFICATION = (
    ("X-Microsoft-Classification", PidLidClassification),
    ("X-Microsoft-ClassDesc", PidLidClassificationDescription),
    ("X-Microsoft-ClassID", PidLidClassificationGuid),
)


def _classification(props: Bag, fields: list[bytes]) -> None:
    """[MS-OXCMAIL] 2.1.3.2.17."""
    if props.get(PidLidClassified) is not True:
        return
    fields.append(h.field("X-Microsoft-Classified", "true"))
    fields += [h.field(name, text) for name, tag in _CLASSIFICATION if (text := h.clean(_text(props, tag)).strip())]
    if props.get(PidLidClassificationKeep) is True:
        fields.append(h.field("X-Microsoft-ClassKeep", "true"))


def _lists(props: Bag, fields: list[bytes]) -> None:
    """RFC 2369."""
    for name, tag in (
        ("List-Help", PidTagListHelp), ("List-Subscribe", PidTagListSubscribe),
        ("List-Unsubscribe", PidTagListUnsubscribe),
    ):  # fmt: skip
        text = _text(props, tag)
        if text:
            fields.append(h.field(name, text))


def keywords(props: Bag) -> list[bytes]:
    """Categories (RFC 5322 3.6.5, [MS-OXCMAIL] 2.1.3.2); of mail that is sent they are nobody else's business."""
    words = props.get(PidNameKeywords)
    if not isinstance(words, list):
        return []
    text = ", ".join([word for word in words[:MAX_KEYWORDS] if isinstance(word, str) and word])
    return [h.field("Keywords", text)] if text else []


def _receipts(props: Bag, fields: list[bytes], sender: Person | None, host: str) -> None:
    """RFC 8098 2.1; [MS-OXCMAIL] 2.1.3.2.4, 2.1.3.2.5."""
    if props.get(PidTagReadReceiptRequested) is True:
        asking = _named(props, _READ_RECEIPT, host) or sender
        if asking is not None and asking[1]:
            fields.append(h.address_list("Disposition-Notification-To", [h.mailbox(*asking)]))
    if props.get(PidTagOriginatorDeliveryReportRequested) is True:
        asking = _named(props, _READ_RECEIPT, host) or sender
        if asking is not None and asking[1]:
            fields.append(h.address_list("Return-Receipt-To", [h.mailbox(*asking)]))


# ------------------------------------------------------------------------------------------ fields by their own names

_EXTENSION = re.compile(r"[Xx]-[!-9;-~]{1,200}")
_STANDARD = frozenset((
    "accept-language", "approved", "archived-at", "auto-submitted", "autocrypt", "comments", "content-class",
    "feedback-id", "list-archive", "list-id", "list-owner", "list-post", "list-unsubscribe-post", "mailing-list",
    "msip_labels", "organization", "precedence", "supersedes", "user-agent",
))  # fmt: skip
"""Names of header fields that may be said freely, and extensions: the others are made of properties of their own, or
are not a client's to say (trace, signatures)."""
_NAMED_TYPES = frozenset((PropType.PtypString, PropType.PtypInteger16, PropType.PtypInteger32, PropType.PtypBoolean))


def header_names(tags: Iterable[int], names: Mapping[int, PropertyName]) -> dict[int, str]:
    """Those properties that are header fields of their own, and their names ([MS-OXCMAIL] 2.1.3.7, 2.1.3.8)."""
    found = {}
    for tag in sorted(tags):
        if tag >> 31 and prop_type(tag) in _NAMED_TYPES:
            name = names.get(prop_id(tag)) or built_in_name(prop_id(tag))
            if name is not None and name.guid == PS_INTERNET_HEADERS and isinstance(name.key, str):
                found[tag] = name.key
    return {tag: name for tag, name in found.items() if _EXTENSION.fullmatch(name) or name.lower() in _STANDARD}


def named_fields(item: Item, made: Iterable[bytes] = ()) -> list[bytes]:
    """The fields that are properties of the set PS_INTERNET_HEADERS, but for those that are `made` already."""
    there = names_of(made)
    fields = []
    for tag, name in header_names(item.props, item.names).items():
        value = item.props[tag]
        if name.lower() not in there and isinstance(value, str | int):
            fields.append(h.field(name, str(value).lower() if isinstance(value, bool) else str(value)))
    return fields


def names_of(fields: Iterable[bytes]) -> set[str]:
    """The names of fields, in lower case."""
    return {field.partition(b":")[0].decode("ascii", "replace").lower() for field in fields}
