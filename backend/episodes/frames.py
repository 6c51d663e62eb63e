"""Camera pictures at the size a model sees them: decoded once, kept on the disk, read at random.

A training run draws single pictures from everywhere, thousands of times; decoding H.264 or AV1 for
each would starve it. So each video is decoded once, from front to back, into an array file that is
memory-mapped from then on. Pictures are resized as π0.5 does it at run time (bilinear, centred,
black borders), so nothing is lost by keeping them small.

The cache may be deleted at any time. An entry is named by all that decides its content, so a
video that changed is decoded again. When the disk is short, entries used longest ago go first.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from backend.episodes.files import fsync_path
from backend.episodes.video import open_video

CACHE_DIR = "cache/frames"
# What the disk keeps free whatever the cache would like.
RESERVE_BYTES = 2 * 1024**3


class FramesError(ValueError):
    """Pictures that cannot be had. Says which file, what is missing, and what would help."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Where one camera's pictures of one episode are."""

    # A video, or another file that `rows` reads.
    path: Path
    num_frames: int
    fps: float
    # Where the episode begins in a video that several share, seconds.
    first_s: float = 0.0
    # Reads pictures that are no video: RGB, one by one. None for videos.
    rows: Callable[[], Iterator[np.ndarray]] | None = None
    # What tells these pictures from others in the same file, besides the above.
    part: str = ""

    def frames(self) -> Iterator[np.ndarray]:
        """All pictures in order, uint8 [height, width, 3] RGB.

        Raises:
            FramesError: There are fewer than `num_frames`, or they cannot be read.
        """
        count = 0
        for frame in self.rows() if self.rows is not None else self._decoded():
            if count == self.num_frames:
                return
            yield frame
            count += 1
        if count < self.num_frames:
            raise FramesError(
                f"{self.path} holds {count} pictures from {self.first_s:g} s on, the episode has "
                f"{self.num_frames} steps"
            )

    def _decoded(self) -> Iterator[np.ndarray]:
        try:
            container = open_video(self.path)
        except (ValueError, OSError) as error:
            raise FramesError(str(error)) from error
        try:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            time_base = stream.time_base or Fraction(1, 90_000)
            # Half a frame early: times are rounded to the time base.
            begin = (self.first_s - 0.5 / self.fps) / float(time_base)
            if self.first_s > 0:
                container.seek(max(0, round(self.first_s / float(time_base))), stream=stream)
            for frame in container.decode(stream):
                if frame.pts is not None and frame.pts >= begin:
                    yield frame.to_ndarray(format="rgb24")
        except av.FFmpegError as error:
            raise FramesError(f"{self.path} cannot be decoded: {error}") from error
        finally:
            container.close()


def fitted(frame: np.ndarray, size_px: int) -> np.ndarray:
    """The picture in a square of `size_px`, undistorted, centred on black; uint8 RGB."""
    height, width = frame.shape[:2]
    ratio = max(width, height) / size_px
    inner_h, inner_w = int(height / ratio), int(width / ratio)
    if (inner_h, inner_w) != (height, width):
        frame = cv2.resize(frame, (inner_w, inner_h), interpolation=cv2.INTER_LINEAR)
    square = np.zeros((size_px, size_px, 3), dtype=np.uint8)
    top, left = (size_px - inner_h) // 2, (size_px - inner_w) // 2
    square[top : top + inner_h, left : left + inner_w] = frame
    return square


def decode(pictures: Pictures, size_px: int) -> np.ndarray:
    """All pictures in memory, uint8 [num_frames, size_px, size_px, 3].

    Raises:
        FramesError: See `Pictures.frames`.
    """
    decoded = np.empty((pictures.num_frames, size_px, size_px, 3), dtype=np.uint8)
    for index, frame in enumerate(pictures.frames()):
        decoded[index] = fitted(frame, size_px)
    return decoded


class FrameCache:
    """Decoded pictures under `<data_dir>/cache/frames`. Safe to use from several threads."""

    def __init__(self, data_dir: Path, *, owner: str, free_bytes: Callable[[Path], int]) -> None:
        """Open the cache.

        Args:
            data_dir: The data directory.
            owner: Names what this process has not finished, so that it can be cleaned up.
            free_bytes: Free disk at a path.
        """
        self._folder = data_dir / CACHE_DIR
        self._folder.mkdir(parents=True, exist_ok=True)
        self._owner = owner
        self._free_bytes = free_bytes
        self._in_use: set[Path] = set()

    def get(self, pictures: Pictures, size_px: int) -> np.ndarray | None:
        """The decoded pictures as a memory map, or None when they are not in the cache."""
        path = self._path(pictures, size_px)
        self._in_use.add(path)
        try:
            frames = np.load(path, mmap_mode="c")
        except FileNotFoundError:
            return None
        os.utime(path)
        return np.asarray(frames)

    def fetch(self, pictures: Pictures, size_px: int) -> np.ndarray:
        """The decoded pictures as a memory map; decodes them when they are not in the cache.

        Raises:
            FramesError: They cannot be decoded, or the disk is full.
        """
        found = self.get(pictures, size_px)
        if found is not None:
            return found
        shape = (pictures.num_frames, size_px, size_px, 3)
        self._make_room(int(np.prod(shape)))
        path = self._path(pictures, size_px)
        aside = path.with_name(f".{self._owner}.{path.name}")
        written: np.memmap = np.lib.format.open_memmap(  # type: ignore[no-untyped-call]
            aside, mode="w+", dtype=np.uint8, shape=shape
        )
        try:
            for index, frame in enumerate(pictures.frames()):
                written[index] = fitted(frame, size_px)
            written.flush()
            fsync_path(aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
        return np.asarray(np.load(path, mmap_mode="c"))

    def _path(self, pictures: Pictures, size_px: int) -> Path:
        try:
            stat = pictures.path.stat()
        except OSError as error:
            raise FramesError(f"no pictures at {pictures.path}: {error}") from error
        what = (
            *(pictures.path.absolute(), stat.st_size, stat.st_mtime_ns, pictures.part),
            *(pictures.first_s, pictures.num_frames, size_px),
        )
        digest = hashlib.sha256("|".join(map(str, what)).encode()).hexdigest()
        return self._folder / f"{digest[:40]}.npy"

    def _make_room(self, num_bytes: int) -> None:
        wanted = num_bytes + RESERVE_BYTES
        if self._free_bytes(self._folder) >= wanted:
            return
        entries = {path: path.stat() for path in self._folder.glob("*.npy")}
        for path in sorted(entries, key=lambda entry: entries[entry].st_mtime):
            if path not in self._in_use:
                path.unlink(missing_ok=True)
                if self._free_bytes(self._folder) >= wanted:
                    return
        raise FramesError(
            f"decoded pictures need {num_bytes / 1e9:.2f} GB more on the disk of {self._folder}, "
            f"which has {self._free_bytes(self._folder) / 1e9:.2f} GB left, of which "
            f"{RESERVE_BYTES / 1e9:.0f} GB stay free: free some, or choose fewer episodes"
        )


def free_bytes(path: Path) -> int:
    """Free disk at `path`."""
    return shutil.disk_usage(path).free


def remove_unfinished(data_dir: Path, owner: str) -> None:
    """Remove what a killed process of that name left half decoded."""
    for path in (data_dir / CACHE_DIR).glob(f".{owner}.*"):
        path.unlink(missing_ok=True)
