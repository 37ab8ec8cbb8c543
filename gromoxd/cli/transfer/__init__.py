"""Formats that mailboxes are imported from and exported to, one module each, and what both directions share.

A format that can be read has `read(path) -> Iterator[Found]`, one that can be written a class `Writer(folder)` with
`put(entry)` and `close()`. `FORMATS` names the modules; none is imported before it is needed.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import Final, NamedTuple


class Format(NamedTuple):
    """A format: its module, what it is called, and which directions it has."""

    module: str
    title: str
    reads: bool = True
    writes: bool = True

    def load(self) -> ModuleType:
        """The module."""
        return importlib.import_module(f"gromoxd.cli.transfer.{self.module}")


FORMATS: Final[dict[str, Format]] = {
    "eml": Format("eml", "files of one message each (RFC 5322), or folders with such"),
    "mbox": Format("mbox", "mbox files, with any of its ways to quote From lines"),
    "maildir": Format("maildir", "Maildir, its folders as Maildir++ or nested"),
    "ics": Format("ics", "iCalendar: appointments, tasks, notes"),
    "vcf": Format("vcf", "vCards: contacts and their lists"),
    "msg": Format("msg", "Outlook's .msg files, or folders with such"),
    "tnef": Format("tnef", "winmail.dat"),
    "pst": Format("pst", "Outlook's personal folders"),
    "ost": Format("pst", "Outlook's offline folders", writes=False),
}
