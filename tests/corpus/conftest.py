"""The server of this folder's tests."""

from tests.support.fixtures import server

__all__ = ["server"]
