"""The states of a connection and which command is legal in which (RFC 3501 section 3 and 6). Pure."""

from __future__ import annotations

from enum import IntFlag


class State(IntFlag):
    """RFC 3501 3.1-3.4; a command's registration names the states in which it is legal."""

    NOT_AUTHENTICATED = 1
    AUTHENTICATED = 2
    SELECTED = 4
    LOGOUT = 8


ANY = State.NOT_AUTHENTICATED | State.AUTHENTICATED | State.SELECTED
LOGGED_IN = State.AUTHENTICATED | State.SELECTED

WHY_NOT = {
    State.NOT_AUTHENTICATED: b"BAD Log in first",
    State.AUTHENTICATED: b"BAD Not possible in this state: already logged in, or no mailbox is selected",
    State.SELECTED: b"BAD Not possible in this state: already logged in",
    State.LOGOUT: b"BAD The session is over",
}
