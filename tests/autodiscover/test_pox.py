"""The POX dialect: the documents' example, requests good and bad, what is told and what not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lxml import etree

from gromoxd.autodiscover import pox
from gromoxd.autodiscover.model import Alternative, Code, Invalid, Mailbox, Urls, server_version

OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
BOX = "416c6368-656d-794a-6f45-57615272456e@Contoso.com"
MAILBOX = Mailbox(
    "User Display Name", "user@Contoso.com", "/o=microsoft/ou=Contoso/cn=Recipients/cn=486021",
    "30c3a927-42aa-5de8-91e3-8e5b4655ed00", BOX, "/o=x/cn=Configuration/cn=Servers/cn=s",
    "/o=x/cn=s/cn=Microsoft Private MDB",
    Urls(
        host="mail.Contoso.com", emsmdb=f"https://mail.Contoso.com/mapi/emsmdb/?MailboxId={BOX}",
        nspi=f"https://mail.Contoso.com/mapi/nspi/?MailboxId={BOX}", rpc="mail.Contoso.com",
        ews="https://mail.Contoso.com/ews/exchange.asmx", oab="https://mail.Contoso.com/OAB/",
        web="https://mail.Contoso.com/owa",
    ),
)  # fmt: skip


def told(octets: bytes) -> dict[str, str]:
    """The last text of each path."""
    return dict(pox.read_response(octets))


def test_mapi_over_http_is_told_as_the_document_shows() -> None:
    """[MS-OXDSCLI] 4.4, the parts that it has."""
    answer = pox.outlook(MAILBOX, mapihttp=True, rpch=True)
    found = told(answer)
    user = "Response/User/"
    assert found[user + "DisplayName"] == "User Display Name"
    assert found[user + "LegacyDN"] == "/o=microsoft/ou=Contoso/cn=Recipients/cn=486021"
    assert found[user + "AutoDiscoverSMTPAddress"] == "user@Contoso.com"
    assert found[user + "DeploymentId"] == "30c3a927-42aa-5de8-91e3-8e5b4655ed00"
    account = "Response/Account/"
    assert (found[account + "AccountType"], found[account + "Action"]) == ("email", "settings")
    stem = account + "Protocol[mapiHttp]/"
    assert found[stem + "MailStore/InternalUrl"] == f"https://mail.Contoso.com/mapi/emsmdb/?MailboxId={BOX}"
    assert found[stem + "AddressBook/InternalUrl"] == f"https://mail.Contoso.com/mapi/nspi/?MailboxId={BOX}"
    web = account + "Protocol[WEB]/External/"
    assert found[web + "OWAUrl"] == "https://mail.Contoso.com/owa"
    assert found[web + "Protocol[EXPR]/ASUrl"] == "https://mail.Contoso.com/ews/exchange.asmx"
    protocols = etree.fromstring(answer).iter(OUTLOOK + "Protocol")
    assert [(one.get("Type"), one.get("Version")) for one in protocols if one.get("Type")] == [("mapiHttp", "1")]


def test_with_mapi_over_http_there_is_neither_exch_nor_expr() -> None:
    """[MS-OXDSCLI] 3.2.5.1 no. 3."""
    root = etree.fromstring(pox.outlook(MAILBOX, mapihttp=True, rpch=True))
    account = root.find(f"{OUTLOOK}Response/{OUTLOOK}Account")
    assert account is not None
    kinds = [one.findtext(OUTLOOK + "Type") for one in account.findall(OUTLOOK + "Protocol")]
    assert kinds == ["EXHTTP", None, "WEB"]


def test_rpc_over_http() -> None:
    found = told(pox.outlook(MAILBOX, mapihttp=False, rpch=True))
    stem = "Response/Account/Protocol"
    assert found[stem + "[EXCH]/Server"] == BOX
    assert found[stem + "[EXCH]/MdbDN"] == "/o=x/cn=s/cn=Microsoft Private MDB"
    assert found[stem + "[EXCH]/ServerVersion"] == "73C0834F"
    assert found[stem + "[EXPR]/Server"] == "mail.Contoso.com"
    assert (found[stem + "[EXPR]/SSL"], found[stem + "[EXPR]/AuthPackage"]) == ("On", "Basic")
    assert found[stem + "[EXHTTP]/OABUrl"] == "https://mail.Contoso.com/OAB/"
    assert "Response/Account/Protocol[mapiHttp]/MailStore/InternalUrl" not in found


def test_what_is_not_offered_is_not_told() -> None:
    bare = replace(MAILBOX, urls=replace(MAILBOX.urls, ews="", oab="", web=""))
    answer = pox.outlook(bare, mapihttp=False, rpch=True)
    for name in (b"EwsUrl", b"OABUrl", b"OOFUrl", b"ASUrl", b">WEB<", b"PublicFolderInformation"):
        assert name not in answer


def test_other_mailboxes_and_public_folders() -> None:
    other = Alternative("Delegate", "Sales & more\x01", "sales@Contoso.com", "/o=x/cn=sales", "guid@Contoso.com")
    found = told(pox.outlook(replace(MAILBOX, alternatives=[other], public="p@Contoso.com"), mapihttp=True, rpch=False))
    stem = "Response/Account/AlternativeMailbox[Delegate]/"
    assert found[stem + "DisplayName"] == "Sales & more"
    assert found[stem + "SmtpAddress"] == "sales@Contoso.com"
    assert found[stem + "Server"] == "guid@Contoso.com"
    assert found["Response/Account/PublicFolderInformation/SmtpAddress"] == "p@Contoso.com"


def test_phones() -> None:
    mailbox = replace(MAILBOX, urls=replace(MAILBOX.urls, activesync="https://m/Microsoft-Server-ActiveSync"))
    found = told(pox.phone(mailbox))
    assert found["Response/User/EMailAddress"] == "user@Contoso.com"
    assert found["Response/Action/Settings/Server[MobileSync]/Url"] == "https://m/Microsoft-Server-ActiveSync"


def test_server_version_is_that_of_the_release() -> None:
    """The example in [MS-OXDSCLI] 2.2.4.1.1.2.6.44: 72008287 is Exchange 8.0.647."""
    assert server_version("8.0.647.0") == "72008287"


def test_a_request_is_read_back() -> None:
    assert pox.read_request(pox.write_request("A@b.example")) == pox.Request("a@b.example", "", False)
    assert pox.read_request(pox.write_request("a@b.example", phone=True)).phone


def asking(address: str = "a@b.example", schema: str = pox.OUTLOOK, more: str = "") -> bytes:
    """A request as clients write it."""
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{pox.OUTLOOK_REQUEST}"><Request>'
        f"<EMailAddress>{address}</EMailAddress>{more}<AcceptableResponseSchema>{schema}</AcceptableResponseSchema>"
        "</Request></Autodiscover>"
    ).encode()


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", Code.INVALID_REQUEST),
        (b"<", Code.INVALID_REQUEST),
        (b"<x/>", Code.INVALID_REQUEST),
        (asking(schema=""), Code.INVALID_REQUEST),
        (asking(address=""), Code.INVALID_REQUEST),
        (asking(schema="http://other"), Code.NO_PROVIDER),
        (asking(address="nobody"), Code.BAD_ADDRESS),
        (asking(address="a b@c"), Code.BAD_ADDRESS),
        (asking(address="a" * 400 + "@c"), Code.BAD_ADDRESS),
        (b'<!DOCTYPE x [<!ENTITY e "a@b.example">]>' + asking(address="&e;").partition(b"?>")[2], Code.INVALID_REQUEST),
        (b"<!DOCTYPE x>" + asking().partition(b"?>")[2], Code.INVALID_REQUEST),
    ],
)  # fmt: skip
def test_what_is_no_request(octets: bytes, code: Code) -> None:
    with pytest.raises(Invalid) as caught:
        pox.read_request(octets)
    assert caught.value.code == code


def test_a_dn_alone_is_enough() -> None:
    assert pox.read_request(asking(address="", more="<LegacyDN>/o=x</LegacyDN>")).dn == "/o=x"


def test_redirects() -> None:
    found = told(pox.redirect(url="https://other/autodiscover/autodiscover.xml"))
    assert found["Response/Account/Action"] == "redirectUrl"
    assert found["Response/Account/RedirectUrl"] == "https://other/autodiscover/autodiscover.xml"
    assert told(pox.redirect(address="b@c"))["Response/Account/RedirectAddr"] == "b@c"
    assert told(pox.redirect(address="b@c", phone=True, asked="a@c"))["Response/Action/Redirect"] == "b@c"


def test_an_error() -> None:
    answer = pox.error(Code.NO_PROVIDER, "Provider is not available", time="10:11:12.1234560", number=5)
    assert told(answer)["Response/Error/ErrorCode"] == "601"
    assert b'Time="10:11:12.1234560" Id="5"' in answer
