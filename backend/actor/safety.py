"""What stands between a driver's wish and the motors, and what watches the drivers' eyes.

Every action passes the gate, also those of a reset or of holding still. The gate knows nothing of
phases: it answers with an action that may be sent, or refuses, and the session holds the robot.
Whether somebody is there to drive at all is the business of `deadman.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backend.control import Limits


@dataclass(frozen=True, kw_only=True)
class SafetyTimes:
    """How long silence is bearable, seconds."""

    # Input older than this no longer moves the arm.
    release_s: float = 0.25
    # A driver, or the link to the server, silent for this long holds the attempt.
    held_s: float = 1.0
    # The server pings every second: an open link without one for this long reaches nobody.
    silent_link_s: float = 2.5
    # A picture this much older than its camera's period is a frozen one.
    frozen_s: float = 0.3
    # A robot that does not answer for this long is lost; until then it is held and asked again.
    robot_silent_s: float = 2.0
    # A person who drives by a frozen picture drives blind.
    hold_on_frozen_camera: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.release_s <= self.held_s:
            raise ValueError(
                f"release_s ({self.release_s}) must be above 0 and at most held_s ({self.held_s})"
            )


@dataclass(frozen=True, kw_only=True)
class Checked:
    """The gate's answer; exactly one of `action` and `refusal` is set."""

    # float32 [action dim], safe to send.
    action: np.ndarray | None = None
    # Names of the joints whose target was pulled back.
    clamped: tuple[str, ...] = ()
    # Why nothing of it may be sent.
    refusal: str = ""


class SafetyGate:
    """Clamps to joint limits and to the largest step; refuses what is no action."""

    def __init__(self, *, limits: Limits, names: tuple[str, ...]) -> None:
        self._limits = limits
        self._names = names
        # Actions pulled back since the robot was opened.
        self.num_clamped = 0

    def check(self, requested: np.ndarray, *, present: np.ndarray) -> Checked:
        """Judge one action.

        Args:
            requested: [action dim], what the driver wants.
            present: float32 [action dim], the action that would hold the present position.
        """
        wanted = np.asarray(requested)
        if wanted.shape != (len(self._names),):
            return Checked(
                refusal=f"an action of shape {wanted.shape} where the robot takes "
                f"({len(self._names)},): was this policy made for another robot?"
            )
        finite = np.isfinite(wanted)
        if not finite.all():
            bad = ", ".join(n for n, ok in zip(self._names, finite, strict=True) if not ok)
            return Checked(refusal=f"an action that is not a finite number for {bad}")
        low, high = self._bounds(present)
        action = np.clip(wanted, low, high).astype(np.float32)
        # Rounding to float32 is no clamp.
        moved = np.abs(action - wanted) > 1e-3
        if not moved.any():
            return Checked(action=action)
        self.num_clamped += 1
        return Checked(
            action=action,
            clamped=tuple(n for n, far in zip(self._names, moved, strict=True) if far),
        )

    def _bounds(self, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joint limits within reach of one step; outside of them, one step towards them."""
        nearest = present - self._limits.max_relative_target
        farthest = present + self._limits.max_relative_target
        low = np.minimum(np.maximum(self._limits.low, nearest), farthest)
        high = np.maximum(np.minimum(self._limits.high, farthest), nearest)
        return low, high


class CameraWatch:
    """Notices when a camera's newest picture stays the same for too long."""

    def __init__(self, *, period_s: float, frozen_s: float) -> None:
        self._limit_s = period_s + frozen_s
        # The first picture may have waited for the loop to begin; it is no older than that.
        self._began_s: float | None = None
        self.frozen: tuple[str, ...] = ()

    def look(self, frame_wall_s: Mapping[str, float], *, wall_s: float) -> tuple[str, ...]:
        """Return the cameras that froze since the last look; `frozen` has all that are."""
        if self._began_s is None:
            self._began_s = wall_s
        began_s = self._began_s
        now = tuple(
            camera
            for camera, taken_s in frame_wall_s.items()
            if wall_s - max(taken_s, began_s) > self._limit_s
        )
        newly = tuple(camera for camera in now if camera not in self.frozen)
        self.frozen = now
        return newly
