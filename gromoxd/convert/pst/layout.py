"""The three forms of the file and its header ([MS-PST] 2.2.2.6): ANSI (32-bit), Unicode (64-bit) and, of Outlook 2013's
offline stores, Unicode with pages of 4 KiB and compressed blocks, which [MS-PST] does not describe.

What is known of the third form here was learnt from files: trailers are 24 octets, blocks end on multiples of 512, an
entry of the block tree and the trailer say beside the stored size the inflated one, heap ids have 14 bits of index.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from gromoxd.errors import WireError

MAGIC: Final = b"!BDN"
_VERSIONS_ANSI: Final = (14, 15)
_VERSIONS_UNICODE: Final = (21, 23)
_VERSION_4K: Final = 36
_CLIENTS: Final = (b"SM", b"SO", b"AB")


class Bref(NamedTuple):
    """BREF, [MS-PST] 2.2.2.4: a block's or page's id and its place in the file."""

    bid: int
    ib: int


@dataclass(slots=True, frozen=True)
class Layout:
    """Sizes and places that differ between the forms; structs are those of the fields that are read."""

    name: str
    page_size: int
    page_entries: int
    """Octets of a B-tree page for its entries; cEnt, cEntMax, cbEnt and cLevel follow (2.2.2.7.7.1)."""
    page_counts: Struct
    page_trailer: Struct
    """ptype, ptypeRepeat, wSig, then dwCRC and bid in the order that `trailer_bid` tells (2.2.2.7.1)."""
    page_trailer_at: int
    bbt_branch: str
    nbt_branch: str
    """BTENTRY: btkey, BREF (2.2.2.7.7.2). Of a nid in 8 octets the upper four say nothing, and are not always zero."""
    bbt_leaf: str
    """BBTENTRY: BREF, cb, cRef (2.2.2.7.7.3); in pages of 4 KiB the inflated size instead of cRef."""
    nbt_leaf: str
    """NBTENTRY: nid, bidData, bidSub, nidParent (2.2.2.7.7.4)."""
    block_align: int
    block_trailer: Struct
    """cb, wSig, then dwCRC and bid as in pages (2.2.2.8.1)."""
    block_trailer_size: int
    trailer_bid: int
    """Place of bid counted from the end of the fields: -1 last, -2 before the CRC."""
    bids: str
    """A bid in rgbid of an XBLOCK (2.2.2.8.3.2.1)."""
    sub_header: int
    """Octets before the entries of an SLBLOCK or SIBLOCK (2.2.2.8.3.3)."""
    sl_entry: Struct
    si_entry: Struct
    hid_bits: int
    """Bits of hidIndex (2.3.1.1)."""
    row_index: str
    """dwRowIndex (2.3.4.3.1)."""
    compressed: bool = False

    @property
    def trailer_crc(self) -> int:
        """Place of dwCRC, as `trailer_bid`."""
        return -3 - self.trailer_bid


ANSI: Final = Layout(
    name="ANSI", page_size=512, page_entries=496, page_counts=Struct("<BBBB"), page_trailer=Struct("<BBHII"),
    page_trailer_at=500, bbt_branch="III", nbt_branch="III", bbt_leaf="IIHH", nbt_leaf="IIII", block_align=64,
    block_trailer=Struct("<HHII"), block_trailer_size=12, trailer_bid=-2, bids="I", sub_header=4,
    sl_entry=Struct("<III"), si_entry=Struct("<II"), hid_bits=11, row_index="H",
)  # fmt: skip

UNICODE: Final = Layout(
    name="Unicode", page_size=512, page_entries=488, page_counts=Struct("<BBBB"), page_trailer=Struct("<BBHIQ"),
    page_trailer_at=496, bbt_branch="QQQ", nbt_branch="I4xQQ", bbt_leaf="QQHH", nbt_leaf="I4xQQI", block_align=64,
    block_trailer=Struct("<HHIQ"), block_trailer_size=16, trailer_bid=-1, bids="Q", sub_header=8,
    sl_entry=Struct("<I4xQQ"), si_entry=Struct("<I4xQ"), hid_bits=11, row_index="I",
)  # fmt: skip

UNICODE_4K: Final = Layout(
    name="Unicode 4K", page_size=4096, page_entries=4056, page_counts=Struct("<HHBB"), page_trailer=Struct("<BBHIQ"),
    page_trailer_at=4072, bbt_branch="QQQ", nbt_branch="I4xQQ", bbt_leaf="QQHH", nbt_leaf="I4xQQI", block_align=512,
    block_trailer=Struct("<HHIQ"), block_trailer_size=24, trailer_bid=-1, bids="Q", sub_header=8,
    sl_entry=Struct("<I4xQQ"), si_entry=Struct("<I4xQ"), hid_bits=14, row_index="I", compressed=True,
)  # fmt: skip


class Header(NamedTuple):
    """What is read of HEADER and its ROOT, [MS-PST] 2.2.2.6 and 2.2.2.5."""

    layout: Layout
    crypt_method: int
    nbt: Bref
    bbt: Bref


_ROOTS_ANSI, _ROOTS_UNICODE = Struct("<4I"), Struct("<4Q")


def read_header(data: bytes) -> Header:
    """The header out of the first 564 octets of a file. WireError when it is none of a PST or OST."""
    if len(data) < 514 or data[:4] != MAGIC or data[8:10] not in _CLIENTS:
        raise WireError("no personal folder file")
    version = int.from_bytes(data[10:12], "little")
    if version in _VERSIONS_ANSI:
        bid_n, ib_n, bid_b, ib_b = _ROOTS_ANSI.unpack_from(data, 0xB8)
        return Header(ANSI, data[0x1CD], Bref(bid_n, ib_n), Bref(bid_b, ib_b))
    if version not in _VERSIONS_UNICODE and version < _VERSION_4K:
        raise WireError(f"personal folder file of version {version}", 10)
    bid_n, ib_n, bid_b, ib_b = _ROOTS_UNICODE.unpack_from(data, 0xD8)
    layout = UNICODE_4K if version >= _VERSION_4K else UNICODE
    return Header(layout, data[0x201], Bref(bid_n, ib_n), Bref(bid_b, ib_b))
