"""Sort orders ([MS-OXCDATA] 2.13)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.mapi.proptags import PidTagConversationTopic, PidTagMessageDeliveryTime, PidTagSenderName, PidTagSubject
from gromoxd.mapi.sorting import MOST_KEYS, Category, Order, SortOrder, SortOrderSet
from tests.mapi.structures.restrictions import SORT

TIME = SortOrder(PidTagMessageDeliveryTime, Order.DESCENDING)
KEYWORD = SortOrder(0x8008301F)
TOPIC = SortOrder(PidTagConversationTopic)
LATEST = SortOrder(PidTagMessageDeliveryTime, Order.MAXIMUM_CATEGORY)


def test_the_example() -> None:
    value = SortOrderSet((KEYWORD, TIME), 1, 1)
    assert SortOrderSet.decode(SORT) == value
    assert value.encode() == SORT
    value.check()
    assert value.categories == (Category(KEYWORD, None),)
    assert value.row_keys == (TIME,)
    assert value.instance_tag == 0x8008301F
    for length in range(len(SORT)):
        with pytest.raises(WireError):
            SortOrderSet.decode(SORT[:length])


def test_no_order() -> None:
    value = SortOrderSet()
    assert SortOrderSet.decode(bytes(6)) == value
    assert (value.categories, value.row_keys, value.instance_tag) == ((), (), None)
    value.check()


@pytest.mark.parametrize(
    "value",
    [
        SortOrderSet((TOPIC, LATEST, SortOrder(PidTagSubject)), 1, 0),
        SortOrderSet((TOPIC, LATEST, SortOrder(PidTagSubject)), 2, 0),
    ],
)
def test_groups_by_their_greatest_value(value: SortOrderSet) -> None:
    value.check()
    assert value.categories == (Category(TOPIC, LATEST),)
    assert value.row_keys == (SortOrder(PidTagSubject),)


def test_directions() -> None:
    assert TIME.descending
    assert not TOPIC.descending
    assert not LATEST.descending
    assert LATEST.aggregate
    assert SortOrder(TIME.tag, Order.MINIMUM_CATEGORY).aggregate


@pytest.mark.parametrize(
    "value",
    [
        SortOrderSet((TIME,), 2, 0),
        SortOrderSet((TIME, TOPIC), 1, 2),
        SortOrderSet((TIME, TIME)),
        SortOrderSet((SortOrder(PidTagSubject, 2),)),
        SortOrderSet((SortOrder(0x8008101F),)),
        SortOrderSet((SortOrder(0x8008201F),)),
        SortOrderSet((KEYWORD, SortOrder(0x8009301F))),
        SortOrderSet((LATEST,)),
        SortOrderSet((LATEST, TOPIC), 2, 0),
        SortOrderSet((LATEST, TOPIC), 1, 0),
        SortOrderSet((TOPIC, SortOrder(PidTagSenderName), LATEST), 1, 0),
        SortOrderSet((TOPIC, LATEST, SortOrder(PidTagSenderName)), 3, 0),
        SortOrderSet((TOPIC, LATEST, SortOrder(PidTagSenderName, Order.MINIMUM_CATEGORY)), 2, 0),
    ],
)
def test_what_is_forbidden(value: SortOrderSet) -> None:
    assert SortOrderSet.decode(value.encode()) == value
    with pytest.raises(MapiError) as caught:
        value.check()
    assert caught.value.code == Ec.ecInvalidParam


def test_too_many_columns() -> None:
    orders = tuple(SortOrder(number << 16 | 3) for number in range(MOST_KEYS + 1))
    SortOrderSet(orders[1:]).check()
    with pytest.raises(MapiError) as caught:
        SortOrderSet(orders).check()
    assert caught.value.code == Ec.ecTooComplex


NUMBERS = st.integers(0, 0xFFFF)


@given(
    st.builds(
        SortOrderSet,
        st.lists(st.builds(SortOrder, st.integers(0, 2**32 - 1), st.integers(0, 255)), max_size=5).map(tuple),
        NUMBERS,
        NUMBERS,
    )
)
def test_round_trips(value: SortOrderSet) -> None:
    assert SortOrderSet.decode(value.encode()) == value
    for order in value.sort_orders:
        assert SortOrder.decode(order.encode()) == order
