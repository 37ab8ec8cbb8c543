"""What may be wrong with a mailbox's database, as queries that find nothing in a sound one (gromoxd.exmdb.upkeepcalls).

A query answers (fid, id, text) of each fault. Content files are in `store.mapi.filefaults`, the mending of all of it in
`store.mapi.mending`; both name the queries here by kind and name.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from struct import Struct
from typing import Final, NamedTuple

import apsw
from gevent.monkey import get_original

from gromoxd.exmdb.upkeepcalls import Fault
from store import wellknown as wk
from store.mapi.rows import ASSOCIATED, DELETED_ASSOCIATED
from store.pace import Pace
from store.ranges import LAST_UID
from store.sql import row, rows_once

_sleep = get_original("time", "sleep")
PAIR = Struct("<II")
_INDEX_FAULTS = ("missing from index", "wrong # of entries in index")


class Checked(NamedTuple):
    """What is looked at: a connection, whether the store is public, and the folder of content files."""

    db: apsw.Connection
    public: bool
    files: str


Find = Callable[[Checked], Iterator[Fault]]


def query(sql: str) -> Find:
    """Faults that a query finds."""

    def find(checked: Checked) -> Iterator[Fault]:
        for fid, id_, text in checked.db.execute(sql, can_cache=False):
            yield Fault(fid, id_, text)

    return find


# ---------------------------------------------------------------------------------------------- the whole


def database(checked: Checked) -> Iterator[Fault]:
    """SQLite's own check; `id` is 1 where making the indexes anew may help."""
    for (text,) in checked.db.execute("PRAGMA integrity_check(100)", can_cache=False):
        if text != "ok":
            yield Fault(0, int(any(known in text for known in _INDEX_FAULTS)), text)


_IDS = (
    ("mid", "messages"), ("mid", "unlisted"), ("did", "message_data"), ("cid", "content"), ("fid", "folders"),
    ("fid", "deleted_folders"), ("member_id", "permissions"), ("rule_id", "rules"), ("id", "outgoing"),
)  # fmt: skip
_CNS = (
    ("modseq", "messages"), ("cn", "messages"), ("modseq", "unlisted"), ("cn", "unlisted"), ("cn", "pages"),
    ("cn", "tombstones"), ("cn", "folder_tombstones"), ("cn", "read_states"), ("cn", "search_results"),
)  # fmt: skip


def _highest(places: tuple[tuple[str, str], ...]) -> str:
    return f"max({', '.join(f'ifnull((SELECT max({column}) FROM {table}), 0)' for column, table in places)})"


LAST_ID = f"SELECT {_highest(_IDS)}"
LAST_CN = f"SELECT {_highest(_CNS)}"
KNOWN_CN = f"SELECT max(cn, hierarchy_cn, {_highest((('cn', 'folders'), ('changed_cn', 'folders')))}) FROM mailbox"
LAST_HIERARCHY_CN = f"SELECT {_highest((('changed_cn', 'folders'), ('cn', 'folder_tombstones')))}"
LAST_UIDVALIDITY = "SELECT max(uidvalidity) FROM folders"


def counters(checked: Checked) -> Iterator[Fault]:
    """Number series that are behind."""
    db = checked.db
    next_id, hierarchy_cn, uidvalidity = row(db, "SELECT next_id, hierarchy_cn, last_uidvalidity FROM mailbox")
    for name, known, last in (
        ("ids", next_id - 1, row(db, LAST_ID)[0]),
        ("change numbers", row(db, KNOWN_CN)[0], row(db, LAST_CN)[0]),
        ("change numbers of the hierarchy", hierarchy_cn, row(db, LAST_HIERARCHY_CN)[0]),
        ("UIDVALIDITY", uidvalidity, row(db, LAST_UIDVALIDITY)[0]),
    ):
        if known < last:
            yield Fault(0, last, f"{name}: {known} is thought to be the last, {last} is in use")


# ---------------------------------------------------------------------------------------------- folders


def well_known(checked: Checked) -> Iterator[Fault]:
    """Folders that every mailbox has and this one has not."""
    there = {fid for (fid,) in rows_once(checked.db, "SELECT fid FROM folders")}
    for folder in wk.PUBLIC_FOLDERS if checked.public else wk.FOLDERS:
        if folder.fid not in there:
            yield Fault(folder.fid, 0, f"the folder {folder.name!r} is missing")


