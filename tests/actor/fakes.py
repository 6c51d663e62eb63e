"""What an actor meets, made up: time, an arm, whoever drives it, a disk and a line.

`stage.py` puts a real loop and session on them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backend.actor.news import Lasting
from backend.actor.rig import Rig, RigRefusedError, RobotFacts
from backend.control import (
    ActingPolicy,
    Arm,
    Limits,
    LiveCameras,
    Observation,
    RobotFaultError,
    Thoughts,
)
from backend.episodes.format import EpisodeEnd, EpisodeHeader, Step
from backend.wire import ActorHello, Tick

HZ = 10.0
JOINTS = ("one.pos", "two.pos")
ROBOT_FAULT = RobotFaultError("servo 3 is silent: check its cable")


class FakeClock:
    """Time passes only when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.time_s = 1000.0

    def now_s(self) -> float:
        return self.time_s

    def wall_s(self) -> float:
        return 1_700_000_000.0 + self.time_s

    def sleep_until(self, deadline_s: float) -> None:
        self.time_s = max(self.time_s, deadline_s)


class FakeArm:
    """Two joints that are at once where they are told to be."""

    name = "fake"
    robot_type = "fake_type"
    fps = HZ
    state_names = JOINTS
    action_names = JOINTS
    limits = Limits(
        low=np.full(2, -100, np.float32),
        high=np.full(2, 100, np.float32),
        max_relative_target=np.full(2, 10, np.float32),
    )

    def __init__(self, clock: FakeClock) -> None:
        self.cameras = {"front": (8, 6)}
        self.state = np.zeros(2, np.float32)
        self.acted: list[np.ndarray] = []
        self.is_connected = False
        self.num_closed = 0
        self.fault: Exception | None = None
        self.resets = 0
        self.reset_path: list[np.ndarray] = []
        self.frozen_since_s: float | None = None
        self._clock = clock

    def connect(self) -> None:
        self.is_connected = True

    def observe(self) -> Observation:
        assert self.is_connected
        if self.fault is not None:
            raise self.fault
        return Observation(
            state=self.state.copy(),
            frames={"front": np.zeros((6, 8, 3), np.uint8)},
            frame_wall_s={"front": self.frozen_since_s or self._clock.wall_s()},
        )

    def act(self, action: np.ndarray) -> np.ndarray:
        assert self.is_connected
        assert action.dtype == np.float32
        self.acted.append(action)
        self.state = action.copy()
        return action

    def position(self, state: np.ndarray) -> np.ndarray:
        return state.astype(np.float32)

    def begin_reset(self) -> None:
        self.resets += 1
        self.reset_path = [self.state * 0.5, self.state * 0]

    def reset_action(self, state: np.ndarray) -> np.ndarray | None:
        return self.reset_path.pop(0) if self.reset_path else None

    def close(self) -> None:
        self.is_connected = False
        self.num_closed += 1


class FakeHuman:
    """Moves the first joint by `speed` a step while ArrowUp is held."""

    def __init__(self) -> None:
        self.speed = 1.0
        self.gripper_closed = False
        self.started_at: list[np.ndarray] = []
        self.started_from: list[np.ndarray | None] = []
        self.fed: list[frozenset[str]] = []
        self.releases = 0
        self._held: frozenset[str] = frozenset()

    def start(self, state: np.ndarray, commanded: np.ndarray | None = None) -> None:
        self.started_at.append(state.copy())
        self.started_from.append(commanded)
        self._held = frozenset()

    def feed(self, held: frozenset[str], axes: tuple[float, ...]) -> None:
        self.fed.append(held)
        self._held = held

    def release(self) -> None:
        self.releases += 1
        self._held = frozenset()

    def act(self, state: np.ndarray, dt_s: float) -> np.ndarray:
        step = self.speed if "ArrowUp" in self._held else 0.0
        return state + np.array([step, 0], np.float32)


class FakePolicy:
    """Moves the second joint up by one a step, or does what a test puts into `answer`."""

    name = "fake_policy"
    checkpoint_id: str | None = "run/7"

    def __init__(self) -> None:
        self.resets = 0
        self.answer: Callable[[Observation], Any] = lambda observation: (
            observation.state + np.array([0, 1], np.float32)
        )

    def reset(self) -> None:
        self.resets += 1

    def act(self, observation: Observation) -> Any:
        return self.answer(observation)


