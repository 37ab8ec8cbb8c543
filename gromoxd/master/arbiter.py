"""The master's loop: it forks the workers, replaces the dead and the stuck, and carries signals out.

A plain process with one thread and without gevent, so that a fork is always safe; it reads no client's bytes.
"""

from __future__ import annotations

import gc
import logging
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable

from gromoxd import log as logs
from gromoxd.config import Config, report
from gromoxd.context import Slot
from gromoxd.master.children import Child, how
from gromoxd.master.launch import BOOT_FAILED, Launch, become_worker
from gromoxd.master.listeners import Listeners, Owner
from gromoxd.master.notify import Notifier
from gromoxd.master.pools import Pool, addresses_of, size_of
from gromoxd.master.settings import MasterSettings
from gromoxd.master.signals import SignalQueue
from gromoxd.shm.shared import Shared, create

log = logging.getLogger(__name__)

TICK = 1.0
START_ATTEMPTS = 5
"""A worker that dies so often in a row before the server is up keeps it from starting."""
QUICK_SECONDS = 5.0
LAST_SECONDS = 10.0
"""Time for the pools that stop last (the stores), after the others are gone."""
SPARE_SLOTS = 64
MOST_WORKERS = 256

PAUSED_SECONDS = 5.0
"""A loop of the master that took so much too long: the machine was paused, so nobody is called stuck just yet."""


