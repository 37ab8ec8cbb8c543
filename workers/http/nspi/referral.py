"""Which server clients are to ask: the referral interface's answers ([MS-OXABREF]) and those of MAPI/HTTP."""

from __future__ import annotations

from urllib.parse import quote

from gromoxd.directory import dn
from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError
from workers.http.site import Site


def outside_name(site: Site, user: User, otherwise: str = "") -> str:
    """The name under which clients reach a user's home server."""
    directory = site.services.directory
    home = user.host or directory.host_id
    return directory.outside_name(home) or otherwise or home


def new_dsa(site: Site, user: User) -> str:
    """RfrGetNewDSA, [MS-OXABREF] 3.1.4.1: the address book server of a user is his home server."""
    return outside_name(site, user)


def user_of_server(site: Site, text: str) -> User:
    """The user whose "server" a DN is, or who is named by it. ecNotFound."""
    if not 0 < len(text) <= dn.LONGEST_DN:
        raise MapiError(Ec.ecInvalidParam, "a DN of no or too many characters")
    mailbox = dn.parse_server(site.people.organisation, text)
    user = site.people.user_of_mailbox(mailbox) if mailbox is not None else site.people.user_of_dn(text)
    if user is None:
        raise MapiError(Ec.ecNotFound, "no server of this name")
    return user


def fqdn_of_dn(site: Site, text: str) -> str:
    """RfrGetFQDNFromServerDN, [MS-OXABREF] 3.1.4.2: the name of the server with this DN. ecNotFound."""
    return outside_name(site, user_of_server(site, text))


def url(site: Site, user: User, path: str, host: str) -> str:
    """The address of an endpoint for a user's mailbox; `host`: as the client came here."""
    return f"https://{outside_name(site, user, host)}{path}/?MailboxId={quote(site.people.mailbox_id(user), safe='@')}"
