"""What a message is beside mail: a report, a meeting message, what a winmail.dat says. By its parts, unread.

Rare, so `special_of` must cost nothing for the mail that is none of these. What a part of another format (TNEF,
iCalendar, uuencoded text) says is an Item of its own, made when somebody needs it; `item_of_part` is that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gromoxd.convert.item import Item
from gromoxd.convert.mime import Octets, Part
from gromoxd.convert.searchtext import part_octets
from gromoxd.convert.sections import find_part
from gromoxd.errors import WireError

REPORT, TNEF, CALENDAR, UUENCODE = "report", "tnef", "calendar", "uuencode"
MAX_CALENDAR = 4 << 20
_TNEF_TYPES = ("ms-tnef", "vnd.ms-tnef")
_OCTETS = ("octet-stream", "x-unknown")
MEETING_METHODS = frozenset(("request", "reply", "cancel", "counter"))
"""RFC 5546 methods that make a mail a meeting message. What is merely published is a file that comes along."""


class Special(NamedTuple):
    """`part` and its section number; '' for the message itself where it is a report."""

    kind: str
    path: str
    part: Part


def special_of(root: Part) -> Special | None:
    """The part that makes a message more than mail; None for most. A winmail.dat comes before a calendar."""
    if root.type != "multipart":
        return _leaf(root, "1")
    if root.subtype == "report":
        return Special(REPORT, "", root)
    found = None
    for part, path in _leaves(root):
        if part.type == "text" and part.subtype != "calendar":
            continue
        special = _leaf(part, path)
        if special is not None:
            if special.kind == TNEF:
                return special
            found = found or special
    return found


def _leaf(part: Part, path: str) -> Special | None:
    if part.type == "text":
        if part.subtype == "calendar" and _is_meeting(part):
            return Special(CALENDAR, path, part)
    elif part.type == "application" and _is_tnef(part):
        return Special(TNEF, path, part)
    return None


def _is_meeting(part: Part) -> bool:
    method = part.param("method")
    return part.body_length <= MAX_CALENDAR and (method is None or method.lower() in MEETING_METHODS)


def _is_tnef(part: Part) -> bool:
    """[MS-OXTNEF] 1.4; RFC 2045 senders that do not know the type know the file name."""
    return part.subtype in _TNEF_TYPES or (
        part.subtype in _OCTETS and (part.filename or "").lower() in ("winmail.dat", "win.dat")
    )


def _leaves(part: Part, path: str = "") -> Iterator[tuple[Part, str]]:
    """The parts that are no multipart, with their section numbers; not those of embedded messages."""
    for number, child in enumerate(part.children, 1):
        where = f"{path}.{number}" if path else str(number)
        if child.type == "multipart":
            yield from _leaves(child, where)
        else:
            yield child, where


# ---------------------------------------------------------------------------------------------- what they say


def item_of_part(raw: Octets, root: Part, path: str) -> Item | None:
    """What the part with this section number says, as an item; None when it cannot be read."""
    part = part_at(root, path)
    if part is None:
        return None
    data = part_octets(raw, part, part.body_offset + part.body_length)
    try:
        return _read(part, data)
    except WireError:
        return None


class PartItems:
    """What the parts of one message say, each read once however many of its attachments somebody asks for."""

    __slots__ = ("_found", "_raw")

    def __init__(self, raw: Octets) -> None:
        self._raw = raw
        self._found: dict[str, Item | None] = {}

    def get(self, root: Part, path: str) -> Item | None:
        """As `item_of_part`. Not to be changed."""
        if path not in self._found:
            self._found[path] = item_of_part(self._raw, root, path)
        return self._found[path]


def part_at(root: Part, path: str) -> Part | None:
    """The part that a section number names."""
    return find_part(root, tuple(int(number) for number in path.split("."))) if path else root


def _read(part: Part, data: bytes) -> Item | None:
    if part.type == "application":
        from gromoxd.convert.tnef import from_tnef

        return from_tnef(data)
    if part.subtype == "calendar":
        from gromoxd.convert.charsets import decode_body
        from gromoxd.convert.ical import items_of

        items = items_of(decode_body(data, part.param("charset") or "utf-8"), limit=1)
        return items[0] if items else None
    from gromoxd.convert.uuencode import item_of_text

    return item_of_text(data, part.charset)
