"""Outlook's personal and offline folders ([MS-PST]): read through a map, message by message; written as one file."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gromoxd.cli.transfer.found import Entry, Found, begin_file, finish_file
from gromoxd.convert.derived import shown
from gromoxd.convert.pst import PstFile, PstFolder
from gromoxd.errors import WireError
from gromoxd.exmdb.pages import SEEN
from gromoxd.mapi.proptags import PidTagMessageFlags
from gromoxd.mapi.times import filetime

if TYPE_CHECKING:
    from gromoxd.convert.pst.writer import FolderWriter

_NOT_MAIL: Final = frozenset(("finder", "outbox"))


def read(path: str) -> Iterator[Found]:
    """All messages of a file, in its folders; search folders and settings of clients are left out."""
    total = os.path.getsize(path)
    try:
        file = PstFile(path)
    except (WireError, OSError) as error:
        yield Found(path, error=f"not readable: {error}", done=total)
        return
    with file:
        places = _Places(file)
        folders = [folder for folder in file.folders() if not folder.is_search]
        count = sum(max(folder.content_count, 1) for folder in folders) or 1
        seen = 0
        for folder in folders:
            for found in _messages(path, folder):
                seen += 1
                found.done = min(total * seen // count, total)
                places.place(found, folder)
                yield found


def _messages(path: str, folder: PstFolder) -> Iterator[Found]:
    name = "/".join(folder.path)
    if folder.damaged:
        yield Found(f"{path}, folder {name}", error=folder.damaged)
    for number, message in enumerate(folder.messages(), 1):
        lost: list[str] = []
        where = f"{path}, {name}, message {number}"
        try:
            item = message.item(lost)
        except WireError as error:
            yield Found(where, error=str(error))
            continue
        yield Found(where, item=item, container_class=folder.container_class, lost=tuple(lost))


class _Places:
    """Where folders of the file are, from the top folder that people see; and what the special ones are for."""

    def __init__(self, file: PstFile) -> None:
        special = file.special()
        paths = {folder.nid: folder.path for folder in file.folders()}
        self.top: tuple[str, ...] = next(
            (paths[nid] for nid, use in special.items() if use == "top" and nid in paths), ()
        )
        self.uses = {paths[nid]: use for nid, use in special.items() if nid in paths and use != "top"}

    def place(self, found: Found, folder: PstFolder) -> None:
        """Folder and special use of what was found in it."""
        path = folder.path
        below = len(self.top) if path[: len(self.top)] == self.top else 0
        found.folder = path[below:]
        for size in range(len(path), below, -1):
            use = self.uses.get(path[:size], "")
            if use and use not in _NOT_MAIL:
                found.special, found.depth = use, size - below
                return


class Writer:
    """mailbox.pst, with the folders as the mailbox has them; made anew, and put in place when it is whole."""

    def __init__(self, top: str) -> None:
        from gromoxd.convert.pst.writer import PstWriter

        self.path = os.path.join(top, "mailbox.pst")
        self._file = begin_file(self.path)
        self._pst = PstWriter(self._file, record_key=os.urandom(16), now_nt=filetime(int(time.time())))
        self._folders: dict[tuple[str, ...], FolderWriter] = {
            (): self._pst.top,
            ("deleted items",): self._pst.deleted,
        }
        self._open: FolderWriter | None = None

    def put(self, entry: Entry) -> None:
        """Write one message. WireError for what the format has no place for."""
        item = entry.item()
        folder = self._folder(entry.folder, entry.container_class)
        if self._open is not None and self._open is not folder:
            self._open.close()
        self._open = folder
        flags = item.props.get(PidTagMessageFlags)
        item.props[PidTagMessageFlags] = (flags & ~1 if isinstance(flags, int) else 0) | bool(entry.flags & SEEN)
        shown(item.props, item.recipients)
        try:
            folder.add(item)
        except ValueError as error:
            raise WireError(str(error)) from error

    def _folder(self, way: tuple[str, ...], container_class: str) -> FolderWriter:
        """The folder at the end of a path, made at need with those above it."""
        key = tuple(name.casefold() for name in way)
        if key not in self._folders:
            above = self._folder(way[:-1], container_class)
            name = "Inbox" if key == ("inbox",) else way[-1]
            self._folders[key] = self._pst.folder(above, name, container_class or "IPF.Note")
        return self._folders[key]

    def close(self) -> None:
        """Write the tables, and put the file in place."""
        self._pst.close()
        self._file.close()
        finish_file(self.path)
