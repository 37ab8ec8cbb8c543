"""Rules of folders: their states, actions, and the two ways in which they are written ([MS-OXORULE]).

Standard rules travel in ROPs and count with 16 bits; extended rules are messages whose properties count with 32 bits
(`wide`) and name their named properties themselves. Conditions are in `gromoxd.mapi.restrictions`. The folder and
message ids of standard rules are unsigned 64-bit numbers (`gromoxd.mapi.ids.eid_int`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Any, Final, NamedTuple

from gromoxd.errors import WireError
from gromoxd.mapi.cursor import U16, U32, Cursor
from gromoxd.mapi.ids import ServerId
from gromoxd.mapi.named import PropertyName, encode_name, read_name
from gromoxd.mapi.restrictions import Restriction, encode_restriction, map_tags, read_enclosed, read_restriction
from gromoxd.mapi.types import PropType
from gromoxd.mapi.values import TaggedPropertyValue, register_nested

EXTENDED_RULE_CLASS: Final = "IPM.ExtendedRule.Message"
"""PidTagMessageClass of the message that an extended rule is, [MS-OXORULE] 2.2.4."""
RULE_VERSION: Final = 1
"""RuleVersion of an extended rule's actions, [MS-OXORULE] 2.2.4.1.9."""


class RuleState(IntFlag):
    """PidTagRuleState, [MS-OXORULE] 2.2.1.3.1.3."""

    ST_ENABLED = 0x00000001
    ST_ERROR = 0x00000002
    ST_ONLY_WHEN_OOF = 0x00000004
    ST_KEEP_OOF_HIST = 0x00000008
    ST_EXIT_LEVEL = 0x00000010
    ST_SKIP_IF_SCL_IS_SAFE = 0x00000020
    ST_RULE_PARSE_ERROR = 0x00000040
    ST_CLEAR_OOF_HIST = 0x80000000


class ModifyRulesFlags(IntFlag):
    """Of RopModifyRules, [MS-OXORULE] 2.2.1.1."""

    Replace = 0x01


class RuleDataFlags(IntFlag):
    """[MS-OXORULE] 2.2.1.3."""

    ROW_ADD = 0x01
    ROW_MODIFY = 0x02
    ROW_REMOVE = 0x04


class ActionType(IntEnum):
    """[MS-OXORULE] 2.2.5.1."""

    OP_MOVE = 0x01
    OP_COPY = 0x02
    OP_REPLY = 0x03
    OP_OOF_REPLY = 0x04
    OP_DEFER_ACTION = 0x05
    OP_BOUNCE = 0x06
    OP_FORWARD = 0x07
    OP_DELEGATE = 0x08
    OP_TAG = 0x09
    OP_DELETE = 0x0A
    OP_MARK_AS_READ = 0x0B


class ForwardFlavor(IntFlag):
    """ActionFlavor of OP_FORWARD, [MS-OXORULE] 2.2.5.1.1."""

    PR = 0x00000001
    """Preserve the sender."""
    NC = 0x00000002
    """Do not change the message."""
    AT = 0x00000004
    """As an attachment."""
    TM = 0x00000008
    """As a text message (SMS)."""


class ReplyFlavor(IntFlag):
    """ActionFlavor of OP_REPLY and OP_OOF_REPLY, [MS-OXORULE] 2.2.5.1.1."""

    NS = 0x00000001
    """Not to the sender."""
    ST = 0x00000002
    """The server's text instead of the template's."""


class BounceCode(IntEnum):
    """[MS-OXORULE] 2.2.5.1.2.5."""

    TOO_LARGE = 0x0000000D
    NOT_DISPLAYED = 0x0000001F
    DENIED = 0x00000026


# What an action does it with


@dataclass(slots=True, frozen=True)
class MoveCopy:
    """OP_MOVE and OP_COPY, [MS-OXORULE] 2.2.5.1.2.1.

    In this store `folder_eid` is a ServerEid (2.2.5.1.2.1.1, `server_id`) in a standard rule and a folder's entry id in
    an extended one; elsewhere, only in standard rules, what the client makes of it.
    """

    folder_in_this_store: bool
    store_eid: bytes
    folder_eid: bytes

    @property
    def server_id(self) -> ServerId:
        """The destination of a standard rule in this store. WireError when it is none."""
        return ServerId.decode(self.folder_eid)


