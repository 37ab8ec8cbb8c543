"""Byte ranges and conditions of requests for files (RFC 9110 13, 14). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Final, NamedTuple

MOST_RANGES: Final = 16
LONGEST: Final = 1024
_RANGE: Final = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})")


class Range(NamedTuple):
    """Octets `first` to `last`, which is one of them."""

    first: int
    last: int

    @property
    def size(self) -> int:
        return self.last - self.first + 1


class Unsatisfiable(ValueError):
    """No range is within the file (RFC 9110 15.5.17)."""


def parse_ranges(text: str, size: int) -> list[Range]:
    """What a Range field asks for of a file; [] for all of it, as for a field that says nothing (RFC 9110 14.2).

    Ranges that overlap are all of it too, and so are too many.
    """
    unit, found, rest = text[:LONGEST].partition("=")
    if not found or unit.strip().lower() != "bytes" or len(text) > LONGEST:
        return []
    wanted: list[Range] = []
    parts = rest.split(",")
    for part in parts:
        match = _RANGE.fullmatch(part.strip())
        if match is None or not (match[1] or match[2]):
            return []
        if match[1] and match[2] and int(match[1]) > int(match[2]):
            return []
        one = _within(match[1], match[2], size)
        if one is not None:
            wanted.append(one)
    if not wanted:
        raise Unsatisfiable(text)
    return wanted if len(parts) <= MOST_RANGES and _apart(wanted) else []


def _within(first: str, last: str, size: int) -> Range | None:
    if not first:
        count = min(int(last), size)
        return Range(size - count, size - 1) if count else None
    if int(first) >= size:
        return None
    return Range(int(first), min(int(last), size - 1) if last else size - 1)


def _apart(ranges: Iterable[Range]) -> bool:
    ordered = sorted(ranges)
    return all(one.last < other.first for one, other in pairwise(ordered))


def matches(text: str, etag: str, *, weak: bool) -> bool:
    """Does an If-Match or If-None-Match field name this strong tag (RFC 9110 13.1.1, 13.1.2)?"""
    for tag in text[: 4 * LONGEST].split(","):
        tag = tag.strip()
        if tag == "*" or tag == etag or (weak and tag.removeprefix("W/") == etag):
            return True
    return False


def not_after(text: str, modified: int) -> bool | None:
    """Is the file from the time of an HTTP date or older? None: that is no date."""
    try:
        return modified <= int(parsedate_to_datetime(text[:LONGEST]).timestamp())
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def same_representation(text: str, etag: str, modified: int) -> bool:
    """Does an If-Range field name this representation (RFC 9110 13.1.5)? Dates must be the very same."""
    text = text.strip()
    if text.startswith('"'):
        return text == etag
    if text.startswith("W/"):
        return False
    try:
        return int(parsedate_to_datetime(text[:LONGEST]).timestamp()) == modified
    except (ValueError, TypeError, OverflowError, OSError):
        return False
