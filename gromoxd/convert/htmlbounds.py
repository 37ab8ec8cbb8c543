"""HTML that a parser made after the standard takes in linear time: what is too deep, dense or odd is found before.

Such a parser looks through its open elements at most tags, and makes anew the formatting elements that a block closed
(HTML 13.2.4.3, 13.2.6.4.7). `bounded` reads the tags, drops what is never shown and leaves a document whose tags are
what was counted here.
"""

from __future__ import annotations

import re
from typing import Final

MAX_DEPTH: Final = 512
MAX_BARE: Final = 20_000
"""Ampersands that begin no reference; each is an error to the parser, which is slow about those."""
FEW_TAGS, SHORT = 250, 64 << 10
"""What is not looked at: no short document is slow."""
FREE_TAGS, OCTETS_PER_TAG = 20_000, 16
"""Documents with more than so many tags, and more than one in so many characters, are not read."""
LOOKS_PER_COPY, WORK, WORK_PER_TAG = 100, 60_000, 3
"""What is allowed: an element that is made anew costs as much as a hundred that are looked at."""
MANY_ATTRIBUTES: Final = 1000
"""Characters of a tag; with more, it has none."""

_GAP: Final = r"[ \t\r\n\f]"
_ATTRIBUTE: Final = (
    rf"(?:{_GAP}|/)++[^ \t\r\n\f\"'<>/=\0]++(?:{_GAP}*+={_GAP}*+(?:\"[^\"]*+\"|'[^']*+'|[^ \t\r\n\f\"'<>=`]++))?+"
)
_ONE: Final = re.compile(_ATTRIBUTE)
_TAG: Final = re.compile(rf"<(/?)([a-zA-Z][a-zA-Z0-9:_.-]*+)((?:{_ATTRIBUTE})*+)(?:{_GAP}|/)*+>")
_BARE: Final = re.compile(r"&(?!#?[0-9A-Za-z]{1,32};)")
_UNSEEN: Final = {name: re.compile(rf"</{name}[^>]*+>?", re.IGNORECASE) for name in ("script", "style", "title")}

_VOID: Final = frozenset(("area", "br", "col", "hr", "img", "wbr"))
_FORMATTING: Final = frozenset(
    ("a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u")
)
_INLINE: Final = frozenset(
    ("abbr", "acronym", "bdi", "bdo", "cite", "del", "dfn", "ins", "kbd", "map", "mark", "q", "rp", "rt", "ruby",
     "samp", "span", "sub", "sup", "time", "var")
)  # fmt: skip
_TABLE: Final = frozenset(("table", "tbody", "thead", "tfoot", "tr", "td", "th", "caption", "colgroup"))
_HEADINGS: Final = ("h1", "h2", "h3", "h4", "h5", "h6")
_WALLS: Final = frozenset(("table", "td", "th", "caption"))
_REPLACES: Final = {
    "li": ("li",), "dt": ("dt", "dd"), "dd": ("dt", "dd"), "td": ("td", "th"), "th": ("td", "th"), "tr": ("tr",),
}  # fmt: skip
"""Elements that end the one before, which needs no end tag."""


class TooMuch(Exception):
    """It cannot be read in the time there is."""


def bounded(html: str, allowed: frozenset[str]) -> str:
    """The document, or what of it the elements `allowed` are. TooMuch."""
    tags = html.count("<")
    if tags > FREE_TAGS and tags * OCTETS_PER_TAG > len(html):
        raise TooMuch("tags")
    if html.count("&") > MAX_BARE and sum(1 for _ in _BARE.finditer(html)) > MAX_BARE:
        raise TooMuch("ampersands")
    if tags <= FEW_TAGS and len(html) <= SHORT:
        return html
    return _Reader(html, allowed, WORK + tags * WORK_PER_TAG).result()


