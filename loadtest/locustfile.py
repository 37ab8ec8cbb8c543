"""Locust users for LMTP, IMAP and POP3, each with the standard library's client, and for Outlook (`outlook.py`).

`loadtest/run.py` starts a server and runs this file; by hand:

    GROMOXD_SITE=var/site.json locust -f loadtest/locustfile.py --headless -u 20 -r 10 -t 30s --html report.html

Addresses and passwords come from the site.json that the server wrote. Only loopback addresses are accepted.
"""

from __future__ import annotations

import imaplib
import poplib
import random
import smtplib
import sys
from pathlib import Path
from typing import Any

from locust import constant_pacing, events, task

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from loadtest.outlook import AddressBookUser, OutlookUser
from loadtest.users import SITE, TIMEOUT, WORDS, MailUser, message

__all__ = ["AddressBookUser", "ImapUser", "LmtpUser", "OutlookUser", "Pop3User"]


def checked(answer: tuple[str, list[Any]]) -> list[Any]:
    """An imaplib answer that must be OK. Another session on the same mailbox may have been quicker (RFC 5530 3)."""
    if answer[0] != "OK" and b"EXPUNGEISSUED" not in answer[1][0]:
        raise imaplib.IMAP4.error(str(answer))
    return answer[1]


class LmtpUser(MailUser):
    """An MTA that hands mail over on a kept connection."""

    kind = "LMTP"
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

    kind = "IMAP"
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

    kind = "POP3"
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
    for service in ("lmtp", "imap", "pop3", "http"):
        SITE.address(service)
    if environment.host:
        raise SystemExit("load test refused: hosts come from site.json")
