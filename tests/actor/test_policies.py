"""Which policy drives, and when another one takes its place."""

import threading

import pytest

from backend.actor.promotion import Promoted
from backend.actor.rig import RigRefusedError
from backend.domain import Command, Phase
from tests.actor.fakes import FakeThinker

NINE = Promoted(checkpoint_id="run/9", path="/data/checkpoints/run/9", promoted_s=9.0)


def load(policy: str) -> FakeThinker:
    return FakeThinker("/".join(policy.split("/")[-2:]))


@pytest.fixture
def loaded(stage):
    """Policies in the order in which they were loaded."""
    policies: list[FakeThinker] = []

    def remember(policy: str) -> FakeThinker:
        policies.append(load(policy))
        return policies[-1]

    stage.maker.load = remember
    return policies


def offer(stage, promoted: Promoted) -> None:
    """Promote, and wait until it is loaded or has failed to."""
    stage.promotions.offer(promoted)
    thread = stage.promotions._thread
    if thread is not None:
        thread.join(10)


def test_a_promoted_checkpoint_waits_for_the_end_of_the_attempt(stage, loaded):
    stage.start()

    offer(stage, NINE)
    stage.turn(3)
    assert stage.outlet.ticks[-1].policy == "run/7"
    stage.command(Command.SUCCESS)
    stage.until(Phase.IDLE)
    stage.turn()

    assert stage.outlet.ticks[-1].policy == "run/9"
    assert stage.outlet.hellos[-1].policy == "run/9"
    assert "run/9 drives from the next attempt on" in stage.notices("policy_changed")[0].message
    stage.command(Command.START)
    stage.settle()
    headers = [writer.header for writer in stage.writers]
    assert [header.checkpoint_id for header in headers] == ["run/7", "run/9"]


def test_the_policy_that_went_stops_thinking(stage, loaded):
    stage.command(Command.OPEN, policy="/data/checkpoints/run/8")
    offer(stage, NINE)

    stage.turn()

    eight, nine = loaded
    assert (eight.num_closed, nine.num_closed) == (1, 0)
    stage.command(Command.CLOSE)
    assert nine.num_closed == 1


def test_a_change_of_policy_moves_nothing_and_keeps_the_loops_schedule(stage, loaded):
    stage.command(Command.OPEN)
    stage.turn(3)
    rates = stage.outlet.ticks[-1].rates
    offer(stage, NINE)

    stage.turn(3)

    assert stage.outlet.ticks[-1].policy == "run/9"
    assert {tuple(action) for action in stage.arm.acted} == {(0.0, 0.0)}
    assert len(stage.arm.acted) == 6
    assert stage.outlet.ticks[-1].rates.overruns == rates.overruns == 0


def test_a_checkpoint_that_cannot_drive_leaves_everything_as_it_is_and_says_why(stage):
    stage.start()

    offer(stage, NINE)
    stage.command(Command.SUCCESS)
    stage.until(Phase.IDLE)
    stage.turn(2)

    assert stage.outlet.ticks[-1].policy == "run/7"
    (notice,) = stage.notices("policy_refused")
    assert notice.level == "error"
    assert "run/9 cannot drive, run/7 stays" in notice.message
    assert "there is no checkpoint /data/checkpoints/run/9" in notice.message


def test_the_newest_of_several_promotions_drives(stage):
    loading, go_on = threading.Event(), threading.Event()
    policies = []

    def slowly(policy: str) -> FakeThinker:
        policies.append(load(policy))
        loading.set()
        assert go_on.wait(10)
        return policies[-1]

    stage.maker.load = slowly
    stage.command(Command.OPEN)
    stage.promotions.offer(NINE)
    assert loading.wait(10)
    for step in (10, 11):
        stage.promotions.offer(
            Promoted(checkpoint_id=f"run/{step}", path=f"/data/run/{step}", promoted_s=step)
        )
    thread = stage.promotions._thread
    go_on.set()
    thread.join(10)

    stage.turn()

    assert [policy.checkpoint_id for policy in policies] == ["run/9", "run/11"]
    assert stage.outlet.ticks[-1].policy == "run/11"
    assert [policy.num_closed for policy in policies] == [1, 0]


def test_weights_that_come_faster_than_they_load_are_driven_none_the_less(stage):
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)
    policies = []

    def slowly(policy: str) -> FakeThinker:
        begun.release()
        assert go_on.acquire(timeout=10)
        policies.append(load(policy))
        return policies[-1]

    stage.maker.load = slowly
    stage.command(Command.OPEN)
    promoted = [
        Promoted(checkpoint_id=f"run@{n:06d}", path=f"/run/weights/{n:06d}", promoted_s=n)
        for n in (1, 2)
    ]
    stage.promotions.offer(promoted[0])
    thread = stage.promotions._thread
    assert begun.acquire(timeout=10)
    stage.promotions.offer(promoted[1])
    go_on.release()
    # The second is begun when the first is ready.
    assert begun.acquire(timeout=10)

    stage.turn()

    assert stage.outlet.ticks[-1].policy == "weights/000001"
    go_on.release()
    thread.join(10)
    stage.turn()
    assert stage.outlet.ticks[-1].policy == "weights/000002"


