"""The values that rows of contents tables show: messages' properties, and those of rows ([MS-OXCTABL] 2.2.1)."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import Any

import apsw

from gromoxd.errors import MapiError
from gromoxd.exmdb import tables as t
from gromoxd.mapi.evaluate import canonical
from gromoxd.mapi.proptags import (
    INTERNAL,
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagDepth,
    PidTagInstanceKey,
    PidTagInstanceNum,
    PidTagInstID,
    PidTagRowType,
)
from gromoxd.mapi.smalltable import cut
from gromoxd.mapi.tables import RowType
from gromoxd.mapi.types import MULTIPLE, PropType
from store.mapi import rows as r
from store.mapi.computed import ALL
from store.mapi.groups import Layout
from store.mapi.identity import eid
from store.mapi.loading import Data, Env
from store.mapi.ordering import CHUNK, MOST_INSTANCES, instances_of
from store.mapi.properties import View
from store.mapi.reading import Reading
from store.mapi.tabledef import Definition
from store.mapi.views import Shown
from store.mapi.views import View as TableView
from store.sql import rows

MOST_OCTETS = 4 << 20
"""What one answer carries at most."""
TABLE_TAGS = (PidTagInstID, PidTagInstanceNum, PidTagRowType, PidTagDepth, PidTagInstanceKey)
_DATA = "CROSS JOIN message_data d USING (did) WHERE mid IN carray(?)"
_LISTED = f"SELECT {r.LISTED_COLUMNS}, d.cid, d.props FROM messages {_DATA}"
_UNLISTED = f"SELECT {r.UNLISTED_COLUMNS}, d.cid, d.props FROM unlisted {_DATA}"


def size_of(line: list[Any]) -> int:
    """About how many octets a row takes."""
    return sum(len(value) if isinstance(value, str | bytes | list) else 8 for value in line)


class TableMessage(View):
    """A message of a table; what went meanwhile has no more properties."""

    __slots__ = ()

    def get(self, tag: int) -> Any:
        try:
            return super().get(tag)
        except (FileNotFoundError, MapiError):
            return None

    def shown(self, tag: int) -> Any:
        """A value as a row carries it; of a long one no more is read."""
        if tag in INTERNAL:
            return None
        if tag not in self.stored and tag not in ALL and tag in self.data.big():
            octets = self.data.big_value(0, tag, 0, 2 * t.LONGEST_TEXT)
            return cut(octets.decode("utf-16-le", "replace") if tag & 0xFFFF == PropType.PtypString else octets)
        return cut(self.get(tag))


class MessageRows:
    """Reads messages for the rows of tables."""

    def __init__(self, reading: Reading) -> None:
        self._env = Env.of(reading)

    def rows(self, mids: Sequence[int]) -> Iterator[tuple[int, TableMessage]]:
        """The messages that exist, by their ids."""
        db, env = self._env.db, self._env
        for start in range(0, len(mids), CHUNK):
            listed = array("q", mids[start : start + CHUNK])
            found = rows(db, _LISTED, (apsw.carray(listed),))
            if len(found) < len(listed):
                found += rows(db, _UNLISTED, (apsw.carray(listed),))
            for *columns, cid, props in found:
                one = r.Row(*columns)
                yield one.mid, TableMessage(env, one, Data.known(env, one.did, cid, props))

    def tags(self, mids: Sequence[int]) -> list[int]:
        """The tags that some messages have, and those that every row has."""
        found: set[int] = set(TABLE_TAGS)
        for _, message in self.rows(mids):
            found.update(message.tags())
        return sorted(found)

    # ------------------------------------------------------------------------------------------ lines

    def lines(
        self, definition: Definition, wanted: list[Shown], columns: list[int], view: TableView | None = None,
        layout: Layout | None = None,
    ) -> list[list[Any]]:  # fmt: skip
        """The values of rows, until they are too many. What is gone meanwhile has none but its ids."""
        tags = [canonical(tag) for tag in columns]
        messages = dict(self.rows([one.instance[0] for one in wanted]))
        lines: list[list[Any]] = []
        octets = 0
        for one in wanted:
            source = messages.get(one.instance[0])
            if one.category and view is not None and layout is not None:
                own, under = self._header(definition, one, source, view, layout), None
            else:
                own, under = self._own(definition, one, source), source
            lines.append([self._value(tag, own, under) for tag in tags])
            octets += size_of(lines[-1])
            if octets > MOST_OCTETS:
                break
        return lines

    def _value(self, tag: int, own: dict[int, Any], source: TableMessage | None) -> Any:
        if tag in own:
            return cut(own[tag])
        return None if source is None else source.shown(tag)

    def instance(self, definition: Definition, one: Shown, source: TableMessage) -> Any:
        """What a restriction asks for the properties of a row."""
        return Overlay(self._own(definition, one, source), source)

    def _own(self, definition: Definition, one: Shown, source: TableMessage | None) -> dict[int, Any]:
        """What a row has beside its message: its ids, and the one value of a multi-value column."""
        mid, num = one.instance
        own: dict[int, Any] = {
            PidTagInstID: eid(mid),
            PidTagInstanceNum: num,
            PidTagRowType: int(RowType.TBL_LEAF_ROW),
            PidTagDepth: one.level,
            PidTagInstanceKey: instance_key(mid, num),
        }
        if definition.many:
            own[definition.many] = None if source is None else _one_of(source, definition.many, num)
        return own

    def _header(
        self, definition: Definition, one: Shown, source: TableMessage | None, view: TableView, layout: Layout
    ) -> dict[int, Any]:
        """A category's row: the values that its rows share, and how many there are ([MS-OXCTABL] 2.2.1)."""
        header = layout.headers[one.group]
        assert view.groups is not None
        groups = view.groups.list[header.first : header.last]
        own: dict[int, Any] = {
            PidTagInstID: header.id,
            PidTagInstanceNum: 0,
            PidTagRowType: int(one.kind),
            PidTagDepth: header.level,
            PidTagContentCount: sum(group.count for group in groups),
            PidTagContentUnreadCount: sum(group.unread for group in groups),
            PidTagInstanceKey: instance_key(header.id, 0),
        }
        for level, category in enumerate(definition.categories[: header.level + 1]):
            tag = category.term.tag
            if source is not None:
                own[tag] = _one_of(source, tag, one.instance[1]) if tag & MULTIPLE else source.get(tag)
            if category.extremum is not None and level == header.level:
                own.setdefault(category.extremum.tag, self._extremum(definition, groups[0], view, header.first))
        return own

    def _extremum(self, definition: Definition, group: Any, view: TableView, at: int) -> Any:
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
