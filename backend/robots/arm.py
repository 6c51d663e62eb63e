"""Any LeRobot robot seen as the control loop's `Arm`: arrays in a fixed order, limits always on.

LeRobot speaks dictionaries of floats and pictures; the loop, the recorder and the datasets need
arrays whose order never changes. That order is the robot's own order of features.

What LeRobot's drivers raise when a cable comes loose is of every kind; here it becomes one
`RobotFaultError` that says what failed and what to do. Nothing here waits for a person: a robot
that would ask for a calibration on the terminal is refused with the command that makes one, and
no keyboard listener is ever created.
"""

import atexit
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from lerobot.robots.robot import Robot

from backend.control import Ailment, Limits, Observation, RobotFaultError
from backend.robots.arm_cameras import ArmCameras
from backend.robots.config import RobotConfig, RobotConfigError, suggest
from backend.robots.motor_buses import ask_afresh, in_one_line, let_go
from backend.robots.servo_watch import ServoWatch

logger = logging.getLogger(__name__)

# Closer than this to the reset pose, in action units, counts as there.
RESET_TOLERANCE = 1.5
# After this many times its planned time the way to the pose is given up: something is in the way.
RESET_PATIENCE = 2.0


class ArmNotConnectedError(RuntimeError):
    """An arm was used before `connect` or after `close`: a mistake of the caller, not a fault."""


