"""RTF bodies: the encapsulation of HTML and text ([MS-OXRTFEX]), plain RTF, and the forms made of one another."""

from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gromoxd.convert import bodies
from gromoxd.convert.rtfbody import html_to_rtf, rtf_to_html, rtf_to_text, text_to_rtf
from gromoxd.convert.rtfreader import HTML, MAX_DEPTH, RICH, TEXT, kind_of
from gromoxd.mapi import proptags as p
from gromoxd.mapi import rtf
from gromoxd.mapi.bag import Bag

ENCAPSULATED = rb"""{\rtf1\ANSI\ansicpg1251\fromhtml1 \deff0
{\fonttbl {\f0\fmodern Courier New;}{\f1\fswiss Arial;}{\f2\fswiss\fcharset0 Arial;}}
{\colortbl\red0\green0\blue0;\red0\green0\blue255;}
{\*\htmltag64}
\uc1\pard\plain\deftab360 \f0\fs24
{\*\htmltag <HTML><head>\par
<style>\par
<!--\par
 /* Style Definitions */\par
 p.MsoNormal, li.MsoNormal \{font-family:Arial;\}\par
-->\par
</style>\par
\tab <!-- This is a HTML comment.\par
There is a horizontal tab (%x09) character before the comment, \par
and some new lines inside the comment. -->\par
</head>\par
<body>\par
<p\par
class="MsoNormal">}
{\htmlrtf \f1 \htmlrtf0 Note the line break inside a P tag. {\*\htmltag <b>}{\htmlrtf \b \htmlrtf0 This is a bold text{\*\htmltag </b>}} \htmlrtf\par\htmlrtf0}
\htmlrtf \par \htmlrtf0
{\*\htmltag </p>\par
<p class="MsoNormal">\par}
{\htmlrtf \f1 \htmlrtf0 This is a normal text with a character references:
{\*\htmltag &nbsp;}\htmlrtf \'a0\htmlrtf0  {\*\htmltag &lt;}\htmlrtf <\htmlrtf0  {\*\htmltag &uml;}\htmlrtf {\f2\'a8}\htmlrtf0{\*\htmltag <br>\par}\htmlrtf\line\htmlrtf0
characters which have special meaning in RTF: \{\}\\{\*\htmltag <br>\par}\htmlrtf\line\htmlrtf0\htmlrtf\par\htmlrtf0}
{\*\htmltag </p>\par
</body>\par
</html>\par }}"""  # noqa: E501
"""The example of [MS-OXRTFEX] 4.1 in substance."""
HIDDEN = """<HTML><head>
<style>
<!--
 /* Style Definitions */
 p.MsoNormal, li.MsoNormal {font-family:Arial;}
-->
</style>
\t<!-- This is a HTML comment.
There is a horizontal tab (%x09) character before the comment,\x20
and some new lines inside the comment. -->
</head>
<body>
<p
class="MsoNormal">Note the line break inside a P tag. <b>This is a bold text</b> </p>
<p class="MsoNormal">
This is a normal text with a character references:&nbsp; &lt; &uml;<br>
characters which have special meaning in RTF: {}\\<br>
</p>
</body>
</html>
"""


def test_html_is_taken_out_of_rtf() -> None:
    assert kind_of(ENCAPSULATED) == HTML
    assert rtf_to_html(ENCAPSULATED) == HIDDEN.replace("\n", "\r\n")
    assert rtf_to_text(ENCAPSULATED).startswith("Note the line break inside a P tag. This is a bold text\r\n")


def test_text_is_taken_out_of_rtf() -> None:
    source = rb"{\rtf1\ansi\ansicpg1252\fromtext \deff0{\fonttbl{\f0 Arial;}}\f0 one\par two\tab three\par }"
    assert kind_of(source) == TEXT
    assert rtf_to_text(source) == "one\r\ntwo\tthree"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (rb"{\rtf1\ansi a\par b\line c\tab d}", "a\r\nb\r\nc\td"),
        (rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0}", "Пр"),
        (rb"{\rtf1\ansi{\fonttbl{\f0\fcharset204 A;}{\f1\fcharset128 B;}}\f0\'cf{\f1 \'83\'65\'83g}\'cf}", "ПテトП"),
        (rb"{\rtf1\ansi \u8364?\u-10179?\u-8704?}", "€😀"),
        (rb"{\rtf1\ansi\uc2 \u8364\'aa\'bbx\uc0 \u8364 y}", "€x€y"),
        (rb"{\rtf1\ansi{\uc0 \u8364}?x}", "€?x"),
        (rb"{\rtf1{\*\generator X;}{\info{\title t}}{\pict 010203}{\stylesheet{\s0 N;}}seen}", "seen"),
        (rb"{\rtf1 a{\field{\*\fldinst HYPERLINK x}{\fldrslt link}}b}", "alinkb"),
        (rb"{\rtf1 \lquote a\rquote\ldblquote b\rdblquote\bullet\endash\emdash\~}", "‘a’“b”•–—\xa0"),
        (rb"{\rtf1 \{\}\\ a\bin3 }}}b}", "{}\\ ab"),
        (rb"{\rtf1 x}trailing", "x"),
        (b"{\\rtf1 a\r\nb\\\r\nc}", "ab\r\nc"),
        (b"no rtf", ""),
        (b"", ""),
    ],
)
def test_plain_rtf(source: bytes, text: str) -> None:
    assert kind_of(source) == RICH
    assert rtf_to_text(source) == text


