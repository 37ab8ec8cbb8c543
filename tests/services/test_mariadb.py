"""A site whose directory is MariaDB, with Postfix's maps on the same tables; what happens when the database goes."""

from __future__ import annotations

import imaplib
import poplib
import re
import signal
import smtplib
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import require_binary
from tests.directory import mariadb
from tests.services.daemons import EXAMPLES, Postfix, example, open_folder, postfix, run
from tests.services.plain import Service
from tests.support import messages
from tests.support.server import Server, until

pytestmark = pytest.mark.slow
USERS = ("alice", "bob", "carol", "dave", "erin", "frank", "grace")
ALICE, BOB, CAROL, DAVE, ERIN, FRANK, GRACE = (f"{name}@example.org" for name in USERS)
SHARED = "shared@example.org"
PASSWORD = "correct horse 7"


class Place:
    """MariaDB in `folder`/db, the server, and Postfix in `folder`/pf."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "db"
        self.database.mkdir(mode=0o755)
        mariadb.install(self.database)
        self.socket = self.database / "sock"
        self.process = mariadb.start(self.database)
        self.site = folder / "site"
        self.mta: Postfix | None = None

    def sql(self, *statements: str, database: str = "email") -> list[Any]:
        """Run statements as an administrator does; the rows of the last one."""
        rows: list[Any] = []
        with mariadb.root_engine(self.socket, database).begin() as connection:
            for statement in statements:
                result = connection.exec_driver_sql(statement.replace("%", "%%"))
                rows = list(result.fetchall()) if result.returns_rows else []
        return rows

    def make_server(self) -> Service:
        """The directory and its users, by gromoxctl; then the server's first start."""
        self.sql(
            "SET GLOBAL innodb_flush_log_at_trx_commit=1",  # what was committed survives kill -9
            "CREATE DATABASE email CHARACTER SET utf8mb4",
            "CREATE USER gromox@localhost IDENTIFIED BY 'se,cret #1'",
            "GRANT ALL ON email.* TO gromox@localhost",
            database="mysql",
        )
        server = Service(
            self.site,
            options={
                "running_identity": "", "credential_cache_lifetime": "10min", "mysql_object_cache_lifetime": "10min",
                "negative_cache_lifetime": "0", "auth_fail_delay": "0",
            },
        )  # fmt: skip
        server._choose_addresses()
        server.options["host_id"] = server.host
        server.set_conf(
            "mysql_adaptor.cfg", directory_backend="mysql", mysql_host=str(self.socket), mysql_username="gromox",
            mysql_password="se,cret #1", mysql_dbname="email", mysql_rdwr_timeout="2",
        )  # fmt: skip
        server.set_conf("gromox.cfg", running_identity="no-such-user")
        assert "created mysql" in server.ctl("db", "create"), "which makes no files, and so needs no owner for them"
        server.set_conf("gromox.cfg", running_identity="")
        server.ctl("domain", "add", "example.org")
        for user in (ALICE, BOB, CAROL, DAVE, ERIN, FRANK, GRACE):
            server.add_user(user, PASSWORD)
        server.ctl("user", "add", SHARED, "--no-password", "--status", "shared")
        server.start()
        return server

    def kill_database(self) -> None:
        """kill -9 of MariaDB."""
        self.process.kill()
        self.process.wait(10)

    def start_database(self) -> None:
        """Start it again on the same data, if it is not running."""
        if self.process.poll() is not None:
            self.process = mariadb.start(self.database)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with open_folder() as folder:
        made = Place(folder)
        try:
            yield made
        finally:
            made.process.kill()
            made.process.wait(30)


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Service]:
    made = place.make_server()
    try:
        yield made
    except BaseException:
        made.stop(check=False)
        raise
    made.stop()


@pytest.fixture
def outage(place: Place) -> Iterator[None]:
    """For a test that stops the database: whatever happens in it, the next one has it again."""
    yield
    place.start_database()


