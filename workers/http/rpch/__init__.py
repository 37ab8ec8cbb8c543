"""RPC over HTTP version 2 ([MS-RPCH]): channels, virtual connections, and the calls of four interfaces on them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from workers.http.channels import Channel

_workers: Final[dict[int, Any]] = {}
"""The one of each `Site`: one in a worker process."""


def channel(channel: Channel) -> None:
    """Serve a request for a channel. Comes back when the channel has ended."""
    from workers.http.rpch.worker import RpchWorker

    worker = _workers.get(id(channel.site))
    if worker is None:
        worker = _workers[id(channel.site)] = RpchWorker(channel.site)
    worker.serve(channel)
