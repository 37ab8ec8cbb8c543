"""What a restriction means: compiled once into a function of an object, then asked for each row.

[MS-OXCDATA] 2.12 leaves open what a restriction on an absent property gives. Here it is, as in `gromoxd.mapi.compare`
(of single values NE is always the opposite of EQ):

- Property, Size: an absent property is equal to nothing: NE holds, the others do not. The same for a value whose type
  cannot be compared with the property's.
- CompareProperties: the same when one is absent; two absent ones are equal (EQ, LE, GE hold).
- Content, BitMask, MEMBER_OF_DL: do not hold.

Of a multi-value property one value that matches is enough (2.12.4.1, 2.12.8.1), with NE too; comparing with several
values, or several with each other, is not supported there and counts as a type that cannot be compared. A column of
single values (MV_INSTANCE) is asked for by its own tag, then by the property's.

Strings of relations are compared by `fold`, the key by which tables sort; those of Content as FuzzyLevelHigh says, by
`caseless`, `plain` or `loose`. PtypString8 is the same property as PtypString: objects are asked for the latter.
Integers, booleans, error codes and floating point numbers compare with each other; other types only with themselves.
The size of a string is that of its UTF-16 octets with the terminator.
"""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from gromoxd.mapi import codepages
from gromoxd.mapi.compare import fold
from gromoxd.mapi.proptags import PidTagMessageAttachments, PidTagMessageRecipients
from gromoxd.mapi.restrictions import (
    And,
    BitmapRelOp,
    BitMask,
    Comment,
    CompareProperties,
    Content,
    Count,
    Exist,
    FuzzyHigh,
    FuzzyLow,
    Leaf,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    Size,
    SubObject,
    check_restriction,
    map_tags,
    rebuild,
)
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import MV_INSTANCE, TaggedPropertyValue, value_size


class Row(Protocol):
    """An object to decide about: a bag, or anything that gives a property by its tag and None for an absent one."""

    def get(self, tag: int, /) -> PropValue: ...


class MessageRow(Row, Protocol):
    """What SubObject asks for: an object without these methods has no recipients and attachments."""

    def recipients(self) -> Sequence[Row]: ...

    def attachments(self) -> Sequence[Row]: ...


Predicate = Callable[[Any], bool]
"""Of a Row (Any, because dict's own `get` is overloaded)."""
MemberOf = Callable[[bytes, bytes], bool]
"""Whether the address book object of the first entry id is in the distribution list of the second."""
_Test = Callable[[Any], bool]

_NUMBER, _TEXT, _BYTES, _OTHER = "number", "text", "bytes", "other"
FAMILIES: Final[dict[int, str]] = {
    PropType.PtypInteger16: _NUMBER,
    PropType.PtypInteger32: _NUMBER,
    PropType.PtypInteger64: _NUMBER,
    PropType.PtypFloating32: _NUMBER,
    PropType.PtypFloating64: _NUMBER,
    PropType.PtypErrorCode: _NUMBER,
    PropType.PtypBoolean: _NUMBER,
    PropType.PtypCurrency: "currency",
    PropType.PtypFloatingTime: "floating time",
    PropType.PtypTime: "time",
    PropType.PtypString8: _TEXT,
    PropType.PtypString: _TEXT,
    PropType.PtypGuid: "guid",
    PropType.PtypBinary: _BYTES,
    PropType.PtypServerId: _BYTES,
    PropType.PtypObject: _BYTES,
}
"""Which types compare with each other; what is not here (Null, restrictions, actions) compares with nothing."""
_PYTHON: Final[dict[str, Any]] = {
    _NUMBER: (int, float),
    "currency": int,
    "floating time": (int, float),
    "time": int,
    _TEXT: str,
    "guid": bytes,
    _BYTES: bytes,
}

FLOATS: Final = frozenset({PropType.PtypFloating32, PropType.PtypFloating64, PropType.PtypFloatingTime})

OPERATORS: Final[dict[int, Callable[[Any, Any], bool]]] = {
    RelOp.LT: operator.lt,
    RelOp.LE: operator.le,
    RelOp.GT: operator.gt,
    RelOp.GE: operator.ge,
    RelOp.EQ: operator.eq,
    RelOp.NE: operator.ne,
}
_OF_EQUALS: Final = frozenset({RelOp.LE, RelOp.GE, RelOp.EQ})


