"""The property ids of names within one item, looked up fast; converters of formats with named properties use it.

Built-in names have their fixed ids (`gromoxd.mapi.named`), others ids of the item's own, given out as they turn up.
"""

from __future__ import annotations

from gromoxd.mapi.named import (
    FIRST_NAMED,
    FIRST_OWN,
    LAST_NAMED,
    PropertyName,
    built_in_id,
    built_in_name,
)


class ItemNames:
    """`Item.names` with an index by name. New names are entered into the dict that is given."""

    __slots__ = ("_ids", "_next", "names")

    def __init__(self, names: dict[int, PropertyName]) -> None:
        self.names = names
        self._ids = {name.folded(): number for number, name in names.items()}
        self._next = max(names, default=FIRST_OWN - 1) + 1

    def id_of(self, name: PropertyName) -> int | None:
        """The property id of a name, a new one at need; None when no id is left."""
        number = built_in_id(name)
        if number is not None:
            return number
        key = name.folded()
        number = self._ids.get(key)
        if number is None and self._next <= LAST_NAMED:
            number = self._ids[key] = self._next
            self.names[number] = name
            self._next += 1
        return number

    def name_of(self, prop_id: int) -> PropertyName | None:
        """The name of a property id from 0x8000 on; None for one that nobody gave a name."""
        if prop_id < FIRST_NAMED:
            return None
        return built_in_name(prop_id) or self.names.get(prop_id)
