"""What PidTagTransportMessageHeaders ([MS-OXOMSG] 2.2.1.61) keeps of a header when a delivered message is made anew.

A field whose properties still say what it says stays as it came: all its authors, groups of addresses, words around a
message id, the sender's time zone. What somebody changed since is made of the properties.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gromoxd.convert import headerlines as h
from gromoxd.convert.addresses import Address
from gromoxd.convert.charsets import decode_unlabelled
from gromoxd.convert.dates import parse_date
from gromoxd.convert.envelope import parsed_addresses
from gromoxd.convert.headers import decode_header, field_map, parse_addresses, unfold_fields
from gromoxd.convert.internetheaders import keywords_of
from gromoxd.convert.item import Item
from gromoxd.convert.properties import MAX_STRING, header_bag, person, recipient_bags
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag

MAX_HEADER, MAX_FIELDS = 64 << 10, 500
_ORIGIN = (
    p.PidTagSentRepresentingName, p.PidTagSentRepresentingEmailAddress, p.PidTagSenderName, p.PidTagSenderEmailAddress,
)  # fmt: skip
_IMPORTANCE = (p.PidTagImportance,)
_SAYS: dict[str, tuple[int, ...]] = {
    "from": _ORIGIN, "sender": _ORIGIN, "reply-to": (p.PidTagReplyRecipientEntries,), "subject": (p.PidTagSubject,),
    "date": (p.PidTagClientSubmitTime,), "message-id": (p.PidTagInternetMessageId,),
    "in-reply-to": (p.PidTagInReplyToId,), "references": (p.PidTagInternetReferences,), "importance": _IMPORTANCE,
    "priority": _IMPORTANCE, "x-priority": _IMPORTANCE, "x-msmail-priority": _IMPORTANCE,
    "sensitivity": (p.PidTagSensitivity,), "thread-topic": (p.PidTagConversationTopic,),
    "thread-index": (p.PidTagConversationIndex,),
    "disposition-notification-to": (
        p.PidTagReadReceiptRequested, p.PidTagReadReceiptName, p.PidTagReadReceiptEmailAddress
    ),
    "return-receipt-to": (p.PidTagOriginatorDeliveryReportRequested,), "list-help": (p.PidTagListHelp,),
    "list-subscribe": (p.PidTagListSubscribe,), "list-unsubscribe": (p.PidTagListUnsubscribe,),
    "expires": (p.PidTagExpiryTime,), "reply-by": (p.PidTagReplyTime,), "x-message-flag": (n.PidLidFlagRequest,),
    "x-auto-response-suppress": (p.PidTagAutoResponseSuppress,),
}  # fmt: skip
"""Fields that are made of properties, and of which."""
_RECIPIENTS = {"to": 1, "cc": 2, "bcc": 3}
_PEOPLE = frozenset((
    "from", "sender", "reply-to", "disposition-notification-to", "return-receipt-to", "resent-from", "resent-sender",
    "resent-to", "resent-cc", *_RECIPIENTS,
))  # fmt: skip
_DATES = ("date", "expires", "reply-by")
_IDS = frozenset(("message-id", "in-reply-to", "references", "thread-index"))
_WORDS = re.compile(r"\s*\S+")
_NEVER = ("mime-version", "x-unsent")


def transport_headers(header: bytes) -> str:
    """The property of a header's octets."""
    return (header.decode() if header.isascii() else decode_unlabelled(header)).replace("\0", "")


def with_kept(item: Item, made: Sequence[bytes]) -> list[bytes]:
    """The `made` fields of a message, and before them what its first header says beside or instead of them.

    That is trace, signatures, lists, X-… (RFC 5322 3.6.7) in their order, and what still says the same.
    """
    headers = item.props.get(p.PidTagTransportMessageHeaders)
    if not isinstance(headers, str):
        return list(made)
    known = _First.of(headers[:MAX_HEADER].encode("utf-8", "replace"))
    ours = {name_of(field): field for field in made}
    same = _same(item, known, ours)
    kept, there = [], set()
    for name, value in known.fields:
        lowered = name.lower()
        if lowered in same or (lowered not in ours and lowered not in _SAYS and lowered not in _RECIPIENTS):
            written = _written(name, value)
            nothing = lowered in _IDS and len(written) <= len(name) + 3
            if not nothing or (not value and lowered != "message-id"):  # of an id too long for a line nothing is left
                kept.append(written)
                there.add(lowered)
    return kept + [field for field in made if (name := name_of(field)) not in there and not _implied(name, same)]


def name_of(field: bytes) -> str:
    """The name of a field, in lower case."""
    return field.partition(b":")[0].decode("ascii", "replace").lower()


# ------------------------------------------------------------------------------------------ what a header says


