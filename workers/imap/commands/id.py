"""ID (RFC 2971)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from workers.imap.commands.registry import Sync, command
from workers.imap.state import ANY
from workers.imap.wire.parser import Cursor
from workers.imap.wire.text import resp_text

if TYPE_CHECKING:
    from workers.imap.session import Session

log = logging.getLogger(__name__)
MAX_FIELDS, MAX_FIELD, MAX_VALUE = 30, 30, 1024


@command("ID", ANY, Sync.NONE)
def identify(session: Session, cursor: Cursor) -> bytes:
    cursor.sp()
    fields = _fields(cursor)
    cursor.end()
    name = fields.get(b"NAME")
    if name:
        log.debug("client told its name", extra={"client": resp_text(name[:100]).decode("ascii", "replace")})
    session.write(b'* ID ("name" "gromoxd")\r\n')
    return b"OK ID completed"


def _fields(cursor: Cursor) -> dict[bytes, bytes]:
    """NIL or a list of field and value. workaround: aioimaplib 2.0 puts spaces inside the parentheses."""
    found: dict[bytes, bytes] = {}
    if cursor.accept(b"NIL"):
        return found
    cursor.expect(b"(")
    while not (cursor.accept(b")") or (found and cursor.accept(b" )"))):
        if found or cursor.peek() == b" ":
            cursor.sp()
        key = cursor.string().upper()
        cursor.sp()
        value = cursor.nstring() or b""
        if len(key) > MAX_FIELD or len(value) > MAX_VALUE or len(found) >= MAX_FIELDS:
            raise cursor.fail("Too long an ID")
        found[key] = value
    return found
