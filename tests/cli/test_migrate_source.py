"""The connection to another server: what it refuses, what cannot be read, and how often it is tried."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from typing import Any

import pytest
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError

from gromoxd.cli.migration import imapsource
from gromoxd.cli.migration.imapsource import Address, Flags, ImapSource
from gromoxd.cli.migration.outcome import Stopped
from gromoxd.exmdb.pages import FLAGGED, SEEN

ADDRESS = Address("bob", "127.0.0.1", 143, False)


class Client:
    """A connection. `answers`: uid -> row, or an exception that a command with it raises."""

    def __init__(self, answers: dict[int, Any]) -> None:
        self.answers = answers
        self.asked: list[list[int]] = []

    def fetch(self, uids: list[int], items: list[str]) -> dict[int, Any]:
        self.asked.append(uids)
        for uid in uids:
            if isinstance(self.answers.get(uid), Exception):
                raise self.answers[uid]
        return {uid: self.answers[uid] for uid in uids if uid in self.answers}

    def begin(self) -> None:
        """Nothing to count."""

    def shutdown(self) -> None:
        """Nothing to close."""


def source(monkeypatch: pytest.MonkeyPatch, *clients: Any) -> ImapSource:
    """One whose connections are these, an exception for one that fails."""
    made = ImapSource(ADDRESS, "secret", plaintext=True, first_pause=0.001)
    waiting = list(clients)

    def connected() -> Any:
        found = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(made, "_connected", connected)
    monkeypatch.setattr(imapsource, "LONGEST_PAUSE", 0.002)
    return made


def test_a_message_that_is_refused_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client({1: {b"BODY[]": b"one"}, 2: IMAPClientError("cannot"), 3: {b"BODY[]": b"three"},
                     4: {b"BODY[]": None}, 5: ValueError("garbage")})  # fmt: skip
    assert source(monkeypatch, client).bodies([1, 2, 3, 4, 5, 6]) == {1: b"one", 3: b"three"}
    assert client.asked == [[1, 2, 3, 4, 5, 6], [1], [2], [3], [4], [5], [6]]


def test_what_a_server_says_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    when = datetime(2020, 7, 17, 9, 44, 25, tzinfo=UTC)
    row = {
        b"FLAGS": (b"\\Seen", b"\\FLAGGED", b"\\Recent", b"$Junk", b"b]d", 7),
        b"INTERNALDATE": when,
        b"RFC822.SIZE": 9,
    }
    found = source(monkeypatch, Client({1: row, 2: {b"FLAGS": ()}})).summaries([1, 2])
    assert found == {1: (Flags(SEEN | FLAGGED, ("$Junk", "7")), 1_594_979_065, 9)}


def test_a_lost_connection_is_made_anew_until_it_is_hopeless(monkeypatch: pytest.MonkeyPatch) -> None:
    lost, good = Client({1: IMAPClientAbortError("BYE")}), Client({1: {b"BODY[]": b"one"}})
    made = source(monkeypatch, lost, OSError("unreachable"), OSError("unreachable"), good)
    assert made.bodies([1]) == {1: b"one"}
    made = source(monkeypatch, lost, OSError("unreachable"))
    with pytest.raises(Stopped, match="unreachable"):
        made.bodies([1])


@pytest.mark.parametrize("error", [OSError("no route"), LoginError("no"), IMAPClientError("no STARTTLS")])
def test_the_first_connection_is_tried_once(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with pytest.raises(Stopped, match=str(error)) as caught:
        source(monkeypatch, error, Client({})).bodies([1])
    assert "secret" not in str(caught.value)


def test_an_unknown_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    with pytest.raises(Stopped, match="self-signed certificate"):
        source(monkeypatch, error).bodies([1])
