"""The POX dialect ([MS-OXDSCLI] 2.2.3, 2.2.4; [MS-ASCMD] 2.2.1.1 for phones)."""

from __future__ import annotations

from typing import Final, NamedTuple

from lxml import etree

from gromoxd import safexml
from gromoxd.autodiscover.model import Alternative, Code, Invalid, Mailbox, server_version
from gromoxd.errors import WireError

OUTLOOK_REQUEST: Final = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
PHONE_REQUEST: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/requestschema/2006"
_RESPONSE: Final = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
OUTLOOK: Final = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
PHONE: Final = "http://schemas.microsoft.com/exchange/autodiscover/mobilesync/responseschema/2006"
_REQUESTS: Final = frozenset((OUTLOOK_REQUEST, PHONE_REQUEST))
LONGEST_ADDRESS: Final = 320


class Request(NamedTuple):
    """What is asked for: a mailbox by address or, when that is '', by DN; `phone`: the answer for ActiveSync."""

    address: str
    dn: str
    phone: bool


def read_request(data: bytes) -> Request:
    """Invalid, with the code that the client gets."""
    try:
        root = safexml.parse(data, deepest=16, most=200)
    except WireError as error:
        raise Invalid(Code.INVALID_REQUEST, "Invalid Request") from error
    asked = safexml.child(root, "Request")
    if safexml.local(root) != "Autodiscover" or asked is None:
        raise Invalid(Code.INVALID_REQUEST, "Invalid Request")
    schema = safexml.text(safexml.child(asked, "AcceptableResponseSchema"))
    if not schema:
        raise Invalid(Code.INVALID_REQUEST, "Invalid Request")
    if schema not in (OUTLOOK, PHONE):
        raise Invalid(Code.NO_PROVIDER, "Provider is not available")
    address = safexml.text(safexml.child(asked, "EMailAddress"))
    dn = safexml.text(safexml.child(asked, "LegacyDN"))
    if not address and not dn:
        raise Invalid(Code.INVALID_REQUEST, "Invalid Request")
    if len(address) > LONGEST_ADDRESS or len(dn) > 1024 or (address and not _is_address(address)):
        raise Invalid(Code.BAD_ADDRESS, "Bad Address")
    return Request(address.lower(), dn, schema == PHONE)


def _is_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(local and at and domain) and not any(one.isspace() for one in text)


def write_request(address: str, *, phone: bool = False) -> bytes:
    """What a client sends."""
    space = PHONE_REQUEST if phone else OUTLOOK_REQUEST
    root = etree.Element(f"{{{space}}}Autodiscover", nsmap={None: space})
    asked = etree.SubElement(root, f"{{{space}}}Request")
    _put(asked, "EMailAddress", address)
    _put(asked, "AcceptableResponseSchema", PHONE if phone else OUTLOOK)
    return safexml.write(root)


# ---------------------------------------------------------------------------------------------- answers


def _put(parent: etree._Element, name: str, value: str | None = None, **attributes: str) -> etree._Element:
    made = etree.SubElement(parent, f"{{{safexml.namespace(parent)}}}{name}", attributes)
    if value is not None:
        made.text = safexml.printable(value)
    return made


def _answer(space: str) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{_RESPONSE}}}Autodiscover", nsmap={None: _RESPONSE})
    return root, etree.SubElement(root, f"{{{space}}}Response", nsmap={None: space})


def error(code: Code, text: str, *, time: str, number: int) -> bytes:
    """[MS-OXDSCLI] 2.2.4.1.2: `time` as HH:MM:SS.fffffff, `number` for the administrator's log."""
    root, response = _answer(_RESPONSE)
    made = _put(response, "Error", Time=time, Id=str(number))
    _put(made, "ErrorCode", str(int(code)))
    _put(made, "Message", text)
    _put(made, "DebugData", "")
    return safexml.write(root)


def redirect(*, url: str = "", address: str = "", phone: bool = False, asked: str = "") -> bytes:
    """Ask there, or for that address ([MS-OXDSCLI] 2.2.4.1.1.2.1 Action, RedirectAddr, RedirectUrl)."""
    root, response = _answer(PHONE if phone else OUTLOOK)
    if phone:
        _put(response, "Culture", "en:us")
        _put(_put(response, "User"), "EMailAddress", asked)
        action = _put(response, "Action")
        _put(action, "Redirect", address or url)
        return safexml.write(root)
    account = _put(response, "Account")
    _put(account, "AccountType", "email")
    _put(account, "Action", "redirectAddr" if address else "redirectUrl")
    _put(account, "RedirectAddr" if address else "RedirectUrl", address or url)
    return safexml.write(root)


def phone(mailbox: Mailbox) -> bytes:
    """Settings of ActiveSync."""
    root, response = _answer(PHONE)
    _put(response, "Culture", "en:us")
    user = _put(response, "User")
    _put(user, "DisplayName", mailbox.display_name)
    _put(user, "EMailAddress", mailbox.address)
    server = _put(_put(_put(response, "Action"), "Settings"), "Server")
    _put(server, "Type", "MobileSync")
    _put(server, "Url", mailbox.urls.activesync)
    _put(server, "Name", mailbox.urls.activesync)
    return safexml.write(root)


