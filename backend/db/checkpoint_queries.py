"""The questions asked about checkpoints: which there are, whence they come, what became of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from backend.db.models import CheckpointRow, EpisodeRow, JobRow, ScoreRow
from backend.db.pages import Page, read_page
from backend.db.queries import FINAL_STATES
from backend.domain import JobState, Outcome

DROVE = "it drove an episode"


@dataclass(frozen=True, kw_only=True)
class CheckpointLineage:
    """One checkpoint with what came before it and what came of it."""

    row: CheckpointRow
    # Graded and ungraded attempts that it drove, by the labels in force.
    num_successes: int
    num_failures: int
    num_unjudged: int
    # Episodes with scores of it, and ids of checkpoints whose run started from it.
    num_scored: int
    children: Sequence[str]

    @property
    def has_files(self) -> bool:
        return self.row.size_bytes > 0


def list_checkpoints(
    db: Session, *, limit: int = 50, cursor: str | None = None, with_deleted: bool = False
) -> Page[CheckpointLineage]:
    """One page of checkpoints with their lineage, newest first.

    Args:
        db: The database session.
        limit: Rows wanted.
        cursor: `next_cursor` of the page before.
        with_deleted: Also those whose files are gone.

    Raises:
        InvalidPageError: See `pages.read_page`.
    """
    statement = select(CheckpointRow)
    if not with_deleted:
        statement = statement.where(CheckpointRow.size_bytes > 0)
    page = read_page(
        db,
        statement,
        order_by=CheckpointRow.created_s.expression,
        id_column=CheckpointRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )
    return Page(items=_lineages(db, page.items), total=page.total, next_cursor=page.next_cursor)


def lineage(db: Session, row: CheckpointRow) -> CheckpointLineage:
    """One checkpoint with its lineage."""
    return _lineages(db, [row])[0]


def promoted_checkpoint(db: Session) -> CheckpointRow | None:
    """The checkpoint that the actor should drive from its next episode on, if any."""
    return db.scalars(select(CheckpointRow).where(CheckpointRow.promoted_s.is_not(None))).first()


def protected_checkpoints(db: Session) -> dict[str, str]:
    """Checkpoints that no rule may delete, and why: promoted, drove an episode, waited for."""
    protected = {}
    waiting = select(JobRow).where(JobRow.state.in_([s.value for s in JobState if not s.is_over]))
    for job in db.scalars(waiting):
        for name in ("start", "checkpoint"):
            if isinstance(job.params.get(name), str):
                protected[job.params[name]] = f"{job.kind} job {job.id} needs it"
    drove = select(EpisodeRow.checkpoint_id).where(EpisodeRow.checkpoint_id.is_not(None)).distinct()
    protected |= {str(id): DROVE for id in db.scalars(drove)}
    promoted = promoted_checkpoint(db)
    if promoted is not None:
        protected[promoted.id] = "it is promoted"
    return protected


def _lineages(db: Session, rows: Sequence[CheckpointRow]) -> list[CheckpointLineage]:
    ids = [row.id for row in rows]

    def counted(outcome: Outcome) -> Any:
        return func.sum(case((EpisodeRow.outcome == outcome.value, 1), else_=0))

    drove = {
        found[0]: (int(found[1]), int(found[2]), int(found[3]))
        for found in db.execute(
            select(
                EpisodeRow.checkpoint_id,
                counted(Outcome.SUCCESS),
                counted(Outcome.FAILURE),
                counted(Outcome.NONE),
            )
            .where(
                EpisodeRow.checkpoint_id.in_(ids),
                EpisodeRow.state.in_([state.value for state in FINAL_STATES]),
            )
            .group_by(EpisodeRow.checkpoint_id)
        )
    }
    scored = {
        found[0]: int(found[1])
        for found in db.execute(
            select(ScoreRow.checkpoint_id, func.count())
            .where(ScoreRow.checkpoint_id.in_(ids))
            .group_by(ScoreRow.checkpoint_id)
        )
    }
    children: dict[str, list[str]] = {id: [] for id in ids}
    for child in db.scalars(
        select(CheckpointRow)
        .where(CheckpointRow.parent_id.in_(ids))
        .order_by(CheckpointRow.created_s)
    ):
        children[str(child.parent_id)].append(child.id)
    return [
        CheckpointLineage(
            row=row,
            num_successes=drove.get(row.id, (0, 0, 0))[0],
            num_failures=drove.get(row.id, (0, 0, 0))[1],
            num_unjudged=drove.get(row.id, (0, 0, 0))[2],
            num_scored=scored.get(row.id, 0),
            children=children[row.id],
        )
        for row in rows
    ]
