"""Worlds with the real store: called directly, and across a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gromoxd.exmdb.working import Account
from tests.contract.worlds import OWNER, WORLDS, World


@pytest.fixture(params=["sqlite", "served"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    made = WORLDS[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def account(world: World) -> Account:
    return Account(world.store, world.box, OWNER)
