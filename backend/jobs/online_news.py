"""Tells how an online learner goes: its pace, what arrived, what was published.

Each episode that arrives is told once with the seed's names for interaction: `Episodic reward` (1
for a success), `Interaction step` (steps of all online episodes up to it), `Episode intervention`
(whether a human drove in it) and `Intervention rate` (the share of its steps that a human drove).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.domain import Outcome
from backend.episodes.files import write_json
from backend.jobs.child import JobChild
from backend.jobs.train_episode import TrainEpisode
from backend.learning.meter import Metrics

TOLD_FILE = "told_episodes.json"


@dataclass(kw_only=True)
class OpenPace:
    """Of a run that ends when somebody says so, or by one of its limits."""

    max_steps: int | None
    max_time_s: float | None
    # Monotonic seconds, and when the run began by it.
    now_s: Callable[[], float]
    begun_s: float
    num_online: int = 0
    published: str = ""

    def share(self, step: int) -> float:
        shares = [0.0]
        if self.max_steps is not None:
            shares.append(step / self.max_steps)
        if self.max_time_s is not None:
            shares.append((self.now_s() - self.begun_s) / self.max_time_s)
        return min(1.0, max(shares))

    def is_last(self, step: int) -> bool:
        return self.share(step) >= 1.0

    def says(self, step: int, doing: str, rate_hz: float | None) -> str:
        rate = "" if rate_hz is None else f", {rate_hz:.2g} steps/s"
        episodes = f"{self.num_online} online episode{'' if self.num_online == 1 else 's'}"
        newest = f", published {self.published}" if self.published else ""
        return f"step {step}, {doing}{rate}, {episodes}{newest}"


class Arrivals:
    """Tells of each online episode once, also when the job was resumed."""

    def __init__(self, child: JobChild, measure: Callable[[int, Metrics], None]) -> None:
        """Args:
        child: Whose folder remembers who was told of.
        measure: Takes numbers of a step, each under its name.
        """
        self._path: Path = child.folder / TOLD_FILE
        self._measure = measure
        self._told: set[str] = set()
        if self._path.is_file():
            self._told = set(json.loads(self._path.read_text(encoding="utf-8"))["episodes"])

    def tell(self, step: int, episodes: Sequence[TrainEpisode]) -> None:
        """Take the online episodes of now, oldest first, at this optimiser step."""
        interaction, new = 0, 0
        for episode in episodes:
            interaction += episode.num_steps
            if episode.id in self._told:
                continue
            self._told.add(episode.id)
            new += 1
            self._measure(step, interaction_of(episode, interaction_steps=interaction))
        if new:
            write_json(self._path, {"episodes": sorted(self._told)})


def interaction_of(episode: TrainEpisode, *, interaction_steps: int) -> Metrics:
    """The seed's numbers of one episode.

    Args:
        episode: With the outcome in force.
        interaction_steps: Steps of all episodes up to its end.
    """
    human = episode.num_human_steps
    return {
        "train/Episodic reward": float(episode.outcome is Outcome.SUCCESS),
        "train/Interaction step": float(interaction_steps),
        "train/Episode intervention": float(human > 0),
        "train/Intervention rate": human / episode.num_steps,
    }
