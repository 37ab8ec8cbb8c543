"""The relay of a real server: submissions and lists go out, the queue is administrated, and killing loses nothing."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gromoxd.errors import MapiError
from gromoxd.exmdb import access as x
from tests.support.sending import ALICE, BOB, Mailbox, Sink, sinking, subjects
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow


@pytest.fixture
def sink() -> Iterator[Sink]:
    with sinking() as made:
        yield made


@pytest.fixture
def server(tmp_path: Path, sink: Any) -> Iterator[Server]:
    options = {"outgoing_smtp_url": sink.url, "relay_retry_min": "200ms", "relay_retry_max": "1s"}
    with running(tmp_path / "site", options=options) as made:
        yield made


def test_from_outbox_to_sent_items(server: Server, sink: Sink) -> None:
    alice = Mailbox(server, ALICE)
    alice.submit("to elsewhere", "x@elsewhere.test")
    alice.submit("to bob", BOB)
    until(lambda: sink.mails, describe="the sink gets it")
    until(lambda: subjects(server, BOB) == ["to bob"], describe="bob gets it")
    until(lambda: sorted(subjects(server, ALICE, "Sent Items")) ==
          ["to bob", "to elsewhere"], describe="Sent Items")  # fmt: skip
    assert sink.subjects() == ["to elsewhere"]
    assert json.loads(server.ctl("queue", "list", "--json")) == []


def test_in_the_name_of_somebody_else(server: Server, sink: Sink) -> None:
    alice, bob = Mailbox(server, ALICE), Mailbox(server, BOB)
    author = {"SentRepresentingAddressType": "SMTP", "SentRepresentingEmailAddress": BOB}
    alice.submit("forged", "x@elsewhere.test", **author)
    until(lambda: "Undelivered mail returned to sender" in subjects(server, ALICE), describe="alice is told")
    bob.call(x.SetDelegates(x.DELEGATES, [ALICE]))
    alice.submit("on behalf", "x@elsewhere.test", **author)
    until(lambda: sink.subjects() == ["on behalf"], describe="the sink gets it")
    assert b"From: bob@example.test" in sink.mails[0][2]
    assert b"Sender: alice@example.test" in sink.mails[0][2]
    until(lambda: subjects(server, BOB, "Sent Items") == ["on behalf"], describe="bob's Sent Items")


def test_deferred_sends_wait(server: Server, sink: Sink) -> None:
    alice = Mailbox(server, ALICE)
    due = time.time() + 2
    alice.submit("later", "x@elsewhere.test", DeferredSendTime=int(due * 10_000_000) + 116444736000000000)
    alice.submit("now", "x@elsewhere.test")
    until(lambda: sink.subjects() == ["now", "later"], describe="both come")
    assert time.time() >= int(due)


def test_list_members_elsewhere(server: Server, sink: Sink) -> None:
    server.ctl("list", "add", "team@example.test")
    server.ctl("list", "member", "add", "team@example.test", ALICE, "x@elsewhere.test")
    server.ctl("reload")
    server.deliver(b"From: a@example.net\r\nSubject: to all\r\n\r\ntext\r\n", "team@example.test")
    until(lambda: sink.subjects() == ["to all"], describe="the member elsewhere")
    assert sink.mails[0][:2] == ("", ["x@elsewhere.test"]), "whoever it says wrote it may never have done so"
    assert subjects(server, ALICE) == ["to all"]


def test_the_queue_is_administrated(server: Server, sink: Sink) -> None:
    sink.refuse = "451 4.3.0 not now"
    Mailbox(server, ALICE).submit("waiting", "x@elsewhere.test")
    [row] = until(
        lambda: [one for one in json.loads(server.ctl("queue", "list", "--json")) if one["tries"]], describe="tried"
    )
    id_ = str(row["id"])
    assert "451 4.3.0 not now" in server.ctl("queue", "list")
    server.ctl("queue", "hold", id_)
    assert json.loads(server.ctl("queue", "show", id_, "--json"))["recipients"][0]["state"] == "held"
    sink.refuse = ""
    shown = server.ctl("queue", "show", id_)
    assert "Subject: waiting" in shown
    assert "recipient: x@elsewhere.test held" in shown
    server.ctl("queue", "release", "--all")
    until(lambda: sink.subjects() == ["waiting"], describe="it went")
    sink.refuse = "451 4.3.0 not now"
    Mailbox(server, ALICE).submit("unwanted", "x@elsewhere.test")
    until(lambda: json.loads(server.ctl("queue", "list", "--json")), describe="it waits")
    server.stop()
    assert "unwanted" not in server.ctl("queue", "list")
    assert len(json.loads(server.ctl("queue", "list", "--json"))) == 1
    server.start()
    server.ctl("queue", "drop", "--all")
    assert json.loads(server.ctl("queue", "list", "--json")) == []


def test_killing_loses_nothing(server: Server, sink: Sink, capsys: pytest.CaptureFixture[str]) -> None:
    """Relay and stores are killed while two users submit: every acknowledged mail comes, nearly always once."""
    acknowledged: list[str] = []
    boxes = [Mailbox(server, ALICE), Mailbox(server, BOB)]
    stop = threading.Event()

    def submit(number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            subject = f"mail {number} {count:05}"
            to = "x@elsewhere.test" if count % 2 else "carol@example.test"
            while not stop.is_set():
                try:
                    boxes[number].submit(subject, to)
                except (MapiError, OSError):
                    time.sleep(0.02)
                else:
                    acknowledged.append(subject)
                    break

    server.add_user("carol@example.test")
    threads = [threading.Thread(target=submit, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    try:
        for number in range(8):
            time.sleep(0.7)
            protocol = ("relay", "store")[number % 2]
            children = until(lambda: server.children(protocol), describe=protocol)  # noqa: B023
            server.kill(children[number // 2 % len(children)].pid)
    finally:
        time.sleep(0.5)
        stop.set()
        for thread in threads:
            thread.join()
    wanted = set(acknowledged)

    def came() -> Counter[str]:
        return Counter([*sink.subjects(), *subjects(server, "carol@example.test")])

    until(lambda: wanted <= set(came()), seconds=60, describe=f"{len(wanted - set(came()))} of {len(wanted)} missing")
    found = came()
    twice = {subject for subject, times in found.items() if times > 1}
    here = Counter(subjects(server, "carol@example.test"))
    with capsys.disabled():
        print(f"{len(wanted)} submissions acknowledged, {len(found)} came, {len(twice)} of them twice")
    assert len(wanted) > 50
    assert max(here.values()) == 1
    assert len(twice) <= 8 * 20
