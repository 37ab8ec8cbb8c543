"""FETCH of contents: sections, partials, large messages, \\Seen, what the owner is asked and how often."""

from __future__ import annotations

from typing import Any

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import calls
from gromoxd.exmdb.api import MailboxRef
from tests.imap.harness import Client, World, message

MULTI = (
    b"From: a@example.net\r\nSubject: parts\r\n"
    b'Content-Type: multipart/mixed; boundary="b"\r\n\r\npreamble\r\n'
    b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\n"
    b"Subject: inner\r\nX-A: 1\r\n\r\ninner body\r\n"
    b"--b--\r\nepilogue\r\n"
)
INNER = b"Subject: inner\r\nX-A: 1\r\n\r\ninner body"


def selected(*messages: bytes, world: World | None = None) -> Client:
    client = (world or World()).login()
    for text in messages:
        client.append(text)
    client.ok("SELECT INBOX")
    return client


def one(client: Client, items: str) -> bytes:
    """The answer to FETCH 1 of one item, without its frame."""
    (line,) = client.ok(f"FETCH 1 {items}")
    assert line.startswith(b"* 1 FETCH (") and line.endswith(b")")
    return line[len(b"* 1 FETCH (") : -1]


def literal(data: bytes) -> bytes:
    return b"{%d}\r\n%b" % (len(data), data)


