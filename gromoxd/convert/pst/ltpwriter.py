"""Writing heaps, B-trees in them, property contexts and tables ([MS-PST] 2.3): the inverse of three readers.

Sizes are those of the document: a heap item has at most 3,580 octets, what is larger becomes a subnode. The
header of a B-tree is a heap's first item, as Outlook has it: some readers look for it there and nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from gromoxd.convert.pst.heap import TYPE_PC, TYPE_TC
from gromoxd.convert.pst.ndbwriter import NdbWriter, SubEntry
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue
from gromoxd.mapi.values import LAYOUTS, fixed_writer

LARGEST_ITEM: Final = 3580
_NID_LTP: Final = 0x1F
_FIRST_LTP: Final = 0x401
_BTH: Final = 0xB5
_FREE_LEVELS: Final = (3584, 2560, 2048, 1792, 1536, 1280, 1024, 768, 512, 256, 128, 64, 32, 16, 8)
"""Free octets of fill levels 0 to 14, [MS-PST] 2.3.1.2; with fewer it is 15."""
_CODES: Final = {kind: fixed_writer(code) for kind, code in LAYOUTS.items()}
_SMALL: Final = (PropType.PtypInteger16, PropType.PtypInteger32, PropType.PtypFloating32, PropType.PtypErrorCode)
_BINARY: Final = (PropType.PtypBinary, PropType.PtypServerId, PropType.PtypRestriction, PropType.PtypRuleAction)
_EIGHT: Final = (
    PropType.PtypInteger64,
    PropType.PtypCurrency,
    PropType.PtypTime,
    PropType.PtypFloating64,
    PropType.PtypFloatingTime,
)
_INFO: Final = Struct("<BB4HIII")
_TAGS: Final = Struct("<IHBB")
LTP_ROW_ID, LTP_ROW_VER = 0x67F20003, 0x67F30003
NOT_OF_THE_TYPE: Final = (StructError, TypeError, AttributeError, OverflowError, UnicodeEncodeError)


def encode_value(kind: int, value: PropValue) -> bytes | None:
    """The octets of a value of type `kind` as a file has them, None for types that files do not have.

    Raises one of NOT_OF_THE_TYPE for a value of another type."""
    if kind & MULTIPLE:
        return _encode_values(kind & ~MULTIPLE, value)
    if kind == PropType.PtypString:
        return str(value).encode("utf-16-le", "surrogatepass")
    if kind == PropType.PtypBoolean:
        return b"\1" if value else b"\0"
    if kind in _BINARY or kind == PropType.PtypString8:
        return value if isinstance(value, bytes) else None
    writer = _CODES.get(kind)
    return writer(value) if writer else None


def _encode_values(kind: int, values: Any) -> bytes | None:
    writer = _CODES.get(kind)
    if writer is not None:
        return b"".join(writer(value) for value in values)
    if kind not in (PropType.PtypString, PropType.PtypString8, PropType.PtypBinary):
        return None
    parts = [encode_value(kind, value) or b"" for value in values]
    at = 4 + 4 * len(parts)
    places = []
    for part in parts:
        places.append(at)
        at += len(part)
    return Struct(f"<I{len(parts)}I").pack(len(parts), *places) + b"".join(parts)


class HeapWriter:
    """A heap that is being filled, and the subnodes for what does not fit into it."""

    def __init__(self, ndb: NdbWriter, client: int) -> None:
        self.ndb, self.client = ndb, client
        self.subnodes: list[SubEntry] = []
        self._next_ltp = _FIRST_LTP
        self._most = (1 << ndb.layout.hid_bits) - 1
        self._done: list[tuple[bytes, list[int]]] = []
        self._parts: list[bytes] = []
        self._places = [self._header_size()]

    def item(self, data: bytes) -> int:
        """Allocate; the HID, 0 for no octets. At most LARGEST_ITEM octets."""
        if not data:
            return 0
        places = self._places
        if places[-1] + len(data) + 2 * len(places) + 8 > self.ndb.max_block or len(places) > self._most:
            self._end_block()
            places = self._places
        self._parts.append(data)
        places.append(places[-1] + len(data))
        return len(self._done) << self.ndb.layout.hid_bits + 5 | len(places) - 1 << 5

    def value(self, data: bytes) -> int:
        """The HNID of a value of any size: an item or a new subnode."""
        return self.item(data) if len(data) <= LARGEST_ITEM else self.subnode(self.ndb.data(data))

    def subnode(self, bid: int) -> int:
        """The nid of a new subnode with a data tree."""
        nid = self._next_ltp << 5 | _NID_LTP
        self._next_ltp += 1
        self.subnodes.append((nid, bid, 0))
        return nid

    def tree(self, header: int, key: int, records: Sequence[bytes], size: int) -> None:
        """A BTH of sorted records of `size` octets, keys included; `header`: an item of 8 octets ([MS-PST] 2.3.2)."""
        level, root = 0, 0
        entries = list(records)
        while entries:
            fit = LARGEST_ITEM // len(entries[0])
            parts = [entries[at : at + fit] for at in range(0, len(entries), fit)]
            hids = [(part[0][:key], self.item(b"".join(part))) for part in parts]
            if len(hids) == 1:
                root = hids[0][1]
                break
            entries = [first + hid.to_bytes(4, "little") for first, hid in hids]
            level += 1
        self.replace(header, Struct("<BBBBI").pack(_BTH, key, size - key, level, root))

    def finish(self, root: int) -> int:
        """Write the heap; the bid of its data tree."""
        self._end_block()
        levels = [self._level(len(body), places) for body, places in self._done]
        blocks = []
        for number, (body, places) in enumerate(self._done):
            page_map = Struct(f"<HH{len(places)}H").pack(len(places) - 1, 0, *places)
            end = places[-1] + places[-1] % 2
            if number + 1 < len(self._done):
                end = (self.ndb.max_block - len(page_map)) & ~1
            head = Struct("<H").pack(end)
            if number == 0:
                head += Struct("<BBI").pack(0xEC, self.client, root) + self._fill(levels[:8], 4)
            elif number % 128 == 8:
                head += self._fill(levels[number : number + 128], 64)
            blocks.append((head + body).ljust(end, b"\0") + page_map)
        last = len(blocks) - 1
        size = self.ndb.max_block
        return self.ndb.blocks([block.ljust(size, b"\0") if at < last else block for at, block in enumerate(blocks)])

    def replace(self, hid: int, data: bytes) -> None:
        """Other octets, as many, for an item."""
        bits = self.ndb.layout.hid_bits + 5
        number, index = hid >> bits, (hid & (1 << bits) - 1) >> 5
        if number == len(self._done):
            self._parts[index - 1] = data
            return
        body, places = self._done[number]
        at = places[index - 1] - places[0]
        self._done[number] = (body[:at] + data + body[at + len(data) :], places)

    def _end_block(self) -> None:
        self._done.append((b"".join(self._parts), self._places))
        self._parts, self._places = [], [self._header_size()]

    def _header_size(self) -> int:
        number = len(self._done)
        return 12 if number == 0 else 66 if number % 128 == 8 else 2

    def _level(self, size: int, places: list[int]) -> int:
        free = self.ndb.max_block - size - places[0] - 2 * len(places) - 4
        return next((level for level, least in enumerate(_FREE_LEVELS) if free >= least), 15)

    @staticmethod
    def _fill(levels: list[int], size: int) -> bytes:
        padded = levels + [0] * (2 * size - len(levels))
        return bytes(low | high << 4 for low, high in zip(padded[::2], padded[1::2], strict=True))


def write_properties(
    ndb: NdbWriter, bag: Mapping[int, PropValue], objects: Mapping[int, tuple[int, int]] | None = None
) -> tuple[int, list[SubEntry]]:
    """A PC ([MS-PST] 2.3.3) of a bag: the bid of its data tree, and the subnodes that belong to it.

    `objects`: property id -> nid and size of a subnode, for values that are objects. Values that are not of their
    tag's type are left out."""
    heap = HeapWriter(ndb, TYPE_PC)
    root = heap.item(bytes(8))
    records = []
    for tag in sorted(bag):
        raw = _record_value(heap, tag & 0xFFFF, bag[tag])
        if raw is not None:
            records.append((tag >> 16, tag & 0xFFFF, raw))
    for prop_id, (nid, size) in (objects or {}).items():
        records.append((prop_id, int(PropType.PtypObject), heap.item(Struct("<II").pack(nid, size & 0xFFFFFFFF))))
    unique = {record[0]: Struct("<HHI").pack(*record) for record in records}
    heap.tree(root, 2, [unique[prop_id] for prop_id in sorted(unique)], 8)
    return heap.finish(root), heap.subnodes


