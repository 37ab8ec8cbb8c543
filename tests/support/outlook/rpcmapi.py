"""What a profile of an Outlook before MAPI/HTTP works with: the mailbox, referrals, the address book over RPC/HTTP.

[MS-OXCRPC] 3.1.4 and 3.3.4, [MS-OXABREF] 3.1.4, [MS-OXNSPI] 3.1.4.1. `MapiRpc` is what `MapiHttp` is, so that the same
sessions, stores and replicas run on it.
"""

from __future__ import annotations

import base64
import copy
import http.client
import itertools
import ssl
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from lxml import etree

from tests.support.outlook import ndr
from tests.support.outlook.autodiscover import REQUEST, RESPONSE
from tests.support.outlook.ndr import ASYNC, EMSMDB, NO_HANDLE, NSPI, RFR, NdrReader, Writer
from tests.support.outlook.nspi import DISPLAY_NAME, RESOLVED, SMTP, Stat
from tests.support.outlook.profile import Profile
from tests.support.outlook.rops import Handle, Rop
from tests.support.outlook.rpccall import Connection
from tests.support.outlook.rpchttp import Place
from tests.support.outlook.session import LARGEST_BUFFER, Session
from tests.support.outlook.transport import (
    CHAIN,
    COMPRESSED,
    LARGEST_OUT,
    LAST,
    XOR_MAGIC,
    CallFault,
    unpack,
)  # fmt: skip
from tests.support.outlook.wire import Bad, Reader, u16, u32
from tests.support.server import Server

MAILBOX, DIRECTORY, REFERRAL = 6001, 6004, 6002
COMPRESS_FROM = 1024
_OBSCURED = bytes(octet ^ 0xA5 for octet in range(256))


def compress(data: bytes) -> bytes:
    """DIRECT2 ([MS-OXCRPC] 3.1.4.11.1.1): matches of three octets and more, found by their first three."""
    out, at, shared = bytearray(), 0, -1
    seen: dict[bytes, int] = {}
    while True:
        mask_at, mask = len(out), 0
        out += bytes(4)
        for bit in range(31, -1, -1):
            if at >= len(data):
                mask |= (1 << bit + 1) - 1
                out[mask_at : mask_at + 4] = mask.to_bytes(4, "little")
                return bytes(out)
            length, distance = _match(data, at, seen)
            for place in range(at, at + max(length, 1)):
                seen[data[place : place + 3]] = place
            if not length:
                out.append(data[at])
                at += 1
                continue
            mask |= 1 << bit
            at += length
            shared = _token(out, length - 3, distance - 1, shared)
        out[mask_at : mask_at + 4] = mask.to_bytes(4, "little")


def _match(data: bytes, at: int, seen: dict[bytes, int]) -> tuple[int, int]:
    place = seen.get(data[at : at + 3], -1)
    if at + 3 > len(data) or place < 0 or at - place > 8192:
        return 0, 0
    length = 3
    while at + length < len(data) and data[place + length] == data[at + length]:
        length += 1
    return length, at - place


def _token(out: bytearray, length: int, distance: int, shared: int) -> int:
    """A match: 13 bits of distance, 3 of length, then four bits that two of them share, octets. The place of such."""
    out += u16(distance << 3 | min(length, 7))
    if length < 7:
        return shared
    length -= 7
    half = min(length, 15)
    if shared < 0:
        shared, place = len(out), -1
        out.append(half)
        place = shared
    else:
        out[shared] |= half << 4
        place = -1
    if length >= 15:
        rest = length - 15
        if rest < 255:
            out.append(rest)
        else:
            out.append(255)
            out += u16(length + 7)
    return place