SECTIONS = {
    "[]": MULTI,
    "[HEADER]": MULTI[: MULTI.index(b"preamble")],
    "[TEXT]": MULTI[MULTI.index(b"preamble") :],
    "[1]": b"first",
    "[1.MIME]": b"Content-Type: text/plain\r\n\r\n",
    "[2]": INNER,
    "[2.HEADER]": b"Subject: inner\r\nX-A: 1\r\n\r\n",
    "[2.TEXT]": b"inner body",
    "[2.1]": b"inner body",
    "[2.HEADER.FIELDS (X-A)]": b"X-A: 1\r\n\r\n",
    "[2.HEADER.FIELDS.NOT (X-A)]": b"Subject: inner\r\n\r\n",
    "[HEADER.FIELDS (SUBJECT NONE)]": b"Subject: parts\r\n\r\n",
    "[HEADER.FIELDS.NOT (CONTENT-TYPE)]": b"From: a@example.net\r\nSubject: parts\r\n\r\n",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_sections(section: str) -> None:
    client = selected(MULTI)
    assert one(client, f"BODY.PEEK{section}") == b"BODY" + section.encode() + b" " + literal(SECTIONS[section])


@pytest.mark.parametrize("section", SECTIONS)
def test_partials(section: str) -> None:
    client, data = selected(MULTI), SECTIONS[section]
    for offset, length in ((0, 5), (3, 4), (0, 100000), (len(data) - 1, 9), (len(data), 5), (len(data) + 50, 5)):
        wanted = b"BODY%b<%d> %b" % (section.encode(), offset, literal(data[offset : offset + length]))
        assert one(client, f"BODY.PEEK{section}<{offset}.{length}>") == wanted


@pytest.mark.parametrize("section", ["[3]", "[1.1]", "[1.HEADER]", "[2.2]", "[9.9.MIME]"])
def test_sections_that_are_not_there(section: str) -> None:
    assert one(selected(MULTI), f"BODY.PEEK{section}") == b"BODY" + section.encode() + b" NIL"


def test_rfc822_items() -> None:
    client = selected(MULTI)
    assert one(client, "RFC822.HEADER") == b"RFC822.HEADER " + literal(SECTIONS["[HEADER]"])
    assert one(client, "RFC822.TEXT").startswith(b"RFC822.TEXT " + literal(SECTIONS["[TEXT]"]))
    assert one(client, "RFC822") == b"RFC822 " + literal(MULTI)


def test_part_1_of_a_message_that_is_no_multipart() -> None:
    client = selected(message(1, "just text\r\n"))
    assert one(client, "BODY.PEEK[1]") == b"BODY[1] " + literal(b"just text\r\n")


def test_an_empty_body_gains_nothing() -> None:
    client = selected(b"Subject: x\r\n\r\n")
    assert one(client, "BODY.PEEK[TEXT]") == b"BODY[TEXT] {0}\r\n"
    assert one(client, "BODY.PEEK[]") == b"BODY[] " + literal(b"Subject: x\r\n\r\n")
    assert one(client, "RFC822.SIZE") == b"RFC822.SIZE 14"


def test_body_is_bodystructure_without_extension() -> None:
    client = selected(MULTI)
    text = one(client, "BODY")
    assert text.startswith(b'BODY (("text" "plain"')
    assert text.endswith(b' 3) "mixed")')
    assert b'"mixed" ("boundary" "b")' in one(client, "BODYSTRUCTURE")


def test_seen_is_set_once_and_told() -> None:
    client = selected(message(1), message(2))
    client.ok("STORE 1:2 FLAGS ()")
    counted = count_calls(client.world)
    assert [x.rpartition(b" FLAGS")[2] for x in client.ok("FETCH 1:2 BODY[TEXT]")] == [b" (\\Recent \\Seen))"] * 2
    assert counted == {"SetFlags": 1, "GetContents": 1}
    counted.clear()
    assert all(b"FLAGS" not in line for line in client.ok("FETCH 1:2 BODY[TEXT]"))
    assert counted == {}  # seen already, and the contents are remembered


def count_calls(world: World) -> dict[str, int]:
    """From now on, how often each call is made."""
    counted: dict[str, int] = {}
    real = world.store.call

    def call(mailbox: MailboxRef, wanted: Any, **more: Any) -> Any:
        name = type(wanted).__name__
        counted[name] = counted.get(name, 0) + 1
        return real(mailbox, wanted, **more)

    world.store.call = call
    return counted


def test_what_a_command_costs() -> None:
    client = selected(*(message(n) for n in range(5)))
    client.ok("STATUS Drafts (MESSAGES)")
    counted = count_calls(client.world)
    client.ok("FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE)")
    client.ok("SEARCH UNSEEN SINCE 1-Jan-2000")
    client.ok("NOOP")
    client.ok("STATUS Drafts (MESSAGES UNSEEN)")
    client.ok("SELECT INBOX")
    client.ok('LIST "" "*"')
    client.ok("EXPUNGE")
    assert counted == {}
    client.ok("STORE 1:* +FLAGS (\\Answered)")
    client.ok("FETCH 1:* ENVELOPE")
    client.ok("FETCH 1:* ENVELOPE")
    client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]")
    client.ok("FETCH 1:* BODY.PEEK[HEADER.FIELDS (Subject)]")
    client.ok("SEARCH TEXT a BODY b NOT SUBJECT c")
    assert counted == {"SetFlags": 1, "GetPieces": 2, "SearchText": 1}


