"""What offline address books are called. Pure, and small: AutoDiscover tells it too."""

from __future__ import annotations

from uuid import UUID

from gromoxd.addressbook.entry import object_guid


def book_guid(domain_id: int) -> str:
    """The GUID of a domain's offline address book; the book of an organisation is known by that of its first one."""
    return str(UUID(bytes_le=object_guid(domain_id, 0)))
