"""Property values in files ([MS-PST] 2.3.3.3, 2.3.3.4) as the values of `gromoxd.mapi.types`, and property contexts.

8-bit text becomes text by a code page, so that PtypString8 leaves this module as PtypString.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from gromoxd.convert.pst.heap import TYPE_PC, Heap
from gromoxd.errors import WireError
from gromoxd.mapi import codepages
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import LAYOUTS

_RECORD: Final = Struct("<HHI")
_OBJECT: Final = Struct("<II")
_F32: Final = Struct("<f")
_INLINE: Final[dict[int, Callable[[int], PropValue]]] = {
    PropType.PtypInteger16: lambda raw: (raw & 0xFFFF ^ 0x8000) - 0x8000,
    PropType.PtypInteger32: lambda raw: (raw ^ 0x80000000) - 0x80000000,
    PropType.PtypFloating32: lambda raw: float(_F32.unpack(raw.to_bytes(4, "little"))[0]),
    PropType.PtypBoolean: lambda raw: raw & 0xFF != 0,
}
"""Values of up to four octets are in the record itself."""
_FIXED: Final = {kind: Struct("<" + code) for kind, code in LAYOUTS.items() if kind not in _INLINE}
_BINARY: Final = (PropType.PtypBinary, PropType.PtypServerId, PropType.PtypRestriction, PropType.PtypRuleAction)
_SKIPPED: Final = (PropType.PtypNull, PropType.PtypErrorCode, PropType.PtypObject)
_STRING, _STRING8 = int(PropType.PtypString), int(PropType.PtypString8)
_VALUE_COST: Final = 64


def text16(data: bytes) -> str:
    """UTF-16LE without the zeros that some writers put at its end."""
    return data.decode("utf-16-le", "replace").rstrip("\0")


def text8(data: bytes, code_page: int) -> str:
    """8-bit text, likewise."""
    return codepages.decode(data.rstrip(b"\0"), code_page)


def value_of(kind: int, data: bytes, code_page: int) -> PropValue:
    """The value of a type whose octets lie outside of the record. None when the octets are none of the type."""
    if kind == _STRING:
        return text16(data)
    if kind in _BINARY:
        return data
    if kind == _STRING8:
        return text8(data, code_page)
    if kind & MULTIPLE:
        return _values_of(kind & ~MULTIPLE, data, code_page)
    fixed = _FIXED.get(kind)
    if fixed is None or len(data) < fixed.size:
        return None
    value: PropValue = fixed.unpack_from(data)[0]
    return value


def _values_of(kind: int, data: bytes, code_page: int) -> PropValue:
    """Multi-value properties: fixed sizes are packed, others have a table of offsets ([MS-PST] 2.3.3.4)."""
    code = LAYOUTS.get(kind)
    if code is not None:
        size = Struct("<" + code).size
        fixed: list[Any] = [item[0] for item in Struct("<" + code).iter_unpack(data[: len(data) // size * size])]
        return fixed
    if kind not in (_STRING, _STRING8, PropType.PtypBinary):
        return None
    count = int.from_bytes(data[:4], "little")
    try:
        places = Struct(f"<{count}I").unpack_from(data, 4)
    except StructError:
        return None
    ends = (*places[1:], len(data))
    values: list[Any] = [value_of(kind, data[at:end], code_page) for at, end in zip(places, ends, strict=False)]
    return values


def cell(heap: Heap, kind: int, raw: int, code_page: int) -> PropValue:
    """The value of a property whose record or cell holds the four octets `raw`; None when there is none to be had."""
    inline = _INLINE.get(kind)
    if inline is not None:
        return inline(raw)
    if kind in _SKIPPED:
        return None
    return value_of(kind, heap.value(raw), code_page)


def unicode_tag(prop_id: int, kind: int) -> int:
    """The tag of a property; of an 8-bit string's the one for text."""
    return prop_id << 16 | (kind ^ 1 if kind & ~MULTIPLE == _STRING8 else kind)


Records = dict[int, tuple[int, int]]
"""Property id -> type, and the four octets of its record."""


class PropertyContext:
    """PC, [MS-PST] 2.3.3: the properties of a node, read one by one as they are asked for."""

    __slots__ = ("code_page", "heap", "records")

    def __init__(self, heap: Heap, code_page: int) -> None:
        """WireError when the heap holds no properties."""
        if heap.client != TYPE_PC:
            raise WireError(f"node {heap.node.nid:#x} holds no properties but {heap.client:#x}")
        self.heap, self.code_page = heap, code_page
        self.records: Records = {}
        for leaf in heap.tree(heap.root, 2, _RECORD.size):
            for prop_id, kind, raw in _RECORD.iter_unpack(leaf):
                self.records[prop_id] = (kind, raw)
        heap.budget.spend(_VALUE_COST * len(self.records))

    def get(self, tag: int) -> Any:
        """The value of a property, None when it is not there or of another type (8-bit text is text)."""
        record = self.records.get(tag >> 16)
        if record is None or unicode_tag(tag >> 16, record[0]) != tag:
            return None
        return cell(self.heap, record[0], record[1], self.code_page)

    def octets(self, tag: int) -> bytes | None:
        """The octets of a binary or string property as they are in the file."""
        record = self.records.get(tag >> 16)
        return self.heap.value(record[1]) if record and record[0] == tag & 0xFFFF else None

    def object_nid(self, prop_id: int) -> int | None:
        """The subnode that a PtypObject value names ([MS-PST] 2.3.3.5), None when it is not one."""
        record = self.records.get(prop_id)
        if record is None or record[0] != PropType.PtypObject:
            return None
        data = self.heap.value(record[1])
        nid: int = _OBJECT.unpack_from(data)[0] if len(data) >= _OBJECT.size else 0
        return nid or None

    def bag(self, without: frozenset[int] = frozenset(), lost: list[str] | None = None) -> Bag:
        """All values but those of the property ids `without`.

        WireError when one cannot be read, unless `lost` is there to take the reasons.
        """
        bag: Bag = {}
        heap, code_page = self.heap, self.code_page
        for prop_id, (kind, raw) in self.records.items():
            if prop_id in without:
                continue
            try:
                value = cell(heap, kind, raw, code_page)
            except WireError as error:
                if lost is None:
                    raise
                lost.append(f"property {prop_id:#06x}: {error}")
                continue
            if value is not None:
                bag[unicode_tag(prop_id, kind)] = value
        return bag
