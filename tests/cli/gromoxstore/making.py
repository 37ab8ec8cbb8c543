"""Makes a mailbox folder as Gromox has it (tables, content files), for tests of the reader and the migration."""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from struct import pack
from typing import Any

import zstandard

SCHEMA = """
CREATE TABLE configurations (config_id INTEGER PRIMARY KEY, config_value BLOB NOT NULL);
CREATE TABLE named_properties (propid INTEGER PRIMARY KEY AUTOINCREMENT, name_string TEXT COLLATE NOCASE NOT NULL);
CREATE TABLE store_properties (proptag INTEGER UNIQUE NOT NULL, propval BLOB NOT NULL);
CREATE TABLE folders (folder_id INTEGER PRIMARY KEY, parent_id INTEGER, change_number INTEGER UNIQUE NOT NULL,
  is_search INTEGER DEFAULT 0, search_flags INTEGER, search_criteria BLOB, cur_eid INTEGER NOT NULL,
  max_eid INTEGER NOT NULL, is_deleted INTEGER DEFAULT 0);
CREATE TABLE folder_properties (folder_id INTEGER NOT NULL, proptag INTEGER NOT NULL, propval BLOB NOT NULL);
CREATE TABLE permissions (member_id INTEGER PRIMARY KEY AUTOINCREMENT, folder_id INTEGER NOT NULL,
  username TEXT COLLATE NOCASE NOT NULL, permission INTEGER NOT NULL);
CREATE TABLE rules (rule_id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, provider TEXT NOT NULL,
  sequence INTEGER NOT NULL, state INTEGER NOT NULL, level INTEGER, user_flags INTEGER, provider_data BLOB,
  condition BLOB NOT NULL, actions BLOB NOT NULL, folder_id INTEGER NOT NULL);
CREATE TABLE messages (message_id INTEGER PRIMARY KEY, parent_fid INTEGER, parent_attid INTEGER,
  is_deleted INTEGER DEFAULT 0, is_associated INTEGER, change_number INTEGER UNIQUE NOT NULL, read_cn INTEGER UNIQUE,
  read_state INTEGER DEFAULT 0, message_size INTEGER NOT NULL, group_id INTEGER, timer_id INTEGER, mid_string TEXT);
CREATE TABLE message_properties (message_id INTEGER NOT NULL, proptag INTEGER NOT NULL, propval BLOB NOT NULL);
CREATE TABLE recipients (recipient_id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL);
CREATE TABLE recipients_properties (recipient_id INTEGER NOT NULL, proptag INTEGER NOT NULL, propval BLOB NOT NULL);
CREATE TABLE attachments (attachment_id INTEGER PRIMARY KEY AUTOINCREMENT, message_id INTEGER NOT NULL);
CREATE TABLE attachment_properties (attachment_id INTEGER NOT NULL, proptag INTEGER NOT NULL, propval BLOB NOT NULL);
"""
FOLDERS = (
    (0x01, 0, "Root Container", ""), (0x09, 0x01, "Top of Information Store", ""), (0x0D, 0x09, "Inbox", "IPF.Note"),
    (0x0A, 0x09, "Sent Items", "IPF.Note"), (0x0B, 0x09, "Deleted Items", "IPF.Note"),
    (0x0F, 0x09, "Calendar", "IPF.Appointment"), (0x13, 0x09, "Contacts", "IPF.Contact"),
    (0x03, 0x01, "Spooler Queue", "IPF.Note"),
)  # fmt: skip
GUID = "5dae1c60-1d4a-4c1e-9d3c-2f6f0a1b2c3d"
PUBLIC_FOLDERS = (
    (0x01, 0, "Root Container", ""), (0x02, 0x01, "IPM_SUBTREE", ""), (0x03, 0x01, "NON_IPM_SUBTREE", ""),
    (0x04, 0x03, "EFORMS REGISTRY", ""),
)  # fmt: skip
PUBLIC_SCHEMA = """
CREATE TABLE read_states (message_id INTEGER NOT NULL, username TEXT COLLATE NOCASE NOT NULL);
ALTER TABLE folders DROP COLUMN is_search;
ALTER TABLE messages DROP COLUMN read_state;
"""
EXTERNAL = {0x1000, 0x007D, 0x1013, 0x1009, 0x3701}


