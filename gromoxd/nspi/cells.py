"""From objects to the cells of rows: types as a client asks for them, strings in its code page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gromoxd.addressbook.properties import TYPES, all_tags, tags_of
from gromoxd.addressbook.reader import Item
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.codepages import encode
from gromoxd.mapi.entryids import EphemeralEntryId
from gromoxd.mapi.rows import NOT_FOUND, Cell
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import MV_INSTANCE, TypedPropertyValue

Getter = Callable[[Item], Cell]
DEFAULT_COLUMNS: Final = (
    tags.PidTagAddressBookContainerId, tags.PidTagObjectType, tags.PidTagDisplayType, tags.PidTagDisplayName,
    tags.PidTagPrimaryTelephoneNumber, tags.PidTagDepartmentName, tags.PidTagOfficeLocation,
)  # fmt: skip
"""[MS-OXNSPI] 3.1.4.1.8: what a client gets that names no columns."""


def as_string8(tag: int) -> int:
    """The tag of a string property as PtypString8; other tags as they are."""
    return tag - 1 if tag & 0xFFFF & ~MULTIPLE == PropType.PtypString else tag


def default_columns(*, unicode: bool) -> tuple[int, ...]:
    """DEFAULT_COLUMNS with strings of either kind."""
    return DEFAULT_COLUMNS if unicode else tuple(map(as_string8, DEFAULT_COLUMNS))


def property_list(item: Item, *, unicode: bool, objects: bool) -> list[int]:
    """The tags of what an object has; `objects`: tables of linked objects too."""
    found = [tag for tag in tags_of(item) if objects or tag & 0xFFFF != PropType.PtypObject]
    return sorted(found if unicode else map(as_string8, found))


def all_columns(*, unicode: bool) -> list[int]:
    """All properties that objects may have."""
    return sorted(set(all_tags() if unicode else map(as_string8, all_tags())))


def in_code_page(value: PropValue, code_page: int) -> PropValue:
    """A string, or strings, as 8-bit ones."""
    if isinstance(value, str):
        return encode(value, code_page)
    if isinstance(value, list):
        return [encode(one, code_page) for one in value if isinstance(one, str)]
    return value


def ephemeral(item: Item, guid: bytes) -> bytes:
    """EphemeralEntryID of an object."""
    return EphemeralEntryId(guid, item.mid, TYPES[item.entry.kind].entryid).encode()


def getter(tag: int, code_page: int, guid: bytes | None) -> Getter:
    """What gives one column's cell. `guid`: entry ids are ephemeral ones of this server."""
    kind = tag & 0xFFFF
    if kind & MV_INSTANCE:
        return lambda _: NOT_FOUND
    if kind == PropType.PtypUnspecified:
        return lambda item: _unspecified(item, tag >> 16, code_page, guid)
    if tag == tags.PidTagEntryId and guid is not None:
        return lambda item: ephemeral(item, guid)
    if kind & ~MULTIPLE == PropType.PtypString8:
        wide = tag + 1
        return lambda item: NOT_FOUND if (value := item.get(wide)) is None else in_code_page(value, code_page)
    return lambda item: NOT_FOUND if (value := item.get(tag)) is None else value


def _unspecified(item: Item, number: int, code_page: int, guid: bytes | None) -> Cell:
    for tag in tags_of(item):
        if tag >> 16 == number and tag & 0xFFFF != PropType.PtypObject:
            wanted = as_string8(tag)
            value = getter(wanted, code_page, guid)(item)
            return TypedPropertyValue(wanted & 0xFFFF, value)  # type: ignore[arg-type]
    return NOT_FOUND


CELL_OCTETS: Final = 24


def octets_of(row: Sequence[Cell]) -> int:
    """About how many octets a row takes on either wire, rather more than less."""
    octets = CELL_OCTETS * len(row)
    for cell in row:
        value = cell.value if isinstance(cell, TypedPropertyValue) else cell
        if isinstance(value, str | bytes):
            octets += 2 * len(value)
        elif isinstance(value, list):
            octets += sum(
                [CELL_OCTETS + 2 * len(one) if isinstance(one, str | bytes) else CELL_OCTETS for one in value]
            )
    return octets


class RowMaker:
    """Rows of the same columns."""

    def __init__(self, columns: Sequence[int], code_page: int, guid: bytes | None) -> None:
        self.columns = tuple(columns)
        self._getters = [getter(tag, code_page, guid) for tag in columns]

    def row(self, item: Item | None) -> list[Cell]:
        """The cells of an object; errors throughout for one that is not there."""
        if item is None:
            return [NOT_FOUND] * len(self.columns)
        return [get(item) for get in self._getters]
