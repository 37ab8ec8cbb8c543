"""One IMAP connection's session: bytes in, commands carried out, bytes out (RFC 3501 sections 2, 3, 5, 7).

It knows neither sockets nor gevent: what it needs from outside comes with `Services` and `Transport`. The server calls
`feed`, then `step` until it answers False, then `rest` before it waits for more bytes; `woken` after a wake-up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gromoxd.directory.model import User
from gromoxd.errors import MapiError, WireError
from workers.imap import errors
from workers.imap.commands import COMMANDS, Spec, Sync
from workers.imap.commands.capability import capabilities
from workers.imap.errors import Closed, Refused
from workers.imap.literals import decide
from workers.imap.mailbox import Mailbox
from workers.imap.selected import Selected
from workers.imap.services import Promise, Services, Transport
from workers.imap.state import WHY_NOT, State
from workers.imap.wire.framing import Command, Framer, LiteralAsked, TooLong, tag_of
from workers.imap.wire.parser import Cursor
from workers.imap.wire.text import resp_text

LOGIN_LINE = 4096
FLUSH = 128 << 10
MAX_BAD = 100
MAX_APPENDS = 32
Dialogue = Callable[[bytes], None]


class Session:
    """The state of one connection."""

    __slots__ = (
        "appends", "bad", "commands", "condstore", "counts", "dialogue", "failures", "framer", "idle_tag", "mailbox",
        "out", "out_size", "selected", "services", "starting_tls", "state", "tag", "torn", "transport", "user",
    )  # fmt: skip

    def __init__(self, services: Services, transport: Transport) -> None:
        self.services = services
        self.transport = transport
        self.state = State.NOT_AUTHENTICATED
        self.framer = Framer(LOGIN_LINE)
        self.out: list[bytes] = []
        self.out_size = 0
        self.user: User | None = None
        self.mailbox: Mailbox | None = None
        self.selected: Selected | None = None
        self.condstore = False
        self.dialogue: Dialogue | None = None
        self.idle_tag = b""
        self.appends: deque[tuple[bytes, Promise]] | None = None
        self.starting_tls = False
        self.torn = False
        self.failures = self.bad = self.commands = 0
        self.tag = b"*"
        self.counts: dict[str, object] | None = None

    # ------------------------------------------------------------------------------------------ output

    def write(self, data: bytes) -> None:
        """Queue an answer; what is queued goes out when it is much, or before the session waits."""
        self.out.append(data)
        self.out_size += len(data)
        if self.out_size > FLUSH:
            self.flush()

    def flush(self) -> None:
        """Send what is queued."""
        if self.out:
            data = self.out[0] if len(self.out) == 1 else b"".join(self.out)
            self.out, self.out_size = [], 0
            self.transport.send(data)
            if len(data) > FLUSH:
                self.services.breathe()

    def greet(self) -> None:
        """The first line (RFC 3501 7.1)."""
        self.write(b"* OK [CAPABILITY " + capabilities(self) + b"] IMAP server ready\r\n")
        self.flush()

    def bye(self, text: bytes) -> None:
        """Say BYE and end the session."""
        self.state = State.LOGOUT
        self.write(b"* BYE " + text + b"\r\n")
        self.flush()
        raise Closed

    def count(self, what: str) -> None:
        """One more of something, for the log line at the end."""
        counts = self.counts
        if counts is None:
            counts = self.counts = {}
        value = counts.get(what, 0)
        counts[what] = value + 1 if isinstance(value, int) else 1

    # ------------------------------------------------------------------------------------------ input

    def feed(self, data: bytes) -> None:
        """Received bytes."""
        self.framer.feed(data)

    def step(self) -> bool:
        """Carry out one command of what has been received; False when more bytes are needed."""
        if self.dialogue is not None:
            line = self.framer.line()
            if line is None:
                return False
            self.dialogue(line)
            return True
        event = self.framer.next()
        if event is None:
            return False
        if isinstance(event, Command):
            self._command(event)
        elif isinstance(event, LiteralAsked):
            decide(self, event)
        else:
            self._too_long(event)
        return not self.starting_tls

    def _too_long(self, event: TooLong) -> None:
        if self.state is State.NOT_AUTHENTICATED:
            self.bye(b"Line too long")
        self._complain(tag_of(event.start), b"BAD Command too long")

    def _complain(self, tag: bytes, reply: bytes) -> None:
        """Answer nonsense; a client that sends nothing else is parted from."""
        self.finish_appends()
        self.write(tag + b" " + reply + b"\r\n")
        self.bad += 1
        self.services.board.add("bad_input")
        if self.bad >= (10 if self.state is State.NOT_AUTHENTICATED else MAX_BAD):
            self.bye(b"Too many invalid commands")

    def _command(self, event: Command) -> None:
        cursor = Cursor(event.parts)
        if event.parts == [b""]:
            return self._count_bad()
        self.tag = b"*"
        try:
            self.tag = cursor.tag()
            cursor.sp()
            name = cursor.name()
            if name == b"UID":
                cursor.sp()
                name = b"UID " + cursor.name()
        except WireError as error:
            return self._complain(self.tag, b"BAD " + resp_text(str(error).encode()))
        if event.refused:
            self.finish_appends()
            return self.reply(self.tag, b"NO [TOOBIG] Literal too large")
        spec = COMMANDS.get(name)
        if spec is None:
            return self._complain(self.tag, b"BAD Unknown command")
        self._run(spec, cursor)

    def _count_bad(self) -> None:
        """An empty line: forgiven some times (clients send one behind a literal)."""
        self.bad += 1
        if self.bad > MAX_BAD:
            self.bye(b"Too many invalid commands")

    def _run(self, spec: Spec, cursor: Cursor) -> None:
        tag = self.tag
        if self.appends and spec.name != "APPEND":
            self.finish_appends()
        self.services.board.add("commands")
        self.commands += 1
        if not self.state & spec.states:
            return self._complain(tag, WHY_NOT[self.state])
        reply = self._carry_out(spec, cursor)
        if reply is None:
            return
        if reply.startswith(b"BAD"):
            return self._complain(tag, reply)
        self.bad = 0
        if self.appends:
            self.finish_appends()
        self.reply(tag, reply, spec.sync)

    def _carry_out(self, spec: Spec, cursor: Cursor) -> bytes | None:
        """Run a command; failures become its answer. None: the answer comes later."""
        try:
            return spec.run(self, cursor)
        except WireError as error:
            return b"BAD " + resp_text(str(error).encode())
        except Refused as refusal:
            return refusal.line
        except MapiError as error:
            if self.torn:  # in the middle of a literal nothing else can be said
                raise Closed from error
            return errors.response(error)

    def failed_internally(self) -> None:
        """A bug ended the command (the server has logged it)."""
        if self.torn:
            raise Closed
        self.reply(self.tag, errors.SERVERBUG)

    # ------------------------------------------------------------------------------------------ answers

    def reply(self, tag: bytes, reply: bytes, sync: Sync = Sync.FULL) -> None:
        """The tagged answer, after what has changed in the selected mailbox."""
        if self.selected is not None and sync is not Sync.NONE:
            self.sync(sync is Sync.FULL)
        self.write(tag + b" " + reply + b"\r\n")

    def sync(self, expunge: bool, prompt: bool = False) -> None:
        """Tell what has changed; an owner out of reach is not this moment's concern. `prompt`: EXISTS goes ahead."""
        selected = self.selected
        if selected is None:
            return
        try:
            if selected.sync(self.write, expunge=expunge, modseq=self.condstore):
                if prompt:
                    self.flush()
                selected.tell_recent(self.write)
        except MapiError:
            self.count("sync_failed")

    def enable_condstore(self) -> None:
        """A CONDSTORE enabling command was given (RFC 7162 3.1.2.3): from now on mod-sequences are told."""
        if self.condstore:
            return
        self.condstore = True
        if self.selected is not None:
            modseq = self.selected.view.state.cn
            self.write(b"* OK [HIGHESTMODSEQ %d] CONDSTORE is on\r\n" % max(modseq, 1))

    # ------------------------------------------------------------------------------------------ appends under way

    def finish_appends(self, ready_only: bool = False) -> None:
        """Answer APPENDs whose results have come, in their order; without `ready_only` wait for all."""
        appends = self.appends
        while appends:
            if ready_only and not appends[0][1].ready():
                return
            tag, promise = appends.popleft()
            self.reply(tag, promise.get())
        self.appends = None

    def later(self, tag: bytes, promise: Promise) -> None:
        """The answer to an APPEND comes later."""
        if self.appends is None:
            self.appends = deque()
        self.appends.append((tag, promise))
        while self.appends and len(self.appends) > MAX_APPENDS:
            first, promise = self.appends.popleft()
            self.reply(first, promise.get())

    # ------------------------------------------------------------------------------------------ waiting

    def rest(self) -> None:
        """Nothing more can be done with what has been received."""
        if self.appends:
            self.finish_appends(ready_only=not self.framer.idle)
        self.flush()

    def woken(self) -> None:
        """Something has happened: a result has come, or the mailbox of an idling client has changed."""
        if self.appends:
            self.finish_appends(ready_only=True)
        if self.idle_tag:
            self.sync(True, prompt=True)
        self.flush()

    def wake(self) -> None:
        """Have `woken` called (mailbox.Idler)."""
        self.transport.wake()

    @property
    def selected_fid(self) -> int:
        """The selected folder's id (mailbox.Idler)."""
        return self.selected.folder.fid if self.selected is not None else 0

    def unselect(self) -> None:
        """Leave the selected mailbox without a word."""
        self.selected = None
        if self.state is State.SELECTED:
            self.state = State.AUTHENTICATED

    def leave(self) -> None:
        """The connection has ended: give back what is shared."""
        self.framer.abandon()
        self.selected = None
        user, box = self.user, self.mailbox
        self.mailbox = None
        if box is None or user is None:
            return
        box.rest(self)
        self.services.mailboxes.leave(box)
        key = (user.username, self.transport.peer)
        left = self.services.logins.pop(key, 1) - 1
        if left > 0:
            self.services.logins[key] = left
