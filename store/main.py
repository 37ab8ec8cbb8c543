"""The store worker: gevent glue around `StoreService`. Frames on Unix sockets, and on TCP after the handshake.

A TCP client names the shard that it wants; when that is a sibling's, the bytes are spliced to the sibling's socket.
"""

from __future__ import annotations

import ctypes
import ipaddress
import logging
import os
import socket
import struct
import tempfile
from typing import Any, BinaryIO

import gevent
from gevent import socket as gsocket
from gevent import ssl as gssl

from gromoxd.context import WorkerContext
from gromoxd.errors import Ec, MapiError, WireError
from gromoxd.exmdb import dial, framing, handshake
from gromoxd.exmdb.calls import Event
from gromoxd.exmdb.link import Link
from gromoxd.exmdb.settings import ExmdbSettings
from gromoxd.master.settings import TlsSettings
from store.homes import DirectoryHomes
from store.service import StoreService, close_spool
from store.settings import StoreSettings

log = logging.getLogger(__name__)
HANDSHAKE_SECONDS = 10.0
HELLO_LIMIT = 4096
MOST_UPLOADS = 64
M_ARENA_MAX = -8
"""mallopt(3)."""


class ClientPeer:
    """One client connection: implements `store.service.Peer`."""

    def __init__(self, link: Link, service: StoreService, shard: int, shards: int) -> None:
        self.instance = b""
        self._link = link
        self._service = service
        self._shard = shard
        self._shards = shards
        self._uploads: dict[int, BinaryIO] = {}

    def push(self, event: Event) -> None:
        """Send an event."""
        self._link.send(framing.frame(framing.EVENT, 0, framing.encode(event)))

    def serve(self) -> None:
        """Serve until the client goes. Does not wait for that."""
        self._link.listen(self._frame, self._end)

    def _frame(self, kind: int, descriptors: int, number: int, body: bytes) -> None:
        spool = self._link.take_descriptor() if descriptors else -1
        if kind == framing.REQUEST and self.instance:
            self._request(number, body, spool)
        elif kind == framing.UPLOAD and self.instance:
            self._upload(number, body)
        elif kind == framing.HELLO and not self.instance:
            self._hello(body)
        else:
            raise WireError("frame out of place")

    def _end(self, reason: str) -> None:
        if reason:
            log.warning("exmdb client sent garbage", extra={"error": reason})
        if self.instance:
            self._service.left(self)
        for upload in self._uploads.values():
            upload.close()

    def _hello(self, body: bytes) -> None:
        hello = framing.HELLO_DECODER.decode(body)
        if hello.version != framing.VERSION or len(hello.instance) != 16:
            raise WireError("HELLO of another version")
        self.instance = hello.instance
        self._service.joined(self)
        answer = framing.Hello(framing.VERSION, hello.instance, self._shard, self._shards)
        self._link.send(framing.frame(framing.HELLO, 0, framing.encode(answer)))

    def _request(self, number: int, body: bytes, spool: int) -> None:
        request = framing.REQUEST_DECODER.decode(body)
        if request.number >= len(framing.CALL_DECODERS) or request.number < 0:
            close_spool(spool)
            self._link.send(framing.failure(number, MapiError(Ec.ecNotSupported, "unknown call")))
            return
        call = framing.CALL_DECODERS[request.number].decode(request.body)
        if request.upload:
            upload = self._uploads.pop(request.upload, None)
            if upload is not None:
                upload.flush()
                spool = os.dup(upload.fileno())
                upload.close()
        link = self._link

        def answer(result: Any) -> None:
            if isinstance(result, MapiError):
                link.send(framing.failure(number, result))
            else:
                link.send(framing.frame(framing.ANSWER, number, framing.encode(result)))

        self._service.request(self, request.mailbox, request.actor, call, spool, answer)

    def _upload(self, number: int, body: bytes) -> None:
        upload = self._uploads.get(number)
        if upload is None:
            if len(self._uploads) >= MOST_UPLOADS:
                raise WireError("too many uploads")
            upload = self._uploads[number] = tempfile.TemporaryFile()  # noqa: SIM115 - lives until the request
        upload.write(body)


