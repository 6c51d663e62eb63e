"""Where the SO-101's tool is for given joints, and joints for where it should be.

The arm has five joints, so a tool pose is five numbers: position (3), pitch, roll. Pitch is the
elevation of the direction the gripper points in (0 level, -90 straight down, below that back to the
base); the axes of shoulder, elbow and wrist are parallel, so it is their negative sum. Roll is the
wrist's own joint. Which way the gripper points seen from above follows from the position.

The solver is damped least squares on the bare arm's MuJoCo model. Position comes first; pitch is
held as well as the remaining freedom allows, so at the edge of the workspace the tool tilts before
it strays. A joint at its limit is taken out of the solution, and a step is bounded, so no input
makes the arm jump.

Units are LeRobot's for the SO-101: degrees for the five joints; the gripper takes no part. The
frame is the base's: x away from it, y to its left, z up; metres.
"""

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
from so101_nexus import get_so101_mujoco_model_path

ARM_JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll")
TOOL_SITE = "gripperframe"
# Joints that place the tool; the wrist's roll is set directly.
PLACING = slice(0, 4)
PITCHING = slice(1, 4)
ROLL = 4
# d pitch / d placing joints.
TO_PITCH = np.array([0.0, -1.0, -1.0, -1.0])
# Damping, as a share of the arm's reach: what keeps the stretched arm calm.
DAMPING_M = 0.01
# An error below this is no error.
EXACT_M = 1e-5
EXACT_RAD = 1e-4
MAX_ITERATIONS = 60
# So many iterations without getting a hundredth nearer, and this is as near as it gets.
PATIENCE = 6


@dataclass(frozen=True, kw_only=True)
class ToolPose:
    """Where the tool is."""

    # float64 [3], metres in the base's frame.
    position_m: np.ndarray
    # Elevation of the gripper's direction: 0 level, -90 straight down, not wrapped.
    pitch_deg: float
    # The wrist roll joint.
    roll_deg: float


