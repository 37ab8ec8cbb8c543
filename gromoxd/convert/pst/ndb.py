"""The node database layer ([MS-PST] 2.2): B-trees of nodes and blocks, data trees and subnodes, read only.

Ids come from the file, which may lie: B-trees go down one level a page, data trees have two levels, everything that is
read counts against a `Budget`. Checksums that are wrong are counted, and the octets used all the same: one bad bit in a
text is no reason to lose it. A block or page with another's id is an error.
"""

from __future__ import annotations

import zlib
from bisect import bisect_right
from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from typing import Final, NamedTuple, Protocol

from gromoxd.convert.pst.encoding import crc, decode
from gromoxd.convert.pst.layout import Bref, read_header
from gromoxd.errors import WireError

_PTYPE_BBT, _PTYPE_NBT = 0x80, 0x81
_DEEPEST: Final = 8
_PAGES_KEPT: Final = 4096
_BTYPE_X, _BTYPE_SUB = 1, 2
_INTERNAL: Final = 2
"""Bit B of a bid ([MS-PST] 2.2.2.2): the block is one of the database's own and not encoded."""
_ENTRY_COST: Final = 64

Entry = tuple[int, ...]


class Octets(Protocol):
    """What a file is read through: an mmap or bytes."""

    def __getitem__(self, place: slice, /) -> bytes: ...

    def __len__(self) -> int: ...


class Budget:
    """How many octets may yet be read for one item: a file of a few KiB can refer to the same block a million times."""

    __slots__ = ("left",)

    def __init__(self, octets: int) -> None:
        self.left = octets

    def spend(self, octets: int) -> None:
        """WireError when there is no more."""
        self.left -= octets
        if self.left < 0:
            raise WireError("an item of the file is larger than the limit")


class Node(NamedTuple):
    """A node's data tree and subnode tree, [MS-PST] 2.2.1.1; `parent` is the folder's nid, 0 of subnodes."""

    nid: int
    bid_data: int
    bid_sub: int
    parent: int = 0


class _Page(NamedTuple):
    level: int
    keys: list[int]
    entries: list[Entry]