def test_deep_groups_are_counted() -> None:
    depth = MAX_DEPTH + 100
    assert rtf_to_text(b"{\\rtf1 a" + b"{" * depth + b"b" + b"}" * depth + b"c}") == "abc"


LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=300)


@given(LINES)
@settings(max_examples=300, deadline=None)
@example("\\{}\t\n\n\x7f\x80\U0001f600")
def test_text_survives_rtf(text: str) -> None:
    assert rtf_to_text(text_to_rtf(text)) == text.replace("\n", "\r\n")


PIECES = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=20),
    st.sampled_from(["<p>", "</p>", "<b>", "</b>", "<br>", "<head>", "</head>", "<body>", "<style>p{}", "</style>",
                     "<!--", "-->", "<script>a<b\\{", "</script>", "&amp;", "&nbsp;", "&#65;", "&x", "<td>", "</td>",
                     "\n", "<", ">", "{", "}", "\\", "<!DOCTYPE html>", "</i>"]),
)  # fmt: skip


@given(st.lists(PIECES, max_size=40))
@settings(max_examples=300, deadline=None)
def test_html_survives_rtf(pieces: list[str]) -> None:
    html = "".join(pieces)
    encapsulated = html_to_rtf(html)
    assert encapsulated.isascii()
    assert rtf_to_html(encapsulated) == html.replace("\n", "\r\n")


@given(st.lists(st.sampled_from([b"{", b"}", b"\\", b"\\'", b"\\u", b"-", b"1", b"\\fromhtml1", b"{\\*\\htmltag",
                                 b"\\par", b"\\htmlrtf", b"\\bin9", b"\\f1", b"\\fonttbl", b"\\fcharset128", b"\xff",
                                 b"a", b" ", b"\\uc", b"{\\rtf1"]), max_size=60))  # fmt: skip
@settings(max_examples=500, deadline=None)
def test_any_octets_give_text(pieces: list[bytes]) -> None:
    data = b"{\\rtf1" + b"".join(pieces)
    assert "\0" not in rtf_to_html(data)
    rtf_to_text(data).encode()


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", [b"{", b"}", b"\\", b"\\'aa", b"\\u8364?", b"{\\b x}", b"\\par ", b"\\", b"a", b"\\'"]
)
def test_a_megabyte_of_rtf_takes_no_time(piece: bytes) -> None:
    start = time.process_time()
    rtf_to_text(b"{\\rtf1 " + piece * ((1 << 20) // len(piece)))
    assert time.process_time() - start < 5


# ------------------------------------------------------------------------------------------ forms


@pytest.mark.parametrize(
    ("text", "rich", "html", "in_sync", "native"),
    [
        (False, False, False, False, bodies.UNDEFINED),
        (True, False, False, False, bodies.PLAIN),
        (True, True, False, True, bodies.RTF),
        (True, True, False, False, bodies.PLAIN),
        (True, True, True, False, bodies.HTML_BODY),
        (True, True, True, True, bodies.RTF),
        (False, False, True, False, bodies.HTML_BODY),
        (False, True, False, False, bodies.RTF),
    ],
)
def test_the_best_body(text: bool, rich: bool, html: bool, in_sync: bool, native: int) -> None:
    """[MS-OXBBODY] 2.1.3.1."""
    assert bodies.native_body(text, rich, html, in_sync) == native


@pytest.mark.parametrize(
    ("props", "plain", "html", "charset"),
    [
        ({}, "", None, "utf-8"),
        ({p.PidTagBody: "x"}, "x", None, "utf-8"),
        ({p.PidTagHtml: b"<p>\xe4"}, "\ufffd", b"<p>\xe4", "utf-8"),
        ({p.PidTagHtml: b"<p>\xe4", p.PidTagInternetCodepage: 28591}, "ä", b"<p>\xe4", "iso-8859-1"),
        ({p.PidTagHtml: "<p>ä".encode("utf-16-le"), p.PidTagInternetCodepage: 1200}, "ä", "<p>ä".encode(), "utf-8"),
        ({p.PidTagRtfCompressed: rtf.compress(html_to_rtf("<p>ä")), p.PidTagBody: "b"}, "b", "<p>ä".encode(), "utf-8"),
        ({p.PidTagRtfCompressed: rtf.compress(text_to_rtf("ä")), p.PidTagBody: "b"}, "b", None, "utf-8"),
        ({p.PidTagRtfCompressed: b"junk", p.PidTagBody: "b"}, "b", None, "utf-8"),
    ],
)
def test_the_bodies_of_mail(props: Bag, plain: str, html: bytes | None, charset: str) -> None:
    assert bodies.mail_bodies(props) == (plain, html, charset)


def test_a_damaged_rtf_says_nothing() -> None:
    assert bodies.unpacked(b"junk") == b""
    assert bodies.unpacked(rtf.compress(b"{\\rtf1 x}")) == b"{\\rtf1 x}"
