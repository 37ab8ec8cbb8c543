"""The SOAP dialect."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gromoxd.autodiscover import soap
from gromoxd.autodiscover.model import Alternative
from tests.autodiscover.test_pox import BOX, MAILBOX


def test_settings_that_are_asked_for() -> None:
    names = ["ExternalEwsUrl", "UserDN", "Nonsense", "InternalMailboxServer"]
    asked = soap.read_request(soap.write_request("user@contoso.com", names, "https://x/autodiscover.svc"))
    assert asked == soap.Request("GetUserSettings", ["user@contoso.com"], names)
    answer = soap.write_response(asked, [soap.user_settings(MAILBOX)], "15.00.0847.4040")
    assert soap.read_response(answer) == [
        ("ErrorCode", "SettingIsNotAvailable"),
        ("ExternalEwsUrl", "https://mail.Contoso.com/ews/exchange.asmx"),
        ("UserDN", "/o=microsoft/ou=Contoso/cn=Recipients/cn=486021"),
        ("InternalMailboxServer", BOX),
    ]
    assert b"<MajorBuildNumber>847<" in answer.replace(b"h:", b"")


def test_what_is_not_offered_is_not_there() -> None:
    found = soap.user_settings(replace(MAILBOX, urls=replace(MAILBOX.urls, ews="", oab="", rpc="", activesync="")))
    assert not {
        "ExternalEwsUrl",
        "ExternalEwsVersion",
        "ExternalOABUrl",
        "MobileSyncUrl",
        "ExternalMailboxServer",
    } & set(found)


def test_other_mailboxes_and_web_clients() -> None:
    other = Alternative("Delegate", "Sales", "sales@Contoso.com", "/o=x/cn=sales", "guid@Contoso.com")
    asked = soap.Request("GetUserSettings", ["x"], ["AlternateMailboxes", "ExternalWebClientUrls"])
    answer = soap.write_response(asked, [soap.user_settings(replace(MAILBOX, alternatives=[other]))], "15.0.1.2")
    assert soap.read_response(answer) == [
        ("AlternateMailboxes", "sales@Contoso.com"), ("ExternalWebClientUrls", "https://mail.Contoso.com/owa"),
    ]  # fmt: skip


def test_nobody_and_redirects() -> None:
    asked = soap.Request("GetUserSettings", ["a", "b", "c"], ["UserDN"])
    answers: list[soap.Answer] = [None, soap.Redirect("https://other/"), soap.Redirect(address="x@y")]
    assert soap.read_response(soap.write_response(asked, answers, "15.0.1.2")) == [
        ("ErrorCode", "InvalidUser"), ("ErrorCode", "RedirectUrl"), ("RedirectTarget", "https://other/"),
        ("ErrorCode", "RedirectAddress"), ("RedirectTarget", "x@y"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<x/>",
        b"<!DOCTYPE x><x/>",
        soap.write_request("a@b", ["X"] * 300, "https://x/"),
        soap.write_request("a@b", [], "https://x/"),
        soap.write_request("a@b", ["X"], "x").replace(b"GetUserSettingsRequest", b"GetFederationInformationRequest"),
    ],
)
def test_faults(octets: bytes) -> None:
    with pytest.raises(soap.Fault) as caught:
        soap.read_request(octets)
    answer = soap.write_fault(caught.value, "15.0.1.2")
    assert dict(soap.read_response(answer))["faultstring"] == caught.value.text
