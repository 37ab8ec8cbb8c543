"""Values as files have them ([MS-PST] 2.3.3): 8-bit text, lists, what is no value."""

from __future__ import annotations

import io
from typing import Any

import pytest

from gromoxd.convert.pst.heap import TYPE_PC, Heap
from gromoxd.convert.pst.layout import ANSI
from gromoxd.convert.pst.ltpwriter import HeapWriter, write_properties
from gromoxd.convert.pst.messages import Reading
from gromoxd.convert.pst.names import NameMap
from gromoxd.convert.pst.ndb import Budget, Ndb
from gromoxd.convert.pst.ndbwriter import NdbWriter
from gromoxd.convert.pst.values import PropertyContext, unicode_tag, value_of
from gromoxd.errors import WireError
from gromoxd.mapi import proptags as pt
from gromoxd.mapi.bag import Bag

NID = 0x200004


def read(bag: dict[int, Any], code_page: int = 1252) -> Bag:
    """The bag as a message of an ANSI file, read as an item."""
    out = io.BytesIO()
    ndb = NdbWriter(out, ANSI)
    bid, own = write_properties(ndb, bag)
    ndb.node(NID, bid, ndb.subnodes(own))
    ndb.close()
    database = Ndb(out.getvalue())
    return Reading(database, NameMap({}), code_page, Budget(1 << 20)).item(database.node(NID)).props


def test_8_bit_text_is_read_by_the_messages_code_page() -> None:
    bag = {0x0037001E: "Grüße".encode("cp1252"), 0x1000001E: "Привет".encode("cp1251") + b"\0", 0x3FFD0003: 1251}
    assert read(bag)[pt.PidTagBody] == "Привет"
    del bag[0x3FFD0003]
    assert read(bag)[pt.PidTagSubject] == "Grüße"
    assert read(bag, 1251)[pt.PidTagBody] == "Привет"
    assert read(bag | {0x3FDE0003: 1251})[pt.PidTagBody] == "Привет"
    assert read(bag | {0x3FFD0003: 99999})[pt.PidTagSubject] == "Grüße"


def test_lists_of_8_bit_text() -> None:
    assert read({0x6610101E: [b"a", "ü".encode("cp1252"), b""]})[0x6610101F] == ["a", "ü", ""]


@pytest.mark.parametrize(
    ("subject", "prefix", "rest"),
    [("\1\5Re: x", "Re: ", "x"), ("\1\1x", "", "x"), ("\1", "", ""), ("x", None, None), ("\1\x63ab", None, None)],
)
def test_the_marks_of_a_subjects_prefix(subject: str, prefix: str | None, rest: str | None) -> None:
    props = read({pt.PidTagSubject: subject})
    assert props[pt.PidTagSubject] == subject[2:] if subject.startswith("\1") else subject
    assert props.get(pt.PidTagSubjectPrefix) == prefix
    assert props.get(pt.PidTagNormalizedSubject) == rest


def test_html_as_a_string_becomes_octets() -> None:
    props = read({0x1013001F: "<p>ü</p>"})
    assert props == {pt.PidTagHtml: "<p>ü</p>".encode(), pt.PidTagInternetCodepage: 65001}
    props = read({0x1013001E: b"<p>\xfc</p>\0"})
    assert props == {pt.PidTagHtml: b"<p>\xfc</p>", pt.PidTagInternetCodepage: 1252}


def test_octets_that_are_no_value() -> None:
    assert value_of(0x40, b"1234", 1252) is None
    assert value_of(0x48, b"1234", 1252) is None
    assert value_of(0x7777, b"1234", 1252) is None
    assert value_of(0x101F, b"\xff\xff\xff\xff", 1252) is None
    assert value_of(0x101F, b"", 1252) is None
    assert value_of(0x1003, b"\1\0\0\0\2", 1252) == [1]
    assert value_of(0x1F, b"a\0b", 1252) == "a\ufffd"
    assert value_of(0x101F, bytes.fromhex("02000000 ffffffff 0c000000 6100"), 1252) == ["", "a"]


def test_tags_of_text() -> None:
    assert unicode_tag(0x37, 0x1E) == 0x0037001F
    assert unicode_tag(0x37, 0x101E) == 0x0037101F
    assert unicode_tag(0x37, 0x1F) == 0x0037001F
    assert unicode_tag(0x37, 0x03) == 0x00370003


def test_values_not_of_their_type_are_not_written() -> None:
    bag: dict[int, Any] = {
        0x0037001F: "x",
        0x66010003: "x",
        0x66020102: 5,
        0x6603101F: 7,
        0x66040048: b"12",
        0x66050FFF: 1,
    }
    assert read(bag)[pt.PidTagSubject] == "x"
    assert set(read(bag)) <= {pt.PidTagSubject, 0x66040048}


def test_a_heap_that_is_none() -> None:
    out = io.BytesIO()
    ndb = NdbWriter(out)
    heap = HeapWriter(ndb, TYPE_PC)
    root = heap.item(bytes(8))
    heap.tree(root, 2, [], 8)
    ndb.node(NID, heap.finish(root))
    ndb.node(NID + 32, ndb.data(b"no heap at all"))
    ndb.node(NID + 64, 0)
    other = HeapWriter(ndb, 0x7C)
    ndb.node(NID + 96, other.finish(0))
    ndb.close()
    database = Ndb(out.getvalue())
    assert PropertyContext(Heap(database, database.node(NID), Budget(1 << 20)), 1252).bag() == {}
    for nid, reason in ((NID + 32, "is no heap"), (NID + 64, "has no heap"), (NID + 96, "holds no properties")):
        with pytest.raises(WireError, match=reason):
            PropertyContext(Heap(database, database.node(nid), Budget(1 << 20)), 1252)
