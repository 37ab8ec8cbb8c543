"""Memory: the idle tree, and what an idle IMAP connection adds."""

from __future__ import annotations

import pytest

from tests.support import messages
from tests.support.server import Server, until
from tests.support.wire import Wire

pytestmark = pytest.mark.slow

IDLE_TREE_KB = 200 * 1024
CONNECTION_KB = 60
CONNECTIONS = 500


def settled(server: Server) -> int:
    """The tree's PSS once two measurements agree."""
    last = [server.pss_kb()]

    def steady() -> bool:
        last.append(server.pss_kb())
        return abs(last[-1] - last[-2]) < 256

    until(steady, seconds=20, step=0.3, describe="memory at rest")
    return last[-1]


def idling(server: Server, users: list[str], number: int) -> Wire:
    """A session of one of the users, in INBOX, in IDLE."""
    user = users[number % len(users)]
    wire = Wire(server.address("imap"), timeout=30)
    wire.login(user, server.password(user))
    wire.ok(b"SELECT INBOX")
    wire.send(b"i IDLE\r\n")
    assert wire.line().startswith(b"+")
    return wire


def test_idle_tree_and_connections(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    """A fresh server takes at most 200 MB; 500 idling connections at most 60 kB each; they all hear of new mail."""
    fresh = settled(server)
    users = [server.add_user(f"idle{i}@example.test") for i in range(10)]
    for user in users:
        for i in range(3):
            server.deliver(messages.make(f"{user}-{i}", to=user), user)
    warm_up = [idling(server, users, number) for number in range(40)]
    before = settled(server)
    wires = [idling(server, users, number) for number in range(CONNECTIONS)]
    try:
        after = settled(server)
        each = (after - before) / CONNECTIONS
        with capsys.disabled():
            print(f"\nidle tree: {fresh / 1024:.0f} MB; an idle IMAP connection: {each:.1f} kB")
        assert fresh <= IDLE_TREE_KB
        assert each <= CONNECTION_KB
        server.deliver(messages.make("wake-up", to=users[0]), users[0])
        for wire in wires[:: len(users)]:
            assert wire.line() == b"* 4 EXISTS\r\n"
    finally:
        for wire in [*wires, *warm_up]:
            wire.close()
    until(lambda: server.metric("connections") <= 5, seconds=20, describe="connections forgotten")
