"""What of a calendar component no property of MAPI says, kept beside the item so that it is written again.

Named properties of our own set hold: content lines that were not understood, whole VALARMs beyond the one reminder,
and the recurrence as it came in, valid as long as the item's recurrence is the one that was made of it.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final
from uuid import UUID

from gromoxd.convert.contentline import Component, ContentLine, fold, line
from gromoxd.convert.item import Item
from gromoxd.mapi.named import PropertyName

SET: Final = UUID("6d3f3b1e-0f2c-4c3e-9a57-2b0c6f6f4d11").bytes_le
LINES: Final = PropertyName(SET, "ical-lines")
"""PtypMultipleString: content lines, each whole and unfolded."""
RECURRENCE: Final = PropertyName(SET, "ical-recurrence")
"""PtypMultipleString: the digest of the recurrence made of them, then RRULE, RDATE and EXDATE lines."""
START: Final = PropertyName(SET, "ical-start")
"""PtypString: `FLOATING` for times without a zone."""
REPLACED: Final = PropertyName(SET, "ical-replaced")
"""PtypString: RECURRENCE-ID in local seconds since 1601, of exceptions whose place in the pattern is another."""
MAX_LINES: Final = 500
MAX_LINE: Final = 64 << 10
MAX_ALL: Final = 256 << 10

_STRING, _STRINGS = 0x001F, 0x101F
_TYPES = {LINES: _STRINGS, RECURRENCE: _STRINGS, START: _STRING, REPLACED: _STRING}


def put(item: Item, name: PropertyName, value: str | list[str]) -> None:
    """Set one of the properties."""
    item.props[item.foreign_id(name) << 16 | _TYPES[name]] = value


def get(item: Item, name: PropertyName) -> list[str]:
    """The values of one of the properties."""
    for number, known in item.names.items():
        if known == name:
            value = item.props.get(number << 16 | _TYPES[name])
            if isinstance(value, str):
                return [value]
            return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
    return []


def raw(content: ContentLine) -> str:
    """A content line as one string."""
    return line(content.name, content.value, content.params).decode().replace("\r\n ", "").removesuffix("\r\n")


def keep(item: Item, lines: list[ContentLine], parts: list[Component]) -> None:
    """Keep lines and whole components, as many as there is room for."""
    found = [raw(each) for each in lines[:MAX_LINES]]
    for part in parts[:50]:
        found += _flat(part, 0)
    room, held = MAX_ALL, []
    for text in found[:MAX_LINES]:
        if len(text) <= MAX_LINE and len(text) <= room:
            room -= len(text)
            held.append(text)
        elif text.startswith(("BEGIN:", "END:")):
            held.append(text)
    if held:
        put(item, LINES, held)


def _flat(part: Component, depth: int) -> list[str]:
    found = [f"BEGIN:{part.name}", *[raw(each) for each in part.lines[:MAX_LINES]]]
    if depth < 3:
        for child in part.children[:50]:
            found += _flat(child, depth + 1)
    return [*found, f"END:{part.name}"]


def digest(recurrence: bytes) -> str:
    """What a recurrence is known by."""
    return blake2b(recurrence, digest_size=12).hexdigest()


def own_components(text: list[str]) -> tuple[list[str], list[bytes]]:
    """Kept lines that stand in the component itself, and the components in it, written."""
    lines: list[str] = []
    parts: list[bytes] = []
    part: list[str] = []
    depth = 0
    for each in text:
        if each.startswith("BEGIN:"):
            depth += 1
        (part if depth else lines).append(each)
        if each.startswith("END:") and depth:
            depth -= 1
            if not depth:
                parts.append(b"".join([fold(line) for line in part]))
                part = []
    return lines, parts
