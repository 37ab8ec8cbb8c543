"""The server of this folder's tests (those that kill it start their own)."""

from tests.support.fixtures import server

__all__ = ["server"]
