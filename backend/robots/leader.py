"""A leader arm as a human's input: it follows the follower until somebody takes it, then it leads.

While nobody leads, every step moves the leader towards where the follower is (`follow`), so that a
hand finds it there and nothing jumps. `start` turns its torque off and from that very step on its
joints are the targets. What is left of a difference is not jumped over: it fades out within
`LeaderFeel.max_align_s`, while every movement of the hand counts at once. A leader that has no
motors of its own to follow with (Koch's) leads in the same way, with a longer fade.

Whoever pushes the leader away from where it is told to be wants to take over: `wants_over`.

An STS3215 turns its torque on whenever it is sent a goal. So nothing is ever sent to a leader that
leads, and to one that begins to follow its present position is sent before anything else.

A leader that fails never stops the robot: following ends with a warning, and leading raises, which
holds the attempt. The next `start` tries again. All methods are called from the loop's thread.
"""

import atexit
import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from lerobot.teleoperators.config import TeleoperatorConfig
from lerobot.teleoperators.teleoperator import Teleoperator
from lerobot.teleoperators.utils import make_teleoperator_from_config

from backend.control import Ailment, Arm, RobotFaultError
from backend.robots.config import RobotConfig, RobotConfigError
from backend.robots.leader_push import PushSense
from backend.robots.motor_buses import arms_of, ask_afresh, close_port, in_one_line, let_go
from backend.robots.servo_watch import ServoWatch

logger = logging.getLogger(__name__)

GRIPPER = "gripper.pos"
# A gripper below this, in per cent, counts as closed.
GRIPPER_CLOSED = 50.0


class LeaderLostError(RuntimeError):
    """The leader arm does not answer. Says what failed and what to do."""


@dataclass(frozen=True, kw_only=True)
class LeaderFeel:
    """How a leader arm behaves under a hand. Units are the robot's: degrees, gripper per cent."""

    # Units a second on the way to a follower that is somewhere else, and while it is with it.
    catch_up_speed: float = 45.0
    follow_speed: float = 240.0
    # How the first speed grows into the second, units a second squared.
    acceleration: float = 240.0
    # Nearer than this in every joint the leader is with the follower.
    with_it: float = 6.0
    # How fast a difference at the take-over fades, units a second, and how long at most.
    align_speed: float = 30.0
    max_align_s: float = 2.0
    # A leader this far from where it was told to be, for this long, is being pushed.
    push_distance: float = 12.0
    push_s: float = 0.2
    # Servos trail their goals: being where a goal was this long ago is being there.
    lag_s: float = 0.5

    def __post_init__(self) -> None:
        if self.push_distance <= self.with_it:
            raise ValueError(
                f"push_distance ({self.push_distance}) must be above with_it ({self.with_it}), "
                "or a leader that follows well would ask to take over"
            )


