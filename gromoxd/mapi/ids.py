"""Identifiers of folders, messages, changes and replicas, and the lists of changes that conflict detection compares.

[MS-OXCDATA] 2.2.1 (FID, MID, GID, LongTermID), [MS-OXCFXICS] 2.2.2.1-2.2.2.3 (CN, XID, PredecessorChangeList). A
counter is a GLOBCNT as an int: 48 bits, 6 octets with the highest first on the wire ([MS-OXCFXICS] 2.2.2.5).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import NamedTuple
from uuid import UUID

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor

GLOBCNT_MAX = (1 << 48) - 1
GID_SIZE = 22

_U64_MASK = (1 << 64) - 1
_SIGN = 1 << 63
_EID = Struct("<HHI")
_SERVER_ID = Struct("<BQQI")
_OURS = 1


def globcnt(counter: int) -> bytes:
    """The 6 octets of a counter. OverflowError above GLOBCNT_MAX."""
    return counter.to_bytes(6, "big")


def eid_octets(replid: int, counter: int) -> bytes:
    """A FID, MID or CN as it travels: ReplId, then the counter ([MS-OXCDATA] 2.2.1.1, 2.2.1.2)."""
    return replid.to_bytes(2, "little") + counter.to_bytes(6, "big")


def eid_parse(octets: bytes) -> tuple[int, int]:
    """(replid, counter) of the 8 octets of a FID, MID or CN."""
    if len(octets) != 8:
        raise WireError(f"an id of {len(octets)} octets")
    return int.from_bytes(octets[:2], "little"), int.from_bytes(octets[2:], "big")


def eid_int(replid: int, counter: int) -> int:
    """The same 8 octets read as an unsigned 64-bit little-endian integer, as ROPs carry ids."""
    return int.from_bytes(eid_octets(replid, counter), "little")


def eid_value(replid: int, counter: int) -> int:
    """The same, signed: the PtypInteger64 value of PidTagMid, PidTagFolderId and the like."""
    return int.from_bytes(eid_octets(replid, counter), "little", signed=True)


def eid_split(value: int) -> tuple[int, int]:
    """(replid, counter) of such an integer, signed or not."""
    value &= _U64_MASK
    return value & 0xFFFF, int.from_bytes((value >> 16).to_bytes(6, "little"), "big")


def signed(value: int) -> int:
    """An unsigned 64-bit id as PtypInteger64."""
    return value - (1 << 64) if value & _SIGN else value


def guid_text(octets: bytes) -> str:
    """A GUID's usual text, in lower case without braces ([MS-DTYP] 2.3.4.3)."""
    if len(octets) != 16:
        raise WireError(f"a GUID of {len(octets)} octets")
    return str(UUID(bytes_le=octets))


def guid_octets(text: str) -> bytes:
    """The 16 octets of a GUID's text, with or without braces ([MS-DTYP] 2.3.4.2)."""
    try:
        return UUID(text).bytes_le
    except ValueError as error:
        raise WireError("no GUID") from error


def gid(guid: bytes, counter: int) -> bytes:
    """Replica GUID and counter: the value of PidTagSourceKey, and of PidTagChangeKey where the server made the change.

    [MS-OXCDATA] 2.2.1.3, [MS-OXCFXICS] 2.2.1.2.5, 2.2.1.2.7, 3.1.5.3.
    """
    return guid + counter.to_bytes(6, "big")


def gid_parse(octets: bytes) -> tuple[bytes, int]:
    """(GUID, counter) of a GID. WireError for anything else, such as a foreign XID."""
    if len(octets) != GID_SIZE:
        raise WireError(f"a GID of {len(octets)} octets")
    return octets[:16], int.from_bytes(octets[16:], "big")


class LongTermId(NamedTuple):
    """[MS-OXCDATA] 2.2.1.3.1 LongTermID: a GID and two octets of padding."""

    guid: bytes
    counter: int

    def encode(self) -> bytes:
        return self.guid + self.counter.to_bytes(6, "big") + b"\0\0"

    @classmethod
    def read(cls, cursor: Cursor) -> LongTermId:
        octets = cursor.take(24)
        return cls(octets[:16], int.from_bytes(octets[16:22], "big"))

    @classmethod
    def decode(cls, data: bytes) -> LongTermId:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value


class ServerId(NamedTuple):
    """[MS-OXCDATA] 2.11.1.4 PtypServerId: a folder (mid and instance 0), a message, or an instance of one in a table.

    `fid` and `mid` are unsigned 64-bit ids (`eid_int`). WireError for a value that is the client's own.
    """

    fid: int
    mid: int = 0
    instance: int = 0

    def encode(self) -> bytes:
        return _SERVER_ID.pack(_OURS, self.fid, self.mid, self.instance)

    @classmethod
    def decode(cls, data: bytes) -> ServerId:
        cursor = Cursor(data)
        ours, fid, mid, instance = cursor.struct(_SERVER_ID)
        if ours != _OURS:
            raise WireError("a client's own server id")
        cursor.finish()
        return cls(fid, mid, instance)


