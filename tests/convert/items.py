"""Items for the tests of formats that carry whole items: one with everything in it, and a strategy for any."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from gromoxd.convert.compoundfile import Storage, encode
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import WireError
from gromoxd.mapi import named_tags as n
from gromoxd.mapi import proptags as p
from gromoxd.mapi.bag import Bag, check_bag
from gromoxd.mapi.entryids import one_off
from gromoxd.mapi.named import PS_INTERNET_HEADERS, PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.times import filetime
from gromoxd.mapi.types import MULTIPLE, PropType

GUID = bytes(range(16))
OWN = PropertyName(GUID, 0x1234)
HEADER = PropertyName(PS_INTERNET_HEADERS, "X-Strange-Header")
STRING = PropertyName(PS_PUBLIC_STRINGS, "Größe")
WHEN = filetime(1_700_000_000)

OLE = encode(Storage({"\1Ole": b"ole", "CONTENTS": bytes(5000), "Inner": Storage({"a": b"b"})}, GUID))


def recipient(name: str, address: str, kind: int = 1) -> Bag:
    return {
        p.PidTagRecipientType: kind,
        p.PidTagDisplayName: name,
        p.PidTagAddressType: "SMTP",
        p.PidTagEmailAddress: address,
        p.PidTagSmtpAddress: address,
        p.PidTagEntryId: one_off(name, address),
    }


def embedded() -> Item:
    """The message in the message; it has names of its own under the same ids."""
    return Item(
        {p.PidTagMessageClass: "IPM.Note", p.PidTagSubject: "Within", p.PidTagBody: "Deep.", 0x9000001F: "other"},
        [recipient("Inner", "inner@example.org")],
        [ItemAttachment(named("deep.bin"), b"\0\1\2")],
        {0x9000: HEADER},
    )


def named(name: str, method: int = 1, position: int = -1) -> Bag:
    return {
        p.PidTagAttachMethod: method,
        p.PidTagRenderingPosition: position,
        p.PidTagAttachLongFilename: name,
        p.PidTagAttachFilename: name[:12],
    }


def whole() -> Item:
    """An item with everything that an item can have."""
    return Item(
        {
            p.PidTagMessageClass: "IPM.Note",
            p.PidTagSubject: "Grüße aus 東京",
            p.PidTagBody: "Zeile 1\r\nZeile 2\r\n",
            p.PidTagHtml: "<p>Grüße</p>".encode(),
            p.PidTagInternetCodepage: 65001,
            p.PidTagImportance: 2,
            p.PidTagMessageFlags: 0x12,
            p.PidTagClientSubmitTime: WHEN,
            p.PidTagMessageDeliveryTime: WHEN + 10_000_000,
            p.PidTagLastModificationTime: WHEN + 20_000_000,
            p.PidTagSearchKey: GUID,
            p.PidTagSenderName: "Ulla Müller",
            p.PidTagSenderAddressType: "SMTP",
            p.PidTagSenderEmailAddress: "ulla@example.org",
            p.PidTagSenderEntryId: one_off("Ulla Müller", "ulla@example.org"),
            n.PidLidReminderSet: True,
            n.PidLidCategories: ["Rot", "Grün"],
            0x66010002: -7,
            0x66020004: 0.5,
            0x66030005: -1e300,
            0x66040006: 12345678901,
            0x66050007: 45000.25,
            0x6606000A: 0x8004010F,
            0x66070014: -(1 << 60),
            0x66080048: GUID,
            0x66091002: [1, -2, 3],
            0x660A1003: [1 << 30],
            0x660B1004: [0.25, -4.0],
            0x660C1005: [1e-300],
            0x660D1006: [-1, 1],
            0x660E1007: [1.5],
            0x660F1014: [1 << 60],
            0x66101040: [WHEN],
            0x66111048: [GUID, GUID[::-1]],
            0x66121102: [b"", b"abc", bytes(100)],
            0x66130102: b"",
            0x9000001F: "own",
            0x90010003: 4,
            0x9002101F: ["ä", "b" * 3000],
        },
        [recipient("Max Groß", "max@example.org"), recipient("Eva", "eva@example.org", 2)],
        [
            ItemAttachment(named("bericht.pdf"), b"%PDF" + bytes(range(256)) * 30),
            ItemAttachment(named("leer.txt", position=7) | {0x90010003: 9}, b""),
            ItemAttachment(named("Nachricht", 5), b"", embedded()),
            ItemAttachment(named("Objekt", 6), OLE),
        ],
        {0x9000: STRING, 0x9001: OWN, 0x9002: HEADER},
    )


def by_name(item: Item) -> Any:
    """An item for comparing: named properties under their names, whatever their ids are."""
    return (
        _bag_by_name(item, item.props),
        [_bag_by_name(item, bag) for bag in item.recipients],
        [
            (_bag_by_name(item, one.props), one.data, by_name(one.embedded) if one.embedded else None)
            for one in item.attachments
        ],
    )


def _bag_by_name(item: Item, bag: Bag) -> dict[Any, Any]:
    return {(item.names.get(tag >> 16, tag >> 16), tag & 0xFFFF): value for tag, value in bag.items()}


def check_item(item: Item, depth: int = 0) -> int:
    """That all values are of their types, and how deep the messages go."""
    check_bag(item.props)
    deepest = depth
    for bag in item.recipients:
        check_bag(bag)
    for one in item.attachments:
        check_bag(one.props)
        assert isinstance(one.data, bytes)
        if one.embedded is not None:
            deepest = max(deepest, check_item(one.embedded, depth + 1))
    return deepest


# Any

_text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)
_int = {bits: st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for bits in (16, 32, 64)}
_single = st.floats(width=32, allow_nan=False)
_double = st.floats(allow_nan=False)
_guid = st.binary(min_size=16, max_size=16)
_VALUES: dict[int, st.SearchStrategy[Any]] = {
    PropType.PtypInteger16: _int[16],
    PropType.PtypInteger32: _int[32],
    PropType.PtypFloating32: _single,
    PropType.PtypFloating64: _double,
    PropType.PtypCurrency: _int[64],
    PropType.PtypFloatingTime: _double,
    PropType.PtypErrorCode: st.integers(0, 0xFFFFFFFF),
    PropType.PtypInteger64: _int[64],
    PropType.PtypString: _text,
    PropType.PtypTime: _int[64],
    PropType.PtypGuid: _guid,
    PropType.PtypBinary: st.binary(max_size=40),
}
"""Types that have a multi-value form; PtypBoolean has none."""
_kinds = st.sampled_from([(kind, multiple) for kind in _VALUES for multiple in (False, True)])
NAMES = {0x9000: STRING, 0x9001: OWN, 0x9002: HEADER}
_ids = st.one_of(st.integers(0x6600, 0x67F0), st.sampled_from([*NAMES, 0x8000, 0x8011, 0x8150]))


@st.composite
def _properties(draw: st.DrawFn) -> Bag:
    bag: Bag = {}
    for _ in range(draw(st.integers(0, 6))):
        number, (kind, multiple) = draw(_ids), draw(_kinds)
        one = _VALUES[kind]
        bag[number << 16 | kind | (MULTIPLE if multiple else 0)] = draw(st.lists(one, max_size=4) if multiple else one)
    if draw(st.booleans()):
        bag[0x65000000 | PropType.PtypBoolean] = draw(st.booleans())
    return {tag: value for tag, value in bag.items() if tag not in p.INTERNAL}


@st.composite
def items(draw: st.DrawFn, depth: int = 2) -> Item:
    """Any item: every type of property that a message outside of a mailbox has, names, messages within messages."""
    item = Item(draw(_properties()), draw(st.lists(_properties().filter(bool), max_size=3)), names=dict(NAMES))
    for _ in range(draw(st.integers(0, 2))):
        props = draw(_properties())
        inner = draw(items(depth - 1)) if depth and draw(st.booleans()) else None
        props |= {p.PidTagAttachMethod: 5 if inner else 1, p.PidTagRenderingPosition: draw(_int[32].filter(_shown))}
        item.attachments.append(ItemAttachment(props, b"" if inner else draw(st.binary(max_size=99)), inner))
    return item


def _shown(position: int) -> bool:
    return position >= -1


# Broken octets

SLOWEST = 2.0
"""Seconds that reading anything here may take on a busy machine; it is some milliseconds on a quiet one."""


def survive(read: Callable[[bytes], Item], data: bytes) -> bool:
    """That `read` gives an item whose values are of their types, or a WireError, soon. Whether it gave an item."""
    start = time.perf_counter()
    try:
        check_item(read(data))
    except WireError:
        return False
    finally:
        assert time.perf_counter() - start < SLOWEST
    return True


NUMBERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """A copy with some octets changed, numbers put in, pieces cut out, doubled or moved."""
    copy = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(copy))
        kind = chance.randrange(6)
        if kind == 0:
            copy[at] = chance.randrange(256)
        elif kind == 1:
            copy[at] ^= 1 << chance.randrange(8)
        elif kind == 2:
            copy[at & ~3 : (at & ~3) + 4] = chance.choice(NUMBERS).to_bytes(4, "little")
        elif kind == 3:
            del copy[at : at + chance.randint(1, 64)]
        elif kind == 4:
            copy[at:at] = copy[at : at + chance.randint(1, 64)]
        else:
            other, size = chance.randrange(len(copy)), chance.randint(1, 600)
            copy[at : at + size] = copy[other : other + size]
        if not copy:
            return b"x"
    return bytes(copy)