def pack(payload: bytes) -> bytes:
    """One buffer as Outlook sends it: compressed where that pays, otherwise obfuscated ([MS-OXCRPC] 2.2.2.1)."""
    pays = len(payload) >= COMPRESS_FROM and len(zlib.compress(payload, 1)) < len(payload) * 0.9  # ours is slow
    packed = compress(payload) if pays else payload
    if len(packed) < len(payload):
        return u16(0, LAST | COMPRESSED, len(packed), len(payload)) + packed
    return u16(0, LAST | XOR_MAGIC, len(payload), len(payload)) + payload.translate(_OBSCURED)


# ---------------------------------------------------------------------------------------------- AutoDiscover


@dataclass(frozen=True)
class OldAccount:
    """EXCH and EXPR ([MS-OXDSCLI] 2.2.4.1.1.2.6)."""

    name: str
    dn: str
    server: str
    server_dn: str
    mdb_dn: str
    proxy: str
    ssl: bool
    auth: str
    principal: str
    protocols: tuple[str, ...]


def discover_old(host: str, port: int, address: str, password: str) -> OldAccount:
    """AutoDiscover as an Outlook that does not know MAPI/HTTP."""
    body = (
        f'<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="{REQUEST}"><Request>'
        f"<EMailAddress>{address}</EMailAddress>"
        f"<AcceptableResponseSchema>{RESPONSE}</AcceptableResponseSchema></Request></Autodiscover>"
    )
    fields = {
        "Content-Type": "text/xml", "User-Agent": "Microsoft Office/12.0 (Windows NT 5.2; Outlook 12.0.6315; Pro)",
        "Authorization": "Basic " + base64.b64encode(f"{address}:{password}".encode()).decode(),
    }  # fmt: skip
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("POST", "/autodiscover/autodiscover.xml", body.encode(), fields)
        answer = connection.getresponse()
        data = answer.read()
        assert answer.status == 200, (answer.status, data[:300])
    finally:
        connection.close()
    tree = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
    ns = {"a": RESPONSE}

    def text(path: str) -> str:
        return str(tree.findtext(f"a:Response/{path}", "", ns))

    exch, expr = (f"a:Account/a:Protocol[a:Type='{kind}']/a:" for kind in ("EXCH", "EXPR"))
    return OldAccount(
        text("a:User/a:DisplayName"), text("a:User/a:LegacyDN"), text(exch + "Server"), text(exch + "ServerDN"),
        text(exch + "MdbDN"), text(expr + "Server"), text(expr + "SSL") == "On", text(expr + "AuthPackage"),
        text(expr + "CertPrincipalName"),
        tuple(str(one.findtext("a:Type", "", ns)) for one in tree.findall("a:Response/a:Account/a:Protocol", ns)),
    )  # fmt: skip


# ---------------------------------------------------------------------------------------------- referrals


class Referrals(Connection):
    """RFRI ([MS-OXABREF] 3.1.4)."""

    def __init__(self, place: Place, **more: Any) -> None:
        super().__init__(replace(place, endpoint=REFERRAL), RFR, **more)

    def new_dsa(self, user_dn: str) -> str:
        """RfrGetNewDSA, with pointers to pointers that point to nothing as Outlook sends them."""
        stub = Writer().u32(0).string(user_dn)
        stub.align(4).pointer().pointer(False).pointer().pointer(False)
        reader = self.call(RFR, 0, bytes(stub.out))
        assert not reader.optional(lambda: reader.optional(reader.string))
        server = reader.optional(lambda: reader.optional(reader.string))
        _result(reader)
        return str(server)

    def fqdn(self, server_dn: str) -> str:
        """RfrGetFQDNFromServerDN."""
        reader = self.call(RFR, 1, bytes(Writer().u32(0, len(server_dn) + 1).string(server_dn).out))
        found = reader.optional(reader.string)
        _result(reader)
        return str(found)


def _result(reader: NdrReader) -> None:
    code = reader.u32()
    reader.finish()
    if code:
        raise CallFault(code)


# ---------------------------------------------------------------------------------------------- the address book


