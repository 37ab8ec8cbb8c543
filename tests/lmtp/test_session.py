"""The dialogue as transcripts, each fed whole, line by line (as an obedient client does) and byte by byte."""

from __future__ import annotations

from typing import Any

import pytest

from workers.lmtp.session import Close, Envelope, Limits, Message, Recipient, Session, StartTls
from workers.lmtp.wire import reply


class Held:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.data = b""
        self.most = 0
        self.closed = False

    def write(self, piece: bytes) -> None:
        self.data += piece
        self.most = max(self.most, len(self.data))

    def close(self) -> None:
        self.closed = True


class Full(Held):
    def write(self, piece: bytes) -> None:
        raise OSError(28, "No space left on device")


class Client:
    """Plays the service: *@example.test exists, full@ is over quota, messages are kept."""

    def __init__(self, sink: type[Held] = Held, tls_available: bool = False, **limits: Any) -> None:
        self.sinks: list[Held] = []
        self.messages: list[tuple[Envelope, bytes]] = []
        self.closed = False
        self._sink = sink
        self.session = Session(Limits("mx.example.test", **limits), self._open, tls_available=tls_available)
        self.greeting = self._run()

    def _open(self, envelope: Envelope) -> Held:
        self.sinks.append(self._sink())
        return self.sinks[-1]

    def say(self, data: bytes) -> bytes:
        self.session.receive(data)
        return self._run()

    def _run(self) -> bytes:
        out = b""
        while event := self.session.next_event():
            out += b"".join(self.session.take_output())
            if isinstance(event, Recipient):
                self._recipient(event)
            elif isinstance(event, Message):
                self._message(event)
            elif isinstance(event, StartTls):
                self.session.tls_started()
            elif isinstance(event, Close):
                self.closed = True
                return out
        return out + b"".join(self.session.take_output())

    def _recipient(self, event: Recipient) -> None:
        if event.address.endswith("@example.test"):
            self.session.recipient_accepted(event.address, None)
        else:
            self.session.recipient_refused(reply(550, "5.1.1", "No such user here"))

    def _message(self, event: Message) -> None:
        self.messages.append((event.envelope, event.body.data))
        answers = [
            reply(552, "5.2.2", "Full") if to.startswith("full") else reply(250, "2.0.0", "Delivered")
            for to in event.envelope.recipients
        ]
        lmtp = "LMTP" in event.envelope.protocol
        self.session.delivered(answers if lmtp else [max(answers)])


def codes(out: bytes) -> list[str]:
    """Reply and enhanced codes, one item a reply."""
    found = []
    for line in out.decode().splitlines():
        if line[3:4] != "-":
            found.append(line[:9] if line[4:5] in "245" and line[5:6] == "." else line[:3])
    return found


START = b"LHLO client.example\r\n"
MAIL = b"MAIL FROM:<s@client.example>\r\n"
RCPT = b"RCPT TO:<alice@example.test>\r\n"

