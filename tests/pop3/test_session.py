"""The dialogue as transcripts ('C: ' lines and 'S: ' lines), each fed line by line, byte by byte and pipelined."""

from __future__ import annotations

import base64
from array import array
from typing import Any

import pytest

from workers.pop3.maildrop import Maildrop
from workers.pop3.session import (
    AUTH_FAILED,
    GONE,
    IN_USE,
    NOT_REMOVED,
    Close,
    Listing,
    Login,
    Read,
    Rules,
    Session,
    StartTls,
    Update,
)
from workers.pop3.wire import Top, stuff

MESSAGES = {5: b"Subject: one\r\n\r\n.dot\r\nlast\r\n", 7: b"Subject: two\r\n\r\n", 300: b"gone"}


class Client:
    """Plays the service: alice has the password 'secret' and three messages, of which the third is gone meanwhile."""

    def __init__(self, tls_available: bool = False, plaintext: bool = True, **rules: Any) -> None:
        self.session = Session(Rules(plaintext, **rules), tls_available=tls_available)
        self.removed: list[int] | None = None
        self.answer = b"+OK bye\r\n"
        self.busy = False
        self.closed = False
        self.count = 0
        assert self._run() == b"+OK POP3 ready\r\n"

    def say(self, data: bytes) -> bytes:
        self.session.receive(data)
        return self._run()

    def _run(self) -> bytes:
        out = b""
        while event := self.session.next_event():
            out += b"".join(self.session.take_output())
            if isinstance(event, Login):
                self._login(event)
            elif isinstance(event, Read):
                self._read(event)
            elif isinstance(event, Listing):
                out += b"".join(event.pieces) + b".\r\n"
            elif isinstance(event, Update):
                self.removed = event.uids
                self.session.updated(self.answer)
            elif isinstance(event, StartTls):
                self.session.tls_started()
            elif isinstance(event, Close):
                self.closed = True
                return out
        return out + b"".join(self.session.take_output())

    def _login(self, event: Login) -> None:
        if (event.name, event.password) != ("alice", "secret word"):
            self.session.login_failed(AUTH_FAILED)
        elif self.busy:
            self.session.login_failed(IN_USE)
        else:
            uids = array("I", MESSAGES if not self.count else range(1, self.count + 1))
            sizes = array("I", [len(MESSAGES.get(uid, b"")) for uid in uids])
            self.session.logged_in(Maildrop(0x65, uids, sizes))

    def _read(self, event: Read) -> None:
        raw = MESSAGES[[5, 7, 300][event.number - 1]]
        if raw == b"gone":
            return self.session.send(GONE)
        self.session.send(b"+OK %d octets\r\n" % len(raw))
        self.session.send(stuff(raw if event.lines < 0 else Top(event.lines).feed(raw)))


