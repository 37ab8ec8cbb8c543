"""The relay's own socket: gromoxctl queue looks at the queue and changes it, workers of this node hand mail over.

One request a connection: a line of JSON with `command`, for `submit` followed by the octets; a line of JSON answers.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import apsw
import gevent
from gevent import socket
from gevent.pool import Pool

from workers.common.handover import queue_socket
from workers.relay import schedule
from workers.relay.disk import Disk
from workers.relay.engine import Engine
from workers.relay.pull import complete
from workers.relay.report import HEADER_LIMIT, header_of
from workers.relay.spool import Mail, NewMail, Spool, with_crlf

log = logging.getLogger(__name__)
LONGEST_REQUEST = 4 << 20
LARGEST_MAIL = 256 << 20
TIMEOUT = 60.0
AT_ONCE = 64
MOST_LISTED = 100_000
_ADDRESS = re.compile(r"[^\s<>\x00-\x20\x7f]+@[^\s<>@\x00-\x20\x7f]+")


class BadRequest(Exception):
    """The text says what is wrong."""


class Control:
    """One per relay."""

    def __init__(self, site: str, disk: Disk, engine: Engine, hostname: str, clock: Callable[[], float]) -> None:
        self._site = site
        self._disk = disk
        self._engine = engine
        self._hostname = hostname
        self._clock = clock
        self._pool = Pool(AT_ONCE)

    def start(self) -> None:
        """Listen."""
        path = queue_socket(self._site)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        os.chmod(path, 0o600)
        self._listener.listen(128)
        self._task = gevent.spawn(self._accept)

    def stop(self) -> None:
        """Listen no more; finish what is under way."""
        self._task.kill()
        self._listener.close()
        self._pool.join(5)

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            self._pool.spawn(self._serve, client)

    def _serve(self, client: Any) -> None:
        with client:
            client.settimeout(TIMEOUT)
            try:
                answer = self._answer(client)
            except BadRequest as error:
                answer = {"ok": False, "error": str(error)}
            except (OSError, apsw.Error) as error:
                log.warning("queue request failed", extra={"error": str(error)})
                answer = {"ok": False, "error": "the queue cannot be written"}
            with contextlib.suppress(OSError):
                client.sendall(json.dumps(answer).encode() + b"\n")

    def _answer(self, client: Any) -> dict[str, Any]:
        line, rest = _line(client)
        try:
            request = json.loads(line)
        except ValueError:
            raise BadRequest("not JSON") from None
        if not isinstance(request, dict):
            raise BadRequest("no request")
        handler = _COMMANDS.get(str(request.get("command")))
        if handler is None:
            raise BadRequest("unknown command")
        return {"ok": True, **handler(self, request, client, rest)}

    # ------------------------------------------------------------------------------------------ commands

    def _list(self, request: dict[str, Any], client: Any, rest: bytes) -> dict[str, Any]:
        limit = request.get("limit")
        most = limit if isinstance(limit, int) and 0 < limit < MOST_LISTED else MOST_LISTED
        return {"mails": self._disk.do(partial(Spool.listing, limit=most))}

    def _show(self, request: dict[str, Any], client: Any, rest: bytes) -> dict[str, Any]:
        (id_,) = _ids(request)[:1] or [0]
        mail = self._disk.do(lambda spool: spool.load(id_))
        if mail is None:
            raise BadRequest(f"there is no mail {id_}")
        return {"mail": shown(mail)}

    def _change(self, request: dict[str, Any], client: Any, rest: bytes) -> dict[str, Any]:
        command, now = str(request["command"]), self._clock()

        def work(spool: Spool) -> list[int]:
            ids = spool.ids() if request.get("all") is True else _ids(request)
            return [id_ for id_ in ids if _CHANGES[command](spool, id_, now)]

        done = self._disk.do(work)
        if command in ("release", "retry"):
            self._engine.add_now(done)
        else:
            for id_ in done:
                self._engine.add(id_, schedule.NEVER)
        return {"done": done}

    def _submit(self, request: dict[str, Any], client: Any, rest: bytes) -> dict[str, Any]:
        size, sender, recipients = request.get("size"), request.get("sender"), request.get("recipients")
        if not isinstance(size, int) or not 0 < size <= LARGEST_MAIL:
            raise BadRequest("size")
        good = isinstance(sender, str) and isinstance(recipients, list) and 0 < len(recipients) <= MOST_LISTED
        if not good or not all(isinstance(one, str) and _ADDRESS.fullmatch(one) for one in recipients or ()):
            raise BadRequest("addresses")
        try:
            token = bytes.fromhex(str(request.get("token")))
        except ValueError:
            raise BadRequest("token") from None
        if not 8 <= len(token) <= 32:
            raise BadRequest("token")
        pieces = [rest]
        have = len(rest)
        while have < size:
            piece = client.recv(min(256 << 10, size - have))
            if not piece:
                raise BadRequest("it ended too soon")
            pieces.append(piece)
            have += len(piece)
        now = self._clock()
        raw = complete(with_crlf(b"".join(pieces)[:size]), token, self._hostname, now)
        new = NewMail(token, "", str(sender), list(dict.fromkeys(recipients or ())), raw)
        id_ = self._disk.do(lambda spool: spool.add(new, now))
        if id_:
            self._engine.add(id_)
        return {"id": id_}


_CHANGES: dict[str, Callable[[Spool, int, float], bool]] = {
    "hold": lambda spool, id_, now: spool.hold(id_),
    "release": Spool.release,
    "retry": Spool.retry,
    "drop": Spool.drop,
}
_COMMANDS: dict[str, Callable[[Control, dict[str, Any], Any, bytes], dict[str, Any]]] = {
    "list": Control._list, "show": Control._show, "submit": Control._submit, **dict.fromkeys(_CHANGES, Control._change),
}  # fmt: skip


def _line(client: Any) -> tuple[bytes, bytes]:
    """The first line, and what came behind it."""
    data = b""
    while b"\n" not in data:
        piece = client.recv(64 << 10)
        if not piece or len(data) > LONGEST_REQUEST:
            raise BadRequest("no line")
        data += piece
    line, _, rest = data.partition(b"\n")
    return line, rest


def _ids(request: dict[str, Any]) -> list[int]:
    ids = request.get("ids")
    if not isinstance(ids, list) or not all(isinstance(one, int) and 0 <= one < 1 << 62 for one in ids):
        raise BadRequest("ids")
    return ids


def shown(mail: Mail) -> dict[str, Any]:
    """A mail for people: header and recipients, not its text."""
    return {
        "id": mail.id, "sender": mail.sender, "created": mail.created, "size": mail.size, "mailbox": mail.mailbox,
        "header": header_of(mail.read(HEADER_LIMIT)).decode("utf-8", "replace"),
        "recipients": [
            {
                "address": one.address, "state": schedule.STATES[one.state], "due": one.due, "tries": one.tries,
                "status": one.status, "text": one.text,
            }
            for one in mail.recipients
        ],
    }  # fmt: skip
