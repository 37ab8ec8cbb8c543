"""Property values and streams of the documents, field by field and back again."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.entryids import AddressBookEntryId, FolderEntryId
from gromoxd.mapi.globalobjectid import GlobalObjectId
from gromoxd.mapi.ids import LongTermId, guid_octets, pcl_decode, pcl_encode
from gromoxd.mapi.recurrence import AppointmentRecurrencePattern
from gromoxd.mapi.rtf import checksum, compress, decompress, store
from gromoxd.mapi.times import TICKS
from tests.golden.propertyexamples import (
    DELEGATE_DN,
    DELEGATE_PREFIX,
    EXAMPLES,
    INBOX_CHANGE,
    INSTANCE,
    INSTANCE_UID,
    SEARCHED,
    Example,
    filetime,
    minutes,
)
from tests.mapi.structures import calendar as c

every = pytest.mark.parametrize("example", EXAMPLES.values(), ids=list(EXAMPLES))

RTF = {
    "rtfcp-1": (c.RTF_HELLO, b"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", b"LZFu", 0xA7C7C5F1),
    "rtfcp-2": (c.RTF_CROSSING, b"{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", b"LZFu", 0x514BD4E2),
    "rtfcp-3": (c.RTF_STORED, b"{\\rtf1\\ansi\\ansicpg1252\\pard test}", b"MELA", 0),
}
"""[MS-OXRTFCP] 4.1.1, 4.1.2, and a container without compression (2.1.3.1.1): octets, text, COMPTYPE, CRC."""


@every
def test_decoded(example: Example) -> None:
    assert example.decode(example.octets) == example.value, example.source


@every
def test_encoded(example: Example) -> None:
    assert example.encode(example.value) == example.octets, example.source


@every
def test_truncated(example: Example) -> None:
    """A part is damage, or whole in itself: a stream up to the end of an element, a recurrence without its last parts,
    which some writers leave out."""
    may_end = isinstance(example.value, (list, AppointmentRecurrencePattern))
    for length in range(len(example.octets)):
        part = example.octets[:length]
        try:
            value = example.decode(part)
        except WireError:
            continue
        assert may_end, length
        assert example.encode(value) == part


@pytest.mark.parametrize("name", RTF)
def test_rtf(name: str) -> None:
    octets, text, kind, crc = RTF[name]
    assert decompress(octets) == text
    size = int.from_bytes(octets[:4], "little")
    assert (size, octets[4:8]) == (len(octets) - 4, len(text).to_bytes(4, "little"))
    assert (octets[8:12], int.from_bytes(octets[12:16], "little")) == (kind, crc)
    assert (compress if crc else store)(text) == octets
    if crc:
        assert checksum(octets[16:]) == crc


def test_uids() -> None:
    """What [MS-ASEMAIL] 4.3 makes of its two ids."""
    assert GlobalObjectId.decode(c.GLOBAL_ID_HEX).uid == (
        "040000008200E00074C5B7101A82E00800000000E040C9C12685C4010000000000000000100000000BF0ED4B6E4EE94E9E39E3867B378EF3"
    )
    assert GlobalObjectId.decode(c.GLOBAL_ID_VCAL).uid == "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"


def test_uid_of_an_instance() -> None:
    assert GlobalObjectId.decode(INSTANCE).uid == INSTANCE_UID


def test_creation_time() -> None:
    """[MS-OXOCAL] 4 gives it as 17:16:51 on 2008-02-20."""
    created = GlobalObjectId.decode(c.GLOBAL_ID).creation_time_nt
    assert created - created % TICKS == filetime(2008, 2, 20, 17, 16, 51)


def test_change_list() -> None:
    """The change list in the stream is that of a folder which the replica changed, and nobody else."""
    changes = b"\x16" + bytes.fromhex("52f685ec7d432e4aa96034508853d90a") + bytes.fromhex("00000000207c")
    assert changes in INBOX_CHANGE
    pcl = {guid_octets("ec85f652-437d-4a2e-a960-34508853d90a"): bytes.fromhex("00000000207c")}
    assert pcl_decode(changes) == pcl
    assert pcl_encode(pcl) == changes


def test_entry_searched() -> None:
    """The one entry of [MS-OXOSRCH] 4.1's list is a folder of a private mailbox."""
    folder = LongTermId(guid_octets("1400e214-87ee-4392-a1a8-29b0620dbd89"), 0x0000020DEFA8)
    mailbox = guid_octets("bcd6190a-b4c8-4c4a-bf5d-f63a922e170c")
    assert FolderEntryId.decode(SEARCHED[16:]) == FolderEntryId(mailbox, folder)


def test_delegate_printed_in_part() -> None:
    entryid = AddressBookEntryId(DELEGATE_DN).encode()
    assert len(entryid) == 128
    assert entryid.startswith(DELEGATE_PREFIX)


def test_minutes_of_search_folders() -> None:
    """[MS-OXOSRCH] 4.1: PidTagSearchFolderLastUsed and -Expiration, counted as dates of recurrences are."""
    assert (minutes(2008, 1, 21, 8, 0), minutes(2008, 1, 21, 8, 41)) == (214089600, 214089641)


def test_damaged_print() -> None:
    """A weekly recurrence as a forum shows it: of 80 octets that it announces 78 are there."""
    with pytest.raises(WireError, match="items announced"):
        AppointmentRecurrencePattern.decode(c.WEDNESDAYS_DAMAGED)
