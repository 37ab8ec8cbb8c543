"""A mailbox that is imported into: folders made at need, duplicates recognised, several writes on their way at once.

A message carries the key of what it was imported from, as a named property: a hash of the mail's octets, or of what the
item says. Who imports the same again, after an import that was killed as well, finds these keys (and, of mail that was
delivered, Message-ID and size) in the folder and passes the message over. No state is kept beside the mailbox.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from hashlib import blake2b
from struct import Struct
from typing import Any, BinaryIO, Final, cast

import gevent
import msgspec
from gevent.pool import Pool

from gromoxd.cli.stores import Store
from gromoxd.cli.transfer.found import Found
from gromoxd.convert.digest import digest_message
from gromoxd.convert.item import Item
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.pages import FolderState, Page
from gromoxd.exmdb.working import Account
from gromoxd.exmdb.working.items import NameIds, save_item
from gromoxd.mapi.bag import Bag, decode_bag, encode_bag
from gromoxd.mapi.named import FIRST_OWN, PS_PUBLIC_STRINGS, PropertyName
from gromoxd.mapi.proptags import (
    PidTagCreationTime,
    PidTagInternetMessageId,
    PidTagLastModificationTime,
    PidTagMessageClass,
    PidTagMessageFlags,
)

KEY: Final = PropertyName(PS_PUBLIC_STRINGS, "import-key")
KEY_OCTETS: Final = 16
AT_ONCE: Final = 16
"""Messages on their way to the store: enough that it commits many at a time."""
INLINE: Final = 256 << 10
"""Octets of a mail that go with the call; of more, a file goes."""
DEADLINE: Final = 600.0
FATAL: Final = frozenset(
    (Ec.ecQuotaExceeded, Ec.ecStorageFull, Ec.ecNetwork, Ec.ecTimeout, Ec.ecUnknownUser, Ec.ecWrongServer, Ec.ecBusy)
)
"""What no other message would fare better with."""
_BINARY: Final = 0x0102
_PAGE = Struct("<IIQ")
_BY_CLASS: Final = (
    ("IPM.CONTACT", "IPF.Contact"),
    ("IPM.DISTLIST", "IPF.Contact"),
    ("IPM.APPOINTMENT", "IPF.Appointment"),
    ("IPM.TASK", "IPF.Task"),
    ("IPM.STICKYNOTE", "IPF.StickyNote"),
    ("IPM.ACTIVITY", "IPF.Journal"),
)
_SPECIAL: Final = {
    "inbox": 0x0D, "deleted": 0x0B, "sent": 0x0A, "drafts": 0x0E, "calendar": 0x0F, "contacts": 0x13, "journal": 0x10,
    "notes": 0x11, "tasks": 0x12,
}  # fmt: skip
"""What a source calls a special folder -> its number, equal in every private mailbox."""
_VOLATILE: Final = frozenset((PidTagCreationTime, PidTagLastModificationTime))
_KINDS: Final = {
    "IPF.Contact": 0x13, "IPF.Appointment": 0x0F, "IPF.Task": 0x12, "IPF.StickyNote": 0x11, "IPF.Journal": 0x10,
}  # fmt: skip


class Stopped(Exception):
    """The import cannot go on."""


class Target:
    """One mailbox as an import sees it. `report(where, reason)` is told of each message not taken, or not whole."""

    def __init__(
        self, store: Store, report: Callable[[str, str], None], *, into: str = "",
        mapping: dict[str, str] | None = None, duplicates: bool = False, dry: bool = False, seen: bool = False,
    ) -> None:  # fmt: skip
        self.store = store
        self.report = report
        self.into = tuple(part for part in into.split("/") if part)
        self.mapping = {_folded(source): target for source, target in (mapping or {}).items()}
        self.duplicates, self.dry, self.seen = duplicates, dry, seen
        self.account = Account(_Client(store), store.where, SYSTEM)
        self.names = NameIds(self.account)
        self.imported: dict[str, int] = {}
        self.skipped = self.failed = 0
        self._pool = Pool(AT_ONCE)
        self._folders = store.folders()
        self._paths = {
            path.casefold(): (fid, path) for fid, path in self._folders.paths.items() if not path.startswith("/")
        }
        self._known: dict[int, set[bytes]] = {}
        self._stop: MapiError | None = None
        self._bug: BaseException | None = None

    # ------------------------------------------------------------------------------------------ one message

    def put(self, found: Found) -> None:
        """Take a message in, unless it is there. Stopped when the mailbox takes no more."""
        self.check()
        if found.error:
            self._fail(found.where, found.error)
            return
        try:
            fid, path = self._folder(self.path_of(found), found)
            key = key_of(found)
            if fid and not self.duplicates and self._is_known(fid, key, found):
                self.skipped += 1
                return
        except MapiError as error:
            self._refused(found, error)
            return
        except (ValueError, OverflowError) as error:  # values that no mailbox can hold
            self._fail(found.where, str(error))
            return
        if self.dry:
            self._took(found, path)
            return
        self._pool.spawn(self._save, found, fid, path, key).link_exception(self._broken)
        gevent.sleep(0)

    def close(self) -> None:
        """Wait for all that is on its way. Stopped as `put`."""
        self._pool.join()
        self.check()

    def give_up(self) -> None:
        """Wait for nothing: what the store has got may still be stored."""
        self._pool.kill()

    def check(self) -> None:
        """Stopped when something happened that all others would meet too."""
        if self._bug is not None:
            raise self._bug
        if self._stop is not None:
            self.give_up()
            raise Stopped(self._stop.text or str(self._stop)) from self._stop

    def _save(self, found: Found, fid: int, path: str, key: bytes) -> None:
        try:
            if found.item is not None:
                self._save_item(found, found.item, fid, key)
            else:
                self._append(found, fid, key)
        except MapiError as error:
            self._refused(found, error)
        except (ValueError, OverflowError) as error:
            self._fail(found.where, str(error))
        else:
            self._took(found, path)

    def _took(self, found: Found, path: str) -> None:
        self.imported[path] = self.imported.get(path, 0) + 1
        for what in found.lost:
            self.report(found.where, f"imported without this: {what}")

    def _broken(self, greenlet: gevent.Greenlet[Any, Any]) -> None:
        """A fault of the program: told by whoever looks next."""
        self._bug = self._bug or greenlet.exception

    def _refused(self, found: Found, error: MapiError) -> None:
        if error.code in FATAL:
            self._stop = self._stop or error
        self._fail(found.where, error.text or str(error))

    def _fail(self, where: str, reason: str) -> None:
        self.failed += 1
        self.report(where, reason)

    def _save_item(self, found: Found, item: Item, fid: int, key: bytes) -> None:
        item.props[item.foreign_id(KEY) << 16 | _BINARY] = key
        read = True if self.seen else None if found.flags is None else bool(found.flags & 1)
        item.props.setdefault(PidTagMessageFlags, 1)
        save_item(self.account, fid, item, names=self.names, received=found.received, read=read)

    def _append(self, found: Found, fid: int, key: bytes) -> None:
        received = min(max(found.received or 0, 0), 0xFFFFFFFF)
        digest = digest_message(found.raw, received=received)
        number = max((one for one, _, _ in digest.names), default=FIRST_OWN - 1) + 1
        props = encode_bag(decode_bag(digest.props) | {number << 16 | _BINARY: key})
        digest = msgspec.structs.replace(
            digest, props=props, names=[*digest.names, (number, KEY.guid, KEY.key)]
        )  # fmt: skip
        flags = (found.flags or 0) | (1 if self.seen else 0)
        keywords = list(found.keywords)
        if len(found.raw) <= INLINE:
            new = c.NewMessage(digest, found.raw, received, flags, keywords)
            self.account.call(c.Append(fid, new, os.urandom(16)))
            return
        with tempfile.TemporaryFile() as spool:
            spool.write(found.raw)
            spool.flush()
            new = c.NewMessage(digest, b"", received, flags, keywords)
            self.account.call(c.Append(fid, new, os.urandom(16)), spool=cast(BinaryIO, spool))

    # ------------------------------------------------------------------------------------------ folders

    def path_of(self, found: Found) -> str:
        """The path of the folder that a message goes into."""
        source = "/".join([_component(part) for part in found.folder])
        for size in range(len(found.folder), -1, -1):
            target = self.mapping.get(_folded("/".join(found.folder[:size])))
            if target is not None:
                rest = [_component(part) for part in found.folder[size:]]
                return "/".join([part for part in (target.strip("/"), *rest) if part])
        if self.into:
            return "/".join([*self.into, source]) if source else "/".join(self.into)
        if found.special in _SPECIAL:
            place = self._folders.paths.get(_SPECIAL[found.special], "")
            if place and not place.startswith("/"):
                return "/".join([place, *[_component(part) for part in found.folder[found.depth :]]])
        if source:
            return source
        fid = _KINDS.get(container_of(found), _SPECIAL["inbox"])
        return self._folders.paths.get(fid, "INBOX")

    def _folder(self, path: str, found: Found) -> tuple[int, str]:
        """The folder's number and its path as the mailbox has it; 0 in a dry run for one that would be made."""
        fid, known = self._paths.get(path.casefold(), (0, ""))
        if fid:
            return fid, known
        parts = path.split("/")
        for size in range(len(parts) - 1, 0, -1):  # Inbox/New goes below INBOX
            _, above = self._paths.get("/".join(parts[:size]).casefold(), (0, ""))
            if above:
                path = "/".join([above, *parts[size:]])
                break
        if self.dry:
            return 0, path
        made = self.account.call(c.CreateFolder(path, container_of(found), os.urandom(16)))
        self._paths[path.casefold()] = self._paths[made.path.casefold()] = (made.fid, made.path)
        self._known[made.fid] = set()
        return made.fid, made.path

    # ------------------------------------------------------------------------------------------ duplicates

    def _is_known(self, fid: int, key: bytes, found: Found) -> bool:
        """Whether the folder has the message already; it counts as there from now on."""
        if fid not in self._known:
            self._known[fid] = set(self._keys(fid))
        known = self._known[fid]
        if key in known or (found.item is None and _delivered(found.raw) in known):
            return True
        known.add(key)
        return False

    def _keys(self, fid: int) -> Iterator[bytes]:
        """The keys of all messages in a folder."""
        self.names.learn([KEY])
        tag = self.names.id_of(KEY) << 16 | _BINARY
        for page in pages(self.store, fid):
            sizes = dict(zip(page.mids, page.sizes, strict=True))
            for message in _read(self.account, list(page.mids), [tag, PidTagInternetMessageId]):
                key = message.props.get(tag)
                if isinstance(key, bytes):
                    yield key
                message_id = message.props.get(PidTagInternetMessageId)
                if isinstance(message_id, str) and message_id:
                    yield _mail_key(message_id, sizes[message.mid])


