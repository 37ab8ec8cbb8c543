"""Outlook's .msg files: an item each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from gromoxd.cli.transfer.found import Found
from gromoxd.cli.transfer.objects import EachWriter, read_items
from gromoxd.convert.msg import from_msg, to_msg

if TYPE_CHECKING:
    from gromoxd.convert.item import Item


def read(path: str) -> Iterator[Found]:
    """A .msg file, or all in a folder."""
    return read_items(path, (".msg",), lambda data: [from_msg(data)])


class Writer(EachWriter):
    """<folder>/<uid>.msg."""

    suffix = ".msg"

    def octets(self, item: Item) -> bytes:
        """The compound file."""
        return to_msg(item)
