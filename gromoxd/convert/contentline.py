"""Content lines, which iCalendar (RFC 5545 3.1) and vCard (RFC 6350 3.2 and 3.3, RFC 2426 2.1, vCard 2.1) share.

Lines are unfolded, taken apart into group, name, parameters and value, and written again. What a value means is in
`gromoxd.convert.ical` and `gromoxd.convert.vcard`; here are only the escapes and separators that both have. The reader
takes what programs really write: bare LF, a byte order mark, UTF-16, text in other charsets, lines cut without folding,
vCard 2.1's quoted-printable with soft line breaks and its bare parameters (`TEL;HOME:`).
"""

from __future__ import annotations

import binascii
import codecs
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from urllib.parse import unquote_to_bytes

from gromoxd.convert.charsets import decode, decode_unlabelled
from gromoxd.errors import WireError

MAX_OCTETS: Final = 256 << 20
MAX_LINES: Final = 4_000_000
MAX_PARAMS: Final = 64
MAX_PARAM_VALUES: Final = 64
MAX_PARAM_TEXT: Final = 16 << 10
MAX_JOINED: Final = 100_000
"""Physical lines of one value that soft line breaks or missing folds join."""
MAX_DEPTH: Final = 8
LINE: Final = 75
"""Octets of a line without its end (RFC 5545 3.1)."""

_FOLD = re.compile(rb"(?:\r?\n)+[ \t]")  # workaround: old Mozilla calendars have an empty line before the fold
_BREAK = re.compile(r"\r\n|\n|\r")
_HEAD = re.compile(r"[ \t]*(?:([A-Za-z0-9_-]{1,64})\.)?([A-Za-z0-9_-]{1,64})[ \t]*(?=[:;])")
_PARAM = re.compile(r";[ \t]*([A-Za-z0-9_-]{0,64})[ \t]*(=?)")
_PARAM_VALUE = re.compile(r'[ \t]*"([^"]*)"[ \t]*(?=[,;:])|([^;:,\\]*(?:\\.[^;:,\\]*)*+)', re.DOTALL)
_CARET = re.compile(r"\^(['^n])")
_CARET_VALUES = {"'": '"', "^": "^", "n": "\n"}
_ESCAPE = re.compile(r"\\([\\;,:nN])")
_ESCAPED = re.compile(r"[\\;,]|\r\n|\n|\r")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_HEX = re.compile(rb"=([0-9A-Fa-f]{2})|=[ \t]*\r?\n?")
_DATA_URI = re.compile(r"data:([^,;]{0,200})((?:;[^,;]{0,200}){0,8}),", re.IGNORECASE)
_BARE_ENCODINGS = frozenset(("QUOTED-PRINTABLE", "BASE64", "B", "7BIT", "8BIT"))
_FRAME = frozenset(("BEGIN", "END"))
_BARE_VALUES = frozenset(("INLINE", "CONTENT-ID", "CID", "URL"))

Params = dict[str, list[str]]


class ContentLine(NamedTuple):
    """A line: upper-case names; `value` as written, but decoded from quoted-printable; escapes are not undone."""

    name: str
    params: Params
    value: str
    group: str = ""

    def param(self, name: str, default: str = "") -> str:
        """The parameter's first value."""
        values = self.params.get(name)
        return values[0] if values else default

    def types(self) -> list[str]:
        """All values of TYPE in lower case, those in one quoted list (`TYPE="home,work"`) apart."""
        return [part.strip().lower() for value in self.params.get("TYPE", ()) for part in value.split(",") if part]

    def text(self) -> str:
        """The value as one text, escapes undone."""
        return unescape(self.value)

    def octets(self) -> tuple[bytes, str] | None:
        """Octets of a base64 value or a `data:` URI (RFC 2397), and the URI's media type; None for any other value."""
        encoding = self.param("ENCODING").upper()
        if encoding in ("B", "BASE64"):
            return base64_octets(self.value), ""
        match = _DATA_URI.match(unescape(self.value))
        if match is None:
            return None
        body = unescape(self.value)[match.end() :]
        if match.group(2).lower().endswith(";base64"):
            return base64_octets(body), match.group(1).lower()
        return unquote_to_bytes(body), match.group(1).lower()


