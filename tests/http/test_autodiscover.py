"""AutoDiscover of a running server, asked by our own client, by plain requests, and by exchangelib."""

from __future__ import annotations

import base64
import json
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.autodiscover import pox, soap
from tests.support.server import Server, running
from workers.http.autodiscover.pages import auth_package
from workers.http.settings import HttpSettings

pytestmark = pytest.mark.slow
ALICE, BOB = "alice@example.test", "bob@example.test"
FOREIGN = """
import sys
from exchangelib import Configuration, Credentials
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.protocol import FailFast
from exchangelib.transport import BASIC
url, user, password = sys.argv[1], sys.argv[2], sys.stdin.readline().rstrip()
protocol = AutodiscoverProtocol(config=Configuration(
    service_endpoint=url, credentials=Credentials(user, password), auth_type=BASIC, retry_policy=FailFast()))
for one in (user, "nobody@example.test"):
    answer = protocol.get_user_settings(user=one)
    print(answer.error_code, (answer.user_settings or {}).get("auto_discover_smtp_address"))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """alice is at home on no server in particular, bob on `elsewhere`, whose outer name clients are told."""
    with running(tmp_path_factory.mktemp("autodiscover") / "site") as one:
        yield one


def base(server: Server) -> str:
    return "http://{host}:{port}".format(**server.info["http"])


def ask(
    server: Server, path: str, body: bytes | None = None, user: str = ALICE, password: str = "", **headers: str
) -> tuple[int, bytes]:
    secret = base64.b64encode(f"{user}:{password or server.info['users'].get(user, '')}".encode()).decode()
    head = {"Authorization": "Basic " + secret, "Content-Type": "text/xml"} if user else {}
    head |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urllib.request.urlopen(urllib.request.Request(base(server) + path, body, head), timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def outlook(server: Server, address: str, user: str = ALICE, **headers: str) -> dict[str, str]:
    status, body = ask(server, "/AutoDiscover/AutoDiscover.xml", pox.write_request(address), user, **headers)
    assert status == 200
    return dict(pox.read_response(body))


def share(server: Server, right: str) -> None:
    """alice gets a right on bob's inbox, or none any more."""
    server.ctl("permission", "set" if right else "remove", BOB, "INBOX", ALICE, *([right] if right else []))


def test_the_command_prints_what_a_client_gets(server: Server) -> None:
    told = server.ctl("autodiscover", ALICE, "--password-stdin", stdin=server.info["users"][ALICE])
    lines = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    store = lines["Response/Account/Protocol[mapiHttp]/MailStore/InternalUrl"]
    assert store.startswith(base(server) + "/mapi/emsmdb/?MailboxId=")
    assert store.endswith("@example.test")
    assert lines["Response/User/AutoDiscoverSMTPAddress"] == ALICE
    old = server.ctl("autodiscover", ALICE, "--password-stdin", "--kind", "old", stdin=server.info["users"][ALICE])
    assert "Protocol[EXCH]/MdbDN: /o=" in old
    assert "mapiHttp" not in old


def test_others_mailboxes_are_told_of_to_who_may_open_them(server: Server) -> None:
    assert outlook(server, BOB)["Response/Error/ErrorCode"] == "500"
    assert outlook(server, "nobody@example.test")["Response/Error/ErrorCode"] == "500"
    share(server, "reviewer")
    try:
        assert outlook(server, BOB)["Response/User/AutoDiscoverSMTPAddress"] == BOB
    finally:
        share(server, "")


def test_a_dn_will_do_and_leads_to_the_same(server: Server) -> None:
    dn = outlook(server, ALICE)["Response/User/LegacyDN"]
    body = (
        f'<Autodiscover xmlns="{pox.OUTLOOK_REQUEST}"><Request><LegacyDN>{dn.upper()}</LegacyDN>'
        f"<AcceptableResponseSchema>{pox.OUTLOOK}</AcceptableResponseSchema></Request></Autodiscover>"
    )
    status, answer = ask(server, "/autodiscover/autodiscover.xml", body.encode())
    assert (status, dict(pox.read_response(answer))["Response/User/LegacyDN"]) == (200, dn)


def test_public_folders_have_an_address(server: Server) -> None:
    address = outlook(server, ALICE)["Response/Account/PublicFolderInformation/SmtpAddress"]
    found = outlook(server, address, X_MapiHttpCapability="1")
    assert found["Response/User/LegacyDN"].endswith("00000000-example.test")
    assert "mapi/emsmdb" in found["Response/Account/Protocol[mapiHttp]/MailStore/InternalUrl"]


def test_a_home_server_has_its_outer_name(server: Server) -> None:
    server.ctl("server", "add", "inner.example.test", "--extname", "outer.example.test")
    server.ctl("user", "set", BOB, "--homeserver", "inner.example.test")
    server.ctl("reload")
    try:
        found = outlook(server, BOB, BOB, X_MapiHttpCapability="1")
        url = found["Response/Account/Protocol[mapiHttp]/MailStore/ExternalUrl"]
        assert url.startswith("https://outer.example.test/mapi/emsmdb/?MailboxId=")
        assert found["Response/Account/Protocol[EXHTTP]/SSL"] == "On"
    finally:
        server.ctl("user", "set", BOB, "--homeserver", "")
        server.ctl("reload")


