"""vCards: each becomes a contact or a list, each folder of contacts a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from gromoxd.cli.transfer.found import Found
from gromoxd.cli.transfer.objects import FolderWriter, read_items
from gromoxd.convert.vcard import items_of, to_vcard

if TYPE_CHECKING:
    from gromoxd.convert.item import Item

CLASSES: Final = ("IPM.CONTACT", "IPM.DISTLIST")


def read(path: str) -> Iterator[Found]:
    """A .vcf file, or all in a folder."""
    return read_items(path, (".vcf", ".vcard"), items_of)


class Writer(FolderWriter):
    """<folder>.vcf, version 3.0, which every program reads."""

    suffix = ".vcf"

    def octets(self, items: list[Item]) -> bytes:
        """The vCards, one after the other."""
        return b"".join([to_vcard(item, version="3.0") for item in items])
