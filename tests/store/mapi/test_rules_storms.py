"""Mailboxes that answer each other and pass mail on in circles: it ends soon, and the log says why.

All that the mailboxes send is delivered to those whose it is, until nothing is left. What is for somebody else is gone.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gromoxd.convert.digest import digest_message
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.oofcalls import OofSettings, SetOof
from gromoxd.exmdb.rulecalls import ModifyRules, RuleChange
from gromoxd.mapi import proptags as p
from gromoxd.mapi.restrictions import Exist
from gromoxd.mapi.rules import ActionBlock, ActionType, Bounce, Defer, ForwardFlavor, Reply, ReplyFlavor
from store.mailbox import Mailbox, Write
from store.settings import StoreSettings
from tests.store.conftest import ALIVE, INBOX, Harness
from tests.store.mapi.rulebox import (
    DELETE,
    EVERYTHING,
    MARK_READ,
    SENDER,
    add,
    containing,
    copying,
    deliver,
    folder,
    forwarding,
    mail,
    moving,
    sent,
    standard,
)

REDIRECT, ATTACH = ForwardFlavor.PR | ForwardFlavor.NC, ForwardFlavor.AT
BOUND = 200
REPORT = (
    b"From: postmaster@example.org\r\nTo: %s\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: text/plain\r\n\r\nNobody is there.\r\n"
)


class Box(Harness):
    """A mailbox of somebody."""

    def __init__(self, folder: Path, owner: str) -> None:
        self.owner = owner
        super().__init__(folder, StoreSettings())

    def open(self) -> None:
        self.box = Mailbox(
            str(self.folder), owner=self.owner, node="node1", settings=self.settings, arena=None,
            notify=self.told.append, is_alive=lambda instance: instance == ALIVE, now=lambda: self.clock,
        )  # fmt: skip

    def rules(self, *rules: RuleChange) -> None:
        self.call(ModifyRules(INBOX, list(rules), self.request_id()), actor=self.owner)

    def away(self) -> None:
        settings = OofSettings(1, text="Away.", external_text="Away.", audience=2)
        self.call(SetOof(settings), actor=self.owner)


class World:
    """Mailboxes, and lists: address -> members, who may be lists."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.boxes: dict[str, Box] = {}
        self.lists: dict[str, list[str]] = {}
        self.waiting: deque[tuple[str, str, bytes]] = deque()
        self.delivered = 0
        self.outside: list[tuple[str, bytes]] = []

    def person(self, name: str) -> Box:
        address = f"{name}@example.test"
        self.boxes[address] = Box(self.root / name, address)
        return self.boxes[address]

    def post(self, sender: str, recipients: list[str], raw: bytes) -> None:
        """As the relay does: lists are expanded once each, a mailbox gets one copy."""
        pending, seen = deque(recipients), set()
        while pending:
            address = pending.popleft()
            if address in seen:
                continue
            seen.add(address)
            if address in self.lists:
                pending += self.lists[address]
            else:
                self.waiting.append((sender, address, raw))

    def run(self) -> None:
        """Deliver until nothing is left."""
        while self.waiting:
            sender, address, raw = self.waiting.popleft()
            box = self.boxes.get(address)
            if box is None:
                self.outside.append((address, raw))
                if address.startswith("dead@") and sender:
                    self.waiting.append(("", sender, REPORT % sender.encode()))
                continue
            self.delivered += 1
            assert self.delivered < BOUND, "a storm"
            head = f"Return-Path: <{sender}>\r\nDelivered-To: {address}\r\nReceived: from x by y; now\r\n".encode()
            message = c.NewMessage(digest_message(head + raw, received=1), head + raw, 1)
            call = c.Deliver(message, sender, box.request_id(), b"", address)
            [result] = box.box.publish(box.box.run_batch([Write(call, SYSTEM, ALIVE)]))
            assert isinstance(result, c.Stored), result
            for mailed in sent(box):
                self.post(mailed.sender, mailed.recipients, mailed.raw)
            box.db.execute("DELETE FROM outgoing")

    def inboxes(self) -> dict[str, int]:
        return {address.partition("@")[0]: len(box.contents()) for address, box in self.boxes.items()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for box in made.boxes.values():
        box.close()


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.__dict__["reason"] for r in caplog.records if "reason" in r.__dict__]


def test_two_who_redirect_to_each_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    alice.rules(standard(EVERYTHING, forwarding(bob.owner, flavor=REDIRECT)))
    bob.rules(standard(EVERYTHING, forwarding(alice.owner, flavor=REDIRECT)))
    world.post(SENDER, [alice.owner], mail(to=alice.owner))
    world.run()
    assert world.inboxes() == {"alice": 2, "bob": 1}
    assert reasons(caplog) == ["has been here before"]


