"""Decoded text of text parts, and folding."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.convert.mime import encode, scan
from gromoxd.convert.searchtext import MAX_PART_OCTETS, body_text, fold
from tests.convert.samples import MIXED


def texts(raw: bytes) -> list[str]:
    return list(body_text(raw, encode(scan(raw))))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"\r\nplain", ["plain"]),
        (b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xc3\xa4", ["ä"]),
        (b"Content-Type: text/plain; charset=iso-8859-1\r\n\r\n\xe4", ["ä"]),
        (b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=C3=A4 soft=\r\n break", ["ä soft break"]),
        (b"Content-Transfer-Encoding: base64\r\n\r\nw6Qg\r\n!w7Y\r\n", ["ä ö"]),
        (b"Content-Transfer-Encoding: base64\r\n\r\nw6Qgw", ["ä "]),
        (b"Content-Transfer-Encoding: base64\r\n\r\n\r\n", [""]),
        (b"Content-Type: text/html\r\n\r\n<p>&auml;&#246; a & b</p>", ["<p>äö a & b</p>"]),
        (b"Content-Type: text/plain; charset=x-none\r\n\r\n\xff", ["ÿ"]),
        (b"Content-Type: image/png\r\n\r\nabc", []),
    ],
)
def test_body_text(raw: bytes, expected: list[str]) -> None:
    assert texts(raw) == expected


def test_embedded_messages_are_searched_too() -> None:
    assert texts(MIXED) == ["plain", "<p>html</p>", "deep text"]


def test_each_part_is_bounded() -> None:
    (text,) = texts(b"\r\n" + b"x" * (MAX_PART_OCTETS + 100))
    assert len(text) == MAX_PART_OCTETS


def test_large_base64_is_decoded_whole() -> None:
    plain = b"0123456789abcde\r\n" * 40_000
    (text,) = texts(b"Content-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(plain))
    assert text.encode() == plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ABC", "abc"), ("ÄÖ", "äö"), ("Straße", "strasse"), ("STRASSE", "strasse"), ("ﬁx", "fix"), ("ＡＢ", "ab"),
     ("é", "é"), ("é", "é"), ("ΣΑΣ", "σασ"), ("İ", "i̇")],
)  # fmt: skip
def test_fold(text: str, expected: str) -> None:
    assert fold(text) == expected


@given(st.text())
def test_fold_is_idempotent(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(alphabet=st.characters(codec="utf-8")), st.text(alphabet="abcXYZäÖ "))
def test_a_found_substring_stays_found(text: str, needle: str) -> None:
    assert fold(needle) in fold(text + " " + needle + " ")


def test_references_of_thousands_of_digits() -> None:
    """Python reads no such number: one mail made each search of its folder fail."""
    raw = b"Content-Type: text/html\r\n\r\na&#" + b"1" * 5000 + b";b&#0000065;&#" + b"0" * 90 + b"66;"
    (text,) = body_text(raw, encode(scan(raw)))
    assert text == "a\ufffdbAB"
