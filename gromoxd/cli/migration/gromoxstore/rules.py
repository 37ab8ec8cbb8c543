"""Conditions and actions of rules as that database has them: as [MS-OXCDATA] 2.12 and [MS-OXORULE] 2.2.5, with text
that may be UTF-8.

Older and newer servers differ in how they write strings. What does not decode as it is written there is taken to have
UTF-8, and is made UTF-16, as in the documents.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor, utf16
from gromoxd.mapi.restrictions import Restriction, decode_restriction
from gromoxd.mapi.rules import ActionBlock, decode_actions
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.mapi.values import read_value

DEEPEST: Final = 64
_U16, _U32, _BLOCK = Struct("<H"), Struct("<I"), Struct("<BII")
_STRING = int(PropType.PtypString)
_FORWARDS: Final = frozenset((0x07, 0x08))
_TAG: Final = 0x09


def condition_of(data: bytes) -> Restriction:
    """A rule's condition. WireError."""
    try:
        return decode_restriction(data)
    except WireError:
        return decode_restriction(_whole(data, lambda cursor: _restriction(cursor, 0)))


def actions_of(data: bytes) -> tuple[ActionBlock, ...]:
    """A rule's actions. WireError."""
    try:
        return decode_actions(data)
    except WireError:
        return decode_actions(_whole(data, _actions))


def _whole(data: bytes, change: Callable[[Cursor], bytes]) -> bytes:
    cursor = Cursor(data)
    changed = change(cursor)
    cursor.finish()
    return changed


def _since(cursor: Cursor, start: int) -> bytes:
    return cursor.data[start : cursor.at]


def _tagged(cursor: Cursor) -> bytes:
    """A TaggedPropertyValue with its text in UTF-16."""
    start = cursor.at
    tag = cursor.u32()
    if tag & 0xFFFF == _STRING:
        return _U32.pack(tag) + utf16(_text(cursor))
    if tag & 0xFFFF == _STRING | MULTIPLE:
        texts = [_text(cursor) for _ in range(cursor.count(cursor.u32(), 1))]
        return _U32.pack(tag) + _U32.pack(len(texts)) + b"".join(map(utf16, texts))
    read_value(cursor, tag & 0xFFFF)
    return _since(cursor, start)


def _text(cursor: Cursor) -> str:
    return cursor.string8().decode("utf-8", "replace")


_LEAVES: Final = {0x03: 8, 0x04: 5}
"""Content and Property: octets before their value."""
_FIXED: Final = {0x05: 9, 0x06: 9, 0x07: 9, 0x08: 4}
_BEFORE_ONE: Final = {0x02: 0, 0x09: 4, 0x0B: 4}
"""Not, SubObject and Count: octets before the one restriction in them."""


def _restriction(cursor: Cursor, depth: int) -> bytes:
    if depth > DEEPEST:
        raise cursor.fail("restriction too large")
    start = cursor.at
    kind = cursor.u8()
    if kind in (0x00, 0x01):
        count = cursor.count(cursor.u16(), 1)
        parts = [_since(cursor, start), *[_restriction(cursor, depth + 1) for _ in range(count)]]
        return b"".join(parts)
    if kind in _LEAVES:
        cursor.take(_LEAVES[kind])
        return _since(cursor, start) + _tagged(cursor)
    if kind in _BEFORE_ONE:
        cursor.take(_BEFORE_ONE[kind])
        return _since(cursor, start) + _restriction(cursor, depth + 1)
    if kind == 0x0A:
        return _comment(cursor, depth)
    if kind not in _FIXED:
        raise cursor.fail("unknown kind of restriction")
    cursor.take(_FIXED[kind])
    return _since(cursor, start)


def _comment(cursor: Cursor, depth: int) -> bytes:
    count = cursor.u8()
    values = b"".join([_tagged(cursor) for _ in range(count)])
    present = cursor.u8()
    return bytes((0x0A, count)) + values + bytes((present,)) + (_restriction(cursor, depth + 1) if present else b"")


def _actions(cursor: Cursor) -> bytes:
    count = cursor.count(cursor.u16(), 11)
    return _U16.pack(count) + b"".join([_action(cursor.region(cursor.u16())) for _ in range(count)])


def _action(block: Cursor) -> bytes:
    kind, flavor, flags = block.struct(_BLOCK)
    if kind in _FORWARDS:
        count = block.count(block.u16(), 3)
        data = _U16.pack(count) + b"".join([_recipient(block) for _ in range(count)])
    elif kind == _TAG:
        data = _tagged(block)
    else:
        data = block.rest()
    block.finish()
    octets = _BLOCK.pack(kind, flavor, flags) + data
    if len(octets) > 0xFFFF:
        raise block.fail("action too large")
    return _U16.pack(len(octets)) + octets


def _recipient(block: Cursor) -> bytes:
    reserved, count = block.u8(), block.u16()
    return bytes((reserved,)) + _U16.pack(count) + b"".join([_tagged(block) for _ in range(count)])
