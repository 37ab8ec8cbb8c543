"""A file of personal folders as a whole: PST, OST, PAB ([MS-PST] 2.4).

Opening reads the header, the message store and the map of names. Folders, then messages, are read when they are asked
for, through a map of the file in memory: a file of 50 GB costs what is looked at. The password that a file may have
is no encryption and is not asked for ([MS-PST] 2.4.3.3).
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol, Self

from gromoxd.convert.item import Item
from gromoxd.convert.pst.folders import PstFolder
from gromoxd.convert.pst.heap import Heap
from gromoxd.convert.pst.messages import Reading
from gromoxd.convert.pst.names import NID_NAME_TO_ID_MAP, NameMap, read_names
from gromoxd.convert.pst.ndb import Budget, Ndb, Octets
from gromoxd.convert.pst.tables import Table
from gromoxd.convert.pst.values import PropertyContext
from gromoxd.errors import WireError
from gromoxd.mapi.codepages import WESTERN
from gromoxd.mapi.proptags import (
    PidTagContainerClass,
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagDisplayName,
    PidTagMessageClass,
)

NID_MESSAGE_STORE: Final = 0x21
NID_ROOT_FOLDER: Final = 0x122
_NID_RECEIVE_FOLDERS: Final = 0x62B
_RECEIVE_FOLDER: Final = 0x66050003
"""Column of the receive folder table: the folder's nid."""
_SERVER_FOLDER_ID: Final = 0x67F40014
"""Of folders in offline stores: PidTagFolderId at the server."""
_TYPE_FOLDERS: Final = (0x02, 0x03)
_TYPE_MESSAGE, _TYPE_ASSOCIATED = 0x04, 0x08
_TYPE_HIERARCHY, _TYPE_CONTENTS, _TYPE_ASSOCIATED_CONTENTS = 0x0D, 0x0E, 0x0F
_DEEPEST: Final = 100
_MOST_FOLDERS: Final = 100_000
_LARGEST_TABLE: Final = 1 << 30
LARGEST_ITEM: Final = 1 << 29
"""Octets that may be read for one item, unless the caller has another opinion."""

_SPECIAL_OF_STORE: Final = {0x35E0: "top", 0x35E2: "outbox", 0x35E3: "deleted", 0x35E4: "sent", 0x35E7: "finder"}
_SPECIAL_OF_ROOT: Final = {
    0x36D0: "calendar", 0x36D1: "contacts", 0x36D2: "journal", 0x36D3: "notes", 0x36D4: "tasks", 0x36D7: "drafts",
}  # fmt: skip


class Path(Protocol):
    """What `open` takes besides strings."""

    def __fspath__(self) -> str: ...


