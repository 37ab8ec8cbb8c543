"""Order, equality and conversion of values."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError
from gromoxd.mapi.compare import MISSING, compare, convert, convertible, fold, instances, sort_key
from gromoxd.mapi.types import MULTIPLE
from gromoxd.mapi.types import PropType as P
from tests.mapi.test_values import ANY_VALUE, SINGLE, TEXT

LT, LE, GT, GE, EQ, NE = range(6)


def test_fold() -> None:
    words = [
        "zebra",
        "Äpfel",
        "Apfel",
        "apfelbaum",
        "",
        "ǅungla",
        "straße",
        "STRASSE",
        "Ärger",
        "ｆｕｌｌ",
        "Zoë",
        "zoe",
    ]
    assert sorted(words, key=fold) == [
        "", "Apfel", "Äpfel", "apfelbaum", "Ärger", "ǅungla", "ｆｕｌｌ", "straße", "STRASSE", "zebra", "zoe", "Zoë",
    ]  # fmt: skip
    assert fold("Straße") == fold("STRASSE") == "strasse"
    assert fold("é") == fold("É") == fold("e\u0301")
    assert fold("é") != fold("e")
    assert fold("Ａ") != fold("a")
    assert fold("ΣΑΣ") == fold("σας")
    assert fold("Hello World") == "hello world"


@given(st.text())
def test_fold_is_one_of_a_kind(text: str) -> None:
    assert fold(text) == fold(text)
    assert fold(text.casefold()) == fold(text)


SAMPLES: dict[int, list[Any]] = {
    P.PtypInteger32: [None, -5, 0, 7],
    P.PtypFloating64: [None, float("nan"), float("-inf"), -1.5, 0.0, 2.5, float("inf")],
    P.PtypBoolean: [None, False, True],
    P.PtypString: [None, "", "a", "B", "c"],
    P.PtypString8: [None, b"", b"a", b"B", b"\xe4", b"b\xe4"],
    P.PtypBinary: [None, b"", b"\0", b"\0\0", b"\1", b"\xff"],
    P.PtypGuid: [None, bytes(16), bytes(15) + b"\1", b"\1" + bytes(15)],
    P.PtypTime: [None, 0, 116444736000000000],
    P.PtypInteger32 | MULTIPLE: [None, [], [1], [1, 2], [2]],
    P.PtypString | MULTIPLE: [None, [], ["a"], ["a", "B"], ["B"], ["c", "a"]],
}
SAMPLES[P.PtypString8] = [None, b"", b"a", b"\xe4", b"B", b"b\xe4"]


@pytest.mark.parametrize("kind", SAMPLES)
def test_order(kind: int) -> None:
    ordered = SAMPLES[kind]
    keys = [sort_key(kind, value) for value in ordered]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)
    assert keys[0] == MISSING
    for (i, a), (j, b) in itertools.product(enumerate(ordered[1:]), repeat=2):
        if isinstance(a, list) != isinstance(b, list):
            continue
        found = [compare(relop, kind, a, b) for relop in range(6)]
        assert found == [i < j, i <= j, i > j, i >= j, i == j, i != j], (a, b)


@given(st.data())
def test_total_order(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(sorted(SINGLE)))
    a, b, c = (data.draw(SINGLE[kind]) for _ in range(3))
    keys = [sort_key(kind, value) for value in (a, b, c)]
    assert sorted(keys)[0] <= sorted(keys)[1] <= sorted(keys)[2]
    assert compare(LT, kind, a, b) + compare(GT, kind, a, b) + compare(EQ, kind, a, b) == 1 or a is None
    assert compare(NE, kind, a, b) is not compare(EQ, kind, a, b)


def test_missing_values() -> None:
    assert [compare(relop, P.PtypInteger32, None, 1) for relop in range(6)] == [False] * 5 + [True]
    assert [compare(relop, P.PtypInteger32, 1, None) for relop in range(6)] == [False] * 5 + [True]
    assert [compare(relop, P.PtypInteger32, None, None) for relop in range(6)] == [
        False,
        True,
        False,
        True,
        True,
        False,
    ]


def test_case_and_code_page() -> None:
    assert compare(EQ, P.PtypString, "Straße", "STRASSE")
    assert compare(EQ, P.PtypString8, b"\xc4", b"\xe4")
    assert compare(EQ, P.PtypString8, b"\xc1", b"\xe1", code_page=1253)
    assert not compare(EQ, P.PtypString8, b"\xd7", b"\xf7")
    assert compare(EQ, P.PtypString8, b"\xd7", b"\xf7", code_page=1253)


def test_a_list_and_one_value() -> None:
    kind = P.PtypString | MULTIPLE
    assert compare(EQ, kind, ["Blue", "Red"], "red")
    assert not compare(EQ, kind, ["Blue", "Red"], "green")
    assert compare(NE, kind, ["Blue", "Red"], "red")
    assert not compare(NE, kind, ["Red"], "red")
    assert not compare(GE, kind, [], "a")


def test_other_relations() -> None:
    with pytest.raises(MapiError) as failed:
        compare(6, P.PtypString, "a", "a")
    assert failed.value.code == Ec.ecNotSupported


def test_instances() -> None:
    assert instances([1, 2]) == [1, 2]
    assert instances([]) == [None]
    assert instances(None) == [None]
    assert instances("a") == ["a"]


@pytest.mark.parametrize(
    ("value", "from_type", "to_type", "expected"),
    [
        ("Grüße ☺", P.PtypString, P.PtypString8, b"Gr\xfc\xdfe ?"),
        (b"Gr\xfc\xdfe", P.PtypString8, P.PtypString, "Grüße"),
        (["a", "ä"], P.PtypString | MULTIPLE, P.PtypString8 | MULTIPLE, [b"a", b"\xe4"]),
        (-2, P.PtypInteger16, P.PtypInteger32, -2),
        (-2, P.PtypInteger32, P.PtypInteger16, -2),
        (0xFFFFFFFE, P.PtypInteger64, P.PtypInteger32, -2),
        (5, P.PtypInteger32, P.PtypInteger64, 5),
        (-2147221233, P.PtypInteger32, P.PtypErrorCode, 0x8004010F),
        (0x8004010F, P.PtypErrorCode, P.PtypInteger32, -2147221233),
        (1.5, P.PtypFloating32, P.PtypFloating64, 1.5),
        (b"x", P.PtypObject, P.PtypBinary, b"x"),
        (None, P.PtypString, P.PtypInteger32, None),
        (7, P.PtypInteger32, P.PtypUnspecified, 7),
        ([1], P.PtypInteger16 | MULTIPLE, P.PtypInteger64 | MULTIPLE, [1]),
    ],
)
def test_convert(value: Any, from_type: int, to_type: int, expected: Any) -> None:
    assert convert(value, from_type, to_type) == expected


def test_convert_with_code_page() -> None:
    assert convert("ж", P.PtypString, P.PtypString8, 1251) == b"\xe6"
    assert convert(b"\xe6", P.PtypString8, P.PtypString, 1251) == "ж"
    assert convert(b"\xd0\xb6", P.PtypString8, P.PtypString, 65001) == "ж"


@pytest.mark.parametrize(
    ("value", "from_type", "to_type"),
    [
        ("1", P.PtypString, P.PtypInteger32),
        (1, P.PtypInteger32, P.PtypBoolean),
        (1, P.PtypInteger32, P.PtypString),
        ("a", P.PtypString, P.PtypString | MULTIPLE),
        (["a"], P.PtypString | MULTIPLE, P.PtypString8),
        (1 << 15, P.PtypInteger32, P.PtypInteger16),
        (1 << 32, P.PtypInteger64, P.PtypInteger32),
        (-(1 << 31) - 1, P.PtypInteger64, P.PtypInteger32),
        (1, P.PtypInteger32, 0x0099),
    ],
)
def test_what_cannot_be_converted(value: Any, from_type: int, to_type: int) -> None:
    with pytest.raises(MapiError) as failed:
        convert(value, from_type, to_type)
    assert failed.value.code == Ec.ecInvalidParam


@given(ANY_VALUE)
def test_same_type_is_left_alone(typed: tuple[int, Any]) -> None:
    kind, value = typed
    assert convertible(kind, kind)
    assert convert(value, kind, kind) is value


@given(TEXT)
def test_utf8_strings_survive(text: str) -> None:
    octets = convert(text, P.PtypString, P.PtypString8, 65001)
    assert convert(octets, P.PtypString8, P.PtypString, 65001) == text
