"""An Outlook before MAPI/HTTP: everything over RPC/HTTP, with two workers and channels that are soon used up."""

from __future__ import annotations

import hashlib
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from email.message import EmailMessage
from typing import Any

import pytest

from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings
from tests.outlook.conftest import ALICE, BOB
from tests.support.messages import make
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook.nspi import AMBIGUOUS, DISPLAY_NAME, EMAIL, RESOLVED, SMTP, UNRESOLVED
from tests.support.outlook.profile import INBOX, IPM
from tests.support.outlook.replica import Replica
from tests.support.outlook.rpccall import RpcFault
from tests.support.outlook.rpchttp import echo
from tests.support.outlook.rpcmapi import MapiRpc, OldProfile, Referrals, compress
from tests.support.outlook.transport import CallFault, HttpFault, Waiter, decompress
from tests.support.server import Server, running, trusting_tls, until

pytestmark = pytest.mark.slow
CAROL, DAVE = "carol@example.test", "dave@example.test"
MIB = 1 << 20
IN_LIFETIME = 128 << 10
"""The least that there is ([MS-RPCH] 2.2.3.5.5); as `rpch_channel_lifetime`."""
MAILS = 1000
Open = Callable[..., OldProfile]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    options = {"http_workers": "2", "rpch_channel_lifetime": "128K"}
    with running(tmp_path_factory.mktemp("old") / "site", options=options) as started:
        yield started


@pytest.fixture
def profiles(server: Server) -> Iterator[Open]:
    """Call it for somebody's profile, connected; it is disconnected in the end."""
    with ExitStack() as stack:

        def make_one(user: str, **more: Any) -> OldProfile:
            made = OldProfile(server, user, **{"in_lifetime": IN_LIFETIME, **more})
            stack.enter_context(made)
            return made

        yield make_one


@pytest.fixture(scope="module")
def idle(server: Server) -> Iterator[OldProfile]:
    """Nothing happens on it but pings, which the client wants every half minute."""
    profile = OldProfile(server, BOB, keepalive_ms=60_000)
    yield profile
    profile.close()


def test_a_profile_is_made(server: Server, profiles: Open, idle: OldProfile) -> None:
    """AutoDiscover, referral, address book, mailbox, in the order in which an old Outlook does it."""
    alice = profiles(ALICE)
    account: Any = alice.account
    assert account.name == "Alice" and account.protocols[:2] == ("EXCH", "EXPR")
    assert account.server.endswith("@example.test") and account.server_dn.endswith(f"/cn=Servers/cn={account.server}")
    assert account.mdb_dn == account.server_dn + "/cn=Microsoft Private MDB"
    assert account.proxy == server.host and account.auth == "Basic"
    with_referrals = alice.referrals()
    name = with_referrals.new_dsa(account.dn)
    assert name and with_referrals.fqdn(account.server_dn) == name
    assert with_referrals.new_dsa("/o=nobody/ou=at/cn=all") == name
    with pytest.raises(CallFault):
        with_referrals.fqdn("/o=nobody/ou=at/cn=all/cn=Servers/cn=x")
    with_referrals.close()
    book = replace_endpoint(alice, name).book().bind()
    until(lambda: book.resolve("bob")[0][0] == RESOLVED, seconds=20, step=0.2)
    found = book.resolve("Bob", f"=SMTP:{ALICE}", "nobody at all", columns=(DISPLAY_NAME, SMTP, EMAIL))
    assert [state for state, _ in found] == [RESOLVED, RESOLVED, UNRESOLVED]
    assert found[1][1] == {DISPLAY_NAME: "Alice", SMTP: ALICE, EMAIL: account.dn}
    [mid] = book.ids_of(account.dn)
    assert book.props(mid, DISPLAY_NAME, SMTP) == {DISPLAY_NAME: "Alice", SMTP: ALICE}
    assert [row[SMTP] for row in book.rows(10, DISPLAY_NAME, SMTP)] == [ALICE, BOB]
    assert book.rows(1, SMTP, explicit=[mid]) == [{SMTP: ALICE}]
    assert book.special()[0][DISPLAY_NAME] == "Global Address List"
    book.unbind()
    link: Any = alice.link
    assert (link.display_name, link.dn_prefix) == ("Alice", account.dn[: account.dn.index("/cn=Recipients")])
    assert link.server_version[0] == 15 << 8
    assert alice.store().folder(IPM).child("Inbox").fid == alice.store().folders[INBOX]
    assert AMBIGUOUS not in [state for state, _ in found]


