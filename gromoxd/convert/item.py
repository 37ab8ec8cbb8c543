"""An item as all converters take and give it: a MAPI message with recipients, attachments and the names it uses."""

from __future__ import annotations

from dataclasses import dataclass, field

from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_OWN, PropertyName


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

    def foreign_id(self, name: PropertyName) -> int:
        """The property id of a name that is not built in, a new one at need."""
        for number, known in self.names.items():
            if known == name:
                return number
        number = max(self.names, default=FIRST_OWN - 1) + 1
        self.names[number] = name
        return number
