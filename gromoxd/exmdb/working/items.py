"""Items of converters (`gromoxd.convert.item`) in mailboxes: saved as messages, and made of the ones that are there.

An item's own names get the ids that the mailbox has for them, asked for once for many items (`NameIds`). Mail that came
as MIME is not saved this way: `Append` keeps its octets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gromoxd.convert.derived import ATTACHMENT_READ_ONLY, READ_ONLY
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.names import GetPropertyNames, MakePropertyIds, Name
from gromoxd.exmdb.objects import Saved
from gromoxd.exmdb.working.attachment import EMBEDDED, OLE, WorkingAttachment
from gromoxd.exmdb.working.message import MAX_DEPTH, MF_READ, MF_UNSENT, WorkingMessage
from gromoxd.exmdb.working.spool import Spool
from gromoxd.exmdb.working.values import Account, Holder, usable, whole
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import BUILT_IN, FIRST_NAMED, PropertyName
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachMethod,
    PidTagBodyHtml,
    PidTagMessageDeliveryTime,
    PidTagMessageFlags,
    PidTagRead,
    PidTagRowid,
)
from gromoxd.mapi.times import filetime

_FIRST_FREE: Final = FIRST_NAMED + len(BUILT_IN)
_CONTENTS: Final = frozenset((PidTagAttachDataBinary, PidTagAttachDataObject))
MAX_NAMES: Final = 60_000
"""Names in one call."""


class NameIds:
    """Which ids the names of properties have in a mailbox. One for all items that are saved there."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._ids: dict[PropertyName, int] = {}
        self._names: dict[int, PropertyName] = {}

    def learn(self, names: Iterable[PropertyName]) -> None:
        """Ask for names that are not known yet, in one call; the mailbox gives ids to new ones."""
        wanted = {name.folded(): name for name in names}
        new = [(folded, name) for folded, name in wanted.items() if folded not in self._ids]
        for first in range(0, len(new), MAX_NAMES):
            some = new[first : first + MAX_NAMES]
            ids = self.account.call(MakePropertyIds([_as_call(name) for _, name in some]))
            self._ids.update(zip([folded for folded, _ in some], ids, strict=True))

    def id_of(self, name: PropertyName) -> int:
        """The id of a name that was learnt; 0 when the mailbox has none left."""
        return self._ids.get(name.folded(), 0)

    def names_of(self, ids: Iterable[int]) -> dict[int, PropertyName]:
        """The names of ids of the mailbox, those that have one."""
        wanted = set(ids)
        new = sorted(wanted - self._names.keys())
        for first in range(0, len(new), MAX_NAMES):
            some = new[first : first + MAX_NAMES]
            answer: list[Name | None] = self.account.call(GetPropertyNames(some))
            for number, found in zip(some, answer, strict=True):
                if found is not None:
                    self._names[number] = PropertyName(found.guid, found.name if found.lid == -1 else found.lid)
        return {number: self._names[number] for number in wanted & self._names.keys()}


def _as_call(name: PropertyName) -> Name:
    return Name(name.guid, name.key) if isinstance(name.key, int) else Name(name.guid, -1, name.key)


# ---------------------------------------------------------------------------------------------- saving


def save_item(
    account: Account, fid: int, item: Item, *, names: NameIds | None = None, received: int | None = None,
    read: bool | None = None, spool: Spool | None = None, request_id: bytes = b"", associated: bool = False,
) -> Saved:  # fmt: skip
    """Make a message of an item in folder `fid`.

    `received`: Unix time, when the item does not say its PidTagMessageDeliveryTime. `read`: None leaves it to
    PidTagMessageFlags of the item, read when there are none. Properties that no client can set are left out, as are
    values of the wrong type. ecNotFound, ecQuotaExceeded, ecTooBig and what SaveMessage raises.
    """
    known = names or NameIds(account)
    known.learn(_names(item, 0))
    message = WorkingMessage.create(account, fid, associated=associated, spool=spool)
    try:
        props = dict(item.props)
        flags = props.get(PidTagMessageFlags)
        if read is None:
            read = not isinstance(flags, int) or bool(flags & MF_READ)
        flags = flags & ~MF_READ if isinstance(flags, int) else 0
        props[PidTagMessageFlags] = flags | (MF_READ if read else 0)
        props.pop(PidTagRead, None)
        if received is not None:
            props.setdefault(PidTagMessageDeliveryTime, filetime(received))
        _fill(message, item, props, known)
        return message.save(request_id=request_id)
    finally:
        message.discard()


