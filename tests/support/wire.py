"""Raw connections: what is sent is exactly what the test says, and what comes back is looked at byte by byte."""

from __future__ import annotations

import re
import socket
from types import TracebackType

from tests.support.server import closed_on_failure, trusting_tls

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")


class Wire:
    """A TCP connection with lines. `source` binds the client's own address (127.0.0.2 …)."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        timeout: float = 10.0,
        source: str = "",
        tls: bool = False,
        greet: bool = True,
    ) -> None:
        self.sock = socket.create_connection(address, timeout, (source, 0) if source else None)
        if tls:
            self.sock = trusting_tls().wrap_socket(self.sock)
        self._buffer = b""
        self._tag = 0
        self.greeting = b""
        if greet:
            with closed_on_failure(self.close):
                self.greeting = self.line()

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close our side, at once."""
        self.sock.close()

    def send(self, data: bytes) -> None:
        """Send exactly these bytes."""
        self.sock.sendall(data)

    def try_send(self, data: bytes) -> bool:
        """Send, where the server may have closed already; False when it had."""
        try:
            self.sock.sendall(data)
        except OSError:
            return False
        return True

    def line(self) -> bytes:
        """The next line with its CRLF; b'' (or the rest) when the server has closed."""
        while b"\n" not in self._buffer:
            if not self._fill():
                rest, self._buffer = self._buffer, b""
                return rest
        line, newline, self._buffer = self._buffer.partition(b"\n")
        return line + newline

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, fewer only at the end of the connection."""
        while len(self._buffer) < size and self._fill():
            pass
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    def _fill(self) -> bool:
        try:
            data = self.sock.recv(65536)
        except ConnectionError:
            return False
        self._buffer += data
        return bool(data)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        while self._fill():
            pass
        data, self._buffer = self._buffer, b""
        return data

    def starttls(self) -> None:
        """The client's side of the TLS handshake."""
        self.sock = trusting_tls().wrap_socket(self.sock)

    # ------------------------------------------------------------------------------------------ IMAP

    def response(self) -> bytes:
        """One IMAP response with its literals."""
        whole = self.line()
        while found := _LITERAL.search(whole):
            whole += self.read(int(found[1])) + self.line()
        return whole

    def until_tag(self, tag: bytes) -> list[bytes]:
        """Responses up to and with the tagged one (or the end of the connection)."""
        responses = []
        while True:
            response = self.response()
            if response:
                responses.append(response)
            if not response or response.startswith(tag + b" "):
                return responses

    def command(self, text: bytes) -> list[bytes]:
        """Send an IMAP command; all responses, the tagged one last."""
        self._tag += 1
        tag = b"w%d" % self._tag
        self.send(tag + b" " + text + b"\r\n")
        return self.until_tag(tag)

    def ok(self, text: bytes) -> list[bytes]:
        """An IMAP command that succeeds; its untagged responses."""
        *untagged, last = self.command(text)
        assert b" OK" in last.split(b"\r\n")[0], (text, last)
        return untagged

    def login(self, user: str, password: str) -> None:
        """IMAP LOGIN."""
        self.ok(f'LOGIN "{user}" "{password}"'.encode())

    # ------------------------------------------------------------------------------------------ SMTP and POP3

    def reply(self) -> tuple[int, bytes]:
        """An SMTP reply (RFC 5321 4.2): code (0 when closed) and text of all lines."""
        text = b""
        while True:
            line = self.line()
            text += line
            if line[3:4] != b"-":
                return int(line[:3]) if line[:3].isdigit() else 0, text

    def smtp(self, text: bytes) -> tuple[int, bytes]:
        """Send one SMTP command; its reply."""
        self.send(text + b"\r\n")
        return self.reply()

    def pop(self, text: bytes) -> bytes:
        """Send one POP3 command; the status line."""
        self.send(text + b"\r\n")
        return self.line()

    def pop_lines(self) -> list[bytes]:
        """A multi-line POP3 answer, dot-stuffing undone (RFC 1939 3)."""
        lines = []
        while (line := self.line()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b"."))
        return lines
