"""Writing the map of named properties ([MS-PST] 2.4.7), the inverse of `names`, with the buckets that names are looked
up by: dwPropertyID or the checksum of the string, xor wGuid, modulo their count."""

from __future__ import annotations

from struct import Struct
from typing import Final

from gromoxd.convert.pst.encoding import crc
from gromoxd.convert.pst.ltpwriter import write_properties
from gromoxd.convert.pst.names import (
    NID_NAME_TO_ID_MAP,
    PidTagNameidStreamEntry,
    PidTagNameidStreamGuid,
    PidTagNameidStreamString,
)
from gromoxd.convert.pst.ndbwriter import NdbWriter
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED, LAST_NAMED, PS_MAPI, PS_PUBLIC_STRINGS, PropertyName

_BUCKETS: Final = 251
_FIRST_BUCKET: Final = 0x1000
_ENTRY: Final = Struct("<IHH")


class NameWriter:
    """The names that a file's items use, in the order in which they were met."""

    def __init__(self, ndb: NdbWriter) -> None:
        self._ndb = ndb
        self._ids: dict[PropertyName, int] = {}
        self._guids: list[bytes] = []
        self._entries = bytearray()
        self._strings = bytearray()
        self._buckets: dict[int, bytes] = {}

    def prop_id(self, name: PropertyName) -> int:
        """The name's property id in the file, a new one when it has none. ValueError when there is no more."""
        folded = name.folded()
        number = self._ids.get(folded)
        if number is None:
            number = self._ids[folded] = FIRST_NAMED + len(self._ids)
            if number > LAST_NAMED:
                raise ValueError("too many named properties for one file")
            self._add(name, number - FIRST_NAMED)
        return number

    def _add(self, name: PropertyName, index: int) -> None:
        flags = self._set(name.guid) << 1
        if isinstance(name.key, int):
            key = value = name.key
        else:
            flags |= 1
            octets = name.key.encode("utf-16-le", "surrogatepass")
            key, value = len(self._strings), crc(octets)
            self._strings += len(octets).to_bytes(4, "little") + octets
            self._strings += bytes(-len(self._strings) % 4)
        self._entries += _ENTRY.pack(key, flags, index)
        bucket = (value ^ flags) % _BUCKETS
        self._buckets[bucket] = self._buckets.get(bucket, b"") + _ENTRY.pack(value, flags, index)

    def _set(self, guid: bytes) -> int:
        if guid in (PS_MAPI, PS_PUBLIC_STRINGS):
            return 1 if guid == PS_MAPI else 2
        if guid not in self._guids:
            self._guids.append(guid)
        return 3 + self._guids.index(guid)

    def write(self) -> None:
        """Write the node."""
        bag: Bag = {
            0x00010003: _BUCKETS,
            PidTagNameidStreamGuid: b"".join(self._guids),
            PidTagNameidStreamEntry: bytes(self._entries),
            PidTagNameidStreamString: bytes(self._strings),
        }
        bag.update(((_FIRST_BUCKET + bucket) << 16 | 0x102, octets) for bucket, octets in self._buckets.items())
        bid, own = write_properties(self._ndb, bag)
        self._ndb.node(NID_NAME_TO_ID_MAP, bid, self._ndb.subnodes(own))
