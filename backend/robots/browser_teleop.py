"""The page as a LeRobot teleoperator: held keys and gamepad axes become joint targets.

Keys and axes are velocities of the tool; the commanded pose moves with them, and inverse kinematics
turns it into joints of the SO-101. Nothing is asked of the arm that it is not already close to: the
commanded joints stop advancing when the arm lags behind, so a released key stops the motion at once
and an arm that is blocked stores no motion up.

    arrows  x away from the base and back, y to its left and right     R F  up, down
    Q E     roll                T G  pitch up, down                     Space  gripper, a toggle
    - =     slower, faster      axes  x, y, z, roll, pitch, gripper, each -1 to 1; gripper + opens

Keys are held levels, not edges, except Space, Minus and Equal, which act when they go down. What
reaches this object has passed the lease; stale input is the caller's to notice (`release`).

As a LeRobot teleoperator it is told where the arm is by `send_feedback`. LeRobot's own programs
make the one of `browserteleop.py`, which brings a page.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.teleoperator import Teleoperator
from lerobot.utils.errors import DeviceNotConnectedError

from backend.control import Limits
from backend.robots.kinematics import ARM_JOINTS, So101Kinematics, ToolPose

ACTION_NAMES = tuple(f"{name}.pos" for name in (*ARM_JOINTS, "gripper"))
GRIPPER = 5
# x, y, z, roll, pitch.
MOTIONS: dict[str, tuple[int, float]] = {
    "ArrowUp": (0, 1.0),
    "ArrowDown": (0, -1.0),
    "ArrowLeft": (1, 1.0),
    "ArrowRight": (1, -1.0),
    "KeyR": (2, 1.0),
    "KeyF": (2, -1.0),
    "KeyQ": (3, 1.0),
    "KeyE": (3, -1.0),
    "KeyT": (4, 1.0),
    "KeyG": (4, -1.0),
}
SPEEDS = (0.1, 0.2, 0.35, 0.5, 0.75, 1.0)
# The pitch that is being held may differ by this from the arm's own, at the edge of its reach.
PITCH_MEMORY_DEG = 10.0
# The solver may look this far for joints; how far they really go in a step is bounded by the lead.
SEARCH_DEG = 40.0
SLOWER_TRIES = 3
# A loop that stood still for longer must not make up for it in one leap.
LONGEST_STEP_S = 0.2


@TeleoperatorConfig.register_subclass("handrail_browser")
@dataclass(kw_only=True)
class BrowserTeleopConfig(TeleoperatorConfig):
    """How fast the page may move the tool."""

    # At full speed; `speed` is the share of it to start with.
    max_speed_m_s: float = 0.15
    max_roll_deg_s: float = 90.0
    max_pitch_deg_s: float = 60.0
    speed: float = 0.5
    # Per cent of its opening a second, whatever the speed.
    gripper_speed: float = 150.0
    # How far the gripper is commanded beyond where it is stopped by what it holds, per cent.
    gripper_squeeze: float = 20.0
    # Axes nearer to the middle than this are at rest.
    dead_zone: float = 0.12
    # The furthest a commanded joint may be ahead of the arm's own, degrees.
    max_lead_deg: float = 8.0
    # Where LeRobot's own programs serve the jog keys, see `browserteleop.py`; in Handrail its pages
    # have them. Another address than this machine's demands a token.
    page_host: str = "127.0.0.1"
    page_port: int = 7861
    page_token: str = ""


class BrowserTeleop(Teleoperator):
    """Keyboard and gamepad of a page, for the six joints of an SO-101.

    Satisfies `backend.control.HumanInput`. Joints in degrees, gripper from 0 (closed) to 100.

    Args:
        config: Speeds.
        clock_s: Monotonic seconds, for `get_action` only.
    """

    config_class = BrowserTeleopConfig
    name = "handrail_browser"

    def __init__(
        self, config: BrowserTeleopConfig, *, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(config)
        self.config = config
        self.speed = config.speed
        self.gripper_closed = False
        self._clock_s = clock_s
        self._kinematics = So101Kinematics()
        self._low = np.append(self._kinematics.low_deg, 0.0)
        self._high = np.append(self._kinematics.high_deg, 100.0)
        self._lead_deg = np.full(len(ARM_JOINTS), config.max_lead_deg)
        self._held: frozenset[str] = frozenset()
        self._axes: tuple[float, ...] = ()
        # What was held at the last refresh: survives `release`, so that a key which stays down
        # through a stall is not pressed a second time.
        self._seen: frozenset[str] = frozenset()
        self._joints: np.ndarray | None = None
        self._pitch_deg = 0.0
        self._gripper = 0.0
        self._gripper_goal = 0.0
        # The gripper stays at the command that was taken over, until a key or axis moves it.
        self._keeps_grip = False
        self._state: np.ndarray | None = None
        self._acted_s: float | None = None
        self._connected = False

    def bind(self, action_names: tuple[str, ...], limits: Limits) -> None:
        """Keep to the limits of the arm that is driven.

        Raises:
            ValueError: The arm is no SO-101.
        """
        if tuple(action_names) != ACTION_NAMES:
            raise ValueError(
                f"the page's jog keys drive the SO-101's joints {', '.join(ACTION_NAMES)}; "
                f"this robot takes {', '.join(action_names)}"
            )
        self._low, self._high = limits.low.astype(float), limits.high.astype(float)
        reach = limits.max_relative_target[:GRIPPER].astype(float)
        self._lead_deg = np.minimum(self.config.max_lead_deg, reach)

    def start(self, state: np.ndarray, commanded: np.ndarray | None = None) -> None:
        state = np.asarray(state, dtype=np.float64)
        self._joints = np.clip(state[:GRIPPER], self._low[:GRIPPER], self._high[:GRIPPER])
        self._pitch_deg = self._kinematics.forward(self._joints).pitch_deg
        low, high = float(self._low[GRIPPER]), float(self._high[GRIPPER])
        present = float(np.clip(state[GRIPPER], low, high))
        if commanded is not None:
            # What holds something stands wider than it is told to: its command is its grip.
            self._gripper = float(np.clip(commanded[GRIPPER], low, high))
            self._keeps_grip = True
            self.gripper_closed = self._gripper < 50.0
            self._gripper_goal = self._gripper
            return
        self._keeps_grip = False
        self._gripper = present
        # A gripper that is more shut than open may hold something: keep a grip on it.
        self.gripper_closed = present < 50.0
        squeeze = self.config.gripper_squeeze / 2 if self.gripper_closed else 0.0
        self._gripper_goal = max(low, present - squeeze)

    def feed(self, held: frozenset[str], axes: tuple[float, ...]) -> None:
        pressed = held - self._seen
        self._held, self._seen, self._axes = held, held, axes
        if "Space" in pressed:
            self.gripper_closed = not self.gripper_closed
            self._keeps_grip = False
            self._gripper_goal = float((self._low if self.gripper_closed else self._high)[GRIPPER])
        if "Minus" in pressed:
            self.speed = max((s for s in SPEEDS if s < self.speed - 1e-6), default=SPEEDS[0])
        if "Equal" in pressed:
            self.speed = min((s for s in SPEEDS if s > self.speed + 1e-6), default=SPEEDS[-1])

    def release(self) -> None:
        self._held, self._axes = frozenset(), ()

    def act(self, state: np.ndarray, dt_s: float) -> np.ndarray:
        state = np.asarray(state, dtype=np.float64)
        if self._joints is None:
            self.start(state)
        assert self._joints is not None
        dt_s = min(max(dt_s, 0.0), LONGEST_STEP_S)
        motion = self._motion() * dt_s
        if motion.any():
            self._joints = self._advanced(self._joints, state[:GRIPPER], motion)
        self._move_gripper(float(state[GRIPPER]), dt_s)
        return np.append(self._joints, self._gripper).astype(np.float32)

    def _motion(self) -> np.ndarray:
        """Return tool velocity: x, y, z in metres, roll and pitch in degrees, a second."""
        wish = np.zeros(5)
        for code in self._held:
            if code in MOTIONS:
                place, sign = MOTIONS[code]
                wish[place] += sign
        for place in range(5):
            wish[place] += self._axis(place)
        # Two arrows at once are not faster than one.
        wish[:3] /= max(1.0, float(np.linalg.norm(wish[:3])))
        wish[3:] = np.clip(wish[3:], -1.0, 1.0)
        config = self.config
        top = [config.max_speed_m_s] * 3 + [config.max_roll_deg_s, config.max_pitch_deg_s]
        return wish * np.array(top) * self.speed

    def _axis(self, place: int) -> float:
        value = self._axes[place] if place < len(self._axes) else 0.0
        if not np.isfinite(value) or abs(value) <= self.config.dead_zone:
            return 0.0
        share = (min(abs(value), 1.0) - self.config.dead_zone) / (1.0 - self.config.dead_zone)
        return float(np.copysign(share, value))

    def _advanced(self, joints: np.ndarray, present: np.ndarray, motion: np.ndarray) -> np.ndarray:
        """Return the commanded joints after `motion`, as far as the arm keeps up with them."""
        pose = self._kinematics.forward(joints)
        lead = joints - present
        for _ in range(SLOWER_TRIES):
            target = ToolPose(
                position_m=pose.position_m + motion[:3],
                pitch_deg=self._pitch_deg + float(motion[4]),
                roll_deg=pose.roll_deg + float(motion[3]),
            )
            step = self._solve(joints, target) - joints
            # A joint that is too far ahead already may still come back.
            room = np.maximum(self._lead_deg, np.abs(lead)) - np.sign(step) * lead
            share = max(0.0, float(np.min(room / np.maximum(np.abs(step), 1e-9))))
            if share >= 1.0:
                break
            # Too fast for some joint. A shorter way to go keeps the tool on its line, where
            # a part of the joints' way would leave it.
            motion = motion * share
        advanced = joints + step * min(1.0, share)
        pitch_deg = self._kinematics.forward(advanced).pitch_deg
        self._pitch_deg = float(
            np.clip(target.pitch_deg, pitch_deg - PITCH_MEMORY_DEG, pitch_deg + PITCH_MEMORY_DEG)
        )
        return advanced

    def _solve(self, joints: np.ndarray, target: ToolPose) -> np.ndarray:
        low, high = self._low[:GRIPPER], self._high[:GRIPPER]
        return self._kinematics.solve(
            joints, target, max_step_deg=SEARCH_DEG, low_deg=low, high_deg=high
        )

    def _move_gripper(self, present: float, dt_s: float) -> None:
        reach = self.config.gripper_speed * dt_s
        axis = self._axis(5)
        if axis:
            self.gripper_closed = axis < 0
            self._keeps_grip = False
            self._gripper_goal = float(
                np.clip(self._gripper + axis * reach, self._low[GRIPPER], self._high[GRIPPER])
            )
        if self._keeps_grip:
            return
        squeeze = self.config.gripper_squeeze
        goal = min(max(self._gripper_goal, present - squeeze), present + squeeze + reach)
        self._gripper += float(np.clip(goal - self._gripper, -reach, reach))

    @property
    def action_features(self) -> dict[str, Any]:
        return dict.fromkeys(ACTION_NAMES, float)

    @property
    def feedback_features(self) -> dict[str, Any]:
        return self.action_features

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        return True

    def connect(self, calibrate: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        self._connected = True

    def calibrate(self) -> None:
        """Nothing to calibrate."""

    def configure(self) -> None:
        """Nothing to configure."""

    def get_action(self) -> dict[str, Any]:
        if not self._connected or self._state is None:
            raise DeviceNotConnectedError(
                f"{self.name} does not know where the arm is: connect it, then send_feedback"
            )
        now = self._clock_s()
        dt_s = 0.0 if self._acted_s is None else now - self._acted_s
        self._acted_s = now
        return dict(zip(ACTION_NAMES, self.act(self._state, dt_s).tolist(), strict=True))

    def rest(self) -> None:
        """For `get_action`: go on from where the arm is, not from where it was being sent to."""
        if self._state is not None and self._joints is not None:
            self.start(self._state, np.append(self._joints, self._gripper))

    def send_feedback(self, feedback: dict[str, Any]) -> None:
        self._state = np.array([float(feedback[name]) for name in ACTION_NAMES])

    def disconnect(self) -> None:
        self._connected = False
        self.release()