class RpcAddressBook(Connection):
    """NSPI ([MS-OXNSPI] 3.1.4.1)."""

    stat = Stat()

    def __init__(self, place: Place, **more: Any) -> None:
        super().__init__(replace(place, endpoint=DIRECTORY), NSPI, **more)
        self.handle = NO_HANDLE

    def bind(self) -> RpcAddressBook:
        """NspiBind."""
        stub = Writer().u32(0).raw(self.stat.write()).pointer().raw(bytes(16))
        reader = self.call(NSPI, 0, bytes(stub.out))
        self.guid = reader.optional(lambda: reader.take(16))
        self.handle = reader.handle()
        _result(reader)
        assert self.guid and self.handle != NO_HANDLE
        return self

    def unbind(self) -> None:
        """NspiUnbind: its success is 1."""
        reader = self.call(NSPI, 1, bytes(self._stub().u32(0).out))
        handle, code = reader.handle(), reader.u32()
        assert (handle, code) == (NO_HANDLE, 1), (handle, code)
        self.close()

    def _stub(self) -> Writer:
        return Writer().handle(self.handle)

    def rows(self, count: int, *columns: int, explicit: Sequence[int] = ()) -> list[dict[int, Any]]:
        """NspiQueryRows from the cursor, which moves on, or of given entries."""
        stub = self._stub().u32(0).raw(self.stat.write()).u32(len(explicit)).pointer(bool(explicit))
        stub = stub.u32(len(explicit), *explicit) if explicit else stub
        stub.u32(count).pointer().tags(columns)
        reader = self.call(NSPI, 3, bytes(stub.out))
        stat = Stat.read(Reader(reader.take(36)))
        found = reader.optional(lambda: ndr.rows(reader))
        _result(reader)
        self.stat = stat
        return found or []

    def resolve(self, *names: str, columns: Sequence[int] = (DISPLAY_NAME, SMTP)) -> list[tuple[int, dict[int, Any]]]:
        """NspiResolveNamesW: for each its state, and for those resolved its row."""
        stub = self._stub().u32(0).raw(self.stat.write()).pointer().tags(columns).u32(len(names), len(names))
        for _ in names:
            stub.pointer()
        for name in names:
            stub.string(name, 2)
        reader = self.call(NSPI, 20, bytes(stub.out))
        mids = reader.optional(reader.tags) or []
        rows = reader.optional(lambda: ndr.rows(reader)) or []
        _result(reader)
        assert len(mids) == len(names) and len(rows) == mids.count(RESOLVED), (mids, rows)
        left = iter(rows)
        return [(mid, next(left) if mid == RESOLVED else {}) for mid in mids]

    def ids_of(self, *dns: str) -> list[int]:
        """NspiDNToMId."""
        stub = self._stub().u32(0, len(dns), len(dns))
        for _ in dns:
            stub.pointer()
        for name in dns:
            stub.string(name)
        reader = self.call(NSPI, 7, bytes(stub.out))
        found: list[int] = reader.optional(reader.tags) or []
        _result(reader)
        return found

    def props(self, mid: int, *columns: int) -> dict[int, Any]:
        """NspiGetProps of one entry."""
        stub = self._stub().u32(0).raw(replace(self.stat, current=mid).write()).pointer().tags(columns)
        reader = self.call(NSPI, 9, bytes(stub.out))
        found = reader.optional(lambda: ndr.row(reader))
        code = reader.u32()
        reader.finish()
        if code and code >> 16 != 4:
            raise CallFault(code)
        return found or {}

    def special(self, flags: int = 4) -> list[dict[int, Any]]:
        """NspiGetSpecialTable: the hierarchy of address lists."""
        stub = self._stub().u32(flags).raw(self.stat.write()).u32(0)
        reader = self.call(NSPI, 12, bytes(stub.out))
        reader.u32()  # Version
        found = reader.optional(lambda: ndr.rows(reader))
        _result(reader)
        return found or []


# ---------------------------------------------------------------------------------------------- the mailbox


