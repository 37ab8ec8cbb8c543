"""The messages that the tests of this folder run over: our own oddities, CPython's, and those of ../shared."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

SHARED = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "mime"

MIXED = (
    b"From: Alice <alice@example.test>\r\nTo: bob@example.test\r\nSubject: mixed\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="outer"\r\n\r\npreamble\r\n'
    b"--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n\r\n"
    b"--inner\r\n\r\nplain\r\n--inner\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>html</p>\r\n--inner--\r\n"
    b"--outer\r\nContent-Type: message/rfc822\r\n\r\n"
    b"From: carol@example.test\r\nSubject: inside\r\nContent-Type: multipart/mixed; boundary=deep\r\n\r\n"
    b"--deep\r\n\r\ndeep text\r\n--deep\r\nContent-Type: application/pdf; name=a.pdf\r\n"
    b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nQUJD\r\n--deep--\r\n"
    b"\r\n--outer\r\nContent-Type: image/png\r\nContent-ID: <i1@x>\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\n"
    b"--outer--\r\nepilogue\r\n"
)

ODD = {
    "empty": b"",
    "no header": b"\r\njust text\r\n",
    "no body": b"Subject: only a header\r\n",
    "no line end": b"Subject: x",
    "header and empty line": b"Subject: x\r\n\r\n",
    "lf only": b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n",
    "multipart without boundary": b"Content-Type: multipart/mixed\r\n\r\ntext\r\n",
    "multipart without parts": b"Content-Type: multipart/mixed; boundary=b\r\n\r\ntext\r\n",
    "multipart of nothing": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n",
    "no closing delimiter": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n",
    "part without header": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
    "part without body": b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-ID: <a>\r\n\r\n--b--\r\n",
    "digest": b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nSubject: in\r\n\r\nx\r\n--b--\r\n",
    "base64 message": (
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nU3ViamVjdDogeA0KDQp4\r\n"
    ),
    "nul and 8-bit": b"Subject: a\x00b \xc3\xa4 \xff\r\nFrom: \xe4 <a\x00\xc3\xa4@\xc3\xa4.example>\r\n\r\n\x00\r\n",
    "quotes": b'Subject: "a\\b"\r\nFrom: "a \\"q\\" b" <x@example.test>\r\n\r\n',
    "binary type": b"Content-Type: \x00\xff/\x01; charset=\xff; \xff=\x00\r\n\r\n",
    "mixed": MIXED,
}


def shared() -> dict[str, bytes]:
    """../shared/corpus/mime; empty when that is absent."""
    return {path.name: path.read_bytes() for path in sorted(SHARED.glob("*.eml"))} if SHARED.is_dir() else {}


def cpython() -> dict[str, bytes]:
    """The messages of CPython's test.test_email.data; empty when this Python comes without its tests."""
    if find_spec("test") is None or find_spec("test.test_email") is None:
        return {}
    folder = files("test.test_email") / "data"
    return {item.name: item.read_bytes() for item in folder.iterdir() if item.name.endswith(".txt")}


CORPORA: dict[str, tuple[Callable[[], dict[str, bytes]], int]] = {
    "own": (lambda: ODD, 15), "cpython": (cpython, 40), "shared": (shared, 100)
}  # fmt: skip
"""Name -> (loader, how many messages it has at least)."""
