"""Working copies of messages: properties, recipients, attachments, saving, conflicts."""

from __future__ import annotations

import pytest

from gromoxd.errors import Ec, MapiError
from gromoxd.exmdb import access as acl
from gromoxd.exmdb import calls as c
from gromoxd.exmdb import objects as o
from gromoxd.exmdb.api import SYSTEM
from gromoxd.exmdb.working import EMBEDDED, OLE, Account, WorkingMessage, copy_to
from gromoxd.mapi.flags import OpenModeFlags, SaveFlags
from gromoxd.mapi.named_tags import PidNameKeywords
from gromoxd.mapi.proptags import (
    PidTagAttachDataBinary,
    PidTagAttachDataObject,
    PidTagAttachLongFilename,
    PidTagAttachmentHidden,
    PidTagAttachMethod,
    PidTagAttachNumber,
    PidTagAttachPathname,
    PidTagAttachSize,
    PidTagBody,
    PidTagBodyHtml,
    PidTagConversationId,
    PidTagDisplayCc,
    PidTagDisplayName,
    PidTagDisplayTo,
    PidTagFlagStatus,
    PidTagHasAttachments,
    PidTagHtml,
    PidTagImportance,
    PidTagMessageFlags,
    PidTagMessageSize,
    PidTagMid,
    PidTagNativeBody,
    PidTagNormalizedSubject,
    PidTagRead,
    PidTagRowid,
    PidTagRtfCompressed,
    PidTagSensitivity,
    PidTagSubject,
    PidTagSubjectPrefix,
)
from tests.contract.mail import digest_of
from tests.contract.worlds import INBOX, OWNER
from tests.store.mapi.objects import person

BOB = "bob@example.test"
MAIL = (
    b"From: Ann <ann@example.org>\r\nTo: Alice <alice@example.test>\r\nSubject: Re: Plans\r\nMIME-Version: 1.0\r\n"
    b'Content-Type: multipart/mixed; boundary="x"\r\n\r\n--x\r\nContent-Type: text/html; charset=utf-8\r\n\r\n'
    b"<p>See <b>there</b></p>\r\n--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ninside\r\n\r\n--x\r\n"
    b"Content-Type: application/pdf\r\nContent-Disposition: attachment; filename=plan.pdf\r\n\r\n"
    + b"pdf" * 40_000
    + b"\r\n--x--\r\n"
)


def refused(function: object, *args: object, **more: object) -> Ec:
    with pytest.raises(MapiError) as caught:
        function(*args, **more)  # type: ignore[operator]
    return caught.value.code


def made(account: Account, props: o.Bag | None = None, fid: int = INBOX) -> WorkingMessage:
    message = WorkingMessage.create(account, fid, now=1_000)
    assert message.set(props or {PidTagSubject: "one", PidTagBody: "text"}) == []
    message.save()
    return message


def deliver(account: Account, raw: bytes = MAIL) -> int:
    call = c.Deliver(c.NewMessage(digest_of(raw), raw, 1_000_000), "ann@example.org", b"r", b"f")
    return account.exmdb.call(account.mailbox, call, actor=SYSTEM).mid


def reopened(account: Account, message: WorkingMessage) -> WorkingMessage:
    return WorkingMessage.open(account, message.mid)


def test_a_new_message_before_and_after_it_is_saved(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX, now=1_000)
    assert message.get(PidTagMessageFlags) == 0x1 | 0x2 | 0x8 | 0x400
    assert message.get(PidTagSensitivity) == 0
    assert message.set({PidTagSubject: "RE: Tea", PidTagImportance: 2}) == []
    assert message.get(PidTagNormalizedSubject) == "Tea"
    assert message.get(PidTagSubjectPrefix) == "RE: "
    assert message.mid == 0
    assert message.dirty
    saved = message.save()
    assert (saved.fid, message.mid, message.cn) == (INBOX, saved.mid, saved.cn)
    assert not message.dirty
    assert message.get(PidTagMid) is not None
    other = reopened(account, message)
    assert (other.get(PidTagSubject), other.get(PidTagImportance)) == ("RE: Tea", 2)


