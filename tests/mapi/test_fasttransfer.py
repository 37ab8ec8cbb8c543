"""FastTransfer streams: a published sample, every type, pieces of any size, and where they are cut."""

from __future__ import annotations

from contextlib import suppress
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import (
    Element,
    Marker,
    MetaTagCnsetSeen,
    MetaTagFXDelProp,
    MetaTagIdsetGiven,
    Property,
    StreamReader,
    StreamWriter,
    decode_stream,
    encode_stream,
)
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName, PSETID_Common
from gromoxd.mapi.types import PropType, PropValue

SAMPLE = bytes.fromhex(
    "03001240" "0201e165" "00000000" "0201e065" "16000000" "52f685ec7d432e4aa96034508853d90a0000000003f5"
    "40000830" "00d09ea88185d001" "0201e265" "16000000" "52f685ec7d432e4aa96034508853d90a00000000207c"
    "0201e365" "17000000" "1652f685ec7d432e4aa96034508853d90a00000000207c"
    "1f000130" "0c000000" "49004e0042004f0058000000" "14004967" "01000000000003f4" "03003966" "fb030000"
    "40000730" "803906a88185d001" "0b00f410" "0000"
)  # fmt: skip
"""The start of a hierarchy download ("How to parse the FastTransfer Stream", Microsoft's open specifications blog)."""

GID = "52f685ec7d432e4aa96034508853d90a00000000"
SAMPLE_ELEMENTS: list[Element] = [
    Marker.IncrSyncChg,
    Property(p.PidTagParentSourceKey, b""),
    Property(p.PidTagSourceKey, bytes.fromhex(GID + "03f5")),
    Property(p.PidTagLastModificationTime, 0x01D08581A89ED000),
    Property(p.PidTagChangeKey, bytes.fromhex(GID + "207c")),
    Property(p.PidTagPredecessorChangeList, bytes.fromhex("16" + GID + "207c")),
    Property(p.PidTagDisplayName, "INBOX"),
    Property(p.PidTagParentFolderId, int.from_bytes(bytes.fromhex("01000000000003f4"), "little", signed=True)),
    Property(p.PidTagRights, 0x3FB),
    Property(p.PidTagCreationTime, 0x01D08581A8063980),
    Property(p.PidTagAttributeHidden, False),
]

ALL: list[tuple[Element, str]] = [
    (Marker.StartMessage, "03000c40"),
    (Marker.IncrSyncGroupInfo, "02017b40"),
    (Marker.IncrSyncProgressMode, "0b007440"),
    (Property(0x10800003, -2), "03008010" "feffffff"),
    (Property(0x66000002, -2), "02000066" "feff"),
    (Property(0x66000004, 1.5), "04000066" "0000c03f"),
    (Property(0x66000005, 1.5), "05000066" "000000000000f83f"),
    (Property(0x66000006, -1), "06000066" "ffffffffffffffff"),
    (Property(0x66000007, 1.0), "07000066" "000000000000f03f"),
    (Property(0x6600000A, 0x8004010F), "0a000066" "0f010480"),
    (Property(0x0E1B000B, True), "0b001b0e" "0100"),
    (Property(0x66000014, 3), "14000066" "0300000000000000"),
    (Property(0x0E060040, 1), "4000060e" "0100000000000000"),
    (Property(0x66000048, bytes(range(16))), "48000066" "000102030405060708090a0b0c0d0e0f"),
    (Property(0x0037001F, "aß"), "1f003700" "06000000" "6100df000000"),
    (Property(0x0037001E, b"ab"), "1e003700" "03000000" "616200"),
    (Property(0x003784E4, b"\xe4b"), "e4843700" "03000000" "e46200"),
    (Property(0x00710102, b"\1\2"), "02017100" "02000000" "0102"),
    (Property(0x3701000D, b"\1"), "0d000137" "01000000" "01"),
    (Property(0x67C100FB, b"\0\0"), "fb00c167" "02000000" "0000"),
    (Property(MetaTagIdsetGiven, b"\5"), "03001740" "01000000" "05"),
    (Property(MetaTagFXDelProp, p.PidTagMessageRecipients), "03001640" "0d00120e"),
    (Property(0x66001003, [1, -1]), "03100066" "02000000" "01000000" "ffffffff"),
    (Property(0x66001002, []), "02100066" "00000000"),
    (Property(0x6600100B, list[int]((True, False))), "0b100066" "02000000" "0100" "0000"),
    (Property(0x66001048, [bytes(16)]), "48100066" "01000000" + "00" * 16),
    (Property(0x66001102, [b"a", b""]), "02110066" "02000000" "01000000" "61" "00000000"),
    (Property(0x6600101F, ["a", ""]), "1f100066" "02000000" "04000000" "61000000" "02000000" "0000"),
    (Property(0x6600101E, [b"a"]), "1e100066" "01000000" "02000000" "6100"),
    (Property(0x80010003, 7, PropertyName(PSETID_Common, 0x8501)),
     "03000180" "0820060000000000c000000000000046" "00" "01850000" "07000000"),
    (Property(0x8002101F, ["x"], PropertyName(PS_PUBLIC_STRINGS, "Keywords")),
     "1f100280" "2903020000000000c000000000000046" "01" "4b006500790077006f0072006400730000 00"
     "01000000" "04000000" "78000000"),
    (Property(0x8003001F, "y", PropertyName(PS_PUBLIC_STRINGS, "a")),
     "1f000380" "2903020000000000c000000000000046" "01" "61000000" "04000000" "79000000"),
]  # fmt: skip
STREAM = b"".join(bytes.fromhex(octets) for _, octets in ALL)
ELEMENTS = [element for element, _ in ALL]


