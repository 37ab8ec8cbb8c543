"""winmail.dat: an item each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gromoxd.cli.transfer.found import Found
from gromoxd.cli.transfer.objects import EachWriter, read_items
from gromoxd.convert.tnef import from_tnef, to_tnef

if TYPE_CHECKING:
    from gromoxd.convert.item import Item


def read(path: str) -> Iterator[Found]:
    """A file, or all in a folder."""
    return read_items(path, (".dat", ".tnef", ".tnf"), lambda data: [from_tnef(data)])


class Writer(EachWriter):
    """<folder>/<uid>.tnef."""

    suffix = ".tnef"

    def octets(self, item: Item) -> bytes:
        """The stream."""
        return to_tnef(item)
