"""Ordinary RTF as HTML and text; readers of others on what is written here; damaged RTF."""

from __future__ import annotations

import logging
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.convert.html import html_to_text
from gromoxd.convert.rtfbody import html_to_rtf, rtf_to_html, rtf_to_text, text_to_rtf
from gromoxd.convert.rtfdocument import rtf_fragment

COLORS = rb"{\colortbl;\red255\green0\blue0;\red0\green0\blue255;}"
TABLE = (
    rb"{\rtf1 before\par\trowd\cellx1\cellx2\pard\intbl a\cell b\cell\row"
    rb"\trowd\pard\intbl c\par d\cell\pard\intbl\b e\b0\cell\row\pard after\par}"
)
LIST = (
    rb"{\rtf1{\fonttbl{\f0\fcharset0 Arial;}{\f3\fcharset2 Symbol;}}"
    rb"{\listtext\pard\plain\f3 \'b7\tab}\pard\ilvl0\ls1 one\par{\listtext\f3 \'b7\tab}\ilvl1 deep\par"
    rb"{\listtext\f3 \'b7\tab}\ilvl0 two\par\pard {\pntext\f0 3.\tab}three\par{\pntext 4.\tab}four\par\pard end}"
)
LINK = rb"""{\rtf1 see {\field{\*\fldinst{HYPERLINK "https://x.org/?a=1&b=2" }}{\fldrslt{\ul here}}}, ok}"""


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (rb"{\rtf1\ansi\b bold{\i both}\b0 none\par\ul under\ulnone  <&>}",
         "<div><b>bold</b><b><i>both</i></b>none</div>\r\n<div><u>under</u> &lt;&amp;&gt;</div>\r\n"),
        (rb"{\rtf1 a\line b\par\par c}", "<div>a<br>\r\nb</div>\r\n<div><br></div>\r\n<div>c</div>\r\n"),
        (rb"{\rtf1" + COLORS + rb"\cf1 r\cf2 b\cf0 n}",
         '<div><span style="color:#ff0000">r</span><span style="color:#0000ff">b</span>n</div>\r\n'),
        (rb"{\rtf1" + COLORS + rb"{\highlight1 r}\fs24 b\plain n\cf9 x}",
         '<div><span style="background-color:#ff0000">r</span><span style="font-size:12pt">b</span>nx</div>\r\n'),
        (rb"{\rtf1 x\super 2\nosupersub y\sub i}", "<div>x<sup>2</sup>y<sub>i</sub></div>\r\n"),
        (rb"{\rtf1\qc c\par\pard\li720 i\par\pard n}",
         '<div align="center">c</div>\r\n<div style="margin-left:36pt">i</div>\r\n<div>n</div>\r\n'),
        (TABLE, '<div>before</div>\r\n<table border="1"><tr><td>a</td><td>b</td></tr>\r\n'
                "<tr><td><div>c</div>\r\n<div>d</div>\r\n</td><td><b>e</b></td></tr>\r\n</table>\r\n"
                "<div>after</div>\r\n"),
        (rb"{\rtf1 x\par a\cell b\cell\row}",
         '<div>x</div>\r\n<table border="1"><tr><td>a</td><td>b</td></tr>\r\n</table>\r\n'),
        (LIST, "<ul>\r\n<li>one</li>\r\n<ul>\r\n<li>deep</li>\r\n</ul>\r\n<li>two</li>\r\n</ul>\r\n"
               '<ol start="3">\r\n<li>three</li>\r\n<li>four</li>\r\n</ol>\r\n<div>end</div>\r\n'),
        (LINK, '<div>see <a href="https://x.org/?a=1&amp;b=2"><u>here</u></a>, ok</div>\r\n'),
        (rb"""{\rtf1 {\field{\*\fldinst HYPERLINK "javascript:x()"}{\fldrslt t}}}""", "<div>t</div>\r\n"),
        (rb"{\rtf1 a{\v hidden}b\v no\v0 c}", "<div>abc</div>\r\n"),
        (rb"{\rtf1 a  b\tab c}", "<div>a&nbsp; b&nbsp;&nbsp;&nbsp; c</div>\r\n"),
        (rb"{\rtf1{\*\unknown x}{\pict\pngblip 0102}\u8364?}", "<div>€</div>\r\n"),
        (rb"{\rtf1\ansi\ansicpg1251\deff0{\fonttbl{\f0\fcharset204 A;}}\f0\'cf\'f0}", "<div>Пр</div>\r\n"),
        (rb"{\rtf1\mac \'8a}", "<div>ä</div>\r\n"),
        (rb"{\rtf1\pca \'84}", "<div>ä</div>\r\n"),
        (b"", ""),
    ],
)  # fmt: skip
def test_what_a_document_shows(source: bytes, html: str) -> None:
    assert rtf_fragment(source) == html
    assert rtf_to_html(source) == f"<html><body>\r\n{html}</body></html>\r\n"


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (TABLE, "before\na\tb\nc\nd\te\nafter"),
        (LIST, "•\tone\n•\tdeep\n•\ttwo\n3.\tthree\n4.\tfour\nend"),
        (LINK, "see here <https://x.org/?a=1&b=2>, ok"),
        (rb"""{\rtf1 {\field{\*\fldinst HYPERLINK "mailto:a@b.org"}{\fldrslt a@b.org}}}""", "a@b.org"),
        (rb"{\rtf1 a{\v hidden}b\v no\v0 c}", "abc"),
        (rb"{\rtf1{\fonttbl{\f3\fcharset2 Wingdings;}}\f3\u-3913? x}", "• x"),
    ],
)
def test_the_text_of_a_document(source: bytes, text: str) -> None:
    assert rtf_to_text(source) == text.replace("\n", "\r\n")


