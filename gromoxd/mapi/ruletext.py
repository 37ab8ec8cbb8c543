"""Rules in words, for people who look at them: conditions and actions ([MS-OXCDATA] 2.12, [MS-OXORULE] 2.2.5)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from gromoxd.errors import WireError
from gromoxd.mapi import proptags as p
from gromoxd.mapi import restrictions as r
from gromoxd.mapi.ids import eid_split
from gromoxd.mapi.proptag_names import name_of
from gromoxd.mapi.rules import (
    ActionBlock,
    ActionType,
    Bounce,
    BounceCode,
    Forward,
    ForwardFlavor,
    MoveCopy,
    Reply,
    ReplyFlavor,
    RuleState,
    Tag,
)

LONGEST: Final = 60
_OPERATORS: Final = {0: "<", 1: "<=", 2: ">", 3: ">=", 4: "=", 5: "<>", 0x64: "member of"}
FolderName = Callable[[int], str]
"""What a folder id is shown as."""


def tag_text(tag: int) -> str:
    """A property by its name, without PidTag."""
    return (name_of(tag) or f"{tag:#010x}").removeprefix("PidTag")


def value_text(value: Any) -> str:
    """A value on one line, cut when it is long."""
    if isinstance(value, list):
        return "[" + ", ".join(map(value_text, value[:5])) + "]"
    if isinstance(value, bytes):
        ascii_text = value.rstrip(b"\0")
        if not ascii_text or not ascii_text.isascii() or not ascii_text.decode().isprintable():
            return value.hex()[:LONGEST]
        value = ascii_text.decode()
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        shown = value if len(value) <= LONGEST else value[:LONGEST] + "…"
        return '"' + "".join(ch if ch.isprintable() else " " for ch in shown) + '"'
    return str(value)


def condition_text(value: r.Restriction) -> str:
    """A condition as one line."""
    match value:
        case r.And(inner):
            return " and ".join(map(_enclosed, inner)) or "always"
        case r.Or(inner):
            return " or ".join(map(_enclosed, inner)) or "never"
        case r.Not(inside):
            return f"not {_enclosed(inside)}"
        case r.Comment(_, inside):
            return "always" if inside is None else condition_text(inside)
        case r.Count(_, inside):
            return condition_text(inside)
        case r.SubObject(what, inside):
            kind = "recipient" if what == p.PidTagMessageRecipients else "attachment"
            return f"a {kind} has {_enclosed(inside)}"
    return _leaf(value)


def _leaf(value: r.Leaf) -> str:
    match value:
        case r.Content(low, _, tag, what, _):
            verb = {0: "is", 2: "begins with"}.get(low, "contains")
            return f"{tag_text(tag)} {verb} {value_text(what)}"
        case r.Property(operator, tag, what, _):
            return f"{tag_text(tag)} {_OPERATORS.get(operator, '?')} {value_text(what)}"
        case r.CompareProperties(operator, one, other):
            return f"{tag_text(one)} {_OPERATORS.get(operator, '?')} {tag_text(other)}"
        case r.BitMask(operator, tag, mask):
            return f"{tag_text(tag)} has {'a' if operator else 'no'} bit of {mask:#x}"
        case r.Size(operator, tag, size):
            return f"size of {tag_text(tag)} {_OPERATORS.get(operator, '?')} {size}"
        case r.Exist(tag):
            return "always" if tag == p.PidTagMessageClass else f"{tag_text(tag)} is there"
    return "?"


def _enclosed(value: r.Restriction) -> str:
    text = condition_text(value)
    return f"({text})" if isinstance(value, r.And | r.Or) and len(value.restricts) > 1 else text


# ---------------------------------------------------------------------------------------------- actions


def action_text(block: ActionBlock, folder: FolderName) -> str:
    """An action as one line."""
    kind, data = block.action_type, block.action_data
    if isinstance(data, MoveCopy):
        return f"{'move' if kind == ActionType.OP_MOVE else 'copy'} to {_folder(data, folder)}"
    if isinstance(data, Forward):
        return f"{_forwarding(block)} {', '.join(_people(data)) or 'nobody'}"
    if isinstance(data, Reply):
        whom = "the template's recipients" if block.action_flavor & ReplyFlavor.NS else "the sender"
        return f"{'answer when away' if kind == ActionType.OP_OOF_REPLY else 'answer'} {whom}"
    if isinstance(data, Bounce):
        known = {int(code): code.name for code in BounceCode}
        return f"send back ({known.get(data.bounce_code, hex(data.bounce_code))})"
    if isinstance(data, Tag):
        tag, value = data.property_value
        return f"set {tag_text(tag)} to {value_text(value)}"
    return _PLAIN.get(kind, f"unknown action {kind}")


_PLAIN: Final[dict[int, str]] = {
    ActionType.OP_DEFER_ACTION: "leave to the client", ActionType.OP_DELETE: "delete",
    ActionType.OP_MARK_AS_READ: "mark as read",
}  # fmt: skip


def _folder(data: MoveCopy, folder: FolderName) -> str:
    from gromoxd.mapi.entryids import FolderEntryId

    try:
        if data.folder_in_this_store and len(data.folder_eid) == 21:
            return folder(eid_split(data.server_id.fid)[1])
        fid = FolderEntryId.decode(data.folder_eid).folder.counter
    except WireError:
        return "a folder that the client knows"
    return folder(fid) if data.folder_in_this_store else f"folder {fid:#x} of another store"


def _forwarding(block: ActionBlock) -> str:
    flavor = block.action_flavor
    if block.action_type == ActionType.OP_DELEGATE:
        return "deliver to the delegates"
    if flavor & ForwardFlavor.AT:
        return "forward as an attachment to"
    return "redirect to" if flavor & (ForwardFlavor.PR | ForwardFlavor.NC) else "forward to"


def _people(data: Forward) -> list[str]:
    found = []
    for recipient in data.recipient_blocks:
        bag = {tag >> 16: value for tag, value in recipient.property_values}
        value = bag.get(p.PidTagSmtpAddress >> 16) or bag.get(p.PidTagEmailAddress >> 16) or bag.get(0x3001)
        text = value.decode("cp1252", "replace") if isinstance(value, bytes) else str(value or "?")
        found.append("".join(ch if ch.isprintable() else " " for ch in text))
    return found


def state_text(state: int) -> str:
    """The state of a rule in words."""
    enabled = state & (RuleState.ST_ENABLED | RuleState.ST_ONLY_WHEN_OOF)
    words = ["enabled" if enabled else "disabled"]
    words += [text for bit, text in _STATES.items() if state & bit]
    return ", ".join(words)


_STATES: Final[dict[int, str]] = {
    RuleState.ST_ERROR: "failed", RuleState.ST_RULE_PARSE_ERROR: "cannot be read",
    RuleState.ST_ONLY_WHEN_OOF: "when away", RuleState.ST_KEEP_OOF_HIST: "once per sender",
    RuleState.ST_EXIT_LEVEL: "last one", RuleState.ST_SKIP_IF_SCL_IS_SAFE: "not for safe mail",
}  # fmt: skip
