"""The queue at work: tries, pauses, expiry, reports, people here and elsewhere, restarts."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import gevent
import pytest

from gromoxd.exmdb import calls as c
from gromoxd.exmdb.api import SYSTEM, MailboxRef
from gromoxd.exmdb.outgoing import NOTIFY_NEVER, NOTIFY_SUCCESS, Options
from tests.relay.world import Relay
from workers.relay.spool import Spool

ALL: c.Ranges = [(1, 1000)]
HOUR, DAY = 3600.0, 86400.0


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[Relay]:
    made = Relay(tmp_path)
    yield made
    made.close()


def inbox(relay: Relay, name: str, fid: int = 0x0D) -> list[bytes]:
    found = relay.store.call(MailboxRef(name), c.GetContents(fid, ALL), actor=SYSTEM)
    return [one.raw for one in found]


def reports(relay: Relay, name: str = "alice@example.test") -> list[EmailMessage]:
    return [email.message_from_bytes(raw, policy=email.policy.default) for raw in inbox(relay, name)]


def status_of(report: EmailMessage, part: int = 1) -> dict[str, str]:
    """The fields of the (first) recipient in a report."""
    assert report.get_content_type() == "multipart/report"
    whole = report.get_payload(1)
    return dict(whole.get_payload(part).items())  # type: ignore[union-attr]


def test_a_mail_goes_to_the_server(relay: Relay) -> None:
    relay.gone(relay.add("x@elsewhere.test", "y@elsewhere.test", raw=b"Subject: s\r\n\r\n.dot\r\n..\r\nend"))
    [(sender, recipients, octets, _)] = relay.server.mails
    assert (sender, recipients) == ("alice@example.test", ["x@elsewhere.test", "y@elsewhere.test"])
    first, _, rest = octets.partition(b"\r\n\t")
    assert first.startswith(b"Received: by mx.example.test (gromoxd) id ")
    assert rest.partition(b"\r\n")[2] == b"Subject: s\r\n\r\n.dot\r\n..\r\nend\r\n"


def test_connections_are_used_again(relay: Relay) -> None:
    for _ in range(5):
        relay.gone(relay.add("x@elsewhere.test"))
    assert (len(relay.server.mails), relay.server.connections) == (5, 1)


def test_a_connection_that_the_server_closed_is_made_anew(relay: Relay) -> None:
    relay.gone(relay.add("x@elsewhere.test"))
    relay.server.answers["MAIL"] = [b""]
    relay.gone(relay.add("x@elsewhere.test"))
    assert (len(relay.server.mails), relay.server.connections) == (2, 2)


def test_people_here(relay: Relay) -> None:
    relay.gone(relay.add("bob@example.test", "x@elsewhere.test"))
    [raw] = inbox(relay, "bob@example.test")
    assert raw.startswith(b"Return-Path: <alice@example.test>\r\nDelivered-To: bob@example.test\r\nReceived: by mx.")
    assert raw.endswith(b"Subject: s\r\n\r\ntext\r\n")
    assert relay.server.mails[0][1] == ["x@elsewhere.test"]
    assert len(relay.confirmed) == 1


def test_large_mails_are_files(relay: Relay) -> None:
    raw = b"Subject: s\r\n\r\n" + b"x" * 70 + b"\r\n" + b"line\r\n.\r\n" * 60_000
    relay.gone(relay.add("bob@example.test", "x@elsewhere.test", raw=raw))
    assert inbox(relay, "bob@example.test")[0].endswith(raw)
    assert relay.server.mails[0][2].endswith(raw)
    assert list((relay.folder / "spool" / "content").iterdir()) == []


def test_all_by_the_server(tmp_path: Path) -> None:
    relay = Relay(tmp_path, relay_local_delivery=False)
    try:
        relay.gone(relay.add("bob@example.test"))
        assert [mail[1] for mail in relay.server.mails] == [["bob@example.test"]]
    finally:
        relay.close()


def test_a_list_becomes_its_members(relay: Relay) -> None:
    relay.gone(relay.add("team@example.test", "x@elsewhere.test"))
    assert (len(inbox(relay, "alice@example.test")), len(inbox(relay, "bob@example.test"))) == (1, 1)
    sent = [address for mail in relay.server.mails for address in mail[1]]
    assert sorted(sent) == ["x@elsewhere.test", "y@elsewhere.test"]


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize(("sender", "returns"), [("eve@made-up.test", ""), ("bob@example.test", "bob@example.test")])
def test_members_elsewhere_send_no_reports_to_strangers(relay: Relay, sender: str, returns: str, size: int) -> None:
    relay.server.always["RCPT y@elsewhere.test"] = b"550 5.1.1 unknown\r\n"
    relay.gone(
        relay.add(
            "team@example.test",
            sender=sender,
            raw=b"Subject: s\r\n\r\n" + b"x" * 60 + b"\r\n" + b"yy\r\n" * (size // 4),
        )
    )
    relay.until(lambda: not relay.disk.do(lambda spool: spool.ids()))
    [(by, to, octets, _)] = relay.until(lambda: relay.server.mails)
    assert (by, to, size < len(octets)) == (returns, ["x@elsewhere.test"], True)
    reports = [raw for raw in inbox(relay, "bob@example.test") if b"delivery-status" in raw]
    assert (len(inbox(relay, "alice@example.test")), len(reports)) == (1, 1 if returns else 0)
    assert not [mail for mail in relay.server.mails if "eve@made-up.test" in mail[1]]


def test_each_recipient_has_its_own_fate(relay: Relay) -> None:
    relay.server.always |= {
        "RCPT a@elsewhere.test": b"550 5.1.1 nobody\r\n", "RCPT b@elsewhere.test": b"450 4.2.0 later\r\n",
    }  # fmt: skip
    id_ = relay.add("a@elsewhere.test", "b@elsewhere.test", "c@elsewhere.test", "nobody@example.test")
    relay.tried(id_)
    states = {one.address: (one.state, one.status) for one in relay.recipients(id_)}
    assert states == {
        "a@elsewhere.test": (3, "5.1.1"), "b@elsewhere.test": (0, "4.2.0"), "c@elsewhere.test": (2, "2.0.0"),
        "nobody@example.test": (3, "5.1.1"),
    }  # fmt: skip
    assert relay.server.mails[0][1] == ["c@elsewhere.test"]
    relay.until(lambda: inbox(relay, "alice@example.test"))
    [report] = reports(relay)
    assert status_of(report)["Final-Recipient"] == "rfc822; a@elsewhere.test"
    assert status_of(report, 2)["Final-Recipient"] == "rfc822; nobody@example.test"
    del relay.server.always["RCPT b@elsewhere.test"]
    relay.later(121)
    relay.gone(id_)
    assert relay.server.mails[1][1] == ["b@elsewhere.test"]


@pytest.mark.parametrize("where", ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "END"])
@pytest.mark.parametrize("how", [b"451 4.3.0 later\r\n", b"421 4.3.2 closing\r\n", b"", b"nonsense\r\n"])
def test_what_goes_wrong_is_tried_again(relay: Relay, where: str, how: bytes) -> None:
    relay.server.always[where] = how
    id_ = relay.add("x@elsewhere.test")
    assert relay.tried(id_).state == 0
    assert relay.server.mails == []
    relay.server.always.clear()
    relay.remote.reload()
    relay.later(121)
    relay.gone(id_)
    assert [mail[1] for mail in relay.server.mails] == [["x@elsewhere.test"]]
    assert inbox(relay, "alice@example.test") == []


def test_a_server_that_says_nothing(tmp_path: Path) -> None:
    relay = Relay(tmp_path, relay_timeout=0.1, relay_data_timeout=0.1)
    try:
        for where in ("CONNECT", "MAIL", "END"):
            relay.remote.reload()
            relay.server.always = {where: None}
            assert "timed out" in relay.tried(relay.add("x@elsewhere.test")).text
    finally:
        relay.close()


def test_pauses_double_up_to_expiry(relay: Relay) -> None:
    relay.server.always["MAIL"] = b"451 4.3.0 later\r\n"
    id_ = relay.add("x@elsewhere.test", sender="")
    pauses = []
    for times in range(1, 8):
        one = relay.tried(id_, times)
        pauses.append(round(one.due - relay.now))
        relay.later(pauses[-1])
    assert pauses == [120, 240, 480, 960, 1920, 3600, 3600]
    relay.later(5 * DAY)
    relay.gone(id_)


def test_the_sender_is_told(relay: Relay) -> None:
    relay.server.always["MAIL"] = b"451 4.3.0 later\r\n"
    id_ = relay.add("x@elsewhere.test", raw=b"Subject: precious\r\n\r\nthe text\r\n")
    relay.tried(id_)
    relay.later(4 * HOUR)
    relay.until(lambda: len(inbox(relay, "alice@example.test")) == 1)
    [warning] = reports(relay)
    fields = status_of(warning)
    assert (fields["Action"], fields["Status"], fields["Remote-MTA"]) == ("delayed", "4.3.0", "dns; 127.0.0.1")
    assert fields["Diagnostic-Code"] == "smtp; 451 4.3.0 later"
    assert (warning["Subject"], warning["Auto-Submitted"]) == ("Delayed mail (still being retried)", "auto-replied")
    relay.later(HOUR)
    relay.tried(id_, 3)
    relay.later(5 * DAY)
    relay.gone(id_)
    relay.until(lambda: len(inbox(relay, "alice@example.test")) == 2)
    failure = reports(relay)[1]
    assert status_of(failure)["Action"] == "failed"
    returned = failure.get_payload(2)
    assert returned.get_content_type() == "text/rfc822-headers"  # type: ignore[union-attr]
    assert "precious" in returned.get_payload()  # type: ignore[union-attr]
    assert "the text" not in failure.as_string()
    assert failure["From"] == "Mail Delivery System <postmaster@mx.example.test>"
    assert b"Return-Path: <>\r\n" in inbox(relay, "alice@example.test")[1]


@pytest.mark.parametrize(("sender", "notify"), [("", 0), ("alice@example.test", NOTIFY_NEVER)])
def test_nobody_is_told(relay: Relay, sender: str, notify: int) -> None:
    relay.gone(relay.add("nobody@example.test", sender=sender, options=Options(notify)))
    assert (inbox(relay, "alice@example.test"), relay.server.mails) == ([], [])
    assert relay.disk.do(lambda spool: spool.ids()) == []


def test_reports_of_success(relay: Relay) -> None:
    told = Options(NOTIFY_SUCCESS, whole=True, envelope_id="e=1")
    relay.gone(relay.add("bob@example.test", options=told))
    relay.gone(relay.add("x@elsewhere.test", options=told))
    relay.until(lambda: len(inbox(relay, "alice@example.test")) == 2)
    assert [status_of(one)["Action"] for one in reports(relay)] == ["delivered", "relayed"]
    whole = reports(relay)[0].get_payload(2)
    assert whole.get_content_type() == "message/rfc822"  # type: ignore[union-attr]
    relay.server.extensions.append("DSN")
    relay.remote.close()
    relay.gone(relay.add("x@elsewhere.test", options=told))
    _, _, octets, parameters = relay.server.mails[-1]
    assert parameters.split() == [f"SIZE={len(octets)}", "RET=FULL", "ENVID=e+3D1"]
    assert "RCPT TO:<x@elsewhere.test> NOTIFY=SUCCESS ORCPT=rfc822;x@elsewhere.test" in relay.server.commands
    assert len(inbox(relay, "alice@example.test")) == 2


def test_what_the_server_cannot_take(relay: Relay) -> None:
    relay.server.extensions[:] = ["SIZE 100"]
    cases = {
        "5.3.4": relay.add("x@elsewhere.test", raw=b"Subject: s\r\n\r\n" + b"x" * 1000, sender=""),
        "5.6.7": relay.add("\xe4@elsewhere.test", sender=""),
    }
    for id_ in cases.values():
        relay.gone(id_)
    relay.server.extensions[:] = []
    relay.remote.reload()
    relay.gone(relay.add("x@elsewhere.test", raw="Subject: s\r\n\r\n\xe4\r\n".encode()))
    [report] = relay.until(lambda: reports(relay))
    assert status_of(report)["Status"] == "5.6.3"
    assert relay.server.mails == []


def test_loops_end(relay: Relay) -> None:
    raw = b"Received: by a\r\n\tid x\r\n" * 51 + b"Subject: s\r\n\r\n"
    relay.gone(relay.add("x@elsewhere.test", "bob@example.test", raw=raw))
    [report] = relay.until(lambda: reports(relay))
    assert status_of(report)["Status"] == "5.4.6"
    assert (relay.server.mails, inbox(relay, "bob@example.test")) == ([], [])


def test_a_restart_goes_on(relay: Relay) -> None:
    relay.server.always["MAIL"] = b"451 4.3.0 later\r\n"
    ids = [relay.add(f"r{n}@elsewhere.test") for n in range(5)]
    for id_ in ids:
        relay.tried(id_)
    relay.stop()
    relay.server.always.clear()
    relay.start()
    relay.later(121)
    for id_ in ids:
        relay.gone(id_)
    assert sorted(mail[1][0] for mail in relay.server.mails) == [f"r{n}@elsewhere.test" for n in range(5)]


def test_a_token_is_taken_once(relay: Relay) -> None:
    first = relay.add("x@elsewhere.test", token=b"t" * 16)
    assert relay.add("x@elsewhere.test", token=b"t" * 16) == 0
    relay.gone(first)
    assert relay.add("x@elsewhere.test", token=b"t" * 16) == 0
    assert len(relay.server.mails) == 1


def test_a_second_try_is_no_second_mail_in_a_mailbox(relay: Relay) -> None:
    """As after a crash between the delivery and its being written down."""
    id_ = relay.add("bob@example.test", token=b"u" * 16)
    relay.gone(id_)
    relay.disk.do(lambda spool: spool._db.execute("DELETE FROM taken"))
    relay.gone(relay.add("bob@example.test", token=b"u" * 16))
    assert len(inbox(relay, "bob@example.test")) == 1


def test_into_another_store(relay: Relay) -> None:
    relay.gone(relay.add("bob@example.test", options=Options(store="bob@example.test", folder=0x0D)))
    [report] = relay.until(lambda: reports(relay))
    assert status_of(report)["Status"] == "5.7.1"
    relay.gone(relay.add("alice@example.test", options=Options(store="alice@example.test", folder=0x0A)))
    assert inbox(relay, "alice@example.test", 0x0A) == [b"Subject: s\r\n\r\ntext\r\n"]


def test_hold_release_drop(relay: Relay) -> None:
    relay.server.always["MAIL"] = b"451 4.3.0 later\r\n"
    id_ = relay.add("x@elsewhere.test")
    relay.tried(id_)
    assert relay.disk.do(lambda spool: spool.hold(id_))
    relay.server.always.clear()
    relay.stop()
    relay.start()
    relay.later(DAY)
    relay.gone(relay.add("y@elsewhere.test"))
    assert [one.state for one in relay.recipients(id_)] == [1]
    assert relay.disk.do(lambda spool: spool.release(id_, relay.now))
    relay.engine.add(id_)
    relay.gone(id_)
    assert relay.disk.do(lambda spool: spool.drop(id_, relay.now)) is False


def test_a_server_that_is_said_to_be_up_again_is_tried(relay: Relay) -> None:
    relay.server.answers["CONNECT"] = [b"421 4.3.2 down\r\n"]
    id_ = relay.add("x@elsewhere.test")
    relay.tried(id_)
    assert relay.server.connections == 1
    relay.later(DAY / 24)
    relay.tried(id_, 2)
    assert relay.server.connections == 1, "a server that is down is not asked by every mail"
    assert relay.disk.do(lambda spool: spool.retry(id_, relay.now))
    relay.engine.add_now([id_])
    relay.gone(id_)
    assert relay.server.connections == 2


def test_a_change_that_fails_in_any_way_fails_alone(relay: Relay) -> None:
    def fault(spool: Spool) -> int:
        raise ZeroDivisionError("a bug")

    tasks = [gevent.spawn(relay.disk.do, work) for work in (Spool.ids, fault, lambda spool: spool.forget(0.0) or 7)]
    gevent.joinall(tasks)
    assert (tasks[0].value, type(tasks[1].exception), tasks[2].value) == ([], ZeroDivisionError, 7)
