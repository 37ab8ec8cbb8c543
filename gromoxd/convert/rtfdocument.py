"""Ordinary RTF (nothing encapsulated in it) as HTML: paragraphs, tables, lists, links, and how characters look.

What a mail or note shows, not a page layout: cells have no widths, pictures and objects are left out. The words are
those of the Rich Text Format specification 1.9.1.
"""

from __future__ import annotations

import html
import re
from typing import Any, Final, NamedTuple

from gromoxd.convert.rtfreader import MAX_RTF, Reader

MAX_COLORS, MAX_CELLS, MAX_LEVEL = 256, 1000, 9

_TAGS: Final = {
    b"b": "b",
    b"i": "i",
    b"ul": "u",
    b"strike": "s",
    b"uld": "u",
    b"uldb": "u",
    b"ulw": "u",
    b"striked": "s",
}
_RAISED: Final = {b"super": "sup", b"sub": "sub"}
_ALIGN: Final = {b"ql": "", b"qc": "center", b"qr": "right", b"qj": "justify"}
_NUMBER: Final = re.compile(r"\(?([0-9]{1,6})[.):]*")
_LETTERS: Final = re.compile(r"\(?[A-Za-z]{1,5}[.)]")
_COLOR, _MARKED, _SIZE, _HREF = (
    'span style="color:',
    'span style="background-color:',
    'span style="font-size:',
    "a href=",
)


class Block(NamedTuple):
    """A paragraph (`kind` div), an item of a list (ul, ol) of some level, or a table: its HTML, and what div has."""

    kind: str
    html: str
    attributes: str = ""
    level: int = 0
    start: int = 1


def rtf_fragment(rtf: bytes) -> str:
    """The document as a fragment of HTML."""
    return _DocumentReader(rtf[:MAX_RTF]).read().text


