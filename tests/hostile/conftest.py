"""The mailbox of this folder's tests."""

from tests.store.conftest import box, make

__all__ = ["box", "make"]