class LeRobotArm:
    """A LeRobot `Robot` as an `Arm`.

    Args:
        config: The robot config it was made from.
        robot: LeRobot's robot, not connected.
        wall_s: Unix time in seconds.
        now_s: Monotonic seconds.
    """

    def __init__(
        self,
        config: RobotConfig,
        robot: Robot,
        *,
        wall_s: Callable[[], float] = time.time,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config
        self.name = config.name
        self.robot_type = str(config.robot["type"])
        self.fps = config.fps
        features = robot.observation_features
        self.state_names = tuple(name for name, kind in features.items() if kind is float)
        self.action_names = tuple(robot.action_features)
        self._cameras = ArmCameras(config, robot)
        self.cameras = self._cameras.sizes
        self._servos = ServoWatch(robot, name=config.name, may_hold=True, now_s=now_s)
        self._robot = robot
        self._wall_s = wall_s
        # Ours: LeRobot's own says no as soon as one camera is gone, with the torque still on.
        self._is_connected = False
        self._hold_index = [self._index_of_state(name) for name in self.action_names]
        self.limits = self._limits_in_order()
        self._reset_pose = self._pose_in_order()
        self._present: np.ndarray | None = None
        self._reset_target: np.ndarray | None = None
        self._reset_stride = 0.0
        self._reset_steps_left = 0

    def connect(self) -> None:
        # However the process ends, an arm that was connected is let go of.
        atexit.register(self.close)
        self._is_connected = True
        ask_afresh(self._robot)
        try:
            self._robot.connect(calibrate=False)
            calibrated = self._robot.is_calibrated
        except Exception as error:  # drivers raise of every kind
            self.close()
            raise self._fault("connect", error) from error
        if not calibrated:
            self.close()
            raise RobotFaultError(
                f"{self.name}: {self.robot_type} with id {self._robot.id!r} has no calibration, "
                f"or the motors hold another one than {self._robot.calibration_fpath}; run "
                f"`lerobot-calibrate --robot.type={self.robot_type} --robot.id={self._robot.id} "
                "--robot.port=…` once, then open the robot again"
            )
        try:
            self.observe()
        except RobotFaultError:
            self.close()
            raise
        self._servos.begin()

    def observe(self) -> Observation:
        self._check_connected()
        try:
            values = self._robot.get_observation()
        except Exception as error:  # drivers raise of every kind
            raise self._fault("read", error) from error
        state = np.array([values[name] for name in self.state_names], dtype=np.float32)
        if not np.isfinite(state).all():
            raise RobotFaultError(
                f"{self.name}: reported a position that is no number: "
                f"{dict(zip(self.state_names, state.tolist(), strict=True))}; "
                "check the servo's cable and its calibration"
            )
        self._present = state
        return Observation(
            state=state,
            frames={name: self._cameras.picture(name, values[name]) for name in self.cameras},
            frame_wall_s=self._frame_times(),
            privileged=self._privileged(values),
        )

    def act(self, action: np.ndarray) -> np.ndarray:
        self._check_connected()
        bounded = self._bounded(action)
        try:
            executed = self._robot.send_action(
                dict(zip(self.action_names, bounded.tolist(), strict=True))
            )
        except Exception as error:  # drivers raise of every kind
            raise self._fault("send an action", error) from error
        return np.array([executed[name] for name in self.action_names], dtype=np.float32)

    def ailments(self) -> tuple[Ailment, ...]:
        """What the servos tell of themselves, see `servo_watch.py`."""
        self._check_connected()
        return self._servos.look()

    def newest_frames(self) -> dict[str, tuple[np.ndarray, float]]:
        """What LeRobot's camera threads took last, without waiting for the next step."""
        return self._cameras.newest(wall_s=self._wall_s())

    def camera_threads(self) -> list[threading.Thread]:
        """LeRobot's own, which take the pictures."""
        return self._cameras.threads()

    def position(self, state: np.ndarray) -> np.ndarray:
        # A velocity holds by being zero.
        held = [0.0 if index is None else state[index] for index in self._hold_index]
        return np.clip(np.array(held, dtype=np.float32), self.limits.low, self.limits.high)

    def begin_reset(self) -> None:
        self._check_connected()
        self._reset_target = None
        self._reset_steps_left = round(self.config.reset.time_s * self.fps * RESET_PATIENCE)

    def reset_action(self, state: np.ndarray) -> np.ndarray | None:
        """Move the commanded pose in a straight line and in equal steps towards the reset pose."""
        if self._reset_pose is None:
            return None
        distance = np.abs(self._reset_pose - self.position(state)).max()
        if distance <= RESET_TOLERANCE:
            return None
        if self._reset_steps_left <= 0:
            logger.warning(
                "%s: the reset pose was not reached, %.1f units remain; something is in the way",
                self.name,
                distance,
            )
            return None
        self._reset_steps_left -= 1
        if self._reset_target is None:
            self._reset_target = self.position(state)
            steps = max(1, round(self.config.reset.time_s * self.fps))
            stride = np.abs(self._reset_pose - self._reset_target).max() / steps
            self._reset_stride = min(stride, float(self.limits.max_relative_target.min()))
        remaining = self._reset_pose - self._reset_target
        share = min(1.0, self._reset_stride / max(float(np.abs(remaining).max()), 1e-6))
        self._reset_target = self._reset_target + remaining * share
        return self._reset_target.astype(np.float32)

    def close(self) -> None:
        if not self._is_connected:
            return
        self._is_connected = False
        self._present = None
        atexit.unregister(self.close)
        let_go(self._robot)

    def _privileged(self, values: dict[str, Any]) -> dict[str, object]:  # noqa: ARG002
        return {}

    def _frame_times(self) -> dict[str, float]:
        return self._cameras.times(wall_s=self._wall_s())

    def _bounded(self, action: np.ndarray) -> np.ndarray:
        action = np.asarray(action, dtype=np.float32)
        if action.shape != (len(self.action_names),):
            raise ValueError(
                f"{self.name} takes actions of shape {(len(self.action_names),)}, got "
                f"{action.shape}: was this policy made for another robot?"
            )
        if not np.isfinite(action).all():
            raise ValueError(f"{self.name} takes finite actions, got {action.tolist()}")
        assert self._present is not None
        present, reach = self.position(self._present), self.limits.max_relative_target
        return np.clip(
            np.clip(action, present - reach, present + reach), self.limits.low, self.limits.high
        )

    def _check_connected(self) -> None:
        if not self._is_connected:
            raise ArmNotConnectedError(
                f"{self.name} is not connected: call connect() first, and nothing after close()"
            )

    def _fault(self, verb: str, error: Exception) -> RobotFaultError:
        what = in_one_line(error)
        if self._is_connected and (gone := self._cameras.gone()):
            # LeRobot only says that the robot as a whole is not connected.
            what, error = f"camera {', '.join(gone)} is gone", ConnectionError("camera")
        return RobotFaultError(f"{self.name}: could not {verb}: {what}. {_remedy(error)}")

    def _index_of_state(self, action_name: str) -> int | None:
        if action_name in self.state_names:
            return self.state_names.index(action_name)
        if action_name.endswith(".vel"):
            return None
        raise RobotConfigError(
            str(self.config.source),
            "robot.type",
            f"{self.robot_type} takes the action {action_name!r} and does not report it, so it "
            "could not be held still; use a robot that is driven by joint positions",
        )

    def _limits_in_order(self) -> Limits:
        given = self.config.limits
        self._check_names("limits.joints", given.joints)
        bounds = np.array([given.joints[name] for name in self.action_names], dtype=np.float32)
        reach = given.max_relative_target
        return Limits(
            low=bounds[:, 0],
            high=bounds[:, 1],
            max_relative_target=np.array(
                [reach[n] if isinstance(reach, dict) else reach for n in self.action_names],
                dtype=np.float32,
            ),
        )

    def _pose_in_order(self) -> np.ndarray | None:
        pose = self.config.reset.pose
        if pose is None:
            return None
        self._check_names("reset.pose", pose)
        wanted = np.array([pose[name] for name in self.action_names], dtype=np.float32)
        return np.clip(wanted, self.limits.low, self.limits.high)

    def _check_names(self, key: str, given: dict[str, Any]) -> None:
        source = str(self.config.source)
        for name in given:
            if name not in self.action_names:
                raise RobotConfigError(
                    source, f"{key}.{name}", f"no such action; {suggest(name, self.action_names)}"
                )
        missing = [name for name in self.action_names if name not in given]
        if missing:
            raise RobotConfigError(source, key, f"missing {', '.join(missing)}; give every action")


def _remedy(error: Exception) -> str:
    text = str(error).lower()
    if isinstance(error, PermissionError) or "permission denied" in text:
        return "Allow this user to use the port (group `dialout`), then open the robot again."
    if "camera" in text or "frame" in text:
        return "Check the camera's cable and index (`lerobot-find-cameras`), then open again."
    if "egl" in text or "opengl" in text or "display" in text:
        return "Rendering needs EGL: install libegl1 and set MUJOCO_GL=egl."
    return "Check power, USB cable and port (`lerobot-find-port`), then open the robot again."
