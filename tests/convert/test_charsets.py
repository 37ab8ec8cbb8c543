"""Charsets of bodies: by label, by what HTML says, by what the octets look like; wrong labels; never an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.convert.charsets import codepage, decode_body, guess, html_charset
from gromoxd.convert.headers import decode_header
from gromoxd.convert.mime import scan
from gromoxd.convert.unfold import bodies
from gromoxd.mapi.proptags import PidTagBody, PidTagHtml, PidTagInternetCodepage

RUSSIAN = "Уважаемые коллеги, собрание состоится завтра в десять часов утра. С уважением, Иван"
GERMAN = "Sehr geehrte Damen und Herren, wir möchten die Übergabe für nächste Woche planen. Grüße"
JAPANESE = "お世話になっております。来週の会議の件でご連絡いたします。"
CHINESE = "您好,关于下周的会议安排,请查收附件并确认您的时间。谢谢"


@pytest.mark.parametrize(
    ("data", "label", "text"),
    [
        (GERMAN.encode(), "utf-8", GERMAN),
        (b"\x93quoted\x94", "iso-8859-1", "\u201cquoted\u201d"),
        ("你好\U00020000".encode("gb18030"), "gb2312", "你好\U00020000"),
        (b"Hi +AOQ-", "unicode-1-1-utf-7", "Hi ä"),
        (GERMAN.encode("cp1252"), "us-ascii", GERMAN),
        (GERMAN.encode(), "us-ascii", GERMAN),
        (GERMAN.encode("cp1252"), "utf-8", GERMAN),
        (RUSSIAN.encode("koi8_r"), "x-unknown", RUSSIAN),
        (RUSSIAN.encode("cp1251"), "us-ascii", RUSSIAN),
        (JAPANESE.encode("cp932"), "us-ascii", JAPANESE),
        (JAPANESE.encode("iso2022_jp"), "us-ascii", JAPANESE),
        (CHINESE.encode("gb18030"), "x-unheard-of", CHINESE),
        (b"\xef\xbb\xbfmarked", "utf-8", "marked"),
        (b"a" * 3000 + b"\xe4", "utf-8", "a" * 3000 + "\ufffd"),
        (b"", "us-ascii", ""),
    ],
)
def test_bodies(data: bytes, label: str, text: str) -> None:
    assert decode_body(data, label) == text


@pytest.mark.parametrize(
    ("html", "label", "charset"),
    [
        (b"<p>x", None, "us-ascii"),
        (b"<p>x", "utf-8", "utf-8"),
        (b'<meta charset="koi8-r"><p>\xf0', None, "koi8-r"),
        (b'<META http-equiv="x" content="text/html; charset=windows-1251"><p>\xcf', "us-ascii", "windows-1251"),
        (b'<meta charset="utf-16"><p>ok', None, "us-ascii"),
        (b"\xff\xfe<\0p\0>\0", None, "utf-16le"),
        (("<p>" + RUSSIAN).encode("cp1251"), None, "cp1251"),
        (("<p>" + RUSSIAN).encode("cp1251"), "utf-8", "cp1251"),
        (b"<style>" + b"x" * 9000 + ("</style>" + GERMAN).encode(), None, "utf_8"),
    ],
)  # fmt: skip
def test_html(html: bytes, label: str | None, charset: str) -> None:
    assert html_charset(html, label) == charset


def test_html_without_a_label_has_its_code_page_as_property() -> None:
    raw = b'Content-Type: text/html\r\n\r\n<meta charset="windows-1251"><p>' + RUSSIAN.encode("cp1251")
    bag = bodies(raw, scan(raw))
    html, page = bag[PidTagHtml], bag[PidTagInternetCodepage]
    assert page == 1251
    assert isinstance(html, bytes) and RUSSIAN in html.decode("cp1251")


def test_html_of_wide_characters_becomes_utf8() -> None:
    raw = b"Content-Type: text/html; charset=utf-16\r\n\r\n" + "<p>ä".encode("utf-16")
    assert bodies(raw, scan(raw)) == {PidTagHtml: "<p>ä".encode(), PidTagInternetCodepage: 65001}


def test_code_pages() -> None:
    assert [codepage(name) for name in ("gb2312", "gbk", "gb18030", "iso-8859-1", "utf-8", "x-nothing")] == [
        936, 936, 54936, 28591, 65001, 0,
    ]  # fmt: skip


@given(st.binary(max_size=300), st.sampled_from(["us-ascii", "utf-8", "gb2312", "utf-7", "iso-2022-jp", "hz", "x", ""]))
def test_any_octets(data: bytes, label: str) -> None:
    decode_body(data, label).encode()
    data.decode(guess(data), "replace")
    html_charset(data, label or None)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?q?what??=", "what?"),
        (b"=?utf-8?q?a_?b?=", "a ?b"),
        (b"=?utf-8?q?a?==?utf-8?q?b?=", "ab"),
        (b"=?utf-8?B?YWJjZ?=", "abc"),
        (b"=?utf-8?q?two words here?=", "two words here"),
    ],
)
def test_odd_words_of_headers(value: bytes, text: str) -> None:
    """RFC 2047 as senders break it."""
    assert decode_header(value) == text


def test_plain_after_rich_text_is_part_of_both() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n"
        b"--c\r\n\r\nplain\r\n--c\r\nContent-Type: text/html\r\n\r\n<p>rich\r\n--c--\r\n"
        b"--b\r\n\r\nlist <footer>\r\n--b--\r\n"
    )
    bag = bodies(raw, scan(raw))
    assert bag[PidTagBody] == "plain\r\nlist <footer>"
    html = bag[PidTagHtml]
    assert isinstance(html, bytes) and html.startswith(b"<p>rich\r\n<div") and b"list &lt;footer&gt;</div>" in html


def test_text_beside_html_is_within_the_html() -> None:
    raw = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nfirst\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<p>second\r\n--b--\r\n"
    )
    bag = bodies(raw, scan(raw))
    assert PidTagBody not in bag
    html = bag[PidTagHtml]
    assert isinstance(html, bytes) and html.endswith(b"first</div>\r\n<p>second")


def test_enriched_text_is_html() -> None:
    """RFC 1896."""
    raw = (
        b"Content-Type: text/enriched\r\n\r\n<bold>Now</bold> is <color><param>red</param>the</color> <<time\r\n"
        b"for\r\n\r\nall<unknown> & <italic>more"
    )
    html = bodies(raw, scan(raw))[PidTagHtml]
    assert html == (
        b'<html><body><b>Now</b> is <span style="color: red">the</span> &lt;time for<br>\r\nall &amp; <i>more</i>'
        b"</body></html>"
    )
