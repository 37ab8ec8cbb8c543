"""Rules of mailboxes on a running server: seen by mail clients and by the administrator."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb.rulecalls import GetRules
from gromoxd.mapi import proptags as p
from gromoxd.mapi.rules import ActionBlock, ActionType, Bounce, ForwardFlavor, Reply, ReplyFlavor, RuleState
from tests.process.sites import Place, place
from tests.store.mapi.rulebox import (
    DELETE,
    MARK_READ,
    containing,
    copying,
    forwarding,
    moving,
    standard,
)
from tests.support.sending import ALICE, BOB, INBOX, contents, flags, parsed, subjects

pytestmark = pytest.mark.slow
REDIRECT = ForwardFlavor.PR | ForwardFlavor.NC
SAM = "sam@elsewhere.test"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("rules")) as made:
        yield made


@pytest.fixture(autouse=True)
def _nothing_sent(at: Place) -> None:
    at.sink.mails.clear()


def mail(subject: str, header: str = "") -> bytes:
    name = subject.replace(" ", ".")
    return (
        f"From: Sam <{SAM}>\r\nTo: {ALICE}\r\nSubject: {subject}\r\nMessage-ID: <{name}@elsewhere.test>\r\n{header}"
        f"Date: Mon, 01 Jun 2026 09:00:00 +0000\r\n\r\nThe text.\r\n"
    ).encode()


def folder(at: Place, name: str) -> int:
    made: c.Folder = at.alice.call(c.CreateFolder(name, request_id=name.encode()))
    return made.fid


def come(at: Place, subject: str) -> None:
    """A mail for alice comes, and what it causes happens."""
    at.server.deliver(mail(subject), ALICE, sender=SAM)
    at.rest()


def test_move_copy_and_mark_read(at: Place) -> None:
    moved, copied = folder(at, "Moved"), folder(at, "Copied")
    at.alice.rules(
        standard(containing("goes away"), moving(moved), MARK_READ), standard(containing("is kept"), copying(copied))
    )
    come(at, "goes away")
    come(at, "is kept")
    assert (subjects(at.server, ALICE), subjects(at.server, ALICE, "Moved")) == (["is kept"], ["goes away"])
    assert subjects(at.server, ALICE, "Copied") == ["is kept"]
    [one], [other] = flags(at.server, ALICE, "Moved"), flags(at.server, ALICE, "Copied")
    assert (b"\\Seen" in one, b"\\Seen" in other) == (True, False)
    [kept], [copy] = (
        [m for m in contents(at.server, ALICE, name) if m["Subject"] == "is kept"] for name in ("INBOX", "Copied")
    )
    assert kept.as_bytes() == copy.as_bytes()


def test_delete(at: Place) -> None:
    at.alice.rules(standard(containing("unwanted"), DELETE))
    come(at, "unwanted")
    with at.server.imap(ALICE) as client:
        listed = [name.decode().rpartition('"/" ')[2].strip('"') for name in client.list()[1]]
    assert "Deleted Items" in listed
    for name in listed:
        assert "unwanted" not in subjects(at.server, ALICE, name)


def test_forward_redirect_and_reply(at: Place) -> None:
    at.alice.rules(
        standard(containing("to friends"), forwarding("friend@elsewhere.test"), name="friends"),
        standard(containing("to bob"), forwarding(BOB, flavor=REDIRECT), name="bob"),
        standard(containing("attached"), forwarding(BOB, flavor=ForwardFlavor.AT), name="attach"),
        standard(containing("please answer"), ActionBlock(ActionType.OP_REPLY, Reply(bytes(16)), ReplyFlavor.ST)),
    )
    come(at, "to friends")
    [(sender, recipients, octets)] = at.sink.mails
    forwarded = parsed(octets)
    assert (sender, recipients) == (ALICE, ["friend@elsewhere.test"])
    assert forwarded["Subject"] == "FW: to friends" and "The text." in forwarded.get_body(("plain",)).get_content()
    at.sink.mails.clear()
    come(at, "to bob")
    [redirected] = contents(at.server, BOB)
    assert redirected["From"] == f"Sam <{SAM}>" and redirected["Return-Path"] == f"<{SAM}>"
    assert redirected["Resent-From"] and ALICE in redirected["Resent-From"]
    assert redirected["Message-ID"] == "<to.bob@elsewhere.test>"
    assert redirected.get_content() == "The text.\r\n"
    come(at, "attached")
    [inner] = [part for part in contents(at.server, BOB)[1].walk() if part.get_content_type() == "message/rfc822"]
    assert inner.get_content()["Subject"] == "attached"
    assert at.sink.mails == []
    come(at, "please answer")
    [(sender, recipients, octets)] = at.sink.mails
    answer = parsed(octets)
    assert (sender, recipients, answer["Auto-Submitted"]) == ("", [SAM], "auto-replied")
    assert answer["In-Reply-To"] == "<please.answer@elsewhere.test>"
    at.sink.mails.clear()


def test_bounce(at: Place) -> None:
    at.alice.rules(standard(containing("too much"), ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26))))
    come(at, "too much")
    assert "too much" not in subjects(at.server, ALICE)
    [(sender, recipients, octets)] = at.sink.mails
    report = parsed(octets)
    assert (sender, recipients, report.get_content_type()) == ("", [SAM], "multipart/report")
    [status] = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    assert "Status: 5.7.1" in status.as_string() and ALICE in status.as_string()
    at.sink.mails.clear()


def test_the_administrator_sees_and_stops_rules(at: Place) -> None:
    at.alice.rules(standard(containing("weather"), MARK_READ, name="weather"))
    listed = {row["name"]: row for row in json.loads(at.server.ctl("rule", "list", ALICE, "--json"))}
    assert listed["weather"]["state"] == "enabled"
    assert {"friends", "bob", "attach"} <= set(listed)
    shown = at.server.ctl("rule", "show", ALICE, "friends")
    assert "friend@elsewhere.test" in shown and "to friends" in shown
    at.server.ctl("rule", "disable", ALICE, "weather")
    at.server.ctl("rule", "disable", ALICE, "friends")
    come(at, "weather to friends")
    assert at.sink.mails == []
    with at.server.imap(ALICE) as client:
        client.select("INBOX", readonly=True)
        assert len(client.search(None, "SUBJECT", '"weather"', "UNSEEN")[1][0].split()) == 1
    at.server.ctl("rule", "enable", ALICE, "weather")
    come(at, "weather again")
    with at.server.imap(ALICE) as client:
        client.select("INBOX", readonly=True)
        assert len(client.search(None, "SUBJECT", '"weather again"', "SEEN")[1][0].split()) == 1
    at.server.ctl("rule", "delete", ALICE, "weather")
    assert "weather" not in at.server.ctl("rule", "list", ALICE)


def test_a_broken_rule_is_disabled_and_told(at: Place) -> None:
    at.alice.rules(standard(containing("broken"), moving(0x77777), name="nowhere"))
    log = at.log()
    come(at, "broken")
    assert "broken" in subjects(at.server, ALICE)
    assert len(log.lines("rule failed", "nowhere", "there is no folder 0x77777")) == 1
    state = {bag[p.PidTagRuleName]: bag[p.PidTagRuleState] for bag in at.alice.call(GetRules(INBOX))}["nowhere"]
    assert state & RuleState.ST_ERROR
    assert "enabled, failed" in at.server.ctl("rule", "show", ALICE, "nowhere")
    come(at, "broken twice")
    assert len(log.lines("rule failed")) == 1
