"""The exmdb calls of incremental change synchronisation ([MS-OXCFXICS]): differences since a state, and imports.

Sets of ids and change numbers are REPLGUID-based IDSETs as in the client's state (2.2.2.4.2). Objects are named by
their source keys (22 octets: the replica's GUID and the id); those made here carry the mailbox's own GUID. A change
number covers everything that happened up to it, so that the states given back are short.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable
from struct import Struct
from typing import ClassVar, Final

from gromoxd.exmdb.calls import Call, Done, Result
from gromoxd.exmdb.objects import Bag, Partial, Saved

NORMAL, ASSOCIATED, READ_STATE, NO_DELETIONS, BY_DELIVERY_TIME, IGNORE_OUT_OF_SCOPE = 1, 2, 4, 8, 16, 32
"""What `GetContentChanges.flags` asks for (SynchronizationFlags and -ExtraFlags, 2.2.3.2.1.1)."""


class State(Result, frozen=True):
    """The four ICS state properties (2.2.1.1); those that do not apply are empty."""

    given: bytes = b""
    seen: bytes = b""
    seen_fai: bytes = b""
    read: bytes = b""


Changed = tuple[int, int, int, bool]
"""(mid, change number, size, associated)."""
LISTED: Final = 10_000
"""So many changes are listed; a list of more is slow to decode."""
_PACKED: Final = Struct("<QQQ")
"""Mid, change number, size * 2 + associated."""


def pack_changed(changes: Iterable[Changed]) -> bytes:
    """As `ContentChanges.more` has them."""
    return b"".join([_PACKED.pack(mid, cn, size * 2 + associated) for mid, cn, size, associated in changes])


class ContentChanges(Result, frozen=True):
    """`changed`: the first LISTED, FAI messages first as 2.2.4.3.2 wants of ordered downloads; `more`: the others.

    `deleted`, `out_of_scope`, `read`, `unread` are IDSETs of message ids, empty when there are none. `state` is what
    the client's state is once it has taken all of it.
    """

    changed: list[tuple[int, int, int, bool]]
    deleted: bytes
    out_of_scope: bytes
    read: bytes
    unread: bytes
    state: State
    more: bytes = b""

    @property
    def total(self) -> int:
        """How many messages changed."""
        return len(self.changed) + len(self.more) // _PACKED.size

    def some(self, first: int, count: int) -> list[Changed]:
        """Those from a position on."""
        found = self.changed[first : first + count]
        if len(found) < count:
            start = max(first - len(self.changed), 0) * _PACKED.size
            octets = self.more[start : start + (count - len(found)) * _PACKED.size]
            whole = octets[: len(octets) // _PACKED.size * _PACKED.size]
            found += [(mid, cn, size >> 1, bool(size & 1)) for mid, cn, size in _PACKED.iter_unpack(whole)]
        return found

    def mids(self) -> list[int]:
        """The ids of all."""
        return [mid for mid, *_ in self.changed] + self._numbers()[0::3].tolist()

    def sizes(self) -> tuple[int, int, int, int]:
        """How many FAI messages and their octets, how many others and theirs."""
        count, octets = 0, 0
        while (one := self.some(count, 1)) and one[0][3]:
            count += 1
            octets += one[0][2]
        both = sum(size for _, _, size, _ in self.changed)
        packed = sum(self._numbers()[2::3]) - max(count - len(self.changed), 0)
        return count, octets, self.total - count, both + packed // 2 - octets

    def _numbers(self) -> array[int]:
        numbers = array("Q", self.more[: len(self.more) // _PACKED.size * _PACKED.size])
        if sys.byteorder == "big":
            numbers.byteswap()
        return numbers


class GetContentChanges(Call[ContentChanges], frozen=True):
    """What changed in a folder since `state` (3.2.5.3). `restriction`: encoded, b'' for none.

    ecInvalidParam for states and restrictions that are none, ecNotSupported for search folders.
    """

    fid: int
    state: State
    flags: int
    restriction: bytes = b""


class HierarchyChanges(Result, frozen=True):
    """`changed`: (fid, change number), parents before their children."""

    changed: list[tuple[int, int]]
    deleted: bytes
    state: State


class GetHierarchyChanges(Call[HierarchyChanges], frozen=True):
    """What changed below a folder since `state`, all levels; folders the actor may not see do not exist."""

    fid: int
    state: State


class ImportedFolder(Result, frozen=True):
    """`ignored` and `conflict` as in `objects.Saved`."""

    fid: int
    cn: int
    ignored: bool = False
    conflict: bool = False


class ImportFolder(Call[ImportedFolder], frozen=True):
    """Make or change a folder as a client has it (2.2.3.2.4.3). The later `modified_nt` wins a conflict.

    ecObjectDeleted when the mailbox deleted it, ecDuplicateName, ecNotFound for the parent.
    """

    writes: ClassVar[bool] = True
    parent_fid: int
    source_key: bytes
    change_key: bytes
    pcl: bytes
    modified_nt: int
    name: str
    props: Bag


class ImportDeletes(Call[Partial], frozen=True):
    """Delete messages of a folder, or with `hierarchy` folders below it, by source keys (2.2.3.2.4.5): all or none.

    What is gone already is passed over; what was never here will not be taken when it comes later (3.2.5.9.4.5).
    """

    writes: ClassVar[bool] = True
    fid: int
    source_keys: list[bytes]
    hierarchy: bool = False
    hard: bool = False


class ImportMove(Call[Saved], frozen=True):
    """Move a message as a client did (2.2.3.2.4.4): it gets the source key and versions that the client gave it.

    `Saved.conflict`: the mailbox had a version that the client does not know; it is now the moved message's.
    `Saved.ignored`: the client had changed the message before it moved it. It keeps the mailbox's versions until that
    change comes (2.2.3.2.4.4.2).
    """

    writes: ClassVar[bool] = True
    source_fid: int
    source_key: bytes
    destination: int
    new_source_key: bytes
    change_key: bytes
    pcl: bytes
    request_id: bytes


class ImportReadState(Call[Done], frozen=True):
    """Read marks as a client has them, (source key, read) each (2.2.3.2.4.6). What is gone is passed over."""

    writes: ClassVar[bool] = True
    fid: int
    states: list[tuple[bytes, bool]]


class GetSourceKeys(Call[list[bytes]], frozen=True):
    """The source keys of messages or folders by id; of ids that do not exist what they would be. ecAccessDenied."""

    ids: list[int]


class FindSourceKeys(Call[list[int]], frozen=True):
    """The ids of source keys, 0 for objects that are not here or not to be seen. ecAccessDenied."""

    source_keys: list[bytes]


CALLS = (
    GetContentChanges, GetHierarchyChanges, ImportFolder, ImportDeletes, ImportMove, ImportReadState, GetSourceKeys,
    FindSourceKeys,
)  # fmt: skip
