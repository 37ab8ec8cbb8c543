"""Encodings, checksums and signatures ([MS-PST] 5)."""

from __future__ import annotations

import pytest

from gromoxd.convert.pst import encoding
from gromoxd.convert.pst.encoding import PERMUTE, UNPERMUTE, cyclic, decode, signature

DATA = bytes(range(256)) * 33


def octet_by_octet(data: bytes, key: int) -> bytes:
    """[MS-PST] 5.2 as it stands there, one octet after the other."""
    word = (key ^ key >> 16) & 0xFFFF
    out = bytearray()
    for octet in data:
        octet = PERMUTE[octet + word & 0xFF]
        octet = encoding._SUBSTITUTE[octet + (word >> 8) & 0xFF]
        octet = UNPERMUTE[octet - (word >> 8) & 0xFF]
        out.append(octet - word & 0xFF)
        word = word + 1 & 0xFFFF
    return bytes(out)


def test_the_tables_are_permutations() -> None:
    assert sorted(PERMUTE) == sorted(encoding._SUBSTITUTE) == list(range(256))
    assert DATA.translate(PERMUTE).translate(UNPERMUTE) == DATA
    assert all(encoding._SUBSTITUTE[encoding._SUBSTITUTE[octet]] == octet for octet in range(256))
    assert (PERMUTE[0], PERMUTE[255], UNPERMUTE[0], encoding._SUBSTITUTE[0]) == (65, 61, 71, 20)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 255, 256, 257, 8176])
@pytest.mark.parametrize("key", [0, 4, 0xFF80, 0x12345678, 0xFFFFFFFC])
def test_cyclic_is_as_the_document_has_it(size: int, key: int) -> None:
    data = DATA[:size]
    assert cyclic(data, key) == octet_by_octet(data, key)
    assert cyclic(cyclic(data, key), key) == data


def test_decode_knows_the_methods() -> None:
    assert decode(b"AB", 0, 4) == decode(b"AB", 9, 4) == b"AB"
    assert decode(b"A6", 1, 4) == b"\0\1"
    assert decode(cyclic(b"AB", 4), 2, 4) == b"AB"


def test_checksum_and_signature() -> None:
    assert encoding.crc(b"") == 0
    assert encoding.crc(b"\1") == 0x77073096
    assert signature(0x12345678, 0x5678) == 0x1234
