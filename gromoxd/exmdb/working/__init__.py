"""The client's side of MAPI objects: copies that a worker changes for its client and saves through `api.Exmdb`.

Every protocol works on these. They do no I/O but calls of the store and one unnamed file for each message
(`spool.Spool`, whose maker is injected).

    account = Account(exmdb, mailbox, actor)
    message = WorkingMessage.open(account, mid)
    message.set({PidTagSubject: "Tea"})
    message.save()
"""

from __future__ import annotations

from gromoxd.exmdb.working.attachment import BY_REFERENCE, BY_VALUE, EMBEDDED, OLE, WorkingAttachment
from gromoxd.exmdb.working.copying import Copy, copy_properties, copy_to
from gromoxd.exmdb.working.folder import WorkingFolder
from gromoxd.exmdb.working.message import EmbeddedMessage, WorkingMessage
from gromoxd.exmdb.working.spool import Spool
from gromoxd.exmdb.working.streams import Origin, Stream, open_stream
from gromoxd.exmdb.working.values import Account, Holder, Problem

__all__ = [
    "BY_REFERENCE", "BY_VALUE", "EMBEDDED", "OLE", "Account", "Copy", "EmbeddedMessage", "Holder",
    "Origin", "Problem", "Spool", "Stream", "WorkingAttachment", "WorkingFolder", "WorkingMessage",
    "copy_properties", "copy_to", "open_stream",
]  # fmt: skip
