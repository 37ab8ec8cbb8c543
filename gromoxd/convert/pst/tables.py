"""Table contexts ([MS-PST] 2.3.4): rows with ids, columns and cells."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple

from gromoxd.convert.pst.heap import TYPE_TC, Heap
from gromoxd.convert.pst.values import cell, unicode_tag, value_of
from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.types import PropType, PropValue

_INFO: Final = Struct("<BB4HIII")
_COLUMN: Final = Struct("<IHBB")
_ROW_COST: Final = 64
_WIDE: Final = {
    PropType.PtypInteger64: "q", PropType.PtypCurrency: "q", PropType.PtypTime: "q", PropType.PtypFloating64: "d",
    PropType.PtypFloatingTime: "d",
}  # fmt: skip
"""Eight octets are in the cell itself."""
_LTP_IDS: Final = frozenset((0x67F2, 0x67F3))
"""PidTagLtpRowId and PidTagLtpRowVer: the table's own columns."""


class _Column(NamedTuple):
    tag: int
    kind: int
    at: int
    size: int
    bit: int


class Table:
    """TC: `row_ids` are known at once, the rows are read when they are asked for."""

    __slots__ = ("_columns", "_existence", "_hnid_rows", "_numbers", "_row_size", "code_page", "heap", "row_ids")

    def __init__(self, heap: Heap, row_index: str, code_page: int) -> None:
        """WireError when the heap holds no table."""
        if heap.client != TYPE_TC:
            raise WireError(f"node {heap.node.nid:#x} holds no table but {heap.client:#x}")
        self.heap, self.code_page = heap, code_page
        info = heap.item(heap.root)
        if len(info) < _INFO.size:
            raise WireError(f"no table in node {heap.node.nid:#x}")
        _, count, _, _, self._existence, self._row_size, hid_index, self._hnid_rows, _ = _INFO.unpack_from(info)
        described = info[_INFO.size : _INFO.size + count * _COLUMN.size]
        self._columns = [
            _Column(unicode_tag(tag >> 16, tag & 0xFFFF), tag & 0xFFFF, at, size, bit)
            for tag, at, size, bit in _COLUMN.iter_unpack(described[: len(described) // 8 * 8])
            if tag >> 16 not in _LTP_IDS
        ]
        self.row_ids = self._row_index(hid_index, row_index)

    def _row_index(self, hid: int, row_index: str) -> list[int]:
        """The ids of the rows in the order of the rows ([MS-PST] 2.3.4.3)."""
        record = Struct("<I" + row_index)
        leaves = self.heap.tree(hid, 4, record.size)
        rows = [(number, row_id) for leaf in leaves for row_id, number in record.iter_unpack(leaf)]
        self.heap.budget.spend(_ROW_COST * len(rows))
        rows.sort()
        self._numbers = [number for number, _ in rows]
        return [row_id for _, row_id in rows]

    def __len__(self) -> int:
        return len(self.row_ids)

    def rows(self) -> Iterator[Bag]:
        """The rows whose ids are `row_ids`. WireError when one is not in the row matrix."""
        if not self.row_ids:
            return
        size = self._row_size
        blocks = self.heap.value_blocks(self._hnid_rows)
        fit = len(blocks[0]) // size if size else 0
        if not fit or size < self._existence:
            raise WireError(f"rows of {size} octets in node {self.heap.node.nid:#x}")
        for number in self._numbers:
            block, place = divmod(number, fit)
            row = blocks[block][place * size : place * size + size] if block < len(blocks) else b""
            if len(row) < size:
                raise WireError(f"no row {number} in node {self.heap.node.nid:#x}")
            yield self._row(row)

    def _row(self, row: bytes) -> Bag:
        self.heap.budget.spend(_ROW_COST * len(self._columns))
        exists = row[self._existence :]
        bag: Bag = {}
        for column in self._columns:
            place = column.bit >> 3
            if place < len(exists) and exists[place] & 0x80 >> (column.bit & 7):
                value = self._cell(column, row)
                if value is not None:
                    bag[column.tag] = value
        return bag

    def _cell(self, column: _Column, row: bytes) -> PropValue:
        data = row[column.at : column.at + column.size]
        if column.size == 8 and column.kind in _WIDE:
            return value_of(column.kind, data, self.code_page)
        if column.size > 4 or len(data) < column.size:
            return None
        try:
            return cell(self.heap, column.kind, int.from_bytes(data, "little"), self.code_page)
        except (StructError, OverflowError):
            return None
