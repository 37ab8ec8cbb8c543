"""What a read handler works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from store.access import Access
from store.reading import Reader

if TYPE_CHECKING:
    from store.mailbox import Mailbox


@dataclass(slots=True)
class Reading:
    """One read call under way: the mailbox, a connection, and who asks (`actor`), with what rights (`access`)."""

    box: Mailbox
    reader: Reader
    actor: str
    access: Access
