"""Property rows: the documents' examples, flags, and what cannot be sent."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.proptags import PidTagChangeKey, PidTagImportance, PidTagSubject
from gromoxd.mapi.rows import (
    NO_MEMORY,
    NOT_FOUND,
    Cell,
    FlaggedPropertyValue,
    FlaggedPropertyValueWithType,
    RowCodec,
    column_type,
    decode_row,
    encode_row,
    read_row,
    row_codec,
)
from gromoxd.mapi.types import PropType as P
from gromoxd.mapi.values import PropError, TypedPropertyValue
from tests.mapi.structures.values import COLUMNS, ROW_NOT_FOUND, ROW_RULE, RULE_COLUMNS
from tests.mapi.test_values import ANY_VALUE

CATEGORY: list[Cell] = [0x321FF10000000001, NOT_FOUND, -0x42770EFFFFFFFFFF, 0, 3, 0, NOT_FOUND, NOT_FOUND, NOT_FOUND]
RULE: list[Cell] = [0x56F83F0100000001, bytes.fromhex("01000000010000005555 5555d144e340"), "Project X"]
ANYTHING = 0x00370000
"""A column of PtypUnspecified."""


@pytest.mark.parametrize(
    ("octets", "columns", "row"), [(ROW_NOT_FOUND, COLUMNS, CATEGORY), (ROW_RULE, RULE_COLUMNS, RULE)]
)
def test_golden(octets: bytes, columns: tuple[int, ...], row: list[Cell]) -> None:
    assert decode_row(octets, columns) == row
    assert encode_row(columns, row) == octets
    cursor = Cursor(octets * 2)
    assert read_row(cursor, columns) == read_row(cursor, columns) == row
    assert cursor.left == 0


def test_what_is_not_there_is_not_found() -> None:
    missing = [None if value == NOT_FOUND else value for value in CATEGORY]
    assert encode_row(COLUMNS, missing) == ROW_NOT_FOUND
    assert PropError(Ec.ecNotFound) == NOT_FOUND
    assert decode_row(b"\1\1", [PidTagSubject]) == [None]


def test_null_is_a_value() -> None:
    assert encode_row([0x00010001], [None]) == b"\0"
    assert decode_row(b"\0", [0x00010001]) == [None]
    assert encode_row([0x00010001, PidTagImportance], [None, None]) == bytes.fromhex("01 00 0a0f010480")


def test_unspecified_columns() -> None:
    columns = (ANYTHING, PidTagImportance, ANYTHING)
    text = TypedPropertyValue(P.PtypString, "a")
    plain = bytes.fromhex("00 1f00 61000000 01000000 0300 07000000")
    assert encode_row(columns, [text, 1, TypedPropertyValue(P.PtypInteger32, 7)]) == plain
    assert decode_row(plain, columns) == [text, 1, TypedPropertyValue(P.PtypInteger32, 7)]
    flagged = bytes.fromhex("01 1f00 00 61000000 00 01000000 0a00 0a 0f010480")
    assert encode_row(columns, [text, 1, None]) == flagged
    assert encode_row(columns, [text, 1, NOT_FOUND]) == flagged
    assert decode_row(flagged, columns) == [text, 1, NOT_FOUND]
    with pytest.raises(WireError):
        encode_row(columns, ["a", 1, NOT_FOUND])


def test_too_long_for_a_row() -> None:
    big = bytes(0x10000)
    assert encode_row([PidTagChangeKey], [big]) == bytes.fromhex("01 0a 0e000780")
    assert encode_row([0x00011102], [[b"", big]]) == bytes.fromhex("01 0a 0e000780")
    unspecified = encode_row([ANYTHING], [TypedPropertyValue(P.PtypBinary, big)])
    assert unspecified == bytes.fromhex("01 0201 0a 0e000780")
    assert decode_row(unspecified, [ANYTHING]) == [NO_MEMORY]


def test_instances_of_multi_value_columns() -> None:
    assert column_type(0x8000301F) == P.PtypString
    assert column_type(0x8000101F) == 0x101F
    assert encode_row([0x8000301F], ["a"]) == bytes.fromhex("00 61000000")


def test_types_that_nobody_knows() -> None:
    assert encode_row([0x00370099, PidTagImportance], [NOT_FOUND, 1]) == bytes.fromhex("01 0a0f010480 00 01000000")
    with pytest.raises(WireError):
        encode_row([0x00370099], [1])
    with pytest.raises(WireError):
        decode_row(b"\0", [0x00370099])


@pytest.mark.parametrize("wrong", ["1", b"", 1.5, [1], 1 << 40])
def test_values_of_other_types(wrong: Any) -> None:
    with pytest.raises(WireError):
        encode_row([PidTagImportance], [wrong])
    with pytest.raises(WireError):
        encode_row([PidTagImportance, PidTagImportance], [wrong, None])


def test_shape() -> None:
    with pytest.raises(WireError, match="values for"):
        encode_row(COLUMNS, CATEGORY[:-1])
    for octets in (b"", b"\2\0", b"\1\2", ROW_NOT_FOUND + b"\0"):
        with pytest.raises(WireError):
            decode_row(octets, COLUMNS)


def test_codecs_are_kept_unless_huge() -> None:
    assert row_codec(COLUMNS) is row_codec(COLUMNS)
    many = (PidTagImportance,) * 300
    assert row_codec(many) is not row_codec(many)
    assert RowCodec(many).encode([1] * 300)[-4:] == b"\1\0\0\0"


@given(st.lists(st.tuples(ANY_VALUE, st.sampled_from(("value", "error", "typed"))), max_size=8))
def test_round_trip(cells: list[tuple[tuple[int, Any], str]]) -> None:
    columns = [kind if how != "typed" else 0 for (kind, _), how in cells]
    row: list[Cell] = [
        {"value": value, "error": PropError(0x80070005), "typed": TypedPropertyValue(kind, value)}[how]
        for (kind, value), how in cells
    ]
    octets = encode_row(columns, row)
    assert decode_row(octets, columns) == row
    assert octets[0] == (1 if any(how == "error" for _, how in cells) else 0)


def test_flagged_values() -> None:
    for octets, value in (("00 07000000", 7), ("01", None), ("0a 0f010480", NOT_FOUND)):
        flagged = FlaggedPropertyValue(value)  # type: ignore[arg-type]
        assert FlaggedPropertyValue.decode(bytes.fromhex(octets), P.PtypInteger32) == flagged
        assert flagged.encode(P.PtypInteger32) == bytes.fromhex(octets)
        typed = FlaggedPropertyValueWithType(P.PtypInteger32, value)  # type: ignore[arg-type]
        assert FlaggedPropertyValueWithType.decode(b"\3\0" + bytes.fromhex(octets)) == typed
        assert typed.encode() == b"\3\0" + bytes.fromhex(octets)
    with pytest.raises(WireError, match="flag"):
        FlaggedPropertyValue.decode(b"\5", P.PtypInteger32)