@pytest.mark.parametrize("flavor", [0, ATTACH, REDIRECT])
def test_two_away_who_pass_mail_on_to_each_other(world: World, flavor: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    alice, bob = world.person("alice"), world.person("bob")
    for one, other in ((alice, bob), (bob, alice)):
        one.rules(standard(EVERYTHING, forwarding(other.owner, flavor=flavor)))
        one.away()
    world.post(alice.owner, [bob.owner], mail(to=bob.owner))
    world.post(SENDER, [alice.owner, bob.owner], mail(to=alice.owner))
    world.run()
    assert world.delivered <= 16
    assert "has been here before" in reasons(caplog)
    assert {address for address, _ in world.outside} == {SENDER}
    assert len(world.outside) <= 2


@pytest.mark.parametrize("flavor", [0, ATTACH, REDIRECT])
def test_a_rule_that_forwards_to_nobody(world: World, flavor: int) -> None:
    """It forwards the reports of its failures, too: for those there are none."""
    alice = world.person("alice")
    alice.rules(standard(EVERYTHING, forwarding("dead@example.org", flavor=flavor)))
    alice.away()
    world.post("bob@example.test", [alice.owner], mail(to=alice.owner))
    world.run()
    assert world.delivered <= 2
    assert len(world.outside) <= 4


def test_three_in_a_circle(world: World, caplog: pytest.LogCaptureFixture) -> None:
    people = [world.person(name) for name in ("alice", "bob", "carol")]
    for one, following in zip(people, [*people[1:], people[0]], strict=True):
        one.rules(standard(EVERYTHING, forwarding(following.owner, flavor=REDIRECT), DELETE))
    world.post(SENDER, [people[0].owner], mail())
    world.run()
    assert world.delivered == 4
    assert reasons(caplog) == ["has been here before"]
    assert people[0].sql("SELECT count(*) FROM unlisted") == [(2,)]


def test_a_rule_that_forwards_to_its_own_mailbox(world: World, caplog: pytest.LogCaptureFixture) -> None:
    alice = world.person("alice")
    world.lists["all@example.test"] = [alice.owner]
    alice.rules(standard(EVERYTHING, forwarding(alice.owner)), standard(EVERYTHING, forwarding("all@example.test")))
    world.post(SENDER, [alice.owner], mail(to=alice.owner))
    world.run()
    assert world.inboxes() == {"alice": 2}
    assert reasons(caplog) == [
        "goes to the mailbox itself or back to its sender", "has been here before", "has been here before",
    ]  # fmt: skip


def test_lists_that_contain_each_other(world: World, caplog: pytest.LogCaptureFixture) -> None:
    people = [world.person(name) for name in ("alice", "bob", "carol")]
    world.lists = {"one@example.test": ["two@example.test", people[0].owner, people[1].owner],
                   "two@example.test": ["one@example.test", people[2].owner]}  # fmt: skip
    for one in people:
        one.rules(standard(EVERYTHING, forwarding("one@example.test", flavor=REDIRECT)))
        one.away()
    world.post(SENDER, ["two@example.test"], mail(to="two@example.test"))
    world.run()
    # each way through the three mailboxes ends where it has been: 3 + 3*3 + 3*2*3 + 3*2*1*3
    assert world.delivered == 48
    assert set(reasons(caplog)) == {"has been here before"}
    assert world.outside == []


def test_answers_are_not_answered(world: World) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    answer = ActionBlock(ActionType.OP_REPLY, Reply(bytes(16)), ReplyFlavor.ST)
    for one in (alice, bob):
        one.rules(standard(EVERYTHING, answer))
        one.away()
    world.post(alice.owner, [bob.owner], mail(to=bob.owner))
    world.run()
    assert world.inboxes() == {"alice": 2, "bob": 1}


def test_refusals_are_not_refused(world: World) -> None:
    alice, bob = world.person("alice"), world.person("bob")
    for one in (alice, bob):
        one.rules(standard(EVERYTHING, ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26))))
    world.post(alice.owner, [bob.owner], mail(to=bob.owner))
    world.run()
    assert world.inboxes() == {"alice": 1, "bob": 0}


