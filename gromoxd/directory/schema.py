"""The tables of the user database, schema version 133, for MariaDB/MySQL and SQLite.

Names, columns and meanings are the ones of Gromox' database, so that existing tooling and
documented statements work. On SQLite, text compares without regard to ASCII case, as MariaDB's collations do.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Date,
    DateTime,
    Engine,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)  # fmt: skip
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import CreateColumn
from sqlalchemy.types import TypeEngine

from gromoxd.directory.errors import AdminError

VERSION = 133
_ALTNAMES_SINCE = 129

metadata = MetaData()
_MYSQL: dict[str, Any] = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4"}


def _u32() -> TypeEngine[Any]:
    return Integer().with_variant(mysql.INTEGER(unsigned=True), "mysql", "mariadb")


def _tiny(unsigned: bool = False) -> TypeEngine[Any]:
    return SmallInteger().with_variant(mysql.TINYINT(unsigned=unsigned), "mysql", "mariadb")


def _ascii(length: int) -> TypeEngine[Any]:
    return String(length, collation="NOCASE").with_variant(mysql.VARCHAR(length, charset="ascii"), "mysql", "mariadb")


def _text(length: int) -> TypeEngine[Any]:
    return String(length, collation="NOCASE").with_variant(mysql.VARCHAR(length), "mysql", "mariadb")


def _path() -> TypeEngine[Any]:
    return String(128)


def _hash() -> TypeEngine[Any]:
    return String(136).with_variant(mysql.VARCHAR(136, charset="ascii"), "mysql", "mariadb")


def _ascii_text() -> TypeEngine[Any]:
    return Text().with_variant(mysql.TEXT(charset="ascii"), "mysql", "mariadb")


def _bytes(length: int) -> TypeEngine[Any]:
    return LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")


def _id(kind: TypeEngine[Any] | None = None) -> Column[Any]:
    """An id that is never given out twice (AUTOINCREMENT, for mailbox paths are made of it)."""
    return Column("id", _u32() if kind is None else kind, primary_key=True, autoincrement=True)


def _number(name: str, kind: TypeEngine[Any], *more: Any, default: int | None = 0) -> Column[Any]:
    server_default = None if default is None else text(str(default))
    return Column(name, kind, *more, nullable=False, server_default=server_default)


def _word(name: str, kind: TypeEngine[Any], *more: Any, default: str | None = "", null: bool = False) -> Column[Any]:
    return Column(name, kind, *more, nullable=null, server_default=None if null else default)


def _to(target: str) -> ForeignKey:
    return ForeignKey(target, ondelete="CASCADE", onupdate="CASCADE")


def _table(name: str, *items: Any) -> Table:
    ids = [item for item in items if isinstance(item, Column) and item.name == "id"]
    return Table(name, metadata, *items, sqlite_autoincrement=bool(ids), **_MYSQL)


users = _table(
    "users", _id(), _word("username", _ascii(320), default=None),
    _word("primary_email", _ascii(320), null=True), _word("altname", _text(64), null=True),
    _word("password", _hash()), _number("domain_id", _u32(), default=None), _number("group_id", _u32()),
    _number("homeserver", _tiny(unsigned=True)), _word("maildir", _path()), _word("lang", _text(32)),
    _word("timezone", _text(64)), _number("privilege_bits", _u32()), _number("address_status", _tiny()),
    Column("externid", _bytes(64), nullable=True), Column("sync_policy", _ascii_text(), nullable=True),
    _word("chat_id", _text(26), null=True),
    UniqueConstraint("username", name="username"), UniqueConstraint("altname", name="altname"),
    UniqueConstraint("domain_id", "username", name="domain_id_2"),
    UniqueConstraint("group_id", "username", name="group_id_2"),
    Index("users_group_id", "group_id"), Index("users_domain_id", "domain_id"), Index("users_maildir", "maildir"),
)  # fmt: skip

domains = _table(
    "domains", _id(), _number("org_id", _u32()), _word("domainname", _ascii(255), default=None),
    _number("homeserver", _tiny(unsigned=True)), _word("homedir", _path()), _number("max_user", _u32()),
    _word("title", _text(128)), _word("address", _text(128)), _word("admin_name", _text(32)), _word("tel", _text(64)),
    Column("end_day", Date(), nullable=True), _number("domain_status", _tiny()),
    Column("sync_policy", _ascii_text(), nullable=True), _word("chat_id", _text(64), null=True),
    UniqueConstraint("domainname", name="domainname"), Index("domains_homedir", "homedir"),
    Index("domains_org_id", "org_id"),
)  # fmt: skip

aliases = _table(
    "aliases", Column("aliasname", _ascii(320), primary_key=True),
    _word("mainname", _ascii(320), _to("users.username"), default=None), Index("aliases_mainname", "mainname"),
)  # fmt: skip

altnames = _table(
    "altnames", Column("user_id", _u32(), _to("users.id"), primary_key=True, autoincrement=False),
    Column("altname", _text(320), primary_key=True), _number("magic", _u32()),
    UniqueConstraint("altname", name="altnames_altname"),
)  # fmt: skip

associations = _table(
    "associations", Column("list_id", Integer(), primary_key=True, autoincrement=False),
    Column("username", _ascii(320), primary_key=True), Index("associations_username", "username"),
)  # fmt: skip

mlists = _table(
    "mlists", _id(), _word("listname", _ascii(320), _to("users.username"), default=None),
    _number("domain_id", _u32(), default=None), _number("list_type", _tiny(), default=None),
    _number("list_privilege", _tiny()), UniqueConstraint("listname", name="listname"),
    Index("mlists_domain_id", "domain_id"),
)  # fmt: skip

specifieds = _table(
    "specifieds", _id(), _word("username", _ascii(320), default=None), _number("list_id", Integer(), default=None),
    Index("specifieds_list_id", "list_id"),
)  # fmt: skip

classes = _table(
    "classes", _id(), _word("classname", _text(128), null=True),
    _word("listname", _ascii(320), _to("users.username"), null=True), Column("filters", Text(), nullable=True),
    _number("domain_id", _u32(), _to("domains.id"), default=None),
)  # fmt: skip

groups = _table(
    "groups", _id(), _word("groupname", _ascii(320), default=None), _word("password", _text(136)),
    _number("domain_id", _u32(), default=None), _word("title", _text(128)),
    UniqueConstraint("groupname", name="groupname"),
)  # fmt: skip

forwards = _table(
    "forwards", _id(), _word("username", _ascii(320), default=None), _number("forward_type", _tiny()),
    _word("destination", _ascii(320), default=None), UniqueConstraint("username", name="forwards_username"),
)  # fmt: skip

user_properties = _table(
    "user_properties", Column("user_id", _u32(), _to("users.id"), primary_key=True, autoincrement=False),
    Column("proptag", _u32(), primary_key=True, autoincrement=False),
    Column("order_id", _u32(), primary_key=True, autoincrement=False, server_default=text("1")),
    Column("propval_bin", _bytes(4096), nullable=True), Column("propval_str", String(4096), nullable=True),
)  # fmt: skip

secondary_store_hints = _table(
    "secondary_store_hints", Column("primary", _u32(), _to("users.id"), primary_key=True, autoincrement=False),
    Column("secondary", _u32(), _to("users.id"), primary_key=True, autoincrement=False),
)  # fmt: skip

orgs = _table("orgs", _id(), _word("name", _text(32), default=None), _word("description", _text(128), null=True))

orgparam = _table(
    "orgparam", Column("org_id", _u32(), _to("orgs.id"), primary_key=True, autoincrement=False),
    Column("key", _ascii(32), primary_key=True), _word("value", _text(255), null=True),
)  # fmt: skip

servers = _table(
    "servers", _id(Integer().with_variant(mysql.TINYINT(unsigned=True), "mysql", "mariadb")),
    _word("hostname", _ascii(255), default=None), _word("extname", _ascii(255), default=None),
    UniqueConstraint("hostname", name="hostname"),
)  # fmt: skip

configs = _table(
    "configs", _id(), _word("service", _text(40), default=None), _word("file", _text(40), default=None),
    _word("key", _text(200), default=None), _word("value", _text(255)),
    UniqueConstraint("service", "file", "key", name="service"),
)  # fmt: skip

options = _table("options", Column("key", _ascii(32), primary_key=True), _word("value", _text(255), null=True))

admin_roles = _table(
    "admin_roles", _id(), _word("name", _text(32), default=None), _word("description", _text(256), null=True),
    UniqueConstraint("name", name="name"),
)  # fmt: skip

admin_role_permission_relation = _table(
    "admin_role_permission_relation", _id(), _number("role_id", _u32(), _to("admin_roles.id"), default=None),
    _word("permission", _text(64), default=None), Column("parameters", Text(), nullable=True),
)  # fmt: skip

admin_user_role_relation = _table(
    "admin_user_role_relation", Column("user_id", _u32(), _to("users.id"), primary_key=True, autoincrement=False),
    Column("role_id", _u32(), _to("admin_roles.id"), primary_key=True, autoincrement=False),
)  # fmt: skip

_AUTH = ("password", "kerberos_v5", "kerberos", "kerberos_v4", "gssapi", "cram-md5", "otp", "msn", "ntlm", "ssh", "any")
_PROTOCOLS = ("POP3", "IMAP", "POP2", "ETRN", "AUTO")

fetchmail = _table(
    "fetchmail", _id(), _number("user_id", _u32(), _to("users.id"), default=None), _word("mailbox", _text(320)),
    _number("active", _tiny(unsigned=True), default=1), _word("src_server", _text(255)),
    Column("src_auth", String(16).with_variant(mysql.ENUM(*_AUTH), "mysql", "mariadb"), nullable=False,
           server_default="password"),
    _word("src_user", _text(255)), _word("src_password", _text(255)), _word("src_folder", _text(255)),
    _number("fetchall", _tiny(unsigned=True)), _number("keep", _tiny(unsigned=True), default=1),
    Column("protocol", String(8).with_variant(mysql.ENUM(*_PROTOCOLS), "mysql", "mariadb"), nullable=False,
           server_default="IMAP"),
    _number("usessl", _tiny(unsigned=True), default=1), _number("sslcertck", _tiny(unsigned=True)),
    _word("sslcertpath", _text(255), null=True), _word("sslfingerprint", _text(255), null=True),
    Column("extra_options", Text(), nullable=True),
    Column("date", DateTime().with_variant(mysql.TIMESTAMP(), "mysql", "mariadb"), nullable=False,
           server_default=func.current_timestamp()),
)  # fmt: skip

user_devices = _table(
    "user_devices", _id(), _number("user_id", _u32(), _to("users.id"), default=None),
    _word("device_id", _text(64), default=None), _number("status", _u32()),
    UniqueConstraint("user_id", "device_id", name="user_id"),
)  # fmt: skip

user_device_history = _table(
    "user_device_history", _id(), _number("user_device_id", _u32(), _to("user_devices.id"), default=None),
    Column("time", DateTime().with_variant(mysql.TIMESTAMP(), "mysql", "mariadb"), nullable=False,
           server_default=func.current_timestamp()),
    _word("remote_ip", _text(64), null=True), _number("status", _u32()),
)  # fmt: skip

tasq = _table(
    "tasq", _id(), _word("command", _text(16), default=None), _number("state", _tiny()),
    Column("created", DateTime(), nullable=False, server_default=func.current_timestamp()),
    Column("updated", DateTime(), nullable=False, server_default=func.current_timestamp()),
    _word("message", _text(160)), Column("access", Text(), nullable=True), Column("params", Text(), nullable=True),
)  # fmt: skip

disabled_plugins = _table(
    "disabled_plugins", Column("domain_id", _u32(), _to("domains.id"), primary_key=True, autoincrement=False),
    Column("plugin", _text(128), primary_key=True),
)  # fmt: skip


def version(connection: Connection) -> int | None:
    """The schema version of the database, None when it is empty."""
    if not inspect(connection).has_table("options"):
        return None
    value = connection.execute(select(options.c.value).where(options.c.key == "schemaversion")).scalar()
    digits = str(value or "").rpartition("-")[2].lstrip("n")
    return int(digits) if digits.isdigit() else 0


def create(engine: Engine) -> None:
    """Make all tables in an empty database. AdminError when there are some."""
    if engine.dialect.name == "sqlite":
        _choose_journal(engine)
    with engine.begin() as connection:
        present = version(connection)
        if present is not None:
            raise AdminError(f"the database has a directory already (schema version {present})")
        metadata.create_all(connection)
        connection.execute(insert(options).values(key="schemaversion", value=str(VERSION)))


_WAL_RESET_FIXED = {(3, 44): 6, (3, 50): 7, (3, 51): 3}


def _choose_journal(engine: Engine) -> None:
    """WAL, but only where the SQLite library is free of the WAL-reset bug (sqlite.org/wal.html, fixed in 3.51.3)."""
    branch, patch = sqlite3.sqlite_version_info[:2], sqlite3.sqlite_version_info[2]
    fixed = branch > (3, 51) or patch >= _WAL_RESET_FIXED.get(branch, 1 << 30)
    with closing(engine.raw_connection()) as connection:  # not within a transaction
        connection.cursor().execute("PRAGMA journal_mode=" + ("WAL" if fixed else "DELETE"))


def upgrade(engine: Engine) -> tuple[int, int]:
    """Bring a database of an older version up to date; answers (old version, new version). Only adds.

    A database newer than this program is left as it is.
    """
    with engine.begin() as connection:
        before = version(connection)
        if before is None:
            raise AdminError("the database has no directory yet; create it first")
        if before >= VERSION:
            return before, before
        had_altnames = inspect(connection).has_table("altnames")
        metadata.create_all(connection)
        for table in metadata.sorted_tables:
            _add_columns(connection, table)
        if before < _ALTNAMES_SINCE and not had_altnames:
            wanted = select(users.c.id, users.c.altname, text("0")).where(users.c.altname.is_not(None))
            connection.execute(insert(altnames).from_select(["user_id", "altname", "magic"], wanted))
        _set_version(connection)
        return before, VERSION


def _add_columns(connection: Connection, table: Table) -> None:
    present = {column["name"] for column in inspect(connection).get_columns(table.name)}
    quoted = connection.dialect.identifier_preparer.format_table(table)
    for column in table.columns:
        if column.name not in present:
            definition = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {quoted} ADD COLUMN {definition}")


def _set_version(connection: Connection) -> None:
    changed = connection.execute(
        update(options).where(options.c.key == "schemaversion").values(value=str(VERSION))
    ).rowcount
    if not changed and version(connection) != VERSION:
        connection.execute(insert(options).values(key="schemaversion", value=str(VERSION)))
