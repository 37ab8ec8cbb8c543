"""Short forms of queries. Rows are `Any`: their types are the schema's."""

from __future__ import annotations

from typing import Any

import apsw

Args = tuple[Any, ...]


def rows(db: apsw.Connection, sql: str, args: Args = ()) -> list[Any]:
    """All rows."""
    return db.execute(sql, args).fetchall()


def row(db: apsw.Connection, sql: str, args: Args = ()) -> Any:
    """The first row, None when there is none."""
    return db.execute(sql, args).fetchone()


def rows_once(db: apsw.Connection, sql: str, args: Args = ()) -> list[Any]:
    """All rows of a statement that is not worth keeping prepared."""
    return db.execute(sql, args, can_cache=False).fetchall()
