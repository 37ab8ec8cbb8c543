"""Restrictions as conditions of SQL, as far as columns hold the properties they ask for.

The rows that the SQL gives are those of `gromoxd.mapi.evaluate`, or more, and then the rest to evaluate comes along.
Conditions are never NULL, so that NOT is exact. Strings are compared by the functions that FUNCTIONS names, which the
caller registers (deterministic), the more quickly where a column holds folded text: it is looked at first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, NamedTuple

from gromoxd.mapi.compare import fold
from gromoxd.mapi.evaluate import (
    FAMILIES,
    OPERATORS,
    canonical,
    caseless,
    comparison,
    loose,
    masks,
    plain,
    text_form,
)
from gromoxd.mapi.restrictions import (
    And,
    BitmapRelOp,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    FuzzyLow,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    size_of,
)
from gromoxd.mapi.times import TICKS, UNIX_EPOCH_NT
from gromoxd.mapi.types import MULTIPLE
from gromoxd.mapi.values import FIXED_SIZES, MV_INSTANCE

FUNCTIONS: Final[dict[str, Callable[[str], str]]] = {"fold": fold, "caseless": caseless, "plain": plain, "loose": loose}
"""SQL functions of one text that is not NULL; of NULL they must give NULL (`null_safe`)."""

LARGEST_SQL: Final = 500
"""Restrictions with more parts are evaluated in Python altogether: SQL is short and planned quickly."""


def null_safe(function: Callable[[str], str]) -> Callable[[str | None], str | None]:
    """A function of FUNCTIONS as SQL calls it."""
    return lambda text: None if text is None else function(text)


class Kind(Enum):
    """What values a column holds."""

    NUMBER = "number"
    TEXT = "text"
    BLOB = "blob"


@dataclass(slots=True, frozen=True)
class Column:
    """An SQL expression that is a property's value, or NULL where the property is absent.

    A number column holds `(value - origin) / scale`. `coarse`: rounded down, so that what a row's column holds does
    not say everything about the property; its conditions let more rows through. `folded` is a column (or expression)
    of the same text folded. Booleans are 0 and 1, floating point columns hold no NaN.
    """

    sql: str
    kind: Kind
    nullable: bool = True
    folded: str | None = None
    scale: int = 1
    origin: int = 0
    coarse: bool = False


def unix_column(sql: str, nullable: bool = True, coarse: bool = False) -> Column:
    """A column of Unix seconds for a PtypTime property."""
    return Column(sql, Kind.NUMBER, nullable, scale=TICKS, origin=UNIX_EPOCH_NT, coarse=coarse)


Columns = Mapping[int, Column]
"""By property tag, strings as PtypString."""


class _Part(NamedTuple):
    """A condition, its parameters, and what it does not say (None: it says all)."""

    sql: str
    params: tuple[Any, ...] = ()
    rest: Restriction | None = None


_ALL, _NONE = _Part("1"), _Part("0")
_SIGNS: Final[dict[int, str]] = {
    RelOp.LT: "<",
    RelOp.LE: "<=",
    RelOp.GT: ">",
    RelOp.GE: ">=",
    RelOp.EQ: "=",
    RelOp.NE: "<>",
}
_FAMILY_KINDS: Final[dict[str, Kind]] = {
    "number": Kind.NUMBER,
    "currency": Kind.NUMBER,
    "floating time": Kind.NUMBER,
    "time": Kind.NUMBER,
    "text": Kind.TEXT,
    "guid": Kind.BLOB,
    "bytes": Kind.BLOB,
}
_INT64 = 1 << 63


def to_sql(value: Restriction, columns: Columns) -> tuple[str, list[Any], Restriction | None]:
    """(condition, parameters, rest): the rows that match are those of the condition that also match the rest.

    Parameters are positional (?). A Count's number of rows is the caller's matter.
    """
    if size_of(value)[0] > LARGEST_SQL:
        return "1", [], value
    sql, params, rest = _convert(value, columns)
    return sql, list(params), rest


def _convert(value: Restriction, columns: Columns) -> _Part:
    convert = _CONVERTERS.get(type(value))
    return _unknown(value) if convert is None else convert(value, columns)


def _unknown(value: Restriction) -> _Part:
    return _Part("1", (), value)


def _joined(parts: list[str], word: str) -> str:
    """In pairs of pairs: SQLite bounds the depth of an expression, and a chain is as deep as it is long."""
    while len(parts) > 1:
        odd = parts[-1:] if len(parts) % 2 else []
        parts = [f"({a} {word} {b})" for a, b in zip(parts[::2], parts[1::2], strict=False)] + odd
    return parts[0]


def _and(value: And, columns: Columns) -> _Part:
    parts = [_convert(item, columns) for item in value.restricts]
    rests = tuple([part.rest for part in parts if part.rest is not None])
    rest = (rests[0] if len(rests) == 1 else And(rests)) if rests else None
    told = [part for part in parts if part.sql != "1"]
    if not told:
        return _Part("1", (), rest)
    return _Part(_joined([part.sql for part in told], "AND"), _params(told), rest)


def _or(value: Or, columns: Columns) -> _Part:
    parts = [_convert(item, columns) for item in value.restricts]
    if any(part.sql == "1" and part.rest is None for part in parts):
        return _ALL
    rest = None if all(part.rest is None for part in parts) else value
    told = [part for part in parts if part.sql != "0"]
    if any(part.sql == "1" for part in told):
        return _Part("1", (), rest)
    if not told:
        return _NONE
    return _Part(_joined([part.sql for part in told], "OR"), _params(told), rest)


def _params(parts: list[_Part]) -> tuple[Any, ...]:
    return tuple([param for part in parts for param in part.params])


def _not(value: Not, columns: Columns) -> _Part:
    part = _convert(value.restriction, columns)
    if part.rest is not None:
        return _unknown(value)
    if part.sql in ("0", "1"):
        return _NONE if part.sql == "1" else _ALL
    return _Part(f"(NOT {part.sql})", part.params)


def _comment(value: Comment, columns: Columns) -> _Part:
    return _ALL if value.restriction is None else _convert(value.restriction, columns)


def _count(value: Count, columns: Columns) -> _Part:
    return _convert(value.restriction, columns)


def _column(tag: int, columns: Columns, kind: Kind) -> Column | None:
    """The column of single values of a property, if it is of the right kind."""
    if tag & MULTIPLE and not tag & MV_INSTANCE:
        return None
    column = columns.get(canonical(tag))
    return column if column is not None and column.kind is kind else None


def _present(column: Column, condition: str, *params: Any) -> _Part:
    """The condition where the property is there."""
    if column.nullable:
        condition = f"({column.sql} IS NOT NULL AND {condition})"
    return _Part(condition, params)


def _exist(value: Exist, columns: Columns) -> _Part:
    column = columns.get(canonical(value.tag))
    if column is None or (value.tag & MULTIPLE and not value.tag & MV_INSTANCE):
        return _unknown(value)
    return _Part(f"({column.sql} IS NOT NULL)") if column.nullable else _ALL


def _property(value: Property, columns: Columns) -> _Part:
    if value.rel_op == RelOp.MEMBER_OF_DL:
        return _unknown(value)
    compared = comparison(value.tag, value.value_tag or value.tag, value.value)
    unequal = value.rel_op == RelOp.NE
    if compared is None:
        return _ALL if unequal else _NONE
    family, needle = compared
    kind = _FAMILY_KINDS[family]
    column = _column(value.tag, columns, kind)
    if column is None or isinstance(value.value, str) is not isinstance(needle, str):
        return _unknown(value)
    if kind is Kind.NUMBER:
        return _number(value, column, needle, columns)
    if kind is Kind.BLOB:
        return _related(column, column.sql, value.rel_op, needle)
    if not _sendable(needle):
        return _unknown(value)
    return _related(column, _folded(column), value.rel_op, fold(needle))


def _folded(column: Column) -> str:
    return f"{column.folded or f'fold({column.sql})'} COLLATE BINARY"


def _sendable(text: str) -> bool:
    """Whether a string can be a parameter: lone surrogates cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _related(column: Column, sql: str, rel_op: int, operand: Any) -> _Part:
    """The column's expression in relation to a parameter; IS and IS NOT have no NULL for an answer."""
    if rel_op == RelOp.EQ:
        return _Part(f"({sql} {'IS' if column.nullable else '='} ?)", (operand,))
    if rel_op == RelOp.NE:
        return _Part(f"({sql} {'IS NOT' if column.nullable else '<>'} ?)", (operand,))
    return _present(column, f"({sql} {_SIGNS[rel_op]} ?)", operand)