class _DocumentReader(Reader):
    """`out` has the HTML of the paragraph that is being read; `blocks` the paragraphs before it, in its cell or out of
    any table."""

    def __init__(self, rtf: bytes) -> None:
        super().__init__(rtf)
        self.open: tuple[str, ...] = ()
        self.blocks: list[Block] = []
        self.before: list[Block] = []
        """What is before the table that is being read."""
        self.cells: list[str] = []
        self.rows: list[list[str]] = []
        self.in_table = False
        self.colors: list[str] = []
        self.color: list[int] = [0, 0, 0]
        self.any_color = self.in_colors = False
        self.align, self.left, self.level = "", 0, 0
        self.mark: list[str] | None = None
        """The mark of a list item, while that is read."""
        self.item = ""

    # -------------------------------------------------------------------------------------- groups

    def state(self) -> tuple[Any, ...]:
        return (super().state(), self.in_colors, self.mark)

    def restore(self, state: tuple[Any, ...]) -> None:
        own, self.in_colors, mark = state
        super().restore(own)
        if self.mark is not None and mark is None:
            self.item = "".join(self.mark).strip()
        self.mark = mark

    def end_link(self, target: str, start: int) -> None:
        """The link ends with its group, as any style does."""

    def start_link(self, target: str) -> None:
        self.styled(_HREF, f'"{html.escape(target)}"')

    # -------------------------------------------------------------------------------------- text

    def run(self, data: bytes, escaped: bool = False) -> None:
        if self.in_colors:
            for _ in range(min(data.count(b";"), MAX_COLORS - len(self.colors))):
                self.colors.append("#{:02x}{:02x}{:02x}".format(*self.color) if self.any_color else "")
                self.color, self.any_color = [0, 0, 0], False
            return
        super().run(data, escaped)

    def put(self, text: str) -> None:
        if self.mark is not None:
            self.mark.append(text)
            return
        if self.rows and not self.in_table and not self.cells:
            self.end_table()
        if self.open != self.styles:
            self.close_styles()
            self.out += [f"<{style}>" for style in self.styles]
            self.open = self.styles
        text = html.escape(text, quote=False).replace("\t", "&nbsp;&nbsp;&nbsp; ")
        self.out.append(text.replace("  ", "&nbsp; ") if "  " in text else text)

    def close_styles(self) -> None:
        self.out += [f"</{style.partition(' ')[0]}>" for style in reversed(self.open)]
        self.open = ()

    # -------------------------------------------------------------------------------------- paragraphs and tables

    def end_line(self, word: bytes = b"line") -> None:
        self.flush()
        if self.quiet or self.instruction is not None or self.mark is not None:
            return
        if word in (b"line", b"nestrow"):
            self.out.append("<br>\r\n")
        elif word == b"row":
            self.end_row()
        else:
            self.end_paragraph()

    def end_paragraph(self) -> None:
        if self.rows and not self.in_table and not self.cells:
            self.end_table()
        self.close_styles()
        text = "".join(self.out)
        self.out = []
        mark, self.item = self.item, ""
        if mark:
            number = _NUMBER.fullmatch(mark)
            kind = "ol" if number is not None or _LETTERS.fullmatch(mark) else "ul"
            first = int(number.group(1)) if number is not None else 1
            self.blocks.append(Block(kind, text, "", self.level, first))
            return
        attributes = f' align="{self.align}"' if self.align else ""
        if self.left > 0:
            attributes += f' style="margin-left:{min(self.left, 20000) // 20}pt"'
        self.blocks.append(Block("div", text or "<br>", attributes))

    def end_cell(self) -> None:
        self.flush()
        if self.quiet:
            return
        if not self.in_table and not self.rows and not self.cells:
            self.set_apart()
        self.in_table = True
        if self.out or self.item:
            self.end_paragraph()
        if len(self.cells) < MAX_CELLS:
            self.cells.append(_joined(self.blocks, tight=True))
        self.blocks = []

    def end_row(self) -> None:
        if self.out:
            self.end_cell()
        if self.cells:
            self.rows.append(self.cells)
        self.cells, self.blocks, self.in_table = [], [], False

    def enter_table(self) -> None:
        if not self.in_table and not self.rows and not self.cells:
            if self.out:
                self.end_paragraph()
            self.set_apart()
        self.in_table = True

    def set_apart(self) -> None:
        """What comes now is a table's."""
        if self.before:
            self.before += self.blocks
        else:
            self.before = self.blocks
        self.blocks = []

    def end_table(self) -> None:
        rows = ["<tr>" + "".join([f"<td>{cell}</td>" for cell in row]) + "</tr>\r\n" for row in self.rows]
        self.rows = []
        if rows:
            self.before.append(Block("table", "".join(rows)))
        self.before += self.blocks
        self.blocks, self.before = self.before, []

    def result(self) -> str:
        self.close_styles()
        if self.out or self.item:
            self.end_paragraph()
        if self.cells:
            self.end_row()
        if self.rows or self.before:
            self.end_table()
        return _joined(self.blocks)

    # -------------------------------------------------------------------------------------- looks

    def styled(self, start: str, rest: str) -> None:
        """Characters have the style that begins so, or none of that kind with '' as the rest."""
        others = tuple(style for style in self.styles if not style.startswith(start))
        self.styles = (*others, start + rest) if rest else others

    def switch(self, tag: str, on: bool) -> None:
        others = tuple(style for style in self.styles if style != tag)
        self.styles = (*others, tag) if on else others

    def other(self, word: bytes, number: int | None) -> None:
        if self.in_colors:
            if word in _COLORS and number is not None:
                self.color[_COLORS[word]] = min(max(number, 0), 255)
                self.any_color = True
        elif word in _TAGS:
            self.switch(_TAGS[word], number != 0)
        elif word in _RAISED:
            self.switch("sup", word == b"super" and number != 0)
            self.switch("sub", word == b"sub" and number != 0)
        elif word in _ALIGN:
            self.align = _ALIGN[word]
        else:
            self.special(word, number or 0)

    def special(self, word: bytes, number: int) -> None:
        """Words with a number, and those of paragraphs and tables."""
        if word == b"cf":
            self.styled(_COLOR, f'{self.colors[number]}"' if self.named(number) else "")
        elif word in (b"highlight", b"cb", b"chcbpat"):
            self.styled(_MARKED, f'{self.colors[number]}"' if self.named(number) else "")
        elif word == b"fs":
            self.styled(_SIZE, f'{number / 2:g}pt"' if 4 <= number <= 400 else "")
        elif word == b"ulnone":
            self.switch("u", False)
        elif word == b"nosupersub":
            self.switch("sup", False)
            self.switch("sub", False)
        elif word == b"pard" and self.mark is None:
            self.align, self.left, self.level, self.in_table = "", 0, 0, False
        elif word == b"li":
            self.left = number
        elif word in (b"ilvl", b"pnlvl"):
            self.level = min(max(number, 0), MAX_LEVEL)
        elif word == b"intbl":
            self.enter_table()
        elif word in (b"listtext", b"pntext"):
            self.mark = []

    def named(self, number: int) -> bool:
        return 0 <= number < len(self.colors) and bool(self.colors[number])

    def word(self, word: bytes, number: int | None) -> None:
        if word == b"cell" and not self.to_skip and not self.starred:
            self.end_cell()
        elif word == b"colortbl":
            self.flush()
            self.in_colors = True
        else:
            super().word(word, number)


_COLORS: Final = {b"red": 0, b"green": 1, b"blue": 2}


def _joined(blocks: list[Block], tight: bool = False) -> str:
    """The blocks one after the other, items in lists of their levels; one paragraph alone needs no div in a cell."""
    if tight and len(blocks) == 1 and blocks[0].kind == "div" and not blocks[0].attributes:
        return blocks[0].html if blocks[0].html != "<br>" else ""
    out: list[str] = []
    lists: list[str] = []
    for block in blocks:
        if block.kind not in ("ul", "ol"):
            out += [f"</{kind}>\r\n" for kind in reversed(lists)]
            lists.clear()
            border = ' border="1"' if block.kind == "table" else block.attributes
            out.append(f"<{block.kind}{border}>{block.html}</{block.kind}>\r\n")
            continue
        while len(lists) > block.level + 1 or (len(lists) == block.level + 1 and lists[-1] != block.kind):
            out.append(f"</{lists.pop()}>\r\n")
        while len(lists) < block.level + 1:
            start = f' start="{block.start}"' if block.kind == "ol" and block.start > 1 else ""
            out.append(f"<{block.kind}{start}>\r\n")
            lists.append(block.kind)
        out.append(f"<li>{block.html}</li>\r\n")
    out += [f"</{kind}>\r\n" for kind in reversed(lists)]
    return "".join(out)
