"""Writing a node database ([MS-PST] 2.2, 2.6.1): blocks one after another, the B-trees and the header at the end.

The file grows by regions, each of them what one allocation map tells of; a region is written when it is full, so what
is in memory is one region and 32 octets for each block and node. Nothing is ever freed: a map has ones up to where
the region is used. Without allocation maps are the 4 KiB form's files, which only tests write.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from struct import Struct
from typing import BinaryIO, Final

from gromoxd.convert.pst.encoding import PERMUTE, CryptMethod, crc, cyclic, signature
from gromoxd.convert.pst.layout import ANSI, MAGIC, UNICODE, Bref, Layout

_PTYPE_BBT, _PTYPE_NBT, _PTYPE_FMAP, _PTYPE_PMAP, _PTYPE_AMAP = 0x80, 0x81, 0x82, 0x83, 0x84
_PTYPE_FPMAP, _PTYPE_DL = 0x85, 0x86
_PAGE: Final = 512
_FIRST: Final = 0x4400
_REGION: Final = 496 * 8 * 64
"""Octets that one AMap page tells of, [MS-PST] 2.2.2.7.2."""
_SLOT: Final = 64
_DLIST: Final = 0x4200
_PMAP_EVERY, _FMAP_FIRST, _FMAP_EVERY, _FPMAP_FIRST, _FPMAP_EVERY = 8, 128, 496, 8192, 31744
_LARGEST_BLOCK: Final = 8192
_LARGEST_BLOCK_4K: Final = 65536
_REFERENCES: Final = 2
"""cRef of a block that one node or block refers to: the entry itself counts too ([MS-PST] 2.2.2.7.7.3)."""
_FIRST_INDEX: Final = {2: 0x400, 3: 0x4000, 4: 0x10000, 8: 0x8000}
"""Where nidIndex starts for the types of nodes, [MS-PST] 2.2.2.6 rgnid."""

SubEntry = tuple[int, int, int]
"""nid, bidData, bidSub of a subnode."""


class NdbWriter:
    """A node database that is written into a file from its start."""

    def __init__(self, out: BinaryIO, layout: Layout = UNICODE, crypt: int = CryptMethod.NDB_CRYPT_PERMUTE) -> None:
        self._out, self.layout, self.crypt = out, layout, crypt
        self._maps = layout.page_size == _PAGE
        self._next_bid = self._next_page = 4
        self._blocks: list[tuple[int, int, int, int]] = []
        self._nodes: dict[int, tuple[int, int, int]] = {}
        self._indexes = dict(_FIRST_INDEX)
        self._region = bytearray(_REGION)
        self._number = 0
        self._used = 0
        self._map: list[tuple[int, int]] = []
        self._free = 0
        self._out.write(bytes(_FIRST))
        self._start_region()
        self.max_block = (_LARGEST_BLOCK if self._maps else _LARGEST_BLOCK_4K) - layout.block_trailer_size

    def new_nid(self, kind: int) -> int:
        """A node id of a type that no node has yet."""
        index = self._indexes.get(kind, 0x400)
        self._indexes[kind] = index + 1
        return index << 5 | kind

    def node(self, nid: int, bid_data: int, bid_sub: int = 0, parent: int = 0) -> None:
        """Enter a node into the NBT."""
        self._nodes[nid] = (bid_data, bid_sub, parent)

    def data(self, octets: bytes) -> int:
        """Write a data tree; the bid of its root, 0 for no octets."""
        size = self.max_block
        return self.blocks([octets[at : at + size] for at in range(0, len(octets), size)])

    def blocks(self, parts: Sequence[bytes]) -> int:
        """Write a data tree of blocks as they are given, all but the last of them full ([MS-PST] 2.2.2.8.3.2)."""
        if not parts:
            return 0
        bids = [self._block(part, internal=False) for part in parts]
        total = sum(map(len, parts))
        if len(bids) == 1:
            return bids[0]
        fit = (self.max_block - 8) // Struct("<" + self.layout.bids).size
        if len(bids) <= fit:
            return self._children(1, bids, total)
        inner = [
            self._children(1, bids[at : at + fit], sum(map(len, parts[at : at + fit])))
            for at in range(0, len(bids), fit)
        ]
        if len(inner) > fit:
            raise ValueError(f"{total} octets do not fit into a data tree")
        return self._children(2, inner, total)

    def subnodes(self, entries: list[SubEntry]) -> int:
        """Write a subnode tree; its bid, 0 for no entries ([MS-PST] 2.2.2.8.3.3)."""
        if not entries:
            return 0
        layout = self.layout
        entries.sort()
        fit = (self.max_block - layout.sub_header) // layout.sl_entry.size
        leaves = [
            (entries[at][0], self._sub_block(0, [layout.sl_entry.pack(*entry) for entry in entries[at : at + fit]]))
            for at in range(0, len(entries), fit)
        ]
        if len(leaves) == 1:
            return leaves[0][1]
        return self._sub_block(1, [layout.si_entry.pack(*leaf) for leaf in leaves])

    def close(self) -> None:
        """Write the B-trees and the header. The file belongs to the caller."""
        nodes = sorted(self._nodes.items())
        bbt = self._tree(_PTYPE_BBT, [(bid, self._bbt_entry(bid, *rest)) for bid, *rest in self._blocks])
        nbt = self._tree(_PTYPE_NBT, [(nid, self._nbt_entry(nid, entry)) for nid, entry in nodes])
        last = _FIRST + self._number * _REGION
        self._free += _REGION - self._used
        self._end_region()
        self._out.seek(0)
        self._out.write(self._header(nbt, bbt, last))
        if self._maps:
            self._out.seek(_DLIST)
            self._out.write(self._page(_PTYPE_DL, bytes(496), _DLIST, _DLIST))
        self._out.flush()

    # Blocks

    def _block(self, data: bytes, *, internal: bool) -> int:
        layout = self.layout
        bid = self._next_bid | (2 if internal else 0)
        self._next_bid += 4
        size = inflated = len(data)
        if not internal:
            data = self._encode(data, bid)
        if layout.compressed:
            packed = zlib.compress(data)
            data = packed if len(packed) < size else data
            size = len(data)
        whole = -(-(size + layout.block_trailer_size) // layout.block_align) * layout.block_align
        ib = self._allocate(whole, layout.block_align)
        trailer = layout.block_trailer.pack(size, signature(ib, bid), *self._crc_and_bid(crc(data), bid))
        if layout.compressed:
            trailer += Struct("<HHI").pack(_REFERENCES, inflated, 0)
        self._put(ib, data)
        self._put(ib + whole - layout.block_trailer_size, trailer)
        self._blocks.append((bid, ib, size, inflated))
        return bid

    def _encode(self, data: bytes, bid: int) -> bytes:
        if self.crypt == CryptMethod.NDB_CRYPT_PERMUTE:
            return data.translate(PERMUTE)
        return cyclic(data, bid) if self.crypt == CryptMethod.NDB_CRYPT_CYCLIC else data

    def _crc_and_bid(self, checksum: int, bid: int) -> tuple[int, int]:
        return (checksum, bid) if self.layout.trailer_bid == -1 else (bid, checksum)

    def _children(self, level: int, bids: list[int], total: int) -> int:
        head = Struct("<BBHI").pack(1, level, len(bids), total)
        return self._block(head + Struct(f"<{len(bids)}{self.layout.bids}").pack(*bids), internal=True)

    def _sub_block(self, level: int, entries: list[bytes]) -> int:
        head = Struct("<BBH").pack(2, level, len(entries)).ljust(self.layout.sub_header, b"\0")
        return self._block(head + b"".join(entries), internal=True)

    # B-trees

    def _bbt_entry(self, bid: int, ib: int, size: int, inflated: int) -> bytes:
        if self.layout.compressed:
            return Struct("<QQHHHH").pack(bid, ib, size, inflated, _REFERENCES, 0)
        fields = Struct("<" + self.layout.bbt_leaf).pack(bid, ib, size, _REFERENCES)
        return fields if self.layout is ANSI else fields + bytes(4)

    def _nbt_entry(self, nid: int, entry: tuple[int, int, int]) -> bytes:
        fields = Struct("<" + self.layout.nbt_leaf).pack(nid, *entry)
        return fields if self.layout is ANSI else fields + bytes(4)

    def _tree(self, kind: int, entries: list[tuple[int, bytes]]) -> Bref:
        """Pages of a B-tree from the leaves up, each full but the last."""
        level = 0
        branch = Struct("<" + (self.layout.bbt_branch if kind == _PTYPE_BBT else self.layout.nbt_branch))
        while True:
            fit = self.layout.page_entries // len(entries[0][1])
            parts = [entries[at : at + fit] for at in range(0, len(entries), fit)]
            pages = [(part[0][0], self._tree_page(kind, level, [octets for _, octets in part], fit)) for part in parts]
            if len(pages) == 1:
                return pages[0][1]
            entries = [(key, branch.pack(key, *bref)) for key, bref in pages]
            level += 1

    def _tree_page(self, kind: int, level: int, entries: list[bytes], fit: int) -> Bref:
        layout = self.layout
        bid = self._next_page
        self._next_page += 4
        ib = self._allocate(layout.page_size, layout.page_size)
        body = b"".join(entries).ljust(layout.page_entries, b"\0")
        body += layout.page_counts.pack(len(entries), fit, len(entries[0]), level)
        self._put(ib, self._page(kind, body.ljust(layout.page_trailer_at, b"\0"), bid, ib))
        return Bref(bid, ib)

    def _page(self, kind: int, body: bytes, bid: int, ib: int) -> bytes:
        """A page with its trailer; maps have no signature ([MS-PST] 2.2.2.7.1)."""
        layout = self.layout
        body = body.ljust(layout.page_trailer_at, b"\0")
        mark = signature(ib, bid) if kind in (_PTYPE_BBT, _PTYPE_NBT, _PTYPE_DL) else 0
        return (body + layout.page_trailer.pack(kind, kind, mark, *self._crc_and_bid(crc(body), bid))).ljust(
            layout.page_size, b"\0"
        )

    # Space

    def _allocate(self, size: int, align: int) -> int:
        """The place in the file of `size` octets, which never run over the end of a region."""
        at = -(-self._used // align) * align
        if not self._maps:
            base = _FIRST + self._number * _REGION
            at = -(-(base + self._used) // align) * align - base
        if at + size > _REGION:
            self._free += _REGION - self._used
            self._end_region()
            self._number += 1
            self._start_region()
            return self._allocate(size, align)
        self._free += at - self._used
        self._map.append((at, at + size))
        self._used = at + size
        return _FIRST + self._number * _REGION + at

    def _put(self, ib: int, octets: bytes) -> None:
        at = ib - _FIRST - self._number * _REGION
        self._region[at : at + len(octets)] = octets

    def _start_region(self) -> None:
        """The map pages that a region begins with, [MS-PST] 2.6.1.1; all but the first say nothing today and are
        filled with ones."""
        self._region[:] = bytes(_REGION)
        self._map, self._used = [], 0
        if not self._maps:
            return
        number = self._number
        kinds = [_PTYPE_AMAP]
        if number % _PMAP_EVERY == 0:
            kinds.append(_PTYPE_PMAP)
        if number >= _FMAP_FIRST and (number - _FMAP_FIRST) % _FMAP_EVERY == 0:
            kinds.append(_PTYPE_FMAP)
        if number >= _FPMAP_FIRST and (number - _FPMAP_FIRST) % _FPMAP_EVERY == 0:
            kinds.append(_PTYPE_FPMAP)
        for kind in kinds:
            ib = self._allocate(_PAGE, _PAGE)
            filling = 0 if kind == _PTYPE_FMAP else 0xFF
            self._put(ib, self._page(kind, bytes((filling,)) * 496, ib, ib))

    def _end_region(self) -> None:
        if self._maps:
            bits = 0
            for start, end in self._map:
                count = (end - start) // _SLOT
                bits |= ((1 << count) - 1) << (496 * 8 - end // _SLOT)
            ib = _FIRST + self._number * _REGION
            self._region[:_PAGE] = self._page(_PTYPE_AMAP, bits.to_bytes(496, "big"), ib, ib)
        self._out.write(self._region)

    # Header

    def _header(self, nbt: Bref, bbt: Bref, last: int) -> bytes:
        """HEADER, [MS-PST] 2.2.2.6, and its ROOT, 2.2.2.5."""
        indexes = Struct("<32I").pack(*(self._indexes.get(kind, 0x400) for kind in range(32)))
        eof = last + _REGION
        ones = b"\xff" * 128
        if self.layout is ANSI:
            body = Struct("<HHBBII").pack(14, 19, 1, 1, 0, 0)
            body += Struct("<III").pack(self._next_bid, self._next_page, 1) + indexes
            body += Struct("<IIIII4IBBH").pack(0, eof, last, self._free, 0, *nbt, *bbt, 2, 0, 0)
            body += ones + ones + bytes((0x80, self.crypt))
            body = (b"SM" + body).ljust(504, b"\0")
            return MAGIC + Struct("<I").pack(crc(body[:471])) + body
        version = 23 if self._maps else 36
        body = b"SM" + Struct("<HHBBIIQQI").pack(version, 19, 1, 1, 0, 0, 0, self._next_page, 1) + indexes
        body += bytes(8) + Struct("<IQQQQ4QBBH").pack(0, eof, last, self._free, 0, *nbt, *bbt, 2, 0, 0) + bytes(4)
        body += ones + ones + bytes((0x80, self.crypt, 0, 0)) + Struct("<Q").pack(self._next_bid)
        return MAGIC + Struct("<I").pack(crc(body[:471])) + body + Struct("<I").pack(crc(body[:516])) + bytes(36)