@pytest.mark.parametrize("size", [(1 << 20) - 1, (1 << 20) + 1, 3 << 20])
def test_large_messages_are_streamed_whole(size: int) -> None:
    head = b"Subject: big\r\n\r\n"
    text = head + (b"x" * 62 + b"\r\n") * (size // 64) + b"tail"
    client = selected(message(1), text, message(2))
    counted = count_calls(client.world)
    lines = client.ok("FETCH 1:3 (UID BODY.PEEK[] RFC822.SIZE)")
    assert lines[1] == b"* 2 FETCH (UID 2 BODY[] %b RFC822.SIZE %d)" % (literal(text), len(text))
    assert lines[2].startswith(b"* 3 FETCH (UID 3 BODY[] ")
    if len(text) > 1 << 20:
        assert counted["ReadContent"] >= len(text) // (256 << 10)
    (line,) = client.ok(f"FETCH 2 (BODY.PEEK[TEXT]<{len(text) - len(head) - 6}.100> BODY.PEEK[HEADER] ENVELOPE)")
    assert line.startswith(b"* 2 FETCH (BODY[TEXT]<%d> {6}\r\n\r\ntail BODY[HEADER] {16}" % (len(text) - len(head) - 6))
    (line,) = client.ok("FETCH 2 (BODY.PEEK[1]<0.4> BODY.PEEK[7] FLAGS)")
    assert line == b"* 2 FETCH (BODY[1]<0> {4}\r\nxxxx BODY[7] NIL FLAGS (\\Recent))"


def test_a_large_message_that_is_gone() -> None:
    text = b"Subject: big\r\n\r\n" + b"x" * (2 << 20)
    client = selected(text)
    other = client.world.login()
    other.ok("SELECT INBOX")
    other.ok("STORE 1 +FLAGS (\\Deleted)")
    other.ok("EXPUNGE")
    assert client.command("FETCH 1 BODY.PEEK[]") == [b"NO [EXPUNGEISSUED] Some of the messages no longer exist"]


def test_a_large_message_that_goes_while_it_is_sent_ends_the_connection() -> None:
    text = b"Subject: big\r\n\r\n" + b"x" * (2 << 20)
    client = selected(text)
    real = client.world.store.call

    def call(mailbox: MailboxRef, wanted: Any, **more: Any) -> Any:
        if isinstance(wanted, calls.ReadContent) and wanted.offset > 500_000:
            raise MapiError(Ec.ecNotFound, "gone")
        return real(mailbox, wanted, **more)

    client.world.store.call = call
    with pytest.raises(AssertionError):  # the literal is cut off: nothing may follow it
        client.raw(b"x FETCH 1 BODY.PEEK[]\r\n")
    assert client.closed


def test_many_contents_come_in_several_calls_and_in_order() -> None:
    texts = [message(n, f"{n} " * 60000) for n in range(12)]
    client = selected(*texts)
    counted = count_calls(client.world)
    lines = client.ok("FETCH 1:* BODY.PEEK[]")
    assert lines == [b"* %d FETCH (BODY[] %b)" % (n, literal(t)) for n, t in enumerate(texts, 1)]
    assert 3 <= counted["GetContents"] <= 12


def test_more_than_a_page() -> None:
    client = selected(*(message(n) for n in range(600)))
    lines = client.ok("FETCH 255:258 (UID ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    assert [line.split(b" ENVELOPE")[0] for line in lines] == [b"* %d FETCH (UID %d" % (n, n) for n in range(255, 259)]
    assert all(b"Message %d" % (n - 1) in line for n, line in zip(range(255, 259), lines, strict=True))
    client.ok("UID STORE 100:500 +FLAGS.SILENT (\\Deleted)")
    assert len(client.ok("EXPUNGE")) == 401
    assert client.ok("UID FETCH 90:510 (UID)")[9:11] == [
        b"* 99 FETCH (UID 99)", b"* 100 FETCH (UID 501)",
    ]  # fmt: skip


def test_a_field_name_that_is_no_atom() -> None:
    client = selected(message(1))
    assert one(client, 'BODY.PEEK[HEADER.FIELDS ("X Y" "(")]') == b'BODY[HEADER.FIELDS ("X Y" "(")] {2}\r\n\r\n'


def test_headers_of_different_sections_are_not_confused() -> None:
    client = selected(message(1))
    for _ in range(2):
        assert b"Subject: Message 1" in one(client, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
        assert b"Subject" not in one(client, "BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)]")
        assert one(client, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]<0.4>").endswith(b"{4}\r\nSubj")


def test_out_of_reach() -> None:
    client = selected(message(1))

    def call(mailbox: MailboxRef, wanted: Any, **more: Any) -> Any:
        raise MapiError(Ec.ecNetwork, "the store is away")

    client.world.store.call = call
    assert client.command("FETCH 1 BODY.PEEK[]")[-1].startswith(b"NO [UNAVAILABLE]")
    assert client.command("STORE 1 +FLAGS (x)")[-1].startswith(b"NO [UNAVAILABLE]")
    assert client.command("NOOP") == [b"OK NOOP completed"]
