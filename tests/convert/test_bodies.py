"""HTML as text, text as HTML; bounded and linear whatever comes."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gromoxd.convert.html import html_to_text, text_to_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("plain  \n text", "plain text"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<div>one</div><div>two</div>", "one\ntwo"),
        ("<div><div><div>one</div></div></div>two", "one\ntwo"),
        ("a<br>b<br><br>c", "a\nb\n\nc"),
        ('<p class="MsoNormal">one</p><p class="MsoNormal">&nbsp;</p><p class=MsoNormal>two</p>', "one\n\ntwo"),
        ("x <b>bold</b><i>er</i> y", "x bolder y"),
        ("<b>a </b> b", "a b"),
        ("a&nbsp;&nbsp;b &lt;c&gt; &euro; &#8217;", "a  b <c> € ’"),
        (
            "<ul><li>one</li><li>two<ol start=3><li>x</li><li>y</li></ol></li></ul>z",
            "* one\n* two\n  3. x\n  4. y\n\nz",
        ),
        ("<ol start='9999999999'><li>a</ol>", "1. a"),
        ("<blockquote>q<br><br>r<blockquote>s</blockquote></blockquote>t", "> q\n>\n> r\n>\n> > s\n\nt"),
        ("<table><tr><th>a</th><th>b</th></tr><tr><td>c<td>d</table>e", "a\tb\nc\td\n\ne"),
        ("<pre>a  b\n  c\n</pre>d", "a  b\n  c\n\nd"),
        ('<a href="https://x.org/p">here</a>', "here <https://x.org/p>"),
        ('<a href="https://x.org/">https://x.org</a>', "https://x.org"),
        ('<a href="mailto:a@b.org">a@b.org</a>', "a@b.org"),
        ('<a href="mailto:a@b.org">Anna</a>', "Anna <a@b.org>"),
        ('<a href="javascript:evil()">x</a><a href="#top">y</a>', "xy"),
        ('<img src="x" alt="A cat"><img src="y">', "[A cat]"),
        ("a<hr>b", "a\n\n" + "_" * 32 + "\n\nb"),
        ("<style>p{}</style><script>x()</script><title>t</title><!-- c -->seen", "seen"),
        ('<div style="display: none">hidden</div>shown', "shown"),
        ("a<!-- c -->b<?php x ?>c", "abc"),
        ("<html><body>a</body></html><p>footer</p>", "a\n\nfooter"),
        ("<p>a<p>b", "a\n\nb"),
        ("<?xml version='1.0' encoding='x'?><p>ä</p>", "ä"),
        ("a\0b", "ab"),
    ],
)
def test_what_a_reader_sees(html: str, text: str) -> None:
    assert html_to_text(html) == text.replace("\n", "\r\n")


def test_what_the_parser_does_not_take_loses_its_tags() -> None:
    html = "<style>p{}</style>" + "<div>" * 3000 + "deep<br>er &amp;" + "</div>" * 3000
    assert html_to_text(html) == "deep\r\ner &"


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("a\r\nb\nc\rd", "a<br>\r\nb<br>\r\nc<br>\r\nd"),
        ('<b> & "x"', '&lt;b&gt; &amp; "x"'),
        ("a  b   c", "a&nbsp; b&nbsp;&nbsp; c"),
        (" x\n y", "&nbsp;x<br>\r\n&nbsp;y"),
        ("see http://x.org/a?b=1&c=2.", 'see <a href="http://x.org/a?b=1&amp;c=2">http://x.org/a?b=1&amp;c=2</a>.'),
        ("a\tb", "a&nbsp;&nbsp;&nbsp; b"),
    ],
)
def test_text_as_html(text: str, fragment: str) -> None:
    html = text_to_html(text)
    assert html.startswith("<html><head>") and html.endswith("</body></html>\r\n")
    assert html.partition("<div>")[2].rpartition("</div>")[0] == fragment


WORDS = st.lists(
    st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=30).map(str.strip), max_size=8
)


@given(lines=WORDS)
@settings(max_examples=200, deadline=None)
def test_text_survives_html(lines: list[str]) -> None:
    text = "\r\n".join(lines).strip("\r\n")
    assert html_to_text(text_to_html(text)) == text.rstrip()


TAGS = ["p", "div", "br", "b", "table", "tr", "td", "ul", "ol", "li", "blockquote", "pre", "a href='http://x'",
        "img alt=x", "style", "script", "title", "!--", "html", "body", "head", "/p", "/div", "/table", "/td", "/ul",
        "/blockquote", "/a", "/style", "/pre", "?x"]  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(TAGS).map(lambda tag: f"<{tag}>"), st.text(max_size=10)), max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_html_gives_text(pieces: list[str]) -> None:
    text = html_to_text("".join(pieces))
    assert "\0" not in text and "\n" not in text.replace("\r\n", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece",
    ["<", "<a ", "<script>", "<!--", " ", "&nbsp;", "a ", "<p>", "<blockquote>x", "<ul><li>x", "x" + " " * 50, "&amp",
     "<a href='http://x'>y", "<td>", "<br>", "</html>", "http://", "\n", "<div style='display:"],
)  # fmt: skip
def test_a_megabyte_takes_no_second(piece: str) -> None:
    text = piece * ((1 << 20) // len(piece))
    for convert in (html_to_text, text_to_html):
        start = time.process_time()
        convert(text)
        assert time.process_time() - start < 3