def test_mailboxes_that_the_directory_hints_at(server: Server) -> None:
    with sqlite3.connect(server.site / "data" / "directory.sqlite3") as database:
        ids = dict(database.execute("SELECT username, id FROM users"))
        database.execute("INSERT INTO secondary_store_hints VALUES (?, ?)", (ids[ALICE], ids[BOB]))
    database.close()
    server.ctl("reload")
    stem = "Response/Account/AlternativeMailbox[Delegate]/"
    assert stem + "SmtpAddress" not in outlook(server, ALICE)
    share(server, "reviewer")
    try:
        assert outlook(server, ALICE)[stem + "SmtpAddress"] == BOB
    finally:
        share(server, "")


def test_the_other_dialects(server: Server) -> None:
    status, body = ask(
        server, "/autodiscover/autodiscover.svc", soap.write_request(ALICE, ["UserDN", "MobileSyncUrl"], "")
    )
    assert status == 200
    assert [name for name, _ in soap.read_response(body)] == ["ErrorCode", "UserDN"]
    status, body = ask(server, "/autodiscover/autodiscover.svc", b"<x/>")
    assert (status, b"faultstring" in body) == (500, True)
    status, body = ask(server, "/autodiscover/autodiscover.json?Email=x@y&Protocol=AutodiscoverV1", user="")
    assert (status, json.loads(body)["Url"]) == (200, base(server) + "/autodiscover/autodiscover.xml")
    status, body = ask(server, "/autodiscover/autodiscover.json/v1.0/x@y?Protocol=Nonsense", user="")
    assert (status, json.loads(body)["ErrorCode"]) == (400, "InvalidProtocol")
    status, body = ask(server, "/.well-known/autoconfig/mail/config-v1.1.xml?emailaddress=a@example.test", user="")
    assert (status, b'<incomingServer type="imap">' in body, b'id="example.test"' in body) == (200, True, True)


def test_what_is_not_served_is_not_told(server: Server) -> None:
    status, body = ask(server, "/autodiscover/autodiscover.xml", pox.write_request(ALICE, phone=True))
    assert (status, dict(pox.read_response(body))["Response/Error/ErrorCode"]) == (200, "601")
    assert ask(server, "/.well-known/caldav", user="")[0] == 404
    assert ask(server, "/autodiscover/autodiscover.json?Protocol=ActiveSync", user="")[0] == 400


def test_services_elsewhere_are_told_of(tmp_path: Path) -> None:
    options = {
        "autodiscover_eas_url": "https://{host}/Microsoft-Server-ActiveSync", "autodiscover_dav_url": "/dav/",
        "autodiscover_ews_url": "https://ews.example.test/EWS/Exchange.asmx",
    }  # fmt: skip
    with running(tmp_path / "site", options=options) as one:
        _, body = ask(one, "/autodiscover/autodiscover.xml", pox.write_request(ALICE, phone=True))
        url = dict(pox.read_response(body))["Response/Action/Settings/Server[MobileSync]/Url"]
        assert url.endswith("/Microsoft-Server-ActiveSync")
        assert outlook(one, ALICE)["Response/Account/Protocol[EXCH]/EwsUrl"] == options["autodiscover_ews_url"]
        assert ask(one, "/autodiscover/autodiscover.json?Protocol=activesync", user="")[0] == 200


def test_nobody_is_told_anything_without_a_password(server: Server) -> None:
    assert ask(server, "/autodiscover/autodiscover.xml", pox.write_request(ALICE), user="")[0] == 401
    assert ask(server, "/autodiscover/autodiscover.svc", user="")[0] == 401
    assert ask(server, "/autodiscover/autodiscover.xml", pox.write_request(ALICE), password="wrong")[0] == 401


def test_bad_input_gets_an_error(server: Server) -> None:
    for body in (b"", b"<a", b"x" * 70_000, b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'):
        status, answer = ask(server, "/autodiscover/autodiscover.xml", body)
        assert status in (200, 413)
        assert status == 413 or dict(pox.read_response(answer))["Response/Error/ErrorCode"] == "600"


def test_exchangelib(server: Server) -> None:
    url = base(server) + "/autodiscover/autodiscover.svc"
    done = subprocess.run(
        [sys.executable, "-c", FOREIGN, url, ALICE], input=server.info["users"][ALICE], capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines() == [f"None {ALICE}", "InvalidUser None"], done.stderr[-2000:]


@pytest.mark.parametrize(
    ("basic", "ntlm", "told"), [(True, False, "Basic"), (True, True, "Basic"), (False, True, "Ntlm")]
)
def test_rpc_is_told_how_to_log_in(basic: bool, ntlm: bool, told: str) -> None:
    assert auth_package(HttpSettings(http_auth_basic=basic, http_auth_spnego=ntlm)) == told
