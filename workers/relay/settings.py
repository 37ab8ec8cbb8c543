"""Settings of the relay. Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "Outgoing mail: where it goes, how often that is tried, what senders are told.")
@dataclass(frozen=True)
class RelaySettings:
    """A reload takes all of them over."""

    outgoing_smtp_url: str = setting(
        "sendmail://localhost",
        "The mail server for recipients elsewhere: sendmail://, smtp://HOST:PORT (TLS when offered,"
        " with a valid certificate where it logs in),"
        " smtp+tls:// (TLS with a certificate that is valid), smtp+unverifiedtls://, smtps:// (TLS from the start);"
        " USER:PASSWORD@ before the host logs in.",
        kind="str", secret=True,
    )  # fmt: skip
    relay_ca_file: str = setting(
        "", "Certificates (PEM) to verify that server's with; empty: the system's.", kind="str"
    )
    relay_sendmail_path: str = setting("/usr/sbin/sendmail", "The program of sendmail://.", kind="str")
    relay_local_delivery: bool = setting(
        True, "Deliver to recipients of this directory directly; no: hand them to the mail server, too.", kind="bool"
    )
    relay_connections: int = setting(20, "Connections to the mail server at a time.", kind="int", low=1, high=500)
    relay_mails_per_connection: int = setting(
        100, "Mails after which a connection is closed.", kind="int", low=1, high=100_000
    )
    relay_connect_timeout: float = setting(30.0, "Time for a connection to be made.", kind="span", low=1, high=600)
    relay_timeout: float = setting(300.0, "Time for an answer of the mail server.", kind="span", low=1, high=3600)
    relay_data_timeout: float = setting(
        600.0, "Time for its answer to the end of a message (RFC 5321 4.5.3.2.6).", kind="span", low=1, high=7200
    )
    relay_retry_min: float = setting(
        120.0, "Pause after the first try that failed; it doubles with each further one.", kind="span", low=0.1
    )
    relay_retry_max: float = setting(3600.0, "Longest pause.", kind="span", low=0.1)
    relay_expiry: float = setting(5 * 86400.0, "A mail is returned when it could not be sent for so long.", kind="span")
    relay_delay_warning: float = setting(
        4 * 3600.0, "The sender is told when a mail could not be sent for so long; 0: not.", kind="span"
    )
    relay_hops_max: int = setting(50, "Received fields above which a mail goes round in a loop.", kind="int", low=5)
    relay_sent_copy_represented: bool = setting(
        True, "Mail sent in the name of another mailbox is also put into that one's Sent Items.", kind="bool"
    )
    bounce_postmaster: str = setting("postmaster@", "Sender of reports; @ at the end: of this host.", kind="str")
