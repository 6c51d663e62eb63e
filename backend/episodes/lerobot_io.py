"""Writes episodes to a LeRobot v3 dataset, copying their videos as they are.

LeRobot's own writer makes the tables, the metadata and the statistics. Only where it would encode
pictures, packets of the recorded H.264 are copied instead: episodes share one file up to LeRobot's
size limit, and `meta/episodes` says at which second each begins. Pictures are decoded for their
statistics only, as many as LeRobot samples itself.

This imports LeRobot, which takes seconds: only jobs may import it. Whether what was written can be
read again is checked in `lerobot_check.py`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.datasets.compute_stats import (
    auto_downsample_height_width,
    get_feature_stats,
    sample_indices,
)
from lerobot.datasets.dataset_metadata import LeRobotDatasetMetadata
from lerobot.datasets.dataset_writer import DatasetWriter
from lerobot.datasets.io_utils import write_info
from lerobot.datasets.utils import update_chunk_file_indices

from backend.domain import Outcome
from backend.episodes.format import EpisodeHeader
from backend.episodes.label_ranges import LabelRange
from backend.episodes.outcomes import EXPORT_COLUMNS, export_columns
from backend.episodes.remux import concatenate, stream_key
from backend.episodes.store import read_steps, video_path
from backend.episodes.video import VideoReader

MEGABYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class EpisodeToWrite:
    """One episode and what the labels in force say of it."""

    folder: Path
    header: EpisodeHeader
    outcome: Outcome
    # Steps that count, which are written, of those that were recorded.
    num_steps: int
    num_recorded: int
    ranges: Sequence[LabelRange] = ()


@dataclass(frozen=True, kw_only=True)
class VideoSpan:
    """Where an episode's pictures of one camera are."""

    chunk_index: int
    file_index: int
    from_s: float
    to_s: float


def video_feature(camera: str) -> str:
    """LeRobot's name for a camera's pictures."""
    return f"observation.images.{camera}"


def write_dataset(
    root: Path,
    repo_id: str,
    episodes: Sequence[EpisodeToWrite],
    *,
    columns: Sequence[str],
    on_episode: Callable[[int], None],
) -> None:
    """Write `episodes`, which all have the same shape, to a new dataset at `root`.

    Args:
        root: Must not exist.
        repo_id: The dataset's name, `owner/name`.
        episodes: At least one; their fps a whole number.
        columns: Of `EXPORT_COLUMNS`.
        on_episode: Called with the number of episodes written so far.

    Raises:
        ValueError: A folder does not hold what its header and row say.
        OSError: The disk did not take it.
    """
    header = episodes[0].header
    meta = LeRobotDatasetMetadata.create(
        repo_id,
        fps=round(header.fps),
        features=_features(header, columns),
        robot_type=header.robot_type,
        root=root,
        use_videos=bool(header.cameras),
    )
    spans = {
        camera: list(_copy_videos(meta, episodes, camera)) for camera in sorted(header.cameras)
    }
    writer = _CopyingWriter(meta, root, spans)
    try:
        for index, episode in enumerate(episodes):
            writer.write(index, episode, columns)
            on_episode(index + 1)
    finally:
        writer.finalize()
    for camera in spans:
        meta.update_video_info(video_feature(camera))
    write_info(meta.info, meta.root)


class _CopyingWriter(DatasetWriter):  # type: ignore[misc]  # LeRobot has no types
    """LeRobot's writer for episodes whose videos are in place already.

    Its `save_episode` asks a streaming encoder for the pictures' statistics and
    `_save_episode_video` for where they are; both answers are known here.
    """

    def __init__(
        self,
        meta: LeRobotDatasetMetadata,
        root: Path,
        spans: Mapping[str, Sequence[VideoSpan]],
    ) -> None:
        self._pictures = _PictureStats(sorted(spans))
        super().__init__(
            meta=meta,
            root=root,
            rgb_encoder=None,
            depth_encoder=None,
            encoder_threads=None,
            batch_encoding_size=1,
            streaming_encoder=self._pictures if spans else None,
        )
        self._spans = {video_feature(camera): rows for camera, rows in spans.items()}

    def write(self, index: int, episode: EpisodeToWrite, columns: Sequence[str]) -> None:
        """Append one episode."""
        steps = read_steps(episode.folder)
        if len(steps) != episode.num_recorded:
            raise ValueError(
                f"episode {episode.header.id} has {len(steps)} steps on disk, its row says "
                f"{episode.num_recorded}"
            )
        self._pictures.episode = episode
        count = episode.num_steps
        derived = export_columns(steps.is_human[:count], episode.outcome, episode.ranges)
        frames = np.arange(count)
        self.save_episode(
            {
                "size": count,
                "task": [episode.header.task] * count,
                "episode_index": index,
                # Counted by the writer.
                "index": None,
                "task_index": None,
                "frame_index": frames,
                "timestamp": (frames / episode.header.fps).astype(np.float32),
                "observation.state": steps.state[:count],
                "action": steps.action[:count],
                **{name: derived[name] for name in columns},
                **{name: [None] * count for name in self._spans},
            }
        )

    def _save_episode_video(
        self,
        video_key: str,
        episode_index: int,
        temp_path: Path | None = None,  # noqa: ARG002 - LeRobot's signature
    ) -> dict[str, Any]:
        span = self._spans[video_key][episode_index]
        return {
            "episode_index": episode_index,
            f"videos/{video_key}/chunk_index": span.chunk_index,
            f"videos/{video_key}/file_index": span.file_index,
            f"videos/{video_key}/from_timestamp": span.from_s,
            f"videos/{video_key}/to_timestamp": span.to_s,
        }


