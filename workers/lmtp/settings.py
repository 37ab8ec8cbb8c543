"""Settings of LMTP and SMTP in (smtp.cfg). Listeners, certificate and processes: `gromoxd.master.settings.LmtpPool`."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("smtp.cfg", "LMTP and SMTP in.")
@dataclass(frozen=True)
class LmtpSettings:
    """How mail is taken in."""

    command_protocol: str = setting(
        "both", "Which greeting is taken: LHLO, HELO/EHLO or both.", kind="str", choices=("both", "lmtp", "smtp")
    )
    mail_max_length: int = setting(64 << 20, "Largest message.", kind="size", low=1)
    smtp_conn_timeout: float = setting(180.0, "Idle limit of a connection.", kind="span", low=1)
    smtp_message_timeout: float = setting(600.0, "Longest time for the data of one message.", kind="span", low=1)
    smtp_max_recipients: int = setting(1000, "Recipients of one message.", kind="int", low=1, high=100000)
    smtp_max_errors: int = setting(20, "Faulty commands after which a connection is closed.", kind="int", low=1)
    smtp_force_starttls: bool = setting(False, "Take mail only over TLS.", kind="bool")
    smtp_support_pipeline: bool = setting(True, "Offer PIPELINING.", kind="bool")
    smtp_bare_newline: str = setting(
        "reject", "Lines in a message that do not end in CRLF: refuse the message, or mend them.", kind="str",
        choices=("reject", "normalise"),
    )  # fmt: skip
    lda_accept_haproxy: int = setting(
        0, "Connections from haproxy_trusted begin with a PROXY header (any number but 0).", kind="int", low=0, high=2
    )
    lda_context_num: int = setting(
        0, "Connections of one process; 0: as many as files allow.", kind="int", low=0, aliases=("context_num",)
    )
