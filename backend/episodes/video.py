"""Camera pictures as H.264: written while the robot moves, read back frame by frame.

The file is a fragmented MP4: a fragment goes to the disk whenever the next key frame begins, so a
killed process loses at most the last one, and browsers play it as it is. Frame n has the
presentation time n / fps, which is how a reader finds it exactly. There are no B frames, so a file
may be cut behind any frame without decoding it.

The preset is the cheapest one: the recorder shares the machine with the control loop, and the
30 % of disk that a better preset saves are not worth its time there.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace

MP4_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof",
    "flush_packets": "1",
}
X264_OPTIONS = {"preset": "ultrafast", "tune": "zerolatency", "crf": "22"}
# ITU-R BT.601, which the RGB conversion uses; large pictures without a tag would be read as 709.
SMPTE170M = 6


def rate_of(fps: float) -> Fraction:
    """Frames a second as a fraction that MP4 can hold exactly (29.97 becomes 30000/1001)."""
    if not fps > 0:
        raise ValueError(f"fps must be above 0, got {fps}")
    nearest = Fraction(round(fps * 1001), 1001)
    if abs(float(nearest) - fps) < 1e-3 and nearest.numerator % 1000 == 0:
        return nearest
    return Fraction(fps).limit_denominator(1000)


class VideoWriter:
    """Appends RGB frames to one MP4. Not thread-safe; `close()` may be repeated."""

    def __init__(self, path: Path, *, width: int, height: int, fps: float) -> None:
        """Create the file.

        Raises:
            ValueError: Odd sizes, which H.264 with halved colour cannot hold.
        """
        if width % 2 or height % 2:
            raise ValueError(
                f"H.264 needs even picture sizes, got {width}x{height} for {path.name}: "
                "change the camera's width or height by one pixel"
            )
        rate = rate_of(fps)
        self.path = path
        self.num_frames = 0
        self._time_base = 1 / rate
        self._container = av.open(str(path), "w", format="mp4", options=MP4_OPTIONS)
        self._stream = self._container.add_stream("libx264", rate=rate, options=X264_OPTIONS)
        context = self._stream.codec_context
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base = self._time_base
        context.gop_size = max(1, round(fps))
        # One thread: several cameras share few cores with the control loop.
        context.thread_count = 1
        context.colorspace = Colorspace.SMPTE170M
        context.color_primaries = context.color_trc = SMPTE170M
        context.color_range = ColorRange.MPEG
        self._closed = False

    def add(self, rgb: np.ndarray, *, starts_fragment: bool = False) -> None:
        """Encode one uint8 [height, width, 3] picture.

        Args:
            rgb: The picture.
            starts_fragment: Make it a key frame, which brings all frames before it to the file.
        """
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24")
        frame.pts = self.num_frames
        frame.time_base = self._time_base
        if starts_fragment:
            frame.pict_type = av.video.frame.PictureType.I
        self._container.mux(self._stream.encode(frame))
        self.num_frames += 1

    def close(self) -> None:
        """Write what the encoder still holds and the index of the fragments."""
        if self._closed:
            return
        self._closed = True
        try:
            if self.num_frames:
                self._container.mux(self._stream.encode(None))
        finally:
            self._container.close()


class VideoReader:
    """Frame-exact access to one MP4 of this format, whole or torn. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the file.

        Raises:
            FileNotFoundError: No such file.
            ValueError: It holds no readable video.
        """
        if not path.is_file():
            raise FileNotFoundError(f"no video at {path}")
        self.path = path
        self._container = open_video(path)
        self._stream = self._container.streams.video[0]
        # One thread: no frames are held back, and seeking stays exact.
        self._context: VideoCodecContext = self._stream.codec_context
        rate = self._stream.guessed_rate or self._stream.average_rate
        if rate is None or self._stream.time_base is None:
            self._container.close()
            raise ValueError(f"{path} holds no video with a frame rate")
        self._ticks_per_frame = 1 / (rate * self._stream.time_base)
        self._decoded: Iterator[VideoFrame] | None = None
        self._next_index = 0

    @property
    def gop(self) -> int:
        """Frames from one key frame to the next, as the recorder places them."""
        return max(1, round(float(self._context.framerate or 1)))

    def frame(self, index: int) -> np.ndarray:
        """Picture `index` as uint8 [height, width, 3] RGB.

        Asking for ascending indexes decodes every picture once; others cost a seek.

        Raises:
            IndexError: The video is shorter, or `index` is negative.
        """
        if index < 0:
            raise IndexError(f"frames count from 0, got {index}")
        if self._decoded is None or not self._next_index <= index < self._next_index + self.gop:
            self._seek(index)
        assert self._decoded is not None
        try:
            for frame in self._decoded:
                self._next_index = self._index_of(frame) + 1
                if self._next_index > index:
                    return frame.to_ndarray(format="rgb24")
        except av.FFmpegError:
            # A torn last fragment ends the video where its last whole frame is.
            self._decoded = None
        raise IndexError(f"{self.path} ends before frame {index}")

    def _seek(self, index: int) -> None:
        self._container.seek(round(index * self._ticks_per_frame), stream=self._stream)
        self._decoded = self._container.decode(self._stream)
        self._next_index = 0

    def _index_of(self, frame: VideoFrame) -> int:
        return round((frame.pts or 0) / self._ticks_per_frame)

    def close(self) -> None:
        """Let go of the file; harmless when repeated."""
        self._decoded = None
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


def open_video(path: Path) -> InputContainer:
    """Open an MP4 that holds pictures.

    Raises:
        ValueError: It holds no readable video.
    """
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise ValueError(f"{path} is no readable video: {error}") from error
    if not container.streams.video:
        container.close()
        raise ValueError(f"{path} holds no video stream")
    return container