class _PictureStats:
    """Stands where LeRobot's writer expects its encoder; gives statistics of recorded pictures."""

    def __init__(self, cameras: Sequence[str]) -> None:
        self._cameras = cameras
        self.episode: EpisodeToWrite | None = None

    def finish_episode(self) -> dict[str, tuple[None, dict[str, np.ndarray]]]:
        """Per camera no file, and statistics of its channels in units of 0 to 255."""
        assert self.episode is not None
        return {
            video_feature(camera): (
                None,
                _picture_stats(video_path(self.episode.folder, camera), self.episode.num_steps),
            )
            for camera in self._cameras
        }

    def close(self) -> None:
        """Nothing is held."""


def _picture_stats(path: Path, num_frames: int) -> dict[str, np.ndarray]:
    with VideoReader(path) as video:
        sampled = np.stack(
            [
                auto_downsample_height_width(video.frame(index).transpose(2, 0, 1))
                for index in sample_indices(num_frames)
            ]
        )
    stats: dict[str, np.ndarray] = get_feature_stats(sampled, axis=(0, 2, 3), keepdims=True)
    # The writer scales to 0..1 and gives these the shape [channels, 1, 1] itself.
    return {name: value if name == "count" else value.ravel() for name, value in stats.items()}


def _features(header: EpisodeHeader, columns: Sequence[str]) -> dict[str, dict[str, Any]]:
    def vector(names: Sequence[str]) -> dict[str, Any]:
        return {"dtype": "float32", "shape": (len(names),), "names": list(names)}

    return {
        "observation.state": vector(header.state_names),
        "action": vector(header.action_names),
        **{
            video_feature(camera): {
                "dtype": "video",
                "shape": (size.height, size.width, 3),
                "names": ["height", "width", "channels"],
            }
            for camera, size in sorted(header.cameras.items())
        },
        **{name: {"dtype": EXPORT_COLUMNS[name], "shape": (1,), "names": None} for name in columns},
    }


def _copy_videos(
    meta: LeRobotDatasetMetadata, episodes: Sequence[EpisodeToWrite], camera: str
) -> Iterator[VideoSpan]:
    """Join one camera's videos into the dataset's files; yields each episode's place."""
    chunk_index, file_index = 0, 0
    for group in _groups(episodes, camera, meta.video_files_size_in_mb * MEGABYTE):
        path = meta.root / meta.video_path.format(
            video_key=video_feature(camera), chunk_index=chunk_index, file_index=file_index
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        fps = group[0].header.fps
        concatenate([(video_path(e.folder, camera), e.num_steps) for e in group], path, fps=fps)
        done = 0
        for episode in group:
            yield VideoSpan(
                chunk_index=chunk_index,
                file_index=file_index,
                from_s=done / fps,
                to_s=(done + episode.num_steps) / fps,
            )
            done += episode.num_steps
        chunk_index, file_index = update_chunk_file_indices(
            chunk_index, file_index, meta.chunks_size
        )


def _groups(
    episodes: Sequence[EpisodeToWrite], camera: str, max_bytes: int
) -> Iterator[list[EpisodeToWrite]]:
    """Runs of episodes whose videos fit into one file, by size and by how they were encoded."""
    group: list[EpisodeToWrite] = []
    group_bytes = 0
    group_key = b""
    for episode in episodes:
        path = video_path(episode.folder, camera)
        size, key = path.stat().st_size, stream_key(path)
        if group and (key != group_key or group_bytes + size > max_bytes):
            yield group
            group, group_bytes = [], 0
        group.append(episode)
        group_bytes += size
        group_key = key
    if group:
        yield group
