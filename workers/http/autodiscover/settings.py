"""Settings of AutoDiscover. Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("gromox.cfg", "AutoDiscover: what clients are told.")
@dataclass(frozen=True)
class AutodiscoverSettings:
    """URLs of services that this server does not offer itself are told only when they are set here."""

    oxdisco_advertise_mh: str = setting(
        "yes", "Tell of MAPI/HTTP; old and new are Office before and from version 16.", kind="str",
        choices=("yes", "no", "not_old_mso", "only_new_mso"),
    )  # fmt: skip
    oxdisco_advertise_rpch: str = setting(
        "yes", "Tell of RPC over HTTP.", kind="str", choices=("yes", "no", "only_old_mso", "not_new_mso")
    )
    oxdisco_redirect_addr: str = setting("", "Send every client to this address's mailbox.", kind="str")
    oxdisco_redirect_url: str = setting("", "Send every client to this AutoDiscover URL.", kind="str")
    oxdisco_validate_scndrequest: bool = setting(
        True, "Tell of others' mailboxes only to who may open them.", kind="bool"
    )
    autodiscover_ews_url: str = setting("", "Exchange Web Services elsewhere; {host} is the user's server.", kind="str")
    autodiscover_eas_url: str = setting("", "ActiveSync elsewhere; {host} as above.", kind="str")
    autodiscover_dav_url: str = setting("", "CalDAV and CardDAV elsewhere; {host} as above.", kind="str")
    autodiscover_web_url: str = setting("", "Web mail; {host} as above.", kind="str")
    autoconfig_smtp: str = setting(
        "starttls://{host}:587", "Where mail clients send: starttls://, ssl:// or plain://, host and port.", kind="str"
    )
