"""Guests over the wire: lists of the directory, people it does not know, and events of folders that they may see."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import access as x
from gromoxd.exmdb import calls as c
from tests.contract.mail import mail
from tests.contract.served import ServedWorld
from tests.contract.test_events import Watcher
from tests.contract.worlds import ALL, INBOX, OWNER, SENT, Mailbox

BOB, TEAM = "bob@example.test", "team@example.test"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[ServedWorld]:
    made = ServedWorld(tmp_path, OWNER)
    yield made
    made.close()


def grant(box: Mailbox, fid: int, name: str, rights: int) -> None:
    box.call(x.ModifyPermissions(fid, [x.PermissionChange(x.ADD, name=name, rights=rights)]))


def test_lists_are_asked_of_the_directory(box: Mailbox, world: ServedWorld) -> None:
    world.homes.lists[BOB] = frozenset({TEAM})
    box.append(mail(1))
    grant(box, INBOX, TEAM, 0x401)
    assert [one.uid for one in box.call(c.GetContents(INBOX, ALL), actor="Bob@Example.Test")] == [1]
    assert box.call(x.GetRights(INBOX, BOB)).rights == 0x401
    box.call(c.GetContents(INBOX, ALL), actor="Bob@Example.Test")
    assert world.homes.asked == ["Bob@Example.Test", BOB]
    world.homes.lists.clear()
    world.service.homes_changed()
    assert box.refused(c.GetContents(INBOX, ALL), actor="Bob@Example.Test") == Ec.ecAccessDenied


def test_whom_the_directory_does_not_know_is_anonymous(box: Mailbox, world: ServedWorld) -> None:
    box.append(mail(1))
    grant(box, INBOX, "default", 0x401)
    assert box.refused(c.GetContents(INBOX, ALL), actor="nobody") == Ec.ecAccessDenied
    assert box.call(x.GetRights(INBOX, "nobody")).rights == 0
    grant(box, INBOX, "", 0x401)
    assert [one.uid for one in box.call(c.GetContents(INBOX, ALL), actor="nobody")] == [1]


def test_the_owner_is_not_asked_for(box: Mailbox, world: ServedWorld) -> None:
    box.append(mail(1))
    assert world.homes.asked == []


def test_guests_are_told_of_what_they_see(box: Mailbox) -> None:
    """Guest and owner share one connection, as sessions of one worker do."""
    grant(box, SENT, BOB, 0x401)
    owner, guest = Watcher(box), Watcher(box, BOB)
    box.append(mail(1))
    box.append(mail(1), SENT)
    owner.expect(INBOX, SENT)
    guest.expect(SENT)
