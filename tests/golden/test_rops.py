"""ROP buffers of the documents and of Outlook, field by field and back again."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.rows import NOT_FOUND, read_row, row_codec
from tests.golden.captures import SUBMIT, SUBMIT_ROPS, VIEWS, VIEWS_ROPS
from tests.golden.ropexamples import EXAMPLES, HANDLES, PREFIX_COLUMNS, TABLE_PREFIX, Example
from tests.golden.rops import Rop, read_buffer, read_rop, write_buffer, write_rop

every = pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))


def whole(example: Example, octets: bytes) -> Rop:
    cursor = Cursor(octets)
    rop = read_rop(cursor, example.request, example.columns)
    cursor.finish()
    return rop


@every
def test_decoded(example: Example) -> None:
    assert whole(example, bytes.fromhex(example.octets)) == example.rop, example.source


@every
def test_encoded(example: Example) -> None:
    assert write_rop(example.rop, example.request, example.columns) == bytes.fromhex(example.octets), example.source


@every
def test_truncated(example: Example) -> None:
    octets = bytes.fromhex(example.octets)
    for length in range(len(octets)):
        with pytest.raises(WireError):
            whole(example, octets[:length])


@pytest.mark.parametrize(
    ("octets", "rops", "handles"),
    [(SUBMIT, SUBMIT_ROPS, [0x45]), (VIEWS, VIEWS_ROPS, [0x75, 0xFFFFFFFF, 0x71, *[0xFFFFFFFF] * 3])],
    ids=["submit", "views"],
)
def test_outlook(octets: bytes, rops: list[Rop], handles: list[int]) -> None:
    assert read_buffer(octets) == (rops, handles)
    assert write_buffer(rops, handles) == octets
    for length in range(len(octets) - 4 * len(handles)):
        with pytest.raises(WireError):
            read_buffer(octets[:length])


def test_handles() -> None:
    assert read_buffer(b"\2\0" + HANDLES) == ([], [0x223, 0xFFFFFFFF])
    assert write_buffer([], [0x223, 0xFFFFFFFF]) == b"\2\0" + HANDLES


def test_rows_printed_in_part() -> None:
    cursor = Cursor(TABLE_PREFIX)
    assert cursor.take(6) == bytes.fromhex("15 00 00000000")
    assert (cursor.u8(), cursor.u16()) == (2, 9), "Origin BOOKMARK_END, RowCount"
    row = read_row(cursor, PREFIX_COLUMNS)
    assert row == [0x321FF10000000001, NOT_FOUND, -0x42770F0000000000 + 1, 0, 3, 0, NOT_FOUND, NOT_FOUND, NOT_FOUND]
    assert TABLE_PREFIX[9:63] == row_codec(PREFIX_COLUMNS).encode(row)
    assert cursor.rest() == b"\x0a", "the next column"
