"""Sessions begun, used and ended: EcDoConnectEx, EcDoRpcExt2 and EcDoDisconnect whatever the transport.

[MS-OXCRPC] 3.1.4.1 to 3.1.4.3; [MS-OXCMAPIHTTP] 2.2.4 has the same operations in its own bodies.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from gromoxd.directory import dn
from gromoxd.directory.model import User
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.rop import aux, buffer, extbuffer
from gromoxd.rop.extbuffer import CallFlags
from workers.http.emsmdb.chaining import LEAST_ROOM
from workers.http.emsmdb.session import Session
from workers.http.emsmdb.settings import EmsmdbSettings
from workers.http.site import Site

log = logging.getLogger(__name__)

POLLS_MAX_MS: Final = 60_000
RETRY_COUNT: Final = 6
RETRY_DELAY_MS: Final = 10_000
ADMIN_PRIVILEGE: Final = 0x00000001
"""ulFlags: whoever connects asks for administrative access."""
SMALLEST_IN: Final = 8
LARGEST_IN: Final = 0x40000
LARGEST_AUX: Final = 0x1008
DEFAULT_CODE_PAGE: Final = 1252
_VERSION = re.compile(r"(\d{1,5})\.(\d{1,5})\.(\d{1,5})\.(\d{1,5})")
Version = tuple[int, int, int, int]
"""Major, minor, build, revision."""
DEFAULT_VERSION: Final[Version] = (15, 0, 847, 4040)


class Connected(NamedTuple):
    """What a client is told of its new session. `prefix`: of the DNs that it is told."""

    session: Session
    polls_max_ms: int
    retry_count: int
    retry_delay_ms: int
    prefix: str
    display_name: str
    server_version: Version
    aux_out: bytes


def connect(
    site: Site,
    user: User,
    user_dn: str,
    flags: int,
    code_page: int,
    lcid_string: int,
    lcid_sort: int,
    client_version: Version,
    aux_in: bytes = b"",
    wake: Callable[[], None] = lambda: None,
) -> Connected:
    """A session of the authenticated `user`, who must be the one of `user_dn`.

    ecAccessDenied for somebody else's DN or none, ecUnknownUser for a DN that nobody has, ecLoginPerm for who asks for
    administrative access, ecRpcFormat for auxiliary octets that are none.
    """
    _admit(site, user, user_dn)
    if flags & ADMIN_PRIVILEGE:
        raise MapiError(Ec.ecLoginPerm, "administrative access")
    program = _program(aux_in)
    session = Session(site, user, wake)
    session.code_page, session.lcid, session.sort_lcid = code_page or DEFAULT_CODE_PAGE, lcid_string, lcid_sort
    session.client_version = client_version
    log.debug("session", extra={"version": ".".join(map(str, client_version)), "program": program})
    domain = site.services.directory.domain(user.username.rpartition("@")[2])
    blocks = [
        aux.exorginfo(public_folders=domain is not None and bool(domain.homedir)),
        aux.client_control(aux.Enable.COMPRESSION | aux.Enable.HTTP_TUNNELING, 0),
        aux.endpoint_capabilities(single=True),
    ]
    return Connected(
        session, POLLS_MAX_MS, RETRY_COUNT, RETRY_DELAY_MS, dn.prefix(site.people.organisation),
        site.services.directory.profile(user).display_name or user.username, server_version(site),
        extbuffer.write([aux.write(blocks)]),
    )  # fmt: skip


def _admit(site: Site, user: User, user_dn: str) -> None:
    if not user_dn:
        raise MapiError(Ec.ecAccessDenied, "no DN")
    if user_dn.lower() == site.people.dn_of(user).lower():
        return
    other = site.people.user_of_dn(user_dn)
    if other is None:
        raise MapiError(Ec.ecUnknownUser, "a DN that nobody has")
    if other.id != user.id:
        raise MapiError(Ec.ecAccessDenied, "somebody else's DN")


def _program(aux_in: bytes) -> str:
    """The client's program, for the log; blocks that make no sense are passed over."""
    if not aux_in:
        return ""
    blocks = _auxiliary(aux_in)
    try:
        return next(filter(None, map(aux.process_name, aux.read(blocks))), "")
    except WireError:
        return ""