class MapiRpc:
    """EMSMDB and AsyncEMSMDB, with the methods of `MapiHttp`. Notifications are waited for on another connection."""

    flags = CHAIN
    """pulFlags: the server may compress and obfuscate."""
    polls_max = 0

    def __init__(self, place: Place, *, login: tuple[str, str] | None = None, **more: Any) -> None:
        self.place, self.timeout = replace(place, endpoint=MAILBOX), place.timeout
        self._login, self._more = login, more
        self.rpc: Connection | None = None
        self.second: Connection | None = None
        self.handle = self.async_handle = NO_HANDLE
        self.requests = 0

    def close(self) -> None:
        """Close the connections, with which the session ends (C706 5.1.6)."""
        for one in (self.rpc, self.second):
            if one is not None:
                one.close()
        self.rpc = self.second = None

    def another(self) -> _Waiting:
        """For a request that waits."""
        return _Waiting(self)

    @property
    def live(self) -> Connection:
        """The connection. ConnectionError."""
        if self.rpc is None:
            raise ConnectionError("not connected")
        return self.rpc

    def connect(self, user_dn: str, *, code_page: int = 1252, lcid: int = 1033) -> MapiRpc:
        """EcDoConnectEx. CallFault."""
        self.close()
        self.rpc = Connection(self.place, EMSMDB, login=self._login, **self._more)
        stub = Writer().string(user_dn).u32(0, 0, 0, code_page, lcid, lcid, 0xFFFFFFFF)
        stub.u16(0, 12, 6315, 5000).u32(0).octets(b"").u32(0, 0x1008)
        reader = self.rpc.call(EMSMDB, 10, bytes(stub.out))
        self.handle = reader.handle()
        self.polls_max, self.retry_count, self.retry_delay = reader.u32(), reader.u32(), reader.u32()
        reader.u16()  # picxr
        dn_prefix, display_name = (reader.optional(reader.string) for _ in range(2))
        self.server_version, best = ([reader.u16() for _ in range(3)] for _ in range(2))
        reader.u32()  # pulTimeStamp
        self._auxiliary(reader)
        _result(reader)
        self.dn_prefix, self.display_name = str(dn_prefix), str(display_name)
        assert self.handle != NO_HANDLE and best == [12, 6315, 5000], best
        return self

    def disconnect(self) -> None:
        """EcDoDisconnect; the connections end."""
        reader = self.live.call(EMSMDB, 1, bytes(Writer().handle(self.handle).out))
        self.handle = reader.handle()
        _result(reader)
        assert self.handle == NO_HANDLE
        self.close()

    def execute(self, rops: bytes, *, largest: int = LARGEST_OUT) -> list[bytes]:
        """EcDoRpcExt2 with one buffer; the payloads of the answer."""
        self.requests += 1
        packed = pack(rops)
        stub = Writer().handle(self.handle).u32(self.flags).octets(packed).u32(len(packed), largest)
        reader = self.live.call(EMSMDB, 11, bytes(stub.octets(b"").u32(0, 0x1008).out), self.timeout)
        handle, flags, out = reader.handle(), reader.u32(), reader.varying()
        size = reader.u32()
        self._auxiliary(reader)
        reader.u32()  # pulTransTime
        _result(reader)
        assert handle == self.handle and flags == 0 and size == len(out) <= largest, (flags, size, len(out))
        return unpack(out)

    def async_connect(self) -> None:
        """EcDoAsyncConnectEx, and a second connection in the same association for what waits."""
        reader = self.live.call(EMSMDB, 14, bytes(Writer().handle(self.handle).out))
        self.async_handle = reader.handle()
        _result(reader)
        assert self.async_handle not in (NO_HANDLE, self.handle)
        group = self.live.bound.group
        self.second = Connection(self.place, ASYNC, EMSMDB, login=self._login, association=group, **self._more)

    def wait(self, seconds: float = 400.0) -> bool:
        """EcDoAsyncWaitEx: is anything there to be fetched?"""
        if self.second is None:
            self.async_connect()
        assert self.second is not None
        reader = self.second.call(ASYNC, 0, bytes(Writer().handle(self.async_handle).u32(0).out), seconds)
        flags = reader.u32()
        _result(reader)
        if flags & ~1:
            raise Bad(f"pulFlagsOut {flags:#x}")
        return bool(flags & 1)

    def ping(self) -> None:
        """EcDummyRpc."""
        _result(self.live.call(EMSMDB, 6, b""))

    @staticmethod
    def _auxiliary(reader: NdrReader) -> None:
        data = reader.varying()
        assert reader.u32() == len(data)
        if data:
            unpack(data)


