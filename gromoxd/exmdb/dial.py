"""Connecting to a store worker: Unix socket inside a node, TCP with the shared-secret handshake between nodes."""

from __future__ import annotations

import os
import ssl

from gevent import socket as gsocket
from gevent import ssl as gssl

from gromoxd.exmdb import handshake
from gromoxd.exmdb.link import Link

CONNECT_TIMEOUT = 5.0


def local(path: str) -> Link:
    """A link to a store worker of this node. OSError when it does not listen."""
    sock = gsocket.socket(gsocket.AF_UNIX, gsocket.SOCK_STREAM)
    try:
        sock.settimeout(CONNECT_TIMEOUT)
        sock.connect(path)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return Link(sock, unix=True)


def remote(host: str, port: int, secret: str, tls: bool) -> Link:
    """A link to another node, after the handshake. OSError when it is refused or the peer does not know the secret."""
    sock = gsocket.create_connection((host, port), CONNECT_TIMEOUT)
    try:
        sock.setsockopt(gsocket.IPPROTO_TCP, gsocket.TCP_NODELAY, 1)
        certificate = b""
        if tls:
            sock = _client_tls(sock)
            certificate = sock.getpeercert(binary_form=True) or b""
        _prove(sock, secret, certificate)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return Link(sock, unix=False)


def _client_tls(sock: gsocket.socket) -> gssl.SSLSocket:
    # The certificate is not checked against a CA: the secret's proof is bound to it (handshake.proof).
    context = gssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context.wrap_socket(sock)


def _prove(sock: gsocket.socket, secret: str, certificate: bytes) -> None:
    greeting = read_exactly(sock, len(handshake.MAGIC) + handshake.NONCE)
    if not greeting.startswith(handshake.MAGIC):
        raise OSError("not an exmdb port")
    server, client = greeting[len(handshake.MAGIC) :], os.urandom(handshake.NONCE)
    sock.sendall(client + handshake.proof(secret, b"client", server, client, certificate))
    shown = read_exactly(sock, handshake.PROOF)
    if not handshake.accepts(handshake.proof(secret, b"server", server, client, certificate), shown):
        raise OSError("the store at the other end does not know the secret")


def read_exactly(sock: gsocket.socket, length: int) -> bytes:
    """`length` bytes; OSError when the peer closes before."""
    data = b""
    while len(data) < length:
        more = sock.recv(length - len(data))
        if not more:
            raise OSError("closed during the exmdb handshake")
        data += more
    return data
