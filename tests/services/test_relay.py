"""The relay hands mail to a Postfix with a milter, which hands it back by LMTP: both sides of a real chain."""

from __future__ import annotations

import contextlib
import json
import socketserver
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gromoxd.mapi.rules import ForwardFlavor
from tests.services.daemons import Postfix, example, open_folder, postfix
from tests.services.test_postfix import inbox, parsed
from tests.store.mapi.rulebox import containing, forwarding, standard
from tests.support.sending import ALICE, BOB, Log, Mailbox, at_rest
from tests.support.server import Server, own_host, running, until

pytestmark = pytest.mark.slow
SKIPPED = 0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x40 | 0x100 | 0x200
"""Steps of a session of which a milter need not be told (libmilter's SMFIP_NO...)."""


class Milter(socketserver.BaseRequestHandler):
    """Adds a field to every mail: the smallest milter there can be."""

    def handle(self) -> None:
        with contextlib.suppress(EOFError):
            while True:
                (length,) = struct.unpack(">I", self._read(4))
                packet = self._read(length)
                command = packet[:1]
                if command == b"O":
                    self._say(b"O" + struct.pack(">III", 6, 0x01, SKIPPED))
                elif command == b"E":
                    self._say(b"hX-Milter\0was here\0")
                    self._say(b"a")
                elif command == b"Q":
                    return
                elif command not in b"DAK":
                    self._say(b"c")

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self.request.recv(length - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data

    def _say(self, packet: bytes) -> None:
        self.request.sendall(struct.pack(">I", len(packet)) + packet)


@contextlib.contextmanager
def milter() -> Iterator[str]:
    """host:port of a running one."""

    class Threads(socketserver.ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with Threads((own_host(), 8891), Milter) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        try:
            yield f"{listening.server_address[0]!s}:8891"
        finally:
            listening.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def chain() -> Iterator[tuple[Server, Postfix]]:
    with open_folder() as folder, milter() as address:
        (folder / "pf").mkdir()
        with running(folder / "site", options={"relay_local_delivery": "no"}) as server:
            host, port = server.address("lmtp")
            main = example("postfix/main.cf.embedded", {"[127.0.0.1]:24": f"[{host}]:{port}"})
            main += f"\nsmtpd_milters = inet:{address}\nmilter_default_action = tempfail\n"
            with postfix(folder / "pf", main, example("postfix/master.cf", {})) as mta:
                server.set_conf("smtp.cfg", outgoing_smtp_url=f"smtp://{mta.host}:{mta.port}")
                server.reload()
                yield server, mta


def test_out_by_postfix_and_back(chain: tuple[Server, Postfix]) -> None:
    server, mta = chain
    Mailbox(server, ALICE).submit("round trip", BOB)
    [raw] = until(lambda: inbox(server, BOB, "round trip"), seconds=40, describe=mta.log()[-1500:])
    mail = parsed(raw)
    assert mail["X-Milter"] == "was here"
    assert mail["Return-Path"] == f"<{ALICE}>"
    received = mail.get_all("Received", [])
    assert len(received) == 3
    assert received[2].startswith("by ")
    assert json.loads(server.ctl("queue", "list", "--json")) == []


def test_postfix_refuses_one_recipient(chain: tuple[Server, Postfix]) -> None:
    server, _ = chain
    Mailbox(server, ALICE).submit("to nobody", "nobody@example.test")
    wanted = "Undelivered mail returned to sender"
    found = until(lambda: inbox(server, ALICE, wanted), seconds=40, describe="the report")
    report: Any = parsed(found[0])
    status = report.get_payload(1).get_payload(1)
    assert (status["Action"], status["Final-Recipient"]) == ("failed", "rfc822; nobody@example.test")
    assert status["Diagnostic-Code"].startswith("smtp; 550 5.1.1")


def test_out_of_office_and_redirects_by_postfix(chain: tuple[Server, Postfix]) -> None:
    """Two who redirect to each other, one of them away: each step goes through Postfix and the milter, and it ends."""
    server, mta = chain
    alice, bob = Mailbox(server, ALICE), Mailbox(server, BOB)
    redirect = ForwardFlavor.PR | ForwardFlavor.NC
    for one, other in ((alice, BOB), (bob, ALICE)):
        one.rules(standard(containing("round and round"), forwarding(other, flavor=redirect), name="on"))
    server.ctl("oof", "set", BOB, "--state", "on", "--text", "Back on Monday.")
    log = Log(server)
    raw = f"From: <{ALICE}>\r\nTo: <{BOB}>\r\nSubject: round and round\r\n\r\ntext\r\n"
    server.deliver(raw.encode(), BOB, sender="s@example.net")
    alice.submit("are you there", BOB)
    until(lambda: len(inbox(server, ALICE, "Automatic reply: are you there")) == 1, seconds=40, describe="the answer")
    until(lambda: log.lines("rule sends nothing", "has been here before", BOB), seconds=40, describe="the end")
    at_rest(alice, bob)
    until(mta.is_empty, seconds=30, describe="an empty queue")
    answer = parsed(inbox(server, ALICE, "Automatic reply: are you there")[0])
    assert (answer["Return-Path"], answer["Auto-Submitted"], answer["X-Milter"]) == ("<>", "auto-replied", "was here")
    [redirected] = [parsed(raw) for raw in inbox(server, ALICE, "round and round")]
    assert (redirected["Return-Path"], redirected["X-Gromoxd-Loop"]) == ("<s@example.net>", BOB)
    assert [len(inbox(server, user, "round and round")) for user in (ALICE, BOB)] == [1, 2]
    assert len(log.lines("rule sends nothing")) == 1
    alice.close()
    bob.close()
