"""Properties of a mailbox's objects for people: named ones by their names, structures decoded (gromoxd.cli.tree)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

from gromoxd.cli.kinds import Entries
from gromoxd.cli.tree import Shown, nested, octets_text, property_value, tag_text
from gromoxd.exmdb.calls import Call
from gromoxd.exmdb.names import GetPropertyNames, Name
from gromoxd.mapi.named import FIRST_NAMED, PropertyName
from gromoxd.mapi.proptag_names import NAMES, name_of

R = TypeVar("R")
STRUCTURES = {
    "PidLidAppointmentRecur": "recurrence",
    "PidLidTaskRecurrence": "task-recurrence",
    "PidLidTimeZoneStruct": "tzstruct",
    "PidLidAppointmentTimeZoneDefinitionRecur": "timezone",
    "PidLidAppointmentTimeZoneDefinitionStartDisplay": "timezone",
    "PidLidAppointmentTimeZoneDefinitionEndDisplay": "timezone",
    "PidLidGlobalObjectId": "globalobjectid",
    "PidLidCleanGlobalObjectId": "globalobjectid",
    "PidLidVerbStream": "verbs",
    "PidTagRtfCompressed": "rtf",
    "PidTagAdditionalRenEntryIdsEx": "persist-data",
}
"""Binary properties beyond those that `gromoxd.cli.tree` knows, and what they are (gromoxd.cli.kinds)."""


class Asked(Protocol):
    """Who can be asked for the names of property ids."""

    def call(self, call: Call[R]) -> R: ...


class Names:
    """The names of a mailbox's property tags, asked for once each."""

    def __init__(self, store: Asked) -> None:
        self._store = store
        self._known: dict[int, str] = {}

    def learn(self, tags: Iterable[int]) -> None:
        """Ask for those that are not known."""
        ids = sorted({tag >> 16 for tag in tags if tag >> 16 >= FIRST_NAMED and tag not in NAMES} - self._known.keys())
        if not ids:
            return
        found: list[Name | None] = self._store.call(GetPropertyNames(ids))
        for id_, name in zip(ids, found, strict=True):
            self._known[id_] = "" if name is None else _name_text(name)

    def label(self, tag: int) -> str:
        """A tag with its name."""
        name = self._known.get(tag >> 16, "") if tag not in NAMES else ""
        return f"{tag:08X} {_printable(name)}" if name else tag_text(tag)


def _name_text(name: Name) -> str:
    return str(PropertyName(name.guid, name.lid if name.lid >= 0 else name.name))


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def properties(bag: Mapping[int, Any], names: Names, big: Mapping[int, int] | None = None) -> Entries:
    """Properties by tag; `big`: those of which only the size is known."""
    sizes = big or {}
    tags = sorted({*bag, *sizes})
    names.learn(tags)
    return Entries(
        (names.label(tag), value_of(tag, bag[tag]) if tag in bag else Shown(f"({sizes[tag]} octets)")) for tag in tags
    )


def value_of(tag: int, value: object) -> object:
    """A value as its type and name say."""
    kind = STRUCTURES.get(name_of(tag))
    return nested(kind)(value) if kind and isinstance(value, bytes) else property_value(tag, value)


def as_data(entries: Entries) -> dict[str, Any]:
    """The same for JSON: structures and octets as text."""
    return {label: _plain_data(value) for label, value in entries}


def _plain_data(value: object) -> Any:
    if isinstance(value, str | int | float | bool) or value is None:
        return value
    if isinstance(value, bytes):
        return octets_text(value) if value else ""
    if isinstance(value, list):
        return [_plain_data(each) for each in value]
    return str(value)
