"""The examples of the document, and what `gromoxctl dump` says of them."""

from __future__ import annotations

import pytest

from gromoxd.cli.kinds import decoder
from gromoxd.cli.tree import tree
from gromoxd.errors import WireError
from gromoxd.oab.older import AnrRecord, BrowseRecord, expand_mdi, read_anr, read_browse, write_browse
from tests.oab.captures import ANR, BROWSE_2, BROWSE_3, MSZIP


def test_browse_files() -> None:
    for octets, version, serial in ((BROWSE_2, 0x0A, 0xD37932BD), (BROWSE_3, 0x0E, 0x0B4F62BF)):
        browse = read_browse(octets)
        assert (browse.version, browse.serial, len(browse.records)) == (version, serial, 2)
        assert write_browse(browse) == octets
        for cut in range(len(octets)):
            with pytest.raises(WireError):
                read_browse(octets[:cut])
    first, second = read_browse(BROWSE_2).records
    assert first == BrowseRecord(0xD2, 0x0C, 0x39, 0, 6, False, 0x8C, 0x69, 0x2C, 0, 0)
    assert second == BrowseRecord(0x68, 0x45, 0x35, 0, 6, False, 0xB3, 0x0C, 0x8B, 0, 0x4E)


def test_anr_index() -> None:
    assert read_anr(ANR) == (0, [AnrRecord(0x2C, 0x4E, 4, 0x69, 0x8B, b"Lisa Miller")])


def test_mszip() -> None:
    expanded = expand_mdi(MSZIP)
    assert expanded.hex().startswith("0a0000009784fe5603000000c00000000c0000008d00000676000000")
    assert len(expanded) == 0x6C
    assert [record.display_type for record in read_browse(expanded).records] == [0, 1, 0]
    for cut in range(len(MSZIP)):
        with pytest.raises(WireError):
            expand_mdi(MSZIP[:cut])


@pytest.mark.parametrize(
    ("kind", "octets", "line"),
    [
        ("oab", BROWSE_2, "      details_size: 57"),
        ("oab", BROWSE_3, "  serial: 189751999"),
        ("oab-anr", ANR, '    key: 4c697361204d696c6c6572 "Lisa Miller"'),
        ("oab-mdi", MSZIP, "      display_type: 1"),
    ],
    ids=["browse2", "browse3", "anr", "mszip"],
)
def test_dumped(kind: str, octets: bytes, line: str) -> None:
    assert line in list(tree(decoder(kind)(octets)))
