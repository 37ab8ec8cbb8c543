"""Hostile mail through the ports of a real server: taken by LMTP, read by IMAP, and no loop waits for it."""

from __future__ import annotations

import random
import re
import smtplib
import time

import pytest

from tests.hostile.growing import GROWING
from tests.hostile.mails import spoiled
from tests.support.fixtures import server
from tests.support.server import Server

__all__ = ["server"]
pytestmark = pytest.mark.slow

ALICE = "alice@example.test"
LONGEST = 10.0
"""Seconds for one delivery; it took up to a minute."""
STALLS = 3
"""Of three workers and some hundred mails. A machine that others use shows one now and then, a bug one for a mail."""


def sent(client: smtplib.LMTP, raw: bytes) -> int:
    """The code that LMTP answers to the message, in good time."""
    assert client.mail("anna@example.org", ["BODY=8BITMIME"])[0] == 250
    assert client.rcpt(ALICE)[0] == 250
    begun = time.monotonic()
    code, _ = client.data(raw)
    assert time.monotonic() - begun < LONGEST, raw[:200]
    return code


def stalls(server: Server) -> float:
    """Turns of event loops over 20 ms so far."""
    return sum(map(float, re.findall(r"^gromoxd_loop_stalls_total\{[^}]*\} ([0-9.e+-]+)$", server.metrics(), re.M)))


def test_hostile_mail_is_taken_and_read(server: Server) -> None:
    mails = {name: make(200_000) for name, make in GROWING.items()}
    mails |= {f"seed {seed}": spoiled(random.Random(seed))[1] for seed in range(5000, 5100)}
    before = stalls(server)
    taken = []
    with server.lmtp(timeout=60) as client:
        for name, raw in mails.items():
            code = sent(client, raw)
            assert code == 250 or 500 <= code < 600, name
            if code == 250:
                taken.append(name)
    assert len(taken) > len(mails) * 3 // 4
    with server.imap(ALICE) as reader:
        assert reader.select("INBOX") == ("OK", [str(len(taken)).encode()])
        for what in ("ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[1]", "BODY.PEEK[HEADER]"):
            answer, found = reader.fetch("1:*", f"({what})")
            assert answer == "OK" and len(found) >= len(taken)
        assert reader.search(None, "TEXT", '"no such words"')[1] == [b""]
    assert stalls(server) - before <= STALLS
    assert not server.problems() and not server.log_problems()