def caseless(text: str) -> str:
    """What FL_IGNORECASE compares: full case folding."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text.casefold())


def plain(text: str) -> str:
    """What FL_IGNORENONSPACE compares: text without non-spacing marks."""
    return text if text.isascii() else unicodedata.normalize("NFC", _unmarked(unicodedata.normalize("NFD", text)))


def loose(text: str) -> str:
    """What FL_LOOSE compares, and FL_IGNORECASE with FL_IGNORENONSPACE: the loose part of `fold`."""
    return text.lower() if text.isascii() else _unmarked(unicodedata.normalize("NFKD", text.casefold()))


def _unmarked(decomposed: str) -> str:
    return "".join([c for c in decomposed if not unicodedata.combining(c)])


def canonical(tag: int) -> int:
    """The tag by which objects know a property: strings are PtypString."""
    return tag + 1 if tag & 0xCFFF == PropType.PtypString8 else tag


def comparison(
    tag: int, value_tag: int, value: PropValue, code_page: int = codepages.WESTERN
) -> tuple[str, Any] | None:
    """The family and the value (strings as they came) to compare a property with; None: they do not compare."""
    kind = tag & 0xFFFF & ~(MULTIPLE | MV_INSTANCE)
    family = FAMILIES.get(value_tag & 0xFFFF, _OTHER)
    if family == _OTHER or (kind and FAMILIES.get(kind) != family):
        return None
    if family == _TEXT and isinstance(value, bytes):
        value = codepages.decode(value, code_page)
    return (family, value) if isinstance(value, _PYTHON[family]) else None


def unicode_restriction(value: Restriction, code_page: int) -> Restriction:
    """The restriction with its PtypString8 tags and values as PtypString, where it comes in; SQL is for these only."""

    def tagged(item: TaggedPropertyValue) -> TaggedPropertyValue:
        return TaggedPropertyValue(canonical(item.tag), _as_text(item.tag, item.value, code_page))

    def leaf(item: Leaf) -> Restriction:
        if isinstance(item, Content | Property):
            text = _as_text(item.value_tag or item.tag, item.value, code_page)
            tag, value_tag = canonical(item.tag), canonical(item.value_tag)
            return replace(item, tag=tag, value=text, value_tag=0 if value_tag == tag else value_tag)
        return map_tags(item, canonical)

    return rebuild(value, leaf, tagged)


def _as_text(tag: int, value: PropValue, code_page: int) -> PropValue:
    if tag & 0xCFFF != PropType.PtypString8:
        return value
    if isinstance(value, list):
        return [codepages.decode(item, code_page) for item in value if isinstance(item, bytes)]
    return codepages.decode(value, code_page) if isinstance(value, bytes) else value


def row_limit(value: Restriction) -> int | None:
    """How many rows a restriction lets through at most: what the Count at its top says. Predicates do not count."""
    return value.count if isinstance(value, Count) else None


def compile_restriction(
    value: Restriction, *, code_page: int = codepages.WESTERN, member_of: MemberOf | None = None
) -> Callable[[Any], bool]:
    """The function that says whether an object (`Row`, `MessageRow`) matches.

    WireError for a restriction beyond the bounds of `gromoxd.mapi.restrictions`. Without `member_of` nothing is a
    member of a distribution list.
    """
    check_restriction(value)
    return _Compiler(code_page, member_of).compile(value)


class _Compiler:
    __slots__ = ("code_page", "member_of")

    def __init__(self, code_page: int, member_of: MemberOf | None) -> None:
        self.code_page = code_page
        self.member_of = member_of

    def compile(self, value: Restriction) -> Predicate:
        return _COMPILERS[type(value)](self, value)

    def all_of(self, value: And) -> Predicate:
        tests = [self.compile(item) for item in sorted(value.restricts, key=_cost)]
        if len(tests) == 1:
            return tests[0]

        def run(row: Any) -> bool:
            for test in tests:  # noqa: SIM110 - a generator costs more than all the tests
                if not test(row):
                    return False
            return True

        return run

    def any_of(self, value: Or) -> Predicate:
        tests = [self.compile(item) for item in sorted(value.restricts, key=_cost)]
        if len(tests) == 1:
            return tests[0]

        def run(row: Any) -> bool:
            for test in tests:  # noqa: SIM110
                if test(row):
                    return True
            return False

        return run

    def negation(self, value: Not) -> Predicate:
        test = self.compile(value.restriction)
        return lambda row: not test(row)

    def content(self, value: Content) -> Predicate:
        compared = comparison(value.tag, value.value_tag or value.tag, value.value, self.code_page)
        if compared is None:
            return _nothing
        family, needle = compared
        if family == _TEXT:
            return _on_values(value.tag, _text_match(value.fuzzy_low, value.fuzzy_high, needle), False)
        if family == _BYTES:
            return _on_values(value.tag, _octets_match(value.fuzzy_low, needle), False)
        return _nothing

    def property(self, value: Property) -> Predicate:
        if value.rel_op == RelOp.MEMBER_OF_DL:
            return self._member(value)
        compared = comparison(value.tag, value.value_tag or value.tag, value.value, self.code_page)
        unequal = value.rel_op == RelOp.NE
        if compared is None:
            return _everything if unequal else _nothing
        return _on_values(value.tag, _relation(value.rel_op, value.tag, *compared), unequal)

    def _member(self, value: Property) -> Predicate:
        member_of, group = self.member_of, value.value
        if member_of is None or not isinstance(group, bytes):
            return _nothing
        return _on_values(value.tag, lambda entry: isinstance(entry, bytes) and member_of(entry, group), False)

    def sub_object(self, value: SubObject) -> Predicate:
        method = {PidTagMessageRecipients: "recipients", PidTagMessageAttachments: "attachments"}.get(value.subobject)
        if method is None:
            return _nothing
        test = self.compile(value.restriction)

        def run(row: Any) -> bool:
            rows = getattr(row, method, None)
            return rows is not None and any(test(item) for item in rows())

        return run

    def comment(self, value: Comment) -> Predicate:
        return _everything if value.restriction is None else self.compile(value.restriction)

    def count(self, value: Count) -> Predicate:
        return self.compile(value.restriction)


def _cost(value: Restriction) -> int:
    """What is asked first: properties, then searches in strings, then what may be anything, then other objects."""
    return _COSTS.get(type(value), 0)


_COSTS: Final[dict[type, int]] = {Content: 1, And: 2, Or: 2, Not: 2, Comment: 2, Count: 2, SubObject: 3}


def _everything(_: Any) -> bool:
    return True


def _nothing(_: Any) -> bool:
    return False


def _getter(tag: int) -> Callable[[Any], Any]:
    """How to get a property; of a column of single values also where there is no such column."""
    tag = canonical(tag)
    if not tag & MV_INSTANCE:
        return lambda row: row.get(tag)
    whole = tag & ~MV_INSTANCE

    def get(row: Any) -> Any:
        value = row.get(tag)
        return row.get(whole) if value is None else value

    return get


def _on_values(tag: int, test: _Test, absent: bool) -> Predicate:
    """The test on the property's value, or on each of its values."""
    if not tag & MULTIPLE:
        single = canonical(tag)

        def run(row: Any) -> bool:
            value = row.get(single)
            return absent if value is None else test(value)

        return run
    get = _getter(tag)

    def run_many(row: Any) -> bool:
        value = get(row)
        if value is None:
            return absent
        return any(test(item) for item in value) if isinstance(value, list) else test(value)

    return run_many


