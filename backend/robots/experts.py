"""The scripted experts of the simulator: policy `scripted`.

They are privileged: they read where the object is from the simulator, which no robot reports. They
stand in for a trained policy in demonstrations, tests and benchmarks, and must never be shown as
one. They drive as a policy does, by joint targets, so what they record is what a policy would.

    touch      straight to the object, from above
    pick_lift  hover with the jaws along the object's sides, descend, close, lift; start again when
               the object slipped

`ClumsyExpert` makes either of them err, for attempts that fail and for some that only just do not.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from backend.control import ActingPolicy, Arm, Observation
from backend.robots.browser_teleop import ACTION_NAMES, GRIPPER
from backend.robots.config import RobotConfig, RobotConfigError
from backend.robots.kinematics import So101Kinematics, ToolPose

# Touching is over soon; slower, an attempt is long enough to take over in.
TOUCH_SPEED_M_S = 0.06
PICK_SPEED_M_S = 0.12
TURN_DEG_S = 120.0
PITCH_DEG = -80.0
OPEN, SHUT = 70.0, 0.0
HOVER_M = 0.09
LIFT_M = 0.13
# The tool's height over the object's centre when it touches it.
TOUCH_ABOVE_M = 0.012
# The fixed jaw moves less than the other: the object lies this much nearer to the moving one.
JAW_OFFSET_M = 0.006
ARRIVED_M = 0.008
# What the gripper needs to shut on something, and how long it may then hold nothing.
CLOSE_S = 0.8
SLIPPED_S = 0.5


def make_expert(config: RobotConfig, arm: Arm) -> ActingPolicy:
    """Return the expert that the config names.

    Raises:
        RobotConfigError: The arm is no SO-101.
    """
    if arm.action_names != ACTION_NAMES:
        raise RobotConfigError(
            str(config.source), "expert", f"the experts drive an SO-101, not {arm.robot_type}"
        )
    if config.expert == "pick_lift":
        return PickLiftExpert(arm)
    return TouchExpert(arm)


class _Tool:
    """Moves the commanded tool pose a bounded way at a time, as joint targets of the arm."""

    def __init__(self, arm: Arm, *, speed_m_s: float) -> None:
        self.kinematics = So101Kinematics()
        self._arm = arm
        self._speed_m_s = speed_m_s
        self._joints: np.ndarray | None = None
        self._gripper = 0.0

    def let_go(self) -> None:
        """Start from wherever the arm is at the next step."""
        self._joints = None

    def towards(self, state: np.ndarray, target: ToolPose, gripper: float) -> np.ndarray:
        """Return the action, float32 [6], of one step towards `target`."""
        if self._joints is None:
            self._joints, self._gripper = state[:GRIPPER].astype(float), float(state[GRIPPER])
        pose = self.kinematics.forward(self._joints)
        reach_m, reach_deg = self._speed_m_s / self._arm.fps, TURN_DEG_S / self._arm.fps
        way = target.position_m - pose.position_m
        way *= min(1.0, reach_m / max(float(np.linalg.norm(way)), 1e-9))
        step = ToolPose(
            position_m=pose.position_m + way,
            pitch_deg=pose.pitch_deg
            + float(np.clip(target.pitch_deg - pose.pitch_deg, -reach_deg, reach_deg)),
            roll_deg=pose.roll_deg
            + float(np.clip(target.roll_deg - pose.roll_deg, -reach_deg, reach_deg)),
        )
        limits = self._arm.limits
        self._joints = self.kinematics.solve(
            self._joints,
            step,
            max_step_deg=float(limits.max_relative_target[:GRIPPER].min()) * 0.8,
            low_deg=limits.low[:GRIPPER],
            high_deg=limits.high[:GRIPPER],
        )
        stride = 200.0 / self._arm.fps
        self._gripper += float(np.clip(gripper - self._gripper, -stride, stride))
        return np.append(self._joints, self._gripper).astype(np.float32)

    def is_at(self, state: np.ndarray, target: ToolPose) -> bool:
        position = self.kinematics.forward(state[:GRIPPER]).position_m
        turned = abs(float(state[GRIPPER - 1]) - target.roll_deg)
        return bool(np.linalg.norm(position - target.position_m) < ARRIVED_M and turned < 5.0)


class TouchExpert:
    """Goes straight to the object."""

    name = "scripted"
    checkpoint_id: str | None = None

    def __init__(self, arm: Arm) -> None:
        self._tool = _Tool(arm, speed_m_s=TOUCH_SPEED_M_S)

    def reset(self) -> None:
        self._tool.let_go()

    def act(self, observation: Observation) -> np.ndarray | None:
        position, _ = _object(observation)
        target = ToolPose(
            position_m=position + np.array([0.0, 0.0, TOUCH_ABOVE_M]),
            pitch_deg=PITCH_DEG,
            roll_deg=float(observation.state[GRIPPER - 1]),
        )
        return self._tool.towards(observation.state, target, float(observation.state[GRIPPER]))


@dataclass(frozen=True, kw_only=True)
class Slips:
    """How a clumsy expert errs."""

    # Share of the attempts that begin with a wrong idea of where the object is.
    share: float = 0.5
    # How far beside it: between these, metres.
    reach_m: tuple[float, float] = (0.03, 0.06)
    # Share of the wrong ones that are noticed, after a time between these, seconds.
    noticed_share: float = 0.5
    notices_s: tuple[float, float] = (2.0, 4.0)

    def __post_init__(self) -> None:
        for name in ("share", "noticed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}, must be in 0…1")


class Stage(StrEnum):
    """How far a grasp has come."""

    HOVER = "hover"
    DESCEND = "descend"
    CLOSE = "close"
    LIFT = "lift"


class PickLiftExpert:
    """Grasps the object across two of its sides and lifts it."""

    name = "scripted"
    checkpoint_id: str | None = None

    def __init__(self, arm: Arm) -> None:
        self._tool = _Tool(arm, speed_m_s=PICK_SPEED_M_S)
        self._fps = arm.fps
        self.reset()

    def reset(self) -> None:
        self._tool.let_go()
        self._stage = Stage.HOVER
        # Where to grasp; fixed while the object was last at rest.
        self._grasp: ToolPose | None = None
        self._steps = 0

    def act(self, observation: Observation) -> np.ndarray | None:
        state = observation.state
        position, yaw_deg = _object(observation)
        if self._grasp is None:
            self._grasp = self._planned(state, position, yaw_deg)
        if self._stage is Stage.HOVER:
            hover = _above(self._grasp, HOVER_M)
            if self._tool.is_at(state, hover) and state[GRIPPER] > OPEN - 10:
                self._stage = Stage.DESCEND
            return self._tool.towards(state, hover, OPEN)
        if self._stage is Stage.DESCEND:
            if self._tool.is_at(state, self._grasp):
                self._stage, self._steps = Stage.CLOSE, 0
            return self._tool.towards(state, self._grasp, OPEN)
        if self._stage is Stage.CLOSE:
            self._steps += 1
            if self._steps >= CLOSE_S * self._fps:
                self._stage, self._steps = Stage.LIFT, 0
            return self._tool.towards(state, self._grasp, SHUT)
        self._steps = 0 if observation.privileged["grasped"] else self._steps + 1
        if self._steps >= SLIPPED_S * self._fps:
            self.reset()
            return self.act(observation)
        return self._tool.towards(state, _above(self._grasp, LIFT_M), SHUT)

    def _planned(self, state: np.ndarray, position: np.ndarray, yaw_deg: float) -> ToolPose:
        """Turn the wrist until the jaws close along a side, whichever is nearest."""
        kinematics = self._tool.kinematics
        joints, roll_deg = state[:GRIPPER].astype(float), float(state[GRIPPER - 1])
        grasp = ToolPose(position_m=position, pitch_deg=PITCH_DEG, roll_deg=roll_deg)
        for _ in range(4):
            joints = kinematics.solve(joints, grasp)
            along = kinematics.jaw_axis(joints)
            jaw_deg = float(np.degrees(np.arctan2(along[1], along[0])))
            # The sides of a box come every quarter turn; the wrist turns as seen from above.
            turn = (jaw_deg - yaw_deg + 45.0) % 90.0 - 45.0
            roll_deg -= turn
            level = np.array([along[0], along[1], 0.0])
            level /= max(float(np.linalg.norm(level)), 1e-9)
            grasp = ToolPose(
                position_m=position - level * JAW_OFFSET_M,
                pitch_deg=PITCH_DEG,
                roll_deg=roll_deg,
            )
        return grasp


class ClumsyExpert:
    """An expert that is sometimes wrong about where the object is, and may notice late or never.

    It stands in for a hurried operator: what it does is smooth and plausible, and beside the goal.
    """

    name = "clumsy"
    checkpoint_id: str | None = None

    def __init__(
        self,
        expert: ActingPolicy,
        *,
        fps: float,
        slips: Slips,
        rng: np.random.Generator,
    ) -> None:
        """Args:
        expert: Who drives, believing what it is told.
        fps: Control steps a second.
        slips: How often it errs, how far, and for how long.
        rng: Decides each attempt's error.
        """
        self._expert = expert
        self._fps = fps
        self._slips = slips
        self._rng = rng
        self._error_m: np.ndarray = np.zeros(3)
        self._steps_left = 0.0

    def reset(self) -> None:
        self._expert.reset()
        slips, rng = self._slips, self._rng
        errs, notices = rng.random() < slips.share, rng.random() < slips.noticed_share
        angle = rng.uniform(0, 2 * np.pi)
        reach_m = rng.uniform(*slips.reach_m) if errs else 0.0
        self._error_m = reach_m * np.array([np.cos(angle), np.sin(angle), 0.0])
        self._steps_left = rng.uniform(*slips.notices_s) * self._fps if notices else np.inf

    def act(self, observation: Observation) -> np.ndarray | None:
        self._steps_left -= 1
        if self._steps_left < 0 and self._error_m.any():
            self._error_m = np.zeros(3)
            # A plan made for the wrong place is given up as a whole.
            self._expert.reset()
        _object(observation)
        pose = np.array(observation.privileged["object_pose"], dtype=float)
        pose[:3] += self._error_m
        believed = {**observation.privileged, "object_pose": pose}
        return self._expert.act(replace(observation, privileged=believed))


def _above(pose: ToolPose, height_m: float) -> ToolPose:
    x, y, _ = pose.position_m
    return replace(pose, position_m=np.array([x, y, height_m]))


def _object(observation: Observation) -> tuple[np.ndarray, float]:
    """Return the object's position, metres, and its turn about the vertical, degrees."""
    pose = observation.privileged.get("object_pose")
    if pose is None:
        raise ValueError(
            "a scripted expert needs the simulator's `object_pose`, which this robot does not "
            "report: use it with a simulated scene that has an object"
        )
    x, y, z, w, i, j, k = (float(value) for value in np.asarray(pose))
    yaw = np.arctan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k))
    return np.array([x, y, z]), float(np.degrees(yaw))
