"""Encodes the newest picture of every camera, in a thread of its own.

The loop leaves an observation in a slot and goes on; an older one that waits there is overwritten.
Pictures are encoded whether anybody watches or not, so that the machine that drives the robot
carries the same load either way. Nothing may rely on this for recording.
"""

import logging
import threading
from collections.abc import Callable

import cv2
import numpy as np

from backend.control import Observation
from backend.wire import MAX_FRAME_BYTES, pack_frame

log = logging.getLogger(__name__)

JPEG_QUALITY = 80


class FrameEncoder:
    """One slot in, packed JPEG frames out."""

    def __init__(self, *, offer: Callable[[int, int, bytes], None]) -> None:
        """`offer(generation, camera, packed)` takes a frame; called from the encoder's thread."""
        self._offer = offer
        self._changed = threading.Condition()
        self._cameras: tuple[str, ...] = ()
        self._generation = 0
        self._newest: Observation | None = None
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="encoder", daemon=True)
        self._thread.start()

    def use(self, cameras: tuple[str, ...]) -> int:
        """From now on these are the cameras, by number; return the generation of their frames."""
        with self._changed:
            self._cameras = cameras
            self._generation += 1
            self._newest = None
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
        generation = 0
        sequences: list[int] = []
        taken_s: list[float | None] = []
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._is_closed)
                if self._is_closed:
                    return
                newest, self._newest = self._newest, None
                cameras = self._cameras
                if generation != self._generation:
                    generation = self._generation
                    sequences = [0] * len(cameras)
                    taken_s = [None] * len(cameras)
            assert newest is not None
            for index, camera in enumerate(cameras):
                captured_s = newest.frame_wall_s.get(camera)
                # A camera slower than the loop shows the same picture twice: it went out already.
                if captured_s is None or captured_s == taken_s[index]:
                    continue
                taken_s[index] = captured_s
                jpeg = encode_jpeg(newest.frames[camera])
                if len(jpeg) >= MAX_FRAME_BYTES:
                    log.debug("camera %s: a picture of %d bytes was not sent", camera, len(jpeg))
                    continue
                packed = pack_frame(
                    camera=index,
                    sequence=sequences[index],
                    captured_ms=captured_s * 1000,
                    jpeg=jpeg,
                )
                sequences[index] += 1
                self._offer(generation, index, packed)


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