def _relation(rel_op: int, tag: int, family: str, needle: Any) -> _Test:
    relates, types = OPERATORS[rel_op], _PYTHON[family]
    unequal = rel_op == RelOp.NE
    if family == _TEXT:
        folded = fold(needle)
        return lambda value: relates(fold(value), folded) if isinstance(value, str) else unequal
    if tag & 0xFFFF & ~(MULTIPLE | MV_INSTANCE) in FLOATS or needle != needle:
        key = _number_key(needle)
        return lambda value: relates(_number_key(value), key) if isinstance(value, types) else unequal
    return lambda value: relates(value, needle) if isinstance(value, types) else unequal


def _number_key(value: float) -> tuple[bool, float]:
    """NaN before the numbers, and equal to itself."""
    return (True, value) if value == value else (False, 0)


def text_form(fuzzy_high: int) -> Callable[[str], str] | None:
    """What FuzzyLevelHigh makes of both strings before they are compared; None: nothing."""
    marks = fuzzy_high & (FuzzyHigh.IGNORENONSPACE | FuzzyHigh.LOOSE)
    case = fuzzy_high & (FuzzyHigh.IGNORECASE | FuzzyHigh.LOOSE)
    return (loose if case else plain) if marks else (caseless if case else None)


def _text_match(fuzzy_low: int, fuzzy_high: int, needle: str) -> _Test:
    form = text_form(fuzzy_high)
    if form is caseless and not fuzzy_low & _IN_PART:
        form = fold  # the same strings are equal, and tables have this form
    matches = _on_text(fuzzy_low, needle if form is None else form(needle))
    if form is None:
        return lambda value: isinstance(value, str) and matches(value)
    return lambda value: isinstance(value, str) and matches(form(value))