def _names(item: Item, depth: int) -> Iterator[PropertyName]:
    """The names that an item and those within it use."""
    yield from item.names.values()
    for attachment in item.attachments if depth < MAX_DEPTH else ():
        if attachment.embedded is not None:
            yield from _names(attachment.embedded, depth + 1)


def _fill(message: WorkingMessage, item: Item, props: Bag, names: NameIds) -> None:
    """All of the item into a new message. The body is set first, so that its other forms do not replace each other."""
    message.set(_renumbered(props, item, names, READ_ONLY))
    rows: dict[int, Bag | None] = {}
    for row, bag in enumerate(item.recipients):
        good = _renumbered(bag, item, names, frozenset((PidTagRowid,)))
        if good:
            rows[row] = good
    message.modify_recipients(rows)
    for one in item.attachments:
        _attach(message.create_attachment(), one, item, names)


def _attach(made: WorkingAttachment, one: ItemAttachment, item: Item, names: NameIds) -> None:
    props = _renumbered(one.props, item, names, ATTACHMENT_READ_ONLY | _CONTENTS)
    if one.embedded is not None:
        props[PidTagAttachMethod] = EMBEDDED
    elif one.data or not any(tag in one.props for tag in _CONTENTS):
        tag = PidTagAttachDataObject if props.get(PidTagAttachMethod) == OLE else PidTagAttachDataBinary
        props[tag] = one.data
    else:
        props |= {tag: one.props[tag] for tag in _CONTENTS & one.props.keys() if usable(tag, one.props[tag])}
    made.set(props)
    if one.embedded is not None:
        try:
            inner = made.open_embedded(create=True)
        except MapiError as error:
            if error.code != Ec.ecTooBig:
                raise
            return  # deeper than mailboxes have it
        flags = one.embedded.props.get(PidTagMessageFlags)
        said = flags if isinstance(flags, int) else MF_READ
        _fill(inner, one.embedded, {**one.embedded.props, PidTagMessageFlags: said & ~MF_UNSENT}, names)
        inner.save()
    made.save()


def _renumbered(bag: Bag, item: Item, names: NameIds, without: frozenset[int]) -> dict[int, Any]:
    """The values that can be set, under the mailbox's ids."""
    found: dict[int, Any] = {}
    for tag, value in bag.items():
        number = tag >> 16
        if number >= _FIRST_FREE or number in item.names:
            name = item.names.get(number)
            number = names.id_of(name) if name is not None else 0
            if not number:
                continue
            tag = number << 16 | tag & 0xFFFF
        if tag not in without and usable(tag, value):
            found[tag] = value
    return found


# ---------------------------------------------------------------------------------------------- loading


def load_item(account: Account, mid: int, *, names: NameIds | None = None) -> Item:
    """The message as an item, all values in memory; `item.names` has the names of the ids that are not built in.

    What the store alone says of it (ids, entry ids, change keys, sizes) is left out. ecNotFound, ecAccessDenied.
    """
    known = names or NameIds(account)
    message = WorkingMessage.open(account, mid)
    try:
        return _item(message, known, 0)
    finally:
        message.discard()


def _item(message: WorkingMessage, names: NameIds, depth: int) -> Item:
    state = message.loaded()
    item = Item(_values(message, READ_ONLY), [dict(bag) for bag in state.recipients.values()])
    for num in sorted(state.attachments):
        attachment = message.open_attachment(num, writable=False)
        made = ItemAttachment(_values(attachment, ATTACHMENT_READ_ONLY))
        data = made.props.pop(PidTagAttachDataBinary, None) or made.props.pop(PidTagAttachDataObject, None)
        made.data = data if isinstance(data, bytes) else b""
        if attachment.properties.embedded and depth < MAX_DEPTH:
            made.embedded, made.data = _item(attachment.open_embedded(writable=False), names, depth + 1), b""
        item.attachments.append(made)
    bags = [item.props, *item.recipients, *[one.props for one in item.attachments]]
    item.names = names.names_of({tag >> 16 for bag in bags for tag in bag if tag >> 16 >= _FIRST_FREE})
    return item


def _values(holder: Holder, without: frozenset[int]) -> Bag:
    values = holder.loaded().values
    found = {tag: whole(tag, value) for tag, value in values.items() if tag not in without and tag != PidTagBodyHtml}
    return {tag: value for tag, value in found.items() if usable(tag, value)}
