"""The address book as the protocols of one HTTP worker share it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gromoxd.addressbook.current import AddressBooks
    from workers.http.site import Site

_KEY = "address books"


def address_books(site: Site) -> AddressBooks:
    """The snapshot in force; one for a worker."""
    found: AddressBooks | None = site.endpoints.get(_KEY)
    if found is None:
        from gromoxd.addressbook.current import AddressBooks

        found = site.endpoints[_KEY] = AddressBooks(site.ctx.site, site.services.directory)
    return found
