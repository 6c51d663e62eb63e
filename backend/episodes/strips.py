"""Film strips: a few frames of an episode side by side, as one small JPEG a list can show.

Made when first asked for and kept under `<data_dir>/strips/`, which may be deleted at any time. The
frames are evenly spaced; where an episode is long enough they are the key frames next before,
because any other frame costs the decoding of up to a second of video.
"""

import os
from pathlib import Path

import cv2
import numpy as np

from backend.episodes.video import VideoReader

STRIPS_DIR = "strips"
NUM_FRAMES = 6
JPEG_QUALITY = 80


class StripError(ValueError):
    """A strip that cannot be made. Says which video, and why."""


def strip_path(data_dir: Path, episode_id: str, height_px: int) -> Path:
    """Where the strip of an episode is kept."""
    return data_dir / STRIPS_DIR / f"{episode_id}.{height_px}.jpg"


def keep_strip(path: Path, video: Path, *, num_steps: int, height_px: int) -> None:
    """Make a strip unless it is there; a reader of `path` finds all of it or nothing.

    Args:
        path: Where to.
        video: Of one camera, finished.
        num_steps: Frames in it.
        height_px: Of the strip.

    Raises:
        StripError: The video cannot be read.
    """
    if path.is_file():
        return
    jpeg = make_strip(video, num_steps=num_steps, height_px=height_px)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two requests at once write two files; the same strip comes of either.
    aside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        aside.write_bytes(jpeg)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def make_strip(video: Path, *, num_steps: int, height_px: int) -> bytes:
    """A JPEG of `NUM_FRAMES` frames, fewer of a shorter episode, the first on the left.

    Raises:
        StripError: The video cannot be read.
    """
    try:
        with VideoReader(video) as reader:
            frames = [reader.frame(index) for index in strip_frames(num_steps, reader.gop)]
    except (OSError, ValueError, IndexError) as error:
        raise StripError(f"no film strip of {video}: {error}") from error
    if not frames:
        raise StripError(f"no film strip of {video}: the episode has no steps")
    height, width = frames[0].shape[:2]
    size = (max(1, round(width * height_px / height)), height_px)
    small = [cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames]
    bgr = cv2.cvtColor(np.concatenate(small, axis=1), cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return bytes(jpeg)


def strip_frames(num_steps: int, gop: int) -> list[int]:
    """Which frames a strip shows, ascending: evenly spaced, the first and the last among them.

    Args:
        num_steps: Frames of the episode.
        gop: Frames from one key frame to the next.
    """
    count = min(NUM_FRAMES, num_steps)
    even = [round(index) for index in np.linspace(0, num_steps - 1, count)] if count else []
    if num_steps < 2 * NUM_FRAMES * gop:
        return even
    return [index - index % gop for index in even]
