"""The LMTP/SMTP server's dialogue (RFC 5321, RFC 2033): bytes in, events and reply bytes out. Sans-IO.

`receive` takes input, `next_event` works through it up to the next event that needs the outside world, whose outcome is
told with the method named in the event's docstring. Replies gather in `out` until taken with `take_output`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from workers.common.lines import LineBuffer, LineTooLong
from workers.lmtp import wire
from workers.lmtp.wire import ChunkReader, DataReader, Lines, MailCommand, Refusal, reply

LMTP, SMTP, ESMTP = "LMTP", "SMTP", "ESMTP"

GREET_FIRST = reply(503, "5.5.1", "Say hello first")
NO_SUCH_COMMAND = reply(502, "5.5.1", "Command not implemented")
BAD_SEQUENCE = reply(503, "5.5.1", "Bad sequence of commands")
TOO_LARGE = reply(552, "5.3.4", "Message too large")
BARE_NEWLINE = reply(554, "5.6.0", "Message has lines that do not end in CRLF")
TOO_MANY_RECIPIENTS = reply(452, "4.5.3", "Too many recipients")
NO_RECIPIENTS_LMTP = reply(503, "5.5.1", "No valid recipients")
NO_RECIPIENTS = reply(554, "5.5.1", "No valid recipients")
TLS_FIRST = reply(530, "5.7.0", "Must issue a STARTTLS command first")
ACCEPTED = reply(250, "2.0.0", "OK")
STORAGE_FAULT = reply(452, "4.3.1", "Insufficient system storage")
SHUTTING_DOWN = reply(421, "4.3.2", "Service is shutting down")
TIMED_OUT = reply(421, "4.4.2", "Timed out")


class Sink(Protocol):
    """Where a message's octets go (body.Body)."""

    def write(self, piece: bytes) -> None: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class Limits:
    """What the session is configured to."""

    hostname: str
    protocols: str = "both"
    max_size: int = 64 << 20
    max_recipients: int = 1000
    max_errors: int = 20
    force_tls: bool = False
    pipelining: bool = True
    normalise: bool = False


@dataclass
class Envelope:
    """A message's sender and accepted recipients; `targets[i]` is what the service gave for `recipients[i]`."""

    sender: str
    smtputf8: bool
    protocol: str
    helo: str
    recipients: list[str] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    tried: int = 0


@dataclass(frozen=True)
class Recipient:
    """RCPT: answer with `recipient_accepted` or `recipient_refused`."""

    address: str
    sender: str


@dataclass(frozen=True)
class Message:
    """A message is complete in `body`: answer with `delivered`."""

    envelope: Envelope
    body: Any


@dataclass(frozen=True)
class StartTls:
    """Send the output, do the handshake, then call `tls_started`."""


@dataclass(frozen=True)
class Close:
    """Send the output and close."""


Event = Recipient | Message | StartTls | Close


class _More:
    """More input is needed."""


_MORE = _More()