class Made:
    """A mailbox folder under construction; `close` before it is read."""

    def __init__(self, folder: Path, version: int = 27, *, public: bool = False) -> None:
        self.folder = folder
        for name in ("exmdb", "cid", "eml", "config"):
            (folder / name).mkdir(parents=True)
        self.db = sqlite3.connect(folder / "exmdb" / "exchange.sqlite3")
        self.db.executescript(SCHEMA)
        self.db.execute("INSERT INTO configurations VALUES (10, ?)", (version,))
        self.db.execute("INSERT INTO configurations VALUES (1, ?)", (GUID,))
        self._id, self._cn = 0x10000, 0
        for fid, parent, name, kind in PUBLIC_FOLDERS if public else FOLDERS:
            self.folder_row(fid, parent, name, kind, search=fid == 3 and not public)

    def close(self, *, public: bool = False) -> None:
        """`public`: the tables are as those of public folders are."""
        if public:
            self.db.executescript(PUBLIC_SCHEMA)
        self.db.commit()
        self.db.close()

    def _next(self) -> tuple[int, int]:
        self._id, self._cn = self._id + 1, self._cn + 1
        return self._id, self._cn

    def folder_row(self, fid: int, parent: int, name: str, kind: str = "IPF.Note", *, search: bool = False) -> int:
        _, cn = self._next()
        row = (fid, parent or None, cn, int(search), 0, None, 0, 0, 0)
        self.db.execute("INSERT INTO folders VALUES (?,?,?,?,?,?,?,?,?)", row)
        for tag, value in ((0x3001001F, name), (0x3613001F, kind), (0x3004001F, "")):
            self.db.execute("INSERT INTO folder_properties VALUES (?,?,?)", (fid, tag, value))
        return fid

    def name(self, text: str) -> int:
        self.db.execute("INSERT INTO named_properties (name_string) VALUES (?)", (text,))
        (number,) = self.db.execute("SELECT max(propid) FROM named_properties").fetchone()
        if number < 0x8001:
            self.db.execute("UPDATE named_properties SET propid=0x8001 WHERE propid=?", (number,))
            number = 0x8001
        return int(number)

    def cid(self, data: bytes, form: str = "v3") -> str:
        """A content file; `form`: v0, v1, v2 or v3."""
        packed = zstandard.ZstdCompressor().compress(data)
        digest = hashlib.sha3_256(data).hexdigest()
        name = f"S-{digest[:2]}/{digest[2:]}" if form == "v3" else str(len(list((self.folder / "cid").iterdir())) + 1)
        path = self.folder / "cid" / (name + {"v1": ".v1z", "v2": ".zst"}.get(form, ""))
        path.parent.mkdir(exist_ok=True)
        if form == "v0":
            path.write_bytes(data)
        elif form == "v1":
            path.write_bytes(zstandard.ZstdCompressor().compress(pack("<I", len(data.decode())) + data))
        else:
            path.write_bytes(packed)
        return name

    def message(
        self,
        fid: int,
        props: dict[int, Any],
        recipients: tuple[dict[int, Any], ...] = (),
        *,
        read: bool = True,
        associated: bool = False,
        deleted: bool = False,
        eml: bytes = b"",
        attachment: int = 0,
    ) -> int:
        mid, cn = self._next()
        mid_string = f"1700000000.{mid}.host" if eml else None
        if mid_string:
            (self.folder / "eml" / mid_string).write_bytes(eml)
        row = (
            mid, None if attachment else fid, attachment or None, int(deleted), int(associated), cn, None, int(read),
            100, None, None, mid_string,
        )  # fmt: skip
        self.db.execute("INSERT INTO messages VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", row)
        self._bag("message_properties", mid, props)
        for one in recipients:
            number = self.db.execute("INSERT INTO recipients (message_id) VALUES (?)", (mid,)).lastrowid
            self._bag("recipients_properties", number or 0, one)
        return mid

    def attachment(self, mid: int, props: dict[int, Any]) -> int:
        number = self.db.execute("INSERT INTO attachments (message_id) VALUES (?)", (mid,)).lastrowid or 0
        self._bag("attachment_properties", number, props)
        return number

    def _bag(self, table: str, number: int, props: dict[int, Any]) -> None:
        for tag, value in props.items():
            stored = value
            if tag >> 16 in EXTERNAL and not isinstance(value, Stored):
                stored = self.cid(value if isinstance(value, bytes) else value.encode())
            elif isinstance(value, Stored):
                stored = value.name
            self.db.execute(f"INSERT INTO {table} VALUES (?,?,?)", (number, tag, stored))


class Stored:
    """The name of a content file that is there already, or is not."""

    def __init__(self, name: str) -> None:
        self.name = name
