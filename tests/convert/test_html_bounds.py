"""HTML made to take long: it does not, and what is shown of it is its text."""

from __future__ import annotations

import time

import nh3
import pytest

from gromoxd.convert import html as module
from gromoxd.convert.html import clean_html
from gromoxd.convert.htmlbounds import TooMuch, bounded

ALLOWED = frozenset(("b", "div", "p", "span", "table", "td", "tr", "li", "ul", "h1", "h2", "br", "a"))
MB = 1 << 20
SLOW = {
    "deep": "<div>" * 200_000 + "end",
    "deep lists": "<ul><li>" * 100_000 + "end",
    "ampersands": "&" * MB,
    "ampersands before letters": "&a" * (MB // 2),
    "comments that close": "<div><!--</div>-->" * 20_000,
    "attributes that close": '<div title="</div>">' * 20_000,
    "tables that hide an end": "<div><table></div></table>" * 20_000,
    "formatting made anew": "".join(f"<p><b id={n}></p>" for n in range(20_000)),
    "formatting in tables": "<table>" + "".join(f"<b id={n}>" for n in range(500)) + "<tr>x" * 100_000,
    "links in links": "".join(f"<a><div id={n}></a>" for n in range(20_000)),
    "attributes": "<p " + " ".join(f"a{n}" for n in range(150_000)) + ">end",
    "signs": "<" * MB, "comments": "<!--" * (MB // 4), "items": "<li>" * (MB // 4), "open tag": "<a b='" * (MB // 6),
}  # fmt: skip


@pytest.mark.parametrize("name", SLOW)
def test_nothing_takes_long(name: str) -> None:
    began = time.process_time()
    clean_html(SLOW[name])
    assert time.process_time() - began < 0.5 * max(1, len(SLOW[name]) / MB) + 0.3


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["<div>", "<ul><li>", "&", "<p>x", "<span style='color:red'>some text</span>"])
def test_ten_megabytes_neither(unit: str) -> None:
    document = unit * (10 * MB // len(unit))
    began = time.process_time()
    clean_html(document)
    assert time.process_time() - began < 5


def test_text_of_what_is_too_deep_is_shown() -> None:
    shown = clean_html("<div>" * 2000 + "a &lt;b&gt;<script>x()</script><br>c")
    assert shown == "<div>a &lt;b&gt;<br>\r\nc</div>"


def test_what_is_within_the_bounds_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    row = ("<tr><td>one<td><p class=x>two<p>three</p><ul><li>a<li><b>b</b></ul><h1>t</h2></tr><!-- c --><o:p></o:p>"
           "<style>p{x}</style><![if x]><span title='a > b'>4 < 5 &amp; 6</span>")  # fmt: skip
    document = "<html><head><title>t</title></head><body><table>" + row * 300 + "</table></p>end</body></html>"
    new = clean_html(document)
    monkeypatch.setattr(module, "bounded", lambda html, allowed: html)
    assert new == clean_html(document) and new.count("<b>b</b>") == 300


def test_what_the_parser_reads_is_what_was_counted() -> None:
    document = "<div><!--</div>--><x y='</div>'><div title='</div>'>" + "<br>" * 300 + "</span><svg></div></div>a<b c"
    shown = bounded(document, ALLOWED)
    assert shown == "<div><div title='</div>'>" + "<br>" * 300 + "</div></div>a&lt;b c"
    assert nh3.clean(shown, tags=set(ALLOWED)).count("</div>") == 2


@pytest.mark.parametrize("document", ["<div>" * 513, "<p><b></p>" * 600, "&a" * 30_000, "<br>" * 30_000])
def test_too_much_is_said(document: str) -> None:
    with pytest.raises(TooMuch):
        bounded(document, ALLOWED)
