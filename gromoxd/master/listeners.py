"""Listening sockets: addresses, binding, systemd socket activation. All are made by the master before it forks."""

from __future__ import annotations

import errno
import ipaddress
import logging
import os
import socket
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from gunicorn.systemd import SD_LISTEN_FDS_START, listen_fds

from gromoxd.config import Config
from gromoxd.context import Listener
from gromoxd.master.pools import ListenerSpec, Pool, addresses_of, mode_of

log = logging.getLogger(__name__)

UNIX_PATH_LIMIT = 107
NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class ListenError(Exception):
    """A listener that cannot be had; the text names service and address."""


@dataclass(frozen=True)
class Owner:
    """Whom Unix sockets and log files belong to: the workers' user."""

    uid: int
    gid: int


def parse_address(text: str) -> tuple[str, int] | str:
    """`[v6]:port`, `v4:port`, `:port` (any address) or `unix:/path` -> (host, port) or the path. ValueError."""
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if not path.startswith("/"):
            raise ValueError("a Unix socket needs an absolute path")
        return path
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError("is not of the form ADDRESS:PORT")
    if host.startswith("[") and host.endswith("]"):
        return str(ipaddress.IPv6Address(host[1:-1])), int(port)
    return (str(ipaddress.IPv4Address(host)) if host else "::"), int(port)


def bind_tcp(host: str, port: int, backlog: int) -> socket.socket:
    """A listening TCP socket; `::` takes IPv4 as well, and is 0.0.0.0 on a machine without IPv6."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        if host == "::" and error.errno in NO_IPV6:
            return bind_tcp("0.0.0.0", port, backlog)
        raise
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
        sock.bind((host, port))
        prepare_tcp(sock)
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        if host == "::" and error.errno in NO_IPV6:
            return bind_tcp("0.0.0.0", port, backlog)
        raise
    return sock


def prepare_tcp(sock: socket.socket) -> None:
    """What accepted connections inherit: no delay of small answers, detection of dead peers; a loop never waits."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setblocking(False)


def bind_unix(path: str, backlog: int, owner: Owner | None, mode: int = 0o600) -> socket.socket:
    """A listening Unix socket in place of a stale one. The site's lock says that no other master uses the path."""
    if len(os.fsencode(path)) > UNIX_PATH_LIMIT:
        raise OSError(errno.ENAMETOOLONG, f"path is longer than {UNIX_PATH_LIMIT} bytes")
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "a file that is no socket is in the way")
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    old = os.umask(0o777 & ~mode)
    try:
        sock.bind(path)
        if owner and os.geteuid() == 0:
            os.chown(path, owner.uid, owner.gid)
        sock.setblocking(False)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(old)
    return sock


def shown(sock: socket.socket) -> str:
    """The address that a socket is bound to, as a setting would have it."""
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return f"unix:{name}"
    return f"[{name[0]}]:{name[1]}" if sock.family == socket.AF_INET6 else f"{name[0]}:{name[1]}"


def bind(text: str, backlog: int, owner: Owner | None) -> socket.socket:
    """Bind what a `*_listen` setting names. A Unix socket is open to the group, so that an MTA may connect."""
    address = parse_address(text)
    if isinstance(address, str):
        return bind_unix(address, backlog, owner, 0o660)
    return bind_tcp(*address, backlog)


def activated(known: Iterable[str]) -> dict[str, list[socket.socket]]:
    """Sockets handed over by systemd (sd_listen_fds(3)) by service: LISTEN_FDNAMES says `imap`, `imaps` …"""
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    services = set(known)
    found: dict[str, list[socket.socket]] = {}
    for index in range(listen_fds()):
        fd = SD_LISTEN_FDS_START + index
        name = names[index] if index < len(names) else ""
        service = name.removesuffix(".socket").removeprefix("gromoxd-")
        sock = socket.socket(fileno=fd)
        if service not in services or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise ListenError(
                f"socket {name or fd!r} from systemd: FileDescriptorName must be one of {sorted(services)}"
            )
        os.set_inheritable(fd, False)
        if sock.family == socket.AF_UNIX:
            sock.setblocking(False)
        else:
            prepare_tcp(sock)
        found.setdefault(service, []).append(sock)
    return found


