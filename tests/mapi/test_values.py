"""Property values, lists and names on the wire: octets from the documents, both directions, and round trips."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.proptags import PidTagChangeKey, PidTagNormalizedSubject, PidTagSubject, PidTagSubjectPrefix
from gromoxd.mapi.types import MULTIPLE, PYTHON
from gromoxd.mapi.types import PropType as P
from gromoxd.mapi.values import (
    FIXED_SIZES,
    LONGEST_NARROW,
    PropertyProblem,
    TaggedPropertyValue,
    TypedPropertyValue,
    TypedString,
    decode_tags,
    encode_tagged,
    encode_tags,
    read_tagged,
    read_value,
    register_nested,
    value_size,
    whole,
    write_value,
    writer_of,
)
from tests.mapi.structures.values import GUID, NARROW, TAGGED_TWO, TAGS_THREE, WIDE, value

EXPECTED: dict[int, list[Any]] = {
    P.PtypNull: [None],
    P.PtypInteger16: [-2],
    P.PtypInteger32: [0x01020304, -1],
    P.PtypFloating32: [1.5],
    P.PtypFloating64: [1.5],
    P.PtypCurrency: [10_000],
    P.PtypFloatingTime: [5.25],
    P.PtypErrorCode: [0x8004010F],
    P.PtypBoolean: [True, False],
    P.PtypInteger64: [0x321FF10000000001],
    P.PtypString8: [b"Hi", b""],
    P.PtypString: ["Hi", "\U0001f600", ""],
    P.PtypTime: [116444736000000000],
    P.PtypGuid: [GUID],
    P.PtypServerId: [bytes.fromhex("010100000000f11f320100000000f188bd00000000"), b"\x00\xab\xcd"],
    P.PtypBinary: [b"\x0a\x0b\x0c", b""],
    P.PtypObject: [b"\x7f"],
    P.PtypInteger16 | MULTIPLE: [[1, -2], []],
    P.PtypInteger32 | MULTIPLE: [[1, -2]],
    P.PtypFloating32 | MULTIPLE: [[1.5]],
    P.PtypFloating64 | MULTIPLE: [[1.5]],
    P.PtypCurrency | MULTIPLE: [[10_000]],
    P.PtypFloatingTime | MULTIPLE: [[5.25]],
    P.PtypErrorCode | MULTIPLE: [[0x8004010F]],
    P.PtypBoolean | MULTIPLE: [[True, False, True]],
    P.PtypInteger64 | MULTIPLE: [[0x321FF10000000001]],
    P.PtypString8 | MULTIPLE: [[b"Hi", b""]],
    P.PtypString | MULTIPLE: [["Hi", ""]],
    P.PtypTime | MULTIPLE: [[116444736000000000]],
    P.PtypGuid | MULTIPLE: [[GUID, GUID]],
    P.PtypServerId | MULTIPLE: [[b"\x00\xab\xcd"]],
    P.PtypBinary | MULTIPLE: [[b"\1\2", b"", b"\xff"]],
}

EXPECTED_WIDE: dict[int, list[Any]] = {
    P.PtypBinary: [b"\x0a\x0b\x0c"],
    P.PtypObject: [b""],
    P.PtypServerId: [b"\x00\xab\xcd"],
    P.PtypBinary | MULTIPLE: [[b"\1\2", b""]],
    P.PtypString | MULTIPLE: [["Hi"]],
}

INTEGERS = {P.PtypInteger16: 16, P.PtypInteger32: 32, P.PtypInteger64: 64, P.PtypCurrency: 64, P.PtypTime: 64}
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=40)
SINGLE: dict[int, st.SearchStrategy[Any]] = {
    **{kind: st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) for kind, bits in INTEGERS.items()},
    P.PtypNull: st.none(),
    P.PtypFloating32: st.floats(width=32, allow_nan=False),
    P.PtypFloating64: st.floats(allow_nan=False),
    P.PtypFloatingTime: st.floats(allow_nan=False),
    P.PtypErrorCode: st.integers(0, 0xFFFFFFFF),
    P.PtypBoolean: st.booleans(),
    P.PtypString8: st.binary(max_size=40).map(lambda octets: octets.replace(b"\0", b"")),
    P.PtypString: TEXT,
    P.PtypGuid: st.binary(min_size=16, max_size=16),
    P.PtypServerId: st.binary(max_size=40),
    P.PtypBinary: st.binary(max_size=300),
    P.PtypObject: st.binary(max_size=300),
}
NEVER_MANY = (P.PtypNull, P.PtypObject)
ANY_VALUE = st.one_of(
    *[st.tuples(st.just(int(kind)), one) for kind, one in SINGLE.items()],
    *[
        st.tuples(st.just(kind | MULTIPLE), st.lists(one, max_size=6))
        for kind, one in SINGLE.items()
        if kind not in NEVER_MANY
    ],
)


@pytest.mark.parametrize("kind", NARROW)
def test_golden(kind: int) -> None:
    assert len(NARROW[kind]) == len(EXPECTED[kind])
    for text, expected in zip(NARROW[kind], EXPECTED[kind], strict=True):
        octets = bytes.fromhex(text)
        found = value(octets, kind, wide=False)
        assert found == expected
        assert type(found) is type(expected)
        assert write_value(kind, expected) == octets


@pytest.mark.parametrize("kind", WIDE)
def test_golden_wide(kind: int) -> None:
    for text, expected in zip(WIDE[kind], EXPECTED_WIDE[kind], strict=True):
        assert value(bytes.fromhex(text), kind, wide=True) == expected
        assert write_value(kind, expected, wide=True) == bytes.fromhex(text)


def test_all_types_are_known() -> None:
    singles = {P.PtypRestriction, P.PtypRuleAction, P.PtypNull, P.PtypObject}
    assert {kind for kind in NARROW if not kind & MULTIPLE} == set(PYTHON) - {P.PtypRestriction, P.PtypRuleAction}
    assert {kind & ~MULTIPLE for kind in NARROW if kind & MULTIPLE} == set(PYTHON) - singles
    assert FIXED_SIZES[P.PtypGuid] == 16


@given(ANY_VALUE, st.booleans())
def test_round_trip(typed: tuple[int, Any], wide: bool) -> None:
    kind, expected = typed
    octets = write_value(kind, expected, wide)
    assert value(octets, kind, wide) == expected
    assert write_value(kind, value(octets, kind, wide), wide) == octets  # type: ignore[arg-type]
    cursor = Cursor(octets + b"tail")
    read_value(cursor, kind, wide)
    assert cursor.rest() == b"tail"


def test_bits_of_unsigned_numbers() -> None:
    assert write_value(P.PtypInteger32, 0xFFFFFFFE) == b"\xfe\xff\xff\xff"
    assert write_value(P.PtypInteger16, 0x8000) == b"\x00\x80"
    assert write_value(P.PtypInteger64 | MULTIPLE, [1 << 63]) == bytes.fromhex("01000000 0000000000000080")
    with pytest.raises(WireError):
        write_value(P.PtypInteger32, 1 << 32)
    with pytest.raises(WireError):
        write_value(P.PtypInteger16, -0x8001)


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (P.PtypInteger32, "1"),
        (P.PtypInteger32, None),
        (P.PtypFloating32, 1e300),
        (P.PtypBoolean, 2),
        (P.PtypNull, 0),
        (P.PtypString, b"x"),
        (P.PtypString8, "x"),
        (P.PtypBinary, "x"),
        (P.PtypBinary, None),
        (P.PtypGuid, bytes(15)),
        (P.PtypGuid | MULTIPLE, [bytes(17)]),
        (P.PtypTime | MULTIPLE, 5),
        (P.PtypRestriction, "x"),
        (0x0099, b""),
        (P.PtypUnspecified, b""),
        (P.PtypRestriction | MULTIPLE, [b""]),
    ],
)
def test_what_cannot_be_written(kind: int, wrong: Any) -> None:
    with pytest.raises(WireError):
        write_value(kind, wrong)


def test_longest_binary() -> None:
    octets = bytes(LONGEST_NARROW)
    assert write_value(P.PtypBinary, octets)[:2] == b"\xff\xff"
    with pytest.raises(WireError):
        write_value(P.PtypBinary, octets + b"\0")
    assert write_value(P.PtypBinary, octets + b"\0", wide=True)[:4] == b"\x00\x00\x01\x00"


def test_what_cannot_be_read() -> None:
    for kind in (0x0099, P.PtypUnspecified, P.PtypNull | MULTIPLE, P.PtypString | 0x2000):
        with pytest.raises(WireError, match="unknown type"):
            read_value(Cursor(bytes(40)), kind)
    with pytest.raises(WireError, match="announced"):
        value(bytes.fromhex("ffffffff 0000"), P.PtypString | MULTIPLE, wide=False)
    with pytest.raises(WireError, match="announced"):
        value(bytes.fromhex("00000080 01000000"), P.PtypInteger32 | MULTIPLE, wide=False)
    with pytest.raises(WireError) as failed:
        value(b"\5\0ab", P.PtypBinary, wide=False)
    assert failed.value.offset == 2


def test_a_nul_ends_strings() -> None:
    assert write_value(P.PtypString, "a\0b") == b"a\0\0\0"
    assert write_value(P.PtypString8, b"a\0b") == b"a\0"


def test_tagged_values() -> None:
    bag = {PidTagSubjectPrefix: "", PidTagNormalizedSubject: "Hello World"}
    assert whole(lambda cursor: read_tagged(cursor, 2), TAGGED_TWO) == bag
    assert encode_tagged(bag) == TAGGED_TWO
    one = TaggedPropertyValue(PidTagSubjectPrefix, "")
    assert TaggedPropertyValue.decode(TAGGED_TWO[:6]) == one
    assert one.encode() == TAGGED_TWO[:6]
    wide = TaggedPropertyValue(0x0E990102, b"\1")
    assert wide.encode(wide=True) == bytes.fromhex("0201990e 01000000 01")
    assert TaggedPropertyValue.decode(wide.encode(wide=True), wide=True) == wide
    error = bytes.fromhex("0a003700 0f010480")
    assert whole(lambda cursor: read_tagged(cursor, 2), error + TAGGED_TWO[:6]) == {PidTagSubjectPrefix: ""}
    with pytest.raises(WireError, match="announced"):
        read_tagged(Cursor(TAGGED_TWO), 60_000)


def test_typed_value() -> None:
    typed = TypedPropertyValue(P.PtypBinary, b"\7")
    assert typed.encode() == bytes.fromhex("0201 0100 07")
    assert typed.encode(wide=True) == bytes.fromhex("0201 01000000 07")
    assert TypedPropertyValue.decode(typed.encode()) == typed
    assert TypedPropertyValue.decode(typed.encode(wide=True), wide=True) == typed


def test_tags() -> None:
    tags = [0x863E000B, 0x863F0003, PidTagChangeKey]
    assert decode_tags(TAGS_THREE) == tags
    assert encode_tags(tags) == TAGS_THREE
    assert encode_tags([]) == b"\0\0"
    with pytest.raises(WireError):
        encode_tags([PidTagSubject] * 0x10000)
    with pytest.raises(WireError):
        decode_tags(TAGS_THREE + b"\0")


def test_problem() -> None:
    problem = PropertyProblem(2, PidTagSubject, 0x80040102)
    assert problem.encode() == bytes.fromhex("0200 1f003700 02010480")
    assert PropertyProblem.decode(problem.encode()) == problem


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        (b"\0", None),
        (b"\1", ""),
        (b"\2\xe9\0", b"\xe9"),
        (b"\3H\xe9\0", "Hé"),
        (b"\4" + "☺".encode("utf-16-le") + b"\0\0", "☺"),
    ],
)
def test_typed_string(octets: bytes, text: str | bytes | None) -> None:
    assert TypedString.decode(octets) == TypedString(text)
    assert TypedString(text).encode() == octets


def test_odd_typed_strings() -> None:
    assert TypedString.decode(b"\4" + "Hé".encode("utf-16-le") + b"\0\0") == TypedString("Hé")
    assert TypedString(b"").encode() == b"\1"
    for wrong in (b"", b"\5", b"\3H", b"\0\0"):
        with pytest.raises(WireError):
            TypedString.decode(wrong)


@given(st.one_of(st.none(), TEXT))
def test_typed_string_round_trip(text: str | None) -> None:
    assert TypedString.decode(TypedString(text).encode()).text == text


def test_sizes() -> None:
    assert value_size(P.PtypString, "Hé\U0001f600") == 2 * 4 + 2
    assert value_size(P.PtypString, "Hi") == 6
    assert value_size(P.PtypBinary, b"abc") == 3
    assert value_size(P.PtypTime, 5) == 8
    assert value_size(P.PtypBoolean, True) == 1
    assert value_size(P.PtypString | MULTIPLE, ["a", "bc"]) == 10
    assert value_size(P.PtypInteger16 | MULTIPLE, [1, 2, 3]) == 6
    assert value_size(P.PtypString, None) == 0


def test_nested_structures_are_raw_and_do_not_nest() -> None:
    """The real readers register themselves; this one takes a count and so many values of any type."""
    from gromoxd.mapi import values

    kind = P.PtypRuleAction
    before = values._skips.get(kind)

    def skip(cursor: Cursor, wide: bool) -> None:
        inner = cursor.region(cursor.u8())
        while inner.left:
            TypedPropertyValue.read(inner, wide)

    register_nested(kind, skip)
    try:
        raw = bytes.fromhex("05 0201 0100 07")
        assert value(raw, kind, wide=False) == raw
        assert write_value(kind, raw) == raw
        assert value(bytes.fromhex("07 0201 01000000 07"), kind, wide=True)[0] == 7  # type: ignore[index]
        cursor = Cursor(raw + b"tail")
        read_value(cursor, kind)
        assert cursor.rest() == b"tail"
        within = struct.pack("<BH", 2 + len(raw), kind) + raw
        with pytest.raises(WireError, match="within another"):
            value(within, kind, wide=False)
    finally:
        if before is None:
            del values._skips[kind]
        else:
            register_nested(kind, before)


def test_writers_for_rows() -> None:
    writer = writer_of(P.PtypInteger32)
    assert writer is not None
    assert writer(1) == b"\1\0\0\0"
    assert writer_of(0x0099) is None
