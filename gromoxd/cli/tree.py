"""Any value of `gromoxd.mapi` as lines of text: one name and value a line, what belongs to a value indented below it.

What a number means is told by the name of its field: a table here says which are times, tags, flags. Nothing that a
structure carries can do more to the terminal than be shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sized
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum, IntFlag
from typing import Any

from gromoxd.cli.kinds import Entries, decoder, load
from gromoxd.errors import WireError
from gromoxd.mapi.types import MULTIPLE, PropType, prop_type

INDENT = "  "
ON_A_LINE = 32
"""Octets that are shown beside their name; more get lines of their own."""


class Shown(str):
    """Text that is to be printed as it stands."""

    __slots__ = ()


def tree(value: object, name: str = "") -> Iterator[str]:
    """The lines of a value."""
    return _lines(value, name, 0)


def _lines(value: object, name: str, depth: int) -> Iterator[str]:
    begin = INDENT * depth + name + (": " if name else "")
    text = _scalar(value)
    if text is not None:
        yield begin + text
    elif isinstance(value, bytes | bytearray):
        yield f"{begin}{len(value)} octets"
        yield from _octets(bytes(value), depth + 1)
    else:
        what, children = _parts(value)
        if name or what:
            yield begin + what if what else begin.removesuffix(": ")
        else:
            depth -= 1
        for label, child in children:
            yield from _lines(child, label, depth + 1)


def _scalar(value: object) -> str | None:
    """The text of what fits beside its name; None for what does not."""
    if isinstance(value, Shown):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "-"
    if isinstance(value, Enum):
        return f"{value.value} {value.name}"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, bytes | bytearray) and len(value) <= ON_A_LINE:
        return octets_text(bytes(value))
    return None


def quoted(text: str) -> str:
    """Text in quotes, what is not printable escaped."""
    shown = "".join(each if each.isprintable() and each not in '"\\' else _escape(each) for each in text)
    return f'"{shown}"'


def _escape(character: str) -> str:
    return "\\" + character if character in '"\\' else ascii(character)[1:-1]


def octets_text(octets: bytes) -> str:
    """Octets in hex, with their text if it is one."""
    if not octets:
        return "(empty)"
    printable = len(octets) > 3 and all(32 <= octet < 127 for octet in octets)
    return f'{octets.hex()} "{octets.decode()}"' if printable else octets.hex()


def _octets(octets: bytes, depth: int) -> Iterator[str]:
    for at in range(0, len(octets), 16):
        line = octets[at : at + 16]
        text = "".join(chr(octet) if 32 <= octet < 127 else "." for octet in line)
        yield f"{INDENT * depth}{at:06x}  {line.hex(' '):47}  {text}"


def _parts(value: object) -> tuple[str, Iterator[tuple[str, object]]]:
    """What a value is, and what is in it by name."""
    if isinstance(value, Entries):
        return "", iter(value)
    if isinstance(value, Mapping):
        return _count(value), ((_key(key), _mapped(key, item)) for key, item in value.items())
    special = _SPECIAL.get(type(value).__name__)
    if special is not None:
        return special(value)
    names = _field_names(value)
    if names is not None:
        return type(value).__name__, _record(value, names)
    if isinstance(value, list | tuple | set | frozenset):
        return _count(value), ((f"[{index}]", item) for index, item in enumerate(value))
    return quoted(str(value)), iter(())


def _count(value: Sized) -> str:
    return "1 item" if len(value) == 1 else f"{len(value) or 'no'} items"


def _field_names(value: object) -> tuple[str, ...] | None:
    if is_dataclass(value):
        return tuple(field.name for field in fields(value))
    names = getattr(type(value), "_fields", None)
    return names if isinstance(names, tuple) else None


def _record(value: object, names: tuple[str, ...]) -> Iterator[tuple[str, object]]:
    kind = type(value).__name__
    tag = getattr(value, "value_tag", 0) or getattr(value, "tag", None)
    for name in names:
        item = getattr(value, name)
        known = FIELDS.get(f"{kind}.{name}") or FIELDS.get(name) or FIELDS.get("…" + name.rpartition("_")[2])
        if name == "value" and isinstance(tag, int):
            item = property_value(tag, item)
        elif known is not None and item is not None:
            item = (
                [known(each) for each in item]
                if isinstance(item, list | frozenset) or type(item) is tuple
                else known(item)
            )
        yield name, item
    for name in ALSO.get(kind, ()):
        yield name, getattr(value, name)


def _key(key: object) -> str:
    if isinstance(key, int):
        return tag_text(key) if key > 0xFFFF else str(key)
    if isinstance(key, bytes):
        return guid(key)
    return str(key)


def _mapped(key: object, value: object) -> object:
    return property_value(key, value) if isinstance(key, int) and key > 0xFFFF else value


# What fields mean


def guid(octets: bytes) -> Shown:
    """A GUID as text; other octets in hex."""
    from gromoxd.mapi.ids import guid_text

    return Shown(f"{{{guid_text(octets)}}}" if len(octets) == 16 else octets_text(octets))


def filetime(time_nt: int) -> Shown:
    """A FILETIME as ISO 8601; one beyond the years of dates as a number."""
    try:
        then = datetime(1601, 1, 1, tzinfo=UTC) + timedelta(microseconds=time_nt // 10)
    except OverflowError:
        return Shown(str(time_nt))
    return Shown(then.isoformat(timespec="milliseconds" if then.microsecond else "seconds").replace("+00:00", "Z"))


def minutes(value: int) -> Shown:
    """Minutes since 1601 as local date and time."""
    return Shown((datetime(1601, 1, 1) + timedelta(minutes=value)).strftime("%Y-%m-%d %H:%M"))


def tag_text(tag: int) -> Shown:
    """A property tag with its name."""
    from gromoxd.mapi.proptag_names import name_of

    name = name_of(tag)
    return Shown(f"{tag:08X}" if name == f"{tag:08X}" else f"{tag:08X} {name}")


def clock(value: int) -> Shown:
    """Minutes since midnight as a time of day; those of later days have more than 24 hours."""
    return Shown(f"{value // 60:02}:{value % 60:02}")


def change(value: Any) -> Shown:
    """A SystemTime that says when standard or daylight time begins, on one line."""
    if not value.month:
        return Shown("never")
    at = f"{value.hour:02}:{value.minute:02}:{value.second:02}"
    if value.year:
        return Shown(f"{value.year:04}-{value.month:02}-{value.day:02} {at}")
    which = "last" if value.day == 5 else f"{value.day}."
    day = _DAYS[value.day_of_week] if value.day_of_week < 7 else str(value.day_of_week)
    return Shown(f"{which} {day} of month {value.month}, {at}")


_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")


def narrow(octets: bytes) -> Shown:
    """An 8-bit string whose code page is not known."""
    return Shown(quoted(octets.decode("latin-1")))


def other_tag(tag: int) -> Shown:
    """The tag of a value where it differs from the one beside it."""
    return tag_text(tag) if tag else Shown("-")


def rule_name(pair: tuple[int, object]) -> Shown:
    """A named property of an extended rule."""
    return Shown(f"{pair[0]:04X} {pair[1]}")


def hexadecimal(value: int) -> Shown:
    return Shown(f"{value:#x}")


def error_code(code: int) -> Shown:
    """An error code with its name."""
    from gromoxd.errors import Ec

    known = code & 0xFFFFFFFF
    name = Ec(known).name if known in Ec.__members__.values() else ""
    return Shown(f"{known:#010x} {name}".rstrip())


def interval(block: tuple[int, int]) -> Shown:
    """Minutes since a month began, as days and times."""
    return Shown(" to ".join(f"{time // 1440 + 1} {time % 1440 // 60:02}:{time % 60:02}" for time in block))


def named(where: str) -> Callable[[int], object]:
    """A number by its name in an enumeration, or by the names of its bits."""

    def show(value: int) -> object:
        known = load(where)
        if issubclass(known, IntFlag):
            names = [flag.name for flag in known if value & flag == flag and flag]
            return Shown(f"{value:#06x} {' | '.join(names)}".rstrip())
        return Shown(f"{value:#x} {known(value).name}") if value in known.__members__.values() else hexadecimal(value)

    return show


def nested(*kinds: str) -> Callable[[bytes], object]:
    """Octets as the first of these structures that they are, or as octets if they are none."""

    def show(octets: bytes) -> object:
        for kind in kinds if octets else ():
            try:
                return decoder(kind)(octets)
            except WireError:
                continue
        return octets

    return show


def property_value(tag: int, value: object) -> object:
    """A property's value as its type and name say."""
    kind = prop_type(tag)
    if kind & MULTIPLE and isinstance(value, list):
        return [property_value(tag & ~MULTIPLE, item) for item in value]
    if kind == PropType.PtypBinary and isinstance(value, bytes):
        return _binary(tag, value)
    show = _TYPES.get(kind) or (_numbers(tag) if kind == PropType.PtypInteger32 else None)
    return show(value) if show is not None and isinstance(value, int | bytes) else value


