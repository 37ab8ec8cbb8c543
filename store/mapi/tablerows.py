"""The values that rows of contents tables show: messages' properties, and those of rows ([MS-OXCTABL] 2.2.1)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from gromoxd.mapi.bag import decode_bag
from gromoxd.mapi.evaluate import canonical
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagDepth,
    PidTagFolderId,
    PidTagInstanceKey,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagMid,
    PidTagRowType,
)
from gromoxd.mapi.smalltable import cut
from gromoxd.mapi.tables import RowType
from gromoxd.mapi.types import MULTIPLE
from store.mapi import rows as r
from store.mapi.groups import Layout
from store.mapi.identity import eid
from store.mapi.ordering import CHUNK, MOST_INSTANCES, instances_of
from store.mapi.reading import Reading
from store.mapi.tabledef import Definition
from store.mapi.views import Shown, View
from store.sql import rows

MOST_OCTETS = 4 << 20
"""What one answer carries at most."""
TABLE_TAGS = (PidTagInstID, PidTagInstanceNum, PidTagRowType, PidTagDepth, PidTagInstanceKey)
_LISTED = (
    f"SELECT {r.LISTED_COLUMNS}, d.props FROM messages CROSS JOIN message_data d USING (did) WHERE mid IN carray(?)"
)
_UNLISTED = (
    f"SELECT {r.UNLISTED_COLUMNS}, d.props FROM unlisted CROSS JOIN message_data d USING (did) WHERE mid IN carray(?)"
)


def size_of(line: list[Any]) -> int:
    """About how many octets a row takes."""
    return sum(len(value) if isinstance(value, str | bytes | list) else 8 for value in line)


class MessageRows:
    """Reads messages for the rows of tables."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def rows(self, mids: Sequence[int]) -> Iterator[tuple[int, Any]]:
        """(mid, what has `get(tag)`) of the messages that exist."""
        db = self._reading.reader.db
        for start in range(0, len(mids), CHUNK):
            listed = array("q", mids[start : start + CHUNK])
            for sql in (_LISTED, _UNLISTED):
                for *columns, props in rows(db, sql, (apsw.carray(listed),)):
                    found = r.Row(*columns)
                    yield found.mid, self._properties(found, props)

    def _properties(self, found: r.Row, props: bytes) -> dict[int, Any]:
        bag = decode_bag(props)
        bag[PidTagMid] = eid(found.mid)
        bag[PidTagFolderId] = eid(found.fid)
        return bag

    def tags(self, mids: Sequence[int]) -> list[int]:
        """The tags that some messages have, and those that every row has."""
        found: set[int] = set(TABLE_TAGS)
        for _, properties in self.rows(mids):
            found.update(properties)
        return sorted(found - INTERNAL)

    # ------------------------------------------------------------------------------------------ lines

    def lines(
        self, definition: Definition, wanted: list[Shown], columns: list[int], view: View | None = None,
        layout: Layout | None = None,
    ) -> list[list[Any]]:  # fmt: skip
        """The values of rows, until they are too many. What is gone meanwhile has none but its ids."""
        tags = [canonical(tag) for tag in columns]
        properties = dict(self.rows([one.instance[0] for one in wanted]))
        lines: list[list[Any]] = []
        octets = 0
        for one in wanted:
            source = properties.get(one.instance[0]) or {}
            if one.category and view is not None and layout is not None:
                get = self._header(definition, one, source, view, layout)
            else:
                get = self.instance(source, definition, one)
            lines.append([None if tag in INTERNAL else cut(get.get(tag)) for tag in tags])
            octets += size_of(lines[-1])
            if octets > MOST_OCTETS:
                break
        return lines

    def instance(self, source: Any, definition: Definition, one: Shown) -> Any:
        """The properties of a row: its message's, its own, and the one value of a multi-value column."""
        mid, num = one.instance
        own = {
            PidTagInstID: eid(mid),
            PidTagInstanceNum: num,
            PidTagRowType: RowType.TBL_LEAF_ROW,
            PidTagDepth: one.level,
            PidTagInstanceKey: instance_key(mid, num),
        }
        if definition.many:
            own[definition.many] = _one_of(source, definition.many, num)
        return Overlay(own, source)

    def _header(self, definition: Definition, one: Shown, source: Any, view: View, layout: Layout) -> Any:
        """A category's row: the values that its rows share, and how many there are ([MS-OXCTABL] 2.2.1)."""
        header = layout.headers[one.group]
        assert view.groups is not None
        groups = view.groups.list[header.first : header.last]
        own: dict[int, Any] = {
            PidTagInstID: header.id,
            PidTagInstanceNum: 0,
            PidTagRowType: one.kind,
            PidTagDepth: header.level,
            PidTagContentCount: sum(group.count for group in groups),
            PidTagContentUnreadCount: sum(group.unread for group in groups),
            PidTagInstanceKey: instance_key(header.id, 0),
        }
        for level, category in enumerate(definition.categories[: header.level + 1]):
            tag = category.term.tag
            own[tag] = _one_of(source, tag, one.instance[1]) if tag & MULTIPLE else source.get(tag)
            if category.extremum is not None and level == header.level:
                own.setdefault(category.extremum.tag, self._extremum(definition, groups[0], view, header.first))
        return own

    def _extremum(self, definition: Definition, group: Any, view: View, at: int) -> Any:
        """The value by which a group is ordered, as its messages have it."""
        category = definition.categories[-1]
        assert category.extremum is not None and view.groups is not None
        tag, wanted = category.extremum.tag, group.extremum
        start = view.groups.starts[at]
        best: Any = None
        for _, properties in self.rows([view.at(leaf)[0] for leaf in range(start, start + min(group.count, CHUNK))]):
            value = properties.get(tag)
            if value is not None and (best is None or (value > best) is category.highest):
                best = value
        return best if wanted is not None else None


def _one_of(source: Any, tag: int, num: int) -> Any:
    values = instances_of(source, tag)[:MOST_INSTANCES]
    return values[num] if num < len(values) else None


def instance_key(instance: int, num: int) -> bytes:
    """PidTagInstanceKey: 12 octets, the same for a row as long as it is there."""
    return instance.to_bytes(8, "big") + num.to_bytes(4, "big")


class Overlay:
    """Properties over others."""

    __slots__ = ("_over", "_under")

    def __init__(self, over: dict[int, Any], under: Any) -> None:
        self._over = over
        self._under = under

    def get(self, tag: int) -> Any:
        value = self._over.get(tag)
        return self._under.get(tag) if value is None else value

    def recipients(self) -> Any:
        return self._under.recipients()

    def attachments(self) -> Any:
        return self._under.attachments()