class _Client:
    """The store's client as an `api.Exmdb` with a patient deadline."""

    def __init__(self, store: Store) -> None:
        self._client = store.stores.client
        self.published, self.watch = self._client.published, self._client.watch

    def call(
        self, mailbox: Any, call: c.Call[Any], *, actor: str, spool: BinaryIO | None = None, deadline: float = DEADLINE
    ) -> Any:
        """See `api.Exmdb`."""
        return self._client.call(mailbox, call, actor=actor, spool=spool, deadline=deadline)


def pages(store: Store, fid: int) -> Iterator[Page]:
    """The index of a folder."""
    state = msgspec.msgpack.decode(store.call(c.GetFolderState(fid), DEADLINE), type=FolderState)
    numbers = [number for number, _, _ in _PAGE.iter_unpack(state.pages)]
    for first in range(0, len(numbers), 4):
        for octets in store.call(c.GetPages(fid, numbers[first : first + 4]), DEADLINE):
            if octets:
                yield Page.decode(octets)


def _read(account: Account, mids: list[int], tags: list[int]) -> Iterator[o.Message]:
    """Some properties of many messages; those that are gone are passed over."""
    left = mids
    while left:
        found = account.call(o.ReadMessages(left[:1000], o.PROPS, tags))
        yield from found
        if not found:
            left = left[1000:]
            continue
        left = left[left.index(found[-1].mid) + 1 :]


