"""Messages made for the edges that samples do not have: each one valid on the wire, each one awkward."""

from __future__ import annotations

import base64
from collections.abc import Callable

HEAD = b"From: a@example.net\r\nTo: alice@example.test\r\nSubject: %s\r\nMessage-ID: <gen-%s@example.net>\r\n"


def _simple(name: str, body: bytes, *fields: bytes) -> bytes:
    head = HEAD % (name.encode(), name.encode())
    return head + b"".join(field + b"\r\n" for field in fields) + b"\r\n" + body


def _multipart(boundary: bytes, *parts: bytes) -> bytes:
    inner = b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in parts)
    return inner + b"--" + boundary + b"--\r\n"


def _nested(depth: int) -> bytes:
    body = b"Content-Type: text/plain\r\n\r\ninnermost"
    for level in range(depth):
        boundary = b"b%d" % level
        body = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n' % boundary + _multipart(boundary, body)
    return body


def _rfc822(depth: int) -> bytes:
    message = _simple("innermost", b"text\r\n")
    for level in range(depth):
        message = _simple(f"wrap{level}", message, b"MIME-Version: 1.0", b"Content-Type: message/rfc822")
    return message


def variants() -> dict[str, bytes]:
    """Name -> message."""
    mixed = b'Content-Type: multipart/mixed; boundary="x"'
    crowd = b",\r\n ".join(b"u%d@example.net" % i for i in range(3000))
    quoted = b'Cc: "a\\"b\\\\c" <"odd local"@example.net>, g: x@y, z@w;, <@a,@b:c@d>'
    extended = b"Content-Type: text/plain; a*0*=utf-8'de'%e4; a*1=b; a*2*=%20c; name*=x''%FF"
    parameters = b"Content-Type: text/plain" + b"".join(b"; p%d=v" % i for i in range(3000))
    comments = b"Date: Mon (" + b"(" * 200 + b")" * 200 + b"), 2 Jun 2025 10:00:00 +0000"
    encoded = base64.encodebytes(bytes(range(256)) * 12_000).replace(b"\n", b"\r\n")
    base = b"Content-Transfer-Encoding: base64"
    made: dict[str, bytes] = {
        "empty-body": _simple("empty-body", b""),
        "header-only": HEAD % (b"header-only", b"header-only"),
        "only-newlines": _simple("only-newlines", b"\r\n" * 50),
        "dots": _simple("dots", b".\r\n..\r\n...\r\n. \r\n.a\r\n"),
        "long-line": _simple("long-line", b"x" * 100_000 + b"\r\n"),
        "long-header": _simple("long-header", b"text\r\n", b"X-Long: " + b"y" * 20_000),
        "folded-header": _simple("folded-header", b"text\r\n", b"X-Folded: a" + b"\r\n b" * 500),
        "eight-bit-header": _simple("eight-bit-header", b"text\r\n", b"X-Raw: \xe4\xf6\xfc", "X-Utf8: ä€𝄞".encode()),
        "control-bytes": _simple("control-bytes", bytes(b for b in range(1, 256) if b not in (10, 13)) + b"\r\n"),
        "all-text-charsets": _simple("all-text-charsets", "äöü€".encode("utf-16-le").replace(b"\0", b"\1") + b"\r\n"),
        "no-final-boundary": _simple("no-final-boundary", b"--x\r\n\r\none\r\n--x\r\n\r\ntwo\r\n", mixed),
        "no-parts": _simple("no-parts", b"preamble only\r\n", mixed),
        "empty-parts": _simple("empty-parts", b"--x\r\n\r\n--x\r\n\r\n\r\n--x--\r\n", mixed),
        "epilogue": _simple("epilogue", _multipart(b"x", b"\r\none") + b"after\r\n--x\r\n\r\nnot a part\r\n", mixed),
        "boundary-spaces": _simple("boundary-spaces", b"--x \t\r\n\r\none\r\n--x--  \r\n", mixed),
        "nested-100": _simple("nested-100", b"")[:-2] + _nested(100) + b"\r\n",
        "rfc822-40": _rfc822(40),
        "many-parts": _simple("many-parts", _multipart(b"x", *[b"\r\npart %d" % i for i in range(900)]), mixed),
        "many-headers": _simple("many-headers", b"text\r\n", *[b"X-H%d: v" % i for i in range(2000)]),
        "many-addresses": _simple("many-addresses", b"t\r\n", b"Cc: " + crowd),
        "quoted-addresses": _simple("quoted-addresses", b"t\r\n", quoted),
        "broken-base64": _simple("broken-base64", b"====\r\n!!!\r\nQUJ\r\n", base),
        "rfc2231": _simple("rfc2231", b"t\r\n", extended),
        "params-bomb": _simple("params-bomb", b"t\r\n", parameters),
        "comments": _simple("comments", b"t\r\n", comments),
        "no-colon": _simple("no-colon", b"t\r\n", b"this line has none", b"X-After: yes"),
        "space-colon": _simple("space-colon", b"t\r\n", b"Subject2 : odd", b" folded first"),
        "large": _simple("large", encoded, base),
    }  # fmt: skip
    for size in (0, 1, 2, 3, 4095, 4096, 4097, 65535, 65536, 65537, 262143, 262144, 262145):
        made[f"size-{size}"] = _simple(
            f"size-{size}", (b"z" * 70 + b"\r\n") * (size // 72) + b"z" * (size % 72) + b"\r\n"
        )
    return made


def mutations(data: bytes) -> dict[str, bytes]:
    """Variants of a real message that MTAs and attackers make of it."""
    made: dict[str, Callable[[], bytes]] = {
        "cut": lambda: data[: len(data) * 2 // 3],
        "upper": lambda: data.replace(b"Content-Type", b"CONTENT-TYPE").replace(b"boundary", b"BOUNDARY"),
        "eight-bit": lambda: data.replace(b"e", b"\xe9"),
        "twice": lambda: data + data,
    }
    return {name: make() for name, make in made.items()}
