"""What the users of the load test share: where the server is, an account, steps that are timed."""

from __future__ import annotations

import imaplib
import ipaddress
import itertools
import json
import os
import poplib
import random
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from locust import User, constant_pacing

FAULTS = (OSError, EOFError, imaplib.IMAP4.error, poplib.error_proto, smtplib.SMTPException)
TIMEOUT = 30
WORDS = ("agenda", "budget", "calendar", "draft", "entry", "figure", "handle", "invoice", "letter", "meeting", "order")
_numbers = itertools.count(1)


class Site:
    """Where the server listens and who its users are."""

    def __init__(self, path: str) -> None:
        about: dict[str, Any] = json.loads(Path(path).read_text())
        self.users: dict[str, str] = about["users"]
        self._about = about

    def password(self, user: str) -> str:
        """A user's password."""
        return self.users[user]

    def address(self, service: str) -> tuple[str, int]:
        """Host and port of a service; SystemExit for a host that is not this machine's loopback."""
        host, port = self._about[service]["host"], int(self._about[service]["port"])
        if not is_loopback(host):
            raise SystemExit(f"load test refused: {host} is not a loopback address")
        return host, port


def is_loopback(host: str) -> bool:
    """Whether a host is given as a loopback address (a name is not: it may mean anything)."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


SITE = Site(os.environ.get("GROMOXD_SITE", "var/site.json"))


def message(recipient: str) -> bytes:
    """A mail of ordinary size, now and then a large one."""
    number = next(_numbers)
    size = 200_000 if random.random() < 0.02 else random.choice((800, 2_000, 4_000, 9_000))
    lines = "\r\n".join(" ".join(random.choices(WORDS, k=10)) for _ in range(size // 70))
    return (
        f"Date: Mon, 02 Jun 2025 10:00:00 +0000\r\nFrom: Load <load@example.net>\r\nTo: {recipient}\r\n"
        f"Subject: {random.choice(WORDS)} {number}\r\nMessage-ID: <{os.getpid()}.{number}@load.example>\r\n\r\n"
        f"{lines}\r\n"
    ).encode()


class MailUser(User):
    """What all kinds have in common: an account and measured steps."""

    abstract = True
    faults: tuple[type[Exception], ...] = FAULTS
    kind = ""
    """The type of its rows in the report."""
    wait_time = constant_pacing(0.2)

    def on_start(self) -> None:
        """Take one of the site's accounts."""
        self.name, self.password = random.choice(list(SITE.users.items()))
        self.client: Any = None

    def on_stop(self) -> None:
        """Leave."""
        self.drop()

    def drop(self) -> None:
        """Give the connection up."""
        client, self.client = self.client, None
        if client is not None:
            with suppressed():
                (getattr(client, "shutdown", None) or client.close)()

    @contextmanager
    def measured(self, name: str) -> Iterator[dict[str, int]]:
        """Time the block and tell Locust; a fault counts as a failure and ends the connection."""
        result = {"length": 0}
        begun = time.perf_counter()
        fault: BaseException | None = None
        try:
            yield result
        except self.faults as error:
            fault = error
            self.drop()
        self.environment.events.request.fire(
            request_type=self.kind, name=name,
            response_time=(time.perf_counter() - begun) * 1000, response_length=result["length"], exception=fault,
            context={},
        )  # fmt: skip


@contextmanager
def suppressed() -> Iterator[None]:
    """The faults of a connection that is being given up do not matter."""
    try:
        yield
    except FAULTS:
        return