_IN_PART: Final = FuzzyLow.SUBSTRING | FuzzyLow.PREFIX | FuzzyLow.PREFIX_ON_ANY_WORD | FuzzyLow.PHRASE_MATCH


def _on_text(fuzzy_low: int, needle: str) -> Callable[[str], bool]:
    words = fuzzy_low & (FuzzyLow.PREFIX_ON_ANY_WORD | FuzzyLow.PHRASE_MATCH)
    if words:
        return _on_words(needle, whole=words == FuzzyLow.PHRASE_MATCH)
    if fuzzy_low & FuzzyLow.SUBSTRING:
        return lambda text: needle in text
    if fuzzy_low & FuzzyLow.PREFIX:
        return lambda text: text.startswith(needle)
    return lambda text: text == needle


def _on_words(needle: str, whole: bool) -> Callable[[str], bool]:
    """The needle where a word begins, and with `whole` ends where one ends."""
    before = r"(?<!\w)" if re.match(r"\w", needle) else ""
    after = r"(?!\w)" if whole and re.search(r"\w\Z", needle) else ""
    search = re.compile(before + re.escape(needle) + after).search
    return lambda text: search(text) is not None


def _octets_match(fuzzy_low: int, needle: bytes) -> _Test:
    if fuzzy_low & ~FuzzyLow.PREFIX:
        return lambda value: isinstance(value, bytes) and needle in value
    if fuzzy_low & FuzzyLow.PREFIX:
        return lambda value: isinstance(value, bytes) and value.startswith(needle)
    return lambda value: bool(value == needle)


def _compare(_: _Compiler, value: CompareProperties) -> Predicate:
    tag1, tag2 = canonical(value.tag1), canonical(value.tag2)
    rel_op = value.rel_op
    unequal, of_equals = rel_op == RelOp.NE, rel_op in _OF_EQUALS
    family = FAMILIES.get(tag1 & 0xFFFF, _OTHER)
    relates = OPERATORS.get(rel_op)
    if relates is None or family == _OTHER or FAMILIES.get(tag2 & 0xFFFF) != family:
        return _everything if unequal else _nothing
    types = _PYTHON[family]
    key = fold if family == _TEXT else _number_key if {tag1 & 0xFFFF, tag2 & 0xFFFF} & FLOATS else None

    def run(row: Any) -> bool:
        one, two = row.get(tag1), row.get(tag2)
        if isinstance(one, types) and isinstance(two, types):
            return relates(one, two) if key is None else relates(key(one), key(two))
        return of_equals if one is None and two is None else unequal

    return run


def masks(tag: int) -> bool:
    """Whether a property of this type can be masked: 2.12.7.1 has PtypInteger32, other whole numbers do no harm."""
    return FAMILIES.get(tag & 0xFFFF) == _NUMBER and tag & 0xFFFF not in FLOATS


def _bit_mask(_: _Compiler, value: BitMask) -> Predicate:
    tag, mask = value.tag, value.mask
    wanted = value.bitmap_rel_op == BitmapRelOp.NEZ
    if not masks(tag):
        return _nothing

    def run(row: Any) -> bool:
        number = row.get(tag)
        return isinstance(number, int) and bool(number & mask) is wanted

    return run


def _size(_: _Compiler, value: Size) -> Predicate:
    relates, size = OPERATORS.get(value.rel_op), value.size
    if relates is None:
        return _nothing
    kind = canonical(value.tag) & 0xFFFF & ~(MULTIPLE | MV_INSTANCE)
    return _on_values(value.tag, lambda item: relates(value_size(kind, item), size), value.rel_op == RelOp.NE)


def _exist(_: _Compiler, value: Exist) -> Predicate:
    get = _getter(value.tag)
    return lambda row: get(row) is not None


_COMPILERS: Final[dict[type, Callable[[_Compiler, Any], Predicate]]] = {
    And: _Compiler.all_of,
    Or: _Compiler.any_of,
    Not: _Compiler.negation,
    Content: _Compiler.content,
    Property: _Compiler.property,
    CompareProperties: _compare,
    BitMask: _bit_mask,
    Size: _size,
    Exist: _exist,
    SubObject: _Compiler.sub_object,
    Comment: _Compiler.comment,
    Count: _Compiler.count,
}
