"""The relay worker: its parts put together, from start to drain."""

from __future__ import annotations

import logging
import os
import socket
import time

import gevent

from gromoxd.context import WorkerContext
from gromoxd.master.settings import MasterSettings
from workers.common.confirm import Confirmer
from workers.common.services import Services
from workers.relay.addressbook import Refresher
from workers.relay.control import Control
from workers.relay.disk import Disk
from workers.relay.engine import Engine
from workers.relay.local import Local
from workers.relay.oab import Publisher
from workers.relay.pull import Puller
from workers.relay.remote import Remote
from workers.relay.settings import RelaySettings
from workers.relay.spool import Locked
from workers.relay.url import parse_url

log = logging.getLogger(__name__)
LOCK_PAUSE = 0.2


def main(ctx: WorkerContext) -> None:
    """The entry point of the relay worker (`gromoxd.master.pools`)."""
    disk = _disk(ctx)
    if disk is None:
        return
    services = Services(ctx)
    hostname = ctx.config.get(MasterSettings).host_id or socket.gethostname()

    def settings() -> RelaySettings:
        return ctx.config.get(RelaySettings)

    confirmer = Confirmer(services.exmdb)
    local = Local(services.directory, services.exmdb, ctx.board, services.run_blocking)
    remote = Remote(settings, hostname)
    engine = Engine(disk, settings, local, remote, ctx.board, hostname, confirm=confirmer.add)
    puller = Puller(
        ctx.site, services.directory, services.exmdb, disk, engine, local, settings, hostname, time.time
    )  # fmt: skip
    control = Control(ctx.site, disk, engine, hostname, time.time)
    publisher = Publisher(ctx.site, ctx.config)
    refresher = Refresher(
        ctx.site, services.directory, ctx.config, lambda reloaded: publisher.look(now=reloaded)
    )  # fmt: skip

    def reload() -> None:
        _check(settings())
        remote.reload()
        refresher.reload()

    _check(settings())
    ctx.on_reload(reload)
    ctx.on_drain(engine.stop)
    control.start()
    puller.start()
    refresher.start()
    publisher.start()
    engine.run()
    publisher.stop()
    refresher.stop()
    puller.stop()
    control.stop()
    remote.close()
    confirmer.close()
    disk.close()
    services.close()


def _check(settings: RelaySettings) -> None:
    try:
        parse_url(settings.outgoing_smtp_url)
    except ValueError as error:
        log.error("mail for elsewhere waits", extra={"error": str(error)})


def _disk(ctx: WorkerContext) -> Disk | None:
    """The spool, as soon as the relay before this one has let it go; None when this one is to stop before that."""
    waiting = False
    while not ctx.draining():
        try:
            return Disk(os.path.join(ctx.site, "spool"))
        except Locked:
            if not waiting:
                log.warning("another relay has the spool, waiting for it")
            waiting = True
            gevent.sleep(LOCK_PAUSE)
    return None
