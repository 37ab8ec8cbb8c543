"""A worker dies, the configuration is read anew: the client connects again, and nothing is lost or done twice."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

import pytest

from tests.outlook.conftest import ALICE
from tests.support.messages import make
from tests.support.outlook import rops as r
from tests.support.outlook import tags as t
from tests.support.outlook.profile import INBOX, IPM, Profile
from tests.support.outlook.replica import Replica
from tests.support.outlook.transport import HttpFault, Waiter
from tests.support.server import Server, running, until

pytestmark = pytest.mark.slow
LOST = (HttpFault, OSError, http.client.HTTPException)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One of its own: its workers are killed."""
    with running(tmp_path_factory.mktemp("reconnect") / "site") as started:
        yield started


def kill_http(server: Server) -> None:
    """SIGKILL all HTTP workers and wait for others."""
    old = {child.pid for child in server.children("http")}
    assert old
    for pid in old:
        server.kill(pid)
    until(lambda: {child.pid for child in server.children("http")} - old, seconds=20)


def again(profile: Profile) -> None:
    """Connect until the new worker takes it."""

    def attempt() -> bool:
        try:
            profile.link.close()
            profile.connect()
        except LOST:
            return False
        return True

    until(attempt, seconds=20, step=0.1)


def test_a_killed_worker(server: Server) -> None:
    profile = Profile(server, ALICE)
    store = profile.store()
    replica = Replica(store)
    server.deliver(make("before-kill"))
    replica.sync()
    folder = store.folder(IPM).create("Saved once")
    unsaved = folder.new({t.MessageClass: "IPM.Note", t.Subject: "never saved"})
    saved = folder.new({t.MessageClass: "IPM.Note", t.Subject: "saved"})
    saved.save()
    waiter = Waiter(profile.link)
    kill_http(server)
    with pytest.raises(LOST):
        waiter.result()
    with pytest.raises(LOST) as failed:
        unsaved.save()
    if isinstance(failed.value, HttpFault):
        assert failed.value.code == 10  # context not found
    again(profile)
    store = profile.store()
    assert store.by_path("Saved once").subjects() == ["saved"]
    server.deliver(make("after-kill"))
    replica.attach(store)
    done = replica.sync()
    assert "message after-kill" in replica.box("Inbox").subjects()
    assert (done.changed, done.deleted) == (2, 0)  # the mail and the one that was saved
    assert replica.sync().nothing
    profile.close()


def test_a_killed_worker_during_an_upload(server: Server) -> None:
    """The client does not know whether its message was saved, and imports it again under the same keys."""
    profile = Profile(server, ALICE)
    replica = Replica(profile.store())
    replica.sync()
    inbox = replica.box("Inbox")
    collector = replica.collector(inbox)
    state = dict(inbox.state)
    key = collector.put({t.MessageClass: "IPM.Note", t.Subject: "uploaded twice", t.Body: "once"})
    kept = inbox.messages.pop(key)
    kill_http(server)  # before the client has got the state
    again(profile)
    replica.attach(profile.store())
    assert inbox.state == state
    with replica.collector(inbox) as collector, pytest.raises(r.RopError) as failed:
        collector.put(
            {t.MessageClass: "IPM.Note", t.Subject: "uploaded twice", t.Body: "once"}, key, keys=(kept.change, kept.pcl)
        )
    assert failed.value.code == 0x80040801  # SYNC_E_IGNORE: the server has it ([MS-OXCFXICS] 3.2.5.9.4.2)
    assert replica.sync().changed == 1
    assert inbox.subjects().count("uploaded twice") == 1
    assert replica.store.folder(INBOX).subjects().count("uploaded twice") == 1
    assert replica.sync().nothing
    profile.close()


def test_a_killed_store_worker(server: Server) -> None:
    """The session lives on: its worker asks the next store worker."""
    profile = Profile(server, ALICE)
    store = profile.store()
    inbox = store.folder(INBOX)
    before = inbox.subjects()
    old = {child.pid for child in server.children("store")}
    for pid in old:
        server.kill(pid)
    until(lambda: {child.pid for child in server.children("store")} - old, seconds=20)
    assert inbox.subjects() == before
    mid = inbox.save_new({t.MessageClass: "IPM.Note", t.Subject: "after the store"})
    assert inbox.mid_of("after the store") == mid
    advise = profile.session.make(r.RegisterNotification(store.handle, 2))
    waiter = Waiter(profile.link)
    server.deliver(make("after-store"))
    waiter.result(20)
    assert advise.value in {one.handle for one in profile.session.fetch()}
    profile.close()


def test_sighup_keeps_sessions(server: Server) -> None:
    profile = Profile(server, ALICE)
    inbox = profile.store().folder(INBOX)
    before = inbox.subjects()
    epoch = [child.pid for child in server.children("http")]
    server.reload()
    assert server.ctl("reload") is not None
    assert inbox.subjects() == before
    assert profile.store().folder(INBOX).subjects() == before
    assert [child.pid for child in server.children("http")] == epoch
    profile.close()


def test_a_mailbox_that_moves_away(server: Server) -> None:
    """After a failover the client is told where its mailbox is ([MS-OXCSTOR] 3.2.5.1.3): ecWrongServer."""
    server.ctl("server", "add", "elsewhere", "--extname", "other.example.test")
    name = server.add_user("moves@example.test")
    profile = Profile(server, name)
    profile.store()
    waiter = Waiter(profile.link)
    server.ctl("user", "set", name, "--homeserver", "elsewhere")
    server.reload()
    waiter.result(20, pending=False)  # who waits is woken, to ask again
    with pytest.raises(r.RopError) as failed:
        until(lambda: profile.store() and None, seconds=10, step=0.2)
    assert failed.value.code == 0x478
    flags, where = failed.value.more
    assert flags & 1 and "/cn=Servers/cn=" in where
    profile.close()
