"""AutoDiscover as Outlook asks it ([MS-OXDSCLI] 2.2)."""

from __future__ import annotations

import base64
import http.client
from dataclasses import dataclass

from lxml import etree

REQUEST = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
_NS = {"a": RESPONSE}


@dataclass(frozen=True)
class Account:
    """What a profile needs of it."""

    name: str
    address: str
    dn: str
    server: str
    mailbox_url: str
    addressbook_url: str
    protocols: tuple[str, ...]
    alternatives: tuple[str, ...]


def discover(host: str, port: int, address: str, password: str, *, user: str = "", about: str = "") -> Account:
    """Ask for `about` (oneself, otherwise) as `user`."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{REQUEST}"><Request>'
        f"<EMailAddress>{about or address}</EMailAddress>"
        f"<AcceptableResponseSchema>{RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"
    )
    basic = base64.b64encode(f"{user or address}:{password}".encode()).decode()
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request(
            "POST", "/AutoDiscover/AutoDiscover.xml", body.encode(),
            {
                "Content-Type": "text/xml", "Authorization": f"Basic {basic}", "X-MapiHttpCapability": "1",
                "X-AnchorMailbox": about or address, "User-Agent": "Microsoft Office/16.0 (Outlook 16.0.17000; Pro)",
            },
        )  # fmt: skip
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data[:300])
    finally:
        connection.close()
    return _account(data)


def _account(data: bytes) -> Account:
    tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))

    def text(path: str) -> str:
        return str(tree.findtext(f"a:Response/{path}", "", _NS))

    mapi = "a:Account/a:Protocol[@Type='mapiHttp']"
    return Account(
        name=text("a:User/a:DisplayName"),
        address=text("a:User/a:AutoDiscoverSMTPAddress"),
        dn=text("a:User/a:LegacyDN"),
        server=text("a:Account/a:Protocol[a:Type='EXCH']/a:Server"),
        mailbox_url=text(f"{mapi}/a:MailStore/a:InternalUrl") or text(f"{mapi}/a:MailStore/a:ExternalUrl"),
        addressbook_url=text(f"{mapi}/a:AddressBook/a:InternalUrl") or text(f"{mapi}/a:AddressBook/a:ExternalUrl"),
        protocols=tuple(
            one.get("Type") or str(one.findtext("a:Type", "", _NS))
            for one in tree.findall("a:Response/a:Account/a:Protocol", _NS)
        ),
        alternatives=tuple(
            str(one.findtext("a:Type", "", _NS))
            for one in tree.findall("a:Response/a:Account/a:AlternativeMailbox", _NS)
        ),
    )
