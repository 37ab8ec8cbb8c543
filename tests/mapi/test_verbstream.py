"""PidLidVerbStream: its variants and damage; the document's example is in tests/golden."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi.verbstream import VerbStream, VoteOption
from tests.mapi.structures.properties import YES_NO

VALUE = VerbStream((VoteOption(1, "Yes", b"Yes"), VoteOption(2, "No", b"No")))


def test_both_ways() -> None:
    assert VerbStream.decode(YES_NO) == VALUE
    assert VALUE.encode() == YES_NO


def test_names_that_differ_are_kept() -> None:
    option = VoteOption(7, "Ja", b"Ja", narrow_repeated=b"J", name_repeated="", internal1=b"x", internal6=5)
    value = VerbStream((option,))
    assert VerbStream.decode(value.encode()) == value


def test_damage() -> None:
    for length in range(len(YES_NO)):
        with pytest.raises(WireError):
            VerbStream.decode(YES_NO[:length])
    with pytest.raises(WireError, match="1 octets too many"):
        VerbStream.decode(YES_NO + b"\0")
    with pytest.raises(WireError, match="items announced"):
        VerbStream.decode(YES_NO[:2] + b"\xff\xff\xff\xff" + YES_NO[6:])


def test_a_name_that_does_not_fit() -> None:
    with pytest.raises(WireError, match="256 characters"):
        VerbStream((VoteOption(1, "a" * 256, b"a"),)).encode()
    assert VerbStream.decode(VerbStream((VoteOption(1, "a" * 255, b"a" * 255),)).encode()).options[0].name == "a" * 255


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
octets = st.binary(max_size=20)
u32 = st.integers(0, 2**32 - 1)


@given(st.lists(st.tuples(u32, texts, octets, u32, octets, u32, u32), max_size=4))
def test_round_trip(options: list[tuple[int, str, bytes, int, bytes, int, int]]) -> None:
    value = VerbStream(tuple([VoteOption(*option) for option in options]))
    assert VerbStream.decode(value.encode()) == value
