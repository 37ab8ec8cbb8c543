"""Programs that ask as Outlook does: AutoDiscover with ews-javascript-api and curl, MAPI/HTTP with curl and NTLM."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from tests.clients.sniffing import CLIENT, recorded
from tests.clients.test_tshark import Tapped, sound
from tests.conftest import loud_skip, require_binary
from tests.support.server import Server, running

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
ROUND = Path(__file__).parent / "rounds" / "autodiscover.js"
ALICE, PASSWORD = "alice@example.test", "Secret 7"
POX = (
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    f"<EMailAddress>{ALICE}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>"
    "</Request></Autodiscover>"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server on which Alice can log in with NTLM."""
    options = {"http_auth_spnego": "true", "http_ntlm_proxied": "true"}
    with running(tmp_path_factory.mktemp("exchange") / "site", options=options) as server:
        engine = make_engine(DatabaseSettings(), str(server.site))
        Admin(engine, str(server.site / "data"), store_nt_hash=True).set_password(ALICE, PASSWORD)
        engine.dispose()
        yield server


def node(server: Server, password: str, *names: str) -> tuple[int, list[str]]:
    """(exit code, lines) of the round in JavaScript."""
    command = [require_binary("node"), str(ROUND)]
    modules = os.pathsep.join(filter(None, (str(ROOT / ".clients" / "node_modules"), os.environ.get("NODE_PATH"))))
    environment = {**os.environ, "NODE_PATH": modules}
    probe = [command[0], "-e", "require('ews-javascript-api')"]
    if subprocess.run(probe, env=environment, capture_output=True, timeout=60).returncode:
        loud_skip("ews-javascript-api (npm) is not installed")
    url = "http://{}:{}/autodiscover/autodiscover.svc".format(*server.address("http"))
    done = subprocess.run(
        [*command, url, ALICE, *names], input=password, env=environment, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stdout.splitlines()


def test_javascript(place: Server) -> None:
    """GetUserSettings: what the mailbox has, without what it has not."""
    names = ("UserDisplayName", "UserDN", "AutoDiscoverSMTPAddress", "ExternalOABUrl", "MobileMailboxPolicy")
    code, lines = node(place, PASSWORD, *names)
    assert code == 0 and lines[0] == "error NoError"
    found = dict(line.split("=", 1) for line in lines[1:])
    assert found["UserDisplayName"] == "Alice" and found["AutoDiscoverSMTPAddress"] == ALICE
    assert re.fullmatch(r"/o=.*/ou=.*/cn=Recipients/cn=[0-9a-f]{16}-alice", found["UserDN"])
    assert re.fullmatch(r"https?://.*/OAB/[0-9a-f-]{36}/", found["ExternalOABUrl"])
    assert "MobileMailboxPolicy" not in found
    assert node(place, "wrong", "UserDN")[0] == 1


def curl(address: tuple[str, int], path: str, *options: str, password: str = PASSWORD) -> str:
    """Head and body of an answer to curl."""
    command = [require_binary("curl"), "-sS", "-i", "-u", f"{ALICE}:{password}", *options]
    url = "http://{}:{}".format(*address) + path
    return subprocess.run([*command, url], capture_output=True, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("scheme", ["--basic", "--ntlm"])
def test_curl(place: Server, scheme: str) -> None:
    """AutoDiscover, and PING of both endpoints that it names."""
    fields = ("-H", "Content-Type: text/xml", "-H", "X-MapiHttpCapability: 1", "--data-binary", POX)
    answer = curl(place.address("http"), "/Autodiscover/Autodiscover.xml", scheme, *fields)
    assert "HTTP/1.1 200" in answer and "<DisplayName>Alice</DisplayName>" in answer
    for endpoint in ("emsmdb", "nspi"):
        where = re.search(rf"://[^/<]+(/mapi/{endpoint}/\?MailboxId=[^<]+)", answer)
        assert where is not None
        ping = curl(
            place.address("http"), where[1], scheme, "-H", "X-RequestType: PING", "-H", "X-RequestId: {a}:1", "-d", ""
        )
        assert "HTTP/1.1 200" in ping and "X-ResponseCode: 0" in ping
        assert ping.rstrip().splitlines()[-1].startswith("X-StartTime: ")
    refused = curl(place.address("http"), "/mapi/emsmdb/", scheme, "-d", "", password="wrong")
    assert refused.rsplit("HTTP/1.1 ", 1)[1].startswith("401")


def test_ntlm_as_wireshark_reads_it(place: Server, tmp_path: Path) -> None:
    """What curl and the server say to each other of NTLM."""
    with recorded(place.address("http")) as recorder:
        tapped = Tapped(place, recorder, require_binary("tshark"), tmp_path)
        assert "HTTP/1.1 200" in curl(
            recorder.address, "/mapi/emsmdb/", "--ntlm", "-H", "X-RequestType: PING", "-d", ""
        )
    conversation = [(piece.sender, piece.data) for piece in recorder.pieces]
    assert conversation[0][0] == CLIENT
    decode = ("-d", "tcp.port==8080,http")
    text = tapped.decoded(conversation, 8080, *decode, "-V")
    sound(text)
    for part in ("NTLMSSP_NEGOTIATE", "NTLMSSP_CHALLENGE", "NTLMSSP_AUTH", "Attribute: NetBIOS domain name"):
        assert part in text, part
    fields = ("-Y", "ntlmssp.auth.username", "-T", "fields", "-e", "ntlmssp.auth.username")
    assert tapped.decoded(conversation, 8080, *decode, *fields).strip() == ALICE
