"""The IMAP commands, one module each. `COMMANDS` is filled by the modules as they are imported here.

A command reads its arguments from the cursor, does its work through `session.services`, queues untagged answers with
`session.write` and returns the tagged answer without its tag (None: it comes later). WireError becomes BAD, `Refused`
and MapiError become NO.
"""

from __future__ import annotations

from workers.imap.commands import (
    append,
    authenticate,
    capability,
    close,
    copy,
    create,
    delete,
    enable,
    expunge,
    fetch,
    idle,
    list,
    login,
    logout,
    lsub,
    namespace,
    noop,
    rename,
    search,
    select,
    starttls,
    status,
    store,
    subscribe,
)
from workers.imap.commands import id as identify
from workers.imap.commands.registry import COMMANDS, Spec, Sync

MODULES = (
    append, authenticate, capability, close, copy, create, delete, enable, expunge, fetch, identify, idle, list, login,
    logout, lsub, namespace, noop, rename, search, select, starttls, status, store, subscribe,
)  # fmt: skip

__all__ = ["COMMANDS", "MODULES", "Spec", "Sync"]
