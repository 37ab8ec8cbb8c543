"""The server of this folder's tests."""

from tests.support.fixtures import others_are_unaffected, server

__all__ = ["others_are_unaffected", "server"]