def test_sample() -> None:
    assert decode_stream(SAMPLE) == SAMPLE_ELEMENTS
    assert encode_stream(SAMPLE_ELEMENTS) == SAMPLE


@pytest.mark.parametrize(("element", "octets"), ALL, ids=[octets[:8] for _, octets in ALL])
def test_golden(element: Element, octets: str) -> None:
    data = bytes.fromhex(octets)
    found = decode_stream(data)
    assert found == [element]
    if isinstance(element, Property) and isinstance(found[0], Property):
        assert type(found[0].value) is type(element.value)
        assert found[0].name == element.name
    assert encode_stream([element]) == data


@pytest.mark.parametrize("data", [SAMPLE, STREAM])
def test_truncated(data: bytes) -> None:
    whole = decode_stream(data)
    ends = set()
    for end in range(len(data)):
        try:
            assert decode_stream(data[:end]) == whole[: len(decode_stream(data[:end]))]
            ends.add(end)
        except WireError:
            continue
    assert len(ends) == len(whole)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 16, 100])
def test_pieces(size: int) -> None:
    for data, wanted in ((SAMPLE, SAMPLE_ELEMENTS), (STREAM, ELEMENTS)):
        reader = StreamReader()
        found: list[Element] = []
        for at in range(0, len(data), size):
            found += reader.feed(data[at : at + size])
        reader.finish()
        assert found == wanted


def test_elements_come_when_complete() -> None:
    reader = StreamReader()
    assert reader.feed(SAMPLE[:4]) == [Marker.IncrSyncChg]
    assert reader.feed(SAMPLE[4:11]) == []
    with pytest.raises(WireError, match="within an element"):
        reader.finish()
    assert reader.feed(b"") == []
    assert reader.feed(SAMPLE[11:12]) == SAMPLE_ELEMENTS[1:2]
    reader.finish()


def test_strings() -> None:
    """Terminators are dropped where they are, and what follows a NUL; UTF-16 by code page is PtypString."""
    assert decode_stream(bytes.fromhex("1f0037000400000061006200")) == [Property(0x0037001F, "ab")]
    assert decode_stream(bytes.fromhex("1e003700020000006162")) == [Property(0x0037001E, b"ab")]
    assert decode_stream(bytes.fromhex("1f00370006000000610000006200")) == [Property(0x0037001F, "a")]
    assert decode_stream(bytes.fromhex("1f00370000000000")) == [Property(0x0037001F, "")]
    assert decode_stream(bytes.fromhex("b08437000400000061000000")) == [Property(0x0037001F, "a")]
    assert decode_stream(bytes.fromhex("1f0037000200000000d8")) == [Property(0x0037001F, "\ufffd")]


@pytest.mark.parametrize(
    "octets",
    [
        "00003700", "01003700", "fd003700" "00000000", "00103700" "00000000", "0d100137" "00000000",
        "1f003700" "03000000" "610062", "02017100" "00000011", "03100066" "00000011", "02110066" "01000000" "00000011",
        "03000180" "0820060000000000c000000000000046" "02" "01850000",
        "03000180" "0820060000000000c000000000000046" "01" + "6100" * 0x1001,
    ],
)  # fmt: skip
def test_damaged(octets: str) -> None:
    with pytest.raises(WireError) as caught:
        StreamReader().feed(bytes.fromhex(octets) + bytes(4))
    assert "ends within" not in str(caught.value)


