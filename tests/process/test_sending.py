"""Sending by a client of the store, over a running server's relay, to people here and elsewhere."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as x
from gromoxd.exmdb import outgoing as g
from tests.process.sites import Place, place
from tests.support.sending import ALICE, BOB, Mailbox, contents, flags, parsed, sinking, subjects
from tests.support.server import own_host, running, until

pytestmark = pytest.mark.slow
SAM, EVE = "sam@elsewhere.test", "eve@elsewhere.test"
SENT = 0x0A
RETURNED = "Undelivered mail returned to sender"


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(tmp_path_factory.mktemp("sending"), submit_size_max="200K", submit_recipients_max="5") as made:
        yield made


@pytest.fixture(autouse=True)
def _fresh(request: pytest.FixtureRequest) -> None:
    if "at" in request.fixturenames:
        sink = request.getfixturevalue("at").sink
        sink.mails.clear()
        sink.refuse, sink.tries = "", 0
        sink.refuses.clear()


def named(at: Place, user: str, subject: str, folder: str = "INBOX") -> list[EmailMessage]:
    return [message for message in contents(at.server, user, folder) if message["Subject"] == subject]


def report(at: Place, user: str, recipient: str) -> Any:
    """The part of the only report that tells of this recipient."""
    found = [
        part for message in named(at, user, RETURNED) for part in message.walk()
        if part.get_content_type() == "message/delivery-status" and recipient in part.as_string()
    ]  # fmt: skip
    assert len(found) == 1
    return found[0].get_payload(1)


def test_to_here_and_elsewhere_with_bcc(at: Place) -> None:
    carol = Mailbox(at.server, at.server.add_user("carol@example.test"))
    at.alice.submit("to all", BOB, SAM, cc=EVE, bcc="carol@example.test")
    at.rest(carol)
    [here], [secret] = named(at, BOB, "to all"), named(at, "carol@example.test", "to all")
    [(sender, recipients, octets)] = at.sink.mails
    outside = parsed(octets)
    assert (sender, sorted(recipients)) == (ALICE, [EVE, SAM])
    for message in (here, secret, outside):
        assert message["Bcc"] is None and "carol" not in str(message["To"]) + str(message["Cc"])
        assert str(message["From"]) == ALICE and EVE in str(message["Cc"]) and SAM in str(message["To"])
        assert message.get_content().strip() == "text"
    assert len({m["Message-ID"] for m in (here, secret, outside)}) == 1
    [copy] = named(at, ALICE, "to all", "Sent Items")
    assert "carol@example.test" in str(copy["Bcc"])
    assert subjects(at.server, ALICE, "Outbox") == []
    assert b"\\Seen" in flags(at.server, ALICE, "Sent Items")[-1]
    carol.close()


def test_a_mail_as_octets(at: Place) -> None:
    raw = (
        f"From: <{ALICE}>\r\nTo: <{BOB}>, <{SAM}>\r\nBcc: <{EVE}>\r\nSubject: octets\r\n"
        "Message-ID: <octets@example.test>\r\n\r\nAs it is.\r\n"
    ).encode()
    request = os.urandom(16)
    call = g.SubmitMime(raw, [BOB, SAM, EVE], ALICE, request, save_fid=SENT)
    assert at.alice.call(call) == at.alice.call(call), "the same once more is the same"
    at.rest()
    [here], [(sender, recipients, octets)] = named(at, BOB, "octets"), at.sink.mails
    assert (sender, sorted(recipients)) == (ALICE, [EVE, SAM])
    assert b"Bcc" not in octets and octets.endswith(b"\r\n\r\nAs it is.\r\n") and here["Bcc"] is None
    [copy] = named(at, ALICE, "octets", "Sent Items")
    assert EVE in str(copy["Bcc"])
    with pytest.raises(MapiError) as refused:
        at.alice.call(g.SubmitMime(raw, [BOB], BOB, os.urandom(16)))
    assert refused.value.code is Ec.ecAccessDenied


def test_send_as_and_on_behalf(at: Place) -> None:
    author = {"SentRepresentingAddressType": "SMTP", "SentRepresentingEmailAddress": BOB}
    at.alice.submit("forged", SAM, **author)
    at.rest()
    assert at.sink.mails == []
    assert "5.7.60" in report(at, ALICE, SAM)["Status"]
    assert named(at, ALICE, "forged", "Sent Items") == []
    at.bob.call(x.SetDelegates(x.DELEGATES, [ALICE]))
    at.alice.submit("on behalf", SAM, **author)
    at.rest()
    [(sender, _, octets)] = at.sink.mails
    message = parsed(octets)
    assert (sender, str(message["From"]), str(message["Sender"])) == (ALICE, BOB, ALICE)
    at.bob.call(x.SetDelegates(x.DELEGATES, []))
    at.bob.call(x.SetDelegates(x.SENDERS, [ALICE]))
    mid = at.alice.draft("as bob", SAM, **author)
    at.alice.call(g.SubmitMessage(mid, os.urandom(16), send_as=True))
    at.rest()
    message = parsed(at.sink.mails[1][2])
    assert (str(message["From"]), message["Sender"]) == (BOB, None)
    for subject in ("on behalf", "as bob"):
        assert len(named(at, BOB, subject, "Sent Items")) == len(named(at, ALICE, subject, "Sent Items")) == 1
    at.bob.call(x.SetDelegates(x.SENDERS, []))
    mid = at.alice.draft("as bob again", SAM, **author)
    at.alice.call(g.SubmitMessage(mid, os.urandom(16), send_as=True))
    at.rest()
    assert len(at.sink.mails) == 2


def test_from_the_mailbox_of_somebody_else(at: Place) -> None:
    """A delegate works in bob's Outbox: sent as his delegate, kept in bob's Sent Items."""
    at.server.ctl("permission", "set", BOB, "Outbox", ALICE, "Editor")
    with pytest.raises(MapiError) as refused:
        at.bob.submit("not yet", SAM, actor=ALICE)
    assert refused.value.code is Ec.ecAccessDenied
    at.bob.call(x.SetDelegates(x.DELEGATES, [ALICE]))
    at.bob.submit("for bob", SAM, actor=ALICE)
    at.rest()
    [(_, _, octets)] = at.sink.mails
    message = parsed(octets)
    assert (str(message["From"]), str(message["Sender"])) == (BOB, ALICE)
    assert len(named(at, BOB, "for bob", "Sent Items")) == 1
    at.bob.call(x.SetDelegates(x.DELEGATES, []))


def test_deferred_and_called_back(at: Place) -> None:
    def later(seconds: float) -> int:
        return int((time.time() + seconds) * 10_000_000) + 116444736000000000

    mid = at.alice.submit("regretted", SAM, DeferredSendTime=later(3600))
    soon = at.alice.submit("soon", SAM, DeferredSendTime=later(1.5))
    assert at.sink.mails == []
    at.alice.call(g.AbortSubmit(mid))
    until(lambda: at.sink.subjects() == ["soon"], describe="the other one")
    at.rest()
    with pytest.raises(MapiError) as refused:
        at.alice.call(g.AbortSubmit(soon))
    assert refused.value.code in (Ec.ecNotInQueue, Ec.ecUnableToAbort)
    assert len(named(at, ALICE, "regretted", "Outbox")) == 1
    at.alice.call(g.SubmitMessage(mid, os.urandom(16)))  # still not before its time
    at.rest()
    assert at.sink.subjects() == ["soon"]
    at.alice.call(g.AbortSubmit(mid))


def test_refused_for_good_and_for_now(at: Place) -> None:
    at.sink.refuses[EVE] = "550 5.1.1 Eve left"
    at.alice.submit("to both", SAM, EVE)
    at.rest()
    assert [recipients for _, recipients, _ in at.sink.mails] == [[SAM]]
    told = report(at, ALICE, EVE)
    assert (told["Action"], told["Status"]) == ("failed", "5.1.1")
    assert told["Diagnostic-Code"] == "smtp; 550 5.1.1 Eve left"
    at.sink.mails.clear()
    log = at.log()
    at.sink.refuse = "451 4.3.0 not now"
    at.alice.submit("patience", SAM)
    until(lambda: at.sink.tries >= 3, describe="tried again")
    assert json.loads(at.server.ctl("queue", "list", "--json"))[0]["text"].startswith("451 4.3.0 not now")
    at.sink.refuse = ""
    at.rest()
    assert at.sink.subjects() == ["patience"]
    assert len(log.lines("outgoing mail deferred", SAM)) >= 2 and len(log.lines("outgoing mail sent", SAM)) == 1


def test_limits(at: Place) -> None:
    for more, code in (
        ({"to": [f"{n}@elsewhere.test" for n in range(6)]}, Ec.ecMaxSubmissionExceeded),
        ({"to": [SAM], "Body": "x" * 70 * 4000}, Ec.ecTooBig),
        ({"to": []}, Ec.ecInvalidParam),
    ):  # fmt: skip
        to = more.pop("to")
        mid = at.alice.draft(f"over {code.name}", *to, **more)
        with pytest.raises(MapiError) as refused:
            at.alice.call(g.SubmitMessage(mid, os.urandom(16)))
        assert refused.value.code is code
    at.rest()
    assert at.sink.mails == []
    assert sum(subject.startswith("over ec") for subject in subjects(at.server, ALICE, "Outbox")) == 3


def test_the_queue_while_nobody_answers_elsewhere(tmp_path: Path) -> None:
    """The mail server elsewhere is down: mail waits, is held, released, tried, dropped; then it comes."""
    host = own_host()
    options = {"outgoing_smtp_url": f"smtp://{host}:2527", "relay_retry_min": "30s", "relay_retry_max": "60s"}
    with running(tmp_path / "site", options=options) as server:
        alice = Mailbox(server, ALICE)

        def rows() -> dict[str, Any]:
            """The queue by subjects."""
            found = {}
            for one in json.loads(server.ctl("queue", "list", "--json")):
                header = json.loads(server.ctl("queue", "show", str(one["id"]), "--json"))["header"]
                found[str(parsed(header.encode())["Subject"])] = one
            return found

        for subject in ("first", "second", "third"):
            alice.submit(subject, SAM)
        until(lambda: [one["tries"] for one in rows().values()] == [1, 1, 1], describe="each was tried")
        found = rows()
        server.ctl("queue", "hold", str(found["first"]["id"]))
        server.ctl("queue", "drop", str(found["second"]["id"]))
        assert set(rows()) == {"first", "third"} and rows()["first"]["held"] == 1
        shown = server.ctl("queue", "show", str(found["third"]["id"]))
        assert f"recipient: {SAM} queued (1 tries)" in shown and "Subject: third" in shown
        with sinking(host=host) as sink:
            server.ctl("queue", "retry", "--all")
            until(lambda: sink.subjects() == ["third"], describe="what is not held")
            until(lambda: set(rows()) == {"first"}, describe="only what is held")
            server.ctl("queue", "release", str(found["first"]["id"]))
            until(lambda: sink.subjects() == ["third", "first"], describe="what was held")
            until(lambda: not rows(), describe="nothing left")
        spool = server.site / "spool"
        assert [
            path for path in spool.rglob("*") if path.is_file() and not path.name.startswith(("queue.sqlite3", "lock"))
        ] == []
        alice.close()
