"""Settings of the master and of the pools: listeners, sizes, certificates, identity, log, time limits, shared memory.

A pool's settings stand in its protocol's file beside the protocol's own ones. Listeners are Gromox's `*_listen`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting

_LEVEL = "1 critical, 2 error, 3 warning, 4 notice, 5 information, 6 debug; 0: as log_level."


@component("gromox.cfg", "The master process: identity, files, logs, time limits, shared memory.")
@dataclass(frozen=True)
class MasterSettings:
    """What the master itself needs."""

    running_identity: str = setting(
        "gromox", "User that the workers run as when started by root; empty: stay.", kind="str", reload="restart"
    )
    host_id: str = setting("", "This node's name in servers.hostname; empty: the host name.", kind="str")
    site_path: str = setting(
        "/var/lib/gromoxd", "Folder of the run-time files, without --site.", kind="str", reload="restart"
    )
    pid_file: str = setting("", "Pid file; empty: gromoxd.pid in the site's run folder.", kind="str", reload="restart")
    daemons_fd_limit: int = setting(
        0, "Limit of file descriptors of a process; 0: as many as the system allows.", kind="int", low=0,
        reload="restart",
    )  # fmt: skip
    log_file: str = setting("-", "Where the log goes: a path, or - for standard error and the journal.", kind="str")
    log_format: str = setting("text", "Form of log lines.", kind="str", choices=("text", "json"))
    log_level: int = setting(5, "Least important messages to log: " + _LEVEL, kind="int", low=1, high=6)
    worker_timeout: float = setting(
        30.0, "A worker that gives no sign of life for so long is replaced.", kind="span", low=2, high=3600
    )
    graceful_timeout: float = setting(
        25.0, "Time that workers have to finish when the server stops.", kind="span", low=0, high=3600
    )
    respawn_delay_max: float = setting(
        30.0, "Longest pause before a worker that keeps dying is started again.", kind="span", low=0.05, high=3600
    )
    scaled_pools: list[str] = setting(
        ["imap", "lmtp"], "Pools that SIGTTIN makes larger and SIGTTOU smaller by one.", kind="list"
    )
    listen_backlog: int = setting(
        1024, "Connections that may wait to be accepted.", kind="int", low=1, high=65535, reload="restart"
    )
    mailbox_cache_size: int = setting(
        64 << 20, "Shared memory for mailbox objects of one store worker.", kind="size", low=1 << 20, high=64 << 30,
        reload="restart",
    )  # fmt: skip
    directory_cache_size: int = setting(
        32 << 20, "Shared memory for directory records.", kind="size", low=1 << 20, high=8 << 30, reload="restart"
    )


@component("gromox.cfg", "TLS: the certificate of all services that have none of their own.")
@dataclass(frozen=True)
class TlsSettings:
    """A service speaks TLS when it, or this, names a certificate."""

    tls_certificate_path: str = setting("", "Certificate chain (PEM).", kind="str")
    tls_private_key_path: str = setting("", "Private key (PEM); empty: in the certificate's file.", kind="str")
    tls_certificate_passwd: str = setting("", "Passphrase of the private key.", kind="str", secret=True)
    tls_min_proto: str = setting(
        "tls1.2", "Oldest TLS version spoken.", kind="str", choices=("tls1.0", "tls1.1", "tls1.2", "tls1.3")
    )


@component("imap.cfg", "IMAP: listeners and processes.")
@dataclass(frozen=True)
class ImapPool:
    """The pool of IMAP workers."""

    imap_listen: list[str] = setting(["[::]:143"], "Addresses of IMAP.", kind="list", reload="restart")
    imap_listen_tls: list[str] = setting(
        ["[::]:993"], "Addresses of IMAP over TLS; used with a certificate.", kind="list", reload="restart"
    )
    imap_support_tls: bool = setting(
        True, "Offer TLS when there is a certificate.", kind="bool", aliases=("imap_support_starttls",)
    )
    imap_certificate_path: str = setting("", "Certificate chain (PEM); empty: tls_certificate_path.", kind="str")
    imap_private_key_path: str = setting("", "Private key (PEM); empty: tls_private_key_path.", kind="str")
    imap_certificate_passwd: str = setting("", "Passphrase of the private key.", kind="str", secret=True)
    imap_workers: int = setting(0, "Number of processes; 0: by the number of cores.", kind="int", low=0, high=256)
    imap_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6)


@component("pop3.cfg", "POP3: listeners and processes.")
@dataclass(frozen=True)
class Pop3Pool:
    """The pool of POP3 workers."""

    pop3_listen: list[str] = setting(["[::]:110"], "Addresses of POP3.", kind="list", reload="restart")
    pop3_listen_tls: list[str] = setting(
        ["[::]:995"], "Addresses of POP3 over TLS; used with a certificate.", kind="list", reload="restart"
    )
    pop3_support_tls: bool = setting(
        True, "Offer TLS when there is a certificate.", kind="bool", aliases=("pop3_support_stls",)
    )
    pop3_certificate_path: str = setting("", "Certificate chain (PEM); empty: tls_certificate_path.", kind="str")
    pop3_private_key_path: str = setting("", "Private key (PEM); empty: tls_private_key_path.", kind="str")
    pop3_certificate_passwd: str = setting("", "Passphrase of the private key.", kind="str", secret=True)
    pop3_workers: int = setting(0, "Number of processes; 0: by the number of cores.", kind="int", low=0, high=256)
    pop3_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6)


@component("smtp.cfg", "LMTP and SMTP in: listeners and processes.")
@dataclass(frozen=True)
class LmtpPool:
    """The pool of LMTP workers."""

    lda_listen: list[str] = setting(["[::]:25"], "Addresses of LMTP and SMTP.", kind="list", reload="restart")
    lda_listen_tls: list[str] = setting(
        ["[::]:465"], "Addresses of LMTP and SMTP over TLS; used with a certificate.", kind="list", reload="restart"
    )
    smtp_support_starttls: bool = setting(
        True, "Offer TLS when there is a certificate.", kind="bool", aliases=("lda_support_tls", "smtp_support_tls")
    )
    smtp_certificate_path: str = setting("", "Certificate chain (PEM); empty: tls_certificate_path.", kind="str")
    smtp_private_key_path: str = setting("", "Private key (PEM); empty: tls_private_key_path.", kind="str")
    smtp_certificate_passwd: str = setting("", "Passphrase of the private key.", kind="str", secret=True)
    lmtp_workers: int = setting(0, "Number of processes; 0: by the number of cores.", kind="int", low=0, high=256)
    lda_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6)


@component("http.cfg", "HTTP: listeners, processes, limits.")
@dataclass(frozen=True)
class HttpPool:
    """The pool of HTTP workers."""

    http_listen: list[str] = setting(["[::]:80"], "Addresses of HTTP.", kind="list", reload="restart")
    http_listen_tls: list[str] = setting(
        ["[::]:443"], "Addresses of HTTPS; used with a certificate.", kind="list", reload="restart"
    )
    http_support_tls: bool = setting(
        True, "Offer TLS when there is a certificate.", kind="bool", aliases=("http_support_ssl",)
    )
    http_certificate_path: str = setting("", "Certificate chain (PEM); empty: tls_certificate_path.", kind="str")
    http_private_key_path: str = setting("", "Private key (PEM); empty: tls_private_key_path.", kind="str")
    http_certificate_passwd: str = setting("", "Passphrase of the private key.", kind="str", secret=True)
    http_socket_mode: str = setting(
        "0600", "Mode of each worker's own socket, for a proxy that routes sessions by their cookie.", kind="str",
        choices=("0600", "0660", "0666"), reload="restart",
    )  # fmt: skip
    http_workers: int = setting(0, "Number of processes; 0: by the number of cores.", kind="int", low=0, high=256)
    http_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6)


@component("gromox.cfg", "Outgoing mail: the relay's process.")
@dataclass(frozen=True)
class RelayPool:
    """The relay: one process, for it owns the queue."""

    relay_workers: int = setting(1, "1: send mail; 0: keep it until somebody does.", kind="int", low=0, high=1)
    relay_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6)


@component("exmdb_provider.cfg", "The store: its TCP listener and processes.")
@dataclass(frozen=True)
class StorePool:
    """The pool of store workers. Every mailbox belongs to one by its name: changing the number takes a restart."""

    exmdb_listen: list[str] = setting(
        ["[::1]:5000"], "Addresses for other nodes; used with exmdb_hosts_allow and exmdb_secret.", kind="list",
        reload="restart",
    )  # fmt: skip
    store_workers: int = setting(
        0, "Number of processes; 0: by the number of cores.", kind="int", low=0, high=64, reload="restart"
    )
    exmdb_log_level: int = setting(0, _LEVEL, kind="int", low=0, high=6, aliases=("istore_log_level",))
