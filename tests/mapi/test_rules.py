"""Rules: actions, rule data, extended rules ([MS-OXORULE])."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi.cursor import Cursor
from gromoxd.mapi.ids import ServerId, eid_int
from gromoxd.mapi.named import PS_PUBLIC_STRINGS, PropertyName, PSETID_Common
from gromoxd.mapi.restrictions import Content, Exist, decode_restriction
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    Bounce,
    BounceCode,
    Defer,
    ExtendedRuleActions,
    ExtendedRuleCondition,
    Forward,
    ForwardFlavor,
    MoveCopy,
    RecipientBlock,
    Reply,
    ReplyFlavor,
    RuleData,
    RuleDataFlags,
    RuleState,
    Tag,
    decode_actions,
    encode_actions,
)
from gromoxd.mapi.values import TaggedPropertyValue, read_value
from tests.mapi.structures import restrictions as samples

FLAGS = 7
GUID = b"\x11" * 16
ANN = RecipientBlock((TaggedPropertyValue(p.PidTagDisplayName, "A"), TaggedPropertyValue(p.PidTagRecipientType, 1)))


def action(kind: ActionType, data: Any = None, flavor: int = 0, flags: int = FLAGS) -> tuple[ActionBlock, ...]:
    return (ActionBlock(kind, data, flavor, flags),)


STANDARD = [
    (
        samples.MOVE,
        action(ActionType.OP_MOVE, MoveCopy(True, b"\0", ServerId(eid_int(1, 0x0D01)).encode())),
    ),
    (samples.MOVE_ELSEWHERE, action(ActionType.OP_COPY, MoveCopy(False, b"\1\2", b"\1\2\3"))),
    (
        samples.REPLY,
        action(ActionType.OP_REPLY, Reply(GUID, eid_int(1, 0x0D01), eid_int(1, 0x0E02)), ReplyFlavor.NS, 0),
    ),
    (samples.DEFER, action(ActionType.OP_DEFER_ACTION, Defer(b"\xbe\xef"))),
    (samples.BOUNCE, action(ActionType.OP_BOUNCE, Bounce(BounceCode.TOO_LARGE))),
    (
        samples.FORWARD,
        action(ActionType.OP_FORWARD, Forward((ANN,)), ForwardFlavor.PR | ForwardFlavor.NC, 0),
    ),
    (samples.TAG, action(ActionType.OP_TAG, Tag(TaggedPropertyValue(p.PidTagImportance, 2)))),
    (samples.DELETE_AND_READ, action(ActionType.OP_DELETE) + action(ActionType.OP_MARK_AS_READ)),
    (samples.UNKNOWN, (ActionBlock(0x77, Defer(b"\1\2"), 0, FLAGS),)),
]
TO = RecipientBlock((TaggedPropertyValue(p.PidTagRecipientType, 1),))
EXTENDED = [
    (samples.WIDE_MOVE, action(ActionType.OP_MOVE, MoveCopy(True, b"\0", b"\xaa\xbb"))),
    (samples.WIDE_REPLY, action(ActionType.OP_OOF_REPLY, Reply(GUID, message_eid=b"\xaa\xbb"))),
    (samples.WIDE_FORWARD, action(ActionType.OP_DELEGATE, Forward((TO,)))),
]


@pytest.mark.parametrize(("octets", "actions"), STANDARD)
def test_actions_of_standard_rules(octets: bytes, actions: tuple[ActionBlock, ...]) -> None:
    assert decode_actions(octets) == actions
    assert encode_actions(actions) == octets


@pytest.mark.parametrize(("octets", "actions"), EXTENDED)
def test_actions_of_extended_rules(octets: bytes, actions: tuple[ActionBlock, ...]) -> None:
    assert decode_actions(octets, wide=True) == actions
    assert encode_actions(actions, wide=True) == octets


def test_truncations_are_errors() -> None:
    for wide, known in ((False, STANDARD), (True, EXTENDED)):
        for octets, _ in known:
            for length in range(len(octets)):
                with pytest.raises(WireError):
                    decode_actions(octets[:length], wide)


def test_where_a_rule_moves_to() -> None:
    data = decode_actions(samples.MOVE)[0].action_data
    assert isinstance(data, MoveCopy)
    assert data.server_id == ServerId(eid_int(1, 0x0D01))
    with pytest.raises(WireError):
        _ = MoveCopy(False, b"", b"\1\2\3").server_id


@pytest.mark.parametrize(
    "octets",
    [
        "0000",  # no action
        "0100 0a00 0a 00000000 00000000 00",  # an octet too many
        "0100 1100 09 00000000 00000000 fd000180 02000000",  # a restriction as value
        "0100 1100 09 00000000 00000000 fe000180 02000000",
        "ffff 0900 0a 00000000 00000000",
        "0100 0e00 07 00000000 00000000 ffff 01 0000",
    ],
)
def test_bad_octets(octets: str) -> None:
    with pytest.raises(WireError):
        decode_actions(bytes.fromhex(octets))


def test_what_does_not_fit() -> None:
    with pytest.raises(WireError):
        encode_actions(action(ActionType.OP_MOVE, MoveCopy(True, bytes(0x10000), b"")))
    with pytest.raises(WireError):
        encode_actions(action(ActionType.OP_MOVE, MoveCopy(False, b"", b"")), wide=True)
    assert encode_actions(action(ActionType.OP_MOVE, MoveCopy(True, bytes(0x10000), b"")), wide=True)


def test_rule_data() -> None:
    value = RuleData.decode(samples.RULE)
    assert value.flags == RuleDataFlags.ROW_ADD
    assert value.property_values == (
        (p.PidTagRuleState, RuleState.ST_ENABLED),
        (p.PidTagRuleName, "A"),
        (p.PidTagRuleCondition, samples.HIGH_IMPORTANCE),
        (p.PidTagRuleActions, samples.DELETE_AND_READ),
    )
    assert value.encode() == samples.RULE
    for length in range(len(samples.RULE)):
        with pytest.raises(WireError):
            RuleData.decode(samples.RULE[:length])


def test_actions_are_a_property_value() -> None:
    cursor = Cursor(samples.TAG + b"next")
    assert read_value(cursor, 0x00FE) == samples.TAG
    assert cursor.rest() == b"next"


def test_a_condition_from_a_server() -> None:
    value = ExtendedRuleCondition.decode(samples.ALERT)
    assert value == ExtendedRuleCondition(Content(1, 1, p.PidTagSubject, "Alert;"))
    assert value.encode() == samples.ALERT
    assert value.resolved(lambda name: 0) == value.restriction


NAMES = (
    (0x8001, PropertyName(PSETID_Common, 0x8510)),
    (0x8002, PropertyName(PS_PUBLIC_STRINGS, "kw")),
)
OURS = {NAMES[0][1]: 0x8123, NAMES[1][1]: 0x8456}


def test_named_properties_of_a_condition() -> None:
    value = ExtendedRuleCondition.decode(samples.CONDITION_NAMED)
    assert value == ExtendedRuleCondition(Exist(0x8002001F), NAMES)
    assert value.encode() == samples.CONDITION_NAMED
    assert value.resolved(OURS.__getitem__) == Exist(0x8456001F)


def test_named_properties_of_actions() -> None:
    value = ExtendedRuleActions.decode(samples.EXTENDED_TAG)
    sets = Tag(TaggedPropertyValue(0x80010003, 2))
    assert value == ExtendedRuleActions(action(ActionType.OP_TAG, sets), NAMES)
    assert value.encode() == samples.EXTENDED_TAG
    assert value.resolved(OURS.__getitem__)[0].action_data == Tag(TaggedPropertyValue(0x81230003, 2))
    to = Forward((RecipientBlock((TaggedPropertyValue(0x8002001F, "x"),)),))
    forward = ExtendedRuleActions(action(ActionType.OP_FORWARD, to), NAMES).resolved(OURS.__getitem__)
    assert forward[0].action_data == Forward((RecipientBlock((TaggedPropertyValue(0x8456001F, "x"),)),))
    assert forward[0].action_flags == FLAGS


def test_extended_actions_without_names() -> None:
    value = ExtendedRuleActions.decode(samples.EXTENDED_ACTIONS)
    assert value == ExtendedRuleActions(EXTENDED[2][1])
    assert value.encode() == samples.EXTENDED_ACTIONS
    assert value.resolved(OURS.__getitem__) == EXTENDED[2][1]
    with pytest.raises(WireError, match="version"):
        ExtendedRuleActions.decode(samples.EXTENDED_ACTIONS.replace(b"\0\0\1\0\0\0", b"\0\0\2\0\0\0", 1))


TAGGED = st.one_of(
    st.builds(TaggedPropertyValue, st.just(p.PidTagDisplayName), st.text("aé", max_size=3)),
    st.builds(TaggedPropertyValue, st.just(p.PidTagRecipientType), st.integers(0, 3)),
    st.builds(TaggedPropertyValue, st.just(p.PidTagEntryId), st.binary(max_size=5)),
)
OCTETS, NUMBERS = st.binary(max_size=30), st.integers(0, 2**32 - 1)
IDS = st.integers(0, 2**64 - 1)
BLOCKS = st.builds(RecipientBlock, st.lists(TAGGED, max_size=3).map(tuple), st.integers(0, 255))
GUIDS = st.binary(min_size=16, max_size=16)
COMMON: list[tuple[list[ActionType], Any]] = [
    ([ActionType.OP_DEFER_ACTION], st.builds(Defer, OCTETS)),
    ([ActionType.OP_BOUNCE], st.builds(Bounce, NUMBERS)),
    ([ActionType.OP_FORWARD, ActionType.OP_DELEGATE], st.builds(Forward, st.lists(BLOCKS, max_size=3).map(tuple))),
    ([ActionType.OP_TAG], st.builds(Tag, TAGGED)),
    ([ActionType.OP_DELETE, ActionType.OP_MARK_AS_READ], st.none()),
]
MOVES, REPLIES = [ActionType.OP_MOVE, ActionType.OP_COPY], [ActionType.OP_REPLY, ActionType.OP_OOF_REPLY]
NARROW = [
    *COMMON,
    (MOVES, st.builds(MoveCopy, st.booleans(), OCTETS, OCTETS)),
    (REPLIES, st.builds(Reply, GUIDS, IDS, IDS)),
]
BROAD = [
    *COMMON,
    (MOVES, st.builds(MoveCopy, st.just(True), OCTETS, OCTETS)),
    (REPLIES, st.builds(Reply, GUIDS, message_eid=OCTETS)),
]


def lists(kinds: list[tuple[list[ActionType], Any]]) -> st.SearchStrategy[tuple[ActionBlock, ...]]:
    one = st.one_of([st.builds(ActionBlock, st.sampled_from(types), data, NUMBERS, NUMBERS) for types, data in kinds])
    return st.lists(one, min_size=1, max_size=4).map(tuple)


@given(lists(NARROW), lists(BROAD))
def test_round_trips(narrow: tuple[ActionBlock, ...], wide: tuple[ActionBlock, ...]) -> None:
    assert decode_actions(encode_actions(narrow)) == narrow
    assert decode_actions(encode_actions(wide, True), True) == wide
    extended = ExtendedRuleActions(wide, NAMES)
    assert ExtendedRuleActions.decode(extended.encode()) == extended


def test_the_condition_of_rule_data_is_a_restriction() -> None:
    condition = dict(RuleData.decode(samples.RULE).property_values)[p.PidTagRuleCondition]
    assert isinstance(condition, bytes)
    assert decode_restriction(condition) == decode_restriction(samples.HIGH_IMPORTANCE)
