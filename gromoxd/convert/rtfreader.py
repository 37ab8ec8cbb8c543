"""Reads RTF: plain, or with HTML or text encapsulated in it ([MS-OXRTFEX] 2.1, 2.2.3). One pass over the tokens.

Compression ([MS-OXRTFCP]) is undone before, in `gromoxd.mapi.rtf`.
"""

from __future__ import annotations

import html
import re
from typing import Final, NamedTuple

from gromoxd.mapi import codepages

MAX_RTF: Final = 16 << 20
MAX_DEPTH: Final = 500
MAX_FONTS: Final = 2000
HTML, TEXT, RICH = "html", "text", "rich"
"""What the RTF was made from: encapsulated HTML, encapsulated text, nothing else."""

_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z'])|([{}])|([^\\{}\r\n]+)|[\r\n]+|.",
    re.DOTALL,
)
_CHARSETS: Final = {
    77: 10000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850, 0: 1252,
}  # fmt: skip
"""\\fcharset and its code page."""
_UNSEEN: Final = frozenset((
    b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"headerl", b"headerr", b"headerf", b"footer",
    b"footerl", b"footerr", b"footerf", b"footnote", b"annotation", b"fldinst", b"themedata", b"colorschememapping",
    b"listtable", b"listoverridetable", b"revtbl", b"rsidtbl", b"generator", b"datastore", b"latentstyles",
    b"xmlnstbl", b"nonshppict", b"filetbl", b"bkmkstart", b"bkmkend", b"atnid", b"atnauthor", b"template",
))  # fmt: skip
_LINES: Final = frozenset((b"par", b"line", b"row", b"page", b"sect", b"nestrow"))
_CHARACTERS: Final = {
    b"tab": "\t", b"cell": "\t", b"nestcell": "\t", b"lquote": "\u2018", b"rquote": "\u2019", b"ldblquote": "\u201c",
    b"rdblquote": "\u201d", b"bullet": "\u2022", b"endash": "\u2013", b"emdash": "\u2014", b"enspace": "\u2002",
    b"emspace": "\u2003", b"qmspace": "\u2005", b"zwj": "\u200d", b"zwnj": "\u200c", b"ltrmark": "\u200e",
    b"rtlmark": "\u200f",
}  # fmt: skip
_IN_HTML: Final = {
    "\u2018": "&lsquo;", "\u2019": "&rsquo;", "\u201c": "&ldquo;", "\u201d": "&rdquo;", "\u2022": "&bull;",
    "\u2013": "&ndash;", "\u2014": "&mdash;",
}  # fmt: skip
"""[MS-OXRTFEX] 2.1.3.2."""
_STYLES: Final = {b"b": "b", b"i": "i", b"ul": "u", b"strike": "s"}


class RtfBody(NamedTuple):
    """`text` is HTML when the kind is HTML or (asked for as rich) RICH, else plain text with CRLF line ends."""

    kind: str
    text: str


def read_rtf(rtf: bytes, rich: bool = False) -> RtfBody:
    """What an RTF document says; with `rich` a document without encapsulation comes as a fragment of HTML."""
    return _Reader(rtf[:MAX_RTF], rich).read()


def kind_of(rtf: bytes) -> str:
    """HTML, TEXT or RICH, from the words of the header ([MS-OXRTFEX] 2.2.3.1)."""
    for match in list(_TOKEN.finditer(rtf[:512]))[:16]:
        if match.group(1) == b"fromhtml" and match.group(2) != b"0":
            return HTML
        if match.group(1) == b"fromtext":
            return TEXT
        if match.group(1) == b"fonttbl":
            break
    return RICH


