"""Settings of the directory: where the database is, how log-ins are checked, how addresses are read."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting

EXTERNAL = frozenset({"ldap", "externid", "always_ldap"})
"""Values of auth_backend_selection with which a user that has an externid is authenticated by LDAP."""


@component("mysql_adaptor.cfg", "The directory's database.")
@dataclass(frozen=True)
class DatabaseSettings:
    """An SQLite file by default; MariaDB or MySQL with `directory_backend=mysql`."""

    directory_backend: str = setting(
        "sqlite", "Kind of the directory's database.", kind="str", choices=("sqlite", "mysql")
    )
    directory_path: str = setting(
        "data/directory.sqlite3", "The SQLite file; a relative path is one below the site's folder.", kind="str"
    )
    mysql_host: str = setting("localhost", "Host of the database, or the path of its socket.", kind="str")
    mysql_port: int = setting(3306, "Port of the database.", kind="int", low=1, high=65535)
    mysql_username: str = setting("root", "User of the database.", kind="str")
    mysql_password: str = setting("", "Password of that user.", kind="str", secret=True)
    mysql_dbname: str = setting("email", "Name of the database.", kind="str")
    connection_num: int = setting(8, "Connections that a process keeps open.", kind="int", low=1, high=256)
    mysql_rdwr_timeout: int = setting(20, "Seconds to wait for an answer; 0: no limit.", kind="int", low=0, high=3600)
    mysql_pool_idle_timeout: float = setting(60.0, "Idle connections are closed after this.", kind="span", low=1)
    mysql_tls_cert: str = setting("", "Client certificate (PEM) for the database.", kind="str")
    mysql_tls_key: str = setting("", "Key of that certificate (PEM).", kind="str")


@component("gromox.cfg", "The directory: caches, log-ins, addresses.")
@dataclass(frozen=True)
class DirectorySettings:
    """What the protocols' log-ins and deliveries have in common."""

    mysql_object_cache_lifetime: float = setting(
        60.0, "How long a directory record is used without asking the database; 0: not at all.", kind="span", high=3600
    )
    negative_cache_lifetime: float = setting(
        3.0, "The same for the finding that a name does not exist.", kind="span", high=600
    )
    credential_cache_lifetime: float = setting(
        60.0, "How long a verified password is not verified again.", kind="span", high=3600,
        aliases=("http_basic_auth_cred_caching",),
    )  # fmt: skip
    auth_backend_selection: str = setting(
        "ldap", "ldap: users with an externid by LDAP, others by their hash; sql: all by their hash.", kind="str",
        choices=("ldap", "sql", "externid", "always_ldap", "always_mysql", "deny_all"),
    )  # fmt: skip
    auth_fail_delay: float = setting(
        1.0, "Delay of the answer to a failed log-in; it doubles with each further one.", kind="span", high=60
    )
    auth_fail_delay_max: float = setting(15.0, "Longest such delay.", kind="span", high=300)
    auth_times: int = setting(
        10, "Failed log-ins of a user from one address before the address is refused for that user.", kind="int",
        low=1, high=1000, aliases=("imap_auth_times", "pop3_auth_times", "http_auth_times"),
    )  # fmt: skip
    auth_address_factor: int = setting(
        5, "An address is refused for all users after this many times auth_times.", kind="int", low=1, high=1000
    )
    block_interval_auths: float = setting(60.0, "Length of the refusal.", kind="span", low=1, high=86400)
    store_nt_hash: bool = setting(
        False, "Keep an NT hash with each new password, for log-ins with NTLM; it is worth as much as the password.",
        kind="bool",
    )  # fmt: skip
    lda_recipient_delimiter: str = setting(
        "+", "Characters that separate a user's name from a sub-address; empty: none.", kind="str"
    )
    mailbox_path: str = setting(
        "data", "Folder for new mailboxes; a relative path is one below the site's folder.", kind="str"
    )
