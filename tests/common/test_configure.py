"""How certificates and limits of a protocol come together."""

from __future__ import annotations

import ipaddress

import pytest

from gromoxd.master.settings import LmtpPool, Pop3Pool, TlsSettings
from tests.common.people import Settings
from workers.common.configure import server_settings
from workers.common.server import ServerSettings, networks
from workers.common.settings import ConnectionSettings


def made(pool: type, prefix: str, *given: object, proxy: int = 0) -> ServerSettings:
    return server_settings(Settings(*given), pool, prefix, max_connections=7, proxy=proxy, refusal=b"no\r\n")


def test_own_certificate_goes_first() -> None:
    common = TlsSettings(tls_certificate_path="/c", tls_private_key_path="/k", tls_min_proto="tls1.3")
    found = made(Pop3Pool, "pop3", common)
    assert (found.certificate, found.private_key, found.tls_minimum) == ("/c", "/k", "tls1.3")
    found = made(Pop3Pool, "pop3", common, Pop3Pool(pop3_certificate_path="/own"))
    assert (found.certificate, found.private_key) == ("/own", "")
    assert found.max_connections == 7


def test_tls_can_be_switched_off() -> None:
    common = TlsSettings(tls_certificate_path="/c")
    assert made(LmtpPool, "smtp", common).certificate == "/c"
    assert made(LmtpPool, "smtp", common, LmtpPool(smtp_support_starttls=False)).certificate == ""


def test_proxy_networks() -> None:
    trusted = ConnectionSettings(haproxy_trusted=["192.0.2.0/24"], conn_per_address=3)
    assert made(Pop3Pool, "pop3", trusted).proxy_trusted == ()
    found = made(Pop3Pool, "pop3", trusted, proxy=2)
    assert found.proxy
    assert found.proxy_trusted == (ipaddress.ip_network("192.0.2.0/24"),)
    assert found.per_address == 3


def test_bad_network_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    assert networks(["::1", "nonsense"]) == (ipaddress.ip_network("::1/128"),)
    assert "not a network" in caplog.text
