"""Damaged and hostile files: an error or what can be had of it, in bounded time and memory."""

from __future__ import annotations

import io
import random
import time
import tracemalloc
from struct import Struct

import pytest

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst import PstFile
from gromoxd.convert.pst.layout import UNICODE
from gromoxd.convert.pst.ltpwriter import write_properties
from gromoxd.convert.pst.messages import Reading
from gromoxd.convert.pst.names import NameMap
from gromoxd.convert.pst.ndb import Budget, Ndb
from gromoxd.convert.pst.ndbwriter import NdbWriter
from gromoxd.convert.pst.writer import PstWriter
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as pt
from tests.convert.pst.made import LAYOUTS, NOW_NT, RECORD_KEY, made, message, trimmed

NID = 0x200004
SLOWEST = 2.0


def small(layout: str) -> bytes:
    """Three messages: one with a message in it, one with a file, one with recipients."""
    out = io.BytesIO()
    with PstWriter(out, record_key=RECORD_KEY, now_nt=NOW_NT, layout=LAYOUTS[layout], crypt=0) as pst:
        folder = pst.folder(pst.top, "Inbox")
        for number in (3, 4, 6):
            folder.add(message(number))
    return trimmed(out.getvalue())


def read_all(data: bytes) -> int:
    """Everything that a file gives: -1 when it is no file, else how many messages could be read."""
    try:
        pst = PstFile(data, largest=1 << 24)
    except WireError:
        return -1
    count = 0
    for folder in pst.folders():
        for entry in (*folder.messages(), *folder.associated()):
            try:
                entry.item([])
                count += 1
            except WireError:
                continue
    pst.special()
    return count


def timed(data: bytes) -> int:
    start = time.monotonic()
    count = read_all(data)
    assert time.monotonic() - start < SLOWEST
    return count


@pytest.mark.parametrize("layout", LAYOUTS)
def test_truncated_files(layout: str) -> None:
    data = small(layout)
    assert read_all(data) == 3
    for size in (*range(0, 1100, 37), *range(1100, len(data), 1500)):
        assert timed(data[:size]) in (-1, 0, 1, 2, 3)


