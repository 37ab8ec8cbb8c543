"""Administration of the directory: what `gromoxctl domain|user|alias|altname|server|list` do. Everything here blocks.

Every method is one transaction and raises AdminError with a sentence for the administrator. Mailbox folders are not
made here: the store makes them when they are first used.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, delete, func, insert, or_, select, update
from sqlalchemy.exc import DBAPIError, IntegrityError

from gromoxd.directory import nthash, passwords, queries, schema
from gromoxd.directory.errors import AdminError
from gromoxd.directory.model import (
    DEFAULT_PRIVILEGES,
    LONGEST_NAME,
    DisplayType,
    Domain,
    DomainStatus,
    ListType,
    MailingList,
    Server,
    Status,
    User,
)
from gromoxd.directory.queries import PR_DISPLAY_NAME, PR_DISPLAY_TYPE_EX
from gromoxd.directory.schema import aliases, altnames, associations, domains, mlists, servers, specifieds, users

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_LOCAL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}")
_USER_FIELDS = frozenset({"maildir", "lang", "timezone", "privilege_bits", "address_status", "externid"})
_DOMAIN_FIELDS = frozenset({"title", "address", "admin_name", "tel", "max_user", "homedir", "org_id"})


def checked_domain(name: str) -> str:
    """A domain name in lower case. AdminError for what is none."""
    name = name.strip().rstrip(".").lower()
    if len(name) > 255 or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise AdminError(f"{name!r} is not a domain name (write an international one in its xn-- form)")
    return name


def checked_server(name: str) -> str:
    """A home server's name, `host` or `host:port`, in lower case. AdminError for what is none."""
    host, colon, port = name.strip().partition(":")
    if colon and not (port.isdigit() and 0 < int(port) < 65536):
        raise AdminError(f"{name!r} is not a server: the port is a number up to 65535")
    return checked_domain(host) + colon + port


def checked_address(address: str) -> str:
    """A mail address in lower case. AdminError for what is none."""
    local, at, domain = address.strip().rpartition("@")
    if not at or not _LOCAL.fullmatch(local) or len(address) > LONGEST_NAME:
        raise AdminError(f"{address!r} is not a mail address of ASCII characters")
    return f"{local.lower()}@{checked_domain(domain)}"


