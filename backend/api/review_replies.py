"""The nouns of the review route: everything that a player of one episode draws."""

from typing import Literal, Self

import numpy as np

from backend.api.episode_replies import Episode
from backend.api.label_replies import LabelEvent, Labels
from backend.api.messages import Documented
from backend.domain import Driver
from backend.episodes.columns import EpisodeSteps
from backend.episodes.scores import EpisodeScores


class ReviewColumns(Documented):
    """What was recorded, a row a step."""

    timestamp_s: list[float]
    """Seconds since the first step."""
    state: list[list[float]]
    """Of `state_names`' length a step; `action`, which is what was executed, of `action_names`'."""
    action: list[list[float]]
    driver: list[Driver]
    state_names: list[str]
    action_names: list[str]

    @classmethod
    def of(
        cls, steps: EpisodeSteps, *, state_names: tuple[str, ...], action_names: tuple[str, ...]
    ) -> Self:
        return cls(
            timestamp_s=steps.timestamp_s.round(4).tolist(),
            state=_rows(steps.state),
            action=_rows(steps.action),
            driver=steps.driver.tolist(),
            state_names=list(state_names),
            action_names=list(action_names),
        )


class Curve(Documented):
    """What one critic says of every recorded step, by the labels in force now."""

    checkpoint_id: str
    scored_s: float
    value: list[float | None]
    spread: list[float | None]
    """Standard deviation of the predicted distribution; null for a scalar critic."""
    advantage: list[float | None]
    """Of the chunk that starts at each step; null behind the last step that counts."""
    words: list[str]
    """What the actor would be told of that chunk; empty where there are no words."""
    support: tuple[float, float]
    """The lowest and highest return of the reward scheme that the critic has learned."""
    threshold: float | None
    """Two words: the advantage above which a chunk of this task is positive; null for five."""
    is_old: bool
    """Advantages and words are those of older labels: the checkpoint's files are gone."""

    @classmethod
    def of(cls, scores: EpisodeScores, *, task: str, label_revision: int) -> Self:
        limit = scores.thresholds.get(task)
        return cls(
            checkpoint_id=scores.checkpoint_id,
            scored_s=scores.created_s,
            value=numbers(scores.value),
            spread=numbers(scores.spread),
            advantage=numbers(scores.advantage),
            words=[str(word) for word in scores.word],
            support=scores.value_range,
            threshold=limit if limit is not None and np.isfinite(limit) else None,
            is_old=scores.label_revision != label_revision,
        )


class Review(Documented):
    """Everything that is known of one episode, a step a row, by the labels in force now."""

    episode: Episode
    labels: Labels
    history: list[LabelEvent]
    """The whole log, oldest first."""
    columns: ReviewColumns
    human_spans: list[tuple[int, int]]
    """Steps [start, end) that a person drove."""
    scheme: Literal["recap", "seed"]
    """How rewards are counted: as asked for, else as the first curve's critic has learned it."""
    rewards: list[float | None]
    """recap: of each step, seed: of the chunk that starts there; null behind the last step that
    counts."""
    returns: list[float | None]
    """What came true from each step on; null in an episode that nobody has judged."""
    curves: list[Curve]
    """Of the checkpoints that were asked for, in that order; of the newest scores without."""
    scored_by: list[str]
    """All checkpoints that have scored it, newest scoring first."""


def numbers(column: np.ndarray) -> list[float | None]:
    """JSON numbers, null where there is none; five digits are more than a critic knows."""
    rounded = np.asarray(column, dtype=np.float64).round(5)
    return [float(x) if np.isfinite(x) else None for x in rounded]


def _rows(columns: np.ndarray) -> list[list[float]]:
    rounded: list[list[float]] = np.round(columns.astype(np.float64), 5).tolist()
    return rounded