@dataclass(slots=True)
class Component:
    """What stands between BEGIN and END: its own lines in order, and the components in it."""

    name: str
    lines: list[ContentLine] = field(default_factory=list)
    children: list[Component] = field(default_factory=list)

    def first(self, name: str) -> ContentLine | None:
        """The first line of the name."""
        return next((line for line in self.lines if line.name == name), None)

    def all(self, name: str) -> list[ContentLine]:
        """All lines of the name."""
        return [line for line in self.lines if line.name == name]

    def value(self, name: str, default: str = "") -> str:
        """The raw value of the first line of the name."""
        line = self.first(name)
        return default if line is None else line.value


# ------------------------------------------------------------------------------------------ reading


def lines(data: bytes | str) -> Iterator[ContentLine]:
    """The content lines in order. WireError only for more than MAX_OCTETS or MAX_LINES."""
    octets = _utf8(data)
    if len(octets) > MAX_OCTETS:
        raise WireError(f"{len(octets)} octets of content lines")
    if b"QUOTED-PRINTABLE" in octets or b"quoted-printable" in octets.lower():
        return _parsed(_unfolded_quoted(octets))
    return _parsed(_unfolded(octets))


def components(data: bytes | str, *names: str) -> list[Component]:
    """The outermost components, of the names only when there are any.

    A missing END is taken as there when an outer one ends or the data does; depth beyond MAX_DEPTH is flattened.
    """
    found: list[Component] = []
    stack: list[Component] = []
    skipped = 0
    for line in lines(data):
        if line.name == "BEGIN":
            if len(stack) >= MAX_DEPTH:
                skipped += 1
                continue
            made = Component(line.value.strip().upper())
            (stack[-1].children if stack else found).append(made)
            stack.append(made)
        elif line.name == "END":
            if skipped:
                skipped -= 1
                continue
            _end(stack, line.value.strip().upper())
        elif stack:
            stack[-1].lines.append(line)
    return [component for component in found if not names or component.name in names]


def _end(stack: list[Component], name: str) -> None:
    """Close the innermost component of the name and all within; an END of what was not begun is nothing."""
    for at in range(len(stack) - 1, -1, -1):
        if stack[at].name == name:
            del stack[at:]
            return


def _utf8(data: bytes | str) -> bytes:
    """The octets without byte order mark; UTF-16 with one becomes UTF-8."""
    if isinstance(data, str):
        return data.removeprefix("\ufeff").encode("utf-8", "replace")
    if data.startswith(codecs.BOM_UTF8):
        return data[3:]
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode("utf-8", "replace")
    return data


def _unfolded(octets: bytes) -> Iterator[str | bytes]:
    """Logical lines; unfolded before they are decoded, since folds may cut characters. Octets when not UTF-8."""
    octets = _FOLD.sub(b"", octets)
    try:
        text = octets.decode()
    except UnicodeDecodeError:
        return iter(octets.splitlines())
    return iter(_BREAK.split(text))


def _unfolded_quoted(octets: bytes) -> Iterator[str | bytes]:
    """The same where quoted-printable values go on behind a soft line break (`=` at the line's end, vCard 2.1)."""
    pieces: list[bytes] = []
    soft = False
    for physical in octets.splitlines():
        if soft and len(pieces) < MAX_JOINED:
            pieces.append(physical)
        elif physical[:1] in (b" ", b"\t") and pieces and len(pieces) < MAX_JOINED:
            pieces.append(physical[1:])
        else:
            if pieces:
                yield _line_text(b"".join(pieces))
            pieces = [physical]
        head = pieces[0].partition(b":")[0].upper()
        soft = physical.endswith(b"=") and b"QUOTED-PRINTABLE" in head
        if soft:
            pieces[-1] = pieces[-1][:-1]
    if pieces:
        yield _line_text(b"".join(pieces))


def _line_text(line: bytes) -> str | bytes:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return line


def _parsed(logical: Iterator[str | bytes]) -> Iterator[ContentLine]:
    """Lines taken apart; one that does not begin as a content line does goes on with the value before it."""
    held: ContentLine | None = None
    more: list[str] = []
    for count, raw in enumerate(logical):
        if count >= MAX_LINES:
            raise WireError(f"more than {MAX_LINES} content lines")
        line = parse(raw)
        if line is None:
            rest = raw if isinstance(raw, str) else decode_unlabelled(raw)
            if held is not None and held.name not in _FRAME and rest.strip() and len(more) < MAX_JOINED:
                more.append(rest.strip("\r"))
            continue
        if held is not None:
            yield _with(held, more) if more else held
        held, more = line, []
    if held is not None:
        yield _with(held, more) if more else held