class _Reader:
    """One pass over the tags of a document."""

    def __init__(self, html: str, allowed: frozenset[str], work: int) -> None:
        self._html = html
        self._allowed = allowed
        self._work = work * LOOKS_PER_COPY
        self._open: list[str] = []
        self._count: dict[str, int] = {}
        self._formatting = 0
        """Formatting elements that are open or would be made anew."""

    def result(self) -> str:
        html, out, at = self._html, [], 0
        while (found := html.find("<", at)) >= 0:
            out.append(html[at:found])
            tag = _TAG.match(html, found)
            if tag is None:
                shown, at = self._other(found)
            else:
                at = tag.end()
                end, name, attributes = tag.groups()
                name = name.lower()
                if name in _UNSEEN and not end:
                    shown, at = "", self._behind(name, at)
                elif name not in self._allowed:
                    shown = ""
                elif end:
                    shown = f"</{name}>" if self._closes(name) or name == "p" else ""  # </p> alone is a paragraph
                else:
                    self._opens(name)
                    few = len(attributes) <= MANY_ATTRIBUTES or len(_ONE.findall(attributes)) <= MANY_ATTRIBUTES // 10
                    shown = tag[0] if few else f"<{name}>"
            out.append(shown)
            self._work -= len(self._open) + self._formatting * LOOKS_PER_COPY
            if self._work < 0:
                raise TooMuch("work")
        out.append(html[at:])
        return "".join(out)

    def _other(self, at: int) -> tuple[str, int]:
        """A comment or something like one, which goes; or a sign that begins no tag (HTML 13.2.5.6, 13.2.5.42)."""
        html = self._html
        if html.startswith("<!--", at):
            end = html.find("-->", at + 2)
            return "", len(html) if end < 0 else end + 3
        if html[at + 1 : at + 2] in ("!", "?") or (
            html[at + 1 : at + 2] == "/" and not html[at + 2 : at + 3].isalpha()
        ):
            end = html.find(">", at)
            return "", len(html) if end < 0 else end + 1
        return "&lt;", at + 1

    def _behind(self, name: str, at: int) -> int:
        """Where an element without elements ends (HTML 13.2.5.2)."""
        end = _UNSEEN[name].search(self._html, at)
        return len(self._html) if end is None else end.end()

    # ------------------------------------------------------------------------------------------ open elements

    def _opens(self, name: str) -> None:
        if name in _VOID:
            return
        if self._open:
            last = self._open[-1]
            if last in _REPLACES.get(name, ()) or (
                last == "p" and name not in _FORMATTING and name not in _INLINE and name not in _TABLE
            ):
                self._pop(len(self._open) - 1)
            elif name == "tr" and last in ("td", "th") and self._open[-2:-1] == ["tr"]:
                self._pop(len(self._open) - 2)
        self._open.append(name)
        self._count[name] = self._count.get(name, 0) + 1
        self._formatting += name in _FORMATTING
        if len(self._open) > MAX_DEPTH or self._formatting > MAX_DEPTH:
            raise TooMuch("depth")

    def _closes(self, name: str) -> bool:
        """Whether an end tag ends something; fewer elements are taken for closed than are."""
        if not self._count.get(name):
            if name not in _HEADINGS:
                return False
            name = next((one for one in _HEADINGS if self._count.get(one)), name)  # any of them ends any other
        for at in range(len(self._open) - 1, -1, -1):
            self._work -= LOOKS_PER_COPY // 4
            one = self._open[at]
            if one == name:
                self._pop(at, whole=name not in _FORMATTING)
                return True
            if one == "table" or (one in _WALLS and name not in _TABLE):
                return False
            if one not in _FORMATTING and one not in _INLINE and (name in _INLINE or name in _FORMATTING):
                return False
        return False

    def _pop(self, at: int, *, whole: bool = True) -> None:
        gone = self._open[at:] if whole else self._open[at : at + 1]
        for one in gone:
            self._count[one] -= 1
        self._formatting -= gone[0] in _FORMATTING  # those within it are made anew
        if whole:
            del self._open[at:]
        else:
            del self._open[at]
