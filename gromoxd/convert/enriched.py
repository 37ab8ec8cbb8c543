"""text/enriched (RFC 1896) as HTML ([MS-OXCMAIL] 2.2.3.3.2): bounded, linear, balanced whatever comes."""

from __future__ import annotations

import re
from html import escape
from typing import Final

_TOKEN = re.compile(r"<<|<(/?)([A-Za-z0-9-]{1,60})>|(?:\r?\n)+|[^<\r\n]+|.", re.DOTALL)
_ELEMENTS: Final = {
    "bold": "b", "italic": "i", "underline": "u", "fixed": "tt", "smaller": "small", "bigger": "big",
    "excerpt": "blockquote", "paraindent": "div", "indent": "div", "center": "center", "flushleft": "div",
    "flushright": "div", "flushboth": "div", "nofill": "pre", "color": "span", "fontfamily": "span", "lang": "span",
}  # fmt: skip
_STYLES: Final = {
    "indent": "margin-left: 2em", "paraindent": "margin-left: 2em", "flushright": "text-align: right",
    "flushboth": "text-align: justify",
}  # fmt: skip
_VALUE = re.compile(r"[A-Za-z0-9 ,-]{1,60}")
MAX_OPEN = 200


def enriched_to_html(text: str) -> str:
    """The document; parameters that are no plain words, and commands that are not known, go."""
    out: list[str] = ["<html><body>"]
    stack: list[str] = []
    param: list[str] | None = None
    filled = 0
    for match in _TOKEN.finditer(text):
        token, command = match.group(), (match.group(2) or "").lower()
        if command == "param":
            if match.group(1):
                _style(out, stack, "".join(param or ()))
            param = None if match.group(1) else []
        elif param is not None:
            param.append(token)
        elif command in _ELEMENTS:
            filled += (command == "nofill") * (-1 if match.group(1) else 1)
            _element(out, stack, command, bool(match.group(1)))
        elif not command:
            out.append(_text(token, filled > 0))
    out += [f"</{_ELEMENTS[name]}>" for name in reversed(stack)]
    return "".join(out) + "</body></html>"


def _text(token: str, preformatted: bool) -> str:
    """One line break is a space, n of them are n - 1 (RFC 1896 2)."""
    if token[0] in "\r\n" and not preformatted:
        count = token.count("\n")
        return "<br>\r\n" * (count - 1) if count > 1 else " "
    return escape("<" if token == "<<" else token, quote=False)


def _element(out: list[str], stack: list[str], command: str, closing: bool) -> None:
    if not closing:
        if len(stack) < MAX_OPEN:
            stack.append(command)
            style = _STYLES.get(command)
            out.append(f'<{_ELEMENTS[command]} style="{style}">' if style else f"<{_ELEMENTS[command]}>")
    elif command in stack:
        while stack:
            name = stack.pop()
            out.append(f"</{_ELEMENTS[name]}>")
            if name == command:
                return


def _style(out: list[str], stack: list[str], value: str) -> None:
    """The parameter of the command that was opened last."""
    style = {"color": "color", "fontfamily": "font-family"}.get(stack[-1] if stack else "")
    if style is not None and out[-1] == "<span>" and _VALUE.fullmatch(value.strip()):
        out[-1] = f'<span style="{style}: {value.strip().lower()}">'