class Session:
    """One connection's dialogue. `open_body` makes the sink for a message when its data are about to come."""

    def __init__(
        self, limits: Limits, open_body: Callable[[Envelope], Sink], *, tls: bool = False, tls_available: bool = False
    ) -> None:
        self.limits = limits
        self.tls = tls
        self.messages = 0
        self.errors = 0
        self._tls_available = tls_available
        self._open_body = open_body
        self._lines = LineBuffer(wire.LINE_LIMIT)
        self._out: list[bytes] = [f"220 {limits.hostname} {self._banner()}\r\n".encode()]
        self._helo = ""
        self._protocol = ""
        self._envelope: Envelope | None = None
        self._data: DataReader | None = None
        self._chunks: ChunkReader | None = None
        self._last_chunk = False
        self._guard: Lines | None = None
        self._body: Sink | None = None
        self._size = 0
        self._failure = b""
        self._closing = False

    def _banner(self) -> str:
        return {"lmtp": "LMTP ready", "smtp": "ESMTP ready"}.get(self.limits.protocols, "ESMTP LMTP ready")

    # ------------------------------------------------------------------------------------------ input and output

    @property
    def in_message(self) -> bool:
        """Whether message data are being awaited."""
        return self._data is not None or (self._chunks is not None and self._chunks.left > 0)

    @property
    def idle(self) -> bool:
        """Whether nothing is under way that the end of the connection would undo."""
        return self._envelope is None and not len(self._lines)

    def receive(self, data: bytes) -> None:
        """Take what the client sent."""
        self._lines.feed(data)

    def take_output(self) -> list[bytes]:
        """Replies to send now."""
        out, self._out = self._out, []
        return out

    def next_event(self) -> Event | None:
        """Work through the input; None when more is needed."""
        while not self._closing:
            try:
                event = self._step()
            except LineTooLong:
                event = self._fault(reply(500, "5.5.2", "Line too long"))
            except Refusal as refusal:
                event = self._fault(refusal.reply)
            if isinstance(event, _More):
                return None
            if event is not None:
                return event
        return Close()

    def _step(self) -> Event | _More | None:
        """One line or one piece of a message: an event, _MORE, or None when there is nothing to tell."""
        if self._data is not None:
            rest = self._data.feed(self._lines.take_all())
            if rest is None:
                return _MORE
            self._lines.feed(rest)
            return self._message_done()
        if self._chunks is not None and self._chunks.left:
            data = self._lines.take(self._chunks.left)
            self._chunks.feed(data)
            return _MORE if self._chunks.left else self._chunk_done()
        line = self._lines.line()
        return _MORE if line is None else self._command(line)

    def goodbye(self, text: bytes) -> bytes:
        """End the dialogue from our side: what to send last."""
        self._closing = True
        self._drop_message()
        return text

    # ------------------------------------------------------------------------------------------ outcomes

    def recipient_accepted(self, address: str, target: Any) -> None:
        """The recipient of the last event exists; `target` comes back in the envelope."""
        envelope = self._envelope
        assert envelope is not None
        envelope.recipients.append(address)
        envelope.targets.append(target)
        self._out.append(reply(250, "2.1.5", "OK"))

    def recipient_refused(self, answer: bytes) -> None:
        """The recipient of the last event is not taken. Not counted as a fault of the client's."""
        self._out.append(answer)

    def delivered(self, answers: list[bytes]) -> None:
        """The message of the last event: a reply for each recipient in LMTP, one in SMTP."""
        self._out.extend(answers)
        self.messages += 1
        self._drop_message()
        self._envelope = None

    def tls_started(self) -> None:
        """The handshake is done: everything said before it is forgotten (RFC 3207 4.2)."""
        self._lines.clear()
        self.tls, self._tls_available = True, False
        self._helo = self._protocol = ""
        self._envelope = None

    # ------------------------------------------------------------------------------------------ commands

    def _command(self, line: bytes) -> Event | None:
        command = wire.parse_command(line)
        handler = _COMMANDS.get(command.verb)
        if handler is None:
            raise Refusal(reply(500, "5.5.2", "Unknown command"))
        return handler(self, command.rest)

    def _fault(self, answer: bytes) -> Event | None:
        self._out.append(answer)
        self.errors += 1
        if self.errors >= self.limits.max_errors:
            return self._part(reply(421, "4.7.0", "Too many errors"))
        return None

    def _part(self, answer: bytes) -> Event:
        self._out.append(self.goodbye(answer))
        return Close()

    def _hello(self, rest: bytes, protocol: str) -> None:
        if self.limits.protocols == ("smtp" if protocol == LMTP else "lmtp"):
            raise Refusal(NO_SUCH_COMMAND)
        self._helo = wire.parse_helo(rest)
        self._protocol = protocol
        self._drop_message()
        self._envelope = None
        words = [f"{self.limits.hostname} greets you"]
        if protocol != SMTP:
            words += self._extensions()
        last = len(words) - 1
        self._out.append("".join(f"250{' ' if i == last else '-'}{w}\r\n" for i, w in enumerate(words)).encode())

    def _extensions(self) -> list[str]:
        words = ["PIPELINING"] if self.limits.pipelining else []
        words += [f"SIZE {self.limits.max_size}", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "CHUNKING", "HELP"]
        if self._tls_available:
            words.append("STARTTLS")
        return words

    def _lhlo(self, rest: bytes) -> None:
        self._hello(rest, LMTP)

    def _ehlo(self, rest: bytes) -> None:
        self._hello(rest, ESMTP)

    def _do_helo(self, rest: bytes) -> None:
        self._hello(rest, SMTP)

    def _mail(self, rest: bytes) -> None:
        if not self._helo:
            raise Refusal(GREET_FIRST)
        if self.limits.force_tls and not self.tls:
            raise Refusal(TLS_FIRST)
        if self._envelope is not None:
            raise Refusal(BAD_SEQUENCE)
        mail: MailCommand = wire.parse_mail(rest)
        if mail.size > self.limits.max_size:
            raise Refusal(TOO_LARGE)
        self._envelope = Envelope(mail.sender.decode(), mail.smtputf8, self._transport(mail.smtputf8), self._helo)
        self._out.append(reply(250, "2.1.0", "OK"))

    def _transport(self, smtputf8: bool) -> str:
        """The 'with' word of Received (RFC 3848, RFC 6531 4.3)."""
        if smtputf8:
            return f"UTF8{'LMTP' if self._protocol == LMTP else 'SMTP'}{'S' if self.tls else ''}"
        if self._protocol == SMTP:
            return SMTP
        return self._protocol + ("S" if self.tls else "")

    def _rcpt(self, rest: bytes) -> Event | None:
        envelope = self._envelope
        if envelope is None or self._chunks is not None:
            raise Refusal(BAD_SEQUENCE)
        address = wire.parse_rcpt(rest, envelope.smtputf8)
        if envelope.tried >= self.limits.max_recipients:
            self._out.append(TOO_MANY_RECIPIENTS)
            return None
        envelope.tried += 1
        return Recipient(address.decode(), envelope.sender)

    def _data_command(self, rest: bytes) -> Event | None:
        envelope = self._envelope
        if rest:
            raise Refusal(wire.BAD_PARAMETERS)
        if envelope is None or self._chunks is not None:
            return self._refuse_data(BAD_SEQUENCE)
        if not envelope.recipients:
            return self._refuse_data(self._no_recipients())
        self._begin_message(envelope)
        assert self._guard is not None
        self._data = DataReader(self._guard)
        self._out.append(b"354 Start mail input; end with <CRLF>.<CRLF>\r\n")
        return None

    def _no_recipients(self) -> bytes:
        return NO_RECIPIENTS_LMTP if self._protocol == LMTP else NO_RECIPIENTS

    def _refuse_data(self, answer: bytes) -> Event | None:
        """What was sent in advance as the message must not be run as commands."""
        if len(self._lines):
            self._out.append(answer)
            return self._part(reply(421, "4.7.0", "Message data sent before they were asked for"))
        raise Refusal(answer)

    def _bdat(self, rest: bytes) -> Event | None:
        """A chunk's octets are read even if they cannot be taken (RFC 3030 2)."""
        size, last = wire.parse_bdat(rest)
        envelope = self._envelope
        if self._chunks is None:
            if envelope is not None and envelope.recipients:
                self._begin_message(envelope)
            self._chunks = ChunkReader(self._guard or Lines(self._discard, False))
        self._chunks.left, self._last_chunk = size, last
        return None if size else self._chunk_done()

    def _rset(self, rest: bytes) -> None:
        if rest:
            raise Refusal(wire.BAD_PARAMETERS)
        self._drop_message()
        self._envelope = None
        self._out.append(ACCEPTED)

    def _noop(self, rest: bytes) -> None:
        self._out.append(ACCEPTED)

    def _quit(self, rest: bytes) -> Event:
        return self._part(reply(221, "2.0.0", "Bye"))

    def _vrfy(self, rest: bytes) -> None:
        self._out.append(reply(252, "2.5.2", "Send some mail, I'll try my best"))

    def _help(self, rest: bytes) -> None:
        verbs = " ".join(sorted(verb.decode() for verb in _COMMANDS))
        self._out.append(reply(214, "2.0.0", f"Commands: {verbs}"))

    def _unsupported(self, rest: bytes) -> None:
        raise Refusal(NO_SUCH_COMMAND)

    def _starttls(self, rest: bytes) -> Event:
        if rest:
            raise Refusal(wire.BAD_PARAMETERS)
        if not self._tls_available:
            raise Refusal(NO_SUCH_COMMAND)
        self._drop_message()
        self._envelope = None
        self._lines.clear()
        self._out.append(reply(220, "2.0.0", "Ready to start TLS"))
        return StartTls()

    # ------------------------------------------------------------------------------------------ message data

    def _begin_message(self, envelope: Envelope) -> None:
        self._size, self._failure = 0, b""
        self._body = self._open_body(envelope)
        self._guard = Lines(self._store, self.limits.normalise)

    def _store(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self.limits.max_size:
            self._failure = TOO_LARGE
        if self._failure:
            return self._discard(piece)
        assert self._body is not None
        try:
            self._body.write(piece)
        except OSError:
            self._failure = STORAGE_FAULT
            self._discard(piece)

    def _discard(self, piece: bytes) -> None:
        """The rest of a refused message is read, but not held."""
        if self._body is not None:
            self._body.close()

    def _chunk_done(self) -> Event | None:
        assert self._chunks is not None
        if self._guard is None:
            self._chunks = None
            raise Refusal(self._no_recipients() if self._envelope else BAD_SEQUENCE)
        if self._last_chunk:
            self._chunks.finish()
            return self._message_done()
        self._out.append(self._failure or reply(250, "2.0.0", "Chunk received"))
        return None

    def _message_done(self) -> Event | None:
        assert self._guard is not None and self._envelope is not None
        self._data = self._chunks = None
        if not self._failure and self._guard.bare and not self.limits.normalise:
            self._failure = BARE_NEWLINE
        if self._failure:
            count = len(self._envelope.recipients) if self._protocol == LMTP else 1
            self._out.append(self._failure * count)
            self._drop_message()
            self._envelope = None
            return None
        return Message(self._envelope, self._body)

    def _drop_message(self) -> None:
        if self._body is not None:
            self._body.close()
        self._data = self._chunks = self._guard = self._body = None
        self._failure = b""


_COMMANDS: dict[bytes, Callable[[Session, bytes], Event | None]] = {
    b"LHLO": Session._lhlo, b"EHLO": Session._ehlo, b"HELO": Session._do_helo, b"MAIL": Session._mail,
    b"RCPT": Session._rcpt, b"DATA": Session._data_command, b"BDAT": Session._bdat, b"RSET": Session._rset,
    b"NOOP": Session._noop, b"QUIT": Session._quit, b"VRFY": Session._vrfy, b"HELP": Session._help,
    b"EXPN": Session._unsupported, b"ETRN": Session._unsupported, b"AUTH": Session._unsupported,
    b"TURN": Session._unsupported, b"STARTTLS": Session._starttls,
}  # fmt: skip
