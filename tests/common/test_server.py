"""The connection server: limits, TLS, PROXY headers, timeouts, drain, and what happens when a handler fails."""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import pytest

from tests.common.running import Running, until
from workers.common.connection import Connection, ConnTimeout
from workers.common.proxy import SIGNATURE
from workers.common.server import ServerSettings, networks


def echo(conn: Connection) -> None:
    while data := conn.recv():
        conn.send(data)


def close(*socks: Any) -> None:
    for sock in socks:
        sock.close()


def test_echo_and_closing_line(start: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server = start(echo)
    client = server.connect()
    client.sendall(b"hello")
    assert client.recv(100) == b"hello"
    client.close()
    until(lambda: not server.server.connections)
    [record] = [vars(r) for r in caplog.records if r.getMessage() == "session ended"]
    assert (record["peer"], record["in"], record["out"], record["tls"]) == ("127.0.0.1", 5, 5, False)
    assert server.board["connections_total"] == 1
    assert server.board["connections"] == 0
    assert server.board["bytes_in"] == 5


def test_failing_handler_is_counted_and_closed(start: Callable[..., Running], caplog: pytest.LogCaptureFixture) -> None:
    def fail(conn: Connection) -> None:
        raise KeyError("bug")

    server = start(fail)
    client = server.connect()
    assert client.recv(10) == b""
    client.close()
    assert server.board["internal_errors"] == 1
    assert "unforeseen exception" in caplog.text
    again = server.connect()  # the server goes on
    assert again.recv(10) == b""
    again.close()


def test_silent_peer_times_out_and_may_be_told(start: Callable[..., Running]) -> None:
    def impatient(conn: Connection) -> None:
        conn.set_timeout(0.05)
        with pytest.raises(ConnTimeout):
            conn.recv()
        conn.send(b"bye\r\n")

    server = start(impatient)
    client = server.connect()
    assert client.recv(100) == b"bye\r\n"
    assert client.recv(100) == b""
    client.close()


def test_peer_that_does_not_read_is_cut(start: Callable[..., Running]) -> None:
    ended: list[type] = []

    def flood(conn: Connection) -> None:
        try:
            while True:
                conn.send(bytes(1 << 20))
        except ConnTimeout as error:
            ended.append(type(error))

    server = start(flood, send_timeout=0.1)
    client = server.connect()
    until(lambda: bool(ended))
    assert ended == [ConnTimeout]
    client.close()


def test_send_of_several_pieces_and_much(start: Callable[..., Running]) -> None:
    blob = bytes(range(256)) * 20000

    def give(conn: Connection) -> None:
        conn.send([b"head", blob, b"tail"])

    server = start(give)
    client = server.connect()
    got = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert got == b"head" + blob + b"tail"
    client.close()


def test_wake_interrupts_a_wait(start: Callable[..., Running]) -> None:
    seen: list[Any] = []
    conns: list[Connection] = []

    def idle(conn: Connection) -> None:
        conns.append(conn)
        seen.append(conn.recv_or_wake())
        seen.append(conn.recv_or_wake())

    server = start(idle)
    client = server.connect()
    until(lambda: bool(conns))
    conns[0].wake()
    until(lambda: seen == [None])
    client.sendall(b"x")
    until(lambda: seen == [None, b"x"])
    client.close()


def test_wake_before_the_wait_is_not_lost(start: Callable[..., Running]) -> None:
    seen: list[Any] = []

    def idle(conn: Connection) -> None:
        conn.wake()
        seen.append(conn.recv_or_wake())

    client = start(idle).connect()
    until(lambda: seen == [None])
    client.close()


def test_a_thousand_idle_strangers_do_not_keep_others_out(start: Callable[..., Running]) -> None:
    server = start(echo, max_strangers=50, max_connections=400)
    strangers = [server.connect() for _ in range(300)]
    client = server.connect()
    client.sendall(b"me too")
    assert client.recv(100) == b"me too"
    until(lambda: len(server.server.connections) <= 51)
    assert strangers[0].recv(10) == b""
    close(client, *strangers)


def test_logged_in_connections_are_not_dropped_for_strangers(start: Callable[..., Running]) -> None:
    def handler(conn: Connection) -> None:
        while data := conn.recv():
            conn.mark_authenticated("alice")
            conn.send(data)

    server = start(handler, max_strangers=5)
    client = server.connect()
    client.sendall(b"1")
    assert client.recv(10) == b"1"
    strangers = [server.connect() for _ in range(20)]
    until(lambda: len(server.server.connections) == 6)
    client.sendall(b"2")
    assert client.recv(10) == b"2"
    close(client, *strangers)


def test_connection_limit_waits_in_the_backlog(start: Callable[..., Running]) -> None:
    server = start(echo, max_connections=2)
    first, second, third = server.connect(), server.connect(), server.connect()
    for client in (first, second):
        client.sendall(b"x")
        assert client.recv(10) == b"x"
    third.sendall(b"later")
    gevent.sleep(0.05)
    assert len(server.server.connections) == 2
    first.close()
    assert third.recv(10) == b"later"
    close(second, third)


def test_limit_per_address_counts_the_proxied_client(start: Callable[..., Running]) -> None:
    server = start(echo, per_address=1, proxy=True, proxy_trusted=networks(["127.0.0.0/8"]), refusal=b"too many\r\n")
    header = b"PROXY TCP4 192.0.2.7 192.0.2.1 5555 143\r\n"
    first, second = server.connect(), server.connect()
    first.sendall(header + b"a")
    assert first.recv(10) == b"a"
    second.sendall(header + b"b")
    assert second.recv(100) == b"too many\r\n"
    assert second.recv(100) == b""
    first.close()
    until(lambda: not server.server.connections)
    third = server.connect()
    third.sendall(header + b"c")
    assert third.recv(10) == b"c"
    close(second, third)


@pytest.mark.parametrize("family", ["v1", "v2"])
def test_proxy_header_gives_the_peer(start: Callable[..., Running], family: str) -> None:
    peers: list[tuple[str, int, bool]] = []

    def handler(conn: Connection) -> None:
        peers.append((conn.peer, conn.peer_port, conn.peer_is_loopback))
        echo(conn)

    server = start(handler, proxy=True, proxy_trusted=networks(["127.0.0.1"]))
    client = server.connect()
    if family == "v1":
        client.sendall(b"PROXY TCP6 2001:db8::5 2001:db8::1 4000 25\r\nhi")
    else:
        block = socket.inet_pton(socket.AF_INET6, "2001:db8::5") * 2 + (4000).to_bytes(2, "big") * 2
        client.sendall(SIGNATURE + b"\x21\x21" + len(block).to_bytes(2, "big") + block + b"hi")
    assert client.recv(10) == b"hi"
    assert peers == [("2001:db8::5", 4000, False)]
    client.close()


def test_garbage_instead_of_a_proxy_header_closes(start: Callable[..., Running]) -> None:
    server = start(echo, proxy=True, proxy_trusted=networks(["127.0.0.1"]))
    client = server.connect()
    client.sendall(b"EHLO somebody.example\r\n")
    assert client.recv(10) == b""
    assert server.board["bad_input"] == 1
    client.close()


def test_untrusted_address_speaks_without_header(start: Callable[..., Running]) -> None:
    server = start(echo, proxy=True, proxy_trusted=networks(["192.0.2.0/24"]))
    client = server.connect()
    client.sendall(b"PROXY TCP4 ")
    assert client.recv(100) == b"PROXY TCP4 "
    client.close()


def tls_client(sock: Any) -> Any:
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context.wrap_socket(sock)


def test_implicit_tls(start: Callable[..., Running], certificate: tuple[str, str]) -> None:
    seen: list[bool] = []

    def handler(conn: Connection) -> None:
        seen.append(conn.tls)
        echo(conn)

    server = start(handler, tls=True, certificate=certificate[0], private_key=certificate[1])
    client = tls_client(server.connect())
    blob = b"0123456789" * 30000
    gevent.spawn(client.sendall, blob)
    got = b""
    while len(got) < len(blob):
        got += client.recv(1 << 16)
    assert got == blob
    assert seen == [True]
    assert client.version() in ("TLSv1.2", "TLSv1.3")
    client.close()


def test_start_tls_and_close_notify(start: Callable[..., Running], certificate: tuple[str, str]) -> None:
    def handler(conn: Connection) -> None:
        assert conn.recv() == b"STARTTLS"
        assert conn.tls_available
        conn.send(b"go")
        conn.start_tls()
        assert not conn.tls_available
        conn.send(conn.recv().upper())

    server = start(handler, certificate=certificate[0], private_key=certificate[1])
    sock = server.connect()
    sock.sendall(b"STARTTLS")
    assert sock.recv(10) == b"go"
    client = tls_client(sock)
    client.suppress_ragged_eofs = False
    client.sendall(b"secret")
    assert client.recv(100) == b"SECRET"
    assert client.recv(100) == b""  # an orderly end, not a truncated stream
    client.close()


def test_garbage_for_a_handshake_closes(start: Callable[..., Running], certificate: tuple[str, str]) -> None:
    server = start(echo, tls=True, certificate=certificate[0], private_key=certificate[1])
    client = server.connect()
    client.sendall(b"GET / HTTP/1.0\r\n\r\n")
    with contextlib.suppress(ConnectionResetError):
        while client.recv(100):
            pass  # perhaps an alert
    client.close()
    until(lambda: not server.server.connections)
    assert server.board.get("internal_errors", 0) == 0


def test_silent_handshake_ends(start: Callable[..., Running], certificate: tuple[str, str]) -> None:
    server = start(echo, tls=True, certificate=certificate[0], private_key=certificate[1], handshake_timeout=0.1)
    client = server.connect()
    assert client.recv(10) == b""
    client.close()


def test_bad_certificate_keeps_the_old_one(
    start: Callable[..., Running], certificate: tuple[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = start(echo, tls=True, certificate=certificate[0], private_key=certificate[1])
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    server.settings = ServerSettings(certificate=str(broken), private_key=certificate[1], sweep_seconds=0.05)
    server.server.reload()
    assert "certificate not loaded" in caplog.text
    client = tls_client(server.connect())
    client.sendall(b"still")
    assert client.recv(10) == b"still"
    client.close()


def test_drain_tells_sessions_and_stops_accepting(start: Callable[..., Running]) -> None:
    def handler(conn: Connection) -> None:
        while not conn.draining and (data := conn.recv_or_wake()):
            conn.send(data)
        if conn.draining:
            conn.send(b"going down\r\n")

    server = start(handler)
    client = server.connect()
    client.sendall(b"x")
    assert client.recv(10) == b"x"
    server.drain()
    assert client.recv(100) == b"going down\r\n"
    assert not server.server.connections
    client.close()


def test_drain_cuts_the_unwilling(start: Callable[..., Running]) -> None:
    server = start(echo, drain_seconds=0.1)
    client = server.connect()
    client.sendall(b"x")
    assert client.recv(10) == b"x"
    server.drain()
    assert client.recv(10) == b""
    client.close()


def test_last_words_survive_unread_input(start: Callable[..., Running]) -> None:
    """Closing with input unread would reset the connection and lose the answer on its way."""

    def handler(conn: Connection) -> None:
        conn.recv(10)
        gevent.sleep(0.05)
        conn.send(b"421 too much\r\n")

    client = start(handler).connect()
    client.sendall(b"x" * 100_000)
    gevent.sleep(0.1)
    assert client.recv(100) == b"421 too much\r\n"
    client.close()


def test_aborted_tls_connection_gives_no_ciphertext(
    start: Callable[..., Running], certificate: tuple[str, str]
) -> None:
    seen: list[bytes] = []

    def handler(conn: Connection) -> None:
        seen.append(conn.recv())
        conn.send(b"ok")
        gevent.sleep(0.05)  # the client's next words arrive meanwhile
        conn.abort()
        seen.append(conn.recv())

    server = start(handler, tls=True, certificate=certificate[0], private_key=certificate[1])
    client = tls_client(server.connect())
    client.sendall(b"one")
    assert client.recv(10) == b"ok"
    client.sendall(b"two")
    until(lambda: len(seen) == 2)
    assert seen == [b"one", b""]
    client.close()


def test_stranger_is_dropped_in_the_middle_of_the_handshake(
    start: Callable[..., Running], certificate: tuple[str, str]
) -> None:
    server = start(echo, tls=True, certificate=certificate[0], private_key=certificate[1], max_strangers=1)
    first = server.connect()
    until(lambda: len(server.server.connections) == 1)
    second = tls_client(server.connect())
    second.sendall(b"x")
    assert second.recv(10) == b"x"
    assert first.recv(10) == b""
    assert server.board.get("internal_errors", 0) == 0
    close(first, second)
