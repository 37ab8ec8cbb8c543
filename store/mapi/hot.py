"""The columns of `messages m` and `message_data d` that hold properties, for restrictions and sort orders.

Beside them conditions that properties imply without being told by them (`candidates`), which keep most messages from
being read where a restriction asks for what only their properties say.
"""

from __future__ import annotations

from typing import Any, Final

from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.evaluate import comparison
from gromoxd.mapi.proptags import (
    PidTagMessageClass,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagMessageSize,
    PidTagSubject,
)
from gromoxd.mapi.restrictions import And, BitmapRelOp, BitMask, Content, FuzzyHigh, FuzzyLow, Or, Restriction
from gromoxd.mapi.sqlrestriction import Column, Columns, Kind, unix_column

FOLD = "fold_key"
"""The name under which `gromoxd.mapi.compare.fold` is registered on connections."""


def text_key(column: str, lowered: bool = False) -> str:
    """A text as sort key: ASCII, which most are, does not need the function."""
    plain = column if lowered else f"lower({column})"
    return f"CASE WHEN length({column}) = octet_length({column}) THEN {plain} ELSE {FOLD}({column}) END"


COLUMNS: Final[Columns] = {
    PidTagMessageClass: Column("d.class", Kind.TEXT, nullable=False),
    PidTagMessageDeliveryTime: unix_column("m.received", nullable=False, coarse=True),
    PidTagMessageSize: Column("m.size", Kind.NUMBER, nullable=False),
}
SORT_KEYS: Final[dict[int, str]] = {
    PidTagMessageDeliveryTime: "m.received",
    PidTagMessageSize: "m.size",
    PidTagSubject: text_key("d.subject_key", lowered=True),
    PidTagMessageClass: text_key("d.class"),
}

_ALL: Final[tuple[str, list[Any]]] = ("1", [])
_READ_MASK = 1
"""mfRead of PidTagMessageFlags ([MS-OXCMSG] 2.2.1.6)."""


def candidates(value: Restriction, public: bool) -> tuple[str, list[Any]]:
    """A condition that every message fulfils which matches. `public`: read states are not the messages'."""
    if isinstance(value, And):
        told = [part for part in [candidates(part, public) for part in value.restricts] if part[0] != "1"]
        return _joined(told, " AND ")
    if isinstance(value, Or):
        parts = [candidates(part, public) for part in value.restricts]
        return _ALL if any(part[0] == "1" for part in parts) else _joined(parts, " OR ")
    if isinstance(value, Content):
        return _subject(value)
    if isinstance(value, BitMask) and (value.tag, value.mask) == (PidTagMessageFlags, _READ_MASK) and not public:
        return f"(m.flags & {SEEN} {'=' if value.bitmap_rel_op == BitmapRelOp.EQZ else '<>'} 0)", []
    return _ALL


def _joined(parts: list[tuple[str, list[Any]]], word: str) -> tuple[str, list[Any]]:
    if not 0 < len(parts) <= 50:
        return _ALL
    return "(" + word.join([sql for sql, _ in parts]) + ")", [param for _, params in parts for param in params]


def _subject(value: Content) -> tuple[str, list[Any]]:
    """Messages whose folded subject has the words, or is not ASCII, where the folded forms are not quite alike."""
    if value.tag | 1 != PidTagSubject or value.fuzzy_high & ~FuzzyHigh.IGNORECASE:
        return _ALL
    if value.fuzzy_low & ~(FuzzyLow.SUBSTRING | FuzzyLow.PREFIX):
        return _ALL
    compared = comparison(value.tag, value.value_tag or value.tag, value.value)
    if compared is None or not isinstance(compared[1], str) or not compared[1].isascii():
        return _ALL
    column = "d.subject_key"
    return f"(instr({column}, ?) > 0 OR length({column}) <> octet_length({column}))", [compared[1].lower()]
