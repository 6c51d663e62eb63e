"""Advantages and words of one episode from values that are known, by the labels in force.

Scoring and the review page call this, so what a page shows after a relabel is what the next scoring
would store. Numpy only: no model is needed, and nothing is decoded.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backend.episodes.label_ranges import RangeKind, steps_of
from backend.episodes.labels import LabelsInForce
from backend.learning.arrays import EpisodeArrays
from backend.learning.config import LearnerConfig
from backend.learning.labels import make_labels


@dataclass(frozen=True, kw_only=True)
class Relabelled:
    """What the labels in force make of known values; n recorded steps."""

    # float64 [n]; NaN behind the last step that counts.
    advantage: np.ndarray
    # str [n]; empty where there are no words, and behind the last step that counts.
    word: np.ndarray


def judged_arrays(
    *, episode_id: str, task: str, fps: float, is_human: np.ndarray, labels: LabelsInForce
) -> EpisodeArrays:
    """An episode as far as it counts, without what only models look at.

    Args:
        episode_id: Its id.
        task: What it was to do.
        fps: Steps a second.
        is_human: bool [n]: who drove each recorded step.
        labels: In force.
    """
    num_steps = labels.num_steps(len(is_human))
    nothing = np.zeros((num_steps, 1), np.float32)
    return EpisodeArrays(
        episode_id=episode_id,
        task=task,
        fps=fps,
        states=nothing,
        actions=nothing,
        images={},
        is_human=is_human[:num_steps],
        outcome=labels.outcome,
        is_mistake=steps_of(labels.ranges, RangeKind.MISTAKE, num_steps),
        is_correction=steps_of(labels.ranges, RangeKind.CORRECTION, num_steps),
    )


def relabel(
    arrays: EpisodeArrays,
    values: np.ndarray,
    *,
    config: LearnerConfig,
    longest: Mapping[str, int],
    thresholds: Mapping[str, float] | None,
) -> Relabelled:
    """Decide advantages and words of one episode.

    Args:
        arrays: See `judged_arrays`.
        values: float [n]: the critic's value of every recorded step.
        config: What the checkpoint's values mean.
        longest: Steps of the longest episode of each task.
        thresholds: By task, for two words; None: the quantile of this episode.
    """
    num_steps = len(arrays)
    labels = make_labels(
        [arrays],
        {arrays.episode_id: values[:num_steps].astype(np.float64)},
        config=config,
        longest=longest,
        thresholds=thresholds,
    )
    words = [word or "" for word in labels.words[arrays.episode_id]]
    behind = len(values) - num_steps
    return Relabelled(
        advantage=np.concatenate([labels.advantages[arrays.episode_id], np.full(behind, np.nan)]),
        word=np.array([*words, *[""] * behind], dtype=np.str_),
    )
