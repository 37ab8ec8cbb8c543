"""iCalendar: each appointment, task or note becomes an item, each folder of such a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gromoxd.cli.transfer.found import Found
from gromoxd.cli.transfer.objects import FolderWriter, read_items
from gromoxd.convert import ical

if TYPE_CHECKING:
    from gromoxd.convert.item import Item

CLASSES: Final = ("IPM.APPOINTMENT", "IPM.TASK", "IPM.STICKYNOTE", "IPM.ACTIVITY")


def read(path: str) -> Iterator[Found]:
    """An .ics file, or all in a folder."""
    return read_items(path, (".ics", ".ical", ".ifb", ".icalendar"), lambda data: ical.items_of(data))


class Writer(FolderWriter):
    """<folder>.ics."""

    suffix = ".ics"

    def octets(self, items: list[Item]) -> bytes:
        """One calendar with all of them."""
        return ical.to_ical(items)
