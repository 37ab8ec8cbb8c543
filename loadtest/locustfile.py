"""Locust users for LMTP, IMAP and POP3: each speaks its protocol with the standard library's client.

`loadtest/run.py` starts a server and runs this file; by hand:

    GROMOXD_SITE=var/site.json locust -f loadtest/locustfile.py --headless -u 20 -r 10 -t 30s --html report.html

Addresses and passwords come from the site.json that the server wrote. Only loopback addresses are accepted.
"""

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

from locust import User, constant_pacing, events, task

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
    """What the three kinds have in common: an account and measured steps."""

    abstract = True
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
        except FAULTS as error:
            fault = error
            self.drop()
        self.environment.events.request.fire(
            request_type=type(self).__name__.removesuffix("User").upper(), name=name,
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


def checked(answer: tuple[str, list[Any]]) -> list[Any]:
    """An imaplib answer that must be OK. Another session on the same mailbox may have been quicker (RFC 5530 3)."""
    if answer[0] != "OK" and b"EXPUNGEISSUED" not in answer[1][0]:
        raise imaplib.IMAP4.error(str(answer))
    return answer[1]


class LmtpUser(MailUser):
    """An MTA that hands mail over on a kept connection."""

    weight = 3

    @task
    def deliver(self) -> None:
        """One message to one user."""
        if self.client is None:
            with self.measured("connect"):
                self.client = smtplib.LMTP(*SITE.address("lmtp"), timeout=TIMEOUT)
                self.client.ehlo_or_helo_if_needed()
        if self.client is not None:
            data = message(self.name)
            with self.measured("deliver") as result:
                self.client.sendmail("load@example.net", [self.name], data)
                result["length"] = len(data)


class ImapUser(MailUser):
    """A mail program that keeps its connection, looks for new mail, reads, flags and tidies up."""

    weight = 4

    def ready(self) -> bool:
        """Whether there is a session in the INBOX; makes one if need be."""
        if self.client is None:
            with self.measured("login"):
                self.client = imaplib.IMAP4(*SITE.address("imap"), timeout=TIMEOUT)
                self.client.login(self.name, self.password)
                checked(self.client.select("INBOX"))
        return self.client is not None

    def numbers(self) -> int:
        """How many messages the INBOX has."""
        return int(checked(self.client.select("INBOX"))[0])

    @task(6)
    def look(self) -> None:
        """NOOP and the newest messages' list entries."""
        if self.ready():
            with self.measured("noop"):
                checked(self.client.noop())
        if self.ready():
            with self.measured("fetch envelopes") as result:
                count = self.numbers()
                if count:
                    newest = f"{max(1, count - 19)}:{count}"
                    data = checked(self.client.fetch(newest, "(UID FLAGS RFC822.SIZE ENVELOPE)"))
                    result["length"] = sum(len(p[0]) + len(p[1]) if isinstance(p, tuple) else len(p) for p in data)

    @task(4)
    def read(self) -> None:
        """One message, which is flagged as seen by it."""
        if self.ready():
            with self.measured("fetch body") as result:
                count = self.numbers()
                if count:
                    data = checked(self.client.fetch(str(random.randint(max(1, count - 50), count)), "(BODY[])"))
                    result["length"] = len(data[0][1]) if isinstance(data[0], tuple) else 0

    @task(2)
    def search(self) -> None:
        """A search by subject."""
        if self.ready():
            with self.measured("search"):
                checked(self.client.search(None, "SUBJECT", random.choice(WORDS)))

    @task(2)
    def flag(self) -> None:
        """A flag on and off."""
        if self.ready():
            with self.measured("store"):
                count = self.numbers()
                if count:
                    sign = random.choice("+-")
                    checked(self.client.store(str(random.randint(1, count)), f"{sign}FLAGS", r"(\Flagged)"))

    @task(1)
    def append(self) -> None:
        """A message of one's own."""
        if self.ready():
            data = message(self.name)
            with self.measured("append") as result:
                checked(self.client.append("INBOX", r"(\Seen)", None, data))
                result["length"] = len(data)

    @task(1)
    def tidy(self) -> None:
        """The oldest messages go when there are many."""
        if self.ready():
            with self.measured("expunge"):
                if self.numbers() > 300:
                    checked(self.client.store("1:100", "+FLAGS.SILENT", r"(\Deleted)"))
                    checked(self.client.expunge())


class Pop3User(MailUser):
    """A program that collects mail: a session now and then."""

    weight = 1
    wait_time = constant_pacing(1.0)

    @task
    def collect(self) -> None:
        """STAT, UIDL, the newest message."""
        with self.measured("session") as result:
            self.client = poplib.POP3(*SITE.address("pop3"), timeout=TIMEOUT)
            self.client.user(self.name)
            try:
                self.client.pass_(self.password)
            except poplib.error_proto as error:
                if "IN-USE" in str(error):  # another collector of the same account: no fault of the server
                    self.client.close()
                    self.client = None
                    return
                raise
            count, _ = self.client.stat()
            self.client.uidl()
            if count:
                result["length"] = self.client.retr(count)[2]
            self.client.quit()
            self.client = None


@events.test_start.add_listener
def refuse_other_machines(environment: Any, **_: Any) -> None:
    """A load test runs against this machine only, whatever host somebody gave on the command line."""
    for service in ("lmtp", "imap", "pop3"):
        SITE.address(service)
    if environment.host:
        raise SystemExit("load test refused: hosts come from site.json")
