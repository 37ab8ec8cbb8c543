"""Files of one message each: imported with the octets that they have, exported with those that were delivered."""

from __future__ import annotations

import os
from collections.abc import Iterator

from gromoxd.cli.transfer.found import Entry, Found, crlf, folder_path, read_each, write_file
from gromoxd.convert.dates import parse_date
from gromoxd.convert.headers import field_map, get_field

SUFFIXES = (".eml", ".mail", ".mht")
_HEADER = 256 << 10


def read(path: str) -> Iterator[Found]:
    """A file, or all .eml files in a folder; the folders in it are folders of the mailbox."""
    return read_each(path, SUFFIXES, _message)


def _message(data: bytes, found: Found) -> Iterator[Found]:
    if not data.strip():
        raise ValueError("empty")
    found.raw = crlf(data)
    found.received = received_of(found.raw) or int(os.stat(found.where).st_mtime)
    yield found


def received_of(raw: bytes) -> int | None:
    """When a mail says that it arrived: its newest Received field, else its Date."""
    header = raw[: (raw[:_HEADER].find(b"\r\n\r\n") + 2) or _HEADER]
    trace = get_field(header, b"received")
    for value in (trace.rpartition(b";")[2] if trace else None, field_map(header).get(b"date")):
        times = parse_date(value.strip()) if value else None
        if times is not None and times[0] > 0:
            return times[0]
    return None


class Writer:
    """A file <uid>.eml for each message, in folders as the mailbox has them. Files that are there stay."""

    def __init__(self, top: str) -> None:
        self.top = top

    def put(self, entry: Entry) -> None:
        """Write one message."""
        path = os.path.join(folder_path(self.top, entry.folder), f"{entry.uid:08d}.eml")
        if not os.path.exists(path):
            write_file(path, entry.raw(), entry.received)

    def close(self) -> None:
        """Nothing is left to be done."""