def test_limits() -> None:
    data = encode_stream([Property(0x00710102, bytes(11))])
    assert decode_stream(data, 11) == [Property(0x00710102, bytes(11))]
    for element in (
        Property(0x00710102, bytes(11)), Property(0x66001003, [1, 2, 3]), Property(0x66001102, [b"", b"123"]),
    ):  # fmt: skip
        with pytest.raises(WireError, match="octets"):
            decode_stream(encode_stream([element]), 10)


def test_writing_wrong_values() -> None:
    writer = StreamWriter()
    wrong: list[tuple[int, PropValue]] = [
        (0x00170003, "x"), (0x00170003, 1 << 32), (0x0037001F, b"x"), (0x0037001E, "x"), (0x00710102, "x"),
        (0x00710102, None), (0x66001003, 1), (0x66001003, ["x"]), (0x66000048, b"x"), (0x00370000, "x"),
        (0x660000FD, b"x"), (0x66000001, None), (0x6600100D, [b"x"]), (0x6600101F, [b"x"]), (MetaTagIdsetGiven, 5),
    ]  # fmt: skip
    for tag, value in wrong:
        with pytest.raises(WireError):
            writer.property(tag, value)
    assert writer.pending == 0
    writer.property(0x00170003, 0xFFFFFFFF)
    assert writer.take(99) == bytes.fromhex("03001700ffffffff")


def test_names_and_code_page() -> None:
    names = {0x8001: PropertyName(PSETID_Common, 0x8501)}
    writer = StreamWriter(lambda tag: names.get(tag >> 16), code_page=1252)
    writer.properties({0x80010003: 1, 0x80020003: 2, 0x0037001F: "ü€\u0416", 0x6600101F: ["ü"], 0x00710102: b"x"})
    assert not writer.begin(0x80020102, 3)
    assert decode_stream(writer.take(999)) == [
        Property(0x80010003, 1, names[0x8001]),
        Property(0x0037001E, b"\xfc\x80?"),
        Property(0x6600101E, [b"\xfc"]),
        Property(0x00710102, b"x"),
    ]


def _atoms(elements: list[Element]) -> tuple[set[int], list[tuple[int, int]]]:
    """Where a stream may be cut: between atoms, and within these values of variable size ([MS-OXCFXICS] 2.2.4.1)."""
    cuts, bodies, at = {0}, [], 0
    for element in elements:
        data = encode_stream([element])
        if isinstance(element, Property):
            kind = element.tag & 0xFFFF
            head = 4 + (len(element.name.encode_info()) if element.name else 0)
            cuts.add(at + head)
            variable = kind & 0xFFF in (0x1E, 0x1F, 0x102, 0xD, 0xFB) or element.tag == MetaTagIdsetGiven
            inner = at + head
            if kind & 0x1000 and isinstance(element.value, list):
                inner += 4
                cuts.add(inner)
                for item in element.value:
                    size = len(encode_stream([Property(element.tag & ~0x1000, item, element.name)])) - head
                    if variable:
                        cuts.add(inner + 4)
                        bodies.append((inner + 4, inner + size))
                    inner += size
                    cuts.add(inner)
            elif variable:
                cuts.add(inner + 4)
                bodies.append((inner + 4, at + len(data)))
        at += len(data)
        cuts.add(at)
    return cuts, bodies


@given(
    st.lists(
        st.one_of(
            st.sampled_from(ELEMENTS),
            st.integers(60, 300).map(lambda size: Property(0x00710102, bytes(size))),
            st.integers(30, 150).map(lambda size: Property(0x0037001F, "x" * size)),
            st.integers(0, 90).map(lambda size: Property(0x66001003, list(range(size)))),
            st.lists(st.integers(0, 100).map(bytes), max_size=5).map(lambda items: Property(0x66001102, items)),
        ).filter(lambda element: not isinstance(element, Property) or element.tag != 0x003784E4),
        max_size=12,
    ),
    st.integers(150, 400),
)
def test_cuts(elements: list[Element], size: int) -> None:
    """Buffers end where the format allows it, are full but for a small value and its tag, and make the stream."""
    writer = StreamWriter()
    for element in elements:
        writer.element(element)
    total = writer.pending
    cuts, bodies = _atoms(elements)
    taken = b""
    while writer.pending:
        room = size if size < writer.pending else writer.pending
        buffer = writer.take(size)
        assert 0 < len(buffer) <= size
        taken += buffer
        end = len(taken)
        assert end in cuts or any(begin < end < stop for begin, stop in bodies)
        assert len(buffer) > room - 64 - 50
    assert len(taken) == total
    assert decode_stream(taken) == elements


