"""Has a process of its own bring the snapshot up to date, so that no worker's loop or memory suffers."""

from __future__ import annotations

import logging
import subprocess
import sys
from dataclasses import asdict
from typing import Final

import msgspec

from gromoxd.directory.settings import DatabaseSettings

log = logging.getLogger(__name__)
MODULE: Final = "gromoxd.addressbook.build"
LONGEST_ERROR: Final = 200


def refresh(site: str, settings: DatabaseSettings, limit: float) -> bool:
    """Build the site's snapshot if the directory has changed, waiting for who is at it already; whether it went well.

    Blocks greenlet-wise in a worker, whose `subprocess` is gevent's.
    """
    try:
        with subprocess.Popen(
            [sys.executable, "-m", MODULE, site],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            return _ended(child, msgspec.json.encode(asdict(settings)), limit)
    except OSError as error:
        log.error("address book cannot be built", extra={"error": str(error)})
        return False


def _ended(child: subprocess.Popen[bytes], settings: bytes, limit: float) -> bool:
    try:
        _, errors = child.communicate(settings, timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        log.error("building the address book takes too long", extra={"limit": limit})
        return False
    except BaseException:
        child.kill()
        raise
    if child.returncode:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        log.error("address book cannot be built", extra={"status": child.returncode, "error": last[:LONGEST_ERROR]})
    return child.returncode == 0
