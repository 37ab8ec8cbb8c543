"""Property bags: round trips, foreign tags, garbage."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag, check_bag, decode_bag, decode_bags, encode_bag, encode_bags
from gromoxd.mapi.types import MULTIPLE, PropType, fits, prop_id, prop_type

BAG: Bag = {
    0x0037001F: "Grüße",
    0x0E060040: 133444368000000000,
    0x00170003: -1,
    0x0E1B000B: True,
    0x00710102: b"\x01\x02",
    0x1000_0005: 1.5,
    0x8001_101F: ["a", "b"],
    0x8002_1102: [b"a", b""],
    0x8003_1003: [1, 2],
    0x8004_0048: bytes(16),
    0x8005_0001: None,
    0x8006_4242: "a type that nobody knows",
}


def test_round_trip() -> None:
    check_bag(BAG)
    found = decode_bag(encode_bag(BAG))
    assert found == BAG
    assert [type(value) for value in found.values()] == [type(value) for value in BAG.values()]
    assert decode_bags(encode_bags([BAG, {}])) == [BAG, {}]


def test_golden() -> None:
    """msgpack: a map of uint32 tags."""
    assert encode_bag({0x00170003: 1}) == b"\x81\xce\x00\x17\x00\x03\x01"


@pytest.mark.parametrize("data", [b"", b"\xc0", b"\x81\xa1a\x01", b"\x81", b"\x91\x01", b"\x80\x80", b"\x81\x01" * 999])
def test_garbage(data: bytes) -> None:
    with pytest.raises(WireError):
        decode_bag(data)


def test_deep_garbage() -> None:
    with pytest.raises(WireError):
        decode_bag(b"\x81\x01" + b"\x91" * 100_000 + b"\x01")
    with pytest.raises(WireError):
        decode_bags(b"\x80")


@given(st.binary(max_size=60))
def test_any_octets(data: bytes) -> None:
    with suppress(WireError):
        decode_bag(data)


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x0037001F, b"x"), (0x0037001F, None), (0x00170003, "1"), (0x00170003, True), (0x00170003, 1.0),
        (0x0E1B000B, 1), (0x00710102, "x"), (0x8001101F, "x"), (0x8001101F, [b"x"]), (0x80031003, [True]),
        (0x10000005, 1),
        (-1, "x"), (1 << 32, "x"),
    ],
)  # fmt: skip
def test_check_bag_refuses(tag: int, value: object) -> None:
    with pytest.raises(WireError):
        check_bag({tag: value})


def test_types() -> None:
    assert (prop_id(0x8001101F), prop_type(0x8001101F)) == (0x8001, MULTIPLE | PropType.PtypString)
    assert fits(0x12344242, object())
