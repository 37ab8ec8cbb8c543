"""Tables, their events and search folders, here and over the wire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import searchcalls as s
from gromoxd.exmdb import tables as t
from gromoxd.mapi.proptags import PidTagSubject
from gromoxd.mapi.restrictions import Content, encode_restriction
from gromoxd.mapi.searchcriteria import SearchStatus, SetSearchFlags
from tests.contract.mail import mail
from tests.contract.worlds import ALL, INBOX, OWNER, WORLDS, Mailbox, World


@pytest.fixture(params=["sqlite", "served"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = WORLDS[request.param](tmp_path)
    yield made
    made.close()


BY_SUBJECT = t.Table(t.CONTENTS, INBOX, sort=[(PidTagSubject, 0)])


class Session:
    """Takes the events of a mailbox."""

    def __init__(self, box: Mailbox) -> None:
        self.events: list[c.Event] = []
        self.stop = box.world.store.watch(box.world.box, OWNER, self.events.append)

    def rows(self, watch: int) -> list[c.RowChange]:
        return [change for event in self.events if event.watch == watch for change in event.rows]

    def objects(self, watch: int) -> list[c.ObjectChange]:
        return [change for event in self.events if event.watch == watch for change in event.changes]


def until(condition: Any) -> None:
    """Let the world go on until something holds."""
    with gevent.Timeout(20):
        while not condition():
            gevent.sleep(0.005)


def test_rows(box: Mailbox) -> None:
    for number in (3, 1, 2):
        box.append(mail(number))
    rows = box.call(t.QueryRows(BY_SUBJECT, [PidTagSubject], 0, 10))
    assert rows == t.Rows(3, 0, [["Message 1"], ["Message 2"], ["Message 3"]])
    two = encode_restriction(Content(1, 1, PidTagSubject, "E 2"))
    assert box.call(t.FindRow(BY_SUBJECT, two, 0, [PidTagSubject])) == t.Found(1, 3, ["Message 2"])


def test_a_large_table_is_begun_and_then_made(box: Mailbox) -> None:
    """The first rows come before the order of all is there; then it is, and follows what comes."""
    for number in range(10):
        box.append(mail(number, subject=f"s{number}"))
    for _ in range(7):
        box.copy(ALL, INBOX)
    first = box.call(t.QueryRows(BY_SUBJECT, [PidTagSubject], 126, 4))
    assert (first.total, first.rows) == (1280, [["s0"], ["s0"], ["s1"], ["s1"]])
    assert box.call(t.QueryRows(BY_SUBJECT, [PidTagSubject], 1151, 2)).rows == [["s8"], ["s9"]]
    box.append(mail(9000, subject="r"))
    assert box.call(t.QueryRows(BY_SUBJECT, [PidTagSubject], 0, 2)).rows == [["r"], ["s0"]]


def test_events(box: Mailbox) -> None:
    session = Session(box)
    box.append(mail(1))
    box.call(t.WatchTable(5, True, BY_SUBJECT, [PidTagSubject]))
    box.call(t.WatchObjects(6, True, INBOX, c.CREATED))
    stored = box.append(mail(2))
    until(lambda: session.rows(5) and session.objects(6))
    assert [(x.kind, x.instance, x.row) for x in session.rows(5)] == [(c.ROW_ADDED, stored.mid, ["Message 2"])]
    assert [(x.kind, x.fid, x.mid) for x in session.objects(6)] == [(c.CREATED, INBOX, stored.mid)]
    box.call(t.WatchTable(5, False))
    box.call(t.WatchObjects(6, False))
    session.events.clear()
    box.append(mail(3))
    until(lambda: session.events)
    assert session.rows(5) == session.objects(6) == []
    session.stop()


def test_search(box: Mailbox) -> None:
    session = Session(box)
    box.append(mail(1))
    made: h.MadeFolder = box.call(h.MakeFolder(0x05, "Found", {}, b"make", search=True))
    box.call(t.WatchObjects(1, True, made.fid))
    restriction = encode_restriction(Content(1, 1, PidTagSubject, "message"))
    box.call(s.SetSearchCriteria(made.fid, restriction, [INBOX], SetSearchFlags.RESTART_SEARCH))
    until(lambda: c.SEARCH_COMPLETE in [x.kind for x in session.objects(1)])
    assert box.call(s.GetSearchCriteria(made.fid)).status == SearchStatus.SEARCH_COMPLETE
    session.events.clear()
    box.append(mail(2))
    until(lambda: c.CREATED in [x.kind for x in session.objects(1)])
    table = t.Table(t.CONTENTS, made.fid, sort=[(PidTagSubject, 0)])
    assert box.call(t.QueryRows(table, [PidTagSubject], 0, 9)).rows == [["Message 1"], ["Message 2"]]
    session.stop()


@pytest.mark.parametrize("what", ["table", "objects"])
def test_a_client_that_goes_takes_its_watches_along(box: Mailbox, what: str) -> None:
    call = t.WatchTable(1, True, BY_SUBJECT) if what == "table" else t.WatchObjects(1, True)
    box.call(call)
    box.world.die()
    box.append(mail(1))
    assert box.call(t.QueryRows(BY_SUBJECT, [PidTagSubject], 0, 9)).total == 1
