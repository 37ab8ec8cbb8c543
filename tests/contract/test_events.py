"""Contract: who watches a mailbox is told which folders changed."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import pages
from tests.contract.mail import mail
from tests.contract.worlds import ALL, INBOX, OWNER, SENT, Mailbox


class Watcher:
    """Collects events; `expect` waits until the given folders were told, and that nothing foreign was."""

    def __init__(self, box: Mailbox, actor: str = OWNER) -> None:
        self.box = box
        self.events: list[c.Event] = []
        self.stop = box.world.store.watch(box.world.box, actor, self.events.append)

    def expect(self, *fids: int) -> None:
        end = time.monotonic() + 5
        while {e.fid for e in self.events} < set(fids) and time.monotonic() < end:
            self.box.call(c.GetMailboxInfo())
        assert {e.fid for e in self.events} == set(fids)
        assert {e.mailbox for e in self.events} <= {self.box.world.box.maildir}
        self.events.clear()


@pytest.fixture
def watcher(box: Mailbox) -> Iterator[Watcher]:
    box.append(mail(1))
    made = Watcher(box)
    yield made
    made.stop()


def test_every_kind_of_change_is_told(box: Mailbox, watcher: Watcher) -> None:
    box.append(mail(2))
    watcher.expect(INBOX)
    box.deliver(mail(3))
    watcher.expect(INBOX)
    box.flag([(1, 1)], c.ADD, pages.SEEN)
    watcher.expect(INBOX)
    box.copy([(1, 1)], SENT)
    watcher.expect(SENT)
    box.copy([(2, 2)], SENT, move=True)
    watcher.expect(INBOX, SENT)
    box.expunge(ALL, fid=SENT)
    watcher.expect(SENT)
    folder = box.create("New")
    watcher.expect(0)
    box.call(c.RenameFolder(folder.fid, "Newer"))
    watcher.expect(0)
    box.call(c.Subscribe("Newer", True))
    watcher.expect(0)


def test_deleting_a_folder_is_told(box: Mailbox, watcher: Watcher) -> None:
    folder = box.create("Doomed")
    watcher.expect(0)
    box.call(c.DeleteFolder(folder.fid))
    end = time.monotonic() + 5
    while not any(e.fid == 0 for e in watcher.events) and time.monotonic() < end:
        box.call(c.GetMailboxInfo())
    assert {e.fid for e in watcher.events} - {folder.fid} == {0}


def test_no_change_is_not_told(box: Mailbox, watcher: Watcher) -> None:
    box.flag([(1, 1)], c.REMOVE, pages.SEEN)
    box.expunge([(50, 60)])
    box.call(c.GetFolderState(INBOX))
    box.append(mail(9), SENT)
    watcher.expect(SENT)


def test_an_event_comes_after_the_change_can_be_seen(box: Mailbox, watcher: Watcher) -> None:
    before = box.call(c.GetFolderState(INBOX))
    box.append(mail(2))
    watcher.expect(INBOX)
    assert box.call(c.GetFolderState(INBOX)) != before


def test_several_watchers_and_their_end(box: Mailbox, watcher: Watcher) -> None:
    other = Watcher(box)
    box.append(mail(2))
    other.expect(INBOX)
    watcher.expect(INBOX)
    other.stop()
    box.append(mail(3))
    watcher.expect(INBOX)
    assert other.events == []
    other.stop()


def test_strangers_may_not_watch(box: Mailbox) -> None:
    with pytest.raises(MapiError) as refusal:
        box.world.store.watch(box.world.box, "", lambda _: None)
    assert refusal.value.code == Ec.ecAccessDenied


def test_strangers_may_not_watch_what_the_owner_watches(box: Mailbox, watcher: Watcher) -> None:
    with pytest.raises(MapiError) as refusal:
        box.world.store.watch(box.world.box, "", lambda _: None)
    assert refusal.value.code == Ec.ecAccessDenied
    box.append(mail(2))
    watcher.expect(INBOX)
