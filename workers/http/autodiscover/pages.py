"""The requests of AutoDiscover and their answers."""

from __future__ import annotations

import json
import logging
import re
import zlib
from datetime import UTC, datetime
from typing import Any

from gromoxd.autodiscover import autoconfig, pox, soap
from gromoxd.autodiscover.model import Code, Invalid
from gromoxd.errors import MapiError
from gromoxd.master.settings import ImapPool, Pop3Pool
from workers.http.autodiscover.service import Service
from workers.http.front import Reply, Request
from workers.http.settings import HttpSettings
from workers.http.site import Site

log = logging.getLogger(__name__)
XML = "text/xml; charset=utf-8"
JSON = "application/json; charset=utf-8"
OFFERED = frozenset(("emsmdb", "nspi", "rpc", "oab"))
"""Services that this server has itself."""
NEW_OFFICE = 16
_OFFICE = re.compile(r"(?:Microsoft Office/|MSO |Microsoft Outlook )(\d{1,3})\b")
_PROTOCOLS = {
    "activesync": ("ActiveSync", "activesync"), "ews": ("Ews", "ews"),
    "autodiscoverv1": ("AutodiscoverV1", "autodiscover"),
}  # fmt: skip


class Pages:
    """The handlers; one for all requests of a worker."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.service = Service(site, OFFERED, lambda: auth_package(site.ctx.config.get(HttpSettings)))

    # ------------------------------------------------------------------------------------------ POX

    def on_pox(self, request: Request) -> Reply:
        """[MS-OXDSCLI] 3.2.5."""
        phone = False
        try:
            if request.method != "POST":
                raise Invalid(Code.INVALID_REQUEST, "Invalid Request")
            asked = pox.read_request(request.body())
            phone = asked.phone
            return Reply(200, [("Content-Type", XML)], self._pox(request, asked))
        except Invalid as error:
            log.debug("AutoDiscover refused", extra={"code": int(error.code), "user": request.user.username})
            return self._error(error, request)
        except MapiError as error:
            log.warning("AutoDiscover failed user=%r phone=%s: %s", request.user.username, phone, error)
            return self._error(Invalid(Code.SERVER_ERROR, "Server Error"), request)

    def _pox(self, request: Request, asked: pox.Request) -> bytes:
        settings = self.service.settings
        if settings.oxdisco_redirect_url or settings.oxdisco_redirect_addr:
            return pox.redirect(
                url=settings.oxdisco_redirect_url, address=settings.oxdisco_redirect_addr, phone=asked.phone,
                asked=asked.address,
            )  # fmt: skip
        mailbox = self.service.mailbox(request, asked.address, asked.dn)
        if mailbox is None:
            raise Invalid(Code.UNKNOWN_ADDRESS, "The email address can't be found.")
        if asked.phone:
            if not mailbox.urls.activesync:
                raise Invalid(Code.NO_PROVIDER, "Provider is not available")
            return pox.phone(mailbox)
        return pox.outlook(mailbox, mapihttp=self._mapihttp(request), rpch=self._rpch(request))

    def _mapihttp(self, request: Request) -> bool:
        """Is the client told of MAPI/HTTP ([MS-OXDSCLI] 3.2.5.1)?"""
        capability, office = request.header("X-MapiHttpCapability").strip(), _office(request)
        if not capability.isascii() or not capability.isdecimal() or int(capability[:9]) < 1:
            return False
        kind = self.service.settings.oxdisco_advertise_mh
        if kind == "not_old_mso":
            return office is None or office >= NEW_OFFICE
        if kind == "only_new_mso":
            return office is not None and office >= NEW_OFFICE
        return kind == "yes"

    def _rpch(self, request: Request) -> bool:
        kind, office = self.service.settings.oxdisco_advertise_rpch, _office(request)
        if kind == "only_old_mso":
            return office is not None and office < NEW_OFFICE
        if kind == "not_new_mso":
            return office is None or office < NEW_OFFICE
        return kind == "yes"

    def _error(self, error: Invalid, request: Request) -> Reply:
        number = zlib.crc32(self._site.ctx.site.encode())
        now = datetime.now(UTC).strftime("%H:%M:%S.%f0")
        return Reply(200, [("Content-Type", XML)], pox.error(error.code, error.text, time=now, number=number))

    # ------------------------------------------------------------------------------------------ SOAP

    def on_soap(self, request: Request) -> Reply:
        """[MS-OXWSADISC] 3.1.4."""
        version = self.service.version
        if request.method != "POST":
            return Reply(200, [("Content-Type", "text/plain; charset=utf-8")], b"AutoDiscover takes SOAP requests.\n")
        try:
            asked = soap.read_request(request.body())
            body = soap.write_response(asked, [self._soap(request, asked, name) for name in asked.names], version)
        except soap.Fault as fault:
            return Reply(500, [("Content-Type", XML)], soap.write_fault(fault, version))
        except MapiError as error:
            log.warning("AutoDiscover failed user=%r: %s", request.user.username, error)
            return Reply(
                500, [("Content-Type", XML)],
                soap.write_fault(soap.Fault("The server cannot answer now.", "InternalServerError"), version),
            )  # fmt: skip
        return Reply(200, [("Content-Type", XML)], body)

    def _soap(self, request: Request, asked: soap.Request, name: str) -> soap.Answer:
        settings = self.service.settings
        if settings.oxdisco_redirect_url or settings.oxdisco_redirect_addr:
            url = settings.oxdisco_redirect_url.replace("autodiscover.xml", "autodiscover.svc")
            return soap.Redirect(url, "" if url else settings.oxdisco_redirect_addr)
        if asked.operation == "GetDomainSettings":
            domain = self._site.services.directory.domain(name)
            if domain is None or not domain.active or domain.id != request.user.domain_id:
                return None
            urls = self.service.urls(request, domain.host)
            return soap.domain_settings(urls, self.service.version)
        mailbox = self.service.mailbox(request, name.lower()) if "@" in name else None
        return soap.user_settings(mailbox) if mailbox is not None else None

    # ------------------------------------------------------------------------------------------ JSON, autoconfig, DAV

    def on_json(self, request: Request) -> Reply:
        """Version 2: one URL for one protocol. Nobody is authenticated, so it tells nothing of users."""
        wanted = request.query.get("Protocol", "")
        found = _PROTOCOLS.get(wanted.lower())
        urls = self.service.urls(request, "")
        url = getattr(urls, found[1]) if found is not None else ""
        if not wanted:
            return _json(400, {"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "Protocol is missing."})
        if found is None or not url:
            supported = ",".join(name for name, field in _PROTOCOLS.values() if getattr(urls, field))
            text = f"The given protocol value '{wanted[:32]}' is invalid. Supported values are '{supported}'"
            return _json(400, {"ErrorCode": "InvalidProtocol", "ErrorMessage": text})
        return _json(200, {"Protocol": found[0], "Url": url})

    def on_autoconfig(self, request: Request) -> Reply:
        """Thunderbird's."""
        urls = self.service.urls(request, "")
        address = request.query.get("emailaddress", "")
        domain = address.rpartition("@")[2] or urls.host.removeprefix("autoconfig.")
        services = [*self._incoming(urls.host), *self._outgoing(urls.host)]
        body = autoconfig.write(domain[:255], services, ews=urls.ews, dav=urls.dav, web=urls.web)
        return Reply(200, [("Content-Type", XML)], body)

    def _incoming(self, host: str) -> list[autoconfig.Service]:
        config, found = self._site.ctx.config, []
        for kind, pool in (("imap", config.get(ImapPool)), ("pop3", config.get(Pop3Pool))):
            plain, tls = _port(getattr(pool, f"{kind}_listen")), _port(getattr(pool, f"{kind}_listen_tls"))
            secured = getattr(pool, f"{kind}_support_tls")
            if tls and secured:
                found.append(autoconfig.Service(kind, host, tls, "SSL"))
            if plain:
                found.append(autoconfig.Service(kind, host, plain, "STARTTLS" if secured else "plain"))
        return found

    def _outgoing(self, host: str) -> list[autoconfig.Service]:
        scheme, _, where = self.service.settings.autoconfig_smtp.replace("{host}", host).partition("://")
        name, _, port = where.rpartition(":")
        security = {"starttls": "STARTTLS", "ssl": "SSL", "plain": "plain"}.get(scheme.lower())
        if security is None or not name or not port.isdecimal():
            return []
        return [autoconfig.Service("smtp", name, int(port), security)]

    def on_dav(self, request: Request) -> Reply:
        """RFC 6764 5."""
        url = self.service.urls(request, "").dav
        return Reply(307, [("Location", url)]) if url else Reply(404)


def auth_package(settings: HttpSettings) -> str:
    """What RPC over HTTP is to log in with ([MS-OXDSCLI] 2.2.4.1.1.2.6.4): Basic unless only NTLM is offered."""
    return "Ntlm" if settings.http_auth_spnego and not settings.http_auth_basic else "Basic"


def _office(request: Request) -> int | None:
    found = _OFFICE.search(request.header("User-Agent")[:512])
    return int(found[1]) if found else None


def _port(listeners: list[str]) -> int:
    port = listeners[0].rpartition(":")[2] if listeners else ""
    return int(port) if port.isdecimal() else 0


def _json(status: int, value: dict[str, Any]) -> Reply:
    return Reply(status, [("Content-Type", JSON)], json.dumps(value).encode() + b"\n")
