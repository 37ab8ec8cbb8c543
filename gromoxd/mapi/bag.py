"""The property bag: all properties of an object as one value, msgpack of `tag -> value`. The store keeps it.

Tags are full property tags ([MS-OXCDATA] 2.9), values as `gromoxd.mapi.types.PropValue` says. Tags that this version
does not know are kept with their values.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gromoxd.errors import WireError
from gromoxd.mapi.types import PropValue, fits

Bag = dict[int, PropValue]

_ENCODER = msgspec.msgpack.Encoder()
_BAG = msgspec.msgpack.Decoder(dict[int, object])
_BAGS = msgspec.msgpack.Decoder(list[dict[int, object]])


def encode_bag(bag: Mapping[int, PropValue]) -> bytes:
    """The octets of a bag; values are taken as they are, `check_bag` those that a client sent."""
    return _ENCODER.encode(bag)


def decode_bag(data: bytes) -> Bag:
    """The inverse. WireError for octets that are no bag."""
    try:
        return _BAG.decode(data)  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"property bag: {error}") from error


def encode_bags(bags: list[Bag]) -> bytes:
    """A list of bags, such as the recipients of a message."""
    return _ENCODER.encode(bags)


def decode_bags(data: bytes) -> list[Bag]:
    """The inverse. WireError for octets that are no list of bags."""
    try:
        return _BAGS.decode(data)  # type: ignore[return-value]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(f"property bags: {error}") from error


def check_bag(bag: Mapping[int, object]) -> None:
    """WireError naming the first tag that is out of range or whose value is not of its type ([MS-OXCDATA] 2.11.1)."""
    for tag, value in bag.items():
        if not 0 <= tag <= 0xFFFFFFFF:
            raise WireError(f"property tag {tag:#x} out of range")
        if not fits(tag, value):
            raise WireError(f"property {tag:#010x} with a value of type {type(value).__name__}")
