"""Users move between two instances by SQL and SIGHUP while mail goes on: nothing is lost, doubled or opened twice."""

from __future__ import annotations

import contextlib
import json
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import messages
from tests.support.load import LOST, Client, Load, read_folder
from tests.support.server import ROOT, Server, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

MOVED = ["load0@example.test", "load1@example.test"]
STAYS = ["load2@example.test", "alice@example.test"]
MOVES = 6

# Opens a mailbox as a store worker does; prints the error's name, or 'opened'.
OPEN = """
import sys
from gromoxd.errors import MapiError
from store.mailbox import Mailbox
from store.settings import StoreSettings
try:
    Mailbox(sys.argv[1], owner="load0@example.test", node="third", settings=StoreSettings(), arena=None,
            notify=lambda fid: None, is_alive=lambda request: False)
    print("opened")
except MapiError as error:
    print(error.code.name)
"""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.socket()) for _ in range(count)]
        for sock in socks:
            sock.bind(("127.0.0.1", 0))
        return [sock.getsockname()[1] for sock in socks]


class Pair:
    """Two nodes with one directory database (an SQLite file) and one folder of mailboxes."""

    def __init__(self, folder: Path) -> None:
        hosts = [f"127.0.0.1:{port}" for port in free_ports(2)]
        self.database = folder / "one" / "data" / "directory.sqlite3"
        shared = {
            "directory_path": str(self.database), "exmdb_hosts_allow": "127.0.0.1",
            "exmdb_secret": "between us two", "exmdb_client_rpc_timeout": "5s",
        }  # fmt: skip
        self.nodes = [
            Server(folder / name, options={**shared, "host_id": host, "exmdb_listen": host})
            for name, host in zip(("one", "two"), hosts, strict=True)
        ]
        self.hosts = hosts
        self.home = dict.fromkeys([*MOVED, *STAYS], 1)

    def start(self) -> None:
        """Start both; everybody's home is the first."""
        one, two = self.nodes
        one.start()
        for user in (*MOVED, "load2@example.test"):
            one.add_user(user)
        for number, host in enumerate(self.hosts, 1):
            self.sql("INSERT INTO servers (id, hostname, extname) VALUES (?, ?, ?)", number, host, host)
        self.sql("UPDATE users SET homeserver = 1")
        self.sql("UPDATE domains SET homeserver = 1")
        two.start()
        two.info["users"] = one.info["users"]
        self.reload()

    def sql(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Run one statement on the directory's database, as an administrator does."""
        with contextlib.closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            return database.execute(statement, values).fetchall()

    def reload(self) -> None:
        """SIGHUP to both."""
        for node in self.nodes:
            node.reload()

    def move(self, user: str, number: int) -> None:
        """Give a user another home."""
        self.sql("UPDATE users SET homeserver = ? WHERE username = ?", number, user)
        self.home[user] = number
        self.reload()

    def maildir(self, user: str) -> str:
        """The folder of a user's mailbox."""
        return str(self.sql("SELECT maildir FROM users WHERE username = ?", user)[0][0])

    def owner(self, user: str) -> int:
        """Which node has the mailbox open (1, 2), by what is written into its lock; 0 for none."""
        text = (Path(self.maildir(user)) / "lock").read_text()
        return next((number for number, host in enumerate(self.hosts, 1) if host in text), 0)

    def wait_for_owner(self, user: str, number: int) -> None:
        """Until a node has a user's mailbox open."""
        until(lambda: self.owner(user) == number, seconds=10, describe=f"{user} at node {number}")


class BothLoad(Load):
    """The load, half of it against each node, wherever the user is homed."""

    def __init__(self, pair: Pair, users: list[str]) -> None:
        self.pair = pair
        super().__init__(pair.nodes[0], users)

    def server_of(self, client: Client) -> Server:
        return self.pair.nodes[self.clients.index(client) % 2]


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    """Two running nodes; both must stop cleanly."""
    made = Pair(tmp_path)
    try:
        made.start()
        yield made
    except BaseException:  # of the start; a failed test is none here
        for node in made.nodes:
            node.stop(check=False)
        raise
    try:
        made.nodes[1].stop()
    except BaseException:
        made.nodes[0].stop(check=False)
        raise
    made.nodes[0].stop()


def selected(server: Server, user: str) -> Wire:
    """An IMAP session in a user's INBOX."""
    wire = Wire(server.address("imap"), timeout=20)
    wire.login(user, server.password(user))
    wire.ok(b"SELECT INBOX")
    return wire


def goes_on(server: Server, user: str, wire: Wire) -> tuple[Wire, bool]:
    """A moved user's session: it goes on, or says so cleanly (NO, BYE) and a new one works. (session, went on)."""
    with contextlib.suppress(OSError):
        answer = wire.command(b"NOOP")
        if answer and b" OK" in answer[-1][:9]:
            return wire, True
        assert not answer or answer[-1].split()[1] in (b"NO", b"BYE"), answer
    wire.close()
    fresh: list[Wire] = []

    def works() -> bool:
        try:
            fresh.append(selected(server, user))
        except (AssertionError, OSError):
            return False
        return True

    until(works, seconds=10, describe=f"{user} can log in after the move")
    return fresh[0], False


def test_users_move_under_load(pair: Pair, capsys: pytest.CaptureFixture[str]) -> None:
    """Two users move back and forth while eight connections to both nodes deliver, append and read."""
    bystanders = [(node, user, selected(node, user)) for node in pair.nodes for user in STAYS]
    travellers = [(node, MOVED[0], selected(node, MOVED[0])) for node in pair.nodes]
    lmtp = [node.lmtp() for node in pair.nodes]
    pids = [sorted(child.pid for child in node.children()) for node in pair.nodes]
    load = BothLoad(pair, [*MOVED, STAYS[0]]).start()
    times, went_on = [], 0
    try:
        for step in range(MOVES):
            time.sleep(random.uniform(0.5, 1.2))
            target = 2 - step % 2
            begun = time.monotonic()
            for user in MOVED:
                pair.move(user, target)
            for user in MOVED:
                pair.wait_for_owner(user, target)
            times.append(time.monotonic() - begun)
            for _, _, wire in bystanders:
                wire.ok(b"NOOP")
            for client in lmtp:
                assert client.noop()[0] == 250
            moved = [(node, user, *goes_on(node, user, wire)) for node, user, wire in travellers]
            went_on += sum(each[3] for each in moved)
            travellers = [each[:3] for each in moved]
        time.sleep(1)
    finally:
        load.stop()
    with capsys.disabled():
        print(
            f"\n{MOVES} moves of {len(MOVED)} users, {load.total()} messages acknowledged; longest move "
            f"{max(times):.2f} s; {went_on} of {MOVES * 2} sessions of a moved user went on; lost connections: "
            f"{dict(load.remembered.most_common(5))}"
        )
    assert load.total() > 100
    load.check(pair.nodes[0])
    load.check(pair.nodes[1])
    for _, _, wire in [*bystanders, *travellers]:
        wire.ok(b"NOOP")
        wire.close()
    for client in lmtp:
        client.quit()
    assert [sorted(child.pid for child in node.children()) for node in pair.nodes] == pids, "a worker was replaced"


def test_a_mailbox_is_never_open_twice(pair: Pair) -> None:
    """A held mailbox cannot be opened by another process; after a move the other node has it, mail and all."""
    one, two = pair.nodes
    user = MOVED[0]
    one.deliver(messages.make("before", to=user), user)
    two.deliver(messages.make("across", to=user), user)
    assert pair.owner(user) == 1
    done = subprocess.run(
        [sys.executable, "-c", OPEN, pair.maildir(user)], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.strip() == "ecLocked", json.dumps([done.stdout, done.stderr])
    pair.move(user, 2)

    def served() -> bool:
        with contextlib.suppress(*LOST):
            return sorted(read_folder(two, user, "INBOX")) == ["across", "before"] and pair.owner(user) == 2
        return False

    until(served, seconds=10, describe="the second node serves the mailbox")
    assert sorted(read_folder(one, user, "INBOX")) == ["across", "before"]
    two.deliver(messages.make("after", to=user), user)
    one.deliver(messages.make("after-across", to=user), user)
    assert len(read_folder(one, user, "INBOX")) == 4


def test_failover(pair: Pair) -> None:
    """A node dies: its users get clean temporary errors on the other one until they are given a new home there."""
    one, two = pair.nodes
    user = MOVED[1]
    one.deliver(messages.make("before", to=user), user)
    across = selected(two, user)
    one.kill_tree()
    with two.lmtp() as lmtp:
        lmtp.mail("a@example.net")
        lmtp.rcpt(user)
        code, _ = lmtp.data(messages.make("meanwhile", to=user))
        assert 400 <= code < 500
    begun = time.monotonic()
    answer = across.command(b"FETCH 1 BODY.PEEK[]")
    assert not answer or answer[-1].split()[1] in (b"NO", b"BYE"), answer
    assert time.monotonic() - begun < 15
    across.close()
    pair.sql("UPDATE users SET homeserver = 2")
    two.reload()

    def served() -> bool:
        with contextlib.suppress(*LOST):
            return list(read_folder(two, user, "INBOX")) == ["before"]
        return False

    until(served, seconds=10, describe="the other node serves the mailbox")
    two.deliver(messages.make("meanwhile", to=user), user)
    assert sorted(read_folder(two, user, "INBOX")) == ["before", "meanwhile"]
    one.start()
    assert sorted(read_folder(one, user, "INBOX")) == ["before", "meanwhile"]
    assert pair.owner(user) == 2
