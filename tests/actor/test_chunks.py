"""Chunks as they are played: in order, in time, and never after a reset."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from backend.actor.chunks import Blend, Chunk, ChunkPlayer, PolicyFailedError
from backend.actor.judgements import Value
from backend.control import Observation, ThinkingPolicy
from tests.actor.fakes import FakeClock

FPS = 10.0
SIZE = 8
TIMEOUT_S = 10.0


@dataclass
class Thought:
    """One call of the model, which lasts until the test answers it."""

    kind: str
    step: int
    task: str
    blend: Blend | None = None
    reply: queue.Queue = field(default_factory=queue.Queue)


class SlowModel:
    """Thinks until it is told what has come of it."""

    chunk_size = SIZE
    can_blend = True
    horizon = 4

    def __init__(self) -> None:
        self.thoughts: queue.Queue[Thought] = queue.Queue()
        # Values are made at once, and the test is not asked.
        self.judges_at_once = True

    def plan(self, observation: Observation, task: str, blend: Blend | None) -> Chunk:
        actions = self._think(Thought("plan", int(observation.state[0]), task, blend))
        return Chunk(normalised=actions / 100, actions=actions)

    def value(self, observation: Observation, task: str) -> Value:
        if self.judges_at_once:
            return Value(value=-0.5, spread=None)
        return self._think(Thought("value", int(observation.state[0]), task))

    def advantage(self, before: float, after: float, *, steps: int, task: str) -> float | None:
        return None if task == "never learned" else round(after - before - steps / 100, 6)

    def _think(self, thought: Thought):
        self.thoughts.put(thought)
        result = thought.reply.get(timeout=TIMEOUT_S)
        if isinstance(result, Exception):
            raise result
        return result


class Stage:
    """A player, its model, and a loop that turns when the test says so."""

    def __init__(self) -> None:
        self.model = SlowModel()
        self.clock = FakeClock()
        self.player = ChunkPlayer(
            self.model, name="tiny", checkpoint_id="run/7", fps=FPS, now_s=self.clock.now_s
        )
        self.step = 0

    def turn(self, times: int = 1, *, policy_drives: bool = True) -> list[float | None]:
        """First joint of the actions of so many steps; the state's first joint is the step."""
        played = []
        for _ in range(times):
            observation = Observation(
                state=np.array([self.step, 0], np.float32), frames={}, frame_wall_s={}
            )
            self.player.watch(observation, step=self.step, task="Touch")
            action = self.player.act(observation) if policy_drives else None
            played.append(None if action is None else float(action[0]))
            self.step += 1
        return played

    def thought(self) -> Thought:
        return self.model.thoughts.get(timeout=TIMEOUT_S)

    def thinks_of_nothing(self) -> bool:
        return self.model.thoughts.empty()

    def plan(self, thought: Thought, first: float, *, took_s: float = 0.0) -> None:
        """Answer with the actions first, first + 1, …, and wait until they can be played."""
        assert thought.kind == "plan"
        before = len(self.player._chunk_times)
        self.clock.time_s += took_s
        values = torch.arange(SIZE, dtype=torch.float32) + first
        thought.reply.put(torch.stack([values, values], dim=1))
        until(lambda: len(self.player._chunk_times) > before)

    def judge(self, thought: Thought, value: float) -> None:
        assert thought.kind == "value"
        thought.reply.put(Value(value=value, spread=0.1))
        until(lambda: self.player.thoughts().value == value)

    def start(self, first: float = 0.0, *, took_s: float = 0.0) -> None:
        """The first chunk is there; one action of it was played."""
        assert self.turn() == [None]
        self.plan(self.thought(), first, took_s=took_s)
        if not self.model.judges_at_once:
            self.judge(self.thought(), -0.99)
        assert self.turn() == [first]


