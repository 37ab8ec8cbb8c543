"""Header fields of delivered messages as named properties ([MS-OXCMAIL] 2.2.3.2.29), where the mailbox has the name.

Nothing is stored: whoever asks for such a property gets it out of the stored header.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Final

import apsw

from gromoxd.convert.headers import decode_header, field_map
from gromoxd.convert.internetheaders import MAX_LENGTH, is_named
from gromoxd.mapi.named import BUILT_IN, FIRST_NAMED, FIRST_OWN, PS_INTERNET_HEADERS
from gromoxd.mapi.types import PropType, PropValue
from store.sql import row, rows

_STRING, _BOOLEAN = int(PropType.PtypString), int(PropType.PtypBoolean)
_NUMBERS: Final = {int(PropType.PtypInteger16): 0x7FFF, int(PropType.PtypInteger32): 0x7FFFFFFF}
_TYPES: Final = {
    "x-faxnumberofpages": 0x0002, "x-requireprotectedplayonphone": 0x000B, "x-voicemessageduration": 0x0002
}  # fmt: skip
_MOST: Final = 64


def _built_in() -> dict[int, bytes]:
    found = {}
    for place, name in enumerate(BUILT_IN):
        if name.guid == PS_INTERNET_HEADERS and isinstance(name.key, str):
            key = name.key.lower().encode("ascii")
            if is_named(key):
                found[FIRST_NAMED + place] = key
    return found


_BUILT_IN: Final = _built_in()
_kept: dict[bytes, tuple[int, dict[int, bytes]]] = {}
_lock = Lock()


def names(db: apsw.Connection, mailbox: bytes) -> dict[int, bytes]:
    """Property id -> field name of the names that a mailbox (its replica GUID) has; ids are never taken back."""
    last = row(db, "SELECT max(propid) FROM named_properties")[0] or 0
    if not last:
        return _BUILT_IN
    known = _kept.get(mailbox)
    if known is not None and known[0] == last:
        return known[1]
    found = dict(_BUILT_IN)
    sql = "SELECT propid, name FROM named_properties WHERE guid=? AND name IS NOT NULL"
    for propid, text in rows(db, sql, (PS_INTERNET_HEADERS,)):
        key = text.lower().encode("utf-8", "replace")
        if is_named(key):
            found[propid] = key
    with _lock:
        while len(_kept) >= _MOST:
            del _kept[next(iter(_kept))]
        _kept[mailbox] = (last, found)
    return found


def is_header(db: apsw.Connection, mailbox: bytes, tag: int) -> bool:
    """Whether a property may be a field of the header."""
    number = tag >> 16
    if number < FIRST_OWN:
        return number in _BUILT_IN
    return tag & 0xFFFF == _STRING and number in names(db, mailbox)


def value(db: apsw.Connection, mailbox: bytes, header: bytes, tag: int) -> PropValue:
    """The property that a field is, None when there is no such field."""
    name = names(db, mailbox).get(tag >> 16)
    field = field_map(header).get(name) if name is not None else None
    return None if field is None else _of_type(tag & 0xFFFF, field)


def values(db: apsw.Connection, mailbox: bytes, header: bytes) -> Iterator[tuple[int, PropValue]]:
    """All of them with their tags."""
    fields = field_map(header)
    for number, name in names(db, mailbox).items():
        if name in fields:
            kind = _TYPES.get(name.decode("ascii", "replace"), _STRING) if number < FIRST_OWN else _STRING
            made = _of_type(kind, fields[name])
            if made is not None:
                yield number << 16 | kind, made


def _of_type(kind: int, field: bytes) -> PropValue:
    if kind == _STRING:
        return decode_header(field[:MAX_LENGTH])
    if kind == _BOOLEAN:
        return field.strip().lower() in (b"true", b"1", b"yes")
    digits = field.strip()
    if kind in _NUMBERS and digits.isdigit() and len(digits) < 10:
        return min(int(digits), _NUMBERS[kind])
    return None
