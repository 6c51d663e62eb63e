"""What is measured of a policy and of its critic, on attempts that nobody learned from."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backend.learning.labels import make_labels, positive_fraction
from backend.learning.models import Models
from backend.learning.probes import conditioning, value_order
from backend.learning.replay import ChunkSampler, EpisodeArrays
from backend.learning.scoring import score_episodes

# Chunks that tell whether the actor listens to its word.
PROBED_CHUNKS = 128
Z_95 = 1.959964


@dataclass(frozen=True, kw_only=True)
class Rate:
    """A share of trials and the interval that holds the true one in 95 of 100 cases."""

    hits: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.trials or self.trials == 0:
            raise ValueError(f"{self.hits} hits of {self.trials} trials are no rate")

    @property
    def share(self) -> float:
        return self.hits / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's score interval: sound also near 0 and 1."""
        n, p = self.trials, self.share
        centre = (p + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
        half = Z_95 * math.sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
        return max(0.0, centre - half), min(1.0, centre + half)


def per_hour(successes: int, steps: Sequence[int], *, fps: float, reset_s: float) -> float:
    """Return the successes of an hour of robot time, resets included.

    Args:
        successes: Attempts that succeeded.
        steps: Control steps of every attempt, failed ones too.
        fps: Control steps a second.
        reset_s: Time between two attempts, seconds.
    """
    return successes * 3600 / (sum(steps) / fps + reset_s * len(steps))


def judge_critic(
    models: Models, episodes: Sequence[EpisodeArrays], *, seed: int
) -> dict[str, float]:
    """Return how well a critic orders states, and how much its actor heeds the word.

    Args:
        models: Whose.
        episodes: Judged attempts, none of them learned from, all of one source.
        seed: Of chunks, noise and times.
    """
    config = models.config
    if config.words.mode == "none":
        return {}
    values = {name: scores.values for name, scores in score_episodes(models, episodes)}
    rng = np.random.default_rng(seed)
    sampler = ChunkSampler(horizon=config.model.chunk_size, reward=config.reward, rng=rng)
    sampler.set_episodes(episodes, longest=models.longest)
    order = value_order(
        [values[e.episode_id] for e in episodes],
        [sampler.returns_of(e.episode_id) for e in episodes],
        [e.outcome for e in episodes],
        ["evaluation"] * len(episodes),
    )
    labels = make_labels(
        episodes,
        values,
        config=config,
        longest=sampler.longest,
        thresholds=models.thresholds or None,
    )
    batch = sampler.draw(PROBED_CHUNKS)
    where = zip(batch.episode_ids, batch.starts, strict=True)
    words = [labels.words[name][start] for name, start in where]
    heeded = conditioning(models, batch, words, rng=rng)
    return {
        "spearman": order["spearman"],
        "auc": order["auc"],
        "conditioning_accuracy": heeded.accuracy,
        "conditioning_gap": heeded.gap,
        "positive_fraction": positive_fraction(labels, config.words),
    }