class So101Kinematics:
    """Forward and inverse kinematics of the SO-101."""

    def __init__(self) -> None:
        self._model = _bare_arm()
        self._data = mujoco.MjData(self._model)
        self._site = self._model.site(TOOL_SITE).id
        joints = [self._model.joint(name) for name in ARM_JOINTS]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dofs = np.array([joint.dofadr[0] for joint in joints])
        ranges = np.degrees(np.array([joint.range for joint in joints]))
        # float64 [5], degrees.
        self.low_deg, self.high_deg = ranges[:, 0].copy(), ranges[:, 1].copy()

    def forward(self, joints_deg: np.ndarray) -> ToolPose:
        """Return the tool's pose for five joints in degrees."""
        self._place(np.asarray(joints_deg, dtype=np.float64))
        return ToolPose(
            position_m=self._data.site_xpos[self._site].copy(),
            pitch_deg=-float(np.sum(joints_deg[PITCHING])),
            roll_deg=float(joints_deg[ROLL]),
        )

    def jaw_axis(self, joints_deg: np.ndarray) -> np.ndarray:
        """Return the unit vector [3] along which the jaws close, fixed jaw to moving jaw."""
        self._place(np.asarray(joints_deg, dtype=np.float64))
        return -self._data.site_xmat[self._site].reshape(3, 3)[:, 0]

    def solve(
        self,
        joints_deg: np.ndarray,
        target: ToolPose,
        *,
        max_step_deg: float = 180.0,
        low_deg: np.ndarray | None = None,
        high_deg: np.ndarray | None = None,
    ) -> np.ndarray:
        """Return joints near `joints_deg` that bring the tool to `target`, or as near as they can.

        Args:
            joints_deg: [5], where to start; of several solutions the nearest by descent is taken.
            target: The wished pose.
            max_step_deg: No joint leaves its start by more than this.
            low_deg: [5], tighter limits than the model's own.
            high_deg: [5], tighter limits than the model's own.
        """
        start = np.asarray(joints_deg, dtype=np.float64)
        low = self.low_deg if low_deg is None else np.maximum(self.low_deg, low_deg)
        high = self.high_deg if high_deg is None else np.minimum(self.high_deg, high_deg)
        # A start outside the limits may come back, never go further.
        low = np.minimum(np.maximum(low, start - max_step_deg), start + max_step_deg)
        high = np.maximum(np.minimum(high, start + max_step_deg), start - max_step_deg)
        low, high = np.radians(low), np.radians(high)
        joints = np.clip(np.radians(start), low, high)
        joints[ROLL] = np.clip(np.radians(target.roll_deg), low[ROLL], high[ROLL])
        best, best_error, idle = joints.copy(), np.inf, 0
        for _ in range(MAX_ITERATIONS):
            self._place(np.degrees(joints))
            away = target.position_m - self._data.site_xpos[self._site]
            tilt = np.radians(target.pitch_deg) + float(joints[PITCHING].sum())
            # A tenth of a radian of tilt counts as a millimetre: position comes first.
            error = float(np.linalg.norm(away)) + 0.01 * abs(tilt)
            idle = 0 if error < 0.99 * best_error else idle + 1
            if error < best_error:
                best, best_error = joints.copy(), error
            if idle > PATIENCE:
                break
            if np.linalg.norm(away) < EXACT_M and abs(tilt) < EXACT_RAD:
                break
            step = self._step(joints, away, tilt, low, high)
            if np.abs(step).max() < 1e-7:
                break
            joints = joints.copy()
            joints[PLACING] = np.clip(joints[PLACING] + step, low[PLACING], high[PLACING])
        return np.degrees(best)

    def _step(
        self, joints: np.ndarray, away: np.ndarray, tilt: float, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """Return the change of the placing joints, radians, leaving out joints that are stuck."""
        to_position = self._jacobian()
        free = np.ones(4, dtype=bool)
        step = np.zeros(4)
        for _ in range(4):
            step = _prioritised(to_position * free, away, tilt)
            ahead = joints[PLACING] + step
            stuck = free & (
                ((ahead < low[PLACING]) & (joints[PLACING] <= low[PLACING] + 1e-9))
                | ((ahead > high[PLACING]) & (joints[PLACING] >= high[PLACING] - 1e-9))
            )
            if not stuck.any():
                break
            free &= ~stuck
        # One bounded step keeps the linear model honest.
        return step * min(1.0, 0.3 / max(float(np.abs(step).max()), 1e-12)) * free

    def _jacobian(self) -> np.ndarray:
        """Return d position [3, 4] of the placing joints, metres per radian."""
        linear = np.zeros((3, self._model.nv))
        mujoco.mj_jacSite(self._model, self._data, linear, None, self._site)
        return linear[:, self._dofs[PLACING]]

    def _place(self, joints_deg: np.ndarray) -> None:
        self._data.qpos[self._qpos] = np.radians(joints_deg)
        mujoco.mj_kinematics(self._model, self._data)
        mujoco.mj_comPos(self._model, self._data)


def _prioritised(to_position: np.ndarray, away: np.ndarray, tilt: float) -> np.ndarray:
    """Solve for position, then for pitch in what position leaves free.

    Args:
        to_position: [3, 4] metres per radian; a joint that may not move has a zero column.
        away: [3], metres still to go.
        tilt: Pitch still to go, radians.
    """
    left, strengths, right = np.linalg.svd(to_position)
    damped = strengths / (strengths**2 + DAMPING_M**2)
    step = right[:3].T @ (damped * (left.T @ away))
    held = right[:3][strengths > DAMPING_M]
    may_move = np.abs(to_position).max(axis=0) > 0
    towards = (np.diag(may_move.astype(float)) - held.T @ held) @ TO_PITCH
    return step + towards * (tilt - float(TO_PITCH @ step)) / (float(TO_PITCH @ towards) + 1e-3)


def _bare_arm() -> Any:
    """Compile the arm without its shapes: links, joints and sites only."""
    spec = mujoco.MjSpec.from_file(str(get_so101_mujoco_model_path()))
    for geom in spec.geoms:
        spec.delete(geom)
    for mesh in spec.meshes:
        spec.delete(mesh)
    return spec.compile()
