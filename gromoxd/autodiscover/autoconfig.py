"""Thunderbird's autoconfig (config-v1.1): which servers a mail client is to use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lxml import etree

from gromoxd import safexml


@dataclass(frozen=True)
class Service:
    """`kind`: imap, pop3, smtp; `security`: SSL, STARTTLS or plain."""

    kind: str
    host: str
    port: int
    security: str


NAMES: Final = {"imap": "incomingServer", "pop3": "incomingServer", "smtp": "outgoingServer"}


def write(domain: str, services: list[Service], *, ews: str = "", dav: str = "", web: str = "") -> bytes:
    """The document. Names of users are their addresses."""
    root = etree.Element("clientConfig", version="1.1")
    provider = etree.SubElement(root, "emailProvider", id=domain)
    for name in ("domain", "displayName", "displayShortName"):
        etree.SubElement(provider, name).text = domain
    for one in services:
        server = etree.SubElement(provider, NAMES[one.kind], type=one.kind)
        for name, text in (("hostname", one.host), ("port", str(one.port)), ("socketType", one.security),
                           ("authentication", "password-cleartext"), ("username", "%EMAILADDRESS%")):  # fmt: skip
            etree.SubElement(server, name).text = text
    if ews:
        server = etree.SubElement(provider, "incomingServer", type="exchange")
        for name, text in (("ewsURL", ews), ("authentication", "password-cleartext"), ("username", "%EMAILADDRESS%")):
            etree.SubElement(server, name).text = text
    if dav:
        for kind, name in (("addressBook", "carddav"), ("calendar", "caldav")):
            server = etree.SubElement(root, kind, type=name)
            for part, text in (("username", "%EMAILADDRESS%"), ("authentication", "http-basic"), ("serverURL", dav)):
                etree.SubElement(server, part).text = text
    if web:
        etree.SubElement(etree.SubElement(root, "webMail"), "loginPage", url=web)
    return safexml.write(root)
