"""Postfix takes mail by SMTP and hands it to the server by LMTP, as conf/examples/postfix/main.cf.embedded says."""

from __future__ import annotations

import email
import email.policy
import re
import smtplib
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.services.daemons import Postfix, example, open_folder, postfix
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow
ALICE, BOB, SMALL = "alice@example.test", "bob@example.test", "small@example.test"
OUTSIDE = "writer@example.net"


@dataclass
class Front:
    """The server with Postfix before it."""

    server: Server
    mta: Postfix

    def send(self, message: bytes, *recipients: str, sender: str = OUTSIDE, options: tuple[str, ...] = ()) -> None:
        with smtplib.SMTP(self.mta.host, self.mta.port, local_hostname="client.example.net", timeout=30) as client:
            client.sendmail(sender, list(recipients), message, mail_options=options)

    def wait_for(self, subject: str, user: str = ALICE, *, count: int = 1) -> list[bytes]:
        """The messages with this subject in a user's INBOX, once there are so many."""

        def found() -> list[bytes]:
            messages = inbox(self.server, user, subject)
            return messages if len(messages) >= count else []

        return until(found, seconds=30, describe=f"{subject!r} for {user}: {self.mta.log()[-1500:]}", step=0.1)


def inbox(server: Server, user: str, subject: str) -> list[bytes]:
    with server.imap(user) as client:
        client.select("INBOX", readonly=True)
        numbers = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        return [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1] for number in numbers]


def message(subject: str, body: str = "Text.\n", *, to: str = ALICE) -> bytes:
    made = EmailMessage(policy=email.policy.SMTP)
    made["From"], made["To"], made["Subject"] = OUTSIDE, to, subject
    made["Message-ID"] = f"<{subject.replace(' ', '.')}@example.net>"
    made.set_content(body)
    return made.as_bytes()


def parsed(raw: bytes) -> EmailMessage:
    found = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(found, EmailMessage)
    return found


def main_cf(server: Server) -> str:
    host, port = server.address("lmtp")
    return example("postfix/main.cf.embedded", {"[127.0.0.1]:24": f"[{host}]:{port}"})


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    with open_folder() as folder:
        (folder / "pf").mkdir()
        with running(folder / "site") as server:
            server.add_user(SMALL)
            with postfix(folder / "pf", main_cf(server), example("postfix/master.cf", {})) as mta:
                made = Front(server, mta)
                made.send(message("makes both known to Postfix"), ALICE, BOB)
                yield made


def test_trace_headers(front: Front) -> None:
    front.send(message("one for alice"), ALICE)
    raw = front.wait_for("one for alice")[0]
    found = parsed(raw)
    assert raw.startswith(b"Return-Path: <writer@example.net>\r\nDelivered-To: alice@example.test")
    ours, theirs = found.get_all("Received")
    assert re.match(r"from mx\.example\.test \(\[127\.[\d.]+\]\)\s+by \S+ \(gromoxd\) with E?S?LMTPS? id", ours), ours
    assert f"for <{ALICE}>" in ours
    assert theirs.startswith("from client.example.net") and "by mx.example.test (Postfix)" in theirs
    assert raw.endswith(b"\r\n\r\nText.\r\n")
    assert found["Message-ID"] == "<one.for.alice@example.net>"


def test_unknown_recipient_is_refused_with_the_servers_answer(front: Front) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        front.send(message("nobody"), "nobody@example.test")
    code, text = refused.value.recipients["nobody@example.test"]
    assert code == 550
    assert b"5.1.1" in text and b"No such user here" in text


def test_aliases_and_sub_addresses_are_the_servers(front: Front) -> None:
    front.server.ctl("alias", "add", "office@example.test", ALICE)
    front.send(message("to office"), "office@example.test")
    front.send(message("to plus"), "alice+news@example.test")
    for subject in ("to office", "to plus"):
        assert parsed(front.wait_for(subject)[0])["Delivered-To"].strip() == ALICE


def test_quota_is_the_protocols_552(front: Front) -> None:
    """The other recipient gets it; the sender is told which mailbox was full, in the server's words."""
    front.server.ctl("quota", "set", SMALL, "20K")
    front.send(message("too big", ("y" * 70 + "\n") * 1000), SMALL, ALICE, sender=BOB)
    assert len(front.wait_for("too big")) == 1
    report = front.wait_for("Undelivered Mail", BOB)[0].decode()
    text = re.sub(r"\s+", " ", report)
    assert "552 5.2.2 Mailbox is full" in text and "Diagnostic-Code: smtp; 552 5.2.2" in text
    assert "Final-Recipient: rfc822; small@example.test" in text and "Status: 5.2.2" in text
    assert f"Final-Recipient: rfc822; {ALICE}" not in text
    assert parsed(report.encode())["Return-Path"] == "<>"
    assert inbox(front.server, SMALL, "too big") == []


