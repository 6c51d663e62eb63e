"""Keeps in the episodes' rows what lists show and filter by, so that 10,000 of them are quick.

Everything here can be found again from the label log and the score files; it is written in the
same transaction as the event or score that changes it.
"""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.models import EpisodeRow, ScoreRow
from backend.domain import Outcome
from backend.episodes.label_ranges import RangeKind
from backend.episodes.labels import LabelsInForce
from backend.episodes.scores import read_scores
from backend.review.disagreement import disagreement

log = logging.getLogger(__name__)


def follow_labels(
    episode: EpisodeRow, labels: LabelsInForce, revision: int, scores: Iterable[ScoreRow]
) -> None:
    """Bring an episode's row, and the rows of all its scores, in line with its label log.

    Args:
        episode: Its row.
        labels: What holds.
        revision: Id of its newest event, 0 without one.
        scores: All of this episode's.
    """
    episode.outcome = labels.outcome.value
    episode.excluded = labels.excluded
    episode.exclude_reason = labels.exclude_reason
    episode.note = labels.note
    episode.terminal_step = labels.terminal_step
    episode.num_mistakes = sum(each.kind is RangeKind.MISTAKE for each in labels.ranges)
    episode.label_revision = revision
    _follow_scores(episode, scores)


def record_score(
    db: Session,
    *,
    checkpoint_id: str,
    episode_id: str,
    created_s: float,
    mean_value: float,
    last_value: float,
    max_value: float | None = None,
    lowest: float | None = None,
    highest: float | None = None,
) -> None:
    """Note that a checkpoint has scored an episode, or has scored it again.

    Args:
        db: A session of `Database.write()`.
        checkpoint_id: Whose critic.
        episode_id: Of a known episode.
        created_s: When, Unix seconds.
        mean_value: Over all recorded steps.
        last_value: Of the last one.
        max_value: The highest; None: read from the file at the next start.
        lowest: Least value the reward scheme can produce; None like `max_value`.
        highest: Greatest.
    """
    db.merge(
        ScoreRow(
            checkpoint_id=checkpoint_id,
            episode_id=episode_id,
            created_s=created_s,
            mean_value=mean_value,
            last_value=last_value,
            max_value=max_value,
            lowest=lowest,
            highest=highest,
        )
    )
    db.flush()
    _follow_scores(db.get_one(EpisodeRow, episode_id), scores_of(db, episode_id))


def scores_of(db: Session, episode_id: str) -> Sequence[ScoreRow]:
    """All scores of an episode, newest first."""
    return db.scalars(
        select(ScoreRow)
        .where(ScoreRow.episode_id == episode_id)
        .order_by(ScoreRow.created_s.desc(), ScoreRow.checkpoint_id.desc())
    ).all()


def complete_scores(database: Database, data_dir: Path) -> int:
    """Read from score files what rows of an older version lack; return how many were read.

    A file that is gone or damaged is logged and tried again at the next start.
    """
    lacks = select(ScoreRow).where(ScoreRow.highest.is_(None))
    with database.read() as db:
        known = [(row.checkpoint_id, row.episode_id) for row in db.scalars(lacks)]
    found = {}
    for checkpoint_id, episode_id in known:
        try:
            scores = read_scores(data_dir, checkpoint_id, episode_id)
        except ValueError as error:
            log.warning("%s", error)
            continue
        if scores is not None and len(scores.value):
            found[checkpoint_id, episode_id] = (float(np.max(scores.value)), *scores.value_range)
    if not found:
        return 0
    with database.write() as db:
        for key, (max_value, lowest, highest) in found.items():
            row = db.get_one(ScoreRow, key)
            row.max_value, row.lowest, row.highest = max_value, lowest, highest
        db.flush()
        for episode_id in {episode_id for _, episode_id in found}:
            _follow_scores(db.get_one(EpisodeRow, episode_id), scores_of(db, episode_id))
    return len(found)


def _follow_scores(episode: EpisodeRow, scores: Iterable[ScoreRow]) -> None:
    newest: ScoreRow | None = None
    for score in scores:
        score.disagreement = _disagreement(episode, score)
        if newest is None or _age(score) > _age(newest):
            newest = score
    episode.score_checkpoint_id = newest.checkpoint_id if newest else None
    episode.mean_value = newest.mean_value if newest else None
    episode.last_value = newest.last_value if newest else None
    episode.max_value = newest.max_value if newest else None
    episode.disagreement = newest.disagreement if newest else None


def _age(score: ScoreRow) -> tuple[float, str]:
    return score.created_s, score.checkpoint_id


def _disagreement(episode: EpisodeRow, score: ScoreRow) -> float | None:
    if score.max_value is None or score.lowest is None or score.highest is None:
        return None
    return disagreement(
        Outcome(episode.outcome),
        last_value=score.last_value,
        max_value=score.max_value,
        ends_early=episode.terminal_step is not None,
        lowest=score.lowest,
        highest=score.highest,
    )
