"""A mailbox that strict clients stumble over: messages and folder names at the edges of the grammar."""

from __future__ import annotations

import imaplib
import re

import pytest

from workers.imap.wire import utf7

NAMES = (
    "with space", 'say "hi"', "back\\slash", "Entwürfe", "a&b", "日本語/台北", "d/e/e/p/e/r", "(paren) {x}", "~home",
    "😀", "[brackets]", "trailing. ",
)  # fmt: skip
PLAIN = b"Subject: plain\r\nFrom: p@example.net\r\n\r\nplain\r\n"
MANY = 300


def _multipart(head: bytes, *parts: bytes, end: bytes = b"--b--\r\n") -> bytes:
    body = b"".join(b"--b\r\n" + part for part in parts)
    return head + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n' + body + end


def _nested(levels: int) -> bytes:
    message = b"Subject: innermost\r\nFrom: in@example.net\r\n\r\ninner text\r\n"
    for level in range(levels):
        message = b"Subject: level %d\r\nContent-Type: message/rfc822\r\n\r\n" % level + message
    return message


def _deep(levels: int) -> bytes:
    part = b"Content-Type: text/plain\r\n\r\ndeep\r\n"
    for n in range(levels):
        part = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n%b\r\n--b%d--\r\n" % (n, n, part, n)
    return b"Subject: deep\r\nMIME-Version: 1.0\r\n" + part


MESSAGES = (
    b"",
    b"no header at all, only text",
    b"\r\nbody only\r\n",
    b"Subject: header only, no empty line\r\n",
    b"Subject: header and empty line\r\n\r\n",
    b'From: J\xf6rg <j@x>\r\nSubject: raw 8bit \xe4\xff and "quotes" \\ back\r\nTo: "a \\"q\\" b" <q@x>, none:;, '
    b'Group: a@b, "c" <d@e>;\r\nCc: <@route,@r2:u@h>, (comment) foo@bar (trail)\r\n\r\n8bit \xe4\x80\xff body\r\n',
    b"From: \xf0\x9f\x98\x80 <e@x>\r\nSubject: =?utf-8?b?8J+YgA==?= =?x-unknown?q?zz?=\r\n\r\nx\r\n",
    b"Subject: " + b"x" * 9000 + b"\r\nX-Long: " + b"y" * 60000 + b"\r\n\r\nlong\r\n",
    b"Subject: one huge line\r\n\r\n" + b"z" * 1_000_000,
    _multipart(
        b"Subject: many\r\n",
        *(b'Content-Type: text/plain; name="p%d"\r\n\r\npart %d\r\n' % (n, n) for n in range(MANY)),
    ),
    _nested(20),
    _deep(30),
    _multipart(b"Subject: empty multipart\r\n", end=b""),
    b"Subject: no boundary\r\nContent-Type: multipart/mixed\r\n\r\nabc\r\n",
    _multipart(b"Subject: not closed\r\n", b"Content-Type: text/plain\r\n\r\nabc", end=b""),
    b'Subject: bad types\r\nContent-Type: text/\r\nContent-Transfer-Encoding: "weird \xff" x\r\nContent-Disposition: '
    b'attachment; filename="a\\"b\xfc.txt"; filename*=utf-8\'\'%e2%82%ac.txt\r\nContent-ID: <c"d>\r\n'
    b'Content-Language: en, "de"\r\nContent-Description: d\xe9sc\r\n\r\nx\r\n',
    b"Subject: digest\r\nContent-Type: multipart/digest; boundary=d\r\n\r\n"
    b"--d\r\n\r\nSubject: d1\r\n\r\none\r\n--d--\r\n",
    b"From: a@b\r\nDate: nonsense\r\nSubject:\r\nMessage-ID:\r\nTo:\r\n\r\n",
    b"Subject: LF only\nFrom: lf@x\n\nline1\nline2\n",
    b"Subject: encoded\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    b"U3ViamVjdDogZQoKaAo=\r\n",
    b"Subject: NUL\r\n\r\na\x00b\r\n",
    b"From : spaced@x\r\nsubject : spaced\r\n folded\r\n\tmore\r\nX:\r\n\r\n.\r\n..\r\n.dot\r\nFrom quoted\r\n",
    b"From MAILER Mon Jan 1 00:00:00 2020\r\nSubject: mbox line\r\n\r\nx\r\n",
)


def quoted(name: str) -> str:
    """A folder's name as imaplib takes it."""
    return '"' + utf7.encode(name).decode().replace("\\", "\\\\").replace('"', '\\"') + '"'


def fill(client: imaplib.IMAP4) -> None:
    """`nasty` with MESSAGES, one folder for each of NAMES with a message, `target`."""
    for name in NAMES:
        assert client.create(quoted(name))[0] == "OK"
        assert client.subscribe(quoted(name))[0] == "OK"
        assert client.append(quoted(name), "", "", PLAIN)[0] == "OK"
    for name in ("nasty", "target"):
        client.create(name)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(imaplib, "MapCRLF", re.compile(rb"(?!)"))  # the octets as they are
        for message in MESSAGES:
            assert client.append("nasty", r"(\Seen)", "", message)[0] == "OK"
