"""Measures a checkpoint on episodes that were not learned from: see `learning.probes`."""

from collections.abc import Mapping, Sequence

import numpy as np

from backend.domain import Outcome
from backend.learning.config import LearnerConfig
from backend.learning.labels import make_labels
from backend.learning.learner import Learner
from backend.learning.probes import conditioning, value_order
from backend.learning.replay import ChunkSampler, EpisodeArrays
from backend.learning.scoring import score_episodes

# Enough for a trend, few enough not to hold up training.
EPISODES_PER_OUTCOME = 4
CHUNKS = 64


class Probes:
    """The same questions at every checkpoint, with randomness of their own."""

    def __init__(
        self,
        episodes: Sequence[EpisodeArrays],
        *,
        held_out: bool,
        origins: Mapping[str, str],
        config: LearnerConfig,
    ) -> None:
        """Choose what is measured on.

        Args:
            episodes: Held out, or learned from when none are.
            held_out: Which of the two.
            origins: What made each episode, by its id.
            config: Of the run.
        """
        self._episodes = [
            episode
            for outcome in (Outcome.SUCCESS, Outcome.FAILURE)
            for episode in [e for e in episodes if e.outcome is outcome][:EPISODES_PER_OUTCOME]
        ] or list(episodes[:EPISODES_PER_OUTCOME])
        self._held_out = held_out
        self._origins = [origins[episode.episode_id] for episode in self._episodes]
        self._config = config

    def measure(self, learner: Learner) -> dict[str, float]:
        """Return `probe/…` numbers of the learner as it is; NaN where nothing can be said."""
        config, models = self._config, learner.models
        rng = np.random.default_rng(config.seed)
        sampler = ChunkSampler(horizon=config.model.chunk_size, reward=config.reward, rng=rng)
        sampler.set_episodes(self._episodes, longest=models.longest)
        values = {name: s.values for name, s in score_episodes(models, self._episodes)}
        order = value_order(
            [values[e.episode_id] for e in self._episodes],
            [sampler.returns_of(e.episode_id) for e in self._episodes],
            [e.outcome for e in self._episodes],
            self._origins,
        )
        found = {f"probe/{name}": value for name, value in order.items()}
        found["probe/held_out_episodes"] = float(len(self._episodes) if self._held_out else 0)
        known = config.words.mode == "five" or (
            config.words.mode == "two"
            and {e.task for e in self._episodes} <= set(models.thresholds)
        )
        if known:
            labels = make_labels(
                self._episodes,
                values,
                config=config,
                longest=sampler.longest,
                thresholds=models.thresholds,
            )
            batch = sampler.draw(CHUNKS)
            words = [
                labels.words[name][start]
                for name, start in zip(batch.episode_ids, batch.starts, strict=True)
            ]
            said = conditioning(models, batch, words, rng=rng, draws=1)
            found["probe/conditioning_accuracy"] = said.accuracy
            found["probe/conditioning_gap"] = said.gap
        return found
