"""The columns of a client's table: what a store is asked for, and how its rows become octets ([MS-OXCDATA] 2.8.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from gromoxd.errors import WireError
from gromoxd.exmdb import tables as t
from gromoxd.mapi import codepages
from gromoxd.mapi import proptags as p
from gromoxd.mapi.evaluate import canonical
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.rows import NO_MEMORY, row_codec
from gromoxd.mapi.types import MULTIPLE, PropType
from gromoxd.mapi.values import MV_INSTANCE, TypedPropertyValue

ATTACHMENTS: Final = 0
"""`Table.kind` of what no store has: a message's attachment table."""
MASK64: Final = (1 << 64) - 1
MASK48: Final = (1 << 48) - 1
LARGEST_ROW: Final = 0x7E00
"""Octets: what a buffer of 32 KiB carries beside heads and handles."""
_LONG: Final = (str, bytes, list, TypedPropertyValue)
Instance = tuple[int, int]
"""How the store names a row (`gromoxd.exmdb.tables`)."""
NOWHERE: Final[Instance] = (0, 0)
_TEXT8 = int(PropType.PtypString8)
_TYPES: Final = frozenset(map(int, PropType)) - {PropType.PtypUnspecified, PropType.PtypErrorCode}


def instance_of(inst_id: int) -> int:
    """The store's number of a row by its PidTagInstID: a message's counter, a category's whole id."""
    replid, counter = eid_split(inst_id)
    return counter if replid == 1 else inst_id & MASK64


def _counter(value: Any) -> int:
    return eid_split(value)[1] if isinstance(value, int) else 0


_KEYS: Final[dict[int, tuple[tuple[int, ...], Callable[[Any], int]]]] = {
    t.CONTENTS: ((p.PidTagInstID, p.PidTagInstanceNum, p.PidTagFolderId), lambda value: instance_of(value or 0)),
    t.HIERARCHY: ((p.PidTagFolderId,), _counter),
    t.PERMISSIONS: ((p.PidTagMemberId,), lambda value: (value or 0) & MASK48),
    t.RULES: ((p.PidTagRuleId,), _counter),
    ATTACHMENTS: ((p.PidTagAttachNumber,), lambda value: value + 1 if isinstance(value, int) else 0),
}
"""By `Table.kind`: the columns that name a row, and the row's number in the first of them."""


class Columns:
    """`tags` are those of the client, `asked` those of the store; rows are lists of values for the latter.

    Behind the client's stand the ones that name a row and those in `needs`.
    """

    def __init__(self, kind: int, tags: Sequence[int], code_page: int, *, needs: Sequence[int] = ()) -> None:
        self.tags = tuple(tags)
        self.code_page = code_page
        key, self._number = _KEYS.get(kind, ((), lambda value: 0))
        self._key, self._numbered = len(self.tags), len(key) > 1
        asked = [canonical(tag) & ~MV_INSTANCE if _plain_single(tag) else canonical(tag) for tag in self.tags]
        self.asked = [*asked, *key, *needs]
        self._named = bool(key)
        self._special = [at for at, tag in enumerate(self.tags) if _is_special(tag)]
        self._codec = row_codec(self.tags)

    def instance(self, row: Sequence[Any]) -> Instance:
        """Which row it is; NOWHERE when the table does not tell."""
        if not self._named:
            return NOWHERE
        return self._number(row[self._key]), row[self._key + 1] or 0 if self._numbered else 0

    def home(self, row: Sequence[Any]) -> int:
        """The folder of a contents table's message, which is another than the table's where that is a search folder's.

        0: not told.
        """
        return _counter(row[self._key + 2]) if self._numbered else 0

    def encode(self, row: Sequence[Any]) -> bytes:
        """The octets of a row: a PropertyRow. One that no answer could carry has errors instead of its long values."""
        values: list[Any] = list(row[: len(self.tags)])
        for at in self._special:
            values[at] = self._cell(at, row)
        try:
            octets = self._codec.encode(values)
        except WireError:  # a value of another type than its property's is nothing to fail for
            values = [self._sound(tag, value) for tag, value in zip(self.tags, values, strict=True)]
            octets = self._codec.encode(values)
        if len(octets) > LARGEST_ROW:
            octets = self._codec.encode([NO_MEMORY if isinstance(value, _LONG) else value for value in values])
        return octets

    def _cell(self, at: int, row: Sequence[Any]) -> Any:
        tag = self.tags[at]
        value = row[at]
        if tag & MV_INSTANCE and isinstance(value, list):
            value = value[0] if value else None
        return self._narrow(tag, value)

    def _narrow(self, tag: int, value: Any) -> Any:
        if tag & 0xFFF != _TEXT8:
            return value
        if isinstance(value, list):
            return [self._narrow(tag, one) for one in value]
        return codepages.encode(value, self.code_page) if isinstance(value, str) else value

    def _sound(self, tag: int, value: Any) -> Any:
        try:
            row_codec((tag,)).encode((value,))
        except WireError:
            return None
        return value


def _plain_single(tag: int) -> bool:
    """MV_INSTANCE beside a type of single values says nothing ([MS-OXCDATA] 2.11.1.3)."""
    return bool(tag & MV_INSTANCE) and not tag & MULTIPLE


def _is_special(tag: int) -> bool:
    return tag & 0xFFF == _TEXT8 or bool(tag & MV_INSTANCE)


def may_be_shown(tag: int) -> bool:
    """Is it a column's type? PtypUnspecified, PtypErrorCode and unknown ones are not ([MS-OXCTABL] 3.2.5.2)."""
    return tag & 0xFFFF & ~(MV_INSTANCE | MULTIPLE) in _TYPES
