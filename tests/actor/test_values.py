"""The critic's values beside the actions: recorded when in time, shown as late when not."""

import pytest

from backend.control import Thoughts
from backend.domain import Command, Phase
from tests.actor.fakes import FakeThinker


@pytest.fixture
def thinker(stage):
    """An attempt runs, driven by a policy with a critic; one step was taken."""
    policy = FakeThinker()
    stage.maker.load = lambda _: policy
    assert stage.command(Command.OPEN, policy="run/8").accepted
    assert stage.command(Command.START, task="Wave").accepted
    return policy


def thinks(policy: FakeThinker, step: int, value: float) -> None:
    policy.now = Thoughts(
        value=value,
        spread=0.1,
        value_step=step,
        advantage=0.25,
        advantage_step=step - 16,
        queue=7,
        chunk_size=16,
        chunk_s=0.05,
        value_s=0.01,
    )


def values(stage) -> list[float | None]:
    stage.settle()
    return [step.value for step in stage.writers[0].steps]


def test_a_value_that_comes_before_the_next_step_is_recorded_with_its_own(stage, thinker):
    for value in (-0.9, -0.8, -0.7):
        thinks(thinker, stage.outlet.ticks[-1].step, value)
        stage.turn()
    stage.command(Command.SUCCESS)
    finished = stage.finished()

    assert values(stage) == [-0.9, -0.8, -0.7, None]
    assert stage.writers[0].steps[0].spread == 0.1
    assert finished.num_steps == 4
    assert [step.step for step in stage.writers[0].steps] == [0, 1, 2, 3]


def test_the_last_step_before_a_grade_gets_its_value_too(stage, thinker):
    thinks(thinker, stage.outlet.ticks[-1].step, -0.9)
    stage.command(Command.SUCCESS)
    stage.finished()

    assert values(stage) == [-0.9]


def test_a_late_value_is_not_recorded_and_is_shown_as_late(stage, thinker):
    first = stage.outlet.ticks[-1].step
    stage.turn()
    thinks(thinker, first, -0.9)

    tick = stage.turn()

    assert (tick.value, tick.spread, tick.value_step) == (-0.9, 0.1, first)
    assert (tick.advantage, tick.advantage_step) == (0.25, first - 16)
    assert tick.value_late
    stage.command(Command.FAILURE)
    stage.finished()
    assert values(stage) == [None, None, None]


def test_a_value_of_this_or_the_last_step_is_in_time(stage, thinker):
    thinks(thinker, stage.outlet.ticks[-1].step, -0.9)

    tick = stage.turn()

    assert not tick.value_late
    assert tick.acting.queue == 7
    assert (tick.acting.chunk_ms, tick.acting.value_ms) == (50.0, 10.0)


def test_the_steps_shown_are_those_taken_though_one_is_kept_for_its_value(stage, thinker):
    stage.turn(4)
    stage.command(Command.INTERVENE)
    stage.turn(2, keeping=())

    episode = stage.outlet.ticks[-1].episode
    assert (episode.steps, episode.human_steps) == (8, 3)
    stage.settle()
    assert len(stage.writers[0].steps) == 7


def test_the_critic_is_shown_every_step_of_an_attempt_and_nothing_else(stage, thinker):
    stage.turn(2)
    stage.command(Command.INTERVENE)
    stage.turn(2, keeping=())
    ticks = [tick.step for tick in stage.outlet.ticks if tick.phase in ("policy", "human")]
    stage.command(Command.SUCCESS)
    stage.until(Phase.IDLE)
    stage.turn(3)

    assert thinker.watched == [(step, "Wave") for step in ticks]
    assert stage.outlet.ticks[-1].value is None


def test_a_policy_that_starves_is_spoken_of(stage, thinker):
    thinker.now = Thoughts(starved=3, chunk_size=16, chunk_s=2.5)
    stage.turn(3)

    (notice,) = stage.notices("slow_policy")
    assert "a chunk of 16 took 2.50 s" in notice.message


def test_cut_actions_are_counted(stage, thinker):
    thinker.answer = lambda observation: observation.state + 50
    stage.turn(3)

    assert stage.outlet.ticks[-1].clamps == 3
