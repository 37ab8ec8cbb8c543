"""Restrictions as values and octets ([MS-OXCDATA] 2.12)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import (
    DEEPEST,
    LARGEST,
    And,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    FuzzyHigh,
    FuzzyLow,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    SubObject,
    decode_restriction,
    encode_restriction,
    map_tags,
    tags_of,
    walk,
)
from gromoxd.mapi.values import TaggedPropertyValue
from tests.mapi.structures.restrictions import HIGH_IMPORTANCE, NAMED_VIEW, SIMPLE, WIDE
from tests.mapi.test_sqlrestriction import RESTRICTIONS

SUBJECT, BODY = p.PidTagSubject, p.PidTagBody
IS_SUBJECT = Exist(SUBJECT)

VALUES: dict[str, Restriction] = {
    "and of nothing": And(),
    "or": Or((IS_SUBJECT, Exist(BODY))),
    "not": Not(IS_SUBJECT),
    "content": Content(FuzzyLow.SUBSTRING, FuzzyHigh.IGNORECASE | FuzzyHigh.LOOSE, SUBJECT, "a"),
    "binary content": Content(FuzzyLow.PREFIX, 0, p.PidTagSearchKey, b"SMT"),
    "content of one of many": Content(FuzzyLow.FULLSTRING, FuzzyHigh.IGNORECASE, 0x8001101F, "r", 0x8001001F),
    "compare": CompareProperties(RelOp.NE, p.PidTagClientSubmitTime, p.PidTagMessageDeliveryTime),
    "bit mask": BitMask(1, p.PidTagMessageFlags, 1),
    "size": Size(RelOp.GT, p.PidTagMessageSize, 0x100000),
    "exist": IS_SUBJECT,
    "recipients": SubObject(p.PidTagMessageRecipients, Property(RelOp.EQ, p.PidTagRecipientType, 1)),
    "comment": Comment((TaggedPropertyValue(SUBJECT, "H"),), IS_SUBJECT),
    "comment alone": Comment(),
    "count": Count(5, IS_SUBJECT),
    "member of list": Property(RelOp.MEMBER_OF_DL, p.PidTagSenderEntryId, b"\xaa\xbb", 0x000C0102),
}
WIDE_VALUES: dict[str, Restriction] = {
    "and": And((IS_SUBJECT, Not(Exist(BODY)))),
    "binary content": Content(FuzzyLow.PREFIX, 0, p.PidTagSearchKey, b"SMT"),
    "comment": Comment((TaggedPropertyValue(p.PidTagSearchKey, b"\xff"),), None),
}


@pytest.mark.parametrize("name", SIMPLE)
def test_each_kind_both_ways(name: str) -> None:
    assert decode_restriction(SIMPLE[name]) == VALUES[name]
    assert encode_restriction(VALUES[name]) == SIMPLE[name]


@pytest.mark.parametrize("name", WIDE)
def test_extended_rules_count_with_32_bits(name: str) -> None:
    assert decode_restriction(WIDE[name], wide=True) == WIDE_VALUES[name]
    assert encode_restriction(WIDE_VALUES[name], wide=True) == WIDE[name]


def test_what_outlook_sends() -> None:
    view = And(
        (
            Property(RelOp.EQ, p.PidTagMessageClass, "IPM.Microsoft.FolderDesign.NamedView"),
            BitMask(0, 0x68340003, 1),
            Property(RelOp.EQ, 0x683A0003, 8),
            BitMask(1, 0x68340003, 0x200),
            Content(FuzzyLow.FULLSTRING, 0, SUBJECT, "Messages"),
        )
    )
    assert decode_restriction(NAMED_VIEW) == view
    assert encode_restriction(view) == NAMED_VIEW
    assert decode_restriction(HIGH_IMPORTANCE) == Property(RelOp.EQ, p.PidTagImportance, 2)


def truncations() -> list[bytes]:
    return [octets[:length] for octets in (*SIMPLE.values(), NAMED_VIEW) for length in range(len(octets))]


def test_truncations_are_errors() -> None:
    for octets in truncations():
        with pytest.raises(WireError):
            decode_restriction(octets)


@pytest.mark.parametrize(
    "octets",
    [
        "0c",  # no such kind
        "08 1f003700 00",  # an octet too many
        "04 06 1f003700 1f003700 0000",  # no such operator
        "05 07 1f003700 1f003700",
        "07 65 1f003700 00000000",
        "06 02 0300070e 00000000",
        "04 04 1f003700 00000000",  # value without a type
        "04 04 1f003700 fd003700 08 1f003700",  # a restriction as value of one
        "04 04 1f003700 fe003700 0100",
        "00 ffff 08 1f003700",  # more announced than there is
        "0a ff 1f003700",
    ],
)
def test_bad_octets(octets: str) -> None:
    with pytest.raises(WireError):
        decode_restriction(bytes.fromhex(octets))


def test_the_offset_is_that_of_the_bad_kind() -> None:
    with pytest.raises(WireError) as caught:
        decode_restriction(bytes.fromhex("02 02 7f"))
    assert caught.value.offset == 2


def test_depth_is_bounded() -> None:
    exist = b"\x08" + bytes(4)
    assert len(list(walk(decode_restriction(b"\x02" * (DEEPEST - 1) + exist)))) == DEEPEST
    for kind in (b"\x02", b"\x00\x01\x00", b"\x0a\x00\x01", b"\x0b" + bytes(4), b"\x09" + bytes(4)):
        with pytest.raises(WireError, match="too large"):
            decode_restriction(kind * DEEPEST + exist)
        with pytest.raises(WireError):
            decode_restriction(kind * 100_000 + exist)
    deep: Restriction = Exist(0)
    for _ in range(DEEPEST):
        deep = Not(deep)
    with pytest.raises(WireError, match="too large"):
        encode_restriction(deep)


def test_size_is_bounded() -> None:
    exist = b"\x08" + bytes(4)
    most = b"\x00" + (LARGEST - 1).to_bytes(2, "little") + exist * (LARGEST - 1)
    assert encode_restriction(decode_restriction(most)) == most
    with pytest.raises(WireError, match="too large"):
        decode_restriction(b"\x00" + LARGEST.to_bytes(2, "little") + exist * LARGEST)
    half = b"\x00" + (LARGEST // 2).to_bytes(2, "little") + exist * (LARGEST // 2)
    with pytest.raises(WireError, match="too large"):
        decode_restriction(b"\x00\x02\x00" + half * 2)
    with pytest.raises(WireError, match="too large"):
        encode_restriction(And((Exist(0),) * LARGEST))


@settings(max_examples=300, deadline=None)
@given(value=RESTRICTIONS, wide=st.booleans())
def test_round_trips(value: Restriction, wide: bool) -> None:
    octets = encode_restriction(value, wide)
    again = decode_restriction(octets, wide)
    assert encode_restriction(again, wide) == octets
    assert again == value or "nan" in repr(value)


def test_walk_and_tags() -> None:
    value = And((Not(VALUES["compare"]), VALUES["recipients"], Comment((), VALUES["bit mask"]), Count(1, Exist(BODY))))
    assert [type(item).__name__ for item in walk(value)] == (
        ["And", "Not", "CompareProperties", "SubObject", "Property", "Comment", "BitMask", "Count", "Exist"]
    )
    assert tags_of(value) == {p.PidTagClientSubmitTime, p.PidTagMessageDeliveryTime, p.PidTagMessageFlags, BODY}


def test_map_tags() -> None:
    def change(tag: int) -> int:
        return tag + 0x10000

    before: list[Any] = [*VALUES.values(), Or(tuple(VALUES.values()))]
    for value in before:
        mapped = map_tags(value, change)
        assert tags_of(mapped) == {change(tag) for tag in tags_of(value)}
        assert map_tags(mapped, lambda tag: tag - 0x10000) == value
    mapped = map_tags(VALUES["content of one of many"], change)
    assert mapped == Content(0, FuzzyHigh.IGNORECASE, 0x8002101F, "r", 0x8002001F)
    commented = map_tags(Comment((TaggedPropertyValue(SUBJECT, "x"),)), change)
    assert commented == Comment((TaggedPropertyValue(change(SUBJECT), "x"),))