@dataclass(slots=True, frozen=True)
class Reply:
    """OP_REPLY and OP_OOF_REPLY, [MS-OXORULE] 2.2.5.1.2.2: the template, by ids in a standard rule and by its entry id
    in an extended one (`message_eid`)."""

    template_guid: bytes
    template_fid: int = 0
    template_mid: int = 0
    message_eid: bytes = b""


@dataclass(slots=True, frozen=True)
class Defer:
    """OP_DEFER_ACTION, [MS-OXORULE] 2.2.5.1.2.3: the client's own octets. Actions of unknown type are kept so too."""

    data: bytes


@dataclass(slots=True, frozen=True)
class Bounce:
    """OP_BOUNCE, [MS-OXORULE] 2.2.5.1.2.5."""

    bounce_code: int


@dataclass(slots=True, frozen=True)
class RecipientBlock:
    """RecipientBlockData, [MS-OXORULE] 2.2.5.1.2.4.1."""

    property_values: tuple[TaggedPropertyValue, ...]
    reserved: int = 1


@dataclass(slots=True, frozen=True)
class Forward:
    """OP_FORWARD and OP_DELEGATE, [MS-OXORULE] 2.2.5.1.2.4."""

    recipient_blocks: tuple[RecipientBlock, ...]


@dataclass(slots=True, frozen=True)
class Tag:
    """OP_TAG, [MS-OXORULE] 2.2.5.1.2.6: the property to set."""

    property_value: TaggedPropertyValue


ActionData = MoveCopy | Reply | Defer | Bounce | Forward | Tag | None
"""None: OP_DELETE and OP_MARK_AS_READ, [MS-OXORULE] 2.2.5.1.2.7."""

_EIDS = Struct("<QQ")
_BLOCK = Struct("<BII")


def _count(cursor: Cursor, wide: bool) -> int:
    """RecipientCount has "2 bytes or 4 bytes" in the picture of [MS-OXORULE] 2.2.5.1.2.4 and 4 in its text, and
    NoOfProperties 4 in 2.2.5.1.2.4.1; Exchange and Outlook write 2 in standard rules, as all other counts are there."""
    return cursor.u32() if wide else cursor.u16()


def _counted(number: int, wide: bool) -> bytes:
    if not wide and number > 0xFFFF:
        raise WireError(f"{number} do not fit into a standard rule")
    return U32.pack(number) if wide else U16.pack(number)


def _sized(octets: bytes, wide: bool) -> bytes:
    return _counted(len(octets), wide) + octets


def _read_move(cursor: Cursor, wide: bool) -> MoveCopy:
    here = True if wide else cursor.u8() != 0
    store_eid = cursor.take(_count(cursor, wide))
    return MoveCopy(here, store_eid, cursor.take(_count(cursor, wide)))


def _write_move(data: MoveCopy, wide: bool) -> bytes:
    if wide and not data.folder_in_this_store:
        raise WireError("an extended rule moves within its store")
    here = b"" if wide else bytes((data.folder_in_this_store,))
    return here + _sized(data.store_eid, wide) + _sized(data.folder_eid, wide)


def _read_reply(cursor: Cursor, wide: bool) -> Reply:
    if wide:
        message_eid = cursor.take(cursor.u32())
        return Reply(cursor.guid(), message_eid=message_eid)
    fid, mid = cursor.struct(_EIDS)
    return Reply(cursor.guid(), fid, mid)


def _write_reply(data: Reply, wide: bool) -> bytes:
    head = _sized(data.message_eid, True) if wide else _EIDS.pack(data.template_fid, data.template_mid)
    return head + data.template_guid


def _read_forward(cursor: Cursor, wide: bool) -> Forward:
    count = cursor.count(_count(cursor, wide), 5 if wide else 3)
    return Forward(tuple([_read_recipient(cursor, wide) for _ in range(count)]))


def _read_recipient(cursor: Cursor, wide: bool) -> RecipientBlock:
    reserved = cursor.u8()
    count = cursor.count(_count(cursor, wide), 4)
    return RecipientBlock(tuple([read_enclosed(cursor, wide) for _ in range(count)]), reserved)