def test_problems(account: Account) -> None:
    message = made(account)
    problems = message.set({
        PidTagMid: 7, PidTagMessageSize: 1, PidTagDisplayTo: "x", PidTagImportance: "high", PidTagSensitivity: 1 << 70,
        0x12340001: None, PidTagSubject: "kept",
    })  # fmt: skip
    assert dict(problems) == {
        PidTagMid: Ec.ecComputed, PidTagMessageSize: Ec.ecComputed, PidTagDisplayTo: Ec.ecComputed,
        PidTagImportance: Ec.ecInvalidParam, PidTagSensitivity: Ec.ecInvalidParam, 0x12340001: Ec.ecInvalidParam,
    }  # fmt: skip
    assert message.delete([PidTagMid, PidTagImportance, 0x6666001F]) == [(PidTagMid, Ec.ecComputed)]
    assert message.get(PidTagSubject) == "kept"
    assert message.get(PidTagImportance) is None


def test_what_was_not_saved_is_nobodys(account: Account) -> None:
    message = made(account)
    message.set({PidTagSubject: "two"})
    assert reopened(account, message).get(PidTagSubject) == "one"
    message.discard()
    assert reopened(account, message).get(PidTagSubject) == "one"


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([{PidTagSubject: "Fwd: a"}], ("Fwd: a", "Fwd: ", "a")),
        ([{PidTagSubject: "RE: a"}, {PidTagNormalizedSubject: "b"}], ("RE: b", "RE: ", "b")),
        ([{PidTagSubject: "a"}, {PidTagNormalizedSubject: "RE: z"}], ("RE: z", "", "RE: z")),
        ([{PidTagSubjectPrefix: "X: ", PidTagNormalizedSubject: "y"}], ("X: y", "X: ", "y")),
        ([{PidTagSubject: "RE: a"}, PidTagSubjectPrefix], ("a", "", "a")),
        ([{PidTagSubject: "RE: a"}, PidTagSubject], (None, None, None)),
    ],
)
def test_subjects(account: Account, steps: list[o.Bag | int], expected: tuple[str | None, ...]) -> None:
    tags = (PidTagSubject, PidTagSubjectPrefix, PidTagNormalizedSubject)
    message = made(account)
    for step in steps:
        if isinstance(step, int):
            message.delete([step])
        else:
            message.set(step)
    assert tuple(map(message.get, tags)) == expected
    message.save()
    assert tuple(map(reopened(account, message).get, tags)) == expected


def test_marks(account: Account) -> None:
    message = made(account)
    message.set({PidTagMessageFlags: 0x8, PidTagFlagStatus: 2, PidNameKeywords: ["Red"]})
    assert message.get(PidTagRead) is False
    message.set({PidTagRead: True})
    assert message.get(PidTagMessageFlags) & 0x9 == 0x9  # type: ignore[operator]
    message.save()
    other = reopened(account, message)
    assert (other.get(PidTagRead), other.get(PidTagFlagStatus), other.get(PidNameKeywords)) == (True, 2, ["Red"])
    other.set({PidTagFlagStatus: 0, PidNameKeywords: []})
    assert other.get(PidTagFlagStatus) is None
    other.save()
    assert reopened(account, message).bag([PidTagFlagStatus, PidNameKeywords]) == ({}, {})


def test_mark_read_is_at_once(account: Account) -> None:
    mid = deliver(account)
    message = WorkingMessage.open(account, mid)
    assert message.get(PidTagRead) is False
    message.mark_read(True)
    assert message.get(PidTagRead) is True
    assert WorkingMessage.open(account, mid).get(PidTagRead) is True
    message.set({PidTagImportance: 2})
    message.save()  # a mark is no change of the message


