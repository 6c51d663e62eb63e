"""Which attempts statistics count: finished ones, with the outcome in force."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.episode_queries import FINAL_STATES
from backend.db.models import EpisodeRow, SessionRow
from backend.domain import Outcome
from backend.statistics import AttemptFacts


def list_attempts(
    db: Session,
    *,
    session_id: str | None = None,
    checkpoint_id: str | None = None,
    ids: Sequence[str] | None = None,
) -> list[AttemptFacts]:
    """Finished attempts, oldest first: of one session, of one checkpoint, of these ids, or all.

    Those still on their way from another computer are not finished here, nor graded.
    """
    statement = (
        select(
            EpisodeRow.checkpoint_id,
            EpisodeRow.policy,
            EpisodeRow.outcome,
            EpisodeRow.num_steps,
            EpisodeRow.num_human_steps,
            EpisodeRow.fps,
            EpisodeRow.started_s,
            EpisodeRow.ended_s,
        )
        .where(EpisodeRow.state.in_([state.value for state in FINAL_STATES]))
        .order_by(EpisodeRow.started_s)
    )
    if session_id is not None:
        statement = statement.where(EpisodeRow.session_id == session_id)
    if checkpoint_id is not None:
        statement = statement.where(EpisodeRow.checkpoint_id == checkpoint_id)
    if ids is not None:
        statement = statement.where(EpisodeRow.id.in_(ids))
    return [
        AttemptFacts(
            version=row.checkpoint_id or row.policy,
            outcome=Outcome(row.outcome),
            num_steps=row.num_steps,
            num_human_steps=row.num_human_steps,
            fps=row.fps,
            started_s=row.started_s,
            ended_s=row.started_s if row.ended_s is None else row.ended_s,
        )
        for row in db.execute(statement)
    ]


def newest_session(db: Session) -> SessionRow | None:
    """The session that is open, or was open last."""
    return db.scalars(select(SessionRow).order_by(SessionRow.opened_s.desc()).limit(1)).first()
