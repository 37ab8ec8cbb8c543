"""Deliver mail by LMTP to this checkout and to another in one run, in rounds that alternate, and print the ratios.

    python loadtest/bench/deliveries.py --base DIR [--rounds 4] [--small 2000] [--large 40]

`small`: mails of 4 KB over 8 connections to 8 mailboxes. `large`: mails of 10 MB with four attachments over one
connection. Of each side the best round counts, and the median is printed beside it. Loopback only.
"""

from __future__ import annotations

import argparse
import base64
import random
import smtplib
import statistics
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from against_dovecot import PATTERN, USERS, Gromoxd

CONNECTIONS = 8
WORDS = (
    "the",
    "plan",
    "of",
    "next",
    "week",
    "was",
    "sent",
    "by",
    "Anna",
    "to",
    "all",
    "who",
    "asked",
    "for",
    "figures",
)


def small(number: int) -> bytes:
    """4 KB of text and HTML."""
    rng = random.Random(number)
    text = "\r\n".join(" ".join(rng.choices(WORDS, k=12)) for _ in range(24))
    html = "".join(f"<p>{line}</p>\r\n" for line in text.split("\r\n"))
    return (
        f"From: Anna <anna@example.org>\r\nTo: Bert <bert@example.org>\r\nSubject: Report {number}\r\n"
        f"Date: Tue, 24 Nov 2026 10:00:00 +0100\r\nMessage-ID: <{number}.{rng.random()}@example.org>\r\n"
        "MIME-Version: 1.0\r\nX-Mailer: bench\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        f"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n"
        f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n--b--\r\n"
    ).encode()


def large(number: int) -> bytes:
    """10 MB in four attachments."""
    rng = random.Random(number)
    parts = []
    for each in range(4):
        data = base64.encodebytes(rng.randbytes(1_900_000)).replace(b"\n", b"\r\n")
        parts.append(
            b"--b\r\nContent-Type: application/octet-stream; name=f%d.bin\r\nContent-Transfer-Encoding: base64\r\n"
            b"Content-Disposition: attachment; filename=f%d.bin\r\n\r\n%b" % (each, each, data)
        )
    head = (
        f"From: anna@example.org\r\nTo: bert@example.org\r\nSubject: Files {number}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSee files.\r\n"
    ).encode()
    return head + b"\r\n".join(parts) + b"\r\n--b--\r\n"


def deliver(server: Gromoxd, mails: list[bytes], connections: int) -> float:
    """Mails a second."""
    errors: list[BaseException] = []

    def one(number: int) -> None:
        try:
            with smtplib.LMTP("127.0.0.1", server.lmtp) as client:
                to = PATTERN % (number % USERS + 1)
                for mail in mails[number::connections]:
                    client.sendmail("anna@example.org", [to], mail)
        except (OSError, smtplib.SMTPException) as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(connections)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise SystemExit(f"deliveries failed: {errors[0]}")
    return len(mails) / (time.perf_counter() - began)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--base", type=Path, required=True, help="the other checkout")
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--small", type=int, default=2000)
    parser.add_argument("--large", type=int, default=40)
    options = parser.parse_args()
    mails = {
        "4 KB, 8 connections": ([small(n) for n in range(options.small)], CONNECTIONS),
        "10 MB, 1 connection": ([large(n) for n in range(options.large)], 1),
    }
    found: dict[str, dict[str, list[float]]] = {name: {"before": [], "now": []} for name in mails}
    here = Path(__file__).resolve().parents[2]
    for number in range(options.rounds):
        for side, root in (("before", options.base), ("now", here)):
            with Gromoxd(root) as server:
                for name, (these, connections) in mails.items():
                    deliver(server, these[: max(len(these) // 10, 1)], connections)
                    found[name][side].append(deliver(server, these, connections))
                    print(f"{number} {side} {name}: {found[name][side][-1]:.1f}/s", flush=True)
    for name, sides in found.items():
        best = {side: max(rates) for side, rates in sides.items()}
        middle = {side: statistics.median(rates) for side, rates in sides.items()}
        print(
            f"{name}: best {best['now']:.1f} against {best['before']:.1f}/s, ratio {best['now'] / best['before']:.2f};"
            f" median ratio {middle['now'] / middle['before']:.2f}"
        )


if __name__ == "__main__":
    main()