_NOWHERE = f"""
    WITH RECURSIVE there(fid) AS (
      SELECT fid FROM folders WHERE fid={wk.ROOT}
      UNION SELECT f.fid FROM folders f JOIN there t ON f.parent_fid = t.fid
    )
    SELECT fid, 0, 'a folder that is not below the root' FROM folders WHERE fid NOT IN there"""
_NAMESAKES = """
    SELECT fid, 0, 'a folder named like another one beside it' FROM folders f WHERE EXISTS
      (SELECT 1 FROM folders o WHERE o.parent_fid = f.parent_fid AND o.name = f.name AND o.fid < f.fid)"""
_HOMELESS = f"""
    SELECT fid, 0, count(*) || ' messages in a folder that does not exist' FROM (
      SELECT fid FROM messages UNION ALL SELECT fid FROM unlisted WHERE kind={ASSOCIATED}
    ) WHERE fid NOT IN (SELECT fid FROM folders) GROUP BY fid"""
_HOMELESS_DELETED = f"""
    SELECT fid, 0, count(*) || ' deleted messages of a folder that never existed' FROM unlisted
      WHERE kind<>{ASSOCIATED} AND fid NOT IN (SELECT fid FROM folders UNION SELECT fid FROM deleted_folders)
      GROUP BY fid"""
_DELETED_AND_THERE = """
    SELECT fid, 0, 'a folder that is deleted and there' FROM deleted_folders WHERE fid IN (SELECT fid FROM folders)"""

# ---------------------------------------------------------------------------------------------- messages

_TWICE = """
    SELECT fid, mid, 'a message that is deleted and there' FROM unlisted WHERE mid IN (SELECT mid FROM messages)"""
_FOLDERS_ID = """
    SELECT fid, mid, 'a message with the id of a folder' FROM {} WHERE mid IN
      (SELECT fid FROM folders UNION SELECT fid FROM deleted_folders)"""
_BAD_UID = f"SELECT fid, uid, 'a uid out of range' FROM messages WHERE uid NOT BETWEEN 1 AND {LAST_UID}"
_BAD_KIND = f"""
    SELECT fid, mid, 'an unlisted message of kind ' || quote(kind) FROM unlisted
      WHERE kind NOT BETWEEN {ASSOCIATED} AND {DELETED_ASSOCIATED}"""
_BAD_FLAGS = """
    SELECT fid, mid, 'flags with a set of keywords that does not exist' FROM {}
      WHERE flags < 0 OR flags >> 8 >= (SELECT count(*) FROM keyword_sets)"""
_BAD_TIMES = """
    SELECT fid, mid, 'a time out of range' FROM {}
      WHERE received NOT BETWEEN 0 AND 0xFFFFFFFF OR sent NOT BETWEEN -0x80000000 AND 0x7FFFFFFF"""
_KEYWORD_SETS = """
    SELECT 0, max(id), 'sets of keywords that are not numbered in order' FROM keyword_sets
      HAVING max(id) <> count(*) - 1"""
_NO_DATA = """
    SELECT fid, mid, 'a message without its data row ' || did FROM {} m
      WHERE NOT EXISTS (SELECT 1 FROM message_data d WHERE d.did = m.did)"""

# ---------------------------------------------------------------------------------------------- data

_PART_OF_NOTHING = """
    SELECT 0, did, '{}' FROM {} t WHERE NOT EXISTS (SELECT 1 FROM message_data d WHERE d.did = t.did) GROUP BY did"""
_NO_CHILD = """
    SELECT 0, did, 'an embedded message without data row, attachment ' || num FROM embedded e
      WHERE NOT EXISTS (SELECT 1 FROM message_data d WHERE d.did = e.child)"""
_CIRCLES = """
    WITH RECURSIVE below(did, at) AS (
      SELECT did, child FROM embedded UNION SELECT b.did, e.child FROM below b JOIN embedded e ON e.did = b.at
    ) SELECT 0, did, 'a message embedded in itself' FROM below WHERE did = at"""
_NO_ATTACHMENT = """
    SELECT 0, did, '{what} of attachment ' || {num} || ', which does not exist' FROM {table} t
      WHERE {num} >= 0 AND NOT EXISTS (SELECT 1 FROM attachments a WHERE a.did = t.did AND a.num = t.{num})"""
