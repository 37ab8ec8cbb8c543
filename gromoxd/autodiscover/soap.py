"""The SOAP dialect: GetUserSettings and GetDomainSettings ([MS-OXWSADISC] 3.1.4)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lxml import etree

from gromoxd import safexml
from gromoxd.autodiscover.model import Mailbox
from gromoxd.errors import WireError

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
ADDRESSING: Final = "http://www.w3.org/2005/08/addressing"
SPACE: Final = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
INSTANCE: Final = "http://www.w3.org/2001/XMLSchema-instance"
_PARTS: Final = {"s": SOAP, "a": ADDRESSING, "h": SPACE, "i": INSTANCE, None: SPACE}
MOST_USERS: Final = 90
MOST_SETTINGS: Final = 200


class Request(NamedTuple):
    """`operation`: GetUserSettings or GetDomainSettings; `names`: addresses or domains."""

    operation: str
    names: list[str]
    settings: list[str]


class Redirect(NamedTuple):
    """Where to ask instead: exactly one of the two."""

    url: str = ""
    address: str = ""


class Fault(Exception):
    """A request that is answered with a SOAP fault; `text` is for the client."""

    def __init__(self, text: str, code: str = "InvalidRequest") -> None:
        super().__init__(text)
        self.text, self.code = text, code


def read_request(data: bytes) -> Request:
    """Fault for what is no request of one of these operations."""
    try:
        root = safexml.parse(data, deepest=32, most=4000)
    except WireError as error:
        raise Fault("The request is not valid XML.") from error
    body = safexml.child(root, "Body")
    message = body[0] if safexml.namespace(root) == SOAP and body is not None and len(body) == 1 else None
    if message is None or safexml.namespace(message) != SPACE:
        raise Fault("The request is not a SOAP message of AutoDiscover.")
    name = safexml.local(message)
    if name not in ("GetUserSettingsRequestMessage", "GetDomainSettingsRequestMessage"):
        raise Fault("The operation is not known.", "ActionNotSupported")
    asked = safexml.child(message, "Request")
    users = name == "GetUserSettingsRequestMessage"
    holder = safexml.child(asked, "Users" if users else "Domains") if asked is not None else None
    wanted = safexml.child(asked, "RequestedSettings") if asked is not None else None
    if holder is None or wanted is None:
        raise Fault("Users, domains or settings are missing.")
    names = [safexml.text(safexml.child(one, "Mailbox")) if users else safexml.text(one) for one in holder]
    settings = [safexml.text(one) for one in wanted]
    if not 0 < len(names) <= MOST_USERS or len(settings) > MOST_SETTINGS or not settings:
        raise Fault("Too many or no users, domains or settings.")
    return Request(name.removesuffix("RequestMessage"), names, settings)


def user_settings(mailbox: Mailbox) -> dict[str, Any]:
    """All settings of a mailbox ([MS-OXWSADISC] 3.1.4.2: UserSettingName); those not offered are not there."""
    urls = mailbox.urls
    found: dict[str, Any] = {
        "UserDisplayName": mailbox.display_name, "UserDN": mailbox.dn, "UserDeploymentId": mailbox.deployment_id,
        "AutoDiscoverSMTPAddress": mailbox.address, "CasVersion": mailbox.version, "EwsSupportedSchemas": "",
        "InternalMailboxServer": mailbox.server, "InternalMailboxServerDN": mailbox.server_dn,
        "InternalRpcClientServer": mailbox.server, "MailboxDN": mailbox.mdb_dn, "ActiveDirectoryServer": urls.host,
        "PublicFolderServer": urls.host if mailbox.public else "", "PublicFolderInformation": mailbox.public,
        "ExternalOABUrl": urls.oab, "InternalOABUrl": urls.oab, "ExternalEwsVersion": mailbox.version,
        "MapiHttpEnabled": "True" if urls.emsmdb else "False", "MobileMailboxPolicyEnabled": "",
        "UserMSOnline": "False", "CrossOrganizationSharingEnabled": "False", "ShowGalAsDefaultView": "True",
    }  # fmt: skip
    if urls.ews:
        for name in ("EwsUrl", "EmwsUrl", "OOFUrl", "ASUrl"):
            found[f"External{name}"] = found[f"Internal{name}"] = urls.ews
        found["EwsSupportedSchemas"] = "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2010_SP1, " \
            "Exchange2010_SP2, Exchange2013, Exchange2013_SP1"  # fmt: skip
    else:
        del found["ExternalEwsVersion"]
    if urls.rpc:
        found |= {
            "ExternalMailboxServer": urls.rpc, "ExternalMailboxServerRequiresSSL": str(urls.ssl),
            "ExternalMailboxServerAuthenticationMethods": mailbox.auth, "EcpDeliveryReportUrlFragment": "",
        }  # fmt: skip
    if urls.activesync:
        found["MobileSyncUrl"] = urls.activesync
    if urls.web:
        found["ExternalWebClientUrls"] = found["InternalWebClientUrls"] = [("Basic, Fba", urls.web)]
    if urls.emsmdb:
        found["MapiHttp"] = found["MapiHttpInternalUrl"] = urls.emsmdb
    if mailbox.alternatives:
        found["AlternateMailboxes"] = mailbox.alternatives
    return {name: value for name, value in found.items() if value}


def domain_settings(mailbox_urls: Any, version: str) -> dict[str, str]:
    """Settings of a domain ([MS-OXWSADISC] 3.1.4.1)."""
    found = {"ExternalEwsUrl": mailbox_urls.ews, "ExternalEwsVersion": version if mailbox_urls.ews else ""}
    return {name: value for name, value in found.items() if value}


# ---------------------------------------------------------------------------------------------- answers


def _put(parent: etree._Element, name: str, value: str | None = None) -> etree._Element:
    made = etree.SubElement(parent, f"{{{SPACE}}}{name}")
    if value is not None:
        made.text = safexml.printable(value)
    return made


def _envelope(action: str, version: str) -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap=_PARTS)
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    etree.SubElement(header, f"{{{ADDRESSING}}}Action").text = action
    info = etree.SubElement(header, f"{{{SPACE}}}ServerVersionInfo")
    parts = (version.split(".") + ["0"] * 4)[:4]
    for name, part in zip(("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber"), parts, strict=True):
        _put(info, name, str(int(part) if part.isdecimal() else 0))
    _put(info, "Version", "Exchange2013_SP1")
    return root, etree.SubElement(root, f"{{{SOAP}}}Body")


def _error(parent: etree._Element, code: str, text: str) -> None:
    _put(parent, "ErrorCode", code)
    _put(parent, "ErrorMessage", text)


Answer = Mapping[str, Any] | Redirect | None
"""All settings of one of the names; where to ask instead; None: nobody goes by it."""


def write_response(request: Request, answers: list[Answer], version: str) -> bytes:
    """The answer for each of `request.names`."""
    users = request.operation == "GetUserSettings"
    root, body = _envelope(f"{SPACE}/Autodiscover/{request.operation}Response", version)
    response = _put(_put(body, f"{request.operation}ResponseMessage"), "Response")
    _error(response, "NoError", "")
    holder = _put(response, "UserResponses" if users else "DomainResponses")
    for answer in answers:
        one = _put(holder, "UserResponse" if users else "DomainResponse")
        _one(one, request, answer, "User" if users else "Domain")
    return safexml.write(root)


def _one(one: etree._Element, request: Request, answer: Answer, kind: str) -> None:
    if isinstance(answer, Redirect):
        _error(one, "RedirectUrl" if answer.url else "RedirectAddress", "Redirection.")
        _put(one, "RedirectTarget", answer.url or answer.address)
        _put(one, f"{kind}SettingErrors")
        _put(one, f"{kind}Settings")
        return
    if answer is None:
        _error(one, f"Invalid{kind}", f"Invalid {kind.lower()}.")
        _put(one, f"{kind}SettingErrors")
        _put(one, f"{kind}Settings")
        return
    _error(one, "NoError", "No error.")
    errors, settings = _put(one, f"{kind}SettingErrors"), _put(one, f"{kind}Settings")
    for name in dict.fromkeys(request.settings):
        if name in answer:
            _setting(settings, kind, name, answer[name])
        else:
            error = _put(errors, f"{kind}SettingError")
            _error(error, "SettingIsNotAvailable", f"Setting '{name[:64]}' is not available.")
            _put(error, "SettingName", name[:64])


def _setting(settings: etree._Element, kind: str, name: str, value: Any) -> None:
    made = _put(settings, f"{kind}Setting")
    form = "StringSetting" if isinstance(value, str) else "WebClientUrlCollectionSetting"
    if name == "AlternateMailboxes":
        form = "AlternateMailboxCollectionSetting"
    if kind == "Domain":
        form = "DomainStringSetting"
    made.set(f"{{{INSTANCE}}}type", form)
    _put(made, "Name", name)
    if isinstance(value, str):
        _put(made, "Value", value)
    elif name == "AlternateMailboxes":
        boxes = _put(made, "AlternateMailboxes")
        for box in value:
            at = _put(boxes, "AlternateMailbox")
            for tag, text in (("Type", box.kind), ("DisplayName", box.display_name), ("LegacyDN", box.dn),
                              ("Server", box.server), ("SmtpAddress", box.address)):  # fmt: skip
                _put(at, tag, text)
    else:
        urls = _put(made, "WebClientUrls")
        for methods, url in value:
            at = _put(urls, "WebClientUrl")
            _put(at, "AuthenticationMethods", methods)
            _put(at, "Url", url)


def write_fault(fault: Fault, version: str) -> bytes:
    """A SOAP 1.1 fault."""
    root, body = _envelope(f"{SPACE}/Autodiscover/fault", version)
    made = etree.SubElement(body, f"{{{SOAP}}}Fault")
    etree.SubElement(made, "faultcode").text = f"a:{fault.code}" if fault.code == "ActionNotSupported" else "s:Client"
    etree.SubElement(made, "faultstring").text = fault.text
    detail = _put(etree.SubElement(made, "detail"), "AutodiscoverFault")
    _error(detail, fault.code, fault.text)
    return safexml.write(root)


# ---------------------------------------------------------------------------------------------- the client's side


def write_request(address: str, settings: list[str], url: str) -> bytes:
    """What a client sends."""
    root = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"soap": SOAP, "wsa": ADDRESSING, "a": SPACE})
    header = etree.SubElement(root, f"{{{SOAP}}}Header")
    _put(header, "RequestedServerVersion", "Exchange2013_SP1")
    etree.SubElement(header, f"{{{ADDRESSING}}}Action").text = f"{SPACE}/Autodiscover/GetUserSettings"
    etree.SubElement(header, f"{{{ADDRESSING}}}To").text = url
    message = _put(etree.SubElement(root, f"{{{SOAP}}}Body"), "GetUserSettingsRequestMessage")
    asked = _put(message, "Request")
    _put(_put(_put(asked, "Users"), "User"), "Mailbox", address)
    wanted = _put(asked, "RequestedSettings")
    for name in settings:
        _put(wanted, "Setting", name)
    return safexml.write(root)


def read_response(data: bytes) -> list[tuple[str, str]]:
    """(name, text) of errors and settings in an answer. WireError for what is none."""
    root = safexml.parse(data, deepest=32, most=5000)
    if safexml.namespace(root) != SOAP:
        raise WireError("no SOAP response")
    found: list[tuple[str, str]] = []
    for one in root.iter():
        name = safexml.local(one)
        if name in ("faultstring", "RedirectTarget", "ErrorCode") and safexml.text(one) not in ("", "NoError"):
            found.append((name, safexml.text(one)))
        elif name == "UserSetting":
            texts = [
                safexml.text(value) for value in one.iter() if safexml.local(value) in ("Value", "Url", "SmtpAddress")
            ]
            found.append((safexml.text(safexml.child(one, "Name")), ", ".join(filter(None, texts))))
    return found
