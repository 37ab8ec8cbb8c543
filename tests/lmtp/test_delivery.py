"""The delivery service against the memory store: trace headers, answers, retries, large messages."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.calls import Confirm, Deliver, GetContents, GetPieces
from store.memory import MemoryStore
from tests.common.people import People
from tests.common.running import Counters
from workers.common.body import MEMORY_LIMIT, Body
from workers.common.confirm import Confirmer
from workers.lmtp.service import DeliveryService, Outcome, Target
from workers.lmtp.session import Envelope

MAIL = b"From: Sender <s@example.net>\r\nTo: alice@example.test\r\nSubject: hello\r\n\r\nbody\r\n"
INBOX = 13


class Spying(MemoryStore):
    """Remembers deliveries and confirmations; mailboxes in `failing` answer with that error."""

    def __init__(self) -> None:
        super().__init__({f"/m/{name}": f"{name}@example.test" for name in ("alice", "bob", "carol")})
        self.failing: dict[str, Ec] = {}
        self.deliveries: list[tuple[str, Deliver]] = []
        self.confirmed: dict[str, list[bytes]] = {}

    def call(
        self, mailbox: MailboxRef, call: Any, *, actor: str, spool: BinaryIO | None = None, deadline: float = 60.0
    ) -> Any:
        if isinstance(call, Deliver):
            self.deliveries.append((mailbox.maildir, call))
            if mailbox.maildir in self.failing:
                raise MapiError(self.failing[mailbox.maildir])
        if isinstance(call, Confirm):
            self.confirmed.setdefault(mailbox.maildir, []).extend(call.request_ids)
        return super().call(mailbox, call, actor=actor, spool=spool, deadline=deadline)

    def inbox(self, name: str) -> list[bytes]:
        contents = self.call(
            MailboxRef(f"/m/{name}"), GetContents(INBOX, [(1, 2**31)], 1 << 28), actor=f"{name}@example.test"
        )
        return [content.raw for content in contents]


class World:
    """A service with its collaborators, and how a message passes through it."""

    def __init__(self) -> None:
        self.store = Spying()
        self.people = People()
        self.board = Counters()
        self.random = iter(range(10**6))
        self.service = DeliveryService(
            self.people, self.store, self.board, "mx.example.test", clock=lambda: 1_700_000_000.0,
            random=lambda n: next(self.random).to_bytes(n, "big"),
        )  # fmt: skip

    def send(self, *to: str, mail: bytes = MAIL, protocol: str = "LMTP", sender: str = "s@example.net") -> Outcome:
        envelope = Envelope(sender, False, protocol, "client.example")
        for address in to:
            target = self.service.recipient(address, sender)
            assert isinstance(target, Target)
            envelope.recipients.append(address)
            envelope.targets.append(target)
        body = self.service.open_body(envelope, "192.0.2.1")
        for at in range(0, len(mail), 50_000):
            body.write(mail[at : at + 50_000])
        outcome = self.service.deliver(envelope, body)
        body.close()
        return outcome


@pytest.fixture
def world() -> World:
    return World()


def codes(outcome: Outcome) -> list[bytes]:
    return [answer[:9] for answer in outcome.answers]


def test_trace_header_of_one_recipient(world: World) -> None:
    outcome = world.send("alice@example.test")
    assert outcome.answers == [b"250 2.0.0 0000000000000000 delivered\r\n"]
    [raw] = world.store.inbox("alice")
    trace = raw[: -len(MAIL)].decode()
    assert raw.endswith(MAIL)
    date = re.escape("Tue, 14 Nov 2023 ") + r"\d\d:\d\d:\d\d [+-]\d{4}"
    assert re.fullmatch(
        "Return-Path: <s@example.net>\r\n"
        "Delivered-To: alice@example.test\r\n"
        r"Received: from client.example \(\[192\.0\.2\.1\]\)" + "\r\n"
        r"\tby mx.example.test \(gromoxd\) with LMTP id 0000000000000000" + "\r\n"
        f"\tfor <alice@example.test>;\r\n\t{date}\r\n",
        trace,
    )
    assert world.board["deliveries"] == 1


def test_null_sender(world: World) -> None:
    world.send("alice@example.test", sender="")
    assert world.store.inbox("alice")[0].startswith(b"Return-Path: <>\r\n")


def test_several_recipients_get_their_own_copy_with_valid_offsets(world: World) -> None:
    outcome = world.send("alice@example.test", "bob@example.test")
    assert codes(outcome) == [b"250 2.0.0"] * 2
    for name in ("alice", "bob"):
        [raw] = world.store.inbox(name)
        assert f"Delivered-To: {name}@example.test".encode() in raw
        assert b"\tfor <" not in raw
        assert raw.endswith(MAIL)
        [piece] = world.store.call(
            MailboxRef(f"/m/{name}"), GetPieces(INBOX, [(1, 9)], 4), actor=f"{name}@example.test"
        )
        assert piece.header == raw[: -len(b"body\r\n")]


def test_same_mailbox_twice_gets_one_copy_and_two_answers(world: World) -> None:
    assert codes(world.send("alice@example.test", "alice+work@example.test")) == [b"250 2.0.0"] * 2
    assert len(world.store.inbox("alice")) == 1


def test_list_comes_to_its_members(world: World) -> None:
    assert codes(world.send("team@example.test")) == [b"250 2.0.0"]
    assert [len(world.store.inbox(name)) for name in ("alice", "bob", "carol")] == [1, 1, 1]


@pytest.mark.parametrize("size", [MEMORY_LIMIT, MEMORY_LIMIT + 1, 2_000_000])
@pytest.mark.parametrize("to", [("alice@example.test",), ("alice@example.test", "bob@example.test")])
def test_large_messages_arrive_byte_for_byte(world: World, size: int, to: tuple[str, ...]) -> None:
    mail = MAIL + (b"0123456789" * 7 + b"\r\n") * (size // 72 + 1)
    mail = mail[: size - 2] + b"\r\n"
    assert codes(world.send(*to, mail=mail)) == [b"250 2.0.0"] * len(to)
    for address in to:
        [raw] = world.store.inbox(address.partition("@")[0])
        assert raw.endswith(mail)
        assert f"Delivered-To: {address}".encode() in raw[:300]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        (Ec.ecQuotaExceeded, b"552 5.2.2"),
        (Ec.ecNetwork, b"451 4.4.1"),
        (Ec.ecTimeout, b"451 4.4.1"),
        (Ec.ecBusy, b"451 4.3.0"),
        (Ec.ecStorageFull, b"452 4.3.1"),
        (Ec.ecUnknownUser, b"550 5.1.1"),
        (Ec.ecError, b"451 4.3.0"),
    ],
)
def test_failures_have_their_replies(world: World, code: Ec, answer: bytes) -> None:
    world.store.failing["/m/bob"] = code
    outcome = world.send("alice@example.test", "bob@example.test")
    assert codes(outcome) == [b"250 2.0.0", answer]
    assert [mailbox.maildir for mailbox, _ in outcome.delivered] == ["/m/alice"]
    assert (world.board["deliveries"], world.board["delivery_failures"]) == (1, 1)


def test_smtp_says_the_worst_for_all(world: World) -> None:
    world.store.failing = {"/m/bob": Ec.ecQuotaExceeded, "/m/carol": Ec.ecNetwork}
    to = ("alice@example.test", "bob@example.test", "carol@example.test")
    assert codes(world.send(*to, protocol="ESMTP")) == [b"451 4.4.1"]
    assert codes(world.send(*to[:2], protocol="ESMTP")) == [b"552 5.2.2"]
    assert codes(world.send(to[0], protocol="SMTP")) == [b"250 2.0.0"]


def test_full_member_does_not_fail_the_list_but_an_unreachable_one_delays_it(world: World) -> None:
    world.store.failing = {"/m/bob": Ec.ecQuotaExceeded}
    assert codes(world.send("team@example.test")) == [b"250 2.0.0"]
    world.store.failing = {"/m/bob": Ec.ecNetwork}
    assert codes(world.send("team@example.test", mail=MAIL + b"2")) == [b"451 4.4.1"]


@pytest.mark.parametrize("protocol", ["LMTP", "ESMTP"])
def test_retry_after_a_partial_failure_doubles_nothing(world: World, protocol: str) -> None:
    to = ("team@example.test",) if protocol == "LMTP" else ("alice@example.test", "bob@example.test")
    world.store.failing = {"/m/bob": Ec.ecNetwork}
    assert codes(world.send(*to, protocol=protocol)) == [b"451 4.4.1"]
    world.store.failing = {}
    assert codes(world.send(*to, protocol=protocol)) == [b"250 2.0.0"]
    assert [len(world.store.inbox(name)) for name in ("alice", "bob")] == [1, 1]


@pytest.mark.parametrize("protocol", ["LMTP", "ESMTP"])
@pytest.mark.parametrize("to", [("alice@example.test", "bob@example.test"), ("team@example.test",)])
def test_equal_messages_to_several_are_as_many_as_were_acknowledged(
    world: World, protocol: str, to: tuple[str, ...]
) -> None:
    for _ in range(3):
        assert set(codes(world.send(*to, protocol=protocol))) == {b"250 2.0.0"}
    assert [len(world.store.inbox(name)) for name in ("alice", "bob")] == [3, 3]


def test_what_was_not_acknowledged_is_not_confirmed(world: World) -> None:
    world.store.failing = {"/m/bob": Ec.ecNetwork}
    assert world.send("alice@example.test", "bob@example.test", protocol="ESMTP").delivered == []
    world.store.failing = {}
    outcome = world.send("alice@example.test", "bob@example.test", protocol="ESMTP")
    assert {mailbox.maildir for mailbox, _ in outcome.delivered} == {"/m/alice", "/m/bob"}


def test_equal_messages_sent_twice_are_two(world: World) -> None:
    world.send("alice@example.test")
    world.send("alice@example.test")
    assert len(world.store.inbox("alice")) == 2
    first, second = (call for _, call in world.store.deliveries)
    assert first.request_id != second.request_id
    assert first.fingerprint == second.fingerprint


def test_fingerprint_tells_messages_senders_and_mailboxes_apart(world: World) -> None:
    world.send("alice@example.test", "bob@example.test")
    world.send("alice@example.test", mail=MAIL + b"x")
    world.send("alice@example.test", sender="other@example.net")
    assert len({call.fingerprint for _, call in world.store.deliveries}) == 4


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("nobody@example.test", b"550 5.1.1"),
        ("gone@example.test", b"550 5.2.1"),
        ("outside@example.test", b"550 5.7.1"),
    ],
)
def test_refused_recipients(world: World, address: str, answer: bytes) -> None:
    refused = world.service.recipient(address, "")
    assert isinstance(refused, bytes)
    assert refused[:9] == answer


def test_directory_out_of_reach_is_temporary(world: World) -> None:
    world.people.down = True
    refused = world.service.recipient("alice@example.test", "")
    assert isinstance(refused, bytes)
    assert refused[:9] == b"451 4.3.0"


def test_confirmations_go_out_in_batches(world: World) -> None:
    confirmer = Confirmer(world.store)
    for name, number in (("alice", 1), ("alice", 2), ("bob", 3)):
        confirmer.add(MailboxRef(f"/m/{name}"), bytes([number]) * 16)
    assert world.store.confirmed == {}
    confirmer.close()
    assert world.store.confirmed == {"/m/alice": [b"\1" * 16, b"\2" * 16], "/m/bob": [b"\3" * 16]}


def test_lost_confirmation_is_no_error() -> None:
    class Down(Spying):
        def call(self, *args: Any, **more: Any) -> Any:
            raise MapiError(Ec.ecNetwork)

    confirmer = Confirmer(Down())
    confirmer.add(MailboxRef("/m/alice"), bytes(16))
    confirmer.close()


def test_body_moves_to_a_file_and_back_to_nothing() -> None:
    body = Body(b"Trace: 1\r\n", memory_limit=100)
    body.write(b"a" * 60)
    assert body.file is None
    assert body.in_memory() == b"a" * 60
    body.write(b"b" * 60)
    assert body.file is not None
    with body.map() as content:
        assert content[:] == b"Trace: 1\r\n" + b"a" * 60 + b"b" * 60
    body.retrace(b"Trace: 2\r\n")
    with body.map() as content:
        assert content[:12] == b"Trace: 2\r\naa"
    assert body.fingerprint("s", "m") != body.fingerprint("s", "n")
    body.close()
    assert body.file is None


def test_the_address_that_a_mailbox_is_meant_by(world: World) -> None:
    """None for members of a list, unless they are named themselves, too."""
    world.send("team@example.test", "alice+work@example.test")
    told = {maildir: call.recipient for maildir, call in world.store.deliveries}
    assert told == {"/m/alice": "alice+work@example.test", "/m/bob": "", "/m/carol": ""}
