"""AUTHENTICATE PLAIN and LOGIN (RFC 3501 6.2.2, RFC 4616, SASL-IR: RFC 4959)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import TYPE_CHECKING

from gromoxd.errors import MapiError, WireError
from workers.imap import errors
from workers.imap.commands.login import log_in, require_privacy
from workers.imap.commands.registry import Sync, command
from workers.imap.errors import Refused
from workers.imap.state import State
from workers.imap.wire.parser import Cursor

if TYPE_CHECKING:
    from workers.imap.session import Session

Answer = Callable[["Session", bytes], bytes | None]


@command("AUTHENTICATE", State.NOT_AUTHENTICATED, Sync.NONE)
def authenticate(session: Session, cursor: Cursor) -> bytes | None:
    cursor.sp()
    mechanism = cursor.name()
    initial: bytes | None = None
    if not cursor.at_end:
        cursor.sp()
        initial = cursor.buf[cursor.pos :].strip()
        cursor.pos = len(cursor.buf)
        cursor.end()
    require_privacy(session)
    begin = MECHANISMS.get(mechanism)
    if begin is None:
        raise Refused("Unknown authentication mechanism", "CANNOT")
    return begin(session, None if initial is None else _decode(b"" if initial == b"=" else initial))


def _decode(data: bytes) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise WireError("Invalid base64") from None


def _ask(session: Session, challenge: bytes, answer: Answer) -> None:
    """Send a challenge; `answer` gets what the client says to it."""
    tag = session.tag
    session.write(b"+ " + base64.b64encode(challenge) + b"\r\n")
    session.dialogue = lambda line: _answered(session, tag, line, answer)


def _answered(session: Session, tag: bytes, line: bytes, answer: Answer) -> None:
    session.dialogue = None
    session.tag = tag
    try:
        if line == b"*":
            raise WireError("Authentication cancelled")
        if len(line) > session.framer.limit:
            raise WireError("Line too long")
        reply = answer(session, _decode(line))
    except WireError as error:
        reply = b"BAD " + str(error).encode()
    except Refused as refusal:
        reply = refusal.line
    except MapiError as error:
        reply = errors.response(error)
    if reply is not None:
        session.reply(tag, reply, Sync.NONE)


def _plain(session: Session, initial: bytes | None) -> bytes | None:
    if initial is not None:
        return _plain_answer(session, initial)
    _ask(session, b"", _plain_answer)
    return None


def _plain_answer(session: Session, data: bytes) -> bytes:
    """authzid NUL authcid NUL password; nobody may act for another here."""
    parts = data.split(b"\0")
    if len(parts) != 3:
        raise WireError("Invalid SASL PLAIN answer")
    authzid, name, password = parts
    if authzid not in (b"", name):
        raise Refused("Authorization identity is not allowed", "AUTHORIZATIONFAILED")
    return log_in(session, name, password)


def _login(session: Session, initial: bytes | None) -> bytes | None:
    if initial is not None:
        return _login_name(session, initial)
    _ask(session, b"Username:", _login_name)
    return None


def _login_name(session: Session, name: bytes) -> bytes | None:
    _ask(session, b"Password:", lambda session, password: log_in(session, name, password))
    return None


MECHANISMS: dict[bytes, Callable[[Session, bytes | None], bytes | None]] = {b"PLAIN": _plain, b"LOGIN": _login}
