"""The server over real sockets: transcripts, TLS, IDLE, timeouts, drain; rounds of imaplib and IMAPClient."""

from __future__ import annotations

import imaplib
import ssl
from collections.abc import Callable
from typing import Any

import gevent
import imapclient
import pytest

from tests.common.running import Running, until
from tests.imap.harness import message
from tests.imap.online import Wire, online, play_online
from tests.imap.test_transcripts import SCRIPTS

Start = Callable[..., Running]


@pytest.mark.parametrize("script", SCRIPTS)
def test_transcripts(start: Start, script: str) -> None:
    _, running = online(start)
    play_online(running, script)
    assert running.board.get("internal_errors", 0) == 0


def logged_in(running: Running) -> Wire:
    wire = Wire(running.connect())
    wire.send(b"l LOGIN alice@example.test secret\r\n")
    assert wire.until(b"l")[-1].startswith(b"l OK")
    return wire


def test_idle_is_told_at_once(start: Start) -> None:
    world, running = online(start)
    one, two = logged_in(running), logged_in(running)
    one.send(b"a SELECT INBOX\r\nb IDLE\r\n")
    one.until(b"a")
    assert one.line() == b"+ idling"
    two.send(b"a APPEND INBOX {5+}\r\nhello\r\n")
    assert one.line() == b"* 1 EXISTS"
    assert one.line() == b"* 1 RECENT"
    two.until(b"a")
    one.send(b"DONE\r\nc LOGOUT\r\n")
    assert one.until(b"c") == [b"b OK IDLE completed", b"* BYE Logging out", b"c OK LOGOUT completed"]
    assert one.line() == b""
    two.sock.close()
    until(lambda: world.services.logins == {})
    assert [box.sessions for box in world.services.mailboxes._open.values()] == [0]
    assert world.store._mailboxes["/var/alice@example.test"].watchers == []


def test_one_watch_for_all_sessions_of_a_mailbox(start: Start) -> None:
    world, running = online(start)
    wires = [logged_in(running) for _ in range(5)]
    for wire in wires:
        wire.send(b"a SELECT INBOX\r\nb IDLE\r\n")
        wire.until(b"a")
        assert wire.line() == b"+ idling"
    assert len(world.store._mailboxes["/var/alice@example.test"].watchers) == 1
    wires[0].send(b"DONE\r\nc APPEND INBOX {1+}\r\nx\r\n")
    for wire in wires[1:]:
        assert wire.line() == b"* 1 EXISTS"
        wire.sock.close()
    assert wires[0].until(b"c")[-1].startswith(b"c OK")


def test_pipelined_appends_over_a_socket(start: Start) -> None:
    _, running = online(start)
    wire = logged_in(running)
    texts = [message(n, "x" * 3000) for n in range(60)]
    wire.send(b"".join(b"p%d APPEND INBOX {%d+}\r\n%b\r\n" % (n, len(t), t) for n, t in enumerate(texts)))
    for n in range(60):
        assert wire.line() == b"p%d OK [APPENDUID 13 %d] APPEND completed" % (n, n + 1)


def test_starttls(start: Start, certificate: tuple[str, str]) -> None:
    _, running = online(start, certificate=certificate[0], private_key=certificate[1])

    def converse() -> list[Any]:
        client = imaplib.IMAP4("127.0.0.1", running.port)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client.starttls(context)
        told = [client.capabilities, client.login("alice@example.test", "secret"), client.select()[1]]
        client.logout()
        return told

    told = gevent.get_hub().threadpool.apply(converse)
    assert "STARTTLS" not in told[0]
    assert "AUTH=PLAIN" in told[0]
    assert told[2] == [b"0"]


def test_plaintext_before_the_handshake_is_not_run(start: Start, certificate: tuple[str, str]) -> None:
    _, running = online(start, certificate=certificate[0], private_key=certificate[1])
    wire = Wire(running.connect())
    wire.line()
    wire.send(b"a STARTTLS\r\nb LOGIN alice@example.test secret\r\n")
    assert wire.line() == b"* BYE Plaintext behind STARTTLS"
    assert wire.line() == b""


def test_implicit_tls(start: Start, certificate: tuple[str, str]) -> None:
    _, running = online(start, tls=True, certificate=certificate[0], private_key=certificate[1])

    def converse() -> Any:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        client = imaplib.IMAP4_SSL("127.0.0.1", running.port, ssl_context=context)
        client.login("alice@example.test", "secret")
        client.append("INBOX", "", "", b"x" * 300_000)
        client.select()
        data = client.fetch("1", "(BODY.PEEK[])")[1]
        client.logout()
        return data

    data = gevent.get_hub().threadpool.apply(converse)
    assert data[0][1] == b"x" * 300_000


def test_silence_before_login_and_after(start: Start) -> None:
    _, running = online(start, settings={"imap_conn_timeout": 0.1, "imap_autologout_time": 0.3})
    wire = Wire(running.connect())
    wire.line()
    assert wire.line() == b"* BYE Autologout; idle for too long"
    assert wire.line() == b""
    wire = logged_in(running)
    assert wire.line() == b"* BYE Autologout; idle for too long"


