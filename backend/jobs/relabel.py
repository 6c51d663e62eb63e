"""Advantages and words of episodes from values that are known, by the labels in force.

Scoring and the review page call this, so what a page shows after a relabel is what the next scoring
would store. Numpy only: no model is needed, and nothing is decoded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from backend.domain import Outcome
from backend.episodes.label_ranges import LabelRange, RangeKind, steps_of
from backend.learning.arrays import EpisodeArrays
from backend.learning.config import LearnerConfig
from backend.learning.labels import make_labels


@dataclass(frozen=True, kw_only=True)
class Valued:
    """An episode as far as it counts, and a critic's values of every step of its recording."""

    # Without pictures; states and actions are nothing, because no label follows from them.
    arrays: EpisodeArrays
    # float [n], n at least as many as steps count.
    values: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What the labels in force make of values; n recorded steps."""

    # float64 [n]; NaN behind the last step that counts.
    advantage: np.ndarray
    # str [n]; empty where there are no words, and behind the last step that counts.
    word: np.ndarray
    # By task, of two words.
    thresholds: Mapping[str, float]


def valued(
    values: np.ndarray,
    *,
    episode_id: str,
    task: str,
    fps: float,
    is_human: np.ndarray,
    num_steps: int,
    outcome: Outcome,
    ranges: Sequence[LabelRange],
) -> Valued:
    """Put together what labels follow from.

    Args:
        values: float [n]: of every recorded step.
        episode_id: Its id.
        task: What it was to do.
        fps: Steps a second.
        is_human: bool [n]: who drove each recorded step.
        num_steps: Steps that count, at least 1.
        outcome: In force.
        ranges: In force.
    """
    nothing = np.zeros((num_steps, 1), np.float32)
    arrays = EpisodeArrays(
        episode_id=episode_id,
        task=task,
        fps=fps,
        states=nothing,
        actions=nothing,
        images={},
        is_human=is_human[:num_steps],
        outcome=outcome,
        is_mistake=steps_of(ranges, RangeKind.MISTAKE, num_steps),
        is_correction=steps_of(ranges, RangeKind.CORRECTION, num_steps),
    )
    return Valued(arrays=arrays, values=values)


def relabel(
    episodes: Sequence[Valued],
    *,
    config: LearnerConfig,
    longest: Mapping[str, int],
    thresholds: Mapping[str, float] | None,
) -> dict[str, Relabelled]:
    """Decide advantages and words of episodes, by their ids.

    Args:
        episodes: With their values.
        config: What the checkpoint's values mean.
        longest: Steps of the longest episode of each task.
        thresholds: By task, for two words; None: the quantile of these episodes.
    """
    labels = make_labels(
        [episode.arrays for episode in episodes],
        {e.arrays.episode_id: e.values[: len(e.arrays)].astype(np.float64) for e in episodes},
        config=config,
        longest=longest,
        thresholds=thresholds,
    )
    relabelled = {}
    for episode in episodes:
        id, behind = episode.arrays.episode_id, len(episode.values) - len(episode.arrays)
        words = [word or "" for word in labels.words[id]]
        relabelled[id] = Relabelled(
            advantage=np.concatenate([labels.advantages[id], np.full(behind, np.nan)]),
            word=np.array([*words, *[""] * behind], dtype=np.str_),
            thresholds=labels.thresholds,
        )
    return relabelled