class Arbiter:
    """One run of the server. `on_ready` is called once, when every worker has shown its first sign of life."""

    def __init__(
        self,
        config: Config,
        pools: list[Pool],
        site: str,
        owner: Owner | None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        self.config, self.pools, self.site, self.owner = config, pools, site, owner
        self.settings = config.get(MasterSettings)
        self._on_ready = on_ready
        self._signals = SignalQueue()
        self._notifier = Notifier()
        self._sizes = {pool.name: size_of(pool, config) for pool in pools}
        self._children: dict[Slot, Child] = {}
        self._ready = False
        self._failure = ""
        self._checked = time.monotonic()
        self._shared: Shared
        self._listeners = Listeners(os.path.join(site, "run"), self.settings.listen_backlog, owner)
        self._actions: dict[signal.Signals, Callable[[], int | None]] = {
            signal.SIGHUP: self._reload,
            signal.SIGUSR1: self._reopen_logs,
            signal.SIGTTIN: lambda: self._scale(1),
            signal.SIGTTOU: lambda: self._scale(-1),
            signal.SIGCHLD: self._reap,
            signal.SIGTERM: lambda: self._stop(graceful=True),
            signal.SIGINT: lambda: self._stop(graceful=False),
            signal.SIGQUIT: lambda: self._stop(graceful=False),
        }

    # ------------------------------------------------------------------------------------------ start

    def run(self) -> int:
        """Bind, fork, and serve until told to stop; answers the exit status. ListenError when an address is taken."""
        raise_descriptor_limit(self.settings.daemons_fd_limit)
        self._listeners.open(self.pools, self.config, self._sizes)
        slots = [Slot(pool.name, number) for pool in self.pools for number in range(self._sizes[pool.name])]
        self._shared = create(
            stores=self._sizes.get("store", 1),
            slots=slots,
            arena_bytes=self.settings.mailbox_cache_size,
            directory_bytes=self.settings.directory_cache_size,
            rows=max(128, len(slots) + SPARE_SLOTS),
        )
        self._signals.install()
        by_name = {pool.name: pool for pool in self.pools}
        self._children = {slot: Child(slot, by_name[slot.protocol]) for slot in slots}
        log.info("starting", extra={"pid": os.getpid(), "workers": len(slots)})
        gc.collect()
        gc.freeze()
        try:
            return self._loop()
        finally:
            self._listeners.remove()

    def _loop(self) -> int:
        while True:
            self._start_due()
            for number in self._signals.wait(self._sleep()):
                status = self._actions[number]()
                if status is not None:
                    return status
            self._reap()
            self._check_silent()
            self._notifier.beat(time.monotonic())
            self._check_ready()
            if self._failure:
                log.critical("giving up", extra={"reason": self._failure})
                self._stop(graceful=False)
                return 1

    def _sleep(self) -> float:
        now = time.monotonic()
        waits = [child.start_at - now for child in self._children.values() if not child.pid and not child.retired]
        if any(child.dump_asked for child in self._children.values()) or not self._ready:
            waits.append(0.05)
        if self._notifier.watchdog:
            waits.append(self._notifier.watchdog)
        return min([TICK, *waits])

    def _start_due(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if not child.pid and not child.retired and child.start_at <= now:
                self._start(child)

    def _start(self, child: Child) -> None:
        try:
            self._fork(child)
        except OSError as error:  # no memory, no descriptors, too many processes: later, perhaps
            log.error("worker cannot be forked", extra={"slot": str(child.slot), "error": error.strerror})
            child.ended(self.settings.respawn_delay_max)
            child.start_at = max(child.start_at, time.monotonic() + TICK)

    def _fork(self, child: Child) -> None:
        row = self._shared.board.claim(child.slot)
        beat = child.renew(self.owner)
        self._listeners.own(child.pool, child.slot.number, self.config)
        listeners = self._listeners.of(child.pool.name, child.slot.number)
        launch = Launch(
            child.slot, child.pool, self.config, listeners, self._shared, self.site, self.owner, os.getpid(), beat,
            child.dump,
        )  # fmt: skip
        self._signals.hold()
        try:
            pid = os.fork()
            if pid == 0:
                self._in_child(launch)
        finally:
            self._signals.release()
        child.running(pid)
        row.set("pid", pid)
        row.set("started", int(time.time()))
        if child.starts > 1:
            row.add("restarts")

    def _in_child(self, launch: Launch) -> None:
        """Leave nothing of the master in the child; does not return."""
        try:
            self._signals.forget()
            self._notifier.forget()
            self._listeners.close_others(launch.pool.name, launch.slot.number)
            for child in self._children.values():
                if child.slot != launch.slot:
                    child.close()
            self._children.clear()
        finally:
            become_worker(launch)

    def _check_ready(self) -> None:
        if self._ready or not all(child.booted for child in self._children.values()):
            return
        self._ready = True
        self._notifier.ready(self._status())
        log.info("ready", extra={"pid": os.getpid(), "workers": len(self._children)})
        if self._on_ready:
            self._on_ready()

    def _status(self) -> str:
        return "serving with " + ", ".join(f"{self._sizes[pool.name]} {pool.name}" for pool in self.pools)

    # ------------------------------------------------------------------------------------------ the dead and the stuck

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            child = next((child for child in self._children.values() if child.pid == pid), None)
            if child is not None:
                self._ended(child, status)

    def _ended(self, child: Child, status: int) -> None:
        pid, words = child.pid, child.last_words()
        child.ended(self.settings.respawn_delay_max)
        planned = child.retired
        level = logging.INFO if planned else logging.ERROR
        extra = {"slot": str(child.slot), "worker": pid, "how": how(status)}
        if not planned:
            extra["again_in_ms"] = str(int(max(0.0, child.start_at - time.monotonic()) * 1000))
        log.log(level, "worker ended", extra=extra)
        if words and not child.dump_asked:
            logs.with_details(log, logging.ERROR, "last words of a worker", words, slot=str(child.slot), worker=pid)
        if planned:
            child.close()
            self._children.pop(child.slot, None)
            self._give_back(child)
        elif not self._ready:
            boot_failed = os.waitstatus_to_exitcode(status) == BOOT_FAILED
            if boot_failed or child.failures >= START_ATTEMPTS:
                self._failure = f"{child.slot} does not start"

    def _check_silent(self) -> None:
        """A worker that shows no sign of life is asked for its stacks, then killed; its slot starts anew at once."""
        now, before = time.monotonic(), self._checked
        if now >= before:
            self._checked = now
        if now - before > TICK + PAUSED_SECONDS:
            self._checked = now + PAUSED_SECONDS
        if self._checked > now:
            return
        for child in self._children.values():
            if not child.pid:
                continue
            if child.dump_due():
                self._log_dump(child)
                child.kill(signal.SIGKILL)
                child.dump_asked = time.monotonic() + 3600  # until it is reaped
            elif not child.dump_asked and child.silent_for() > self.settings.worker_timeout:
                silent = round(child.silent_for(), 1)
                log.error("worker is stuck", extra={"slot": str(child.slot), "worker": child.pid, "silent": silent})
                child.ask_dump()
            elif child.retired and child.retire_by and time.monotonic() > child.retire_by:
                child.kill(signal.SIGKILL)

    def _log_dump(self, child: Child) -> None:
        words = child.last_words() or ["no stack: the process does not run (stopped, or waiting in the kernel)"]
        logs.with_details(log, logging.ERROR, "stacks of a stuck worker", words, slot=str(child.slot), worker=child.pid)

    # ------------------------------------------------------------------------------------------ signals

    def _send(self, number: int, children: Iterable[Child] | None = None) -> None:
        for child in list(self._children.values() if children is None else children):
            child.kill(number)

    def _reload(self) -> None:
        """SIGHUP. A bad configuration leaves the old one in force, but the directory is looked at anew all the same."""
        self._notifier.reloading()
        problems = self.config.reload()
        report(problems, log)
        good = not any(problem.fatal for problem in problems)
        self.settings = self.config.get(MasterSettings)
        self._setup_log()
        logs.reopen()
        for name in self.config.needs_restart() if good else ():
            log.warning("changed setting takes a restart", extra={"setting": name})
        self._shared.bump_epoch()
        if good:
            self._name_missing_listeners()
            for pool in self.pools:
                self._resize(pool, size_of(pool, self.config))
        self._send(signal.SIGHUP)
        outcome = "configuration taken over" if good else "configuration is bad, the old one stays in force"
        log.log(logging.INFO if good else logging.ERROR, outcome, extra={"epoch": self._shared.epoch})
        self._notifier.ready(self._status() if good else f"{outcome}; {self._status()}")

    def _name_missing_listeners(self) -> None:
        """A certificate or a secret that came by a reload: its listener was not opened at the start."""
        for pool in self.pools:
            open_now = {listener.service for listener in self._listeners.of(pool.name, 0)}
            for spec in pool.listeners:
                if spec.service not in open_now and addresses_of(pool, spec, self.config):
                    log.warning("new listener takes a restart", extra={"service": spec.service})

    def _setup_log(self) -> None:
        settings = self.settings
        try:
            owner = (self.owner.uid, self.owner.gid) if self.owner else None
            logs.setup(settings.log_file, settings.log_format, settings.log_level, "master", owner)
        except OSError as error:
            log.error("log file cannot be opened", extra={"path": settings.log_file, "error": error.strerror})

    def _reopen_logs(self) -> None:
        logs.reopen()
        log.info("log re-opened")
        self._send(signal.SIGUSR1)

    def _scale(self, by: int) -> None:
        for pool in self.pools:
            if pool.name not in self.settings.scaled_pools or pool.fixed:
                continue
            if self._sizes[pool.name] + by >= 1:
                self._resize(pool, self._sizes[pool.name] + by)
            else:
                log.info("pool stays as it is", extra={"pool": pool.name, "now": self._sizes[pool.name]})
        self._notifier.status(self._status())

    def _resize(self, pool: Pool, size: int) -> None:
        """Start more workers, or let those with the highest numbers finish."""
        old = self._sizes[pool.name]
        if size == old or pool.fixed:
            return
        room = self._shared.board.capacity - len(self._children)
        self._sizes[pool.name] = size = min(size, old + max(0, room), MOST_WORKERS)
        for number in range(old, size):
            slot = Slot(pool.name, number)
            waiting = self._children.get(slot)
            if waiting is not None:  # its predecessor is still finishing: it is started when that one is gone
                waiting.retired, waiting.retire_by = False, 0.0
            else:
                self._children[slot] = Child(slot, pool)
        for number in range(size, old):
            child = self._children[Slot(pool.name, number)]
            child.retired, child.retire_by = True, time.monotonic() + self.settings.graceful_timeout
            child.kill(signal.SIGTERM)
            if not child.pid:
                del self._children[child.slot]
                self._give_back(child)
        log.info("pool resized", extra={"pool": pool.name, "before": old, "now": size})

    def _give_back(self, child: Child) -> None:
        self._shared.board.release(child.slot)
        self._listeners.disown(child.pool.name, child.slot.number)

    # ------------------------------------------------------------------------------------------ stop

    def _stop(self, *, graceful: bool) -> int:
        """Stop the protocols, then the stores that they need to finish. Answers the exit status."""
        self._notifier.stopping()
        log.info("stopping", extra={"graceful": graceful})
        for child in self._children.values():
            child.retired, child.retire_by = True, 0.0
        self._listeners.close(pool.name for pool in self.pools if not pool.last)
        limits = {False: self.settings.graceful_timeout, True: LAST_SECONDS}
        for last in (False, True):
            group = [child for child in self._children.values() if child.pool.last == last]
            if not self._finish(group, signal.SIGTERM if graceful else signal.SIGQUIT, limits[last], graceful):
                graceful = False
        log.info("stopped")
        return 0

    def _finish(self, group: list[Child], number: int, limit: float, graceful: bool) -> bool:
        """Signal a group and wait for it; the rest is killed. False when a second signal asked for a quick stop."""
        self._send(number, group)
        until = time.monotonic() + (limit if graceful else min(limit, QUICK_SECONDS))
        while any(child.pid for child in group):
            left = until - time.monotonic()
            if left <= 0:
                for child in group:
                    if child.pid:
                        log.warning("worker does not finish, killed", extra={"slot": str(child.slot)})
                self._send(signal.SIGKILL, group)
                until = time.monotonic() + TICK
            for come in self._signals.wait(min(left, 0.2)):
                if come in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM) and graceful:
                    graceful = False
                    until = time.monotonic() + QUICK_SECONDS
                    self._send(signal.SIGQUIT, group)
            self._reap()
            self._notifier.beat(time.monotonic())
        return graceful


def raise_descriptor_limit(wanted: int) -> None:
    """Set the limit of open files: `wanted`, or as many as are allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    target = wanted or hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (target, max(hard, target)))
    except (ValueError, OSError) as error:
        log.warning("descriptor limit not raised", extra={"wanted": target, "now": soft, "error": str(error)})
