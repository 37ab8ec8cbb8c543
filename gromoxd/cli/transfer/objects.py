"""Files with an item or several: what ics, vcf, msg and tnef have in common."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from gromoxd.cli.transfer.found import Entry, Found, folder_path, read_each, safe_name, write_file

if TYPE_CHECKING:
    from gromoxd.convert.item import Item


def read_items(path: str, suffixes: tuple[str, ...], items_of: Callable[[bytes], Sequence[Item]]) -> Iterator[Found]:
    """The items in a file, or in all files of a folder."""

    def decode(data: bytes, found: Found) -> Iterator[Found]:
        items = items_of(data)
        for number, item in enumerate(items, 1):
            where = found.where if len(items) == 1 else f"{found.where}, object {number}"
            yield Found(where, found.folder, item=item)

    return read_each(path, suffixes, decode)


class EachWriter:
    """A file for each message, in folders as the mailbox has them. Files that are there stay."""

    suffix = ""

    def __init__(self, top: str) -> None:
        self.top = top

    def octets(self, item: Item) -> bytes:
        """The file's content."""
        raise AssertionError(item)

    def put(self, entry: Entry) -> None:
        """Write one message."""
        path = os.path.join(folder_path(self.top, entry.folder), f"{entry.uid:08d}{self.suffix}")
        if not os.path.exists(path):
            write_file(path, self.octets(entry.item()), entry.received)

    def close(self) -> None:
        """Nothing is left to be done."""


class FolderWriter:
    """A file for each folder, made anew and put in place when it is whole; with `each`, one for each item."""

    suffix = ""

    def __init__(self, top: str, each: bool = False) -> None:
        self.top = top
        self.each = each
        self._folder: tuple[str, ...] | None = None
        self._items: list[Item] = []

    def octets(self, items: list[Item]) -> bytes:
        """The file's content."""
        raise AssertionError(items)

    def put(self, entry: Entry) -> None:
        """Take one item along; the file is written when another folder begins."""
        item = entry.item()
        if self.each:
            path = os.path.join(folder_path(self.top, entry.folder), f"{entry.uid:08d}{self.suffix}")
            write_file(path, self.octets([item]), entry.received)
            return
        if entry.folder != self._folder:
            self.close()
            self._folder = entry.folder
        self._items.append(item)

    def close(self) -> None:
        """Write what was taken."""
        if self._folder is not None and self._items:
            folder = folder_path(self.top, self._folder[:-1])
            name = safe_name(self._folder[-1] if self._folder else "objects") + self.suffix
            write_file(os.path.join(folder, name), self.octets(self._items))
        self._items = []
