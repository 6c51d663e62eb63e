"""Reads an exported dataset back with LeRobot's own loader and compares it with the episodes.

A dataset is good when everything a training run will see is what was recorded: as many episodes,
frames and pictures, the same fps, time that only grows, the same states, actions, rewards and
human flags, no number that is none, and the first and last picture of every episode.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from lerobot.datasets import LeRobotDataset

from backend.episodes.lerobot_io import EpisodeToWrite, video_feature
from backend.episodes.outcomes import export_columns
from backend.episodes.remux import count_frames
from backend.episodes.store import read_steps, video_path
from backend.episodes.video import VideoReader

# The same packets are decoded twice; only the conversion to RGB may round differently.
MAX_PICTURE_ERROR = 2.0


class DatasetCheckError(Exception):
    """The dataset is not what was recorded. Says what differs and where."""


def check_dataset(
    root: Path,
    repo_id: str,
    episodes: Sequence[EpisodeToWrite],
    *,
    columns: Sequence[str],
    on_episode: Callable[[int], None],
) -> None:
    """Compare the dataset at `root` with the episodes it was written from.

    Args:
        root: The dataset's folder.
        repo_id: Its name.
        episodes: In the order they were written.
        columns: Of `EXPORT_COLUMNS`.
        on_episode: Called with the number of episodes checked so far.

    Raises:
        DatasetCheckError: Something differs.
    """
    dataset = LeRobotDataset(repo_id, root=root, video_backend="pyav")
    header = episodes[0].header
    _expect("fps", dataset.fps, round(header.fps))
    _expect("number of episodes", dataset.num_episodes, len(episodes))
    _expect("number of frames", len(dataset), sum(e.num_steps for e in episodes))
    for camera in header.cameras:
        files = sorted((root / "videos" / video_feature(camera)).glob("**/*.mp4"))
        pictures = sum(count_frames(file) for file in files)
        _expect(f"number of pictures of {camera}", pictures, len(dataset))
    table = dataset.hf_dataset.with_format("numpy")[:]
    start = 0
    for index, episode in enumerate(episodes):
        rows = slice(start, start + episode.num_steps)
        _check_rows({name: table[name][rows] for name in table}, index, episode, columns)
        _check_pictures(dataset, start, episode)
        start = rows.stop
        on_episode(index + 1)


def _check_rows(
    rows: dict[str, np.ndarray], index: int, episode: EpisodeToWrite, columns: Sequence[str]
) -> None:
    where = f"of episode {episode.header.id}"
    steps = read_steps(episode.folder)
    count = episode.num_steps
    derived = export_columns(steps.is_human[:count], episode.outcome, episode.ranges)
    frames = np.arange(count)
    expected: dict[str, np.ndarray] = {
        "episode_index": np.full(episode.num_steps, index),
        "frame_index": frames,
        "observation.state": steps.state[:count],
        "action": steps.action[:count],
        **{name: derived[name] for name in columns},
    }
    for name, wanted in expected.items():
        found = np.asarray(rows[name]).reshape(wanted.shape)
        if not np.array_equal(found, wanted):
            at = int(np.flatnonzero((found != wanted).reshape(len(wanted), -1).any(axis=1))[0])
            raise DatasetCheckError(
                f"{name} {where} differs from frame {at} on: {found[at]} instead of {wanted[at]}"
            )
        if wanted.dtype.kind != "U" and not np.isfinite(found).all():
            raise DatasetCheckError(f"{name} {where} holds numbers that are not finite")
    timestamps = np.asarray(rows["timestamp"]).reshape(-1)
    if not np.allclose(timestamps, frames / episode.header.fps, atol=1e-4):
        raise DatasetCheckError(f"timestamps {where} are not those of {episode.header.fps:g} Hz")
    if (np.diff(timestamps) <= 0).any():
        raise DatasetCheckError(f"time {where} does not grow with every frame")


def _check_pictures(dataset: LeRobotDataset, start: int, episode: EpisodeToWrite) -> None:
    if not episode.header.cameras:
        return
    for index in {0, episode.num_steps - 1}:
        item = dataset[start + index]
        _expect(f"task of episode {episode.header.id}", item["task"], episode.header.task)
        for camera in episode.header.cameras:
            found = item[video_feature(camera)].numpy().transpose(1, 2, 0) * 255
            with VideoReader(video_path(episode.folder, camera)) as video:
                recorded = video.frame(index).astype(np.float32)
            error = float(np.abs(found - recorded).mean())
            if error > MAX_PICTURE_ERROR:
                raise DatasetCheckError(
                    f"picture {index} of {camera} of episode {episode.header.id} is another than "
                    f"the recorded one (mean difference {error:.1f} of 255)"
                )


def _expect(name: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise DatasetCheckError(f"{name} is {found} in the dataset, {wanted} was recorded")
