"""FolderSizes, BiggestMessages, GetFigures: what is in a mailbox, in numbers (gromoxd.exmdb.upkeepcalls)."""

from __future__ import annotations

import os
from typing import Any, Final

import apsw

from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import upkeepcalls as u
from gromoxd.mapi.bag import decode_bag
from gromoxd.mapi.proptags import PidTagSenderName, PidTagSenderSmtpAddress, PidTagSubject
from store.content import FILE
from store.mapi import rows as r
from store.mapi.reading import Reading
from store.sql import row, rows_once

_UNLISTED = (
    f"SELECT fid, sum(kind={r.ASSOCIATED}), sum(iif(kind={r.ASSOCIATED}, size, 0)), sum(kind<>{r.ASSOCIATED}),"
    f" sum(iif(kind<>{r.ASSOCIATED}, size, 0)) FROM unlisted GROUP BY fid"
)
_BIGGEST = f"""
    SELECT m.fid, m.mid, m.uid, m.deleted, m.size, m.received, d.props FROM (
      SELECT fid, mid, uid, 0 AS deleted, size, received, did FROM messages
      UNION ALL SELECT fid, mid, 0, kind >= {r.DELETED}, size, received, did FROM unlisted
      ORDER BY size DESC, mid LIMIT ?
    ) m LEFT JOIN message_data d USING (did) ORDER BY m.size DESC, m.mid"""


def folder_sizes(reading: Reading, call: u.FolderSizes) -> list[u.FolderSize]:
    """upkeepcalls.FolderSizes."""
    reading.access.require_owner()
    db = reading.reader.db
    others = {fid: tuple(counts) for fid, *counts in rows_once(db, _UNLISTED)}
    paths = {folder.fid: folder.path for folder in reading.box.folder_list.folders}
    sql = "SELECT fid, parent_fid, name, container_class, messages, unseen, size FROM folders ORDER BY fid"
    found = [_size(paths.get(line[0], ""), line, others) for line in rows_once(db, sql)]
    sql = "SELECT fid, -1, name, container_class, 0, 0, 0 FROM deleted_folders ORDER BY time, fid"
    return found + [_size("", line, others) for line in rows_once(db, sql)]


def _size(path: str, line: tuple[Any, ...], others: dict[int, tuple[int, ...]]) -> u.FolderSize:
    fid, parent, name, kind, messages, unseen, size = line
    associated, associated_size, deleted, deleted_size = others.get(fid, (0, 0, 0, 0))
    return u.FolderSize(
        fid, parent, name, path, kind, messages, unseen, size, associated, associated_size, deleted, deleted_size
    )  # fmt: skip


def biggest_messages(reading: Reading, call: u.BiggestMessages) -> list[u.BigMessage]:
    """upkeepcalls.BiggestMessages."""
    reading.access.require_owner()
    if not 0 < call.count <= u.MOST_BIG:
        raise MapiError(Ec.ecInvalidParam, "number of messages")
    found = []
    for fid, mid, uid, deleted, size, received, props in rows_once(reading.reader.db, _BIGGEST, (call.count,)):
        try:
            bag = decode_bag(props or b"\x80")
        except WireError:
            bag = {}
        sender = bag.get(PidTagSenderSmtpAddress) or bag.get(PidTagSenderName) or ""
        subject = bag.get(PidTagSubject) or ""
        found.append(u.BigMessage(fid, mid, uid, bool(deleted), size, received, str(sender), str(subject)))
    return found


# ---------------------------------------------------------------------------------------------- everything

_COUNTS: Final = (
    ("messages", "SELECT count(*) FROM messages"),
    ("associated", f"SELECT count(*) FROM unlisted WHERE kind={r.ASSOCIATED}"),
    ("deleted", f"SELECT count(*) FROM unlisted WHERE kind={r.DELETED}"),
    ("deleted_associated", f"SELECT count(*) FROM unlisted WHERE kind={r.DELETED_ASSOCIATED}"),
    *((name, f"SELECT count(*) FROM {table}") for name, table in (
        ("folders", "folders"), ("deleted_folders", "deleted_folders"), ("data_rows", "message_data"),
        ("attachments", "attachments"), ("embedded", "embedded"), ("big_values", "big_values"),
        ("named_properties", "named_properties"), ("replicas", "replicas"), ("source_keys", "source_keys"),
        ("rules", "rules"), ("keyword_sets", "keyword_sets"), ("tombstones", "tombstones"),
    )),
    *((name, f"SELECT {what} FROM content WHERE kind {relation} {FILE}") for name, what, relation in (
        ("contents", "count(*)", "<>"), ("files", "count(*)", "="),
        ("content_octets", "ifnull(sum(length(head) + ifnull(length(body), 0)), 0)", "<>"),
        ("file_octets", "ifnull(sum(size), 0)", "="),
    )),
)  # fmt: skip
_MAILBOX = "SELECT guid, created, next_id, quota_receive, quota_storage FROM mailbox"
_PERMISSIONS = "SELECT fid, member, rights FROM permissions WHERE fid IN (SELECT fid FROM folders) ORDER BY 1, 2"
_SEARCH_FOLDERS = (
    "SELECT fid, flags, status, (SELECT count(*) FROM search_results r WHERE r.fid = s.fid) FROM search_folders s"
)


def get_figures(reading: Reading, call: u.GetFigures) -> u.Figures:
    """upkeepcalls.GetFigures."""
    reading.access.require_owner()
    db = reading.reader.db
    counts = {name: row(db, sql)[0] for name, sql in _COUNTS}
    guid, created, next_id, receive, storage = row(db, _MAILBOX)
    return u.Figures(
        guid=guid, created=created, public=reading.box.public, cn=reading.box.cn, next_id=next_id,
        database=_pragma(db, "page_count") * _pragma(db, "page_size"),
        free=_pragma(db, "freelist_count") * _pragma(db, "page_size"), log=_size_of(db.filename + "-wal"),
        quota_receive=receive, quota_storage=storage, permissions=rows_once(db, _PERMISSIONS),
        search_folders=[u.SearchFolder(*line) for line in rows_once(db, _SEARCH_FOLDERS)], **counts,
    )  # fmt: skip


def _pragma(db: apsw.Connection, name: str) -> int:
    return int(db.pragma(name))


def _size_of(path: str) -> int:
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return 0


READS: Final[dict[type[Any], Any]] = {
    u.FolderSizes: folder_sizes, u.BiggestMessages: biggest_messages, u.GetFigures: get_figures,
}  # fmt: skip
LONG: Final[dict[type[Any], Any]] = {kind: lambda reading, call: True for kind in READS}
