"""A server whose mail to others goes to a sink, for the tests of what a mailbox sends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.support.sending import ALICE, BOB, Log, Mailbox, Sink, at_rest, sinking
from tests.support.server import Server, running

OPTIONS = {"relay_retry_min": "200ms", "relay_retry_max": "1s"}


class Place(NamedTuple):
    """The server, the world outside, and two who live here."""

    server: Server
    sink: Sink
    alice: Mailbox
    bob: Mailbox

    def rest(self, *more: Mailbox) -> None:
        """Wait until nothing is under way."""
        at_rest(self.alice, self.bob, *more)

    def log(self) -> Log:
        return Log(self.server)


@contextmanager
def place(folder: Path, **options: str) -> Iterator[Place]:
    """One, for a module's tests."""
    with (
        sinking() as sink,
        running(folder / "site", options={"outgoing_smtp_url": sink.url, **OPTIONS, **options}) as it,
    ):
        boxes = Mailbox(it, ALICE), Mailbox(it, BOB)
        yield Place(it, sink, *boxes)
        for box in boxes:
            box.close()
