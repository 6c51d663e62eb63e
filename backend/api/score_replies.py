"""The nouns of the score and critic-video routes, and how they come from files and rows."""

from typing import Self

import numpy as np

from backend.api.episode_replies import Episode
from backend.api.messages import Documented
from backend.domain import Outcome
from backend.episodes.scores import EpisodeScores


class Scores(Documented):
    """What one checkpoint's critic says of every step of one episode."""

    episode_id: str
    checkpoint_id: str
    created_s: float
    outcome: Outcome
    """The outcome that advantages and words are by: the one in force."""
    label_revision: int
    """Newest label event of the episode that they know of; older than the episode's own means that
    the checkpoint is gone, so that they could not be brought up to date."""
    value_range: tuple[float, float]
    """Lowest and highest return of the reward scheme."""
    thresholds: dict[str, float]
    """Advantage above which a step is positive, by task; empty for five words."""
    has_own_thresholds: bool
    """False: the training had not seen the task, so the episodes scored together decided."""
    value: list[float | None]
    """A number a step; null where it is none."""
    spread: list[float | None]
    """Standard deviation of the predicted distribution; null for a scalar critic."""
    advantage: list[float | None]
    """Of the chunk that starts at each step."""
    word: list[str]
    """What the actor would be told; empty where there are no words."""

    @classmethod
    def of(cls, scores: EpisodeScores) -> Self:
        return cls(
            episode_id=scores.episode_id,
            checkpoint_id=scores.checkpoint_id,
            created_s=scores.created_s,
            outcome=scores.outcome,
            label_revision=scores.label_revision,
            value_range=scores.value_range,
            thresholds={n: t for n, t in scores.thresholds.items() if np.isfinite(t)},
            has_own_thresholds=scores.has_own_thresholds,
            value=_numbers(scores.value),
            spread=_numbers(scores.spread),
            advantage=_numbers(scores.advantage),
            word=[str(word) for word in scores.word],
        )


class ScoresList(Documented):
    """An episode's scores by checkpoint, newest scoring first; all in one page."""

    items: list[Scores]
    total: int
    next_cursor: str | None = None


class ComparedEpisode(Documented):
    """One episode as two critics see it."""

    episode_id: str
    task: str
    outcome: Outcome
    """The outcome in force now."""
    mean_a: float
    """Mean value over the episode, and the value of its last step."""
    mean_b: float
    last_a: float
    last_b: float


class Comparison(Documented):
    """Two critics over the episodes that both have scored, those they differ most on first."""

    a: str
    b: str
    num_both: int
    """Episodes that both have scored; the list holds the first of them."""
    mean_difference: float | None
    """Mean of b's value less a's over these episodes; None without one."""
    auc_a: float | None
    """Chance that a success's last value is above a failure's: 0.5 is a coin, 1 is perfect. None
    without both outcomes."""
    auc_b: float | None
    items: list[ComparedEpisode]


class CriticVideo(Documented):
    """An episode with its critic video by one checkpoint, or without one yet."""

    episode: Episode
    made_s: float | None
    """None when there is no video yet."""
    size_bytes: int
    is_scored: bool
    """Whether that checkpoint has scored the episode; a video without says so in the picture."""
    is_old: bool
    """The label or the scores changed since: making it again would show something else."""


class CriticVideoList(Documented):
    """One page of episodes with their critic videos."""

    items: list[CriticVideo]
    total: int
    next_cursor: str | None


def _numbers(column: np.ndarray) -> list[float | None]:
    # Five digits are more than a critic knows, and half the size.
    return [round(float(x), 5) if np.isfinite(x) else None for x in column]
