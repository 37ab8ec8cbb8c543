"""Properties copied between messages, attachments and folders, in one mailbox and between two."""

from __future__ import annotations

from pathlib import Path

import pytest

from gromoxd.errors import Ec
from gromoxd.exmdb import names as n
from gromoxd.exmdb.api import MailboxRef
from gromoxd.exmdb.working import (
    Account,
    Copy,
    WorkingFolder,
    WorkingMessage,
    copy_properties,
    copy_to,
)
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachLongFilename,
    PidTagBody,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagHtml,
    PidTagImportance,
    PidTagMessageAttachments,
    PidTagMessageRecipients,
    PidTagMid,
    PidTagSubject,
)
from store.direct import DirectStore
from tests.contract.worlds import INBOX, SENT
from tests.exmdb.test_working import deliver, made, refused, reopened
from tests.store.mapi.objects import person

FREE_BINARY, FREE_TEXT = 0x66660102, 0x6667001F


def full(account: Account) -> WorkingMessage:
    """A message with everything."""
    message = made(account, {PidTagSubject: "source", PidTagHtml: b"<p>text</p>", FREE_BINARY: b"x" * 100_000})
    message.modify_recipients({0: person("a@x.org"), 1: person("b@x.org")})
    plain = message.create_attachment()
    plain.set({PidTagAttachLongFilename: "p", PidTagAttachDataBinary: b"plain" * 20_000})
    plain.save()
    outer = message.create_attachment()
    inner = outer.open_embedded(create=True)
    inner.set({PidTagSubject: "inner"})
    inner.modify_recipients({0: person("in@x.org")})
    deep = inner.create_attachment()
    deep.set({PidTagAttachDataBinary: b"deep" * 20_000})
    deep.save()
    inner.save()
    outer.save()
    return message


def check(message: WorkingMessage) -> None:
    assert message.get(PidTagSubject) == "source"
    assert str(message.get(PidTagBody)).strip() == "text"
    assert message.get(FREE_BINARY) == b"x" * 100_000
    assert message.get(PidTagDisplayTo) == "a; b"
    plain, outer = (message.open_attachment(num) for num in message.attachments)
    assert plain.get(PidTagAttachDataBinary) == b"plain" * 20_000
    inner = outer.open_embedded()
    assert inner.get(PidTagSubject) == "inner"
    assert [bag[PidTagDisplayName] for bag in inner.recipients] == ["in"]
    assert inner.open_attachment(0).get(PidTagAttachDataBinary) == b"deep" * 20_000


@pytest.mark.parametrize("saved", [False, True])
def test_a_whole_message(account: Account, saved: bool) -> None:
    source = full(account)
    if saved:
        source.save()
    made_ = WorkingMessage.create(account, SENT)
    assert copy_to(source, made_) == []
    check(made_)
    made_.save()
    check(reopened(account, made_))
    assert made_.mid != source.mid


def test_a_delivered_message(account: Account) -> None:
    source = WorkingMessage.open(account, deliver(account))
    copy = WorkingMessage.create(account, SENT)
    assert copy_to(source, copy) == []
    copy.save()
    other = reopened(account, copy)
    assert other.get(PidTagSubject) == "Re: Plans"
    assert str(other.get(PidTagBody)).strip() == "See there"
    first, second = (other.open_attachment(num) for num in other.attachments)
    assert first.open_embedded().get(PidTagSubject) == "inner"
    assert second.get(PidTagAttachDataBinary) == b"pdf" * 40_000


def test_exclusions(account: Account) -> None:
    source, copy = full(account), made(account, {PidTagSubject: "kept"})
    assert copy_to(source, copy, exclude=[PidTagSubject & ~1 & 0xFFFFFFFF, PidTagMessageAttachments, 0x0037001F,
                                          0x003D001F, 0x0E1D001F]) == []  # fmt: skip
    assert (copy.get(PidTagSubject), copy.get(PidTagDisplayTo), copy.attachments) == ("kept", "a; b", {})
    bare = WorkingMessage.create(account, INBOX)
    copy_to(source, bare, sub_objects=False)
    assert (bare.recipients, bare.attachments) == ([], {})


