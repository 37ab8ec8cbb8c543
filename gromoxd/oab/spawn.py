"""Has a process of its own make offline address books, so that no worker's loop or memory suffers."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Final

import msgspec

log = logging.getLogger(__name__)
MODULE: Final = "gromoxd.oab.build"
LONGEST_ERROR: Final = 200


def publish(site: str, organisation: str, generations: int, limit: float, only: str = "") -> bool:
    """Make what has changed, waiting for who is at it already; whether it went well. `only`: see `build.Job`.

    Blocks greenlet-wise in a worker, whose `subprocess` is gevent's.
    """
    job = msgspec.json.encode({"organisation": organisation, "generations": generations, "only": only})
    try:
        with subprocess.Popen(
            [sys.executable, "-m", MODULE, site],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            return _ended(child, job, limit)
    except OSError as error:
        log.error("offline address books cannot be made", extra={"error": str(error)})
        return False


def _ended(child: subprocess.Popen[bytes], job: bytes, limit: float) -> bool:
    try:
        _, errors = child.communicate(job, timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        log.error("making offline address books takes too long", extra={"limit": limit})
        return False
    except BaseException:
        child.kill()
        raise
    if child.returncode:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        extra = {"status": child.returncode, "error": last[:LONGEST_ERROR]}
        log.error("offline address books cannot be made", extra=extra)
    return child.returncode == 0
