"""The episodes that an online learner holds, read once each and again when their labels change.

Pictures are memory-mapped from the frame cache, so what is held in memory are states and actions.
An episode that leaves the plan, by capacity or by a label, leaves the memory; on the disk it stays.
"""

import sys

from backend.episodes.frames import FramesError
from backend.episodes.store import EpisodeFormatError
from backend.jobs.train_data import EpisodeLoader
from backend.jobs.train_episode import TrainEpisode
from backend.jobs.train_plan import TrainPlan
from backend.learning.arrays import EpisodeArrays


class OnlineBuffer:
    """Reads the episodes of one plan after the other."""

    def __init__(self, loader: EpisodeLoader) -> None:
        self._loader = loader
        # What an episode is made from, and the arrays made.
        self._held: dict[str, tuple[TrainEpisode, EpisodeArrays]] = {}
        self._unreadable: set[str] = set()

    def take(self, plan: TrainPlan) -> list[EpisodeArrays]:
        """Return the plan's episodes in its order; what cannot be read is left out and told once.

        Those that are as before are the same objects as before.
        """
        held = self._held
        self._held = {}
        for episode in plan.episodes:
            known = held.get(episode.id)
            if known is not None and known[0] == episode:
                self._held[episode.id] = known
                continue
            arrays = self._read(episode)
            if arrays is not None:
                self._held[episode.id] = (episode, arrays)
        return [arrays for _, arrays in self._held.values()]

    def _read(self, episode: TrainEpisode) -> EpisodeArrays | None:
        try:
            arrays = self._loader.read(episode, keep=True)
        except (FramesError, EpisodeFormatError, ValueError, OSError) as error:
            if episode.id not in self._unreadable:
                self._unreadable.add(episode.id)
                _log(
                    f"warning: episode {episode.id} is left out for now, it cannot be read: {error}"
                )
            return None
        self._unreadable.discard(episode.id)
        return arrays


def _log(text: str) -> None:
    sys.stdout.write(text + "\n")
