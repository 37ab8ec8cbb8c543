"""Many messages at once: their rows in a few statements for each piece of them, not in some for each message."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, Final

import apsw

from gromoxd.exmdb import objects as o
from gromoxd.mapi.bag import decode_bag
from store.mapi import rows as r
from store.mapi.loading import Attached, Data, Env
from store.mapi.properties import View, needs_content
from store.mapi.rows import Row
from store.sql import rows

PIECE: Final = 100
"""Messages whose rows are in memory at a time."""
_NARROW: Final = (
    f"SELECT {r.LISTED_COLUMNS} FROM messages WHERE mid IN carray(?)",
    f"SELECT {r.UNLISTED_COLUMNS} FROM unlisted WHERE mid IN carray(?)",
)
_SLIM: Final = "SELECT did, cid, props FROM message_data WHERE did IN carray(?)"
_FULL: Final = (
    "SELECT d.did, d.cid, d.props, d.recipients, d.parts, c.head, c.kind, c.hash, c.size, c.body"
    " FROM message_data d LEFT JOIN content c ON c.cid = d.cid WHERE d.did IN carray(?)"
)
_ATTACHED: Final = (
    "SELECT a.did, a.num, a.props, e.child FROM attachments a LEFT JOIN embedded e ON e.did = a.did AND e.num = a.num"
    " WHERE a.did IN carray(?) ORDER BY a.did, a.num"
)
_BIG: Final = "SELECT did, part, tag, size FROM big_values WHERE did IN carray(?)"
_KEYS: Final = "SELECT id, source_key FROM source_keys WHERE id IN carray(?)"


def views(env: Env, mids: list[int], what: int, tags: list[int] | None) -> Iterator[View]:
    """Messages in this order, without those that are gone or in folders where the actor has no rights at all."""
    access = env.access
    found: dict[int, Row] = {}
    for sql in _NARROW:
        found |= {line[0]: Row(*line) for line in _of(env, sql, mids)}
    there = [found[mid] for mid in mids if mid in found]
    if not access.everything:
        there = [one for one in there if access.rights(one.fid)]
    whole = bool(what & (o.RECIPIENTS | o.ATTACHMENTS)) or needs_content(tags)
    fat = {line[0]: line for line in _of(env, _FULL if whole else _SLIM, (one.did for one in there))}
    fill = _Filling(env, there, bool(what & o.ATTACHMENTS)) if whole else None
    for one in there:
        line = fat.get(one.did)
        if line is not None:
            data = Data.known(env, *line[:3])
            if fill is not None:
                data.fill(line[3:], *fill.of(one))
            yield View(env, one, data)


def _of(env: Env, sql: str, ids: Iterable[int]) -> list[Any]:
    wanted = array("q", ids)
    return rows(env.db, sql, (apsw.carray(wanted),)) if wanted else []


class _Filling:
    """What is beside the data rows: attachments, big values, source keys of other replicas."""

    def __init__(self, env: Env, there: list[Row], attachments: bool) -> None:
        dids = {one.did for one in there}
        self._attached: dict[int, list[Attached]] | None = None
        if attachments:
            self._attached = {}
            for did, num, props, child in _of(env, _ATTACHED, dids):
                self._attached.setdefault(did, []).append(Attached(num, decode_bag(props), child or 0))
        self._big: dict[int, list[tuple[int, int, int]]] = {}
        for did, part, tag, size in _of(env, _BIG, dids):
            self._big.setdefault(did, []).append((part, tag, size))
        self._keys: dict[int, bytes] = dict(_of(env, _KEYS, {i for one in there for i in (one.mid, one.fid)}))

    def of(self, one: Row) -> tuple[list[Attached] | None, list[tuple[int, int, int]], tuple[Any, Any]]:
        """For `Data.fill`."""
        attached = None if self._attached is None else self._attached.get(one.did, [])
        return attached, self._big.get(one.did, []), (self._keys.get(one.mid), self._keys.get(one.fid))
