"""The table of worker pools: a new protocol is one more `Pool`. No protocol is imported here."""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from gromoxd.config import Config
from gromoxd.context import ConfigView
from gromoxd.exmdb.settings import ExmdbSettings
from gromoxd.master.settings import (
    HttpPool,
    ImapPool,
    LmtpPool,
    MasterSettings,
    Pop3Pool,
    RelayPool,
    StorePool,
    TlsSettings,
)


class ListenerSpec(NamedTuple):
    """A service of a pool and the setting with its addresses. `prefix` names the certificate settings of TLS ones."""

    service: str
    setting: str
    tls: bool = False


@dataclass(frozen=True)
class Pool:
    """A kind of worker. `automatic(cores)` is its size when the setting is 0.

    `last`: it is stopped after the others, which need it to finish. `fixed`: a reload cannot change its size.
    `own_sockets`: each slot gets the Unix socket `<site>/run/<name>.<number>.sock`, service = pool name,
    with mode 0600 or that of the setting `own_mode`.
    """

    name: str
    entry: str
    settings: type
    size: str
    level: str
    automatic: Callable[[int], int]
    listeners: tuple[ListenerSpec, ...] = ()
    last: bool = False
    fixed: bool = False
    own_sockets: bool = False
    own_mode: str = ""
    unix: tuple[str, ...] = ()
    """Services with a Unix socket `<site>/run/<service>.sock` (mode 0600), shared by the pool."""

    @property
    def module(self) -> str:
        return self.entry.partition(":")[0]


def _listeners(service: str, setting: str, tls_service: str) -> tuple[ListenerSpec, ...]:
    return (ListenerSpec(service, setting), ListenerSpec(tls_service, f"{setting}_tls", True))