def _numbers(tag: int) -> Callable[[Any], object] | None:
    from gromoxd.mapi.proptag_names import name_of

    where = _ENUMERATIONS.get(name_of(tag))
    return named(where) if where else None


def _binary(tag: int, value: bytes) -> object:
    from gromoxd.mapi.proptag_names import name_of

    name = name_of(tag)
    kind = _BINARY.get(name) or ("entryid" if name.endswith(("EntryId", "EntryIds")) else None)
    return nested(kind)(value) if kind else value


_TYPES: dict[int, Callable[[Any], object]] = {
    PropType.PtypTime: filetime,
    PropType.PtypGuid: guid,
    PropType.PtypErrorCode: error_code,
    PropType.PtypServerId: nested("serverid"),
    PropType.PtypRestriction: nested("restriction"),
    PropType.PtypRuleAction: nested("rule-actions"),
}

_ENUMERATIONS = {
    "PidTagMemberRights": "gromoxd.mapi.permissions:Rights",
    "PidTagRuleState": "gromoxd.mapi.rules:RuleState",
    "PidTagMessageFlags": "gromoxd.mapi.flags:MessageFlags",
}

_BINARY = {
    "PidTagChangeKey": "xid",
    "PidTagSourceKey": "xid",
    "PidTagParentSourceKey": "xid",
    "PidTagPredecessorChangeList": "pcl",
    "PidTagReplyRecipientEntries": "flatentrylist",
    "PidTagConversationIndex": "conversation-index",
    "PidTagExtendedRuleMessageActions": "rule-actions-extended",
    "PidTagExtendedRuleMessageCondition": "rule-condition-extended",
}

