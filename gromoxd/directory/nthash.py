"""NT hashes of users, for log-ins with NTLM: in a table of our own, so that the directory's schema stays what it is.

A hash is as good as the password for NTLM, and cannot be kept in a better form: it is there only where `store_nt_hash`
asks for it. It counts while the password hash it was made with is still the user's: whoever changes the password by
other means leaves no log-in with the old one behind.
"""

from __future__ import annotations

from hashlib import sha256

from sqlalchemy import Column, Connection, Integer, LargeBinary, MetaData, String, Table, delete, insert, select
from sqlalchemy import inspect as inspected

from gromoxd.ntlm.md4 import nt_hash

own = MetaData()
table = Table(
    "gromoxd_nt_hashes", own, Column("user_id", Integer(), primary_key=True, autoincrement=False),
    Column("stamp", String(64), nullable=False), Column("nt_hash", LargeBinary(16), nullable=False),
    mysql_engine="InnoDB",
)  # fmt: skip


def _stamp(stored: str) -> str:
    return sha256(b"nt hash of " + stored.encode()).hexdigest()


def prepare(connection: Connection) -> None:
    """Make the table unless it is there."""
    own.create_all(connection)


def keep(connection: Connection, user_id: int, stored: str, password: str) -> None:
    """Remember the NT hash of a password whose usual hash is `stored`."""
    connection.execute(delete(table).where(table.c.user_id == user_id))
    connection.execute(insert(table).values(user_id=user_id, stamp=_stamp(stored), nt_hash=nt_hash(password)))


def forget(connection: Connection, user_id: int) -> None:
    """The user has no NT hash any more."""
    if inspected(connection).has_table(table.name):
        connection.execute(delete(table).where(table.c.user_id == user_id))


def find(connection: Connection, user_id: int, stored: str) -> bytes | None:
    """The NT hash that belongs to the user's present password hash."""
    if not stored or not inspected(connection).has_table(table.name):
        return None
    row = connection.execute(select(table.c.stamp, table.c.nt_hash).where(table.c.user_id == user_id)).first()
    return bytes(row[1]) if row is not None and row[0] == _stamp(stored) and len(row[1]) == 16 else None
