"""Reads RTF as text, or the HTML or text encapsulated in it ([MS-OXRTFEX] 2.1, 2.2.3). One pass over the tokens.

Compression ([MS-OXRTFCP]) is undone before, in `gromoxd.mapi.rtf`. Ordinary RTF as HTML is in `rtfdocument`.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

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
SYMBOL_PAGE: Final = 42
_CHARSETS: Final = {
    77: 10000, 128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
    178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850, 0: 1252, 2: SYMBOL_PAGE,
}  # fmt: skip
"""\\fcharset and its code page."""
_UNSEEN: Final = frozenset((
    b"colortbl", b"stylesheet", b"info", b"pict", b"object", b"header", b"headerl", b"headerr", b"headerf", b"footer",
    b"footerl", b"footerr", b"footerf", b"footnote", b"annotation", b"themedata", b"colorschememapping",
    b"listtable", b"listoverridetable", b"revtbl", b"rsidtbl", b"generator", b"datastore", b"latentstyles",
    b"xmlnstbl", b"nonshppict", b"filetbl", b"bkmkstart", b"bkmkend", b"atnid", b"atnauthor", b"template",
))  # fmt: skip
_LINES: Final = frozenset((b"par", b"line", b"row", b"page", b"sect", b"nestrow"))
_SYMBOLS: Final = {0xB7: "\u2022", 0xA7: "\u25aa", 0xA8: "\u25a1", 0xD8: "\u27a2", 0xFC: "\u2713", 0x6F: "o",
                   0xE0: "\u2192", 0xDF: "\u2190", 0xF0: "\u21e8", 0x76: "\u2756", 0x4A: "\u263a"}  # fmt: skip
"""Characters of symbol fonts (fcharset 2) that lists and mail use."""
_LINK: Final = re.compile(r'HYPERLINK\s+(?:\\l\s+)?"?([^"\s]{1,2000})', re.IGNORECASE)
_SCHEMES: Final = ("http://", "https://", "mailto:", "ftp://", "tel:")
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
MAX_INSTRUCTION: Final = 500


class RtfBody(NamedTuple):
    """`text` is HTML when the kind is HTML, else plain text with CRLF line ends."""

    kind: str
    text: str


def read_rtf(rtf: bytes) -> RtfBody:
    """What an RTF document says."""
    return Reader(rtf[:MAX_RTF]).read()


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


class Reader:
    """The state of one group is in `skip` ... `link`; `stack` has those of the groups around it."""

    def __init__(self, rtf: bytes) -> None:
        self.rtf = rtf
        self.kind = kind_of(rtf)
        self.out: list[str] = []
        self.octets: list[bytes] = []
        self.code_page = codepages.WESTERN
        self.fonts: dict[int, int] = {}
        self.font_page: int | None = None
        self.in_fonts = self.skip = self.tag = self.off = self.starred = self.hidden = False
        self.uc, self.to_skip, self.font = 1, 0, 0
        self.styles: tuple[str, ...] = ()
        self.link: tuple[str, int] | None = None
        """The target of the hyperlink whose text this group is, and where that starts in `out`."""
        self.stack: list[tuple[Any, ...]] = []
        self.deeper = 0
        """Groups beyond MAX_DEPTH; their state is not kept."""
        self.surrogates = False
        self.instruction: list[str] | None = None
        """What a field is to do, while that is read."""
        self.target = ""
        """Where the field leads whose instruction was read last."""

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
        text = self.result()
        if self.surrogates:
            text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        return RtfBody(self.kind, text.replace("\0", ""))

    def result(self) -> str:
        return "".join(self.out)

    # -------------------------------------------------------------------------------------- output

    @property
    def quiet(self) -> bool:
        """Whether text here is none of the document's."""
        return self.skip or self.in_fonts or self.hidden or (self.off and self.kind == HTML) or not self.stack

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
            if page == SYMBOL_PAGE and not self.tag:
                self.said("".join([_SYMBOLS.get(octet) or chr(octet) for octet in data]))
            else:
                self.said(data.decode() if data.isascii() else codepages.decode(data, page))

    def said(self, text: str) -> None:
        """Text of the document, or of what a field is to do."""
        if self.instruction is not None:
            if len(self.instruction) < MAX_INSTRUCTION:
                self.instruction.append(text)
        else:
            self.put(text)

    def put(self, text: str) -> None:
        self.out.append(text)

    def character(self, char: str) -> None:
        """A character that a control word stands for."""
        self.flush()
        if self.quiet:
            return
        if self.kind == HTML and not self.tag:
            char = _IN_HTML.get(char, char)
        self.said(char)

    def end_line(self, word: bytes = b"line") -> None:
        self.flush()
        if not self.quiet and self.instruction is None:
            if word in _ROWS and self.out and self.out[-1] == "\t":
                self.out.pop()
            self.out.append("\r\n")

    # -------------------------------------------------------------------------------------- tokens

    def brace(self, brace: bytes) -> None:
        self.to_skip = 0
        if brace == b"{":
            if len(self.stack) < MAX_DEPTH:
                self.stack.append(self.state())
                self.link = None
            else:
                self.deeper += 1
        elif self.deeper:
            self.deeper -= 1
        elif self.stack:
            if self.link is not None:
                self.end_link(*self.link)
            self.restore(self.stack.pop())

    def state(self) -> tuple[Any, ...]:
        """What ends with the group."""
        return (self.skip, self.tag, self.off, self.in_fonts, self.uc, self.font_page, self.styles, self.hidden,
                self.link, self.instruction)  # fmt: skip

    def restore(self, state: tuple[Any, ...]) -> None:
        told = self.instruction
        (self.skip, self.tag, self.off, self.in_fonts, self.uc, self.font_page, self.styles, self.hidden, self.link,
         self.instruction) = state  # fmt: skip
        if told is not None and self.instruction is None:
            found = _LINK.search("".join(told))
            self.target = found.group(1) if found is not None and found.group(1).lower().startswith(_SCHEMES) else ""

    def end_link(self, target: str, start: int) -> None:
        """The target is said when the text is another."""
        shown = "".join(self.out[start:]).strip()
        plain = target.removeprefix("mailto:").removeprefix("tel:")
        if shown and plain.rstrip("/") not in (shown.rstrip("/"), "http://" + shown, "https://" + shown):
            self.out.append(f" <{plain}>")

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
            self.end_line(b"par")

    def word(self, word: bytes, number: int | None) -> None:
        """A control word."""
        if word != b"u" and not self.to_skip and word not in _KEEPS_RUN:
            self.flush()
        if self.to_skip:
            self.to_skip -= 1
            return
        if self.starred and word not in _STARRED:
            self.skip = True
        elif word in _CHARACTERS:
            self.character(_CHARACTERS[word])
        elif word in _LINES:
            self.end_line(word)
        elif word in _UNSEEN:
            self.skip = True
        else:
            handler = _WORDS.get(word)
            if handler is not None:
                handler(self, number)
            else:
                self.other(word, number)

    def other(self, word: bytes, number: int | None) -> None:
        """A control word that says how something looks."""

    def unicode(self, number: int | None) -> None:
        self.flush()
        if number is not None and not self.quiet and -0x8000 <= number <= 0x10FFFF:
            code = number + 0x10000 if number < 0 else number
            self.surrogates = self.surrogates or 0xD800 <= code <= 0xDFFF
            self.said(self.private(code) if 0xF000 <= code <= 0xF0FF else chr(code))
        self.to_skip = self.uc

    def private(self, code: int) -> str:
        """A character of a symbol font, which Windows puts into the private use area."""
        return _SYMBOLS.get(code & 0xFF) or chr(code) if self.font_page == SYMBOL_PAGE else chr(code)

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
        self.styles, self.hidden = (), False

    def hide(self, number: int | None) -> None:
        if self.kind == RICH:
            self.hidden = number != 0

    def start_instruction(self, number: int | None) -> None:
        if self.kind != RICH or self.skip:
            self.skip = True
        else:
            self.instruction, self.target = [], ""

    def start_result(self, number: int | None) -> None:
        if self.target and self.kind == RICH and not self.skip:
            self.link, self.target = (self.target, len(self.out)), ""
            self.start_link(self.link[0])

    def start_link(self, target: str) -> None:
        """The text of a hyperlink begins with this group."""

    def mac(self, number: int | None) -> None:
        self.code_page = 10000

    def pc(self, number: int | None) -> None:
        self.code_page = 437

    def pca(self, number: int | None) -> None:
        self.code_page = 850


_ROWS: Final = frozenset((b"row", b"nestrow"))
_STARRED: Final = frozenset((b"htmltag", b"fldinst"))
"""Destinations after \\* that are read."""
_KEEPS_RUN: Final = frozenset((b"uc",))
_WORDS: Final = {
    b"u": Reader.unicode, b"uc": Reader.set_uc, b"f": Reader.set_font, b"fcharset": Reader.set_charset,
    b"cpg": Reader.set_font_page, b"ansicpg": Reader.set_code_page, b"fonttbl": Reader.start_fonts,
    b"htmltag": Reader.html_tag, b"htmlrtf": Reader.html_rtf, b"plain": Reader.plain, b"v": Reader.hide,
    b"deleted": Reader.hide, b"fldinst": Reader.start_instruction, b"fldrslt": Reader.start_result,
    b"mac": Reader.mac, b"pc": Reader.pc, b"pca": Reader.pca,
}  # fmt: skip