class PstFile:
    """An open file. Close it, or use it as a context manager."""

    def __init__(self, source: str | Path | bytes, *, code_page: int = WESTERN, largest: int = LARGEST_ITEM) -> None:
        """`source`: the path of a file, or its octets. `code_page`: of 8-bit text that does not say its own, which is
        all of it in ANSI files. `largest`: octets to read for one item at most.

        WireError when it is no such file or its tree of nodes cannot be read; OSError as `open` has it."""
        self._map: mmap.mmap | None = None
        self.code_page, self.largest = code_page, largest
        try:
            self.ndb = Ndb(self._octets(source))
            self.ndb.has(NID_ROOT_FOLDER)
            self.store = self._store()
            self.names = self._names()
        except BaseException:
            self.close()
            raise
        self._children: dict[int, list[int]] | None = None
        self._counters: dict[bytes, int] | None = None

    def _octets(self, source: str | Path | bytes) -> Octets:
        if isinstance(source, bytes):
            return source
        with open(source, "rb") as file:
            if not file.seek(0, 2):
                return b""
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._map

    def close(self) -> None:
        """Give the file back; folders and messages of it can no longer be read."""
        if self._map is not None:
            self._map.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def format(self) -> str:
        """ANSI, Unicode or Unicode 4K."""
        return self.ndb.layout.name

    @property
    def damaged(self) -> int:
        """Pages and blocks read so far whose checksum was wrong."""
        return self.ndb.damaged

    @property
    def display_name(self) -> str:
        """What the file's owner called it."""
        return self._text(self.store, PidTagDisplayName) if self.store else ""

    # Folders

    def root(self) -> PstFolder:
        """The root folder of the file; what people see is below the folder `special()` calls top."""
        return self.folder(NID_ROOT_FOLDER, ())

    def folder(self, nid: int, path: tuple[str, ...] = ()) -> PstFolder:
        """The folder of a node. WireError when it is none."""
        properties = self._properties(nid)
        text, number = self._text, self._number
        return PstFolder(
            file=self,
            nid=nid,
            path=path,
            name=text(properties, PidTagDisplayName),
            container_class=text(properties, PidTagContainerClass),
            content_count=number(properties, PidTagContentCount),
            unread_count=number(properties, PidTagContentUnreadCount),
            props={tag: value for tag, value in properties.bag(lost=[]).items() if tag >> 16 < 0x6700},
        )

    def subfolders(self, folder: PstFolder) -> Iterator[PstFolder]:
        """The folders in a folder; one that cannot be read has an empty name and says why."""
        for nid in self._listed(folder, _TYPE_HIERARCHY, _TYPE_FOLDERS):
            if nid & 0x1F not in _TYPE_FOLDERS or nid == folder.nid:
                continue
            try:
                found = self.folder(nid)
            except WireError as error:
                found = PstFolder(self, nid, (), "", "", 0, 0, {}, str(error))
            found.path = (*folder.path, found.name or f"{nid:#x}")
            yield found

    def folders(self) -> Iterator[PstFolder]:
        """All folders, each before those in it, the root first."""
        seen = {NID_ROOT_FOLDER}
        try:
            waiting = [self.root()]
        except WireError as error:
            waiting = [PstFolder(self, NID_ROOT_FOLDER, (), "", "", 0, 0, {}, str(error))]
        while waiting:
            folder = waiting.pop()
            yield folder
            if len(folder.path) >= _DEEPEST or len(seen) > _MOST_FOLDERS:
                continue
            below = [found for found in self.subfolders(folder) if found.nid not in seen]
            seen.update(found.nid for found in below)
            waiting += reversed(below)

    def special(self) -> dict[int, str]:
        """nid -> what the folder is for: top, inbox, outbox, deleted, sent, finder, calendar, contacts, journal, notes,
        tasks, drafts ([MS-PST] 2.4.3.1; [MS-OXOSFLD] 2.2.3). Only what the file says, whatever folders are called."""
        found: dict[int, str] = {}
        if self.store:
            self._add_special(found, self.store, _SPECIAL_OF_STORE)
        inbox, parent = self._inbox()
        if inbox:
            found.setdefault(inbox, "inbox")
        if parent and "top" not in found.values():
            found[parent] = "top"
        for nid in (NID_ROOT_FOLDER, inbox):
            try:
                self._add_special(found, self._properties(nid), _SPECIAL_OF_ROOT)
            except WireError:
                continue
        return found

    # Messages

    def item(self, nid: int, lost: list[str] | None = None) -> Item:
        """The message of a node; see `PstMessage.item`."""
        return self._reading(lost).item(self.ndb.node(nid))

    def contents(self, folder: PstFolder) -> list[int]:
        """The nids of a folder's messages."""
        if folder.is_search:
            return []
        return self._listed(folder, _TYPE_CONTENTS, (_TYPE_MESSAGE,))

    def associated(self, folder: PstFolder) -> list[int]:
        """The nids of its associated messages."""
        if folder.is_search:
            return []
        return self._listed(folder, _TYPE_ASSOCIATED_CONTENTS, (_TYPE_ASSOCIATED,))

    # Below

    def _reading(self, lost: list[str] | None = None) -> Reading:
        return Reading(self.ndb, self.names, self.code_page, Budget(self.largest), lost)

    def _properties(self, nid: int) -> PropertyContext:
        return PropertyContext(Heap(self.ndb, self.ndb.node(nid), Budget(self.largest)), self.code_page)

    def _store(self) -> PropertyContext | None:
        try:
            return self._properties(NID_MESSAGE_STORE)
        except WireError:
            return None

    def _names(self) -> NameMap:
        """Files without a map, or with one that cannot be read, have no named properties."""
        try:
            return read_names(self._properties(NID_NAME_TO_ID_MAP))
        except WireError:
            return NameMap({})

    def _table(self, nid: int) -> Table:
        heap = Heap(self.ndb, self.ndb.node(nid), Budget(_LARGEST_TABLE))
        return Table(heap, self.ndb.layout.row_index, self.code_page)

    def _listed(self, folder: PstFolder, kind: int, wanted: tuple[int, ...]) -> list[int]:
        """The row ids of a folder's table, which are nids; without a table, the nodes that call the folder parent."""
        try:
            nid = folder.nid & ~0x1F | kind
            return list(dict.fromkeys(self._table(nid).row_ids)) if self.ndb.has(nid) else []
        except WireError as error:
            folder.damaged = folder.damaged or str(error)
            return [nid for nid in self._by_parent().get(folder.nid, ()) if nid & 0x1F in wanted]

    def _by_parent(self) -> dict[int, list[int]]:
        if self._children is None:
            self._children = {}
            for node in self.ndb.nodes():
                self._children.setdefault(node.parent, []).append(node.nid)
        return self._children

    def _inbox(self) -> tuple[int, int]:
        """The folder that receives what no other is for, by the receive folder table, and its parent; else zeros."""
        try:
            rows = {row.get(PidTagMessageClass, ""): row for row in self._table(_NID_RECEIVE_FOLDERS).rows()}
            for message_class in ("IPM.Note", "IPM", ""):
                nid = rows.get(message_class, {}).get(_RECEIVE_FOLDER)
                if isinstance(nid, int) and nid & 0x1F == _TYPE_FOLDERS[0] and nid != NID_ROOT_FOLDER:
                    return nid, self.ndb.node(nid).parent
        except WireError:
            pass
        return 0, 0

    def _add_special(self, found: dict[int, str], properties: PropertyContext, wanted: dict[int, str]) -> None:
        """Entry ids in a file: flags, the store's GUID, nid ([MS-PST] 2.4.3.2); in offline stores they are the server's
        ([MS-OXCDATA] 2.2.4.1)."""
        for prop_id, use in wanted.items():
            entry_id = self._value(properties, prop_id << 16 | 0x102)
            if not isinstance(entry_id, bytes):
                continue
            if len(entry_id) == 24:
                found.setdefault(int.from_bytes(entry_id[20:], "little"), use)
            elif len(entry_id) == 46 and entry_id[38:44] in self._by_counter():
                found.setdefault(self._by_counter()[entry_id[38:44]], use)

    def _by_counter(self) -> dict[bytes, int]:
        """The folders of an offline store by the GlobalCounter of their id at the server."""
        if self._counters is None:
            self._counters = {}
            for node in self.ndb.nodes():
                if node.nid & 0x1F == _TYPE_FOLDERS[0] and node.parent:
                    number = self._quiet_id(node.nid)
                    if isinstance(number, int):
                        self._counters[number.to_bytes(8, "little", signed=True)[2:]] = node.nid
        return self._counters

    def _quiet_id(self, nid: int) -> object:
        try:
            return self._properties(nid).get(_SERVER_FOLDER_ID)
        except WireError:
            return None

    def _text(self, properties: PropertyContext, tag: int) -> str:
        value = self._value(properties, tag)
        return value if isinstance(value, str) else ""

    def _number(self, properties: PropertyContext, tag: int) -> int:
        value = self._value(properties, tag)
        return value if isinstance(value, int) else 0

    @staticmethod
    def _value(properties: PropertyContext, tag: int) -> object:
        try:
            return properties.get(tag)
        except WireError:
            return None
