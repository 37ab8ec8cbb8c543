"""Global object ids and their UIDs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.globalobjectid import GlobalObjectId, uid_of
from gromoxd.mapi.times import unix_seconds
from tests.mapi.structures.calendar import GLOBAL_ID, GLOBAL_ID_HEX, GLOBAL_ID_VCAL

HEX_UID = (
    "040000008200E00074C5B7101A82E00800000000E040C9C12685C4010000000000000000100000000BF0ED4B6E4EE94E9E39E3867B378EF3"
)
VCAL_UID = "{81412D3C-2A24-4E9D-B20E-11F7BBE92799}"


def test_exception() -> None:
    value = GlobalObjectId.decode(GLOBAL_ID)
    assert (value.year, value.month, value.day) == (2008, 3, 25)
    assert unix_seconds(value.creation_time_nt) == 1203527811  # 2008-02-20 17:16:51
    assert value.data == bytes.fromhex("2A5844B3A444F74A9C246C60886F116B")
    assert value.encode() == GLOBAL_ID
    assert value.clean.encode() == GLOBAL_ID[:16] + bytes(4) + GLOBAL_ID[20:]
    assert value.clean.on(2008, 3, 25) == value


def test_uid_in_hex() -> None:
    value = GlobalObjectId.decode(GLOBAL_ID_HEX)
    assert (value.year, value.month, value.day) == (2004, 9, 16)
    assert value.uid == uid_of(GLOBAL_ID_HEX) == HEX_UID
    assert GlobalObjectId.from_uid(HEX_UID.lower()) == value.clean
    assert GlobalObjectId.from_uid(GLOBAL_ID_HEX.hex()) == value
    assert value.encode() == GLOBAL_ID_HEX


def test_uid_of_another_program() -> None:
    value = GlobalObjectId.decode(GLOBAL_ID_VCAL)
    assert value.uid == VCAL_UID
    assert GlobalObjectId.from_uid(VCAL_UID) == value
    assert value.encode() == GLOBAL_ID_VCAL
    assert GlobalObjectId.from_uid(VCAL_UID).on(2010, 1, 2).uid == VCAL_UID


@pytest.mark.parametrize(
    "uid", [HEX_UID[:-1], HEX_UID[:-2], HEX_UID[:-2] + "é0", HEX_UID[:80], "", "grüße@example.test"]
)
def test_what_only_looks_like_one(uid: str) -> None:
    value = GlobalObjectId.from_uid(uid)
    assert value.data.startswith(b"vCal-Uid")
    assert GlobalObjectId.decode(value.encode()).uid == uid


def test_none() -> None:
    with pytest.raises(WireError, match="no global object id"):
        GlobalObjectId.decode(bytes(60))
    assert uid_of(b"\x01\x02") == "0102"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=90))
def test_every_uid_comes_back(uid: str) -> None:
    assert GlobalObjectId.decode(GlobalObjectId.from_uid(uid).encode()).uid == uid


@given(
    st.binary(max_size=40), st.integers(0, 2**64 - 1), st.integers(0, 65535), st.integers(0, 255),
    st.integers(0, 255), st.binary(min_size=8, max_size=8),
)  # fmt: skip
def test_round_trip(data: bytes, created: int, year: int, month: int, day: int, x: bytes) -> None:
    value = GlobalObjectId(data, created, year, month, day, x)
    assert GlobalObjectId.decode(value.encode()) == value