@pytest.fixture(scope="module")
def mta(place: Place, server: Service) -> Iterator[Postfix]:
    """Postfix with the shipped configuration, the maps as they are shipped but for host and port.

    BOB has an alias and a home server; CAROL's mail is copied to him, DAVE's redirected.
    """
    require_binary("postfix")
    host, port = server.address("lmtp")
    folder = place.database.parent / "pf"
    maps = folder / "maps"
    maps.mkdir(parents=True)
    for path in EXAMPLES.glob("postfix/*.map"):
        text = example(f"postfix/{path.name}", {"hosts = 127.0.0.1": f"hosts = unix:{place.socket}"})
        (maps / path.name).write_text(text.replace("]:24'", f"]:{port}'"))
    grants = re.sub(r"^--.*$", "", (EXAMPLES / "postfix/grants.sql").read_text(), flags=re.M)
    place.sql(*(statement for statement in grants.split(";") if statement.strip()))
    server.ctl("alias", "add", "office@example.org", BOB)
    place.sql(
        f"INSERT INTO forwards (username, forward_type, destination) VALUES ('{CAROL}', 0, '{BOB}')",
        f"INSERT INTO forwards (username, forward_type, destination) VALUES ('{DAVE}', 1, '{BOB}')",
        f"INSERT INTO servers (id, hostname, extname) VALUES (7, '{server.host}', 'mail.example.org')",
        f"UPDATE users SET homeserver=7 WHERE username='{BOB}'",
    )
    server.reload()
    main = example("postfix/main.cf", {"[127.0.0.1]:24": f"[{host}]:{port}", "/etc/postfix/gromoxd": str(maps)})
    with postfix(folder, main, example("postfix/master.cf", {})) as made:
        yield made


def inbox(server: Server, user: str, subject: str) -> list[bytes]:
    with server.imap(user) as client:
        client.select("INBOX", readonly=True)
        numbers = client.search(None, "SUBJECT", f'"{subject}"')[1][0].split()
        return [client.fetch(number.decode(), "(BODY.PEEK[])")[1][0][1] for number in numbers]


def send(mta: Postfix, name: str, *recipients: str) -> None:
    with smtplib.SMTP(mta.host, mta.port, timeout=30) as client:
        client.sendmail("writer@example.net", list(recipients), messages.make(name))


def accepted(mta: Postfix, name: str, recipient: str) -> bool:
    """Send by Postfix; False when it puts the recipient off."""
    try:
        send(mta, name, recipient)
    except smtplib.SMTPRecipientsRefused as error:
        assert error.recipients[recipient][0] == 451
        return False
    return True


def test_deliver_and_read(server: Service) -> None:
    message = messages.make("by mariadb", to=ALICE)
    server.deliver(message, ALICE)
    assert inbox(server, ALICE, "by mariadb")[0].endswith(message)
    with closing(server.pop3(ALICE)) as client:
        assert client.stat()[0] == 1


def test_postfix_asks_the_directory(server: Service, mta: Postfix) -> None:
    send(mta, "a user", ALICE)
    send(mta, "an alias", "Office@Example.org")
    send(mta, "a sub-address", "bob+list@example.org")
    send(mta, "a copy", CAROL)
    send(mta, "redirected", DAVE)
    until(mta.is_empty, seconds=30, describe=f"an empty queue: {mta.log()[-2000:]}", step=0.1)
    assert len(inbox(server, ALICE, "a user")) == 1
    for subject in ("an alias", "a sub-address", "a copy", "redirected"):
        assert len(inbox(server, BOB, subject)) == 1, subject
    assert len(inbox(server, CAROL, "a copy")) == 1
    assert inbox(server, DAVE, "redirected") == []
    send(mta, "shared", SHARED)


@pytest.mark.parametrize("address", ["nobody@example.org", "gone@example.org", "x'OR'1'='1@example.org"])
def test_postfix_refuses_whom_the_directory_does_not_know(server: Service, mta: Postfix, address: str) -> None:
    if address.startswith("gone"):
        server.add_user(address)
        server.ctl("user", "set", address, "--status", "suspended")
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        send(mta, "to nobody", address)
    assert refused.value.recipients[address][0] == 550