def test_of_weights_that_cannot_drive_in_a_row_the_first_is_spoken_of(stage, loaded, caplog):
    def offer_version(version: int, *, damaged: bool) -> None:
        def maybe(policy: str) -> FakeThinker:
            if damaged:
                raise RigRefusedError(f"weights run@{version:06d} are damaged")
            return load(policy)

        stage.maker.load = maybe
        path = f"/run/weights/{version:06d}"
        offer(
            stage,
            Promoted(checkpoint_id=f"run@{version:06d}", path=path, promoted_s=float(version)),
        )
        stage.turn()

    stage.command(Command.OPEN)
    offer_version(1, damaged=True)
    offer_version(2, damaged=True)
    assert len(stage.notices("policy_refused")) == 1
    assert "weights run@000002 are damaged" in caplog.text

    offer_version(3, damaged=False)
    offer_version(4, damaged=True)

    first, second = stage.notices("policy_refused")
    assert "run@000001 cannot drive, run/7 stays" in first.message
    assert "run@000004 cannot drive, weights/000003 stays" in second.message


def test_a_promotion_that_is_said_again_changes_nothing(stage, loaded):
    offer(stage, NINE)
    stage.command(Command.OPEN, policy="hold")

    offer(stage, NINE)
    stage.turn(2)
    assert loaded == []

    offer(stage, Promoted(checkpoint_id="run/9", path=NINE.path, promoted_s=10.0))
    stage.turn()
    assert stage.outlet.ticks[-1].policy == "run/9", "promoted anew, it is meant"


def test_open_takes_the_promoted_checkpoint_unless_it_names_another_policy(stage, loaded):
    offer(stage, NINE)

    stage.command(Command.OPEN)
    assert stage.outlet.ticks[-1].policy == "run/9"
    stage.command(Command.CLOSE)
    stage.command(Command.OPEN, policy="hold")

    assert stage.outlet.ticks[-1].policy == "run/7", "the fake's built-in policy"
    assert stage.maker.asked_for == [NINE.path, "hold"]


def test_open_goes_on_without_a_promoted_checkpoint_that_is_gone(stage):
    offer(stage, NINE)

    assert stage.command(Command.OPEN).accepted

    assert stage.outlet.ticks[-1].policy == "run/7"
    assert "fake_policy stays" in stage.notices("policy_refused")[0].message


def test_open_takes_newer_weights_where_those_promoted_went_meanwhile(stage, loaded):
    stage.promotions.offer(NINE)
    newer = Promoted(checkpoint_id="run@000010", path="/data/run/000010", promoted_s=10.0)
    remember = stage.maker.load

    def gone_while_loading(policy: str) -> FakeThinker:
        if policy == NINE.path:
            stage.promotions.offer(newer)
            raise RigRefusedError("newer ones have taken their place")
        return remember(policy)

    stage.maker.load = gone_while_loading
    stage.command(Command.OPEN)

    assert stage.maker.asked_for == [NINE.path, newer.path]
    assert stage.outlet.ticks[-1].policy == "run/000010"
    assert stage.notices("policy_refused") == []


def test_open_with_a_checkpoint_that_is_not_there_is_refused(stage):
    answer = stage.command(Command.OPEN, policy="run/404")

    assert not answer.accepted
    assert answer.error.code == "bad_robot"
    assert "run/404" in answer.error.message
    assert stage.phase is Phase.CLOSED


def test_a_policy_loaded_for_a_robot_that_was_closed_meanwhile_never_drives(stage, loaded):
    stage.start()
    offer(stage, NINE)
    stage.turn()
    stage.command(Command.CLOSE)
    stage.command(Command.OPEN, policy="hold")
    stage.turn(2)

    assert stage.outlet.ticks[-1].policy == "run/7"
    assert [policy.num_closed for policy in loaded] == [1]


def test_a_closed_session_finds_checkpoints_that_were_trained_meanwhile(stage):
    before = len(stage.outlet.hellos)
    stage.maker.checkpoints = ("touch/000500",)
    stage.turn()
    assert len(stage.outlet.hellos) == before

    stage.clock.time_s += 4
    stage.turn(3)

    assert len(stage.outlet.hellos) == before + 1
    assert stage.outlet.hellos[-1].policies == ["hold", "fake_policy", "touch/000500"]


def test_a_config_that_is_being_edited_disturbs_no_closed_session(stage, monkeypatch):
    def broken(robot: str):
        raise RigRefusedError("line 3: expected a key")

    monkeypatch.setattr(stage.maker, "facts", broken)
    stage.clock.time_s += 4

    assert stage.turn().phase is Phase.CLOSED
