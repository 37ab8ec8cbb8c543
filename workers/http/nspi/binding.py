"""What a bound client is: a user, for whom each request sees the newest address book. Both wires use this."""

from __future__ import annotations

import logging
from typing import Final

from gromoxd.addressbook.reader import Item
from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.access import DELEGATES, GetDelegates, SetDelegates
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.storecalls import GetStoreProps
from gromoxd.mapi.proptags import PidTagThumbnailPhoto
from gromoxd.nspi.session import Session
from workers.http.addressbook import address_books
from workers.http.site import Site

log = logging.getLogger(__name__)
LARGEST_PHOTO: Final = 1 << 20


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
