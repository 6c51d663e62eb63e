"""Stored scores with advantages and words by the labels in force now.

Values follow from checkpoint and pictures and never change; advantages and words follow from what
people say too. Files keep those of the moment of scoring; pages get those of today from here.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backend import checkpoints
from backend.episodes.labels import LabelsInForce
from backend.episodes.scores import EpisodeScores
from backend.jobs.relabel import relabel, valued
from backend.jobs.train_config import MEANING_FILE
from backend.learning.config import LearnerConfig
from backend.learning.config_files import config_from_dict


@dataclass(frozen=True, kw_only=True)
class ValueMeaning:
    """What a checkpoint's values mean, as its training wrote it down."""

    config: LearnerConfig
    # Steps of the longest episode of each task it has learned from.
    longest: Mapping[str, int]


def read_meaning(data_dir: Path, checkpoint_id: str) -> ValueMeaning | None:
    """What the checkpoint's values mean; None when its files are gone or say nothing of it."""
    try:
        path = checkpoints.checkpoint_path(data_dir, checkpoint_id)
        content = json.loads(
            (path / checkpoints.PRETRAINED_DIR / MEANING_FILE).read_text(encoding="utf-8")
        )
        return ValueMeaning(
            config=config_from_dict(content["learner"]), longest=dict(content["longest"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def present_scores(
    scores: EpisodeScores,
    *,
    meaning: ValueMeaning | None,
    task: str,
    fps: float,
    is_human: np.ndarray,
    labels: LabelsInForce,
    label_revision: int,
    longest: Mapping[str, int],
) -> EpisodeScores:
    """The scores with advantages and words by the labels in force.

    Without the checkpoint's meaning, or with values of another recording, the scores come back as
    they were stored; their `label_revision` says of which labels they are.

    Args:
        scores: As stored.
        meaning: Of the checkpoint that scored.
        task: Of the episode.
        fps: Of the episode.
        is_human: bool [n]: who drove each recorded step.
        labels: In force.
        label_revision: Of the episode.
        longest: Steps of the longest episode of tasks that the training did not know.
    """
    if meaning is None or len(is_human) != len(scores.value) or not len(is_human):
        return scores
    if meaning.config.words.mode == "two" and task not in scores.thresholds:
        return scores
    episode = valued(
        scores.value,
        episode_id=scores.episode_id,
        task=task,
        fps=fps,
        is_human=is_human,
        num_steps=labels.num_steps(len(is_human)),
        outcome=labels.outcome,
        ranges=labels.ranges,
    )
    now = relabel(
        [episode],
        config=meaning.config,
        longest={**longest, **meaning.longest},
        thresholds=scores.thresholds,
    )[scores.episode_id]
    return replace(
        scores,
        advantage=now.advantage,
        word=now.word,
        outcome=labels.outcome,
        label_revision=label_revision,
    )
