"""The mailbox database: its tables, schema steps, and how a connection to it is opened.

A message is two rows, because a STORE over 10,000 messages must not rewrite their texts: `messages` is narrow and holds
what changes (flags, mod-sequence) and what indexes need; `message_data` is fat and never changes once written. Copies
of a message share one `message_data` row (`did`, data id); `data_refs` counts the sharers where there is more than
one, so that a copy writes narrow rows only. Columns that are searched come first in a row, before those that may
overflow.

The row of `mailbox` is written seldom, for each page of the database that a commit touches costs as much as the rest of
a small write: `next_id` is reserved ahead, and the mailbox's change number is the highest that any row of `folders` or
this row has.

`PRAGMA user_version` is the number of steps applied.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable

import apsw

from gromoxd.errors import Ec, MapiError
from store import wellknown as wk
from store.settings import StoreSettings

FIRST = """
CREATE TABLE mailbox (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  guid BLOB NOT NULL, mapping_guid BLOB NOT NULL, created INTEGER NOT NULL,
  next_id INTEGER NOT NULL, cn INTEGER NOT NULL, hierarchy_cn INTEGER NOT NULL, last_uidvalidity INTEGER NOT NULL,
  quota_receive INTEGER, quota_storage INTEGER
);
CREATE TABLE folders (
  fid INTEGER PRIMARY KEY,
  uidnext INTEGER NOT NULL, messages INTEGER NOT NULL, unseen INTEGER NOT NULL, size INTEGER NOT NULL,
  cn INTEGER NOT NULL, recent_uid INTEGER NOT NULL, pruned_cn INTEGER NOT NULL DEFAULT 0,
  parent_fid INTEGER NOT NULL, name TEXT NOT NULL, container_class TEXT NOT NULL, hidden INTEGER NOT NULL,
  uidvalidity INTEGER NOT NULL, changed_cn INTEGER NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE folder_tombstones (cn INTEGER PRIMARY KEY, fid INTEGER NOT NULL, time INTEGER NOT NULL);
CREATE TABLE folder_props (fid INTEGER PRIMARY KEY, props BLOB NOT NULL);
CREATE TABLE subscriptions (path TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE receive_folders (class TEXT PRIMARY KEY COLLATE NOCASE, fid INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keyword_sets (id INTEGER PRIMARY KEY, keywords TEXT NOT NULL);
CREATE TABLE pages (
  fid INTEGER NOT NULL, number INTEGER NOT NULL, count INTEGER NOT NULL, cn INTEGER NOT NULL,
  PRIMARY KEY (fid, number)
) WITHOUT ROWID;
CREATE TABLE messages (
  fid INTEGER NOT NULL, uid INTEGER NOT NULL, mid INTEGER NOT NULL, flags INTEGER NOT NULL, modseq INTEGER NOT NULL,
  cn INTEGER NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL, sent INTEGER NOT NULL, did INTEGER NOT NULL,
  PRIMARY KEY (fid, uid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX messages_mid ON messages (mid);
CREATE TABLE message_data (
  did INTEGER PRIMARY KEY, cid INTEGER NOT NULL,
  from_key TEXT NOT NULL, to_key TEXT NOT NULL, cc_key TEXT NOT NULL, bcc_key TEXT NOT NULL, subject_key TEXT NOT NULL,
  envelope BLOB NOT NULL, bodystructure BLOB NOT NULL, parts BLOB NOT NULL,
  message_id TEXT NOT NULL, class TEXT NOT NULL, props BLOB NOT NULL, recipients BLOB NOT NULL
);
CREATE TABLE data_refs (did INTEGER PRIMARY KEY, refs INTEGER NOT NULL);
CREATE TABLE attachments (
  did INTEGER NOT NULL, num INTEGER NOT NULL, props BLOB NOT NULL, PRIMARY KEY (did, num)
) WITHOUT ROWID;
CREATE TABLE content (
  cid INTEGER PRIMARY KEY, size INTEGER NOT NULL, kind INTEGER NOT NULL, hash BLOB, head BLOB NOT NULL, body BLOB
);
CREATE INDEX content_hash ON content (hash) WHERE hash IS NOT NULL;
CREATE TABLE tombstones (
  fid INTEGER NOT NULL, cn INTEGER NOT NULL, time INTEGER NOT NULL, uids BLOB NOT NULL, mids BLOB NOT NULL,
  PRIMARY KEY (fid, cn)
) WITHOUT ROWID;
CREATE TABLE requests (
  request_id BLOB PRIMARY KEY, kind INTEGER NOT NULL, time INTEGER NOT NULL, result BLOB NOT NULL,
  instance BLOB NOT NULL, fingerprint BLOB
) WITHOUT ROWID;
"""

Step = Callable[[apsw.Connection, int], None]


def first_step(db: apsw.Connection, now: int) -> None:
    """Schema 1: tables and the well-known folders."""
    _first(db, now, wk.FOLDERS)
    db.executemany("INSERT INTO receive_folders VALUES (?,?)", wk.RECEIVE_FOLDERS)
    names = {f.fid: f.name for f in wk.FOLDERS} | {wk.INBOX: "INBOX"}
    db.executemany("INSERT INTO subscriptions VALUES (?)", [(names[fid],) for fid in wk.SUBSCRIBED])


def first_public_step(db: apsw.Connection, now: int) -> None:
    """The same for a public store, which has other folders and receives nothing."""
    _first(db, now, wk.PUBLIC_FOLDERS)


def _first(db: apsw.Connection, now: int, folders: tuple[wk.WellKnown, ...]) -> None:
    db.execute(FIRST)
    start = first_number(now)
    next_id, cn, uidvalidity = max(start, wk.FIRST_FREE_ID), start, max(now, 1) & 0x7FFFFFFF
    for folder in folders:
        cn, uidvalidity = cn + 1, uidvalidity + 1
        db.execute(
            "INSERT INTO folders (fid, uidnext, messages, unseen, size, cn, recent_uid, parent_fid, name,"
            " container_class, hidden, uidvalidity, changed_cn, created) VALUES (?,1,0,0,0,?,1,?,?,?,?,?,?,?)",
            (
                folder.fid,
                cn,
                folder.parent_fid,
                folder.name,
                folder.container_class,
                folder.hidden,
                uidvalidity,
                cn,
                now,
            ),
        )
    db.execute("INSERT INTO keyword_sets VALUES (0, '[]')")
    db.execute(
        "INSERT INTO mailbox VALUES (1,?,?,?,?,?,?,?,NULL,NULL)",
        (uuid.uuid4().bytes, uuid.uuid4().bytes, now, next_id, cn, cn, uidvalidity),
    )


def first_number(now: int) -> int:
    """Where the counters of a mailbox made at `now` start.

    A mailbox that is made anew under the path of an older one must not meet the older one's ids and change numbers in
    anybody's cache; 65,536 a second since 2020 leaves most of the 48 bits free.
    """
    return max(0, now - 1_577_836_800) << 16


MAPI = """
CREATE TABLE store_props (id INTEGER PRIMARY KEY CHECK (id = 1), props BLOB NOT NULL);
CREATE TABLE named_properties (
  propid INTEGER PRIMARY KEY, guid BLOB NOT NULL, lid INTEGER, name TEXT, UNIQUE (guid, lid, name)
);
CREATE TABLE replicas (replid INTEGER PRIMARY KEY, guid BLOB NOT NULL UNIQUE);
CREATE TABLE permissions (
  fid INTEGER NOT NULL, member TEXT NOT NULL COLLATE NOCASE, member_id INTEGER NOT NULL, rights INTEGER NOT NULL,
  PRIMARY KEY (fid, member)
) WITHOUT ROWID;
CREATE TABLE delegates (
  kind INTEGER NOT NULL, name TEXT NOT NULL COLLATE NOCASE, PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE rules (rule_id INTEGER PRIMARY KEY, fid INTEGER NOT NULL, sequence INTEGER NOT NULL, props BLOB NOT NULL);
CREATE INDEX rules_fid ON rules (fid, sequence);
CREATE TABLE unlisted (
  mid INTEGER PRIMARY KEY, fid INTEGER NOT NULL, kind INTEGER NOT NULL, flags INTEGER NOT NULL,
  modseq INTEGER NOT NULL, cn INTEGER NOT NULL, size INTEGER NOT NULL, received INTEGER NOT NULL,
  sent INTEGER NOT NULL, did INTEGER NOT NULL, time INTEGER NOT NULL
);
CREATE INDEX unlisted_fid ON unlisted (fid, kind);
CREATE INDEX unlisted_time ON unlisted (time) WHERE kind <> 1;
CREATE TABLE deleted_folders (
  fid INTEGER PRIMARY KEY, parent_fid INTEGER NOT NULL, name TEXT NOT NULL, container_class TEXT NOT NULL,
  hidden INTEGER NOT NULL, time INTEGER NOT NULL, created INTEGER NOT NULL
);
CREATE TABLE big_values (
  did INTEGER NOT NULL, part INTEGER NOT NULL, tag INTEGER NOT NULL, cid INTEGER NOT NULL, size INTEGER NOT NULL,
  PRIMARY KEY (did, part, tag)
) WITHOUT ROWID;
CREATE TABLE embedded (did INTEGER NOT NULL, num INTEGER NOT NULL, child INTEGER NOT NULL, PRIMARY KEY (did, num))
  WITHOUT ROWID;
CREATE TABLE content_refs (cid INTEGER PRIMARY KEY, refs INTEGER NOT NULL);
CREATE TABLE search_folders (
  fid INTEGER PRIMARY KEY, flags INTEGER NOT NULL, status INTEGER NOT NULL, watermark INTEGER NOT NULL,
  restriction BLOB NOT NULL, scope BLOB NOT NULL, generation INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE search_results (
  fid INTEGER NOT NULL, mid INTEGER NOT NULL, cn INTEGER NOT NULL, PRIMARY KEY (fid, mid)
) WITHOUT ROWID;
CREATE INDEX search_results_cn ON search_results (fid, cn);
CREATE INDEX search_results_mid ON search_results (mid);
CREATE TABLE read_states (
  member TEXT NOT NULL COLLATE NOCASE, mid INTEGER NOT NULL, fid INTEGER NOT NULL, read INTEGER NOT NULL,
  cn INTEGER NOT NULL, PRIMARY KEY (member, mid)
) WITHOUT ROWID;
CREATE INDEX read_states_fid ON read_states (member, fid, cn);
CREATE INDEX read_states_mid ON read_states (mid);
CREATE TABLE source_keys (source_key BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX source_keys_id ON source_keys (id);
"""
"""Schema 2. `unlisted`: messages that IMAP does not see, by `kind` (1 FAI, 2 soft-deleted, 3 soft-deleted FAI); `time`
is when they were deleted. `big_values.part` and `embedded.num`: 0 and attachment numbers; part 0 is the message itself,
n + 1 attachment n. `content_refs` counts as `data_refs` does, where several data rows share a content. `source_keys`:
those of objects that were made elsewhere; all others' are the mailbox's GUID and the id."""


def mapi_step(db: apsw.Connection, now: int) -> None:
    """Schema 2: what MAPI objects need."""
    mapi_public_step(db, now)
    db.executemany(
        "INSERT INTO permissions VALUES (?,?,?,?)",
        [(wk.CALENDAR, "default", 0, 0x0C00), (wk.FREE_BUSY, "default", 0, 0x0800)],
    )


def mapi_public_step(db: apsw.Connection, now: int) -> None:
    """The same for a public store, whose folders say nothing of permissions at first."""
    db.execute(MAPI)


MAIL = """
CREATE TABLE outgoing (
  id INTEGER PRIMARY KEY, due INTEGER NOT NULL, mid INTEGER NOT NULL, sender TEXT NOT NULL, recipients BLOB NOT NULL,
  options BLOB NOT NULL, cid INTEGER NOT NULL, offset INTEGER NOT NULL, head BLOB NOT NULL
);
CREATE TABLE auto_replies (
  rule INTEGER NOT NULL, address TEXT NOT NULL COLLATE NOCASE, time INTEGER NOT NULL, PRIMARY KEY (rule, address)
) WITHOUT ROWID;
"""
"""Schema 3. `outgoing`: mail that the relay has not taken into its spool yet: `head` and then the content `cid` from
`offset` on (cid 0: none). `mid`: the message that a client submitted, 0 for what rules and the like send.
`auto_replies`: who was answered by a rule (0: the out-of-office message), and when."""


def mail_step(db: apsw.Connection, now: int) -> None:
    """Schema 3: what sending needs."""
    db.execute(MAIL)


STEPS: list[Step] = [first_step, mapi_step, mail_step]
PUBLIC_STEPS: dict[Step, Step] = {first_step: first_public_step, mapi_step: mapi_public_step}
"""What a public store takes instead of a step."""


def upgrade(db: apsw.Connection, now: int, public: bool = False) -> None:
    """Apply the steps that this database lacks, each in its own transaction. ecVersionMismatch if it is too new."""
    version = schema_version(db)
    if version > len(STEPS):
        raise MapiError(Ec.ecVersionMismatch, f"mailbox schema {version}, this server knows {len(STEPS)}")
    for number in range(version, len(STEPS)):
        with db:
            step = STEPS[number]
            (PUBLIC_STEPS.get(step, step) if public else step)(db, now)
            db.execute(f"PRAGMA user_version = {number + 1}")


def check_kind(db: apsw.Connection, public: bool) -> None:
    """ecVersionMismatch when a private mailbox would be opened as a public store, for all to read, or a public one as
    somebody's own.
    """
    private = db.execute("SELECT 1 FROM folders WHERE fid=?", (wk.IPM_SUBTREE,)).fetchone() is not None
    if private is public:
        raise MapiError(Ec.ecVersionMismatch, "the store of another kind of owner")


def schema_version(db: apsw.Connection) -> int:
    """Steps applied to this database."""
    return int(db.pragma("user_version"))


def connect(path: str, settings: StoreSettings, *, writing: bool) -> apsw.Connection:
    """A connection; the writing one makes the database when it is absent, and checkpoints.

    Memory counts, for a mailbox stays open as long as somebody idles in it: what is read comes from the map, so that
    the page caches may be small (`release_memory` gives back what SQLite set aside before it knew).
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if writing else 0)
    db = apsw.Connection(path, flags=flags, statementcachesize=128)
    db.set_busy_timeout(10_000)
    db.pragma("cache_size", -256 if writing else -64)
    db.pragma("mmap_size", settings.sqlite_mmap_size)
    if writing:
        db.pragma("page_size", 8192)
        if db.pragma("journal_mode", "wal") != "wal":
            raise MapiError(Ec.ecError, "the file system of the mailbox does not allow a write-ahead log")
        db.pragma("synchronous", "full")
        db.pragma("wal_autocheckpoint", settings.sqlite_checkpoint_pages)
        db.pragma("temp_store", "memory")
        os.chmod(path, 0o660)
    else:
        db.pragma("query_only", True)
    db.release_memory()
    return db