def _number(value: Property, column: Column, needle: float, columns: Columns) -> _Part:
    if needle != needle:  # NaN, before all numbers: SQLite would take it for NULL
        present = value.rel_op in (RelOp.GT, RelOp.GE)
        return _exist(Exist(value.tag), columns) if present else _ALL if value.rel_op == RelOp.NE else _NONE
    if column.scale == 1 and not column.origin and not column.coarse:
        if isinstance(needle, int) and not -_INT64 <= needle < _INT64:
            return _unknown(value)
        return _related(column, column.sql, value.rel_op, int(needle) if isinstance(needle, bool) else needle)
    if not isinstance(needle, int):
        return _unknown(value)
    distance = needle - column.origin
    floor, odd = divmod(distance, column.scale)
    if not -_INT64 <= floor < _INT64 - 1:
        return _unknown(value)
    ceiling = floor + bool(odd)
    if column.coarse:
        return _coarse(value, column, distance)._replace(rest=value)
    if value.rel_op in (RelOp.EQ, RelOp.NE) and odd:
        return _ALL if value.rel_op == RelOp.NE else _NONE
    return _related(column, column.sql, value.rel_op, ceiling if value.rel_op in (RelOp.LT, RelOp.GE) else floor)


def _coarse(value: Property, column: Column, distance: int) -> _Part:
    """Where the property, from the column's value up to that of the next one, can be what is asked for."""
    floor = distance // column.scale
    if value.rel_op == RelOp.NE:
        return _ALL
    if value.rel_op == RelOp.EQ:
        return _related(column, column.sql, RelOp.EQ, floor)
    if value.rel_op == RelOp.LT:
        return _related(column, column.sql, RelOp.LT, -(-distance // column.scale))
    if value.rel_op == RelOp.LE:
        return _related(column, column.sql, RelOp.LE, floor)
    return _related(column, column.sql, RelOp.GE, floor if value.rel_op == RelOp.GE else (distance + 1) // column.scale)


def _content(value: Content, columns: Columns) -> _Part:
    compared = comparison(value.tag, value.value_tag or value.tag, value.value)
    if compared is None or compared[0] not in ("text", "bytes"):
        return _NONE
    family, needle = compared
    column = _column(value.tag, columns, _FAMILY_KINDS[family])
    if column is None or isinstance(value.value, str) is not isinstance(needle, str):
        return _unknown(value)
    if isinstance(needle, bytes):
        low = value.fuzzy_low
        return _match(column, column.sql, low & ~FuzzyLow.PREFIX, low & FuzzyLow.PREFIX, needle)
    return _text(value, column, needle) if _sendable(needle) else _unknown(value)


def _text(value: Content, column: Column, needle: str) -> _Part:
    """Without case where the whole string matters by the folded text, else by what FuzzyLevelHigh compares."""
    words = value.fuzzy_low & (FuzzyLow.PREFIX_ON_ANY_WORD | FuzzyLow.PHRASE_MATCH)
    part, start = words or value.fuzzy_low & FuzzyLow.SUBSTRING, value.fuzzy_low & FuzzyLow.PREFIX
    form = text_form(value.fuzzy_high)
    rest = value if words else None
    if form is None:
        return _match(column, f"{column.sql} COLLATE BINARY", part, start, needle)._replace(rest=rest)
    if form is caseless and not part and not start:
        return _related(column, _folded(column), RelOp.EQ, fold(needle))
    sought = form(needle)
    exact = _match(column, f"{form.__name__}({column.sql}) COLLATE BINARY", part, start, sought)
    if column.folded is None or form is plain:
        return exact._replace(rest=rest)
    first = _around(f"{column.folded} COLLATE BINARY", sought if part else loose(needle), bool(part))
    if first is None:
        return exact._replace(rest=rest)
    sql = f"({column.sql} IS NOT NULL AND ({first.sql} AND {exact.sql}))"
    return _Part(sql, first.params + exact.params, rest)


def _around(folded: str, needle: str, part: bool) -> _Part | None:
    """What all folded texts have that contain, or start with, the needle: `fold` has the loose form first and the
    caseless one in it."""
    if part:
        return _Part(f"instr({folded}, ?) > 0", (needle,))
    last = _after(needle)
    return None if last is None else _Part(f"{folded} >= ? AND {folded} < ?", (needle, last))


def _after(prefix: str) -> str | None:
    """The first string after all that start with the prefix; None: there is none to be sure of."""
    if not prefix or prefix[-1] >= "\ud7ff":
        return None
    return prefix[:-1] + chr(ord(prefix[-1]) + 1)


def _match(column: Column, sql: str, part: int, start: int, needle: str | bytes) -> _Part:
    """The needle anywhere in the column's text or octets, at its start, or as all of it."""
    if part:
        return _present(column, f"(instr({sql}, ?) > 0)", needle)
    if start:
        return _present(column, f"(instr({sql}, ?) = 1)", needle)
    return _related(column, sql, RelOp.EQ, needle)


def _bit_mask(value: BitMask, columns: Columns) -> _Part:
    if not masks(value.tag):
        return _NONE
    column = _column(value.tag, columns, Kind.NUMBER)
    if column is None or column.scale != 1 or column.origin or column.coarse:
        return _unknown(value)
    sign = "<>" if value.bitmap_rel_op == BitmapRelOp.NEZ else "="
    return _present(column, f"(({column.sql} & ?) {sign} 0)", value.mask)


def _size(value: Size, columns: Columns) -> _Part:
    relates = OPERATORS.get(value.rel_op)
    if relates is None:
        return _NONE
    kind = value.tag & 0xFFFF & ~(MULTIPLE | MV_INSTANCE)
    column = columns.get(canonical(value.tag))
    if column is None or (value.tag & MULTIPLE and not value.tag & MV_INSTANCE):
        return _unknown(value)
    fixed = FIXED_SIZES.get(kind)
    if fixed is not None:
        present = Exist(value.tag)
        if relates(fixed, value.size):
            return _ALL if value.rel_op == RelOp.NE else _exist(present, columns)
        return _not(Not(present), columns) if value.rel_op == RelOp.NE else _NONE
    if column.kind is not Kind.BLOB:
        return _unknown(value)
    return _related(column, f"length({column.sql})", value.rel_op, value.size)


def _compare(value: CompareProperties, columns: Columns) -> _Part:
    if value.rel_op not in _SIGNS:
        return _NONE
    family = FAMILIES.get(canonical(value.tag1) & 0xFFFF)
    if family is None or FAMILIES.get(canonical(value.tag2) & 0xFFFF) != family:
        return _ALL if value.rel_op == RelOp.NE else _NONE
    kind = _FAMILY_KINDS[family]
    one, two = _column(value.tag1, columns, kind), _column(value.tag2, columns, kind)
    if one is None or two is None or one.coarse or two.coarse:
        return _unknown(value)
    if (one.scale, one.origin) != (two.scale, two.origin):
        return _unknown(value)
    a, b = (_folded(one), _folded(two)) if kind is Kind.TEXT else (one.sql, two.sql)
    if value.rel_op in (RelOp.EQ, RelOp.NE):
        return _Part(f"({a} {'IS' if value.rel_op == RelOp.EQ else 'IS NOT'} {b})")
    absent = f"{a} IS {b}" if value.rel_op in (RelOp.LE, RelOp.GE) else "0"
    return _Part(f"coalesce({a} {_SIGNS[value.rel_op]} {b}, {absent})")


_CONVERTERS: Final[dict[type, Callable[[Any, Columns], _Part]]] = {
    And: _and,
    Or: _or,
    Not: _not,
    Content: _content,
    Property: _property,
    CompareProperties: _compare,
    BitMask: _bit_mask,
    Size: _size,
    Exist: _exist,
    Comment: _comment,
    Count: _count,
}
"""What is not here, SubObject, is never SQL."""
