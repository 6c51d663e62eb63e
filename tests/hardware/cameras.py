"""Cameras without a camera: LeRobot's OpenCV camera on a video file that behaves like a device.

OpenCV reads a file as fast as it decodes, ends at its end, and refuses every setting; LeRobot's
camera would read through it in a blink and give up. `FileDevice` takes OpenCV's place for the
length of a test (`monkeypatch.setattr(cv2, "VideoCapture", FileDevice)`): it gives one frame a
period, begins again at the end, and accepts the size and rate it has. A file that is gone is a
camera that was unplugged. All else, LeRobot's code included, is the real thing.
"""

import itertools
import threading
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np

NUM_FRAMES = 30


def write_video(
    path: Path,
    *,
    width: int = 160,
    height: int = 120,
    fps: int = 30,
    num_frames: int = NUM_FRAMES,
) -> Path:
    """Write an H.264 file in which every frame is a little brighter than the one before."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(num_frames):
            level = 40 + number * 150 // num_frames
            picture = np.full((height, width, 3), level, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


class FileDevice:
    """A video file seen as a camera; `slowed_to_hz`, `frozen` and `unplugged` hold for all.

    It has a capture instead of being one: OpenCV's classes do not survive being subclassed. The
    film is decoded when it is opened, so that a picture later costs as little as a camera's does.
    """

    # Less than the file's own rate, as a camera in a dark room gives; None: the file's.
    slowed_to_hz: float | None = None
    frozen = threading.Event()
    unplugged = threading.Event()
    # OpenCV's own class, from before a test put this one in its place.
    _capture_class = cv2.VideoCapture

    def __init__(self, source: Any, backend: int = cv2.CAP_ANY) -> None:
        self._path = Path(source)
        self._capture = self._capture_class(str(source), backend)
        self._film = itertools.cycle(_decode(self._capture))
        self._due_s = time.monotonic()

    def isOpened(self) -> bool:
        return self._capture.isOpened() and not self._is_gone()

    def get(self, setting: int) -> float:
        return self._capture.get(setting)

    def set(self, setting: int, value: float) -> bool:
        return abs(self.get(setting) - value) < 1e-3

    def read(self) -> tuple[bool, Any]:
        period_s = 1 / (self.slowed_to_hz or self.get(cv2.CAP_PROP_FPS))
        time.sleep(max(0.0, self._due_s - time.monotonic()))
        while self.frozen.is_set() and not self._is_gone():
            time.sleep(period_s)
        self._due_s = max(self._due_s + period_s, time.monotonic())
        if self._is_gone():
            return False, None
        picture = next(self._film, None)
        return picture is not None, None if picture is None else picture.copy()

    def release(self) -> None:
        self._capture.release()

    def _is_gone(self) -> bool:
        return self.unplugged.is_set() or not self._path.exists()


def _decode(capture: cv2.VideoCapture) -> list[np.ndarray]:
    """All pictures of a film, uint8 [height, width, 3] BGR; none when it cannot be opened."""
    pictures = []
    while (frame := capture.read())[0]:
        pictures.append(frame[1])
    return pictures
