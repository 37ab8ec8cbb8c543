"""The file's map of named properties ([MS-PST] 2.4.7): property ids from 0x8000 on to names."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.convert.pst.values import PropertyContext, text16
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED, FIRST_OWN, LAST_NAMED, PS_MAPI, PS_PUBLIC_STRINGS, PropertyName, built_in_id

NID_NAME_TO_ID_MAP: Final = 0x61
PidTagNameidStreamGuid: Final = 0x00020102
PidTagNameidStreamEntry: Final = 0x00030102
PidTagNameidStreamString: Final = 0x00040102
_ENTRY: Final = Struct("<IHH")
_NO_SET: Final = bytes(16)
_LONGEST: Final = 510
_MOST: Final = LAST_NAMED - FIRST_OWN


class NameMap:
    """What the named properties of the file are called, and which ids they have in an item."""

    __slots__ = ("_ids", "_own")

    def __init__(self, names: dict[int, PropertyName]) -> None:
        """`names`: property id in the file -> name. The id in an item of a name that is not built in is the same in
        all items of the file."""
        self._ids: dict[int, int] = {}
        self._own: dict[int, PropertyName] = {}
        own: dict[PropertyName, int] = {}
        for number, name in names.items():
            known = built_in_id(name)
            if known is None:
                folded = name.folded()
                known = own.get(folded)
                if known is None and len(own) < _MOST:
                    known = own[folded] = FIRST_OWN + len(own)
                    self._own[known] = name
            if known is not None:
                self._ids[number] = known

    def __len__(self) -> int:
        return len(self._ids)

    def apply(self, bag: Bag, names: dict[int, PropertyName]) -> Bag:
        """The bag with the ids of an item, whose names that are not built in go into `names`. Values whose id has no
        name in the file mean nothing and are left out."""
        changed: Bag = {}
        for tag, value in bag.items():
            number = tag >> 16
            if number >= FIRST_NAMED:
                known = self._ids.get(number)
                if known is None:
                    continue
                if known >= FIRST_OWN:
                    names[known] = self._own[known]
                tag = known << 16 | tag & 0xFFFF
            changed[tag] = value
        return changed


def read_names(properties: PropertyContext) -> NameMap:
    """The map out of the node NID_NAME_TO_ID_MAP; entries that point nowhere are passed over ([MS-PST] 2.4.7.1)."""
    guids = properties.get(PidTagNameidStreamGuid) or b""
    entries = properties.get(PidTagNameidStreamEntry) or b""
    strings = properties.get(PidTagNameidStreamString) or b""
    names: dict[int, PropertyName] = {}
    for key, flags, index in _ENTRY.iter_unpack(entries[: len(entries) // _ENTRY.size * _ENTRY.size]):
        guid = _set_of(flags >> 1, guids)
        value = _string(strings, key) if flags & 1 else key
        if guid is not None and value is not None:
            names[FIRST_NAMED + index] = PropertyName(guid, value)
    return NameMap(names)


def _set_of(index: int, guids: bytes) -> bytes | None:
    """wGuid of NAMEID: 0 none, 1 PS_MAPI, 2 PS_PUBLIC_STRINGS, then those of the stream."""
    if index < 3:
        return (_NO_SET, PS_MAPI, PS_PUBLIC_STRINGS)[index]
    guid = guids[16 * index - 48 : 16 * index - 32]
    return guid if len(guid) == 16 else None


def _string(strings: bytes, at: int) -> str | None:
    size = int.from_bytes(strings[at : at + 4], "little")
    octets = strings[at + 4 : at + 4 + size]
    return text16(octets) if 0 < size == len(octets) <= _LONGEST else None
