"""The cached mode, work online and notifications once more, over RPC/HTTP: what runs on one transport runs on both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.outlook.conftest import Open
from tests.outlook.test_cached import (
    imap,
    test_both_ways_at_once,
    test_conflict_is_resolved,
    test_first_and_second_synchronisation,
    test_what_imap_does_comes_down,
)
from tests.outlook.test_notices import test_changes_of_others, test_rows_of_tables, test_search_folder
from tests.outlook.test_online import test_large_attachment_up_and_down, test_messages_of_our_own_by_fast_transfer
from tests.support.outlook.rpcmapi import OldProfile
from tests.support.server import Server

pytestmark = pytest.mark.slow
__all__ = [
    "imap", "test_both_ways_at_once", "test_changes_of_others", "test_conflict_is_resolved",
    "test_first_and_second_synchronisation", "test_large_attachment_up_and_down",
    "test_messages_of_our_own_by_fast_transfer", "test_rows_of_tables", "test_search_folder",
    "test_what_imap_does_comes_down",
]  # fmt: skip


@pytest.fixture
def profiles(server: Server) -> Iterator[Open]:
    """In the place of those over MAPI/HTTP."""
    with ExitStack() as stack:
        yield lambda user: stack.enter_context(OldProfile(server, user))
