"""The rows of the directory that the address book is made of. Everything here blocks.

Who is in: rows of `users` that are in a domain and no department (`group_id` 0), with a display type; not deleted ones,
nor those of deleted domains. Suspended ones keep their names, but are in no list.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Generator
from typing import Any, Final

from sqlalchemy import Connection, Select, func, literal_column, select

from gromoxd.addressbook.entry import HIGHEST_DOMAIN, HIGHEST_USER, Entry, Hidden, Kind
from gromoxd.directory.model import DomainStatus, Status
from gromoxd.directory.schema import aliases, associations, domains, mlists, user_properties, users
from gromoxd.mapi import proptags as tags
from gromoxd.mapi.evaluate import canonical
from gromoxd.mapi.types import MULTIPLE, PropType, PropValue

HIDDEN_BITS: Final = 0x10F40003
HIDDEN_FLAG: Final = 0x10F4000B
_SETTINGS: Final = frozenset({HIDDEN_BITS, HIDDEN_FLAG, tags.PidTagDisplayTypeEx})
_KEPT_APART: Final = frozenset({tags.PidTagDisplayName, tags.PidTagSmtpAddress})
"""Properties that an entry has as its own fields, or that are no properties of the object."""
_EVERYWHERE_HIDDEN: Final = Hidden.GAL | Hidden.LISTS | Hidden.DELEGATES | Hidden.NAMES
ROWS_AT_ONCE: Final = 5000


class DomainRow:
    """A domain with its organisation (0: none but itself)."""

    __slots__ = ("id", "name", "org_id", "title")

    def __init__(self, number: int, org_id: int, name: str, title: str) -> None:
        self.id, self.org_id, self.name, self.title = number, org_id, name.lower(), title

    @property
    def book(self) -> tuple[int, int]:
        """What domains of one organisation have in common."""
        return (1, self.org_id) if self.org_id else (0, self.id)


def read_domains(connection: Connection) -> list[DomainRow]:
    """All domains that are not deleted."""
    columns = domains.c.id, domains.c.org_id, domains.c.domainname, domains.c.title
    statement = select(*columns).where(
        domains.c.domain_status != DomainStatus.DELETED, domains.c.id <= HIGHEST_DOMAIN
    ).order_by(domains.c.id)  # fmt: skip
    return [DomainRow(row[0], row[1], row[2], row[3] or "") for row in connection.execute(statement)]


def read_aliases(connection: Connection) -> dict[str, list[str]]:
    """Aliases by user name, in lower case and order."""
    found: dict[str, list[str]] = defaultdict(list)
    for alias, name in _stream(connection, select(aliases.c.aliasname, aliases.c.mainname)):
        found[name.lower()].append(alias.lower())
    return found


def read_lists(connection: Connection) -> tuple[dict[str, tuple[int, int]], dict[int, list[str]]]:
    """(list type and id by list name, members by list id)."""
    kinds = {
        row[0].lower(): (row[1], row[2])
        for row in connection.execute(select(mlists.c.listname, mlists.c.list_type, mlists.c.id))
    }
    members: dict[int, list[str]] = defaultdict(list)
    for number, name in _stream(connection, select(associations.c.list_id, associations.c.username)):
        members[number].append(name.lower())
    return kinds, members


def read_users(connection: Connection) -> list[tuple[Any, ...]]:
    """(id, user name, domain id, whether it has a mailbox, address status) by id."""
    columns = users.c.id, users.c.username, users.c.domain_id, users.c.maildir, users.c.address_status
    statement = select(*columns).where(
        users.c.domain_id > 0, users.c.group_id == 0, users.c.id <= HIGHEST_USER
    ).order_by(users.c.id)  # fmt: skip
    found = []
    for row in _stream(connection, statement):
        if row[4] & 0x0F != Status.DELETED:
            found.append((row[0], row[1].lower(), row[2], bool(row[3]), row[4]))
    return found


def read_properties(connection: Connection) -> Generator[tuple[int, dict[int, PropValue]], None, None]:
    """(user id, properties) by user id. Strings become Unicode ones; values that cannot be read are left out."""
    columns = (
        user_properties.c.user_id, user_properties.c.proptag, user_properties.c.propval_bin,
        user_properties.c.propval_str,
    )  # fmt: skip
    order = user_properties.c.user_id, user_properties.c.proptag, user_properties.c.order_id
    current = -1
    bag: dict[int, PropValue] = {}
    for user_id, tag, octets, text in _stream(connection, select(*columns).order_by(*order)):
        if user_id != current:
            if bag:
                yield current, bag
            current, bag = user_id, {}
        _add(bag, tag, octets, text)
    if bag:
        yield current, bag


def _add(bag: dict[int, Any], tag: int, octets: bytes | None, text: str | None) -> None:
    tag = canonical(tag)
    value = property_value(tag & 0xFFFF & ~MULTIPLE, octets, text)
    if value is None:
        return
    if tag & MULTIPLE:
        bag.setdefault(tag, []).append(value)
    else:
        bag[tag] = value


def property_value(kind: int, octets: bytes | None, text: str | None) -> Any:
    """A value as user_properties has it; None for one that is not of its type."""
    if kind == PropType.PtypBinary:
        return bytes(octets) if octets is not None else text.encode() if text is not None else None
    if text is None:
        text = bytes(octets).decode("utf-8", "replace") if octets is not None else ""
    if kind == PropType.PtypString:
        return text.replace("\0", "") or None
    try:
        if kind in _NUMBERS:
            number = int(text)
            low, high = _NUMBERS[kind]
            return (bool(number) if kind == PropType.PtypBoolean else number) if low <= number <= high else None
        return float(text) if kind in (PropType.PtypFloating32, PropType.PtypFloating64) else None
    except ValueError:
        return None


_NUMBERS: Final[dict[int, tuple[int, int]]] = {
    PropType.PtypBoolean: (-(1 << 31), 1 << 31),
    PropType.PtypInteger16: (-(1 << 15), (1 << 15) - 1),
    PropType.PtypInteger32: (-(1 << 31), (1 << 31) - 1),
    PropType.PtypInteger64: (-(1 << 63), (1 << 63) - 1),
    PropType.PtypTime: (0, (1 << 63) - 1),
}


def entry_of(
    row: tuple[Any, ...], bag: dict[int, Any], others: list[str], list_type: int, outside: int = 0
) -> Entry | None:
    """The object of a users row with its properties, aliases and list type (-1: no list); None when it is none."""
    user_id, username, domain_id, has_store, status = row
    kind = _kind(bag.get(tags.PidTagDisplayTypeEx), status)
    if kind is None:
        return None
    props = {tag: value for tag, value in bag.items() if tag not in _SETTINGS and tag not in _KEPT_APART}
    name = bag.get(tags.PidTagDisplayName) or bag.get(tags.PidTagNickname) or username
    smtp = bag.get(tags.PidTagSmtpAddress) if kind == Kind.CONTACT else None
    return Entry(
        user_id, domain_id, kind, username, name, smtp or username, _hidden(bag, status), has_store,
        list_type == 2, outside, sorted(others), props,
    )  # fmt: skip


_BY_STATUS: Final[dict[int, int]] = {Status.CONTACT: Kind.CONTACT, Status.SHARED: Kind.SHARED}


def _kind(shown: Any, status: int) -> int | None:
    if not isinstance(shown, int) or shown not in (0, 1, 6, 7, 8):
        return None
    if shown == Kind.USER:
        return _BY_STATUS.get(status & 0x0F, Kind.USER)
    return shown


def _hidden(bag: dict[int, Any], status: int) -> int:
    if status & 0x0F == Status.SUSPENDED or status & 0x30:
        return int(_EVERYWHERE_HIDDEN)
    bits = bag.get(HIDDEN_BITS)
    if isinstance(bits, int):
        return bits & int(_EVERYWHERE_HIDDEN)
    return int(Hidden.GAL | Hidden.LISTS) if bag.get(HIDDEN_FLAG) else 0


def _stream(connection: Connection, statement: Select[Any]) -> Generator[Any, None, None]:
    """The rows of a large result, without holding all of them."""
    with connection.execute(statement, execution_options={"stream_results": True, "yield_per": ROWS_AT_ONCE}) as rows:
        yield from rows


_TABLES: Final = (
    (users, (users.c.id, users.c.username, users.c.domain_id, users.c.group_id, users.c.address_status)),
    (domains, (domains.c.id, domains.c.org_id, domains.c.domainname, domains.c.title, domains.c.domain_status)),
    (aliases, (aliases.c.aliasname, aliases.c.mainname)),
    (mlists, (mlists.c.id, mlists.c.listname, mlists.c.list_type)),
    (associations, (associations.c.list_id, associations.c.username)),
    (
        user_properties,
        (
            user_properties.c.user_id, user_properties.c.proptag, user_properties.c.order_id,
            user_properties.c.propval_str, user_properties.c.propval_bin,
        ),
    ),
)  # fmt: skip


def stamp(connection: Connection) -> str:
    """Something that differs once the rows differ: a checksum that the database makes itself, or reads from its file.

    SQLite counts its transactions in the file's head and its log; MariaDB sums up checksums of rows, which costs it
    about a second for a million of them.
    """
    if connection.dialect.name == "sqlite":
        path = connection.exec_driver_sql("PRAGMA database_list").fetchone()
        return _file_stamp(path[2] if path is not None else "")
    found = []
    for table, columns in _TABLES:
        joined = func.concat_ws(literal_column("'|'"), *[func.coalesce(column, "") for column in columns])
        row = connection.execute(select(func.count(), func.sum(func.crc32(joined))).select_from(table)).one()
        found.append(f"{row[0]}.{row[1] or 0}")
    return "-".join(found)


def _file_stamp(path: str) -> str:
    found = []
    for name in (path, f"{path}-wal"):
        try:
            status = os.stat(name)
        except OSError:
            continue
        found.append(f"{status.st_mtime_ns}.{status.st_size}")
    return "-".join(found)