LOGIN = "C: USER alice\nS: +OK\nC: PASS secret word\nS: +OK 3 messages (48 octets)\n"
TRANSCRIPTS = {
    "a session": LOGIN
    + """\
C: STAT
S: +OK 3 48
C: LIST
S: +OK 3 messages (48 octets)
S: 1 28
S: 2 16
S: 3 4
S: .
C: list 2
S: +OK 2 16
C: UIDL
S: +OK
S: 1 0000006500000005
S: 2 0000006500000007
S: 3 000000650000012c
S: .
C: UIDL 3
S: +OK 3 000000650000012c
C: RETR 1
S: +OK 28 octets
S: Subject: one
S:
S: ..dot
S: last
S: .
C: TOP 1 1
S: +OK 28 octets
S: Subject: one
S:
S: ..dot
S: .
C: TOP 2 0
S: +OK 16 octets
S: Subject: two
S:
S: .
C: RETR 3
S: -ERR that message has been removed by another session
C: NOOP
S: +OK
C: QUIT
S: +OK bye
""",
    "marks": LOGIN
    + """\
C: DELE 2
S: +OK
C: DELE 2
S: -ERR no such message
C: STAT
S: +OK 2 32
C: LIST
S: +OK 2 messages (32 octets)
S: 1 28
S: 3 4
S: .
C: UIDL
S: +OK
S: 1 0000006500000005
S: 3 000000650000012c
S: .
C: RETR 2
S: -ERR no such message
C: TOP 2 1
S: -ERR no such message
C: LIST 2
S: -ERR no such message
C: UIDL 2
S: -ERR no such message
C: RSET
S: +OK 3 messages (48 octets)
C: LIST 2
S: +OK 2 16
""",
    "what makes no sense": LOGIN
    + """\
C: RETR 0
S: -ERR no such message
C: RETR 4
S: -ERR no such message
C: RETR
S: -ERR no such message
C: RETR -1
S: -ERR no such message
C: DELE 99999999999999999999
S: -ERR no such message
C: TOP 1
S: -ERR bad argument
C: TOP 1 x
S: -ERR bad argument
C: USER alice
S: -ERR not in this state
C: STLS
S: -ERR not in this state
C: XYZZY
S: -ERR unknown command
C:
S: -ERR unknown command
""",
    "before login": """\
C: STAT
S: -ERR not in this state
C: PASS secret word
S: -ERR USER comes first
C: USER
S: -ERR bad argument
C: STLS
S: -ERR TLS is not available
C: APOP alice c4c9334bac560ecc979e58001b3e22fb
S: -ERR unknown command
C: USER alice
S: +OK
C: PASS wrong
S: -ERR [AUTH] authentication failed
C: PASS secret word
S: -ERR USER comes first
C: AUTH
S: +OK
S: PLAIN
S: .
C: AUTH LOGIN
S: -ERR unknown mechanism
C: QUIT
S: +OK bye
""",
}


def exchanges(transcript: str) -> list[tuple[bytes, bytes]]:
    """(what the client says, what the server answers) of a transcript."""
    found: list[tuple[bytes, bytes]] = []
    for line in transcript.splitlines():
        text = line[3:].encode() + b"\r\n"
        if line.startswith("C:"):
            found.append((text, b""))
        else:
            found[-1] = (found[-1][0], found[-1][1] + text)
    return found


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcripts_line_by_line(name: str) -> None:
    client = Client()
    for said, answer in exchanges(TRANSCRIPTS[name]):
        assert client.say(said) == answer, said


@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcripts_byte_by_byte_and_pipelined(name: str) -> None:
    script = exchanges(TRANSCRIPTS[name])
    said, answers = b"".join(c for c, _ in script), b"".join(s for _, s in script)
    assert Client().say(said) == answers
    client = Client()
    assert b"".join(client.say(bytes([b])) for b in said) == answers
    assert Client().say(said.replace(b"\r\n", b"\n")) == answers


def logged_in(**more: Any) -> Client:
    client = Client(**more)
    assert client.say(b"USER alice\r\nPASS secret word\r\n").endswith(b"+OK 3 messages (48 octets)\r\n")
    return client


def test_quit_removes_what_was_marked() -> None:
    client = logged_in()
    client.say(b"DELE 3\r\nDELE 1\r\n")
    assert not client.session.idle
    assert client.say(b"QUIT\r\nNOOP\r\n") == b"+OK bye\r\n"
    assert client.removed == [5, 300]
    assert client.closed


def test_quit_tells_when_removing_failed() -> None:
    client = logged_in()
    client.answer = NOT_REMOVED
    assert client.say(b"DELE 1\r\nQUIT\r\n").endswith(b"-ERR [SYS/TEMP] the deleted messages were not removed\r\n")


def capabilities(client: Client) -> list[str]:
    lines = client.say(b"CAPA\r\n").decode().splitlines()
    assert (lines[0], lines[-1]) == ("+OK capabilities follow", ".")
    return lines[1:-1]


def test_capabilities() -> None:
    common = ["TOP", "UIDL", "RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE NEVER"]
    assert capabilities(Client(tls_available=True, plaintext=False)) == [*common, "STLS"]
    client = Client(tls_available=True, implementation="gromoxd")
    assert capabilities(client) == [*common, "STLS", "USER", "SASL PLAIN", "IMPLEMENTATION gromoxd"]
    client.say(b"STLS\r\n")
    assert "STLS" not in capabilities(client)
    client.say(b"USER alice\r\nPASS secret word\r\n")
    assert capabilities(client) == [*common, "USER", "SASL PLAIN", "IMPLEMENTATION gromoxd"]


