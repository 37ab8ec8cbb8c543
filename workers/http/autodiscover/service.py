"""What AutoDiscover tells of a mailbox: from the directory, the rights of who asks, and what this server offers."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from gromoxd.autodiscover.model import Alternative, Mailbox, Urls
from gromoxd.directory import dn
from gromoxd.directory.model import Domain, User
from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.storecalls import OpenStore
from gromoxd.mapi.permissions import FREE_BUSY, Rights
from gromoxd.oab.names import book_guid
from workers.http.autodiscover.settings import AutodiscoverSettings
from workers.http.front import Request
from workers.http.site import Site

PUBLIC = "public.folder.root@"
"""The address by which clients ask for a domain's public folders."""
_SPACE = uuid.UUID("6f3b1f0e-6a0c-5c51-9a58-0b8c0e0f7a11")
MOST_ALTERNATIVES = 50
_FOR_EVERYBODY = FREE_BUSY | Rights.FolderVisible
"""What everybody may have on everybody's calendar opens no mailbox."""
AuthPackage = Callable[[], str]


class Service:
    """`offers`: the services that this server has itself, of emsmdb, nspi, rpc, oab, ews, activesync, dav."""

    def __init__(self, site: Site, offers: frozenset[str], auth: AuthPackage) -> None:
        self._site, self._offers, self._auth = site, offers, auth
        self._directory = site.services.directory

    @property
    def version(self) -> str:
        """The version of Exchange that clients are told."""
        return self._site.server_version

    @property
    def settings(self) -> AutodiscoverSettings:
        """Those in force."""
        return self._site.ctx.config.get(AutodiscoverSettings)

    # ------------------------------------------------------------------------------------------ whose mailbox

    def mailbox(self, request: Request, address: str, dn_text: str = "") -> Mailbox | None:
        """The mailbox of an address or DN as the user who asks may know it; None: there is none for him. MapiError."""
        domain = self._public(address, dn_text)
        if domain is not None:
            return self._of_domain(request, domain)
        user = self._directory.find_or_none(address) if address else self._site.people.user_of_dn(dn_text)
        if user is None or not user.has_store:
            return None
        if user.id != request.user.id and not self._may(request.user, self._directory.mailbox(user)):
            return None
        return self._of_user(request, user)

    def _public(self, address: str, dn_text: str) -> Domain | None:
        if address.startswith(PUBLIC):
            return self._directory.domain(address[len(PUBLIC) :])
        return None if address else self._site.people.domain_of_dn(dn_text)

    def _may(self, user: User, mailbox: MailboxRef) -> bool:
        if not self.settings.oxdisco_validate_scndrequest:
            return True
        try:
            info = self._site.services.exmdb.call(mailbox, OpenStore(), actor=user.username)
        except MapiError as error:
            if error.code in (Ec.ecAccessDenied, Ec.ecUnknownUser, Ec.ecNotFound):
                return False
            raise
        return info.public or bool(info.rights & ~_FOR_EVERYBODY)

    def _of_user(self, request: Request, user: User) -> Mailbox:
        people, profile = self._site.people, self._directory.profile(user)
        box = people.mailbox_id(user)
        name = user.username.rpartition("@")[2]
        domain = self._directory.domain(name)
        return Mailbox(
            profile.display_name or user.username, user.username, people.dn_of(user), self._deployment(name), box,
            dn.server_dn(people.organisation, box), dn.mdb_dn(people.organisation, box),
            self.urls(request, user.host, box), public=f"{PUBLIC}{name}" if domain and domain.homedir else "",
            auth=self._auth(), version=self.version, lang=user.lang or "en",
            alternatives=self._alternatives(request.user, user, profile.secondary),
        )  # fmt: skip

    def _of_domain(self, request: Request, domain: Domain) -> Mailbox | None:
        own = self._directory.domain(request.user.username.rpartition("@")[2])
        if own is None or not own.same_organisation(domain):
            return None
        if not domain.homedir or not domain.active or not self._may(request.user, self._directory.public_store(domain)):
            return None
        people = self._site.people
        box = dn.mailbox_id(domain.id, 0, domain.name)
        return Mailbox(
            "Public Folders", PUBLIC + domain.name, people.public_dn(domain), self._deployment(domain.name), box,
            dn.server_dn(people.organisation, box), dn.mdb_dn(people.organisation, box, public=True),
            self.urls(request, domain.host, box), auth=self._auth(), version=self.version,
        )  # fmt: skip

    def _deployment(self, domain: str) -> str:
        return str(uuid.uuid5(_SPACE, f"{self._site.people.organisation}\n{domain}"))

    def _alternatives(self, asking: User, user: User, names: list[str]) -> list[Alternative]:
        """The other mailboxes of somebody who asks for his own."""
        if asking.id != user.id:
            return []
        found, people = [], self._site.people
        for other in self._directory.users([name.lower() for name in names[:MOST_ALTERNATIVES]]).values():
            if other.has_store and self._may(user, self._directory.mailbox(other)):
                shown = self._directory.profile(other).display_name or other.username
                found.append(
                    Alternative("Delegate", shown, other.username, people.dn_of(other), people.mailbox_id(other))
                )
        return found

    # ------------------------------------------------------------------------------------------ where

    def urls(self, request: Request, home: str, box: str = "") -> Urls:
        """Where the services for a mailbox with this home server are; as the client came here if it has none."""
        outside = self._directory.outside_name(home)
        host, secure = outside or request.host, request.secure or bool(outside)
        base = f"{'https' if secure else 'http'}://{host}"
        settings, name = self.settings, host.rpartition(":")[0] or host if host[-1:] != "]" else host

        def own(service: str, path: str, elsewhere: str = "") -> str:
            if elsewhere:
                return elsewhere.replace("{host}", host)
            return base + path if service in self._offers else ""

        return Urls(
            host=name, ssl=secure,
            emsmdb=own("emsmdb", f"/mapi/emsmdb/?MailboxId={box}"), nspi=own("nspi", f"/mapi/nspi/?MailboxId={box}"),
            rpc=name if "rpc" in self._offers else "",
            ews=own("ews", "/EWS/Exchange.asmx", settings.autodiscover_ews_url), oab=own("oab", _oab_path(box)),
            activesync=own("activesync", "/Microsoft-Server-ActiveSync", settings.autodiscover_eas_url),
            web=own("web", "/web/", settings.autodiscover_web_url),
            dav=own("dav", "/dav/", settings.autodiscover_dav_url),
            autodiscover=f"{base}/autodiscover/autodiscover.xml",
        )  # fmt: skip


def _oab_path(box: str) -> str:
    """The offline address book of the domain of a mailbox; without one, the book of whoever asks."""
    found = dn.parse_mailbox_id(box)
    return f"/OAB/{book_guid(found.domain_id)}/" if found is not None else "/OAB/"
