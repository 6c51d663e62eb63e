"""When somebody else may take the lease."""

import pytest

from backend.api.lease import Holder, LeaseBook
from backend.domain import Phase

ANA = Holder(client_id="a", name="Ana")
BOB = Holder(client_id="b", name="Bob")


class Monotonic:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def time():
    return Monotonic()


@pytest.fixture
def lease(time):
    book = LeaseBook(monotonic_s=time)
    assert book.take(ANA, phase=Phase.IDLE)
    return book


@pytest.mark.parametrize("phase", list(Phase))
def test_a_holder_who_was_just_heard_keeps_it(lease, time, phase):
    time.now_s += 60
    assert lease.heard("a")
    time.now_s += 0.9

    assert not lease.take(BOB, phase=phase)
    assert lease.holder == ANA


@pytest.mark.parametrize("phase", [Phase.HUMAN, Phase.HELD])
def test_a_driver_who_is_silent_for_a_second_can_be_replaced(lease, time, phase):
    time.now_s += 1.1

    assert lease.take(BOB, phase=phase)
    assert lease.holder == BOB


@pytest.mark.parametrize("phase", [Phase.IDLE, Phase.CLOSED, Phase.STOPPED])
def test_a_forgotten_tab_can_be_replaced_while_nothing_moves(lease, time, phase):
    time.now_s += 29
    assert not lease.take(BOB, phase=phase)
    time.now_s += 2

    assert lease.take(BOB, phase=phase)


def test_nobody_is_replaced_while_the_policy_drives(lease, time):
    time.now_s += 3600

    assert not lease.take(BOB, phase=Phase.POLICY)


def test_taking_again_is_harmless_and_a_sign_of_life(lease, time):
    time.now_s += 5
    assert lease.take(ANA, phase=Phase.HUMAN)
    time.now_s += 0.9

    assert not lease.take(BOB, phase=Phase.HUMAN)


def test_only_the_holder_can_release_or_be_heard(lease):
    assert not lease.release("b")
    assert not lease.heard("b")

    assert lease.release("a")
    assert not lease.heard("a")
    assert lease.holder is None
