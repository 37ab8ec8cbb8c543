"""HTML to plain text and back, for the forms of a body that a message was not made with ([MS-OXBBODY] 2.1.3).

HTML is read with lxml, walked once, and never executed or fetched. Text has CRLF line ends.
"""

from __future__ import annotations

import html as entities
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from lxml import etree

MAX_HTML: Final = 16 << 20
"""Characters that are looked at."""
MAX_QUOTE, MAX_INDENT = 20, 10
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
_HIDDEN: Final = re.compile(r"display\s*:\s*none|mso-hide\s*:\s*all", re.IGNORECASE)
_ENDS_DOCUMENT: Final = re.compile(r"</(?:html|body)\s*>", re.IGNORECASE)
"""The parser would stop there; mail goes on, when a list adds its footer."""
_UNSEEN: Final = re.compile(r"<(script|style|title)\b[^<>]*>[^<]*|<!--[^<>]*-->", re.IGNORECASE)
_BREAKING: Final = re.compile(r"<(?:br|/p|/div|/tr|/li|/h[1-6])\b[^<>]*>", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")


class _Writer:
    """Lines of text with the prefix of quotes and lists; breaks are written when something follows them."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.breaks = 0
        self.quoted = 0
        """The quotes around the last line."""
        self.space = False
        self.at_start = True
        self.quotes = 0
        self.indent = 0
        self.pre = 0

    def end_line(self, blank: bool = False) -> None:
        """What follows is on a new line, after an empty one with `blank`."""
        if self.parts:
            wanted = 2 if blank else 1
            if not self.at_start or wanted > 1:
                self.breaks = max(self.breaks, wanted)
            self.at_start = True
        self.space = False

    def line_break(self) -> None:
        """<br>."""
        self.breaks += 1
        self.at_start, self.space = True, False

    def _begin(self) -> None:
        quotes = min(self.quotes, MAX_QUOTE)
        if self.breaks:
            between = "\n" + ("> " * min(quotes, self.quoted)).rstrip()
            self.parts += [between] * (min(self.breaks, 50) - 1)
            self.parts.append("\n")
        self.parts.append("> " * quotes)
        self.breaks, self.quoted = 0, quotes
        self.parts.append("  " * min(self.indent, MAX_INDENT))
        self.at_start = False

    def put(self, text: str) -> None:
        """Text as it is, on the current line."""
        if self.at_start or not self.parts:
            self._begin()
        elif self.space:
            self.parts.append(" ")
        self.space = False
        self.parts.append(text)

    def text(self, text: str) -> None:
        """Text of the document, white space collapsed outside <pre>."""
        if self.pre:
            self._preformatted(text)
            return
        words = _SPACE.sub(" ", text)
        body = words.strip(" ")
        if not body:
            self.space = self.space or bool(words)
            return
        if words[0] == " ":
            self.space = True
        if self.at_start:
            self.space = False
        self.put(body)
        self.space = words[-1] == " "

    def _preformatted(self, text: str) -> None:
        for number, line in enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")):
            if number:
                self.line_break()
            if line:
                self.put(line)

    def result(self) -> str:
        lines = "".join(self.parts).replace("\u00a0", " ").split("\n")
        return "\r\n".join([line.rstrip(" \t") for line in lines])


def html_to_text(html: str) -> str:
    """The text that a reader of the document sees: lists, quotes, tables and links marked as in plain mail."""
    root = parse(html)
    if root is None:
        return _stripped(html[:MAX_HTML])
    writer = _Writer()
    lists: list[int] = []
    skipping: Any = None
    links: list[tuple[Any, int]] = []
    for event, node in etree.iterwalk(root, events=("start", "end", "comment", "pi")):
        if event == "start":
            if skipping is None:
                if node.tag in _SKIPPED or _HIDDEN.search(node.get("style", "")[:1000]):
                    skipping = node
                    continue
                _open(writer, node, lists, links)
                if node.text:
                    writer.text(node.text)
            continue
        if event == "end":
            if skipping is node:
                skipping = None
            elif skipping is None:
                _close(writer, node, lists, links)
        if skipping is None and node.tail:
            writer.text(node.tail)
    return writer.result()


def parse(html: str) -> Any:
    """The root element, None when there is none or it is nested some thousand levels deep. Never raises."""
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_blank_text=False, huge_tree=True)
    data = _ENDS_DOCUMENT.sub("", html[:MAX_HTML]).replace("\0", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(data, parser) if data.strip() else None
    except etree.XMLSyntaxError:
        return None
    deep = any("xcessive depth" in entry.message for entry in parser.error_log)
    return None if deep else root


def _stripped(html: str) -> str:
    """Text of what the parser does not take: tags go."""
    text = _BREAKING.sub("\n", _UNSEEN.sub("", html))
    return entities.unescape(_TAG.sub("", text)).replace("\0", "").strip().replace("\r\n", "\n").replace("\n", "\r\n")


def _open(writer: _Writer, node: Any, lists: list[int], links: list[tuple[Any, int]]) -> None:
    tag = node.tag
    if tag in _BLOCKS:
        writer.end_line(blank=tag in _PARAGRAPHS and not _is_tight(node))
    handler = _STARTS.get(tag)
    if handler is not None:
        handler(writer, node, lists)
    elif tag == "a":
        links.append((node, len(writer.parts)))


def _close(writer: _Writer, node: Any, lists: list[int], links: list[tuple[Any, int]]) -> None:
    tag = node.tag
    if tag == "a" and links and links[-1][0] is node:
        _link(writer, node, links.pop()[1])
    handler = _ENDS.get(tag)
    if handler is not None:
        handler(writer, node, lists)
    if tag in _BLOCKS:
        writer.end_line(blank=tag in _PARAGRAPHS and not _is_tight(node))


def _is_tight(node: Any) -> bool:
    """Outlook's paragraphs have no space between them: empty ones are written for that."""
    return node.tag == "p" and (node.get("class") or "").startswith("Mso")


def _link(writer: _Writer, node: Any, start: int) -> None:
    target = (node.get("href") or "").strip()[:2000]
    scheme = target[:8].lower()
    if not scheme.startswith(("http:", "https:", "mailto:", "ftp:", "tel:")):
        return
    shown = "".join(writer.parts[start:]).strip()
    plain = target.removeprefix("mailto:").removeprefix("tel:")
    if plain.rstrip("/") not in (shown, shown.rstrip("/"), "http://" + shown, "https://" + shown):
        writer.space = writer.space or bool(shown)
        writer.put(f"<{plain}>" if shown else plain)


def _start_list(writer: _Writer, node: Any, lists: list[int]) -> None:
    if not lists:
        writer.end_line(blank=True)
    start = node.get("start") or "1"
    first = int(start) if start.isascii() and start.isdigit() and len(start) < 7 else 1
    lists.append(first if node.tag == "ol" else -1)
    writer.indent = len(lists) - 1


def _end_list(writer: _Writer, node: Any, lists: list[int]) -> None:
    if lists:
        lists.pop()
    writer.indent = max(len(lists) - 1, 0)
    if not lists:
        writer.end_line(blank=True)


def _start_item(writer: _Writer, node: Any, lists: list[int]) -> None:
    if lists and lists[-1] >= 0:
        writer.put(f"{lists[-1]}. ")
        lists[-1] += 1
    else:
        writer.put("* ")
    writer.space = False


def _start_quote(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.quotes += 1


def _end_quote(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.quotes -= 1


def _start_pre(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.pre += 1


def _end_pre(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.pre -= 1


def _start_cell(writer: _Writer, node: Any, lists: list[int]) -> None:
    if node.getprevious() is not None and not writer.at_start:
        writer.space = False
        writer.put("\t")


def _break(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.line_break()


def _rule(writer: _Writer, node: Any, lists: list[int]) -> None:
    writer.put(RULE)


def _image(writer: _Writer, node: Any, lists: list[int]) -> None:
    alternative = _SPACE.sub(" ", (node.get("alt") or "")[:200]).strip()
    if alternative:
        writer.put(f"[{alternative}]")


_Handler = Callable[[_Writer, Any, list[int]], None]
_STARTS: Final[dict[str, _Handler]] = {
    "ul": _start_list, "ol": _start_list, "li": _start_item, "blockquote": _start_quote, "pre": _start_pre,
    "td": _start_cell, "th": _start_cell, "br": _break, "hr": _rule, "img": _image,
}  # fmt: skip
_ENDS: Final[dict[str, _Handler]] = {
    "ul": _end_list, "ol": _end_list, "blockquote": _end_quote, "pre": _end_pre
}  # fmt: skip


# ------------------------------------------------------------------------------------------ text to HTML

_URL: Final = re.compile(r"\bhttps?://[^\s<>\"'\x00-\x20]{1,2000}", re.IGNORECASE)
_SPACES: Final = re.compile(r"^ | (?= )", re.MULTILINE)
_HEAD: Final = '<html><head><meta http-equiv="Content-Type" content="text/html; charset=%s"></head><body>'


def text_to_html(text: str, charset: str | None = "utf-8") -> str:
    """A document that shows the text, its line breaks and runs of spaces kept, its links made links."""
    return f"{_HEAD % (charset or 'utf-8')}\r\n<div>{text_fragment(text)}</div>\r\n</body></html>\r\n"


def text_fragment(text: str) -> str:
    """The same as a fragment of a document."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    out = "".join(_linked(text)) if "://" in text else entities.escape(text, quote=False)
    return _SPACES.sub("&nbsp;", out).replace("\t", "&nbsp;&nbsp;&nbsp; ").replace("\n", "<br>\r\n")


def _linked(text: str) -> Iterator[str]:
    at = 0
    for match in _URL.finditer(text):
        url = match.group().rstrip(".,;:!?)]}")
        yield entities.escape(text[at : match.start()], quote=False)
        yield f'<a href="{entities.escape(url)}">{entities.escape(url, quote=False)}</a>'
        at = match.start() + len(url)
    yield entities.escape(text[at:], quote=False)
