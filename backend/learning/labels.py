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
    worst_word,
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
    advantages, forced, worst, left_out = {}, {}, {}, {}
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
        share = human_share(episode.is_human, config.model.chunk_size)
        demonstration = np.full(len(episode), episode.source == "demonstration")
        forced[name] = is_forced(share, demonstration, words)
        before = steps_before_takeover(
            episode.is_human, round(words.before_takeover_s * episode.fps)
        )
        worst[name] = before if words.before_takeover == "worst" else np.zeros_like(before)
        left_out[name] = before if words.before_takeover == "leave_out" else np.zeros_like(before)
    tasks = {e.episode_id: [e.task] * len(e) for e in episodes}
    if words.mode != "two":
        thresholds = {}
    elif thresholds is None:
        thresholds = task_thresholds(
            np.concatenate([advantages[name] for name in tasks]),
            [task for name in tasks for task in tasks[name]],
            forced=np.concatenate([forced[name] for name in tasks]),
            positive_fraction=words.positive_fraction,
        )
    said = {}
    for name in tasks:
        said[name] = decide_words(
            advantages[name],
            config=words,
            forced=forced[name] & ~worst[name],
            tasks=tasks[name],
            thresholds=thresholds,
        )
        if words.mode != "none":
            bad = worst_word(words.mode)
            said[name] = [bad if w else s for s, w in zip(said[name], worst[name], strict=True)]
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
