"""LIST patterns: the matcher against a regular expression, and the pattern that hangs other servers."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.imap.wire.pattern import Pattern


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "a/b", True), ("%", "a/b", False), ("%", "a", True), ("%/%", "a/b", True), ("a*", "a/b/c", True),
        ("a%c", "abc", True), ("a%c", "a/c", False), ("*c", "a/b/c", True), ("", "", True), ("", "a", False),
        ("a", "A", False), ("%%", "ab", True), ("%*", "a/b", True), ("*%", "a/b", True), ("a/%", "a/", True),
        ("*/b", "/b", True), ("a*a*a", "aa", False), ("a*a*a", "aaa", True),
    ],
)  # fmt: skip
def test_examples(pattern: str, name: str, fits: bool) -> None:
    assert Pattern(pattern).matches(name) is fits


@given(st.text("ab/%*", max_size=10), st.text("ab/", max_size=10))
def test_like_a_regular_expression(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(c, re.escape(c)) for c in pattern)
    assert Pattern(pattern).matches(name) is bool(re.fullmatch(expression, name))


def test_case_of_inbox() -> None:
    assert Pattern("iNb%").matches("INBOX/sub"[:5], 5)
    assert Pattern("inbox/Sub").matches("INBOX/Sub", 5)
    assert not Pattern("inbox/sub").matches("INBOX/Sub", 5)


def test_no_pattern_takes_long() -> None:
    """`%a%a%a…b` against a long name of the letter a: exponential in matchers that try again."""
    started = time.perf_counter()
    assert not Pattern("%a" * 2000 + "b").matches("a" * 250)
    assert not Pattern("*a" * 2000 + "b").matches("a" * 250)
    assert time.perf_counter() - started < 0.5
