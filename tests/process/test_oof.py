"""The out-of-office message as the administrator sets it and as senders get it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from tests.process.sites import Place, place
from tests.support.sending import ALICE, BOB, Mailbox, contents, parsed

pytestmark = pytest.mark.slow
SAM = "sam@elsewhere.test"
NOT_SENT = "out-of-office message not sent"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("oof")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_sent(at: Place) -> None:
    at.sink.mails.clear()


def away(at: Place, *more: str, state: str = "on") -> None:
    texts = ("--text", "Back on Monday.", "--external-text", "Away until Monday.", "--audience", "everybody")
    at.server.ctl("oof", "set", ALICE, "--state", state, *texts, *more)


def come(at: Place, sender: str = SAM, *, header: str = "", to: str = ALICE, subject: str = "hello") -> None:
    """A mail for alice comes, and what it causes happens."""
    raw = (
        f"From: <{sender or SAM}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <{subject}@elsewhere.test>\r\n"
        f"{header}Date: Mon, 01 Jun 2026 09:00:00 +0000\r\n\r\nThe text.\r\n"
    )
    at.server.deliver(raw.encode(), ALICE, sender=sender)
    at.rest()


def answers(at: Place) -> list[tuple[str, list[str], EmailMessage]]:
    return [(sender, recipients, parsed(octets)) for sender, recipients, octets in at.sink.mails]


def test_once_and_marked(at: Place) -> None:
    away(at)
    log = at.log()
    come(at)
    come(at, subject="again")
    [(sender, recipients, answer)] = answers(at)
    assert (sender, recipients, answer["To"]) == ("", [SAM], SAM)
    assert (answer["Subject"], answer["Auto-Submitted"]) == ("Automatic reply: hello", "auto-replied")
    assert answer["X-Auto-Response-Suppress"] == "All"
    assert answer["From"] and ALICE in answer["From"]
    assert (answer["In-Reply-To"], answer["References"]) == ("<hello@elsewhere.test>", "<hello@elsewhere.test>")
    assert answer["Message-ID"] and answer["Date"]
    assert "Away until Monday." in answer.get_body(("plain",)).get_content()
    assert len(log.lines("mail sent on arrival", "out of office", ALICE)) == 1
    away(at)  # a new time out of office begins
    come(at, subject="third")
    assert len(answers(at)) == 2


def test_inside_another_text(at: Place) -> None:
    away(at)
    come(at, BOB)
    assert at.sink.mails == []
    [answer] = [m for m in contents(at.server, BOB) if m["Subject"] == "Automatic reply: hello"]
    assert "Back on Monday." in answer.get_body(("plain",)).get_content()
    assert answer["Return-Path"] == "<>"


@pytest.mark.parametrize(
    ("header", "sender", "reason"),
    [
        ("List-Id: <x.elsewhere.test>\r\n", SAM, "mail of a list"),
        ("Precedence: bulk\r\n", SAM, "bulk mail"),
        ("Auto-Submitted: auto-generated\r\n", SAM, "made by a machine"),
        ("X-Auto-Response-Suppress: OOF\r\n", SAM, "answers are not wanted"),
        ("", "", "null sender"),
        ("", "no-reply@elsewhere.test", "sender is no person"),
        ("", "list-request@elsewhere.test", "sender is no person"),
        ("", ALICE, "from the mailbox itself"),
    ],
)
def test_silent(at: Place, header: str, sender: str, reason: str) -> None:
    away(at)
    log = at.log()
    come(at, sender, header=header)
    assert at.sink.mails == []
    assert len(log.lines(NOT_SENT, reason)) == 1


def test_silent_when_not_addressed(at: Place) -> None:
    away(at)
    log = at.log()
    come(at, to="others@elsewhere.test")
    assert at.sink.mails == []
    assert len(log.lines(NOT_SENT, "not addressed to the mailbox")) == 1
    come(at, to=f"others@elsewhere.test, {ALICE}")
    assert len(at.sink.mails) == 1


def test_an_alias_is_an_address_of_the_mailbox(at: Place) -> None:
    """Written to as such, and also when it came by the main address."""
    at.server.ctl("alias", "add", "office@example.test", ALICE)
    at.server.ctl("reload")
    away(at)
    come(at, to="office@example.test")
    assert len(at.sink.mails) == 1


def test_schedule(at: Place) -> None:
    now = datetime.now(UTC)

    def planned(start: int, end: int) -> None:
        times = [(now + timedelta(hours=hours)).strftime("%Y-%m-%d %H:%M") for hours in (start, end)]
        away(at, "--start", times[0], "--end", times[1], state="scheduled")

    planned(1, 2)
    come(at)
    assert at.sink.mails == []
    planned(-2, -1)
    come(at)
    assert at.sink.mails == []
    planned(-1, 1)
    come(at)
    assert len(at.sink.mails) == 1
    shown = {row["setting"]: row["value"] for row in json.loads(at.server.ctl("oof", "show", ALICE, "--json"))}
    assert (shown["state"], shown["audience"], shown["text"]) == ("scheduled", "everybody", "Back on Monday.")
    away(at, state="off")
    come(at, "other@elsewhere.test")
    assert len(at.sink.mails) == 1


def test_audience(at: Place) -> None:
    away(at, "--audience", "nobody")
    come(at)
    assert at.sink.mails == []
    come(at, BOB, subject="inside")
    assert [m["Subject"] for m in contents(at.server, BOB)].count("Automatic reply: inside") == 1
    away(at, "--audience", "known")
    log = at.log()
    come(at)
    assert at.sink.mails == []
    assert len(log.lines(NOT_SENT, "sender is no contact")) == 1
    known(at.alice, SAM)
    come(at)
    assert [recipients for _, recipients, _ in at.sink.mails] == [[SAM]]


def known(box: Mailbox, address: str) -> None:
    """Make a contact."""
    from gromoxd.exmdb import objects as o
    from gromoxd.mapi import proptags as p
    from gromoxd.mapi.named_tags import PidLidEmail1EmailAddress

    bag = {p.PidTagMessageClass: "IPM.Contact", PidLidEmail1EmailAddress: address, p.PidTagSubject: "Sam"}
    box.call(o.SaveMessage(0x13, 0, 0, o.Changes(bag), b"a contact"))
