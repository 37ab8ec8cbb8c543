"""An item as all converters take and give it: a MAPI message with recipients, attachments and the names it uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_OWN, PropertyName
from gromoxd.mapi.types import PropValue

LEAN = 256
"""Octets of the longest values of `Item.lean`."""


def _weight(value: PropValue) -> int:
    if isinstance(value, list):
        return 8 + sum([_weight(one) for one in value])
    return len(value) if isinstance(value, str | bytes) else 8


@dataclass(slots=True)
class ItemAttachment:
    """An attachment: its properties, and its octets (PidTagAttachDataBinary) or the message that it is."""

    props: Bag = field(default_factory=dict)
    data: bytes = b""
    embedded: Item | None = None


@dataclass(slots=True)
class Item:
    """A message, appointment, contact ... outside of any mailbox. `props` hold the bodies whole.

    `names`: property id (from FIRST_OWN) -> name, of the properties that are not built in, for this item alone: an
    embedded item has its own. Built-in ones have the tags of `gromoxd.mapi.named_tags`, as in every mailbox.
    """

    props: Bag = field(default_factory=dict)
    recipients: list[Bag] = field(default_factory=list)
    attachments: list[ItemAttachment] = field(default_factory=list)
    names: dict[int, PropertyName] = field(default_factory=dict)

    def weight(self) -> int:
        """About how many octets it is."""
        bags = (self.props, *self.recipients, *(one.props for one in self.attachments))
        own = sum([_weight(value) for bag in bags for value in bag.values()])
        return own + sum([len(one.data) + (one.embedded.weight() if one.embedded else 0) for one in self.attachments])

    def lean(self) -> Item:
        """It without people, attachments and long values, for where there would be thousands of it."""
        return Item({tag: value for tag, value in self.props.items() if _weight(value) <= LEAN}, [], [], self.names)

    def foreign_id(self, name: PropertyName) -> int:
        """The property id of a name that is not built in, a new one at need."""
        for number, known in self.names.items():
            if known == name:
                return number
        number = max(self.names, default=FIRST_OWN - 1) + 1
        self.names[number] = name
        return number