def _write_forward(data: Forward, wide: bool) -> bytes:
    out = [_counted(len(data.recipient_blocks), wide)]
    for block in data.recipient_blocks:
        out += (bytes((block.reserved,)), _counted(len(block.property_values), wide))
        out += [value.encode(wide) for value in block.property_values]
    return b"".join(out)


def _read_defer(cursor: Cursor, _: bool) -> Defer:
    return Defer(cursor.rest())


_Codec = tuple[Callable[[Cursor, bool], ActionData], Callable[[Any, bool], bytes]]
_MOVE: Final[_Codec] = (_read_move, _write_move)
_REPLY: Final[_Codec] = (_read_reply, _write_reply)
_FORWARD: Final[_Codec] = (_read_forward, _write_forward)
_DEFER: Final[_Codec] = (_read_defer, lambda data, _: data.data)
_NOTHING: Final[_Codec] = (lambda cursor, _: None, lambda data, _: b"")
_CODECS: Final[dict[int, _Codec]] = {
    ActionType.OP_MOVE: _MOVE,
    ActionType.OP_COPY: _MOVE,
    ActionType.OP_REPLY: _REPLY,
    ActionType.OP_OOF_REPLY: _REPLY,
    ActionType.OP_DEFER_ACTION: _DEFER,
    ActionType.OP_BOUNCE: (lambda cursor, _: Bounce(cursor.u32()), lambda data, _: U32.pack(data.bounce_code)),
    ActionType.OP_FORWARD: _FORWARD,
    ActionType.OP_DELEGATE: _FORWARD,
    ActionType.OP_TAG: (
        lambda cursor, wide: Tag(read_enclosed(cursor, wide)),
        lambda data, wide: data.property_value.encode(wide),
    ),
    ActionType.OP_DELETE: _NOTHING,
    ActionType.OP_MARK_AS_READ: _NOTHING,
}


@dataclass(slots=True, frozen=True)
class ActionBlock:
    """ActionBlock, [MS-OXORULE] 2.2.5.1: one action. `action_flags` are the client's, `action_flavor` is a
    ForwardFlavor or ReplyFlavor."""

    action_type: int
    action_data: ActionData = None
    action_flavor: int = 0
    action_flags: int = 0

    @classmethod
    def read(cls, cursor: Cursor, wide: bool = False) -> ActionBlock:
        block = cursor.region(_count(cursor, wide))
        kind, flavor, flags = block.struct(_BLOCK)
        data = _CODECS.get(kind, _DEFER)[0](block, wide)
        block.finish()
        return cls(kind, data, flavor, flags)

    def encode(self, wide: bool = False) -> bytes:
        data = _CODECS.get(self.action_type, _DEFER)[1](self.action_data, wide)
        return _sized(_BLOCK.pack(self.action_type, self.action_flavor, self.action_flags) + data, wide)


def read_actions(cursor: Cursor, wide: bool = False) -> tuple[ActionBlock, ...]:
    """RuleAction, [MS-OXORULE] 2.2.5: the actions of a rule, at least one."""
    count = cursor.count(_count(cursor, wide), 13 if wide else 11)
    if not count:
        raise cursor.fail("rule without actions")
    return tuple([ActionBlock.read(cursor, wide) for _ in range(count)])


register_nested(PropType.PtypRuleAction, read_actions)


def decode_actions(data: bytes, wide: bool = False) -> tuple[ActionBlock, ...]:
    """A RuleAction that fills `data`, such as the value of PidTagRuleActions."""
    cursor = Cursor(data)
    actions = read_actions(cursor, wide)
    cursor.finish()
    return actions


def encode_actions(actions: Sequence[ActionBlock], wide: bool = False) -> bytes:
    """The inverse."""
    return _counted(len(actions), wide) + b"".join([action.encode(wide) for action in actions])


# Standard rules

_RULE_DATA = Struct("<BH")