class _Reader:
    """The state of one group is in `skip` … `styles`; `stack` has those of the groups around it."""

    def __init__(self, rtf: bytes, rich: bool) -> None:
        self.rtf = rtf
        self.kind = kind_of(rtf)
        self.markup = rich and self.kind == RICH
        self.out: list[str] = []
        self.octets: list[bytes] = []
        self.code_page = codepages.WESTERN
        self.fonts: dict[int, int] = {}
        self.font_page: int | None = None
        self.in_fonts = self.skip = self.tag = self.off = self.starred = False
        self.uc, self.to_skip, self.font = 1, 0, 0
        self.styles: tuple[str, ...] = ()
        self.open: tuple[str, ...] = ()
        self.stack: list[tuple[bool, bool, bool, bool, int, int | None, tuple[str, ...]]] = []
        self.deeper = 0
        """Groups beyond MAX_DEPTH; their state is not kept."""
        self.surrogates = False

    def read(self) -> RtfBody:
        rtf, at, end, match = self.rtf, 0, len(self.rtf), _TOKEN.match
        while at < end:
            token = match(rtf, at)
            if token is None:
                break
            at = token.end()
            kind = token.lastindex
            if kind == 6:
                self.run(token.group(6))
            elif kind == 3:
                self.run(bytes.fromhex(token.group(3).decode()), escaped=True)
            elif kind == 5:
                self.flush()
                self.brace(token.group(5))
                if not self.stack:
                    break
            elif kind == 4:
                self.symbol(token.group(4))
            elif kind is not None:
                word = token.group(1)
                number = token.group(2)
                self.word(word, None if number is None else int(number))
                if word == b"bin" and number is not None:
                    at += max(int(number), 0)
            self.starred = kind == 4 and token.group(4) == b"*"
        self.flush()
        self.close_styles()
        text = "".join(self.out)
        if self.surrogates:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return RtfBody(self.kind, text.replace("\0", ""))

    # -------------------------------------------------------------------------------------- output

    @property
    def quiet(self) -> bool:
        """Whether text here is none of the document's."""
        return self.skip or self.in_fonts or (self.off and self.kind == HTML) or not self.stack

    def run(self, data: bytes, escaped: bool = False) -> None:
        """Octets of text in the current font's code page."""
        if self.to_skip:
            count = min(self.to_skip, len(data))
            self.to_skip -= count
            data = data[count:]
        if data and not self.quiet:
            self.octets.append(data)

    def flush(self) -> None:
        """Octets that follow one another are decoded together: a character may have several."""
        if self.octets:
            data = b"".join(self.octets)
            self.octets.clear()
            page = self.code_page if self.tag or self.font_page is None else self.font_page
            self.put(data.decode() if data.isascii() else codepages.decode(data, page))

    def put(self, text: str) -> None:
        if self.markup:
            if self.open != self.styles:
                self.close_styles()
                self.out += [f"<{style}>" for style in self.styles]
                self.open = self.styles
            text = html.escape(text, quote=False)
        self.out.append(text)

    def close_styles(self) -> None:
        self.out += [f"</{style}>" for style in reversed(self.open)]
        self.open = ()

    def character(self, char: str) -> None:
        """A character that a control word stands for."""
        self.flush()
        if self.quiet:
            return
        if self.kind == HTML and not self.tag:
            char = _IN_HTML.get(char, char)
        self.put(char)

    def end_line(self) -> None:
        self.flush()
        if not self.quiet:
            self.out.append("<br>\r\n" if self.markup else "\r\n")

    # -------------------------------------------------------------------------------------- tokens

    def brace(self, brace: bytes) -> None:
        self.to_skip = 0
        if brace == b"{":
            if len(self.stack) < MAX_DEPTH:
                state = (self.skip, self.tag, self.off, self.in_fonts, self.uc, self.font_page, self.styles)
                self.stack.append(state)
            else:
                self.deeper += 1
        elif self.deeper:
            self.deeper -= 1
        elif self.stack:
            self.skip, self.tag, self.off, self.in_fonts, self.uc, self.font_page, self.styles = self.stack.pop()

    def symbol(self, char: bytes) -> None:
        if self.to_skip:
            self.to_skip -= 1
        elif char in b"\\{}":
            self.run(char)
        elif char == b"~":
            self.character("&nbsp;" if self.kind == HTML and not self.tag else "\u00a0")
        elif char == b"_":
            self.character("&shy;" if self.kind == HTML and not self.tag else "\u2011")
        elif char in b"\r\n":
            self.end_line()

    def word(self, word: bytes, number: int | None) -> None:
        """A control word."""
        if word != b"u" and not self.to_skip and word not in _KEEPS_RUN:
            self.flush()
        if self.to_skip:
            self.to_skip -= 1
            return
        if self.starred and word != b"htmltag":
            self.skip = True
        elif word in _CHARACTERS:
            self.character(_CHARACTERS[word])
        elif word in _LINES:
            self.end_line()
        elif word in _UNSEEN:
            self.skip = True
        elif word in _STYLES:
            self.style(_STYLES[word], number != 0)
        else:
            handler = _WORDS.get(word)
            if handler is not None:
                handler(self, number)

    def style(self, name: str, on: bool) -> None:
        rest = tuple(style for style in self.styles if style != name)
        self.styles = (*rest, name) if on else rest

    def unicode(self, number: int | None) -> None:
        self.flush()
        if number is not None and not self.quiet and -0x8000 <= number <= 0x10FFFF:
            code = number + 0x10000 if number < 0 else number
            self.surrogates = self.surrogates or 0xD800 <= code <= 0xDFFF
            self.put(chr(code))
        self.to_skip = self.uc

    def set_uc(self, number: int | None) -> None:
        self.uc = min(max(number or 0, 0), 100)

    def set_font(self, number: int | None) -> None:
        self.font = number or 0
        if not self.in_fonts:
            self.font_page = self.fonts.get(self.font)

    def set_charset(self, number: int | None) -> None:
        if self.in_fonts and number in _CHARSETS and len(self.fonts) < MAX_FONTS:
            self.fonts[self.font] = _CHARSETS[number]

    def set_font_page(self, number: int | None) -> None:
        if self.in_fonts and number and len(self.fonts) < MAX_FONTS:
            self.fonts[self.font] = number

    def set_code_page(self, number: int | None) -> None:
        self.code_page = number or codepages.WESTERN

    def start_fonts(self, number: int | None) -> None:
        self.in_fonts = True

    def html_tag(self, number: int | None) -> None:
        if self.kind == HTML:
            self.tag = True
        else:
            self.skip = True

    def html_rtf(self, number: int | None) -> None:
        self.off = number != 0

    def plain(self, number: int | None) -> None:
        self.styles = ()

    def no_underline(self, number: int | None) -> None:
        self.style("u", False)


_KEEPS_RUN: Final = frozenset((b"uc",))
_WORDS: Final = {
    b"u": _Reader.unicode, b"uc": _Reader.set_uc, b"f": _Reader.set_font, b"fcharset": _Reader.set_charset,
    b"cpg": _Reader.set_font_page, b"ansicpg": _Reader.set_code_page, b"fonttbl": _Reader.start_fonts,
    b"htmltag": _Reader.html_tag, b"htmlrtf": _Reader.html_rtf, b"plain": _Reader.plain,
    b"ulnone": _Reader.no_underline,
}  # fmt: skip