def _with(line: ContentLine, more: list[str]) -> ContentLine:
    """The line with what was cut off its value without a fold."""
    between = "" if line.param("ENCODING").upper() in ("B", "BASE64") else "\\n"
    return line._replace(value=between.join([line.value, *more]))


def parse(raw: str | bytes) -> ContentLine | None:
    """One logical line; None for what is none."""
    text = raw if isinstance(raw, str) else raw.decode("latin-1")
    head = _HEAD.match(text)
    if head is None:
        return None
    group, name = head.groups()
    params: Params = {}
    at = head.end()
    if text[at] == ";":
        end = _params(text, at, params)
        if end < 0:
            return None
        at = end
    value = text[at + 1 :]
    encoding = params["ENCODING"][0].upper() if "ENCODING" in params else ""
    if encoding == "QUOTED-PRINTABLE":
        value = _quoted_printable(value, raw, params)
    elif not isinstance(raw, str):
        value = _decoded(value.encode("latin-1"), params)
        params = {key: [_decoded(v.encode("latin-1"), {}) for v in values] for key, values in params.items()}
    if "\0" in value:
        value = value.replace("\0", "")
    return ContentLine(name.upper(), params, value, group or "")


def _params(text: str, at: int, params: Params) -> int:
    """Reads parameters from `;` on; the place of the colon behind them, -1 when there is none."""
    count = 0
    size = len(text)
    while at < size and text[at] == ";":
        match = _PARAM.match(text, at)
        if match is None:
            return -1
        key, equals = match.groups()
        at = match.end()
        values: list[str] = []
        if equals:
            at = _param_values(text, at, values)
        count += 1
        if count > MAX_PARAMS or not (key or values):
            continue
        if not equals:
            key, values = _bare(key)
        params.setdefault(key.upper(), []).extend(values)
        if at < size and text[at] not in ";:":
            at = min((place for place in (text.find(";", at), text.find(":", at)) if place >= 0), default=size)
    return at if at < size and text[at] == ":" else -1


def _bare(key: str) -> tuple[str, list[str]]:
    """vCard 2.1's parameters without a name: an encoding, a kind of value, else a type."""
    upper = key.upper()
    if upper in _BARE_ENCODINGS:
        return "ENCODING", [key]
    return ("VALUE", [key]) if upper in _BARE_VALUES else ("TYPE", [key])


def _param_values(text: str, at: int, values: list[str]) -> int:
    """Reads values with commas between them; quotes, RFC 6868 3.2 and backslash escapes undone."""
    while True:
        match = _PARAM_VALUE.match(text, at)
        if match is None:
            return at
        quoted, token = match.groups()
        value = quoted if quoted is not None else token.strip()
        if "^" in value:
            value = _CARET.sub(_uncaret, value)
        if "\\" in value and quoted is None:
            value = unescape(value)
        if len(values) < MAX_PARAM_VALUES:
            values.append(value[:MAX_PARAM_TEXT])
        at = match.end()
        if at >= len(text) or text[at] != ",":
            return at
        at += 1


def _uncaret(match: re.Match[str]) -> str:
    return _CARET_VALUES[match.group(1)]


def _quoted_printable(value: str, raw: str | bytes, params: Params) -> str:
    octets = value.encode("utf-8" if isinstance(raw, str) else "latin-1", "replace")
    decoded = _HEX.sub(lambda match: bytes((int(match.group(1), 16),)) if match.group(1) else b"", octets)
    return _decoded(decoded, params)


def _decoded(octets: bytes, params: Params) -> str:
    charset = params["CHARSET"][0] if "CHARSET" in params else ""
    try:
        return octets.decode()
    except UnicodeDecodeError:
        return decode(octets, charset) if charset and charset.lower() != "utf-8" else decode_unlabelled(octets)


# ------------------------------------------------------------------------------------------ values


def unescape(value: str) -> str:
    r"""TEXT (RFC 5545 3.3.11, RFC 6350 3.4): `\n`, `\,`, `\;` and `\\` undone, any other backslash kept."""
    return _ESCAPE.sub(_unescaped, value) if "\\" in value else value


def _unescaped(match: re.Match[str]) -> str:
    character = match.group(1)
    return "\n" if character in "nN" else character


def escape(text: str) -> str:
    """A text as one value of a list or a structure; control characters that no content line has are left out."""
    if text.isalnum():
        return text
    return _CONTROL.sub("", _ESCAPED.sub(_escaped, text))


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    return "\\n" if character[0] in "\r\n" else "\\" + character


