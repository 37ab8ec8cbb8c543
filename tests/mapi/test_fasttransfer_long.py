"""Long values of FastTransfer streams as they come (`LongReader`)."""

from __future__ import annotations

from random import Random

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.fasttransfer import Element, LongReader, LongValue, Marker, Property, encode_stream
from gromoxd.mapi.named import PropertyName

NAME = PropertyName(bytes(16), "Name")
ELEMENTS: list[Element] = [
    Marker.StartMessage, Property(p.PidTagSubject, "short"), Property(p.PidTagBody, "b" * 300),
    Property(0x90010102, bytes(500), NAME), Property(0x00001102, [bytes(300), b"x"]),
    Property(p.PidTagHtml, b"y" * 101), Property(p.PidTagImportance, 1), Marker.EndMessage,
]  # fmt: skip
WANTED = [
    Marker.StartMessage, Property(p.PidTagSubject, "short"), LongValue(p.PidTagBody, 602, None),
    ("b" * 300 + "\0").encode("utf-16-le"),
    LongValue(0x90010102, 500, NAME), bytes(500), Property(0x00001102, [bytes(300), b"x"]),
    LongValue(p.PidTagHtml, 101, None), b"y" * 101, Property(p.PidTagImportance, 1), Marker.EndMessage,
]  # fmt: skip


def joined(found: list[Element | LongValue | bytes]) -> list[Element | LongValue | bytes]:
    """With the pieces of a value as one."""
    made: list[Element | LongValue | bytes] = []
    for one in found:
        last = made[-1] if made else None
        if isinstance(one, bytes) and isinstance(last, bytes):
            made[-1] = last + one
        else:
            made.append(one)
    return made


@pytest.mark.parametrize("piece", [1, 2, 7, 100, 5000])
def test_pieces_of_any_size(piece: int) -> None:
    octets = encode_stream(ELEMENTS)
    reader = LongReader(100)
    found: list[Element | LongValue | bytes] = []
    for at in range(0, len(octets), piece):
        found += reader.read(octets[at : at + piece])
    reader.finish()
    assert joined(found) == WANTED


def test_short_values_are_whole() -> None:
    assert LongReader(10_000).read(encode_stream(ELEMENTS)) == ELEMENTS


def test_the_end_within_a_value() -> None:
    reader = LongReader(100)
    reader.read(encode_stream(ELEMENTS)[:200])
    with pytest.raises(WireError):
        reader.finish()


@pytest.mark.parametrize(("size", "tag"), [(1001, p.PidTagHtml), (301, p.PidTagBody)])
def test_sizes_that_cannot_be(size: int, tag: int) -> None:
    with pytest.raises(WireError):
        LongReader(100, 1000).read(tag.to_bytes(4, "little") + size.to_bytes(4, "little"))


def test_any_octets_give_elements_or_an_error() -> None:
    rng, octets = Random(1), encode_stream(ELEMENTS)
    for _ in range(300):
        bad = bytearray(octets)
        for _ in range(rng.randint(1, 5)):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        reader = LongReader(100, 10_000)
        try:
            for at in range(0, len(bad), 50):
                reader.read(bytes(bad[at : at + 50]))
            reader.finish()
        except WireError:
            continue