def outlook(mailbox: Mailbox, *, mapihttp: bool, rpch: bool) -> bytes:
    """Settings of Outlook. With `mapihttp` there is neither EXCH nor EXPR ([MS-OXDSCLI] 3.2.5.1)."""
    root, response = _answer(OUTLOOK)
    user = _put(response, "User")
    _put(user, "DisplayName", mailbox.display_name)
    if mailbox.dn:
        _put(user, "LegacyDN", mailbox.dn)
    _put(user, "AutoDiscoverSMTPAddress", mailbox.address)
    _put(user, "DeploymentId", mailbox.deployment_id)
    account = _put(response, "Account")
    _put(account, "AccountType", "email")
    _put(account, "Action", "settings")
    _put(account, "MicrosoftOnline", "False")
    if mapihttp:
        _exhttp(account, mailbox)
        _mapihttp(account, mailbox)
    elif rpch:
        _exch(account, mailbox)
        _expr(account, mailbox)
        _exhttp(account, mailbox)
    else:
        _exhttp(account, mailbox)
    if mailbox.urls.web:
        _web(account, mailbox)
    for one in mailbox.alternatives:
        _alternative(account, one)
    if mailbox.public:
        _put(_put(account, "PublicFolderInformation"), "SmtpAddress", mailbox.public)
    return safexml.write(root)


def _services(protocol: etree._Element, mailbox: Mailbox) -> None:
    urls = mailbox.urls
    if urls.ews:
        for name in ("ASUrl", "EwsUrl", "EmwsUrl", "OOFUrl"):
            _put(protocol, name, urls.ews)
    if urls.oab:
        _put(protocol, "OABUrl", urls.oab)


def _exch(account: etree._Element, mailbox: Mailbox) -> None:
    protocol = _put(account, "Protocol")
    _put(protocol, "Type", "EXCH")
    _put(protocol, "Server", mailbox.server)
    _put(protocol, "ServerDN", mailbox.server_dn)
    _put(protocol, "ServerVersion", server_version(mailbox.version))
    _put(protocol, "MdbDN", mailbox.mdb_dn)
    _put(protocol, "PublicFolderServer", mailbox.urls.host)
    _put(protocol, "AuthPackage", "Anonymous")
    _services(protocol, mailbox)


def _expr(account: etree._Element, mailbox: Mailbox) -> None:
    protocol = _put(account, "Protocol")
    _put(protocol, "Type", "EXPR")
    _put(protocol, "Server", mailbox.urls.rpc)
    _put(protocol, "SSL", "On" if mailbox.urls.ssl else "Off")
    _put(protocol, "AuthPackage", mailbox.auth)
    if mailbox.urls.ssl:
        _put(protocol, "CertPrincipalName", "None")
    _put(protocol, "ServerExclusiveConnect", "On")
    _services(protocol, mailbox)


def _exhttp(account: etree._Element, mailbox: Mailbox) -> None:
    protocol = _put(account, "Protocol")
    _put(protocol, "Type", "EXHTTP")
    _put(protocol, "Server", mailbox.urls.host)
    _put(protocol, "SSL", "On" if mailbox.urls.ssl else "Off")
    _put(protocol, "AuthPackage", mailbox.auth)
    _put(protocol, "ServerExclusiveConnect", "On")
    _services(protocol, mailbox)


def _mapihttp(account: etree._Element, mailbox: Mailbox) -> None:
    protocol = _put(account, "Protocol", Type="mapiHttp", Version="1")
    for name, url in (("MailStore", mailbox.urls.emsmdb), ("AddressBook", mailbox.urls.nspi)):
        at = _put(protocol, name)
        _put(at, "InternalUrl", url)
        _put(at, "ExternalUrl", url)


def _web(account: etree._Element, mailbox: Mailbox) -> None:
    protocol = _put(account, "Protocol")
    _put(protocol, "Type", "WEB")
    for name, kind in (("External", "EXPR"), ("Internal", "EXCH")):
        at = _put(protocol, name)
        _put(at, "OWAUrl", mailbox.urls.web, AuthenticationMethod="Basic, Fba")
        if mailbox.urls.ews:
            inner = _put(at, "Protocol")
            _put(inner, "Type", kind)
            _put(inner, "ASUrl", mailbox.urls.ews)


def _alternative(account: etree._Element, one: Alternative) -> None:
    made = _put(account, "AlternativeMailbox")
    _put(made, "Type", one.kind)
    _put(made, "DisplayName", one.display_name)
    _put(made, "LegacyDN", one.dn)
    _put(made, "Server", one.server)
    _put(made, "SmtpAddress", one.address)
    _put(made, "OwnerSmtpAddress", one.address)


# ---------------------------------------------------------------------------------------------- the client's side


def read_response(data: bytes) -> list[tuple[str, str]]:
    """What an answer says, as (path of names, text). WireError for what is none."""
    root = safexml.parse(data, deepest=16, most=5000)
    if safexml.local(root) != "Autodiscover":
        raise WireError("no AutoDiscover response")
    found: list[tuple[str, str]] = []
    _flatten(root, "", found)
    return found


def _flatten(element: etree._Element, path: str, found: list[tuple[str, str]]) -> None:
    for one in element:
        name = safexml.local(one)
        kind = one.get("Type") or safexml.text(safexml.child(one, "Type"))
        label = (
            f"{path}{name}[{kind}]"
            if kind and name in ("Protocol", "AlternativeMailbox", "Server")
            else f"{path}{name}"
        )
        if len(one):
            _flatten(one, label + "/", found)
        elif safexml.text(one) and name != "Type":
            found.append((label, safexml.text(one)))