TRANSCRIPTS: dict[str, tuple[bytes, list[str]]] = {
    "one message": (
        START + MAIL + RCPT + b"DATA\r\n" + b"Subject: x\r\n\r\n..dot\r\n.\r\n" + b"QUIT\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0", "221 2.0.0"],
    ),
    "a reply for each recipient": (
        START + MAIL + RCPT + b"RCPT TO:<nobody@elsewhere.test>\r\nRCPT TO:<full@example.test>\r\nDATA\r\nx\r\n.\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "550 5.1.1", "250 2.1.5", "354", "250 2.0.0", "552 5.2.2"],
    ),
    "one reply over smtp": (
        b"EHLO c\r\n" + MAIL + RCPT + b"RCPT TO:<bob@example.test>\r\nDATA\r\nx\r\n.\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "250 2.1.5", "354", "250 2.0.0"],
    ),
    "out of order": (
        MAIL + START + RCPT + b"DATA\r\n" + MAIL + MAIL,
        ["503 5.5.1", "250", "503 5.5.1", "503 5.5.1", "250 2.1.0", "503 5.5.1"],
    ),
    "no recipients over smtp": (
        b"EHLO c\r\n" + MAIL + b"RCPT TO:<nobody@elsewhere.test>\r\nDATA\r\n",
        ["250", "250 2.1.0", "550 5.1.1", "554 5.5.1"],
    ),
    "reset": (
        START + MAIL + RCPT + b"RSET\r\n" + RCPT + MAIL,
        ["250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "503 5.5.1", "250 2.1.0"],
    ),
    "chunks": (
        START + MAIL + RCPT + b"BDAT 7\r\na\r\n.\r\nbBDAT 3\r\n..\rBDAT 1 LAST\r\n\n" + MAIL,
        ["250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0", "250 2.0.0", "250 2.1.0"],
    ),
    "empty last chunk": (
        START + MAIL + RCPT + b"BDAT 3\r\nx\r\nBDAT 0 LAST\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "250 2.0.0"],
    ),
    "chunk without recipient is read": (
        START + MAIL + b"BDAT 6\r\nQUIT\r\nNOOP\r\n",
        ["250", "250 2.1.0", "503 5.5.1", "250 2.0.0"],
    ),
    "no data after chunks": (
        START + MAIL + RCPT + b"BDAT 1\r\nx" + RCPT + b"DATA\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "503 5.5.1", "503 5.5.1"],
    ),
    "an empty message": (
        START + MAIL + RCPT + b"DATA\r\n.\r\nNOOP\r\n",
        ["250", "250 2.1.0", "250 2.1.5", "354", "250 2.0.0", "250 2.0.0"],
    ),
    "nul in a recipient": (
        START + MAIL + b"RCPT TO:<al\0ice@example.test>\r\n",
        ["250", "250 2.1.0", "500 5.5.2"],
    ),
    "the small ones": (
        b"NOOP\r\nVRFY alice\r\nEXPN team\r\nETRN x\r\nAUTH PLAIN\r\nHELP\r\nTURN\r\nFOO\r\n\r\nSTARTTLS\r\nnoop x\r\n",
        ["250 2.0.0", "252 2.5.2", "502 5.5.1", "502 5.5.1", "502 5.5.1", "214 2.0.0", "502 5.5.1", "500 5.5.2",
         "500 5.5.2", "502 5.5.1", "250 2.0.0"],
    ),
    "no line ends in lf alone": (b"NOOP\nNOOP\r\n", ["500 5.5.2", "250 2.0.0"]),
    "line too long": (b"NOOP " + b"x" * 3000 + b"\r\nNOOP\r\n", ["500 5.5.2", "250 2.0.0"]),
}  # fmt: skip


def pieces(script: bytes, how: str) -> list[bytes]:
    if how == "whole":
        return [script]
    return script.splitlines(keepends=True) if how == "lines" else [bytes([b]) for b in script]


@pytest.mark.parametrize("how", ["lines", "bytes"])
@pytest.mark.parametrize("name", TRANSCRIPTS)
def test_transcripts(name: str, how: str) -> None:
    script, expected = TRANSCRIPTS[name]
    client = Client()
    assert codes(b"".join(client.say(piece) for piece in pieces(script, how))) == expected


def test_greetings_and_extensions() -> None:
    client = Client(max_size=1000)
    assert client.greeting == b"220 mx.example.test ESMTP LMTP ready\r\n"
    offered = client.say(START).decode().splitlines()
    assert [line[4:] for line in offered] == [
        "mx.example.test greets you", "PIPELINING", "SIZE 1000", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES",
        "CHUNKING", "HELP",
    ]  # fmt: skip
    assert [line[3] for line in offered] == ["-"] * 7 + [" "]
    assert client.say(b"HELO c\r\n") == b"250 mx.example.test greets you\r\n"


@pytest.mark.parametrize(
    ("protocols", "expected"),
    [("lmtp", ["250", "502 5.5.1", "502 5.5.1"]), ("smtp", ["502 5.5.1", "250", "250"]), ("both", ["250"] * 3)],
)
def test_command_protocol(protocols: str, expected: list[str]) -> None:
    client = Client(protocols=protocols)
    assert codes(client.say(b"LHLO c\r\n") + client.say(b"EHLO c\r\n") + client.say(b"HELO c\r\n")) == expected


