"""Octets of documents and captures, and what every reader of ROPs owes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.rop.codec import Request, Response

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "mapi.json"


def golden(name: str) -> bytes:
    """An example by its name."""
    if not GOLDEN.exists():
        pytest.skip(f"the examples of the documents are not here: {GOLDEN}")
    octets: str = next(one["hex"] for one in json.loads(GOLDEN.read_text()) if one["id"] == name)
    return bytes.fromhex(octets)


def check(value: Request | Response, octets: str, read: Callable[[Cursor], object]) -> None:
    """A packet and its octets: both directions, nothing left over, no beginning of it taken for one."""
    data = bytes.fromhex(octets)
    assert value.encode() == data
    cursor = Cursor(data)
    assert read(cursor) == value
    cursor.finish()
    refuses_truncations(read, data)


def refuses_truncations(read: Callable[[Cursor], object], data: bytes) -> None:
    """Every beginning of a packet is a WireError."""
    for length in range(len(data)):
        with pytest.raises(WireError):
            read(Cursor(data[:length]))
