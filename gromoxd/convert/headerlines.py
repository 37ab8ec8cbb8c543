"""Header fields as they are written: folding (RFC 5322 2.2.3), words (RFC 2047), addresses, parameters (RFC 2231).

The other direction is in `gromoxd.convert.headers`, `addresses` and `params`. Values come as text of any kind; what a
header cannot carry (line breaks, control characters) becomes a space. Lines are at most 998 octets, as a rule 78.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from datetime import date as day_of

LINE = 78
LONGEST = 900
"""Octets of one word without a space that are written as they are."""
WORD_OCTETS = 45
"""Octets of text in one encoded word: `=?utf-8?B?` + 60 + `?=` are 72 of the 75 allowed (RFC 2047 2)."""
PARAM_PIECE = 180
MAX_NAME, MAX_ADDRESS = 1000, 900

_CONTROL = re.compile(r"[\x00-\x1f\x7f\x80-\x9f\u2028\u2029]")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOT_ATOM = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*")
_QUOTABLE = re.compile(r'(["\\])')
_PLAIN_Q = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/")
_Q = [chr(c) if c in _PLAIN_Q else "_" if c == 32 else f"={c:02X}" for c in range(256)]
_EXTENDED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PCT = [chr(c) if c in _EXTENDED else f"%{c:02X}" for c in range(256)]


def clean(text: str) -> str:
    """One line: control characters are spaces."""
    return text if text.isascii() and text.isprintable() else _CONTROL.sub(" ", text)


def octets(text: str) -> bytes:
    """UTF-8; what no text is, becomes `?`."""
    return text.encode("utf-8", "replace")


# ------------------------------------------------------------------------------------------ text


def field(name: str, text: str) -> bytes:
    """An unstructured field (RFC 5322 2.2.1)."""
    text = clean(text)
    if not text:
        return name.encode() + b":\r\n"
    return fold(name, text.split(" ") if is_plain(text) else encoded_words(text))


def is_plain(text: str) -> bool:
    """Whether a field may carry the text as it is and be read back the same."""
    if not text.isascii() or "=?" in text or "  " in text or text[0] == " " or text[-1] == " ":
        return False
    return len(text) <= LONGEST or max(map(len, text.split(" "))) <= LONGEST


def fold(name: str, words: Iterable[str]) -> bytes:
    """`Name: ` and words with a space between them, on lines of at most 78 octets where words allow it."""
    lines: list[str] = []
    line = name + ":"
    first = True
    for word in words:
        if not first and len(line) + 1 + len(word) > LINE:
            lines.append(line)
            line = ""
        line += " " + word
        first = False
    lines.append(line)
    return octets("\r\n".join(lines) + "\r\n")


def encoded_words(text: str) -> list[str]:
    """RFC 2047 2: UTF-8, characters never split (5), as Q when that is shorter."""
    pieces = list(_pieces(text, WORD_OCTETS))
    quoted = ["".join([_Q[octet] for octet in piece]) for piece in pieces]
    if all(len(word) <= 60 for word in quoted):
        return [f"=?utf-8?Q?{word}?=" for word in quoted]
    return [f"=?utf-8?B?{binascii.b2a_base64(piece, newline=False).decode()}?=" for piece in pieces]


def _pieces(text: str, limit: int) -> Iterator[bytes]:
    """UTF-8 of the text in pieces of at most `limit` octets and whole characters."""
    data = octets(text)
    at = 0
    while at < len(data):
        stop = min(at + limit, len(data))
        while stop < len(data) and data[stop] & 0xC0 == 0x80:
            stop -= 1
        yield data[at:stop]
        at = stop


# ------------------------------------------------------------------------------------------ addresses


def mailbox(name: str, address: str) -> str:
    """`Name <local@host>` (RFC 5322 3.4), the address alone when the name says no more."""
    name, address = clean(name).strip()[:MAX_NAME], addr_spec(address)
    if not name or name.lower() == address.lower():
        return address or "<>"
    return f"{phrase(name)} <{address}>"


def phrase(name: str) -> str:
    """A display name: atoms, a quoted string, or encoded words."""
    if name.isascii() and "=?" not in name and len(name) <= LONGEST:
        if _PHRASE.fullmatch(name):
            return name
        return '"' + _QUOTABLE.sub(r"\\\1", name) + '"'
    return " ".join(encoded_words(name))


def addr_spec(address: str) -> str:
    """RFC 5322 3.4.1, the local part quoted where it must be; '' for what is no address, a bare local part as it is."""
    address = clean(address).strip()[:MAX_ADDRESS]
    local, at, host = address.rpartition("@")
    if not at:
        local, host = address, ""
    quoted = len(local) > 1 and local[0] == local[-1] == '"'
    if local and not quoted and not _DOT_ATOM.fullmatch(local):
        local = '"' + _QUOTABLE.sub(r"\\\1", local) + '"'
    host = host.replace(" ", "").replace("<", "").replace(">", "").replace(",", "")
    return f"{local}@{host}" if host else local


def address_list(name: str, mailboxes: list[str]) -> bytes:
    """An address field (RFC 5322 3.6.3), folded between and, where they are long, within its mailboxes."""
    words: list[str] = []
    for number, box in enumerate(mailboxes, 1):
        words += box_words(box + ("," if number < len(mailboxes) else ""))
    return fold(name, words)


def box_words(box: str) -> list[str]:
    """Where a mailbox may be folded: where it is long, between its words, and before its address."""
    if len(box) <= LINE - 10:
        return [box]
    if '"' not in box:
        return box.split(" ")
    shown, bracket, address = box.rpartition(" <")
    if not bracket:
        return [box]
    return [*([shown] if '"' in shown else shown.split(" ")), "<" + address]


def id_words(text: str) -> list[str]:
    """Message ids (RFC 5322 3.6.4), without those that fit on no line."""
    return [word for word in clean(text).split() if len(octets(word)) <= LONGEST]


# ------------------------------------------------------------------------------------------ parameters


def parametrised(name: str, value: str, params: Iterable[tuple[str, str]]) -> bytes:
    """A field like Content-Type: value and parameters, one a line when they do not fit on one."""
    lines = [f"{name}: {value}"]
    for key, text in params:
        for piece in parameter(key, clean(text)):
            lines[-1] += ";"
            if len(lines[-1]) + len(piece) + 2 > LINE:
                lines.append("")
            lines[-1] += " " + piece
    return octets("\r\n".join(lines) + "\r\n")


def parameter(key: str, text: str) -> list[str]:
    """RFC 2045 5.1 quoted, or RFC 2231 3 and 4 in as many sections as it takes."""
    if text.isascii() and len(text) <= PARAM_PIECE and "=?" not in text:
        return [f'{key}="' + _QUOTABLE.sub(r"\\\1", text) + '"']
    encoded = ["".join([_PCT[octet] for octet in piece]) for piece in _pieces(text, PARAM_PIECE // 3)]
    if len(encoded) == 1:
        return [f"{key}*=utf-8''{encoded[0]}"]
    return [f"{key}*{i}*=" + ("utf-8''" if not i else "") + piece for i, piece in enumerate(encoded[:60])]


# ------------------------------------------------------------------------------------------ dates

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date(unix: int) -> str:
    """RFC 5322 3.3 in UTC, within the years 1 to 9999."""
    days, rest = divmod(unix, 86400)
    day = day_of.fromordinal(min(max(days + 719163, 1), 3652059))
    minutes, second = divmod(rest, 60)
    hour, minute = divmod(minutes, 60)
    return (
        f"{_DAYS[day.weekday()]}, {day.day:02d} {_MONTHS[day.month - 1]} {day.year:04d}"
        f" {hour:02d}:{minute:02d}:{second:02d} +0000"
    )
