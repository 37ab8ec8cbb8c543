"""Which handler carries out a MAPI call, whether a read is long, and what access a call needs beforehand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from store.mapi import (
    checking,
    compacting,
    deleting,
    foldermoves,
    freebusy,
    hierarchy,
    importing,
    measuring,
    mending,
    named,
    opening,
    outgoing,
    outofoffice,
    permissions,
    readstate,
    replicas,
    rules,
    saving,
    search,
    storeprops,
    submitting,
    sync,
    tables,
    transfer,
)
from store.mapi.reading import Reading
from store.transaction import Handler

Read = Callable[[Reading, Any], Any]
MODULES: tuple[Any, ...] = (
    checking,
    compacting,
    deleting,
    foldermoves,
    freebusy,
    hierarchy,
    importing,
    measuring,
    mending,
    named,
    opening,
    outgoing,
    outofoffice,
    permissions,
    readstate,
    replicas,
    rules,
    saving,
    search,
    storeprops,
    submitting,
    sync,
    tables,
    transfer,
)
READS: dict[type[Any], Read] = {}
WRITES: dict[type[Any], Handler] = {}
LONG: dict[type[Any], Callable[[Reading, Any], bool]] = {}
"""Reads that may take longer than a few milliseconds: whether this one does."""
ALONE: dict[type[Any], Handler] = {}
"""What the writer does outside of any transaction, while no other write is under way."""

for _module in MODULES:
    READS |= getattr(_module, "READS", {})
    WRITES |= getattr(_module, "WRITES", {})
    LONG |= getattr(_module, "LONG", {})
    ALONE |= getattr(_module, "ALONE", {})

HANDLED = frozenset((*READS, *WRITES, *ALONE))
"""All MAPI calls."""
