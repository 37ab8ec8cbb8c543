"""HTML as plain text: what a reader of the document sees, lists, quotes, tables and links marked as in plain mail.

HTML is read with lxml, never executed or fetched; no tree is built, the parser's events write lines. [MS-OXBBODY] 2.1.3
asks for it where a message has no text of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from lxml import etree

from gromoxd.convert.searchtext import unescape_html

MAX_HTML: Final = 16 << 20
"""Characters that are looked at."""
MAX_DEPTH: Final = 400
"""Elements within one another. The parser looks through all that are open at each end tag that closes none of them."""
_PIECE: Final = 16 << 10
"""Octets after which it is seen how deep the document is: the parser itself does not stop for anything."""
MAX_QUOTE, MAX_INDENT, MAX_BREAKS = 20, 10, 50
RULE: Final = "_" * 32

_SKIPPED: Final = frozenset(
    ("head", "script", "style", "title", "template", "noscript", "object", "select", "textarea", "svg", "math")
)
_PARAGRAPHS: Final = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "dl", "pre", "table", "blockquote", "hr"))
_BLOCKS: Final = frozenset(
    ("div", "body", "html", "tr", "li", "dt", "dd", "ul", "ol", "form", "fieldset", "legend", "section", "article",
     "header", "footer", "nav", "aside", "main", "center", "address", "figure", "figcaption", "caption", "tbody",
     "thead", "tfoot", "details", "summary")
) | _PARAGRAPHS  # fmt: skip
_SPACE: Final = re.compile(r"[ \t\r\n\f\v]+")
_BLANK: Final = frozenset(("\n", "\r\n", " "))
_HIDDEN: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_ENDS_DOCUMENT: Final = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
"""The parser would stop there; mail goes on, when a list adds its footer."""
_UNSEEN: Final = re.compile(r"<(script|style|title)\b[^<>]*>[^<]*|<!--[^<>]*-->", re.IGNORECASE)
_BREAKING: Final = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_LINKS: Final = ("http:", "https:", "mailto:", "ftp:", "tel:")

Attributes = Mapping[str, str]


def html_to_text(html: str) -> str:
    """The text of a document, its lines ended by CRLF. Never raises."""
    data = _ENDS_DOCUMENT.sub("", html[:MAX_HTML]).replace("\0", "").encode("utf-8", "replace")
    if not data.strip():
        return ""
    writer = _Writer()
    parser = etree.HTMLParser(target=writer, encoding="utf-8", no_network=True, huge_tree=True)
    try:
        for at in range(0, len(data), _PIECE):
            parser.feed(data[at : at + _PIECE])
            if writer.depth > MAX_DEPTH:
                return stripped_text(html[:MAX_HTML])
        parser.close()
    except etree.XMLSyntaxError:
        return stripped_text(html[:MAX_HTML])
    return writer.result()


def stripped_text(html: str) -> str:
    """Text of what the parser does not take: tags go."""
    text = _BREAKING.sub("\n", _UNSEEN.sub("", html))
    return unescape_html(_TAG.sub("", text)).replace("\0", "").strip().replace("\r\n", "\n").replace("\n", "\r\n")


class _Writer:
    """The parser's target: lines of text with the prefix of quotes and lists. Breaks are written when something
    follows them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.breaks = 0
        self.depth = 0
        self.quotes = self.pre = 0
        self.quoted = 0
        """The quotes around the last line."""
        self.indent = 0
        self.prefix = ""
        self.space = False
        self.at_start = True
        self.skipping = 0
        """How many elements are open from the first one on that nobody sees."""
        self.marked = -1
        """Where the last list item's text is to begin."""
        self.lists: list[int] = []
        """The next number of each list around, -1 for one without numbers."""
        self.links: list[tuple[str, int]] = []
        self.tight: list[bool] = []
        """Of each paragraph around: whether it has no space around it."""
        self.cells: list[int] = []
        """Of each table row around: the cells so far."""

    # -------------------------------------------------------------------------------------- events of the parser

    def start(self, tag: str, attributes: Attributes) -> None:
        self.depth += 1
        if self.skipping:
            self.skipping += 1
            return
        if tag in _SKIPPED or ("style" in attributes and _HIDDEN.search(attributes["style"][:1000])):
            self.skipping = 1
            return
        if tag == "p":
            tight = attributes.get("class", "").startswith("Mso")
            self.tight.append(tight)
            self.end_line(blank=not tight)
        elif tag in _BLOCKS:
            self.end_line(blank=tag in _PARAGRAPHS)
        handler = _STARTS.get(tag)
        if handler is not None:
            handler(self, attributes)

    def end(self, tag: str) -> None:
        self.depth -= 1
        if self.skipping:
            self.skipping -= 1
            return
        handler = _ENDS.get(tag)
        if handler is not None:
            handler(self)
        if tag == "p":
            tight = self.tight.pop() if self.tight else False
            self.end_line(blank=not tight)
        elif tag in _BLOCKS:
            self.end_line(blank=tag in _PARAGRAPHS)

    def data(self, text: str) -> None:
        """Text of the document, white space collapsed outside <pre>."""
        if self.skipping:
            return
        if self.pre:
            self._preformatted(text)
            return
        if text in _BLANK:
            self.space = True
            return
        words = _SPACE.sub(" ", text)
        body = words.strip(" ")
        if not body:
            self.space = self.space or bool(words)
            return
        if self.at_start:
            self._begin()
        elif self.space or words[0] == " ":
            self.parts.append(" ")
        self.parts.append(body)
        self.space = words[-1] == " "

    def comment(self, text: str) -> None:
        """Nobody sees it."""

    def pi(self, target: str, data: str | None = None) -> None:
        """Nobody sees it."""

    def close(self) -> None:
        """The parser is done."""

    # -------------------------------------------------------------------------------------- lines

    def end_line(self, blank: bool = False) -> None:
        """What follows is on a new line, after an empty one with `blank`; not between a mark and its text."""
        if len(self.parts) == self.marked:
            return
        if self.parts:
            if blank:
                self.breaks = max(self.breaks, 2)
            elif not self.at_start:
                self.breaks = max(self.breaks, 1)
            self.at_start = True
        self.space = False

    def line_break(self) -> None:
        """<br>."""
        self.breaks += 1
        self.at_start, self.space = True, False

    def _begin(self) -> None:
        parts = self.parts
        if self.breaks:
            if self.breaks > 1:
                between = "\n" + ("> " * min(self.quotes, MAX_QUOTE, self.quoted)).rstrip()
                parts += [between] * (min(self.breaks, MAX_BREAKS) - 1)
            parts.append("\n")
            self.breaks = 0
        if self.prefix:
            parts.append(self.prefix)
        self.quoted = min(self.quotes, MAX_QUOTE)
        self.at_start = False

    def put(self, text: str) -> None:
        """Text as it is, on the current line."""
        if self.at_start or not self.parts:
            self._begin()
        elif self.space:
            self.parts.append(" ")
        self.space = False
        self.parts.append(text)

    def _preformatted(self, text: str) -> None:
        for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
            if number:
                self.line_break()
            if line:
                self.put(line)

    def _set_prefix(self) -> None:
        self.prefix = "> " * min(self.quotes, MAX_QUOTE) + "  " * min(self.indent, MAX_INDENT)

    def result(self) -> str:
        text = "".join(self.parts).replace("\u00a0", " ")
        return "\r\n".join([line.rstrip(" \t") for line in text.split("\n")])

    # -------------------------------------------------------------------------------------- elements

    def start_link(self, attributes: Attributes) -> None:
        self.links.append((attributes.get("href", "").strip()[:2000], len(self.parts)))

    def end_link(self) -> None:
        """The target is said when the text is another."""
        if not self.links:
            return
        target, start = self.links.pop()
        if not target[:8].lower().startswith(_LINKS):
            return
        shown = "".join(self.parts[start:]).strip()
        plain = target.removeprefix("mailto:").removeprefix("tel:")
        if plain.rstrip("/") not in (shown, shown.rstrip("/"), "http://" + shown, "https://" + shown):
            self.space = self.space or bool(shown)
            self.put(f"<{plain}>" if shown else plain)

    def start_bullets(self, attributes: Attributes) -> None:
        self._start_list(-1)

    def start_numbers(self, attributes: Attributes) -> None:
        start = attributes.get("start") or "1"
        self._start_list(int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1)

    def _start_list(self, first: int) -> None:
        if not self.lists:
            self.end_line(blank=True)
        self.lists.append(first)
        self.indent = len(self.lists) - 1
        self._set_prefix()

    def end_list(self) -> None:
        if self.lists:
            self.lists.pop()
        self.indent = len(self.lists)
        self._set_prefix()
        if not self.lists:
            self.end_line(blank=True)

    def start_item(self, attributes: Attributes) -> None:
        """The mark, then text that is indented under it."""
        self.indent = max(len(self.lists) - 1, 0)
        self._set_prefix()
        if self.lists and self.lists[-1] >= 0:
            self.put(f"{self.lists[-1]}.")
            self.lists[-1] += 1
        else:
            self.put("*")
        self.space = True
        self.marked = len(self.parts)
        self.indent += 1
        self._set_prefix()

    def end_item(self) -> None:
        self.marked = -1
        self.indent = max(len(self.lists) - 1, 0)
        self._set_prefix()

    def start_quote(self, attributes: Attributes) -> None:
        self.quotes += 1
        self._set_prefix()

    def end_quote(self) -> None:
        self.quotes = max(self.quotes - 1, 0)
        self._set_prefix()

    def start_definition(self, attributes: Attributes) -> None:
        self.indent += 1
        self._set_prefix()

    def end_definition(self) -> None:
        self.indent = max(self.indent - 1, 0)
        self._set_prefix()

    def start_pre(self, attributes: Attributes) -> None:
        self.pre += 1

    def end_pre(self) -> None:
        self.pre = max(self.pre - 1, 0)

    def start_row(self, attributes: Attributes) -> None:
        self.cells.append(0)

    def end_row(self) -> None:
        if self.cells:
            self.cells.pop()

    def start_cell(self, attributes: Attributes) -> None:
        """Cells with text are a tab apart; one that begins a line of its own is not."""
        if self.cells:
            self.cells[-1] += 1
            if self.cells[-1] > 1 and not self.at_start:
                self.space = False
                self.put("\t")

    def start_break(self, attributes: Attributes) -> None:
        self.line_break()

    def start_rule(self, attributes: Attributes) -> None:
        self.put(RULE)

    def start_image(self, attributes: Attributes) -> None:
        alternative = _SPACE.sub(" ", attributes.get("alt", "")[:200]).strip()
        if alternative:
            self.put(f"[{alternative}]")


_STARTS: Final[dict[str, Callable[[_Writer, Attributes], None]]] = {
    "ul": _Writer.start_bullets, "ol": _Writer.start_numbers, "li": _Writer.start_item,
    "blockquote": _Writer.start_quote, "pre": _Writer.start_pre, "tr": _Writer.start_row, "td": _Writer.start_cell,
    "th": _Writer.start_cell, "br": _Writer.start_break, "hr": _Writer.start_rule, "img": _Writer.start_image,
    "a": _Writer.start_link, "dd": _Writer.start_definition,
}  # fmt: skip
_ENDS: Final[dict[str, Callable[[_Writer], None]]] = {
    "ul": _Writer.end_list, "ol": _Writer.end_list, "li": _Writer.end_item, "blockquote": _Writer.end_quote,
    "pre": _Writer.end_pre, "tr": _Writer.end_row, "a": _Writer.end_link, "dd": _Writer.end_definition,
}  # fmt: skip