def split(value: str, separator: str = ",", limit: int = 10_000) -> list[str]:
    """The parts between separators that no backslash stands before, escapes left; at most `limit`."""
    if "\\" not in value:
        return value.split(separator, limit - 1) if limit > 0 else []
    parts: list[str] = []
    start = at = 0
    while len(parts) < limit - 1:
        at = value.find(separator, at)
        if at < 0:
            break
        slashes = 0
        while at - slashes > start and value[at - slashes - 1] == "\\":
            slashes += 1
        if slashes % 2 == 0:
            parts.append(value[start:at])
            start = at + 1
        at += 1
    parts.append(value[start:])
    return parts


def texts(value: str, separator: str = ",") -> list[str]:
    """The parts of a list or of a structure, escapes undone."""
    return [unescape(part) for part in split(value, separator)]


def base64_octets(text: str) -> bytes:
    """The octets of base64, whatever else stands in it and whether it is padded or not."""
    kept = re.sub(r"[^A-Za-z0-9+/_-]|\\n", "", text).replace("-", "+").replace("_", "/")
    kept = kept[: len(kept) - 1] if len(kept) % 4 == 1 else kept
    return binascii.a2b_base64(kept + "=" * (-len(kept) % 4))


# ------------------------------------------------------------------------------------------ writing


def line(
    name: str,
    value: str,
    params: Mapping[str, str | Sequence[str]] | None = None,
    *,
    group: str = "",
    bare: bool = False,
) -> bytes:
    """A folded line with CRLF. The value goes out as it is, escapes and all; `bare`: TYPE as vCard 2.1 writes it."""
    head = f"{group}.{name}" if group else name
    for key, values in (params or {}).items():
        listed = [values] if isinstance(values, str) else values
        if not listed:
            continue
        if bare and key == "TYPE":
            head += "".join([";" + _token(value).upper() for value in listed])
        else:
            head += f";{key}=" + ",".join([param_text(value) for value in listed])
    return fold(f"{head}:{value}")


def _token(value: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "-", value)


def param_text(value: str) -> str:
    """A parameter's value: quoted where it must be, what quotes cannot hold as RFC 6868 3.1 writes it."""
    if not (value.isascii() and value.isprintable()) or '"' in value or "^" in value:
        value = value.replace("^", "^^").replace('"', "^'").replace("\r\n", "^n").replace("\n", "^n")
        value = _CONTROL.sub("", value.replace("\t", " "))
    return f'"{value}"' if any(character in value for character in ":;,\\") else value


def fold(text: str) -> bytes:
    """A line with CRLF, cut into pieces of at most LINE octets and whole characters. Line breaks become spaces."""
    if "\n" in text or "\r" in text:
        text = _BREAK.sub(" ", text)
    octets = text.encode("utf-8", "replace")
    if len(octets) <= LINE:
        return octets + b"\r\n"
    pieces, at, room = [], 0, LINE
    while at < len(octets):
        stop = min(at + room, len(octets))
        while stop < len(octets) and octets[stop] & 0xC0 == 0x80:
            stop -= 1
        pieces.append(octets[at:stop])
        at, room = stop, LINE - 1
    return b"\r\n ".join(pieces) + b"\r\n"


def quoted_line(name: str, value: str, params: Mapping[str, str | Sequence[str]], *, group: str = "") -> bytes:
    """A vCard 2.1 line in quoted-printable with soft line breaks, CHARSET=UTF-8."""
    head = line(name, "", {**params, "CHARSET": "UTF-8", "ENCODING": "QUOTED-PRINTABLE"}, group=group, bare=True)
    head = head.replace(b"\r\n ", b"").removesuffix(b"\r\n")
    pieces = [head]
    room = LINE - len(head) % LINE
    for octet in value.replace("\r\n", "\n").replace("\n", "\r\n").encode("utf-8", "replace"):
        piece = bytes((octet,)) if 32 <= octet < 127 and octet != 61 else b"=%02X" % octet
        if len(piece) + 1 > room:
            pieces.append(b"=\r\n")
            room = LINE
        pieces.append(piece)
        room -= len(piece)
    return b"".join(pieces) + b"\r\n"


def component(name: str, body: Iterable[bytes]) -> bytes:
    """BEGIN, the lines, END."""
    return b"BEGIN:%s\r\n%sEND:%s\r\n" % (name.encode(), b"".join(body), name.encode())