def test_a_client_that_only_chats_must_log_in_in_time(start: Start) -> None:
    _, running = online(start, settings={"imap_conn_timeout": 0.2})
    wire = Wire(running.connect())
    lines = [wire.line()]
    while lines[-1] and not lines[-1].startswith(b"* BYE"):
        wire.send(b"a NOOP\r\n")
        lines.append(wire.line())
        gevent.sleep(0.01)
    assert lines[-1] == b"* BYE Autologout; idle for too long"


def test_drain_says_bye(start: Start) -> None:
    _, running = online(start)
    idling, resting, stranger = logged_in(running), logged_in(running), Wire(running.connect())
    stranger.line()
    idling.send(b"a IDLE\r\n")
    assert idling.line() == b"+ idling"
    running.drain()
    for wire in (idling, resting, stranger):
        assert wire.line() == b"* BYE Server is shutting down, come back soon"
        assert wire.line() == b""


def test_a_bug_is_logged_counted_and_answered(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    world, running = online(start)
    wire = logged_in(running)
    world.store.published = lambda mailbox, key: 1 / 0
    wire.send(b"a STATUS INBOX (MESSAGES)\r\n")
    assert wire.line() == b"a NO [SERVERBUG] Internal error"
    assert running.board["internal_errors"] == 1
    assert "command failed" in caplog.text
    wire.send(b"b NOOP\r\n")
    assert wire.line() == b"b OK NOOP completed"


def test_a_half_command_and_a_closed_connection(start: Start) -> None:
    world, running = online(start)
    for text in (b"a APPEND INBOX {500000+}\r\nhalf", b"a FETCH 1:", b"a IDLE\r\n"):
        wire = logged_in(running)
        wire.send(text)
        wire.sock.close()
    until(lambda: world.services.logins == {})
    assert running.board.get("internal_errors", 0) == 0


def test_imaplib(start: Start) -> None:
    _, running = online(start)

    def converse() -> None:
        client = imaplib.IMAP4("127.0.0.1", running.port)
        client.login("alice@example.test", "secret")
        assert client.create('"Work &- Play"')[0] == "OK"
        assert client.append('"Work &- Play"', "(\\Seen)", None, message(1))[0] == "OK"
        assert client.select('"Work &- Play"') == ("OK", [b"1"])
        assert client.fetch("1", "(FLAGS BODY.PEEK[TEXT])")[1][0][1] == b"Hello\r\n"
        assert client.store("1", "+FLAGS", "(\\Flagged custom)")[1] == [b"1 (FLAGS (\\Recent \\Seen \\Flagged custom))"]
        assert client.search("UTF-8", "SUBJECT", '"message"')[1] == [b"1"]
        assert client.uid("COPY", "1", "INBOX")[0] == "OK"
        assert client.status("INBOX", "(MESSAGES UNSEEN)")[1] == [b'"INBOX" (MESSAGES 1 UNSEEN 0)']
        assert client.store("1", "+FLAGS.SILENT", "(\\Deleted)")[0] == "OK"
        assert client.expunge()[1] == [b"1"]
        assert client.close()[0] == "OK"
        assert client.delete('"Work &- Play"')[0] == "OK"
        assert client.logout()[0] == "BYE"

    gevent.get_hub().threadpool.apply(converse)


def test_imapclient(start: Start) -> None:
    _, running = online(start)

    def converse() -> None:
        with imapclient.IMAPClient("127.0.0.1", running.port, ssl=False) as client:
            client.login("alice@example.test", "secret")
            assert client.has_capability("MOVE")
            assert client.namespace().personal == (("", "/"),)
            assert client.id_({"name": "test"})[0] == (b"name", b"gromoxd")
            client.create_folder("Größe/日本")
            assert "Größe/日本" in [name for _, _, name in client.list_folders()]
            assert client.find_special_folder(b"\\Sent") == "Sent Items"
            for n in range(3):
                client.append("Größe/日本", message(n, Subject=f"Straße {n}"), flags=["$Label1"])
            assert client.select_folder("Größe/日本")[b"EXISTS"] == 3
            assert client.search(["SUBJECT", "STRASSE 1"], charset="UTF-8") in ([], [2])
            assert client.search(["KEYWORD", "$label1"]) == [1, 2, 3]
            got = client.fetch([1, 2], ["ENVELOPE", "BODYSTRUCTURE", "INTERNALDATE", "FLAGS", "MODSEQ"])
            assert got[1][b"ENVELOPE"].from_[0].mailbox == b"sender0"
            assert got[2][b"BODYSTRUCTURE"][0] == b"text"
            client.move([1], "INBOX")
            client.delete_messages([2])
            client.expunge([2])
            assert client.search() == [3]
            client.idle()
            client.idle_done()
            client.rename_folder("Größe/日本", "Größe/中国")
            assert client.folder_status("Größe/中国", ["MESSAGES"]) == {b"MESSAGES": 1}

    gevent.get_hub().threadpool.apply(converse)