class RuleData(NamedTuple):
    """RuleData, [MS-OXORULE] 2.2.1.3: a standard rule to add, change or remove."""

    flags: int
    property_values: tuple[TaggedPropertyValue, ...]

    @classmethod
    def read(cls, cursor: Cursor) -> RuleData:
        flags, count = cursor.struct(_RULE_DATA)
        return cls(flags, tuple([TaggedPropertyValue.read(cursor) for _ in range(cursor.count(count, 4))]))

    @classmethod
    def decode(cls, data: bytes) -> RuleData:
        cursor = Cursor(data)
        value = cls.read(cursor)
        cursor.finish()
        return value

    def encode(self) -> bytes:
        values = b"".join([value.encode() for value in self.property_values])
        return _RULE_DATA.pack(self.flags, len(self.property_values)) + values


# Extended rules

Names = tuple[tuple[int, PropertyName | None], ...]
"""(property id, name) of the named properties that a rule uses; its ids are the rule's own."""


def read_names(cursor: Cursor) -> Names:
    """NamedPropertyInformation, [MS-OXORULE] 2.2.4.2."""
    count = cursor.count(cursor.u16(), 2 + 17)
    if not count:
        return ()
    ids = [cursor.u16() for _ in range(count)]
    names = cursor.region(cursor.u32())
    found = tuple([(number, read_name(names)) for number in ids])
    names.finish()
    return found


def encode_names(names: Names) -> bytes:
    """The inverse."""
    if not names:
        return b"\0\0"
    octets = b"".join([encode_name(name) for _, name in names])
    return U16.pack(len(names)) + b"".join([U16.pack(number) for number, _ in names]) + U32.pack(len(octets)) + octets


def tag_changer(names: Names, resolve: Callable[[PropertyName], int]) -> Callable[[int], int]:
    """A function of property tags that puts the mailbox's ids (`resolve`, of a name) in the place of the rule's."""
    ids = {number: resolve(name) for number, name in names if name is not None}
    return lambda tag: ids.get(tag >> 16, tag >> 16) << 16 | tag & 0xFFFF


class ExtendedRuleCondition(NamedTuple):
    """PidTagExtendedRuleMessageCondition, [MS-OXORULE] 2.2.4.1.10."""

    restriction: Restriction
    names: Names = ()

    @classmethod
    def decode(cls, data: bytes) -> ExtendedRuleCondition:
        cursor = Cursor(data)
        names = read_names(cursor)
        restriction = read_restriction(cursor, True)
        cursor.finish()
        return cls(restriction, names)

    def encode(self) -> bytes:
        return encode_names(self.names) + encode_restriction(self.restriction, True)

    def resolved(self, resolve: Callable[[PropertyName], int]) -> Restriction:
        """The condition with the mailbox's ids of named properties."""
        return map_tags(self.restriction, tag_changer(self.names, resolve)) if self.names else self.restriction


class ExtendedRuleActions(NamedTuple):
    """PidTagExtendedRuleMessageActions, [MS-OXORULE] 2.2.4.1.9."""

    actions: tuple[ActionBlock, ...]
    names: Names = ()

    @classmethod
    def decode(cls, data: bytes) -> ExtendedRuleActions:
        cursor = Cursor(data)
        names = read_names(cursor)
        version = cursor.u32()
        if version != RULE_VERSION:
            raise cursor.fail(f"rule version {version}")
        actions = read_actions(cursor, True)
        cursor.finish()
        return cls(actions, names)

    def encode(self) -> bytes:
        return encode_names(self.names) + U32.pack(RULE_VERSION) + encode_actions(self.actions, True)

    def resolved(self, resolve: Callable[[PropertyName], int]) -> tuple[ActionBlock, ...]:
        """The actions with the mailbox's ids of named properties."""
        if not self.names:
            return self.actions
        change = tag_changer(self.names, resolve)
        return tuple([_resolved(action, change) for action in self.actions])


def _resolved(action: ActionBlock, change: Callable[[int], int]) -> ActionBlock:
    data = action.action_data
    if isinstance(data, Tag):
        tag, value = data.property_value
        data = Tag(TaggedPropertyValue(change(tag), value))
    elif isinstance(data, Forward):
        blocks = [
            RecipientBlock(tuple([TaggedPropertyValue(change(t), v) for t, v in block.property_values]), block.reserved)
            for block in data.recipient_blocks
        ]
        data = Forward(tuple(blocks))
    return ActionBlock(action.action_type, data, action.action_flavor, action.action_flags)