def test_mailbox_map(server: Service, mta: Postfix) -> None:
    """The home server of a mailbox; nothing for one without."""
    host, port = server.address("lmtp")
    ask = (require_binary("postmap"), "-c", mta.etc, "-q")
    table = f"mysql:{mta.folder}/maps/mailbox.map"
    for address in (BOB, "office@example.org"):
        assert run(*ask, address, table).strip() == f"gromoxd:inet:[{host}]:{port}"
    assert subprocess.run([*ask, ALICE, table], capture_output=True, check=False).stdout == b""


def refused_for_now(server: Service, user: str) -> None:
    """A log-in is put off, not taken for a wrong password; a delivery too."""
    with pytest.raises(imaplib.IMAP4.error, match=r"\[UNAVAILABLE\]"):
        server.imap(user)
    with pytest.raises(poplib.error_proto, match=r"\[SYS/TEMP\]"):
        server.pop3(user)
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        server.deliver(messages.make("not now"), user)
    assert refused.value.recipients[user][0] == 451


@pytest.mark.usefixtures("outage")
def test_database_killed(place: Place, server: Service, mta: Postfix) -> None:
    """Sessions and users that are known go on; others are put off; all is well when it is back."""
    server.deliver(messages.make("before"), ALICE, BOB)
    with server.imap(ALICE) as session:
        session.select("INBOX")
        place.kill_database()
        server.deliver(messages.make("in between"), ALICE, BOB)
        assert session.noop()[0] == "OK"
        number = session.search(None, "SUBJECT", '"in between"')[1][0].decode()
        assert session.store(number, "+FLAGS", r"(\Flagged)")[0] == "OK"
        assert session.append("INBOX", "", None, b"Subject: appended\r\n\r\nText\r\n")[0] == "OK"
        assert session.create("Made-without-a-database")[0] == "OK"
        assert len(inbox(server, ALICE, "in between")) == 1, "a log-in that was verified a moment ago"
        refused_for_now(server, ERIN)
        with pytest.raises(AssertionError, match="directory database") as told:
            server.ctl("user", "list")
        assert "Traceback" not in str(told.value) and PASSWORD not in str(told.value)
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused)) as put_off:
            send(mta, "through postfix", FRANK)
        assert "451" in str(put_off.value)
        place.start_database()
        assert session.noop()[0] == "OK"
    with server.imap(ERIN) as client:
        assert client.select("INBOX")[1] == [b"0"]
    server.deliver(messages.make("afterwards"), ERIN, FRANK)
    assert len(inbox(server, FRANK, "afterwards")) == 1
    run(require_binary("postfix"), "-c", mta.etc, "reload")  # its maps would wait for a minute
    until(lambda: accepted(mta, "through postfix", FRANK), seconds=75, describe="Postfix asks again", step=0.5)
    until(lambda: inbox(server, FRANK, "through postfix"), seconds=30, describe="mail by Postfix")


def test_database_hangs(place: Place, server: Service) -> None:
    """mysql_rdwr_timeout bounds the wait; nobody else waits meanwhile."""
    server.deliver(messages.make("before it hangs"), ALICE)
    with server.imap(ALICE) as session:
        place.process.send_signal(signal.SIGSTOP)
        try:
            started = time.monotonic()
            assert session.noop()[0] == "OK"
            server.deliver(messages.make("while it hangs"), ALICE)
            assert time.monotonic() - started < 2
            started = time.monotonic()
            refused_for_now(server, GRACE)
            assert time.monotonic() - started < 3 * 5, "two attempts each for IMAP, POP3 and LMTP"
        finally:
            place.process.send_signal(signal.SIGCONT)
    until(lambda: server.imap(GRACE).logout()[0] == "BYE", describe="the log-in works again")


@pytest.mark.usefixtures("outage")
def test_started_before_its_database(place: Place, server: Service) -> None:
    """As after a power failure: the server is up, puts everybody off, and recovers by itself."""
    server.stop()
    place.kill_database()
    server.start()
    refused_for_now(server, ALICE)
    place.start_database()
    with server.imap(ALICE) as client:
        assert client.select("INBOX")[0] == "OK"
    server.deliver(messages.make("after the power failure"), BOB)
