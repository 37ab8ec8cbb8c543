"""Named properties: their structure, the ids that every mailbox gives them, and the table against the facts."""

from __future__ import annotations

import csv
import hashlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import named, named_tags
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.named import (
    BUILT_IN,
    NO_NAME,
    PS_INTERNET_HEADERS,
    PS_MAPI,
    PS_PUBLIC_STRINGS,
    PropertyName,
    PSETID_Address,
    PSETID_Appointment,
    PSETID_Common,
    built_in_id,
    built_in_name,
    decode_name,
    encode_name,
    read_name,
)
from gromoxd.mapi.types import MULTIPLE, PropType, prop_id, prop_type
from tests.conftest import require_shared

TAGS = {name: tag for name, tag in vars(named_tags).items() if name.startswith("Pid")}


def test_sets() -> None:
    assert PSETID_Common.hex() == "0820060000000000c000000000000046"
    assert UUID(bytes_le=named.PSETID_Meeting) == UUID("6ED8DA90-450B-101B-98DA-00AA003F1305")
    assert len(named.SETS) == 20
    assert named.SETS[PS_MAPI] == "PS_MAPI"


def test_golden() -> None:
    number = b"\0" + PSETID_Common + b"\x10\x85\0\0"
    assert decode_name(number) == PropertyName(PSETID_Common, 0x8510)
    assert encode_name(PropertyName(PSETID_Common, 0x8510)) == number
    keywords = b"\1" + PS_PUBLIC_STRINGS + b"\x12" + "Keywords\0".encode("utf-16-le")
    assert decode_name(keywords) == PropertyName(PS_PUBLIC_STRINGS, "Keywords")
    assert PropertyName(PS_PUBLIC_STRINGS, "Keywords").encode() == keywords
    assert encode_name(None) == NO_NAME == b"\xff" + bytes(16)
    assert decode_name(NO_NAME) is None


def test_a_string_may_lack_its_end() -> None:
    assert decode_name(b"\1" + PS_PUBLIC_STRINGS + b"\4a\0b\0") == PropertyName(PS_PUBLIC_STRINGS, "ab")
    assert decode_name(b"\1" + PS_PUBLIC_STRINGS + b"\0") == PropertyName(PS_PUBLIC_STRINGS, "")


@pytest.mark.parametrize(
    "octets", [b"", b"\2" + bytes(20), b"\0" + bytes(19), b"\1" + bytes(16) + b"\3ab\0", NO_NAME + b"x"]
)
def test_garbage(octets: bytes) -> None:
    with pytest.raises(WireError):
        decode_name(octets)


NAMES = st.builds(
    PropertyName,
    st.binary(min_size=16, max_size=16),
    st.one_of(
        st.integers(0, 0xFFFFFFFF),
        st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=63),
    ),
)


@given(NAMES)
def test_round_trip(name: PropertyName) -> None:
    assert decode_name(name.encode()) == name
    cursor = Cursor(name.encode_info() + b"tail")
    assert PropertyName.read_info(cursor) == name
    assert cursor.rest() == b"tail"
    cursor = Cursor(encode_name(name) + encode_name(None))
    assert [read_name(cursor), read_name(cursor)] == [name, None]


def test_longest_string() -> None:
    assert decode_name(PropertyName(PS_MAPI, "x" * 126).encode()) == PropertyName(PS_MAPI, "x" * 126)
    with pytest.raises(WireError):
        PropertyName(PS_MAPI, "x" * 127).encode()
    assert len(PropertyName(PS_MAPI, "x" * 127).encode_info()) == 17 + 256


def test_as_text() -> None:
    assert str(PropertyName(PSETID_Common, 0x8510)) == "PSETID_Common:0x8510"
    assert str(PropertyName(UUID(int=5).bytes_le, "x")) == f"{UUID(int=5)}:x"


def test_ids_never_change() -> None:
    """They are in every mailbox database. Append to the list and to this test, never change what is there."""
    text = "\n".join(str(name) for name in BUILT_IN[:496])
    digest = "104bf35021862d544f609f411d2e42b0301e642ebcee88285afbd380def0500c"
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert len(BUILT_IN) == 496
    assert named_tags.PidLidReminderSet == 0x8009000B
    assert named_tags.PidNameKeywords == 0x81A9101F


