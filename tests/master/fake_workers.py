"""The fake pool's workers: a line protocol that tells about its process and misbehaves on request."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from setproctitle import getproctitle

from gromoxd.context import WorkerContext
from tests.master.fake import FakeSettings

log = logging.getLogger("fake")


def _spin() -> None:
    while True:
        pass


def answer(ctx: WorkerContext, line: str) -> Any:
    """What a client wants to know, or wants to happen."""
    word, _, rest = line.partition(" ")
    if word == "who":
        return {
            "pid": os.getpid(), "slot": str(ctx.slot), "ppid": os.getppid(), "title": getproctitle(),
            "uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(), "epoch": ctx.shared.epoch,
            "greeting": ctx.config.get(FakeSettings).fake_greeting,
            "services": [item.service for item in ctx.listeners],
            "notify": "NOTIFY_SOCKET" in os.environ,
        }  # fmt: skip
    if word == "spin":
        _spin()
    elif word == "block":
        time_sleep(float(rest))
    elif word == "log":
        for number in range(int(rest)):
            log.info("line", extra={"number": number, "filler": "x" * 200})
    elif word == "counter":
        return ctx.board.get(rest)
    elif word == "slow":
        gevent.sleep(float(rest))
    elif word == "exit":
        os._exit(int(rest))
    elif word == "fail":
        gevent.spawn(lambda: 1 // 0)
        gevent.sleep(0.01)
    return "done"


def time_sleep(seconds: float) -> None:
    """Block the whole loop."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        pass


def fake(ctx: WorkerContext) -> None:
    """Serve until told to stop."""
    if ctx.config.get(FakeSettings).fake_boot == "die":
        raise RuntimeError("told to die")

    def handle(sock: Any, address: Any) -> None:
        with sock.makefile("rwb") as stream:
            for raw in stream:
                stream.write(json.dumps(answer(ctx, raw.decode().strip())).encode() + b"\n")
                stream.flush()

    _serve(ctx, handle)


def back(ctx: WorkerContext) -> None:
    """Answers its slot to everybody."""

    def handle(sock: Any, address: Any) -> None:
        sock.sendall(f"{ctx.slot} {os.getpid()}\n".encode())

    _serve(ctx, handle)


def _serve(ctx: WorkerContext, handle: Any) -> None:
    servers = [StreamServer(item.sock, handle, spawn=Pool(1000)) for item in ctx.listeners]
    for server in servers:
        server.start()
    for server in servers:
        ctx.on_drain(server.close)
    ctx.on_reload(lambda: log.info("reload hook"))
    while not ctx.draining():
        gevent.sleep(0.02)
    for server in servers:
        server.stop(timeout=5)
    log.info("drained")
