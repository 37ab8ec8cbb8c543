"""An SMTP client on gevent's sockets (RFC 5321, 3207, 4954, 2920, 3461, 6531): connections, TLS, log-in, a mail.

Every wait is bounded. `Refused` says what the server said; anything else that goes wrong is a `Lost` connection.
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
from gevent import socket
from gevent.ssl import SSLContext

from gromoxd.errors import WireError
from workers.relay import wire
from workers.relay.schedule import Outcome
from workers.relay.url import CLEAR, IMPLICIT, OFFERED, REQUIRED, Destination
from workers.relay.wire import Replies, Reply

SLOWEST = 1024
"""Octets of a mail that a server takes in a second, at least."""


class Lost(Exception):
    """The connection cannot be used (any more); the text says why."""


class Refused(Exception):
    """The server does not want to go on."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@dataclass(frozen=True)
class Times:
    """Seconds to wait for a connection, an answer, the answer to a whole message."""

    connect: float
    answer: float
    data: float


@dataclass(frozen=True)
class Sending:
    """A mail as the client sends it: `blocks` makes its octets, lines ending in CRLF."""

    sender: str
    recipients: Sequence[str]
    size: int
    eight_bit: bool
    utf8_header: bool
    blocks: Callable[[], Iterable[bytes]]
    notify: int = 0
    whole: bool = False
    envelope_id: str = ""

    @property
    def utf8(self) -> bool:
        """Whether it needs SMTPUTF8 (RFC 6531 3.4)."""
        return self.utf8_header or not all(map(str.isascii, (self.sender, *self.recipients)))


