"""The relay has the address book built when the directory changes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gromoxd.directory.errors import DirectoryDown
from workers.relay import addressbook
from workers.relay.addressbook import Refresher


class World:
    """A directory whose stamp is `stamp`; None: it does not answer. Builds are counted, and fail if told so."""

    def __init__(self) -> None:
        self.stamp: str | None = "1"
        self.built, self.fails = 0, False

    def sql(self, work: Any) -> str:
        if self.stamp is None:
            raise DirectoryDown("gone")
        return self.stamp

    def refresh(self, *_: Any) -> bool:
        self.built += 1
        return not self.fails


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(addressbook.spawn, "refresh", made.refresh)
    return made


@pytest.fixture
def refresher(world: World) -> Refresher:
    return Refresher("/site", world, SimpleNamespace(get=lambda cls: cls()))  # type: ignore[arg-type]


def test_it_is_built_when_the_stamp_is_another(world: World, refresher: Refresher) -> None:
    assert [refresher.look(), refresher.look()] == [True, True]
    assert world.built == 1
    world.stamp = "2"
    assert refresher.look()
    assert world.built == 2


def test_what_failed_is_tried_again(world: World, refresher: Refresher) -> None:
    world.fails = True
    assert not refresher.look()
    world.fails = False
    assert refresher.look()
    world.stamp = None
    assert not refresher.look()
    assert world.built == 2