def until(check: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + TIMEOUT_S
    while not check():
        assert time.monotonic() < deadline_s
        threading.Event().wait(0.001)


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.player.close()
    while not stage.model.thoughts.empty():
        stage.model.thoughts.get().reply.put(RuntimeError("over"))


@pytest.fixture
def critic(stage: Stage) -> Stage:
    """The test is asked for values too."""
    stage.model.judges_at_once = False
    return stage


def test_it_is_a_thinking_policy(stage):
    assert isinstance(stage.player, ThinkingPolicy)


def test_nothing_is_played_before_the_first_chunk_and_nothing_of_it_is_left_out(stage):
    stage.turn()
    thought = stage.thought()
    assert stage.turn(2) == [None, None]
    assert (thought.step, thought.task) == (0, "Touch")

    stage.plan(thought, 10.0)

    assert stage.turn(3) == [10.0, 11.0, 12.0]
    assert stage.player.thoughts().starved == 0


def test_half_of_a_chunk_is_played_before_the_next_one_is_asked_for(stage):
    stage.start()
    assert stage.turn(3) == [1.0, 2.0, 3.0]

    assert stage.turn() == [4.0]

    assert stage.thought().step == stage.step - 1, "by the newest pictures"


def test_the_next_chunk_begins_with_the_step_that_comes_next(stage):
    stage.start()
    stage.turn(4)
    thought = stage.thought()
    assert stage.turn(2) == [5.0, 6.0]

    stage.plan(thought, 100.0)

    # 100 was for the step of its pictures, 101 and 102 for the two that were played meanwhile.
    assert stage.turn(2) == [103.0, 104.0]


def test_an_empty_queue_holds_and_is_counted(stage):
    stage.start()
    stage.turn(4)
    thought = stage.thought()

    assert stage.turn(5) == [5.0, 6.0, 7.0, None, None]
    assert stage.player.thoughts().starved == 2
    stage.plan(thought, 100.0)

    assert stage.turn() == [104.0], "only what was played is skipped, holding still is not"


@pytest.mark.parametrize("moment", ["queued", "in flight"])
def test_nothing_from_before_a_reset_is_ever_played_after_it(stage, moment):
    stage.start()
    if moment == "in flight":
        stage.turn(4)
        old = stage.thought()
        stage.player.reset()
        assert stage.turn() == [None]
        stage.plan(old, 100.0)
    else:
        stage.player.reset()

    assert stage.turn() == [None]
    stage.plan(stage.thought(), 200.0)
    assert stage.turn() == [200.0]


def test_a_quick_model_is_not_blended(stage):
    stage.start(took_s=0.05)
    stage.turn(4)

    assert stage.thought().blend is None


def test_a_slow_model_is_asked_earlier_and_blends_into_what_is_left(stage):
    # 0.45 s are five steps of ten a second.
    stage.start(took_s=0.45)
    assert stage.turn(2) == [1.0, 2.0]

    thought = stage.thought()

    assert thought.blend is not None
    assert thought.blend.delay == 5
    # What is left as its pictures were taken, the action of that step included.
    assert (thought.blend.left_over[:, 0] * 100).tolist() == pytest.approx([2, 3, 4, 5, 6, 7])


def test_a_value_says_of_which_step_it_is(critic):
    critic.start()
    thought = critic.thought()

    critic.judge(thought, -0.25)

    thoughts = critic.player.thoughts()
    assert (thoughts.value, thoughts.spread, thoughts.value_step) == (-0.25, 0.1, thought.step)


def test_an_advantage_is_of_the_step_a_chunk_ago_and_ends_with_a_reset(critic):
    said = []
    for value in (-0.9, -0.8, -0.7, -0.6, -0.5):
        critic.turn(policy_drives=False)
        critic.judge(critic.thought(), value)
        thoughts = critic.player.thoughts()
        said.append((thoughts.advantage, thoughts.advantage_step))

    # Three steps are three quarters of this model's four; then there is a pair four apart.
    assert said == [(None, None)] * 3 + [(0.27, 0), (0.36, 0)]
    critic.player.reset()
    critic.turn(policy_drives=False)
    critic.judge(critic.thought(), -0.4)
    assert critic.player.thoughts().advantage is None


def test_a_chunk_that_is_due_goes_before_any_value(critic):
    critic.start()
    critic.judge(critic.thought(), -0.5)
    for value in (-0.4, -0.3):
        critic.turn()
        critic.judge(critic.thought(), value)

    critic.turn(2)

    assert critic.thought().kind == "plan"
    assert critic.thinks_of_nothing()


def test_a_value_that_would_outlast_the_queue_is_not_begun(critic):
    critic.start()
    thought = critic.thought()
    # Two steps: as long as the queue lasts after the next one.
    critic.clock.time_s += 0.2
    critic.judge(thought, -0.5)
    critic.turn()
    critic.judge(critic.thought(), -0.4)

    critic.turn(2)

    assert critic.turn() == [4.0]
    assert critic.thought().kind == "plan"


def test_values_wait_while_no_chunk_was_made_yet(critic):
    critic.turn(2)

    assert critic.thought().kind == "plan"
    assert critic.thinks_of_nothing()


def test_values_are_made_while_a_human_drives_and_no_chunks(critic):
    critic.start()
    critic.judge(critic.thought(), -0.5)
    critic.player.reset()
    for value in (-0.6, -0.7):
        critic.turn(policy_drives=False)
        thought = critic.thought()
        assert thought.step == critic.step - 1
        critic.judge(thought, value)

    assert critic.player.thoughts().value_step == critic.step - 1
    assert critic.thinks_of_nothing()


def test_a_value_from_before_a_reset_is_not_shown(critic):
    critic.start()
    old = critic.thought()
    critic.player.reset()
    critic.turn()
    old.reply.put(Value(value=-0.9, spread=None))
    critic.plan(critic.thought(), 0.0)

    assert critic.player.thoughts().value is None


def test_a_model_that_fails_says_so_once_it_should_act_and_a_reset_tries_again(stage):
    stage.turn()
    stage.thought().reply.put(ValueError("the prompt is too long"))
    until(lambda: stage.player._era.failure is not None)

    with pytest.raises(PolicyFailedError, match="ValueError: the prompt is too long"):
        stage.turn()

    stage.player.reset()
    stage.start(5.0)


def test_a_critic_that_fails_stops_no_action(critic, caplog):
    critic.start()
    critic.thought().reply.put(ValueError("no such layer"))
    until(lambda: "no such layer" in caplog.text)

    assert critic.turn(2) == [1.0, 2.0]
    assert critic.player.thoughts().value_step == 0, "the one before stays"


def test_closing_ends_the_thread_and_lets_go_of_the_weights(stage):
    stage.player.close()
    stage.player.close()

    stage.player._thread.join(TIMEOUT_S)
    assert not stage.player._thread.is_alive()
    assert stage.player._model is None
    assert stage.player.checkpoint_id == "run/7"
