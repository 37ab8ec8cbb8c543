"""What a bound client is: a user, for whom each request sees the newest address book. Both wires use this."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from gevent.lock import BoundedSemaphore

from gromoxd.addressbook.entry import Kind
from gromoxd.addressbook.properties import COSTLY
from gromoxd.addressbook.reader import Item
from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.access import DELEGATES, GetDelegates, SetDelegates
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.storecalls import GetStoreProps
from gromoxd.mapi.proptags import PidTagThumbnailPhoto
from gromoxd.nspi.session import SEEK_ROWS, Session
from workers.http.addressbook import address_books
from workers.http.site import Site

log = logging.getLogger(__name__)
LARGEST_PHOTO: Final = 1 << 20
LIGHT_CELLS: Final = 1000
"""So many cells are made on the loop."""
LIGHT_MIDS: Final = 1000
"""So many objects, or names of some, are looked up on the loop."""
AT_ONCE: Final = 1
"""So many threads make answers: with one the loop waits 10 ms for its turn, with two 35, with eight 100."""
USUAL_COLUMNS: Final = 7
T = TypeVar("T")
_lanes = BoundedSemaphore(AT_ONCE)


def apart(site: Site, heavy: bool, work: Callable[[], T]) -> T:
    """Do work, on a thread when it takes more than some milliseconds; such work must not ask mailboxes."""
    if not heavy:
        return work()
    with _lanes:
        return site.services.run_blocking(work)


def is_heavy(rows: int, columns: Sequence[int] | None) -> bool:
    """Do so many rows of these columns take more than some milliseconds?"""
    if rows * (USUAL_COLUMNS if columns is None else max(len(columns), 1)) > LIGHT_CELLS:
        return True
    return not COSTLY.isdisjoint([tag >> 16 for tag in columns or ()])


def is_heavy_query(explicit: Sequence[int], count: int, columns: Sequence[int] | None) -> bool:
    """Does NspiQueryRows take more than some milliseconds?"""
    return is_heavy(min(count, len(explicit) or count), columns)


def is_heavy_seek(explicit: Sequence[int] | None, columns: Sequence[int] | None) -> bool:
    """Does NspiSeekEntries?"""
    rows = len(explicit or ()) or SEEK_ROWS
    return rows > LIGHT_MIDS or (columns is not None and is_heavy(rows, columns))


def is_list(book: Session, mid: int) -> bool:
    """Is this object a list, whose properties take long?"""
    item = book.book.of_mid(mid)
    return item is not None and item.entry.kind == Kind.LIST


class Mailboxes:
    """`gromoxd.nspi.session.Backend`: photos and delegates are in the mailboxes."""

    def __init__(self, site: Site, user: User) -> None:
        self._site, self._user = site, user

    def photo(self, item: Item) -> bytes | None:
        """The picture of a user, which is there for all who see him: the system reads it, and nothing else."""
        directory = self._site.services.directory
        owner = directory.user_by_id(item.entry.user_id) if item.entry.has_store else None
        if owner is None or not owner.has_store:
            return None
        try:
            bag = self._site.services.exmdb.call(
                directory.mailbox(owner), GetStoreProps([PidTagThumbnailPhoto]), actor=SYSTEM
            )
        except MapiError as error:
            log.info("no photo to be had", extra={"user": owner.username, "error": error.code.name})
            return None
        value = bag.get(PidTagThumbnailPhoto)
        return value if isinstance(value, bytes) and 0 < len(value) <= LARGEST_PHOTO else None

    def delegates(self, item: Item) -> list[str]:
        """The user's own; nobody else's are told."""
        if item.entry.user_id != self._user.id:
            return []
        mailbox = self._site.services.directory.mailbox(self._user)
        return self._site.services.exmdb.call(mailbox, GetDelegates(DELEGATES), actor=self._user.username)

    def set_delegates(self, item: Item, names: list[str]) -> None:
        """The user's own."""
        if item.entry.user_id != self._user.id:
            raise MapiError(Ec.ecAccessDenied, "somebody else's delegates")
        mailbox = self._site.services.directory.mailbox(self._user)
        self._site.services.exmdb.call(mailbox, SetDelegates(DELEGATES, names), actor=self._user.username)


def session(site: Site, user: User) -> Session:
    """The address book for a user, as it is now. MapiError, DirectoryDown."""
    book = address_books(site).book(user.domain_id, site.people.organisation, user.id)
    return Session(book, book.of_user(user.id), Mailboxes(site, user))
