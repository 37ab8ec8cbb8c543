"""Who actors are: asked of the directory once a minute."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec, MapiError
from store import people
from store.people import People


class Directory:
    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lists = {"bob@example.test": frozenset({"team@example.test"})}
        self.down = False

    def __call__(self, name: str) -> tuple[str, frozenset[str]] | None:
        self.asked.append(name)
        if self.down:
            raise MapiError(Ec.ecBusy, "down")
        user = {"sales@example.test": "bob@example.test"}.get(name.lower(), name.lower())
        return (user.upper(), self.lists[user]) if user in self.lists else None


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_known_for_a_minute() -> None:
    directory, clock = Directory(), Clock()
    known = People(directory, clock)
    assert known.name("Bob@example.test") is None
    assert known.learn("Bob@example.test") == "bob@example.test"
    assert known.name("Bob@example.test") == "bob@example.test"
    assert known.groups == {"bob@example.test": frozenset({"team@example.test"})}
    clock.now += 59
    assert known.name("Bob@example.test") == "bob@example.test"
    clock.now += 2
    assert known.name("Bob@example.test") is None
    directory.lists["bob@example.test"] = frozenset()
    known.learn("Bob@example.test")
    assert known.groups == {"bob@example.test": frozenset()}
    assert directory.asked == ["Bob@example.test"] * 2


def test_aliases_and_strangers() -> None:
    known = People(Directory(), Clock())
    assert known.learn("sales@example.test") == "bob@example.test"
    assert known.learn("mallory@example.test") == "" == known.name("mallory@example.test")
    assert known.name("") == ""
    assert "" not in known.groups


def test_forgotten_at_a_reload_and_when_they_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    known = People(Directory(), Clock())
    known.learn("bob@example.test")
    known.forget()
    assert known.name("bob@example.test") is None and known.groups == {}
    monkeypatch.setattr(people, "MOST", 3)
    for number in range(4):
        known.learn(f"u{number}@example.test")
    assert [known.name(f"u{number}@example.test") for number in range(4)] == [None, None, None, ""]


def test_a_directory_that_is_down_decides_nothing() -> None:
    directory = Directory()
    directory.down = True
    known = People(directory, Clock())
    with pytest.raises(MapiError):
        known.learn("bob@example.test")
    assert known.name("bob@example.test") is None
