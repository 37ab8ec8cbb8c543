"""Settings of POP3 (pop3.cfg). Listeners, certificate and processes: `gromoxd.master.settings.Pop3Pool`."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("pop3.cfg", "POP3.")
@dataclass(frozen=True)
class Pop3Settings:
    """How mailboxes are given out."""

    pop3_conn_timeout: float = setting(180.0, "Idle limit before login.", kind="span", low=1)
    pop3_autologout_time: float = setting(600.0, "Idle limit after login.", kind="span", low=1)
    pop3_auth_times: int = setting(10, "Failed logins after which a connection is closed.", kind="int", low=1)
    pop3_max_errors: int = setting(20, "Faulty commands before login that end a connection.", kind="int", low=1)
    pop3_force_tls: bool = setting(
        False, "Passwords only over TLS, from this machine too.", kind="bool", aliases=("pop3_force_stls",)
    )
    pop3_allow_plaintext: bool = setting(False, "Take passwords without TLS from other machines too.", kind="bool")
    pop3_implementation: str = setting("gromoxd", "What CAPA tells as IMPLEMENTATION; empty: nothing.", kind="str")
    pop3_accept_haproxy: int = setting(
        0, "Connections from haproxy_trusted begin with a PROXY header (any number but 0).", kind="int", low=0, high=2
    )
    pop3_context_num: int = setting(
        0, "Connections of one process; 0: as many as files allow.", kind="int", low=0, aliases=("context_num",)
    )
