"""The POP3 server's dialogue (RFC 1939, 2449, 2595, 3206, 5034): bytes in, events and reply bytes out. Sans-IO.

`receive` takes input, `next_event` works through it up to the next event that needs the outside world. Replies gather
until taken with `take_output`; `pending` says how many bytes have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from workers.common.lines import LineBuffer, LineTooLong
from workers.pop3 import wire
from workers.pop3.maildrop import LISTED_AT_ONCE, Maildrop

AUTHORIZATION, TRANSACTION = "authorization", "transaction"
NO_SUCH_MESSAGE = b"-ERR no such message\r\n"
GONE = b"-ERR that message has been removed by another session\r\n"
BAD_ARGUMENT = b"-ERR bad argument\r\n"
UNKNOWN = b"-ERR unknown command\r\n"
NOT_NOW = b"-ERR not in this state\r\n"
TLS_FIRST = b"-ERR passwords are only taken over TLS\r\n"
AUTH_FAILED = b"-ERR [AUTH] authentication failed\r\n"
IN_USE = b"-ERR [IN-USE] the mailbox is open in another POP3 session\r\n"
UNAVAILABLE = b"-ERR [SYS/TEMP] the mailbox cannot be opened now, try again later\r\n"
NOT_READ = b"-ERR [SYS/TEMP] the message cannot be read now\r\n"
NOT_REMOVED = b"-ERR [SYS/TEMP] the deleted messages were not removed\r\n"
TOO_MANY_ERRORS = b"-ERR too many errors\r\n"


@dataclass(frozen=True)
class Rules:
    """What the session is configured to. `plaintext`: passwords are taken without TLS from this client."""

    plaintext: bool
    auth_times: int = 10
    max_errors: int = 20
    implementation: str = ""


@dataclass(frozen=True, repr=False)
class Login:
    """USER/PASS or AUTH: answer with `logged_in` or `login_failed`. A name that cannot be one is ''."""

    name: str
    password: str


@dataclass(frozen=True)
class Read:
    """RETR, or TOP with that many `lines` (-1: the whole): answer with `send`."""

    number: int
    lines: int


@dataclass(frozen=True)
class Listing:
    """A long listing: send the output and the pieces."""

    pieces: Iterable[bytes]


@dataclass(frozen=True)
class Update:
    """QUIT after login: remove these uids, give the lock back; answer with `updated`."""

    uids: list[int]


@dataclass(frozen=True)
class StartTls:
    """Send the output, do the handshake, then call `tls_started`."""


@dataclass(frozen=True)
class Close:
    """Send the output and close."""


Event = Login | Read | Listing | Update | StartTls | Close


class Session:
    """One connection's dialogue."""

    def __init__(self, rules: Rules, *, tls: bool = False, tls_available: bool = False) -> None:
        self.rules = rules
        self.state = AUTHORIZATION
        self.maildrop: Maildrop | None = None
        self.errors = 0
        self.pending = 0
        self.retrieved = 0
        self._tls = tls
        self._tls_available = tls_available
        self._lines = LineBuffer(wire.LINE_LIMIT)
        self._out: list[bytes] = []
        self._name: bytes | None = None
        self._in_sasl = False
        self._failures = 0
        self._closing = False
        self.send(b"+OK POP3 ready\r\n")

    # ------------------------------------------------------------------------------------------ input and output

    @property
    def idle(self) -> bool:
        """Whether closing now would undo nothing."""
        return not len(self._lines) and not (self.maildrop is not None and self.maildrop.deleted)

    def receive(self, data: bytes) -> None:
        """Take what the client sent."""
        self._lines.feed(data)

    def send(self, data: bytes) -> None:
        """Add to the output; the answer to Read, too."""
        self._out.append(data)
        self.pending += len(data)

    def take_output(self) -> list[bytes]:
        """What is to be sent now."""
        out, self._out, self.pending = self._out, [], 0
        return out

    def next_event(self) -> Event | None:
        """Work through the input; None when more is needed."""
        while not self._closing:
            try:
                line = self._lines.line()
            except LineTooLong:
                event = self._fault(b"-ERR line too long\r\n")
            else:
                if line is None:
                    return None
                event = self._line(line[:-1] if line.endswith(b"\r") else line)
            if event is not None:
                return event
        return Close()

    # ------------------------------------------------------------------------------------------ outcomes

    def logged_in(self, maildrop: Maildrop) -> None:
        """The mailbox is open and locked."""
        self.maildrop, self.state = maildrop, TRANSACTION
        self.send(b"+OK %d messages (%d octets)\r\n" % maildrop.stat())

    def login_failed(self, answer: bytes) -> None:
        """`answer` is AUTH_FAILED, whatever was wrong with name or password, or one of the others."""
        self.send(answer)
        if answer is AUTH_FAILED:
            self._failures += 1
            self._closing = self._failures >= self.rules.auth_times

    def updated(self, answer: bytes = b"+OK bye\r\n") -> None:
        """The outcome of Update; the dialogue is over."""
        self.send(answer)
        self._closing = True

    def tls_started(self) -> None:
        """The handshake is done; what came before it is forgotten (RFC 2595 4)."""
        self._lines.clear()
        self._tls, self._tls_available = True, False
        self._name = None

    # ------------------------------------------------------------------------------------------ commands

    def _line(self, line: bytes) -> Event | None:
        if self._in_sasl:
            return self._sasl_response(line)
        verb, _, rest = line.partition(b" ")
        verb = verb.upper()
        handler = (_IN_TRANSACTION if self.maildrop is not None else _IN_AUTHORIZATION).get(verb)
        if handler is None:
            return self._fault(NOT_NOW if verb in _KNOWN else UNKNOWN)
        return handler(self, rest)

    def _fault(self, answer: bytes) -> Event | None:
        self.send(answer)
        self.errors += 1
        if self.maildrop is None and self.errors >= self.rules.max_errors:
            self.send(TOO_MANY_ERRORS)
            self._closing = True
        return None

    def _passwords_allowed(self) -> bool:
        return self._tls or self.rules.plaintext

    def _capa(self, rest: bytes) -> None:
        words = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
        if self.maildrop is None and self._tls_available:
            words.append("STLS")
        if self._passwords_allowed():
            words += ["USER", "SASL PLAIN"]
        if self.rules.implementation:
            words.append(f"IMPLEMENTATION {self.rules.implementation}")
        self.send("\r\n".join(["+OK capabilities follow", *words, ".", ""]).encode())

    def _stls(self, rest: bytes) -> Event | None:
        if rest or not self._tls_available:
            return self._fault(BAD_ARGUMENT if rest else b"-ERR TLS is not available\r\n")
        self._lines.clear()
        self.send(b"+OK begin TLS\r\n")
        return StartTls()

    def _quit(self, rest: bytes) -> Event | None:
        if self.maildrop is not None:
            return Update(self.maildrop.deleted_uids())
        self.updated()
        return None

    # ------------------------------------------------------------------------------------------ log-in

    def _user(self, rest: bytes) -> Event | None:
        if not self._passwords_allowed():
            return self._fault(TLS_FIRST)
        if not rest:
            return self._fault(BAD_ARGUMENT)
        self._name = rest
        self.send(b"+OK\r\n")
        return None

    def _pass(self, rest: bytes) -> Event | None:
        name, self._name = self._name, None
        if not self._passwords_allowed():
            return self._fault(TLS_FIRST)
        if name is None:
            return self._fault(b"-ERR USER comes first\r\n")
        try:
            return Login(_text(name), _text(rest))
        except UnicodeDecodeError:
            return Login("", "")

    def _auth(self, rest: bytes) -> Event | None:
        if not rest:
            self.send(b"+OK\r\n" + (b"PLAIN\r\n" if self._passwords_allowed() else b"") + b".\r\n")
            return None
        if not self._passwords_allowed():
            return self._fault(TLS_FIRST)
        mechanism, _, initial = rest.partition(b" ")
        if mechanism.upper() != b"PLAIN":
            return self._fault(b"-ERR unknown mechanism\r\n")
        if initial:
            return self._sasl_response(b"" if initial == b"=" else initial)
        self._in_sasl = True
        self.send(b"+ \r\n")
        return None

    def _sasl_response(self, line: bytes) -> Event | None:
        self._in_sasl = False
        if line == b"*":
            return self._fault(b"-ERR authentication cancelled\r\n")
        fields = wire.sasl_plain(line)
        if fields is None:
            return self._fault(b"-ERR bad response\r\n")
        authorization, name, password = fields
        if authorization and authorization != name:
            return Login("", "")
        return Login(name, password)

    # ------------------------------------------------------------------------------------------ mailbox

    def _drop(self) -> Maildrop:
        assert self.maildrop is not None
        return self.maildrop

    def _stat(self, rest: bytes) -> None:
        self.send(b"+OK %d %d\r\n" % self._drop().stat())

    def _list(self, rest: bytes) -> Event | None:
        drop = self._drop()
        if not rest:
            return self._listing(b"+OK %d messages (%d octets)\r\n" % drop.stat(), drop.scan_listing())
        number = wire.number(rest)
        if drop.has(number):
            self.send(b"+OK %d %d\r\n" % (number, drop.sizes[number - 1]))
        else:
            self.send(NO_SUCH_MESSAGE)
        return None

    def _uidl(self, rest: bytes) -> Event | None:
        drop = self._drop()
        if not rest:
            return self._listing(b"+OK\r\n", drop.unique_ids())
        number = wire.number(rest)
        self.send(b"+OK %d %s\r\n" % (number, drop.unique_id(number)) if drop.has(number) else NO_SUCH_MESSAGE)
        return None

    def _listing(self, head: bytes, pieces: Iterable[bytes]) -> Event | None:
        self.send(head)
        if len(self._drop()) > 2 * LISTED_AT_ONCE:
            return Listing(pieces)
        for piece in pieces:
            self.send(piece)
        self.send(b".\r\n")
        return None

    def _retr(self, rest: bytes) -> Event | None:
        number = wire.number(rest)
        if not self._drop().has(number):
            self.send(NO_SUCH_MESSAGE)
            return None
        return Read(number, -1)

    def _top(self, rest: bytes) -> Event | None:
        first, _, second = rest.partition(b" ")
        number, lines = wire.number(first), wire.number(second)
        if lines < 0:
            return self._fault(BAD_ARGUMENT)
        if not self._drop().has(number):
            self.send(NO_SUCH_MESSAGE)
            return None
        return Read(number, lines)

    def _dele(self, rest: bytes) -> None:
        number, drop = wire.number(rest), self._drop()
        if drop.has(number):
            drop.delete(number)
            self.send(b"+OK\r\n")
        else:
            self.send(NO_SUCH_MESSAGE)

    def _noop(self, rest: bytes) -> None:
        self.send(b"+OK\r\n")

    def _rset(self, rest: bytes) -> None:
        self._drop().reset()
        self.send(b"+OK %d messages (%d octets)\r\n" % self._drop().stat())


def _text(value: bytes) -> str:
    """A name or password as text; one with NUL is as bad as one that is no UTF-8."""
    if b"\0" in value:
        raise UnicodeDecodeError("utf-8", value, value.index(b"\0"), len(value), "NUL")
    return value.decode("utf-8")


_Handler = Callable[[Session, bytes], Event | None]
_EVERYWHERE: dict[bytes, _Handler] = {b"CAPA": Session._capa, b"QUIT": Session._quit}
_IN_AUTHORIZATION: dict[bytes, _Handler] = {
    **_EVERYWHERE, b"USER": Session._user, b"PASS": Session._pass, b"AUTH": Session._auth, b"STLS": Session._stls,
}  # fmt: skip
_IN_TRANSACTION: dict[bytes, _Handler] = {
    **_EVERYWHERE, b"STAT": Session._stat, b"LIST": Session._list, b"UIDL": Session._uidl, b"RETR": Session._retr,
    b"TOP": Session._top, b"DELE": Session._dele, b"NOOP": Session._noop, b"RSET": Session._rset,
}  # fmt: skip
_KNOWN = _IN_AUTHORIZATION.keys() | _IN_TRANSACTION.keys()