def test_overwriting(account: Account) -> None:
    source = full(account)
    there = made(account, {PidTagSubject: "there"})
    there.modify_recipients({7: person("old@x.org")})
    old = there.create_attachment()
    old.set({PidTagAttachDataBinary: b"old"})
    old.save()
    assert copy_to(source, there, flags=Copy.NO_OVERWRITE) == []
    assert (there.get(PidTagSubject), there.get(PidTagDisplayTo), len(there.attachments)) == ("there", "old", 1)
    assert there.get(FREE_BINARY) == b"x" * 100_000
    copy_to(source, there)
    check(there)
    there.save()
    check(reopened(account, there))


def test_some_properties(account: Account) -> None:
    source, copy = full(account), made(account)
    problems = copy_properties(
        source, copy, [PidTagSubject, PidTagImportance, FREE_TEXT, PidTagMid, PidTagMessageRecipients]
    )  # fmt: skip
    assert problems == [(FREE_TEXT, Ec.ecNotFound), (PidTagMid, Ec.ecComputed)]
    assert (copy.get(PidTagSubject), copy.get(PidTagDisplayTo), copy.attachments) == ("source", "a; b", {})
    assert copy.get(PidTagBody) == "text"


def test_moving(account: Account) -> None:
    source, copy = full(account), made(account)
    copy_properties(source, copy, [FREE_BINARY, PidTagMessageAttachments], flags=Copy.MOVE)
    assert (source.get(FREE_BINARY), source.attachments) == (None, {})
    assert (copy.get(FREE_BINARY), len(copy.attachments)) == (b"x" * 100_000, 2)


def test_attachments(account: Account) -> None:
    source, copy = full(account), made(account)
    attachment = copy.create_attachment()
    assert copy_to(source.open_attachment(1), attachment) == []
    attachment.save()
    copy.save()
    assert reopened(account, copy).open_attachment(0).open_embedded().get(PidTagSubject) == "inner"


def test_what_cannot_be_copied(account: Account) -> None:
    source, copy = full(account), made(account)
    assert refused(copy_to, source, source.open_attachment(0)) == Ec.ecNotSupported
    assert refused(copy_to, source, source) == Ec.ecNotSupported
    assert refused(copy_to, source, copy, flags=4) == Ec.ecInvalidParam
    folder, other = WorkingFolder(account, INBOX), WorkingFolder(account, SENT)
    assert refused(copy_to, folder, other, flags=Copy.MOVE) == Ec.ecNotSupported
    copy.save(1)
    assert refused(copy_to, source, copy) == Ec.ecAccessDenied


def test_folders(account: Account) -> None:
    folder, other = WorkingFolder(account, INBOX), WorkingFolder(account, SENT)
    folder.set({FREE_TEXT: "x", FREE_BINARY: b"y" * 5_000})
    assert copy_properties(folder, other, [FREE_TEXT, FREE_BINARY]) == []
    assert WorkingFolder(account, SENT).bag([FREE_TEXT, FREE_BINARY]) == (
        {FREE_TEXT: "x", FREE_BINARY: b"y" * 5_000}, {},
    )  # fmt: skip


def test_between_mailboxes_named_properties_keep_their_names(tmp_path: Path) -> None:
    with DirectStore(str(tmp_path)) as store:
        alice, bob = (Account(store, MailboxRef(f"{name}@example.test"), f"{name}@example.test")
                      for name in ("alice", "bob"))  # fmt: skip
        mine, yours = (n.Name(b"\x11" * 16, name=name) for name in ("mine", "yours"))
        bob.call(n.MakePropertyIds([yours]))
        here = alice.call(n.MakePropertyIds([mine]))[0]
        source = made(alice, {PidTagSubject: "s", here << 16 | 0x1F: "value"})
        copy = WorkingMessage.create(bob, INBOX)
        assert copy_to(source, copy) == []
        copy.save()
        there = bob.call(n.GetPropertyIds([mine]))[0]
        assert there not in (0, here)
        assert reopened(bob, copy).get(there << 16 | 0x1F) == "value"
