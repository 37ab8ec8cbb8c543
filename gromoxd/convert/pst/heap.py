"""Heaps in nodes, the B-trees in them ([MS-PST] 2.3.1, 2.3.2), and the values that ids of either kind stand for.

A heap is a data tree each of whose blocks has a map of allocations at its end; an id of a heap (HID) names block and
allocation. An HNID is such an id or, by its lowest five bits, the nid of a subnode.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from typing import Final

from gromoxd.convert.pst.ndb import Budget, Ndb, Node
from gromoxd.errors import WireError

_SIGNATURE: Final = 0xEC
_BTH: Final = 0xB5
_HEADER, _MAP, _TREE = Struct("<HBBI"), Struct("<HH"), Struct("<BBBBI")
_DEEPEST: Final = 8
_TYPE_BITS: Final = 0x1F

TYPE_TC: Final = 0x7C
TYPE_PC: Final = 0xBC


class Heap:
    """HN, [MS-PST] 2.3.1: a node's heap, with the node's subnodes."""

    __slots__ = ("_blocks", "_maps", "_ndb", "_subnodes", "budget", "client", "node", "root")

    def __init__(self, ndb: Ndb, node: Node, budget: Budget) -> None:
        """`client`: bClientSig, what the heap holds. WireError when the node's data is no heap."""
        self._ndb, self.node, self.budget = ndb, node, budget
        self._blocks = ndb.blocks(node.bid_data, budget)
        self._maps: dict[int, tuple[int, ...]] = {}
        self._subnodes: dict[int, Node] | None = None
        if not self._blocks or len(self._blocks[0]) < _HEADER.size:
            raise WireError(f"node {node.nid:#x} has no heap")
        _, signature, self.client, self.root = _HEADER.unpack_from(self._blocks[0])
        if signature != _SIGNATURE:
            raise WireError(f"node {node.nid:#x} is no heap")

    def item(self, hid: int) -> bytes:
        """The octets of an allocation; none for 0. WireError for an id without allocation."""
        if not hid:
            return b""
        bits = self._ndb.layout.hid_bits + 5
        number, index = hid >> bits, (hid & (1 << bits) - 1) >> 5
        places = self._maps.get(number)
        if places is None:
            places = self._maps[number] = self._allocations(number)
        if not 0 < index < len(places) or hid & _TYPE_BITS:
            raise WireError(f"no heap item {hid:#x} in node {self.node.nid:#x}")
        data = self._blocks[number][places[index - 1] : places[index]]
        self.budget.spend(len(data))
        return data

    def _allocations(self, number: int) -> tuple[int, ...]:
        """rgibAlloc of HNPAGEMAP, [MS-PST] 2.3.1.5."""
        try:
            block = self._blocks[number]
            at = int.from_bytes(block[:2], "little")
            count, _ = _MAP.unpack_from(block, at)
            return Struct(f"<{count + 1}H").unpack_from(block, at + _MAP.size)
        except (IndexError, StructError):
            raise WireError(f"heap block {number} of node {self.node.nid:#x} has no map") from None

    @property
    def subnodes(self) -> dict[int, Node]:
        """The node's subnodes, read when first asked for."""
        if self._subnodes is None:
            self._subnodes = self._ndb.subnodes(self.node.bid_sub, self.budget)
        return self._subnodes

    def subnode(self, nid: int) -> Node:
        """WireError when the node has no such subnode."""
        found = self.subnodes.get(nid)
        if found is None:
            raise WireError(f"no subnode {nid:#x} in node {self.node.nid:#x}")
        return found

    def value(self, hnid: int) -> bytes:
        """The octets that an HNID stands for ([MS-PST] 2.3.3.2)."""
        if hnid & _TYPE_BITS:
            return self._ndb.octets(self.subnode(hnid).bid_data, self.budget)
        return self.item(hnid)

    def value_blocks(self, hnid: int) -> list[bytes]:
        """The same, block by block: rows of a table do not run over the end of a block ([MS-PST] 2.3.4.4)."""
        if hnid & _TYPE_BITS:
            return self._ndb.blocks(self.subnode(hnid).bid_data, self.budget) or [b""]
        return [self.item(hnid)]

    def tree(self, hid: int, key_size: int, record_size: int) -> Iterator[bytes]:
        """The leaves of a BTH ([MS-PST] 2.3.2), each all whole records. WireError when these are of other sizes."""
        header = self.item(hid)
        if len(header) < _TREE.size:
            raise WireError(f"no B-tree in node {self.node.nid:#x}")
        kind, key, size, levels, root = _TREE.unpack_from(header)
        if kind != _BTH or key != key_size or key + size != record_size or levels > _DEEPEST:
            raise WireError(f"B-tree of kind {kind:#x}, {levels} levels, records of {key} and {size} octets")
        leaves = self._leaves(root, key, levels, set())
        return (leaf[: len(leaf) // record_size * record_size] for leaf in leaves)

    def _leaves(self, hid: int, key: int, level: int, seen: set[int]) -> Iterator[bytes]:
        if not hid or hid in seen:
            return
        seen.add(hid)
        data = self.item(hid)
        if not level:
            yield data
            return
        for at in range(0, len(data) - key - 3, key + 4):
            yield from self._leaves(int.from_bytes(data[at + key : at + key + 4], "little"), key, level - 1, seen)
