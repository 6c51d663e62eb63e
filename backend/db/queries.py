"""The questions asked of the database. Nothing is written here."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, or_, select
from sqlalchemy.orm import Session

from backend.db.models import (
    DatasetRow,
    EpisodeRow,
    JobRow,
    LabelEventRow,
    MetricRow,
    SessionRow,
)
from backend.db.pages import Page, read_page
from backend.domain import EpisodeState, JobKind, JobState, Outcome

FINAL_STATES = (EpisodeState.FINISHED, EpisodeState.RECOVERED)
# What lists show unless told otherwise: everything that is not in the trash folder.
LISTED_STATES = tuple(state for state in EpisodeState if state is not EpisodeState.DISCARDED)


class EpisodeOrder(StrEnum):
    """In which order episodes are listed."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    SHORTEST = "shortest"
    HUMAN_SHARE = "human_share"


@dataclass(frozen=True, kw_only=True)
class EpisodeFilter:
    """Which episodes; everything that is None or empty lets all through."""

    outcome: Outcome | None = None
    # Part of a task, a robot's name or an operator's, or the beginning of an id; in any case.
    q: str = ""
    session_id: str | None = None
    checkpoint_id: str | None = None
    states: tuple[EpisodeState, ...] = LISTED_STATES
    ids: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class SessionCounts:
    """Finished attempts of one session, by the labels in force."""

    success: int
    failure: int
    unlabeled: int
    num_steps: int
    num_human_steps: int
    # Unix seconds; None without an attempt.
    first_started_s: float | None
    last_ended_s: float | None


def list_episodes(
    db: Session,
    wanted: EpisodeFilter = EpisodeFilter(),
    *,
    order: EpisodeOrder = EpisodeOrder.NEWEST,
    limit: int = 50,
    cursor: str | None = None,
) -> Page[EpisodeRow]:
    """One page of the episodes that `wanted` describes.

    Raises:
        InvalidPageError: See `pages.read_page`.
    """
    order_by, descending = _order(order)
    return read_page(
        db,
        _episodes(wanted),
        order_by=order_by,
        id_column=EpisodeRow.id,
        descending=descending,
        limit=limit,
        cursor=cursor,
    )


def all_episodes(db: Session, wanted: EpisodeFilter) -> Sequence[EpisodeRow]:
    """Every episode that `wanted` describes, oldest first."""
    return db.scalars(_episodes(wanted).order_by(EpisodeRow.started_s, EpisodeRow.id)).all()


def rows_beginning_with[Row: (EpisodeRow, JobRow)](
    db: Session, rows: type[Row], beginning: str, *, limit: int = 3
) -> Sequence[Row]:
    """Rows whose ids begin so, for people who do not type whole ids; `limit` at most."""
    begins = rows.id.startswith(beginning, autoescape=True)
    return db.scalars(select(rows).where(begins).order_by(rows.id).limit(limit)).all()


def last_final_episode(db: Session, session_id: str) -> EpisodeRow | None:
    """The episode of this session that ended last."""
    wanted = EpisodeFilter(session_id=session_id, states=FINAL_STATES)
    return db.scalars(
        _episodes(wanted).order_by(EpisodeRow.started_s.desc(), EpisodeRow.number.desc()).limit(1)
    ).first()


def count_session(db: Session, session_id: str) -> SessionCounts:
    """How the session goes; all zero for a session without a finished attempt."""

    def with_outcome(outcome: Outcome) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((EpisodeRow.outcome == outcome.value, 1), else_=0)), 0)

    row = db.execute(
        select(
            with_outcome(Outcome.SUCCESS),
            with_outcome(Outcome.FAILURE),
            with_outcome(Outcome.NONE),
            func.coalesce(func.sum(EpisodeRow.num_steps), 0),
            func.coalesce(func.sum(EpisodeRow.num_human_steps), 0),
            func.min(EpisodeRow.started_s),
            func.max(EpisodeRow.ended_s),
        ).where(
            EpisodeRow.session_id == session_id,
            EpisodeRow.state.in_([state.value for state in FINAL_STATES]),
        )
    ).one()
    return SessionCounts(
        success=row[0],
        failure=row[1],
        unlabeled=row[2],
        num_steps=row[3],
        num_human_steps=row[4],
        first_started_s=row[5],
        last_ended_s=row[6],
    )


