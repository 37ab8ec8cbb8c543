"""The ICS state: which objects and changes a client's replica has, as four sets.

[MS-OXCFXICS] 2.2.1.1. On the wire each is a property whose value is a REPLGUID-based IDSET; clients upload them one by
one (2.2.3.2.2) and get them back at the end of a download (2.2.4.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from gromoxd.errors import WireError
from gromoxd.mapi.fasttransfer import (
    Marker,
    MetaTagCnsetRead,
    MetaTagCnsetSeen,
    MetaTagCnsetSeenFAI,
    MetaTagIdsetGiven,
    MetaTagIdsetGivenBinary,
    StreamReader,
    StreamWriter,
)
from gromoxd.mapi.idset import MAX_RANGES, IdSet
from gromoxd.mapi.types import PropValue

_FIELDS: Final[dict[int, str]] = {
    MetaTagIdsetGiven: "given",
    MetaTagIdsetGivenBinary: "given",
    MetaTagCnsetSeen: "seen",
    MetaTagCnsetSeenFAI: "seen_fai",
    MetaTagCnsetRead: "read",
}


@dataclass(slots=True)
class SyncState:
    """[MS-OXCFXICS] 2.2.1.1: `given` holds ids of objects, the others change numbers, each by replica GUID.

    `given`: objects that the replica has; `seen`: changes of normal messages, or of folders, that it has; `seen_fai`:
    those of FAI messages; `read`: changes of read state. A hierarchy has the first two only.
    """

    given: IdSet = field(default_factory=IdSet)
    seen: IdSet = field(default_factory=IdSet)
    seen_fai: IdSet = field(default_factory=IdSet)
    read: IdSet = field(default_factory=IdSet)

    def copy(self) -> SyncState:
        return SyncState(self.given.copy(), self.seen.copy(), self.seen_fai.copy(), self.read.copy())

    def put(self, tag: int, data: bytes, max_ranges: int = MAX_RANGES) -> None:
        """Take one uploaded property. WireError when it is none of the state, or its value no IDSET."""
        name = _FIELDS.get(tag)
        if name is None:
            raise WireError(f"property {tag:#010x} is not of the ICS state")
        setattr(self, name, IdSet.decode_replguid(data, max_ranges))

    def properties(self, contents: bool = True, given: bool = True) -> dict[int, bytes]:
        """The state's properties. Without `contents` those of a hierarchy.

        MetaTagIdsetGiven has no place in what RopSynchronizationGetTransferState gives (3.3.5.13): `given` is False.
        """
        found = {MetaTagIdsetGiven: self.given.encode()} if given else {}
        found[MetaTagCnsetSeen] = self.seen.encode()
        if contents:
            found[MetaTagCnsetSeenFAI] = self.seen_fai.encode()
            found[MetaTagCnsetRead] = self.read.encode()
        return found

    @classmethod
    def of_properties(cls, properties: Mapping[int, PropValue], max_ranges: int = MAX_RANGES) -> SyncState:
        """The inverse. Other properties are not looked at; WireError for values that are no IDSETs."""
        state = cls()
        for tag, value in properties.items():
            if tag in _FIELDS:
                if not isinstance(value, bytes):
                    raise WireError(f"property {tag:#010x} is not binary")
                state.put(tag, value, max_ranges)
        return state

    def write(self, writer: StreamWriter, contents: bool = True, given: bool = True) -> None:
        """The element `state` of a FastTransfer stream ([MS-OXCFXICS] 2.2.4.2): the properties between markers."""
        writer.marker(Marker.IncrSyncStateBegin)
        for tag, data in self.properties(contents, given).items():
            writer.property(tag, data)
        writer.marker(Marker.IncrSyncStateEnd)

    def encode(self, contents: bool = True, given: bool = True) -> bytes:
        """The element `state` as a stream of its own."""
        writer = StreamWriter()
        self.write(writer, contents, given)
        return writer.take(writer.pending)

    @classmethod
    def decode(cls, data: bytes, max_ranges: int = MAX_RANGES) -> SyncState:
        """The inverse of `encode`. WireError when there is anything but one `state`."""
        reader = StreamReader()
        elements = reader.feed(data)
        reader.finish()
        if len(elements) < 2 or (elements[0], elements[-1]) != (Marker.IncrSyncStateBegin, Marker.IncrSyncStateEnd):
            raise WireError("no ICS state")
        state = cls()
        for element in elements[1:-1]:
            if isinstance(element, Marker) or not isinstance(element.value, bytes):
                raise WireError("no ICS state")
            state.put(element.tag, element.value, max_ranges)
        return state

    @property
    def initial(self) -> bool:
        """Whether it is that of a replica that has nothing yet."""
        return not (self.given or self.seen or self.seen_fai or self.read)

    def includes(self, other: SyncState) -> bool:
        """Whether this replica has seen all changes that the other has. `given` does not count: objects go away."""
        return (
            other.seen.issubset(self.seen) and other.seen_fai.issubset(self.seen_fai) and other.read.issubset(self.read)
        )

    def merge(self, other: SyncState) -> None:
        """Add all that the other one has, as clients do with the state that a download gives (3.3.5.2)."""
        self.given.merge(other.given)
        self.seen.merge(other.seen)
        self.seen_fai.merge(other.seen_fai)
        self.read.merge(other.read)
