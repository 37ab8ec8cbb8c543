"""PidTagAdditionalRenEntryIdsEx: the entry ids of some special folders ([MS-OXOSFLD] 2.2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

PERSIST_SENTINEL: Final = 0x0000
"""PersistID of the block that ends the list; what follows it is not read."""
ELEMENT_SENTINEL: Final = 0x0000
"""ElementID of the element that ends a block."""
RSF_ELID_ENTRYID: Final = 0x0001
"""ElementID of a folder's entry id."""
RSF_ELID_HEADER: Final = 0x0002
"""ElementID of a header of four zero octets."""

_HEAD = Struct("<HH")


def _sized(number: int, octets: bytes) -> bytes:
    if len(octets) > 0xFFFF:
        raise WireError(f"{len(octets)} octets in a persisted element")
    return _HEAD.pack(number, len(octets)) + octets


class PersistElement(NamedTuple):
    """PersistElement, [MS-OXOSFLD] 2.2.5.2. ELEMENT_SENTINEL has no data."""

    element_id: int
    data: bytes = b""

    def encode(self) -> bytes:
        return _sized(self.element_id, self.data)


class PersistData(NamedTuple):
    """PersistData, [MS-OXOSFLD] 2.2.5.1: one folder. A PERSIST_SENTINEL has no elements."""

    persist_id: int
    elements: tuple[PersistElement, ...] = ()

    @property
    def entryid(self) -> bytes | None:
        """The folder's entry id."""
        return next((data for number, data in self.elements if number == RSF_ELID_ENTRYID), None)

    def encode(self) -> bytes:
        return _sized(self.persist_id, b"".join([element.encode() for element in self.elements]))

    @classmethod
    def read(cls, cursor: Cursor) -> PersistData:
        number, size = cursor.struct(_HEAD)
        inside = cursor.region(size)
        elements: list[PersistElement] = []
        while inside.left:
            kind, length = inside.struct(_HEAD)
            elements.append(PersistElement(kind, inside.take(length)))
        return cls(number, tuple(elements))


def decode_persist_data(data: bytes) -> list[PersistData]:
    """All blocks, the one that ends the list too; a list without that ends with its octets."""
    cursor = Cursor(data)
    found: list[PersistData] = []
    while cursor.left:
        found.append(PersistData.read(cursor))
        if found[-1].persist_id == PERSIST_SENTINEL:
            break
    return found


def encode_persist_data(blocks: Sequence[PersistData]) -> bytes:
    """The inverse."""
    return b"".join([block.encode() for block in blocks])
