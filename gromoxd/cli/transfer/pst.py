"""Outlook's personal and offline folders ([MS-PST]): read through a map, message by message."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from gromoxd.cli.transfer.found import Found
from gromoxd.convert.pst import PstFile, PstFolder
from gromoxd.errors import WireError

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
        yield Found(where, item=item, container_class=folder.container_class)


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