class Smtp:
    """One connection."""

    def __init__(self, to: Destination, helo: str, times: Times, ca_file: str = "") -> None:
        self._to = to
        self._helo = helo
        self._times = times
        self._ca_file = ca_file
        self._sock: Any = None
        self._secured = False
        self._replies = Replies()
        self.offered: dict[str, str] = {}
        self.sent = 0
        self.idle_since = 0.0

    # ------------------------------------------------------------------------------------------ connection

    def open(self) -> None:
        """Connect, start TLS, log in. Lost, Refused."""
        try:
            self._sock = socket.create_connection((self._to.host, self._to.port), self._times.connect)
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sock.settimeout(self._times.answer)
            if self._to.tls == IMPLICIT:
                self._start_tls()
            self._want(self._reply(), 220)
            self._hello()
            self._secure()
            self._log_in()
        except (OSError, WireError) as error:
            self.close()
            raise Lost(f"{self._to.name}: {error}") from error
        except (Refused, Lost):
            self.close()
            raise

    def _secure(self) -> None:
        to = self._to
        if to.tls in (IMPLICIT, CLEAR):
            return
        if "STARTTLS" not in self.offered:
            if to.tls != OFFERED:
                raise Lost(f"{to.name} offers no TLS")
            return
        self._want(self._ask("STARTTLS"), 220)
        if not self._replies.is_empty:
            raise Lost(f"{to.name} spoke before TLS began")
        self._start_tls()
        self._hello()

    def _start_tls(self) -> None:
        """A password is told to nobody whose certificate was not looked at, unless the URL says so."""
        to = self._to
        verify = to.tls in (REQUIRED, IMPLICIT) or (to.tls == OFFERED and bool(to.user) and not to.is_loopback)
        context = SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if verify:
            context.load_verify_locations(self._ca_file) if self._ca_file else context.load_default_certs()
        else:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        with _within(self._times.answer):
            self._sock = context.wrap_socket(self._sock, server_hostname=to.host)
        self._secured = True

    def _hello(self) -> None:
        reply = self._ask(f"EHLO {self._helo}")
        if reply.kind == 5:
            self._want(self._ask(f"HELO {self._helo}"), 250)
            self.offered = {}
            return
        self._want(reply, 250)
        self.offered = wire.extensions(reply)

    def _log_in(self) -> None:
        to = self._to
        if not to.user:
            return
        if not self._secured and not to.is_loopback and to.tls != CLEAR:
            raise Lost(f"{to.name}: the password is not sent without TLS")
        ways = self.offered.get("AUTH", "").upper().split()
        if "PLAIN" in ways:
            secret = base64.b64encode(f"\0{to.user}\0{to.password}".encode()).decode()
            self._want(self._ask(f"AUTH PLAIN {secret}"), 235)
        elif "LOGIN" in ways:
            self._want(self._ask("AUTH LOGIN"), 334)
            self._want(self._ask(base64.b64encode(to.user.encode()).decode()), 334)
            self._want(self._ask(base64.b64encode(to.password.encode()).decode()), 235)
        else:
            raise Lost(f"{to.name} offers no way to log in that is known here")

    def close(self) -> None:
        """End it without a word."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def quit(self) -> None:
        """End it politely."""
        try:
            self._sock.settimeout(1.0)
            self._sock.sendall(b"QUIT\r\n")
        except OSError:
            pass  # it is to be closed anyway
        self.close()

    # ------------------------------------------------------------------------------------------ a mail

    def send(self, mail: Sending) -> list[Outcome]:
        """Send it; an outcome for each recipient, in their order. Lost when nothing is known of any."""
        try:
            unable = self._unable(mail)
            if unable is not None:
                return [unable] * len(mail.recipients)
            return self._transaction(mail)
        except (OSError, WireError) as error:
            self.close()
            raise Lost(f"{self._to.name}: {error}") from error
        except Lost:
            self.close()
            raise

    def _unable(self, mail: Sending) -> Outcome | None:
        """What this server can never take (RFC 1870 6.2, RFC 6152 3, RFC 6531 3.5)."""
        limit = self.offered.get("SIZE", "")
        if limit.isdecimal() and 0 < int(limit[:19]) < mail.size:
            return Outcome(5, "5.3.4", f"the message of {mail.size} octets is too large for the server", self._to.host)
        if mail.utf8 and "SMTPUTF8" not in self.offered:
            return Outcome(5, "5.6.7", "the server takes no internationalised addresses", self._to.host)
        if mail.eight_bit and "8BITMIME" not in self.offered:
            return Outcome(5, "5.6.3", "the server takes no 8-bit text", self._to.host)
        return None

    def _transaction(self, mail: Sending) -> list[Outcome]:
        parameters = wire.mail_parameters(
            self.offered, size=mail.size, eight_bit=mail.eight_bit, utf8=mail.utf8, whole=mail.whole,
            envelope_id=mail.envelope_id,
        )  # fmt: skip
        commands = [f"MAIL FROM:<{mail.sender}>{parameters}"]
        commands += [f"RCPT TO:<{a}>{wire.recipient_parameters(self.offered, mail.notify, a)}" for a in mail.recipients]
        first, *answers = self._ask_all(commands)
        if first.kind != 2:
            self._reset(first)
            return [self._outcome(first)] * len(mail.recipients)
        outcomes = [self._outcome(answer) for answer in answers]
        if not any(outcome.code == 2 for outcome in outcomes):
            self._reset(answers[-1] if answers else first)
            return outcomes
        go_on = self._ask("DATA")
        final = self._data(mail) if go_on.kind == 3 else go_on
        if go_on.kind != 3:
            self._reset(go_on)
            final = go_on if go_on.kind != 2 else Reply(451, ("taken before it was sent",))
        self.sent += 1
        verdict = self._outcome(final if final.kind != 3 else Reply(451, ("unexpected reply",)))
        return [verdict if outcome.code == 2 else outcome for outcome in outcomes]

    def _data(self, mail: Sending) -> Reply:
        with _within(self._times.data + mail.size / SLOWEST):
            for piece in wire.stuffed(mail.blocks()):
                self._sock.sendall(piece)
        self._sock.settimeout(self._times.data)
        reply = self._reply(self._times.data)
        self._sock.settimeout(self._times.answer)
        if reply.code == 421:
            self.close()
        return reply

    def _outcome(self, reply: Reply) -> Outcome:
        code = reply.kind if reply.kind in (2, 4, 5) else 4
        return Outcome(code, reply.status, reply.text, self._to.host, told="DSN" in self.offered)

    def _reset(self, reply: Reply) -> None:
        """Begin anew after a mail that was not sent."""
        if reply.code == 421 or self._sock is None or self._ask("RSET").kind != 2:
            self.close()

    @property
    def is_open(self) -> bool:
        return self._sock is not None

    # ------------------------------------------------------------------------------------------ talking

    def _ask(self, command: str) -> Reply:
        self._sock.sendall(command.encode() + b"\r\n")
        return self._reply()

    def _ask_all(self, commands: list[str]) -> list[Reply]:
        if "PIPELINING" not in self.offered:
            replies: list[Reply] = []
            for command in commands:
                replies.append(self._ask(command))
                if replies[0].kind != 2 or replies[-1].code == 421:
                    break
            return replies + [replies[-1]] * (len(commands) - len(replies))
        replies = []
        for at in range(0, len(commands), 100):
            self._sock.sendall("".join(f"{command}\r\n" for command in commands[at : at + 100]).encode())
            replies += [self._reply() for _ in commands[at : at + 100]]
        return replies

    def _reply(self, seconds: float = 0.0) -> Reply:
        """A whole reply within so many seconds (0: those for an answer), in however many pieces it comes."""
        reply = self._replies.next()
        if reply is not None:
            return reply
        with _within(seconds or self._times.answer):
            while reply is None:
                data = self._sock.recv(16 << 10)
                if not data:
                    raise Lost(f"{self._to.name} closed the connection")
                self._replies.feed(data)
                reply = self._replies.next()
        return reply

    def _want(self, reply: Reply, code: int) -> None:
        if reply.code != code:
            raise Refused(reply)


def _within(seconds: float) -> gevent.Timeout:
    """TimeoutError, an OSError, for what takes longer."""
    return gevent.Timeout(seconds, TimeoutError("timed out"))
