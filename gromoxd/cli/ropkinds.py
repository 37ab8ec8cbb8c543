"""ROPs and their buffers for `gromoxctl dump` ([MS-OXCROPS] 2.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gromoxd.cli.kinds import Entries
from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import LongTermId, eid_split
from gromoxd.rop import buffer, registry
from gromoxd.rop.codec import Packet, Response, read_request, read_response

NO_HANDLE = 0xFFFFFFFF
FAMILIES = registry.FAMILIES
"""Those whose ROPs are read: the import of `registry` has declared them."""


def requests(data: bytes) -> Entries:
    """ROP requests, one after the other; those on public stores that differ are read as of mailboxes."""
    return _all(data, read_request)


def responses(data: bytes) -> Entries:
    """ROP responses, one after the other."""
    return _all(data, read_response)


def rop_buffer(data: bytes) -> Entries:
    """An input buffer, or an output buffer where it is none: ROPs and the handle table."""
    from gromoxd.cli import tree

    rops, handles = buffer.read(data)
    try:
        shown = requests(rops)
    except WireError:
        shown = responses(rops)
    table = [tree.Shown("none" if handle == NO_HANDLE else f"{handle:#010x}") for handle in handles]
    return Entries([("RopSize", len(rops) + 2), ("ROPs", shown), ("handles", table)])


def _all(data: bytes, read: Callable[[Cursor], Packet]) -> Entries:
    cursor, found = Cursor(data), Entries()
    while cursor.left:
        rop = cursor.data[cursor.at]
        packet = read(cursor)
        found.append((f"{rop:#04x} {type(packet).__name__}", _fields(packet)))
    return found


def _fields(packet: Packet) -> Entries:
    bare = isinstance(packet, Response) and packet.code != 0 and not packet.always
    names = ("index", "code") if bare else packet.__struct_fields__
    return Entries([(name, _shown(name, getattr(packet, name))) for name in names])


def _shown(name: str, value: Any) -> object:
    """A field as its name says."""
    if isinstance(value, list) and value and not isinstance(value, tuple):
        return [_shown(name.removesuffix("s"), one) for one in value]
    if isinstance(value, bytes):
        return _octets(name, value)
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    from gromoxd.cli import tree

    if name == "code":
        return tree.error_code(value)
    if name.endswith(("folder_id", "message_id", "object_id")):
        replid, counter = eid_split(value)
        return tree.Shown(f"{replid:04X}-{counter:012X}")
    if name.endswith(("tag", "column")):
        return tree.tag_text(value)
    return tree.hexadecimal(value) if name.endswith("flags") else value


def _octets(name: str, value: bytes) -> object:
    from gromoxd.cli import tree

    if name.endswith("guid"):
        return tree.guid(value)
    if len(value) == 24 and name.endswith("_id"):
        return LongTermId.decode(value)
    return tree.nested("restriction")(value) if name == "restriction" else value
