"""RTF bodies: made from text or HTML with that encapsulated ([MS-OXRTFEX] 2.1, 2.2), and what an RTF body says.

The result is RTF as it is; `gromoxd.mapi.rtf` compresses it to PidTagRtfCompressed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from gromoxd.convert.html import html_to_text, text_to_html
from gromoxd.convert.rtfdocument import rtf_fragment
from gromoxd.convert.rtfreader import HTML, RICH, kind_of, read_rtf

_HEAD: Final = (
    "{\\rtf1\\ansi\\ansicpg1252\\%s \\fbidi \\deff0{\\fonttbl\r\n{\\f0\\fswiss\\fcharset0 Arial;}\r\n"
    "{\\f1\\fmodern\\fcharset0 Courier New;}}\r\n{\\colortbl\\red0\\green0\\blue0;\\red0\\green0\\blue255;}\r\n"
    "\\uc1\\pard\\plain\\deftab360 \\f0\\fs20 "
)
_SPECIAL: Final = re.compile(r"[\\{}\t\n]|[^\x00-\x7f]")


def text_to_rtf(text: str) -> bytes:
    """RTF with encapsulated plain text ([MS-OXRTFEX] 2.1.2)."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return (_HEAD % "fromtext" + escaped(text) + "\\par\r\n}\r\n").encode("ascii", "replace")


def escaped(text: str) -> str:
    """Text as RTF has it, line ends as \\par."""
    return _SPECIAL.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return _escaped(match.group())


@lru_cache(maxsize=8192)
def _escaped(char: str) -> str:
    if char in "\\{}":
        return "\\" + char
    if char == "\n":
        return "\\par\r\n"
    if char == "\t":
        return "\\tab "
    units = char.encode("utf-16-le", "surrogatepass")
    return "".join([
        f"\\u{int.from_bytes(units[at : at + 2], 'little', signed=True)}?" for at in range(0, len(units), 2)
    ])  # fmt: skip


# ------------------------------------------------------------------------------------------ HTML to RTF

_PIECE: Final = re.compile(
    r"(<!--|<[!?/]?[a-zA-Z][^<>]*>)|(&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)|([\r\n]+)"
)
_NAME: Final = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_END: Final = {"style": re.compile(r"</style", re.IGNORECASE), "script": re.compile(r"</script", re.IGNORECASE)}
_CODES: Final = {"html": 19, "head": 34, "body": 50, "p": 64, "div": 96}
"""HTMLTagParameter of start tags ([MS-OXRTFEX] 2.1.3.1.4.1); 8 more for the end tag."""
_AS_RTF: Final = {
    "br": "\\line\r\n", "/p": "\\par\r\n", "/div": "\\par\r\n", "/tr": "\\par\r\n", "/li": "\\par\r\n",
    "/h1": "\\par\r\n", "/h2": "\\par\r\n", "/h3": "\\par\r\n", "/td": "\\tab ", "li": "\\bullet\\tab ",
    "b": "{\\b ", "/b": "}", "strong": "{\\b ", "/strong": "}", "i": "{\\i ", "/i": "}", "em": "{\\i ", "/em": "}",
    "u": "{\\ul ", "/u": "}",
}  # fmt: skip
"""What a reader that knows no encapsulation is to show."""
_ENTITY_RTF: Final = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&nbsp;": "\\~", "&quot;": '"'}


def html_to_rtf(html: str) -> bytes:
    """RTF with the HTML encapsulated: `rtf_to_html` gives it back to the character ([MS-OXRTFEX] 2.1.3)."""
    out = [_HEAD % "fromhtml1", "{\\*\\htmltag64}"]
    out += _encapsulated(html.replace("\0", ""))
    out.append("}\r\n")
    return "".join(out).encode("ascii", "replace")


def _encapsulated(html: str) -> Iterator[str]:
    """The document piece by piece: what is no visible text goes into HTMLTAG groups."""
    at, in_head, opened = 0, False, 0
    while at < len(html):
        match = _PIECE.search(html, at)
        if match is None:
            yield _visible(html[at:], in_head)
            break
        if match.start() > at:
            yield _visible(html[at : match.start()], in_head)
        at = match.end()
        tag, entity, lines = match.groups()
        if tag == "<!--":
            at = html.find("-->", at) + 3
            at = at if at > 2 else len(html)
            yield f"{{\\*\\htmltag241 {escaped(_newlines(html[match.start() : at]))}}}"
        elif lines is not None:
            yield f"{{\\*\\htmltag{241 if in_head else 84} {escaped(_newlines(lines))}}}"
        elif entity is not None:
            shown = _ENTITY_RTF.get(entity, "?")
            yield f"{{\\*\\htmltag84 {entity}}}\\htmlrtf {shown}\\htmlrtf0 "
        else:
            name, number = _tag(tag, in_head)
            in_head = name == "head" or (in_head and name not in ("/head", "body"))
            yield f"{{\\*\\htmltag{number} {escaped(_newlines(tag))}}}"
            rtf, opened = _shown_as(name, opened)
            if rtf:
                yield f"\\htmlrtf {rtf}\\htmlrtf0 "
            if name in _END:
                end = _END[name].search(html, at)
                stop = end.start() if end is not None else len(html)
                yield f"{{\\*\\htmltag241 {escaped(_newlines(html[at:stop]))}}}"
                at = stop
    yield "\\htmlrtf " + "}" * opened + "\\htmlrtf0 " if opened else ""


def _newlines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _visible(text: str, in_head: bool) -> str:
    """Text between tags; in the head nobody is to see it."""
    return f"{{\\*\\htmltag241 {escaped(text)}}}" if in_head else escaped(text)


def _tag(tag: str, in_head: bool) -> tuple[str, int]:
    """(name with / of an end tag, HTMLTagParameter)."""
    match = _NAME.match(tag)
    if match is None:
        return "", 241 if in_head else 243
    name = match.group(2).lower()
    number = _CODES.get(name, 241 if in_head else 244)
    return (f"/{name}", number | 8) if match.group(1) else (name, number)


def _shown_as(name: str, opened: int) -> tuple[str, int]:
    """The RTF of a tag, its groups balanced; and how many groups are open then."""
    rtf = _AS_RTF.get(name, "")
    if rtf == "}":
        return (rtf, opened - 1) if opened else ("", 0)
    if rtf.startswith("{"):
        return (rtf, opened + 1) if opened < 100 else ("", opened)
    return rtf, opened


# ------------------------------------------------------------------------------------------ RTF to HTML and text


def rtf_to_html(rtf: bytes) -> str:
    """The encapsulated HTML, or a document of what the RTF says."""
    if kind_of(rtf) == RICH:
        return f"<html><body>\r\n{rtf_fragment(rtf)}</body></html>\r\n"
    body = read_rtf(rtf)
    return body.text if body.kind == HTML else text_to_html(body.text)


def rtf_to_text(rtf: bytes) -> str:
    """The encapsulated text, or the text of what the RTF or its HTML says."""
    body = read_rtf(rtf)
    return html_to_text(body.text) if body.kind == HTML else body.text.removesuffix("\r\n")