class _First(NamedTuple):
    """The header that a message had: its fields in order, and what they all say as properties."""

    fields: list[tuple[str, bytes]]
    props: Bag
    recipients: list[Bag]

    @classmethod
    def of(cls, header: bytes) -> _First:
        known = field_map(header)
        addresses: Mapping[bytes, list[Address]] = parsed_addresses(known)
        dates = parse_date(known[b"date"]) if b"date" in known else None
        subject = decode_header(known.get(b"subject", b"")[: MAX_STRING * 4])[:MAX_STRING]
        props = header_bag(known, addresses, dates[0] if dates else None, 0, subject)
        if dates is None:
            del props[p.PidTagClientSubmitTime]
        fields = [(name.decode("ascii"), value) for name, value in unfold_fields(header)[:MAX_FIELDS] if _is_kept(name)]
        return cls(fields, props, recipient_bags(props, addresses))


def _is_kept(name: bytes) -> bool:
    """Whether it is a field's name, and not one of those that tell of the content."""
    if not 0 < len(name) <= 200 or not all(33 <= octet <= 126 and octet != 58 for octet in name):
        return False
    lowered = name.lower().decode("ascii")
    if lowered.startswith("content-"):
        return lowered in ("content-language", "content-class")
    return lowered not in _NEVER and not lowered.startswith("resent-bcc")


def _same(item: Item, known: _First, ours: Mapping[str, bytes]) -> set[str]:
    """The names of fields that are kept as they came, though properties say them, too."""
    same = {name for name, tags in _SAYS.items() if all(item.props.get(tag) == known.props.get(tag) for tag in tags)}
    report = str(item.props.get(p.PidTagMessageClass, "")).upper().startswith("REPORT.")
    for name, kind in _RECIPIENTS.items():
        if report or _addressed(item.recipients, kind) == _addressed(known.recipients, kind):
            same.add(name)
    first = {name.lower(): value for name, value in reversed(known.fields)}
    same -= {name for name in _DATES if not first.get(name, b"").isascii()}
    for name in ours.keys() & first.keys() - _SAYS.keys() - _RECIPIENTS.keys():
        if name == "auto-submitted":
            said = not first[name].lower().startswith(b"no")
        elif name == "keywords":
            said = keywords_of(first[name]) == item.props.get(n.PidNameKeywords)
        else:
            said = ours[name].partition(b":")[2] == h.field(name, decode_header(first[name])).partition(b":")[2]
        if said:
            same.add(name)
    return same


def _addressed(recipients: Iterable[Bag], kind: int) -> list[tuple[object, object]]:
    return [
        (bag.get(p.PidTagDisplayName), bag.get(p.PidTagEmailAddress))
        for bag in recipients
        if bag.get(p.PidTagRecipientType) == kind
    ]


def _implied(name: str, same: set[str]) -> bool:
    """Whether a header without the field says the same: the property came of other fields."""
    return name in same and name in _SAYS


# ------------------------------------------------------------------------------------------ as it is written


def _written(name: str, value: bytes) -> bytes:
    """A field as it came, folded anew; in words of RFC 2047 where it is not ASCII, or too long for a line."""
    lowered = name.lower()
    if value.isascii():
        text = h.clean(value.decode("ascii"))
        words = _WORDS.findall(text)
        if max(map(len, words), default=0) <= h.LONGEST:
            return _folded(name, words)
    if lowered in _PEOPLE:
        return address_field(name, parse_addresses(value))
    if lowered in _IDS:
        return h.fold(name, h.id_words(decode_header(value)))
    return h.field(name, decode_header(value))


def _folded(name: str, words: Iterable[str]) -> bytes:
    """Words with the spaces before them, which stay as they are (RFC 5322 2.2.3)."""
    lines = [name + ":"]
    for number, word in enumerate(words):
        piece = word if number else " " + word.lstrip()
        if number and len(lines[-1]) + len(piece) > h.LINE:
            lines.append(piece)
        else:
            lines[-1] += piece
    return "\r\n".join([*lines, ""]).encode("ascii")


def address_field(name: str, addresses: Iterable[Address]) -> bytes:
    """An address list with its groups (RFC 5322 3.4)."""
    words: list[str] = []
    comma = group = False
    for address in addresses:
        if address.host is not None:
            if comma:
                words[-1] += ","
            box = h.mailbox(*person(address))
            words += h.box_words(box)
            comma = True
        elif address.mailbox is not None:
            if comma and not group:
                words[-1] += ","
            words.append(h.phrase(h.clean(decode_header(address.mailbox))[: h.MAX_NAME]) + ":")
            comma, group = False, True
        elif words:
            words[-1] += ";"
            comma, group = True, False
    return h.fold(name, words) if words else h.field(name, "")