def test_the_last_body_is_the_body(account: Account) -> None:
    message = made(account)
    message.set({PidTagHtml: b"<p>Hello <b>you</b></p>"})
    assert message.get(PidTagNativeBody) == 3
    assert str(message.get(PidTagBody)).strip() == "Hello you"
    assert message.get(PidTagRtfCompressed) is not None
    message.save()
    assert str(reopened(account, message).get(PidTagBody)).strip() == "Hello you"
    message.set({PidTagBody: "plain & simple"})
    assert b"plain &amp; simple" in message.get(PidTagHtml)  # type: ignore[operator]
    message.save()
    other = reopened(account, message)
    assert (other.get(PidTagBody), other.get(PidTagNativeBody)) == ("plain & simple", 1)
    assert {PidTagBody, PidTagHtml, PidTagRtfCompressed} <= set(other.tags())
    other.set({PidTagBodyHtml: "<p>\u00e4</p>"})
    other.save()
    assert reopened(account, message).get(PidTagHtml) == "<p>\u00e4</p>".encode()


def test_delivered_mail(account: Account) -> None:
    message = WorkingMessage.open(account, deliver(account))
    assert message.get(PidTagNormalizedSubject) == "Plans"
    assert str(message.get(PidTagBody)).strip() == "See there"
    table = message.attachments
    assert [bag[PidTagAttachMethod] for bag in table.values()] == [5, 1]
    data = message.open_attachment(1).get(PidTagAttachDataBinary)
    assert data == b"pdf" * 40_000
    inner = message.open_attachment(0).open_embedded()
    assert (inner.get(PidTagSubject), str(inner.get(PidTagBody)).strip()) == ("inner", "inside")
    message.set({PidTagSubject: "New plans"})
    message.save()
    again = reopened(account, message)
    assert again.get(PidTagSubject) == "New plans"
    assert again.open_attachment(1).get(PidTagAttachDataBinary) == data
    assert again.open_attachment(0).open_embedded().get(PidTagSubject) == "inner"


def test_embedded_mail_that_came_is_changed(account: Account) -> None:
    message = WorkingMessage.open(account, deliver(account))
    attachment = message.open_attachment(0)
    inner = attachment.open_embedded()
    inner.set({PidTagSubject: "within"})
    inner.save()
    attachment.save()
    message.save()
    again = reopened(account, message)
    inner = again.open_attachment(0).open_embedded()
    assert (inner.get(PidTagSubject), str(inner.get(PidTagBody)).strip()) == ("within", "inside")
    assert again.open_attachment(1).get(PidTagAttachDataBinary) == b"pdf" * 40_000


# ---------------------------------------------------------------------------------------------- recipients


def test_recipients(account: Account) -> None:
    message = made(account)
    message.modify_recipients({4: person("d@x.org", 2), 0: person("a@x.org"), 2: person("c@x.org")})
    assert (message.get(PidTagDisplayTo), message.get(PidTagDisplayCc)) == ("a; c", "d")
    assert [bag[PidTagRowid] for bag in message.recipients] == [0, 2, 4]
    assert [bag[PidTagDisplayName] for bag in message.read_recipients(1)] == ["c", "d"]
    assert [bag[PidTagRowid] for bag in message.read_recipients(0, 2)] == [0, 2]
    assert refused(message.read_recipients, 5) == Ec.ecNotFound
    message.modify_recipients({2: None, 9: None, 0: person("z@x.org")})
    message.save()
    assert [bag[PidTagRowid] for bag in message.recipients] == [0, 4]
    other = reopened(account, message)
    assert [(bag[PidTagRowid], bag[PidTagDisplayName]) for bag in other.recipients] == [(0, "z"), (1, "d")]
    assert other.get(PidTagDisplayTo) == "z"
    other.remove_recipients()
    assert refused(other.read_recipients, 0) == Ec.ecNotFound
    other.save()
    assert reopened(account, message).recipients == []
    assert refused(other.modify_recipients, {1: {PidTagDisplayName: 4}}) == Ec.ecInvalidParam
    assert refused(other.modify_recipients, {-1: person("a@x.org")}) == Ec.ecInvalidParam


