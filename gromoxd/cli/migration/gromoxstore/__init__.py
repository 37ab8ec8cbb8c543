"""Reads the mailboxes of Gromox: a folder with `exmdb/exchange.sqlite3` and, beside it, files with large values."""

from gromoxd.cli.migration.gromoxstore.reader import (
    GromoxFolder,
    GromoxMessage,
    GromoxPermission,
    GromoxRule,
    GromoxStore,
    OutOfOffice,
    Version,
)

__all__ = ["GromoxFolder", "GromoxMessage", "GromoxPermission", "GromoxRule", "GromoxStore", "OutOfOffice", "Version"]