class StoreServer:
    """Accepts clients for one shard."""

    def __init__(self, ctx: WorkerContext, service: StoreService) -> None:
        self._ctx = ctx
        self._service = service
        self._shard = ctx.slot.number
        self._shards = ctx.shared.stores

    def accept(self, listener: socket.socket, tcp: bool, tls: bool) -> None:
        """Accept clients of one listener until it is closed."""
        with gsocket.socket(fileno=os.dup(listener.fileno())) as sock:
            while not self._ctx.draining():
                try:
                    client, address = sock.accept()
                except OSError as error:
                    log.warning("accept failed", extra={"error": str(error)})
                    gevent.sleep(0.1)
                    continue
                gevent.spawn(self._serve_tcp if tcp else self._serve_unix, client, address, tls)

    def _serve_unix(self, client: gsocket.socket, address: Any, tls: bool) -> None:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        uid = struct.unpack("3i", credentials)[1]
        if uid not in (0, os.geteuid()):
            log.warning("exmdb client refused", extra={"uid": uid})
            client.close()
            return
        ClientPeer(Link(client, unix=True), self._service, self._shard, self._shards).serve()

    def _serve_tcp(self, client: gsocket.socket, address: Any, tls: bool) -> None:
        settings = self._ctx.config.get(ExmdbSettings)
        if not settings.exmdb_secret or not allowed(address[0], settings.exmdb_hosts_allow):
            log.warning("exmdb client refused", extra={"peer": address[0]})
            client.close()
            return
        try:
            with gevent.Timeout(HANDSHAKE_SECONDS, OSError("handshake took too long")):
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                certificate = b""
                if settings.exmdb_tls:
                    client, certificate = server_tls(client, self._ctx)
                prove(client, settings.exmdb_secret, certificate)
                first = _first_frame(client)
        except OSError as error:
            log.warning("exmdb handshake failed", extra={"peer": address[0], "error": str(error)})
            client.close()
            return
        wanted = framing.HELLO_DECODER.decode(first[framing.HEAD.size :]).shard % self._shards
        splice(client, dial.local(f"{self._ctx.site}/run/store.{wanted}.sock"), first)


def allowed(address: str, networks: list[str]) -> bool:
    """Is an address inside one of the networks of exmdb_hosts_allow? A network that does not parse matches nothing."""
    peer = ipaddress.ip_address(address.split("%")[0])
    if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped:
        peer = peer.ipv4_mapped
    for text in networks:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            log.warning("exmdb_hosts_allow has no network", extra={"entry": text})
            continue
        if peer in network:
            return True
    return False


def server_tls(client: gsocket.socket, ctx: WorkerContext) -> tuple[gssl.SSLSocket, bytes]:
    """TLS with the node's certificate, and that certificate as DER. OSError when none is configured."""
    settings = ctx.config.get(TlsSettings)  # read per connection: links between nodes are few
    context = gssl.SSLContext(gssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls_certificate_path, settings.tls_private_key_path or None)
    with open(settings.tls_certificate_path) as file:
        der = gssl.PEM_cert_to_DER_cert(first_certificate(file.read()))
    return context.wrap_socket(client, server_side=True), der


def first_certificate(pem: str) -> str:
    """The first certificate of a PEM file."""
    start, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    at = pem.index(start)
    return pem[at : pem.index(end, at) + len(end)] + "\n"


def prove(client: gsocket.socket, secret: str, certificate: bytes) -> None:
    """The server's side of `gromoxd.exmdb.handshake`. OSError when the client does not know the secret."""
    nonce = os.urandom(handshake.NONCE)
    client.sendall(handshake.MAGIC + nonce)
    shown = dial.read_exactly(client, handshake.NONCE + handshake.PROOF)
    theirs, proof = shown[: handshake.NONCE], shown[handshake.NONCE :]
    if not handshake.accepts(handshake.proof(secret, b"client", nonce, theirs, certificate), proof):
        raise OSError("wrong secret")
    client.sendall(handshake.proof(secret, b"server", nonce, theirs, certificate))


def _first_frame(client: gsocket.socket) -> bytes:
    head = dial.read_exactly(client, framing.HEAD.size)
    length, kind, _, _ = framing.HEAD.unpack(head)
    if kind != framing.HELLO or length > HELLO_LIMIT:
        raise OSError("no HELLO")
    return head + dial.read_exactly(client, length)


def splice(outside: gsocket.socket, inside: Link, first: bytes) -> None:
    """Carry bytes both ways between a node's connection and the shard's own socket until one side closes."""
    inside.sock.sendall(first)

    def pump(source: gsocket.socket, target: gsocket.socket) -> None:
        try:
            while data := source.recv(1 << 18):
                target.sendall(data)
        except OSError:
            return  # either end went: the other is closed below

    pumps = [gevent.spawn(pump, outside, inside.sock), gevent.spawn(pump, inside.sock, outside)]
    gevent.joinall(pumps, count=1)
    gevent.killall(pumps)
    inside.close()
    outside.close()


def main(ctx: WorkerContext) -> None:
    """Entry point of a store worker: starts with an empty arena, serves until drained, gives its mailboxes up."""
    ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)  # one heap for the loop, one for all threads: less lies unused
    arena = ctx.shared.mailboxes(ctx.slot.number)
    arena.clear()
    homes = DirectoryHomes(ctx)
    service = StoreService(homes, lambda: ctx.config.get(StoreSettings), arena, ctx.board, homes.node, ctx.site)
    server = StoreServer(ctx, service)
    for listener in ctx.listeners:
        tcp = listener.service == "exmdb"
        gevent.spawn(server.accept, listener.sock, tcp, listener.tls)
    ctx.on_reload(service.homes_changed)
    while not ctx.draining():
        gevent.sleep(0.2)
    service.close_all()