USED_DATA = "SELECT did FROM messages UNION ALL SELECT did FROM unlisted UNION ALL SELECT child FROM embedded"
USED_CONTENTS = (
    "SELECT cid FROM message_data WHERE cid <> 0 UNION ALL SELECT cid FROM big_values"
    " UNION ALL SELECT cid FROM outgoing WHERE cid <> 0"
)
_ORPHANS = f"SELECT 0, did, 'a data row of no message' FROM message_data WHERE did NOT IN ({USED_DATA})"
_CONTENTS = f"SELECT 0, cid, 'octets of nothing' FROM content WHERE cid NOT IN ({USED_CONTENTS})"
_NO_SOURCE = """
    SELECT 0, did, 'the RFC 5322 form, content ' || cid || ', is missing' FROM message_data d
      WHERE cid <> 0 AND NOT EXISTS (SELECT 1 FROM content c WHERE c.cid = d.cid)"""
_NO_VALUE = """
    SELECT 0, did, printf('the value of property %08X, content %d, is missing', tag, cid) FROM big_values b
      WHERE NOT EXISTS (SELECT 1 FROM content c WHERE c.cid = b.cid)"""
_NOT_SENT = """
    SELECT 0, id, 'the octets of a mail to send, content ' || cid || ', are missing' FROM outgoing o
      WHERE cid <> 0 AND NOT EXISTS (SELECT 1 FROM content c WHERE c.cid = o.cid)"""
_UNREADABLE = """
    SELECT 0, cid, 'octets in a form that is none' FROM content WHERE CASE kind
      WHEN 0 THEN body IS NULL OR length(body) <> size WHEN 1 THEN body IS NULL
      WHEN 2 THEN hash IS NULL OR length(hash) <> 32 ELSE 1 END"""
_REFS = """
    WITH used(id, n) AS (SELECT {key}, count(*) FROM ({used}) GROUP BY 1)
    SELECT 0, id, n || ' references, not ' || ifnull(refs, 1) FROM used LEFT JOIN {table} r ON r.{key} = id
      WHERE CASE WHEN n > 1 THEN refs IS NOT n ELSE refs IS NOT NULL END
    UNION ALL SELECT 0, {key}, 'no references, not ' || refs FROM {table} WHERE {key} NOT IN (SELECT id FROM used)"""
_SIZE = """
    SELECT fid, mid, m.size || ' octets are thought to be its size, ' || (length(c.head) + c.size) || ' are there'
      FROM {} m CROSS JOIN message_data d ON d.did = m.did CROSS JOIN content c ON c.cid = d.cid
      WHERE m.size <> length(c.head) + c.size"""
_NO_SIZE = "SELECT fid, mid, 'a size out of range' FROM {} WHERE size NOT BETWEEN 0 AND 0xFFFFFFFF"
_BIG_SIZE = """
    SELECT 0, did, printf('%d octets of property %08X, %d are there', b.size, tag, c.size)
      FROM big_values b CROSS JOIN content c ON c.cid = b.cid WHERE b.size <> c.size"""

# ---------------------------------------------------------------------------------------------- around

KEPT_FOR_FOLDERS = ("folder_props", "permissions", "rules", "read_states")
"""Tables whose rows are also those of soft-deleted folders."""
STRAY = {
    **dict.fromkeys(KEPT_FOR_FOLDERS, "fid NOT IN (SELECT fid FROM folders UNION SELECT fid FROM deleted_folders)"),
    **dict.fromkeys(("tombstones", "receive_folders", "search_folders"), "fid NOT IN (SELECT fid FROM folders)"),
    "search_results": "fid NOT IN (SELECT fid FROM search_folders)",
}
"""Rows that are kept for nothing."""
STRAY_READ_STATES = "mid NOT IN (SELECT mid FROM messages) AND mid NOT IN (SELECT mid FROM unlisted)"


STRAY_RESULTS = (
    "SELECT fid, mid FROM search_results WHERE mid NOT IN (SELECT mid FROM messages)"
    " AND fid IN (SELECT fid FROM search_folders)"
)
PATIENCE = 1.0
"""In this time a search folder has lost what is gone."""