_RECURRENCE, _RESTRICTION = "gromoxd.mapi.recurrence:", "gromoxd.mapi.restrictions:"

FIELDS: dict[str, Callable[[Any], object]] = {
    "…nt": filetime,
    "…guid": guid,
    "…tag": tag_text,
    "…tags": tag_text,
    "…flags": hexadecimal,
    "provider": guid,
    "wrapped_provider": guid,
    "namespace": guid,
    "code": error_code,
    "value_tag": other_tag,
    "tag1": tag_text,
    "tag2": tag_text,
    "subobject": tag_text,
    "start_date": minutes,
    "end_date": minutes,
    "start_date_time": minutes,
    "end_date_time": minutes,
    "original_start_date": minutes,
    "deleted_instance_dates": minutes,
    "modified_instance_dates": minutes,
    "reader_version": hexadecimal,
    "writer_version": hexadecimal,
    "reader_version2": hexadecimal,
    "writer_version2": hexadecimal,
    "recur_frequency": named(_RECURRENCE + "RecurFrequency"),
    "pattern_type": named(_RECURRENCE + "PatternType"),
    "calendar_type": named(_RECURRENCE + "CalendarType"),
    "end_type": named(_RECURRENCE + "EndType"),
    "override_flags": named(_RECURRENCE + "OverrideFlags"),
    "start_time_offset": clock,
    "end_time_offset": clock,
    "ExceptionInfo.subject": narrow,
    "ExceptionInfo.location": narrow,
    "standard_date": change,
    "daylight_date": change,
    "week_days": named("gromoxd.cli.tree:WeekDays"),
    "TimeZoneRule.flags": named("gromoxd.mapi.timezones:RuleFlags"),
    "blocks": interval,
    "rel_op": named(_RESTRICTION + "RelOp"),
    "bitmap_rel_op": named(_RESTRICTION + "BitmapRelOp"),
    "fuzzy_low": named(_RESTRICTION + "FuzzyLow"),
    "fuzzy_high": named(_RESTRICTION + "FuzzyHigh"),
    "mask": hexadecimal,
    "ExtendedRuleActions.names": rule_name,
    "ExtendedRuleCondition.names": rule_name,
    "ServerId.fid": hexadecimal,
    "ServerId.mid": hexadecimal,
    "SortOrder.order": named("gromoxd.mapi.sorting:Order"),
    "ActionBlock.action_type": named("gromoxd.mapi.rules:ActionType"),
    "ActionBlock.action_flavor": hexadecimal,
    "Bounce.bounce_code": named("gromoxd.mapi.rules:BounceCode"),
    "MoveCopy.store_eid": nested("entryid"),
    "MoveCopy.folder_eid": nested("serverid", "entryid"),
    "Reply.message_eid": nested("entryid"),
    "Pdu.flags": named("gromoxd.rpc.pdu:Flags"),
    "Syntax.uuid": guid,
    "ContextResult.result": named("gromoxd.rpc.pdu:Result"),
    "Trailer.type": named("gromoxd.rpc.pdu:AuthType"),
    "Trailer.level": named("gromoxd.rpc.pdu:AuthLevel"),
    "Trailer.value": nested("ntlm"),
    "RuleData.flags": named("gromoxd.mapi.rules:RuleDataFlags"),
    "PermissionData.flags": named("gromoxd.mapi.permissions:PermissionDataFlags"),
    "RecipientRow.flags": hexadecimal,
    "RecipientRow.entry_id": nested("entryid"),
    "entries": nested("entryid"),
    "WrappedEntryId.entryid": nested("entryid"),
    "FolderEntryId.kind": named("gromoxd.mapi.entryids:ObjectType"),
    "MessageEntryId.kind": named("gromoxd.mapi.entryids:ObjectType"),
    "AddressBookEntryId.kind": named("gromoxd.mapi.entryids:DisplayType"),
    "EphemeralEntryId.kind": named("gromoxd.mapi.entryids:DisplayType"),
}
"""How fields are shown: by "Class.name", by name, or "…" and the last word of the name."""


ALSO: dict[str, tuple[str, ...]] = {"GlobalObjectId": ("uid",)}
"""What a value tells beside its fields."""


class WeekDays(IntFlag):
    """The bits of a recurrence's days ([MS-OXOCAL] 2.2.1.44.1.4)."""

    Su = 0x01
    M = 0x02
    Tu = 0x04
    W = 0x08
    Th = 0x10
    F = 0x20
    Sa = 0x40


def _ranges(value: Any) -> tuple[str, Iterator[tuple[str, object]]]:
    """A RangeSet."""
    ranges = list(value.ranges())
    return f"{len(value)} in {len(ranges)} ranges", ((f"[{i}]", _range(*each)) for i, each in enumerate(ranges))


def _range(low: int, high: int) -> Shown:
    return Shown(f"{low:x}" if low == high else f"{low:x} to {high:x}")


def _idset(value: Any) -> tuple[str, Iterator[tuple[str, object]]]:
    return "IdSet", ((_key(replica), value.of(replica)) for replica in value.replicas)


_SPECIAL: dict[str, Callable[[Any], tuple[str, Iterator[tuple[str, object]]]]] = {
    "RangeSet": _ranges,
    "IdSet": _idset,
}
