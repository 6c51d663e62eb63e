"""Encodes the newest picture of every camera, in a thread of its own.

Cameras that run on their own are looked at every few milliseconds: a picture that waited for the
next control step would reach the eye up to a whole period late, and the same part of a period
late each time. Otherwise the loop leaves its observation in a slot and goes on; an older one that
waits there is overwritten. Pictures are encoded whether anybody watches or not, so that the machine
that drives the robot carries the same load either way. Nothing may rely on this for recording.
"""

import logging
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from backend.actor.priority import HELPER_PRIORITY, run_on_time
from backend.control import LiveCameras, Observation
from backend.wire import MAX_FRAME_BYTES, pack_frame

log = logging.getLogger(__name__)

JPEG_QUALITY = 80
# How often cameras that run on their own are looked at.
LOOK_INTERVAL_S = 0.004
# Capture times come from another clock and are converted at each look, not always to the same.
SAME_PICTURE_S = 0.001


class FrameEncoder:
    """Pictures in, packed JPEG frames out."""

    def __init__(self, *, offer: Callable[[int, int, bytes], None]) -> None:
        """`offer(generation, camera, packed)` takes a frame; called from the encoder's thread."""
        self._offer = offer
        self._changed = threading.Condition()
        self._cameras: tuple[str, ...] = ()
        self._live: LiveCameras | None = None
        self._generation = 0
        self._newest: Observation | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def use(self, cameras: tuple[str, ...], live: LiveCameras | None) -> int:
        """From now on these are the cameras, by number.

        Args:
            cameras: Their names.
            live: Where their pictures can be looked at; None when they come by `put` only.

        Returns:
            The generation that their frames will carry.
        """
        with self._changed:
            self._cameras = cameras
            self._live = live
            self._generation += 1
            self._newest = None
            self._changed.notify()
            return self._generation

    def put(self, observation: Observation) -> None:
        """Encode this next, unless a newer one comes before that."""
        with self._changed:
            self._newest = observation
            self._changed.notify()

    def close(self) -> None:
        """End the thread; harmless when repeated."""
        with self._changed:
            self._is_closed = True
            self._changed.notify()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        run_on_time(HELPER_PRIORITY)
        generation = 0
        sent: list[_Sent] = []
        while True:
            with self._changed:
                if self._newest is None and not self._is_closed:
                    self._changed.wait(None if self._live is None else LOOK_INTERVAL_S)
                if self._is_closed:
                    return
                newest, self._newest = self._newest, None
                cameras, live = self._cameras, self._live
                if generation != self._generation:
                    generation = self._generation
                    sent = [_Sent() for _ in cameras]
            # A camera that does not run on its own is in the observation only.
            pictures = {} if newest is None else _pictures_of(newest)
            if live is not None:
                pictures |= live.newest_frames()
            for index, camera in enumerate(cameras):
                if camera in pictures:
                    self._encode(generation, index, *pictures[camera], sent[index])

    def _encode(
        self, generation: int, index: int, frame: np.ndarray, captured_s: float, sent: "_Sent"
    ) -> None:
        # The same picture is met more than once, and an observation may be older than a look.
        if captured_s - sent.captured_s < SAME_PICTURE_S:
            return
        sent.captured_s = captured_s
        jpeg = encode_jpeg(frame)
        if len(jpeg) >= MAX_FRAME_BYTES:
            log.debug("camera %d: a picture of %d bytes was not sent", index, len(jpeg))
            return
        packed = pack_frame(
            camera=index, sequence=sent.frames, captured_ms=captured_s * 1000, jpeg=jpeg
        )
        sent.frames += 1
        self._offer(generation, index, packed)


@dataclass
class _Sent:
    """How far one camera has come."""

    frames: int = 0
    captured_s: float = -math.inf


def _pictures_of(observation: Observation) -> dict[str, tuple[np.ndarray, float]]:
    return {
        camera: (frame, observation.frame_wall_s[camera])
        for camera, frame in observation.frames.items()
    }


def encode_jpeg(frame: np.ndarray) -> bytes:
    """uint8 [height, width, 3] RGB to JPEG.

    Raises:
        ValueError: The encoder refused the array.
    """
    bgr = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
    done, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise ValueError(f"no JPEG can be made of {frame.dtype} {frame.shape}")
    return jpeg.tobytes()
