"""NTLM and Negotiate over HTTP ([MS-NTHT], RFC 4559): a log-in of several requests on one connection, which it is for.

With our own NT hashes, or by Samba's `ntlm_auth` (its protocol `squid-2.5-ntlmssp`): YR and KK carry the client's
messages; TT, AF and NA are the answers.
"""

from __future__ import annotations

import logging
import os
import shlex
import time
from base64 import b64decode, b64encode
from typing import Any, NamedTuple

import gevent
from gevent import subprocess

from gromoxd.directory.login import Authenticator as Login
from gromoxd.directory.model import User
from gromoxd.errors import WireError
from gromoxd.mapi.times import UNIX_EPOCH_NT
from gromoxd.ntlm.server import Names, NtlmServer, name_of
from gromoxd.ntlm.session import NtlmError
from gromoxd.ntlm.spnego import SpnegoServer

log = logging.getLogger(__name__)

HELPER_SECONDS = 10.0
MOST_HELPERS = 32
LONGEST_LINE = 64 << 10


class Done(NamedTuple):
    """The log-in's outcome: a `token` for the client's next step, or who it is (and perhaps a last token)."""

    token: bytes
    user: User | None = None
    login: str = ""


def now_nt() -> int:
    """Now as a FILETIME."""
    return UNIX_EPOCH_NT + time.time_ns() // 100


class Handshake:
    """By our NT hashes."""

    def __init__(self, login: Login, names: Names, directory_name: Any) -> None:
        self._server = NtlmServer(os.urandom(8), None, names, now_nt())
        self._spnego = SpnegoServer(self._server)
        self._login, self._directory_name = login, directory_name

    def step(self, token: bytes, privilege: int, peer: str) -> Done:
        """Take the client's next token. AuthFailed when it proves nothing."""
        try:
            step = self._spnego.step(token)
            if not step.message:
                return Done(step.answer)
            said = self._server.read(step.message)
        except (NtlmError, WireError) as error:
            log.debug("NTLM refused", extra={"reason": str(error)})
            self._login.refuse("NTLM", peer)
        name = name_of(said)

        def proves(kept: bytes | None) -> bool:
            if not self._server.verify(step.message, said, kept):
                return False
            try:
                self._last = self._spnego.finish()
            except (NtlmError, WireError) as error:
                log.debug("SPNEGO refused", extra={"reason": str(error)})
                return False
            return True

        user = self._login.by_proof(self._directory_name(name), proves, privilege, peer)
        return Done(self._last, user, name)

    def close(self) -> None:
        """Nothing is held."""


class HelperHandshake:
    """By a helper process of its own, which ends with it."""

    running = 0

    def __init__(self, program: str, login: Login, directory_name: Any) -> None:
        if HelperHandshake.running >= MOST_HELPERS:
            raise OSError("too many helpers")
        self._login, self._directory_name = login, directory_name
        self._process: Any = subprocess.Popen(
            shlex.split(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        HelperHandshake.running += 1
        self._first = True

    def step(self, token: bytes, privilege: int, peer: str) -> Done:
        """Take the client's next message. AuthFailed when the helper says no; OSError when it says nothing."""
        answer, _, rest = self._ask("YR" if self._first else "KK", token).partition(" ")
        first, self._first = self._first, False
        if first and answer == "TT":
            return Done(b64decode(rest))
        if not first and answer == "AF":
            name = rest.strip()
            return Done(b"", self._login.by_trust(self._directory_name(name), privilege, peer), name)
        log.info("NTLM helper refused", extra={"answer": answer})
        self._login.refuse("NTLM", peer)

    def _ask(self, word: str, token: bytes) -> str:
        line = b""
        with gevent.Timeout(HELPER_SECONDS, TimeoutError("the NTLM helper is silent")):
            self._process.stdin.write(f"{word} {b64encode(token).decode()}\n".encode())
            while not line.endswith(b"\n"):
                piece = self._process.stdout.read(4096)
                if not piece or len(line) > LONGEST_LINE:
                    raise OSError("the NTLM helper went")
                line += piece
        return line.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """End the helper."""
        if self._process is None:
            return
        process, self._process = self._process, None
        HelperHandshake.running -= 1
        process.kill()
        process.stdin.close()
        process.stdout.close()
        process.wait()
