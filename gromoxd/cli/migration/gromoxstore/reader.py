"""One mailbox of Gromox, read only: folders, messages as Items, permissions, rules, delegates, out of office.

Works on a store that is not in use, or on a copy. Large values are read when their message is. Broken values are left
out, and told by `problems` of their message; a message that cannot be read at all is a WireError when it is asked for.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar
from urllib.parse import quote
from uuid import UUID

from gromoxd.cli.migration.gromoxstore import content
from gromoxd.cli.migration.gromoxstore.values import name_of, text_of, value_of
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.errors import WireError
from gromoxd.mapi.bag import Bag
from gromoxd.mapi.named import FIRST_NAMED, PropertyName, built_in_id
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachMethod,
    PidTagBody,
    PidTagComment,
    PidTagContainerClass,
    PidTagDisplayName,
    PidTagHtml,
    PidTagRtfCompressed,
    PidTagTransportMessageHeaders,
)
from gromoxd.mapi.types import MULTIPLE, PropType, prop_id, prop_type

P = ParamSpec("P")
T = TypeVar("T")
EXTERNAL = frozenset(
    prop_id(tag)
    for tag in (
        PidTagBody, PidTagTransportMessageHeaders, PidTagHtml, PidTagRtfCompressed, PidTagAttachDataBinary,
        PidTagAttachDataObject,
    )
)  # fmt: skip
"""Properties whose values are the names of files."""
ROOT, FIRST_PRIVATE = 0x01, 0x09
OLDEST, NEWEST = 1, 40
"""Schema versions that are looked at; the tables that are read here did not change within them."""
GENERATED = ".midb"
"""The ending of RFC 5322 texts that were made of the message for IMAP."""
_SLIM = "(SELECT message_id, proptag, propval FROM message_properties WHERE proptag >> 16 & 65535 NOT IN ({}))".format(
    ",".join(map(str, sorted(EXTERNAL)))
)
MOST_DEPTH = 20
EMBEDDED_MESSAGE = 5


@dataclass(frozen=True, slots=True)
class GromoxFolder:
    """A folder that is not deleted. Numbers up to 0x1D are those of the same folders of ours."""

    fid: int
    parent: int
    name: str
    container_class: str
    comment: str
    search: bool
    messages: int


class Version(NamedTuple):
    """A message and the change numbers of its content and of its read mark."""

    mid: int
    cn: int
    read_cn: int


@dataclass(slots=True)
class GromoxMessage:
    """A message. `eml`: its RFC 5322 text if it was delivered with one. `problems`: values that could not be read."""

    mid: int
    item: Item
    read: bool
    associated: bool
    eml: bytes = b""
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class GromoxPermission:
    """`member`: an address, 'default', or '' for anonymous clients."""

    fid: int
    member: str
    rights: int


@dataclass(frozen=True, slots=True)
class GromoxRule:
    """A standard rule; condition and actions as they are stored ([MS-OXORULE] 2.2.1)."""

    fid: int
    name: str
    provider: str
    sequence: int
    state: int
    level: int
    user_flags: int
    provider_data: bytes
    condition: bytes
    actions: bytes


@dataclass(frozen=True, slots=True)
class OutOfOffice:
    """`state`: 0 off, 1 on, 2 from `start` to `end` (Unix time). The texts are MIME entities or plain."""

    state: int = 0
    start: int = 0
    end: int = 0
    external: bool = False
    known_only: bool = False
    internal_text: str = ""
    external_text: str = ""


def _readable(method: Callable[P, T]) -> Callable[P, T]:
    """Columns may have values of any type: what is none of those that are expected is a WireError."""

    @wraps(method)
    def read(*args: P.args, **more: P.kwargs) -> T:
        try:
            return method(*args, **more)
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise WireError(f"a row that cannot be: {error}") from error

    return read


class GromoxStore:
    """The mailbox in a folder, with its GUID (b"" when it has none). WireError when there is no mailbox. Close it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        path = os.path.join(folder, "exmdb", "exchange.sqlite3")
        if not os.path.exists(path):
            raise WireError(f"no mailbox: {path} is not there")
        try:
            self._db = sqlite3.connect(read_only(path), uri=True, check_same_thread=False)
            self._db.execute("PRAGMA trusted_schema = OFF")
            self._db.text_factory = lambda octets: octets.decode("utf-8", "replace")
            settings = dict(self._db.execute("SELECT config_id, config_value FROM configurations"))
            self.version = int(settings.get(10, 0))
            self.guid = _guid(settings.get(1))
            self._names = self._read_names()
            self.private = bool(self._db.execute("SELECT 1 FROM folders WHERE folder_id=9").fetchall())
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise WireError(f"no mailbox: {error}") from error
        if not OLDEST <= self.version <= NEWEST:
            self.close()
            raise WireError(f"mailbox of schema {self.version}")

    def close(self) -> None:
        self._db.close()

    def __enter__(self) -> GromoxStore:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _rows(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise WireError(f"database: {error}") from error

    def _read_names(self) -> dict[int, PropertyName]:
        found = self._rows("SELECT propid, name_string FROM named_properties")
        return {propid: name for propid, text in found if (name := name_of(text_of(text))) is not None}

    # ------------------------------------------------------------------------------------------ folders

    @_readable
    def folders(self) -> list[GromoxFolder]:
        """All folders that are not deleted, parents first."""
        search = "is_search" if self.private else "0"
        counts = dict(self._rows(
            "SELECT parent_fid, count(*) FROM messages WHERE parent_fid IS NOT NULL AND NOT is_deleted"
            " GROUP BY parent_fid"
        ))  # fmt: skip
        names = self._folder_texts(PidTagDisplayName)
        classes = self._folder_texts(PidTagContainerClass)
        comments = self._folder_texts(PidTagComment)
        rows = self._rows(f"SELECT folder_id, parent_id, {search} FROM folders WHERE NOT is_deleted")
        children: dict[int, list[tuple[int, int]]] = {}
        for fid, parent, searching in rows:
            children.setdefault(parent or 0, []).append((fid, searching))
        found, waiting = [], [0]
        while waiting:
            parent = waiting.pop(0)
            for fid, searching in sorted(children.pop(parent, [])):
                found.append(GromoxFolder(
                    fid, parent, names.get(fid, ""), classes.get(fid, ""), comments.get(fid, ""), bool(searching),
                    counts.get(fid, 0),
                ))  # fmt: skip
                waiting.append(fid)
        return found

    def _folder_texts(self, tag: int) -> dict[int, str]:
        sql = "SELECT folder_id, propval FROM folder_properties WHERE proptag IN (?, ?)"
        eight = prop_id(tag) << 16 | PropType.PtypString8
        return {fid: text_of(value) for fid, value in self._rows(sql, (tag, eight))}

    @_readable
    def permissions(self) -> list[GromoxPermission]:
        sql = "SELECT folder_id, username, permission FROM permissions ORDER BY folder_id, member_id"
        return [GromoxPermission(fid, text_of(who), int(rights)) for fid, who, rights in self._rows(sql)]

    @_readable
    def rules(self) -> list[GromoxRule]:
        sql = (
            "SELECT folder_id, name, provider, sequence, state, level, user_flags, provider_data, condition, actions"
            " FROM rules ORDER BY folder_id, sequence"
        )
        return [
            GromoxRule(
                fid, text_of(name or ""), text_of(provider), sequence, state, level or 0, flags or 0, data or b"",
                condition, actions,
            )
            for fid, name, provider, sequence, state, level, flags, data, condition, actions in self._rows(sql)
        ]  # fmt: skip

    # ------------------------------------------------------------------------------------------ messages

    def messages(self, fid: int) -> Iterator[int]:
        """The ids of a folder's messages, associated ones too, deleted ones not."""
        sql = "SELECT message_id FROM messages WHERE parent_fid=? AND NOT is_deleted ORDER BY message_id"
        for (mid,) in self._rows(sql, (fid,)):
            yield mid

    @_readable
    def message(self, mid: int, *, whole: bool = True) -> GromoxMessage:
        """One message with all it has. Not `whole`: one that has its RFC 5322 text has no texts and attachments."""
        columns = "is_associated, mid_string, read_state" if self.private else "is_associated, mid_string, 1"
        found = next(iter(self._rows(f"SELECT {columns} FROM messages WHERE message_id=?", (mid,))), None)
        if found is None:
            raise WireError(f"no message {mid:#x}")
        associated, mid_string, read = found
        message = GromoxMessage(mid, Item(), bool(read), bool(associated), self._eml(mid_string))
        if whole or associated or not message.eml:
            message.item = self._item(mid, message.problems, 0)
        else:
            message.item.props = self._bag(message.item, _SLIM, "message_id", mid, message.problems)
        return message

    def _eml(self, mid_string: Any) -> bytes:
        if not isinstance(mid_string, str) or not mid_string or "/" in mid_string or mid_string.startswith("."):
            return b""
        if mid_string.endswith(GENERATED):
            return b""
        try:
            with open(content.plain_file(os.path.join(self.folder, "eml", mid_string)), "rb") as file:
                return file.read()
        except OSError:
            return b""

    def _item(self, mid: int, problems: list[str], depth: int) -> Item:
        item = Item()
        item.props = self._bag(item, "message_properties", "message_id", mid, problems)
        sql = "SELECT recipient_id FROM recipients WHERE message_id=? ORDER BY recipient_id"
        item.recipients = [
            self._bag(item, "recipients_properties", "recipient_id", one, problems)
            for (one,) in self._rows(sql, (mid,))
        ]
        sql = "SELECT attachment_id FROM attachments WHERE message_id=? ORDER BY attachment_id"
        for (one,) in self._rows(sql, (mid,)):
            props = self._bag(item, "attachment_properties", "attachment_id", one, problems)
            item.attachments.append(self._attachment(one, props, problems, depth))
        return item

    def _attachment(self, number: int, props: Bag, problems: list[str], depth: int) -> ItemAttachment:
        data = props.pop(PidTagAttachDataBinary, None)
        whole = props.pop(PidTagAttachDataObject, None)
        octets = data if isinstance(data, bytes) else whole if isinstance(whole, bytes) else b""
        embedded = None
        if props.get(PidTagAttachMethod) == EMBEDDED_MESSAGE:
            sql = "SELECT message_id FROM messages WHERE parent_attid=?"
            child = next(iter(self._rows(sql, (number,))), None)
            if child is not None and depth < MOST_DEPTH:
                embedded = self._item(child[0], problems, depth + 1)
        return ItemAttachment(props, octets, embedded)

    def _bag(self, item: Item, table: str, column: str, number: int, problems: list[str]) -> Bag:
        bag: Bag = {}
        for tag, stored in self._rows(f"SELECT proptag, propval FROM {table} WHERE {column}=?", (number,)):
            try:
                self._take(item, bag, int(tag) & 0xFFFFFFFF, stored)
            except WireError as error:
                problems.append(f"{int(tag):#010x}: {error}")
        return bag

    def _take(self, item: Item, bag: Bag, tag: int, stored: Any) -> None:
        number, kind = prop_id(tag), prop_type(tag)
        if kind & ~MULTIPLE == PropType.PtypString8:  # both are UTF-8 there
            kind += 1
        if number in EXTERNAL and isinstance(stored, (str, bytes)):
            octets = content.read(self.folder, text_of(stored), text=kind == PropType.PtypString)
            bag[number << 16 | kind] = value_of(kind, octets)
            return
        if number >= FIRST_NAMED:
            name = self._names.get(number)
            if name is None:
                raise WireError("named property without a name")
            number = built_in_id(name) or item.foreign_id(name)
        bag[number << 16 | kind] = value_of(kind, stored)

    # ------------------------------------------------------------------------------------------ changes

    @_readable
    def versions(self, fid: int) -> list[Version]:
        """A folder's messages in the order that IMAP had them in, with the numbers of their last changes."""
        read_cn = "read_cn" if self.private else "0"
        sql = (
            f"SELECT message_id, change_number, ifnull({read_cn}, 0) FROM messages WHERE parent_fid=? AND NOT"
            " is_deleted"
        )
        uids = self._uids(fid)
        found = [Version(*row) for row in self._rows(sql, (fid,))]
        last = 1 << 32
        return sorted(found, key=lambda one: (uids.get(one.mid, last), one.mid))

    @_readable
    def associated(self, fid: int) -> set[int]:
        """Those of a folder's messages that are associated ones."""
        sql = "SELECT message_id FROM messages WHERE parent_fid=? AND is_associated"
        return {mid for (mid,) in self._rows(sql, (fid,))}

    def _uids(self, fid: int) -> dict[int, int]:
        return dict(self._index("SELECT message_id, uid FROM messages WHERE folder_id=?", fid))

    @_readable
    def subscribed(self) -> list[int]:
        """The folders that IMAP clients were subscribed to, as far as the index of these is there."""
        return [fid for (fid,) in self._index("SELECT folder_id FROM folders WHERE unsub=0")]

    def _index(self, sql: str, *values: int) -> list[Any]:
        """Rows of IMAP's index; none when it is not there: it can be made anew."""
        path = os.path.join(self.folder, "exmdb", "midb.sqlite3")
        if not os.path.exists(path):
            return []
        try:
            with closing(sqlite3.connect(read_only(path), uri=True)) as db:
                return db.execute(sql, values).fetchall()
        except sqlite3.Error:
            return []

    @_readable
    def readers(self) -> list[tuple[str, int, int]]:
        """Of a public store: (user, folder, message) for each message that a user has read."""
        if self.private:
            return []
        sql = (
            "SELECT username, parent_fid, r.message_id FROM read_states r JOIN messages m USING (message_id)"
            " WHERE NOT is_deleted AND parent_fid IS NOT NULL ORDER BY username, parent_fid"
        )
        return [(text_of(user), fid, mid) for user, fid, mid in self._rows(sql)]

    # ------------------------------------------------------------------------------------------ settings

    def store_properties(self) -> Item:
        """The properties of the mailbox itself; broken ones are left out."""
        return self._properties("SELECT proptag, propval FROM store_properties")

    def folder_properties(self, fid: int) -> Item:
        """The properties of a folder; broken ones are left out."""
        return self._properties("SELECT proptag, propval FROM folder_properties WHERE folder_id=?", fid)

    def _properties(self, sql: str, *values: int) -> Item:
        item = Item()
        for tag, stored in self._rows(sql, values):
            with suppress(WireError):
                self._take(item, item.props, int(tag) & 0xFFFFFFFF, stored)
        return item

    def name_of(self, number: int) -> PropertyName | None:
        """The name of a property id of this mailbox, as rules use them."""
        return self._names.get(number)

    def addresses(self, name: str) -> list[str]:
        """The lines of config/delegates.txt or config/sendas.txt."""
        return [line.strip() for line in self._config(name).splitlines() if "@" in line]

    def out_of_office(self) -> OutOfOffice:
        settings = dict(self._pairs(self._config("autoreply.cfg")))
        return OutOfOffice(
            _number(settings.get("oof_state")), _number(settings.get("start_time")), _number(settings.get("end_time")),
            _number(settings.get("allow_external_oof")) != 0, _number(settings.get("external_audience")) != 0,
            self._config("internal-reply"), self._config("external-reply"),
        )  # fmt: skip

    def _config(self, name: str) -> str:
        try:
            with open(os.path.join(self.folder, "config", name), "rb") as file:
                return file.read(1 << 20).decode("utf-8", "replace")
        except OSError:
            return ""

    def _pairs(self, text: str) -> Iterator[tuple[str, str]]:
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and not key.lstrip().startswith("#"):
                yield key.strip().lower(), value.strip()


def read_only(path: str) -> str:
    """The URI of a database that is only read, whatever signs are in its path."""
    return f"file:{quote(os.path.abspath(path))}?mode=ro"


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else 0


def _guid(stored: Any) -> bytes:
    try:
        return UUID(text_of(stored)).bytes_le
    except (TypeError, ValueError):
        return b""
