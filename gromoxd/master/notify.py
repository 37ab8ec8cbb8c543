"""What systemd is told: sd_notify(3) states and the watchdog. Nothing happens when systemd did not ask for it."""

from __future__ import annotations

import logging
import os
import time

from gunicorn.systemd import sd_notify

log = logging.getLogger(__name__)


class Notifier:
    """Speaks to the service manager; `watchdog` is the interval of keep-alives in seconds, 0 without a watchdog."""

    def __init__(self) -> None:
        self.watchdog = 0.0
        wanted = os.environ.pop("WATCHDOG_USEC", "")
        pid = os.environ.pop("WATCHDOG_PID", "")
        if wanted.isascii() and wanted.isdigit() and pid in ("", str(os.getpid())):
            self.watchdog = int(wanted) / 2e6
        self._next = 0.0

    def _send(self, *lines: str) -> None:
        sd_notify("\n".join(lines), log)

    def ready(self, status: str) -> None:
        """The server stands (or has taken over a changed configuration)."""
        self._send("READY=1", f"STATUS={status}", f"MAINPID={os.getpid()}")

    def reloading(self) -> None:
        """The configuration is being read again (needs the time since Linux' boot for Type=notify-reload)."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """The server goes down."""
        self._send("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def beat(self, now: float) -> None:
        """Called from the master's loop: tells the watchdog that the master is alive, twice per interval."""
        if self.watchdog and now >= self._next:
            self._next = now + self.watchdog
            self._send("WATCHDOG=1")

    @staticmethod
    def forget() -> None:
        """In a child: it must not speak for the master."""
        os.environ.pop("NOTIFY_SOCKET", None)
