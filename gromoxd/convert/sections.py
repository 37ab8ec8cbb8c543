"""BODY[section] (RFC 9051 6.4.5.1) as ranges of a stored message, and HEADER.FIELDS."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Literal

from gromoxd.convert.mime import Part

What = Literal["ALL", "HEADER", "TEXT", "MIME"]


def section(parts: Part, path: tuple[int, ...], what: str) -> tuple[int, int] | None:
    """(offset, length) of a section in the message's octets, None when the message has no such part.

    `what` is 'ALL' (`BODY[]`, `BODY[1.2]`), 'HEADER', 'TEXT' (at the top or in an embedded message) or 'MIME'.
    """
    if not path:
        return _of_message(parts, what)
    part = _find(parts, path)
    if part is None:
        return None
    if what == "ALL":
        return part.body_offset, part.body_length
    if what == "MIME":
        return part.header_offset, part.header_length
    return _of_message(part.children[0], what) if part.is_message else None


def _of_message(root: Part, what: str) -> tuple[int, int] | None:
    if what == "ALL":
        return root.header_offset, root.header_length + root.body_length
    if what == "HEADER":
        return root.header_offset, root.header_length
    if what == "TEXT":
        return root.body_offset, root.body_length
    return None


def find_part(parts: Part, path: tuple[int, ...]) -> Part | None:
    """The part that a section number names; the empty path is the message itself."""
    return _find(parts, path) if path else parts


def _find(root: Part, path: tuple[int, ...]) -> Part | None:
    """Part numbers count the parts of a multipart; a message that is none has itself as part 1, at any level."""
    part: Part | None = None
    for number in path:
        if part is None:
            part = _nth(root, number)
        elif part.is_message:
            part = _nth(part.children[0], number)
        elif part.is_multipart:
            part = _nth(part, number)
        else:
            return None
        if part is None:
            return None
    return part


def _nth(container: Part, number: int) -> Part | None:
    if container.is_multipart:
        return container.children[number - 1] if 0 < number <= len(container.children) else None
    return container if number == 1 else None


def header_fields(header: bytes, names: frozenset[bytes], negate: bool) -> bytes:
    """The fields of `names` (upper case; with `negate` all others) as stored, in their order, and an empty line."""
    found = b"".join(_finder(names, negate)(b"\n" + header))[1:]
    if not found:
        return b"\r\n"
    return found + (b"\n\r\n" if found[-1] == 13 or b"\r\n" not in header else b"\r\n\r\n")


@lru_cache(maxsize=256)
def _finder(names: frozenset[bytes], negate: bool) -> Callable[[bytes], list[bytes]]:
    """Finds "\\nName: value" with its folded lines, up to the line break that ends it."""
    listed = b"|".join(sorted(re.escape(name) for name in names))
    if negate:
        start = rb"\n(?!(?:%b)[ \t]*:)(?=[^\s])" % listed if names else rb"\n(?=[^\s])"
    else:
        start = rb"\n(?:%b)[ \t]*:" % listed if names else rb"(?!)"
    return re.compile(start + rb"[^\n]*(?:\n[ \t][^\n]*)*", re.IGNORECASE).findall
