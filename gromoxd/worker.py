"""The child's side of a fork: make a worker process of it and run its pool's `main(ctx)`.

The only module between master and protocols that loads gevent. Order matters: patch first, then load the protocol's
code (which root may read wherever it is installed), then give up root, then arm the death signal (which a change of
user clears), then handlers, heartbeat and stall detector, then `main`.
"""

from __future__ import annotations

import ctypes
import faulthandler
import gc
import importlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any

import gevent
from gevent import monkey, socket

from gromoxd import log as logs
from gromoxd.config import report
from gromoxd.context import Listener, WorkerContext
from gromoxd.master.launch import BOOT_FAILED, DUMP_SIGNAL, Launch
from gromoxd.master.pools import level_of
from gromoxd.master.settings import MasterSettings
from gromoxd.master.signals import SignalQueue

log = logging.getLogger(__name__)

BEAT_SECONDS = 1.0
QUICK_SECONDS = 2.0
ORPHAN_SECONDS = 0.5
LATE_MS = 20.0
SWITCH_INTERVAL = 0.001
GC_THRESHOLD = (20_000, 20, 20)
RSS_EVERY = 10
_PR_SET_PDEATHSIG = 1


class Worker:
    """One worker process. `beat` is the heartbeat, also called by gunicorn's worker in its own loop."""

    def __init__(self, launch: Launch) -> None:
        self.launch = launch
        self.board: Any = launch.shared.board.row(launch.slot)
        self._draining = False
        self._quick = False
        self._beats = 0
        self._reloading = False
        self._reload_again = False
        self._greenlets: list[Any] = []
        listeners = [Listener(item.service, adopt(item.sock), item.tls) for item in launch.listeners]
        self.ctx = WorkerContext(
            launch.slot, launch.config, listeners, launch.shared, self.board, launch.site, lambda: self._draining
        )

    # ------------------------------------------------------------------------------------------ life

    def serve(self, main: Callable[[WorkerContext], None]) -> int:
        """Beat, watch the loop and run `main`; answers the exit status."""
        from gromoxd.stall import StallDetector

        detector = StallDetector(self.board)
        detector.start(gevent.get_hub().loop)
        self._greenlets = [gevent.spawn(self._beat_forever, detector)]
        try:
            main(self.ctx)
        except Exception:
            self.board.add("internal_errors")
            log.exception("worker failed")
            return 1
        finally:
            detector.stop()
        if not self._draining:
            log.error("worker returned without being asked to")
            return 1
        return 0

    def beat(self) -> None:
        """Show that the loop runs; leave when the master is gone."""
        self.launch.beat.notify()
        self.board.set("heartbeat", int(time.time()))
        self.board.set("heartbeat_ms", time.monotonic_ns() // 1_000_000)
        if self._beats % RSS_EVERY == 0:
            self.board.set("rss_kb", resident_kb())
        self._beats += 1
        if os.getppid() != self.launch.master and not self._quick:
            log.error("the master is gone")
            self.quit()

    def _beat_forever(self, detector: Any) -> None:
        while True:
            self.beat()
            before, stalls = time.monotonic(), self.board.get("loop_stalls")
            gevent.sleep(BEAT_SECONDS)
            late_ms = (time.monotonic() - before - BEAT_SECONDS) * 1000
            if late_ms > LATE_MS and stalls == self.board.get("loop_stalls"):
                detector.book(late_ms)  # not the loop's own doing: another thread had the interpreter, or no CPU
            else:
                detector.waited_ms()

    # ------------------------------------------------------------------------------------------ signals

    def arm(self) -> None:
        """Handle signals in greenlets, woken through the loop at once; then let in what was held since the fork."""
        for number, action in (
            (signal.SIGTERM, self.drain), (signal.SIGINT, self.quit), (signal.SIGQUIT, self.quit),
            (signal.SIGHUP, self.reload), (signal.SIGUSR1, logs.reopen),
        ):  # fmt: skip
            gevent.signal_handler(number, action)
        for number in (signal.SIGUSR2, signal.SIGPIPE, signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(DUMP_SIGNAL, self._dump)
        faulthandler.register(DUMP_SIGNAL, self.launch.dump, all_threads=True, chain=True)
        SignalQueue.release()

    def _dump(self, number: int, frame: Any) -> None:
        from gromoxd.stall import all_stacks

        os.write(self.launch.dump, all_stacks().encode(errors="replace"))

    def drain(self) -> None:
        """SIGTERM: finish what is under way. Hooks that `main` adds while it starts are still called."""
        if self._draining:
            return
        self._draining = True
        self.board.set("draining", 1)
        done = 0
        while True:
            for hook in self.ctx.drain_hooks[done:]:
                done += 1
                self._run_hook("drain", hook)
            gevent.sleep(0.1)

    def quit(self) -> None:
        """SIGQUIT: like SIGTERM, but `main` gets two seconds only; less without a master, whose successor waits."""
        if self._quick:
            return
        self._quick = True
        orphan = os.getppid() != self.launch.master
        gevent.spawn_later(ORPHAN_SECONDS if orphan else QUICK_SECONDS, os._exit, 0)
        self.drain()

    def reload(self) -> None:
        """SIGHUP: read the configuration (the master has judged it already), then tell the parts that asked for it."""
        if self._reloading:
            self._reload_again = True
            return
        self._reloading = True
        try:
            self._take_over()
        finally:
            self._reloading = False
        if self._reload_again:
            self._reload_again = False
            self.reload()

    def _take_over(self) -> None:
        problems = self.ctx.config.reload()  # type: ignore[attr-defined]
        fatal = [str(problem) for problem in problems if problem.fatal]
        if fatal:  # such as a file that the master, being root, can read, and the workers' user cannot
            log.warning("configuration is bad, the old one stays in force", extra={"reason": "; ".join(fatal)})
        setup_log(self.launch)
        logs.reopen()
        for hook in list(self.ctx.reload_hooks):
            self._run_hook("reload", hook)

    def _run_hook(self, kind: str, hook: Callable[[], None]) -> None:
        try:
            hook()
        except Exception:
            self.board.add("internal_errors")
            log.exception("hook failed", extra={"hook": kind})

    def hub_error(self, context: object, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """An exception that nobody caught in a greenlet. In a thread of a pool it is the waiting greenlet's matter."""
        if isinstance(context, tuple) and context and type(context[0]).__module__ == "gevent.threadpool":
            return
        self.board.add("internal_errors")
        log.error("greenlet failed", exc_info=(kind, error, trace), extra={"greenlet": repr(context)[:200]})


_current: Worker | None = None


def beat() -> None:
    """Show that this worker's loop runs (for a main loop of somebody else's, such as gunicorn's)."""
    if _current is not None:
        _current.beat()


def adopt(sock: Any) -> Any:
    """An inherited socket as a gevent one."""
    family, kind = sock.family, sock.type
    adopted = socket.socket(family, kind, fileno=sock.detach())
    adopted.setblocking(False)
    return adopted


def resident_kb() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm", "rb") as stream:
        return int(stream.read().split()[1]) * (os.sysconf("SC_PAGESIZE") // 1024)


def drop_privileges(launch: Launch) -> None:
    """Become the configured user for good, with the groups that this user has."""
    from gunicorn.util import get_username, set_owner_process

    if launch.owner:
        # gunicorn's `initgroups=True` leaves out setgid: groups first, then its own way without that option
        os.initgroups(get_username(launch.owner.uid), launch.owner.gid)
        set_owner_process(launch.owner.uid, launch.owner.gid)
        if os.getuid() != launch.owner.uid or os.getgid() != launch.owner.gid:
            raise PermissionError("privileges were not dropped")


def die_with(master: int) -> None:
    """Have the kernel send SIGQUIT when the master dies, however it dies."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT, 0, 0, 0)
    if os.getppid() != master:
        raise ChildProcessError("the master is gone")


def setup_log(launch: Launch) -> None:
    """Log as this slot."""
    settings = launch.config.get(MasterSettings)
    try:
        logs.setup(settings.log_file, settings.log_format, level_of(launch.pool, launch.config), str(launch.slot))
    except OSError as error:
        log.error("log file cannot be opened", extra={"path": settings.log_file, "error": error.strerror})


def prepare(launch: Launch) -> None:
    """Everything before other code is loaded."""
    import setproctitle

    setproctitle.setproctitle(f"gromoxd: {launch.slot}")
    os.setpgid(0, 0)  # a terminal's Ctrl-C is for the master, which stops the workers in order
    patch()
    gevent.reinit()
    setup_log(launch)
    faulthandler.enable(launch.dump, all_threads=True)
    sys.setswitchinterval(SWITCH_INTERVAL)


def patch() -> None:
    """gevent's patches. The logging module gets its real lock back: threads of pools log, too, and one that meets
    another at a greenlets' lock may wait for ever. Nobody switches greenlets while holding it.
    """
    real = logging._lock  # type: ignore[attr-defined]
    monkey.patch_all()
    logging._lock = real  # type: ignore[attr-defined]


def settle_memory() -> None:
    """Hide what is loaded from the garbage collector: a full collection would stall the loop for long."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    ctypes.CDLL(None).malloc_trim(0)  # what loading has left behind


def entry_of(launch: Launch) -> Callable[[WorkerContext], None]:
    """Import the pool's `module:function`, and judge settings that were declared only there."""
    name, _, function = launch.pool.entry.partition(":")
    main: Callable[[WorkerContext], None] = getattr(importlib.import_module(name), function)
    report([problem for problem in launch.config.complete() if problem.fatal], log)
    return main


def run(launch: Launch) -> int:
    """Be this worker; answers the process' exit status."""
    global _current
    try:
        prepare(launch)
        main = entry_of(launch)
        worker = _current = Worker(launch)
        hub: Any = gevent.get_hub()
        hub.print_exception = worker.hub_error
        drop_privileges(launch)
        die_with(launch.master)
        worker.arm()
    except Exception:
        log.exception("worker cannot start")
        return BOOT_FAILED
    settle_memory()
    log.debug("worker started", extra={"slot": str(launch.slot)})
    return worker.serve(main)