class FakeThinker(FakePolicy):
    """A policy with a critic: a test says when a value has come."""

    def __init__(self, checkpoint_id: str = "run/8") -> None:
        super().__init__()
        self.name = self.checkpoint_id = checkpoint_id
        # (step, task) of everything that was shown to it.
        self.watched: list[tuple[int, str]] = []
        self.now = Thoughts()
        self.num_closed = 0

    def watch(self, observation: Observation, *, step: int, task: str) -> None:
        self.watched.append((step, task))

    def thoughts(self) -> Thoughts:
        return self.now

    def close(self) -> None:
        self.num_closed += 1


class FakeLeader(FakeHuman):
    """A leader arm that remembers what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.followed: list[np.ndarray] = []
        self.is_pushed = False
        self.num_closed = 0

    def connect(self) -> None:
        raise AssertionError("its maker connects it")

    def follow(self, state: np.ndarray, dt_s: float) -> None:
        self.followed.append(state.copy())

    def wants_over(self) -> bool:
        pushed, self.is_pushed = self.is_pushed, False
        return pushed

    def close(self) -> None:
        self.num_closed += 1


def _no_checkpoint(policy: str) -> ActingPolicy:
    raise RigRefusedError(f"there is no checkpoint {policy}")


class FakeMaker:
    """Knows the robots `fake`, `other` and `my/other.yaml`, and refuses others."""

    def __init__(self, clock: FakeClock) -> None:
        self.arm = FakeArm(clock)
        self.human = FakeHuman()
        self.policy = FakePolicy()
        self.connect_fault: Exception | None = None
        self.while_connecting: Callable[[], None] = lambda: None
        # Ids on the fake's disk.
        self.checkpoints: tuple[str, ...] = ()
        # Policies that `open` connected with.
        self.asked_for: list[str] = []
        self.load: Callable[[str], ActingPolicy] = _no_checkpoint
        self.episode_time_s = 60.0

    def warm_up(self) -> None:
        self.while_connecting()

    def facts(self, robot: str) -> RobotFacts:
        if robot not in ("fake", "other", "my/other.yaml"):
            raise RigRefusedError(f"no robot {robot!r}; known: fake, other")
        name = Path(robot).stem
        return RobotFacts(
            robot=name,
            fps=HZ,
            task=f"the task of {name}",
            episode_time_s=self.episode_time_s,
            policies=("hold", "fake_policy", *self.checkpoints),
        )

    def connect(self, robot: str, policy: str) -> Rig:
        self.while_connecting()
        if self.connect_fault is not None:
            raise self.connect_fault
        self.arm.connect()
        self.asked_for.append(policy)
        if policy in ("hold", "fake_policy"):
            driver: ActingPolicy = self.policy
        else:
            driver = self.load_policy(policy, self.arm)
        return Rig(facts=self.facts(robot), arm=self.arm, human=self.human, policy=driver)

    def load_policy(self, policy: str, arm: Arm) -> ActingPolicy:
        return self.load(policy)


class FakeWriter:
    """Keeps an episode in memory."""

    def __init__(self, header: EpisodeHeader) -> None:
        self.header = header
        self.steps: list[Step] = []
        self.end: EpisodeEnd | None = None
        self.flushes = 0
        self.is_closed = False
        self.fault: Exception | None = None

    def add(self, step: Step) -> None:
        if self.fault is not None:
            raise self.fault
        assert step.step == len(self.steps)
        self.steps.append(step)

    def flush(self) -> None:
        self.flushes += 1

    def finish(self, end: EpisodeEnd) -> Path:
        if self.fault is not None:
            raise self.fault
        assert end.num_steps == len(self.steps)
        assert end.num_human_steps == sum(step.driver == "human" for step in self.steps)
        self.end = end
        return Path(self.header.id)

    def close(self) -> None:
        self.is_closed = True


class FakeOutlet:
    """Remembers what was said."""

    def __init__(self) -> None:
        self.sent: list[Lasting] = []
        self.hellos: list[ActorHello] = []
        self.ticks: list[Tick] = []

    def send(self, message: Lasting) -> None:
        self.sent.append(message)

    def hello(self, hello: ActorHello, live: LiveCameras | None) -> None:
        self.hellos.append(hello)

    def publish(self, tick: Tick, observation: Observation | None) -> None:
        self.ticks.append(tick)

    def said[T](self, kind: type[T]) -> list[T]:
        return [message for message in self.sent if isinstance(message, kind)]
