"""Tells how an online learner goes: its pace, what arrived, what was published.

Each episode that arrives is told once with the seed's names for interaction: `Episodic reward` (1
for a success), `Interaction step` (steps of all online episodes up to it), `Episode intervention`
(whether a human drove in it) and `Intervention rate` (the share of its steps that a human drove).
Beside them stands how all of them went, by the labels in force: see `session_metrics`.
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
from backend.statistics import AttemptFacts, by_version, summarize

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
    """Tells of each online episode once, also when the job was resumed, and how they went."""

    def __init__(self, child: JobChild, measure: Callable[[int, Metrics], None]) -> None:
        """Args:
        child: Whose folder remembers who was told of.
        measure: Takes numbers of a step, each under its name.
        """
        self._path: Path = child.folder / TOLD_FILE
        self._measure = measure
        self._told: set[str] = set()
        self._statistics: Metrics = {}
        if self._path.is_file():
            self._told = set(json.loads(self._path.read_text(encoding="utf-8"))["episodes"])

    def tell(
        self, step: int, episodes: Sequence[TrainEpisode], attempts: Sequence[AttemptFacts]
    ) -> None:
        """Take the online episodes of now, oldest first, at this optimiser step.

        `attempts` are all of them, also those that cannot be learned from.
        """
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
        statistics = session_metrics(attempts)
        if statistics != self._statistics:
            self._statistics = statistics
            self._measure(step, statistics)


def session_metrics(attempts: Sequence[AttemptFacts]) -> Metrics:
    """How the session goes, and its newest version, as `/api/statistics` has it.

    What cannot be told yet is left out: a rate without grades, a pace without an hour's begin.
    """
    if not attempts:
        return {}
    newest = by_version(attempts)[-1].summary
    whole = summarize(attempts)
    numbers = {
        "Success rate": whole.rate,
        "Success rate low": whole.rate_low,
        "Success rate high": whole.rate_high,
        "Session intervention rate": whole.human_share,
        "Time to success [s]": whole.success_s,
        "Attempts per hour": whole.attempts_per_hour,
        "Newest version success rate": newest.rate,
        "Newest version success rate low": newest.rate_low,
        "Newest version success rate high": newest.rate_high,
        "Newest version attempts": float(newest.success + newest.failure + newest.unlabeled),
    }
    return {f"train/{name}": value for name, value in numbers.items() if value is not None}


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
