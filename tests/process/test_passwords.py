"""Wrong passwords by the hundred: slowed down and shut out where they come from, without locking anybody's account."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import Server, running
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

ALICE = "alice@example.test"


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose longest delay is short, so that a hundred wrong passwords take seconds."""
    options = {"auth_fail_delay": "500ms", "auth_fail_delay_max": "1s"}
    with running(tmp_path_factory.mktemp("site") / "site", options=options) as server:
        yield server


def try_imap(server: Server, user: str, password: str, source: str) -> tuple[bool, float, bytes]:
    """(logged in, seconds, answer) of one IMAP LOGIN from a loopback address."""
    begun = time.monotonic()
    with Wire(server.address("imap"), source=source, timeout=30) as wire:
        answer = wire.command(f'LOGIN "{user}" "{password}"'.encode())
    return b" OK" in answer[-1][:8], time.monotonic() - begun, answer[-1].partition(b" ")[2]


def test_hundreds_of_wrong_passwords(strict: Server) -> None:
    """From 127.0.0.3: every one is delayed or refused; alice logs in from 127.0.0.2 at once, bob from anywhere."""
    results: list[tuple[bool, float, bytes]] = []

    def guess() -> None:
        for i in range(10):
            results.append(try_imap(strict, ALICE, f"guess{i}", "127.0.0.3"))

    threads = [threading.Thread(target=guess) for _ in range(30)]
    for thread in threads:
        thread.start()
    good = []
    while any(thread.is_alive() for thread in threads):
        good.append(try_imap(strict, ALICE, strict.password(ALICE), "127.0.0.2"))
        good.append(try_imap(strict, "bob@example.test", strict.password("bob@example.test"), "127.0.0.3"))
        time.sleep(0.1)
    for thread in threads:
        thread.join()
    assert len(results) == 300 and not any(ok for ok, _, _ in results)
    assert good and all(ok for ok, _, _ in good), [each for each in good if not each[0]][:3]
    assert max(seconds for _, seconds, _ in good) < 2
    assert strict.metric("auth_failures") + strict.metric("auth_throttled") >= 300
    assert min(seconds for _, seconds, answer in results) >= 0 and len({a.split(b" ")[0] for _, _, a in results}) == 1
    slow = [seconds for _, seconds, _ in results if seconds > 0.4]
    assert len(slow) >= 10, "wrong passwords were not delayed"


def test_the_guesser_is_shut_out_even_with_the_right_password(strict: Server) -> None:
    """After too many failures the address is refused for this user, with the words of a wrong password."""
    for _ in range(12):
        wrong = try_imap(strict, ALICE, "wrong", "127.0.0.4")
    right = try_imap(strict, ALICE, strict.password(ALICE), "127.0.0.4")
    assert not wrong[0] and not right[0]
    assert wrong[2] == right[2]
    assert try_imap(strict, ALICE, strict.password(ALICE), "127.0.0.5")[0]


def test_same_words_for_every_reason(strict: Server, tmp_path: Path) -> None:
    """Unknown user, wrong password, suspended user: the same answer in IMAP and POP3."""
    suspended = strict.add_user("suspended@example.test")
    strict.ctl("user", "set", suspended, "--status", "suspended")
    answers = {
        try_imap(strict, user, password, "127.0.0.6")[2]
        for user, password in (
            ("nobody@example.test", "x"), (ALICE, "x"), (suspended, strict.password(suspended)), ("@", "x"), ("", "x"),
        )
    }  # fmt: skip
    assert len(answers) == 1, answers
    told = set()
    for user, password in (("nobody@example.test", "x"), (ALICE, "x"), (suspended, strict.password(suspended))):
        with Wire(strict.address("pop3"), source="127.0.0.7", timeout=30) as wire:
            wire.pop(f"USER {user}".encode())
            told.add(wire.pop(f"PASS {password}".encode()))
    assert len(told) == 1 and next(iter(told)).startswith(b"-ERR"), told
    assert strict.password(suspended) not in strict.log() and "guess1" not in strict.log()
