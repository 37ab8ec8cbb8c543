"""MAPI/HTTP as a client does it ([MS-OXCMAPIHTTP]), and the packing of ROP buffers ([MS-OXCRPC] 2.2.2.1)."""

from __future__ import annotations

import base64
import http.client
import threading
import time
import urllib.parse
import uuid
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Self

from tests.support.outlook.wire import Bad, Reader, u16, u32, z

COMPRESSED, XOR_MAGIC, LAST = 1, 2, 4
NO_COMPRESSION, NO_XOR, CHAIN = 1, 2, 4
LARGEST_OUT = 0x40000


class HttpFault(Exception):
    """An answer whose X-ResponseCode is not 0, or whose status is not 200."""

    def __init__(self, status: int, code: int, text: str = "") -> None:
        super().__init__(f"HTTP {status}, X-ResponseCode {code} {text}")
        self.status, self.code = status, code


class CallFault(Exception):
    """A request that was answered with a StatusCode or ErrorCode ([MS-OXCMAPIHTTP] 2.2.4)."""

    def __init__(self, code: int) -> None:
        super().__init__(f"{code:#x}")
        self.code = code


@dataclass
class Answer:
    """One answer of the endpoint: its header fields, the progress tags, the header fields of the end, the body."""

    headers: dict[str, str]
    tags: list[str]
    meta: dict[str, str]
    body: bytes


