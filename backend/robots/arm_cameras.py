"""The cameras of a LeRobot robot: their pictures as a session uses them, and when they were taken.

LeRobot hands pictures out with the joints, and its cameras' own threads have newer ones in between.
Both pass through here, so that recordings, page and policies see the same part of them.
"""

import logging
import threading
import time
from typing import Any

import cv2
import numpy as np
from lerobot.robots.robot import Robot

from backend.control import RobotFaultError
from backend.robots.camera_view import CameraView
from backend.robots.config import RobotConfig, RobotConfigError, suggest
from backend.robots.motor_buses import arms_of

logger = logging.getLogger(__name__)


class ArmCameras:
    """All colour cameras of one robot; any thread may ask for the newest pictures.

    Args:
        config: With the views.
        robot: LeRobot's robot.

    Raises:
        RobotConfigError: A view does not fit its camera.
    """

    def __init__(self, config: RobotConfig, robot: Robot) -> None:
        self._name = config.name
        # Depth maps have one channel and are no pictures.
        self._own_sizes = {
            name: (int(kind[1]), int(kind[0]))
            for name, kind in robot.observation_features.items()
            if isinstance(kind, tuple) and kind[2] == 3
        }
        # (width, height) of the pictures that are handed out.
        self.sizes = _viewed_sizes(config, self._own_sizes)
        self._views = config.cameras_view
        self._devices = _devices(robot, self._own_sizes)
        # The newest live picture of each camera that has a view, by when it was taken.
        self._viewed: dict[str, tuple[float, np.ndarray]] = {}

    def picture(self, name: str, picture: np.ndarray) -> np.ndarray:
        """Return what is used of a camera's own picture, uint8 [height, width, 3].

        Raises:
            RobotFaultError: The camera's picture is not what its config says.
        """
        width, height = self._own_sizes[name]
        if picture.shape != (height, width, 3) or picture.dtype != np.uint8:
            raise RobotFaultError(
                f"{self._name}: camera {name!r} gives {picture.dtype} pictures of shape "
                f"{picture.shape}, its config says {(height, width, 3)} uint8; "
                "correct width and height in the robot config"
            )
        view = self._views.get(name)
        return picture if view is None else viewed(picture, view)

    def newest(self, *, wall_s: float) -> dict[str, tuple[np.ndarray, float]]:
        """What the cameras' threads took last and when, Unix time; waits for nothing."""
        counter = time.perf_counter()
        frames = {}
        for name in self.sizes:
            camera = self._devices.get(name)
            captured = getattr(camera, "latest_timestamp", None)
            if captured is None:
                continue
            try:
                frames[name] = (self._live(name, camera, captured), wall_s - (counter - captured))
            except Exception as error:
                # The next observation fails on the same camera and says so to people.
                logger.debug("%s: no live picture of %s: %s", self._name, name, error)
        return frames

    def times(self, *, wall_s: float) -> dict[str, float]:
        """When each newest picture was taken, Unix time; without knowing, it is now.

        LeRobot's cameras stamp frames with the performance counter.
        """
        counter = time.perf_counter()
        times = {}
        for name in self.sizes:
            captured = getattr(self._devices.get(name), "latest_timestamp", None)
            times[name] = wall_s if captured is None else wall_s - (counter - captured)
        return times

    def threads(self) -> list[threading.Thread]:
        """LeRobot's threads that read the cameras now; a simulator's pictures need none."""
        threads = [getattr(camera, "thread", None) for camera in self._devices.values()]
        return [thread for thread in threads if isinstance(thread, threading.Thread)]

    def gone(self) -> list[str]:
        """The cameras that do not answer any more."""
        return [name for name, camera in self._devices.items() if not camera.is_connected]

    def _live(self, name: str, camera: Any, captured: float) -> np.ndarray:
        if name not in self._views:
            picture: np.ndarray = camera.read_latest()
            return picture
        before = self._viewed.get(name)
        if before is None or before[0] != captured:
            before = captured, self.picture(name, camera.read_latest())
            self._viewed[name] = before
        return before[1]


def viewed(picture: np.ndarray, view: CameraView) -> np.ndarray:
    """Return the view of a uint8 [height, width, 3] picture, contiguous in memory."""
    if view.crop_px is not None:
        x, y, width, height = view.crop_px
        picture = picture[y : y + height, x : x + width]
    if view.size_px is not None:
        # Area averaging does not flicker when it shrinks; it is linear when it enlarges.
        return cv2.resize(picture, view.size_px, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(picture)


def _devices(robot: Any, names: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """LeRobot's cameras by the names of the features; a pair keeps them in its two arms."""
    devices = dict(getattr(robot, "cameras", {}))
    for prefix, part in arms_of(robot).items():
        devices |= {prefix + name: camera for name, camera in getattr(part, "cameras", {}).items()}
    return {name: devices[name] for name in names if name in devices}


def _viewed_sizes(
    config: RobotConfig, own: dict[str, tuple[int, int]]
) -> dict[str, tuple[int, int]]:
    source, sizes = str(config.source), dict(own)
    for name, view in config.cameras_view.items():
        key = f"cameras_view.{name}"
        if name not in own:
            raise RobotConfigError(source, key, f"no such camera; {suggest(name, own)}")
        try:
            sizes[name] = view.size_of(*own[name])
        except ValueError as error:
            raise RobotConfigError(source, key, str(error)) from error
    return sizes