def newest_label_revision(db: Session) -> int:
    """Id of the newest label event of all; 0 before the first."""
    return db.scalar(select(func.max(LabelEventRow.id))) or 0


def label_events(
    db: Session, *, episode_id: str | None = None, author: str | None = None
) -> Sequence[LabelEventRow]:
    """Label events, oldest first: of one episode, of one author, or both."""
    statement = select(LabelEventRow).order_by(LabelEventRow.id)
    if episode_id is not None:
        statement = statement.where(LabelEventRow.episode_id == episode_id)
    if author is not None:
        statement = statement.where(LabelEventRow.author == author)
    return db.scalars(statement).all()


def list_sessions(db: Session, *, limit: int = 50, cursor: str | None = None) -> Page[SessionRow]:
    """Sessions, newest first."""
    return read_page(
        db,
        select(SessionRow),
        order_by=SessionRow.opened_s.expression,
        id_column=SessionRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )


def list_jobs(
    db: Session,
    *,
    kind: JobKind | None = None,
    states: Sequence[JobState] = tuple(JobState),
    limit: int = 50,
    cursor: str | None = None,
) -> Page[JobRow]:
    """Jobs, newest first."""
    statement = select(JobRow).where(JobRow.state.in_([state.value for state in states]))
    if kind is not None:
        statement = statement.where(JobRow.kind == kind.value)
    return read_page(
        db,
        statement,
        order_by=JobRow.created_s.expression,
        id_column=JobRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )


def job_metrics(
    db: Session, job_id: str, *, after_id: int = 0, limit: int = 10_000
) -> Sequence[MetricRow]:
    """Numbers of one job in the order they came in, from behind the one with id `after_id`."""
    return db.scalars(
        select(MetricRow)
        .where(MetricRow.job_id == job_id, MetricRow.id > after_id)
        .order_by(MetricRow.id)
        .limit(limit)
    ).all()


def list_datasets(db: Session, *, limit: int = 50, cursor: str | None = None) -> Page[DatasetRow]:
    """Datasets, newest first."""
    return read_page(
        db,
        select(DatasetRow),
        order_by=DatasetRow.created_s.expression,
        id_column=DatasetRow.id,
        descending=True,
        limit=limit,
        cursor=cursor,
    )


def _episodes(wanted: EpisodeFilter) -> Select[EpisodeRow]:
    statement = select(EpisodeRow).where(EpisodeRow.state.in_([s.value for s in wanted.states]))
    if wanted.outcome is not None:
        statement = statement.where(EpisodeRow.outcome == wanted.outcome.value)
    if wanted.session_id is not None:
        statement = statement.where(EpisodeRow.session_id == wanted.session_id)
    if wanted.checkpoint_id is not None:
        statement = statement.where(EpisodeRow.checkpoint_id == wanted.checkpoint_id)
    if wanted.ids is not None:
        statement = statement.where(EpisodeRow.id.in_(wanted.ids))
    if q := wanted.q.strip():
        statement = statement.where(
            or_(
                EpisodeRow.task.icontains(q, autoescape=True),
                EpisodeRow.robot.icontains(q, autoescape=True),
                EpisodeRow.operator.icontains(q, autoescape=True),
                EpisodeRow.id.istartswith(q, autoescape=True),
            )
        )
    return statement


def _order(order: EpisodeOrder) -> tuple[ColumnElement[Any], bool]:
    human_share: ColumnElement[Any] = case(
        (EpisodeRow.num_steps == 0, 0.0),
        else_=EpisodeRow.num_human_steps * 1.0 / EpisodeRow.num_steps,
    )
    orders: dict[EpisodeOrder, tuple[ColumnElement[Any], bool]] = {
        EpisodeOrder.NEWEST: (EpisodeRow.started_s.expression, True),
        EpisodeOrder.OLDEST: (EpisodeRow.started_s.expression, False),
        EpisodeOrder.LONGEST: (EpisodeRow.num_steps.expression, True),
        EpisodeOrder.SHORTEST: (EpisodeRow.num_steps.expression, False),
        EpisodeOrder.HUMAN_SHARE: (human_share, True),
    }
    return orders[order]
