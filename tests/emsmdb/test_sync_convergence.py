"""Replicas that are kept in step by ROPs end with the same contents, whatever happened on either side."""

from __future__ import annotations

from random import Random

import pytest

from gromoxd.exmdb import calls as c
from tests.emsmdb.cachedclient import Rops, SyncClient
from tests.emsmdb.world import EmsmdbWorld
from tests.support.convergence import assert_imap_sees, assert_same, downloaded, make_top, now_about
from tests.support.replica import Replica
from tests.support.users import Offline, User

SEQUENCES = 12


def sequence(world: EmsmdbWorld, number: int) -> None:
    """A mailbox with its users and two cached clients, one of which takes small buffers."""
    rng = Random(number)
    account = world.account()

    def ask(call: c.Call[object]) -> object:
        return account.call(call)

    top = make_top(ask, f"top{number}")
    user = User(ask, top, f"user{number}", rng)
    replicas: list[Replica] = []
    workers: list[User | Offline] = [user]
    for buffer in (0, 700):
        client = world.client()
        client.logon()
        replica = Replica(Rops(SyncClient(client, buffer)), top, now_about(rng))
        replicas.append(replica)
        workers.append(Offline(replica, rng))
    for _ in range(2):
        for _ in range(10):
            rng.choice(workers).work()
        for replica in replicas:
            if rng.random() < 0.5:
                replica.download()
            replica.upload(lambda: rng.random() < 0.1)
    for _ in range(4):
        for replica in replicas:
            replica.upload()
            replica.download()
    whole = downloaded(ask, top)
    for replica in replicas:
        assert_same(replica, whole)
    assert_imap_sees(user, whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SEQUENCES))
def test_replicas_converge(world: EmsmdbWorld, number: int) -> None:
    sequence(world, number)


def test_one_short_sequence_converges(world: EmsmdbWorld) -> None:
    sequence(world, 4711)
