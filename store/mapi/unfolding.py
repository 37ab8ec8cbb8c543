"""Delivered messages that a client changes in substance: what is in their RFC 5322 form becomes properties.

Clients that synchronise send whole messages, even if a category is all that changed. What they send is therefore
compared with what is in the form first: as long as nothing of it changed, the message keeps the form in which it came.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import attachment_of, contents
from gromoxd.convert.keptentity import entity_of
from gromoxd.convert.keptheader import transport_headers
from gromoxd.convert.mime import decode_parts, header_end
from gromoxd.convert.structure import PartItems
from gromoxd.exmdb.objects import Bag, Spooled
from gromoxd.mapi.named import FIRST_NAMED
from gromoxd.mapi.proptags import (
    PROP_PART_ITEM,
    PROP_PART_PATH,
    PROP_PART_VALUES,
    PidTagAddressType,
    PidTagAttachDataBinary,
    PidTagBody,
    PidTagDisplayName,
    PidTagEmailAddress,
    PidTagHtml,
    PidTagMimeSkeleton,
    PidTagRecipientType,
    PidTagTransportMessageHeaders,
)
from store.content import read_exactly
from store.mapi import applying, datarows, namedheaders, partitems, values
from store.mapi.applying import Edit
from store.mapi.datarows import Data
from store.mapi.loading import data_tag
from store.sql import row
from store.transaction import Transaction

_WHO = (PidTagRecipientType, PidTagDisplayName, PidTagEmailAddress, PidTagAddressType)
_MADE = applying.ATTACHMENT_KEPT | {PidTagAttachDataBinary}
"""Of an attachment: what is made of the form, or of no account there."""
_NEWLINES = str.maketrans({"\r": None})


class Form:
    """The RFC 5322 form of a delivered message."""

    def __init__(self, tx: Transaction, data: Data, received: int) -> None:
        self.raw = tx.content.get(data.cid)
        self.root = decode_parts(row(tx.db, "SELECT parts FROM message_data WHERE did=?", (data.did,))[0])
        self.received = received
        self._items = PartItems(self.raw)
        self.bodies = contents(self.raw, self.root, data.props, self._items)
        """And other long values that a part of it says."""

    @property
    def header(self) -> str:
        """PidTagTransportMessageHeaders."""
        return transport_headers(self.raw[: header_end(self.raw, 0, len(self.raw))])

    def attachment(self, bag: Bag) -> ItemAttachment:
        """An attachment as it stands alone."""
        return attachment_of(self.raw, self.root, bag, self.received, self._items)

    def field(self, tx: Transaction, tag: int) -> Any:
        """A field of the header that is a property by its name."""
        guid = tx.identity.guid
        return namedheaders.value(tx.db, guid, self.raw[: self.root.header_length], tag)


def strip(tx: Transaction, data: Data, edit: Edit, form: Form) -> None:
    """Take out of an edit what changes nothing of the form."""
    for tag in (PidTagBody, PidTagHtml):
        if tag in edit.put and _same_text(edit.put[tag], form.bodies.get(tag)):
            del edit.put[tag]
    for tag in [tag for tag in edit.put if tag >> 16 >= FIRST_NAMED]:
        if edit.put[tag] == form.field(tx, tag):
            del edit.put[tag]
    edit.spooled = [s for s in edit.spooled if not _same_body(tx, s, form)]
    if edit.recipients is not None and [_who(one) for one in edit.recipients] == [_who(one) for one in data.recipients]:
        edit.recipients = None
    if edit.attachments:
        same = {num for num in edit.attachments if _same_attachment(tx, data, edit, num, form)}
        edit.attachments = {num: change for num, change in edit.attachments.items() if num not in same}
        edit.spooled = [s for s in edit.spooled if s.path or s.num not in same]


def _who(recipient: Bag) -> tuple[Any, ...]:
    return tuple(recipient.get(tag) for tag in _WHO)


def _same_text(new: Any, old: Any) -> bool:
    """Equal but for line ends, which clients make their own."""
    if isinstance(new, str) and isinstance(old, str):
        return new.translate(_NEWLINES) == old.translate(_NEWLINES)
    if isinstance(new, bytes) and isinstance(old, bytes):
        return new.replace(b"\r", b"") == old.replace(b"\r", b"")
    return False


def _same_body(tx: Transaction, one: Spooled, form: Form) -> bool:
    if one.path or one.num >= 0 or one.tag not in form.bodies or one.length > tx.settings.largest_message:
        return False
    return _same_text(values.value_of(one.tag, _spooled(tx, one)), form.bodies[one.tag])


def _spooled(tx: Transaction, one: Spooled) -> bytes:
    return read_exactly(tx.write.spool_fd, one.length, one.offset) if tx.write.spool_fd >= 0 else b""


def _same_attachment(tx: Transaction, data: Data, edit: Edit, num: int, form: Form) -> bool:
    change = edit.attachments[num]
    bag = datarows.attachment(tx, data.did, num)
    if bag is None or change.remove or change.embedded is not None:
        return False
    if any(bag.get(tag) != value for tag, value in change.set.items() if tag not in _MADE):
        return False
    own = [s for s in edit.spooled if (s.path[0] if s.path else s.num) == num]
    if any(s.path or s.tag != PidTagAttachDataBinary or s.length > tx.settings.largest_message for s in own):
        return False
    new = _spooled(tx, own[0]) if own else change.set.get(PidTagAttachDataBinary)
    return new is None or new == form.attachment(bag).data


# ---------------------------------------------------------------------------------------------- taking it out


def materialise(tx: Transaction, data: Data, form: Form) -> None:
    """Give a message (`datarows.own`) its bodies and attachments as properties. It is not written yet."""
    for tag, value in form.bodies.items():
        data.props.setdefault(tag, value)
    data.props.setdefault(PidTagTransportMessageHeaders, form.header)
    if (entity := entity_of(form.raw, form.root)) is not None:
        data.props.setdefault(PidTagMimeSkeleton, entity)
    for num, bag in datarows.attachments(tx, data.did):
        if PROP_PART_PATH in bag:
            _put(tx, data.did, num, form.attachment(bag), {})
    data.props.pop(PROP_PART_ITEM, None)
    data.props.pop(PROP_PART_VALUES, None)


def _put(tx: Transaction, did: int, num: int, one: ItemAttachment, ids: Mapping[int, int]) -> None:
    bag = partitems.renumbered(one.props, ids)
    if one.embedded is None:
        bag[data_tag(bag)] = one.data
    else:
        datarows.put_child(tx, did, num, _child(tx, one.embedded))
    applying.put_attachment(tx, did, num, bag)


def _child(tx: Transaction, item: Item) -> int:
    """The data row of an embedded message."""
    ids = partitems.made_ids(tx, item.names)
    child = datarows.make(tx, tx.new_ids())
    child.props, child.recipients = partitems.renumbered(item.props, ids), item.recipients
    for number, attachment in enumerate(item.attachments):
        _put(tx, child.did, number, attachment, ids)
    datarows.write_unsourced(tx, child)
    return child.did
