"""The relay has offline address books made when the address book is another one, and not too often."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gromoxd.oab import spawn
from workers.relay.oab import LIMIT, Publisher


class World:
    """Counts what is published; fails if told so."""

    def __init__(self) -> None:
        self.published: list[tuple[Any, ...]] = []
        self.fails = False

    def publish(self, *arguments: Any) -> bool:
        self.published.append(arguments)
        return not self.fails


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(spawn, "publish", made.publish)
    return made


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path


@pytest.fixture
def publisher(world: World, site: Path) -> Publisher:
    return Publisher(str(site), SimpleNamespace(get=lambda cls: cls()))


def renew(site: Path, text: str) -> None:
    """Another snapshot."""
    (site / "run" / "new").write_text(text)
    (site / "run" / "new").replace(site / "run" / "addressbook")


def test_no_snapshot_no_book(publisher: Publisher, world: World) -> None:
    assert not publisher.publish()
    assert world.published == []


def test_each_snapshot_once(publisher: Publisher, world: World, site: Path) -> None:
    renew(site, "1")
    assert publisher.publish()
    assert world.published == [(str(site), "Gromox default", 60, LIMIT)]
    assert not publisher.publish()
    publisher.look(now=True)
    assert not publisher.publish()


def test_the_interval_and_reloads(publisher: Publisher, world: World, site: Path) -> None:
    renew(site, "1")
    publisher.publish()
    renew(site, "2")
    assert not publisher.publish()
    publisher.look()
    assert not publisher.publish()
    publisher.look(now=True)
    assert publisher.publish()
    assert len(world.published) == 2


def test_a_failure_is_tried_again(publisher: Publisher, world: World, site: Path) -> None:
    world.fails = True
    renew(site, "1")
    assert publisher.publish()
    assert not publisher.publish()
    world.fails = False
    publisher.look(now=True)
    assert publisher.publish()
    assert not publisher.publish()
    assert len(world.published) == 2
