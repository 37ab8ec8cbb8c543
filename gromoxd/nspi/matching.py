"""Which objects of an address list match a restriction: through indexes where it names people, else one by one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable
from typing import Any, Final

from gromoxd.addressbook.reader import Book, Container, Item
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.codepages import decode
from gromoxd.mapi.evaluate import canonical, compile_restriction, loose
from gromoxd.mapi.restrictions import (
    And,
    Comment,
    Content,
    Count,
    FuzzyLow,
    Not,
    Or,
    Property,
    RelOp,
    Restriction,
    SubObject,
    size_of,
)

LARGEST: Final = 200
DEEPEST: Final = 16
EVERYTHING: Final = 1 << 30
Test = Callable[[Item], bool]


class Matcher:
    """One restriction on one list. ecTooComplex for one that is too large or about parts of objects."""

    def __init__(self, book: Book, listed: Container, restriction: Restriction, code_page: int) -> None:
        count, depth = size_of(restriction)
        if depth > DEEPEST or count > LARGEST:
            raise MapiError(Ec.ecTooComplex, "restriction too large")
        self._book, self._listed, self._code_page = book, listed, code_page
        self._found: dict[int, set[int]] = {}
        self._test = self._compiled(restriction)
        self._candidates = self._named(restriction)

    def run(self, limit: int) -> list[int]:
        """The entries that match, in the order of the list. ecTableTooBig when they are more than `limit`."""
        rows: Iterable[int] = self._listed.order
        if self._candidates is not None:
            rows = sorted(index for index in self._candidates if self._listed.position(index) is not None)
        found = []
        for index in rows:
            if self._test(self._book.item(index)):
                found.append(index)
                if len(found) > limit:
                    raise MapiError(Ec.ecTableTooBig, f"more than {limit} rows")
        return found

    # ------------------------------------------------------------------------------------------ candidates

    def _named(self, value: Restriction) -> set[int] | None:
        """All entries that may match, from an index; None when they may be any."""
        if isinstance(value, And):
            sets = [found for one in value.restricts if (found := self._named(one)) is not None]
            return min(sets, key=len) if sets else None
        if isinstance(value, Or):
            united: set[int] = set()
            for one in value.restricts:
                part = self._named(one)
                if part is None:
                    return None
                united |= part
            return united
        if isinstance(value, Comment) and value.restriction is not None:
            return self._named(value.restriction)
        if isinstance(value, Count):
            return self._named(value.restriction)
        return self._leaf(value) if isinstance(value, Property | Content) else None

    def _leaf(self, value: Property | Content) -> set[int] | None:
        tag, text = canonical(value.tag), self._text(value.value)
        if tag == tags.PidTagAnr:
            return self._anr(value)
        if text is None:
            return None
        if isinstance(value, Property):
            return self._equal(tag, text) if value.rel_op == RelOp.EQ else None
        if tag == tags.PidTagDisplayName and value.fuzzy_low == FuzzyLow.PREFIX and text:
            octets = loose(text).encode("utf-8", "replace")
            snapshot, numbers = self._book.snapshot, self._listed.order
            start = _bisect(numbers, octets, snapshot.key)
            return set(numbers[start : _bisect(numbers, octets + b"\xff", snapshot.key)])
        return None

    def _equal(self, tag: int, text: str) -> set[int] | None:
        if tag == tags.PidTagSmtpAddress:
            return set(self._book.snapshot.of_address(text))
        if tag == tags.PidTagEmailAddress:
            item = self._book.of_dn(text)
            return {item.index} if item is not None else set()
        return None

    def _anr(self, value: Property | Content) -> set[int]:
        """Ambiguous name resolution ([MS-OXNSPI] 3.1.4.7)."""
        if id(value) not in self._found:
            text = self._text(value.value)
            self._found[id(value)] = set(self._book.search(text, EVERYTHING)) if text else set()
        return self._found[id(value)]

    def _text(self, value: Any) -> str | None:
        if isinstance(value, bytes):
            return decode(value, self._code_page)
        return value if isinstance(value, str) else None

    # ------------------------------------------------------------------------------------------ tests

    def _compiled(self, value: Restriction) -> Test:
        match value:
            case And(restricts):
                tests = [self._compiled(one) for one in restricts]
                return lambda item: all(test(item) for test in tests)
            case Or(restricts):
                tests = [self._compiled(one) for one in restricts]
                return lambda item: any(test(item) for test in tests)
            case Not(restriction):
                test = self._compiled(restriction)
                return lambda item: not test(item)
            case Comment(_, None):
                return lambda item: True
            case Comment(_, restriction) if restriction is not None:
                return self._compiled(restriction)
            case Count(_, restriction):
                return self._compiled(restriction)
            case SubObject():
                raise MapiError(Ec.ecTooComplex, "restriction on parts of objects")
            case Property(_, tag) | Content(_, _, tag) if canonical(tag) == tags.PidTagAnr:
                found = self._anr(value)
                return lambda item: item.index in found
        try:
            return compile_restriction(value, code_page=self._code_page)
        except WireError as error:
            raise MapiError(Ec.ecTooComplex, str(error)) from None


def _bisect(numbers: Any, octets: bytes, key: Callable[[int], bytes]) -> int:
    return bisect_left(numbers, octets, key=key)
