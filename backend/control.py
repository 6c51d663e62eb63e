"""What the control loop meets: an arm, a human's input, a policy, each a small Protocol of arrays.

`backend.robots` and `backend.learning` provide them; `backend.actor` drives them. Nothing here
needs torch or LeRobot. All methods of one arm are called from one thread, the loop's, because a
simulator's GL context belongs to the thread that made it.
"""

import threading
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Observation:
    """What the robot reports at one instant."""

    # float32 [state dim], in the robot's own units (LeRobot: degrees, gripper 0 to 100).
    state: np.ndarray
    # uint8 [height, width, 3] RGB by camera name.
    frames: dict[str, np.ndarray]
    # Capture time of each frame, Unix time in seconds.
    frame_wall_s: dict[str, float]
    # What a simulator knows and a robot does not (`success`); for experts, tests and benchmarks,
    # never an input of a learned policy.
    privileged: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an action may be."""

    # float32 [action dim]: joint limits in action units.
    low: np.ndarray
    high: np.ndarray
    # float32 [action dim]: largest |action - present| in one step.
    max_relative_target: np.ndarray


class RobotFaultError(Exception):
    """The robot cannot go on: unplugged, silent servo, camera gone. Says which and what to do."""


@runtime_checkable
class Arm(Protocol):
    """A LeRobot robot seen as arrays. Made disconnected; `connect` may take seconds."""

    name: str
    robot_type: str
    fps: float
    state_names: tuple[str, ...]
    action_names: tuple[str, ...]
    # (width, height) of every camera.
    cameras: dict[str, tuple[int, int]]
    limits: Limits

    def connect(self) -> None:
        """Raises RobotFaultError with a remedy."""

    def observe(self) -> Observation:
        """Raises RobotFaultError."""

    def act(self, action: np.ndarray) -> np.ndarray:
        """Send float32 [action dim]; return what was executed. Raises RobotFaultError."""

    def position(self, state: np.ndarray) -> np.ndarray:
        """The action that would hold `state`: float32 [action dim]."""

    def begin_reset(self) -> None:
        """Start the way to the reset pose; a simulator starts a new scene."""

    def reset_action(self, state: np.ndarray) -> np.ndarray | None:
        """Next action on the way to the reset pose, None when there."""

    def close(self) -> None:
        """Disconnect; harmless when repeated."""


@dataclass(frozen=True, kw_only=True)
class Ailment:
    """Something that is wrong with a robot and does not keep it from answering."""

    # What, with numbers, and what to do.
    message: str
    # Nothing may drive the robot as long as it is so.
    must_hold: bool
    # False: it was said before, and is still so.
    is_new: bool


@runtime_checkable
class SelfWatching(Protocol):
    """An arm or a leader whose motors tell how they are."""

    def ailments(self) -> tuple[Ailment, ...]:
        """What was found in this step; once a step, in the thread that observes. Never raises."""


@runtime_checkable
class LiveCameras(Protocol):
    """An arm whose cameras run on their own, so that eyes need not wait for the next step."""

    def newest_frames(self) -> dict[str, tuple[np.ndarray, float]]:
        """(uint8 [height, width, 3] RGB, capture Unix time in seconds) by camera name.

        Any thread may call, at any time, hundreds of times a second: it waits for nothing and
        raises nothing. A camera that has no picture now is left out.
        """


@runtime_checkable
class ThreadedCameras(Protocol):
    """An arm whose cameras are read by threads of their own."""

    def camera_threads(self) -> list[threading.Thread]:
        """Those that run now: from `connect` to `close`."""


class HumanInput(Protocol):
    """A teleoperator that turns held keys and axes into joint targets."""

    # Share of the maximum speed, and whether the gripper is commanded closed.
    speed: float
    gripper_closed: bool

    def start(self, state: np.ndarray, commanded: np.ndarray | None = None) -> None:
        """Take over from `state` without a jump.

        `commanded` is the action executed last, float32 [action dim], None when there was none:
        a gripper that holds something is commanded further shut than its state says.
        """

    def feed(self, held: frozenset[str], axes: tuple[float, ...]) -> None:
        """Every refresh from the page, in order: rising edges are toggles."""

    def release(self) -> None:
        """Zero velocity: the input is stale. The gripper stays as it is."""

    def act(self, state: np.ndarray, dt_s: float) -> np.ndarray:
        """Joint targets for the next step: float32 [action dim]."""


@runtime_checkable
class LeadingInput(HumanInput, Protocol):
    """A leader arm: hardware of its own, which goes where the robot is until somebody takes it."""

    def connect(self) -> None:
        """Raises RobotFaultError with a remedy."""

    def follow(self, state: np.ndarray, dt_s: float) -> None:
        """Move one step towards the robot's `state`; in steps in which nobody leads."""

    def wants_over(self) -> bool:
        """Whether the last `follow` felt somebody who wants to take over; once."""

    def close(self) -> None:
        """Let go of it and disconnect; harmless when repeated."""


class ActingPolicy(Protocol):
    """What drives in phase `policy`."""

    name: str
    checkpoint_id: str | None

    def reset(self) -> None:
        """Forget the past: a new episode, or control was handed over."""

    def act(self, observation: Observation) -> np.ndarray | None:
        """float32 [action dim] for this step at once, or None to hold the pose."""


@dataclass(frozen=True, kw_only=True)
class Thoughts:
    """What a policy that thinks in threads of its own has come to so far."""

    # Critic's value of `value_step`'s pictures and its spread, in units of return.
    value: float | None = None
    spread: float | None = None
    value_step: int | None = None
    # What the critic thinks of the chunk that began with `advantage_step`, which is past.
    advantage: float | None = None
    advantage_step: int | None = None
    # Actions that wait to be played, and in a full chunk.
    queue: int = 0
    chunk_size: int = 0
    # Steps since the last reset that found no action, those before the first chunk left out.
    starved: int = 0
    # How long the newest chunk and value took, seconds.
    chunk_s: float | None = None
    value_s: float | None = None


@runtime_checkable
class ThinkingPolicy(ActingPolicy, Protocol):
    """An acting policy whose answers are made elsewhere: `act` only hands out what is ready."""

    def watch(self, observation: Observation, *, step: int, task: str) -> None:
        """Before `act`, in every step of an episode, also while a human drives; returns at once."""

    def thoughts(self) -> Thoughts:
        """The newest there is; waits for nothing."""

    def close(self) -> None:
        """Stop thinking, without waiting for the end of a thought; harmless when repeated."""
