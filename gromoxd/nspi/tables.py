"""Positions in address lists ([MS-OXNSPI] 3.1.4.5)."""

from __future__ import annotations

from gromoxd.addressbook.reader import Book, Container
from gromoxd.errors import Ec, MapiError
from gromoxd.nspi.stat import MID_BEGINNING_OF_TABLE, MID_CURRENT, MID_END_OF_TABLE, SortType, Stat, good_code_page


def checked(book: Book, stat: Stat) -> Container:
    """The list of a STAT. ecUnknownCodePage, ecInvalidBookmark, ecError for a sort order that there is not."""
    if not good_code_page(stat.code_page):
        raise MapiError(Ec.ecUnknownCodePage, f"code page {stat.code_page}")
    if stat.sort_type not in (SortType.DISPLAY_NAME, SortType.PHONETIC):
        raise MapiError(Ec.ecError, f"sort type {stat.sort_type:#x}")
    return container_of(book, stat.container_id)


def container_of(book: Book, mid: int) -> Container:
    """A list by its Minimal Entry ID. ecInvalidBookmark."""
    found = book.containers.get(mid)
    if found is None:
        raise MapiError(Ec.ecInvalidBookmark, f"container {mid:#x}")
    return found


def start_of(listed: Container, stat: Stat) -> int:
    """The row that CurrentRec says, without Delta ([MS-OXNSPI] 3.1.4.5.1, 3.1.4.5.2). ecNotFound."""
    size = len(listed)
    if stat.current_rec == MID_BEGINNING_OF_TABLE:
        return 0
    if stat.current_rec == MID_END_OF_TABLE:
        return size
    if stat.current_rec == MID_CURRENT:
        return size * min(stat.num_pos, stat.total_recs) // max(stat.total_recs, 1)
    item = listed.book.of_mid(stat.current_rec)
    at = listed.position(item.index) if item is not None else None
    if at is None:
        raise MapiError(Ec.ecNotFound, f"row {stat.current_rec:#x}")
    return at


def moved(listed: Container, stat: Stat) -> tuple[int, int]:
    """(the row after Delta, how far that is from CurrentRec's)."""
    start = start_of(listed, stat)
    row = min(max(start + stat.delta, 0), len(listed))
    return row, row - start


def placed(listed: Container, stat: Stat, row: int) -> Stat:
    """The STAT that says this row."""
    size = len(listed)
    current = listed.book.snapshot.entry(listed.order[row]).mid if row < size else MID_END_OF_TABLE
    return stat._replace(current_rec=current, delta=0, num_pos=row, total_recs=size)
