"""A label run: values, advantages and words of every step of every episode.

Made once between the critic's and the actor's training, from a critic that stands still. Relabel
or re-threshold by making another one; episodes are never rewritten. Numpy only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from backend.learning.advantages import (
    best_word,
    chunk_advantages,
    decide_words,
    human_share,
    steps_before_takeover,
    task_thresholds,
)
from backend.learning.config import LearnerConfig, WordConfig
from backend.learning.replay import EpisodeArrays
from backend.learning.returns import chunk_rewards


@dataclass(frozen=True, kw_only=True)
class Labels:
    """What one critic says about all episodes, by episode id and step."""

    values: Mapping[str, Float[np.ndarray, " t"]]
    advantages: Mapping[str, Float[np.ndarray, " t"]]
    words: Mapping[str, list[str | None]]
    # Steps that no chunk of the actor's batches may start at.
    left_out: Mapping[str, Bool[np.ndarray, " t"]]
    # Of the two-word mode, by task.
    thresholds: Mapping[str, float]


def is_forced(
    share: Float[np.ndarray, " n"], is_demonstration: Bool[np.ndarray, " n"], config: WordConfig
) -> Bool[np.ndarray, " n"]:
    """Return which chunks get the best word whatever the critic says.

    Args:
        share: Share of human steps in the chunk.
        is_demonstration: Whether it comes from a demonstration.
        config: Which of the two forces.
    """
    return (share >= config.forcing_human_share) | (is_demonstration & config.force_demonstrations)


@dataclass(frozen=True, kw_only=True)
class SettledSteps:
    """Chunks of one episode whose word no advantage decides, by the step they start at."""

    # The best word: driven by a person, a demonstration, or called a correction.
    best: Bool[np.ndarray, " t"]
    # The worst word: just before a takeover, or called a mistake. Never with the best.
    worst: Bool[np.ndarray, " t"]
    # No chunk of the actor's batches may start here.
    left_out: Bool[np.ndarray, " t"]


def settled_steps(episode: EpisodeArrays, config: WordConfig, *, chunk_size: int) -> SettledSteps:
    """Return which chunks of an episode have their word settled before the critic is asked.

    What a person said of a step comes first, then the rule for what precedes a takeover, then who
    drove. A range speaks of the chunks that start in it, however short it is; human driving counts
    by its share of the chunk.

    Args:
        episode: With what people said of its steps.
        config: The rules.
        chunk_size: Steps a chunk spans.
    """
    none = np.zeros(len(episode), dtype=bool)
    mistake = none if episode.is_mistake is None else episode.is_mistake
    correction = none if episode.is_correction is None else episode.is_correction
    before = steps_before_takeover(episode.is_human, round(config.before_takeover_s * episode.fps))
    before = before & ~mistake & ~correction
    rule = config.before_takeover
    worst = mistake | before if rule == "worst" else mistake
    driven = is_forced(
        human_share(episode.is_human, chunk_size),
        np.full(len(episode), episode.source == "demonstration"),
        config,
    )
    return SettledSteps(
        best=(driven | correction) & ~worst,
        worst=worst,
        left_out=before if rule == "leave_out" else none,
    )


def make_labels(
    episodes: Sequence[EpisodeArrays],
    values: Mapping[str, Float[np.ndarray, " t"]],
    *,
    config: LearnerConfig,
    longest: Mapping[str, int],
    thresholds: Mapping[str, float] | None = None,
) -> Labels:
    """Return advantages and words of all steps.

    Args:
        episodes: What to label.
        values: The critic's value of every step, by episode id.
        config: Rewards, steps of the advantage, and the rule of the words.
        longest: Steps of the longest episode of each task.
        thresholds: By task, to label as an earlier run did; the quantile of these episodes when
            None.
    """
    words = config.words
    steps = words.advantage_steps or config.model.chunk_size
    advantages, best, worst, left_out = {}, {}, {}, {}
    for episode in episodes:
        chunks = chunk_rewards(
            len(episode),
            episode.outcome,
            horizon=steps,
            longest=longest[episode.task],
            config=config.reward,
        )
        name = episode.episode_id
        advantages[name] = chunk_advantages(
            values[name], chunks, value_range=config.reward.value_range
        )
        settled = settled_steps(episode, words, chunk_size=config.model.chunk_size)
        best[name], worst[name] = settled.best, settled.worst
        left_out[name] = settled.left_out
    tasks = {e.episode_id: [e.task] * len(e) for e in episodes}
    if words.mode != "two":
        thresholds = {}
    elif thresholds is None:
        thresholds = task_thresholds(
            np.concatenate([advantages[name] for name in tasks]),
            [task for name in tasks for task in tasks[name]],
            forced=np.concatenate([best[name] | worst[name] for name in tasks]),
            positive_fraction=words.positive_fraction,
        )
    said = {
        name: decide_words(
            advantages[name],
            config=words,
            forced=best[name],
            worst=worst[name],
            tasks=tasks[name],
            thresholds=thresholds,
        )
        for name in tasks
    }
    return Labels(
        values=values,
        advantages=advantages,
        words=said,
        left_out=left_out,
        thresholds=thresholds,
    )


def positive_fraction(labels: Labels, config: WordConfig) -> float:
    """Return the share of steps whose word is the best one: near 0 or 1 means a useless label."""
    words = [word for said in labels.words.values() for word in said]
    return float(np.mean([word == best_word(config.mode) for word in words])) if words else 0.0