# ---------------------------------------------------------------------------------------------- attachments


def test_attachments(account: Account) -> None:
    message = made(account)
    size = message.get(PidTagMessageSize)
    first = message.create_attachment(now=1_000)
    assert (first.get(PidTagAttachSize), first.get(PidTagAttachNumber)) == (0x40, 0)
    first.set({PidTagAttachLongFilename: "a.txt", PidTagAttachDataBinary: b"a" * 100_000, PidTagAttachMethod: 1})
    assert message.attachments == {}
    assert message.get(PidTagHasAttachments) is False
    first.save()
    assert list(message.attachments) == [0]
    assert message.get(PidTagHasAttachments) is True
    assert message.get(PidTagMessageSize) > size + 100_000  # type: ignore[operator]
    second = message.create_attachment()
    second.set({PidTagAttachmentHidden: True, PidTagAttachDataBinary: b"b"})
    second.save()
    message.save()
    other = reopened(account, message)
    assert [bag.get(PidTagAttachLongFilename) for bag in other.attachments.values()] == ["a.txt", None]
    assert other.open_attachment(0).get(PidTagAttachDataBinary) == b"a" * 100_000
    assert other.open_attachment(1).get(PidTagAttachMethod) == 1
    other.delete_attachment(0)
    assert refused(other.open_attachment, 0) == Ec.ecNotFound
    assert refused(other.delete_attachment, 0) == Ec.ecNotFound
    assert (other.get(PidTagHasAttachments), other.get(PidTagMessageFlags) & 0x10) == (False, 0x10)  # type: ignore[operator]
    other.save()
    last = reopened(account, message)
    assert list(last.attachments) == [1]
    assert last.get(PidTagHasAttachments) is False


def test_two_handles_of_one_attachment(account: Account) -> None:
    message = made(account)
    first = message.create_attachment()
    first.set({PidTagAttachDataBinary: b"one" * 50_000})
    first.save()
    other = message.open_attachment(0)
    first.set({PidTagAttachDataBinary: b"two"})
    assert other.get(PidTagAttachDataBinary) == b"one" * 50_000
    first.save()
    assert message.open_attachment(0).get(PidTagAttachDataBinary) == b"two"
    assert other.get(PidTagAttachDataBinary) == b"one" * 50_000
    readonly = message.open_attachment(0, writable=False)
    assert refused(readonly.set, {PidTagAttachLongFilename: "x"}) == Ec.ecAccessDenied
    assert refused(readonly.save) == Ec.ecAccessDenied


def test_references_and_ole(account: Account) -> None:
    message = made(account)
    reference = message.create_attachment()
    reference.set({PidTagAttachMethod: 2, PidTagAttachPathname: "\\\\server\\file"})
    reference.save()
    ole = message.create_attachment()
    ole.set({PidTagAttachMethod: OLE, PidTagAttachDataObject: b"storage" * 10_000})
    ole.save()
    message.save()
    other = reopened(account, message)
    assert other.open_attachment(0).get(PidTagAttachPathname) == "\\\\server\\file"
    assert other.open_attachment(0).get(PidTagAttachMethod) == 2
    assert other.open_attachment(1).get(PidTagAttachDataObject) == b"storage" * 10_000