def test_the_html_reads_as_the_text() -> None:
    assert html_to_text(rtf_to_html(LIST)) == "* one\r\n  * deep\r\n* two\r\n\r\n3. three\r\n4. four\r\n\r\nend"


# ------------------------------------------------------------------------------------------ other readers

PAGE = (
    '<html><head><style>p{margin:0}</style></head><body><p class="a">Grüße &amp; {mehr} \\x</p><!-- c -->'
    '<b>b</b> <i>i</i><br><a href="http://x.org/?a&amp;b">l</a><table><tr><td>1</td></tr></table></body></html>'
)


@pytest.mark.parametrize("html", [PAGE, "<p>plain</p>", PAGE.replace("<p", "\n<p"), "<div>日本 \U0001f600</div>"])
def test_another_reader_takes_our_html_out(html: str) -> None:
    rtfde = pytest.importorskip("RTFDE.deencapsulate")
    logging.getLogger("RTFDE").setLevel(logging.CRITICAL)
    reader = rtfde.DeEncapsulator(html_to_rtf(html))
    reader.deencapsulate()
    assert reader.content_type == "html"
    found = reader.html if isinstance(reader.html, str) else reader.html.decode()
    assert found.replace("\r\n", "\n") == html


# ------------------------------------------------------------------------------------------ damaged


@pytest.mark.parametrize("source", [TABLE, LIST, LINK, html_to_rtf("<p>x &amp; y</p>"), text_to_rtf("a\tü\n{}")])
def test_every_flipped_octet_gives_a_body(source: bytes) -> None:
    for at in range(len(source)):
        for bit in range(8):
            flipped = source[:at] + bytes((source[at] ^ 1 << bit,)) + source[at + 1 :]
            assert "\0" not in rtf_to_html(flipped)
            rtf_to_text(flipped).encode()


WORDS = st.sampled_from([
    b"{", b"}", b"\\", b"\\*", b"\\cell", b"\\row", b"\\intbl", b"\\pard", b"\\par", b"\\trowd", b" ", b"{\\listtext",
    b"\\ilvl8", b"\\field", b"{\\*\\fldinst HYPERLINK http://x", b"{\\fldrslt ", b"{\\colortbl", b";", b"\\red9",
    b"\\cf1", b"\\fs20", b"\\v", b"\\bin3", b"\\u-1?", b"\\'e4", b"x", b"{\\fonttbl{\\f1\\fcharset2 S;}}", b"\\f1",
    b"\\b", b"\\b0", b"\\super", b"\\qc",
])  # fmt: skip


@given(st.lists(WORDS, max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_words_give_a_body(pieces: list[bytes]) -> None:
    source = b"{\\rtf1 " + b"".join(pieces)
    html = rtf_to_html(source)
    assert html.startswith("<html>") and html.endswith("</html>\r\n")
    assert html.count("<table") == html.count("</table>") and html.count("<a ") == html.count("</a>")
    rtf_to_text(source).encode()


LARGE = b"{\\rtf1" + b"".join(one.removeprefix(b"{\\rtf1")[:-1] for one in (LIST, LINK, TABLE)) * 12 + b"}"


@pytest.mark.slow
@pytest.mark.parametrize("source", [LARGE, html_to_rtf(PAGE * 12)])
def test_ten_thousand_mutations_of_large_ones(source: bytes) -> None:
    dice, worst = random.Random(11), 0.0
    for _ in range(5_000):
        mutated = bytearray(source)
        for _ in range(dice.randrange(1, 6)):
            at = dice.randrange(len(mutated))
            piece = dice.choice((b"{", b"}", b"\\", b"", b"\\u", bytes((dice.randrange(256),))))
            mutated[at : at + dice.randrange(3)] = piece
        began = time.process_time()
        rtf_to_html(bytes(mutated))
        worst = max(worst, time.process_time() - began)
    assert worst < 0.25


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    [b"\\cell ", b"\\row ", b"\\intbl x\\cell\\row\\pard y\\par ", b"{\\listtext 1.}x\\par ", b"{\\colortbl;",
     b"\\b x\\b0 ",
     b"\\cf1 x", b"{\\field{\\*\\fldinst HYPERLINK http://x}{\\fldrslt y}}", b"{\\b ", b"\\par ", b"\\intbl x\\par "],
)  # fmt: skip
def test_a_megabyte_takes_no_time(piece: bytes) -> None:
    began = time.process_time()
    rtf_to_html(b"{\\rtf1 " + piece * ((1 << 20) // len(piece)))
    assert time.process_time() - began < 5
