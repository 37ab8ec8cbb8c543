"""What converting a message costs: microseconds, best of several rounds. `python loadtest/bench/digest.py`."""

from __future__ import annotations

import base64
import random
import timeit
from collections.abc import Callable

from gromoxd.convert.bodystructure import bodystructure
from gromoxd.convert.dates import parse_date
from gromoxd.convert.digest import digest_message
from gromoxd.convert.envelope import envelope
from gromoxd.convert.headers import field_map
from gromoxd.convert.mime import encode, header_end, scan
from gromoxd.convert.sections import header_fields

THUNDERBIRD = frozenset(
    b"FROM TO CC BCC SUBJECT DATE MESSAGE-ID PRIORITY X-PRIORITY REFERENCES NEWSGROUPS IN-REPLY-TO CONTENT-TYPE "
    b"REPLY-TO RECEIVED".split()
)
BOUNDARY = b"b0123456789abcdef0123456789abcdef"


def header(extra: int = 0) -> bytes:
    """A header as a relay hands it over, about 560 octets and 70 more for each of `extra`."""
    more = b"".join(b"X-Trace-%d: %060d\r\n" % (number, number) for number in range(extra))
    return (
        b"Return-Path: <sender7@example.net>\r\nReceived: from relay3.example.net (relay3.example.net [192.0.2.9])\r\n"
        b"\tby mx.example.test with ESMTP id 0000abcd\r\n"
        b"\tfor <user1@example.test>; Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nFrom: Sender Number 7 <sender7@example.net>\r\n"
        b'To: user1@example.test, "Other, Person" <other7@example.org>\r\nCc: third7@example.org\r\n'
        b"Subject: Re: alpha beta gamma 7\r\nMessage-ID: <7.0000abcd@example.net>\r\nX-Mailer: bench\r\n"
        b"MIME-Version: 1.0\r\n" + more
    )


def text(size: int) -> bytes:
    line = b"the quick brown fox jumps over the lazy dog and comes back once more\r\n"
    return line * (size // len(line))


def plain(size: int, extra: int = 0) -> bytes:
    return (
        header(extra)
        + b"Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\n"
        + text(size)
    )


def alternative() -> bytes:
    return header() + (
        b'Content-Type: multipart/alternative; boundary="%b"\r\n\r\n--%b\r\n'
        b"Content-Type: text/plain; charset=us-ascii\r\n\r\n%b\r\n--%b\r\nContent-Type: text/html; charset=us-ascii\r\n"
        b"Content-Transfer-Encoding: 7bit\r\n\r\n%b\r\n--%b--\r\n"
        % (BOUNDARY, BOUNDARY, text(2500), BOUNDARY, text(2700), BOUNDARY)
    )


def attached(size: int) -> bytes:
    data = base64.encodebytes(random.Random(7).randbytes(size * 3 // 4)).replace(b"\n", b"\r\n")
    return header() + (
        b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n--%b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n%b'
        b'--%b\r\nContent-Type: application/pdf; name="report.pdf"\r\nContent-Transfer-Encoding: base64\r\n'
        b'Content-Disposition: attachment; filename="report.pdf"\r\n\r\n%b--%b--\r\n'
        % (BOUNDARY, BOUNDARY, text(2500), BOUNDARY, data, BOUNDARY)
    )


def many_parts(count: int) -> bytes:
    part = b"--%b\r\nContent-Type: text/plain\r\n\r\nx\r\n" % BOUNDARY
    return header() + b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % BOUNDARY + part * count


def microseconds(call: Callable[[], object]) -> float:
    timer = timeit.Timer(call)
    number = max(1, int(0.02 / max(timer.timeit(1), 1e-6)))
    return min(timer.repeat(repeat=7, number=number)) / number * 1e6


def main() -> None:
    messages = {
        "4 kB plain": plain(3400),
        "4 kB plain, 30 fields": plain(2000, extra=18),
        "alternative": alternative(),
        "100 kB plain": plain(100_000),
        "100 kB attachment": attached(100_000),
        "10 MB attachment": attached(10_000_000),
        "10,000 parts": many_parts(10_000),
    }
    print(f"{'message':24}{'octets':>10}{'digest µs':>12}{'scan µs':>10}")
    for name, raw in messages.items():
        whole = microseconds(lambda raw=raw: digest_message(raw, received=1_700_000_000))  # type: ignore[misc]
        print(f"{name:24}{len(raw):10}{whole:12.1f}{microseconds(lambda raw=raw: scan(raw)):10.1f}")  # type: ignore[misc]
    raw = messages["alternative"]
    head = raw[: header_end(raw, 0, len(raw))]
    fields, tree = field_map(head), scan(raw)
    steps: dict[str, Callable[[], object]] = {
        "field_map": lambda: field_map(head),
        "envelope": lambda: envelope(fields),
        "parse_date": lambda: parse_date(fields[b"date"]),
        "bodystructure": lambda: bodystructure(tree),
        "encode parts": lambda: encode(tree),
        "HEADER.FIELDS": lambda: header_fields(head, THUNDERBIRD, False),
        "HEADER.FIELDS.NOT": lambda: header_fields(head, THUNDERBIRD, True),
    }
    for name, call in steps.items():
        print(f"  {name:22}{microseconds(call):10.2f}")


if __name__ == "__main__":
    main()