def test_a_forwarder_elsewhere_that_strips_our_trace(box: Harness) -> None:
    """Its own Received fields grow: that ends it."""
    add(box, standard(EVERYTHING, forwarding("ext@example.org", flavor=REDIRECT)))
    raw, rounds = mail(), 0
    while rounds < 100:
        deliver(box, raw)
        found = sent(box)
        box.db.execute("DELETE FROM outgoing")
        if not found:
            break
        rounds += 1
        stripped = b"\r\n".join(line for line in found[0].raw.split(b"\r\n") if not line.startswith(b"X-Gromoxd-Loop"))
        raw = b"Received: from us by them\r\nReceived: from them by us\r\n" + stripped
    assert 10 < rounds < 20


def test_a_machine_elsewhere_that_answers_everything_in_new_mails(
    make: Callable[..., Harness], caplog: pytest.LogCaptureFixture
) -> None:
    """Its mails say nothing of where they come from: only their number does."""
    box = make(rule_replies_max=3, rule_forwards_max=5)
    answer = ActionBlock(ActionType.OP_REPLY, Reply(bytes(16)), ReplyFlavor.ST)
    add(
        box,
        standard(EVERYTHING, answer, name="answer"),
        standard(EVERYTHING, forwarding(SENDER, flavor=REDIRECT), name="back"),
        standard(EVERYTHING, forwarding("tickets@example.org", flavor=REDIRECT), name="on"),
    )
    for number in range(20):
        deliver(box, mail(f"ticket {number}"))
    found = [one.recipients for one in sent(box)]
    assert (found.count([SENDER]), found.count(["tickets@example.org"]), len(found)) == (3, 5, 8)
    assert reasons(caplog).count("too many answers within an hour") == 17
    assert reasons(caplog).count("goes to the mailbox itself or back to its sender") == 20
    assert reasons(caplog).count("too many from this sender within an hour") == 15
    box.clock += 3600
    deliver(box, mail("an hour later"))
    assert len(sent(box)) == 10


# ---------------------------------------------------------------------------------------------- no mail is lost

CONDITIONS = st.sampled_from(
    [EVERYTHING, containing("a"), containing("b"), containing("text", p.PidTagBody), Exist(p.PidTagInReplyToId)]
)
ACTIONS: st.SearchStrategy[Callable[[list[int]], ActionBlock]] = st.one_of(
    st.integers(0, 4).map(lambda n: lambda fids: moving(fids[n])),
    st.integers(0, 4).map(lambda n: lambda fids: copying(fids[n])),
    st.sampled_from([0, ATTACH, REDIRECT]).map(lambda flavor: lambda _: forwarding("x@example.org", flavor=flavor)),
    st.just(lambda _: forwarding("no address")),
    st.just(lambda _: DELETE),
    st.just(lambda _: MARK_READ),
    st.just(lambda _: ActionBlock(ActionType.OP_BOUNCE, Bounce(0x26))),
    st.just(lambda _: ActionBlock(ActionType.OP_DEFER_ACTION, Defer(b"x"))),
    st.just(lambda _: ActionBlock(ActionType.OP_REPLY, Reply(b"gone" * 4, 1, 2))),
    st.just(lambda _: ActionBlock(77, Defer(b"unknown"))),
)
RULES = st.lists(
    st.tuples(CONDITIONS, st.lists(ACTIONS, min_size=1, max_size=3), st.sampled_from([1, 0x11, 5, 0x15, 4])), max_size=5
)


@pytest.mark.slow
@given(rules=RULES, subject=st.sampled_from(["a", "b", "ab"]), sender=st.sampled_from([SENDER, ""]), away=st.booleans())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_rules_lose_mail(
    make: Callable[..., Harness], rules: list[tuple[Exist, list[Callable[[list[int]], ActionBlock]], int]],
    subject: str, sender: str, away: bool,
) -> None:  # fmt: skip
    box = make()
    fids = [folder(box, "One"), folder(box, "Two"), 0x7777, INBOX, 0x0B]
    if away:
        box.call(SetOof(OofSettings(1, text="t", external_text="t", audience=2)))
    for number, (condition, actions, state) in enumerate(rules):
        blocks = [action(fids) for action in actions]
        add(box, standard(condition, *blocks, name=f"r{number}", sequence=number, state=state))
    raw = mail(subject)
    for _ in range(2):
        deliver(box, raw, sender)
    kept = len(box.sql("SELECT 1 FROM messages WHERE fid <> 2 UNION ALL SELECT 1 FROM unlisted"))
    bounced = sum(b"multipart/report" in one.raw for one in sent(box))
    assert kept + bounced >= 2
    for one in sent(box):
        assert one.raw and one.recipients
    box.db.execute("DELETE FROM outgoing")
    box.close()
    box.open()