def replace_endpoint(profile: OldProfile, name: str) -> OldProfile:
    """Outlook asks for the address book under the name that the referral gave."""
    profile.place = replace(profile.place, server=name)
    return profile


def attachment(number: int, size: int) -> bytes:
    return random.Random(number).randbytes(size)


def sizes() -> dict[int, int]:
    """Of the attachments, by the number of the message."""
    found = {number: 2_000 + 37 * number for number in range(0, MAILS, 25)}
    return found | {11: 300_000, 333: MIB, 500: 3 * MIB, 777: 5 * MIB}


def fill(server: Server) -> None:
    with server.lmtp() as client:
        for number in range(MAILS):
            mail = EmailMessage()
            mail["From"], mail["To"], mail["Subject"] = "Sam <sam@elsewhere.test>", ALICE, f"old-{number}"
            mail["Message-ID"] = f"<old-{number}@x.test>"
            mail.set_content(f"The text of {number}.\n" * (1 + number % 40))
            if size := sizes().get(number):
                data = attachment(number, size)
                mail.add_attachment(data, "application", "octet-stream", filename=f"file-{number}.bin")
            client.sendmail("sam@elsewhere.test", [ALICE], mail.as_bytes(policy=mail.policy.clone(linesep="\r\n")))


def test_cached_mode(server: Server, profiles: Open, capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand messages with attachments of up to 5 MiB; then changes both ways."""
    fill(server)
    alice = profiles(ALICE)
    replica = Replica(alice.store())
    begun = time.perf_counter()
    replica.sync()
    took = time.perf_counter() - begun
    inbox = replica.box("Inbox")
    subjects = [name for name in inbox.subjects() if name.startswith("old-")]
    assert sorted(subjects) == sorted(f"old-{number}" for number in range(MAILS))
    for number, size in sizes().items():
        [one] = inbox.by_subject(f"old-{number}").item.attachments
        assert one.props[t.AttachLongFilename] == f"file-{number}.bin"
        data = one.props[t.AttachData]
        assert len(data) == size
        assert hashlib.sha256(data).digest() == hashlib.sha256(attachment(number, size)).digest()
    assert inbox.by_subject("old-39").item.props[t.Body].count("The text of 39.") == 40
    counts = alice.rpc.counts
    total = sum(sizes().values())
    assert counts["out"] > total // (128 << 10) and counts["acks sent"] > total // (64 << 10)
    with capsys.disabled():
        print(f"\n{MAILS} messages, {total / MIB:.1f} MiB of attachments in {took:.1f} s: {dict(counts)}")
    assert replica.sync().nothing
    with replica.collector(inbox) as collector:
        big = {t.MessageClass: "IPM.Note", t.Subject: "old-up", t.Body: "From Outlook.\r\n" * 1_000}
        collector.put(big)
        collector.put({t.Subject: "old-0 changed", t.FlagStatus: 2}, inbox.by_subject("old-0").key)
        collector.delete(inbox.by_subject("old-1").key)
        collector.read({inbox.by_subject("old-2").key: True})
    message = alice.store().folder(INBOX).new({t.MessageClass: "IPM.Note", t.Subject: "old-attached"})
    message.attach("up.bin", attachment(-1, 3 * MIB))
    message.save()
    assert counts["in"] > 3 * MIB // IN_LIFETIME and counts["acks"] > 3 * MIB // (64 << 10)
    with server.imap(ALICE) as client:
        client.select("INBOX")
        assert client.search(None, "SUBJECT", '"old-up"')[1][0]
        assert client.search(None, "SUBJECT", '"old-0 changed"')[1][0]
        assert not client.search(None, "HEADER", "Message-ID", "<old-1@x.test>")[1][0]
        assert client.search(None, "SEEN", "HEADER", "Message-ID", "<old-2@x.test>")[1][0]
    done = replica.sync()
    assert (done.changed, done.deleted) == (1, 0)
    [one] = inbox.by_subject("old-attached").item.attachments
    assert one.props[t.AttachData] == attachment(-1, 3 * MIB)
    assert replica.sync().nothing


def test_new_mail_within_100_ms(server: Server, profiles: Open, capsys: pytest.CaptureFixture[str]) -> None:
    alice = profiles(ALICE)
    store = alice.store()
    advise = alice.session.make(r.RegisterNotification(store.handle, 2))
    took: list[float] = []
    for number in range(20):
        waiter = Waiter(alice.link)
        time.sleep(0.05)  # the request is to be outstanding when the mail comes
        begun = time.perf_counter()
        server.deliver(make(f"rpc-notice-{number}", 500))
        took.append(waiter.result() - begun)
        assert advise.value in {one.handle for one in alice.session.fetch()}
    with capsys.disabled():
        print(f"\nover RPC: median {statistics.median(took) * 1000:.1f} ms, max {max(took) * 1000:.1f} ms")
    assert statistics.median(took) < 0.1 and max(took) < 1.0


def test_buffers_are_packed(profiles: Open) -> None:
    """Requests of some length are compressed; answers of some length come compressed, or obfuscated at least."""
    alice = profiles(ALICE)
    folder = alice.store().folder(IPM).create("Packed")
    text = "Pack my box with five dozen liquor jugs. " * 300
    mid = folder.save_new({t.MessageClass: "IPM.Note", t.Subject: "packed", t.Body: text})
    with folder.open(mid) as message:
        assert message.read(t.Body).decode("utf-16le") == text
    assert len(compress(text.encode())) < len(text) // 10
    noise = random.Random(1).randbytes(3000)
    assert decompress(compress(noise), 3000) == noise


def on_one_worker(server: Server) -> list[str]:
    """Two users whose connections the same worker has: that is decided by their numbers."""
    names = [server.add_user(name) for name in (CAROL, DAVE, "erin@example.test", "frank@example.test")]
    server.reload()
    ids = {name: OldProfile(server, name, connect=False).account.dn for name in names}
    parity = {name: number_in(dn) % 2 for name, dn in ids.items()}
    return [name for name in names if parity[name] == parity[CAROL]][:2]


def number_in(dn: str) -> int:
    """The user's number, the second half of the sixteen digits in a DN."""
    digits = dn[dn.rindex("=") + 1 :].partition("-")[0]
    return int.from_bytes(bytes.fromhex(digits)[4:], "little")


def test_two_users_on_one_worker(server: Server) -> None:
    """Each downloads while the other uploads; neither sees anything of the other's."""
    names = on_one_worker(server)
    assert len(names) == 2
    failed: list[BaseException] = []
    together = threading.Barrier(2)

    def work(name: str) -> None:
        try:
            mine = attachment(len(name), 700_000)
            with OldProfile(server, name, in_lifetime=IN_LIFETIME) as profile:
                inbox = profile.store().folder(INBOX)
                together.wait(30)
                for number in range(5):
                    message = inbox.new({t.MessageClass: "IPM.Note", t.Subject: f"{name} {number}"})
                    message.attach("mine.bin", mine)
                    message.save()
                replica = Replica(profile.store())
                replica.sync()
                assert sorted(replica.box("Inbox").subjects()) == [f"{name} {number}" for number in range(5)]
                for one in replica.box("Inbox").messages.values():
                    assert one.item.attachments[0].props[t.AttachData] == mine
        except BaseException as error:  # noqa: BLE001  # it is the test's
            failed.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    if failed:
        raise failed[0]


def test_expect_100_continue(profiles: Open) -> None:
    """Each channel's request waits for the interim answer before its octets go."""
    alice = profiles(ALICE, expect=True)
    folder = alice.store().folder(IPM).create("Continued")
    message = folder.new({t.MessageClass: "IPM.Note", t.Subject: "continued"})
    message.attach("c.bin", attachment(7, 500_000))
    message.save()
    assert alice.rpc.counts["in"] >= 3
    assert message.attachment(0).read(t.AttachData) == attachment(7, 500_000)
    assert alice.rpc.counts["out"] >= 3


def test_channels_are_replaced_while_calls_run(profiles: Open) -> None:
    alice = profiles(ALICE)
    folder = alice.store().folder(IPM).create("Replaced")
    waiter = Waiter(alice.link)
    for number in range(5):
        alice.rpc.replace_in()
        link: Any = alice.link
        link.second.replace_in()
        folder.save_new({t.MessageClass: "IPM.Note", t.Subject: f"replaced {number}"})
    assert sorted(folder.subjects()) == [f"replaced {number}" for number in range(5)]
    advise = alice.session.make(r.RegisterNotification(folder.store.handle, 4, folder.fid))
    other = profiles(ALICE).store().folder(folder.fid)  # what one does oneself may be told with the answer
    other.save_new({t.MessageClass: "IPM.Note", t.Subject: "told"})
    waiter.result()
    assert advise.value in {one.handle for one in alice.session.fetch()}


def test_who_may_come_in(server: Server, profiles: Open) -> None:
    """Without a password, with a wrong one, as somebody else; handles that have ended."""
    alice = profiles(ALICE)
    for method in ("RPC_IN_DATA", "RPC_OUT_DATA"):
        assert echo(alice.place, method)[0] == 200
        assert echo(replace(alice.place, password="wrong"), method)[0] == 401
        assert echo(replace(alice.place, user=""), method)[0] == 401
    with pytest.raises(HttpFault) as refused:
        Referrals(replace(alice.place, password="wrong"))
    assert refused.value.status == 401
    with pytest.raises(CallFault) as denied:
        MapiRpc(alice.place).connect(OldProfile(server, BOB, connect=False).account.dn)
    assert denied.value.code == 0x80070005
    link = MapiRpc(alice.place).connect(alice.account.dn)
    ended = link.handle
    link.disconnect()
    link.connect(alice.account.dn)
    link.handle = ended
    with pytest.raises(RpcFault) as gone:
        link.execute(b"\2\0")
    assert gone.value.status == 0x1C00001A  # nca_s_fault_context_mismatch
    link.close()


def test_a_killed_worker(server: Server, idle: OldProfile) -> None:
    """Its connections end, another worker takes new ones, nothing is lost; the others' go on."""
    profile = OldProfile(server, ALICE, in_lifetime=IN_LIFETIME)
    store = profile.store()
    replica = Replica(store)
    replica.sync()
    folder = store.folder(IPM).create("Killed")
    folder.save_new({t.MessageClass: "IPM.Note", t.Subject: "saved"})
    waiter = Waiter(profile.link)
    before = {row["pid"]: row["number"] for row in server.status() if row["protocol"] == "http"}
    [mine] = [pid for pid, number in before.items() if number == number_in(profile.account.dn) % 2]
    server.kill(mine)
    with pytest.raises(OSError, match="ended"):
        waiter.result()
    with pytest.raises(OSError, match="ended"):
        folder.subjects()
    profile.link.close()

    def again() -> bool:
        try:
            profile.connect()
        except (OSError, HttpFault):
            return False
        return True

    until(again, seconds=20, step=0.1)
    store = profile.store()
    assert store.by_path("Killed").subjects() == ["saved"]
    server.deliver(make("rpc-after-kill"))
    replica.attach(store)
    replica.sync()
    assert "message rpc-after-kill" in replica.box("Inbox").subjects()
    assert replica.box("Killed").subjects() == ["saved"]
    assert replica.sync().nothing
    profile.close()
    if number_in(idle.account.dn) % 2 != number_in(profile.account.dn) % 2:
        assert idle.store().folder(INBOX).fid


def test_pings(idle: OldProfile) -> None:
    """[MS-RPCH] 3.2.4.6: something comes in half of the time that the client asked for, and the connection lives."""
    link: Any = idle.link
    until(lambda: idle.rpc.counts["pings"] >= 1, seconds=45, step=0.5, describe="a ping")
    idle.rpc.ping()
    idle.rpc.keep_alive(300_000)
    link.ping()
    assert idle.store().folder(INBOX).fid


# ---------------------------------------------------------------------------------------------- another server


@pytest.fixture(scope="module")
def chunked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """OUT channels in chunks, and NTLM, for which the directory has hashes."""
    options = {"http_workers": "2", "rpch_channel_lifetime": "128K", "rpch_out_chunked": "true"}
    with running(tmp_path_factory.mktemp("chunked") / "site", options=options) as started:
        engine = make_engine(DatabaseSettings(), str(started.site))
        Admin(engine, str(started.site / "data"), store_nt_hash=True).set_password(BOB, started.password(BOB))
        engine.dispose()
        yield started


def test_packet_privacy(chunked: Server) -> None:
    """NTLM inside RPC: every fragment is sealed and signed, on both connections of the session."""
    login = (BOB, chunked.password(BOB))
    with OldProfile(chunked, BOB, login=login, in_lifetime=IN_LIFETIME) as profile:
        store = profile.store()
        message = store.folder(INBOX).new({t.MessageClass: "IPM.Note", t.Subject: "sealed"})
        message.attach("s.bin", attachment(10, 600_000))
        message.save()
        assert message.attachment(0).read(t.AttachData) == attachment(10, 600_000)
        waiter = Waiter(profile.link)
        profile.session.run(r.RegisterNotification(store.handle, 2))
        chunked.deliver(make("sealed", to=BOB), BOB)
        waiter.result()
        assert profile.rpc.counts["out"] >= 3 and profile.rpc.counts["in"] >= 3
    with pytest.raises((RpcFault, OSError)):
        OldProfile(chunked, BOB, login=(BOB, "wrong"), timeout=10)
    with pytest.raises((RpcFault, OSError)):  # whom HTTP has not authenticated
        OldProfile(chunked, ALICE, login=login, timeout=10)


@pytest.mark.parametrize("user", [ALICE, BOB])
def test_tls_and_chunks(chunked: Server, user: str) -> None:
    """Both users: the channels of one of them are passed on by the worker that has them from the listener."""
    with OldProfile(chunked, user, tls=trusting_tls(), expect=user == BOB, in_lifetime=IN_LIFETIME) as profile:
        assert profile.rpc.head["transfer-encoding"] == "chunked"
        store = profile.store()
        message = store.folder(INBOX).new({t.MessageClass: "IPM.Note", t.Subject: "in chunks"})
        message.attach("c.bin", attachment(9, 2 * MIB))
        message.save()
        replica = Replica(store)
        replica.sync()
        one = replica.box("Inbox").by_subject("in chunks")
        assert one.item.attachments[0].props[t.AttachData] == attachment(9, 2 * MIB)
        waiter = Waiter(profile.link)
        profile.session.run(r.RegisterNotification(store.handle, 2))
        chunked.deliver(make("tls", to=user), user)
        waiter.result()
        counts = profile.rpc.counts
        assert counts["out"] >= 10 and counts["in"] >= 10, counts
        profile.referrals().close()
