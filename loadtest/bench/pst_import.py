"""Messages a second out of and into a .pst file, small ones and such with files. `python loadtest/bench/pst_import.py`.

What an import costs in the whole is this and what the mailbox takes for a message; see `gromoxctl import pst`.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gromoxd.convert.item import Item, ItemAttachment
from gromoxd.convert.pst import PstFile
from gromoxd.convert.pst.writer import PstWriter
from gromoxd.mapi import named_tags as nt
from gromoxd.mapi import proptags as pt

NOW_NT = 133_000_000_000_000_000
TEXTS = (
    pt.PidTagSenderName, pt.PidTagSenderEmailAddress, pt.PidTagSenderSmtpAddress, pt.PidTagSentRepresentingName,
    pt.PidTagSentRepresentingEmailAddress, pt.PidTagConversationTopic, pt.PidTagDisplayTo, pt.PidTagDisplayCc,
    pt.PidTagInternetMessageId, pt.PidTagNormalizedSubject, pt.PidTagReceivedByName, pt.PidTagReceivedByEmailAddress,
)  # fmt: skip
TIMES = (pt.PidTagMessageDeliveryTime, pt.PidTagClientSubmitTime, pt.PidTagCreationTime, pt.PidTagLastModificationTime)
NUMBERS = (pt.PidTagImportance, pt.PidTagSensitivity, pt.PidTagPriority, pt.PidTagInternetCodepage)


def small(number: int) -> Item:
    """About 4 KB: forty properties, two recipients."""
    item = Item({pt.PidTagSubject: f"Re: message {number}", pt.PidTagMessageClass: "IPM.Note"})
    item.props.update(dict.fromkeys(TEXTS, "Somebody <somebody@example.org>"))
    item.props.update(dict.fromkeys(TIMES, NOW_NT))
    item.props.update(dict.fromkeys(NUMBERS, 1))
    item.props[pt.PidTagBody] = "The quick brown fox jumps over the lazy dog.\r\n" * 25
    item.props[pt.PidTagTransportMessageHeaders] = "Received: from a by b\r\n" * 30
    item.props[nt.PidLidReminderTime] = NOW_NT
    item.props[nt.PidLidCompanies] = ["One", "Two"]
    address = {pt.PidTagDisplayName: "A B", pt.PidTagAddressType: "SMTP", pt.PidTagEmailAddress: "a@example.org"}
    item.recipients = [{**address, pt.PidTagRecipientType: 1}, {**address, pt.PidTagRecipientType: 2}]
    return item


def with_file(number: int) -> Item:
    """The same with 100 KB in an attachment."""
    item = small(number)
    name = {pt.PidTagAttachLongFilename: "file.bin", pt.PidTagAttachFilename: "file.bin"}
    item.attachments.append(ItemAttachment(dict(name), bytes(range(256)) * 400))
    return item


def measure(label: str, make: Callable[[int], Item], count: int, path: Path) -> None:
    items = [make(number) for number in range(count)]
    start = time.perf_counter()
    with path.open("wb") as out, PstWriter(out, record_key=bytes(16), now_nt=NOW_NT) as pst:
        folder = pst.folder(pst.top, "Inbox")
        for item in items:
            folder.add(item)
    written = time.perf_counter() - start
    start = time.perf_counter()
    with PstFile(path) as file:
        read = sum(1 for found in file.folders() for entry in found.messages() if entry.item().props)
    took = time.perf_counter() - start
    assert read == count
    size = path.stat().st_size / count / 1024
    print(f"{label:12} {size:7.1f} KiB each: read {read / took:7,.0f}/s, written {count / written:7,.0f}/s")


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder:
        measure("small", small, count, Path(folder) / "small.pst")
        measure("with a file", with_file, max(count // 10, 1), Path(folder) / "files.pst")


if __name__ == "__main__":
    main()