class Ndb:
    """The node database of a file."""

    def __init__(self, data: Octets) -> None:
        self.data = data
        self.header = read_header(data[0:1024])
        self.layout = self.header.layout
        self.damaged = 0
        """Pages and blocks whose checksum was wrong so far."""
        self._pages: dict[tuple[int, int], _Page] = {}
        self._structs: dict[tuple[str, int], Struct] = {}

    def node(self, nid: int) -> Node:
        """WireError when the file has no such node."""
        entry = self._find(self.header.nbt, _PTYPE_NBT, nid)
        if entry is None or entry[0] != nid:
            raise WireError(f"no node {nid:#x}")
        return Node(*entry[:4])

    def has(self, nid: int) -> bool:
        """Whether there is such a node."""
        entry = self._find(self.header.nbt, _PTYPE_NBT, nid)
        return entry is not None and entry[0] == nid

    def nodes(self) -> Iterator[Node]:
        """All nodes in the order of their ids; pages that cannot be read are passed over."""
        seen: set[int] = set()

        def walk(bref: Bref, level: int | None) -> Iterator[Node]:
            if bref.ib in seen:
                return
            seen.add(bref.ib)
            try:
                page = self._page(bref, _PTYPE_NBT, level)
            except WireError:
                self.damaged += 1
                return
            for entry in page.entries:
                if page.level:
                    yield from walk(Bref(entry[1], entry[2]), page.level - 1)
                else:
                    yield Node(*entry[:4])

        return walk(self.header.nbt, None)

    def blocks(self, bid: int, budget: Budget) -> list[bytes]:
        """The data blocks of a data tree, decoded, in their order ([MS-PST] 2.2.2.8.3.2)."""
        if not bid:
            return []
        if not bid & _INTERNAL:
            return [self._data_block(bid, budget)]
        level, children = self._children(bid, budget)
        if level == 2:
            bids: list[int] = []
            for child in children:
                inner, leaves = self._children(child, budget)
                if inner != 1:
                    raise WireError(f"block {child:#x} is no XBLOCK")
                bids += leaves
            children = bids
        elif level != 1:
            raise WireError(f"block {bid:#x} has level {level}")
        return [self._data_block(child, budget) for child in children]

    def octets(self, bid: int, budget: Budget) -> bytes:
        """All data of a data tree."""
        return b"".join(self.blocks(bid, budget))

    def subnodes(self, bid: int, budget: Budget) -> dict[int, Node]:
        """The subnodes by their nid, which only their node knows ([MS-PST] 2.2.2.8.3.3)."""
        if not bid:
            return {}
        level, entries = self._sub_entries(bid, budget)
        if level == 0:
            return {nid: Node(nid, data, sub) for nid, data, sub in entries}
        if level != 1:
            raise WireError(f"block {bid:#x} has level {level}")
        nodes: dict[int, Node] = {}
        for _, child in entries:
            inner, leaves = self._sub_entries(child, budget)
            if inner:
                raise WireError(f"block {child:#x} is no SLBLOCK")
            nodes.update((nid, Node(nid, data, sub)) for nid, data, sub in leaves)
        return nodes

    # Blocks

    def _data_block(self, bid: int, budget: Budget) -> bytes:
        if bid & _INTERNAL:
            raise WireError(f"block {bid:#x} is no data block")
        return decode(self._block(bid, budget), self.header.crypt_method, bid)

    def _block(self, bid: int, budget: Budget) -> bytes:
        wanted = bid & ~1
        entry = self._find(self.header.bbt, _PTYPE_BBT, wanted)
        if entry is None or entry[0] & ~1 != wanted:
            raise WireError(f"no block {bid:#x}")
        _, ib, size, inflated = entry[:4]
        layout = self.layout
        whole = -(-(size + layout.block_trailer_size) // layout.block_align) * layout.block_align
        stored = self.data[ib : ib + whole]
        if len(stored) < whole:
            raise WireError(f"block {bid:#x} ends behind the file", ib)
        budget.spend(max(size, inflated if layout.compressed else 0) + _ENTRY_COST)
        trailer = layout.block_trailer.unpack_from(stored, whole - layout.block_trailer_size)
        if trailer[layout.trailer_bid] & ~1 != wanted:
            raise WireError(f"block {bid:#x} is elsewhere", ib)
        data = stored[:size]
        if trailer[layout.trailer_crc] != crc(data):
            self.damaged += 1
        if layout.compressed and inflated != size:
            return _inflate(data, inflated, ib)
        return data

    def _children(self, bid: int, budget: Budget) -> tuple[int, list[int]]:
        """cLevel and rgbid of an XBLOCK or XXBLOCK."""
        data = self._internal(bid, _BTYPE_X, budget)
        count = int.from_bytes(data[2:4], "little")
        try:
            return data[1], list(Struct(f"<{count}{self.layout.bids}").unpack_from(data, 8))
        except StructError:
            raise WireError(f"block {bid:#x} is too short for {count} ids") from None

    def _sub_entries(self, bid: int, budget: Budget) -> tuple[int, list[Entry]]:
        """cLevel and rgentries of an SLBLOCK or SIBLOCK."""
        data = self._internal(bid, _BTYPE_SUB, budget)
        layout = self.layout
        entry = layout.si_entry if data[1] else layout.sl_entry
        count = int.from_bytes(data[2:4], "little")
        entries = data[layout.sub_header : layout.sub_header + count * entry.size]
        if len(entries) < count * entry.size:
            raise WireError(f"block {bid:#x} is too short for {count} subnodes")
        budget.spend(_ENTRY_COST * count)
        return data[1], list(entry.iter_unpack(entries))

    def _internal(self, bid: int, kind: int, budget: Budget) -> bytes:
        if not bid & _INTERNAL:
            raise WireError(f"block {bid:#x} is a data block")
        data = self._block(bid, budget)
        if len(data) < 8 or data[0] != kind:
            raise WireError(f"block {bid:#x} is of another kind than {kind}")
        return data

    # Pages

    def _find(self, root: Bref, kind: int, key: int) -> Entry | None:
        """The last entry of a leaf whose key is not greater than `key`."""
        page = self._page(root, kind, None)
        while True:
            place = bisect_right(page.keys, key) - 1
            if place < 0:
                return None
            entry = page.entries[place]
            if not page.level:
                return entry
            page = self._page(Bref(entry[1], entry[2]), kind, page.level - 1)

    def _page(self, bref: Bref, kind: int, level: int | None) -> _Page:
        page = self._pages.get((kind, bref.ib))
        if page is None or page.level != (level if level is not None else page.level):
            page = self._read_page(bref, kind)
            if page.level != level if level is not None else page.level > _DEEPEST:
                raise WireError(f"B-tree page of level {page.level}", bref.ib)
            if len(self._pages) >= _PAGES_KEPT:
                self._pages.clear()
            self._pages[kind, bref.ib] = page
        return page

    def _read_page(self, bref: Bref, kind: int) -> _Page:
        """BTPAGE, [MS-PST] 2.2.2.7.7.1."""
        layout = self.layout
        data = self.data[bref.ib : bref.ib + layout.page_size]
        if len(data) < layout.page_size:
            raise WireError("B-tree page behind the end of the file", bref.ib)
        trailer = layout.page_trailer.unpack_from(data, layout.page_trailer_at)
        if trailer[0] != kind or trailer[1] != kind or trailer[layout.trailer_bid] != bref.bid:
            raise WireError(f"no B-tree page of kind {kind:#x}", bref.ib)
        if trailer[layout.trailer_crc] != crc(data[: layout.page_trailer_at]):
            self.damaged += 1
        count, _, size, level = layout.page_counts.unpack_from(data, layout.page_entries)
        if kind == _PTYPE_BBT:
            fields = layout.bbt_branch if level else layout.bbt_leaf
        else:
            fields = layout.nbt_branch if level else layout.nbt_leaf
        entry = self._entry(fields, size)
        if count * size > layout.page_entries:
            raise WireError(f"{count} entries of {size} octets in a B-tree page", bref.ib)
        entries = list(entry.iter_unpack(data[: count * size]))
        return _Page(level, [entry[0] for entry in entries], entries)

    def _entry(self, fields: str, size: int) -> Struct:
        """Entries may be longer than what is known of them."""
        found = self._structs.get((fields, size))
        if found is None:
            plain = Struct("<" + fields)
            if size < plain.size:
                raise WireError(f"B-tree entries of {size} octets")
            found = self._structs[fields, size] = Struct(f"<{fields}{size - plain.size}x")
        return found


def _inflate(data: bytes, size: int, at: int) -> bytes:
    """The `size` octets of a compressed block of a file with pages of 4 KiB."""
    try:
        inflated = zlib.decompressobj().decompress(data, size + 1)
    except zlib.error as error:
        raise WireError(f"compressed block: {error}", at) from None
    if len(inflated) != size:
        raise WireError(f"compressed block of {len(inflated)} octets instead of {size}", at)
    return inflated
