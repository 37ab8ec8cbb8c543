"""Fields and RFC 2047."""

from __future__ import annotations

import time

import pytest

from gromoxd.convert.charsets import codec_of, codepage, decode
from gromoxd.convert.headers import decode_header, field_map, get_field, unfold_fields


def test_unfolding() -> None:
    header = b"Subject: a\r\n b\r\n\tc\r\nX-Empty:\r\nX-Space : v  \r\nno colon\r\n: no name\r\nTo:x\r\n\r\n"
    assert unfold_fields(header) == [
        (b"Subject", b"a b\tc"),
        (b"X-Empty", b""),
        (b"X-Space", b"v"),
        (b"To", b"x"),
    ]


def test_unfolding_of_bare_lf() -> None:
    assert unfold_fields(b"A: b\n c\nD: e\n\n") == [(b"A", b"b c"), (b"D", b"e")]


def test_field_map_takes_the_first_and_joins_recipients() -> None:
    header = b"SUBJECT: one\r\nSubject: two\r\nTo: a@x\r\nTo: b@x\r\nX-Y : z\r\n"
    assert field_map(header) == {b"subject": b"one", b"to": b"a@x, b@x", b"x-y": b"z"}


def test_get_field() -> None:
    assert get_field(b"A: b\r\nC : d\r\n e\r\n\r\n", b"c") == b"d e"
    assert get_field(b"A: b\r\n\r\n", b"c") is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"plain", "plain"),
        (b"", ""),
        (b"=?utf-8?B?w6Q=?=", "ä"),
        (b"=?utf-8?b?w6Q?=", "ä"),
        (b"=?ISO-8859-1?Q?a_=E4?= b", "a ä b"),
        (b"x =?utf-8?q?=C3=A4?=  =?utf-8?q?=C3=B6?= y", "x äö y"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
        (b"=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€"),
        (b"a=?utf-8?q?=C3=A4?=b", "aäb"),
        (b"=?utf-8*de?q?=C3=A4?=", "ä"),
        (b"=?us-ascii?q?=C3=A4?=", "ä"),
        (b"=?x-unheard-of?q?=C3=A4?=", "ä"),
        (b"=?x-unheard-of?q?=E4?=", "ä"),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?ks_c_5601-1987?B?x9Gx2w==?=", "한글"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?windows-1252?q?=80?=", "€"),
        (b"=?iso-8859-1?q?=93?=", "\u201c"),
        (b"=?unicode?q?=C3=A4?=", "ä"),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?B?A?=", "=?utf-8?B?A?="),
        (b"=??q?a?=", "=??q?a?="),
        (b"caf\xc3\xa9", "café"),
        (b"caf\xe9", "café"),
        (b"a\x00b", "ab"),
        (b"=?utf-8?q?a=00b?=", "ab"),
        (b"=?utf-8?q?with space?=", "with space"),
    ],
)
def test_decode_header(value: bytes, expected: str) -> None:
    assert decode_header(value) == expected


def test_charsets_of_strangers_are_not_looked_up() -> None:
    for name in ("punycode", "idna", "unicode_escape", "rot13", "hex", "undefined", "os", "../x", "a\x00b", ""):
        assert codec_of(name) is None
        assert decode(b"abc", name) == "abc"


def test_utf7_cannot_smuggle_surrogates() -> None:
    assert "\ud800" not in decode(b"+2AA-", "utf-7")
    decode(b"+2AA-", "utf-7").encode()


@pytest.mark.parametrize(
    ("charset", "page"),
    [
        ("utf-8", 65001), ("US-ASCII", 20127), ("iso-8859-1", 28591), ("ISO-8859-15", 28605), ("windows-1251", 1251),
        ("koi8-r", 20866), ("gb2312", 936), ("iso-2022-jp", 50220), ("shift_jis", 932), ("x-nothing", 0),
        ("iso-8859-x", 0), ("big5", 950),
    ],
)  # fmt: skip
def test_codepage(charset: str, page: int) -> None:
    assert codepage(charset) == page


@pytest.mark.parametrize(
    "value",
    [b"=?a?q?" * 40_000, b"=?" * 100_000, b"=?utf-8?q??= " * 20_000, b"=?x%d?q?a?= " * 20_000,
     b"=?utf-8?B?" + b"A" * 250_000],
)  # fmt: skip
def test_decoding_is_linear(value: bytes) -> None:
    start = time.perf_counter()
    decode_header(value)
    assert time.perf_counter() - start < 0.5
