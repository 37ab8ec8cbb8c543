"""HTML within RTF ([MS-OXRTFEX]) and compressed RTF ([MS-OXRTFCP]): what the documents show, in both directions."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from gromoxd.convert.rtfbody import html_to_rtf, rtf_to_html, rtf_to_text, text_to_rtf
from gromoxd.convert.rtfreader import HTML, TEXT, kind_of
from gromoxd.mapi.rtf import compress, decompress, store
from tests.convert.test_bodies_rtf import ENCAPSULATED, HIDDEN


def even(html: str) -> str:
    """HTML without what does not show: a writer may change white space and line ends ([MS-OXRTFEX] 1.3)."""
    return re.sub(r"\s+", " ", html).strip()


def test_document_there_and_back() -> None:
    """The document that is encapsulated in the example, encapsulated by us and taken out again."""
    html = rtf_to_html(ENCAPSULATED)
    assert html == HIDDEN.replace("\n", "\r\n")
    made = html_to_rtf(html)
    assert kind_of(made) == HTML
    assert made.startswith(rb"{\rtf1\ansi") and rb"\fromhtml1" in made[:100]
    assert rb"{\*\htmltag64}" in made
    assert even(rtf_to_html(made)) == even(html)
    assert even(rtf_to_text(made)).startswith("Note the line break inside a P tag. This is a bold text")


@pytest.mark.parametrize(("body", "html"), [
    (rb'{\*\htmltag148 <FONT face="symbol">}', '<FONT face="symbol">'),
    (rb"a{\htmlrtf b{c}\htmlrtf0 d}e", "ade"),
    (rb"a\htmlrtf1 b{c\htmlrtf0 d}e\htmlrtf0 f", "adf"),
    (rb"{\*\htmltag84 <b>}\htmlrtf {\b\htmlrtf0 x\htmlrtf }\htmlrtf0 {\*\htmltag92 </b>}", "<b>x</b>"),
])  # fmt: skip
def test_fragment(body: bytes, html: str) -> None:
    """HTMLTAG (2.1.3.1.4); HTMLRTF goes on within groups and is what it was after them (2.1.3.1.3)."""
    assert rtf_to_html(rb"{\rtf1\ansi\ansicpg1252\fromhtml1 " + body + b"}") == html


def test_text_there_and_back() -> None:
    text = "one\r\n\ttwo {\\} three\r\n\r\nfür €"
    made = text_to_rtf(text)
    assert kind_of(made) == TEXT and rtf_to_text(made) == text


@pytest.mark.parametrize("write", [compress, store])
def test_compressed(write: Callable[[bytes], bytes]) -> None:
    assert decompress(write(ENCAPSULATED)) == ENCAPSULATED
