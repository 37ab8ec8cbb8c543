"""What a delivery, a SELECT, a flag change and one FETCH cost in an INBOX of 1,000 and of 100,000 messages.

    python loadtest/bench/folder_size.py [--small 1000] [--large 100000] [--rounds 300]

Starts a server of its own on the loopback. Prints medians of client times and the ratio large/small. The two mailboxes
are measured in turns, so that a change of the machine's speed meets both.
"""

from __future__ import annotations

import argparse
import smtplib
import socket
import statistics
import time
from collections.abc import Callable

from against_dovecot import PASSWORD, PATTERN, Gromoxd

MESSAGE = (
    b"From: a@example.org\r\nTo: b@example.org\r\nSubject: number %d\r\nMessage-ID: <%d@bench>\r\n\r\n"
    + b"text " * 700
    + b"\r\n"
)


class Imap:
    """The least of a client."""

    def __init__(self, port: int, user: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        self._number = 0
        self._until(b"* OK")
        self.command(f'LOGIN "{user}" "{PASSWORD}"')

    def _until(self, mark: bytes) -> bytes:
        while True:
            at = (b"\n" + self._buffer).find(b"\n" + mark)
            end = self._buffer.find(b"\n", at) if at >= 0 else -1
            if end >= 0:
                answer, self._buffer = self._buffer[: end + 1], self._buffer[end + 1 :]
                return answer
            data = self._socket.recv(1 << 18)
            if not data:
                raise SystemExit("the server closed the connection")
            self._buffer += data

    def send(self, data: bytes) -> None:
        """Send octets."""
        self._socket.sendall(data)

    def tag(self) -> bytes:
        """The next tag."""
        self._number += 1
        return b"t%d" % self._number

    def finish(self, tag: bytes) -> bytes:
        """The answer to a command. SystemExit when it is not OK."""
        answer = self._until(tag + b" ")
        if tag + b" OK" not in answer:
            raise SystemExit(answer[-200:].decode())
        return answer

    def command(self, text: str) -> bytes:
        """One command."""
        tag = self.tag()
        self.send(tag + b" " + text.encode() + b"\r\n")
        return self.finish(tag)

    def fill(self, count: int) -> None:
        """Pipelined APPENDs, 50 deep."""
        for start in range(0, count, 50):
            tags = []
            for n in range(start, min(count, start + 50)):
                message = MESSAGE % (n, n)
                tags.append(self.tag())
                self.send(b"%b APPEND INBOX {%d+}\r\n%b\r\n" % (tags[-1], len(message), message))
            for tag in tags:
                self.finish(tag)


class Box:
    """One user's INBOX of a size, and the operations on it."""

    def __init__(self, server: Gromoxd, number: int, size: int) -> None:
        self.user, self.size = PATTERN % number, size
        self.imap = Imap(server.imap, self.user)
        self.imap.fill(size)
        self.imap.command("SELECT Drafts")
        self.lmtp = smtplib.LMTP("127.0.0.1", server.lmtp)
        self.lmtp.ehlo_or_helo_if_needed()

    def deliver(self, turn: int) -> None:
        """One message by LMTP."""
        self.lmtp.sendmail("x@example.org", [self.user], MESSAGE % (turn, -turn))

    def select(self, turn: int) -> None:
        """SELECT after the folder changed by one delivery, which is not timed with it."""
        self.imap.command("SELECT INBOX")

    def flag(self, turn: int) -> None:
        """+FLAGS or -FLAGS of one message."""
        number = (turn * 7919) % self.size + 1
        self.imap.command(f"STORE {number} {'+-'[turn % 2]}FLAGS (\\Flagged)")

    def fetch(self, turn: int) -> None:
        """One whole message."""
        self.imap.command(f"FETCH {(turn * 104729) % self.size + 1} BODY.PEEK[]")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--large", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=300)
    options = parser.parse_args()
    with Gromoxd() as server:
        boxes = [Box(server, 1, options.small), Box(server, 2, options.large)]
        operations: dict[str, Callable[[Box, int], None]] = {
            "delivery": Box.deliver, "SELECT": Box.select, "one flag": Box.flag, "one FETCH": Box.fetch,
        }  # fmt: skip
        for name, operation in operations.items():
            times: list[list[float]] = [[], []]
            for turn in range(options.rounds):
                for box, kept in zip(boxes, times, strict=True):
                    if name == "SELECT":
                        box.imap.command("SELECT Drafts")
                        box.deliver(turn)
                    start = time.perf_counter()
                    operation(box, turn)
                    kept.append((time.perf_counter() - start) * 1e3)
            small, large = (statistics.median(kept) for kept in times)
            print(f"{name:10} {small:8.3f} ms {large:8.3f} ms   ratio {large / small:5.2f}", flush=True)


if __name__ == "__main__":
    main()
