"""Settings of the IMAP server (imap.cfg)."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("imap.cfg", "The IMAP server.")
@dataclass(frozen=True)
class ImapSettings:
    """IMAP4rev1: connections, limits, TLS."""

    imap_autologout_time: float = setting(
        1800.0, "A logged-in client that is silent for so long is logged out.", kind="span", low=1
    )
    imap_conn_timeout: float = setting(180.0, "Time in which a client must have logged in.", kind="span", low=1)
    imap_auth_times: int = setting(10, "Failed logins after which the connection is closed.", kind="int", low=1)
    imap_force_tls: bool = setting(False, "No login without TLS, not even from this machine.", kind="bool")
    imap_allow_plaintext: bool = setting(
        False, "Passwords may be sent without TLS from other machines too.", kind="bool"
    )
    imap_max_line_length: int = setting(64 << 10, "Longest command of a logged-in client.", kind="size", low=8192)
    mail_max_length: int = setting(64 << 20, "Largest message that APPEND takes.", kind="size", low=4096)
    imap_max_user_connections: int = setting(
        500, "Connections of one user from one address to one worker process (0: no limit).", kind="int", low=0
    )
    imap_max_connections: int = setting(4000, "Connections to one worker process.", kind="int", low=1)
    imap_accept_haproxy: int = setting(
        0, "Connections from haproxy_trusted begin with a PROXY header (any number but 0).", kind="int", low=0, high=2
    )
    imap_content_cache: int = setting(
        16 << 20, "Memory of one worker process for contents that were read last.", kind="size", low=1 << 20
    )
