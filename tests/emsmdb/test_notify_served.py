"""Tables and notifications over the wire to a store service: order of events, lost connections, delay."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import gevent
import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from gromoxd.mapi import proptags as p
from gromoxd.mapi.sorting import Order
from gromoxd.rop import notify as n
from tests.contract.mail import digest_of
from tests.contract.served import ServedWorld
from tests.emsmdb.tableclient import TableClient, delete, notified, save
from tests.emsmdb.test_notify import register
from tests.emsmdb.world import ALICE, INBOX, Client, EmsmdbWorld


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[ServedWorld, Client]]:
    served, world = ServedWorld(tmp_path, ALICE), EmsmdbWorld(tmp_path)
    world.store.close()
    world.store = cast(Any, served.client)
    cast(Any, world.site.services).exmdb = served.client
    client = world.client()
    client.logon()
    yield served, client
    client.session.close()
    served.close()


def until(condition: Callable[[], Any]) -> None:
    """Let the world go on until something holds."""
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.002)


def by_subject(client: Client) -> TableClient:
    return TableClient.contents(client).show(p.PidTagSubject).sort((p.PidTagSubject, Order.ASCENDING))


def test_who_deletes_what_he_read_misses_nothing(served: tuple[ServedWorld, Client]) -> None:
    """Also when rows are at hand that were read before: the events of one's own calls come before their answers."""
    _, alice = served
    mids = {subject: save(alice, {p.PidTagSubject: subject}) for subject in "abcdefghij"}
    table = by_subject(alice)
    read: list[str] = []
    while found := table.firsts(3):
        read += found
        delete(alice, *[mids[subject] for subject in found])
    assert read == list("abcdefghij")


def test_rows_beyond_one_answer_of_the_store(served: tuple[ServedWorld, Client]) -> None:
    _, alice = served
    account = alice.world.account(ALICE, SYSTEM)
    for number in range(20):
        raw = f"Subject: {number:02}\r\n\r\nx\r\n".encode()
        account.call(c.Append(INBOX, c.NewMessage(digest_of(raw), raw, 1_700_000_000), alice.world.request_id()))
    for _ in range(5):
        account.call(c.CopyMessages(INBOX, [(1, 0xFFFFFFFF)], INBOX, False, alice.world.request_id()))
    table = by_subject(alice)
    assert table.row_count == 640
    wanted = [[f"{number:02}"] for number in range(20) for _ in range(32)]
    assert table.everything() == wanted
    assert table.everything(room=500) == wanted
    table.seek(2, 0)
    assert table.rows(450, forward=False) == wanted[-450:]


def test_told_in_time(served: tuple[ServedWorld, Client]) -> None:
    """A delivery wakes whoever waits; the issue asks for 100 ms."""
    _, alice = served
    table = by_subject(alice)
    table.rows()
    handle = register(alice, c.NEW_MAIL)
    times = []
    for number in range(9):
        raw = f"Subject: {number}\r\n\r\nx\r\n".encode()
        message, key = c.NewMessage(digest_of(raw), raw, 1_700_000_000), alice.world.request_id()
        alice.woken, started = 0, time.perf_counter()
        alice.world.account(ALICE, SYSTEM).call(c.Deliver(message, "s@example.org", key, key))
        until(lambda: alice.woken >= 2)
        times.append(time.perf_counter() - started)
        told = notified(alice)
        assert {one.handle for one in told} == {handle, table.handle}
        assert n.NEW_MAIL in {one.data.type for one in told}
    assert statistics.median(times) < 0.1


def test_a_lost_connection(served: tuple[ServedWorld, Client]) -> None:
    """The client looks again, and is told of what comes then."""
    world, alice = served
    first = save(alice, {p.PidTagSubject: "a"})
    table = by_subject(alice)
    table.rows()
    handle = register(alice, c.CREATED)
    gone = TableClient.contents(alice, index=9).show(p.PidTagSubject)
    gone.rows()
    ended = gone.handle
    for connection in list(world.client._connections.values()):
        connection.close()
    alice.release(9)
    until(lambda: alice.session.pending)
    assert [one.data.table_event for one in notified(alice) if one.handle == table.handle] == [n.TABLE_CHANGED]
    until(lambda: len(world.client._details) == 2)
    second = save(alice, {p.PidTagSubject: "b"})
    until(lambda: len(alice.session.pending) >= 2)
    told = notified(alice)
    assert {one.handle for one in told} == {handle, table.handle} != {ended}
    (row,) = [one.data for one in told if one.handle == table.handle]
    assert (row.table_event, row.after_message != 0) == (n.ROW_ADDED, True)
    assert table.everything() == [["a"], ["b"]]
    assert first != second


def test_nothing_is_left_behind(served: tuple[ServedWorld, Client]) -> None:
    world, alice = served
    table = by_subject(alice)
    table.rows()
    register(alice, c.CREATED)
    entry = world.service._open[alice.user.maildir]
    assert entry.mailbox.watching
    alice.session.close()
    assert not entry.mailbox.watching
    assert world.client._details == {}
    until(lambda: not world.client._watches)
