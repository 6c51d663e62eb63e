"""Makes the arrays that a learner reads from a plan's episodes, pictures memory-mapped.

Videos are decoded once into the frame cache, several at a time, before the first step; from then on
a training step reads pictures like memory. How long it still waits for them is measured where
batches are drawn, in `mixing.py`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from backend.episodes.format import EPISODES_DIR
from backend.episodes.frames import FrameCache, FramesError, Pictures, decode
from backend.episodes.label_ranges import RangeKind, steps_of
from backend.episodes.lerobot_folder import LeRobotFolder
from backend.episodes.store import EpisodeFormatError, read_header, read_steps, video_path
from backend.jobs.train_plan import TrainEpisode
from backend.learning.replay import EpisodeArrays


class EpisodeLoader:
    """Reads episodes of the store and of datasets; datasets' tables are read once."""

    def __init__(self, data_dir: Path, cache: FrameCache, *, size_px: int) -> None:
        """Prepare to read.

        Args:
            data_dir: The data directory.
            cache: Where decoded pictures are kept.
            size_px: Side of the model's square pictures.
        """
        self._data_dir = data_dir
        self._cache = cache
        self._size_px = size_px
        self._folders: dict[str, LeRobotFolder] = {}

    def load(
        self, episodes: Sequence[TrainEpisode], *, on_episode: Callable[[int], None]
    ) -> tuple[list[EpisodeArrays], dict[str, str]]:
        """Return the episodes in order, and why some cannot be read, by id.

        Args:
            episodes: Of a plan.
            on_episode: Called with the number of episodes that are ready.
        """
        for name in {episode.dataset for episode in episodes if episode.dataset is not None}:
            self._folder(name)
        loaded, unreadable = [], {}
        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            waiting = [(e, pool.submit(self.read, e, keep=True)) for e in episodes]
            try:
                for number, (episode, reading) in enumerate(waiting, start=1):
                    try:
                        loaded.append(reading.result())
                    except (FramesError, EpisodeFormatError, ValueError, OSError) as error:
                        unreadable[episode.id] = f"cannot be read: {error}"
                    on_episode(number)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return loaded, unreadable

    def read(self, episode: TrainEpisode, *, keep: bool) -> EpisodeArrays:
        """Return one episode.

        Args:
            episode: Which.
            keep: Keep decoded pictures in the cache; else they are in memory only.

        Raises:
            FramesError, EpisodeFormatError, ValueError, OSError: It cannot be read.
        """
        if episode.dataset is None:
            states, actions, is_human, pictures = self._recorded(episode)
        else:
            folder, index = self._folder(episode.dataset), int(episode.index or 0)
            states, actions = folder.states(index), folder.actions(index)
            is_human = folder.is_human(index)
            pictures = {camera: folder.pictures(index, camera) for camera in folder.cameras}
        steps = episode.num_steps
        return EpisodeArrays(
            episode_id=episode.id,
            task=episode.task,
            fps=episode.fps,
            # Copies: tables hand out read-only views, which torch warns about.
            states=np.array(states),
            actions=np.array(actions),
            images={camera: self._frames(where, keep) for camera, where in pictures.items()},
            is_human=is_human,
            outcome=episode.outcome,
            source="demonstration" if episode.is_demonstration else "offline",
            is_mistake=steps_of(episode.ranges, RangeKind.MISTAKE, steps),
            is_correction=steps_of(episode.ranges, RangeKind.CORRECTION, steps),
        )

    def _recorded(
        self, episode: TrainEpisode
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, Mapping[str, Pictures]]:
        folder = self._data_dir / EPISODES_DIR / episode.id
        header, steps = read_header(folder), read_steps(folder)
        # The rest lies behind the end that people have set.
        count = episode.num_steps
        pictures = {
            camera: Pictures(path=video_path(folder, camera), num_frames=count, fps=header.fps)
            for camera in sorted(header.cameras)
        }
        return steps.state[:count], steps.action[:count], steps.is_human[:count], pictures

    def _frames(self, pictures: Pictures, keep: bool) -> np.ndarray:  # noqa: FBT001
        if keep:
            return self._cache.fetch(pictures, self._size_px)
        found = self._cache.get(pictures, self._size_px)
        return decode(pictures, self._size_px) if found is None else found

    def _folder(self, root: str) -> LeRobotFolder:
        if root not in self._folders:
            self._folders[root] = LeRobotFolder(Path(root))
        return self._folders[root]
