"""What the writer must keep to besides being read: maps, trees, checksums, names, what files must have."""

from __future__ import annotations

import io
import itertools

import pytest

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst import PstFile
from gromoxd.convert.pst.encoding import crc, signature
from gromoxd.convert.pst.heap import TYPE_PC, Heap
from gromoxd.convert.pst.layout import Bref
from gromoxd.convert.pst.namewriter import NameWriter
from gromoxd.convert.pst.ndb import Budget, Ndb
from gromoxd.convert.pst.ndbwriter import NdbWriter
from gromoxd.convert.pst.values import PropertyContext
from gromoxd.convert.pst.writer import PstWriter
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.named import PS_MAPI, PS_PUBLIC_STRINGS, PropertyName, PSETID_Common
from tests.convert.pst.made import LAYOUTS, NOW_NT, RECORD_KEY, made, message

REGION = 496 * 8 * 64
FIRST = 0x4400


def places(ndb: Ndb) -> list[tuple[int, int]]:
    """Where the pages of the trees and the blocks are, from and to."""
    found = []

    def walk(bref: Bref, kind: int, level: int | None) -> None:
        page = ndb._page(bref, kind, level)
        found.append((bref.ib, bref.ib + 512))
        assert signature(bref.ib, bref.bid) == int.from_bytes(ndb.data[bref.ib + 498 : bref.ib + 500], "little")
        assert page.keys == sorted(set(page.keys))
        for entry in page.entries:
            if page.level:
                walk(Bref(entry[1], entry[2]), kind, page.level - 1)
            elif kind == 0x80:
                size = -(-(entry[2] + 16) // 64) * 64
                found.append((entry[1], entry[1] + size))
                trailer = ndb.data[entry[1] + size - 16 : entry[1] + size]
                assert int.from_bytes(trailer[2:4], "little") == signature(entry[1], entry[0])
                assert entry[3] == 2

    walk(ndb.header.bbt, 0x80, None)
    walk(ndb.header.nbt, 0x81, None)
    return sorted(found)


def test_allocation_maps_say_what_is_used() -> None:
    """[MS-PST] 2.2.2.7.2: a bit for 64 octets, the first one the highest; every ninth region has a PMap too."""
    data = made(count=400)
    regions = (len(data) - FIRST) // REGION
    assert regions > 9
    assert len(data) == FIRST + regions * REGION == int.from_bytes(data[0xB8:0xC0], "little")
    assert int.from_bytes(data[0xC0:0xC8], "little") == FIRST + (regions - 1) * REGION
    used = places(Ndb(data))
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(used))
    for number in range(regions):
        base = FIRST + number * REGION
        used.append((base, base + (1024 if number % 8 == 0 else 512)))
        assert data[base + 496 : base + 498] == b"\x84\x84"
        assert crc(data[base : base + 496]) == int.from_bytes(data[base + 500 : base + 504], "little")
        assert int.from_bytes(data[base + 504 : base + 512], "little") == base
        if number % 8 == 0:
            assert data[base + 512 + 496 : base + 512 + 498] == b"\x83\x83"
    free = regions * REGION
    expected = [bytearray(496) for _ in range(regions)]
    for start, end in used:
        free -= end - start
        for slot in range((start - FIRST) // 64, (end - FIRST) // 64):
            expected[slot // 3968][slot % 3968 >> 3] |= 0x80 >> (slot & 7)
    for number in range(regions):
        assert data[FIRST + number * REGION :][:496] == expected[number]
    assert int.from_bytes(data[0xC8:0xD0], "little") == free


def test_mandatory_nodes_are_there() -> None:
    with PstFile(made(count=1)) as pst:
        nids = {node.nid for node in pst.ndb.nodes()}
    folders = [0x122, 0x8022, 0x8042, 0x8062]
    tables = [folder & ~0x1F | kind for folder in folders for kind in (0x0D, 0x0E, 0x0F)]
    templates = [0x60D, 0x60E, 0x60F, 0x610, 0x671, 0x692]
    assert {0x21, 0x61, 0x1E1, 0x201, *folders, *tables, *templates} <= nids


def test_headers_of_trees_are_first_in_their_heaps() -> None:
    """Some readers (the npm package pst-extractor) look for them nowhere else."""
    with PstFile(made(count=1)) as pst:
        for nid in (0x21, 0x61, 0x122, 0x12D, 0x12E, 0x60E, 0x200004):
            heap = Heap(pst.ndb, pst.ndb.node(nid), Budget(1 << 20))
            assert heap.root == (0x20 if heap.client == TYPE_PC else 0x40)
            assert heap.item(0x20)[0] == 0xB5


def test_names_are_found_by_their_buckets() -> None:
    """[MS-PST] 2.4.7.6: dwPropertyID, or the checksum of the string, xor wGuid, modulo 251."""
    out = io.BytesIO()
    ndb = NdbWriter(out)
    names = NameWriter(ndb)
    wanted = [
        PropertyName(PS_PUBLIC_STRINGS, "Keywords"),
        PropertyName(PSETID_Common, 0x8554),
        PropertyName(bytes(16), "x"),
        PropertyName(PS_MAPI, 0x37),
        PropertyName(PSETID_Common, 0x8503),
    ]
    assert [names.prop_id(name) for name in wanted] == [0x8000, 0x8001, 0x8002, 0x8003, 0x8004]
    assert names.prop_id(PropertyName(PS_PUBLIC_STRINGS, "KEYWORDS")) == 0x8000
    names.write()
    ndb.close()
    database = Ndb(out.getvalue())
    map_ = PropertyContext(Heap(database, database.node(0x61), Budget(1 << 20)), 1252)
    assert map_.get(0x00010003) == 251
    assert map_.get(0x00020102) == PSETID_Common + bytes(16)
    bucket = (0x8554 ^ 3 << 1) % 251
    assert map_.get((0x1000 + bucket) << 16 | 0x102) == bytes.fromhex("54850000 0600 0100")
    bucket = (crc("Keywords".encode("utf-16-le")) ^ (2 << 1 | 1)) % 251
    assert map_.get((0x1000 + bucket) << 16 | 0x102)[4:] == bytes.fromhex("0500 0000")


def test_a_closed_folder_takes_nothing_more() -> None:
    with PstWriter(io.BytesIO(), record_key=RECORD_KEY, now_nt=NOW_NT) as pst:
        folder = pst.folder(pst.top, "Inbox")
        folder.add(message(1))
        folder.close()
        with pytest.raises(ValueError, match="closed"):
            folder.add(message(2))


def test_messages_too_deep_are_refused() -> None:
    item = Item({pt.PidTagSubject: "0"})
    for number in range(20):
        item = Item({pt.PidTagSubject: f"{number}"}, attachments=[ItemAttachment({}, embedded=item)])
    with PstWriter(io.BytesIO(), record_key=RECORD_KEY, now_nt=NOW_NT) as pst:
        folder = pst.folder(pst.top, "Inbox")
        with pytest.raises(ValueError, match="too deep"):
            folder.add(item)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_empty_file(layout: str) -> None:
    out = io.BytesIO()
    with PstWriter(out, "Leer", record_key=RECORD_KEY, now_nt=NOW_NT, layout=LAYOUTS[layout]):
        pass
    with PstFile(out.getvalue()) as pst:
        assert [folder.name for folder in pst.folders()] == [
            "",
            "Top of Personal Folders",
            "Deleted Items",
            "Search Root",
        ]
        assert pst.display_name == "Leer"
