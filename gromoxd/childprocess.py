"""Work that is done by a process of its own, so that no worker's loop or memory suffers."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import Final

log = logging.getLogger(__name__)
LONGEST_ERROR: Final = 200


def done(module: str, site: str, job: bytes, limit: float) -> bool:
    """Run `python -m module site` with `job` at its standard input; whether it went well, within `limit` seconds.

    What went wrong is in the log. Blocks greenlet-wise in a worker, whose `subprocess` is gevent's.
    """
    try:
        with subprocess.Popen(
            [sys.executable, "-m", module, site],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        ) as child:  # fmt: skip
            return _ended(child, module, job, limit)
    except OSError as error:
        log.error("a helper process cannot be started", extra={"helper": module, "error": str(error)})
        return False


def _ended(child: subprocess.Popen[bytes], module: str, job: bytes, limit: float) -> bool:
    try:
        _, errors = child.communicate(job, timeout=limit)
    except subprocess.TimeoutExpired:
        child.kill()
        log.error("a helper process takes too long", extra={"helper": module, "limit": limit})
        return False
    except BaseException:
        child.kill()
        raise
    if child.returncode:
        last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        extra = {"helper": module, "status": child.returncode, "error": last[:LONGEST_ERROR]}
        log.error("a helper process failed", extra=extra)
    return child.returncode == 0
