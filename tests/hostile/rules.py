"""Conditions and actions of every kind, and their octets spoiled."""

from __future__ import annotations

import random
from typing import Any

from gromoxd.mapi import proptags as p
from gromoxd.mapi.ids import ServerId, eid_int
from gromoxd.mapi.named_tags import PidLidLocation, PidNameKeywords
from gromoxd.mapi.restrictions import (
    And,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    Not,
    Or,
    Property,
    Restriction,
    Size,
    SubObject,
)
from gromoxd.mapi.rules import ActionBlock, ActionType, Bounce, Defer, Forward, MoveCopy, RecipientBlock, Reply, Tag
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import TaggedPropertyValue

TAGS = (
    p.PidTagSubject, p.PidTagBody, p.PidTagHtml, p.PidTagRtfCompressed, p.PidTagMessageClass, p.PidTagMessageSize,
    p.PidTagImportance, p.PidTagTransportMessageHeaders, p.PidTagSenderEmailAddress, p.PidTagMessageFlags,
    p.PidTagMessageDeliveryTime, p.PidTagHasAttachments, p.PidTagMessageToMe, p.PidTagSearchKey, p.PidTagEntryId,
    p.PidTagDisplayTo, p.PidTagSensitivity, p.PidTagMessageRecipients, p.PidTagMessageAttachments,
    p.PidTagParentEntryId, p.PidTagConversationIndex, p.PidTagReceivedByEntryId, p.PidTagAttachLongFilename,
    p.PidTagEmailAddress, p.PidTagRecipientType, p.PidTagAttachDataBinary, p.PidTagAttachSize, PidLidLocation,
    PidNameKeywords, 0x9000001F, 0x80010003, 0x0000001F, 0xFFFF0003, 0x7FFF000A,
)  # fmt: skip
WORDS = ("", "a", "zebra", "Plan", "@", "\u00e4", "\ud800", "x" * 500, "IPM.Note", "\0")


def value_of(kind: int, chance: random.Random) -> Any:
    """A value of a property type."""
    if kind & 0x1000:
        return [value_of(kind & ~0x1000, chance) for _ in range(chance.randrange(3))]
    if kind in (PropType.PtypString, PropType.PtypString8):
        word = chance.choice(WORDS)
        return word if kind == PropType.PtypString else word.encode("utf-8", "replace").replace(b"\0", b"")
    if kind == PropType.PtypBinary:
        return chance.randbytes(chance.choice((0, 1, 16, 40)))
    if kind == PropType.PtypBoolean:
        return chance.random() < 0.5
    if kind in (PropType.PtypInteger64, PropType.PtypTime):
        return chance.choice((0, 1, 1 << 40, (1 << 63) - 1))
    return chance.choice((0, 1, 2, -1, 0x7FFFFFFF))


def condition(chance: random.Random, depth: int = 0) -> Restriction:
    """A restriction; some are nonsense."""
    if depth < 5 and chance.random() < 0.5:
        inner = [condition(chance, depth + 1) for _ in range(chance.randrange(4))]
        one = condition(chance, depth + 1)
        which: list[Restriction] = [
            And(tuple(inner)), Or(tuple(inner)), Not(one), Comment((), one), Count(chance.randrange(5), one),
            SubObject(chance.choice((p.PidTagMessageRecipients, p.PidTagMessageAttachments, p.PidTagSubject)), one),
        ]  # fmt: skip
        return chance.choice(which)
    tag, other = chance.choice(TAGS), chance.choice(TAGS)
    kind = chance.choice((tag, tag, other)) & 0xFFFF
    kind = kind if kind in _WRITABLE else int(PropType.PtypString)
    value = value_of(kind, chance)
    leaves: list[Restriction] = [
        Content(chance.randrange(4), chance.choice((0, 1, 7, 0xFFFF)), tag, value, (tag & ~0xFFFF) | kind),
        Property(chance.choice((0, 1, 2, 3, 4, 5, 6, 100)), tag, value, (tag & ~0xFFFF) | kind),
        CompareProperties(chance.randrange(7), tag, other), BitMask(chance.randrange(3), tag, chance.getrandbits(32)),
        Size(chance.randrange(6), tag, chance.choice((0, 10, 1 << 31))), Exist(tag),
    ]  # fmt: skip
    return chance.choice(leaves)


_WRITABLE = frozenset((0x1F, 0x1E, 0x102, 0x0B, 0x14, 0x40, 0x03, 0x101F, 0x1003))


def action(chance: random.Random, folders: tuple[int, ...]) -> ActionBlock:
    """An action of a standard rule; many of what is not there."""
    kind = ActionType(chance.randrange(1, 12))
    if kind in (ActionType.OP_MOVE, ActionType.OP_COPY):
        fid = chance.choice((*folders, 0, 1, 0x7FFFFFFF))
        where = chance.choice((ServerId(eid_int(1, fid)).encode(), chance.randbytes(21), b""))
        return ActionBlock(kind, MoveCopy(chance.random() < 0.8, chance.randbytes(8), where))
    if kind in (ActionType.OP_REPLY, ActionType.OP_OOF_REPLY):
        return ActionBlock(kind, Reply(chance.randbytes(16), eid_int(1, 0x0D), eid_int(1, chance.randrange(99))),
                           chance.randrange(4))  # fmt: skip
    if kind == ActionType.OP_DEFER_ACTION:
        return ActionBlock(kind, Defer(chance.randbytes(chance.randrange(50))))
    if kind == ActionType.OP_BOUNCE:
        return ActionBlock(kind, Bounce(chance.choice((0x0D, 0x1F, 0x26, 0, 1 << 31))))
    if kind in (ActionType.OP_FORWARD, ActionType.OP_DELEGATE):
        return ActionBlock(kind, Forward(tuple(_person(chance) for _ in range(chance.randrange(1, 4)))),
                           chance.choice((0, 1, 2, 3, 4, 8, 0xFF)))  # fmt: skip
    if kind == ActionType.OP_TAG:
        tag = chance.choice([tag for tag in TAGS if tag & 0xFFFF in _WRITABLE])
        return ActionBlock(kind, Tag(TaggedPropertyValue(tag, value_of(tag & 0xFFFF, chance))))
    return ActionBlock(kind)


def _person(chance: random.Random) -> RecipientBlock:
    address = chance.choice(("boss@example.net", "", "no address", "a@b\r\nBcc: c@d", "alice@example.test", "\u00e4@x"))
    values = [TaggedPropertyValue(p.PidTagEmailAddress, address), TaggedPropertyValue(p.PidTagAddressType, "SMTP"),
              TaggedPropertyValue(p.PidTagDisplayName, chance.choice(WORDS[:6]).replace("\ud800", "")),
              TaggedPropertyValue(p.PidTagRecipientType, chance.randrange(4))]  # fmt: skip
    return RecipientBlock(tuple(values[: chance.randrange(1, 5)]))


def spoiled(octets: bytes, chance: random.Random) -> bytes:
    """The octets, or what some accident leaves of them."""
    if chance.random() < 0.5 or not octets:
        return octets
    at = chance.randrange(len(octets))
    flipped = octets[:at] + bytes((octets[at] ^ 1 << chance.randrange(8),)) + octets[at + 1 :]
    return chance.choice((flipped, flipped, octets[:at], octets[:at] + chance.randbytes(3) + octets[at:]))