def test_messages_in_messages(account: Account) -> None:
    message = made(account)
    attachment = message.create_attachment()
    assert refused(attachment.open_embedded) == Ec.ecNotFound
    inner = attachment.open_embedded(create=True)
    inner.set({PidTagSubject: "inner", PidTagBody: "i" * 60_000})
    inner.modify_recipients({0: person("in@x.org")})
    deepest = inner.create_attachment()
    deepest.set({PidTagAttachDataBinary: b"deep" * 30_000})
    deepest.save()
    inner.save()
    assert message.attachments == {}
    attachment.save()
    message.save()
    other = reopened(account, message)
    assert other.open_attachment(0).get(PidTagAttachMethod) == EMBEDDED
    assert other.attachments[0][PidTagAttachSize] > 240_000
    outer = other.open_attachment(0)
    inner = outer.open_embedded()
    assert inner.get(PidTagBody) == "i" * 60_000
    assert [bag[PidTagDisplayName] for bag in inner.recipients] == ["in"]
    deepest = inner.open_attachment(0)
    assert deepest.get(PidTagAttachDataBinary) == b"deep" * 30_000
    deepest.set({PidTagAttachLongFilename: "deep.bin"})
    deepest.save()
    inner.set({PidTagSubject: "changed"})
    inner.save()
    outer.save()
    other.save()
    last = reopened(account, message).open_attachment(0).open_embedded()
    assert (last.get(PidTagSubject), last.get(PidTagBody)) == ("changed", "i" * 60_000)
    assert last.open_attachment(0).get(PidTagAttachLongFilename) == "deep.bin"
    assert last.open_attachment(0).get(PidTagAttachDataBinary) == b"deep" * 30_000
    end = message.open_attachment(0)
    end.set({PidTagAttachMethod: 1, PidTagAttachDataBinary: b"by value"})
    assert refused(end.open_embedded) == Ec.ecNotFound
    end.save()
    assert refused(message.save) == Ec.ecObjectModified
    message.save(SaveFlags.ForceSave)
    assert reopened(account, message).open_attachment(0).get(PidTagAttachDataBinary) == b"by value"


def test_depth_is_limited(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX)
    for _ in range(20):
        message = message.create_attachment().open_embedded(create=True)
    assert refused(message.create_attachment().open_embedded, create=True) == Ec.ecTooBig


# ---------------------------------------------------------------------------------------------- saving


def test_conflict(account: Account) -> None:
    first = made(account)
    second = reopened(account, first)
    first.set({PidTagSubject: "first"})
    second.set({PidTagSubject: "second", PidTagBody: "second"})
    first.save()
    assert refused(second.save) == Ec.ecObjectModified
    assert second.get(PidTagSubject) == "second"
    second.reload()
    assert second.get(PidTagSubject) == "first"
    second.set({PidTagSubject: "third"})
    second.save()
    first.set({PidTagImportance: 2})
    assert refused(first.save) == Ec.ecObjectModified
    first.save(SaveFlags.ForceSave)
    assert reopened(account, first).bag([PidTagSubject, PidTagImportance]) == (
        {PidTagSubject: "third", PidTagImportance: 2}, {},
    )  # fmt: skip


def test_a_look_after_saving_does_not_hide_a_conflict(account: Account) -> None:
    first = made(account)
    second = reopened(account, first)
    second.set({PidTagSubject: "theirs"})
    second.save()
    assert first.get(PidTagSubject) == "theirs"
    first.set({PidTagSubject: "mine"})
    assert refused(first.save) == Ec.ecObjectModified


def test_kept_open_for_reading(account: Account) -> None:
    message = made(account)
    message.save(SaveFlags.KeepOpenReadOnly)
    assert message.get(PidTagSubject) == "one"
    assert refused(message.set, {PidTagSubject: "x"}) == Ec.ecAccessDenied
    assert refused(message.save) == Ec.ecError


def test_deleted_meanwhile(account: Account) -> None:
    message = made(account)
    account.call(o.DeleteMessages(INBOX, [message.mid]))
    message.set({PidTagSubject: "x"})
    assert refused(message.save) == Ec.ecObjectDeleted
    assert refused(WorkingMessage.open, account, message.mid) == Ec.ecNotFound
    assert (
        WorkingMessage.open(account, message.mid, OpenModeFlags.BestAccess | OpenModeFlags.OpenSoftDeleted).writable
        is False
    )


