"""What conversions cost: `python -m loadtest.bench.conversions`. Prints lines of Markdown, medians in milliseconds.

The samples are made here: an HTML mail of 100 KB as Outlook writes it, RTF of 112 kB, winmail.dat and .msg of 1 MB, a
mail of 10 MB. No I/O.
"""

from __future__ import annotations

import base64
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from gromoxd.convert.compose import compose
from gromoxd.convert.digest import digest_message
from gromoxd.convert.html import clean_html, html_to_text
from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.itemof import item_of_mime
from gromoxd.convert.msg import from_msg, to_msg
from gromoxd.convert.tnef import from_tnef, to_tnef
from gromoxd.mapi.proptags import PidTagBody, PidTagMessageClass, PidTagSubject
from gromoxd.mapi.rtf import compress, decompress

ROUNDS = 25
WORDS = "the plan of next week was sent by Anna to all who asked for figures and a date in the report".split()  # noqa: SIM905


def html(size: int) -> str:
    """Paragraphs with the markup of a word processor."""
    rng = random.Random(3)
    parts = ["<html><head><style>p.MsoNormal {margin:0cm; font-size:11.0pt}</style></head><body lang=EN>"]
    length = 0
    while length < size:
        words = " ".join(rng.choices(WORDS, k=14))
        part = f'<p class=MsoNormal><span style="color:#1F497D">{words}</span> <a href="https://x.example/{length}">x</a></p>\r\n'
        parts.append(part)
        length += len(part)
    return "".join([*parts, "</body></html>"])


def mail(body: str, attachment: bytes = b"") -> bytes:
    """An HTML mail, with a file."""
    head = (
        "From: Anna <anna@example.org>\r\nTo: Bert <bert@example.org>\r\nSubject: Report\r\nMIME-Version: 1.0\r\n"
        "Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <1@example.org>\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    )
    raw = f"{head}{body}\r\n".encode()
    if attachment:
        data = base64.encodebytes(attachment).replace(b"\n", b"\r\n")
        raw += b"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + data
    return raw + b"--b--\r\n"


def rtf(size: int) -> bytes:
    """RTF of words."""
    rng = random.Random(4)
    text = bytearray(rb"{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0{\fonttbl{\f0\fswiss Arial;}}\pard ")
    while len(text) < size - 1:
        text += rb"{\*\htmltag64 <p>}\htmlrtf \par \htmlrtf0 %s" % " ".join(rng.choices(WORDS, k=10)).encode()
    return bytes(text[: size - 1]) + b"}"


def cost(work: Callable[[], Any]) -> float:
    """Median milliseconds."""
    found = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        work()
        found.append((time.perf_counter() - began) * 1000)
    return statistics.median(found)


def main() -> None:
    """See the module."""
    page = html(100_000)
    big = mail(page)
    packed = rtf(112_000)
    attached = [ItemAttachment({0x3707001F: "a.bin", 0x37050003: 1}, random.Random(5).randbytes(1_000_000))]
    item = Item({PidTagMessageClass: "IPM.Note", PidTagSubject: "x", PidTagBody: "text\r\n" * 2000}, [], attached)
    tnef, msg = to_tnef(item), to_msg(item)
    compressed = compress(packed)
    large = mail("<p>x</p>", random.Random(6).randbytes(7_500_000))
    rows: list[tuple[str, Callable[[], Any]]] = [
        ("digest of a 100 KB HTML mail", lambda: digest_message(big, received=0)),
        ("the same mail made an item", lambda: item_of_mime(big, received=0)),
        ("text of its HTML", lambda: html_to_text(page)),
        ("its HTML cleaned", lambda: clean_html(page)),
        ("an item with 100 KB of HTML made MIME", lambda: compose(item_of_mime(big, received=0), host="x.example")),
        ("digest of a 10 MB mail", lambda: digest_message(large, received=0)),
        ("RTF of 112 kB compressed", lambda: compress(packed)),
        ("and decompressed", lambda: decompress(compressed)),
        ("winmail.dat of 1 MB read", lambda: from_tnef(tnef)),
        ("and written", lambda: to_tnef(item)),
        (".msg of 1 MB read", lambda: from_msg(msg)),
        ("and written", lambda: to_msg(item)),
    ]
    for name, work in rows:
        print(f"| {name} | {cost(work):.2f} ms |")


if __name__ == "__main__":
    main()
