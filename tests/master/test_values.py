"""The value syntax of configuration files."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.values import parse, render


def meta(
    kind: str, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> dict[str, Any]:
    return {"kind": kind, "low": low, "high": high, "choices": choices}


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("int", "0", 0), ("int", "-12", -12), ("int", "+7", 7), ("int", "0042", 42),
        ("size", "0", 0), ("size", "512", 512), ("size", "64M", 67108864), ("size", "1.5k", 1536),
        ("size", "2 GiB", 2 << 30),
        ("size", "3T", 3 << 40), ("size", "4095M", 4095 << 20), ("size", "1kb", 1024),
        ("span", "0", 0.0), ("span", "90", 90.0), ("span", "0.5s", 0.5), ("span", "3min", 180.0),
        ("span", "1h30min", 5400.0),
        ("span", "1d 2h 3m 4s", 93784.0), ("span", "250ms", 0.25), ("span", "2 weeks", 1209600.0),
        ("span", "1year", 31557600.0),
        ("span", "1month", 2629800.0), ("span", "10 us", 1e-05),
        ("bool", "", False), ("bool", "no", False), ("bool", "OFF", False),
        ("bool", "False", False), ("bool", "0", False),
        ("bool", "yes", True), ("bool", "on", True), ("bool", "TRUE", True), ("bool", "1", True),
        ("str", "a = b # c", "a = b # c"),
        ("list", "", []), ("list", "[::]:143, 127.0.0.1:144  unix:/x", ["[::]:143", "127.0.0.1:144", "unix:/x"]),
    ],
)  # fmt: skip
def test_values(kind: str, text: str, value: Any) -> None:
    assert parse(text, meta(kind)) == pytest.approx(value)


@pytest.mark.parametrize(
    ("kind", "text", "why"),
    [
        ("int", "", "whole number"), ("int", "1.5", "whole number"),
        ("int", "0x10", "whole number"), ("int", "１", "whole"),
        ("int", "9" * 30, "whole number"),
        ("size", "", "size"), ("size", "-1", "size"), ("size", "5X", "size"), ("size", "16E", "too large"),
        ("size", "9" * 19, "too large"), ("size", "9" * 400, "size"), ("size", "9" * 400 + ".5", "size"),
        ("span", "", "time span"), ("span", "fast", "time span"),
        ("span", "5 parsecs", "time span"), ("span", "-1s", "time span"),
        ("span", "1h x", "time span"), ("span", "9" * 400, "time span"),
        ("bool", "fasle", "neither yes nor no"), ("bool", "2", "neither yes nor no"),
    ],
)  # fmt: skip
def test_bad_values(kind: str, text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(text, meta(kind))


def test_limits_are_told_as_a_person_would_write_them() -> None:
    assert parse("1k", meta("size", 1024, 2048)) == 1024
    with pytest.raises(ValueError, match="below the least value 1K"):
        parse("1023", meta("size", 1024))
    with pytest.raises(ValueError, match="above the greatest value 1h"):
        parse("61min", meta("span", high=3600))
    with pytest.raises(ValueError, match="is none of text, json"):
        parse("xml", meta("str", choices=("text", "json")))


@given(st.integers(0, (1 << 63) - 1))
def test_sizes_survive_rendering(value: int) -> None:
    assert parse(render(value, "size"), meta("size")) == value


@given(st.integers(0, 10**7))
def test_spans_survive_rendering(milliseconds: int) -> None:
    assert parse(render(milliseconds / 1000, "span"), meta("span")) == pytest.approx(milliseconds / 1000, rel=1e-5)


@given(st.text())
def test_any_text_gives_a_value_or_a_value_error(text: str) -> None:
    for kind in ("int", "size", "span", "bool", "list"):
        try:
            parse(text, meta(kind))
        except ValueError as error:
            assert str(error)
