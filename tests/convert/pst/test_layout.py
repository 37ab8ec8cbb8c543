"""Headers ([MS-PST] 2.2.2.6)."""

from __future__ import annotations

import pytest

from gromoxd.convert.pst.encoding import crc
from gromoxd.convert.pst.layout import ANSI, UNICODE, UNICODE_4K, read_header
from gromoxd.errors import WireError
from tests.convert.pst.made import made

SAMPLE = bytes.fromhex(
    """
    21 42 44 4E 0E A9 9A 37 53 4D 17 00 13 00 01 01 5C 07 00 00 D0 7B 99 0B 04 00 00 00 01 00 00 00
    54 02 00 00 00 00 00 00 45 00 00 00 00 04 00 00 00 04 00 00 04 04 00 00 00 40 00 00 02 00 01 00
    04 04 00 00 00 04 00 00 00 04 00 00 00 80 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00
    04 04 00 00 04 04 00 00 04 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00
    00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00 00 04 00 00
    00 04 00 00 00 04 00 00 0F 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 24 9F 00 00 00 00 00
    00 44 9B 00 00 00 00 00 40 F2 12 00 00 00 00 00 00 00 00 00 00 00 00 00 4B 02 00 00 00 00 00 00
    00 52 90 00 00 00 00 00 53 02 00 00 00 00 00 00 00 0A 90 00 00 00 00 00 02 00 00 00 00 00 00 00
    """
)
"""The start of the header in [MS-PST] 3.2, up to the end of ROOT; rgbFM and rgbFP are ones, as their checksum shows."""


def test_the_documents_sample() -> None:
    whole = SAMPLE + b"\xff" * 256 + bytes((0x80, 1)) + bytes(50)
    assert crc(whole[8 : 8 + 471]) == int.from_bytes(whole[4:8], "little") == 0x379AA90E
    header = read_header(whole)
    assert header.layout is UNICODE
    assert header.crypt_method == 1
    assert header.nbt == (0x24B, 0x905200)
    assert header.bbt == (0x253, 0x900A00)


@pytest.mark.parametrize("layout", [ANSI, UNICODE, UNICODE_4K], ids=lambda layout: layout.name)
@pytest.mark.parametrize("crypt", [0, 1, 2])
def test_written_headers(layout: object, crypt: int) -> None:
    data = made(layout, crypt, 1)  # type: ignore[arg-type]
    header = read_header(data[:1024])
    assert header.layout is layout
    assert header.crypt_method == crypt
    assert crc(data[8 : 8 + 471]) == int.from_bytes(data[4:8], "little")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        SAMPLE[:200],
        b"X" + SAMPLE[1:].ljust(600, b"\0"),
        SAMPLE[:8] + b"XX" + SAMPLE[10:].ljust(600, b"\0"),
        SAMPLE[:10] + b"\x13\0" + SAMPLE[12:].ljust(600, b"\0"),
    ],
    ids=["empty", "short", "magic", "client", "version"],
)
def test_what_is_no_such_file(data: bytes) -> None:
    with pytest.raises(WireError):
        read_header(data)
