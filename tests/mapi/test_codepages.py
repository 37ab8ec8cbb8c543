"""Code pages and language numbers."""

from __future__ import annotations

import codecs
import locale
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.convert.charsets import codec_of as codec_of_charset
from gromoxd.convert.charsets import codepage
from gromoxd.mapi import codepages, lcids
from gromoxd.mapi.codepages import CODE_PAGES, ansi_code_page, charset_of, code_page_of, codec_of, decode, encode
from gromoxd.mapi.lcids import language_tag, lcid_of, specific


def test_every_codec_exists() -> None:
    assert len(CODE_PAGES) > 90
    for number, page in CODE_PAGES.items():
        assert page.number == number
        codecs.lookup(page.codec)
        assert encode("Az 09", number).decode(page.codec) == "Az 09"


@pytest.mark.parametrize(
    ("number", "codec", "charset"),
    [
        (437, "cp437", "IBM437"),
        (932, "cp932", "shift_jis"),
        (1200, "utf_16_le", "utf-16"),
        (1251, "cp1251", "windows-1251"),
        (20127, "ascii", "us-ascii"),
        (20866, "koi8_r", "koi8-r"),
        (28605, "iso8859_15", "iso-8859-15"),
        (50220, "iso2022_jp_2", "iso-2022-jp"),
        (65001, "utf_8", "utf-8"),
        (4711, None, None),
    ],
)
def test_pages(number: int, codec: str | None, charset: str | None) -> None:
    assert codec_of(number) == codec
    assert charset_of(number) == charset
    if codec:
        assert code_page_of(codec) == number
        assert charset is not None
        assert codepage(charset) == number


def test_codecs_without_a_page() -> None:
    assert code_page_of("cp856") == 0
    assert code_page_of("nothing") == 0
    assert code_page_of("shift_jis") == 932


def test_charset_names_are_those_of_mail() -> None:
    """A name that mail decoding knows is decoded by a codec that has the same page."""
    known = [page for page in CODE_PAGES.values() if codec_of_charset(page.charset)]
    assert len(known) > 70
    for name in ("utf-8", "iso-8859-1", "windows-1252", "gb2312", "big5", "euc-kr", "koi8-u"):
        assert codec_of(codepage(name)) is not None


def test_decode_and_encode() -> None:
    assert decode(b"\x80\xe4", 1252) == "€ä"
    assert encode("€ä☺", 1252) == b"\x80\xe4?"
    assert decode(b"\xe4", 4711) == "ä"
    assert encode("ä", 4711) == b"\xe4"
    assert decode(b"\xff\xfe", 65001) == "\ufffd\ufffd"
    assert decode(b"+2AA-", 65000) == "?"
    assert encode("a\ud800", 65001) == b"a?"
    assert decode("日本".encode("cp932"), 932) == "日本"


@given(st.binary(max_size=60), st.text(max_size=40), st.sampled_from(sorted(CODE_PAGES)))
def test_never_fails(octets: bytes, text: str, number: int) -> None:
    decode(octets, number).encode()
    assert isinstance(encode(text, number), bytes)


def test_ansi_code_pages() -> None:
    found = {tag: ansi_code_page(lcid_of(tag) or 0) for tag in ("en-US", "de-DE", "ru-RU", "ja-JP", "zh-CN", "zh-TW")}
    assert found == {"en-US": 1252, "de-DE": 1252, "ru-RU": 1251, "ja-JP": 932, "zh-CN": 936, "zh-TW": 950}
    assert ansi_code_page(lcid_of("sr-Cyrl-RS") or 0) == 1251
    assert ansi_code_page(lcid_of("sr-Latn-RS") or 0) == 1250
    assert ansi_code_page(0x0409) == ansi_code_page(0) == 1252
    assert all(ansi_code_page(number) in CODE_PAGES for number in range(0x10000))


@pytest.mark.parametrize(
    ("tag", "number"),
    [
        ("en-US", 0x0409),
        ("en_us", 0x0409),
        ("de_AT.UTF-8", 0x0C07),
        ("de", 0x0007),
        ("de-XX", 0x0007),
        ("pt_BR", 0x0416),
        ("sr_RS@latin", 0x241A),
        ("sr_RS@cyrillic", 0x281A),
        ("ca_ES@valencia", 0x0803),
        ("de_DE@euro", 0x0407),
        ("zh-Hant-TW", 0x7C04),
        ("xx-YY", None),
        ("", None),
        ("C", None),
        ("-" * 1000, None),
    ],
)
def test_language_numbers(tag: str, number: int | None) -> None:
    assert lcid_of(tag) == number


def test_language_tags() -> None:
    assert language_tag(0x0409) == "en-US"
    assert language_tag(0x00010407) == "de-DE"
    assert language_tag(0x1000) is None
    assert len(lcids._TAGS) > 400
    for number, tag in lcids._TAGS.items():
        assert lcid_of(tag) == number, tag


def test_with_a_region() -> None:
    found = {tag: language_tag(specific(lcid_of(tag) or 0)) for tag in ("de", "en", "nb", "zh", "es", "ga", "sr-Latn")}
    assert found == {
        "de": "de-DE", "en": "en-US", "nb": "nb-NO", "zh": "zh-CN", "es": "es-ES", "ga": "ga-IE",
        "sr-Latn": "sr-Latn-RS",
    }  # fmt: skip
    assert specific(0x0C07) == 0x0C07
    for number in lcids._TAGS:
        assert specific(number) in lcids._TAGS, hex(number)


def test_agrees_with_python() -> None:
    """The standard library has an older list with some tags of its own: languages and regions of nearly all agree."""
    agreed = Counter(
        tag.replace("_", "-") == language_tag(number)
        or (tag[:2] == (language_tag(number) or "")[:2] and tag[-2:] == (language_tag(number) or "")[-2:])
        for number, tag in locale.windows_locale.items()
    )
    assert agreed[True] >= 190
    assert agreed[False] <= 18


def test_surrogates() -> None:
    assert codepages.without_surrogates("a\ud800") == "a?"
    assert codepages.without_surrogates("aä") == "aä"
