"""A robot without a robot: six joints that follow at finite speed, cameras that never wait.

LeRobot's `Robot` type `handrail_synthetic`, for benchmarks and tests. Each camera has a thread of
its own, as real cameras have, and hands out its newest frame. Into the pixels of each frame its
capture time is burned, so that whoever sees the picture knows how old it is:

    STAMP_BITS blocks in one row from the top left corner, each STAMP_BLOCK_PX wide and high,
    black for 0 and white for 1, highest bit first: Unix time in whole milliseconds.

That is 288 x 6 pixels, readable after JPEG at quality 80. A camera must therefore be at least 288
pixels wide. Faults come when the config asks for them: `fail_after_steps` unplugs the robot,
`freeze_cameras_after_steps` stops the pictures while everything else goes on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from lerobot.cameras.camera import Camera
from lerobot.cameras.configs import CameraConfig
from lerobot.robots.config import RobotConfig
from lerobot.robots.robot import Robot
from lerobot.utils.errors import DeviceNotConnectedError

STAMP_BITS = 48
STAMP_BLOCK_PX = 6
JOINTS = ("shoulder_pan", "shoulder_lift", "elbow_flex", "wrist_flex", "wrist_roll", "gripper")
# Width of the texture that passes by; the picture repeats after it.
TEXTURE_PX = 256
SCROLL_PX_S = 60.0


@CameraConfig.register_subclass("handrail_synthetic")
@dataclass(kw_only=True)
class SyntheticCameraConfig(CameraConfig):
    """A camera that draws its pictures itself."""


@RobotConfig.register_subclass("handrail_synthetic")
@dataclass(kw_only=True)
class SyntheticRobotConfig(RobotConfig):
    """Six joints and any number of `handrail_synthetic` cameras."""

    cameras: dict[str, CameraConfig] = field(default_factory=dict)
    # How fast a joint follows its goal, action units a second.
    joint_speed: float = 180.0
    # Actions after which the robot is as if unplugged; None: never.
    fail_after_steps: int | None = None
    # Actions after which the cameras repeat their last frame; None: never.
    freeze_cameras_after_steps: int | None = None


def write_stamp(frame: np.ndarray, ms: int) -> None:
    """Burn `ms` into the top left corner of a uint8 [height, width, 3] frame, in place."""
    bits = (ms >> np.arange(STAMP_BITS - 1, -1, -1)) & 1
    row = np.repeat(bits.astype(np.uint8) * 255, STAMP_BLOCK_PX)
    frame[:STAMP_BLOCK_PX, : len(row)] = row[None, :, None]


def read_stamp(frame: np.ndarray) -> int:
    """Return the capture time of a frame, Unix time in milliseconds."""
    middle = STAMP_BLOCK_PX // 2
    row = frame[middle, middle : STAMP_BITS * STAMP_BLOCK_PX : STAMP_BLOCK_PX]
    bits = row.reshape(STAMP_BITS, -1).mean(axis=1) > 127
    return sum(1 << place for place, bit in enumerate(reversed(bits.tolist())) if bit)


class SyntheticCamera(Camera):
    """Draws a texture that moves, `fps` times a second, in its own thread."""

    def __init__(self, config: SyntheticCameraConfig, *, seed: int = 0) -> None:
        super().__init__(config)
        if self.width < STAMP_BITS * STAMP_BLOCK_PX:
            raise ValueError(
                f"a synthetic camera is at least {STAMP_BITS * STAMP_BLOCK_PX} pixels wide, so "
                f"that its time stamp fits, got {self.width}"
            )
        # The performance counter at the newest frame, as LeRobot's own cameras report it.
        self.latest_timestamp: float | None = None
        self.frozen = threading.Event()
        self._frame: np.ndarray | None = None
        self._texture = _texture(self.height, self.width + TEXTURE_PX, seed)
        self._stopped = threading.Event()
        self._first = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_connected(self) -> bool:
        return self._thread is not None

    @staticmethod
    def find_cameras() -> list[dict[str, Any]]:
        return []

    def connect(self, warmup: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        self._stopped.clear()
        self._first.clear()
        self._thread = threading.Thread(target=self._draw, name="synthetic-camera", daemon=True)
        self._thread.start()
        self._first.wait()

    def read(self) -> np.ndarray:
        return self.read_latest()

    def async_read(self, timeout_ms: float = 200) -> np.ndarray:  # noqa: ARG002
        return self.read_latest()

    def read_latest(self, max_age_ms: int = 500) -> np.ndarray:  # noqa: ARG002
        frame = self._frame
        if self._thread is None or frame is None:
            raise DeviceNotConnectedError("the synthetic camera is not connected")
        return frame

    def disconnect(self) -> None:
        thread, self._thread = self._thread, None
        self._stopped.set()
        if thread is not None:
            thread.join()

    def _draw(self) -> None:
        due = time.perf_counter()
        while not self._stopped.wait(max(0.0, due - time.perf_counter())):
            due = max(due + 1 / self.fps, time.perf_counter() - 1)
            if self.frozen.is_set():
                continue
            now_s = time.time()
            counter = time.perf_counter()
            offset = int(now_s * SCROLL_PX_S) % TEXTURE_PX
            frame = self._texture[:, offset : offset + self.width].copy()
            write_stamp(frame, int(now_s * 1000))
            self._frame = frame
            self.latest_timestamp = counter
            self._first.set()


class SyntheticRobot(Robot):
    """Joints that move towards their goals at `joint_speed`, as time passes.

    Args:
        config: Cameras, speed, faults.
        clock_s: Monotonic seconds, by which the joints move.
    """

    config_class = SyntheticRobotConfig
    name = "handrail_synthetic"

    def __init__(
        self, config: SyntheticRobotConfig, *, clock_s: Callable[[], float] = time.perf_counter
    ) -> None:
        super().__init__(config)
        self.config = config
        self._clock_s = clock_s
        self.cameras = {
            name: SyntheticCamera(camera, seed=seed)
            for seed, (name, camera) in enumerate(config.cameras.items())
        }
        self._position = np.array([0.0] * 5 + [50.0])
        self._goal = self._position.copy()
        self._moved_s = 0.0
        self._steps = 0
        self._connected = False

    @property
    def observation_features(self) -> dict[str, Any]:
        pictures = {name: (c.height, c.width, 3) for name, c in self.cameras.items()}
        return {**self.action_features, **pictures}

    @property
    def action_features(self) -> dict[str, Any]:
        return {f"{joint}.pos": float for joint in JOINTS}

    @property
    def is_connected(self) -> bool:
        return self._connected

    @property
    def is_calibrated(self) -> bool:
        return True

    def connect(self, calibrate: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002
        for camera in self.cameras.values():
            camera.connect()
        self._moved_s = self._clock_s()
        self._connected = True

    def calibrate(self) -> None:
        """Nothing to calibrate."""

    def configure(self) -> None:
        """Nothing to configure."""

    def get_observation(self) -> dict[str, Any]:
        self._check_plugged_in()
        self._follow()
        joints = zip(self.action_features, self._position.tolist(), strict=True)
        return {
            **dict(joints),
            **{name: camera.read_latest() for name, camera in self.cameras.items()},
        }

    def send_action(self, action: dict[str, Any]) -> dict[str, Any]:
        self._check_plugged_in()
        self._follow()
        self._goal = np.array([float(action[name]) for name in self.action_features])
        self._steps += 1
        freeze_after = self.config.freeze_cameras_after_steps
        if freeze_after is not None and self._steps >= freeze_after:
            for camera in self.cameras.values():
                camera.frozen.set()
        return dict(zip(self.action_features, self._goal.tolist(), strict=True))

    def disconnect(self) -> None:
        self._connected = False
        for camera in self.cameras.values():
            camera.disconnect()

    def _follow(self) -> None:
        now = self._clock_s()
        reach = self.config.joint_speed * (now - self._moved_s)
        self._moved_s = now
        self._position += np.clip(self._goal - self._position, -reach, reach)

    def _check_plugged_in(self) -> None:
        if not self._connected:
            raise DeviceNotConnectedError("the synthetic robot is not connected")
        limit = self.config.fail_after_steps
        if limit is not None and self._steps >= limit:
            raise ConnectionError(f"the synthetic robot was unplugged after {limit} steps")


def _texture(height: int, width: int, seed: int) -> np.ndarray:
    """Return soft coloured blobs, uint8 [height, width, 3], that repeat after TEXTURE_PX."""
    coarse = np.random.default_rng(seed).integers(40, 216, (height // 16 + 1, TEXTURE_PX // 16, 3))
    tile = np.repeat(np.repeat(coarse, 16, axis=0), 16, axis=1)[:height].astype(np.float32)
    for axis in (0, 1):
        tile = sum(np.roll(tile, shift, axis=axis) for shift in range(-8, 9)) / 17
    repeats = -(-width // TEXTURE_PX)
    return np.tile(tile, (1, repeats, 1))[:, :width].astype(np.uint8)
