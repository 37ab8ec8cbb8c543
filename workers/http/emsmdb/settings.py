"""Settings of the mailbox protocol (EMSMDB). Loaded by the master too: no gevent here."""

from __future__ import annotations

from dataclasses import dataclass

from gromoxd.settings import component, setting


@component("exchange_emsmdb.cfg", "Outlook's mailbox protocol, over MAPI/HTTP and RPC over HTTP.")
@dataclass(frozen=True)
class EmsmdbSettings:
    """Limits of sessions, and how answers are packed."""

    emsmdb_collapse_notif_storm: bool = setting(
        False, "Tell a client who does not fetch them of many changes of one table as of one.", kind="bool"
    )
    emsmdb_compress_threshold: int = setting(
        -1, "Compress answers of so many bytes and more; -1: none.", kind="int", low=-1, high=32768
    )
    emsmdb_max_cxh_per_user: int = setting(100, "Sessions of one user in one worker.", kind="int", low=1, high=100000)
    emsmdb_max_sessions: int = setting(20000, "Sessions in one worker.", kind="int", low=1, high=10000000)
    emsmdb_rop_chaining: int = setting(
        1, "Fill several buffers of one answer: 0 never, 1 for clients that are known to read them, 2 for all.",
        kind="int", low=0, high=2,
    )  # fmt: skip
    emsmdb_session_idle: float = setting(
        900.0, "Idle time after which a session ends; clients are told of it.", kind="span", low=60, high=86400
    )
    emsmdb_wait_longest: float = setting(
        300.0, "Time after which a client that waits for notifications asks again.", kind="span", low=5, high=3600,
        aliases=("mailbox_ping_interval",),
    )  # fmt: skip
