"""Items that are parts of delivered messages (a winmail.dat, a meeting): kept while somebody reads them; their names.

What such a part says beside the message's bag is read out of it when it is asked for (gromoxd.convert.partitem).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Final

import apsw
import msgspec

from gromoxd.convert.item import Item
from gromoxd.convert.partitem import MAX_NAMES, octets_of
from gromoxd.exmdb.calls import Digest
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.named import FIRST_OWN, PropertyName
from store.mapi import named
from store.sql import row
from store.transaction import Transaction

MOST_NAMES: Final = 16_000
"""Names that mail from outside may fill up to; the rest of the ids is for clients."""
Key = tuple[bytes, int, str]


class Items:
    """The latest items of parts, up to a number and a size: attachments are read one after the other."""

    MOST, LIMIT = 8, 32 << 20

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[Key, tuple[Item | None, int]] = OrderedDict()

    def get(self, key: Key, make: Callable[[], Item | None]) -> Item | None:
        """The item of a part of a content."""
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found[0]
        item = make()
        size = weight(item) if item is not None else 0
        if size <= self.LIMIT:
            with self._lock:
                self._kept[key] = (item, size)
                while len(self._kept) > self.MOST or sum(size for _, size in self._kept.values()) > self.LIMIT:
                    self._kept.popitem(last=False)
        return item


ITEMS: Final = Items()


def weight(item: Item) -> int:
    """About how many octets an item takes."""
    own = sum(octets_of(value) for value in item.props.values())
    return own + sum(len(one.data) + (weight(one.embedded) if one.embedded else 0) for one in item.attachments)


# ---------------------------------------------------------------------------------------------- names


def renumbered(bag: Bag, ids: Mapping[int, int]) -> Bag:
    """A bag with the mailbox's ids; properties whose names it does not have go."""
    made: Bag = {}
    for tag, value in bag.items():
        number = tag >> 16
        if number >= FIRST_OWN:
            number = ids.get(number, 0)
        if number:
            made[number << 16 | tag & 0xFFFF] = value
    return made


def known_ids(db: apsw.Connection, names: Mapping[int, PropertyName]) -> dict[int, int]:
    """An item's property ids -> those of the mailbox, 0 for a name that it does not have."""
    return dict(zip(names, named.find_ids(db, list(names.values())), strict=True)) if names else {}


def made_ids(tx: Transaction, names: Mapping[int, PropertyName]) -> dict[int, int]:
    """The same, with new ids for new names while there are plenty: strangers must not use them up."""
    if not names:
        return {}
    if row(tx.db, "SELECT count(*) FROM named_properties")[0] >= MOST_NAMES:
        return known_ids(tx.db, names)
    new = {number: name for number, name in list(names.items())[:MAX_NAMES] if _is_name(name)}
    return known_ids(tx.db, names) | dict(zip(new, named.make_ids(tx, list(new.values())), strict=True))


def _is_name(name: PropertyName) -> bool:
    """Whether a client could have made it (gromoxd.exmdb.names)."""
    if isinstance(name.key, int):
        return 0 <= name.key <= 0xFFFFFFFF
    return "\0" not in name.key and 0 < len(name.key.encode("utf-8", "replace")) <= named.LONGEST_NAME


def settled(tx: Transaction, digest: Digest) -> Digest:
    """A digest with the mailbox's ids for its names."""
    ids = made_ids(tx, {number: PropertyName(guid, key) for number, guid, key in digest.names})
    props = encode_bag(renumbered(decode_bag(digest.props), ids))
    return msgspec.structs.replace(digest, props=props, names=[])