POOLS: tuple[Pool, ...] = (
    Pool(
        "store", "store.main:main", StorePool, "store_workers", "exmdb_log_level", lambda cores: max(2, cores),
        (ListenerSpec("exmdb", "exmdb_listen"),), last=True, fixed=True, own_sockets=True,
    ),
    Pool(
        "imap", "workers.imap.server:main", ImapPool, "imap_workers", "imap_log_level", lambda cores: max(2, cores),
        _listeners("imap", "imap_listen", "imaps"),
    ),
    Pool(
        "pop3", "workers.pop3.server:main", Pop3Pool, "pop3_workers", "pop3_log_level",
        lambda cores: max(1, cores // 4), _listeners("pop3", "pop3_listen", "pop3s"),
    ),
    Pool(
        "lmtp", "workers.lmtp.server:main", LmtpPool, "lmtp_workers", "lda_log_level",
        lambda cores: max(1, cores // 2), _listeners("lmtp", "lda_listen", "lmtps"),
    ),
    Pool(
        "http", "workers.http.server:main", HttpPool, "http_workers", "http_log_level",
        lambda cores: max(1, cores // 2), _listeners("http", "http_listen", "https"), own_sockets=True,
        own_mode="http_socket_mode", unix=("status",),
    ),
    Pool("relay", "workers.relay.server:main", RelayPool, "relay_workers", "relay_log_level", lambda cores: 0),
)  # fmt: skip

SETTINGS_MODULES = (
    "gromoxd.exmdb.settings", "gromoxd.directory.settings", "store.settings", "workers.common.settings",
    "workers.imap.settings", "workers.pop3.settings", "workers.lmtp.settings", "workers.http.settings",
    "workers.http.emsmdb.settings", "workers.relay.settings", "workers.http.autodiscover.settings",
    "gromoxd.addressbook.settings", "gromoxd.oab.settings", "workers.http.rpch.settings",
)  # fmt: skip
"""Modules that only declare settings: the master loads them so that it can judge whole files."""

PRELOAD = (
    "ssl", "hashlib", "hmac", "secrets", "unicodedata", "msgspec", "mmh3", "apsw", "zstandard",
    "sqlalchemy", "sqlalchemy.dialects.sqlite", "sqlalchemy.dialects.mysql",
    "gromoxd.exmdb.registry", "gromoxd.exmdb.keys", "gromoxd.exmdb.pages", "gromoxd.exmdb.framing",
    "gromoxd.directory.service", "gromoxd.directory.admin", "gromoxd.convert.digest", "gromoxd.convert.sections",
    "gromoxd.convert.searchtext",
    "gromoxd.convert.bodies", "gromoxd.convert.compose", "gromoxd.convert.unfold", "gromoxd.mapi.bag",
    "gromoxd.mapi.compare", "gromoxd.mapi.conversation", "gromoxd.mapi.idset", "gromoxd.mapi.named_tags",
    "gromoxd.mapi.recipients", "gromoxd.mapi.rules", "gromoxd.mapi.smalltable", "gromoxd.mapi.sqlrestriction",
    "gromoxd.directory.queries", "gromoxd.directory.recipients", "gromoxd.directory.passwords",
    "gromoxd.mapi.tables", "gromoxd.convert.automail", "gromoxd.convert.junk", "gromoxd.convert.meeting.requests",
    "gromoxd.convert.meeting.responses", "gromoxd.exmdb.handshake", "gromoxd.exmdb.ranges",
    "store.index", "store.mapi.computed", "store.mapi.conflicts", "store.mapi.foldermoves",
    "store.mapi.replicas", "store.mapi.rulebook", "store.mapi.search", "store.mapi.source", "store.schema",
    "store.upkeep", "workers.imap.session", "workers.imap.spool", "zope.interface",
)  # fmt: skip
"""Modules that workers use, loaded before the fork so that their pages are shared. None may load gevent."""


class PoolError(Exception):
    """A pool that cannot be run."""


def load(names: Iterable[str]) -> None:
    """Import the modules that are there."""
    for name in names:
        if _exists(name):
            importlib.import_module(name)


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def choose(only: Iterable[str] = (), table: tuple[Pool, ...] = POOLS) -> list[Pool]:
    """The pools to run, all or those named. PoolError for an unknown name or a pool whose code is not installed."""
    wanted = list(only)
    by_name = {pool.name: pool for pool in table}
    for name in wanted:
        if name not in by_name:
            raise PoolError(f"there is no pool {name!r}; there are {', '.join(by_name)}")
    chosen = [pool for pool in table if not wanted or pool.name in wanted]
    for pool in chosen:
        if not _exists(pool.module):
            raise PoolError(f"pool {pool.name}: module {pool.module} is missing")
    return chosen


def size_of(pool: Pool, config: ConfigView) -> int:
    """The number of processes that the configuration asks for."""
    size: int = getattr(config.get(pool.settings), pool.size)
    return size or pool.automatic(len(os.sched_getaffinity(0)))


def mode_of(pool: Pool, config: Config) -> int:
    """The mode of the sockets of the pool's slots."""
    return int(getattr(config.get(pool.settings), pool.own_mode), 8) if pool.own_mode else 0o600


def level_of(pool: Pool, config: Config) -> int:
    """The log level (1-6) of a pool's processes."""
    level: int = getattr(config.get(pool.settings), pool.level)
    return level or config.get(MasterSettings).log_level


def certificate_of(pool: Pool, config: Config) -> str:
    """Path of the certificate that a pool's TLS services use; '' when they are off."""
    own: Any = config.get(pool.settings)
    for name, value in vars(own).items():
        if ("_support_tls" in name or "_support_starttls" in name) and not value:
            return ""
    path: str = next((value for name, value in vars(own).items() if name.endswith("_certificate_path")), "")
    return path or config.get(TlsSettings).tls_certificate_path


def addresses_of(pool: Pool, spec: ListenerSpec, config: Config) -> list[str]:
    """Where a service is to listen; empty when it has no certificate, or no secret between nodes."""
    if spec.tls and not certificate_of(pool, config):
        return []
    if spec.service == "exmdb":
        exmdb: Any = config.get(ExmdbSettings)
        if not (exmdb.exmdb_hosts_allow and exmdb.exmdb_secret):
            return []
    addresses: list[str] = getattr(config.get(pool.settings), spec.setting)
    return addresses