def _stray_results(checked: Checked) -> Iterator[Fault]:
    found = rows_once(checked.db, STRAY_RESULTS)
    if found and not checked.db.in_transaction:
        _sleep(PATIENCE)
        still = set(rows_once(checked.db, STRAY_RESULTS))
        found = [one for one in found if one in still]
    for fid, mid in found:
        yield Fault(fid, mid, "a search folder has a message that does not exist")


def _stray(table: str, condition: str) -> Find:
    sql = f"SELECT fid, 0, count(*) || ' rows of {table} for nothing' FROM {table} WHERE {condition} GROUP BY fid"
    return query(sql)


BAD_SOURCE_KEYS = (
    "length(source_key) NOT BETWEEN 17 AND 24 OR substr(source_key, 1, 16) = (SELECT guid FROM mailbox)"
    " OR id NOT BETWEEN 1 AND (SELECT next_id FROM mailbox) OR EXISTS (SELECT 1 FROM source_keys o"
    " WHERE o.id = source_keys.id AND o.source_key < source_keys.source_key)"
)


class Tombstone(NamedTuple):
    """A row of `tombstones` with what is wrong with it."""

    fid: int
    cn: int
    uids: list[tuple[int, int]]
    mids: array[int]
    readable: bool
    living_uids: bool
    living_mids: bool
    beyond: bool


def tombstones(db: apsw.Connection) -> Iterator[Tombstone]:
    """Tombstones of existing folders that are not as they should be."""
    pace = Pace()
    for fid, uidnext in rows_once(db, "SELECT fid, uidnext FROM folders WHERE fid IN (SELECT fid FROM tombstones)"):
        uids = array("q", [uid for (uid,) in db.execute("SELECT uid FROM messages WHERE fid=? ORDER BY uid", (fid,))])
        sql = f"SELECT mid FROM messages WHERE fid=?1 UNION SELECT mid FROM unlisted WHERE fid=?1 AND kind={ASSOCIATED}"
        mids = {mid for (mid,) in db.execute(sql, (fid,))}
        for cn, packed, gone in rows_once(db, "SELECT cn, uids, mids FROM tombstones WHERE fid=?", (fid,)):
            pace.step()
            made = _tombstone(fid, cn, packed, gone, uids, mids, uidnext)
            if not made.readable or made.living_uids or made.living_mids or made.beyond:
                yield made


def _tombstone(
    fid: int, cn: int, packed: bytes, gone: bytes, uids: array[int], mids: set[int], uidnext: int
) -> Tombstone:
    readable = len(packed) % 8 == 0 and len(gone) % 8 == 0
    ranges = list(PAIR.iter_unpack(packed)) if readable else []
    readable = readable and all(0 < first <= last for first, last in ranges)
    dead = array("Q", gone if readable else b"")
    return Tombstone(
        fid, cn, ranges, dead, readable,
        readable and any(bisect_left(uids, first) < bisect_left(uids, last + 1) for first, last in ranges),
        not mids.isdisjoint(dead),
        readable and any(last >= uidnext for _, last in ranges),
    )  # fmt: skip


def _bad_tombstones(checked: Checked) -> Iterator[Fault]:
    for found in tombstones(checked.db):
        what = {
            "is not readable": not found.readable, "names uids that are there": found.living_uids,
            "names messages that are there": found.living_mids, "names uids that were never given": found.beyond,
        }  # fmt: skip
        text = ", ".join(text for text, so in what.items() if so)
        yield Fault(found.fid, found.cn, f"the record of deletions at change number {found.cn} {text}")


# ---------------------------------------------------------------------------------------------- figures

_FIGURES = """
    SELECT f.fid, 0, printf('%d messages (%d unread) of %d octets are thought to be there, %d (%d) of %d are',
        f.messages, f.unseen, f.size, m.messages, m.unseen, m.size) FROM folders f JOIN (
      SELECT o.fid, count(uid) AS messages, ifnull(sum(m.size), 0) AS size,
        ifnull(sum(NOT flags & 1), 0) AS unseen FROM folders o LEFT JOIN messages m USING (fid) GROUP BY o.fid
    ) m USING (fid) WHERE f.messages <> m.messages OR f.size <> m.size OR f.unseen <> m.unseen"""
