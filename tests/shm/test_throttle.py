"""Failed log-ins delay and shut out those who fail, and nobody else."""

from __future__ import annotations

import os

import pytest

from gromoxd.shm.throttle import Limits, Throttle, network_of


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def throttle(clock: Clock) -> Throttle:
    return Throttle(entries=1024, clock=clock)


def test_delay_grows_to_its_bound(throttle: Throttle) -> None:
    assert [throttle.fail("alice", "192.0.2.1") for _ in range(6)] == [1, 2, 4, 8, 15, 15]


def test_refused_after_so_many_and_again_admitted(throttle: Throttle, clock: Clock) -> None:
    for _ in range(9):
        throttle.fail("alice", "192.0.2.1")
    assert throttle.check("alice", "192.0.2.1") == 0
    throttle.fail("alice", "192.0.2.1")
    assert throttle.check("alice", "192.0.2.1") == 60
    clock.now += 61
    assert throttle.check("alice", "192.0.2.1") == 0


def test_a_stranger_locks_nobody_out(throttle: Throttle) -> None:
    for _ in range(500):
        throttle.fail("alice", "192.0.2.1")
    assert throttle.check("alice", "192.0.2.1") > 0
    assert throttle.check("alice", "198.51.100.7") == 0
    assert throttle.fail("alice", "198.51.100.7") == 1


def test_one_wrong_phone_does_not_shut_out_its_office(throttle: Throttle) -> None:
    for _ in range(12):
        throttle.fail("alice", "192.0.2.1")
    assert throttle.check("bob", "192.0.2.1") == 0


def test_many_names_from_one_address(throttle: Throttle) -> None:
    for i in range(50):
        throttle.fail(f"user{i}", "192.0.2.1")
    assert throttle.check("somebody", "192.0.2.1") == 60
    assert throttle.check("somebody", "192.0.2.2") == 0


def test_loopback_has_no_address_counter(throttle: Throttle) -> None:
    for i in range(300):
        throttle.fail(f"user{i}", "127.0.0.1")
    assert throttle.check("bob", "127.0.0.1") == 0


def test_success_forgets_the_user_here(throttle: Throttle) -> None:
    for _ in range(5):
        throttle.fail("alice", "192.0.2.1")
    throttle.succeed("Alice", "192.0.2.1")
    assert throttle.fail("alice", "192.0.2.1") < 15
    throttle.succeed("nobody", "192.0.2.1")


def test_failures_are_forgotten(throttle: Throttle, clock: Clock) -> None:
    for _ in range(5):
        throttle.fail("alice", "127.0.0.1")
    clock.now += 5 * 60
    assert throttle.fail("alice", "127.0.0.1") == 1


def test_strangers_cannot_make_it_grow(throttle: Throttle) -> None:
    size = len(throttle._map)
    for i in range(5000):
        throttle.fail(f"u{i}", f"10.{i >> 8}.{i & 255}.9")
    assert len(throttle._map) == size


def test_limits_are_settings(throttle: Throttle) -> None:
    throttle.limits = Limits(times=2, block=5, delay=0)
    assert [throttle.fail("a", "192.0.2.1") for _ in range(2)] == [0, 0]
    assert throttle.check("a", "192.0.2.1") == 5


def test_networks() -> None:
    assert network_of("::ffff:192.0.2.1") == ("192.0.2.1", False)
    assert network_of("2001:db8:1:2:3::4") == network_of("2001:db8:1:2:ffff::1") == ("2001:db8:1:2::/64", False)
    assert network_of("fe80::1%eth0") == ("fe80::/64", False)
    assert network_of("::1")[1] is network_of("127.0.0.9")[1] is network_of("")[1] is True


def test_processes_count_together(throttle: Throttle) -> None:
    children = []
    for _ in range(3):
        pid = os.fork()
        if not pid:
            for _ in range(4):
                throttle.fail("alice", "127.0.0.1")
            os._exit(0)
        children.append(pid)
    for pid in children:
        assert os.waitpid(pid, 0)[1] == 0
    assert throttle.check("alice", "127.0.0.1") > 0
    throttle.clear()
    assert throttle.check("alice", "127.0.0.1") == 0
