"""A server of its own for these tests."""

from __future__ import annotations

from tests.support.fixtures import server

__all__ = ["server"]