class Admin:
    """Operations on one directory database. `data` is the absolute folder under which new mailboxes go."""

    def __init__(self, engine: Engine, data: str, *, store_nt_hash: bool = False) -> None:
        self._engine = engine
        self._data = data
        self._nt_hashes = store_nt_hash

    @contextmanager
    def _change(self) -> Iterator[Connection]:
        """A transaction; database errors become AdminErrors without statement and parameters."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError as error:
            raise AdminError(f"the database refuses: {error.orig}") from error
        except DBAPIError as error:
            hint = " (is the directory created? gromoxctl db create)" if "no such table" in str(error.orig) else ""
            raise AdminError(f"directory database: {error.orig}{hint}") from error

    # ------------------------------------------------------------------------------------------ domains

    def add_domain(self, name: str, *, homeserver: str = "", homedir: str = "", **fields: Any) -> int:
        """Add a domain; answers its id. The public store goes to `<data>/domain/<id>` unless `homedir` says else."""
        name = checked_domain(name)
        values = _only(fields, _DOMAIN_FIELDS)
        with self._change() as connection:
            if queries.find_domain(connection, name) is not None:
                raise AdminError(f"there is a domain {name} already")
            home = _server_id(connection, homeserver)
            made = connection.execute(insert(domains).values(domainname=name, homeserver=home, **values))
            number = _new_id(made)
            folder = _path(homedir or os.path.join(self._data, "domain", str(number)))
            connection.execute(update(domains).where(domains.c.id == number).values(homedir=folder))
            return number

    def domains(self) -> list[dict[str, Any]]:
        """All domains with the number of their users."""
        with self._change() as connection:
            counts: dict[int, int] = dict(
                connection.execute(
                    select(users.c.domain_id, func.count()).where(users.c.domain_id > 0).group_by(users.c.domain_id)
                ).all()
            )
            rows = connection.execute(queries.ALL_DOMAINS).all()
            found = [queries.domain_of(row) for row in rows]
        return [{**_domain_dict(domain), "users": counts.get(domain.id, 0)} for domain in found]

    def domain(self, name: str) -> dict[str, Any]:
        """One domain."""
        with self._change() as connection:
            return _domain_dict(_domain(connection, name))

    def set_domain(self, name: str, *, status: int | None = None, homeserver: str | None = None, **fields: Any) -> None:
        """Change a domain. `status` is mirrored into its users' address_status, as the schema wants."""
        values = _only(fields, _DOMAIN_FIELDS)
        with self._change() as connection:
            domain = _domain(connection, name)
            if homeserver is not None:
                values["homeserver"] = _server_id(connection, homeserver)
            if status is not None:
                values["domain_status"] = DomainStatus(status).value
                mirrored = users.c.address_status.op("&")(0x0F) + (status << 4)
                connection.execute(update(users).where(users.c.domain_id == domain.id).values(address_status=mirrored))
            if values:
                connection.execute(update(domains).where(domains.c.id == domain.id).values(**values))

    def delete_domain(self, name: str, *, with_users: bool = False) -> None:
        """Delete a domain; one that has users only together with them. Mailbox folders stay on disk."""
        with self._change() as connection:
            domain = _domain(connection, name)
            ids = list(connection.execute(select(users.c.id).where(users.c.domain_id == domain.id)).scalars())
            if ids and not with_users:
                raise AdminError(f"{domain.name} has {len(ids)} users; delete them first")
            for number in ids:
                _delete_user(connection, number)
            connection.execute(delete(schema.disabled_plugins).where(schema.disabled_plugins.c.domain_id == domain.id))
            connection.execute(delete(domains).where(domains.c.id == domain.id))

    # ------------------------------------------------------------------------------------------ users

    def add_user(self, name: str, *, password: str | None = None, **more: Any) -> int:
        """Add a user of an existing domain; answers the id. Without a password nobody can log in as this user.

        `more`: display_name, homeserver, maildir, privilege_bits, status, display_type, lang, timezone.
        """
        hashed = _hash(password) if password is not None else ""
        self._prepare()
        with self._change() as connection:
            number = self._insert_user(connection, checked_address(name), hashed, **more)
            self._keep_nt_hash(connection, number, hashed, password)
            return number

    def _insert_user(
        self, connection: Connection, name: str, hashed: str = "", *, display_name: str = "", homeserver: str = "",
        maildir: str = "", privilege_bits: int = DEFAULT_PRIVILEGES, status: int = 0,
        display_type: int = DisplayType.USER, lang: str = "", timezone: str = "",
    ) -> int:  # fmt: skip
        domain = _room_in(connection, name.rpartition("@")[2])
        _free(connection, name)
        made = connection.execute(
            insert(users).values(
                username=name, password=hashed, domain_id=domain.id, homeserver=_server_id(connection, homeserver),
                lang=lang, timezone=timezone, privilege_bits=int(privilege_bits),
                address_status=status + (domain.status << 4),
            )
        )  # fmt: skip
        number = _new_id(made)
        if display_type != DisplayType.LIST and status != Status.CONTACT:
            folder = _path(maildir or os.path.join(self._data, "user", f"{number % 256:02x}", str(number)))
            connection.execute(update(users).where(users.c.id == number).values(maildir=folder))
        _set_property(connection, number, PR_DISPLAY_TYPE_EX, str(int(display_type)))
        if display_name:
            _set_property(connection, number, PR_DISPLAY_NAME, display_name)
        return number

    def users(self, domain: str = "") -> list[dict[str, Any]]:
        """All users, or those of a domain, by name."""
        with self._change() as connection:
            statement = queries.ALL_USERS.order_by(users.c.username)
            if domain:
                statement = statement.where(users.c.domain_id == _domain(connection, domain).id)
            return [_user_dict(*queries.user_of(row)) for row in connection.execute(statement).all()]

    def user(self, name: str) -> dict[str, Any]:
        """One user with properties, aliases, alternate names and lists."""
        with self._change() as connection:
            user, stored = _user(connection, name)
            shown = _user_dict(user, stored)
            shown["properties"] = {
                f"0x{row[0]:08x}": row[1] if row[1] is not None else (row[2] or b"").hex()
                for row in connection.execute(
                    select(
                        schema.user_properties.c.proptag,
                        schema.user_properties.c.propval_str,
                        schema.user_properties.c.propval_bin,
                    ).where(schema.user_properties.c.user_id == user.id)
                )
            }
            shown["display_name"] = shown["properties"].get(f"0x{PR_DISPLAY_NAME:08x}", "")
            shown["aliases"] = _names(
                connection, select(aliases.c.aliasname).where(aliases.c.mainname == user.username)
            )
            shown["altnames"] = _names(connection, select(altnames.c.altname).where(altnames.c.user_id == user.id))
            shown["lists"] = _names(
                connection,
                select(mlists.c.listname)
                .join(associations, associations.c.list_id == mlists.c.id)
                .where(associations.c.username == user.username),
            )
            return shown

    def set_user(
        self, name: str, *, homeserver: str | None = None, status: int | None = None,
        properties: Mapping[int, str | None] | None = None, **fields: Any,
    ) -> None:  # fmt: skip
        """Change a user. `properties` maps tags to texts (None removes); `status` is the low half of address_status."""
        values = _only(fields, _USER_FIELDS)
        with self._change() as connection:
            user = _user(connection, name)[0]
            if homeserver is not None:
                values["homeserver"] = _server_id(connection, homeserver)
            if status is not None:
                values["address_status"] = (user.address_status & 0x30) | status
            if values.get("maildir"):
                values["maildir"] = _path(values["maildir"])
            if values:
                connection.execute(update(users).where(users.c.id == user.id).values(**values))
            for tag, value in (properties or {}).items():
                _set_property(connection, user.id, tag, value)

    def set_password(self, name: str, password: str) -> None:
        """Give a user a new password, and with `store_nt_hash` a new NT hash."""
        hashed = _hash(password)
        self._prepare()
        with self._change() as connection:
            user = _user(connection, name)[0]
            connection.execute(update(users).where(users.c.id == user.id).values(password=hashed))
            self._keep_nt_hash(connection, user.id, hashed, password)

    def _prepare(self) -> None:
        """MariaDB makes no table within a transaction."""
        if self._nt_hashes:
            with self._change() as connection:
                nthash.prepare(connection)

    def _keep_nt_hash(self, connection: Connection, number: int, hashed: str, password: str | None) -> None:
        if self._nt_hashes and password is not None:
            nthash.keep(connection, number, hashed, password)
        else:
            nthash.forget(connection, number)

    def delete_user(self, name: str) -> str:
        """Delete a user or a list's user; answers the mailbox folder, which stays on disk."""
        with self._change() as connection:
            user = _user(connection, name)[0]
            _delete_user(connection, user.id)
            return user.maildir

    # ------------------------------------------------------------------------------------------ other names

    def add_alias(self, alias: str, name: str) -> None:
        """Let mail for `alias` go to the user `name`."""
        alias = checked_address(alias)
        with self._change() as connection:
            user = _user(connection, name)[0]
            _free(connection, alias)
            connection.execute(insert(aliases).values(aliasname=alias, mainname=user.username))

    def delete_alias(self, alias: str) -> None:
        with self._change() as connection:
            if not connection.execute(delete(aliases).where(aliases.c.aliasname == alias)).rowcount:
                raise AdminError(f"there is no alias {alias}")

    def aliases(self, name: str = "") -> list[tuple[str, str]]:
        """(alias, user) pairs, of one user or of all."""
        with self._change() as connection:
            statement = select(aliases.c.aliasname, aliases.c.mainname).order_by(aliases.c.aliasname)
            if name:
                statement = statement.where(aliases.c.mainname == _user(connection, name)[0].username)
            return [(row[0], row[1]) for row in connection.execute(statement)]

    def add_altname(self, altname: str, name: str) -> None:
        """Let the user `name` log in as `altname` too."""
        altname = altname.strip().lower()
        if not 0 < len(altname) <= LONGEST_NAME or not altname.isascii() or not altname.isprintable():
            raise AdminError(f"{altname!r} is not a name of ASCII characters")
        with self._change() as connection:
            user = _user(connection, name)[0]
            _free(connection, altname)
            connection.execute(insert(altnames).values(user_id=user.id, altname=altname))

    def delete_altname(self, altname: str) -> None:
        with self._change() as connection:
            if not connection.execute(delete(altnames).where(altnames.c.altname == altname)).rowcount:
                raise AdminError(f"there is no alternate name {altname}")

    def altnames(self, name: str = "") -> list[tuple[str, str]]:
        """(alternate name, user) pairs, of one user or of all."""
        with self._change() as connection:
            statement = (
                select(altnames.c.altname, users.c.username)
                .join(users, users.c.id == altnames.c.user_id)
                .order_by(altnames.c.altname)
            )
            if name:
                statement = statement.where(users.c.id == _user(connection, name)[0].id)
            return [(row[0], row[1]) for row in connection.execute(statement)]

    # ------------------------------------------------------------------------------------------ servers

    def add_server(self, hostname: str, extname: str = "") -> int:
        """Add a home server; answers its id (users.homeserver)."""
        hostname = checked_server(hostname)
        extname = checked_server(extname) if extname else hostname.partition(":")[0]
        with self._change() as connection:
            made = connection.execute(insert(servers).values(hostname=hostname, extname=extname))
            return _new_id(made)

    def servers(self) -> list[dict[str, Any]]:
        """All home servers with the number of users and public stores at home there."""
        with self._change() as connection:
            count = select(func.count()).select_from(users).where(users.c.homeserver == servers.c.id).scalar_subquery()
            statement = select(servers.c.id, servers.c.hostname, servers.c.extname, count).order_by(servers.c.id)
            return [
                {"id": row[0], "hostname": row[1], "extname": row[2], "users": row[3]}
                for row in connection.execute(statement)
            ]

    def set_server(self, name: str, *, hostname: str = "", extname: str = "") -> None:
        """Rename a home server, inside or as told to clients."""
        values = {}
        if hostname:
            values["hostname"] = checked_server(hostname)
        if extname:
            values["extname"] = checked_server(extname)
        with self._change() as connection:
            server = _server(connection, name)
            if values:
                connection.execute(update(servers).where(servers.c.id == server.id).values(**values))

    def delete_server(self, name: str) -> None:
        """Delete a home server that is nobody's home."""
        with self._change() as connection:
            server = _server(connection, name)
            for table in (users, domains):
                if connection.execute(select(table.c.id).where(table.c.homeserver == server.id).limit(1)).first():
                    raise AdminError(f"{server.hostname} is still the home of some {table.name}")
            connection.execute(delete(servers).where(servers.c.id == server.id))

    # ------------------------------------------------------------------------------------------ lists

    def add_list(self, name: str, *, list_type: int = ListType.NORMAL, privilege: int = 0) -> int:
        """Add a mailing list: its users row (display type 1) and its mlists row; answers the latter's id."""
        name = checked_address(name)
        with self._change() as connection:
            self._insert_user(connection, name, display_type=DisplayType.LIST, privilege_bits=0)
            domain = _domain(connection, name.rpartition("@")[2])
            made = connection.execute(
                insert(mlists).values(
                    listname=name, domain_id=domain.id, list_type=int(list_type), list_privilege=int(privilege)
                )
            )
            return _new_id(made)

    def lists(self) -> list[dict[str, Any]]:
        """All mailing lists."""
        with self._change() as connection:
            names = _names(connection, select(mlists.c.listname))
            return [_list_dict(_list(connection, name)) for name in names]

    def show_list(self, name: str) -> dict[str, Any]:
        """One mailing list with members and allowed senders."""
        with self._change() as connection:
            return _list_dict(_list(connection, name))

    def set_list(self, name: str, *, privilege: int) -> None:
        """Say who may write to a list."""
        with self._change() as connection:
            connection.execute(
                update(mlists).where(mlists.c.id == _list(connection, name).id).values(list_privilege=int(privilege))
            )

    def delete_list(self, name: str) -> None:
        with self._change() as connection:
            found = _list(connection, name)
            _delete_user(connection, _user(connection, found.name)[0].id)

    def add_member(self, name: str, member: str) -> None:
        """Put an address on a list."""
        self._add_to(associations, name, checked_address(member))

    def delete_member(self, name: str, member: str) -> None:
        self._delete_from(associations, name, member)

    def add_sender(self, name: str, sender: str) -> None:
        """Allow an address or a whole domain to write to a list of privilege 3."""
        self._add_to(specifieds, name, checked_address(sender) if "@" in sender else checked_domain(sender))

    def delete_sender(self, name: str, sender: str) -> None:
        self._delete_from(specifieds, name, sender)

    def _add_to(self, table: Table, name: str, address: str) -> None:
        with self._change() as connection:
            found = _list(connection, name)
            if table is associations and found.type != ListType.NORMAL:
                raise AdminError(f"the members of {found.name} are its domain's users")
            _remove(connection, table, found.id, address)
            connection.execute(insert(table).values(list_id=found.id, username=address))

    def _delete_from(self, table: Table, name: str, address: str) -> None:
        with self._change() as connection:
            if not _remove(connection, table, _list(connection, name).id, address):
                raise AdminError(f"{address} is not on {name}")


