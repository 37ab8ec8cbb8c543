"""Folders of a file ([MS-PST] 2.4.4) and the messages in them, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from gromoxd.convert.item import Item
from gromoxd.mapi.bag import Bag

if TYPE_CHECKING:
    from gromoxd.convert.pst.file import PstFile

NID_TYPE_SEARCH_FOLDER: Final = 0x03


@dataclass(slots=True, frozen=True)
class PstMessage:
    """A message of a folder, not read yet."""

    file: PstFile
    nid: int

    def item(self, lost: list[str] | None = None) -> Item:
        """The message whole. WireError when a part of it cannot be read; with a list `lost`, only when nothing can,
        and what was left out is told there."""
        return self.file.item(self.nid, lost)


@dataclass(slots=True)
class PstFolder:
    """A folder: its names from the root of the file down, what is in it, and how it was counted there."""

    file: PstFile
    nid: int
    path: tuple[str, ...]
    """Names from below the file's root folder down, () of that folder itself; a name may hold any character."""
    name: str
    container_class: str
    """PidTagContainerClass, such as IPF.Note; empty when the folder has none."""
    content_count: int
    unread_count: int
    props: Bag
    """The folder's properties but named ones and those that files keep for themselves."""
    damaged: str = ""
    """Why a table of the folder could not be read, so that the nodes of the file were searched; empty: all could."""

    @property
    def is_search(self) -> bool:
        """Search folders have no messages of their own."""
        return self.nid & 0x1F == NID_TYPE_SEARCH_FOLDER

    def messages(self) -> Iterator[PstMessage]:
        """The messages, in the order of the contents table."""
        for nid in self.file.contents(self):
            yield PstMessage(self.file, nid)

    def associated(self) -> Iterator[PstMessage]:
        """The folder associated information messages: settings of clients, no mail."""
        for nid in self.file.associated(self):
            yield PstMessage(self.file, nid)