def _record_value(heap: HeapWriter, kind: int, value: PropValue) -> int | None:
    try:
        octets = encode_value(kind, value)
    except NOT_OF_THE_TYPE:
        return None
    if octets is None:
        return None
    if kind in _SMALL or kind == PropType.PtypBoolean:
        return int.from_bytes(octets, "little")
    return heap.value(octets)


class TableWriter:
    """A table that is being filled, row by row ([MS-PST] 2.3.4)."""

    def __init__(self, ndb: NdbWriter, tags: Sequence[int]) -> None:
        """`tags`: the columns besides the row's id and version."""
        self.ndb = ndb
        self.heap = heap = HeapWriter(ndb, TYPE_TC)
        self._index = heap.item(bytes(8))
        self._rows: list[tuple[int, bytes]] = []
        others = [tag for tag in dict.fromkeys(tags) if tag not in (LTP_ROW_ID, LTP_ROW_VER)]
        sizes = {tag: _cell_size(tag & 0xFFFF) for tag in others}
        order = [LTP_ROW_ID, LTP_ROW_VER]
        order += sorted(others, key=lambda tag: (-min(sizes[tag], 4), tag))
        self._columns: dict[int, tuple[int, int, int]] = {}
        at = 0
        ends = {4: 0, 2: 0, 1: 0}
        for bit, tag in enumerate(order):
            size = sizes.get(tag, 4)
            self._columns[tag] = (at, size, bit)
            at += size
            ends[min(size, 4)] = at
        self._ends = (ends[4], max(ends[4], ends[2]), max(ends.values()))
        self._existence = self._ends[2]
        self._size = self._existence + -(-len(order) // 8)
        self._info = heap.item(bytes(_INFO.size + _TAGS.size * len(order)))

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, row_id: int, bag: Bag) -> None:
        """A row; values that have no column, are not of its type or too large for a heap item are left out."""
        row = bytearray(self._size)
        for tag, (at, size, bit) in self._columns.items():
            value = row_id if tag == LTP_ROW_ID else len(self._rows) + 1 if tag == LTP_ROW_VER else bag.get(tag)
            octets = self._cell(tag & 0xFFFF, size, value)
            if octets is not None:
                row[at : at + size] = octets
                row[self._existence + (bit >> 3)] |= 0x80 >> (bit & 7)
        self._rows.append((row_id, bytes(row)))

    def _cell(self, kind: int, size: int, value: PropValue) -> bytes | None:
        if value is None:
            return None
        try:
            octets = encode_value(kind, value)
        except NOT_OF_THE_TYPE:
            return None
        if octets is None:
            return None
        if kind in _EIGHT or kind in _SMALL or kind == PropType.PtypBoolean:
            return octets
        if len(octets) > LARGEST_ITEM:
            return None
        return self.heap.item(octets).to_bytes(size, "little")

    def finish(self) -> tuple[int, int]:
        """Write the table: bids of its data tree and its subnode tree."""
        heap = self.heap
        width = Struct("<I" + self.ndb.layout.row_index)
        index = sorted((row_id, number) for number, (row_id, _) in enumerate(self._rows))
        heap.tree(self._index, 4, [width.pack(*entry) for entry in index], width.size)
        rows = self._write_rows()
        octets = _INFO.pack(TYPE_TC, len(self._columns), *self._ends, self._size, self._index, rows, 0)
        for tag in sorted(self._columns):
            octets += _TAGS.pack(tag, *self._columns[tag])
        heap.replace(self._info, octets)
        return heap.finish(self._info), self.ndb.subnodes(heap.subnodes)

    def _write_rows(self) -> int:
        rows = [row for _, row in self._rows]
        if len(rows) * self._size <= LARGEST_ITEM:
            return self.heap.item(b"".join(rows))
        whole = self.ndb.max_block
        fit = whole // self._size
        blocks = [b"".join(rows[at : at + fit]) for at in range(0, len(rows), fit)]
        last = len(blocks) - 1
        return self.heap.subnode(
            self.ndb.blocks([block.ljust(whole, b"\0") if at < last else block for at, block in enumerate(blocks)])
        )


def _cell_size(kind: int) -> int:
    if kind in _EIGHT:
        return 8
    if kind == PropType.PtypInteger16:
        return 2
    return 1 if kind == PropType.PtypBoolean else 4