def test_atoms_are_not_cut() -> None:
    writer = StreamWriter()
    writer.property(0x00170003, 1)
    writer.property(0x0E060040, 2)
    assert writer.take(7) == b""
    assert len(writer.take(8)) == 8
    assert len(writer.take(11)) == 0
    assert len(writer.take(12)) == 12
    assert writer.take(5) == b""


def test_values_in_pieces() -> None:
    """A large attachment goes through without being in memory as a whole."""
    writer = StreamWriter()
    size = 5 * 1024 * 1024
    assert writer.begin(p.PidTagAttachDataBinary, size)
    with pytest.raises(ValueError, match="are missing"):
        writer.marker(Marker.EndAttach)
    pieces, most, left = [], 0, size
    while left:
        piece = min(left, 40_000)
        writer.write(bytes(piece))
        left -= piece
        most = max(most, writer.pending)
        while writer.pending > 30_000:
            pieces.append(writer.take(30_000))
    with pytest.raises(ValueError, match="more octets"):
        writer.write(b"x")
    writer.marker(Marker.EndAttach)
    while writer.pending:
        pieces.append(writer.take(30_000))
    assert all(len(piece) == 30_000 for piece in islice(pieces, len(pieces) - 1))
    assert most < 80_000
    assert len(writer._out) < 2 * 1024 * 1024
    assert decode_stream(b"".join(pieces)) == [Property(p.PidTagAttachDataBinary, bytes(size)), Marker.EndAttach]


def test_long_values_in_small_pieces() -> None:
    """Linear: 8 MB in pieces of 512 octets, as one value and as many."""
    one, many = Property(0x00710102, bytes(4_000_000)), Property(0x66001102, [b"12345678"] * 300_000)
    data = encode_stream([one, many])
    reader = StreamReader()
    found: list[Element] = []
    for at in range(0, len(data), 512):
        found += reader.feed(data[at : at + 512])
    reader.finish()
    assert found == [one, many]


VALUES: dict[int, st.SearchStrategy[object]] = {
    PropType.PtypInteger16: st.integers(-(1 << 15), (1 << 15) - 1),
    PropType.PtypInteger32: st.integers(-(1 << 31), (1 << 31) - 1),
    PropType.PtypFloating64: st.floats(allow_nan=False),
    PropType.PtypErrorCode: st.integers(0, (1 << 32) - 1),
    PropType.PtypBoolean: st.booleans(),
    PropType.PtypInteger64: st.integers(-(1 << 63), (1 << 63) - 1),
    PropType.PtypTime: st.integers(-(1 << 63), (1 << 63) - 1),
    PropType.PtypGuid: st.binary(min_size=16, max_size=16),
    PropType.PtypString: st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8),
    PropType.PtypString8: st.binary(max_size=8).map(lambda octets: octets.replace(b"\0", b"")),
    PropType.PtypBinary: st.binary(max_size=8),
}


@st.composite
def properties(draw: st.DrawFn) -> Property:
    kind = int(draw(st.sampled_from(sorted(VALUES))))
    number = draw(st.integers(0x6600, 0x67FF) | st.integers(0x8000, 0xFFFE))
    multiple = draw(st.booleans())
    value = draw(st.lists(VALUES[kind], max_size=4) if multiple else VALUES[kind])
    name = draw(st.sampled_from([PropertyName(PSETID_Common, 1), PropertyName(PS_PUBLIC_STRINGS, "nämé")]))
    return Property(number << 16 | (0x1000 if multiple else 0) | kind, value, name if number >= 0x8000 else None)  # type: ignore[arg-type]


@given(st.lists(properties() | st.sampled_from(list(Marker)), max_size=8), st.integers(1, 40))
def test_round_trip(elements: list[Element], size: int) -> None:
    data = encode_stream(elements)
    reader = StreamReader()
    found = [element for at in range(0, len(data), size) for element in reader.feed(data[at : at + size])]
    reader.finish()
    assert found == elements


@given(st.binary(max_size=60))
def test_any_octets(data: bytes) -> None:
    with suppress(WireError):
        decode_stream(data)


def test_meta_tags() -> None:
    """[MS-OXCFXICS] 2.2.1.1.2 in a stream: an ordinary PtypBinary."""
    assert encode_stream([Property(MetaTagCnsetSeen, b"")]) == bytes.fromhex("0201966700000000")
