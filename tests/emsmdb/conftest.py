"""`world`: stores of alice, bob and the domain. `alice`: her session with a private logon at handle index 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.emsmdb.world import BOB, Client, EmsmdbWorld


@pytest.fixture
def world(tmp_path: Path) -> Iterator[EmsmdbWorld]:
    made = EmsmdbWorld(tmp_path)
    yield made
    made.close()


@pytest.fixture
def alice(world: EmsmdbWorld) -> Client:
    client = world.client()
    client.logon()
    return client


@pytest.fixture
def bob(world: EmsmdbWorld) -> Client:
    client = world.client(BOB)
    client.logon()
    return client