class Listeners:
    """All listening sockets of a site by pool. Those of systemd replace the configured ones of their service."""

    def __init__(self, run: str, backlog: int, owner: Owner | None) -> None:
        self._run, self._backlog, self._owner = run, backlog, owner
        self._shared: dict[str, list[Listener]] = {}
        self._own: dict[tuple[str, int], Listener] = {}
        self._unlink: list[str] = []

    def open(self, pools: list[Pool], config: Config, sizes: dict[str, int]) -> None:
        """Bind everything. ListenError when anything cannot be bound."""
        handed = activated(spec.service for pool in pools for spec in pool.listeners)
        for pool in pools:
            opened = self._shared.setdefault(pool.name, [])
            for spec in pool.listeners:
                socks = handed.get(spec.service) or self._bind_all(spec, addresses_of(pool, spec, config))
                opened += [Listener(spec.service, sock, spec.tls) for sock in socks]
            for service in pool.unix:
                opened.append(Listener(service, self._private(service), False))
            for number in range(sizes[pool.name]):
                try:
                    self.own(pool, number, config)
                except OSError as error:
                    raise ListenError(f"{self._path(f'{pool.name}.{number}')}: {error.strerror}") from error

    def own(self, pool: Pool, number: int, config: Config) -> None:
        """Bind the slot's own socket, if it is to have one and has none yet. OSError."""
        if pool.own_sockets and (pool.name, number) not in self._own:
            path = self._path(f"{pool.name}.{number}")
            sock = bind_unix(path, self._backlog, self._owner, mode_of(pool, config))
            self._own[pool.name, number] = Listener(pool.name, sock, False)
            self._unlink.append(path)

    def disown(self, pool: str, number: int) -> None:
        """The slot is gone: nobody connects to it any more."""
        listener = self._own.pop((pool, number), None)
        if listener is not None:
            listener.sock.close()
            path = self._path(f"{pool}.{number}")
            self._unlink.remove(path)
            _remove(path)

    def _bind_all(self, spec: ListenerSpec, addresses: list[str]) -> list[socket.socket]:
        socks = []
        for text in addresses:
            try:
                sock = bind(text, self._backlog, self._owner)
            except (OSError, ValueError) as error:
                why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
                raise ListenError(f"{spec.setting}: {text}: {why}") from error
            if text.startswith("unix:"):
                self._unlink.append(text.removeprefix("unix:"))
            log.info("listening", extra={"service": spec.service, "address": shown(sock)})
            socks.append(sock)
        return socks

    def _path(self, name: str) -> str:
        return os.path.join(self._run, f"{name}.sock")

    def _private(self, name: str) -> socket.socket:
        path = self._path(name)
        try:
            sock = bind_unix(path, self._backlog, self._owner)
        except OSError as error:
            raise ListenError(f"{path}: {error.strerror}") from error
        self._unlink.append(path)
        return sock

    def of(self, pool: str, number: int) -> list[Listener]:
        """The listeners of one slot."""
        own = self._own.get((pool, number))
        return [*self._shared.get(pool, []), *([own] if own else [])]

    def close_others(self, pool: str, number: int) -> None:
        """In a fresh child: close what belongs to other slots."""
        for name, listeners in self._shared.items():
            if name != pool:
                for listener in listeners:
                    listener.sock.close()
        for key, listener in self._own.items():
            if key != (pool, number):
                listener.sock.close()

    def close(self, pools: Iterable[str]) -> None:
        """Close the shared sockets of these pools: nobody is accepted any more once the workers close theirs."""
        for name in pools:
            for listener in self._shared.pop(name, []):
                listener.sock.close()

    def remove(self) -> None:
        """Close everything and remove the Unix sockets' files."""
        self.close(list(self._shared))
        for listener in self._own.values():
            listener.sock.close()
        self._own.clear()
        for path in self._unlink:
            _remove(path)


def _remove(path: str) -> None:
    try:
        os.unlink(path)
    except OSError as error:
        log.debug("socket file not removed", extra={"path": path, "error": error.strerror})
