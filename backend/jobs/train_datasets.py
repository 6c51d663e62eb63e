"""The episodes of LeRobot datasets, as a training's plan counts them."""

from collections.abc import Mapping
from pathlib import Path

from backend.episodes.lerobot_folder import LeRobotFolder
from backend.jobs.train_episode import TrainEpisode
from backend.jobs.train_params import DatasetSource


class DatasetTables:
    """The episodes of datasets, each read once, since datasets do not change."""

    def __init__(self, roots: Mapping[str, Path]) -> None:
        """`roots`: folders of datasets that came from the Hub, by repo_id."""
        self._roots = roots
        self._read: dict[int, tuple[list[TrainEpisode], dict[str, str]]] = {}

    def episodes(
        self, number: int, source: DatasetSource
    ) -> tuple[list[TrainEpisode], Mapping[str, str]]:
        """Episodes of the source at position `number`, and which attempts they are copies of.

        Raises:
            DatasetFolderError: The dataset cannot be read.
        """
        if number not in self._read:
            root = source.root or self._roots[source.repo_id]
            self._read[number] = _from_dataset(number, source, root)
        return self._read[number]


def _from_dataset(
    number: int, source: DatasetSource, root: Path
) -> tuple[list[TrainEpisode], dict[str, str]]:
    folder = LeRobotFolder(root)
    ids = {index: f"{source.repo_id}#{index}" for index in (e.index for e in folder.episodes)}
    copies = {ids[index]: id for index, id in folder.source_ids.items() if index in ids}
    cameras = ", ".join(folder.cameras)
    joints = folder.action_dim
    # What a folder calls dimensions that its dataset has no names for.
    unnamed = tuple(f"action_{index}" for index in range(joints))
    episodes = [
        TrainEpisode(
            id=ids[episode.index],
            source=number,
            origin=source.repo_id,
            dataset=str(root),
            index=episode.index,
            task=episode.task,
            fps=folder.fps,
            num_steps=episode.num_steps,
            num_human_steps=episode.num_human_steps,
            outcome=episode.outcome,
            label_revision=0,
            is_demonstration=episode.is_demonstration,
            shape=f"{folder.fps:g} Hz, {cameras}, {joints} joints",
            joints=() if folder.action_names == unnamed else folder.action_names,
        )
        for episode in folder.episodes
        if episode.num_steps
    ]
    return episodes, copies
