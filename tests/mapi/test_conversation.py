"""Conversation indexes and ids: both layouts of the time, replies, topics."""

from __future__ import annotations

from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.conversation import (
    MAX_LEVELS,
    ConversationIndex,
    ResponseLevel,
    conversation_id,
    is_index,
    new_index,
    next_index,
    reply,
    topic_id,
)
from gromoxd.mapi.times import TICKS, unix_seconds

GUID = bytes(range(16))
NOW = 0x01D6123456789ABC
YEAR = 365 * 86400 * TICKS


def test_new() -> None:
    """[MS-OXOMSG] 2.2.1.3: 40 bits of the time, its 24 lowest are left out."""
    index = bytes.fromhex("0101d6123456") + GUID
    assert new_index(NOW, GUID) == index
    assert ConversationIndex.decode(index) == ConversationIndex(0x01D6123456000000, GUID)
    assert ConversationIndex.decode(index).encode() == index


def test_old() -> None:
    """As Outlook writes it: the reserved octet is the time's first one."""
    index = bytes.fromhex("01d612345678") + GUID
    assert ConversationIndex.decode(index) == ConversationIndex(0x01D6123456780000, GUID, old=True)
    assert ConversationIndex.decode(index).encode() == index


@pytest.mark.parametrize(
    ("text", "year"),
    [("AcqkU1WzPnpuHRQ4S2uM1C9fWTM4MA==", 2010), ("AQHWbGkN6kXnb0eQ0kGZ6pYkM9zDsqk=", 2020)],
)  # fmt: skip
def test_thread_index_headers(text: str, year: int) -> None:
    """Thread-Index as it is found in mail of both kinds of clients."""
    index = ConversationIndex.decode(b64decode(text)[:22])
    assert 1970 + unix_seconds(index.time_nt) // 31556952 == year


def test_reply() -> None:
    index = new_index(NOW, GUID)
    start = ConversationIndex.decode(index).time_nt
    first = reply(index, start + (5 << 18), 0x1AB)
    assert first == index + bytes.fromhex("00000005ab")
    late = reply(first, start + 2 * YEAR, 0xCD)
    assert late[:27] == first
    assert late[27:] == (0x80000000 | 2 * YEAR >> 23).to_bytes(4, "big") + b"\xcd"
    assert ConversationIndex.decode(late).levels == (
        ResponseLevel(5 << 18, 0xAB),
        ResponseLevel(2 * YEAR >> 23 << 23, 0xCD),
    )
    assert reply(index, start - TICKS, 0)[22:] == bytes(5)


def test_delta_codes() -> None:
    """1.7 years: from 2**49 on the other unit is used."""
    assert ResponseLevel((1 << 49) - 1, 0).encode() == bytes.fromhex("7fffffff00")
    assert ResponseLevel(1 << 49, 0).encode() == bytes.fromhex("8400000000")


def test_replies_have_an_end() -> None:
    index = new_index(NOW, GUID)
    for _ in range(MAX_LEVELS + 5):
        index = reply(index, NOW, 0)
    assert len(index) == 22 + 5 * MAX_LEVELS


@pytest.mark.parametrize("index", [b"", bytes(22), b"\1" + bytes(20), b"\2" + bytes(21)])
def test_no_index(index: bytes) -> None:
    assert not is_index(index)
    with pytest.raises(WireError):
        reply(index, NOW, 0)
    with pytest.raises(WireError):
        ConversationIndex.decode(index)
    assert next_index(index, NOW, GUID) == new_index(NOW, GUID)
    assert conversation_id(index, None, True) is None


def test_odd_octets() -> None:
    index = new_index(NOW, GUID)
    with pytest.raises(WireError):
        ConversationIndex.decode(index + b"123")
    with pytest.raises(WireError):
        ResponseLevel.decode(b"1234")
    assert reply(index + b"123", NOW, 7) == next_index(index, NOW, b"\7" + bytes(15))
    assert next_index(None, NOW, GUID) == index


def test_conversation_id() -> None:
    """The index's GUID where tracking is on, else the MD5 of the topic's capitals ([MS-OXOMSG] 2.2.1.2)."""
    index = new_index(NOW, GUID) + b"12345"
    assert conversation_id(index, "Test", True) == GUID
    topic = bytes.fromhex("70659f64a0d9277bb3d15f5215ba50ab")
    assert conversation_id(index, "Test", False) == conversation_id(index, "TEST", None) == topic
    assert conversation_id(b"short", "tEST", True) == topic
    assert conversation_id(None, None, True) is conversation_id(index, None, False) is None


def test_topics() -> None:
    assert topic_id("Grüße") == topic_id("GRÜßE") != topic_id("GRÜSSE")
    assert topic_id("i") == topic_id("I") != topic_id("\u0131")
    assert topic_id("a\0b") == topic_id("a")
    assert topic_id("x" * 255) == topic_id("x" * 256) != topic_id("x" * 254)
    assert topic_id("😀" * 128) == topic_id("😀" * 129) != topic_id("😀" * 127)
    assert len(topic_id("\ud800")) == 16


@given(
    st.integers(1 << 56, (1 << 57) - 1),
    st.booleans(),
    st.lists(st.tuples(st.integers(0, (1 << 54) - 1), st.integers(0, 255)), max_size=4),
)
def test_round_trip(time_nt: int, old: bool, levels: list[tuple[int, int]]) -> None:
    index = ConversationIndex(time_nt, GUID, tuple(ResponseLevel(*level) for level in levels), old).encode()
    assert ConversationIndex.decode(index).encode() == index
    assert len(index) == 22 + 5 * len(levels)
    for (delta, random), found in zip(levels, ConversationIndex.decode(index).levels, strict=True):
        unit = 23 if delta >> 49 else 18
        assert (found.delta_nt, found.random) == (delta >> unit << unit, random)


def test_index_of_conversation_actions() -> None:
    """[MS-OXOCFG] 2.2.8.8: a prefix of 01 and five zeros, then the conversation's id."""
    index = bytes.fromhex("010000000000") + GUID
    assert ConversationIndex.decode(index) == ConversationIndex(0, GUID)
    assert ConversationIndex.decode(index).encode() == index
    assert conversation_id(index, "topic", True) == GUID
