"""A client's connection to one store worker: many calls in flight, matched by id; events pushed by the owner."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, BinaryIO

import gevent
from gevent.event import Event as GEvent
from gevent.hub import Waiter

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import framing
from gromoxd.exmdb.calls import Call, Event
from gromoxd.exmdb.link import Link

SWEEP = 1.0


class Lost(Exception):
    """The connection broke before the answer came."""


class Connection:
    """One `Link` after its HELLO. `on_event` may be called in the hub and must not block; `on_close` is called once."""

    def __init__(
        self,
        link: Link,
        instance: bytes,
        shard: int,
        on_event: Callable[[Event], None],
        on_close: Callable[[Connection], None],
    ) -> None:
        self.link = link
        self.shards = 0
        self.alive = True
        self._calls: dict[int, tuple[Waiter[Any], Any, float]] = {}
        self._next = 0
        self._on_event = on_event
        self._on_close = on_close
        self._hub = gevent.get_hub()
        self._ready = GEvent()
        self._sweeping = gevent.spawn(self._sweep)
        link.listen(self._frame, lambda reason: self.close())
        link.send(framing.frame(framing.HELLO, 0, framing.encode(framing.Hello(framing.VERSION, instance, shard, 0))))

    def wait_ready(self, seconds: float) -> None:
        """Until the owner's HELLO came. Lost when it does not."""
        if not self._ready.wait(seconds) or not self.alive:
            self.close()
            raise Lost("no HELLO from the store")

    def call(self, mailbox: str, actor: str, call: Call[Any], spool: BinaryIO | None, deadline: float) -> Any:
        """One request and its answer. MapiError from the owner, ecTimeout past the deadline, Lost."""
        if not self.alive:
            raise Lost("closed")
        number = self._next = (self._next + 1) & 0xFFFFFFFF
        waiter: Waiter[Any] = Waiter()
        self._calls[number] = (
            waiter,
            framing.RESULT_DECODERS[framing.NUMBERS[type(call)]],
            time.monotonic() + deadline,
        )
        try:
            if spool is None:
                self.link.send(framing.request(number, mailbox, actor, call))
            elif self.link.unix:
                spool.flush()
                self.link.send(framing.request(number, mailbox, actor, call, 0, 1), spool.fileno())
            else:
                self._upload(number, spool)
                self.link.send(framing.request(number, mailbox, actor, call, number))
            return waiter.get()
        finally:
            self._calls.pop(number, None)

    def _upload(self, number: int, spool: BinaryIO) -> None:
        spool.flush()
        offset = 0
        while data := os.pread(spool.fileno(), framing.UPLOAD_CHUNK, offset):
            self.link.send(framing.frame(framing.UPLOAD, number, data))
            offset += len(data)
            while self.link.queued > 4 * framing.UPLOAD_CHUNK and self.alive:
                gevent.sleep(0.002)

    def _frame(self, kind: int, descriptors: int, number: int, body: bytes) -> None:
        if kind == framing.ANSWER:
            entry = self._calls.pop(number, None)
            if entry is not None:
                self._resume(entry[0].switch, entry[1].decode(body))
        elif kind == framing.FAILURE:
            entry = self._calls.pop(number, None)
            if entry is not None:
                self._resume(entry[0].throw, framing.decode_failure(body))
        elif kind == framing.EVENT:
            self._on_event(framing.EVENT_DECODER.decode(body))
        elif kind == framing.HELLO:
            self.shards = framing.HELLO_DECODER.decode(body).shards
            self._ready.set()

    def _resume(self, switch: Callable[[Any], None], value: Any) -> None:
        """Go on with a caller. A Waiter is switched to in the hub only; one that was given up ignores it."""
        if gevent.getcurrent() is self._hub:
            switch(value)
        else:
            self._hub.loop.run_callback(switch, value)

    def _sweep(self) -> None:
        while self.alive:
            gevent.sleep(SWEEP)
            now = time.monotonic()
            for number in [n for n, entry in self._calls.items() if entry[2] < now]:
                waiter = self._calls.pop(number)[0]
                self._resume(waiter.throw, MapiError(Ec.ecTimeout, "no answer from the store in time"))

    def close(self) -> None:
        """Break the link; calls in flight get Lost."""
        if not self.alive:
            return
        self.alive = False
        self._ready.set()
        self.link.close()
        entries, self._calls = list(self._calls.values()), {}
        for waiter, _, _ in entries:
            self._hub.loop.run_callback(waiter.throw, Lost("connection to the store broke"))
        self._on_close(self)
        if self._sweeping is not gevent.getcurrent():
            self._sweeping.kill(block=False)
