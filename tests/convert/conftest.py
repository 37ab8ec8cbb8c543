"""The corpora as a fixture, with a loud skip for one that this machine does not have."""

from __future__ import annotations

import pytest

from tests.conftest import loud_skip
from tests.convert.samples import CORPORA


@pytest.fixture(params=list(CORPORA))
def corpus(request: pytest.FixtureRequest) -> dict[str, bytes]:
    """Name -> octets of each message of one corpus."""
    load, least = CORPORA[request.param]
    messages = load()
    if not messages:
        loud_skip(f"the message corpus '{request.param}' is absent")
    assert len(messages) >= least
    return messages