@pytest.mark.parametrize(
    ("hello", "mail", "tls", "word"),
    [
        (b"LHLO c\r\n", MAIL, False, "LMTP"),
        (b"EHLO c\r\n", MAIL, False, "ESMTP"),
        (b"HELO c\r\n", MAIL, False, "SMTP"),
        (b"LHLO c\r\n", MAIL, True, "LMTPS"),
        (b"EHLO c\r\n", MAIL, True, "ESMTPS"),
        (b"LHLO c\r\n", b"MAIL FROM:<> SMTPUTF8\r\n", False, "UTF8LMTP"),
        (b"EHLO c\r\n", b"MAIL FROM:<> SMTPUTF8\r\n", True, "UTF8SMTPS"),
    ],
)
def test_protocol_word(hello: bytes, mail: bytes, tls: bool, word: str) -> None:
    client = Client()
    client.session.tls = tls
    client.say(hello + mail + RCPT + b"DATA\r\n")
    client.say(b".\r\n")
    assert client.messages[0][0].protocol == word


def test_message_and_envelope_arrive() -> None:
    client = Client()
    client.say(START + MAIL + RCPT + b"RCPT TO:<bob@example.test>\r\nDATA\r\n")
    client.say(b"Subject: x\r\n\r\n..\r\n.\r\n" + MAIL)
    [(envelope, data)] = client.messages
    assert (envelope.sender, envelope.recipients) == (
        "s@client.example",
        ["alice@example.test", "bob@example.test"],
    )
    assert envelope.helo == "client.example"
    assert data == b"Subject: x\r\n\r\n.\r\n"


def test_chunks_are_joined_untouched() -> None:
    client = Client()
    client.say(START + MAIL + RCPT)
    client.say(b"BDAT 7\r\na\r\n.\r\nbBDAT 3\r\n..\rBDAT 1 LAST\r\n\n")
    assert client.messages[0][1] == b"a\r\n.\r\nb..\r\n"


def test_size_is_refused_at_mail() -> None:
    client = Client(max_size=1000)
    assert codes(client.say(START + b"MAIL FROM:<a@b> SIZE=1001\r\nMAIL FROM:<a@b> SIZE=1000\r\n")) == [
        "250", "552 5.3.4", "250 2.1.0",
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["data", "bdat"])
def test_too_large_message_is_read_but_not_held(how: str) -> None:
    client = Client(max_size=1000)
    client.say(START + MAIL + RCPT + RCPT)
    out = b""
    if how == "data":
        client.say(b"DATA\r\n")
        for _ in range(5000):
            out += client.say(b"x" * 98 + b"\r\n")
        out += client.say(b".\r\n")
    else:
        assert client.say(b"BDAT 500000 LAST\r\n") == b""
        for _ in range(5000):
            out += client.say(b"x" * 98 + b"\r\n")
    assert codes(out) == ["552 5.3.4", "552 5.3.4"]
    assert client.sinks[0].most <= 1000
    assert client.sinks[0].closed
    assert codes(client.say(MAIL)) == ["250 2.1.0"]


def test_too_large_chunk_is_told_at_once_and_at_the_end() -> None:
    client = Client(max_size=10)
    client.say(START + MAIL + RCPT)
    assert codes(client.say(b"BDAT 20\r\n" + b"x" * 20)) == ["552 5.3.4"]
    assert codes(client.say(b"BDAT 5\r\n" + b"x" * 5)) == ["552 5.3.4"]
    assert codes(client.say(b"BDAT 3 LAST\r\nx\r\n" + MAIL)) == ["552 5.3.4", "250 2.1.0"]
    assert client.messages == []


def test_full_disk_is_a_temporary_failure() -> None:
    client = Client(Full)
    client.say(START + MAIL + RCPT + b"DATA\r\n")
    assert codes(client.say(b"x\r\n.\r\n" + MAIL)) == ["452 4.3.1", "250 2.1.0"]


