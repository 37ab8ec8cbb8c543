"""Rules with text in UTF-8 mean what those with UTF-16 mean."""

from __future__ import annotations

import contextlib
import random
from struct import pack

from gromoxd.cli.migration.gromoxstore.rules import actions_of, condition_of
from gromoxd.errors import WireError
from gromoxd.mapi.restrictions import And, Comment, Content, Exist, Not, Or, Property, SubObject, encode_restriction
from gromoxd.mapi.rules import ActionBlock, ActionType, Forward, RecipientBlock, Tag, encode_actions
from gromoxd.mapi.values import TaggedPropertyValue

SUBJECT, NAME, ROWS = 0x0037001F, 0x3001001F, 0x0E12000D
CONDITION = And((
    Content(1, 1, SUBJECT, "Grüße"), Not(Or((Exist(SUBJECT), Property(4, 0x00170003, 2)))),
    SubObject(ROWS, Property(4, NAME, "Bert")), Comment((TaggedPropertyValue(0x0001_0003, 1),), Exist(NAME)),
))  # fmt: skip
ACTIONS = (
    ActionBlock(ActionType.OP_FORWARD, Forward((RecipientBlock((
        TaggedPropertyValue(0x0C150003, 1), TaggedPropertyValue(NAME, "Jörg"), TaggedPropertyValue(0x0FFF0102, b"xy"),
    )),))),
    ActionBlock(ActionType.OP_TAG, Tag(TaggedPropertyValue(0x8001001F, "blau"))),
    ActionBlock(ActionType.OP_DELETE),
)  # fmt: skip


def eight(data: bytes, *texts: str) -> bytes:
    """The octets with these strings in UTF-8."""
    for text in texts:
        data = data.replace(text.encode("utf-16-le") + b"\0\0", text.encode() + b"\0")
    return data


def test_conditions_in_both_forms() -> None:
    standard = encode_restriction(CONDITION)
    assert condition_of(standard) == CONDITION
    octets = eight(standard, "Grüße", "Bert")
    assert octets != standard
    assert condition_of(octets) == CONDITION


def test_actions_in_both_forms() -> None:
    standard = encode_actions(ACTIONS)
    assert actions_of(standard) == ACTIONS
    parts = [eight(encode_actions((one,))[2:], "Jörg", "blau") for one in ACTIONS]
    octets = pack("<H", 3) + b"".join(pack("<H", len(part) - 2) + part[2:] for part in parts)
    assert octets != standard
    assert actions_of(octets) == ACTIONS


def test_any_octets_are_rules_or_an_error() -> None:
    for data in (eight(encode_restriction(CONDITION), "Grüße", "Bert"), encode_actions(ACTIONS)):
        dice = random.Random(7)
        for at in range(len(data)):
            changed = bytearray(data)
            changed[at] = dice.randrange(256)
            for decode in (condition_of, actions_of):
                for octets in (bytes(changed), data[:at]):
                    with contextlib.suppress(WireError):
                        decode(octets)
