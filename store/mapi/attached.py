"""The properties of attachments ([MS-OXCMSG] 2.2.2): stored ones and those that are made when they are read.

An attachment of a delivered message refers to a part of it (PROP_PART_PATH), which is decoded when somebody reads it.
"""

from __future__ import annotations

from typing import Any, Final

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.objects import BIG, Attachment, Bag
from gromoxd.mapi import proptags as p
from store.mapi.computed import OBJECT_ATTACHMENT
from store.mapi.loading import Attached, Data, data_tag

NOT_RENDERED: Final = -1


def attachment(data: Data, one: Attached, level: int) -> Attachment:
    """One attachment as clients see it; `level` is its PidTagAccessLevel.

    `big` of a part of a delivered message is reckoned from its encoded size, for it is not decoded to be opened.
    """
    bag = {tag: value for tag, value in one.bag.items() if tag not in p.INTERNAL}
    big = dict(data.big(one.num + 1))
    bag[p.PidTagAttachNumber] = one.num
    bag[p.PidTagRecordKey] = one.num.to_bytes(4, "little")
    bag[p.PidTagObjectType] = OBJECT_ATTACHMENT
    bag[p.PidTagAccessLevel] = level
    bag.setdefault(p.PidTagRenderingPosition, NOT_RENDERED)
    if one.path is not None and not one.embedded:
        size = bag.get(p.PidTagAttachSize)
        reckoned = size if isinstance(size, int) else 0
        if reckoned <= BIG and data.in_memory:
            _put(bag, big, data_tag(bag), data.part_octets(one.path))
        else:
            big[data_tag(bag)] = reckoned
    bag.setdefault(p.PidTagAttachSize, sum(big.values()))
    return Attachment(one.num, bag, big, one.embedded)


def _put(bag: Bag, big: dict[int, int], tag: int, octets: bytes) -> None:
    if len(octets) > BIG:
        big[tag] = len(octets)
    else:
        bag[tag] = octets


def value(data: Data, num: int, tag: int, level: int) -> Any:
    """A property of an attachment, however long. ecNotFound."""
    one = data.attachment(num)
    if one.path is not None and not one.embedded and tag == data_tag(one.bag):
        return data.part_octets(one.path)
    if tag in data.big(num + 1):
        return data.big_value(num + 1, tag)
    found = attachment(data, one, level).props.get(tag)
    if found is None or tag in p.INTERNAL:
        raise MapiError(Ec.ecNotFound, f"property {tag:#010x} of attachment {num}")
    return found
