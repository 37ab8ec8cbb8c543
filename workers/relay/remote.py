"""Recipients elsewhere: the mail server of `outgoing_smtp_url`, its connections kept for the next mail, or sendmail."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import gevent
from gevent import subprocess
from gevent.lock import BoundedSemaphore

from workers.relay.schedule import Outcome
from workers.relay.settings import RelaySettings
from workers.relay.smtp import Lost, Refused, Sending, Smtp, Times
from workers.relay.spool import Mail, with_crlf
from workers.relay.url import Destination, parse_url

log = logging.getLogger(__name__)
IDLE = 10.0
"""A connection that is idle for longer is closed."""
DOWN_MIN, DOWN_MAX = 1.0, 60.0
"""A server that cannot be reached is left alone for so long."""
MOST_RECIPIENTS = 100
"""Of one transaction (RFC 5321 4.5.3.1.8)."""
PIECE = 256 << 10
_NEVER = frozenset((64, 65, 67, 68))
"""sysexits.h: usage, data, no user, no host."""


class Remote:
    """One per relay."""

    def __init__(self, settings: Callable[[], RelaySettings], hostname: str) -> None:
        self._settings = settings
        self._hostname = hostname
        self._idle: list[Smtp] = []
        self._limit = settings().relay_connections
        self._room = BoundedSemaphore(self._limit)
        self._down_until, self._down_for, self._down_text = 0.0, 0.0, ""
        self._url, self._to = "", Destination(sendmail=True)

    def reload(self) -> None:
        """Connections are made anew, as the settings now are."""
        self.close()
        if self._settings().relay_connections != self._limit:
            self._limit = self._settings().relay_connections
            self._room = BoundedSemaphore(self._limit)
        self._down_until = 0.0

    def close(self) -> None:
        """Part from the server."""
        while self._idle:
            self._idle.pop().quit()

    def sweep(self) -> None:
        """Close what was idle for long."""
        before = time.monotonic() - IDLE
        for one in [one for one in self._idle if one.idle_since < before]:
            self._idle.remove(one)
            one.quit()

    def send(self, mail: Mail, addresses: Sequence[str], trace: bytes) -> list[Outcome]:
        """Try to send it; an outcome for each address, in their order. `trace` goes before the octets."""
        outcomes: list[Outcome] = []
        for at in range(0, len(addresses), MOST_RECIPIENTS):
            some = addresses[at : at + MOST_RECIPIENTS]
            with self._room:
                outcomes += self._send(mail, some, trace)
        return outcomes

    def _send(self, mail: Mail, addresses: Sequence[str], trace: bytes) -> list[Outcome]:
        try:
            to = self._destination()
        except ValueError as error:
            log.error("mail cannot be sent", extra={"error": str(error)})
            return [Outcome(4, "4.3.5", str(error))] * len(addresses)
        if to.sendmail:
            return [self._sendmail(mail, addresses, trace)] * len(addresses)
        sending = sending_of(mail, addresses, trace)
        while True:
            connection = self._take()
            fresh = connection is None
            try:
                connection = connection or self._connect(to)
                outcomes = connection.send(sending)
            except Lost as error:
                if fresh:
                    return [Outcome(4, "4.4.2", str(error), to.host)] * len(addresses)
                continue  # it had been idle, and the server may have closed it meanwhile
            except Refused as error:
                return [Outcome(4, "4.3.2", error.reply.text, to.host)] * len(addresses)
            self._give_back(connection)
            return outcomes

    def hope(self) -> None:
        """The server may be up again, somebody says: the next mail tries."""
        self._down_until = self._down_for = 0.0

    def _destination(self) -> Destination:
        url = self._settings().outgoing_smtp_url
        if url != self._url:
            self._to, self._url = parse_url(url), url
        return self._to

    # ------------------------------------------------------------------------------------------ connections

    def _take(self) -> Smtp | None:
        return self._idle.pop() if self._idle else None

    def _connect(self, to: Destination) -> Smtp:
        """Lost, Refused. A server that is down is not tried by every mail."""
        if time.monotonic() < self._down_until:
            raise Lost(self._down_text)
        s = self._settings()
        made = Smtp(to, self._hostname, Times(s.relay_connect_timeout, s.relay_timeout, s.relay_data_timeout),
                    s.relay_ca_file)  # fmt: skip
        try:
            made.open()
        except (Lost, Refused) as error:
            self._down_for = min(DOWN_MAX, max(DOWN_MIN, self._down_for * 2))
            self._down_until, self._down_text = time.monotonic() + self._down_for, str(error)
            log.warning("mail server not reached", extra={"server": to.name, "error": str(error)})
            raise
        self._down_for = 0.0
        return made

    def _give_back(self, connection: Smtp) -> None:
        if not connection.is_open:
            return
        if connection.sent >= self._settings().relay_mails_per_connection:
            connection.quit()
            return
        connection.idle_since = time.monotonic()
        self._idle.append(connection)

    # ------------------------------------------------------------------------------------------ the program

    def _sendmail(self, mail: Mail, addresses: Sequence[str], trace: bytes) -> Outcome:
        """sendmail -i -f SENDER -- RECIPIENTS, whose exit status says how it went (sysexits.h)."""
        s = self._settings()
        command = [s.relay_sendmail_path, "-i", "-f", mail.sender or "<>", "--", *addresses]
        try:
            with subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                close_fds=True,
                start_new_session=True,
            ) as program:
                return _outcome_of(program, blocks(mail, trace), s.relay_data_timeout)
        except OSError as error:
            log.warning("sendmail not run", extra={"error": str(error)})
            return Outcome(4, "4.3.0", f"sendmail: {error}")


def _outcome_of(program: Any, octets: Iterable[bytes], timeout: float) -> Outcome:
    """Give it the octets and wait for its end, all within `timeout`: what does not read is ended, with its children."""
    said = ""
    try:
        with gevent.Timeout(timeout, TimeoutError("sendmail")):
            try:
                for block in octets:
                    program.stdin.write(block.replace(b"\r\n", b"\n"))
                program.stdin.close()
            except BrokenPipeError:
                pass  # its exit status says why
            program.wait()
            if program.returncode:
                said = program.stderr.read(2000).decode("utf-8", "replace").strip()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.pid, signal.SIGKILL)
        return Outcome(4, "4.4.7", "sendmail takes too long")
    if program.returncode == 0:
        return Outcome(2, "2.0.0", "taken by sendmail")
    code = 5 if program.returncode in _NEVER else 4
    return Outcome(code, f"{code}.0.0", f"sendmail: exit status {program.returncode} {said}")


def blocks(mail: Mail, trace: bytes) -> Iterator[bytes]:
    """The octets of a mail behind its trace header."""
    if mail.raw is not None:
        yield trace + mail.raw
        return
    yield trace
    with open(mail.path, "rb") as file:
        held = b""
        while block := file.read(PIECE):
            block = held + block
            held = block[-1:] if block.endswith(b"\r") else b""
            yield with_crlf(block[:-1] if held else block)
        if held:
            yield b"\r\n"


def sending_of(mail: Mail, addresses: Sequence[str], trace: bytes) -> Sending:
    """For `Smtp.send`."""
    head = mail.read(PIECE)
    end = head.find(b"\r\n\r\n")
    header = head if end < 0 else head[:end]
    plain = mail.raw.isascii() if mail.raw is not None else _is_ascii(mail)
    o = mail.options
    return Sending(
        mail.sender, addresses, mail.size + len(trace), not plain, not header.isascii() and _is_utf8(header),
        lambda: blocks(mail, trace), o.notify, o.whole, o.envelope_id,
    )  # fmt: skip


def _is_ascii(mail: Mail) -> bool:
    for block in blocks(mail, b""):
        if not block.isascii():
            return False
        gevent.sleep(0)
    return True


def _is_utf8(header: bytes) -> bool:
    """Whether a header with 8-bit octets is one of RFC 6532; else it is just 8-bit."""
    try:
        header.decode()
    except UnicodeDecodeError:
        return False
    return True