_BEHIND = """
    SELECT fid, 0, printf('the next uid is %d, the change number %d, but there are %d and %d', uidnext, cn, uid, last)
      FROM (SELECT fid, uidnext, cn, ifnull((SELECT max(uid) FROM messages m WHERE m.fid = f.fid), 0) AS uid,
        max(ifnull((SELECT max(modseq) FROM messages m WHERE m.fid = f.fid), 0),
          ifnull((SELECT max(cn) FROM pages p WHERE p.fid = f.fid), 0),
          ifnull((SELECT max(cn) FROM tombstones t WHERE t.fid = f.fid), 0)) AS last FROM folders f)
      WHERE uidnext <= uid OR cn < last"""
_PAGES = """
    WITH there(fid, number, count, cn) AS (SELECT fid, uid >> 8, count(*), max(modseq) FROM messages GROUP BY 1, 2)
    SELECT fid, 0, count(*) || ' pages' FROM (
      SELECT t.fid, t.number FROM there t LEFT JOIN pages p USING (fid, number)
        WHERE p.count IS NOT t.count OR p.cn < t.cn
      UNION ALL SELECT fid, number FROM pages WHERE (fid, number) NOT IN (SELECT fid, number FROM there)
    ) GROUP BY fid"""

FINDS: Final[dict[str, dict[str, Find]]] = {
    "database": {"": database},
    "counters": {"": counters},
    "folders": {
        "well-known": well_known, "both": query(_DELETED_AND_THERE), "homeless": query(_HOMELESS),
        "homeless-deleted": query(_HOMELESS_DELETED), "nowhere": query(_NOWHERE), "namesakes": query(_NAMESAKES),
    },
    "ids": {
        "twice": query(_TWICE), "messages": query(_FOLDERS_ID.format("messages")),
        "unlisted": query(_FOLDERS_ID.format("unlisted")),
    },
    "rows": {
        "keywords": query(_KEYWORD_SETS), "uid": query(_BAD_UID), "kind": query(_BAD_KIND),
        "flags": query(_BAD_FLAGS.format("messages")), "unlisted-flags": query(_BAD_FLAGS.format("unlisted")),
        "times": query(_BAD_TIMES.format("messages")), "unlisted-times": query(_BAD_TIMES.format("unlisted")),
    },
    "data": {"messages": query(_NO_DATA.format("messages")), "unlisted": query(_NO_DATA.format("unlisted"))},
    "parts": {
        "attachments": query(_PART_OF_NOTHING.format("attachments of a data row that does not exist", "attachments")),
        "embedded": query(_PART_OF_NOTHING.format("embedded messages of a data row that does not exist", "embedded")),
        "values": query(_PART_OF_NOTHING.format("long values of a data row that does not exist", "big_values")),
        "children": query(_NO_CHILD), "circles": query(_CIRCLES),
        "embedded-in": query(_NO_ATTACHMENT.format(what="an embedded message", num="num", table="embedded")),
        "values-of": query(_NO_ATTACHMENT.format(
            what="a long value", num="num", table="(SELECT did, part - 1 AS num FROM big_values)")),
    },
    "orphans": {"": query(_ORPHANS)},
    "contents": {"": query(_CONTENTS)},
    "lost": {
        "source": query(_NO_SOURCE), "value": query(_NO_VALUE), "form": query(_UNREADABLE),
        "outgoing": query(_NOT_SENT),
    },
    "data-refs": {"": query(_REFS.format(key="did", table="data_refs", used=USED_DATA))},
    "content-refs": {"": query(_REFS.format(key="cid", table="content_refs", used=USED_CONTENTS))},
    "sizes": {
        "messages": query(_SIZE.format("messages")), "unlisted": query(_SIZE.format("unlisted")),
        "value": query(_BIG_SIZE), "range": query(_NO_SIZE.format("messages")),
        "unlisted-range": query(_NO_SIZE.format("unlisted")),
    },
    "strays": {
        **{table: _stray(table, condition) for table, condition in STRAY.items()},
        "read-marks": _stray("read_states", STRAY_READ_STATES), "results": _stray_results,
    },
    "source-keys": {
        "": query(f"SELECT 0, id, 'source key ' || hex(source_key) FROM source_keys WHERE {BAD_SOURCE_KEYS}")
    },
    "tombstones": {"": _bad_tombstones},
    "figures": {"contents": query(_FIGURES), "behind": query(_BEHIND)},
    "pages": {"": query(_PAGES)},
}  # fmt: skip
"""Kind of fault -> name -> how it is found."""
