"""OpenMessage, ReadMessages, ReadValue ([MS-OXCMSG] 2.2.3.1, 2.2.3.12-2.2.3.15; [MS-OXCPRPT] 2.2.14-2.2.16)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import apsw

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.proptags import INTERNAL, PidTagAccessLevel, PidTagAttachDataBinary
from gromoxd.mapi.types import PropType
from store.access import OWNER, READ_ANY, Access
from store.mapi import attached, bulk, rows
from store.mapi.computed import BODIES
from store.mapi.loading import DECODED, MAX_DEPTH, Data, Env
from store.mapi.properties import View, needs_content, view
from store.mapi.reading import Reading
from store.mapi.rows import Row
from store.pace import Pace

MOST_MESSAGES, MOST_OCTETS, LONGEST_READ = 1000, 4 << 20, 1 << 20
INLINE_MESSAGES, INLINE_OCTETS, INLINE_BODY = 8, 128 << 10, 16 << 10
"""What is read in the loop: so many messages, none of more octets, and of fewer when a body may have to be made."""
_STRING8, _STRING = int(PropType.PtypString8), int(PropType.PtypString)
_BODY_IDS: Final = frozenset(tag >> 16 for tag in BODIES)
_SLACK: Final = 1000
_COMPUTED: Final = 2000
"""What a whole message has beside what is stored."""


# ---------------------------------------------------------------------------------------------- access


def require_read(access: Access, found: Row, creator: object) -> None:
    """ecAccessDenied to who may not read a message ([MS-OXCPERM] 2.2.7): ReadAny, or his own where he has any right.

    What is soft-deleted is for the owners of the mailbox and of the folder.
    """
    if access.everything:
        return
    rights = access.rights(found.fid)
    if found.deleted and not rights & OWNER:
        raise MapiError(Ec.ecAccessDenied, f"deleted message {found.mid:#x}")
    own = bool(access.actor) and creator == access.actor
    if not rights & READ_ANY and not (rights and own):
        raise MapiError(Ec.ecAccessDenied, f"message {found.mid:#x}")


def opened(env: Env, found: Row, tags: list[int] | None, what: int = o.PROPS) -> View:
    """A message that the actor may read. ecAccessDenied, ecNotFound."""
    access = env.access
    if not access.everything and not access.rights(found.fid):
        raise MapiError(Ec.ecAccessDenied, f"message {found.mid:#x}")
    if what & (o.RECIPIENTS | o.ATTACHMENTS) or needs_content(tags):
        made = View(env, found, Data.full(env, found.did, found.mid, found.fid))
    else:
        made = view(env, found, tags)
    require_read(access, found, made.creator)
    return made


def descend(outer: View, path: list[int]) -> View:
    """The message that a path of attachment numbers leads to. ecNotFound."""
    if len(path) > MAX_DEPTH:
        raise MapiError(Ec.ecInvalidParam, "path")
    inner = outer
    for num in path:
        data = inner.data.embedded(num, inner.row.received)
        size = len(data.raw) if data.raw is not None else data.weight + sum(data.big().values())
        inner = View(inner.env, inner.row._replace(flags=SEEN, size=size, deleted_at=0), data, inner)
    return inner


# ---------------------------------------------------------------------------------------------- calls


@contextmanager
def snapshot(db: apsw.Connection) -> Iterator[None]:
    """All statements within see one committed state."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def open_message(reading: Reading, call: o.OpenMessage) -> o.Message:
    """objects.OpenMessage."""
    env = Env.of(reading)
    what = call.what | o.ATTACHMENTS if call.path else call.what
    with snapshot(env.db):
        found = rows.find(env.db, call.mid)
        return message(descend(opened(env, found, call.tags, what), call.path), call.what, call.tags)


def message(shown: View, what: int, tags: list[int] | None) -> o.Message:
    """A message as the calls answer it."""
    found, data, embedded = shown.row, shown.data, shown.embedded
    try:
        props, big = shown.bag(tags) if what & o.PROPS else ({}, {})
    except FileNotFoundError as error:
        raise MapiError(Ec.ecNotFound, f"content of message {found.mid:#x}") from error
    attachments = []
    if what & o.ATTACHMENTS:
        level = shown.get(PidTagAccessLevel)
        attachments = [attached.attachment(data, one, level) for one in data.attached]
    return o.Message(
        found.fid, found.mid, 0 if embedded else found.uid, found.cn, found.associated and not embedded,
        found.deleted, props, big, shown.recipients() if what & o.RECIPIENTS else [], attachments,
    )  # fmt: skip