def _auxiliary(aux_in: bytes) -> bytes:
    if len(aux_in) > LARGEST_AUX:
        raise MapiError(Ec.ecRpcFormat, f"{len(aux_in)} octets of auxiliary blocks")
    try:
        return extbuffer.read_one(aux_in)
    except WireError as error:
        raise MapiError(Ec.ecRpcFormat, str(error)) from None


def execute_ext(session: Session, flags: int, rgb_in: bytes, max_out: int, aux_in: bytes = b"") -> tuple[bytes, bytes]:
    """Do what an extended buffer has; the extended buffers of the answer (at most `max_out` octets), auxiliary octets.

    ecRpcFormat for what is no ROP buffer, ecBufferTooSmall for a `max_out` in which nothing can be said.
    """
    if len(rgb_in) > LARGEST_IN or 0 < len(rgb_in) < SMALLEST_IN:
        raise MapiError(Ec.ecRpcFormat, f"{len(rgb_in)} octets")
    if aux_in:
        _auxiliary(aux_in)
    try:
        rops, handles = buffer.read(extbuffer.read_one(rgb_in)) if rgb_in else (b"", list[int]())
        with session.lock:
            if session.closed:
                raise MapiError(Ec.ecError, "the session has ended")
            payloads = _answers(session, flags, rops, handles, max_out)
    except WireError as error:
        raise MapiError(Ec.ecRpcFormat, str(error)) from None
    threshold = -1 if flags & CallFlags.NoCompression else _settings(session).emsmdb_compress_threshold
    return extbuffer.write(payloads, threshold), b""


def _answers(session: Session, flags: int, rops: bytes, handles: list[int], max_out: int) -> list[bytes]:
    beside = extbuffer.HEADER.size + buffer.overhead(handles)
    room = min(max_out, extbuffer.HEADER.size + extbuffer.LARGEST) - beside
    if room < 0:
        raise MapiError(Ec.ecBufferTooSmall, f"{max_out} octets")
    payloads = [buffer.write(session.execute(rops, handles, room), handles)]
    if not flags & CallFlags.Chain or not may_chain(session):
        return payloads
    max_out -= extbuffer.HEADER.size + len(payloads[0])
    while len(payloads) < extbuffer.MOST:
        if max_out < LEAST_ROOM:
            break
        answer = session.again(handles, min(max_out, extbuffer.HEADER.size + extbuffer.LARGEST) - beside)
        if not answer:
            break
        payloads.append(buffer.write(answer, handles))
        max_out -= extbuffer.HEADER.size + len(payloads[-1])
    return payloads


def may_chain(session: Session) -> bool:
    """Does the client's version read chained buffers? Those of Outlook 2013, and of 2016 before build 10000, do not."""
    wanted = _settings(session).emsmdb_rop_chaining
    major, _, build, _ = session.client_version
    return wanted == 2 or (wanted == 1 and (major != 16 or build >= 10_000) and major != 15)


def disconnect(session: Session) -> None:
    """EcDoDisconnect: after what is under way in it."""
    with session.lock:
        if not session.closed:
            session.close()


def _settings(session: Session) -> EmsmdbSettings:
    return session.site.ctx.config.get(EmsmdbSettings)


# ---------------------------------------------------------------------------------------------------- versions


def server_version(site: Site) -> Version:
    """What clients take this server for."""
    return parse_version(site.server_version) or DEFAULT_VERSION


def parse_version(text: str) -> Version | None:
    """`15.00.0847.4040`, also within other text ("Outlook/16.0.10730.20102")."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2]), int(found[3]), int(found[4])) if found else None


def pack_version(version: Version) -> tuple[int, int, int]:
    """As rgwServerVersion and rgwBestVersion have it ([MS-OXCRPC] 3.1.4.1.3.1)."""
    major, minor, build, revision = version
    return ((major & 0xFF) << 8 | minor & 0xFF, 0x8000 | build & 0x7FFF, revision & 0xFFFF)


def unpack_version(words: tuple[int, int, int]) -> Version:
    """rgwClientVersion."""
    first, second, third = words
    if second & 0x8000:
        return first >> 8, first & 0xFF, second & 0x7FFF, third
    return first, 0, second, third
