"""Takes one episode's pictures out of a video that several share, into a file of the store.

Their packets are copied when that is possible: H.264 in 4:2:0 that browsers play, a key frame where
the episode begins, no B frames, one picture every 1 / fps. Everything else (AV1, HEVC, single
images, …) is decoded and encoded again, which costs time and a little of the picture.
"""

from collections.abc import Iterator
from contextlib import closing
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.packet import Packet

from backend.episodes.frames import FramesError, Pictures
from backend.episodes.video import MP4_OPTIONS, VideoWriter, open_video, rate_of

TICKS_PER_FRAME = 1000


def take_span(pictures: Pictures, destination: Path) -> bool:
    """Write the pictures to `destination` as the store keeps them; True when they were copied.

    Raises:
        FramesError: There are too few, or they cannot be read.
    """
    if pictures.rows is None and _copy(pictures, destination):
        return True
    _encode(pictures, destination)
    return False


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        ValueError: The file holds no readable video.
    """
    with closing(open_video(path)) as container:
        context = container.streams.video[0].codec_context
        return context.width, context.height


def _copy(pictures: Pictures, destination: Path) -> bool:
    try:
        container = open_video(pictures.path)
    except (ValueError, OSError) as error:
        raise FramesError(str(error)) from error
    with closing(container) as source:
        stream = source.streams.video[0]
        context = stream.codec_context
        even = context.width % 2 == 0 and context.height % 2 == 0
        if context.name != "h264" or context.pix_fmt not in ("yuv420p", "yuvj420p") or not even:
            return False
        with av.open(str(destination), "w", format="mp4", options=MP4_OPTIONS) as target:
            copied = target.add_stream_from_template(stream)
            copied.time_base = 1 / (rate_of(pictures.fps) * TICKS_PER_FRAME)
            count = 0
            for count, packet in enumerate(_span(source, pictures), start=1):
                packet.stream = copied
                packet.time_base = copied.time_base
                packet.pts = packet.dts = (count - 1) * TICKS_PER_FRAME
                packet.duration = TICKS_PER_FRAME
                target.mux(packet)
        if count == pictures.num_frames:
            return True
    destination.unlink(missing_ok=True)
    return False


def _span(source: InputContainer, pictures: Pictures) -> Iterator[Packet]:
    """The episode's packets, up to where one is not as copying needs it."""
    stream = source.streams.video[0]
    time_base = stream.time_base or Fraction(1, 90_000)
    if pictures.first_s > 0:
        source.seek(round(pictures.first_s / time_base), stream=stream)
    half = 0.5 / pictures.fps
    count = 0
    try:
        for packet in source.demux(stream):
            if packet.pts is None or packet.pts * time_base < pictures.first_s - half:
                continue
            late_s = float(packet.pts * time_base) - pictures.first_s - count / pictures.fps
            if packet.dts != packet.pts or packet.is_corrupt or abs(late_s) > half:
                return
            if count == 0 and not packet.is_keyframe:
                return
            yield packet
            count += 1
            if count == pictures.num_frames:
                return
    except av.FFmpegError:
        return


def _encode(pictures: Pictures, destination: Path) -> None:
    frames = pictures.frames()
    first = next(frames, None)
    if first is None:
        raise FramesError(f"{pictures.path} holds no picture from {pictures.first_s:g} s on")
    # H.264 with halved colour needs even sizes: an odd last row or column is left out.
    height, width = first.shape[0] // 2 * 2, first.shape[1] // 2 * 2
    writer = VideoWriter(destination, width=width, height=height, fps=pictures.fps)
    with closing(writer):
        for frame in chain([first], frames):
            writer.add(np.ascontiguousarray(frame[:height, :width]))