class LeaderInput:
    """A LeRobot teleoperator with joints, as a `HumanInput` that also follows.

    Args:
        teleop: LeRobot's leader arm, not connected.
        name: Its type as robot configs and LeRobot's commands have it, for messages.
        action_names: The follower's actions in order; the leader must have them all.
        position: The follower's `Arm.position`: the action that would hold a state.
        feel: Speeds, distances and times.

    Raises:
        ValueError: The leader lacks joints of the follower.
    """

    def __init__(
        self,
        teleop: Teleoperator,
        *,
        name: str,
        action_names: tuple[str, ...],
        position: Callable[[np.ndarray], np.ndarray],
        feel: LeaderFeel | None = None,
    ) -> None:
        missing = [name for name in action_names if name not in teleop.action_features]
        if missing:
            raise ValueError(
                f"{name} has no {', '.join(missing)}; a leader needs the follower's joints"
            )
        self.speed = 1.0
        self.gripper_closed = False
        self._servos = ServoWatch(teleop, name=f"leader arm {name}", may_hold=False)
        self._teleop = teleop
        self._name = name
        self._names = action_names
        self._position = position
        self._feel = feel or LeaderFeel()
        self._can_follow = _is_actuated(teleop)
        self._lost = ""
        self._goal: np.ndarray | None = None
        self._is_with_it = False
        self._speed = 0.0
        self._push = PushSense(
            distance=self._feel.push_distance,
            long_enough_s=self._feel.push_s,
            lag_s=self._feel.lag_s,
        )
        self._is_pushed = False
        self._offset = np.zeros(len(action_names), dtype=np.float32)
        self._align_s = self._led_s = 0.0

    def connect(self) -> None:
        """Open the leader; it stays limp until it follows.

        Raises:
            RobotFaultError: It does not answer or is not calibrated; says what to do.
        """
        name, teleop_id = self._name, self._teleop.id
        ask_afresh(self._teleop)
        try:
            self._teleop.connect(calibrate=False)
            calibrated = self._teleop.is_calibrated
        except Exception as error:  # drivers raise of every kind
            self.close()
            raise RobotFaultError(
                f"the leader arm {name} cannot be connected: {in_one_line(error)}. Check "
                "its power, USB cable and port (`lerobot-find-port`), then open the robot again."
            ) from error
        # Whatever ends this process while the leader is stiff, except a kill, lets go of it.
        atexit.register(self.close)
        if not calibrated:
            self.close()
            raise RobotFaultError(
                f"the leader arm {name} with id {teleop_id!r} has no calibration, or its motors "
                f"hold another one than {self._teleop.calibration_fpath}; run `lerobot-calibrate "
                f"--teleop.type={name} --teleop.id={teleop_id} --teleop.port=…` once, then open "
                "the robot again"
            )
        self._servos.begin()

    def ailments(self) -> tuple[Ailment, ...]:
        """What its servos tell of themselves; none of it keeps the robot from being driven."""
        return () if self._lost else self._servos.look()

    def start(self, state: np.ndarray, commanded: np.ndarray | None = None) -> None:
        """Lead from the follower's last action, else its `state`, on: torque off, no jump."""
        was_lost, self._lost = bool(self._lost), ""
        self._forget_following()
        try:
            if was_lost:
                self._connect_anew()
            if self._can_follow:
                self._teleop.disable_torque()
            present = self._read()
        except Exception as error:  # drivers raise of every kind
            self._lose("let go of it", error)
            return
        self._offset = (self._position(state) if commanded is None else commanded) - present
        distance = float(np.abs(self._offset).max())
        self._align_s = min(self._feel.max_align_s, distance / self._feel.align_speed)
        self._led_s = 0.0

    def feed(self, held: frozenset[str], axes: tuple[float, ...]) -> None:
        """Keys do not drive while a leader arm does."""

    def release(self) -> None:
        """A silent page does not stop a hand; whether it holds the attempt is not decided here."""

    def act(self, state: np.ndarray, dt_s: float) -> np.ndarray:  # noqa: ARG002
        """Return where the hand has the leader, float32 [action dim].

        Raises:
            LeaderLostError: It does not answer.
        """
        if self._lost:
            raise LeaderLostError(self._lost)
        try:
            present = self._read()
        except Exception as error:  # drivers raise of every kind
            self._lose("read it", error)
            raise LeaderLostError(self._lost) from error
        left = 1 - self._led_s / self._align_s if self._led_s < self._align_s else 0.0
        self._led_s += dt_s
        target: np.ndarray = present + self._offset * np.float32(left)
        if GRIPPER in self._names:
            self.gripper_closed = bool(target[self._names.index(GRIPPER)] < GRIPPER_CLOSED)
        return target

    def follow(self, state: np.ndarray, dt_s: float) -> None:
        """Move one step towards the follower's `state`; every step in which nobody leads.

        Never raises: a leader that fails is left alone until the next `start`.
        """
        self._is_pushed = False
        if self._lost or not self._can_follow:
            return
        try:
            self._follow(self._position(state), dt_s)
        except Exception as error:  # drivers raise of every kind
            self._lose("let it follow", error)

    def wants_over(self) -> bool:
        """Whether the last `follow` felt a hand that pushes the leader; once a push."""
        return self._is_pushed

    def close(self) -> None:
        """Torque off and disconnect; harmless when repeated."""
        atexit.unregister(self.close)
        self._forget_following()
        let_go(self._teleop)

    def _follow(self, target: np.ndarray, dt_s: float) -> None:
        feel, present = self._feel, self._read()
        if self._goal is None:
            self._send(present)
            self._teleop.enable_torque()
            self._goal = present
        self._is_with_it |= bool(np.abs(target - present).max() <= feel.with_it)
        faster = min(feel.follow_speed, self._speed + feel.acceleration * dt_s)
        self._speed = faster if self._is_with_it else feel.catch_up_speed
        reach = self._speed * dt_s
        goal = self._goal + np.clip(target - self._goal, -reach, reach)
        if not self._is_with_it:
            # A hand that holds it back must not be snatched from when it opens.
            leash = feel.catch_up_speed * feel.lag_s
            goal = np.clip(goal, present - leash, present + leash)
        self._send(goal)
        self._goal = goal
        self._is_pushed = self._push.feel(present, goal, dt_s, counts=self._is_with_it)
        self._is_with_it &= not self._is_pushed

    def _forget_following(self) -> None:
        self._goal = None
        self._is_with_it = self._is_pushed = False
        self._speed = self._feel.catch_up_speed
        self._push.forget()

    def _connect_anew(self) -> None:
        """A port whose cable was out stays dead when it is in again."""
        arms = arms_of(self._teleop).values()
        for arm in arms:
            close_port(arm.bus)
        if arms:
            self._teleop.connect(calibrate=False)

    def _read(self) -> np.ndarray:
        joints = self._teleop.get_action()
        present = np.array([joints[name] for name in self._names], dtype=np.float32)
        if not np.isfinite(present).all():
            raise ValueError(f"it reports positions that are no numbers: {joints}")
        return present

    def _send(self, goal: np.ndarray) -> None:
        self._teleop.send_feedback(dict(zip(self._names, goal.tolist(), strict=True)))

    def _lose(self, verb: str, error: Exception) -> None:
        self._forget_following()
        self._lost = (
            f"the leader arm {self._name} failed, could not {verb}: {in_one_line(error)}. "
            "Check its power and USB cable, then take over again; if that does not help, open the "
            "robot again"
        )
        logger.warning("%s", self._lost)


def make_leader(
    config: RobotConfig, teleop: TeleoperatorConfig, arm: Arm, *, feel: LeaderFeel | None = None
) -> LeaderInput:
    """Make the leader arm of a robot config, not connected.

    Raises:
        RobotConfigError: It cannot be made, or it has not the joints of `arm`.
    """
    try:
        return LeaderInput(
            make_teleoperator_from_config(teleop),
            name=str(config.teleop["type"]),
            action_names=arm.action_names,
            position=arm.position,
            feel=feel,
        )
    except (ValueError, TypeError, ImportError) as error:
        raise RobotConfigError(str(config.source), "teleop", str(error)) from error


def _is_actuated(teleop: Teleoperator) -> bool:
    return bool(teleop.feedback_features) and all(
        callable(getattr(teleop, name, None)) for name in ("enable_torque", "disable_torque")
    )
