"""The servers of this folder's tests, and people who use Outlook on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.fixtures import server
from tests.support.outlook.profile import Profile
from tests.support.server import Server

__all__ = ["server"]
ALICE, BOB = "alice@example.test", "bob@example.test"
Open = Callable[[str], Profile]


@pytest.fixture
def profiles(server: Server) -> Iterator[Open]:
    """Call it for somebody's profile, connected; it is disconnected in the end."""
    with ExitStack() as stack:
        yield lambda user: stack.enter_context(Profile(server, user))


@pytest.fixture
def alice(profiles: Open) -> Profile:
    return profiles(ALICE)


@pytest.fixture
def bob(profiles: Open) -> Profile:
    return profiles(BOB)
