"""Settings of the address book. Loaded by the master too."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "The address book of Outlook and web clients.")
@dataclass(frozen=True)
class AddressBookSettings:
    """A reload looks for changes at once."""

    addressbook_interval: float = setting(
        300.0, "How often the directory is looked at for changes to the address book.", kind="span", low=5, high=86400
    )


@component("http.cfg", "Names that Outlook knows people by.")
@dataclass(frozen=True)
class OrganisationSettings:
    """The address book, offline or not, and all protocols that tell DNs."""

    x500_org_name: str = setting(
        "Gromox default", "Organisation in the names that Outlook knows users by. Never change it later.", kind="str"
    )
