"""Addresses and sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from gromoxd.config import Config
from gromoxd.master import pools
from gromoxd.master.listeners import ListenError, Listeners, bind_tcp, bind_unix, parse_address, shown
from gromoxd.master.pools import ListenerSpec, Pool, PoolError, addresses_of, choose, size_of
from gromoxd.master.settings import ImapPool


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("[::]:143", ("::", 143)), ("[::1]:5000", ("::1", 5000)), ("127.0.0.1:0", ("127.0.0.1", 0)),
        (":25", ("::", 25)), ("unix:/run/x.sock", "/run/x.sock"), ("[0:0::1]:1", ("::1", 1)),
    ],
)  # fmt: skip
def test_addresses(text: str, address: object) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "143",
        "[::1]",
        "[::1]:",
        "::1:143x",
        "host:143",
        "1.2.3:4",
        "[1.2.3.4]:5",
        "1.2.3.4:65536",
        "unix:x",
        "1.2.3.4:٣",
    ],
)
def test_bad_addresses(text: str) -> None:
    with pytest.raises(ValueError):
        parse_address(text)


def test_tcp_sockets_are_ready_for_short_answers() -> None:
    with bind_tcp("127.0.0.1", 0, 5) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert not sock.getblocking() and not os.get_inheritable(sock.fileno())
        with socket.create_connection(sock.getsockname()):
            accepted, _ = sock.accept()
            with accepted:
                assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_any_address_serves_both_families() -> None:
    with bind_tcp("::", 0, 5) as sock:
        port = sock.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if sock.family == socket.AF_INET6:
            assert shown(sock) == f"[::]:{port}"
            socket.create_connection(("::1", port)).close()


def test_unix_sockets_replace_stale_ones_only(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    bind_unix(path, 5, None).close()
    with bind_unix(path, 5, None) as sock:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600 and shown(sock) == f"unix:{path}"
    (tmp_path / "file").write_text("precious")
    with pytest.raises(FileExistsError):
        bind_unix(str(tmp_path / "file"), 5, None)
    assert (tmp_path / "file").read_text() == "precious"
    with pytest.raises(OSError, match="longer than 107"):
        bind_unix("/tmp/" + "x" * 103, 5, None)


def pool(listen: ListenerSpec) -> Pool:
    return Pool("imap", "none:none", ImapPool, "imap_workers", "imap_log_level", lambda cores: cores, (listen,))


def test_each_slot_gets_its_listeners_and_files_go_at_the_end(tmp_path: Path) -> None:
    config = Config.load(tmp_path, {"imap_listen": f"127.0.0.1:0,unix:{tmp_path}/imap.sock"})
    store = Pool("store", "none:none", ImapPool, "imap_workers", "imap_log_level", lambda cores: 2, own_sockets=True)
    listeners = Listeners(str(tmp_path), 5, None)
    listeners.open([pool(ListenerSpec("imap", "imap_listen")), store], config, {"imap": 3, "store": 2})
    assert [item.service for item in listeners.of("imap", 2)] == ["imap", "imap"]
    assert listeners.of("imap", 0) == listeners.of("imap", 1)
    (own,) = listeners.of("store", 1)
    assert own.service == "store" and own.sock.getsockname() == str(tmp_path / "store.1.sock")
    assert stat.S_IMODE((tmp_path / "imap.sock").stat().st_mode) == 0o660
    listeners.close_others("store", 1)
    assert own.sock.fileno() > 0 and listeners.of("store", 0)[0].sock.fileno() == -1
    listeners.remove()
    assert not list(tmp_path.glob("*.sock"))


def test_what_cannot_be_bound_is_named(tmp_path: Path) -> None:
    for text, why in (
        ("nonsense", "ADDRESS:PORT"),
        ("192.0.2.1:1", "assign"),
        (f"unix:{tmp_path}/no/s", "No such file"),
    ):
        config = Config.load(tmp_path, {"imap_listen": text})
        with pytest.raises(ListenError, match=f"imap_listen: .*{why}"):
            Listeners(str(tmp_path), 5, None).open([pool(ListenerSpec("imap", "imap_listen"))], config, {})


def test_tls_and_exmdb_listen_only_when_they_can_serve(tmp_path: Path) -> None:
    by_name = {item.name: item for item in pools.POOLS}
    imaps, exmdb = by_name["imap"].listeners[1], by_name["store"].listeners[0]
    bare = Config.load(tmp_path)
    assert addresses_of(by_name["imap"], imaps, bare) == [] == addresses_of(by_name["store"], exmdb, bare)
    assert addresses_of(by_name["imap"], by_name["imap"].listeners[0], bare) == ["[::]:143"]
    common = Config.load(tmp_path, {"tls_certificate_path": "/c", "exmdb_hosts_allow": "::1", "exmdb_secret": "s"})
    assert addresses_of(by_name["imap"], imaps, common) == ["[::]:993"]
    assert addresses_of(by_name["store"], exmdb, common) == ["[::1]:5000"]
    off = Config.load(tmp_path, {"imap_certificate_path": "/c", "imap_support_starttls": "no"})
    assert addresses_of(by_name["imap"], imaps, off) == []
    assert addresses_of(by_name["pop3"], by_name["pop3"].listeners[1], off) == []


def test_pool_sizes_and_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(2)))
    config = Config.load(tmp_path)
    assert {item.name: size_of(item, config) for item in pools.POOLS} == {
        "store": 2, "imap": 2, "pop3": 1, "lmtp": 1, "http": 1, "relay": 1,
    }  # fmt: skip
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)))
    assert {item.name: size_of(item, config) for item in pools.POOLS} == {
        "store": 16, "imap": 16, "pop3": 4, "lmtp": 8, "http": 8, "relay": 1,
    }  # fmt: skip
    assert [item.name for item in choose(["http", "store"])] == ["store", "http"]
    with pytest.raises(PoolError, match="there is no pool 'smtp'"):
        choose(["smtp"])
