"""The standard library's imaplib does its round."""

from __future__ import annotations

import imaplib
import re
import ssl

import pytest

from tests.support import messages
from tests.support.server import Server, trusting_tls

pytestmark = pytest.mark.slow

UMLAUTS = '"Entw&APw-rfe"'
QUOTED = r'"say \"cheese\" \\ now"'


def fetched(answer: tuple[str, list[object]]) -> bytes:
    """The literal of a FETCH answer."""
    kind, data = answer
    assert kind == "OK"
    first = data[0]
    assert isinstance(first, tuple), data
    literal = first[1]
    assert isinstance(literal, bytes)
    return literal


def test_deliver_list_fetch_flags_search_expunge(server: Server) -> None:
    """From delivery to expunge, in one session."""
    user = server.add_user("imaplib@example.test")
    original = messages.make("imaplib-1", to=user)
    server.deliver(original, user)
    with server.imap(user) as client:
        assert client.list()[0] == "OK"
        assert any(b'"/"' in line and b"INBOX" in line for line in client.list()[1])
        assert client.select("INBOX") == ("OK", [b"1"])
        assert client.response("UIDVALIDITY")[1][0] is not None
        body = fetched(client.fetch("1", "(BODY.PEEK[])"))
        assert messages.without_trace(body, original) == original
        assert client.fetch("1", "(FLAGS)")[1][0] == rb"1 (FLAGS (\Recent))"
        assert fetched(client.fetch("1", "(RFC822)")) == body
        kind, data = client.store("1", "+FLAGS", r"(\Flagged $Forwarded)")
        assert kind == "OK" and set(imaplib.ParseFlags(data[0])) >= {rb"\Flagged", rb"\Seen", b"$Forwarded"}
        assert client.search(None, "FLAGGED", "SUBJECT", "imaplib-1") == ("OK", [b"1"])
        assert client.search(None, "UNSEEN") == ("OK", [b""])
        assert client.search(None, "KEYWORD", "$Forwarded") == ("OK", [b"1"])
        client.store("1", "+FLAGS", r"\Deleted")
        assert client.expunge() == ("OK", [b"1"])
        assert client.select("INBOX") == ("OK", [b"0"])


def test_append_copy_move(server: Server) -> None:
    """APPEND with flags and date, COPY, MOVE and what UIDPLUS tells of them."""
    user = server.add_user("imaplib2@example.test")
    original = messages.make("imaplib-2", to=user)
    with server.imap(user) as client:
        assert client.create("Archive")[0] == "OK"
        kind, data = client.append("Archive", r"(\Seen \Draft)", '"07-Feb-1994 21:52:25 -0800"', original)
        assert kind == "OK"
        uidvalidity, uid = re.search(rb"APPENDUID (\d+) (\d+)", data[0]).groups()  # type: ignore[union-attr]
        client.select("Archive")
        assert client.response("UIDVALIDITY")[1] == [uidvalidity]
        assert fetched(client.uid("fetch", uid.decode(), "(BODY.PEEK[])")) == original
        answer = client.uid("fetch", uid.decode(), "(INTERNALDATE FLAGS)")[1][0]
        moment = imaplib.Internaldate2tuple(answer)
        assert moment is not None and b"1994" in answer
        assert rb"\Draft" in answer and rb"\Seen" in answer
        assert client.copy("1", '"INBOX"')[0] == "OK"
        kind, data = client._simple_command("UID", "MOVE", uid.decode(), "INBOX")  # imaplib has no move of its own
        assert kind == "OK"
        assert client.select("Archive") == ("OK", [b"0"])
        client.select("INBOX")
        hits = client.search(None, "HEADER", "Message-ID", "imaplib-2@load.example")[1][0].split()
        assert len(hits) == 2
        assert fetched(client.fetch(hits[-1].decode(), "(BODY.PEEK[])")) == original


@pytest.mark.parametrize("name", [UMLAUTS, QUOTED, '"A/B/C"', '"(paren) {x} %"'.replace(" %", "")])
def test_folder_names(server: Server, name: str) -> None:
    """Folders with umlauts, quotes, backslashes and levels: made, listed, renamed, subscribed, removed."""
    with server.imap("bob@example.test") as client:
        assert client.create(name)[0] == "OK"
        listed = b"\n".join(line if isinstance(line, bytes) else b"".join(line) for line in client.list()[1])
        plain = name[1:-1].encode()
        assert plain in listed or plain.replace(b'\\"', b'"').replace(b"\\\\", b"\\") in listed
        assert client.subscribe(name)[0] == "OK"
        assert client.select(name) == ("OK", [b"0"])
        assert client.status(name, "(MESSAGES UIDNEXT)")[0] == "OK"
        client.unselect()
        assert client.rename(name, '"moved"')[0] == "OK"
        assert client.select(name)[0] == "NO"
        assert client.delete('"moved"')[0] == "OK"
        assert client.unsubscribe(name)[0] == "OK"


def test_tls_variants(server: Server) -> None:
    """Implicit TLS and STARTTLS; capabilities change with it."""
    with server.imap(tls=True) as client:
        assert client.noop()[0] == "OK"
    client = imaplib.IMAP4(*server.address("imap"), timeout=20)
    assert "STARTTLS" in client.capabilities
    client.starttls(trusting_tls())
    assert isinstance(client.sock, ssl.SSLSocket)
    assert "STARTTLS" not in client.capabilities
    client.login("alice@example.test", server.password("alice@example.test"))
    assert client.select("INBOX")[0] == "OK"
    client.logout()


def test_authenticate_plain_and_wrong_password(server: Server) -> None:
    """AUTHENTICATE PLAIN works; a wrong password raises, and says no more than that."""
    secret = server.password("alice@example.test")
    client = server.imap("")
    client.authenticate("PLAIN", lambda _: f"\0alice@example.test\0{secret}".encode())
    assert client.noop()[0] == "OK"
    client.logout()
    stranger = server.imap("")
    with pytest.raises(imaplib.IMAP4.error) as failed:
        stranger.login("alice@example.test", "wrong")
    unknown = server.imap("")
    with pytest.raises(imaplib.IMAP4.error) as absent:
        unknown.login("nobody@example.test", "wrong")
    assert str(failed.value) == str(absent.value)
    for each in (stranger, unknown):
        each.shutdown()
