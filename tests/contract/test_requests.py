"""Contract: request ids, redelivery, quota and the POP3 lock."""

from __future__ import annotations

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM
from tests.contract.mail import digest_of, mail
from tests.contract.worlds import ALL, INBOX, SENT, Mailbox, numbers


def new(raw: bytes) -> c.NewMessage:
    return c.NewMessage(digest_of(raw), raw, 1_000_000)


def test_a_repeated_append_is_done_once(box: Mailbox) -> None:
    call = c.Append(INBOX, new(mail(1)), b"same-request-id!")
    first = box.call(call)
    box.append(mail(2))
    assert box.call(call) == first
    assert box.contents() == {1: mail(1), 2: mail(2)}


def test_a_repeated_copy_move_and_create_are_done_once(box: Mailbox) -> None:
    box.append(mail(1))
    copy = c.CopyMessages(INBOX, ALL, SENT, False, b"copy-once-please")
    assert box.call(copy) == box.call(copy)
    assert box.state(SENT).exists == 1
    move = c.CopyMessages(INBOX, ALL, SENT, True, b"move-once-please")
    first = box.call(move)
    assert numbers(first.source) == [1]
    assert box.call(move) == first
    assert (box.state(INBOX).exists, box.state(SENT).exists) == (0, 2)
    create = c.CreateFolder("Once", "IPF.Note", b"create-once-pls!")
    assert box.call(create) == box.call(create)
    assert box.refused(c.CreateFolder("Once", "IPF.Note", b"another-request!")) == Ec.ecDuplicateName


def test_a_refused_call_may_be_repeated(box: Mailbox) -> None:
    """Only what was done is remembered."""
    box.call(c.SetQuota(0, 10), actor=SYSTEM)
    call = c.Append(INBOX, new(mail(1)), b"refused-at-first")
    assert box.refused(call) == Ec.ecQuotaExceeded
    box.call(c.SetQuota(0, 0), actor=SYSTEM)
    assert box.call(call).uid == 1


def test_a_retried_delivery_with_the_same_request_id(box: Mailbox) -> None:
    call = c.Deliver(new(mail(1)), "s@example.org", b"deliver-request1", b"print-1")
    first = box.call(call, actor=SYSTEM)
    assert box.call(call, actor=SYSTEM) == first
    assert box.state().exists == 1


def test_equal_mails_from_a_living_worker_are_two_mails(box: Mailbox) -> None:
    first = box.deliver(mail(1), b"same")
    second = box.deliver(mail(1), b"same")
    assert (first.uid, second.uid) == (1, 2)


def test_redelivery_after_the_worker_died_is_the_same_mail(box: Mailbox) -> None:
    """The reply was lost with the worker; the sender comes again, to another worker."""
    first = box.deliver(mail(1), b"same")
    box.world.die()
    again = box.deliver(mail(1), b"same")
    assert again == first
    assert box.state().exists == 1
    assert box.deliver(mail(2), b"different").uid == 2


def test_a_confirmed_delivery_is_not_a_redelivery(box: Mailbox) -> None:
    """The sender has its 250; the same bytes later are another mail."""
    request_id = box.request_id()
    box.deliver(mail(1), b"same", request_id)
    box.call(c.Confirm([request_id]), actor=SYSTEM)
    box.world.die()
    assert box.deliver(mail(1), b"same").uid == 2


def test_a_redelivery_serves_one_retry(box: Mailbox) -> None:
    """The retry takes the delivery over: the sender's next equal mail on the living worker is new."""
    box.deliver(mail(1), b"same")
    box.world.die()
    assert box.deliver(mail(1), b"same").uid == 1
    assert box.deliver(mail(1), b"same").uid == 2


def test_a_confirmed_redelivery_is_settled(box: Mailbox) -> None:
    box.deliver(mail(1), b"same")
    box.world.die()
    request_id = box.request_id()
    assert box.deliver(mail(1), b"same", request_id).uid == 1
    box.call(c.Confirm([request_id]), actor=SYSTEM)
    box.world.die()
    assert box.deliver(mail(1), b"same").uid == 2


def test_receive_quota(box: Mailbox) -> None:
    box.call(c.SetQuota(len(mail(1)) + 10, 0), actor=SYSTEM)
    assert box.deliver(mail(1)).uid == 1
    call = c.Deliver(new(mail(2, body="x" * 100)), "s@example.org", b"over-quota", b"f")
    assert box.refused(call, actor=SYSTEM) == Ec.ecQuotaExceeded
    assert box.append(mail(3)).uid == 2
    info = box.call(c.GetMailboxInfo())
    assert (info.quota_receive, info.quota_storage) == (len(mail(1)) + 10, 0)


def test_storage_quota(box: Mailbox) -> None:
    box.append(mail(1))
    box.call(c.SetQuota(0, len(mail(1)) + 10), actor=SYSTEM)
    assert box.refused(c.Append(INBOX, new(mail(2, body="x" * 100)), b"q1")) == Ec.ecQuotaExceeded
    assert box.refused(c.CopyMessages(INBOX, ALL, SENT, False, b"q2")) == Ec.ecQuotaExceeded
    assert numbers(box.copy(ALL, SENT, move=True).destination) == [1]
    box.expunge(ALL, fid=SENT)
    assert box.append(mail(2)).uid == 2


def test_pop3_lock_is_exclusive(box: Mailbox) -> None:
    """RFC 1939 section 4: a second session on a locked maildrop is refused."""
    assert box.call(c.LockPop3(True)) is True
    assert box.call(c.LockPop3(True)) is False
    box.call(c.LockPop3(False))
    assert box.call(c.LockPop3(True)) is True


def test_pop3_lock_is_lost_with_its_connection(box: Mailbox) -> None:
    assert box.call(c.LockPop3(True)) is True
    box.world.die()
    assert box.call(c.LockPop3(True)) is True
