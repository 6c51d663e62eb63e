"""Counts, cuts and joins recorded videos by their packets: nothing is decoded, no picture changes.

This works because the recorder writes no B frames: packets are in the order of the pictures, and a
video may end behind any of them.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet

from backend.episodes.video import MP4_OPTIONS, open_video, rate_of


def count_frames(path: Path) -> int:
    """Whole frames in the file, torn tail excluded; 0 when nothing can be read."""
    if not path.is_file():
        return 0
    try:
        container = open_video(path)
    except ValueError:
        return 0
    try:
        return sum(1 for _ in _packets(container))
    finally:
        container.close()


def cut(path: Path, num_frames: int, destination: Path) -> None:
    """Copy the first `num_frames` frames, undecoded, into a new whole MP4.

    Raises:
        ValueError: The source holds fewer.
    """
    with (
        open_video(path) as source,
        av.open(str(destination), "w", format="mp4", options=MP4_OPTIONS) as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        copied = 0
        for packet in _packets(source):
            if copied == num_frames:
                break
            packet.stream = stream
            target.mux(packet)
            copied += 1
    if copied < num_frames:
        raise ValueError(f"{path} holds {copied} whole frames, cannot keep {num_frames}")


def stream_key(path: Path) -> bytes:
    """What two videos must have in common to be put into one without decoding them.

    Raises:
        ValueError: The file holds no readable video.
    """
    container = open_video(path)
    try:
        context = container.streams.video[0].codec_context
        described = f"{context.name} {context.width}x{context.height} {context.pix_fmt}"
        return described.encode() + bytes(context.extradata or b"")
    finally:
        container.close()


def concatenate(sources: Sequence[tuple[Path, int]], destination: Path, *, fps: float) -> None:
    """Copy videos, undecoded, one behind the other into a plain MP4 with its index in front.

    Frame n of the result has the presentation time n / fps exactly, whatever the sources' own
    durations claim.

    Args:
        sources: Files with the same `stream_key`, and how many frames of each to take.
        destination: Must not exist.
        fps: Of all of them.

    Raises:
        ValueError: A source holds fewer frames than asked for.
    """
    ticks_per_frame = 1000
    time_base = 1 / (rate_of(fps) * ticks_per_frame)
    with av.open(str(destination), "w", format="mp4", options={"movflags": "faststart"}) as target:
        stream = None
        done = 0
        for path, num_frames in sources:
            with open_video(path) as source:
                if stream is None:
                    stream = target.add_stream_from_template(source.streams.video[0])
                    stream.time_base = time_base
                copied = 0
                for index, packet in enumerate(islice(_packets(source), num_frames)):
                    packet.stream = stream
                    packet.time_base = time_base
                    packet.pts = packet.dts = (done + index) * ticks_per_frame
                    packet.duration = ticks_per_frame
                    target.mux(packet)
                    copied = index + 1
            if copied < num_frames:
                raise ValueError(f"{path} holds {copied} whole frames, needed {num_frames}")
            done += num_frames


def _packets(container: InputContainer) -> Iterator[Packet]:
    """Whole packets up to where the file is torn."""
    try:
        for packet in container.demux(video=0):
            if packet.pts is not None and not packet.is_corrupt:
                yield packet
    except av.FFmpegError:
        return
