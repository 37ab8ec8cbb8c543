"""Items of the calendar as the writer finds, reads and saves them."""

from __future__ import annotations

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.exmdb import objects as o
from gromoxd.mapi.bag import Bag, decode_bag
from gromoxd.mapi.named import FIRST_OWN
from gromoxd.mapi.named_tags import PidLidCleanGlobalObjectId, PidLidGlobalObjectId
from gromoxd.mapi.proptags import PROP_COMPOSED, PROP_CREATOR, PidTagAttachDataBinary, PidTagAttachMethod
from gromoxd.mapi.types import prop_id, prop_type
from store import wellknown as wk
from store.mapi import datarows, saving, source
from store.mapi.conflicts import as_system
from store.mapi.partitems import made_ids
from store.sql import rows
from store.transaction import Transaction

_BY_ID = (
    "SELECT m.mid, d.props FROM messages m JOIN message_data d ON d.did = m.did WHERE m.fid=? AND instr(d.props, ?)"
)
NOT_COPIED = frozenset((PROP_COMPOSED, PROP_CREATOR))


class CalendarItem:
    """An object of the calendar, with all it has."""

    def __init__(self, tx: Transaction, mid: int, did: int) -> None:
        self.mid = mid
        data = datarows.load(tx, did)
        self.nums = [num for num, _ in datarows.attachments(tx, did)]
        self.item = source.whole(tx, data)
        self.tags = self.item.props.keys()


def find(tx: Transaction, whole: bytes, clean: bytes) -> CalendarItem | None:
    """The calendar object of a meeting: its series if that is here, else the occurrence that came alone."""
    if not clean:
        return None
    found: dict[bool, int] = {}
    for mid, props in rows(tx.db, _BY_ID, (wk.CALENDAR, clean[-16:])):
        bag = decode_bag(props)
        ids = bag.get(PidLidGlobalObjectId), bag.get(PidLidCleanGlobalObjectId)
        if ids[0] == whole and whole != clean:
            found.setdefault(True, mid)
        elif ids[1] == clean and ids[0] in (clean, None):
            found.setdefault(False, mid)
    mid = found.get(False) or found.get(True)
    if not mid:
        return None
    ((did,),) = rows(tx.db, "SELECT did FROM messages WHERE mid=?", (mid,))
    return CalendarItem(tx, mid, did)


def named_here(tx: Transaction, item: Item) -> Item:
    """The item with the ids that this mailbox has for its names; properties for whose names no id is left go."""
    ids = made_ids(tx, item.names)
    return Item(
        _here(item.props, ids),
        [_here(row, ids) for row in item.recipients],
        [
            ItemAttachment(_here(one.props, ids), one.data, named_here(tx, one.embedded) if one.embedded else None)
            for one in item.attachments
        ],
    )


def _here(bag: Bag, ids: dict[int, int]) -> Bag:
    found: Bag = {}
    for tag, value in bag.items():
        number = prop_id(tag)
        if number >= FIRST_OWN:
            number = ids.get(number, 0)
            if not number:
                continue
            tag = number << 16 | prop_type(tag)
        found[tag] = value
    return found


def put(tx: Transaction, fid: int, item: Item, before: CalendarItem | None = None) -> o.Saved:
    """Make an item of this mailbox's ids in a folder, or let it replace the one that was there before."""
    if before is None:
        changes = changes_of(item)
        mid = 0
    else:
        mid = before.mid
        kept = {id(one): num for num, one in zip(before.nums, before.item.attachments, strict=True)}
        left = {kept[id(one)] for one in item.attachments if id(one) in kept}
        following = max(before.nums, default=-1) + 1
        fresh = [one for one in item.attachments if id(one) not in kept]
        attachments = [o.AttachmentChange(num, True) for num in before.nums if num not in left]
        attachments += [_attachment(following + n, one) for n, one in enumerate(fresh)]
        gone = [tag for tag in before.tags if tag not in item.props]
        recipients = item.recipients if item.recipients != before.item.recipients else None
        changes = o.Changes(_settable(item.props), gone, recipients, attachments)
    with as_system(tx):
        return saving.save_message(tx, o.SaveMessage(fid, mid, 0, changes, b"", force=True))


def changes_of(item: Item) -> o.Changes:
    """A new message of an item."""
    attachments = [_attachment(num, one) for num, one in enumerate(item.attachments)]
    return o.Changes(_settable(item.props), [], [dict(row) for row in item.recipients], attachments)


def _settable(props: Bag) -> Bag:
    return {tag: value for tag, value in props.items() if tag not in NOT_COPIED}


def _attachment(num: int, one: ItemAttachment) -> o.AttachmentChange:
    if one.embedded is not None:
        return o.AttachmentChange(num, False, _settable(one.props), [], changes_of(one.embedded))
    props = _settable(one.props)
    if one.data or PidTagAttachMethod not in props:
        props[PidTagAttachDataBinary] = one.data
    return o.AttachmentChange(num, False, props)
