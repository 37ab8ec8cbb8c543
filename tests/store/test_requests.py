"""Request ids and redelivery, in the database: across reopening, in one batch, with a clock."""

from __future__ import annotations

from gromoxd.errors import Ec
from gromoxd.exmdb import calls as c
from store.upkeep import EVERY
from tests.store.conftest import ALIVE, ALL, DEAD, INBOX, SENT, Harness, mail, new


def deliver(request_id: bytes, number: int = 1, fingerprint: bytes = b"print") -> c.Deliver:
    return c.Deliver(new(mail(number)), "s@example.org", request_id, fingerprint)


def requests(box: Harness) -> set[bytes]:
    return {r for (r,) in box.sql("SELECT request_id FROM requests")}


def test_results_outlive_the_owner(box: Harness) -> None:
    calls: list[c.Call[object]] = [
        c.Append(INBOX, new(mail(1)), b"append"),
        deliver(b"deliver"),
        c.CopyMessages(INBOX, ALL, SENT, False, b"copy"),
        c.CopyMessages(INBOX, [(1, 1)], SENT, True, b"move"),
        c.CreateFolder("New", "IPF.Note", b"create"),
    ]
    first = [box.call(call) for call in calls]
    box.reopen()
    assert [box.call(call) for call in calls] == first
    assert (box.state(INBOX).exists, box.state(SENT).exists) == (1, 3)


def test_a_repetition_within_one_batch(box: Harness) -> None:
    call = c.Append(INBOX, new(mail(1)), b"same")
    first, second = box.batch(call, call)
    assert first == second
    assert box.state().exists == 1


def test_a_request_id_belongs_to_one_kind_of_call(box: Harness) -> None:
    box.call(c.Append(INBOX, new(mail(1)), b"id"))
    assert box.refused(c.CreateFolder("New", "IPF.Note", b"id")) == Ec.ecInvalidParam
    assert box.refused(c.Append(INBOX, new(mail(1)), b"x" * 65)) == Ec.ecInvalidParam


def test_a_dead_workers_delivery_is_recognised_after_reopening(box: Harness) -> None:
    first = box.call(deliver(b"one"), instance=DEAD)
    box.reopen()
    assert box.call(deliver(b"two"), instance=ALIVE) == first
    assert requests(box) == {b"two"}
    assert box.call(deliver(b"three"), instance=ALIVE).uid == first.uid + 1


def test_a_living_workers_delivery_is_not_taken_for_a_retry(box: Harness) -> None:
    box.call(deliver(b"one"), instance=ALIVE)
    assert box.call(deliver(b"two"), instance=ALIVE).uid == 2
    box.alive.clear()
    assert box.call(deliver(b"three"), instance=DEAD).uid == 1
    assert box.call(deliver(b"four"), instance=DEAD).uid == 2
    assert box.call(deliver(b"five", 2, b"another"), instance=DEAD).uid == 3


def test_a_retry_after_hours_is_another_mail(box: Harness) -> None:
    box.call(deliver(b"one"), instance=DEAD)
    box.clock += 4 * 3600 + 1
    assert box.call(deliver(b"two"), instance=ALIVE).uid == 2


def test_confirm_takes_effect_at_once_and_its_row_goes_with_the_next_write(box: Harness) -> None:
    box.call(deliver(b"one"), instance=DEAD)
    box.call(c.Confirm([b"one"]))
    assert requests(box) == {b"one"}
    assert box.call(deliver(b"two"), instance=ALIVE).uid == 2
    assert requests(box) == {b"two"}


def test_confirmed_deliveries_are_forgotten_at_closing(box: Harness) -> None:
    box.call(deliver(b"one"), instance=DEAD)
    box.call(c.Confirm([b"one"]))
    box.reopen()
    assert requests(box) == set()
    assert box.call(deliver(b"two"), instance=ALIVE).uid == 2


def test_a_confirmation_survives_a_failed_commit(box: Harness) -> None:
    box.call(deliver(b"one"), instance=DEAD)
    box.call(c.Confirm([b"one"]))
    box.db.set_commit_hook(lambda: True)
    assert box.refused(deliver(b"two")) == Ec.ecError
    box.db.set_commit_hook(None)
    assert box.call(deliver(b"two"), instance=ALIVE).uid == 2
    assert requests(box) == {b"two"}


def test_old_results_are_pruned(box: Harness) -> None:
    box.call(c.Append(INBOX, new(mail(1)), b"old"))
    box.call(deliver(b"old delivery"), instance=DEAD)
    box.clock += 4 * 3600 + EVERY
    box.call(c.Append(INBOX, new(mail(2)), b"young"))
    assert requests(box) == {b"young"}
    assert box.box._runner.tx.state.deliveries == {}


def test_a_refused_call_is_not_remembered(box: Harness) -> None:
    box.call(c.SetQuota(0, 10))
    assert box.refused(c.Append(INBOX, new(mail(1)), b"id")) == Ec.ecQuotaExceeded
    assert requests(box) == set()
    box.call(c.SetQuota(0, 0))
    assert box.call(c.Append(INBOX, new(mail(1)), b"id")).uid == 1