def read_messages(reading: Reading, call: o.ReadMessages) -> list[o.Message]:
    """objects.ReadMessages."""
    if len(call.mids) > MOST_MESSAGES:
        raise MapiError(Ec.ecInvalidParam, "more than 1,000 messages")
    env, pace = Env.of(reading), Pace()
    messages: list[o.Message] = []
    gathered = 0
    for start in range(0, len(call.mids), bulk.PIECE):
        pace.step()
        with snapshot(env.db):
            for shown in bulk.views(env, call.mids[start : start + bulk.PIECE], call.what, call.tags):
                one = _readable(env.access, shown, call)
                if one is None:
                    continue
                gathered += _weight(shown, one, call.tags)
                if messages and gathered > MOST_OCTETS:
                    return messages
                messages.append(one)
    return messages


def _readable(access: Access, shown: View, call: o.ReadMessages) -> o.Message | None:
    try:
        require_read(access, shown.row, shown.creator)
        return message(shown, call.what, call.tags)
    except MapiError as error:
        if error.code in (Ec.ecAccessDenied, Ec.ecNotFound):
            return None
        raise


def _weight(shown: View, one: o.Message, tags: list[int] | None) -> int:
    """About how many octets a message takes in the answer; of a whole one rather too many."""
    if tags is None:
        return _COMPUTED + shown.data.weight + min(shown.row.size, o.BIG * (2 + len(one.attachments)))
    bags = [one.props, *one.recipients, *(attachment.props for attachment in one.attachments)]
    return _SLACK + sum(len(value) if isinstance(value, str | bytes) else 16 for bag in bags for value in bag.values())


def read_value(reading: Reading, call: o.ReadValue) -> bytes:
    """objects.ReadValue."""
    if call.offset < 0 or not 0 <= call.length <= LONGEST_READ:
        raise MapiError(Ec.ecInvalidParam, "offset or length")
    tag = call.tag | 1 if call.tag & 0xFFFF == _STRING8 else call.tag
    if tag in INTERNAL:
        raise MapiError(Ec.ecNotFound, f"property {tag:#010x}")
    env = Env.of(reading)
    try:
        with snapshot(env.db):
            octets = _octets(env, call, tag)
    except FileNotFoundError as error:
        raise MapiError(Ec.ecNotFound, f"content of message {call.mid:#x}") from error
    return octets


def _octets(env: Env, call: o.ReadValue, tag: int) -> bytes:
    """What ReadValue answers."""
    start, stop = call.offset, call.offset + call.length
    what = o.ATTACHMENTS if call.path or call.num >= 0 else o.PROPS
    shown = descend(opened(env, rows.find(env.db, call.mid), [tag], what), call.path)
    data, part = shown.data, max(call.num, -1) + 1
    if tag in data.big(part):
        return data.big_value(part, tag, start, call.length)
    value = shown.get(tag) if call.num < 0 else attached.value(data, call.num, tag, shown.get(PidTagAccessLevel))
    octets = value.encode("utf-16-le", "surrogatepass") if isinstance(value, str) else value
    if not isinstance(octets, bytes):
        raise MapiError(Ec.ecNotFound, f"property {tag:#010x}")
    if tag == PidTagAttachDataBinary and call.num >= 0 and stop >= len(octets):
        path = data.attachment(call.num).path
        if path is not None:
            DECODED.drop(data.part_key(path))
    return octets[start:stop]


READS: dict[type[Any], Any] = {
    o.OpenMessage: open_message, o.ReadMessages: read_messages, o.ReadValue: read_value
}  # fmt: skip


# ---------------------------------------------------------------------------------------------- what is long


def _is_large(reading: Reading, mid: int, limit: int) -> bool:
    found = rows.look_up(reading.reader.db, mid)
    return found is not None and found.size > limit


def _limit(tags: list[int] | None, path: list[int] | None = None) -> int:
    """How large a message may be; of all properties bodies are those that are there.

    The size of a message says nothing of the body of one within: a contact may be no more than a vCard in its form.
    """
    made = tags is not None and any(tag >> 16 in _BODY_IDS for tag in tags)
    if made and path:
        return -1
    return INLINE_BODY if made else INLINE_OCTETS


def _long_open(reading: Reading, call: o.OpenMessage) -> bool:
    return (bool(call.path) or needs_content(call.tags)) and _is_large(reading, call.mid, _limit(call.tags, call.path))


def _long_messages(reading: Reading, call: o.ReadMessages) -> bool:
    if len(call.mids) > INLINE_MESSAGES:
        return True
    limit = _limit(call.tags)
    return needs_content(call.tags) and any(_is_large(reading, mid, limit) for mid in call.mids)


def _long_value(reading: Reading, call: o.ReadValue) -> bool:
    return _is_large(reading, call.mid, _limit([call.tag], call.path))


LONG: dict[type[Any], Any] = {
    o.OpenMessage: _long_open, o.ReadMessages: _long_messages, o.ReadValue: _long_value
}  # fmt: skip