@pytest.mark.parametrize("data", [b"a\n.\nb\r\n", b"a\n.\r\nb\r\n", b"a\r\n.\nb\r\n", b"a\rb\r\n", b"a\r.\rb\r\n"])
@pytest.mark.parametrize("how", ["whole", "bytes"])
def test_smuggling_is_refused(data: bytes, how: str) -> None:
    client = Client()
    client.say(START + MAIL + RCPT + RCPT + b"DATA\r\n")
    script = data + b"MAIL FROM:<evil@example.net>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nx\r\n.\r\n"
    assert codes(b"".join(client.say(piece) for piece in pieces(script, how))) == ["554 5.6.0", "554 5.6.0"]
    assert client.messages == []


def test_smuggling_in_chunks_is_refused() -> None:
    client = Client()
    client.say(START + MAIL + RCPT)
    assert codes(client.say(b"BDAT 5 LAST\r\na\n.\r\n")) == ["554 5.6.0"]


def test_bare_newlines_can_be_mended_instead() -> None:
    client = Client(normalise=True)
    client.say(START + MAIL + RCPT + b"DATA\r\n")
    assert codes(client.say(b"a\n.\nb\r\n.\r\n")) == ["250 2.0.0"]
    assert client.messages[0][1] == b"a\r\n.\r\nb\r\n"


def test_recipient_limit() -> None:
    client = Client(max_recipients=3)
    out = client.say(START + MAIL + RCPT * 2 + b"RCPT TO:<x@y>\r\n" + RCPT * 2)
    assert codes(out)[2:] == ["250 2.1.5", "250 2.1.5", "550 5.1.1", "452 4.5.3", "452 4.5.3"]
    assert not client.closed


def test_too_many_errors() -> None:
    client = Client(max_errors=3)
    assert codes(client.say(b"FOO\r\n" * 5)) == ["500 5.5.2"] * 3 + ["421 4.7.0"]
    assert client.closed
    assert client.say(b"NOOP\r\n") == b""


def test_unknown_recipients_are_no_errors() -> None:
    client = Client(max_errors=3)
    assert codes(client.say(START + MAIL + b"RCPT TO:<x@y>\r\n" * 10))[2:] == ["550 5.1.1"] * 10


def test_data_sent_before_its_time_are_not_commands() -> None:
    client = Client()
    out = client.say(START + MAIL + b"RCPT TO:<nobody@elsewhere.test>\r\nDATA\r\nRSET\r\n" + MAIL + RCPT)
    assert codes(out) == ["250", "250 2.1.0", "550 5.1.1", "503 5.5.1", "421 4.7.0"]
    assert client.closed


def test_starttls_forgets_what_was_said() -> None:
    client = Client(tls_available=True)
    assert "STARTTLS" in client.say(START).decode()
    client.say(MAIL)
    out = client.say(b"STARTTLS\r\nRSET\r\nMAIL FROM:<injected@example.net>\r\n")
    assert codes(out) == ["220 2.0.0"]
    assert client.session.tls
    assert codes(client.say(MAIL)) == ["503 5.5.1"]
    assert "STARTTLS" not in client.say(START).decode()
    assert codes(client.say(b"STARTTLS\r\n")) == ["502 5.5.1"]


def test_starttls_takes_no_argument_and_may_be_required() -> None:
    client = Client(tls_available=True, force_tls=True)
    assert codes(client.say(START + MAIL + b"STARTTLS now\r\n"))[1:] == ["530 5.7.0", "501 5.5.4"]


def test_goodbye_ends_it() -> None:
    client = Client()
    client.say(START)
    assert client.session.idle
    client.say(MAIL)
    assert not client.session.idle
    assert client.session.goodbye(b"421 4.3.2 x\r\n") == b"421 4.3.2 x\r\n"
    assert client.say(b"NOOP\r\n") == b""
    assert client.closed


def test_many_recipients_hold_little() -> None:
    client = Client()
    client.say(START + MAIL)
    for i in range(1000):
        assert codes(client.say(b"RCPT TO:<u%d@example.test>\r\n" % i)) == ["250 2.1.5"]
    client.say(b"DATA\r\n")
    assert codes(client.say(b"x\r\n.\r\n")) == ["250 2.0.0"] * 1000
    assert len(client.sinks) == 1