class Xid(NamedTuple):
    """[MS-OXCFXICS] 2.2.2.2 XID: a namespace and an id of 1 to 8 octets in it. A GID is one with 6."""

    namespace: bytes
    local_id: bytes

    def encode(self) -> bytes:
        return self.namespace + self.local_id

    @classmethod
    def decode(cls, data: bytes) -> Xid:
        if not 17 <= len(data) <= 24:
            raise WireError(f"an XID of {len(data)} octets")
        return cls(data[:16], data[16:])


Pcl = dict[bytes, bytes]
"""A PredecessorChangeList: NamespaceGuid -> LocalId of the last change that is integrated."""


class Version(IntEnum):
    """What conflict detection finds of the version that comes in ([MS-OXCFXICS] 3.1.5.6.1)."""

    EQUAL = 0
    NEWER = 1
    OLDER = 2
    CONFLICT = 3


def _rank(local_id: bytes) -> int:
    return int.from_bytes(local_id, "big")


def pcl_decode(data: bytes) -> Pcl:
    """[MS-OXCFXICS] 2.2.2.3: SizedXID structures. Of two with one namespace the later id counts."""
    cursor = Cursor(data)
    pcl: Pcl = {}
    while cursor.left:
        size = cursor.u8()
        if not 17 <= size <= 24:
            raise cursor.fail(f"an XID of {size} octets")
        octets = cursor.take(size)
        _learn(pcl, octets[:16], octets[16:])
    return pcl


def pcl_encode(pcl: Mapping[bytes, bytes]) -> bytes:
    """SizedXID structures in the order of their NamespaceGuid, octet by octet."""
    return b"".join(
        [(16 + len(local_id)).to_bytes(1, "little") + guid + local_id for guid, local_id in sorted(pcl.items())]
    )


def _learn(pcl: Pcl, guid: bytes, local_id: bytes) -> None:
    known = pcl.get(guid)
    if known is None or _rank(local_id) > _rank(known):
        pcl[guid] = local_id


def pcl_merge(a: Mapping[bytes, bytes], b: Mapping[bytes, bytes]) -> Pcl:
    """The list of a version that integrates both ([MS-OXCFXICS] 3.1.5.6.2.1)."""
    merged = dict(a)
    for guid, local_id in b.items():
        _learn(merged, guid, local_id)
    return merged


def pcl_add(pcl: Mapping[bytes, bytes], change_key: bytes) -> Pcl:
    """The list of a version that its last change, `change_key`, made out of `pcl`."""
    added = dict(pcl)
    _learn(added, *Xid.decode(change_key))
    return added


def pcl_includes(pcl: Mapping[bytes, bytes], xid: Xid) -> bool:
    """Whether the change is part of the version that the list describes."""
    known = pcl.get(xid.namespace)
    return known is not None and _rank(known) >= _rank(xid.local_id)


def pcl_covers(a: Mapping[bytes, bytes], b: Mapping[bytes, bytes]) -> bool:
    """Whether `a` includes or equals `b`: every change of `b` is part of `a`."""
    for guid, local_id in b.items():
        known = a.get(guid)
        if known is None or _rank(known) < _rank(local_id):
            return False
    return True


def compare(local: Mapping[bytes, bytes], remote: Mapping[bytes, bytes]) -> Version:
    """What the remote version is to the local one: NEWER replaces it, OLDER is ignored, CONFLICT is to be resolved.

    [MS-OXCFXICS] 3.1.5.6.1.
    """
    newer = pcl_covers(remote, local)
    if pcl_covers(local, remote):
        return Version.EQUAL if newer else Version.OLDER
    return Version.NEWER if newer else Version.CONFLICT


def remote_wins(
    local_time_nt: int, local_change_key: bytes, remote_time_nt: int, remote_change_key: bytes, folder: bool = False
) -> bool:
    """Of two versions in conflict the later PidTagLastModificationTime wins ([MS-OXCFXICS] 3.1.5.6.2.2).

    At the same time a folder stays as it is here; of two messages the higher NamespaceGuid of PidTagChangeKey wins, and
    the one that comes in when they are equal, so that all replicas choose alike.
    """
    if remote_time_nt != local_time_nt:
        return remote_time_nt > local_time_nt
    return not folder and remote_change_key[:16] >= local_change_key[:16]
