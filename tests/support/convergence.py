"""Sequences of random changes on two replicas with synchronisations in between, and what must be the same then."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from gromoxd.exmdb import calls as c
from gromoxd.exmdb import hierarchy as h
from gromoxd.exmdb import pages
from gromoxd.exmdb import sync as s
from gromoxd.exmdb.api import MailboxRef
from gromoxd.mapi.ids import Version, compare
from gromoxd.mapi.times import filetime
from store.direct import DirectStore
from tests.support.replica import Ask, Content, Replica
from tests.support.twomailboxes import Mailbox, Pair
from tests.support.users import Offline, User

IPM_SUBTREE = 0x09
SECOND = 10_000_000
STEPS = 12
"""At most so many changes between two synchronisations."""
RENEW = 1000
"""Sequences in one mailbox."""
OWNERS = {"a": "alice@example.test", "b": "bob@example.test"}
State = dict[bytes, tuple[bytes, str, dict[bytes, Content]]]
Check = Callable[[], None]
"""Called with all that a sequence left still there."""


def make_top(ask: Ask, name: str) -> int:
    """A folder for one sequence."""
    made: h.MadeFolder = ask(h.MakeFolder(IPM_SUBTREE, name, {}, b""))
    return made.fid


def remove_top(ask: Ask, fid: int) -> None:
    ask(h.RemoveFolder(fid, True, True, b"", True))


def now_about(rng: Random) -> Callable[[], int]:
    """The clock of a client, which is not the server's."""
    return lambda: filetime(int(time.time())) + rng.randint(-2 * SECOND, 2 * SECOND)


def downloaded(ask: Ask, top: int) -> Replica:
    """All that is in a mailbox below a folder, as a new client has it."""
    replica = Replica(ask, top, lambda: 0)
    replica.download()
    return replica


def assert_same(here: Replica, there: Replica) -> None:
    """The same folders and messages, in the same versions. The tops may be different folders."""
    a, b = (_renamed(one) for one in (here, there))
    assert a == b, differences(a, b)
    for key, folder in here.folders.items():
        other = there.folders[key] if folder is not here.top else there.top
        if folder is not here.top:
            assert compare(folder.pcl, other.pcl) is Version.EQUAL, (folder, other)
        for item in folder.items.values():
            twin = other.items[item.key]
            assert compare(item.pcl, twin.pcl) is Version.EQUAL, (item, twin)


def differences(a: State, b: State) -> list[object]:
    """What is not the same, for a report."""
    found: list[object] = [f"folder {key.hex()} only on one side" for key in a.keys() ^ b.keys()]
    for key in a.keys() & b.keys():
        if a[key][:2] != b[key][:2]:
            found.append((key.hex(), a[key][:2], b[key][:2]))
        items, others = a[key][2], b[key][2]
        found += [("message", k.hex(), items.get(k), others.get(k)) for k in items.keys() | others.keys()
                  if items.get(k) != others.get(k)]  # fmt: skip
    return found


def assert_imap_sees(user: User, replica: Replica) -> None:
    """The messages of a mailbox, as a client downloaded them, are those that IMAP shows, with the same flags."""
    listed = {one.mid: one.flags for folder in user.folders() for one in user.listed(folder.fid)}
    items = {
        item.key: item.content
        for folder in replica.folders.values()
        for item in folder.items.values()
        if not item.content.associated
    }
    mids = user.ask(s.FindSourceKeys(list(items)))
    assert listed.keys() == set(mids)
    for mid, content in zip(mids, items.values(), strict=True):
        word = pages.SEEN * content.read | pages.FLAGGED * content.flagged | pages.DRAFT * content.draft
        assert listed[mid] & (pages.SEEN | pages.FLAGGED | pages.DRAFT) == word, content


def _renamed(replica: Replica) -> State:
    top = replica.top.key
    return {
        b"" if key == top else key: (b"top" if parent == top else parent, name, items)
        for key, (parent, name, items) in replica.tree().items()
    }


def client_sequence(ask: Ask, name: str, rng: Random, steps: int, check: Check) -> None:
    """A mailbox with its users, and a client in cached mode."""
    top = make_top(ask, name)
    user = User(ask, top, name, rng)
    replica = Replica(ask, top, now_about(rng))
    offline = Offline(replica, rng)
    for _ in range(rng.randint(1, 3)):
        for _ in range(rng.randint(1, steps)):
            (user if rng.random() < 0.5 else offline).work()
        download_first = rng.random() < 0.5
        if download_first:
            replica.download(_now_and_then(rng))
        replica.upload(lambda: rng.random() < 0.1)
        if not download_first:
            replica.download(_now_and_then(rng))
    for _ in range(3):
        replica.upload()
        replica.download()
    whole = downloaded(ask, top)
    assert_same(replica, whole)
    assert_imap_sees(user, whole)
    check()
    remove_top(ask, top)


def _now_and_then(rng: Random) -> Callable[[], bool] | None:
    return (lambda: rng.random() < 0.2) if rng.random() < 0.3 else None


def mailbox_sequence(ask: Ask, other: Ask, name: str, rng: Random, steps: int, check: Check) -> None:
    """Two mailboxes with their users."""
    tops = make_top(ask, name), make_top(other, name)
    users = [User(one, top, name, rng) for one, top in zip((ask, other), tops, strict=True)]
    pair = Pair(Mailbox(ask, tops[0]), Mailbox(other, tops[1]))
    for _ in range(rng.randint(1, 3)):
        for _ in range(rng.randint(1, steps)):
            rng.choice(users).work()
        pair.synchronise()
    wholes = downloaded(ask, tops[0]), downloaded(other, tops[1])
    assert_same(*wholes)
    for user, whole in zip(users, wholes, strict=True):
        assert_imap_sees(user, whole)
    check()
    remove_top(ask, tops[0])
    remove_top(other, tops[1])


# ---------------------------------------------------------------------------------------------- many of them


@contextmanager
def two_mailboxes(folder: Path) -> Iterator[tuple[DirectStore, Ask, Ask]]:
    """Fresh ones of alice and bob."""
    with tempfile.TemporaryDirectory(dir=folder) as root, DirectStore(root, OWNERS) as store:
        yield store, _asking(store, "a"), _asking(store, "b")


def _asking(store: DirectStore, name: str) -> Ask:
    ref = MailboxRef(name)

    def ask(call: c.Call[object]) -> object:
        return store.call(ref, call, actor=OWNERS[name])

    return ask


def run(
    folder: Path,
    count: int,
    first: int = 0,
    check: Callable[[DirectStore], None] = lambda store: None,
    done: Callable[[int], None] = lambda number: None,
) -> None:
    """`count` sequences of each kind. Those whose number ends in 7 are long; after every tenth `check` is called."""
    for start in range(first, first + count, RENEW):
        with two_mailboxes(folder) as (store, ask, other):
            for number in range(start, min(start + RENEW, first + count)):
                steps = 4 * STEPS if number % 10 == 7 else STEPS
                now: Check = (lambda: check(store)) if number % 10 == 0 else (lambda: None)
                try:
                    client_sequence(ask, f"client{number}", Random(number), steps, now)
                    mailbox_sequence(ask, other, f"pair{number}", Random(number), steps, now)
                except Exception as error:
                    error.add_note(f"sequence {number}")
                    raise
                done(number)
