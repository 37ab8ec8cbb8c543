"""PidTagAdditionalRenEntryIdsEx both ways, its damage, and what other writers do."""

from __future__ import annotations

import pytest

from gromoxd.errors import WireError
from gromoxd.mapi.persistdata import (
    ELEMENT_SENTINEL,
    PERSIST_SENTINEL,
    RSF_ELID_ENTRYID,
    RSF_ELID_HEADER,
    PersistData,
    PersistElement,
    decode_persist_data,
    encode_persist_data,
)
from tests.mapi.structures.properties import REN_ENTRYIDS_EX

END = PersistElement(ELEMENT_SENTINEL)
BLOCKS = [
    PersistData(0x8006, (PersistElement(RSF_ELID_ENTRYID, b"\1\2\3\4"), END)),
    PersistData(0x8007, (PersistElement(RSF_ELID_HEADER, bytes(4)), END)),
    PersistData(0x8001),
    PersistData(PERSIST_SENTINEL),
]


def test_both_ways() -> None:
    assert decode_persist_data(REN_ENTRYIDS_EX) == BLOCKS
    assert encode_persist_data(BLOCKS) == REN_ENTRYIDS_EX
    assert [block.entryid for block in BLOCKS] == [b"\1\2\3\4", None, None, None]


def test_nothing_is_read_behind_the_end() -> None:
    assert decode_persist_data(REN_ENTRYIDS_EX + b"anything") == BLOCKS
    assert decode_persist_data(REN_ENTRYIDS_EX[:-4]) == BLOCKS[:-1]
    assert decode_persist_data(b"") == []


def test_damage() -> None:
    ends = [0, 16, 32, 36]
    for length in range(len(REN_ENTRYIDS_EX)):
        if length in ends:
            assert len(decode_persist_data(REN_ENTRYIDS_EX[:length])) == ends.index(length)
        else:
            with pytest.raises(WireError):
                decode_persist_data(REN_ENTRYIDS_EX[:length])
    with pytest.raises(WireError, match="5 octets wanted, 4 left"):
        decode_persist_data(bytes.fromhex("0680 0800 0100 0500 01020304"))


def test_an_entry_id_that_does_not_fit() -> None:
    with pytest.raises(WireError, match="65536 octets"):
        PersistElement(RSF_ELID_ENTRYID, bytes(0x10000)).encode()