def test_constants_follow_the_list() -> None:
    assert len(TAGS) == len(BUILT_IN) == len(set(TAGS.values()))
    for place, (name, tag) in enumerate(TAGS.items()):
        assert prop_id(tag) == 0x8000 + place, name
        PropType(prop_type(tag) & ~MULTIPLE)


@pytest.mark.parametrize(
    ("tag", "guid", "key", "kind"),
    [
        (named_tags.PidLidAppointmentRecur, PSETID_Appointment, 0x8216, PropType.PtypBinary),
        (named_tags.PidLidEmail1EmailAddress, PSETID_Address, 0x8083, PropType.PtypString),
        (named_tags.PidLidReminderSignalTime, PSETID_Common, 0x8560, PropType.PtypTime),
        (named_tags.PidNameKeywords, PS_PUBLIC_STRINGS, "Keywords", PropType.PtypString | MULTIPLE),
        (named_tags.PidNameContentClass, PS_INTERNET_HEADERS, "Content-Class", PropType.PtypString),
        (named_tags.PidNameXSharingRemotePath, PS_INTERNET_HEADERS, "X-Sharing-Remote-Path", PropType.PtypString),
        (named_tags.PidNameCalendarUid, PS_PUBLIC_STRINGS, "urn:schemas:calendar:uid", PropType.PtypString),
        (
            named_tags.PidNameExchangeJunkEmailMoveStamp,
            PS_PUBLIC_STRINGS,
            "http://schemas.microsoft.com/exchange/junkemailmovestamp",
            PropType.PtypInteger32,
        ),
        (named_tags.PidNameRightsManagementLicense, PS_PUBLIC_STRINGS, "DRMLicense", PropType.PtypBinary | MULTIPLE),
        (named_tags.PidNameAudioNotes, named.PSETID_UnifiedMessaging, "UMAudioNotes", PropType.PtypString),
    ],
)
def test_some(tag: int, guid: bytes, key: int | str, kind: int) -> None:
    name = PropertyName(guid, key)
    assert built_in_name(prop_id(tag)) == name
    assert built_in_id(name) == prop_id(tag)
    assert prop_type(tag) == kind


def test_look_up() -> None:
    assert built_in_id(PropertyName(PS_PUBLIC_STRINGS, "KEYWORDS")) == prop_id(named_tags.PidNameKeywords)
    assert PropertyName(PS_PUBLIC_STRINGS, "KÄY").folded() == PropertyName(PS_PUBLIC_STRINGS, "kÄy")
    assert built_in_id(PropertyName(PS_INTERNET_HEADERS, "Keywords")) is None
    assert built_in_id(PropertyName(PS_MAPI, 0x0037)) == 0x0037
    assert built_in_id(PropertyName(PS_MAPI, 0x8001)) is None
    assert built_in_id(PropertyName(PS_MAPI, "x")) is None
    assert built_in_name(0x0037) == PropertyName(PS_MAPI, 0x0037)
    assert built_in_name(0x8000 + len(BUILT_IN)) is None


def test_equal_to_the_facts() -> None:
    with require_shared("facts/tables/named-properties.tsv").open() as file:
        facts = list(csv.DictReader(file, delimiter="\t"))
    assert len(facts) == 365
    assert {row["name"] for row in facts} == {name for name in TAGS if not name.startswith("PidName")}
    for row in facts:
        name = BUILT_IN[prop_id(TAGS[row["name"]]) - 0x8000]
        assert name == PropertyName(UUID(row["guid"]).bytes_le, int(row["lid_or_string"], 16)), row["name"]
        kind = row["type"].removeprefix("Ptyp").removeprefix("Multiple")
        many = MULTIPLE if "Multiple" in row["type"] else 0
        assert prop_type(TAGS[row["name"]]) == PropType[f"Ptyp{kind}"] | many, row["name"]
        assert named.SETS[name.guid] == row["set"]