class Endpoint:
    """One URL, one session context: keeps the connection and the cookies."""

    def __init__(self, url: str, user: str, password: str, *, timeout: float = 60.0) -> None:
        parts = urllib.parse.urlsplit(url)
        self.url, self.user, self.timeout = url, user, timeout
        self._where = parts.hostname or "", parts.port or 80
        self._path = parts.path + ("?" + parts.query if parts.query else "")
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._client, self._count = uuid.uuid4(), 0
        self._connection: http.client.HTTPConnection | None = None
        self.cookies: dict[str, str] = {}
        self.requests = 0

    def close(self) -> None:
        """Close the connection; the session context lives on."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def another(self) -> Self:
        """Another connection of the same session context, for a request that waits."""
        made = type(self).__new__(type(self))
        made.__dict__.update(self.__dict__, _connection=None)  # the cookies are the same dict
        return made

    def post(self, kind: str, body: bytes, **more: str) -> Answer:
        """One request. HttpFault."""
        self._count += 1
        self.requests += 1
        fields = {
            "Authorization": self._basic, "Content-Type": "application/mapi-http", "X-RequestType": kind,
            "X-RequestId": f"{{{self._client}}}:{self._count}", "X-ClientInfo": f"{{{self._client}}}:1",
            "X-ClientApplication": "Outlook/15.0.4815.1002", "User-Agent": "Microsoft Office/15.0",
            **({"Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())} if self.cookies else {}),
            **more,
        }  # fmt: skip
        if self._connection is None:
            self._connection = http.client.HTTPConnection(*self._where, timeout=self.timeout)
        try:
            self._connection.request("POST", self._path, body, fields)
            got = self._connection.getresponse()
            data = got.read()
        except BaseException:
            self.close()
            raise
        headers = {key.lower(): value for key, value in got.getheaders() if key.lower() != "set-cookie"}
        for value in got.headers.get_all("Set-Cookie", []):
            self.cookies.update({key: morsel.value for key, morsel in SimpleCookie(value).items()})
        if headers.get("connection", "").lower() == "close":
            self.close()
        return self._checked(kind, fields, got.status, headers, data)

    def _checked(self, kind: str, sent: dict[str, str], status: int, headers: dict[str, str], data: bytes) -> Answer:
        code = int(headers.get("x-responsecode", "-1"))
        if status != 200 or code:
            raise HttpFault(status, code, data[:200].decode("latin-1"))
        assert headers["content-type"] == "application/mapi-http", headers
        assert headers["x-requesttype"].lower() == kind.lower(), headers
        assert headers["x-requestid"] == sent["X-RequestId"], headers
        assert headers["x-clientinfo"] == sent["X-ClientInfo"], headers
        assert headers["x-serverapplication"].startswith("Exchange/"), headers
        if kind.upper() == "PING" and not data:
            return Answer(headers, [], {}, b"")
        answer = parse_body(headers, data)
        final = int(answer.meta.get("x-responsecode", "0"))
        if final:
            raise HttpFault(status, final)
        return answer


def parse_body(headers: dict[str, str], data: bytes) -> Answer:
    """[MS-OXCMAPIHTTP] 2.2.7: PROCESSING, PENDING…, DONE, header fields, an empty line, the octets."""
    tags: list[str] = []
    while True:
        line, found, data = data.partition(b"\r\n")
        if not found or line not in (b"PROCESSING", b"PENDING", b"DONE"):
            raise Bad(f"no meta-tag: {line[:40]!r}")
        tags.append(line.decode())
        if line == b"DONE":
            break
    if tags[:1] != ["PROCESSING"] and len(tags) > 1:
        raise Bad(f"the first meta-tag is {tags[0]}")
    head, found, body = (b"\r\n" + data).partition(b"\r\n\r\n")
    if not found:
        raise Bad("the header fields of the end have none")
    meta: dict[str, str] = {}
    for row in filter(None, head.split(b"\r\n")):
        key, _, value = row.decode("ascii").partition(":")
        meta[key.strip().lower()] = value.strip()
    assert int(meta["x-elapsedtime"]) >= 0 and "x-starttime" in meta, meta
    return Answer(headers, tags, meta, body)


# ---------------------------------------------------------------------------------------------- buffers


def pack(payload: bytes) -> bytes:
    """One buffer, the last one, as it is ([MS-OXCRPC] 2.2.2.1)."""
    return u16(0, LAST, len(payload), len(payload)) + payload


def unpack(data: bytes) -> list[bytes]:
    """The payloads of the buffers of an answer, opened."""
    reader, found = Reader(data), []
    while reader.left():
        version, flags, size, actual = reader.read("4H")
        if version or flags & ~7:
            raise Bad(f"RPC_HEADER_EXT version {version} flags {flags:#x}")
        payload = reader.take(size)
        if flags & XOR_MAGIC:
            payload = bytes(octet ^ 0xA5 for octet in payload)
        if flags & COMPRESSED:
            payload = decompress(payload, actual)
        if len(payload) != actual:
            raise Bad(f"SizeActual {actual}, {len(payload)} octets")
        found.append(payload)
        if flags & LAST:
            reader.end()
            return found
    if data:
        raise Bad("no buffer is the last one")
    return found


def decompress(data: bytes, size: int) -> bytes:
    """DIRECT2 ([MS-OXCRPC] 3.1.4.11.1.2)."""
    reader, out, shared = Reader(data), bytearray(), -1
    while len(out) < size:
        bits = reader.u32()
        for shift in range(31, -1, -1):
            if len(out) >= size:
                break
            if not bits >> shift & 1:
                out.append(reader.u8())
                continue
            token = reader.u16()
            offset, length = (token >> 3) + 1, token & 7
            if length == 7:
                if shared < 0:
                    shared = reader.at
                    length = reader.u8() & 15
                else:
                    length = reader.data[shared] >> 4
                    shared = -1
                if length == 15:
                    length = reader.u8()
                    if length == 255:
                        length = reader.u16() - 15 - 7
                    length += 15
                length += 7
            for _ in range(length + 3):
                out.append(out[-offset])
    return bytes(out)


# ---------------------------------------------------------------------------------------------- the mailbox endpoint


class MapiHttp(Endpoint):
    """The requests of the mailbox endpoint ([MS-OXCMAPIHTTP] 2.2.4)."""

    flags = NO_COMPRESSION | NO_XOR
    display_name = dn_prefix = ""
    polls_max = 0

    def connect(self, user_dn: str, *, code_page: int = 1252, lcid: int = 1033) -> MapiHttp:
        """Connect. CallFault."""
        self.cookies.clear()
        body = z(user_dn) + u32(0, code_page, lcid, lcid) + u32(0)
        reader = self._ok(self.post("Connect", body))
        self.polls_max, self.retry_count, self.retry_delay = reader.read("3I")
        self.dn_prefix, self.display_name = reader.ascii(), reader.unicode()
        self._auxiliary(reader)
        return self

    def disconnect(self) -> None:
        """Disconnect; the cookies are of no use any more."""
        self._auxiliary(self._ok(self.post("Disconnect", u32(0))))
        self.cookies.clear()
        self.close()

    def execute(self, rops: bytes, *, largest: int = LARGEST_OUT) -> list[bytes]:
        """One Execute with one ROP buffer; the payloads of the answer."""
        packed = pack(rops)
        body = u32(self.flags, len(packed)) + packed + u32(largest, 0)
        reader = self._ok(self.post("Execute", body))
        assert reader.u32() == 0  # Flags: reserved
        found = unpack(reader.take(reader.u32()))
        self._auxiliary(reader)
        return found

    def wait(self) -> bool:
        """NotificationWait: is anything there to be fetched?"""
        reader = self._ok(self.post("NotificationWait", u32(0, 0)))
        pending = reader.u32()
        self._auxiliary(reader)
        return bool(pending & 1)

    def ping(self) -> None:
        """PING: the session context lives on."""
        self.post("PING", b"")

    @staticmethod
    def _ok(answer: Answer) -> Reader:
        reader = Reader(answer.body)
        status = reader.u32()
        if status:
            raise CallFault(status)
        error = reader.u32()
        if error:
            raise CallFault(error)
        return reader

    @staticmethod
    def _auxiliary(reader: Reader) -> None:
        size = reader.u32()
        if size:
            unpack(reader.take(size))
        reader.end()


class Waiter:
    """NotificationWait in a thread: `events` are the times at which the server said that there is something."""

    def __init__(self, link: MapiHttp) -> None:
        self._link = link.another()
        self._link.timeout = 400.0
        self.error: BaseException | None = None
        self.pending = False
        self.at = 0.0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.pending = self._link.wait()
        except BaseException as error:  # noqa: BLE001  # it is the test's
            self.error = error
        finally:
            self.at = time.perf_counter()
            self._link.close()

    def result(self, seconds: float = 10.0, *, pending: bool = True) -> float:
        """When it was answered; AssertionError when it is not, or says otherwise whether there is something."""
        self._thread.join(seconds)
        assert not self._thread.is_alive(), f"NotificationWait was not answered within {seconds} s"
        if self.error is not None:
            raise self.error
        assert self.pending is pending
        return self.at