def _only(fields: Mapping[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    unknown = fields.keys() - allowed
    if unknown:
        raise AdminError(f"no such field: {', '.join(sorted(unknown))}")
    return {name: value for name, value in fields.items() if value is not None}


def _new_id(made: Any) -> int:
    return int(made.inserted_primary_key[0])


def _path(folder: str) -> str:
    if not os.path.isabs(folder) or len(folder) > 128 or os.path.normpath(folder) != folder:
        raise AdminError(f"a mailbox folder is an absolute plain path of at most 128 characters: {folder!r}")
    return folder


def _hash(password: str) -> str:
    try:
        return passwords.new_hash(password)
    except ValueError as error:
        raise AdminError(str(error)) from None


def _names(connection: Connection, statement: Any) -> list[str]:
    return sorted(connection.execute(statement).scalars())


def _domain(connection: Connection, name: str) -> Domain:
    domain = queries.find_domain(connection, checked_domain(name))
    if domain is None:
        raise AdminError(f"there is no domain {name}")
    return domain


def _room_in(connection: Connection, name: str) -> Domain:
    """The domain, locked, with room for one user more (domains.max_user)."""
    statement = select(domains.c.id, domains.c.max_user).where(domains.c.domainname == checked_domain(name))
    row = connection.execute(statement.with_for_update()).first()
    if row is not None and row[1]:
        count = connection.execute(select(func.count()).select_from(users).where(users.c.domain_id == row[0])).scalar()
        if count is not None and count >= row[1]:
            raise AdminError(f"{name} has {count} users, which is its limit")
    return _domain(connection, name)


def _user(connection: Connection, name: str) -> tuple[User, str]:
    found = queries.find_user(connection, name.strip().lower())
    if found is None:
        raise AdminError(f"there is no user {name}")
    return found


def _server(connection: Connection, name: str) -> Server:
    server = queries.find_server(connection, name.strip().lower())
    if server is None:
        raise AdminError(f"there is no server {name}")
    return server


def _server_id(connection: Connection, name: str) -> int:
    """The id of a home server, 0 (any) for ''."""
    return _server(connection, name).id if name else 0


def _list(connection: Connection, name: str) -> MailingList:
    found = queries.find_list(connection, name.strip().lower())
    if found is None:
        raise AdminError(f"there is no list {name}")
    return found


def _free(connection: Connection, name: str) -> None:
    """AdminError when somebody goes by this name already."""
    found = queries.find_user(connection, name)
    if found is not None:
        raise AdminError(f"{name} is taken by {found[0].username}")


def _set_property(connection: Connection, user_id: int, tag: int, value: str | None) -> None:
    table = schema.user_properties
    connection.execute(delete(table).where(table.c.user_id == user_id, table.c.proptag == tag))
    if value is not None:
        connection.execute(insert(table).values(user_id=user_id, proptag=tag, order_id=1, propval_str=value))


def _remove(connection: Connection, table: Table, list_id: int, address: str) -> int:
    found = connection.execute(
        delete(table).where(table.c.list_id == list_id, table.c.username == address.strip().lower())
    )
    return int(found.rowcount)


def _delete_user(connection: Connection, number: int) -> None:
    name = connection.execute(select(users.c.username).where(users.c.id == number)).scalar_one()
    lists = list(connection.execute(select(mlists.c.id).where(mlists.c.listname == name)).scalars())
    connection.execute(
        delete(associations).where(or_(associations.c.username == name, associations.c.list_id.in_(lists)))
    )
    connection.execute(delete(specifieds).where(specifieds.c.list_id.in_(lists)))
    connection.execute(delete(schema.forwards).where(schema.forwards.c.username == name))
    nthash.forget(connection, number)
    connection.execute(delete(users).where(users.c.id == number))


def _domain_dict(domain: Domain) -> dict[str, Any]:
    return {
        "id": domain.id, "name": domain.name, "title": domain.title, "status": domain.status, "org_id": domain.org_id,
        "homeserver": domain.host, "homedir": domain.homedir,
    }  # fmt: skip


def _user_dict(user: User, stored: str) -> dict[str, Any]:
    return {
        "id": user.id, "name": user.username, "status": user.address_status, "display_type": int(user.display_type),
        "homeserver": user.host, "homeserver_id": user.homeserver, "maildir": user.maildir,
        "privilege_bits": user.privilege_bits, "lang": user.lang, "timezone": user.timezone,
        "external": user.external, "has_password": bool(stored),
    }  # fmt: skip


def _list_dict(found: MailingList) -> dict[str, Any]:
    return {
        "id": found.id, "name": found.name, "type": found.type, "privilege": found.privilege,
        "members": found.members, "senders": found.specifieds,
    }  # fmt: skip