def used(data: bytes) -> list[int]:
    """Places of octets that say something: all but zeros and the map pages."""
    return [at for at, octet in enumerate(data) if octet and not 0x4200 <= at < 0x4800]


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_octet_of_header_and_pages_changed(layout: str) -> None:
    data = small(layout)
    pages = [at for at in used(data) if at < 0x300 or at > len(data) - 5 * LAYOUTS[layout].page_size]
    for at in pages:
        changed = bytearray(data)
        changed[at] ^= 0xFF
        timed(bytes(changed))


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
def test_ten_thousand_mutations(layout: str) -> None:
    data = small(layout)
    places = used(data)
    dice = random.Random(layout)
    counts: dict[int, int] = {}
    tracemalloc.start()
    for turn in range(10_000 // len(LAYOUTS) + 1):
        if turn == 300:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        changed = bytearray(data)
        for _ in range(dice.choice((1, 1, 2, 5, 20, 200))):
            changed[dice.choice(places)] = dice.choice((0, 1, 0x7F, 0xFF, dice.randrange(256)))
        count = timed(bytes(changed))
        counts[count] = counts.get(count, 0) + 1
    assert peak < 100 << 20
    assert counts[3] > 100


def test_a_damaged_text_is_read_all_the_same_and_counted() -> None:
    data = bytearray(made(crypt=0, count=3))
    data[data.index("Zeile 2".encode("utf-16-le"))] ^= 0x20
    with PstFile(bytes(data)) as pst:
        items = [entry.item() for folder in pst.folders() for entry in folder.messages()]
        assert str(items[2].props[pt.PidTagBody]).startswith("zeile 2")
        assert pst.damaged == 1


def without_block(data: bytes, wanted: bytes) -> bytes:
    """The file with another id in the trailer of the block that holds the octets."""
    at = data.index(wanted)
    end = -(-(at + len(wanted) + 16) // 64) * 64
    return data[: end - 8] + b"\xff" * 8 + data[end:]


def test_losses_are_told_or_raised() -> None:
    marked = Item({pt.PidTagSubject: "with file"}, attachments=[ItemAttachment({}, b"MARK" * 2000)] * 2)
    out = io.BytesIO()
    with PstWriter(out, record_key=RECORD_KEY, now_nt=NOW_NT, crypt=0) as writer:
        writer.folder(writer.top, "Inbox").add(marked)
    broken = without_block(out.getvalue(), b"MARK" * 2000)
    with PstFile(broken) as pst:
        [entry] = [entry for folder in pst.folders() for entry in folder.messages()]
        with pytest.raises(WireError, match="elsewhere"):
            entry.item()
        lost: list[str] = []
        item = entry.item(lost)
        assert item.props[pt.PidTagSubject] == "with file"
        assert [attachment.data for attachment in item.attachments] == [b"MARK" * 2000]
        assert len(lost) == 1
        assert lost[0].startswith("attachment 0x8025: block")


def test_without_its_table_a_folder_is_put_together_from_the_nodes() -> None:
    data = made(crypt=0, count=6)
    with PstFile(data) as pst:
        inbox = next(folder for folder in pst.folders() if folder.name == "Inbox")
        nids = pst.contents(inbox)
        node = pst.ndb.node(inbox.nid & ~0x1F | 0x0E)
        block = pst.ndb._block(node.bid_data, Budget(1 << 20))
    with PstFile(without_block(data, block)) as pst:
        inbox = next(folder for folder in pst.folders() if folder.name == "Inbox")
        assert [entry.nid for entry in inbox.messages()] == nids
        assert "elsewhere" in inbox.damaged


# Files that are built to harm


def database(build: object) -> Ndb:
    out = io.BytesIO()
    ndb = NdbWriter(out)
    build(ndb)  # type: ignore[operator]
    ndb.close()
    return Ndb(out.getvalue())


def test_one_block_referred_to_a_million_times_is_not_read_so_often() -> None:
    def build(ndb: NdbWriter) -> None:
        leaf = ndb.data(bytes(8000))
        inner = ndb._children(1, [leaf] * 1000, 8_000_000)
        ndb.node(NID, ndb._children(2, [inner] * 1000, 0))

    ndb = database(build)
    budget = Budget(1 << 22)
    start = time.monotonic()
    with pytest.raises(WireError, match="larger than the limit"):
        ndb.octets(ndb.node(NID).bid_data, budget)
    assert time.monotonic() - start < SLOWEST


def test_a_message_that_contains_itself_a_hundred_times() -> None:
    """Each attachment's subnodes are the message's own: 100 ** 16 messages, if one believed it."""

    def build(ndb: NdbWriter) -> None:
        with_object = write_properties(ndb, {pt.PidTagAttachMethod: 5}, {0x3701: (NID, 1)})[0]
        body = write_properties(ndb, {pt.PidTagSubject: "again"})[0]
        own = ndb._next_bid | 2
        entries = [(0x401 + n << 5 | 5, with_object, own) for n in range(100)] + [(NID, body, own)]
        assert ndb.subnodes(entries) == own
        ndb.node(NID, body, own)

    ndb = database(build)
    start = time.monotonic()
    with pytest.raises(WireError):
        Reading(ndb, NameMap({}), 1252, Budget(1 << 24)).item(ndb.node(NID))
    lost: list[str] = []
    item = Reading(ndb, NameMap({}), 1252, Budget(1 << 24), lost).item(ndb.node(NID))
    assert time.monotonic() - start < 2 * SLOWEST
    assert len(item.attachments) >= 1
    assert 100 <= len(lost) <= 10_000


def test_a_tree_whose_pages_lead_back() -> None:
    """The root of the nodes' tree says it is a branch and names itself."""
    data = bytearray(made(count=1))
    at = int.from_bytes(data[0xE0:0xE8], "little")
    bid = int.from_bytes(data[0xD8:0xE0], "little")
    data[at : at + 24] = Struct("<QQQ").pack(0, bid, at)
    data[at + 488 : at + 492] = bytes((1, 20, 24, 3))
    with pytest.raises(WireError):
        PstFile(bytes(data))


def test_folders_that_contain_each_other() -> None:
    out = io.BytesIO()
    with PstWriter(out, record_key=RECORD_KEY, now_nt=NOW_NT) as writer:
        inner = writer.folder(writer.top, "inner")
        inner.children.append(writer.top)
        inner.children.append(inner)
    with PstFile(out.getvalue()) as pst:
        names = [folder.name for folder in pst.folders()]
    assert names == ["", "Top of Personal Folders", "Deleted Items", "inner", "Search Root"]


def test_limits_of_the_caller() -> None:
    data = made(UNICODE, count=10)
    with PstFile(data, largest=50_000) as pst:
        [*entries] = [entry for folder in pst.folders() for entry in folder.messages()]
        assert entries[1].item().props[pt.PidTagSubject] == message(1).props[pt.PidTagSubject]
        with pytest.raises(WireError, match="larger than the limit"):
            entries[9].item()


@pytest.mark.parametrize("data", [b"", b"!BDN", bytes(2000), b"x" * 70_000], ids=["empty", "short", "zeros", "text"])
def test_no_such_file_at_all(data: bytes) -> None:
    with pytest.raises(WireError):
        PstFile(data)