def test_one_message_for_several(front: Front) -> None:
    front.send(message("for both"), ALICE, BOB)
    for user in (ALICE, BOB):
        raw = front.wait_for("for both", user)
        assert len(raw) == 1
        assert parsed(raw[0])["Delivered-To"].strip() == user
    line = [found for found in front.mta.log().splitlines() if f"to=<{BOB}>" in found and "status=sent" in found][-1]
    assert "250 2.0.0" in line, line


def test_eight_bits_and_utf8_addresses(front: Front) -> None:
    body = "Subject: acht bit\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
    body += "Content-Transfer-Encoding: 8bit\r\n\r\nGrüße aus Köln, größer\r\n"
    front.send(body.encode(), ALICE, options=("BODY=8BITMIME",))
    assert "Grüße aus Köln, größer".encode() in front.wait_for("acht bit")[0], "not re-encoded on the way"
    head = "From: Jörg <jörg@example.net>\r\nTo: alice@example.test\r\nSubject: utf acht\r\n\r\nText\r\n"
    front.send(head.encode(), ALICE, sender="jörg@example.net", options=("SMTPUTF8", "BODY=8BITMIME"))
    raw = front.wait_for("utf acht")[0]
    assert raw.startswith("Return-Path: <jörg@example.net>\r\n".encode())
    assert "with UTF8" in raw.split(b"\r\n\r\n")[0].decode(), "RFC 6531 3.7.3"


def test_twenty_megabytes(front: Front) -> None:
    body = b"Subject: twenty megabytes\r\nFrom: a@example.net\r\n\r\n"
    body += b"".join(b"%070d\r\n" % number for number in range((20 << 20) // 72))
    front.send(body, ALICE, BOB)
    for user in (ALICE, BOB):
        raw = front.wait_for("twenty megabytes", user)
        assert len(raw) == 1
        assert raw[0].endswith(body.split(b"\r\n\r\n", 1)[1])


def test_over_the_limit_is_refused_at_the_border(front: Front) -> None:
    with smtplib.SMTP(front.mta.host, front.mta.port, timeout=30) as client:
        client.ehlo("client.example.net")
        code, text = client.mail(OUTSIDE, ["SIZE=70000000"])
    assert (code, text[:5]) == (552, b"5.3.4")


def test_mail_waits_while_the_server_is_down(front: Front) -> None:
    """Deferred, then delivered once after the start; nothing is bounced."""
    front.server.stop()
    for number in range(10):
        front.send(message(f"patient {number}"), ALICE, BOB)
    until(lambda: front.mta.log().count("status=deferred") >= 20, seconds=30, describe="deferred")
    assert len(front.mta.queue()) == 10
    front.server.start()
    front.mta.flush()
    until(front.mta.is_empty, seconds=60, describe="an empty queue", step=0.2)
    for user in (ALICE, BOB):
        assert len(front.wait_for("patient", user, count=10)) == 10
        for number in range(10):
            assert len(inbox(front.server, user, f"patient {number}")) == 1


def test_killed_while_mail_comes_in(front: Front) -> None:
    """kill -9 of everything under way: what Postfix did not hear the end of it sends again, and it is there once."""
    names = [f"hit {number}." for number in range(60)]
    front.mta.pause()
    for name in names:
        front.send(message(name), ALICE, BOB)
    front.server.lmtp().close()
    before = front.server.metric("deliveries")
    front.mta.resume()
    until(lambda: front.server.metric("deliveries") > before + 20, seconds=30, describe="deliveries", step=0.001)
    front.server.kill_tree()
    assert front.mta.queue(), "it was killed in the middle"
    front.server.start()
    front.mta.flush()
    until(front.mta.is_empty, seconds=60, describe="an empty queue", step=0.2)
    for user in (ALICE, BOB):
        found = sorted(str(parsed(raw)["Subject"]) for raw in inbox(front.server, user, "hit "))
        assert found == sorted(names)


def test_the_queue_folder_is_the_tests_own(front: Front) -> None:
    assert Path("/var/spool/postfix") not in front.mta.folder.parents
    assert "fatal:" not in front.mta.log() and "panic:" not in front.mta.log()