def plain(*fields: str) -> bytes:
    return base64.b64encode("\0".join(fields).encode())


def test_sasl_plain_with_and_without_initial_response() -> None:
    assert Client().say(b"AUTH PLAIN " + plain("", "alice", "secret word") + b"\r\n").startswith(b"+OK 3")
    client = Client()
    assert client.say(b"auth plain\r\n") == b"+ \r\n"
    assert client.say(plain("alice", "alice", "secret word") + b"\r\n").startswith(b"+OK 3")


def test_sasl_faults() -> None:
    client = Client()
    assert client.say(b"AUTH PLAIN\r\n*\r\n") == b"+ \r\n-ERR authentication cancelled\r\n"
    assert client.say(b"AUTH PLAIN\r\n!!\r\n") == b"+ \r\n-ERR bad response\r\n"
    assert client.say(b"AUTH PLAIN =\r\n") == b"-ERR bad response\r\n"
    assert client.say(b"AUTH PLAIN " + plain("bob", "alice", "secret word") + b"\r\n") == AUTH_FAILED
    assert client.session.maildrop is None


def test_passwords_wait_for_tls() -> None:
    client = Client(tls_available=True, plaintext=False)
    for command in (b"USER alice\r\n", b"PASS secret word\r\n", b"AUTH PLAIN\r\n"):
        assert client.say(command) == b"-ERR passwords are only taken over TLS\r\n"
    assert client.say(b"STLS\r\nUSER alice\r\nPASS secret word\r\n") == b"+OK begin TLS\r\n"  # the rest is dropped
    assert client.say(b"PASS secret word\r\n") == b"-ERR USER comes first\r\n"
    assert client.say(b"USER alice\r\nPASS secret word\r\n").startswith(b"+OK\r\n+OK 3")


def test_wrong_passwords_end_the_connection_with_one_text() -> None:
    client = Client(auth_times=3)
    answers = [client.say(b"USER %s\r\nPASS x\r\n" % name) for name in (b"alice", b"nobody", b"\xff\xfe")]
    assert answers == [b"+OK\r\n" + AUTH_FAILED] * 3
    assert client.closed


def test_locked_mailbox_is_told_by_code() -> None:
    client = Client()
    client.busy = True
    assert b"-ERR [IN-USE] " in client.say(b"USER alice\r\nPASS secret word\r\n")
    assert not client.closed


def test_strangers_may_not_try_for_ever() -> None:
    client = Client(max_errors=5)
    assert client.say(b"FOO\r\n" * 10) == b"-ERR unknown command\r\n" * 5 + b"-ERR too many errors\r\n"
    assert client.closed


def test_line_too_long() -> None:
    client = Client()
    assert client.say(b"USER " + b"x" * 20000) == b""
    assert client.say(b"x" * 20000 + b"\r\n") == b"-ERR line too long\r\n"


def test_thousands_of_messages_are_listed_in_pieces() -> None:
    client = Client()
    client.count = 5000
    client.say(b"USER alice\r\nPASS secret word\r\n")
    client.say(b"DELE 1\r\n")
    lines = client.say(b"UIDL\r\n").split(b"\r\n")
    assert (lines[0], lines[1], lines[-3:]) == (
        b"+OK", b"2 0000006500000002", [b"5000 0000006500001388", b".", b""],
    )  # fmt: skip
    assert client.say(b"LIST\r\n").count(b"\r\n") == 4999 + 2


def test_a_thousand_pipelined_marks() -> None:
    client = Client()
    client.count = 1000
    client.say(b"USER alice\r\nPASS secret word\r\n")
    assert client.say(b"".join(b"DELE %d\r\n" % n for n in range(1, 1001))) == b"+OK\r\n" * 1000
    assert client.say(b"STAT\r\n") == b"+OK 0 0\r\n"
    client.say(b"QUIT\r\n")
    assert client.removed == list(range(1, 1001))