def _folded(path: str) -> str:
    return path.strip("/").casefold()


def _component(name: str) -> str:
    """A folder's name as a part of a path."""
    return name.replace("/", "\u2215").strip() or "_"


def container_of(found: Found) -> str:
    """PidTagContainerClass of the folder that a message belongs into."""
    if found.container_class:
        return found.container_class
    kind = found.item.props.get(PidTagMessageClass) if found.item is not None else ""
    upper = kind.upper() if isinstance(kind, str) else ""
    return next((container for start, container in _BY_CLASS if upper.startswith(start)), "IPF.Note")


# ---------------------------------------------------------------------------------------------- keys


def key_of(found: Found) -> bytes:
    """The same for the same octets, or for items that say the same."""
    if found.item is None:
        return blake2b(found.raw, digest_size=KEY_OCTETS, person=b"mail").digest()
    digest = blake2b(digest_size=KEY_OCTETS, person=b"item")
    _feed(digest, found.item, 0)
    return digest.digest()


def _feed(digest: Any, item: Item, depth: int) -> None:
    for bag in (item.props, *item.recipients):
        digest.update(_canonical(bag, item))
    for attachment in item.attachments:
        digest.update(_canonical(attachment.props, item))
        digest.update(attachment.data)
        if attachment.embedded is not None and depth < 20:
            _feed(digest, attachment.embedded, depth + 1)


def _canonical(bag: Bag, item: Item) -> bytes:
    """The octets of a bag, whatever ids its names have and in whatever order it is."""
    rows = []
    for tag, value in bag.items():
        name = item.names.get(tag >> 16)
        if name != KEY and tag not in _VOLATILE:
            rows.append((str(name) if name is not None else "", tag & 0xFFFF if name is not None else tag, value))
    rows.sort(key=lambda row: row[:2])
    return msgspec.msgpack.encode(rows)


def _delivered(raw: bytes) -> bytes:
    """What a mail that was delivered, not imported, is known by."""
    from gromoxd.convert.headers import get_field
    from gromoxd.convert.properties import identifier

    header = raw[: max(raw.find(b"\r\n\r\n"), 0) + 2]
    value = get_field(header, b"message-id")
    return _mail_key(identifier(value), len(raw)) if value else b""


def _mail_key(message_id: str, octets: int) -> bytes:
    return blake2b(f"{octets} {message_id}".encode("utf-8", "replace"), digest_size=KEY_OCTETS, person=b"id").digest()
