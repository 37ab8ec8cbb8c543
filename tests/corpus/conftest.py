"""The server of this folder's tests: mail that says it is spam stays in the Inbox with the rest."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.server import Server, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with alice and bob; when the module is through, it must stop cleanly and have counted no bug."""
    with running(tmp_path_factory.mktemp("site") / "site", options={"lda_junk_rules": ""}) as started:
        yield started