def test_access(account: Account) -> None:
    message = made(account)
    bob = Account(account.exmdb, account.mailbox, BOB)
    assert refused(WorkingMessage.open, bob, message.mid) == Ec.ecAccessDenied
    change = acl.PermissionChange(acl.ADD, name=BOB, rights=0x401)
    account.call(acl.ModifyPermissions(INBOX, [change]))
    assert refused(WorkingMessage.open, bob, message.mid, OpenModeFlags.ReadWrite) == Ec.ecAccessDenied
    best = WorkingMessage.open(bob, message.mid, OpenModeFlags.BestAccess)
    assert refused(best.set, {PidTagSubject: "x"}) == Ec.ecAccessDenied
    assert refused(best.modify_recipients, {0: None}) == Ec.ecAccessDenied
    assert refused(best.create_attachment) == Ec.ecAccessDenied


class Flaky:
    """A store whose answer gets lost."""

    def __init__(self, account: Account) -> None:
        self.exmdb = account.exmdb
        self.losing = 0

    def call(self, mailbox: object, call: object, **more: object) -> object:
        answer = self.exmdb.call(mailbox, call, **more)  # type: ignore[arg-type]
        if self.losing and isinstance(call, o.SaveMessage):
            self.losing -= 1
            raise MapiError(Ec.ecTimeout, "lost")
        return answer


def test_saving_again_after_a_lost_answer_saves_once(account: Account) -> None:
    flaky = Flaky(account)
    flaky.losing = 2
    message = WorkingMessage.create(Account(flaky, account.mailbox, OWNER), INBOX)  # type: ignore[arg-type]
    message.set({PidTagSubject: "once"})
    assert refused(message.save) == Ec.ecTimeout
    assert refused(message.save) == Ec.ecTimeout
    mid = message.save().mid
    state = account.call(c.GetMailboxInfo())
    assert state.messages == 1
    assert reopened(account, message).mid == mid


def test_conversation_follows(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX)
    message.set({PidTagSubject: "a topic"})
    shown = message.get(PidTagConversationId)
    message.save()
    assert reopened(account, message).get(PidTagConversationId) == shown


def test_associated(account: Account) -> None:
    message = WorkingMessage.create(account, INBOX, associated=True)
    assert message.get(PidTagMessageFlags) & 0x40  # type: ignore[operator]
    message.set({PidTagSubject: "settings"})
    message.save()
    assert (message.uid, reopened(account, message).associated) == (0, True)


def test_a_soft_deletion_that_is_repeated_stays_a_soft_one(account: Account) -> None:
    first, second = made(account), made(account)
    for _ in range(2):
        account.call(o.DeleteMessages(INBOX, [first.mid], False, b"one request"))
        account.call(o.DeleteMessages(INBOX, [second.mid]))
    assert WorkingMessage.open(account, first.mid, OpenModeFlags.OpenSoftDeleted).get(PidTagSubject) == "one"
    assert refused(WorkingMessage.open, account, second.mid, OpenModeFlags.OpenSoftDeleted) == Ec.ecNotFound


def test_row_ids_stay_with_their_rows(account: Account) -> None:
    message = made(account)
    message.modify_recipients({3: person("late@x.org"), 1: person("early@x.org")})
    message.save()
    assert [(bag[PidTagRowid], bag[PidTagDisplayName]) for bag in message.recipients] == [(1, "early"), (3, "late")]


def test_a_property_of_an_attachment_of_mail_is_not_passed_over(account: Account) -> None:
    message = WorkingMessage.open(account, deliver(account))
    attachment = message.open_attachment(1)
    attachment.set({0x6600001F: "note"})
    attachment.save()
    message.set({PidTagSubject: "changed"})
    message.save()
    other = reopened(account, message).open_attachment(1)
    assert (other.get(0x6600001F), other.get(PidTagAttachDataBinary)) == ("note", b"pdf" * 40_000)


def test_both_bodies_set_together_stay(account: Account) -> None:
    message = made(account, {PidTagSubject: "s", PidTagBody: "text", PidTagHtml: b"<p>" + b"x" * 40_000})
    copy = WorkingMessage.create(account, INBOX)
    copy_to(reopened(account, message), copy)
    copy.save()
    assert reopened(account, copy).get(PidTagHtml) == b"<p>" + b"x" * 40_000