class _Waiting:
    """What `Waiter` uses of a link."""

    timeout = 0.0

    def __init__(self, link: MapiRpc) -> None:
        self._link = link
        if link.second is None:
            link.async_connect()

    def wait(self) -> bool:
        return self._link.wait()

    def close(self) -> None:
        """The connection is needed again."""


class ChainedSession(Session):
    """A session whose answers come in several buffers: the last request is answered once in each ([MS-OXCRPC]
    3.1.4.2.1.2), and the answers are put together."""

    def attempt(self, *rops: Rop, largest: int = LARGEST_OUT) -> list[Any]:
        table: list[Handle] = []
        data = b"".join(self._encode(rop, table) for rop in rops)
        assert len(data) + 2 <= LARGEST_BUFFER
        waiting = [rop for rop in rops if rop.number != 0x01]
        payload = u16(len(data) + 2) + data + u32(*(handle.value for handle in table))
        for number, answer in enumerate(self.link.execute(payload, largest=largest)):
            if number == 0 or waiting:
                self._answer(answer, waiting, table if number == 0 else None)
                continue
            more = copy.copy(rops[-1])
            left = [more]
            self._answer(answer, left, None)
            if not left:
                rops[-1].result = _JOINED[more.number](rops[-1].result, more.result)
        if waiting:
            raise Bad(f"{len(waiting)} requests were not answered, first {waiting[0].number:#x}")
        return [rop.result for rop in rops]


_JOINED: dict[int, Callable[[Any, Any], Any]] = {
    0x15: lambda first, more: (more[0], first[1] + more[1]),
    0x2C: lambda first, more: first + more,
    0x4E: lambda first, more: more._replace(data=first.data + more.data),
}
"""RopQueryRows, RopReadStream, RopFastTransferSourceGetBuffer: no other is answered more than once."""


class OldProfile(Profile):
    """Somebody's, made by AutoDiscover as an old Outlook makes it: EXCH, EXPR, the referral, then the mailbox."""

    def __init__(
        self, server: Server, user: str, *, connect: bool = True, timeout: float = 60.0,
        tls: ssl.SSLContext | None = None, expect: bool = False, login: tuple[str, str] | None = None, **more: Any,
    ) -> None:  # fmt: skip
        self.server, self.user, self.timeout = server, user, timeout
        self.host, self.port = server.address("http")
        self.account = discover_old(self.host, self.port, user, server.password(user))  # type: ignore[assignment]
        host, port = server.address("https") if tls else (self.host, self.port)
        self.place = Place(host, port, self.account.server, MAILBOX, user, server.password(user), tls, expect, timeout)
        self._login, self._more = login, more
        if connect:
            self.connect()

    def connect(self) -> Session:
        link = MapiRpc(self.place, login=self._login, **self._more)
        link.connect(self.account.dn)
        self.link = link  # type: ignore[assignment]
        self.session = ChainedSession(self.link)
        self._logons = itertools.count()
        return self.session

    def __enter__(self) -> Self:
        return self

    @property
    def rpc(self) -> Connection:
        """The mailbox's connection."""
        link: Any = self.link
        return link.live  # type: ignore[no-any-return]

    def referrals(self) -> Referrals:
        return Referrals(self.place)

    def book(self) -> RpcAddressBook:
        return RpcAddressBook(self.place)
