"""Users and public stores by the names that Exchange clients have for them: DNs and mailbox ids."""

from __future__ import annotations

from gromoxd.addressbook.settings import OrganisationSettings
from gromoxd.context import ConfigView
from gromoxd.directory import dn
from gromoxd.directory.model import Domain, User
from gromoxd.directory.service import Directory
from gromoxd.errors import WireError
from gromoxd.mapi.entryids import AddressBookEntryId


class People:
    """`organisation` is `x500_org_name`: never to be changed once clients have profiles."""

    def __init__(self, directory: Directory, config: ConfigView) -> None:
        self._directory, self._config = directory, config

    @property
    def organisation(self) -> str:
        """The organisation in DNs."""
        return self._config.get(OrganisationSettings).x500_org_name

    def dn_of(self, user: User) -> str:
        """The DN of a user."""
        return dn.recipient_dn(self.organisation, user.domain_id, user.id, user.username)

    def public_dn(self, domain: Domain) -> str:
        """The DN of a domain's public store."""
        return dn.recipient_dn(self.organisation, domain.id, 0, domain.name)

    def mailbox_id(self, user: User) -> str:
        """`GUID@domain`."""
        return dn.mailbox_id(user.domain_id, user.id, user.username.rpartition("@")[2])

    def user_of_dn(self, text: str) -> User | None:
        """The user of a DN, any user (not only those who may log in)."""
        found = dn.parse_recipient(self.organisation, text)
        if found is None or not found.user_id:
            return None
        user = self._directory.user_by_id(found.user_id)
        if user is None or user.domain_id != found.domain_id:
            return None
        return user if user.username.partition("@")[0].lower() == found.local else None

    def domain_of_dn(self, text: str) -> Domain | None:
        """The domain of a public store's DN."""
        found = dn.parse_recipient(self.organisation, text)
        if found is None or found.user_id:
            return None
        domain = self._directory.domain(found.local)
        return domain if domain is not None and domain.id == found.domain_id else None

    def user_of_mailbox(self, text: str) -> User | None:
        """The user of a mailbox id."""
        found = dn.parse_mailbox_id(text)
        if found is None or not found.user_id:
            return None
        user = self._directory.user_by_id(found.user_id)
        return user if user is not None and user.domain_id == found.domain_id else None

    def address_of_entry(self, entry_id: bytes) -> str:
        """The SMTP address behind an entry id of the address book, '' when nobody knows, or it is none."""
        try:
            return self.address_of("EX", AddressBookEntryId.decode(entry_id).dn)
        except WireError:
            return ""

    def address_of(self, address_type: str, address: str) -> str:
        """The SMTP address behind an address of a type, '' when nobody knows."""
        if address_type.upper() == "SMTP":
            return address
        user = self.user_of_dn(address) if address_type.upper() == "EX" else None
        return user.username if user is not None else ""
