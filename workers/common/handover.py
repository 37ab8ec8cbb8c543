"""Handing a mail to the relay's spool from another worker of this node: members of lists who are elsewhere.

A connection to `<site>/run/queue.sock`: one line of JSON, then the octets; the answer, one line of JSON, comes when the
mail is on disk. The token names the mail: one that is handed over again is not sent twice.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from typing import Any

from gevent import socket

TIMEOUT = 60.0
LONGEST_LINE = 8 << 20


def queue_socket(site: str) -> str:
    """Where the relay is asked."""
    return os.path.join(site, "run", "queue.sock")


def hand_over(
    site: str, token: bytes, sender: str, recipients: Sequence[str], size: int, octets: Iterable[bytes]
) -> None:
    """Give a mail to the relay. OSError when it does not have it on disk for certain."""
    head = {"command": "submit", "token": token.hex(), "sender": sender, "recipients": list(recipients), "size": size}
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(TIMEOUT)
        sock.connect(queue_socket(site))
        sock.sendall(json.dumps(head).encode() + b"\n")
        for piece in octets:
            sock.sendall(piece)
        answer = _answer(sock)
    if not answer.get("ok"):
        raise OSError(f"the relay did not take a mail: {answer.get('error')}")


def _answer(sock: Any) -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        piece = sock.recv(64 << 10)
        if not piece or len(line) > LONGEST_LINE:
            raise OSError("the relay did not answer")
        line += piece
    try:
        found = json.loads(line)
    except ValueError as error:
        raise OSError("the relay's answer is none") from error
    return found if isinstance(found, dict) else {}
